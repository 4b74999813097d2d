//! The time as a value: the system's, or fixed by `--now` so that a run can be replayed.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use jiff::{SignedDuration, Timestamp};

/// Ctrl-C or SIGTERM.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("interrupted: what was done until then is stored")]
pub struct Interrupted;

/// The source of time for commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    System,
    Fixed(Timestamp),
}

impl Clock {
    pub fn now(self) -> Timestamp {
        match self {
            Clock::System => Timestamp::now() + SignedDuration::from_secs(AHEAD.load(Relaxed)),
            Clock::Fixed(now) => now,
        }
    }

    /// The time for leases: always the system's, since other processes compare it with theirs, whatever `--now` says.
    pub fn of_leases() -> Timestamp {
        Clock::System.now()
    }
}

/// By how many seconds the system's clock is taken to be ahead of what it is.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// Sets the clock of this process ahead, as that of a machine may be: for tests of machines that share a store.
pub fn set_ahead(seconds: i64) {
    AHEAD.store(seconds, Relaxed);
}

/// The source of unguessable tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSource {
    /// The system's random numbers.
    System,
}

impl TokenSource {
    /// 160 bits in hexadecimal.
    ///
    /// # Errors
    /// When the system provides no random numbers.
    pub fn token(&self) -> anyhow::Result<String> {
        random::<20>()
    }

    /// 256 bits in hexadecimal, for what is kept as a plain hash.
    ///
    /// # Errors
    /// When the system provides no random numbers.
    pub fn long_token(&self) -> anyhow::Result<String> {
        random::<32>()
    }
}

fn random<const BYTES: usize>() -> anyhow::Result<String> {
    let mut bytes = [0u8; BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("this machine gives no random numbers: {error}"))?;
    Ok(crate::support::text::hex(&bytes))
}
