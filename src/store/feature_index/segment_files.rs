//! The files of the index: which segments there are, and how they are merged as they fill up.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::segment::{MAGIC, SLOTS, Segment, VERSION, size_for};
use crate::model::sketch::hash64;
use crate::support::files::{create_private_folder, open_private};

/// How large segments are, and how many of the largest are held.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentSizes {
    /// Slots of the smallest and of the largest segment.
    pub(super) slots_first: usize,
    pub(super) slots_max: usize,
    pub(super) largest_max: usize,
}

/// Room for more than a million entries of a hundred features. Larger segments mean fewer to search, but the unit that merges
/// them takes longer.
pub(super) const SIZES: SegmentSizes =
    SegmentSizes { slots_first: 1 << 17, slots_max: 1 << 24, largest_max: 10 };

/// The contents of the index file. Epoch 0 means that there is no index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct IndexState {
    /// Identifies this build of the index; never reused.
    epoch: u64,
    pub(super) is_trusted: bool,
    pub(super) made_to: i64,
    /// The number of the next segment; numbers are never reused.
    next: u64,
    /// Numbers of the segments, oldest first.
    pub(super) segments: Vec<u64>,
}

/// The segments in a folder, and the index file that lists them.
pub(super) struct SegmentFiles {
    folder: PathBuf,
    /// Hashes of what the files belong to: the database, and the current boot of the machine.
    store: u64,
    boot: u64,
    sizes: SegmentSizes,
    pub(super) state: IndexState,
    /// Oldest first.
    pub(super) segments: Vec<Segment>,
}

impl SegmentFiles {
    /// Files that are missing, corrupt or of something else count as an empty, untrusted index. Writes nothing.
    pub(super) fn open(
        folder: &Path,
        store_id: &str,
        boot: &str,
        sizes: SegmentSizes,
    ) -> io::Result<SegmentFiles> {
        let (store, boot) = (hash64(store_id.as_bytes()), hash64(boot.as_bytes()));
        let mut files = SegmentFiles {
            folder: folder.to_path_buf(),
            store,
            boot,
            sizes,
            state: IndexState::default(),
            segments: Vec::new(),
        };
        files.refresh()?;
        Ok(files)
    }

