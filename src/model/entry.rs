//! A normalized entry as stored: with absolute addresses, and an identity that is stable between fetches. Comments on fields
//! name their counterparts in each format.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::Event;
use super::feed::{Enclosure, Image, Person, RawEntry, RawText};
use crate::support::sentence::first_sentence;
use crate::support::text::shorten;

/// What an entry is recognised by when its source is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// RSS `guid`, `atom:id`, `rdf:about`, JSON Feed `id`.
    Guid(String),
    /// Without an identifier: the canonical key of its address.
    Address(String),
    /// With neither: a digest of its text as it was first seen.
    Content(String),
}

impl Identity {
    /// The identity as one string for the store; keys of different kinds never collide.
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

/// The stored fields of an entry needed to compare it with a new reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSummary {
    pub fingerprint: String,
    pub title: String,
    pub summary: String,
    pub url: Option<String>,
    pub date: Option<Timestamp>,
    /// When its event begins.
    pub event: Option<Timestamp>,
    /// The addresses of its enclosures and of files that it links to, where they were asked for.
    pub files: Vec<String>,
}

impl StoredSummary {
    /// The summary that an entry just read would have once stored.
    pub fn of(raw: &RawEntry, fingerprint: &str) -> StoredSummary {
        let text = |text: &Option<RawText>| text.as_ref().map(|text| text.value.clone()).unwrap_or_default();
        let summary = if raw.summary.is_some() { &raw.summary } else { &raw.content };
        StoredSummary {
            fingerprint: fingerprint.to_owned(),
            title: text(&raw.title),
            summary: text(summary),
            url: raw.url().map(str::to_owned),
            date: raw.date(),
            event: raw.event.as_ref().and_then(|event| event.begin.instant()),
            files: raw.enclosures.iter().map(|file| file.url.clone()).collect(),
        }
    }
}

/// A version of the same story in another language (`hreflang`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternate {
    pub language: String,
    pub url: String,
}

/// The origin that a syndicated entry gives.
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

/// Maximum length of text used in place of a title, in characters.
const HEADLINE_CHARS_MAX: usize = 80;

/// A normalized entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Our own id: a UUID derived from source and identity, the same on every machine.
    pub id: String,
    /// The id of the source in the configuration.
    pub source: String,
    /// The identifier given by the source.
    pub guid: Option<String>,
    pub identity: Identity,
    /// The entry's own page: RSS `link`, `atom:link rel=alternate`.
    pub url: Option<String>,
    /// Other addresses of the same text: `rel=canonical`, `rel=via`.
    pub same_as: Vec<String>,
    /// Plain text on one line; empty if the source gave none.
    pub title: String,
    /// Plain text: `description`, `atom:summary`, or the start of the content.
    pub summary: String,
    /// The summary as safe HTML, if the source gave HTML.
    pub summary_html: Option<String>,
    /// Safe HTML: `content:encoded`, `atom:content`, `content_html`.
    pub content_html: Option<String>,
    /// BCP 47: as declared, unless the text is in another language.
    pub language: Option<String>,
    /// Confidence of the text's language, 0 to 1; `None` if there was too little text.
    pub language_confidence: Option<f32>,
    /// As given: RSS `pubDate`, `atom:published`, `dc:date`. Never invented.
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

#[cfg(test)]
impl Entry {
    /// An entry of a source that has nothing but a guid.
    pub fn bare(source: &str, guid: &str) -> Entry {
        Entry {
            id: format!("{source}-{guid}"),
            source: source.into(),
            guid: Some(guid.into()),
            identity: Identity::Guid(guid.into()),
            url: None,
            same_as: Vec::new(),
            title: String::new(),
            summary: String::new(),
            summary_html: None,
            content_html: None,
            language: None,
            language_confidence: None,
            published: None,
            updated: None,
            authors: Vec::new(),
            tags: Vec::new(),
            image: None,
            enclosures: Vec::new(),
            alternates: Vec::new(),
            provenance: None,
            event: None,
            fingerprint: "f".into(),
        }
    }
}

impl Entry {
    /// The title, or else the first sentence, truncated at a word; empty if it has neither.
    pub fn headline(&self) -> String {
        if self.title.is_empty() {
            shorten(first_sentence(&self.summary), HEADLINE_CHARS_MAX)
        } else {
            self.title.clone()
        }
    }

    /// The entry's own date, if it has one.
    pub fn date(&self) -> Option<Timestamp> {
        self.published.or(self.updated)
    }
}
