//! Subscribers, suppressions and returned mail.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

use super::driver::Row;
use super::unit::{Subscribers, Write};
use super::values::{keys_text, texts};
use super::{Result, StoreError, Unit, millis, time};
use crate::model::digest::{DigestId, Issue, Scope};
use crate::model::keys::{DeliveryKey, EntryKey, IssueKey};
use crate::model::mail_address::Address;
use crate::model::profile::Profile;
use crate::model::subscriber::{Cadence, Consent, Interests, Preferences, Subscriber, SubscriberState};

/// Subscribers who are due now and get the same issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterestGroup {
    pub language: String,
    pub interests: Interests,
    /// The last entry that their last issue considered.
    pub seen: EntryKey,
    /// Entries whose stories were held back from their last issues.
    pub owed: Vec<EntryKey>,
    /// Interests and what is owed, as stored.
    interests_text: String,
    owed_text: String,
}

/// What a group is sent.
#[derive(Debug)]
pub struct GroupIssue<'a> {
    pub digest: &'a DigestId,
    /// `None` if there is nothing new: their slot is filled all the same.
    pub issue: Option<&'a Issue>,
    /// The last entry considered.
    pub seen: EntryKey,
    /// Entries whose stories are held back from it.
    pub owed: &'a [EntryKey],
    pub now: Timestamp,
}

/// A sign-up awaiting confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignUp {
    pub address: Address,
    pub preferences: Preferences,
    /// The consent text that was agreed to, if known.
    pub consent_text: Option<String>,
}

/// A delivery that a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub key: DeliveryKey,
    pub recipient: String,
    pub digest: DigestId,
    pub queued: Timestamp,
}

/// Members of a group served in one unit; other units get their turn in between.
pub const PAGE: usize = 2_000;

const COLUMNS: &str = "pk, address, state, language, tastes, schedule, seen, last_issue, created, consent_source, consent_at, consent_text, tags, attributes";

/// Reads a row; one that was tampered with is an error, not a guess, since mail would go to the wrong people.
fn subscriber(row: &Row) -> rusqlite::Result<Result<(i64, Subscriber)>> {
    let (address, state, interests, schedule): (String, String, String, String) =
        (row.get(1)?, row.get(2)?, row.get(4)?, row.get(5)?);
    let (tags, attributes): (String, String) = (row.get(12)?, row.get(13)?);
    let read = || {
        Ok::<_, String>((
            Address::parse(&address)?,
            SubscriberState::parse(&state).ok_or_else(|| format!("no state is called \"{state}\""))?,
            serde_json::from_str(&interests).map_err(|error| error.to_string())?,
            Cadence::parse(&schedule)?,
            Profile {
                tags: serde_json::from_str(&tags).map_err(|error| format!("tags: {error}"))?,
                attributes: serde_json::from_str(&attributes)
                    .map_err(|error| format!("attributes: {error}"))?,
            },
        ))
    };
    let (address, state, interests, cadence, profile) = match read() {
        Ok(read) => read,
        Err(error) => return Ok(Err(StoreError::Corrupt(error))),
    };
    let subscriber = Subscriber {
        address,
        state,
        preferences: Preferences { language: row.get(3)?, interests, cadence },
        seen: row.get(6)?,
        last_issue: row.get::<Option<i64>>(7)?.map(time),
        created: time(row.get(8)?),
        consent: Consent { source: row.get(9)?, at: time(row.get(10)?), text: row.get(11)? },
        profile,
    };
    Ok(Ok((row.get(0)?, subscriber)))
}

fn interests_text(interests: &Interests) -> String {
    serde_json::to_string(interests).unwrap_or_default()
}

fn tags_text(profile: &Profile) -> String {
    serde_json::to_string(&profile.tags).unwrap_or_default()
}

fn attributes_text(profile: &Profile) -> String {
    serde_json::to_string(&profile.attributes).unwrap_or_default()
}

