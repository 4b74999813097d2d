//! The words of a title, without what the page puts beside them for the eye or for screen readers.

use scraper::ElementRef;

use super::{is_of_icon, text_of, text_within};
use crate::extract::elements::is_heading;
use crate::extract::prose_date::is_date_only;
use crate::extract::words;
use crate::support::text::one_line;

/// Classes of text that only screen readers read.
const HIDDEN_CLASSES: [&str; 10] = [
    "sr-only",
    "visually-hidden",
    "visuallyhidden",
    "screen-reader-text",
    "screen-reader",
    "screenreader",
    "element-invisible",
    "a11y-hidden",
    "show-for-sr",
    "hidden-accessible",
];

/// Parts of the classes of small labels on a card.
const LABEL_PARTS: [&str; 12] = [
    "badge", "label", "tag", "tags", "pill", "chip", "ribbon", "kicker", "eyebrow", "flag", "surtitre",
    "overline",
];
/// Parts of the classes of categories.
const CATEGORY_PARTS: [&str; 12] = [
    "cat",
    "category",
    "categories",
    "categorie",
    "categoria",
    "kategorie",
    "rubrique",
    "theme",
    "tema",
    "topic",
    "topics",
    "section",
];
/// No more of what stands in a title is read, in bytes: what is longer is none.
const WORDS_BYTES_MAX: usize = 16 << 10;
/// A date with all that may stand around one is not longer, in characters.
const DATE_LINE_CHARS_MAX: usize = 400;
/// A label is not longer, in characters.
const LABEL_CHARS_MAX: usize = 40;

/// The text of a title: without dates and labels in parts of their own, and without what only screen readers read. Where nothing
/// else is in it, all of its text.
pub(in crate::extract) fn title_text(element: ElementRef) -> String {
    let mut words = String::new();
    push_words(element, &mut words);
    let words = one_line(&words);
    if words.chars().any(char::is_alphanumeric) { words } else { text_of(element) }
}

fn push_words(element: ElementRef, words: &mut String) {
    for child in element.children() {
        if let Some(text) = child.value().as_text() {
            words.push_str(text);
        } else if words.len() > WORDS_BYTES_MAX {
            return;
        } else if let Some(part) = ElementRef::wrap(child).filter(|part| !is_beside(*part)) {
            let is_block = matches!(
                part.value().name(),
                "p" | "br" | "div" | "li" | "h1" | "h2" | "h3" | "h4" | "td" | "tr" | "section" | "img"
            );
            words.push_str(if is_block { " " } else { "" });
            push_words(part, words);
        }
    }
}

/// `card-title`, `titre`, `entryTitle`; not `subtitle`, nor what a title stands in.
pub(in crate::extract) fn is_named_title(element: ElementRef) -> bool {
    const OTHERS: [&str; 15] = [
        "sub",
        "sous",
        "sur",
        "page",
        "site",
        "section",
        "block",
        "widget",
        "wrap",
        "wrapper",
        "container",
        "group",
        "area",
        "content",
        "bar",
    ];
    element.value().classes().map(words::parts_of_name).any(|parts| {
        parts.iter().any(|part| words::of("title").contains(part))
            && !parts.iter().any(|part| OTHERS.contains(&part.as_str()))
    })
}

/// Whether an element is the sign beside a heading by which readers get its address: "¶".
fn is_sign_of_link(part: ElementRef) -> bool {
    part.attr("href").is_some_and(|href| href.starts_with('#'))
        && !text_of(part).contains(char::is_alphanumeric)
}

/// Whether an element inside a title does not belong to its text.
fn is_beside(part: ElementRef) -> bool {
    matches!(part.value().name(), "script" | "style" | "noscript" | "template" | "time")
        || part.attr("hidden").is_some()
        || is_sign_of_link(part)
        || is_of_icon(part)
        || part.value().classes().any(|class| {
            let class = class.to_ascii_lowercase().replace('_', "-");
            HIDDEN_CLASSES.contains(&class.as_str())
        })
        || is_label(part)
        || text_within(part, DATE_LINE_CHARS_MAX).is_some_and(|text| is_date(&text))
}

/// Whether a text is a date: words that may stand around one are words of a title too.
fn is_date(text: &str) -> bool {
    text.contains(char::is_numeric) && is_date_only(text)
}

/// Whether an element is a label on a card, by its name, its words or as a category.
pub(in crate::extract) fn is_label(part: ElementRef) -> bool {
    let Some(text) = text_within(part, LABEL_CHARS_MAX) else { return false };
    let is_named = |parts: &[&str]| {
        let names = part.value().classes().flat_map(words::parts_of_name);
        names.into_iter().any(|name| parts.contains(&name.as_str()))
    };
    // A heading and a lone link are the title, whatever they are called.
    let is_lone_link = || {
        let mut beside = part.prev_siblings().chain(part.next_siblings()).filter_map(ElementRef::wrap);
        !beside.any(|other| other.value().name() == "a")
    };
    let is_whole = match part.value().name() {
        "a" => is_lone_link(),
        _ => is_heading(part),
    };
    !is_whole
        && !text.is_empty()
        && (words::is_one("badge", &text) || is_named(&LABEL_PARTS) || is_named(&CATEGORY_PARTS))
}
