//! PostgreSQL: connections, statements and values. Statements are sent unnamed and in one step, with the types of their parameters, so
//! that it does not matter which connection of a pooler (PgBouncer in transaction mode) the next one gets.

use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{FromSql as FromServer, IsNull, ToSql as ToServer, Type};
use postgres::{Client, Config, Row};
use rusqlite::ToSql;
use rusqlite::types::{FromSql, ToSqlOutput, Value, ValueRef};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::{Result, StoreError};
use super::InsertOrder;
use crate::support::text::hex;

/// The lock that each unit holds that writes. Any number, as long as nobody else takes it in this database.
const WRITER_LOCK: i64 = 0x0063_6f75_7261_6e74;
/// How long a unit waits for others, in seconds: each takes a fraction of a second, and many may queue.
const LOCK_SECONDS_MAX: u32 = 120;
const CONNECT_SECONDS_MAX: u64 = 10;
/// The protocol counts the parameters of a statement in 16 bits.
const PARAMETERS_MAX: usize = u16::MAX as usize;

/// Connects to a server.
///
/// # Errors
/// When the server cannot be reached or refuses us.
pub(in crate::store) fn connect(config: &Config) -> Result<Client> {
    let mut config = config.clone();
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX));
    }
    if config.get_application_name().is_none() {
        config.application_name("courant");
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Server(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.connect(MakeRustlsConnect::new(tls)).map_err(|error| unreachable_server(&config, &error))
}

/// Says which server it is, without the password.
fn unreachable_server(config: &Config, error: &postgres::Error) -> StoreError {
    use postgres::config::Host;
    let host = config.get_hosts().first().map_or_else(String::new, |host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    let cause = error.as_db_error().map_or_else(
        || error.source().map_or_else(|| error.to_string(), ToString::to_string),
        |error| error.message().to_owned(),
    );
    StoreError::Unreachable(format!("{host} ({}): {cause}", config.get_dbname().unwrap_or_default()))
}

impl From<postgres::Error> for StoreError {
    fn from(error: postgres::Error) -> StoreError {
        use postgres::error::SqlState;
        let Some(told) = error.as_db_error() else {
            return match error.is_closed() {
                true => StoreError::Lost,
                false => StoreError::Server(
                    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")),
                ),
            };
        };
        match *told.code() {
            SqlState::DISK_FULL => StoreError::Full,
            SqlState::IO_ERROR => StoreError::Io,
            SqlState::LOCK_NOT_AVAILABLE
            | SqlState::T_R_DEADLOCK_DETECTED
            | SqlState::T_R_SERIALIZATION_FAILURE => StoreError::Busy,
            SqlState::QUERY_CANCELED => StoreError::TooSlow,
            SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => {
                StoreError::Lost
            }
            _ => StoreError::Server(told.message().to_owned()),
        }
    }
}

/// A connection with the texts of the statements that were used on it.
pub(super) struct Session {
    /// Gone only while the session ends.
    client: RefCell<Option<Client>>,
    texts: RefCell<HashMap<String, Arc<str>>>,
    waiting: RefCell<Vec<WaitingRows>>,
}

/// Rows that one statement adds, once something else is to be done.
struct WaitingRows {
    order: InsertOrder,
    sql: String,
    rows: Vec<Vec<Value>>,
}

impl Session {
    pub(super) fn new(client: Client) -> Session {
        Session { client: RefCell::new(Some(client)), texts: RefCell::default(), waiting: RefCell::default() }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.borrow().as_ref().is_none_or(Client::is_closed)
    }

    fn client(&self) -> Result<RefMut<'_, Client>> {
        RefMut::filter_map(self.client.borrow_mut(), Option::as_mut).map_err(|_| StoreError::Lost)
    }

    pub(super) fn control(&self, sql: &str) -> Result<()> {
        self.add_waiting()?;
        Ok(self.client()?.batch_execute(sql)?)
    }

    pub(super) fn execute_later(&self, order: InsertOrder, sql: &str, values: &[&dyn ToSql]) -> Result<()> {
        let row = values
            .iter()
            .map(|value| Ok(Value::try_from(Bound(value.to_sql()?).value()).map_err(rusqlite::Error::from)?))
            .collect::<Result<Vec<Value>>>()?;
        let mut waiting = self.waiting.borrow_mut();
        match waiting.iter_mut().find(|waiting| waiting.sql == sql) {
            Some(waiting) => waiting.rows.push(row),
            None => waiting.push(WaitingRows { order, sql: sql.to_owned(), rows: vec![row] }),
        }
        Ok(())
    }

    pub(super) fn add_waiting(&self) -> Result<()> {
        let mut waiting = self.waiting.take();
        waiting.sort_by_key(|waiting| waiting.order);
        for WaitingRows { sql, rows, .. } in &waiting {
            let columns = rows.first().map_or(1, Vec::len).max(1);
            for rows in rows.chunks(PARAMETERS_MAX / columns) {
                let text = many_rows(&translated(sql), columns, rows.len());
                let values: Vec<&dyn ToSql> =
                    rows.iter().flatten().map(|value| value as &dyn ToSql).collect();
                with_bound(&values, |bound| Ok(self.client()?.execute_typed(&text, bound)?))
                    .inspect_err(|error| of_statement(error, sql))?;
            }
        }
        Ok(())
    }

    pub(super) fn forget_waiting(&self) {
        self.waiting.borrow_mut().clear();
    }

    /// The lock makes each unit wait for the end of the one before, and a statement sees what was committed when it began: together
    /// they are as good as one after the other.
    pub(super) fn begin_write(&self) -> Result<()> {
        // Of a unit that failed.
        self.forget_waiting();
        self.begin(&format!(
            "BEGIN; SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'; SELECT pg_advisory_xact_lock({WRITER_LOCK})"
        ))
    }

    pub(super) fn begin_read(&self, limit: Option<Duration>) -> Result<()> {
        let limit = limit.map_or_else(String::new, |limit| {
            format!("; SET LOCAL statement_timeout = {}", limit.as_millis().max(1))
        });
        self.begin(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{limit}"))
    }

    fn begin(&self, sql: &str) -> Result<()> {
        let begun = self.control(sql);
        if begun.is_err() {
            let _ = self.control("ROLLBACK");
        }
        begun
    }

    pub(super) fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> Result<usize> {
        self.add_waiting()?;
        let text = self.text(sql);
        with_bound(values, |bound| Ok(self.client()?.execute_typed(&text, bound)? as usize))
            .inspect_err(|error| of_statement(error, &text))
    }

    pub(super) fn rows(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<Row>> {
        self.add_waiting()?;
        self.settled_rows(sql, values)
    }

    /// Reads what no row that waits changes.
    pub(super) fn settled_rows(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<Row>> {
        let text = self.text(sql);
        with_bound(values, |bound| Ok(self.client()?.query_typed(&text, bound)?))
            .inspect_err(|error| of_statement(error, &text))
    }

    /// Visits the rows as they come from the server. `visit` may not use the connection.
    pub(super) fn each<E: From<StoreError>>(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        mut visit: impl FnMut(&Row) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.add_waiting()?;
        let text = self.text(sql);
        with_bound(values, |bound| {
            let mut client = self.client()?;
            let bound = bound.iter().map(|(value, kind)| (*value, kind.clone()));
            let mut rows = client.query_typed_raw(&text, bound).map_err(StoreError::from)?;
            while let Some(row) = rows.next().map_err(StoreError::from)? {
                visit(&row)?;
            }
            Ok(())
        })
    }

    pub(super) fn copy_in(&self, sql: &str, columns: &[(&str, bool)], rows: &[Vec<Value>]) -> Result<()> {
        self.add_waiting()?;
        let mut lines = Vec::new();
        for row in rows {
            for (at, (value, (_, is_bytes))) in row.iter().zip(columns).enumerate() {
                if at > 0 {
                    lines.push(b'\t');
                }
                push_field(&mut lines, value, *is_bytes);
            }
            lines.push(b'\n');
        }
        let mut client = self.client()?;
        let mut writer = client.copy_in(sql)?;
        writer.write_all(&lines).map_err(|error| StoreError::Server(error.to_string()))?;
        writer.finish()?;
        Ok(())
    }

    pub(super) fn continue_keys(&self, last_subscriber: i64) -> Result<()> {
        let mut sql = format!(
            "SELECT setval('subscriber_pk_seq', {}, {})",
            last_subscriber.max(1),
            last_subscriber > 0
        );
        for table in ["issue", "delivery", "notice"] {
            sql.push_str(&format!(
                "; SELECT setval('{table}_pk_seq', greatest(max(pk), 1), max(pk) IS NOT NULL) FROM {table}"
            ));
        }
        self.control(&sql)
    }

    fn text(&self, sql: &str) -> Arc<str> {
        if let Some(text) = self.texts.borrow().get(sql) {
            return text.clone();
        }
        let text: Arc<str> = translated(sql).into();
        let mut texts = self.texts.borrow_mut();
        if texts.len() >= super::STATEMENTS_MAX {
            texts.clear();
        }
        texts.insert(sql.to_owned(), text.clone());
        text
    }
}

impl Drop for Session {
    /// To take leave of the server is to wait, which a runtime's thread may not.
    fn drop(&mut self) {
        tokio::task::block_in_place(|| drop(self.client.take()));
    }
}

/// For developers: which statement it was.
fn of_statement(error: &StoreError, sql: &str) {
    tracing::debug!("{error}: {sql}");
}

/// Adds a value in the text format of COPY.
fn push_field(line: &mut Vec<u8>, value: &Value, is_bytes: bool) {
    let bytes = match value {
        Value::Null => return line.extend_from_slice(b"\\N"),
        Value::Integer(number) => return line.extend_from_slice(number.to_string().as_bytes()),
        Value::Real(number) => return line.extend_from_slice(number.to_string().as_bytes()),
        Value::Text(text) => text.as_bytes(),
        Value::Blob(blob) => blob,
    };
    if is_bytes {
        line.extend_from_slice(b"\\\\x");
        return line.extend_from_slice(hex(bytes).as_bytes());
    }
    for byte in bytes {
        match byte {
            0 => {}
            b'\\' => line.extend_from_slice(b"\\\\"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            byte => line.push(*byte),
        }
    }
}

/// A statement in the dialect of the server. What is beyond these two is made alike by functions and a collation of the schema
/// (`migrations/postgres`).
fn translated(sql: &str) -> String {
    // A cross join has no condition; SQLite takes one, and the order of the tables as the order of its loops.
    sql.replace('?', "$").replace("CROSS JOIN", "JOIN")
}

/// A statement that adds a row, for several: its list of values as often, with parameters of their own.
fn many_rows(sql: &str, columns: usize, rows: usize) -> String {
    let Some((before, list)) = sql.split_once("VALUES (") else { return sql.to_owned() };
    let mut depth = 1;
    let end = list.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    let (list, after) = list.split_at(end.unwrap_or(list.len()));
    let mut text = format!("{before}VALUES ");
    for row in 0..rows {
        text.push_str(if row > 0 { "), (" } else { "(" });
        let mut parts = list.split('$');
        text.extend(parts.next());
        for part in parts {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let number = part[..digits].parse().unwrap_or(0) + row * columns;
            text.push_str(&format!("${number}{}", &part[digits..]));
        }
    }
    text.push_str(after);
    text
}

/// A parameter as it is sent.
#[derive(Debug)]
struct Bound<'a>(ToSqlOutput<'a>);

impl Bound<'_> {
    fn value(&self) -> ValueRef<'_> {
        match &self.0 {
            ToSqlOutput::Borrowed(value) => *value,
            ToSqlOutput::Owned(value) => value.into(),
            _ => ValueRef::Null,
        }
    }

    /// Of what is not there, the server finds the type itself.
    fn kind(&self) -> Type {
        match self.value() {
            ValueRef::Null => Type::UNKNOWN,
            ValueRef::Integer(_) => Type::INT8,
            ValueRef::Real(_) => Type::FLOAT8,
            ValueRef::Text(_) => Type::TEXT,
            ValueRef::Blob(_) => Type::BYTEA,
        }
    }
}

impl ToServer for Bound<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut bytes::BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.value() {
            ValueRef::Null => return Ok(IsNull::Yes),
            ValueRef::Integer(number) => out.extend_from_slice(&number.to_be_bytes()),
            ValueRef::Real(number) => out.extend_from_slice(&number.to_be_bytes()),
            // The server has no text with NUL in it.
            ValueRef::Text(text) => out.extend(text.iter().filter(|byte| **byte != 0)),
            ValueRef::Blob(bytes) => out.extend_from_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(
        &self,
        kind: &Type,
        out: &mut bytes::BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(kind, out)
    }
}

/// Gives a statement its parameters.
fn with_bound<T, E: From<StoreError>>(
    values: &[&dyn ToSql],
    run: impl FnOnce(&[(&(dyn ToServer + Sync), Type)]) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let bound: Vec<Bound> = values
        .iter()
        .map(|value| value.to_sql().map(Bound))
        .collect::<rusqlite::Result<_>>()
        .map_err(StoreError::from)?;
    let typed: Vec<(&(dyn ToServer + Sync), Type)> =
        bound.iter().map(|value| (value as &(dyn ToServer + Sync), value.kind())).collect();
    run(&typed)
}

/// A column as it is received.
struct ReceivedValue<'a>(ValueRef<'a>);

impl<'a> FromServer<'a> for ReceivedValue<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> std::result::Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(ReceivedValue(match *kind {
            Type::BOOL => ValueRef::Integer(raw.first().copied().unwrap_or_default().into()),
            Type::INT2 => ValueRef::Integer(i16::from_be_bytes(raw.try_into()?).into()),
            Type::INT4 => ValueRef::Integer(i32::from_be_bytes(raw.try_into()?).into()),
            Type::INT8 => ValueRef::Integer(i64::from_be_bytes(raw.try_into()?)),
            Type::FLOAT8 => ValueRef::Real(f64::from_be_bytes(raw.try_into()?)),
            Type::BYTEA => ValueRef::Blob(raw),
            _ => ValueRef::Text(raw),
        }))
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(ReceivedValue(ValueRef::Null))
    }

    fn accepts(kind: &Type) -> bool {
        matches!(
            *kind,
            Type::BOOL
                | Type::INT2
                | Type::INT4
                | Type::INT8
                | Type::FLOAT8
                | Type::BYTEA
                | Type::TEXT
                | Type::VARCHAR
                | Type::UNKNOWN
        )
    }
}

/// The value of a column.
pub(super) fn value<T: FromSql>(row: &Row, column: usize) -> rusqlite::Result<T> {
    let failed = |cause: Box<dyn Error + Sync + Send>| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Null, cause)
    };
    let read: ReceivedValue = row.try_get(column).map_err(|error| failed(error.into()))?;
    T::column_result(read.0).map_err(|error| failed(error.into()))
}

#[cfg(test)]
mod tests {
    use super::{many_rows, translated};

    #[test]
    fn a_statement_adds_many_rows_with_the_same_parameters_each() {
        let sql = translated("INSERT INTO t (a, b, c) VALUES (?1, f('x', ?2), ?2) ON CONFLICT DO NOTHING");
        let many = "INSERT INTO t (a, b, c) VALUES ($1, f('x', $2), $2), ($3, f('x', $4), $4) ON CONFLICT DO NOTHING";
        assert_eq!(many_rows(&sql, 2, 2), many);
    }
}
