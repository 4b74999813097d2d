//! Calendars (iCalendar, RFC 5545): each event is an entry. A recurring event is one entry with its next occurrence, a changed
//! occurrence is an entry of its own, and cancelled or private events are skipped. The crate `calcard` reads lines, zones and rules.

mod rules;
mod vtimezone;

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use calcard::common::PartialDateTime;
use calcard::common::timezone::Tz;
use calcard::icalendar::dates::{CalendarExpand, TimeOrDelta};
use calcard::icalendar::timezone::TzResolver;
use calcard::icalendar::{
    ICalendar, ICalendarClassification, ICalendarComponent, ICalendarComponentType, ICalendarEntry,
    ICalendarMethod, ICalendarParameterName as Parameter, ICalendarProperty as Property, ICalendarStatus,
    ICalendarValue,
};
use calcard::{Entry, Parser};
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, ToSpan};

use self::rules::RuleBudget;
use super::feed::ENTRIES_MAX;
use super::looks_like_html;
use crate::model::event::{Event, EventTime};
use crate::model::feed::{Enclosure, FeedFormat, Image, Link, Person, RawEntry, RawFeed, RawText};
use crate::support::text::{escaped, many};

/// Maximum length of the name of a zone behind which a known one is looked for, in bytes.
const ZONE_BYTES_MAX: usize = 256;
/// Tags and attachments of one event.
const PARTS_MAX: usize = 64;
/// Stamps that are all within so many seconds tell when the document was made, not the events.
const STAMPS_SECONDS_MIN: i64 = 600;
/// Programs that do not know when an event was made write the first day that they can.
const MADE_SINCE: Timestamp = Timestamp::constant(631_152_000, 0);

/// Whether a document is a calendar: nothing else begins so.
pub(super) fn is_calendar(text: &str) -> bool {
    text.trim_start().get(..15).is_some_and(|start| start.eq_ignore_ascii_case("BEGIN:VCALENDAR"))
}

/// Reads the events of a calendar. Of what recurs, the next occurrence at `now` counts; without `now`, the first.
pub(super) fn read_calendar(text: &str, now: Option<Timestamp>) -> RawFeed {
    let mut feed = RawFeed { format: FeedFormat::Calendar, ..RawFeed::default() };
    let (whole, is_cut) = whole_part(text);
    let mut parser = Parser::new(whole);
    let mut budget = RuleBudget::new();
    loop {
        match parser.entry() {
            Entry::ICalendar(calendar) => Calendar::of(&calendar, now).read(&mut feed, &mut budget),
            Entry::Eof | Entry::TooManyComponents => break,
            _ => {}
        }
    }
    if budget.left_out > 0 {
        let left_out = many(budget.left_out, "event recurs", "events recur");
        feed.problems.push(format!("too many rules to follow: {left_out} and stand at their first day"));
    }
    if is_cut {
        feed.is_cut = true;
        feed.problems.push("the calendar ends too early".into());
    }
    keep_latest(&mut feed);
    feed
}

/// The document up to its last complete component, and whether there is more after it: an incomplete event is dropped. Text after
/// the end of a calendar does not belong to it.
fn whole_part(text: &str) -> (&str, bool) {
    let upper = text.to_ascii_uppercase();
    let last = |line: &str| upper.rfind(line);
    if last("END:VCALENDAR") > last("BEGIN:VCALENDAR") {
        return (text, false);
    }
    let end = last("END:VEVENT").map_or(0, |at| at + "END:VEVENT".len());
    (&text[..end], true)
}

/// How much noise may precede a calendar, in bytes: warnings of the program that made it.
const NOISE_BYTES_MAX: usize = 16 * 1024;

/// A document from where a calendar begins in it, if one does. A page or a feed that shows one is none.
fn calendar_part(bytes: &[u8]) -> Option<&[u8]> {
    const BEGIN: &[u8] = b"BEGIN:VCALENDAR";
    let start = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let begins =
        |at: usize| start[at..].get(..BEGIN.len()).is_some_and(|line| line.eq_ignore_ascii_case(BEGIN));
    if begins(0) {
        return Some(start);
    }
    let noise = &start[..start.len().min(NOISE_BYTES_MAX)];
    let lines = noise
        .iter()
        .enumerate()
        .filter(|(_, byte)| matches!(byte, b'\n' | b'\r' | b'>'))
        .map(|(at, _)| at + 1);
    let at = lines.into_iter().find(|at| begins(*at))?;
    let before = start[..at].to_ascii_lowercase();
    let is_other = [&b"<html"[..], b"<!doctype", b"<?xml", b"<rss", b"<feed", b"<pre"]
        .iter()
        .any(|mark| before.windows(mark.len()).any(|window| window == *mark));
    (!is_other).then_some(&start[at..])
}

