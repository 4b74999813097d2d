//! Hostile documents of growing size: reading them takes time in proportion to it. No time is required as such, only how it grows.

use std::time::{Duration, Instant};

use crate::support::App;
use crate::support::http::{Reply, Server};
use crate::support::rss;

/// The smallest size; the others are two, four and eight times as large. What is built for tests is slower by far.
const UNIT: usize = if cfg!(debug_assertions) { 256 << 10 } else { 1 << 20 };
/// Less time than this is not compared: other tests take as much. What grows with the square of the size takes sixty-four times as
/// long in the end as in the beginning.
const FLOOR: Duration = Duration::from_millis(if cfg!(debug_assertions) { 150 } else { 100 });
/// How much longer than in proportion to its size a document may take.
const SLACK: u32 = 3;
/// A shape that fails is measured again, since other tests run beside this one.
const ATTEMPTS: usize = 3;

/// What reads a document, as arguments in front of and behind its name.
type Reader = (&'static str, &'static [&'static str], &'static [&'static str]);

const FEED: Reader = ("f.xml", &["probe"], &["--format", "jsonfeed", "--url", "https://x.org/f"]);
const PAGE: Reader = ("f.html", FEED.1, FEED.2);
const JSON: Reader = ("f.json", FEED.1, FEED.2);
const CALENDAR: Reader = ("f.ics", FEED.1, FEED.2);
const ARTICLE: Reader =
    ("f.html", FEED.1, &["--article", "--format", "jsonfeed", "--url", "https://x.org/f"]);
/// Where each element or mail is looked at many times, which takes long in what is built for tests: smaller documents do.
const LISTING: Reader = ("small.html", FEED.1, FEED.2);
const LONG_ARTICLE: Reader = ("small.html", FEED.1, ARTICLE.2);
const MAIL: Reader = ("f.eml", &["bounces"], &[]);
const MAILBOX: Reader = ("small.eml", MAIL.1, &[]);
const LONG_TABLE: Reader = ("small.csv", TABLE.1, TABLE.2);
const TABLE: Reader = ("f.csv", &["subscribers", "import"], &["--consent", "asked", "--skip-faulty"]);

/// A document: what begins it, what is repeated in it, where `#` is a number, and what ends it.
struct Shape(Reader, &'static str, &'static str, &'static str);

const ITEM: &str = "<rss version=\"2.0\"><channel><title>T</title><item><guid>1</guid><title>A</title><link>https://x.org/a</link>";
const ITEM_END: &str = "</item></channel></rss>";
const TEXT: &str = "<rss version=\"2.0\"><channel><title>T</title><item><guid>1</guid><title>A</title><link>https://x.org/a</link><description><![CDATA[";
const TEXT_END: &str = "]]></description></item></channel></rss>";
const ATOM: &str = "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>T</title>";
const EVENT: &str =
    "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nDTSTART:20221201T100000Z\nSUMMARY:E\n";
const EVENT_END: &str = "\nEND:VEVENT\nEND:VCALENDAR\n";
const EVENTS: &str = "BEGIN:VCALENDAR\nVERSION:2.0\n";
const BOUNCE: &str = "From: a@b.org\nTo: news@example.org\nSubject: Undelivered Mail\n";

/// What feeds hold.
const FEEDS: [Shape; 25] = [
    Shape(FEED, ITEM, "<!--", ITEM_END),
    Shape(FEED, ITEM, "<?x ", ITEM_END),
    Shape(FEED, ITEM, "<![CDATA[", ITEM_END),
    Shape(FEED, ITEM, "<!DOCTYPE x [>", ITEM_END),
    Shape(FEED, ITEM, "<a b=\"", ITEM_END),
    Shape(FEED, ITEM, "<x>", ""),
    Shape(FEED, ITEM, "<category>c#</category>", ITEM_END),
    Shape(
        FEED,
        "<rss version=\"2.0\"><channel>",
        "<item><title>T</title><link>https://x.org/a</link></item>",
        "",
    ),
    Shape(FEED, ATOM, "<entry xml:base=\"a/\"><title>T</title>", ""),
    Shape(FEED, TEXT, "<!--", TEXT_END),
    Shape(FEED, TEXT, "<!", TEXT_END),
    Shape(FEED, TEXT, "&", TEXT_END),
    Shape(FEED, TEXT, "&amp;</b>", TEXT_END),
    Shape(FEED, TEXT, "&abcdefgh", TEXT_END),
    Shape(FEED, TEXT, "&nbsp;", TEXT_END),
    Shape(FEED, TEXT, "<table>&<tr>«", TEXT_END),
    Shape(FEED, TEXT, "<b title='&&&&'>", TEXT_END),
    Shape(FEED, TEXT, "<p><b>", TEXT_END),
    Shape(FEED, TEXT, "http://", TEXT_END),
    Shape(FEED, TEXT, "<a href=\"https://x.org/a\">x</a> ", TEXT_END),
    Shape(FEED, TEXT, "<img data-src=x ", "> ]]></description></item></channel></rss>"),
    Shape(FEED, TEXT, "<noscript><img src=\"https://x.org/#.png\"></noscript>", TEXT_END),
    Shape(FEED, "<rss version=\"2.0\"><channel><item><title>T</title><description>", "&#xD800;&#", ""),
    Shape(
        FEED,
        "<rss version=\"2.0\"><channel><item><link>https://x.org/a</link><title>",
        "&amp;",
        "</title></item></channel></rss>",
    ),
    Shape(JSON, "{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":", "[", ""),
];

/// What pages hold, and sitemaps.
const PAGES: [Shape; 21] = [
    Shape(PAGE, "<html><body>", "<!--", ""),
    Shape(PAGE, "<html><body>", "&", ""),
    Shape(PAGE, "<html><body>", "<script>", ""),
    Shape(PAGE, "<html><body>", "<a href=\"", ""),
    Shape(PAGE, "<html><body><p ", " a#=b", ">"),
    Shape(LISTING, "<html><body>", "<a href=\"/n/#\">Story # about things</a>", ""),
    Shape(PAGE, "<html><body>", "<link rel=alternate type=\"application/rss+xml\" href=\"/f#\">", ""),
    Shape(PAGE, "<html><body>", "<table><tr><td>", ""),
    Shape(LISTING, "<html><body>", "<ul><li>", ""),
    Shape(LISTING, "<html><body>", "<h2>May 2022</h2><p>12 <a href=\"/n/#\">Story # about</a></p>", ""),
    Shape(LISTING, "<html><body>", "<p>1 March 2026 <a href=\"/x\">a title here</a></p>", ""),
    Shape(
        PAGE,
        "<html><body><ul><li><a href=/n/1>Story of many days</a>",
        "<time datetime=\"2022-10-19\">19 October 2022</time>",
        "</ul>",
    ),
    Shape(ARTICLE, "<html><body><article><h1>A</h1><p>", "<time datetime=\"2022-10-19\">x</time>", ""),
    Shape(PAGE, "<html><body><script type=\"application/ld+json\">", "[", "</script>"),
    Shape(LONG_ARTICLE, "<html><body><h1>A</h1><p>", "&", ""),
    Shape(ARTICLE, "<html><body><h1>A</h1><p>", "«", ""),
    Shape(ARTICLE, "<html><head><title>", "&", "</title><body><h1>A</h1><p>B"),
    Shape(LONG_ARTICLE, "<html><body><h1>A</h1>", "<table><tr><td>", ""),
    Shape(LONG_ARTICLE, "<html><body><h1>A</h1>", "<ul><li>", ""),
    Shape(
        FEED,
        "<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">",
        "<url><loc>https://x.org/#</loc></url>",
        "",
    ),
    Shape(FEED, "<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">", "<url><loc>", ""),
];

/// What calendars, mails and tables hold.
const OTHERS: [Shape; 18] = [
    Shape(CALENDAR, EVENTS, "BEGIN:VEVENT\n", ""),
    Shape(MAIL, "From: a@b.org\nContent-Type: text/plain", ";\n a#=b", "\n\nText\n"),
    Shape(
        CALENDAR,
        EVENTS,
        "BEGIN:VEVENT\nUID:#\nDTSTART:20001201T100000Z\nRRULE:FREQ=YEARLY;BYDAY=5MO;BYMONTH=2\nSUMMARY:E\nEND:VEVENT\n",
        "END:VCALENDAR\n",
    ),
    Shape(
        CALENDAR,
        EVENTS,
        "BEGIN:VTIMEZONE\nTZID:Z#\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:#\nDTSTART;TZID=Z#:20001201T100000\nEND:VEVENT\n",
        "END:VCALENDAR\n",
    ),
    Shape(CALENDAR, EVENT, "EXDATE:20221202T100000Z\n", EVENT_END),
    Shape(
        CALENDAR,
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=",
        "a/",
        ":20221201T100000\nEND:VEVENT\nEND:VCALENDAR\n",
    ),
    Shape(CALENDAR, "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:", "x\n ", EVENT_END),
    Shape(MAIL, BOUNCE, "Content-Type: message/rfc822\n\n", ""),
    Shape(MAIL, "From: a@b.org\nTo: news@example.org\nSubject: ", "<a>", "\n\nText\n"),
    Shape(MAIL, "From: a@b.org\nTo: news@example.org\nSubject: ", "[x] re: ", "\n\nText\n"),
    Shape(MAIL, "From: a@b.org\nTo: news@example.org\nSubject: Hello\n\n", " a", "\n"),
    Shape(MAIL, "From: a@b.org\nTo: news@example.org\nContent-Type: text/html\n\n", "<!--", ""),
    Shape(MAIL, "From: ", "(", "\n\nx"),
    Shape(
        MAIL,
        "From: a@b.org\nTo: news@example.org\nContent-Type: multipart/mixed; boundary=b\n\n",
        "--b\n\nx\n",
        "",
    ),
    Shape(MAILBOX, "", "From a@b Thu Jan  1 00:00:00 2026\nFrom: a@b\n\nx\n\n", ""),
    Shape(LONG_TABLE, "address,notes\na@b.org,\"", "no more ", "\"\n"),
    Shape(TABLE, "address\n", "\"", "\n"),
    Shape(LONG_TABLE, "address", ",c#", "\na@b.org\n"),
];

impl Shape {
    fn document(&self, bytes: usize) -> String {
        let Shape((name, ..), before, unit, after) = self;
        let is_small = cfg!(debug_assertions) && name.starts_with("small");
        let bytes = if is_small { bytes / 16 } else { bytes };
        let mut text = (*before).to_owned();
        if unit.contains('#') && !unit.contains("&#") {
            let count = bytes / unit.len();
            (0..count).for_each(|at| text += &unit.replace('#', &at.to_string()));
        } else {
            text += &unit.repeat(bytes / unit.len());
        }
        text + after
    }

    /// How long it takes to read so many bytes; `None` if it takes longer than `within`.
    fn time(&self, app: &App, bytes: usize, within: Duration) -> Option<Duration> {
        let (name, before, after) = self.0;
        app.write(name, self.document(bytes));
        let arguments = [before, &[name], after].concat();
        let mut command = app.command_within(&format!("{:.3}", within.as_secs_f64()), &arguments);
        let started = Instant::now();
        let ended = command.output().unwrap().status.code();
        assert!(matches!(ended, Some(0..=3 | 124 | 137)), "{self}: {ended:?}");
        (ended < Some(124)).then(|| started.elapsed())
    }

    /// Why the time does not grow in proportion to the size, if it does not.
    fn fault(&self, app: &App) -> Option<String> {
        let longest = Duration::from_secs(60);
        let Some(base) = self.time(app, UNIT, longest) else { return Some(format!("{self}: over 60 s")) };
        let mut times = vec![base];
        for size in [2, 4, 8] {
            let most = base.max(FLOOR) * size * SLACK;
            let Some(time) = self.time(app, UNIT * size as usize, most) else {
                return Some(format!("{self}: {times:?}, then over {most:?}"));
            };
            times.push(time);
        }
        // With --nocapture, a table of all times.
        eprintln!("{times:.2?} {self}");
        None
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} in {:?}", self.0.0, self.2, self.1)
    }
}

#[track_caller]
fn check(shapes: &[Shape]) {
    let app = App::new("body_bytes_max = 16777216\n[newsletter]\nopen = true\n");
    let fault = |shape: &Shape| {
        let mut fault = None;
        for _ in 0..ATTEMPTS {
            fault = Some(shape.fault(&app)?);
        }
        fault
    };
    let faults: Vec<String> = shapes.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "the time grows faster than the size:\n{}", faults.join("\n"));
}

#[test]
fn feeds_are_read_in_linear_time() {
    check(&FEEDS);
}

#[test]
fn pages_are_read_in_linear_time() {
    check(&PAGES);
}

#[test]
fn calendars_mails_and_tables_are_read_in_linear_time() {
    check(&OTHERS);
}

#[test]
fn what_takes_longer_than_the_deadline_costs_its_own_source_only() {
    let shape = Shape(FEED, TEXT, "<!", TEXT_END);
    let slow = Server::always(Reply::ok(shape.document(8 << 20)));
    let good = Server::always(Reply::ok(rss(&[("a", "A good story", 10, "text")])));
    let app = App::new(&format!(
        "deadline = \"1s\"\n[[source]]\nid = \"slow\"\nurl = \"{}\"\n[[source]]\nid = \"good\"\nurl = \"{}\"\n",
        slow.url("/"),
        good.url("/")
    ));
    app.ok(&["run"]);
    assert_eq!(app.titles(), ["A good story"]);
    assert!(app.read("public/atom.xml").contains("A good story"));
    assert!(app.ok(&["sources"]).contains("took longer than 1 s"), "{}", app.ok(&["sources"]));
}
