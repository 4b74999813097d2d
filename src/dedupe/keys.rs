//! Keys of entries: identifiers and addresses that copies share, and detection of identifiers reused for another entry.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::dedupe::original::original;
use crate::dedupe::words::{Word, Words};
use crate::model::address::canonical_key;
use crate::model::entry::{Alternate, Entry, Identity, StoredSummary};
use crate::model::event::EventTime;
use crate::model::feed::RawEntry;
use crate::model::key::{Key, KeyKind};
use crate::model::sketch::{WordKind, hash64};
use crate::support::stopwords;
use crate::support::text::{fold, without_tags};

/// Minimum length, in characters, of a title that can identify an entry.
const TITLE_CHARS_MIN: usize = 12;

/// The names of an entry: its own and those it gives for copies and translations.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntryNames<'a> {
    pub source: &'a str,
    pub url: Option<&'a str>,
    pub guid: Option<&'a str>,
    /// Other addresses of the same text.
    pub same_as: &'a [String],
    pub alternates: &'a [Alternate],
    pub title: &'a str,
    pub summary: &'a str,
    /// The text, with or without mark-up.
    pub content: &'a str,
    pub date: Option<Timestamp>,
    /// What it tells of takes place then: one title may be that of many meetings.
    pub event: Option<EventTime>,
}

impl<'a> EntryNames<'a> {
    pub fn of(entry: &'a Entry) -> EntryNames<'a> {
        EntryNames {
            source: &entry.source,
            url: entry.url.as_deref(),
            guid: entry.guid.as_deref(),
            same_as: &entry.same_as,
            alternates: &entry.alternates,
            title: &entry.title,
            summary: &entry.summary,
            content: entry.content_html.as_deref().unwrap_or(&entry.summary),
            date: entry.date(),
            event: entry.event.as_ref().map(|event| event.begin),
        }
    }
}

/// The keys of an entry: its addresses, those of its translations and of what it says it comes from, and its title and date within its source, so that a source
/// that changes all its guids and addresses at once does not produce news.
pub fn keys(names: &EntryNames) -> Vec<Key> {
    let own = names
        .url
        .into_iter()
        .chain(names.same_as.iter().map(String::as_str))
        .chain(names.guid.filter(|guid| guid.starts_with("http")));
    let mut keys: Vec<Key> =
        own.filter_map(canonical_key).map(|value| Key { value, kind: KeyKind::Own }).collect();
    let alternates = names.alternates.iter().filter_map(|alternate| canonical_key(&alternate.url));
    let alternates: Vec<Key> = alternates
        .chain(original(names.content, names.url))
        .filter(|value| keys.iter().all(|own| own.value != *value))
        .map(|value| Key { value, kind: KeyKind::Alternate })
        .collect();
    keys.extend(alternates);
    let title = fold(names.title);
    if title.chars().count() >= TITLE_CHARS_MIN {
        // Without a date the whole text has to agree: a series often has one title for all its issues.
        let day = names.date.map(|date| date.strftime("%Y-%m-%d").to_string());
        let when = names.event.map(|begin| begin.to_string()).or(day).unwrap_or_else(|| fold(names.summary));
        keys.push(Key { value: format!("title:{}:{when}:{title}", names.source), kind: KeyKind::Own });
    }
    keys.sort();
    keys.dedup();
    keys
}

/// Whether a key is that of a title within its source.
pub fn is_of_title(key: &Key) -> bool {
    key.value.starts_with("title:")
}

/// The key of a guid within its source, for entries not already recognised by it.
pub fn guid_key(source: &str, guid: &str) -> Key {
    Key { value: format!("guid:{source}:{guid}"), kind: KeyKind::Own }
}

/// Jaccard similarity of the words of two texts, 0 to 1. Two empty texts share nothing.
fn similarity(a: &str, b: &str) -> f64 {
    let words = |text: &str| -> HashSet<String> {
        fold(text)
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.chars().count() > 2)
            .map(str::to_owned)
            .collect()
    };
    let (a, b) = (words(a), words(b));
    let shared = a.intersection(&b).count();
    let all = a.len() + b.len() - shared;
    if all == 0 { 0.0 } else { shared as f64 / all as f64 }
}

/// Words of a title that are examined.
const TITLE_WORDS_MAX: usize = 60;

/// Seasons, folded: what quarterly magazines are told apart by, beside the words of the calendar.
const SEASONS: [&str; 27] = [
    "spring",
    "summer",
    "autumn",
    "fall",
    "winter",
    "printemps",
    "ete",
    "automne",
    "hiver",
    "primavera",
    "verano",
    "otono",
    "invierno",
    "verao",
    "outono",
    "inverno",
    "estate",
    "autunno",
    "fruhling",
    "fruhjahr",
    "sommer",
    "herbst",
    "estiu",
    "tardor",
    "hivern",
    "lente",
    "zomer",
];

/// Numbers and ordinals in words, folded, by which meetings, parts and halves of a year are counted.
const COUNTED: [&str; 103] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "premier",
    "premiere",
    "deuxieme",
    "seconde",
    "troisieme",
    "quatrieme",
    "cinquieme",
    "sixieme",
    "septieme",
    "huitieme",
    "neuvieme",
    "dixieme",
    "deux",
    "trois",
    "quatre",
    "cinq",
    "sept",
    "huit",
    "neuf",
    "dix",
    "primera",
    "primer",
    "primero",
    "segunda",
    "segundo",
    "tercera",
    "tercer",
    "tercero",
    "cuarta",
    "cuarto",
    "quinta",
    "quinto",
    "sexta",
    "sexto",
    "septima",
    "octava",
    "novena",
    "decima",
    "dos",
    "tres",
    "cuatro",
    "cinco",
    "seis",
    "siete",
    "ocho",
    "nueve",
    "diez",
    "erste",
    "erster",
    "zweite",
    "zweiter",
    "dritte",
    "dritter",
    "vierte",
    "funfte",
    "sechste",
    "eins",
    "zwei",
    "drei",
    "vier",
    "funf",
    "primeira",
    "primeiro",
    "terceira",
    "terceiro",
    "quarta",
    "dois",
    "quatro",
    "prima",
    "primo",
    "seconda",
    "secondo",
    "terza",
    "terzo",
    "due",
    "tre",
    "quattro",
    "cinque",
    "segona",
    "segon",
    "matutina",
    "vespertina",
    "matin",
    "soir",
];

/// Articles too, but for the end of a title: "Part one".
const COUNTED_AT_END: [&str; 4] = ["one", "un", "uno", "um"];

