//! Pages without a feed: found by themselves, mended by themselves.

use serde_json::Value;

use crate::support::App;
use crate::support::http::{Reply, Request, Server};

const SEED: &str = include_str!("../fixtures/ogp-fr-listing.txt");
const PAGE: &str = include_str!("../../demo/sites/ogp-fr.html");

fn probe(app: &App, page: &str, url: &str) -> Value {
    app.write("page.html", page);
    serde_json::from_str(&app.ok(&["probe", "page.html", "--url", url, "--format", "jsonfeed"])).unwrap()
}

/// Every class name a hash, as a build makes them; no ids either.
fn hashed(page: &str) -> String {
    let class = regex::Regex::new("class=\"([^\"]*)\"").unwrap();
    let hash = |name: &str| {
        format!("_{:x}", name.bytes().fold(5381u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte)))
    };
    let page = class.replace_all(page, |found: &regex::Captures| {
        format!("class=\"{}\"", found[1].split(' ').map(hash).collect::<Vec<_>>().join(" "))
    });
    regex::Regex::new(" id=\"post-[0-9]+\"").unwrap().replace_all(&page, "").into_owned()
}

#[test]
fn the_seed_and_its_hashed_sibling_give_six_stories_without_selectors() {
    let paragraphs: Vec<&str> =
        SEED.split("\n\n").map(str::trim_end).filter(|paragraph| !paragraph.is_empty()).collect();
    let stories: Vec<&[&str]> = paragraphs[2..paragraphs.len() - 1].chunks(3).collect();
    let app = App::new("");
    let page = PAGE.replace("{{origin}}", "https://ogp.example");
    for (name, page) in [("the seed", page.clone()), ("hashed", hashed(&page))] {
        let feed = probe(&app, &page, "https://ogp.example/fr/list/");
        let items = feed["items"].as_array().unwrap();
        assert_eq!(items.len(), 6, "{name}: {feed:#}");
        for (item, story) in items.iter().zip(&stories) {
            assert_eq!((&item["title"], &item["summary"]), (&story[1].into(), &story[2].into()), "{name}");
            assert!(item["date_published"].is_null(), "{name}");
        }
        assert_eq!(feed["_courant"]["way"], "record mining");
        assert!(feed["_courant"]["select"]["item"].is_string(), "{name}: {feed:#}");
    }
}

/// A listing of `count` stories from `first` on, in the manner of a redesign.
fn listing(style: &str, first: usize, count: usize) -> String {
    let cards: String = (first..first + count)
        .rev()
        .map(|n| match style {
            "old" => format!("<article class=\"card\"><h3 class=\"card-title\"><a href=\"/news/the-story-number-{n}\">The story that has number {n}</a></h3><p class=\"card-date\">{:02}/10/2022</p><p class=\"card-text\">What happened in the story with the number {n}, at some length.</p></article>", n % 28 + 1),
            "new" => format!("<div class=\"teaser\"><a class=\"teaser-link\" href=\"/news/the-story-number-{n}/\"><div class=\"teaser-head\">The story that has number {n}</div></a><time datetime=\"2022-10-{:02}\">a day</time><div class=\"teaser-body\">What happened in the story with the number {n}, at some length.</div></div>", n % 28 + 1),
            _ => format!("<li><a href=\"/2023/{n}-moved\"><b>The story that has number {n}</b></a></li>"),
        })
        .collect();
    format!(
        "<html lang=en><head><title>Partner</title></head><body><nav><a href=/about>About our organisation</a><a href=/team>The people of the team</a><a href=/contact>Contact</a></nav><main id=\"main\"><div class=\"list\">{cards}</div></main><footer><a href=/imprint>Imprint and legal notice</a></footer></body></html>"
    )
}

fn page_source(url: &str, more: &str) -> String {
    format!("[[source]]\nid = \"s\"\nkind = \"page\"\nurl = \"{url}\"\n{more}")
}

const SELECT: &str =
    "[source.select]\nitem = \".list > article.card\"\ndate = \".card-date\"\nsummary = \".card-text\"\n";

/// Serves a page, and no robots.txt.
fn page_server(page: String) -> Server {
    Server::start(serving(page))
}

fn serving(page: String) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
    move |request| {
        if request.target == "/robots.txt" { Reply::new(404, "") } else { Reply::html(page.clone()) }
    }
}

