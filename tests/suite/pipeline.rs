//! From sources to the merged feed and the digest, over several runs.

use serde_json::Value;

use crate::support::http::{Reply, Request, Server};
use crate::support::{App, rss};

fn source(id: &str, url: &str, more: &str) -> String {
    format!(
        "[[source]]\nid = \"{id}\"\npartner = \"Partner {id}\"\nkind = \"feed\"\nurl = \"{url}\"\n{more}\n"
    )
}

const DIGEST: &str = "[[digest]]\nid = \"weekly\"\ntitle = \"The week\"\nlanguage = \"en\"\nschedule = \"Thu 08:00 UTC\"\nrecipients = [\"ana@example.org\", \"bo@example.org\"]\n";

const TWO: &[(&str, &str, u8, &str)] =
    &[("a", "Budget transparency grows", 12, "Figures"), ("b", "Open justice advances", 14, "Judges")];

#[test]
fn a_second_run_reads_304s_rewrites_nothing_and_sends_nothing() {
    let server = Server::start(|request: &Request| match request.header("if-none-match") {
        Some("\"v1\"") => Reply::new(304, ""),
        _ => Reply::ok(rss(TWO)).with("ETag", "\"v1\""),
    });
    let mut app = App::new(&(source("s", &server.url("/feed"), "") + DIGEST));
    app.ok(&["run"]);
    assert_eq!(app.outbox().len(), 2);
    let atom = app.path("public/atom.xml");
    let written = std::fs::metadata(&atom).unwrap().modified().unwrap();
    let before = app.read("public/atom.xml");
    app.later(120).ok(&["run"]);
    assert_eq!(server.requests().len(), 2);
    assert_eq!(app.read("public/atom.xml"), before);
    assert_eq!(std::fs::metadata(&atom).unwrap().modified().unwrap(), written, "the file was rewritten");
    assert_eq!(app.outbox().len(), 2);
}

#[test]
fn an_edited_entry_is_an_update_and_not_news() {
    let server = Server::always(Reply::ok(rss(TWO)));
    let mut app = App::new(&(source("s", &server.url("/feed"), "") + DIGEST));
    app.ok(&["run"]);
    server.answer(|_| Reply::ok(rss(&[("a", "Budget transparency grows fast", 12, "Figures"), TWO[1]])));
    app.later(7 * 24 * 60).ok(&["run"]);
    assert_eq!(
        app.announced(),
        [("Budget transparency grows fast".into(), 1), ("Open justice advances".into(), 1)]
    );
    assert!(app.read("public/atom.xml").contains("Budget transparency grows fast"));
    assert_eq!(app.outbox().len(), 2, "an update is not sent again");
}

#[test]
fn copies_and_translations_are_one_story_with_every_source_named() {
    let page = |language: &str, title: &str| {
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{language}\"><title>T</title><id>urn:t:{language}</id><updated>2022-10-14T00:00:00Z</updated><entry><title>{title}</title><id>urn:e:{language}</id><updated>2022-10-14T00:00:00Z</updated><link href=\"https://ogp.example/{language}/justice\"/><link rel=\"alternate\" hreflang=\"fr\" href=\"https://ogp.example/fr/justice\"/><link rel=\"alternate\" hreflang=\"en\" href=\"https://ogp.example/en/justice\"/></entry></feed>"
        )
    };
    let server = Server::start(move |request: &Request| match request.target.as_str() {
        "/en" => Reply::ok(page("en", "Open justice advances")),
        "/fr" => Reply::ok(page("fr", "La justice ouverte progresse")),
        _ => Reply::ok(
            "<rss version=\"2.0\"><channel><item><guid isPermaLink=\"false\">z</guid><title>Open justice advances (via OGP)</title><link>http://www.ogp.example/en/justice/?utm_source=rss#top</link></item></channel></rss>",
        ),
    });
    let config = source("en", &server.url("/en"), "lang = \"en\"")
        + &source("fr", &server.url("/fr"), "lang = \"fr\"")
        + &source("copy", &server.url("/copy"), "lang = \"en\"");
    let app = App::new(&config);
    app.ok(&["fetch"]);
    app.ok(&["publish"]);
    let entries = app.entries();
    assert_eq!(entries.len(), 3);
    assert!(entries.iter().all(|entry| entry["story"] == entries[0]["story"]), "{entries:#?}");
    assert_eq!(entries.iter().filter(|entry| entry["announced"] == 1).count(), 1);
    let atom = app.read("public/atom.xml");
    assert_eq!(atom.matches("<entry>").count(), 1);
    for want in [
        "rel=\"via\" hreflang=\"en\"",
        "hreflang=\"fr\"",
        "http://www.ogp.example/en/justice/#top",
        "<source>",
    ] {
        assert!(atom.contains(want), "{want} is not in\n{atom}");
    }
}

