//! The time, as a value: the system's, or one fixed by `--now` so that a run can be replayed.

use jiff::Timestamp;

/// Where commands get the time from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    System,
    Fixed(Timestamp),
}

impl Clock {
    pub fn now(self) -> Timestamp {
        match self {
            Clock::System => Timestamp::now(),
            Clock::Fixed(now) => now,
        }
    }
}
