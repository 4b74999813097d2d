//! Entries of one document, made ready for the store: recognised, cleaned, put into a language, given topics and a sketch.
//! All that is costly happens here, before any unit of work, and on all cores.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use jiff::Timestamp;
use url::Url;

use crate::classify::Classifier;
use crate::dedupe::keys::{self, Names, identity_of_reused};
use crate::dedupe::sketch::{LINKS_MAX, SketchInput, sketch};
use crate::model::address::canonical_key;
use crate::model::entry::{Entry, Identity, StoredSummary};
use crate::model::feed::RawEntry;
use crate::model::filter::Verdict;
use crate::model::key::Key;
use crate::model::sketch::Sketch;
use crate::model::source::Source;
use crate::model::topic::TopicMatch;
use crate::normalize::entry::{Context, fingerprint, identity, normalize};
use crate::normalize::html::{Sanitizer, text_of_safe_html};
use crate::normalize::language::LanguageDetector;

/// An entry as the source lists it, under the identity that it is recognised by. The fingerprint is of what is listed, before the
/// item's own page adds to it.
pub struct Listed {
    pub raw: RawEntry,
    pub identity: Identity,
    pub key: String,
    pub fingerprint: String,
    /// Its identifier belongs to another entry, so it got another identity.
    pub is_reused: bool,
    /// Stored, and the same, when it was looked at.
    pub is_same: bool,
}

/// An entry ready to be decided on.
pub struct Candidate {
    pub key: String,
    pub fingerprint: String,
    /// `None` for one that was stored and the same when it was looked at: it is not worth the work.
    pub cleaned: Option<Box<Cleaned>>,
}

/// What is kept of an entry, should it be new or changed.
pub struct Cleaned {
    pub entry: Entry,
    pub topics: Vec<TopicMatch>,
    pub keys: Vec<Key>,
    pub sketch: Sketch,
    /// The rule of the source's filter that drops it.
    pub dropped_by: Option<String>,
}

/// Entries under the identities that they are recognised by, each once. `known` is what is stored under those that they bear.
pub fn recognise(entries: Vec<RawEntry>, known: &HashMap<String, StoredSummary>) -> Vec<Listed> {
    let mut listed: Vec<Listed> = Vec::with_capacity(entries.len());
    let mut seen: HashMap<String, usize> = HashMap::new();
    for raw in entries {
        let own = identity(&raw);
        let earlier = seen
            .get(&own.key())
            .map(|&at| &listed[at])
            .map(|other| StoredSummary::of(&other.raw, &other.fingerprint));
        let fingerprint = fingerprint(&raw);
        let other = known.get(&own.key()).or(earlier.as_ref()).filter(|other| keys::is_reused(&raw, other));
        let is_reused = other.is_some();
        let identity = other.map_or(own, |other| identity_of_reused(&raw, other));
        let key = identity.key();
        if let Slot::Vacant(vacant) = seen.entry(key.clone()) {
            vacant.insert(listed.len());
            let is_same = known.get(&key).is_some_and(|known| known.fingerprint == fingerprint);
            listed.push(Listed { raw, identity, key, fingerprint, is_reused, is_same });
        }
    }
    listed
}

/// What all entries of one document are cleaned with.
pub struct Preparation<'a> {
    pub source: &'a Source,
    pub classifier: &'a Classifier,
    pub language_detector: &'a LanguageDetector,
    pub base: &'a Url,
    /// As the document declares it.
    pub language: Option<&'a str>,
    pub now: Timestamp,
}

impl Preparation<'_> {
    /// Cleans what is not known to be the same.
    pub fn prepare(&self, listed: Vec<Listed>) -> Vec<Candidate> {
        let mut sanitizer = Sanitizer::default();
        let candidate = |listed: Listed| {
            let cleaned = (!listed.is_same).then(|| Box::new(self.clean(&listed, &mut sanitizer)));
            Candidate { key: listed.key, fingerprint: listed.fingerprint, cleaned }
        };
        listed.into_iter().map(candidate).collect()
    }

    fn clean(&self, listed: &Listed, sanitizer: &mut Sanitizer) -> Cleaned {
        // The configuration knows better than a template that says "en" on every page.
        let language = self.source.language.as_deref().or(self.language);
        let context = Context {
            source: &self.source.id,
            language,
            base: Some(self.base),
            language_detector: Some(self.language_detector),
            listed: Some((&listed.identity, &listed.fingerprint)),
        };
        let entry = normalize(&listed.raw, context, sanitizer);
        let (title, _) = self.source.filter.rewritten(&entry.title);
        let entry = Entry { title, ..entry };
        let tags: Vec<String> = entry.tags.iter().chain(&self.source.tags).cloned().collect();
        let topics = self.classifier.classify(&entry.title, &entry.summary, &tags, entry.language.as_deref());
        let dropped_by = match self.source.filter.verdict(&entry, &topics) {
            Verdict::Dropped(rule) => Some(rule.to_string()),
            _ => None,
        };
        Cleaned { keys: keys_of(&entry), sketch: sketch_of(&entry, self.now), entry, topics, dropped_by }
    }
}

/// The keys of a cleaned entry.
pub fn keys_of(entry: &Entry) -> Vec<Key> {
    keys::keys(&Names::of(entry))
}

/// What a cleaned entry looks like. Where it has no date, the day stands for it on which it was first seen.
pub fn sketch_of(entry: &Entry, first_seen: Timestamp) -> Sketch {
    let content = entry.content_html.as_deref().map(text_of_safe_html);
    let text = content.as_deref().filter(|text| text.len() > entry.summary.len()).unwrap_or(&entry.summary);
    let own = entry.url.as_deref().and_then(canonical_key);
    let image = entry.image.iter().filter_map(|image| canonical_key(&image.url));
    let mut links: Vec<String> = Vec::new();
    for link in image
        .chain(entry.content_html.iter().flat_map(|html| addresses(html)))
        .filter(|link| Some(link) != own.as_ref())
    {
        // A sketch has room for no more: the rest need not be read.
        if links.len() == LINKS_MAX {
            break;
        }
        if !links.contains(&link) {
            links.push(link);
        }
    }
    let day = entry.date().unwrap_or(first_seen).as_second().div_euclid(86_400);
    sketch(&SketchInput {
        source: &entry.source,
        title: &entry.title,
        text,
        language: entry.language.as_deref(),
        day: i32::try_from(day).ok(),
        links: &links,
    })
}

/// Addresses in HTML that we made: links and pictures.
fn addresses(html: &str) -> impl Iterator<Item = String> + '_ {
    let after = |name: &'static str| {
        memchr::memmem::find_iter(html.as_bytes(), name).map(move |at| &html[at + name.len()..])
    };
    after(" href=\"").chain(after(" src=\"")).filter_map(|rest| {
        canonical_key(&rest[..memchr::memchr(b'"', rest.as_bytes())?].replace("&amp;", "&"))
    })
}