/// The lines of a calendar as they were before they were folded (RFC 5545 section 3.1); `None` for other documents. Folds are
/// counted in bytes, and may stand within a character: they are undone before the character set is.
pub(super) fn unfolded(bytes: &[u8]) -> Option<Vec<u8>> {
    let start = calendar_part(bytes)?;
    let mut lines: Vec<u8> = Vec::with_capacity(start.len());
    for line in start.split_inclusive(|byte| *byte == b'\n') {
        let is_fold = matches!(line.first(), Some(b' ' | b'\t'));
        if is_fold {
            let end =
                [&b"\r\n"[..], b"\n"].iter().find(|end| lines.ends_with(end)).map_or(0, |end| end.len());
            lines.truncate(lines.len() - end);
        }
        lines.extend_from_slice(if is_fold { &line[1..] } else { line });
    }
    Some(lines)
}

/// Of more events than an entry list holds, those that come last; the document is then not the whole.
fn keep_latest(feed: &mut RawFeed) {
    let count = feed.entries.len();
    if count <= ENTRIES_MAX {
        return;
    }
    let begin = |entry: &RawEntry| entry.event.as_ref().and_then(|event| event.begin.instant());
    feed.entries.sort_by_key(|entry| std::cmp::Reverse(begin(entry)));
    feed.entries.truncate(ENTRIES_MAX);
    feed.is_cut = true;
    feed.problems.push(format!("{count} events: the {ENTRIES_MAX} that come last were read"));
}

/// One calendar of a document.
struct Calendar<'a> {
    calendar: &'a ICalendar,
    zones: TzResolver<&'a str>,
    /// Zones that the calendar describes itself, by name.
    described: HashMap<&'a str, &'a ICalendarComponent>,
    /// Of times that name none (`X-WR-TIMEZONE`).
    zone: Tz,
    now: Option<Timestamp>,
    /// `DTSTAMP` tells of each event, not of the document.
    has_own_stamps: bool,
    unknown_zones: HashSet<&'a str>,
}

/// What tells an event from others: its identifier, and which of its occurrences it changes.
type EventKey = (String, Option<String>);

