//! Alarms: at each cycle it is looked what is wrong, by what the store holds and what was seen outside (`pipeline::outside`). What is new
//! is told once, to the operator by mail and to the webhooks that ask for it, and again when it is over.

use std::collections::HashMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::model::alarm::{Alarm, AlarmKind, Finding};
use crate::model::digest::Digest;
use crate::model::outlet::{EventKind, Outlet};
use crate::model::source::{FAILURES_NOTIFIED, FetchState, Source};
use crate::model::token::{ALARMS, SigningKey};
use crate::pipeline::outside;
use crate::post;
use crate::store::{ListChange, Read, SourceRow, Store, StoreError, Unit, Write};
use crate::support::files::DiskSpace;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A source is silent if it brought nothing for so many times the time between its news, and for so long.
const SILENT_GAPS: i32 = 6;
const SILENT_MIN: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Before so often, nobody knows how often a source brings news.
const NEWS_MIN: u32 = 5;
/// A source floods if it brought so many entries in a day, and so many times as on others.
const FLOOD_MIN: u64 = 50;
const FLOOD_TIMES: u64 = 10;
/// For how long a source has to be known before it can flood.
const KNOWN_MIN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// An issue is late after so long.
const LATE_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// A list shrinks if so many people more left within a week than came, and so many of a hundred.
const LEFT_MIN: u64 = 10;
const LEFT_PERCENT: u64 = 10;
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// An outlet fails once it did not accept something so often.
const REFUSED_MIN: u32 = 3;
/// What is over is kept for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What the token of the feed of alarms holds.
pub const FEED: &str = "feed";

/// The address of the private feed of alarms.
pub fn alarms_address(key: &SigningKey, public: &str) -> String {
    format!("{public}/alarms/{}", key.sign(ALARMS, FEED))
}

/// What is looked at.
#[derive(Clone, Copy)]
pub struct AlarmContext<'a> {
    pub sources: &'a [Source],
    pub digests: &'a [Digest],
    pub outlets: &'a [Outlet],
    /// Where the data is, and how much room is there; `None` if that is not known.
    pub disk: Option<(&'a Path, DiskSpace)>,
    pub disk_min_bytes: u64,
    /// How long before its end a certificate is about to end.
    pub certificate_days: u32,
    pub now: Timestamp,
}

/// Looks what is wrong, and notes what changed. Returns whether the operator is to get a mail.
///
/// # Errors
/// When the store fails; nothing is noted then.
pub fn watch(store: &Store, context: AlarmContext) -> anyhow::Result<bool> {
    let (findings, open) =
        store.read(|r| Ok::<_, StoreError>((findings(r, context)?, r.alarms().open()?)))?;
    if raised(&findings, &open).next().is_none() && over(&findings, &open).next().is_none() {
        return Ok(false);
    }
    Ok(store.write(|w| {
        // Another process may have noted it in the meantime.
        let open = w.alarms().open()?;
        let mut is_mailed = false;
        for finding in raised(&findings, &open) {
            let key = w.alarms().put(finding, context.now)?;
            is_mailed |= tell(w, context, finding, &finding.text, false)?;
            let event = format!("alarm-{key}-raised");
            post_to_webhooks(w, context, EventKind::AlarmRaised, &event, finding)?;
            // Whoever holds up mail has just said so, and ends a run with it.
            if finding.kind != AlarmKind::MailHeldUp {
                tracing::warn!(kind = finding.kind.as_str(), subject = finding.subject, "{}", finding.text);
            }
        }
        for Alarm { key, finding, .. } in over(&findings, &open) {
            w.alarms().end(*key, context.now)?;
            is_mailed |= tell(w, context, finding, finding.kind.over(), true)?;
            let event = format!("alarm-{key}-ended");
            let end = Finding { text: finding.kind.over().to_owned(), ..finding.clone() };
            post_to_webhooks(w, context, EventKind::AlarmEnded, &event, &end)?;
        }
        w.alarms().forget(context.now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN))?;
        Ok::<_, StoreError>(is_mailed)
    })?)
}

fn is_about(finding: &Finding, alarm: &Alarm) -> bool {
    (finding.kind, &finding.subject) == (alarm.finding.kind, &alarm.finding.subject)
}

/// What is wrong and was not.
fn raised<'a>(findings: &'a [Finding], open: &'a [Alarm]) -> impl Iterator<Item = &'a Finding> {
    findings.iter().filter(|finding| !open.iter().any(|alarm| is_about(finding, alarm)))
}

/// What was wrong and is not.
fn over<'a>(findings: &'a [Finding], open: &'a [Alarm]) -> impl Iterator<Item = &'a Alarm> {
    open.iter().filter(|alarm| !findings.iter().any(|finding| is_about(finding, alarm)))
}

/// Leaves the operator a notice, unless another one is; returns whether it did.
fn tell(
    unit: &Unit<Write>,
    context: AlarmContext,
    finding: &Finding,
    text: &str,
    is_over: bool,
) -> Result<bool, StoreError> {
    if finding.kind.is_mailed_apart(is_over) {
        return Ok(false);
    }
    unit.sources().put_notice(&finding.subject, text, context.now).map(|()| true)
}

