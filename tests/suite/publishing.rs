//! What readers get: feeds in three formats, archives, pages, and the web server that hands them out.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::http::{Reply, Server};
use crate::support::python;
use crate::support::service::{METRICS, Service};
use crate::support::{App, rss};

/// A feed as feedparser reads it.
fn read_by_feedparser(app: &App, path: &str) -> Value {
    let out = python::run("feed_read.py", &[app.path(path).to_str().unwrap()]);
    serde_json::from_str(&out).unwrap()
}

fn titles(feed: &Value) -> Vec<String> {
    feed["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["title"].as_str().unwrap().to_owned())
        .collect()
}

/// Three partners: one story in two languages, a copy of it, one with all that an entry can have, and one of no topic.
fn network() -> (Server, App) {
    let entry = |language: &str, title: &str, host: &str| {
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{language}\"><id>urn:{host}</id><title>T</title><updated>2022-10-19T00:00:00Z</updated><entry><title>{title}</title><id>urn:{host}:1</id><updated>2022-10-19T00:00:00Z</updated><published>2022-10-18T10:00:00Z</published><summary>Words &amp;amp; more</summary><content type=\"html\">&lt;p&gt;Full &lt;b&gt;text&lt;/b&gt;&lt;/p&gt;</content><link href=\"https://o.example/{language}\"/><link rel=\"alternate\" hreflang=\"fr\" href=\"https://o.example/fr\"/><link rel=\"alternate\" hreflang=\"en\" href=\"https://o.example/en\"/></entry></feed>"
        )
    };
    let server = Server::start(move |request| {
        match request.target.as_str() {
        "/fr" => Reply::ok(entry("fr", "La justice avance", "fr")),
        "/en" => Reply::ok(entry("en", "Justice &lt;b&gt; advances", "en")),
        "/copy" => Reply::ok(entry("en", "Justice &lt;b&gt; advances", "copy")),
        _ => Reply::ok("<rss version=\"2.0\" xmlns:media=\"http://search.yahoo.com/mrss/\"><channel><title>T</title><item><guid>b</guid><title>The budget of the year</title><link>https://b.example/b</link><pubDate>Mon, 17 Oct 2022 09:00:00 GMT</pubDate><description>Figures</description><media:thumbnail url=\"https://b.example/b.jpg\"/><enclosure url=\"https://b.example/b.mp3\" type=\"audio/mpeg\" length=\"123\"/></item><item><guid>c</guid><title>A story of nothing</title><link>https://b.example/c</link><pubDate>Sun, 16 Oct 2022 09:00:00 GMT</pubDate></item></channel></rss>".to_owned()),
    }
    });
    let source = |id: &str, partner: &str| {
        format!(
            "[[source]]\nid = \"{id}\"\npartner = \"{partner}\"\nlang = \"{}\"\nurl = \"{}\"\n",
            if id == "fr" { "fr" } else { "en" },
            server.url(&format!("/{id}"))
        )
    };
    let app = App::new(&format!(
        "{}{}{}{}[[topic]]\nid = \"justice\"\nlabel = {{ en = \"Justice\", fr = \"La justice\" }}\nkeywords = {{ en = [\"justice\"], fr = [\"justice\"] }}\n[[topic]]\nid = \"budget\"\nlabel = {{ en = \"Budgets\" }}\nkeywords = {{ en = [\"budget\"] }}\n[[feed]]\nid = \"budget-of-b\"\ntitle = \"Budgets of B\"\ntopics = [\"budget\"]\npartners = [\"Partner B\"]\nlanguage = \"fr\"\n",
        source("fr", "Réseau É"),
        source("en", "Partner A"),
        source("copy", "Partner C"),
        source("rest", "Partner B")
    ));
    // Whose version of a story came first is not left to chance.
    for id in ["fr", "en", "copy", "rest"] {
        app.ok(&["fetch", "--source", id]);
    }
    app.ok(&["run"]);
    (server, app)
}

