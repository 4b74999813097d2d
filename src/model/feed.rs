//! Raw results of extraction, before normalization: a feed or page as entries, with the problems encountered. URLs are absolute
//! if the document allowed it; texts are as found.

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use super::event::Event;

/// Media types of feeds, by which web pages name them and servers choose them.
pub const FEED_MEDIA_TYPES: [&str; 4] =
    ["application/atom+xml", "application/rss+xml", "application/feed+json", "application/rdf+xml"];

/// The format that a document turned out to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum FeedFormat {
    #[default]
    Unknown,
    Atom,
    Rss,
    Rdf,
    Cdf,
    JsonFeed,
    /// The list of posts of a WordPress site.
    WordPress,
    /// A news sitemap.
    Sitemap,
    /// iCalendar (RFC 5545).
    Calendar,
    /// The public page of a Telegram channel.
    Telegram,
    /// Newsletters in a mailbox.
    Mail,
    Page,
}

impl FeedFormat {
    /// What a document of it is called where another one was expected.
    pub fn name(self) -> &'static str {
        match self {
            FeedFormat::Calendar => "a calendar",
            FeedFormat::Sitemap => "a sitemap",
            FeedFormat::Telegram => "the public page of a Telegram channel",
            FeedFormat::Page => "a web page",
            _ => "a feed",
        }
    }

    /// The name of the way in which a page is read by a document of it that the page names.
    pub fn page_method(self) -> &'static str {
        match self {
            FeedFormat::WordPress => "WordPress REST",
            FeedFormat::Sitemap => "news sitemap",
            FeedFormat::Calendar => "calendar",
            FeedFormat::Telegram => "Telegram",
            _ => "feed autodiscovery",
        }
    }
}

/// A text as its source gave it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawText {
    pub value: String,
    pub is_html: bool,
    /// Base address of relative links in it (`xml:base`, or else the document's own address).
    pub base: Option<Url>,
    /// The `xml:lang` in effect.
    pub language: Option<String>,
}

/// `atom:author`, `dc:creator`, RSS `author` and `managingEditor`, JSON Feed `authors`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Person {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
}

impl Person {
    /// Parses a person from one line: `Name (mail)`, `mail (Name)`, `Name <mail>`, or only one of them. `None` if it is empty.
    pub fn parse(line: &str) -> Option<Person> {
        let line = line.trim();
        let email = line
            .split(|c: char| c.is_whitespace() || "()<>[],;\"".contains(c))
            .map(|word| word.strip_prefix("mailto:").unwrap_or(word))
            .find(|word| matches!(word.split_once('@'), Some((a, b)) if !a.is_empty() && b.contains('.') && !b.contains('@')));
        let name = match email {
            Some(email) => {
                line.replacen(email, "", 1).replace("mailto:", "").replace("()", "").replace("<>", "")
            }
            None => line.to_owned(),
        };
        let mut name = name.trim();
        if email.is_some() {
            name = name.trim_start_matches(['(', '<']).trim_end_matches([')', '>']).trim();
        }
        let person = Person {
            name: (!name.is_empty()).then(|| name.to_owned()),
            url: None,
            email: email.map(str::to_owned),
        };
        (person != Person::default()).then_some(person)
    }
}

/// `atom:link` (RFC 4287 section 4.2.7) and its counterparts in other formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub href: String,
    /// Lower case; `alternate` if none was given.
    pub rel: String,
    pub media_type: Option<String>,
    pub hreflang: Option<String>,
}

/// RSS `enclosure`, `atom:link rel=enclosure`, `media:content`, JSON Feed `attachments`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Enclosure {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mime_type: Option<String>,
    /// In bytes, as declared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size_in_bytes: Option<u64>,
}

/// The origin of a syndicated entry: `atom:source`, RSS `source`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    pub title: Option<RawText>,
    pub url: Option<String>,
    pub feed_url: Option<String>,
    pub id: Option<String>,
}

/// A picture that represents the entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Image {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alt: Option<String>,
}

/// One entry as given by its document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RawEntry {
    /// RSS `guid`, `atom:id`, `rdf:about`, JSON Feed `id`; never invented.
    pub guid: Option<String>,
    pub links: Vec<Link>,
    pub title: Option<RawText>,
    pub summary: Option<RawText>,
    pub content: Option<RawText>,
    pub authors: Vec<Person>,
    pub tags: Vec<String>,
    pub published: Option<Timestamp>,
    pub updated: Option<Timestamp>,
    pub language: Option<String>,
    pub origin: Option<Origin>,
    pub enclosures: Vec<Enclosure>,
    pub image: Option<Image>,
    /// What was decided while it was read, in words for an operator: where its date stood, what was left out.
    pub notes: Vec<String>,
    /// What the entry is about takes place: iCalendar `DTSTART`, `DTEND`, `LOCATION`.
    pub event: Option<Event>,
    /// What `published` says as the time of an event: of a day that is past, a page does not tell which of both it is.
    pub date_as_event: Option<Event>,
    /// `published` was told from the day of the reading ("2 weeks ago"): each later reading gives another day.
    pub is_told_from_today: bool,
    /// Its address is that of the page which lists it, for want of its own.
    pub is_of_listing: bool,
    /// The format rules that its `guid` is given to nothing else: whatever differs under it is an edit.
    pub has_certain_guid: bool,
}

