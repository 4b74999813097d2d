//! Which record a link belongs to: links that stand beside the main one of their record (a file, a call to read on, a topic, an
//! author), and records that share one address.

use std::collections::{HashMap, HashSet};

use ego_tree::NodeId;
use scraper::ElementRef;

use super::links::{Anchor, is_call, is_file_label};
use crate::extract::elements::is_heading;
use crate::extract::page::dates::DATE_CHARS_MAX;
use crate::extract::page::{text_of, text_within};
use crate::extract::prose_date::{DateContext, DateRules, StatedDates, is_date_only};
use crate::extract::words;
use crate::model::address::is_file_path;
use crate::model::source::DateOrder;

/// Number of elements around a link among which its record is looked for.
const AROUND_MAX: usize = 6;
/// An element with more links is no record.
const LINKS_MAX: usize = 12;
/// Number of elements around a link among which the records that share its address are looked for.
const SHARED_AROUND_MAX: usize = 12;
/// Fewer records of one address need dates to be told from the columns of one record.
const UNDATED_MIN: usize = 3;
/// The rank of a link with words to a page.
const BEST_RANK: u8 = 3;
/// A record with a longer text is none of a list of short notices, in characters.
const WORDING_CHARS_MAX: usize = 2_000;
/// What can be done with a record is said in so many words.
const ACTION_WORDS_MAX: usize = 4;

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
    let uses = uses_of(&anchors);
    let is_action = |at: usize, record: NodeId| {
        let before = within[&record].iter().take_while(|other| **other != at).map(|other| &anchors[*other]);
        let mut titles = before.filter(|other| other.key != anchors[at].key && is_titled(other, &uses));
        titles.any(|title| is_action_on(&anchors[at], title, &uses))
    };
    let is_beside = |at: usize, record: NodeId| {
        let anchor = &anchors[at];
        let others =
            || within[&record].iter().map(|at| &anchors[*at]).filter(|other| other.key != anchor.key);
        let best = others().map(rank).max().unwrap_or_default();
        let main: HashSet<&str> =
            others().filter(|other| rank(other) == best).map(|other| other.key.as_str()).collect();
        let is_second = rank(anchor) < best && main.len() == 1 && !anchor.text.is_empty();
        // A topic or an author stands in many records, a story in its own.
        let is_shared = homes[anchor.key.as_str()].len() > 1
            && others().any(|other| rank(other) >= rank(anchor) && homes[other.key.as_str()].len() == 1);
        is_second || is_shared || others().any(|other| is_call_to(anchor, other)) || is_action(at, record)
    };
    let kept: Vec<bool> = records
        .iter()
        .enumerate()
        .map(|(at, record)| record.is_none_or(|record| !is_beside(at, record)))
        .collect();
    anchors.into_iter().zip(kept).filter_map(|(anchor, is_kept)| is_kept.then_some(anchor)).collect()
}

/// How many addresses have links with a text, whatever its figures: "Edit", "3 comments".
fn uses_of(anchors: &[Anchor]) -> HashMap<String, usize> {
    let mut keys: HashMap<String, HashSet<&str>> = HashMap::new();
    for anchor in anchors {
        keys.entry(without_figures(&anchor.text)).or_default().insert(&anchor.key);
    }
    keys.into_iter().map(|(text, keys)| (text, keys.len())).collect()
}

fn without_figures(text: &str) -> String {
    words::plain(text).chars().filter(|c| !c.is_numeric()).collect::<String>().trim().to_owned()
}

/// Whether the text of a link may be the title of its record, as no other record has it.
fn is_titled(anchor: &Anchor, uses: &HashMap<String, usize>) -> bool {
    rank(anchor) == BEST_RANK
        && !anchor.text.is_empty()
        && !is_date_only(&anchor.text)
        && uses.get(&without_figures(&anchor.text)) == Some(&1)
}

