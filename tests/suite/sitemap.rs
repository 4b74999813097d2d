//! Sitemaps as sources: the pages that changed last, called by what their own pages say.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::App;
use crate::support::http::{Reply, Request, Server};

fn urlset(urls: &[(&str, Option<&str>)]) -> String {
    let url = |(loc, lastmod): &(&str, Option<&str>)| {
        let lastmod = lastmod.map(|day| format!("<lastmod>{day}</lastmod>")).unwrap_or_default();
        format!(
            "<url><loc>{loc}</loc>{lastmod}<image:image><image:loc>https://x.example/a.jpg</image:loc></image:image></url>"
        )
    };
    let urls: String = urls.iter().map(url).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\" xmlns:image=\"http://www.google.com/schemas/sitemap-image/1.1\">{urls}</urlset>"
    )
}

fn item(title: &str, day: u8) -> String {
    format!(
        "<html lang=en><head><meta property=\"og:title\" content=\"{title}\"><meta name=description content=\"What {title} is about.\"><meta property=\"article:published_time\" content=\"2022-10-{day:02}T08:00:00Z\"></head><body><article><h1>{title}</h1><p>Text</p></article></body></html>"
    )
}

fn source(kind: &str, url: &str) -> String {
    format!("[[source]]\nid = \"s\"\nkind = \"{kind}\"\nurl = \"{url}\"\nlang = \"en\"\n")
}

fn xml(body: impl Into<Vec<u8>>) -> Reply {
    Reply::new(200, body).with("Content-Type", "application/xml")
}

fn site(request: &Request) -> Reply {
    match request.target.as_str() {
        "/sitemap.xml" => xml(urlset(&[
            ("/", Some("2022-10-20")),
            ("/news", Some("2022-10-20")),
            ("/news/old", Some("2022-09-01T10:00:00+02:00")),
            ("/news/bridge", Some("2022-10-18T10:00:00Z")),
            ("/news/gone", Some("2022-10-17")),
            ("/news/plan.pdf", Some("2022-10-19")),
            ("/news/closed", Some("2022-10-16")),
            ("/news/members", Some("2022-10-15")),
            ("/news/works", Some("2022-10-14")),
            ("/news/no-date", None),
        ])),
        "/robots.txt" => Reply::new(200, "User-agent: *\nDisallow: /news/closed"),
        "/news/old" => Reply::html(item("An old story", 1)),
        "/news/bridge" => Reply::html(item("The bridge is open", 18)),
        "/news/members" => Reply::new(302, "").with("Location", "/login"),
        "/login" => Reply::html(item("Log in", 1)),
        "/news/works" => Reply::html(
            "<html><head><title>Town: under maintenance</title></head><body><h1>We are back soon</h1></body></html>",
        ),
        "/news/no-date" => Reply::html(item("Nobody knows when", 2)),
        _ => Reply::new(404, ""),
    }
}

#[test]
fn the_pages_of_a_sitemap_are_called_by_their_own_pages() {
    let server = Server::start(site);
    for kind in ["sitemap", "auto"] {
        let app = App::new(&source(kind, &server.url("/sitemap.xml")));
        app.ok(&["fetch"]);
        let mut found: Vec<(String, String)> = app
            .entries()
            .iter()
            .map(|entry| (entry["title"].as_str().unwrap().to_owned(), entry["published"].to_string()))
            .collect();
        found.sort();
        let day = |day: &str| format!("\"2022-10-{day}T08:00:00Z\"");
        let wanted = [("An old story", "01"), ("Nobody knows when", "02"), ("The bridge is open", "18")];
        assert_eq!(found, wanted.map(|(title, date)| (title.to_owned(), day(date))), "{kind}");
        let bridge = app.entries().into_iter().find(|entry| entry["title"] == "The bridge is open").unwrap();
        assert_eq!(bridge["summary"], "What The bridge is open is about.");
        assert_eq!(bridge["updated"], "2022-10-18T10:00:00Z");
        let told = app.ok(&["sources"]);
        assert!(
            told.contains("robots.txt of 127.0.0.1 keeps us from this page") && told.contains("404"),
            "{told}"
        );
        assert!(
            server.requests().iter().all(|request| !request.target.contains("pdf") && request.target != "/")
        );
    }
    let app = App::new(&source("feed", &server.url("/sitemap.xml")));
    let ran = app.run(&["fetch"]);
    assert!(ran.stdout.contains("use kind = \"sitemap\""), "{}", ran.stdout);
}

