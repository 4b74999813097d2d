//! When a digest is due: days, a time of day and a time zone.

use std::fmt;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The days of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    Daily,
    Weekly(Vec<Weekday>),
    /// A day of the month; in shorter months their last day.
    Monthly(i8),
}

/// `Mon 08:00 Europe/Paris`, `Mon,Thu 18:30 UTC`, `daily 07:00 America/Bogota`, `monthly 1 08:00 Europe/Madrid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    days: Days,
    time: Time,
    zone: TimeZone,
    text: String,
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Schedule {
    /// Mondays at eight, UTC.
    pub fn weekly() -> Schedule {
        Schedule { days: Days::Weekly(vec![Weekday::Monday]), time: Time::constant(8, 0, 0, 0), zone: TimeZone::UTC, text: "Mon 08:00 UTC".into() }
    }

    /// Reads a schedule; the error says what is wrong with it. Without a zone it is UTC.
    pub fn parse(text: &str) -> Result<Schedule, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, rest) = match words.as_slice() {
            ["monthly", day, rest @ ..] => {
                let day = day.parse::<i8>().ok().filter(|day| (1..=31).contains(day));
                (Days::Monthly(day.ok_or_else(|| format!("\"{}\" is no day of a month", words[1]))?), rest)
            }
            ["daily", rest @ ..] => (Days::Daily, rest),
            [names, rest @ ..] if !names.contains(':') => (Days::Weekly(weekdays(names)?), rest),
            rest => (Days::Daily, rest),
        };
        let (time, zone) = match rest {
            [time] => (time, "UTC"),
            [time, zone] => (time, *zone),
            _ => return Err(format!("\"{text}\" is no schedule: write \"Mon 08:00 Europe/Paris\", \"daily 08:00 UTC\" or \"monthly 1 08:00 UTC\"")),
        };
        let parsed = time.split_once(':').and_then(|(h, m)| Time::new(h.parse().ok()?, m.parse().ok()?, 0, 0).ok());
        let time = parsed.ok_or_else(|| format!("\"{time}\" is no time of day: write it as 08:00"))?;
        let zone = TimeZone::get(zone).map_err(|_| format!("\"{zone}\" is no time zone: write it as Europe/Paris"))?;
        Ok(Schedule { days, time, zone, text: text.to_owned() })
    }

    /// The last slot at or before `now`; none only before the year 1.
    ///
    /// On the night when clocks change, a slot in the missing hour falls right after it, and one in the repeated
    /// hour on its first pass.
    pub fn last_slot(&self, now: Timestamp) -> Option<Timestamp> {
        let today = now.to_zoned_datetime(self.zone.clone()).date();
        (0..=62).find_map(|days_back| {
            let date = today.checked_sub(days_back.days()).ok()?;
            let fits = match &self.days {
                Days::Daily => true,
                Days::Weekly(days) => days.contains(&date.weekday()),
                Days::Monthly(day) => date.day() == (*day).min(date.days_in_month()),
            };
            let slot = self.zone.to_timestamp(date.to_datetime(self.time)).ok()?;
            (fits && slot <= now).then_some(slot)
        })
    }
}

fn weekdays(names: &str) -> Result<Vec<Weekday>, String> {
    let all = [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday, Weekday::Saturday, Weekday::Sunday];
    let short = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    names
        .split(',')
        .map(|name| {
            let lower = name.to_ascii_lowercase();
            let at = short.iter().position(|day| lower.starts_with(day));
            at.map(|at| all[at]).ok_or_else(|| format!("\"{name}\" is no day of the week: write Mon, Tue, … or daily"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(schedule: &str, now: &str) -> String {
        Schedule::parse(schedule).unwrap().last_slot(now.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn the_last_slot_is_the_latest_one_not_after_now() {
        assert_eq!(slot("Mon 08:00 Europe/Paris", "2022-10-17T06:00:00Z"), "2022-10-17T06:00:00Z");
        assert_eq!(slot("Mon 08:00 Europe/Paris", "2022-10-17T05:59:59Z"), "2022-10-10T06:00:00Z");
        assert_eq!(slot("Mon,Thu 08:00 UTC", "2022-10-15T00:00:00Z"), "2022-10-13T08:00:00Z");
        assert_eq!(slot("daily 08:00", "2022-10-15T09:00:00Z"), "2022-10-15T08:00:00Z");
        assert_eq!(slot("monthly 31 08:00 UTC", "2022-12-15T09:00:00Z"), "2022-11-30T08:00:00Z");
    }

    #[test]
    fn nights_when_clocks_change_have_one_slot() {
        // 02:30 does not exist on 27 March 2022 in Paris, and exists twice on 30 October.
        assert_eq!(slot("daily 02:30 Europe/Paris", "2022-03-27T12:00:00Z"), "2022-03-27T01:30:00Z");
        assert_eq!(slot("daily 02:30 Europe/Paris", "2022-10-30T12:00:00Z"), "2022-10-30T00:30:00Z");
    }

    #[test]
    fn faults_are_explained() {
        for (text, word) in [
            ("Mon 25:00 UTC", "time of day"),
            ("Mon 08:00 Mars/Base", "time zone"),
            ("Moo 08:00 UTC", "day of the week"),
            ("", "no schedule"),
            ("monthly 40 08:00", "day of a month"),
        ] {
            assert!(Schedule::parse(text).unwrap_err().contains(word), "{text}");
        }
    }
}
