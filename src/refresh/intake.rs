//! Entries of one reading on their way into the store: cleaned, classified, placed in their stories.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use crate::classify::Classifier;
use crate::dedupe::place::{Applicant, place};
use crate::model::entry::{Entry, Identity};
use crate::model::feed::RawEntry;
use crate::model::filter::Verdict;
use crate::model::source::Source;
use crate::model::story::{Relation, StoredEntry};
use crate::model::topic::TopicMatch;
use crate::normalize::entry::{Context, entry_id, normalize};
use crate::normalize::html::Sanitizer;
use crate::normalize::language::Linguist;
use crate::store::{Marks, Work};

use super::placing::{Shelves, keys_of, sketch_of};
use crate::text::fold;

/// What is older than this when a source that we know suddenly lists it is a replay, not news.
const NEWS_AGE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
/// More new entries than this at once from a source that we know are a replay, all but the youngest.
pub const FLOOD_ENTRIES_MIN: usize = 100;
const FLOOD_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// An entry on its way in. The fingerprint is of what the source lists, before the item's own page adds to it.
pub struct Incoming {
    pub raw: RawEntry,
    pub identity: Identity,
    pub fingerprint: String,
}

/// What all entries of one reading share.
pub struct Intake<'a> {
    source: &'a Source,
    classifier: &'a Classifier,
    linguist: &'a Linguist,
    base: &'a url::Url,
    language: Option<String>,
    last_success: Option<Timestamp>,
    now: Timestamp,
    sanitizer: Sanitizer,
    pub is_flood: bool,
    /// After a redesign: folded titles that are no news, whatever address they have now.
    pub known_titles: HashSet<String>,
    /// Entries that went out as news.
    pub announced: usize,
}

impl<'a> Intake<'a> {
    pub fn new(
        source: &'a Source,
        (classifier, linguist): (&'a Classifier, &'a Linguist),
        base: &'a url::Url,
        language: Option<String>,
        last_success: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        Intake {
            source,
            classifier,
            linguist,
            base,
            language,
            last_success,
            now,
            sanitizer: Sanitizer::default(),
            is_flood: false,
            known_titles: HashSet::new(),
            announced: 0,
        }
    }

    fn entry(&mut self, incoming: &Incoming) -> Entry {
        // The configuration knows better than a template that says "en" on every page.
        let language = self.source.language.as_deref().or(self.language.as_deref());
        let context = Context { source: &self.source.id, language, base: Some(self.base), linguist: Some(self.linguist) };
        let entry = normalize(&incoming.raw, context, &mut self.sanitizer);
        let (title, _) = self.source.filter.rewritten(&entry.title);
        Entry {
            title,
            id: entry_id(&self.source.id, &incoming.identity),
            identity: incoming.identity.clone(),
            fingerprint: incoming.fingerprint.clone(),
            ..entry
        }
    }

    fn topics(&self, entry: &Entry) -> Vec<TopicMatch> {
        let tags: Vec<String> = entry.tags.iter().chain(&self.source.tags).cloned().collect();
        self.classifier.classify(&entry.title, &entry.summary, &tags, entry.language.as_deref())
    }

    pub fn update(&mut self, work: &mut Work, incoming: &Incoming) -> anyhow::Result<()> {
        let entry = self.entry(incoming);
        let (keys, sketch) = (keys_of(&entry), sketch_of(&entry, self.now));
        // What a person said stands.
        let topics = work.label(&entry.id)?.map_or_else(|| self.topics(&entry), |topics| self.classifier.labelled(&topics));
        Ok(work.update_entry(&entry, &topics, &Marks { keys: &keys, sketch: &sketch }, self.now)?)
    }

    /// Keeps a new entry; answers why it is no story of its own, if it is none.
    pub fn insert(&mut self, work: &mut Work, incoming: &Incoming) -> anyhow::Result<Option<String>> {
        let entry = self.entry(incoming);
        let topics = self.topics(&entry);
        if let Verdict::Dropped(rule) = self.source.filter.verdict(&entry, &topics) {
            tracing::debug!(source.id = self.source.id, entry.id = entry.id, rule, "dropped");
            return Ok(None);
        }
        let (keys, sketch) = (keys_of(&entry), sketch_of(&entry, self.now));
        let placing = place(Applicant { keys: &keys, sketch: &sketch }, &mut Shelves::new(work, &entry.id))?;
        let (story, relation, reason, announced) = match placing.decision() {
            None => {
                let story = entry_id("story", &Identity::Guid(entry.id.clone()));
                (story, Relation::First, None, u32::from(self.is_news(&entry)))
            }
            Some(decision) => {
                let (title, source) = work.title_of(decision.entry)?;
                let story = work.story_id(decision.story)?;
                let also = placing.also.iter().map(|other| work.story_id(*other)).collect::<Result<Vec<_>, _>>()?;
                work.merge_stories(&story, &also)?;
                let reason = format!("{} of \"{title}\" ({source}): {}", decision.relation.as_str(), decision.reason);
                (story, decision.relation, Some(reason), 0)
            }
        };
        self.announced += announced as usize;
        let line = reason.as_ref().map(|reason| format!("\"{}\" ({}) is a {reason}", entry.title, entry.source));
        let stored = StoredEntry {
            partner: self.source.partner.clone(),
            first_seen: self.now,
            changed: self.now,
            topics,
            story,
            relation,
            reason,
            announced,
            entry,
            order: 0,
        };
        work.insert_entry(&stored, &Marks { keys: &keys, sketch: &sketch })?;
        Ok(line)
    }

    /// An old entry that a source suddenly lists is kept, and not announced.
    fn is_news(&self, entry: &Entry) -> bool {
        if self.known_titles.contains(&fold(&entry.title)) {
            return false;
        }
        match (self.last_success, entry.date()) {
            (None, _) => true,
            (Some(last), Some(date)) => date >= last - if self.is_flood { FLOOD_AGE_MAX } else { NEWS_AGE_MAX },
            (Some(_), None) => !self.is_flood,
        }
    }
}
