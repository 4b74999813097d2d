//! Dates as feeds write them: RFC 3339 and its relatives, RFC 822 and variants, asctime, Unix times, and written dates in the
//! languages of the interface, with a time of day and a zone. A text that is not a date gives `None`; nothing is invented,
//! except that a missing day or time counts as the first.

use std::borrow::Cow;

use jiff::civil::{Date, ISOWeekDate, Time, Weekday};
use jiff::{SignedDuration, Timestamp};

use super::calendar::{CALENDAR, DateRole, folded, plain_sign, tokens};
use super::mention::{Mention, mentions};
use super::zone::{half_of_day, in_named_zone, zone_seconds};
use crate::model::source::DateOrder;

/// Longer texts, in bytes, are not dates.
const BYTES_MAX: usize = 128;
/// Years before are those of programs that have no date, or that lost the century.
const YEAR_MIN: i16 = 99;
/// Dates within the first two days of Unix time come from a zero taken for a date.
const ZERO_SECONDS_MAX: i64 = 2 * 86_400;

/// Reads a date written by a machine or a person; without a zone it is in UTC, and 03/04/2022 is a day in April.
pub fn parse_date(text: &str) -> Option<Timestamp> {
    read_date(text, DateOrder::Dmy).map(|read| read.at)
}

/// Reads a date in an attribute or a field for machines, where what gives a year or a month only is no day.
pub fn parse_day(text: &str) -> Option<Timestamp> {
    if is_short(text) { None } else { parse_date(text) }
}

/// Whether a text gives a year or a month only, in figures: W3C-DTF, which `dc:date` is in, lets a date end there.
pub(super) fn is_short(text: &str) -> bool {
    let text = text.trim();
    let is_figures = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('-') {
        Some((year, month)) => is_figures(year) && is_figures(month),
        None => is_figures(text) && !matches!(text.len(), 8 | 10 | 13 | 14),
    }
}

/// A date that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadDate {
    pub at: Timestamp,
    /// When what is dated was changed, if the text says so besides.
    pub updated: Option<Timestamp>,
    /// The order that this date proves: 14/10/2022 can be read in one way only.
    pub proves: Option<DateOrder>,
    /// Whether another order would give another day.
    pub is_ambiguous: bool,
    /// Whether it was told from the day of the reading.
    pub is_from_today: bool,
}

/// Reads a date; `order` decides numeric dates that are ambiguous.
pub fn read_date(text: &str, order: DateOrder) -> Option<ReadDate> {
    let text = text.trim().trim_matches(['\'', '"']);
    // As .NET writes dates in JSON.
    let text = text.strip_prefix("/Date(").and_then(|text| text.strip_suffix(")/")).unwrap_or(text);
    if text.is_empty() || text.len() > BYTES_MAX || text.contains('§') {
        return None;
    }
    let text = plain_signs(text);
    let certain =
        |at| ReadDate { at, updated: None, proves: None, is_ambiguous: false, is_from_today: false };
    let read = parse_iso(&text)
        .map(certain)
        .or_else(|| spoken(&text, order))
        .or_else(|| parse_words(&text).map(certain))
        .or_else(|| {
            let plain = (!text.is_ascii()).then(|| national_to_english(&text)).flatten()?;
            parse_iso(&plain).or_else(|| parse_words(&plain)).map(certain)
        });
    read.filter(|read| {
        let is_zero = (-ZERO_SECONDS_MAX / 2..ZERO_SECONDS_MAX).contains(&read.at.as_second());
        !is_zero && jiff::tz::Offset::UTC.to_datetime(read.at).year() >= YEAR_MIN
    })
}

/// Normalizes punctuation and digits to ASCII, and drops what is not seen.
fn plain_signs(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let is_seen = |c: &char| !matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{FEFF}');
    Cow::Owned(text.chars().filter(is_seen).map(plain_sign).collect())
}

