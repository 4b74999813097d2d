//! Subscriptions at hubs (WebSub, W3C Recommendation of 23 January 2018).

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

use super::driver::Row;
use super::unit::{Subscriptions, Write};
use super::{Result, millis, optional_time, time};
use crate::model::subscription::Subscription;

/// A hub that has pushed nothing for longer than this is not relied upon.
const PUSH_FRESH: SignedDuration = SignedDuration::from_hours(7 * 24);

const COLUMNS: &str = "source, token, hub, topic, secret, asked, lease_end, last_push";

fn subscription(row: &Row) -> rusqlite::Result<Subscription> {
    let at = |column: usize| -> rusqlite::Result<Option<Timestamp>> { Ok(optional_time(row.get(column)?)) };
    Ok(Subscription {
        source: row.get(0)?,
        token: row.get(1)?,
        hub: row.get(2)?,
        topic: row.get(3)?,
        secret: row.get(4)?,
        asked: time(row.get(5)?),
        lease_end: at(6)?,
        last_push: at(7)?,
    })
}

impl<A> Subscriptions<'_, A> {
    pub fn list(&self) -> Result<Vec<Subscription>> {
        self.db.rows(&format!("SELECT {COLUMNS} FROM subscription ORDER BY source"), [], subscription)
    }

    /// The subscription whose callback address ends in this token.
    pub fn get(&self, token: &str) -> Result<Option<Subscription>> {
        self.db.row(&format!("SELECT {COLUMNS} FROM subscription WHERE token = ?1"), [token], subscription)
    }

    /// Whether a hub has recently pushed for this source and the subscription is still valid.
    pub fn is_pushed(&self, source: &str, now: Timestamp) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM subscription WHERE source = ?1 AND lease_end > ?2 AND last_push > ?3)";
        self.db.one(sql, params![source, millis(now), millis(now - PUSH_FRESH)], |row| row.get(0))
    }
}

impl Subscriptions<'_, Write> {
    /// Stores a subscription; a source has at most one.
    pub fn put(&self, new: &Subscription) -> Result<()> {
        let sql = "INSERT INTO subscription (source, token, hub, topic, secret, asked, lease_end, last_push) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                   ON CONFLICT (source) DO UPDATE SET token = ?2, hub = ?3, topic = ?4, secret = ?5, asked = ?6, lease_end = ?7, last_push = ?8";
        let parameters = params![
            new.source,
            new.token,
            new.hub,
            new.topic,
            new.secret,
            millis(new.asked),
            new.lease_end.map(millis),
            new.last_push.map(millis)
        ];
        self.db.execute(sql, parameters)?;
        Ok(())
    }

    /// Clears the time of the last push: polling found what the hub should have pushed.
    pub fn forget_push(&self, source: &str) -> Result<()> {
        self.db.execute("UPDATE subscription SET last_push = NULL WHERE source = ?1", [source])?;
        Ok(())
    }
}
