//! An entry as courant keeps it: cleaned, absolute, with an identity that outlives a fetch. Field comments say
//! where each format has it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::Event;
use super::feed::{Enclosure, Image, Person, RawEntry, RawText};

/// What an entry is recognised by when its source is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// RSS `guid`, `atom:id`, `rdf:about`, JSON Feed `id`.
    Guid(String),
    /// No identifier given: the canonical form of its address.
    Address(String),
    /// Neither: a digest of its words. Such an entry cannot be followed through an edit.
    Content(String),
}

impl Identity {
    /// One string for the store; the kinds never collide.
    pub fn key(&self) -> String {
        match self {
            Identity::Guid(value) => format!("guid:{value}"),
            Identity::Address(value) => format!("url:{value}"),
            Identity::Content(value) => format!("sha256:{value}"),
        }
    }

    /// The identity that has a key.
    pub fn from_key(key: &str) -> Identity {
        match key.split_once(':') {
            Some(("url", value)) => Identity::Address(value.to_owned()),
            Some(("sha256", value)) => Identity::Content(value.to_owned()),
            Some(("guid", value)) => Identity::Guid(value.to_owned()),
            _ => Identity::Guid(key.to_owned()),
        }
    }
}

/// What is known of an entry before it is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSummary {
    pub fingerprint: String,
    pub title: String,
    pub summary: String,
    pub url: Option<String>,
    pub date: Option<Timestamp>,
}

impl StoredSummary {
    /// What will be known of an entry that was just read.
    pub fn of(raw: &RawEntry, fingerprint: &str) -> StoredSummary {
        let text = |text: &Option<RawText>| text.as_ref().map(|text| text.value.clone()).unwrap_or_default();
        let summary = if raw.summary.is_some() { &raw.summary } else { &raw.content };
        StoredSummary {
            fingerprint: fingerprint.to_owned(),
            title: text(&raw.title),
            summary: text(summary),
            url: raw.url().map(str::to_owned),
            date: raw.published.or(raw.updated),
        }
    }
}

/// A version of the same story in another language (`hreflang`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternate {
    pub language: String,
    pub url: String,
}

/// Where a syndicated entry says that it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub feed_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
}

/// Of words that stand for a title.
const HEADLINE_CHARS_MAX: usize = 80;

/// A cleaned entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Ours: a UUID made from the source and the identity, so the same on every machine.
    pub id: String,
    /// The id of the source in the configuration.
    pub source: String,
    /// The identifier as the source gave it.
    pub guid: Option<String>,
    pub identity: Identity,
    /// The entry's own page: RSS `link`, `atom:link rel=alternate`.
    pub url: Option<String>,
    /// Other addresses of the same text: `rel=canonical`, `rel=via`.
    pub same_as: Vec<String>,
    /// Plain text, one line. Empty where the source gave none.
    pub title: String,
    /// Plain text: `description`, `atom:summary`, or the start of the content.
    pub summary: String,
    /// The summary as safe HTML, where the source gave HTML.
    pub summary_html: Option<String>,
    /// Safe HTML: `content:encoded`, `atom:content`, `content_html`.
    pub content_html: Option<String>,
    /// BCP 47: as declared, unless the words speak another language.
    pub language: Option<String>,
    /// How sure the words are of it, 0 to 1; `None` where they were too few to ask.
    pub language_confidence: Option<f32>,
    /// As given: RSS `pubDate`, `atom:published`, `dc:date`. Never made up.
    pub published: Option<Timestamp>,
    /// As given: `atom:updated`, `dcterms:modified`.
    pub updated: Option<Timestamp>,
    pub authors: Vec<Person>,
    /// The source's own categories.
    pub tags: Vec<String>,
    pub image: Option<Image>,
    pub enclosures: Vec<Enclosure>,
    pub alternates: Vec<Alternate>,
    pub provenance: Option<Provenance>,
    /// When and where what it tells of takes place.
    pub event: Option<Event>,
    /// A digest of all that makes an edit; equal when nothing changed.
    pub fingerprint: String,
}

/// A text up to the end of its first sentence; a point after a short word ends none ("Mr. X", "n. 5").
fn first_sentence(text: &str) -> &str {
    let ends = |(at, c): &(usize, char)| match c {
        '。' | '！' | '？' => true,
        '.' | '!' | '?' | '…' => {
            let word = text[..*at].rsplit(' ').next().unwrap_or("");
            text[at + c.len_utf8()..].starts_with(' ') && (*c != '.' || word.chars().count() > 3)
        }
        _ => false,
    };
    match text.char_indices().find(ends) {
        Some((at, '.' | '。')) => &text[..at],
        Some((at, c)) => &text[..at + c.len_utf8()],
        None => text,
    }
}

impl Entry {
    /// What to call it: its title, else its first sentence, cut at a word; empty where it has neither.
    pub fn headline(&self) -> String {
        if self.title.is_empty() {
            crate::support::text::shorten(first_sentence(&self.summary), HEADLINE_CHARS_MAX)
        } else {
            self.title.clone()
        }
    }

    /// The day that the entry speaks for itself, if it has one.
    pub fn date(&self) -> Option<Timestamp> {
        self.published.or(self.updated)
    }
}
