//! Which entries have a feature: a table of cache lines, each of which answers for a feature by itself, so that a lookup costs one access
//! to memory however large the table is, and many lookups wait for memory together.

use crate::model::sketch::NO_DAY;

/// Slots of a line of the table: 64 bytes, what a processor reads at a time.
const SLOTS: usize = 8;
/// A table grows by half when it is this full.
const FULL_PERCENT: usize = 60;
/// Lines of a table that holds something.
const LINES_MIN: usize = 8;

/// A feature in the upper half; then the mark of a day, and a place in the low bits, counted from 1. 0 is free.
type Slot = u64;
const PLACE_BITS: u32 = 21;
/// Places that fit into a slot.
pub const PLACES_MAX: usize = (1 << PLACE_BITS) - 1;
/// Days that have marks of their own, nearly three years: then the marks come again.
const DAY_MARKS: u32 = 1 << 10;
/// The mark of no day: a bit of its own.
const NO_DAY_MARK: u32 = DAY_MARKS;

/// Slots fill from the first to the last, and none is freed by itself: a line whose last slot is free ends a search.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct CacheLine([Slot; SLOTS]);

/// An entry that has a feature, by place, and a mark of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub place: u32,
    day: u32,
}

impl Mark {
    pub fn new(place: u32, day: i32) -> Mark {
        Mark { place, day: if day == NO_DAY { NO_DAY_MARK } else { day as u32 % DAY_MARKS } }
    }

    fn slot(self, one: u32) -> Slot {
        u64::from(one) << 32 | u64::from(self.day) << PLACE_BITS | u64::from(self.place + 1)
    }

    fn of(slot: Slot) -> Mark {
        Mark { place: (slot as u32 & PLACES_MAX as u32) - 1, day: slot as u32 >> PLACE_BITS }
    }
}

/// Days that are asked for. As marks come again after years, some that have the feature are let through and are of another day.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    first: u32,
    width: u32,
}

impl Window {
    /// All days.
    pub const ALL: Window = Window { first: 0, width: DAY_MARKS };

    /// So many days before and after one; and no day.
    pub fn around(day: i32, days: i32) -> Window {
        if day == NO_DAY {
            Window::ALL
        } else {
            Window { first: day.wrapping_sub(days) as u32 % DAY_MARKS, width: 2 * days.unsigned_abs() }
        }
    }

    fn has(self, slot: Slot) -> bool {
        let mark = slot as u32 >> PLACE_BITS;
        (mark.wrapping_sub(self.first) % DAY_MARKS <= self.width) | (mark == NO_DAY_MARK)
    }
}

/// Features and who has them, several of them for a feature.
#[derive(Default)]
pub struct FeatureTable {
    lines: Vec<CacheLine>,
    len: usize,
}

/// Where a feature stands in a table of so many lines. Features keep their order when the table grows.
fn home(one: u32, lines: usize) -> usize {
    ((u64::from(one.wrapping_mul(0x9E37_79B1)) * lines as u64) >> 32) as usize
}

/// The line after one, in a ring.
fn next(at: usize, lines: usize) -> usize {
    if at + 1 == lines { 0 } else { at + 1 }
}

impl FeatureTable {
    /// Brings what is known of these into the processor's cache, all at once: one after the other, each would be waited for.
    pub fn warm(&self, features: &[u32]) {
        let count = self.lines.len();
        if count == 0 {
            return;
        }
        std::hint::black_box(features.iter().fold(0, |seen, one| seen ^ self.lines[home(*one, count)].0[0]));
        // What many bear stands in the next line as well.
        let full =
            features.iter().map(|one| home(*one, count)).filter(|&at| self.lines[at].0[SLOTS - 1] != 0);
        std::hint::black_box(full.fold(0, |seen, at| seen ^ self.lines[next(at, count)].0[0]));
    }

    /// Calls for each entry that has a feature and is of these days.
    pub fn each(&self, one: u32, window: Window, mut call: impl FnMut(Mark)) {
        let count = self.lines.len();
        let mut at = if count == 0 { return } else { home(one, count) };
        loop {
            let CacheLine(slots) = &self.lines[at];
            // First which slots, then what they say: all comparisons without a jump.
            let is_wanted = |slot: Slot| ((slot >> 32) as u32 == one) & (slot != 0) & window.has(slot);
            let mut found =
                slots.iter().rev().fold(0u32, |found, slot| found << 1 | u32::from(is_wanted(*slot)));
            while found != 0 {
                call(Mark::of(slots[found.trailing_zeros() as usize]));
                found &= found - 1;
            }
            if slots[SLOTS - 1] == 0 {
                return;
            }
            at = next(at, count);
        }
    }

