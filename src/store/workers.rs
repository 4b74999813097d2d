//! Which processes live: each holds a lock on a file beside the database, which the kernel gives up with the process.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::support::files::remove_unlocked;

/// How often a worker's file is made anew that is swept away before it is locked.
const TRIES: usize = 10;

/// A hidden path beside the database, by an ending: what matches the name of the database is the database alone.
pub(super) fn beside(store: &Path, ending: &str) -> PathBuf {
    let name = store.file_name().unwrap_or_default().to_string_lossy();
    store.with_file_name(format!(".{name}.{ending}"))
}

/// Moves a folder from where it stood before, beside the database and in sight.
pub(super) fn hide(store: &Path, ending: &str) {
    let mut was = store.as_os_str().to_owned();
    was.push(format!(".{ending}"));
    // Where it fails, the folder is made anew.
    if Path::new(&was).is_dir() && !beside(store, ending).exists() {
        let _ = std::fs::rename(&was, beside(store, ending));
    }
}

/// The sign that a worker lives: a file beside the database that it holds a lock on. The kernel gives the lock up with the process.
pub(super) struct Alive {
    path: PathBuf,
    // Held, not read.
    _lock: File,
}

impl Alive {
    /// `None` where files cannot be locked: leases end by their time alone then. The files of processes that are no more go.
    pub fn new(store: &Path, worker: &str) -> Option<Alive> {
        let folder = beside(store, "workers");
        std::fs::create_dir_all(&folder).ok()?;
        sweep(&folder);
        let path = folder.join(worker);
        for _ in 0..TRIES {
            let lock = File::create(&path).ok()?;
            lock.lock().ok()?;
            // Somebody may have taken it for a dead one's in the moment before it was locked.
            if path.exists() {
                return Some(Alive { path, _lock: lock });
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

/// Whether nobody holds the file of a worker. The names come from our own rows, and are only ever hexadecimal.
pub(super) fn is_free(store: &Path, worker: &str) -> bool {
    if worker.is_empty() || !worker.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return false;
    }
    let path = beside(store, "workers").join(worker);
    match File::open(&path) {
        Ok(file) if file.try_lock().is_ok() => {
            let _ = std::fs::remove_file(&path);
            true
        }
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        Ok(_) => false,
    }
}

impl Drop for Alive {
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
        let store = folder.path().join("a.db");
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let store = &store;
                scope.spawn(move || {
                    for turn in 0..100 {
                        let name = format!("{worker:x}a{turn:x}");
                        let alive = Alive::new(store, &name).unwrap();
                        assert!(alive.path.exists() && !is_free(store, &name), "{name}");
                    }
                });
            }
        });
    }
}
