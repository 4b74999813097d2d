//! Extracts entries from documents: detects the kind of a document and reads it. Knows no store, no network and no clock.

pub mod article;
pub mod boilerplate;
mod calendar;
mod charset;
mod codepages;
pub mod date;
mod dated_address;
mod elements;
mod feed;
mod formats;
mod furniture;
mod icalendar;
mod json_feed;
pub mod listing;
mod mail;
mod mention;
mod opml;
pub mod page;
pub mod prose_date;
mod sitemap;
mod telegram;
mod wall;
mod wordpress;
mod words;
mod xml;
mod zone;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use url::Url;

use self::charset::Decoded;
use self::elements::TEXT_ELEMENTS;
use self::formats::DecodedDocument;
use self::json_feed::JsonFeedError;
pub use self::mail::{ConfirmationRequest, MailHead, read_head};
pub use self::opml::ListedFeed;
use self::page::{ItemPage, Page};
use self::prose_date::DateRules;
pub use self::sitemap::Sitemap;
use crate::model::feed::{RawEntry, RawFeed};
use crate::model::source::Select;
use crate::support::text::{named_reference, reference_name};

/// A document as fetched or opened.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    pub bytes: &'a [u8],
    /// The base address of relative links.
    pub url: Option<&'a Url>,
    /// The complete Content-Type header.
    pub content_type: Option<&'a str>,
}

/// Why nothing could be read. The message is a sentence for the operator.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ExtractError {
    #[error("the document is empty")]
    Empty,
    /// With the machine-readable documents that the page names, best first.
    #[error("this is a web page, not a feed")]
    WebPage { endpoints: Vec<String> },
    /// A wall or an error page in place of the page.
    #[error("{0}")]
    Wall(&'static str),
    #[error("this is a sitemap without news entries: use kind = \"sitemap\"")]
    Sitemap,
    #[error("this is neither a feed nor a web page that we can read")]
    Unknown,
    #[error("{0}")]
    Json(JsonFeedError),
    #[error("the JSON is a list, but not of WordPress posts")]
    JsonList,
    #[error("the document made the reader fail (a fault of courant: please report it)")]
    Panicked,
}

/// How to read a page.
#[derive(Debug, Clone)]
pub struct PageRules {
    pub select: Option<Select>,
    pub dates: DateRules,
    /// Canonical addresses of entries that the page had before: links to them are a listing, whatever else it says.
    pub known: Arc<HashSet<String>>,
}

/// What was read from a page, and how.
#[derive(Debug, Clone, Default)]
pub struct PageReading {
    pub feed: RawFeed,
    /// `None` for a feed in place of the page, and if nothing was found.
    pub way: Option<ExtractionMethod>,
    /// Selectors that find these cards; `None` if no selector does.
    pub select: Option<Select>,
}

/// How the entries of a page were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtractionMethod {
    Selectors,
    /// JSON-LD, microdata or h-feed.
    StructuredData,
    /// Links in the same structural position.
    Records,
}

impl ExtractionMethod {
    /// The name shown to the operator.
    pub fn name(self) -> &'static str {
        match self {
            ExtractionMethod::Selectors => "selectors",
            ExtractionMethod::StructuredData => "structured data",
            ExtractionMethod::Records => "record mining",
        }
    }
}

/// Reads a feed of any format.
///
/// A panic in here, in our code or a library's, only affects this document.
pub fn read_feed(document: Document) -> Result<RawFeed, ExtractError> {
    read_feed_in(document, DateRules::default())
}

/// As `read_feed`, with the order of dates in figures where the feed itself does not show it, and the time that it is: of what
/// recurs, a calendar has its next occurrence.
pub fn read_feed_in(document: Document, rules: DateRules) -> Result<RawFeed, ExtractError> {
    guarded(|| read_feed_unguarded(document, rules))
}

