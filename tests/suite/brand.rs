//! How pages, forms and mails look: `[brand]`, the lead story, what the navigation shows.

use crate::support::http::{Reply, Server};
use crate::support::service::{self, Service};
use crate::support::{App, header, rss, text_part};

const BRAND: &str = "[brand]\nlogo = \"own/logo.svg\"\nlogo_dark = \"own/night.png\"\naccent = \"#7a1f4b\"\naccent_dark = \"#f0a3c4\"\ntypeface = \"source-serif\"\naddress = [\"The Network <b>\", \"12 Rue de la Paix\"]\n[[brand.link]]\nlabel = \"Legal notice\"\nurl = \"https://www.example.org/legal\"\n";

fn source(id: &str, server: &Server) -> String {
    format!(
        "[[source]]\nid = \"{id}\"\npartner = \"Partner {id}\"\nlang = \"en\"\nurl = \"{}\"\n",
        server.url(&format!("/{id}"))
    )
}

/// A feed whose stories have numbers, and pictures if they are to.
fn feed(count: usize, has_pictures: bool) -> String {
    let item = |number: usize| {
        let picture = if has_pictures {
            format!("<media:thumbnail url=\"https://p.example/{number}.jpg\"/>")
        } else {
            String::new()
        };
        format!(
            "<item><guid>{number}</guid><title>The harbour publishes record number {number}</title><link>https://p.example/{number}</link><pubDate>{:02} Oct 2022 09:00:00 GMT</pubDate><description>Words of story {number}.</description>{picture}</item>",
            19 - number % 2
        )
    };
    let items: String = (0..count).map(item).collect();
    format!(
        "<rss version=\"2.0\" xmlns:media=\"http://search.yahoo.com/mrss/\"><channel><title>T</title>{items}</channel></rss>"
    )
}

