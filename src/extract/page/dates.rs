//! The dates that a card or an article shows: when it was published and changed, and when its event takes place.

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use scraper::ElementRef;

use super::agenda::is_event_name;
use super::answers::{AnswerParts, column_heading};
use super::{attribute, is_longer, is_named_title, spaced_text_of, text_of, text_within};
use crate::extract::date::parse_day;
use crate::extract::elements::is_heading;
use crate::extract::prose_date::{
    DateContext, DateRules, StatedDates, line_from_today, midnight, names_hours, short_age,
};
use crate::model::event::{Event, EventTime};
use crate::model::source::DateOrder;

/// Maximum length of a text that is mostly a date, in characters.
pub(in crate::extract) const DATE_CHARS_MAX: usize = 60;
/// Maximum length of a text that says what a date in it is, in characters.
const SAID_CHARS_MAX: usize = 2 * DATE_CHARS_MAX;
/// So many elements of a card or an article are looked at.
pub(in crate::extract) const ELEMENTS_MAX: usize = 5_000;
/// So many elements within one that is there for a date may have it in an attribute.
const WITHIN_MAX: usize = 6;
/// So many elements around one may be beside it.
const BESIDE_MAX: usize = 100;
/// So many elements around a date, the cell of its table is looked for.
const CELL_DEPTH_MAX: usize = 4;
/// How much of the text before a date may say what it is, in characters.
const BEFORE_CHARS_MAX: usize = 60;
/// A date with a time further ahead than this is that of an event; a wrong clock does not explain it.
pub(in crate::extract) const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// A time that is no further from that of the reading is when the page was made.
const MOMENT: SignedDuration = SignedDuration::from_mins(15);
/// Where elements keep their date for scripts and readers; what only says it comes last.
const DATE_ATTRIBUTES: [&str; 8] = [
    "datetime",
    "content",
    "data-date",
    "data-datetime",
    "data-timestamp",
    "data-time",
    "title",
    "aria-label",
];

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
    /// In a text of what is named as an event.
    EventText,
    /// A bare count of hours or days in what is named as an age: "5h".
    Age,
}

/// What a card or an article says of its dates.
#[derive(Default)]
pub(in crate::extract) struct VisibleDates<'a> {
    published: Option<(Rank, Timestamp, ElementRef<'a>)>,
    pub(in crate::extract) updated: Option<Timestamp>,
    event: Option<(Rank, Event)>,
    /// Where it says when it was answered last.
    answers: AnswerParts,
    rules: DateRules,
    /// Whether all days are those of events, if nothing says otherwise: the page is a calendar.
    is_agenda: bool,
    /// Whether a day told from today counts wherever it stands alone: in an article, it may be that of a comment.
    is_card: bool,
}

