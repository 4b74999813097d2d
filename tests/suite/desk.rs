//! The desk: what editors rule on the next issue, in every mail that it concerns, whoever else is at work.

use std::time::Duration;

use serde_json::Value;

use crate::crash::kill_after;
use crate::support::http::{Reply, Server};
use crate::support::service::{Service, ask_whole};
use crate::support::{App, header, rss, text_part};

const TITLES: [&str; 5] = [
    "Harvest of the northern vineyards begins",
    "Seven bridges were mended in spring",
    "A lighthouse keeper retires after decades",
    "Children plant a forest of cedars",
    "The old railway carries passengers again",
];

/// A feed of the first of these stories.
fn feed(count: usize) -> String {
    let items: Vec<(String, &str)> =
        TITLES.iter().take(count).enumerate().map(|(n, title)| (format!("g{n}"), *title)).collect();
    let items: Vec<_> = items
        .iter()
        .zip(15..)
        .map(|((guid, title), day)| (guid.as_str(), *title, day, title.split(' ').nth(1).unwrap()))
        .collect();
    rss(&items)
}

fn source(server: &Server) -> String {
    format!("[[source]]\nid = \"s\"\npartner = \"Partner\"\nlang = \"en\"\nurl = \"{}\"\n", server.url("/"))
}

const DIGEST: &str = "[[digest]]\nid = \"d\"\nlanguage = \"en\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"a@example.org\"]\n";

/// The id of the entry with a title.
fn id(app: &App, title: &str) -> String {
    let entries = app.entries();
    let entry = entries.iter().find(|entry| entry["title"] == title).unwrap();
    entry["id"].as_str().unwrap().to_owned()
}

fn shown(app: &App) -> Value {
    serde_json::from_str(&app.ok(&["desk", "show", "--format", "json"])).unwrap()
}

/// The headings of the next issue and the titles below them.
fn outline(view: &Value) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let titles = |group: &Value| {
        group["stories"].as_array().unwrap().iter().map(|story| text(&story["title"])).collect()
    };
    view["groups"].as_array().unwrap().iter().map(|group| (text(&group["label"]), titles(group))).collect()
}

