//! Records of a dated listing that lead nowhere: a notice between news, of which the listing tells everything. Their address is that
//! of the page, and their title and their day tell them apart.

use std::collections::HashSet;

use scraper::ElementRef;
use url::Url;

use super::cards::Card;
use super::links::may_lead_to_entry;
use super::title::title;
use crate::extract::page::selector;

/// Fewer records show nothing of what others beside them are.
const RECORDS_MIN: usize = 3;
/// So many elements between two records may be such.
const BETWEEN_MAX: usize = 50;

/// The records of a listing with those beside them that are made alike, have a title and a date, and lead nowhere; in page order.
pub(super) fn with_unlinked<'a>(own: Option<&Url>, cards: Vec<Card<'a>>) -> Vec<Card<'a>> {
    let dated = cards.iter().filter(|card| card.has_date()).count();
    let Some(own) = own.filter(|_| cards.len() >= RECORDS_MIN && dated * 2 >= cards.len()) else {
        return cards;
    };
    let records: HashSet<_> = cards.iter().map(|card| card.record.id()).collect();
    let is_record = |element: &ElementRef| records.contains(&element.id());
    let unlinked = |element: ElementRef<'a>, beside: ElementRef| -> Option<Card<'a>> {
        let card = Card::unlinked(own, element);
        let is_told = || card.shows_date() && title(&card).is_some();
        (are_alike(element, beside) && leads_nowhere(element, own) && is_told()).then_some(card)
    };
    let mut all = Vec::with_capacity(cards.len());
    for card in cards {
        let record = card.record;
        let before = record.prev_siblings().filter_map(ElementRef::wrap).take(BETWEEN_MAX);
        let mut before: Vec<Card> = before
            .take_while(|element| !is_record(element))
            .filter_map(|element| unlinked(element, record))
            .collect();
        before.reverse();
        all.extend(before);
        all.push(card);
        let behind: Vec<ElementRef> =
            record.next_siblings().filter_map(ElementRef::wrap).take(BETWEEN_MAX).collect();
        if !behind.iter().any(is_record) {
            all.extend(behind.into_iter().filter_map(|element| unlinked(element, record)));
        }
    }
    all
}

/// Whether an element is made as a record is.
fn are_alike(element: ElementRef, record: ElementRef) -> bool {
    let class = |element: ElementRef<'_>| element.value().classes().next().map(str::to_owned);
    let name = element.value().name();
    name == record.value().name()
        && class(element) == class(record)
        && (matches!(name, "li" | "tr" | "article") || class(record).is_some())
}

fn leads_nowhere(element: ElementRef, own: &Url) -> bool {
    !element.select(&selector("a[href]")).any(|link| may_lead_to_entry(link, own))
}
