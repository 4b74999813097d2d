//! Subscribers, suppressions and what came back.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::{Result, Store, StoreError, Work, millis, time};
use crate::model::digest::Issue;
use crate::model::mail_address::Address;
use crate::model::subscriber::{Cadence, Consent, Preferences, Subscriber, SubscriberState, Tastes};

/// Subscribers who are due now and get the same issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub language: String,
    pub tastes: Tastes,
    /// Their last issue looked at the entries up to this one.
    pub seen: i64,
    /// The tastes as they are stored.
    tastes_text: String,
}

/// What a group gets.
#[derive(Debug)]
pub struct GroupIssue<'a> {
    pub digest: &'a str,
    /// `None` when there is nothing new: their slot is filled all the same.
    pub issue: Option<&'a Issue>,
    /// Entries up to this one were looked at.
    pub seen: i64,
    pub now: Timestamp,
}

/// Subscribers read at a time: memory does not grow with their number.
const PAGE: i64 = 2_000;

const COLUMNS: &str = "pk, address, state, language, tastes, schedule, seen, last_issue, created, consent_source, consent_at";

/// A row; what was tampered with is an error and not a guess, for mail would go to the wrong people.
fn subscriber(row: &Row) -> rusqlite::Result<std::result::Result<(i64, Subscriber), String>> {
    let (address, state, tastes, schedule): (String, String, String, String) = (row.get(1)?, row.get(2)?, row.get(4)?, row.get(5)?);
    let read = || {
        Ok::<_, String>((
            Address::parse(&address)?,
            SubscriberState::parse(&state).ok_or_else(|| format!("no state is called \"{state}\""))?,
            serde_json::from_str(&tastes).map_err(|error| error.to_string())?,
            Cadence::parse(&schedule)?,
        ))
    };
    let (address, state, tastes, cadence) = match read() {
        Ok(read) => read,
        Err(error) => return Ok(Err(error)),
    };
    let subscriber = Subscriber {
        address,
        state,
        preferences: Preferences { language: row.get(3)?, tastes, cadence },
        seen: row.get(6)?,
        last_issue: row.get::<_, Option<i64>>(7)?.map(time),
        created: time(row.get(8)?),
        consent: Consent { source: row.get(9)?, at: time(row.get(10)?) },
    };
    Ok(Ok((row.get(0)?, subscriber)))
}

fn tastes_text(tastes: &Tastes) -> String {
    serde_json::to_string(tastes).unwrap_or_default()
}

fn suppression(connection: &rusqlite::Connection, hash: &str, digest: &str) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT reason FROM suppression WHERE address = ?1 AND digest IN (?2, '') ORDER BY digest LIMIT 1")?;
    Ok(statement.query_row([hash, digest], |row| row.get(0)).optional()?)
}

