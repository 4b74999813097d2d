//! Readers of lists who were refused, and what their domains took: by both it is known whether a refusal is one reader's own. All runs
//! and processes on the store share them.

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

use super::mailing::WhyHandedBack;
use super::unit::{Mailing, Write};
use super::{Result, millis, time};
use crate::model::digest::Scope;
use crate::model::keys::DeliveryKey;
use crate::model::subscriber::SubscriberState;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A reader of a list who was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefusal {
    /// Keyed hash of the address.
    pub hash: String,
    pub domain: String,
    /// What the server says to everybody alike.
    pub words: String,
    /// It says that there is no such mailbox.
    pub is_gone: bool,
    pub delivery: DeliveryKey,
}

/// What a domain took of the mail of lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AcceptedAtDomain {
    /// On the best of the days.
    pub most_a_day: u64,
    pub latest: Option<Timestamp>,
}

/// Refused readers, and how many domains they are at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefusedAlike {
    pub readers: u64,
    pub domains: u64,
}

/// The number of a day.
fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(DAY.as_secs())
}

impl<A> Mailing<'_, A> {
    /// Since when a reader is refused, if so.
    pub fn refused_since(&self, hash: &str) -> Result<Option<Timestamp>> {
        self.db.row("SELECT since FROM refusal WHERE hash = ?1", [hash], |row| Ok(time(row.get(0)?)))
    }

    /// The number of readers at a domain who were refused since a time: all of them, or those whose mailbox is said not to exist.
    pub fn refused_there(&self, domain: &str, is_gone: bool, from: Timestamp) -> Result<u64> {
        let sql = "SELECT count(*) FROM refusal WHERE domain = ?1 AND latest >= ?2 AND is_gone >= ?3";
        let count: i64 = self.db.one(sql, params![domain, millis(from), is_gone], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// The readers who were refused since a time in the same words as this one, at domains that took nothing afterwards.
    pub fn refused_alike(&self, hash: &str, from: Timestamp) -> Result<RefusedAlike> {
        let sql = "SELECT count(*), count(DISTINCT domain) FROM refusal WHERE words = (SELECT words FROM refusal WHERE hash = ?1) AND latest >= ?2
                   AND NOT EXISTS (SELECT 1 FROM domain_day WHERE domain_day.domain = refusal.domain AND domain_day.latest >= refusal.since)";
        self.db.one(sql, params![hash, millis(from)], |row| {
            let (readers, domains): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok(RefusedAlike { readers: readers.unsigned_abs(), domains: domains.unsigned_abs() })
        })
    }

    /// What a domain took since the day of a time.
    pub fn taken_there(&self, domain: &str, from: Timestamp) -> Result<AcceptedAtDomain> {
        let sql =
            "SELECT coalesce(max(taken), 0), max(latest) FROM domain_day WHERE domain = ?1 AND day >= ?2";
        self.db.one(sql, params![domain, day(from)], |row| {
            Ok(AcceptedAtDomain {
                most_a_day: row.get::<i64>(0)?.unsigned_abs(),
                latest: row.get::<Option<i64>>(1)?.map(time),
            })
        })
    }

    /// What all domains together took, on the best day since that of a time.
    pub fn taken_a_day(&self, from: Timestamp) -> Result<u64> {
        let sql = "SELECT coalesce(max(total), 0) FROM (SELECT CAST(sum(taken) AS BIGINT) AS total FROM domain_day WHERE day >= ?1 GROUP BY day) AS days";
        Ok(self.db.one(sql, [day(from)], |row| row.get::<i64>(0))?.unsigned_abs())
    }

    /// Whether a server took other mail to the recipient of a delivery, as far as that is kept.
    pub fn was_served(&self, number: DeliveryKey) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM delivery WHERE recipient = (SELECT recipient FROM delivery WHERE pk = ?1) COLLATE NOCASE AND state = 'sent')";
        self.db.one(sql, [number], |row| row.get(0))
    }
}

