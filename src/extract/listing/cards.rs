//! The cards of a listing and their contents: title, date, picture, excerpt.

use std::collections::{HashMap, HashSet};

use ego_tree::NodeId;
use jiff::Timestamp;
use jiff::civil::Date;
use scraper::ElementRef;

use super::links::{LinkGroup, is_call};
use super::title::{title, titles, without_common_parts};
use crate::extract::dated_address::{day_in_address, day_of_slug, year_in_address, year_of_month};
use crate::extract::elements::is_heading;
use crate::extract::page::agenda::is_among_events;
use crate::extract::page::dates::{
    AHEAD, DATE_CHARS_MAX, ELEMENTS_MAX, VisibleDates, day_event, day_of, is_date_name, says_hours,
};
use crate::extract::page::{
    OF_LISTING, Page, background_of, excerpt_text, hidden_image_of, image_of, name_of, own_address, selector,
    text_of, text_within,
};
use crate::extract::prose_date::{
    DateContext, DateRules, StatedDates, day_in_figures, day_of_month, day_without_year, is_date_only,
    is_relative_only, midnight, month_of_heading, year_of_heading,
};
use crate::model::event::Event;
use crate::model::feed::{Link, RawEntry, RawText};
use crate::model::source::DateOrder;

/// Maximum number of elements next to a link that may belong to its card.
const NEIGHBOURS_MAX: usize = 5;
/// So many links of a card may have its date beside them.
const LINES_MAX: usize = 4;
/// Minimum length of an excerpt, in characters.
const EXCERPT_CHARS_MIN: usize = 40;
/// A text longer than this is no title, call or byline, in characters.
const LONG_CHARS_MIN: usize = 2_000;

/// One entry on the page: the links that lead to it, the largest element without another entry's link, and, on a flat page, the
/// neighbours that belong to it.
pub(super) struct Card<'a> {
    pub href: String,
    pub anchors: Vec<(ElementRef<'a>, String)>,
    pub record: ElementRef<'a>,
    neighbours: Vec<ElementRef<'a>>,
}

/// The elements of a part of a card, as many as are looked at.
pub(super) fn elements_of(part: ElementRef) -> impl Iterator<Item = ElementRef> {
    part.descendants().filter_map(ElementRef::wrap).take(ELEMENTS_MAX)
}

/// The cards of a listing, in page order.
pub(super) fn cards<'a>(listing: &LinkGroup<'a>) -> Vec<Card<'a>> {
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
        let record = outermost_own_ancestor(anchor.element, |element| is_own(element, &anchor.key));
        let card = Card {
            href: anchor.href.clone(),
            anchors: vec![(anchor.element, anchor.text.clone())],
            record,
            neighbours: Vec::new(),
        };
        let Some(&at) = by_key.get(anchor.key.as_str()) else {
            by_key.insert(&anchor.key, cards.len());
            cards.push(card);
            continue;
        };
        // The same story may stand in a carousel and in the list: where more is said of it is its record.
        if record.id() != cards[at].record.id() && card.tells() > cards[at].tells() {
            cards[at].record = record;
        }
        cards[at].anchors.push((anchor.element, anchor.text.clone()));
    }
    add_neighbours(&mut cards, &owners);
    cards
}

fn outermost_own_ancestor<'a>(
    element: ElementRef<'a>,
    is_own: impl Fn(&ElementRef<'a>) -> bool,
) -> ElementRef<'a> {
    let above = element.ancestors().filter_map(ElementRef::wrap).take_while(|ancestor| {
        is_own(ancestor) && !matches!(ancestor.value().name(), "body" | "html" | "main")
    });
    above.last().unwrap_or(element)
}

pub(super) fn is_heading_link(element: ElementRef) -> bool {
    element.ancestors().filter_map(ElementRef::wrap).take(3).any(is_heading)
        || element.descendants().filter_map(ElementRef::wrap).any(is_heading)
}

