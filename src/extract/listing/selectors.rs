//! Freezes a mined listing into selectors that an operator can read and that find the same entries.

use std::collections::{HashMap, HashSet};

use ego_tree::NodeId;
use scraper::{ElementRef, Selector};

use super::cards::Card;
use super::links::is_stable_class;
use crate::extract::page::{Page, title_text};
use crate::extract::prose_date::DateRules;
use crate::model::feed::RawEntry;
use crate::model::source::Select;

/// Maximum number of steps from a card upwards in a path of elements.
const STEPS_MAX: usize = 8;

/// Fewer cards show nothing of what others will have in common with them.
const CARDS_MIN: usize = 2;

/// Selectors that find the same entries; `None` if there are none.
pub(super) fn learn_selectors(
    page: &Page,
    cards: &[Card],
    entries: &[RawEntry],
    rules: DateRules,
) -> Option<Select> {
    // A single card is like its container: the next ones would be lost in it.
    if cards.len() < CARDS_MIN {
        return None;
    }
    let records: HashSet<_> = cards.iter().map(|card| card.record.id()).collect();
    let want: Vec<(&str, &str)> = entries.iter().map(summary).collect();
    let mut candidates: Vec<(usize, usize, String)> = Vec::new();
    for (at, css) in item_candidates(cards).into_iter().enumerate() {
        let Ok(selector) = Selector::parse(&css) else { continue };
        let found: Vec<_> = page.html().select(&selector).map(|element| element.id()).collect();
        let hits = found.iter().filter(|id| records.contains(id)).count();
        candidates.push((records.len() - hits + found.len() - hits, at, css));
    }
    candidates.sort();
    for (_, _, item) in candidates.into_iter().take(6) {
        let select = with_parts(cards, item, rules);
        let read = page.read_cards(&select, rules);
        let got: Vec<(&str, &str)> = read.entries.iter().map(summary).collect();
        let agreeing = want.iter().filter(|entry| got.contains(entry)).count();
        // What gives an entry its date may stand beyond its card: selectors would find the next ones without.
        let dated = |entries: &[RawEntry]| entries.iter().filter(|entry| entry.published.is_some()).count();
        let has_dates = dated(&read.entries) * 10 >= dated(entries) * 9;
        // Entries of one title and address agree with each other, and selectors find the first of them only.
        let has_all = got.len() * 10 >= want.len() * 9 && got.len() * 10 <= want.len() * 12;
        // What was no entry at this reading, such as a dialog, would be one at the next.
        let has_more = got.iter().any(|(url, _)| want.iter().all(|(known, _)| known != url));
        if agreeing * 10 >= want.len() * 9 && has_all && has_dates && !has_more {
            return Some(select);
        }
    }
    None
}

fn summary(entry: &RawEntry) -> (&str, &str) {
    (entry.url().unwrap_or(""), entry.title.as_ref().map_or("", |title| title.value.as_str()))
}

/// Number of classes of an element that are tried.
const CLASSES_MAX: usize = 64;

/// The classes of an element shared by nearly all cards on the ancestor at the same distance.
fn shared_classes(cards: &[Card], element: ElementRef, up: usize) -> Vec<String> {
    let all: Vec<ElementRef> = cards
        .iter()
        .map(|card| card.record)
        .filter_map(|record| {
            std::iter::once(record).chain(record.ancestors().filter_map(ElementRef::wrap)).nth(up)
        })
        .collect();
    // Most cards have one ancestor in common.
    let mut elements: HashMap<NodeId, (ElementRef, usize)> = HashMap::new();
    all.iter().for_each(|other| elements.entry(other.id()).or_insert((*other, 0)).1 += 1);
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for (other, count) in elements.values() {
        other.value().classes().for_each(|class| *counts.entry(class).or_default() += count);
    }
    let is_shared = |class: &&str| counts.get(class).is_some_and(|count| count * 10 >= all.len() * 9);
    let classes = element.value().classes().filter(|class| is_stable_class(class)).filter(is_shared);
    classes.take(CLASSES_MAX).map(str::to_owned).collect()
}

