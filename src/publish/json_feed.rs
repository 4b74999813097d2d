//! Renders a feed as JSON Feed 1.1, one item per story.

pub mod schema;

use serde_json::{Value, json};

use self::schema::{JsonAuthor, JsonFeed, JsonItem};
use super::{DocumentLocation, JSON, OutputFormat};
use crate::model::feed::Enclosure;
use crate::model::story::{StoredEntry, Story};
use crate::view::{Catalog, event_of, with_line, with_paragraph};

/// JSON Feed 1.1.
pub const FORMAT: OutputFormat = OutputFormat {
    file: JSON,
    media_type: "application/feed+json",
    name: "JSON Feed",
    render: |catalog, place, stories| Ok(render(catalog, place, stories)),
};

/// Renders the feed.
fn render(catalog: Catalog, place: DocumentLocation, stories: &[Story]) -> Vec<u8> {
    let channel = JsonAuthor { name: Some(catalog.channel.title.clone()), ..JsonAuthor::default() };
    let feed = JsonFeed {
        title: Some(place.title(catalog)),
        home_page_url: Some(place.address(catalog, "")),
        feed_url: Some(place.address(catalog, JSON)),
        description: non_empty(&catalog.channel.description),
        language: Some(place.publication.language.clone()),
        authors: vec![channel],
        hubs: place.hub.map(|hub| json!({ "type": "WebSub", "url": hub })).into_iter().collect(),
        extension: None,
        items: stories.iter().map(|story| item(catalog, place, story)).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&feed.to_value()).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn item(catalog: Catalog, place: DocumentLocation, story: &Story) -> JsonItem {
    let shown = story.version_among(&place.publication.language, &place.publication.interests);
    let e = &shown.entry;
    let line = event_of(catalog, story, shown);
    // One of the two must be there.
    let (content_html, content_text) = match &e.content_html {
        Some(html) => (non_empty(&with_paragraph(line.as_deref(), html)), None),
        None => {
            let text = [&e.summary, &e.title].into_iter().find(|text| !text.is_empty());
            (None, Some(with_line(line.as_deref(), text.map_or("…", String::as_str), "\n")))
        }
    };
    let language = &place.publication.language;
    let labels = story.topics().into_iter().map(|matched| catalog.topic_label(&matched.topic, language));
    JsonItem {
        id: format!("urn:uuid:{}", story.id),
        url: e.url.as_deref().and_then(non_empty),
        title: non_empty(&e.title),
        summary: non_empty(&with_line(line.as_deref(), &e.summary, "\n")),
        content_html,
        content_text,
        image: e.image.as_ref().and_then(|image| non_empty(&image.url)),
        date_published: shown.published().map(date),
        date_modified: Some(date(shown.updated())),
        language: e.language.as_deref().and_then(non_empty),
        authors: authors(shown),
        tags: labels.map(str::to_owned).collect(),
        attachments: e.enclosures.iter().map(attachment).collect(),
        extension: Some(extension(story, shown)),
    }
}

/// JSON Feed requires the media type of an attachment.
fn attachment(enclosure: &Enclosure) -> Enclosure {
    let mime_type = enclosure.mime_type.as_deref().unwrap_or("application/octet-stream");
    Enclosure { mime_type: Some(mime_type.to_owned()), ..enclosure.clone() }
}

/// Our extension; its name begins with an underscore (JSON Feed 1.1, "Extensions").
fn extension(story: &Story, shown: &StoredEntry) -> Value {
    let version = |version: &StoredEntry| {
        let entry = &version.entry;
        json!({ "url": entry.url, "language": entry.language, "title": entry.title, "partner": version.partner })
    };
    let mut extension = json!({
        "about": "https://jsonfeed.org/version/1.1#extensions",
        "partner": shown.partner,
        "translations": story.translations_of(shown).into_iter().map(version).collect::<Vec<_>>(),
        "copies": story.copies_of(shown).map(version).collect::<Vec<_>>(),
    });
    if let Some(event) = story.event(shown) {
        extension["event"] = json!(event);
    }
    extension
}

fn date(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Authors without mail addresses, which are meant for the source's own readers.
fn authors(shown: &StoredEntry) -> Vec<JsonAuthor> {
    let named = shown.entry.authors.iter().filter_map(|person| {
        let name = person.name.clone().or_else(|| person.url.clone())?;
        Some(JsonAuthor { name: Some(name), url: person.url.clone(), extension: None })
    });
    let named: Vec<JsonAuthor> = named.collect();
    let partner = || JsonAuthor { name: Some(shown.partner.clone()), ..JsonAuthor::default() };
    if named.is_empty() { vec![partner()] } else { named }
}
