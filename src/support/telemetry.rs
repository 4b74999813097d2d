//! Logs on standard error, and the metrics of a service.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;

use super::terminal::LogWriter;

/// Starts logging; calling it again has no effect. Colours are for people at a terminal.
pub fn start(verbosity: u8, is_quiet: bool, as_json: bool, has_colours: bool) {
    let level = match (is_quiet, verbosity) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    // HTML parsers complain about every broken tag; the mail library logs passwords and addresses.
    let filter = EnvFilter::new(format!("{level},html5ever=error,selectors=error,lettre=off"));
    let writer = move || LogWriter { has_colours };
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(has_colours);
    let _ = if as_json { builder.json().try_init() } else { builder.with_target(false).try_init() };
}

const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];
const RESULTS: [&str; 3] = ["sent", "deferred", "refused"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabel {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: String,
}

/// Current quantities in the store.
#[derive(Debug, Default)]
pub struct Gauges {
    pub sources_ok: u64,
    pub sources_failing: u64,
    /// The key of the last entry.
    pub entries_last: u64,
    pub stories: u64,
    /// Counts by state.
    pub subscribers: Vec<(String, u64)>,
    pub deliveries: Vec<(String, u64)>,
}

/// When the work of a service last got on.
#[derive(Debug)]
pub struct Pulse(Mutex<Instant>);

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse(Mutex::new(Instant::now()))
    }
}

impl Pulse {
    /// Something was done.
    pub fn beat(&self) {
        self.set(Instant::now());
    }

    /// All is done, and for so long nothing will be.
    pub fn rest(&self, pause: Duration) {
        self.set(Instant::now() + pause);
    }

    fn set(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// How long nothing has been done that should have been.
    pub fn silence(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// The metrics of a process, in Prometheus format.
pub struct Metrics {
    pub pulse: Pulse,
    registry: Registry,
    responses: Family<ClassLabel, Counter>,
    cycles: Counter,
    cycles_failed: Counter,
    is_failed: AtomicBool,
    last_cycle: Gauge,
    sent: Family<ResultLabel, Counter>,
    sources: Family<StateLabel, Gauge>,
    entries_last: Gauge,
    stories: Gauge,
    subscribers: Family<StateLabel, Gauge>,
    deliveries: Family<StateLabel, Gauge>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut metrics = Metrics {
            pulse: Pulse::default(),
            registry: Registry::with_prefix("courant"),
            responses: Family::default(),
            cycles: Counter::default(),
            cycles_failed: Counter::default(),
            is_failed: AtomicBool::new(false),
            last_cycle: Gauge::default(),
            sent: Family::default(),
            sources: Family::default(),
            entries_last: Gauge::default(),
            stories: Gauge::default(),
            subscribers: Family::default(),
            deliveries: Family::default(),
        };
        metrics.register_all();
        // Counters start at 0 instead of being absent.
        for class in CLASSES {
            drop(metrics.responses.get_or_create(&ClassLabel { class }));
        }
        for result in RESULTS {
            drop(metrics.sent.get_or_create(&ResultLabel { result }));
        }
        metrics
    }
}

impl Metrics {
    /// Registers each metric with its name and help text.
    fn register_all(&mut self) {
        // The library appends "_total" to the name of a counter, and a full stop to its help text.
        let registry = &mut self.registry;
        registry.register("http_responses", "Responses by the class of their status", self.responses.clone());
        registry.register("cycles", "Cycles of fetching, publishing and mailing", self.cycles.clone());
        registry.register("cycles_failed", "Cycles that failed", self.cycles_failed.clone());
        registry.register(
            "last_cycle_timestamp_seconds",
            "When the last cycle ended, in seconds since 1970",
            self.last_cycle.clone(),
        );
        registry.register("delivery_attempts", "Attempts at deliveries by their result", self.sent.clone());
        registry.register("sources", "Enabled sources by state", self.sources.clone());
        registry.register("entries_last", "The number of the last entry", self.entries_last.clone());
        registry.register("stories", "Stories in the merged feed and its archives", self.stories.clone());
        registry.register("subscribers", "Subscribers by state", self.subscribers.clone());
        registry.register("deliveries", "Stored deliveries by state", self.deliveries.clone());
    }

    /// Counts a response by its status class.
    pub fn answered(&self, status: u16) {
        let class = CLASSES[usize::from(status / 100).clamp(2, 5) - 2];
        self.responses.get_or_create(&ClassLabel { class }).inc();
    }

    /// Counts a cycle and records its end, in seconds since 1970.
    pub fn cycle_ended(&self, is_ok: bool, at: i64) {
        self.cycles.inc();
        self.cycles_failed.inc_by(u64::from(!is_ok));
        self.is_failed.store(!is_ok, Ordering::Relaxed);
        self.last_cycle.set(at);
    }

    pub fn last_cycle_failed(&self) -> bool {
        self.is_failed.load(Ordering::Relaxed)
    }

    /// Counts delivery attempts.
    pub fn delivered(&self, sent: u64, deferred: u64, refused: u64) {
        for (result, count) in RESULTS.into_iter().zip([sent, deferred, refused]) {
            self.sent.get_or_create(&ResultLabel { result }).inc_by(count);
        }
    }

    /// All metrics in the OpenMetrics text format 1.0.
    ///
    /// # Errors
    /// When memory is exhausted.
    pub fn text(&self, levels: &Gauges) -> Result<String, std::fmt::Error> {
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let put = |family: &Family<StateLabel, Gauge>, rows: &[(String, u64)]| {
            family.clear();
            for (state, count) in rows {
                family.get_or_create(&StateLabel { state: state.clone() }).set(gauge(*count));
            }
        };
        put(
            &self.sources,
            &[("ok".to_owned(), levels.sources_ok), ("failing".to_owned(), levels.sources_failing)],
        );
        put(&self.subscribers, &levels.subscribers);
        put(&self.deliveries, &levels.deliveries);
        self.entries_last.set(gauge(levels.entries_last));
        self.stories.set(gauge(levels.stories));
        let mut out = String::new();
        encode(&mut out, &self.registry)?;
        Ok(out)
    }
}
