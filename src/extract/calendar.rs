//! Words used in dates (`calendar.txt`), and tokenization of texts for date parsing.

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::civil::Date;

use crate::model::source::DateOrder;
use crate::support::text::fold;

/// A number, a word, or a separator that is meaningful between numbers. Each ideograph is a token of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextToken<'a> {
    pub text: &'a str,
    pub start: usize,
}

impl TextToken<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(super) fn is_number(&self) -> bool {
        self.text.starts_with(|c: char| c.is_ascii_digit())
    }

    pub(super) fn is_separator(&self) -> bool {
        matches!(self.text, "/" | "-" | ".")
    }
}

/// A text as the words of the data file are compared with it: folded, with the digits and dashes of all scripts as in ASCII.
pub(super) fn folded(text: &str) -> String {
    let plain = fold(text);
    if plain.is_ascii() { plain } else { plain.chars().map(plain_sign).collect() }
}

/// Digits and dashes of other scripts as in ASCII. Arabic and Persian pages write dates with their own digits.
pub(super) fn plain_sign(c: char) -> char {
    const ZEROS: [u32; 3] = [0x660, 0x6F0, 0xFF10];
    let code = u32::from(c);
    let digit = ZEROS.iter().find_map(|zero| code.checked_sub(*zero).filter(|digit| *digit < 10));
    match (digit, c) {
        (Some(digit), _) => char::from_digit(digit, 10).unwrap_or(c),
        (None, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE63}' | '\u{FF0D}') => '-',
        (None, '\u{A0}' | '\u{2009}' | '\u{202F}') => ' ',
        (None, '\u{FF1A}') => ':',
        (None, '\u{2019}') => '\'',
        _ => c,
    }
}

/// Splits a folded text into tokens.
pub(super) fn tokens(folded: &str) -> Vec<TextToken<'_>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = folded[start..].chars().next() {
        let rest = &folded[start..];
        let is_same: fn(char) -> bool = match first {
            c if c.is_ascii_digit() => |c| c.is_ascii_digit(),
            c if c.is_alphabetic() && !is_ideograph(c) => |c| c.is_alphabetic() && !is_ideograph(c),
            _ => |_| false,
        };
        let length = rest.find(|c| !is_same(c)).unwrap_or(rest.len()).max(first.len_utf8());
        if first.is_alphanumeric() || matches!(first, '/' | '-' | '.') {
            tokens.push(TextToken { text: &rest[..length], start });
        }
        start += length;
    }
    tokens
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}')
}

/// The unit of time that a word denotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeUnit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// What a text says of a day in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateRole {
    /// Nothing.
    Plain,
    Published,
    Updated,
    /// Something takes place then.
    Event,
    /// Something holds until then, or from then on.
    Bound,
}

/// Words of one kind with their values, each stored as a sequence of tokens.
pub(super) struct PhraseTable<T>(HashMap<String, Vec<(Vec<String>, T)>>);

impl<T: Copy> PhraseTable<T> {
    fn new() -> Self {
        PhraseTable(HashMap::new())
    }

    fn add(&mut self, line: &str, value: T) {
        for word in line.split_ascii_whitespace() {
            let folded = folded(&word.replace('_', " "));
            let parts: Vec<String> = tokens(&folded).iter().map(|token| token.text.to_owned()).collect();
            if let Some(first) = parts.first() {
                self.0.entry(first.clone()).or_default().push((parts, value));
            }
        }
    }

    /// The longest entry that the tokens start with: its value, and its number of tokens.
    pub(super) fn at_start(&self, tokens: &[TextToken]) -> Option<(T, usize)> {
        let found = self.0.get(tokens.first()?.text)?.iter().filter(|(parts, _)| {
            parts.len() <= tokens.len() && parts.iter().zip(tokens).all(|(part, token)| part == token.text)
        });
        found.max_by_key(|(parts, _)| parts.len()).map(|(parts, value)| (*value, parts.len()))
    }
}

