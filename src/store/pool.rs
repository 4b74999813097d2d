//! The connections of one process: one writer and a few readers, to a file or to a server.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::driver::{self, Db};
use super::feature_index::FeatureIndex;
use super::unit::{Read, Unit, Write};
use super::values::texts;
use super::workers::{LivenessLock, has_others, hidden_path, is_free};
use super::{Result, StoreError, millis, schema, sqlite_file, transfer};
use crate::model::store_url::StoreUrl;
use crate::support::clock::{Clock, TokenSource};
use crate::support::files;
use crate::support::terminal::errln;

/// Number of concurrent readers; further ones wait.
const READERS_MAX: usize = 4;
/// SQLite virtual-machine steps between two checks of the time limit.
const STEPS_BETWEEN_LOOKS: i32 = 20_000;
/// A worker that a server did not hear of for so long has died; a worker makes itself heard four times in this time.
const SILENCE_MAX: SignedDuration = SignedDuration::from_secs(60);

/// Where connections are made to.
enum DatabaseAddress {
    File(PathBuf),
    Server(Box<postgres::Config>),
}

impl DatabaseAddress {
    /// A connection that may write, to a database that is up to date.
    fn writer(&self) -> Result<Db> {
        match self {
            DatabaseAddress::File(path) => Ok(Db::sqlite(sqlite_file::open_writer(path)?)),
            DatabaseAddress::Server(config) => {
                let mut client = driver::connect(config)?;
                let said = |step: usize, steps: usize| {
                    errln!("bringing the database up to date: step {step} of {steps}")
                };
                schema::migrate_server(&mut client, said)?;
                Ok(Db::postgres(client))
            }
        }
    }

    /// A connection for reading. To a server, it may also note that its worker lives.
    fn reader(&self) -> Result<Db> {
        match self {
            DatabaseAddress::File(path) => Ok(Db::sqlite(sqlite_file::open_reader(path)?)),
            DatabaseAddress::Server(config) => Ok(Db::postgres(driver::connect(config)?)),
        }
    }
}

/// The writing connection and its feature index.
struct Writer {
    db: Db,
    index: RefCell<FeatureIndex>,
}

/// All connections of this process to one database.
pub(super) struct ConnectionPool {
    place: DatabaseAddress,
    /// Closed before the writer: the last connection to close checkpoints and removes the WAL, which read-only connections
    /// cannot.
    readers: Mutex<ReadConnections>,
    writer: Mutex<Writer>,
    is_free: Condvar,
    worker: String,
    /// Where the processes of this machine show that they live.
    workers: PathBuf,
    /// Locked while this process lives; leases of a worker whose file is not locked are free.
    alive: Option<LivenessLock>,
    /// How far the clock of the server is ahead of ours, in milliseconds.
    ahead: AtomicI64,
}

#[derive(Default)]
struct ReadConnections {
    idle: Vec<Db>,
    open: usize,
}

impl ConnectionPool {
    pub(super) fn open(url: &StoreUrl, worker: &str) -> Result<ConnectionPool> {
        let (place, features, workers) = match url {
            StoreUrl::Sqlite(path) => (
                DatabaseAddress::File(path.clone()),
                hidden_path(path, "features"),
                hidden_path(path, "workers"),
            ),
            StoreUrl::Postgres { url, cache } => {
                let config = url.parse().map_err(StoreError::from)?;
                files::create_private_folder(cache).map_err(StoreError::File)?;
                // The folder may be somebody else's as well.
                files::narrow_folder(cache, |name| {
                    name == "index"
                        || name.ends_with(".segment")
                        || name.bytes().all(|byte| byte.is_ascii_hexdigit())
                });
                (DatabaseAddress::Server(Box::new(config)), cache.join("features"), cache.join("workers"))
            }
        };
        let db = place.writer()?;
        let index = FeatureIndex::open(&features, &store_id(&db)?).map_err(StoreError::Features)?;
        let pool = ConnectionPool {
            alive: LivenessLock::new(&workers, worker, matches!(place, DatabaseAddress::File(_))),
            place,
            writer: Mutex::new(Writer { db, index: RefCell::new(index) }),
            readers: Mutex::default(),
            is_free: Condvar::new(),
            worker: worker.to_owned(),
            workers,
            ahead: AtomicI64::new(0),
        };
        pool.note_alive()?;
        Ok(pool)
    }

