//! Command-line arguments.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::{
    admin, alarms, campaign, desk, doctor, export, import_sources, partner, probe, store, subscribers, token,
    topics,
};
use crate::app::ShutdownMode;

/// Gathers the news of many organisations, publishes one clean feed and mails digests.
#[derive(Debug, Parser)]
#[command(name = "courant", version)]
pub(super) struct Arguments {
    /// The configuration; otherwise $COURANT_CONFIG, or the first of feeds.toml, ~/.config/courant/feeds.toml and
    /// /etc/courant/feeds.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Sets the clock for the whole command, to replay a run (2022-10-17T08:00:00Z).
    #[arg(long, global = true, value_name = "RFC3339", value_parser = parse_time)]
    pub(super) now: Option<Timestamp>,
    /// Takes the clock of this machine to be so many seconds ahead: for tests of machines whose clocks differ.
    #[arg(long, global = true, hide = true, default_value_t = 0, value_name = "SECONDS")]
    pub(super) clock_ahead: i64,
    /// Log more; give it twice for debug output.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Log errors only.
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Format of the log on standard error.
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub(super) log_format: LogFormat,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    Text,
    /// One list of objects.
    Json,
    /// One object a line.
    Jsonl,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a commented starter configuration and the templates.
    Init {
        /// Folder to write to.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Validate the configuration and report every error in it.
    Check,
    /// Print the JSON Schema of the configuration, by which editors complete and check it.
    Schema,
    /// Fetch the sources that are due.
    Fetch {
        /// Fetch every source, due or not.
        #[arg(long, conflicts_with = "source")]
        all: bool,
        /// Fetch only this source.
        #[arg(long, value_name = "ID")]
        source: Option<String>,
    },
    /// Write the merged feeds and the web pages.
    Publish,
    /// Send the digests now, whatever their schedule.
    Digest {
        /// Only this digest.
        #[arg(long, value_name = "ID")]
        digest: Option<String>,
        /// Print the issue; send nothing and record nothing.
        #[arg(long, conflicts_with_all = ["preview", "test"])]
        dry_run: bool,
        /// Write the mail that a subscriber or recipient would get now to files; send nothing and record nothing.
        #[arg(long, value_name = "ADDRESS", conflicts_with = "test")]
        preview: Option<String>,
        /// Open the preview in the browser.
        #[arg(long, requires = "preview")]
        open: bool,
        /// Send a test mail to an address: its subscriber's own digest, or else the configured one. Nothing is recorded.
        #[arg(long, value_name = "ADDRESS")]
        test: Option<String>,
    },
    /// Write to a part of the list of subscribers: preview, test, send, schedule, cancel.
    #[command(subcommand)]
    Campaign(campaign::CampaignCommand),
    /// Shape the next issue of a digest: pin, drop and hold stories, order them, write.
    Desk(desk::DeskArguments),
    /// Manage the list of subscribers.
    #[command(subcommand)]
    Subscribers(subscribers::Subscribers),
    /// List what is wrong with the installation: sources, digests, mail, the list, the disk, webhooks.
    Alarms(alarms::AlarmOptions),
    /// Give partners the addresses of their private pages.
    #[command(subcommand)]
    Partner(partner::PartnerCommand),
    /// Give programs tokens for the API, and take them back.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// What is needed to sign in under /admin.
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// List the mail that is waiting (since when, and why) and the mail that was refused.
    Queue {
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: ListFormat,
    },
    /// Process returned mail: bounces, complaints and requests to unsubscribe.
    Bounces {
        /// A message or mbox file, a folder of them, - for standard input, imap[s]://USER@HOST/FOLDER, or lmtp.
        #[arg(value_name = "FILE|-|imap://…|lmtp")]
        place: String,
        /// Address and port to listen on for LMTP.
        #[arg(long, default_value = "127.0.0.1:2424")]
        listen: String,
    },
    /// Look at everything that an installation needs: store, disk, clock, mail server, records of the domain, public address.
    Doctor(doctor::DoctorOptions),
    /// Check, copy, back up or restore the store.
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Fetch, publish and send what is due, once: the command for a timer.
    Run,
    /// Run as a service: do the same on schedule, and serve the published folder.
    Serve {
        /// Address and port to listen on.
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: String,
    },
    /// Show what courant reads from a document, and why; nothing is stored.
    Probe(probe::ProbeArguments),
    /// Show what is read at a web address, and add it to the sources in the configuration.
    Add(import_sources::AddSource),
    /// Bring feeds or subscribers of another program, or everything that was exported.
    #[command(subcommand)]
    Import(import_sources::ImportCommand),
    /// Write everything that is stored, or the list of sources, in open formats.
    #[command(subcommand)]
    Export(export::ExportCommand),
    /// List the stored entries.
    Entries {
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: ListFormat,
        /// Only entries of this source.
        #[arg(long, value_name = "ID")]
        source: Option<String>,
        /// Only entries of this topic.
        #[arg(long, value_name = "ID")]
        topic: Option<String>,
        /// Only entries first seen at or after this time.
        #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
        since: Option<Timestamp>,
        /// At most this many, the most recently stored.
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
    /// Group the entries of a file into stories: reads one JSON object a line, prints id, cluster, relation and reason.
    Cluster {
        /// File of JSON lines, or - for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Explain why an entry is in its story, and why similar entries are not.
    Explain {
        /// Id of the entry or the beginning of it, its address, or its guid.
        entry: String,
    },
    /// Put two entries into one story, whatever their texts say.
    Merge {
        /// An entry, as for explain.
        entry: String,
        /// The other entry.
        other: String,
    },
    /// Take an entry out of its story, for good.
    Split {
        /// The entry, as for explain.
        entry: String,
    },
    /// Group all entries into stories again. Nothing is announced a second time.
    Recluster {
        /// Only count the entries that would move.
        #[arg(long)]
        dry_run: bool,
    },
    /// Train and test the model that assigns topics.
    #[command(subcommand)]
    Classify(topics::Classify),
    /// Improve the rules that assign topics.
    #[command(subcommand)]
    Topics(topics::Topics),
    /// Set the topics of an entry by hand; they are kept, and the next model learns from them.
    Label {
        /// The entry, as for explain.
        entry: String,
        /// Ids of its topics.
        #[arg(value_name = "TOPIC", required_unless_present = "forget")]
        topics: Vec<String>,
        /// Drop the topics set by hand: rules and model decide again.
        #[arg(long, conflicts_with = "topics")]
        forget: bool,
    },
    /// Assign topics to all entries again. Nothing is announced a second time.
    Reclassify,
    /// List the sources with their last success, last error, number of entries and next poll.
    Sources {
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: ListFormat,
        /// Only sources whose last reading failed or was not as it should be.
        #[arg(long)]
        broken: bool,
        /// Only sources of this partner.
        #[arg(long, value_name = "NAME")]
        partner: Option<String>,
    },
    /// Print the script by which a shell completes commands and options.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write a manual page for each command.
    Man {
        /// Folder to write to.
        dir: PathBuf,
    },
    /// Run the whole pipeline on bundled example sites; needs no network and no set-up.
    Demo {
        /// Folder to write to.
        #[arg(long, default_value = "courant-demo")]
        dir: PathBuf,
        /// Keep serving the result afterwards.
        #[arg(long)]
        keep_serving: bool,
    },
}

fn parse_time(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "write a time as 2022-10-17T08:00:00Z")
}

impl Command {
    /// How the command ends on a signal.
    pub(super) fn shutdown_mode(&self) -> ShutdownMode {
        match self {
            Command::Fetch { .. } | Command::Publish | Command::Digest { .. } | Command::Run => {
                ShutdownMode::Orderly
            }
            Command::Serve { .. } => ShutdownMode::Own,
            Command::Bounces { place, .. } if place == "lmtp" => ShutdownMode::Own,
            _ => ShutdownMode::AtOnce,
        }
    }
}
