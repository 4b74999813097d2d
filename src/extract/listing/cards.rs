//! The cards of a listing and their contents: title, date, picture, excerpt.

use std::collections::HashMap;

use ego_tree::NodeId;
use jiff::Timestamp;
use jiff::civil::Date;
use scraper::ElementRef;

use super::links::{LinkGroup, is_call};
use crate::extract::page::dates::{DATE_CHARS_MAX, ShownDates, is_date_name};
use crate::extract::page::{Page, background_of, image_of, selector, text_of};
use crate::extract::prose_date::{
    DateRules, Field, Told, day_without_year, is_date_only, midnight, year_of_heading,
};
use crate::model::feed::{Link, RawEntry, RawText};

/// Maximum number of elements next to a link that may belong to its card.
const NEIGHBOURS_MAX: usize = 5;
/// Minimum length of an excerpt, in characters.
const EXCERPT_CHARS_MIN: usize = 40;

/// One entry on the page: the links that lead to it, the largest element without another entry's link, and, on a flat page, the
/// neighbours that belong to it.
pub struct Card<'a> {
    pub href: String,
    pub anchors: Vec<(ElementRef<'a>, String)>,
    pub record: ElementRef<'a>,
    neighbours: Vec<ElementRef<'a>>,
}

/// The cards of a listing, in page order.
pub fn cards<'a>(listing: &LinkGroup<'a>) -> Vec<Card<'a>> {
    let mut owners: HashMap<NodeId, Option<&str>> = HashMap::new();
    for anchor in &listing.anchors {
        for node in std::iter::once(*anchor.element).chain(anchor.element.ancestors()) {
            let owner = owners.entry(node.id()).or_insert(Some(&anchor.key));
            if owner.is_some_and(|known| known != anchor.key) {
                *owner = None;
            }
        }
    }
    let is_own =
        |element: &ElementRef, key: &str| owners.get(&element.id()).is_some_and(|owner| *owner == Some(key));
    let mut cards: Vec<Card> = Vec::new();
    let mut by_key: HashMap<&str, usize> = HashMap::new();
    for anchor in &listing.anchors {
        if let Some(&at) = by_key.get(anchor.key.as_str()) {
            cards[at].anchors.push((anchor.element, anchor.text.clone()));
            let is_better = !is_call(&anchor.text)
                && cards[at]
                    .anchors
                    .iter()
                    .all(|(element, text)| element.id() == anchor.element.id() || is_call(text))
                || is_heading_link(anchor.element) && !cards[at].has_heading();
            if is_better && !cards[at].record.descendants().any(|node| node.id() == anchor.element.id()) {
                cards[at].record = climb(anchor.element, |element| is_own(element, &anchor.key));
            }
            continue;
        }
        by_key.insert(&anchor.key, cards.len());
        let record = climb(anchor.element, |element| is_own(element, &anchor.key));
        cards.push(Card {
            href: anchor.href.clone(),
            anchors: vec![(anchor.element, anchor.text.clone())],
            record,
            neighbours: Vec::new(),
        });
    }
    add_neighbours(&mut cards, &owners);
    cards
}

