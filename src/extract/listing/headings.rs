//! The headings that records stand under: where one section of a page is called news, the sections beside it are not.

use std::collections::{HashMap, HashSet};

use ego_tree::NodeId;
use scraper::ElementRef;

use super::cards::Card;
use super::evidence::is_page_of_news;
use super::kinds;
use crate::extract::elements::is_heading;
use crate::extract::page::{Page, selector, text_of};
use crate::extract::prose_date::{is_date_only, year_of_heading};
use crate::extract::words;
use crate::support::text::fold;

/// A line that says that there is nothing is short, in characters.
const NOTHING_CHARS_MAX: usize = 120;
/// What is around a heading and holds more than these nodes or links has a content of its own.
const HEAD_NODES_MAX: usize = 40;
const HEAD_LINKS_MAX: usize = 2;
/// A heading that is a link with so many words is a headline of its own.
const HEADLINE_WORDS_MIN: usize = 4;
/// Number of elements around a line that may hide it or set it aside.
const AROUND_MAX: usize = 8;

/// A heading above records.
#[derive(Clone)]
pub(super) struct Heading {
    /// 1 for `h1`.
    level: u8,
    pub text: String,
    /// Whether it is the heading of the page, whatever its level.
    is_of_page: bool,
    is_news: bool,
    /// Whether it says that something is shown first or is new, which may be anything.
    features: bool,
}

impl Heading {
    pub(super) fn is_news(&self) -> bool {
        self.is_news
    }

    /// Whether it features something, and does not say of that that it is no news: "À la une", not "Démarches à la une".
    fn may_feature_news(&self) -> bool {
        let is_other = || self.text.split(|c: char| !c.is_alphanumeric()).any(is_other_noun);
        self.features && !is_other()
    }

    pub(super) fn is_of_page(&self) -> bool {
        self.is_of_page
    }

    /// Whether it is a heading of a part of the page, and not of the page.
    pub(super) fn is_of_part(&self) -> bool {
        !self.is_of_page
    }

    /// Whether it says nothing of what stands under it: "Filter", "12 results", "October 2026".
    fn is_plain(&self) -> bool {
        let words = self.text.trim_matches(|c: char| !c.is_alphabetic());
        words.is_empty()
            || words::is_one("plain", words)
            || is_date_only(&self.text)
            || year_of_heading(&self.text).is_some()
    }
}

/// What a record stands under.
#[derive(Clone, Default)]
pub(super) struct RecordContext {
    /// The nearest heading that says something of the record.
    pub heading: Option<Heading>,
    /// Whether a line between says that there is nothing under that heading.
    pub is_empty: bool,
}

impl RecordContext {
    /// Whether the record stands under a heading that calls it news.
    pub(super) fn is_news(&self) -> bool {
        !self.is_empty && self.heading.as_ref().is_some_and(Heading::is_news)
    }

    /// Whether the record stands under a heading that features it as news, or as anything: enough for what has a date.
    pub(super) fn is_featured(&self) -> bool {
        !self.is_empty && self.heading.as_ref().is_some_and(|heading| heading.is_news || heading.features)
    }

    /// Whether a heading of something else, or a line that says that there is nothing, parts the record from the page.
    pub(super) fn is_apart(&self) -> bool {
        self.is_empty
            || self.heading.as_ref().is_some_and(|heading| {
                !heading.is_of_page() && !heading.is_news() && !heading.may_feature_news()
            })
    }
}

/// What stands above records, in page order.
enum HeadingMark<'a> {
    Heading(ElementRef<'a>, Heading),
    Nothing,
}

