//! The dates that a card or an article shows: when it was published and changed, and when its event takes place.

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use scraper::ElementRef;

use super::text_of;
use crate::extract::date::parse_date;
use crate::extract::prose_date::{DateRules, Field, Told, midnight};
use crate::model::event::{Event, EventTime};

/// Maximum length of a text that is mostly a date, in characters.
pub(in crate::extract) const DATE_CHARS_MAX: usize = 60;
/// Maximum length of a text that says what a date in it is, in characters.
const SAID_CHARS_MAX: usize = 2 * DATE_CHARS_MAX;
/// How much of the text before a date may say what it is, in characters.
const BEFORE_CHARS_MAX: usize = 60;
/// A date with a time further ahead than this is that of an event; a wrong clock does not explain it.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Where the date of publication was found, the best place first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A text says so: "Publié le".
    Said,
    Time,
    Named,
    /// In what is named as an event.
    Event,
    Text,
    /// In the texts of several elements together.
    Whole,
}

/// What a card or an article says of its dates.
#[derive(Default)]
pub(in crate::extract) struct ShownDates<'a> {
    published: Option<(Rank, Timestamp, ElementRef<'a>)>,
    pub(in crate::extract) updated: Option<Timestamp>,
    event: Option<Event>,
    now: Option<Timestamp>,
}

impl<'a> ShownDates<'a> {
    /// Reads the dates of a card that consists of these parts.
    pub(in crate::extract) fn of(
        parts: impl Iterator<Item = ElementRef<'a>>,
        rules: DateRules,
    ) -> ShownDates<'a> {
        let mut dates = ShownDates { now: rules.now, ..ShownDates::default() };
        for part in parts {
            part.descendants()
                .filter_map(ElementRef::wrap)
                .for_each(|element| dates.read(element, part, rules));
        }
        dates
    }

    /// Reads the dates of an article from those of its elements that are its own.
    pub(in crate::extract) fn of_article(
        article: ElementRef<'a>,
        own: impl Iterator<Item = ElementRef<'a>>,
        rules: DateRules,
    ) -> ShownDates<'a> {
        let mut dates = ShownDates { now: rules.now, ..ShownDates::default() };
        own.for_each(|element| dates.read(element, article, rules));
        dates
    }

    /// The date that stands in a place for dates, or that the text calls one; not any day that stands for itself.
    pub(in crate::extract) fn named(&self) -> Option<Timestamp> {
        self.published().filter(|_| self.published.is_some_and(|(rank, ..)| rank <= Rank::Event))
    }

    /// The day of an event that is still to come is not the date of its card.
    pub(in crate::extract) fn published(&self) -> Option<Timestamp> {
        let is_to_come = |rank, at| rank == Rank::Event && self.now.is_some_and(|now| at > now);
        self.published.filter(|(rank, at, _)| !is_to_come(*rank, *at)).map(|found| found.1)
    }

    /// The element with the date.
    pub(in crate::extract) fn element(&self) -> Option<ElementRef<'a>> {
        self.published.filter(|(rank, ..)| *rank < Rank::Whole).map(|found| found.2)
    }

    /// The event that the card is about, unless its day is the date of the card itself.
    pub(in crate::extract) fn event(&self) -> Option<Event> {
        let own = self.published().filter(|at| self.now.is_none_or(|now| *at <= now)).map(day_of);
        self.event.clone().filter(|event| own != Some(event.begin.date()))
    }

    fn note(&mut self, rank: Rank, at: Option<Timestamp>, element: ElementRef<'a>) {
        if let Some(at) = at.filter(|_| self.published.is_none_or(|(known, ..)| rank < known)) {
            self.published = Some((rank, at, element));
        }
    }

    /// Reads an element of a part: what it says, and what it is there for.
    fn read(&mut self, element: ElementRef<'a>, part: ElementRef<'a>, rules: DateRules) {
        if matches!(element.value().name(), "script" | "style") {
            return;
        }
        let text = text_of(element);
        let length = text.chars().count();
        let is_time = is_time(element);
        let is_named = length <= SAID_CHARS_MAX && element.value().classes().any(is_date_name);
        let field = match () {
            () if (is_time || is_named) && is_in_sentence(element) => Field::Text,
            () if is_time || is_named => Field::Named,
            () if is_in_title(element) => Field::Title,
            () => Field::Text,
        };
        let told = if length <= SAID_CHARS_MAX { Told::of(&text, rules, field) } else { Told::default() };
        if told.is_said {
            self.note(Rank::Said, told.published.and_then(midnight), element);
        }
        self.updated = self.updated.or(told.updated.and_then(midnight));
        if field == Field::Named {
            let rank = match is_of_event(element, part) {
                true => Rank::Event,
                false if is_time => Rank::Time,
                false => Rank::Named,
            };
            return self.read_field(element, rank, told, rules);
        }
        self.event = self.event.take().or(told.event);
        self.note(Rank::Text, own_date(element, field, rules).and_then(midnight), element);
        let is_whole = length <= DATE_CHARS_MAX || element.id() == part.id();
        self.note(Rank::Whole, told.published.filter(|_| is_whole).and_then(midnight), element);
    }

    /// Reads an element that is there for a date, as what its text, its name or the words before it say.
    fn read_field(&mut self, element: ElementRef<'a>, rank: Rank, told: Told, rules: DateRules) {
        let exact = exact_date(element, rules);
        let Some(at) = exact.or(told.published.and_then(midnight)) else {
            self.event = self.event.take().or(told.event);
            return;
        };
        let line = format!("{} {}", text_before(element), day_of(at));
        let around = Told::of(&line, rules, Field::Named);
        let is_update = element.value().classes().any(is_update_name)
            || element.attr("itemprop") == Some("dateModified")
            || told.published.or(around.published).is_none() && told.updated.or(around.updated).is_some();
        if is_update {
            self.updated = self.updated.or(Some(at));
            return;
        }
        let is_ahead = has_time(element) && self.now.is_some_and(|now| at > now + AHEAD);
        if told.event.is_some() || around.event.is_some() || is_ahead {
            let event = event_at(element, at);
            self.event = self.event.take().or(told.event).or(Some(event));
        } else if told.is_said || around.is_said {
            self.note(Rank::Said, Some(at), element);
        } else if around.published.is_some() {
            if rank == Rank::Event && self.event.is_none() {
                self.event = Some(event_at(element, at));
            }
            self.note(rank, Some(at), element);
        }
    }
}

