//! Splits a text into words: folded, hashed and classified.

use std::ops::Range;

use super::lexicon::{Special, month_hash, special};
use crate::model::sketch::{Fnv, WordKind, hash};
use crate::support::text::fold_into;

/// A word of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub hash: u32,
    pub kind: WordKind,
    /// One bit for each language in which it is a stop word.
    pub stop_word_languages: u8,
    /// Range of its folded letters in `Words::letters`.
    start: u32,
    end: u32,
}

/// The words of a text, in order.
#[derive(Debug, Default)]
pub(super) struct Words {
    letters: String,
    pub words: Vec<Word>,
}

impl Words {
    /// Splits a text into at most `words_max` words.
    pub(super) fn of(text: &str, words_max: usize) -> Words {
        let mut words = Words::default();
        words.read(text, words_max);
        words
    }

    pub(super) fn letters(&self, word: &Word) -> &str {
        &self.letters[word.start as usize..word.end as usize]
    }

    fn read(&mut self, text: &str, words_max: usize) {
        // ASCII words keep their place in the lower-cased text; letters of other words are appended after folding.
        self.letters = text.to_ascii_lowercase();
        self.words.reserve((text.len() / WORD_BYTES).min(words_max));
        let mut at = 0;
        let mut is_sentence_start = true;
        while self.words.len() < words_max {
            let Some(c) = char_at(text, at) else { return };
            if !c.is_alphanumeric() {
                is_sentence_start |=
                    matches!(c, '.' | '!' | '?' | ':' | '\n' | '¿' | '¡' | '«' | '"' | '“' | '•' | '|');
                at += c.len_utf8();
                continue;
            }
            if is_version_letter(text, at) {
                at += c.len_utf8();
                continue;
            }
            let is_number = c.is_ascii_digit();
            if let Some((end, [year, month, day])) = is_number.then(|| date_in_figures(text, at)).flatten() {
                self.push_date(text, [year, month, day]);
                is_sentence_start = false;
                at = end;
                continue;
            }
            let end = match ascii_word(&self.letters[..text.len()], at) {
                Some((end, _)) if let Some(stage) = numbered_stage(&self.letters[at..end]) => {
                    let end = at + stage.len();
                    self.push(&text[at..end], at..end, hash(stage.as_bytes()), is_sentence_start);
                    end
                }
                Some((end, own)) if !is_number => {
                    self.push(&text[at..end], at..end, own, is_sentence_start);
                    end
                }
                _ => {
                    let end = if is_number { number_end(text, at) } else { word_end(text, at) };
                    let place = self.fold(&text[at..end], is_number);
                    let own = hash(&self.letters.as_bytes()[place.clone()]);
                    self.push(&text[at..end], place, own, is_sentence_start);
                    end
                }
            };
            is_sentence_start = false;
            at = end;
        }
    }

    /// Adds a date in figures as the words that it stands for, so that it is the same one as in words.
    fn push_date(&mut self, text: &str, [year, month, day]: [Range<usize>; 3]) {
        let number = |range: Range<usize>| text[range].trim_start_matches('0');
        let calendar = number(month.clone()).parse().map_or(0, month_hash);
        for (range, hash, kind) in [
            (year.clone(), hash(number(year).as_bytes()), WordKind::Number),
            (month, calendar, WordKind::Calendar),
            (day.clone(), hash(number(day).as_bytes()), WordKind::Number),
        ] {
            self.words.push(Word {
                hash,
                kind,
                stop_word_languages: 0,
                start: range.start as u32,
                end: range.end as u32,
            });
        }
    }

    /// Whether the last word is one that a Roman numeral of a single letter follows.
    fn is_after_part(&self) -> bool {
        self.words.last().is_some_and(|word| PARTS.contains(&self.letters(word)))
    }

    /// Appends the folded letters of a word.
    fn fold(&mut self, raw: &str, is_number: bool) -> Range<usize> {
        let start = self.letters.len();
        if is_number {
            push_number(&mut self.letters, raw);
        } else {
            fold_into(&mut self.letters, raw);
        }
        start..self.letters.len()
    }

