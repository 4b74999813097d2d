//! Monthly reports to partners (`[[partner]] monthly_mail`): what was read of theirs, what broke, with whom their stories were joined and
//! how many people they reached, with the link to their page.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::MailContext;
use super::queue::mail;
use crate::deliver::message::message_id;
use crate::model::digest::{DigestId, Issue};
use crate::model::keys::IssueKey;
use crate::model::partner::Partner;
use crate::pipeline::partners::{self, JoinedStory, PartnerReport, ReportSpan, ReportedSource};
use crate::store::{NewIssue, ReportMonth, Store, StoreError, Unit, Write};
use crate::support::i18n::{Phrases, phrases, said, spoken};

const DAY_SECONDS: i64 = 86_400;

#[derive(Serialize)]
struct ReportData<'a> {
    title: &'a str,
    partner: &'a str,
    language: &'a str,
    dir: &'a str,
    heading: String,
    sources: Vec<SourceLine>,
    joined: &'a [JoinedStory],
    reach: String,
    /// To the page of the partner.
    link: String,
    t: &'static Phrases,
}

/// A source, as the report tells of it.
#[derive(Serialize)]
struct SourceLine {
    id: String,
    address: Option<String>,
    /// Entries of the month.
    entries: u64,
    fault: Option<String>,
    to_do: Option<&'static str>,
}

impl SourceLine {
    fn of(reported: &ReportedSource, span: ReportSpan, t: &Phrases) -> SourceLine {
        let ReportedSource { source, row, days } = reported;
        let last = crate::store::day_number(span.to);
        let entries = days.iter().filter(|day| day.day < last).map(|day| day.entries).sum();
        let state = row.as_ref().map(|row| &row.state);
        let care = state.and_then(|state| state.care());
        let fault = state.and_then(|state| state.last_error.clone().or_else(|| state.warning.clone()));
        SourceLine {
            id: source.id.clone(),
            address: source.public_address(),
            entries,
            to_do: care.and_then(|care| t.get(care.partner_phrase()).copied()),
            fault,
        }
    }
}

/// Queues the reports of the month that is over, each once; returns how many partners are sent one. A partner whose reports were just
/// asked for gets its first one when the month is over.
///
/// # Errors
/// When the store or a template fails.
pub fn queue(store: &Store, context: MailContext, partners: &[Partner]) -> anyhow::Result<usize> {
    let wanting: Vec<&Partner> = partners.iter().filter(|partner| !partner.recipients.is_empty()).collect();
    let Some((month, span)) = partners::month_before(context.now).filter(|_| !wanting.is_empty()) else {
        return Ok(0);
    };
    let Some(public) = context.sender.public_url.as_deref() else { return Ok(0) };
    let mut sent = 0;
    for partner in wanting {
        // A report takes a while, and is made only once: whether it is due is asked before, and again by the unit that queues it.
        let is_due = store.read(|r| r.partners().report_month(&partner.name))? != Some(month);
        if !is_due {
            continue;
        }
        let report = partners::report(store, context.catalog.sources, &partner.name, span)?;
        let link = partners::partner_address(store, &context.sender.key, public, &partner.name)?;
        let issue = render(context, partner, &report, span, link)?;
        let queued = store.write(|w| match w.partners().take_report(&partner.name, month)? {
            ReportMonth::Over => put(w, context, partner, &issue).map(|()| true),
            ReportMonth::First | ReportMonth::Sent => Ok::<_, StoreError>(false),
        })?;
        sent += usize::from(queued);
    }
    Ok(sent)
}

fn render(
    context: MailContext,
    partner: &Partner,
    report: &PartnerReport,
    span: ReportSpan,
    link: String,
) -> anyhow::Result<Issue> {
    let channel = context.catalog.channel;
    let wanted = partner.language.as_deref().unwrap_or(&channel.language);
    let language = spoken(wanted, &channel.language);
    let t = phrases(language);
    let heading = said(
        "partner_report",
        language,
        &[("title", channel.title.as_str().into()), ("month", month_name(span.from, t).into())],
    );
    let data = ReportData {
        title: &channel.title,
        partner: &partner.name,
        language,
        dir: t["dir"],
        heading,
        sources: report.sources.iter().map(|source| SourceLine::of(source, span, t)).collect(),
        joined: &report.joined,
        reach: reach_text(report, span, language),
        link: format!("{link}?l={language}"),
        t,
    };
    mail(context, "partner", language, &data)
}

/// How many people a partner's stories reached, in words.
pub fn reach_text(report: &PartnerReport, span: ReportSpan, language: &str) -> String {
    // A day that has begun counts.
    let days = (span.to.duration_since(span.from).as_secs() + DAY_SECONDS - 1) / DAY_SECONDS;
    let words =
        [("days", days.into()), ("mails", report.reach.mails.into()), ("people", report.reach.people.into())];
    said("partner_reach_text", language, &words)
}

/// A month with its year: "October 2022".
fn month_name(at: Timestamp, t: &Phrases) -> String {
    let date = at.to_zoned_datetime(TimeZone::UTC).date();
    let name = t.get(format!("month_{}", date.month()).as_str()).copied().unwrap_or_default();
    format!("{name} {}", date.year())
}

fn put(unit: &Unit<Write>, context: MailContext, partner: &Partner, issue: &Issue) -> Result<(), StoreError> {
    let (sender, now) = (context.sender, context.now);
    let recipients: Vec<String> =
        partner.recipients.iter().map(|recipient| recipient.as_str().to_owned()).collect();
    let new = NewIssue {
        digest: &DigestId::Partner,
        slot: None,
        now,
        issue,
        stories: &[],
        recipients: &recipients,
    };
    let message_id = |number: IssueKey, recipient: &str| {
        let hash = sender.key.hash(recipient);
        message_id(DigestId::Partner.as_str(), number, now, &hash, sender.from.email.domain())
    };
    unit.mailing().queue_issue(&new, message_id).map(drop)
}
