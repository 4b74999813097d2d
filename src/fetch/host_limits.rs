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
    hosts: Arc<Mutex<HashMap<String, Arc<HostLimit>>>>,
}

#[derive(Debug)]
struct HostLimit {
    places: Arc<Semaphore>,
    /// When the next page may be requested.
    next_page: Mutex<Option<Instant>>,
    /// When a permit was last released.
    released: Mutex<Option<Instant>>,
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
        hosts.entry(host).or_insert_with(new).clone()
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
