//! Queries for many features at once, and the postings found.

use crate::model::keys::EntryKey;
use crate::model::sketch::NO_DAY;

/// The record of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryMark {
    /// Key of the entry in the database; greater than 0.
    pub entry: EntryKey,
    /// Days since 1970, or `NO_DAY`.
    pub day: i32,
    pub source: u32,
    /// Language and title hash as in a sketch.
    pub language: u32,
    pub title_hash: u32,
    /// The first shingle of the sample; 0 if there is none.
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

/// The postings of several features, in one reusable allocation.
#[derive(Debug, Default)]
pub struct PostingBuffer {
    /// One row of `row` postings for each feature.
    pub(super) all: Vec<SlotPosting>,
    pub(super) row: usize,
    /// Number of postings of each feature, or `MANY`.
    pub(super) counts: Vec<usize>,
    /// Working memory for one batch of features in one segment: positions of the features, the (hashed) features to look up,
    /// candidate slots, record places, and the number of places for each feature.
    pub(super) open: Vec<u32>,
    pub(super) asked: Vec<(u32, u32)>,
    pub(super) seen: Vec<SlotMatch>,
    pub(super) places: Vec<u32>,
    pub(super) found: Vec<(u32, usize)>,
}

/// A slot that may hold one of the features looked up, and which one.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotMatch {
    pub(super) at: u32,
    pub(super) feature: u32,
    pub(super) slot: u32,
}

impl PostingBuffer {
    /// The postings of each feature, in the order of the query; `None` for a feature shared by too many entries.
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
        // Elements beyond the counts are never read, so they need not be cleared.
        if self.all.len() < features * postings_max {
            self.all.resize(features * postings_max, NONE);
        }
    }
}

/// In place of a count: the feature is shared by too many entries.
pub(super) const MANY: usize = usize::MAX;
