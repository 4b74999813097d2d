//! Dates as written on pages, in the languages of the interface. A text without a complete day is not a date: nothing is
//! invented, and a missing year has to come from the context (`DateRules::year`).

use jiff::civil::Date;
use jiff::{Span, Timestamp};

use super::calendar::{
    CALENDAR, DateRole, TextToken, TimeUnit, first_day, folded, is_all_dates, tokens, written,
};
use super::mention::{Mention, MentionSetting, mentions};
use crate::model::event::{Event, EventTime};
use crate::model::source::DateOrder;

/// What dates on a page leave open.
#[derive(Debug, Clone, Copy, Default)]
pub struct DateRules {
    /// How 03/04/2022 is read.
    pub order: DateOrder,
    /// The reference time for "yesterday"; without it, relative dates are ignored.
    pub now: Option<Timestamp>,
    /// The year for dates without one, if given by the context.
    pub year: Option<i16>,
    /// Whether the operator or the source told the order: else it is only the usual one.
    pub is_order_known: bool,
}

/// The first day of the year 2000: what was told from it is of a year that is one.
const BEFORE_ALL: Timestamp = Timestamp::constant(946_684_800, 0);

impl DateRules {
    /// The rules for a source of which the order may be known, at the time of a reading.
    pub fn told(order: Option<DateOrder>, now: Timestamp) -> DateRules {
        DateRules {
            order: order.unwrap_or_default(),
            now: Some(now),
            year: None,
            is_order_known: order.is_some(),
        }
    }

    /// The same at a time before what most pages tell: each day of theirs is still to come.
    pub(super) fn before_all(self) -> DateRules {
        DateRules { now: Some(BEFORE_ALL), ..self }
    }

    /// Only complete, absolute dates: in running text, "today" may refer to anything.
    pub fn strict(order: DateOrder) -> DateRules {
        DateRules { order, now: None, year: None, is_order_known: false }
    }
}

/// The order of numeric dates shown by texts, if all unambiguous ones agree.
pub fn shown_order<'a>(texts: impl Iterator<Item = &'a str>) -> Option<DateOrder> {
    let mut shown = None;
    for text in texts.filter(|text| text.len() <= CHARS_MAX && text.contains(|c: char| c.is_ascii_digit())) {
        let folded = folded(text);
        let tokens = tokens(&folded);
        let proved = first_day(&folded, &tokens, DateOrder::Dmy, true).and_then(|found| found.proves);
        if proved.is_some() && shown.is_some() && proved != shown {
            return None;
        }
        shown = shown.or(proved);
    }
    shown
}

/// Days in figures whose order nothing proves: as they are with the day first, and with the month first.
#[derive(Debug, Default)]
pub(super) struct AmbiguousDates {
    pub day_first: Vec<Timestamp>,
    pub month_first: Vec<Timestamp>,
    /// Whether any has a time with a half of the day: "3:00 PM".
    pub has_half_day: bool,
}

impl AmbiguousDates {
    /// The days among texts.
    pub(super) fn of<'a>(texts: impl Iterator<Item = &'a str>) -> AmbiguousDates {
        let mut open = AmbiguousDates::default();
        for text in
            texts.filter(|text| text.len() <= CHARS_MAX && text.contains(|c: char| c.is_ascii_digit()))
        {
            let folded = folded(text);
            let tokens = tokens(&folded);
            let day = |order| first_day(&folded, &tokens, order, true);
            let Some(found) = day(DateOrder::Dmy).filter(|found| found.is_ambiguous) else { continue };
            open.has_half_day |= has_half_day(&folded[tokens[found.to - 1].end()..]);
            open.day_first.extend(midnight(found.date));
            open.month_first.extend(day(DateOrder::Mdy).and_then(|found| midnight(found.date)));
        }
        open
    }

    /// Whether the month comes first, as in the United States: halves of the day in English, or a language of that country, say so,
    /// and neither the order of the list nor a day to come says otherwise. What is set as the language alone is often only what a
    /// program came with: then the other order must not be possible.
    pub(super) fn is_month_first(&self, language: Option<&str>, now: Option<Timestamp>) -> bool {
        let language = language.unwrap_or_default().to_ascii_lowercase().replace('_', "-");
        let is_american = matches!(language.as_str(), "en-us" | "es-us");
        let is_sorted = |days: &[Timestamp]| days.windows(2).all(|two| two[0] >= two[1]);
        let is_past = |days: &[Timestamp]| {
            let latest = now.map(|now| now + jiff::SignedDuration::from_hours(24));
            latest.is_none_or(|latest| days.iter().all(|day| *day <= latest))
        };
        let fits = |days: &[Timestamp]| (is_past(days), is_sorted(days));
        let (day_first, month_first) = (fits(&self.day_first), fits(&self.month_first));
        let is_contradicted = day_first.0 && !month_first.0 || day_first.1 && !month_first.1;
        let is_proved = month_first == (true, true) && day_first != (true, true);
        let is_said = self.has_half_day && (is_american || language == "en") || is_american && is_proved;
        !self.month_first.is_empty() && is_said && !is_contradicted
    }
}

