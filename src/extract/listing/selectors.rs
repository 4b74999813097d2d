//! What was found, frozen into selectors that an operator can read, and that find the same again.

use std::collections::HashSet;

use scraper::{ElementRef, Selector};

use super::cards::Card;
use super::groups::is_stable_class;
use crate::extract::page::Page;
use crate::extract::prose_date::DateRules;
use crate::model::feed::RawEntry;
use crate::model::source::Select;

/// Steps up from a card in a path of elements.
const STEPS_MAX: usize = 8;

/// Selectors that find the same entries; `None` where none does.
pub fn freeze(page: &Page, cards: &[Card], entries: &[RawEntry], rules: DateRules) -> Option<Select> {
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
        let select = with_parts(page, cards, &Select { item, ..Select::default() });
        let read = page.read_cards(&select, rules);
        let got: Vec<(&str, &str)> = read.entries.iter().map(summary).collect();
        let agreeing = want.iter().filter(|entry| got.contains(entry)).count();
        if agreeing * 10 >= want.len() * 9 && got.len() * 10 <= want.len() * 12 {
            return Some(select);
        }
    }
    None
}

fn summary(entry: &RawEntry) -> (&str, &str) {
    (entry.url().unwrap_or(""), entry.title.as_ref().map_or("", |title| title.value.as_str()))
}

/// From the most telling to the most literal: a class, a class below a class, a path of elements.
fn item_candidates(cards: &[Card]) -> Vec<String> {
    let mut candidates = Vec::new();
    let Some(first) = cards.first().map(|card| card.record) else { return candidates };
    let name = first.value().name();
    let shared = |element: ElementRef, up: usize| -> Vec<String> {
        let records = cards.iter().map(|card| card.record);
        let all: Vec<ElementRef> =
            records.filter_map(|record| std::iter::once(record).chain(record.ancestors().filter_map(ElementRef::wrap)).nth(up)).collect();
        let classes = element.value().classes().filter(|class| is_stable_class(class));
        classes
            .filter(|class| all.iter().filter(|other| other.value().classes().any(|known| known == *class)).count() * 10 >= all.len() * 9)
            .map(str::to_owned)
            .collect()
    };
    for class in shared(first, 0) {
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
        for class in shared(*ancestor, up + 1) {
            candidates.push(format!("{tag}.{class} > {path}"));
        }
        path = format!("{tag} > {path}");
        candidates.push(path.clone());
        if matches!(tag, "body" | "html") {
            break;
        }
    }
    candidates.push(name.to_owned());
    candidates
}

/// Adds selectors for the parts that the defaults would not find.
fn with_parts(page: &Page, cards: &[Card], base: &Select) -> Select {
    let _ = page;
    let mut select = base.clone();
    let title = |card: &Card| super::cards::title(card);
    // The heading is found by default; a title that stands in a link is told by it.
    let has_headings = cards.iter().filter(|card| card.has_heading()).count() * 10 >= cards.len() * 9;
    if !has_headings {
        let holder = cards.iter().find_map(|card| {
            let wanted = title(card)?;
            let inner = card.record.descendants().filter_map(ElementRef::wrap).filter(|element| crate::extract::page::text_of(*element) == wanted).last()?;
            Some(css_of(inner))
        });
        select.title = holder;
    }
    let excerpts: Vec<String> = cards.iter().filter_map(|card| card.excerpt_element()).map(css_of).collect();
    select.summary = most_common(excerpts);
    let dates: Vec<String> = cards.iter().filter_map(|card| card.date_element()).map(css_of).collect();
    select.date = most_common(dates).filter(|css| css != "time");
    select
}

/// A short selector for an element inside a card.
fn css_of(element: ElementRef) -> String {
    let name = element.value().name();
    match element.value().classes().find(|class| is_stable_class(class)) {
        Some(class) => format!("{name}.{class}"),
        None => {
            let above = element.parent().and_then(ElementRef::wrap).and_then(|parent| {
                let class = parent.value().classes().find(|class| is_stable_class(class))?;
                Some(format!("{}.{class} > {name}", parent.value().name()))
            });
            above.unwrap_or_else(|| name.to_owned())
        }
    }
}

fn most_common(all: Vec<String>) -> Option<String> {
    let mut counted: Vec<(usize, String)> = Vec::new();
    for css in all {
        match counted.iter_mut().find(|(_, known)| *known == css) {
            Some((count, _)) => *count += 1,
            None => counted.push((1, css)),
        }
    }
    counted.into_iter().max_by_key(|(count, _)| *count).map(|(_, css)| css)
}