#[test]
fn what_a_page_tells_itself_is_told_once_and_the_page_is_asked_for_once() {
    let page = |numbers: std::ops::RangeInclusive<usize>| {
        let told = |n: usize| {
            format!(
                "<div class=note id=note-{n}><h3>The harbour gets crane number {n}</h3><p class=date>{n} October 2022</p><p>All that there is to be told of it.</p></div>"
            )
        };
        let notes: String = numbers.rev().map(told).collect();
        format!("<html lang=en><title>News</title><body><h1>News</h1><main>{notes}</main></body></html>")
    };
    let server = page_server(page(11..=13));
    let mut app = App::new(&page_source(&server.url("/news"), "full_text = true"));
    app.ok(&["fetch", "--all"]);
    server.answer(serving(page(12..=14)));
    app.later(61).ok(&["fetch", "--all"]);
    let announced = app.entries().iter().filter(|entry| entry["announced"] == 1).count();
    assert_eq!((app.titles().len(), announced), (4, 4), "{:?}", app.titles());
    let asked = server.requests().iter().filter(|request| request.target == "/news").count();
    assert_eq!(asked, 2, "once at each visit");
}

#[test]
fn a_redesign_is_mended_told_and_announces_nothing_old() {
    for (what, select) in [("configured selectors", SELECT), ("learned ones", "")] {
        for style in ["new", "moved"] {
            let server = page_server(listing("old", 1, 8));
            let mut app = App::new(&page_source(&server.url("/news"), select));
            let config =
                app.read("feeds.toml").replace("[mail]\n", "[mail]\noperator = [\"ops@example.org\"]\n");
            app.write("feeds.toml", config);
            app.ok(&["run"]);
            assert_eq!(app.titles().len(), 8, "{what}");
            // Two stories are new, and everything looks different.
            server.answer(serving(listing(style, 3, 8)));
            app.later(61).ok(&["run"]);
            let announced: Vec<(String, u64)> =
                app.announced().into_iter().filter(|(_, times)| *times > 0).collect();
            assert_eq!(announced.len(), 10, "{what}, {style}: {announced:?}");
            let listed = app.ok(&["sources"]);
            assert!(
                listed.contains("mended on 2022-10-20: the page was redesigned"),
                "{what}, {style}: {listed}"
            );
            let mails = app.outbox();
            assert_eq!(mails.len(), 1, "{what}, {style}");
            assert!(mails[0].contains("ops@example.org") && mails[0].contains("redesigned"), "{}", mails[0]);
            // The learned selectors go on working, and nothing is told twice.
            server.answer(serving(listing(style, 4, 8)));
            app.later(61).ok(&["run"]);
            assert!(app.titles().contains(&"The story that has number 11".to_owned()), "{what}, {style}");
            assert_eq!(app.outbox().len(), 1);
        }
    }
}

#[test]
fn what_was_learned_reads_the_same_again() {
    let server = page_server(listing("new", 1, 8));
    let mut app = App::new(&page_source(&server.url("/news"), ""));
    app.ok(&["fetch"]);
    let before = app.entries();
    assert!(app.later(61).ok(&["fetch"]).contains("0 new, 0 changed, 8 unchanged"));
    assert_eq!(app.entries(), before);
    assert!(
        before
            .iter()
            .all(|entry| !entry["published"].is_null() && !entry["summary"].as_str().unwrap().is_empty())
    );
}

#[test]
fn three_breakdowns_are_told_apart_and_none_is_published() {
    let empty = "<html><body><nav><a href=/about>About our organisation</a></nav><main><div class=list><p>No news at present.</p></div></main></body></html>"
        .to_owned();
    let unknown: String = (0..6).map(|n| format!("<section><h2><a href=\"/products/a-fine-product-number-{n}\">A fine product with the number {n}</a></h2><p>It does everything that a product of its number can do.</p></section>")).collect();
    let gone = format!("<html><body><main>{unknown}</main></body></html>");
    let wall = "<html><head><title>Just a moment...</title></head><body><h1>Checking your browser before accessing the site</h1><div class=cf-challenge></div></body></html>".to_owned();
    let shell = "<html><body><div id=root></div><noscript>You need to enable JavaScript to run this app.</noscript><script src=/app.js></script></body></html>"
        .to_owned();
    let cookies = "<html><body><h1>We value your privacy</h1><p>We use cookies. <button>Accept all</button></p></body></html>".to_owned();
    let works = "<html><head><title>Partner – site en maintenance</title></head><body><h1>Nous revenons vite</h1></body></html>".to_owned();
    let login = "<html><head><title>Se connecter</title></head><body><form><input name=user><input type=password name=p></form></body></html>".to_owned();
    let broken = "<html><head><title>Error</title></head><body><h1>Error establishing a database connection</h1></body></html>".to_owned();
    for (page, want) in [
        (broken, "nothing that it listed is left on the page"),
        (empty, "warning: the page is empty"),
        (gone, "the container of the entries is gone"),
        (wall, "a bot wall answered"),
        (shell, "this page needs a browser"),
        (cookies, "a cookie wall answered"),
        (works, "a maintenance page answered"),
        (login, "a login page answered"),
    ] {
        let server = page_server(listing("old", 1, 8));
        let mut app = App::new(&page_source(&server.url("/news"), SELECT));
        app.ok(&["run"]);
        let atom = app.read("public/atom.xml");
        server.answer(serving(page));
        app.later(61).run(&["run"]);
        let listed = app.ok(&["sources"]);
        assert!(listed.contains(want), "{want} is not in\n{listed}");
        assert_eq!(app.titles().len(), 8, "{want}");
        assert_eq!(app.read("public/atom.xml"), atom, "{want}: nothing changes for readers");
    }
}

