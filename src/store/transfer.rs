//! Copies of a store: from a file of SQLite to a server and back, for a backup, or as rows for files that others can read.

use std::collections::HashSet;

use rusqlite::Connection;
use rusqlite::types::{FromSql as _, Value, ValueRef};

use super::driver::Db;
use super::packed::{Packed, Unpacked, pack};
use super::unit::{Read, Tables, Unit, Write};
use super::{Result, StoreError, schema};
use crate::model::sketch::hash64;
use crate::model::table::{ColumnKind, ColumnShape, StoredValue, TableShape};

/// Rows written together.
const ROWS_TOGETHER: usize = 1_000;
/// What belongs to one database only: what its workers hold, which words are still to be indexed there, and who signed in there.
const OWN_TABLES: [&str; 3] = ["admin_session", "lease", "unindexed"];
/// Columns of JSON, in whichever table.
const JSON_COLUMNS: [&str; 9] =
    ["attributes", "contents", "details", "events", "owed", "state", "tags", "tastes", "topics"];
/// Columns of times. `published` is one of entries only.
const TIME_COLUMNS: [&str; 21] = [
    "asked_at",
    "at",
    "begin",
    "begins",
    "changed",
    "closed",
    "confirmed_at",
    "consent_at",
    "created",
    "decided",
    "ends",
    "expires",
    "first_seen",
    "last_issue",
    "last_seen",
    "lifted",
    "looked",
    "mailed",
    "opened",
    "slot",
    "updated",
];

/// What a table held when it was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    pub name: String,
    pub rows: u64,
    /// Of all values of all rows, in any order.
    checksum: u64,
}

/// How far a copy is, in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyProgress {
    Total(u64),
    Rows(u64),
}

/// The tables of the schema, such that each comes after those that it refers to.
fn tables() -> Result<Vec<TableShape>> {
    let mut connection = Connection::open_in_memory()?;
    schema::migrate(&mut connection, |_, _| ())?;
    let names: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let is_copied = |name: &String| {
        !name.starts_with("sqlite_")
            && !name.starts_with("entry_text")
            && !OWN_TABLES.contains(&name.as_str())
    };
    let mut open: Vec<(TableShape, HashSet<String>)> = names
        .into_iter()
        .filter(is_copied)
        .map(|name| {
            let refers_to = connection
                .prepare("SELECT \"table\" FROM pragma_foreign_key_list(?1)")?
                .query_map([&name], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok((shape(&connection, name)?, refers_to))
        })
        .collect::<Result<_>>()?;
    let mut ordered: Vec<TableShape> = Vec::with_capacity(open.len());
    while let Some(at) = open.iter().position(|(table, refers_to)| {
        refers_to.iter().all(|name| !open.iter().any(|(other, _)| other.name == *name && name != &table.name))
    }) {
        ordered.push(open.remove(at).0);
    }
    Ok(ordered)
}

fn shape(connection: &Connection, name: String) -> Result<TableShape> {
    let mut key: Vec<(i64, String)> = Vec::new();
    let mut statement =
        connection.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1) ORDER BY cid")?;
    let columns: Vec<ColumnShape> = statement
        .query_map([&name], |row| {
            let (column, declared): (String, String) = (row.get(0)?, row.get(1)?);
            let (is_required, in_key): (bool, i64) = (row.get(2)?, row.get(3)?);
            if in_key > 0 {
                key.push((in_key, column.clone()));
            }
            let kind = kind(&name, &column, &declared);
            Ok(ColumnShape { name: column, kind, is_optional: !is_required && in_key == 0 })
        })?
        .collect::<rusqlite::Result<_>>()?;
    key.sort();
    let mut key: Vec<String> = key.into_iter().map(|(_, column)| column).collect();
    if key.is_empty() {
        // Equal rows may stand in any order.
        key = columns.iter().map(|column| column.name.clone()).collect();
    }
    Ok(TableShape { name, columns, key })
}

fn kind(table: &str, column: &str, declared: &str) -> ColumnKind {
    match declared {
        _ if table == "entry" && matches!(column, "content" | "content_html") => ColumnKind::LongText,
        "BLOB" | "ANY" => ColumnKind::Bytes,
        "INTEGER" if TIME_COLUMNS.contains(&column) => ColumnKind::Time,
        "INTEGER" if table == "entry" && matches!(column, "published" | "sort_date") => ColumnKind::Time,
        "INTEGER" => ColumnKind::Number,
        _ if JSON_COLUMNS.contains(&column) => ColumnKind::Json,
        _ => ColumnKind::Text,
    }
}