#[test]
fn pages_forms_and_mails_wear_the_brand() {
    let server = Server::always(Reply::ok(feed(9, false)));
    let mut app = App::new("");
    app.write("own/logo.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
    app.write("own/night.png", "no picture, but a file");
    app.configure(&format!(
        "{BRAND}{}[newsletter]\n[[digest]]\nid = \"daily\"\ntitle = \"The day\"\nschedule = \"daily 07:00 UTC\"\nrecipients = [\"ana@example.org\"]\n[[topic]]\nid = \"eight\"\nlabel = {{ en = \"Eight\" }}\nkeywords = {{ en = [\"8\"] }}\n",
        source("a", &server)
    ));
    app.ok(&["run"]);
    app.later(24 * 60).ok(&["run"]);
    let page = app.read("public/index.html");
    for part in [
        "--accent: #7a1f4b;",
        "--accent: #f0a3c4;",
        "font-family: \"Source Serif\"; src: url(\"brand/source-serif.woff2\")",
        "<source media=\"(prefers-color-scheme: dark)\" srcset=\"brand/logo-dark.png\"><img src=\"brand/logo.svg\" alt=\"\" height=\"48\">",
        "The Network &lt;b&gt; · 12 Rue de la Paix",
        "<a href=\"https:&#x2F;&#x2F;www.example.org&#x2F;legal\">Legal notice</a>",
    ] {
        assert!(page.contains(part) || page.contains(&part.replace("&#x2F;", "/")), "{part}:\n{page}");
    }
    assert!(app.read("public/days/2022-10-19.html").contains("url(\"../brand/source-serif.woff2\")"));
    assert!(app.read("public/favicon.svg").contains("#7a1f4b"));
    assert!(app.read("public/brand/OFL.txt").contains("SIL OPEN FONT LICENSE"));
    assert_eq!(app.read("public/brand/logo-dark.png"), "no picture, but a file");
    let mails = app.outbox();
    assert_eq!(header(&mails[0], "To"), "ana@example.org");
    let text = text_part(&mails[0]);
    assert!(
        text.contains("The Network <b>\n12 Rue de la Paix\nLegal notice: https://www.example.org/legal"),
        "{text}"
    );
    let mut issue = std::fs::read_dir(app.path("public/issues")).unwrap().map(|file| file.unwrap().path());
    let issue = issue.find(|path| !path.ends_with("index.html")).unwrap();
    let html = std::fs::read_to_string(issue).unwrap();
    assert!(
        html.contains("#7a1f4b")
            && !html.contains("#0b5c8a")
            && html.contains("In this issue: Eight (1) · Other topics (8)"),
        "{html}"
    );
    assert!(html.contains("The Network &lt;b&gt; · 12 Rue de la Paix"), "{html}");
    let service = Service::start(&app);
    let get = |path: &str| service::ask_whole(service.address(), "GET", path, "\r\n");
    let form = get("/subscribe");
    assert!(
        form.contains("url(\"/brand/source-serif.woff2\")") && form.contains("src=\"/brand/logo.svg\""),
        "{form}"
    );
    assert!(form.contains("font-src 'self'"), "{form}");
    assert!(service.ask("HEAD", "/brand/source-serif.woff2", "", "").0 == 200);
    // What changes is published anew.
    let config = app.read("feeds.toml").replace("#7a1f4b", "#123456");
    app.write("feeds.toml", config);
    app.ok(&["publish"]);
    assert!(app.read("public/days/2022-10-19.html").contains("--accent: #123456;"));
}

#[test]
fn a_colour_that_cannot_be_read_is_said_and_replaced() {
    let app = App::new("[brand]\naccent = \"#ffcc00\"\n");
    let ran = app.run(&["check"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.code == 0
            && said.contains("#ffcc00 cannot be read on white: #")
            && said.contains("stands in its place"),
        "{said}"
    );
    app.ok(&["publish"]);
    let page = app.read("public/index.html");
    assert!(!page.contains("--accent: #ffcc00; --serif"), "{page}");
    assert!(page.contains("--accent: #ffcc00; }"), "on black it can be read: {page}");
    for (faulty, reason) in [
        ("accent = \"blue\"", "\"blue\" is no colour"),
        ("typeface = \"comic\"", "must be \"serif\" or"),
        ("logo = \"none.svg\"", "cannot be read"),
        ("logo = \"feeds.toml\"", "is no picture"),
        ("[[brand.link]]\nlabel = \"x\"\nurl = \"javascript:alert(1)\"", "url: "),
    ] {
        app.configure(&format!("[brand]\n{faulty}\n"));
        let ran = app.run(&["check"]);
        assert!(ran.code != 0 && ran.stderr.contains(reason), "{faulty}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn the_newest_story_leads_with_its_picture_and_each_leads_to_its_topic_and_partner() {
    let server = Server::always(Reply::ok(feed(3, true)));
    let rest = format!(
        "{}[[topic]]\nid = \"sea\"\nlabel = {{ en = \"The sea\" }}\nkeywords = {{ en = [\"harbour\"] }}\n",
        source("a", &server)
    );
    let app = App::new(&format!("[publish]\nimages = \"direct\"\n{rest}"));
    app.ok(&["run"]);
    let page = app.read("public/index.html");
    assert_eq!(page.matches("class=\"lead\"").count(), 1);
    let (lead, others) = page.split_once("</article>").unwrap();
    assert!(lead.contains("width=\"960\" height=\"540\"") && lead.contains("October 19, 2022"), "{lead}");
    assert!(!others.contains(&lead[lead.find("<h3>").unwrap()..lead.find("</h3>").unwrap()]), "told twice");
    assert_eq!(page.matches("<h3>").count(), 3);
    assert_eq!(page.matches("class=\"tag\" href=\"topics/sea/index.html\"").count(), 3, "{page}");
    assert_eq!(page.matches("<a href=\"partners/partner-a/index.html\">Partner a</a>").count(), 4, "{page}");
    // How many stories there are stands beside the topic.
    assert!(
        page.contains("href=\"topics/sea/index.html\">The sea</a> <span class=\"meta\">3</span>"),
        "{page}"
    );
    let day = app.read("public/days/2022-10-19.html");
    assert!(day.contains("href=\"../topics/sea/index.html\"") && !day.contains("class=\"lead\""), "{day}");
    app.configure(&rest);
    app.ok(&["publish"]);
    let page = app.read("public/index.html");
    assert!(
        !page.contains("class=\"lead\"") && page.matches("<h3>").count() == 3,
        "no pictures are shown: {page}"
    );
}

#[test]
fn the_navigation_has_the_partners_with_stories_and_the_first_ones_of_many() {
    let full = Server::always(Reply::ok(rss(&[("a", "A story of the north", 18, "x")])));
    let empty = Server::always(Reply::ok(rss(&[])));
    let mut app = App::new(&format!("{}{}", source("a", &full), source("b", &empty)));
    app.ok(&["run"]);
    let page = app.read("public/index.html");
    assert!(page.contains("partners/partner-a/") && !page.contains("partners/partner-b/"), "{page}");
    assert!(!page.contains("All partners"));
    let list = app.read("public/partners/index.html");
    assert!(
        list.contains("href=\"../partners/partner-a/index.html\"") && !list.contains("partner-b"),
        "{list}"
    );
    // As soon as it has one, it is there, on all pages.
    empty.answer(|_| Reply::ok(rss(&[("b", "A story of the south", 19, "x")])));
    app.later(120).ok(&["run"]);
    for page in ["public/index.html", "public/partners/partner-a/index.html", "public/days/2022-10-18.html"] {
        assert!(app.read(page).contains("partners/partner-b/"), "{page}");
    }
    let many: String = (0..30).map(|number| source(&format!("n{number:02}"), &full)).collect();
    app.configure(&many);
    app.later(120).ok(&["run"]);
    let page = app.read("public/index.html");
    let navigation = &page[page.find("<aside>").unwrap()..];
    assert_eq!(navigation.matches("href=\"partners/partner-n").count(), 24, "{navigation}");
    assert!(navigation.contains("<a href=\"partners/index.html\">All partners</a>"), "{navigation}");
    assert_eq!(
        app.read("public/partners/index.html").matches("<li><a href=\"../partners/partner-n").count(),
        24 + 30
    );
}

#[test]
fn the_sign_up_asks_for_the_address_and_the_language_first() {
    let server = Server::always(Reply::ok(rss(&[("a", "A story of the north", 18, "x")])));
    let app = App::new(&format!("[newsletter]\n{}{}", source("a", &server), source("b", &server)));
    app.ok(&["run"]);
    let service = Service::start(&app);
    let (_, form) = service.ask("GET", "/subscribe", "", "");
    let (first, folded) = form.split_once("<details>").unwrap();
    assert!(first.contains("name=\"address\"") && first.contains("<select id=\"language\""), "{first}");
    assert!(folded.contains("name=\"partners\"") && folded.contains("name=\"cadence\""), "{folded}");
    assert_eq!(form.matches("name=\"language\"").count(), 1);
}