#[test]
fn drifting_and_reordered_listings_cause_no_duplicates_and_no_dates_are_made_up() {
    let undated = |order: &[usize]| {
        let cards: String =
            order.iter().map(|n| format!("<li><h2><a href=\"/story-about-number-{n}?utm_source=list\">The story about number {n}</a></h2></li>")).collect();
        format!("<html><body><main><ul>{cards}</ul></main></body></html>")
    };
    let server = page_server(undated(&[1, 2, 3, 4, 5]));
    let mut app = App::new(&page_source(&server.url("/news/page/5/"), ""));
    app.ok(&["fetch"]);
    for order in [[5, 4, 3, 2, 1], [3, 4, 5, 6, 7], [6, 7, 1, 2, 3]] {
        server.answer(serving(undated(&order)));
        app.later(61).ok(&["fetch"]);
    }
    let entries = app.entries();
    assert_eq!(entries.len(), 7);
    assert!(
        entries.iter().all(|entry| entry["published"].is_null() && entry["announced"] == 1),
        "{entries:#?}"
    );
}

#[test]
fn a_page_is_asked_for_its_feed_its_wordpress_and_its_news_sitemap_first() {
    let page = |head: &str| listing("old", 1, 5).replace("<head>", &format!("<head>{head}"));
    let five =
        |entry: &dyn Fn(u8) -> String, between: &str| (1..=5).map(entry).collect::<Vec<_>>().join(between);
    let item = |title: &str, path: &str| {
        format!("<item><title>{title}</title><link>{path}</link><guid>{path}</guid></item>")
    };
    let rss_of = |items: String| format!("<rss version=\"2.0\"><channel>{items}</channel></rss>");
    let in_feed = |n: u8| item(&format!("From the feed itself, {n}"), &format!("/news/the-story-number-{n}"));
    let feed = rss_of(five(&in_feed, ""));
    let post = |n: u8| {
        format!(
            "{{\"id\":{n},\"guid\":{{\"rendered\":\"w{n}\"}},\"link\":\"/news/the-story-number-{n}\",\"date_gmt\":\"2022-10-0{n}T10:00:00\",\"title\":{{\"rendered\":\"From WordPress &#8217;s API, {n}\"}},\"excerpt\":{{\"rendered\":\"<p>x</p>\"}},\"content\":{{\"rendered\":\"<p>whole</p>\"}}}}"
        )
    };
    let posts = format!("[{}]", five(&post, ","));
    let url = |n: u8| {
        format!(
            "<url><loc>/news/the-story-number-{n}</loc><news:news><news:publication_date>2022-10-0{n}</news:publication_date><news:title>From the news sitemap, {n}</news:title></news:news></url>"
        )
    };
    let news = format!(
        "<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\" xmlns:news=\"http://www.google.com/schemas/sitemap-news/0.9\">{}</urlset>",
        five(&url, "")
    );
    let api = "<link rel=\"https://api.w.org/\" href=\"/wp-json/\">";
    let rss = "<link rel=alternate type=application/rss+xml href=/feed.xml>";
    let cases = [
        (page(&format!("{api}{rss}")), "feed autodiscovery", "From the feed itself"),
        (page(api), "WordPress REST", "From WordPress ’s API"),
        (page(""), "news sitemap", "From the news sitemap"),
    ];
    for (page, way, title) in cases {
        let has_sitemap = way == "news sitemap";
        let (feed, posts, news) = (feed.clone(), posts.clone(), news.clone());
        let server =
            Server::start(move |request: &Request| match request.target.split('?').next().unwrap() {
                "/robots.txt" if has_sitemap => Reply::new(200, "Sitemap: /sitemap-news.xml\n"),
                "/news" => Reply::html(page.clone()),
                "/feed.xml" => Reply::ok(feed.clone()),
                "/wp-json/wp/v2/posts" => {
                    Reply::new(200, posts.clone()).with("Content-Type", "application/json")
                }
                "/sitemap-news.xml" if has_sitemap => {
                    Reply::new(200, news.clone()).with("Content-Type", "application/xml")
                }
                _ => Reply::new(404, ""),
            });
        for kind in ["page", "auto"] {
            let mut app =
                App::new(&page_source(&server.url("/news"), "").replace("\"page\"", &format!("\"{kind}\"")));
            app.ok(&["fetch"]);
            let titles = app.titles();
            assert!(
                titles.len() == 5 && titles.iter().all(|one| one.starts_with(title)),
                "{way}, {kind}: {titles:?}"
            );
            server.take_requests();
            app.later(61).ok(&["fetch"]);
            let again: Vec<String> = server
                .take_requests()
                .into_iter()
                .map(|request| request.target)
                .filter(|target| target != "/robots.txt")
                .collect();
            assert!(
                again.len() == 1 && !again[0].ends_with("/news"),
                "{way}, {kind}: what was found is remembered: {again:?}"
            );
        }
        if way != "news sitemap" {
            let app = App::new("");
            assert!(app.ok(&["probe", &server.url("/news")]).contains(&format!("read by: {way}")));
        }
    }
    let others: String =
        (1..=9).map(|n| item(&format!("Another thing, {n}"), &format!("/other/{n}"))).collect();
    let stale = feed.replace("<guid>", "<pubDate>Mon, 03 Feb 2020 10:00:00 GMT</pubDate><guid>");
    let comment = "Comments on the first by Luc";
    let comments = rss_of(item(comment, "/news/the-story-number-1#comment-12"));
    // What a site's feed holds beside, of old, or as comments, does not stand for one of its pages.
    for (feed, kinds) in [
        (rss_of(others.clone()), &["page"][..]),
        (rss_of(format!("{others}{}", in_feed(1))), &["page"]),
        (stale, &["page", "auto"]),
        (comments, &["page", "auto"]),
    ] {
        for kind in kinds {
            let feed = feed.clone();
            let server = Server::start(move |request: &Request| match request.target.as_str() {
                "/news" => Reply::html(listing("old", 1, 5).replace("<head>", &format!("<head>{rss}"))),
                "/feed.xml" => Reply::ok(feed.clone()),
                _ => Reply::new(404, ""),
            });
            let app =
                App::new(&page_source(&server.url("/news"), "").replace("\"page\"", &format!("\"{kind}\"")));
            app.ok(&["fetch"]);
            let titles = app.titles();
            assert!(
                titles.len() == 5 && !titles.iter().any(|title| title.contains("From") || title == comment),
                "{titles:?}"
            );
        }
    }
}

