//! Reads the sources that are due, with bounded concurrency, in total and per host. Hosts are claimed before their sources are
//! read, so that several processes share the work and no server is asked twice.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use crate::model::source::{FetchState, Source};
use crate::pipeline::refresh::{Job, PreparedRefresh, Refresher, SourceOutcome, SourceReport};
use crate::store::{Lease, LeasedResource, StoreError, Unit};
use crate::support::clock::Clock;

/// Which sources to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    Due,
    All,
    One(String),
}

/// Hosts claimed at a time; the rest is left for other processes.
const HOSTS_CLAIMED: usize = 256;
/// Maximum number of refreshes, and of new or changed entries, stored in one unit of work.
const REFRESHES_KEPT: usize = 128;
const ENTRIES_KEPT: usize = 1_000;
/// Interval at which hosts held by other processes are checked.
const HOSTS_PAUSE: Duration = Duration::from_millis(100);
/// Finished refreshes wait at most this long for others; a killed run reads them again.
const KEPT_WITHIN: Duration = Duration::from_millis(500);
/// Longest time by which a feed's skip days can put off a poll: one further ahead was scheduled under a wrong clock.
const SKIPPED_DAYS_MAX: SignedDuration = SignedDuration::from_hours(9 * 24);

/// Limits of concurrency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub concurrency: usize,
    pub per_host: usize,
}

/// The result of a round of fetching.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchReport {
    /// In the order of the configuration.
    pub reports: Vec<SourceReport>,
    /// Stopped early; what was read until then is stored.
    pub is_interrupted: bool,
}

/// Clocks of several machines differ by no more than this.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(30);

/// Whether a source is to be read now.
fn is_due(refresher: &Refresher, source: &Source, state: Option<&FetchState>, now: Timestamp) -> bool {
    let seconds = refresher.interval_max_seconds.max(source.interval_seconds).max(86_400);
    let ahead_max =
        SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX / 4)) + SKIPPED_DAYS_MAX;
    let is_believed = |at: Timestamp| at.duration_since(now) <= ahead_max;
    let is_waiting = |at: Timestamp| at > now && is_believed(at);
    // Whoever attempted it later than now had a clock that was ahead.
    let was_ahead = |state: &&FetchState| state.last_attempt.is_some_and(|at| at > now + CLOCKS_APART);
    source.is_enabled
        && state
            .filter(|state| state.url == source.url.as_str() && !was_ahead(state))
            .is_none_or(|state| !state.is_gone && !state.next_poll.is_some_and(is_waiting))
}

fn is_chosen(
    refresher: &Refresher,
    selection: &Selection,
    source: &Source,
    state: Option<&FetchState>,
    now: Timestamp,
) -> bool {
    // What a mail server hands over is not asked for.
    if source.mail_address().is_some() {
        return false;
    }
    match selection {
        Selection::One(id) => source.id == *id,
        // A source that the server reported as gone is only read by name.
        Selection::All => {
            source.is_enabled && state.is_none_or(|state| !state.is_gone || state.url != source.url.as_str())
        }
        Selection::Due => is_due(refresher, source, state, now),
    }
}

/// Sources of one host, as positions in the configuration.
struct Host {
    name: String,
    sources: Vec<usize>,
    /// The last attempt at each source, if another process held the host when we tried to claim it.
    asked: Option<Vec<Option<Timestamp>>>,
}

/// The hosts of the chosen sources, in the order of the configuration.
fn hosts(
    refresher: &Refresher,
    sources: &[Arc<Source>],
    selection: &Selection,
    now: Timestamp,
) -> anyhow::Result<VecDeque<Host>> {
    // Whether a source is to be read is checked again once its host is claimed; here, only those not due yet are left out.
    let states = if *selection == Selection::Due {
        refresher.store.read(|r| r.sources().states())?
    } else {
        HashMap::new()
    };
    let mut hosts: VecDeque<Host> = VecDeque::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (at, source) in sources
        .iter()
        .enumerate()
        .filter(|(_, source)| is_chosen(refresher, selection, source, states.get(&source.id), now))
    {
        let name = source.url.origin().ascii_serialization();
        let place = *places.entry(name.clone()).or_insert_with(|| {
            hosts.push_back(Host { name, sources: Vec::new(), asked: None });
            hosts.len() - 1
        });
        hosts[place].sources.push(at);
    }
    Ok(hosts)
}

