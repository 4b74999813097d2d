//! Atomic file writes, and files that are their owner's alone. A temporary file is hidden, and locked until it is renamed, so
//! that files left by killed processes can be distinguished from those being written, and swept.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::Path;

use rustix::fs::{Access, OFlags};

/// Suffix of temporary files.
pub(super) const TEMPORARY: &str = ".tmp";
/// Number of attempts, since another process may sweep a temporary file just before it is locked.
pub(super) const TRIES: usize = 5;

/// So many folders within each other are looked into.
const FOLDERS_DEEP_MAX: usize = 8;

/// The mode of files with personal data, of new files in general (the umask narrows it), and the bits of others.
const PRIVATE: u32 = 0o600;
const COMMON: u32 = 0o666;
const OF_OTHERS: u32 = 0o077;

/// How a file is written: its mode, and whose it is, where it replaces one.
#[derive(Default, Clone, Copy)]
struct FileOwnership {
    mode: Option<u32>,
    owner: Option<(u32, u32)>,
}

/// Writes a file atomically: a temporary file beside the target, then a rename. A file that is replaced keeps its mode, and its
/// owner and group where we may give it to them.
///
/// # Errors
/// When the disk fails; the old file is kept.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let known = fs::metadata(path).ok();
    let ownership = FileOwnership {
        mode: known.as_ref().map(|known| known.permissions().mode() & 0o777),
        owner: known.map(|known| (known.uid(), known.gid())),
    };
    write(path, bytes, ownership)
}

/// Writes a file atomically that only its owner can read, in a folder that only its owner can enter.
///
/// # Errors
/// When the disk fails; the old file is kept.
pub fn write_privately(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create_private_folder(folder)?;
    }
    write(path, bytes, FileOwnership { mode: Some(PRIVATE), owner: None })
}

fn write(path: &Path, bytes: &[u8], ownership: FileOwnership) -> io::Result<()> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_string_lossy();
    let temporary = path.with_file_name(temporary_name(&name));
    for _ in 1..TRIES {
        match write_and_rename(&temporary, path, bytes, ownership) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => return result,
        }
    }
    write_and_rename(&temporary, path, bytes, ownership)
}

fn write_and_rename(temporary: &Path, path: &Path, bytes: &[u8], ownership: FileOwnership) -> io::Result<()> {
    let mut file = options(ownership.mode.unwrap_or(COMMON)).truncate(true).open(temporary)?;
    if let Some((user, group)) = ownership.owner {
        // Root writes for a service that has to go on reading; nobody else may give files away.
        let _ = fchown(&file, Some(user), Some(group));
    }
    if let Some(mode) = ownership.mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    // Where files cannot be locked, none are swept either.
    let _ = file.lock();
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(temporary, path));
    written.inspect_err(|_| drop(fs::remove_file(temporary)))
}

/// A hidden file name that is unique to this process.
pub(super) fn temporary_name(name: &str) -> String {
    format!(".{name}.{}{TEMPORARY}", std::process::id())
}

/// How files are opened for writing, and created.
fn options(mode: u32) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(mode);
    options
}

/// Opens a file for writing that only its owner can read, whatever the umask; a file that exists keeps its contents.
///
/// # Errors
/// When it cannot be opened, or others keep their access to it.
pub fn open_private(path: &Path) -> io::Result<File> {
    let file = options(PRIVATE).truncate(false).open(path)?;
    let known = file.metadata()?;
    // A terminal or a pipe has a mode of its own.
    if known.is_file() && known.permissions().mode() & OF_OTHERS != 0 {
        file.set_permissions(Permissions::from_mode(PRIVATE))?;
    }
    Ok(file)
}

/// The same, emptied.
///
/// # Errors
/// As above.
pub fn create_private(path: &Path) -> io::Result<File> {
    let file = open_private(path)?;
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Creates a folder that only its owner can enter, unless it exists.
///
/// # Errors
/// When it cannot be created.
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() || folder.as_os_str().is_empty() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        fs::create_dir_all(above)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// The room on a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// What we may still write.
    pub free: u64,
    pub total: u64,
}

/// The room on the disk of a folder, which may have to be created first.
///
/// # Errors
/// When the system does not say.
pub fn disk_space(folder: &Path) -> io::Result<DiskSpace> {
    let there = folder.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(Path::new("."));
    let found = rustix::fs::statvfs(there)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(DiskSpace { free: bytes(found.f_bavail), total: bytes(found.f_blocks) })
}

/// Why nothing can be written to a folder, which may have to be created first.
pub fn unwritable(folder: &Path) -> Option<String> {
    let there = folder.ancestors().find(|path| path.exists()).filter(|path| !path.as_os_str().is_empty());
    let there = there.unwrap_or(Path::new("."));
    if !there.is_dir() {
        return Some(format!("{} cannot be a folder: {} is a file", folder.display(), there.display()));
    }
    let error = rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).err()?;
    Some(format!("nothing can be written to {}: {}", there.display(), io::Error::from(error)))
}

/// Takes the access of others away from a file or folder, which an earlier version or another program gave them. A failure is
/// said, and nothing else depends on it.
pub fn narrow(path: &Path) {
    let Ok(known) = fs::symlink_metadata(path) else { return };
    let mode = known.permissions().mode() & 0o777;
    if (known.is_file() || known.is_dir())
        && mode & OF_OTHERS != 0
        && let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode & !OF_OTHERS))
    {
        tracing::warn!("others may read {}, and its mode cannot be changed: {error}", path.display());
    }
}

/// Narrows the files in a folder and below it that `is_ours` knows by their names, and each folder in which nothing else is.
pub fn narrow_folder(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    narrow_to(folder, &is_ours, FOLDERS_DEEP_MAX);
}

/// The same; answers whether nothing else is in the folder.
fn narrow_to(folder: &Path, is_ours: &dyn Fn(&str) -> bool, depth: usize) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let mut is_all_ours = true;
    for entry in entries.flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_own = match is_folder {
            true => depth > 0 && narrow_to(&entry.path(), is_ours, depth - 1),
            false => is_ours(&name) || name.starts_with('.') && name.ends_with(TEMPORARY),
        };
        if is_own && !is_folder {
            narrow(&entry.path());
        }
        is_all_ours &= is_own;
    }
    if is_all_ours {
        narrow(folder);
    }
    is_all_ours
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
    // Neither a link nor a pipe is a file of ours.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    file.is_ok_and(|file| file.try_lock().is_ok() && fs::remove_file(path).is_ok())
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
