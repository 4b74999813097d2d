//! The private pages of partners: who sees them, what they show, what partners propose there, and the monthly mail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::admin::{Browser, FIRST, HASH, account, form, signed_in};
use crate::support::http::{Reply, Request, Server};
use crate::support::service::Service;
use crate::support::{App, header, python, rss, text_part};

/// Servers of two partners, Ana and Bo, who have one story in common; one of Ana's sources is broken.
struct World {
    server: Server,
    shown: Arc<AtomicUsize>,
}

/// A feed with an item that carries a validator.
fn feed(request: &Request, items: &[(&str, &str, u8, &str)]) -> Reply {
    let etag = format!("\"{}\"", items.len());
    match request.header("if-none-match") {
        Some(known) if known == etag => Reply::new(304, ""),
        _ => Reply::ok(rss(items)).with("ETag", &etag),
    }
}

impl World {
    fn new() -> World {
        let shown = Arc::new(AtomicUsize::new(0));
        let more = shown.clone();
        let server = Server::start(move |request| match request.target.as_str() {
            "/ana" => {
                let mut items = vec![
                    ("a1", "Customs house <b>will</b> be rebuilt", 17, FIRST),
                    ("a2", "Something of Ana alone", 18, "What only Ana tells, in words of its own."),
                ];
                if more.load(Ordering::Relaxed) > 0 {
                    items.push(("a3", "News of the next month", 19, "What came after the report."));
                }
                feed(request, &items)
            }
            "/bo" => feed(
                request,
                &[
                    ("b1", "The old customs house is rebuilt", 17, FIRST),
                    ("b2", "Something of Bo alone", 18, "What only Bo tells, and nobody else at all."),
                ],
            ),
            "/new" => Reply::ok(rss(&[("n1", "Of another feed", 19, "It was proposed.")])),
            _ => Reply::new(500, "trouble"),
        });
        World { server, shown }
    }

    fn source(&self, id: &str, partner: &str, path: &str) -> String {
        format!(
            "[[source]]\nid = \"{id}\"\npartner = \"{partner}\"\nlang = \"en\"\nurl = \"{}\"\n",
            self.server.url(path)
        )
    }

    fn app(&self, rest: &str) -> App {
        let sources = [
            self.source("ana-feed", "Ana & friends", "/ana"),
            self.source("ana-broken", "Ana & friends", "/trouble"),
            self.source("bo-feed", "Bo", "/bo"),
        ];
        App::new(&format!("{}{rest}", sources.concat()))
    }
}

/// The path of the page of a partner.
#[track_caller]
fn link(app: &App, arguments: &[&str]) -> String {
    let said = app.ok(&[&["partner", "link"], arguments].concat());
    let path = said.trim().split_once("://news.example.org").unwrap().1.to_owned();
    assert!(path.starts_with("/partner/"), "{path}");
    path
}