    /// Adds a word with the hash of its folded letters.
    fn push(&mut self, raw: &str, place: Range<usize>, own: u32, is_sentence_start: bool) {
        let mut stop_word_languages = 0;
        let (hash, kind) = if raw.as_bytes()[0].is_ascii_digit() {
            (own, WordKind::Number)
        } else if let Some(value) = roman(raw, || self.is_after_part()) {
            (hash(value.to_string().as_bytes()), WordKind::Number)
        } else if let Some(hash) = numbered(&self.letters[place.clone()], own) {
            (hash, WordKind::Number)
        } else {
            match special(own) {
                Some(Special::Calendar(hash)) => (hash, WordKind::Calendar),
                Some(Special::Number(hash)) => (hash, WordKind::Number),
                Some(Special::Little(bits)) => {
                    stop_word_languages = bits;
                    (own, WordKind::Word)
                }
                None => (own, if is_name(raw, is_sentence_start) { WordKind::Name } else { WordKind::Word }),
            }
        };
        self.words.push(Word {
            hash,
            kind,
            stop_word_languages,
            start: place.start as u32,
            end: place.end as u32,
        });
    }
}

/// Average bytes of a word with its separator, in the languages with the shortest words.
const WORD_BYTES: usize = 6;

/// The end and hash of the word at a position in lower-case text; `None` if it may contain non-ASCII letters.
fn ascii_word(letters: &str, start: usize) -> Option<(usize, u32)> {
    let bytes = &letters.as_bytes()[start..];
    let mut hash = Fnv::START;
    for (at, byte) in bytes.iter().enumerate() {
        if !byte.is_ascii_alphanumeric() {
            return byte.is_ascii().then(|| (start + at, hash.half()));
        }
        hash = hash.with(*byte);
    }
    Some((letters.len(), hash.half()))
}

/// Whether a word is capitalised where no sentence begins, or is an acronym.
fn is_name(raw: &str, is_sentence_start: bool) -> bool {
    let is_acronym = || raw.len() >= 2 && raw.chars().all(|c| c.is_uppercase() || c.is_ascii_digit());
    raw.chars().next().is_some_and(char::is_uppercase) && (!is_sentence_start || is_acronym())
}

/// The end of a run of letters and digits; an apostrophe separates words ("l’État").
fn word_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut end = start;
    loop {
        end += bytes[end..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        match char_at(text, end) {
            Some(c) if c.is_alphanumeric() => end += c.len_utf8(),
            _ => return end,
        }
    }
}

/// The character at a position; most are ASCII and need no decoding.
fn char_at(text: &str, at: usize) -> Option<char> {
    match text.as_bytes().get(at) {
        Some(byte) if byte.is_ascii() => Some(char::from(*byte)),
        _ => text.get(at..)?.chars().next(),
    }
}

/// The end of a date in ten figures and signs, such as 2026-03-13 and 13/03/2026, and where its year, month and day stand. The day
/// comes first unless it could be no day.
fn date_in_figures(text: &str, start: usize) -> Option<(usize, [Range<usize>; 3])> {
    const LENGTH: usize = 10;
    let bytes = text.as_bytes().get(start..start + LENGTH)?;
    let is_year_first = bytes[4] == b'-';
    let signs = if is_year_first { [4, 7] } else { [2, 5] };
    let is_in_form = bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| if signs.contains(&at) { *byte == bytes[signs[0]] } else { byte.is_ascii_digit() });
    let is_followed = char_at(text, start + LENGTH).is_some_and(|c| c.is_alphanumeric() || c == '-');
    if !is_in_form || is_followed || !matches!(bytes[signs[0]], b'-' | b'/' | b'.') {
        return None;
    }
    let at = |from: usize, to: usize| start + from..start + to;
    let value = |range: &Range<usize>| text[range.clone()].parse::<u8>().unwrap_or(0);
    let (year, mut month, mut day) =
        if is_year_first { (at(0, 4), at(5, 7), at(8, 10)) } else { (at(6, 10), at(3, 5), at(0, 2)) };
    if !is_year_first && value(&month) > 12 {
        (month, day) = (day, month);
    }
    let is_date = (1..=12).contains(&value(&month)) && (1..=31).contains(&value(&day));
    is_date.then_some((start + LENGTH, [year, month, day]))
}

