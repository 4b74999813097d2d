//! Calendars as sources: events with their begin, end and place, and what is coming up.

use serde_json::Value;

use crate::support::App;
use crate::support::http::{Reply, Request, Server};
use crate::support::text_part;

/// A calendar around components, folded and ended as RFC 5545 asks.
fn calendar(components: &str) -> String {
    let text = format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nX-WR-CALNAME:Town\n{components}END:VCALENDAR\n"
    );
    text.replace('\n', "\r\n")
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT\n")
}

fn probe(app: &App, document: &str) -> Value {
    app.write("town.ics", document);
    serde_json::from_str(&app.ok(&["probe", "town.ics", "--format", "jsonfeed"])).unwrap()
}

#[test]
fn events_have_their_begin_end_and_place_in_every_way_to_write_them() {
    let app = App::new("");
    let zone = "BEGIN:VTIMEZONE\nTZID:Romance Standard Time\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE\n";
    for (lines, begin, end) in [
        (
            "DTSTART:20221025T180000Z\nDTEND:20221025T200000Z",
            "2022-10-25T18:00:00Z",
            Some("2022-10-25T20:00:00Z"),
        ),
        (
            "DTSTART;TZID=Europe/Paris:20221025T180000\nDURATION:PT1H30M",
            "2022-10-25T18:00:00+02:00",
            Some("2022-10-25T19:30:00+02:00"),
        ),
        ("DTSTART;TZID=Romance Standard Time:20221125T180000", "2022-11-25T18:00:00+01:00", None),
        ("DTSTART;TZID=\"America/Bogota\":20221025T180000", "2022-10-25T18:00:00-05:00", None),
        (
            "DTSTART:20221025T180000\nDTEND:20221026T010000",
            "2022-10-25T18:00:00",
            Some("2022-10-26T01:00:00"),
        ),
        ("DTSTART;VALUE=DATE:20221025", "2022-10-25", None),
        ("DTSTART;VALUE=DATE:20221025\nDTEND;VALUE=DATE:20221026", "2022-10-25", None),
        ("DTSTART;VALUE=DATE:20221025\nDTEND;VALUE=DATE:20221028", "2022-10-25", Some("2022-10-27")),
        // The hour that does not exist, a zone that nobody knows, an end before the begin.
        ("DTSTART;TZID=Europe/Paris:20220327T023000", "2022-03-27T02:30:00", None),
        (
            "DTSTART;TZID=Narnia/Cair Paravel:20221025T180000\nDTEND:20221001T000000Z",
            "2022-10-25T18:00:00",
            None,
        ),
    ] {
        let document =
            calendar(&format!("{zone}{}", event(&format!("UID:a\nSUMMARY:Town meeting\n{lines}"))));
        let feed = probe(&app, &document);
        let found = &feed["items"][0]["_courant"]["event"];
        assert_eq!((found["begin"].as_str(), found["end"].as_str()), (Some(begin), end), "{lines}: {feed:#}");
        assert!(feed["items"][0]["date_published"].is_null(), "{lines}");
    }
}

