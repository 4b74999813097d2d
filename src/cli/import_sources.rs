//! `courant add` and `courant import`: sources from an address, or from another program's list.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::import_people::PeopleExport;
use super::probe::{self, ProbeArguments};
use crate::app::Usage;
use crate::config::addition::{self, AdditionError, NewSource, SourceFate};
use crate::extract;
use crate::support::terminal::{self, errln, outln};
use crate::support::text::{is_language_tag, many};

/// What folders of an OPML file become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FolderUse {
    Tags,
    Partner,
    None,
}

#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// The feeds of an OPML file, as miniflux, FreshRSS, Feedly and other readers export it.
    Opml {
        /// The file.
        file: PathBuf,
        /// What the folders of the file become.
        #[arg(long, value_enum, default_value = "tags")]
        folders: FolderUse,
        /// Write the new sources into the configuration; without it, only show them.
        #[arg(long)]
        write: bool,
    },
    /// The feeds of a planet.ini, as Planet and Venus have it.
    Planet {
        /// The file.
        file: PathBuf,
        /// Write the new sources into the configuration; without it, only show them.
        #[arg(long)]
        write: bool,
    },
    /// Subscribers of listmonk: its exports of subscribers (CSV), in a file or a folder.
    Listmonk(PeopleExport),
    /// Subscribers of Mailchimp: the exports of an audience (CSV), unpacked, in a file or a folder.
    Mailchimp(PeopleExport),
    /// Members of Ghost: its export of members (CSV), in a file or a folder.
    Ghost(PeopleExport),
    /// Subscribers of Substack: its export (CSV), in a file or a folder.
    Substack(PeopleExport),
    /// Everything that `courant export all` wrote, into an empty store.
    All {
        /// The folder.
        dir: PathBuf,
        /// Replace what the store holds.
        #[arg(long)]
        replace: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddSource {
    /// Web address of a feed or a page.
    address: String,
    /// Id of the source [default: made of its title].
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Name of the organisation, for readers [default: the title of what is there].
    #[arg(long, value_name = "NAME")]
    partner: Option<String>,
}

/// `courant add`.
///
/// # Errors
/// When nothing can be read at the address, or the configuration cannot be changed.
pub(super) async fn add(
    wanted: &AddSource,
    is_verbose: bool,
    path: &Path,
    now: Timestamp,
) -> anyhow::Result<()> {
    let document = ProbeArguments::of_address(&wanted.address);
    let reading = probe::read(&document, Some(path), now).await?.0;
    terminal::print_text(&reading.to_text(is_verbose));
    if reading.entries.is_empty() {
        bail!("no entry was read at {}: nothing is written", wanted.address);
    }
    let title = reading.title().unwrap_or_default().to_owned();
    let source = NewSource {
        id: None,
        name: wanted.id.clone().unwrap_or_else(|| title.clone()),
        address: wanted.address.clone(),
        partner: wanted.partner.clone().or(Some(title)),
        language: reading.feed.language.clone().filter(|language| is_language_tag(language)),
        tags: Vec::new(),
    };
    match addition::add(path, &[source], false).map_err(refused)?.pop() {
        Some(SourceFate::New(id)) => errln!("{}: the source \"{id}\" is added", path.display()),
        Some(SourceFate::Known(id)) => {
            return Err(Usage(format!("the source \"{id}\" reads {} already", wanted.address)).into());
        }
        Some(SourceFate::Refused(reason)) => return Err(Usage(reason).into()),
        None => {}
    }
    Ok(())
}

/// `courant import opml` and `planet`.
///
/// # Errors
/// When the file is not what it should be, or the configuration cannot be changed.
pub(super) fn import(list: &ImportCommand, path: &Path) -> anyhow::Result<()> {
    let (wanted, is_written) = match list {
        ImportCommand::Opml { file, folders, write } => (from_opml(file, *folders)?, *write),
        ImportCommand::Planet { file, write } => (from_planet(file)?, *write),
        _ => return Ok(()),
    };
    let fates = addition::add(path, &wanted, !is_written).map_err(refused)?;
    let (mut new, mut known, mut refused) = (0usize, 0usize, 0usize);
    for (fate, source) in fates.iter().zip(&wanted) {
        let address = &source.address;
        match fate {
            SourceFate::New(id) => {
                new += 1;
                let tags = source.tags.iter().map(|tag| format!("  #{tag}")).collect::<String>();
                outln!("new        {id:<24}  {address}{tags}");
            }
            SourceFate::Known(id) => {
                known += 1;
                outln!("is there   {id:<24}  {address}");
            }
            SourceFate::Refused(reason) => {
                refused += 1;
                outln!("left out   {:<24}  {reason}", source.name);
            }
        }
    }
    let (sources, done) = (many(new, "source", "sources"), if is_written { "added to" } else { "new for" });
    let hint = if is_written || new == 0 { "" } else { ": --write adds them" };
    outln!("{sources} {done} {}, {known} there already, {refused} left out{hint}", path.display());
    Ok(())
}

/// A fault of the configuration as the command reports it.
fn refused(error: AdditionError) -> anyhow::Error {
    match error {
        AdditionError::Config(error) => error.into(),
        AdditionError::Faulty(reason) => Usage(reason).into(),
        error @ AdditionError::Unwritable { .. } => error.into(),
    }
}

fn read_file(file: &Path) -> Result<Vec<u8>, Usage> {
    std::fs::read(file).map_err(|error| Usage(format!("cannot read {}: {error}", file.display())))
}

fn from_opml(file: &Path, folders: FolderUse) -> anyhow::Result<Vec<NewSource>> {
    let feeds = extract::read_opml(&read_file(file)?);
    let feeds = feeds.ok_or_else(|| Usage(format!("{} is not an OPML file", file.display())))?;
    let source = |feed: extract::ListedFeed| NewSource {
        partner: feed.folders.last().filter(|_| folders == FolderUse::Partner).cloned(),
        tags: if folders == FolderUse::Tags { feed.folders } else { Vec::new() },
        language: feed.language.filter(|language| is_language_tag(language)),
        id: feed.source,
        name: feed.title,
        address: feed.address,
    };
    Ok(feeds.into_iter().map(source).collect())
}

/// Each section that is called by an address is a feed; `name` in it is its partner.
fn from_planet(file: &Path) -> anyhow::Result<Vec<NewSource>> {
    let bytes = read_file(file)?;
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{} is not UTF-8", file.display()))?;
    let mut found: Vec<NewSource> = Vec::new();
    let mut is_feed = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            is_feed = section.contains("://");
            found.extend(
                is_feed.then(|| NewSource { address: section.trim().into(), ..NewSource::default() }),
            );
        } else if let Some((key, value)) = line.split_once(['=', ':']).filter(|_| is_feed)
            && key.trim().eq_ignore_ascii_case("name")
            && let Some(feed) = found.last_mut()
        {
            value.trim().clone_into(&mut feed.name);
        }
    }
    if found.is_empty() {
        return Err(
            Usage(format!("{} names no feed: its sections are called by addresses", file.display())).into()
        );
    }
    Ok(found)
}
