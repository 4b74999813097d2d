//! Files of a published folder, reached without following a symbolic link: whoever can place one there must not be able to
//! point at files elsewhere. The folder itself may be a link.
//!
//! Half-written files stand in a folder beside it, which no web server serves.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::files::{self, TEMPORARY, TRIES};

/// Where half-written files stand if they cannot stand beside the folder: in it, hidden, and closed to other users.
const INSIDE: &str = ".courant.tmp";
/// Earlier versions wrote such a file while they published, and half-written files beside their targets.
const OLD_MARK: &str = ".publishing";

/// What a name in the folder stands for.
pub enum Found {
    File(File, Metadata),
    Folder,
}

/// Opens what is at a relative path.
///
/// # Errors
/// When there is nothing, or neither a file nor a folder; on any symbolic link below `root`.
pub fn open(root: &Path, path: &str) -> io::Result<Found> {
    let (folder, name) = walk(open_root(root)?, path, false)?;
    // A pipe without a writer must not hold us.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(&folder, name, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    match () {
        () if metadata.is_dir() => Ok(Found::Folder),
        () if metadata.is_file() => Ok(Found::File(file, metadata)),
        () => Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file")),
    }
}

/// Reads a file, but never more than was there when it was opened.
///
/// # Errors
/// When the disk fails.
pub fn read(file: File, metadata: &Metadata) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(metadata.len()).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the file at a relative path.
///
/// # Errors
/// When there is none.
pub fn read_at(root: &Path, path: &str) -> io::Result<Vec<u8>> {
    match open(root, path)? {
        Found::File(file, metadata) => read(file, &metadata),
        Found::Folder => Err(ErrorKind::IsADirectory.into()),
    }
}

/// Writes a file atomically if its contents changed. Returns whether they did.
///
/// # Errors
/// When the disk fails or a folder on the way is a symbolic link; the old file is kept.
pub fn write_if_changed(root: &Path, path: &str, bytes: &[u8]) -> io::Result<bool> {
    if is_same(root, path, bytes) {
        return Ok(false);
    }
    fs::create_dir_all(root)?;
    for _ in 1..TRIES {
        match write(root, path, bytes) {
            // Another process swept the temporary file, or the folder it stands in.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => return result.map(|()| true),
        }
    }
    write(root, path, bytes).map(|()| true)
}

/// Removes the file at a relative path, if there is one.
///
/// # Errors
/// When the disk fails, or a folder on the way is a symbolic link.
pub fn remove(root: &Path, path: &str) -> io::Result<()> {
    let removed = open_root(root).and_then(|root| {
        let (folder, name) = walk(root, path, false)?;
        Ok(rustix::fs::unlinkat(&folder, name, AtFlags::empty())?)
    });
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_same(root: &Path, path: &str, bytes: &[u8]) -> bool {
    read_at(root, path).is_ok_and(|old| old == bytes)
}

fn write(root: &Path, path: &str, bytes: &[u8]) -> io::Result<()> {
    let (folder, name) = walk(open_root(root)?, path, true)?;
    // Once it was needed it stays, so that not every file is tried beside the folder first.
    if !fs::symlink_metadata(root.join(INSIDE)).is_ok_and(|known| known.is_dir()) {
        let staged = beside(root).and_then(|path| write_staged(&path, &folder, name, bytes));
        match staged {
            Err(error) if is_out_of_reach(&error) => tracing::warn!(
                "half-written files stand in {} for a moment, since they cannot be moved there from the folder above it: {error}",
                root.join(INSIDE).display()
            ),
            staged => return staged,
        }
    }
    write_staged(&root.join(INSIDE), &folder, name, bytes)
}

/// Whether files cannot be moved from beside the folder: it is a file system of its own, or what is above it is not ours.
fn is_out_of_reach(error: &io::Error) -> bool {
    use ErrorKind::{CrossesDevices, InvalidInput, NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    matches!(
        error.kind(),
        CrossesDevices | InvalidInput | NotADirectory | PermissionDenied | ReadOnlyFilesystem
    )
}

fn write_staged(staging: &Path, folder: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<()> {
    match rustix::fs::mkdir(staging, Mode::RWXU) {
        Ok(()) => {}
        Err(Errno::EXIST) => files::narrow(staging),
        Err(error) => return Err(error.into()),
    }
    let staging = rustix::fs::open(staging, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
    let temporary = files::temporary_name(name);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Everybody may read what is published, unless the umask says otherwise.
    let mut file = File::from(rustix::fs::openat(&staging, &*temporary, flags, Mode::from_raw_mode(0o666))?);
    // Where files cannot be locked, none are swept either.
    let _ = file.lock();
    let moved = || Ok(rustix::fs::renameat(&staging, &*temporary, folder, name)?);
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| moved());
    written.inspect_err(|_| {
        let _ = rustix::fs::unlinkat(&staging, &*temporary, AtFlags::empty());
    })
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn open_root(root: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(root, FOLDER, Mode::empty())?)
}

/// The folder that holds the last part of a path, and that part.
fn walk(root: OwnedFd, path: &str, is_made: bool) -> io::Result<(OwnedFd, &str)> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut folder = root;
    for part in folders.split('/').filter(|part| !part.is_empty()) {
        if is_made
            && let Err(error) = rustix::fs::mkdirat(&folder, part, Mode::from_raw_mode(0o777))
            && error != Errno::EXIST
        {
            return Err(error.into());
        }
        folder =
            rustix::fs::openat(&folder, part, FOLDER | OFlags::NOFOLLOW, Mode::empty()).map_err(|error| {
                match error {
                    Errno::LOOP | Errno::NOTDIR => {
                        let why =
                            format!("\"{part}\" is not a folder; symbolic links are not followed there");
                        io::Error::new(ErrorKind::NotADirectory, why)
                    }
                    error => error.into(),
                }
            })?;
    }
    Ok((folder, name))
}

/// The place of half-written files: `.public.tmp` beside `public`.
fn beside(root: &Path) -> io::Result<PathBuf> {
    let whole = fs::canonicalize(root)?;
    let mut name = OsString::from(".");
    name.push(whole.file_name().ok_or(ErrorKind::InvalidInput)?);
    name.push(TEMPORARY);
    Ok(whole.with_file_name(name))
}

/// Removes what killed processes left half-written.
pub fn sweep(root: &Path) {
    if let Ok(staging) = beside(root) {
        files::sweep(&staging);
        // Fails while another process writes.
        let _ = fs::remove_dir(staging);
    }
    files::sweep(&root.join(INSIDE));
    let mark = root.join(OLD_MARK);
    if fs::symlink_metadata(&mark).is_ok() {
        files::sweep(root);
        let _ = fs::remove_file(mark);
    }
}
