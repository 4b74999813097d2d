//! Subscribers of our own hub, and the pushes due to them.

use jiff::Timestamp;
use rusqlite::params;

use super::leases::LEASE;
use super::unit::{Hub, Write};
use super::{Result, millis};

/// A push to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// A subscriber's callback, or the address of another hub.
    pub callback: String,
    /// The address of the feed.
    pub topic: String,
    /// `None` if the callback is not a subscriber's: it is another hub, or the subscriber has left.
    pub secret: Option<String>,
    pub attempts: u32,
    /// How many times it was claimed; a worker whose claim was taken over recognises that by this number.
    pub claim: i64,
}

impl<A> Hub<'_, A> {
    /// The number of subscribers, in total and with callbacks that begin with `origin`.
    pub fn subscriber_counts(&self, origin: &str) -> Result<(u64, u64)> {
        let sql = "SELECT count(*), count(*) FILTER (WHERE substr(callback, 1, length(?1)) = ?1) FROM hub_subscriber";
        self.db.one(sql, [origin], |row| {
            Ok((row.get::<i64>(0)?.unsigned_abs(), row.get::<i64>(1)?.unsigned_abs()))
        })
    }

    /// Whether this callback is subscribed to the topic.
    pub fn has_subscriber(&self, callback: &str, topic: &str) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM hub_subscriber WHERE callback = ?1 AND topic = ?2)";
        self.db.one(sql, [callback, topic], |row| row.get(0))
    }
}

impl Hub<'_, Write> {
    /// Stores a subscriber, or renews its lease and secret.
    pub fn put_subscriber(
        &self,
        callback: &str,
        topic: &str,
        secret: &str,
        lease_end: Timestamp,
    ) -> Result<()> {
        let sql = "INSERT INTO hub_subscriber (callback, topic, secret, lease_end) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (callback, topic) DO UPDATE SET secret = ?3, lease_end = ?4";
        self.db.execute(sql, params![callback, topic, secret, millis(lease_end)])?;
        Ok(())
    }

    /// Deletes a subscriber and its pending pushes.
    pub fn delete_subscriber(&self, callback: &str, topic: &str) -> Result<()> {
        self.db
            .execute("DELETE FROM hub_subscriber WHERE callback = ?1 AND topic = ?2", [callback, topic])?;
        self.db.execute("DELETE FROM hub_push WHERE callback = ?1 AND topic = ?2", [callback, topic])?;
        Ok(())
    }

    /// Claims some of the due pushes: they are this worker's until settled or until their lease ends. `leased` is the current
    /// time on the clock of leases.
    pub fn claim_pushes(
        &self,
        worker: &str,
        now: Timestamp,
        leased: Timestamp,
        pushes_max: usize,
    ) -> Result<Vec<Push>> {
        let due = format!(
            "SELECT callback, topic FROM hub_push WHERE next_attempt <= ?1 AND lease_end <= ?4 ORDER BY next_attempt LIMIT {pushes_max}"
        );
        let sql = format!(
            "UPDATE hub_push SET worker = ?2, claims = claims + 1, lease_end = ?3 WHERE (callback, topic) IN ({due}) RETURNING callback, topic, attempts, claims,
                 (SELECT secret FROM hub_subscriber WHERE hub_subscriber.callback = hub_push.callback AND hub_subscriber.topic = hub_push.topic)"
        );
        self.db.rows(&sql, params![millis(now), worker, millis(leased + LEASE), millis(leased)], |row| {
            Ok(Push {
                callback: row.get(0)?,
                topic: row.get(1)?,
                attempts: row.get(2)?,
                claim: row.get(3)?,
                secret: row.get(4)?,
            })
        })
    }

    /// Deletes a push that succeeded or was given up, unless the feed changed meanwhile: then it is pushed again.
    pub fn delete_push(&self, push: &Push) -> Result<()> {
        self.db.execute(
            "DELETE FROM hub_push WHERE callback = ?1 AND topic = ?2 AND claims = ?3",
            params![push.callback, push.topic, push.claim],
        )?;
        Ok(())
    }

    /// Gives a claimed push back that was not begun: it is due as it was.
    pub fn release_push(&self, push: &Push) -> Result<()> {
        let sql = "UPDATE hub_push SET lease_end = 0, worker = NULL WHERE callback = ?1 AND topic = ?2 AND claims = ?3";
        self.db.execute(sql, params![push.callback, push.topic, push.claim])?;
        Ok(())
    }

    /// Schedules a failed push again.
    pub fn defer_push(&self, push: &Push, next_attempt: Timestamp) -> Result<()> {
        let sql = "UPDATE hub_push SET attempts = attempts + 1, next_attempt = ?4, lease_end = 0, worker = NULL WHERE callback = ?1 AND topic = ?2 AND claims = ?3";
        self.db.execute(sql, params![push.callback, push.topic, push.claim, millis(next_attempt)])?;
        Ok(())
    }

    /// Records that the bytes of a feed changed.
    pub fn put_changed_feed(&self, path: &str) -> Result<()> {
        self.db.execute("INSERT INTO changed_feed (path) VALUES (?1) ON CONFLICT DO NOTHING", [path])?;
        Ok(())
    }

    /// Takes the changed feeds, sorted by path.
    pub fn take_changed_feeds(&self) -> Result<Vec<String>> {
        let mut paths: Vec<String> =
            self.db.rows("DELETE FROM changed_feed RETURNING path", [], |row| row.get(0))?;
        paths.sort();
        Ok(paths)
    }

    /// Queues a push to every subscriber of a feed, and deletes subscribers whose lease has ended. A push that is already
    /// waiting will carry the latest contents; one that is under way is made again.
    pub fn put_pushes(&self, topic: &str, now: Timestamp) -> Result<()> {
        self.db.execute("DELETE FROM hub_subscriber WHERE lease_end < ?1", [millis(now)])?;
        let sql = "INSERT INTO hub_push (callback, topic, next_attempt) SELECT callback, topic, ?2 FROM hub_subscriber WHERE topic = ?1
                   ON CONFLICT (callback, topic) DO UPDATE SET attempts = 0, claims = hub_push.claims + 1, worker = NULL, lease_end = 0, next_attempt = ?2";
        self.db.execute(sql, params![topic, millis(now)])?;
        Ok(())
    }

    /// Queues a notification of another hub about a feed.
    pub fn put_word(&self, hub: &str, topic: &str, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO hub_push (callback, topic, next_attempt) VALUES (?1, ?2, ?3)
                   ON CONFLICT (callback, topic) DO UPDATE SET attempts = 0, claims = hub_push.claims + 1, worker = NULL, lease_end = 0, next_attempt = ?3";
        self.db.execute(sql, params![hub, topic, millis(now)])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;
    use crate::model::store_url::StoreUrl;

    #[test]
    fn a_push_that_was_not_begun_is_due_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreUrl::Sqlite(folder.path().join("x.db")), "a").unwrap();
        let now: Timestamp = "2022-10-17T08:00:00Z".parse().unwrap();
        let claim = || store.write(|w| w.hub().claim_pushes("a", now, now, 10)).unwrap();
        store.write(|w| w.hub().put_word("https://hub.example/", "https://x.example/atom.xml", now)).unwrap();
        let first = claim().remove(0);
        assert!(claim().is_empty(), "it is claimed");
        store.write(|w| w.hub().release_push(&first)).unwrap();
        let second = claim().remove(0);
        assert_eq!((second.attempts, second.claim), (0, first.claim + 1));
        store.write(|w| w.hub().release_push(&first)).unwrap();
        assert!(claim().is_empty(), "it is the claim of another by now");
    }
}