    /// Adds the folder to an error message.
    pub(super) fn named(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.folder.display()))
    }

    /// Picks up the changes of other processes.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        let refreshed = self.refresh_segments();
        refreshed.map_err(|error| self.named(&error))
    }

    fn refresh_segments(&mut self) -> io::Result<()> {
        let state = self.read_state()?;
        if state == self.state {
            return Ok(());
        }
        let is_broken =
            |error: &io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData);
        let mut held = std::mem::take(&mut self.segments);
        held.retain(|_| state.epoch == self.state.epoch);
        let mut open = |number: &u64| match held.iter().position(|segment| segment.number == *number) {
            Some(at) => Ok(held.swap_remove(at)),
            None => Segment::open(&self.path(*number), *number, state.epoch),
        };
        match state.segments.iter().map(&mut open).collect() {
            Ok(segments) => (self.segments, self.state) = (segments, state),
            Err(error) => {
                self.state = IndexState::default();
                return if is_broken(&error) { Ok(()) } else { Err(error) };
            }
        }
        Ok(())
    }

    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:010}.segment"))
    }

    fn read_state(&self) -> io::Result<IndexState> {
        let bytes = match fs::read(self.folder.join("index")) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(IndexState::default());
            }
            read => read?,
        };
        let words: Vec<u64> = bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        let [_, _, _, _, epoch, is_trusted, made_to, next, ref segments @ .., _] = words[..] else {
            return Ok(IndexState::default());
        };
        let state = IndexState {
            epoch,
            is_trusted: is_trusted == 1,
            made_to: made_to as i64,
            next,
            segments: segments.to_vec(),
        };
        Ok(if bytes == self.state_bytes(&state) { state } else { IndexState::default() })
    }

    fn state_bytes(&self, state: &IndexState) -> Vec<u8> {
        let IndexState { epoch, is_trusted, made_to, next, segments } = state;
        let words =
            [MAGIC, VERSION, self.store, self.boot, *epoch, u64::from(*is_trusted), *made_to as u64, *next];
        let mut bytes = [bytes_of(&words), bytes_of(segments)].concat();
        bytes.extend(hash64(&bytes).to_ne_bytes());
        bytes
    }

    fn write_state(&mut self, state: IndexState) -> io::Result<()> {
        let bytes = self.state_bytes(&state);
        let mut file = open_private(&self.folder.join("index"))?;
        file.write_all(&bytes)?;
        file.set_len(bytes.len() as u64)?;
        self.state = state;
        Ok(())
    }

    /// Replaces the index by an empty, untrusted one, removing whatever files are there.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        let cleared = self.clear_files();
        cleared.map_err(|error| self.named(&error))
    }

    fn clear_files(&mut self) -> io::Result<()> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let old = std::mem::take(&mut self.state);
        self.segments.clear();
        if self.folder.is_file() {
            fs::remove_file(&self.folder)?;
        }
        create_private_folder(&self.folder)?;
        for file in fs::read_dir(&self.folder)? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "segment" || extension == "new") {
                fs::remove_file(path)?;
            }
        }
        let name = format!("{} {} {}", std::process::id(), MADE.fetch_add(1, Relaxed), old.epoch);
        self.write_state(IndexState {
            epoch: hash64(name.as_bytes()).max(1),
            next: old.next,
            ..IndexState::default()
        })
    }

    pub(super) fn set_made_to(&mut self, mark: i64) -> io::Result<()> {
        self.start()?;
        self.write_state(IndexState { made_to: mark, ..self.state.clone() })
    }

    pub(super) fn set_trusted(&mut self) -> io::Result<()> {
        self.start()?;
        self.write_state(IndexState { is_trusted: true, ..self.state.clone() })
    }

    /// Makes sure that there is an index.
    pub(super) fn start(&mut self) -> io::Result<()> {
        if self.state.epoch == 0 { self.clear() } else { Ok(()) }
    }

    /// Merges as many of the newest segments as fit into one, begins a new segment, and drops the oldest ones where there are
    /// too many. Removed entries are not copied, so the index shrinks with the database.
    pub(super) fn grow(&mut self) -> io::Result<()> {
        let SegmentSizes { slots_first, slots_max, largest_max } = self.sizes;
        let (start, size) = self.mergeable();
        let mut state = self.state.clone();
        let mut segments = Vec::new();
        for (at, held) in self.segments[..start].iter().enumerate() {
            // Copied only once half of it is removed, so that each entry is copied a bounded number of times.
            let size = if held.is_mostly_gone() {
                size_for(held.live_counts(), slots_first)
            } else {
                Some(held.slots)
            };
            match size {
                Some(slots) if slots < held.slots => {
                    segments.push(self.make(&mut state, slots, &self.segments[at..=at])?)
                }
                Some(_) => segments.push(held.number),
                None => {}
            }
        }
        match (&self.segments[start..], size) {
            // Copying would save too little.
            ([alone], Some(size)) if size * 4 >= alone.slots * 3 => segments.push(alone.number),
            (merged, Some(size)) => segments.push(self.make(&mut state, size, merged)?),
            (_, None) => {}
        }
        // Half of the merged size: an entry is copied about three times, and two segments are searched.
        let half = size.unwrap_or(0) / 2 / SLOTS * SLOTS;
        segments.push(self.make(&mut state, half.min(slots_max / 4).max(slots_first), &[])?);
        state.segments = segments;
        self.put_segments(state, slots_max * (largest_max + 1))
    }

    /// The first segment from which all later ones fit into one, and the merged size; `None` if no live entry is left in them.
    fn mergeable(&self) -> (usize, Option<usize>) {
        let mut of_all = (0, 0);
        let mut mergeable = (self.segments.len(), None);
        for (at, segment) in self.segments.iter().enumerate().rev() {
            let (records, slots) = segment.live_counts();
            of_all = (of_all.0 + records, of_all.1 + slots);
            let size = size_for(of_all, self.sizes.slots_first);
            if at + 1 < self.segments.len() && size > Some(self.sizes.slots_max) {
                break;
            }
            mergeable = (at, size);
        }
        mergeable
    }

    /// Writes a new segment file that holds the contents of other segments; returns its number.
    fn make(&self, state: &mut IndexState, slots: usize, of: &[Segment]) -> io::Result<u64> {
        let number = state.next;
        let segment = Segment::new(number, state.epoch, slots)?;
        of.iter().for_each(|other| segment.take(other));
        segment.write(&self.path(number))?;
        state.next += 1;
        Ok(number)
    }

    /// Makes these the current segments, without the oldest ones beyond `slots_max` slots in total, and deletes the files of the
    /// others.
    fn put_segments(&mut self, mut state: IndexState, slots_max: usize) -> io::Result<()> {
        let is_held = |number: &u64| self.segments.iter().any(|segment| segment.number == *number);
        let made = state
            .segments
            .iter()
            .filter(|number| !is_held(number))
            .map(|number| Segment::open(&self.path(*number), *number, state.epoch));
        let made = made.collect::<io::Result<Vec<_>>>()?;
        let slots_of = |number: &u64| {
            self.segments
                .iter()
                .chain(&made)
                .find(|segment| segment.number == *number)
                .map_or(0, |segment| segment.slots)
        };
        let mut slots: usize = state.segments.iter().map(slots_of).sum();
        while slots > slots_max {
            slots -= slots_of(&state.segments.remove(0));
        }
        self.write_state(state)?;
        let mut all: Vec<Segment> = self.segments.drain(..).chain(made).collect();
        for number in &self.state.segments {
            self.segments.extend(
                all.iter().position(|segment| segment.number == *number).map(|at| all.swap_remove(at)),
            );
        }
        // A file that cannot be removed is ignored from now on, and removed by the next `clear`.
        all.iter().for_each(|segment| drop(fs::remove_file(self.path(segment.number))));
        Ok(())
    }
}

fn bytes_of(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
