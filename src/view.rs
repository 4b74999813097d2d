//! Stories as seen by templates, on pages and in digests. Knows no template and no output format.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::channel::Channel;
use crate::model::event::{Event, EventTime};
use crate::model::feed::Image;
use crate::model::source::SourceList;
use crate::model::story::{StoredEntry, Story};
use crate::model::subscriber::Interests;
use crate::model::topic::{Topic, TopicMatch};
use crate::support::i18n::{language_name, long_date, spoken};
use crate::support::text::{direction, escaped};

/// Longer summaries are truncated, in characters: the story itself is one click away.
const SUMMARY_CHARS_MAX: usize = 600;

/// The context in which stories of a channel are shown.
#[derive(Debug, Clone, Copy)]
pub struct Catalog<'a> {
    pub channel: &'a Channel,
    pub topics: &'a [Topic],
    pub sources: &'a SourceList,
}

impl<'a> Catalog<'a> {
    /// The label of a topic in a language, or its id if it is no longer configured.
    pub fn topic_label<'b>(&self, id: &'b str, language: &str) -> &'b str
    where
        'a: 'b,
    {
        self.topics.iter().find(|topic| topic.id == id).map_or(id, |topic| topic.label(language))
    }
}

/// A story as seen by templates.
#[derive(Debug, Clone, Serialize)]
pub struct StoryView {
    pub title: String,
    pub url: Option<String>,
    pub summary: String,
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: &'static str,
    pub partner: String,
    /// Where its other stories are; only on pages, relative to them.
    pub partner_page: Option<String>,
    /// The day as in RFC 3339, and in words.
    pub day: String,
    pub date: String,
    pub image: Option<ImageView>,
    /// When and where it takes place, in words; for events.
    pub event: Option<String>,
    pub topics: Vec<TopicView>,
    /// Other versions with the same text.
    pub copies: Vec<LinkView>,
    pub translations: Vec<LinkView>,
}

/// An entry as programs read it: in `courant entries`, and in the API.
#[derive(Debug, Clone, Serialize)]
pub struct EntryView {
    pub announced: u32,
    pub event: Option<Event>,
    pub first_seen: String,
    pub guid: Option<String>,
    pub id: String,
    pub language: Option<String>,
    pub published: Option<String>,
    pub source: String,
    pub story: String,
    pub summary: String,
    pub title: String,
    pub topics: Vec<String>,
    pub updated: Option<String>,
    pub url: Option<String>,
}

/// A time to the second, as programs read it (RFC 3339).
pub fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl EntryView {
    pub fn of(stored: &StoredEntry) -> EntryView {
        let entry = &stored.entry;
        EntryView {
            announced: stored.announced,
            event: entry.event.clone(),
            first_seen: rfc3339(stored.first_seen),
            guid: entry.guid.clone(),
            id: entry.id.clone(),
            language: entry.language.clone(),
            published: entry.published.map(rfc3339),
            source: entry.source.clone(),
            story: stored.story.clone(),
            summary: entry.summary.clone(),
            title: entry.title.clone(),
            topics: stored.topics.iter().map(|matched| matched.topic.clone()).collect(),
            updated: entry.updated.map(rfc3339),
            url: entry.url.clone(),
        }
    }
}

/// One piece of news with all its versions, as programs read it: in the API, and from webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoryRecord {
    pub id: String,
    /// Of the version for the language that was asked for, or for that of the channel.
    pub title: String,
    pub url: Option<String>,
    pub summary: String,
    pub language: Option<String>,
    pub partner: String,
    /// When it was published, or first seen if its source does not say so.
    #[schema(value_type = String, format = DateTime)]
    pub date: Timestamp,
    /// Ids of topics, the best first.
    pub topics: Vec<String>,
    pub versions: Vec<VersionRecord>,
}

/// An entry of a story.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionRecord {
    pub entry: String,
    pub source: String,
    pub partner: String,
    pub language: Option<String>,
    pub title: String,
    pub url: Option<String>,
    /// `first`, `copy` or `translation`.
    pub relation: &'static str,
    /// Why it is in this story, in words.
    pub reason: Option<String>,
}