#[test]
fn texts_are_unfolded_and_unescaped_and_nothing_private_or_cancelled_is_read() {
    let app = App::new("");
    let document = calendar(&format!(
        "{}{}{}{}",
        event(
            "UID:1@town\nDTSTART:20221025T180000Z\nSUMMARY:Budget\\, roads\\; and a long\n  title of it\nLOCATION:Town hall\\, room 4\\nFirst floor\nDESCRIPTION:One <b>line.\\nAnother one\\, with a comma.\nURL:https://town.example/budget\nCATEGORIES:Budget,Roads\nORGANIZER;CN=\"The Mayor\":mailto:mayor@town.example\nCREATED:20220901T080000Z\nLAST-MODIFIED:20220902T080000Z\nDTSTAMP:20221020T080000Z\nBEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:An alarm\nTRIGGER:-PT15M\nEND:VALARM"
        ),
        event("UID:2@town\nDTSTART:20221025T180000Z\nSUMMARY:Off\nSTATUS:CANCELLED"),
        event("UID:3@town\nDTSTART:20221025T180000Z\nSUMMARY:Private\nCLASS:PRIVATE"),
        event("UID:4@town\nDTSTART:20229925T180000Z\nSUMMARY:On no day"),
    ));
    let feed = probe(&app, &document);
    let items = feed["items"].as_array().unwrap();
    let titles: Vec<&str> = items.iter().map(|item| item["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Budget, roads; and a long title of it", "On no day"], "{feed:#}");
    let first = &items[0];
    assert_eq!(feed["title"], "Town");
    assert_eq!((&first["id"], &first["url"]), (&"1@town".into(), &"https://town.example/budget".into()));
    assert_eq!(first["_courant"]["event"]["place"], "Town hall, room 4 First floor");
    assert_eq!(first["content_html"], "One &lt;b&gt;line.<br>\nAnother one, with a comma.");
    assert_eq!(first["tags"], serde_json::json!(["Budget", "Roads"]));
    assert_eq!(first["authors"][0]["name"], "The Mayor");
    assert_eq!(first["date_published"], "2022-09-01T08:00:00Z");
    assert_eq!(first["date_modified"], "2022-09-02T08:00:00Z");
    assert!(items[1]["_courant"]["event"].is_null(), "a day that does not exist is none");
}

#[test]
fn a_fold_within_a_character_and_words_behind_the_end_cost_nothing() {
    let app = App::new("");
    let whole = calendar(&event("UID:1\nDTSTART:20221025T180000Z\nSUMMARY:Fête à l’école"));
    let at = whole.find("école").unwrap() + 1;
    let mut folded = whole.as_bytes()[..at].to_vec();
    folded.extend_from_slice(b"\r\n ");
    folded.extend_from_slice(&whole.as_bytes()[at..]);
    folded.extend_from_slice(b"<!-- cached -->\r\n");
    app.write("town.ics", folded);
    let feed: Value = serde_json::from_str(&app.ok(&["probe", "town.ics", "--format", "jsonfeed"])).unwrap();
    assert_eq!(feed["items"][0]["title"], "Fête à l’école", "{feed:#}");
    assert!(!feed.to_string().contains("ends too early"), "{feed:#}");
}

#[test]
fn what_recurs_is_one_entry_with_its_next_occurrence_and_changed_ones_stand_alone() {
    let app = App::new("");
    let weekly = "UID:w\nSUMMARY:Weekly meeting\nDTSTART;TZID=Europe/Paris:20220104T180000\nDTEND;TZID=Europe/Paris:20220104T190000\nRRULE:FREQ=WEEKLY\nSEQUENCE:1";
    let moved = "UID:w\nSUMMARY:Weekly meeting, in the park\nRECURRENCE-ID;TZID=Europe/Paris:20221025T180000\nDTSTART;TZID=Europe/Paris:20221026T180000\nSEQUENCE:3";
    let off = "UID:w\nSUMMARY:Weekly meeting\nRECURRENCE-ID;TZID=Europe/Paris:20221101T180000\nDTSTART;TZID=Europe/Paris:20221101T180000\nSTATUS:CANCELLED";
    let found = |components: &[&str]| -> Vec<(String, String)> {
        let feed = probe(&app, &calendar(&components.iter().map(|lines| event(lines)).collect::<String>()));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = feed["items"].as_array().unwrap();
        items.iter().map(|item| (text(&item["id"]), text(&item["_courant"]["event"]["begin"]))).collect()
    };
    let pair = |id: &str, begin: &str| (id.to_owned(), begin.to_owned());
    // It is Thursday, 20 October 2022.
    assert_eq!(found(&[weekly]), [pair("w", "2022-10-25T18:00:00+02:00")]);
    let without = format!("{weekly}\nEXDATE;TZID=Europe/Paris:20221025T180000");
    assert_eq!(found(&[&without]), [pair("w", "2022-11-01T18:00:00+01:00")]);
    assert_eq!(
        found(&[weekly, moved, off]),
        [pair("w", "2022-11-08T18:00:00+01:00"), pair("w 20221025T180000", "2022-10-26T18:00:00+02:00")]
    );
    // One that ended stands at its last day; one by the second at its first.
    assert_eq!(
        found(&[&weekly.replace("FREQ=WEEKLY", "FREQ=WEEKLY;COUNT=3")]),
        [pair("w", "2022-01-18T18:00:00+01:00")]
    );
    assert_eq!(
        found(&[&weekly.replace("FREQ=WEEKLY", "FREQ=SECONDLY")]),
        [pair("w", "2022-01-04T18:00:00+01:00")]
    );
    assert_eq!(
        found(&["UID:d\nDTSTART;VALUE=DATE:20220101\nRRULE:FREQ=YEARLY\nRDATE;VALUE=DATE:20221205"]),
        [pair("d", "2022-12-05")]
    );
    // The later version counts; two events under one identifier are two.
    let (one, two) =
        ("UID:x\nDTSTART:20221101T100000Z\nSEQUENCE:2", "UID:x\nDTSTART:20221102T100000Z\nSEQUENCE:1");
    assert_eq!(found(&[one, two]), [pair("x", "2022-11-01T10:00:00Z")]);
    let same = two.replace("SEQUENCE:1", "SEQUENCE:2");
    assert_eq!(
        found(&[one, &same]),
        [pair("x", "2022-11-01T10:00:00Z"), pair("x 20221102T100000Z", "2022-11-02T10:00:00Z")]
    );
}

