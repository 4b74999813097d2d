//! Renders a feed as Atom (RFC 4287), one entry per story, with archives (RFC 5005).

use std::collections::{BTreeMap, HashSet};

use atom_syndication::extension::{Extension, ExtensionMap};
use atom_syndication::{
    Category, Content, Entry, Feed, FixedDateTime, Generator, Link, Person, Source as AtomSource, Text,
    TextType,
};
use jiff::Timestamp;

use super::{ATOM, DocumentLocation, OutputFormat, event_values, is_xml_character, xml_safe};
use crate::model::event::Event;
use crate::model::story::{StoredEntry, Story};
use crate::support::text::{escaped, reference_name};
use crate::view::{Catalog, event_of, with_line, with_paragraph};

const FEED_HISTORY: &str = "http://purl.org/syndication/history/1.0";
const MEDIA: &str = "http://search.yahoo.com/mrss/";
/// The event module of RSS 1.0, which calendars of other programs read.
const EVENT: &str = "http://purl.org/rss/1.0/modules/event/";

/// Atom (RFC 4287), with its archive (RFC 5005).
pub const FORMAT: OutputFormat = OutputFormat {
    file: ATOM,
    media_type: "application/atom+xml",
    name: "Atom",
    render: |catalog, place, stories| Ok(render(catalog, place, stories)?),
};

/// Renders the feed. The result depends only on the arguments: equal stories give equal bytes.
///
/// # Errors
/// When writing fails, which does not happen in memory.
pub fn render(
    catalog: Catalog,
    place: DocumentLocation,
    stories: &[Story],
) -> Result<Vec<u8>, atom_syndication::Error> {
    let (channel, language) = (catalog.channel, &place.publication.language);
    let updated = stories
        .iter()
        .flat_map(|story| &story.versions)
        .map(StoredEntry::updated)
        .max()
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let feed = Feed {
        title: plain(&place.title(catalog), None),
        subtitle: (!channel.description.is_empty()).then(|| plain(&channel.description, None)),
        id: place.address(catalog, ATOM),
        updated: date(updated),
        authors: vec![Person { name: xml_safe(&channel.title).into_owned(), ..Person::default() }],
        links: document_links(catalog, place),
        generator: Some(Generator {
            value: "courant".into(),
            uri: None,
            version: Some(env!("CARGO_PKG_VERSION").into()),
        }),
        lang: Some(language.clone()),
        entries: stories.iter().map(|story| entry(catalog, place, story)).collect(),
        extensions: if place.archive.is_some() {
            extension("fh", "archive", BTreeMap::new())
        } else {
            ExtensionMap::new()
        },
        namespaces: namespaces(stories),
        ..Feed::default()
    };
    feed.write_to(Vec::new())
}

/// The ids in a document of ours, which has each in an element without attributes.
pub fn ids(document: &[u8]) -> HashSet<&[u8]> {
    let begins = memchr::memmem::find_iter(document, "<id>").map(|at| &document[at + 4..]);
    begins.filter_map(|rest| rest.split(|byte| *byte == b'<').next()).collect()
}

/// Whether a document that an earlier version wrote is well-formed: with characters of XML only, and with no bare ampersand.
pub fn is_sound(text: &str) -> bool {
    let is_reference = |(at, _): (usize, &str)| {
        let name = reference_name(&text[at + 1..]).unwrap_or_default();
        let number = name.strip_prefix('#').and_then(|digits| match digits.strip_prefix('x') {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => digits.parse().ok(),
        });
        matches!(name, "amp" | "lt" | "gt" | "quot" | "apos")
            || number.and_then(char::from_u32).is_some_and(is_xml_character)
    };
    text.chars().all(is_xml_character)
        && text.match_indices('&').all(is_reference)
        && Feed::read_from(text.as_bytes()).is_ok()
}