/// The end of a number: digits with grouping points, commas and spaces, and an ordinal suffix.
fn number_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let digits = |at: usize| bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = start + digits(start);
    let first = end - start;
    loop {
        let Some(c) = text[end..].chars().next() else { return end };
        let after = end + c.len_utf8();
        let more = digits(after.min(bytes.len()));
        let is_group = more == 3
            && first <= 3
            && matches!(c, ',' | '.' | ' ' | '\'' | '’' | '\u{A0}' | '\u{202F}' | '\u{2009}');
        let is_fraction = more > 0 && matches!(c, ',' | '.');
        if !(is_group || is_fraction) {
            break;
        }
        end = after + more;
    }
    // "1st", "2nd", "3ème", "5º"; other suffixes, as in "4k", are kept by `push_number`.
    let suffix = &text[end..];
    let letters = suffix.find(|c: char| !c.is_alphanumeric()).unwrap_or(suffix.len());
    let end = end + letters;
    stage_end(text, end).unwrap_or(end)
}

/// Names of what comes before a final version, and of what mends one.
const STAGES: [&str; 11] =
    ["rc", "alpha", "beta", "preview", "pre", "dev", "milestone", "snapshot", "nightly", "patch", "sp"];

/// The end of the stage behind a version number, which is a part of it: "3.3.0-rc1", "17 Beta 2".
fn stage_end(text: &str, number_end: usize) -> Option<usize> {
    let start = number_end + usize::from(text[number_end..].starts_with(['-', ' ', '~', '.']));
    let rest = text.get(start..)?.as_bytes();
    let letters = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    STAGES
        .iter()
        .find(|stage| stage.len() == letters && rest[..letters].eq_ignore_ascii_case(stage.as_bytes()))?;
    let digits = |at: usize| rest[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let own = digits(letters);
    let is_apart =
        own == 0 && matches!(rest.get(letters), Some(b' ' | b'.' | b'-')) && digits(letters + 1) > 0;
    let end = if is_apart { letters + 1 + digits(letters + 1) } else { letters + own };
    // "3 beta-testers" has no version in it.
    rest.get(end)
        .is_none_or(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'-')
        .then_some(start + end)
}

/// Appends a number in normal form: groups joined, a decimal comma as a point, ordinal suffixes dropped. A version keeps its stage.
fn push_number(out: &mut String, raw: &str) {
    if let Some(at) = raw.find(|c: char| c.is_ascii_alphabetic()) {
        let (number, stage) = raw.split_at(at);
        let letters = stage.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(stage.len());
        if STAGES.iter().any(|known| stage[..letters].eq_ignore_ascii_case(known)) {
            push_plain_number(out, number.trim_end_matches(['-', ' ', '~', '.']));
            out.extend(stage.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()));
            return;
        }
    }
    push_plain_number(out, raw);
}

fn push_plain_number(out: &mut String, raw: &str) {
    let start = out.len();
    let digits_end = raw.rfind(|c: char| c.is_ascii_digit()).map_or(raw.len(), |last| last + 1);
    let (number, suffix) = raw.split_at(digits_end);
    let mut parts = number.split(|c: char| !c.is_ascii_digit());
    let first = parts.next().unwrap_or_default();
    out.push_str(first);
    for part in parts {
        // Three digits after a separator are thousands; anything else is a fraction or a part of a version.
        if part.len() != 3 {
            out.push('.');
        }
        out.push_str(part);
    }
    if !matches!(
        suffix,
        "" | "st" | "nd" | "rd" | "th" | "er" | "e" | "re" | "ème" | "eme" | "º" | "ª" | "o" | "a" | "h"
    ) {
        fold_into(out, suffix);
    }
    if out.len() == start {
        out.push_str(raw);
    }
}