#[test]
fn an_event_of_another_day_and_title_under_a_used_identifier_is_another_event() {
    let one = |title: &str, day: &str| {
        calendar(&event(&format!("UID:only\nSUMMARY:{title}\nDTSTART:{day}T180000Z")))
    };
    let first = one("Budget assembly of the town", "20221101");
    let server = Server::start(move |_: &Request| ics(first.clone()));
    let mut app = App::new(&source("calendar", &server.url("/town.ics")));
    app.ok(&["fetch", "--all"]);
    for (title, day, titles) in [
        ("Budget assembly of the town (moved)", "20221102", 1),
        ("Concert in the park", "20221109", 2),
        ("Concert in the park", "20221109", 2),
    ] {
        let document = one(title, day);
        server.answer(move |_: &Request| ics(document.clone()));
        app.later(61).ok(&["fetch", "--all"]);
        assert_eq!(app.titles().len(), titles, "{title}");
    }
}

#[test]
fn hostile_calendars_end_in_time() {
    let app = App::new("");
    let never = event("UID:{n}\nDTSTART:19700101T000000Z\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30");
    let many: String = (0..2_000).map(|n| never.replace("{n}", &n.to_string())).collect();
    let feed = probe(&app, &calendar(&many));
    assert_eq!(feed["items"].as_array().unwrap().len(), 2_000);
    let deep = "BEGIN:VEVENT\n".repeat(100_000);
    app.write("town.ics", calendar(&deep));
    assert!(app.run(&["probe", "town.ics"]).code <= 1);
    let cut = calendar(&format!("{}BEGIN:VEVENT\nUID:2\nDTSTART:2022", event("UID:1\nSUMMARY:Whole")));
    let feed = probe(&app, cut.strip_suffix("END:VCALENDAR\r\n").unwrap());
    assert_eq!(feed["items"].as_array().unwrap().len(), 1, "{feed:#}");
    let long = event(&format!(
        "UID:1\nSUMMARY:{}\nRRULE:FREQ=DAILY;BYDAY={}",
        "a".repeat(1 << 20),
        "MO,".repeat(100_000)
    ));
    probe(&app, &calendar(&long));
}

fn ics(body: String) -> Reply {
    Reply::new(200, body).with("Content-Type", "text/calendar; charset=utf-8").with("ETag", "\"1\"")
}

fn source(kind: &str, url: &str) -> String {
    format!(
        "[[source]]\nid = \"town\"\npartner = \"Town\"\nkind = \"{kind}\"\nurl = \"{url}\"\nlang = \"en\"\n[[digest]]\nid = \"weekly\"\ntitle = \"Weekly\"\nschedule = \"Mon 08:00 UTC\"\nrecipients = [\"a@example.org\"]\n"
    )
}

