//! A segment: a memory-mapped file with a hash table of slots and the records of entries.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use memmap2::{MmapOptions, MmapRaw, UncheckedAdvice};

use super::postings::{EntryMark, MANY, PostingBuffer, SlotMatch, SlotPosting};
use super::slot::{
    ANCHOR_BIT, DAY_MARKS, DayRange, KEY_MARK, MANY_MARK, NO_DAY_MARK, PLACES_MAX, anchor_feature, day_mark,
    feature_of, first_like, home_word, key_feature, like, many_slot, mark_of, place_of, slot, span, tag,
};
use crate::model::keys::EntryKey;
use crate::model::sketch::NO_DAY;
use crate::support::files::create_private;

/// Read in native byte order, so that a file of the other byte order does not match.
pub(super) const MAGIC: u64 = u64::from_be_bytes(*b"features");
pub(super) const VERSION: u64 = 2;
/// Maximum number of postings of a text feature in a segment.
pub(super) const POSTINGS_OF_SEGMENT_MAX: usize = 16;
/// Maximum number of postings of an anchor in a segment and span: an anchor of more entries in a month hardly distinguishes
/// them.
pub(super) const POSTINGS_OF_SPAN_MAX: usize = 8;
/// Number of slots whose tag bytes share a word.
pub(super) const SLOTS: usize = 8;
/// A segment takes no more entries when its table is this full, in percent.
pub(super) const FULL_PERCENT: usize = 75;
/// Slots for each record: entries with few features fill the records before the table.
pub(super) const SLOTS_OF_RECORD: usize = 48;
/// Maximum number of tag words probed for a feature; postings that find no room there are left out.
pub(super) const WORDS_OF_FEATURE_MAX: usize = 64;
/// Number of words written to a file at a time.
pub(super) const WORDS_TOGETHER: usize = 1 << 14;

/// Words of the head, by position; those before `SLOTS_USED` never change.
pub(super) const HEAD_WORDS: usize = 32;
pub(super) const SLOTS_USED: usize = 6;
pub(super) const RECORDS_USED: usize = 7;
pub(super) const RECORDS_GONE: usize = 8;
pub(super) const LAST_ENTRY: usize = 9;
/// A bit set of the day marks of the segment's entries.
pub(super) const DAYS: usize = 10;
/// Words of a record: the key of the entry, or 0 once it is removed, and the fields of its mark.
pub(super) const RECORD_WORDS: usize = 4;

pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) file: MmapRaw,
    pub(super) slots: usize,
}

/// The state of a feature's chain before a posting is added.
#[derive(Default)]
pub(super) struct ProbeChain {
    pub(super) count: usize,
    pub(super) is_stood_for: bool,
    /// A slot marks the feature as shared by many entries.
    pub(super) is_many: bool,
    /// The first slot of the feature.
    pub(super) first: Option<usize>,
    /// Where a posting can be put: a slot of the feature whose entry was removed, or else a free one.
    pub(super) room: Option<usize>,
}

impl Segment {
    /// The part of the head that identifies the file.
    pub(super) fn head(epoch: u64, slots: usize) -> [u64; 5] {
        [MAGIC, VERSION, epoch, slots as u64, (slots / SLOTS_OF_RECORD) as u64]
    }

    pub(super) fn bytes(slots: usize) -> usize {
        8 * (HEAD_WORDS + slots / SLOTS + slots + slots / SLOTS_OF_RECORD * RECORD_WORDS)
    }

    /// An empty segment in memory.
    pub(super) fn new(number: u64, epoch: u64, slots: usize) -> io::Result<Segment> {
        let segment =
            Segment { number, file: MmapOptions::new().len(Segment::bytes(slots)).map_anon()?.into(), slots };
        segment
            .words()
            .iter()
            .zip(Segment::head(epoch, slots))
            .for_each(|(word, value)| word.store(value, Relaxed));
        Ok(segment)
    }