/// The token of the forms of a page.
#[track_caller]
fn token(page: &str) -> String {
    let rest = page.split("name=\"form\" value=\"").nth(1).unwrap_or_else(|| panic!("no form: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_page_is_for_whoever_has_its_address_and_a_new_one_makes_it_void() {
    let world = World::new();
    let mut app = world.app("");
    app.ok(&["run"]);
    app.later(8 * 60).ok(&["run"]);
    let path = link(&app, &["Ana & friends"]);
    assert_eq!(link(&app, &["Ana & friends"]), path, "it stays");
    let service = Service::start(&app);
    let browser = Browser::of(&service);
    let page = browser.get(&path);
    assert_eq!(page.status, 200, "{}", page.body);
    for (name, want) in [
        ("Cache-Control", "no-store"),
        ("X-Robots-Tag", "noindex, nofollow"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Frame-Options", "DENY"),
    ] {
        assert_eq!(page.header(name), Some(want));
    }
    let body = &page.body;
    for wanted in [
        "<h1>Your stories at Test</h1>",
        "Ana &amp; friends",
        &world.server.url("/ana"),
        "Entries in 30 days: 2; most in one day: 2",
        "<time datetime=\"2022-10-20T16:00:00Z\">2022-10-20 16:00 UTC</time>",
        "Next poll",
        "the server answers 500",
        "Failures in a row: 2",
        "Check whether the page can be opened. If it has moved, propose its new address below.",
        "The old customs house is rebuilt",
        "<bdi>Bo</bdi> (the same text)",
        "https://news.example.org/partners/ana-friends/atom.xml",
        "&lt;script&gt;",
        "E-mails with your stories sent in 30 days: 0; to how many addresses: 0.",
    ] {
        assert!(body.contains(wanted), "{wanted} is not in {body}");
    }
    assert!(!body.contains("Something of Bo alone") && !body.contains(&world.server.url("/bo")), "{body}");
    assert!(!body.contains("<script") && !body.contains("<b>will"), "{body}");
    for (language, heading) in
        [("fr", "Vos articles sur Test"), ("ar", "dir=\"rtl\""), ("zh", "您在 Test 的报道")]
    {
        assert!(browser.shown(&format!("{path}?l={language}")).contains(heading), "{language}");
    }
    let alarms = app.ok(&["alarms", "--link"]);
    let other = alarms.trim().rsplit('/').next().unwrap();
    for wrong in ["/partner/x", "/partner/", &path[..path.len() - 1], &format!("/partner/{other}")] {
        assert_eq!(browser.get(wrong).status, 404, "{wrong}");
    }
    let bo = link(&app, &["Bo"]);
    assert!(browser.shown(&bo).contains("Something of Bo alone"));
    let new = link(&app, &["Ana & friends", "--new"]);
    assert_ne!(new, path);
    let page = browser.get(&path);
    assert!(page.status == 404 && !page.body.contains("Ana"), "{}", page.body);
    assert_eq!((browser.get(&new).status, browser.get(&bo).status), (200, 200));
    assert_eq!(browser.ask("POST", &path, "do=source").status, 404);
    let ran = app.run(&["partner", "link", "Ana & friend"]);
    assert!(ran.code == 2 && ran.stderr.contains("did you mean \"Ana & friends\""), "{}", ran.stderr);
}

#[test]
fn people_are_counted_by_what_was_sent_and_nobody_is_tracked() {
    let world = World::new();
    let digest = |id: &str, recipients: &str| {
        format!("[[digest]]\nid = \"{id}\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [{recipients}]\n")
    };
    let rest = digest("one", "\"x@example.org\", \"y@example.org\"") + &digest("two", "\"y@example.org\"");
    let mut app = world.app(&format!("{rest}[newsletter]\n"));
    app.ok(&["subscribers", "add", "--cadence", "daily", "z@example.org"]);
    app.ok(&["run"]);
    app.later(24 * 60).ok(&["run"]);
    let mails = app.outbox();
    assert_eq!(mails.iter().filter(|mail| mail.contains("Something of Ana alone")).count(), 4, "{mails:?}");
    assert!(mails.iter().all(|mail| !mail.contains("/partner/")));
    let service = Service::start(&app);
    let browser = Browser::of(&service);
    let reach = "E-mails with your stories sent in 30 days: 4; to how many addresses: 3.";
    for partner in ["Ana & friends", "Bo"] {
        let page = browser.shown(&link(&app, &[partner]));
        assert!(page.contains(reach), "{partner}: {page}");
    }
    drop(service);
    app.later(31 * 24 * 60);
    let service = Service::start(&app);
    let page = Browser::of(&service).shown(&link(&app, &["Bo"]));
    assert!(page.contains("sent in 30 days: 0; to how many addresses: 0."), "it is long ago: {page}");
}

/// Sends a form of a page as a browser does.
fn propose(browser: &Browser, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let csrf = token(&browser.shown(path));
    let page = browser.ask("POST", path, &form(&[&[("form", csrf.as_str()), ("l", "en")], fields].concat()));
    (page.status, page.body)
}

#[test]
fn proposals_wait_for_an_operator_and_are_limited() {
    let world = World::new();
    let accounts = account("olga", "operator", &HASH) + &account("vera", "viewer", &HASH);
    let mut app = world.app(&accounts);
    let text = app.read("feeds.toml").replace("[mail]\n", "[mail]\noperator = [\"op@example.org\"]\n");
    app.write("feeds.toml", text);
    app.ok(&["run"]);
    let before = app.read("feeds.toml");
    let (ana, bo) = (link(&app, &["Ana & friends"]), link(&app, &["Bo"]));
    let service = Service::start(&app);
    let mut browser = Browser::of(&service);
    let new = world.server.url("/new");
    // Without the token of the page, or from another site, nothing is proposed.
    let of_bo = token(&browser.shown(&bo));
    for forged in ["", "x", of_bo.as_str()] {
        let body = form(&[("form", forged), ("do", "source"), ("address", &new)]);
        assert_eq!(browser.ask("POST", &ana, &body).status, 403, "{forged}");
    }
    browser.more = "Sec-Fetch-Site: cross-site\r\n".into();
    assert_eq!(propose(&browser, &ana, &[("do", "source"), ("address", &new)]).0, 403);
    browser.more = String::new();
    let known = world.server.url("/bo");
    let long = format!("https://x.example/{}", "x".repeat(2_000));
    for (address, why) in [
        ("javascript:alert(1)", "Nothing can be read at this address"),
        (long.as_str(), "Nothing can be read at this address"),
        ("", "Nothing can be read at this address"),
        (known.as_str(), "read already"),
    ] {
        let (status, body) = propose(&browser, &ana, &[("do", "source"), ("address", address)]);
        assert!(status == 422 && body.contains(why), "{address}: {status} {body}");
    }
    assert_eq!(propose(&browser, &ana, &[("do", "source"), ("address", &new)]).0, 303);
    let (status, body) = propose(&browser, &ana, &[("do", "source"), ("address", &new)]);
    assert!(status == 422 && body.contains("proposed already"), "{body}");
    // A correction is about an entry of its own.
    let option = |page: &str, title: &str| {
        let before = page.split(&format!(">{title}</option>")).next().unwrap();
        before.rsplit("<option value=\"").next().unwrap().split('"').next().unwrap().to_owned()
    };
    let entry = option(&browser.shown(&ana), "Something of Ana alone");
    let foreign = option(&browser.shown(&bo), "Something of Bo alone");
    let wrong = "</blockquote><script>alert(1)</script> It was Tuesday.";
    let (entry, endless) = (entry.as_str(), "x".repeat(2_001));
    for (about, text) in [(foreign.as_str(), wrong), (entry, ""), (entry, endless.as_str()), ("", wrong)] {
        let (status, body) =
            propose(&browser, &ana, &[("do", "correction"), ("entry", about), ("text", text)]);
        assert!(status == 422 && body.contains("Choose a story"), "{about}: {body}");
    }
    assert_eq!(propose(&browser, &ana, &[("do", "correction"), ("entry", entry), ("text", wrong)]).0, 303);
    let page = browser.shown(&ana);
    assert!(
        page.matches("<strong>waiting</strong>").count() == 2 && !page.contains("<script>alert"),
        "{page}"
    );
    assert!(!browser.shown(&bo).contains(&new), "it is nobody else's business");
    assert_eq!(app.read("feeds.toml"), before, "nothing changes by it");

    // One who may only look decides nothing.
    let vera = signed_in(&service, "vera");
    let shown = vera.shown("/admin/proposals");
    assert!(shown.contains("It was Tuesday.") && !shown.contains("value=\"accept\""), "{shown}");
    assert!(!shown.contains("<script>alert"));
    assert_eq!(vera.send("/admin/proposals", &[("key", "1"), ("do", "accept")]).status, 403);
    let olga = signed_in(&service, "olga");
    assert_eq!(olga.ask("POST", "/admin/proposals", "key=1&do=accept").status, 403, "it is no form of ours");
    world.server.take_requests();
    assert_eq!(olga.send("/admin/proposals", &[("key", "2"), ("do", "accept")]).status, 303);
    let sources: Vec<Value> = serde_json::from_str(&app.ok(&["sources", "--format", "json"])).unwrap();
    let ana_feed = sources.iter().find(|source| source["id"] == "ana-feed").unwrap();
    assert!(ana_feed.to_string().contains("a correction was accepted"), "{ana_feed}");
    assert_eq!(olga.send("/admin/proposals", &[("key", "1"), ("do", "accept")]).status, 303);
    let added = app.read("feeds.toml");
    assert!(added.contains(&new) && added.matches("partner = \"Ana & friends\"").count() == 3, "{added}");
    assert_eq!(olga.send("/admin/proposals", &[("key", "1"), ("do", "decline")]).status, 404, "once");
    assert_eq!(propose(&browser, &ana, &[("do", "correction"), ("entry", entry), ("text", "again")]).0, 303);
    assert_eq!(olga.send("/admin/proposals", &[("key", "3"), ("do", "decline")]).status, 303);
    let page = browser.shown(&ana);
    assert_eq!(
        (
            page.matches("<strong>accepted</strong>").count(),
            page.matches("<strong>declined</strong>").count()
        ),
        (2, 1)
    );
    assert!(!page.contains("olga"));
    // Of one partner, so many wait; and so many are sent in an hour.
    let mut statuses = Vec::new();
    for number in 0..25 {
        let address = format!("https://x.example/{number}");
        statuses.push(propose(&browser, &bo, &[("do", "source"), ("address", &address)]).0);
    }
    assert_eq!(statuses[..20], [303; 20]);
    assert_eq!(statuses[20..], [422; 5]);
    let more: Vec<u16> = (0..6)
        .map(|_| propose(&browser, &bo, &[("do", "source"), ("address", "https://y.example/")]).0)
        .collect();
    assert_eq!(more, [422, 422, 422, 422, 422, 429]);
    drop(service);
    app.later(1).ok(&["run"]);
    let read = world.server.take_requests();
    let ana = read.iter().find(|request| request.target == "/ana").expect("it is read at once");
    assert!(ana.header("if-none-match").is_none(), "in full");
    assert!(app.titles().contains(&"Of another feed".to_owned()), "{:?}", app.titles());
    let told: Vec<String> =
        app.outbox().into_iter().filter(|mail| header(mail, "To") == "op@example.org").collect();
    let told = told.iter().map(|mail| text_part(mail)).collect::<String>().replace('\n', " ");
    assert!(
        told.contains("proposes a source, http://")
            && told.contains("proposes a correction of \"Something of Ana alone\""),
        "{told}"
    );
}

#[test]
fn a_partner_that_wants_it_gets_one_mail_when_a_month_is_over_whatever_number_of_processes_runs() {
    let world = World::new();
    let digest =
        "[[digest]]\nid = \"one\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"x@example.org\"]\n";
    let wanted = "[[partner]]\nname = \"Ana & friends\"\nmonthly_mail = [\"ana@partner.example\", \"amy@partner.example\"]\nlanguage = \"fr\"\n[[partner]]\nname = \"Bo\"\n";
    let mut app = world.app(&format!("{digest}{wanted}"));
    let reports = |app: &App| -> Vec<String> {
        app.outbox().into_iter().filter(|mail| header(mail, "To").ends_with("@partner.example")).collect()
    };
    app.ok(&["run"]);
    app.at("2022-10-31T23:00:00Z").ok(&["run"]);
    assert!(reports(&app).is_empty(), "the month goes on");
    world.shown.store(1, Ordering::Relaxed);
    app.at("2022-11-01T06:00:00Z");
    let mut runs: Vec<_> = (0..3).map(|_| app.command(&["run"]).spawn().unwrap()).collect();
    runs.iter_mut().for_each(|run| assert!(run.wait().unwrap().success()));
    app.later(60).ok(&["run"]);
    let mails = reports(&app);
    let mut to: Vec<String> = mails.iter().map(|mail| header(mail, "To")).collect();
    to.sort();
    assert_eq!(to, ["amy@partner.example", "ana@partner.example"]);
    let text = text_part(&mails[0]);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for wanted in [
        "Vos articles sur Test en octobre 2022",
        "Ana & friends",
        &world.server.url("/ana"),
        "Entrées : 2",
        "Vérifiez que la page s’ouvre",
        "Bo (le même texte) : The old customs house is rebuilt",
        "envoyés en 31 jours : 1 ; nombre d’adresses : 1.",
    ] {
        assert!(words.contains(wanted), "{wanted} is not in {words}");
    }
    assert!(!words.contains("News of the next month"), "that came later");
    assert!(
        header(&mails[0], "List-Unsubscribe").is_empty()
            && header(&mails[0], "Auto-Submitted") == "auto-generated"
    );
    // Its link leads to the page, in its language.
    let address = text.split("https://news.example.org").nth(1).unwrap().split_whitespace().next().unwrap();
    let service = Service::start(&app);
    assert!(Browser::of(&service).shown(address).contains("Vos articles sur Test"));
    drop(service);
    app.at("2022-11-30T23:00:00Z").ok(&["run"]);
    assert_eq!(reports(&app).len(), 2, "once");
    app.at("2022-12-01T00:00:00Z").ok(&["run"]);
    assert_eq!(reports(&app).len(), 4);
    // An operator who names a partner that there is not is told so; without an address there is no page to lead to.
    app.write("feeds.toml", app.read("feeds.toml").replace("name = \"Bo\"", "name = \"Bob\""));
    let ran = app.run(&["check"]);
    assert!(
        format!("{}{}", ran.stdout, ran.stderr)
            .contains("no source has the partner \"Bob\": did you mean \"Bo\"?"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    app.write("feeds.toml", app.read("feeds.toml").replace("url = \"https://news.example.org\"\n", ""));
    let ran = app.run(&["check"]);
    assert!(ran.code == 2 && ran.stderr.contains("set url in [channel]"), "{}", ran.stderr);
}

#[test]
#[ignore = "needs Chromium: ./scripts/test includes it where there is one"]
fn the_page_of_a_partner_is_for_everybody_and_its_feed_is_shown_on_other_pages() {
    let chromium = std::env::var("COURANT_TEST_CHROMIUM")
        .expect("COURANT_TEST_CHROMIUM names the browser: ./scripts/test finds it");
    let world = World::new();
    let mut app = world.app("");
    app.ok(&["run"]);
    app.later(8 * 60).ok(&["run"]);
    let path = link(&app, &["Ana & friends"]);
    let service = Service::start(&app);
    let origin = format!("http://{}", service.address());
    let browser = Browser::of(&service);
    let body = browser.shown(&path);
    for number in 0..3 {
        let address = format!("https://x.example/{number}");
        assert_eq!(propose(&browser, &path, &[("do", "source"), ("address", &address)]).0, 303);
    }
    let feed = app.path("public/feed.json");
    let paths = [path.clone(), format!("{path}?l=ar"), format!("{path}?l=de&done=1")];
    let mut arguments = vec![chromium.as_str(), &origin, feed.to_str().unwrap()];
    arguments.extend(paths.iter().map(String::as_str));
    let said = python::run("browser_check.py", &arguments);
    let problems: Vec<&str> = said.lines().skip(1).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    // The snippet, as somebody copies it into a page of their own.
    let snippet = body.split("<textarea id=\"snippet\"").nth(1).unwrap().split_once('>').unwrap().1;
    let snippet = snippet.split("</textarea>").next().unwrap();
    let plain = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&#x2F;", "/"),
        ("&amp;", "&"),
    ]
    .into_iter()
    .fold(snippet.to_owned(), |text, (from, to)| text.replace(from, to));
    let theirs = plain.replace("https://news.example.org", &origin);
    let site = Server::start(move |request| match request.target.as_str() {
        "/" => Reply::html(format!("<!doctype html><title>Ana</title>{theirs}")),
        _ => Reply::new(204, ""),
    });
    let said = python::run("embed_check.py", &[&chromium, &site.url("/"), "2"]);
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("https://partner.example/a1 Customs house"), "{said}");
    assert_eq!(lines[1], "https://partner.example/a2 Something of Ana alone");
}
