//! Rows of tables and lists of descriptions that tell a piece of news each, without a link: a day, and what happened. Opening hours,
//! timetables, prices and holidays stand in such rows as well, so that a row with anything else to measure, or with two days, is
//! none, and one such row stands for its table.

use scraper::ElementRef;

use super::title::is_short_title;
use crate::extract::page::dates::DATE_CHARS_MAX;
use crate::extract::page::{Page, selector, text_of, text_within};
use crate::extract::prose_date::{DateContext, DateRules, StatedDates, is_date_only, names_a_day};
use crate::extract::words;
use crate::model::source::DateOrder;

/// So many rows are a list.
const ROWS_MIN: usize = 3;
/// So many rows of a table, and terms of a list, are looked at.
const ROWS_MAX: usize = 500;
const CELLS_MAX: usize = 6;
/// What is told has so many words on average.
const TOLD_WORDS_MIN: usize = 3;
/// A text with figures and fewer words, of so many letters, is a measure.
const MEASURE_WORDS_MAX: usize = 1;
const WORD_CHARS_MIN: usize = 3;

/// The cells and terms that are the titles of such rows.
pub(super) fn titles(page: &Page) -> Vec<ElementRef<'_>> {
    let (tables, lists) = (selector("table"), selector("dl"));
    let of_tables = page.html().select(&tables).filter(|table| table.select(&tables).next().is_none());
    let of_tables = of_tables.filter_map(titles_of_table);
    let of_lists = page.html().select(&lists).filter_map(titles_of_list);
    of_tables.chain(of_lists).flatten().collect()
}

/// The titles of the rows of a table, if each has a day and a title.
fn titles_of_table(table: ElementRef<'_>) -> Option<Vec<ElementRef<'_>>> {
    let (rows, cells) = (selector("tr"), selector("td"));
    // A cell alone is a heading among the rows.
    let is_row = |row: &ElementRef| {
        row.select(&cells).next().is_some() && row.children().filter_map(ElementRef::wrap).nth(1).is_some()
    };
    let rows = table.select(&rows).filter(is_row).take(ROWS_MAX);
    let titles: Option<Vec<ElementRef>> = rows.map(title_of_row).collect();
    titles.filter(|titles| are_told(titles))
}

fn title_of_row(row: ElementRef<'_>) -> Option<ElementRef<'_>> {
    let cells: Vec<ElementRef> = row.children().filter_map(ElementRef::wrap).take(CELLS_MAX + 1).collect();
    let (days, others): (Vec<ElementRef>, Vec<ElementRef>) = cells.iter().partition(|cell| is_day(**cell));
    let is_single = days.len() == 1 && cells.len() <= CELLS_MAX;
    let told = || others.iter().filter(|cell| is_told(**cell));
    // A label of a word may stand before it.
    let is_long = |cell: &&ElementRef| words::count(&text_of(**cell)) >= TOLD_WORDS_MIN;
    let is_other = |cell: &ElementRef| is_measure(&text_of(*cell));
    let title = told().find(is_long).or_else(|| told().next()).copied();
    title.filter(|_| is_single && !leads_on(row) && !others.iter().any(is_other))
}

/// The titles of a list of descriptions, in which each term is a day, or begins or ends with one.
fn titles_of_list(list: ElementRef<'_>) -> Option<Vec<ElementRef<'_>>> {
    let children: Vec<ElementRef> = list.children().filter_map(ElementRef::wrap).take(2 * ROWS_MAX).collect();
    let (pairs, rest) = children.as_chunks::<2>();
    let titles: Option<Vec<ElementRef>> = pairs.iter().map(title_of_pair).collect();
    titles.filter(|titles| rest.is_empty() && are_told(titles))
}

fn title_of_pair<'a>([term, told]: &[ElementRef<'a>; 2]) -> Option<ElementRef<'a>> {
    let is_pair = term.value().name() == "dt" && told.value().name() == "dd";
    if !is_pair || leads_on(*term) || leads_on(*told) || names_a_span(&text_of(*told)) {
        return None;
    }
    match is_day(*term) {
        true => Some(*told).filter(|told| is_told(*told)),
        false => Some(*term).filter(|term| is_dated_title(*term)),
    }
}

fn are_told(titles: &[ElementRef]) -> bool {
    let mut texts: Vec<String> = titles.iter().map(|title| words::plain(&text_of(*title))).collect();
    let words: usize = texts.iter().map(|text| words::count(text)).sum();
    texts.sort();
    texts.dedup();
    texts.len() >= ROWS_MIN && texts.len() == titles.len() && words >= titles.len() * TOLD_WORDS_MIN
}

/// Whether a cell is a complete day, and nothing else.
fn is_day(cell: ElementRef) -> bool {
    text_within(cell, DATE_CHARS_MAX).is_some_and(|text| {
        let told = StatedDates::of(&text, DateRules::strict(DateOrder::Dmy), DateContext::Named);
        told.published.is_some() && told.event.is_none() && is_date_only(&text)
    })
}

/// Whether a term is a title with the day set apart from it.
fn is_dated_title(term: ElementRef) -> bool {
    let text = text_of(term);
    let told = StatedDates::of(&text, DateRules::strict(DateOrder::Dmy), DateContext::Title);
    told.published.is_some() && is_told(term)
}

/// Whether a cell tells something in words.
fn is_told(cell: ElementRef) -> bool {
    let text = text_of(cell);
    is_short_title(&text) && !is_measure(&text) && !names_a_span(&text)
}

/// Whether a text names two times of day, as opening hours do.
fn names_a_span(text: &str) -> bool {
    const UNITS: [&str; 8] = ["am", "pm", "a.m.", "p.m.", "h", "uhr", "uur", "heures"];
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split([' ', '-', '–', '—', '\u{A0}', ',', ';', '(', ')']).collect();
    let is_time = |(at, word): (usize, &&str)| {
        let figures = word.bytes().take_while(u8::is_ascii_digit).count();
        let rest = &word[figures..];
        let minutes =
            rest.strip_prefix([':', 'h']).or_else(|| rest.strip_prefix("am").or(rest.strip_prefix("pm")));
        let is_whole = minutes.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
        let has_unit = || rest.is_empty() && words.get(at + 1).is_some_and(|unit| UNITS.contains(unit));
        (1..=2).contains(&figures) && (is_whole || has_unit())
    };
    words.iter().enumerate().filter(|word| is_time(*word)).count() >= 2
}

/// Whether a text is a price, a time, a number or a further day: figures with hardly a word.
fn is_measure(text: &str) -> bool {
    let is_word = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).count() >= WORD_CHARS_MIN;
    let has_figure = text.contains(|c: char| c.is_ascii_digit());
    has_figure
        && (text.split_whitespace().filter(is_word).count() <= MEASURE_WORDS_MAX
            || names_a_day(text) && is_date_only(text))
}

/// Whether anything in an element leads to another page.
fn leads_on(element: ElementRef) -> bool {
    let links = selector("a[href]");
    element.select(&links).any(|link| link.attr("href").is_some_and(|href| !href.trim().starts_with('#')))
}
