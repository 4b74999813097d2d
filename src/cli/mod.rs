//! The command line: runs the commands and reports their results.

mod admin;
mod alarms;
mod arguments;
mod bounces;
mod campaign;
pub mod cluster;
pub mod demo;
mod desk;
mod digest;
mod doctor;
mod export;
mod import;
mod import_people;
mod import_sources;
mod list;
mod once;
mod output;
mod partner;
pub mod probe;
mod profile;
mod queue;
mod recipient;
mod serve;
mod shell;
mod store;
mod stories;
mod subscribers;
mod token;
mod topics;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;

use self::arguments::{Arguments, Command, ListFormat, LogFormat};
use self::import_sources::ImportCommand;
use crate::app::{self, App, INTERRUPTED_CODE, Interrupted, Signals, Usage};
use crate::config::{self, ConfigError, ServiceManager};
use crate::pipeline::mail::outbox::Deliveries;
use crate::pipeline::refresh::{SourceOutcome, SourceReport};
use crate::pipeline::worker::Selection;
use crate::store::EntryFilter;
use crate::support::clock::{Clock, set_ahead};
use crate::support::files;
use crate::support::templates::BUILT_IN;
use crate::support::terminal::{self, errln, outln};
use crate::support::text::many;

/// How long the runtime waits for blocked threads on exit.
const LEFT_AFTER: Duration = Duration::from_millis(300);

/// Every source that was tried failed.
#[derive(Debug, thiserror::Error)]
#[error("every source failed")]
struct EverySourceFailed;

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    crate::support::telemetry::start(
        arguments.verbose,
        arguments.quiet,
        matches!(arguments.log_format, LogFormat::Json),
        std::io::stderr().is_terminal() && crate::config::wants_colours(),
    );
    crate::support::process::raise_open_files();
    let manager = match &arguments.command {
        Command::Serve { .. } => ServiceManager::from_environment().map_err(anyhow::Error::msg),
        _ => Ok(ServiceManager::default()),
    };
    // Fails only when a provider is set already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = manager.and_then(|manager| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.context("the runtime cannot start")?;
        let result = runtime.block_on(run(&arguments, manager));
        runtime.shutdown_timeout(LEFT_AFTER);
        result
    });
    let Err(error) = result.and(terminal::finish().map_err(anyhow::Error::from)) else {
        return ExitCode::SUCCESS;
    };
    let is_broken_pipe = error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if is_broken_pipe {
        return ExitCode::SUCCESS;
    }
    errln!("{error:#}");
    ExitCode::from(match () {
        () if error.is::<ConfigError>() || error.is::<Usage>() => 2,
        () if error.is::<EverySourceFailed>() => 3,
        () if error.is::<MailHeldUp>() => 4,
        // As a shell reports a program that Ctrl-C ended.
        () if error.is::<Interrupted>() => INTERRUPTED_CODE as u8,
        () => 1,
    })
}

