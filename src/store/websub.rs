//! Subscriptions at hubs (WebSub, W3C Recommendation of 23 January 2018).

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::{Result, Store, Work, millis, time};
use crate::model::subscription::Subscription;

/// A hub that has told us nothing for longer is not relied upon.
const PUSH_FRESH: SignedDuration = SignedDuration::from_hours(7 * 24);

const COLUMNS: &str = "source, token, hub, topic, secret, asked, lease_end, last_push";

fn subscription(row: &Row) -> rusqlite::Result<Subscription> {
    let at = |column: usize| -> rusqlite::Result<Option<Timestamp>> { Ok(row.get::<_, Option<i64>>(column)?.map(time)) };
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

impl Store {
    pub fn subscriptions(&self) -> Result<Vec<Subscription>> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM subscription ORDER BY source"))?;
        Ok(statement.query_map([], subscription)?.collect::<rusqlite::Result<_>>()?)
    }

    /// The subscription whose callback address ends in this token.
    pub fn subscription(&self, token: &str) -> Result<Option<Subscription>> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM subscription WHERE token = ?1"))?;
        Ok(statement.query_row([token], subscription).optional()?)
    }

    /// Keeps a subscription; a source has one.
    pub fn put_subscription(&mut self, new: &Subscription) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO subscription (source, token, hub, topic, secret, asked, lease_end, last_push) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (source) DO UPDATE SET token = ?2, hub = ?3, topic = ?4, secret = ?5, asked = ?6, lease_end = ?7, last_push = ?8",
        )?;
        statement.execute(params![
            new.source,
            new.token,
            new.hub,
            new.topic,
            new.secret,
            millis(new.asked),
            new.lease_end.map(millis),
            new.last_push.map(millis)
        ])?;
        Ok(())
    }

    /// Whether a hub has lately pushed what this source brings, and still means to.
    pub fn is_pushed(&self, source: &str, now: Timestamp) -> Result<bool> {
        let mut statement = self.connection.prepare_cached("SELECT 1 FROM subscription WHERE source = ?1 AND lease_end > ?2 AND last_push > ?3")?;
        Ok(statement.exists(params![source, millis(now), millis(now - PUSH_FRESH)])?)
    }
}

impl Work<'_> {
    /// Polling found what the hub should have told.
    pub fn forget_push(&mut self, source: &str) -> Result<()> {
        self.transaction.execute("UPDATE subscription SET last_push = NULL WHERE source = ?1", [source])?;
        Ok(())
    }
}