    pub(super) fn worker(&self) -> &str {
        &self.worker
    }

    /// The time for leases: this machine's, or the server's, which all machines share.
    pub(super) fn lease_time(&self) -> Timestamp {
        Clock::of_leases() + SignedDuration::from_millis(self.ahead.load(Relaxed))
    }

    /// Tells the workers of other machines that this one lives, and sets its clock by the server's.
    pub(super) fn note_alive(&self) -> Result<()> {
        if matches!(self.place, DatabaseAddress::File(_)) {
            return Ok(());
        }
        let sql = "INSERT INTO worker (name, seen) VALUES (?1, CAST(EXTRACT(epoch FROM clock_timestamp()) * 1000 AS BIGINT))
                   ON CONFLICT (name) DO UPDATE SET seen = excluded.seen RETURNING seen";
        let (before, seen): (_, i64) = self.apart(|db| {
            let before = Clock::of_leases();
            Ok((before, db.one(sql, [&self.worker], |row| row.get(0))?))
        })?;
        self.ahead.store(seen - millis(before), Relaxed);
        Ok(())
    }

    /// Those of these workers whose process has died. Where files cannot be locked, no process of this machine counts as dead.
    pub(super) fn dead(&self, mut workers: Vec<String>) -> Result<Vec<String>> {
        workers.retain(|worker| *worker != self.worker);
        let is_proven = |worker: &String| {
            self.alive.is_some()
                && is_free(&self.workers, worker, matches!(self.place, DatabaseAddress::File(_)))
        };
        let (mut dead, others): (Vec<String>, Vec<String>) = workers.into_iter().partition(is_proven);
        if matches!(self.place, DatabaseAddress::Server(_)) && !others.is_empty() {
            let sql = "SELECT value FROM json_each(?1) WHERE NOT EXISTS (SELECT 1 FROM worker WHERE name = value AND seen > ?2)";
            let heard = millis(self.lease_time() - SILENCE_MAX);
            dead.extend(self.apart(|db| {
                db.execute("DELETE FROM worker WHERE seen <= ?1", [heard])?;
                db.rows(sql, rusqlite::params![texts(&others), heard], |row| row.get::<String>(0))
            })?);
        }
        Ok(dead)
    }

    /// Work for a server on a connection of its own, beside the units that write: for rows that these do not look at.
    fn apart<T>(&self, work: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
        let reader = PooledReader { pool: self, db: Some(self.take_reader()?) };
        let Some(db) = &reader.db else { return Err(StoreError::Busy) };
        db.control("BEGIN")?;
        let transaction = Transaction { db, is_open: true };
        let result = work(db)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Whether another process works on the database.
    pub(super) fn has_others(&self) -> Result<bool> {
        if matches!(self.place, DatabaseAddress::File(_)) {
            return Ok(has_others(&self.workers, &self.worker));
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM worker WHERE name <> ?1 AND seen > ?2)";
        let heard = millis(self.lease_time() - SILENCE_MAX);
        self.apart(|db| db.one(sql, rusqlite::params![self.worker, heard], |row| row.get(0)))
    }

    /// Copies the database into a file that is empty.
    pub(super) fn back_up(&self, file: &Path) -> Result<()> {
        match &self.place {
            DatabaseAddress::File(path) => sqlite_file::back_up(path, file),
            DatabaseAddress::Server(_) => {
                let copy = Db::sqlite(sqlite_file::open_writer(file)?);
                self.read(None, |from| {
                    copy.begin_write()?;
                    transfer::copy(from, &Unit::new(&copy, None), |_| ())?;
                    copy.control("COMMIT")
                })?;
                // Without a log beside it.
                copy.file().map_or(Ok(()), sqlite_file::close_log)
            }
        }
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
        let mut writer = self.writer();
        if writer.db.is_closed() {
            writer.db = self.place.writer()?;
        }
        writer.db.begin_write()?;
        let transaction = Transaction { db: &writer.db, is_open: true };
        let unit = Unit::new(&writer.db, Some(&writer.index));
        writer.index.borrow_mut().refresh().map_err(StoreError::Features)?;
        unit.forget_rolled_back()?;
        unit.intake().follow_features()?;
        let result = work(&unit)?;
        if is_kept {
            unit.intake().note_features()?;
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
        db.begin_read(limit)?;
        let transaction = Transaction { db, is_open: true };
        let watched = limit.and_then(|limit| Some((db.file()?, Instant::now() + limit)));
        if let Some((file, end)) = watched {
            file.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || Instant::now() >= end))
                .map_err(StoreError::from)?;
        }
        let result = work(&Unit::new(db, None));
        if let Some((file, _)) = watched {
            file.progress_handler(0, None::<fn() -> bool>).map_err(StoreError::from)?;
        }
        drop(transaction);
        result
    }

