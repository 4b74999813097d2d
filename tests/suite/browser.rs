//! The pages in a real browser. `./scripts/test` runs this where it finds one.

use crate::admin::{HASH, account, signed_in};
use crate::support::http::{Reply, Server};
use crate::support::service::Service;
use crate::support::{App, python, text_part};

/// Markup that runs something in one browser or another: each calls alert with its number.
fn vectors() -> Vec<String> {
    let mut vectors: Vec<String> = Vec::new();
    let events = [
        "onload",
        "onerror",
        "onclick",
        "onmouseover",
        "onmouseenter",
        "onfocus",
        "onblur",
        "onanimationstart",
        "ontoggle",
        "onpointerover",
        "onwheel",
        "onbegin",
        "oncut",
        "ondrag",
        "onkeydown",
        "oninput",
        "onsubmit",
        "onpageshow",
        "onhashchange",
        "onbeforetoggle",
        "onscrollend",
        "onplay",
        "onloadstart",
        "ontransitionend",
    ];
    for (tag, rest) in [
        ("img", "src=x"),
        ("svg", ""),
        ("body", ""),
        ("details", "open"),
        ("video", "src=x autoplay"),
        ("input", "autofocus"),
    ] {
        vectors.extend(events.iter().map(|event| format!("<{tag} {rest} {event}=alert(N)>x</{tag}>")));
    }
    let addresses = [
        "javascript:alert(N)",
        "JaVaScRiPt:alert(N)",
        " javascript:alert(N)",
        "java\tscript:alert(N)",
        "java\nscript:alert(N)",
        "&#106;avascript:alert(N)",
        "&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A;alert(N)",
        "javascript&colon;alert(N)",
        "\u{1}javascript:alert(N)",
        "vbscript:alert(N)",
        "data:text/html,<script>alert(N)</script>",
        "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
        "javascript://example.org/%0aalert(N)",
        "feed:javascript:alert(N)",
        "blob:javascript:alert(N)",
        "view-source:javascript:alert(N)",
    ];
    for address in addresses {
        for markup in [
            "<a href=\"ADDR\">x</a>",
            "<iframe src=\"ADDR\"></iframe>",
            "<form action=\"ADDR\"><button>x</button></form>",
            "<embed src=\"ADDR\">",
        ] {
            vectors.push(markup.replace("ADDR", address));
        }
    }
    vectors.extend(
        [
            "<script>alert(N)</script>",
            "<SCRIPT SRC=data:,alert(N)></SCRIPT>",
            "<scr<script>ipt>alert(N)</scr</script>ipt>",
            "<script/x>alert(N)</script>",
            "<script\n>alert(N)</script\n>",
            "<svg><script>alert&#40;N&#41;</script></svg>",
            "<svg><animate xlink:href=#x attributeName=href values=javascript:alert(N) /><a id=x><text x=20 y=20>x</text></a></svg>",
            "<svg><set attributeName=onload to=alert(N) /></svg>",
            "<svg><foreignObject><img src=x onerror=alert(N)></foreignObject></svg>",
            "<svg><use href=\"data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'><script>alert(N)</script></svg>#x\"/></svg>",
            "<math><mtext><table><mglyph><style><img src=x onerror=alert(N)></style></mglyph></table></mtext></math>",
            "<math href=javascript:alert(N)>x</math>",
            "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(N)>",
            "<noscript><p title=\"</noscript><img src=x onerror=alert(N)>\"></noscript>",
            "<style><img src=\"</style><img src=x onerror=alert(N)>\"></style>",
            "<title><img src=x onerror=alert(N)></title>",
            "<textarea><img src=x onerror=alert(N)></textarea></textarea><img src=x onerror=alert(N)>",
            "<xmp><img src=x onerror=alert(N)></xmp><xmp><p title=\"</xmp><img src=x onerror=alert(N)>\"></xmp>",
            "<plaintext><img src=x onerror=alert(N)>",
            "<iframe srcdoc=\"<script>parent.alert(N)</script>\"></iframe>",
            "<object data=\"javascript:alert(N)\"></object>",
            "<object type=text/html data=\"data:text/html,<script>alert(N)</script>\"></object>",
            "<embed code=javascript:alert(N)>",
            "<meta http-equiv=refresh content=\"0;url=javascript:alert(N)\">",
            "<base href=javascript:alert(N)//><a href=x>x</a>",
            "<link rel=stylesheet href=javascript:alert(N)>",
            "<link rel=import href=\"data:text/html,<script>alert(N)</script>\">",
            "<isindex action=javascript:alert(N) type=image>",
            "<button formaction=javascript:alert(N)>x</button>",
            "<input type=image src=x onerror=alert(N)>",
            "<keygen autofocus onfocus=alert(N)>",
            "<marquee onstart=alert(N)>x</marquee>",
            "<table background=javascript:alert(N)><tr><td>x</table>",
            "<div style=\"background:url(javascript:alert(N))\">x</div>",
            "<div style=\"width:expression(alert(N))\">x</div>",
            "<div style=\"-moz-binding:url(data:text/xml,x)\">x</div>",
            "<style>@import 'javascript:alert(N)';</style>",
            "<style>@keyframes x{}</style><p style=\"animation-name:x\" onanimationstart=alert(N)>x</p>",
            "<img src=x:x onerror=alert(N) //",
            "<img src=x onerror=alert(N) <b>x",
            "<img \"\"\"><script>alert(N)</script>\">",
            "<img src=\"x` `<script>alert(N)</script>\"` `>",
            "<img/src/onerror=alert(N)>",
            "<img src=x\u{c}onerror=alert(N)>",
            "<a href=\"x\" onclick\u{0}=alert(N)>x</a>",
            "<img srcset=\"javascript:alert(N) 1x\">",
            "<picture><source srcset=javascript:alert(N)><img src=x onerror=alert(N)></picture>",
            "<audio src=x onerror=alert(N)></audio>",
            "<video><source onerror=alert(N)></video>",
            "<video poster=javascript:alert(N)></video>",
            "<track default src=javascript:alert(N)>",
            "<area href=javascript:alert(N)>",
            "<map name=m><area href=javascript:alert(N) shape=default></map><img usemap=#m src=x>",
            "<a href=x target=_blank ping=javascript:alert(N)>x</a>",
            "<a href=\"javascript&#9;:alert(N)\">x</a>",
            "<p><svg><style><!--</style><img src=x onerror=alert(N)>--></svg>",
            "<!--<img src=\"--><img src=x onerror=alert(N)//\">",
            "<!--><img src=x onerror=alert(N)>-->",
            "<![CDATA[<]]><img src=x onerror=alert(N)>",
            "<?xml version=\"1.0\"?><x:script xmlns:x=\"http://www.w3.org/1999/xhtml\">alert(N)</x:script>",
            "<x onclick=alert(N)>x</x>",
            "<custom-element onconnected=alert(N) onclick=alert(N)>x</custom-element>",
            "<template><script>alert(N)</script></template>",
            "<slot onslotchange=alert(N)>x</slot>",
            "<dialog open onclose=alert(N)><form method=dialog><button>x</button></form></dialog>",
            "<select><option><style></option></select><img src=x onerror=alert(N)></style>",
            "<frameset onload=alert(N)>",
            "&lt;script&gt;alert(N)&lt;/script&gt;",
            "&lt;img src=x onerror=alert(N)&gt;",
        ]
        .map(str::to_owned),
    );
    vectors
        .into_iter()
        .enumerate()
        .map(|(number, vector)| {
            vector
                .replace("(N)", &format!("({number})"))
                .replace("&#40;N&#41;", &format!("&#40;{number}&#41;"))
        })
        .collect()
}

