//! Decides when to poll a source again. Pure.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::client::FetchError;
use crate::model::feed::PollHints;
use crate::model::source::NewsRhythm;

/// Failing sources are polled at least daily, or at a longer interval of their own, until they have failed this often in a row.
const DAILY_FAILURES_MAX: u32 = 21;
const DAY_SECONDS: u64 = 86_400;
/// A source silent for longer is polled less often.
const QUIET_SECONDS: u64 = 7 * DAY_SECONDS;
/// Factors by which a source's own rhythm may change its configured interval, either way.
const SLOWER_MAX: u64 = 4;
const FASTER_MAX: u64 = 2;

/// The bounds of a source's polling interval, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollBounds {
    pub interval: u64,
    pub min: u64,
    pub max: u64,
    /// The interval was configured for this very source, so its rhythm does not change it.
    pub is_fixed: bool,
}

impl PollBounds {
    fn bounded(self, seconds: u64) -> u64 {
        seconds.clamp(self.min, self.max.max(self.min))
    }
}

/// Hints in the last response.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServerHints<'a> {
    /// `max-age` or `Expires`, in seconds.
    pub fresh_seconds: Option<u64>,
    pub hints: Option<&'a PollHints>,
    /// `Crawl-delay`, in seconds.
    pub crawl_delay_seconds: Option<u64>,
    /// News is pushed to us (WebSub), so that polling is only a safety net.
    pub is_pushed: bool,
}

/// The time of the next poll and, in words, the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextPoll {
    /// `None`: never again.
    pub at: Option<Timestamp>,
    pub reason: String,
}

fn later(now: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// After a success: the interval of the source, or longer if the server or the feed asks for it.
pub fn after_success(now: Timestamp, pace: PollBounds, rhythm: &NewsRhythm, asked: ServerHints) -> NextPoll {
    let (interval, why) = own_interval(now, pace, rhythm);
    let update_seconds = asked.hints.and_then(PollHints::update_seconds);
    let ttl_seconds = asked.hints.and_then(|hints| hints.ttl_minutes).map(|minutes| u64::from(minutes) * 60);
    let wishes = [
        (Some(interval), why),
        (asked.fresh_seconds, "the server says that its answer stays fresh so long"),
        (ttl_seconds, "the feed's ttl asks for it"),
        (update_seconds, "the feed says how often it is updated (sy:updatePeriod)"),
        (asked.crawl_delay_seconds, "robots.txt asks for it (Crawl-delay)"),
        (asked.is_pushed.then_some(DAY_SECONDS), "news is pushed to us (WebSub)"),
    ];
    let (seconds, why) = wishes
        .into_iter()
        .filter_map(|(seconds, why)| Some((pace.bounded(seconds?), why)))
        .rev()
        .max_by_key(|(seconds, _)| *seconds)
        .unwrap_or((pace.interval, why));
    let at = later(now, seconds);
    match asked.hints.map_or(at, |hints| outside_of_skipped(at, hints)) {
        moved if moved > at => NextPoll {
            at: Some(moved),
            reason: "the feed names hours or days to stay away (skipHours, skipDays)".into(),
        },
        at => NextPoll { at: Some(at), reason: why.into() },
    }
}

/// The configured interval, adapted to how often the source really publishes.
fn own_interval(now: Timestamp, pace: PollBounds, rhythm: &NewsRhythm) -> (u64, &'static str) {
    let configured = (pace.interval, "the interval of the source");
    if pace.is_fixed {
        return configured;
    }
    let quiet = rhythm
        .news_at
        .or(rhythm.since)
        .map_or(0, |since| u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0));
    if quiet > QUIET_SECONDS {
        // Twice the interval after two silent weeks, four times after four.
        let slower = pace.interval.saturating_mul((quiet / QUIET_SECONDS).clamp(1, SLOWER_MAX));
        return (
            slower.min(pace.interval.max(DAY_SECONDS)),
            "the source has been silent for more than a week",
        );
    }
    match rhythm.news_gap_seconds {
        Some(gap) if rhythm.news_count >= 5 && gap / 2 < pace.interval => {
            ((gap / 2).max(pace.interval / FASTER_MAX), "the source publishes often")
        }
        _ => configured,
    }
}

