//! Dates that we cannot read, of another language or without a year: a short text with a figure and a word, alike in most records.

use std::collections::HashSet;

use scraper::ElementRef;

use super::cards::Card;
use crate::extract::calendar::{TextToken, folded, tokens};
use crate::extract::elements::is_heading;
use crate::extract::page::text_within;
use crate::extract::prose_date::names_a_day;

/// A date is shorter, in characters.
const CHARS_MAX: usize = 24;
/// A day, a month or an age, and a year.
const FIGURES_MAX: usize = 2;
const WORDS_MAX: usize = 4;
/// What fewer records have in common says nothing.
const RECORDS_MIN: usize = 3;

/// A short text of figures and words.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TextPattern {
    figures: Vec<u16>,
    words: Vec<String>,
    /// Whether a figure comes last.
    ends_with_figure: bool,
}

/// Whether most records have a date beside their links that we cannot read.
pub(super) fn are_dated(cards: &[Card]) -> bool {
    let texts: Vec<Vec<String>> = cards.iter().map(short_texts).collect();
    let places = texts.iter().map(Vec::len).max().unwrap_or_default();
    if texts.iter().filter(|texts| texts.iter().any(|text| is_day_and_month(text))).count() * 2 > cards.len()
    {
        return true;
    }
    // At the same place among the short texts of each record.
    (0..places).any(|place| {
        let shapes: Vec<TextPattern> =
            texts.iter().filter_map(|texts| TextPattern::of(texts.get(place)?)).collect();
        shapes.len() >= RECORDS_MIN && shapes.len() * 3 >= cards.len() * 2 && are_dates(&shapes)
    })
}

/// The short texts of a record outside its links and headings, and those right beside a bare link.
fn short_texts(card: &Card) -> Vec<String> {
    let is_within = |element: &ElementRef| {
        let mut around = std::iter::once(*element).chain(element.ancestors().filter_map(ElementRef::wrap));
        around.any(is_heading)
    };
    let is_title = |element: &ElementRef, words: &str| {
        card.anchors.iter().any(|(anchor, text)| anchor.id() == element.id() || *text == words)
    };
    let inner = card
        .record
        .descendants()
        .filter_map(ElementRef::wrap)
        .filter(|element| !is_within(element))
        .filter_map(|element| Some((element, text_within(element, CHARS_MAX)?)))
        .filter(|(element, text)| !is_title(element, text))
        .map(|(_, text)| text);
    let beside = card.record.prev_sibling().into_iter().chain(card.record.next_sibling());
    let beside = beside.filter_map(|node| {
        node.value().as_text().map(|text| text.trim_matches(|c: char| !c.is_alphanumeric()).to_owned())
    });
    // A day that can be read, and is no date of the record, is none that cannot be read.
    let mut texts: Vec<String> =
        beside.chain(inner).filter(|text| is_short(text) && !names_a_day(text)).collect();
    texts.dedup();
    texts
}

fn is_short(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= CHARS_MAX && text.contains(|c: char| c.is_ascii_digit())
}

/// "20/11", "20.11.": a day and a month in figures.
fn is_day_and_month(text: &str) -> bool {
    let Some((day, month)) = text.trim_end_matches('.').split_once(['/', '.']) else { return false };
    let is_between =
        |figure: &str, most: u8| figure.parse::<u8>().is_ok_and(|number| (1..=most).contains(&number));
    let is_padded = text.contains('/') || month.len() == 2;
    is_padded && is_between(day, 31) && is_between(month, 12)
}