fn climb<'a>(element: ElementRef<'a>, is_own: impl Fn(&ElementRef<'a>) -> bool) -> ElementRef<'a> {
    let above = element.ancestors().filter_map(ElementRef::wrap).take_while(|ancestor| {
        is_own(ancestor) && !matches!(ancestor.value().name(), "body" | "html" | "main")
    });
    above.last().unwrap_or(element)
}

fn is_heading(element: ElementRef) -> bool {
    matches!(element.value().name(), "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}

fn is_heading_link(element: ElementRef) -> bool {
    element.ancestors().filter_map(ElementRef::wrap).take(3).any(is_heading)
        || element.descendants().filter_map(ElementRef::wrap).any(is_heading)
}

fn element_before(element: ElementRef) -> Option<ElementRef> {
    element.prev_siblings().find_map(ElementRef::wrap)
}

/// On a flat page, a card is a heading with what follows up to the next one; a date may precede it.
fn add_neighbours(cards: &mut [Card], owners: &HashMap<NodeId, Option<&str>>) {
    let is_free = |element: &ElementRef| {
        !owners.contains_key(&element.id())
            && !matches!(element.value().name(), "script" | "style" | "nav" | "footer" | "form")
    };
    let strict = DateRules::strict(crate::model::source::DateOrder::Dmy);
    let is_date_line = |element: ElementRef| {
        let text = text_of(element);
        text.chars().count() <= DATE_CHARS_MAX && Told::of(&text, strict, Field::Text).published.is_some()
    };
    let Some(first) = cards.first().map(|card| card.record) else { return };
    let in_front = element_before(first).filter(is_free).is_some_and(is_date_line);
    let last = cards.len() - 1;
    for (at, card) in cards.iter_mut().enumerate() {
        let mut after: Vec<ElementRef> = card
            .record
            .next_siblings()
            .filter_map(ElementRef::wrap)
            .take_while(|element| is_free(element) && !is_heading(*element))
            .take(NEIGHBOURS_MAX)
            .collect();
        if in_front {
            // A date right before the next heading belongs to the next card.
            if at < last
                && after.len() < NEIGHBOURS_MAX
                && after.last().is_some_and(|element| is_date_line(*element))
            {
                after.pop();
            }
            card.neighbours.extend(element_before(card.record).filter(is_free));
        }
        card.neighbours.extend(after);
    }
}

impl<'a> Card<'a> {
    fn parts(&self) -> impl Iterator<Item = ElementRef<'a>> + '_ {
        std::iter::once(self.record).chain(self.neighbours.iter().copied())
    }

    fn elements(&self) -> impl Iterator<Item = ElementRef<'a>> + '_ {
        self.parts().flat_map(|part| part.descendants().filter_map(ElementRef::wrap))
    }

    fn heading(&self) -> Option<ElementRef<'a>> {
        let around = self.anchors.iter().find_map(|(anchor, _)| {
            anchor.ancestors().filter_map(ElementRef::wrap).take(3).find(|element| is_heading(*element))
        });
        let is_title = |element: &ElementRef| {
            is_heading(*element) && !is_call(&text_of(*element)) && !is_date_only(&text_of(*element))
        };
        around
            .filter(|heading| !is_call(&text_of(*heading)))
            .or_else(|| self.record.descendants().filter_map(ElementRef::wrap).find(is_title))
    }

    pub fn has_heading(&self) -> bool {
        self.heading().is_some()
    }

    pub fn has_image(&self) -> bool {
        self.elements().any(|element| element.value().name() == "img")
    }

    pub fn has_date(&self) -> bool {
        if date_in_address(&self.href).is_some() || self.day_without_year().is_some() {
            return true;
        }
        let rules = DateRules::strict(crate::model::source::DateOrder::Dmy);
        self.elements().any(|element| element.value().name() == "time") || {
            let dates = self.dates(rules);
            dates.published().is_some() || dates.event().is_some()
        }
    }

    /// Whether a card whose address is no other page's says enough of itself to be an entry.
    pub fn says_enough(&self, own: Option<&url::Url>) -> bool {
        let is_part = url::Url::parse(&self.href).is_ok_and(|url| {
            let route = url.fragment().is_some_and(|fragment| fragment.starts_with(['/', '!']));
            url.fragment().is_some() && !route && own.is_some_and(|own| own.path() == url.path())
        });
        if is_part { self.has_date() } else { self.has_heading() || self.has_date() || self.has_excerpt() }
    }

    pub fn has_excerpt(&self) -> bool {
        self.excerpt("").is_some()
    }

    /// When the card says that it was published and changed, and that its event takes place.
    fn dates(&self, rules: DateRules) -> ShownDates<'a> {
        ShownDates::of(self.parts(), rules)
    }

    /// A day given without a year.
    fn day_without_year(&self) -> Option<(i8, i8)> {
        self.elements()
            .filter(|element| {
                element.value().name() == "time"
                    || element.value().classes().any(is_date_name)
                    || element.children().all(|child| child.value().is_text())
            })
            .map(text_of)
            .filter(|text| text.chars().count() <= DATE_CHARS_MAX)
            .find_map(|text| day_without_year(&text))
    }

    /// The year in the card's address, or in the heading of its group. An address with another month than the card's is one of
    /// something else.
    fn year_around(&self, month: i8) -> Option<i16> {
        let in_address = || {
            let path = self.href.split_once("://").map_or(self.href.as_str(), |(_, rest)| rest);
            let mut parts = path.split(['/', '-', '_']).skip(1).map(|part| (part.len(), part.parse::<i16>()));
            let year = parts.find_map(|(length, number)| {
                number.ok().filter(|year| length == 4 && (1990..=2100).contains(year))
            })?;
            let other = parts.next().and_then(|(length, number)| number.ok().filter(|_| length == 2));
            let is_other = |other: i16| (1..=12).contains(&other) && other != i16::from(month);
            (!other.is_some_and(is_other)).then_some(year)
        };
        let headings = self.record.ancestors().filter_map(ElementRef::wrap).take(ANCESTORS_OF_YEAR);
        let heading = std::iter::once(self.record).chain(headings).find_map(|element| {
            let before = element.prev_siblings().filter_map(ElementRef::wrap).take(SIBLINGS_OF_YEAR);
            before
                .filter(|sibling| sibling.descendants().take(12).count() < 12)
                .map(text_of)
                .find_map(|text| year_of_heading(&text))
        });
        heading.or_else(in_address)
    }

    /// The element of the date, if it has one.
    pub fn date_element(&self) -> Option<ElementRef<'a>> {
        let rules = DateRules::strict(crate::model::source::DateOrder::Dmy);
        self.dates(rules).element()
    }

    /// Whether one of its links is a heading or inside one, so that the heading belongs to this card.
    pub fn is_headline(&self) -> bool {
        self.anchors.iter().any(|(anchor, _)| is_heading_link(*anchor))
    }

    /// The element of the excerpt.
    pub fn excerpt_element(&self) -> Option<ElementRef<'a>> {
        let title = title(self).unwrap_or_default();
        self.excerpts(&title).next()
    }

    fn excerpt(&self, title: &str) -> Option<String> {
        self.excerpts(title).next().map(text_of)
    }

    fn excerpts<'b>(&'b self, title: &'b str) -> impl Iterator<Item = ElementRef<'a>> + 'b {
        let blocks = self.elements().filter(|element| {
            matches!(element.value().name(), "p" | "div" | "span" | "dd" | "td" | "section")
        });
        let leaves = blocks.filter(|element| {
            !element.descendants().skip(1).filter_map(ElementRef::wrap).any(|inner| {
                matches!(
                    inner.value().name(),
                    "p" | "div" | "section" | "ul" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "img"
                )
            })
        });
        leaves.filter(move |element| {
            let text = text_of(*element);
            text.chars().count() >= EXCERPT_CHARS_MIN && text != title && !is_call(&text) && !is_byline(&text)
        })
    }
}

