//! The seam to the database: a text of SQL, its parameters, and what to make of a row. All statements pass through here, so
//! that another database is another driver, and a test can ask the planner about each statement.

use std::cell::Cell;

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::Result;

/// Statements kept ready.
const STATEMENTS_MAX: usize = 256;

/// One connection.
pub(super) struct Db {
    connection: Connection,
    /// Transactions that were begun.
    begun: Cell<u64>,
}

impl Db {
    pub fn new(connection: Connection) -> Db {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Db { connection, begun: Cell::new(0) }
    }

    /// For what is no statement of a unit: pragmas, interrupts, migrations.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Begins a transaction.
    pub fn begin(&self, sql: &str) -> Result<()> {
        self.begun.set(self.begun.get() + 1);
        self.control(sql)
    }

    /// Runs a statement that begins or ends a transaction, or a part of one: there are many, and they look at no table.
    pub fn control(&self, sql: &str) -> Result<()> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// How many transactions were begun here.
    pub fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// Runs a statement that changes something; answers how many rows it changed.
    #[cfg_attr(test, track_caller)]
    pub fn execute(&self, sql: &str, parameters: impl Params) -> Result<usize> {
        #[cfg(test)]
        plans::note(sql, std::panic::Location::caller());
        Ok(self.connection.prepare_cached(sql)?.execute(parameters)?)
    }

    /// The first row, if there is one.
    #[cfg_attr(test, track_caller)]
    pub fn row<T>(
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
    pub fn one<T>(
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
    pub fn rows<T>(
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

    /// All rows, one by one, however many there are.
    #[cfg_attr(test, track_caller)]
    pub fn each<E: From<super::StoreError>>(
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

    /// The key of the row that was inserted last.
    pub fn last_key(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// Runs statements that take no parameters and answer nothing.
    pub fn batch(&self, sql: &str) -> Result<()> {
        Ok(self.connection.execute_batch(sql)?)
    }
}

/// Which statements ran, and from where: what the test of all plans looks at.
#[cfg(test)]
pub(super) mod plans {
    use std::collections::BTreeSet;
    use std::panic::Location;
    use std::sync::{Mutex, PoisonError};

    static SEEN: Mutex<BTreeSet<(String, u32, String)>> = Mutex::new(BTreeSet::new());

    pub fn note(sql: &str, at: &Location) {
        SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert((
            at.file().to_owned(),
            at.line(),
            sql.to_owned(),
        ));
    }

    /// File, line and text of each statement that ran so far in this process.
    pub fn seen() -> Vec<(String, u32, String)> {
        SEEN.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
