//! Links that only belong to a record of another link: a file beside the page that it is about, or a second name of it.

use std::collections::HashSet;

use ego_tree::NodeId;
use scraper::ElementRef;

use super::links::{Anchor, is_call, is_file_label, is_file_path};
use crate::support::text::fold;

/// Number of elements around a link among which its record is looked for.
const AROUND_MAX: usize = 5;

/// The links without those that stand beside the main one of their record: a row, a list item, a card among others like it.
pub fn main_links(anchors: Vec<Anchor>) -> Vec<Anchor> {
    let is_second =
        |anchor: &Anchor| is_file_label(&anchor.text) || is_file_path(&anchor.key) || is_call(&anchor.text);
    let others: Vec<(NodeId, &Anchor)> = anchors.iter().map(|anchor| (anchor.element.id(), anchor)).collect();
    let beside: HashSet<NodeId> = anchors
        .iter()
        .filter(|anchor| is_second(anchor) && !anchor.text.is_empty())
        .filter(|anchor| {
            let mut around = anchor.element.ancestors().filter_map(ElementRef::wrap).take(AROUND_MAX);
            let main = around.find_map(|around| {
                let within: Vec<&Anchor> = others_in(around, &others);
                let keys = || within.iter().filter(|other| other.key != anchor.key && is_main(other, anchor));
                let distinct: HashSet<&str> = keys().map(|other| other.key.as_str()).collect();
                (!distinct.is_empty()).then(|| is_record(around) && distinct.len() == 1)
            });
            main == Some(true)
        })
        .map(|anchor| anchor.element.id())
        .collect();
    anchors.into_iter().filter(|anchor| !beside.contains(&anchor.element.id())).collect()
}

fn others_in<'b, 'a>(around: ElementRef<'a>, others: &[(NodeId, &'b Anchor<'a>)]) -> Vec<&'b Anchor<'a>> {
    let ids: HashSet<NodeId> =
        around.descendants().filter(|node| node.value().is_element()).map(|node| node.id()).collect();
    others.iter().filter(|(id, _)| ids.contains(id)).map(|(_, other)| *other).collect()
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
