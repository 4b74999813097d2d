//! Schedules of digests: days, times of day and a time zone.

use std::fmt;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The days of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Weekdays {
    Daily,
    Weekly(Vec<Weekday>),
    /// A day of the month; in shorter months, the last day.
    Monthly(i8),
    Cron(CronDays),
}

/// The last three fields of a cron line as bit sets. As in cron, a date matches by either day or weekday if both are restricted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CronDays {
    days: u64,
    months: u64,
    weekdays: u64,
    is_day_free: bool,
    is_weekday_free: bool,
}

/// `Mon 08:00 Europe/Paris`, `Mon,Thu 18:30 UTC`, `daily 07:00 America/Bogota`, `monthly 1 08:00 Europe/Madrid`, or a cron line
/// with an optional zone: `*/30 8-18 * * mon-fri Europe/Paris`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    days: Weekdays,
    /// Ascending, at least one.
    times: Vec<Time>,
    zone: TimeZone,
    text: String,
}

/// Number of days searched for a slot: 29 February may be eight years away.
const DAYS_MAX: i64 = 8 * 366;

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Schedule {
    /// Mondays at 08:00 UTC.
    pub fn weekly() -> Schedule {
        Schedule {
            days: Weekdays::Weekly(vec![Weekday::Monday]),
            times: vec![Time::constant(8, 0, 0, 0)],
            zone: TimeZone::UTC,
            text: "Mon 08:00 UTC".into(),
        }
    }

    /// Parses a schedule; the error says what is wrong. The default zone is UTC.
    pub fn parse(text: &str) -> Result<Schedule, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if let [minutes, hours, days, months, weekdays, zone @ ..] = words.as_slice()
            && zone.len() <= 1
            && !words[1].contains(':')
        {
            let (days, times) = cron([minutes, hours, days, months, weekdays])?;
            let zone = read_zone(zone.first().copied().unwrap_or("UTC"))?;
            return Ok(Schedule { days, times, zone, text: words.join(" ") });
        }
        let (days, rest) = match words.as_slice() {
            ["monthly", day, rest @ ..] => {
                let day = day.parse::<i8>().ok().filter(|day| (1..=31).contains(day));
                (
                    Weekdays::Monthly(
                        day.ok_or_else(|| format!("\"{}\" is not a day of the month", words[1]))?,
                    ),
                    rest,
                )
            }
            ["daily", rest @ ..] => (Weekdays::Daily, rest),
            [names, rest @ ..] if !names.contains(':') => (Weekdays::Weekly(weekdays(names)?), rest),
            rest => (Weekdays::Daily, rest),
        };
        let (time, zone) = match rest {
            [time] => (time, "UTC"),
            [time, zone] => (time, *zone),
            _ => {
                return Err(format!(
                    "\"{text}\" is not a schedule: write \"Mon 08:00 Europe/Paris\", \"daily 08:00 UTC\" or \"monthly 1 08:00 UTC\""
                ));
            }
        };
        let parsed =
            time.split_once(':').and_then(|(h, m)| Time::new(h.parse().ok()?, m.parse().ok()?, 0, 0).ok());
        let time = parsed.ok_or_else(|| format!("\"{time}\" is not a time of day: write it as 08:00"))?;
        Ok(Schedule { days, times: vec![time], zone: read_zone(zone)?, text: words.join(" ") })
    }

    /// Whether there is a day that fits: 31 April is none.
    pub fn is_ever_due(&self) -> bool {
        self.next_slot(Timestamp::UNIX_EPOCH).is_some()
    }

    /// Whether it says in which time zone it is.
    pub fn names_zone(&self) -> bool {
        self.text.rsplit(' ').next().is_some_and(|last| read_zone(last).is_ok())
    }

    /// The closest of `daily`, `weekly` and `monthly`.
    pub fn name(&self) -> &'static str {
        match &self.days {
            Weekdays::Daily | Weekdays::Cron(_) => "daily",
            Weekdays::Weekly(_) => "weekly",
            Weekdays::Monthly(_) => "monthly",
        }
    }

    /// The hour of the first time of day, and the zone.
    pub fn hour_and_zone(&self) -> (i8, String) {
        (self.times.first().map_or(8, |time| time.hour()), self.zone.iana_name().unwrap_or("UTC").to_owned())
    }

    /// The date and time of day of a slot, as its readers know it.
    pub fn local(&self, slot: Timestamp) -> jiff::civil::DateTime {
        slot.to_zoned_datetime(self.zone.clone()).datetime()
    }

    /// The last slot at or before `now`; `None` only before the year 1.
    ///
    /// When clocks change, a slot within the skipped hour falls right after it, and one within the repeated hour on its first
    /// pass.
    pub fn last_slot(&self, now: Timestamp) -> Option<Timestamp> {
        // A day ahead, since a skipped hour can move a slot past midnight.
        let first = now.to_zoned_datetime(self.zone.clone()).date().checked_add(1.day()).ok()?;
        (0..=DAYS_MAX).find_map(|days_back| {
            self.slots(first.checked_sub(days_back.days()).ok()?).filter(|slot| *slot <= now).max()
        })
    }

    /// The first slot after `now`; `None` only at the end of time.
    pub fn next_slot(&self, now: Timestamp) -> Option<Timestamp> {
        let first = now.to_zoned_datetime(self.zone.clone()).date().checked_sub(1.day()).ok()?;
        (0..=DAYS_MAX).find_map(|days_on| {
            self.slots(first.checked_add(days_on.days()).ok()?).filter(|slot| *slot > now).min()
        })
    }

    /// The slots of a day, in no particular order.
    fn slots(&self, date: Date) -> impl Iterator<Item = Timestamp> {
        let times = if self.days.fit(date) { self.times.as_slice() } else { &[] };
        times.iter().filter_map(move |time| self.zone.to_timestamp(date.to_datetime(*time)).ok())
    }
}

