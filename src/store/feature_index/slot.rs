//! A slot of a table: a feature, the day of an entry as a mark, and the place of its record.

use crate::model::keys::EntryKey;
use crate::model::sketch::{NO_DAY, hash_all};

/// The lower half of a slot: the mark of a day above a place, which is counted from 1. The upper half is the feature; 0 is a free slot.
pub(super) const PLACE_BITS: u32 = 21;
pub(super) const PLACES_MAX: usize = (1 << PLACE_BITS) - 1;
/// Days that have marks of their own: then the marks come again.
pub(super) const DAY_MARKS: u32 = 1 << 9;
/// The mark of no day.
pub(super) const NO_DAY_MARK: u32 = DAY_MARKS;
/// The mark of a slot that leads from the key of an entry to its record, and is no posting.
pub(super) const KEY_MARK: u32 = DAY_MARKS + 1;
/// The mark of a slot that stands for all entries of a span that have an anchor: more than can be told apart by it.
pub(super) const MANY_MARK: u32 = DAY_MARKS + 2;
/// A bit above the marks: the feature is an anchor.
pub(super) const ANCHOR_BIT: u32 = 1 << 31;

pub(super) fn slot(feature: u32, mark: u32, place: usize) -> u64 {
    u64::from(feature) << 32 | u64::from(mark << PLACE_BITS) | (place as u64 + 1)
}

/// What stands in the place of the slots of an anchor when there are too many of them. It is gone with the record that it leads to,
/// which is that of the last entry that has it.
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

/// What the slot of an entry's key stands under.
pub(super) fn key_feature(EntryKey(entry): EntryKey) -> u32 {
    hash_all([0xE517, entry as u32, (entry >> 32) as u32])
}

/// Days of which anchors stand together: whoever asks for a month touches two such places, however long others have had the anchor.
/// An anchor that more entries of a span have than are handed over leads to none of them any more.
pub(super) const SPAN_DAYS: i32 = 32;

/// The span of a day; days that are not known have one of their own.
pub(super) fn span(day: i32) -> i32 {
    if day == NO_DAY { NO_DAY } else { day.div_euclid(SPAN_DAYS) }
}

/// What an anchor of a span stands under.
pub(super) fn anchor_feature(anchor: u32, span: i32) -> u32 {
    hash_all([0xA5B0, anchor, span as u32])
}

/// Where a feature stands in a table of so many words of bytes.
pub(super) fn home(feature: u32, words: usize) -> usize {
    ((u64::from(feature.wrapping_mul(0x9E37_79B1)) * words as u64) >> 32) as usize
}

/// The byte of a slot that has a feature; that of a free slot is 0.
pub(super) fn tag(feature: u32) -> u8 {
    ((feature.wrapping_mul(0x85EB_CA6B) >> 24) as u8).max(1)
}

/// Which bytes of a word are like one, as their highest bits. Above the first that is, others may be taken for it.
pub(super) fn like(word: u64, byte: u8) -> u64 {
    const LOW: u64 = u64::from_ne_bytes([1; 8]);
    let differing = word ^ (LOW * u64::from(byte));
    differing.wrapping_sub(LOW) & !differing & (LOW << 7)
}

/// The first byte that `like` found.
pub(super) fn first_like(found: u64) -> usize {
    found.trailing_zeros() as usize / 8
}

/// Days that are asked for: first by their marks, then by themselves.
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