/// A written or numeric day with a time and zone after or before it: `mar. 04 oct. 2022 10:00:00 +0200`, `Mon, 10/03/2022 -
/// 12:00`. `None` if the time is invalid, since the day cannot be trusted then either.
fn spoken(text: &str, order: DateOrder) -> Option<ReadDate> {
    let folded = folded(text);
    let tokens = tokens(&folded);
    let found = mentions(&folded, &tokens, order, false);
    let role = |wanted: DateRole| found.iter().position(|mention| mention.role == wanted);
    let at = |at: usize| {
        let Mention { found: day, .. } = &found[at];
        let start = at.checked_sub(1).map_or(0, |before| tokens[found[before].found.to - 1].end());
        let end = found.get(at + 1).map_or(folded.len(), |next| tokens[next.found.from].start);
        let after = &folded[tokens[day.to - 1].end()..end];
        let time = clock_in(after).or_else(|| clock_in(&folded[start..tokens[day.from].start]));
        let (seconds, zone) = match &time {
            Some(clock) => split_time(clock).map(without_end)?,
            None => (0, ""),
        };
        instant(day.date, seconds, zone)
    };
    let own =
        role(DateRole::Published).or_else(|| role(DateRole::Plain)).or((!found.is_empty()).then_some(0))?;
    let updated = role(DateRole::Updated).filter(|updated| *updated != own).and_then(at);
    let day = found[own].found;
    let (proves, is_ambiguous) = (day.proves, day.is_ambiguous);
    Some(ReadDate { at: at(own)?, updated, proves, is_ambiguous, is_from_today: false })
}

/// A time of day and what follows it as its zone, unless that is when something ends: "13:30-14:00".
fn without_end((seconds, zone): (i64, &str)) -> (i64, &str) {
    let end = zone.strip_prefix('-').filter(|end| end.contains(':')).and_then(split_time);
    let is_end = end.is_some_and(|(end, _)| end > seconds);
    (seconds, if is_end && seconds % 60 == 0 { "" } else { zone })
}

/// The rest of a folded text from its time of day on, with "10h30" rewritten as "10:30".
fn clock_in(folded: &str) -> Option<String> {
    let tokens = tokens(folded);
    let sign_after = |at: usize| folded[tokens[at].end()..].chars().next();
    (0..tokens.len()).find_map(|at| {
        let hour = tokens[at].text;
        if !tokens[at].is_number() || hour.len() > 2 {
            return None;
        }
        let rest = &folded[tokens[at].end()..];
        let next = tokens.get(at + 1);
        if sign_after(at) == Some(':') {
            return Some(folded[tokens[at].start..].to_owned());
        }
        let is_hour =
            next.is_some_and(|next| matches!(next.text, "h" | "u" | "uhr" | "hs" | "hrs" | "am" | "pm"));
        let minute = tokens.get(at + 2).filter(|minute| minute.is_number() && minute.text.len() == 2);
        match (next.map(|next| next.text), minute) {
            (Some("h" | "u"), Some(minute)) => Some(format!("{hour}:{}", &folded[minute.start..])),
            (Some("."), Some(minute)) if sign_after(at) == Some('.') => {
                Some(format!("{hour}:{}", &folded[minute.start..]))
            }
            (Some("am" | "pm"), _) => Some(format!("{hour}:00{rest}")),
            _ if is_hour => Some(format!("{hour}:00")),
            _ => None,
        }
    })
}

/// A timestamp from a day, the seconds since its midnight, and a zone in any spelling.
fn instant(date: Date, seconds_of_day: i64, zone: &str) -> Option<Timestamp> {
    let midnight = date.to_datetime(Time::midnight());
    let civil = midnight.checked_add(SignedDuration::from_secs(seconds_of_day)).ok()?;
    in_named_zone(civil, zone).or_else(|| timestamp(date, seconds_of_day, zone_seconds(zone).unwrap_or(0)))
}

/// A timestamp from its parts; hour 24 and leap seconds carry over.
fn timestamp(date: Date, seconds_of_day: i64, offset_seconds: i64) -> Option<Timestamp> {
    let midnight = jiff::tz::Offset::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok()?;
    midnight.checked_add(SignedDuration::from_secs(seconds_of_day - offset_seconds)).ok()
}

