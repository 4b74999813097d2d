//! Fetch states, and what sites say in their robots.txt.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Result, Store, Work, millis, time};
use crate::model::source::FetchState;

/// One source as `courant sources` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRow {
    pub id: String,
    pub state: FetchState,
    /// Entries of it in the store.
    pub entries: u64,
}

/// A robots.txt as it was when it was read last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RobotsFile {
    /// `None` when it could not be had: the site is closed to us.
    pub text: Option<String>,
    pub expires: Timestamp,
}

/// Written by us; a state that was tampered with, or comes from an earlier version, reads as far as it can.
fn state_from(json: &str) -> FetchState {
    serde_json::from_str(json).unwrap_or_default()
}

impl Store {
    /// The state of a source; a new one's is empty.
    pub fn fetch_state(&self, source: &str) -> Result<FetchState> {
        let mut statement = self.connection.prepare_cached("SELECT state FROM source WHERE id = ?1")?;
        let json: Option<String> = statement.query_row([source], |row| row.get(0)).optional()?;
        Ok(json.as_deref().map(state_from).unwrap_or_default())
    }

    /// The states of all sources that were ever read.
    pub fn fetch_states(&self) -> Result<HashMap<String, FetchState>> {
        let mut statement = self.connection.prepare("SELECT id, state FROM source")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, state_from(&row.get::<_, String>(1)?))))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// All sources that were ever read.
    pub fn sources(&self) -> Result<Vec<SourceRow>> {
        let mut statement = self.connection.prepare("SELECT id, (SELECT count(*) FROM entry WHERE entry.source = source.id), state FROM source ORDER BY id")?;
        let rows = statement.query_map([], |row| {
            Ok(SourceRow { id: row.get(0)?, entries: row.get::<_, i64>(1)?.unsigned_abs(), state: state_from(&row.get::<_, String>(2)?) })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The robots.txt of an origin, however old.
    pub fn robots(&self, origin: &str) -> Result<Option<RobotsFile>> {
        let mut statement = self.connection.prepare_cached("SELECT text, expires FROM robots WHERE origin = ?1")?;
        Ok(statement.query_row([origin], |row| Ok(RobotsFile { text: row.get(0)?, expires: time(row.get(1)?) })).optional()?)
    }

    /// Keeps a robots.txt.
    pub fn put_robots(&mut self, origin: &str, file: &RobotsFile) -> Result<()> {
        let mut statement = self
            .connection
            .prepare_cached("INSERT INTO robots (origin, text, expires) VALUES (?1, ?2, ?3) ON CONFLICT (origin) DO UPDATE SET text = ?2, expires = ?3")?;
        statement.execute(params![origin, file.text, millis(file.expires)])?;
        Ok(())
    }
}

impl Work<'_> {
    /// Keeps the state of a source.
    pub fn put_fetch_state(&mut self, source: &str, partner: &str, state: &FetchState) -> Result<()> {
        let mut statement = self
            .transaction
            .prepare_cached("INSERT INTO source (id, partner, state) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET partner = ?2, state = ?3")?;
        statement.execute(params![source, partner, serde_json::to_string(state).unwrap_or_default()])?;
        Ok(())
    }
}
