//! What is published stays valid, whatever a source writes into any of its fields (`tests/validate.py`).

use std::fmt::Write as _;

use crate::support::http::{Reply, Server};
use crate::support::{App, python, rss};

/// Characters that are special to XML, HTML, addresses, headers or terminals, or that none of them may hold.
const CHARACTERS: &str = "\u{1}\u{2}\u{7}\u{8}\t\n\u{b}\u{c}\r\u{e}\u{10}\u{1b}\u{1c}\u{1f}\"'<>& \\^`{}|%[]@#?;:,/~$+=*()!\u{7f}\u{80}\u{85}\u{9b}\u{9f}\u{a0}\u{ad}\u{e9}\u{3a9}\u{200b}\u{202e}\u{2028}\u{feff}\u{fffe}\u{ffff}\u{1fffe}\u{1f600}";

/// A text with a character amid it, if the field is the one that is tried.
struct Field<'a> {
    tried: &'a str,
    piece: String,
}

impl Field<'_> {
    fn put(&self, name: &str, before: &str, after: &str) -> String {
        if name == self.tried { format!("{before}{}{after}", self.piece) } else { format!("{before}{after}") }
    }
}

/// Every field with every character, numbered.
fn trials<'a>(fields: &'a [&'a str]) -> impl Iterator<Item = (usize, (&'a &'a str, char))> {
    fields.iter().flat_map(|tried| CHARACTERS.chars().map(move |c| (tried, c))).enumerate()
}

/// A character as a reference of XML. What XML may not hold is written so too: a tolerant reader resolves it.
fn reference(c: char) -> String {
    format!("&#{};", c as u32)
}

fn json_feed() -> String {
    const FIELDS: [&str; 14] = [
        "id", "url", "title", "content", "summary", "image", "banner", "name", "author", "tag", "file",
        "type", "language", "date",
    ];
    let mut items = Vec::new();
    for (at, (tried, c)) in trials(&FIELDS) {
        let field = Field { tried, piece: c.into() };
        items.push(serde_json::json!({
            "id": field.put("id", &format!("json-{at}"), "-x"),
            "url": field.put("url", &format!("https://j.example/{at}/"), "page"),
            "title": field.put("title", &format!("Story {at} of the"), " first kind"),
            "content_html": field.put("content", "<p>Words of it", " and more</p>"),
            "summary": field.put("summary", "In short", " it is so"),
            "image": field.put("image", &format!("https://j.example/i{at}"), ".png"),
            "banner_image": field.put("banner", "https://j.example/b", ".png"),
            "authors": [{ "name": field.put("name", "Ana", " Ruiz"), "url": field.put("author", "https://j.example/a", "na") }],
            "tags": [field.put("tag", "har", "bour")],
            "attachments": [{ "url": field.put("file", "https://j.example/f", ".mp3"), "mime_type": field.put("type", "audio/", "mpeg") }],
            "language": field.put("language", "f", "r"),
            "date_published": field.put("date", "2022-10-19T0", "8:00:00Z"),
        }));
    }
    serde_json::json!({ "version": "https://jsonfeed.org/version/1.1", "title": "J", "items": items })
        .to_string()
}

fn atom() -> String {
    const FIELDS: [&str; 15] = [
        "id", "title", "link", "hreflang", "name", "uri", "term", "file", "length", "type", "lang", "base",
        "summary", "content", "thumb",
    ];
    let mut feed = String::from(
        "<feed xmlns='http://www.w3.org/2005/Atom' xmlns:media='http://search.yahoo.com/mrss/'><title>A</title><id>urn:a</id><updated>2022-10-19T08:00:00Z</updated>",
    );
    for (at, (tried, c)) in trials(&FIELDS) {
        let field = Field { tried, piece: reference(c) };
        let put = |name, before: &str, after| field.put(name, before, after);
        let (id, title) = (
            put("id", &format!("urn:a:{at}"), ":x"),
            put("title", &format!("Tale {at} of the"), " second kind"),
        );
        let (lang, base) = (put("lang", "e", "n"), put("base", "https://a.example/", "b/"));
        let _ = write!(
            feed,
            "<entry xml:lang='{lang}' xml:base='{base}'><id>{id}</id><title>{title}</title><updated>2022-10-19T09:00:00Z</updated>\
             <link href='{}'/><link hreflang='{}' href='https://a.example/{at}/fr'/>\
             <link rel='enclosure' type='{}' length='{}' href='{}'/><author><name>{}</name><uri>{}</uri></author><category term='{}'/>\
             <summary>{}</summary><content type='html'>&lt;p&gt;{}&lt;/p&gt;</content><media:thumbnail url='{}'/></entry>",
            put("link", &format!("{at}/pa"), "ge"),
            put("hreflang", "f", "r"),
            put("type", "audio/", "mpeg"),
            put("length", "1", "2"),
            put("file", "f", ".mp3"),
            put("name", "Ana", " Ruiz"),
            put("uri", "https://a.example/a", "na"),
            put("term", "har", "bour"),
            put("summary", "In short", " it is so"),
            put("content", "Words of it", " and more"),
            put("thumb", &format!("https://a.example/t{at}"), ".png"),
        );
    }
    feed + "</feed>"
}