/// The entries that a subscriber is owed, as `owed_text` wrote them.
fn read_owed(text: &str) -> Vec<EntryKey> {
    let numbers: Vec<i64> = serde_json::from_str(text).unwrap_or_default();
    numbers.into_iter().map(EntryKey).collect()
}

fn owed_text(owed: &[EntryKey]) -> String {
    if owed.is_empty() { String::new() } else { keys_text(owed) }
}

impl<A> Subscribers<'_, A> {
    /// The subscriber whose address has this hash.
    pub fn get(&self, hash: &str) -> Result<Option<Subscriber>> {
        let found =
            self.db.row(&format!("SELECT {COLUMNS} FROM subscriber WHERE hash = ?1"), [hash], subscriber)?;
        Ok(found.transpose()?.map(|(_, subscriber)| subscriber))
    }

    /// Visits all subscribers in the order in which they joined, one by one.
    pub fn each<E: From<StoreError>>(
        &self,
        mut visit: impl FnMut(Subscriber) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.db.each(&format!("SELECT {COLUMNS} FROM subscriber ORDER BY pk"), [], |row| {
            let (_, subscriber) = subscriber(row).map_err(StoreError::from)??;
            visit(subscriber)
        })
    }

    /// Some subscribers that joined after the one of a key, each with its key.
    pub fn after(&self, key: i64, subscribers_max: usize) -> Result<Vec<(i64, Subscriber)>> {
        let sql =
            format!("SELECT {COLUMNS} FROM subscriber WHERE pk > ?1 ORDER BY pk LIMIT {subscribers_max}");
        self.db.rows(&sql, [key], subscriber)?.into_iter().collect()
    }

    /// A sign-up by the hash of its address and its expiry time.
    pub fn sign_up(&self, hash: &str, expires: Timestamp) -> Result<Option<SignUp>> {
        let sql = "SELECT address, language, tastes, schedule, consent_text FROM sign_up WHERE hash = ?1 AND expires = ?2";
        let found = self.db.row(sql, params![hash, millis(expires)], |row| {
            let texts: [String; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
            Ok((texts, row.get(4)?))
        })?;
        let read = |([address, language, interests, schedule], consent_text): ([String; 4], _)| {
            let interests = serde_json::from_str(&interests).map_err(|error| error.to_string())?;
            let preferences = Preferences { language, interests, cadence: Cadence::parse(&schedule)? };
            Ok(SignUp { address: Address::parse(&address)?, preferences, consent_text })
        };
        found.map(read).transpose().map_err(StoreError::Corrupt)
    }

    /// The unconfirmed sign-ups of an address, each with its expiry time.
    pub fn sign_ups_of(&self, hash: &str) -> Result<Vec<(Timestamp, SignUp)>> {
        let sql = "SELECT expires FROM sign_up WHERE hash = ?1 ORDER BY expires";
        let all = self.db.rows(sql, [hash], |row| Ok(time(row.get(0)?)))?;
        let read = |expires| Ok(self.sign_up(hash, expires)?.map(|sign_up| (expires, sign_up)));
        all.into_iter().filter_map(|expires| read(expires).transpose()).collect()
    }

    /// Mail from an address that was forwarded and is still stored: subject and time.
    pub fn answers_of(&self, address: &str) -> Result<Vec<(String, Timestamp)>> {
        let sql = "SELECT subject, created FROM issue WHERE digest = ?1 AND reply_to = ?2 COLLATE NOCASE ORDER BY pk";
        self.db.rows(sql, params![DigestId::Answer, address], |row| Ok((row.get(0)?, time(row.get(1)?))))
    }

    /// Number of subscribers in each state.
    pub fn counts(&self) -> Result<Vec<(String, u64)>> {
        let sql = "SELECT state, count(*) FROM subscriber GROUP BY state ORDER BY state";
        self.db.rows(sql, [], |row| Ok((row.get(0)?, row.get::<i64>(1)?.unsigned_abs())))
    }

    /// Some of the groups of due subscribers, those waiting longest first.
    pub fn due_groups(&self, now: Timestamp, groups_max: usize) -> Result<Vec<InterestGroup>> {
        let sql = format!(
            "SELECT language, tastes, seen, owed FROM subscriber WHERE state = 'active' AND next_slot <= ?1
             GROUP BY seen, tastes, language, owed ORDER BY seen, tastes, language, owed LIMIT {groups_max}"
        );
        let rows = self.db.rows(&sql, [millis(now)], |row| {
            Ok((row.get(0)?, row.get::<String>(1)?, row.get(2)?, row.get::<String>(3)?))
        })?;
        let group = |(language, interests_text, seen, owed_text): (String, String, EntryKey, String)| {
            let interests = serde_json::from_str(&interests_text)
                .map_err(|error| StoreError::Corrupt(format!("a subscriber's tastes: {error}")))?;
            let owed = read_owed(&owed_text);
            Ok(InterestGroup { language, interests, seen, owed, interests_text, owed_text })
        };
        rows.into_iter().map(group).collect()
    }

    /// Entries whose stories were held back from the last issues of a subscriber.
    pub fn owed(&self, hash: &str) -> Result<Vec<EntryKey>> {
        let text = self.db.row("SELECT owed FROM subscriber WHERE hash = ?1", [hash], |row| row.get(0))?;
        Ok(read_owed(&text.unwrap_or_else(String::new)))
    }

    /// The latest time at which slots were filled; `None` before the first.
    pub fn latest_clock(&self) -> Result<Option<Timestamp>> {
        self.db.row("SELECT latest FROM clock", [], |row| Ok(time(row.get(0)?)))
    }

    /// The state of a subscriber; `None` if there is none.
    pub fn state(&self, hash: &str) -> Result<Option<String>> {
        self.db.row("SELECT state FROM subscriber WHERE hash = ?1", [hash], |row| row.get(0))
    }

    /// Why an address must not get a digest, if so.
    pub fn suppression(&self, hash: &str, digest: &DigestId) -> Result<Option<String>> {
        let sql = "SELECT reason FROM suppression WHERE address = ?1 AND digest IN (?2, ?3) ORDER BY digest LIMIT 1";
        self.db.row(sql, params![hash, digest, Scope::All], |row| row.get(0))
    }

    /// Suppressions stored by plain address, as earlier versions did.
    pub fn clear_suppressions(&self) -> Result<Vec<String>> {
        self.db.rows("SELECT address FROM suppression WHERE address LIKE '%@%'", [], |row| row.get(0))
    }

    /// A delivery with its recipient and digest, by its number or its Message-ID.
    pub fn delivery_recipient(
        &self,
        number: Option<DeliveryKey>,
        message_id: Option<&str>,
    ) -> Result<Option<Delivered>> {
        let sql = "SELECT delivery.pk, recipient, issue.digest, issue.created FROM delivery JOIN issue ON issue.pk = delivery.issue WHERE delivery.pk = ?1 OR message_id = ?2 LIMIT 1";
        self.db.row(sql, params![number, message_id], |row| {
            let (key, recipient, digest) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Delivered { key, recipient, digest, queued: time(row.get(3)?) })
        })
    }

    /// Whether a returned message was counted.
    pub fn has_bounce(&self, id: &str) -> Result<bool> {
        self.db.one("SELECT EXISTS (SELECT 1 FROM bounce WHERE id = ?1)", [id], |row| row.get(0))
    }

    /// When the owner of an address last agreed to get mail, or was let back in.
    pub fn last_agreed(&self, hash: &str) -> Result<Option<Timestamp>> {
        let sql = "SELECT max(at) FROM (SELECT consent_at AS at FROM subscriber WHERE hash = ?1
                   UNION ALL SELECT lifted FROM lifted_suppression WHERE hash = ?1) AS agreed";
        self.db.one(sql, [hash], |row| Ok(row.get::<Option<i64>>(0)?.map(time)))
    }

    /// When the owner of an address was last let back in.
    pub fn last_readmitted(&self, hash: &str) -> Result<Option<Timestamp>> {
        let sql = "SELECT max(lifted) FROM lifted_suppression WHERE hash = ?1";
        self.db.one(sql, [hash], |row| Ok(row.get::<Option<i64>>(0)?.map(time)))
    }

    /// Whether any delivery to an address is stored.
    pub fn has_recipient(&self, address: &str) -> Result<bool> {
        self.db.one(
            "SELECT EXISTS (SELECT 1 FROM delivery WHERE recipient = ?1 COLLATE NOCASE)",
            [address],
            |row| row.get(0),
        )
    }

    /// Number of mails of a digest queued for an address since a time.
    pub fn queued_since(&self, address: &str, digest: &DigestId, since: Timestamp) -> Result<u64> {
        let sql = "SELECT count(*) FROM delivery JOIN issue ON issue.pk = delivery.issue
                   WHERE recipient = ?1 COLLATE NOCASE AND issue.digest = ?2 AND created >= ?3";
        Ok(self.db.one(sql, params![address, digest, millis(since)], |row| row.get::<i64>(0))?.unsigned_abs())
    }

    /// The deliveries to an address: digest, subject, time, state, last error.
    pub fn deliveries_to(&self, address: &str) -> Result<Vec<[String; 5]>> {
        let sql = "SELECT issue.digest, subject, created, delivery.state, coalesce(last_error, '') FROM delivery JOIN issue ON issue.pk = delivery.issue
                   WHERE recipient = ?1 COLLATE NOCASE ORDER BY delivery.pk";
        self.db.rows(sql, [address], |row| {
            Ok([row.get(0)?, row.get(1)?, time(row.get(2)?).to_string(), row.get(3)?, row.get(4)?])
        })
    }

    /// The suppressions of an address, including lifted ones, and its bounces: what, reason or kind, time. That a message was read is
    /// not listed.
    pub fn marks_of(&self, hash: &str) -> Result<Vec<[String; 3]>> {
        let sql = "SELECT 'suppressed ' || digest, reason, at FROM suppression WHERE address = ?1
                   UNION ALL SELECT 'was suppressed ' || digest, reason, at FROM lifted_suppression WHERE hash = ?1
                   UNION ALL SELECT 'resumed ' || digest, reason, lifted FROM lifted_suppression WHERE hash = ?1
                   UNION ALL SELECT 'returned', kind, at FROM bounce WHERE hash = ?1 AND kind <> 'read' ORDER BY 3, 1";
        self.db.rows(sql, [hash], |row| Ok([row.get(0)?, row.get(1)?, time(row.get(2)?).to_string()]))
    }
}

