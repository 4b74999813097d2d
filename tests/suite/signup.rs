//! Signing up on the web, and what the links of the mails open.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::http::{Reply, Server};
use crate::support::service::Service;
use crate::support::{App, header, rss, text_part, wait_for};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

fn app() -> (Server, App) {
    let server = Server::always(Reply::ok(rss(&[
        ("a", "A justice story of the day", 19, "x"),
        ("b", "A budget story of the day", 18, "x"),
    ])));
    let app = App::new(&format!(
        "[[source]]\nid = \"s\"\npartner = \"Partner\"\nlang = \"en\"\nurl = \"{}\"\n[[topic]]\nid = \"justice\"\nlabel = {{ en = \"Justice\" }}\nkeywords = {{ en = [\"justice\"] }}\n[[topic]]\nid = \"budget\"\nlabel = {{ en = \"Budgets\" }}\nkeywords = {{ en = [\"budget\"] }}\n[newsletter]\ncontroller = \"The Network, 1 Main Street\"\ncontact = \"privacy@example.org\"\n",
        server.url("/")
    ));
    (server, app)
}

/// The mails in the outbox, once there are as many: the service sends them by itself.
#[track_caller]
fn wait_for_mails(app: &App, count: usize) -> Vec<String> {
    let started = Instant::now();
    loop {
        let mails = app.outbox();
        if mails.len() >= count || started.elapsed() > Duration::from_secs(20) {
            assert_eq!(mails.len(), count);
            return mails;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn form_token(service: &Service) -> String {
    let (status, page) = service.ask("GET", "/subscribe?l=en", "", "");
    assert_eq!(status, 200);
    page.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// The path of the first link of a mail that begins so.
fn link(mail: &str, begin: &str) -> String {
    let text = text_part(mail);
    let at = text
        .find(&format!("https://news.example.org{begin}"))
        .unwrap_or_else(|| panic!("no {begin} in {text}"));
    text[at + "https://news.example.org".len()..].split_whitespace().next().unwrap().to_owned()
}

#[test]
fn whoever_signs_up_confirms_changes_and_leaves_by_links() {
    let (_server, mut app) = app();
    let service = Service::start(&app);
    let token = form_token(&service);
    let (status, page) = service.ask(
        "POST",
        "/subscribe",
        FORM,
        &format!("l=en&form={token}&address=ana%40example.org&language=en&topics=justice&cadence=daily&hour=6&timezone=Europe%2FParis"),
    );
    assert!(status == 200 && page.contains("We have sent an e-mail"), "{status} {page}");
    let mail = wait_for_mails(&app, 1).remove(0);
    assert_eq!(
        (header(&mail, "To").as_str(), header(&mail, "Subject").as_str()),
        ("ana@example.org", "Confirm your subscription: Test")
    );
    assert_eq!(
        (header(&mail, "List-Unsubscribe"), header(&mail, "Auto-Submitted")),
        (String::new(), "auto-generated".into())
    );
    let confirm = link(&mail, "/confirm/");
    // Looking is not confirming.
    assert!(service.ask("GET", &confirm, "", "").1.contains("Confirm your subscription?"));
    assert!(app.ok(&["subscribers", "list"]).contains("nobody yet"));
    assert_eq!(service.ask("POST", "/confirm/forged.token", FORM, "").0, 404);
    use base64::Engine as _;
    let payload = confirm.trim_start_matches("/confirm/").split('.').next().unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    assert!(!String::from_utf8(payload).unwrap().contains("ana"), "a link bears no address");
    let slash = confirm.replacen("?l", "/?l", 1);
    assert!(service.ask("GET", &slash, "", "").1.contains("Confirm your subscription?"), "{slash}");
    let (status, page) = service.ask("POST", &confirm, FORM, "");
    assert!(
        status == 200
            && page.contains("href=\"/preferences/")
            && page.contains("You will receive the first e-mail on October 21, 2022, at 06:00"),
        "{page}"
    );
    assert_eq!(service.ask("POST", &confirm, FORM, "").0, 404, "a link works once");
    let list = app.ok(&["subscribers", "list"]);
    assert!(
        list.contains("ana@example.org")
            && list.contains("daily 6:00 Europe/Paris")
            && list.contains("1 active"),
        "{list}"
    );
    drop(service);

    app.later(24 * 60).ok(&["run"]);
    let mail = app.outbox().into_iter().find(|mail| mail.contains("justice story")).unwrap();
    assert!(!text_part(&mail).contains("budget story"));
    let preferences = link(&mail, "/preferences/");
    let unsubscribe = link(&mail, "/unsubscribe/");
    let service = Service::start(&app);
    let (status, page) = service.ask("GET", &preferences, "", "");
    assert!(
        status == 200
            && page.contains("ana@example.org")
            && page.contains("value=\"justice\" checked")
            && !page.contains("value=\"budget\" checked"),
        "{page}"
    );
    let target = preferences.split('?').next().unwrap();
    let changed = "l=en&do=save&language=es&topics=justice&topics=budget&topics=_other&cadence=monthly&hour=9&timezone=America%2FBogota";
    assert_eq!(service.ask("POST", target, &format!("{FORM}Sec-Fetch-Site: cross-site\r\n"), changed).0, 403);
    assert_eq!(
        service.ask("POST", target, &format!("{FORM}Origin: https://evil.example\r\n"), changed).0,
        403
    );
    // A time zone that does not exist loses nothing else; choosing no topic is not a choice.
    let (status, page) =
        service.ask("POST", target, FORM, &changed.replace("America%2FBogota", "Mars%2FBase"));
    assert!(
        status == 422
            && page.contains("value=\"monthly\" checked")
            && page.contains("value=\"budget\" checked")
            && page.contains("<option value=\"9\" selected>"),
        "{page}"
    );
    let (status, page) =
        service.ask("POST", target, FORM, "l=en&do=save&language=es&has_topics=1&cadence=monthly");
    assert!(
        status == 422 && page.contains("No topic selected") && !page.contains("value=\"budget\" checked"),
        "{page}"
    );
    let again =
        format!("l=en&form={}&address=bo%40example.org&language=en&has_topics=1", form_token(&service));
    let (status, page) = service.ask("POST", "/subscribe", FORM, &again);
    assert!(
        status == 422 && page.contains("No topic selected") && !page.contains("value=\"budget\" checked"),
        "{page}"
    );
    let (status, page) = service.ask("POST", target, FORM, changed);
    assert!(status == 200 && page.contains("Sus preferencias se han guardado."), "{status} {page}");
    let data: Value = serde_json::from_str(&service.ask("GET", &format!("{target}/data"), "", "").1).unwrap();
    assert_eq!(data["subscriber"]["preferences"]["cadence"], "monthly 1 9:00 America/Bogota");
    assert_eq!(data["subscriber"]["consent"]["source"], "signed up on the web, confirmed by mail");
    assert_eq!(
        data["subscriber"]["preferences"]["tastes"]["topics"],
        serde_json::json!([]),
        "all topics and the rest are all"
    );
    // One topic less, by the link under it.
    let leave_topic = format!("{}&topic=budget", unsubscribe.split('&').next().unwrap());
    let (status, page) = service.ask("GET", &leave_topic, "", "");
    assert!(status == 200 && page.contains("<strong>Budgets</strong>"), "{page}");
    let gone = format!("{}&topic=gone", unsubscribe.split('&').next().unwrap());
    for method in ["GET", "POST"] {
        let (status, page) = service.ask(method, &gone, FORM, "");
        assert!(status == 200 && page.contains(">Unsubscribe</button>"), "{method}: {page}");
    }
    assert!(app.ok(&["subscribers", "list"]).contains("1 active"), "a topic that is gone ends nothing else");
    assert!(
        service
            .ask("POST", &leave_topic, FORM, "List-Unsubscribe=One-Click")
            .1
            .contains("no longer receive this topic")
    );
    let data: Value = serde_json::from_str(&service.ask("GET", &format!("{target}/data"), "", "").1).unwrap();
    assert_eq!(data["subscriber"]["preferences"]["tastes"]["without"], serde_json::json!(["budget"]));
    only_topic(&app, &service, &leave_topic);
    for (what, state) in [("pause", "paused"), ("resume", "active"), ("unsubscribe", "unsubscribed")] {
        assert_eq!(service.ask("POST", target, FORM, &format!("do={what}")).0, 200);
        assert!(app.ok(&["subscribers", "list"]).contains(&format!("1 {state}")), "{what}");
    }
    // Back again by a new sign-up, and gone for good.
    let token = form_token(&service);
    service.ask("POST", "/subscribe", FORM, &format!("form={token}&address=ana%40example.org&language=en"));
    let mail = wait_for_mails(&app, 3)
        .into_iter()
        .filter(|mail| mail.contains("Confirm your subscription"))
        .map(|mail| link(&mail, "/confirm/"))
        .find(|link| *link != confirm)
        .unwrap();
    assert_eq!(service.ask("POST", &mail, FORM, "").0, 200);
    assert!(app.ok(&["subscribers", "list"]).contains("1 active"));
    assert_eq!(service.ask("POST", target, FORM, "do=erase").0, 422, "not without being sure");
    assert_eq!(service.ask("POST", target, FORM, "do=erase&sure=1").0, 200);
    assert_eq!(service.ask("GET", target, "", "").0, 404);
    assert!(app.ok(&["subscribers", "list"]).contains("nobody yet"));
}

#[test]
fn an_update_changes_what_it_names_and_nothing_else() {
    let (_server, app) = app();
    let shown = || app.ok(&["subscribers", "export"]).lines().last().unwrap().to_owned();
    let add = ["subscribers", "add", "eva@example.org"];
    let chosen = ["--language", "es", "--topics", "budget", "--schedule", "daily 07:00 Europe/Madrid"];
    app.ok(&[&add[..], &chosen, &["--consent", "web"]].concat());
    let before = shown();
    app.write("names.csv", "email,name\neva@example.org,Eva\n");
    app.ok(&["subscribers", "import", "names.csv", "--update", "--consent", "members"]);
    assert_eq!(shown(), before);
    app.write("few.csv", "email,language,hour\neva@example.org,fr,9\n");
    app.ok(&["subscribers", "import", "few.csv", "--update", "--consent", "members"]);
    assert_eq!(shown(), before.replace(",es,", ",fr,").replace("07:00", "9:00"));
    app.write("consents.csv", "email,consent\neva@example.org,at the fair\n");
    app.ok(&["subscribers", "import", "consents.csv", "--update"]);
    assert!(shown().contains(",at the fair,") && shown().contains(",budget,"), "{}", shown());
    app.ok(&[&add[..], &["--update", "--consent", "phone 2026"]].concat());
    assert!(shown().contains(",phone 2026,") && shown().contains(",budget,"), "{}", shown());
    app.ok(&[&add[..], &["--update", "--topics", "budget"]].concat());
    assert!(shown().contains(",phone 2026,"), "an update without a consent is no new one");
}

/// The link of the only topic says that all ends with it, and does that.
fn only_topic(app: &App, service: &Service, leave_topic: &str) {
    app.ok(&["subscribers", "add", "ana@example.org", "--update", "--topics", "budget"]);
    let (status, page) = service.ask("GET", leave_topic, "", "");
    assert!(status == 200 && page.contains("<strong>Budgets</strong>"), "{page}");
    assert!(page.contains("your only topic") && page.contains(">Unsubscribe</button>"), "{page}");
    let (_, page) = service.ask("POST", leave_topic, FORM, "List-Unsubscribe=One-Click");
    assert!(page.contains("no longer receive this newsletter"), "{page}");
    assert!(app.ok(&["subscribers", "list"]).contains("1 unsubscribed"));
    app.ok(&["subscribers", "resume", "ana@example.org"]);
}

#[test]
fn what_a_program_showed_is_kept_with_the_consent() {
    let (_server, app) = app();
    let service = Service::start(&app);
    let body = "{\"address\": \"ana@example.org\", \"consent_text\": \" The news, once a day \"}";
    assert_eq!(service.ask("POST", "/api/subscriptions", JSON, body).0, 202);
    let confirm = link(&wait_for_mails(&app, 1)[0], "/confirm/");
    assert_eq!(service.ask("POST", &confirm, FORM, "").0, 200);
    let listed = app.ok(&["subscribers", "list", "--format", "jsonl"]);
    assert!(listed.contains("\"text\":\"The news, once a day\""), "{listed}");
}

#[test]
fn an_old_confirmation_undoes_nothing_that_came_after_it() {
    let (_server, app) = app();
    let service = Service::start(&app);
    let sign_up = |name: &str| {
        let body = format!("{{\"address\": \"{name}@example.org\"}}");
        assert_eq!(service.ask("POST", "/api/subscriptions", JSON, &body).0, 202);
    };
    ["erased", "paused", "twice"].into_iter().for_each(sign_up);
    sign_up("twice");
    let mails = wait_for_mails(&app, 4);
    let links = |name: &str| -> Vec<String> {
        let own = mails.iter().filter(|mail| header(mail, "To") == format!("{name}@example.org"));
        own.map(|mail| link(mail, "/confirm/")).collect()
    };
    app.ok(&["subscribers", "erase", "erased@example.org"]);
    app.ok(&["subscribers", "add", "paused@example.org"]);
    app.ok(&["subscribers", "pause", "paused@example.org"]);
    for name in ["erased", "paused"] {
        assert_eq!(service.ask("POST", &links(name)[0], FORM, "").0, 404, "{name}");
    }
    assert_eq!(service.ask("POST", &links("twice")[1], FORM, "").0, 200);
    assert_eq!(service.ask("POST", &links("twice")[0], FORM, "").0, 404, "the other link is dead");
    let list = app.ok(&["subscribers", "list"]);
    assert!(list.contains("1 active, 1 paused") && !list.contains("erased@"), "{list}");
}

#[test]
fn a_channel_under_a_path_has_everything_under_it() {
    let (_server, app) = app();
    app.write(
        "feeds.toml",
        app.read("feeds.toml").replace("https://news.example.org", "https://example.org/news/"),
    );
    let service = Service::start(&app);
    // With a proxy that strips the path, and with one that does not.
    for base in ["", "/news"] {
        let (status, page) = service.ask("GET", &format!("{base}/subscribe?l=en"), "", "");
        assert_eq!(status, 200, "{base}");
        for want in [
            "action=\"/news/subscribe\"",
            "href=\"/news/privacy/en.html\"",
            "href=\"/news/favicon.svg\"",
            "href=\"/news/\"",
        ] {
            assert!(page.contains(want), "{base}: {want} is not in {page}");
        }
        wait_for("the channel", || {
            (service.ask("GET", &format!("{base}/atom.xml"), "", "").0 == 200).then_some(())
        });
        assert_eq!(service.ask("GET", &format!("{base}/healthz"), "", "").0, 200);
    }
    assert_eq!(service.ask("GET", "/news", "", "").0, 301);
    assert_eq!(service.ask("GET", "/newsletter", "", "").0, 404);
    let body = "{\"address\": \"ana@example.org\"}";
    assert_eq!(service.ask("POST", "/news/api/subscriptions", JSON, body).0, 202);
    let text = text_part(&wait_for_mails(&app, 1)[0]);
    let confirm = text.split_whitespace().find(|word| word.contains("/confirm/")).unwrap();
    let confirm = confirm.strip_prefix("https://example.org").unwrap();
    assert!(confirm.starts_with("/news/confirm/"), "{confirm}");
    let (status, page) = service.ask("POST", confirm, FORM, "");
    assert!(status == 200 && page.contains("href=\"/news/preferences/"), "{page}");
}

#[test]
fn nobody_learns_whether_an_address_is_known() {
    let (_server, app) = app();
    app.ok(&["subscribers", "add", "known@example.org"]);
    app.ok(&["subscribers", "add", "left@example.org"]);
    app.ok(&["subscribers", "remove", "left@example.org"]);
    app.ok(&["subscribers", "erase", "erased@example.org"]);
    let service = Service::start(&app);
    let answers: Vec<(u16, String)> = ["known", "left", "erased", "stranger"]
        .iter()
        .map(|name| {
            service.ask(
                "POST",
                "/api/subscriptions",
                JSON,
                &format!("{{\"address\": \"{name}@example.org\", \"language\": \"fr\"}}"),
            )
        })
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 202), "{answers:?}");
    let mails = wait_for_mails(&app, 4);
    let known = mails.iter().find(|mail| header(mail, "To") == "known@example.org").unwrap();
    assert!(text_part(known).contains("/preferences/") && !text_part(known).contains("/confirm/"));
}

#[test]
fn sign_ups_are_limited_by_address_network_and_to_people() {
    let (_server, app) = app();
    let service = Service::start(&app);
    let api = |address: &str, from: &str| {
        service
            .ask(
                "POST",
                "/api/subscriptions",
                &format!("{JSON}X-Forwarded-For: 198.51.100.1, {from}\r\n"),
                &format!("{{\"address\": \"{address}\"}}"),
            )
            .0
    };
    // One address: three mails a day, and the same answer all the same.
    assert!((0..6).all(|n| api("victim@example.org", &format!("203.0.113.{n}")) == 202));
    wait_for_mails(&app, 3);
    // One network: ten an hour.
    let statuses: Vec<u16> =
        (0..12).map(|n| api(&format!("person-{n}@example.net"), "203.0.113.77")).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 10, "{statuses:?}");
    assert_eq!(statuses[11], 429);
    let token = form_token(&service);
    let sent = app.outbox().len().max(13);
    wait_for_mails(&app, sent);
    // What people do not see is filled in by programs.
    let (status, page) = service.ask(
        "POST",
        "/subscribe",
        FORM,
        &format!("l=en&form={token}&address=bot%40example.org&website=x"),
    );
    assert!(status == 200 && page.contains("We have sent an e-mail"));
    // A form of another site, or of nobody.
    for (head, body) in [
        (format!("{FORM}Sec-Fetch-Site: cross-site\r\n"), format!("form={token}&address=a%40example.org")),
        (FORM.to_owned(), "form=x.y&address=a%40example.org".to_owned()),
    ] {
        assert_eq!(service.ask("POST", "/subscribe", &head, &body).0, 403);
    }
    assert_eq!(service.ask("POST", "/api/subscriptions", FORM, "address=a%40example.org").0, 415);
    assert_eq!(app.outbox().len(), sent);
}

#[test]
fn when_many_sign_up_people_take_a_second_step_and_programs_work() {
    let (_server, mut app) = app();
    app.write("feeds.toml", format!("{}[serve]\nsign_ups_per_hour = 1\n", app.read("feeds.toml")));
    let busy = |service: &Service| {
        let body = "{\"address\": \"first@example.org\"}";
        assert_eq!(service.ask("POST", "/api/subscriptions", JSON, body).0, 202);
    };
    let service = Service::start(&app);
    busy(&service);
    let form = format!("l=en&form={}&address=ana%40example.org&cadence=daily", form_token(&service));
    let (status, page) = service.ask("POST", "/subscribe", FORM, &form);
    assert!(status == 200 && page.contains("press the button") && page.contains("value=\"daily\""), "{page}");
    let step = |page: &str| {
        page.split("name=\"step\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let token = step(&page);
    let with_step = format!("{form}&step={token}");
    assert!(
        service.ask("POST", "/subscribe", FORM, &with_step).1.contains("press the button"),
        "at once is too soon"
    );
    let (status, body) =
        service.ask("POST", "/api/subscriptions", JSON, "{\"address\": \"ana@example.org\"}");
    assert!(status == 429 && body.contains("\"challenge\"") && body.contains("\"bits\":20"), "{body}");
    drop(service);
    app.later(1);
    let service = Service::start(&app);
    busy(&service);
    let other = with_step.replace("ana%40", "bo%40");
    assert!(
        service.ask("POST", "/subscribe", FORM, &other).1.contains("press the button"),
        "for one address"
    );
    assert!(service.ask("POST", "/subscribe", FORM, &with_step).1.contains("We have sent an e-mail"));
    assert!(service.ask("POST", "/subscribe", FORM, &with_step).1.contains("press the button"), "once");
}

#[test]
fn what_was_typed_wrong_is_said_at_its_field() {
    let (_server, app) = app();
    let service = Service::start(&app);
    let token = form_token(&service);
    let send = |body: &str| service.ask("POST", "/subscribe", FORM, &format!("l=fr&form={token}&{body}"));
    assert!(send("address=nobody").1.contains("Cette adresse électronique n’est pas valable"));
    assert!(send("address=a%40example.org&timezone=Mars%2FBase").1.contains("fuseau horaire"));
    let (status, page) = send("address=a%40gmial.com&cadence=weekly");
    assert!(status == 200 && page.contains("a@gmail.com") && page.contains("name=\"sure\""), "{page}");
    assert!(app.outbox().is_empty());
    assert!(send("address=a%40gmial.com&sure=1").1.contains("Un message vient d’être envoyé"));
    wait_for_mails(&app, 1);
    let (status, body) = service.ask(
        "POST",
        "/api/subscriptions",
        JSON,
        "{\"address\": \"nobody\", \"topics\": [\"justise\"], \"timezone\": \"Mars/Base\"}",
    );
    assert!(
        status == 422
            && ["address", "topics", "timezone"]
                .iter()
                .all(|field| body.contains(&format!("\"field\":\"{field}\""))),
        "{body}"
    );
    assert_eq!(service.ask("POST", "/api/subscriptions", JSON, "{\"adress\": 1}").0, 400);
    // It is written by the first cycle, which runs beside the forms.
    let privacy = wait_for("the page of data protection", || {
        Some(service.ask("GET", "/privacy/fr.html", "", "")).filter(|(status, _)| *status == 200)
    })
    .1;
    assert!(
        privacy.contains("The Network, 1 Main Street")
            && privacy.contains("mailto:privacy@example.org")
            && privacy.contains("RGPD"),
        "{privacy}"
    );
}

#[test]
fn who_confirms_is_welcomed_once_with_stories_that_no_issue_repeats() {
    let (_server, mut app) = app();
    let config = app.read("feeds.toml");
    assert!(config.contains("[newsletter]\n"));
    app.write("feeds.toml", config.replace("[newsletter]\n", "[newsletter]\nwelcome = true\n"));
    app.ok(&["run"]);
    let service = Service::start(&app);
    assert_eq!(
        service
            .ask(
                "POST",
                "/api/subscriptions",
                JSON,
                "{\"address\": \"ana@example.org\", \"cadence\": \"daily\"}"
            )
            .0,
        202
    );
    let confirm = link(&wait_for_mails(&app, 1)[0], "/confirm/");
    let held = app.ok(&["subscribers", "export", "--address", "ana@example.org"]);
    assert!(held.contains("\"sign_ups\": [\n    {\n      \"address\": \"ana@example.org\""), "{held}");
    let (status, page) = service.ask("POST", &confirm, FORM, "");
    assert!(status == 200 && page.contains("You will receive the next e-mail on"), "{page}");
    assert_eq!(service.ask("POST", &confirm, FORM, "").0, 404);
    let mails = wait_for_mails(&app, 2);
    drop(service);
    let mail = mails.iter().find(|mail| header(mail, "Subject").contains("is confirmed")).unwrap();
    let text = text_part(mail);
    assert!(text.contains("You will receive the next e-mail") && text.contains("## "), "{text}");
    assert!(header(mail, "List-Id").contains("<personal."), "{}", header(mail, "List-Id"));
    app.later(25 * 60).ok(&["run"]);
    assert_eq!(app.outbox().len(), 2, "its stories were told");
    let token = header(mail, "List-Unsubscribe")
        .split("unsubscribe%20")
        .nth(1)
        .unwrap()
        .trim_end_matches('>')
        .to_owned();
    app.write("leave.eml", format!("From: a@x.org\r\nSubject: unsubscribe {token}\r\n\r\n"));
    assert!(app.ok(&["bounces", "leave.eml"]).starts_with("unsubscribed by mail"));
    assert!(app.ok(&["subscribers", "list"]).contains("1 unsubscribed"));
}

#[test]
fn a_sign_up_that_waits_is_forgotten_with_its_owner() {
    let (_server, app) = app();
    let service = Service::start(&app);
    assert_eq!(service.ask("POST", "/api/subscriptions", JSON, "{\"address\": \"ana@example.org\"}").0, 202);
    let confirm = link(&wait_for_mails(&app, 1)[0], "/confirm/");
    assert!(app.ok(&["subscribers", "erase", "ana@example.org"]).starts_with("erased"));
    let held = app.ok(&["subscribers", "export", "--address", "ana@example.org"]);
    assert!(held.contains("\"sign_ups\": []") && held.contains("\"deliveries\": []"), "{held}");
    assert_eq!(service.ask("POST", &confirm, FORM, "").0, 404);
}

#[test]
fn a_confirmation_expires_and_the_address_is_forgotten() {
    let (_server, mut app) = app();
    let service = Service::start(&app);
    assert_eq!(service.ask("POST", "/api/subscriptions", JSON, "{\"address\": \"slow@example.org\"}").0, 202);
    let confirm = link(&wait_for_mails(&app, 1)[0], "/confirm/");
    drop(service);
    app.later(49 * 60);
    let service = Service::start(&app);
    assert_eq!(service.ask("POST", &confirm, FORM, "").0, 404);
    assert_eq!(
        service.ask("POST", "/api/subscriptions", JSON, "{\"address\": \"other@example.org\"}").0,
        202
    );
    wait_for_mails(&app, 2);
    drop(service);
    let held = app.ok(&["subscribers", "export", "--address", "slow@example.org"]);
    assert!(held.contains("\"deliveries\": []") && held.contains("\"subscriber\": null"), "{held}");
}

#[test]
fn a_mailbox_under_many_spellings_gets_few_confirmations() {
    let (_server, app) = app();
    let service = Service::start(&app);
    let token = form_token(&service);
    for n in 0..9 {
        let body = format!("l=en&form={token}&address=a.na%2B{n}%40example.org&language=en&cadence=daily");
        let (status, page) = service.ask("POST", "/subscribe", FORM, &body);
        assert!(status == 200 && page.contains("We have sent an e-mail"), "{n}: {status} {page}");
    }
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(wait_for_mails(&app, 3).len(), 3);
}
