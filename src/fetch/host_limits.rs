//! Limits how many requests a host receives at a time, and how far apart. A host is a name with its port.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use url::Url;

/// The gates of all hosts.
#[derive(Debug, Clone)]
pub struct HostLimits {
    per_host: usize,
    hosts: Arc<Mutex<Gates>>,
}

#[derive(Debug, Default)]
struct Gates {
    by_host: HashMap<String, Arc<HostLimit>>,
    /// How many there were after those of no use were last dropped.
    kept: usize,
}

/// Gates that are looked through for those of no use when there are twice as many as the last time.
const GATES_MIN: usize = 512;

impl Gates {
    /// Forgets hosts that nobody is at, and nobody has to wait for: their names may come from strangers.
    fn drop_unused(&mut self) {
        if self.by_host.len() < 2 * self.kept.max(GATES_MIN) {
            return;
        }
        let now = Instant::now();
        self.by_host.retain(|_, gate| Arc::strong_count(gate) > 1 || gate.is_awaited(now));
        self.by_host.shrink_to_fit();
        self.kept = self.by_host.len();
    }
}

#[derive(Debug)]
struct HostLimit {
    places: Arc<Semaphore>,
    /// When the next page may be requested.
    next_page: Mutex<Option<Instant>>,
    /// When a permit was last released.
    released: Mutex<Option<Instant>>,
}

impl HostLimit {
    /// Whether the next request has to wait.
    fn is_awaited(&self, now: Instant) -> bool {
        let next_page = *self.next_page.lock().unwrap_or_else(PoisonError::into_inner);
        let released = *self.released.lock().unwrap_or_else(PoisonError::into_inner);
        next_page.is_some_and(|at| at > now) || released.is_some_and(|at| at + GRACE > now)
    }
}

/// A permit for a host, held during a request.
#[derive(Debug)]
pub struct HostPermit {
    gate: Arc<HostLimit>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// A connection needs a moment after its response before it can be reused; a request made sooner would open another one.
const GRACE: Duration = Duration::from_millis(10);

impl Drop for HostPermit {
    fn drop(&mut self) {
        *self.gate.released.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl HostLimits {
    pub fn new(per_host: usize) -> HostLimits {
        HostLimits { per_host, hosts: Arc::default() }
    }

    fn gate(&self, url: &Url) -> Arc<HostLimit> {
        let host = format!(
            "{}:{}",
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or_default()
        );
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(HostLimit {
                places: Arc::new(Semaphore::new(self.per_host)),
                next_page: Mutex::default(),
                released: Mutex::default(),
            })
        };
        hosts.drop_unused();
        hosts.by_host.entry(host).or_insert_with(new).clone()
    }

    /// Waits for a permit for the host of `url`.
    pub async fn enter(&self, url: &Url) -> HostPermit {
        let gate = self.gate(url);
        // The semaphore is never closed; an error would only mean no limit.
        let permit = gate.places.clone().acquire_owned().await.ok();
        let ready =
            gate.released.lock().unwrap_or_else(PoisonError::into_inner).map(|released| released + GRACE);
        if let Some(ready) = ready.filter(|ready| *ready > Instant::now()) {
            tokio::time::sleep_until(ready).await;
        }
        HostPermit { gate, _permit: permit }
    }

    /// Waits until `delay` has passed since the last page request to this host, in the order of callers.
    pub async fn pace(&self, url: &Url, delay: Duration) {
        let at = {
            let gate = self.gate(url);
            let mut next = gate.next_page.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let at = next.map_or(now, |next| next.max(now));
            *next = Some(at + delay);
            at
        };
        tokio::time::sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hosts_that_nobody_is_at_are_forgotten() {
        let limits = HostLimits::new(1);
        let url = |number: usize| Url::parse(&format!("https://h{number}.example/")).unwrap();
        let held = limits.enter(&url(0)).await;
        limits.pace(&url(1), Duration::from_secs(60)).await;
        for number in 2..20_000 {
            drop(limits.gate(&url(number)));
        }
        let hosts = limits.hosts.lock().unwrap();
        assert!(hosts.by_host.len() <= 2 * GATES_MIN, "{}", hosts.by_host.len());
        for host in ["h0.example:443", "h1.example:443"] {
            assert!(hosts.by_host.contains_key(host), "{host}");
        }
        drop(held);
    }
}