/// Whether a "v" is that of a version: "v7" is 7.
fn is_version_letter(text: &str, at: usize) -> bool {
    matches!(text.as_bytes()[at..], [b'v' | b'V', b'0'..=b'9', ..])
}

/// Letters before the number of a release, quarter, half-year or week: "r6", "Q1". In folded letters.
const NUMBERED: [&str; 8] = ["b", "h", "m", "q", "r", "s", "t", "w"];
/// Maximum number of digits behind them.
const NUMBERED_DIGITS_MAX: usize = 3;

/// A word of letters with a number of a few digits behind them.
fn split_number(letters: &str) -> Option<(&str, &str)> {
    if !letters.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (stage, number) = letters.split_at(letters.find(|c: char| c.is_ascii_digit())?);
    let is_number = number.len() <= NUMBERED_DIGITS_MAX && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((stage, number))
}

/// The hash of a letter with its number ("r6", "Q1"), which is compared whole.
fn numbered(letters: &str, own: u32) -> Option<u32> {
    let (letter, number) = split_number(letters).filter(|(letter, _)| NUMBERED.contains(letter))?;
    // A quarter is a trimester elsewhere.
    let is_trimester = letter == "t" && matches!(number, "1" | "2" | "3" | "4");
    Some(if is_trimester { hash(&[b'q', number.as_bytes()[0]]) } else { own })
}

/// The stage in a word that is one with its number: "rc1" is "rc 1", as "bêta 2" and "Release Candidate 1" are two words.
fn numbered_stage(letters: &str) -> Option<&str> {
    split_number(letters).map(|(stage, _)| stage).filter(|stage| STAGES.contains(stage))
}

/// What Roman numerals of one letter count, folded: elsewhere they are too often just letters.
const PARTS: [&str; 16] = [
    "part", "partie", "parte", "teil", "chapter", "chapitre", "capitulo", "kapitel", "capitolo", "capitol",
    "volume", "vol", "tome", "tomo", "band", "phase",
];