/// Whether a text has a half of the day behind a figure: " 3:00 pm".
pub(super) fn has_half_day(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace().map(|word| word.to_ascii_lowercase());
    words.any(|word| {
        let half = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
        matches!(half, "am" | "pm") && (half.len() < word.len() || text.contains(':'))
    })
}

/// How much of a text is searched for a date, in characters: a line of a card, not an article.
const CHARS_MAX: usize = 400;
/// What stands between a day told from today and who wrote, which is named in so many tokens with it: "hier par la mairie".
const BY: [&str; 7] = ["par", "by", "por", "von", "da", "per", "door"];
const AUTHOR_TOKENS_MAX: usize = 5;
/// Maximum length of a relative date, in tokens: "Publié il y a 3 jours, à 10 h".
const RELATIVE_TOKENS_MAX: usize = 16;

/// The date that a text gives, at midnight UTC: the day of publication if it names one, else the first day that is no deadline.
pub fn find_date(text: &str, rules: DateRules) -> Option<Timestamp> {
    let found = StatedDates::of(text, rules, DateContext::Named);
    let event = || found.event.as_ref().map(|event| event.begin.date());
    found.published.or_else(event).or(found.updated).and_then(midnight)
}

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateContext {
    /// In an element that is named as a date's: any day in it counts.
    Named,
    /// Anywhere: a day counts if the text says of what it is, or if it stands for itself.
    Text,
    /// In a title, where a day beside words is part of it.
    Title,
}

/// What a text says of the entry that it stands by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatedDates {
    pub published: Option<Date>,
    /// Whether it says so: "Publié le".
    pub is_said: bool,
    pub updated: Option<Date>,
    pub event: Option<Event>,
}

impl StatedDates {
    /// Reads a text; days from today and days without a year count only where `rules` give what they lack.
    pub fn of(text: &str, rules: DateRules, field: DateContext) -> StatedDates {
        // Most texts name no day, and are many.
        if rules.now.is_none() && !text.contains(char::is_numeric) {
            return StatedDates::default();
        }
        let head: String = text.chars().take(CHARS_MAX).collect();
        let folded = folded(&head);
        let tokens = tokens(&folded);
        let mut found = mentions(&folded, &tokens, rules.order, true);
        for mention in found.iter_mut().filter(|_| field == DateContext::Title) {
            if let Some(stand) = mention.stand_in_title {
                (mention.role, mention.stand) = (DateRole::Plain, stand);
            }
        }
        if found.is_empty() {
            let told = StatedDates::without_year(&tokens, rules);
            let is_said = told.is_said || told.updated.is_some();
            return if field == DateContext::Named || is_said { told } else { StatedDates::default() };
        }
        let stands = |mention: &&Mention| match field {
            DateContext::Named => true,
            DateContext::Text => mention.stand >= MentionSetting::Loose,
            DateContext::Title => mention.stand == MentionSetting::Apart,
        };
        let role = |wanted: DateRole| found.iter().find(move |mention| mention.role == wanted);
        // The day of a picture, the number of a section.
        let is_marked = head.contains(['©', '§']);
        // What has a time of day and is still to come is an event's.
        let is_to_come = |mention: &&Mention| {
            mention.time.is_some() && rules.now.is_some_and(|now| midnight(mention.date) > Some(now))
        };
        let plain =
            || found.iter().filter(|mention| mention.role == DateRole::Plain && !is_marked).filter(stands);
        let said = role(DateRole::Published);
        let event = found.iter().filter(stands).find(|mention| mention.role == DateRole::Event);
        // A zero taken for a date.
        let is_day = |date: &Date| !(date.year() == 1970 && date.day_of_year() <= 2);
        StatedDates {
            published: said
                .or_else(|| plain().find(|mention| !is_to_come(mention)))
                .map(|found| found.date)
                .filter(is_day),
            is_said: said.is_some(),
            updated: role(DateRole::Updated).map(|found| found.date),
            event: event.or_else(|| plain().find(is_to_come)).map(event_of),
        }
    }

