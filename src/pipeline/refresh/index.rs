//! The store as an `EntryIndex` for placing new entries.

use hashbrown::HashMap;

use super::prepare::CleanedEntry;
use crate::dedupe::entry_index::{
    DAYS_MAX, EntryIndex, KnownEntry, POSTINGS_MAX, Posting, Postings, RARE_STORIES_MAX, stories,
};
use crate::dedupe::grams::{GramCache, GramCounts, Grams, Opening};
use crate::dedupe::sketch::{language_code, source_hash};
use crate::model::key::KeyKind;
use crate::model::keys::{EntryKey, StoryKey};
use crate::store::{KeyHolder, PostingBuffer, SlotPosting, SnapshotVersion, StoreError, Unit, Write};

/// Maximum number of entries that share an address: more indicate a front page.
const HOLDERS_OF_KEY_MAX: usize = 50;
/// Maximum number of entries of a story that are compared.
const MEMBERS_MAX: usize = 12;

/// Capacity for known entries and for stories remembered between units: a few megabytes each.
const KNOWN_MAX: usize = 4_000;
const STORIES_MAX: usize = 100_000;

/// Look-ups of one unit of work, reused by the next if nothing is written in between.
#[derive(Default)]
pub struct LookupCache {
    read: Option<SnapshotVersion>,
    /// Stories of entries; `None` for deleted ones. Many features lead to the same entries.
    stories: HashMap<EntryKey, Option<StoryKey>>,
    /// Entries that were compared: the same ones are neighbours of many.
    known: HashMap<EntryKey, Option<KnownEntry>>,
    grams: GramCache,
}

/// What was looked up for all new entries of a document at once; true until stories or keys of stored entries change.
#[derive(Default)]
struct Expected {
    holders: HashMap<String, Vec<(KeyHolder, KeyKind)>>,
    stories: HashMap<String, Option<StoryKey>>,
}

/// The index of the store within one unit of work.
pub struct StoreIndex<'u, 'w> {
    unit: &'u Unit<'w, Write>,
    /// The entry being placed, if it is already stored: it is never its own neighbour.
    entry: Option<(EntryKey, &'u str)>,
    memory: LookupCache,
    languages: Option<Vec<u32>>,
    has_rulings: bool,
    expected: Expected,
    /// The last postings found; the buffer is reused.
    postings: PostingBuffer,
    /// How many texts have each group of letters, once that is asked for.
    gram_counts: Option<GramCounts>,
    /// Whether texts were counted in this unit of work.
    has_counted: bool,
}

impl<'u, 'w> StoreIndex<'u, 'w> {
    /// An index for placing new entries one by one, reusing the look-ups of the previous unit.
    ///
    /// # Errors
    /// When the store fails.
    pub fn new(unit: &'u Unit<'w, Write>, before: LookupCache) -> Result<Self, StoreError> {
        let now = unit.moment()?;
        let is_true = before.read.is_some_and(|read| now.is_next_after(read));
        let mut memory = if is_true { before } else { LookupCache::default() };
        memory.read = Some(now);
        Ok(StoreIndex {
            unit,
            entry: None,
            memory,
            languages: None,
            has_rulings: unit.intake().has_rulings()?,
            expected: Expected::default(),
            postings: PostingBuffer::default(),
            gram_counts: None,
            has_counted: false,
        })
    }

    /// Stores what was counted, and gives the look-ups, for the next unit once this one is committed.
    ///
    /// # Errors
    /// When the store fails.
    pub fn finish(self) -> Result<LookupCache, StoreError> {
        if let Some(counts) = self.gram_counts.filter(|_| self.has_counted) {
            self.unit.intake().put_gram_counts(&counts.to_bytes())?;
        }
        Ok(self.memory)
    }

    fn load_gram_counts(&mut self) -> Result<(), StoreError> {
        if self.gram_counts.is_none() {
            let stored = self.unit.intake().gram_counts()?;
            self.gram_counts = stored.and_then(|bytes| GramCounts::from_bytes(&bytes));
        }
        Ok(())
    }

    /// An index for placing an entry that is already stored, given by its key and id.
    ///
    /// # Errors
    /// When the store fails.
    pub fn but(unit: &'u Unit<'w, Write>, entry: EntryKey, id: &'u str) -> Result<Self, StoreError> {
        Ok(StoreIndex { entry: Some((entry, id)), ..StoreIndex::new(unit, LookupCache::default())? })
    }