/// How far around a card the heading with its year is searched for.
const ANCESTORS_OF_YEAR: usize = 3;
const SIBLINGS_OF_YEAR: usize = 60;

/// Completes days without a year: with a year given nearby, or, in a sorted list, with the year that fits between the
/// surrounding dates.
fn give_years(entries: &mut [RawEntry], cards: &[&Card], now: Option<Timestamp>) {
    let open: Vec<(usize, i8, i8)> = (0..entries.len())
        .filter(|at| entries[*at].published.is_none())
        .filter_map(|at| cards[at].day_without_year().map(|(month, day)| (at, month, day)))
        .collect();
    let in_year = |year: i16, month: i8, day: i8| Date::new(year, month, day).ok().and_then(midnight);
    for (at, month, day) in &open {
        let year = cards[*at].year_around(*month);
        entries[*at].published = year.and_then(|year| in_year(year, *month, *day));
    }
    let dated: Vec<Timestamp> = entries.iter().filter_map(|entry| entry.published).collect();
    let is_sorted = dated.len() >= 2 && dated.windows(2).all(|two| two[0] >= two[1]);
    for (at, month, day) in open {
        let between = || {
            let after = entries[..at].iter().rev().find_map(|entry| entry.published).or(now)?;
            let before = entries[at + 1..].iter().find_map(|entry| entry.published)?;
            let year = |at: Timestamp| at.to_zoned_datetime(jiff::tz::TimeZone::UTC).year();
            let mut fitting = (year(before)..=year(after))
                .filter_map(|year| in_year(year, month, day))
                .filter(|date| *date >= before && *date <= after);
            let only = fitting.next().filter(|_| is_sorted)?;
            fitting.next().is_none().then_some(only)
        };
        let found = entries[at].published.or_else(between);
        if found.is_some() {
            entries[at].notes.push("the year of its date comes from what stands around it".into());
        }
        entries[at].published = found;
    }
}