/// Reads the cards of a listing page; a feed in its place is read as a feed.
///
/// # Errors
/// As for `read_feed`.
pub fn read_page(document: Document, rules: &PageRules) -> Result<PageReading, ExtractError> {
    guarded(|| {
        let decoded = decode(document);
        if decoded.text.trim().is_empty() {
            return Err(ExtractError::Empty);
        }
        if !looks_like_page(&decoded.text) {
            return read_feed_unguarded(document, rules.dates).map(|feed| PageReading {
                feed,
                way: None,
                select: None,
            });
        }
        let mut page = Page::parse(&decoded.text, document.url);
        let mut reading = read_listing(&page, rules);
        if reading.feed.entries.is_empty()
            && let Some(plain) = Page::parse_without_scripts(&decoded.text, document.url)
        {
            let shown = read_listing(&plain, rules);
            if !shown.feed.entries.is_empty() {
                (page, reading) = (plain, shown);
            }
        }
        if reading.feed.entries.is_empty()
            && let Some(wall) = wall::wall(&page)
        {
            return Err(ExtractError::Wall(wall));
        }
        reading.feed.date_order = page.shown_order();
        reading.feed.problems.splice(0..0, decoded.problem);
        Ok(reading)
    })
}

fn read_listing(page: &Page, rules: &PageRules) -> PageReading {
    let dates = page.dated_by(rules.dates);
    match &rules.select {
        Some(select) => PageReading {
            feed: page.read_cards(select, dates),
            way: Some(ExtractionMethod::Selectors),
            select: Some(select.clone()),
        },
        None => page.detect_listing(dates, &rules.known),
    }
}

/// Limits of a redirecting page: its size in bytes, the delay in seconds (a longer one is for readers who stay), and its text in
/// characters.
const REFRESH_BYTES_MAX: usize = 8 * 1024;
const REFRESH_SECONDS_MAX: f64 = 10.0;
const REFRESH_CHARS_MAX: usize = 400;

/// The target of a page that does nothing but redirect its readers.
pub fn meta_refresh(document: Document) -> Option<url::Url> {
    if document.bytes.len() > REFRESH_BYTES_MAX {
        return None;
    }
    guarded(|| {
        let decoded = decode(document);
        let is_refresh = decoded.text.to_ascii_lowercase().contains("http-equiv");
        Ok((is_refresh && looks_like_page(&decoded.text))
            .then(|| Page::parse(&decoded.text, document.url).refresh(REFRESH_SECONDS_MAX, REFRESH_CHARS_MAX))
            .flatten())
    })
    .unwrap_or_default()
}

/// Reads a message as a request to confirm a subscription; `None` for any other.
pub fn confirmation_request(bytes: &[u8]) -> Option<ConfirmationRequest> {
    guarded(|| Ok(mail::confirmation_request(bytes))).unwrap_or_default()
}

/// Reads a newsletter that came by mail; `None` if it is not a mail.
pub fn read_mail(bytes: &[u8]) -> Option<RawEntry> {
    guarded(|| Ok(mail::read_mail(bytes))).unwrap_or_default()
}

/// Reads a sitemap, or an index of some.
///
/// # Errors
/// As `read_feed`.
pub fn read_sitemap(document: Document) -> Result<Sitemap, ExtractError> {
    guarded(|| {
        let decoded = decode(document);
        let text = decoded.text.trim_start_matches(['\u{FEFF}', '\0']);
        sitemap::read(text, document.url.cloned()).ok_or(ExtractError::Unknown)
    })
}

/// Reads a list of feeds (OPML); `None` when it is something else.
pub fn read_opml(bytes: &[u8]) -> Option<Vec<ListedFeed>> {
    let read = || {
        let decoded = charset::decode(bytes, None);
        opml::read(decoded.text.trim_start_matches(['\u{FEFF}', '\0'])).ok_or(ExtractError::Unknown)
    };
    guarded(read).ok()
}

/// The calendars that a page names, the best first.
pub fn calendar_links(document: Document) -> Vec<String> {
    guarded(|| Ok(Page::parse(&decode(document).text, document.url).calendar_links())).unwrap_or_default()
}