    fn take_reader(&self) -> Result<Db> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match readers.idle.pop() {
                Some(db) if db.is_closed() => readers.open -= 1,
                Some(db) => return Ok(db),
                None if readers.open < READERS_MAX => {
                    readers.open += 1;
                    break;
                }
                None => readers = self.is_free.wait(readers).unwrap_or_else(PoisonError::into_inner),
            }
        }
        drop(readers);
        let opened = self.place.reader();
        if opened.is_err() {
            self.readers.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
            self.is_free.notify_one();
        }
        opened
    }

    pub(super) fn checkpoint(&self) -> Result<()> {
        self.writer().db.file().map_or(Ok(()), sqlite_file::checkpoint)
    }

    pub(super) fn give_back_space(
        &self,
        is_stopped: impl Fn() -> bool + Clone + Send + 'static,
    ) -> Result<()> {
        let mut has_more = true;
        while has_more {
            let writer = self.writer();
            has_more = match writer.db.file() {
                Some(file) => sqlite_file::give_back_pages(file, is_stopped.clone())?,
                // A server does it by itself.
                None => false,
            };
        }
        Ok(())
    }
}

impl Drop for ConnectionPool {
    fn drop(&mut self) {
        super::blocking(|| self.leave());
        drop(self.alive.take());
    }
}

impl ConnectionPool {
    /// Leases of a process that exits cleanly are free at once; on failure, others just wait for them to end.
    fn leave(&mut self) {
        if let Ok(writer) = self.writer.get_mut() {
            let unit: Unit<Write> = Unit::new(&writer.db, Some(&writer.index));
            // A read-only command must not wait for a writer.
            if unit.leases().has_any(&self.worker).unwrap_or(false) {
                let _ = unit.leases().release(&self.worker);
            }
            if matches!(self.place, DatabaseAddress::Server(_)) {
                let _ = writer.db.execute("DELETE FROM worker WHERE name = ?1", [&self.worker]);
            }
        }
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

/// An open transaction, rolled back when dropped without `commit`.
struct Transaction<'a> {
    db: &'a Db,
    is_open: bool,
}

impl Transaction<'_> {
    fn commit(mut self) -> Result<()> {
        self.db.control("COMMIT")?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open && self.db.is_within_transaction() {
            let _ = self.db.control("ROLLBACK");
        }
    }
}

/// An id that tells this database from another one under the same name.
fn store_id(db: &Db) -> Result<String> {
    let sql = "SELECT value FROM secret WHERE name = 'store'";
    if let Some(id) = db.row(sql, [], |row| row.get(0))? {
        return Ok(id);
    }
    let fresh = TokenSource::System.token().map_err(|error| StoreError::Server(error.to_string()))?;
    db.execute("INSERT INTO secret (name, value) VALUES ('store', ?1) ON CONFLICT DO NOTHING", [fresh])?;
    db.one(sql, [], |row| row.get(0))
}
