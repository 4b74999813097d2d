//! What courant remembers: one SQLite file, and a handle on it that any number of threads and processes may hold. Views are
//! named for the need, not the table; nothing outside this folder and `migrations/` speaks SQL. It decides nothing.
//! `docs/design/store.md` says what holds on every database.

mod driver;
mod entries;
mod feature_index;
mod hub;
mod intake;
mod leases;
mod mailing;
mod packed;
#[cfg(test)]
mod plans;
mod pool;
mod publishing;
mod schema;
mod sources;
mod stories;
mod subscribers;
mod unit;
mod values;
mod websub;
mod workers;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use entries::{EntryFilter, MarkupScope};
pub use feature_index::{PostingBuffer, SlotPosting};
pub use hub::Push;
pub use intake::{EntryPlacement, Features, KeyHolder};
pub use leases::{Lease, Queue};
pub use mailing::{ClaimedDelivery, MailServer, NewIssue, QueuedDelivery, WhyHandedBack};
pub use publishing::DirtyStory;
pub use sources::{RobotsFile, SourceRow};
pub use subscribers::{GroupIssue, InterestGroup, PAGE, SignUp};
pub use unit::{Moment, Read, Unit, Write};

/// Why the store failed. The display says what to do where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database {path} cannot be opened: {cause}")]
    Open { path: String, cause: rusqlite::Error },
    #[error("the database was written by a later version of courant: use that one")]
    Later,
    #[error("the file is a database, but not one of courant's: choose another [store] path")]
    Foreign,
    #[error(
        "the disk that holds the database is full: free some space and start again; nothing that was stored is lost"
    )]
    Full,
    #[error(
        "another process has been writing to the database for too long: try again, or see what it is doing"
    )]
    Busy,
    #[error("this took longer than it may")]
    TooSlow,
    #[error("the database failed: {}", brief(.0))]
    Sql(rusqlite::Error),
    #[error(
        "the index of features cannot be written: {0} (it may be removed: it is made again from the database)"
    )]
    Features(std::io::Error),
    #[error("the database holds what courant did not write: {0}")]
    Corrupt(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseBusy, DiskFull, OperationInterrupted};
        match error.sqlite_error_code() {
            Some(DiskFull) => StoreError::Full,
            Some(DatabaseBusy) => StoreError::Busy,
            Some(OperationInterrupted) => StoreError::TooSlow,
            _ => StoreError::Sql(error),
        }
    }
}

/// What went wrong, without the statement: that is for the log of a developer.
fn brief(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

type Result<T> = std::result::Result<T, StoreError>;

/// A handle on the store; clones are handles on the same one.
#[derive(Clone)]
pub struct Store(Arc<pool::Pool>);

impl Store {
    /// Opens a file, makes it where it is missing, and brings it up to date. `worker` names this process in leases; no two
    /// processes may have the same name.
    ///
    /// # Errors
    /// When the file cannot be opened or comes from a later version.
    pub fn open(path: &Path, worker: &str) -> Result<Store> {
        Ok(Store(Arc::new(pool::Pool::open(path, worker)?)))
    }

    /// What is stored, as it is at one moment, whatever is written meanwhile. May be called from any thread: one that runs
    /// other tasks hands them on for the time.
    ///
    /// # Errors
    /// Those of `work`, and when the database cannot be read.
    pub fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Unit<Read>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        blocking(|| self.0.read(None, work))
    }

    /// The same, ended with [`StoreError::TooSlow`] when it takes longer than `limit`.
    ///
    /// # Errors
    /// Those of `work`, and when the database cannot be read.
    pub fn read_within<T, E: From<StoreError>>(
        &self,
        limit: Duration,
        work: impl FnOnce(&Unit<Read>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        blocking(|| self.0.read(Some(limit), work))
    }

    /// A unit of work: all of it is kept when `work` answers with a result, nothing when it answers with an error. One at a
    /// time over all processes: what is costly is done before.
    ///
    /// # Errors
    /// Those of `work`, and when the disk fails or another process holds the database for too long.
    pub fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Unit<Write>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        blocking(|| self.0.write(true, work))
    }

    /// The same, of which nothing is kept: to see what would be.
    ///
    /// # Errors
    /// As with `write`.
    pub fn try_out<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Unit<Write>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        blocking(|| self.0.write(false, work))
    }

    /// Writes everything into the one file and empties the log beside it, where erased rows may still stand.
    ///
    /// # Errors
    /// When the disk fails. Another process that reads at the time only puts it off.
    pub fn settle(&self) -> Result<()> {
        blocking(|| self.0.settle())
    }

    /// Gives the pages that retention left free back to the disk, some at a time.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn give_back_space(&self) -> Result<()> {
        blocking(|| self.0.give_back_space())
    }

    /// Frees what workers held that are no more; answers how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub fn take_over_from_the_dead(&self) -> Result<usize> {
        let workers = self.read(|r| r.leases().workers())?;
        let dead: Vec<String> =
            workers.into_iter().filter(|worker| worker != self.worker() && self.0.is_dead(worker)).collect();
        if dead.is_empty() {
            return Ok(0);
        }
        self.write(|w| {
            // Whoever ended in order since we looked has given all back, and is not among them any more.
            let holding = w.leases().workers()?;
            let dead = dead.iter().filter(|worker| holding.contains(worker));
            dead.clone().try_for_each(|worker| w.leases().take_over(worker))?;
            Ok(dead.count())
        })
    }

    /// The name of this process in leases.
    pub fn worker(&self) -> &str {
        self.0.worker()
    }
}

/// Where a runtime is, its other tasks go on elsewhere while this thread waits.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// Out-of-range values cannot be written by us: they read as the epoch.
fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn optional_time(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(time)
}