/// Whether an element is a heading, or the line that opens what is folded up under it.
pub(super) fn is_title_of_part(element: ElementRef) -> bool {
    is_heading(element) || element.value().name() == "summary"
}

/// An event that takes longer is none of a day.
const EVENT_MAX: jiff::SignedDuration = jiff::SignedDuration::from_hours(45 * 24);

/// Whether an event takes a day or some, and not months.
pub(super) fn is_of_days(event: &Event) -> bool {
    let length = event.end.and_then(|end| Some(end.instant()?.duration_since(event.begin.instant()?)));
    length.is_none_or(|length| length <= EVENT_MAX)
}

/// Whether an element heads what follows it, and leads nowhere: a heading, a term, or a row of a table with nothing else.
fn is_group_heading(element: ElementRef) -> bool {
    let cells = || element.children().filter_map(ElementRef::wrap);
    let is_head_row = || {
        element.value().name() == "tr"
            && cells().count() == 1
            && cells().all(|cell| cell.value().name() == "th")
    };
    (is_heading(element) || element.value().name() == "dt" || is_head_row())
        && elements_of(element).all(|inner| inner.value().name() != "a")
}

/// Whether an element is a line that consists of a day and leads nowhere: it heads what follows it, whatever it is made of.
fn is_line_of_day(element: ElementRef) -> bool {
    matches!(element.value().name(), "p" | "div" | "span" | "strong" | "b" | "time" | "li" | "tr")
        && text_within(element, DATE_CHARS_MAX).is_some_and(|text| is_date_only(&text))
        && elements_of(element).all(|inner| inner.value().name() != "a")
}

/// What only breaks a line is neither before nor after anything.
fn is_break(element: ElementRef) -> bool {
    matches!(element.value().name(), "br" | "wbr")
}

fn element_before(element: ElementRef) -> Option<ElementRef> {
    element.prev_siblings().filter_map(ElementRef::wrap).find(|before| !is_break(*before))
}

