//! When and where something takes place, as a calendar says it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A day or a time of an event, in the time of its place. Written as ISO 8601: `2026-12-01`, `2026-12-01T18:00:00` where no zone
/// is known, else `2026-12-01T18:00:00+01:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventTime {
    /// A whole day.
    Day(Date),
    /// A time of day wherever its reader is (RFC 5545 section 3.3.5, "floating").
    Floating(DateTime),
    At(DateTime, Offset),
}

impl EventTime {
    /// The day in the calendar of the place.
    pub fn date(self) -> Date {
        match self {
            EventTime::Day(date) => date,
            EventTime::Floating(time) | EventTime::At(time, _) => time.date(),
        }
    }

    /// The time of day; `None` for a whole day.
    pub fn time(self) -> Option<Time> {
        match self {
            EventTime::Day(_) => None,
            EventTime::Floating(time) | EventTime::At(time, _) => Some(time.time()),
        }
    }

    /// What it is sorted by: what names no zone counts as UTC.
    pub fn instant(self) -> Option<Timestamp> {
        match self {
            EventTime::Day(date) => TimeZone::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok(),
            EventTime::Floating(time) => TimeZone::UTC.to_timestamp(time).ok(),
            EventTime::At(time, offset) => offset.to_timestamp(time).ok(),
        }
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventTime::Day(date) => write!(f, "{date}"),
            EventTime::Floating(time) => write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%S")),
            EventTime::At(time, offset) => {
                write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%S"))?;
                let minutes = offset.seconds() / 60;
                let sign = if minutes < 0 { '-' } else { '+' };
                match minutes.abs() {
                    0 => f.write_str("Z"),
                    minutes => write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60),
                }
            }
        }
    }
}

impl FromStr for EventTime {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pieces = Pieces::parse(text)?;
        let Some(time) = pieces.time() else { return Ok(EventTime::Day(pieces.date())) };
        let time = pieces.date().to_datetime(time);
        Ok(match pieces.to_numeric_offset() {
            Some(offset) => EventTime::At(time, offset),
            None => EventTime::Floating(time),
        })
    }
}

impl Serialize for EventTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// When and where something takes place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub begin: EventTime,
    /// The last day of whole days; else the time at which it ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<EventTime>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
}

impl Event {
    /// Whether it is over at a time. A day ends when it does in the zone where it ends last.
    pub fn is_over(&self, now: Timestamp) -> bool {
        const LAST_ZONE: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 + 12);
        let last = self.end.unwrap_or(self.begin);
        let grace = if last.time().is_none() { LAST_ZONE } else { jiff::SignedDuration::ZERO };
        last.instant().and_then(|last| last.checked_add(grace).ok()).is_some_and(|last| last < now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_written() {
        for text in ["2026-12-01", "2026-12-01T18:00:00", "2026-12-01T18:00:00-03:30", "2026-12-01T18:00:00Z"]
        {
            assert_eq!(text.parse::<EventTime>().unwrap().to_string(), text);
        }
        assert!("tomorrow".parse::<EventTime>().is_err());
    }

    #[test]
    fn an_event_is_over_after_its_end_and_a_day_after_the_day() {
        let event = |begin: &str, end: Option<&str>| Event {
            begin: begin.parse().unwrap(),
            end: end.map(|end| end.parse().unwrap()),
            place: None,
        };
        for (begin, end, now, is_over) in [
            ("2026-12-01T18:00:00+01:00", None, "2026-12-01T17:00:01Z", true),
            ("2026-12-01T18:00:00+01:00", Some("2026-12-01T20:00:00+01:00"), "2026-12-01T18:59:00Z", false),
            ("2026-12-01", None, "2026-12-02T06:00:00Z", false),
            ("2026-12-01", Some("2026-12-03"), "2026-12-04T13:00:00Z", true),
        ] {
            assert_eq!(event(begin, end).is_over(now.parse().unwrap()), is_over, "{begin} {end:?}");
        }
    }
}
