//! Dates as people write them on pages, in French, English and Spanish. A text without a whole day is no date:
//! nothing is made up, save the year of "1er mars", which is the last one that had that day.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::source::DateOrder;
use crate::support::text::fold;

/// What a page does not say of its dates.
#[derive(Debug, Clone, Copy)]
pub struct DateRules {
    /// What 03/04/2022 means.
    pub order: DateOrder,
    /// For dates without a year; without it they are no dates.
    pub today: Option<Date>,
}

/// Text searched for a date, in characters: a card's line, not an article.
const CHARS_MAX: usize = 400;

const MONTHS: [&[&str]; 12] = [
    &["janvier", "janv", "january", "jan", "enero", "ene", "januar", "janeiro", "gennaio"],
    &["fevrier", "fevr", "fev", "february", "feb", "febrero", "februar", "fevereiro", "febbraio"],
    &["mars", "march", "mar", "marzo", "marz", "maerz", "marco"],
    &["avril", "avr", "april", "apr", "abril", "abr", "aprile"],
    &["mai", "may", "mayo", "maio", "maggio"],
    &["juin", "june", "jun", "junio", "juni", "junho", "giugno"],
    &["juillet", "juil", "july", "jul", "julio", "juli", "julho", "luglio"],
    &["aout", "august", "aug", "agosto", "ago", "aou"],
    &["septembre", "september", "sept", "sep", "septiembre", "setiembre", "set", "setembro", "settembre"],
    &["octobre", "october", "oct", "octubre", "oktober", "okt", "outubro", "ottobre"],
    &["novembre", "november", "nov", "noviembre", "novembro"],
    &["decembre", "december", "dec", "diciembre", "dic", "dezember", "dez", "dezembro", "dicembre"],
];

/// The first date in a text, at midnight UTC.
pub fn find_date(text: &str, rules: DateRules) -> Option<Timestamp> {
    let head: String = text.chars().take(CHARS_MAX).collect();
    let folded = fold(&head);
    let tokens = tokens(&folded);
    let full = (0..tokens.len()).find_map(|at| full_date(&tokens[at..], rules.order));
    let date =
        full.or_else(|| (0..tokens.len()).find_map(|at| yearless_date(&tokens[at..], rules.today?)))?;
    jiff::tz::Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
}

/// Numbers, words, and the separators that mean something between numbers.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same: fn(char) -> bool = if first.is_ascii_digit() {
            |c| c.is_ascii_digit()
        } else if first.is_alphabetic() {
            char::is_alphabetic
        } else {
            |_| false
        };
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let token = &rest[..end];
        if first.is_alphanumeric() || matches!(first, '/' | '-' | '.') {
            tokens.push(token);
        }
        rest = &rest[end..];
    }
    tokens
}

/// Whether a text says nothing but a day, a month, a year or a time of day.
pub fn is_date_only(text: &str) -> bool {
    const DAYS: [&str; 40] = [
        "lundi",
        "mardi",
        "mercredi",
        "jeudi",
        "vendredi",
        "samedi",
        "dimanche",
        "lun",
        "mer",
        "jeu",
        "ven",
        "sam",
        "dim",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
        "lunes",
        "martes",
        "miercoles",
        "jueves",
        "viernes",
        "sabado",
        "domingo",
        "mie",
        "jue",
        "vie",
        "sab",
        "dom",
        "am",
    ];
    const FILLERS: [&str; 24] = [
        "le",
        "de",
        "del",
        "du",
        "el",
        "on",
        "at",
        "a",
        "er",
        "st",
        "nd",
        "rd",
        "th",
        "of",
        "pm",
        "h",
        "publie",
        "posted",
        "published",
        "publicado",
        "date",
        "fecha",
        "utc",
        "z",
    ];
    let folded = fold(text);
    let words: Vec<&str> =
        folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let is_part = |word: &&str| {
        word.bytes().all(|b| b.is_ascii_digit())
            || month(word).is_some()
            || DAYS.contains(word)
            || FILLERS.contains(word)
            || word.trim_end_matches(|c: char| c.is_ascii_alphabetic()).bytes().all(|b| b.is_ascii_digit())
                && FILLERS.contains(&word.trim_start_matches(|c: char| c.is_ascii_digit()))
    };
    words.iter().all(is_part)
}

fn month(token: &str) -> Option<i8> {
    MONTHS.iter().position(|names| names.contains(&token)).map(|at| at as i8 + 1)
}

fn number(token: &str, digits: std::ops::RangeInclusive<usize>) -> Option<i16> {
    digits.contains(&token.len()).then(|| token.parse().ok()).flatten()
}

fn year(token: &str) -> Option<i16> {
    number(token, 4..=4).filter(|year| (1970..=2100).contains(year))
}

