//! The database drivers: SQL text, parameters and a row mapper. All statements pass through here. Both databases are given the same
//! text, in the dialect of SQLite; `postgres` translates the little that differs, and a test can check the query plan of every
//! statement. Values are those of rusqlite (`ToSql`, `FromSql`) for both.

mod postgres;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use ::postgres::Client;
use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, OptionalExtension, ToSql};

use self::postgres::Session;
use super::Result;

pub(super) use self::postgres::connect;

/// Capacity of the prepared-statement cache.
const STATEMENTS_MAX: usize = 256;

/// A database connection.
pub(super) struct Db {
    backend: Backend,
    /// Number of transactions begun on this connection.
    begun: Cell<u64>,
    /// The greatest key of each table that this transaction adds rows to, as it was and as it is, by the statement that reads it.
    last_keys: RefCell<HashMap<&'static str, (i64, i64)>>,
}

/// When rows that wait are added: each kind after those that it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum InsertOrder {
    Stories,
    Entries,
    Rest,
}

enum Backend {
    Sqlite(Connection),
    Postgres(Box<Session>),
}

/// A row of a result. Columns are counted from 0.
pub(super) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a ::postgres::Row),
}

impl Row<'_> {
    /// The value of a column.
    ///
    /// # Errors
    /// When the column holds something else.
    pub(super) fn get<T: FromSql>(&self, column: usize) -> rusqlite::Result<T> {
        match self {
            Row::Sqlite(row) => row.get(column),
            Row::Postgres(row) => postgres::value(row, column),
        }
    }
}

/// The parameters of a statement: `?1`, `?2` and so on.
pub(super) trait Parameters {
    fn with<R>(self, run: impl FnOnce(&[&dyn ToSql]) -> R) -> R;
}

impl Parameters for &[&dyn ToSql] {
    fn with<R>(self, run: impl FnOnce(&[&dyn ToSql]) -> R) -> R {
        run(self)
    }
}

impl Parameters for [&(dyn ToSql + Send + Sync); 0] {
    fn with<R>(self, run: impl FnOnce(&[&dyn ToSql]) -> R) -> R {
        run(&[])
    }
}

/// Arrays of one type, as long as statements have them.
macro_rules! parameters {
    ($($count:literal),*) => {
        $(
            impl<T: ToSql> Parameters for [T; $count] {
                fn with<R>(self, run: impl FnOnce(&[&dyn ToSql]) -> R) -> R {
                    run(&self.each_ref().map(|value| value as &dyn ToSql))
                }
            }
        )*
    };
}

parameters!(1, 2, 3, 4);

impl Db {
    /// A connection to a file of SQLite.
    pub(super) fn sqlite(connection: Connection) -> Db {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Db::new(Backend::Sqlite(connection))
    }

    /// A connection to a PostgreSQL server.
    pub(super) fn postgres(client: Client) -> Db {
        Db::new(Backend::Postgres(Box::new(Session::new(client))))
    }

    fn new(backend: Backend) -> Db {
        Db { backend, begun: Cell::new(0), last_keys: RefCell::default() }
    }

    /// The connection to a file, for what is not a statement of a unit of work: pragmas, interrupts, migrations.
    pub(super) fn file(&self) -> Option<&Connection> {
        match &self.backend {
            Backend::Sqlite(connection) => Some(connection),
            Backend::Postgres(_) => None,
        }
    }

    /// Whether the connection is of no use any more: the server closed it.
    pub(super) fn is_closed(&self) -> bool {
        matches!(&self.backend, Backend::Postgres(session) if session.is_closed())
    }

    /// Begins a unit that writes: no other one is under way, in any process, until it ends. What it reads is what the last one left.
    pub(super) fn begin_write(&self) -> Result<()> {
        self.begun.set(self.begun.get() + 1);
        self.last_keys.borrow_mut().clear();
        match &self.backend {
            Backend::Sqlite(_) => self.control("BEGIN IMMEDIATE"),
            Backend::Postgres(session) => session.begin_write(),
        }
    }

    /// Begins a transaction that reads a snapshot.
    pub(super) fn begin_read(&self, limit: Option<Duration>) -> Result<()> {
        self.begun.set(self.begun.get() + 1);
        match &self.backend {
            Backend::Sqlite(_) => self.control("BEGIN"),
            Backend::Postgres(session) => session.begin_read(limit),
        }
    }

    /// Runs a transaction-control statement (COMMIT, SAVEPOINT, ...). These touch no table, so their plans are not recorded.
    pub(super) fn control(&self, sql: &str) -> Result<()> {
        match &self.backend {
            Backend::Sqlite(connection) => {
                connection.prepare_cached(sql)?.execute([])?;
                Ok(())
            }
            Backend::Postgres(session) => session.control(sql),
        }
    }

    /// Takes back what was written since a savepoint.
    pub(super) fn roll_back_to(&self, savepoint: &str) -> Result<()> {
        self.last_keys.borrow_mut().clear();
        if let Backend::Postgres(session) = &self.backend {
            session.forget_waiting();
        }
        self.control(&format!("ROLLBACK TO {savepoint}"))
    }