/// The first hour at or after `at` that is not excluded by skipHours or skipDays (UTC).
fn outside_of_skipped(at: Timestamp, hints: &PollHints) -> Timestamp {
    let is_skipped = |time: Timestamp| {
        let time = time.to_zoned_datetime(TimeZone::UTC);
        let day = day_name(time.weekday());
        hints.skip_hours.contains(&time.hour().unsigned_abs())
            || hints.skip_days.iter().any(|name| name.trim().eq_ignore_ascii_case(day))
    };
    if !is_skipped(at) {
        return at;
    }
    let hour = at.as_second().div_euclid(3600);
    let hours = (1..=8 * 24).filter_map(|hours| Timestamp::from_second((hour + hours) * 3600).ok());
    // A feed that excludes every hour of the week makes no sense.
    hours.into_iter().find(|time| !is_skipped(*time)).unwrap_or(at)
}

fn day_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

/// After a failure: doubled for each failure in a row, or as the server asks, within bounds.
pub fn after_failure(
    now: Timestamp,
    pace: PollBounds,
    failures: u32,
    error: Option<&FetchError>,
) -> NextPoll {
    let is_unwelcome = match error {
        Some(FetchError::Gone) => {
            return NextPoll { at: None, reason: "the server said that the source is gone for good".into() };
        }
        Some(FetchError::Status { retry_after_seconds: Some(seconds), .. }) => {
            let wait = pace.bounded((*seconds).max(pace.interval));
            return NextPoll {
                at: Some(later(now, wait)),
                reason: format!("the server asked us to wait {seconds} s"),
            };
        }
        Some(FetchError::Status { status, .. }) => matches!(status, 401 | 403 | 429),
        _ => false,
    };
    // A server that rejects us is left alone for longer from the first time.
    let doublings = failures.saturating_sub(u32::from(!is_unwelcome)).min(16);
    let cap =
        if failures > DAILY_FAILURES_MAX { pace.max } else { pace.max.min(DAY_SECONDS.max(pace.interval)) };
    let wait = pace.bounded(pace.interval.saturating_mul(1 << doublings).min(cap));
    let times =
        if failures == 1 { "one failure".to_owned() } else { format!("{failures} failures in a row") };
    NextPoll { at: Some(later(now, wait)), reason: times }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;
    const PACE: PollBounds = PollBounds { interval: HOUR, min: 900, max: 7 * DAY_SECONDS, is_fixed: false };

    fn now() -> Timestamp {
        "2022-10-20T08:00:00Z".parse().unwrap()
    }

    fn wait(next: NextPoll) -> Option<u64> {
        next.at.map(|at| at.duration_since(now()).as_secs().unsigned_abs())
    }

    fn after(asked: ServerHints) -> Option<u64> {
        wait(after_success(now(), PACE, &NewsRhythm::default(), asked))
    }

    #[test]
    fn the_longest_wish_counts_within_bounds() {
        assert_eq!(after(ServerHints::default()), Some(HOUR));
        assert_eq!(
            after(ServerHints { fresh_seconds: Some(3 * HOUR), ..ServerHints::default() }),
            Some(3 * HOUR)
        );
        assert_eq!(after(ServerHints { fresh_seconds: Some(1), ..ServerHints::default() }), Some(HOUR));
        assert_eq!(
            after(ServerHints { fresh_seconds: Some(u64::MAX), ..ServerHints::default() }),
            Some(7 * DAY_SECONDS),
            "an absurd max-age is capped at a week"
        );
        let hints = PollHints {
            ttl_minutes: Some(120),
            update_period_seconds: Some(DAY_SECONDS),
            update_frequency: Some(4),
            ..PollHints::default()
        };
        assert_eq!(after(ServerHints { hints: Some(&hints), ..ServerHints::default() }), Some(6 * HOUR));
        assert_eq!(after(ServerHints { is_pushed: true, ..ServerHints::default() }), Some(24 * HOUR));
        let eager = PollBounds { interval: 1, ..PACE };
        assert_eq!(
            wait(after_success(now(), eager, &NewsRhythm::default(), ServerHints::default())),
            Some(900),
            "the floor"
        );
    }

    #[test]
    fn skipped_hours_and_days_are_waited_out() {
        let hints = PollHints { skip_hours: vec![9, 10], ..PollHints::default() };
        assert_eq!(after(ServerHints { hints: Some(&hints), ..ServerHints::default() }), Some(3 * HOUR));
        // 20 October 2022 is a Thursday.
        let hints = PollHints { skip_days: vec!["thursday".into(), "Friday".into()], ..PollHints::default() };
        assert_eq!(after(ServerHints { hints: Some(&hints), ..ServerHints::default() }), Some(40 * HOUR));
        let hints = PollHints { skip_hours: (0..24).collect(), ..PollHints::default() };
        assert_eq!(
            after(ServerHints { hints: Some(&hints), ..ServerHints::default() }),
            Some(HOUR),
            "forbidding every hour forbids none"
        );
    }

    #[test]
    fn the_rhythm_of_the_source_bends_its_interval() {
        let quiet = |days: i64| NewsRhythm {
            news_at: Some(now() - SignedDuration::from_hours(24 * days)),
            ..NewsRhythm::default()
        };
        let wait_of =
            |rhythm: &NewsRhythm, pace| wait(after_success(now(), pace, rhythm, ServerHints::default()));
        assert_eq!(wait_of(&quiet(3), PACE), Some(HOUR));
        assert_eq!(wait_of(&quiet(15), PACE), Some(2 * HOUR));
        assert_eq!(wait_of(&quiet(300), PACE), Some(4 * HOUR));
        assert_eq!(wait_of(&quiet(300), PollBounds { is_fixed: true, ..PACE }), Some(HOUR));
        let busy =
            NewsRhythm { news_at: Some(now()), news_gap_seconds: Some(1800), news_count: 9, since: None };
        assert_eq!(wait_of(&busy, PACE), Some(HOUR / 2));
        assert_eq!(wait_of(&NewsRhythm { news_count: 2, ..busy }, PACE), Some(HOUR));
    }

    #[test]
    fn failures_back_off_up_to_a_cap_and_gone_is_for_good() {
        let status = |status, retry_after_seconds| FetchError::Status { status, retry_after_seconds };
        let waits = |error: FetchError| {
            (1..=8)
                .map(|failures| wait(after_failure(now(), PACE, failures, Some(&error))).unwrap() / HOUR)
                .collect::<Vec<_>>()
        };
        assert_eq!(waits(status(500, None)), [1, 2, 4, 8, 16, 24, 24, 24]);
        assert_eq!(waits(status(404, None)), [1, 2, 4, 8, 16, 24, 24, 24]);
        assert_eq!(waits(status(429, None))[..3], [2, 4, 8]);
        assert_eq!(waits(status(403, None))[..3], [2, 4, 8]);
        assert_eq!(waits(status(503, Some(5 * HOUR)))[..3], [5, 5, 5]);
        assert_eq!(wait(after_failure(now(), PACE, 1, Some(&status(429, Some(60))))), Some(HOUR));
        assert_eq!(
            wait(after_failure(now(), PACE, 1, Some(&status(503, Some(u64::MAX))))),
            Some(7 * DAY_SECONDS)
        );
        assert_eq!(wait(after_failure(now(), PACE, 40, Some(&status(404, None)))), Some(7 * DAY_SECONDS));
        assert_eq!(wait(after_failure(now(), PACE, 1, Some(&FetchError::Gone))), None);
        assert_eq!(wait(after_failure(now(), PACE, 1, None)), Some(HOUR));
    }
}