impl<'a> Calendar<'a> {
    fn of(calendar: &'a ICalendar, now: Option<Timestamp>) -> Calendar<'a> {
        let zones = calendar.build_tz_resolver();
        let named = calendar.components.first().and_then(|head| other(head, "X-WR-TIMEZONE"));
        let zone = named.and_then(|name| zones.resolve(name)).unwrap_or_default();
        let stamps =
            || calendar.components.iter().filter_map(|component| stamp(component, &Property::Dtstamp));
        let (first, last) = (stamps().min(), stamps().max());
        let spread = first.zip(last).map_or(0, |(first, last)| last.as_second() - first.as_second());
        let has_own_stamps = spread >= STAMPS_SECONDS_MIN;
        let mut described = HashMap::new();
        for component in calendar.timezones() {
            if let Some(name) = text(component, &Property::Tzid) {
                described.entry(name).or_insert(component);
            }
        }
        Calendar { calendar, zones, described, zone, now, has_own_stamps, unknown_zones: HashSet::new() }
    }

    fn read(mut self, feed: &mut RawFeed, budget: &mut RuleBudget) {
        if let Some(head) = self.calendar.components.first() {
            read_head(head, feed);
        }
        let (events, cancelled) = self.current();
        let changed = self.changed_occurrences(&events, &cancelled);
        let ruled: HashSet<String> = events
            .iter()
            .filter(|(key, one)| key.1.is_none() && one.is_recurrent())
            .map(|(key, _)| key.0.clone())
            .collect();
        for (key, component) in events {
            // A change to all later occurrences is not an event of its own.
            if key.1.is_some() && is_for_all_later(component) && ruled.contains(&key.0) {
                continue;
            }
            let mut event = self.event(component);
            let rule_of = key.1.is_none() && component.is_recurrent();
            if rule_of && budget.allows_one() {
                feed.is_of_today = true;
                let changes = changed.get(key.0.as_str());
                match event.as_ref().map(|event| self.next_occurrence(component, event, changes, budget)) {
                    Some(Occurrence::Next(next)) => event = Some(next),
                    // All of them were cancelled or stand for themselves.
                    Some(Occurrence::None) => continue,
                    Some(Occurrence::Unknown) | None => {}
                }
            }
            feed.entries.push(self.entry(component, key, event));
        }
        let mut unknown: Vec<&str> = self.unknown_zones.into_iter().collect();
        unknown.sort_unstable();
        feed.problems.extend(
            unknown
                .iter()
                .take(3)
                .map(|zone| format!("the time zone \"{zone}\" is not known: its times are read without one")),
        );
    }

    /// The events as they stand now, in the order of the document, and the keys of those that were cancelled. Of several versions of
    /// one, the last (`SEQUENCE`, then `LAST-MODIFIED` or `DTSTAMP`) counts.
    fn current(&self) -> (Vec<(EventKey, &'a ICalendarComponent)>, Vec<EventKey>) {
        let is_event = |one: &&ICalendarComponent| one.component_type == ICalendarComponentType::VEvent;
        let mut found: Vec<(EventKey, &ICalendarComponent)> = Vec::new();
        let mut places: HashMap<EventKey, usize> = HashMap::new();
        for (number, component) in self.calendar.components.iter().filter(is_event).enumerate() {
            let own = text(component, &Property::Uid);
            // What has no identifier is its own.
            let uid = own.map_or_else(|| format!("\0{number}"), str::to_owned);
            let key = (uid, recurrence_id(component));
            match places.get(&key) {
                Some(at) if version(found[*at].1) > version(component) => {}
                Some(at) if is_other_event(found[*at].1, component) => {
                    let begin = raw_time(component, &Property::Dtstart).map(written).unwrap_or_default();
                    found.push(((format!("{} {begin}", key.0), key.1), component));
                }
                Some(at) => found[*at].1 = component,
                None => {
                    places.insert(key.clone(), found.len());
                    found.push((key, component));
                }
            }
        }
        let is_off = |component: &ICalendarComponent| {
            self.is_cancellation() || component.status() == Some(&ICalendarStatus::Cancelled)
        };
        let off: Vec<EventKey> =
            found.iter().filter(|(_, one)| is_off(one)).map(|(key, _)| key.clone()).collect();
        let whole: HashSet<&str> =
            off.iter().filter(|(_, of)| of.is_none()).map(|(uid, _)| uid.as_str()).collect();
        found.retain(|(key, one)| !is_off(one) && !is_private(one) && !whole.contains(key.0.as_str()));
        (found, off)
    }

    /// Whether the document calls off what is in it (RFC 5546 section 3.2.5).
    fn is_cancellation(&self) -> bool {
        let method = self.calendar.components.first().and_then(|head| head.property(&Property::Method));
        method.is_some_and(|method| {
            matches!(method.values.first(), Some(ICalendarValue::Method(ICalendarMethod::Cancel)))
        })
    }

    /// For each identifier, the occurrences that do not follow the rule: they were changed or cancelled.
    fn changed_occurrences(
        &mut self,
        events: &[(EventKey, &'a ICalendarComponent)],
        cancelled: &[EventKey],
    ) -> HashMap<String, RecurrenceOverrides> {
        let mut changed: HashMap<String, RecurrenceOverrides> = HashMap::new();
        let kept: HashSet<&EventKey> = events.iter().map(|(key, _)| key).chain(cancelled).collect();
        for component in &self.calendar.components {
            let (Some(uid), Some(of)) = (text(component, &Property::Uid), recurrence_id(component)) else {
                continue;
            };
            let at = component.property(&Property::RecurrenceId).and_then(|property| self.time(property));
            let Some(at) = at.and_then(EventTime::instant) else { continue };
            if !kept.contains(&(uid.to_owned(), Some(of))) {
                continue;
            }
            let changes = changed.entry(uid.to_owned()).or_default();
            let begin = component.property(&Property::Dtstart).and_then(|property| self.time(property));
            match begin.and_then(EventTime::instant).filter(|_| is_for_all_later(component)) {
                Some(begin) => changes.moved_from = Some((at, begin.duration_since(at))),
                None => {
                    changes.left_out.insert(at.as_second());
                }
            }
        }
        changed
    }

    fn entry(&self, component: &ICalendarComponent, key: EventKey, event: Option<Event>) -> RawEntry {
        let guid = match key {
            (uid, _) if uid.starts_with('\0') => None,
            (uid, Some(of)) => Some(format!("{uid} {of}")),
            (uid, None) => Some(uid),
        };
        let stamp_of = |property| stamp(component, property).filter(|made| *made >= MADE_SINCE);
        let own_stamp = || stamp_of(&Property::Dtstamp).filter(|_| self.has_own_stamps);
        RawEntry {
            has_certain_guid: guid.is_some(),
            guid,
            links: link(component).into_iter().collect(),
            title: text(component, &Property::Summary).map(plain),
            content: description(component),
            authors: organizer(component).into_iter().collect(),
            tags: texts(component, &Property::Categories),
            published: stamp_of(&Property::Created).or_else(own_stamp),
            updated: stamp_of(&Property::LastModified),
            language: language(component),
            enclosures: attachments(component),
            image: text(component, &Property::Image)
                .filter(|url| url.starts_with("http"))
                .map(|url| Image { url: url.to_owned(), alt: None }),
            event,
            ..RawEntry::default()
        }
    }

    fn event(&mut self, component: &'a ICalendarComponent) -> Option<Event> {
        let begin = self.time(component.property(&Property::Dtstart)?)?;
        let end = match component.property(&Property::Dtend) {
            Some(end) => self.time(end).and_then(|end| last_moment(begin, end)),
            None => duration(component).and_then(|seconds| last_moment(begin, moved(begin, seconds)?)),
        };
        let place = text(component, &Property::Location).map(str::to_owned);
        Some(Event { begin, end, place })
    }

    /// A zone that is known by its name, also behind a prefix: `/example.org/Europe/Paris`.
    fn zone_named(&self, name: &str) -> Option<Tz> {
        self.zones.resolve(name).or_else(|| {
            let name = Some(name).filter(|name| name.len() <= ZONE_BYTES_MAX)?;
            let rest = name.match_indices('/').map(|(at, _)| &name[at + 1..]);
            rest.filter(|rest| rest.contains('/')).find_map(|rest| Tz::from_str(rest).ok())
        })
    }

    /// A time as its property says it, in the zone that it names. One that a change of clocks leaves out, or has twice, is read
    /// without a zone.
    fn time(&mut self, property: &'a ICalendarEntry) -> Option<EventTime> {
        let value = property.values.first()?.as_partial_date_time()?;
        let civil = value.to_date_time()?;
        let local = date_time(civil.date_time.and_utc().timestamp())?;
        if !value.has_time() {
            return Some(EventTime::Day(local.date()));
        }
        let zone = match property.tz_id() {
            Some(name) => match (self.zone_named(name), self.described.get(name).copied()) {
                (Some(zone), _) => zone,
                (None, Some(described)) => {
                    let offset = vtimezone::offset_at(self.calendar, described, local);
                    return Some(
                        offset.map_or(EventTime::Floating(local), |offset| EventTime::At(local, offset)),
                    );
                }
                (None, None) => {
                    self.unknown_zones.insert(name);
                    Tz::Floating
                }
            },
            None => self.zone,
        };
        let at = civil.to_date_time_with_tz(zone).filter(|at| !at.timezone().is_floating());
        let offset = at.and_then(|at| offset(at.timestamp(), at.naive_local().and_utc().timestamp()));
        Some(offset.map_or(EventTime::Floating(local), |(local, offset)| EventTime::At(local, offset)))
    }

    /// The offset of an occurrence in a zone: the crate follows a rule in one that only we know by its clocks alone, which gave
    /// `followed`.
    fn own_offset(&self, zone: Option<&str>, local: DateTime, followed: Offset) -> Option<Offset> {
        let Some(name) = zone.filter(|name| self.zones.resolve(name).is_none()) else {
            return Some(followed);
        };
        match (self.zone_named(name), self.described.get(name).copied()) {
            (Some(zone), _) => Some(zoned(zone, local).unwrap_or(followed)),
            (None, Some(described)) => vtimezone::offset_at(self.calendar, described, local),
            (None, None) => Some(followed),
        }
    }

    /// The occurrences of an event in order, as far as they are of interest; none if its rule cannot be followed, or no day fulfils
    /// it.
    fn expanded(
        &self,
        component: &ICalendarComponent,
        first: &Event,
        budget: &mut RuleBudget,
    ) -> CalendarExpand {
        let begin = first.begin.date();
        let now = self.now.map_or(begin, |now| TimeZone::UTC.to_datetime(now).date());
        if !rules::is_rule_of_days(component) {
            return CalendarExpand::default();
        }
        let mut names: Vec<&str> = component.entries.iter().filter_map(|entry| entry.tz_id()).collect();
        names.sort_unstable();
        names.dedup();
        let zones =
            names.iter().filter_map(|name| self.described.get(name)).take(4).map(|zone| (*zone).clone());
        let bounded = rules::with_horizon(component, now.max(begin));
        let alone = ICalendar { components: zones.chain([bounded]).collect() };
        let mut found = alone.expand_dates(self.zone, rules::OCCURRENCES_MAX);
        found.events.sort_by_key(|event| event.start);
        let last = found.events.last().and_then(|last| date_time(last.start.timestamp()));
        budget.spend(
            &alone.components[alone.components.len() - 1],
            begin,
            found.events.len(),
            last.map(DateTime::date),
        );
        found
    }

    /// The occurrence that is not over at `now`, else the last one.
    fn next_occurrence(
        &self,
        component: &ICalendarComponent,
        first: &Event,
        changes: Option<&RecurrenceOverrides>,
        budget: &mut RuleBudget,
    ) -> Occurrence {
        let events = self.expanded(component, first, budget).events;
        if events.is_empty() {
            return Occurrence::Unknown;
        }
        let zone = component.property(&Property::Dtstart).and_then(|start| start.tz_id());
        let excluded = excluded_days(component);
        let occurrences = events.iter().filter_map(|found| {
            let at = found.start;
            let (local, offset) = offset(at.timestamp(), at.naive_local().and_utc().timestamp())?;
            let offset = self.own_offset(zone, local, offset)?;
            let instant = offset.to_timestamp(local).ok()?;
            let is_left_out = changes.is_some_and(|changes| changes.left_out.contains(&instant.as_second()));
            if is_left_out || excluded.contains(&local.date()) {
                return None;
            }
            let moved_by =
                changes.and_then(|changes| changes.moved_from).filter(|(from, _)| instant >= *from);
            let local = moved_by.map_or(Some(local), |(_, by)| local.checked_add(by).ok())?;
            let begin = match first.begin {
                EventTime::Day(_) => EventTime::Day(local.date()),
                EventTime::Floating(_) => EventTime::Floating(local),
                EventTime::At(..) => EventTime::At(local, offset),
            };
            let seconds = match found.end {
                TimeOrDelta::Delta(delta) => delta.num_seconds(),
                TimeOrDelta::Time(end) => end.timestamp() - at.timestamp(),
            };
            // There is no end unless the calendar gives one.
            let end = first.end.and_then(|_| last_moment(begin, moved(begin, seconds)?));
            Some(Event { begin, end, place: first.place.clone() })
        });
        let mut last = None;
        for occurrence in occurrences {
            let is_next = self.now.is_none_or(|now| !occurrence.is_over(now));
            last = Some(occurrence);
            if is_next {
                break;
            }
        }
        last.map_or(Occurrence::None, Occurrence::Next)
    }
}

/// How the occurrences of a rule were changed one by one.
#[derive(Default)]
struct RecurrenceOverrides {
    left_out: HashSet<i64>,
    /// All from this one on begin so much later (`RANGE=THISANDFUTURE`).
    moved_from: Option<(Timestamp, SignedDuration)>,
}

/// Whether a changed occurrence stands for all later ones as well.
fn is_for_all_later(component: &ICalendarComponent) -> bool {
    component
        .property(&Property::RecurrenceId)
        .is_some_and(|property| property.parameter(&Parameter::Range).is_some())
}

/// Whole days on which an event does not recur, though it has a time of day (`EXDATE;VALUE=DATE`).
fn excluded_days(component: &ICalendarComponent) -> HashSet<Date> {
    let excluded = component.entries.iter().filter(|entry| entry.name == Property::Exdate);
    let day = |value: &ICalendarValue| {
        let time = value.as_partial_date_time().filter(|time| !time.has_time())?;
        Some(date_time(time.to_date_time()?.date_time.and_utc().timestamp())?.date())
    };
    excluded.flat_map(|entry| &entry.values).filter_map(day).collect()
}

/// What a rule comes to.
enum Occurrence {
    Next(Event),
    /// It has no occurrence of its own.
    None,
    /// It cannot be followed, or no day fulfils it: the event stands at its first day.
    Unknown,
}

/// What the calendar says of itself.
fn read_head(head: &ICalendarComponent, feed: &mut RawFeed) {
    let own = |property: &Property, extension: &str| {
        text(head, property).or_else(|| other(head, extension)).map(plain)
    };
    feed.title = feed.title.take().or_else(|| own(&Property::Name, "X-WR-CALNAME"));
    feed.description = feed.description.take().or_else(|| own(&Property::Description, "X-WR-CALDESC"));
    let interval = head.property(&Property::RefreshInterval).and_then(|interval| interval.values.first());
    if let Some(ICalendarValue::Duration(interval)) = interval {
        feed.hints.ttl_minutes =
            u32::try_from(interval.as_seconds() / 60).ok().filter(|minutes| *minutes > 0);
    }
}

/// The text of a property; none where it is empty.
fn text<'a>(component: &'a ICalendarComponent, property: &Property) -> Option<&'a str> {
    let value = component.property(property)?.values.first()?.as_text()?.trim();
    (!value.is_empty()).then_some(value)
}

fn texts(component: &ICalendarComponent, property: &Property) -> Vec<String> {
    let values =
        component.entries.iter().filter(|entry| entry.name == *property).flat_map(|entry| &entry.values);
    let texts = values.filter_map(|value| value.as_text()).map(|value| value.trim().to_owned());
    texts.filter(|value| !value.is_empty()).take(PARTS_MAX).collect()
}

/// The text of a property that no standard names.
fn other<'a>(component: &'a ICalendarComponent, name: &str) -> Option<&'a str> {
    let is_it = |entry: &&ICalendarEntry| matches!(&entry.name, Property::Other(own) if own.eq_ignore_ascii_case(name));
    component.entries.iter().find(is_it)?.values.first()?.as_text()
}

