//! Rows as a table (CSV, RFC 4180). A text that a spreadsheet would take for a formula begins with an apostrophe, as does one that
//! begins with an apostrophe, and an empty one where there may also be none.

use std::io::{self, BufRead};

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{ReadRow, number, time_text};
use crate::model::table::{ColumnKind, ColumnShape, StoredValue, TableShape};

const GUARDED: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

/// A line with these cells.
///
/// # Errors
/// Never: it is written to memory.
pub(super) fn line(cells: impl Iterator<Item = String>) -> io::Result<Vec<u8>> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(cells)?;
    out.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

pub(super) fn cell(column: &ColumnShape, value: &StoredValue) -> String {
    match value {
        StoredValue::Nothing => String::new(),
        StoredValue::Number(number) => time_text(column, *number).unwrap_or_else(|| number.to_string()),
        StoredValue::Text(text) if text.starts_with(GUARDED) || text.is_empty() && column.is_optional => {
            format!("'{text}")
        }
        StoredValue::Text(text) => text.clone(),
        StoredValue::Bytes(bytes) if bytes.is_empty() => "=".to_owned(),
        StoredValue::Bytes(bytes) => STANDARD.encode(bytes),
    }
}

fn value_of(column: &ColumnShape, cell: &str) -> Option<StoredValue> {
    if cell.is_empty() && column.is_optional {
        return Some(StoredValue::Nothing);
    }
    match column.kind {
        ColumnKind::Number | ColumnKind::Time => number(column, cell).map(StoredValue::Number),
        ColumnKind::Bytes if cell == "=" => Some(StoredValue::Bytes(Vec::new())),
        ColumnKind::Bytes => STANDARD.decode(cell).ok().map(StoredValue::Bytes),
        _ => Some(StoredValue::Text(cell.strip_prefix('\'').unwrap_or(cell).to_owned())),
    }
}

/// Visits the rows of a table.
///
/// # Errors
/// When it cannot be read or holds what its table cannot, with the line; and when `visit` fails.
pub(super) fn read(
    table: &TableShape,
    input: impl BufRead,
    mut visit: impl FnMut(ReadRow) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut reader = csv::Reader::from_reader(input);
    let mut places = Vec::new();
    for name in reader.headers().context("line 1")? {
        match table.position(name) {
            Some(at) => places.push(at),
            None => bail!("line 1: it has a \"{name}\", which this version of courant does not know"),
        }
    }
    for record in reader.into_records() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut row: ReadRow = vec![None; table.columns.len()];
        for (at, cell) in places.iter().zip(&record) {
            let column = &table.columns[*at];
            let value = value_of(column, cell);
            row[*at] =
                Some(value.ok_or_else(|| anyhow!("line {line}: \"{}\" cannot be {cell}", column.name))?);
        }
        visit(row)?;
    }
    Ok(())
}
