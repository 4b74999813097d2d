//! Courant's reader beside feed-rs and feedparser, over feeds that are made by chance and are well-formed: whatever one of the two
//! reads right, courant reads right.

use std::fmt::Write as _;

use courant::cli::probe::document::clean;
use courant::extract::{self, Document};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::{Offset, TimeZone};
use url::Url;

use crate::support::python;

const FEEDS: u64 = 600;
const ADDRESS: &str = "https://x.example/feed";

/// What an entry says, by whoever reads it.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
struct Entry {
    title: Option<String>,
    link: Option<String>,
    /// Seconds since 1970.
    date: Option<i64>,
}

/// A feed, and what it says.
struct Made {
    document: String,
    entries: Vec<Entry>,
}

/// Numbers by chance, the same ones in each run (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn yes(&mut self) -> bool {
        self.below(2) == 1
    }
}

const WORDS: [&str; 16] = [
    "Réforme",
    "de",
    "la",
    "justice",
    "ouverte",
    "AT&T",
    "« budget »",
    "2022",
    "Año",
    "3º",
    "C++",
    "it's",
    "\"open\"",
    "Ελλάδα",
    "data",
    "🌍",
];

fn words(chance: &mut Chance) -> String {
    (0..2 + chance.below(5)).map(|_| chance.one(&WORDS)).collect::<Vec<_>>().join(" ")
}

fn some_html(chance: &mut Chance) -> String {
    let text = words(chance);
    html_text(chance, &text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text of XML in one of the ways to write it.
fn xml_text(chance: &mut Chance, text: &str) -> String {
    match chance.below(4) {
        0 => format!("<![CDATA[{text}]]>"),
        1 => text
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == ' ' {
                    c.to_string()
                } else {
                    format!("&#x{:X};", u32::from(c))
                }
            })
            .collect(),
        2 => format!("\n    {}\n  ", escaped(text)),
        _ => escaped(text),
    }
}

/// HTML in XML, as RSS and `type="html"` have it.
fn html_text(chance: &mut Chance, text: &str) -> String {
    let html = escaped(text);
    if chance.yes() { format!("<![CDATA[{html}]]>") } else { escaped(&html) }
}

/// An address as it stands in a document, and what it leads to.
fn link(chance: &mut Chance, base: &str) -> (String, String) {
    let number = chance.below(10_000);
    match chance.below(4) {
        0 => (
            format!("story/{number}"),
            Url::parse(base).unwrap().join(&format!("story/{number}")).unwrap().into(),
        ),
        1 => (
            format!("/a/{number}?x=1&y=2"),
            Url::parse(base).unwrap().join(&format!("/a/{number}?x=1&y=2")).unwrap().into(),
        ),
        _ => {
            let address = format!("https://o.example/{number}/");
            (address.clone(), address)
        }
    }
}

fn time(chance: &mut Chance) -> Timestamp {
    Timestamp::from_second(1_577_836_800 + chance.below(90_000_000) as i64).unwrap()
}

