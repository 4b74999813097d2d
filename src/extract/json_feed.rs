//! JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/), read field by field: a value of the wrong
//! type costs that value, not the feed.

use serde_json::{Map, Value};
use url::Url;

use super::date::parse_date;
use super::feed::ENTRIES_MAX;
use super::xml::resolve_against;
use crate::model::feed::{Enclosure, Format, Image, Link, Person, RawEntry, RawFeed, RawText};

/// Reads a JSON Feed; the error is a sentence for the operator.
pub fn read_json_feed(text: &str, base: Option<&Url>) -> Result<RawFeed, String> {
    let text = text.trim_start_matches('\u{FEFF}');
    let (root, problem) = match serde_json::from_str::<Value>(text) {
        Ok(root) => (root, None),
        Err(error) => match complete_items(text) {
            Some(root) => (root, Some(format!("the JSON is broken ({error}): the entries before the fault were kept"))),
            None => return Err(format!("the JSON is broken: {error}")),
        },
    };
    let Value::Object(root) = root else { return Err("the JSON is no feed: its root is no object".into()) };
    let is_feed = root.get("version").and_then(Value::as_str).is_some_and(|version| version.contains("jsonfeed.org"));
    let Some(items) = root.get("items").and_then(Value::as_array).or_else(|| is_feed.then_some(&EMPTY)) else {
        return Err("the JSON is no JSON Feed: it has neither a version nor items".into());
    };
    let mut feed = RawFeed {
        format: Format::JsonFeed,
        title: text_of(&root, "title", false, base),
        description: text_of(&root, "description", false, base),
        links: link_of(&root, "home_page_url", "alternate", base).into_iter().chain(link_of(&root, "feed_url", "self", base)).collect(),
        authors: persons_of(&root, base),
        language: string_of(&root, "language"),
        is_cut: problem.is_some(),
        problems: problem.into_iter().collect(),
        ..RawFeed::default()
    };
    feed.entries = items.iter().filter_map(Value::as_object).take(ENTRIES_MAX).map(|item| read_item(item, base)).collect();
    let skipped = items.len() - feed.entries.len();
    if skipped > 0 {
        feed.problems.push(format!("{skipped} items are no objects or too many: they were passed over"));
    }
    Ok(feed)
}

static EMPTY: Vec<Value> = Vec::new();

fn read_item(item: &Map<String, Value>, base: Option<&Url>) -> RawEntry {
    let mut links: Vec<Link> = link_of(item, "url", "alternate", base).into_iter().collect();
    links.extend(link_of(item, "external_url", "related", base));
    if links.iter().all(|link| link.rel != "alternate") {
        links.extend(link_of(item, "external_url", "alternate", base));
    }
    let own_page = links.first().and_then(|link| Url::parse(&link.href).ok());
    let text_base = own_page.as_ref().or(base);
    RawEntry {
        guid: string_of(item, "id"),
        title: text_of(item, "title", false, text_base),
        summary: text_of(item, "summary", false, text_base),
        content: text_of(item, "content_html", true, text_base).or_else(|| text_of(item, "content_text", false, text_base)),
        authors: persons_of(item, base),
        tags: item.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(scalar).collect(),
        published: string_of(item, "date_published").and_then(|date| parse_date(&date)),
        updated: string_of(item, "date_modified").and_then(|date| parse_date(&date)),
        language: string_of(item, "language"),
        enclosures: item.get("attachments").and_then(Value::as_array).into_iter().flatten().filter_map(|a| read_attachment(a, text_base)).collect(),
        image: string_of(item, "image").or_else(|| string_of(item, "banner_image")).map(|url| Image { url: resolve_against(text_base, &url), alt: None }),
        links,
        ..RawEntry::default()
    }
}

fn read_attachment(attachment: &Value, base: Option<&Url>) -> Option<Enclosure> {
    let attachment = attachment.as_object()?;
    Some(Enclosure {
        url: resolve_against(base, &string_of(attachment, "url")?),
        mime_type: string_of(attachment, "mime_type"),
        size_in_bytes: attachment.get("size_in_bytes").and_then(|size| size.as_u64().or_else(|| size.as_f64().map(|size| size as u64))),
    })
}

/// A string, or a number or truth value written where a string should be.
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
    let person =
        Person { name: string_of(author, "name"), url: string_of(author, "url").map(|url| resolve_against(base, &url)), email: string_of(author, "email") };
    (person != Person::default()).then_some(person)
}

/// What can be saved of a document that ends too early: everything up to the last item that is whole.
fn complete_items(text: &str) -> Option<Value> {
    let start = text.find("\"items\"").and_then(|at| text[at..].find('[').map(|open| at + open + 1))?;
    let mut stream = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
    let (mut items, mut end) = (Vec::new(), 0);
    while let Some(Ok(item)) = stream.next() {
        items.push(item);
        end += stream.byte_offset();
        let rest = text[start + end..].trim_start();
        let Some(next) = rest.strip_prefix(',') else { break };
        end = text.len() - start - next.len();
        stream = serde_json::Deserializer::from_str(next).into_iter::<Value>();
    }
    let mut root: Map<String, Value> = serde_json::from_str(&format!("{}]}}", &text[..start])).ok()?;
    root.insert("items".into(), Value::Array(items));
    Some(Value::Object(root))
}
