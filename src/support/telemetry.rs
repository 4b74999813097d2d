//! Logs, to standard error, and the counters of a service.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tracing_subscriber::EnvFilter;

/// Starts logging; a second start does nothing.
pub fn start(verbosity: u8, is_quiet: bool, as_json: bool) {
    let level = match (is_quiet, verbosity) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    // The parsers of pages complain about every broken tag of the Web; the mail library logs passwords and addresses.
    let filter = EnvFilter::new(format!("{level},html5ever=error,selectors=error,lettre=off"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = if as_json { builder.json().try_init() } else { builder.with_target(false).try_init() };
}

/// Counters of this process, as `/metrics` shows them.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: [AtomicU64; 4],
    cycles: AtomicU64,
    cycles_failed: AtomicU64,
    is_failed: AtomicBool,
    last_cycle_seconds: AtomicU64,
    sent: AtomicU64,
    deferred: AtomicU64,
    refused: AtomicU64,
}

pub static METRICS: Metrics = Metrics {
    requests: [const { AtomicU64::new(0) }; 4],
    cycles: AtomicU64::new(0),
    cycles_failed: AtomicU64::new(0),
    is_failed: AtomicBool::new(false),
    last_cycle_seconds: AtomicU64::new(0),
    sent: AtomicU64::new(0),
    deferred: AtomicU64::new(0),
    refused: AtomicU64::new(0),
};

impl Metrics {
    /// Counts an answer by the class of its status.
    pub fn answered(&self, status: u16) {
        let class = usize::from(status / 100).clamp(2, 5) - 2;
        self.requests[class].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a turn of the pipeline; `at` is in seconds since 1970.
    pub fn turned(&self, is_ok: bool, at: i64) {
        self.cycles.fetch_add(1, Ordering::Relaxed);
        self.cycles_failed.fetch_add(u64::from(!is_ok), Ordering::Relaxed);
        self.is_failed.store(!is_ok, Ordering::Relaxed);
        self.last_cycle_seconds.store(at.max(0).unsigned_abs(), Ordering::Relaxed);
    }

    pub fn last_cycle_failed(&self) -> bool {
        self.is_failed.load(Ordering::Relaxed)
    }

    /// Counts deliveries.
    pub fn delivered(&self, sent: u64, deferred: u64, refused: u64) {
        self.sent.fetch_add(sent, Ordering::Relaxed);
        self.deferred.fetch_add(deferred, Ordering::Relaxed);
        self.refused.fetch_add(refused, Ordering::Relaxed);
    }

    /// Prometheus text format 0.0.4.
    pub fn text(&self) -> String {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut out = String::from("# HELP courant_http_responses_total Answers by the class of their status.\n# TYPE courant_http_responses_total counter\n");
        for (class, counter) in ["2xx", "3xx", "4xx", "5xx"].iter().zip(&self.requests) {
            out.push_str(&format!("courant_http_responses_total{{class=\"{class}\"}} {}\n", of(counter)));
        }
        out.push_str("# HELP courant_deliveries_total Attempts at deliveries by what became of them.\n# TYPE courant_deliveries_total counter\n");
        for (result, counter) in [("sent", &self.sent), ("deferred", &self.deferred), ("refused", &self.refused)] {
            out.push_str(&format!("courant_deliveries_total{{result=\"{result}\"}} {}\n", of(counter)));
        }
        for (name, help, kind, counter) in [
            ("courant_cycles_total", "Turns of the pipeline.", "counter", &self.cycles),
            ("courant_cycles_failed_total", "Turns of the pipeline that failed.", "counter", &self.cycles_failed),
            ("courant_last_cycle_timestamp_seconds", "When the last turn ended.", "gauge", &self.last_cycle_seconds),
        ] {
            out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {}\n", of(counter)));
        }
        out
    }
}
