//! What each fuzz target does with its bytes: every parser of what comes from outside. The tests run it over `fuzz/seeds` too.

use std::sync::{Arc, LazyLock};

use courant::bounces;
use courant::cli::probe::document::clean;
use courant::extract::date::parse_date;
use courant::extract::prose_date::{DateRules, find_date};
use courant::extract::{self, Document, PageRules};
use courant::fetch::client::{Meta, retry_after};
use courant::fetch::robots::Robots;
use courant::model::address::canonical_key;
use courant::model::guard::Allowed;
use courant::model::mail_address::Address;
use courant::model::refusal::{self, OwnIdentity, Parties, SmtpCommand};
use courant::model::schedule::Schedule;
use courant::model::source::{DateOrder, Select};
use courant::model::store_url::StoreUrl;
use courant::model::subscriber::{Interests, SubscriptionOptions};
use courant::model::token::SigningKey;
use courant::pipeline::websub::hub;
use courant::store::Store;
use courant::subscriber_csv::{self, TableContext};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// A target: its name, and what it does.
pub(crate) type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: [Target; 9] = [
    ("calendar", calendar),
    ("date", date),
    ("feed", feed),
    ("header", header),
    ("mail", mail),
    ("page", page),
    ("people", people),
    ("query", query),
    ("reply", reply),
];

/// Elements that no text of ours has.
const ACTIVE: [&str; 11] =
    ["script", "style", "iframe", "object", "embed", "form", "svg", "math", "base", "meta", "link"];

/// The parser of mails panics on some, and `support::mail` reads their headers instead: that is no finding. A panic that gets out ends
/// the target all the same.
pub(crate) fn with_known_panics(run: impl FnOnce()) {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let found = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.location().is_some_and(|at| at.file().contains("/mail-parser-")) {
                found(panic);
            }
        }));
    });
    run();
}

fn address() -> Url {
    Url::parse("https://example.org/news/").expect("a constant")
}

/// As a browser would read it: no element that runs, no handler, no address that runs.
fn assert_safe(html: &str) {
    for node in scraper::Html::parse_fragment(html).tree.nodes() {
        let Some(element) = node.value().as_element() else { continue };
        assert!(!ACTIVE.contains(&element.name()), "{html}");
        for (name, value) in element.attrs() {
            let value: String = value.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
            let value = value.to_ascii_lowercase();
            assert!(!name.starts_with("on") && !value.starts_with("javascript:"), "{html}");
            assert!(!value.starts_with("vbscript:"), "{html}");
            assert!(!value.starts_with("data:") || element.name() == "img", "{html}");
        }
    }
}

/// Feeds, read and cleaned as the pipeline does. What comes out has no active content, whatever went in.
pub(crate) fn feed(bytes: &[u8]) {
    let content_type = [None, Some("text/xml; charset=utf-16"), Some("application/json")][bytes.len() % 3];
    let Ok(feed) = extract::read_feed(Document { bytes, url: Some(&address()), content_type }) else {
        return;
    };
    let reading = clean(feed, Some(&address()), None);
    for entry in &reading.entries {
        for html in [&entry.content_html, &entry.summary_html].into_iter().flatten() {
            assert_safe(html);
        }
        assert!(!entry.title.contains('\n'));
    }
    let _ = reading.to_json_feed().to_string();
}

/// Calendars: the bytes are what stands in one, so that most of them are read.
pub(crate) fn calendar(bytes: &[u8]) {
    let whole =
        [b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", bytes, b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"].concat();
    let dates = DateRules {
        order: DateOrder::Dmy,
        now: Some(Timestamp::UNIX_EPOCH),
        year: None,
        is_order_known: false,
    };
    for bytes in [bytes, &whole] {
        let _ = extract::read_feed_in(Document { bytes, url: Some(&address()), content_type: None }, dates);
    }
}

/// Dates of feeds and of prose.
pub(crate) fn date(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = parse_date(&text);
    for order in [DateOrder::Dmy, DateOrder::Mdy, DateOrder::Ymd] {
        let _ = find_date(
            &text,
            DateRules { order, now: Some(Timestamp::UNIX_EPOCH), year: None, is_order_known: false },
        );
    }
}