impl<'a> VisibleDates<'a> {
    /// Reads the dates of a card that consists of these parts.
    pub(in crate::extract) fn of(
        parts: impl Iterator<Item = ElementRef<'a>>,
        rules: DateRules,
        is_agenda: bool,
    ) -> VisibleDates<'a> {
        let mut dates = VisibleDates { rules, is_agenda, is_card: true, ..VisibleDates::default() };
        for part in parts {
            dates.answers.extend(AnswerParts::of(part));
            let elements = part.descendants().filter_map(ElementRef::wrap).take(ELEMENTS_MAX);
            elements.for_each(|element| dates.read(element, part));
        }
        dates
    }

    /// Reads the dates of an element of a card that is known to hold them.
    pub(in crate::extract) fn of_field(
        element: ElementRef<'a>,
        card: ElementRef<'a>,
        rules: DateRules,
        is_agenda: bool,
    ) -> VisibleDates<'a> {
        let mut dates = VisibleDates { rules, is_agenda, is_card: true, ..VisibleDates::default() };
        dates.answers = AnswerParts::of(card);
        dates.read_as(DateContext::Named, element, card, text_within(element, SAID_CHARS_MAX).as_deref());
        element.descendants().skip(1).filter_map(ElementRef::wrap).for_each(|inner| dates.read(inner, card));
        dates
    }

    /// Reads the dates of an article from those of its elements that are its own.
    pub(in crate::extract) fn of_article(
        article: ElementRef<'a>,
        own: impl Iterator<Item = ElementRef<'a>>,
        rules: DateRules,
        is_agenda: bool,
    ) -> VisibleDates<'a> {
        let mut dates = VisibleDates { rules, is_agenda, ..VisibleDates::default() };
        own.take(ELEMENTS_MAX).for_each(|element| dates.read(element, article));
        dates
    }

    /// The date that stands in a place for dates, or that the text calls one; not any day that stands for itself.
    pub(in crate::extract) fn named(&self) -> Option<Timestamp> {
        self.published().filter(|_| self.published.is_some_and(|(rank, ..)| rank <= Rank::Event))
    }

    /// The day of an event is not the date of its card, neither before it nor after.
    pub(in crate::extract) fn published(&self) -> Option<Timestamp> {
        self.published
            .filter(|(rank, ..)| !matches!(rank, Rank::Event | Rank::EventText))
            .filter(|_| self.day_to_come().is_none())
            .map(|found| found.1)
    }

    /// The day of a card that is still to come, unless a text says that it was published then: nothing is listed before it is
    /// published, so that it is the day of what the card tells of.
    fn day_to_come(&self) -> Option<Event> {
        let (rank, at, element) = self.published?;
        let is_to_come =
            self.is_card && rank != Rank::Said && self.rules.now.is_some_and(|now| at > now + AHEAD);
        is_to_come.then(|| event_at(element, at))
    }

    /// Of a reading as at a time before all that is told: a date of publication as the time of an event, and whether it was told from
    /// the day of its own reading.
    pub(in crate::extract) fn told_of(&self, published: Timestamp) -> (Option<Event>, bool) {
        let told = self.published().filter(|told| *told != published);
        let is_before_all = told.zip(self.rules.now).is_some_and(|(told, now)| told <= now);
        (self.event(), is_before_all)
    }

    /// The element with the date.
    pub(in crate::extract) fn element(&self) -> Option<ElementRef<'a>> {
        let own = self.published.filter(|(rank, ..)| *rank < Rank::Whole);
        own.filter(|_| self.day_to_come().is_none()).map(|found| found.2)
    }

    /// The event that the card is about, unless its day is the date of the card itself.
    pub(in crate::extract) fn event(&self) -> Option<Event> {
        let own = self.published().filter(|at| self.rules.now.is_none_or(|now| *at <= now)).map(day_of);
        let event = self.event.as_ref().map(|(_, event)| event.clone()).or_else(|| self.day_to_come());
        event.filter(|event| own != Some(event.begin.date()))
    }

    /// Whether anything is known of its dates.
    pub(in crate::extract) fn is_known(&self) -> bool {
        self.published.is_some() || self.updated.is_some() || self.event.is_some()
    }

    fn note(&mut self, rank: Rank, at: Option<Timestamp>, element: ElementRef<'a>) {
        // Of one that is around another, the inner one has less beside the date.
        let is_better = |at: &Timestamp| {
            self.published.is_none_or(|(known, same, around)| {
                rank < known
                    || rank == known
                        && *at == same
                        && element.ancestors().any(|ancestor| ancestor.id() == around.id())
            })
        };
        if let Some(at) = at.filter(is_better) {
            self.published = Some((rank, at, element));
        }
    }

    /// The event from the best place; an event that was found first stays.
    fn note_event(&mut self, rank: Rank, event: Option<Event>) {
        if let Some(event) = event.filter(|_| self.event.as_ref().is_none_or(|(known, _)| rank < *known)) {
            self.event = Some((rank, event));
        }
    }

    /// Reads an element of a part: what it says, and what it is there for.
    fn read(&mut self, element: ElementRef<'a>, part: ElementRef<'a>) {
        if matches!(element.value().name(), "script" | "style") {
            return;
        }
        let text = text_within(element, SAID_CHARS_MAX);
        let is_named = text.is_some() && element.value().classes().any(is_date_name);
        let is_field = is_time(element) || is_named;
        let field = match () {
            () if is_field && is_in_sentence(element) => DateContext::Text,
            () if is_field => DateContext::Named,
            () if is_in_title(element) => DateContext::Title,
            () => DateContext::Text,
        };
        self.read_as(field, element, part, text.as_deref());
    }

    /// Reads an element with its text, if that is short enough to say what a date in it is.
    fn read_as(
        &mut self,
        field: DateContext,
        element: ElementRef<'a>,
        part: ElementRef<'a>,
        text: Option<&str>,
    ) {
        let told = match text {
            None => StatedDates::default(),
            Some(text) if field == DateContext::Named => stated_dates(element, text, self.rules),
            Some(text) => StatedDates::of(text, self.rules, field),
        };
        let age = text.zip(self.rules.now).filter(|_| self.is_card && is_age(element));
        self.note(Rank::Age, age.and_then(|(text, now)| short_age(text, now)).and_then(midnight), element);
        let own = own_date(element, field, self.rules, self.is_card);
        let own = own.map(|day| exact_date(element, self.rules).filter(|_| self.is_card).map_or(day, day_of));
        let is_dated = field == DateContext::Named || own.is_some() || told != StatedDates::default();
        if !is_dated
            || below(part, element).any(|around| around.value().classes().any(is_bound_name))
            || self.answers.has(element)
        {
            return;
        }
        if let Some(day) = told.published.or(own)
            && let Some(said) = said_by_column(element, day)
        {
            return self.read_said(said, element);
        }
        if told.is_said {
            self.note(Rank::Said, told.published.and_then(midnight), element);
        }
        self.updated = self.updated.or(told.updated.and_then(midnight));
        let is_of_event =
            (self.is_agenda || is_of_event(element, part)) && !below(part, element).any(is_publication);
        if field == DateContext::Named {
            let rank = match is_of_event {
                true => Rank::Event,
                false if is_time(element) => Rank::Time,
                false => Rank::Named,
            };
            let published = told.published.or(own.filter(|_| told == StatedDates::default()));
            return self.read_field(element, rank, StatedDates { published, ..told });
        }
        self.note_event(Rank::Said, told.event);
        let is_short = text.is_some_and(|text| text.chars().count() <= DATE_CHARS_MAX);
        let is_whole = is_short || element.id() == part.id();
        for (rank, day) in [(Rank::Text, own), (Rank::Whole, told.published.filter(|_| is_whole))] {
            if is_of_event {
                self.note_event(rank, day.map(day_event));
            }
            let rank = if is_of_event { Rank::EventText } else { rank };
            self.note(rank, day.and_then(midnight), element);
        }
    }

    /// Notes what the heading of a column says of a date in it.
    fn read_said(&mut self, said: StatedDates, element: ElementRef<'a>) {
        self.note(Rank::Said, said.published.and_then(midnight), element);
        self.updated = self.updated.or(said.updated.and_then(midnight));
        self.note_event(Rank::Said, said.event);
    }

    /// Reads an element that is there for a date, as what its text, its name or the words before it say.
    fn read_field(&mut self, element: ElementRef<'a>, rank: Rank, told: StatedDates) {
        let inner = || element.descendants().skip(1).filter_map(ElementRef::wrap).take(WITHIN_MAX);
        let exact = self.exact_date(element).or_else(|| inner().find_map(|inner| self.exact_date(inner)));
        let Some(at) = exact.or(told.published.and_then(midnight)) else {
            return self.note_event(Rank::Said, told.event);
        };
        if is_event_end(element) {
            return self.end_event(element, at);
        }
        let line = format!("{} {} {}", text_before(element), words_before_figures(element), day_of(at));
        let around = StatedDates::of(&line, self.rules, DateContext::Named);
        let is_update = element.value().classes().any(is_update_name)
            || is_update_beside_publication(element)
            || attribute(element, "itemprop") == Some("dateModified")
            || told.published.or(around.published).is_none() && told.updated.or(around.updated).is_some();
        if is_update {
            self.updated = self.updated.or(Some(at));
            return;
        }
        let is_ahead = has_time(element) && self.rules.now.is_some_and(|now| at > now + AHEAD);
        if told.event.is_some() || around.event.is_some() || is_ahead {
            let event = told.event.unwrap_or_else(|| event_at(element, at));
            self.note_event(Rank::Said, Some(event));
        } else if told.is_said || around.is_said {
            self.note(Rank::Said, Some(at), element);
        } else if around.published.is_some() {
            if rank == Rank::Event {
                self.note_event(rank, Some(event_at(element, at)));
            }
            self.note(rank, Some(at), element);
        }
    }

    /// The date in an element's attributes; not the moment of the reading, if the text names another day.
    fn exact_date(&self, element: ElementRef) -> Option<Timestamp> {
        let strict = DateRules::strict(self.rules.order);
        let exact = exact_date(element, self.rules)?;
        let is_now = self.rules.now.is_some_and(|now| is_moment_of(exact, now));
        let told = || StatedDates::of(&text_of(element), strict, DateContext::Named).published;
        match is_now.then(told).flatten().filter(|day| *day != day_of(exact)) {
            Some(day) => midnight(day),
            None => Some(exact),
        }
    }

    /// The end of an event whose begin stands before it.
    fn end_event(&mut self, element: ElementRef, at: Timestamp) {
        if let Some((_, event)) = self.event.as_mut().filter(|(_, event)| event.end.is_none()) {
            let end = event_at(element, at).begin;
            event.end = Some(end).filter(|end| end.instant() > event.begin.instant());
        }
    }
}