/// On a flat page, a card is a heading with what follows up to the next one; a date may precede it.
fn add_neighbours(cards: &mut [Card], owners: &HashMap<NodeId, Option<&str>>) {
    let is_free = |element: &ElementRef| {
        !owners.contains_key(&element.id())
            && !matches!(element.value().name(), "script" | "style" | "nav" | "footer" | "form")
    };
    let strict = DateRules::strict(DateOrder::Dmy);
    let is_date_line = |element: ElementRef| {
        text_within(element, DATE_CHARS_MAX)
            .is_some_and(|text| StatedDates::of(&text, strict, DateContext::Text).published.is_some())
    };
    let Some(first) = cards.first().map(|card| card.record) else { return };
    let in_front = element_before(first).filter(is_free).is_some_and(is_date_line);
    let last = cards.len() - 1;
    for (at, card) in cards.iter_mut().enumerate() {
        let mut after: Vec<ElementRef> = card
            .record
            .next_siblings()
            .filter_map(ElementRef::wrap)
            .filter(|element| !is_break(*element))
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
        self.parts().flat_map(elements_of)
    }

    /// A record of a listing that has no link: its address is that of the page.
    pub(super) fn unlinked(own: &url::Url, record: ElementRef<'a>) -> Card<'a> {
        Card { href: own_address(own), anchors: Vec::new(), record, neighbours: Vec::new() }
    }

    /// Whether it leads nowhere.
    pub(super) fn is_unlinked(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Whether it shows the day on which it was published, or takes place, whatever its address says.
    pub(super) fn shows_date(&self) -> bool {
        let dates = self.dates(DateRules::strict(DateOrder::Dmy));
        dates.published().is_some() || dates.event().is_some()
    }

    /// The number of elements that are looked at.
    pub(super) fn size(&self) -> usize {
        self.elements().count()
    }

    /// How much the record says of the entry: its words, its date, a heading.
    fn tells(&self) -> u8 {
        let within = |element: &ElementRef| {
            let mut around = std::iter::once(**element).chain(element.ancestors());
            around.any(|node| node.id() == self.record.id())
        };
        let mut own = self.anchors.iter().filter(|(element, _)| within(element));
        let has_words = own.clone().any(|(_, text)| !is_call(text));
        let is_headline = own.any(|(element, _)| is_heading_link(*element));
        4 * u8::from(has_words) + 3 * u8::from(self.has_date()) + 2 * u8::from(is_headline)
    }

    pub(super) fn heading(&self) -> Option<ElementRef<'a>> {
        let around = self.anchors.iter().find_map(|(anchor, _)| {
            anchor.ancestors().filter_map(ElementRef::wrap).take(3).find(|element| is_heading(*element))
        });
        let is_title = |element: &ElementRef| {
            is_title_of_part(*element) && !is_call(&text_of(*element)) && !is_date_only(&text_of(*element))
        };
        around
            .filter(|heading| !is_call(&text_of(*heading)))
            .or_else(|| elements_of(self.record).find(is_title))
    }

    pub(super) fn has_heading(&self) -> bool {
        self.heading().is_some()
    }

    pub(super) fn has_image(&self) -> bool {
        self.elements().any(|element| element.value().name() == "img")
    }

    pub(super) fn has_date(&self) -> bool {
        let is_under_year = || {
            [DateOrder::Dmy, DateOrder::Mdy]
                .iter()
                .any(|order| self.day_under_year(DateRules::strict(*order)).is_some())
        };
        if day_in_address(&self.href).is_some() || self.day_without_year().is_some() || is_under_year() {
            return true;
        }
        let rules = DateRules::strict(DateOrder::Dmy);
        let is_relative = |element: &ElementRef| {
            text_within(*element, DATE_CHARS_MAX)
                .is_some_and(|text| text.len() <= DATE_CHARS_MAX && is_relative_only(&text))
        };
        self.elements().any(|element| element.value().name() == "time" || is_relative(&element)) || {
            let dates = self.dates(rules);
            dates.published().is_some() || dates.event().is_some()
        }
    }

    /// Whether all that it says of days is between which it lasts for months, as projects, courses and opening hours do.
    pub(super) fn is_lasting(&self) -> bool {
        let dates = self.dates(DateRules::strict(DateOrder::Dmy));
        dates.published().is_none() && dates.event().is_some_and(|event| !is_of_days(&event))
    }

    /// Whether a card whose address is no other page's says enough of itself to be an entry.
    pub(super) fn says_enough(&self, own: Option<&url::Url>) -> bool {
        let is_part = url::Url::parse(&self.href).is_ok_and(|url| {
            let route = url.fragment().is_some_and(|fragment| fragment.starts_with(['/', '!']));
            url.fragment().is_some() && !route && own.is_some_and(|own| own.path() == url.path())
        });
        if is_part { self.has_date() } else { self.has_heading() || self.has_date() || self.has_excerpt() }
    }

    pub(super) fn has_excerpt(&self) -> bool {
        self.excerpt("").is_some()
    }

    /// When the card says that it was published and changed, and that its event takes place.
    fn dates(&self, rules: DateRules) -> VisibleDates<'a> {
        VisibleDates::of(self.parts(), rules, false)
    }

    /// The date that is all of the text right before or after the record.
    fn date_beside(&self, is_before: bool, rules: DateRules) -> Option<Timestamp> {
        let node = if is_before { self.record.prev_sibling() } else { self.record.next_sibling() }?;
        let text = node.value().as_text()?.trim_matches(|c: char| !c.is_alphanumeric());
        let told = is_date_only(text).then(|| StatedDates::of(text, rules, DateContext::Text))?;
        told.published.and_then(midnight)
    }

    /// A day given without a year.
    fn day_without_year(&self) -> Option<(i8, i8)> {
        self.elements()
            .filter(|element| {
                element.value().name() == "time"
                    || element.value().classes().any(is_date_name)
                    || element.descendants().nth(DAY_NODES_MAX).is_none()
            })
            .filter_map(|element| text_within(element, DATE_CHARS_MAX))
            .chain(self.own_texts().filter(|text| text.chars().count() <= DATE_CHARS_MAX))
            .find_map(|text| day_without_year(&text))
    }

    /// A day in figures, which only the heading of a year above or its month in the address makes one: "2025" above "24/11",
    /// `/2025/11/`.
    fn day_under_year(&self, rules: DateRules) -> Option<Date> {
        let leaves =
            self.elements().filter(|element| element.children().all(|child| child.value().is_text()));
        let texts = leaves.filter_map(|element| text_within(element, DATE_CHARS_MAX));
        let (month, day) =
            texts.chain(self.own_texts()).find_map(|text| day_in_figures(&text, rules.order))?;
        // A heading that names the month as well is that of its days only.
        let year = |text: &str| year_of_heading(text).filter(|_| month_of_heading(text).is_none());
        let year = self.said_above(year).or_else(|| year_of_month(&self.href, month, rules.now))?;
        Date::new(year, month, day).ok()
    }

    /// The texts that stand beside its links, without the signs around them: "17 décembre : ".
    fn own_texts(&self) -> impl Iterator<Item = String> {
        let lines = self.anchors.iter().take(LINES_MAX).filter_map(|(anchor, _)| anchor.parent());
        let texts = lines
            .flat_map(|line| line.children().take(NEIGHBOURS_MAX * 4))
            .filter_map(|child| Some(child.value().as_text()?.to_string()));
        texts
            .map(|text| text.trim_matches(|c: char| !c.is_alphanumeric()).to_owned())
            .filter(|text| !text.is_empty())
    }

    /// What the heading of the card's group says.
    fn said_above<T>(&self, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let headings = self.record.ancestors().filter_map(ElementRef::wrap).take(ANCESTORS_OF_YEAR);
        std::iter::once(self.record).chain(headings).find_map(|element| {
            let before = element.prev_siblings().filter_map(ElementRef::wrap).take(SIBLINGS_OF_YEAR);
            before
                .filter(|sibling| sibling.descendants().take(12).count() < 12)
                .map(text_of)
                .find_map(|text| read(&text))
        })
    }

    /// The day that the nearest heading above the card consists of.
    fn day_of_group(&self, rules: DateRules) -> Option<Date> {
        let around = self.record.ancestors().filter_map(ElementRef::wrap).take(ANCESTORS_OF_YEAR);
        let heading = std::iter::once(self.record).chain(around).find_map(|element| {
            let before = element.prev_siblings().filter_map(ElementRef::wrap).take(SIBLINGS_OF_YEAR);
            before
                .filter(|sibling| is_group_heading(*sibling) || is_line_of_day(*sibling))
                .map(text_of)
                .next()
        })?;
        let rules = DateRules { now: None, ..rules };
        let told = || StatedDates::of(&heading, rules, DateContext::Named).published;
        is_date_only(&heading).then(told).flatten()
    }

    /// The day of a month in front of the title, or anywhere if something says that it is a day; whether something does.
    fn day_in_month(&self, month: (i16, i8), order: DateOrder) -> Option<(Date, bool)> {
        let leaves =
            self.elements().filter(|element| element.children().all(|child| child.value().is_text()));
        let leaves: Vec<String> = leaves.map(text_of).filter(|text| !text.is_empty()).collect();
        let beside: Vec<String> = self.own_texts().collect();
        let day = |text: &String| day_of_month(text, month, order);
        let said = leaves.iter().chain(&beside).filter_map(day).find(|(_, is_said)| *is_said);
        said.or_else(|| leaves.first().and_then(day)).or_else(|| beside.first().and_then(day))
    }

    /// The element of the date, if it has one.
    pub(super) fn date_element(&self, rules: DateRules) -> Option<ElementRef<'a>> {
        // One told from today ("4 days ago") is one as well.
        let strict = DateRules::strict(DateOrder::Dmy);
        self.dates(strict).element().or_else(|| self.dates(rules).element())
    }

    /// Where its date stands, as a note.
    fn place_of_date(&self, rules: DateRules) -> Option<String> {
        match self.dates(rules).element() {
            Some(element) => Some(format!("its date comes from {}", name_of(element))),
            None => {
                self.dates(rules).published().map(|_| "its date comes from the text of its card".to_owned())
            }
        }
    }

    /// Whether one of its links is a heading or inside one, so that the heading belongs to this card.
    pub(super) fn is_headline(&self) -> bool {
        self.anchors.iter().any(|(anchor, _)| is_heading_link(*anchor))
    }

    /// The element of the excerpt.
    pub(super) fn excerpt_element(&self) -> Option<ElementRef<'a>> {
        let title = title(self).unwrap_or_default();
        self.excerpts(&title).next()
    }

    fn excerpt(&self, title: &str) -> Option<String> {
        self.excerpts(title).next().map(excerpt_text)
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
            // A long text is none of what else may stand there.
            text_within(*element, LONG_CHARS_MIN).is_none_or(|text| {
                text.chars().count() >= EXCERPT_CHARS_MIN
                    && text != title
                    && !is_call(&text)
                    && !is_byline(&text)
            })
        })
    }
}

