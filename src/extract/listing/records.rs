//! Links that only belong to a record of another link: a file beside the page that it is about, a call to read on, a topic or an
//! author.

use std::collections::{HashMap, HashSet};

use ego_tree::NodeId;
use scraper::ElementRef;

use super::links::{Anchor, is_call, is_file_label, is_file_path};

/// Number of elements around a link among which its record is looked for.
const AROUND_MAX: usize = 6;
/// An element with more links is no record.
const LINKS_MAX: usize = 12;

/// The links without those that stand beside the main one of their record: a row, a list item, a card among others like it.
pub(super) fn main_links(anchors: Vec<Anchor>) -> Vec<Anchor> {
    let mut within: HashMap<NodeId, Vec<usize>> = HashMap::new();
    for (at, anchor) in anchors.iter().enumerate() {
        for around in anchor.element.ancestors().take(AROUND_MAX) {
            within.entry(around.id()).or_default().push(at);
        }
    }
    let records: Vec<Option<NodeId>> =
        anchors.iter().map(|anchor| record_of(anchor, &anchors, &within)).collect();
    let mut homes: HashMap<&str, HashSet<NodeId>> = HashMap::new();
    for (anchor, record) in anchors.iter().zip(&records) {
        homes.entry(&anchor.key).or_default().extend(record);
    }
    let is_beside = |anchor: &Anchor, record: NodeId| {
        let others =
            || within[&record].iter().map(|at| &anchors[*at]).filter(|other| other.key != anchor.key);
        let best = others().map(rank).max().unwrap_or_default();
        let main: HashSet<&str> =
            others().filter(|other| rank(other) == best).map(|other| other.key.as_str()).collect();
        let is_second = rank(anchor) < best && main.len() == 1 && !anchor.text.is_empty();
        // A topic or an author stands in many records, a story in its own.
        let is_shared = homes[anchor.key.as_str()].len() > 1
            && others().any(|other| rank(other) >= rank(anchor) && homes[other.key.as_str()].len() == 1);
        is_second || is_shared
    };
    let kept: Vec<bool> = anchors
        .iter()
        .zip(&records)
        .map(|(anchor, record)| record.is_none_or(|record| !is_beside(anchor, record)))
        .collect();
    anchors.into_iter().zip(kept).filter_map(|(anchor, is_kept)| is_kept.then_some(anchor)).collect()
}

/// The record of a link, if it has other links too.
fn record_of(anchor: &Anchor, anchors: &[Anchor], within: &HashMap<NodeId, Vec<usize>>) -> Option<NodeId> {
    let around = anchor.element.ancestors().filter_map(ElementRef::wrap).take(AROUND_MAX);
    let mut shared = around
        .map(|around| (around, &within[&around.id()]))
        .take_while(|(_, links)| links.len() <= LINKS_MAX)
        .skip_while(|(_, links)| links.iter().all(|at| anchors[*at].key == anchor.key))
        .peekable();
    // An element around that has no further link may be the one that has others like it.
    let count = shared.peek()?.1.len();
    let record = shared.take_while(|(_, links)| links.len() == count).find(|(around, _)| is_record(*around));
    record.map(|(around, _)| around.id())
}

/// How much a link may be the main one of a record: one with words before a call or a label, a page before a file.
fn rank(anchor: &Anchor) -> u8 {
    let is_file = is_file_path(&anchor.key);
    match () {
        () if is_file_label(&anchor.text) => 0,
        () if is_call(&anchor.text) => 1,
        () if is_file => 2,
        () => 3,
    }
}

/// Whether an element is a record: a row, a list item or an article, or one of several siblings of the same class.
fn is_record(element: ElementRef) -> bool {
    let name = element.value().name();
    let is_alike = |other: ElementRef| {
        other.value().name() == name
            && other.value().classes().next().is_some()
            && other.value().classes().next() == element.value().classes().next()
    };
    let mut siblings = element.next_siblings().chain(element.prev_siblings()).filter_map(ElementRef::wrap);
    matches!(name, "li" | "tr" | "article" | "dd") || name == "div" && siblings.any(is_alike)
}
