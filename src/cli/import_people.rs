//! `courant import listmonk`, `mailchimp`, `ghost` and `substack`: the people of another program, and who left there.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::import::{self, FileTable, ImportRules};
use super::import_sources::ImportCommand;
use crate::app::{App, Usage};
use crate::subscriber_csv::{MailingProgram, RowDecision};
use crate::support::terminal::errln;

/// Folders within folders that are looked into.
const DEPTH_MAX: usize = 4;
/// What a ZIP archive begins with.
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

#[derive(Debug, Clone, Args)]
pub(super) struct PeopleExport {
    /// The export: a file, or a folder with several.
    path: PathBuf,
    /// How these people gave their consent [default: on the list there].
    #[arg(long, value_name = "TEXT")]
    consent: Option<String>,
    /// Import also where the export does not say who left, because nobody did.
    #[arg(long)]
    nobody_left: bool,
    #[command(flatten)]
    rules: ImportRules,
}

/// Imports people, all of them or none.
///
/// # Errors
/// When there is no such export, it does not say who left, or has faults, or the store fails.
pub(super) fn import(app: &App, wanted: &ImportCommand) -> anyhow::Result<()> {
    match wanted {
        ImportCommand::Listmonk(export) => import_from(app, MailingProgram::LISTMONK, export),
        ImportCommand::Mailchimp(export) => import_from(app, MailingProgram::MAILCHIMP, export),
        ImportCommand::Ghost(export) => import_from(app, MailingProgram::GHOST, export),
        ImportCommand::Substack(export) => import_from(app, MailingProgram::SUBSTACK, export),
        ImportCommand::Opml { .. } | ImportCommand::Planet { .. } | ImportCommand::All { .. } => Ok(()),
    }
}

fn import_from(app: &App, program: MailingProgram, export: &PeopleExport) -> anyhow::Result<()> {
    let mut files = Vec::new();
    find(&export.path, DEPTH_MAX, &mut files)?;
    let (mut tables, mut tells_who_left) = (Vec::new(), false);
    for path in files {
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if bytes.starts_with(ZIP_MAGIC) {
            return Err(
                Usage(format!("{} is an archive: unpack it, and name the folder", path.display())).into()
            );
        }
        if !program.wrote(&bytes) {
            errln!("{}: left alone, it is no list of people of {}", path.display(), program.name);
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        tells_who_left |= program.tells_who_left(&name, &bytes);
        let mut table = import::read(app, &path, &export.rules)?;
        program.settle(&name, &mut table);
        let there = || format!("on the list in {} ({})", program.name, file_name(&path));
        let consent = Some(export.consent.clone().unwrap_or_else(there));
        tables.push(FileTable { path, table, consent });
    }
    if tables.is_empty() {
        let (path, name, columns) = (export.path.display(), program.name, program.columns());
        return Err(Usage(format!(
            "{path} holds no list of people of {name}: those have the columns {columns}"
        ))
        .into());
    }
    if !tells_who_left && !export.nobody_left {
        return Err(Usage(format!(
            "nothing was imported: {} writes who left a list like everybody else into such a file. Put an export of those who left beside it, \
             with \"unsubscribed\" in its name, and name the folder; or say --nobody-left if nobody did",
            program.name
        ))
        .into());
    }
    // Whoever left according to one of the files is not brought in by another.
    let stays = |table: &FileTable| {
        table.table.rows.iter().filter(|row| matches!(row.fate, RowDecision::In(_))).count()
    };
    tables.sort_by_key(stays);
    import::import_tables(app, tables, &export.rules)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The file, or the tables in a folder, in the order of their names.
fn find(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let cannot = || format!("cannot read {}", path.display());
    if !std::fs::metadata(path).with_context(cannot)?.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let entries: std::io::Result<Vec<_>> = std::fs::read_dir(path).with_context(cannot)?.collect();
    let mut entries = entries.with_context(cannot)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for path in entries.into_iter().map(|entry| entry.path()) {
        let is_table = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        if path.is_dir() && depth > 0 {
            find(&path, depth - 1, found)?;
        } else if is_table {
            found.push(path);
        }
    }
    Ok(())
}