/// All words of the data file.
pub(super) struct DateVocabulary {
    pub months: PhraseTable<i8>,
    /// Monday is 1.
    pub weekdays: PhraseTable<i8>,
    pub joints: PhraseTable<()>,
    pub around: PhraseTable<()>,
    pub published: PhraseTable<()>,
    /// What stands before a day and says of what it is.
    pub labels: PhraseTable<DateRole>,
    /// The same, where nothing stands between it and the day.
    pub stated: PhraseTable<DateRole>,
    /// The same, with a colon behind it.
    pub headed: PhraseTable<DateRole>,
    /// What stands between the first and the last of several days, and before the first.
    pub through: PhraseTable<()>,
    pub first: PhraseTable<()>,
    /// What stands between two days of several.
    pub and: PhraseTable<()>,
    pub times: PhraseTable<()>,
    pub figures: PhraseTable<()>,
    pub references: PhraseTable<()>,
    /// Units of time, with the count contained in the word itself.
    pub units: PhraseTable<(TimeUnit, i64)>,
    pub before: PhraseTable<()>,
    pub after: PhraseTable<()>,
    pub days_ago: PhraseTable<i64>,
    pub numbers: PhraseTable<i64>,
}

/// The words of all languages of the interface.
pub(super) static CALENDAR: LazyLock<DateVocabulary> = LazyLock::new(|| {
    let mut all = DateVocabulary {
        months: PhraseTable::new(),
        weekdays: PhraseTable::new(),
        joints: PhraseTable::new(),
        around: PhraseTable::new(),
        published: PhraseTable::new(),
        labels: PhraseTable::new(),
        stated: PhraseTable::new(),
        headed: PhraseTable::new(),
        through: PhraseTable::new(),
        first: PhraseTable::new(),
        and: PhraseTable::new(),
        times: PhraseTable::new(),
        figures: PhraseTable::new(),
        references: PhraseTable::new(),
        units: PhraseTable::new(),
        before: PhraseTable::new(),
        after: PhraseTable::new(),
        days_ago: PhraseTable::new(),
        numbers: PhraseTable::new(),
    };
    let lines = include_str!("calendar.txt").lines().filter(|line| !line.starts_with('#'));
    for (head, words) in lines.filter_map(|line| line.split_once(": ")) {
        let mut head = head.split_ascii_whitespace();
        let (kind, of) = (head.next().unwrap_or_default(), head.next().unwrap_or_default());
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        match (kind, of) {
            ("month", _) => all.months.add(words, number(Some(of)).unwrap_or_default() as i8),
            ("weekday", _) => all.weekdays.add(words, number(Some(of)).unwrap_or_default() as i8),
            ("joint", _) => all.joints.add(words, ()),
            ("around", _) => all.around.add(words, ()),
            ("published", _) => {
                all.published.add(words, ());
                all.labels.add(words, DateRole::Published);
            }
            ("dated", _) => all.published.add(words, ()),
            ("updated", _) => all.labels.add(words, DateRole::Updated),
            ("stated", "bound") => all.stated.add(words, DateRole::Bound),
            ("stated", _) => all.stated.add(words, DateRole::Updated),
            ("headed", _) => all.headed.add(words, DateRole::Bound),
            ("bound", _) => all.labels.add(words, DateRole::Bound),
            ("event", _) => all.labels.add(words, DateRole::Event),
            ("through", _) => all.through.add(words, ()),
            ("first", _) => all.first.add(words, ()),
            ("and", _) => all.and.add(words, ()),
            ("reference", _) => all.references.add(words, ()),
            ("time", _) => all.times.add(words, ()),
            ("figure", _) => all.figures.add(words, ()),
            ("unit", name) => all.units.add(words, (unit(name), number(head.next()).unwrap_or(1))),
            ("ago", "before") => all.before.add(words, ()),
            ("ago", _) => all.after.add(words, ()),
            ("days", _) => all.days_ago.add(words, number(head.next()).unwrap_or_default()),
            ("number", _) => all.numbers.add(words, number(Some(of)).unwrap_or_default()),
            _ => unreachable!("a kind of word that nothing reads: {kind}"),
        }
    }
    all
});

