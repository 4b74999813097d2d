//! Time zones that a calendar describes itself (RFC 5545 section 3.6.5), under a name that is nobody else's.

use calcard::common::PartialDateTime;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarFrequency, ICalendarProperty as Property,
    ICalendarRecurrenceRule, ICalendarValue, ICalendarWeekday,
};
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::Offset;

use super::{date_time, raw_time};

/// Parts of a zone that are read, and lines and dates of all of them: the longest history of one has some hundred. They are read
/// for each time that is given in the zone.
const PARTS_MAX: usize = 500;
const DATES_MAX: usize = 4000;

/// How far from UTC the clocks of a zone are when they show `local`: by the part of its description that began last.
pub(super) fn offset_at(calendar: &ICalendar, zone: &ICalendarComponent, local: DateTime) -> Option<Offset> {
    let is_part = |part: &&ICalendarComponent| {
        matches!(part.component_type, ICalendarComponentType::Standard | ICalendarComponentType::Daylight)
    };
    let mut dates = 0;
    let is_bounded = |part: &&ICalendarComponent| {
        dates += part.entries.iter().map(|entry| 1 + entry.values.len()).take(DATES_MAX).sum::<usize>();
        dates <= DATES_MAX
    };
    let parts: Vec<&ICalendarComponent> = zone
        .component_ids
        .iter()
        .filter_map(|id| calendar.components.get(*id as usize))
        .filter(is_part)
        .take(PARTS_MAX)
        .take_while(is_bounded)
        .collect();
    let begun = parts.iter().filter_map(|part| Some((last_onset(part, local)?, part)));
    match begun.max_by_key(|(onset, _)| *onset) {
        Some((_, part)) => offset(raw_time(part, &Property::Tzoffsetto)?),
        // Before the first of them, the offset is the one that it leaves.
        None => {
            let first = parts.iter().min_by_key(|part| first_onset(part))?;
            offset(raw_time(first, &Property::Tzoffsetfrom)?)
        }
    }
}

fn offset(time: &PartialDateTime) -> Option<Offset> {
    let part = |part: Option<u8>| i32::from(part.unwrap_or(0));
    let seconds = part(time.tz_hour) * 3600 + part(time.tz_minute) * 60;
    Offset::from_seconds(if time.tz_minus { -seconds } else { seconds }).ok()
}

fn civil(time: &PartialDateTime) -> Option<DateTime> {
    date_time(time.to_date_time()?.date_time.and_utc().timestamp())
}

fn first_onset(part: &ICalendarComponent) -> Option<DateTime> {
    raw_time(part, &Property::Dtstart).and_then(civil)
}

/// When a part last began, up to a time of its own clocks.
fn last_onset(part: &ICalendarComponent, local: DateTime) -> Option<DateTime> {
    let first = first_onset(part)?;
    let values = |name: Property| {
        part.entries.iter().filter(move |entry| entry.name == name).flat_map(|entry| &entry.values)
    };
    let dates = values(Property::Rdate).filter_map(|value| civil(value.as_partial_date_time()?));
    let ruled = values(Property::Rrule).filter_map(|value| match value {
        ICalendarValue::RecurrenceRule(rule) => Some(rule),
        _ => None,
    });
    let years = [local.year(), local.year() - 1];
    let ruled = ruled.flat_map(|rule| years.iter().filter_map(|year| in_year(rule, first, *year)));
    let all = std::iter::once(first).chain(dates).chain(ruled);
    all.filter(|onset| *onset >= first && *onset <= local).max()
}

/// The onset of a yearly rule in a year: "the last Sunday of October", "the first Sunday from 8 March on".
fn in_year(rule: &ICalendarRecurrenceRule, first: DateTime, year: i16) -> Option<DateTime> {
    if rule.freq != ICalendarFrequency::Yearly {
        return None;
    }
    let month = rule.bymonth.first().map_or(first.month(), |month| month.month() as i8);
    let by_day = rule.byday.first();
    let date = match (by_day, &rule.bymonthday[..]) {
        (None, []) => Date::new(year, month, first.day()).ok()?,
        (None, [day, ..]) => Date::new(year, month, *day).ok()?,
        (Some(day), []) => {
            let nth = i8::try_from(day.ordwk.unwrap_or(1)).ok()?;
            Date::new(year, month, 1).ok()?.nth_weekday_of_month(nth, weekday(&day.weekday)).ok()?
        }
        (Some(day), days) => {
            let mut dates = days.iter().filter_map(|of_month| Date::new(year, month, *of_month).ok());
            dates.find(|date| date.weekday() == weekday(&day.weekday))?
        }
    };
    let onset = date.to_datetime(first.time());
    let until = rule.until.as_ref().and_then(civil);
    // `UNTIL` is in UTC, a few hours from the clocks: no zone changes twice within a day.
    until.is_none_or(|until| onset.date() <= until.date()).then_some(onset)
}

fn weekday(day: &ICalendarWeekday) -> Weekday {
    match day {
        ICalendarWeekday::Monday => Weekday::Monday,
        ICalendarWeekday::Tuesday => Weekday::Tuesday,
        ICalendarWeekday::Wednesday => Weekday::Wednesday,
        ICalendarWeekday::Thursday => Weekday::Thursday,
        ICalendarWeekday::Friday => Weekday::Friday,
        ICalendarWeekday::Saturday => Weekday::Saturday,
        ICalendarWeekday::Sunday => Weekday::Sunday,
    }
}
