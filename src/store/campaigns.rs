//! Campaigns: mails that somebody wrote for a part of the list.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::params;

use super::driver::Row;
use super::unit::{Campaigns, Write};
use super::values::texts;
use super::{Result, StoreError, Unit, millis, optional_time, time};
use crate::model::campaign::{Campaign, CampaignState};
use crate::model::digest::{DigestId, Issue};
use crate::model::keys::{CampaignKey, IssueKey};

/// A campaign to store.
#[derive(Debug, Clone, Copy)]
pub struct NewCampaign<'a> {
    /// Of its file.
    pub hash: &'a str,
    pub subject: &'a str,
    pub selection: &'a str,
    pub source: &'a str,
    /// Not before.
    pub at: Timestamp,
    pub now: Timestamp,
}

/// Recipients of a campaign, chosen among the subscribers after those that were considered before.
#[derive(Debug)]
pub struct ChosenRecipients<'a> {
    pub campaign: CampaignKey,
    pub issue: IssueKey,
    /// Each with the Message-ID of the delivery to it, which is the same whenever it is made.
    pub recipients: &'a [(String, String)],
    /// The number of the last subscriber considered.
    pub last: i64,
    /// Whether there are no more subscribers.
    pub is_end: bool,
    pub now: Timestamp,
}

const LAST_CAMPAIGN: &str = "SELECT coalesce(max(pk), 0) FROM campaign";
const COLUMNS: &str = "pk, subject, selection, source, state, created, at, issue, last, recipients, ended";

fn campaign(row: &Row) -> rusqlite::Result<Result<Campaign>> {
    let state: String = row.get(4)?;
    let Some(state) = CampaignState::parse(&state) else {
        return Ok(Err(StoreError::Corrupt(format!("no state of a campaign is called \"{state}\""))));
    };
    Ok(Ok(Campaign {
        key: row.get(0)?,
        subject: row.get(1)?,
        selection: row.get(2)?,
        source: row.get(3)?,
        state,
        created: time(row.get(5)?),
        at: time(row.get(6)?),
        issue: row.get(7)?,
        last: row.get(8)?,
        recipients: row.get::<i64>(9)?.unsigned_abs(),
        ended: optional_time(row.get(10)?),
    }))
}

impl<A> Campaigns<'_, A> {
    /// A campaign.
    pub fn get(&self, key: CampaignKey) -> Result<Option<Campaign>> {
        let sql = format!("SELECT {COLUMNS} FROM campaign WHERE pk = ?1");
        self.db.row(&sql, [key], campaign)?.transpose()
    }

    /// The last campaigns, newest first.
    pub fn latest(&self, campaigns_max: usize) -> Result<Vec<Campaign>> {
        let sql = format!("SELECT {COLUMNS} FROM campaign ORDER BY pk DESC LIMIT {campaigns_max}");
        self.db.rows(&sql, [], campaign)?.into_iter().collect()
    }

    /// The campaign that was made last of a file, and not cancelled.
    pub fn of_file(&self, hash: &str) -> Result<Option<CampaignKey>> {
        let sql = "SELECT pk FROM campaign WHERE hash = ?1 AND state <> 'cancelled' ORDER BY pk DESC LIMIT 1";
        self.db.row(sql, [hash], |row| row.get(0))
    }

    /// The campaigns whose recipients are to be chosen now, those first that wait longest.
    pub fn due(&self, now: Timestamp) -> Result<Vec<CampaignKey>> {
        let sql = "SELECT pk FROM campaign WHERE ended IS NULL AND at <= ?1 ORDER BY at, pk";
        self.db.rows(sql, [millis(now)], |row| row.get(0))
    }

    /// Number of deliveries of an issue in each state.
    pub fn delivery_counts(&self, issue: IssueKey) -> Result<HashMap<String, u64>> {
        let sql = "SELECT state, count(*) FROM delivery WHERE issue = ?1 GROUP BY state";
        let counts =
            self.db.rows(sql, [issue], |row| Ok((row.get(0)?, row.get::<i64>(1)?.unsigned_abs())))?;
        Ok(counts.into_iter().collect())
    }
}