/// A claimed host with its sources still to be read and their states.
type ClaimedHost = (Lease, Vec<(usize, FetchState)>);

/// The result of trying to claim hosts.
#[derive(Default)]
struct Claims {
    claimed: Vec<ClaimedHost>,
    /// Hosts held by other processes.
    elsewhere: Vec<Host>,
    /// Sources that another process read while we waited for their host.
    read: Vec<usize>,
}

/// The states of the sources of some hosts.
struct HostStates(HashMap<String, FetchState>);

impl HostStates {
    fn of<A>(unit: &Unit<A>, sources: &[Arc<Source>], hosts: &[Host]) -> Result<HostStates, StoreError> {
        let ids: Vec<&str> =
            hosts.iter().flat_map(|host| &host.sources).map(|at| sources[*at].id.as_str()).collect();
        Ok(HostStates(if ids.is_empty() { HashMap::new() } else { unit.sources().states_of(&ids)? }))
    }

    fn take(&mut self, source: &Source) -> FetchState {
        self.0.remove(&source.id).unwrap_or_default()
    }

    fn last_attempt(&self, source: &Source) -> Option<Timestamp> {
        self.0.get(&source.id)?.last_attempt
    }
}

/// What hosts are claimed for.
struct Claimant<'a> {
    refresher: &'a Refresher,
    sources: &'a [Arc<Source>],
    selection: &'a Selection,
    now: Timestamp,
}

impl Claimant<'_> {
    /// Claims hosts, and checks again which sources to read: another process may just have read them. What others hold or have
    /// read is only looked at, since each of many processes asks for all hosts.
    fn claim(&self, hosts: Vec<Host>) -> anyhow::Result<Claims> {
        let mut claims = Claims::default();
        let free = self.free(hosts, &mut claims)?;
        if free.is_empty() {
            return Ok(claims);
        }
        let store = &self.refresher.store;
        let names: Vec<String> = free.iter().map(|host| host.name.clone()).collect();
        store.write(|w| {
            let got = w.leases().claim(LeasedResource::Host, &names, store.worker(), store.lease_time())?;
            let mut leases: HashMap<String, Lease> =
                got.into_iter().map(|lease| (lease.id.clone(), lease)).collect();
            let mut states = HostStates::of(w, self.sources, &free)?;
            let mut unneeded = Vec::new();
            for host in free {
                let Some(lease) = leases.remove(&host.name) else {
                    claims.elsewhere.push(self.asked(host, &states));
                    continue;
                };
                let jobs = self.jobs(&host, &mut states, &mut claims.read);
                if jobs.is_empty() {
                    unneeded.push(lease);
                } else {
                    claims.claimed.push((lease, jobs));
                }
            }
            w.leases().settle(&unneeded.iter().collect::<Vec<_>>(), store.worker())?;
            Ok::<_, StoreError>(())
        })?;
        Ok(claims)
    }

    /// The hosts that may be claimed.
    fn free(&self, hosts: Vec<Host>, claims: &mut Claims) -> anyhow::Result<Vec<Host>> {
        let store = &self.refresher.store;
        let (held, states) = store.read(|r| {
            let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
            let held = r.leases().held_elsewhere(
                LeasedResource::Host,
                &names,
                store.worker(),
                store.lease_time(),
            )?;
            // What was never asked for and is free is looked at once it is claimed.
            let is_first = held.is_empty() && hosts.iter().all(|host| host.asked.is_none());
            let states = HostStates::of(r, self.sources, if is_first { &[] } else { &hosts })?;
            Ok::<_, StoreError>((held, states))
        })?;
        let mut free = Vec::new();
        for host in hosts {
            let is_read =
                |(at, asked): (&usize, &Option<Timestamp>)| *asked != states.last_attempt(&self.sources[*at]);
            if held.contains(&host.name) {
                claims.elsewhere.push(self.asked(host, &states));
            } else if host.asked.as_ref().is_some_and(|asked| host.sources.iter().zip(asked).all(is_read)) {
                claims.read.extend(host.sources);
            } else {
                free.push(host);
            }
        }
        Ok(free)
    }

    /// A host held by another process, with what is known of its sources at the first time.
    fn asked(&self, mut host: Host, states: &HostStates) -> Host {
        let attempt = |at: &usize| states.last_attempt(&self.sources[*at]);
        host.asked.get_or_insert_with(|| host.sources.iter().map(attempt).collect());
        host
    }

    /// The sources of a claimed host that are still to be read. Even sources read regardless of the schedule are not read by two
    /// processes at a time.
    fn jobs(&self, host: &Host, states: &mut HostStates, read: &mut Vec<usize>) -> Vec<(usize, FetchState)> {
        let mut jobs = Vec::new();
        for (n, at) in host.sources.iter().enumerate() {
            let state = states.take(&self.sources[*at]);
            let is_read = host.asked.as_ref().is_some_and(|asked| asked[n] != state.last_attempt);
            match is_chosen(self.refresher, self.selection, &self.sources[*at], Some(&state), self.now) {
                true if !is_read => jobs.push((*at, state)),
                _ if host.asked.is_some() => read.push(*at),
                _ => {}
            }
        }
        jobs
    }
}

