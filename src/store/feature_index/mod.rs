//! Which entries have a feature: a cache in files beside the database, rebuilt from the sketches whenever it cannot be trusted.
//!
//! A folder holds an index file, which lists the valid segments, and the segments. A segment is a file of fixed size: a head, a
//! tag byte for each slot of a hash table, the slots, and the records of its entries. Most features that are looked up have no
//! postings, and the adjacent tag bytes are enough to tell. Entries are added to the newest segment; when it is full, it is
//! merged with the segments before it, in table order, as long as the result does not exceed the largest size, and a new segment
//! of half the merged size is begun. When there are too many of the largest segments, the oldest is dropped. All files are
//! memory-mapped.
//!
//! Everything but `open` is called while the caller holds the write transaction of the database, so there is one writer at a
//! time across all processes. What a killed process has written stays in the page cache, so no postings are lost while the
//! machine is up; after a reboot nothing is trusted. A unit that is rolled back leaves entries that the database does not have:
//! `truncate_after` removes them before their keys are reused. Edits and removals that are rolled back are not undone; they
//! recur when the same document is read again.

mod postings;
mod segment;
mod segment_files;
mod slot;

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use crate::model::keys::EntryKey;

pub(super) use self::postings::EntryMark;
pub use self::postings::{PostingBuffer, SlotPosting};
use self::segment::{LAST_ENTRY, RECORDS_USED, Segment};
use self::segment_files::{SIZES, SegmentFiles, SegmentSizes};
use self::slot::{ANCHOR_BIT, DayRange, anchor_feature, day_mark, slot, span};

/// Number of features looked up together, so that their cache lines are fetched concurrently: 16 KiB of lines, half of a typical
/// L1 cache.
const FEATURES_TOGETHER: usize = 256;

/// Look-ups after which the segments give back what memory they took: each may bring 64 kB of a file into it. Whoever looks up that
/// much some times has many entries to place, and keeps all of it: to bring it in again would cost more.
const LOOKUPS_HELD: usize = 1_500;
const RELEASES_MAX: usize = 8;

/// Maps features to the entries of a database.
pub(super) struct FeatureIndex {
    files: SegmentFiles,
    /// Look-ups since memory was given back, and how often it was.
    lookups: Cell<usize>,
    releases: Cell<usize>,
    has_new: Cell<bool>,
}

