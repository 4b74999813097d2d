//! Listings on standard output, for people and for programs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{BufWriter, Write};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ListFormat;
use super::output::{FittingLines, ObjectList};
use crate::app::{App, Usage};
use crate::model::source::{FetchState, Source};
use crate::model::story::StoredEntry;
use crate::pipeline::mail::outbox::Deliveries;
use crate::pipeline::mail::queue::DigestReport;
use crate::pipeline::refresh::{SourceOutcome, SourceReport};
use crate::store::{EntryFilter, MarkupScope, SourceRow, StoreError};
use crate::support::terminal;
use crate::support::text::{did_you_mean, many, shorten};
use crate::view::{EntryView, rfc3339};

fn minute(time: Option<Timestamp>, never: &str) -> String {
    time.map_or_else(|| never.to_owned(), |time| time.strftime("%Y-%m-%d %H:%MZ").to_string())
}

/// Prints one line, or one JSON object, per entry.
pub(super) fn entries(
    app: &App,
    filter: EntryFilter,
    topic: Option<&str>,
    format: ListFormat,
) -> anyhow::Result<()> {
    let topics = &app.config.topics;
    if let Some(id) = topic.filter(|id| topics.iter().all(|topic| topic.id != *id)) {
        let near = did_you_mean(id, topics.iter().map(|topic| topic.id.as_str()));
        return Err(Usage(format!("no topic has the id \"{id}\"{near}")).into());
    }
    let mut out = BufWriter::new(terminal::stdout());
    let (mut objects, lines) = (ObjectList::wanted(format), FittingLines::new());
    let mut print = |stored: &StoredEntry| match &mut objects {
        Some(objects) => Ok(objects.put(&mut out, &serde_json::to_value(EntryView::of(stored))?)?),
        None => entry(&mut out, &lines, stored),
    };
    let is_wanted = |stored: &StoredEntry| {
        topic.is_none_or(|topic| stored.topics.iter().any(|matched| matched.topic == topic))
    };
    let Some(most) = filter.count_max.filter(|_| topic.is_some()) else {
        app.store().read(|r| {
            r.entries().each(&filter, MarkupScope::Without, |stored| match is_wanted(&stored) {
                true => print(&stored),
                false => Ok(()),
            })
        })?;
        return ended(objects, out);
    };
    // Topics are told from the entries themselves; the last ones are known at the end.
    let filter = EntryFilter { count_max: None, ..filter };
    let mut last = VecDeque::new();
    app.store().read(|r| {
        r.entries().each(&filter, MarkupScope::Without, |stored| {
            if is_wanted(&stored) {
                last.push_back(stored);
            }
            if last.len() > most as usize {
                last.pop_front();
            }
            Ok::<_, StoreError>(())
        })
    })?;
    last.iter().try_for_each(print)?;
    ended(objects, out)
}

fn ended(objects: Option<ObjectList>, mut out: impl Write) -> anyhow::Result<()> {
    if let Some(objects) = objects {
        objects.end(&mut out)?;
    }
    Ok(out.flush()?)
}

fn entry(out: &mut impl Write, lines: &FittingLines, stored: &StoredEntry) -> anyhow::Result<()> {
    let entry = &stored.entry;
    let date =
        entry.date().map_or_else(|| "          ".to_owned(), |date| date.strftime("%Y-%m-%d").to_string());
    let language = entry.language.as_deref().unwrap_or("");
    lines.put(out, &format!("{date}  {:<20}  {language:<2}  {}", shorten(&entry.source, 20), entry.title))?;
    for matched in &stored.topics {
        lines.put(out, &format!("{:38}{}: {}", "", matched.topic, matched.evidence.join(", ")))?;
    }
    if let Some(reason) = &stored.reason {
        lines.put(out, &format!("{:38}{reason}", ""))?;
    }
    Ok(())
}

/// The error, warning or repair of a source's last poll.
fn last_fault(state: &FetchState) -> String {
    match (&state.last_error, &state.warning) {
        (Some(error), _) if state.failures > 1 => format!("{error} ({} times in a row)", state.failures),
        (Some(error), _) => error.clone(),
        (None, Some(warning)) => format!("warning: {warning}"),
        (None, None) => state.page.mended.clone().unwrap_or_else(|| "-".to_owned()),
    }
}

/// When a source is read next, in words.
fn next_poll(source: &Source, state: &FetchState) -> String {
    match (source.is_enabled, state.is_gone) {
        _ if source.mail_address().is_some() => "when mail arrives".to_owned(),
        (false, _) => "disabled".to_owned(),
        (true, true) => "never".to_owned(),
        (true, false) => minute(state.next_poll, "now"),
    }
}

/// Which sources are listed.
pub(super) struct SourceFilter<'a> {
    /// Only those whose last reading failed or was not as it should be.
    pub(super) is_broken: bool,
    pub(super) partner: Option<&'a str>,
}

impl SourceFilter<'_> {
    fn takes(&self, source: &Source, state: &FetchState) -> bool {
        let is_broken = state.last_error.is_some() || state.warning.is_some() || state.is_gone;
        (!self.is_broken || is_broken) && self.partner.is_none_or(|partner| source.partner == partner)
    }
}

