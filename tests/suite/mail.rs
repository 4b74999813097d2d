//! Digests to a real SMTP server, with STARTTLS, AUTH and refusals.

use crate::support::App;
use crate::support::http::{Reply, Server};
use crate::support::mail::Keys;
use crate::support::python::SmtpServer;
use crate::support::rss;

fn config(server: &Server, mail: &str, recipients: &str) -> String {
    // [mail] stands in the head of every configuration: its keys go on from there.
    format!(
        "[[source]]\nid = \"s\"\npartner = \"Partner\"\nlang = \"en\"\nurl = \"{}\"\n[[digest]]\nid = \"weekly\"\ntitle = \"The week\"\nlanguage = \"en\"\nschedule = \"Thu 08:00 UTC\"\nrecipients = [{recipients}]\n{mail}",
        server.url("/")
    )
}

/// An app whose mail goes to `smtp`.
fn app(server: &Server, smtp: &SmtpServer, recipients: &str) -> App {
    let app = App::new("");
    let text = format!(
        "version = 1\n[channel]\ntitle = \"Test\"\nurl = \"https://news.example.org\"\n[fetch]\nallow = [\"127.0.0.1\"]\n[mail]\ntransport = \"smtp://localhost:{}?tls=required\"\nusername = \"courant\"\npassword = \"file:secret\"\nca_file = \"{}\"\nfrom = \"News <news@example.org>\"\nreply_to = \"desk@example.org\"\n{}",
        smtp.port,
        smtp.certificate().display(),
        config(server, "", recipients)
    );
    app.write("feeds.toml", text);
    app.write("secret", "geheim\n");
    app
}

fn stories() -> Server {
    Server::always(Reply::ok(rss(&[
        ("a", "Budget transparency grows: été", 12, "Figures &amp;amp; tables"),
        ("b", "Open justice advances", 14, "Judges"),
    ])))
}

#[test]
fn a_digest_goes_out_over_starttls_with_auth_and_reads_back_whole() {
    let (server, smtp) = (stories(), SmtpServer::start());
    let app = app(&server, &smtp, "\"ana@example.org\"");
    app.ok(&["run"]);
    let mails = smtp.mails();
    assert_eq!(mails.len(), 1);
    for want in [
        "X-Envelope-To: ana@example.org",
        "From: News <news@example.org>",
        "Reply-To: desk@example.org",
        "Subject: The week: Open justice advances",
        "Date: Thu, 20 Oct 2022 08:00:00 +0000",
        "MIME-Version: 1.0",
        "multipart/alternative",
        "text/plain; charset=utf-8",
        "text/html; charset=utf-8",
        "List-Id: \"Test\" <weekly.example.org>",
    ] {
        assert!(mails[0].contains(want), "{want} is not in\n{}", mails[0]);
    }
    assert!(mails[0].lines().all(|line| line.len() <= 998));
}

#[test]
fn addresses_and_passwords_stay_out_of_the_log() {
    let (server, smtp) = (stories(), SmtpServer::start());
    let app = app(&server, &smtp, "\"ana@example.org\", \"bounce@example.org\"");
    let ran = app.run(&["-v", "-v", "run"]);
    assert_eq!(smtp.mails().len(), 1);
    // "\0courant\0geheim" in base64 is how AUTH PLAIN says it.
    for secret in ["ana@example.org", "geheim", "AGNvdXJhbnQAZ2VoZWlt"] {
        assert!(!ran.stderr.contains(secret), "{secret} is in\n{}", ran.stderr);
    }
}

#[test]
fn a_refused_recipient_never_makes_the_others_get_it_twice() {
    let (server, smtp) = (stories(), SmtpServer::start());
    let mut app = app(
        &server,
        &smtp,
        "\"ana@example.org\", \"bounce@example.org\", \"tempfail@example.org\", \"drop@example.org\"",
    );
    app.ok(&["run"]);
    assert_eq!(smtp.mails().len(), 1);
    app.later(1).ok(&["run"]);
    assert_eq!(smtp.mails().len(), 1, "a deferred delivery waits");
    app.later(60).ok(&["run"]);
    let mails = smtp.mails();
    assert_eq!(mails.len(), 2);
    assert!(mails[1].contains("X-Envelope-To: tempfail@example.org"));
    for _ in 0..2 {
        // All that is due is one that its server drops. After three repeats it is given up.
        assert_eq!(app.later(13 * 60).run(&["run"]).code, 4);
    }
    app.later(24 * 60).ok(&["run"]);
    assert!(app.ok(&["queue"]).contains("it was sent 4 times and may have arrived"));
    assert_eq!(smtp.mails().len(), 2);
    // A mailbox that does not exist is never written to again; one whose server was in trouble is.
    server.answer(|_| Reply::ok(rss(&[("c", "A third story for all", 20, "text")])));
    let ran = app.later(7 * 24 * 60).run(&["-v", "digest"]);
    assert!(ran.stdout.contains("weekly: 0 stories") || ran.stdout.contains("nothing new"), "{}", ran.stdout);
    app.ok(&["fetch", "--all"]);
    assert!(app.ok(&["digest"]).contains("1 story to 3 recipients"));
}