fn post_to_webhooks(
    unit: &Unit<Write>,
    context: AlarmContext,
    event: EventKind,
    id: &str,
    finding: &Finding,
) -> Result<(), StoreError> {
    let Finding { kind, subject, text } = finding;
    let data = json!({ "kind": kind.as_str(), "subject": subject, "text": text });
    let body = post::event_body(event, context.now, &data);
    let wanting = context.outlets.iter().filter(|outlet| outlet.wants(event));
    wanting.into_iter().try_for_each(|outlet| unit.posts().put(&outlet.name(), id, &body, context.now))
}

/// All that is wrong now.
fn findings(unit: &Unit<Read>, context: AlarmContext) -> Result<Vec<Finding>, StoreError> {
    let mut found = of_sources(unit, context)?;
    for digest in context.digests {
        let filled = unit.mailing().last_slot(&digest.id, context.now)?;
        found.extend(late(digest, filled, context.now));
    }
    if let Some(reason) = unit.mailing().held_up()? {
        found.push(Finding { kind: AlarmKind::MailHeldUp, subject: "mail".into(), text: reason });
    }
    let week_ago = context.now.saturating_sub(WEEK).unwrap_or(Timestamp::MIN);
    found.extend(shrinking(unit.alarms().list_change(week_ago)?));
    found.extend(context.disk.and_then(|(place, disk)| full(place, disk, context.disk_min_bytes)));
    found.extend(outside::findings(&unit.outside().all()?, context.certificate_days, context.now));
    for (outlet, reason) in unit.alarms().failing_outlets(REFUSED_MIN)? {
        let text =
            format!("accepts nothing: {reason} It is tried again, and `courant queue` lists what waits");
        found.push(Finding { kind: AlarmKind::OutletFailing, subject: outlet, text });
    }
    Ok(found)
}

fn of_sources(unit: &Unit<Read>, context: AlarmContext) -> Result<Vec<Finding>, StoreError> {
    let yesterday = context.now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
    let since = unit.entries().last_before(yesterday)?;
    let today = unit.alarms().entries_since(since)?;
    let rows: HashMap<String, SourceRow> =
        unit.sources().list()?.into_iter().map(|row| (row.id.clone(), row)).collect();
    let mut found = Vec::new();
    for source in context.sources.iter().filter(|source| source.is_enabled) {
        let Some(SourceRow { entries, state, .. }) = rows.get(&source.id) else { continue };
        let counts = EntryCounts { today: today.get(&source.id).copied().unwrap_or(0), total: *entries };
        let faults = fault(state, counts, context.now).into_iter().chain(mend(state));
        found.extend(faults.map(|(kind, text)| Finding { kind, subject: source.id.clone(), text }));
    }
    Ok(found)
}

/// That somebody should look at selectors that were learned anew.
fn mend(state: &FetchState) -> Option<(AlarmKind, String)> {
    state.page.mend()?;
    let mended = state.page.mended.as_deref().unwrap_or("the page was redesigned");
    let text = format!(
        "{mended}: look whether it lists what it should, and keep the new selectors or go back to the old ones under /admin"
    );
    Some((AlarmKind::SourceMended, text))
}

/// Entries of a source.
#[derive(Debug, Clone, Copy)]
struct EntryCounts {
    /// First seen within a day.
    today: u64,
    total: u64,
}

/// What is wrong with a source, if anything is: the worst of it.
fn fault(state: &FetchState, counts: EntryCounts, now: Timestamp) -> Option<(AlarmKind, String)> {
    let error = state.last_error.clone().unwrap_or_default();
    if state.is_gone {
        return Some((AlarmKind::SourceGone, error));
    }
    if state.failures >= FAILURES_NOTIFIED && state.is_unlisted {
        let text = format!("shows no listing, {} times in a row: {error}", state.failures);
        return Some((AlarmKind::SourceUnlisted, text));
    }
    if state.failures >= FAILURES_NOTIFIED {
        let text = format!("failed {} times in a row: {error}", state.failures);
        return Some((AlarmKind::SourceBroken, text));
    }
    flood(state, counts, now).or_else(|| silence(state, now))
}

fn flood(state: &FetchState, counts: EntryCounts, now: Timestamp) -> Option<(AlarmKind, String)> {
    let known = now.duration_since(state.rhythm.since?);
    let days = u64::try_from(known.as_hours() / 24).ok().filter(|days| *days > 0)?;
    let usual = counts.total.saturating_sub(counts.today) / days;
    let is_flood =
        known >= KNOWN_MIN && counts.today >= FLOOD_MIN && counts.today >= usual.max(1) * FLOOD_TIMES;
    is_flood.then(|| {
        let text = format!(
            "brought {} entries within a day, and {usual} a day before: look whether it lists what it should, and leave out the rest with [source.drop]",
            counts.today
        );
        (AlarmKind::SourceFlooding, text)
    })
}

