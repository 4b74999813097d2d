//! Atomic file writes. A temporary file is hidden, and locked until it is renamed, so that files left by killed processes can be
//! distinguished from those being written, and swept.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Suffix of temporary files.
const TEMPORARY: &str = ".tmp";
/// Number of attempts, since another process may sweep a temporary file just before it is locked.
const TRIES: usize = 5;

/// Writes a file atomically if its contents changed. Returns whether they did.
///
/// # Errors
/// When the disk fails; the old file is kept.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    write_atomically(path, bytes)?;
    Ok(true)
}

/// Writes a file atomically: a temporary file beside the target, then a rename.
///
/// # Errors
/// When the disk fails; the old file is kept.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = temporary(path)?;
    for _ in 1..TRIES {
        match write_and_rename(&temporary, path, bytes) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => return result,
        }
    }
    write_and_rename(&temporary, path, bytes)
}

fn write_and_rename(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    // Where files cannot be locked, none are swept either.
    let _ = file.lock();
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(temporary, path));
    written.inspect_err(|_| drop(fs::remove_file(temporary)))
}

/// A hidden file name that is unique to this process.
fn temporary(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_string_lossy();
    Ok(path.with_file_name(format!(".{name}.{}{TEMPORARY}", std::process::id())))
}

/// Removes the temporary files that killed processes left in a folder and below it; returns how many. Unreadable folders are
/// skipped.
pub fn sweep(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let mut swept = 0;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            swept += sweep(&entry.path());
        } else if name.ends_with(TEMPORARY) && is_temporary(&name) {
            swept += usize::from(remove_unlocked(&entry.path()));
        }
    }
    swept
}

/// Whether a temporary file is one of ours. Earlier versions named them without the leading dot, and did not lock them.
fn is_temporary(name: &str) -> bool {
    name.trim_end_matches(TEMPORARY)
        .rsplit_once('.')
        .is_some_and(|(_, process)| !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Removes a file that no process has locked; the kernel releases locks of dead processes. It is removed while we hold the lock,
/// so that a process that locks it after us does not lose it.
pub fn remove_unlocked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok() && fs::remove_file(path).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_swept_away_and_what_one_is_writing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write_atomically(&path("issues/a.html"), b"whole").unwrap();
        for left in [".a.html.17.tmp", "issues/.a.html.4194304.tmp", "atom.xml.17.tmp"] {
            fs::write(path(left), "half").unwrap();
        }
        // Files of the operator.
        fs::write(path("notes.tmp"), "").unwrap();
        fs::write(path("a.b.tmp"), "").unwrap();
        let writing = File::create(path(".b.html.18.tmp")).unwrap();
        writing.lock().unwrap();
        assert_eq!(sweep(folder.path()), 3);
        assert!(
            [".b.html.18.tmp", "notes.tmp", "a.b.tmp", "issues/a.html"]
                .iter()
                .all(|name| path(name).exists())
        );
        drop(writing);
        assert_eq!(sweep(folder.path()), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        fs::create_dir(&target).unwrap();
        assert!(write_atomically(&target, b"new").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