#[test]
fn every_mail_shows_its_own_way_out() {
    let (server, smtp) = (stories(), SmtpServer::start());
    let app = app(&server, &smtp, "\"ana@example.org\", \"bo@example.org\"");
    app.ok(&["run"]);
    let links: Vec<String> = smtp
        .mails()
        .iter()
        .map(|mail| {
            let joined = mail.replace("=\r\n", "").replace("=\n", "");
            let link =
                joined.split("List-Unsubscribe: <").nth(1).unwrap().split('>').next().unwrap().to_owned();
            assert!(
                joined.contains(&format!("Unsubscribe: {link}?l=3Den"))
                    && joined.contains(&format!("href=3D\"{link}?l=3Den\"")),
                "{joined}"
            );
            assert!(!joined.contains("@@"), "{joined}");
            link
        })
        .collect();
    assert_ne!(links[0], links[1]);
}

#[test]
fn a_server_without_the_right_certificate_or_password_gets_nothing() {
    let (server, smtp) = (stories(), SmtpServer::start());
    let mut app = app(&server, &smtp, "\"ana@example.org\"");
    app.write("secret", "wrong\n");
    let ran = app.run(&["run"]);
    assert!(ran.code == 4 && ran.stderr.contains("mail is held up"), "{}", ran.stderr);
    assert!(smtp.mails().is_empty());
    // The issue waits in the store: with the right password it goes out, once.
    app.write("secret", "geheim\n");
    app.later(30).ok(&["run"]);
    app.later(30).ok(&["run"]);
    assert_eq!(smtp.mails().len(), 1);
    let trusted = app.read("feeds.toml");
    app.write(
        "feeds.toml",
        trusted.replace("ca_file", "# ca_file").replace("id = \"weekly\"", "id = \"other\""),
    );
    let ran = app.later(30).run(&["digest"]);
    assert!(ran.stdout.contains("0 sent, 1 deferred"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn a_dry_run_shows_the_issue_and_changes_nothing() {
    let server = stories();
    let app = App::new(&config(&server, "", "\"ana@example.org\""));
    app.ok(&["fetch"]);
    let first = app.ok(&["digest", "--dry-run"]);
    assert!(first.contains("2 stories") && first.contains("Budget transparency grows: été"), "{first}");
    assert_eq!(app.ok(&["digest", "--dry-run"]), first);
    assert!(app.outbox().is_empty());
    app.ok(&["digest"]);
    assert_eq!(app.outbox().len(), 1);
    assert!(app.ok(&["digest"]).contains("nothing new"));
    assert_eq!(app.outbox().len(), 1);
}

#[test]
fn a_digest_prefers_its_language_and_groups_by_topic() {
    let feed = |language: &str, title: &str| {
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{language}\"><id>urn:{language}</id><title>T</title><updated>2022-10-14T00:00:00Z</updated><entry><title>{title}</title><id>urn:e:{language}</id><updated>2022-10-14T00:00:00Z</updated><link href=\"https://o.example/{language}\"/><link rel=\"alternate\" hreflang=\"fr\" href=\"https://o.example/fr\"/><link rel=\"alternate\" hreflang=\"en\" href=\"https://o.example/en\"/></entry></feed>"
        )
    };
    let server = Server::start(move |request| {
        if request.target == "/fr" {
            Reply::ok(feed("fr", "La justice ouverte progresse"))
        } else {
            Reply::ok(feed("en", "Open justice advances"))
        }
    });
    let app = App::new(&format!(
        "[[source]]\nid = \"en\"\nurl = \"{}\"\n[[source]]\nid = \"fr\"\nurl = \"{}\"\n[[topic]]\nid = \"justice\"\nlabel = {{ fr = \"Justice ouverte\" }}\nkeywords = {{ fr = [\"justice\"], en = [\"justice\"] }}\n[[digest]]\nid = \"hebdo\"\ntitle = \"La semaine\"\nlanguage = \"fr\"\nschedule = \"Thu 08:00 UTC\"\ntopics = [\"justice\"]\nrecipients = [\"ana@example.org\"]\n",
        server.url("/en"),
        server.url("/fr")
    ));
    app.ok(&["fetch"]);
    let issue = app.ok(&["digest", "--dry-run"]);
    assert!(issue.contains("## Justice ouverte\n\nLa justice ouverte progresse"), "{issue}");
    assert!(issue.contains("en anglais\u{a0}: Open justice advances https://o.example/en"), "{issue}");
}

#[test]
fn both_kinds_of_dkim_signatures_verify_independently() {
    let (server, smtp) = (stories(), SmtpServer::start());
    let app = app(&server, &smtp, "\"ana@example.org\"");
    let keys = Keys::make(&app);
    app.write("feeds.toml", app.read("feeds.toml") + keys.config());
    app.ok(&["run"]);
    // The sink put the envelope in front, and it may have added a header of its own: what was signed begins behind.
    let mail = smtp.mails().remove(0);
    let signed = mail
        .split_once("X-Envelope-To: ana@example.org\n")
        .or_else(|| mail.split_once("X-Envelope-To: ana@example.org\r\n"))
        .unwrap()
        .1
        .to_owned();
    assert_eq!(keys.verify(&app, &signed), ["ed25519-sha256 True True", "rsa-sha256 True True"]);
}

#[test]
fn a_title_cannot_inject_a_header() {
    let server = Server::always(Reply::ok(rss(&[(
        "a",
        "Evil&#13;&#10;Bcc: victim@example.org&#13;&#10;&#13;&#10;body",
        12,
        "x",
    )])));
    let app = App::new(&config(&server, "", "\"ana@example.org\""));
    app.ok(&["run"]);
    let mail = app.outbox().remove(0);
    let head = mail.split("\r\n\r\n").next().unwrap();
    assert!(head.lines().all(|line| !line.starts_with("Bcc")), "{head}");
    assert!(head.contains("Subject: The week: Evil Bcc: victim@example.org body"), "{head}");
}