/// What is above each record and is not a part of a record.
pub(super) fn above(page: &Page, cards: &[Card]) -> Vec<RecordContext> {
    let records: HashMap<NodeId, usize> =
        cards.iter().enumerate().map(|(at, card)| (card.record.id(), at)).collect();
    // On a flat page, the heading of a record stands beside its link.
    let own: HashSet<NodeId> = cards.iter().filter_map(|card| Some(card.heading()?.id())).collect();
    let title = page.html().select(&selector("title")).next().map(text_of).unwrap_or_default();
    let title = fold(&title);
    let mut found = vec![RecordContext::default(); cards.len()];
    let mut seen: Vec<HeadingMark> = Vec::new();
    for element in page.html().tree.root().descendants().filter_map(ElementRef::wrap) {
        if let Some(at) = records.get(&element.id()) {
            found[*at] = nearest(&seen, element);
        }
        let is_in_record = || {
            records.contains_key(&element.id())
                || own.contains(&element.id())
                || element.ancestors().any(|around| records.contains_key(&around.id()))
        };
        if says_nothing(element) && !is_in_record() {
            seen.push(HeadingMark::Nothing);
        } else if is_heading(element) && !is_in_record() && !is_in_menu(element) {
            let level = element.value().name().bytes().last().map_or(6, |digit| digit - b'0');
            let text = text_of(element);
            let folded = fold(&text);
            let is_of_page = level == 1 || !folded.trim().is_empty() && title.contains(folded.trim());
            let (is_news, features) = (words::names_news(&text), words::features(&text));
            let heading = Heading { level, text, is_of_page, is_news, features };
            seen.push(HeadingMark::Heading(element, heading));
        }
    }
    found
}

/// The nearest heading that says something of a record. What stands under a lower heading stands under the higher one too.
fn nearest(seen: &[HeadingMark], record: ElementRef) -> RecordContext {
    let around: HashSet<NodeId> = record.ancestors().map(|around| around.id()).collect();
    let mut is_empty = false;
    let mut found: Option<RecordContext> = None;
    for mark in seen.iter().rev() {
        let (element, heading) = match mark {
            HeadingMark::Nothing => {
                is_empty = true;
                continue;
            }
            HeadingMark::Heading(element, heading) => (*element, heading),
        };
        let here = || RecordContext { heading: Some(heading.clone()), is_empty };
        match &found {
            None if heading.is_of_page() || heading.is_news() => return here(),
            None if !heading.is_plain() && !is_beside(element) && heads(element, &around) => {
                found = Some(here());
            }
            Some(RecordContext { heading: Some(lower), .. })
                if heading.is_news()
                    && heading.is_of_part()
                    && heading.level < lower.level
                    && heads(element, &around) =>
            {
                return here();
            }
            _ => {}
        }
    }
    found.unwrap_or(RecordContext { heading: None, is_empty })
}

/// Whether a heading is that of what it stands with: what is around it is around the record too, or holds little more than the
/// heading. A filter, a search form or a featured story before the list have headings of their own.
fn heads(heading: ElementRef, around_record: &HashSet<NodeId>) -> bool {
    let mut around = heading.ancestors().filter_map(ElementRef::wrap);
    around
        .find(|around| around_record.contains(&around.id()) || !is_only_head(*around))
        .is_some_and(|around| around_record.contains(&around.id()))
}

fn is_only_head(element: ElementRef) -> bool {
    if matches!(
        element.value().name(),
        "article" | "aside" | "nav" | "form" | "li" | "td" | "dialog" | "footer" | "fieldset"
    ) {
        return false;
    }
    let mut links = 0;
    for (at, inner) in element.descendants().enumerate() {
        let name = inner.value().as_element().map_or("", |inner| inner.name());
        links += usize::from(name == "a");
        if at > HEAD_NODES_MAX
            || links > HEAD_LINKS_MAX
            || matches!(name, "input" | "select" | "textarea" | "form")
        {
            return false;
        }
    }
    true
}

/// Whether a heading is a headline that leads to its own story, or one that only screen readers read.
fn is_beside(heading: ElementRef) -> bool {
    const HIDDEN: [&str; 5] =
        ["sr-only", "visually-hidden", "visuallyhidden", "screen-reader-text", "element-invisible"];
    let is_link = || {
        heading.select(&selector("a[href]")).next().is_some()
            || heading.ancestors().filter_map(ElementRef::wrap).any(|around| around.value().name() == "a")
    };
    heading.value().classes().any(|class| HIDDEN.contains(&class))
        || words::count(&text_of(heading)) >= HEADLINE_WORDS_MIN && is_link()
}

