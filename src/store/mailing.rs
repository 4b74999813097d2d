//! Issues and deliveries: the outbox.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

use super::driver::{InsertOrder, Row};
use super::leases::LEASE;
use super::unit::{Mailing, Unit, Write};
use super::values::{keys_text, texts};
use super::{Result, StoreError, millis, time};
use crate::model::digest::{Delivery, DeliveryState, DigestId, ForwardedMail, Issue, LinkPlaces, Notice};
use crate::model::keys::{DeliveryKey, EntryKey, IssueKey};

/// An issue to queue.
#[derive(Debug)]
pub struct NewIssue<'a> {
    pub digest: &'a DigestId,
    /// The slot of the schedule that it fills; `None` for mail outside a schedule.
    pub slot: Option<Timestamp>,
    pub now: Timestamp,
    pub issue: &'a Issue,
    /// Ids of the stories in the issue.
    pub stories: &'a [String],
    pub recipients: &'a [String],
}

/// A delivery that belongs to this worker until it is settled or its lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimedDelivery {
    pub number: DeliveryKey,
    /// The number of attempts including this one; a worker whose claim was taken over recognises that by it.
    pub attempt: u32,
}

/// Deliveries whose time has come, in the order in which they are to be tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// To people on lists.
    pub lists: Vec<DeliveryKey>,
    /// Confirmations, welcome mail, and mail to the operator.
    pub others: Vec<DeliveryKey>,
}

/// A delivery that was not sent, or not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedDelivery {
    pub recipient: String,
    pub digest: DigestId,
    pub subject: String,
    pub created: Timestamp,
    pub attempts: u32,
    /// When it is tried next, or was given up.
    pub next_attempt: Timestamp,
    /// Empty if it was not tried yet.
    pub reason: String,
}

/// Deliveries in a state, in the order in which they are due; `queued` reads a row.
pub(super) const QUEUED: &str = "SELECT recipient, issue.digest, subject, created, attempts, next_attempt, coalesce(last_error, '')
                   FROM delivery JOIN issue ON issue.pk = delivery.issue WHERE state = ?1 ORDER BY next_attempt, delivery.pk";

pub(super) fn queued(row: &Row) -> rusqlite::Result<QueuedDelivery> {
    Ok(QueuedDelivery {
        recipient: row.get(0)?,
        digest: row.get(1)?,
        subject: row.get(2)?,
        created: time(row.get(3)?),
        attempts: row.get(4)?,
        next_attempt: time(row.get(5)?),
        reason: row.get(6)?,
    })
}

/// Why a delivery is handed back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyHandedBack {
    /// For a reason that is not its recipient's.
    NotTheirs(String),
    /// Its recipient was refused, and whether that is to be believed is not known yet; since when they are doubted.
    InDoubt { reason: String, since: Option<Timestamp> },
}

/// What is known of a mail server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailServer {
    /// When it last took mail for a list.
    pub taken: Option<Timestamp>,
    /// The same, with mail for the operator.
    pub taken_any: Option<Timestamp>,
    /// Why it refuses us, while others take its mail.
    pub trouble: Option<String>,
}

/// A turn that is so many steps ahead was taken under a wrong clock.
const TURNS_MAX: i64 = 10_000;

/// No pause between two attempts is longer: a delivery that waits for later than this was written under a wrong clock.
const PAUSE_MAX: SignedDuration = SignedDuration::from_hours(4 * 24);

/// The columns that `issue` reads; an issue without a web version has an empty name.
const ISSUE_COLUMNS: &str = "subject, text, html, name, mark, language, reply_to, forwarded";

fn issue(row: &Row) -> rusqlite::Result<Issue> {
    let name: String = row.get(3)?;
    let forwarded = match (row.get(6)?, row.get::<Option<Vec<u8>>>(7)?) {
        (Some(reply_to), message) => Some(ForwardedMail { reply_to, message: message.unwrap_or_default() }),
        (None, _) => None,
    };
    Ok(Issue {
        subject: row.get(0)?,
        text: row.get(1)?,
        html: row.get(2)?,
        name: (!name.is_empty()).then_some(name),
        places: LinkPlaces::with_mark(row.get(4)?),
        language: row.get(5)?,
        forwarded,
        partners: Vec::new(),
    })
}

