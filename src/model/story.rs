//! A story: all copies and translations of one piece of news, and the choice of which to show.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::support::text::is_same_language;

use super::entry::Entry;
use super::event::Event;
use super::keys::EntryKey;
use super::subscriber::Interests;
use super::topic::TopicMatch;

/// The relation of an entry to its story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The first one seen.
    First,
    /// The same text from another source, or under another identifier.
    Copy,
    /// The same news in another language.
    Translation,
}

impl Relation {
    pub fn as_str(self) -> &'static str {
        match self {
            Relation::First => "first",
            Relation::Copy => "copy",
            Relation::Translation => "translation",
        }
    }
}

impl From<&str> for Relation {
    fn from(text: &str) -> Self {
        match text {
            "copy" => Relation::Copy,
            "translation" => Relation::Translation,
            _ => Relation::First,
        }
    }
}

/// An entry with its stored metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEntry {
    pub entry: Entry,
    pub partner: String,
    pub first_seen: Timestamp,
    /// When a change of its text was last seen.
    pub changed: Timestamp,
    pub topics: Vec<TopicMatch>,
    pub story: String,
    pub relation: Relation,
    /// Why it is in this story, in words.
    pub reason: Option<String>,
    /// How often it was announced as news.
    pub announced: u32,
    /// Its key, in the order in which entries were first seen.
    pub order: EntryKey,
    /// The place of its source in the configuration.
    pub source_position: u32,
}

/// What an entry is sorted by: its own date, but never one that had not come yet when it was first seen. An event without one that
/// was over by then stands where it took place.
pub fn sort_date(entry: &Entry, first_seen: Timestamp) -> Timestamp {
    let past = entry.event.as_ref().filter(|event| event.is_over(first_seen));
    let date = entry.date().or_else(|| past?.begin.instant());
    date.map_or(first_seen, |date| date.min(first_seen))
}

impl StoredEntry {
    /// The date it is sorted by: its own, but not later than when it was first seen.
    pub fn sort_date(&self) -> Timestamp {
        sort_date(&self.entry, self.first_seen)
    }

    /// `atom:published`: as the source says, but never later than the entry was first seen.
    pub fn published(&self) -> Option<Timestamp> {
        self.entry.published.map(|date| date.min(self.first_seen))
    }

    /// `atom:updated`: the latest change that its source or we know of, and none that has not come yet.
    pub fn updated(&self) -> Timestamp {
        let claimed = self.entry.updated.or(self.entry.published).unwrap_or(self.first_seen);
        if self.changed > self.first_seen { self.changed } else { claimed.min(self.first_seen) }
    }

    /// Whether this version matches the languages and partners of interests; topics are matched by the story. Without a language
    /// it matches all.
    fn fits(&self, interests: &Interests) -> bool {
        let speaks = interests.languages.is_empty()
            || self.entry.language.is_none()
            || interests.languages.iter().any(|language| self.is_in(language));
        speaks && (interests.partners.is_empty() || interests.partners.contains(&self.partner))
    }

    fn text_bytes(&self) -> usize {
        self.entry.content_html.as_ref().map_or(0, String::len).max(self.entry.summary.len())
    }

    /// Whether it declares to come from elsewhere: by its `atom:source`, or by a canonical address on another site.
    fn is_syndicated(&self) -> bool {
        let host = |address: &str| {
            url::Url::parse(address)
                .ok()
                .and_then(|url| Some(url.host_str()?.trim_start_matches("www.").to_owned()))
        };
        let own = self.entry.url.as_deref().and_then(host);
        self.entry.provenance.is_some()
            || self
                .entry
                .same_as
                .iter()
                .any(|address| own.is_some() && host(address).is_some_and(|other| Some(other) != own))
    }

    fn is_in(&self, language: &str) -> bool {
        self.entry.language.as_deref().is_some_and(|own| is_same_language(own, language))
    }
}

/// Weight of each further partner with the story, in points of a topic's score, and how many of them count.
const PARTNER_WEIGHT: u32 = 3;
const PARTNERS_MAX: u32 = 4;
/// Maximum score of a topic: long texts have many matches.
const FIT_MAX: u32 = 6;

/// One piece of news, its versions in the order in which they were seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    pub id: String,
    pub versions: Vec<StoredEntry>,
}

impl Story {
    /// The version to show to readers of `language`: in their language first, then originals before syndicated, those of an
    /// earlier day before those of a later one, full texts before teasers, older before newer ones, the source that the configuration
    /// names first before others; whatever was read first.
    ///
    /// # Panics
    /// Never for a story from the store, which has at least one version.
    pub fn version_for(&self, language: &str) -> &StoredEntry {
        self.version_among(language, &Interests::default())
    }

