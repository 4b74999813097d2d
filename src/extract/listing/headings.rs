//! The headings that records stand under: where one section of a page is called news, the sections beside it are not.

use std::collections::{HashMap, HashSet};

use ego_tree::NodeId;
use scraper::ElementRef;

use super::cards::{Card, is_heading};
use crate::extract::page::{Page, text_of};
use crate::extract::words;

/// A heading above records.
#[derive(Clone)]
pub(super) struct Heading {
    /// 1 for `h1`.
    level: u8,
    pub text: String,
}

impl Heading {
    pub(super) fn is_news(&self) -> bool {
        words::has_one("news", &self.text)
    }

    pub(super) fn is_of_page(&self) -> bool {
        self.level == 1
    }
}

/// The nearest heading above each record that is not a part of a record.
pub(super) fn above<'a>(page: &Page, cards: &[Card<'a>]) -> Vec<Option<Heading>> {
    let records: HashMap<NodeId, usize> =
        cards.iter().enumerate().map(|(at, card)| (card.record.id(), at)).collect();
    // On a flat page, the heading of a record stands beside its link.
    let own: HashSet<NodeId> = cards.iter().filter_map(|card| Some(card.heading()?.id())).collect();
    let mut found = vec![None; cards.len()];
    let mut last: Option<Heading> = None;
    for element in page.html().tree.root().descendants().filter_map(ElementRef::wrap) {
        if let Some(at) = records.get(&element.id()) {
            found[*at] = last.clone();
        }
        let is_in_record = || {
            element.ancestors().any(|around| records.contains_key(&around.id()))
                || own.contains(&element.id())
        };
        if is_heading(element) && !records.contains_key(&element.id()) && !is_in_record() {
            let level = element.value().name().bytes().last().map_or(6, |digit| digit - b'0');
            last = Some(Heading { level, text: text_of(element) });
        }
    }
    found
}

/// The records under a heading that calls them news, if there are any, and those that have dates. What stands under a lower
/// heading stands under the higher one too.
pub(super) fn under_news<'a>(page: &Page, cards: Vec<Card<'a>>) -> Vec<Card<'a>> {
    let above = above(page, &cards);
    let Some(level) =
        above.iter().flatten().filter(|heading| heading.is_news()).map(|heading| heading.level).max()
    else {
        return cards;
    };
    let is_elsewhere = |heading: &Option<Heading>| {
        heading.as_ref().is_some_and(|heading| !heading.is_news() && (2..=level).contains(&heading.level))
    };
    cards
        .into_iter()
        .zip(above)
        .filter(|(card, heading)| !is_elsewhere(heading) || card.has_date())
        .map(|(card, _)| card)
        .collect()
}