async fn run(arguments: &Arguments, manager: ServiceManager) -> anyhow::Result<()> {
    let signals = Signals::listen().context("cannot listen for signals")?;
    set_ahead(arguments.clock_ahead);
    let clock = arguments.now.map_or(Clock::System, Clock::Fixed);
    match &arguments.command {
        Command::Init { dir } => return init(dir),
        Command::Demo { dir, keep_serving } => {
            return demo::run(dir, *keep_serving, arguments.now, &signals).await;
        }
        Command::Check => return check(&find(arguments)?),
        Command::Doctor(options) => {
            return doctor::doctor(options, &find(arguments)?, clock.now()).await;
        }
        Command::Schema => {
            outln!("{:#}", config::schema());
            return Ok(());
        }
        Command::Admin(wanted) => return admin::admin(wanted),
        Command::Completions { shell } => {
            shell::completions(*shell);
            return Ok(());
        }
        Command::Man { dir } => return shell::man(dir),
        Command::Add(wanted) => {
            return import_sources::add(wanted, arguments.verbose > 0, &find(arguments)?, clock.now()).await;
        }
        Command::Import(list @ (ImportCommand::Opml { .. } | ImportCommand::Planet { .. })) => {
            return import_sources::import(list, &find(arguments)?);
        }
        Command::Import(ImportCommand::All { dir, replace }) => {
            return export::bring_back(dir, *replace, &find(arguments)?);
        }
        Command::Export(wanted) => return export::export(wanted, &find(arguments)?),
        Command::Store(wanted) => return store::store(wanted, arguments.config.as_deref()),
        Command::Cluster { file } => return stories::cluster(file),
        // A model can be trained and asked where nothing else is set up.
        Command::Classify(wanted) if !find(arguments).is_ok_and(|path| path.exists()) => {
            return topics::classify(wanted, None);
        }
        Command::Probe(wanted) => {
            return probe::probe(wanted, arguments.verbose > 0, find(arguments).ok().as_deref(), clock.now())
                .await;
        }
        _ => {}
    }
    let path = find(arguments)?;
    let app = App::new(config::load(&path)?, clock, signals.stop.clone())?;
    signals.end_with(arguments.command.shutdown_mode());
    run_with(app, arguments, &path, manager).await
}

/// Where the configuration is.
fn find(arguments: &Arguments) -> Result<PathBuf, ConfigError> {
    config::find(arguments.config.as_deref())
}

/// `courant check`.
fn check(path: &Path) -> anyhow::Result<()> {
    let config = config::load(path)?;
    let faults: Vec<String> =
        app::trial(&config).iter().map(|error| format!("{}: {error:#}", path.display())).collect();
    if !faults.is_empty() {
        return Err(Usage(faults.join("\n")).into());
    }
    for note in &config.notes {
        outln!("{}", note.in_file(path));
    }
    for note in config.mail.transport.notes() {
        outln!("{note}");
    }
    outln!(
        "{} is valid: {} ({} enabled), {}, {}",
        path.display(),
        many(config.sources.len(), "source", "sources"),
        config.sources.iter().filter(|s| s.is_enabled).count(),
        many(config.topics.len(), "topic", "topics"),
        many(config.digests.len(), "digest", "digests")
    );
    Ok(())
}