/// A date of RSS, and its seconds.
fn rfc_date(chance: &mut Chance) -> (String, i64) {
    let at = time(chance);
    let hours = chance.one(&[0i8, 2, -5, 1]);
    let zoned = at.to_zoned_datetime(TimeZone::fixed(Offset::constant(hours)));
    let text = rfc2822::to_string(&zoned).unwrap();
    match chance.below(4) {
        // Names of zones, no day of the week, no seconds.
        0 => (
            at.to_zoned_datetime(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
            at.as_second(),
        ),
        1 => (zoned.strftime("%d %b %Y %H:%M:%S %z").to_string(), at.as_second()),
        2 => {
            let minute = at.as_second().div_euclid(60) * 60;
            (zoned.strftime("%a, %d %b %Y %H:%M %z").to_string(), minute)
        }
        _ => (text, at.as_second()),
    }
}

/// A date of Atom, and its seconds.
fn iso_date(chance: &mut Chance) -> (String, i64) {
    let at = time(chance);
    let zoned = at.to_zoned_datetime(TimeZone::fixed(Offset::constant(chance.one(&[0i8, 2, -5]))));
    match chance.below(3) {
        0 => (zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(), at.as_second()),
        1 => (zoned.strftime("%Y-%m-%dT%H:%M:%S.25%:z").to_string(), at.as_second()),
        _ => (at.to_string(), at.as_second()),
    }
}

fn rss(chance: &mut Chance) -> Made {
    let (mut items, mut entries) = (String::new(), Vec::new());
    for number in 0..1 + chance.below(5) {
        let title = words(chance);
        let address = format!("https://o.example/{}/", chance.below(10_000));
        let (date, seconds) = if chance.yes() { rfc_date(chance) } else { iso_date(chance) };
        let name = if date.contains('T') && date.starts_with('2') { "dc:date" } else { "pubDate" };
        let mut parts = vec![
            format!(
                "<title>{}</title>",
                if chance.yes() { xml_text(chance, &title) } else { html_text(chance, &title) }
            ),
            format!("<{name}>{date}</{name}>"),
            format!("<description>{}</description>", some_html(chance)),
        ];
        match chance.below(4) {
            0 => parts.push(format!("<guid>{address}</guid>")),
            1 => {
                parts.push(format!("<guid isPermaLink=\"false\">n{number}</guid>"));
                parts.push(format!("<link>\n{address}\n</link>"));
            }
            2 => parts.push(format!(
                "<link>{address}</link><atom:link rel=\"self\" href=\"https://o.example/feed\"/>"
            )),
            _ => parts.push(format!(
                "<link>{address}</link><guid isPermaLink=\"true\">https://o.example/?p={number}</guid>"
            )),
        }
        if chance.yes() {
            parts.push(format!("<content:encoded>{}</content:encoded>", some_html(chance)));
        }
        if chance.yes() {
            parts.push("<media:group><media:title>Other</media:title><media:content url=\"https://o.example/v.mp4\"/></media:group>".into());
        }
        if chance.yes() {
            parts.push("<source url=\"https://p.example/feed\">Elsewhere</source><author>ana@x.example (Ana)</author>".into());
        }
        let at = chance.below(parts.len());
        parts.rotate_left(at);
        write!(items, "<item>{}</item>", parts.concat()).unwrap();
        entries.push(Entry { title: Some(title), link: Some(address), date: Some(seconds) });
    }
    let version = chance.one(&["2.0", "0.92", "0.91"]);
    let image =
        "<image><title>Logo</title><url>https://x.example/l.png</url><link>https://x.example/</link></image>";
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- made -->\n<rss version=\"{version}\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" xmlns:media=\"http://search.yahoo.com/mrss/\" xmlns:atom=\"http://www.w3.org/2005/Atom\"><channel><title>T</title><link>https://x.example/</link><description>D</description>{}{items}</channel></rss>",
        if chance.yes() { image } else { "" }
    );
    Made { document, entries }
}

fn rdf(chance: &mut Chance) -> Made {
    let (mut items, mut entries) = (String::new(), Vec::new());
    for _ in 0..1 + chance.below(4) {
        let title = words(chance);
        let address = format!("https://o.example/{}/", chance.below(10_000));
        let (date, seconds) = iso_date(chance);
        write!(
            items,
            "<item rdf:about=\"{address}\"><title>{}</title><link>{address}</link><dc:date>{date}</dc:date></item>",
            xml_text(chance, &title)
        )
        .unwrap();
        entries.push(Entry { title: Some(title), link: Some(address), date: Some(seconds) });
    }
    let document = format!(
        "<?xml version=\"1.0\"?><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://purl.org/rss/1.0/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel rdf:about=\"https://x.example/\"><title>T</title><link>https://x.example/</link><description>D</description></channel>{items}</rdf:RDF>"
    );
    Made { document, entries }
}

