//! The question whether somebody still wants the newsletter: to whom it goes and when, and what follows from the answer or from none.

use crate::support::service::Service;
use crate::support::{App, header, text_part};

fn config(more: &str) -> String {
    format!(
        "[newsletter]\ntitle = {{ es = \"Nuestras noticias\" }}\nreengage_after = \"365d\"\nreengage_within = \"30d\"\n{more}"
    )
}

/// Two who agreed in 2020, and one who has just come.
fn listed(more: &str) -> App {
    let app = App::new(&config(more));
    app.write(
        "list.csv",
        "address,language,consent_source,consent_at\nana@partner.org,es,form,2020-01-02T03:04:05Z\nbo@partner.org,en,form,2020-01-02T03:04:05Z\ncy@partner.org,en,form,2022-10-19T00:00:00Z\n",
    );
    app.ok(&["subscribers", "import", "list.csv"]);
    app
}

/// The mails that ask somebody.
fn asked(app: &App, address: &str) -> Vec<String> {
    let is_question = |mail: &String| header(mail, "To") == address && text_part(mail).contains("/keep?l=");
    app.outbox().into_iter().filter(is_question).collect()
}

/// The path of a link in the text of a mail.
fn link(mail: &str, with: &str) -> String {
    let text = text_part(mail);
    let found = text.split_whitespace().find(|word| word.contains(with)).unwrap();
    found.strip_prefix("https://news.example.org").unwrap().to_owned()
}

fn state(app: &App, address: &str) -> String {
    let shown = app.ok(&["subscribers", "show", address]);
    shown
        .lines()
        .find_map(|line| line.strip_prefix("in the list: "))
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .to_owned()
}

const DAY: i64 = 24 * 60;

#[test]
fn who_agreed_long_ago_is_asked_once_in_their_language_and_an_answer_keeps_them() {
    let mut app = listed("");
    app.ok(&["run"]);
    let mails = asked(&app, "ana@partner.org");
    assert_eq!(
        (mails.len(), asked(&app, "bo@partner.org").len(), asked(&app, "cy@partner.org").len()),
        (1, 1, 0)
    );
    let text = text_part(&mails[0]);
    assert!(text.contains("¿") && text.contains("19 de noviembre de 2022"), "{text}");
    assert!(header(&mails[0], "List-Unsubscribe").contains("/unsubscribe/"));
    app.later(DAY).ok(&["run"]);
    assert_eq!(asked(&app, "ana@partner.org").len(), 1, "once");

    // A scanner follows the link, and nothing changes; a person presses the button.
    let keep = link(&mails[0], "/keep?l=");
    {
        let service = Service::start(&app);
        let (status, page) = service.ask("GET", &keep, "", "");
        assert!(status == 200 && page.contains("<form method=\"post\""), "{page}");
        let bo = link(&asked(&app, "bo@partner.org")[0], "/keep?l=");
        assert_eq!(service.ask("GET", &bo, "", "").0, 200);
        assert_eq!(service.ask("POST", &keep, "Sec-Fetch-Site: cross-site\r\n", "").0, 403);
        assert_eq!(service.ask("POST", &keep, "", "").0, 200);
        assert_eq!(service.ask("POST", "/preferences/nonsense/keep", "", "").0, 404);
    }
    app.later(29 * DAY).ok(&["run"]);
    assert_eq!(
        (state(&app, "ana@partner.org"), state(&app, "bo@partner.org")),
        ("active".into(), "paused".into())
    );
    // A year after the answer, and not before.
    app.later(300 * DAY).ok(&["run"]);
    assert_eq!(asked(&app, "ana@partner.org").len(), 1);
    app.later(40 * DAY).ok(&["run"]);
    assert_eq!(asked(&app, "ana@partner.org").len(), 2);
    // Whoever was paused comes back by the same link.
    let bo = link(&asked(&app, "bo@partner.org")[0], "/keep?l=");
    let service = Service::start(&app);
    assert_eq!(service.ask("POST", &bo, "", "").0, 200);
    assert_eq!(state(&app, "bo@partner.org"), "active");
}