impl TextPattern {
    /// The figures and words of a text that may be a date; prices, sizes, numbers of telephones and times of day have others.
    fn of(text: &str) -> Option<TextPattern> {
        let mut shape = TextPattern { figures: Vec::new(), words: Vec::new(), ends_with_figure: false };
        if text.contains(['€', '$', '£', '%', '+', '@', '(', '²', ':']) {
            return None;
        }
        let folded = folded(text);
        let tokens: Vec<TextToken> =
            tokens(&folded).into_iter().filter(|token| !token.is_separator()).collect();
        shape.ends_with_figure = tokens.last()?.is_number();
        let mut word_end = None;
        for token in tokens {
            // Each ideograph is a token of its own.
            let goes_on = word_end == Some(token.start) && !token.is_number();
            word_end = (!token.is_number()).then(|| token.end());
            match token.text.parse::<u16>() {
                Ok(figure) if figure <= 59 || (1990..=2100).contains(&figure) => shape.figures.push(figure),
                _ if token.is_number() => return None,
                _ if goes_on => shape.words.last_mut()?.push_str(token.text),
                _ => shape.words.push(token.text.to_owned()),
            }
        }
        let is_fit =
            (1..=FIGURES_MAX).contains(&shape.figures.len()) && (1..=WORDS_MAX).contains(&shape.words.len());
        is_fit.then_some(shape)
    }
}

/// Whether texts are dates: their words are few and return, and where it is always the same one, the figures run one way, as
/// those of a sorted list do and those of a count do not.
fn are_dates(shapes: &[TextPattern]) -> bool {
    let first = &shapes[0];
    let is_like = |shape: &TextPattern| {
        shape.figures.len() == first.figures.len() && shape.ends_with_figure == first.ends_with_figure
    };
    let figures: HashSet<&[u16]> = shapes.iter().map(|shape| shape.figures.as_slice()).collect();
    let words: HashSet<&[String]> = shapes.iter().map(|shape| shape.words.as_slice()).collect();
    if !shapes.iter().all(is_like) || figures.len() + words.len() <= 2 {
        return false;
    }
    if words.len() > 1 {
        // The name of a month, perhaps with a preposition: no other word is beside a figure in so many records.
        let is_day = |shape: &TextPattern| {
            shape.figures.iter().all(|figure| (1..=31).contains(figure) || *figure >= 1990)
        };
        return shapes.iter().all(is_day)
            && words.len() < shapes.len().max(RECORDS_MIN + 1)
            && first.words.len() <= 2;
    }
    let runs = |fits: fn(&u16, &u16) -> bool| {
        shapes.windows(2).all(|two| fits(&two[0].figures[0], &two[1].figures[0]))
    };
    let is_falling = runs(|a, b| a >= b);
    // "Part 1", "Part 2" count what they stand beside; "2 days ago", "3 days ago" do not.
    let is_rising = || runs(|a, b| a <= b) && !first.ends_with_figure;
    is_falling || is_rising()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_from_counts_and_labels() {
        let is_date = |texts: [&str; 4]| {
            let shapes: Vec<TextPattern> = texts.iter().filter_map(|text| TextPattern::of(text)).collect();
            shapes.len() == texts.len() && are_dates(&shapes)
                || texts.iter().all(|text| is_day_and_month(text))
        };
        for dates in [
            ["20 Kas", "17 Kas", "9 Kas", "30 Eki"],
            ["20 listopada 2026", "17 listopada 2026", "9 listopada 2026", "3 maja 2026"],
            ["Dec 20", "Dec 17", "Dec 9", "Dec 1"],
            ["3 dagar sedan", "4 dagar sedan", "9 dagar sedan", "12 dagar sedan"],
            ["il y a 3 j", "il y a 4 j", "il y a 4 j", "il y a 9 j"],
            ["20/11", "17/11", "09/10", "01/10"],
        ] {
            assert!(is_date(dates), "{dates:?}");
        }
        for others in [
            ["Part 1", "Part 2", "Part 3", "Part 4"],
            ["12 pages", "5 pages", "40 pages", "7 pages"],
            ["12,50 €", "7 €", "8 €", "9 €"],
            ["£12.50", "£7.10", "£9.10", "£3.20"],
            ["Tel 0123 456", "Tel 0123 457", "Tel 0123 458", "Tel 0123 459"],
            ["12 rue Haute", "5 rue Pasteur", "9 place du Puits", "7 quai Sud"],
        ] {
            assert!(!is_date(others), "{others:?}");
        }
    }
}
