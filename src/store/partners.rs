//! What partners see of their stories, and what they propose.

use jiff::Timestamp;
use rusqlite::params;

use super::driver::{InsertOrder, Row};
use super::unit::{Partners, Write};
use super::values::texts;
use super::{Result, millis, time};
use crate::model::keys::{EntryKey, IssueKey, ProposalKey};
use crate::model::partner::{
    NewProposal, PROPOSALS_MAX, PartnerReach, Proposal, ProposalDecision, ProposalKind, ProposalRefusal,
};

const COLUMNS: &str = "pk, partner, kind, text, entry, title, created, decided, accepted, who";
const LAST_PROPOSAL: &str = "SELECT coalesce(max(pk), 0) FROM proposal";

/// What is known of the month that a report would be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportMonth {
    /// The partner is new: the month goes on.
    First,
    /// A month is over, and nobody sent its report yet.
    Over,
    /// It was sent.
    Sent,
}

fn proposal(row: &Row) -> rusqlite::Result<Proposal> {
    let kind: String = row.get(2)?;
    let proposed = NewProposal {
        partner: row.get(1)?,
        kind: ProposalKind::from(kind.as_str()),
        text: row.get(3)?,
        entry: row.get::<Option<EntryKey>>(4)?,
        title: row.get(5)?,
    };
    let (decided, is_accepted): (Option<i64>, bool) = (row.get(7)?, row.get(8)?);
    let who = row.get::<Option<String>>(9)?.unwrap_or_default();
    let decision = decided.map(|at| ProposalDecision { is_accepted, at: time(at), who });
    Ok(Proposal { key: row.get(0)?, proposed, created: time(row.get(6)?), decision })
}

impl<A> Partners<'_, A> {
    /// Which of its links to its page a partner has now; 0 is the first one.
    pub fn link_revision(&self, partner: &str) -> Result<i64> {
        let sql = "SELECT revision FROM partner_link WHERE partner = ?1";
        Ok(self.db.row(sql, [partner], |row| row.get(0))?.unwrap_or(0))
    }

    /// How many people the stories of a partner reached by mail in a time.
    pub fn reach(&self, partner: &str, from: Timestamp, to: Timestamp) -> Result<PartnerReach> {
        let sql = "SELECT count(*), count(DISTINCT recipient) FROM issue_partner CROSS JOIN issue ON issue.pk = issue_partner.issue
                   CROSS JOIN delivery ON delivery.issue = issue.pk
                   WHERE issue_partner.partner = ?1 AND issue.created >= ?2 AND issue.created < ?3 AND delivery.state = 'sent'";
        self.db.one(sql, params![partner, millis(from), millis(to)], |row| {
            let [mails, people]: [i64; 2] = [row.get(0)?, row.get(1)?];
            Ok(PartnerReach { mails: mails.unsigned_abs(), people: people.unsigned_abs() })
        })
    }

    /// The month whose report a partner was sent last, or that goes on since its reports were asked for.
    pub fn report_month(&self, partner: &str) -> Result<Option<i64>> {
        self.db.row("SELECT month FROM partner_report WHERE partner = ?1", [partner], |row| row.get(0))
    }

    /// The latest proposals of a partner, the newest first.
    pub fn proposals_of(&self, partner: &str, proposals_max: usize) -> Result<Vec<Proposal>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM proposal WHERE partner = ?1 ORDER BY pk DESC LIMIT {proposals_max}"
        );
        self.db.rows(&sql, [partner], proposal)
    }

    /// The proposals that wait, the oldest first.
    pub fn open_proposals(&self, proposals_max: usize) -> Result<Vec<Proposal>> {
        let sql =
            format!("SELECT {COLUMNS} FROM proposal WHERE decided IS NULL ORDER BY pk LIMIT {proposals_max}");
        self.db.rows(&sql, [], proposal)
    }

    /// A proposal.
    pub fn proposal(&self, key: ProposalKey) -> Result<Option<Proposal>> {
        self.db.row(&format!("SELECT {COLUMNS} FROM proposal WHERE pk = ?1"), [key], proposal)
    }
}

impl Partners<'_, Write> {
    /// Gives a partner another link; those before are void.
    pub fn renew_link(&self, partner: &str) -> Result<i64> {
        let revision = self.link_revision(partner)? + 1;
        let sql = "INSERT INTO partner_link (partner, revision) VALUES (?1, ?2) ON CONFLICT (partner) DO UPDATE SET revision = ?2";
        self.db.execute(sql, params![partner, revision])?;
        Ok(revision)
    }

    /// Notes whose stories are shown in an issue.
    pub(super) fn put_issue_partners(&self, issue: IssueKey, partners: &[String]) -> Result<()> {
        if partners.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO issue_partner (partner, issue) SELECT value, ?2 FROM json_each(?1)";
        self.db.execute(sql, params![texts(partners), issue]).map(drop)
    }

    /// Stores a proposal, unless the same waits already, or too many do.
    pub fn propose(
        &self,
        new: &NewProposal,
        now: Timestamp,
    ) -> Result<std::result::Result<ProposalKey, ProposalRefusal>> {
        let sql = "SELECT text, kind, entry FROM proposal WHERE partner = ?1 AND decided IS NULL";
        let open: Vec<(String, String, Option<EntryKey>)> =
            self.db.rows(sql, [new.partner.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let is_same = |(text, kind, entry): &(String, String, Option<EntryKey>)| {
            (text, kind.as_str(), entry) == (&new.text, new.kind.as_str(), &new.entry)
        };
        if open.iter().any(is_same) {
            return Ok(Err(ProposalRefusal::Known));
        }
        if open.len() >= PROPOSALS_MAX {
            return Ok(Err(ProposalRefusal::TooMany));
        }
        let key = ProposalKey(self.db.next_key(LAST_PROPOSAL)?);
        let sql = "INSERT INTO proposal (pk, partner, kind, text, entry, title, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let NewProposal { partner, kind, text, entry, title } = new;
        let parameters = params![key, partner, kind.as_str(), text, entry, title, millis(now)];
        self.db.execute_later(InsertOrder::Rest, sql, parameters)?;
        Ok(Ok(key))
    }

    /// Accepts or declines a proposal; `false` if somebody has.
    pub fn decide(&self, key: ProposalKey, decision: &ProposalDecision) -> Result<bool> {
        let sql =
            "UPDATE proposal SET decided = ?2, accepted = ?3, who = ?4 WHERE pk = ?1 AND decided IS NULL";
        let ProposalDecision { is_accepted, at, who } = decision;
        Ok(self.db.execute(sql, params![key, millis(*at), is_accepted, who])? == 1)
    }

    /// Forgets what was decided before a time.
    pub fn forget_proposals(&self, limit: Timestamp) -> Result<()> {
        self.db.execute("DELETE FROM proposal WHERE decided < ?1", [millis(limit)]).map(drop)
    }

    /// Takes the report that is due in a month, which nobody else gets then. Months are counted; one that is further ahead than the next
    /// was noted under a wrong clock.
    pub fn take_report(&self, partner: &str, month: i64) -> Result<ReportMonth> {
        let taken = match self.report_month(partner)? {
            Some(before) if before == month || before == month + 1 => return Ok(ReportMonth::Sent),
            Some(before) if before < month => ReportMonth::Over,
            Some(_) | None => ReportMonth::First,
        };
        let sql = "INSERT INTO partner_report (partner, month) VALUES (?1, ?2) ON CONFLICT (partner) DO UPDATE SET month = ?2";
        self.db.execute(sql, params![partner, month])?;
        Ok(taken)
    }
}