/// What the text of an element that is there for a date says, also if its parts stand together without spaces.
fn stated_dates(element: ElementRef, text: &str, rules: DateRules) -> StatedDates {
    let told = StatedDates::of(text, rules, DateContext::Named);
    if told != StatedDates::default()
        || element.children().filter(|child| child.value().is_element()).count() < 2
    {
        return told;
    }
    let spaced = spaced_text_of(element);
    let parts: Vec<&str> = spaced.split(' ').collect();
    let is_figures = |part: &&str| part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
    match parts[..] {
        [.., year] if parts.len() == 3 && year.len() == 4 && parts.iter().all(is_figures) => {
            StatedDates::of(&parts.join("/"), rules, DateContext::Named)
        }
        _ => StatedDates::of(&spaced, rules, DateContext::Named),
    }
}

/// What the heading of its column says of a day in a cell, if it says of what it is: "Last modified", "Deadline".
fn said_by_column(element: ElementRef, day: Date) -> Option<StatedDates> {
    let own = std::iter::once(element).chain(element.ancestors().filter_map(ElementRef::wrap));
    let cell = own.take(CELL_DEPTH_MAX).find(|around| around.value().name() == "td")?;
    let line = format!("{}: {day}", column_heading(cell)?);
    let said = StatedDates::of(&line, DateRules::strict(DateOrder::Ymd), DateContext::Named);
    (said.is_said || said.published.is_none()).then_some(said)
}

