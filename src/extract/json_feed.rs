//! Reads JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/) field by field: a value of the wrong type loses that
//! value, not the feed.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use url::Url;

use super::feed::ENTRIES_MAX;
use super::feed::convention::DateConvention;
use super::prose_date::DateRules;
use super::xml::resolve_against;
use crate::model::feed::{Enclosure, FeedFormat, Image, Link, Person, RawEntry, RawFeed, RawText};
use crate::support::text::many;

/// Why a text is not a JSON Feed, in sentences for the operator.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFeedError {
    #[error("the JSON is broken: {0}")]
    Broken(String),
    #[error("the JSON is not a feed: its root is not an object")]
    NoObject,
    #[error("the JSON is not a JSON Feed: it has neither a version nor items")]
    NoFeed,
}

/// Reads a JSON Feed.
///
/// # Errors
/// When it is not a JSON Feed.
pub(super) fn read_json_feed(
    text: &str,
    base: Option<&Url>,
    rules: DateRules,
) -> Result<RawFeed, JsonFeedError> {
    let text = text.trim_start_matches('\u{FEFF}');
    let mut root = Root::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    let fault = (&mut root).deserialize(&mut reader).err();
    let refused = |why| match &fault {
        Some(error) => JsonFeedError::Broken(error.to_string()),
        None => why,
    };
    if !root.is_object {
        return Err(refused(JsonFeedError::NoObject));
    }
    let is_feed = string_of(&root.head, "version").is_some_and(|version| version.contains("jsonfeed.org"));
    if !root.has_items && !is_feed {
        return Err(refused(JsonFeedError::NoFeed));
    }
    Ok(feed_of(root, fault, base, rules))
}

/// The feed of a root object; `fault` is where its document breaks off.
fn feed_of(root: Root, fault: Option<serde_json::Error>, base: Option<&Url>, rules: DateRules) -> RawFeed {
    let Root { head, items, passed_over, .. } = root;
    let dates: Vec<String> = items
        .iter()
        .flat_map(|item| ["date_published", "date_modified"].map(|key| string_of(item, key)))
        .flatten()
        .collect();
    let mut convention = DateConvention::shown_by(dates.iter().map(String::as_str), rules);
    let mut feed = RawFeed {
        format: FeedFormat::JsonFeed,
        title: text_of(&head, "title", false, base),
        description: text_of(&head, "description", false, base),
        links: link_of(&head, "home_page_url", "alternate", base)
            .into_iter()
            .chain(link_of(&head, "feed_url", "self", base))
            .chain(hubs_of(&head, base))
            .collect(),
        authors: persons_of(&head, base),
        language: string_of(&head, "language"),
        is_cut: fault.is_some(),
        problems: fault
            .map(|error| format!("the JSON is broken ({error}): the entries before the fault were kept"))
            .into_iter()
            .collect(),
        entries: items.iter().map(|item| read_item(item, base, &mut convention)).collect(),
        ..RawFeed::default()
    };
    if passed_over > 0 {
        let items = many(passed_over, "item", "items");
        feed.problems.push(format!("{items} passed over, no object or one too many"));
    }
    feed
}

/// The root object, read incrementally: items before a syntax error are kept, and no more of them are held than wanted.
#[derive(Default)]
struct Root {
    is_object: bool,
    has_items: bool,
    head: Map<String, Value>,
    items: Vec<Map<String, Value>>,
    passed_over: usize,
}

