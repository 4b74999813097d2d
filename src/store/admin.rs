//! Sessions of those who signed in, and the numbers that they look at: by day, and bounded.

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

use super::driver::Row;
use super::mailing::{QUEUED, QueuedDelivery, queued};
use super::unit::{AdminSessions, Overview, Write};
use super::values::texts;
use super::{Result, millis, time};
use crate::model::admin::AdminSession;
use crate::model::digest::{DigestId, Scope};

const DAY_MILLIS: i64 = 86_400_000;
/// How long it is kept what became of mail.
const MAIL_DAYS_KEPT: i64 = 400;
/// More than so many are not counted: nobody needs to know exactly how much waits.
pub const COUNTED_MAX: u64 = 10_000;

/// The number of a day since 1970, in UTC.
pub fn day_number(at: Timestamp) -> i64 {
    millis(at).div_euclid(DAY_MILLIS)
}

/// What a source brought on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceDay {
    pub source: String,
    pub day: i64,
    pub entries: u64,
}

/// What became of attempts to send mail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailCounts {
    pub sent: u64,
    pub deferred: u64,
    pub refused: u64,
}

/// The same, on a day, by the server that was asked and the provider of the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailDay {
    pub day: i64,
    pub server: String,
    pub provider: String,
    pub counts: MailCounts,
}

fn session(row: &Row) -> rusqlite::Result<AdminSession> {
    let (account, fingerprint) = (row.get(0)?, row.get(1)?);
    Ok(AdminSession { account, fingerprint, created: time(row.get(2)?), used: time(row.get(3)?) })
}

fn number(row: &Row, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<i64>(column)?.unsigned_abs())
}

impl<A> AdminSessions<'_, A> {
    /// The session of a hash.
    pub fn get(&self, hash: &str) -> Result<Option<AdminSession>> {
        let sql = "SELECT account, fingerprint, created, used FROM admin_session WHERE hash = ?1";
        self.db.row(sql, [hash], session)
    }
}

impl AdminSessions<'_, Write> {
    /// Stores a new session, and forgets those that began before a time.
    pub fn put(&self, hash: &str, session: &AdminSession, limit: Timestamp) -> Result<()> {
        self.db.execute("DELETE FROM admin_session WHERE created < ?1", [millis(limit)])?;
        let sql = "INSERT INTO admin_session (hash, account, fingerprint, created, used) VALUES (?1, ?2, ?3, ?4, ?5)";
        let AdminSession { account, fingerprint, created, used } = session;
        let parameters = params![hash, account, fingerprint, millis(*created), millis(*used)];
        self.db.execute(sql, parameters).map(drop)
    }

    /// Notes that a session is used.
    pub fn note_used(&self, hash: &str, now: Timestamp) -> Result<()> {
        let sql = "UPDATE admin_session SET used = ?2 WHERE hash = ?1";
        self.db.execute(sql, params![hash, millis(now)]).map(drop)
    }

    /// Ends a session.
    pub fn delete(&self, hash: &str) -> Result<()> {
        self.db.execute("DELETE FROM admin_session WHERE hash = ?1", [hash]).map(drop)
    }
}

