//! What goes to outlets, until it is accepted or given up, and how far each has considered what is published.

use jiff::Timestamp;
use rusqlite::params;

use super::driver::InsertOrder;
use super::leases::LEASE;
use super::unit::{Posts, Write};
use super::{Result, millis, time};
use crate::model::digest::DigestId;
use crate::model::keys::{EntryKey, IssueKey, PostKey};

const LAST_POST: &str = "SELECT coalesce(max(pk), 0) FROM post";

/// How far an outlet has considered what is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutletMark {
    pub entry: EntryKey,
    pub issue: IssueKey,
}

/// One event for one outlet, to be posted now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedPost {
    pub key: PostKey,
    /// By which the outlet tells events apart.
    pub event: String,
    pub body: String,
    pub created: Timestamp,
    pub attempts: u32,
    /// How many times it was claimed; a worker whose claim was taken over recognises that by this number.
    claim: i64,
}

/// A post that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingPost {
    pub outlet: String,
    pub event: String,
    pub created: Timestamp,
    pub attempts: u32,
    pub next_attempt: Timestamp,
    /// Why the last attempt failed; empty before the first.
    pub reason: String,
}

/// An issue with a web version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedIssue {
    pub key: IssueKey,
    pub digest: DigestId,
    pub name: String,
    pub subject: String,
    pub created: Timestamp,
}

impl<A> Posts<'_, A> {
    /// How far an outlet has considered what is published; `None` for a new one.
    pub fn mark(&self, outlet: &str) -> Result<Option<OutletMark>> {
        let sql = "SELECT entry, issue FROM outlet_mark WHERE outlet = ?1";
        self.db.row(sql, [outlet], |row| Ok(OutletMark { entry: row.get(0)?, issue: row.get(1)? }))
    }

    /// The end of what is published.
    pub fn end(&self) -> Result<OutletMark> {
        let sql = "SELECT (SELECT coalesce(max(pk), 0) FROM entry), (SELECT coalesce(max(pk), 0) FROM issue)";
        self.db.one(sql, [], |row| Ok(OutletMark { entry: row.get(0)?, issue: row.get(1)? }))
    }

    /// Some issues with web versions after one, in their order.
    pub fn issues_after(&self, key: IssueKey, issues_max: usize) -> Result<Vec<PublishedIssue>> {
        let sql = format!(
            "SELECT pk, digest, name, subject, created FROM issue WHERE pk > ?1 AND name <> '' ORDER BY pk LIMIT {issues_max}"
        );
        self.db.rows(&sql, [key], |row| {
            Ok(PublishedIssue {
                key: row.get(0)?,
                digest: row.get(1)?,
                name: row.get(2)?,
                subject: row.get(3)?,
                created: time(row.get(4)?),
            })
        })
    }

    /// Whether something is to be posted to an outlet now.
    pub fn has_due(&self, outlet: &str, now: Timestamp) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM post WHERE outlet = ?1 AND next_attempt <= ?2)";
        self.db.one(sql, params![outlet, millis(now)], |row| row.get(0))
    }

    /// All that waits, in its order.
    pub fn waiting(&self) -> Result<Vec<WaitingPost>> {
        let sql = "SELECT outlet, event, created, attempts, next_attempt, coalesce(last_error, '') FROM post ORDER BY pk";
        self.db.rows(sql, [], |row| {
            Ok(WaitingPost {
                outlet: row.get(0)?,
                event: row.get(1)?,
                created: time(row.get(2)?),
                attempts: row.get(3)?,
                next_attempt: time(row.get(4)?),
                reason: row.get(5)?,
            })
        })
    }
}

impl Posts<'_, Write> {
    /// Queues an event for an outlet, once.
    pub fn put(&self, outlet: &str, event: &str, body: &str, now: Timestamp) -> Result<()> {
        let sql = "SELECT EXISTS (SELECT 1 FROM post WHERE outlet = ?1 AND event = ?2)";
        if self.db.one(sql, [outlet, event], |row| row.get(0))? {
            return Ok(());
        }
        let key = PostKey(self.db.next_key(LAST_POST)?);
        let sql = "INSERT INTO post (pk, outlet, event, body, created, next_attempt) VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
        self.db.execute_later(InsertOrder::Rest, sql, params![key, outlet, event, body, millis(now)])
    }

    /// Notes how far an outlet has considered what is published.
    pub fn put_mark(&self, outlet: &str, mark: OutletMark) -> Result<()> {
        let sql = "INSERT INTO outlet_mark (outlet, entry, issue) VALUES (?1, ?2, ?3) ON CONFLICT (outlet) DO UPDATE SET entry = ?2, issue = ?3";
        self.db.execute(sql, params![outlet, mark.entry, mark.issue]).map(drop)
    }

    /// Claims some of what is due at an outlet, in its order: it is this worker's until settled or until its lease ends. `leased` is the
    /// current time on the clock of leases.
    pub fn claim(
        &self,
        outlet: &str,
        worker: &str,
        (now, leased): (Timestamp, Timestamp),
        posts_max: usize,
    ) -> Result<Vec<ClaimedPost>> {
        let due = format!(
            "SELECT pk FROM post WHERE outlet = ?1 AND next_attempt <= ?2 AND lease_end <= ?5 ORDER BY next_attempt LIMIT {posts_max}"
        );
        let sql = format!(
            "UPDATE post SET worker = ?3, claims = claims + 1, lease_end = ?4 WHERE pk IN ({due}) RETURNING pk, event, body, created, attempts, claims"
        );
        let parameters = params![outlet, millis(now), worker, millis(leased + LEASE), millis(leased)];
        let mut claimed = self.db.rows(&sql, parameters, |row| {
            let (key, event, body, created) = (row.get(0)?, row.get(1)?, row.get(2)?, time(row.get(3)?));
            Ok(ClaimedPost { key, event, body, created, attempts: row.get(4)?, claim: row.get(5)? })
        })?;
        claimed.sort_by_key(|post| post.key);
        Ok(claimed)
    }

    /// Deletes what was accepted, or given up.
    pub fn delete(&self, post: &ClaimedPost) -> Result<()> {
        let sql = "DELETE FROM post WHERE pk = ?1 AND claims = ?2";
        self.db.execute(sql, params![post.key, post.claim]).map(drop)
    }

    /// Gives back what was not begun: it is due as it was.
    pub fn release(&self, post: &ClaimedPost) -> Result<()> {
        let sql = "UPDATE post SET lease_end = 0, worker = NULL WHERE pk = ?1 AND claims = ?2";
        self.db.execute(sql, params![post.key, post.claim]).map(drop)
    }

    /// Schedules a post again that failed.
    pub fn defer(&self, post: &ClaimedPost, next_attempt: Timestamp, why: &str) -> Result<()> {
        let sql = "UPDATE post SET attempts = attempts + 1, next_attempt = ?3, last_error = ?4, lease_end = 0, worker = NULL WHERE pk = ?1 AND claims = ?2";
        self.db.execute(sql, params![post.key, post.claim, millis(next_attempt), why]).map(drop)
    }

    /// Deletes what is older, of outlets that there are not any more.
    pub fn forget(&self, limit: Timestamp, leased: Timestamp) -> Result<usize> {
        let sql = "DELETE FROM post WHERE created < ?1 AND lease_end <= ?2";
        self.db.execute(sql, params![millis(limit), millis(leased)])
    }
}
