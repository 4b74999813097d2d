//! Dates as feeds write them: RFC 3339 and its relatives, RFC 822 and what is taken for it, asctime, and the
//! forms of a few national feed writers. A text that is no date is `None`; nothing is ever made up, but a
//! missing day or time counts as the first.

use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp};

/// Longer texts are no dates.
const BYTES_MAX: usize = 128;

/// Reads a machine-made date; without a zone it is taken as UTC.
pub fn parse_date(text: &str) -> Option<Timestamp> {
    let text = text.trim().trim_matches(['\'', '"']);
    if text.is_empty() || text.len() > BYTES_MAX {
        return None;
    }
    if text.is_ascii() {
        return parse_iso(text).or_else(|| parse_words(text));
    }
    let plain = national_to_english(text);
    parse_iso(&plain).or_else(|| parse_words(&plain))
}

/// A point in time from its parts; the hour 24 and a leap second are carried over.
fn timestamp(date: Date, seconds_of_day: i64, offset_seconds: i64) -> Option<Timestamp> {
    let midnight = jiff::tz::Offset::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok()?;
    midnight.checked_add(SignedDuration::from_secs(seconds_of_day - offset_seconds)).ok()
}

/// A date whose day may lie beyond the month's end ("31 June"): it is moved to the last day.
fn lenient_date(year: i64, month: i64, day: i64) -> Option<Date> {
    let year = i16::try_from(year).ok()?;
    let month = i8::try_from(month).ok().filter(|month| (1..=12).contains(month))?;
    let first = Date::new(year, month, 1).ok()?;
    let day = i8::try_from(day).ok().filter(|day| (1..=31).contains(day))?;
    Date::new(year, month, day.min(first.days_in_month())).ok()
}

/// Two-digit years: RFC 2822 section 4.3 (below 50: this century).
fn full_year(digits: &str) -> Option<i64> {
    let year: i64 = digits.parse().ok()?;
    Some(match digits.len() {
        1 | 2 if year < 50 => year + 2000,
        1 | 2 => year + 1900,
        _ => year,
    })
}

/// ISO 8601 and W3C-DTF: `2003-12-31T10:14:55Z`, with spaces, without separators, with week-less day numbers.
fn parse_iso(text: &str) -> Option<Timestamp> {
    let (date, rest) = split_iso_date(text)?;
    let rest = rest.trim_start_matches(['T', 't', ' ', ':', ',']);
    if rest.is_empty() {
        return timestamp(date, 0, 0);
    }
    let (seconds, zone) = split_time(rest)?;
    timestamp(date, seconds, zone_seconds(zone)?)
}

fn split_iso_date(text: &str) -> Option<(Date, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '-' || c == '/')).unwrap_or(text.len());
    let (head, rest) = text.split_at(end);
    if !rest.is_empty() && !rest.starts_with(['T', 't', ' ', ':', ',']) {
        return None;
    }
    let parts: Vec<&str> = head.split(['-', '/']).collect();
    let number = |text: &str| text.parse::<i64>().ok();
    let date = match parts.as_slice() {
        // The year comes first; three digits of a day after a month are a slip ("2003-012-31").
        [year @ ("" | "0000" | "0" | "00"), ..] if year.chars().all(|c| c == '0') && !year.is_empty() => {
            return None;
        }
        [year, month, day] if year.len() == 4 => lenient_date(number(year)?, number(month)?, number(day)?)?,
        [year, rest] if year.len() == 4 && rest.len() == 3 => ordinal(number(year)?, number(rest)?)?,
        [year, month] if year.len() == 4 => lenient_date(number(year)?, number(month)?, 1)?,
        [year, month, day] if year.len() == 2 && month.len() == 2 => {
            lenient_date(full_year(year)?, number(month)?, number(day)?)?
        }
        // "-03-12" and "-0312": the century is left out.
        ["", short, month] if short.len() == 2 => lenient_date(full_year(short)?, number(month)?, 1)?,
        ["", short] if short.len() == 4 => lenient_date(full_year(&short[..2])?, number(&short[2..])?, 1)?,
        ["", short] if short.len() == 2 => lenient_date(full_year(short)?, 1, 1)?,
        [digits] => compact_date(digits)?,
        _ => return None,
    };
    Some((date, rest))
}

