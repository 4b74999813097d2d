//! A library in memory: the last entries of a stream, each found by its traits. What it holds is bounded; what is too old leaves.

use std::convert::Infallible;

use hashbrown::HashTable;

use crate::model::key::{Key, KeyKind};
use crate::model::sketch::{NO_DAY, Part, Sketch};

use super::library::{BEARERS_MAX, Bearer, Bearers, DAYS_MAX, Known, Library};

/// Entries in a generation: two of them are held.
pub const GENERATION: usize = 1 << 19;

/// Entries that came at about the same time.
#[derive(Default)]
struct Generation {
    /// The number of the first entry.
    start: usize,
    sketches: Vec<Sketch>,
    /// Of each sketch what is asked most, by itself: so little that it stays in the processor's cache.
    days: Vec<i32>,
    owners: Vec<(u32, u32)>,
    /// Trait and the place of who bears it: several for a trait.
    bearers: HashTable<(u32, u32)>,
    /// Hashes of keys.
    keys: HashTable<(u64, u32, KeyKind)>,
}

impl Generation {
    /// Notes that an entry bears a trait, unless too many do, or one that stands for it.
    fn bear(&mut self, one: u32, place: u32, stands_for: impl Fn(&Sketch) -> bool) {
        let hash = spread(u64::from(one));
        let (mut count, mut is_stood_for) = (0, false);
        for (_, other) in self.bearers.iter_hash(hash).filter(|(other, _)| *other == one) {
            count += 1;
            is_stood_for |= self.sketches.get(*other as usize).is_some_and(&stands_for);
        }
        if count < BEARERS_MAX && !is_stood_for {
            self.bearers.insert_unique(hash, (one, place), |(other, _)| spread(u64::from(*other)));
        }
    }
}

impl Generation {
    /// Notes that an entry bears a trait, in the place of the oldest where many do: translations come soon, or never.
    fn bear_lately(&mut self, one: u32, place: u32) {
        let hash = spread(u64::from(one));
        let (mut count, mut oldest) = (0, u32::MAX);
        for (_, other) in self.bearers.iter_hash(hash).filter(|(other, _)| *other == one) {
            count += 1;
            oldest = oldest.min(*other);
        }
        if count < BEARERS_MAX {
            self.bearers.insert_unique(hash, (one, place), |(other, _)| spread(u64::from(*other)));
        } else if let Some(entry) = self.bearers.find_mut(hash, |entry| *entry == (one, oldest)) {
            entry.1 = place;
        }
    }
}

/// The entries of a stream by number, and the stories that they are in.
#[derive(Default)]
pub struct Memory {
    generations: [Generation; 2],
    /// For each entry the one that it belongs to, down to the first of its story.
    parents: Vec<u32>,
    /// The next entry of the same story; itself at the end.
    next: Vec<u32>,
    /// Entries that are kept apart by hand.
    apart: Vec<(usize, usize)>,
    /// Languages that entries are in.
    languages: Vec<u32>,
    /// Entries placed so far: others are known by their traits only.
    placed: usize,
    /// The entry that is being placed.
    at: usize,
}