#[test]
fn every_outlet_has_three_formats_that_another_reader_reads_field_for_field() {
    let (_server, app) = network();
    let all = ["The budget of the year", "A story of nothing"];
    for (publication, first, rest) in [
        ("", Some("Justice <b> advances"), &all[..]),
        ("topics/justice/", Some("Justice <b> advances"), &[]),
        ("topics/budget/", None, &all[..1]),
        ("partners/partner-b/", None, &all[..]),
        ("partners/reseau-e/", Some("La justice avance"), &[]),
        ("languages/fr/", Some("La justice avance"), &[]),
        ("languages/en/", Some("Justice <b> advances"), &all[..]),
        ("feeds/budget-of-b/", None, &all[..1]),
    ] {
        let want: Vec<String> = first.into_iter().chain(rest.iter().copied()).map(str::to_owned).collect();
        let json: Value = serde_json::from_str(&app.read(&format!("public/{publication}feed.json"))).unwrap();
        let json_titles: Vec<String> = json["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["title"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(json_titles, want, "{publication}feed.json");
        assert_eq!(
            (json["version"].as_str(), json["feed_url"].as_str()),
            (
                Some("https://jsonfeed.org/version/1.1"),
                Some(format!("https://news.example.org/{publication}feed.json").as_str())
            )
        );
        for file in ["atom.xml", "rss.xml"] {
            let feed = read_by_feedparser(&app, &format!("public/{publication}{file}"));
            assert_eq!(feed["bozo"], false, "{publication}{file}");
            let unescaped: Vec<String> =
                titles(&feed).iter().map(|title| title.replace("&lt;", "<").replace("&gt;", ">")).collect();
            assert_eq!(unescaped, want, "{publication}{file}");
            assert_eq!(feed["links"]["self"], format!("https://news.example.org/{publication}{file}"));
            let links: Vec<&str> = feed["entries"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["link"].as_str().unwrap())
                .collect();
            let json_links: Vec<&str> =
                json["items"].as_array().unwrap().iter().map(|item| item["url"].as_str().unwrap()).collect();
            assert_eq!(links, json_links, "{publication}{file}");
            assert_eq!(feed["entries"][0]["id"], json["items"][0]["id"]);
        }
    }
    let atom = read_by_feedparser(&app, "public/atom.xml");
    assert_eq!(atom["version"], "atom10");
    let story = &atom["entries"][0];
    let links = story["links"].to_string();
    for want in [
        "[\"alternate\",\"https://o.example/en\",\"en\"]",
        "[\"alternate\",\"https://o.example/fr\",\"fr\"]",
        "[\"via\",\"https://o.example/en\",\"en\"]",
    ] {
        assert!(links.contains(want), "{want} is not in {links}");
    }
    assert_eq!(
        story["tags"],
        serde_json::json!([["justice", "https://news.example.org/topics/", "Justice"]])
    );
    assert_eq!(
        (story["source"].as_str(), story["published"].as_str()),
        (Some("Partner A"), Some("2022-10-18T10:00:00Z"))
    );
    let budget = &atom["entries"][1];
    assert_eq!(
        (&budget["thumbnail"], &budget["enclosures"]),
        (&serde_json::json!(["https://b.example/b.jpg"]), &serde_json::json!(["https://b.example/b.mp3"]))
    );
    let json: Value = serde_json::from_str(&app.read("public/feed.json")).unwrap();
    assert_eq!(json["items"][0]["_courant"]["translations"][0]["url"], "https://o.example/fr");
    assert_eq!(json["items"][1]["attachments"][0]["size_in_bytes"], 123);
    let rss = read_by_feedparser(&app, "public/rss.xml");
    assert_eq!(
        (rss["version"].as_str(), rss["entries"][1]["published"].as_str()),
        (Some("rss20"), Some("2022-10-17T09:00:00Z"))
    );
}

#[test]
fn courant_reads_its_own_feeds_alike() {
    let (_server, app) = network();
    let read = |file: &str| -> Vec<[Value; 5]> {
        let feed: Value =
            serde_json::from_str(&app.ok(&["probe", "--format", "jsonfeed", &format!("public/{file}")]))
                .unwrap();
        let item = |item: &Value| {
            ["id", "title", "url", "date_published", "content_html"].map(|key| item[key].clone())
        };
        feed["items"].as_array().unwrap().iter().map(item).collect()
    };
    let atom = read("atom.xml");
    assert_eq!(atom.len(), 3);
    for (other, has_content) in [("rss.xml", true), ("feed.json", true)] {
        for (one, two) in atom.iter().zip(read(other)) {
            assert_eq!(one[..4], two[..4], "{other}");
            assert!(
                !has_content || one[4] == two[4] || one[4].is_null(),
                "{other}: {:?} {:?}",
                one[4],
                two[4]
            );
        }
    }
}

#[test]
fn archives_hold_what_is_no_more_in_the_feed_and_never_change() {
    let stories = |range: std::ops::Range<u32>| {
        let items: Vec<(String, String)> =
            range.map(|n| (format!("g{n}"), format!("The story that bears number {n}."))).collect();
        rss(&items.iter().map(|(guid, title)| (guid.as_str(), title.as_str(), 12, "x")).collect::<Vec<_>>())
    };
    let server = Server::always(Reply::ok(stories(0..120)));
    let mut app =
        App::new(&format!("[[source]]\nid = \"s\"\nlang = \"en\"\nurl = \"{}\"\n", server.url("/")));
    let config =
        app.read("feeds.toml").replace("[mail]", "max_entries = 10\n[publish]\narchives = \"all\"\n[mail]");
    app.write("feeds.toml", config);
    app.ok(&["run"]);
    // A reader that was away follows prev-archive from the feed to the first document (RFC 5005 section 4.2).
    let walk = |app: &App| -> BTreeSet<String> {
        let (mut path, mut seen) = ("public/atom.xml".to_owned(), BTreeSet::new());
        loop {
            let feed = read_by_feedparser(app, &path);
            assert_eq!(feed["bozo"], false);
            seen.extend(titles(&feed));
            assert_eq!(feed["links"].get("current").is_some(), path.contains("archive"));
            let Some(before) = feed["links"].get("prev-archive") else { return seen };
            path = before.as_str().unwrap().replace("https://news.example.org", "public");
        }
    };
    assert_eq!(walk(&app).len(), 120);
    let archives = ["public/archive/1.xml", "public/archive/2.xml", "public/languages/en/archive/1.xml"]
        .map(|path| app.read(path));
    assert!(archives[0].contains("<fh:archive") && !app.path("public/archive/3.xml").exists());
    // New stories and edits of old ones: the feed changes, the archives do not.
    server.answer(move |_| Reply::ok(stories(0..160).replace("number 3.", "number three.")));
    app.later(61).ok(&["run"]);
    assert_eq!(
        ["public/archive/1.xml", "public/archive/2.xml", "public/languages/en/archive/1.xml"]
            .map(|path| app.read(path)),
        archives
    );
    assert!(app.path("public/archive/3.xml").exists());
    assert_eq!(walk(&app).len(), 160);
}

#[test]
fn only_what_a_change_concerns_is_written_again() {
    let (server, mut app) = network();
    let files = |app: &App| -> Vec<std::path::PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![app.path("public")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found
    };
    for file in files(&app) {
        std::fs::File::options()
            .append(true)
            .open(&file)
            .unwrap()
            .set_modified(std::time::UNIX_EPOCH)
            .unwrap();
    }
    server.answer(|request| match request.target.as_str() {
        "/rest" => Reply::ok(rss(&[("n", "A budget story that is new", 20, "x")])),
        _ => Reply::new(304, ""),
    });
    app.later(61).ok(&["run"]);
    let written: BTreeSet<String> = files(&app)
        .into_iter()
        .filter(|file| file.metadata().unwrap().modified().unwrap() > std::time::UNIX_EPOCH)
        .map(|file| file.strip_prefix(app.path("public")).unwrap().display().to_string())
        .collect();
    let concerned = [
        "atom.xml",
        "index.html",
        "topics/budget/atom.xml",
        "partners/partner-b/index.html",
        "languages/en/feed.json",
        "feeds/budget-of-b/rss.xml",
        "days/2022-10-20.html",
        "days/index.html",
        "sitemap.xml",
    ];
    for file in concerned {
        assert!(written.contains(file), "{file} is not in {written:?}");
    }
    assert!(
        !written.iter().any(|file| file.starts_with("topics/justice")
            || file.starts_with("languages/fr")
            || file.contains("2022-10-18")
            || file.contains("partner-a")),
        "{written:?}"
    );
    // A killed run leaves what it did not write to the next: nothing is left behind.
    std::fs::remove_dir_all(app.path("public/topics")).unwrap();
    app.later(1).ok(&["publish"]);
    assert!(app.path("public/topics/budget/index.html").exists());
}

#[test]
fn pages_lists_and_the_search_lead_everywhere() {
    let (_server, app) = network();
    let index = app.read("public/index.html");
    for want in [
        "href=\"topics/justice/index.html\"",
        "href=\"partners/reseau-e/index.html\"",
        "href=\"languages/fr/index.html\"",
        "href=\"feeds/budget-of-b/index.html\"",
        "type=\"application/feed+json\"",
        "og:title",
        "hreflang=\"fr\"",
        "rel=\"noopener nofollow ugc\"",
    ] {
        assert!(index.contains(want), "{want}");
    }
    assert!(
        !index.contains("<img") && !index.contains("<script"),
        "no picture and no script unless the operator wants them"
    );
    assert!(
        app.read("public/languages/fr/index.html").contains("<html lang=\"fr\"")
            && app.read("public/languages/fr/index.html").contains("La justice avance")
    );
    assert!(app.read("public/days/2022-10-18.html").contains("Justice &lt;b&gt; advances"));
    assert!(app.read("public/opml.xml").contains("text=\"Réseau É\""));
    assert!(app.read("public/sitemap.xml").contains("<loc>https://news.example.org/topics/budget/</loc>"));
    let service = Service::start(&app);
    assert_eq!(service.ask("GET", "/search/?q=x", "", "").0, 301, "links of the page are relative");
    let (status, page) = service.ask("GET", "/search?q=BUDG%C3%89T+yea", "", "");
    assert!(
        status == 200 && page.contains("The budget of the year") && !page.contains("A story of nothing"),
        "{page}"
    );
    let (status, page) = service.ask("GET", "/search?q=%22%3Cscript%3Ealert(1)%3C%2Fscript%3E*+OR", "", "");
    assert!(status == 200 && !page.contains("<script>"), "{page}");
    assert_eq!(service.ask("GET", "/search", "", "").0, 200);
    for path in ["/topics/budget/", "/topics/budget/index.html", "/days/", "/favicon.svg", "/opml.xml"] {
        assert_eq!(service.ask("GET", path, "", "").0, 200, "{path}");
    }
}

#[test]
fn a_search_finds_titles_first_and_then_the_newest() {
    let items = [
        ("a", "Budgets of the year", 20, "Figures"),
        ("b", "A new law", 19, "It is about the budget"),
        ("c", "The budget is open", 10, "Figures"),
        ("d", "Another law", 18, "The budget once more"),
        ("e", "A budget of nothing", 9, ""),
    ];
    let server = Server::start(move |_| Reply::ok(rss(&items)));
    let app = App::new(&format!("[[source]]\nid = \"s\"\nurl = \"{}\"\n", server.url("/")));
    app.ok(&["run"]);
    let service = Service::start(&app);
    let (_, page) = service.ask("GET", "/search?q=budget", "", "");
    let at = |title: &str| page.find(title).unwrap_or_else(|| panic!("{title} is not in {page}"));
    let places =
        ["The budget is open", "A budget of nothing", "A new law", "Another law", "Budgets of the year"]
            .map(at);
    assert!(places.is_sorted(), "{places:?}");
}

/// One request on a connection of its own: the whole answer.
fn raw(service: &Service, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(service.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn the_server_knows_validators_codings_and_its_own_health() {
    let (_server, app) = network();
    app.write("feeds.toml", app.read("feeds.toml") + METRICS);
    let service = Service::start(&app);
    let ask = |method: &str, path: &str, headers: &str| -> (u16, String, Vec<u8>) {
        let answer = raw(
            &service,
            &format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"),
        );
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        (head[9..12].parse().unwrap(), head, answer[end + 4..].to_vec())
    };
    let of = |head: &str, name: &str| {
        head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default().to_owned()
    };
    let (status, head, body) = ask("GET", "/atom.xml", "");
    assert_eq!((status, of(&head, "content-type").as_str()), (200, "application/atom+xml; charset=utf-8"));
    assert_eq!(body, app.read("public/atom.xml").into_bytes());
    let (etag, modified) = (of(&head, "etag"), of(&head, "last-modified"));
    assert!(
        etag.starts_with('"')
            && of(&head, "cache-control").contains("max-age")
            && of(&head, "vary").contains("accept-encoding")
    );
    for name in ["content-security-policy", "x-content-type-options", "referrer-policy", "x-frame-options"] {
        assert!(!of(&head, name).is_empty(), "{name}");
    }
    for headers in [
        format!("If-None-Match: {etag}\r\n"),
        format!("If-None-Match: \"x\", W/{etag}\r\n"),
        "If-None-Match: *\r\n".into(),
        format!("If-Modified-Since: {modified}\r\n"),
    ] {
        let (status, head, body) = ask("GET", "/atom.xml", &headers);
        assert_eq!((status, body.len(), of(&head, "etag")), (304, 0, etag.clone()), "{headers}");
    }
    assert_eq!(
        ask("GET", "/atom.xml", &format!("If-None-Match: \"other\"\r\nIf-Modified-Since: {modified}\r\n")).0,
        200,
        "a tag goes before a date"
    );
    let (status, head, empty) = ask("HEAD", "/atom.xml", "");
    assert_eq!((status, empty.len(), of(&head, "content-length")), (200, 0, body.len().to_string()));
    let mut tags = BTreeSet::from([etag]);
    for (coding, decode) in [
        (
            "gzip",
            (|bytes| {
                let mut out = Vec::new();
                flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
                out
            }) as fn(&[u8]) -> Vec<u8>,
        ),
        ("br", |bytes| {
            let mut out = Vec::new();
            brotli::BrotliDecompress(&mut &bytes[..], &mut out).unwrap();
            out
        }),
        ("zstd", |bytes| zstd::decode_all(bytes).unwrap()),
    ] {
        let (_, head, coded) = ask("GET", "/atom.xml", &format!("Accept-Encoding: {coding}\r\n"));
        assert_eq!(of(&head, "content-encoding"), coding);
        assert!(coded.len() < body.len() && decode(&coded) == body);
        assert!(tags.insert(of(&head, "etag")), "each form has a strong tag of its own");
    }
    let (status, head, _) = ask("POST", "/atom.xml", "Content-Length: 0\r\n");
    assert_eq!((status, of(&head, "allow").as_str()), (405, "GET, HEAD"));
    assert_eq!(
        (ask("GET", "/topics/budget", "").0, ask("GET", "/healthz", "").0, ask("GET", "/readyz", "").0),
        (301, 200, 200)
    );
    assert_eq!(ask("GET", "/metrics", "").0, 404, "metrics are not for readers");
    let metrics = service.metrics();
    for want in [
        "courant_sources{state=\"ok\"} 4",
        "courant_stories 3",
        "courant_http_responses_total{class=\"2xx\"}",
        "courant_cycles_total",
    ] {
        assert!(metrics.contains(want), "{want} is not in\n{metrics}");
    }
}

#[test]
fn paths_heads_and_slow_clients_change_nothing_for_others() {
    let (_server, app) = network();
    app.write("secret.txt", "geheim");
    std::os::unix::fs::symlink(app.path("secret.txt"), app.path("public/.hidden")).unwrap();
    let service = Service::start(&app);
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/topics/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "//../secret.txt",
        "/.hidden",
        "/%00",
        "/./../secret.txt",
    ] {
        let answer = String::from_utf8_lossy(&raw(
            &service,
            &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        ))
        .into_owned();
        assert!(
            !answer.contains("geheim") && (answer.contains(" 404 ") || answer.contains(" 400 ")),
            "{path}: {answer}"
        );
    }
    let answer = String::from_utf8_lossy(&raw(
        &service,
        "GET /x%0d%0aSet-Cookie:%20a=b/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ))
    .to_lowercase();
    assert!(!answer.contains("\nset-cookie"), "{answer}");
    let long = "x".repeat(1 << 20);
    let answer = String::from_utf8_lossy(&{
        let mut stream = TcpStream::connect(service.address()).unwrap();
        let _ =
            stream.write_all(format!("GET /atom.xml HTTP/1.1\r\nHost: x\r\nA: {long}\r\n\r\n").as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    })
    .into_owned();
    assert!(answer.is_empty() || answer.contains(" 431 "), "{answer}");
    assert_eq!(service.ask("POST", "/subscribe", "", &"x=y&".repeat(50_000)).0, 413);
    // A thousand who never come to the point, and one who does.
    let slow: Vec<TcpStream> = (0..1_000)
        .map(|_| {
            let mut stream = TcpStream::connect(service.address()).unwrap();
            stream.write_all(b"GET /atom.xml HTTP/1.1\r\nHost: ").unwrap();
            stream
        })
        .collect();
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(service.ask("GET", "/atom.xml", "", "").0, 200);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    drop(slow);
}

#[test]
fn pictures_are_left_out_handed_on_or_shown_as_the_operator_wants() {
    let own = b"\x89PNG\r\n\x1A\nrest".to_vec();
    let server = Server::always(Reply::ok(""));
    let feed = format!(
        "<rss version=\"2.0\" xmlns:media=\"http://search.yahoo.com/mrss/\"><channel><title>T</title>{}</channel></rss>",
        ["a", "b"]
            .map(|name| format!(
                "<item><guid>{name}</guid><title>The story {name} of the day</title><media:thumbnail url=\"{}\"/></item>",
                server.url(&format!("/{name}.png"))
            ))
            .concat()
    );
    let (a, b) = (own.clone(), own);
    server.answer(move |request| match request.target.as_str() {
        "/a.png" => Reply::ok(a.clone()).with("Content-Type", "image/png"),
        "/b.png" => Reply::ok("<script>alert(1)</script>").with("Content-Type", "image/png"),
        _ => Reply::ok(feed.clone()),
    });
    let source = format!("[[source]]\nid = \"s\"\nlang = \"en\"\nurl = \"{}\"\n", server.url("/feed"));
    let app = App::new(&source);
    app.ok(&["run"]);
    assert!(!app.read("public/index.html").contains("<img"));
    app.configure(&format!("[publish]\nimages = \"direct\"\n{source}"));
    app.ok(&["publish"]);
    let page = app.read("public/index.html");
    assert!(
        page.contains(&format!("src=\"{}\"", server.url("/a.png")))
            && page.contains("width=\"160\" height=\"90\" loading=\"lazy\""),
        "{page}"
    );
    app.configure(&format!("[publish]\nimages = \"proxy\"\n{source}"));
    app.ok(&["publish"]);
    let page = app.read("public/index.html");
    assert!(!page.contains(&server.url("/a.png")));
    let links: Vec<String> = page
        .split("src=\"image/")
        .skip(1)
        .map(|rest| format!("/image/{}", rest.split('"').next().unwrap()))
        .collect();
    let service = Service::start(&app);
    let answers: Vec<Vec<u8>> = links
        .iter()
        .map(|link| raw(&service, &format!("GET {link} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")))
        .collect();
    let pictures =
        answers.iter().filter(|answer| answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(&b)).count();
    let refused = answers.iter().filter(|answer| answer.starts_with(b"HTTP/1.1 415")).count();
    assert_eq!((links.len(), pictures, refused), (2, 1, 1));
    assert_eq!(service.ask("GET", "/image/forged.token", "", "").0, 404);
}

#[test]
fn a_story_that_went_into_another_is_on_no_page_any_more() {
    let entry = |name: &str, title: &str, day: u8, alternates: &str| {
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>urn:{name}</id><title>T</title><updated>2022-10-19T00:00:00Z</updated><entry><title>{title}</title><id>urn:e:{name}</id><published>2022-10-{day}T09:00:00Z</published><updated>2022-10-{day}T09:00:00Z</updated><link href=\"https://{name}.example/1\"/>{alternates}</entry></feed>"
        )
    };
    let both = "<link rel=\"alternate\" hreflang=\"en\" href=\"https://en.example/1\"/><link rel=\"alternate\" hreflang=\"fr\" href=\"https://fr.example/1\"/>";
    let server = Server::always(Reply::ok(""));
    let empty = "<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>urn:x</id><title>T</title><updated>2022-10-19T00:00:00Z</updated></feed>";
    let answer = move |has_third: bool| {
        move |request: &crate::support::http::Request| match request.target.as_str() {
            "/en" => Reply::ok(entry("en", "Courts open their doors", 17, "")),
            "/fr" => Reply::ok(entry("fr", "Les tribunaux ouvrent leurs portes", 18, "")),
            _ if has_third => Reply::ok(entry("es", "Los tribunales abren sus puertas", 19, both)),
            _ => Reply::ok(empty),
        }
    };
    server.answer(answer(false));
    let source = |id: &str| {
        format!("[[source]]\nid = \"{id}\"\nlang = \"{id}\"\nurl = \"{}\"\n", server.url(&format!("/{id}")))
    };
    let mut app = App::new(&format!("{}{}{}", source("en"), source("fr"), source("es")));
    app.ok(&["run"]);
    assert!(app.read("public/days/2022-10-18.html").contains("Les tribunaux ouvrent leurs portes"));
    server.answer(answer(true));
    app.later(61).ok(&["run"]);
    let day = app.read("public/days/2022-10-17.html");
    assert!(
        day.contains("Courts open their doors")
            && day.contains("Les tribunaux ouvrent leurs portes")
            && day.contains("Los tribunales abren sus puertas"),
        "{day}"
    );
    assert!(!app.path("public/days/2022-10-18.html").exists(), "it is told with the other");
    assert!(!app.read("public/days/index.html").contains("2022-10-18"));
    assert_eq!(app.read("public/atom.xml").matches("<entry>").count(), 1);
}