/// The links of a document: itself and its neighbours, and the page of the publication.
fn document_links(catalog: Catalog, place: DocumentLocation) -> Vec<Link> {
    let mut links: Vec<Link> = place
        .links(catalog, ATOM)
        .iter()
        .map(|(rel, href)| link(href, rel, "application/atom+xml", None))
        .collect();
    let page = place.address(catalog, "");
    links.push(link(&page, "alternate", "text/html", Some(&place.publication.language)));
    links
}

/// Each that is used, or was since the first version.
fn namespaces(stories: &[Story]) -> BTreeMap<String, String> {
    let mut all = vec![("fh", FEED_HISTORY), ("media", MEDIA)];
    if stories.iter().flat_map(|story| &story.versions).any(|version| version.entry.event.is_some()) {
        all.push(("ev", EVENT));
    }
    all.into_iter().map(|(prefix, name)| (prefix.to_owned(), name.to_owned())).collect()
}

/// When and where an entry takes place.
fn event_extension(event: &Event) -> ExtensionMap {
    let values = event_values(event).into_iter().map(|(name, value)| {
        let value = Some(xml_safe(&value).into_owned());
        let extension = Extension { name: format!("ev:{name}"), value, ..Extension::default() };
        (name.to_owned(), vec![extension])
    });
    [("ev".to_owned(), values.collect())].into()
}

/// An extension without a value. `atom_syndication` writes attributes of extensions as they are, so they are escaped here.
fn extension(prefix: &str, name: &str, attrs: BTreeMap<String, String>) -> ExtensionMap {
    let attrs = attrs.into_iter().map(|(name, value)| (name, escaped(&xml_safe(&value)))).collect();
    let extension = Extension { name: format!("{prefix}:{name}"), attrs, ..Extension::default() };
    [(prefix.to_owned(), [(name.to_owned(), vec![extension])].into())].into()
}

fn entry(catalog: Catalog, place: DocumentLocation, story: &Story) -> Entry {
    let shown = story.version_among(&place.publication.language, &place.publication.interests);
    let e = &shown.entry;
    let language = e.language.as_deref();
    let title = e.headline();
    let thumbnail = e
        .image
        .as_ref()
        .map(|image| extension("media", "thumbnail", [("url".to_owned(), image.url.clone())].into()));
    let mut extensions = thumbnail.unwrap_or_default();
    extensions.extend(story.event(shown).map(event_extension).unwrap_or_default());
    let line = event_of(catalog, story, shown);
    let summary = with_line(line.as_deref(), &e.summary, "\n");
    Entry {
        title: plain(if title.is_empty() { "(untitled)" } else { &title }, language),
        id: format!("urn:uuid:{}", story.id),
        updated: date(shown.updated()),
        published: shown.published().map(date),
        authors: authors(shown),
        categories: story.topics().iter().map(|matched| category(catalog, &matched.topic)).collect(),
        links: links(story, shown),
        source: Some(source(catalog, shown)),
        summary: (!summary.is_empty()).then(|| plain(&summary, language)),
        content: content(shown, line.as_deref()),
        extensions,
        ..Entry::default()
    }
}

/// The source's own HTML. An entry that has neither that nor a page to link to says its summary (RFC 4287 section
/// 4.1.2: one of the two must be there).
fn content(shown: &StoredEntry, line: Option<&str>) -> Option<Content> {
    let e = &shown.entry;
    let (value, content_type) = match (&e.content_html, &e.url) {
        (Some(html), _) => (with_paragraph(line, html), "html"),
        (None, None) if e.summary.is_empty() => (with_line(line, &e.title, "\n"), "text"),
        (None, None) => (with_line(line, &e.summary, "\n"), "text"),
        (None, Some(_)) => return None,
    };
    Some(Content {
        value: Some(xml_safe(&value).into_owned()),
        content_type: Some(content_type.into()),
        lang: e.language.clone(),
        ..Content::default()
    })
}

