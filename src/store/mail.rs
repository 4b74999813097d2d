//! Issues and deliveries: the outbox.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Result, Store, Work, millis, time};
use crate::model::digest::{Delivery, DeliveryState, Issue, Notice};

/// An issue to be queued.
#[derive(Debug)]
pub struct NewIssue<'a> {
    pub digest: &'a str,
    /// The slot of the schedule that it fills.
    pub slot: Timestamp,
    pub now: Timestamp,
    pub issue: &'a Issue,
    /// Ids of the stories that it tells.
    pub stories: &'a [String],
    pub deliveries: &'a [NewDelivery],
}

/// One recipient of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    pub recipient: String,
    pub message_id: String,
}

impl Store {
    /// The slot of the last issue of a digest.
    pub fn last_slot(&self, digest: &str) -> Result<Option<Timestamp>> {
        let slot: Option<i64> = self.connection.query_row("SELECT max(slot) FROM issue WHERE digest = ?1", [digest], |row| row.get(0))?;
        Ok(slot.map(time))
    }

    /// How many issues a digest has had.
    pub fn issue_count(&self, digest: &str) -> Result<u64> {
        let count: i64 = self.connection.query_row("SELECT count(*) FROM issue WHERE digest = ?1", [digest], |row| row.get(0))?;
        Ok(count as u64)
    }