/// A valid date: 31 June gives `None`.
fn civil(year: i64, month: i64, day: i64) -> Option<Date> {
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Years as in RFC 2822 section 4.3: of two digits, those below 50 are in this century; all others are counted from 1900, and so are
/// those of three digits, also where a program put "19" before them ("19126").
fn full_year(digits: &str) -> Option<i64> {
    let counted = digits.strip_prefix("19").filter(|rest| rest.len() == 3).unwrap_or(digits);
    let year: i64 = counted.parse().ok()?;
    Some(match counted.len() {
        1 | 2 if year < 50 => year + 2000,
        1..=3 => year + 1900,
        _ => year,
    })
}

/// ISO 8601 and W3C-DTF: `2003-12-31T10:14:55Z`, also with spaces, without separators, or with the day of the year.
fn parse_iso(text: &str) -> Option<Timestamp> {
    if let Some(at) = unix_time(text).or_else(|| week_date(text)) {
        return Some(at);
    }
    let (date, rest) = split_iso_date(text)?;
    let rest = rest.trim_start_matches(['T', 't', ' ', ':', ',']);
    if rest.is_empty() {
        return timestamp(date, 0, 0);
    }
    let (seconds, zone) = split_time(rest)?;
    zone_seconds(zone)?;
    instant(date, seconds, zone)
}

/// Seconds or milliseconds since 1970, from 2001 on; also `20221004100000`, a day with its time.
fn unix_time(text: &str) -> Option<Timestamp> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    if !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match whole.len() {
        10 => Timestamp::from_second(whole.parse().ok()?).ok(),
        13 => Timestamp::from_millisecond(whole.parse().ok()?).ok(),
        14 => {
            let (seconds, _) = split_time(&whole[8..])?;
            timestamp(compact_date(&whole[..8])?, seconds, 0)
        }
        _ => None,
    }
}

/// `2022-W40-2`, `2022W40`.
fn week_date(text: &str) -> Option<Timestamp> {
    let (year, week) = text.split_once(['W', 'w'])?;
    let year = year.strip_suffix('-').unwrap_or(year);
    let digits: Vec<i8> = week.bytes().filter(|b| *b != b'-').map(|b| b.wrapping_sub(b'0') as i8).collect();
    if year.len() != 4 || digits.iter().any(|digit| !(0..=9).contains(digit)) {
        return None;
    }
    let (week, day) = match digits[..] {
        [tens, ones] => (tens * 10 + ones, 1),
        [tens, ones, day] => (tens * 10 + ones, day),
        _ => return None,
    };
    let day = Weekday::from_monday_one_offset(day).ok()?;
    timestamp(ISOWeekDate::new(year.parse().ok()?, week, day).ok()?.date(), 0, 0)
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
        // Three digits for the day after a month are a typo ("2003-012-31").
        [year @ ("" | "0000" | "0" | "00"), ..] if year.chars().all(|c| c == '0') && !year.is_empty() => {
            return None;
        }
        [year, month, day] if year.len() == 4 => civil(number(year)?, number(month)?, number(day)?)?,
        // Counted from 1900, as some programs give it.
        [year, month, day] if year.len() == 3 && year.starts_with('1') => {
            civil(full_year(year)?, number(month)?, number(day)?)?
        }
        [year, rest] if year.len() == 4 && rest.len() == 3 => ordinal(number(year)?, number(rest)?)?,
        [year, month] if year.len() == 4 => civil(number(year)?, number(month)?, 1)?,
        [year, month, day]
            if year.len() == 2 && month.len() == 2 && day.len() <= 2 && !head.contains('/') =>
        {
            civil(full_year(year)?, number(month)?, number(day)?)?
        }
        // "-03-12" and "-0312": the century is omitted.
        ["", short, month] if short.len() == 2 => civil(full_year(short)?, number(month)?, 1)?,
        ["", short] if short.len() == 4 => civil(full_year(&short[..2])?, number(&short[2..])?, 1)?,
        ["", short] if short.len() == 2 => civil(full_year(short)?, 1, 1)?,
        [digits] => compact_date(digits)?,
        _ => return None,
    };
    Some((date, rest))
}

fn compact_date(digits: &str) -> Option<Date> {
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<i64>().ok();
    match digits.len() {
        4 => civil(number(0, 4)?, 1, 1),
        6 => civil(full_year(&digits[..2])?, number(2, 4)?, number(4, 6)?),
        7 => ordinal(number(0, 4)?, number(4, 7)?),
        8 => civil(number(0, 4)?, number(4, 6)?, number(6, 8)?),
        5 => ordinal(full_year(&digits[..2])?, number(2, 5)?),
        _ => None,
    }
}