/// Whether a link behind the title of its record says what can be done with that or counts what belongs to it, as such links of other
/// records do, or as its address says: "Share", "3 comments", `/story/edit`.
fn is_action_on(anchor: &Anchor, title: &Anchor, uses: &HashMap<String, usize>) -> bool {
    let is_in_heading =
        anchor.element.ancestors().filter_map(ElementRef::wrap).take(AROUND_MAX).any(is_heading);
    let count = words::count(&anchor.text);
    let is_shorter = count <= ACTION_WORDS_MAX && count < words::count(&title.text);
    let is_repeated = uses.get(&without_figures(&anchor.text)).is_some_and(|uses| *uses >= UNDATED_MIN);
    let is_below = anchor.key.strip_prefix(&title.key).is_some_and(|rest| rest.starts_with(['/', '?']));
    let is_count = anchor.text.trim_start().starts_with(|c: char| c.is_ascii_digit())
        && words::count(&anchor.text) == 2
        && !is_date_only(&anchor.text);
    !is_in_heading && is_shorter && (is_repeated || is_below || is_count)
}

/// Whether a link beside another one of its record only calls to read that: "Leer más sobre TITLE", or the same page with a query.
fn is_call_to(anchor: &Anchor, main: &Anchor) -> bool {
    let is_told = is_call(&main.text) || main.text.is_empty();
    let (text, title) = (words::plain(&anchor.text), words::plain(&main.text));
    let calls = ["call", "goes_on"].iter().filter_map(|kind| words::after(kind, &text));
    let is_about = !title.is_empty() && text != title && calls.into_iter().any(|rest| rest.contains(&title));
    let is_same_page = main.key.split('?').next() == anchor.key.split('?').next()
        && anchor.key.contains('?')
        && !main.key.contains('?')
        && (is_call(&anchor.text) || text.contains(&title));
    !is_told && (is_about || is_same_page)
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
        () => BEST_RANK,
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

/// Gives links to one address keys of their own where they are in several records, each about something else: all news of a
/// small site may lead to its one page of news.
pub(super) fn with_own_keys(mut anchors: Vec<Anchor>) -> Vec<Anchor> {
    let mut by_key: HashMap<&str, Vec<usize>> = HashMap::new();
    anchors.iter().enumerate().for_each(|(at, anchor)| by_key.entry(&anchor.key).or_default().push(at));
    let mut found: Vec<(usize, usize)> = Vec::new();
    for links in by_key.into_values().filter(|links| links.len() > 1) {
        let places: Vec<PlacedLink> = links.into_iter().map(|at| (at, anchors[at].element)).collect();
        let parts = records_among(&places, 0);
        found.extend(
            parts.iter().enumerate().flat_map(|(number, part)| part.iter().map(move |at| (*at, number))),
        );
    }
    for (at, number) in found.into_iter().filter(|(_, number)| *number > 0) {
        anchors[at].key.push_str(&format!("#{number}"));
    }
    anchors
}

/// The links of each record, among links to one address; links outside of such records stay together.
fn records_among(links: &[PlacedLink], depth: usize) -> Vec<Vec<usize>> {
    let whole = || vec![links.iter().map(|(at, _)| *at).collect()];
    let Some(children) = (depth < SHARED_AROUND_MAX).then(|| children_with(links)).flatten() else {
        return whole();
    };
    let records: Vec<ElementRef> = children.iter().map(|(child, _)| *child).collect();
    if are_records(&records) {
        return children.into_iter().map(|(_, own)| own.into_iter().map(|(at, _)| at).collect()).collect();
    }
    // One of several parts may hold the records, another a copy of one of them.
    let parts: Vec<Vec<Vec<usize>>> = children.iter().map(|(_, own)| records_among(own, depth + 1)).collect();
    let (several, rest): (Vec<_>, Vec<_>) = parts.into_iter().partition(|parts| parts.len() > 1);
    let rest: Vec<usize> = rest.into_iter().flatten().flatten().collect();
    match several.is_empty() {
        true => whole(),
        false => std::iter::once(rest)
            .filter(|rest| !rest.is_empty())
            .chain(several.into_iter().flatten())
            .collect(),
    }
}

/// A link by its place among all.
type PlacedLink<'a> = (usize, ElementRef<'a>);