    /// Gives a new row its key, the one after the greatest, which `last` reads. Nobody else adds rows while a unit writes.
    #[cfg_attr(test, track_caller)]
    pub(super) fn next_key(&self, last: &'static str) -> Result<i64> {
        #[cfg(test)]
        self.note(last, std::panic::Location::caller());
        let known = self.last_keys.borrow().get(last).copied();
        let (before, key) = match known {
            Some(keys) => keys,
            None => self.first(last, [], |row| row.get(0))?.map_or((0, 0), |key| (key, key)),
        };
        self.last_keys.borrow_mut().insert(last, (before, key + 1));
        Ok(key + 1)
    }

    /// Whether `next_key` gave out this key in this transaction.
    pub(super) fn is_added(&self, last: &str, key: i64) -> bool {
        self.last_keys.borrow().get(last).is_some_and(|(before, _)| key > *before)
    }

    /// Runs a statement that adds a row, `INSERT … VALUES (…)`, now or before the next statement that may look at it: a server is
    /// told of many rows at once.
    #[cfg_attr(test, track_caller)]
    pub(super) fn execute_later(
        &self,
        order: InsertOrder,
        sql: &str,
        parameters: impl Parameters,
    ) -> Result<()> {
        #[cfg(test)]
        self.note(sql, std::panic::Location::caller());
        parameters.with(|values| match &self.backend {
            Backend::Sqlite(connection) => Ok(connection.prepare_cached(sql)?.execute(values).map(drop)?),
            Backend::Postgres(session) => session.execute_later(order, sql, values),
        })
    }

    /// Adds the rows that wait.
    pub(super) fn add_waiting(&self) -> Result<()> {
        match &self.backend {
            Backend::Sqlite(_) => Ok(()),
            Backend::Postgres(session) => session.add_waiting(),
        }
    }