/// 29 February is in one of so many years.
const LEAP_YEARS: i16 = 8;
/// How far around a card the heading with its year is searched for.
const ANCESTORS_OF_YEAR: usize = 3;
const SIBLINGS_OF_YEAR: usize = 60;
/// An element with a day and its month, each in one of its own, holds fewer nodes.
const DAY_NODES_MAX: usize = 10;
/// Fewer days above entries are no headings of groups.
const GROUPS_MIN: usize = 2;

/// Completes days in figures, which only the heading of a year above them or their addresses make days: "2025" above "24/11".
fn give_years_above(entries: &mut [RawEntry], cards: &[&Card], rules: DateRules) {
    for (entry, card) in entries.iter_mut().zip(cards).filter(|(entry, _)| entry.published.is_none()) {
        let date = card.day_under_year(rules);
        entry.published = date.and_then(midnight);
        let note = "the year of its date comes from the heading above it, or from its address";
        entry.notes.extend(date.map(|_| note.to_owned()));
    }
}

/// Dates entries by the headings of their groups, if these are days: "20 November 2026" above several. One such line alone may be the
/// day of the visit.
fn give_days_above(entries: &mut [RawEntry], cards: &[&Card], rules: DateRules) {
    let days: Vec<Option<Date>> = cards.iter().map(|card| card.day_of_group(rules)).collect();
    // Where the line of a day belongs to one entry alone, as below its title, it says nothing of the next.
    let is_of_all = entries
        .iter()
        .zip(&days)
        .all(|(entry, day)| entry.published.is_none_or(|own| *day == Some(day_of(own))));
    if days.iter().flatten().collect::<HashSet<_>>().len() < GROUPS_MIN || !is_of_all {
        return;
    }
    let undated =
        entries.iter_mut().zip(days).filter(|(entry, _)| entry.published.is_none() && entry.event.is_none());
    for (entry, day) in undated {
        entry.published = day.and_then(midnight);
        entry.notes.extend(day.map(|_| "its date comes from the heading above it".to_owned()));
    }
}

