//! Listings on standard output, for people and for programs.

use std::collections::{HashMap, HashSet};
use std::io::{BufWriter, Write};

use jiff::Timestamp;

use crate::model::source::{FetchState, Source};
use crate::model::story::StoredEntry;
use crate::pipeline::mail::outbox::Deliveries;
use crate::pipeline::mail::queue::DigestReport;
use crate::pipeline::refresh::{SourceOutcome, SourceReport};
use crate::store::{EntryFilter, MarkupScope, SourceRow, Store};
use crate::support::terminal;
use crate::support::text::{many, shorten};
use crate::view::EntryView;

fn minute(time: Option<Timestamp>, never: &str) -> String {
    time.map_or_else(|| never.to_owned(), |time| time.strftime("%Y-%m-%d %H:%MZ").to_string())
}

/// Prints one line, or one JSON object, per entry.
pub(super) fn entries(store: &Store, filter: &EntryFilter, as_json: bool) -> anyhow::Result<()> {
    let mut out = BufWriter::new(terminal::stdout());
    store.read(|r| {
        r.entries().each(filter, MarkupScope::Without, |stored| entry(&mut out, &stored, as_json))
    })?;
    Ok(out.flush()?)
}

fn entry(out: &mut impl Write, stored: &StoredEntry, as_json: bool) -> anyhow::Result<()> {
    let entry = &stored.entry;
    if as_json {
        let object = serde_json::to_string(&EntryView::of(stored))?;
        return Ok(writeln!(out, "{object}")?);
    }
    let date =
        entry.date().map_or_else(|| "          ".to_owned(), |date| date.strftime("%Y-%m-%d").to_string());
    writeln!(
        out,
        "{date}  {:<20}  {:<2}  {}",
        shorten(&entry.source, 20),
        entry.language.as_deref().unwrap_or(""),
        entry.title
    )?;
    for matched in &stored.topics {
        writeln!(out, "{:38}{}: {}", "", matched.topic, matched.evidence.join(", "))?;
    }
    if let Some(reason) = &stored.reason {
        writeln!(out, "{:38}{reason}", "")?;
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

/// Prints one row per source, configured ones first.
pub(super) fn sources(configured: &[Source], known: &[SourceRow]) -> anyhow::Result<()> {
    let mut out = BufWriter::new(terminal::stdout());
    writeln!(
        out,
        "{:<24}  {:<17}  {:>7}  {:<17}  LAST ERROR",
        "SOURCE", "LAST SUCCESS", "ENTRIES", "NEXT POLL"
    )?;
    let rows: HashMap<&str, &SourceRow> = known.iter().map(|row| (row.id.as_str(), row)).collect();
    for source in configured {
        let row = rows.get(source.id.as_str());
        let state = row.map(|row| row.state.clone()).unwrap_or_default();
        let next = next_poll(source, &state);
        writeln!(
            out,
            "{:<24}  {:<17}  {:>7}  {next:<17}  {}",
            source.id,
            minute(state.last_success, "never"),
            row.map_or(0, |row| row.entries),
            last_fault(&state)
        )?;
        if let Some(reason) =
            state.next_poll_reason.filter(|_| source.is_enabled && source.mail_address().is_none())
        {
            writeln!(out, "{:<24}  next poll: {reason}", "")?;
        }
    }
    let ids: HashSet<&str> = configured.iter().map(|source| source.id.as_str()).collect();
    for row in known.iter().filter(|row| !ids.contains(row.id.as_str())) {
        writeln!(
            out,
            "{:<24}  {:<17}  {:>7}  {:<17}  no longer in the configuration",
            row.id,
            minute(row.state.last_success, "never"),
            row.entries,
            "never"
        )?;
    }
    Ok(out.flush()?)
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