fn atom(chance: &mut Chance) -> Made {
    let prefix = chance.one(&["", "a:"]);
    let base = chance.one(&[None, Some("https://b.example/dir/")]);
    let (mut items, mut entries) = (String::new(), Vec::new());
    for number in 0..1 + chance.below(5) {
        let title = words(chance);
        let (written, address) = link(chance, base.unwrap_or(ADDRESS));
        let written = escaped(&written);
        let ((updated, _), (published, seconds)) = (iso_date(chance), iso_date(chance));
        let (kind, text) = match chance.below(3) {
            0 => ("", xml_text(chance, &title)),
            1 => (" type=\"html\"", html_text(chance, &title)),
            _ => (
                " type=\"xhtml\"",
                format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div>", escaped(&title)),
            ),
        };
        let mut parts = vec![
            format!("<{prefix}title{kind}>{text}</{prefix}title>"),
            format!("<{prefix}id>urn:x:{number}</{prefix}id>"),
            format!("<{prefix}updated>{updated}</{prefix}updated>"),
            format!("<{prefix}published>{published}</{prefix}published>"),
        ];
        let relation = chance.one(&["", " rel=\"alternate\"", " rel=\"alternate\" type=\"text/html\""]);
        let mut links = vec![
            format!("<{prefix}link{relation} href=\"{written}\"/>"),
            format!("<{prefix}link rel=\"edit\" href=\"https://o.example/edit\"/>"),
            format!("<{prefix}link rel=\"enclosure\" type=\"audio/mpeg\" href=\"https://o.example/a.mp3\"/>"),
        ];
        links.truncate(1 + chance.below(3));
        let at = chance.below(links.len());
        links.rotate_left(at);
        parts.extend(links);
        if chance.yes() {
            parts.push(format!("<{prefix}summary>{}</{prefix}summary>", some_html(chance)));
        }
        if chance.yes() {
            parts.push(format!("<{prefix}source><{prefix}title>Elsewhere</{prefix}title><{prefix}link href=\"https://p.example/\"/><{prefix}updated>2001-01-01T00:00:00Z</{prefix}updated></{prefix}source>"));
        }
        let at = chance.below(parts.len());
        parts.rotate_left(at);
        write!(items, "<{prefix}entry>{}</{prefix}entry>", parts.concat()).unwrap();
        entries.push(Entry { title: Some(title), link: Some(address), date: Some(seconds) });
    }
    let name = if prefix.is_empty() { "xmlns" } else { "xmlns:a" };
    let base = base.map(|base| format!(" xml:base=\"{base}\"")).unwrap_or_default();
    let document = format!(
        "<?xml version='1.0' encoding='UTF-8'?><{prefix}feed {name}=\"http://www.w3.org/2005/Atom\"{base}><{prefix}id>urn:x</{prefix}id><{prefix}title>T</{prefix}title><{prefix}updated>2022-01-01T00:00:00Z</{prefix}updated><{prefix}link rel=\"self\" href=\"{ADDRESS}\"/>{items}</{prefix}feed>"
    );
    Made { document, entries }
}

fn json(chance: &mut Chance) -> Made {
    let mut entries = Vec::new();
    let items: Vec<serde_json::Value> = (0..1 + chance.below(5))
        .map(|number| {
            let title = words(chance);
            let address = format!("https://o.example/{}/", chance.below(10_000));
            let (date, seconds) = iso_date(chance);
            entries.push(Entry { title: Some(title.clone()), link: Some(address.clone()), date: Some(seconds) });
            serde_json::json!({ "id": number.to_string(), "url": address, "title": title, "content_html": "<p>x</p>", "date_published": date })
        })
        .collect();
    let version = chance.one(&["https://jsonfeed.org/version/1", "https://jsonfeed.org/version/1.1"]);
    let feed = serde_json::json!({ "version": version, "title": "T", "items": items });
    Made { document: feed.to_string(), entries }
}

