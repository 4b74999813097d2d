//! Alarms, and the numbers by which some of them are found.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::params;

use super::driver::{InsertOrder, Row};
use super::unit::{Alarms, Write};
use super::{Result, StoreError, millis, optional_time, time};
use crate::model::alarm::{Alarm, AlarmKind, Finding};
use crate::model::digest::{DigestId, Scope};
use crate::model::keys::{AlarmKey, EntryKey};

const LAST_ALARM: &str = "SELECT coalesce(max(pk), 0) FROM alarm";

const COLUMNS: &str = "pk, kind, subject, text, raised, ended";

/// How many people came and went since a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ListChange {
    /// Those who get mail now.
    pub active: u64,
    pub joined: u64,
    pub left: u64,
}

fn alarm(row: &Row) -> rusqlite::Result<Result<Alarm>> {
    let (key, kind, subject, text): (AlarmKey, String, String, String) =
        (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let (raised, ended) = (time(row.get(4)?), optional_time(row.get(5)?));
    let known = AlarmKind::parse(&kind).ok_or_else(|| StoreError::Corrupt(format!("an alarm \"{kind}\"")));
    Ok(known.map(|kind| Alarm { key, finding: Finding { kind, subject, text }, raised, ended }))
}

impl<A> Alarms<'_, A> {
    /// What is wrong now.
    pub fn open(&self) -> Result<Vec<Alarm>> {
        let sql = format!("SELECT {COLUMNS} FROM alarm WHERE ended IS NULL ORDER BY pk");
        self.db.rows(&sql, [], alarm)?.into_iter().collect()
    }

    /// The latest alarms, the newest first.
    pub fn latest(&self, alarms_max: usize) -> Result<Vec<Alarm>> {
        let sql = format!("SELECT {COLUMNS} FROM alarm ORDER BY pk DESC LIMIT {alarms_max}");
        self.db.rows(&sql, [], alarm)?.into_iter().collect()
    }

    /// The number of entries of each source after one. They are counted here: grouped by the database, all of the table would be read.
    pub fn entries_since(&self, entry: EntryKey) -> Result<HashMap<String, u64>> {
        let mut counts = HashMap::new();
        self.db.each("SELECT source FROM entry WHERE pk > ?1", [entry], |row| {
            *counts.entry(row.get(0)?).or_default() += 1;
            Ok::<_, StoreError>(())
        })?;
        Ok(counts)
    }

    /// How many people came and went since a time.
    pub fn list_change(&self, since: Timestamp) -> Result<ListChange> {
        let sql = "SELECT (SELECT count(*) FROM subscriber WHERE state = 'active'), (SELECT count(*) FROM subscriber WHERE created >= ?1),
                   (SELECT count(*) FROM suppression WHERE at >= ?1 AND digest IN (?2, ?3))";
        self.db.one(sql, params![millis(since), DigestId::Personal, Scope::All], |row| {
            let [active, joined, left]: [i64; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
            let [active, joined, left] = [active, joined, left].map(i64::unsigned_abs);
            Ok(ListChange { active, joined, left })
        })
    }

    /// The outlets that did not accept something so often, each with the reason of the last time.
    pub fn failing_outlets(&self, attempts_min: u32) -> Result<Vec<(String, String)>> {
        let sql = "SELECT outlet, max(coalesce(last_error, '')) FROM post WHERE attempts >= ?1 GROUP BY outlet ORDER BY outlet";
        self.db.rows(sql, [attempts_min], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

impl Alarms<'_, Write> {
    /// Raises an alarm.
    pub fn put(&self, finding: &Finding, now: Timestamp) -> Result<AlarmKey> {
        let key = AlarmKey(self.db.next_key(LAST_ALARM)?);
        let sql = "INSERT INTO alarm (pk, kind, subject, text, raised) VALUES (?1, ?2, ?3, ?4, ?5)";
        let parameters = params![key, finding.kind.as_str(), finding.subject, finding.text, millis(now)];
        self.db.execute_later(InsertOrder::Rest, sql, parameters)?;
        Ok(key)
    }

    /// Ends an alarm.
    pub fn end(&self, key: AlarmKey, now: Timestamp) -> Result<()> {
        self.db.execute("UPDATE alarm SET ended = ?2 WHERE pk = ?1", params![key, millis(now)]).map(drop)
    }

    /// Forgets what was over before a time.
    pub fn forget(&self, limit: Timestamp) -> Result<()> {
        self.db.execute("DELETE FROM alarm WHERE ended < ?1", [millis(limit)]).map(drop)
    }
}
