//! Dates as written by other programs and spreadsheets. The order of day and month is learned from the whole table, never
//! guessed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use regex::Regex;

use crate::support::i18n;
use crate::support::text::fold;

/// Which number comes first in `03/02/2021`, as shown by the dates of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Order {
    day_first: bool,
    month_first: bool,
}

static ISO: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(.*)$"));
static NUMBERS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(\d{1,2})([-/. ])(\d{1,2})[-/. ](\d{4}|\d{2})\b(.*)$"));
static DAY_WORD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:\p{L}+\.?,? )?(\d{1,2})(?:st|nd|rd|th|er|ro|º|°|\.)?[ -](?:de |d['’])?(\p{L}+)\.?,?[ -](?:de |del )?(\d{4}|\d{2})\b(.*)$",
    )
});
static WORD_DAY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:\p{L}+\.?,? )?(\p{L}{3,})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})\b(.*)$"));
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^[t ,]*(?:(?:at|a|as|alle|um|om|kl) )?(\d{1,2})[:.h](\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?\s*([ap]\.?\s?m\.?)?\s*(z|utc|gmt|[+-]\d{2}(?::?\d{2})?)?(?:\s.*)?$",
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of ours")
}

/// Plausible serial dates of spreadsheets, in days since 1899-12-30.
const SERIAL_DAYS: std::ops::Range<i64> = 20_000..60_000;

impl Order {
    /// Learns the order from the unambiguous dates.
    pub(super) fn learn<'a>(dates: impl Iterator<Item = &'a str>) -> Order {
        let mut order = Order::default();
        for found in dates.filter_map(|text| NUMBERS.captures(text.trim())) {
            let number = |at: usize| found[at].parse::<u8>().unwrap_or(0);
            order.day_first |= number(1) > 12 || &found[2] == ".";
            order.month_first |= number(3) > 12;
        }
        order
    }

    /// What remains to be taken where no date shows it: the names of the columns are of a language that writes the day first.
    pub(super) fn or_day_first(self, is_day_first: bool) -> Order {
        let is_shown = self.day_first || self.month_first;
        Order { day_first: self.day_first || is_day_first && !is_shown, ..self }
    }

    fn day_and_month(self, first: i8, separator: &str, second: i8) -> Option<(i8, i8)> {
        match (first, second) {
            _ if separator == "." => Some((first, second)),
            (13.., _) => Some((first, second)),
            (_, 13..) => Some((second, first)),
            _ if first == second || (self.day_first && !self.month_first) => Some((first, second)),
            _ if self.month_first && !self.day_first => Some((second, first)),
            // Where the month comes first, dates are written with slashes.
            _ if separator == "-" && !self.month_first => Some((first, second)),
            _ => None,
        }
    }
}

/// Names of months in the languages of the interface, folded and without articles.
static MONTHS: LazyLock<Vec<(String, i8)>> = LazyLock::new(|| {
    let mut months = Vec::new();
    for language in i18n::languages() {
        for month in 1..=12 {
            let name = fold(i18n::phrases(language)[format!("month_{month}").as_str()]);
            let name = name.trim_start_matches("de ").trim_start_matches("d'").trim_start_matches("d’");
            months.push((name.to_owned(), month));
        }
    }
    months
});

/// The month with this name, or the only one that starts with it.
fn month(word: &str) -> Option<i8> {
    let is_named = |name: &str| name == word || (word.chars().count() >= 3 && name.starts_with(word));
    let found: BTreeSet<i8> =
        MONTHS.iter().filter(|(name, _)| is_named(name)).map(|(_, month)| *month).collect();
    if found.len() == 1 { found.first().copied() } else { None }
}

fn year(text: &str) -> Option<i16> {
    let year: i16 = text.parse().ok()?;
    Some(if text.len() > 2 {
        year
    } else if year < 70 {
        year + 2000
    } else {
        year + 1900
    })
}

/// Whether a text is a date, in either order.
pub(super) fn is_date(text: &str) -> bool {
    read(text, Order { day_first: true, month_first: false }).is_ok()
}

/// Reads a date; without a zone it is in UTC.
///
/// # Errors
/// A sentence that says what to write.
pub(super) fn read(text: &str, order: Order) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Some(at) = text.parse::<Timestamp>().ok().or_else(|| counted(text)) {
        return Ok(at);
    }
    let unreadable = || format!("\"{text}\" is not a time: write 2022-10-17T08:00:00Z");
    let folded = fold(text);
    let (date, rest) = if let Some(found) = ISO.captures(&folded) {
        let part = |at: usize| found[at].parse::<i8>().ok();
        (date(year(&found[1]), part(2), part(3)), found.get(4))
    } else if let Some(found) = NUMBERS.captures(&folded) {
        let part = |at: usize| found[at].parse::<i8>().unwrap_or(0);
        let Some((day, month)) = order.day_and_month(part(1), &found[2], part(3)) else {
            return Err(format!(
                "\"{text}\" is ambiguous, and no other date in the table shows whether the day or the month is first: write it as 2022-10-17"
            ));
        };
        (date(year(&found[4]), Some(month), Some(day)), found.get(5))
    } else if let Some(found) = DAY_WORD.captures(&folded) {
        (date(year(&found[3]), month(&found[2]), found[1].parse().ok()), found.get(4))
    } else if let Some(found) = WORD_DAY.captures(&folded) {
        (date(year(&found[3]), month(&found[1]), found[2].parse().ok()), found.get(4))
    } else {
        return Err(unreadable());
    };
    let rest = rest.map_or("", |rest| rest.as_str());
    date.and_then(|date| at_time(date, rest)).ok_or_else(unreadable)
}