/// The alternate link is the shown version, translations have their language, and every copy is a `via`.
fn links(story: &Story, shown: &StoredEntry) -> Vec<Link> {
    let mut links = Vec::new();
    let own = |version: &StoredEntry, rel: &str| {
        version.entry.url.as_deref().map(|url| link(url, rel, "text/html", version.entry.language.as_deref()))
    };
    links.extend(own(shown, "alternate"));
    let translations: Vec<Link> =
        story.translations_of(shown).into_iter().filter_map(|version| own(version, "alternate")).collect();
    if let Some(url) = shown.entry.url.as_deref().filter(|_| !translations.is_empty()) {
        // Some readers follow the first alternate link, some the last: both are the shown version. Without a language, the
        // second one is a distinct link.
        links.extend(translations);
        links.push(link(url, "alternate", "text/html", None));
    }
    // RFC 4287 section 4.1.1: no two alternate links of one type and language.
    let mut seen: Vec<Option<String>> = Vec::new();
    links.retain(|link| {
        let is_new = !seen.contains(&link.hreflang);
        seen.push(link.hreflang.clone());
        is_new
    });
    for version in story.versions.iter().filter_map(|version| own(version, "via")) {
        if !links.iter().any(|known| known.rel == "via" && known.href == version.href) {
            links.push(version);
        }
    }
    links.extend(shown.entry.enclosures.iter().map(|enclosure| Link {
        length: enclosure.size_in_bytes.map(|size| size.to_string()),
        ..link(
            &enclosure.url,
            "enclosure",
            enclosure.mime_type.as_deref().unwrap_or("application/octet-stream"),
            None,
        )
    }));
    links
}

fn authors(shown: &StoredEntry) -> Vec<Person> {
    let named = shown.entry.authors.iter().filter_map(|person| {
        let name = person.name.as_deref().or(person.url.as_deref())?;
        // Mail addresses are meant for the source's own readers, not for harvesters of the merged feed.
        Some(Person { name: xml_safe(name).into_owned(), uri: person.url.clone(), ..Person::default() })
    });
    let named: Vec<Person> = named.collect();
    if named.is_empty() {
        vec![Person { name: xml_safe(&shown.partner).into_owned(), ..Person::default() }]
    } else {
        named
    }
}

fn category(catalog: Catalog, topic: &str) -> Category {
    let known = catalog.topics.iter().find(|known| known.id == topic);
    Category {
        term: topic.to_owned(),
        scheme: Some(format!("{}/topics/", catalog.channel.url)),
        label: known.map(|known| known.label(&catalog.channel.language).to_owned()),
    }
}

/// `atom:source` (RFC 4287 section 4.2.11): the feed that the shown version comes from.
fn source(catalog: Catalog, shown: &StoredEntry) -> AtomSource {
    let configured = catalog.sources.by_id(&shown.entry.source);
    let public = configured.and_then(|source| source.public_address());
    let address = public.clone().unwrap_or_else(|| format!("urn:courant:source:{}", shown.entry.source));
    AtomSource {
        title: plain(&shown.partner, None),
        id: address.clone(),
        updated: date(shown.updated()),
        links: public
            .map(|_| {
                link(
                    &address,
                    "alternate",
                    "text/html",
                    configured.and_then(|source| source.language.as_deref()),
                )
            })
            .into_iter()
            .collect(),
        ..AtomSource::default()
    }
}

fn link(href: &str, rel: &str, media_type: &str, hreflang: Option<&str>) -> Link {
    Link {
        href: href.to_owned(),
        rel: rel.to_owned(),
        mime_type: Some(media_type.to_owned()),
        hreflang: hreflang.map(str::to_owned),
        ..Link::default()
    }
}

fn plain(text: &str, language: Option<&str>) -> Text {
    Text {
        value: xml_safe(text).into_owned(),
        lang: language.map(str::to_owned),
        base: None,
        r#type: TextType::Text,
    }
}

/// RFC 3339 with whole seconds.
fn date(time: Timestamp) -> FixedDateTime {
    let text = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    FixedDateTime::parse_from_rfc3339(&text).unwrap_or_default()
}
