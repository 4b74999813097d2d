//! How values of the model stand in columns.

use std::fmt::Display;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;

use crate::model::digest::{DigestId, Scope};
use crate::model::keys::{DeliveryKey, EntryKey, IssueKey, Seq, StoryKey};
use crate::model::outlet::OutletKey;

/// What a row is known by: a number.
pub(super) trait RowKey: Display {}

macro_rules! keys {
    ($($name:ident),*) => {
        $(
            impl RowKey for $name {}

            impl ToSql for $name {
                fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                    self.0.to_sql()
                }
            }

            impl FromSql for $name {
                fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                    i64::column_result(value).map($name)
                }
            }
        )*
    };
}

keys!(EntryKey, StoryKey, IssueKey, DeliveryKey, Seq);

impl ToSql for DigestId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_str().to_sql()
    }
}

impl FromSql for DigestId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(DigestId::from)
    }
}

impl ToSql for Scope {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_str().to_sql()
    }
}

impl ToSql for OutletKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_str().to_sql()
    }
}

impl FromSql for OutletKey {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(OutletKey::from)
    }
}

/// Texts as one parameter: a statement for any number of them.
pub(super) fn texts(all: &[impl Serialize]) -> String {
    serde_json::to_string(all).unwrap_or_default()
}

/// Keys as one parameter.
pub(super) fn keys_text<K: RowKey>(keys: &[K]) -> String {
    let numbers: Vec<String> = keys.iter().map(K::to_string).collect();
    format!("[{}]", numbers.join(","))
}