fn silence(state: &FetchState, now: Timestamp) -> Option<(AlarmKind, String)> {
    let rhythm = &state.rhythm;
    let gap = SignedDuration::from_secs(i64::try_from(rhythm.news_gap_seconds?).ok()?);
    let silent = now.duration_since(rhythm.news_at?);
    let is_silent = rhythm.news_count >= NEWS_MIN && silent >= SILENT_MIN && silent >= gap * SILENT_GAPS;
    is_silent.then(|| {
        let days = |span: SignedDuration| (span.as_hours() + 12) / 24;
        let text = format!(
            "has brought nothing for {} days, and did every {} before: look at its page, and whether it is still read at the right address (courant probe)",
            days(silent),
            match days(gap) {
                0 | 1 => "day".to_owned(),
                gap => format!("{gap} days"),
            }
        );
        (AlarmKind::SourceStale, text)
    })
}

/// An issue whose time has passed.
fn late(digest: &Digest, filled: Option<Timestamp>, now: Timestamp) -> Option<Finding> {
    let due = digest.schedule.last_slot(now)?;
    let is_late = filled.is_some_and(|filled| filled < due) && now.duration_since(due) >= LATE_AFTER;
    is_late.then(|| {
        let at = due.strftime("%Y-%m-%d %H:%MZ");
        let why = match digest.waits_for_editors() {
            true => "it waits for an editor to release it (courant desk release)",
            false => "see the log of courant run or courant serve",
        };
        let text = format!("the issue of {at} was not made: {why}");
        Finding { kind: AlarmKind::DigestLate, subject: format!("digest {}", digest.id), text }
    })
}

fn shrinking(change: ListChange) -> Option<Finding> {
    let lost = change.left.saturating_sub(change.joined);
    let before = change.active + lost;
    let is_shrinking = lost >= LEFT_MIN && lost * 100 >= before * LEFT_PERCENT;
    is_shrinking.then(|| {
        let text = format!(
            "{} people left within a week or their mail came back, {} came, and {} are left: `courant subscribers list` shows who, `courant queue` what was refused",
            change.left, change.joined, change.active
        );
        Finding { kind: AlarmKind::ListShrinking, subject: "the list of subscribers".into(), text }
    })
}

fn full(place: &Path, disk: DiskSpace, least: u64) -> Option<Finding> {
    (disk.free < least).then(|| {
        let mib = |bytes: u64| bytes >> 20;
        let text = format!(
            "only {} MiB are free of {} MiB: free some space, or nothing can be stored any more",
            mib(disk.free),
            mib(disk.total)
        );
        Finding { kind: AlarmKind::DiskFull, subject: format!("the disk with {}", place.display()), text }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::source::NewsRhythm;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn kind(state: &FetchState, today: u64, total: u64) -> Option<AlarmKind> {
        fault(state, EntryCounts { today, total }, at("2022-10-20T08:00:00Z")).map(|(kind, _)| kind)
    }

    #[test]
    fn a_source_is_measured_by_its_own_rhythm() {
        let rhythm = |gap_days: u64, news_at: &str, news_count| NewsRhythm {
            since: Some(at("2022-01-01T00:00:00Z")),
            news_at: Some(at(news_at)),
            news_gap_seconds: Some(gap_days * 86_400),
            news_count,
        };
        let state = |rhythm| FetchState { rhythm, ..FetchState::default() };
        let daily = state(rhythm(1, "2022-10-01T08:00:00Z", 50));
        assert_eq!(kind(&daily, 0, 50), Some(AlarmKind::SourceStale));
        assert_eq!(kind(&state(rhythm(1, "2022-10-10T08:00:00Z", 50)), 0, 50), None, "ten days are not long");
        assert_eq!(kind(&state(rhythm(30, "2022-08-01T08:00:00Z", 50)), 0, 50), None, "it is a slow one");
        assert_eq!(kind(&state(rhythm(1, "2022-10-01T08:00:00Z", 3)), 0, 3), None, "nobody knows it yet");
        assert_eq!(
            kind(&state(rhythm(1, "2022-10-20T08:00:00Z", 50)), 200, 400),
            Some(AlarmKind::SourceFlooding)
        );
        assert_eq!(
            kind(&state(rhythm(1, "2022-10-20T08:00:00Z", 50)), 60, 6_000),
            None,
            "it always brings much"
        );
        let broken = FetchState { failures: FAILURES_NOTIFIED, ..daily.clone() };
        assert_eq!(kind(&broken, 0, 50), Some(AlarmKind::SourceBroken), "the worst is told");
        let unlisted = FetchState { is_unlisted: true, ..broken.clone() };
        assert_eq!(kind(&unlisted, 0, 50), Some(AlarmKind::SourceUnlisted));
        assert_eq!(kind(&FetchState { is_gone: true, ..broken }, 0, 50), Some(AlarmKind::SourceGone));
    }

    #[test]
    fn a_list_shrinks_when_many_of_it_leave() {
        let lost = |active, joined, left| shrinking(ListChange { active, joined, left }).is_some();
        assert!(lost(90, 0, 10) && lost(80, 5, 25));
        assert!(!lost(91, 0, 9) && !lost(1_000, 0, 20) && !lost(90, 10, 15) && !lost(0, 0, 0));
    }
}
