//! Renders the channel: feeds in several formats, pages, lists. Pure: `pipeline::publish` writes the files.

pub mod alarms;
pub mod atom;
pub mod brand;
pub mod formats;
pub mod headers;
pub mod json_feed;
pub mod lists;
pub mod planet;
pub mod rss;

use std::borrow::Cow;

use crate::model::event::Event;
use crate::model::publication::Publication;
use crate::model::story::Story;
use crate::view::Catalog;

/// File names within a publication.
pub const ATOM: &str = "atom.xml";
pub const RSS: &str = "rss.xml";
pub const JSON: &str = "feed.json";
pub const PAGE: &str = "index.html";
/// The list of sources, at the address of the channel.
pub const OPML: &str = "opml.xml";

/// A feed format.
#[derive(Debug)]
pub struct OutputFormat {
    /// The file name within a publication.
    pub file: &'static str,
    pub media_type: &'static str,
    /// The display name.
    pub name: &'static str,
    /// Renders a feed; equal stories give equal bytes.
    pub render: fn(Catalog, DocumentLocation, &[Story]) -> anyhow::Result<Vec<u8>>,
}

/// The location of a document within a publication, and its neighbours (RFC 5005).
#[derive(Debug, Clone, Copy)]
pub struct DocumentLocation<'a> {
    pub publication: &'a Publication,
    /// The number of an archive document; `None` for the current feed.
    pub archive: Option<i64>,
    /// The newest archive document before this one; 0 if there is none.
    pub before: i64,
    /// The address of the hub that announces changes (WebSub).
    pub hub: Option<&'a str>,
}

/// The path of an archive document within its publication.
pub fn archive_name(number: i64) -> String {
    format!("archive/{number}.xml")
}

impl DocumentLocation<'_> {
    /// The address of a file of the publication.
    fn address(&self, catalog: Catalog, file: &str) -> String {
        format!("{}/{}{file}", catalog.channel.url, self.publication.path)
    }

    /// Links common to all formats as relation and address: this document, the current feed, the previous archive document.
    fn links(&self, catalog: Catalog, head: &str) -> Vec<(&'static str, String)> {
        let current = self.address(catalog, head);
        let mut links = match self.archive {
            Some(number) => {
                vec![("self", self.address(catalog, &archive_name(number))), ("current", current.clone())]
            }
            None => vec![("self", current.clone())],
        };
        links.push(("first", current));
        if self.before > 0 {
            let before = self.address(catalog, &archive_name(self.before));
            // For paged feeds (section 3) and archived feeds (section 4): both lead to older stories.
            links.push(("next", before.clone()));
            links.push(("prev-archive", before));
        }
        if let Some(hub) = self.hub.filter(|_| self.archive.is_none()) {
            links.push(("hub", hub.to_owned()));
        }
        links
    }

    fn title(&self, catalog: Catalog) -> String {
        let channel = &catalog.channel.title;
        if self.publication.name.is_empty() {
            channel.clone()
        } else {
            format!("{channel} · {}", self.publication.name)
        }
    }
}

/// Whether a character may stand in a document (XML 1.0 section 2.2).
fn is_xml_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Removes control characters that XML 1.0 cannot represent.
fn xml_safe(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_xml_character) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|c| is_xml_character(*c)).collect())
    }
}

/// An event in the words of the event module of RSS 1.0.
fn event_values(event: &Event) -> Vec<(&'static str, String)> {
    let begin = ("startdate", event.begin.to_string());
    let end = event.end.map(|end| ("enddate", end.to_string()));
    let place = event.place.clone().map(|place| ("location", place));
    [begin].into_iter().chain(end).chain(place).collect()
}
