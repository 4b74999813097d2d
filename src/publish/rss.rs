//! Renders a feed as RSS 2.0, one item per story.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rss::extension::atom::{AtomExtension, Link};
use rss::extension::{Extension, ExtensionMap};
use rss::{Category, Channel, Enclosure, Guid, Item, Source};

use super::{DocumentLocation, OutputFormat, RSS, event_values, xml_safe};
use crate::model::event::Event;
use crate::model::story::{StoredEntry, Story};
use crate::support::text::reference_name;
use crate::view::{Catalog, event_of, with_line, with_paragraph};

const MEDIA: &str = "http://search.yahoo.com/mrss/";
/// The event module of RSS 1.0.
const EVENT: &str = "http://purl.org/rss/1.0/modules/event/";

/// RSS 2.0.
pub const FORMAT: OutputFormat = OutputFormat {
    file: RSS,
    media_type: "application/rss+xml",
    name: "RSS",
    render: |catalog, place, stories| Ok(render(catalog, place, stories)),
};

/// Renders the feed.
fn render(catalog: Catalog, place: DocumentLocation, stories: &[Story]) -> Vec<u8> {
    let updated = stories.iter().flat_map(|story| &story.versions).map(StoredEntry::updated).max();
    let link = |(rel, href): &(&str, String)| Link {
        rel: (*rel).to_owned(),
        href: href.clone(),
        mime_type: Some(
            if matches!(*rel, "prev-archive" | "next") {
                "application/atom+xml"
            } else {
                "application/rss+xml"
            }
            .into(),
        ),
        ..Link::default()
    };
    let links = place.links(catalog, RSS);
    let description = if catalog.channel.description.is_empty() {
        place.title(catalog)
    } else {
        catalog.channel.description.clone()
    };
    let channel = Channel {
        title: safe(&place.title(catalog)),
        link: place.address(catalog, ""),
        description: safe(&description),
        language: Some(place.publication.language.clone()),
        last_build_date: updated.map(date),
        generator: Some(concat!("courant ", env!("CARGO_PKG_VERSION")).into()),
        docs: Some("https://www.rssboard.org/rss-specification".into()),
        atom_ext: Some(AtomExtension { links: links.iter().map(link).collect() }),
        items: stories.iter().map(|story| item(catalog, place, story)).collect(),
        namespaces: namespaces(stories),
        ..Channel::default()
    };
    channel.to_string().into_bytes()
}

fn namespaces(stories: &[Story]) -> BTreeMap<String, String> {
    let has_event = stories.iter().flat_map(|story| &story.versions).any(|one| one.entry.event.is_some());
    let event = has_event.then_some(("ev", EVENT));
    [("media", MEDIA)]
        .into_iter()
        .chain(event)
        .map(|(prefix, name)| (prefix.to_owned(), name.to_owned()))
        .collect()
}

fn safe(text: &str) -> String {
    xml_safe(text).into_owned()
}

/// RFC 822 with a four-digit year, as RSS 2.0 requires.
fn date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn item(catalog: Catalog, place: DocumentLocation, story: &Story) -> Item {
    let shown = story.version_among(&place.publication.language, &place.publication.interests);
    let e = &shown.entry;
    let title = e.headline();
    let category = |matched: &&crate::model::topic::TopicMatch| {
        let name = catalog.topic_label(&matched.topic, &place.publication.language);
        Category { name: safe(name), domain: Some(format!("{}/topics/", catalog.channel.url)) }
    };
    let source = catalog.sources.by_id(&e.source);
    let line = event_of(catalog, story, shown);
    let summary = with_line(line.as_deref(), &e.summary, "\n");
    Item {
        title: Some(safe(&if title.is_empty() {
            "(untitled)".into()
        } else {
            escape_ambiguous_title(&title)
        })),
        link: e.url.clone(),
        description: (!summary.is_empty()).then(|| safe(&crate::support::text::escaped(&summary))),
        content: e.content_html.as_deref().map(|html| safe(&with_paragraph(line.as_deref(), html))),
        guid: Some(Guid { value: format!("urn:uuid:{}", story.id), permalink: false }),
        pub_date: Some(date(shown.sort_date())),
        categories: story.topics().iter().map(category).collect(),
        // RSS 2.0 has room for only one enclosure.
        enclosure: e.enclosures.first().map(|enclosure| Enclosure {
            url: enclosure.url.clone(),
            length: enclosure.size_in_bytes.unwrap_or(0).to_string(),
            mime_type: enclosure.mime_type.clone().unwrap_or_else(|| "application/octet-stream".into()),
        }),
        source: source.and_then(|source| {
            Some(Source { url: source.public_address()?, title: Some(safe(&shown.partner)) })
        }),
        extensions: extensions(e.image.as_ref().map(|image| image.url.as_str()), story.event(shown)),
        ..Item::default()
    }
}

/// RSS does not specify whether titles are HTML, and readers guess: text that looks like markup is escaped once more.
fn escape_ambiguous_title(title: &str) -> String {
    let follows = |at: usize, wanted: fn(char) -> bool| title[at + 1..].chars().next().is_some_and(wanted);
    let is_tag = title
        .match_indices('<')
        .any(|(at, _)| follows(at, |c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')));
    let is_reference = title.match_indices('&').any(|(at, _)| {
        reference_name(&title[at + 1..]).is_some_and(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#')
        })
    });
    if is_tag || is_reference { crate::support::text::escaped(title) } else { title.to_owned() }
}

/// The picture of an item, and when and where it takes place.
fn extensions(image: Option<&str>, event: Option<&Event>) -> ExtensionMap {
    let one =
        |name: String, value: Option<String>, attrs| Extension { name, value, attrs, ..Extension::default() };
    let mut all = ExtensionMap::new();
    if let Some(url) = image {
        let attrs = [("url".to_owned(), url.to_owned())].into();
        let thumbnail = vec![one("media:thumbnail".into(), None, attrs)];
        all.insert("media".to_owned(), BTreeMap::from([("thumbnail".to_owned(), thumbnail)]));
    }
    if let Some(event) = event {
        let values = event_values(event).into_iter().map(|(name, value)| {
            (name.to_owned(), vec![one(format!("ev:{name}"), Some(safe(&value)), BTreeMap::new())])
        });
        all.insert("ev".to_owned(), values.collect());
    }
    all
}