/// The children of the lowest element around all links that hold them, in page order. `None` for one link.
fn children_with<'a>(links: &[PlacedLink<'a>]) -> Option<Vec<(ElementRef<'a>, Vec<PlacedLink<'a>>)>> {
    let chains: Vec<Vec<ElementRef>> = links
        .iter()
        .map(|(_, link)| {
            let mut around: Vec<ElementRef> =
                std::iter::once(*link).chain(link.ancestors().filter_map(ElementRef::wrap)).collect();
            around.reverse();
            around
        })
        .collect();
    let shortest = chains.iter().map(Vec::len).min().filter(|_| links.len() > 1)?;
    let is_shared = |level: &usize| chains.iter().all(|chain| chain[*level].id() == chains[0][*level].id());
    let level = (0..shortest).take_while(is_shared).count();
    if chains.iter().any(|chain| chain.len() <= level) {
        return None;
    }
    let mut children: Vec<(ElementRef, Vec<PlacedLink>)> = Vec::new();
    let mut places: HashMap<NodeId, usize> = HashMap::new();
    for (link, chain) in links.iter().zip(&chains) {
        let at = *places.entry(chain[level].id()).or_insert_with(|| {
            children.push((chain[level], Vec::new()));
            children.len() - 1
        });
        children[at].1.push(*link);
    }
    Some(children)
}

/// Whether elements are records of their own: alike, each with a subject that no other has, and, if they are few, with a date.
fn are_records(elements: &[ElementRef]) -> bool {
    let first = elements[0];
    let is_alike = |element: &ElementRef| {
        element.value().name() == first.value().name()
            && element.value().classes().next() == first.value().classes().next()
    };
    let subjects: Vec<String> = elements.iter().filter_map(|element| subject_of(*element)).collect();
    let distinct = subjects.iter().collect::<HashSet<_>>().len();
    let days: Vec<String> = elements.iter().filter_map(|element| date_of(*element)).collect();
    let is_dated = days.len() == elements.len();
    // One title may be that of several days.
    let is_told_apart =
        || is_dated && subjects.iter().zip(&days).collect::<HashSet<_>>().len() == elements.len();
    // And of several notices, each with a text of its own.
    let is_worded_apart = || {
        let texts: Vec<String> = elements.iter().filter_map(|element| wording_of(*element)).collect();
        texts.len() == elements.len() && texts.iter().collect::<HashSet<_>>().len() == texts.len()
    };
    elements.len() > 1
        && elements.iter().all(is_alike)
        && subjects.len() == elements.len()
        && (distinct == subjects.len() || is_told_apart() || is_worded_apart())
        && (is_dated
            || elements.len() >= UNDATED_MIN && elements.iter().all(|element| heading_of(*element).is_some()))
}

/// The first of some texts that says what a record is about.
fn first_subject(mut texts: impl Iterator<Item = String>) -> Option<String> {
    texts.find(|text| !text.is_empty() && !is_call(text) && !is_date_only(text))
}

fn heading_of(record: ElementRef) -> Option<String> {
    let elements = record.descendants().filter_map(ElementRef::wrap);
    first_subject(elements.filter(|element| is_heading(*element)).map(text_of))
}

/// The heading of a record, or else the words of its link.
fn subject_of(record: ElementRef) -> Option<String> {
    let elements = record.descendants().filter_map(ElementRef::wrap);
    let links = elements.filter(|element| element.value().name() == "a");
    heading_of(record).or_else(|| first_subject(links.map(text_of)))
}

/// A text of so many words below a title is one of its own.
const WORDING_WORDS_MIN: usize = 4;

/// What a record says besides its title, as far as it is looked at.
fn wording_of(record: ElementRef) -> Option<String> {
    let (heading, text) = (heading_of(record)?, text_within(record, WORDING_CHARS_MAX)?);
    let wording = text.replacen(&heading, "", 1);
    (words::count(&wording) >= WORDING_WORDS_MIN).then_some(wording)
}