    /// Writes the segment to a file. All blocks are written, so that a full disk shows here and not when the mapping is used.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        let write = || {
            let mut file = create_private(&new)?;
            for words in self.words().chunks(WORDS_TOGETHER) {
                let bytes: Vec<[u8; 8]> = words.iter().map(|word| word.load(Relaxed).to_ne_bytes()).collect();
                file.write_all(bytes.as_flattened())?;
            }
            fs::rename(&new, path)
        };
        write().inspect_err(|_| drop(fs::remove_file(&new)))
    }

    /// # Errors
    /// `InvalidData` if the file is not a valid segment of this epoch.
    pub(super) fn open(path: &Path, number: u64, epoch: u64) -> io::Result<Segment> {
        let file = File::options().read(true).write(true).open(path)?;
        if file.metadata()?.len() < 8 * HEAD_WORDS as u64 {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut segment = Segment { number, file: MmapOptions::new().map_raw(&file)?, slots: 0 };
        let slots = usize::try_from(segment.words()[3].load(Relaxed)).unwrap_or(0);
        let is_sound = (SLOTS..=PLACES_MAX * SLOTS_OF_RECORD).contains(&slots)
            && slots.is_multiple_of(SLOTS)
            && segment.file.len() == Segment::bytes(slots)
            && Segment::head(epoch, slots)
                .iter()
                .zip(segment.words())
                .all(|(wanted, word)| word.load(Relaxed) == *wanted)
            && segment.get(RECORDS_USED) <= slots / SLOTS_OF_RECORD;
        segment.slots = slots;
        if is_sound { Ok(segment) } else { Err(ErrorKind::InvalidData.into()) }
    }

    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: a mapping starts at a page boundary, so words are aligned; it has this length and lives as long as `self`. Any
        // bytes are a valid word, and all processes that map the file access its words as atomics, so concurrent writes are
        // sound.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts(self.file.as_mut_ptr().cast(), self.file.len() / 8)
        }
    }

    /// Gives the memory back that the mapping took: what is needed again comes from the page cache.
    pub(super) fn release(&self) {
        // SAFETY: of a shared mapping of a file, nothing is lost: what was written to it stays in the page cache.
        #[allow(unsafe_code)]
        // Advice that a system does not follow costs nothing but memory.
        let _ = unsafe { self.file.unchecked_advise(UncheckedAdvice::DontNeed) };
    }

    pub(super) fn get(&self, word: usize) -> usize {
        self.words()[word].load(Relaxed) as usize
    }

    pub(super) fn set(&self, word: usize, value: usize) {
        self.words()[word].store(value as u64, Relaxed);
    }

    pub(super) fn last_entry(&self) -> EntryKey {
        EntryKey(self.words()[LAST_ENTRY].load(Relaxed) as i64)
    }

    /// Whether an entry of the segment has this day mark.
    pub(super) fn has_day(&self, mark: u32) -> bool {
        self.words()[DAYS + mark as usize / 64].load(Relaxed) >> (mark % 64) & 1 == 1
    }

    /// The spans to look anchors up in.
    fn spans(&self, days: DayRange) -> impl Iterator<Item = i32> {
        let unknown = self.has_day(NO_DAY_MARK).then_some(NO_DAY);
        days.range.into_iter().flat_map(|(first, last)| span(first)..=span(last)).chain(unknown)
    }

    /// Whether the segment may hold entries within a range of days.
    pub(super) fn may_have(&self, days: DayRange) -> bool {
        days.width >= DAY_MARKS
            || self.has_day(NO_DAY_MARK)
            || (0..=days.width).any(|day| self.has_day((days.first + day) % DAY_MARKS))
    }

    /// The tag bytes of the slots, eight to a word.
    pub(super) fn tags(&self) -> &[AtomicU64] {
        &self.words()[HEAD_WORDS..][..self.slots / SLOTS]
    }

    pub(super) fn slots(&self) -> &[AtomicU64] {
        &self.words()[HEAD_WORDS + self.slots / SLOTS..][..self.slots]
    }

    pub(super) fn records(&self) -> &[[AtomicU64; RECORD_WORDS]] {
        self.words()[HEAD_WORDS + self.slots / SLOTS + self.slots..].as_chunks().0
    }

    /// The mark in a record; `None` if the entry was removed or never written.
    pub(super) fn mark(&self, place: usize) -> Option<EntryMark> {
        let [entry, first, second, third] =
            self.records().get(place)?.each_ref().map(|word| word.load(Relaxed));
        let high = |word: u64| (word >> 32) as u32;
        let (day, language) = (first as u32 as i32, second as u32);
        (entry != 0).then(|| EntryMark {
            entry: EntryKey(entry as i64),
            day,
            source: high(first),
            language,
            title_hash: high(second),
            sample: third as u32,
        })
    }

    /// Calls `call` for each slot whose tag matches a feature, until it returns `false`. Returns the first free slot after them.
    pub(super) fn walk(&self, feature: u32, mut call: impl FnMut(usize) -> bool) -> Option<usize> {
        let tags = self.tags();
        let mut at = home_word(feature, tags.len());
        for _ in 0..WORDS_OF_FEATURE_MAX.min(tags.len()) {
            let word = tags[at].load(Relaxed);
            let mut found = like(word, tag(feature));
            while found != 0 {
                if !call(at * SLOTS + first_like(found)) {
                    return None;
                }
                found &= found - 1;
            }
            // Slots of a word fill from first to last, and are never freed.
            let free = like(word, 0);
            if free != 0 {
                return Some(at * SLOTS + first_like(free));
            }
            at = if at + 1 == tags.len() { 0 } else { at + 1 };
        }
        None
    }

    /// Like `walk`, but only for slots that hold the feature.
    pub(super) fn each(&self, feature: u32, mut call: impl FnMut(u64, usize) -> bool) -> Option<usize> {
        let slots = self.slots();
        self.walk(feature, |at| {
            let slot = slots[at].load(Relaxed);
            feature_of(slot) != feature || slot as u32 == 0 || call(slot, at)
        })
    }

    /// Touches the tag words of features so that their cache misses overlap.
    pub(super) fn prefetch(&self, features: impl Iterator<Item = u32>) {
        let tags = self.tags();
        std::hint::black_box(
            features.fold(0, |seen, feature| seen ^ tags[home_word(feature, tags.len())].load(Relaxed)),
        );
    }

    /// The features to look up for the open ones: with days, the anchor of each span.
    fn ask(&self, features: &[u32], days: DayRange, open: &[u32], asked: &mut Vec<(u32, u32)>) {
        asked.clear();
        for at in open {
            let feature = features[*at as usize];
            match days.range {
                None => asked.push((*at, feature)),
                Some(_) => asked.extend(self.spans(days).map(|span| (*at, anchor_feature(feature, span)))),
            }
        }
    }

    /// Appends the postings of the features of `out.open`, last added first, as far as there is room. With days, the features
    /// are anchors.
    pub(super) fn read(&self, features: &[u32], days: DayRange, out: &mut PostingBuffer) {
        let PostingBuffer { all, row, counts, open, asked, seen, places, found } = out;
        self.ask(features, days, open, asked);
        self.prefetch(asked.iter().map(|(_, feature)| *feature));
        seen.clear();
        for (at, feature) in asked.iter() {
            self.walk(*feature, |slot| {
                seen.push(SlotMatch { at: *at, feature: *feature, slot: slot as u32 });
                true
            });
        }
        // Touches all slots, and then all records, before the first is read, so that their cache misses overlap.
        let (slots, records) = (self.slots(), self.records());
        std::hint::black_box(
            seen.iter().fold(0, |known, one| known ^ slots[one.slot as usize].load(Relaxed)),
        );
        places.clear();
        found.clear();
        for of_one in seen.chunk_by(|a, b| a.at == b.at) {
            let (start, at) = (places.len(), of_one[0].at);
            for one in of_one {
                let slot = slots[one.slot as usize].load(Relaxed);
                if feature_of(slot) != one.feature {
                    continue;
                }
                if mark_of(slot) == MANY_MARK {
                    counts[at as usize] = MANY;
                    places.truncate(start);
                    break;
                }
                if days.may_have(slot) {
                    places.push(place_of(slot) as u32);
                }
            }
            places[start..].sort_unstable_by(|a, b| b.cmp(a));
            found.push((at, places.len() - start));
        }
        let first = |place: &u32| records.get(*place as usize).map_or(0, |record| record[0].load(Relaxed));
        std::hint::black_box(places.iter().fold(0, |known, place| known ^ first(place)));
        let mut rest = &places[..];
        for (at, found) in found.iter().filter(|(_, found)| *found > 0) {
            let (own, others) = rest.split_at(*found);
            rest = others;
            let at = *at as usize;
            let room = &mut all[at * *row..][counts[at]..*row];
            let marks =
                own.iter().filter_map(|place| self.mark(*place as usize)).filter(|mark| days.has(mark.day));
            let put =
                room.iter_mut().zip(marks).map(|(room, EntryMark { entry, day, source, language, .. })| {
                    *room = SlotPosting { entry, day, source, language }
                });
            counts[at] += put.count();
        }
    }

    /// The place of an entry's record.
    pub(super) fn find(&self, entry: EntryKey) -> Option<usize> {
        let mut found = None;
        self.each(key_feature(entry), |slot, _| {
            let place = place_of(slot);
            if mark_of(slot) == KEY_MARK && self.mark(place).is_some_and(|mark| mark.entry == entry) {
                found = Some(place);
            }
            true
        });
        found
    }

    pub(super) fn has_room(&self, features: usize) -> bool {
        let used = self.get(SLOTS_USED);
        let is_table_full = (used + features) * 100 > self.slots * FULL_PERCENT && used > 0;
        !is_table_full && self.get(RECORDS_USED) < self.slots / SLOTS_OF_RECORD
    }

    /// Writes the record of an entry and the slot that leads to it. `None` if there is no room.
    pub(super) fn begin(&self, mark: &EntryMark) -> Option<usize> {
        let feature = key_feature(mark.entry);
        let chain = self.chain(feature, |slot| mark_of(slot) == KEY_MARK, |_, _| false);
        let (room, place) = (chain.room?, self.get(RECORDS_USED));
        let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        let words = [
            mark.entry.0 as u64,
            pair(mark.day as u32, mark.source),
            pair(mark.language, mark.title_hash),
            u64::from(mark.sample),
        ];
        self.records().get(place)?.iter().zip(words).for_each(|(word, value)| word.store(value, Relaxed));
        let day = day_mark(mark.day);
        self.words()[DAYS + day as usize / 64].fetch_or(1 << (day % 64), Relaxed);
        // Before any slot refers to the record: a killed process leaves no slot to a record place that is reused.
        self.set(RECORDS_USED, place + 1);
        self.words()[LAST_ENTRY].fetch_max(mark.entry.0 as u64, Relaxed);
        self.put(room, slot(feature, KEY_MARK, place));
        Some(place)
    }

    pub(super) fn chain(
        &self,
        feature: u32,
        is_of_kind: impl Fn(u64) -> bool,
        stands_for: impl Fn(usize, &EntryMark) -> bool,
    ) -> ProbeChain {
        let mut chain = ProbeChain::default();
        let end = self.each(feature, |slot, at| {
            if !is_of_kind(slot) {
                return true;
            }
            chain.first = chain.first.or(Some(at));
            chain.is_many = mark_of(slot) == MANY_MARK;
            if chain.is_many {
                return false;
            }
            let place = place_of(slot);
            match self.mark(place) {
                None => chain.room = Some(at),
                Some(other) => {
                    chain.count += 1;
                    chain.is_stood_for |= stands_for(place, &other);
                }
            }
            true
        });
        chain.room = chain.room.or(end);
        chain
    }

    pub(super) fn put(&self, room: usize, slot: u64) {
        self.slots()[room].store(slot, Relaxed);
        // After the slot is written: a killed process leaves no tag byte without a slot.
        let shift = room % SLOTS * 8;
        let before = self.tags()[room / SLOTS].fetch_or(u64::from(tag(feature_of(slot))) << shift, Relaxed);
        if before >> shift & 0xFF == 0 {
            self.set(SLOTS_USED, self.get(SLOTS_USED) + 1);
        }
    }

    /// Adds a posting of the entry in a record. Its mark (`own`) is only read if other entries have the feature too.
    pub(super) fn put_posting(&self, slot: u64, place: usize, own: impl Fn() -> Option<EntryMark>) {
        let is_text = slot as u32 & ANCHOR_BIT == 0;
        // The same title in several sources is one story; its first entry with the phrase represents it.
        let is_same_title = |other: &EntryMark| {
            is_text
                && other.title_hash != 0
                && own().is_some_and(|own| other.title_hash == own.title_hash && other.source != own.source)
        };
        let chain = self.chain(
            feature_of(slot),
            |slot| mark_of(slot) != KEY_MARK,
            |at, other| at == place || is_same_title(other),
        );
        if chain.is_stood_for {
            return;
        }
        let count_max = if is_text { POSTINGS_OF_SEGMENT_MAX } else { POSTINGS_OF_SPAN_MAX };
        if chain.count < count_max && !chain.is_many {
            chain.room.into_iter().for_each(|room| self.put(room, slot));
        } else if !is_text {
            chain.first.into_iter().for_each(|first| self.put(first, many_slot(feature_of(slot), place)));
        }
    }

    /// Marks an anchor as shared by many entries of a span. Slots behind the mark are not copied when segments are merged.
    pub(super) fn put_many(&self, slot: u64) {
        let chain = self.chain(feature_of(slot), |slot| mark_of(slot) != KEY_MARK, |_, _| false);
        chain.first.or(chain.room).into_iter().for_each(|room| self.put(room, slot));
    }

    /// Copies the live entries and postings of another segment.
    pub(super) fn take(&self, other: &Segment) {
        let places: Vec<Option<u32>> = (0..other.get(RECORDS_USED))
            .map(|place| self.begin(&other.mark(place)?).map(|place| place as u32))
            .collect();
        for slot in other
            .slots()
            .iter()
            .map(|slot| slot.load(Relaxed))
            .filter(|slot| *slot != 0 && mark_of(*slot) != KEY_MARK)
        {
            // Features keep their order in tables of any size, so memory is accessed sequentially.
            let Some(place) = places.get(place_of(slot)).copied().flatten().map(|place| place as usize)
            else {
                continue;
            };
            let taken = (slot & !(PLACES_MAX as u64)) | (place as u64 + 1);
            if mark_of(slot) == MANY_MARK {
                self.put_many(taken)
            } else {
                self.put_posting(taken, place, || self.mark(place))
            }
        }
    }

    /// Whether more than half of its entries are removed.
    pub(super) fn is_mostly_gone(&self) -> bool {
        self.get(RECORDS_GONE) * 2 > self.get(RECORDS_USED)
    }

    /// Number of records and slots of live entries.
    pub(super) fn live_counts(&self) -> (usize, usize) {
        let records = self.get(RECORDS_USED) - self.get(RECORDS_GONE).min(self.get(RECORDS_USED));
        if self.get(RECORDS_GONE) == 0 {
            return (records, self.get(SLOTS_USED));
        }
        let is_live = |slot: u64| slot != 0 && self.mark(place_of(slot)).is_some();
        (records, self.slots().iter().filter(|slot| is_live(slot.load(Relaxed))).count())
    }

    pub(super) fn remove(&self, place: usize) {
        self.records()[place][0].store(0, Relaxed);
        self.set(RECORDS_GONE, self.get(RECORDS_GONE) + 1);
    }
}

/// The smallest sufficient size of a segment for this many records and slots; `None` if there are no records.
pub(super) fn size_for((records, slots): (usize, usize), slots_min: usize) -> Option<usize> {
    let size = (slots * 100).div_ceil(FULL_PERCENT).max(records * SLOTS_OF_RECORD);
    (records > 0).then(|| size.next_multiple_of(SLOTS).max(slots_min))
}