/// The two sorts of words in a title: figures, Roman numerals, letters, months, days and seasons, which distinguish the issues of a
/// series; and the rest, which they share.
struct SeriesTitle {
    counters: Vec<u32>,
    frame: Vec<u32>,
}

impl SeriesTitle {
    fn of(title: &str) -> SeriesTitle {
        let words = Words::of(title, TITLE_WORDS_MAX);
        let is_counter = |word: &Word| {
            let letters = words.letters(word);
            matches!(word.kind, WordKind::Number | WordKind::Calendar)
                || letters.len() == 1
                || letters.starts_with(char::is_numeric)
                || SEASONS.contains(&letters)
                || COUNTED.contains(&letters)
                || COUNTED_AT_END.contains(&letters)
                    && words.words.last().is_some_and(|last| last.hash == word.hash)
        };
        let (counters, frame): (Vec<&Word>, Vec<&Word>) =
            words.words.iter().partition(|word| is_counter(word));
        let hashes = |words: Vec<&Word>| words.iter().map(|word| word.hash).collect();
        SeriesTitle { counters: hashes(counters), frame: hashes(frame) }
    }
}

/// Whether two titles have equal counters and the same or almost the same words.
fn is_same_title(a: &str, b: &str) -> bool {
    fold(a) == fold(b)
        || SeriesTitle::of(a).counters == SeriesTitle::of(b).counters && similarity(a, b) >= 0.8
}

/// Whether two titles differ in nothing but what counts the issues of a series.
fn is_next_in_series(a: &str, b: &str) -> bool {
    let (a, b) = (SeriesTitle::of(a), SeriesTitle::of(b));
    a.counters != b.counters && a.frame == b.frame
}

/// Longer runs of digits in the name of a file are times and random numbers.
const COUNTER_DIGITS_MAX: usize = 8;

/// What the letter of a version stands behind, so that it stays with its number.
const VERSION: &str = "version";

/// The name of the file or page at an address, in words: `/docs/bulletin-n12.pdf` is "bulletin n 12". The letter of a version
/// ("v2") stays with its number, as it counts no issues.
fn file_title(address: &str) -> Option<String> {
    let path = address.split(['?', '#']).next()?.trim_end_matches('/');
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let (_, name) = path.rsplit_once('/')?;
    let name = name.rsplit_once('.').map_or(name, |(name, _)| name);
    let mut title = String::with_capacity(name.len() + 8);
    for part in name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
        title.push(' ');
        let is_version = part.starts_with(['v', 'V']) && part[1..].starts_with(|c: char| c.is_ascii_digit());
        if is_version {
            title.push_str(VERSION);
        }
        let mut last = None;
        for letter in part.chars() {
            let is_digit = letter.is_ascii_digit();
            if !is_version && last.is_some_and(|last| last != is_digit) {
                title.push(' ');
            }
            title.push(letter);
            last = Some(is_digit);
        }
    }
    let is_random = |word: &str| word.len() > COUNTER_DIGITS_MAX && word.bytes().all(|b| b.is_ascii_digit());
    (!title.split(' ').any(is_random)).then_some(title)
}

/// Whether the names at two addresses differ in nothing but the figures, months and seasons that count the issues of a series. A
/// number more is what a second upload of one file gets.
fn is_next_file(a: &str, b: &str) -> bool {
    let parts = |address: &str| -> Option<(Vec<u32>, Vec<u32>)> {
        let words = Words::of(&file_title(address)?, TITLE_WORDS_MAX);
        let is_counter = |word: &&Word| {
            let letters = words.letters(word);
            matches!(word.kind, WordKind::Number | WordKind::Calendar)
                || letters.starts_with(char::is_numeric)
                || SEASONS.contains(&letters)
        };
        let (counters, frame): (Vec<&Word>, Vec<&Word>) = words.words.iter().partition(is_counter);
        let hashes = |words: Vec<&Word>| words.iter().map(|word| word.hash).collect();
        Some((hashes(counters), hashes(frame)))
    };
    parts(a).zip(parts(b)).is_some_and(|((counters, frame), (other_counters, other_frame))| {
        counters.len() == other_counters.len() && counters != other_counters && frame == other_frame
    })
}

/// Whether the address of an entry, or those of all files with it, are of another issue of a series than those of the known one.
fn is_next_by_address(raw: &RawEntry, known: &StoredSummary) -> bool {
    let is_next_page =
        || raw.url().zip(known.url.as_deref()).is_some_and(|(url, known)| is_next_file(url, known));
    if raw.enclosures.is_empty() || known.files.is_empty() {
        is_next_page()
    } else {
        has_next_file(raw, known)
    }
}

/// Whether all files of an entry are of another issue of a series than those of the known one.
fn has_next_file(raw: &RawEntry, known: &StoredSummary) -> bool {
    let names =
        |files: &mut dyn Iterator<Item = &str>| -> HashSet<String> { files.filter_map(file_title).collect() };
    let ours = names(&mut raw.enclosures.iter().map(|file| file.url.as_str()));
    let theirs = names(&mut known.files.iter().map(String::as_str));
    let is_next_file = || {
        let mut files = raw.enclosures.iter();
        files.any(|file| known.files.iter().any(|known| is_next_file(&file.url, known)))
    };
    ours.is_disjoint(&theirs) && is_next_file()
}

/// A name or an address without its numbers, each of which is a zero in it, and these.
pub fn figures_of(name: &str) -> (String, Vec<String>) {
    let numbers = name.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    let numbers: Vec<String> = numbers.map(str::to_owned).collect();
    let mut frame = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '0'..='9' if frame.ends_with('0') => {}
            '0'..='9' => frame.push('0'),
            _ => frame.push(letter),
        }
    }
    (frame, numbers)
}

/// Whether two names or addresses are the same but for their numbers: `node/46`, `?id=46`.
fn differ_in_number(a: &str, b: &str) -> bool {
    let (ours, theirs) = (figures_of(a), figures_of(b));
    let is_random = |number: &String| number.len() > COUNTER_DIGITS_MAX;
    ours.0 == theirs.0 && ours.1 != theirs.1 && !ours.1.iter().chain(&theirs.1).any(is_random)
}