impl<'de> DeserializeSeed<'de> for &mut Root {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Root {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.is_object = true;
        while let Some(key) = map.next_key::<String>()? {
            if key == "items" {
                self.has_items = true;
                map.next_value_seed(Items(self))?;
            } else if HEAD_KEYS.contains(&key.as_str()) {
                self.head.insert(key, map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Keys read besides the items.
const HEAD_KEYS: [&str; 9] =
    ["version", "title", "description", "home_page_url", "feed_url", "language", "authors", "author", "hubs"];

struct Items<'a>(&'a mut Root);

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a list of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while self.0.items.len() < ENTRIES_MAX {
            match items.next_element::<Value>()? {
                Some(Value::Object(item)) => self.0.items.push(item),
                Some(_) => self.0.passed_over += 1,
                None => return Ok(()),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            self.0.passed_over += 1;
        }
        Ok(())
    }
}

/// `hubs` (JSON Feed 1.1) of type WebSub.
fn hubs_of(head: &Map<String, Value>, base: Option<&Url>) -> Vec<Link> {
    let hubs = head.get("hubs").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    hubs.filter(|hub| string_of(hub, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("websub")))
        .filter_map(|hub| link_of(hub, "url", "hub", base))
        .collect()
}

fn read_item(item: &Map<String, Value>, base: Option<&Url>, dates: &mut DateConvention) -> RawEntry {
    let mut links: Vec<Link> = link_of(item, "url", "alternate", base).into_iter().collect();
    links.extend(link_of(item, "external_url", "related", base));
    if links.iter().all(|link| link.rel != "alternate") {
        links.extend(link_of(item, "external_url", "alternate", base));
    }
    let own_page = links.first().and_then(|link| Url::parse(&link.href).ok());
    let text_base = own_page.as_ref().or(base);
    let mut date = |key: &str| Some(dates.read(&string_of(item, key)?)?.at);
    RawEntry {
        guid: string_of(item, "id"),
        title: text_of(item, "title", false, text_base),
        summary: text_of(item, "summary", false, text_base),
        content: text_of(item, "content_html", true, text_base)
            .or_else(|| text_of(item, "content_text", false, text_base)),
        authors: persons_of(item, base),
        tags: item.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(scalar).collect(),
        published: date("date_published"),
        updated: date("date_modified"),
        language: string_of(item, "language"),
        enclosures: item
            .get("attachments")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|a| read_attachment(a, text_base))
            .collect(),
        image: string_of(item, "image")
            .or_else(|| string_of(item, "banner_image"))
            .map(|url| Image { url: resolve_against(text_base, &url), alt: None }),
        links,
        ..RawEntry::default()
    }
}

fn read_attachment(attachment: &Value, base: Option<&Url>) -> Option<Enclosure> {
    let attachment = attachment.as_object()?;
    Some(Enclosure {
        url: resolve_against(base, &string_of(attachment, "url")?),
        mime_type: string_of(attachment, "mime_type"),
        size_in_bytes: attachment
            .get("size_in_bytes")
            .and_then(|size| size.as_u64().or_else(|| size.as_f64().map(|size| size as u64))),
    })
}

/// A string, or a number or boolean in its place.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn string_of(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key).and_then(scalar)
}

fn text_of(object: &Map<String, Value>, key: &str, is_html: bool, base: Option<&Url>) -> Option<RawText> {
    let value = string_of(object, key)?;
    Some(RawText { value, is_html, base: base.cloned(), language: None })
}

fn link_of(object: &Map<String, Value>, key: &str, rel: &str, base: Option<&Url>) -> Option<Link> {
    let href = resolve_against(base, &string_of(object, key)?);
    Some(Link { href, rel: rel.into(), media_type: None, hreflang: None })
}

/// `authors` of 1.1 and `author` of 1.0.
fn persons_of(object: &Map<String, Value>, base: Option<&Url>) -> Vec<Person> {
    let many = object.get("authors").and_then(Value::as_array).into_iter().flatten();
    many.chain(object.get("author")).filter_map(|author| read_person(author, base)).collect()
}

fn read_person(author: &Value, base: Option<&Url>) -> Option<Person> {
    if let Some(line) = author.as_str() {
        return Person::parse(line);
    }
    let author = author.as_object()?;
    let person = Person {
        name: string_of(author, "name"),
        url: string_of(author, "url").map(|url| resolve_against(base, &url)),
        email: string_of(author, "email"),
    };
    (person != Person::default()).then_some(person)
}
