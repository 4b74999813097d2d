//! Stories as seen by templates, on pages and in digests. Knows no template and no output format.

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::model::channel::Channel;
use crate::model::feed::Image;
use crate::model::source::Source;
use crate::model::story::{StoredEntry, Story};
use crate::model::subscriber::Interests;
use crate::model::topic::{Topic, TopicMatch};
use crate::support::i18n::{language_name, long_date, spoken};
use crate::support::text::direction;

/// Longer summaries are truncated, in characters: the story itself is one click away.
const SUMMARY_CHARS_MAX: usize = 600;

/// The context in which stories of a channel are shown.
#[derive(Debug, Clone, Copy)]
pub struct Catalog<'a> {
    pub channel: &'a Channel,
    pub topics: &'a [Topic],
    pub sources: &'a [Source],
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
    /// The day as in RFC 3339, and in words.
    pub day: String,
    pub date: String,
    pub image: Option<ImageView>,
    pub topics: Vec<TopicView>,
    /// Other versions with the same text.
    pub copies: Vec<LinkView>,
    pub translations: Vec<LinkView>,
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
        url: web_address(shown.entry.url.as_deref()),
        summary: crate::support::text::shorten(&shown.entry.summary, SUMMARY_CHARS_MAX),
        dir: direction(&own_language),
        language: own_language,
        partner: shown.partner.clone(),
        day: date.to_string(),
        date: long_date(date, said_in),
        image: shown.entry.image.as_ref().and_then(image_view),
        topics: story.topics().into_iter().map(|matched| topic_view(catalog, matched, language)).collect(),
        copies: copies.filter_map(|copy| link_view(copy, copy.partner.clone(), said_in)).collect(),
        translations: translations
            .filter_map(|version| link_view(version, version.entry.title.clone(), said_in))
            .collect(),
    }
}

/// An address that readers can open.
fn web_address(url: Option<&str>) -> Option<String> {
    url.filter(|url| url.starts_with("http://") || url.starts_with("https://")).map(str::to_owned)
}

fn image_view(image: &Image) -> Option<ImageView> {
    Some(ImageView { url: web_address(Some(&image.url))?, alt: image.alt.clone().unwrap_or_default() })
}

fn topic_view(catalog: Catalog, matched: &TopicMatch, language: &str) -> TopicView {
    TopicView {
        id: matched.topic.clone(),
        label: catalog.topic_label(&matched.topic, language).to_owned(),
        evidence: matched.evidence.clone(),
    }
}

/// A link to another version of a story; `None` if readers could not open it.
fn link_view(version: &StoredEntry, label: String, said_in: &str) -> Option<LinkView> {
    let own = version.entry.language.clone().unwrap_or_default();
    Some(LinkView {
        label,
        language_name: language_name(&own, said_in),
        language: own,
        url: web_address(version.entry.url.as_deref())?,
    })
}