fn compact_date(digits: &str) -> Option<Date> {
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<i64>().ok();
    match digits.len() {
        4 => lenient_date(number(0, 4)?, 1, 1),
        6 => lenient_date(full_year(&digits[..2])?, number(2, 4)?, number(4, 6)?),
        7 => ordinal(number(0, 4)?, number(4, 7)?),
        8 => lenient_date(number(0, 4)?, number(4, 6)?, number(6, 8)?),
        5 => ordinal(full_year(&digits[..2])?, number(2, 5)?),
        _ => None,
    }
}

fn ordinal(year: i64, day: i64) -> Option<Date> {
    let first = lenient_date(year, 1, 1)?;
    first
        .checked_add(jiff::Span::new().try_days(day - 1).ok()?)
        .ok()
        .filter(|date| (1..=366).contains(&day) && date.year() == first.year())
}

/// `10:14:55.25`, `10:14`, `101455`, `5:30 PM`: seconds since midnight, and what stands behind.
fn split_time(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(text.len());
    let (clock, rest) = text.split_at(end);
    let mut fields: Vec<&str> =
        clock.split('.').next()?.split(':').filter(|field| !field.is_empty()).collect();
    if let [compact] = fields[..]
        && compact.len() >= 4
        && compact.len() % 2 == 0
    {
        fields = (0..compact.len()).step_by(2).map(|at| &compact[at..at + 2]).collect();
    }
    let numbers: Vec<i64> = fields.iter().map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let (hour, minute, second) = match numbers[..] {
        [hour]
            if text[end..].starts_with('Z')
                || rest.trim().eq_ignore_ascii_case("pm")
                || rest.trim().eq_ignore_ascii_case("am") =>
        {
            (hour, 0, 0)
        }
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second, ..] => (hour, minute, second),
        _ => return None,
    };
    if hour > 24 || minute > 59 || second > 61 {
        return None;
    }
    let trimmed = rest.trim_start();
    let half = trimmed.get(..2).map(str::to_ascii_lowercase);
    match half.as_deref() {
        Some("pm") => Some(((hour % 12 + 12) * 3600 + minute * 60 + second, trimmed[2..].trim_start())),
        Some("am") => Some((hour % 12 * 3600 + minute * 60 + second, trimmed[2..].trim_start())),
        _ => Some((hour * 3600 + minute * 60 + second, trimmed)),
    }
}

/// The offset east of Greenwich, in seconds, of a zone in any spelling; an unknown name counts as UTC.
fn zone_seconds(zone: &str) -> Option<i64> {
    let zone = zone.trim();
    let lower = zone.to_ascii_lowercase();
    let lower = lower.split(['(', ' ']).next().unwrap_or("");
    if let Some(at) = lower.find(['+', '-']) {
        return numeric_zone(&lower[at..]);
    }
    let hours = match lower {
        "" | "z" | "gmt" | "utc" | "ut" | "wet" => 0,
        "est" | "et" | "cdt" => -5,
        "cst" | "ct" | "mdt" => -6,
        "mst" | "mt" | "pdt" => -7,
        "pst" | "pt" => -8,
        "ast" | "at" | "edt" => -4,
        "adt" => -3,
        "akst" => -9,
        "akdt" => -8,
        "hst" => -10,
        "met" | "cet" | "bst" | "mez" => 1,
        "mest" | "cest" | "eet" | "mesz" => 2,
        "msk" | "eest" => 3,
        "ist" => return Some(5 * 3600 + 1800),
        "jst" | "kst" => 9,
        "aest" => 10,
        "aedt" => 11,
        // RFC 822 section 5.2: the military letters; RFC 2822 holds them to be unreliable, feeds mean this.
        letter if letter.len() == 1 => match letter.as_bytes()[0] {
            c @ b'a'..=b'i' => -i64::from(c - b'a' + 1),
            c @ b'k'..=b'm' => -i64::from(c - b'a'),
            c @ b'n'..=b'y' => i64::from(c - b'n' + 1),
            _ => 0,
        },
        other if other.bytes().all(|b| b.is_ascii_alphabetic() || b == b'/' || b == b'_') => 0,
        _ => return None,
    };
    Some(hours * 3600)
}