    /// Notes that an entry has a feature.
    pub fn insert(&mut self, one: u32, mark: Mark) {
        if (self.len + 1) * 100 > self.lines.len() * SLOTS * FULL_PERCENT {
            self.rebuild((self.lines.len() * 3 / 2).max(LINES_MIN), 0);
        }
        put(&mut self.lines, mark.slot(one));
        self.len += 1;
    }

    /// Forgets the first places; those behind them are counted from there.
    pub fn forget(&mut self, places: u32) {
        self.rebuild(self.lines.len(), places);
    }

    /// As features keep their order, this reads and writes memory from the beginning to the end.
    fn rebuild(&mut self, count: usize, forgotten: u32) {
        let old = std::mem::replace(&mut self.lines, vec![CacheLine([0; SLOTS]); count]);
        let kept =
            old.iter().flat_map(|line| line.0).filter(|slot| *slot as u32 & PLACES_MAX as u32 > forgotten);
        self.len = kept.map(|slot| put(&mut self.lines, slot - u64::from(forgotten))).count();
    }

    /// Gives the place of one that has a feature to another.
    pub fn replace(&mut self, one: u32, old: Mark, new: Mark) {
        let (count, wanted) = (self.lines.len(), old.slot(one));
        let mut at = if count == 0 { return } else { home(one, count) };
        loop {
            let CacheLine(slots) = &mut self.lines[at];
            if let Some(slot) = slots.iter_mut().find(|slot| **slot == wanted) {
                *slot = new.slot(one);
                return;
            }
            if slots[SLOTS - 1] == 0 {
                return;
            }
            at = next(at, count);
        }
    }
}

/// Puts a slot into the first free place from its home on: there is one, for the table is never full.
fn put(lines: &mut [CacheLine], slot: Slot) {
    let count = lines.len();
    let mut at = home((slot >> 32) as u32, count);
    loop {
        if let Some(free) = lines[at].0.iter_mut().find(|slot| **slot == 0) {
            *free = slot;
            return;
        }
        at = next(at, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postings(feature_table: &FeatureTable, one: u32) -> Vec<u32> {
        let mut found = Vec::new();
        feature_table.each(one, Window::ALL, |mark| found.push(mark.place));
        found.sort_unstable();
        found
    }

    #[test]
    fn every_entry_that_has_a_feature_is_found_while_the_table_grows() {
        let mut feature_table = FeatureTable::default();
        assert!(postings(&feature_table, 1).is_empty());
        let count = |place: u32| if place.is_multiple_of(97) { 12 } else { 1 };
        for place in 0..20_000u32 {
            (0..count(place))
                .for_each(|more| feature_table.insert(place ^ 0x55, Mark::new(place + more, 20_000)));
        }
        for place in 0..20_000u32 {
            assert_eq!(
                postings(&feature_table, place ^ 0x55),
                (place..place + count(place)).collect::<Vec<u32>>()
            );
        }
        let mut later = FeatureTable::default();
        (0..100).for_each(|place| later.insert(place % 10, Mark::new(place, 0)));
        later.forget(50);
        assert_eq!((postings(&later, 3), later.len), (vec![3, 13, 23, 33, 43], 50));
        feature_table.replace(97 ^ 0x55, Mark::new(97, 20_000), Mark::new(7, NO_DAY));
        assert_eq!(
            postings(&feature_table, 97 ^ 0x55),
            std::iter::once(7).chain(98..109).collect::<Vec<u32>>()
        );
    }

    #[test]
    fn a_mark_tells_days_that_are_far_away() {
        for (day, of, is_near) in [
            (100, 114, true),
            (100, 115, false),
            (-1, 13, true),
            (-1, 14, false),
            (1_020, 1_030, true),
            (NO_DAY, 5, true),
            (5, NO_DAY, true),
        ] {
            assert_eq!(Window::around(of, 14).has(Mark::new(0, day).slot(7)), is_near, "{day} {of}");
        }
    }
}
