//! The registry of the formats that courant reads as a feed. Each is a file beside this one, and an element here.

use url::Url;

use super::page::Page;
use super::prose_date::DateRules;
use super::{ExtractError, feed, icalendar, json_feed, looks_like_page, sitemap, telegram, wordpress};
use crate::model::feed::RawFeed;

/// A decoded document.
pub(super) struct DecodedDocument<'a> {
    pub(super) text: &'a str,
    /// The base address of relative links.
    pub(super) url: Option<&'a Url>,
    pub(super) rules: DateRules,
}

/// Reads a document if it is of a format; `None` if it is not.
pub(super) type FormatReader = fn(&DecodedDocument) -> Option<Result<RawFeed, ExtractError>>;

/// All formats, in the order in which they are tried: what is recognised by its first characters, then what may be inside of something
/// else, then pages, and what is left is read as XML.
pub(super) const READERS: [FormatReader; 8] =
    [calendar, posts, json_document, news_sitemap, inner_feed, channel, web_page, xml_feed];

fn calendar(of: &DecodedDocument) -> Option<Result<RawFeed, ExtractError>> {
    icalendar::is_calendar(of.text).then(|| Ok(icalendar::read_calendar(of.text, of.rules.now)))
}

fn posts(of: &DecodedDocument) -> Option<Result<RawFeed, ExtractError>> {
    let read = || wordpress::read_posts(of.text, of.url).ok_or(ExtractError::JsonList);
    of.text.trim_start().starts_with('[').then(read).filter(|read| read.is_ok() || !is_noise(of.text))
}

fn json_document(of: &DecodedDocument) -> Option<Result<RawFeed, ExtractError>> {
    let read = || json_feed::read_json_feed(of.text, of.url, of.rules).map_err(ExtractError::Json);
    of.text.trim_start().starts_with('{').then(read).filter(|read| read.is_ok() || !is_noise(of.text))
}

/// Whether what begins like JSON is none, and has the root of an XML feed further on.
fn is_noise(text: &str) -> bool {
    root_of_feed(text).is_some() && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err()
}

fn news_sitemap(of: &DecodedDocument) -> Option<Result<RawFeed, ExtractError>> {
    let read = || sitemap::read_news(of.text, of.url.cloned()).ok_or(ExtractError::Sitemap);
    sitemap::is_sitemap(of.text.trim_start()).then(read)
}

fn inner_feed(of: &DecodedDocument) -> Option<Result<RawFeed, ExtractError>> {
    feed_inside(of.text, of.url, of.rules).map(Ok)
}

fn channel(of: &DecodedDocument) -> Option<Result<RawFeed, ExtractError>> {
    let is_channel = looks_like_page(of.text) && telegram::is_channel(of.text);
    is_channel.then(|| Ok(telegram::read_channel(of.text, of.url)))
}

fn web_page(of: &DecodedDocument) -> Option<Result<RawFeed, ExtractError>> {
    let endpoints = || Page::parse(of.text, of.url).endpoints();
    looks_like_page(of.text).then(|| Err(ExtractError::WebPage { endpoints: endpoints() }))
}

fn xml_feed(of: &DecodedDocument) -> Option<Result<RawFeed, ExtractError>> {
    feed::read_feed(of.text, of.url.cloned(), of.rules).map(Ok)
}

/// The roots of XML feeds.
const ROOTS: [&str; 3] = ["<rss", "<feed", "<rdf:RDF"];

/// Where the root of an XML feed starts.
fn root_of_feed(text: &str) -> Option<usize> {
    let is_root = |at: &usize| {
        let after = ROOTS.iter().find_map(|root| text[*at..].strip_prefix(root));
        after.is_some_and(|after| after.starts_with(|c: char| c.is_ascii_whitespace() || c == '>'))
    };
    memchr::memchr_iter(b'<', text.as_bytes()).find(is_root)
}

/// Finds a feed inside another document, whole and unescaped: preceded by error output of a database or debugger, or wrapped
/// into a page.
fn feed_inside(text: &str, url: Option<&Url>, rules: DateRules) -> Option<RawFeed> {
    let first = text.trim_start();
    let start = root_of_feed(text);
    let before = &text[..start.unwrap_or(text.len())];
    let json = memchr::memmem::find(before.as_bytes(), b"\"https://jsonfeed.org/version/");
    if !first.starts_with('<') && start.is_none() || json.is_some() {
        let open = text[..json?].rfind('{')?;
        let feed = json_feed::read_json_feed(&text[open..], url, rules).ok()?;
        return Some(with_skipped_text_problem(feed)).filter(|feed| !feed.entries.is_empty());
    }
    let start = start?;
    if !looks_like_page(&text[..start]) {
        return None;
    }
    let end = ROOTS.iter().filter_map(|root| {
        let close = format!("</{}>", &root[1..]);
        text[start..].rfind(&close).map(|at| start + at + close.len())
    });
    let feed = feed::read_feed(&text[start..end.max().unwrap_or(text.len())], url.cloned(), rules)?;
    Some(with_skipped_text_problem(feed)).filter(|feed| !feed.entries.is_empty())
}

fn with_skipped_text_problem(mut feed: RawFeed) -> RawFeed {
    feed.problems.push("text before the feed was skipped".into());
    feed
}