fn plain(value: &str) -> RawText {
    RawText { value: value.to_owned(), ..RawText::default() }
}

/// What the event is about: as HTML where it says it so (`X-ALT-DESC`, or tags in the plain text), else by its lines.
fn description(component: &ICalendarComponent) -> Option<RawText> {
    let plain = text(component, &Property::Description);
    let styled = other(component, "X-ALT-DESC").filter(|html| html.contains('<'));
    let value = match (styled, plain) {
        (Some(html), _) => html.to_owned(),
        (None, Some(text)) if looks_like_html(text) => text.to_owned(),
        (None, Some(text)) => escaped(text).replace('\n', "<br>\n"),
        (None, None) => return None,
    };
    Some(RawText { value, is_html: true, ..RawText::default() })
}

fn link(component: &ICalendarComponent) -> Option<Link> {
    let href = text(component, &Property::Url)?;
    Some(Link { href: href.to_owned(), rel: "alternate".into(), media_type: None, hreflang: None })
}

fn organizer(component: &ICalendarComponent) -> Option<Person> {
    let name = component.property(&Property::Organizer)?.parameter(&Parameter::Cn)?.as_text()?.trim();
    (!name.is_empty()).then(|| Person { name: Some(name.to_owned()), ..Person::default() })
}

fn language(component: &ICalendarComponent) -> Option<String> {
    let named = component.property(&Property::Summary)?.parameter(&Parameter::Language)?.as_text()?;
    Some(named.to_owned())
}