#[test]
fn what_is_coming_up_stands_on_the_page_and_in_the_digest_until_the_calendar_drops_it() {
    let past = event(
        "UID:past\nSUMMARY:The meeting of last year\nDTSTART:20211001T100000Z\nDTSTAMP:20221020T080000Z",
    );
    let soon = event(
        "UID:soon\nSUMMARY:The budget assembly\nDTSTART;TZID=Europe/Paris:20221025T180000\nDTEND;TZID=Europe/Paris:20221025T200000\nLOCATION:Town hall\nDTSTAMP:20221020T080000Z",
    );
    let far =
        event("UID:far\nSUMMARY:The summer festival\nDTSTART;VALUE=DATE:20230701\nDTSTAMP:20221020T080000Z");
    let all = calendar(&format!("{past}{soon}{far}"));
    let server = Server::start(move |_: &Request| ics(all.clone()));
    let mut app = App::new(&source("auto", &server.url("/town.ics")));
    app.ok(&["run"]);
    let entries = app.entries();
    assert_eq!(
        entries[1]["event"],
        serde_json::json!({ "begin": "2022-10-25T18:00:00+02:00", "end": "2022-10-25T20:00:00+02:00", "place": "Town hall" })
    );
    assert!(entries.iter().all(|entry| entry["published"].is_null()), "the document's own stamp is no date");
    assert_eq!(app.announced()[0].1, 0, "what is over is no news");
    let page = app.read("public/index.html");
    let (coming, days) = page.split_once("Coming up").expect("a block").1.split_once("</section>").unwrap();
    assert!(coming.contains("The budget assembly") && !coming.contains("festival"), "{coming}");
    assert!(coming.contains("October 25, 2022, 18:00–20:00 (UTC+2) · Town hall · Town"), "{coming}");
    assert!(days.contains("October 1, 2021") && days.contains("July 1, 2023"), "{days}");
    let atom = app.read("public/atom.xml");
    assert!(atom.contains("<ev:startdate>2022-10-25T18:00:00+02:00</ev:startdate>"), "{atom}");
    assert!(
        atom.contains("<ev:location>Town hall</ev:location>") && atom.contains(">October 25, 2022, 18:00")
    );
    let rss = app.read("public/rss.xml");
    assert!(rss.contains("<ev:enddate>2022-10-25T20:00:00+02:00</ev:enddate>"), "{rss}");
    let feed: Value = serde_json::from_str(&app.read("public/feed.json")).unwrap();
    let items = feed["items"].as_array().unwrap();
    assert!(items.iter().any(|item| item["_courant"]["event"]["place"] == "Town hall"), "{feed:#}");
    // Told in the digest as a story, then only as what is coming up.
    app.ok(&["digest"]);
    let news = event(
        "UID:new\nSUMMARY:A new consultation begins\nDTSTART:20230101T100000Z\nDTSTAMP:20221020T080000Z",
    );
    let more = calendar(&format!("{past}{soon}{far}{news}"));
    server.answer(move |_: &Request| ics(more.clone()));
    app.at("2022-10-24T09:00:00Z").ok(&["run"]);
    let mails = app.outbox();
    assert_eq!(mails.len(), 2);
    let texts = mails.iter().map(|mail| text_part(mail));
    let text =
        texts.into_iter().find(|text| text.contains("A new consultation begins")).expect("a second issue");
    let (stories, coming) = text.split_once("Coming up").unwrap_or_else(|| panic!("{text}"));
    assert!(
        stories.contains("A new consultation begins") && !stories.contains("The budget assembly"),
        "{text}"
    );
    assert!(coming.contains("The budget assembly") && coming.contains("October 25, 2022, 18:00"), "{text}");
    // Taken out of the calendar: nothing is coming up any more, and the story stays.
    let rest = calendar(&format!("{past}{far}{news}"));
    server.answer(move |_: &Request| ics(rest.clone()));
    app.later(61).ok(&["run"]);
    let page = app.read("public/index.html");
    assert!(!page.contains("Coming up") && page.contains("The budget assembly"), "{page}");
    // And put back.
    let again = calendar(&format!("{past}{soon}{far}{news}"));
    server.answer(move |_: &Request| ics(again.clone()));
    app.later(61).ok(&["run"]);
    assert!(app.read("public/index.html").contains("Coming up"));
    // The day after, it is over.
    app.at("2022-10-27T08:00:00Z").ok(&["publish"]);
    assert!(!app.read("public/index.html").contains("Coming up"));
}

