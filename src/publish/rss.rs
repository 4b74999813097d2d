//! Renders a feed as RSS 2.0, one item per story.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rss::extension::atom::{AtomExtension, Link};
use rss::extension::{Extension, ExtensionMap};
use rss::{Category, Channel, Enclosure, Guid, Item, Source};

use super::{DocumentLocation, OutputFormat, RSS, xml_safe};
use crate::model::story::{StoredEntry, Story};
use crate::view::Catalog;

const MEDIA: &str = "http://search.yahoo.com/mrss/";

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
        namespaces: [("media".to_owned(), MEDIA.to_owned())].into(),
        ..Channel::default()
    };
    channel.to_string().into_bytes()
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
    let source = catalog.sources.iter().find(|source| source.id == e.source);
    Item {
        title: Some(safe(&if title.is_empty() { "(untitled)".into() } else { unmistakable(&title) })),
        link: e.url.clone(),
        description: (!e.summary.is_empty()).then(|| safe(&crate::support::text::escaped(&e.summary))),
        content: e.content_html.as_deref().map(safe),
        guid: Some(Guid { value: format!("urn:uuid:{}", story.id), permalink: false }),
        pub_date: Some(date(e.published.or(e.updated).unwrap_or(shown.first_seen))),
        categories: story.topics().iter().map(category).collect(),
        // RSS 2.0 has room for only one enclosure.
        enclosure: e.enclosures.first().map(|enclosure| Enclosure {
            url: enclosure.url.clone(),
            length: enclosure.size_in_bytes.unwrap_or(0).to_string(),
            mime_type: enclosure.mime_type.clone().unwrap_or_else(|| "application/octet-stream".into()),
        }),
        source: source.map(|source| Source {
            url: crate::model::address::without_credentials(source.url.as_str()),
            title: Some(safe(&shown.partner)),
        }),
        extensions: e.image.as_ref().map(|image| thumbnail(&image.url)).unwrap_or_default(),
        ..Item::default()
    }
}

/// RSS does not specify whether titles are HTML, and readers guess: text that looks like markup is escaped once more.
fn unmistakable(title: &str) -> String {
    let follows = |at: usize, wanted: fn(char) -> bool| title[at + 1..].chars().next().is_some_and(wanted);
    let is_tag = title
        .match_indices('<')
        .any(|(at, _)| follows(at, |c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')));
    let is_reference = title.match_indices('&').any(|(at, _)| {
        let name = title[at + 1..].split(';').next().unwrap_or_default();
        !name.is_empty()
            && name.len() < title.len() - at - 1
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#')
    });
    if is_tag || is_reference { crate::support::text::escaped(title) } else { title.to_owned() }
}

fn thumbnail(url: &str) -> ExtensionMap {
    let extension = Extension {
        name: "media:thumbnail".into(),
        attrs: [("url".to_owned(), url.to_owned())].into(),
        ..Extension::default()
    };
    BTreeMap::from([("media".to_owned(), BTreeMap::from([("thumbnail".to_owned(), vec![extension])]))])
}