fn unit(name: &str) -> TimeUnit {
    match name {
        "second" => TimeUnit::Second,
        "minute" => TimeUnit::Minute,
        "hour" => TimeUnit::Hour,
        "day" => TimeUnit::Day,
        "week" => TimeUnit::Week,
        "month" => TimeUnit::Month,
        _ => TimeUnit::Year,
    }
}

/// A day found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FoundDate {
    pub date: Date,
    /// The tokens it consists of: `from..to`.
    pub from: usize,
    pub to: usize,
    /// The order of numeric dates that this day proves: 14/10/2022 can be read in one way only.
    pub proves: Option<DateOrder>,
    /// Whether another order would give another day.
    pub is_ambiguous: bool,
}

/// The first complete date among the tokens of `folded`. In prose, a two-digit year needs more supporting context than in a
/// field that contains nothing but a date.
pub(super) fn first_day(
    folded: &str,
    tokens: &[TextToken],
    order: DateOrder,
    is_prose: bool,
) -> Option<FoundDate> {
    next_day(folded, tokens, 0, order, is_prose)
}

/// The first complete date from a token on.
pub(super) fn next_day(
    folded: &str,
    tokens: &[TextToken],
    from: usize,
    order: DateOrder,
    is_prose: bool,
) -> Option<FoundDate> {
    (from..tokens.len()).find_map(|at| {
        numeric(folded, tokens, at, order, is_prose)
            .or_else(|| roman(tokens, at))
            .or_else(|| ideographic(tokens, at))
            .or_else(|| written(tokens, at, |rest| Some((year(rest.first()?.text)?, 1))))
            .or_else(|| written_short(folded, tokens, at))
    })
}

/// `20 Nov 26`, `20 NOV '26`, `24/nov./26`: a year of two digits, where the figures are joined, the year is marked as one, or there
/// is nothing else but dates. "20 nov 18 h" is a time of day.
fn written_short(folded: &str, tokens: &[TextToken], from: usize) -> Option<FoundDate> {
    let first = tokens.get(from).filter(|first| first.is_number())?;
    let short = |rest: &[TextToken]| {
        let token = rest.first().filter(|token| token.text.len() == 2)?;
        let is_marked = folded[..token.start].ends_with(['\'', '/', '-']);
        let is_time = folded[token.end()..].trim_start().starts_with([':', 'h', 'u'])
            || rest.get(1).is_some_and(|next| {
                CALENDAR.times.at_start(std::slice::from_ref(next)).is_some()
                    || CALENDAR.months.at_start(&rest[1..]).is_some()
            });
        // "Dec 2 - Dec 12, 2026": that year is of a day of its own.
        let is_day = rest.get(1).is_some_and(|next| year(next.text).is_some());
        let year = number(token.text, 2..=2)?;
        (!is_time && !is_day && (is_marked || is_all_dates(tokens))).then_some((2000 + year, 1))
    };
    day(first.text)?;
    written(tokens, from, short).filter(|found| found.date.year() < 2070)
}

fn number(token: &str, digits: std::ops::RangeInclusive<usize>) -> Option<i16> {
    (token.bytes().all(|b| b.is_ascii_digit()) && digits.contains(&token.len()))
        .then(|| token.parse().ok())
        .flatten()
}

/// A plausible year of publication.
pub(super) fn year(token: &str) -> Option<i16> {
    number(token, 4..=4).filter(|year| (1970..=2100).contains(year))
}

/// A year as programs give it that count from 1900: 126 is 2026.
fn year_since_1900(token: &str) -> Option<i16> {
    number(token, 3..=3).map(|since| since + 1900).filter(|year| (2000..=2100).contains(year))
}

fn day(token: &str) -> Option<i8> {
    number(token, 1..=2).and_then(|day| i8::try_from(day).ok()).filter(|day| (1..=31).contains(day))
}

/// The number of tokens that join two parts of a written date: ordinal suffixes, "de", "del", full stops.
fn joint(tokens: &[TextToken]) -> usize {
    let mut at = 0;
    while let Some(rest) = tokens.get(at..).filter(|rest| !rest.is_empty()) {
        match CALENDAR.joints.at_start(rest) {
            Some((_, length)) => at += length,
            None if rest[0].is_separator() => at += 1,
            None => break,
        }
    }
    at
}