fn date(year: Option<i16>, month: Option<i8>, day: Option<i8>) -> Option<Date> {
    Date::new(year?, month?, day?).ok()
}

/// Seconds or milliseconds since 1970, or a spreadsheet's serial date.
fn counted(text: &str) -> Option<Timestamp> {
    let number: f64 =
        text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))?;
    let whole = number as i64;
    match text.split('.').next().map_or(0, str::len) {
        5 if SERIAL_DAYS.contains(&whole) => {
            Timestamp::from_second(((number - 25_569.0) * 86_400.0).round() as i64).ok()
        }
        10 => Timestamp::from_second(whole).ok(),
        13 => Timestamp::from_millisecond(whole).ok(),
        8 => DateTime::strptime("%Y%m%d %H", format!("{text} 00")).ok().and_then(|at| zoned(at, Offset::UTC)),
        14 => DateTime::strptime("%Y%m%d%H%M%S", text).ok().and_then(|at| zoned(at, Offset::UTC)),
        _ => None,
    }
}

fn zoned(at: DateTime, offset: Offset) -> Option<Timestamp> {
    TimeZone::fixed(offset).to_timestamp(at).ok()
}

/// The date with the time that follows it; midnight if there is none.
fn at_time(date: Date, rest: &str) -> Option<Timestamp> {
    if rest.trim().is_empty() {
        return zoned(date.to_datetime(Time::midnight()), Offset::UTC);
    }
    let found = TIME.captures(rest)?;
    let part = |at: usize| found.get(at).map_or(Some(0), |part| part.as_str().parse::<i8>().ok());
    let mut hour = part(1)?;
    match found.get(4).map(|half| half.as_str().starts_with('p')) {
        Some(true) if hour < 12 => hour += 12,
        Some(false) if hour == 12 => hour = 0,
        _ => {}
    }
    let offset = found.get(5).map_or(Some(Offset::UTC), |zone| {
        let Some(digits) = zone.as_str().strip_prefix(['+', '-']) else { return Some(Offset::UTC) };
        let digits = digits.replace(':', "");
        let seconds = digits[..2].parse::<i32>().ok()? * 3600
            + digits.get(2..4).unwrap_or("0").parse::<i32>().ok()? * 60;
        Offset::from_seconds(if zone.as_str().starts_with('-') { -seconds } else { seconds }).ok()
    })?;
    zoned(date.to_datetime(Time::new(hour, part(2)?, part(3)?, 0).ok()?), offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_other_programs_are_read_as_they_are_meant() {
        for (text, want) in [
            ("2021-02-03", "2021-02-03T00:00:00Z"),
            ("2021-02-03 10:11:12", "2021-02-03T10:11:12Z"),
            ("2024-01-02 03:04:05.678+00", "2024-01-02T03:04:05Z"),
            ("2024-01-02 03:04:05 -0500", "2024-01-02T08:04:05Z"),
            ("2024-01-02T10:00:00.000Z", "2024-01-02T10:00:00Z"),
            ("2021/2/3 4:05 PM", "2021-02-03T16:05:00Z"),
            ("03.02.2021 um 09:30", "2021-02-03T09:30:00Z"),
            ("31/12/2020 23:59", "2020-12-31T23:59:00Z"),
            ("12/31/20 12:05 AM", "2020-12-31T00:05:00Z"),
            ("05/05/2021", "2021-05-05T00:00:00Z"),
            ("3 févr. 2021", "2021-02-03T00:00:00Z"),
            ("3 de febrero de 2021", "2021-02-03T00:00:00Z"),
            ("1er août 2021 à 10h30", "2021-08-01T10:30:00Z"),
            ("Feb 3, 2021 4:05 pm", "2021-02-03T16:05:00Z"),
            ("Wednesday, February 3rd, 2021", "2021-02-03T00:00:00Z"),
            ("3-Feb-21", "2021-02-03T00:00:00Z"),
            ("2021年2月3日", "2021-02-03T00:00:00Z"),
            ("44230", "2021-02-03T00:00:00Z"),
            ("44230.5", "2021-02-03T12:00:00Z"),
            ("1612310400", "2021-02-03T00:00:00Z"),
            ("1612310400000", "2021-02-03T00:00:00Z"),
            ("20210203", "2021-02-03T00:00:00Z"),
        ] {
            let at = read(text, Order::default()).map(|at| at.to_string()[..19].to_owned() + "Z");
            assert_eq!(at.as_deref(), Ok(want), "{text}");
        }
        for text in ["soon", "2021-13-01", "31/31/2021", "03/02/2021", "12", "2021-02-30", "x 2021"] {
            assert!(read(text, Order::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn which_number_is_the_day_is_learnt_and_not_guessed() {
        let read = |table: &[&str]| {
            let order = Order::learn(table.iter().copied());
            read("03/02/2021", order).map(|at| at.to_string()[5..10].to_owned())
        };
        assert_eq!(read(&["01/02/2020", "25/02/2020 10:00"]).as_deref(), Ok("02-03"));
        assert_eq!(read(&["01/02/2020", "2/25/20"]).as_deref(), Ok("03-02"));
        assert!(read(&["01/02/2020", "2020-02-25"]).unwrap_err().contains("is ambiguous"));
        assert!(read(&["25/02/2020", "02/25/2020"]).is_err(), "both orders");
    }
}
