//! The connections of one process: one writer and a few readers.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::driver::Db;
use super::feature_index::FeatureIndex;
use super::unit::{Read, Unit, Write};
use super::workers::{LivenessLock, hidden_path, is_free, move_to_hidden_path};
use super::{Result, StoreError, schema};
use crate::support::files;
use crate::support::terminal::errln;

/// Number of concurrent readers; further ones wait.
const READERS_MAX: usize = 4;
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
/// SQLite virtual-machine steps between two checks of the time limit.
const STEPS_BETWEEN_LOOKS: i32 = 20_000;
/// Pages returned to the disk at a time.
const PAGES_GIVEN_BACK: u32 = 1_000;

/// The writing connection and its feature index.
struct Writer {
    db: Db,
    index: RefCell<FeatureIndex>,
}

/// All connections of this process to one file.
pub(super) struct ConnectionPool {
    path: PathBuf,
    /// Closed before the writer: the last connection to close checkpoints and removes the WAL, which read-only connections
    /// cannot.
    readers: Mutex<ReadConnections>,
    writer: Mutex<Writer>,
    is_free: Condvar,
    worker: String,
    /// Locked while this process lives; leases of a worker whose file is not locked are free.
    alive: Option<LivenessLock>,
}

#[derive(Default)]
struct ReadConnections {
    idle: Vec<Db>,
    open: usize,
}

impl ConnectionPool {
    pub(super) fn open(path: &Path, worker: &str) -> Result<ConnectionPool> {
        if let Some(folder) = path.parent() {
            // A failure shows when the file is opened, with a better message.
            let _ = std::fs::create_dir_all(folder);
        }
        move_to_hidden_path(path, "features");
        move_to_hidden_path(path, "workers");
        make_private(path);
        let mut connection = connect(path, WRITER_CACHE_KIB)?;
        let said =
            |step: usize, steps: usize| errln!("bringing the database up to date: step {step} of {steps}");
        schema::migrate(&mut connection, said)?;
        let alive = LivenessLock::new(path, worker);
        let db = Db::new(connection);
        let index = FeatureIndex::open(&hidden_path(path, "features"), &store_id(&db)?)
            .map_err(StoreError::Features)?;
        let writer = Mutex::new(Writer { db, index: RefCell::new(index) });
        Ok(ConnectionPool {
            path: path.to_owned(),
            writer,
            readers: Mutex::default(),
            is_free: Condvar::new(),
            worker: worker.to_owned(),
            alive,
        })
    }

    pub(super) fn worker(&self) -> &str {
        &self.worker
    }