/// Bare links are not a listing, unless at least this many lead to pages below this one.
const BARE_LINKS_MIN: usize = 5;

/// Whether similar records are a listing: at least three that say more than a menu does; if fewer, or in a menu or notice, each
/// needs a heading and a date.
pub fn earns_its_place(page: &Page, cards: &[Card], entries: &[RawEntry], is_aside: bool) -> bool {
    let is_full = |card: &Card| card.has_heading() && card.has_date();
    if entries.len() < 3 || is_aside {
        return !cards.is_empty() && cards.iter().all(is_full);
    }
    let says_more =
        |card: &&Card| card.has_heading() || card.has_date() || card.has_image() || card.has_excerpt();
    let words: usize = entries
        .iter()
        .filter_map(|entry| entry.title.as_ref())
        .map(|title| title.value.split_whitespace().count())
        .sum();
    let is_below = |card: &Card| page.base().is_some_and(|base| is_below(&card.href, base));
    cards.iter().filter(says_more).count() * 2 >= cards.len()
        || words >= entries.len() * 3
        || entries.len() >= BARE_LINKS_MIN && cards.iter().all(is_below)
}

/// Whether an address is below the directory of another one, on any host.
fn is_below(href: &str, base: &url::Url) -> bool {
    let directory = format!("{}/", base.path().trim_end_matches('/'));
    let path = url::Url::parse(href).map(|url| url.path().to_owned()).unwrap_or_default();
    directory.len() > 1 && path.len() > directory.len() && path.starts_with(&directory)
}

/// "Congress, Local governance - 14/10/2022": labels and a date, not a sentence.
fn is_byline(text: &str) -> bool {
    let strict = DateRules::strict(crate::model::source::DateOrder::Dmy);
    text.chars().count() <= 100
        && !text.ends_with(['.', '…', '!', '?'])
        && Told::of(text, strict, Field::Text).published.is_some()
        && text.split_whitespace().count() <= 14
}

/// `/2022/10/14/`, `/2022-10-14-`, `20221014_`.
fn date_in_address(href: &str) -> Option<Timestamp> {
    let path = href.split_once("://").map_or(href, |(_, rest)| rest).split(['?', '#']).next()?;
    let numbers: Vec<(usize, &str)> = path
        .split(|c: char| !c.is_ascii_digit())
        .filter(|run| !run.is_empty())
        .map(|run| (run.as_ptr() as usize - path.as_ptr() as usize, run))
        .collect();
    let date = |year: &str, month: &str, day: &str| -> Option<Timestamp> {
        let year: i16 = year.parse().ok().filter(|year| (1990..=2100).contains(year))?;
        let date = jiff::civil::Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()?;
        jiff::tz::Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
    };
    let close = |a: (usize, &str), b: (usize, &str)| {
        b.0 == a.0 + a.1.len() + 1 && matches!(path.as_bytes()[b.0 - 1], b'/' | b'-' | b'_' | b'.')
    };
    let triple = numbers.windows(3).find_map(|run| {
        let is_date = run[0].1.len() == 4
            && run[1].1.len() <= 2
            && run[2].1.len() <= 2
            && close(run[0], run[1])
            && close(run[1], run[2]);
        is_date.then(|| date(run[0].1, run[1].1, run[2].1)).flatten()
    });
    triple.or_else(|| {
        numbers
            .iter()
            .filter(|(_, run)| run.len() == 8)
            .find_map(|(_, run)| date(&run[..4], &run[4..6], &run[6..]))
    })
}