impl StoryRecord {
    /// A story as it is shown to readers of a language, in a version that matches their interests if there is one.
    pub fn of(catalog: Catalog, story: &Story, language: &str, interests: &Interests) -> StoryRecord {
        let shown = story.version_among(language, interests);
        let view = view_among(catalog, story, language, interests);
        StoryRecord {
            id: story.id.clone(),
            title: view.title,
            url: view.url,
            summary: view.summary,
            language: shown.entry.language.clone(),
            partner: view.partner,
            date: shown.sort_date(),
            topics: story.topics().into_iter().map(|matched| matched.topic.clone()).collect(),
            versions: story.versions.iter().map(VersionRecord::of).collect(),
        }
    }
}

impl VersionRecord {
    fn of(version: &StoredEntry) -> VersionRecord {
        VersionRecord {
            entry: version.entry.id.clone(),
            source: version.entry.source.clone(),
            partner: version.partner.clone(),
            language: version.entry.language.clone(),
            title: version.entry.title.clone(),
            url: version.entry.url.clone(),
            relation: version.relation.as_str(),
            reason: version.reason.clone(),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct ImageView {
    pub url: String,
    pub alt: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct TopicView {
    pub id: String,
    pub label: String,
    pub evidence: Vec<String>,
    /// Where its other stories are; only on pages, relative to them.
    pub page: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LinkView {
    pub label: String,
    pub language: String,
    /// In the language of the readers.
    pub language_name: String,
    pub url: String,
}

/// The view of a story for readers of `language`, in a version that matches their interests if there is one.
pub fn view_among(catalog: Catalog, story: &Story, language: &str, interests: &Interests) -> StoryView {
    let shown = story.version_among(language, interests);
    let said_in = spoken(language, &catalog.channel.language);
    let own_language = shown.entry.language.clone().unwrap_or_else(|| catalog.channel.language.clone());
    let date = shown.sort_date().to_zoned_datetime(TimeZone::UTC).date();
    let title = shown.entry.headline();
    let copies = story.copies_of(shown).filter(|copy| copy.entry.url != shown.entry.url);
    let translations = story.translations_of(shown).into_iter();
    StoryView {
        title: if title.is_empty() { "…".into() } else { title },
        url: openable_address(shown.entry.url.as_deref()),
        summary: crate::support::text::shorten(&shown.entry.summary, SUMMARY_CHARS_MAX),
        dir: direction(&own_language),
        language: own_language,
        partner: shown.partner.clone(),
        partner_page: None,
        day: date.to_string(),
        date: long_date(date, said_in),
        event: story.event(shown).map(|event| event_line(event, said_in)),
        image: shown.entry.image.as_ref().and_then(image_view),
        topics: story.topics().into_iter().map(|matched| topic_view(catalog, matched, language)).collect(),
        copies: copies.filter_map(|copy| link_view(copy, copy.partner.clone(), said_in)).collect(),
        translations: translations
            .filter_map(|version| link_view(version, version.entry.title.clone(), said_in))
            .collect(),
    }
}

/// Events shown as coming up in one place.
const COMING_MAX: usize = 10;

/// An event that is to come.
#[derive(Debug, Clone, Serialize)]
pub struct UpcomingEventView {
    pub title: String,
    pub url: Option<String>,
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: &'static str,
    pub partner: String,
    /// When and where, in words.
    pub event: String,
}

/// From when to when an event begins that is coming up: whole days, so that pages change with the day and not with the hour.
/// `None` where a channel shows none.
pub fn coming_window(channel: &Channel, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    if channel.coming_days == 0 {
        return None;
    }
    let today = now.to_zoned_datetime(TimeZone::UTC).date();
    let at = |date: Date| TimeZone::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok();
    let end = today.checked_add(i64::from(channel.coming_days + 1).days()).ok()?;
    Some((at(today)?, at(end)?))
}

/// Those of the events to come that fit some interests, in their order.
pub fn coming_among<'a>(stories: &'a [Story], interests: &Interests) -> Vec<&'a Story> {
    let fitting = stories.iter().filter(|story| story.wanted_since(interests).is_some());
    fitting.take(COMING_MAX).collect()
}

/// Shows an event to readers of `language`; `None` for a story that tells of none.
pub fn coming_view(
    catalog: Catalog,
    story: &Story,
    language: &str,
    interests: &Interests,
) -> Option<UpcomingEventView> {
    let StoryView { title, url, language, dir, partner, event, .. } =
        view_among(catalog, story, language, interests);
    Some(UpcomingEventView { title, url, language, dir, partner, event: event? })
}

/// When and where, as people of a language write it: "1 December 2026, 18:00–20:00 (UTC+1) · Town hall".
pub fn event_line(event: &Event, language: &str) -> String {
    let begin = moment(event.begin, language);
    let when = match event.end {
        Some(end) if end.date() == event.begin.date() => match end.time() {
            Some(time) => format!("{begin}–{}", time.strftime("%H:%M")),
            None => begin,
        },
        Some(end) => format!("{begin} – {}", moment(end, language)),
        None => begin,
    };
    let zone = match event.begin {
        EventTime::At(_, offset) => format!(" ({})", zone_name(offset.seconds())),
        _ => String::new(),
    };
    let place = event.place.as_ref().map(|place| format!(" · {place}")).unwrap_or_default();
    format!("{when}{zone}{place}")
}

/// The first line of an entry's text in feeds: when and where it takes place, in the entry's language where we speak it.
pub fn event_of(catalog: Catalog, story: &Story, shown: &StoredEntry) -> Option<String> {
    let channel = &catalog.channel.language;
    let language = spoken(shown.entry.language.as_deref().unwrap_or(channel), channel);
    story.event(shown).map(|event| event_line(event, language))
}

/// A text with the line before it.
pub fn with_line(line: Option<&str>, text: &str, between: &str) -> String {
    match line {
        Some(line) if text.is_empty() => line.to_owned(),
        Some(line) => format!("{line}{between}{text}"),
        None => text.to_owned(),
    }
}

/// HTML with the line as its first paragraph.
pub fn with_paragraph(line: Option<&str>, html: &str) -> String {
    line.map_or_else(|| html.to_owned(), |line| format!("<p>{}</p>\n{html}", escaped(line)))
}

fn moment(at: EventTime, language: &str) -> String {
    let date = long_date(at.date(), language);
    at.time().map_or_else(|| date.clone(), |time| format!("{date}, {}", time.strftime("%H:%M")))
}

/// `UTC`, `UTC+1`, `UTC-3:30`.
fn zone_name(seconds: i32) -> String {
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    match (minutes / 60, minutes % 60) {
        (0, 0) => "UTC".into(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// An address that readers can open.
fn openable_address(url: Option<&str>) -> Option<String> {
    url.filter(|url| url.starts_with("http://") || url.starts_with("https://")).map(str::to_owned)
}

fn image_view(image: &Image) -> Option<ImageView> {
    Some(ImageView { url: openable_address(Some(&image.url))?, alt: image.alt.clone().unwrap_or_default() })
}

fn topic_view(catalog: Catalog, matched: &TopicMatch, language: &str) -> TopicView {
    TopicView {
        id: matched.topic.clone(),
        label: catalog.topic_label(&matched.topic, language).to_owned(),
        evidence: matched.evidence.clone(),
        page: None,
    }
}

/// A link to another version of a story; `None` if readers could not open it.
fn link_view(version: &StoredEntry, label: String, said_in: &str) -> Option<LinkView> {
    let own = version.entry.language.clone().unwrap_or_default();
    Some(LinkView {
        label,
        language_name: language_name(&own, said_in),
        language: own,
        url: openable_address(version.entry.url.as_deref())?,
    })
}
