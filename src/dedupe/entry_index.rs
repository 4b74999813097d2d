//! What those who decide ask of whatever holds the known entries.

use crate::model::key::KeyKind;
use crate::model::keys::{EntryKey, StoryKey};
use crate::model::sketch::Sketch;

/// An entry that has something in common with the one at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    pub entry: EntryKey,
    pub story: StoryKey,
    pub source: u32,
    /// As in a sketch.
    pub language: u32,
    /// Whether it is in its story already; others only count.
    pub is_placed: bool,
}

/// An entry that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownEntry {
    pub entry: EntryKey,
    pub story: StoryKey,
    pub sketch: Sketch,
}

/// An entry that has a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Postings {
    Few(Vec<Posting>),
    /// More than can be told apart by it.
    Many,
}

/// Entries that share a feature are looked at up to this number: a feature of more tells none of them.
pub const POSTINGS_MAX: usize = 16;

/// A translation is within so many days of its original.
pub const DAYS_MAX: i32 = 14;

/// What holds the known entries. Nothing here is ever asked for the entry at hand itself.
pub trait EntryIndex {
    type Error;

    /// Who has a key, the oldest first, and as what.
    ///
    /// # Errors
    /// When the index cannot be read; so with the others.
    fn postings_of_key(&mut self, key: &str) -> Result<Vec<(Posting, KeyKind)>, Self::Error>;

    /// The entries that have each of these features: `POSTINGS_MAX` of them at most, or of more stories than are rare. With a day, only those
    /// within `DAYS_MAX` of it, and those without a day.
    fn postings(&mut self, features: &[u32], around: Option<i32>) -> Result<Vec<Postings>, Self::Error>;

    /// An entry, if it is still there.
    fn known(&mut self, entry: EntryKey) -> Result<Option<KnownEntry>, Self::Error>;

    /// The entries of a story, a bounded number of them.
    fn members(&mut self, story: StoryKey) -> Result<Vec<EntryKey>, Self::Error>;

    /// The languages that entries are in, as in a sketch; a few of them.
    fn languages(&mut self) -> Result<Vec<u32>, Self::Error>;

    /// Whether an operator said that the entry at hand is none of this story.
    fn is_kept_out(&mut self, story: StoryKey) -> Result<bool, Self::Error>;

    /// Whether an operator said that these are two stories.
    fn are_kept_apart(&mut self, a: StoryKey, b: StoryKey) -> Result<bool, Self::Error>;
}

/// A shingle that more stories than this have says nothing about any of them.
pub const RARE_STORIES_MAX: usize = 8;

/// In how many stories these are.
pub fn stories(postings: &[Posting]) -> usize {
    (0..postings.len())
        .filter(|&at| postings[..at].iter().all(|other| other.story != postings[at].story))
        .count()
}
