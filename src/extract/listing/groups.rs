//! Groups links into listings, and chooses the listing that is the page's news.

use std::collections::{HashMap, HashSet};

use ego_tree::NodeId;

use super::cards;
use super::links::{Anchor, LinkGroup, LinkScope, anchors};
use super::records::{main_links, with_own_keys};
use super::title::titles;
use crate::extract::page::Page;
use crate::extract::words;

/// Maximum number of entries in a listing.
const ENTRIES_MAX: usize = 500;

/// Maximum number of elements in the cards of all listings, of which those with most links come first: a lone link has all that is
/// around it for its card.
const ELEMENTS_MAX: usize = 200_000;

/// Maximum number of listings that are examined.
const RANKED_MAX: usize = 4;
/// One that looks so much less like news than the first is not examined.
const SHARE_MIN: f64 = 0.25;

/// The listings of a page.
pub(super) struct Listings<'a> {
    /// Those that look like news, the most likely first.
    pub ranked: Vec<LinkGroup<'a>>,
    /// The others.
    pub others: Vec<LinkGroup<'a>>,
}

/// The listings of a page, by how much they look like news.
pub(super) fn listings(page: &Page, reach: LinkScope) -> Listings<'_> {
    let all = merge_by_address(with_own_keys(main_links(anchors(page, reach))));
    let mut budget = ELEMENTS_MAX;
    let scores: Vec<f64> = all.iter().map(|listing| score(listing, &mut budget)).collect();
    let mut order: Vec<usize> = (0..all.len()).filter(|at| scores[*at] > 0.0).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let least = order.first().map_or(0.0, |&first| scores[first] * SHARE_MIN);
    let count = order.iter().take(RANKED_MAX).take_while(|at| scores[**at] >= least).count();
    let (ranked, others) = order.split_at(count);
    Listings {
        ranked: ranked.iter().map(|at| with_alike(page, &all, &scores, *at)).collect(),
        others: others.iter().map(|at| all[*at].clone()).collect(),
    }
}

/// A listing with others that belong to it: featured cards or a second column are marked up differently, but link to the same
/// directory.
fn with_alike<'a>(page: &Page, all: &[LinkGroup<'a>], scores: &[f64], best: usize) -> LinkGroup<'a> {
    let mut chosen = all[best].clone();
    let featured = featured(&all[best], all);
    chosen.anchors.extend(featured.iter().flat_map(|at| all[*at].anchors.iter().cloned()));
    if let Some(directory) = common_directory(&all[best]) {
        for (at, listing) in all.iter().enumerate() {
            let is_alike = listing
                .anchors
                .iter()
                .all(|anchor| !anchor.is_set_aside && directory_of(&anchor.key) == directory)
                && scores[at] > scores[best] * 0.12;
            if at != best && Some(at) != featured && !listing.anchors.is_empty() && is_alike {
                chosen.anchors.extend(listing.anchors.iter().cloned());
            }
        }
    }
    let order: HashMap<NodeId, usize> =
        page.html().tree.nodes().enumerate().map(|(at, node)| (node.id(), at)).collect();
    chosen.anchors.sort_by_key(|anchor| order.get(&anchor.element.id()).copied());
    let kept: HashSet<String> = chosen.keys().into_iter().take(ENTRIES_MAX).map(str::to_owned).collect();
    chosen.anchors.retain(|anchor| kept.contains(&anchor.key));
    chosen
}

/// Number of records that may be featured above a listing, and of groups before it that may be these.
const FEATURED_MAX: usize = 2;
const BEFORE_MAX: usize = 3;