    /// Looks up what placing new entries will ask for: who has these keys, and which of these ids of stories are taken.
    ///
    /// # Errors
    /// When the store fails.
    pub fn expect(&mut self, keys: &[&str], stories: &[String]) -> Result<(), StoreError> {
        self.expected = Expected::default();
        if stories.is_empty() {
            return Ok(());
        }
        let holders = self.unit.intake().holders_of_keys(keys, HOLDERS_OF_KEY_MAX)?;
        self.expected.holders = keys.iter().map(|key| (*key).to_owned()).zip(holders).collect();
        let mut named = self.unit.intake().stories_named(stories)?;
        self.expected.stories = stories.iter().map(|id| (id.clone(), named.remove(id))).collect();
        Ok(())
    }

    /// The story that has an id, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub fn story_named(&mut self, id: &str) -> Result<Option<StoryKey>, StoreError> {
        match self.expected.stories.remove(id) {
            Some(story) => Ok(story),
            None => Ok(self.unit.intake().stories_named(&[id])?.remove(id)),
        }
    }

    /// Records that an entry was added.
    pub fn note(&mut self, key: EntryKey, story: StoryKey, added: &CleanedEntry) {
        let CleanedEntry { entry, keys, sketch, .. } = added;
        let language = sketch.language;
        self.remember(key, Some(KnownEntry { entry: key, story, sketch: sketch.clone() }));
        for own in keys {
            if let Some(holders) =
                self.expected.holders.get_mut(&own.value).filter(|holders| holders.len() < HOLDERS_OF_KEY_MAX)
            {
                let (source, language) = (entry.source.clone(), entry.language.clone());
                holders.push((KeyHolder { entry: key, story, source, language }, own.kind));
            }
        }
        if let Some(languages) = self.languages.as_mut().filter(|languages| !languages.contains(&language)) {
            languages.push(language);
        }
    }

    /// Records that the sketch of an entry changed.
    pub fn forget_sketch(&mut self, entry: EntryKey) {
        self.memory.known.remove(&entry);
        self.memory.grams.forget(entry);
        // Its keys have changed as well.
        self.expected = Expected::default();
    }

    /// Drops all look-ups, after stories were merged.
    pub fn forget(&mut self) {
        self.expected = Expected::default();
        self.memory.stories.clear();
        self.memory.known.clear();
    }

    fn remember(&mut self, entry: EntryKey, known: Option<KnownEntry>) {
        let LookupCache { stories, known: all, .. } = &mut self.memory;
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        if stories.len() >= STORIES_MAX {
            stories.clear();
        }
        stories.insert(entry, known.as_ref().map(|known| known.story));
        all.insert(entry, known);
    }

    /// Reads entries with their sketches.
    fn read_known(&mut self, entries: &[EntryKey]) -> Result<(), StoreError> {
        let found = self.unit.intake().sketched(entries)?;
        for entry in entries {
            self.remember(*entry, None);
        }
        for (entry, story, sketch) in found {
            self.remember(entry, sketch.map(|sketch| KnownEntry { entry, story, sketch }));
        }
        Ok(())
    }

    fn is_own(&self, entry: EntryKey) -> bool {
        self.entry.is_some_and(|(own, _)| own == entry)
    }

    /// Looks up the stories of all these entries in one query.
    fn look_up(&mut self, entries: impl Iterator<Item = EntryKey>) -> Result<(), StoreError> {
        let mut unknown: Vec<EntryKey> =
            entries.filter(|entry| !self.memory.stories.contains_key(entry)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if !unknown.is_empty() {
            self.memory.stories.extend(unknown.iter().map(|entry| (*entry, None)));
            let found = self.unit.intake().stories_of(&unknown)?;
            self.memory.stories.extend(found.into_iter().map(|(entry, story)| (entry, Some(story))));
        }
        Ok(())
    }
}

fn posting(holder: KeyHolder) -> Posting {
    let KeyHolder { entry, story, source, language } = holder;
    Posting {
        entry,
        story,
        source: source_hash(&source),
        language: language.as_deref().map_or(0, language_code),
        is_placed: true,
    }
}

impl EntryIndex for StoreIndex<'_, '_> {
    type Error = StoreError;

    fn postings_of_key(&mut self, key: &str) -> Result<Vec<(Posting, KeyKind)>, StoreError> {
        let holders = match self.expected.holders.get(key) {
            Some(holders) => holders.clone(),
            None => self.unit.intake().holders_of_keys(&[key], HOLDERS_OF_KEY_MAX)?.concat(),
        };
        Ok(holders
            .into_iter()
            .filter(|(holder, _)| !self.is_own(holder.entry))
            .map(|(holder, kind)| (posting(holder), kind))
            .collect())
    }

