//! The command line: what was asked, done, and said.

mod list;
mod probing;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::app::{App, Interrupted, Usage, shutdown_signal};
use crate::clock::Clock;
use crate::config::{self, ConfigError};
use crate::mailing;
use crate::model::digest::UNSUBSCRIBE_PLACE;
use crate::refresh::{Outcome, Report};
use crate::store::EntryFilter;
use crate::templates::BUILT_IN;
use crate::web::hooks::Hooks;
use crate::worker::Selection;
use crate::{demo, files, web};

/// How often `courant serve` looks at the clock.
const TICK: Duration = Duration::from_secs(30);

/// Gathers the news of many organisations, publishes one clean feed and mails digests.
#[derive(Debug, Parser)]
#[command(name = "courant", version)]
struct Arguments {
    /// The configuration.
    #[arg(long, global = true, default_value = "feeds.toml", value_name = "FILE")]
    config: PathBuf,
    /// The time of the whole command, for replays: 2022-10-17T08:00:00Z.
    #[arg(long, global = true, value_name = "RFC3339")]
    now: Option<Timestamp>,
    /// More log lines (twice: even more).
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Only errors in the log.
    #[arg(short, long, global = true)]
    quiet: bool,
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    Text,
    Jsonl,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented starter configuration and the templates.
    Init {
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Validate the whole configuration and report every fault.
    Check,
    /// Read the sources that are due.
    Fetch {
        /// Whatever the schedule says.
        #[arg(long, conflicts_with = "source")]
        all: bool,
        /// Only this one.
        #[arg(long, value_name = "ID")]
        source: Option<String>,
    },
    /// Write the merged feed and the page.
    Publish,
    /// Send the digests now, whatever their schedule.
    Digest {
        #[arg(long, value_name = "ID")]
        digest: Option<String>,
        /// Show the issue; send and remember nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Fetch, publish and send what is due: the command for a timer.
    Run,
    /// Stay up: do the same on schedule and serve the published folder.
    Serve {
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: String,
    },
    /// Show what courant reads in a document, and how, without storing anything.
    Probe(probing::Arguments),
    /// List the stored entries.
    Entries {
        #[arg(long, value_enum, default_value = "text")]
        format: ListFormat,
        #[arg(long, value_name = "ID")]
        source: Option<String>,
        /// First seen at or after this time.
        #[arg(long, value_name = "RFC3339")]
        since: Option<Timestamp>,
    },
    /// List the sources: last success, last error, entries, next poll.
    Sources,
    /// Run everything on bundled example sites: no network, no set-up.
    Demo {
        /// Where to put the files (default: ./courant-demo).
        #[arg(long, default_value = "courant-demo")]
        dir: PathBuf,
        /// Go on serving the result afterwards.
        #[arg(long)]
        keep_serving: bool,
    },
}

/// Every source that was tried failed.
#[derive(Debug, thiserror::Error)]
#[error("every source failed")]
struct EverySourceFailed;

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    crate::telemetry::start(arguments.verbose, arguments.quiet, matches!(arguments.log_format, LogFormat::Json));
    // Fails only when a provider is set already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot start").and_then(|runtime| {
        let result = runtime.block_on(run(&arguments));
        runtime.shutdown_timeout(Duration::from_secs(1));
        result
    });
    let Err(error) = result else { return ExitCode::SUCCESS };
    let is_broken_pipe = error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe));
    if is_broken_pipe {
        return ExitCode::SUCCESS;
    }
    eprintln!("{error:#}");
    ExitCode::from(match () {
        () if error.is::<ConfigError>() || error.is::<Usage>() => 2,
        () if error.is::<EverySourceFailed>() => 3,
        // As a shell reports a program that Ctrl-C ended.
        () if error.is::<Interrupted>() => 130,
        () => 1,
    })
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let clock = arguments.now.map_or(Clock::System, Clock::Fixed);
    match &arguments.command {
        Command::Init { dir } => return init(dir),
        Command::Demo { dir, keep_serving } => return demo::run(dir, *keep_serving, arguments.now).await,
        Command::Probe(wanted) => return probing::probe(wanted, &arguments.config, clock.now()).await,
        _ => {}
    }
    let config = config::load(&arguments.config)?;
    if let Command::Check = arguments.command {
        println!(
            "{} is valid: {} sources ({} enabled), {} topics, {} digests",
            arguments.config.display(),
            config.sources.len(),
            config.sources.iter().filter(|s| s.is_enabled).count(),
            config.topics.len(),
            config.digests.len()
        );
        return Ok(());
    }
    let app = App::new(config, clock)?;
    match &arguments.command {
        Command::Fetch { all, source } => fetch(&app, *all, source.clone()).await,
        Command::Publish => publish(&app),
        Command::Digest { digest, dry_run } => digest_now(&app, digest.as_deref(), *dry_run).await,
        Command::Run => app.cycle().await.and_then(|cycle| judge(&cycle.reports)),
        Command::Serve { listen } => serve(app, listen).await,
        Command::Entries { format, source, since } => {
            let entries = app.store().entries(&EntryFilter { source: source.clone(), since: *since })?;
            list::entries(&entries, *format == ListFormat::Jsonl)
        }
        Command::Sources => list::sources(&app.config.sources, &app.store().sources()?),
        Command::Init { .. } | Command::Check | Command::Probe(_) | Command::Demo { .. } => Ok(()),
    }
}