/// The title of a card: its heading, or else the text of its links, or the alternative text of a lone picture; never a "read
/// more" call, a number or a date.
pub fn title(card: &Card) -> Option<String> {
    let anchors = || card.anchors.iter().map(|(anchor, _)| *anchor);
    let around = anchors().find_map(|anchor| {
        anchor.ancestors().filter_map(ElementRef::wrap).take(3).find(|element| is_heading(*element))
    });
    let inside = || {
        elements_of(card)
            .filter(|element| is_heading(*element))
            .map(words_of)
            .find(|text| is_short_title(text))
    };
    let simple = || {
        let plain = anchors().filter(|anchor| !holds_blocks(*anchor));
        plain.map(words_of).filter(|text| is_short_title(text)).max_by_key(String::len)
    };
    let named = || {
        let is_named = |class: &str| class.to_ascii_lowercase().contains("title");
        let names = elements_of(card).filter(|element| element.value().classes().any(is_named));
        names.map(words_of).find(|text| is_short_title(text))
    };
    let block = || anchors().find_map(first_block);
    let longest = || anchors().map(words_of).filter(|text| is_title(text)).max_by_key(String::len);
    let attribute = || {
        let said = anchors().find_map(|anchor| anchor.attr("title").or_else(|| anchor.attr("aria-label")));
        said.map(str::to_owned).filter(|text| is_short_title(text))
    };
    around
        .map(words_of)
        .filter(|text| is_short_title(text))
        .or_else(inside)
        .or_else(simple)
        .or_else(named)
        .or_else(block)
        .or_else(longest)
        .or_else(attribute)
        .or_else(|| picture_title(card))
}

/// Whether a text may be a title, of any length.
fn is_title(text: &str) -> bool {
    text.chars().any(char::is_alphabetic) && !is_call(text) && !is_date_only(text)
}

fn is_short_title(text: &str) -> bool {
    is_title(text) && text.chars().count() <= TITLE_CHARS_MAX
}

/// The elements inside a card's record.
fn elements_of<'a>(card: &Card<'a>) -> impl Iterator<Item = ElementRef<'a>> {
    card.record.descendants().filter_map(ElementRef::wrap)
}

/// The alternative text of a card that consists of a picture only. A card with an excerpt gets its title from the item's own
/// page.
fn picture_title(card: &Card) -> Option<String> {
    if card.has_excerpt() {
        return None;
    }
    let images = selector("img[alt]");
    let shown = card.anchors.iter().flat_map(|(anchor, _)| anchor.select(&images));
    shown
        .filter_map(|image| image.attr("alt"))
        .map(crate::support::text::one_line)
        .filter(|text| is_short_title(text))
        .find(|alt| alt.split_whitespace().count() >= 3)
}

/// Maximum length of a title, in characters.
const TITLE_CHARS_MAX: usize = 300;

fn holds_blocks(element: ElementRef) -> bool {
    element.descendants().skip(1).filter_map(ElementRef::wrap).any(|inner| {
        matches!(
            inner.value().name(),
            "div" | "p" | "section" | "article" | "ul" | "figure" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6"
        )
    })
}