#[test]
fn an_edit_of_an_event_is_no_other_event_and_one_that_recurs_moves_on_by_itself() {
    let weekly = |title: &str, day: &str| {
        calendar(&event(&format!(
            "UID:w\nSUMMARY:{title}\nDTSTART:{day}T180000Z\nRRULE:FREQ=WEEKLY\nCREATED:20220101T080000Z"
        )))
    };
    let server = Server::start({
        let body = weekly("Open door of the archive", "20220104");
        move |request: &Request| match request.header("if-none-match") {
            Some(_) => Reply::new(304, ""),
            None => ics(body.clone()),
        }
    });
    let mut app = App::new(&source("calendar", &server.url("/town.ics")));
    app.ok(&["fetch"]);
    let begin = |app: &App| app.entries()[0]["event"]["begin"].as_str().unwrap().to_owned();
    assert_eq!(begin(&app), "2022-10-25T18:00:00Z");
    app.at("2022-10-26T08:00:00Z").ok(&["fetch"]);
    assert_eq!(begin(&app), "2022-11-01T18:00:00Z");
    let edited = weekly("Lecture: maps of the harbour, 1850 to 1900", "20220105");
    server.answer(move |_: &Request| ics(edited.clone()));
    app.later(61).ok(&["fetch"]);
    assert_eq!(app.titles(), ["Lecture: maps of the harbour, 1850 to 1900"]);
    assert_eq!(app.announced()[0].1, 1);
}

#[test]
fn events_of_one_title_are_as_many_stories_as_there_are_days() {
    let one = |uid: &str, day: &str| {
        event(&format!(
            "UID:{uid}\nSUMMARY:Meeting of the town council\nDESCRIPTION:The council meets in public. All are welcome to listen and to ask questions at the end.\nDTSTART:{day}T180000Z\nCREATED:20221001T080000Z"
        ))
    };
    let all = calendar(&[one("1", "20221101"), one("2", "20221108"), one("3", "20221115")].concat());
    let server = Server::start(move |_: &Request| ics(all.clone()));
    let app = App::new(&source("calendar", &server.url("/town.ics")));
    app.ok(&["fetch"]);
    let stories: std::collections::HashSet<String> =
        app.entries().iter().map(|entry| entry["story"].as_str().unwrap().to_owned()).collect();
    assert_eq!(stories.len(), 3, "{:#?}", app.entries());
}

#[test]
fn a_calendar_is_found_by_the_page_that_names_it_and_nothing_else_will_do() {
    let server = Server::start(|request: &Request| match request.target.as_str() {
        "/agenda" => Reply::html(
            "<html><head><link rel=alternate type=application/rss+xml href=/feed></head><body><a href=\"/town.ics?x=1\">Subscribe</a></body></html>",
        ),
        "/empty" => Reply::html("<html><body><p>Nothing here</p></body></html>"),
        "/town.ics?x=1" => ics(calendar(&event("UID:1\nSUMMARY:Assembly\nDTSTART:20221101T100000Z"))),
        "/feed" => Reply::ok(crate::support::rss(&[("1", "News", 1, "Text")])),
        _ => Reply::new(404, ""),
    });
    let app = App::new(&source("calendar", &server.url("/agenda")));
    app.ok(&["fetch"]);
    assert_eq!(app.titles(), ["Assembly"]);
    for (path, said) in [("/feed", "this is a feed, not a calendar"), ("/empty", "names no calendar")] {
        app.configure(&source("calendar", &server.url(path)));
        let ran = app.run(&["fetch"]);
        assert!(ran.stdout.contains(said), "{path}: {}{}", ran.stdout, ran.stderr);
    }
}
