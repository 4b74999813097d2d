//! What courant remembers: one SQLite file, opened by its path. Methods are named for the need, not the table;
//! nothing outside this folder and `migrations/` speaks SQL. It decides nothing.

mod entries;
mod hub;
mod mail;
mod publications;
mod sources;
mod stories;
mod subscribers;
mod websub;

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use rusqlite_migration::{M, Migrations};

pub use entries::EntryFilter;
pub use hub::Push;
pub use mail::{NewDelivery, NewIssue};
pub use publications::DirtyStory;
pub use sources::{RobotsFile, SourceRow};
pub use stories::{Marks, Shelf, Shelved};
pub use subscribers::{Group, GroupIssue};

/// Embedded and numbered by their order; one is never edited after a release.
static MIGRATIONS: LazyLock<Migrations<'static>> = LazyLock::new(|| {
    Migrations::new(vec![
        M::up(include_str!("../../migrations/sqlite/0001_start.sql")),
        M::up(include_str!("../../migrations/sqlite/0002_newsletter.sql")),
        M::up(include_str!("../../migrations/sqlite/0003_publications.sql")),
        M::up(include_str!("../../migrations/sqlite/0004_hub.sql")),
        M::up(include_str!("../../migrations/sqlite/0005_stories.sql")),
    ])
});

/// Statements kept ready.
const STATEMENTS_MAX: usize = 128;
/// How long a second process waits for the first to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the store failed. The display says what to do where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database {path} cannot be opened: {cause}")]
    Open { path: String, cause: rusqlite::Error },
    #[error("the database {path} was written by a later courant, or is no database of courant's: {cause}")]
    Migrate { path: String, cause: rusqlite_migration::Error },
    #[error("the database failed: {0}")]
    Sql(#[from] rusqlite::Error),
    #[error("the database holds what courant did not write: {0}")]
    Corrupt(String),
}

type Result<T> = std::result::Result<T, StoreError>;

/// The open store.
pub struct Store {
    connection: Connection,
}

impl Store {
    /// Opens a file, makes it where it is missing, and brings it up to date.
    ///
    /// # Errors
    /// When the file cannot be opened or comes from a later version.
    pub fn open(path: &Path) -> Result<Store> {
        let shown = || path.display().to_string();
        if let Some(folder) = path.parent() {
            // A failure shows when the file is opened, with a better message.
            let _ = std::fs::create_dir_all(folder);
        }
        let mut connection = Connection::open(path).map_err(|cause| StoreError::Open { path: shown(), cause })?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // What is erased is to be gone from the file too.
        let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;
                       PRAGMA cache_size = -16000; PRAGMA mmap_size = 67108864;";
        connection.execute_batch(pragmas).map_err(|cause| StoreError::Open { path: shown(), cause })?;
        // More statements than the default has room for are used for each entry.
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        MIGRATIONS.to_latest(&mut connection).map_err(|cause| StoreError::Migrate { path: shown(), cause })?;
        Ok(Store { connection })
    }

    /// Writes everything into the one file and empties the log beside it, where erased rows may still stand.
    ///
    /// # Errors
    /// When the disk fails. Another process that reads at the time only puts it off.
    pub fn settle(&self) -> Result<()> {
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Begins a unit of work: all of it is kept, or nothing.
    ///
    /// # Errors
    /// When another process holds the store for longer than the busy time-out.
    pub fn begin(&mut self) -> Result<Work<'_>> {
        Ok(Work { transaction: self.connection.transaction_with_behavior(TransactionBehavior::Immediate)? })
    }
}

/// A unit of work; dropped without `commit`, it leaves no trace.
pub struct Work<'a> {
    transaction: Transaction<'a>,
}

impl Work<'_> {
    /// # Errors
    /// When the disk fails; nothing is kept then.
    pub fn commit(self) -> Result<()> {
        Ok(self.transaction.commit()?)
    }
}

fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// Out-of-range values cannot be written by us: they read as the epoch.
fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}