/// The rows of a table that are copied. The id by which an index of features knows its database is the database's own.
fn copied(table: &TableShape) -> String {
    let own = if table.name == "secret" { " WHERE name <> 'store'" } else { "" };
    format!("FROM {}{own}", table.name)
}

/// Visits the rows, and answers what there is.
fn each(table: &TableShape, db: &Db, mut visit: impl FnMut(Vec<Value>) -> Result<()>) -> Result<CopiedTable> {
    let mut seen = CopiedTable { name: table.name.clone(), rows: 0, checksum: 0 };
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    db.each(&format!("SELECT {} {}", columns.join(", "), copied(table)), [], |row| {
        let values: Vec<Value> =
            (0..columns.len()).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?;
        seen.rows += 1;
        seen.checksum = seen.checksum.wrapping_add(hash64(&bytes_of(&values)));
        visit(values)
    })?;
    Ok(seen)
}

fn copy_table(table: &TableShape, from: &Db, to: &Db, on_rows: &mut dyn FnMut(u64)) -> Result<CopiedTable> {
    let columns: Vec<&ColumnShape> = table.columns.iter().collect();
    let mut rows: Vec<Vec<Value>> = Vec::with_capacity(ROWS_TOGETHER);
    let copied = each(table, from, |row| {
        rows.push(row);
        if rows.len() == ROWS_TOGETHER {
            insert(to, table, &columns, &rows)?;
            on_rows(rows.len() as u64);
            rows.clear();
        }
        Ok(())
    })?;
    insert(to, table, &columns, &rows)?;
    on_rows(rows.len() as u64);
    let written = each(table, to, |_| Ok(()))?;
    if written != copied {
        return Err(StoreError::NotCopied(table.name.clone()));
    }
    Ok(copied)
}

fn insert(to: &Db, table: &TableShape, columns: &[&ColumnShape], rows: &[Vec<Value>]) -> Result<()> {
    let columns: Vec<(&str, bool)> =
        columns.iter().map(|column| (column.name.as_str(), column.is_bytes())).collect();
    to.insert(&table.name, &columns, rows)
}

/// The values of a row such that they are the same in both databases: a text is its bytes, without the NUL that a server has not.
fn bytes_of(values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut push = |value: &[u8]| {
        bytes.extend(value.iter().filter(|byte| **byte != 0));
        bytes.extend((value.len() - value.iter().filter(|byte| **byte == 0).count()).to_le_bytes());
    };
    for value in values {
        match value {
            Value::Null => push(b"\x01null"),
            Value::Integer(number) => push(number.to_string().as_bytes()),
            Value::Real(number) => push(number.to_string().as_bytes()),
            Value::Text(text) => push(text.as_bytes()),
            Value::Blob(blob) => push(blob),
        }
    }
    bytes
}

/// Copies all that a store holds into another one, whose own contents go, and compares what was written with what was read.
pub(super) fn copy(
    from: &Unit<Read>,
    to: &Unit<Write>,
    mut on_rows: impl FnMut(u64),
) -> Result<Vec<CopiedTable>> {
    to.tables().clear()?;
    let copied = tables()?
        .iter()
        .map(|table| copy_table(table, from.db, to.db, &mut on_rows))
        .collect::<Result<_>>()?;
    to.tables().complete(from.db.last_subscriber()?)?;
    Ok(copied)
}

/// Whether a store holds anything that a copy would replace.
pub(super) fn is_empty(unit: &Unit<Write>) -> Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM source) AND NOT EXISTS (SELECT 1 FROM subscriber) AND NOT EXISTS (SELECT 1 FROM suppression)";
    unit.db.one(sql, [], |row| row.get(0))
}

