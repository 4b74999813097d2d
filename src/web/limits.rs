//! Limits in memory: how often a key may ask within a time span, and how much may be under way for it at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Maximum number of keys; when exceeded, expired ones are dropped, then all.
const KEYS_MAX: usize = 100_000;

/// Counts of requests per key.
#[derive(Debug, Default)]
pub struct Limits {
    asked: Mutex<HashMap<String, (Timestamp, u32)>>,
}

impl Limits {
    /// Whether `key` may make another request: at most `times` within `span` of the first.
    pub fn allow(&self, key: String, times: u32, span: SignedDuration, now: Timestamp) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since: Timestamp| now.duration_since(since) >= span || since > now;
        if asked.len() >= KEYS_MAX {
            asked.retain(|_, (since, _)| !is_over(*since));
            if asked.len() >= KEYS_MAX {
                asked.clear();
            }
        }
        let (since, count) = asked.entry(key).or_insert((now, 0));
        if is_over(*since) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= times
    }
}

/// What is under way, by key, and in all.
#[derive(Debug)]
pub(super) struct Shares {
    total: usize,
    held: Mutex<(usize, HashMap<String, usize>)>,
}

/// Something under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    keys: Vec<String>,
}

impl Shares {
    pub(super) fn new(total: usize) -> Shares {
        Shares { total, held: Mutex::default() }
    }

    /// A share of each key, unless one of them has as many as it may have.
    pub(super) fn enter<const N: usize>(self: &Arc<Shares>, keys: [(String, usize); N]) -> Option<Share> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, by_key) = &mut *held;
        let is_full = |(key, most): &(String, usize)| by_key.get(key).is_some_and(|count| count >= most);
        if *all >= self.total || keys.iter().any(is_full) {
            return None;
        }
        *all += 1;
        keys.iter().for_each(|(key, _)| *by_key.entry(key.clone()).or_default() += 1);
        Some(Share { shares: self.clone(), keys: keys.map(|(key, _)| key).into() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.0 -= 1;
        for key in &self.keys {
            if let Some(count) = held.1.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    held.1.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_ask_so_often_and_again_after_a_while() {
        let (limits, hour) = (Limits::default(), SignedDuration::from_hours(1));
        let now: Timestamp = "2022-10-17T08:00:00Z".parse().unwrap();
        assert!(limits.allow("a".into(), 2, hour, now) && limits.allow("a".into(), 2, hour, now));
        assert!(!limits.allow("a".into(), 2, hour, now));
        assert!(limits.allow("b".into(), 2, hour, now));
        assert!(limits.allow("a".into(), 2, hour, now + hour));
    }
}