/// The titles of known stories in a mail, in its order.
fn told(mail: &str, known: &[&'static str]) -> Vec<&'static str> {
    let text = text_part(mail);
    let mut told: Vec<(usize, &str)> =
        known.iter().filter_map(|title| Some((text.find(&format!("\n{title}\n"))?, *title))).collect();
    told.sort_unstable();
    told.into_iter().map(|(_, title)| title).collect()
}

/// The mails to an address, in the order of their dates.
fn mails_to(app: &App, address: &str) -> Vec<String> {
    let mut mails: Vec<String> =
        app.outbox().into_iter().filter(|mail| header(mail, "To") == address).collect();
    mails.sort_by_key(|mail| jiff::fmt::rfc2822::parse(&header(mail, "Date")).unwrap().timestamp());
    mails
}

#[test]
fn the_issue_is_as_editors_shaped_it_and_what_was_held_goes_to_the_next_one() {
    let server = Server::always(Reply::ok(feed(4)));
    let mut app = App::new(&format!("{}{DIGEST}", source(&server)));
    app.ok(&["fetch"]);
    app.ok(&["desk", "pin", &id(&app, TITLES[1])]);
    app.ok(&["desk", "drop", &id(&app, TITLES[2])]);
    app.ok(&["desk", "--by", "Ana", "hold", &id(&app, TITLES[3])]);
    app.ok(&["desk", "headline", &id(&app, TITLES[0]), "Grapes are <ripe>"]);
    app.ok(&["desk", "summary", &id(&app, TITLES[0]), "Pickers & baskets."]);
    app.ok(&["desk", "introduction", "Dear readers,\n\nwelcome <all>."]);
    app.ok(&["desk", "add", "Our own party", "Come & dance.", "--url", "https://party.example/1"]);
    app.ok(&["desk", "move", "hand-7", "--before", &id(&app, TITLES[0])]);
    let view = shown(&app);
    let want = [
        ("Editors’ choice".to_owned(), vec![TITLES[1].to_owned()]),
        ("Other topics".to_owned(), vec!["Our own party".into(), "Grapes are <ripe>".into()]),
    ];
    assert_eq!(outline(&view), want);
    let out: Vec<(&str, &str)> = view["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|story| (story["title"].as_str().unwrap(), story["place"].as_str().unwrap()))
        .collect();
    assert_eq!(out, [(TITLES[3], "held"), (TITLES[2], "dropped")]);
    assert!(app.ok(&["digest", "--dry-run"]).contains("Subject: Digest: Seven bridges"));
    app.ok(&["run"]);
    let mails = app.outbox();
    assert_eq!(mails.len(), 1);
    let all =
        ["Dear readers,", TITLES[0], TITLES[1], TITLES[2], TITLES[3], "Our own party", "Grapes are <ripe>"];
    assert_eq!(told(&mails[0], &all), ["Dear readers,", TITLES[1], "Our own party", "Grapes are <ripe>"]);
    let text = text_part(&mails[0]);
    assert!(text.contains("Pickers & baskets.") && text.contains("https://party.example/1"), "{text}");
    let online = std::fs::read_dir(app.path("public/issues")).unwrap().map(|file| file.unwrap().path());
    let online: Vec<String> = online
        .filter(|path| path.file_name().unwrap() != "index.html")
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert!(online[0].contains("welcome &lt;all&gt;.") && online[0].contains("Grapes are &lt;ripe&gt;"));
    assert!(!online[0].contains(TITLES[2]) && !online[0].contains(TITLES[3]));

    // The next issue: what was held, under the source's own words, and nothing again.
    assert!(app.ok(&["desk", "log"]).contains("nobody has ruled"));
    server.answer(|_| Reply::ok(feed(5)));
    app.later(24 * 60).ok(&["run"]);
    let mails = mails_to(&app, "a@example.org");
    assert_eq!((mails.len(), told(&mails[1], &all)), (2, vec![TITLES[3]]));
    assert!(text_part(&mails[1]).contains(TITLES[4]));
    app.later(24 * 60).ok(&["run"]);
    assert_eq!(app.outbox().len(), 2);
}

#[test]
fn rulings_survive_edits_by_the_source_and_new_groups_and_topics() {
    let server = Server::always(Reply::ok(feed(3)));
    let topic = "[[topic]]\nid = \"t\"\nlabel = { en = \"Bridges\" }\nkeywords = { en = [\"bridges\"] }\n";
    let mut app = App::new(&format!("{}{DIGEST}", source(&server)));
    app.ok(&["fetch"]);
    app.ok(&["desk", "pin", &id(&app, TITLES[1])]);
    app.ok(&["desk", "drop", &id(&app, TITLES[2])]);
    app.ok(&["desk", "headline", &id(&app, TITLES[0]), "Grapes"]);
    let edited = feed(3).replace("lighthouse", "light-house").replace("vineyards", "wineyards");
    server.answer(move |_| Reply::ok(edited.clone()));
    app.configure(&format!("{}{DIGEST}{topic}", source(&server)));
    app.later(90).ok(&["fetch", "--all"]);
    app.ok(&["recluster"]);
    app.ok(&["reclassify"]);
    let want = [
        ("Editors’ choice".to_owned(), vec![TITLES[1].to_owned()]),
        ("Other topics".to_owned(), vec!["Grapes".to_owned()]),
    ];
    assert_eq!(outline(&shown(&app)), want);
    // A copy that joins a story is ruled on with it.
    app.ok(&["merge", &id(&app, "Harvest of the northern wineyards begins"), &id(&app, TITLES[1])]);
    assert_eq!(outline(&shown(&app)).len(), 1);
    app.ok(&["split", &id(&app, TITLES[1])]);
    assert_eq!(outline(&shown(&app)), want);
}

#[test]
fn personal_digests_obey_and_each_story_reaches_each_subscriber_once() {
    let server = Server::always(Reply::ok(feed(4)));
    let topics = "[[topic]]\nid = \"t\"\nlabel = { en = \"Bridges\" }\nkeywords = { en = [\"bridges\"] }\n";
    let mut app = App::new(&format!("{}{DIGEST}{topics}", source(&server)));
    for (address, cadence, topics) in [
        ("all@example.org", "daily", ""),
        ("some@example.org", "daily", "t"),
        ("slow@example.org", "weekly", ""),
    ] {
        let mut arguments = vec!["subscribers", "add", "--cadence", cadence, address];
        if !topics.is_empty() {
            arguments.extend(["--topics", topics]);
        }
        app.ok(&arguments);
    }
    app.ok(&["run"]);
    // The digest went out; its next issue is shaped before the subscribers' turn.
    app.ok(&["desk", "pin", &id(&app, TITLES[0])]);
    app.ok(&["desk", "drop", &id(&app, TITLES[2])]);
    app.ok(&["desk", "hold", &id(&app, TITLES[3])]);
    let heading = |mail: &str| text_part(mail).contains("\n## Editors’ choice\n");
    server.answer(|_| Reply::ok(feed(5)));
    app.at("2022-10-21T07:59:00Z").ok(&["run"]);
    assert!(mails_to(&app, "all@example.org").is_empty());
    let held = app.ok(&["digest", "--preview", "all@example.org"]);
    assert!(!held.is_empty() && !app.read("preview/digest.txt").contains(TITLES[3]));
    assert!(app.read("preview/digest.txt").contains("## Editors’ choice"));
    // A digest that waits for an editor keeps the hold while subscribers are served.
    app.configure(&format!("{}{}without_answer = \"hold\"\n{topics}", source(&server), DIGEST));
    app.at("2022-10-21T08:01:00Z").ok(&["run"]);
    let all = mails_to(&app, "all@example.org");
    assert_eq!((all.len(), told(&all[0], &TITLES)), (1, vec![TITLES[0], TITLES[1], TITLES[4]]));
    assert!(heading(&all[0]));
    let some = mails_to(&app, "some@example.org");
    assert_eq!((some.len(), told(&some[0], &TITLES)), (1, vec![TITLES[1]]));
    assert!(!heading(&some[0]), "the pinned story does not fit");
    assert_eq!(mails_to(&app, "a@example.org").len(), 1, "it waits");

    // Released: what was held comes, once, to those who missed it; whoever was not served yet gets all.
    app.ok(&["desk", "release"]);
    app.at("2022-10-21T08:02:00Z").ok(&["run"]);
    app.at("2022-10-22T08:01:00Z").ok(&["run"]);
    app.at("2022-10-23T08:01:00Z").ok(&["run"]);
    app.at("2022-10-24T08:01:00Z").ok(&["run"]);
    let all = mails_to(&app, "all@example.org");
    assert_eq!((all.len(), told(&all[1], &TITLES)), (2, vec![TITLES[3]]));
    assert_eq!(mails_to(&app, "some@example.org").len(), 1);
    let slow = mails_to(&app, "slow@example.org");
    let mut of_slow = told(&slow[0], &TITLES);
    of_slow.sort_unstable();
    let mut want = vec![TITLES[0], TITLES[1], TITLES[3], TITLES[4]];
    want.sort_unstable();
    assert_eq!((slow.len(), of_slow), (1, want));
}

#[test]
fn a_headline_for_everywhere_is_on_pages_and_in_feeds_until_it_is_undone() {
    let server = Server::always(Reply::ok(feed(2)));
    let app = App::new(&format!("{}{DIGEST}", source(&server)));
    app.ok(&["fetch"]);
    app.ok(&["publish"]);
    let files = ["public/index.html", "public/atom.xml", "public/rss.xml", "public/feed.json"];
    app.ok(&["desk", "headline", &id(&app, TITLES[0]), "Only here"]);
    app.ok(&["desk", "headline", "--everywhere", &id(&app, TITLES[1]), "Bridges stand"]);
    app.ok(&["publish"]);
    for file in files {
        let text = app.read(file);
        assert!(text.contains("Bridges stand") && !text.contains("Only here"), "{file}");
        assert!(!text.contains(TITLES[1]) && text.contains(TITLES[0]), "{file}");
    }
    app.ok(&["desk", "undo"]);
    app.ok(&["publish"]);
    files.iter().for_each(|file| assert!(!app.read(file).contains("Bridges stand"), "{file}"));
    assert!(app.ok(&["desk", "log"]).contains("(undone)"));
    let fault = app.run(&["desk", "undo", "77"]);
    assert_eq!((fault.code, fault.stderr.trim()), (2, "the next issue of d has no ruling 77"));
}

#[test]
fn a_run_that_is_killed_loses_no_held_story_and_tells_none_twice() {
    let server = Server::always(Reply::ok(feed(4)));
    for milliseconds in [5u64, 30, 60, 90, 120, 160, 200, 260] {
        let mut app = App::new(&format!("{}{DIGEST}", source(&server)));
        app.ok(&["subscribers", "add", "--cadence", "daily", "reader@example.org"]);
        app.ok(&["fetch"]);
        app.ok(&["desk", "drop", &id(&app, TITLES[0])]);
        app.ok(&["desk", "hold", &id(&app, TITLES[1])]);
        app.at("2022-10-21T08:01:00Z");
        kill_after(&app, &["run"], Duration::from_millis(milliseconds));
        // Two others go on, at once.
        let others: Vec<_> = (0..2).map(|_| app.command(&["run"]).spawn().unwrap()).collect();
        others.into_iter().for_each(|mut other| assert!(other.wait().unwrap().success()));
        for day in ["2022-10-22T08:01:00Z", "2022-10-23T08:01:00Z"] {
            app.at(day).ok(&["run"]);
        }
        for address in ["a@example.org", "reader@example.org"] {
            let mails = mails_to(&app, address);
            let mut all: Vec<&str> = mails.iter().flat_map(|mail| told(mail, &TITLES)).collect();
            all.sort_unstable();
            let mut want = vec![TITLES[1], TITLES[2], TITLES[3]];
            want.sort_unstable();
            assert_eq!(all, want, "{address}, killed after {milliseconds} ms");
        }
    }
}

const REVIEWED: &str = "[[digest]]\nid = \"d\"\nlanguage = \"fr\"\nschedule = \"daily 08:00 Europe/Paris\"\nrecipients = [\"a@example.org\"]\nreview = \"1h\"\neditors = [\"ana@example.org\", \"bo@example.org\"]\n";

/// The link to the desk in the draft for an editor, as a path.
fn desk_of(app: &App, editor: &str) -> String {
    let mails = mails_to(app, editor);
    let text = text_part(mails.last().unwrap());
    let link = text.split("https://news.example.org").nth(1).unwrap();
    link.split_whitespace().next().unwrap().split('?').next().unwrap().to_owned()
}

/// A value for a form.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Sends a form of the desk.
fn send(service: &Service, desk: &str, form: &[(&str, &str)]) -> (u16, String) {
    let body: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let headers = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";
    service.ask("POST", desk, headers, &body.join("&"))
}

fn key(app: &App, title: &str) -> String {
    let view = shown(app);
    let groups =
        view["groups"].as_array().unwrap().iter().flat_map(|group| group["stories"].as_array().unwrap());
    let mut stories = groups.chain(view["left_out"].as_array().unwrap());
    stories.find(|story| story["title"] == title).unwrap()["key"].as_i64().unwrap().to_string()
}

#[test]
fn editors_get_the_draft_once_and_in_time_whoever_sends_it() {
    let server = Server::always(Reply::ok(feed(2)));
    let mut app = App::new(&format!("{}{REVIEWED}", source(&server)));
    app.at("2022-10-21T04:50:00Z").ok(&["run"]);
    assert!(app.outbox().is_empty(), "more than an hour before eight in Paris");
    app.at("2022-10-21T05:10:00Z");
    let runs: Vec<_> = (0..3).map(|_| app.command(&["run"]).spawn().unwrap()).collect();
    runs.into_iter().for_each(|mut run| assert!(run.wait().unwrap().success()));
    app.at("2022-10-21T05:20:00Z").ok(&["run"]);
    for editor in ["ana@example.org", "bo@example.org"] {
        let mails = mails_to(&app, editor);
        assert_eq!(mails.len(), 1, "{editor}");
        let text = text_part(&mails[0]);
        for want in
            [TITLES[0], TITLES[1], "Ce numéro sera envoyé le 21 octobre 2022 à 08:00.", "&do=drop&story=1"]
        {
            assert!(text.replace('\n', " ").contains(want), "{want} is not in\n{text}");
        }
        assert!(!mails[0].contains("List-Unsubscribe"));
        assert!(header(&mails[0], "Subject").starts_with("=?utf-8?"), "{}", header(&mails[0], "Subject"));
    }
    assert_ne!(desk_of(&app, "ana@example.org"), desk_of(&app, "bo@example.org"));
    assert!(mails_to(&app, "a@example.org").is_empty());
    app.at("2022-10-21T06:01:00Z").ok(&["run"]);
    assert_eq!(mails_to(&app, "a@example.org").len(), 1, "nobody answered, and it goes");
    app.later(24 * 60).ok(&["run"]);
    assert_eq!(mails_to(&app, "bo@example.org").len(), 1, "there is nothing new");
}

#[test]
fn a_story_is_added_by_its_address_with_what_its_page_says() {
    let text = "Vengan todos a bailar en la plaza del pueblo, con música y comida para todos. ".repeat(8);
    let page = format!(
        "<html lang=\"es\"><head><title>x</title><meta property=\"og:title\" content=\"Una fiesta &amp; m&aacute;s\">\
         <meta property=\"og:description\" content=\"Con m&uacute;sica.\"></head><body><main><h1>Una fiesta</h1><p>{text}</p></main></body></html>"
    );
    let server = Server::start(move |request| match request.target.as_str() {
        "/story" => Reply::ok(page.clone()),
        "/gone" => Reply::new(404, "nothing"),
        _ => Reply::ok(feed(2)),
    });
    let mut app = App::new(&format!("{}{REVIEWED}", source(&server)));
    app.at("2022-10-21T05:10:00Z").ok(&["run"]);
    app.ok(&["desk", "read", &server.url("/story")]);
    assert!(!key(&app, "Una fiesta & más").is_empty());
    let ran = app.run(&["desk", "read", &server.url("/gone")]);
    assert!(ran.code == 1 && ran.stderr.contains("cannot be read"), "{}", ran.stderr);
    app.ok(&["desk", "undo"]);

    let ana = desk_of(&app, "ana@example.org");
    let service = Service::start(&app);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let before = shown(&app);
    let (status, page) =
        service.ask("POST", &ana, form, &format!("l=en&do=read&url={}", server.url("/story")));
    for part in
        ["value=\"Una fiesta &amp; más\"", ">Con música.</textarea>", "name=\"story_language\" value=\"es\""]
    {
        assert!(status == 200 && page.contains(part), "{part}: {status} {page}");
    }
    assert_eq!(shown(&app), before, "it is only read");
    for url in [server.url("/gone"), "http://10.0.0.1/".into(), "ftp://x.example/".into(), String::new()] {
        let (status, page) = service.ask("POST", &ana, form, &format!("l=en&do=read&url={url}"));
        assert!(status == 422 && page.contains("This address could not be read."), "{url}: {status}");
    }
    let body = format!("l=en&do=add&title=Fiesta&text=Hoy&story_language=es&url={}", server.url("/story"));
    assert_eq!(service.ask("POST", &ana, form, &body).0, 303);
    assert!(!key(&app, "Fiesta").is_empty());
    // As it looks on a phone and in the dark, whatever the browser of the editor prefers.
    let look = |look: &str| service.ask("GET", &format!("{ana}/preview?l=en&look={look}"), "", "").1;
    assert!(look("dark-narrow").contains("@media all") && look("dark-narrow").contains("max-width: 375px;"));
    assert!(look("light-wide").contains("@media not all") && !look("light-wide").contains("375px"));
}

#[test]
fn a_link_that_is_followed_changes_nothing_and_a_button_does() {
    let server = Server::always(Reply::ok(feed(4)));
    let mut app = App::new(&format!("{}{REVIEWED}", source(&server)));
    app.at("2022-10-21T05:10:00Z").ok(&["run"]);
    let (ana, bo) = (desk_of(&app, "ana@example.org"), desk_of(&app, "bo@example.org"));
    assert_eq!(app.ok(&["desk", "link", "ana@example.org"]).trim(), format!("https://news.example.org{ana}"));
    assert_eq!(app.run(&["desk", "link", "eve@example.org"]).code, 2);
    let service = Service::start(&app);
    let before = shown(&app);
    let drop = key(&app, TITLES[0]);
    for query in ["", &format!("?do=drop&story={drop}"), "?l=ar", "/preview", "/preview?l=es&part=text"] {
        let (status, page) = service.ask("GET", &format!("{ana}{query}"), "", "");
        assert!(status == 200 && page.contains(TITLES[0]), "{query}: {status} {page}");
    }
    let (_, asked) = service.ask("GET", &format!("{ana}?do=drop&story={drop}"), "", "");
    assert!(asked.contains("<button name=\"do\" value=\"drop\">Écarter</button>"), "{asked}");
    assert_eq!(shown(&app), before);
    for target in [ana.clone(), format!("{ana}/preview")] {
        let whole = ask_whole(service.address(), "GET", &target, "").to_lowercase();
        let head = whole.split("\r\n\r\n").next().unwrap();
        for want in ["cache-control: no-store", "referrer-policy: no-referrer", "default-src 'none'"] {
            assert!(head.contains(want), "{want} is not in {head}");
        }
    }
    // Nobody else's forms, nor links that are not ours.
    let foreign = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: cross-site\r\n";
    assert_eq!(service.ask("POST", &ana, foreign, &format!("do=drop&story={drop}")).0, 403);
    assert_eq!(service.ask("GET", &ana.replacen("/desk/", "/desk/x", 1), "", "").0, 404);
    assert_eq!(send(&service, &format!("{ana}x"), &[("do", "drop"), ("story", &drop)]).0, 404);
    assert_eq!(send(&service, &ana, &[("do", "burn"), ("story", &drop)]).0, 422);
    assert_eq!(send(&service, &ana, &[("do", "drop"), ("story", "77")]).0, 404);
    assert_eq!(shown(&app), before);
    // Two editors.
    assert_eq!(send(&service, &ana, &[("do", "drop"), ("story", &drop)]).0, 303);
    let pin = key(&app, TITLES[2]);
    assert_eq!(send(&service, &bo, &[("do", "pin"), ("story", &pin)]).0, 303);
    let log = app.ok(&["desk", "log"]);
    assert!(log.contains("ana@example.org  drop") && log.contains("bo@example.org  pin"), "{log}");
    let of = |title: &str| key(&app, title);
    let (one, other) = (of(TITLES[1]), of(TITLES[3]));
    assert_eq!(send(&service, &bo, &[("do", "up"), ("story", &other), ("before", &one)]).0, 303);
    assert_eq!(
        send(
            &service,
            &bo,
            &[("do", "add"), ("title", "À nous"), ("text", "Texte"), ("url", "https://nous.example/")]
        )
        .0,
        303
    );
    assert_eq!(send(&service, &bo, &[("do", "add"), ("title", "x"), ("url", "javascript:alert(1)")]).0, 422);
    let titles: Vec<String> = outline(&shown(&app)).into_iter().flat_map(|(_, titles)| titles).collect();
    assert!(titles.contains(&"À nous".to_owned()) && titles[0] == TITLES[2], "{titles:?}");
    let undo = shown(&app)["log"][0]["number"].to_string();
    assert_eq!(send(&service, &ana, &[("do", "undo"), ("ruling", &undo)]).0, 303);
    assert!(!app.ok(&["desk", "show"]).contains("À nous"));
    // Two stories that are one: the place of the one that was ruled on last holds for both.
    let other = id(&app, TITLES[2]);
    assert_eq!(send(&service, &bo, &[("do", "merge"), ("story", &one), ("other", "nobody")]).0, 422);
    assert_eq!(send(&service, &bo, &[("do", "merge"), ("story", &drop), ("other", &other)]).0, 303);
    assert!(app.ok(&["desk", "log"]).contains("merge") && outline(&shown(&app))[0].1 == [TITLES[0]]);
    let merged = shown(&app)["log"][0]["number"].to_string();
    assert_eq!(send(&service, &bo, &[("do", "undo"), ("ruling", &merged)]).0, 404);
    // The link ends with the issue.
    app.at("2022-10-21T06:01:00Z").ok(&["run"]);
    assert_eq!(told(&mails_to(&app, "a@example.org")[0], &TITLES), [TITLES[0], TITLES[3], TITLES[1]]);
    assert_eq!(service.ask("GET", &ana, "", "").0, 404);
    assert_eq!(send(&service, &ana, &[("do", "pin"), ("story", &pin)]).0, 404);
}

#[test]
fn what_another_editor_wrote_in_the_meantime_is_shown_and_not_lost() {
    let server = Server::always(Reply::ok(feed(2)));
    let mut app = App::new(&format!("{}{REVIEWED}", source(&server)));
    app.at("2022-10-21T05:10:00Z").ok(&["run"]);
    let (ana, bo) = (desk_of(&app, "ana@example.org"), desk_of(&app, "bo@example.org"));
    let service = Service::start(&app);
    let story = key(&app, TITLES[0]);
    let write = |desk: &str, version: &str, was: &str, headline: &str, summary: &str| {
        let form = [
            ("do", "write"),
            ("version", version),
            ("story", story.as_str()),
            ("was_headline", was),
            ("was_summary", ""),
            ("headline", headline),
            ("summary", summary),
        ];
        send(&service, desk, &form)
    };
    let introduce = |desk: &str, text: &str| {
        send(&service, desk, &[("do", "introduce"), ("version", "0"), ("introduction", text)])
    };
    assert_eq!(write(&ana, "0", "", "Le titre d’Ana <i>", "").0, 303);
    // Bo saw the page before: another field of the same story is another matter, the same one is not.
    assert_eq!(write(&bo, "0", "", "", "Le résumé de Bo").0, 303);
    let (status, page) = write(&bo, "0", "", "Le titre de Bo", "");
    assert_eq!(status, 409);
    for want in ["ana@example.org", "Le titre d’Ana &lt;i&gt;", "Le titre de Bo", "pas été enregistré"] {
        assert!(page.contains(want), "{want} is not in {page}");
    }
    assert_eq!(introduce(&bo, "Bonjour\r\n\r\n<script>alert(1)</script>").0, 303);
    assert_eq!(introduce(&ana, "Salut").0, 409);
    let version = shown(&app)["version"].to_string();
    assert_eq!(write(&bo, &version, "Le titre d’Ana <i>", "Le titre de Bo", "").0, 303);
    let (_, preview) = service.ask("GET", &format!("{ana}/preview"), "", "");
    for want in ["Le titre de Bo", "Le résumé de Bo", "Bonjour", "&lt;script&gt;"] {
        assert!(preview.contains(want), "{want} is not in {preview}");
    }
    assert!(!preview.contains("<script") && !preview.contains("@@"));
    // Who is erased stands in no log.
    app.ok(&["subscribers", "erase", "Ana@example.org"]);
    let log = app.ok(&["desk", "log"]);
    assert!(
        !log.contains("ana@") && log.contains("Le titre d’Ana") && log.contains("bo@example.org"),
        "{log}"
    );
    assert!(app.ok(&["subscribers", "export", "--address", "bo@example.org"]).contains("\"introduction\""));
    // An editor who is taken out of the configuration has no link any more.
    drop(service);
    app.configure(&format!("{}{}", source(&server), REVIEWED.replace(", \"bo@example.org\"", "")));
    let service = Service::start(&app);
    assert_eq!(service.ask("GET", &ana, "", "").0, 200);
    assert_eq!(service.ask("GET", &bo, "", "").0, 404);
    // Nor is anything sent to who was erased.
    drop(service);
    app.configure(&format!("{}{REVIEWED}", source(&server)));
    app.at("2022-10-21T06:01:00Z").ok(&["run"]);
    server.answer(|_| Reply::ok(feed(3)));
    app.at("2022-10-22T05:10:00Z").ok(&["run"]);
    assert_eq!((mails_to(&app, "ana@example.org").len(), mails_to(&app, "bo@example.org").len()), (1, 2));
}

#[test]
fn an_issue_that_waits_for_an_editor_goes_when_one_of_them_says_so() {
    let server = Server::always(Reply::ok(feed(2)));
    let held = format!("{REVIEWED}without_answer = \"hold\"\n");
    let mut app = App::new(&format!("{}{held}", source(&server)));
    app.at("2022-10-21T05:10:00Z").ok(&["run"]);
    let ana = desk_of(&app, "ana@example.org");
    let ran = app.at("2022-10-21T06:01:00Z").run(&["run"]);
    assert!(ran.code == 0 && ran.stderr.contains("waits for an editor"), "{}", ran.stderr);
    assert!(app.ok(&["digest"]).contains("d: waits for an editor to release it"));
    assert!(mails_to(&app, "a@example.org").is_empty());
    assert!(app.ok(&["desk", "list"]).contains("2 stories, 0 left out, waits for an editor"));
    server.answer(|_| Reply::ok(feed(3)));
    app.at("2022-10-21T07:01:00Z").ok(&["run"]);
    let service = Service::start(&app);
    assert_eq!(send(&service, &ana, &[("do", "release")]).0, 303);
    drop(service);
    app.at("2022-10-21T07:02:00Z").ok(&["run"]);
    let mails = mails_to(&app, "a@example.org");
    assert_eq!((mails.len(), told(&mails[0], &TITLES).len()), (1, 3), "what came while it waited as well");
    // The next one waits again, and is told of again.
    server.answer(|_| Reply::ok(feed(4)));
    app.at("2022-10-22T06:02:00Z").ok(&["run"]);
    assert_eq!((mails_to(&app, "a@example.org").len(), mails_to(&app, "ana@example.org").len()), (1, 2));
}

#[test]
fn what_editors_pinned_has_a_feed_of_its_own_once_the_issue_has_gone() {
    let server = Server::always(Reply::ok(feed(3)));
    let picks = "[[feed]]\nid = \"picks\"\ntitle = \"Our choice\"\npinned = true\n";
    let mut app = App::new(&format!("{}{DIGEST}{picks}", source(&server)));
    app.ok(&["fetch"]);
    app.ok(&["desk", "pin", &id(&app, TITLES[0])]);
    app.ok(&["desk", "pin", &id(&app, TITLES[1])]);
    app.ok(&["desk", "undo"]);
    let told = |app: &App| -> Vec<Vec<&str>> {
        let files = ["atom.xml", "rss.xml", "feed.json", "index.html"];
        let texts = files.map(|file| app.read(&format!("public/feeds/picks/{file}")));
        texts.iter().map(|text| TITLES.into_iter().filter(|title| text.contains(title)).collect()).collect()
    };
    app.ok(&["publish"]);
    assert_eq!(told(&app), [vec![""; 0], vec![], vec![], vec![]], "an editor may still take it back");
    app.ok(&["run"]);
    app.later(5).ok(&["run"]);
    assert_eq!(told(&app), vec![vec![TITLES[0]]; 4]);
    assert!(app.read("public/atom.xml").contains(TITLES[2]));
    app.ok(&["desk", "clear", &id(&app, TITLES[0])]);
    app.ok(&["publish"]);
    assert_eq!(told(&app), vec![vec![""; 0]; 4]);
}

#[test]
fn a_ruling_that_comes_while_the_issue_is_made_is_obeyed_or_is_for_the_next_one() {
    let server = Server::always(Reply::ok(feed(4)));
    for milliseconds in [0u64, 20, 40, 60, 90, 120, 160, 220] {
        let app = App::new(&format!("{}{DIGEST}", source(&server)));
        app.ok(&["fetch"]);
        let dropped = id(&app, TITLES[0]);
        let mut run = app.command(&["run"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        app.ok(&["desk", "drop", &dropped]);
        assert!(run.wait().unwrap().success());
        let is_for_the_next = app.ok(&["desk", "log"]).contains("drop");
        let mails = app.outbox();
        let told = told(&mails[0], &TITLES);
        assert_eq!(told.contains(&TITLES[0]), is_for_the_next, "after {milliseconds} ms: {told:?}");
    }
}