fn ours(made: &Made) -> Vec<Entry> {
    let url = Url::parse(ADDRESS).unwrap();
    let document = Document { bytes: made.document.as_bytes(), url: Some(&url), content_type: None };
    let Ok(feed) = extract::read_feed(document) else { return Vec::new() };
    let entries = clean(feed, Some(&url), None).entries;
    entries
        .into_iter()
        .map(|entry| Entry {
            title: Some(entry.title.clone()),
            date: entry.date().map(Timestamp::as_second),
            link: entry.url,
        })
        .collect()
}

fn by_feed_rs(made: &Made) -> Vec<Entry> {
    let parser = feed_rs::parser::Builder::new().base_uri(Some(ADDRESS)).build();
    let Ok(feed) = parser.parse(made.document.as_bytes()) else { return Vec::new() };
    feed.entries
        .into_iter()
        .map(|entry| Entry {
            title: entry.title.map(|title| title.content),
            link: entry
                .links
                .iter()
                .find(|link| link.rel.as_deref().is_none_or(|rel| rel == "alternate"))
                .map(|link| link.href.clone()),
            date: entry.published.or(entry.updated).map(|date| date.timestamp()),
        })
        .collect()
}

fn by_feedparser(feeds: &[Made]) -> Vec<Vec<Entry>> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<String> = feeds
        .iter()
        .enumerate()
        .map(|(number, made)| {
            let path = folder.path().join(number.to_string());
            std::fs::write(&path, &made.document).unwrap();
            path.to_str().unwrap().to_owned()
        })
        .collect();
    let out = python::run("feeds_read.py", &paths.iter().map(String::as_str).collect::<Vec<_>>());
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A title without what readers do with white space and quotes.
fn same_title(read: Option<&str>, wanted: Option<&str>) -> bool {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let unescaped = |text: &str| {
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&")
    };
    read.map(unescaped).as_deref().map(words) == wanted.map(words)
}

/// Which of title, link and date of an entry were read right; none of an entry that was not read.
fn right(read: &[Entry], made: &Made) -> Vec<[bool; 3]> {
    if read.len() != made.entries.len() {
        return vec![[false; 3]; made.entries.len()];
    }
    let is_right = |(read, wanted): (&Entry, &Entry)| {
        [
            same_title(read.title.as_deref(), wanted.title.as_deref()),
            read.link == wanted.link,
            read.date == wanted.date,
        ]
    };
    read.iter().zip(&made.entries).map(is_right).collect()
}

#[test]
fn what_feed_rs_or_feedparser_reads_right_courant_reads_right() {
    let make = |seed: u64| {
        let mut chance = Chance(seed);
        match seed % 8 {
            0..3 => rss(&mut chance),
            3 => rdf(&mut chance),
            4..7 => atom(&mut chance),
            _ => json(&mut chance),
        }
    };
    let feeds: Vec<Made> = (0..FEEDS).map(make).collect();
    let third = by_feedparser(&feeds);
    let mut counts = [0usize; 4];
    for (made, third) in feeds.iter().zip(&third) {
        let readings = [ours(made), by_feed_rs(made), third.clone()];
        let [own, first, second] = [0, 1, 2].map(|reader| right(&readings[reader], made));
        for (at, own) in own.iter().enumerate() {
            for (field, name) in ["title", "link", "date"].iter().enumerate() {
                counts[0] += 1;
                let is_right = [own[field], first[at][field], second[at][field]];
                is_right
                    .iter()
                    .enumerate()
                    .for_each(|(reader, is_right)| counts[reader + 1] += usize::from(*is_right));
                assert!(
                    is_right[0] || !(is_right[1] || is_right[2]),
                    "the {name} of entry {at} is {:?}, and should be {:?}, in\n{}",
                    readings[0].get(at),
                    made.entries[at],
                    made.document
                );
            }
        }
    }
    let [all, own, first, second] = counts;
    println!("{all} fields: courant reads {own} right, feed-rs {first}, feedparser {second}");
    // Else it would be no comparison.
    assert!(own * 100 >= all * 99 && first * 2 > all && second * 2 > all, "{counts:?}");
}
