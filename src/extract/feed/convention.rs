//! How a feed writes its dates: which of day and month comes first, and where a year of two figures stands. Each date that can be read
//! in one way only shows it for the others; what nothing shows is no date.

use std::borrow::Cow;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::extract::date::{ReadDate, is_short, read_date};
use crate::extract::prose_date::{DateRules, day_from_today, has_half_day, midnight};
use crate::model::source::DateOrder;

/// What is announced is not further ahead.
const FAR_AHEAD: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Where a year of two figures stands among three of two figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShortYear {
    First,
    Last,
}

/// How a feed writes its dates.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::extract) struct DateConvention {
    pub(super) order: DateOrder,
    /// The reference time for "yesterday"; without it, relative dates are ignored.
    now: Option<Timestamp>,
    /// Number of dates that can only be read with the day first, and with the month first.
    day_first: usize,
    month_first: usize,
    /// Whether there are dates whose meaning depends on the order.
    pub(super) is_ambiguous: bool,
    /// Whether such a date has a half of the day.
    pub(super) has_half_day: bool,
    /// Where the year stands in 05-11-26, if that is known.
    short_year: Option<ShortYear>,
    /// Number of dates such as 28-11-26 that only fit with the year last, and with the year first.
    year_last: usize,
    year_first: usize,
    /// Whether there are such dates that fit both.
    is_year_open: bool,
}

impl DateConvention {
    /// What is known before anything was read.
    pub(in crate::extract) fn of(rules: DateRules) -> DateConvention {
        let short_year = rules.is_order_known.then_some(match rules.order {
            DateOrder::Ymd => ShortYear::First,
            DateOrder::Dmy | DateOrder::Mdy => ShortYear::Last,
        });
        DateConvention { order: rules.order, now: rules.now, short_year, ..DateConvention::default() }
    }

    /// The convention of a document with these dates.
    pub(in crate::extract) fn shown_by<'a>(
        texts: impl Iterator<Item = &'a str> + Clone,
        rules: DateRules,
    ) -> DateConvention {
        let mut seen = DateConvention::of(rules);
        texts.clone().for_each(|text| {
            seen.read(text);
        });
        let seen = seen.with_year_shown().map_or(seen, |mut again| {
            texts.for_each(|text| {
                again.read(text);
            });
            again
        });
        seen.in_order(seen.shown().unwrap_or(rules.order))
    }

    /// The same, before anything was read in an order.
    pub(super) fn in_order(&self, order: DateOrder) -> DateConvention {
        DateConvention { order, now: self.now, short_year: self.short_year, ..DateConvention::default() }
    }

    /// The same, where dates with a year of two figures were left open and others showed where it stands.
    pub(super) fn with_year_shown(&self) -> Option<DateConvention> {
        let short_year = match (self.year_first, self.year_last) {
            (1.., 0) => ShortYear::First,
            (0, 1..) => ShortYear::Last,
            _ => return None,
        };
        let is_open = self.is_year_open && self.short_year.is_none();
        is_open.then(|| DateConvention { short_year: Some(short_year), ..self.in_order(self.order) })
    }

    /// Where the year of two figures stands in a date: no feed has dates that far ahead.
    fn year_in(&mut self, text: &str, year_last: &str) -> Option<ShortYear> {
        let latest = self.now.map(|now| now + FAR_AHEAD);
        let fits = |text: &str| {
            let read = read_date(text, self.order);
            read.is_some_and(|read| latest.is_none_or(|latest| read.at <= latest))
        };
        match (fits(text), fits(year_last)) {
            (true, false) => {
                self.year_first += 1;
                Some(ShortYear::First)
            }
            (false, true) => {
                self.year_last += 1;
                Some(ShortYear::Last)
            }
            (true, true) => {
                self.is_year_open = true;
                self.short_year
            }
            (false, false) => None,
        }
    }

    /// Reads a date.
    pub(in crate::extract) fn read(&mut self, text: &str) -> Option<ReadDate> {
        let text = match with_year_last(text) {
            None => Cow::Borrowed(text),
            Some(year_last) => match self.year_in(text, &year_last)? {
                ShortYear::First => Cow::Borrowed(text),
                ShortYear::Last => Cow::Owned(year_last),
            },
        };
        let Some(read) = read_date(&text, self.order) else {
            let at = midnight(day_from_today(&text, self.now?)?)?;
            let read = ReadDate { at, updated: None, proves: None, is_ambiguous: false, is_from_today: true };
            return Some(read);
        };
        if is_short(&text) && self.now.is_some_and(|now| goes_on(&text, read.at, now)) {
            return None;
        }
        self.day_first += usize::from(read.proves == Some(DateOrder::Dmy));
        self.month_first += usize::from(read.proves == Some(DateOrder::Mdy));
        self.is_ambiguous |= read.is_ambiguous;
        self.has_half_day |= read.is_ambiguous && has_half_day(&text);
        Some(read)
    }

    pub(super) fn now(&self) -> Option<Timestamp> {
        self.now
    }

    /// The order that the dates showed, if they agree.
    pub(super) fn shown(&self) -> Option<DateOrder> {
        match (self.day_first, self.month_first) {
            (1.., 0) => Some(DateOrder::Dmy),
            (0, 1..) => Some(DateOrder::Mdy),
            (0, 0) if self.year_first > 0 && self.year_last == 0 => Some(DateOrder::Ymd),
            _ => None,
        }
    }
}