/// The value of a Roman numeral up to XXXIX; of one of a single letter, if `is_counted`.
fn roman(raw: &str, is_counted: impl Fn() -> bool) -> Option<u32> {
    let is_roman =
        raw.len() <= 6 && raw.bytes().all(|byte| matches!(byte, b'I' | b'V' | b'X')) && raw != "XXX";
    if !is_roman || raw.len() < 2 && !is_counted() {
        return None;
    }
    let value = |byte: u8| match byte {
        b'I' => 1,
        b'V' => 5,
        _ => 10,
    };
    // A sign before a greater one counts against it.
    let (sum, _) = raw.bytes().rev().map(value).fold((0u32, 0), |(sum, behind), value| {
        (if value < behind { sum.saturating_sub(value) } else { sum + value }, value)
    });
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(String, WordKind)> {
        let words = Words::of(text, 100);
        words.words.iter().map(|word| (words.letters(word).to_owned(), word.kind)).collect()
    }

    #[test]
    fn words_are_folded_and_known_for_what_they_are() {
        use WordKind::{Calendar, Name, Number, Word};
        let found = words("L’État de Kaduna publie en Octobre son IIe plan, le 3ème. OGP");
        let want = [
            ("l", Word),
            ("etat", Name),
            ("de", Word),
            ("kaduna", Name),
            ("publie", Word),
            ("en", Word),
            ("octobre", Calendar),
            ("son", Word),
        ];
        assert_eq!(found[..8], want.map(|(word, kind)| (word.to_owned(), kind)));
        assert_eq!(
            found[found.len() - 2..],
            [("3", Number), ("ogp", Name)].map(|(word, kind)| (word.to_owned(), kind))
        );
    }

    #[test]
    fn words_keep_their_letters_wherever_they_stand() {
        let text = "Über 1,200 DÉPUTÉS, the Députés' VOTES in naïveté²";
        let letters: Vec<String> = words(text).into_iter().map(|(letters, _)| letters).collect();
        assert_eq!(letters, ["uber", "1200", "deputes", "the", "deputes", "votes", "in", "naivete2"]);
        let hashes = Words::of(text, 9).words;
        assert_eq!((hashes[2].hash, hashes[5].hash), (hash(b"deputes"), hash(b"votes")));
    }

    #[test]
    fn numbers_are_the_same_however_they_are_written() {
        for text in ["1,200", "1.200", "1 200", "1\u{202F}200", "1200"] {
            assert_eq!(words(text), [("1200".to_owned(), WordKind::Number)], "{text}");
        }
        assert_eq!(words("3,5 %"), words("3.5 %"));
        assert_eq!(
            words("2022, 2023"),
            [("2022".to_owned(), WordKind::Number), ("2023".to_owned(), WordKind::Number)]
        );
        let hashes = |text: &str| Words::of(text, 9).words.iter().map(|word| word.hash).collect::<Vec<_>>();
        assert_eq!(hashes("five October"), hashes("cinq octobre"));
        assert_eq!(hashes("five"), hashes("5"));
    }

    #[test]
    fn a_date_in_figures_is_the_one_in_words() {
        let hashes = |text: &str| {
            let mut hashes: Vec<u32> = Words::of(text, 9).words.iter().map(|word| word.hash).collect();
            hashes.sort_unstable();
            hashes
        };
        for text in
            ["13 marzo 2020", "13. März 2020", "March 13, 2020", "13/03/2020", "13.03.2020", "03/13/2020"]
        {
            assert_eq!(hashes("2020-03-13"), hashes(text), "{text}");
        }
        for text in [
            "2020-13-13",
            "2020-03-130",
            "1234567890",
            "12.345.678",
            "10/10-2020",
            "555-123-4567",
            "é-03-2020",
        ] {
            assert!(date_in_figures(text, 0).is_none(), "{text}");
        }
    }

    #[test]
    fn numbers_are_known_behind_letters_and_in_roman() {
        let hashes = |text: &str| Words::of(text, 9).words.iter().map(|word| word.hash).collect::<Vec<_>>();
        for (one, other) in [
            ("v7", "7"),
            ("V2.10.3", "2.10.3"),
            ("Part I", "part 1"),
            ("Teil IV", "Teil 4"),
            ("XIX", "19"),
            ("T3", "Q3"),
        ] {
            assert_eq!(hashes(one), hashes(other), "{one}, {other}");
        }
        for (one, other) in [("rc2", "RC 2"), ("alpha3", "alpha 3")] {
            assert_eq!(hashes(one), hashes(other), "{one}, {other}");
        }
        for text in ["r6", "M12", "Q1", "b3"] {
            assert_eq!(words(text), [(text.to_lowercase(), WordKind::Number)]);
        }
        for text in ["I", "Vitamin X", "G20", "b2b", "covid19", "r6x"] {
            assert!(words(text).iter().all(|(_, kind)| *kind != WordKind::Number), "{text}");
        }
        assert_eq!(hashes("autumn"), hashes("Herbst"));
        assert_ne!(hashes("autumn"), hashes("spring"));
    }

    #[test]
    fn a_version_is_one_number_with_its_stage() {
        for (text, number) in [
            ("3.3.0-rc1", "3.3.0rc1"),
            ("17 Beta 2", "17beta2"),
            ("4.0.0 preview3", "4.0.0preview3"),
            ("7.0 RC1", "7.0rc1"),
            ("2.0.0-alpha", "2.0.0alpha"),
            ("12.5rc", "12.5rc"),
        ] {
            assert_eq!(words(text), [(number.to_owned(), WordKind::Number)], "{text}");
        }
        let letters = |text: &str| words(text).into_iter().map(|(letters, _)| letters).collect::<Vec<_>>();
        assert_eq!(letters("3.2.1 and 3.2.2"), ["3.2.1", "and", "3.2.2"]);
        assert_eq!(letters("3 beta-testers, 4 betas"), ["3", "beta", "testers", "4", "betas"]);
        assert_eq!(letters("5 prélats"), ["5", "prelats"]);
    }
}
