//! Fetch states.

use rusqlite::{OptionalExtension, Row, params};

use super::{Result, Store, Work, millis, time};
use crate::model::source::{FetchState, Validators};

/// One source as `courant sources` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRow {
    pub id: String,
    pub state: FetchState,
    /// Entries of it in the store.
    pub entries: u64,
}

const STATE: &str = "etag, last_modified, last_attempt, last_success, last_error, warning, failures, next_poll, next_poll_reason, feed_url";

fn state(row: &Row, from: usize) -> rusqlite::Result<FetchState> {
    let at = |offset: usize| -> rusqlite::Result<Option<jiff::Timestamp>> { Ok(row.get::<_, Option<i64>>(from + offset)?.map(time)) };
    Ok(FetchState {
        validators: Validators { etag: row.get(from)?, last_modified: row.get(from + 1)? },
        last_attempt: at(2)?,
        last_success: at(3)?,
        last_error: row.get(from + 4)?,
        warning: row.get(from + 5)?,
        failures: row.get(from + 6)?,
        next_poll: at(7)?,
        next_poll_reason: row.get(from + 8)?,
        feed_url: row.get(from + 9)?,
    })
}

impl Store {
    /// The state of a source; a new one's is empty.
    pub fn fetch_state(&self, source: &str) -> Result<FetchState> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {STATE} FROM source WHERE id = ?1"))?;
        Ok(statement.query_row([source], |row| state(row, 0)).optional()?.unwrap_or_default())
    }

    /// All sources that were ever read.
    pub fn sources(&self) -> Result<Vec<SourceRow>> {
        let mut statement =
            self.connection.prepare(&format!("SELECT id, (SELECT count(*) FROM entry WHERE entry.source = source.id), {STATE} FROM source ORDER BY id"))?;
        let rows = statement.query_map([], |row| Ok(SourceRow { id: row.get(0)?, entries: row.get::<_, i64>(1)? as u64, state: state(row, 2)? }))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

impl Work<'_> {
    /// Keeps the state of a source.
    pub fn put_fetch_state(&mut self, source: &str, partner: &str, state: &FetchState) -> Result<()> {
        let mut statement = self.transaction.prepare_cached(
            "INSERT INTO source (id, partner, etag, last_modified, last_attempt, last_success, last_error, warning, failures, next_poll, next_poll_reason, feed_url)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (id) DO UPDATE SET partner = ?2, etag = ?3, last_modified = ?4, last_attempt = ?5, last_success = ?6, last_error = ?7,
                 warning = ?8, failures = ?9, next_poll = ?10, next_poll_reason = ?11, feed_url = ?12",
        )?;
        statement.execute(params![
            source,
            partner,
            state.validators.etag,
            state.validators.last_modified,
            state.last_attempt.map(millis),
            state.last_success.map(millis),
            state.last_error,
            state.warning,
            state.failures,
            state.next_poll.map(millis),
            state.next_poll_reason,
            state.feed_url,
        ])?;
        Ok(())
    }
}