fn rss_feed() -> String {
    const FIELDS: [&str; 9] =
        ["guid", "title", "link", "creator", "category", "file", "type", "description", "language"];
    let mut items = String::new();
    for (at, (tried, c)) in trials(&FIELDS) {
        let field = Field { tried, piece: reference(c) };
        let put = |name, before: &str, after| field.put(name, before, after);
        let _ = write!(
            items,
            "<item><guid isPermaLink='false'>{}</guid><title>{}</title><link>{}</link><dc:creator>{}</dc:creator><category>{}</category>\
             <enclosure url='{}' length='12' type='{}'/><description>{}</description><dc:language>{}</dc:language>\
             <pubDate>Wed, 19 Oct 2022 10:00:00 GMT</pubDate></item>",
            put("guid", &format!("rss-{at}"), "-x"),
            put("title", &format!("Report {at} of the"), " third kind"),
            put("link", &format!("https://r.example/{at}/pa"), "ge"),
            put("creator", "Ana", " Ruiz"),
            put("category", "har", "bour"),
            put("file", "https://r.example/f", ".png"),
            put("type", "image/", "png"),
            put("description", "In short", " it is so"),
            put("language", "e", "n"),
        );
    }
    format!(
        "<rss version='2.0' xmlns:dc='http://purl.org/dc/elements/1.1/'><channel><title>R</title>{items}</channel></rss>"
    )
}

fn calendar() -> String {
    const FIELDS: [&str; 6] = ["uid", "summary", "location", "url", "attach", "image"];
    let mut events = String::new();
    for (at, (tried, c)) in trials(&FIELDS) {
        if matches!(c, '\n' | '\r') {
            continue;
        }
        let field = Field { tried, piece: c.into() };
        let put = |name, before: &str, after| field.put(name, before, after);
        let _ = write!(
            events,
            "BEGIN:VEVENT\r\nUID:{}\r\nDTSTART:20221210T180000Z\r\nSUMMARY:{}\r\nLOCATION:{}\r\nURL:{}\r\nATTACH;FMTTYPE=audio/mpeg:{}\r\nIMAGE;VALUE=URI:{}\r\nEND:VEVENT\r\n",
            put("uid", &format!("cal-{at}"), "-x"),
            put("summary", &format!("Meeting {at} of the"), " fourth kind"),
            put("location", "Town", " hall"),
            put("url", &format!("https://c.example/{at}/pa"), "ge"),
            put("attach", "https://c.example/f", ".mp3"),
            put("image", "https://c.example/i", ".png"),
        );
    }
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n")
}

/// What the checker finds wrong below the published folder.
fn faults(app: &App) -> String {
    python::run("validate.py", &[app.path("public").to_str().unwrap()]).trim().to_owned()
}

#[test]
fn no_character_in_any_field_makes_a_document_invalid() {
    let server = Server::always(Reply::ok(""));
    server.answer(|request| match request.target.as_str() {
        "/json" => Reply::ok(json_feed()),
        "/atom" => Reply::ok(atom()),
        "/rss" => Reply::ok(rss_feed()),
        "/ics" => Reply::ok(calendar()),
        _ => Reply::new(404, ""),
    });
    let source = |name: &str| {
        format!(
            "[[source]]\nid = \"{name}\"\nkind = \"auto\"\nurl = \"{}\"\n",
            server.url(&format!("/{name}"))
        )
    };
    let sources: String = ["json", "atom", "rss", "ics"].map(source).concat();
    let mut app = App::new(&format!("[publish]\nimages = \"direct\"\narchives = \"all\"\n{sources}"));
    app.ok(&["run"]);
    let count = app.entries().len();
    assert!(count > 2_000, "{count} entries");
    assert_eq!(faults(&app), "");
    let is_bad = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{fffe}' | '\u{ffff}');
    for arguments in [
        &["entries"][..],
        &["entries", "--format", "jsonl"],
        &["sources"],
        &["explain", "https://j.example/1/page"],
    ] {
        let ran = app.later(1).run(arguments);
        let found = ran.stdout.chars().chain(ran.stderr.chars()).find(|c| is_bad(*c));
        assert_eq!(found, None, "{arguments:?}");
    }
}