/// Whether a page holds an element that a CSS selector names.
pub fn page_has(document: Document, css: &str) -> bool {
    guarded(|| {
        let page = Page::parse(&decode(document).text, document.url);
        Ok(scraper::Selector::parse(css).is_ok_and(|selector| page.html().select(&selector).next().is_some()))
    })
    .unwrap_or(false)
}

/// Reads an entry's own page; fields that cannot be read are empty.
pub fn read_item_page(document: Document, rules: DateRules) -> ItemPage {
    guarded(|| Ok(Page::parse(&decode(document).text, document.url).read_item(rules))).unwrap_or_default()
}

/// What answered in the place of a page, if it was not the page: a login, that the site is closed for a while, or that it has no
/// such page.
pub fn error_page_reason(document: Document) -> Option<&'static str> {
    guarded(|| Ok(wall::error_page_reason(&Page::parse(&decode(document).text, document.url))))
        .unwrap_or_default()
}

/// What answered in the place of a document, if it is not a page for readers: a bot wall, a login, a shell that needs a browser.
pub fn wall_reason(document: Document) -> Option<&'static str> {
    guarded(|| Ok(wall::wall(&Page::parse(&decode(document).text, document.url)))).unwrap_or_default()
}

/// Whether an address names news.
pub fn is_address_of_news(url: &Url) -> bool {
    url.path_segments().into_iter().flatten().any(listing::names_news)
}

fn guarded<T>(read: impl FnOnce() -> Result<T, ExtractError>) -> Result<T, ExtractError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(ExtractError::Panicked))
}

fn decode(document: Document<'_>) -> Decoded<'_> {
    charset::decode(document.bytes, document.content_type.and_then(charset_parameter))
}

fn read_feed_unguarded(document: Document, rules: DateRules) -> Result<RawFeed, ExtractError> {
    let unfolded = icalendar::unfolded(document.bytes);
    let document = Document { bytes: unfolded.as_deref().unwrap_or(document.bytes), ..document };
    let decoded = decode(document);
    let text = decoded.text.trim_start_matches(['\u{FEFF}', '\0']);
    if text.trim().is_empty() {
        return Err(ExtractError::Empty);
    }
    let decoded_text = DecodedDocument { text, url: document.url, rules };
    let read = formats::READERS.iter().find_map(|reader| reader(&decoded_text));
    let mut feed = read.unwrap_or(Err(ExtractError::Unknown))?;
    feed.problems.splice(0..0, decoded.problem);
    Ok(feed)
}

/// The `charset` parameter of a Content-Type header.
fn charset_parameter(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })
}

/// Whether a document is a web page: its first element, after declarations and comments, is `html` (or one that only HTML has),
/// and no root of a feed precedes it.
fn looks_like_page(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with("!--") {
            rest = rest.find("-->").map_or("", |end| &rest[end + 3..]);
        } else if rest.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("!doctype htm")) {
            return true;
        } else if !rest.starts_with(['!', '?']) {
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != ':').next().unwrap_or("");
            return [
                "html", "head", "body", "main", "article", "section", "div", "p", "ul", "table", "meta",
                "title",
            ]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
        }
    }
    false
}

/// Whether a text declared as plain is HTML all the same: it has an end tag or a reference, and nothing that looks like a tag
/// but is not one. A sign that no name follows is none of a tag: "a < b".
fn looks_like_html(text: &str) -> bool {
    let has_reference = text.match_indices('&').any(|(at, _)| {
        reference_name(&text[at + 1..])
            .is_some_and(|name| name.starts_with('#') || named_reference(name).is_some())
    });
    let names = text.match_indices('<').map(|(at, _)| text[at + 1..].trim_start_matches('/'));
    let mut tags = names.filter(|name| name.starts_with(|c: char| c.is_alphabetic())).map(|name| {
        name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("").to_ascii_lowercase()
    });
    let has_end_tag = text.contains("</") || text.contains("/>") || text.to_ascii_lowercase().contains("<br");
    (has_end_tag || has_reference) && tags.all(|name| TEXT_ELEMENTS.contains(&name.as_str()))
}