    /// Like `rows`, of what no row that waits changes: these need not be added first.
    #[cfg_attr(test, track_caller)]
    pub(super) fn settled_rows<T>(
        &self,
        sql: &str,
        parameters: impl Parameters,
        mut read: impl FnMut(&Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        #[cfg(test)]
        self.note(sql, std::panic::Location::caller());
        parameters.with(|values| match &self.backend {
            Backend::Sqlite(connection) => Ok(connection
                .prepare_cached(sql)?
                .query_map(values, |row| read(&Row::Sqlite(row)))?
                .collect::<rusqlite::Result<_>>()?),
            Backend::Postgres(session) => {
                let rows = session.settled_rows(sql, values)?;
                Ok(rows.iter().map(|row| read(&Row::Postgres(row))).collect::<rusqlite::Result<_>>()?)
            }
        })
    }

    /// Whether a transaction is open. SQLite ends one by itself when the disk is full.
    pub(super) fn is_within_transaction(&self) -> bool {
        self.file().is_none_or(|connection| !connection.is_autocommit())
    }

    /// Number of transactions begun on this connection.
    pub(super) fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// What changes when another connection writes. A server does not tell, so there it changes with each transaction.
    pub(super) fn data_version(&self) -> Result<i64> {
        match &self.backend {
            Backend::Sqlite(connection) => {
                Ok(connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
            }
            Backend::Postgres(_) => Ok(self.begun() as i64),
        }
    }

    /// What is deleted from now on is overwritten: people are erased. A server gives the room to later rows, and to no reader.
    pub(super) fn erase_deleted(&self) -> Result<()> {
        self.file().map_or(Ok(()), |connection| Ok(connection.execute_batch("PRAGMA secure_delete = ON")?))
    }

    /// Statements for a server have plans of their own.
    #[cfg(test)]
    fn note(&self, sql: &str, at: &std::panic::Location) {
        if self.file().is_some() {
            plans::note(sql, at);
        }
    }

    /// What the database itself finds to be damaged. A server checks references as it writes, and its pages as it reads.
    pub(super) fn damage(&self) -> Result<Vec<String>> {
        let Some(file) = self.file() else { return Ok(Vec::new()) };
        let mut damage: Vec<String> = file
            .prepare("PRAGMA integrity_check(20)")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        damage.retain(|line| line != "ok");
        let dangling = "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2";
        let read = |row: &rusqlite::Row| {
            let (table, parent, count): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(format!("{count} rows of {table} refer to rows of {parent} that are gone"))
        };
        damage
            .extend(file.prepare(dangling)?.query_map([], read)?.collect::<rusqlite::Result<Vec<String>>>()?);
        Ok(damage)
    }

    /// Adds rows to a table; of each column, its name and whether it holds bytes on a server.
    pub(super) fn insert(&self, table: &str, columns: &[(&str, bool)], rows: &[Vec<Value>]) -> Result<()> {
        let names = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        match &self.backend {
            Backend::Sqlite(connection) => {
                let marks = vec!["?"; columns.len()].join(", ");
                let sql = format!("INSERT INTO {table} ({names}) VALUES ({marks})");
                let mut statement = connection.prepare_cached(&sql)?;
                rows.iter()
                    .try_for_each(|row| statement.execute(rusqlite::params_from_iter(row)).map(drop))?;
                Ok(())
            }
            Backend::Postgres(session) => {
                session.copy_in(&format!("COPY {table} ({names}) FROM STDIN"), columns, rows)
            }
        }
    }

    /// The greatest key that a subscriber ever had: none is used twice.
    pub(super) fn last_subscriber(&self) -> Result<i64> {
        let sql = match &self.backend {
            Backend::Sqlite(_) => {
                "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'subscriber'), 0)"
            }
            Backend::Postgres(_) => {
                "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM subscriber_pk_seq"
            }
        };
        Ok(self.first(sql, [], |row| row.get(0))?.unwrap_or(0))
    }

    /// Makes new rows have keys after those that are there, and new subscribers after `last_subscriber`.
    pub(super) fn continue_keys(&self, last_subscriber: i64) -> Result<()> {
        match &self.backend {
            Backend::Sqlite(connection) => {
                connection.execute("DELETE FROM sqlite_sequence WHERE name = 'subscriber'", [])?;
                connection.execute(
                    "INSERT INTO sqlite_sequence (name, seq) VALUES ('subscriber', ?1)",
                    [last_subscriber],
                )?;
                Ok(())
            }
            Backend::Postgres(session) => session.continue_keys(last_subscriber),
        }
    }

    /// Runs a statement that modifies rows; returns how many were changed.
    #[cfg_attr(test, track_caller)]
    pub(super) fn execute(&self, sql: &str, parameters: impl Parameters) -> Result<usize> {
        #[cfg(test)]
        self.note(sql, std::panic::Location::caller());
        parameters.with(|values| match &self.backend {
            Backend::Sqlite(connection) => Ok(connection.prepare_cached(sql)?.execute(values)?),
            Backend::Postgres(session) => session.execute(sql, values),
        })
    }

    /// Adds a row to a table whose keys the database gives out, in the column `pk`; returns its key.
    #[cfg_attr(test, track_caller)]
    pub(super) fn insert_row(&self, sql: &str, parameters: impl Parameters) -> Result<i64> {
        #[cfg(test)]
        self.note(sql, std::panic::Location::caller());
        match self.file() {
            // To have it returned costs SQLite a table for the result.
            Some(file) => parameters.with(|values| {
                file.prepare_cached(sql)?.execute(values)?;
                Ok(file.last_insert_rowid())
            }),
            None => {
                let key = self.first(&format!("{sql} RETURNING pk"), parameters, |row| row.get(0))?;
                Ok(key.ok_or(rusqlite::Error::QueryReturnedNoRows)?)
            }
        }
    }

    /// The first row, if any.
    #[cfg_attr(test, track_caller)]
    pub(super) fn row<T>(
        &self,
        sql: &str,
        parameters: impl Parameters,
        read: impl FnOnce(&Row) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        #[cfg(test)]
        self.note(sql, std::panic::Location::caller());
        self.first(sql, parameters, read)
    }

    /// The first row of a statement that always has one.
    #[cfg_attr(test, track_caller)]
    pub(super) fn one<T>(
        &self,
        sql: &str,
        parameters: impl Parameters,
        read: impl FnOnce(&Row) -> rusqlite::Result<T>,
    ) -> Result<T> {
        #[cfg(test)]
        self.note(sql, std::panic::Location::caller());
        Ok(self.first(sql, parameters, read)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?)
    }

    fn first<T>(
        &self,
        sql: &str,
        parameters: impl Parameters,
        read: impl FnOnce(&Row) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        parameters.with(|values| match &self.backend {
            Backend::Sqlite(connection) => {
                let read = |row: &rusqlite::Row| read(&Row::Sqlite(row));
                Ok(connection.prepare_cached(sql)?.query_row(values, read).optional()?)
            }
            Backend::Postgres(session) => {
                let rows = session.rows(sql, values)?;
                Ok(rows.first().map(|row| read(&Row::Postgres(row))).transpose()?)
            }
        })
    }

    /// All rows.
    #[cfg_attr(test, track_caller)]
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: impl Parameters,
        read: impl FnMut(&Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.add_waiting()?;
        self.settled_rows(sql, parameters, read)
    }

    /// Visits all rows one by one, without collecting them.
    #[cfg_attr(test, track_caller)]
    pub(super) fn each<E: From<super::StoreError>>(
        &self,
        sql: &str,
        parameters: impl Parameters,
        mut visit: impl FnMut(&Row) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        #[cfg(test)]
        self.note(sql, std::panic::Location::caller());
        parameters.with(|values| match &self.backend {
            Backend::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql).map_err(super::StoreError::from)?;
                let mut rows = statement.query(values).map_err(super::StoreError::from)?;
                while let Some(row) = rows.next().map_err(super::StoreError::from)? {
                    visit(&Row::Sqlite(row))?;
                }
                Ok(())
            }
            Backend::Postgres(session) => session.each(sql, values, |row| visit(&Row::Postgres(row))),
        })
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