impl Store {
    /// The subscriber whose address has this hash.
    pub fn subscriber(&self, hash: &str) -> Result<Option<Subscriber>> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM subscriber WHERE hash = ?1"))?;
        let found = statement.query_row([hash], subscriber).optional()?;
        found.transpose().map(|found| found.map(|(_, subscriber)| subscriber)).map_err(StoreError::Corrupt)
    }

    /// All subscribers in the order in which they came, one by one.
    pub fn for_each_subscriber<E>(&self, mut visit: impl FnMut(Subscriber) -> std::result::Result<(), E>) -> Result<std::result::Result<(), E>> {
        let mut statement = self.connection.prepare(&format!("SELECT {COLUMNS} FROM subscriber ORDER BY pk"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (_, subscriber) = subscriber(row)?.map_err(StoreError::Corrupt)?;
            if let Err(error) = visit(subscriber) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// How many subscribers are in each state.
    pub fn subscriber_counts(&self) -> Result<Vec<(String, u64)>> {
        let mut statement = self.connection.prepare_cached("SELECT state, count(*) FROM subscriber GROUP BY state ORDER BY state")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Some of the groups of subscribers that are due, those that waited longest first.
    pub fn due_groups(&self, now: Timestamp, groups_max: usize) -> Result<Vec<Group>> {
        let sql =
            "SELECT language, tastes, seen FROM subscriber WHERE state = 'active' AND next_slot <= ?1 GROUP BY seen, tastes, language ORDER BY seen LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![millis(now), groups_max as i64], |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?)))?;
        let mut groups = Vec::new();
        for row in rows {
            let (language, tastes_text, seen) = row?;
            let tastes = serde_json::from_str(&tastes_text).map_err(|error| StoreError::Corrupt(format!("a subscriber's tastes: {error}")))?;
            groups.push(Group { language, tastes, seen, tastes_text });
        }
        Ok(groups)
    }

    /// Keeps that an address is not to get a digest any more; `digest` is empty for all.
    pub fn suppress(&mut self, hash: &str, digest: &str, reason: &str, now: Timestamp) -> Result<()> {
        let sql =
            "INSERT INTO suppression (address, digest, reason, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (address, digest) DO UPDATE SET reason = ?3, at = ?4";
        self.connection.prepare_cached(sql)?.execute(params![hash, digest, reason, millis(now)])?;
        Ok(())
    }

    /// Why an address is not to get a digest, if it is not.
    pub fn suppression(&self, hash: &str, digest: &str) -> Result<Option<String>> {
        let mut statement =
            self.connection.prepare_cached("SELECT reason FROM suppression WHERE address = ?1 AND digest IN (?2, '') ORDER BY digest LIMIT 1")?;
        Ok(statement.query_row([hash, digest], |row| row.get(0)).optional()?)
    }

    /// Suppressions that an earlier courant kept by address are kept by hash from now on.
    pub fn hash_suppressions(&mut self, hash: impl Fn(&str) -> String) -> Result<()> {
        let clear = {
            let mut statement = self.connection.prepare("SELECT address FROM suppression WHERE address LIKE '%@%'")?;
            statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?
        };
        if clear.is_empty() {
            // A command that only reads is not to wait for one that writes.
            return Ok(());
        }
        let work = self.begin()?;
        for address in &clear {
            work.transaction.execute("UPDATE OR REPLACE suppression SET address = ?2 WHERE address = ?1", [address, &hash(address)])?;
        }
        work.commit()
    }

    /// Keeps what came back, once; answers how many of its kind came since `since`, or `None` when this one is known.
    pub fn put_bounce(&mut self, id: &str, hash: &str, kind: &str, now: Timestamp, since: Timestamp) -> Result<Option<u64>> {
        let put = "INSERT INTO bounce (id, hash, kind, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        if self.connection.prepare_cached(put)?.execute(params![id, hash, kind, millis(now)])? == 0 {
            return Ok(None);
        }
        let count = "SELECT count(*) FROM bounce WHERE hash = ?1 AND kind = ?2 AND at >= ?3";
        Ok(Some(self.connection.prepare_cached(count)?.query_row(params![hash, kind, millis(since)], |row| row.get::<_, i64>(0))?.unsigned_abs()))
    }

    /// Whose a delivery was, by its number or its Message-ID: the recipient and the digest.
    pub fn delivery_recipient(&self, number: Option<i64>, message_id: Option<&str>) -> Result<Option<(String, String)>> {
        let sql = "SELECT recipient, issue.digest FROM delivery JOIN issue ON issue.pk = delivery.issue WHERE delivery.pk = ?1 OR message_id = ?2 LIMIT 1";
        Ok(self.connection.prepare_cached(sql)?.query_row(params![number, message_id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// Whether anything was ever sent to an address, or is to be.
    pub fn has_recipient(&self, address: &str) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM delivery WHERE recipient = ?1 COLLATE NOCASE)";
        Ok(self.connection.query_row(sql, [address], |row| row.get(0))?)
    }

    /// How many mails of a digest were queued for an address since a time.
    pub fn queued_since(&self, address: &str, digest: &str, since: Timestamp) -> Result<u64> {
        let sql =
            "SELECT count(*) FROM delivery JOIN issue ON issue.pk = delivery.issue WHERE recipient = ?1 COLLATE NOCASE AND issue.digest = ?2 AND created >= ?3";
        Ok(self.connection.query_row(sql, params![address, digest, millis(since)], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// The deliveries to an address: digest, subject, time, state, last error.
    pub fn deliveries_to(&self, address: &str) -> Result<Vec<[String; 5]>> {
        let sql = "SELECT issue.digest, subject, created, delivery.state, coalesce(last_error, '') FROM delivery JOIN issue ON issue.pk = delivery.issue
                   WHERE recipient = ?1 COLLATE NOCASE ORDER BY delivery.pk";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([address], |row| Ok([row.get(0)?, row.get(1)?, time(row.get(2)?).to_string(), row.get(3)?, row.get(4)?]))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The suppressions and the returns of an address: what, why or of which kind, when.
    pub fn marks_of(&self, hash: &str) -> Result<Vec<[String; 3]>> {
        let sql = "SELECT 'suppressed ' || digest, reason, at FROM suppression WHERE address = ?1 UNION ALL SELECT 'returned', kind, at FROM bounce WHERE hash = ?1 ORDER BY 3";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([hash], |row| Ok([row.get(0)?, row.get(1)?, time(row.get(2)?).to_string()]))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

impl Work<'_> {
    /// Why an address is not to get a digest, if it is not.
    pub fn suppression(&self, hash: &str, digest: &str) -> Result<Option<String>> {
        suppression(&self.transaction, hash, digest)
    }

    /// Keeps a subscriber, new or changed; a first issue is due at `next_slot`.
    pub fn put_subscriber(&mut self, hash: &str, subscriber: &Subscriber, next_slot: Timestamp) -> Result<()> {
        let sql = "INSERT INTO subscriber (address, hash, state, language, tastes, schedule, seen, next_slot, created, consent_source, consent_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                   ON CONFLICT (hash) DO UPDATE SET state = ?3, language = ?4, tastes = ?5, schedule = ?6, seen = ?7, next_slot = ?8, consent_source = ?10, consent_at = ?11";
        self.transaction.prepare_cached(sql)?.execute(params![
            subscriber.address.as_str(),
            hash,
            subscriber.state.as_str(),
            subscriber.preferences.language,
            tastes_text(&subscriber.preferences.tastes),
            subscriber.preferences.cadence.to_string(),
            subscriber.seen,
            millis(next_slot),
            millis(subscriber.created),
            subscriber.consent.source,
            millis(subscriber.consent.at),
        ])?;
        Ok(())
    }

    /// Keeps only that a subscriber is in another state now; `false` when there is no such one.
    pub fn set_subscriber_state(&mut self, hash: &str, state: SubscriberState) -> Result<bool> {
        Ok(self.transaction.prepare_cached("UPDATE subscriber SET state = ?2 WHERE hash = ?1")?.execute([hash, state.as_str()])? == 1)
    }

    /// Takes a subscriber out of the list; `false` when there is no such one.
    pub fn delete_subscriber(&mut self, hash: &str) -> Result<bool> {
        Ok(self.transaction.execute("DELETE FROM subscriber WHERE hash = ?1", [hash])? == 1)
    }

    /// Forgets all deliveries to an address, and the mails that were for nobody else.
    pub fn delete_deliveries(&mut self, address: &str) -> Result<()> {
        self.transaction.execute("DELETE FROM delivery WHERE recipient = ?1 COLLATE NOCASE", [address])?;
        self.delete_private_issues("created <= ?1", i64::MAX)
    }

    /// Forgets the mails of one recipient each (confirmations) that were settled before a time: they hold an address.
    pub fn forget_private_mail(&mut self, limit: Timestamp) -> Result<()> {
        let settled = "DELETE FROM delivery WHERE state IN ('sent', 'failed') AND issue IN (SELECT pk FROM issue WHERE digest = '_confirm' AND created < ?1)";
        self.transaction.execute(settled, [millis(limit)])?;
        self.delete_private_issues("created < ?1", millis(limit))
    }

    fn delete_private_issues(&mut self, condition: &str, limit: i64) -> Result<()> {
        let sql =
            format!("DELETE FROM issue WHERE digest = '_confirm' AND {condition} AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.issue = issue.pk)");
        self.transaction.execute(&sql, [limit])?;
        Ok(())
    }

    /// Lifts a suppression: somebody came back by their own will.
    pub fn lift_suppression(&mut self, hash: &str) -> Result<()> {
        self.transaction.execute("DELETE FROM suppression WHERE address = ?1", [hash])?;
        self.transaction.execute("DELETE FROM bounce WHERE hash = ?1", [hash])?;
        Ok(())
    }

    /// Gives a group its issue, or a slot without one: the issue, a delivery for each member and their places in the order of
    /// entries, all at once. Answers how many there were; a member whom another process served in the meantime is none.
    pub fn fill_group(&mut self, group: &Group, new: &GroupIssue, message_id: impl Fn(i64, &str) -> String) -> Result<usize> {
        let issue = new.issue.map(|issue| self.put_issue(new.digest, new.now, new.now, issue)).transpose()?;
        let transaction = &self.transaction;
        let mut select = transaction.prepare_cached(
            "SELECT pk, address, schedule FROM subscriber WHERE tastes = ?1 AND language = ?2 AND seen = ?3 AND state = 'active' AND next_slot <= ?4 AND pk > ?5 ORDER BY pk LIMIT ?6",
        )?;
        let mut deliver =
            transaction.prepare_cached("INSERT INTO delivery (issue, recipient, message_id, state, next_attempt) VALUES (?1, ?2, ?3, 'pending', ?4)")?;
        let mut mark = transaction.prepare_cached("UPDATE subscriber SET seen = ?2, next_slot = ?3, last_issue = coalesce(?4, last_issue) WHERE pk = ?1")?;
        let (mut count, mut last) = (0, 0i64);
        loop {
            let parameters = params![group.tastes_text, group.language, group.seen, millis(new.now), last, PAGE];
            let members = select.query_map(parameters, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))?;
            let members = members.collect::<rusqlite::Result<Vec<_>>>()?;
            let Some((end, ..)) = members.last() else { break };
            last = *end;
            for (key, address, schedule) in &members {
                // What cannot be read was tampered with: it waits a day instead of coming at every turn.
                let next = Cadence::parse(schedule).map_or(new.now + SignedDuration::from_hours(24), |cadence| cadence.next_after(new.now));
                if let Some(issue) = issue {
                    deliver.execute(params![issue, address, message_id(issue, address), millis(new.now)])?;
                }
                mark.execute(params![key, new.seen, millis(next), issue.map(|_| millis(new.now))])?;
            }
            count += members.len();
        }
        Ok(count)
    }
}