#[test]
fn a_feed_that_stops_while_its_page_goes_on_no_longer_stands_in_for_it() {
    let rss = "<link rel=alternate type=application/rss+xml href=/feed.xml>";
    let item = |n: u8| {
        format!(
            "<item><title>The story that has number {n}</title><link>/news/the-story-number-{n}</link><guid>{n}</guid><pubDate>{:02} Oct 2022 08:00:00 GMT</pubDate></item>",
            n % 28 + 1
        )
    };
    let feed =
        format!("<rss version=\"2.0\"><channel>{}</channel></rss>", (1..=5).map(item).collect::<String>());
    let answer = move |first: usize, is_gone: bool| {
        let (page, feed) =
            (listing("old", first, 5).replace("<head>", &format!("<head>{rss}")), feed.clone());
        move |request: &Request| match request.target.as_str() {
            "/news" if is_gone => Reply::new(500, ""),
            "/news" => Reply::html(page.clone()),
            "/feed.xml" => Reply::ok(feed.clone()),
            _ => Reply::new(404, ""),
        }
    };
    let server = Server::start(answer(1, false));
    let mut app = App::new(&page_source(&server.url("/news"), ""));
    app.ok(&["fetch"]);
    assert!(app.titles().len() == 5 && app.ok(&["sources"]).contains(" 5 "), "{:?}", app.titles());
    // A page that is down for a while takes nothing from its feed.
    server.answer(answer(1, true));
    app.later(15 * 24 * 60).ok(&["fetch"]);
    server.answer(answer(6, false));
    app.later(60 * 24).ok(&["fetch"]);
    assert_eq!(app.titles().len(), 5, "the page was looked at a day ago");
    app.later(15 * 24 * 60).ok(&["fetch"]);
    assert_eq!(app.titles().len(), 10, "{:?}", app.titles());
}

const TITLES: [&str; 5] = [
    "Open budgets in six African cities",
    "La société civile face au numérique : bilan",
    "Judges and journalists: a new pact",
    "Datos abiertos para la justicia climática",
    "What the new law on lobbying changes",
];
const EXCERPT: &str =
    "This is the excerpt of the story, which goes on for a while and says what happened, when, and to whom.";

