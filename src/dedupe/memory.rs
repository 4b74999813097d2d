//! An `EntryIndex` in memory over the latest entries of a stream. Its size is bounded; the oldest entries are dropped.

use std::collections::VecDeque;
use std::convert::Infallible;

use hashbrown::HashTable;

use crate::model::key::{Key, KeyKind};
use crate::model::keys::{EntryKey, StoryKey};
use crate::model::sketch::{NO_DAY, Part, Sketch, hash64};

use super::entry_index::{DAYS_MAX, EntryIndex, KnownEntry, POSTINGS_MAX, Posting, Postings};
use super::feature_table::{DayPosting, FeatureTable, PLACES_MAX, Window};
use super::grams::{GramCache, GramCounts, Grams, Opening};

/// Entries per generation; two generations are held.
const GENERATION: usize = 1 << 19;
const _: () = assert!(2 * GENERATION <= PLACES_MAX);

/// Entries whose beginnings are held: translations follow soon.
const OPENINGS_MAX: usize = 20_000;

/// The fields of a sketch used most, small enough to stay in the processor's cache.
#[derive(Clone, Copy)]
struct Brief {
    day: i32,
    source: u32,
    language: u32,
    title_hash: u32,
    /// The first shingle of its sample.
    shingle: u32,
}

impl Brief {
    fn of(sketch: &Sketch) -> Brief {
        let shingle = sketch.part(Part::Sample).first().copied().unwrap_or(0);
        Brief {
            day: sketch.day,
            source: sketch.source,
            language: sketch.language,
            title_hash: sketch.title_hash,
            shingle,
        }
    }
}

/// All sketches in one allocation, close together in memory.
#[derive(Default)]
struct Sketches {
    numbers: Vec<u32>,
    ends: Vec<u32>,
}

impl Sketches {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn push(&mut self, sketch: &Sketch) {
        self.numbers.extend(sketch.numbers());
        self.ends.push(self.numbers.len() as u32);
    }

    fn get(&self, place: usize) -> Option<Sketch> {
        let end = *self.ends.get(place)? as usize;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        Sketch::from_numbers(&self.numbers[start..end])
    }
}

/// A range of consecutive entries.
#[derive(Default)]
struct Generation {
    /// The number of the first entry.
    start: usize,
    sketches: Sketches,
    /// One for each sketch.
    briefs: Vec<Brief>,
    /// Hashes of keys.
    keys: HashTable<(u64, u32, KeyKind)>,
}

/// The entries of a stream by number, and their stories.
pub struct InMemoryIndex {
    generations: [Generation; 2],
    /// Entries per generation.
    size: usize,
    /// Postings of both generations; a place is the number of an entry minus that of the first one held.
    feature_table: FeatureTable,
    /// Union-find parents: for each entry an earlier one of its story, or itself for the first.
    parents: Vec<u32>,
    /// The next entry of the same story; the last one refers to itself.
    next: Vec<u32>,
    /// Pairs of entries kept apart by hand.
    apart: Vec<(usize, usize)>,
    /// The languages of the entries.
    languages: Vec<u32>,
    /// How the latest entries begin, and the number of the first of them.
    openings: VecDeque<(Box<str>, Box<str>)>,
    opened: usize,
    gram_counts: GramCounts,
    grams: GramCache,
    /// Number of entries placed so far; later ones are known by their features only.
    placed: usize,
    /// The entry being placed.
    at: usize,
}