fn is_in_menu(heading: ElementRef) -> bool {
    let mut around = heading.ancestors().filter_map(ElementRef::wrap);
    around.any(|around| {
        matches!(around.value().name(), "nav" | "dialog") || around.attr("role") == Some("navigation")
    })
}

/// Whether an element is a line that is shown and says that there is nothing.
fn says_nothing(element: ElementRef) -> bool {
    if !matches!(
        element.value().name(),
        "p" | "div" | "span" | "strong" | "em" | "td" | "li" | "h2" | "h3" | "h4" | "h5"
    ) {
        return false;
    }
    let own: String =
        element.children().filter_map(|child| child.value().as_text().map(|text| &**text)).collect();
    if own.trim().is_empty() || own.len() > NOTHING_CHARS_MAX * 4 {
        return false;
    }
    let text = text_of(element);
    let is_hidden = |around: &ElementRef| {
        let style = around.attr("style").unwrap_or_default().replace(' ', "").to_ascii_lowercase();
        let is_off = |class: &str| matches!(class, "hidden" | "d-none" | "hide" | "is-hidden" | "sr-only");
        around.attr("hidden").is_some()
            || around.attr("aria-hidden") == Some("true")
            || style.contains("display:none")
            || around.value().classes().any(is_off)
            || matches!(around.value().name(), "aside" | "nav" | "footer" | "template" | "noscript" | "form")
    };
    text.chars().count() <= NOTHING_CHARS_MAX
        && words::after("none", &words::plain(&text)).is_some()
        && !element
            .ancestors()
            .filter_map(ElementRef::wrap)
            .take(AROUND_MAX)
            .chain([element])
            .any(|around| is_hidden(&around))
}

fn is_other_noun(word: &str) -> bool {
    words::is_one("other", word)
}

/// The records under a heading that calls them news, or else features them, if there are any, and those that have dates. On a page
/// of news, those that stand right under its heading are, and not what stands under other headings.
pub(super) fn under_news<'a>(page: &Page, cards: Vec<Card<'a>>) -> Vec<Card<'a>> {
    let above = above(page, &cards);
    let headings = || above.iter().filter_map(|above| above.heading.as_ref());
    let has_news = headings().any(Heading::is_news);
    let is_called = |heading: &Heading| heading.is_news() || !has_news && heading.features;
    let level = headings().filter(|heading| is_called(heading)).map(|heading| heading.level).max();
    let is_page_with_parts = above.iter().any(RecordContext::is_apart)
        && above.iter().any(|above| !above.is_apart())
        && is_page_of_news(page);
    // What is featured beside the news is news as well if it stands in one directory with them.
    let of_news = cards.iter().zip(&above).filter(|(_, above)| above.is_news());
    let directories: HashSet<String> = of_news.filter_map(|(card, _)| directory_of(&card.href)).collect();
    let is_featured_news = |card: &Card, part: &Heading| {
        part.may_feature_news() && directory_of(&card.href).is_some_and(|own| directories.contains(&own))
    };
    let is_elsewhere = |card: &Card, above: &RecordContext| {
        let part = above.heading.as_ref().filter(|heading| !is_called(heading) && heading.level > 1);
        part.is_some_and(|part| {
            level.is_some_and(|level| part.level <= level) && !is_featured_news(card, part)
                || is_page_with_parts && above.is_apart() && !kinds::is_called_news(page, card)
        })
    };
    let kept = cards.iter().zip(&above).map(|(card, above)| !is_elsewhere(card, above) || card.has_date());
    let kept: Vec<bool> = kept.collect();
    cards.into_iter().zip(kept).filter_map(|(card, is_kept)| is_kept.then_some(card)).collect()
}

/// The address of the directory that an address is in.
fn directory_of(href: &str) -> Option<String> {
    let path = href.split(['?', '#']).next()?.trim_end_matches('/');
    path.rsplit_once('/').map(|(directory, _)| directory.to_owned())
}