fn day_of(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

fn is_time(element: ElementRef) -> bool {
    element.value().name() == "time"
        || element.attr("itemprop").is_some_and(|name| matches!(name, "datePublished" | "dateModified"))
}

/// The date in an element's attributes.
fn exact_date(element: ElementRef, rules: DateRules) -> Option<Timestamp> {
    let value = exact(element)?;
    let told = || Told::of(value, DateRules::strict(rules.order), Field::Named).published;
    parse_date(value).or_else(|| told().and_then(midnight))
}

fn exact(element: ElementRef<'_>) -> Option<&str> {
    ["datetime", "content", "data-date"].iter().find_map(|name| element.attr(name))
}

fn event_time(element: ElementRef) -> Option<EventTime> {
    exact(element)?.trim().parse::<EventTime>().ok()
}

/// Whether an element stands amid the words of a long paragraph.
fn is_in_sentence(element: ElementRef) -> bool {
    let Some(parent) = element.parent().and_then(ElementRef::wrap) else { return false };
    parent.value().name() == "p"
        && element.prev_sibling().is_some()
        && element.next_sibling().is_some()
        && text_of(parent).chars().count() > SAID_CHARS_MAX
}

/// Whether its attributes give a time of day.
fn has_time(element: ElementRef) -> bool {
    event_time(element).and_then(EventTime::time).is_some_and(|time| time != jiff::civil::Time::midnight())
}

/// An event at the time that an element gives, or else on the day.
fn event_at(element: ElementRef, at: Timestamp) -> Event {
    let begin = event_time(element).filter(|_| has_time(element)).unwrap_or(EventTime::Day(day_of(at)));
    Event { begin, end: None, place: None }
}

/// What stands right before an element on its line.
fn text_before(element: ElementRef) -> String {
    const INLINE: [&str; 10] = ["span", "strong", "b", "em", "i", "small", "label", "dt", "time", "abbr"];
    let mut pieces: Vec<String> = Vec::new();
    for node in element.prev_siblings() {
        match (node.value().as_text(), ElementRef::wrap(node)) {
            (Some(text), _) => pieces.push(text.to_string()),
            (None, Some(before)) if INLINE.contains(&before.value().name()) => pieces.push(text_of(before)),
            (None, Some(_)) => break,
            (None, None) => {}
        }
    }
    pieces.reverse();
    let line = crate::support::text::one_line(&pieces.join(" "));
    let skipped = line.chars().count().saturating_sub(BEFORE_CHARS_MAX);
    line.chars().skip(skipped).collect()
}

/// The day in an element's own text, or in one of the pieces that other elements divide it into.
fn own_date(element: ElementRef, field: Field, rules: DateRules) -> Option<Date> {
    let pieces: Vec<&str> =
        element.children().filter_map(|child| child.value().as_text().map(|text| &text[..])).collect();
    let told = |text: &str| Told::of(text, rules, field).published;
    let whole = crate::support::text::one_line(&pieces.concat());
    let short = Some(&whole).filter(|whole| whole.chars().count() <= DATE_CHARS_MAX);
    short
        .and_then(|whole| told(whole))
        .or_else(|| pieces.iter().find_map(|piece| told(&crate::support::text::one_line(piece))))
}

fn is_in_title(element: ElementRef) -> bool {
    let is_title =
        |element: ElementRef| matches!(element.value().name(), "a" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6");
    is_title(element) || element.ancestors().filter_map(ElementRef::wrap).take(3).any(is_title)
}

/// "entry-date", "fecha", "posted": a date.
pub(in crate::extract) fn is_date_name(class: &str) -> bool {
    let lower = class.to_ascii_lowercase();
    lower.split(['-', '_']).any(|part| {
        matches!(
            part,
            "date"
                | "fecha"
                | "time"
                | "published"
                | "posted"
                | "datetime"
                | "submitted"
                | "created"
                | "pubdate"
        )
    }) || lower.ends_with("date")
}

/// "updated", "entry-modified": the date of a change. `updated` also stands beside `published`, for one date.
fn is_update_name(class: &str) -> bool {
    class.split(['-', '_']).any(|part| part.eq_ignore_ascii_case("modified"))
}

fn is_event_word(part: &str) -> bool {
    matches!(
        part,
        "event" | "events" | "evento" | "evenement" | "agenda" | "start" | "end" | "begin" | "deadline"
    )
}

/// Whether an element holds the day of an event: "event-date", "fecha-evento"; or a card that is called an event does.
fn is_of_event(element: ElementRef, part: ElementRef) -> bool {
    let words = |class: &str| class.to_ascii_lowercase();
    let is_named = |class: &str| words(class).split(['-', '_']).any(is_event_word);
    let begins = |class: &str| words(class).split(['-', '_']).next().is_some_and(is_event_word);
    element.value().classes().any(is_named) || part.value().classes().any(begins)
}
