//! The merged feed: Atom (RFC 4287), one entry a story.

use std::borrow::Cow;

use atom_syndication::{Category, Content, Entry, Feed, FixedDateTime, Generator, Link, Person, Source as AtomSource, Text, TextType};
use jiff::Timestamp;

use crate::model::story::{StoredEntry, Story};
use crate::view::Frame;

/// Where the feed stands under the address of the channel.
pub const PATH: &str = "atom.xml";

/// Renders the feed. It depends on nothing but its arguments: the same stories give the same bytes.
///
/// # Errors
/// When the writer fails, which it does not in memory.
pub fn render(frame: Frame, stories: &[Story]) -> Result<Vec<u8>, atom_syndication::Error> {
    let channel = frame.channel;
    let updated = stories.iter().flat_map(|story| &story.versions).map(StoredEntry::updated).max().unwrap_or(Timestamp::UNIX_EPOCH);
    let feed = Feed {
        title: plain(&channel.title, None),
        subtitle: (!channel.description.is_empty()).then(|| plain(&channel.description, None)),
        id: format!("{}/{PATH}", channel.url),
        updated: date(updated),
        authors: vec![Person { name: xml_safe(&channel.title).into_owned(), ..Person::default() }],
        links: vec![
            link(&format!("{}/{PATH}", channel.url), "self", "application/atom+xml", None),
            link(&format!("{}/", channel.url), "alternate", "text/html", Some(&channel.language)),
        ],
        generator: Some(Generator { value: "courant".into(), uri: None, version: Some(env!("CARGO_PKG_VERSION").into()) }),
        lang: Some(channel.language.clone()),
        entries: stories.iter().map(|story| entry(frame, story)).collect(),
        ..Feed::default()
    };
    feed.write_to(Vec::new())
}

fn entry(frame: Frame, story: &Story) -> Entry {
    let shown = story.version_for(&frame.channel.language);
    let e = &shown.entry;
    let language = e.language.as_deref();
    let title = if e.title.is_empty() { crate::text::shorten(&e.summary, 80) } else { e.title.clone() };
    Entry {
        title: plain(if title.is_empty() { "(untitled)" } else { &title }, language),
        id: format!("urn:uuid:{}", story.id),
        updated: date(shown.updated()),
        published: e.published.map(date),
        authors: authors(shown),
        categories: story.topics().iter().map(|matched| category(frame, &matched.topic)).collect(),
        links: links(story, shown),
        source: Some(source(frame, shown)),
        summary: (!e.summary.is_empty()).then(|| plain(&e.summary, language)),
        content: content(shown),
        ..Entry::default()
    }
}

/// The source's own HTML. An entry that has neither that nor a page to link to says its summary (RFC 4287 section
/// 4.1.2: one of the two must be there).
fn content(shown: &StoredEntry) -> Option<Content> {
    let e = &shown.entry;
    let (value, content_type) = match (&e.content_html, &e.url) {
        (Some(html), _) => (html, "html"),
        (None, None) => (if e.summary.is_empty() { &e.title } else { &e.summary }, "text"),
        (None, Some(_)) => return None,
    };
    Some(Content { value: Some(xml_safe(value).into_owned()), content_type: Some(content_type.into()), lang: e.language.clone(), ..Content::default() })
}

/// The alternate is the shown version, the translations have their language, every copy is a `via`.
fn links(story: &Story, shown: &StoredEntry) -> Vec<Link> {
    let mut links = Vec::new();
    let own = |version: &StoredEntry, rel: &str| version.entry.url.as_deref().map(|url| link(url, rel, "text/html", version.entry.language.as_deref()));
    links.extend(own(shown, "alternate"));
    links.extend(story.translations_of(shown).into_iter().filter_map(|version| own(version, "alternate")));
    for version in story.versions.iter().filter_map(|version| own(version, "via")) {
        if !links.iter().any(|known| known.rel == "via" && known.href == version.href) {
            links.push(version);
        }
    }
    links.extend(shown.entry.enclosures.iter().map(|enclosure| Link {
        length: enclosure.size_in_bytes.map(|size| size.to_string()),
        ..link(&enclosure.url, "enclosure", enclosure.mime_type.as_deref().unwrap_or("application/octet-stream"), None)
    }));
    links
}

fn authors(shown: &StoredEntry) -> Vec<Person> {
    let named = shown.entry.authors.iter().filter_map(|person| {
        let name = person.name.as_deref().or(person.url.as_deref())?;
        // A mail address is for the source's own readers, not for every harvester that reads the merged feed.
        Some(Person { name: xml_safe(name).into_owned(), uri: person.url.clone(), ..Person::default() })
    });
    let named: Vec<Person> = named.collect();
    if named.is_empty() { vec![Person { name: xml_safe(&shown.partner).into_owned(), ..Person::default() }] } else { named }
}

fn category(frame: Frame, topic: &str) -> Category {
    let known = frame.topics.iter().find(|known| known.id == topic);
    Category {
        term: topic.to_owned(),
        scheme: Some(format!("{}/topics/", frame.channel.url)),
        label: known.map(|known| known.label(&frame.channel.language).to_owned()),
    }
}

/// `atom:source` (RFC 4287 section 4.2.11): where the shown version comes from.
fn source(frame: Frame, shown: &StoredEntry) -> AtomSource {
    let configured = frame.sources.iter().find(|source| source.id == shown.entry.source);
    let address = configured.map_or_else(|| format!("urn:courant:source:{}", shown.entry.source), |source| source.url.to_string());
    AtomSource {
        title: plain(&shown.partner, None),
        id: address.clone(),
        updated: date(shown.updated()),
        links: configured.map(|_| link(&address, "alternate", "text/html", configured.and_then(|source| source.language.as_deref()))).into_iter().collect(),
        ..AtomSource::default()
    }
}

fn link(href: &str, rel: &str, media_type: &str, hreflang: Option<&str>) -> Link {
    Link { href: href.to_owned(), rel: rel.to_owned(), mime_type: Some(media_type.to_owned()), hreflang: hreflang.map(str::to_owned), ..Link::default() }
}

fn plain(text: &str, language: Option<&str>) -> Text {
    Text { value: xml_safe(text).into_owned(), lang: language.map(str::to_owned), base: None, r#type: TextType::Text }
}

/// RFC 3339, whole seconds.
fn date(time: Timestamp) -> FixedDateTime {
    let text = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    FixedDateTime::parse_from_rfc3339(&text).unwrap_or_default()
}

/// XML 1.0 has no way to write most control characters: they are dropped.
fn xml_safe(text: &str) -> Cow<'_, str> {
    let is_safe = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    if text.chars().all(is_safe) { Cow::Borrowed(text) } else { Cow::Owned(text.chars().filter(|c| is_safe(*c)).collect()) }
}
