//! `courant alarms`: what is wrong with the installation now, and what was.

use std::io::Write;

use clap::Args;
use serde_json::json;

use super::ListFormat;
use super::output::{FittingLines, ObjectList};
use crate::app::{App, Usage};
use crate::pipeline::alarms::alarms_address;
use crate::support::terminal::{self, outln};

/// Alarms that are listed.
const ALARMS_MAX: usize = 100;

#[derive(Debug, Args)]
pub(super) struct AlarmOptions {
    /// Also list what is over.
    #[arg(long)]
    all: bool,
    /// Print the address of the private feed of alarms.
    #[arg(long, conflicts_with = "all")]
    link: bool,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    format: ListFormat,
}

/// Lists alarms, the newest first.
///
/// # Errors
/// When the store fails, or there is no address to link to.
pub(super) fn alarms(app: &App, wanted: &AlarmOptions) -> anyhow::Result<()> {
    if wanted.link {
        let Some(public) = &app.sender.public_url else {
            return Err(Usage("there is no address to link to: set url in [channel]".into()).into());
        };
        outln!("{}", alarms_address(&app.sender.key, public));
        return Ok(());
    }
    let mut listed = app.store().read(|r| r.alarms().latest(ALARMS_MAX))?;
    listed.retain(|alarm| wanted.all || alarm.ended.is_none());
    let mut out = terminal::stdout();
    let (mut objects, lines) = (ObjectList::wanted(wanted.format), FittingLines::new());
    for alarm in &listed {
        let finding = &alarm.finding;
        if let Some(objects) = &mut objects {
            let object = json!({
                "kind": finding.kind.as_str(),
                "subject": finding.subject,
                "text": finding.text,
                "raised": alarm.raised,
                "ended": alarm.ended,
            });
            objects.put(&mut out, &object)?;
            continue;
        }
        let minute = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%MZ").to_string();
        let end = alarm.ended.map(|at| format!(" (over since {})", minute(at))).unwrap_or_default();
        let (since, kind) = (minute(alarm.raised), finding.kind.as_str());
        lines.put(&mut out, &format!("{since}  {kind:<15}  {}: {}{end}", finding.subject, finding.text))?;
    }
    match objects {
        Some(objects) => objects.end(&mut out)?,
        None if listed.is_empty() => writeln!(out, "nothing is wrong")?,
        None => {}
    }
    Ok(())
}
