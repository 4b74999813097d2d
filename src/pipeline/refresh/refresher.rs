//! The context that refreshes share, their jobs, and their reports.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::index::LookupCache;
use crate::classify::Classifier;
use crate::fetch::client::Client;
use crate::fetch::renderer::Renderer;
use crate::model::source::{FetchState, Source};
use crate::normalize::language::LanguageDetector;
use crate::store::{Lease, Store};

/// The outcome of a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceOutcome {
    NotModified,
    Read {
        new: usize,
        changed: usize,
        unchanged: usize,
        joined: Vec<String>,
    },
    Failed(String),
    /// Another process is reading this source, or took it over.
    TakenOver,
}

/// The report on one refresh of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReport {
    pub source: String,
    pub outcome: SourceOutcome,
}

/// The shared context of concurrent refreshes.
#[derive(Clone)]
pub struct Refresher {
    pub client: Client,
    pub renderer: Option<Renderer>,
    /// To mailboxes, where a source is one.
    pub mail_tls: Option<Arc<rustls::ClientConfig>>,
    pub store: Store,
    pub classifier: Arc<Classifier>,
    pub language_detector: Arc<LanguageDetector>,
    /// Bounds of the polling interval, in seconds.
    pub interval_min_seconds: u64,
    pub interval_max_seconds: u64,
    pub robots_locks: OriginLocks,
    /// Limits the number of documents prepared at a time to the number of cores.
    pub cores: Arc<Semaphore>,
    /// What the last unit of work looked up.
    pub memory: Arc<Mutex<LookupCache>>,
}

/// A source to be read, with its stored state.
#[derive(Debug, Clone)]
pub struct Job {
    pub source: Arc<Source>,
    pub state: FetchState,
    /// The lease on its host; `None` for work that nobody else would do, such as a push.
    pub lease: Option<Lease>,
}

/// Number of origins beyond which those that nobody waits for are forgotten.
const ORIGINS_MAX: usize = 1_024;

/// One lock per origin, so that its robots.txt is requested once at a time.
#[derive(Debug, Clone, Default)]
pub struct OriginLocks(Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>);

impl OriginLocks {
    pub(super) fn of(&self, origin: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if locks.len() >= ORIGINS_MAX {
            // Pages name origins as they like.
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        }
        locks.entry(origin.to_owned()).or_default().clone()
    }
}
