//! `courant subscribers import`: imports a table of subscribers, our own or another program's.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::app::{App, Usage, progress};
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
    #[command(flatten)]
    rules: ImportRules,
}

/// How tables of subscribers are imported.
#[derive(Debug, Clone, Args)]
pub(super) struct ImportRules {
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

/// A table with the file that it stands in.
pub(super) struct FileTable {
    pub(super) path: PathBuf,
    pub(super) table: CsvTable,
    /// How consent is known, for rows that do not say.
    pub(super) consent: Option<String>,
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
    let table = read(app, &options.file, &options.rules)?;
    let table = FileTable { path: options.file.clone(), table, consent: options.consent.clone() };
    import_tables(app, vec![table], &options.rules)
}

/// Imports tables, all rows of all of them or none.
///
/// # Errors
/// As above.
pub(super) fn import_tables(
    app: &App,
    mut tables: Vec<FileTable>,
    rules: &ImportRules,
) -> anyhow::Result<()> {
    let mut is_unclear = false;
    for FileTable { path, table, .. } in &tables {
        table.unclear.iter().for_each(|why| errln!("{}:1: {why}", path.display()));
        is_unclear |= !table.unclear.is_empty();
    }
    if is_unclear {
        return Err(Usage("nothing was imported: the table does not make clear who wants mail".into()).into());
    }
    let (mut faults, mut valid) = (0, 0);
    for FileTable { path, table, consent } in &mut tables {
        ask_for_consent(table, consent.is_some());
        table.faults.sort();
        table.faults.iter().for_each(|(line, fault)| errln!("{}:{line}: {fault}", path.display()));
        table.hints.iter().for_each(|(line, hint)| errln!("{}:{line}: hint: {hint}", path.display()));
        faults += table.faults.len();
        valid += table.rows.len();
    }
    if faults > 0 && !rules.skip_faulty {
        return Err(Usage(format!(
            "{}, nothing was imported (--skip-faulty imports the rows that are right: {valid})",
            many(faults, "fault", "faults")
        ))
        .into());
    }
    let counts = keep(app, &tables, rules)?;
    print_summary(&counts, faults, rules.dry_run);
    Ok(())
}

/// Reads a table.
///
/// # Errors
/// When the file cannot be opened.
pub(super) fn read(app: &App, path: &Path, rules: &ImportRules) -> anyhow::Result<CsvTable> {
    let reader = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let reading = TableContext {
        options: &app.subscription_options(),
        language: &app.config.channel.language,
        file: &name,
        ignored: &rules.ignore_column,
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
fn keep(app: &App, tables: &[FileTable], rules: &ImportRules) -> anyhow::Result<Counts> {
    let bar = progress(tables.iter().map(|table| table.table.rows.len() as u64).sum(), "rows");
    let imported = |w: &Unit<Write>| -> anyhow::Result<(Counts, Vec<String>)> {
        let (mut counts, mut lines) = (Counts::default(), Vec::new());
        for FileTable { path, table, consent } in tables {
            let import = Import {
                key: &app.sender.key,
                consent: consent.as_deref().unwrap_or_default(),
                is_own: table.is_own,
                updates: rules.update,
                now: app.clock.now(),
            };
            for row in &table.rows {
                bar.inc(1);
                let told = counts.note(&import.take(w, row)?, row);
                lines.extend(told.map(|what| format!("{}:{}: {what}", path.display(), row.line)));
            }
        }
        Ok((counts, lines))
    };
    let imported = if rules.dry_run { app.store().try_out(imported) } else { app.store().write(imported) };
    bar.finish_and_clear();
    let (counts, lines) = imported?;
    lines.iter().for_each(|line| errln!("{line}"));
    Ok(counts)
}

impl Counts {
    /// Counts a row; answers what the operator has to know of it.
    fn note(&mut self, imported: &Imported, row: &CsvRow) -> Option<String> {
        let (count, told) = match imported {
            Imported::Added => (&mut self.added, None),
            Imported::Known => (&mut self.known, None),
            Imported::Updated => (&mut self.updated, None),
            Imported::Suppressed => {
                (&mut self.suppressed, Some(format!("kept out from now on: {}", row.why)))
            }
            Imported::LeftOut(why) => (&mut self.left_out, Some(format!("left out: {why}"))),
        };
        *count += 1;
        told
    }
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