/// Whether an undated entry has the title of the known one, and another number in its address and in its identifier, as far as it has
/// these: the next issue under one title.
pub fn is_next_by_number(raw: &RawEntry, identity: &Identity, known: &StoredSummary) -> bool {
    if raw.date().is_some() || known.date.is_some() || fold(text_of(raw).0) != fold(&known.title) {
        return false;
    }
    let place = |url: &str| url.split_once("://").map_or(url, |(_, rest)| rest).to_owned();
    // The months of a programme count its issues as well: `programme-october.pdf`.
    let is_other = |a: &str, b: &str| differ_in_number(&place(a), &place(b)) || is_next_file(a, b);
    let is_other_place = raw.url().zip(known.url.as_deref()).is_none_or(|(url, known)| is_other(url, known));
    let is_other_guid = match (raw.guid.as_deref(), identity) {
        (Some(guid), Identity::Guid(known)) => is_other(guid.trim(), known),
        (None, Identity::Address(_)) => is_other_place,
        _ => false,
    };
    is_other_guid && is_other_place
}

/// The figures in the names of an entry's files, by which issues under one title are told apart.
pub fn issue_of<'a>(mut addresses: impl Iterator<Item = &'a str>) -> Option<String> {
    addresses.find_map(|address| {
        let title = file_title(address)?;
        let is_figure = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
        let figures: Vec<&str> = title.split(' ').filter(is_figure).collect();
        (!figures.is_empty()).then(|| figures.join(" "))
    })
}

/// Dates at least this far apart are different, not one date in two time zones.
const OTHER_DAY: jiff::SignedDuration = jiff::SignedDuration::from_hours(20);

/// Whether two times may be of one day.
pub fn is_same_day(a: Timestamp, b: Timestamp) -> bool {
    a.duration_since(b).abs() < OTHER_DAY
}

fn text_of(raw: &RawEntry) -> (&str, &str) {
    let title = raw.title.as_ref().map_or("", |title| title.value.as_str());
    let summary = raw.summary.as_ref().or(raw.content.as_ref()).map_or("", |text| text.value.as_str());
    (title, summary)
}

/// Words of two letters say little.
const WORD_CHARS_MIN: usize = 3;
/// Of shorter texts, at least two thirds of the words must differ to tell a new one from an edit, in words.
const TEXT_WORDS_MIN: usize = 8;

/// The words of a text, each once, without markup.
fn words_of(text: &str) -> HashSet<String> {
    fold(&without_tags(text))
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() >= WORD_CHARS_MIN)
        .map(str::to_owned)
        .collect()
}

/// Whether most of what the shorter of two texts says is not in the other, or, of a few words, two thirds of it. Only the start of a known
/// text is stored.
fn are_of_other_matters(a: &str, b: &str) -> bool {
    are_other_words(words_of(a), words_of(b))
}

/// The same for texts under one title: what this says, and words that are in every text, are no matter of a few words. Two texts of a
/// few words, or of one, are of other matters if they have none in common.
fn are_of_other_matters_under(title: &str, a: &str, b: &str) -> bool {
    if are_short_and_apart(title, a, b) {
        return true;
    }
    let title = words_of(title);
    let [short, other] = [a, b].map(|text| {
        let mut words = words_of(text);
        words.retain(|word| !title.contains(word) && stopwords::languages_of(word) == 0);
        words
    });
    are_of_other_matters(a, b)
        || short.len().min(other.len()) < TEXT_WORDS_MIN && are_other_words(short, other)
}

/// Whether two texts of a few words under one title have no word in common, nor another form of one: "Good", "Bad".
fn are_short_and_apart(title: &str, a: &str, b: &str) -> bool {
    let (a, b) = (own_runs(title, a), own_runs(title, b));
    let is_short = |words: &[String]| (1..TEXT_WORDS_MIN).contains(&words.len());
    let tells = |word: &&String| stopwords::languages_of(word) == 0;
    let is_kept = |word: &String| b.iter().filter(tells).any(|other| is_form_of(word, other));
    is_short(&a) && is_short(&b) && a != b && !a.iter().filter(tells).any(is_kept)
}

/// The first words of a text, however short, without those of the title above it.
fn own_runs(title: &str, text: &str) -> Vec<String> {
    // A space has a name in HTML.
    let is_word = |run: &&str| !run.is_empty() && *run != "nbsp";
    let title = fold(title);
    let title: HashSet<&str> = title.split(|c: char| !c.is_alphanumeric()).collect();
    let text = fold(&without_tags(text));
    let runs = text.split(|c: char| !c.is_alphanumeric()).filter(is_word).filter(|run| !title.contains(run));
    runs.take(TEXT_WORDS_MIN).map(str::to_owned).collect()
}

/// Two forms of a word begin alike, with at least so many letters.
const STEM_CHARS_MIN: usize = 3;

/// Whether two words are one, or forms of one: "closed", "closes".
fn is_form_of(a: &str, b: &str) -> bool {
    let alike = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let longest = a.chars().count().max(b.chars().count());
    a == b || alike >= STEM_CHARS_MIN && alike * 3 >= longest * 2
}

/// An address that spells out a title of so many words that tell something is that of one article.
const SPELLED_WORDS_MIN: usize = 4;

/// Whether the address of an entry spells out its title: `/news/the-old-bridge-opens-again`.
fn is_spelled_out(title: &str, url: &str) -> bool {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = words_of(path.split_once('/').map_or("", |(_, path)| path));
    let title: Vec<String> =
        words_of(title).into_iter().filter(|word| stopwords::languages_of(word) == 0).collect();
    let spelled = title.iter().filter(|word| path.contains(*word)).count();
    spelled >= SPELLED_WORDS_MIN && spelled * 4 >= title.len() * 3
}

/// Whether an entry with the title and the address of the known one was published on a later day, and there is neither a text nor a file
/// by which to see whether it is another: such days are those of issues, unless the address is that of one article.
pub fn is_told_again(raw: &RawEntry, known: &StoredSummary) -> bool {
    let place = |url: Option<&str>| url.and_then(canonical_key);
    let has_words = |text: &str| !own_runs(&known.title, text).is_empty();
    let has_text = [&raw.summary, &raw.content].into_iter().flatten().any(|text| has_words(&text.value));
    is_published_after(raw.published, known)
        && raw.enclosures.is_empty()
        && known.files.is_empty()
        && !(has_text && has_words(&known.summary))
        && place(raw.url()) == place(known.url.as_deref())
        && !raw.url().is_some_and(|url| is_spelled_out(&known.title, url))
}

fn is_published_after(date: Option<Timestamp>, known: &StoredSummary) -> bool {
    date.zip(known.date).is_some_and(|(date, known)| date.duration_since(known) >= OTHER_DAY)
}

