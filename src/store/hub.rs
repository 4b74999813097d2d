//! Subscribers of our own hub, and what is to be told to whom.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Result, Store, Work, millis};

/// A push to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// A subscriber's callback, or the address of another hub.
    pub callback: String,
    /// The address of the feed.
    pub topic: String,
    /// `None` when nobody of ours is behind the callback: it is another hub, or has left.
    pub secret: Option<String>,
    pub attempts: u32,
}

impl Store {
    /// Keeps a subscriber, or a new lease of one.
    pub fn put_hub_subscriber(&mut self, callback: &str, topic: &str, secret: &str, lease_end: Timestamp) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO hub_subscriber (callback, topic, secret, lease_end) VALUES (?1, ?2, ?3, ?4)";
        self.connection.execute(sql, params![callback, topic, secret, millis(lease_end)])?;
        Ok(())
    }

    /// Forgets a subscriber, and what was to be pushed to it.
    pub fn delete_hub_subscriber(&mut self, callback: &str, topic: &str) -> Result<()> {
        self.connection.execute("DELETE FROM hub_subscriber WHERE callback = ?1 AND topic = ?2", [callback, topic])?;
        self.connection.execute("DELETE FROM hub_push WHERE callback = ?1 AND topic = ?2", [callback, topic])?;
        Ok(())
    }

    /// How many subscribers there are in all, and how many whose callback begins so.
    pub fn hub_subscriber_counts(&self, origin: &str) -> Result<(u64, u64)> {
        let sql = "SELECT count(*), count(*) FILTER (WHERE substr(callback, 1, length(?1)) = ?1) FROM hub_subscriber";
        Ok(self.connection.query_row(sql, [origin], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs())))?)
    }

    /// Whether somebody is a subscriber.
    pub fn has_hub_subscriber(&self, callback: &str, topic: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM hub_subscriber WHERE callback = ?1 AND topic = ?2";
        Ok(self.connection.query_row(sql, [callback, topic], |_| Ok(())).optional()?.is_some())
    }

    /// The pushes whose time has come.
    pub fn due_pushes(&self, now: Timestamp, pushes_max: usize) -> Result<Vec<Push>> {
        let sql = "SELECT hub_push.callback, hub_push.topic, secret, attempts FROM hub_push LEFT JOIN hub_subscriber USING (callback, topic) WHERE next_attempt <= ?1 LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![millis(now), pushes_max as i64], |row| {
            Ok(Push { callback: row.get(0)?, topic: row.get(1)?, secret: row.get(2)?, attempts: row.get(3)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// A push is done, or given up.
    pub fn delete_push(&mut self, push: &Push) -> Result<()> {
        self.connection.execute("DELETE FROM hub_push WHERE callback = ?1 AND topic = ?2", [&push.callback, &push.topic])?;
        Ok(())
    }

    /// A push failed, and is made again at a time.
    pub fn defer_push(&mut self, push: &Push, next_attempt: Timestamp) -> Result<()> {
        let sql = "UPDATE hub_push SET attempts = attempts + 1, next_attempt = ?3 WHERE callback = ?1 AND topic = ?2";
        self.connection.execute(sql, params![push.callback, push.topic, millis(next_attempt)])?;
        Ok(())
    }
}

impl Work<'_> {
    /// Notes that the bytes of a feed changed.
    pub fn put_changed_feed(&mut self, path: &str) -> Result<()> {
        self.transaction.prepare_cached("INSERT OR IGNORE INTO changed_feed (path) VALUES (?1)")?.execute([path])?;
        Ok(())
    }

    /// Takes the feeds that changed, in the order of their paths.
    pub fn take_changed_feeds(&mut self) -> Result<Vec<String>> {
        let mut paths = {
            let mut statement = self.transaction.prepare_cached("DELETE FROM changed_feed RETURNING path")?;
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?
        };
        paths.sort();
        Ok(paths)
    }

    /// Puts down that all subscribers of a feed are to get it; leases that ran out are forgotten. A push that waits already is
    /// made with what is new by then.
    pub fn put_pushes(&mut self, topic: &str, now: Timestamp) -> Result<()> {
        self.transaction.execute("DELETE FROM hub_subscriber WHERE lease_end < ?1", [millis(now)])?;
        let sql = "INSERT INTO hub_push (callback, topic, next_attempt) SELECT callback, topic, ?2 FROM hub_subscriber WHERE topic = ?1
                   ON CONFLICT DO UPDATE SET attempts = 0, next_attempt = ?2";
        self.transaction.execute(sql, params![topic, millis(now)])?;
        Ok(())
    }

    /// Puts down that another hub is to hear of a feed.
    pub fn put_word(&mut self, hub: &str, topic: &str, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO hub_push (callback, topic, next_attempt) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET attempts = 0, next_attempt = ?3";
        self.transaction.execute(sql, params![hub, topic, millis(now)])?;
        Ok(())
    }
}
