//! Whether a page, or a part of one, is a calendar: the days that it shows are those of events, not of publication.

use jiff::Timestamp;
use scraper::ElementRef;
use url::Url;

use super::{Page, text_of};
use crate::extract::words;

/// Number of elements around a card whose names are read.
const AROUND_MAX: usize = 4;

impl Page {
    /// Whether the page calls itself a calendar of events, and not news: in the first part of its title, in its heading, or else
    /// in the last part of its address that names either.
    pub(in crate::extract) fn is_agenda(&self, now: Option<Timestamp>) -> bool {
        let title = self.first("title").map(text_of).unwrap_or_default();
        let joints = [" - ", " – ", " — ", " | ", " · ", " « ", " : "];
        let own = joints.iter().filter_map(|joint| title.split_once(joint)).map(|(own, _)| own);
        let own = own.min_by_key(|own| own.len()).unwrap_or(&title).to_owned();
        let heading = self.first("h1").map(text_of).unwrap_or_default();
        if names_news(&own) || names_news(&heading) {
            return false;
        }
        let is_titled = |text: &str| words::has_one("events", text) && !has_far_year(text, now);
        let segments: Vec<&str> = self.base().and_then(Url::path_segments).into_iter().flatten().collect();
        is_titled(&own) || is_titled(&heading) || is_path_of_agenda(&segments, now)
    }

    /// Whether the page of an entry is in a directory of events. Its title may name any event.
    pub(super) fn is_under_agenda(&self, now: Option<Timestamp>) -> bool {
        let segments: Vec<&str> = self.base().and_then(Url::path_segments).into_iter().flatten().collect();
        let end = segments.iter().rposition(|segment| !segment.is_empty()).unwrap_or(0);
        is_path_of_agenda(&segments[..end], now)
    }
}

/// Whether the last part of a path that names news or events names events. A part of many words is a title.
fn is_path_of_agenda(segments: &[&str], now: Option<Timestamp>) -> bool {
    let named = segments.iter().rev().find_map(|segment| {
        let name = words::parts_of_name(segment).join(" ");
        match () {
            () if name.split(' ').count() > 3 => None,
            () if names_news(&name) => Some(false),
            () => (words::has_one("events", &name) && !has_far_year(&name, now)).then_some(true),
        }
    });
    named.unwrap_or(false)
}

/// Whether a text has a word for news that is none for events.
fn names_news(text: &str) -> bool {
    let plain = words::plain(text);
    words::of_news()
        .filter(|word| !words::of("events").contains(*word))
        .any(|word| words::stands_in(&plain, word))
}

/// "Agenda 2030" and "Agenda 21" are programmes, "Agenda 2026" is a calendar.
fn has_far_year(text: &str, now: Option<Timestamp>) -> bool {
    let year = now.map(|now| now.to_zoned_datetime(jiff::tz::TimeZone::UTC).year());
    let figures = text.split(|c: char| !c.is_ascii_digit()).filter(|figures| !figures.is_empty());
    figures
        .filter_map(|figures| figures.parse::<i16>().ok())
        .any(|figures| figures == 21 || figures >= 2000 && year.is_none_or(|year| figures > year + 1))
}

/// Whether the card, or a list that it stands in, is called one of events.
pub(in crate::extract) fn is_among_events(card: ElementRef) -> bool {
    let around = card.ancestors().filter_map(ElementRef::wrap).take(AROUND_MAX);
    let mut lists = around.take_while(|around| !matches!(around.value().name(), "html" | "body" | "main"));
    lists.any(|list| list.value().classes().chain(list.attr("id")).any(is_event_name))
}

/// Parts of names that an event has.
const EVENT_PARTS: [&str; 14] = [
    "event",
    "events",
    "vevent",
    "evento",
    "eventos",
    "eventi",
    "evenement",
    "evenements",
    "evenementen",
    "veranstaltung",
    "veranstaltungen",
    "esdeveniment",
    "esdeveniments",
    "agenda",
];
/// Parts of names that make a name with an event in it mean something else.
const OTHER_PARTS: [&str; 26] = [
    "cat",
    "category",
    "categorie",
    "tag",
    "tags",
    "term",
    "tax",
    "taxonomy",
    "pointer",
    "no",
    "not",
    "with",
    "has",
    "related",
    "icon",
    "icons",
    "bi",
    "fa",
    "fas",
    "far",
    "mdi",
    "ti",
    "lni",
    "dashicons",
    "glyphicon",
    "menu",
];

/// "event-date", "tribe_events", "node--type-evenement", "vevent"; neither a category of news nor the name of a picture.
pub(super) fn is_event_name(class: &str) -> bool {
    let parts = words::parts_of_name(class);
    parts.iter().any(|part| EVENT_PARTS.contains(&part.as_str()))
        && !parts.iter().any(|part| {
            OTHER_PARTS.contains(&part.as_str())
                || words::is_of_news(part) && !words::of("events").contains(part)
        })
}