    fn without_year(tokens: &[TextToken], rules: DateRules) -> StatedDates {
        let relative = rules.now.and_then(|now| relative_day(tokens, now));
        let Some((day, role)) = relative else {
            let published = rules.year.and_then(|year| yearless(tokens, year));
            return StatedDates { published, ..StatedDates::default() };
        };
        match role {
            DateRole::Updated => StatedDates { updated: Some(day), ..StatedDates::default() },
            _ => StatedDates {
                published: Some(day),
                is_said: role == DateRole::Published,
                ..StatedDates::default()
            },
        }
    }
}

fn event_of(mention: &Mention) -> Event {
    let begin = mention.begin.unwrap_or(mention.date);
    Event {
        begin: match mention.time.filter(|_| mention.begin.is_none()) {
            Some(time) => EventTime::Floating(begin.to_datetime(time)),
            None => EventTime::Day(begin),
        },
        end: mention.begin.map(|_| EventTime::Day(mention.date)),
        place: None,
    }
}

/// Midnight UTC.
pub fn midnight(date: Date) -> Option<Timestamp> {
    jiff::tz::Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
}

/// Month and day of a text that consists of nothing but a date without a year.
pub fn day_without_year(text: &str) -> Option<(i8, i8)> {
    let folded = folded(text);
    let tokens = tokens(&folded);
    if tokens.len() > RELATIVE_TOKENS_MAX
        || !is_all_dates(&tokens)
        || first_day(&folded, &tokens, DateOrder::Dmy, true).is_some()
    {
        return None;
    }
    // In a leap year, all days are valid.
    yearless(&tokens, 2000).map(|date| (date.month(), date.day()))
}

/// `1er mars`, `Oct 5`, in the year given.
fn yearless(tokens: &[TextToken], year: i16) -> Option<Date> {
    (0..tokens.len()).find_map(|at| written(tokens, at, |_| Some((year, 0)))).map(|found| found.date)
}

/// A year that stands alone, with a month or with the word for it ("Année 2025"), as in the heading of a group.
pub fn year_of_heading(text: &str) -> Option<i16> {
    let folded = folded(text);
    let tokens = tokens(&folded);
    let named = CALENDAR.units.at_start(&tokens).filter(|((unit, _), _)| matches!(unit, TimeUnit::Year));
    let tokens = &tokens[named.map_or(0, |(_, length)| length)..];
    let mut years = tokens.iter().filter_map(|token| super::calendar::year(token.text));
    let year = years.next()?;
    (tokens.len() <= 4 && years.next().is_none() && is_all_dates(tokens)).then_some(year)
}

/// "il y a 3 jours", "2 hours ago", "ayer": the day, if the text says nothing else.
fn relative_day(tokens: &[TextToken], now: Timestamp) -> Option<(Date, DateRole)> {
    if tokens.is_empty() || tokens.len() > RELATIVE_TOKENS_MAX {
        return None;
    }
    let (mut at, mut found, mut role) = (0, None, DateRole::Plain);
    while let Some(rest) = tokens.get(at..).filter(|rest| !rest.is_empty()) {
        let told = found.is_none().then(|| relative_at(rest, now)).flatten();
        if let Some((date, length)) = told {
            found = Some(date);
            at += length;
        } else {
            // Words around the relative date: "Publié", "à 10 h 30".
            if found.is_some() && rest.len() <= AUTHOR_TOKENS_MAX && BY.contains(&rest[0].text) {
                break;
            }
            let label = CALENDAR.labels.at_start(rest);
            let label = label.filter(|(role, _)| matches!(role, DateRole::Published | DateRole::Updated));
            role = label.filter(|_| found.is_none()).map_or(role, |(role, _)| role);
            let lengths = [
                CALENDAR.published.at_start(rest).map(|found| found.1),
                label.map(|found| found.1),
                CALENDAR.around.at_start(rest).map(|found| found.1),
                CALENDAR.times.at_start(rest).map(|found| found.1),
                (rest[0].is_separator() || rest[0].is_number() && found.is_some()).then_some(1),
            ];
            at += lengths.into_iter().flatten().max()?;
        }
    }
    found.map(|day| (day, role))
}