    fn postings(&mut self, features: &[u32], around: Option<i32>) -> Result<Vec<Postings>, StoreError> {
        let days = around.map(|day| (day - DAYS_MAX, day + DAYS_MAX));
        // One more, since the entry being placed may be among them.
        let mut found = std::mem::take(&mut self.postings);
        self.unit.intake().postings(features, days, POSTINGS_MAX + 1, &mut found);
        // Within a range of days, this many are too many whatever their stories, which need not be looked up.
        let is_full = |postings: &[SlotPosting]| {
            around.is_some()
                && postings.len() > POSTINGS_MAX
                && self.entry.is_none_or(|(own, _)| postings.iter().all(|posting| posting.entry != own))
        };
        let few: Vec<Option<&[SlotPosting]>> =
            found.iter().map(|postings| postings.filter(|postings| !is_full(postings))).collect();
        self.look_up(few.iter().flatten().copied().flatten().map(|posting| posting.entry))?;
        let postings = few.iter().map(|postings| {
            let Some(postings) = postings else { return Postings::Many };
            let placed =
                postings.iter().filter(|posting| !self.is_own(posting.entry)).filter_map(|posting| {
                    let story = self.memory.stories.get(&posting.entry).copied().flatten()?;
                    Some(Posting {
                        entry: posting.entry,
                        story,
                        source: posting.source,
                        language: posting.language,
                        is_placed: true,
                    })
                });
            let postings: Vec<Posting> = placed.collect();
            let is_common = match around {
                Some(_) => postings.len() > POSTINGS_MAX,
                // A widely syndicated story has many postings, but is one story.
                None => postings.len() >= POSTINGS_MAX && stories(&postings) > RARE_STORIES_MAX,
            };
            if is_common { Postings::Many } else { Postings::Few(postings) }
        });
        let postings = postings.collect();
        self.postings = found;
        Ok(postings)
    }

    fn look_ahead(&mut self, entries: &[EntryKey]) -> Result<(), StoreError> {
        let unknown: Vec<EntryKey> =
            entries.iter().copied().filter(|entry| !self.memory.known.contains_key(entry)).collect();
        if unknown.is_empty() { Ok(()) } else { self.read_known(&unknown) }
    }

    fn known(&mut self, entry: EntryKey) -> Result<Option<KnownEntry>, StoreError> {
        if let Some(known) = self.memory.known.get(&entry) {
            return Ok(known.clone());
        }
        self.read_known(&[entry])?;
        Ok(self.memory.known.get(&entry).cloned().flatten())
    }

    fn members(&mut self, story: StoryKey) -> Result<Vec<EntryKey>, StoreError> {
        self.unit.intake().members(story, MEMBERS_MAX)
    }

    fn languages(&mut self) -> Result<Vec<u32>, StoreError> {
        match &self.languages {
            Some(languages) => Ok(languages.clone()),
            None => Ok(self.languages.insert(self.unit.intake().sketch_languages()?).clone()),
        }
    }

    fn likeness(&mut self, own: &Grams, entries: &[EntryKey]) -> Result<Vec<f32>, StoreError> {
        self.load_gram_counts()?;
        let (unit, counts) = (self.unit, self.gram_counts.get_or_insert_default());
        self.memory.grams.likeness(counts, own, entries, |entry| {
            let (title, text) = unit.intake().opening(entry)?;
            Ok(Grams::of(Opening { title: &title, text: &text }))
        })
    }

    fn count_grams(&mut self, own: &Grams) -> Result<(), StoreError> {
        self.load_gram_counts()?;
        self.gram_counts.get_or_insert_default().add(own);
        self.has_counted = true;
        Ok(())
    }

    fn is_kept_out(&mut self, story: StoryKey) -> Result<bool, StoreError> {
        match self.entry {
            Some((_, id)) if self.has_rulings => self.unit.intake().is_kept_out(id, story),
            // There are no rulings yet on an entry that is only being added.
            _ => Ok(false),
        }
    }

    fn are_kept_apart(&mut self, a: StoryKey, b: StoryKey) -> Result<bool, StoreError> {
        if self.has_rulings { self.unit.intake().are_kept_apart(a, b) } else { Ok(false) }
    }
}
