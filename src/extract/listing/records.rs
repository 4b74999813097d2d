//! Links that only belong to a record of another link: a file beside the page that it is about, or a second name of it.

use std::collections::{HashMap, HashSet};

use ego_tree::NodeId;
use scraper::ElementRef;

use super::links::{Anchor, is_call, is_file_label, is_file_path};
use crate::support::text::fold;

/// Number of elements around a link among which its record is looked for.
const AROUND_MAX: usize = 6;
/// An element with more links is no record.
const LINKS_MAX: usize = 12;

/// The links without those that stand beside the main one of their record: a row, a list item, a card among others like it.
pub fn main_links(anchors: Vec<Anchor>) -> Vec<Anchor> {
    let mut within: HashMap<NodeId, Vec<usize>> = HashMap::new();
    for (at, anchor) in anchors.iter().enumerate() {
        for around in anchor.element.ancestors().take(AROUND_MAX) {
            within.entry(around.id()).or_default().push(at);
        }
    }
    let is_beside = |anchor: &Anchor| {
        let around = anchor.element.ancestors().filter_map(ElementRef::wrap).take(AROUND_MAX);
        let records = around.map(|around| (around, within[&around.id()].as_slice()));
        let mut small = records.take_while(|(_, links)| links.len() <= LINKS_MAX);
        let found = small.find_map(|(around, links)| {
            let others = links.iter().map(|at| &anchors[*at]);
            let main = others.filter(|other| other.key != anchor.key && is_main(other, anchor));
            let keys: HashSet<&str> = main.map(|other| other.key.as_str()).collect();
            (!keys.is_empty()).then(|| is_record(around) && keys.len() == 1)
        });
        found == Some(true)
    };
    let kept: Vec<bool> = anchors.iter().map(|anchor| !(is_second(anchor) && is_beside(anchor))).collect();
    anchors.into_iter().zip(kept).filter_map(|(anchor, is_kept)| is_kept.then_some(anchor)).collect()
}

/// Whether a link may be one beside another: a file, a label or a call to read on.
fn is_second(anchor: &Anchor) -> bool {
    let is_named_so = is_file_label(&anchor.text) || is_file_path(&anchor.key) || is_call(&anchor.text);
    !anchor.text.is_empty() && is_named_so
}

/// Whether a link is the main one beside another: it has words, and is a page where the other is a file; of two files, the one
/// with a title.
fn is_main(main: &Anchor, second: &Anchor) -> bool {
    let has_words = !is_call(&main.text) && !is_file_label(&main.text);
    let is_named = !is_file_label(&second.text) && !is_call(&second.text);
    has_words
        && (!is_file_path(&main.key) || !is_named)
        && (!is_named || is_file_path(&second.key) || fold(&main.text) == fold(&second.text))
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
