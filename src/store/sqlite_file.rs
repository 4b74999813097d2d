//! A database in a file of SQLite: how it is opened, and what only a file needs.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::workers::{hidden_path, move_to_hidden_path};
use super::{Result, StoreError, schema};
use crate::support::files;
use crate::support::terminal::errln;

/// How long a process waits for others to finish writing: a unit takes a fraction of a second, and twenty may queue.
const BUSY_MAX: Duration = Duration::from_secs(120);
/// Pause between two tries. Each process pauses for a slightly different time, so that none always loses.
const BUSY_PAUSE_MILLIS: u64 = 2;
/// Page size of a new database.
const PAGE_BYTES: u32 = 8_192;
/// Size of the WAL, in pages, at which it is checkpointed: fewer, larger writes.
const CHECKPOINT_PAGES: u32 = 4_000;
/// Page cache of the writer and of each reader, in KiB.
const WRITER_CACHE_KIB: u32 = 64 << 10;
const READER_CACHE_KIB: u32 = 8 << 10;
/// How much of the file is memory-mapped.
const MAP_BYTES: u32 = 64 << 20;
/// Pages returned to the disk at a time.
const PAGES_GIVEN_BACK: u32 = 1_000;

/// Opens the writing connection of a process, creating the file if it is missing, and brings it up to date.
pub(super) fn open_writer(path: &Path) -> Result<Connection> {
    if let Some(folder) = path.parent() {
        // A failure shows when the file is opened, with a better message.
        let _ = std::fs::create_dir_all(folder);
    }
    move_to_hidden_path(path, "features");
    move_to_hidden_path(path, "workers");
    make_private(path);
    let mut connection = connect(path, WRITER_CACHE_KIB)?;
    let said = |step: usize, steps: usize| errln!("bringing the database up to date: step {step} of {steps}");
    schema::migrate(&mut connection, said)?;
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    let connection = connect(path, READER_CACHE_KIB)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Writes what a database holds now into a file that is empty.
pub(super) fn back_up(path: &Path, file: &Path) -> Result<()> {
    let connection = connect(path, READER_CACHE_KIB)?;
    connection.execute("VACUUM INTO ?1", [file.to_string_lossy()])?;
    Ok(())
}

/// Makes a database one file.
pub(super) fn close_log(connection: &Connection) -> Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    Ok(())
}

/// Checkpoints and truncates the WAL.
pub(super) fn checkpoint(connection: &Connection) -> Result<()> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

/// Returns some of the free pages to the disk; `true` if there are more. A file that was created before that was possible is
/// written anew once, which a kill undoes.
pub(super) fn give_back_pages(
    connection: &Connection,
    is_stopped: impl Fn() -> bool + Send + 'static,
) -> Result<bool> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let free = number("freelist_count")?;
    // A tenth is kept: pages freed now are needed again at the next run.
    if free <= (number("page_count")? / 10).max(PAGES_GIVEN_BACK) {
        return Ok(false);
    }
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})"))?;
    let given = statement.query_map([], |_| Ok(()))?.count();
    drop(statement);
    if given == 0 && number("freelist_count")? >= free {
        write_anew(connection, is_stopped)?;
        return Ok(false);
    }
    Ok(true)
}

/// Creates the file of a new database readable only by its owner, since it holds personal addresses, and narrows what stands
/// beside one that exists. SQLite gives its own files the same permissions. A failure shows when the file is opened, with a
/// better message.
fn make_private(path: &Path) {
    if !path.exists() {
        drop(files::open_private(path));
    }
    let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    for ending in ["", "-wal", "-shm"] {
        let mut name = whole.clone().into_os_string();
        name.push(ending);
        files::narrow(Path::new(&name));
    }
    for ending in ["features", "workers"] {
        files::narrow_folder(&hidden_path(path, ending), |_| true);
    }
}

/// Writes a file anew such that freed pages can be returned to the disk from now on. When stopped, the file stays as it was.
fn write_anew(connection: &Connection, is_stopped: impl Fn() -> bool + Send + 'static) -> Result<()> {
    const INSTRUCTIONS: i32 = 100_000;
    let is_stopped = AssertUnwindSafe(is_stopped);
    let handler = move || {
        let is_stopped = &is_stopped;
        (is_stopped.0)()
    };
    connection.progress_handler(INSTRUCTIONS, Some(handler))?;
    let written = connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM");
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match written {
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => Ok(()),
        written => Ok(written?),
    }
}

fn connect(path: &Path, cache_kib: u32) -> Result<Connection> {
    let open = |cause| StoreError::of_opening(path, cause);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(open)?;
    connection.busy_handler(Some(wait_for_others)).map_err(open)?;
    let is_new =
        connection.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).map_err(open)? == 0;
    if is_new {
        // Takes effect only on an empty file. Of the usual pages of 4 kB, an entry of 2.7 kB would fill one alone; freed pages can be
        // returned to the disk.
        let pragmas = format!("PRAGMA page_size = {PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL");
        connection.execute_batch(&pragmas).map_err(open)?;
    }
    use_log(&connection).map_err(open)?;
    // Freed parts of pages are overwritten; erasing people sets this to ON (`Subscribers::delete`).
    let pragmas = format!(
        "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = FAST; PRAGMA cache_size = -{cache_kib};
         PRAGMA mmap_size = {MAP_BYTES}; PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}; PRAGMA temp_store = MEMORY;"
    );
    connection.execute_batch(&pragmas).map_err(open)?;
    Ok(connection)
}

/// Switches to WAL mode, in which readers are not blocked by the writer. Two processes that create a file at once collide here,
/// where SQLite does not call the busy handler.
fn use_log(connection: &Connection) -> rusqlite::Result<()> {
    let mut tries = 0;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && wait_for_others(tries) =>
            {
                tries += 1
            }
            result => return result,
        }
    }
}

/// Pauses after this many failed tries; returns whether to try again.
fn wait_for_others(tries: i32) -> bool {
    let own = u64::from(std::process::id()) % 7;
    let pause = Duration::from_millis(BUSY_PAUSE_MILLIS + (tries.unsigned_abs() as u64).min(8) + own);
    std::thread::sleep(pause);
    pause * tries.unsigned_abs() < BUSY_MAX
}
