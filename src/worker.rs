//! What is due by the clock, a bounded number at a time, no more than a few to one host.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::model::source::{FetchState, Source};
use crate::refresh::{Refresher, Report};

/// Which sources to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    Due,
    All,
    One(String),
}

/// Kept together in one transaction.
const UNSAVED_MAX: usize = 64;

/// How many at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub concurrency: usize,
    pub per_host: usize,
}

/// What a round of fetching did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// In the order of the configuration.
    pub reports: Vec<Report>,
    /// Stopped before its end; what was read until then is stored.
    pub is_interrupted: bool,
}

/// Whether a source is to be read now.
pub fn is_due(source: &Source, state: Option<&FetchState>, now: Timestamp) -> bool {
    source.is_enabled && state.filter(|state| state.url == source.url.as_str()).is_none_or(|state| !state.is_gone && state.next_poll.is_none_or(|at| at <= now))
}

/// Reads the sources one beside the other, until all are done or `stop` is.
///
/// # Errors
/// Only when the store fails: a source that fails is a report.
pub async fn fetch(
    refresher: &Refresher,
    chosen: Vec<(&Source, FetchState)>,
    bounds: Bounds,
    now: Timestamp,
    stop: impl Future<Output = ()>,
    mut on_done: impl FnMut(&Report),
) -> anyhow::Result<Round> {
    let everywhere = Arc::new(Semaphore::new(bounds.concurrency));
    let mut hosts: HashMap<String, Arc<Semaphore>> = HashMap::new();
    let mut tasks = JoinSet::new();
    for (at, (source, state)) in chosen.into_iter().enumerate() {
        let host = source.url.origin().ascii_serialization();
        let host = hosts.entry(host).or_insert_with(|| Arc::new(Semaphore::new(bounds.per_host))).clone();
        let (refresher, everywhere, source) = (refresher.clone(), everywhere.clone(), source.clone());
        tasks.spawn(async move {
            // The host first: a place among all is not to be held while waiting for a slow host.
            let _host = host.acquire_owned().await;
            let _place = everywhere.acquire_owned().await;
            // On the heap: ten thousand waiting tasks are to be small.
            (at, Box::pin(refresher.refresh(&source, state, now)).await)
        });
    }
    let (mut done, mut unsaved) = (Vec::new(), Vec::new());
    let mut stop = std::pin::pin!(stop);
    let is_interrupted = loop {
        let next = tokio::select! {
            next = tasks.join_next() => next,
            () = &mut stop => break true,
        };
        let Some(next) = next else { break false };
        let (at, report) = next?;
        let (report, left) = report?;
        unsaved.extend(left);
        if unsaved.len() >= UNSAVED_MAX {
            refresher.save(&mut unsaved)?;
        }
        on_done(&report);
        done.push((at, report));
    };
    tasks.shutdown().await;
    refresher.save(&mut unsaved)?;
    done.sort_by_key(|(at, _)| *at);
    Ok(Round { reports: done.into_iter().map(|(_, report)| report).collect(), is_interrupted })
}

/// The sources of a selection, with what is known of them.
///
/// # Errors
/// When the store fails.
pub fn choose<'a>(refresher: &Refresher, sources: &'a [Source], selection: &Selection, now: Timestamp) -> anyhow::Result<Vec<(&'a Source, FetchState)>> {
    let mut states = refresher.store().fetch_states()?;
    let is_chosen = |source: &Source, state: Option<&FetchState>| match selection {
        Selection::One(id) => source.id == *id,
        // A source that the server called gone is asked again only by name.
        Selection::All => source.is_enabled && state.is_none_or(|state| !state.is_gone || state.url != source.url.as_str()),
        Selection::Due => is_due(source, state, now),
    };
    let chosen: Vec<&Source> = sources.iter().filter(|source| is_chosen(source, states.get(&source.id))).collect();
    Ok(chosen.into_iter().map(|source| (source, states.remove(&source.id).unwrap_or_default())).collect())
}
