//! The store: a file of SQLite or a database of PostgreSQL, and a handle on it for any number of threads and processes. Views are named for the need, not the
//! table; nothing outside this folder and `migrations/` contains SQL. The store makes no decisions. `docs/design/store.md`
//! describes what holds for every database.

mod admin;
mod alarms;
mod api_tokens;
mod campaigns;
mod check;
mod desk;
mod driver;
mod entries;
mod feature_index;
mod full_text;
mod hub;
mod intake;
#[cfg(test)]
pub(crate) mod interleavings;
mod leases;
mod mailing;
mod near_pairs;
mod outside;
mod packed;
mod partners;
#[cfg(test)]
mod plans;
mod pool;
mod posts;
mod publishing;
mod reengagement;
mod refusals;
mod revisions;
#[cfg(test)]
pub(crate) mod samples;
mod schema;
mod sources;
mod sqlite_file;
mod stories;
mod subscribers;
mod transfer;
mod unit;
mod uploads;
mod values;
mod websub;
mod workers;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use self::workers::hidden_path;
use crate::model::store_url::StoreUrl;
use crate::support::files;

pub use admin::{COUNTED_MAX, MailCounts, MailDay, SourceDay, day_number, days_before};
pub use alarms::ListChange;
pub use campaigns::{ChosenRecipients, NewCampaign};
pub use entries::{EntryFilter, MarkupScope};
pub use feature_index::{PostingBuffer, SlotPosting};
pub use hub::Push;
pub use intake::{EntryPlacement, Features, KeyHolder};
pub use leases::{Lease, LeasedResource};
pub use mailing::{ClaimedDelivery, Due, MailServer, NewIssue, QueuedDelivery, WhyHandedBack};
pub use near_pairs::NearPair;
pub use partners::ReportMonth;
pub use posts::{ClaimedPost, OutletMark, PublishedIssue, WaitingPost};
pub use publishing::{DirtyStory, PlacedStory, PublishedPlace};
pub use reengagement::{AskedSubscriber, QuestionMail, ReengagementMarks};
pub use refusals::{AcceptedAtDomain, NewRefusal, RefusedAlike};
pub use sources::{RobotsFile, SourceRow};
pub use subscribers::{Delivered, GroupIssue, InterestGroup, PAGE, SignUp};
pub use transfer::{CopiedTable, CopyProgress};
pub use unit::{Read, SnapshotVersion, Unit, Write};
pub use uploads::UploadedFile;

/// Why the store failed. The message says what to do where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database {path} cannot be opened: {}", brief(cause))]
    Open { path: String, cause: rusqlite::Error },
    #[error("the database server cannot be used: {0}")]
    Unreachable(String),
    #[error("the connection to the database server was lost: nothing that was stored is lost")]
    Lost,
    #[error("the database server failed: {0}")]
    Server(String),
    #[error("it holds something already, which --replace replaces")]
    NotEmpty,
    #[error("another courant works on the database: stop it first")]
    InUse,
    #[error("the rows of the table {0} are not those that were read: nothing was changed")]
    NotCopied(String),
    #[error("the database was written by a later version of courant: use that one")]
    Later,
    #[error("the database holds something else: choose another in [store] url")]
    Foreign,
    #[error("{FULL}")]
    Full,
    #[error(
        "the database cannot be written to: the disk is full or fails, or a limit of the system on the size of files is reached (ulimit -f); nothing that was stored is lost"
    )]
    Io,
    #[error(
        "another process has been writing to the database for too long: try again, or see what it is doing"
    )]
    Busy,
    #[error("this took longer than it may")]
    TooSlow,
    #[error("{0}")]
    File(std::io::Error),
    #[error("the database failed: {}", brief(.0))]
    Sql(rusqlite::Error),
    #[error("{}", of_features(.0))]
    Features(std::io::Error),
    #[error("the database holds what courant did not write: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// An error of opening a database.
    fn of_opening(path: &Path, error: rusqlite::Error) -> StoreError {
        match StoreError::from(error) {
            StoreError::Sql(cause) => StoreError::Open { path: path.display().to_string(), cause },
            other => other,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseBusy, DiskFull, OperationInterrupted, SystemIoFailure};
        match error.sqlite_error_code() {
            Some(DiskFull) => StoreError::Full,
            Some(DatabaseBusy) => StoreError::Busy,
            Some(SystemIoFailure) => StoreError::Io,
            Some(OperationInterrupted) => StoreError::TooSlow,
            _ => StoreError::Sql(error),
        }
    }
}

const FULL: &str = "the disk that holds the database is full: free some space and start again; nothing that was stored is lost";

/// What to do about a fault of the index.
fn of_features(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => FULL.to_owned(),
        _ => format!(
            "the index of features cannot be written: {error} (it may be removed: it is made again from the database)"
        ),
    }
}

