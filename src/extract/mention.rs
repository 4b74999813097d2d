//! The days that a text names, and what it says of each: when something was published or changed, takes place, or ends. A day
//! within a sentence is told from one that stands for itself, as a line below a heading does.

use jiff::civil::{Date, Time};

use super::calendar::{CALENDAR, DateRole, FoundDate, TextToken, next_day};
use crate::model::source::DateOrder;

/// How many words may stand between a label and its day: "Publié par la mairie le 3 mai 2026".
const LABEL_WORDS_MAX: usize = 4;
/// How many words may stand beside a day that is not set apart by a sign: "News 24 May 2024".
const LOOSE_WORDS_MAX: usize = 3;
/// How many words name the place before the day of a line that ends with a full stop: "Bogotá D. C., 3 de mayo de 2026."
const PLACE_WORDS_MAX: usize = 3;
/// How many words may stand beside a day after a comma: "Par Luc, le 3 mai 2026".
const COMMA_WORDS_MAX: usize = 5;
/// How far behind a day its time of day may begin, in tokens.
const TIME_TOKENS_MAX: usize = 4;

/// How a day stands in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MentionSetting {
    /// Within a sentence.
    Within,
    /// Beside a few words, as "News 24 May 2024" has it.
    Loose,
    /// At the start or the end of the text, set apart by a sign; or alone.
    Apart,
}

/// A day that a text names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mention {
    pub date: Date,
    /// The first of several days, where `date` is the last.
    pub begin: Option<Date>,
    /// The time of day behind it.
    pub time: Option<Time>,
    pub role: DateRole,
    pub stand: MentionSetting,
    /// How it stands if the words that say what it is are none of its own, where they may be those of a title: "Une rue modifiée – 3
    /// mai 2026".
    pub stand_in_title: Option<MentionSetting>,
    pub found: FoundDate,
}

/// The days that a folded text names, in its order.
pub(super) fn mentions(folded: &str, tokens: &[TextToken], order: DateOrder, is_prose: bool) -> Vec<Mention> {
    let mut found: Vec<FoundDate> = Vec::new();
    while let Some(next) = next_day(folded, tokens, found.last().map_or(0, |last| last.to), order, is_prose) {
        found.push(next);
    }
    let mut mentions: Vec<Mention> = Vec::new();
    let mut since = 0;
    for (at, one) in found.iter().enumerate() {
        // Of "28 nov. - 3 déc.", only the last day is a mention.
        let next = found.get(at + 1).map(|next| next.from);
        if next.is_some_and(|next| through(folded, tokens, one.to, next).is_some()) {
            continue;
        }
        let before = at.checked_sub(1).map(|before| &found[before]);
        let range = range(folded, tokens, one, before, order);
        let from = range.map_or(one.from, |(_, from)| from);
        let until = next.unwrap_or(tokens.len());
        mentions.push(mention(folded, tokens, *one, (since, from, until), range.map(|range| range.0)));
        since = one.to;
    }
    mentions
}

