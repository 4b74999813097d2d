//! Languages of the interface: those that we ship, those of an operator, and those that it is not available in.

use crate::support::http::{Reply, Server};
use crate::support::service::Service;
use crate::support::{App, header, rss, text_part, wait_for};

/// A whole locale, as an operator would write it: the words of ours, some of them their own.
fn basque() -> String {
    let english = include_str!("../../locales/en.ftl");
    let own = [
        ("own_name", "euskara"),
        ("leave_topic", "Utzi gai hau:"),
        ("unsubscribe", "Harpidetza kendu"),
        ("search", "Bilatu"),
        ("month_10", "urria"),
        ("date", "{ $year }ko { $month } { $day }"),
        ("confirm_subject", "Berretsi zure harpidetza:"),
    ];
    let line = |line: &str| {
        let own = own.iter().find(|(name, _)| line.starts_with(&format!("{name} = ")));
        own.map_or_else(|| line.to_owned(), |(name, text)| format!("{name} = {text}")) + "\n"
    };
    english.lines().map(line).collect()
}

fn source(server: &Server) -> String {
    format!(
        "[[source]]\nid = \"s\"\npartner = \"Partner\"\nlang = \"en\"\nurl = \"{}\"\n[[topic]]\nid = \"justice\"\nlabel = {{ en = \"Justice\" }}\nkeywords = {{ en = [\"justice\"] }}\n",
        server.url("/")
    )
}

fn server() -> Server {
    Server::always(Reply::ok(rss(&[("a", "A justice story of the day", 19, "x")])))
}

#[test]
fn an_operator_adds_a_language_and_its_subscriber_gets_a_mail_in_it() {
    let server = server();
    let mut app = App::new(&(source(&server) + "[newsletter]\ntitle = { eu = \"Albisteak\" }\n"));
    assert_eq!(app.run(&["check"]).code, 2, "nobody knows Basque yet");
    app.write("locales/eu.ftl", basque());
    app.ok(&["check"]);
    app.ok(&["subscribers", "add", "--cadence", "daily", "--language", "eu", "ane@example.org"]);
    app.ok(&["fetch"]);
    app.later(24 * 60).ok(&["run"]);
    let mail = app.outbox().remove(0);
    assert_eq!(header(&mail, "Subject"), "Albisteak: A justice story of the day");
    let text = text_part(&mail);
    for want in ["2022ko urria 21", "2022ko urria 19", "Utzi gai hau: Justice", "Harpidetza kendu: https://"]
    {
        assert!(text.contains(want), "{want} is not in\n{text}");
    }
    assert!(app.read("public/privacy/eu.html").contains("<html lang=\"eu\" dir=\"ltr\">"));
    // The form offers it, and no language that nobody here writes in.
    let service = Service::start(&app);
    let (_, form) = service.ask("GET", "/subscribe", "Accept-Language: eu-ES,fr;q=0.8\r\n", "");
    assert!(
        form.contains("<html lang=\"eu\"") && form.contains("<option value=\"eu\" selected>Euskara"),
        "{form}"
    );
    assert!(
        form.contains("<option value=\"en\">English") && !form.contains("<option value=\"fr\""),
        "{form}"
    );
    let body = "{\"address\": \"jon@example.org\", \"language\": \"eu\"}";
    assert_eq!(service.ask("POST", "/api/subscriptions", "Content-Type: application/json\r\n", body).0, 202);
    let mail = wait_for("the confirmation", || {
        app.outbox().into_iter().find(|mail| header(mail, "To") == "jon@example.org")
    });
    assert_eq!(header(&mail, "Subject"), "Berretsi zure harpidetza: Albisteak");
}

#[test]
fn an_operator_puts_other_words_in_the_place_of_ours_and_pages_follow() {
    let server = server();
    let app = App::new(&source(&server));
    app.ok(&["fetch"]);
    app.ok(&["publish"]);
    assert!(app.read("public/index.html").contains(">All days<"));
    app.write("locales/en.ftl", "all_days = Day by day\n");
    app.ok(&["publish"]);
    let page = app.read("public/index.html");
    assert!(page.contains(">Day by day<") && page.contains("Skip to content"), "{page}");
}

#[test]
fn a_faulty_locale_is_refused_by_every_command_with_its_line() {
    let app = App::new("[[digest]]\nid = \"d\"\nlanguage = \"eu\"\nschedule = \"Mon 25:00\"\n");
    app.write("locales/eu.ftl", "save = Gorde\nbroken = {\n");
    app.write("locales/gl.ftl", "save = Gardar\n");
    app.write("locales/fr.ftl", "save = Garder\n\nsabe = x\nmore_stories = { $number }\n");
    app.write("locales/pt-BR.ftl", "save = Salvar\n");
    app.write("locales/README", "not a locale");
    for command in [&["check"][..], &["fetch"], &["subscribers", "list"]] {
        let ran = app.run(command);
        assert_eq!(ran.code, 2, "{command:?}");
        for want in [
            "locales/eu.ftl:2: cannot be read",
            "locales/gl.ftl:2: keys are missing: admin, admin_accept, ",
            "locales/fr.ftl:3: unknown key \"sabe\": did you mean \"save\"?",
            "locales/fr.ftl:4: \"more_stories\" has no variable $number",
            "locales/pt-BR.ftl:1: the name is not a language tag",
            "feeds.toml:15: [[digest]] \"d\": schedule: ",
        ] {
            assert!(ran.stderr.contains(want), "{want} is not in\n{}", ran.stderr);
        }
        assert!(!ran.stderr.contains("is not available in"), "{}", ran.stderr);
    }
}

