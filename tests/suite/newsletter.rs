//! Digests of subscribers' own: who gets what, once, and when; the list from the command line.

use serde_json::Value;

use crate::support::http::{Reply, Server};
use crate::support::{App, header, rss, text_part};

/// A partner whose feed has stories in one language, and what a test changes of it.
fn config(sources: &[(&str, &str, &Server)]) -> String {
    let sources: String = sources
        .iter()
        .map(|(id, language, server)| format!("[[source]]\nid = \"{id}\"\npartner = \"Partner {id}\"\nlang = \"{language}\"\nurl = \"{}\"\n", server.url("/")))
        .collect();
    format!(
        "{sources}[[topic]]\nid = \"justice\"\nlabel = {{ en = \"Justice\", fr = \"Justice (fr)\" }}\nkeywords = {{ en = [\"justice\"], fr = [\"justice\"] }}\n[[topic]]\nid = \"budget\"\nlabel = {{ en = \"Budgets\" }}\nkeywords = {{ en = [\"budget\"], fr = [\"budget\"] }}\n"
    )
}

fn mails_to<'a>(mails: &'a [String], address: &str) -> Vec<&'a String> {
    mails.iter().filter(|mail| header(mail, "To") == address).collect()
}

#[test]
fn each_subscriber_gets_the_stories_of_their_topics_partners_and_languages_once() {
    let english = Server::always(Reply::ok(rss(&[
        ("a", "A justice reform in the north", 18, "x"),
        ("b", "The budget of the year", 19, "x"),
        ("c", "A story of nothing", 19, "x"),
    ])));
    let french = Server::always(Reply::ok(rss(&[("d", "Une réforme de la justice du sud", 18, "x")])));
    let mut app = App::new(&config(&[("en", "en", &english), ("fr", "fr", &french)]));
    for arguments in [
        "all@example.org",
        "justice@example.org --topics justice",
        "french@example.org --language fr --languages fr",
        "partner@example.org --partners Partner#en --topics budget",
        "later@example.org --cadence monthly",
        "twin@example.org --topics justice",
    ] {
        let arguments: Vec<String> =
            arguments.split(' ').map(|argument| argument.replace('#', " ")).collect();
        let mut all = vec!["subscribers", "add", "--cadence", "daily"];
        if arguments.iter().any(|argument| argument == "--cadence") {
            all.truncate(2);
        }
        all.extend(arguments.iter().map(String::as_str));
        app.ok(&all);
    }
    app.ok(&["fetch"]);
    app.ok(&["run"]);
    assert!(app.outbox().is_empty(), "it is eight o'clock, and they came after it");
    app.later(24 * 60).ok(&["run"]);
    let mails = app.outbox();
    let titles = |address: &str| -> Vec<String> {
        let own = mails_to(&mails, address);
        assert_eq!(own.len(), 1, "{address}");
        let text = text_part(own[0]);
        [
            "A justice reform in the north",
            "The budget of the year",
            "A story of nothing",
            "Une réforme de la justice du sud",
        ]
        .iter()
        .filter(|title| text.contains(&format!("\n{title}\n")))
        .map(|title| (*title).to_owned())
        .collect()
    };
    assert_eq!(titles("all@example.org").len(), 4);
    assert_eq!(
        titles("justice@example.org"),
        ["A justice reform in the north", "Une réforme de la justice du sud"]
    );
    assert_eq!(titles("twin@example.org"), titles("justice@example.org"));
    assert_eq!(titles("french@example.org"), ["Une réforme de la justice du sud"]);
    assert_eq!(titles("partner@example.org"), ["The budget of the year"]);
    assert_eq!(mails.len(), 5, "the monthly one waits");
    // The two of equal tastes share one issue, and so one web version.
    let online = |address: &str| {
        text_part(mails_to(&mails, address)[0])
            .split("https://news.example.org/issues/")
            .nth(1)
            .unwrap()
            .split(".html")
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(online("twin@example.org"), online("justice@example.org"));
    assert_ne!(online("twin@example.org"), online("all@example.org"));
    let web = app.read(&format!("public/issues/{}.html", online("all@example.org")));
    assert!(
        web.contains("The budget of the year") && !web.contains("@@") && !web.contains("/unsubscribe/"),
        "{web}"
    );

    // Edited, syndicated and back again: nothing is told twice. What is new goes to whom it concerns.
    english.answer(|_| {
        let syndicated = ("d", "Une réforme de la justice du sud", 20, "z");
        Reply::ok(rss(&[
            ("a", "A justice reform in the north, updated", 18, "y"),
            ("e", "A second budget of the year", 20, "x"),
            syndicated,
        ]))
    });
    french.answer(|_| Reply::ok(rss(&[("d", "Une réforme de la justice du sud", 18, "z")])));
    app.later(24 * 60).ok(&["run"]);
    let mails = app.outbox();
    assert_eq!(mails_to(&mails, "justice@example.org").len(), 1);
    assert_eq!(mails_to(&mails, "french@example.org").len(), 1, "an empty digest is not sent");
    let second = mails_to(&mails, "all@example.org");
    assert_eq!(second.len(), 2);
    let told: usize =
        second.iter().map(|mail| text_part(mail).matches("A justice reform in the north").count()).sum();
    assert_eq!(told, 1);
    assert_eq!(mails_to(&mails, "partner@example.org").len(), 2);
}

#[test]
fn a_translation_that_comes_later_is_news_only_to_those_who_could_not_read_it() {
    let entry = |language: &str, title: &str| {
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{language}\"><id>urn:{language}</id><title>T</title><updated>2022-10-19T00:00:00Z</updated><entry><title>{title}</title><id>urn:e:{language}</id><updated>2022-10-19T00:00:00Z</updated><link href=\"https://o.example/{language}\"/><link rel=\"alternate\" hreflang=\"fr\" href=\"https://o.example/fr\"/><link rel=\"alternate\" hreflang=\"en\" href=\"https://o.example/en\"/></entry></feed>"
        )
    };
    let english = Server::always(Reply::ok(entry("en", "Open courts advance")));
    let french = Server::always(Reply::ok(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>urn:x</id><title>T</title><updated>2022-10-19T00:00:00Z</updated></feed>".to_owned(),
    ));
    let mut app = App::new(&config(&[("en", "en", &english), ("fr", "fr", &french)]));
    app.ok(&["subscribers", "add", "--cadence", "daily", "both@example.org"]);
    app.ok(&[
        "subscribers",
        "add",
        "--cadence",
        "daily",
        "--language",
        "fr",
        "--languages",
        "fr",
        "french@example.org",
    ]);
    app.later(24 * 60).ok(&["run"]);
    assert_eq!(app.outbox().len(), 1);
    french.answer(move |_| Reply::ok(entry("fr", "Les tribunaux ouverts avancent")));
    app.later(24 * 60).ok(&["run"]);
    let mails = app.outbox();
    assert_eq!(mails_to(&mails, "both@example.org").len(), 1, "translated is not new");
    let mail = mails_to(&mails, "french@example.org");
    assert_eq!(mail.len(), 1);
    assert!(
        text_part(mail[0]).contains("\nLes tribunaux ouverts avancent\n")
            && text_part(mail[0]).contains("en anglais\u{a0}: Open courts advance"),
        "{}",
        text_part(mail[0])
    );
}

