//! Leaving a digest: one click by RFC 8058, and a page that changes nothing by being looked at.

use crate::support::http::{Reply, Server};
use crate::support::service::Service;
use crate::support::{App, header, rss};

fn stories(number: u8) -> String {
    rss(&[(&format!("g{number}"), &format!("The story that has number {number}"), 10 + number, "text")])
}

#[test]
fn one_click_leaves_one_digest_and_a_get_leaves_none() {
    let server = Server::always(Reply::ok(stories(1)));
    let digest = |id: &str| {
        format!(
            "[[digest]]\nid = \"{id}\"\nlanguage = \"fr\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"ana@example.org\", \"bo@example.org\"]\n"
        )
    };
    let mut app = App::new(&format!(
        "[[source]]\nid = \"s\"\nurl = \"{}\"\n{}{}",
        server.url("/"),
        digest("one"),
        digest("two")
    ));
    app.ok(&["run"]);
    let mails = app.outbox();
    assert_eq!(mails.len(), 4);
    let mail = mails
        .iter()
        .find(|mail| mail.contains("To: ana@example.org") && header(mail, "List-Id").contains("<one."))
        .unwrap();
    let unsubscribe = header(mail, "List-Unsubscribe");
    assert_eq!(header(mail, "List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    assert!(unsubscribe.contains("<mailto:news@example.org?subject=unsubscribe%20"), "{unsubscribe}");
    let target =
        unsubscribe.strip_prefix("<https://news.example.org").unwrap().split('>').next().unwrap().to_owned();

    let service = Service::start(&app);
    let (status, page) = service.ask("GET", &format!("{target}?l=fr"), "", "");
    assert!(
        status == 200 && page.contains("Me désabonner") && page.contains("<form method=\"post\">"),
        "{status} {page}"
    );
    assert_eq!(service.ask("HEAD", &target, "", "").0, 200);
    assert_eq!(service.ask("GET", "/unsubscribe/forged.token", "", "").0, 404);
    assert_eq!(service.ask("POST", "/unsubscribe/forged.token", "", "List-Unsubscribe=One-Click").0, 404);
    drop(service);
    server.answer(|_| Reply::ok(stories(2)));
    app.later(24 * 60).ok(&["run"]);
    assert_eq!(app.outbox().len(), 8, "a scanner that follows links unsubscribes nobody");

    let service = Service::start(&app);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(service.ask("POST", &target, form, "List-Unsubscribe=One-Click").0, 200);
    assert_eq!(service.ask("POST", &target, form, "List-Unsubscribe=One-Click").0, 200, "twice does no harm");
    drop(service);
    server.answer(|_| Reply::ok(stories(3)));
    app.later(24 * 60).ok(&["run"]);
    let mails = app.outbox();
    assert_eq!(mails.len(), 11);
    let to_ana =
        mails.iter().filter(|mail| mail.contains("number 3") && mail.contains("To: ana@example.org")).count();
    assert_eq!(to_ana, 1, "the other digest goes on");
}

#[test]
fn who_left_while_the_mail_was_waiting_does_not_get_it() {
    let server = Server::always(Reply::ok(stories(1)));
    let digest =
        "[[digest]]\nid = \"one\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"ana@example.org\"]\n";
    let mut app = App::new(&format!("[[source]]\nid = \"s\"\nurl = \"{}\"\n{digest}", server.url("/")));
    app.ok(&["run"]);
    let mail = app.outbox().remove(0);
    let target = header(&mail, "List-Unsubscribe")
        .strip_prefix("<https://news.example.org")
        .unwrap()
        .split('>')
        .next()
        .unwrap()
        .to_owned();
    // The next issue is queued, but no mail can leave: a file stands where the outbox should be.
    let config = app.read("feeds.toml");
    app.write("blocked", "a file");
    app.write("feeds.toml", config.replace("[mail]\n", "[mail]\ntransport = \"file:blocked\"\n"));
    server.answer(|_| Reply::ok(stories(2)));
    assert_eq!(app.later(24 * 60).run(&["run"]).code, 4);
    let service = Service::start(&app);
    assert_eq!(service.ask("POST", &target, "", "List-Unsubscribe=One-Click").0, 200);
    drop(service);
    app.write("feeds.toml", config);
    app.later(60).ok(&["run"]);
    assert_eq!(
        app.outbox().len(),
        1,
        "{:#?}: suppression is checked when a mail is sent, not when it is queued",
        app.outbox()
    );
}