fn attachments(component: &ICalendarComponent) -> Vec<Enclosure> {
    let attached = component.entries.iter().filter(|entry| entry.name == Property::Attach);
    let enclosure = |entry: &ICalendarEntry| {
        let url = entry.values.first()?.as_text().filter(|url| url.starts_with("http"))?;
        let mime_type =
            entry.parameter(&Parameter::Fmttype).and_then(|kind| kind.as_text()).map(str::to_owned);
        Some(Enclosure { url: url.to_owned(), mime_type, size_in_bytes: None })
    };
    attached.filter_map(enclosure).take(PARTS_MAX).collect()
}

fn is_private(component: &ICalendarComponent) -> bool {
    let class = component.property(&Property::Class).and_then(|class| class.values.first());
    matches!(
        class,
        Some(ICalendarValue::Classification(
            ICalendarClassification::Private | ICalendarClassification::Confidential
        ))
    )
}

fn raw_time<'a>(component: &'a ICalendarComponent, property: &Property) -> Option<&'a PartialDateTime> {
    component.property(property)?.values.first()?.as_partial_date_time()
}

/// A time as the calendar writes it, for identifiers.
fn written(time: &PartialDateTime) -> String {
    let part = |part: Option<u8>| part.unwrap_or(0);
    let day = format!("{:04}{:02}{:02}", time.year.unwrap_or(0), part(time.month), part(time.day));
    let zone = if time.tz_hour.is_some() { "Z" } else { "" };
    match time.hour {
        Some(hour) => format!("{day}T{hour:02}{:02}{:02}{zone}", part(time.minute), part(time.second)),
        None => day,
    }
}