/// The error without the statement, which only matters to developers.
fn brief(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

type Result<T> = std::result::Result<T, StoreError>;

/// A handle on the store; clones share the same one.
#[derive(Clone)]
pub struct Store(Arc<pool::ConnectionPool>);

impl Store {
    /// Opens a database, creating it if missing, and migrates it. `worker` names this process in leases; the name must be unique
    /// among processes.
    ///
    /// # Errors
    /// When the file cannot be opened, the server cannot be used, or the database comes from a later version.
    pub fn open(url: &StoreUrl, worker: &str) -> Result<Store> {
        Ok(Store(Arc::new(blocking(|| pool::ConnectionPool::open(url, worker))?)))
    }

    /// Reads a consistent snapshot, whatever is written meanwhile. May be called from any thread; a runtime thread hands over
    /// its other tasks first.
    ///
    /// # Errors
    /// The errors of `work`, and when the database cannot be read.
    pub fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Unit<Read>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        blocking(|| self.0.read(None, work))
    }

    /// Like `read`, but ends with [`StoreError::TooSlow`] after `limit`.
    ///
    /// # Errors
    /// The errors of `work`, and when the database cannot be read.
    pub fn read_within<T, E: From<StoreError>>(
        &self,
        limit: Duration,
        work: impl FnOnce(&Unit<Read>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        blocking(|| self.0.read(Some(limit), work))
    }

    /// Runs a unit of work: kept whole if `work` succeeds, rolled back if it fails. Only one runs at a time across all
    /// processes, so do expensive work beforehand.
    ///
    /// # Errors
    /// The errors of `work`, and when the disk fails or another process holds the database for too long.
    pub fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Unit<Write>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        blocking(|| self.0.write(true, work))
    }

    /// Like `write`, but always rolled back: a dry run.
    ///
    /// # Errors
    /// As with `write`.
    pub fn try_out<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Unit<Write>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        blocking(|| self.0.write(false, work))
    }

    /// Checkpoints and truncates the WAL, which may still hold erased rows.
    ///
    /// # Errors
    /// When the disk fails. A concurrent reader in another process only postpones it.
    pub fn checkpoint(&self) -> Result<()> {
        blocking(|| self.0.checkpoint())
    }

    /// Returns free pages left by retention to the disk, in steps.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn give_back_space(&self, is_stopped: impl Fn() -> bool + Clone + Send + 'static) -> Result<()> {
        blocking(|| self.0.give_back_space(is_stopped))
    }

    /// Frees everything held by workers that have died; returns how many workers there were.
    ///
    /// # Errors
    /// When the database fails.
    pub fn release_dead_workers(&self) -> Result<usize> {
        let workers = self.read(|r| r.leases().workers())?;
        let dead = blocking(|| self.0.dead(workers))?;
        if dead.is_empty() {
            return Ok(0);
        }
        self.write(|w| {
            // A worker that exited cleanly in the meantime has released everything and is no longer listed.
            let holding = w.leases().workers()?;
            let dead = dead.iter().filter(|worker| holding.contains(worker));
            dead.clone().try_for_each(|worker| w.leases().take_over(worker))?;
            Ok(dead.count())
        })
    }

    /// Shows the workers of other machines that this one lives; to be called four times a minute at least.
    ///
    /// # Errors
    /// When the server fails.
    pub fn note_alive(&self) -> Result<()> {
        blocking(|| self.0.note_alive())
    }

    /// The time for leases: always real, since other processes compare it with theirs, whatever `--now` says. Machines that share a
    /// server have its time.
    pub fn lease_time(&self) -> Timestamp {
        self.0.lease_time()
    }

    /// What is wrong with what is stored, in words; empty if nothing is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn check(&self) -> Result<Vec<String>> {
        self.read(check::faults)
    }

    /// Copies all that is stored now into another store, whole or not at all, and compares what was written with what was read. This
    /// store may be in use meanwhile. What the other one holds is replaced only if that `is_wanted`.
    ///
    /// # Errors
    /// When the other store is not empty, or in use while it is to be replaced, and when one of them fails: the other one is left as it was.
    pub fn copy_to(
        &self,
        other: &Store,
        is_wanted: bool,
        mut on_rows: impl FnMut(CopyProgress),
    ) -> Result<Vec<CopiedTable>> {
        self.read(|from| {
            on_rows(CopyProgress::Total(from.tables().count()?));
            other.replace(is_wanted, |to| transfer::copy(from, to, |rows| on_rows(CopyProgress::Rows(rows))))
        })
    }

    /// Fills the store, whole or not at all. What it holds is replaced only if that `is_wanted`.
    ///
    /// # Errors
    /// When it is not empty, or in use while it is to be replaced, and when `work` fails: it is left as it was.
    pub fn replace<T, E: From<StoreError>>(
        &self,
        is_wanted: bool,
        work: impl FnOnce(&Unit<Write>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.write(|to| {
            if !transfer::is_empty(to)? {
                if !is_wanted {
                    return Err(StoreError::NotEmpty.into());
                }
                if self.0.has_others()? {
                    return Err(StoreError::InUse.into());
                }
            }
            work(to)
        })
    }

    /// Writes all that is stored now into a new file of SQLite, which only its owner can read. The store may be in use meanwhile.
    ///
    /// # Errors
    /// When there is such a file already, or the disk fails.
    pub fn back_up(&self, file: &Path) -> Result<()> {
        if file.exists() {
            return Err(StoreError::File(std::io::ErrorKind::AlreadyExists.into()));
        }
        let half = hidden_path(file, "half");
        drop(files::open_private(&half).map_err(StoreError::File)?);
        let made = blocking(|| self.0.back_up(&half))
            .and_then(|()| std::fs::rename(&half, file).map_err(StoreError::File));
        let _ = std::fs::remove_file(&half);
        made
    }

    /// The name of this process in leases.
    pub fn worker(&self) -> &str {
        self.0.worker()
    }
}

/// Hands the other tasks of a runtime thread to another thread while this one blocks.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// Out-of-range values are never written by us; they read as the epoch.
fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn optional_time(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(time)
}