#[test]
fn the_newest_of_an_index_are_read_packed_or_not_and_only_what_is_new_is_asked_for() {
    let count = Arc::new(AtomicUsize::new(40));
    let server = Server::start({
        let count = count.clone();
        move |request: &Request| {
            match request.target.as_str() {
            "/index.xml" => xml("<sitemapindex xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\"><sitemap><loc>/posts.xml.gz</loc><lastmod>2022-10-20</lastmod></sitemap><sitemap><loc>/category-sitemap.xml</loc></sitemap><sitemap><loc>/broken.xml</loc></sitemap></sitemapindex>").with("ETag", "\"1\""),
            "/posts.xml.gz" => {
                let many: Vec<(String, String)> = (1..=count.load(Ordering::SeqCst))
                    .map(|n| (format!("/{n}-story"), format!("2022-{:02}-{:02}", 9 + n / 29, n % 29 + 1)))
                    .collect();
                let many: Vec<(&str, Option<&str>)> = many.iter().map(|(url, day)| (url.as_str(), Some(day.as_str()))).collect();
                let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                packed.write_all(urlset(&many).as_bytes()).unwrap();
                Reply::new(200, packed.finish().unwrap()).with("Content-Type", "application/x-gzip")
            }
            "/broken.xml" => xml("<html><body>An error</body></html>"),
            "/robots.txt" => Reply::new(404, ""),
            "/category-sitemap.xml" => xml(urlset(&[("/category/a", None)])),
            target => Reply::html(item(&format!("Story {}", target.trim_matches(|c: char| !c.is_ascii_digit())), 1)),
        }
        }
    });
    let mut app = App::new(&source("sitemap", &server.url("/index.xml")));
    app.ok(&["fetch"]);
    let titles = app.titles();
    assert_eq!(titles.len(), 30);
    assert!(
        titles.contains(&"Story 40".to_owned()) && !titles.contains(&"Story 10".to_owned()),
        "{titles:?}"
    );
    let asked = |server: &Server| {
        server.requests().iter().filter(|request| request.target.ends_with("-story")).count()
    };
    assert_eq!(asked(&server), 30);
    assert!(app.ok(&["sources"]).contains("/broken.xml was not read"));
    count.store(41, Ordering::SeqCst);
    app.later(61).ok(&["fetch"]);
    assert_eq!((app.titles().len(), asked(&server)), (31, 31), "only the new one");
}

#[test]
fn a_rule_over_addresses_counts_before_the_newest_are_taken_and_hostile_sitemaps_end_in_time() {
    let body = Arc::new(std::sync::Mutex::new(String::new()));
    let server = Server::start({
        let body = body.clone();
        move |request: &Request| match request.target.as_str() {
            "/sitemap.xml" => xml(body.lock().unwrap().clone()),
            "/robots.txt" => Reply::new(404, ""),
            target => Reply::html(item(target, 1)),
        }
    });
    let others: Vec<(String, Option<&str>)> =
        (0..100).map(|n| (format!("/products/{n}"), Some("2022-10-20"))).collect();
    let mut urls: Vec<(&str, Option<&str>)> = others.iter().map(|(url, day)| (url.as_str(), *day)).collect();
    urls.push(("/news/a", Some("2022-01-01")));
    *body.lock().unwrap() = urlset(&urls);
    let app = App::new(&format!(
        "{}keep = {{ url = \"/news/\" }}\n",
        source("sitemap", &server.url("/sitemap.xml"))
    ));
    app.ok(&["fetch"]);
    assert_eq!(app.titles(), ["/news/a"]);
    let deep = format!("/{}", "a/".repeat(500));
    let hostile: Vec<String> = (0..20_000).map(|n| format!("{deep}{n}")).collect();
    let hostile: Vec<(&str, Option<&str>)> =
        hostile.iter().map(|url| (url.as_str(), Some("9999-99-99"))).collect();
    *body.lock().unwrap() = urlset(&hostile);
    app.run(&["fetch", "--all"]);
    *body.lock().unwrap() = "<urlset>".repeat(200_000);
    app.run(&["fetch", "--all"]);
    assert_eq!(app.titles(), ["/news/a"], "what was read before stays");
}