/// Exit code 3 when not one of the sources tried could be read.
fn judge(reports: &[Report]) -> anyhow::Result<()> {
    let failed = reports.iter().filter(|report| matches!(report.outcome, Outcome::Failed(_))).count();
    if failed > 0 && failed == reports.len() { Err(EverySourceFailed.into()) } else { Ok(()) }
}

fn init(dir: &Path) -> anyhow::Result<()> {
    let config = dir.join("feeds.toml");
    if config.exists() {
        return Err(Usage(format!("{} is there already: it was left as it is", config.display())).into());
    }
    files::write_atomically(&config, config::STARTER.as_bytes()).with_context(|| format!("cannot write {}", config.display()))?;
    println!("{}", config.display());
    for (name, text) in BUILT_IN {
        let path = dir.join("templates").join(name);
        if !path.exists() {
            files::write_atomically(&path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
            println!("{}", path.display());
        }
    }
    Ok(())
}

async fn fetch(app: &App, all: bool, source: Option<String>) -> anyhow::Result<()> {
    let selection = match source {
        Some(id) if app.config.sources.iter().any(|source| source.id == id) => Selection::One(id),
        Some(id) => return Err(Usage(format!("no source has the id \"{id}\": `courant sources` lists them")).into()),
        None if all => Selection::All,
        None => Selection::Due,
    };
    let round = app.fetch(&selection).await?;
    list::reports(&round.reports)?;
    if round.is_interrupted {
        return Err(Interrupted.into());
    }
    judge(&round.reports)
}

fn publish(app: &App) -> anyhow::Result<()> {
    let published = app.publish()?;
    println!("{} stories in {}, {} files written", published.stories, app.config.publish_dir.display(), published.written.len());
    Ok(())
}

async fn digest_now(app: &App, only: Option<&str>, is_dry: bool) -> anyhow::Result<()> {
    let now = app.clock.now();
    let chosen: Vec<_> = app.config.digests.iter().filter(|digest| only.is_none_or(|id| digest.id == id)).collect();
    if let (Some(id), true) = (only, chosen.is_empty()) {
        return Err(Usage(format!("no digest has the id \"{id}\"")).into());
    }
    for digest in chosen {
        if is_dry {
            let (stories, issue) = mailing::preview(&app.store(), app.frame(), digest, &app.templates, now)?;
            let text = issue.text.replace(UNSUBSCRIBE_PLACE, "(a link of each recipient's own)");
            println!("Digest: {} ({} stories, {} recipients)\nSubject: {}\n\n{text}", digest.id, stories.len(), digest.recipients.len(), issue.subject);
            continue;
        }
        let turn = mailing::queue(&mut app.store(), app.frame(), digest, &app.templates, &app.sender, now, true)?;
        println!("{}: {}", digest.id, list::turn(&turn));
    }
    if !is_dry {
        list::deliveries(&app.deliver(only).await?)?;
    }
    Ok(())
}

async fn serve(app: App, listen: &str) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    eprintln!("serving {} on http://{}", app.config.publish_dir.display(), listener.local_addr()?);
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let hooks = Hooks {
        refresher: app.refresher.clone(),
        sources: app.config.sources.clone(),
        clock: app.clock,
        body_bytes_max: app.config.fetch.body_bytes_max,
        key: app.sender.key.clone(),
        templates: app.templates.clone(),
        channel_title: app.config.channel.title.clone(),
    };
    let shutdown = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
    let server = tokio::spawn(web::server::serve(listener, app.config.publish_dir.clone(), Some(Arc::new(hooks)), shutdown));
    let mut interrupt = std::pin::pin!(shutdown_signal());
    loop {
        tokio::select! {
            () = app.tick() => {}
            () = &mut interrupt => break,
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = &mut interrupt => break,
        }
    }
    stop.send_replace(true);
    server.await??;
    Ok(())
}
