//! The database driver: SQL text, parameters and a row mapper. All statements pass through here, so that a second backend is a
//! second driver, and a test can check the query plan of every statement.

use std::cell::Cell;

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::Result;

/// Capacity of the prepared-statement cache.
const STATEMENTS_MAX: usize = 256;

/// A database connection.
pub(super) struct Db {
    connection: Connection,
    /// Number of transactions begun on this connection.
    begun: Cell<u64>,
}

impl Db {
    pub(super) fn new(connection: Connection) -> Db {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Db { connection, begun: Cell::new(0) }
    }

    /// The raw connection, for what is not a statement of a unit of work: pragmas, interrupts, migrations.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Begins a transaction.
    pub(super) fn begin(&self, sql: &str) -> Result<()> {
        self.begun.set(self.begun.get() + 1);
        self.control(sql)
    }

    /// Runs a transaction-control statement (BEGIN, COMMIT, SAVEPOINT, ...). These touch no table, so their plans are not
    /// recorded.
    pub(super) fn control(&self, sql: &str) -> Result<()> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Number of transactions begun on this connection.
    pub(super) fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// Runs a statement that modifies rows; returns how many were changed.
    #[cfg_attr(test, track_caller)]
    pub(super) fn execute(&self, sql: &str, parameters: impl Params) -> Result<usize> {
        #[cfg(test)]
        plans::note(sql, std::panic::Location::caller());
        Ok(self.connection.prepare_cached(sql)?.execute(parameters)?)
    }

    /// The first row, if any.
    #[cfg_attr(test, track_caller)]
    pub(super) fn row<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnOnce(&Row) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        #[cfg(test)]
        plans::note(sql, std::panic::Location::caller());
        Ok(self.connection.prepare_cached(sql)?.query_row(parameters, read).optional()?)
    }

    /// The first row of a statement that always has one.
    #[cfg_attr(test, track_caller)]
    pub(super) fn one<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnOnce(&Row) -> rusqlite::Result<T>,
    ) -> Result<T> {
        #[cfg(test)]
        plans::note(sql, std::panic::Location::caller());
        Ok(self.connection.prepare_cached(sql)?.query_row(parameters, read)?)
    }

    /// All rows.
    #[cfg_attr(test, track_caller)]
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        #[cfg(test)]
        plans::note(sql, std::panic::Location::caller());
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_map(parameters, read)?
            .collect::<rusqlite::Result<_>>()?)
    }

    /// Visits all rows one by one, without collecting them.
    #[cfg_attr(test, track_caller)]
    pub(super) fn each<E: From<super::StoreError>>(
        &self,
        sql: &str,
        parameters: impl Params,
        mut visit: impl FnMut(&Row) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        #[cfg(test)]
        plans::note(sql, std::panic::Location::caller());
        let mut statement = self.connection.prepare_cached(sql).map_err(super::StoreError::from)?;
        let mut rows = statement.query(parameters).map_err(super::StoreError::from)?;
        while let Some(row) = rows.next().map_err(super::StoreError::from)? {
            visit(row)?;
        }
        Ok(())
    }

    /// The rowid of the last inserted row.
    pub(super) fn last_key(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// Runs SQL statements without parameters or results.
    pub(super) fn batch(&self, sql: &str) -> Result<()> {
        Ok(self.connection.execute_batch(sql)?)
    }
}

/// Records which statements ran, and from where, for the test of query plans.
#[cfg(test)]
pub(super) mod plans {
    use std::collections::BTreeSet;
    use std::panic::Location;
    use std::sync::{Mutex, PoisonError};

    static SEEN: Mutex<BTreeSet<(String, u32, String)>> = Mutex::new(BTreeSet::new());

    pub(crate) fn note(sql: &str, at: &Location) {
        SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert((
            at.file().to_owned(),
            at.line(),
            sql.to_owned(),
        ));
    }

    /// File, line and SQL of each statement run so far in this process.
    pub(crate) fn seen() -> Vec<(String, u32, String)> {
        SEEN.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