/// "2d", "5 h": an age where the element is there for one. Anywhere else, it is a time of day or a duration. Minutes and months share
/// a letter.
pub(super) fn short_age(text: &str, now: Timestamp) -> Option<Date> {
    let folded = folded(text);
    let tokens = tokens(&folded);
    let [count, unit] = &tokens[..] else { return None };
    let unit = match unit.text {
        "h" => TimeUnit::Hour,
        "d" => TimeUnit::Day,
        "w" => TimeUnit::Week,
        "y" => TimeUnit::Year,
        _ => return None,
    };
    let span = span(unit, count.text.parse().ok()?)?;
    Some(now.to_zoned_datetime(jiff::tz::TimeZone::UTC).checked_sub(span).ok()?.date())
}

/// What means "last" behind a unit without a count ("minggu lalu", "wiki iliyopita"): last week is no day.
const LAST: [&str; 3] = ["lalu", "iliyopita", "uliopita"];

/// A day relative to today at the start of the tokens, and its number of tokens.
fn relative_at(tokens: &[TextToken], now: Timestamp) -> Option<(Date, usize)> {
    let words = &*CALENDAR;
    let zoned = now.to_zoned_datetime(jiff::tz::TimeZone::UTC);
    let before = words.before.at_start(tokens).map_or(0, |found| found.1);
    let day_word = words.days_ago.at_start(tokens);
    let counted = || {
        let rest = tokens.get(before..)?;
        let (count, used) = match rest.first()?.text.parse::<i64>() {
            Ok(count) => (count, 1),
            Err(_) => words.numbers.at_start(rest).unwrap_or((1, 0)),
        };
        let ((unit, own), length) = words.units.at_start(rest.get(used..)?)?;
        // Swahili puts the count after the unit: "siku 2 zilizopita".
        let behind =
            rest.get(used + length).filter(|_| used == 0).and_then(|token| token.text.parse::<i64>().ok());
        let (count, used) = behind.map_or((count, used), |count| (count, 1));
        let end = before + used + length;
        let is_last = used == 0 && before == 0 && own == 1;
        if is_last && tokens.get(end).is_some_and(|token| LAST.contains(&token.text)) {
            return None;
        }
        let after = words.after.at_start(tokens.get(end..)?).map_or(0, |found| found.1);
        // "1 hour" alone is a duration.
        (before + after > 0).then_some((span(unit, count.checked_mul(own)?)?, end + after))
    };
    match (counted(), day_word) {
        (Some((span, length)), _) => Some((zoned.checked_sub(span).ok()?.date(), length)),
        (None, Some((days, length))) => {
            Some((zoned.checked_sub(Span::new().days(days)).ok()?.date(), length))
        }
        _ => None,
    }
}

fn span(unit: TimeUnit, count: i64) -> Option<Span> {
    let empty = Span::new();
    match unit {
        TimeUnit::Second => empty.try_seconds(count),
        TimeUnit::Minute => empty.try_minutes(count),
        TimeUnit::Hour => empty.try_hours(count),
        TimeUnit::Day => empty.try_days(count),
        TimeUnit::Week => empty.try_weeks(count),
        TimeUnit::Month => empty.try_months(count),
        TimeUnit::Year => empty.try_years(count),
    }
    .ok()
}

/// Whether a text consists of nothing but days, months, years and times of day.
pub fn is_date_only(text: &str) -> bool {
    is_all_dates(&tokens(&folded(text)))
}

/// What parts a date from the author or the topic on one line: "3 days ago · Council".
const LINE_PARTS: [char; 4] = ['·', '|', '•', '—'];

/// The day that one part of a line gives in relation to today, and nothing else.
pub(super) fn line_from_today(line: &str, now: Timestamp) -> Option<Date> {
    line.split(LINE_PARTS).find_map(|part| day_from_today(part, now))
}

/// Whether a text says nothing but how long ago something was: "il y a 2 heures".
pub(super) fn is_relative_only(text: &str) -> bool {
    day_from_today(text, Timestamp::UNIX_EPOCH).is_some()
}

/// Whether a text says nothing but how long something lasts or is ago: "2h".
pub(super) fn is_short_age(text: &str) -> bool {
    short_age(text, Timestamp::UNIX_EPOCH).is_some()
}

/// The year and the month that the heading of a group consists of: "Décembre 2025".
pub(super) fn month_of_heading(text: &str) -> Option<(i16, i8)> {
    let folded = folded(text);
    let tokens = tokens(&folded);
    let mut months = (0..tokens.len()).filter_map(|at| CALENDAR.months.at_start(&tokens[at..]));
    let month = months.next()?.0;
    let year = year_of_heading(text)?;
    (months.next().is_none() && tokens.iter().filter(|token| token.is_number()).count() == 1)
        .then_some((year, month))
}

