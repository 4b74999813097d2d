//! Mail through Exim, a server that millions of domains run. `./scripts/test` runs this where it can start one.

use crate::support::exim::Exim;
use crate::support::http::{Reply, Server};
use crate::support::mail::Keys;
use crate::support::{App, rss};

#[test]
#[ignore = "needs Exim, and root to start it: ./scripts/test includes it where both are"]
fn digests_pass_through_exim_signed_and_what_it_refuses_or_defers_is_known() {
    let exim = Exim::start();
    let server =
        Server::always(Reply::ok(rss(&[("a", "Budget transparency: été", 19, "Figures\n.\n..dots")])));
    let mut app = App::new("");
    let keys = Keys::make(&app);
    app.write("secret", "geheim\n");
    app.write(
        "feeds.toml",
        format!(
            "version = 1\n[channel]\ntitle = \"Test\"\nurl = \"https://news.example.org\"\n[fetch]\nallow = [\"127.0.0.1\"]\n[mail]\ntransport = \"smtp://localhost:{}?tls=required\"\nusername = \"courant\"\npassword = \"file:secret\"\nca_file = \"{}\"\nfrom = \"News <news@example.org>\"\nbounces = \"returns@example.org\"\n{}[[source]]\nid = \"s\"\nlang = \"en\"\nurl = \"{}\"\n",
            exim.port,
            exim.certificate().display(),
            keys.config(),
            server.url("/")
        ),
    );
    for name in ["ana", "bo", "bounce-1", "tempfail-1"] {
        app.ok(&["subscribers", "add", "--cadence", "daily", &format!("{name}@example.net")]);
    }
    app.ok(&["fetch"]);
    app.later(24 * 60);
    let ran = app.run(&["-v", "run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mails = exim.mails(2);
    for mail in &mails {
        let path = mail.lines().find_map(|line| line.strip_prefix("Return-path: <returns+")).unwrap();
        assert!(path.ends_with("@example.org>"), "{path}");
        // What was signed begins behind what Exim put in front.
        let signed = &mail[mail.find("DKIM-Signature:").unwrap()..];
        assert_eq!(keys.verify(&app, signed), ["ed25519-sha256 True True", "rsa-sha256 True True"]);
    }
    // What comes back to the return path of a mail is known without being understood.
    let mail = mails.iter().find(|mail| mail.contains("To: bo@example.net")).unwrap();
    let path = mail.split("Return-path: <").nth(1).unwrap().split('>').next().unwrap();
    app.write(
        "report.eml",
        format!("Return-Path: <>\r\nFrom: MAILER-DAEMON@other.example\r\nTo: {}\r\nSubject: Delivery failure\r\n\r\nUser unknown.\r\n", path.to_uppercase()),
    );
    assert!(app.ok(&["bounces", "report.eml"]).starts_with("hard bounce: b…@example.net"));
    let list = app.ok(&["subscribers", "list"]);
    assert!(
        list.lines().any(|line| line.starts_with("bounce-1@example.net") && line.contains("bounced")),
        "{list}"
    );
    assert!(
        list.lines().any(|line| line.starts_with("tempfail-1@example.net") && line.contains("active")),
        "{list}"
    );
    let held = app.ok(&["subscribers", "export", "--address", "tempfail-1@example.net"]);
    assert!(held.contains("\"pending\"") && held.contains("mailbox full"), "{held}");
    // A wrong password costs nothing but time.
    app.write("secret", "wrong\n");
    assert_eq!(app.later(60).run(&["run"]).code, 4);
    app.write("secret", "geheim\n");
    // There is one mail, and its mailbox is still full.
    assert_eq!(app.later(60).run(&["run"]).code, 4);
    exim.mails(2);
}
