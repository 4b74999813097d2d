//! The command line: what was asked, done, and said.

pub mod cluster;
pub mod demo;
mod import;
mod list;
pub mod probe;
mod queue;
mod recipient;
mod returns;
mod stories;
mod subscribers;
mod topics;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::app::{self, App, Farewell, INTERRUPTED_CODE, Interrupted, Signals, Usage};
use crate::config::{self, ConfigError};
use crate::deliver::message::{Built, build, message_id, prepare};
use crate::model::digest::{Delivery, Digest, DigestId, Issue, LinkPlaces};
use crate::model::keys::{DeliveryKey, IssueKey};
use crate::model::mail_address::Address;
use crate::pipeline::mail::outbox::Deliveries;
use crate::pipeline::mail::queue::{self as turns, Preview};
use crate::pipeline::refresh::{SourceOutcome, SourceReport};
use crate::pipeline::worker::Selection;
use crate::store::EntryFilter;
use crate::support::clock::Clock;
use crate::support::files;
use crate::support::templates::BUILT_IN;
use crate::support::text::many;
use crate::web;
use crate::web::limits::Limits;
use crate::web::pictures::Pictures;
use crate::web::state::AppState;

/// How often `courant serve` looks at the clock.
const TICK: Duration = Duration::from_secs(30);
/// After a signal, what is under way has so long to end.
const FAREWELL: Duration = Duration::from_millis(1_200);
/// What blocks a thread then is left.
const LEFT_AFTER: Duration = Duration::from_millis(300);
/// Threads that answer readers.
const WEB_THREADS: usize = 2;

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
        #[arg(long, conflicts_with_all = ["preview", "test"])]
        dry_run: bool,
        /// Write what a subscriber or recipient would get now, as files; send and remember nothing.
        #[arg(long, value_name = "ADDRESS", conflicts_with = "test")]
        preview: Option<String>,
        /// With --preview: show it in the browser.
        #[arg(long, requires = "preview")]
        open: bool,
        /// Send it to an address to look at: what its subscriber would get, else the digest; nothing is remembered.
        #[arg(long, value_name = "ADDRESS")]
        test: Option<String>,
    },
    /// The list of subscribers.
    #[command(subcommand)]
    Subscribers(subscribers::Subscribers),
    /// List the mail that waits, since when and why, and what was refused.
    Queue {
        #[arg(long, value_enum, default_value = "text")]
        format: ListFormat,
    },
    /// Read what came back: bounces, complaints, wishes to leave.
    Bounces {
        /// A file (mail or mbox) or a folder of them, - for standard input, imap[s]://USER@HOST/FOLDER, or lmtp.
        #[arg(value_name = "FILE|-|imap://…|lmtp")]
        place: String,
        /// Where lmtp listens.
        #[arg(long, default_value = "127.0.0.1:2424")]
        listen: String,
    },
    /// Fetch, publish and send what is due: the command for a timer.
    Run,
    /// Stay up: do the same on schedule and serve the published folder.
    Serve {
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: String,
    },
    /// Show what courant reads in a document, and how, without storing anything.
    Probe(probe::ProbeArguments),
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
    /// Put the entries of a file into stories: one JSON object a line in, id, cluster, relation and reason out.
    Cluster {
        /// JSON lines, - for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Why an entry is in its story, and why the nearest others are not.
    Explain {
        /// Its id or the beginning of it, its address, or its guid.
        entry: String,
    },
    /// Two entries tell one story, whatever their texts say.
    Merge { entry: String, other: String },
    /// An entry is none of its story's: it leaves, and stays out.
    Split { entry: String },
    /// Put all entries into stories anew. Nothing is announced again.
    Recluster {
        /// Only say how many would move.
        #[arg(long)]
        dry_run: bool,
    },
    /// The model that knows topics from labelled texts.
    #[command(subcommand)]
    Classify(topics::Classify),
    /// Say what an entry is about: it stands, and teaches the next model.
    Label {
        entry: String,
        #[arg(value_name = "TOPIC", required_unless_present = "forget")]
        topics: Vec<String>,
        /// Take back what was said: rules and model decide again.
        #[arg(long, conflicts_with = "topics")]
        forget: bool,
    },
    /// Ask rules and model about all entries again. Nothing is announced again.
    Reclassify,
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

impl Command {
    /// How it ends when it is told to.
    fn farewell(&self) -> Farewell {
        match self {
            Command::Fetch { .. } | Command::Publish | Command::Digest { .. } | Command::Run => {
                Farewell::Orderly
            }
            Command::Serve { .. } => Farewell::Own,
            Command::Bounces { place, .. } if place == "lmtp" => Farewell::Own,
            _ => Farewell::AtOnce,
        }
    }
}

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
    );
    // Fails only when a provider is set already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot start")
        .and_then(|runtime| {
            let result = runtime.block_on(run(&arguments));
            runtime.shutdown_timeout(LEFT_AFTER);
            result
        });
    let Err(error) = result else { return ExitCode::SUCCESS };
    let is_broken_pipe = error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if is_broken_pipe {
        return ExitCode::SUCCESS;
    }
    eprintln!("{error:#}");
    ExitCode::from(match () {
        () if error.is::<ConfigError>() || error.is::<Usage>() => 2,
        () if error.is::<EverySourceFailed>() => 3,
        () if error.is::<MailHeldUp>() => 4,
        // As a shell reports a program that Ctrl-C ended.
        () if error.is::<Interrupted>() => INTERRUPTED_CODE as u8,
        () => 1,
    })
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let signals = Signals::heed().context("signals cannot be heard")?;
    let clock = arguments.now.map_or(Clock::System, Clock::Fixed);
    match &arguments.command {
        Command::Init { dir } => return init(dir),
        Command::Demo { dir, keep_serving } => {
            return demo::run(dir, *keep_serving, arguments.now, &signals).await;
        }
        Command::Cluster { file } => return stories::cluster(file),
        // A model can be trained and asked where nothing else is set up.
        Command::Classify(wanted) if !arguments.config.exists() => return topics::classify(wanted, None),
        Command::Probe(wanted) => return probe::probe(wanted, &arguments.config, clock.now()).await,
        _ => {}
    }
    let config = config::load(&arguments.config)?;
    if let Command::Check = arguments.command {
        app::transport(&config.mail)?;
        for note in config.mail.transport.notes() {
            println!("{note}");
        }
        println!(
            "{} is valid: {} ({} enabled), {}, {}",
            arguments.config.display(),
            many(config.sources.len(), "source", "sources"),
            config.sources.iter().filter(|s| s.is_enabled).count(),
            many(config.topics.len(), "topic", "topics"),
            many(config.digests.len(), "digest", "digests")
        );
        return Ok(());
    }
    let app = App::new(config, clock, signals.stop.clone())?;
    signals.end_with(arguments.command.farewell());
    match &arguments.command {
        Command::Fetch { all, source } => fetch(&app, *all, source.clone()).await,
        Command::Publish => publish(&app).await,
        Command::Digest { digest, preview: Some(address), open, .. } => {
            preview(&app, digest.as_deref(), address, *open)
        }
        Command::Digest { digest, test: Some(address), .. } => {
            send_test(&app, digest.as_deref(), address).await
        }
        Command::Digest { digest, dry_run, .. } => digest_now(&app, digest.as_deref(), *dry_run).await,
        Command::Subscribers(wanted) => subscribers::subscribers(&app, wanted),
        Command::Queue { format } => queue::queue(&app, *format),
        Command::Bounces { place, listen } => returns::bounces(&app, place, listen, &arguments.config).await,
        Command::Run => {
            let report = app.run_once().await?;
            judge(&report.reports)?;
            held_up(&report.deliveries)
        }
        Command::Serve { listen } => serve(app, listen).await,
        Command::Entries { format, source, since } => list::entries(
            app.store(),
            &EntryFilter { source: source.clone(), since: *since },
            *format == ListFormat::Jsonl,
        ),
        Command::Explain { entry } => stories::explain(&app, entry),
        Command::Merge { entry, other } => stories::merge(&app, entry, other),
        Command::Split { entry } => stories::split(&app, entry),
        Command::Recluster { dry_run } => stories::recluster(&app, *dry_run),
        Command::Classify(wanted) => topics::classify(wanted, Some(&app)),
        Command::Label { entry, topics, forget } => topics::label(&app, entry, topics, *forget),
        Command::Reclassify => topics::reclassify(&app),
        Command::Sources => list::sources(&app.config.sources, &app.store().read(|r| r.sources().list())?),
        Command::Init { .. }
        | Command::Check
        | Command::Probe(_)
        | Command::Cluster { .. }
        | Command::Demo { .. } => Ok(()),
    }
}