/// What is said of one day: the tokens since the day before it belong to it, and those until the next day.
fn mention(
    folded: &str,
    tokens: &[TextToken],
    found: FoundDate,
    (since, from, until): (usize, usize, usize),
    begin: Option<Date>,
) -> Mention {
    let label = label_before(folded, tokens, since, from);
    let times = times(folded, &tokens[found.to..until]);
    // "Plazo: del 1 al 12 de diciembre": the days within which something is to be done.
    let is_bound = label.is_some_and(|(role, _, end)| {
        let between = &folded[tokens[end - 1].end()..tokens[from].start];
        role == DateRole::Bound && sign_in(between) == Some(':')
    });
    let role = match label {
        _ if is_bound => DateRole::Bound,
        _ if begin.is_some() || times.is_span => DateRole::Event,
        Some((role, ..)) => role,
        // "10月14日发布", "am 3. Mai veröffentlicht".
        None if until == tokens.len() && is_published(&tokens[found.to..]) => DateRole::Published,
        None => DateRole::Plain,
    };
    let start = label.map_or(from, |(_, start, _)| start);
    let own = (start, found.to);
    let is_followed = until < tokens.len() && is_before_statement(folded, tokens, own, until);
    let stand = if is_followed { MentionSetting::Apart } else { setting_of(folded, tokens, own) };
    let may_be_of_title = label.is_some_and(|(_, start, end)| {
        let between = &folded[tokens[end - 1].end()..tokens[from].start];
        matches!(role, DateRole::Published | DateRole::Updated)
            && tokens[since..start].iter().any(|token| !token.is_separator())
            && sign_in(between).is_some_and(|sign| sign != ',')
    });
    let stand_in_title = may_be_of_title.then(|| setting_of(folded, tokens, (from, found.to)));
    Mention { date: found.date, begin, time: times.first, role, stand, stand_in_title, found }
}

/// Whether a day stands for itself but for the next one, which says what it is: "27 novembre 2026, mis à jour le 29 novembre 2026".
fn is_before_statement(folded: &str, tokens: &[TextToken], own: (usize, usize), next: usize) -> bool {
    label_before(folded, tokens, own.1, next).is_some_and(|(role, start, _)| {
        matches!(role, DateRole::Published | DateRole::Updated)
            && setting_of(folded, &tokens[..start], own) == MentionSetting::Apart
    })
}

fn is_published(after: &[TextToken]) -> bool {
    CALENDAR.labels.at_start(after).is_some_and(|(role, _)| role == DateRole::Published)
}

/// What ties the first of several days to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RangeConnector {
    /// A dash or an arrow.
    Sign,
    /// "to", "and".
    Word,
}

/// How two days are tied, if nothing else stands between the tokens before `from` and `to`.
fn through(folded: &str, tokens: &[TextToken], from: usize, to: usize) -> Option<RangeConnector> {
    const SIGNS: [&str; 11] = ["-", "--", ">", ">>", "->", "=>", "»", "→", "➔", "➜", "~"];
    let gap = &folded[tokens[from.checked_sub(1)?].end()..tokens[to].start];
    match gap.trim_matches(|c: char| c.is_whitespace() || c == '.') {
        "&" => return Some(RangeConnector::Word),
        sign if SIGNS.contains(&sign) => return Some(RangeConnector::Sign),
        _ => {}
    }
    let dots = tokens[from..to].iter().take_while(|token| token.text == ".").count();
    let between = &tokens[from + dots..to];
    let (_, length) = CALENDAR.through.at_start(between).or_else(|| CALENDAR.and.at_start(between))?;
    let is_rest = between[length..].iter().all(|token| is_joint(token) || is_weekday(token));
    is_rest.then_some(RangeConnector::Word)
}

fn is_joint(token: &TextToken) -> bool {
    let one = std::slice::from_ref(token);
    CALENDAR.joints.at_start(one).is_some() || CALENDAR.around.at_start(one).is_some() || token.is_separator()
}

fn is_weekday(token: &TextToken) -> bool {
    CALENDAR.weekdays.at_start(std::slice::from_ref(token)).is_some()
}