/// A page whose cards `card` makes, between a menu and a footer that are plain `div`s.
fn site(card: impl Fn(usize, &str) -> String) -> String {
    let cards: String = TITLES.iter().enumerate().map(|(n, title)| card(n, title)).collect();
    format!(
        "<html><body><div class=top><ul><li><a href=/about>About us and our work</a></li><li><a href=/programmes/justice>The justice programme</a></li><li><a href=/programmes/data>The data programme</a></li></ul></div><div class=list>{cards}</div><div class=foot><a href=/privacy>Privacy notice</a></div></body></html>"
    )
}

#[test]
fn listings_of_many_makes_are_read() {
    let pages = [
        (
            "a flat page, the date in front of each heading",
            site(|n, title| format!("<p>September {}, 2020</p><h4><a href=\"/news/{n}-story\">{title}</a></h4><p>in Geneva</p><p>{EXCERPT}</p>", 20 - n)),
        ),
        (
            "author and topic links in each card",
            site(|n, title| {
                format!(
                    "<div class=post><span>September {}, 2020</span><h2><a href=\"/news/{n}-story\">{title}</a></h2>by <a href=/author/ana>Ana Pérez</a> in <a href=/topics/land>Land and environment</a><p>{EXCERPT} <a href=\"/news/{n}-story\">Read more</a></p></div>",
                    20 - n
                )
            }),
        ),
        (
            "whole bodies with links of their own",
            site(|n, title| {
                format!(
                    "<article><h2><a href=\"/news/{n}-story\">{title}</a></h2><time datetime=2020-09-{}>x</time><p>{EXCERPT}</p><p>See <a href=\"/files/{n}\">the document of the meeting</a>.</p></article>",
                    20 - n
                )
            }),
        ),
        (
            "each title twice, once for a picture",
            site(|n, title| {
                format!(
                    "<div class=row><a href=\"/news/{n}-story\"><img alt=\"Some photo {n}\" src=/{n}.png></a><div><a href=\"/news/{n}-story\">{title}</a><span> — Sep {}, 2020</span><div>{EXCERPT}</div></div></div>",
                    20 - n
                )
            }),
        ),
        (
            "a table, two rows a story",
            format!(
                "<html><body><table>{}</table></body></html>",
                TITLES
                    .iter()
                    .enumerate()
                    .map(|(n, title)| format!(
                        "<tr><td><a href=\"/news/{n}-story\">{title}</a></td><td>September {}, 2020</td></tr><tr><td colspan=2>{EXCERPT}</td></tr>",
                        20 - n
                    ))
                    .collect::<String>()
            ),
        ),
        (
            "nothing but divs, a label first",
            site(|n, title| {
                format!(
                    "<div><div><div><a href=/tag/justicia>Justicia</a></div><a href=\"/news/{n}-story\"><div><div>{title}</div></div></a><div>{} de septiembre de 2020</div><div>{EXCERPT}</div></div></div>",
                    20 - n
                )
            }),
        ),
        (
            "a date as a picture of itself",
            site(|n, title| {
                format!(
                    "<a href=\"/news/2020-09-{}-story-{n}\"><div><h3>SEP</h3><h2>{}</h2></div><div class=title_text>{title}</div><div>{EXCERPT}</div></a>",
                    20 - n,
                    20 - n
                )
            }),
        ),
    ];
    let app = App::new("");
    for (make, page) in pages {
        let feed = probe(&app, &page, "https://x.example/news");
        let items = feed["items"].as_array().unwrap();
        let titles: Vec<&str> = items.iter().map(|item| item["title"].as_str().unwrap_or("")).collect();
        assert_eq!(titles, TITLES, "{make}");
        for (n, item) in items.iter().enumerate() {
            assert!(item["url"].as_str().unwrap().contains("/news/"), "{make}: {item}");
            assert_eq!(item["date_published"], format!("2020-09-{}T00:00:00Z", 20 - n), "{make}");
            assert_eq!(item["summary"].as_str().unwrap_or("")[..40], EXCERPT[..40], "{make}");
        }
    }
}