impl Weekdays {
    fn fit(&self, date: Date) -> bool {
        match self {
            Weekdays::Daily => true,
            Weekdays::Weekly(days) => days.contains(&date.weekday()),
            Weekdays::Monthly(day) => date.day() == (*day).min(date.days_in_month()),
            Weekdays::Cron(cron) => {
                let has = |bits: u64, value: i8| bits & (1 << value) != 0;
                let (day, weekday) =
                    (has(cron.days, date.day()), has(cron.weekdays, date.weekday().to_sunday_zero_offset()));
                let is_day =
                    if cron.is_day_free || cron.is_weekday_free { day && weekday } else { day || weekday };
                has(cron.months, date.month()) && is_day
            }
        }
    }
}

fn read_zone(zone: &str) -> Result<TimeZone, String> {
    TimeZone::get(zone).map_err(|_| format!("\"{zone}\" is not a time zone: write it as Europe/Paris"))
}

const MONTH_NAMES: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAY_NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Parses the five fields of a cron line.
fn cron(fields: [&str; 5]) -> Result<(Weekdays, Vec<Time>), String> {
    let [minutes, hours, days, months, weekdays] = fields;
    let weekday_bits = cron_field(weekdays, 0, 7, &DAY_NAMES)?;
    let cron = CronDays {
        days: cron_field(days, 1, 31, &[])?,
        months: cron_field(months, 1, 12, &MONTH_NAMES)?,
        // 7 is Sunday too.
        weekdays: weekday_bits | (weekday_bits >> 7 & 1),
        is_day_free: days.starts_with('*'),
        is_weekday_free: weekdays.starts_with('*'),
    };
    let (minutes, hours) = (cron_field(minutes, 0, 59, &[])?, cron_field(hours, 0, 23, &[])?);
    let times = (0..24i8).filter(|hour| hours & (1 << hour) != 0);
    let times = times.flat_map(|hour| {
        (0..60i8)
            .filter(|minute| minutes & (1 << minute) != 0)
            .filter_map(move |minute| Time::new(hour, minute, 0, 0).ok())
    });
    Ok((Weekdays::Cron(cron), times.collect()))
}