/// The first of several days that end with one, and the token at which they begin: "du 4 au 12 novembre 2026", "20.10. -
/// 03.11.2026", "28/11/2026 - 03/12/2026".
fn range(
    folded: &str,
    tokens: &[TextToken],
    last: &FoundDate,
    before: Option<&FoundDate>,
    order: DateOrder,
) -> Option<(Date, usize)> {
    if let Some(before) = before.filter(|before| through(folded, tokens, before.to, last.from).is_some()) {
        return (before.date < last.date).then_some((before.date, before.from));
    }
    let starts = (last.from.saturating_sub(7)..last.from).rev();
    starts.filter_map(|at| PartialDate::at(tokens, at, last.from, order)).find_map(|half| {
        let tie = through(folded, tokens, half.to, last.from)?;
        let said = half.from.checked_sub(1).map(|before| &tokens[before]);
        let is_first = said.is_none_or(|token| {
            CALENDAR.first.at_start(std::slice::from_ref(token)).is_some() || is_weekday(token)
        });
        let month = half.month.unwrap_or(last.date.month());
        let year = last.date.year() - i16::from(month > last.date.month());
        let begin = Date::new(year, month, half.day).ok().filter(|begin| *begin < last.date)?;
        // A sign also stands between a number and a date: "Bulletin 12 - 14 mai 2026".
        let is_range = is_first || half.is_day || tie == RangeConnector::Word;
        is_range.then(|| (begin, half.from - usize::from(is_first && said.is_some())))
    })
}

/// The first of several days, of the year of the last one, and perhaps of its month.
struct PartialDate {
    day: i8,
    month: Option<i8>,
    /// Whether it is a day whatever stands before it: its month has a name.
    is_day: bool,
    /// Its tokens: `from..to`.
    from: usize,
    to: usize,
}

impl PartialDate {
    fn at(tokens: &[TextToken], at: usize, until: usize, order: DateOrder) -> Option<PartialDate> {
        let small = |token: &TextToken| token.text.parse::<i8>().ok().filter(|_| token.text.len() <= 2);
        let first = small(&tokens[at])?;
        let is_joined = |at: usize| tokens[at].end() == tokens[at + 1].start;
        // "10" of "20/10" is no day of its own.
        let is_second = at >= 2 && tokens[at - 1].is_separator() && tokens[at - 2].is_number();
        if is_second && is_joined(at - 1) && is_joined(at - 2) {
            return None;
        }
        if at + 2 < until && matches!(tokens[at + 1].text, "/" | ".") && is_joined(at) && is_joined(at + 1) {
            let second = small(&tokens[at + 2])?;
            let (day, month) = if order == DateOrder::Mdy { (second, first) } else { (first, second) };
            let is_day = tokens.get(at + 3).is_some_and(|after| after.text == "." && is_joined(at + 2));
            return Some(PartialDate { day, month: Some(month), is_day, from: at, to: at + 3 });
        }
        let named = at.checked_sub(1).and_then(|before| CALENDAR.months.at_start(&tokens[before..at]));
        if let Some((month, _)) = named {
            return Some(PartialDate {
                day: first,
                month: Some(month),
                is_day: true,
                from: at - 1,
                to: at + 1,
            });
        }
        let mut to = at + 1;
        to += usize::from(tokens.get(to).is_some_and(|token| matches!(token.text, "er" | "." | "º")));
        to += usize::from(tokens.get(to).is_some_and(|token| matches!(token.text, "de" | "di")));
        let month = CALENDAR.months.at_start(tokens.get(to..until)?);
        to += month.map_or(0, |(_, length)| length);
        let is_day = month.is_some();
        Some(PartialDate { day: first, month: month.map(|(month, _)| month), is_day, from: at, to })
    }
}

/// The last label before a day, and the tokens at which it begins and ends.
fn label_before(
    folded: &str,
    tokens: &[TextToken],
    since: usize,
    to: usize,
) -> Option<(DateRole, usize, usize)> {
    let (mut at, mut last) = (since, None);
    while at < to {
        let is_free = |token: &TextToken| is_joint(token) || is_weekday(token);
        let stated = CALENDAR.stated.at_start(&tokens[at..to]);
        let stated = stated.filter(|(_, length)| tokens[at + length..to].iter().all(is_free));
        let headed = CALENDAR.headed.at_start(&tokens[at..to]).filter(|(_, length)| {
            let end = at + length;
            let between = &folded[tokens[end - 1].end()..tokens[to].start];
            between.trim_start().starts_with(':') && tokens[end..to].iter().all(is_free)
        });
        match CALENDAR.labels.at_start(&tokens[at..to]).or(stated).or(headed) {
            Some((role, length)) => {
                last = Some((role, at, at + length));
                at += length;
            }
            None => at += 1,
        }
    }
    let (role, start, end) = last?;
    let words = tokens[end..to].iter().filter(|token| !is_joint(token) && !is_weekday(token)).count();
    let between = &folded[tokens[end - 1].end()..tokens[to].start];
    (words <= LABEL_WORDS_MAX && !between.contains(['|', ';', '\n', '!', '?', '•', '·']))
        .then_some((role, start, end))
}