/// Prints one row, or one JSON object, per source, configured ones first.
pub(super) fn sources(app: &App, format: ListFormat, filter: &SourceFilter) -> anyhow::Result<()> {
    let configured = &app.config.sources;
    if let Some(partner) = filter.partner.filter(|partner| configured.iter().all(|s| s.partner != *partner)) {
        let near = did_you_mean(partner, configured.iter().map(|source| source.partner.as_str()));
        return Err(Usage(format!("no source has the partner \"{partner}\"{near}")).into());
    }
    let known = app.store().read(|r| r.sources().list())?;
    let rows: HashMap<&str, &SourceRow> = known.iter().map(|row| (row.id.as_str(), row)).collect();
    let mut out = BufWriter::new(terminal::stdout());
    let (mut objects, lines) = (ObjectList::wanted(format), FittingLines::new());
    if objects.is_none() {
        let head = ["SOURCE", "LAST SUCCESS", "ENTRIES", "NEXT POLL"];
        lines.put(
            &mut out,
            &format!("{:<24}  {:<17}  {:>7}  {:<17}  LAST ERROR", head[0], head[1], head[2], head[3]),
        )?;
    }
    for source in configured.iter() {
        let row = rows.get(source.id.as_str());
        let state = row.map(|row| row.state.clone()).unwrap_or_default();
        if !filter.takes(source, &state) {
            continue;
        }
        let entries = row.map_or(0, |row| row.entries);
        match &mut objects {
            Some(objects) => objects.put(&mut out, &source_object(source, &state, entries))?,
            None => source_lines(&mut out, &lines, source, &state, entries)?,
        }
    }
    let ids: HashSet<&str> = configured.iter().map(|source| source.id.as_str()).collect();
    let is_all = !filter.is_broken && filter.partner.is_none() && objects.is_none();
    for row in known.iter().filter(|row| is_all && !ids.contains(row.id.as_str())) {
        let last = minute(row.state.last_success, "never");
        lines.put(
            &mut out,
            &format!(
                "{:<24}  {last:<17}  {:>7}  {:<17}  no longer in the configuration",
                row.id, row.entries, "never"
            ),
        )?;
    }
    ended(objects, out)
}

fn source_object(source: &Source, state: &FetchState, entries: u64) -> Value {
    json!({
        "id": source.id,
        "partner": source.partner,
        "kind": source.kind.name,
        "url": source.public_address(),
        "enabled": source.is_enabled,
        "entries": entries,
        "last_success": state.last_success.map(rfc3339),
        "last_error": state.last_error,
        "failures": state.failures,
        "warning": state.warning,
        "gone": state.is_gone,
        "next_poll": state.next_poll.filter(|_| source.is_enabled && !state.is_gone).map(rfc3339),
        "next_poll_reason": state.next_poll_reason,
    })
}

fn source_lines(
    out: &mut impl Write,
    lines: &FittingLines,
    source: &Source,
    state: &FetchState,
    entries: u64,
) -> anyhow::Result<()> {
    let (last, next) = (minute(state.last_success, "never"), next_poll(source, state));
    let fault = last_fault(state);
    lines.put(out, &format!("{:<24}  {last:<17}  {entries:>7}  {next:<17}  {fault}", source.id))?;
    let reason = state.next_poll_reason.as_ref();
    if let Some(reason) = reason.filter(|_| source.is_enabled && source.mail_address().is_none()) {
        lines.put(out, &format!("{:<24}  next poll: {reason}", ""))?;
    }
    Ok(())
}

/// Prints the outcome of a fetch.
pub(super) fn reports(reports: &[SourceReport]) -> anyhow::Result<()> {
    let mut out = BufWriter::new(terminal::stdout());
    for report in reports {
        let line = match &report.outcome {
            SourceOutcome::NotModified => "not modified".to_owned(),
            SourceOutcome::Read { new, changed, unchanged, .. } => {
                format!("{new} new, {changed} changed, {unchanged} unchanged")
            }
            SourceOutcome::Failed(reason) => format!("failed: {reason}"),
            SourceOutcome::TakenOver => "another process read it".to_owned(),
        };
        writeln!(out, "{:<24}  {line}", report.source)?;
    }
    Ok(out.flush()?)
}

pub(super) fn turn(turn: &DigestReport) -> String {
    match turn {
        DigestReport::NotDue => "not due".into(),
        DigestReport::NothingNew => "nothing new, nothing sent".into(),
        DigestReport::NoRecipients => "has no recipients".into(),
        DigestReport::Waits => "waits for an editor to release it (`courant desk release`)".into(),
        DigestReport::Queued { stories, recipients } => {
            let stories = many(*stories, "story", "stories");
            format!("{stories} to {}", many(*recipients, "recipient", "recipients"))
        }
    }
}

pub(super) fn deliveries(deliveries: &Deliveries) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    writeln!(
        out,
        "{} sent, {} deferred, {} refused",
        deliveries.sent, deliveries.deferred, deliveries.refused
    )?;
    for (reason, count) in &deliveries.reasons {
        writeln!(out, "  {count} × {reason}")?;
    }
    Ok(())
}