#[test]
fn what_an_earlier_version_published_is_written_anew_if_it_is_not_well_formed() {
    let names: Vec<String> = (0..250).map(|n| format!("s{n}")).collect();
    let items: Vec<(&str, &str, u8, &str)> =
        names.iter().map(|name| (name.as_str(), name.as_str(), 12, "text")).collect();
    let server = Server::always(Reply::ok(rss(&items)));
    let mut app = App::new(&format!(
        "[publish]\narchives = \"all\"\n[[source]]\nid = \"s\"\nkind = \"feed\"\nurl = \"{}\"\n",
        server.url("/")
    ));
    app.ok(&["run"]);
    let (first, second) = (app.read("public/archive/1.xml"), app.read("public/archive/2.xml"));
    app.write("public/archive/1.xml", first.replace("</entry>", "&#27;</entry>"));
    // A sound document is never touched: it may hold what the store has forgotten.
    let kept = second.replace("text", "texts");
    app.write("public/archive/2.xml", &kept);
    app.later(60).ok(&["run"]);
    assert!(app.read("public/archive/1.xml").contains("&#27;"), "archives do not change by themselves");
    let store = rusqlite::Connection::open(app.path("courant.db")).unwrap();
    store.execute("UPDATE publication SET is_checked = 0", []).unwrap();
    drop(store);
    app.later(60).ok(&["run"]);
    assert_eq!((app.read("public/archive/1.xml"), app.read("public/archive/2.xml")), (first, kept));
    assert_eq!(faults(&app), "");
}

#[test]
fn addresses_in_markup_leave_as_they_are_serialised() {
    let mut html = String::new();
    for c in CHARACTERS.chars().filter(|c| !matches!(c, '\r' | '\u{0}')) {
        let c = reference(c);
        let _ = write!(
            html,
            "<p>Some words <a href=\"https://x.example/{c}a{c}?b={c}#{c}\">link</a> <a href=\"a{c}b/c\">link</a>\
             <a href=\"https://x{c}.example/\">link</a> <img src=\"https://x.example/{c}.png\" alt=\"p\">\
             <img src=\"{c}/b.png\" alt=\"p\"></p><video poster=\"/{c}.jpg\" src=\"https://x.example/{c}\"></video>\
             <blockquote cite=\"https://x.example/{c}\">quoted</blockquote>"
        );
    }
    let item = serde_json::json!({
        "id": "1", "url": "https://j.example/1", "title": "A story of links", "content_html": html,
        "date_published": "2022-10-19T08:00:00Z",
    });
    let feed =
        serde_json::json!({ "version": "https://jsonfeed.org/version/1.1", "title": "J", "items": [item] });
    let server = Server::always(Reply::ok(feed.to_string()).with("Content-Type", "application/feed+json"));
    let app = App::new(&format!("[[source]]\nid = \"s\"\nurl = \"{}\"\n", server.url("/feed.json")));
    app.ok(&["run"]);
    let published: serde_json::Value = serde_json::from_str(&app.read("public/feed.json")).unwrap();
    let content = scraper::Html::parse_fragment(published["items"][0]["content_html"].as_str().unwrap());
    let mut count = 0;
    for element in content.root_element().descendants().filter_map(scraper::ElementRef::wrap) {
        for value in ["href", "src", "poster", "cite"].iter().filter_map(|name| element.attr(name)) {
            count += 1;
            assert_eq!(url::Url::parse(value).unwrap().as_str(), value);
        }
    }
    let selector = scraper::Selector::parse("a").unwrap();
    let links = content.select(&selector);
    assert!(links.filter(|link| link.text().eq(["link"])).count() >= 3 * 50, "no word is lost");
    assert!(count >= 7 * 50, "{count}");
}