#[test]
fn pages_with_days_that_tell_no_news_are_no_listing() {
    let app = App::new("");
    for (title, names, day) in [
        (
            "Témoignages",
            ["Marie, bénévole du club", "Paul, bénévole du club", "Luc, trésorier du club"],
            "12 octobre 2022",
        ),
        (
            "Testimonials",
            ["Marie, a member since 2010", "Paul, a member since 2012", "Luc, a member since 2015"],
            "October 12, 2022",
        ),
        (
            "Calendrier des vacances scolaires",
            ["Vacances de la Toussaint", "Vacances de Noël et jour de l'an", "Vacances d'hiver de la zone B"],
            "22 octobre 2022",
        ),
        (
            "Vos démarches",
            ["Carte nationale d'identité", "Acte de naissance en ligne", "Permis de construire une maison"],
            "12/10/2022",
        ),
        (
            "Trámites y servicios",
            ["Certificado de empadronamiento", "Licencia de obra menor", "Pago de tributos municipales"],
            "12/10/2022",
        ),
        (
            "By-laws",
            ["Noise by-law 2022-14", "Parking by-law 2022-09", "Zoning by-law 2021-02"],
            "October 12, 2022",
        ),
        (
            "Règlements municipaux",
            [
                "Règlement 2022-14 sur le bruit",
                "Règlement 2022-09 sur les chiens",
                "Règlement 2021-02 de zonage",
            ],
            "12 octobre 2022",
        ),
        (
            "Ordenanzas municipales",
            [
                "Ordenanza fiscal del impuesto",
                "Ordenanza de convivencia ciudadana",
                "Ordenanza de terrazas y veladores",
            ],
            "12/10/2022",
        ),
        (
            "Regolamenti comunali",
            [
                "Regolamento di polizia urbana",
                "Regolamento edilizio del comune",
                "Regolamento del mercato settimanale",
            ],
            "12 ottobre 2022",
        ),
    ] {
        let of = |title: &str| {
            let card = |(n, name): (usize, &&str)| {
                format!(
                    "<div class=card><h3><a href=/s/{n}>{name}</a></h3><span class=date>{day}</span></div>"
                )
            };
            let cards: String = names.iter().enumerate().map(card).collect();
            format!(
                "<html><head><title>{title} | Town</title></head><body><main><h1>{title}</h1>{cards}</main></body></html>"
            )
        };
        app.write("page.html", of(title));
        let ran = app.run(&["probe", "page.html", "--url", "https://x.example/s"]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("no listing found"), "{title}: {said}");
        let items = probe(&app, &of("News"), "https://x.example/s")["items"].as_array().unwrap().len();
        assert_eq!(items, 3, "the same is news where the page says so: {title}");
    }
}

#[test]
fn what_a_page_tells_in_any_clothing_is_read() {
    let app = App::new("");
    let told = |(n, title): (usize, &&str)| {
        format!(
            "<p><a name=a{n}></a><font size=4><b>{title}</b></font><br><i>{} October 2022</i><br>{EXCERPT}</p><hr>",
            11 + n
        )
    };
    let folded = |(n, title): (usize, &&str)| {
        format!(
            "<details id=\"part-of-{}\"><summary><strong>{title}</strong> <em>({} October 2022)</em></summary><p>{EXCERPT}</p></details>",
            "x".repeat(n + 1),
            11 + n
        )
    };
    let parts = |(n, title): (usize, &&str)| {
        format!(
            "<section><h2 id=news-{}>{title}</h2><p>Published on {} October 2022</p><p>{EXCERPT}</p></section>",
            "x".repeat(n + 1),
            11 + n
        )
    };
    let of = |record: &dyn Fn((usize, &&str)) -> String| {
        let records: String = TITLES.iter().enumerate().map(record).collect();
        format!(
            "<html><head><title>News</title></head><body><main><h1>News of the town</h1>{records}</main></body></html>"
        )
    };
    for (what, page) in [("bold lines", of(&told)), ("folded parts", of(&folded)), ("parts", of(&parts))] {
        let feed = probe(&app, &page, "https://x.example/news");
        let items = feed["items"].as_array().unwrap();
        let titles: Vec<&str> = items.iter().map(|item| item["title"].as_str().unwrap_or("")).collect();
        assert_eq!(titles, TITLES, "{what}");
        for (n, item) in items.iter().enumerate() {
            assert_eq!(item["date_published"], format!("2022-10-{}T00:00:00Z", 11 + n), "{what}");
        }
    }
}

#[test]
fn the_year_of_the_oldest_entry_dates_a_sorted_list_and_a_picture_for_readers_without_scripts_is_shown() {
    let app = App::new("");
    let days = ["14 October", "3 October", "12 September", "18 August", "25 December 2021"];
    let card = |(n, title): (usize, &&str)| {
        format!(
            "<article><img class=lazy src=/grey.gif><noscript><img src=/{n}.jpg></noscript><h3><a href=/news/{n}-story>{title}</a></h3><span class=date>{}</span></article>",
            days[n]
        )
    };
    let cards: String = TITLES.iter().enumerate().map(card).collect();
    app.write(
        "page.html",
        format!(
            "<html><head><title>News</title></head><body><main><h1>News</h1>{cards}</main></body></html>"
        ),
    );
    let url = "https://x.example/news";
    let feed: Value =
        serde_json::from_str(&app.ok(&["probe", "page.html", "--url", url, "--format", "jsonfeed"])).unwrap();
    let read: Vec<(&str, &str)> = feed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (&item["date_published"].as_str().unwrap()[..10], item["image"].as_str().unwrap()))
        .collect();
    let want = ["2022-10-14", "2022-10-03", "2022-09-12", "2022-08-18", "2021-12-25"];
    for (n, (day, image)) in read.into_iter().enumerate() {
        assert_eq!((day, image), (want[n], format!("https://x.example/{n}.jpg").as_str()));
    }
}