#[test]
fn two_issues_of_a_series_stay_two() {
    let server = Server::always(Reply::ok(rss(&[
        ("41", "Boletín 41", 3, "Novedades"),
        ("42", "Boletín 42", 10, "Novedades"),
    ])));
    let app = App::new(&source("s", &server.url("/"), "lang = \"es\""));
    app.ok(&["fetch"]);
    let entries = app.entries();
    assert_eq!(entries.len(), 2);
    assert_ne!(entries[0]["story"], entries[1]["story"]);
}

#[test]
fn topics_come_with_the_words_that_gave_them() {
    let server = Server::always(Reply::ok(rss(&[("a", "Réforme JUDICIAIRE à Lomé", 3, "Des juges")])));
    let topics = "[[topic]]\nid = \"open-justice\"\nlabel = { fr = \"Justice ouverte\" }\nkeywords = { fr = [\"judiciaire*\", \"juges\"] }\n";
    let app = App::new(&(source("s", &server.url("/"), "lang = \"fr\"") + topics));
    app.ok(&["fetch"]);
    assert_eq!(app.entries()[0]["topics"], serde_json::json!(["open-justice"]));
    assert!(app.ok(&["entries"]).contains("open-justice: judiciaire, juges"));
    app.ok(&["publish"]);
    assert!(app.read("public/atom.xml").contains("<category term=\"open-justice\" scheme=\"https://news.example.org/topics/\" label=\"Justice ouverte\""));
}

#[test]
fn a_date_that_has_not_come_is_the_day_the_entry_was_first_seen_in_every_outlet() {
    let server = Server::always(Reply::ok(rss(&[("a", "The fair of next month", 28, "Come and see")])));
    let app = App::new(&source("s", &server.url("/"), ""));
    app.ok(&["fetch"]);
    app.ok(&["publish"]);
    for file in ["public/atom.xml", "public/rss.xml", "public/feed.json", "public/index.html"] {
        let text = app.read(file);
        let day = if file.ends_with("rss.xml") { "20 Oct 2022" } else { "2022-10-20" };
        assert!(
            text.contains(day) && !text.contains("28 Oct") && !text.contains("2022-10-28"),
            "{file}: {text}"
        );
    }
}

#[test]
fn entries_can_be_listed_by_source_and_since() {
    let server = Server::always(Reply::ok(rss(TWO)));
    let mut app = App::new(&(source("s", &server.url("/a"), "") + &source("t", &server.url("/b"), "")));
    app.ok(&["fetch", "--source", "s"]);
    app.later(60).ok(&["fetch", "--source", "t"]);
    let lines = |app: &App, arguments: &[&str]| {
        app.ok(&[&["entries", "--format", "jsonl"], arguments].concat()).lines().count()
    };
    assert_eq!(lines(&app, &["--source", "t"]), 2);
    assert_eq!(lines(&app, &["--since", "2022-10-20T08:30:00Z"]), 2);
    assert_eq!(lines(&app, &[]), 4);
    assert_eq!(lines(&app, &["--limit", "1"]), 1);
    assert_eq!(lines(&app, &["--limit", "3", "--source", "t"]), 2);
    let last = app.ok(&["entries", "--format", "jsonl", "--limit", "3"]);
    let all = app.ok(&["entries", "--format", "jsonl"]);
    assert!(last.lines().eq(all.lines().skip(1)), "those that were stored last, in their order");
    let line = app.ok(&["entries", "--format", "jsonl"]);
    let entry: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    for key in [
        "id",
        "guid",
        "source",
        "url",
        "title",
        "summary",
        "language",
        "published",
        "updated",
        "first_seen",
        "topics",
        "story",
        "announced",
    ] {
        assert!(entry.get(key).is_some(), "{key} is not in {entry}");
    }
}

