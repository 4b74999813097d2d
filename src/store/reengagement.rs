//! Subscribers who are asked whether they still want the newsletter, and what they answered.

use jiff::Timestamp;
use rusqlite::params;

use super::unit::{Subscribers, Write};
use super::values::texts;
use super::{Result, Unit, millis, optional_time, time};
use crate::model::digest::{DigestId, Issue};
use crate::model::keys::IssueKey;

/// A subscriber who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedSubscriber {
    /// The number of the subscriber.
    pub key: i64,
    pub address: String,
    pub hash: String,
    pub language: String,
}

/// What is known of the question to a subscriber.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReengagementMarks {
    /// When they last said by themselves that they want the newsletter, after their consent.
    pub confirmed: Option<Timestamp>,
    /// Since when the question is open.
    pub asked: Option<Timestamp>,
}

/// What became of the last mail that asked an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionMail {
    Waiting,
    Failed,
    Sent(Timestamp),
}

impl<A> Subscribers<'_, A> {
    /// Some subscribers who last said before a time that they want the newsletter, and are not asked yet; those first who said so
    /// longest ago.
    pub fn to_be_asked(&self, limit: Timestamp, subscribers_max: usize) -> Result<Vec<AskedSubscriber>> {
        self.asked_rows(
            &format!("coalesce(confirmed_at, consent_at) <= ?1 AND asked_at IS NULL ORDER BY coalesce(confirmed_at, consent_at) LIMIT {subscribers_max}"),
            limit,
        )
    }

    /// Some subscribers who were asked before a time and have not answered; those first who were asked first.
    pub fn unanswered(&self, limit: Timestamp, subscribers_max: usize) -> Result<Vec<AskedSubscriber>> {
        self.asked_rows(
            &format!("asked_at IS NOT NULL AND asked_at <= ?1 ORDER BY asked_at LIMIT {subscribers_max}"),
            limit,
        )
    }

    fn asked_rows(&self, condition: &str, limit: Timestamp) -> Result<Vec<AskedSubscriber>> {
        let sql = format!(
            "SELECT pk, address, hash, language FROM subscriber WHERE state = 'active' AND {condition}"
        );
        self.db.rows(&sql, [millis(limit)], |row| {
            Ok(AskedSubscriber {
                key: row.get(0)?,
                address: row.get(1)?,
                hash: row.get(2)?,
                language: row.get(3)?,
            })
        })
    }

    /// What became of the last mail that asked an address; `None` if it is not stored any more.
    pub fn last_asked(&self, address: &str) -> Result<Option<QuestionMail>> {
        let sql = "SELECT delivery.state, next_attempt FROM delivery JOIN issue ON issue.pk = delivery.issue
                   WHERE recipient = ?1 COLLATE NOCASE AND issue.digest = ?2 ORDER BY delivery.pk DESC LIMIT 1";
        self.db.row(sql, params![address, DigestId::Reengagement], |row| {
            let (state, at): (String, i64) = (row.get(0)?, row.get(1)?);
            Ok(match state.as_str() {
                "sent" => QuestionMail::Sent(time(at)),
                "failed" => QuestionMail::Failed,
                _ => QuestionMail::Waiting,
            })
        })
    }

    /// What is known of the question to a subscriber.
    pub fn reengagement(&self, hash: &str) -> Result<ReengagementMarks> {
        let sql = "SELECT confirmed_at, asked_at FROM subscriber WHERE hash = ?1";
        let marks = self.db.row(sql, [hash], |row| {
            let [confirmed, asked] = [row.get(0)?, row.get(1)?].map(optional_time);
            Ok(ReengagementMarks { confirmed, asked })
        })?;
        Ok(marks.unwrap_or_default())
    }
}

impl Subscribers<'_, Write> {
    /// Queues the question for subscribers. `message_id` is called with the issue's key and the address.
    pub fn ask(
        &self,
        issue: &Issue,
        asked: &[&AskedSubscriber],
        now: Timestamp,
        message_id: impl Fn(IssueKey, &AskedSubscriber) -> String,
    ) -> Result<()> {
        let unit: Unit<Write> = Unit::new(self.db, self.index);
        let number = unit.mailing().put_issue(&DigestId::Reengagement, now, now, issue)?;
        for subscriber in asked {
            unit.mailing().put_delivery(number, &subscriber.address, &message_id(number, subscriber), now)?;
        }
        let keys: Vec<i64> = asked.iter().map(|subscriber| subscriber.key).collect();
        let sql = "UPDATE subscriber SET asked_at = ?2 WHERE pk IN (SELECT CAST(value AS BIGINT) FROM json_each(?1))";
        self.db.execute(sql, params![texts(&keys), millis(now)]).map(drop)
    }

    /// Sets since when a subscriber is asked; without a time, they are asked once more.
    pub fn set_asked(&self, key: i64, at: Option<Timestamp>) -> Result<()> {
        let sql = "UPDATE subscriber SET asked_at = ?2 WHERE pk = ?1";
        self.db.execute(sql, params![key, at.map(millis)]).map(drop)
    }

    /// A subscriber said by themselves that they want the newsletter.
    pub fn note_confirmed(&self, hash: &str, now: Timestamp) -> Result<()> {
        let sql = "UPDATE subscriber SET confirmed_at = ?2, asked_at = NULL WHERE hash = ?1";
        self.db.execute(sql, params![hash, millis(now)]).map(drop)
    }
}
