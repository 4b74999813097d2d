//! `courant export` and `courant import all`: what is stored, and the list of sources, in open formats.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;

use super::store;
use crate::app::{self, Usage, progress};
use crate::config::{self, Config};
use crate::model::source::Source;
use crate::pipeline::export::{self, ExportedTable, SOURCES, Surroundings};
use crate::publish::lists;
use crate::store::{EntryFilter, MarkupScope, StoreError};
use crate::support::files;
use crate::support::terminal::{self, outln};
use crate::support::text::{did_you_mean, many};

#[derive(Debug, Subcommand)]
pub(super) enum ExportCommand {
    /// Everything that is stored: OPML, JSON Lines, CSV, and an mbox of issues. `courant import all` brings it back.
    All {
        /// The folder to write to, new or empty.
        dir: PathBuf,
    },
    /// The list of sources, for feed readers.
    Opml {
        /// File to write to [default: standard output].
        file: Option<PathBuf>,
        /// Only sources that an entry of this topic came from.
        #[arg(long, value_name = "ID")]
        topic: Option<String>,
        /// Only sources of this partner.
        #[arg(long, value_name = "NAME")]
        partner: Option<String>,
    },
}

/// `courant export`.
///
/// # Errors
/// When the store or a file fails, or nothing has the name.
pub(super) fn export(wanted: &ExportCommand, path: &Path) -> anyhow::Result<()> {
    let config = config::load(path)?;
    match wanted {
        ExportCommand::All { dir } => everything(&config, dir),
        ExportCommand::Opml { file, topic, partner } => {
            let list = sources(&config, topic.as_deref(), partner.as_deref())?;
            match file {
                Some(file) => files::write_atomically(file, &list)
                    .with_context(|| format!("cannot write {}", file.display())),
                None => Ok(terminal::stdout().write_all(&list)?),
            }
        }
    }
}

fn everything(config: &Config, dir: &Path) -> anyhow::Result<()> {
    let from = app::mailbox(&config.mail.from).map(|mailbox| mailbox.email.to_string());
    let from = from.unwrap_or_else(|_| "courant@localhost".to_owned());
    let around = Surroundings {
        sources: &lists::opml(&config.channel.title, config.sources.iter(), true),
        from: &from,
    };
    let store = store::open(&config.store)?;
    let bar = progress(store.read(|r| r.tables().count())?, "rows");
    let exported = export::write(&store, dir, &around, || bar.inc(1));
    bar.finish_and_clear();
    report(&exported?);
    outln!("{}", dir.display());
    Ok(())
}

/// `courant import all`.
///
/// # Errors
/// When the folder is no whole export, or the store is not empty or fails.
pub(super) fn bring_back(dir: &Path, is_replaced: bool, path: &Path) -> anyhow::Result<()> {
    let config = config::load(path)?;
    let bar = progress(export::count(dir)?, "rows");
    let store = store::open(&config.store)?;
    let imported = export::read_back(&store, dir, is_replaced, |rows| bar.inc(rows));
    bar.finish_and_clear();
    report(&imported.with_context(|| config.store.to_string())?);
    let known: BTreeSet<&str> = config.sources.iter().map(|source| source.id.as_str()).collect();
    let stored = store.read(|r| r.sources().list())?;
    let missing = stored.iter().filter(|row| !known.contains(row.id.as_str())).count();
    if missing > 0 {
        outln!(
            "{} not in {}: `courant import opml {} --write` adds them; until then, nothing of them is read",
            many(missing, "source is", "sources are"),
            path.display(),
            dir.join(SOURCES).display()
        );
    }
    Ok(())
}

fn report(tables: &[ExportedTable]) {
    for table in tables.iter().filter(|table| table.rows > 0) {
        outln!("{:<32} {:>10}", table.file, table.rows);
    }
}

/// The list of the sources that are wanted.
fn sources(config: &Config, topic: Option<&str>, partner: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let unknown = |what: &str, name: &str, known: Vec<&str>| {
        let near = did_you_mean(name, known);
        Usage(format!("no {what} \"{name}\"{near}"))
    };
    let mut title = config.channel.title.clone();
    if let Some(name) = partner {
        if config.sources.iter().all(|source| source.partner != name) {
            let known = config.sources.iter().map(|source| source.partner.as_str()).collect();
            return Err(unknown("source has the partner", name, known).into());
        }
        title = format!("{title}: {name}");
    }
    let mut of_topic = None;
    if let Some(id) = topic {
        let Some(topic) = config.topics.iter().find(|topic| topic.id == id) else {
            let known = config.topics.iter().map(|topic| topic.id.as_str()).collect();
            return Err(unknown("topic has the id", id, known).into());
        };
        title = format!("{title}: {}", topic.label(&config.channel.language));
        of_topic = Some(sources_of_topic(config, id)?);
    }
    let is_wanted = |source: &&Source| {
        partner.is_none_or(|name| source.partner == name)
            && of_topic.as_ref().is_none_or(|ids| ids.contains(&source.id))
    };
    Ok(lists::opml(&title, config.sources.iter().filter(is_wanted), false))
}

/// The sources that an entry of a topic came from.
fn sources_of_topic(config: &Config, topic: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    store::open(&config.store)?.read(|r| {
        r.entries().each(&EntryFilter::default(), MarkupScope::Without, |stored| {
            if stored.topics.iter().any(|matched| matched.topic == topic) {
                found.insert(stored.entry.source);
            }
            Ok::<_, StoreError>(())
        })
    })?;
    Ok(found)
}