fn numeric_zone(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text[1..].trim();
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours.parse().ok()?, minutes.get(..2).unwrap_or(minutes).parse().ok()?),
        None => match digits.len() {
            1 | 2 => (digits.parse().ok()?, 0),
            3 => (digits[..1].parse().ok()?, digits[1..].parse().ok()?),
            4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
            _ => return None,
        },
    };
    let (hours, minutes): (i64, i64) = (hours, minutes);
    ((0..=26).contains(&hours) && (0..60).contains(&minutes)).then(|| sign * (hours * 3600 + minutes * 60))
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn month_number(word: &str) -> Option<i64> {
    let start = word.get(..3)?;
    MONTHS.iter().position(|month| month.eq_ignore_ascii_case(start)).map(|at| at as i64 + 1)
}

/// RFC 822, RFC 2822, asctime and Perforce, in any order of day and month: `Thu, 01 Jan 2004 19:48:21 GMT`,
/// `Sun Jan  4 16:29:06 PDT 2004`, `Fri, 2006/09/15 08:19:53 EDT`.
fn parse_words(text: &str) -> Option<Timestamp> {
    let spaced = text.replace(',', " ");
    let mut words: Vec<&str> = spaced.split_ascii_whitespace().collect();
    words.retain(|word| {
        !DAYS.iter().any(|day| {
            word.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(day))
                && word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'.')
        })
    });
    if words.first().is_some_and(|word| {
        word.len() >= 8 && word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'/' | b'-'))
    }) {
        return parse_dated_words(&words);
    }
    // "06-Sep-2004" and "6/Sep/2004" are three words.
    let split: Vec<&str> = match words.first() {
        Some(first) if first.split(['-', '/']).count() == 3 => {
            first.split(['-', '/']).chain(words[1..].iter().copied()).collect()
        }
        _ => words,
    };
    let month_at = split.iter().position(|word| {
        word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'.') && month_number(word).is_some()
    })?;
    let month = month_number(split[month_at])?;
    let mut numbers = Vec::new();
    let mut clock = None;
    let mut zone: Vec<&str> = Vec::new();
    for (at, word) in split.iter().enumerate() {
        if at == month_at {
            continue;
        }
        if word.contains(':') && clock.is_none() && word.as_bytes()[0].is_ascii_digit() {
            clock = Some(*word);
        } else if numbers.len() < 2
            && word.trim_end_matches(['.', 't', 'h', 's', 'n', 'r', 'd']).bytes().all(|b| b.is_ascii_digit())
            && !word.is_empty()
        {
            numbers.push(word.trim_end_matches(|c: char| !c.is_ascii_digit()));
        } else if clock.is_some() || word.starts_with(['+', '-']) {
            zone.push(word);
        }
    }
    let (day, year) = match numbers[..] {
        [first, second] if first.len() > 2 => (second.parse().ok()?, full_year(first)?),
        [first, second] => (first.parse().ok()?, full_year(second)?),
        [year] if year.len() == 4 => (1, full_year(year)?),
        _ => return None,
    };
    let joined = format!("{} {}", clock.unwrap_or("00:00"), zone.join(" "));
    let (seconds, zone) = split_time(&joined)?;
    timestamp(lenient_date(year, month, day)?, seconds, zone_seconds(zone)?)
}

fn parse_dated_words(words: &[&str]) -> Option<Timestamp> {
    let (date, rest) = split_iso_date(words[0])?;
    let joined = words[1..].join(" ");
    if !rest.is_empty() || joined.is_empty() {
        return rest.is_empty().then(|| timestamp(date, 0, 0)).flatten();
    }
    let (seconds, zone) = split_time(&joined)?;
    timestamp(date, seconds, zone_seconds(zone)?)
}