impl Subscribers<'_, Write> {
    /// Suppresses an address within a scope. The reason `erased` is never replaced, and `complained` only by `erased`.
    pub fn suppress(&self, hash: &str, scope: &Scope, reason: &str, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO suppression (address, digest, reason, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (address, digest) DO UPDATE SET reason = ?3, at = ?4
                   WHERE suppression.reason <> 'erased' AND (suppression.reason <> 'complained' OR ?3 = 'erased')";
        self.db.execute(sql, params![hash, scope, reason, millis(now)])?;
        Ok(())
    }

    /// Replaces the plain address of a suppression by its hash.
    pub fn rename_suppression(&self, address: &str, hash: &str) -> Result<()> {
        self.db.execute(
            "DELETE FROM suppression WHERE address = ?2 AND digest IN (SELECT digest FROM suppression AS other WHERE other.address = ?1)",
            [address, hash],
        )?;
        self.db.execute("UPDATE suppression SET address = ?2 WHERE address = ?1", [address, hash])?;
        Ok(())
    }

    /// Stores a bounce once; returns how many of its kind came since `since`, or `None` if this one is already stored.
    pub fn put_bounce(
        &self,
        id: &str,
        hash: &str,
        kind: &str,
        now: Timestamp,
        since: Timestamp,
    ) -> Result<Option<u64>> {
        let put = "INSERT INTO bounce (id, hash, kind, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        if self.db.execute(put, params![id, hash, kind, millis(now)])? == 0 {
            return Ok(None);
        }
        let count = "SELECT count(*) FROM bounce WHERE hash = ?1 AND kind = ?2 AND at >= ?3 AND is_past = 0";
        Ok(Some(
            self.db.one(count, params![hash, kind, millis(since)], |row| row.get::<i64>(0))?.unsigned_abs(),
        ))
    }

    /// Inserts or updates a subscriber; the next issue is due at `next_slot`.
    pub fn put(&self, hash: &str, subscriber: &Subscriber, next_slot: Timestamp) -> Result<()> {
        let sql = "INSERT INTO subscriber (address, hash, state, language, tastes, schedule, seen, next_slot, created, consent_source, consent_at, consent_text, tags, attributes)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
                   ON CONFLICT (hash) DO UPDATE SET state = ?3, language = ?4, tastes = ?5, schedule = ?6, seen = ?7, next_slot = ?8, consent_source = ?10, consent_at = ?11, consent_text = ?12, tags = ?13, attributes = ?14,
                       owed = CASE WHEN subscriber.state = 'active' THEN subscriber.owed ELSE '' END";
        let parameters = params![
            subscriber.address.as_str(),
            hash,
            subscriber.state.as_str(),
            subscriber.preferences.language,
            interests_text(&subscriber.preferences.interests),
            subscriber.preferences.cadence.to_string(),
            subscriber.seen,
            millis(next_slot),
            millis(subscriber.created),
            subscriber.consent.source,
            millis(subscriber.consent.at),
            subscriber.consent.text,
            tags_text(&subscriber.profile),
            attributes_text(&subscriber.profile),
        ];
        self.db.execute(sql, parameters)?;
        Ok(())
    }

    /// Stores what is noted of a subscriber.
    pub fn set_profile(&self, hash: &str, profile: &Profile) -> Result<()> {
        let sql = "UPDATE subscriber SET tags = ?2, attributes = ?3 WHERE hash = ?1";
        self.db.execute(sql, params![hash, tags_text(profile), attributes_text(profile)]).map(drop)
    }

    /// Stores the entries whose stories were held back from the last mail to a subscriber.
    pub fn set_owed(&self, hash: &str, owed: &[EntryKey]) -> Result<()> {
        let sql = "UPDATE subscriber SET owed = ?2 WHERE hash = ?1";
        self.db.execute(sql, params![hash, owed_text(owed)]).map(drop)
    }

    /// Sets the state of a subscriber; `false` if there is none.
    pub fn set_state(&self, hash: &str, state: SubscriberState) -> Result<bool> {
        Ok(self.db.execute("UPDATE subscriber SET state = ?2 WHERE hash = ?1", [hash, state.as_str()])? == 1)
    }

    /// Deletes a subscriber; `false` if there is none.
    pub fn delete(&self, hash: &str) -> Result<bool> {
        // Erased data has to be gone from the file as well.
        self.db.erase_deleted()?;
        Ok(self.db.execute("DELETE FROM subscriber WHERE hash = ?1", [hash])? == 1)
    }

    /// Stores a sign-up until it is confirmed or expires.
    pub fn put_sign_up(&self, hash: &str, expires: Timestamp, sign_up: &SignUp) -> Result<()> {
        let sql = "INSERT INTO sign_up (hash, expires, address, language, tastes, schedule, consent_text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                   ON CONFLICT (hash, expires) DO UPDATE SET address = ?3, language = ?4, tastes = ?5, schedule = ?6, consent_text = ?7";
        let parameters = params![
            hash,
            millis(expires),
            sign_up.address.as_str(),
            sign_up.preferences.language,
            interests_text(&sign_up.preferences.interests),
            sign_up.preferences.cadence.to_string(),
            sign_up.consent_text,
        ];
        self.db.execute(sql, parameters)?;
        Ok(())
    }

    /// Deletes the sign-ups of an address: one was confirmed, or its owner has since chosen something else.
    pub fn forget_sign_ups(&self, hash: &str) -> Result<()> {
        // Checked first, since an import calls this for each row.
        let any = "SELECT EXISTS (SELECT 1 FROM sign_up WHERE hash = ?1)";
        if !self.db.one(any, [hash], |row| row.get::<bool>(0))? {
            return Ok(());
        }
        self.db.erase_deleted()?;
        self.db.execute("DELETE FROM sign_up WHERE hash = ?1", [hash])?;
        Ok(())
    }

    /// Deletes the sign-ups that were not confirmed in time.
    pub fn forget_expired_sign_ups(&self, now: Timestamp) -> Result<()> {
        self.db.erase_deleted()?;
        self.db.execute("DELETE FROM sign_up WHERE expires < ?1", [millis(now)])?;
        Ok(())
    }

    /// Deletes all deliveries to an address, mails that were for it alone, and forwarded mail from it.
    pub fn delete_deliveries(&self, address: &str) -> Result<()> {
        self.db.erase_deleted()?;
        self.db.execute("DELETE FROM delivery WHERE recipient = ?1 COLLATE NOCASE", [address])?;
        let written = "DELETE FROM delivery WHERE issue IN (SELECT pk FROM issue WHERE digest = ?1 AND reply_to = ?2 COLLATE NOCASE)";
        self.db.execute(written, params![DigestId::Answer, address])?;
        self.delete_private_issues(Timestamp::MAX)
    }

    /// Deletes the mails that contain an address (confirmations, forwarded mail), if they are settled and were created before a
    /// time.
    pub fn forget_private_mail(&self, limit: Timestamp) -> Result<()> {
        self.db.erase_deleted()?;
        let settled = "DELETE FROM delivery WHERE state IN ('sent', 'failed') AND issue IN (SELECT pk FROM issue WHERE digest IN (?1, ?2) AND created < ?3)";
        self.db.execute(settled, params![DigestId::Confirmation, DigestId::Answer, millis(limit)])?;
        self.delete_private_issues(limit)
    }

    fn delete_private_issues(&self, limit: Timestamp) -> Result<()> {
        let sql = "DELETE FROM issue WHERE digest IN (?1, ?2) AND created < ?3 AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.issue = issue.pk)";
        self.db.execute(sql, params![DigestId::Confirmation, DigestId::Answer, millis(limit)])?;
        Ok(())
    }

    /// Lifts the suppressions of an address whose owner came back. They and its bounces are kept as history and no longer count.
    pub fn lift_suppression(&self, hash: &str, now: Timestamp) -> Result<()> {
        let keep = "INSERT INTO lifted_suppression (hash, digest, reason, at, lifted) SELECT address, digest, reason, at, ?2 FROM suppression WHERE address = ?1";
        if self.db.execute(keep, params![hash, millis(now)])? > 0 {
            self.db.execute("DELETE FROM suppression WHERE address = ?1", [hash])?;
        }
        self.db.execute("UPDATE bounce SET is_past = 1 WHERE hash = ?1 AND is_past = 0", [hash])?;
        self.db.execute("DELETE FROM refusal WHERE hash = ?1", [hash])?;
        Ok(())
    }

    /// Deletes the bounces, refusals and lifted suppressions of an address.
    pub fn forget_history(&self, hash: &str) -> Result<()> {
        self.db.erase_deleted()?;
        self.db.execute("DELETE FROM lifted_suppression WHERE hash = ?1", [hash])?;
        self.db.execute("DELETE FROM bounce WHERE hash = ?1", [hash])?;
        self.db.execute("DELETE FROM refusal WHERE hash = ?1", [hash])?;
        Ok(())
    }

    /// Notes the time at which slots are filled.
    pub fn put_clock(&self, now: Timestamp) -> Result<()> {
        let sql =
            "INSERT INTO clock (one, latest) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET latest = ?1";
        self.db.execute(sql, [millis(now)]).map(drop)
    }

    /// Sets slots that were computed under a clock ahead of `now` to those of the schedules, for a page of subscribers after `after`.
    /// Returns where to go on; `None` at the end.
    pub fn correct_slots(&self, after: i64, now: Timestamp) -> Result<Option<i64>> {
        let sql = format!(
            "SELECT pk, schedule, next_slot FROM subscriber WHERE pk > ?1 AND state = 'active' AND next_slot > ?2 ORDER BY pk LIMIT {PAGE}"
        );
        let rows = self.db.rows(&sql, params![after, millis(now)], |row| {
            Ok((row.get::<i64>(0)?, row.get::<String>(1)?, row.get::<i64>(2)?))
        })?;
        for (key, schedule, slot) in &rows {
            let Ok(cadence) = Cadence::parse(schedule) else { continue };
            // One slot may have been filled already: a clock that steps back over it must not have it filled twice.
            let next = cadence.next_after(now);
            if *slot > millis(cadence.next_after(next)) {
                self.db.execute(
                    "UPDATE subscriber SET next_slot = ?2 WHERE pk = ?1",
                    params![key, millis(next)],
                )?;
            }
        }
        Ok(rows.last().filter(|_| rows.len() == PAGE).map(|(key, ..)| *key))
    }

    /// Fills a slot for some members of a group: stores the issue, if any, a delivery for each, and their new marks. Returns how
    /// many members there were, `PAGE` if there may be more; members served by another process in the meantime are not counted.
    pub fn fill_group(
        &self,
        group: &InterestGroup,
        new: &GroupIssue,
        message_id: impl Fn(IssueKey, &str) -> String,
    ) -> Result<usize> {
        let sql = format!(
            "SELECT pk, address, schedule FROM subscriber WHERE tastes = ?1 AND language = ?2 AND seen = ?3 AND state = 'active'
             AND next_slot <= ?4 AND owed = ?5 ORDER BY pk LIMIT {PAGE}"
        );
        let parameters =
            params![group.interests_text, group.language, group.seen, millis(new.now), group.owed_text];
        let members = self.db.rows(&sql, parameters, |row| {
            Ok((row.get::<i64>(0)?, row.get::<String>(1)?, row.get::<String>(2)?))
        })?;
        // Without members, no issue is stored.
        let Some(_) = members.first() else { return Ok(0) };
        let unit: Unit<Write> = Unit::new(self.db, self.index);
        let issue = new
            .issue
            .map(|issue| unit.mailing().put_issue(new.digest, new.now, new.now, issue))
            .transpose()?;
        let mut by_next: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (key, address, schedule) in &members {
            // A schedule that cannot be parsed was tampered with: it waits a day instead of being due at every turn.
            let next = Cadence::parse(schedule)
                .map_or(new.now + SignedDuration::from_hours(24), |cadence| cadence.next_after(new.now));
            if let Some(issue) = issue {
                unit.mailing().put_delivery(issue, address, &message_id(issue, address), new.now)?;
            }
            by_next.entry(millis(next)).or_default().push(*key);
        }
        let mark = "UPDATE subscriber SET seen = ?2, next_slot = ?3, last_issue = coalesce(?4, last_issue), owed = ?5
                    WHERE pk IN (SELECT CAST(value AS BIGINT) FROM json_each(?1))";
        for (next, keys) in by_next {
            let last_issue = issue.map(|_| millis(new.now));
            let parameters = params![texts(&keys), new.seen, next, last_issue, owed_text(new.owed)];
            self.db.execute(mark, parameters)?;
        }
        Ok(members.len())
    }
}