fn are_other_words(a: HashSet<String>, b: HashSet<String>) -> bool {
    let least = a.len().min(b.len());
    let shared = a.intersection(&b).count();
    match least {
        0 | 1 => false,
        // "Agenda: " begins many.
        _ if least < TEXT_WORDS_MIN => shared * 3 <= least && (shared == 0 || least > 2),
        _ => shared * 5 < least * 2,
    }
}

/// Figures beside a month or a day tell one meeting from the next; in short texts without such, all figures do. In words.
const SHORT_TEXT_WORDS_MAX: usize = 20;
const DATED_TEXT_WORDS_MAX: usize = 80;

/// What a text says of when, or of which of a series, it is: its figures beside months and days, or, of a short text, all.
fn occasions(words: &Words, is_dated: bool) -> HashSet<(u32, u32)> {
    // A year is that of most.
    let is_year = |word: &Word| {
        let letters = words.letters(word);
        letters.len() == 4 && (letters.starts_with("19") || letters.starts_with("20"))
    };
    let is_figure = |word: &Word| word.kind == WordKind::Number && !is_year(word);
    if !is_dated {
        let is_short = words.words.len() <= SHORT_TEXT_WORDS_MAX;
        let figures = words.words.iter().filter(|word| is_short && is_figure(word));
        return figures.map(|word| (word.hash, 0)).collect();
    }
    let beside = words.words.windows(2).filter_map(|pair| match pair {
        [figure, day] if is_figure(figure) && day.kind == WordKind::Calendar => Some((figure.hash, day.hash)),
        [day, figure] if is_figure(figure) && day.kind == WordKind::Calendar => Some((figure.hash, day.hash)),
        _ => None,
    });
    beside.collect()
}

/// Whether two texts are of other occasions: both say which, and nothing of it is the same. Only the start of a known text is stored.
fn are_of_other_occasions(text: &str, known: &str) -> bool {
    let compared = |is_dated| differ_in_occasion(text, known, is_dated);
    compared(true).or_else(|| compared(false)).unwrap_or(false)
}

/// Whether two texts say of what day, or else of which number, they are, and share nothing of it; `None` if one does not say.
fn differ_in_occasion(text: &str, known: &str, is_dated: bool) -> Option<bool> {
    let known = Words::of(known, DATED_TEXT_WORDS_MAX);
    let text = Words::of(&without_tags(text), known.words.len().max(SHORT_TEXT_WORDS_MAX));
    let (ours, theirs) = (occasions(&text, is_dated), occasions(&known, is_dated));
    (!ours.is_empty() && !theirs.is_empty()).then(|| ours.is_disjoint(&theirs))
}

/// Whether an entry is the next one under a title that recurs ("Council meeting"): published on a later day than the known one, with a
/// text of other matters or of another occasion, or without one; or its address or its files are those of the next issue. An edit keeps much of the
/// text, or the day.
fn is_new_under_one_title(raw: &RawEntry, known: &StoredSummary) -> bool {
    let is_after = |date: Option<Timestamp>| is_published_after(date, known);
    let has_no_dates = raw.date().is_none() && known.date.is_none();
    let text = text_of(raw).1;
    let is_other_text = || {
        are_of_other_matters_under(&known.title, text, &known.summary)
            || are_of_other_occasions(text, &known.summary)
    };
    // Without dates, a figure alone may count comments.
    let is_of_other_day = || differ_in_occasion(text, &known.summary, true) == Some(true);
    is_after(raw.published) && is_other_text()
        || is_told_again(raw, known)
        || has_no_dates && is_of_other_day()
        || (is_after(raw.date()) || has_no_dates) && is_next_by_address(raw, known)
}

/// Whether two entries without a title were published at other times with texts of other matters: a page with short notes has one
/// address for all.
fn is_other_note(raw: &RawEntry, known: &StoredSummary) -> bool {
    let (title, text) = text_of(raw);
    let is_other_time = raw.published.zip(known.date).is_some_and(|(date, known)| date != known);
    title.is_empty() && known.title.is_empty() && is_other_time && are_of_other_matters(text, &known.summary)
}

/// Whether both tell of an event, and of another day: a theatre has one page for a play.
fn is_other_event(raw: &RawEntry, known: &StoredSummary) -> bool {
    let begin = raw.event.as_ref().and_then(|event| event.begin.instant());
    begin.zip(known.event).is_some_and(|(begin, known)| begin.duration_since(known).abs() >= OTHER_DAY)
}

/// Whether a source reused the identifier or address of one entry for another. The same title with a wholly new text of a later day is
/// the next entry under it. A title that differs only in what counts the issues of
/// a series (figures, months, days, seasons, letters) is the next issue of a series if date or address differ too, or there are no dates; if title and text both differ, with another
/// address or date, it is another entry; anything else is an edit. Some sites give all their entries the address of the front
/// page.
pub fn is_reused(raw: &RawEntry, known: &StoredSummary) -> bool {
    let (title, summary) = text_of(raw);
    if title.is_empty() || known.title.is_empty() {
        return is_other_note(raw, known);
    }
    if is_other_event(raw, known) {
        return true;
    }
    if is_same_title(title, &known.title) {
        return is_new_under_one_title(raw, known);
    }
    let date = raw.date();
    let has_other_place = raw.url().and_then(canonical_key) != known.url.as_deref().and_then(canonical_key);
    let fragment =
        |url: Option<&str>| url.and_then(|url| url.split_once('#')).map(|(_, part)| part.to_owned());
    let has_other_part = has_other_place || fragment(raw.url()) != fragment(known.url.as_deref());
    let is_other_day =
        date.zip(known.date).is_some_and(|(date, known)| date.duration_since(known).abs() >= OTHER_DAY);
    let has_no_dates = date.is_none() && known.date.is_none();
    let likeness = similarity(summary, &known.summary);
    if is_next_in_series(title, &known.title) {
        return is_other_day || has_other_place || has_no_dates;
    }
    let is_other_title = similarity(title, &known.title) < 0.2;
    (is_other_title && likeness < 0.3 && (has_other_place || date != known.date))
        || is_other_title && is_other_day && has_other_part
        || is_other_day && likeness < 0.5 && similarity(title, &known.title) < 0.8
}