/// Candidate selectors, from the most descriptive to the most literal: a class, a class below a class, a path of elements.
fn item_candidates(cards: &[Card]) -> Vec<String> {
    let mut candidates = Vec::new();
    let Some(first) = cards.first().map(|card| card.record) else { return candidates };
    let name = first.value().name();
    for class in shared_classes(cards, first, 0) {
        candidates.push(format!("{name}.{class}"));
    }
    let above: Vec<ElementRef> = first.ancestors().filter_map(ElementRef::wrap).take(STEPS_MAX).collect();
    let mut path = name.to_owned();
    for (up, ancestor) in above.iter().enumerate() {
        let tag = ancestor.value().name();
        if let Some(id) = ancestor.attr("id").filter(|id| is_stable_class(id)) {
            candidates.push(format!("#{id} > {path}"));
            break;
        }
        for class in shared_classes(cards, *ancestor, up + 1) {
            candidates.push(format!("{tag}.{class} > {path}"));
        }
        path = format!("{tag} > {path}");
        candidates.push(path.clone());
        if matches!(tag, "body" | "html") {
            break;
        }
    }
    // Any other element may stand anywhere on the page for anything.
    if name == "article" {
        candidates.push(name.to_owned());
    }
    candidates
}

/// Adds selectors for the parts that the defaults would not find.
fn with_parts(cards: &[Card], item: String, rules: DateRules) -> Select {
    // Headings are found by default; other titles need a selector.
    let has_headings = cards.iter().filter(|card| card.has_heading()).count() * 10 >= cards.len() * 9;
    let titled = |card: &Card<'_>| -> Option<ego_tree::NodeId> {
        let wanted = super::title::title(card)?;
        let inner = card
            .record
            .descendants()
            .filter_map(ElementRef::wrap)
            .filter(|element| title_text(*element) == wanted);
        inner.last().map(|element| element.id())
    };
    Select {
        item,
        title: if has_headings { None } else { part(cards, &titled) },
        summary: part(cards, &|card| card.excerpt_element().map(|element| element.id())),
        date: part(cards, &|card| card.date_element(rules).map(|element| element.id()))
            .filter(|css| css != "time"),
        ..Select::default()
    }
}

/// A selector that finds the same part in nearly all cards that have it: by class, or else by position.
fn part(cards: &[Card], wanted: &dyn Fn(&Card) -> Option<ego_tree::NodeId>) -> Option<String> {
    let found: Vec<(ElementRef, ElementRef)> = cards
        .iter()
        .filter_map(|card| {
            let id = wanted(card)?;
            let element =
                card.record.descendants().filter_map(ElementRef::wrap).find(|element| element.id() == id)?;
            Some((card.record, element))
        })
        .collect();
    let mut candidates: Vec<String> = Vec::new();
    for (record, element) in found.iter().take(3) {
        for css in by_class(*element).into_iter().chain([place_of(*record, *element)]) {
            if !css.is_empty() && !candidates.contains(&css) {
                candidates.push(css);
            }
        }
    }
    let hits = |css: &str| {
        let selector = Selector::parse(css).ok()?;
        Some(
            found
                .iter()
                .filter(|(record, element)| {
                    record.select(&selector).next().is_some_and(|first| first.id() == element.id())
                })
                .count(),
        )
    };
    // Among equals, the first one wins: classes before positions.
    let scored = candidates.into_iter().rev().filter_map(|css| Some((hits(&css)?, css)));
    let (count, css) = scored.max_by_key(|(count, _)| *count)?;
    (count * 10 >= found.len() * 7).then_some(css)
}

/// Short selectors for an element inside a card: by its own classes, those of its parent, or its name.
fn by_class(element: ElementRef) -> Vec<String> {
    let name = element.value().name();
    let stable = |element: ElementRef| {
        element
            .value()
            .classes()
            .filter(|class| is_stable_class(class))
            .map(|class| format!("{}.{class}", element.value().name()))
            .collect::<Vec<_>>()
    };
    let mut all = stable(element);
    all.extend(
        element
            .parent()
            .and_then(ElementRef::wrap)
            .into_iter()
            .flat_map(stable)
            .map(|parent| format!("{parent} > {name}")),
    );
    all.push(name.to_owned());
    all
}

/// The path from a card down to an element, by position.
fn place_of(record: ElementRef, element: ElementRef) -> String {
    let mut steps = Vec::new();
    let mut current = element;
    while current.id() != record.id() && steps.len() < STEPS_MAX {
        let position = current.prev_siblings().filter_map(ElementRef::wrap).count() + 1;
        steps.push(format!("{}:nth-child({position})", current.value().name()));
        let Some(parent) = current.parent().and_then(ElementRef::wrap) else { break };
        current = parent;
    }
    steps.reverse();
    steps.join(" > ")
}
