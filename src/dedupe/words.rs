//! A text as words: folded, hashed, and told apart by what they are.

use super::lexicon::{Special, special};
use crate::model::sketch::{WordKind, hash};
use crate::text::fold_into;

/// One word of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    pub hash: u32,
    pub kind: WordKind,
    /// A bit for each language in which it is a word without a subject.
    pub little: u8,
    /// Where its folded letters stand in `Words::letters`.
    start: u32,
    end: u32,
}

/// The words of a text, in their order.
#[derive(Debug, Default)]
pub struct Words {
    letters: String,
    pub words: Vec<Word>,
}

impl Words {
    /// Splits a text, `words_max` words of it at most.
    pub fn of(text: &str, words_max: usize) -> Words {
        let mut words = Words::default();
        words.read(text, words_max);
        words
    }

    pub fn letters(&self, word: &Word) -> &str {
        &self.letters[word.start as usize..word.end as usize]
    }

    fn read(&mut self, text: &str, words_max: usize) {
        let bytes = text.as_bytes();
        let mut at = 0;
        let mut is_sentence_start = true;
        while at < bytes.len() && self.words.len() < words_max {
            let Some(c) = text[at..].chars().next() else { return };
            if !c.is_alphanumeric() {
                is_sentence_start |= matches!(c, '.' | '!' | '?' | ':' | '\n' | '¿' | '¡' | '«' | '"' | '“' | '•' | '|');
                at += c.len_utf8();
                continue;
            }
            let end = if c.is_ascii_digit() { number_end(text, at) } else { word_end(text, at) };
            self.push(&text[at..end], is_sentence_start);
            is_sentence_start = false;
            at = end;
        }
    }

    fn push(&mut self, raw: &str, is_sentence_start: bool) {
        let start = self.letters.len();
        if raw.as_bytes()[0].is_ascii_digit() {
            push_number(&mut self.letters, raw);
        } else {
            fold_into(&mut self.letters, raw);
        }
        let letters = &self.letters[start..];
        let mut little = 0;
        let (hash, kind) = if raw.as_bytes()[0].is_ascii_digit() || is_roman(raw) {
            (hash(letters.as_bytes()), WordKind::Number)
        } else {
            let own = hash(letters.as_bytes());
            let has_capital = raw.chars().next().is_some_and(char::is_uppercase);
            let is_acronym = raw.len() >= 2 && raw.chars().all(|c| c.is_uppercase() || c.is_ascii_digit());
            let is_name = is_acronym || (has_capital && !is_sentence_start);
            match special(own) {
                Some(Special::Calendar(hash)) => (hash, WordKind::Calendar),
                Some(Special::Number(hash)) => (hash, WordKind::Number),
                Some(Special::Little(bits)) => {
                    little = bits;
                    (own, WordKind::Word)
                }
                None => (own, if is_name { WordKind::Name } else { WordKind::Word }),
            }
        };
        self.words.push(Word { hash, kind, little, start: start as u32, end: self.letters.len() as u32 });
    }
}

/// Letters and digits; an apostrophe parts what it stands between ("l’État"), save in English ("don't", "city's"), where the end goes.
fn word_end(text: &str, start: usize) -> usize {
    let rest = &text[start..];
    rest.find(|c: char| !c.is_alphanumeric()).map_or(text.len(), |end| start + end)
}

/// Digits with the points, commas and spaces that group them, and the letters of an ordinal.
fn number_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let digits = |at: usize| bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = start + digits(start);
    let first = end - start;
    loop {
        let Some(c) = text[end..].chars().next() else { return end };
        let after = end + c.len_utf8();
        let more = digits(after.min(bytes.len()));
        let is_group = more == 3 && first <= 3 && matches!(c, ',' | '.' | ' ' | '\'' | '’' | '\u{A0}' | '\u{202F}' | '\u{2009}');
        let is_fraction = more > 0 && matches!(c, ',' | '.');
        if !(is_group || is_fraction) {
            break;
        }
        end = after + more;
    }
    // "1st", "2nd", "3ème", "5º": but not "4k" of something.
    let suffix = &text[end..];
    let letters = suffix.find(|c: char| !c.is_alphanumeric()).unwrap_or(suffix.len());
    end + letters
}

/// Groups are joined, a decimal comma is a point, the letters of ordinals go.
fn push_number(out: &mut String, raw: &str) {
    let start = out.len();
    let digits_end = raw.rfind(|c: char| c.is_ascii_digit()).map_or(raw.len(), |last| last + 1);
    let (number, suffix) = raw.split_at(digits_end);
    let mut parts = number.split(|c: char| !c.is_ascii_digit()).peekable();
    let first = parts.next().unwrap_or_default();
    out.push_str(first);
    while let Some(part) = parts.next() {
        // Three digits behind a separator are thousands; anything else, at the end, a fraction.
        if part.len() != 3 && parts.peek().is_none() {
            out.push('.');
        }
        out.push_str(part);
    }
    if !matches!(suffix, "" | "st" | "nd" | "rd" | "th" | "er" | "e" | "re" | "ème" | "eme" | "º" | "ª" | "o" | "a" | "h") {
        fold_into(out, suffix);
    }
    if out.len() == start {
        out.push_str(raw);
    }
}

/// II to XXXIX: single letters are too often just letters.
fn is_roman(raw: &str) -> bool {
    (2..=6).contains(&raw.len()) && raw.bytes().all(|byte| matches!(byte, b'I' | b'V' | b'X')) && raw != "XXX"
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
        let want = [("l", Word), ("etat", Name), ("de", Word), ("kaduna", Name), ("publie", Word), ("en", Word), ("octobre", Calendar), ("son", Word)];
        assert_eq!(found[..8], want.map(|(word, kind)| (word.to_owned(), kind)));
        assert_eq!(found[found.len() - 2..], [("3", Number), ("ogp", Name)].map(|(word, kind)| (word.to_owned(), kind)));
    }

    #[test]
    fn numbers_are_the_same_however_they_are_written() {
        for text in ["1,200", "1.200", "1 200", "1\u{202F}200", "1200"] {
            assert_eq!(words(text), [("1200".to_owned(), WordKind::Number)], "{text}");
        }
        assert_eq!(words("3,5 %"), words("3.5 %"));
        assert_eq!(words("2022, 2023"), [("2022".to_owned(), WordKind::Number), ("2023".to_owned(), WordKind::Number)]);
        let hashes = |text: &str| Words::of(text, 9).words.iter().map(|word| word.hash).collect::<Vec<_>>();
        assert_eq!(hashes("five October"), hashes("cinq octobre"));
        assert_eq!(hashes("five"), hashes("5"));
    }
}