/// The times of day behind a day.
#[derive(Default)]
struct Times {
    first: Option<Time>,
    /// "de 14h à 18h".
    is_span: bool,
}

fn times(folded: &str, after: &[TextToken]) -> Times {
    let starts = 0..after.len().min(TIME_TOKENS_MAX);
    let is_free = |at: usize| after[..at].iter().all(|token| is_joint(token) || token.text == "-");
    let first =
        starts.filter(|at| is_free(*at)).find_map(|at| clock(folded, &after[at..]).map(|found| (at, found)));
    let Some((at, (time, length))) = first else { return Times::default() };
    let rest = &after[at + length..];
    let word = CALENDAR.through.at_start(rest).map_or(0, |found| found.1);
    let skip = if word > 0 { word } else { usize::from(rest.first().is_some_and(|token| token.text == "-")) };
    let is_span = skip > 0 && clock(folded, &rest[skip..]).is_some();
    Times { first: Some(time), is_span }
}

/// `18h`, `18 h 30`, `18:30`, `6 pm` at the start of the tokens, and its number of tokens.
fn clock(folded: &str, tokens: &[TextToken]) -> Option<(Time, usize)> {
    let hour = tokens.first().filter(|hour| hour.is_number() && hour.text.len() <= 2)?;
    let minute_at = |at: usize| {
        let minute = tokens.get(at).filter(|minute| minute.is_number() && minute.text.len() == 2)?;
        minute.text.parse::<i8>().ok().filter(|minute| *minute < 60)
    };
    let next = tokens.get(1);
    let is_hour = next.is_some_and(|next| matches!(next.text, "h" | "u" | "uhr" | "hs" | "hrs" | "heures"));
    let (minute, mut length) = match minute_at(1) {
        Some(minute) if folded[hour.end()..].starts_with(':') => {
            let has_seconds = minute_at(2).is_some() && folded[tokens[1].end()..].starts_with(':');
            (minute, 2 + usize::from(has_seconds))
        }
        _ if is_hour => match minute_at(2) {
            Some(minute) => (minute, 3),
            None => (0, 2),
        },
        _ if next.is_some_and(|next| matches!(next.text, "am" | "pm")) => (0, 1),
        _ => return None,
    };
    let hour: i8 = hour.text.parse().ok()?;
    let half = tokens.get(length).map(|half| half.text).filter(|half| matches!(*half, "am" | "pm"));
    length += usize::from(half.is_some());
    let hour = match half {
        Some("pm") => hour % 12 + 12,
        Some(_) => hour % 12,
        None => hour,
    };
    Some((Time::new(hour, minute, 0, 0).ok()?, length))
}

/// What stands beside a day, beyond weekdays, prepositions and times that belong to it.
enum AdjacentText {
    Nothing,
    /// A sign that sets it apart, and the number of words behind it.
    Sign,
    Comma(usize),
    /// So many words without a sign.
    Words(usize),
}