fn key_hash(key: &str) -> u64 {
    key.bytes().fold(0xCBF2_9CE4_8422_2325u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

/// Spreads the bits of a hash that is good enough to be told apart, not to be a place.
fn spread(hash: u64) -> u64 {
    hash.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Memory {
    /// Takes an entry in: it is known by its text and its keys, and in a story of its own until it is placed.
    pub fn add(&mut self, sketch: Sketch, keys: &[Key]) {
        let number = self.parents.len();
        self.parents.push(number as u32);
        self.next.push(number as u32);
        if self.generations[1].sketches.len() >= GENERATION {
            self.generations.swap(0, 1);
            self.generations[1] = Generation { start: number, ..Generation::default() };
        }
        if sketch.language != 0 && !self.languages.contains(&sketch.language) {
            self.languages.push(sketch.language);
        }
        let newer = &mut self.generations[1];
        let place = (number - newer.start) as u32;
        for one in sketch.shingles().chain(sketch.title_trait()) {
            newer.bear(one, place, |other| {
                // One title in several sources is one story: the first stands for all.
                sketch.title_hash != 0 && other.title_hash == sketch.title_hash && other.source != sketch.source
            });
        }
        for key in keys {
            let hash = key_hash(&key.value);
            newer.keys.insert_unique(spread(hash), (hash, place, key.kind), |(other, ..)| spread(*other));
        }
        newer.days.push(sketch.day);
        newer.owners.push((sketch.source, sketch.language));
        newer.sketches.push(sketch);
    }

    /// Ends the placing of an entry: from now on it is found by translations too.
    pub fn end(&mut self, number: usize) {
        self.placed = number + 1;
        for generation in self.generations.iter_mut().filter(|generation| number >= generation.start) {
            let place = number - generation.start;
            let Some(anchors) = generation.sketches.get(place).map(|sketch| sketch.own_anchors().collect::<Vec<_>>()) else { continue };
            for anchor in anchors {
                generation.bear_lately(anchor, place as u32);
            }
        }
    }

    /// Two entries are two stories, whatever they say.
    pub fn keep_apart(&mut self, one: usize, other: usize) {
        self.apart.push((one, other));
    }

    /// Entries taken in.
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    pub fn sketch(&self, number: usize) -> Option<&Sketch> {
        self.generations.iter().find_map(|generation| generation.sketches.get(number.checked_sub(generation.start)?))
    }

    /// Begins with the placing of an entry: those before it are placed.
    pub fn begin(&mut self, number: usize) {
        self.at = number;
        self.placed = number;
    }

    /// The first entry of a story, by any of its entries.
    pub fn story(&self, number: usize) -> usize {
        let mut at = number;
        while self.parents[at] as usize != at {
            at = self.parents[at] as usize;
        }
        at
    }

    /// Makes one story of two; the older one gives its name.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.story(a), self.story(b));
        if a == b {
            return;
        }
        let (first, second) = (a.min(b), a.max(b));
        self.parents[second] = first as u32;
        self.next.swap(first, second);
    }

    fn bearer(&self, generation: &Generation, place: usize) -> Bearer {
        let number = generation.start + place;
        let is_placed = number < self.placed;
        let story = if is_placed {
            self.story(number) as i64
        } else {
            // Entries to come are told apart by title and text.
            let sketch = &generation.sketches[place];
            i64::from(sketch.title_hash) << 31 | i64::from(sketch.part(Part::Sample).first().copied().unwrap_or(0) >> 1) | 1 << 62
        };
        let (source, language) = generation.owners[place];
        Bearer { entry: number as i64, story, source, language, is_placed }
    }
}

impl Library for Memory {
    type Error = Infallible;

    fn bearers_of_key(&mut self, key: &str) -> Result<Vec<(Bearer, KeyKind)>, Infallible> {
        let hash = key_hash(key);
        let mut found = Vec::new();
        for generation in &self.generations {
            for (_, place, kind) in generation.keys.iter_hash(spread(hash)).filter(|(other, ..)| *other == hash) {
                let number = generation.start + *place as usize;
                if number < self.at {
                    found.push((self.bearer(generation, *place as usize), *kind));
                }
            }
        }
        found.sort_by_key(|(bearer, _)| bearer.entry);
        found.truncate(50);
        Ok(found)
    }

    fn bearers(&mut self, traits: &[u32], around: Option<i32>) -> Result<Vec<Bearers>, Infallible> {
        let find = |one: &u32| {
            let mut found: Vec<Bearer> = Vec::new();
            for generation in &self.generations {
                let places = || generation.bearers.iter_hash(spread(u64::from(*one))).filter(|(other, _)| other == one);
                if around.is_none() && places().count() >= BEARERS_MAX {
                    return Bearers::Many;
                }
                for (_, place) in places() {
                    let number = generation.start + *place as usize;
                    let own = generation.days[*place as usize];
                    let is_near = around.is_none_or(|day| own == NO_DAY || own.abs_diff(day) <= DAYS_MAX.unsigned_abs());
                    if number != self.at && is_near {
                        found.push(self.bearer(generation, *place as usize));
                    }
                }
            }
            if found.len() >= BEARERS_MAX { Bearers::Many } else { Bearers::Few(found) }
        };
        Ok(traits.iter().map(find).collect())
    }

    fn known(&mut self, entry: i64) -> Result<Option<Known>, Infallible> {
        let number = usize::try_from(entry).ok().filter(|&number| number < self.placed);
        Ok(number.and_then(|number| Some(Known { entry, story: self.story(number) as i64, sketch: self.sketch(number)?.clone() })))
    }

    fn members(&mut self, story: i64) -> Result<Vec<i64>, Infallible> {
        let Ok(first) = usize::try_from(story) else { return Ok(Vec::new()) };
        let mut members = Vec::new();
        let mut at = first;
        loop {
            members.push(at as i64);
            at = self.next[at] as usize;
            if at == first || members.len() >= BEARERS_MAX {
                return Ok(members);
            }
        }
    }

    fn languages(&mut self) -> Result<Vec<u32>, Infallible> {
        Ok(self.languages.clone())
    }

    fn is_kept_out(&mut self, story: i64) -> Result<bool, Infallible> {
        let other = |&(a, b): &(usize, usize)| if a == self.at { Some(b) } else { (b == self.at).then_some(a) };
        Ok(self.apart.iter().filter_map(other).any(|other| self.story(other) as i64 == story))
    }

    fn are_kept_apart(&mut self, a: i64, b: i64) -> Result<bool, Infallible> {
        let stories = |&(one, other): &(usize, usize)| (self.story(one) as i64, self.story(other) as i64);
        Ok(self.apart.iter().map(stories).any(|pair| pair == (a, b) || pair == (b, a)))
    }
}