/// An element and those around it, below a part.
fn below<'a>(part: ElementRef<'a>, element: ElementRef<'a>) -> impl Iterator<Item = ElementRef<'a>> {
    let around = element.ancestors().filter_map(ElementRef::wrap);
    std::iter::once(element).chain(around).take_while(move |around| around.id() != part.id())
}

pub(in crate::extract) fn day_of(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

fn is_time(element: ElementRef) -> bool {
    matches!(element.value().name(), "time" | "relative-time" | "time-ago" | "local-time")
        || attribute(element, "itemprop")
            .is_some_and(|name| matches!(name, "datePublished" | "dateModified" | "startDate" | "endDate"))
        || matches!(element.value().name(), "abbr" | "span")
            && element.attr("title").is_some_and(|title| title.trim().parse::<EventTime>().is_ok())
}

/// Whether a date is the moment of a reading, at which the page was made.
pub(super) fn is_moment_of(date: Timestamp, now: Timestamp) -> bool {
    now.duration_since(date).abs() <= MOMENT
}

/// The date in an element's attributes.
fn exact_date(element: ElementRef, rules: DateRules) -> Option<Timestamp> {
    let read = |name: &str| {
        let value = attribute(element, name)?;
        let told = || StatedDates::of(value, DateRules::strict(rules.order), DateContext::Named).published;
        // What is written for readers is a day of theirs, in whatever zone.
        let is_written =
            matches!(name, "title" | "aria-label") && !value.trim().starts_with(|c: char| c.is_ascii_digit());
        let exact = if is_written { None } else { parse_day(value) };
        exact.or_else(|| told().and_then(midnight))
    };
    DATE_ATTRIBUTES.iter().find_map(|name| read(name))
}

fn event_time(element: ElementRef) -> Option<EventTime> {
    let mut values = DATE_ATTRIBUTES.iter().filter_map(|name| attribute(element, name));
    values.find_map(|value| value.trim().parse::<EventTime>().ok())
}

/// Whether an element stands amid the words of a long paragraph.
fn is_in_sentence(element: ElementRef) -> bool {
    let Some(parent) = element.parent().and_then(ElementRef::wrap) else { return false };
    parent.value().name() == "p"
        && element.prev_sibling().is_some()
        && element.next_sibling().is_some()
        && is_longer(parent, SAID_CHARS_MAX)
}

/// Whether its attributes give a time of day.
fn has_time(element: ElementRef) -> bool {
    event_time(element).and_then(EventTime::time).is_some_and(|time| time != jiff::civil::Time::midnight())
}

pub(in crate::extract) fn day_event(day: Date) -> Event {
    Event { begin: EventTime::Day(day), end: None, place: None }
}

/// An event at the time that an element gives, or else on the day.
fn event_at(element: ElementRef, at: Timestamp) -> Event {
    let begin = event_time(element).filter(|_| has_time(element)).unwrap_or(EventTime::Day(day_of(at)));
    Event { begin, end: None, place: None }
}

/// Whether a short text gives a day with a time of day, or several days.
pub(in crate::extract) fn says_hours(element: ElementRef) -> bool {
    let text = text_of(element);
    text.chars().count() <= SAID_CHARS_MAX && names_hours(&text)
}

/// What stands right before an element on its line. The words of links are those of what they lead to.
fn text_before(element: ElementRef) -> String {
    const INLINE: [&str; 11] =
        ["span", "strong", "b", "em", "i", "small", "label", "dt", "time", "abbr", "dfn"];
    let mut pieces: Vec<String> = Vec::new();
    let mut bytes = 0;
    // A link or a mark around nothing else stands on the line in its place.
    let is_alone = |around: &ElementRef| {
        let is_inline = around.value().name() == "a" || INLINE.contains(&around.value().name());
        is_inline && around.children().filter(|child| child.value().is_element()).count() == 1
    };
    let around = element.ancestors().filter_map(ElementRef::wrap).take_while(is_alone).last();
    let is_linked =
        element.ancestors().filter_map(ElementRef::wrap).any(|around| around.value().name() == "a");
    // The words of a title are those of what it tells.
    let is_title = |before: ElementRef| {
        let is_bold = || is_linked && matches!(before.value().name(), "strong" | "b");
        before.value().name() == "a"
            || is_named_title(before)
            || is_bold() && !text_of(before).trim_end().ends_with(':')
    };
    for node in around.unwrap_or(element).prev_siblings() {
        if bytes > BEFORE_CHARS_MAX * 4 || pieces.len() > BEFORE_CHARS_MAX {
            break;
        }
        match (node.value().as_text(), ElementRef::wrap(node)) {
            (Some(text), _) => pieces.push(text.to_string()),
            (None, Some(before)) if is_title(before) => pieces.push(" ".into()),
            (None, Some(before)) if INLINE.contains(&before.value().name()) => pieces.push(text_of(before)),
            (None, Some(_)) => break,
            (None, None) => {}
        }
        bytes += pieces.last().map_or(0, String::len);
    }
    pieces.reverse();
    let line = crate::support::text::one_line(&pieces.join(" "));
    let skipped = line.chars().count().saturating_sub(BEFORE_CHARS_MAX);
    line.chars().skip(skipped).collect()
}

/// The words before the first figure of an element's text: "Expires" of "Expires 4 May".
fn words_before_figures(element: ElementRef) -> String {
    let text = text_of(element);
    let end = text.find(|c: char| c.is_numeric()).unwrap_or(0);
    text[..end].chars().take(BEFORE_CHARS_MAX).collect()
}

/// The day in an element's own text, or in one of the pieces that other elements divide it into.
fn own_date(element: ElementRef, field: DateContext, rules: DateRules, is_card: bool) -> Option<Date> {
    let texts: Vec<String> = own_texts(element).collect();
    let stated = texts.iter().find_map(|text| StatedDates::of(text, rules, field).published);
    let now = rules.now.filter(|_| is_card);
    stated.or_else(|| now.and_then(|now| texts.iter().find_map(|text| line_from_today(text, now))))
}

/// An element's own text, if it is short, and the pieces that other elements divide it into.
fn own_texts(element: ElementRef) -> impl Iterator<Item = String> {
    let pieces: Vec<String> =
        element.children().filter_map(|child| child.value().as_text().map(|text| text.to_string())).collect();
    let whole = crate::support::text::one_line(&pieces.concat());
    let whole = Some(whole).filter(|whole| whole.chars().count() <= DATE_CHARS_MAX);
    whole.into_iter().chain(pieces.into_iter().map(|piece| crate::support::text::one_line(&piece)))
}

fn is_in_title(element: ElementRef) -> bool {
    let is_title = |element: ElementRef| element.value().name() == "a" || is_heading(element);
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
                | "timeago"
                | "dtstart"
                | "dtend"
        )
    }) || lower.ends_with("date")
}