/// Reports with the positions of their sources in the configuration.
type Reports = Vec<(usize, SourceReport)>;

/// One round of fetching.
struct FetchRound<'a, F> {
    refresher: &'a Refresher,
    clock: Clock,
    per_host: usize,
    everywhere: Arc<Semaphore>,
    /// Tasks with their overall permit: a finished refresh takes up memory until it is collected.
    tasks: JoinSet<(usize, anyhow::Result<PreparedRefresh>, OwnedSemaphorePermit)>,
    /// Number of sources of each claimed host not stored yet.
    left: HashMap<Lease, usize>,
    /// Finished refreshes waiting to be stored.
    waiting: Vec<(usize, PreparedRefresh)>,
    /// In a replay, the sources not stored yet: they are stored in the order of the configuration, whatever answers first.
    order: Option<BTreeSet<usize>>,
    /// Whether hosts are left to claim.
    has_more: bool,
    /// Whether other processes held all hosts that were asked for last.
    is_held: bool,
    keeping: Option<JoinHandle<anyhow::Result<Reports>>>,
    /// Leases released by the unit of work under way.
    releasing: Vec<Lease>,
    reports: Reports,
    on_done: F,
}

/// Reads the chosen sources concurrently, until all are done or `stop` completes.
///
/// # Errors
/// Only when the store fails: a source that fails is a report.
pub async fn fetch(
    refresher: &Refresher,
    sources: &[Arc<Source>],
    selection: &Selection,
    bounds: Bounds,
    clock: Clock,
    stop: impl Future<Output = ()>,
    on_done: impl FnMut(&SourceReport),
) -> anyhow::Result<FetchReport> {
    let mut hosts = hosts(refresher, sources, selection, clock.now())?;
    let mut fetching = FetchRound {
        refresher,
        clock,
        per_host: bounds.per_host,
        everywhere: Arc::new(Semaphore::new(bounds.concurrency)),
        tasks: JoinSet::new(),
        left: HashMap::new(),
        waiting: Vec::new(),
        order: matches!(clock, Clock::Fixed(_))
            .then(|| hosts.iter().flat_map(|host| host.sources.iter().copied()).collect()),
        has_more: !hosts.is_empty(),
        is_held: false,
        keeping: None,
        releasing: Vec::new(),
        reports: Vec::new(),
        on_done,
    };
    let ended = fetching.run(sources, selection, &mut hosts, bounds.concurrency, stop).await;
    // Whatever failed, finished refreshes are stored and no host stays leased.
    let kept = fetching.end().await;
    let is_interrupted = ended?;
    kept?;
    fetching.reports.sort_by_key(|(at, _)| *at);
    Ok(FetchReport {
        reports: fetching.reports.into_iter().map(|(_, report)| report).collect(),
        is_interrupted,
    })
}