fn recurrence_id(component: &ICalendarComponent) -> Option<String> {
    raw_time(component, &Property::RecurrenceId).map(written)
}

/// When something was done (RFC 5545 sections 3.8.7.1 to 3.8.7.3: always in UTC).
fn stamp(component: &ICalendarComponent, property: &Property) -> Option<Timestamp> {
    let time = raw_time(component, property)?.to_date_time()?;
    let offset = time.offset.map_or(0, |offset| i64::from(offset.local_minus_utc()));
    Timestamp::from_second(time.date_time.and_utc().timestamp() - offset).ok()
}

/// How late a version of an event is.
fn version(component: &ICalendarComponent) -> (i64, Option<Timestamp>) {
    let sequence = component.property(&Property::Sequence).and_then(|sequence| sequence.values.first());
    let at = stamp(component, &Property::LastModified).or_else(|| stamp(component, &Property::Dtstamp));
    (sequence.and_then(|sequence| sequence.as_integer()).unwrap_or(0), at)
}

/// Two events that share an identifier all the same: they are of one version, and begin at two times.
fn is_other_event(one: &ICalendarComponent, other: &ICalendarComponent) -> bool {
    version(one) == version(other) && raw_time(one, &Property::Dtstart) != raw_time(other, &Property::Dtstart)
}

