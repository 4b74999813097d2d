//! How values of the model are stored in columns.

use std::fmt::Display;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;

use crate::model::digest::{DigestId, Scope};
use crate::model::keys::{
    AlarmKey, CampaignKey, DeliveryKey, DraftKey, EntryKey, IssueKey, PostKey, ProposalKey, RulingKey, Seq,
    StoryKey,
};
use crate::model::publication::PublicationKey;

/// The numeric key of a row.
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

keys!(
    AlarmKey,
    CampaignKey,
    EntryKey,
    StoryKey,
    IssueKey,
    DeliveryKey,
    DraftKey,
    PostKey,
    ProposalKey,
    RulingKey,
    Seq
);

macro_rules! to_text {
    ($($name:ident),*) => {
        $(
            impl ToSql for $name {
                fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                    self.as_str().to_sql()
                }
            }
        )*
    };
}

macro_rules! from_text {
    ($($name:ident),*) => {
        $(
            impl FromSql for $name {
                fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                    value.as_str().map($name::from)
                }
            }
        )*
    };
}

to_text!(DigestId, Scope, PublicationKey);
from_text!(DigestId, PublicationKey);

/// A list of texts as one JSON parameter, so that one statement serves any number of them.
pub(super) fn texts(all: &[impl Serialize]) -> String {
    serde_json::to_string(all).unwrap_or_default()
}

/// A list of keys as one JSON parameter.
pub(super) fn keys_text<K: RowKey>(keys: &[K]) -> String {
    let numbers: Vec<String> = keys.iter().map(K::to_string).collect();
    format!("[{}]", numbers.join(","))
}
