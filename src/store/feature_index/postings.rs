//! What is looked for and what is found: the postings of many features at once.

use crate::model::keys::EntryKey;
use crate::model::sketch::NO_DAY;

/// What is kept of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryMark {
    /// The key of the entry in the database: greater than 0.
    pub entry: EntryKey,
    /// Days since 1970, or `NO_DAY`.
    pub day: i32,
    pub source: u32,
    /// As in a sketch; so with the title's hash.
    pub language: u32,
    pub title_hash: u32,
    /// The first shingle of the sample; 0 where there is none.
    pub sample: u32,
}

/// An entry that has a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotPosting {
    pub entry: EntryKey,
    /// Days since 1970, or `NO_DAY`.
    pub day: i32,
    pub source: u32,
    pub language: u32,
}

/// The postings of several features, in one piece of memory that can be used again.
#[derive(Debug, Default)]
pub struct PostingBuffer {
    /// A row of room for each feature.
    pub(super) all: Vec<SlotPosting>,
    pub(super) row: usize,
    /// How many there are of each feature, or `MANY`.
    pub(super) counts: Vec<usize>,
    /// Of the features that are looked for together in one segment: which they are, what they stand under, where records stand,
    /// and how many for each.
    pub(super) open: Vec<u32>,
    pub(super) asked: Vec<(u32, u32)>,
    pub(super) seen: Vec<Seen>,
    pub(super) places: Vec<u32>,
    pub(super) found: Vec<(u32, usize)>,
}

/// A slot that may have a feature, and which of the features that are looked for it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) at: u32,
    pub(super) feature: u32,
    pub(super) slot: u32,
}

impl PostingBuffer {
    /// Those of each feature, in the order in which the features were asked for; `None` where there are more than can be told apart.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&[SlotPosting]>> {
        self.counts
            .iter()
            .enumerate()
            .map(|(at, count)| (*count != MANY).then(|| &self.all[at * self.row..][..*count]))
    }

    pub(super) fn start(&mut self, features: usize, postings_max: usize) {
        const NONE: SlotPosting =
            SlotPosting { entry: EntryKey::BEFORE_ALL, day: NO_DAY, source: 0, language: 0 };
        self.row = postings_max;
        self.counts.clear();
        self.counts.resize(features, 0);
        // What stands behind the counts is never read, so it need not be cleared.
        if self.all.len() < features * postings_max {
            self.all.resize(features * postings_max, NONE);
        }
    }
}

/// In the place of a count: more than can be told apart.
pub(super) const MANY: usize = usize::MAX;
