//! `courant store`: checks, copies, backups.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;

use crate::app::{Usage, progress};
use crate::config;
use crate::model::store_url::StoreUrl;
use crate::store::{CopiedTable, CopyProgress, Store};
use crate::support::clock::TokenSource;
use crate::support::files;
use crate::support::terminal::outln;
use crate::support::text::many;

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Check that the store is whole.
    Check,
    /// Copy a store into another one, such as from SQLite to PostgreSQL, and compare the two.
    Copy {
        /// Address of the store to read: sqlite:FILE or postgres://…
        from: String,
        /// Address of the store to write.
        to: String,
        /// Replace what the other store holds.
        #[arg(long)]
        replace: bool,
    },
    /// Write all that is stored into a new file, while courant works.
    Backup {
        /// The file, a database of SQLite.
        file: PathBuf,
    },
    /// Bring back what a backup holds.
    Restore {
        /// A file that `courant store backup` wrote.
        file: PathBuf,
        /// Replace what the store holds.
        #[arg(long)]
        replace: bool,
    },
}

/// What `check` found.
#[derive(Debug, thiserror::Error)]
#[error("the store is not whole: restore a backup, or ask for help with these lines")]
struct NotWhole;

/// Runs the command; the configuration says which store, but for a copy.
pub(super) fn store(wanted: &StoreCommand, config: Option<&Path>) -> anyhow::Result<()> {
    match wanted {
        StoreCommand::Check => check(&configured(config)?),
        StoreCommand::Copy { from, to, replace } => copy(from, to, *replace),
        StoreCommand::Backup { file } => {
            configured(config)?.back_up(file).with_context(|| file.display().to_string())?;
            outln!("{}", file.display());
            Ok(())
        }
        StoreCommand::Restore { file, replace } => restore(file, &configured(config)?, *replace),
    }
}

fn configured(config: Option<&Path>) -> anyhow::Result<Store> {
    open(&config::load(&config::find(config)?)?.store)
}

/// Opens a store for a command that needs nothing else.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn open(url: &StoreUrl) -> anyhow::Result<Store> {
    Ok(Store::open(url, &TokenSource::System.token()?)?)
}

fn check(store: &Store) -> anyhow::Result<()> {
    let faults = store.check()?;
    for fault in &faults {
        outln!("{fault}");
    }
    if !faults.is_empty() {
        return Err(NotWhole.into());
    }
    outln!("the store is whole");
    Ok(())
}

fn copy(from: &str, to: &str, is_replaced: bool) -> anyhow::Result<()> {
    let parse = |url: &str| StoreUrl::parse(url, Path::new("."), ".courant").map_err(Usage);
    let (from, to) = (parse(from)?, parse(to)?);
    if from == to {
        return Err(Usage("both addresses are the same".into()).into());
    }
    is_there(&from)?;
    let copied = copy_all(&open(&from)?, &open(&to)?, is_replaced).with_context(|| to.to_string())?;
    report(&copied);
    Ok(())
}

/// Copies with a progress bar on a terminal.
fn copy_all(from: &Store, to: &Store, is_replaced: bool) -> anyhow::Result<Vec<CopiedTable>> {
    let bar = progress(0, "rows");
    let copied = from.copy_to(to, is_replaced, |progress| match progress {
        CopyProgress::Total(rows) => bar.set_length(rows),
        CopyProgress::Rows(rows) => bar.inc(rows),
    });
    bar.finish_and_clear();
    Ok(copied?)
}

/// A file that is not there would be made.
fn is_there(url: &StoreUrl) -> anyhow::Result<()> {
    match url {
        StoreUrl::Sqlite(path) if !path.exists() => {
            Err(Usage(format!("there is no file {}", path.display())).into())
        }
        _ => Ok(()),
    }
}

fn restore(file: &Path, store: &Store, is_replaced: bool) -> anyhow::Result<()> {
    is_there(&StoreUrl::Sqlite(file.to_owned()))?;
    // A backup stays as it is, also where an earlier version wrote it: what is brought up to date is a copy.
    let folder = file.with_extension("restoring");
    files::create_private_folder(&folder).with_context(|| folder.display().to_string())?;
    let restored = (|| {
        let copy = folder.join("courant.db");
        std::fs::copy(file, &copy)?;
        copy_all(&open(&StoreUrl::Sqlite(copy))?, store, is_replaced)
    })();
    let _ = std::fs::remove_dir_all(&folder);
    let copied: anyhow::Result<Vec<CopiedTable>> = restored;
    report(&copied.with_context(|| file.display().to_string())?);
    Ok(())
}

fn report(copied: &[CopiedTable]) {
    for table in copied.iter().filter(|table| table.rows > 0) {
        outln!("{:<20} {:>10}", table.name, table.rows);
    }
    let rows: u64 = copied.iter().map(|table| table.rows).sum();
    outln!("{} copied, and compared", many(rows, "row", "rows"));
}