/// Mail waits for the operator, or none of it left.
#[derive(Debug, thiserror::Error)]
enum MailHeldUp {
    #[error("mail is held up: {0}: it is tried again at the next run")]
    HeldUp(String),
    #[error("no mail left: {0}: `courant queue` lists them")]
    NoneSent(String),
}

fn held_up(deliveries: &Deliveries) -> anyhow::Result<()> {
    let none_sent = || deliveries.unsent().filter(|_| deliveries.is_none_sent());
    let fault =
        deliveries.held_up.clone().map(MailHeldUp::HeldUp).or_else(|| none_sent().map(MailHeldUp::NoneSent));
    fault.map_or(Ok(()), |fault| Err(fault.into()))
}

/// Exit code 3 when not one of the sources tried could be read.
fn judge(reports: &[SourceReport]) -> anyhow::Result<()> {
    let failed = reports.iter().filter(|report| matches!(report.outcome, SourceOutcome::Failed(_))).count();
    if failed > 0 && failed == reports.len() { Err(EverySourceFailed.into()) } else { Ok(()) }
}

fn init(dir: &Path) -> anyhow::Result<()> {
    let config = dir.join("feeds.toml");
    if config.exists() {
        return Err(Usage(format!("{} is there already: it was left as it is", config.display())).into());
    }
    files::write_atomically(&config, config::STARTER.as_bytes())
        .with_context(|| format!("cannot write {}", config.display()))?;
    println!("{}", config.display());
    for (name, text) in BUILT_IN {
        let path = dir.join("templates").join(name);
        if !path.exists() {
            files::write_atomically(&path, text.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            println!("{}", path.display());
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
    println!(
        "{} in {}, {} written",
        many(published.stories, "story", "stories"),
        app.config.publish.dir.display(),
        many(published.written, "file", "files")
    );
    Ok(())
}

fn chosen_digests<'a>(app: &'a App, only: Option<&str>) -> anyhow::Result<Vec<&'a Digest>> {
    let chosen: Vec<_> =
        app.config.digests.iter().filter(|digest| only.is_none_or(|id| digest.id.as_str() == id)).collect();
    if let (Some(id), true) = (only, chosen.is_empty()) {
        return Err(Usage(format!("no digest has the id \"{id}\"")).into());
    }
    Ok(chosen)
}

async fn digest_now(app: &App, only: Option<&str>, is_dry: bool) -> anyhow::Result<()> {
    for digest in chosen_digests(app, only)? {
        if is_dry {
            let Preview { stories, issue, .. } = turns::preview(app.store(), app.mail_context(), digest)?;
            let text = shown(&issue.text, &issue.places);
            println!(
                "Digest: {} ({}, {})\nSubject: {}\n\n{text}",
                digest.id,
                many(stories.len(), "story", "stories"),
                many(digest.recipients.len(), "recipient", "recipients"),
                issue.subject
            );
            continue;
        }
        let turn = turns::queue(app.store(), app.mail_context(), digest, true)?;
        println!("{}: {}", digest.id, list::turn(&turn));
    }
    if !is_dry {
        app.archive()?;
        let deliveries = app.deliver(only.map(DigestId::from).as_ref()).await?;
        list::deliveries(&deliveries)?;
        app.go_on()?;
        held_up(&deliveries)?;
    }
    Ok(())
}

/// A part of an issue without the places of links.
fn shown(part: &str, places: &LinkPlaces) -> String {
    const LINK: &str = "(a link of each recipient's own)";
    part.replace(&places.unsubscribe(), LINK).replace(&places.preferences(), LINK)
}

/// What somebody would get now: a digest of their own, else the configured one that they are a recipient of. The id of the
/// digest, its issue if there is anything new, and why not where there is not.
fn would_get(
    app: &App,
    only: Option<&str>,
    address: &Address,
) -> anyhow::Result<Option<(DigestId, Result<Issue, String>)>> {
    let store = app.store();
    if let Some(subscriber) = store
        .read(|r| r.subscribers().get(&app.sender.key.hash(address.as_str())))?
        .filter(|_| only.is_none())
    {
        let issue =
            turns::preview_personal(store, app.mail_context(), &subscriber.preferences, subscriber.seen)?;
        let issue = issue.ok_or_else(|| {
            format!(
                "nothing is new for {address} ({}): they would get no mail now",
                subscribers::since(&subscriber)
            )
        });
        return Ok(Some((DigestId::Personal, issue)));
    }
    for digest in chosen_digests(app, only)? {
        if digest.recipients.contains(address) {
            return Ok(Some((digest.id.clone(), digest_issue(app, digest)?)));
        }
    }
    Ok(None)
}

fn digest_issue(app: &App, digest: &Digest) -> anyhow::Result<Result<Issue, String>> {
    let Preview { stories, issue, .. } = turns::preview(app.store(), app.mail_context(), digest)?;
    Ok(if stories.is_empty() {
        Err(format!("nothing is new for the digest \"{}\": no mail would go out now", digest.id))
    } else {
        Ok(issue)
    })
}

/// The message as it would leave, without having been queued.
fn message(
    app: &App,
    digest: DigestId,
    address: &Address,
    issue: Issue,
) -> anyhow::Result<(Built, Delivery)> {
    let now = app.clock.now();
    let message_id = message_id(
        &format!("test {digest}"),
        IssueKey::default(),
        now,
        address.as_str(),
        app.sender.from.email.domain(),
    );
    let delivery = Delivery {
        id: DeliveryKey::default(),
        digest,
        recipient: address.as_str().into(),
        message_id,
        attempts: 0,
        issue: Arc::new(issue),
        created: now,
    };
    Ok((build(&app.sender, &delivery, &prepare(&delivery.issue)?)?, delivery))
}

fn preview(app: &App, only: Option<&str>, address: &str, is_open: bool) -> anyhow::Result<()> {
    let address = Address::parse(address).map_err(Usage)?;
    let Some((digest, issue)) = would_get(app, only, &address)? else {
        return Err(Usage(format!(
            "{address} is neither a subscriber nor a recipient: `courant subscribers list` shows who is"
        ))
        .into());
    };
    let issue = match issue {
        Ok(issue) => issue,
        Err(why) => {
            println!("{why}");
            return Ok(());
        }
    };
    let folder = PathBuf::from("preview");
    let (html, text) = (shown(&issue.html, &issue.places), shown(&issue.text, &issue.places));
    println!("Subject: {}", issue.subject);
    let (built, _) = message(app, digest, &address, issue)?;
    for (name, bytes) in [
        ("digest.html", html.as_bytes()),
        ("digest.txt", text.as_bytes()),
        ("digest.eml", built.text.as_bytes()),
    ] {
        let path = folder.join(name);
        files::write_atomically(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    if is_open {
        let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let opened = std::process::Command::new(opener)
            .arg(folder.join("digest.html"))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
        if let Err(error) = opened {
            eprintln!("the browser could not be started with {opener}: {error}");
        }
    }
    Ok(())
}

async fn send_test(app: &App, only: Option<&str>, address: &str) -> anyhow::Result<()> {
    let address = Address::parse(address).map_err(Usage)?;
    let wanted = match would_get(app, only, &address)? {
        Some(wanted) => wanted,
        // Anybody may look at a digest.
        None => {
            let digest = *chosen_digests(app, only)?
                .first()
                .ok_or_else(|| Usage(format!("{address} is no subscriber, and there is no [[digest]]")))?;
            (digest.id.clone(), digest_issue(app, digest)?)
        }
    };
    let (digest, issue) = match wanted {
        (digest, Ok(issue)) => (digest, issue),
        (_, Err(why)) => {
            println!("{why}");
            return Ok(());
        }
    };
    let (built, delivery) = message(app, digest, &address, issue)?;
    let sent = app.transport.send(&built, &delivery.message_id, &app.stop).await;
    app.transport.close().await;
    sent.with_context(|| format!("the test to {address} did not leave"))?;
    println!("sent to {address}: {}", delivery.issue.subject);
    Ok(())
}

async fn serve(app: App, listen: &str) -> anyhow::Result<()> {
    let mail_waits = Arc::new(Notify::new());
    let listener = tokio::net::TcpListener::bind(listen).await.and_then(tokio::net::TcpListener::into_std);
    let listener = listener.with_context(|| format!("cannot listen on {listen}"))?;
    eprintln!("serving {} on http://{}", app.config.publish.dir.display(), listener.local_addr()?);
    let state = AppState {
        refresher: app.refresher.clone(),
        channel: app.config.channel.clone(),
        languages: app.config.interface_languages(),
        topics: app.config.topics.clone(),
        sources: app.config.sources.clone(),
        publications: app.publications.clone(),
        images: app.config.publish.images,
        pictures: Pictures::default(),
        newsletter: app.config.newsletter.clone(),
        serve: app.config.serve.clone(),
        subscription_options: app.subscription_options(),
        sender: app.sender.as_ref().clone(),
        templates: app.templates.clone(),
        clock: app.clock,
        body_bytes_max: app.config.fetch.body_bytes_max,
        limits: Limits::default(),
        metrics: app.metrics.clone(),
        is_hub: app.is_own_hub(),
        verifying: web::hubs::places(),
        searching: web::search::places(),
        mail_waits: mail_waits.clone(),
    };
    let stop = app.stop.clone();
    let shutdown = stop.clone().cancelled_owned();
    // Readers are answered by threads of their own: thousands of mails or documents at work do not stand before them.
    let readers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WEB_THREADS)
        .thread_name("web")
        .enable_all()
        .build()?;
    let folder = app.config.publish.dir.clone();
    let server = readers.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        web::server::serve(listener, folder, Some(Arc::new(state)), shutdown).await
    });
    let app = Arc::new(app);
    // Who signs up looks out for a mail now, not at the next turn.
    let confirming = app.clone();
    let confirmations = tokio::spawn(async move {
        loop {
            mail_waits.notified().await;
            for digest in [DigestId::Confirmation, DigestId::Welcome] {
                match confirming.deliver(Some(&digest)).await {
                    Ok(deliveries) => app::log_unsent(&deliveries),
                    Err(error) => tracing::error!("confirmations could not be sent: {error:#}"),
                }
            }
        }
    });
    let turning = app.clone();
    let mut digest_reports = tokio::spawn(async move {
        while !turning.stop.is_cancelled() {
            turning.tick().await;
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = turning.stop.cancelled() => {}
            }
        }
    });
    tokio::select! {
        () = stop.cancelled() => {}
        // A service that does its work no more is to be seen to end.
        ended = &mut digest_reports => {
            readers.shutdown_background();
            return Ok(ended?);
        }
    }
    confirmations.abort();
    let ended = tokio::time::timeout(FAREWELL, async { (server.await, digest_reports.await) }).await;
    readers.shutdown_background();
    if let Ok((server, _)) = ended {
        server??;
    }
    Ok(())
}