    /// Whether the process of this worker has died. Where files cannot be locked, no process counts as dead.
    pub(super) fn is_dead(&self, worker: &str) -> bool {
        self.alive.is_some() && is_free(&self.path, worker)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic elsewhere leaves no partial state: its transaction was rolled back.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write<T, E: From<StoreError>>(
        &self,
        is_kept: bool,
        work: impl FnOnce(&Unit<Write>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let writer = self.writer();
        let transaction = Transaction::begin(&writer.db, "BEGIN IMMEDIATE")?;
        let unit = Unit::new(&writer.db, Some(&writer.index));
        writer.index.borrow_mut().refresh().map_err(StoreError::Features)?;
        unit.forget_rolled_back()?;
        let result = work(&unit)?;
        if is_kept {
            transaction.commit()?;
        }
        Ok(result)
    }

    pub(super) fn read<T, E: From<StoreError>>(
        &self,
        limit: Option<Duration>,
        work: impl FnOnce(&Unit<Read>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let reader = PooledReader { pool: self, db: Some(self.take_reader()?) };
        let Some(db) = &reader.db else { return Err(StoreError::Busy.into()) };
        let transaction = Transaction::begin(db, "BEGIN")?;
        if let Some(limit) = limit {
            let end = Instant::now() + limit;
            db.connection()
                .progress_handler(STEPS_BETWEEN_LOOKS, Some(move || Instant::now() >= end))
                .map_err(StoreError::from)?;
        }
        let result = work(&Unit::new(db, None));
        if limit.is_some() {
            db.connection().progress_handler(0, None::<fn() -> bool>).map_err(StoreError::from)?;
        }
        drop(transaction);
        result
    }

    fn take_reader(&self) -> Result<Db> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(db) = readers.idle.pop() {
                return Ok(db);
            }
            if readers.open < READERS_MAX {
                readers.open += 1;
                break;
            }
            readers = self.is_free.wait(readers).unwrap_or_else(PoisonError::into_inner);
        }
        drop(readers);
        let opened = connect(&self.path, READER_CACHE_KIB).and_then(|connection| {
            connection.pragma_update(None, "query_only", true)?;
            Ok(Db::new(connection))
        });
        if opened.is_err() {
            self.readers.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
            self.is_free.notify_one();
        }
        opened
    }

    pub(super) fn checkpoint(&self) -> Result<()> {
        Ok(self.writer().db.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    pub(super) fn give_back_space(&self, is_stopped: impl Fn() -> bool + Send + 'static) -> Result<()> {
        loop {
            let writer = self.writer();
            let free: u32 =
                writer.db.connection().pragma_query_value(None, "freelist_count", |row| row.get(0))?;
            let pages: u32 =
                writer.db.connection().pragma_query_value(None, "page_count", |row| row.get(0))?;
            // A tenth is kept: pages freed now are needed again at the next run.
            if free <= (pages / 10).max(PAGES_GIVEN_BACK) {
                return Ok(());
            }
            let mut statement =
                writer.db.connection().prepare(&format!("PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})"))?;
            let given = statement.query_map([], |_| Ok(()))?.count();
            let left: u32 =
                writer.db.connection().pragma_query_value(None, "freelist_count", |row| row.get(0))?;
            if given == 0 && left >= free {
                drop(statement);
                // A file created before auto-vacuum was enabled: written anew once, which a kill undoes.
                return write_anew(writer.db.connection(), is_stopped);
            }
        }
    }
}

impl Drop for ConnectionPool {
    fn drop(&mut self) {
        // Leases of a process that exits cleanly are free at once; on failure, others just wait for them to end.
        if let Ok(writer) = self.writer.get_mut() {
            let unit: Unit<Write> = Unit::new(&writer.db, Some(&writer.index));
            // A read-only command must not wait for a writer.
            if unit.leases().has_any(&self.worker).unwrap_or(false) {
                let _ = unit.leases().release(&self.worker);
            }
        }
        drop(self.alive.take());
    }
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

/// A reader on loan.
struct PooledReader<'a> {
    pool: &'a ConnectionPool,
    db: Option<Db>,
}

impl Drop for PooledReader<'_> {
    fn drop(&mut self) {
        self.pool.readers.lock().unwrap_or_else(PoisonError::into_inner).idle.extend(self.db.take());
        self.pool.is_free.notify_one();
    }
}

/// A transaction, rolled back when dropped without `commit`.
struct Transaction<'a> {
    db: &'a Db,
    is_open: bool,
}

impl<'a> Transaction<'a> {
    fn begin(db: &'a Db, sql: &str) -> Result<Transaction<'a>> {
        db.begin(sql)?;
        Ok(Transaction { db, is_open: true })
    }

    fn commit(mut self) -> Result<()> {
        self.db.control("COMMIT")?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SQLite rolls back by itself when the disk is full.
        if self.is_open && !self.db.connection().is_autocommit() {
            let _ = self.db.control("ROLLBACK");
        }
    }
}

/// An id that tells this database from another one under the same name.
fn store_id(db: &Db) -> Result<String> {
    let id = db.row("SELECT value FROM secret WHERE name = 'store'", [], |row| row.get(0))?;
    if let Some(id) = id {
        return Ok(id);
    }
    db.execute("INSERT INTO secret (name, value) VALUES ('store', lower(hex(randomblob(16)))) ON CONFLICT DO NOTHING", [])?;
    db.one("SELECT value FROM secret WHERE name = 'store'", [], |row| row.get(0))
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