/// Parses one field, such as `*`, `5`, `1-5`, `*/15` or `mon,wed`, into a bit set.
fn cron_field(field: &str, min: u32, max: u32, names: &[&str]) -> Result<u64, String> {
    let wrong = || {
        format!(
            "\"{field}\" is not a cron field: write numbers from {min} to {max}, as in 5, 1-5, */2 or 1,3"
        )
    };
    let number = |text: &str| {
        let by_name = names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text))
            .and_then(|at| u32::try_from(at).ok());
        // Months are counted from 1, weekdays from 0.
        let number = by_name.map(|at| at + min).or_else(|| text.parse().ok());
        number.filter(|number| (min..=max).contains(number)).ok_or_else(wrong)
    };
    let mut bits = 0u64;
    for part in field.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let step_by: u32 = step.map_or(Ok(1), |step| {
            step.parse().ok().filter(|step| (1..=max).contains(step)).ok_or_else(wrong)
        })?;
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (min, max),
            Some((from, to)) => (number(from)?, number(to)?),
            None if step.is_some() => (number(range)?, max),
            None => (number(range)?, number(range)?),
        };
        if from > to {
            return Err(wrong());
        }
        (from..=to).step_by(step_by as usize).for_each(|value| bits |= 1 << value);
    }
    Ok(bits)
}

fn weekdays(names: &str) -> Result<Vec<Weekday>, String> {
    let all = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    let short = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    names
        .split(',')
        .map(|name| {
            let lower = name.to_ascii_lowercase();
            let at = short.iter().position(|day| lower.starts_with(day));
            at.map(|at| all[at])
                .ok_or_else(|| format!("\"{name}\" is not a day of the week: write Mon, Tue, … or daily"))
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
    fn the_next_slot_is_the_first_after_now() {
        let next = |schedule: &str, now: &str| {
            Schedule::parse(schedule).unwrap().next_slot(now.parse().unwrap()).unwrap().to_string()
        };
        assert_eq!(next("Mon 08:00 Europe/Paris", "2022-10-17T06:00:00Z"), "2022-10-24T06:00:00Z");
        assert_eq!(next("daily 02:30 Europe/Paris", "2022-03-26T12:00:00Z"), "2022-03-27T01:30:00Z");
        assert_eq!(next("daily 02:30 Europe/Paris", "2022-03-27T01:30:00Z"), "2022-03-28T00:30:00Z");
        // The second pass of the repeated hour has no slot.
        assert_eq!(next("daily 02:30 Europe/Paris", "2022-10-30T00:30:00Z"), "2022-10-31T01:30:00Z");
    }

    #[test]
    fn cron_lines_are_read() {
        assert_eq!(
            slot("*/30 8-18 * * mon-fri Europe/Paris", "2022-10-15T12:00:00Z"),
            "2022-10-14T16:30:00Z"
        );
        assert_eq!(slot("0 9 1,15 * * UTC", "2022-10-20T00:00:00Z"), "2022-10-15T09:00:00Z");
        // Either day or weekday, if both are restricted.
        assert_eq!(slot("0 9 13 * 5", "2022-10-20T00:00:00Z"), "2022-10-14T09:00:00Z");
        assert_eq!(slot("0 9 13 * 7", "2022-10-15T00:00:00Z"), "2022-10-13T09:00:00Z");
        assert_eq!(slot("0 0 29 feb *", "2023-01-01T00:00:00Z"), "2020-02-29T00:00:00Z");
        // Two slots that coincide after the skipped hour become one.
        let schedule = Schedule::parse("30 2,3 * * * Europe/Paris").unwrap();
        let first = schedule.next_slot("2022-03-27T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(
            (first.to_string().as_str(), schedule.next_slot(first).unwrap().to_string().as_str()),
            ("2022-03-27T01:30:00Z", "2022-03-28T00:30:00Z")
        );
    }

    #[test]
    fn faults_are_explained() {
        for (text, word) in [
            ("61 8 * * * UTC", "cron field"),
            ("0 8 * * mon Mars/Base", "time zone"),
            ("Mon 25:00 UTC", "time of day"),
            ("Mon 08:00 Mars/Base", "time zone"),
            ("Moo 08:00 UTC", "day of the week"),
            ("", "not a schedule"),
            ("monthly 40 08:00", "day of the month"),
        ] {
            assert!(Schedule::parse(text).unwrap_err().contains(word), "{text}");
        }
    }
}
