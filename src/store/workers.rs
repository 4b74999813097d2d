//! Which processes are alive: each holds a lock on a file beside the database, which the kernel releases when the process ends.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::support::files::{create_private, create_private_folder, remove_unlocked};

/// How often a worker's file is created again if it is swept away before it is locked.
const TRIES: usize = 10;

/// A hidden path beside the database, by suffix, so that a glob on the database's name matches the database alone.
pub(super) fn hidden_path(store: &Path, ending: &str) -> PathBuf {
    let name = store.file_name().unwrap_or_default().to_string_lossy();
    store.with_file_name(format!(".{name}.{ending}"))
}

/// Moves a folder from its earlier, unhidden place beside the database.
pub(super) fn move_to_hidden_path(store: &Path, ending: &str) {
    let mut was = store.as_os_str().to_owned();
    was.push(format!(".{ending}"));
    // If this fails, the folder is created anew.
    if Path::new(&was).is_dir() && !hidden_path(store, ending).exists() {
        let _ = std::fs::rename(&was, hidden_path(store, ending));
    }
}

/// Proof that a worker is alive: a locked file beside the database. The kernel releases the lock when the process ends.
pub(super) struct LivenessLock {
    path: PathBuf,
    // Held, not read.
    _lock: File,
}

impl LivenessLock {
    /// `None` where files cannot be locked: leases then end by time alone. Files of dead processes are removed.
    /// With `is_alone`, all workers are on this machine; else a file that is missing says nothing, and those of the dead stay until
    /// somebody has taken over what they held.
    pub(super) fn new(folder: &Path, worker: &str, is_alone: bool) -> Option<LivenessLock> {
        create_private_folder(folder).ok()?;
        if is_alone {
            sweep(folder);
        }
        let path = folder.join(worker);
        for _ in 0..TRIES {
            let lock = create_private(&path).ok()?;
            lock.lock().ok()?;
            // Another process may have taken it for a dead worker's file just before it was locked.
            if path.exists() {
                return Some(LivenessLock { path, _lock: lock });
            }
        }
        None
    }
}

fn sweep(folder: &Path) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        remove_unlocked(&path);
    }
}

/// Whether a worker's file is unlocked, or missing where all workers are on this machine. Names come from our own rows and are
/// alphanumeric.
pub(super) fn is_free(folder: &Path, worker: &str, is_alone: bool) -> bool {
    if worker.is_empty() || !worker.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return false;
    }
    let path = folder.join(worker);
    match File::open(&path) {
        Ok(file) if file.try_lock().is_ok() => {
            let _ = std::fs::remove_file(&path);
            true
        }
        Err(error) => is_alone && error.kind() == std::io::ErrorKind::NotFound,
        Ok(_) => false,
    }
}

/// Whether another worker of this machine lives.
pub(super) fn has_others(folder: &Path, worker: &str) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter(|file| file.file_name() != worker)
        .filter_map(|file| File::open(file.path()).ok())
        .any(|file| file.try_lock().is_err())
}

impl Drop for LivenessLock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_one_that_begins_is_not_swept_away_by_others_that_begin() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let folder = folder.path();
                scope.spawn(move || {
                    for turn in 0..100 {
                        let name = format!("{worker:x}a{turn:x}");
                        let alive = LivenessLock::new(folder, &name, true).unwrap();
                        assert!(alive.path.exists() && !is_free(folder, &name, true), "{name}");
                    }
                });
            }
        });
    }
}