/// Completes days without a year: with a year given nearby, or, in a sorted list, with the year that fits between the
/// surrounding dates.
fn give_years(entries: &mut [RawEntry], cards: &[&Card], now: Option<Timestamp>) {
    let open: Vec<(usize, i8, i8)> = (0..entries.len())
        .filter(|at| entries[*at].published.is_none())
        .filter_map(|at| cards[at].day_without_year().map(|(month, day)| (at, month, day)))
        .collect();
    let in_year = |year: i16, month: i8, day: i8| Date::new(year, month, day).ok().and_then(midnight);
    let addresses: Vec<&str> = cards.iter().map(|card| card.href.as_str()).collect();
    for (at, month, day) in &open {
        let in_address = || year_in_address(addresses[*at], &addresses, (*month, *day), now);
        let year = cards[*at].said_above(year_of_heading).or_else(in_address);
        entries[*at].published = year.and_then(|year| in_year(year, *month, *day));
    }
    let days: Vec<Option<(i8, i8)>> = (0..entries.len())
        .map(|at| match entries[at].published.map(day_of) {
            Some(day) => Some((day.month(), day.day())),
            None => open.iter().find(|(open, ..)| *open == at).map(|(_, month, day)| (*month, *day)),
        })
        .collect();
    let dates: Vec<Option<Timestamp>> = entries.iter().map(|entry| entry.published).collect();
    let fitting = years_that_fit(&dates, &days, now);
    for (at, month, day) in open {
        let found = entries[at].published.or_else(|| fitting[at].and_then(|year| in_year(year, month, day)));
        if found.is_some() {
            entries[at].notes.push("the year of its date comes from what stands around it".into());
        }
        entries[at].published = found;
    }
}