/// Spreads the bits of a hash so that it can serve as a table position.
fn mix_hash(hash: u64) -> u64 {
    hash.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Default for InMemoryIndex {
    fn default() -> InMemoryIndex {
        InMemoryIndex::with_generations_of(GENERATION)
    }
}

impl InMemoryIndex {
    /// An index that holds the latest `size` to twice `size` entries.
    pub(crate) fn with_generations_of(size: usize) -> InMemoryIndex {
        let generations = Default::default();
        InMemoryIndex {
            generations,
            size,
            feature_table: FeatureTable::default(),
            parents: vec![],
            next: vec![],
            apart: vec![],
            languages: vec![],
            openings: VecDeque::new(),
            opened: 0,
            gram_counts: GramCounts::default(),
            grams: GramCache::default(),
            placed: 0,
            at: 0,
        }
    }

    /// Adds an entry, findable by its text and keys; it is in a story of its own until it is placed.
    pub fn add(&mut self, sketch: &Sketch, keys: &[Key]) {
        let number = self.parents.len();
        self.parents.push(number as u32);
        self.next.push(number as u32);
        if self.generations[1].sketches.len() >= self.size {
            self.feature_table.forget((self.generations[1].start - self.generations[0].start) as u32);
            self.generations.swap(0, 1);
            self.generations[1] = Generation { start: number, ..Generation::default() };
        }
        if sketch.language != 0 && !self.languages.contains(&sketch.language) {
            self.languages.push(sketch.language);
        }
        let own = Brief::of(sketch);
        let mark = self.mark(number, sketch.day);
        let features: Vec<u32> = sketch.shingles().chain(sketch.title_feature()).collect();
        self.feature_table.prefetch(&features);
        for one in features {
            self.add_posting(one, mark, own);
        }
        let newer = &mut self.generations[1];
        let place = (number - newer.start) as u32;
        for key in keys {
            let hash = hash64(key.value.as_bytes());
            newer.keys.insert_unique(mix_hash(hash), (hash, place, key.kind), |(other, ..)| mix_hash(*other));
        }
        newer.briefs.push(own);
        newer.sketches.push(sketch);
    }

    /// Adds a posting, unless the feature has too many, or one of an entry with the same title in another source: that is one
    /// story, which its first entry represents.
    fn add_posting(&mut self, one: u32, mark: DayPosting, own: Brief) {
        let stands_for = |other: &Brief| {
            own.title_hash != 0 && other.title_hash == own.title_hash && other.source != own.source
        };
        let (mut count, mut is_stood_for) = (0, false);
        self.feature_table.each(one, Window::ALL, |other| {
            count += 1;
            is_stood_for |= other != mark && stands_for(self.brief(self.number(other)));
        });
        if count < POSTINGS_MAX && !is_stood_for {
            self.feature_table.insert(one, mark);
        }
    }

    /// Adds a posting, replacing the oldest if the feature has too many: translations follow soon or never.
    fn add_recent_posting(&mut self, one: u32, mark: DayPosting) {
        let (mut count, mut oldest) = (0, mark);
        self.feature_table.each(one, Window::ALL, |other| {
            count += 1;
            oldest = if other.place < oldest.place { other } else { oldest };
        });
        if count < POSTINGS_MAX {
            self.feature_table.insert(one, mark);
        } else {
            self.feature_table.replace(one, oldest, mark);
        }
    }

    /// The mark of an entry that is held.
    fn mark(&self, number: usize, day: i32) -> DayPosting {
        DayPosting::new((number - self.generations[0].start) as u32, day)
    }

    fn number(&self, mark: DayPosting) -> usize {
        self.generations[0].start + mark.place as usize
    }

    /// The brief of an entry that is held.
    fn brief(&self, number: usize) -> &Brief {
        let [older, newer] = &self.generations;
        if number < newer.start {
            &older.briefs[number - older.start]
        } else {
            &newer.briefs[number - newer.start]
        }
    }

    /// Ends the placing of an entry: from now on translations can be found by its anchors.
    pub fn end(&mut self, number: usize, sketch: &Sketch, opening: Opening) {
        self.placed = number + 1;
        if self.opened + self.openings.len() != number {
            self.openings.clear();
            self.opened = number;
        }
        if self.openings.len() == OPENINGS_MAX {
            self.openings.pop_front();
            self.opened += 1;
        }
        let Opening { title, text } = opening.cut();
        self.openings.push_back((title.into(), text.into()));
        let mark = self.mark(number, sketch.day);
        let anchors: Vec<u32> = sketch.own_anchors().collect();
        self.feature_table.prefetch(&anchors);
        anchors.into_iter().for_each(|anchor| self.add_recent_posting(anchor, mark));
    }

    /// Keeps two entries in different stories, whatever their texts.
    pub fn keep_apart(&mut self, one: usize, other: usize) {
        self.apart.push((one, other));
    }

    /// Number of entries added so far.
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    pub fn sketch(&self, number: usize) -> Option<Sketch> {
        self.generations
            .iter()
            .find_map(|generation| generation.sketches.get(number.checked_sub(generation.start)?))
    }

    /// Begins the placing of an entry: all earlier ones are placed.
    pub fn begin(&mut self, number: usize) {
        self.at = number;
        self.placed = number;
    }

    /// The first entry of the story of an entry.
    pub fn story(&self, number: usize) -> usize {
        let mut at = number;
        while self.parents[at] as usize != at {
            at = self.parents[at] as usize;
        }
        at
    }

    /// Merges two stories; the result has the id of the older one.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.story(a), self.story(b));
        if a == b {
            return;
        }
        let (first, second) = (a.min(b), a.max(b));
        self.parents[second] = first as u32;
        self.next.swap(first, second);
    }

    fn story_key(&self, number: usize) -> StoryKey {
        StoryKey(self.story(number) as i64)
    }

    fn posting(&self, number: usize) -> Posting {
        let Brief { source, language, title_hash, shingle, .. } = *self.brief(number);
        let is_placed = number < self.placed;
        // Entries not placed yet are told apart by title and text.
        let story = if is_placed {
            self.story_key(number)
        } else {
            StoryKey(i64::from(title_hash) << 31 | i64::from(shingle >> 1) | 1 << 62)
        };
        Posting { entry: EntryKey(number as i64), story, source, language, is_placed }
    }
}

impl EntryIndex for InMemoryIndex {
    type Error = Infallible;