fn ordinal(year: i64, day: i64) -> Option<Date> {
    let first = civil(year, 1, 1)?;
    first
        .checked_add(jiff::Span::new().try_days(day - 1).ok()?)
        .ok()
        .filter(|date| (1..=366).contains(&day) && date.year() == first.year())
}

/// `10:14:55.25`, `10:14`, `101455`, `5:30 PM`: seconds since midnight, and the rest of the text.
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
            if text[end..].starts_with('Z') || half_of_day(rest).is_some_and(|(_, rest)| rest.is_empty()) =>
        {
            (hour, 0, 0)
        }
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second, ..] => (hour, minute, second),
        _ => return None,
    };
    if hour > 24 || minute > 59 || second > 61 || hour == 24 && minute + second > 0 {
        return None;
    }
    let (hour, rest) = match half_of_day(rest) {
        Some((true, rest)) => (hour % 12 + 12, rest),
        Some((false, rest)) => (hour % 12, rest),
        None => (hour, rest),
    };
    Some((hour * 3600 + minute * 60 + second, rest.trim_start()))
}

/// The number of the month that a word names, in any of the languages, or by a prefix of its English name.
fn month_number(word: &str) -> Option<i64> {
    let folded = folded(word);
    let named = CALENDAR.months.at_start(&tokens(&folded)).map(|(month, _)| i64::from(month));
    named.or_else(|| {
        let starts = |name: &&str| folded.len() >= 3 && name.starts_with(folded.trim_end_matches('.'));
        ENGLISH_MONTHS.iter().position(starts).map(|at| at as i64 + 1)
    })
}

fn is_weekday(word: &str) -> bool {
    let folded = folded(word);
    CALENDAR.weekdays.at_start(&tokens(&folded)).is_some()
}

const ENGLISH_MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The words of a date without its weekday. "mar" is a weekday in some languages and a month in others: at the start it is the
/// weekday if a month follows.
fn without_weekday(mut words: Vec<&str>) -> Vec<&str> {
    let is_month = |word: &&str| month_number(word).is_some();
    if let [first, rest @ ..] = &words[..]
        && is_weekday(first)
        && (!is_month(first) || rest.iter().any(is_month))
    {
        words.remove(0);
    }
    words.retain(|word| !is_weekday(word) || is_month(word));
    words
}

/// The numbers (day and year), the time of day and the zone among the words around the month.
fn figures_and_zone<'a>(
    before: &[&'a str],
    after: &[&'a str],
) -> (Vec<&'a str>, Option<&'a str>, Vec<&'a str>) {
    let (mut numbers, mut clock, mut zone) = (Vec::new(), None, Vec::new());
    let is_number = |word: &str| {
        let figures = word.trim_end_matches(['.', 't', 'h', 's', 'n', 'r', 'd']);
        !word.is_empty() && figures.bytes().all(|b| b.is_ascii_digit())
    };
    for word in before.iter().chain(after).copied() {
        if word.contains(':') && clock.is_none() && word.as_bytes()[0].is_ascii_digit() {
            clock = Some(word);
        } else if numbers.len() < 2 && is_number(word) {
            numbers.push(word.trim_end_matches(|c: char| !c.is_ascii_digit()));
        } else if clock.is_some() || word.starts_with(['+', '-']) {
            zone.push(word);
        }
    }
    (numbers, clock, zone)
}

/// RFC 822, RFC 2822, asctime and Perforce, in any order of day and month: `Thu, 01 Jan 2004 19:48:21 GMT`, `Sun Jan  4 16:29:06
/// PDT 2004`, `Fri, 2006/09/15 08:19:53 EDT`.
fn parse_words(text: &str) -> Option<Timestamp> {
    let spaced = text.replace(',', " ");
    let words = without_weekday(spaced.split_ascii_whitespace().collect());
    if words.first().is_some_and(|word| {
        word.len() >= 8 && word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'/' | b'-'))
    }) {
        return parse_dated_words(&words);
    }
    // "06-Sep-2004" and "6/Sep/2004" count as three words.
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
    let (numbers, clock, zone) = figures_and_zone(&split[..month_at], &split[month_at + 1..]);
    let (day, year) = match numbers[..] {
        [first, second] if first.len() > 2 => (second.parse().ok()?, full_year(first)?),
        [first, second] => (first.parse().ok()?, full_year(second)?),
        _ => return None,
    };
    let joined = format!("{} {}", clock.unwrap_or("00:00"), zone.join(" "));
    let (seconds, zone) = split_time(&joined)?;
    zone_seconds(zone)?;
    instant(civil(year, month, day)?, seconds, zone)
}