/// The years of days without one in a list that is sorted, the newest first: those that keep it sorted, if no others do. Where only
/// what stands above has its year, each day is the last one before the one above it.
fn years_that_fit(
    dates: &[Option<Timestamp>],
    days: &[Option<(i8, i8)>],
    now: Option<Timestamp>,
) -> Vec<Option<i16>> {
    let mut years = vec![None; days.len()];
    let known: Vec<Timestamp> = dates.iter().flatten().copied().collect();
    // Where at most one date has a year, the days have to show that the list is sorted: they rise once at most, at new year.
    let falls = || {
        let all: Vec<(i8, i8)> = days.iter().flatten().copied().collect();
        all.len() == days.len() && all.len() > 2 && all.windows(2).filter(|two| two[0] < two[1]).count() <= 1
    };
    let is_sorted = match known.len() {
        0 => false,
        1 => falls(),
        _ => known.windows(2).all(|two| two[0] >= two[1]),
    };
    if !is_sorted {
        return years;
    }
    let last = dates.iter().rposition(Option::is_some).unwrap_or_default();
    let mut latest = now.map(day_of);
    for at in 0..days.len() {
        latest = match dates[at] {
            Some(date) => Some(day_of(date)),
            None if at > last && !(falls() && dates[..=last].iter().all(Option::is_some)) => None,
            None => latest.zip(days[at]).and_then(|(latest, day)| last_day(latest, day)).or(latest),
        };
        years[at] = latest.filter(|_| dates[at].is_none() && days[at].is_some()).map(Date::year);
    }
    // From below, each day is the first one after the one below it: where this gives another year, both are possible.
    let mut earliest: Option<Date> = None;
    for at in (0..=last).rev() {
        earliest = match dates[at] {
            Some(date) => Some(day_of(date)),
            None => earliest.zip(days[at]).and_then(|(earliest, day)| first_day(earliest, day)).or(earliest),
        };
        if dates[at].is_none() && years[at] != earliest.map(Date::year) {
            years[at] = None;
        }
    }
    years
}

/// The last time at which a day of the year was, up to a date.
fn last_day(latest: Date, (month, day): (i8, i8)) -> Option<Date> {
    let in_year = |year: i16| Date::new(year, month, day).ok().filter(|date| *date <= latest);
    (latest.year() - LEAP_YEARS..=latest.year()).rev().find_map(in_year)
}

/// The first time at which a day of the year is, from a date on.
fn first_day(earliest: Date, (month, day): (i8, i8)) -> Option<Date> {
    let in_year = |year: i16| Date::new(year, month, day).ok().filter(|date| *date >= earliest);
    (earliest.year()..=earliest.year() + LEAP_YEARS).find_map(in_year)
}