    fn postings_of_key(&mut self, key: &str) -> Result<Vec<(Posting, KeyKind)>, Infallible> {
        let hash = hash64(key.as_bytes());
        let mut found = Vec::new();
        for generation in &self.generations {
            for (_, place, kind) in
                generation.keys.iter_hash(mix_hash(hash)).filter(|(other, ..)| *other == hash)
            {
                let number = generation.start + *place as usize;
                if number < self.at {
                    found.push((self.posting(number), *kind));
                }
            }
        }
        found.sort_by_key(|(posting, _)| posting.entry);
        found.truncate(50);
        Ok(found)
    }

    fn postings(&mut self, features: &[u32], around: Option<i32>) -> Result<Vec<Postings>, Infallible> {
        self.feature_table.prefetch(features);
        let window = around.map_or(Window::ALL, |day| Window::around(day, DAYS_MAX));
        let is_near =
            |own: i32| around.is_none_or(|day| own == NO_DAY || own.abs_diff(day) <= DAYS_MAX.unsigned_abs());
        let find = |one: &u32| {
            let (mut few, mut count) = (Vec::new(), 0);
            self.feature_table.each(*one, window, |mark| {
                count += 1;
                let number = self.number(mark);
                if number != self.at && is_near(self.brief(number).day) {
                    if few.capacity() == 0 {
                        // Allocated once: most features that anything has are had by several.
                        few.reserve_exact(POSTINGS_MAX);
                    }
                    few.push(self.posting(number));
                }
            });
            if few.len() >= POSTINGS_MAX || (around.is_none() && count >= POSTINGS_MAX) {
                Postings::Many
            } else {
                Postings::Few(few)
            }
        };
        Ok(features.iter().map(find).collect())
    }

    fn known(&mut self, entry: EntryKey) -> Result<Option<KnownEntry>, Infallible> {
        let number = usize::try_from(entry.0).ok().filter(|&number| number < self.placed);
        Ok(number.and_then(|number| {
            Some(KnownEntry { entry, story: self.story_key(number), sketch: self.sketch(number)? })
        }))
    }

    fn members(&mut self, story: StoryKey) -> Result<Vec<EntryKey>, Infallible> {
        let Ok(first) = usize::try_from(story.0) else { return Ok(Vec::new()) };
        let mut members = Vec::new();
        let mut at = first;
        loop {
            members.push(EntryKey(at as i64));
            at = self.next[at] as usize;
            if at == first || members.len() >= POSTINGS_MAX {
                return Ok(members);
            }
        }
    }

    fn languages(&mut self) -> Result<Vec<u32>, Infallible> {
        Ok(self.languages.clone())
    }

    fn likeness(&mut self, own: &Grams, entries: &[EntryKey]) -> Result<Vec<f32>, Infallible> {
        let opening = |entry: EntryKey| {
            let (title, text) =
                self.openings.get(usize::try_from(entry.0).ok()?.checked_sub(self.opened)?)?;
            Some(Opening { title, text })
        };
        let grams = |entry| Ok(opening(entry).map(Grams::of).unwrap_or_default());
        self.grams.likeness(&self.gram_counts, own, entries, grams)
    }

    fn count_grams(&mut self, own: &Grams) -> Result<(), Infallible> {
        self.gram_counts.add(own);
        Ok(())
    }

    fn is_kept_out(&mut self, story: StoryKey) -> Result<bool, Infallible> {
        let other =
            |&(a, b): &(usize, usize)| if a == self.at { Some(b) } else { (b == self.at).then_some(a) };
        Ok(self.apart.iter().filter_map(other).any(|other| self.story_key(other) == story))
    }

    fn are_kept_apart(&mut self, a: StoryKey, b: StoryKey) -> Result<bool, Infallible> {
        let stories = |&(one, other): &(usize, usize)| (self.story_key(one), self.story_key(other));
        Ok(self.apart.iter().map(stories).any(|pair| pair == (a, b) || pair == (b, a)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedupe::sketch::{SketchInput, sketch};

    #[test]
    fn what_is_too_old_is_forgotten_and_the_rest_is_found() {
        let mut memory = InMemoryIndex::with_generations_of(10);
        let of = |number: usize| {
            sketch(&SketchInput {
                source: "a",
                title: &format!("Title of the story number {number}"),
                day: Some(number as i32),
                ..SketchInput::default()
            })
        };
        for number in 0..47 {
            memory.add(&of(number), &[Key { value: format!("x.org/{number}"), kind: KeyKind::Own }]);
            memory.end(number, &of(number), Opening::default());
        }
        memory.begin(47);
        for number in 0..47 {
            let title = of(number).title_feature().unwrap();
            let found = memory.postings(&[title], Some(number as i32)).unwrap();
            let Postings::Few(found) = &found[0] else { panic!("{found:?}") };
            // Entry 40 was the first of its generation; the one before is held as well.
            let wanted = if number < 30 { vec![] } else { vec![EntryKey(number as i64)] };
            assert_eq!(found.iter().map(|posting| posting.entry).collect::<Vec<_>>(), wanted);
            assert_eq!(memory.sketch(number), (number >= 30).then(|| of(number)));
            assert_eq!(memory.postings_of_key(&format!("x.org/{number}")).unwrap().len(), wanted.len());
        }
    }
}