fn parse_dated_words(words: &[&str]) -> Option<Timestamp> {
    let (date, rest) = split_iso_date(words[0])?;
    let joined = words[1..].join(" ");
    if !rest.is_empty() || joined.is_empty() {
        return rest.is_empty().then(|| timestamp(date, 0, 0)).flatten();
    }
    let (seconds, zone) = split_time(&joined)?;
    zone_seconds(zone)?;
    instant(date, seconds, zone)
}

/// Month and half-day names in Greek, Hungarian and Korean feeds.
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

/// `None` for a text without any of these names: what is left of it without its words is no date.
fn national_to_english(text: &str) -> Option<String> {
    let mut plain = text.to_owned();
    for (national, english) in NATIONAL {
        plain = plain.replace(national, english);
    }
    if plain == text {
        return None;
    }
    // Korean separates the parts of the day ("2004년 05월 28일") and puts the half of the day before the hour.
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
    Some(plain.split_whitespace().filter(|word| word.is_ascii()).collect::<Vec<_>>().join(" "))
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
            ("5 de mayo de 2026 a las 18:30 h", "2026-05-05T18:30:00Z"),
            ("05/05/2026 18:30h", "2026-05-05T18:30:00Z"),
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
            ("Tue, 30 Jun 2015 24:00:00 +0000", "2015-07-01T00:00:00Z"),
            ("Mardi, 18 Février, 2020 - 11:00", "2020-02-18T11:00:00Z"),
            ("mar, 04 oct 2022 10:00:00 +0200", "2022-10-04T08:00:00Z"),
            ("mar., 13 jul. 2021 13:00:00 +0000", "2021-07-13T13:00:00Z"),
            ("martes 4 de octubre de 2022", "2022-10-04T00:00:00Z"),
            ("Do., 6. Okt. 2022, 14:05 Uhr", "2022-10-06T14:05:00Z"),
            ("gio, 06 ott 2022 10:00:00 +0200", "2022-10-06T08:00:00Z"),
            ("6 d’octubre de 2022", "2022-10-06T00:00:00Z"),
            ("Чт, 6 окт 2022 10:00:00 +0300", "2022-10-06T07:00:00Z"),
            ("6 жовтня 2022", "2022-10-06T00:00:00Z"),
            ("الخميس، 6 أكتوبر 2022", "2022-10-06T00:00:00Z"),
            ("2022年10月6日", "2022-10-06T00:00:00Z"),
            ("Kamis, 6 Oktober 2022 10.30", "2022-10-06T10:30:00Z"),
            ("Mon, 10/03/2022 - 12:00", "2022-10-03T12:00:00Z"),
            ("Mar, 10/04/2022 - 10:30", "2022-10-04T10:30:00Z"),
            ("03/04/2022 10h30", "2022-04-03T10:30:00Z"),
            ("10/14/2022 3:00:00 PM", "2022-10-14T15:00:00Z"),
            ("1664877600", "2022-10-04T10:00:00Z"),
            ("1664877600000", "2022-10-04T10:00:00Z"),
            ("20221004100000", "2022-10-04T10:00:00Z"),
            ("/Date(1664877600000)/", "2022-10-04T10:00:00Z"),
            ("2022-W40-2", "2022-10-04T00:00:00Z"),
            ("2022.10.04", "2022-10-04T00:00:00Z"),
            ("2022-10-04T10:00:00\u{2212}02:00", "2022-10-04T12:00:00Z"),
            ("Tue, 04 Oct 2022 23:00:00 ART", "2022-10-05T02:00:00Z"),
            ("Tue, 4 Oct 2022 10:00:00 Europe/Paris", "2022-10-04T08:00:00Z"),
            // A word of what goes on is no zone, nor is the end of a time.
            ("4 octobre 2022 20:30 Est Républicain", "2022-10-04T20:30:00Z"),
            ("4 octobre 2022 à 20h30 Est Républicain", "2022-10-04T20:30:00Z"),
            ("4 octobre 2022 à 20:30 a la mairie", "2022-10-04T20:30:00Z"),
            ("4 de octubre de 2022, 20:30 Pet Shop", "2022-10-04T20:30:00Z"),
            ("4 October 2022, 20:30 EST", "2022-10-05T01:30:00Z"),
            ("4 October 2022 20:30 (EST), by Ana", "2022-10-05T01:30:00Z"),
            ("4 octobre 2022, 13:30-14:00", "2022-10-04T13:30:00Z"),
            ("Tue, 4 Oct 2022 13:30:00-07:00", "2022-10-04T20:30:00Z"),
            // "America" is no half of the day.
            ("Tue, 04 Oct 2022 21:00:00 America/Asuncion", "2022-10-05T00:00:00Z"),
            ("2022-10-04T21:00:00[America/Caracas]", "2022-10-05T01:00:00Z"),
            ("2022-10-04T21:00:00-04:00[America/Caracas]", "2022-10-05T01:00:00Z"),
            ("Tue, 04 Oct 2022 21:00:00 (America/Guatemala)", "2022-10-05T03:00:00Z"),
            ("Tue, 04 Oct 2022 12:00:00 AMT", "2022-10-04T16:00:00Z"),
            ("Tue, 04 Oct 2022 12:00:00 AMST", "2022-10-04T15:00:00Z"),
            ("4 de octubre de 2022, 9:15 p. m.", "2022-10-04T21:15:00Z"),
            ("٤ أكتوبر ٢٠٢٢", "2022-10-04T00:00:00Z"),
            ("۱۴/۱۰/۲۰۲۲", "2022-10-14T00:00:00Z"),
            ("14/oct./22", "2022-10-14T00:00:00Z"),
            ("Modifié le 9 octobre 2022, publié le 4 octobre 2022", "2022-10-04T00:00:00Z"),
            ("Tue, 04 Oct 122 10:00:00 GMT", "2022-10-04T10:00:00Z"),
            ("Tue Oct  4 10:00:00 122", "2022-10-04T10:00:00Z"),
            ("Tue, 04 Oct 19122 10:00:00 GMT", "2022-10-04T10:00:00Z"),
            ("122-10-04T10:00:00Z", "2022-10-04T10:00:00Z"),
            ("04/10/122", "2022-10-04T00:00:00Z"),
            ("Mon, 04 Oct 99 10:00:00 GMT", "1999-10-04T10:00:00Z"),
            ("Updated: 09/10/2022 - Published: 04/10/2022 10:30", "2022-10-04T10:30:00Z"),
        ] {
            assert_eq!(parse_date(text).map(|date| date.to_string()).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn a_date_in_figures_says_whether_it_proves_their_order() {
        for (text, order, day, proves) in [
            ("03/04/2022", DateOrder::Mdy, "2022-03-04", None),
            ("14/10/2022", DateOrder::Mdy, "2022-10-14", Some(DateOrder::Dmy)),
            ("10/14/2022", DateOrder::Dmy, "2022-10-14", Some(DateOrder::Mdy)),
            ("Mon, 10/03/2022", DateOrder::Dmy, "2022-10-03", Some(DateOrder::Mdy)),
        ] {
            let read = read_date(text, order).unwrap();
            assert_eq!(
                (read.at.strftime("%Y-%m-%d").to_string().as_str(), read.proves),
                (day, proves),
                "{text}"
            );
        }
    }

    #[test]
    fn a_change_that_is_told_besides_is_kept() {
        let read = read_date("Mise à jour : 09/10/2022 - Publication : 04/10/2022", DateOrder::Dmy).unwrap();
        assert_eq!(read.at.to_string(), "2022-10-04T00:00:00Z");
        assert_eq!(read.updated.unwrap().to_string(), "2022-10-09T00:00:00Z");
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
            "31 juin 2022",
            "Thu, 31 Jun 2022 10:00:00 GMT",
            "2022-06-31",
            "4 octobre 2022 25:00",
            "2022-10-04T24:30:00Z",
            "Thu, 01 Jan 1970 00:00:00 +0000",
            "Wed, 30 Nov -0001 00:00:00 +0000",
            "mardi",
            "01 42 34 56 78",
            "v3.10.12",
            "Version 14.10.2022",
            "§ 14.10.2022",
            "Sección 4.10.22",
            "Délibération n° 2022-10-14",
            "octobre 2022",
            "févr. 2022",
            "0001-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
