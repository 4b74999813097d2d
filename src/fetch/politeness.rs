//! When to come again. Pure.

use jiff::{SignedDuration, Timestamp};

use super::client::FetchError;

/// The bounds between two polls of a source, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub interval: u64,
    pub min: u64,
    pub max: u64,
}

/// A time and, in words, why it is that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextPoll {
    /// None: never again.
    pub at: Option<Timestamp>,
    pub reason: String,
}

fn after(now: Timestamp, seconds: u64, reason: String) -> NextPoll {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let at = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    NextPoll { at: Some(at), reason }
}

/// After a success.
pub fn after_success(now: Timestamp, pace: Pace) -> NextPoll {
    after(now, pace.interval.clamp(pace.min, pace.max.max(pace.min)), "the interval of the source".into())
}

/// After a failure: twice the interval for each failure in a row, or as the server asks; both within bounds.
pub fn after_failure(now: Timestamp, pace: Pace, failures: u32, error: &FetchError) -> NextPoll {
    match error {
        FetchError::Gone => NextPoll { at: None, reason: "the server said that the source is gone for good".into() },
        FetchError::Status { retry_after_seconds: Some(seconds), .. } => {
            after(now, (*seconds).clamp(pace.min, pace.max), format!("the server asked us to wait {seconds} s"))
        }
        _ => {
            let doubled = pace.interval.saturating_mul(1 << failures.saturating_sub(1).min(16));
            after(now, doubled.clamp(pace.min, pace.max), format!("{failures} failures in a row"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { interval: 3600, min: 900, max: 7200 };

    fn seconds(next: NextPoll) -> Option<i64> {
        next.at.map(|at| at.as_second())
    }

    #[test]
    fn failures_back_off_up_to_the_cap_and_gone_is_for_good() {
        let now = Timestamp::UNIX_EPOCH;
        let status = |retry_after_seconds| FetchError::Status { status: 503, retry_after_seconds };
        assert_eq!(seconds(after_success(now, PACE)), Some(3600));
        assert_eq!(seconds(after_failure(now, PACE, 1, &status(None))), Some(3600));
        assert_eq!(seconds(after_failure(now, PACE, 2, &status(None))), Some(7200));
        assert_eq!(seconds(after_failure(now, PACE, 40, &status(None))), Some(7200));
        assert_eq!(seconds(after_failure(now, PACE, 1, &status(Some(5)))), Some(900));
        assert_eq!(seconds(after_failure(now, PACE, 1, &FetchError::Gone)), None);
    }
}
