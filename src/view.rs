//! Stories as templates see them, on the page and in the digest. Knows no template and no output format.

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::model::channel::Channel;
use crate::model::source::Source;
use crate::model::story::{StoredEntry, Story};
use crate::model::subscriber::Interests;
use crate::model::topic::Topic;
use crate::support::i18n::{language_name, long_date, spoken};
use crate::support::text::direction;

/// A summary longer than this is shown cut, in characters: the story itself is one click away.
const SUMMARY_CHARS_MAX: usize = 600;

/// What all stories of a channel are shown with.
#[derive(Debug, Clone, Copy)]
pub struct Catalog<'a> {
    pub channel: &'a Channel,
    pub topics: &'a [Topic],
    pub sources: &'a [Source],
}

impl<'a> Catalog<'a> {
    /// What a topic is called in a language; its id where the configuration has it no more.
    pub fn topic_label<'b>(&self, id: &'b str, language: &str) -> &'b str
    where
        'a: 'b,
    {
        self.topics.iter().find(|topic| topic.id == id).map_or(id, |topic| topic.label(language))
    }
}

/// A story as templates see it, on the page and in the digest.
#[derive(Debug, Clone, Serialize)]
pub struct StoryView {
    pub title: String,
    pub url: Option<String>,
    pub summary: String,
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: &'static str,
    pub partner: String,
    /// RFC 3339 day, and as people write it.
    pub day: String,
    pub date: String,
    pub image: Option<ImageView>,
    pub topics: Vec<TopicView>,
    /// Other places where the same text stands.
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
    /// As the readers call it.
    pub language_name: String,
    pub url: String,
}

/// Shows a story to readers of `language`, in a version that fits their interests where there is one.
pub fn view_among(catalog: Catalog, story: &Story, language: &str, interests: &Interests) -> StoryView {
    let shown = story.version_among(language, interests);
    let said_in = spoken(language, &catalog.channel.language);
    let web = |url: &Option<String>| {
        url.clone().filter(|url| url.starts_with("http://") || url.starts_with("https://"))
    };
    let links = |label: &dyn Fn(&StoredEntry) -> String, version: &StoredEntry| {
        let own = version.entry.language.clone().unwrap_or_default();
        Some(LinkView {
            label: label(version),
            language_name: language_name(&own, said_in),
            language: own,
            url: web(&version.entry.url)?,
        })
    };
    let own_language = shown.entry.language.clone().unwrap_or_else(|| catalog.channel.language.clone());
    let date = shown.sort_date().to_zoned_datetime(TimeZone::UTC).date();
    let title = shown.entry.headline();
    StoryView {
        title: if title.is_empty() { "…".into() } else { title },
        url: web(&shown.entry.url),
        summary: crate::support::text::shorten(&shown.entry.summary, SUMMARY_CHARS_MAX),
        dir: direction(&own_language),
        language: own_language,
        partner: shown.partner.clone(),
        day: date.to_string(),
        date: long_date(date, said_in),
        image: shown
            .entry
            .image
            .as_ref()
            .filter(|image| web(&Some(image.url.clone())).is_some())
            .map(|image| ImageView { url: image.url.clone(), alt: image.alt.clone().unwrap_or_default() }),
        topics: story
            .topics()
            .iter()
            .map(|matched| {
                let label = catalog.topic_label(&matched.topic, language);
                TopicView {
                    id: matched.topic.clone(),
                    label: label.to_owned(),
                    evidence: matched.evidence.clone(),
                }
            })
            .collect(),
        copies: story
            .copies_of(shown)
            .filter(|copy| copy.entry.url != shown.entry.url)
            .filter_map(|copy| links(&|version| version.partner.clone(), copy))
            .collect(),
        translations: story
            .translations_of(shown)
            .into_iter()
            .filter_map(|version| links(&|version| version.entry.title.clone(), version))
            .collect(),
    }
}