fn day(token: &str) -> Option<i8> {
    number(token, 1..=2).and_then(|day| i8::try_from(day).ok()).filter(|day| (1..=31).contains(day))
}

/// Passes over what stands between the parts of a written date: ordinal endings, "de", "del", points.
fn skip_fillers<'a, 'b>(mut tokens: &'b [&'a str]) -> &'b [&'a str] {
    while let Some(first) = tokens.first().filter(|t| {
        matches!(**t, "er" | "st" | "nd" | "rd" | "th" | "e" | "o" | "de" | "del" | "of" | "." | "-" | "º")
    }) {
        let _ = first;
        tokens = &tokens[1..];
    }
    tokens
}

fn full_date(tokens: &[&str], order: DateOrder) -> Option<Date> {
    numeric_date(tokens, order).or_else(|| written_date(tokens, |rest| year(rest.first()?)))
}

/// `14 octobre 2022`, `5 de octubre de 2022`, `October 5, 2022`, the year read by `year_of`.
fn written_date(tokens: &[&str], year_of: impl Fn(&[&str]) -> Option<i16>) -> Option<Date> {
    let first = tokens.first()?;
    let second = skip_fillers(&tokens[1..]);
    let (day, month, rest) = match (day(first), month(first)) {
        (Some(day), _) => (day, month(second.first()?)?, &second[1..]),
        (_, Some(month)) => (self::day(second.first()?)?, month, &second[1..]),
        _ => return None,
    };
    Date::new(year_of(skip_fillers(rest))?, month, day).ok()
}

/// `2022-10-14`, `14/10/2022`, `14.10.22`.
fn numeric_date(tokens: &[&str], order: DateOrder) -> Option<Date> {
    let [a, separator, b, same, c, ..] = tokens else { return None };
    if separator != same || !matches!(*separator, "/" | "-" | ".") {
        return None;
    }
    if let Some(year) = year(a) {
        return Date::new(year, number(b, 1..=2)? as i8, day(c)?).ok();
    }
    let short_year =
        |token: &str| number(token, 2..=2).map(|short| if short < 70 { 2000 + short } else { 1900 + short });
    let last_year = || year(c).or_else(|| short_year(c));
    let pair = |token: &str| number(token, 1..=2).map(|value| value as i8);
    let (year, month, day) = match order {
        DateOrder::Dmy => (last_year()?, pair(b)?, pair(a)?),
        DateOrder::Mdy => (last_year()?, pair(a)?, pair(b)?),
        DateOrder::Ymd if year(c).is_none() => (short_year(a)?, pair(b)?, pair(c)?),
        DateOrder::Ymd => (last_year()?, pair(b)?, pair(a)?),
    };
    // 10/25/2022 can only be read one way, whatever the order says.
    Date::new(year, month, day).or_else(|_| Date::new(year, day, month)).ok()
}

/// `1er mars`, `Oct 5`: the last such day up to tomorrow.
fn yearless_date(tokens: &[&str], today: Date) -> Option<Date> {
    let latest = today.tomorrow().ok()?;
    let this_year = written_date(tokens, |_| Some(today.year()));
    this_year.filter(|date| *date <= latest).or_else(|| written_date(tokens, |_| Some(today.year() - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, order: DateOrder) -> Option<String> {
        let today = Date::new(2022, 10, 20).ok();
        find_date(text, DateRules { order, today }).map(|date| date.strftime("%Y-%m-%d").to_string())
    }

    #[test]
    fn three_languages_are_read() {
        for (text, want) in [
            ("14 octobre 2022", "2022-10-14"),
            ("Publié le 1er mars 2021 par Ana", "2021-03-01"),
            ("1er mars", "2022-03-01"),
            ("Le 3 décembre", "2021-12-03"),
            ("5 de octubre de 2022", "2022-10-05"),
            ("3 de enero del 2021", "2021-01-03"),
            ("17 Ene 2025", "2025-01-17"),
            ("Oct 5, 2022", "2022-10-05"),
            ("October 5th, 2022", "2022-10-05"),
            ("mar. 4 oct. 2022", "2022-10-04"),
            ("Tag, Tag - 14/10/2022", "2022-10-14"),
            ("14.10.22", "2022-10-14"),
            ("News 24 May 2024", "2024-05-24"),
            ("2022-11-04T15:28:24+01:00", "2022-11-04"),
            ("févr. 9, 2020", "2020-02-09"),
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
    fn nothing_is_made_up() {
        for text in [
            "",
            "octobre 2022",
            "31 février 2022",
            "Du 10 au 14",
            "52407535119_9c897f8f99_o",
            "12 candidates",
            "v1.2.3",
            "2022",
            "may the 4",
        ] {
            assert_eq!(find(text, DateOrder::Dmy), None, "{text}");
        }
    }
}