/// A feed with one in nine of them, as JSON.
fn hostile_feed() -> String {
    let items: Vec<serde_json::Value> = vectors()
        .iter()
        .step_by(9)
        .enumerate()
        .map(|(number, vector)| {
            serde_json::json!({ "id": format!("g{number}"), "title": format!("{number} {vector}"), "url": format!("https://p.example/{number}"), "summary": vector, "date_published": "2022-10-19T08:00:00Z" })
        })
        .collect();
    serde_json::json!({ "version": "https://jsonfeed.org/version/1.1", "title": "T", "items": items })
        .to_string()
}

#[test]
#[ignore = "needs Chromium: ./scripts/test includes it where there is one"]
fn pages_are_for_everybody_and_nothing_from_a_source_runs() {
    let vectors = vectors();
    assert!(vectors.len() >= 200, "{}", vectors.len());
    let escape = |text: &str| {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
    };
    // XML has no way to write some of the characters that the vectors hold: JSON has.
    let items: Vec<serde_json::Value> = vectors
        .iter()
        .enumerate()
        .map(|(number, vector)| {
            serde_json::json!({ "id": format!("g{number}"), "title": format!("{number} {vector}"), "url": if number % 3 == 0 { format!("javascript:alert({number})") } else { format!("https://p.example/{number}") },
                "summary": vector, "content_html": format!("<p>Story {number}</p>{vector}"), "image": format!("javascript:alert({number})"), "authors": [{ "name": vector, "url": format!("javascript:alert({number})") }],
                "tags": [vector], "date_published": "2022-10-19T08:00:00Z" })
        })
        .collect();
    let json =
        serde_json::json!({ "version": "https://jsonfeed.org/version/1.1", "title": "T", "items": items })
            .to_string();
    let rss: String = vectors
        .iter()
        .enumerate()
        .step_by(3)
        .map(|(number, vector)| {
            let safe: String = escape(vector).chars().filter(|c| *c >= ' ' || matches!(c, '\t' | '\n')).collect();
            format!(
                "<item><guid>r{number}</guid><title>R{number} {safe}</title><link>https://r.example/{number}</link><description>{safe}</description></item>"
            )
        })
        .collect();
    let rss = format!("<rss version=\"2.0\"><channel><title>T</title>{rss}</channel></rss>");
    let french = "<rss version=\"2.0\"><channel><title>T</title><item><guid>f</guid><title>Une réforme de la justice</title><link>https://f.example/1</link><description>Des mots</description></item></channel></rss>";
    let server = Server::start(move |request| match request.target.as_str() {
        "/json" => Reply::ok(json.clone()).with("Content-Type", "application/feed+json"),
        "/fr" => Reply::ok(french),
        _ => Reply::ok(rss.clone()),
    });
    let source = |id: &str, language: &str| {
        format!(
            "[[source]]\nid = \"{id}\"\npartner = \"Partner <b> {id}\"\nlang = \"{language}\"\nurl = \"{}\"\n",
            server.url(&format!("/{id}"))
        )
    };
    let app = App::new(&format!(
        "{}{}{}[[topic]]\nid = \"justice\"\nlabel = {{ en = \"Justice\", fr = \"Justice\" }}\nkeywords = {{ fr = [\"justice\"] }}\n[newsletter]\ncontroller = \"The Network\"\n",
        source("json", "en"),
        source("rss", "en"),
        source("fr", "fr")
    ));
    let config = app.read("feeds.toml").replace("[mail]", "max_entries = 1000\n[mail]");
    app.write("feeds.toml", config);
    app.ok(&["run"]);
    let service = Service::start(&app);
    let chromium = std::env::var("COURANT_TEST_CHROMIUM")
        .expect("COURANT_TEST_CHROMIUM names the browser: ./scripts/test finds it");
    let feed = app.path("public/feed.json");
    let origin = format!("http://{}", service.address());
    let paths = [
        "/",
        "/topics/justice/",
        "/languages/fr/",
        "/partners/partner-b-fr/",
        "/days/",
        "/search?q=justice",
        "/subscribe?l=fr",
        "/privacy/es.html",
        "/issues/",
    ];
    let said = python::run(
        "browser_check.py",
        &[&[chromium.as_str(), &origin, feed.to_str().unwrap()], &paths[..]].concat(),
    );
    let mut lines = said.lines();
    let first = lines.next().unwrap();
    let items: usize = first.split(' ').next().unwrap().parse().unwrap();
    assert!(items >= 350, "{first}");
    let problems: Vec<&str> = lines.collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
#[ignore = "needs Chromium: ./scripts/test includes it where there is one"]
fn a_page_that_a_script_makes_is_read_through_a_browser() {
    let chromium = std::env::var("COURANT_TEST_CHROMIUM")
        .expect("COURANT_TEST_CHROMIUM names the browser: ./scripts/test finds it");
    let script = "const list = document.createElement('main'); for (let n = 1; n <= 5; n++) list.innerHTML += `<article><h3><a href=\"/news/${n}-story\">The story that has number ${n}</a></h3><time datetime=\"2022-10-1${n}\">a day</time><p>What happened in story ${n}, at some length.</p></article>`; document.body.append(list);";
    let page = format!("<html lang=en><body><div id=app></div><script>{script}</script></body></html>");
    let site = Server::start(move |request| match request.target.as_str() {
        "/robots.txt" => Reply::new(404, ""),
        _ => Reply::html(page.clone()),
    });
    let renderer = Server::start(move |request| {
        let address = url::Url::parse(&format!("http://x{}", request.target)).unwrap();
        let (_, page) = address.query_pairs().next().unwrap();
        let arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", &page];
        let shown = std::process::Command::new(&chromium).args(arguments).output().unwrap();
        Reply::html(shown.stdout)
    });
    let source = |more: &str| {
        format!("[[source]]\nid = \"s\"\nkind = \"page\"\nurl = \"{}\"\n{more}", site.url("/news"))
    };
    let app = App::new(&source(""));
    assert_ne!(app.run(&["fetch"]).code, 0, "without a browser there is nothing to read");
    app.configure(&format!("renderer = \"{}\"\n{}", renderer.url("/?url={url}"), source("render = true\n")));
    app.ok(&["fetch", "--all"]);
    assert_eq!(app.titles().len(), 5);
}

#[test]
#[ignore = "needs Chromium: ./scripts/test includes it where there is one"]
fn the_desk_is_for_everybody_and_nothing_from_a_source_runs_there() {
    let chromium = std::env::var("COURANT_TEST_CHROMIUM")
        .expect("COURANT_TEST_CHROMIUM names the browser: ./scripts/test finds it");
    let server = Server::always(Reply::ok(hostile_feed()).with("Content-Type", "application/feed+json"));
    let digest = "[[digest]]\nid = \"d\"\nlanguage = \"fr\"\nschedule = \"daily 09:00 UTC\"\nrecipients = [\"a@example.org\"]\nreview = \"1h\"\neditors = [\"ana@example.org\"]\nwithout_answer = \"hold\"\n";
    let app = App::new(&format!(
        "{digest}[[source]]\nid = \"s\"\npartner = \"Partner <b>\"\nlang = \"en\"\nurl = \"{}\"\n",
        server.url("/json")
    ));
    app.ok(&["run"]);
    let entries = app.entries();
    let id = |number: usize| entries[number]["id"].as_str().unwrap();
    app.ok(&["desk", "pin", id(0)]);
    app.ok(&["desk", "drop", id(1)]);
    app.ok(&["desk", "hold", id(2)]);
    app.ok(&["desk", "introduction", "<script>alert(1)</script>"]);
    app.ok(&["desk", "headline", id(3), "\"><img src=x onerror=alert(2)>"]);
    app.ok(&["desk", "add", "</textarea><script>alert(3)</script>", "<svg onload=alert(4)>"]);
    let mail = app.outbox().remove(0);
    let text = text_part(&mail);
    let link = text.split("https://news.example.org").nth(1).unwrap().split_whitespace().next().unwrap();
    let desk = link.split('?').next().unwrap();
    let service = Service::start(&app);
    let origin = format!("http://{}", service.address());
    let feed = app.path("public/feed.json");
    let paths = [desk.to_owned(), format!("{desk}?l=ar"), format!("{desk}?do=drop&story=1")];
    let mut arguments = vec![chromium.as_str(), &origin, feed.to_str().unwrap()];
    arguments.extend(paths.iter().map(String::as_str));
    let said = python::run("browser_check.py", &arguments);
    let problems: Vec<&str> = said.lines().skip(1).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
#[ignore = "needs Chromium: ./scripts/test includes it where there is one"]
fn the_pages_of_an_operator_are_for_everybody_and_nothing_from_a_source_runs_there() {
    let chromium = std::env::var("COURANT_TEST_CHROMIUM")
        .expect("COURANT_TEST_CHROMIUM names the browser: ./scripts/test finds it");
    let json = hostile_feed();
    // Two texts with much in common.
    let both = "The council of the harbour town voted on Monday evening to rebuild the old customs house beside the northern quay. Masons from three villages will repair the granite arches before the first winter storms arrive.";
    let rest = |which: &str| match which {
        "/one" => {
            "Fishermen had asked for a covered market there since the last hall burned down nine years ago. Engineers warned that the foundations stand on oak piles which have begun to rot below the tide line."
        }
        _ => {
            "Opponents call the plan a gift to hotel owners and have collected four hundred signatures against it. They want a playground with swings and a small orchard instead of another building made of stone."
        }
    };
    let server = Server::start(move |request| match request.target.as_str() {
        "/json" => Reply::ok(json.clone()).with("Content-Type", "application/feed+json"),
        "/broken" => Reply::new(500, "<script>alert(1)</script>"),
        which => {
            let item = format!(
                "<item><guid>{which}</guid><title>Told by {which} in its own way</title><description>{both} {}</description><pubDate>19 Oct 2022 09:00:00 GMT</pubDate></item>",
                rest(which)
            );
            Reply::ok(format!("<rss version=\"2.0\"><channel><title>T</title>{item}</channel></rss>"))
        }
    });
    let source = |id: &str| {
        format!(
            "[[source]]\nid = \"{id}\"\npartner = \"Partner <b> {id}\"\nlang = \"en\"\nurl = \"{}\"\n",
            server.url(&format!("/{id}"))
        )
    };
    let topics =
        "[[topic]]\nid = \"roads\"\nlabel = { en = \"Roads <b>\" }\nkeywords = { en = [\"asphalt\"] }\n";
    let digest = "[[digest]]\nid = \"d\"\ntitle = \"Digest <b>\"\nlanguage = \"fr\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [\"a@gmail.com\", \"b@example.org\"]\n";
    let sources = ["json", "broken", "one", "two"].map(source).concat();
    let app = App::new(&format!("{}{topics}{digest}{sources}", account("olga", "operator", &HASH)));
    // The cookie is one that this browser takes without TLS.
    let config = app.read("feeds.toml").replace("https://news.example.org", "http://news.example.org");
    app.write("feeds.toml", config);
    for id in ["json", "broken", "one", "two"] {
        app.run(&["fetch", "--source", id]);
    }
    app.ok(&["run"]);
    let service = Service::start(&app);
    let cookie = signed_in(&service, "olga").cookie;
    let origin = format!("http://{}", service.address());
    let feed = app.path("public/feed.json");
    let own = [
        "/admin",
        "/admin/source?id=json",
        "/admin/source?id=broken",
        "/admin/judge",
        "/admin/mail",
        "/admin/add",
        "/admin/proposals",
        "/admin?l=ar",
    ];
    let arguments = [&[chromium.as_str(), &origin, feed.to_str().unwrap()], &own[..]].concat();
    let said = python::run_with("browser_check.py", &arguments, &[("COURANT_TEST_COOKIE", &cookie)]);
    let problems: Vec<&str> = said.lines().skip(1).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    let arguments = [chromium.as_str(), &origin, feed.to_str().unwrap(), "/admin/login", "/admin/login?l=ar"];
    let said = python::run("browser_check.py", &arguments);
    let problems: Vec<&str> = said.lines().skip(1).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}