/// Completes days of which only the heading of their group gives month and year: "Décembre 2025" above "18/12", "jeudi 18" or, if
/// they run one way, "18".
fn give_months(entries: &mut [RawEntry], cards: &[&Card], order: DateOrder) {
    let open = (0..entries.len()).filter(|at| entries[*at].published.is_none());
    let grouped = open.filter_map(|at| Some((at, cards[at].said_above(month_of_heading)?)));
    let days: Option<Vec<(usize, (Date, bool))>> =
        grouped.map(|(at, month)| Some((at, cards[at].day_in_month(month, order)?))).collect();
    let Some(days) = days else { return };
    let runs = |fits: fn(&Date, &Date) -> bool| days.windows(2).all(|two| fits(&two[0].1.0, &two[1].1.0));
    let is_run = days.len() > 1 && (runs(|a, b| a >= b) || runs(|a, b| a <= b));
    for (at, (day, is_said)) in days {
        if is_said || is_run {
            entries[at].published = midnight(day);
            entries[at].notes.push("its month comes from the heading above it".into());
        }
    }
}

/// Takes back dates that are a part of a title: where only some titles name a day, it is that of what they tell of. A day to come
/// is that of an event.
fn take_back_days_of_titles(entries: &mut [RawEntry], titled: &[bool], now: Option<Timestamp>) {
    let latest = now.map(|now| now + AHEAD);
    let is_to_come = |entry: &RawEntry| entry.published.zip(latest).is_some_and(|(at, latest)| at > latest);
    let past =
        entries.iter().zip(titled).filter(|(entry, is_titled)| **is_titled && !is_to_come(entry)).count();
    let is_custom = past * 2 > titled.len();
    for (entry, _) in entries.iter_mut().zip(titled).filter(|(_, is_titled)| **is_titled) {
        let day = entry.published.map(day_of);
        let is_to_come = is_to_come(entry);
        if is_to_come || !is_custom {
            entry.published = None;
            entry.event = entry.event.take().or(day.filter(|_| is_to_come).map(day_event));
            entry.notes.retain(|note| !note.starts_with("its date comes from"));
        }
    }
}

/// Gives entries that show no date of their own the one that stands around them, or in their address; on a calendar, it is the day
/// of an event.
fn give_dates_around(entries: &mut [RawEntry], cards: &[&Card], rules: DateRules, is_agenda: bool) {
    let undated: Vec<bool> = entries.iter().map(|entry| entry.published.is_none()).collect();
    let is_event = |card: &Card| is_agenda || is_among_events(card.record);
    give_months(entries, cards, rules.order);
    give_years_above(entries, cards, rules);
    give_years(entries, cards, rules.now);
    give_days_above(entries, cards, rules);
    give_dates_beside(entries, cards, rules);
    let latest = rules.now.map(|now| now + AHEAD);
    for ((entry, card), is_undated) in entries.iter_mut().zip(cards).zip(undated) {
        if entry.published.is_none() && entry.event.is_none() {
            let day = day_in_address(&card.href);
            entry.published = day.filter(|day| is_event(card) || latest.is_none_or(|latest| *day <= latest));
            entry.notes.extend(entry.published.map(|_| "its date comes from its address".to_owned()));
        }
        if is_undated && is_event(card) {
            let day = entry.published.take().map(|at| day_event(day_of(at)));
            entry.event = entry.event.take().or(day);
        }
        // Generators of sites name the files of what they publish by its day, which is the day that they show.
        let is_past = |day: &Timestamp| latest.is_none_or(|latest| *day <= latest);
        if is_undated && entry.published.is_none() && day_of_slug(&card.href).is_some_and(|day| is_past(&day))
        {
            let day = entry.event.as_ref().and_then(|event| midnight(event.begin.date()));
            entry.published = day.filter(is_past);
        }
    }
}

/// Whether the days of what calls itself a calendar are those of events: any is still to come, or is given with a time of day. What
/// has only days that are past is a list of what was told.
fn has_days_of_events(cards: &[Card], rules: DateRules) -> bool {
    let Some(now) = rules.now else { return true };
    let is_to_come = |card: &Card| {
        let event = VisibleDates::of(card.parts(), rules, true).event();
        event.is_some_and(|event| !event.is_over(now))
    };
    let has_hours = |card: &Card| card.elements().any(says_hours);
    cards.iter().any(|card| is_to_come(card) || has_hours(card))
}