/// Whether the year or the month that a text names is not over yet: its first day is none on which anything was published that was
/// seen later in it.
fn goes_on(text: &str, first: Timestamp, now: Timestamp) -> bool {
    let first = first.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let next = match text.trim().contains('-') {
        true => Date::new(first.year() + i16::from(first.month() == 12), first.month() % 12 + 1, 1),
        false => Date::new(first.year() + 1, 1, 1),
    };
    next.ok().and_then(midnight).is_some_and(|next| now < next)
}

/// `28-11-26` with its last figures as a year of this century: `28-11-2026`.
fn with_year_last(text: &str) -> Option<String> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(8)?;
    let is_figures = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    let mut parts = date.split('-');
    let parts = [parts.next()?, parts.next()?, parts.next()?];
    let is_date =
        parts.iter().all(|part| is_figures(part)) && !rest.starts_with(|c: char| c.is_ascii_digit());
    is_date.then(|| format!("{}-{}-20{}{rest}", parts[0], parts[1], parts[2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The days that texts are read as together.
    fn days(texts: &[&str], rules: DateRules) -> Vec<Option<String>> {
        let rules = DateRules { now: "2022-10-20T12:00:00Z".parse().ok(), ..rules };
        let mut convention = DateConvention::shown_by(texts.iter().copied(), rules);
        let day = |text: &&str| Some(convention.read(text)?.at.strftime("%Y-%m-%d").to_string());
        texts.iter().map(day).collect()
    }

    fn some(days: &[&str]) -> Vec<Option<String>> {
        days.iter().map(|day| Some((*day).to_owned())).collect()
    }

    #[test]
    fn a_year_of_two_figures_stands_where_others_or_the_source_show_it_or_there_is_no_date() {
        let open = DateRules::default();
        assert_eq!(days(&["05-10-22"], open), [None]);
        assert_eq!(days(&["05-10-22", "06-10-21"], open), [None, None]);
        assert_eq!(days(&["27-09-22", "05-10-22 10:00"], open), some(&["2022-09-27", "2022-10-05"]));
        assert_eq!(days(&["22-09-27", "22-10-05"], open), some(&["2022-09-27", "2022-10-05"]));
        assert_eq!(days(&["22-09-27", "27-09-22", "05-10-22"], open)[2], None, "both orders");
        let known = |order| DateRules { order, is_order_known: true, ..DateRules::default() };
        assert_eq!(days(&["05-10-22"], known(DateOrder::Dmy)), some(&["2022-10-05"]));
        assert_eq!(days(&["05-10-22"], known(DateOrder::Mdy)), some(&["2022-05-10"]));
        assert_eq!(days(&["05-10-22"], known(DateOrder::Ymd)), some(&["2005-10-22"]));
    }

    #[test]
    fn a_year_or_a_month_that_goes_on_is_no_day() {
        for text in ["2022", "2022-10", " 2022 "] {
            assert_eq!(days(&[text], DateRules::default()), [None], "{text}");
        }
        assert_eq!(days(&["2021", "2022-09"], DateRules::default()), some(&["2021-01-01", "2022-09-01"]));
    }
}