/// Whether a text names a day that can be read, whatever it says of it.
pub(super) fn names_a_day(text: &str) -> bool {
    let folded = folded(text);
    !mentions(&folded, &tokens(&folded), DateOrder::Dmy, true).is_empty()
}

/// Whether a text names a day with a time of day, or several days: on a calendar, when something takes place.
pub(super) fn names_hours(text: &str) -> bool {
    let folded = folded(text);
    let found = mentions(&folded, &tokens(&folded), DateOrder::Dmy, true);
    found.iter().any(|mention| {
        mention.role != DateRole::Published
            && (mention.begin.is_some()
                || mention.time.is_some_and(|time| time != jiff::civil::Time::midnight()))
    })
}

/// Month and day of a text that consists of their figures: "24/11", "24.11.".
pub(super) fn day_in_figures(text: &str, order: DateOrder) -> Option<(i8, i8)> {
    let (first, second) = text.trim().trim_end_matches('.').split_once(['/', '.'])?;
    let figure = |part: &str| part.parse::<i8>().ok().filter(|_| (1..=2).contains(&part.len()));
    let (first, second) = (figure(first)?, figure(second)?);
    let (day, month) = if order == DateOrder::Mdy { (second, first) } else { (first, second) };
    // In a leap year, all days are valid.
    Date::new(2000, month, day).ok().map(|date| (date.month(), date.day()))
}

/// A day of a month that is named elsewhere, and whether something says that it is one: "18/12", "jeudi 18"; not "18".
pub(super) fn day_of_month(text: &str, (year, month): (i16, i8), order: DateOrder) -> Option<(Date, bool)> {
    let folded = folded(text);
    let tokens = tokens(&folded);
    let number = |token: &TextToken| token.text.parse::<i8>().ok().filter(|_| token.text.len() <= 2);
    let date = |day: i8| Date::new(year, month, day).ok();
    let weekday = CALENDAR.weekdays.at_start(&tokens);
    let rest = &tokens[weekday.map_or(0, |found| found.1)..];
    let is_short = weekday.is_some() && rest.first().is_some_and(TextToken::is_separator);
    match &rest[usize::from(is_short)..] {
        [first, sign, second] if sign.is_separator() => {
            let (day, of) = if order == DateOrder::Mdy { (second, first) } else { (first, second) };
            date(number(day)?).filter(|_| number(of) == Some(month)).map(|date| (date, true))
        }
        [day] => {
            let date = date(number(day)?)?;
            let is_that_weekday =
                weekday.is_none_or(|(weekday, _)| weekday == date.weekday().to_monday_one_offset());
            is_that_weekday.then_some((date, weekday.is_some()))
        }
        _ => None,
    }
}

