//! `courant subscribers import`: imports a table of subscribers, our own or another program's.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::app::{App, Usage};
use crate::pipeline::mail::import::{Import, Imported};
use crate::store::{Unit, Write};
use crate::subscriber_csv::{self, CsvRow, CsvTable, RowDecision, TableContext};
use crate::support::terminal::{errln, outln};
use crate::support::text::many;

#[derive(Debug, Clone, Args)]
pub(super) struct ImportOptions {
    file: PathBuf,
    /// How these people gave their consent, where the file does not say.
    #[arg(long, value_name = "TEXT")]
    consent: Option<String>,
    /// Only check and report; store nothing.
    #[arg(long)]
    dry_run: bool,
    /// Store the valid rows even if others are invalid.
    #[arg(long)]
    skip_faulty: bool,
    /// A column of the file to ignore.
    #[arg(long, value_name = "NAME")]
    ignore_column: Vec<String>,
    /// Update subscribers who are already on the list from the file.
    #[arg(long)]
    update: bool,
}

/// Number of rows by outcome.
#[derive(Debug, Default)]
struct Counts {
    added: usize,
    left_out: usize,
    suppressed: usize,
    known: usize,
    updated: usize,
}

/// Imports a table, all rows or none.
///
/// # Errors
/// When the table has faults, it cannot be read, or the store fails.
pub(super) fn import(app: &App, options: &ImportOptions) -> anyhow::Result<()> {
    let file = options.file.display();
    let mut table = read(app, options)?;
    if !table.unclear.is_empty() {
        table.unclear.iter().for_each(|why| errln!("{file}:1: {why}"));
        return Err(Usage("nothing was imported: the table does not make clear who wants mail".into()).into());
    }
    ask_for_consent(&mut table, options.consent.is_some());
    table.faults.sort();
    table.faults.iter().for_each(|(line, fault)| errln!("{file}:{line}: {fault}"));
    table.hints.iter().for_each(|(line, hint)| errln!("{file}:{line}: hint: {hint}"));
    if !table.faults.is_empty() && !options.skip_faulty {
        return Err(Usage(format!(
            "{}, nothing was imported (--skip-faulty imports the rows that are right: {})",
            many(table.faults.len(), "fault", "faults"),
            table.rows.len()
        ))
        .into());
    }
    let counts = keep(app, options, &table)?;
    print_summary(&counts, table.faults.len(), options.dry_run);
    Ok(())
}

fn read(app: &App, options: &ImportOptions) -> anyhow::Result<CsvTable> {
    let path: &Path = &options.file;
    let reader = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let reading = TableContext {
        options: &app.subscription_options(),
        language: &app.config.channel.language,
        file: &name,
        ignored: &options.ignore_column,
        now: app.clock.now(),
    };
    Ok(subscriber_csv::read(reader, &reading))
}

/// Reports rows that do not say how the person consented.
fn ask_for_consent(table: &mut CsvTable, has_consent: bool) {
    let is_silent = |row: &CsvRow| {
        !has_consent && row.consent_source.is_empty() && matches!(row.fate, RowDecision::In(_))
    };
    let silent = table.rows.iter().filter(|row| is_silent(row));
    table.faults.extend(silent.map(|row| {
        (row.line, "no consent_source: say with --consent TEXT how you know that they want it".to_owned())
    }));
    table.rows.retain(|row| !is_silent(row));
}

/// Imports all rows in one unit of work: an interrupted import leaves nothing.
fn keep(app: &App, options: &ImportOptions, table: &CsvTable) -> anyhow::Result<Counts> {
    let import = Import {
        key: &app.sender.key,
        consent: options.consent.as_deref().unwrap_or_default(),
        is_own: table.is_own,
        updates: options.update,
        now: app.clock.now(),
    };
    let imported = |w: &Unit<Write>| -> anyhow::Result<(Counts, Vec<String>)> {
        let (mut counts, mut lines) = (Counts::default(), Vec::new());
        for row in &table.rows {
            let mut told =
                |what: String| lines.push(format!("{}:{}: {what}", options.file.display(), row.line));
            match import.take(w, row)? {
                Imported::Added => counts.added += 1,
                Imported::Known => counts.known += 1,
                Imported::Updated => counts.updated += 1,
                Imported::Suppressed => {
                    counts.suppressed += 1;
                    told(format!("kept out from now on: {}", row.why));
                }
                Imported::LeftOut(why) => {
                    counts.left_out += 1;
                    told(format!("left out: {why}"));
                }
            }
        }
        Ok((counts, lines))
    };
    let (counts, lines) =
        if options.dry_run { app.store().try_out(imported)? } else { app.store().write(imported)? };
    lines.iter().for_each(|line| errln!("{line}"));
    Ok(counts)
}

fn print_summary(counts: &Counts, faulty: usize, is_dry: bool) {
    let verb = if is_dry { "would be imported" } else { "imported" };
    let mut line = format!("{} {verb}, {} left out, {faulty} faulty", counts.added, counts.left_out);
    for (count, what) in [
        (counts.suppressed, "kept out from now on"),
        (counts.known, "in the list already"),
        (counts.updated, "updated"),
    ] {
        if count > 0 {
            line += &format!(", {count} {what}");
        }
    }
    outln!("{line}");
}