impl RawEntry {
    /// The publication date, or else that of the last change.
    pub fn date(&self) -> Option<Timestamp> {
        self.published.or(self.updated)
    }

    /// The address of the entry's own page: the HTML alternate, or else any alternate.
    pub fn url(&self) -> Option<&str> {
        preferred_alternate(&self.links)
    }

    /// Whether there is nothing in it that could be read or followed.
    pub fn is_empty(&self) -> bool {
        let is_blank = |text: &Option<RawText>| text.as_ref().is_none_or(|text| text.value.trim().is_empty());
        [&self.title, &self.summary, &self.content].into_iter().all(is_blank)
            && self.links.iter().all(|link| link.href.trim().is_empty())
            && self.image.is_none()
            && self.enclosures.is_empty()
    }
}

/// The alternate link that a reader should follow.
pub fn preferred_alternate(links: &[Link]) -> Option<&str> {
    let alternates = || links.iter().filter(|link| link.rel == "alternate");
    let is_html =
        |link: &&Link| link.media_type.as_deref().is_none_or(|media_type| media_type.contains("html"));
    alternates()
        .find(|link| is_html(link) && link.hreflang.is_none())
        .or_else(|| alternates().find(is_html))
        .or_else(|| alternates().next())
        .map(|link| link.href.as_str())
}

/// A feed's hints for polling.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct PollHints {
    /// RSS `ttl`, in minutes.
    pub ttl_minutes: Option<u32>,
    /// RSS `skipHours`, hours of the day in UTC.
    pub skip_hours: Vec<u8>,
    /// RSS `skipDays`, English day names.
    pub skip_days: Vec<String>,
    /// `sy:updatePeriod`, in seconds.
    pub update_period_seconds: Option<u64>,
    /// `sy:updateFrequency`: updates per period.
    pub update_frequency: Option<u32>,
}

impl PollHints {
    /// The time between two updates according to the syndication module, in seconds.
    pub fn update_seconds(&self) -> Option<u64> {
        let period = self.update_period_seconds.or(self.update_frequency.map(|_| 86_400))?;
        Some(period / u64::from(self.update_frequency.unwrap_or(1).max(1)))
    }
}

/// A document read into entries. Partial results are normal: `problems` says what was lost or repaired.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RawFeed {
    pub format: FeedFormat,
    pub title: Option<RawText>,
    pub description: Option<RawText>,
    pub links: Vec<Link>,
    pub authors: Vec<Person>,
    pub language: Option<String>,
    pub updated: Option<Timestamp>,
    pub published: Option<Timestamp>,
    pub hints: PollHints,
    pub entries: Vec<RawEntry>,
    /// Sentences for the operator.
    pub problems: Vec<String>,
    /// How it was read, for `courant probe -v`.
    pub notes: Vec<String>,
    /// The document is truncated, and must not be taken for the whole.
    pub is_cut: bool,
    /// It says something else on another day, without a change: there is no use in asking whether it changed.
    pub is_of_today: bool,
    /// How its unambiguous dates in figures show that it writes the others.
    pub date_order: Option<super::source::DateOrder>,
}

impl RawFeed {
    /// The site that the feed belongs to.
    pub fn home_page_url(&self) -> Option<&str> {
        preferred_alternate(&self.links)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_split_from_any_common_line() {
        for (line, name, email) in [
            ("Ana Pérez (ana@example.org)", Some("Ana Pérez"), Some("ana@example.org")),
            ("ana@example.org (Ana Pérez)", Some("Ana Pérez"), Some("ana@example.org")),
            ("Ana Pérez <ana@example.org>", Some("Ana Pérez"), Some("ana@example.org")),
            ("ana@example.org", None, Some("ana@example.org")),
            ("Ana (ILDA)", Some("Ana (ILDA)"), None),
            ("é@x", Some("é@x"), None),
        ] {
            let person = Person::parse(line).unwrap();
            assert_eq!((person.name.as_deref(), person.email.as_deref()), (name, email), "{line}");
        }
        assert_eq!(Person::parse("  "), None);
    }
}
