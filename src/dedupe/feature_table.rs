//! Which entries have a feature: a hash table of cache lines. A feature is usually resolved within one line, so a lookup costs
//! one memory access however large the table is, and the accesses of many lookups overlap.

use crate::model::sketch::NO_DAY;

/// Slots of a line: 64 bytes, a cache line.
const SLOTS: usize = 8;
/// The table grows by half when it is this full, in percent.
const FULL_PERCENT: usize = 60;
/// Minimum number of lines of a non-empty table.
const LINES_MIN: usize = 8;

/// The feature in the upper half; below it the day mark, and in the lowest bits the place plus 1. A free slot is 0.
type Slot = u64;
const PLACE_BITS: u32 = 21;
/// Number of places that fit into a slot.
pub(super) const PLACES_MAX: usize = (1 << PLACE_BITS) - 1;
/// Number of distinct day marks, nearly three years; days are taken modulo this.
const DAY_MARKS: u32 = 1 << 10;
/// The mark of an entry without a day, in a bit of its own.
const NO_DAY_MARK: u32 = DAY_MARKS;

/// A line of slots, which fill from first to last and are never freed one by one: a line whose last slot is free ends a search.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct CacheLine([Slot; SLOTS]);

/// A posting: the place of an entry and its day mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DayPosting {
    pub place: u32,
    day: u32,
}

impl DayPosting {
    pub(super) fn new(place: u32, day: i32) -> DayPosting {
        DayPosting { place, day: if day == NO_DAY { NO_DAY_MARK } else { day as u32 % DAY_MARKS } }
    }

    fn slot(self, one: u32) -> Slot {
        u64::from(one) << 32 | u64::from(self.day) << PLACE_BITS | u64::from(self.place + 1)
    }

    fn of(slot: Slot) -> DayPosting {
        DayPosting { place: (slot as u32 & PLACES_MAX as u32) - 1, day: slot as u32 >> PLACE_BITS }
    }
}

/// A range of days to look up. As day marks repeat after nearly three years, entries of other days may match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    first: u32,
    width: u32,
}

impl Window {
    /// All days.
    pub(super) const ALL: Window = Window { first: 0, width: DAY_MARKS };

    /// The days up to `days` before and after a day, and entries without a day.
    pub(super) fn around(day: i32, days: i32) -> Window {
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

/// A multimap from features to postings.
#[derive(Default)]
pub(super) struct FeatureTable {
    lines: Vec<CacheLine>,
    len: usize,
}

/// The home line of a feature. Features keep their order when the table grows.
fn home_line(one: u32, lines: usize) -> usize {
    ((u64::from(one.wrapping_mul(0x9E37_79B1)) * lines as u64) >> 32) as usize
}

/// The next line, wrapping around.
fn next(at: usize, lines: usize) -> usize {
    if at + 1 == lines { 0 } else { at + 1 }
}

impl FeatureTable {
    /// Touches the lines of these features so that their cache misses overlap.
    pub(super) fn prefetch(&self, features: &[u32]) {
        let count = self.lines.len();
        if count == 0 {
            return;
        }
        std::hint::black_box(
            features.iter().fold(0, |seen, one| seen ^ self.lines[home_line(*one, count)].0[0]),
        );
        // A frequent feature continues in the next line.
        let full =
            features.iter().map(|one| home_line(*one, count)).filter(|&at| self.lines[at].0[SLOTS - 1] != 0);
        std::hint::black_box(full.fold(0, |seen, at| seen ^ self.lines[next(at, count)].0[0]));
    }

    /// Calls `call` for each posting of a feature within a range of days.
    pub(super) fn each(&self, one: u32, window: Window, mut call: impl FnMut(DayPosting)) {
        let count = self.lines.len();
        let mut at = if count == 0 { return } else { home_line(one, count) };
        loop {
            let CacheLine(slots) = &self.lines[at];
            // First the matching slots, without branches, then their contents.
            let is_wanted = |slot: Slot| ((slot >> 32) as u32 == one) & (slot != 0) & window.has(slot);
            let mut found =
                slots.iter().rev().fold(0u32, |found, slot| found << 1 | u32::from(is_wanted(*slot)));
            while found != 0 {
                call(DayPosting::of(slots[found.trailing_zeros() as usize]));
                found &= found - 1;
            }
            if slots[SLOTS - 1] == 0 {
                return;
            }
            at = next(at, count);
        }
    }

    /// Adds a posting.
    pub(super) fn insert(&mut self, one: u32, mark: DayPosting) {
        if (self.len + 1) * 100 > self.lines.len() * SLOTS * FULL_PERCENT {
            self.rebuild((self.lines.len() * 3 / 2).max(LINES_MIN), 0);
        }
        put(&mut self.lines, mark.slot(one));
        self.len += 1;
    }

    /// Removes the postings of the first `places` places and renumbers the others.
    pub(super) fn forget(&mut self, places: u32) {
        self.rebuild(self.lines.len(), places);
    }

    /// Features keep their order, so memory is accessed sequentially.
    fn rebuild(&mut self, count: usize, forgotten: u32) {
        let old = std::mem::replace(&mut self.lines, vec![CacheLine([0; SLOTS]); count]);
        let kept =
            old.iter().flat_map(|line| line.0).filter(|slot| *slot as u32 & PLACES_MAX as u32 > forgotten);
        self.len = kept.map(|slot| put(&mut self.lines, slot - u64::from(forgotten))).count();
    }

    /// Replaces a posting of a feature by another.
    pub(super) fn replace(&mut self, one: u32, old: DayPosting, new: DayPosting) {
        let (count, wanted) = (self.lines.len(), old.slot(one));
        let mut at = if count == 0 { return } else { home_line(one, count) };
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

/// Puts a slot into the first free position from its home line on; the table is never full.
fn put(lines: &mut [CacheLine], slot: Slot) {
    let count = lines.len();
    let mut at = home_line((slot >> 32) as u32, count);
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
                .for_each(|more| feature_table.insert(place ^ 0x55, DayPosting::new(place + more, 20_000)));
        }
        for place in 0..20_000u32 {
            assert_eq!(
                postings(&feature_table, place ^ 0x55),
                (place..place + count(place)).collect::<Vec<u32>>()
            );
        }
        let mut later = FeatureTable::default();
        (0..100).for_each(|place| later.insert(place % 10, DayPosting::new(place, 0)));
        later.forget(50);
        assert_eq!((postings(&later, 3), later.len), (vec![3, 13, 23, 33, 43], 50));
        feature_table.replace(97 ^ 0x55, DayPosting::new(97, 20_000), DayPosting::new(7, NO_DAY));
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
            assert_eq!(Window::around(of, 14).has(DayPosting::new(0, day).slot(7)), is_near, "{day} {of}");
        }
    }
}