type DeliveryRow =
    ((DigestId, String, String), (u32, u32), IssueKey, Timestamp, DeliveryKey, Option<Timestamp>);

fn delivery_row(row: &Row) -> rusqlite::Result<DeliveryRow> {
    Ok((
        (row.get(0)?, row.get(1)?, row.get(2)?),
        (row.get(3)?, row.get(8)?),
        row.get(4)?,
        time(row.get(5)?),
        row.get(6)?,
        row.get::<Option<i64>>(7)?.map(time),
    ))
}

impl<A> Mailing<'_, A> {
    /// The last slot of a digest filled until now. Issues are numbered in the order in which they were made: a slot that later
    /// issues have passed by was filled under a wrong clock, and so was one in the future.
    pub fn last_slot(&self, digest: &DigestId, now: Timestamp) -> Result<Option<Timestamp>> {
        let sql = "SELECT slot FROM issue WHERE pk = (SELECT max(pk) FROM issue WHERE digest = ?1)";
        let latest: Option<i64> = self.db.row(sql, [digest], |row| row.get(0))?;
        if let Some(slot) = latest.map(time).filter(|slot| *slot <= now) {
            return Ok(Some(slot));
        }
        let sql = "SELECT max(slot) FROM issue WHERE digest = ?1 AND slot <= ?2";
        Ok(self.db.one(sql, params![digest, millis(now)], |row| row.get::<Option<i64>>(0))?.map(time))
    }

    /// The last entry that a digest has considered; `None` if it had no issue yet.
    pub fn digest_mark(&self, digest: &DigestId) -> Result<Option<EntryKey>> {
        self.db.row("SELECT seen FROM digest_mark WHERE digest = ?1", [digest], |row| row.get(0))
    }

    /// The digests whose schedule is known.
    pub fn scheduled_digests(&self) -> Result<Vec<DigestId>> {
        self.db.rows("SELECT digest FROM digest_schedule WHERE schedule <> ''", [], |row| row.get(0))
    }

    /// How the schedule of a digest was written when its slots were last looked at.
    pub fn digest_schedule(&self, digest: &DigestId) -> Result<Option<String>> {
        self.db.row("SELECT schedule FROM digest_schedule WHERE digest = ?1", [digest], |row| row.get(0))
    }

    /// The deliveries whose time has come: what the operator has to know, then those that were not tried yet, since what was refused
    /// may be refused again, then those that wait longest. One that is still `sending` when its lease has run out was cut off after
    /// it was handed over: it is due again, under the same Message-ID. `leased` is now by the clock of leases.
    pub fn due(&self, now: Timestamp, leased: Timestamp, digest: Option<&DigestId>) -> Result<Due> {
        let lists = DigestId::OWN_LISTS.map(|digest| format!("'{digest}'")).join(", ");
        let of_state = |state: &str, limit: &str| {
            format!(
                "SELECT delivery.pk, next_attempt, issue.digest <> '{}', attempts > 0 OR last_error IS NOT NULL, substr(issue.digest, 1, 1) <> '_' OR issue.digest IN ({lists})
                 FROM delivery JOIN issue ON issue.pk = delivery.issue
                 WHERE state = '{state}' AND next_attempt {limit} AND lease_end <= ?4 AND (CAST(?3 AS TEXT) IS NULL OR issue.digest = ?3)",
                DigestId::Operator
            )
        };
        let parts: Vec<String> = ["pending", "sending"]
            .iter()
            .flat_map(|state| ["<= ?1", "> ?2"].map(|limit| of_state(state, limit)))
            .collect();
        let sql = format!("{} ORDER BY 3, 4, 2, 1", parts.join(" UNION ALL "));
        let parameters = params![millis(now), millis(now + PAUSE_MAX), digest, millis(leased)];
        let rows: Vec<(DeliveryKey, bool)> =
            self.db.rows(&sql, parameters, |row| Ok((row.get(0)?, row.get(4)?)))?;
        let of = |is_list| rows.iter().filter(|row| row.1 == is_list).map(|row| row.0).collect();
        Ok(Due { lists: of(true), others: of(false) })
    }

    /// The domains to which a run sends one message only, until one is taken.
    pub fn paused_domains(&self) -> Result<Vec<(String, String)>> {
        self.db.rows("SELECT domain, reason FROM paused_domain", [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Deliveries by number, each issue read once; `known` is an issue read before.
    pub fn deliveries(&self, numbers: &[DeliveryKey], known: Option<&Arc<Issue>>) -> Result<Vec<Delivery>> {
        let sql = "SELECT issue.digest, recipient, message_id, attempts, issue.pk, created, delivery.pk, doubted, uncertain
                   FROM json_each(?1) AS wanted CROSS JOIN delivery ON delivery.pk = CAST(wanted.value AS BIGINT) JOIN issue ON issue.pk = delivery.issue ORDER BY wanted.key";
        // Those that were erased in the meantime are gone.
        let rows = self.db.rows(sql, [keys_text(numbers)], delivery_row)?;
        let mut issues: HashMap<IssueKey, Arc<Issue>> = HashMap::new();
        let mut deliveries = Vec::with_capacity(rows.len());
        for ((digest, recipient, message_id), (attempts, uncertain), key, created, id, doubted) in rows {
            let issue = match issues.get(&key) {
                Some(issue) => issue.clone(),
                None => {
                    let read = self.issue(key)?;
                    let issue =
                        known.filter(|known| ***known == read).cloned().unwrap_or_else(|| Arc::new(read));
                    issues.insert(key, issue.clone());
                    issue
                }
            };
            deliveries.push(Delivery {
                id,
                digest,
                recipient,
                message_id,
                attempts,
                uncertain,
                issue,
                created,
                doubted,
            });
        }
        Ok(deliveries)
    }

    fn issue(&self, key: IssueKey) -> Result<Issue> {
        self.db.one(&format!("SELECT {ISSUE_COLUMNS} FROM issue WHERE pk = ?1"), [key], issue)
    }

    /// Some of the issues whose web version is not written yet.
    pub fn unarchived_issues(&self, issues_max: usize) -> Result<Vec<(IssueKey, Issue)>> {
        let sql = format!(
            "SELECT {ISSUE_COLUMNS}, pk FROM issue WHERE is_archived = 0 ORDER BY pk LIMIT {issues_max}"
        );
        self.db.rows(&sql, [], |row| Ok((row.get(8)?, issue(row)?)))
    }

    /// Some issues whose web versions were written, after one of them: their names, and whether their texts are still known.
    pub fn archived_issues(
        &self,
        after: IssueKey,
        issues_max: usize,
    ) -> Result<Vec<(IssueKey, String, bool)>> {
        let sql = format!(
            "SELECT pk, name, html <> '' FROM issue WHERE pk > ?1 AND is_archived = 1 AND name <> '' ORDER BY pk LIMIT {issues_max}"
        );
        self.db.rows(&sql, [after], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    /// Name, subject and time of the latest issues of a digest, newest first.
    pub fn last_issues(
        &self,
        digest: &DigestId,
        issues_max: usize,
    ) -> Result<Vec<(String, String, Timestamp)>> {
        let sql = format!(
            "SELECT name, subject, created FROM issue WHERE digest = ?1 AND name <> '' ORDER BY slot DESC, pk DESC LIMIT {issues_max}"
        );
        self.db.rows(&sql, [digest], |row| Ok((row.get(0)?, row.get(1)?, time(row.get(2)?))))
    }

    /// Some old issues of a digest that nothing refers to any more, with their names: personal ones, and those of slots without
    /// news. The last one is kept, since it records the last filled slot.
    pub fn old_issues(
        &self,
        digest: &DigestId,
        limit: Timestamp,
        listed: usize,
        issues_max: usize,
    ) -> Result<Vec<(IssueKey, Option<String>)>> {
        let sql = format!(
            "SELECT pk, CASE WHEN ?3 = 1 AND name <> '' THEN name END FROM issue WHERE digest = ?1 AND slot < ?2
             AND (?3 = 1 OR name = '' OR slot < (SELECT slot FROM issue WHERE digest = ?1 AND name <> '' ORDER BY slot DESC LIMIT 1 OFFSET {}))
             AND slot < (SELECT max(slot) FROM issue WHERE digest = ?1) AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.issue = issue.pk) AND NOT EXISTS (SELECT 1 FROM issue_story WHERE issue_story.issue = issue.pk)
             AND NOT EXISTS (SELECT 1 FROM campaign WHERE campaign.issue = issue.pk)
             LIMIT {issues_max}",
            listed.saturating_sub(1)
        );
        let is_own = !matches!(digest, DigestId::Configured(_) | DigestId::Campaign);
        self.db.rows(&sql, params![digest, millis(limit), is_own], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Visits the deliveries in a state one by one, in the order in which they are due.
    pub fn each_unsent<E: From<StoreError>>(
        &self,
        state: &str,
        mut visit: impl FnMut(QueuedDelivery) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.db.each(QUEUED, [state], |row| visit(queued(row).map_err(StoreError::from)?))
    }

    /// Why mail is held up, if it is.
    pub fn held_up(&self) -> Result<Option<String>> {
        self.db.row("SELECT reason FROM mail_held_up", [], |row| row.get(0))
    }

    /// Whether any delivery waits for a reason that is not its recipient's.
    pub fn has_held(&self) -> Result<bool> {
        self.db.one("SELECT EXISTS (SELECT 1 FROM delivery WHERE is_held = 1)", [], |row| row.get(0))
    }

    /// When a mail server last took mail for a list, and why it refuses us while others take its mail.
    pub fn mail_server(&self, server: &str) -> Result<MailServer> {
        let sql = "SELECT taken, taken_any, trouble FROM mail_server WHERE server = ?1";
        let read = |row: &Row| {
            let at = |column| Ok::<_, rusqlite::Error>(row.get::<Option<i64>>(column)?.map(time));
            Ok(MailServer { taken: at(0)?, taken_any: at(1)?, trouble: row.get(2)? })
        };
        Ok(self.db.row(sql, [server], read)?.unwrap_or_default())
    }

    /// A secret of this installation, if it exists.
    pub fn secret(&self, name: &str) -> Result<Option<String>> {
        self.db.row("SELECT value FROM secret WHERE name = ?1", [name], |row| row.get(0))
    }

    /// Number of deliveries in each state, without those of one digest.
    pub fn delivery_counts(&self, without: &DigestId) -> Result<Vec<(String, u64)>> {
        let count = |row: &Row| Ok((row.get(0)?, row.get::<i64>(1)?.unsigned_abs()));
        let all = "SELECT state, count(*) FROM delivery GROUP BY state ORDER BY state";
        let own = "SELECT delivery.state, count(*) FROM issue JOIN delivery ON delivery.issue = issue.pk WHERE issue.digest = ?1 GROUP BY delivery.state";
        let mut counts: Vec<(String, u64)> = self.db.rows(all, [], count)?;
        let own: HashMap<String, u64> = self.db.rows(own, [without.as_str()], count)?.into_iter().collect();
        counts.iter_mut().for_each(|(state, count)| *count -= own.get(state).unwrap_or(&0));
        counts.retain(|(_, count)| *count > 0);
        Ok(counts)
    }

    /// Notices not yet reported to the operator, oldest first.
    pub fn notices(&self) -> Result<Vec<Notice>> {
        self.db.rows("SELECT source, text FROM notice ORDER BY pk", [], |row| {
            Ok(Notice { source: row.get(0)?, text: row.get(1)? })
        })
    }
}

impl Mailing<'_, Write> {
    /// Stores a secret unless one exists.
    pub fn put_secret(&self, name: &str, fresh: &str) -> Result<()> {
        self.db.execute(
            "INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            [name, fresh],
        )?;
        Ok(())
    }

    /// Gives up the deliveries whose outcome a dead process left open; returns how many. Deliveries under way elsewhere are not
    /// touched: their leases have not ended by `leased`, the current time on the clock of leases.
    pub fn skip_uncertain(&self, leased: Timestamp) -> Result<usize> {
        let sql = "UPDATE delivery SET state = 'failed', lease_end = 0, worker = NULL, is_held = 0,
                       last_error = 'handed over by a run that was cut off: it may have arrived, and is not sent again' WHERE state = 'sending' AND lease_end <= ?1";
        self.db.execute(sql, [millis(leased)])
    }

    /// Claims a delivery if it is still due and its count of attempts is still `attempts`, so that only one process gets it.
    /// `leased` is the current time on the clock of leases.
    pub fn claim(
        &self,
        number: DeliveryKey,
        attempts: u32,
        worker: &str,
        now: Timestamp,
        leased: Timestamp,
    ) -> Result<Option<ClaimedDelivery>> {
        let sql = "UPDATE delivery SET state = 'sending', attempts = attempts + 1, lease_end = ?4, worker = ?5
                   WHERE pk = ?1 AND attempts = ?2 AND state IN ('pending', 'sending') AND (next_attempt <= ?3 OR next_attempt > ?6) AND lease_end <= ?7";
        let parameters = params![
            number,
            attempts,
            millis(now),
            millis(leased + LEASE),
            worker,
            millis(now + PAUSE_MAX),
            millis(leased)
        ];
        Ok((self.db.execute(sql, parameters)? == 1)
            .then_some(ClaimedDelivery { number, attempt: attempts + 1 }))
    }

    /// Stores the outcome of a delivery; `false` if another process has taken it over.
    pub fn settle(
        &self,
        claimed: ClaimedDelivery,
        state: DeliveryState,
        error: Option<&str>,
        next_attempt: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE delivery SET state = ?3, last_error = ?4, next_attempt = ?5, is_held = 0, lease_end = 0, worker = NULL WHERE pk = ?1 AND attempts = ?2 AND state = 'sending'";
        Ok(self.db.execute(
            sql,
            params![claimed.number, claimed.attempt, state.as_str(), error, millis(next_attempt)],
        )? == 1)
    }

    /// A delivery was handed over, and nobody said whether it was taken.
    pub fn note_uncertain(&self, number: DeliveryKey) -> Result<()> {
        self.db.execute("UPDATE delivery SET uncertain = uncertain + 1 WHERE pk = ?1", [number])?;
        Ok(())
    }

    /// Sends one message only to a domain, in each run until one is taken.
    pub fn pause_domain(&self, domain: &str, reason: &str) -> Result<()> {
        let sql = "INSERT INTO paused_domain (domain, reason) VALUES (?1, ?2) ON CONFLICT (domain) DO UPDATE SET reason = ?2";
        self.db.execute(sql, [domain, reason])?;
        Ok(())
    }

    /// A domain takes mail again.
    pub fn open_domain(&self, domain: &str) -> Result<()> {
        self.db.execute("DELETE FROM paused_domain WHERE domain = ?1", [domain])?;
        Ok(())
    }

    /// Returns a delivery that was not sent at all: the attempt is not counted. `false` if another process has taken it over.
    /// With a reason, the delivery waits until `next_attempt`.
    pub fn hand_back(
        &self,
        claimed: ClaimedDelivery,
        why: Option<&WhyHandedBack>,
        next_attempt: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE delivery SET state = 'pending', attempts = attempts - 1, lease_end = 0, worker = NULL, last_error = coalesce(?3, last_error),
                       next_attempt = iif(CAST(?3 AS TEXT) IS NULL, next_attempt, ?4), is_held = max(is_held, ?5), doubted = coalesce(doubted, ?6)
                   WHERE pk = ?1 AND attempts = ?2 AND state = 'sending'";
        let (reason, is_held, doubted) = match why {
            None => (None, false, None),
            Some(WhyHandedBack::NotTheirs(reason)) => (Some(reason), true, None),
            Some(WhyHandedBack::InDoubt { reason, since }) => (Some(reason), false, since.map(millis)),
        };
        let parameters =
            params![claimed.number, claimed.attempt, reason, millis(next_attempt), is_held, doubted];
        Ok(self.db.execute(sql, parameters)? == 1)
    }

    /// Keeps what became of a delivery that was handed back in doubt; `attempts` are those before. `false` when another process has it.
    pub fn settle_doubt(
        &self,
        number: DeliveryKey,
        attempts: u32,
        state: DeliveryState,
        next_attempt: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE delivery SET state = ?3, attempts = attempts + 1, next_attempt = ?4, is_held = 0
                   WHERE pk = ?1 AND attempts = ?2 AND state = 'pending'";
        let parameters = params![number, attempts, state.as_str(), millis(next_attempt)];
        Ok(self.db.execute(sql, parameters)? == 1)
    }

    /// A delivery that was handed back in doubt waits for a reason that is not its recipient's.
    pub fn hold(&self, number: DeliveryKey) -> Result<()> {
        self.db.execute("UPDATE delivery SET is_held = 1 WHERE pk = ?1 AND state = 'pending'", [number])?;
        Ok(())
    }

    /// Keeps what is known of a mail server.
    pub fn put_mail_server(&self, server: &str, known: &MailServer) -> Result<()> {
        let sql = "INSERT INTO mail_server (server, taken, taken_any, trouble) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (server) DO UPDATE SET taken = ?2, taken_any = ?3, trouble = ?4";
        self.db.execute(
            sql,
            params![server, known.taken.map(millis), known.taken_any.map(millis), known.trouble],
        )?;
        Ok(())
    }

    /// Takes the next turn of a rate, of which one comes after each `step`: all processes on the store share them. The times are by the
    /// clock of leases.
    pub fn take_turn(&self, what: &str, step: SignedDuration, leased: Timestamp) -> Result<Timestamp> {
        let sql = "INSERT INTO mail_turn (what, next) VALUES (?1, ?2 + ?3)
                   ON CONFLICT (what) DO UPDATE SET next = iif(mail_turn.next > ?4, ?2, max(mail_turn.next, ?2)) + ?3 RETURNING next";
        let (now, step) = (leased.as_microsecond(), i64::try_from(step.as_micros()).unwrap_or(i64::MAX));
        let limit = now.saturating_add(step.saturating_mul(TURNS_MAX));
        let next: i64 = self.db.one(sql, params![what, now, step, limit], |row| row.get(0))?;
        Ok(Timestamp::from_microsecond(next - step).unwrap_or(leased))
    }

    /// Forgets turns that are over.
    pub fn forget_turns(&self, leased: Timestamp) -> Result<()> {
        self.db.execute("DELETE FROM mail_turn WHERE next < ?1", [leased.as_microsecond()])?;
        Ok(())
    }

    /// Forgets some deliveries that were settled before a time; answers how many.
    pub fn forget_deliveries(&self, limit: Timestamp, deliveries_max: usize) -> Result<usize> {
        // Who received what is personal data: it has to be gone from the file as well.
        self.db.erase_deleted()?;
        let of_state =
            |state: &str| format!("SELECT pk FROM delivery WHERE state = '{state}' AND next_attempt < ?1");
        let sql = format!(
            "DELETE FROM delivery WHERE pk IN ({} UNION ALL {} LIMIT {deliveries_max})",
            of_state("sent"),
            of_state("failed")
        );
        self.db.execute(&sql, [millis(limit)])
    }

    /// Clears the texts of issues whose deliveries are all deleted; their web versions stay.
    pub fn forget_issue_texts(&self, limit: Timestamp) -> Result<()> {
        let sql =
            "UPDATE issue SET text = '', html = '' WHERE created < ?1 AND html <> '' AND is_archived = 1
                   AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.issue = issue.pk)";
        self.db.execute(sql, [millis(limit)])?;
        Ok(())
    }

    /// Notes why mail is held up, or that it no longer is.
    pub fn set_held_up(&self, reason: Option<&str>) -> Result<()> {
        match reason {
            Some(reason) => self.db.execute(
                "INSERT INTO mail_held_up (id, reason) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET reason = ?1",
                [reason],
            )?,
            None => self.db.execute("DELETE FROM mail_held_up", [])?,
        };
        Ok(())
    }

    /// Deletes an issue that nothing refers to.
    pub fn forget_issue(&self, key: IssueKey) -> Result<()> {
        self.db.execute("DELETE FROM issue WHERE pk = ?1", [key])?;
        Ok(())
    }

    /// Deletes the oldest notices, once they are in an issue.
    pub fn forget_notices(&self, count: usize) -> Result<()> {
        self.db.execute(
            &format!("DELETE FROM notice WHERE pk IN (SELECT pk FROM notice ORDER BY pk LIMIT {count})"),
            [],
        )?;
        Ok(())
    }

    pub(super) fn put_issue(
        &self,
        digest: &DigestId,
        slot: Timestamp,
        now: Timestamp,
        issue: &Issue,
    ) -> Result<IssueKey> {
        let sql = "INSERT INTO issue (digest, slot, created, subject, text, html, name, is_archived, mark, language, reply_to, forwarded)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, iif(?7 = '', 1, 0), ?8, ?9, ?10, ?11)";
        let key = self.db.insert_row(
            sql,
            params![
                digest,
                millis(slot),
                millis(now),
                issue.subject,
                issue.text,
                issue.html,
                issue.name.as_deref().unwrap_or_default(),
                issue.places.mark(),
                issue.language,
                issue.forwarded.as_ref().map(|mail| &mail.reply_to),
                issue.forwarded.as_ref().map(|mail| &mail.message),
            ],
        )?;
        let unit: Unit<Write> = Unit::new(self.db, self.index);
        unit.partners().put_issue_partners(IssueKey(key), &issue.partners)?;
        Ok(IssueKey(key))
    }

    /// Records that the web version of an issue is written.
    pub fn set_archived(&self, key: IssueKey) -> Result<()> {
        self.db.execute("UPDATE issue SET is_archived = 1 WHERE pk = ?1", [key])?;
        Ok(())
    }

    /// Records that an issue has no web version any more.
    pub fn set_unarchived(&self, key: IssueKey) -> Result<()> {
        self.db.execute("UPDATE issue SET is_archived = 0 WHERE pk = ?1", [key])?;
        Ok(())
    }

    /// Stores how the schedule of a digest is written.
    pub fn put_digest_schedule(&self, digest: &DigestId, schedule: &str) -> Result<()> {
        let sql = "INSERT INTO digest_schedule (digest, schedule) VALUES (?1, ?2) ON CONFLICT (digest) DO UPDATE SET schedule = ?2";
        self.db.execute(sql, params![digest, schedule])?;
        Ok(())
    }

    /// Stores the last entry that a digest has considered.
    pub fn put_digest_mark(&self, digest: &DigestId, seen: EntryKey) -> Result<()> {
        let sql = "INSERT INTO digest_mark (digest, seen) VALUES (?1, ?2) ON CONFLICT (digest) DO UPDATE SET seen = max(digest_mark.seen, ?2)";
        self.db.execute(sql, params![digest, seen])?;
        Ok(())
    }

    /// Queues an issue with its stories and deliveries. `None` if the slot was filled or a story was told in the meantime: the
    /// unit has to be abandoned then. `message_id` is called with the issue's key and the recipient.
    pub fn queue_issue(
        &self,
        new: &NewIssue,
        message_id: impl Fn(IssueKey, &str) -> String,
    ) -> Result<Option<usize>> {
        if let Some(slot) = new.slot
            && self.last_slot(new.digest, new.now)?.is_some_and(|last| last >= slot)
        {
            return Ok(None);
        }
        let issue = self.put_issue(new.digest, new.slot.unwrap_or(new.now), new.now, new.issue)?;
        let mark =
            "INSERT INTO issue_story (digest, story, issue) SELECT ?1, pk, ?3 FROM json_each(?2) AS asked
                    CROSS JOIN story ON story.id = asked.value WHERE true ON CONFLICT DO NOTHING";
        if self.db.execute(mark, params![new.digest, texts(new.stories), issue])? != new.stories.len() {
            return Ok(None);
        }
        for recipient in new.recipients {
            self.put_delivery(issue, recipient, &message_id(issue, recipient), new.now)?;
        }
        Ok(Some(new.recipients.len()))
    }

    pub(super) fn put_delivery(
        &self,
        issue: IssueKey,
        recipient: &str,
        message_id: &str,
        now: Timestamp,
    ) -> Result<()> {
        let sql = "INSERT INTO delivery (issue, recipient, message_id, state, next_attempt) VALUES (?1, ?2, ?3, 'pending', ?4)";
        self.db.execute_later(InsertOrder::Rest, sql, params![issue, recipient, message_id, millis(now)])
    }
}
