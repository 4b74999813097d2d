//! Copies of a store: from a file of SQLite to a server and back, or for a backup.

use std::collections::HashSet;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::driver::Db;
use super::unit::{Read, Unit, Write};
use super::{Result, StoreError, schema};
use crate::model::sketch::hash64;

/// Rows written together.
const ROWS_TOGETHER: usize = 1_000;
/// What belongs to one database only: what its workers hold, and which words are still to be indexed there.
const OWN_TABLES: [&str; 2] = ["lease", "unindexed"];

/// A table with its columns, in the order in which they are copied.
struct TableShape {
    name: String,
    columns: Vec<ColumnShape>,
    /// The tables that its rows refer to.
    refers_to: HashSet<String>,
}

struct ColumnShape {
    name: String,
    /// It holds bytes on a server.
    is_bytes: bool,
}

/// What a table held when it was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    pub name: String,
    pub rows: u64,
    /// Of all values of all rows, in any order.
    checksum: u64,
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
    let read = |name: String| {
        let columns = connection
            .prepare("SELECT name, type FROM pragma_table_info(?1)")?
            .query_map([&name], |row| {
                let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
                let is_bytes = matches!(kind.as_str(), "BLOB" | "ANY") || name == "content_html";
                Ok(ColumnShape { name, is_bytes })
            })?
            .collect::<rusqlite::Result<_>>()?;
        let refers_to = connection
            .prepare("SELECT \"table\" FROM pragma_foreign_key_list(?1)")?
            .query_map([&name], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(TableShape { name, columns, refers_to })
    };
    let mut open: Vec<TableShape> = names.into_iter().filter(is_copied).map(read).collect::<Result<_>>()?;
    let mut ordered: Vec<TableShape> = Vec::with_capacity(open.len());
    while let Some(at) = open.iter().position(|table| {
        table
            .refers_to
            .iter()
            .all(|name| !open.iter().any(|other| other.name == *name && name != &table.name))
    }) {
        ordered.push(open.remove(at));
    }
    Ok(ordered)
}

impl TableShape {
    /// The rows that are copied. The id by which an index of features knows its database is the database's own.
    fn copied(&self) -> String {
        let own = if self.name == "secret" { " WHERE name <> 'store'" } else { "" };
        format!("FROM {}{own}", self.name)
    }

    /// Visits the rows, and answers what there is.
    fn each(&self, db: &Db, mut visit: impl FnMut(Vec<Value>) -> Result<()>) -> Result<CopiedTable> {
        let mut copied = CopiedTable { name: self.name.clone(), rows: 0, checksum: 0 };
        let columns: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        db.each(&format!("SELECT {} {}", columns.join(", "), self.copied()), [], |row| {
            let values: Vec<Value> =
                (0..self.columns.len()).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?;
            copied.rows += 1;
            copied.checksum = copied.checksum.wrapping_add(hash64(&bytes_of(&values)));
            visit(values)
        })?;
        Ok(copied)
    }

    fn copy(&self, from: &Db, to: &Db) -> Result<CopiedTable> {
        let columns: Vec<(&str, bool)> =
            self.columns.iter().map(|column| (column.name.as_str(), column.is_bytes)).collect();
        let mut rows: Vec<Vec<Value>> = Vec::with_capacity(ROWS_TOGETHER);
        let copied = self.each(from, |row| {
            rows.push(row);
            if rows.len() == ROWS_TOGETHER {
                to.insert(&self.name, &columns, &rows)?;
                rows.clear();
            }
            Ok(())
        })?;
        to.insert(&self.name, &columns, &rows)?;
        let written = self.each(to, |_| Ok(()))?;
        if written != copied {
            return Err(StoreError::NotCopied(self.name.clone()));
        }
        Ok(copied)
    }
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
pub(super) fn copy(from: &Unit<Read>, to: &Unit<Write>) -> Result<Vec<CopiedTable>> {
    let tables = tables()?;
    for table in tables.iter().rev() {
        to.db.execute(&format!("DELETE {}", table.copied()), [])?;
    }
    for table in OWN_TABLES.into_iter().chain(["entry_text"]) {
        to.db.execute(&format!("DELETE FROM {table}"), [])?;
    }
    if let Some(index) = to.index {
        index.borrow_mut().clear().map_err(StoreError::Features)?;
    }
    let copied = tables.iter().map(|table| table.copy(from.db, to.db)).collect::<Result<_>>()?;
    to.db.execute("INSERT INTO unindexed (entry) SELECT pk FROM entry", [])?;
    to.db.continue_keys(from.db.last_subscriber()?)?;
    Ok(copied)
}

/// Whether a store holds anything that a copy would replace.
pub(super) fn is_empty(unit: &Unit<Write>) -> Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM source) AND NOT EXISTS (SELECT 1 FROM subscriber) AND NOT EXISTS (SELECT 1 FROM suppression)";
    unit.db.one(sql, [], |row| row.get(0))
}