#[test]
fn the_schedule_decides_what_is_due() {
    let server = Server::always(Reply::ok(rss(TWO)));
    let mut app = App::new(&source("s", &server.url("/"), ""));
    app.ok(&["fetch"]);
    app.later(30).ok(&["fetch"]);
    assert_eq!(server.requests().len(), 1, "half an hour is less than the interval");
    app.ok(&["fetch", "--all"]);
    assert_eq!(server.requests().len(), 2);
    app.later(61).ok(&["fetch"]);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_page_is_followed_to_its_next_pages_and_to_its_items_dates() {
    let listing = |items: &[(&str, &str)], next: &str| {
        let cards: String = items
            .iter()
            .map(|(slug, title)| format!("<li class=c><h2><a href=\"/{slug}\">{title}</a></h2></li>"))
            .collect();
        format!("<html lang=es><ul>{cards}</ul>{next}</html>")
    };
    let server = Server::start(move |request: &Request| match request.target.as_str() {
        "/news" => Reply::html(listing(
            &[("uno", "La primera historia"), ("dos", "La segunda historia")],
            "<a class=next href=\"/news?page=1\">más</a>",
        )),
        "/news?page=1" => Reply::html(listing(
            &[("tres", "La tercera historia")],
            "<a class=next href=\"/news?page=1\">más</a>",
        )),
        "/uno" => Reply::html(
            "<article><h1>La primera</h1><p class=submitted>Publicado el 5 de octubre de 2022</p></article>",
        ),
        "/dos" => Reply::html(
            "<script type=\"application/ld+json\">{\"@type\":\"Article\",\"datePublished\":\"2022-10-06T10:00:00Z\"}</script><h1>x</h1>",
        ),
        "/tres" => Reply::html("<meta property=\"article:published_time\" content=\"2022-10-07\"><h1>x</h1>"),
        _ => Reply::new(404, ""),
    });
    let page = format!(
        "[[source]]\nid = \"p\"\nkind = \"page\"\nurl = \"{}\"\ndate_from = \"item\"\n[source.select]\nitem = \".c\"\nnext = \".next\"\n",
        server.url("/news")
    );
    let mut app = App::new(&page);
    app.ok(&["fetch"]);
    let dates: Vec<String> = app
        .entries()
        .iter()
        .map(|entry| entry["published"].as_str().unwrap_or("none")[..10].to_owned())
        .collect();
    assert_eq!(dates, ["2022-10-05", "2022-10-06", "2022-10-07"]);
    server.take_requests();
    app.later(120).ok(&["fetch"]);
    let again: Vec<String> = server.take_requests().into_iter().map(|request| request.target).collect();
    assert!(
        again.iter().all(|target| target.starts_with("/news") || target == "/robots.txt"),
        "known items are not fetched again: {again:?}"
    );
}

#[test]
fn an_operators_template_wins_and_its_fault_leaves_the_last_good_output() {
    let server = Server::always(Reply::ok(rss(TWO)));
    let app = App::new(&source("s", &server.url("/"), ""));
    app.write("templates/planet/index.html", "<p>{{ title }}</p>");
    app.ok(&["run"]);
    assert_eq!(app.read("public/index.html"), "<p>Test</p>");
    app.write("templates/planet/index.html", "<p>\n{{ nonsense }}</p>");
    let ran = app.run(&["publish"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("planet/index.html") && ran.stderr.contains("nonsense"), "{}", ran.stderr);
    assert_eq!(app.read("public/index.html"), "<p>Test</p>");
}

#[test]
fn what_is_published_is_well_formed_and_safe_whatever_the_source_says() {
    let evil = "<![CDATA[<script>alert(1)</script><img src=x onerror=alert(1)><a href=\"javascript:alert(1)\">x</a> \u{1}]]>";
    let server = Server::always(Reply::ok(format!(
        "<rss version=\"2.0\"><channel><item><title>A &amp;lt;b&gt; &amp; \"c\" title</title><guid>x</guid><description>{evil}</description></item><item><title/></item></channel></rss>"
    )));
    let app = App::new(&(source("s", &server.url("/"), "") + DIGEST));
    app.ok(&["run"]);
    let atom = app.read("public/atom.xml");
    let read_back = app.ok(&["probe", "public/atom.xml", "--format", "jsonfeed"]);
    let feed: Value = serde_json::from_str(&read_back).unwrap();
    assert!(feed["_courant"]["problems"].is_null(), "{feed}");
    for text in [atom, app.read("public/index.html"), app.outbox().remove(0)] {
        for word in ["<script>alert", "onerror", "javascript:"] {
            assert!(!text.contains(word), "{word} is in\n{text}");
        }
    }
    // Every entry has a date of some kind (RFC 4287 section 4.2.15), also one whose source gave none.
    assert!(feed["items"].as_array().unwrap().iter().all(|item| item["date_modified"].is_string()), "{feed}");
}

#[test]
fn what_its_source_dropped_long_ago_loses_its_text_and_is_still_known() {
    let server = Server::always(Reply::ok(rss(TWO)));
    let mut app = App::new(&source("s", &server.url("/"), ""));
    let config = app.read("feeds.toml").replace("[mail]", "retention = \"30d\"\n[mail]");
    app.write("feeds.toml", config);
    app.ok(&["fetch"]);
    server.answer(|_| Reply::ok(rss(&[TWO[1]])));
    for _ in 0..3 {
        app.later(20 * 24 * 60).ok(&["fetch"]);
    }
    assert_eq!(app.titles().len(), 2);
    server.answer(|_| Reply::ok(rss(TWO)));
    app.later(24 * 60).ok(&["fetch"]);
    assert!(app.announced().iter().all(|(_, times)| *times == 1), "{:?}", app.announced());
}

#[test]
fn a_store_of_the_first_version_is_brought_up_to_date_with_all_that_it_holds() {
    let app = App::new(
        "[[source]]\nid = \"s\"\nurl = \"https://192.0.2.1/\"\nenabled = false\n[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"ana@example.org\", \"bo@example.org\"]\n",
    );
    let old = rusqlite::Connection::open(app.path("courant.db")).unwrap();
    old.execute_batch(include_str!("../../migrations/sqlite/0001_start.sql")).unwrap();
    old.execute_batch(
        "PRAGMA user_version = 1;
         INSERT INTO source VALUES ('s', 'Partner', '{}');
         INSERT INTO story (id) VALUES ('11111111-1111-1111-1111-111111111111');
         INSERT INTO entry (id, source, identity, url, title, summary, language, first_seen, last_seen, changed, fingerprint, details, topics, story, relation, announced, sort_date)
         VALUES ('e', 's', 'guid:1', 'https://x.example/1', 'A story of the old days', 'words', 'en', 1666000000000, 1666000000000, 1666000000000, 'f', '{}', '[]', 1, 'first', 1, 1666000000000);
         INSERT INTO suppression VALUES ('ana@example.org', 'd', 'unsubscribed', 1);",
    )
    .unwrap();
    drop(old);
    app.ok(&["run"]);
    assert!(
        app.read("public/atom.xml").contains("A story of the old days")
            && app.read("public/feed.json").contains("A story of the old days")
    );
    let mails = app.outbox();
    assert_eq!(mails.len(), 1, "who left before stays away");
    assert!(mails[0].contains("To: bo@example.org"));
    let service = crate::support::service::Service::start(&app);
    assert!(service.ask("GET", "/search?q=old+days", "", "").1.contains("A story of the old days"));
}