    /// Like `version_for`, among the versions that match some interests, or among all if none does.
    ///
    /// # Panics
    /// Never for a story from the store.
    pub fn version_among(&self, language: &str, interests: &Interests) -> &StoredEntry {
        let longest = self.versions.iter().map(StoredEntry::text_bytes).max().unwrap_or(0);
        let rank = |at: usize, version: &StoredEntry| {
            let date = version.sort_date();
            let is_teaser = version.text_bytes() * 2 < longest;
            (
                !version.fits(interests),
                !version.is_in(language),
                self.is_superseded(version),
                version.entry.title.is_empty(),
                version.is_syndicated(),
                date.to_zoned_datetime(TimeZone::UTC).date(),
                is_teaser,
                date,
                version.source_position,
                at,
            )
        };
        let best = self.versions.iter().enumerate().min_by_key(|(at, version)| rank(*at, version));
        best.map(|(_, version)| version).expect("a story has a version")
    }

    /// Whether the same source published the same again later at another address: it moved, and this version is outdated.
    fn is_superseded(&self, version: &StoredEntry) -> bool {
        let is_later = |other: &&StoredEntry| {
            other.entry.source == version.entry.source
                && other.order > version.order
                && other.entry.title == version.entry.title
                && other.entry.language == version.entry.language
                && other.entry.url.is_some()
                && other.entry.url != version.entry.url
        };
        self.versions.iter().any(|other| is_later(&other))
    }

    /// The key of the entry with which this story first matched some interests; `None` if it does not match.
    pub fn wanted_since(&self, interests: &Interests) -> Option<EntryKey> {
        let topics = self.topics();
        // A story without topics matches interests without topics.
        let is_on_topic = if topics.is_empty() {
            interests.topics.is_empty()
        } else {
            topics.iter().any(|matched| interests.has_topic(&matched.topic))
        };
        self.versions
            .iter()
            .filter(|version| is_on_topic && version.fits(interests))
            .map(|version| version.order)
            .min()
    }

    /// How relevant a story is for some interests, to sort the best first: by the number of its partners, and by the scores of
    /// the wanted topics.
    pub fn weight(&self, interests: &Interests) -> u32 {
        let mut partners: Vec<&str> = self.versions.iter().map(|version| version.partner.as_str()).collect();
        partners.sort_unstable();
        partners.dedup();
        let others = u32::try_from(partners.len().saturating_sub(1)).unwrap_or(u32::MAX).min(PARTNERS_MAX);
        let fit = self
            .topics()
            .iter()
            .filter(|matched| interests.has_topic(&matched.topic))
            .map(|matched| matched.score)
            .max();
        others * PARTNER_WEIGHT + fit.unwrap_or(0).min(FIT_MAX)
    }

    /// When and where it takes place: as the version that is shown says, else as the first that does.
    pub fn event<'a>(&'a self, shown: &'a StoredEntry) -> Option<&'a Event> {
        let others = self.versions.iter().filter_map(|version| version.entry.event.as_ref());
        shown.entry.event.as_ref().into_iter().chain(others).next()
    }

    /// The other versions that share its language: the places where the same text stands, one for each other partner.
    pub fn copies_of<'a>(&'a self, shown: &'a StoredEntry) -> impl Iterator<Item = &'a StoredEntry> {
        let language = shown.entry.language.clone().unwrap_or_default();
        let mut partners = vec![shown.partner.as_str()];
        self.versions.iter().filter(move |version| {
            let is_other = version.entry.id != shown.entry.id
                && version.is_in(&language)
                && !self.is_superseded(version)
                && !partners.contains(&version.partner.as_str());
            if is_other {
                partners.push(&version.partner);
            }
            is_other
        })
    }

    /// One version for each other language. Variants of a language, such as fr and fr-CA, are one for readers.
    pub fn translations_of(&self, shown: &StoredEntry) -> Vec<&StoredEntry> {
        let mut translations: Vec<&StoredEntry> = Vec::new();
        for language in self.versions.iter().filter_map(|version| version.entry.language.as_deref()) {
            if !shown.is_in(language) && translations.iter().all(|known| !known.is_in(language)) {
                translations.push(self.version_for(language));
            }
        }
        translations
    }

    /// The topics of all versions, best first.
    pub fn topics(&self) -> Vec<&TopicMatch> {
        let mut all: Vec<&TopicMatch> = Vec::new();
        for topic in self.versions.iter().flat_map(|version| &version.topics) {
            match all.iter_mut().find(|known| known.topic == topic.topic) {
                Some(known) if known.score < topic.score => *known = topic,
                Some(_) => {}
                None => all.push(topic),
            }
        }
        all.sort_by_key(|topic| std::cmp::Reverse(topic.score));
        all
    }
}