#[test]
fn schedules_hold_through_nights_of_change_missed_runs_and_clocks_that_step_back() {
    let server = Server::start(|_| Reply::ok(""));
    let number = std::sync::atomic::AtomicU32::new(0);
    server.answer(move |_| {
        // Each reading brings a story of its own.
        let number = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Reply::ok(format!("<rss version=\"2.0\"><channel><title>T</title><item><guid>g{number}</guid><title>The story that bears the number {number} here</title></item></channel></rss>"))
    });
    let mut app =
        App::new(&config(&[("en", "en", &server)]).replace("[[source]]", "[[source]]\ninterval = \"15m\""));
    app.ok(&["subscribers", "add", "--schedule", "30 2 * * * Europe/Paris", "night@example.org"]);
    app.at("2022-10-30T00:29:00Z").ok(&["run"]);
    let count = |app: &App| app.outbox().len();
    let before = count(&app);
    // 02:30 comes twice in this night, at 00:30 and at 01:30 UTC.
    app.at("2022-10-30T00:31:00Z").ok(&["fetch", "--all"]);
    app.ok(&["run"]);
    assert_eq!(count(&app), before + 1);
    app.at("2022-10-30T01:31:00Z").ok(&["fetch", "--all"]);
    app.ok(&["run"]);
    assert_eq!(count(&app), before + 1, "the hour that comes twice has one slot");
    // The clock steps back by a day, and runs on.
    app.at("2022-10-29T12:00:00Z").ok(&["fetch", "--all"]);
    app.ok(&["run"]);
    app.at("2022-10-30T00:45:00Z").ok(&["run"]);
    assert_eq!(count(&app), before + 1, "no slot is filled twice");
    // Three days without a run: one issue, not three.
    app.at("2022-11-03T12:00:00Z").ok(&["run"]);
    app.ok(&["run"]);
    assert_eq!(count(&app), before + 2);
    // 02:30 does not exist in this night.
    app.at("2023-03-26T00:50:00Z").ok(&["run"]);
    let before = count(&app);
    app.at("2023-03-26T01:31:00Z").ok(&["fetch", "--all"]);
    app.ok(&["run"]);
    assert_eq!(count(&app), before + 1);
    app.at("2023-03-26T10:00:00Z").ok(&["fetch", "--all"]);
    app.ok(&["run"]);
    assert_eq!(count(&app), before + 1);
}