/// The text of an element without dates in parts of their own.
fn words_of(element: ElementRef) -> String {
    let is_date = |part: &ElementRef| {
        part.value().name() == "time" || is_date_only(&text_of(*part)) && !text_of(*part).is_empty()
    };
    let parts: Vec<ElementRef> = element.children().filter_map(ElementRef::wrap).collect();
    if !parts.iter().any(is_date) {
        return text_of(element);
    }
    let kept = element.children().filter_map(|child| match ElementRef::wrap(child) {
        Some(part) if is_date(&part) => None,
        Some(part) => Some(text_of(part)),
        None => child.value().as_text().map(|text| text.to_string()),
    });
    crate::support::text::one_line(&kept.collect::<Vec<_>>().join(" "))
}

/// The first text inside a link around a whole card.
fn first_block(anchor: ElementRef) -> Option<String> {
    let holds_text = |element: &ElementRef| {
        element.children().any(|child| child.value().as_text().is_some_and(|text| !text.trim().is_empty()))
    };
    anchor
        .descendants()
        .skip(1)
        .filter_map(ElementRef::wrap)
        .filter(holds_text)
        .map(text_of)
        .find(|text| text.chars().count() > 3 && is_title(text))
}

/// Removes counts as in `Helix (3)`, the number of entries behind a link, if all links have one.
fn without_counts(titles: &mut [RawEntry]) {
    let split = |entry: &RawEntry| -> Option<(String, String)> {
        let (head, count) = entry.title.as_ref()?.value.strip_suffix(')')?.rsplit_once(" (")?;
        (!head.is_empty() && count.bytes().all(|b| b.is_ascii_digit()) && count.len() <= 4)
            .then(|| (head.to_owned(), count.to_owned()))
    };
    let counted: Vec<Option<(String, String)>> = titles.iter().map(split).collect();
    let distinct =
        counted.iter().flatten().map(|(head, _)| head).collect::<std::collections::HashSet<_>>().len();
    // A series, "Part (1)", "Part (2)", has the same text before all counts.
    if titles.len() >= 3 && counted.iter().all(Option::is_some) && distinct == titles.len() {
        for (entry, head) in titles.iter_mut().zip(counted.into_iter().flatten().map(|(head, _)| head)) {
            if let Some(title) = &mut entry.title {
                title.value = head;
            }
        }
    }
}

/// The entries of the cards; cards with neither title nor excerpt are skipped.
pub fn entries(page: &Page, cards: &[Card], rules: DateRules) -> Vec<RawEntry> {
    let plain = |value: String| RawText { value, base: page.base().cloned(), ..RawText::default() };
    let image = selector("img");
    let entry = |card: &Card| {
        // An entry without a title in the listing may have one on its own page; a picture with a link alone is not an entry.
        let title = title(card);
        let excerpt = card.excerpt(title.as_deref().unwrap_or_default());
        if title.is_none() && excerpt.is_none() {
            return None;
        }
        let language =
            card.record.attr("lang").map(str::to_owned).or_else(|| page.language().map(str::to_owned));
        let dates = card.dates(rules);
        Some(RawEntry {
            links: vec![Link {
                href: card.href.clone(),
                rel: "alternate".into(),
                media_type: None,
                hreflang: None,
            }],
            summary: excerpt.map(plain),
            published: dates.published(),
            updated: dates.updated,
            event: dates.event(),
            image: card
                .parts()
                .find_map(|part| part.select(&image).find_map(|image| image_of(image, page.base())))
                .or_else(|| card.elements().find_map(|element| background_of(element, page.base()))),
            title: title.map(plain),
            language,
            ..RawEntry::default()
        })
    };
    let (mut entries, kept): (Vec<RawEntry>, Vec<&Card>) =
        cards.iter().filter_map(|card| Some((entry(card)?, card))).unzip();
    give_years(&mut entries, &kept, rules.now);
    for (entry, card) in entries.iter_mut().zip(&kept) {
        if entry.published.is_none() {
            entry.published = date_in_address(&card.href);
            entry.notes.extend(entry.published.map(|_| "its date comes from its address".to_owned()));
        }
    }
    without_counts(&mut entries);
    entries
}