/// The group right before a listing that says the same of an entry or two, in larger letters: where all addresses are at the front of
/// the site, these do not tell what belongs together.
fn featured(listing: &LinkGroup, all: &[LinkGroup]) -> Option<usize> {
    let is_of_front = |key: &str| directory_of(key).matches('/').count() == 0 && key.contains('/');
    let is_fit = |group: &LinkGroup| {
        group
            .anchors
            .iter()
            .all(|anchor| anchor.is_same_site && !anchor.is_set_aside && is_of_front(&anchor.key))
    };
    if !is_fit(listing) {
        return None;
    }
    let known: HashSet<&str> = listing.keys().into_iter().collect();
    let says = |card: &cards::Card| Parts::of(card).signs();
    let found = cards::cards(listing);
    let signs: Vec<[bool; 3]> = found.iter().map(says).collect();
    let has_most = |sign: usize| signs.iter().filter(|signs| signs[sign]).count() * 2 > signs.len();
    let wanted = [has_most(0), has_most(1), has_most(2)];
    // A heading with a date, or with a text.
    if !(wanted[0] && (wanted[1] || wanted[2])) {
        return None;
    }
    let place = |group: &LinkGroup| group.anchors.iter().map(|anchor| anchor.at).min();
    let may_be_featured = |group: &LinkGroup| {
        let keys = group.keys();
        (1..=FEATURED_MAX).contains(&keys.len())
            && !keys.iter().any(|key| known.contains(key))
            && place(group) < place(listing)
            && is_fit(group)
    };
    let mut before: Vec<usize> = (0..all.len()).filter(|at| may_be_featured(&all[*at])).collect();
    before.sort_by_key(|at| std::cmp::Reverse(place(&all[*at])));
    let is_like = |own: [bool; 3]| (0..own.len()).all(|sign| own[sign] || !wanted[sign]);
    let is_featured = |at: &usize| says_beside(listing, &all[*at]).into_iter().all(is_like);
    before.into_iter().take(BEFORE_MAX).find(is_featured)
}

/// What the cards of a group say that stands beside a listing: alone, a link has all that is around it for its card.
fn says_beside(listing: &LinkGroup, group: &LinkGroup) -> Vec<[bool; 3]> {
    let own: HashSet<NodeId> = group.anchors.iter().map(|anchor| anchor.element.id()).collect();
    let mut both = LinkGroup { anchors: group.anchors.iter().chain(&listing.anchors).cloned().collect() };
    both.anchors.sort_by_key(|anchor| anchor.at);
    let found = cards::cards(&both);
    let is_own = |card: &&cards::Card| card.anchors.iter().any(|(element, _)| own.contains(&element.id()));
    found.iter().filter(is_own).map(|card| Parts::of(card).signs()).collect()
}

