//! The clients that are connected. When there are too many, of one network or in all, the one that did nothing for the longest
//! time has to go: whoever only holds places cannot keep others out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::guard::network;

/// Connections of one network, unless a quarter of all is less: a reader's browser opens six.
const PER_NETWORK_MAX: usize = 256;

/// How many connections there may be.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// In all.
    pub total: usize,
    /// Networks of proxies, which bring the connections of many.
    pub proxies: Vec<IpNet>,
}

/// The connections.
pub(super) struct Crowd {
    limits: ConnectionLimits,
    started: Instant,
    places: Arc<Semaphore>,
    guests: Mutex<Guests>,
}

#[derive(Default)]
struct Guests {
    next: u64,
    all: HashMap<u64, Arc<Guest>>,
    /// How many there are of each network.
    counts: HashMap<String, usize>,
}

/// A connection.
pub(super) struct Guest {
    network: String,
    /// When something moved last, in milliseconds since the start.
    moved_at: AtomicU64,
    started: Instant,
    /// Cancelled when its place is needed.
    pub(super) end: CancellationToken,
}

impl Guest {
    /// Something was received or sent.
    pub(super) fn moved(&self) {
        self.moved_at
            .store(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// A place, given back when it is dropped.
pub(super) struct Place {
    pub(super) guest: Arc<Guest>,
    number: u64,
    crowd: Arc<Crowd>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.crowd.guests.lock().unwrap_or_else(PoisonError::into_inner).remove(self.number);
    }
}

impl Guests {
    fn remove(&mut self, number: u64) -> Option<Arc<Guest>> {
        let guest = self.all.remove(&number)?;
        if let Some(count) = self.counts.get_mut(&guest.network) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&guest.network);
            }
        }
        Some(guest)
    }

    /// Ends the connection that has been still for the longest time, of all or of one network.
    fn send_away(&mut self, network: Option<&str>) {
        let stillest = self
            .all
            .iter()
            .filter(|(_, guest)| network.is_none_or(|network| guest.network == network))
            .min_by_key(|(number, guest)| (guest.moved_at.load(Ordering::Relaxed), **number));
        if let Some(guest) = stillest.map(|(number, _)| *number).and_then(|number| self.remove(number)) {
            guest.end.cancel();
        }
    }
}

impl Crowd {
    pub(super) fn new(limits: ConnectionLimits) -> Arc<Crowd> {
        let places = Arc::new(Semaphore::new(limits.total));
        Arc::new(Crowd { limits, started: Instant::now(), places, guests: Mutex::default() })
    }

    /// A place for a client, made if there is none.
    pub(super) async fn enter(self: Arc<Crowd>, address: IpAddr) -> Place {
        let mut place = self.clone().register(address);
        // Whoever was sent away is gone in a moment. The semaphore is never closed.
        place.permit = self.places.clone().acquire_owned().await.ok();
        place
    }

    fn register(self: Arc<Crowd>, address: IpAddr) -> Place {
        let is_proxy = self.limits.proxies.iter().any(|network| network.contains(&address.to_canonical()));
        let network = network(address);
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        let own = guests.counts.get(&network).copied().unwrap_or(0);
        if !is_proxy && own >= PER_NETWORK_MAX.min(self.limits.total.div_ceil(4)) {
            guests.send_away(Some(&network));
        } else if guests.all.len() >= self.limits.total {
            guests.send_away(None);
        }
        let number = guests.next;
        guests.next += 1;
        *guests.counts.entry(network.clone()).or_default() += 1;
        let guest = Arc::new(Guest {
            network,
            moved_at: AtomicU64::new(0),
            started: self.started,
            end: CancellationToken::new(),
        });
        guest.moved();
        guests.all.insert(number, guest.clone());
        drop(guests);
        Place { guest, number, crowd: self, permit: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_only_holds_places_makes_room_for_others() {
        let proxies = vec!["127.0.0.0/8".parse().unwrap()];
        let crowd = Crowd::new(ConnectionLimits { total: 8, proxies });
        let enter = |address: &str| crowd.clone().register(address.parse().unwrap());
        // Two of eight are one network's share, and an IPv6 customer has a whole /64.
        let first = enter("2001:db8::1");
        let second = enter("2001:db8::2");
        let other = enter("192.0.2.1");
        let third = enter("2001:db8::3");
        assert!(first.guest.end.is_cancelled());
        assert!(![&second, &third, &other].iter().any(|place| place.guest.end.is_cancelled()));
        // A proxy may have all that is left, and then more.
        let behind: Vec<Place> = (0..5).map(|_| enter("127.0.0.1")).collect();
        assert!(!second.guest.end.is_cancelled());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        second.guest.moved();
        let last = enter("127.0.0.1");
        assert!(other.guest.end.is_cancelled() && !second.guest.end.is_cancelled());
        drop((first, second, third, other, behind, last));
        let guests = crowd.guests.lock().unwrap();
        assert!(guests.all.is_empty() && guests.counts.is_empty());
    }
}