impl FeatureIndex {
    /// Opens the index of the database with this unique id. Files that are missing, corrupt, of another database or from before
    /// a reboot count as an empty, untrusted index. Writes nothing.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn open(folder: &Path, store_id: &str) -> io::Result<FeatureIndex> {
        // Without a boot id, an index lasts only as long as the process.
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .unwrap_or_else(|_| format!("process {}", std::process::id()));
        FeatureIndex::with(folder, store_id, &boot, SIZES)
    }

    fn with(folder: &Path, store_id: &str, boot: &str, sizes: SegmentSizes) -> io::Result<FeatureIndex> {
        let files = SegmentFiles::open(folder, store_id, boot, sizes)?;
        Ok(FeatureIndex { files, lookups: Cell::new(0), releases: Cell::new(0), has_new: Cell::new(false) })
    }

    /// Picks up the changes of other processes; call at the beginning of each unit of work.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        self.files.refresh()
    }

    /// Whether the index holds all entries of the database, as far back as it reaches. If not, the caller adds the entries after
    /// `made_to` again and then calls `set_trusted`.
    pub(super) fn is_trusted(&self) -> bool {
        self.files.state.is_trusted
    }

    /// How far the index was made, in whichever process of this machine; 0 at the start. Of a file, the last entry that the current
    /// rebuild has reached; of a server, the revision of the last sketch.
    pub(super) fn made_to(&self) -> i64 {
        self.files.state.made_to
    }

    /// Records how far the index was made.
    ///
    /// # Errors
    /// When the disk fails; likewise for the methods below.
    pub(super) fn set_made_to(&mut self, mark: i64) -> io::Result<()> {
        self.files.set_made_to(mark)
    }

    /// Whether anything was added since this was asked last.
    pub(super) fn take_has_new(&self) -> bool {
        self.has_new.take()
    }

    /// Records that all entries are in the index.
    pub(super) fn set_trusted(&mut self) -> io::Result<()> {
        self.files.set_trusted()
    }

    /// Replaces the index by an empty, untrusted one, removing whatever files are there.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.files.clear()
    }

    /// The greatest entry key since `truncate_after`; `BEFORE_ALL` in an empty index. If the database has sketches of later
    /// entries, the files are out of date, as after restoring a copy, and have to be rebuilt.
    pub(super) fn last_entry(&self) -> EntryKey {
        self.files.segments.iter().map(Segment::last_entry).max().unwrap_or(EntryKey::BEFORE_ALL)
    }

    /// Removes entries with greater keys, left by units that were rolled back. Call at the beginning of each unit with the
    /// greatest key of the database, before new keys are given out.
    pub(super) fn truncate_after(&mut self, last_entry: EntryKey) {
        for segment in self.files.segments.iter().filter(|segment| segment.last_entry() > last_entry) {
            let is_later = |place: &usize| segment.mark(*place).is_some_and(|mark| mark.entry > last_entry);
            (0..segment.get(RECORDS_USED)).filter(is_later).for_each(|place| segment.remove(place));
            segment.words()[LAST_ENTRY].store(last_entry.0.max(0) as u64, Relaxed);
        }
    }

    /// Adds an entry, replacing what the index has of it; call before the unit that stores the entry is committed. Text features
    /// that many entries share, or an entry of the same title in another source, get no posting; an anchor that many entries
    /// share is marked as such and yields none.
    ///
    /// # Errors
    /// When the disk is full: the caller has to roll back the unit or clear the index.
    pub(super) fn add(&mut self, mark: &EntryMark, text_features: &[u32], anchors: &[u32]) -> io::Result<()> {
        self.has_new.set(true);
        let added = self.add_postings(mark, text_features, anchors);
        added.map_err(|error| self.files.named(&error))
    }

    fn add_postings(&mut self, mark: &EntryMark, text_features: &[u32], anchors: &[u32]) -> io::Result<()> {
        self.files.start()?;
        if mark.entry <= self.last_entry() {
            self.remove([mark.entry]);
        }
        let features = text_features.len() + anchors.len() + 1;
        let (segment, place) = loop {
            let newest = self.files.segments.last().filter(|segment| segment.has_room(features));
            if let Some(place) = newest.and_then(|segment| segment.begin(mark)) {
                break (&self.files.segments[self.files.segments.len() - 1], place);
            }
            self.files.grow()?;
        };
        let anchors: Vec<u32> =
            anchors.iter().map(|anchor| anchor_feature(*anchor, span(mark.day))).collect();
        for (features, kind) in [(text_features, 0), (&anchors, u64::from(ANCHOR_BIT))] {
            segment.prefetch(features.iter().copied());
            features.iter().for_each(|feature| {
                segment.put_posting(slot(*feature, day_mark(mark.day), place) | kind, place, || Some(*mark))
            });
        }
        Ok(())
    }

    /// Removes entries; returns how many of them were in the index.
    pub(super) fn remove(&mut self, entries: impl IntoIterator<Item = EntryKey>) -> usize {
        let mut count = 0;
        for entry in entries {
            for segment in &self.files.segments {
                if let Some(place) = segment.find(entry) {
                    segment.remove(place);
                    count += 1;
                }
            }
        }
        count
    }

    /// Bit mask of the segments that may hold entries within a range of days.
    fn asked(&self, days: DayRange) -> u32 {
        self.files
            .segments
            .iter()
            .enumerate()
            .fold(0, |asked, (at, segment)| asked | u32::from(segment.may_have(days)) << at)
    }

    /// Finds the entries of each feature, the last added first; replaces the contents of `out`. Text features are looked up
    /// without days; anchors with the first and last day of a range, which also finds entries without a day.
    pub(super) fn postings_of(
        &self,
        features: &[u32],
        days: Option<(i32, i32)>,
        postings_max: usize,
        out: &mut PostingBuffer,
    ) {
        out.start(features.len(), postings_max);
        let days = DayRange::new(days);
        let asked = self.asked(days);
        let segments = self
            .files
            .segments
            .iter()
            .enumerate()
            .rev()
            .filter(|(at, _)| asked >> at & 1 == 1)
            .map(|(_, segment)| segment);
        for segment in segments {
            // A feature with enough postings is not looked up further: those of frequent features are mostly in the newest
            // segments.
            for start in (0..features.len()).step_by(FEATURES_TOGETHER) {
                let end = features.len().min(start + FEATURES_TOGETHER);
                out.open.clear();
                out.open.extend((start..end).filter(|at| out.counts[*at] < postings_max).map(|at| at as u32));
                segment.read(features, days, out);
                self.count_lookups(out.open.len());
            }
        }
    }

    fn count_lookups(&self, count: usize) {
        self.lookups.set(self.lookups.get() + count);
        if self.lookups.get() >= LOOKUPS_HELD && self.releases.get() < RELEASES_MAX {
            self.files.segments.iter().for_each(Segment::release);
            self.releases.set(self.releases.get() + 1);
            self.lookups.set(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::segment::{HEAD_WORDS, RECORDS_GONE, SLOTS_USED};
    use super::slot::{MANY_MARK, SPAN_DAYS, mark_of};
    use super::*;
    use crate::model::sketch::{NO_DAY, hash_all};

    impl FeatureIndex {
        /// The record of an entry, if it is in the index.
        pub(crate) fn mark(&self, entry: i64) -> Option<EntryMark> {
            self.files.segments.iter().rev().find_map(|segment| segment.mark(segment.find(EntryKey(entry))?))
        }

        /// Appends the entries that have a feature, as found by `postings_of`.
        pub(crate) fn postings(
            &self,
            feature: u32,
            days: Option<(i32, i32)>,
            postings_max: usize,
            out: &mut Vec<SlotPosting>,
        ) {
            let mut found = PostingBuffer::default();
            self.postings_of(&[feature], days, postings_max, &mut found);
            out.extend(found.iter().flatten().flatten());
        }

        /// Number of live entries.
        pub(crate) fn len(&self) -> usize {
            self.files
                .segments
                .iter()
                .map(|segment| segment.get(RECORDS_USED))
                .sum::<usize>()
                .saturating_sub(self.gone())
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.len() == 0
        }

        /// Number of entries that were removed or replaced but still take up room.
        pub(crate) fn gone(&self) -> usize {
            self.files.segments.iter().map(|segment| segment.get(RECORDS_GONE)).sum()
        }

        /// Total size of all segments on disk, in bytes.
        pub(crate) fn bytes(&self) -> u64 {
            self.files.segments.iter().map(|segment| segment.file.len() as u64).sum()
        }
    }

    const SMALL: SegmentSizes = SegmentSizes { slots_first: 1 << 11, slots_max: 1 << 13, largest_max: 3 };

    fn open(folder: &Path) -> FeatureIndex {
        FeatureIndex::with(folder, "one", "boot", SMALL).unwrap()
    }

    /// The mark of an entry with its own source and title.
    fn mark(entry: i64) -> EntryMark {
        EntryMark {
            entry: EntryKey(entry),
            day: entry as i32,
            source: entry as u32,
            language: 7,
            title_hash: entry as u32 | 1 << 31,
            sample: 3,
        }
    }

    fn own(entry: i64) -> Vec<u32> {
        (0..40).map(|number| hash_all([entry as u32, number])).collect()
    }

    fn add(index: &mut FeatureIndex, entries: impl IntoIterator<Item = i64>) {
        entries
            .into_iter()
            .for_each(|entry| index.add(&mark(entry), &own(entry)[..15], &own(entry)[15..]).unwrap());
    }

    fn found(index: &FeatureIndex, feature: u32) -> Vec<i64> {
        let mut out = Vec::new();
        index.postings(feature, None, 100, &mut out);
        out.iter().map(|posting| posting.entry.0).collect()
    }

    fn found_within(index: &FeatureIndex, anchor: u32, days: (i32, i32)) -> Vec<i64> {
        let mut out = Vec::new();
        index.postings(anchor, Some(days), 100, &mut out);
        out.iter().map(|posting| posting.entry.0).collect()
    }

    /// Whether an entry is found by all of its features, and is the only one found.
    fn has(index: &FeatureIndex, entry: i64) -> bool {
        let mut lists: Vec<Vec<i64>> = Vec::new();
        for (features, days) in
            [(&own(entry)[..15], None), (&own(entry)[15..], Some((entry as i32, entry as i32)))]
        {
            let mut out = PostingBuffer::default();
            index.postings_of(features, days, 100, &mut out);
            lists.extend(
                out.iter()
                    .map(|list| list.unwrap().iter().map(|posting| posting.entry.0).collect::<Vec<i64>>()),
            );
        }
        assert!(lists.len() == 40 && lists.iter().all(|list| *list == lists[0]), "{lists:?}");
        lists[0] == [entry]
    }

    #[test]
    fn entries_are_found_while_segments_are_added_and_until_the_oldest_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("a.features");
        let mut index = open(&path);
        assert!(
            (index.is_empty(), index.is_trusted(), index.last_entry()) == (true, false, EntryKey::BEFORE_ALL)
        );
        add(&mut index, 1..=350);
        assert!(
            index.files.segments.len() >= 3 && (1..=350).all(|entry| has(&index, entry)) && !has(&index, 351)
        );
        assert_eq!((index.len(), index.mark(77), index.mark(351)), (350, Some(mark(77)), None));
        add(&mut index, 351..=2_000);
        let first = (1..).find(|entry| has(&index, *entry)).unwrap();
        assert!(
            (1_450..1_650).contains(&first) && (first..=2_000).all(|entry| has(&index, entry)),
            "{first}"
        );
        assert_eq!(index.len() as i64, 2_001 - first);
        assert_eq!(fs::read_dir(&path).unwrap().count(), index.files.segments.len() + 1);
        assert_eq!(
            index.bytes(),
            index
                .files
                .segments
                .iter()
                .map(|segment| fs::metadata(index.files.path(segment.number)).unwrap().len())
                .sum::<u64>()
        );
    }

    #[test]
    fn it_shrinks_with_the_entries_that_it_is_about() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = open(folder.path());
        let month = |entry: i64| {
            (entry as i32 / SPAN_DAYS * SPAN_DAYS, entry as i32 / SPAN_DAYS * SPAN_DAYS + SPAN_DAYS - 1)
        };
        let mut largest = 0;
        for entry in 1..=6_000 {
            // An anchor shared by all entries.
            index.add(&mark(entry), &own(entry)[..15], &[&own(entry)[15..], &[4]].concat()).unwrap();
            index.remove([EntryKey(entry - 100)]);
            if entry > 1_000 {
                largest = largest.max(index.bytes());
            }
        }
        assert!((5_901..=6_000).all(|entry| has(&index, entry)) && !has(&index, 5_900) && index.len() == 100);
        // The live entries fill three of the smallest segments, or one four times the size; then come the newest and one not yet
        // half removed.
        assert!(largest <= 6 * Segment::bytes(SMALL.slots_first) as u64, "{largest}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), index.files.segments.len() + 1);
        // Nothing is left of features that only removed entries had.
        let many: usize = index
            .files
            .segments
            .iter()
            .map(|one| one.slots().iter().filter(|slot| mark_of(slot.load(Relaxed)) == MANY_MARK).count())
            .sum();
        assert!(many <= 10, "{many}");
        let mut out = PostingBuffer::default();
        index.postings_of(&[4], Some(month(5_990)), 100, &mut out);
        assert!(out.iter().eq([None]));
    }

    #[test]
    fn what_many_have_leads_to_the_first_by_text_and_to_none_by_anchor() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = open(folder.path());
        let month = (0, SPAN_DAYS - 1);
        (1..=8).for_each(|entry| index.add(&mark(entry), &[5, 0], &[6, 6]).unwrap());
        assert_eq!(
            (found(&index, 5), found_within(&index, 6, month)),
            ((1..=8).rev().collect(), (1..=8).rev().collect())
        );
        (9..=20).for_each(|entry| index.add(&mark(entry), &[5, 0], &[6, 6]).unwrap());
        let mut out = PostingBuffer::default();
        index.postings_of(&[7, 6], Some(month), 100, &mut out);
        assert!(out.iter().eq([Some(&[][..]), None]));
        assert_eq!(
            (found(&index, 5), found(&index, 0)),
            ((1..=16).rev().collect(), (1..=16).rev().collect())
        );
        // An edit takes up no further slot; the slots of removed entries are reused.
        index.add(&mark(2), &[5], &[6]).unwrap();
        assert_eq!(found(&index, 5)[..2], [2, 16]);
        let used = index.files.segments[0].get(SLOTS_USED);
        assert_eq!(index.remove([1, 2, 3, 4, 99].map(EntryKey)), 4);
        (21..=24).for_each(|entry| index.add(&mark(entry), &[5], &[]).unwrap());
        assert_eq!((found(&index, 5).len(), index.files.segments[0].get(SLOTS_USED)), (16, used + 4));
        // The same title in two sources.
        let of_title = |entry: i64, source: u32| EntryMark { title_hash: 1, day: 3, source, ..mark(entry) };
        index.add(&of_title(30, 30), &[8], &[9]).unwrap();
        index.add(&of_title(31, 31), &[8], &[9]).unwrap();
        index.add(&of_title(32, 30), &[8], &[9]).unwrap();
        assert_eq!((found(&index, 8), found_within(&index, 9, month)), (vec![32, 30], vec![32, 31, 30]));
        // Postings of another month take up none of this month's room.
        (40..=46).for_each(|entry| index.add(&EntryMark { day: 900, ..mark(entry) }, &[], &[9]).unwrap());
        assert_eq!(
            (found_within(&index, 9, month), found_within(&index, 9, (880, 908)).len()),
            (vec![32, 31, 30], 7)
        );
    }

    #[test]
    fn days_and_the_number_of_postings_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = open(folder.path());
        for (entry, day) in [(1, 100), (2, 100 + 512), (3, NO_DAY), (4, -1), (5, 103)] {
            index.add(&EntryMark { day, ..mark(entry) }, &[5], &[5]).unwrap();
        }
        for (days, wanted) in [
            ((90, 102), vec![3, 1]),
            ((-5, 103), vec![5, 4, 3, 1]),
            ((-9_999, 9_999), vec![5, 4, 3, 2, 1]),
            ((9, 8), vec![3]),
        ] {
            assert_eq!(found_within(&index, 5, days), wanted, "{days:?}");
        }
        assert_eq!(found(&index, 5), [5, 4, 3, 2, 1]);
        let mut out = Vec::new();
        index.postings(5, None, 1, &mut out);
        index.postings(5, None, 2, &mut out);
        assert_eq!(out.iter().map(|posting| posting.entry.0).collect::<Vec<_>>(), [5, 5, 4]);
        assert_eq!(out[0], SlotPosting { entry: EntryKey(5), day: 103, source: 5, language: 7 });
    }

    #[test]
    fn edits_removals_and_units_that_were_rolled_back_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = open(folder.path());
        add(&mut index, 1..=200);
        index.add(&mark(10), &own(1_010), &[]).unwrap();
        assert_eq!((found(&index, own(10)[0]), found(&index, own(1_010)[0])), (vec![], vec![10]));
        assert_eq!((index.len(), index.gone(), index.remove([20, 20, 500].map(EntryKey))), (200, 1, 1));
        assert!(!has(&index, 20) && has(&index, 19) && index.gone() > 0);
        index.truncate_after(EntryKey(200));
        assert_eq!((index.len(), index.last_entry().0), (199, 200));
        index.truncate_after(EntryKey(150));
        index.truncate_after(EntryKey(150));
        assert_eq!((index.len(), index.last_entry().0), (149, 150));
        assert!((151..=200).all(|entry| !has(&index, entry)) && has(&index, 150));
        // A key is reused for another entry.
        index.add(&mark(151), &own(9_151), &[]).unwrap();
        assert_eq!((found(&index, own(151)[0]), found(&index, own(9_151)[0])), (vec![], vec![151]));
        (0..2_000).for_each(|_| add(&mut index, [151]));
        assert!(has(&index, 151) && index.len() <= 150);
    }

    #[test]
    fn two_handles_see_what_each_other_did() {
        let folder = tempfile::tempdir().unwrap();
        let (mut a, mut b) = (open(folder.path()), open(folder.path()));
        let turn = |index: &mut FeatureIndex, entries: std::ops::RangeInclusive<i64>| {
            index.refresh().unwrap();
            index.truncate_after(EntryKey(entries.start() - 1));
            add(index, entries);
        };
        for step in 0..20 {
            turn(&mut a, step * 100 + 1..=step * 100 + 50);
            turn(&mut b, step * 100 + 51..=step * 100 + 100);
        }
        a.refresh().unwrap();
        assert!(
            a.len() == b.len()
                && a.len() > 350
                && (1_650..=2_000).all(|entry| has(&a, entry) && has(&b, entry))
        );
        // Both handles rebuild the index together and share its state.
        a.clear().unwrap();
        assert!(a.is_empty());
        add(&mut a, 1..=10);
        a.set_made_to(10).unwrap();
        b.refresh().unwrap();
        assert_eq!((b.len(), b.made_to(), b.is_trusted()), (10, 10, false));
        add(&mut b, 11..=100);
        b.set_trusted().unwrap();
        a.refresh().unwrap();
        assert!(a.is_trusted() && (1..=100).all(|entry| has(&a, entry)));
    }

    #[test]
    fn what_is_foreign_old_or_broken_is_empty_and_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let make = || {
            let mut index = open(folder.path());
            index.clear().unwrap();
            add(&mut index, 1..=100);
            index.set_trusted().unwrap();
            let again = open(folder.path());
            assert!(again.is_trusted() && (1..=100).all(|entry| has(&again, entry)));
            index.files.path(index.files.state.segments[0])
        };
        make();
        for (store, boot) in [("other", "boot"), ("one", "later")] {
            let index = FeatureIndex::with(folder.path(), store, boot, SMALL).unwrap();
            assert_eq!((index.len(), index.is_trusted(), has(&index, 1)), (0, false, false));
        }
        let garbage: Vec<u8> = (0..9_000u32).map(|number| hash_all([number]) as u8).collect();
        for damage in 0..6 {
            let segment = make();
            match damage {
                0 => fs::write(folder.path().join("index"), &garbage).unwrap(),
                1 => fs::write(folder.path().join("index"), [7; 80]).unwrap(),
                2 => fs::remove_file(folder.path().join("index")).unwrap(),
                3 => fs::write(&segment, &garbage).unwrap(),
                4 => File::options().write(true).open(&segment).unwrap().set_len(100).unwrap(),
                _ => fs::remove_file(&segment).unwrap(),
            }
            let mut index = open(folder.path());
            assert_eq!((index.len(), index.is_trusted(), has(&index, 1)), (0, false, false), "{damage}");
            add(&mut index, 1..=5);
            index.set_trusted().unwrap();
            let again = open(folder.path());
            assert!(again.is_trusted() && again.len() == 5 && has(&again, 5), "{damage}");
        }
        // Garbage behind a valid head goes undetected, but is harmless.
        let path = open(folder.path()).files.path(open(folder.path()).files.state.segments[0]);
        let mut bytes = fs::read(&path).unwrap();
        bytes[8 * HEAD_WORDS..]
            .iter_mut()
            .zip(garbage.iter().cycle())
            .for_each(|(byte, other)| *byte = *other);
        fs::write(&path, bytes).unwrap();
        let mut index = open(folder.path());
        (1..=100).for_each(|entry| drop(found(&index, own(entry)[0])));
        add(&mut index, 6..=50);
        assert!(has(&index, 50));
    }
}