#[test]
fn without_an_answer_a_subscription_ends_if_so_configured_and_only_when_the_question_has_arrived() {
    let mut app = listed("reengage_without_answer = \"unsubscribe\"\n");
    // The server takes no mail for a while, and what waited too long is given up.
    let whole = app.read("feeds.toml");
    app.write(
        "feeds.toml",
        whole.replace("[mail]\n", "[mail]\ntransport = \"smtp://127.0.0.1:1?tls=none\"\n"),
    );
    app.run(&["run"]);
    app.later(15 * DAY).run(&["run"]);
    app.write("feeds.toml", &whole);
    app.later(16 * DAY).ok(&["run"]);
    assert_eq!(state(&app, "bo@partner.org"), "active", "nobody could answer what did not arrive");
    assert_eq!(asked(&app, "bo@partner.org").len(), 1);
    app.later(29 * DAY).ok(&["run"]);
    assert_eq!(state(&app, "bo@partner.org"), "active");
    app.later(2 * DAY).ok(&["run"]);
    assert_eq!(state(&app, "bo@partner.org"), "unsubscribed");
    assert!(asked(&app, "cy@partner.org").is_empty());
}

#[test]
fn choosing_anew_is_an_answer_and_the_question_is_told_to_whoever_asks_for_their_data() {
    let mut app = listed("");
    app.ok(&["run"]);
    let data = app.ok(&["subscribers", "export", "--address", "bo@partner.org"]);
    assert!(data.contains("\"asked\": \"2022-10-20T08:00:00Z\""), "{data}");
    let preferences = link(&asked(&app, "bo@partner.org")[0], "/preferences/").replace("/keep", "");
    {
        let service = Service::start(&app);
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        let form = "do=save&language=en&cadence=weekly&hour=8&timezone=UTC";
        assert_eq!(service.ask("POST", &preferences, kind, form).0, 200);
    }
    app.later(31 * DAY).ok(&["run"]);
    assert_eq!(
        (state(&app, "bo@partner.org"), state(&app, "ana@partner.org")),
        ("active".into(), "paused".into())
    );
    // Whom the operator resumes is not asked at once.
    app.ok(&["subscribers", "resume", "ana@partner.org"]);
    app.later(DAY).ok(&["run"]);
    assert_eq!(asked(&app, "ana@partner.org").len(), 1);
}

#[test]
fn templates_of_the_operator_ask_and_welcome_in_their_own_words() {
    let mut app = listed("welcome = true\n");
    app.write("templates/reengagement/subject.txt", "Still with us?\n");
    app.write(
        "templates/reengagement/body.txt",
        "Say yes: {{ preferences }}/keep?l={{ language }} {{ note }}\n",
    );
    app.write("templates/welcome/subject.txt", "Hello and welcome\n");
    app.later(1).ok(&["run"]);
    let mail = &asked(&app, "bo@partner.org")[0];
    assert_eq!(header(mail, "Subject"), "Still with us?");
    assert!(text_part(mail).starts_with("Say yes: https://news.example.org/preferences/"));
    let service = Service::start(&app);
    let kind = "Content-Type: application/json\r\n";
    let body = "{\"address\": \"new@partner.org\", \"language\": \"en\"}";
    assert_eq!(service.ask("POST", "/api/subscriptions", kind, body).0, 202);
    drop(service);
    app.ok(&["run"]);
    let confirm = app.outbox().into_iter().find(|mail| header(mail, "To") == "new@partner.org").unwrap();
    let link = link(&confirm, "/confirm/");
    let service = Service::start(&app);
    assert_eq!(service.ask("POST", &link, "", "").0, 200);
    drop(service);
    app.ok(&["run"]);
    assert!(app.outbox().iter().any(|mail| header(mail, "Subject") == "Hello and welcome"));
}

#[test]
fn a_question_that_cannot_be_answered_is_a_fault_of_the_configuration() {
    for (keys, said) in [
        ("reengage_after = \"7d\"\n", "must be \"30d\" or more"),
        ("reengage_within = \"30d\"\n", "nobody is asked without reengage_after"),
        ("reengage_after = \"60d\"\nreengage_within = \"90d\"\n", "must be from \"1d\" to reengage_after"),
        (
            "reengage_after = \"60d\"\nreengage_without_answer = \"delete\"\n",
            "must be \"pause\" or \"unsubscribe\"",
        ),
    ] {
        let ran = App::new(&format!("[newsletter]\n{keys}")).run(&["check"]);
        assert!(ran.code == 2 && ran.stderr.contains(said), "{keys}: {}", ran.stderr);
    }
    let app = App::new("");
    app.write(
        "feeds.toml",
        "version = 1\n[channel]\ntitle = \"x\"\n[newsletter]\nreengage_after = \"365d\"\n",
    );
    assert!(app.run(&["check"]).stderr.contains("set url in [channel]"));
}