/// Whether an element is there for an age: "time-ago".
fn is_age(element: ElementRef) -> bool {
    let is_name = |class: &str| {
        class.to_ascii_lowercase().split(['-', '_']).any(|part| matches!(part, "ago" | "timeago"))
    };
    matches!(element.value().name(), "relative-time" | "time-ago") || element.value().classes().any(is_name)
}

/// "updated", "entry-modified": the date of a change. `updated` also stands beside `published`, for one date.
fn is_update_name(class: &str) -> bool {
    class.split(['-', '_']).any(|part| part.eq_ignore_ascii_case("modified"))
}

/// Whether an element is called `updated`, and another one beside it `published`: each is what it is called then.
fn is_update_beside_publication(element: ElementRef) -> bool {
    let is_updated = |class: &str| class.split(['-', '_']).any(|part| part.eq_ignore_ascii_case("updated"));
    let is_other_publication = |other: ElementRef| other.id() != element.id() && is_publication(other);
    element.value().classes().any(is_updated)
        && !is_publication(element)
        && element
            .ancestors()
            .take(2)
            .filter_map(ElementRef::wrap)
            .flat_map(|around| around.descendants().filter_map(ElementRef::wrap).take(BESIDE_MAX))
            .any(is_other_publication)
}

/// "deadline", "expires", "closing-date": until when something holds.
fn is_bound_name(class: &str) -> bool {
    let lower = class.to_ascii_lowercase();
    let mut parts = lower.split(['-', '_']);
    parts.any(|part| matches!(part, "deadline" | "expires" | "expiry" | "expiration" | "closing" | "due"))
}