/// The first date of a record, in words.
fn date_of(record: ElementRef) -> Option<String> {
    let rules = DateRules::strict(DateOrder::Dmy);
    record.descendants().filter_map(ElementRef::wrap).find_map(|element| {
        let text = text_within(element, DATE_CHARS_MAX);
        let told = text.map(|text| StatedDates::of(&text, rules, DateContext::Text));
        let told = told.filter(|told| *told != StatedDates::default()).map(|told| format!("{told:?}"));
        let time = || {
            (element.value().name() == "time")
                .then(|| element.attr("datetime").unwrap_or_default().to_owned())
        };
        told.or_else(time)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::extract::page::Page;
    use crate::extract::prose_date::DateRules;
    use crate::model::feed::RawEntry;
    use crate::model::source::DateOrder;

    /// The titles of the entries of a page, and the last parts of their addresses.
    fn found(body: &str) -> Vec<(String, String)> {
        let url = url::Url::parse("https://x.org/news/").unwrap();
        let page = Page::parse(&format!("<h1>News</h1>{body}"), Some(&url));
        let entries = page.detect_listing(DateRules::strict(DateOrder::Dmy), &HashSet::new()).feed.entries;
        let part = |entry: &RawEntry| entry.url().unwrap().rsplit('/').next().unwrap().to_owned();
        entries.iter().map(|entry| (entry.title.clone().unwrap().value, part(entry))).collect()
    }

    fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
        wanted.iter().map(|(title, part)| ((*title).to_owned(), (*part).to_owned())).collect()
    }

    #[test]
    fn records_that_lead_to_one_address_are_entries_of_their_own() {
        let card = |title: &str, href: &str| {
            format!(
                "<div class=card><a href={href}><img src=/i.png></a><h3>{title}</h3><p>4 October 2022</p><a href={href}>Read more</a></div>"
            )
        };
        let titles = ["The ferry sails again", "A school opens its doors", "The mill has a roof"];
        let all: String = titles.iter().map(|title| card(title, "/notes")).collect();
        assert_eq!(found(&all), pairs(&titles.map(|title| (title, "notes"))));
        let some = card(titles[0], "/a") + &card(titles[1], "/notes") + &card(titles[2], "/notes");
        assert_eq!(found(&some), pairs(&[(titles[0], "a"), (titles[1], "notes"), (titles[2], "notes")]));
        let rows = titles
            .map(|title| format!("<tr><td>4 October 2022</td><td><a href=/notes>{title}</a></td></tr>"));
        assert_eq!(found(&format!("<table>{}</table>", rows.concat())).len(), 3);
    }

    #[test]
    fn records_of_one_title_and_address_are_told_apart_by_their_days() {
        let row =
            |day: u8| format!("<tr><td>{day} October 2022</td><td><a href=/swim>Swimming</a></td></tr>");
        let other = "<tr><td>9 October 2022</td><td><a href=/run>Running for all</a></td></tr>";
        let rows = [3, 5, 7].map(row).concat();
        assert_eq!(found(&format!("<table>{rows}{other}</table>")).len(), 4);
    }

    #[test]
    fn what_can_be_done_with_a_record_or_is_counted_of_it_is_no_record() {
        for (text, href) in [
            ("N replies", "/nN/replies"),
            ("1 reply", "/nN/replies"),
            ("Print", "/print?n=N"),
            ("Ask on the board", "https://board.example/N"),
            ("Edit", "/nN/edit"),
        ] {
            let card = |n: u8| {
                let (text, href) = (text.replace('N', &n.to_string()), href.replace('N', &n.to_string()));
                format!(
                    "<div class=item><p><a href=/n{n}>Part {} of the town gets a new road</a></p><i>{n} October 2022</i><p><a href={href}>{text}</a></p></div>",
                    ["north", "south", "east", "west"][usize::from(n)]
                )
            };
            let found = found(&(0..4).map(card).collect::<String>());
            let places: Vec<&str> = found.iter().map(|(_, part)| part.as_str()).collect();
            assert_eq!(places, ["n0", "n1", "n2", "n3"], "{text}");
        }
    }

    #[test]
    fn links_of_one_record_and_copies_of_it_elsewhere_are_one_entry() {
        let card = |n: u8| {
            format!(
                "<div class=row><div class=col><a href=/n{n}><img src=/{n}.png></a></div><div class=col><h3><a href=/n{n}>A piece of news, number {n}</a></h3><p>{n} October 2022</p></div></div>"
            )
        };
        let slide =
            |n: u8| format!("<div class=slide><a href=/n{n}><h4>A piece of news, number {n}</h4></a></div>");
        let slides: String = (1..=3).map(slide).collect();
        let cards: String = (1..=4).map(card).collect();
        assert_eq!(found(&format!("<div>{slides}</div><div>{cards}</div>")).len(), 4);
        // A subtitle in a column of its own is no other record.
        let two = |n: u8| {
            format!(
                "<article><div class=col><h3><a href=/n{n}>A piece of news, number {n}</a></h3></div><div class=col><h4><a href=/n{n}>What it means for the town</a></h4></div></article>"
            )
        };
        assert_eq!(found(&(1..=3).map(two).collect::<String>()).len(), 3);
    }
}