impl<Access> Tables<'_, Access> {
    /// The tables that hold what is stored, such that each comes after those that it refers to.
    ///
    /// # Errors
    /// When the schema cannot be read.
    pub fn shapes(&self) -> Result<Vec<TableShape>> {
        tables()
    }

    /// How many rows there are in all of them.
    ///
    /// # Errors
    /// When the database fails.
    pub fn count(&self) -> Result<u64> {
        let counted = tables()?.into_iter().map(|table| {
            let sql = format!("SELECT count(*) {}", copied(&table));
            let rows: i64 = self.db.one(&sql, [], |row| row.get(0))?;
            Ok(rows.max(0).cast_unsigned())
        });
        counted.sum()
    }

    /// Visits the rows of a table in the order of its key.
    ///
    /// # Errors
    /// When the database fails, holds what courant did not write, or `visit` fails.
    pub fn each<E: From<StoreError>>(
        &self,
        table: &TableShape,
        mut visit: impl FnMut(Vec<StoredValue>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let sql =
            format!("SELECT {} {} ORDER BY {}", columns.join(", "), copied(table), table.key.join(", "));
        self.db.each(&sql, [], |row| {
            let values = table.columns.iter().enumerate().map(|(at, column)| {
                let value = row.get::<Value>(at).map_err(StoreError::from)?;
                stored(column.kind, value)
                    .ok_or_else(|| StoreError::Corrupt(format!("{} of {}", column.name, table.name)))
            });
            visit(values.collect::<Result<Vec<StoredValue>>>()?)
        })
    }

    /// The greatest number that a subscriber ever had.
    ///
    /// # Errors
    /// When the database fails.
    pub fn last_subscriber(&self) -> Result<i64> {
        self.db.last_subscriber()
    }
}

impl Tables<'_, Write> {
    /// Takes away all that is stored.
    ///
    /// # Errors
    /// When the database fails.
    pub fn clear(&self) -> Result<()> {
        for table in tables()?.iter().rev() {
            self.db.execute(&format!("DELETE {}", copied(table)), [])?;
        }
        for table in OWN_TABLES.into_iter().chain(["entry_text"]) {
            self.db.execute(&format!("DELETE FROM {table}"), [])?;
        }
        match self.index {
            Some(index) => index.borrow_mut().clear().map_err(StoreError::Features),
            None => Ok(()),
        }
    }

    /// Adds rows to a table; columns that are not named have what a new row has in them.
    ///
    /// # Errors
    /// When the database fails, or a row refers to one that is not there.
    pub fn add(
        &self,
        table: &TableShape,
        columns: &[&ColumnShape],
        rows: Vec<Vec<StoredValue>>,
    ) -> Result<()> {
        let rows: Vec<Vec<Value>> = rows
            .into_iter()
            .map(|row| row.into_iter().zip(columns).map(|(value, column)| raw(column.kind, value)).collect())
            .collect();
        insert(self.db, table, columns, &rows)
    }

    /// Makes a store whose rows were added ready for use; no new subscriber will have a number that one had.
    ///
    /// # Errors
    /// When the database fails.
    pub fn complete(&self, last_subscriber: i64) -> Result<()> {
        self.db.execute("INSERT INTO unindexed (entry) SELECT pk FROM entry", [])?;
        self.db.continue_keys(last_subscriber)
    }
}

/// A value for others; `None` if courant did not write it.
fn stored(kind: ColumnKind, value: Value) -> Option<StoredValue> {
    if kind == ColumnKind::LongText && value != Value::Null {
        return Unpacked::column_result(ValueRef::from(&value)).ok()?.0.map(StoredValue::Text);
    }
    Some(match value {
        Value::Null => StoredValue::Nothing,
        Value::Integer(number) => StoredValue::Number(number),
        Value::Text(text) => StoredValue::Text(text),
        Value::Blob(bytes) => StoredValue::Bytes(bytes),
        Value::Real(_) => return None,
    })
}

/// A value as the store has it.
fn raw(kind: ColumnKind, value: StoredValue) -> Value {
    match value {
        StoredValue::Nothing => Value::Null,
        StoredValue::Number(number) => Value::Integer(number),
        StoredValue::Text(text) if kind == ColumnKind::LongText => match pack(&text) {
            Packed::Text(text) => Value::Blob(text.into_owned().into_bytes()),
            Packed::Frame(frame) => Value::Blob(frame),
        },
        StoredValue::Text(text) => Value::Text(text),
        StoredValue::Bytes(bytes) => Value::Blob(bytes),
    }
}