/// Heads of answers, robots.txt, sitemaps and addresses: `name: value` lines, the whole text read as each in turn.
pub(crate) fn header(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(20) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts.next().and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let now = Timestamp::UNIX_EPOCH;
    let _ = Meta::of(&headers, &address(), now);
    let _ = retry_after(&headers, now);
    let text = String::from_utf8_lossy(bytes);
    let _ = Robots::parse(&text, "courant").allows("/a/b?c=d");
    let _ = extract::read_sitemap(Document { bytes, url: Some(&address()), content_type: None });
    let _ = canonical_key(&text);
    let _ = Allowed::parse(&text);
}

/// Newsletters and requests to confirm a subscription, as they come by mail.
pub(crate) fn mail(bytes: &[u8]) {
    let _ = extract::read_mail(bytes);
    let _ = extract::confirmation_request(bytes);
}

/// Pages: the cards of a listing, with and without selectors, an item's own page, its article.
pub(crate) fn page(bytes: &[u8]) {
    let url = address();
    let dates = DateRules {
        order: DateOrder::Dmy,
        now: Some(Timestamp::UNIX_EPOCH),
        year: None,
        is_order_known: false,
    };
    let document = Document { bytes, url: Some(&url), content_type: None };
    let select = Select { item: "li, article, div".into(), next: Some("a".into()), ..Select::default() };
    for select in [None, Some(select)] {
        let _ = extract::read_page(document, &PageRules { select, dates, known: Arc::default() });
    }
    let _ = extract::read_item_page(document, dates);
    let _ = extract::article::read_article(document, dates);
}

/// What people and mail servers send: returned messages, tables of subscribers, schedules, addresses, requests of hubs.
pub(crate) fn people(bytes: &[u8]) {
    let now = Timestamp::UNIX_EPOCH;
    let _ = bounces::read(bytes, &[], &OwnIdentity::default());
    let options = SubscriptionOptions { topics: vec!["justice".into()], partners: vec!["OGP".into()] };
    let context = TableContext { options: &options, language: "en", file: "people.csv", ignored: &[], now };
    let _ = subscriber_csv::read(bytes, &context);
    let text = String::from_utf8_lossy(bytes);
    if let Ok(schedule) = Schedule::parse(&text) {
        let last = schedule.last_slot(now);
        let next = schedule.next_slot(now);
        assert!(last.is_none_or(|last| last <= now) && next.is_none_or(|next| next > now));
    }
    if let Ok(address) = Address::parse(&text) {
        assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(&address));
        let _ = (address.hint(), address.masked());
    }
    let key = SigningKey::new("k".into());
    assert!(key.verify("p", &text).is_none() && key.verify_short("p", &text).is_none());
    let _ = serde_json::from_str::<Interests>(&text);
    let form: Vec<(String, String)> = url::form_urlencoded::parse(bytes).into_owned().collect();
    let _ = hub::read_subscription_request(&form, &["https://x.example/atom.xml".into()]);
}

/// Words that somebody searches for: nothing in them is an operator of the search.
pub(crate) fn query(bytes: &[u8]) {
    static STORE: LazyLock<Store> = LazyLock::new(|| {
        let path = std::env::temp_dir().join(format!("courant-query-{}.db", std::process::id()));
        Store::open(&StoreUrl::Sqlite(path), "query").expect("a folder for temporary files")
    });
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.split_whitespace().take(16).collect();
    let found = STORE.read(|r| r.publishing().search(&words, 10));
    assert!(found.is_ok_and(|found| found.is_empty()), "{words:?}");
}

/// Answers of mail servers: a code, perhaps an enhanced one, and words.
pub(crate) fn reply(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let code = text.get(..3).and_then(|code| code.parse().ok()).unwrap_or(550);
    let words = text.get(3..).unwrap_or_default().trim_start();
    let enhanced = refusal::enhanced(words);
    let (ours, recipients) = (OwnIdentity::default(), ["reader@example.org".to_owned()]);
    let parties = Parties { ours: &ours, recipients: &recipients };
    for command in
        [SmtpCommand::Connect, SmtpCommand::Auth, SmtpCommand::Mail, SmtpCommand::Rcpt, SmtpCommand::Data]
    {
        let _ = refusal::refusal(command, code, enhanced, words, &parties);
    }
    let _ = (refusal::asks_for_fewer(code, words), refusal::asks_for_another(code, words));
    let _ = refusal::reply_signature(words);
}