#[test]
fn as_it_happens_is_minutes_and_not_one_mail_a_story() {
    let server = Server::always(Reply::ok(rss(&[("a", "The first story of today", 20, "x")])));
    let mut app =
        App::new(&config(&[("en", "en", &server)]).replace("[[source]]", "[[source]]\ninterval = \"15m\""));
    app.ok(&["subscribers", "add", "--cadence", "instant", "now@example.org"]);
    app.later(20).ok(&["run"]);
    assert_eq!(app.outbox().len(), 1);
    server.answer(|_| {
        Reply::ok(rss(&[
            ("b", "The second story of today", 20, "x"),
            ("c", "The third story of today", 20, "x"),
        ]))
    });
    app.later(20).ok(&["run"]);
    app.later(5).ok(&["run"]);
    assert_eq!(app.outbox().len(), 2);
}

#[test]
fn the_list_is_imported_whole_or_not_at_all_and_exported_alike() {
    let app = App::new(&config(&[]));
    app.write("bad.csv", "email,topics\nana@example.org,justice\nnobody,justise\n");
    let ran = app.run(&["subscribers", "import", "bad.csv", "--consent", "paper list"]);
    assert_eq!(ran.code, 2);
    for want in [
        "bad.csv:3: \"nobody\" is not a valid mail address",
        "bad.csv:3: topics: \"justise\" is unknown: did you mean \"justice\"?",
    ] {
        assert!(ran.stderr.contains(want), "{want} is not in\n{}", ran.stderr);
    }
    assert!(app.ok(&["subscribers", "list"]).contains("nobody yet"));
    app.write("good.csv", "email,topics,language,cadence,hour,timezone\nana@gmial.com,justice,fr,monthly,9,Europe/Paris\nbó@bücher.example,,es,,,\n");
    assert!(app.run(&["subscribers", "import", "good.csv"]).stderr.contains("no consent_source"));
    let ran = app.run(&["subscribers", "import", "good.csv", "--consent", "paper list"]);
    assert!(
        ran.stdout.contains("2 imported") && ran.stderr.contains("did they mean ana@gmail.com?"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let exported = app.ok(&["subscribers", "export"]);
    assert!(
        exported.contains(
            "ana@gmial.com,active,fr,,justice,,,monthly 1 9:00 Europe/Paris,paper list,2022-10-20T08:00:00Z"
        ),
        "{exported}"
    );
    assert!(exported.contains("bó@xn--bcher-kva.example"), "{exported}");
    let other = App::new(&config(&[]));
    other.write("list.csv", &exported);
    other.ok(&["subscribers", "import", "list.csv"]);
    assert_eq!(other.ok(&["subscribers", "export"]), exported);
}

#[test]
fn a_table_brings_nobody_back_and_changes_nobody_who_is_there() {
    let app = App::new(&config(&[]));
    app.ok(&["subscribers", "add", "--cadence", "daily", "--language", "fr", "ana@example.org"]);
    app.ok(&["subscribers", "add", "bo@example.org"]);
    app.ok(&["subscribers", "pause", "bo@example.org"]);
    app.ok(&["subscribers", "add", "cy@example.org"]);
    let rows = "ana@example.org,enabled\nbo@example.org,enabled\ncy@example.org,blocklisted\ndee@example.org,unconfirmed\neva@example.org,enabled\n";
    app.write("list.csv", format!("email,status\n{rows}"));
    let ran = app.run(&["subscribers", "import", "list.csv", "--consent", "x"]);
    assert_eq!(
        ran.stdout.trim(),
        "1 imported, 1 left out, 0 faulty, 1 kept out from now on, 2 in the list already",
        "{}",
        ran.stderr
    );
    let state = |name: &str| {
        let list = app.ok(&["subscribers", "list"]);
        list.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
    };
    for (name, want) in
        [("ana", "active        fr     daily"), ("bo", "paused"), ("cy", "unsubscribed"), ("eva", "active")]
    {
        assert!(state(name).contains(want), "{name}: {}", state(name));
    }
    assert_eq!(state("dee"), "");
    // By hand neither, unless it is said.
    let again = app.run(&["subscribers", "add", "cy@example.org"]);
    assert!(again.code == 2 && again.stderr.contains("--resubscribe"), "{}", again.stderr);
    assert!(app.ok(&["subscribers", "add", "--language", "es", "ana@example.org"]).contains("--update"));
    assert!(state("ana").contains("fr     daily"), "{}", state("ana"));
    app.ok(&["subscribers", "add", "--language", "es", "--update", "ana@example.org"]);
    app.ok(&["subscribers", "add", "--language", "es", "--update", "bo@example.org"]);
    app.ok(&["subscribers", "add", "--resubscribe", "cy@example.org"]);
    assert!(state("ana").contains("es     daily"), "{}", state("ana"));
    assert!(state("bo").contains("paused") && state("cy").contains("active"));
    app.write("odd.csv", "email,Wypisany\nflo@example.org,tak\n");
    let ran = app.run(&["subscribers", "import", "odd.csv", "--consent", "x", "--skip-faulty"]);
    assert!(ran.code == 2 && ran.stderr.contains("no column is called \"Wypisany\""), "{}", ran.stderr);
    assert_eq!(state("flo"), "");
}

#[test]
fn who_left_elsewhere_after_they_agreed_here_stays_out() {
    let app = App::new(&config(&[]));
    app.write("people.csv", "email,consent,consent_at,consent_text\nana@example.org,form,2022-01-02,Yes please\nbo@example.org,form,2022-01-02,Yes please\ncy@example.org,form,2022-01-02,Yes please\n");
    app.ok(&["subscribers", "import", "people.csv"]);
    // When they once signed up there says nothing; when they left does.
    app.write("left.csv", "Email Address,CONFIRM_TIME,UNSUB_TIME,LEID\nana@example.org,2021-03-04 10:00:00,2022-05-01 10:00:00,1\nbo@example.org,2021-03-04 10:00:00,2021-12-31 10:00:00,2\n");
    let ran = app.run(&["subscribers", "import", "left.csv"]);
    assert!(
        ran.stdout.contains("1 kept out from now on, 1 in the list already"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    // Whoever an operator added without a date did not agree then, unless let back in.
    for name in ["dee", "eve"] {
        app.ok(&["subscribers", "add", &format!("{name}@example.org")]);
    }
    app.write("out.csv", "email,status\neve@example.org,unsubscribed\n");
    app.ok(&["subscribers", "import", "out.csv"]);
    app.ok(&["subscribers", "add", "--resubscribe", "eve@example.org"]);
    app.write("cleaned.csv", "Email Address,CLEAN_TIME\ndee@example.org,2022-01-01 10:00:00\neve@example.org,2022-01-01 10:00:00\n");
    let said = app.ok(&["subscribers", "import", "cleaned.csv"]);
    assert!(said.contains("1 kept out from now on, 1 in the list already"), "{said}");
    app.write("states.csv", "email,created_at,status\ncy@example.org,2021-03-04,unsubscribed\n");
    app.ok(&["subscribers", "import", "states.csv"]);
    // A pause and other choices leave the record of the consent as it is.
    app.ok(&["subscribers", "pause", "bo@example.org"]);
    app.ok(&["subscribers", "add", "--update", "--language", "fr", "bo@example.org"]);
    app.ok(&["subscribers", "resume", "bo@example.org"]);
    let exported = app.ok(&["subscribers", "export"]);
    for (name, want) in [("ana", "unsubscribed,en"), ("bo", "active,fr"), ("cy", "unsubscribed,en")] {
        assert!(exported.contains(&format!("{name}@example.org,{want}")), "{name}: {exported}");
    }
    assert_eq!(exported.matches("form,2022-01-02T00:00:00Z").count(), 3, "{exported}");
    assert_eq!(exported.matches("Yes please").count(), 3, "{exported}");
}

#[test]
fn a_new_digest_waits_for_its_first_slot() {
    let server = Server::always(Reply::ok(rss(&[("a", "A story of the day", 19, "x")])));
    // It is a Thursday, at eight.
    let digest = |id: &str, schedule: &str| {
        format!("[[digest]]\nid = \"{id}\"\nschedule = \"{schedule}\"\nrecipients = [\"{id}@example.org\"]\n")
    };
    let digests = [
        digest("monday", "Mon 08:00 UTC"),
        digest("monthly", "monthly 1 08:00 UTC"),
        digest("now", "daily 08:00 UTC"),
    ];
    let mut app =
        App::new(&format!("[[source]]\nid = \"s\"\nurl = \"{}\"\n{}", server.url("/"), digests.concat()));
    app.ok(&["run"]);
    let to = |app: &App| app.outbox().iter().map(|mail| header(mail, "To")).collect::<Vec<_>>();
    assert_eq!(to(&app), ["now@example.org"]);
    app.later(5).ok(&["run"]);
    assert_eq!(to(&app).len(), 1);
    app.later(4 * 24 * 60).ok(&["run"]);
    let mut sent = to(&app);
    sent.sort();
    assert_eq!(sent, ["monday@example.org", "now@example.org"], "with the stories of before");
}

#[test]
fn erased_is_forgotten_and_stays_out() {
    let server = Server::always(Reply::ok(rss(&[("a", "A story of the day", 19, "x")])));
    let mut app = App::new(&config(&[("en", "en", &server)]));
    app.ok(&["subscribers", "add", "--cadence", "daily", "Ana@example.org"]);
    app.later(24 * 60).ok(&["run"]);
    let held: Value =
        serde_json::from_str(&app.ok(&["subscribers", "export", "--address", "ana@EXAMPLE.org"])).unwrap();
    assert_eq!(held["subscriber"]["state"], "active");
    assert_eq!(held["subscriber"]["consent"]["source"], "put in by the operator");
    assert_eq!(held["deliveries"][0]["state"], "sent");
    app.ok(&["subscribers", "erase", "ana@example.org"]);
    for file in ["courant.db", "courant.db-wal"] {
        let bytes = std::fs::read(app.path(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(!text.contains("ana@example.org"), "{file} still has the address");
    }
    app.write("list.csv", "address\nana@example.org\nbo@example.org\n");
    app.ok(&["subscribers", "add", "--cadence", "daily", "cy@example.org"]);
    app.later(24 * 60).ok(&["run"]);
    let held = |app: &App| app.ok(&["subscribers", "export", "--address", "cy@example.org"]);
    assert!(held(&app).contains("\"sent\""));
    app.later(91 * 24 * 60).ok(&["run"]);
    assert!(
        held(&app).contains("\"deliveries\": []"),
        "after three months it is forgotten which mail went to whom: {}",
        held(&app)
    );
    app.ok(&["subscribers", "remove", "cy@example.org"]);
    let ran = app.run(&["subscribers", "import", "list.csv", "--consent", "an old copy"]);
    assert!(
        ran.stdout.contains("1 imported, 1 left out") && ran.stderr.contains("left out: erased"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(app.run(&["subscribers", "pause", "ana@example.org"]).code, 2);
    app.ok(&["subscribers", "pause", "bo@example.org"]);
    app.later(24 * 60).ok(&["run"]);
    assert_eq!(app.outbox().len(), 2, "who is paused gets nothing");
    app.ok(&["subscribers", "remove", "bo@example.org"]);
    assert!(app.ok(&["subscribers", "list"]).contains("nobody yet"));
}

#[test]
fn a_preview_and_a_test_show_what_would_come_and_remember_nothing() {
    let server = Server::always(Reply::ok(rss(&[("a", "A justice story of the day", 19, "x")])));
    let mut app = App::new(&config(&[("en", "en", &server)]));
    app.ok(&["subscribers", "add", "--cadence", "daily", "ana@example.org"]);
    app.ok(&["fetch"]);
    let said = app.ok(&["digest", "--preview", "ana@example.org"]);
    assert!(said.contains("Subject: Test: A justice story of the day"), "{said}");
    assert!(
        app.read("preview/digest.html").contains("A justice story of the day")
            && app.read("preview/digest.txt").contains("A justice story of the day")
    );
    assert!(app.outbox().is_empty());
    app.ok(&["digest", "--test", "ana@example.org"]);
    assert_eq!(app.outbox().len(), 1);
    app.later(24 * 60).ok(&["run"]);
    assert_eq!(app.outbox().len(), 2, "the real one comes all the same");
    assert!(
        app.ok(&["digest", "--preview", "ana@example.org"]).contains("nothing is new for ana@example.org")
    );
    let ran = app.run(&["digest", "--preview", "nobody@example.org"]);
    assert!(ran.code == 2 && ran.stderr.contains("neither a subscriber nor a recipient"), "{}", ran.stderr);
}

#[test]
fn a_mail_stays_under_102_kilobytes_and_says_how_many_more_there_are() {
    let long = "é".repeat(2_000);
    let items: Vec<(String, String)> =
        (0..400).map(|n| (format!("g{n}"), format!("Number {n} {}", "é".repeat(500)))).collect();
    let feed = rss(&items
        .iter()
        .map(|(guid, title)| (guid.as_str(), title.as_str(), 19, long.as_str()))
        .collect::<Vec<_>>());
    let server = Server::always(Reply::ok(feed));
    let app = App::new(&format!(
        "{}[[digest]]\nid = \"d\"\ntitle = \"All\"\nlanguage = \"en\"\nschedule = \"Thu 08:00 UTC\"\nmax_entries = 500\nrecipients = [\"ana@example.org\"]\n",
        config(&[("en", "en", &server)])
    ));
    app.ok(&["run"]);
    let mail = app.outbox().remove(0);
    let html = mail.split("Content-Type: text/html").nth(1).unwrap();
    assert!(html.len() < 102_000, "{} bytes", html.len());
    let text = text_part(&mail);
    let more: usize =
        text.split("\nand ").nth(1).unwrap().split(" more on the web page").next().unwrap().parse().unwrap();
    assert_eq!(more + text.matches("\nNumber ").count(), 400);
}

#[test]
fn what_a_source_writes_is_never_taken_for_a_recipient_s_own_link() {
    let link = "https://evil.example/@@PREFERENCES@@?u=@@UNSUBSCRIBE@@";
    let feed = format!(
        "<rss version=\"2.0\"><channel><title>T</title><item><guid isPermaLink=\"false\">1</guid><title>Free @@UNSUBSCRIBE@@ and @@PREFERENCES@@</title>\
         <link>{link}</link><description>@@PREFERENCES@@</description></item></channel></rss>"
    );
    let server = Server::always(Reply::ok(feed));
    let digest =
        "[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"list@example.org\"]\n";
    let mut app = App::new(&format!("{digest}[[source]]\nid = \"s\"\nurl = \"{}\"\n", server.url("/")));
    app.ok(&["subscribers", "add", "--cadence", "daily", "own@example.org"]);
    app.later(24 * 60).ok(&["run"]);
    let mails = app.outbox();
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        let text = text_part(mail);
        assert!(text.contains(link) && text.contains("Free @@UNSUBSCRIBE@@ and @@PREFERENCES@@"), "{text}");
        assert!(text.contains("https://news.example.org/unsubscribe/"), "{text}");
    }
}