impl Campaigns<'_, Write> {
    /// Stores a campaign that waits for its time.
    pub fn put(&self, new: &NewCampaign) -> Result<CampaignKey> {
        let key = CampaignKey(self.db.next_key(LAST_CAMPAIGN)?);
        let sql = "INSERT INTO campaign (pk, hash, subject, selection, source, state, created, at) VALUES (?1, ?2, ?3, ?4, ?5, 'scheduled', ?6, ?7)";
        let parameters =
            params![key, new.hash, new.subject, new.selection, new.source, millis(new.now), millis(new.at)];
        self.db.execute(sql, parameters)?;
        Ok(key)
    }

    /// Begins a campaign with its issue; `None` if it was begun or cancelled in the meantime.
    pub fn begin(&self, key: CampaignKey, issue: &Issue, now: Timestamp) -> Result<Option<IssueKey>> {
        let sql = "UPDATE campaign SET state = 'sending' WHERE pk = ?1 AND state = 'scheduled'";
        if self.db.execute(sql, [key])? == 0 {
            return Ok(None);
        }
        let unit: Unit<Write> = Unit::new(self.db, self.index);
        let number = unit.mailing().put_issue(&DigestId::Campaign, now, now, issue)?;
        self.db.execute("UPDATE campaign SET issue = ?2 WHERE pk = ?1", params![key, number])?;
        Ok(Some(number))
    }

    /// When the issue of a campaign was made.
    pub fn begun(&self, issue: IssueKey) -> Result<Timestamp> {
        self.db.one("SELECT created FROM issue WHERE pk = ?1", [issue], |row| Ok(time(row.get(0)?)))
    }

    /// Queues deliveries to recipients, and notes how far the list was considered. Who has a delivery of the issue already, because they
    /// left the list and came back, gets no other. Returns how many were queued.
    pub fn queue(&self, chosen: &ChosenRecipients) -> Result<usize> {
        let ids: Vec<&String> = chosen.recipients.iter().map(|(_, id)| id).collect();
        let sql =
            "SELECT message_id FROM json_each(?1) AS asked CROSS JOIN delivery ON message_id = asked.value";
        let known: HashSet<String> =
            self.db.rows(sql, [texts(&ids)], |row| row.get(0))?.into_iter().collect();
        let unit: Unit<Write> = Unit::new(self.db, self.index);
        let mut count = 0;
        for (recipient, id) in chosen.recipients.iter().filter(|(_, id)| !known.contains(id)) {
            unit.mailing().put_delivery(chosen.issue, recipient, id, chosen.now)?;
            count += 1;
        }
        let sql = "UPDATE campaign SET last = ?2, recipients = recipients + ?3, state = CASE WHEN ?4 = 1 THEN 'sent' ELSE state END, ended = CASE WHEN ?4 = 1 THEN ?5 ELSE ended END WHERE pk = ?1";
        let parameters =
            params![chosen.campaign, chosen.last, count as i64, chosen.is_end, millis(chosen.now)];
        self.db.execute(sql, parameters)?;
        Ok(count)
    }

    /// Cancels a campaign: what waits is given up, and nothing more is queued. `None` if it was cancelled before; otherwise how many
    /// deliveries were given up.
    pub fn cancel(&self, key: CampaignKey, now: Timestamp) -> Result<Option<usize>> {
        let sql =
            "UPDATE campaign SET state = 'cancelled', ended = ?2 WHERE pk = ?1 AND state <> 'cancelled'";
        if self.db.execute(sql, params![key, millis(now)])? == 0 {
            return Ok(None);
        }
        let sql = "UPDATE delivery SET state = 'failed', last_error = 'the campaign was cancelled', next_attempt = ?2, is_held = 0
                   WHERE issue = (SELECT issue FROM campaign WHERE pk = ?1) AND state = 'pending'";
        self.db.execute(sql, params![key, millis(now)]).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::store::samples::{at, issue, on_each_database};

    #[test]
    fn whoever_has_a_delivery_of_a_campaign_gets_no_other_and_cancelling_gives_up_what_waits() {
        on_each_database("campaigns", |url| {
            let store = Store::open(url, "w").unwrap();
            let (now, later) = (at(1_000), at(2_000));
            let new = NewCampaign { hash: "h", subject: "S", selection: "all", source: "", at: now, now };
            let campaign = store.write(|w| w.campaigns().put(&new)).unwrap();
            let issue = store.write(|w| w.campaigns().begin(campaign, &issue(), now)).unwrap().unwrap();
            let again = store.write(|w| w.campaigns().begin(campaign, &samples_issue(), later)).unwrap();
            assert!(again.is_none(), "another process was first");
            let queue = |recipients: &[(&str, &str)], last, is_end| {
                let recipients: Vec<(String, String)> =
                    recipients.iter().map(|(a, id)| ((*a).to_owned(), (*id).to_owned())).collect();
                let chosen =
                    ChosenRecipients { campaign, issue, recipients: &recipients, last, is_end, now: later };
                store.write(|w| w.campaigns().queue(&chosen)).unwrap()
            };
            assert_eq!(queue(&[("a@x.example", "1"), ("b@x.example", "2")], 2, false), 2);
            // They left the list, and came back with another number and other capitals.
            assert_eq!(queue(&[("A@x.example", "1"), ("c@x.example", "3")], 4, true), 1);
            let known = store.read(|r| r.campaigns().get(campaign)).unwrap().unwrap();
            assert_eq!((known.recipients, known.last, known.state), (3, 4, CampaignState::Sent));
            assert_eq!((known.ended, known.issue), (Some(later), Some(issue)));
            assert_eq!(store.write(|w| w.campaigns().cancel(campaign, later)).unwrap(), Some(3));
            assert_eq!(store.write(|w| w.campaigns().cancel(campaign, later)).unwrap(), None);
            let counts = store.read(|r| r.campaigns().delivery_counts(issue)).unwrap();
            assert_eq!(counts, HashMap::from([("failed".to_owned(), 3)]));
            assert!(store.read(|r| r.campaigns().of_file("h")).unwrap().is_none());
        });
    }

    fn samples_issue() -> Issue {
        issue()
    }
}