    /// The numbers of the deliveries whose time has come, the oldest first. One that is still `sending` when its lease has run
    /// out was cut off by a crash after it was handed over: it is due again, under the same Message-ID.
    pub fn due_deliveries(&self, now: Timestamp, digest: Option<&str>) -> Result<Vec<i64>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT delivery.pk FROM delivery JOIN issue ON issue.pk = delivery.issue
             WHERE state IN ('pending', 'sending') AND next_attempt <= ?1 AND (?2 IS NULL OR issue.digest = ?2) ORDER BY delivery.pk",
        )?;
        Ok(statement.query_map(params![millis(now), digest], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }

    /// Deliveries by their numbers, each issue read once; `known` is one that was read before.
    pub fn deliveries(&self, numbers: &[i64], known: Option<&Arc<Issue>>) -> Result<Vec<Delivery>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT issue.digest, recipient, message_id, attempts, issue.pk, created FROM delivery JOIN issue ON issue.pk = delivery.issue WHERE delivery.pk = ?1",
        )?;
        let mut issues: HashMap<i64, Arc<Issue>> = HashMap::new();
        let mut deliveries = Vec::with_capacity(numbers.len());
        for number in numbers {
            let row = statement.query_row([number], |row| {
                let texts: (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok((texts, row.get::<_, u32>(3)?, row.get::<_, i64>(4)?, time(row.get(5)?)))
            });
            // Erased in the meantime: it is gone.
            let Some(((digest, recipient, message_id), attempts, key, created)) = row.optional()? else { continue };
            let issue = match issues.get(&key) {
                Some(issue) => issue.clone(),
                None => {
                    let read = self.issue(key)?;
                    let issue = known.filter(|known| ***known == read).cloned().unwrap_or_else(|| Arc::new(read));
                    issues.insert(key, issue.clone());
                    issue
                }
            };
            deliveries.push(Delivery { id: *number, digest, recipient, message_id, attempts, issue, created });
        }
        Ok(deliveries)
    }

    /// Gives up the deliveries whose fate a killed run left open; answers how many.
    pub fn skip_uncertain(&mut self, now: Timestamp) -> Result<usize> {
        let skip = "UPDATE delivery SET state = 'failed', last_error = 'handed over by a run that was cut off: it may have arrived, and is not sent again' WHERE state = 'sending' AND next_attempt <= ?1";
        Ok(self.connection.execute(skip, [millis(now)])?)
    }

    fn issue(&self, key: i64) -> Result<Issue> {
        let mut statement = self.connection.prepare_cached("SELECT subject, text, html, name FROM issue WHERE pk = ?1")?;
        Ok(statement.query_row([key], |row| Ok(Issue { subject: row.get(0)?, text: row.get(1)?, html: row.get(2)?, name: row.get(3)? }))?)
    }

    /// Some of the issues whose web version does not stand yet.
    pub fn unarchived_issues(&self, issues_max: usize) -> Result<Vec<(i64, Issue)>> {
        let mut statement = self.connection.prepare_cached("SELECT pk FROM issue WHERE is_archived = 0 ORDER BY pk LIMIT ?1")?;
        let keys = statement.query_map([issues_max as i64], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        keys.into_iter().map(|key| Ok((key, self.issue(key)?))).collect()
    }

    /// Name, subject and time of the last issues of a digest, the newest first.
    pub fn last_issues(&self, digest: &str, issues_max: usize) -> Result<Vec<(String, String, Timestamp)>> {
        let sql = "SELECT name, subject, created FROM issue WHERE digest = ?1 AND name <> '' ORDER BY pk DESC LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![digest, issues_max as i64], |row| Ok((row.get(0)?, row.get(1)?, time(row.get(2)?))))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// A secret of this installation; `fresh` is kept where there is none yet.
    pub fn secret(&mut self, name: &str, fresh: &str) -> Result<String> {
        let select = "SELECT value FROM secret WHERE name = ?1";
        // Read first: a command that only reads is not to wait for one that writes.
        if let Some(known) = self.connection.query_row(select, [name], |row| row.get(0)).optional()? {
            return Ok(known);
        }
        self.connection.execute("INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING", [name, fresh])?;
        Ok(self.connection.query_row(select, [name], |row| row.get(0))?)
    }

    /// How many deliveries are in each state.
    pub fn delivery_counts(&self) -> Result<Vec<(String, u64)>> {
        let mut statement = self.connection.prepare_cached("SELECT state, count(*) FROM delivery GROUP BY state ORDER BY state")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// What the operator was not told yet, the oldest first.
    pub fn notices(&self) -> Result<Vec<Notice>> {
        let mut statement = self.connection.prepare_cached("SELECT source, text FROM notice ORDER BY pk")?;
        Ok(statement.query_map([], |row| Ok(Notice { source: row.get(0)?, text: row.get(1)? }))?.collect::<rusqlite::Result<_>>()?)
    }
}

impl Work<'_> {
    /// Claims a delivery until `lease_end`, if it is still due and nobody did since it had so many `attempts`: only one process
    /// gets `true`.
    pub fn claim_delivery(&mut self, number: i64, attempts: u32, now: Timestamp, lease_end: Timestamp) -> Result<bool> {
        let claim = "UPDATE delivery SET state = 'sending', attempts = attempts + 1, next_attempt = ?4
                     WHERE pk = ?1 AND attempts = ?2 AND state IN ('pending', 'sending') AND next_attempt <= ?3";
        Ok(self.transaction.prepare_cached(claim)?.execute(params![number, attempts, millis(now), millis(lease_end)])? == 1)
    }

    /// Keeps what became of a delivery.
    pub fn settle_delivery(&mut self, number: i64, state: DeliveryState, error: Option<&str>, next_attempt: Timestamp) -> Result<()> {
        let settle = "UPDATE delivery SET state = ?2, last_error = ?3, next_attempt = ?4 WHERE pk = ?1";
        self.transaction.prepare_cached(settle)?.execute(params![number, state.as_str(), error, millis(next_attempt)])?;
        Ok(())
    }

    /// Forgets the deliveries that were settled before a time, and the texts of issues that were for them: their web versions
    /// stand. Answers how many deliveries are gone.
    pub fn forget_deliveries(&mut self, limit: Timestamp) -> Result<usize> {
        let limit = millis(limit);
        let gone = self.transaction.execute("DELETE FROM delivery WHERE state IN ('sent', 'failed') AND next_attempt < ?1", [limit])?;
        self.transaction.execute(
            "UPDATE issue SET text = '', html = '' WHERE created < ?1 AND html <> '' AND is_archived = 1
             AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.issue = issue.pk)",
            [limit],
        )?;
        Ok(gone)
    }

    /// Keeps something for the operator.
    pub fn put_notice(&mut self, source: &str, text: &str, now: Timestamp) -> Result<()> {
        self.transaction.prepare_cached("INSERT INTO notice (source, at, text) VALUES (?1, ?2, ?3)")?.execute(params![source, millis(now), text])?;
        Ok(())
    }

    /// Forgets the oldest notices: they stand in an issue now.
    pub fn forget_notices(&mut self, count: usize) -> Result<()> {
        self.transaction.execute("DELETE FROM notice WHERE pk IN (SELECT pk FROM notice ORDER BY pk LIMIT ?1)", [count as i64])?;
        Ok(())
    }

    pub(super) fn put_issue(&self, digest: &str, slot: Timestamp, now: Timestamp, issue: &Issue) -> Result<i64> {
        let sql = "INSERT INTO issue (digest, slot, created, subject, text, html, name, is_archived) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7 = '')";
        self.transaction.prepare_cached(sql)?.execute(params![digest, millis(slot), millis(now), issue.subject, issue.text, issue.html, issue.name])?;
        Ok(self.transaction.last_insert_rowid())
    }

    /// Notes that the web version of an issue stands.
    pub fn set_archived(&mut self, key: i64) -> Result<()> {
        self.transaction.prepare_cached("UPDATE issue SET is_archived = 1 WHERE pk = ?1")?.execute([key])?;
        Ok(())
    }

    /// Queues an issue: its text, its stories and its deliveries, all at once. `false` when another process filled
    /// the slot or took a story first.
    pub fn queue_issue(&mut self, new: &NewIssue) -> Result<bool> {
        let issue = self.put_issue(new.digest, new.slot, new.now, new.issue)?;
        let mut find = self.transaction.prepare_cached("SELECT pk FROM story WHERE id = ?1")?;
        let mut mark = self.transaction.prepare_cached("INSERT OR IGNORE INTO issue_story (digest, story, issue) VALUES (?1, ?2, ?3)")?;
        for story in new.stories {
            let key: Option<i64> = find.query_row([story], |row| row.get(0)).optional()?;
            let marked = key.map(|key| mark.execute(params![new.digest, key, issue])).transpose()?;
            if marked != Some(1) {
                return Ok(false);
            }
        }
        let mut deliver =
            self.transaction.prepare_cached("INSERT INTO delivery (issue, recipient, message_id, state, next_attempt) VALUES (?1, ?2, ?3, 'pending', ?4)")?;
        for delivery in new.deliveries {
            deliver.execute(params![issue, delivery.recipient, delivery.message_id, millis(new.now)])?;
        }
        Ok(true)
    }
}