/// The day that a text gives in relation to today; nothing else may stand in it.
pub fn day_from_today(text: &str, now: Timestamp) -> Option<Date> {
    relative_day(&tokens(&folded(text)), now).map(|found| found.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, order: DateOrder) -> Option<String> {
        let now = "2022-10-20T12:00:00Z".parse().ok();
        find_date(text, DateRules { order, now, year: None, is_order_known: false })
            .map(|date| date.strftime("%Y-%m-%d").to_string())
    }

    #[test]
    fn dates_are_read_as_people_write_them() {
        for (text, want) in [
            ("14 octobre 2022", "2022-10-14"),
            ("Publié le 1er mars 2021 par Ana", "2021-03-01"),
            ("5 de octubre de 2022", "2022-10-05"),
            ("3 de enero del 2021", "2021-01-03"),
            ("17 Ene 2025", "2025-01-17"),
            ("Oct 5, 2022", "2022-10-05"),
            ("October 5th, 2022", "2022-10-05"),
            ("mar. 4 oct. 2022", "2022-10-04"),
            ("mardi 4 octobre 2022", "2022-10-04"),
            ("Tag, Tag - 14/10/2022", "2022-10-14"),
            ("14.10.22", "2022-10-14"),
            ("10/oct/2022", "2022-10-10"),
            ("Posted on 14.10.22 | Ana", "2022-10-14"),
            ("Veröffentlicht am 14. Oktober 2022", "2022-10-14"),
            ("14 октября 2022 г.", "2022-10-14"),
            ("2022年10月14日", "2022-10-14"),
            ("News 24 May 2024", "2024-05-24"),
            ("2022-11-04T15:28:24+01:00", "2022-11-04"),
            ("févr. 9, 2020", "2020-02-09"),
            ("14 تشرين الأول/أكتوبر 2022", "2022-10-14"),
            ("14 تشرين الأول (أكتوبر) 2022", "2022-10-14"),
            ("14.X.2022", "2022-10-14"),
            ("14/X/2022", "2022-10-14"),
        ] {
            assert_eq!(find(text, DateOrder::Dmy).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn the_order_decides_what_numbers_mean() {
        assert_eq!(find("03/04/2022", DateOrder::Dmy).as_deref(), Some("2022-04-03"));
        assert_eq!(find("03/04/2022", DateOrder::Mdy).as_deref(), Some("2022-03-04"));
        assert_eq!(find("10/25/2022", DateOrder::Dmy).as_deref(), Some("2022-10-25"));
        assert_eq!(find("22/10/14", DateOrder::Ymd).as_deref(), Some("2022-10-14"));
    }

    #[test]
    fn the_month_comes_first_where_all_of_a_list_says_so() {
        let now = "2022-11-29T12:00:00Z".parse().ok();
        let is_month_first = |texts: &[&str], language: &str| {
            AmbiguousDates::of(texts.iter().copied()).is_month_first(Some(language), now)
        };
        let halves = ["11/12/2022 3:00 PM", "10/12/2022 3:00 PM", "10/05/2022 9:00 AM"];
        assert!(is_month_first(&halves, "en-US") && is_month_first(&halves, "en"));
        assert!(!is_month_first(&halves, "en-GB") && !is_month_first(&halves, "es-CO"));
        let plain = ["11/12/2022", "10/12/2022", "10/05/2022"];
        assert!(is_month_first(&plain, "en-us") && !is_month_first(&plain, "en"));
        let other = ["12/11/2022 3:00 PM", "12/10/2022 3:00 PM", "05/10/2022 9:00 AM"];
        assert!(!is_month_first(&other, "en-US"), "that would lie ahead");
        assert!(!is_month_first(&["05/04/2022", "03/04/2022"], "en-US"), "both are possible");
    }

    #[test]
    fn days_told_from_today_are_read_where_nothing_else_is_said() {
        for (text, want) in [
            ("il y a 3 jours", "2022-10-17"),
            ("Publié il y a une semaine", "2022-10-13"),
            ("hace 2 horas", "2022-10-20"),
            ("hace 14 horas", "2022-10-19"),
            ("hace 1 mes", "2022-09-20"),
            ("3 days ago", "2022-10-17"),
            ("yesterday at 10:30", "2022-10-19"),
            ("avant-hier", "2022-10-18"),
            ("vor zwei Tagen", "2022-10-18"),
            ("ieri", "2022-10-19"),
            ("2 giorni fa", "2022-10-18"),
            ("fa 2 dies", "2022-10-18"),
            ("há 2 dias", "2022-10-18"),
            ("2 dagen geleden", "2022-10-18"),
            ("2 дня назад", "2022-10-18"),
            ("2 дні тому", "2022-10-18"),
            ("2 hari yang lalu", "2022-10-18"),
            ("siku 2 zilizopita", "2022-10-18"),
            ("منذ يومين", "2022-10-18"),
            ("3天前", "2022-10-17"),
            ("1 wk ago", "2022-10-13"),
            ("2 yrs ago", "2020-10-20"),
            ("昨天", "2022-10-19"),
            ("il y a 2 jours par la mairie", "2022-10-18"),
            ("yesterday by Ana", "2022-10-19"),
        ] {
            assert_eq!(find(text, DateOrder::Dmy).as_deref(), Some(want), "{text}");
        }
        for text in [
            "last week",
            "Published last month",
            "la semaine dernière",
            "le mois dernier",
            "la semana pasada",
            "el mes pasado",
            "letzte Woche",
            "la settimana scorsa",
            "na semana passada",
            "vorige week",
            "на прошлой неделе",
            "minggu lalu",
            "wiki iliyopita",
            "上周",
            "الأسبوع الماضي",
            "Ce que dit hier le maire",
            "What was new 3 days ago in town",
            "1 hour",
            "Plan for today",
            "2d",
            "18h",
            "9 h",
        ] {
            assert_eq!(find(text, DateOrder::Dmy), None, "{text}");
        }
    }

    fn told(text: &str, field: DateContext) -> StatedDates {
        let now = "2022-10-20T12:00:00Z".parse().ok();
        StatedDates::of(
            text,
            DateRules { order: DateOrder::Dmy, now, year: None, is_order_known: false },
            field,
        )
    }

    #[test]
    fn a_day_within_a_sentence_is_not_that_of_publication() {
        for text in [
            "Le marché se tient depuis le 3 mai 2021 sur la place.",
            "Retour sur la fête du 12 septembre 2022.",
            "Arrêté du 3 mars 2021",
            "Le 3 mai 2021, la ville a ouvert un centre de santé pour tous les habitants.",
            "Since 3 May 2021 the library has been closed.",
        ] {
            assert_eq!(told(text, DateContext::Text), StatedDates::default(), "{text}");
        }
        for (text, day) in [
            ("14/10/2022 : La halle rouvre", "2022-10-14"),
            ("Par Luc, le 14 octobre 2022", "2022-10-14"),
            ("Deportes | 14 de octubre de 2022", "2022-10-14"),
            ("Actualités 14/10/2022", "2022-10-14"),
            ("La ville a mis en ligne le 14 octobre 2022 son nouveau site.", "2022-10-14"),
            ("20 Oct 22", "2022-10-20"),
            ("20 OCT '22", "2022-10-20"),
            ("Bogotá D. C., 14 de octubre de 2022.", "2022-10-14"),
        ] {
            let found = told(text, DateContext::Text).published.map(|day| day.to_string());
            assert_eq!(found.as_deref(), Some(day), "{text}");
        }
        assert_eq!(told("Vœux du maire 14 octobre 2022", DateContext::Title).published, None);
        assert_eq!(told("20 oct 22 h", DateContext::Named).published, None, "a time of day is no year");
        for (text, is_title) in [
            ("Une rue modifiée – 14 octobre 2022", true),
            ("Los horarios actualizados del museo (14/10/2022)", true),
            ("Eine Strasse geändert und gesperrt - 14.10.2022", true),
            ("Mis à jour – 14 octobre 2022", false),
            ("La rue sera modifiée le 14 octobre 2022", false),
        ] {
            let told = told(text, DateContext::Title);
            assert_eq!((told.published.is_some(), told.updated.is_some()), (is_title, !is_title), "{text}");
        }
    }

    #[test]
    fn a_deadline_is_none_in_any_language() {
        for text in [
            "Deadline: 14 October 2022",
            "Date limite : 14/10/2022",
            "Inscriptions jusqu'au 14 octobre 2022",
            "Plazo: hasta el 14/10/2022",
            "Einsendeschluss: 14.10.2022",
            "Scadenza: 14/10/2022",
            "Data límit: 14/10/2022",
            "Uiterlijk 14 oktober 2022",
            "Prazo: até 14/10/2022",
            "Срок: до 14.10.2022",
            "Кінцевий термін: 14.10.2022",
            "Batas waktu: 14/10/2022",
            "Mwisho: 14/10/2022",
            "آخر موعد: 14/10/2022",
            "截止日期：2022年10月14日",
        ] {
            assert_eq!(told(text, DateContext::Named), StatedDates::default(), "{text}");
        }
        for span in ["Plazo: del 1 al 12 de noviembre de 2022", "Inscripción - plazo: 1/11/2022 - 12/11/2022"]
        {
            assert_eq!(told(span, DateContext::Named), StatedDates::default(), "{span}");
        }
        let both = told("Fecha límite: 30/10/2022 - Publicado: 14/10/2022", DateContext::Text);
        assert_eq!(both.published.unwrap().to_string(), "2022-10-14");
    }

    #[test]
    fn several_days_and_a_time_to_come_are_an_event() {
        let event = |text: &str| {
            let event = told(text, DateContext::Named).event?;
            Some((event.begin.to_string(), event.end.map(|end| end.to_string())))
        };
        for (text, begin, end) in [
            ("Du 4 au 12 novembre 2022", "2022-11-04", Some("2022-11-12")),
            ("Del 28 de noviembre al 3 de diciembre de 2022", "2022-11-28", Some("2022-12-03")),
            ("28 Dec - 3 Jan 2023", "2022-12-28", Some("2023-01-03")),
            ("04/11/2022 - 12/11/2022", "2022-11-04", Some("2022-11-12")),
            ("vom 4. bis 12. November 2022", "2022-11-04", Some("2022-11-12")),
            ("Samedi 5 novembre 2022 à 18 h 30", "2022-11-05T18:30:00", None),
            ("28.11. – 12.12.2022", "2022-11-28", Some("2022-12-12")),
            ("28.12.–03.01.2023", "2022-12-28", Some("2023-01-03")),
            ("28. Nov. – 3. Dez. 2022", "2022-11-28", Some("2022-12-03")),
            ("Nov 28 - Dec 3, 2022", "2022-11-28", Some("2022-12-03")),
            ("28/11 au 03/12/2022", "2022-11-28", Some("2022-12-03")),
            ("28/11 > 03/12/2022", "2022-11-28", Some("2022-12-03")),
            ("Mostra 28/11 a 03/12/2022", "2022-11-28", Some("2022-12-03")),
            ("28 novembre → 3 dicembre 2022", "2022-11-28", Some("2022-12-03")),
            ("4 et 5 novembre 2022", "2022-11-04", Some("2022-11-05")),
            ("Concert 4 & 5 novembre 2022", "2022-11-04", Some("2022-11-05")),
        ] {
            assert_eq!(event(text), Some((begin.to_owned(), end.map(str::to_owned))), "{text}");
            assert_eq!(told(text, DateContext::Named).published, None, "{text}");
        }
        assert_eq!(event("Samedi 15 octobre 2022 à 18 h 30"), None, "what is past may be a publication");
        assert_eq!(event("Bulletin 12 - 14 mai 2022"), None);
        let found = find("Dec 2 - Dec 12, 2022", DateOrder::Dmy);
        assert!(found.is_none_or(|day| day.starts_with("2022")), "the second day is no year of the first");
    }

    #[test]
    fn a_change_is_told_from_the_publication() {
        for text in [
            "Mis à jour le 9 octobre 2022, publié le 4 octobre 2022",
            "Publié le 4 octobre 2022 — modifié le 9 octobre 2022",
            "4 octobre 2022, mis à jour le 9 octobre 2022",
            "4 octobre 2022, mis à jour le 09/10/2022",
            "4 octobre 2022. Dernière modification : 9 octobre 2022",
            "4 de outubro de 2022, atualizado em 9 de outubro de 2022",
        ] {
            let told = told(text, DateContext::Text);
            let days = (told.published.unwrap().to_string(), told.updated.unwrap().to_string());
            assert_eq!(days, ("2022-10-04".to_owned(), "2022-10-09".to_owned()), "{text}");
        }
        for text in [
            "Bijgewerkt op 9 oktober 2022",
            "Última modificación: 09/10/2022",
            "última modificação 09/10/2022 10h00",
            "Última modificació: 9 octubre 2022",
            "Letzte Änderung: 09.10.2022",
            "Stand: 09.10.2022",
            "Laatste wijziging 9 oktober 2022",
        ] {
            let told = told(text, DateContext::Text);
            let day = told.updated.map(|day| day.to_string());
            assert_eq!((told.published, day.as_deref()), (None, Some("2022-10-09")), "{text}");
        }
        let stand = told("Stand de tir - 09/10/2022", DateContext::Text).published;
        assert_eq!(stand.unwrap().to_string(), "2022-10-09");
    }

    #[test]
    fn a_year_comes_from_around_or_not_at_all() {
        let rules = DateRules { year: Some(2021), ..DateRules::default() };
        assert_eq!(find_date("1er mars", rules).unwrap().to_string(), "2021-03-01T00:00:00Z");
        assert_eq!(day_without_year("Dec 20"), Some((12, 20)));
        assert_eq!(day_without_year("20 décembre 2022"), None);
        assert_eq!(year_of_heading("Octobre 2022"), Some(2022));
        assert_eq!(year_of_heading("Rapport 2022"), None);
    }

    #[test]
    fn nothing_is_made_up() {
        for text in [
            "",
            "octobre 2022",
            "1er mars",
            "Le 3 décembre",
            "31 février 2022",
            "31/06/2022",
            "Du 10 au 14",
            "52407535119_9c897f8f99_o",
            "12 candidates",
            "v1.2.3",
            "2022",
            "may the 4",
            "Para niños de 10-12-14 años, en la escuela",
            "Décision (section 3.1.10)",
            "Version 1.3.22",
            "Version 10.12.22",
            "Version 10.12.2022",
            "Art. 4.10.2022",
            "Réf. 2022-10-14",
            "Tél. 01.42.12.10.14",
            "Tel 06/12/10/14/22",
            "12.10.22 €",
            "10.12.14.16",
            "Lun-Ven 9-12 14-18",
            "1er janvier 1970",
            "Art. 5.X.2022",
        ] {
            assert_eq!(find(text, DateOrder::Dmy), None, "{text}");
        }
    }
}