/// Whether an element is named as the date of publication: it is none of an event, wherever it stands.
fn is_publication(element: ElementRef) -> bool {
    let is_name = |class: &str| {
        let lower = class.to_ascii_lowercase();
        lower.split(['-', '_']).any(|part| matches!(part, "published" | "posted" | "pubdate" | "created"))
    };
    attribute(element, "itemprop") == Some("datePublished")
        || element.value().classes().any(is_name) && !element.value().classes().any(is_event_name)
}

/// "start-date", "date-end": when something begins, or ends. "text-start" says where a text stands.
fn has_name_of_span(element: ElementRef, words: &[&str]) -> bool {
    element.value().classes().any(|class| {
        let lower = class.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split(['-', '_']).collect();
        let is_date = parts.iter().any(|part| matches!(*part, "date" | "dt" | "time" | "event"));
        parts.iter().any(|part| words.contains(part)) && is_date
    })
}

/// Whether an element holds the day of an event: "event-date", "dtstart", `itemprop="startDate"`; or it is in what is called one.
fn is_of_event(element: ElementRef, part: ElementRef) -> bool {
    let is_event = |around: ElementRef| {
        let kind = attribute(around, "itemtype").unwrap_or_default();
        around.value().classes().any(is_event_name) || kind.trim_end_matches('/').ends_with("Event")
    };
    is_event_end(element)
        || attribute(element, "itemprop") == Some("startDate")
        || element.value().classes().any(|class| class == "dtstart")
        || has_name_of_span(element, &["start", "begin", "debut", "inicio", "inizio"])
        || below(part, element).any(is_event)
        || !matches!(part.value().name(), "main" | "body") && is_event(part)
}