impl Mailing<'_, Write> {
    /// A reader was refused.
    pub fn put_refusal(&self, refused: &NewRefusal, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO refusal (hash, domain, words, is_gone, since, latest, delivery) VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)
                   ON CONFLICT (hash) DO UPDATE SET since = iif(refusal.is_gone = ?4, min(refusal.since, ?5), ?5), domain = ?2, words = ?3, is_gone = ?4, latest = ?5, delivery = ?6";
        let NewRefusal { hash, domain, words, is_gone, delivery } = refused;
        self.db.execute(sql, params![hash, domain, words, is_gone, millis(now), delivery])?;
        Ok(())
    }

    /// The mail of a list to a reader was taken.
    pub fn note_taken(&self, hash: &str, domain: &str, now: Timestamp) -> Result<()> {
        self.db.execute("DELETE FROM refusal WHERE hash = ?1", [hash])?;
        let sql = "INSERT INTO domain_day (domain, day, taken, latest) VALUES (?1, ?2, 1, ?3)
                   ON CONFLICT (domain, day) DO UPDATE SET taken = domain_day.taken + 1, latest = ?3";
        self.db.execute(sql, params![domain, day(now), millis(now)])?;
        Ok(())
    }

    /// A refused reader is about to be suppressed: keeps what is needed to take that back.
    pub fn note_believed(&self, hash: &str, now: Timestamp) -> Result<()> {
        let sql = "UPDATE refusal SET believed = ?2, was = (SELECT state FROM subscriber WHERE subscriber.hash = refusal.hash) WHERE hash = ?1";
        self.db.execute(sql, params![hash, millis(now)])?;
        Ok(())
    }

    /// A delivery that was handed back in doubt waits until a time; `false` when another process has it.
    pub fn keep_back(
        &self,
        number: DeliveryKey,
        attempts: u32,
        why: &WhyHandedBack,
        next_attempt: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE delivery SET next_attempt = ?3, is_held = max(is_held, ?4), last_error = ?5 WHERE pk = ?1 AND attempts = ?2 AND state = 'pending'";
        let (WhyHandedBack::NotTheirs(reason) | WhyHandedBack::InDoubt { reason, .. }) = why;
        let is_held = matches!(why, WhyHandedBack::NotTheirs(_));
        Ok(self.db.execute(sql, params![number, attempts, millis(next_attempt), is_held, reason])? == 1)
    }

    /// Takes back what was believed of readers since a time, now that many are refused at their domain or in the same words: nobody of
    /// them is suppressed for it any more, and their mail waits until `next_attempt`. What lasted for as long as `lasting` stays. Answers
    /// who they are, by the hashes of their addresses, and which deliveries it was about.
    pub fn take_back(
        &self,
        hash: &str,
        is_alike: bool,
        (from, lasting): (Timestamp, SignedDuration),
        next_attempt: Timestamp,
    ) -> Result<Vec<(String, DeliveryKey)>> {
        let like = if is_alike { "words" } else { "domain" };
        let sql = format!(
            "SELECT hash, delivery, believed, was FROM refusal WHERE {like} = (SELECT {like} FROM refusal WHERE hash = ?1)
             AND latest >= ?2 AND believed IS NOT NULL AND believed - since < ?3"
        );
        let lasting = i64::try_from(lasting.as_millis()).unwrap_or(i64::MAX);
        let rows: Vec<(String, DeliveryKey, i64, Option<String>)> =
            self.db.rows(&sql, params![hash, millis(from), lasting], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
        for (hash, delivery, believed, was) in &rows {
            self.take_back_one(hash, *delivery, *believed, was.as_deref(), next_attempt)?;
        }
        Ok(rows.into_iter().map(|(hash, delivery, ..)| (hash, delivery)).collect())
    }

    fn take_back_one(
        &self,
        hash: &str,
        delivery: DeliveryKey,
        believed: i64,
        was: Option<&str>,
        next_attempt: Timestamp,
    ) -> Result<()> {
        self.db.execute("UPDATE refusal SET believed = NULL, was = NULL WHERE hash = ?1", [hash])?;
        let bounced = SubscriberState::Bounced.as_str();
        // Whoever left, complained or was returned since stays out.
        let sql = "DELETE FROM suppression WHERE address = ?1 AND digest = ?2 AND reason = ?3 AND at = ?4";
        if self.db.execute(sql, params![hash, Scope::All, bounced, believed])? == 0 {
            return Ok(());
        }
        if let Some(was) = was {
            let sql = "UPDATE subscriber SET state = ?2 WHERE hash = ?1 AND state = ?3";
            self.db.execute(sql, params![hash, was, bounced])?;
        }
        let sql = "UPDATE delivery SET state = 'pending', is_held = 1, next_attempt = ?2 WHERE pk = ?1 AND state = 'failed'";
        self.db.execute(sql, params![delivery, millis(next_attempt)])?;
        Ok(())
    }

    /// Forgets whom nobody refused since a time, and what was taken before it.
    pub fn forget_refusals(&self, limit: Timestamp) -> Result<()> {
        self.db.execute("DELETE FROM refusal WHERE latest < ?1", [millis(limit)])?;
        self.db.execute("DELETE FROM domain_day WHERE day < ?1", [day(limit)])?;
        Ok(())
    }
}
