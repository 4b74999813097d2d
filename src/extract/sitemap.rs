//! Sitemaps: `urlset` with the addresses of pages and when they changed, `sitemapindex` with those of other sitemaps; and news
//! sitemaps, whose `news:news` gives each address a title and a date.

use jiff::Timestamp;
use url::Url;

use super::date::parse_date;
use super::feed::ENTRIES_MAX;
use super::xml::{Cursor, Element, TextMode};
use crate::model::feed::{FeedFormat, Link, RawEntry, RawFeed, RawText};

/// Addresses read of one sitemap, as its protocol allows.
const ADDRESSES_MAX: usize = 50_000;

/// A sitemap, or an index of others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sitemap {
    /// Pages; only a news sitemap gives their titles.
    pub entries: Vec<RawEntry>,
    /// Other sitemaps, and when they changed.
    pub sitemaps: Vec<(String, Option<Timestamp>)>,
    /// It ends too early.
    pub is_cut: bool,
}

/// Whether a document is a sitemap or an index of some, by its beginning.
pub(super) fn is_sitemap(start: &str) -> bool {
    let start: String = start.chars().take(1024).collect();
    start.contains("<urlset") || start.contains("<sitemapindex")
}

/// Reads a sitemap of any kind; `None` when it is something else.
pub(super) fn read(text: &str, base: Option<Url>) -> Option<Sitemap> {
    let mut cursor = Cursor::new(text, base);
    let root = cursor.next_child(0).filter(|root| matches!(&*root.name, "urlset" | "sitemapindex"))?;
    let mut sitemap = Sitemap::default();
    while let Some(child) = cursor.next_child(root.depth) {
        let mut entry = RawEntry::default();
        read_parts(&mut cursor, &child, &mut entry);
        let Some(address) =
            entry.url().filter(|_| sitemap.entries.len() + sitemap.sitemaps.len() < ADDRESSES_MAX)
        else {
            continue;
        };
        if child.name == "sitemap" {
            sitemap.sitemaps.push((address.to_owned(), entry.updated));
        } else {
            sitemap.entries.push(entry);
        }
    }
    sitemap.is_cut = cursor.is_cut();
    Some(sitemap)
}

/// Reads the entries that have a news title; `None` when the document is not a sitemap or has no news in it.
pub(super) fn read_news(text: &str, base: Option<Url>) -> Option<RawFeed> {
    let mut cursor = Cursor::new(text, base);
    let root = cursor.next_child(0).filter(|root| root.name == "urlset")?;
    let mut feed = RawFeed { format: FeedFormat::Sitemap, ..RawFeed::default() };
    while let Some(url) = cursor.next_child(root.depth) {
        let mut entry = RawEntry::default();
        read_parts(&mut cursor, &url, &mut entry);
        if entry.title.is_some() && !entry.links.is_empty() && feed.entries.len() < ENTRIES_MAX {
            feed.entries.push(entry);
        }
    }
    feed.is_cut = cursor.is_cut();
    (!feed.entries.is_empty()).then_some(feed)
}

fn read_parts<'a>(cursor: &mut Cursor<'a>, parent: &Element<'a>, entry: &mut RawEntry) {
    while let Some(child) = cursor.next_child(parent.depth) {
        let name = child.name.clone().into_owned();
        if matches!(name.as_str(), "news" | "publication") {
            read_parts(cursor, &child, entry);
            continue;
        }
        let value = cursor.read_markup(&child, TextMode::Resolved, &[]).value.trim().to_owned();
        match name.as_str() {
            "loc" if entry.links.is_empty() => entry.links.push(Link {
                href: cursor.resolve(&value),
                rel: "alternate".into(),
                media_type: None,
                hreflang: None,
            }),
            "title" => entry.title = Some(RawText { value, ..RawText::default() }),
            "publication_date" => entry.published = parse_date(&value),
            "lastmod" => entry.updated = parse_date(&value),
            "language" => entry.language = Some(value).filter(|language| !language.is_empty()),
            "keywords" => {
                entry.tags = value
                    .split(',')
                    .map(|tag| tag.trim().to_owned())
                    .filter(|tag| !tag.is_empty())
                    .take(20)
                    .collect()
            }
            _ => {}
        }
    }
}