/// `14 octobre 2022`, `5 de octubre de 2022`, `October 5, 2022`, `2022 Oct 5`; the year is read by `year_of`.
pub(super) fn written(
    tokens: &[TextToken],
    from: usize,
    year_of: impl Fn(&[TextToken]) -> Option<(i16, usize)>,
) -> Option<FoundDate> {
    let month_at = |at: usize| month_at(tokens, at);
    let joint_at = |at: usize| at + tokens.get(at..).map_or(0, joint);
    let found = |year: i16, month: i8, day: i8, to: usize| {
        let date = Date::new(year, month, day).ok()?;
        Some(FoundDate { date, from, to, proves: None, is_ambiguous: false })
    };
    let first = tokens.get(from)?;
    if let Some(day) = day(first.text) {
        let at = joint_at(from + 1);
        let (month, length) = month_at(at)?;
        let after = joint_at(at + length);
        let (year, length) = year_of(tokens.get(after..)?)?;
        return found(year, month, day, after + length);
    }
    if let Some(year) = year(first.text) {
        let at = joint_at(from + 1);
        let (month, length) = month_at(at)?;
        let after = joint_at(at + length);
        return found(year, month, day(tokens.get(after)?.text)?, after + 1);
    }
    let (month, length) = month_at(from)?;
    let at = joint_at(from + length);
    let day = day(tokens.get(at)?.text)?;
    let after = joint_at(at + 1);
    let (year, length) = year_of(tokens.get(after..)?)?;
    found(year, month, day, after + length)
}

/// The month that tokens name from one on, and their number; also by its names of two regions, "تشرين الأول/أكتوبر".
fn month_at(tokens: &[TextToken], at: usize) -> Option<(i8, usize)> {
    let (month, length) = CALENDAR.months.at_start(tokens.get(at..)?)?;
    let rest = &tokens[at + length..];
    let sign = usize::from(rest.first().is_some_and(|token| token.text == "/"));
    let again = CALENDAR.months.at_start(&rest[sign..]).filter(|(same, _)| *same == month);
    Some((month, length + again.map_or(0, |(_, more)| sign + more)))
}

/// `20.X.2026`, `20/X/2026`.
fn roman(all: &[TextToken], from: usize) -> Option<FoundDate> {
    const MONTHS: [&str; 12] = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"];
    let run @ [first, separator, month, same, last, ..] = all.get(from..)? else { return None };
    let is_joined = run[..5].windows(2).all(|two| two[0].end() == two[1].start);
    if !separator.is_separator() || separator.text != same.text || !is_joined {
        return None;
    }
    let month = MONTHS.iter().position(|roman| *roman == month.text)? + 1;
    let date = Date::new(year(last.text)?, month as i8, day(first.text)?).ok()?;
    let is_date = !is_in_longer_run(all, from, separator.text) && !is_reference(all, from);
    is_date.then_some(FoundDate { date, from, to: from + 5, proves: None, is_ambiguous: false })
}

/// `2022年10月4日`, `2022년 10월 4일`.
fn ideographic(tokens: &[TextToken], from: usize) -> Option<FoundDate> {
    let [y, of_year, m, of_month, d, of_day, ..] = tokens.get(from..)? else { return None };
    let signs = [of_year.text, of_month.text, of_day.text];
    let is_date = matches!(signs, ["年", "月", "日" | "号"]) || signs.map(korean) == ["y", "m", "d"];
    let date = Date::new(year(y.text)?, number(m.text, 1..=2)? as i8, day(d.text)?).ok()?;
    is_date.then_some(FoundDate { date, from, to: from + 6, proves: None, is_ambiguous: false })
}

/// Folding decomposes Hangul syllables, so they are recomposed first.
fn korean(sign: &str) -> &'static str {
    match unfold(sign).as_str() {
        "년" => "y",
        "월" => "m",
        "일" => "d",
        _ => "",
    }
}