/// The commands that need the configuration and the store.
async fn run_with(
    app: App,
    arguments: &Arguments,
    path: &Path,
    manager: ServiceManager,
) -> anyhow::Result<()> {
    match &arguments.command {
        Command::Fetch { all, source } => fetch(&app, *all, source.clone()).await,
        Command::Publish => publish(&app).await,
        Command::Digest { digest: only, preview: Some(address), open, .. } => {
            digest::preview(&app, only.as_deref(), address, *open)
        }
        Command::Digest { digest: only, test: Some(address), .. } => {
            digest::send_test(&app, only.as_deref(), address).await
        }
        Command::Digest { digest: only, dry_run, .. } => {
            digest::digest_now(&app, only.as_deref(), *dry_run).await
        }
        Command::Campaign(wanted) => campaign::campaign(&app, wanted).await,
        Command::Desk(wanted) => desk::desk(&app, wanted).await,
        Command::Import(wanted) => import_people::import(&app, wanted),
        Command::Subscribers(wanted) => subscribers::subscribers(&app, wanted),
        Command::Alarms(wanted) => alarms::alarms(&app, wanted),
        Command::Partner(wanted) => partner::partner(&app, wanted),
        Command::Token(wanted) => token::token(&app, wanted),
        Command::Queue { format } => queue::queue(&app, *format),
        Command::Bounces { place, listen } => bounces::bounces(&app, place, listen, path).await,
        Command::Run => once::run(&app, arguments.quiet).await,
        Command::Serve { listen } => serve::serve(app, listen, manager, path).await,
        Command::Entries { format, source, topic, since, limit } => {
            let filter = EntryFilter { source: source.clone(), since: *since, count_max: *limit };
            list::entries(&app, filter, topic.as_deref(), *format)
        }
        Command::Explain { entry } => stories::explain(&app, entry),
        Command::Merge { entry, other } => stories::merge(&app, entry, other),
        Command::Split { entry } => stories::split(&app, entry),
        Command::Recluster { dry_run } => stories::recluster(&app, *dry_run),
        Command::Classify(wanted) => topics::classify(wanted, Some(&app)),
        Command::Topics(wanted) => topics::topics(&app, wanted),
        Command::Label { entry, topics, forget } => topics::label(&app, entry, topics, *forget),
        Command::Reclassify => topics::reclassify(&app),
        Command::Sources { format, broken, partner } => {
            let filter = list::SourceFilter { is_broken: *broken, partner: partner.as_deref() };
            list::sources(&app, *format, &filter)
        }
        Command::Init { .. }
        | Command::Check
        | Command::Schema
        | Command::Admin(_)
        | Command::Add(_)
        | Command::Export(_)
        | Command::Doctor(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Store(_)
        | Command::Probe(_)
        | Command::Cluster { .. }
        | Command::Demo { .. } => Ok(()),
    }
}

/// The end of a command that went on without publishing everything: both faults are said, and the other one has an exit code of its own.
fn ended(done: anyhow::Result<()>, unpublished: Option<anyhow::Error>) -> anyhow::Result<()> {
    let Some(error) = unpublished else { return done };
    let error = error.context("not everything is published");
    if done.is_err() {
        errln!("{error:#}");
        return done;
    }
    Err(error)
}

/// Mail is held up until the operator acts, or none of it was sent.
#[derive(Debug, thiserror::Error)]
enum MailHeldUp {
    #[error("mail is held up: {0}: it is tried again at the next run")]
    HeldUp(String),
    #[error("no mail was sent: {0}: `courant queue` lists them")]
    NoneSent(String),
}

fn held_up(deliveries: &Deliveries) -> anyhow::Result<()> {
    let none_sent = || deliveries.unsent().filter(|_| deliveries.is_none_sent());
    let fault =
        deliveries.held_up.clone().map(MailHeldUp::HeldUp).or_else(|| none_sent().map(MailHeldUp::NoneSent));
    fault.map_or(Ok(()), |fault| Err(fault.into()))
}

/// Exit code 3 if every source tried failed.
fn judge(reports: &[SourceReport]) -> anyhow::Result<()> {
    let failed = reports.iter().filter(|report| matches!(report.outcome, SourceOutcome::Failed(_))).count();
    if failed > 0 && failed == reports.len() { Err(EverySourceFailed.into()) } else { Ok(()) }
}

fn init(dir: &Path) -> anyhow::Result<()> {
    let config = dir.join("feeds.toml");
    if config.exists() {
        return Err(Usage(format!("{} already exists and was left unchanged", config.display())).into());
    }
    files::write_atomically(&config, config::STARTER.as_bytes())
        .with_context(|| format!("cannot write {}", config.display()))?;
    outln!("{}", config.display());
    for (name, text) in BUILT_IN {
        let path = dir.join("templates").join(name);
        if !path.exists() {
            files::write_atomically(&path, text.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            outln!("{}", path.display());
        }
    }
    Ok(())
}

async fn fetch(app: &App, all: bool, source: Option<String>) -> anyhow::Result<()> {
    let selection = match source {
        Some(id) if app.config.sources.iter().any(|source| source.id == id) => Selection::One(id),
        Some(id) => {
            return Err(Usage(format!("no source has the id \"{id}\": `courant sources` lists them")).into());
        }
        None if all => Selection::All,
        None => Selection::Due,
    };
    let fetched = app.fetch(&selection).await?;
    list::reports(&fetched.reports)?;
    if fetched.is_interrupted {
        return Err(Interrupted.into());
    }
    judge(&fetched.reports)
}

async fn publish(app: &App) -> anyhow::Result<()> {
    let published = app.publish().await?;
    outln!(
        "{} in {}, {} written",
        many(published.stories, "story", "stories"),
        app.destination,
        many(published.written, "file", "files")
    );
    Ok(())
}