/// Groups links with the same signature; groups that lead to the same addresses (picture, title, "read more") are merged.
fn merge_by_address(anchors: Vec<Anchor>) -> Vec<LinkGroup> {
    let mut groups: Vec<(String, Vec<Anchor>)> = Vec::new();
    let mut index: HashMap<(String, bool), usize> = HashMap::new();
    for anchor in anchors {
        let at = *index.entry((anchor.signature.clone(), anchor.is_set_aside)).or_insert_with(|| {
            groups.push((anchor.signature.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(anchor);
    }
    let keys =
        |group: &[Anchor]| -> HashSet<String> { group.iter().map(|anchor| anchor.key.clone()).collect() };
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(keys(group).len()));
    let mut listings: Vec<(HashSet<String>, bool, LinkGroup)> = Vec::new();
    for (_, group) in groups {
        let own = keys(&group);
        let is_aside = group[0].is_set_aside;
        let into = listings.iter().position(|(known, aside, _)| {
            let shared = own.intersection(known).count();
            *aside == is_aside && shared * 10 >= own.len() * 6 && (shared > 1 || own.len() == 1)
        });
        match into {
            Some(at) => {
                listings[at].0.extend(own);
                listings[at].2.anchors.extend(group);
            }
            None => listings.push((own, is_aside, LinkGroup { anchors: group })),
        }
    }
    listings.into_iter().map(|(.., listing)| listing).collect()
}

/// The address up to its last part, with numbers replaced: `site.org/blog/#/#`.
fn directory_of(key: &str) -> String {
    let directory =
        key.split(['?', '#']).next().unwrap_or(key).rsplit_once('/').map_or("", |(directory, _)| directory);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    directory.split('/').map(|part| if is_number(part) { "#" } else { part }).collect::<Vec<_>>().join("/")
}

/// The directory, below the front page, shared by all but a few addresses.
fn common_directory(listing: &LinkGroup) -> Option<String> {
    let keys = listing.keys();
    let mut counts: HashMap<String, usize> = HashMap::new();
    keys.iter().for_each(|key| *counts.entry(directory_of(key)).or_default() += 1);
    let (directory, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (directory.contains('/') && count * 10 >= keys.len() * 7).then_some(directory)
}

/// How much addresses look like those of articles: slugs of several words, and few directories.
fn address_features(keys: &[&str]) -> f64 {
    let count = keys.len() as f64;
    let is_slug = |slug: &str| slug.matches(['-', '_']).count() >= 2;
    let slugs = keys.iter().filter(|key| key.rsplit('/').next().is_some_and(is_slug)).count() as f64 / count;
    let directories: HashSet<String> = keys.iter().map(|key| directory_of(key)).collect();
    let coherence = 1.0 - (directories.len() as f64 - 1.0) / count;
    0.5 * slugs + 0.3 * coherence
}

/// What a card has.
struct Parts {
    heading: bool,
    headline: bool,
    date: bool,
    image: bool,
    excerpt: bool,
}

impl Parts {
    fn of(card: &cards::Card) -> Parts {
        Parts {
            heading: card.has_heading(),
            headline: card.is_headline(),
            date: card.has_date(),
            image: card.has_image(),
            excerpt: card.has_excerpt(),
        }
    }
}

impl Parts {
    /// What tells a record of news from a link: a heading, a date, a text.
    fn signs(&self) -> [bool; 3] {
        [self.heading, self.date, self.excerpt]
    }
}

/// How much a listing looks like news; 0 if it is not a listing at all, or beyond what is looked at.
fn score(listing: &LinkGroup, budget: &mut usize) -> f64 {
    let keys = listing.keys();
    let count = keys.len();
    if count == 0 || *budget == 0 {
        return 0.0;
    }
    let found = cards::cards(listing);
    *budget = budget.saturating_sub(found.iter().map(cards::Card::size).sum());
    let parts: Vec<Parts> = found.iter().map(Parts::of).collect();
    let part = |fits: &dyn Fn(&Parts) -> bool| {
        parts.iter().filter(|parts| fits(parts)).count() as f64 / found.len().max(1) as f64
    };
    let titles: Vec<String> = titles(&found).into_iter().map(Option::unwrap_or_default).collect();
    let words = titles.iter().map(|title| words::count(title).min(8) as f64).sum::<f64>()
        / (8.0 * titles.len().max(1) as f64);
    let distinct = titles.iter().collect::<HashSet<_>>().len() as f64 / titles.len().max(1) as f64;
    let untitled = titles.iter().filter(|title| title.is_empty()).count() as f64 / titles.len().max(1) as f64;
    let features = 0.1
        + 1.2 * words
        + 0.5 * part(&|card| card.heading)
        + 0.7 * part(&|card| card.headline)
        + 0.9 * part(&|card| card.date)
        + 0.4 * part(&|card| card.image)
        + 0.7 * part(&|card| card.excerpt)
        + address_features(&keys);
    // Cards whose title is only in a picture, and posts without one, still have an excerpt.
    let pictured = part(&|card| card.excerpt && (card.image || card.date));
    let untitled = untitled * (1.0 - 0.6 * pictured);
    let distinct = distinct.max(if untitled < 1.0 { 0.5 * pictured } else { 0.0 });
    let mut score = features * (1.0 + count as f64).ln().min(3.5) * distinct * (1.0 - untitled);
    // Bare links are typical of menus.
    if part(&|card| card.heading || card.date || card.image || card.excerpt) < 0.2 {
        score *= 0.5;
    }
    if listing.anchors.iter().all(|anchor| anchor.is_set_aside) {
        score *= 0.08;
    }
    if !listing.anchors.iter().any(|anchor| anchor.is_same_site) {
        score *= 0.3;
    }
    score
}