fn setting_of(folded: &str, tokens: &[TextToken], (from, to): (usize, usize)) -> MentionSetting {
    let has_end = folded.trim_end().ends_with(['.', '!', '?', '…']);
    match (before(folded, tokens, from), after(folded, tokens, to)) {
        (AdjacentText::Nothing | AdjacentText::Sign, AdjacentText::Nothing)
        | (AdjacentText::Nothing, AdjacentText::Sign) => MentionSetting::Apart,
        (AdjacentText::Sign, AdjacentText::Sign) => MentionSetting::Apart,
        (AdjacentText::Comma(words), AdjacentText::Nothing | AdjacentText::Sign)
        | (AdjacentText::Nothing | AdjacentText::Sign, AdjacentText::Comma(words))
            if words <= COMMA_WORDS_MAX && !has_end =>
        {
            MentionSetting::Apart
        }
        (AdjacentText::Comma(words), AdjacentText::Nothing) if words <= PLACE_WORDS_MAX => {
            MentionSetting::Apart
        }
        (AdjacentText::Words(words), AdjacentText::Nothing)
        | (AdjacentText::Nothing, AdjacentText::Words(words))
            if words <= LOOSE_WORDS_MAX && !has_end =>
        {
            MentionSetting::Loose
        }
        _ => MentionSetting::Within,
    }
}

fn before(folded: &str, tokens: &[TextToken], from: usize) -> AdjacentText {
    let word = |token: &TextToken| !token.is_separator();
    let belongs = |token: &&TextToken| is_joint(token) || is_weekday(token) || is_dated(token);
    let own = tokens[..from].iter().rev().take_while(belongs).count();
    let Some(last) = from.checked_sub(own + 1) else { return AdjacentText::Nothing };
    let count = tokens[..=last].iter().filter(|token| word(token)).count();
    let between = &folded[tokens[last].end()..tokens[from].start];
    match sign_in(between).or_else(|| between.starts_with(". ").then_some('.')) {
        Some(',') => AdjacentText::Comma(count),
        Some(_) => AdjacentText::Sign,
        // "Arrêté du 3 mars": a preposition ties the day to what stands before it.
        None if tokens[last + 1..from].iter().any(|token| !is_weekday(token) && word(token)) => {
            AdjacentText::Words(usize::MAX)
        }
        None => AdjacentText::Words(count),
    }
}

fn after(folded: &str, tokens: &[TextToken], to: usize) -> AdjacentText {
    let rest = &tokens[to..];
    let mut at = 0;
    while let Some(after) = rest.get(at..).filter(|after| !after.is_empty()) {
        let time = clock(folded, after).map(|found| found.1);
        let word = CALENDAR.times.at_start(after).map(|found| found.1);
        let own = (is_joint(&after[0]) || is_weekday(&after[0])).then_some(1);
        match time.or(word).or(own) {
            Some(length) => at += length,
            None => break,
        }
    }
    let start = tokens[to - 1].end();
    let Some(next) = rest.get(at) else { return AdjacentText::Nothing };
    let count = rest[at..].iter().filter(|token| !token.is_separator()).count();
    match sign_in(&folded[start..next.start]) {
        Some(',') => AdjacentText::Comma(count),
        Some(_) => AdjacentText::Sign,
        None if next.is_number() => AdjacentText::Words(usize::MAX),
        None => AdjacentText::Words(count),
    }
}

fn is_dated(token: &TextToken) -> bool {
    CALENDAR.published.at_start(std::slice::from_ref(token)).is_some()
}

/// A sign that sets apart what stands on its two sides; a comma does so only if there is no other.
fn sign_in(between: &str) -> Option<char> {
    const SIGNS: [char; 17] =
        ['|', '·', '•', '»', '«', '>', '<', '(', ')', '[', ']', '\n', ';', '*', '_', '/', '…'];
    let sign = between.chars().find(|c| SIGNS.contains(c)).or_else(|| {
        let mut dashes = between.match_indices([':', '-']);
        dashes
            .find(|(at, sign)| {
                // Not the one in "10:30" or "a-b".
                *sign == "-" || !between[at + 1..].starts_with(|c: char| c.is_ascii_digit())
            })
            .map(|_| ':')
    });
    sign.or_else(|| between.contains([',', '،', '，']).then_some(','))
}
