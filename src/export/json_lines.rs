//! Rows as objects of JSON, one a line. Columns of JSON are nested as they are; bytes are Base64.

use std::collections::BTreeMap;

use anyhow::{anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::{ReadRow, number, time_text};
use crate::model::table::{ColumnKind, ColumnShape, StoredValue, TableShape};

/// Writes an object.
pub(super) fn object<'a>(fields: impl Iterator<Item = (&'a ColumnShape, &'a StoredValue)>) -> String {
    let fields = fields.map(|(column, value)| format!("\"{}\":{}", column.name, field(column, value)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn field(column: &ColumnShape, value: &StoredValue) -> String {
    match value {
        StoredValue::Nothing => "null".to_owned(),
        StoredValue::Number(number) => {
            time_text(column, *number).map_or_else(|| number.to_string(), |text| quoted(&text))
        }
        StoredValue::Text(text) if column.kind == ColumnKind::Json && is_nested(text) => text.clone(),
        StoredValue::Text(text) => quoted(text),
        StoredValue::Bytes(bytes) => quoted(&STANDARD.encode(bytes)),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether a text is a list or an object that stays the same within a line.
fn is_nested(text: &str) -> bool {
    text.starts_with(['{', '['])
        && text.ends_with(['}', ']'])
        && !text.contains(['\n', '\r'])
        && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Reads an object.
///
/// # Errors
/// When it is none, or holds what its table cannot.
pub(super) fn row(table: &TableShape, text: &str) -> anyhow::Result<ReadRow> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
    let mut row: ReadRow = vec![None; table.columns.len()];
    for (name, value) in fields {
        let Some(at) = table.position(&name) else {
            bail!("it has a \"{name}\", which this version of courant does not know");
        };
        let column = &table.columns[at];
        let read = value_of(column, value.get())
            .filter(|read| column.is_optional || *read != StoredValue::Nothing)
            .ok_or_else(|| anyhow!("\"{name}\" cannot be {}", value.get()))?;
        row[at] = Some(read);
    }
    Ok(row)
}

fn value_of(column: &ColumnShape, text: &str) -> Option<StoredValue> {
    match text.as_bytes().first()? {
        b'n' => Some(StoredValue::Nothing),
        b'{' | b'[' => (column.kind == ColumnKind::Json).then(|| StoredValue::Text(text.to_owned())),
        b'"' => {
            let text: String = serde_json::from_str(text).ok()?;
            match column.kind {
                ColumnKind::Time => number(column, &text).map(StoredValue::Number),
                ColumnKind::Number => None,
                ColumnKind::Bytes => STANDARD.decode(text).ok().map(StoredValue::Bytes),
                ColumnKind::Text | ColumnKind::Json | ColumnKind::LongText => Some(StoredValue::Text(text)),
            }
        }
        _ if matches!(column.kind, ColumnKind::Time | ColumnKind::Number) => {
            text.parse().ok().map(StoredValue::Number)
        }
        _ => None,
    }
}
