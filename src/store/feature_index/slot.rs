//! A slot of a table: a feature, the day mark of an entry, and the place of its record.

use crate::model::keys::EntryKey;
use crate::model::sketch::{NO_DAY, hash_all};

/// Lower half of a slot: the mark above the place, which is stored plus 1. The upper half is the feature; a free slot is 0.
pub(super) const PLACE_BITS: u32 = 21;
pub(super) const PLACES_MAX: usize = (1 << PLACE_BITS) - 1;
/// Number of distinct day marks; days are taken modulo this.
pub(super) const DAY_MARKS: u32 = 1 << 9;
/// The mark of an entry without a day.
pub(super) const NO_DAY_MARK: u32 = DAY_MARKS;
/// The mark of a slot that maps an entry's key to its record; it is not a posting.
pub(super) const KEY_MARK: u32 = DAY_MARKS + 1;
/// The mark of a slot in place of the postings of an anchor that too many entries of a span have.
pub(super) const MANY_MARK: u32 = DAY_MARKS + 2;
/// A bit above the mark: the feature is an anchor.
pub(super) const ANCHOR_BIT: u32 = 1 << 31;

pub(super) fn slot(feature: u32, mark: u32, place: usize) -> u64 {
    u64::from(feature) << 32 | u64::from(mark << PLACE_BITS) | (place as u64 + 1)
}

/// The slot that replaces the postings of an anchor when there are too many. It becomes invalid with the record it refers to,
/// that of the last entry with the anchor.
pub(super) fn many_slot(anchor: u32, place: usize) -> u64 {
    slot(anchor, MANY_MARK, place) | u64::from(ANCHOR_BIT)
}

pub(super) fn day_mark(day: i32) -> u32 {
    if day == NO_DAY { NO_DAY_MARK } else { day as u32 % DAY_MARKS }
}

pub(super) fn feature_of(slot: u64) -> u32 {
    (slot >> 32) as u32
}

pub(super) fn mark_of(slot: u64) -> u32 {
    (slot as u32 & !ANCHOR_BIT) >> PLACE_BITS
}

pub(super) fn place_of(slot: u64) -> usize {
    (slot as u32 as usize & PLACES_MAX).wrapping_sub(1)
}

/// The hash under which the key slot of an entry is stored.
pub(super) fn key_feature(EntryKey(entry): EntryKey) -> u32 {
    hash_all([0xE517, entry as u32, (entry >> 32) as u32])
}

/// Days whose anchors are stored together: a search over a month probes two spans, however long the anchor has been in use. An
/// anchor with too many entries in a span yields none of that span.
pub(super) const SPAN_DAYS: i32 = 32;

/// The span of a day; entries without a day have their own.
pub(super) fn span(day: i32) -> i32 {
    if day == NO_DAY { NO_DAY } else { day.div_euclid(SPAN_DAYS) }
}

/// The hash under which an anchor is stored for a span.
pub(super) fn anchor_feature(anchor: u32, span: i32) -> u32 {
    hash_all([0xA5B0, anchor, span as u32])
}

/// The home word of a feature in a table of this many tag words.
pub(super) fn home_word(feature: u32, words: usize) -> usize {
    ((u64::from(feature.wrapping_mul(0x9E37_79B1)) * words as u64) >> 32) as usize
}

/// The tag byte of a feature's slots; never 0, which marks a free slot.
pub(super) fn tag(feature: u32) -> u8 {
    ((feature.wrapping_mul(0x85EB_CA6B) >> 24) as u8).max(1)
}

/// The high bit of each byte of `word` that equals `byte`. Above the first match there may be false positives.
pub(super) fn like(word: u64, byte: u8) -> u64 {
    const LOW: u64 = u64::from_ne_bytes([1; 8]);
    let differing = word ^ (LOW * u64::from(byte));
    differing.wrapping_sub(LOW) & !differing & (LOW << 7)
}

/// The index of the first byte found by `like`.
pub(super) fn first_like(found: u64) -> usize {
    found.trailing_zeros() as usize / 8
}

/// A range of days to look up: filtered by day marks first, then exactly.
#[derive(Clone, Copy)]
pub(super) struct DayRange {
    pub(super) range: Option<(i32, i32)>,
    pub(super) first: u32,
    pub(super) width: u32,
}

impl DayRange {
    pub(super) fn new(range: Option<(i32, i32)>) -> DayRange {
        let width = range.map_or(DAY_MARKS, |(first, last)| {
            last.saturating_sub(first).max(0).unsigned_abs().min(DAY_MARKS)
        });
        DayRange { range, first: range.map_or(0, |(first, _)| first as u32 % DAY_MARKS), width }
    }

    pub(super) fn may_have(self, slot: u64) -> bool {
        let mark = mark_of(slot);
        mark == NO_DAY_MARK || (mark < DAY_MARKS && mark.wrapping_sub(self.first) % DAY_MARKS <= self.width)
    }

    pub(super) fn has(self, day: i32) -> bool {
        day == NO_DAY || self.range.is_none_or(|(first, last)| (first..=last).contains(&day))
    }
}