/// Whether an entry stands where whatever is newest stands ("latest", the front page): undated, with a wholly new title and text, under
/// an identifier and an address without a figure and without a word of the known title.
pub fn is_whatever_is_newest(raw: &RawEntry, known: &StoredSummary) -> bool {
    let (title, text) = text_of(raw);
    let is_dated = raw.date().is_some() || known.date.is_some();
    let has_no_text = words_of(text).is_empty() && words_of(&known.summary).is_empty();
    let is_other = are_of_other_matters(title, &known.title)
        && (has_no_text || are_of_other_matters(text, &known.summary));
    if is_dated || !is_other {
        return false;
    }
    let words = words_of(&known.title);
    let mut names = raw.guid.as_deref().into_iter().chain(raw.url());
    names.all(|name| {
        let path = name
            .split_once("://")
            .map_or(name, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
        !path.contains(|c: char| c.is_ascii_digit()) && words_of(path).is_disjoint(&words)
    })
}

/// Whether a calendar used the identifier of one event for another: of another day, with another title, and not made at the same time.
pub fn is_reused_for_event(raw: &RawEntry, known: &StoredSummary) -> bool {
    let is_made_with_it = raw.published.is_some() && raw.published == known.date;
    is_other_event(raw, known) && has_other_title(raw, known) && !is_made_with_it
}

/// Fewer words that two texts share say nothing.
const EDIT_WORDS_MIN: usize = 4;

/// Whether an entry that has neither guid nor address is an edit of a known one: of the same date, or both without, with the same
/// figures, and worded almost alike.
pub fn is_edit(raw: &RawEntry, known: &StoredSummary) -> bool {
    let (title, text) = text_of(raw);
    if raw.date() != known.date || is_other_event(raw, known) || title.is_empty() != known.title.is_empty() {
        return false;
    }
    let of = |title: &str, text: &str| {
        Words::of(&format!("{title}. {}", without_tags(text)), DATED_TEXT_WORDS_MAX)
    };
    let (ours, theirs) = (of(title, text), of(&known.title, &known.summary));
    // Only the start of a known text is stored.
    let least = ours.words.len().min(theirs.words.len());
    let counters = |words: &Words| -> Vec<u32> {
        let is_counter = |word: &&Word| matches!(word.kind, WordKind::Number | WordKind::Calendar);
        words.words.iter().take(least).filter(is_counter).map(|word| word.hash).collect()
    };
    let start =
        |words: &Words| words.words.iter().take(least + 2).map(|word| word.hash).collect::<HashSet<u32>>();
    let (start_a, start_b) = (start(&ours), start(&theirs));
    let shared = start_a.intersection(&start_b).count();
    let is_alike = shared >= EDIT_WORDS_MIN && shared * 3 >= start_a.len().max(start_b.len()) * 2;
    is_alike && counters(&ours) == counters(&theirs)
}

/// As `further_identities` gives them.
pub type FurtherIdentities = [Option<Identity>; 6];

/// Further identities to recognise an entry by when several entries share its own identity: that identity with the fragment of
/// its address, its address, its title, its title with the day or, untitled, its time, the figures in the name of its file, and its
/// text. `None` where the entry lacks the part.
pub fn further_identities(raw: &RawEntry, own: &Identity) -> FurtherIdentities {
    let (title, text) = text_of(raw);
    let title = Some(fold(title)).filter(|title| !title.trim().is_empty());
    let place = raw.url().and_then(canonical_key);
    let fragment = raw
        .url()
        .and_then(|url| url.split_once('#'))
        .map(|(_, fragment)| fragment.to_owned())
        .filter(|fragment| !fragment.is_empty());
    let event = raw.event.as_ref().map(|event| event.begin.date().to_string());
    let day = event.or_else(|| raw.date().map(|date| date.strftime("%Y-%m-%d").to_string()));
    // Of what has no title, several may be told on one day.
    let time = || raw.published.filter(|_| title.is_none()).map(|time| format!("time {time}"));
    let titled_day = title.clone().zip(day).map(|(title, day)| format!("{title}#{day}")).or_else(time);
    let further = |part: String| match own {
        Identity::Guid(guid) => Some(Identity::Guid(format!("{guid}#{part}"))),
        Identity::Address(address) if *address != part => {
            Some(Identity::Address(format!("{address}#{part}")))
        }
        _ => None,
    };
    let issue =
        issue_of(raw.enclosures.iter().map(|file| file.url.as_str())).map(|issue| format!("file {issue}"));
    let words = fold(&without_tags(text)).split_whitespace().collect::<Vec<_>>().join(" ");
    let text = Some(words).filter(|words| !words.is_empty());
    let text = text.map(|words| format!("text {:016x}", hash64(words.as_bytes())));
    [fragment, place, title, titled_day, issue, text].map(|part| part.and_then(further))
}

/// Whether nothing but their texts tells two entries of one identity apart.
pub fn differ_in_text_only(a: &FurtherIdentities, b: &FurtherIdentities) -> bool {
    a[..5] == b[..5] && a[5] != b[5]
}

/// Whether a document lists one entry twice, maybe with the start of its text alone.
pub fn is_listed_again(
    (a, further_a): (&RawEntry, &FurtherIdentities),
    (b, further_b): (&RawEntry, &FurtherIdentities),
) -> bool {
    let words = |raw: &RawEntry| -> Vec<u32> {
        let words = Words::of(&without_tags(text_of(raw).1), DATED_TEXT_WORDS_MAX).words;
        words.iter().map(|word| word.hash).collect()
    };
    let (ours, theirs) = (words(a), words(b));
    let least = ours.len().min(theirs.len());
    further_a[..5] == further_b[..5] && ours[..least] == theirs[..least]
}

/// Whether the text of an entry is that of the known one, or an edit of its wording.
pub fn has_same_wording(raw: &RawEntry, known: &StoredSummary) -> bool {
    let words = |text: &str| fold(&without_tags(text)).split_whitespace().collect::<Vec<_>>().join(" ");
    words(text_of(raw).1) == words(&known.summary) || has_whole_text(raw, known) || is_edit(raw, known)
}

/// Whether an entry is the known one, judged by its title, and by its text where that is of another day.
pub fn is_known(raw: &RawEntry, known: &StoredSummary) -> bool {
    let (title, _) = text_of(raw);
    title.is_empty() && !is_other_note(raw, known)
        || !title.is_empty()
            && is_same_title(title, &known.title)
            && !is_new_under_one_title(raw, known)
            && !is_other_event(raw, known)
}

/// Whether an entry has the title of the known one, and no text of other matters or of another occasion.
pub fn has_same_text(raw: &RawEntry, known: &StoredSummary) -> bool {
    let (title, text) = text_of(raw);
    let is_undated = raw.date().is_none() && known.date.is_none();
    is_same_title(title, &known.title)
        && !are_of_other_matters(text, &known.summary)
        && !are_of_other_occasions(text, &known.summary)
        && !is_other_event(raw, known)
        && (!is_undated || !has_next_file(raw, known))
}

/// A text of fewer words may be that of many entries.
const WHOLE_TEXT_WORDS_MIN: usize = 8;

/// Whether an entry has the text of the known one word for word, as far as that is stored.
pub fn has_whole_text(raw: &RawEntry, known: &StoredSummary) -> bool {
    let hashes = |text: &str| -> Vec<u32> {
        let words = Words::of(&without_tags(text), DATED_TEXT_WORDS_MAX).words;
        words.iter().map(|word| word.hash).collect()
    };
    let (ours, theirs) = (hashes(text_of(raw).1), hashes(&known.summary));
    let least = ours.len().min(theirs.len());
    // The last word of a start may be cut.
    let whole = if ours.len() == theirs.len() { least } else { least.saturating_sub(1) };
    whole >= WHOLE_TEXT_WORDS_MIN && ours[..whole] == theirs[..whole]
}

/// Whether most words of an entry's title are not in that of the known one.
pub fn has_other_title(raw: &RawEntry, known: &StoredSummary) -> bool {
    let (title, _) = text_of(raw);
    !title.is_empty() && !known.title.is_empty() && similarity(title, &known.title) < 0.5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::feed::{Enclosure, Link, RawText};

    #[test]
    fn an_identifier_that_is_used_again_is_noticed_and_an_edit_is_none() {
        let raw = |title: &str, url: &str, day: &str| RawEntry {
            guid: Some("https://x.org/".into()),
            title: Some(RawText { value: title.into(), ..RawText::default() }),
            links: vec![Link { href: url.into(), rel: "alternate".into(), media_type: None, hreflang: None }],
            published: format!("{day}T00:00:00Z").parse().ok(),
            ..RawEntry::default()
        };
        let known = StoredSummary::of(&raw("Open justice advances", "https://x.org/a", "2022-10-01"), "");
        let other = raw("Budget figures for everyone", "https://x.org/b", "2022-10-08");
        assert!(is_reused(&other, &known));
        let further = further_identities(&other, &Identity::Guid("https://x.org/".into()));
        assert_eq!(further[1], Some(Identity::Guid("https://x.org/#x.org/b".into())));
        assert!(
            !is_reused(&raw("Open justice advances fast", "https://x.org/a", "2022-10-01"), &known),
            "an edited title"
        );
        assert!(
            !is_reused(&raw("Quite another headline", "https://x.org/a", "2022-10-01"), &known),
            "a new headline for the same page and day"
        );
        assert!(
            !is_reused(&raw("Open justice advances", "https://x.org/b", "2022-10-08"), &known),
            "a page that moved"
        );
    }

    #[test]
    fn a_title_that_recurs_with_a_wholly_new_text_of_a_later_day_is_of_another_entry() {
        let raw = |day: &str, text: &str| RawEntry {
            guid: Some("https://x.org/canteen".into()),
            title: Some(RawText { value: "Menu of the canteen".into(), ..RawText::default() }),
            summary: Some(RawText { value: text.into(), is_html: true, ..RawText::default() }),
            published: format!("{day}T08:00:00Z").parse().ok(),
            ..RawEntry::default()
        };
        let first = "<p>Monday carrots, beef with rice and an apple; Tuesday soup, pasta, yoghurt.</p>";
        let known = StoredSummary::of(&raw("2026-11-02", first), "");
        let next = "<p>Cucumber, lentils, baked fish, pears and cheese are served during this week.</p>";
        for (day, text, is_other) in [
            ("2026-11-09", next, true),
            ("2026-11-02", next, false),
            ("2026-10-26", next, false),
            ("2026-11-09", first, false),
            (
                "2026-11-09",
                "<p>Monday carrots, fish with rice and an apple; Tuesday soup, pasta, cheese.</p>",
                false,
            ),
            ("2026-11-09", "Closed", false),
        ] {
            let entry = raw(day, text);
            assert_eq!(is_reused(&entry, &known), is_other, "{day} {text}");
            assert_eq!(is_known(&entry, &known), !is_other, "{day} {text}");
        }
    }

    #[test]
    fn a_title_that_recurs_with_another_day_or_number_in_its_text_is_of_another_entry() {
        let raw = |day: &str, text: &str| RawEntry {
            guid: Some("https://x.org/council".into()),
            title: Some(RawText { value: "Town council".into(), ..RawText::default() }),
            summary: Some(RawText { value: text.into(), is_html: true, ..RawText::default() }),
            published: format!("{day}T08:00:00Z").parse().ok(),
            ..RawEntry::default()
        };
        let meeting = "<p>Le conseil municipal se réunira le jeudi 5 novembre 2026 à 20 h en mairie, salle des mariages, en séance publique. Ordre du jour : vote du budget.</p>";
        for (first, day, text, is_other) in [
            (
                meeting,
                "2026-11-09",
                &*meeting.replace("5 novembre", "12 novembre").replace("budget", "plan"),
                true,
            ),
            (meeting, "2026-11-02", &*meeting.replace("5 novembre", "6 novembre"), false),
            (meeting, "2026-11-09", &*meeting.replace("20 h", "21 h"), false),
            (
                "Séance n° 41 : ordre du jour en ligne.",
                "2026-11-09",
                "Séance n° 42 : ordre du jour en ligne.",
                true,
            ),
            (
                "Séance n° 41 : ordre du jour en ligne.",
                "2026-11-09",
                "Séance n° 41 : compte rendu en ligne.",
                false,
            ),
            (
                "La réunion a lieu le 3 décembre 2026 à 18h en mairie.",
                "2026-11-09",
                "La réunion a lieu le 10 décembre 2026 à 18h en mairie.",
                true,
            ),
        ] {
            let known = StoredSummary::of(&raw("2026-11-02", first), "");
            assert_eq!(is_reused(&raw(day, text), &known), is_other, "{day} {text}");
        }
    }

    #[test]
    fn what_differs_in_number_and_date_is_the_next_of_a_series() {
        let raw = |title: &str, day: &str, text: &str| RawEntry {
            guid: Some("https://x.org/bulletin".into()),
            title: Some(RawText { value: title.into(), ..RawText::default() }),
            summary: Some(RawText { value: text.into(), ..RawText::default() }),
            published: format!("{day}T00:00:00Z").parse().ok(),
            ..RawEntry::default()
        };
        let known = StoredSummary::of(&raw("Bulletin n° 1", "2026-11-01", "The bulletin is out."), "");
        for (title, day, text, is_other) in [
            ("Bulletin n° 2", "2026-11-08", "The bulletin is out.", true),
            ("Bulletin n° 2", "2026-11-01", "The bulletin is out.", false),
            ("Bulletin n° 1", "2026-11-08", "The bulletin is out.", false),
            ("The bulletin n° 1", "2026-11-08", "The bulletin is out.", false),
            ("Bulletin n° 1: schools and roads", "2026-11-01", "The bulletin is out.", false),
            ("Works on the bridge", "2026-11-08", "The bridge is closed until spring.", true),
            ("Bulletin n° II", "2026-11-08", "The bulletin is out.", true),
        ] {
            assert_eq!(is_reused(&raw(title, day, text), &known), is_other, "{title} {day}");
        }
        for (one, other) in [
            (
                "Agenda culturel de la ville et des communes : septembre",
                "Agenda culturel de la ville et des communes : octobre",
            ),
            ("Le Mag – printemps 2026", "Le Mag – été 2026"),
            ("Cahier citoyen IV", "Cahier citoyen V"),
            ("Programa del lunes", "Programa del martes"),
            ("Zone A : vacances", "Zone B : vacances"),
            ("النشرة العدد ١٢", "النشرة العدد ١٣"),
        ] {
            let known = StoredSummary::of(&raw(one, "2026-11-01", "It is out."), "");
            assert!(is_reused(&raw(other, "2026-11-08", "It is out."), &known), "{other}");
            assert!(!is_reused(&raw(other, "2026-11-01", "It is out."), &known), "{other}, corrected");
        }
    }

    #[test]
    fn a_short_text_that_is_wholly_new_is_another_notice_under_one_title() {
        let raw = |text: &str, day: &str| RawEntry {
            title: Some(RawText { value: "Alert".into(), ..RawText::default() }),
            summary: Some(RawText { value: text.into(), ..RawText::default() }),
            published: format!("{day}T00:00:00Z").parse().ok(),
            ..RawEntry::default()
        };
        let known = StoredSummary::of(&raw("The bridge is closed", "2022-10-01"), "The bridge is closed");
        assert!(is_reused(&raw("No school after heavy snow", "2022-10-05"), &known));
        assert!(!is_reused(&raw("The bridge is closed again", "2022-10-05"), &known), "an edit keeps a word");
        assert!(!is_reused(&raw("No school after heavy snow", "2022-10-01"), &known), "of the same day");
        assert!(!is_reused(&raw("Closed", "2022-10-05"), &known), "a word says too little");
        let known = "This week: an alert for rain, wind and snow";
        let known = StoredSummary::of(&raw(known, "2022-10-01"), known);
        let next = raw("This week: an alert for heat, ozone and dust", "2022-10-08");
        assert!(is_reused(&next, &known), "what all weeks have in common says nothing");
    }

    #[test]
    fn a_day_later_a_title_recurs_with_a_few_other_words_or_without_any() {
        let of = |title: &str, url: &str, day: &str, text: &str| RawEntry {
            title: Some(RawText { value: title.into(), ..RawText::default() }),
            summary: Some(RawText { value: text.into(), is_html: true, ..RawText::default() })
                .filter(|_| !text.is_empty()),
            links: vec![Link { href: url.into(), rel: "alternate".into(), media_type: None, hreflang: None }],
            published: format!("{day}T08:00:00Z").parse().ok(),
            ..RawEntry::default()
        };
        let place = "https://x.org/today";
        for (title, before, after, is_other) in [
            ("Dish of the day", "Royal couscous", "Blanquette de veau", true),
            ("Dish of the day", "Blanquette de veau", "Lasagne", true),
            ("Quality of the air", "Good", "Bad", true),
            ("Quote of the day", "Be yourself.", "Know thyself well.", true),
            ("Quote of the day", "Be yourself.", "Be yourself.", false),
            ("Picture of the day", "<img src=/1.jpg>", "<img src=/2.jpg>&nbsp;", true),
            ("Town council", "", "", true),
            ("Town council", "Town council", "Town council", true),
            ("Town council", "", "The agenda is out.", true),
            ("Swimming pool", "Closed.", "Closed", false),
            ("Swimming pool", "Closed for repairs", "Closes for some repairs", false),
            (
                "Swimming pool",
                "The pool is closed until the end of all repairs, the town says.",
                "Closed",
                false,
            ),
        ] {
            let known = StoredSummary::of(&of(title, place, "2026-11-02", before), "");
            let next = of(title, place, "2026-11-03", after);
            assert_eq!(is_reused(&next, &known), is_other, "{title}: {before} - {after}");
            assert_eq!(is_known(&next, &known), !is_other, "{title}: {before} - {after}");
            let same_day = of(title, place, "2026-11-02", after);
            assert!(!is_reused(&same_day, &known), "of one day: {before} - {after}");
        }
        let slug = "https://x.org/news/the-old-harbour-bridge-opens-again";
        for (title, url, is_other) in [
            ("The old harbour bridge opens again", slug, false),
            ("The old harbour bridge opens again", place, true),
            ("Town council", "https://x.org/town-council", true),
        ] {
            let known = StoredSummary::of(&of(title, url, "2026-11-02", ""), "");
            assert_eq!(is_reused(&of(title, url, "2026-11-09", ""), &known), is_other, "{title} {url}");
            let moved = of(title, "https://x.org/elsewhere", "2026-11-09", "");
            assert!(!is_reused(&moved, &known), "at another address");
        }
    }

    #[test]
    fn issues_under_one_title_are_told_apart_by_the_numbers_in_the_addresses_of_their_files() {
        let raw = |page: &str, file: &str, day: &str| RawEntry {
            guid: Some("bulletin".into()),
            title: Some(RawText { value: "Bulletin municipal".into(), ..RawText::default() }),
            links: vec![Link {
                href: format!("https://x.org{page}"),
                rel: "alternate".into(),
                media_type: None,
                hreflang: None,
            }],
            enclosures: (!file.is_empty())
                .then(|| Enclosure { url: format!("https://x.org/docs/{file}"), ..Enclosure::default() })
                .into_iter()
                .collect(),
            published: format!("{day}T00:00:00Z").parse().ok(),
            ..RawEntry::default()
        };
        for (page, file, next_page, next_file, is_other) in [
            ("/b", "bulletin-12.pdf", "/b", "bulletin-13.pdf", true),
            ("/b", "BM_n12.pdf", "/b", "BM_n13.pdf", true),
            ("/b", "ep12.mp3", "/b", "ep13.mp3", true),
            ("/b", "bulletin-mars-2026.pdf", "/b", "bulletin-avril-2026.pdf", true),
            ("/docs/bulletin-12.pdf", "", "/docs/bulletin-13.pdf", "", true),
            ("/cr/2026-10-05", "", "/cr/2026-11-05", "", true),
            ("/2026/10/05/bulletin", "", "/2026/11/05/bulletin", "", false),
            ("/b", "bulletin.pdf", "/b", "bulletin-1.pdf", false),
            ("/b", "bulletin-12-v1.pdf", "/b", "bulletin-12-v2.pdf", false),
            ("/b", "bulletin-12.pdf", "/b", "lettre-13.pdf", false),
            ("/b", "1700000001.pdf", "/b", "1700000002.pdf", false),
            ("/b", "bulletin-12.pdf?t=1", "/b", "bulletin-12.pdf?t=2", false),
        ] {
            let known = StoredSummary::of(&raw(page, file, "2026-11-01"), "");
            let later = raw(next_page, next_file, "2026-11-08");
            assert_eq!(is_reused(&later, &known), is_other, "{next_page} {next_file}");
            assert_eq!(is_known(&later, &known), !is_other, "{next_page} {next_file}");
            assert!(is_known(&raw(next_page, next_file, "2026-11-01"), &known), "corrected on the same day");
            let undated = |page: &str, file: &str| raw(page, file, "no day");
            let known = StoredSummary::of(&undated(page, file), "");
            assert_eq!(
                is_reused(&undated(next_page, next_file), &known),
                is_other,
                "{next_page} {next_file}"
            );
        }
        let own = Identity::Guid("bulletin".into());
        let further = |file: &str| further_identities(&raw("/b", file, "no day"), &own);
        assert_ne!(further("bulletin-12.pdf")[4], further("bulletin-13.pdf")[4]);
    }

    #[test]
    fn an_undated_issue_with_other_numbers_in_identifier_and_address_is_the_next() {
        let raw = |guid: &str, url: &str, title: &str| RawEntry {
            guid: Some(guid.to_owned()).filter(|guid| !guid.is_empty()),
            title: Some(RawText { value: title.into(), ..RawText::default() }),
            links: vec![Link { href: url.into(), rel: "alternate".into(), media_type: None, hreflang: None }],
            ..RawEntry::default()
        };
        let identity = |raw: &RawEntry, url: &str| match &raw.guid {
            Some(guid) => Identity::Guid(guid.clone()),
            None => Identity::Address(canonical_key(url).unwrap()),
        };
        for (guid, url, next_guid, next_url, is_next) in [
            ("node/7", "https://x.org/lunch-7.pdf", "node/8", "https://x.org/lunch-8.pdf", true),
            ("", "https://x.org/?id=7", "", "https://x.org/?id=8", true),
            ("a7", "https://x.org/lunch-7", "a7", "https://x.org/lunch-8", false),
            ("a7", "https://x.org/lunch", "a8", "https://x.org/lunch", false),
            ("", "https://x.org/lunch-1700000001", "", "https://x.org/lunch-1700000002", false),
            ("", "https://x.org/lunch-7", "", "https://x.org/dinner-8", false),
        ] {
            let stored = raw(guid, url, "What is for lunch");
            let known = StoredSummary::of(&stored, "");
            let next = raw(next_guid, next_url, "What is for lunch");
            assert_eq!(is_next_by_number(&next, &identity(&stored, url), &known), is_next, "{next_url}");
            let other = raw(next_guid, next_url, "Nothing for lunch");
            assert!(!is_next_by_number(&other, &identity(&stored, url), &known));
        }
    }

    #[test]
    fn an_entry_that_is_only_a_text_is_recognised_after_an_edit_of_its_wording() {
        let raw = |text: &str, date: &str| RawEntry {
            summary: Some(RawText { value: text.into(), is_html: true, ..RawText::default() }),
            published: date.parse().ok(),
            ..RawEntry::default()
        };
        let (day, text) = (
            "2026-11-24T09:00:00Z",
            "Main strete is closed today for works on the old water pipes of the town.",
        );
        let known = StoredSummary::of(&raw(text, day), "");
        let mended = text.replace("strete", "street");
        assert!(is_edit(&raw(&mended, day), &known));
        assert!(is_edit(&raw(&format!("<p>{mended} Buses stop elsewhere.</p>"), day), &known));
        assert!(!is_edit(&raw(&mended, "2026-11-25T09:00:00Z"), &known), "of another day");
        assert!(!is_edit(&raw("The library opens on Sunday for all of the town.", day), &known));
        let known = StoredSummary::of(&raw("Flood level at the bridge of the town: 12 dm", ""), "");
        assert!(
            !is_edit(&raw("Flood level at the bridge of the town: 14 dm", ""), &known),
            "of another number"
        );
        let known = StoredSummary::of(&raw("Closed today", ""), "");
        assert!(!is_edit(&raw("Closed again", ""), &known), "too short to tell");
    }

    #[test]
    fn issues_counted_in_words_and_events_of_other_days_are_others() {
        let raw = |title: &str, day: &str| RawEntry {
            title: Some(RawText { value: title.into(), ..RawText::default() }),
            published: format!("{day}T00:00:00Z").parse().ok(),
            ..RawEntry::default()
        };
        for (title, next) in [
            ("Compte rendu, première partie", "Compte rendu, deuxième partie"),
            ("Sesión del consejo: primera", "Sesión del consejo: segunda"),
            ("Council session one", "Council session two"),
            ("Erste Sitzung des Rates", "Zweite Sitzung des Rates"),
        ] {
            let known = StoredSummary::of(&raw(title, "2022-10-01"), "");
            assert!(is_reused(&raw(next, "2022-10-08"), &known), "{next}");
        }
        let known = StoredSummary::of(&raw("Un nouveau parc", "2022-10-01"), "");
        assert!(!is_reused(&raw("Nouveau parc", "2022-10-01"), &known), "an article is no number");
        let play = |day: &str| RawEntry {
            event: Some(crate::model::event::Event { begin: day.parse().unwrap(), end: None, place: None }),
            ..raw("A play of two", "2022-10-01")
        };
        let known = StoredSummary::of(&play("2022-10-20T18:00:00Z"), "");
        assert!(
            is_reused(&play("2022-10-27T18:00:00Z"), &known)
                && !is_known(&play("2022-10-27T18:00:00Z"), &known)
        );
        assert!(!is_reused(&play("2022-10-20T19:00:00Z"), &known), "an hour later is an edit");
        let own = Identity::Address("x.org/play".into());
        let further = |day: &str| further_identities(&play(day), &own);
        assert_ne!(further("2022-10-20T18:00:00Z")[3], further("2022-10-27T18:00:00Z")[3]);
    }
}
