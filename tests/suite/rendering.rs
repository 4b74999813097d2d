//! Pages behind JavaScript, shown by a program that answers HTML.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::App;
use crate::support::http::{Reply, Request, Server};

/// What a server sends to whoever runs no scripts.
const SHELL: &str = "<html><head><script src=/app.js></script></head><body><div id=app></div></body></html>";

fn listing() -> String {
    let cards: String = (1..=5)
        .map(|n| format!("<article><h3><a href=\"/news/{n}-story\">The story that has number {n}</a></h3><time datetime=\"2022-10-1{n}\">a day</time><p>What happened in story {n}, at some length.</p></article>"))
        .collect();
    format!("<html lang=en><body><main><div class=list>{cards}</div></main></body></html>")
}

fn site(robots: &'static str) -> Server {
    Server::start(move |request: &Request| match request.target.as_str() {
        "/robots.txt" => Reply::new(200, robots),
        _ => Reply::html(SHELL),
    })
}

fn configure(app: &App, renderer: &str, site: &Server) {
    app.configure(&format!(
        "renderer = \"{renderer}\"\n[[source]]\nid = \"s\"\nurl = \"{}\"\nrender = true\n",
        site.url("/news?page=1&all=yes")
    ));
}

#[test]
fn a_rendered_page_is_read_as_if_it_stood_at_its_own_address_and_its_robots_txt_counts() {
    let works = Arc::new(AtomicBool::new(true));
    let renderer = Server::start({
        let works = works.clone();
        move |_: &Request| match works.load(Ordering::SeqCst) {
            true => Reply::html(listing()),
            false => Reply::new(502, "no browser"),
        }
    });
    let (open, closed) = (site("User-agent: *\nDisallow: /admin"), site("User-agent: *\nDisallow: /news"));
    let mut app = App::new("");
    let address = renderer.url("/render?key=secret&url={url}");
    configure(&app, &address, &open);
    app.ok(&["fetch"]);
    let urls: Vec<String> =
        app.entries().iter().map(|entry| entry["url"].as_str().unwrap().to_owned()).collect();
    assert_eq!(urls.len(), 5, "{urls:?}");
    assert!(urls.contains(&open.url("/news/3-story")), "{urls:?}");
    let encoded: String =
        url::form_urlencoded::byte_serialize(open.url("/news?page=1&all=yes").as_bytes()).collect();
    assert_eq!(renderer.requests()[0].target, format!("/render?key=secret&url={encoded}"));
    assert!(open.requests().iter().all(|request| request.target == "/robots.txt"));
    // The failure is the renderer's; its address may hold a key.
    works.store(false, Ordering::SeqCst);
    let ran = app.later(61).run(&["fetch"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("the renderer at 127.0.0.1:")
            && said.contains("did not show the page: the server answers 502"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
    assert_eq!(app.entries().len(), 5);
    works.store(true, Ordering::SeqCst);
    let asked = renderer.requests().len();
    configure(&app, &address, &closed);
    let ran = app.later(61).run(&["fetch"]);
    assert!(ran.stdout.contains("robots.txt of 127.0.0.1 keeps us from this page"), "{}", ran.stdout);
    assert_eq!(renderer.requests().len(), asked, "nobody is sent where we may not go");
    // `probe` shows what is read.
    configure(&app, &address, &open);
    assert!(app.ok(&["probe", &open.url("/news?page=1&all=yes")]).contains("The story that has number 4"));
}

#[test]
fn only_the_renderer_may_stand_on_this_machine() {
    let renderer = Server::start(|_: &Request| Reply::html(listing()));
    let site = site("");
    let app = App::new("");
    configure(&app, &renderer.url("/?url={url}"), &site);
    let config = app.read("feeds.toml").replace("allow = [\"127.0.0.1\", \"::1\"]\n", "");
    app.write("feeds.toml", config);
    let ran = app.run(&["fetch"]);
    assert!(ran.stdout.contains("127.0.0.1 is a private address"), "{}", ran.stdout);
    assert!(renderer.requests().is_empty());
}

#[test]
fn a_configuration_that_cannot_render_is_refused() {
    let app = App::new("");
    for (rest, said) in [
        (
            "[[source]]\nid = \"s\"\nurl = \"https://x.example/\"\nrender = true\n",
            "needs a program that renders",
        ),
        ("renderer = \"http://127.0.0.1:3000/\"\n", "has no {url}"),
        ("renderer = \"ftp://127.0.0.1/{url}\"\n", "must begin with http"),
        (
            "renderer = \"http://127.0.0.1:3000/{url}\"\n[[source]]\nid = \"s\"\nkind = \"feed\"\nurl = \"https://x.example/\"\nrender = true\n",
            "is for pages, not for kind = \"feed\"",
        ),
    ] {
        app.configure(rest);
        let ran = app.run(&["check"]);
        assert!(
            ran.code != 0 && format!("{}{}", ran.stdout, ran.stderr).contains(said),
            "{rest}: {}{}",
            ran.stdout,
            ran.stderr
        );
    }
}