fn is_event_end(element: ElementRef) -> bool {
    attribute(element, "itemprop") == Some("endDate")
        || element.value().classes().any(|class| class == "dtend")
        || has_name_of_span(element, &["end"])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::extract::page::Page;
    use crate::model::feed::RawEntry;

    const NOW: &str = "2022-10-20T12:00:00Z";

    /// The entries of a page with three records, in which `DAY` stands for 11, 12 and 13.
    fn entries(address: &str, title: &str, class: &str, date: &str) -> Vec<RawEntry> {
        let url = url::Url::parse(address).unwrap();
        let rules = DateRules { now: NOW.parse().ok(), ..DateRules::default() };
        let record = |n: u8| {
            let date = date.replace("DAY", &format!("1{n}"));
            format!(
                "<div class='{class}'>{date}<h3><a href=/n{n}>A thing to be told, number {n}</a></h3></div>"
            )
        };
        let records: String = (1..=3).map(record).collect();
        let body = format!("<html lang=en><title>{title}</title><h1>{title}</h1><div>{records}</div>");
        Page::parse(&body, Some(&url)).detect_listing(rules, &HashSet::new()).feed.entries
    }

    /// When the first entry was published and changed, and when its event begins.
    fn first(entries: &[RawEntry]) -> [Option<String>; 3] {
        let day = |at: Option<Timestamp>| at.map(|at| day_of(at).to_string());
        let event = entries[0].event.as_ref().map(|event| event.begin.to_string());
        [day(entries[0].published), day(entries[0].updated), event]
    }

    fn dates(date: &str) -> [Option<String>; 3] {
        first(&entries("https://x.org/news", "News", "news", date))
    }

    fn published(day: &str) -> [Option<String>; 3] {
        [Some(day.to_owned()), None, None]
    }

    #[test]
    fn what_is_called_updated_beside_what_is_called_published_is_the_date_of_a_change() {
        let both = "<time class=updated datetime=2022-10-19>x</time><time class='entry-date published' datetime=2022-10-DAY>x</time>";
        let want = [Some("2022-10-11".to_owned()), Some("2022-10-19".to_owned()), None];
        assert_eq!(dates(both), want);
        assert_eq!(
            dates("<time class='entry-date published updated' datetime=2022-10-DAY>x</time>"),
            published("2022-10-11")
        );
        assert_eq!(dates("<time class=updated datetime=2022-10-DAY>x</time>"), published("2022-10-11"));
    }

    #[test]
    fn the_day_of_an_event_is_no_publication_before_it_nor_after() {
        for (month, class, date) in [
            ("12", "event-card", "<p>DAY/MONTH/2022</p>"),
            ("09", "event-card", "<span class=date>DAY/MONTH/2022</span>"),
            ("09", "post-4 tribe_events", "<time datetime=2022-MONTH-DAY>DAY</time>"),
            ("09", "node--type-evenement", "<div class=date><time datetime=2022-MONTH-DAY>DAY</time></div>"),
            ("12", "vevent", "<abbr class=dtstart title=2022-MONTH-DAY>DAY.MONTH.</abbr>"),
            ("09", "vevent", "<abbr class=dtstart title=2022-MONTH-DAY>DAY.MONTH.</abbr>"),
            ("09", "c", "<time itemprop=startDate datetime=2022-MONTH-DAY>DAY</time>"),
            (
                "09",
                "c' itemscope itemtype='https://schema.org/MusicEvent",
                "<time datetime=2022-MONTH-DAY>DAY</time>",
            ),
        ] {
            let found = first(&entries("https://x.org/a", "News", class, &date.replace("MONTH", month)));
            assert_eq!(found, [None, None, Some(format!("2022-{month}-11"))], "{class} {date}");
        }
        let told = "<p class=date>11/11/2022</p><p>Published on 4 October 2022</p>";
        let found = first(&entries("https://x.org/a", "News", "event-card", told));
        assert_eq!(found, [Some("2022-10-04".into()), None, Some("2022-11-11".into())]);
        for class in ["post category-events", "pointer-events-none", "text-start"] {
            let found =
                first(&entries("https://x.org/a", "News", class, "<p class='date text-end'>DAY/09/2022</p>"));
            assert_eq!(found, published("2022-09-11"), "{class}");
        }
    }

    #[test]
    fn an_event_has_the_end_that_stands_beside_its_begin() {
        let span = "<time itemprop=startDate datetime=2022-12-DAYT18:00>DAY</time><time itemprop=endDate datetime=2022-12-DAYT20:00>DAY</time>";
        let found = entries("https://x.org/a", "News", "news", span).remove(0);
        let event = found.event.unwrap();
        assert_eq!(event.end.unwrap().to_string(), "2022-12-11T20:00:00");
        assert_eq!(found.published, None);
    }

    #[test]
    fn on_a_calendar_all_days_are_those_of_events() {
        for (address, title) in [
            ("https://x.org/a", "Agenda cultural | Town"),
            ("https://x.org/vivere/eventi", "Town"),
            ("https://x.org/news/events", "Town"),
            ("https://x.org/a", "الفعاليات"),
            ("https://x.org/a", "Agenda 2022"),
        ] {
            for date in ["<span class=date>DAY/12/2022</span>", "<i>DAY November 2022</i>"] {
                let [published, _, event] = first(&entries(address, title, "c", date));
                assert!(published.is_none() && event.is_some(), "{title} {address} {date}");
            }
            for date in ["<p>Sunday DAY September 2022, 18:30</p>", "<p>DAY September 2022, 2 pm to 6 pm</p>"]
            {
                let found = first(&entries(address, title, "c", date));
                let begin = found[2].as_ref().is_some_and(|begin| begin.starts_with("2022-09-11"));
                assert!(found[0].is_none() && begin, "{title} {address} {date}: {found:?}");
            }
            let past = first(&entries(address, title, "c", "<span class=date>DAY/09/2022</span>"));
            assert_eq!(past, published("2022-09-11"), "what has nothing to come is a list of what was told");
            let said = first(&entries(address, title, "c", "<p>Published on DAY September 2022</p>"));
            assert_eq!(said[0].as_deref(), Some("2022-09-11"), "{title} {address}");
        }
        for (address, title) in [
            ("https://x.org/a", "News and events"),
            ("https://x.org/events/news", "Town"),
            ("https://x.org/news", "Agenda 2030"),
        ] {
            let found = first(&entries(address, title, "c", "<span class=date>DAY/09/2022</span>"));
            assert_eq!(found, published("2022-09-11"), "{title} {address}");
        }
    }

    #[test]
    fn what_is_exact_comes_before_what_is_told_from_today() {
        for date in [
            "<span class=date title='October DAY, 2022'>1 week ago</span>",
            "<time datetime='' title=2022-10-DAYT10:00:00Z>1 week ago</time>",
            "<relative-time datetime=2022-10-DAYT10:00:00Z>1 week ago</relative-time>",
            "<abbr class=published title=2022-10-DAYT10:00:00Z>DAY oct</abbr>",
            "<span class=ago title='2022-10-DAY 10:00:00'>1 week ago</span>",
            "<span class=timeago aria-label='DAY October 2022'>1 week ago</span>",
            "<span class=timeago title='Oct DAY, 2022, 12:00 AM +0200'>1 week ago</span>",
            "<span class=date data-time=16654896DAY></span>",
            "<time datetime=2022-10>DAY October 2022</time>",
            "<time datetime=2022-10-20T12:00:01Z>DAY October 2022</time>",
            "<div class=date><b>Oct</b><b>DAY</b><b>2022</b></div>",
            "<div class=date><b>DAY</b><b>10</b><b>2022</b></div>",
            "<span class=date><i class=material-icons>event</i>DAY/10/2022</span>",
        ] {
            assert_eq!(dates(date), published("2022-10-11"), "{date}");
        }
        assert_eq!(dates("<time datetime=2022>2022</time>"), [None, None, None]);
    }

    #[test]
    fn a_bare_hour_is_an_age_only_where_an_element_is_there_for_one() {
        for date in
            ["<span class=hour>6h</span>", "<td>14 h</td>", "<time>9h</time>", "<span class=date>5d</span>"]
        {
            assert_eq!(dates(date), [None, None, None], "{date}");
        }
        let both = "<i>6h</i> <p>DAY October 2022</p>";
        assert_eq!(dates(both), published("2022-10-11"));
        assert_eq!(dates("<span class=time-ago>5d</span>"), published("2022-10-15"));
        assert_eq!(dates("<span class=timeago>5d</span> <p>DAY October 2022</p>"), published("2022-10-11"));
        assert_eq!(dates("<span>5 h ago</span>"), published("2022-10-20"));
    }

    #[test]
    fn the_heading_of_a_column_says_of_what_a_day_in_it_is() {
        let read = |head: &str| {
            let url = url::Url::parse("https://x.org/notices").unwrap();
            let rules = DateRules { now: NOW.parse().ok(), ..DateRules::default() };
            let row = |n: u8| {
                format!(
                    "<tr><td>1{n}/09/2022</td><td><a href=/n{n}>A thing to be told, number {n}</a></td><td>1{n}/10/2022</td></tr>"
                )
            };
            let rows: String = (1..=3).map(row).collect();
            let body = format!(
                "<h1>News</h1><table><tr><th>{head}</th><th>What</th><th>Date</th></tr>{rows}</table>"
            );
            first(&Page::parse(&body, Some(&url)).detect_listing(rules, &HashSet::new()).feed.entries)
        };
        for head in ["Deadline", "Fecha límite", "Closes on"] {
            assert_eq!(read(head), published("2022-10-11"), "{head}");
        }
        for head in ["Last modified", "Última modificación"] {
            let want = [Some("2022-10-11".to_owned()), Some("2022-09-11".to_owned()), None];
            assert_eq!(read(head), want, "{head}");
        }
        assert_eq!(read("Published"), published("2022-09-11"));
        assert_eq!(read("Day"), published("2022-09-11"), "a heading that says nothing");
    }

    #[test]
    fn what_is_named_as_a_limit_is_no_date() {
        for date in [
            "<time class=expires datetime=2022-12-DAY>DAY Dec</time>",
            "<time datetime=2022-12-DAY>Expires DAY Dec</time>",
            "<div class=closing-date><time datetime=2022-12-DAY>DAY Dec</time></div>",
        ] {
            assert_eq!(dates(date), [None, None, None], "{date}");
        }
    }
}
