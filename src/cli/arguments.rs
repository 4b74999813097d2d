//! Command-line arguments.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::{probe, subscribers, topics};
use crate::app::Farewell;

/// Gathers the news of many organisations, publishes one clean feed and mails digests.
#[derive(Debug, Parser)]
#[command(name = "courant", version)]
pub(super) struct Arguments {
    /// The configuration.
    #[arg(long, global = true, default_value = "feeds.toml", value_name = "FILE")]
    pub(super) config: PathBuf,
    /// The time of the whole command, for replays: 2022-10-17T08:00:00Z.
    #[arg(long, global = true, value_name = "RFC3339")]
    pub(super) now: Option<Timestamp>,
    /// More log lines (twice: even more).
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Only errors in the log.
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
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
    Jsonl,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
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
        /// So many at most: those that were stored last.
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
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
    /// How the command ends on a signal.
    pub(super) fn farewell(&self) -> Farewell {
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