#[test]
fn a_title_that_is_only_in_a_picture_comes_from_the_items_own_page() {
    let page = site(|n, title| {
        format!(
            "<div class=row><a href=\"/news/{n}-story\"><img alt=\"{title}\" src=/{n}.png></a><div>{EXCERPT} {n}</div><a href=\"/news/{n}-story\">Read More</a></div>"
        )
    });
    let server = Server::start(move |request: &Request| match request.target.as_str() {
        "/news" => Reply::html(page.clone()),
        "/robots.txt" => Reply::new(404, ""),
        other => Reply::html(format!(
            "<html><head><meta property=og:title content=\"The title of {other}\"></head></html>"
        )),
    });
    let app = App::new(&page_source(&server.url("/news"), ""));
    app.ok(&["fetch"]);
    assert_eq!(app.titles(), (0..5).map(|n| format!("The title of /news/{n}-story")).collect::<Vec<_>>());
}

#[test]
fn structured_data_comes_before_records() {
    let items: String = (1..=4).map(|n| format!("{{\"@type\":\"ListItem\",\"position\":{n},\"item\":{{\"@type\":\"NewsArticle\",\"url\":\"/a/{n}\",\"headline\":\"Headline for machines {n}\",\"datePublished\":\"2022-10-0{n}\"}}}},")).collect();
    let page = format!(
        "<html><head><script type=\"application/ld+json\">{{\"@type\":\"ItemList\",\"itemListElement\":[{}]}}</script></head><body><div><a href=/a/1>x</a><a href=/a/2>y</a></div></body></html>",
        items.trim_end_matches(',')
    );
    let feed = probe(&App::new(""), &page, "https://x.example/news");
    assert_eq!(feed["_courant"]["way"], "structured data");
    assert_eq!(
        (&feed["items"][3]["title"], &feed["items"][3]["date_published"]),
        (&"Headline for machines 4".into(), &"2022-10-04T00:00:00Z".into())
    );
}

#[test]
fn probe_prints_selectors_that_work_and_writes_them_with_comments_kept() {
    let app = App::new(
        "# my partners\n[[source]]\nid = \"s\"          # the first\nkind = \"page\"\nurl = \"https://partner.example/news\"\n\n# the end\n",
    );
    app.write("page.html", listing("old", 1, 6));
    let said = app.ok(&["probe", "page.html", "--url", "https://partner.example/news", "--write"]);
    assert!(said.contains("read by: record mining") && said.contains("[source.select]\nitem = "), "{said}");
    let written = app.read("feeds.toml");
    for kept in ["# my partners", "id = \"s\"          # the first", "# the end", "[source.select]"] {
        assert!(written.contains(kept), "{kept} is not in\n{written}");
    }
    app.ok(&["check"]);
    let again: Value = serde_json::from_str(&app.ok(&[
        "probe",
        "page.html",
        "--url",
        "https://partner.example/news",
        "--format",
        "jsonfeed",
    ]))
    .unwrap();
    assert_eq!(again["_courant"]["way"], "selectors");
    assert_eq!(again["items"].as_array().unwrap().len(), 6);
    assert_eq!(again["items"][0]["title"], "The story that has number 6");
    assert_eq!(again["items"][0]["date_published"], "2022-10-07T00:00:00Z");
    // A page that no source has yet becomes one.
    app.ok(&["probe", "page.html", "--url", "https://other.example/news", "--write"]);
    assert!(app.read("feeds.toml").contains("url = \"https://other.example/news\""));
    app.ok(&["check"]);
}

