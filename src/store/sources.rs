//! Fetch states and robots.txt files.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

use super::driver::Row;
use super::unit::{Sources, Write};
use super::values::texts;
use super::{Result, millis, time};
use crate::model::source::FetchState;

/// A source as shown by `courant sources`.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRow {
    pub id: String,
    pub state: FetchState,
    /// Number of its entries in the store.
    pub entries: u64,
}

/// A robots.txt as last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RobotsFile {
    /// `None` if it could not be fetched: the site is off limits.
    pub text: Option<String>,
    pub expires: Timestamp,
}

/// Written by us; a state that cannot be parsed, because it was tampered with, reads as empty.
fn state_from(json: &str) -> FetchState {
    serde_json::from_str(json).unwrap_or_default()
}

fn source_row(row: &Row) -> rusqlite::Result<SourceRow> {
    Ok(SourceRow {
        id: row.get(0)?,
        entries: row.get::<i64>(1)?.unsigned_abs(),
        state: state_from(&row.get::<String>(2)?),
    })
}

impl<A> Sources<'_, A> {
    /// The fetch state of a source; empty for a new one.
    pub fn state(&self, source: &str) -> Result<FetchState> {
        let json =
            self.db.row("SELECT state FROM source WHERE id = ?1", [source], |row| row.get::<String>(0))?;
        Ok(json.as_deref().map(state_from).unwrap_or_default())
    }

    /// The fetch states of some sources; those never read are left out.
    pub fn states_of(&self, sources: &[&str]) -> Result<HashMap<String, FetchState>> {
        let sql = "SELECT source.id, state FROM json_each(?1) AS asked CROSS JOIN source ON source.id = asked.value";
        let rows = self
            .db
            .rows(sql, [texts(sources)], |row| Ok((row.get(0)?, state_from(&row.get::<String>(1)?))))?;
        Ok(rows.into_iter().collect())
    }

    /// Some sources; those never read are left out.
    pub fn rows_of(&self, sources: &[&str]) -> Result<Vec<SourceRow>> {
        let sql = "SELECT source.id, source.entries, state FROM json_each(?1) AS asked CROSS JOIN source ON source.id = asked.value";
        self.db.rows(sql, [texts(sources)], source_row)
    }

    /// The fetch states of all sources ever read.
    pub fn states(&self) -> Result<HashMap<String, FetchState>> {
        let rows = self.db.rows("SELECT id, state FROM source", [], |row| {
            Ok((row.get(0)?, state_from(&row.get::<String>(1)?)))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// All sources ever read.
    pub fn list(&self) -> Result<Vec<SourceRow>> {
        self.db.rows("SELECT id, entries, state FROM source ORDER BY id", [], source_row)
    }

    /// One source; `None` if it was never read.
    pub fn get(&self, source: &str) -> Result<Option<SourceRow>> {
        self.db.row("SELECT id, entries, state FROM source WHERE id = ?1", [source], source_row)
    }

    /// The stored robots.txt of an origin, even if expired.
    pub fn robots(&self, origin: &str) -> Result<Option<RobotsFile>> {
        let sql = "SELECT text, expires FROM robots WHERE origin = ?1";
        self.db.row(sql, [origin], |row| Ok(RobotsFile { text: row.get(0)?, expires: time(row.get(1)?) }))
    }
}

impl Sources<'_, Write> {
    /// Takes the next time at which a page of an origin may be asked for, over all processes; it is `now` or later. A time further
    /// ahead than many such delays was written under a wrong clock.
    pub fn take_page(&self, origin: &str, delay: SignedDuration, now: Timestamp) -> Result<Timestamp> {
        const DELAYS_MAX: i32 = 100;
        let sql = "SELECT at FROM next_page WHERE origin = ?1";
        let next: Option<Timestamp> = self.db.row(sql, [origin], |row| Ok(time(row.get(0)?)))?;
        let at = next.filter(|next| *next > now && *next - now <= delay * DELAYS_MAX).unwrap_or(now);
        let sql =
            "INSERT INTO next_page (origin, at) VALUES (?1, ?2) ON CONFLICT (origin) DO UPDATE SET at = ?2";
        self.db.execute(sql, params![origin, millis(at + delay)])?;
        Ok(at)
    }

    /// Stores a robots.txt.
    pub fn put_robots(&self, origin: &str, file: &RobotsFile) -> Result<()> {
        let sql = "INSERT INTO robots (origin, text, expires) VALUES (?1, ?2, ?3) ON CONFLICT (origin) DO UPDATE SET text = ?2, expires = ?3";
        self.db.execute(sql, params![origin, file.text, millis(file.expires)])?;
        Ok(())
    }

    /// Inserts a source if it is missing, so that other rows can refer to it.
    pub fn ensure(&self, source: &str, partner: &str, position: u32) -> Result<()> {
        self.db.execute(
            "INSERT INTO source (id, partner, state, position) VALUES (?1, ?2, '{}', ?3) ON CONFLICT DO NOTHING",
            params![source, partner, position],
        )?;
        Ok(())
    }

    /// Stores the fetch state of a source.
    pub fn put_state(&self, source: &str, partner: &str, position: u32, state: &FetchState) -> Result<()> {
        let sql = "INSERT INTO source (id, partner, position, state) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET partner = ?2, position = ?3, state = ?4";
        let state = serde_json::to_string(state).unwrap_or_default();
        self.db.execute(sql, params![source, partner, position, state])?;
        Ok(())
    }

    /// Stores a notice for the operator.
    pub fn put_notice(&self, source: &str, text: &str, now: Timestamp) -> Result<()> {
        self.db.execute(
            "INSERT INTO notice (source, at, text) VALUES (?1, ?2, ?3)",
            params![source, millis(now), text],
        )?;
        Ok(())
    }
}