fn unfold(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    text.nfc().collect()
}

/// Whether the numbers from `from` on are part of a longer sequence: a telephone number, an IP address, a version.
fn is_in_longer_run(all: &[TextToken], from: usize, separator: &str) -> bool {
    let goes_on = |token: Option<&TextToken>, next: Option<&TextToken>| {
        token.zip(next).is_some_and(|(token, next)| {
            let is_joined = token.end() == next.start || next.end() == token.start;
            token.text == separator && next.is_number() && is_joined
        })
    };
    goes_on(all.get(from + 5), all.get(from + 6))
        || from >= 2 && goes_on(all.get(from - 1), all.get(from - 2))
}

/// Whether figures are a reference: "Version 4.11.2026", "Art. 4.10.2022", "n° 2026-11-04".
fn is_reference(all: &[TextToken], from: usize) -> bool {
    // "n°" folds to "n" and a sign that is no token.
    let said = all[..from].iter().rposition(|token| !token.is_separator());
    said.is_some_and(|at| CALENDAR.references.at_start(&all[at..=at]).is_some())
}

/// The order proven by two readings of the same numbers: only one is a valid day, and matches the weekday if one is given.
fn proven_order(dmy: Option<Date>, mdy: Option<Date>, weekday: Option<i8>) -> Option<DateOrder> {
    let fits = |date: &Date| weekday.is_none_or(|weekday| date.weekday().to_monday_one_offset() == weekday);
    match (dmy.filter(fits), mdy.filter(fits)) {
        (Some(_), None) => Some(DateOrder::Dmy),
        (None, Some(_)) => Some(DateOrder::Mdy),
        _ => None,
    }
}

/// `2022-10-14`, `14/10/2022`, `14.10.22`.
fn numeric(
    folded: &str,
    all: &[TextToken],
    from: usize,
    order: DateOrder,
    is_prose: bool,
) -> Option<FoundDate> {
    let [a, separator, b, same, c, ..] = all.get(from..)? else { return None };
    if separator.text != same.text || !separator.is_separator() {
        return None;
    }
    if is_in_longer_run(all, from, separator.text) || is_reference(all, from) {
        return None;
    }
    let made =
        |date: Date, proves, is_ambiguous| Some(FoundDate { date, from, to: from + 5, proves, is_ambiguous });
    let pair = |token: &TextToken| number(token.text, 1..=2).map(|value| value as i8);
    if let Some(year) = year(a.text) {
        return made(Date::new(year, pair(b)?, day(c.text)?).ok()?, None, false);
    }
    let full = year(c.text).or_else(|| year_since_1900(c.text).filter(|_| !is_prose));
    if full.is_none() && is_prose && !stands_alone(folded, all, from) {
        return None;
    }
    let short = |token: &TextToken| {
        number(token.text, 2..=2).map(|short| if short < 70 { 2000 + short } else { 1900 + short })
    };
    if order == DateOrder::Ymd && full.is_none() {
        return made(Date::new(short(a)?, pair(b)?, pair(c)?).ok()?, None, false);
    }
    let year = full.or_else(|| short(c))?;
    let dmy = Date::new(year, pair(b)?, pair(a)?).ok();
    let mdy = Date::new(year, pair(a)?, pair(b)?).ok();
    let proves = proven_order(dmy, mdy, weekday_before(all, from));
    let is_mdy = proves.unwrap_or(order) == DateOrder::Mdy;
    let date = match (proves, is_mdy) {
        (Some(_), true) => mdy?,
        (Some(_), false) => dmy?,
        (None, true) => mdy.or(dmy)?,
        (None, false) => dmy.or(mdy)?,
    };
    made(date, proves, proves.is_none() && dmy != mdy)
}

/// The weekday right before a date, which resolves its order: "Mon, 10/03/2022" can be read in one way only.
fn weekday_before(tokens: &[TextToken], at: usize) -> Option<i8> {
    let before = tokens[..at].iter().rposition(|token| !token.is_separator())?;
    CALENDAR.weekdays.at_start(&tokens[before..=before]).map(|(weekday, _)| weekday)
}