impl<A> Overview<'_, A> {
    /// What some sources brought, each day from one on.
    pub fn source_days(&self, sources: &[&str], from: i64) -> Result<Vec<SourceDay>> {
        let sql = "SELECT source_day.source, day, source_day.entries FROM json_each(?1) AS asked CROSS JOIN source_day ON source_day.source = asked.value AND day >= ?2
                   ORDER BY source_day.source, day";
        self.db.rows(sql, params![texts(sources), from], |row| {
            Ok(SourceDay { source: row.get(0)?, day: row.get(1)?, entries: number(row, 2)? })
        })
    }

    /// What became of mail, each day from one on.
    pub fn mail_days(&self, from: i64) -> Result<Vec<MailDay>> {
        let sql = "SELECT day, server, provider, sent, deferred, refused FROM mail_day WHERE day >= ?1 ORDER BY day, server, provider";
        self.db.rows(sql, [from], |row| {
            let counts =
                MailCounts { sent: number(row, 3)?, deferred: number(row, 4)?, refused: number(row, 5)? };
            Ok(MailDay { day: row.get(0)?, server: row.get(1)?, provider: row.get(2)?, counts })
        })
    }

    /// How many people joined the list, each day since a time.
    pub fn joined_days(&self, since: Timestamp) -> Result<Vec<(i64, u64)>> {
        let sql = "SELECT created / 86400000 AS day, count(*) FROM subscriber WHERE created >= ?1 GROUP BY created / 86400000 ORDER BY day";
        self.db.rows(sql, [millis(since)], |row| Ok((row.get(0)?, number(row, 1)?)))
    }

    /// How many people left, or their mail came back, each day since a time.
    pub fn left_days(&self, since: Timestamp) -> Result<Vec<(i64, u64)>> {
        let sql = "SELECT at / 86400000 AS day, count(*) FROM suppression WHERE at >= ?1 AND digest IN (?2, ?3) GROUP BY at / 86400000 ORDER BY day";
        let parameters = params![millis(since), DigestId::Personal, Scope::All];
        self.db.rows(sql, parameters, |row| Ok((row.get(0)?, number(row, 1)?)))
    }

    /// How many deliveries are in a state; of more than `COUNTED_MAX`, one more than that.
    pub fn deliveries_in(&self, state: &str) -> Result<u64> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM delivery WHERE state = ?1 LIMIT {}) AS few",
            COUNTED_MAX + 1
        );
        self.db.one(&sql, [state], |row| number(row, 0))
    }

    /// Some deliveries in a state, in the order in which they are due.
    pub fn unsent(&self, state: &str, deliveries_max: usize) -> Result<Vec<QueuedDelivery>> {
        self.db.rows(&format!("{QUEUED} LIMIT {deliveries_max}"), [state], queued)
    }
}

impl Overview<'_, Write> {
    /// Counts entries that a source brought, and forgets its days of two months ago.
    pub fn count_entries(&self, source: &str, entries: usize, now: Timestamp) -> Result<()> {
        const DAYS_KEPT: i64 = 60;
        let day = day_number(now);
        let sql = "INSERT INTO source_day (source, day, entries) VALUES (?1, ?2, ?3) ON CONFLICT (source, day) DO UPDATE SET entries = source_day.entries + ?3";
        self.db.execute(sql, params![source, day, entries as i64])?;
        let sql = "DELETE FROM source_day WHERE source = ?1 AND day < ?2";
        self.db.execute(sql, params![source, day - DAYS_KEPT]).map(drop)
    }

    /// Counts what became of attempts to send mail.
    pub fn count_mail(&self, server: &str, provider: &str, counts: MailCounts, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO mail_day (day, server, provider, sent, deferred, refused) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (day, server, provider) DO UPDATE SET sent = mail_day.sent + ?4, deferred = mail_day.deferred + ?5, refused = mail_day.refused + ?6";
        let [sent, deferred, refused] =
            [counts.sent, counts.deferred, counts.refused].map(|count| count.cast_signed());
        let parameters = params![day_number(now), server, provider, sent, deferred, refused];
        self.db.execute(sql, parameters).map(drop)
    }

    /// Forgets what became of mail long ago.
    pub fn forget_mail_days(&self, now: Timestamp) -> Result<()> {
        let limit = day_number(now) - MAIL_DAYS_KEPT;
        self.db.execute("DELETE FROM mail_day WHERE day < ?1", [limit]).map(drop)
    }
}

/// The beginning of the day so many days before that of a time.
pub fn days_before(now: Timestamp, days: i64) -> Timestamp {
    let today = Timestamp::from_millisecond(day_number(now) * DAY_MILLIS).unwrap_or(now);
    today.saturating_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MIN)
}