/// On a flat page, the date of a link may be the bare text in front of it, or else behind it: the side on which all have one.
fn give_dates_beside(entries: &mut [RawEntry], cards: &[&Card], rules: DateRules) {
    if entries.iter().any(|entry| entry.published.is_some() || entry.event.is_some()) {
        return;
    }
    let dates = |is_before: bool| -> Option<Vec<Timestamp>> {
        cards.iter().map(|card| card.date_beside(is_before, rules)).collect()
    };
    let Some(dates) = dates(true).or_else(|| dates(false)) else { return };
    for (entry, date) in entries.iter_mut().zip(dates) {
        entry.published = Some(date);
        entry.notes.push("its date comes from the text beside its link".into());
    }
}

/// "Congress, Local governance - 14/10/2022": labels and a date, not a sentence.
pub(super) fn is_byline(text: &str) -> bool {
    let strict = DateRules::strict(DateOrder::Dmy);
    text.chars().count() <= 100
        && !text.ends_with(['.', '…', '!', '?'])
        && StatedDates::of(text, strict, DateContext::Text).published.is_some()
        && text.split_whitespace().count() <= 14
}

/// The entries of the cards; cards with neither title nor excerpt are skipped.
pub(super) fn entries(page: &Page, cards: &[Card], rules: DateRules) -> Vec<RawEntry> {
    let plain = |value: String| RawText { value, base: page.base().cloned(), ..RawText::default() };
    let image = selector("img");
    let is_called_agenda = page.is_agenda(rules.now);
    let is_agenda = is_called_agenda && has_days_of_events(cards, rules);
    // With each entry, whether its date is one that its title names.
    let entry = |card: &Card, title: Option<String>| {
        // An entry without a title in the listing may have one on its own page; a picture with a link alone is not an entry.
        let excerpt = card.excerpt(title.as_deref().unwrap_or_default());
        if title.is_none() && excerpt.is_none() {
            return None;
        }
        let language =
            card.record.attr("lang").map(str::to_owned).or_else(|| page.language().map(str::to_owned));
        let dates = VisibleDates::of(card.parts(), rules, is_agenda || is_among_events(card.record));
        let (date_as_event, is_told_from_today) = dates.published().map_or((None, false), |at| {
            let is_agenda = is_called_agenda || is_among_events(card.record);
            VisibleDates::of(card.parts(), rules.before_all(), is_agenda).told_of(at)
        });
        let is_dated_by_title = dates.element().map(text_of).is_some_and(|text| {
            title.as_ref().is_some_and(|title| !title.is_empty() && text.contains(title.as_str()))
        });
        let entry = RawEntry {
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
            date_as_event,
            is_told_from_today,
            image: card
                .parts()
                .find_map(|part| part.select(&image).find_map(|image| image_of(image, page.base())))
                .or_else(|| card.parts().find_map(|part| hidden_image_of(part, page.base())))
                .or_else(|| card.elements().find_map(|element| background_of(element, page.base()))),
            title: title.map(plain),
            language,
            is_of_listing: card.is_unlinked(),
            notes: card
                .place_of_date(rules)
                .into_iter()
                .chain(card.is_unlinked().then(|| OF_LISTING.to_owned()))
                .collect(),
            ..RawEntry::default()
        };
        Some((entry, is_dated_by_title))
    };
    let found = cards.iter().zip(titles(cards)).filter_map(|(card, title)| Some((entry(card, title)?, card)));
    let ((mut entries, titled), kept): ((Vec<RawEntry>, Vec<bool>), Vec<&Card>) = found.unzip();
    take_back_days_of_titles(&mut entries, &titled, rules.now);
    give_dates_around(&mut entries, &kept, rules, is_agenda);
    without_common_parts(&mut entries);
    entries
}
