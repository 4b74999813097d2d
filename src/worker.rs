//! What is due by the clock, a bounded number at a time, no more than a few to one host.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::model::source::{FetchState, Source};
use crate::refresh::{Outcome, Refresher, Report};

/// Which sources to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    Due,
    All,
    One(String),
}

/// How many at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub concurrency: usize,
    pub per_host: usize,
}

/// Whether a source is to be read now.
pub fn is_due(source: &Source, state: &FetchState, now: Timestamp) -> bool {
    let is_gone = state.next_poll.is_none() && state.last_attempt.is_some();
    source.is_enabled && !is_gone && state.next_poll.is_none_or(|at| at <= now)
}

/// Reads the selected sources; the reports come in the order of the configuration.
///
/// # Errors
/// Only when the store fails: a source that fails is a report.
pub async fn fetch(refresher: &Refresher, sources: &[Source], selection: &Selection, bounds: Bounds, now: Timestamp) -> anyhow::Result<Vec<Report>> {
    let everywhere = Arc::new(Semaphore::new(bounds.concurrency));
    let mut hosts: HashMap<String, Arc<Semaphore>> = HashMap::new();
    let mut tasks = JoinSet::new();
    for (at, source) in selected(refresher, sources, selection, now)?.into_iter().enumerate() {
        let host = source.url.host_str().unwrap_or_default().to_owned();
        let host = hosts.entry(host).or_insert_with(|| Arc::new(Semaphore::new(bounds.per_host))).clone();
        let (refresher, everywhere, source) = (refresher.clone(), everywhere.clone(), source.clone());
        tasks.spawn(async move {
            // The host first: a place among all is not to be held while waiting for a slow host.
            let _host = host.acquire_owned().await;
            let _place = everywhere.acquire_owned().await;
            (at, refresher.refresh(&source, now).await)
        });
    }
    let mut reports = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (at, report) = done?;
        let report = report?;
        match &report.outcome {
            Outcome::Failed(reason) => tracing::warn!(source.id = report.source, reason, "source failed"),
            Outcome::NotModified => tracing::info!(source.id = report.source, "not modified"),
            Outcome::Read { new, changed, unchanged, .. } => tracing::info!(source.id = report.source, new, changed, unchanged, "read"),
        }
        reports.push((at, report));
    }
    reports.sort_by_key(|(at, _)| *at);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

fn selected<'a>(refresher: &Refresher, sources: &'a [Source], selection: &Selection, now: Timestamp) -> anyhow::Result<Vec<&'a Source>> {
    if let Selection::One(id) = selection {
        return Ok(sources.iter().filter(|source| source.id == *id).collect());
    }
    if *selection == Selection::All {
        return Ok(sources.iter().filter(|source| source.is_enabled).collect());
    }
    let mut due = Vec::new();
    for source in sources {
        let state = refresher.store().fetch_state(&source.id)?;
        if is_due(source, &state, now) {
            due.push(source);
        }
    }
    Ok(due)
}