#[test]
fn full_text_is_fetched_once_and_cleaned() {
    let body: String = (0..6)
        .map(|n| format!("<p>Paragraph {n} of the article says something that is long enough to be worth reading, with a comma, and more.</p>"))
        .collect();
    let article = format!(
        "<html lang=es><head><title>Una historia | Sitio</title><link rel=canonical href=/news/the-story-number-1><link rel=alternate hreflang=en href=/en/story><meta name=author content=\"Ana Pérez\"></head><body><nav><a href=/a>Menu entry one</a></nav><article><h1>Una historia</h1><time datetime=2022-10-05>5 oct</time>{body}<script>evil()</script></article><footer>Imprint and all that</footer></body></html>"
    );
    let server = Server::start({
        let article = article.clone();
        move |request: &Request| match request.target.as_str() {
            "/news" => Reply::html(listing("old", 1, 3)),
            "/news/the-story-number-1" => Reply::html(article.clone()),
            "/robots.txt" => Reply::new(200, "User-agent: *\nDisallow: /news/the-story-number-2"),
            _ => Reply::html("<html><body><p>Subscribe to continue</p></body></html>"),
        }
    });
    let mut app = App::new(&(page_source(&server.url("/news"), "full_text = true\n") + SELECT));
    app.ok(&["run"]);
    let atom = app.read("public/atom.xml");
    assert!(
        atom.contains("Paragraph 5 of the article")
            && !atom.contains("evil()")
            && !atom.contains("Menu entry")
            && atom.contains("<name>Ana Pérez</name>"),
        "{atom}"
    );
    assert!(!atom.contains("Subscribe to continue"), "a paywall is no article");
    let asked: Vec<String> = server.take_requests().into_iter().map(|request| request.target).collect();
    assert!(!asked.contains(&"/news/the-story-number-2".to_owned()), "robots.txt holds for items too");
    app.later(61).ok(&["fetch"]);
    assert_eq!(
        server.take_requests().iter().filter(|request| request.target.starts_with("/news/")).count(),
        0,
        "once"
    );
    app.write("article.html", article);
    let read: Value = serde_json::from_str(&app.ok(&[
        "probe",
        "--article",
        "article.html",
        "--url",
        "https://x.example/news/1",
        "--format",
        "jsonfeed",
    ]))
    .unwrap();
    let item = &read["items"][0];
    let text = item["content_text"].as_str().unwrap();
    assert!(
        text.contains("Paragraph 0 of")
            && text.contains("Paragraph 5 of")
            && !text.contains("Menu entry")
            && !text.contains("Imprint"),
        "{item:#}"
    );
    assert_eq!(
        (&item["language"], &item["authors"][0]["name"], &item["date_published"]),
        (&"es".into(), &"Ana Pérez".into(), &"2022-10-05T00:00:00Z".into())
    );
    assert_eq!(item["_courant"]["alternates"][0]["url"], "https://x.example/en/story");
}

#[test]
fn rules_keep_drop_and_rewrite_and_probe_shows_them() {
    let item = |title: &str, n: u8| {
        format!(
            "<item><title>{title}</title><guid isPermaLink=\"false\">{n}</guid><link>https://x.example/{n}</link></item>"
        )
    };
    let feed = format!(
        "<rss version=\"2.0\"><channel>{}{}{}</channel></rss>",
        item("Budget figures for all | Partner", 1),
        item("Job offer: budget officer", 2),
        item("Something else entirely", 3)
    );
    let server = Server::always(Reply::ok(feed));
    let app = App::new(&format!(
        "[[source]]\nid = \"s\"\nurl = \"{}\"\nkeep = {{ title = \"(?i)budget\" }}\ndrop = {{ title = [\"^Job offer\", \"^Ad:\"] }}\nrewrite = [{{ title = \" [|] Partner$\" }}]\n",
        server.url("/")
    ));
    app.ok(&["fetch"]);
    assert_eq!(app.titles(), ["Budget figures for all"]);
    let said = app.ok(&["probe", &server.url("/")]);
    for want in [
        "* rewrite \" [|] Partner$\"",
        "* dropped: drop title = \"^Job offer\"",
        "* dropped: no rule of keep fits",
    ] {
        assert!(said.contains(want), "{want} is not in\n{said}");
    }
    app.configure(
        "[[source]]\nid = \"s\"\nurl = \"https://x.example/\"\nkeep = { title = \"(\", titel = \"x\" }\n",
    );
    let ran = app.run(&["check"]);
    assert!(
        ran.stderr.contains("not a valid regular expression")
            && ran.stderr.contains("did you mean \"title\"?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn hopeless_pages_cost_little_and_say_so() {
    let app = App::new("");
    let big = format!(
        "<html><body>{}</body></html>",
        "<p>Nothing but words in a very long page, and no link at all.</p>".repeat(800_000)
    );
    let deep = format!("<html><body>{}", "<div><b><i>".repeat(350_000));
    for (name, page) in [("50 MB", big), ("a million deep", deep), ("no html", "just words".to_owned())] {
        app.write("page.html", page);
        let ran = app.run(&["probe", "page.html", "--url", "https://x.example/"]);
        assert!(
            ran.code == 1 || ran.stdout.contains("no listing found"),
            "{name}: {} {}",
            ran.stdout,
            ran.stderr
        );
    }
    let latin: Vec<u8> = listing("old", 1, 3)
        .replace("The story", "L\u{e9} r\u{e9}cit")
        .replace("<head>", "<head><meta charset=utf-8>")
        .chars()
        .map(|c| c as u8)
        .collect();
    app.write("latin.html", latin);
    assert!(
        app.ok(&["probe", "latin.html", "--url", "https://x.example/"])
            .contains("Lé récit that has number 3"),
        "a wrong charset"
    );
}
