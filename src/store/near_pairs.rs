//! Entries that nearly are one story, or just about are one: kept when they are placed, for a person to judge.

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

use super::driver::InsertOrder;
use super::unit::{Stories, Write};
use super::{Result, millis, time};
use crate::model::keys::EntryKey;

/// What nobody judged for so long is no news any more.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Two entries of which it was not clear whether they are one story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearPair {
    pub entry: EntryKey,
    pub other: EntryKey,
    /// Whether they were taken to be one.
    pub is_joined: bool,
    /// Why, in words.
    pub reason: String,
    pub at: Timestamp,
}

impl<A> Stories<'_, A> {
    /// The latest pairs that nobody judged yet, the newest first.
    pub fn near_pairs(&self, pairs_max: usize) -> Result<Vec<NearPair>> {
        let sql = format!(
            "SELECT entry, other, is_joined, reason, at FROM near_pair ORDER BY at DESC LIMIT {pairs_max}"
        );
        self.db.rows(&sql, [], |row| {
            let (entry, other, is_joined, reason) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(NearPair { entry, other, is_joined, reason, at: time(row.get(4)?) })
        })
    }
}

impl Stories<'_, Write> {
    /// Keeps a pair of a new entry for a person to judge.
    pub fn put_near_pair(&self, pair: &NearPair) -> Result<()> {
        let limit = pair.at.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        self.db.execute("DELETE FROM near_pair WHERE at < ?1", [millis(limit)])?;
        let sql = "INSERT INTO near_pair (entry, other, is_joined, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)";
        let NearPair { entry, other, is_joined, reason, at } = pair;
        let parameters = params![entry, other, is_joined, reason, millis(*at)];
        self.db.execute_later(InsertOrder::Rest, sql, parameters)
    }

    /// Forgets a pair, which was judged.
    pub fn forget_near_pair(&self, entry: EntryKey, other: EntryKey) -> Result<()> {
        let sql = "DELETE FROM near_pair WHERE entry = ?1 AND other = ?2";
        self.db.execute(sql, [entry, other]).map(drop)
    }
}