/// In seconds.
fn duration(component: &ICalendarComponent) -> Option<i64> {
    match component.property(&Property::Duration)?.values.first()? {
        ICalendarValue::Duration(duration) => Some(duration.as_seconds()),
        _ => None,
    }
}

/// A time so many seconds later; a day, so many whole days.
fn moved(from: EventTime, seconds: i64) -> Option<EventTime> {
    let by = SignedDuration::from_secs(seconds);
    Some(match from {
        EventTime::Day(date) => EventTime::Day(date.checked_add(days(seconds / 86_400)?).ok()?),
        EventTime::Floating(time) => EventTime::Floating(time.checked_add(by).ok()?),
        EventTime::At(time, offset) => EventTime::At(time.checked_add(by).ok()?, offset),
    })
}

fn days(days: i64) -> Option<Span> {
    Span::new().try_days(days).ok()
}

/// The end of an event, if it is after its begin: the end of whole days is the day after (RFC 5545 section 3.6.1).
fn last_moment(begin: EventTime, end: EventTime) -> Option<EventTime> {
    let end = match end {
        EventTime::Day(date) => EventTime::Day(date.checked_sub(1.day()).ok()?),
        end => end,
    };
    (end.instant()? > begin.instant()?).then_some(end)
}

/// What clocks show at a second of a time without a zone.
fn date_time(seconds: i64) -> Option<DateTime> {
    Some(TimeZone::UTC.to_datetime(Timestamp::from_second(seconds).ok()?))
}

/// How far the clocks of a zone are from UTC when they show a time.
fn zoned(zone: Tz, local: DateTime) -> Option<Offset> {
    let part = |part: i8| u8::try_from(part).ok();
    let time = PartialDateTime {
        year: u16::try_from(local.year()).ok(),
        month: part(local.month()),
        day: part(local.day()),
        hour: part(local.hour()),
        minute: part(local.minute()),
        second: part(local.second()),
        ..PartialDateTime::default()
    };
    let at = time.to_date_time()?.to_date_time_with_tz(zone)?;
    offset(at.timestamp(), at.naive_local().and_utc().timestamp()).map(|found| found.1)
}