/// Month and half-day names of the Greek, Hungarian and Korean feeds in the wild.
const NATIONAL: &[(&str, &str)] = &[
    ("Ιαν", "Jan"),
    ("Ιάν", "Jan"),
    ("Φεβ", "Feb"),
    ("Μάώ", "Mar"),
    ("Μαώ", "Mar"),
    ("Μάρ", "Mar"),
    ("Μαρ", "Mar"),
    ("Απρ", "Apr"),
    ("Μάι", "May"),
    ("Μαϊ", "May"),
    ("Μαι", "May"),
    ("Ιούλ", "Jul"),
    ("Ιολ", "Jul"),
    ("Ιουλ", "Jul"),
    ("Ιούν", "Jun"),
    ("Ιον", "Jun"),
    ("Ιουν", "Jun"),
    ("Αύγ", "Aug"),
    ("Αυγ", "Aug"),
    ("Σεπ", "Sep"),
    ("Οκτ", "Oct"),
    ("Νοέ", "Nov"),
    ("Νοε", "Nov"),
    ("Δεκ", "Dec"),
    ("január", "01"),
    ("februári", "02"),
    ("február", "02"),
    ("március", "03"),
    ("április", "04"),
    ("máujus", "05"),
    ("május", "05"),
    ("június", "06"),
    ("július", "07"),
    ("augusztus", "08"),
    ("szeptember", "09"),
    ("október", "10"),
    ("november", "11"),
    ("december", "12"),
    ("년", "-"),
    ("월", "-"),
    ("일", " "),
    ("오전", "AM"),
    ("오후", "PM"),
    ("시", ":"),
    ("분", ":"),
    ("초", " "),
];

fn national_to_english(text: &str) -> String {
    let mut plain = text.to_owned();
    for (national, english) in NATIONAL {
        plain = plain.replace(national, english);
    }
    // Korean writes the day apart ("2004년 05월 28일") and the half of the day before the hour.
    let plain = plain.replace("- ", "-").replace("M ", "M");
    let plain = match plain.split_once("PM").map(|p| (p, "PM")).or(plain.split_once("AM").map(|p| (p, "AM")))
    {
        Some(((date, time), half)) if !time.trim().is_empty() => {
            format!(
                "{} {} {half}",
                date.trim_end_matches(['-', ' ']),
                time.trim_end_matches([':', ' ']).trim()
            )
        }
        _ => plain,
    };
    plain.split_whitespace().filter(|word| word.is_ascii()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_in_the_wild_is_read() {
        for (text, want) in [
            ("2003-12-31T10:14:55Z", "2003-12-31T10:14:55Z"),
            ("2003-12-31t18:14:55.5+08:00", "2003-12-31T10:14:55Z"),
            ("2004-07-08 23:56:58 -00:20", "2004-07-09T00:16:58Z"),
            ("2003-12", "2003-12-01T00:00:00Z"),
            ("2003", "2003-01-01T00:00:00Z"),
            ("20031231", "2003-12-31T00:00:00Z"),
            ("2003335", "2003-12-01T00:00:00Z"),
            ("031231", "2003-12-31T00:00:00Z"),
            ("-0312", "2003-12-01T00:00:00Z"),
            ("03-12-31", "2003-12-31T00:00:00Z"),
            ("Thu, 01 Jan 2004 19:48:21 GMT", "2004-01-01T19:48:21Z"),
            ("Thu, 01 Jan 04 19:48 EST", "2004-01-02T00:48:00Z"),
            ("01 Jan 2004", "2004-01-01T00:00:00Z"),
            ("Wed, 19 Feb 2012 22:40:00 GMT-01:01", "2012-02-19T23:41:00Z"),
            ("Thu, 30 Apr 2015 08:57:00 MET", "2015-04-30T07:57:00Z"),
            ("Sun Jan  4 16:29:06 2004", "2004-01-04T16:29:06Z"),
            ("Sun Jan 4 16:29:06 PDT 2004", "2004-01-04T23:29:06Z"),
            ("Fri, 2006/09/15 08:19:53 EDT", "2006-09-15T12:19:53Z"),
            ("Wednesday, 06-Sep-2004 16:20:00 GMT", "2004-09-06T16:20:00Z"),
            ("Oct 5, 2022 5:30 PM", "2022-10-05T17:30:00Z"),
            ("Κυρ, 11 Ιούλ 2004 12:00:00 EST", "2004-07-11T17:00:00Z"),
            ("2004-július-13T9:15-05:00", "2004-07-13T14:15:00Z"),
            ("Tue, 31 Jun 2015 24:00:00 +0000", "2015-07-01T00:00:00Z"),
        ] {
            assert_eq!(parse_date(text).map(|date| date.to_string()).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_stays_without_one() {
        for text in [
            "",
            "not a date",
            "yesterday",
            "12",
            "99/99/9999",
            "2022-13-01",
            "Thu, 99 Jan 2004",
            "January",
            "0000-00-00",
            "1.2.3",
            "é",
            "May the fourth",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