impl<F: FnMut(&SourceReport)> FetchRound<'_, F> {
    /// Claims hosts and begins to read them; returns those that other processes are reading.
    fn claim_some(
        &mut self,
        sources: &[Arc<Source>],
        selection: &Selection,
        some: Vec<Host>,
    ) -> anyhow::Result<Vec<Host>> {
        let asked: Vec<usize> = some.iter().flat_map(|host| host.sources.iter().copied()).collect();
        let claimant = Claimant { refresher: self.refresher, sources, selection, now: self.clock.now() };
        let claims = claimant.claim(some)?;
        self.is_held = claims.claimed.is_empty() && claims.read.is_empty();
        if let Some(order) = &mut self.order {
            // What another process reads is not waited for.
            asked.iter().for_each(|at| _ = order.remove(at));
            order.extend(claims.claimed.iter().flat_map(|(_, jobs)| jobs.iter().map(|(at, _)| *at)));
        }
        claims.claimed.into_iter().for_each(|(lease, jobs)| self.begin(sources, &lease, jobs));
        for at in claims.read {
            let source = sources[at].id.clone();
            self.report(at, SourceReport { source, outcome: SourceOutcome::TakenOver });
        }
        Ok(claims.elsewhere)
    }

    /// Claims and reads until everything is done; returns whether `stop` ended it. Waits for hosts that other processes are
    /// reading, so that publishing or mailing afterwards includes their results.
    async fn run(
        &mut self,
        sources: &[Arc<Source>],
        selection: &Selection,
        hosts: &mut VecDeque<Host>,
        concurrency: usize,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<bool> {
        let mut stop = std::pin::pin!(stop);
        let mut elsewhere: VecDeque<Host> = VecDeque::new();
        loop {
            self.has_more = !hosts.is_empty();
            while !hosts.is_empty() && self.tasks.len() < 2 * concurrency && !self.has_enough() {
                let some: Vec<Host> = hosts.drain(..hosts.len().min(HOSTS_CLAIMED)).collect();
                self.has_more = !hosts.is_empty();
                elsewhere.extend(self.claim_some(sources, selection, some)?);
            }
            tokio::select! {
                is_at_work = self.step() => {
                    if is_at_work? || !hosts.is_empty() {
                        continue;
                    }
                }
                () = &mut stop => return Ok(true),
            }
            if elsewhere.is_empty() {
                return Ok(false);
            }
            // Others read in the same order: while the first hosts are theirs, so are those behind.
            if self.is_held {
                tokio::select! {
                    () = tokio::time::sleep(HOSTS_PAUSE) => {}
                    () = &mut stop => return Ok(true),
                }
                self.refresher.store.release_dead_workers()?;
            }
            hosts.extend(elsewhere.drain(..elsewhere.len().min(HOSTS_CLAIMED)));
        }
    }

    fn begin(&mut self, sources: &[Arc<Source>], lease: &Lease, jobs: Vec<(usize, FetchState)>) {
        let host = Arc::new(Semaphore::new(self.per_host));
        self.left.insert(lease.clone(), jobs.len());
        for (at, state) in jobs {
            let (refresher, everywhere, host, clock) =
                (self.refresher.clone(), self.everywhere.clone(), host.clone(), self.clock);
            let job = Job { source: sources[at].clone(), state, lease: Some(lease.clone()) };
            self.tasks.spawn(async move {
                // The host's permit first, so that no overall permit is held while waiting for a slow host.
                let _host = host.acquire_owned().await;
                let Ok(place) = everywhere.acquire_owned().await else { std::future::pending().await };
                // On the heap, so that thousands of waiting tasks stay small.
                (at, Box::pin(refresher.refresh(job, clock.now())).await, place)
            });
        }
    }

    /// Waits for the next event; `false` if nothing is under way any more.
    async fn step(&mut self) -> anyhow::Result<bool> {
        let ready = self.ready();
        let is_enough =
            self.tasks.is_empty() || ready >= REFRESHES_KEPT || self.weight() >= ENTRIES_KEPT && ready > 0;
        if self.keeping.is_none() && ready > 0 && is_enough {
            self.keep();
        }
        if self.tasks.is_empty() && self.keeping.is_none() {
            return Ok(false);
        }
        let is_waiting = self.ready() > 0;
        // In a replay, the source that is to be stored next may be under way.
        let is_full = self.is_full() && self.is_storing();
        tokio::select! {
            Some(done) = self.tasks.join_next(), if !is_full => {
                let (at, prepared, _place) = done?;
                self.waiting.push((at, prepared?));
            }
            kept = async { self.keeping.as_mut().expect("it is asked only where it is").await }, if self.keeping.is_some() => {
                self.keeping = None;
                self.report_all(kept??);
                for lease in self.releasing.drain(..) {
                    self.left.remove(&lease);
                }
            }
            () = tokio::time::sleep(KEPT_WITHIN), if is_waiting && self.keeping.is_none() => self.keep(),
        }
        Ok(true)
    }

    /// The number of refreshes that can be stored; they are made the first of those that wait.
    fn ready(&mut self) -> usize {
        let Some(order) = &self.order else { return self.waiting.len() };
        self.waiting.sort_by_key(|(at, _)| *at);
        // When nothing is under way any more, nothing is to be waited for.
        if self.tasks.is_empty() && !self.has_more {
            return self.waiting.len();
        }
        self.waiting.iter().zip(order).take_while(|((at, _), next)| at == *next).count()
    }

    /// Whether as many refreshes wait as are stored in two units of work.
    fn is_full(&self) -> bool {
        self.waiting.len() >= 2 * REFRESHES_KEPT || self.weight() >= 2 * ENTRIES_KEPT
    }

    /// Whether something is being stored, or can be.
    fn is_storing(&mut self) -> bool {
        self.keeping.is_some() || self.ready() > 0
    }

    /// Whether no more hosts are needed now: in a replay, the source that is to be stored next may be of one not claimed yet.
    fn has_enough(&mut self) -> bool {
        self.is_full() && (!self.tasks.is_empty() || self.is_storing())
    }

    /// The number of new or changed entries waiting to be stored.
    fn weight(&self) -> usize {
        self.waiting.iter().map(|(_, prepared)| prepared.weight()).sum()
    }

    /// Starts to store what is waiting, on a thread of its own; refreshes go on meanwhile.
    fn keep(&mut self) {
        let mut weight = 0;
        let fits = |(_, prepared): &&(usize, PreparedRefresh)| {
            weight += prepared.weight();
            weight <= ENTRIES_KEPT
        };
        // One that exceeds the limit is stored alone.
        let ready = self.ready();
        let count = self.waiting.iter().take(REFRESHES_KEPT.min(ready)).take_while(fits).count().max(1);
        let (places, batch): (Vec<usize>, Vec<PreparedRefresh>) = self.waiting.drain(..count).unzip();
        if let Some(order) = &mut self.order {
            places.iter().for_each(|at| _ = order.remove(at));
        }
        let mut done = Vec::new();
        for lease in batch.iter().filter_map(|prepared| prepared.lease.as_ref()) {
            let Some(left) = self.left.get_mut(lease) else { continue };
            *left -= 1;
            if *left == 0 {
                done.push(lease.clone());
            }
        }
        self.releasing.clone_from(&done);
        let refresher = self.refresher.clone();
        self.keeping = Some(tokio::task::spawn_blocking(move || {
            Ok(places.into_iter().zip(refresher.keep(&batch, &done)?).collect())
        }));
    }

    fn report_all(&mut self, reports: Reports) {
        for (at, report) in reports {
            self.report(at, report);
        }
    }

    fn report(&mut self, at: usize, report: SourceReport) {
        (self.on_done)(&report);
        self.reports.push((at, report));
    }

    /// Ends what is under way, stores what is finished, and releases the rest.
    async fn end(&mut self) -> anyhow::Result<()> {
        self.tasks.abort_all();
        self.has_more = false;
        // Refreshes finished when told to stop are worth storing; the others are read again.
        while let Some(done) = self.tasks.join_next().await {
            if let Ok((at, Ok(prepared), _)) = done {
                self.waiting.push((at, prepared));
            }
        }
        let kept = self.keep_rest().await;
        let worker = self.refresher.store.worker();
        let left: Vec<Lease> = self.left.drain().map(|(lease, _)| lease).collect();
        if !left.is_empty() {
            self.refresher.store.write(|w| w.leases().settle(&left.iter().collect::<Vec<_>>(), worker))?;
        }
        kept
    }

    async fn keep_rest(&mut self) -> anyhow::Result<()> {
        while self.step().await? {}
        Ok(())
    }
}