/// What clocks show, and how far they are from UTC.
fn offset(at: i64, local: i64) -> Option<(DateTime, Offset)> {
    let seconds = i32::try_from(local.checked_sub(at)?).ok()?;
    Some((date_time(local)?, Offset::from_seconds(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = "BEGIN:VTIMEZONE\nTZID:Our clocks\nBEGIN:STANDARD\nDTSTART:19961027T030000\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:19960331T020000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT\nEND:VTIMEZONE\n";

    fn begins(head: &str, events: &[&str]) -> Vec<String> {
        let events: String = events
            .iter()
            .map(|event| format!("BEGIN:VEVENT\nUID:a@x\nSUMMARY:Council\n{event}\nEND:VEVENT\n"))
            .collect();
        let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{head}{events}END:VCALENDAR\n");
        let feed = read_calendar(&text, "2022-10-20T12:00:00Z".parse().ok());
        feed.entries.iter().map(|entry| entry.event.as_ref().unwrap().begin.to_string()).collect()
    }

    #[test]
    fn a_zone_is_read_from_its_own_description() {
        for (day, begin) in [
            ("20221029T180000", "2022-10-29T18:00:00+02:00"),
            ("20221030T180000", "2022-10-30T18:00:00+01:00"),
            ("20230701T180000", "2023-07-01T18:00:00+02:00"),
            ("19900701T180000", "1990-07-01T18:00:00+01:00"),
        ] {
            assert_eq!(begins(ZONE, &[&format!("DTSTART;TZID=Our clocks:{day}")]), [begin]);
        }
        let weekly = "DTSTART;TZID=Our clocks:20220906T180000\nRRULE:FREQ=WEEKLY;BYDAY=TU";
        assert_eq!(begins(ZONE, &[weekly]), ["2022-10-25T18:00:00+02:00"]);
        let prefixed = "DTSTART;TZID=/example.org/20220101/America/Lima:20221201T180000";
        assert_eq!(begins("", &[prefixed]), ["2022-12-01T18:00:00-05:00"]);
    }

    #[test]
    fn exceptions_of_a_rule_hold_for_days_and_for_all_later_ones() {
        let weekly = "DTSTART;TZID=Europe/Madrid:20220906T180000\nRRULE:FREQ=WEEKLY;BYDAY=TU";
        let but_one = format!("{weekly}\nEXDATE;VALUE=DATE:20221025");
        assert_eq!(begins("", &[&but_one]), ["2022-11-01T18:00:00+01:00"]);
        let later = "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Madrid:20221018T180000\nDTSTART;TZID=Europe/Madrid:20221018T193000";
        assert_eq!(begins("", &[weekly, later]), ["2022-10-25T19:30:00+02:00"]);
    }

    #[test]
    fn a_rule_that_is_hardly_ever_fulfilled_is_followed_but_not_for_ever() {
        let rare = "DTSTART:20001201T100000Z\nRRULE:FREQ=YEARLY;BYDAY=5MO;BYMONTH=2";
        assert_eq!(begins("", &[rare]), ["2044-02-29T10:00:00Z"]);
        let ended = "DTSTART:20220901T100000Z\nRRULE:FREQ=DAILY;COUNT=3";
        assert_eq!(begins("", &[ended]), ["2022-09-03T10:00:00Z"], "the last one");
        let event = |at: usize, rule: &str| {
            format!(
                "BEGIN:VEVENT\nUID:{at}\nSUMMARY:Council\nDTSTART:20000101T100000Z\nRRULE:{rule}\nEND:VEVENT\n"
            )
        };
        let feed = |rule: &str, count: usize| {
            let events: String = (0..count).map(|at| event(at, rule)).collect();
            let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{events}END:VCALENDAR\n");
            read_calendar(&text, "2022-10-20T12:00:00Z".parse().ok())
        };
        assert!(feed("FREQ=WEEKLY", 500).problems.is_empty());
        assert_eq!(feed("FREQ=MONTHLY;BYDAY=1TU", 501).problems.len(), 1);
        let never = feed("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", 20);
        assert_eq!(
            never.problems,
            ["too many rules to follow: 15 events recur and stand at their first day"]
        );
    }

    #[test]
    fn a_document_that_calls_events_off_has_none() {
        assert!(begins("METHOD:CANCEL\n", &["DTSTART:20221201T180000Z"]).is_empty());
    }

    #[test]
    fn what_a_program_prints_before_its_calendar_is_no_part_of_it() {
        let calendar = "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n";
        for noise in
            ["Warning: mktime() in /a.php on line 3\n", "<br />\n<b>Notice</b>: x<br />", "\u{feff}\n"]
        {
            let found = unfolded(format!("{noise}{calendar}").as_bytes()).unwrap();
            assert_eq!(String::from_utf8(found).unwrap(), calendar, "{noise}");
        }
        for other in
            ["<html><body>\n", "<?xml version='1.0'?>\n<rss><description>\n", "A line with BEGIN:VCALENDAR, "]
        {
            assert_eq!(unfolded(format!("{other}BEGIN:VCALENDAR in it").as_bytes()), None, "{other}");
        }
    }
}