#[test]
fn a_language_without_words_is_refused_and_those_that_there_are_are_named() {
    let app = App::new(
        "[newsletter]\ntitle = { fr = \"Nouvelles\", eo = \"Novaĵoj\" }\n[[digest]]\nid = \"d\"\nlanguage = \"tlh\"\nschedule = \"daily 08:00 UTC\"\n[[source]]\nid = \"s\"\nlang = \"eu\"\nurl = \"https://x.example/\"\n",
    );
    app.write("feeds.toml", app.read("feeds.toml").replace("language = \"en\"", "language = \"la-VA\""));
    let ran = app.run(&["check"]);
    let all = "use one of ar, ca, de, en, es, fr, id, it, nl, pt, ru, sw, uk, zh";
    assert_eq!((ran.code, ran.stderr.lines().count()), (2, 3), "{}", ran.stderr);
    for want in [
        "feeds.toml:5: [channel]: language: the interface is not available in \"la-VA\"",
        "feeds.toml:13: [newsletter]: title: the interface is not available in \"eo\"",
        "[[digest]] \"d\": language: the interface is not available in \"tlh\"",
    ] {
        assert!(ran.stderr.contains(want) && ran.stderr.contains(all), "{want} is not in\n{}", ran.stderr);
    }
    let app = App::new("");
    let ran = app.run(&["subscribers", "add", "--language", "tlh", "ana@example.org"]);
    assert!(ran.code == 2 && ran.stderr.contains(all), "{}", ran.stderr);
    app.write("list.csv", "address,language\nana@example.org,fr-CA\nbo@example.org,tlh\n");
    let ran = app.run(&["subscribers", "import", "list.csv", "--consent", "paper", "--skip-faulty"]);
    assert!(
        ran.stderr.contains("list.csv:3: language: the interface is not available in \"tlh\""),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("1 imported, 0 left out, 1 faulty"), "{}", ran.stdout);
}

#[test]
fn a_channel_in_arabic_is_written_from_right_to_left() {
    let server = server();
    let mut app = App::new(&source(&server));
    app.write("feeds.toml", app.read("feeds.toml").replace("language = \"en\"", "language = \"ar\""));
    app.ok(&["subscribers", "add", "--cadence", "daily", "ana@example.org"]);
    app.ok(&["fetch"]);
    app.later(24 * 60).ok(&["run"]);
    let page = app.read("public/index.html");
    assert!(page.starts_with("<!doctype html>\n<html lang=\"ar\" dir=\"rtl\">"), "{page}");
    assert!(page.contains("<article lang=\"en\" dir=\"ltr\">") && page.contains("19 أكتوبر 2022"), "{page}");
    assert!(!page.contains("left: -99rem"));
    let mail = app.outbox().remove(0);
    assert!(text_part(&mail).contains("إلغاء الاشتراك"), "{mail}");
    assert!(mail.contains("<html lang=3D\"ar\" dir=3D\"rtl\""), "{mail}");
    let service = Service::start(&app);
    let (_, form) = service.ask("GET", "/subscribe", "", "");
    assert!(
        form.contains("<html lang=\"ar\" dir=\"rtl\">") && form.contains("<option value=\"ar\" selected>"),
        "{form}"
    );
}

#[test]
fn a_page_of_a_language_without_words_has_those_of_the_channel() {
    let server = server();
    let app = App::new(&source(&server).replace("lang = \"en\"", "lang = \"eo\""));
    app.write("feeds.toml", app.read("feeds.toml").replace("language = \"en\"", "language = \"fr\""));
    app.ok(&["fetch"]);
    app.ok(&["publish"]);
    let page = app.read("public/languages/eo/index.html");
    assert!(page.contains("<html lang=\"fr\"") && page.contains("19 octobre 2022"), "{page}");
    assert!(!page.contains("All days"));
}

#[test]
fn what_is_left_over_is_counted_as_each_language_does() {
    let items: Vec<(String, String)> = (0..6)
        .map(|n| {
            (
                format!("g{n}"),
                format!("{} is told here", ["Alpha", "Bravo", "Cedar", "Delta", "Ember", "Fjord"][n]),
            )
        })
        .collect();
    let items: Vec<(&str, &str, u8, &str)> =
        items.iter().map(|(guid, title)| (guid.as_str(), title.as_str(), 19, title.as_str())).collect();
    let server = Server::always(Reply::ok(rss(&items)));
    for (max, language, want) in [
        (5, "ru", "и ещё 1 статья на странице"),
        (3, "ru", "и ещё 3 статьи на странице"),
        (1, "ru", "и ещё 5 статей на странице"),
        (4, "ar", "ومقالان آخران على صفحة الويب"),
        (3, "ar", "و3 مقالات أخرى على صفحة الويب"),
        (5, "en", "and one more on the web page"),
    ] {
        let app = App::new(&format!(
            "[[source]]\nid = \"s\"\nurl = \"{}\"\n[[digest]]\nid = \"d\"\nlanguage = \"{language}\"\nmax_entries = {max}\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"ana@example.org\"]\n",
            server.url("/")
        ));
        app.ok(&["fetch"]);
        let said = app.ok(&["digest", "--dry-run"]);
        assert!(said.contains(want) && said.contains("(6 stories, 1 recipient)"), "{want} is not in\n{said}");
    }
}