/// Whether three numbers in prose, the last with two digits, can be a date: each has two digits, and nothing around them
/// indicates a quantity or a number.
fn stands_alone(folded: &str, tokens: &[TextToken], from: usize) -> bool {
    let (first, last) = (&tokens[from], &tokens[from + 4]);
    if folded.contains(['€', '$', '£', '%', '#', '°']) {
        return false;
    }
    if is_all_dates(tokens) {
        return true;
    }
    let is_padded = first.text.len() == 2 && tokens[from + 2].text.len() == 2;
    let before = folded[..first.start].trim_end();
    let after = folded[last.end()..].trim_start();
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let is_figure = |token: Option<&TextToken>| {
        token.is_some_and(|token| CALENDAR.figures.at_start(std::slice::from_ref(token)).is_some())
    };
    let said = tokens[..from].iter().rposition(|token| !token.is_separator()).map(|at| &tokens[at]);
    let is_said = said.is_some_and(|token| {
        let one = std::slice::from_ref(token);
        CALENDAR.published.at_start(one).is_some()
            || CALENDAR.around.at_start(one).is_some()
            || CALENDAR.weekdays.at_start(one).is_some()
    });
    is_padded
        && tokens[from + 1].text != "-"
        && (is_said || is_edge(before.chars().next_back()))
        && is_edge(after.chars().next())
        && !is_figure(said)
        && !is_figure(tokens.get(from + 5))
}

/// Whether the tokens consist of nothing but days, months, years and times of day.
pub(super) fn is_all_dates(tokens: &[TextToken]) -> bool {
    let words = &*CALENDAR;
    let has_figures = tokens.iter().any(TextToken::is_number);
    let updated = |rest: &[TextToken]| {
        let label = words.labels.at_start(rest).filter(|(role, _)| has_figures && *role == DateRole::Updated);
        label.map(|found| found.1)
    };
    let mut at = 0;
    while let Some(rest) = tokens.get(at..).filter(|rest| !rest.is_empty()) {
        let length = [
            words.months.at_start(rest).map(|found| found.1),
            words.weekdays.at_start(rest).map(|found| found.1),
            words.joints.at_start(rest).map(|found| found.1),
            words.around.at_start(rest).map(|found| found.1),
            words.published.at_start(rest).map(|found| found.1),
            updated(rest),
            words.times.at_start(rest).map(|found| found.1),
            (rest[0].is_number() || rest[0].is_separator() || "年月日t".contains(rest[0].text)).then_some(1),
        ];
        match length.into_iter().flatten().max() {
            Some(length) => at += length,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_of_the_interface_names_all_months_and_weekdays() {
        for names in [
            "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
            "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
            "gener febrer març abril maig juny juliol agost setembre octubre novembre desembre",
            "januar februar märz april mai juni juli august september oktober november dezember",
            "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
            "januari februari maart april mei juni juli augustus september oktober november december",
            "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
            "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
            "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
            "januari februari maret april mei juni juli agustus september oktober november desember",
            "januari februari machi aprili mei juni julai agosti septemba oktoba novemba desemba",
            "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
            "一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 十一月 十二月",
        ] {
            for (at, name) in names.split(' ').enumerate() {
                let folded = fold(name);
                let found = CALENDAR.months.at_start(&tokens(&folded)).map(|found| found.0);
                assert_eq!(found, Some(at as i8 + 1), "{name}");
            }
        }
        for names in [
            "monday tuesday wednesday thursday friday saturday sunday",
            "lundi mardi mercredi jeudi vendredi samedi dimanche",
            "lunes martes miércoles jueves viernes sábado domingo",
            "понедельник вторник среда четверг пятница суббота воскресенье",
        ] {
            for (at, name) in names.split(' ').enumerate() {
                let folded = fold(name);
                let found = CALENDAR.weekdays.at_start(&tokens(&folded)).map(|found| found.0);
                assert_eq!(found, Some(at as i8 + 1), "{name}");
            }
        }
    }
}
