//! The interface through which `place` looks up known entries.

use super::grams::Grams;
use crate::model::key::KeyKind;
use crate::model::keys::{EntryKey, StoryKey};
use crate::model::sketch::Sketch;

/// A known entry that shares a key or feature with the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    pub entry: EntryKey,
    pub story: StoryKey,
    pub source: u32,
    /// As in a sketch.
    pub language: u32,
    /// Whether it is already placed in a story; other entries only count towards frequency.
    pub is_placed: bool,
}

/// A known entry with its sketch.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownEntry {
    pub entry: EntryKey,
    pub story: StoryKey,
    pub sketch: Sketch,
}

/// The entries that have a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Postings {
    Few(Vec<Posting>),
    /// Too many entries for the feature to distinguish them.
    Many,
}

impl Postings {
    /// The entries, if they are few.
    pub fn few(self) -> Vec<Posting> {
        match self {
            Postings::Few(postings) => postings,
            Postings::Many => Vec::new(),
        }
    }
}

/// Maximum number of postings per feature; more common features are not significant.
pub const POSTINGS_MAX: usize = 16;

/// Maximum number of days between a translation and its original.
pub const DAYS_MAX: i32 = 14;

/// An index of known entries. Results never include the new entry itself.
pub trait EntryIndex {
    type Error;

    /// The entries that have a key, oldest first, and the kind of the key.
    ///
    /// # Errors
    /// When the index cannot be read; likewise for the methods below.
    fn postings_of_key(&mut self, key: &str) -> Result<Vec<(Posting, KeyKind)>, Self::Error>;

    /// The entries that have each of these features, at most `POSTINGS_MAX` each. With a day, only entries within `DAYS_MAX` of
    /// it or without a day. `Many` if too many entries have the feature.
    fn postings(&mut self, features: &[u32], around: Option<i32>) -> Result<Vec<Postings>, Self::Error>;

    /// Looks up at once the entries that `known` will be asked for.
    fn look_ahead(&mut self, _entries: &[EntryKey]) -> Result<(), Self::Error> {
        Ok(())
    }

    /// An entry with its sketch, if it still exists.
    fn known(&mut self, entry: EntryKey) -> Result<Option<KnownEntry>, Self::Error>;

    /// Entries of a story, up to a bound.
    fn members(&mut self, story: StoryKey) -> Result<Vec<EntryKey>, Self::Error>;

    /// The languages of known entries, coded as in a sketch; there are few.
    fn languages(&mut self) -> Result<Vec<u32>, Self::Error>;

    /// How alike known entries are to the new one by their letters, from 0 to 1, in their order; 0 where an entry's words are gone.
    fn likeness(&mut self, own: &Grams, entries: &[EntryKey]) -> Result<Vec<f32>, Self::Error>;

    /// Counts the groups of letters of the new entry among those that are known.
    fn count_grams(&mut self, own: &Grams) -> Result<(), Self::Error>;

    /// Whether an operator ruled that the new entry does not belong to this story.
    fn is_kept_out(&mut self, story: StoryKey) -> Result<bool, Self::Error>;

    /// Whether an operator ruled that two stories are distinct.
    fn are_kept_apart(&mut self, a: StoryKey, b: StoryKey) -> Result<bool, Self::Error>;
}

/// A shingle found in more stories than this is not significant.
pub const RARE_STORIES_MAX: usize = 8;

/// The number of distinct stories among postings.
pub fn stories(postings: &[Posting]) -> usize {
    (0..postings.len())
        .filter(|&at| postings[..at].iter().all(|other| other.story != postings[at].story))
        .count()
}
