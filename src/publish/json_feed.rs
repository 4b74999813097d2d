//! Renders a feed as JSON Feed 1.1, one item per story.

use serde_json::{Map, Value, json};

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
    let mut feed = json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": place.title(catalog),
        "home_page_url": place.address(catalog, ""),
        "feed_url": place.address(catalog, JSON),
        "language": place.publication.language,
        "authors": [{ "name": catalog.channel.title }],
        "items": stories.iter().map(|story| item(catalog, place, story)).collect::<Vec<_>>(),
    });
    if !catalog.channel.description.is_empty() {
        feed["description"] = json!(catalog.channel.description);
    }
    if let Some(hub) = place.hub {
        feed["hubs"] = json!([{ "type": "WebSub", "url": hub }]);
    }
    let mut bytes = serde_json::to_vec_pretty(&feed).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn item(catalog: Catalog, place: DocumentLocation, story: &Story) -> Value {
    let shown = story.version_among(&place.publication.language, &place.publication.interests);
    let e = &shown.entry;
    let mut item = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null()
            && value.as_str() != Some("")
            && value.as_array().is_none_or(|list| !list.is_empty())
        {
            item.insert(key.to_owned(), value);
        }
    };
    put("id", json!(format!("urn:uuid:{}", story.id)));
    put("url", json!(e.url));
    put("title", json!(e.title));
    let line = event_of(catalog, story, shown);
    put("summary", json!(with_line(line.as_deref(), &e.summary, "\n")));
    // One of the two must be there.
    match &e.content_html {
        Some(html) => put("content_html", json!(with_paragraph(line.as_deref(), html))),
        None => {
            let text = [&e.summary, &e.title].into_iter().find(|text| !text.is_empty());
            put("content_text", json!(with_line(line.as_deref(), text.map_or("…", String::as_str), "\n")));
        }
    }
    put("image", json!(e.image.as_ref().map(|image| &image.url)));
    put("date_published", json!(shown.published().map(date)));
    put("date_modified", json!(date(shown.updated())));
    put("language", json!(e.language));
    put("authors", authors(shown));
    let language = &place.publication.language;
    let labels = story.topics().into_iter().map(|matched| catalog.topic_label(&matched.topic, language));
    put("tags", labels.collect());
    put("attachments", e.enclosures.iter().map(attachment).collect());
    put("_courant", extension(story, shown));
    Value::Object(item)
}

fn attachment(enclosure: &Enclosure) -> Value {
    let mime_type = enclosure.mime_type.as_deref().unwrap_or("application/octet-stream");
    let mut attachment = json!({ "url": enclosure.url, "mime_type": mime_type });
    if let Some(size) = enclosure.size_in_bytes {
        attachment["size_in_bytes"] = json!(size);
    }
    attachment
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
fn authors(shown: &StoredEntry) -> Value {
    let named = shown.entry.authors.iter().filter_map(|person| {
        let name = person.name.as_deref().or(person.url.as_deref())?;
        let mut author = json!({ "name": name });
        if let Some(url) = &person.url {
            author["url"] = json!(url);
        }
        Some(author)
    });
    let named: Vec<Value> = named.collect();
    if named.is_empty() { json!([{ "name": shown.partner }]) } else { Value::Array(named) }
}
