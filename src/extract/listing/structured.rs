//! Entries that a page lists as structured data: JSON-LD lists and articles, and h-feed.

use scraper::Html;
use serde_json::Value;

use crate::extract::date::{parse_date, parse_day};
use crate::extract::page::{Page, selector, text_of};
use crate::extract::prose_date::DateRules;
use crate::extract::xml::resolve_against;
use crate::model::event::{Event, EventTime};
use crate::model::feed::{Image, Link, RawEntry, RawText};
use crate::support::text::one_line;

/// Maximum number of objects examined in a block.
const OBJECTS_MAX: usize = 1_000;

/// The entries in a page's structured data; empty if there are none.
pub(super) fn entries(page: &Page, rules: DateRules) -> Vec<RawEntry> {
    let mut found = Vec::new();
    for object in page.json_ld().iter().take(OBJECTS_MAX) {
        collect(page, object, &mut found, 0);
    }
    if found.is_empty() {
        found = h_feed(page, rules);
    }
    let mut seen = std::collections::HashSet::new();
    let own = page.base().map(|base| base.as_str().trim_end_matches('/').to_owned());
    found.retain(|entry: &RawEntry| {
        entry.url().is_some_and(|url| {
            Some(url.trim_end_matches('/')) != own.as_deref() && seen.insert(url.to_owned())
        })
    });
    found
}

const ARTICLES: [&str; 8] = [
    "Article",
    "BlogPosting",
    "NewsArticle",
    "Report",
    "SocialMediaPosting",
    "TechArticle",
    "ScholarlyArticle",
    "Event",
];

fn is_article(object: &Value) -> bool {
    let kinds: Vec<&str> = match object.get("@type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    kinds.iter().any(|kind| ARTICLES.contains(kind))
}

/// Collects articles from all places where lists occur.
fn collect(page: &Page, object: &Value, found: &mut Vec<RawEntry>, depth: usize) {
    if depth > 4 || found.len() >= OBJECTS_MAX {
        return;
    }
    if let Value::Array(objects) = object {
        objects.iter().for_each(|object| collect(page, object, found, depth + 1));
        return;
    }
    if is_article(object) {
        found.extend(article(page, object));
        return;
    }
    for key in ["itemListElement", "item", "blogPost", "blogPosts", "hasPart", "mainEntity"] {
        if let Some(inner) = object.get(key) {
            collect(page, inner, found, depth + 1);
        }
    }
}

fn article(page: &Page, object: &Value) -> Option<RawEntry> {
    let text =
        |key: &str| object.get(key).and_then(Value::as_str).map(one_line).filter(|text| !text.is_empty());
    let id = |key: &str| {
        object
            .get(key)
            .and_then(|value| value.as_str().or_else(|| value.get("@id").and_then(Value::as_str)))
            .map(str::to_owned)
    };
    let href = text("url").or_else(|| id("mainEntityOfPage")).or_else(|| id("@id"))?;
    let plain = |value: String| RawText { value, base: page.base().cloned(), ..RawText::default() };
    let image = object.get("image").and_then(|image| {
        image
            .as_str()
            .or_else(|| image.get("url").and_then(Value::as_str))
            .or_else(|| image.get(0).and_then(Value::as_str))
    });
    Some(RawEntry {
        links: vec![Link {
            href: resolve_against(page.base(), &href),
            rel: "alternate".into(),
            media_type: None,
            hreflang: None,
        }],
        title: Some(plain(unescaped(text("headline").or_else(|| text("name"))?))),
        summary: text("description").map(unescaped).map(plain),
        published: text("datePublished").and_then(|date| parse_day(&date)),
        updated: text("dateModified").and_then(|date| parse_date(&date)),
        event: event_of(object),
        image: image.map(|url| Image { url: resolve_against(page.base(), url), alt: None }),
        language: text("inLanguage").or_else(|| page.language().map(str::to_owned)),
        ..RawEntry::default()
    })
}

/// A text without the references of signs that systems leave in structured data: `L&#8217;État`.
fn unescaped(text: String) -> String {
    if !text.contains('&') || text.contains('<') {
        return text;
    }
    one_line(&Html::parse_fragment(&text).root_element().text().collect::<String>())
}

/// When and where something takes place (schema.org `Event`): `startDate`, `endDate`, `location`.
fn event_of(object: &Value) -> Option<Event> {
    let time = |key: &str| object.get(key)?.as_str()?.trim().parse::<EventTime>().ok();
    let location = object.get("location").map(|location| location.get(0).unwrap_or(location));
    let place = location.and_then(|location| location.as_str().or_else(|| location.get("name")?.as_str()));
    Some(Event {
        begin: time("startDate")?,
        end: time("endDate"),
        place: place.map(one_line).filter(|place| !place.is_empty()),
    })
}

/// Microformats: `h-entry` with `p-name`, `u-url`, `dt-published`.
fn h_feed(page: &Page, rules: DateRules) -> Vec<RawEntry> {
    let (entry, name, url, date, summary) = (
        selector(".h-entry"),
        selector(".p-name"),
        selector("a.u-url[href]"),
        selector(".dt-published"),
        selector(".p-summary"),
    );
    let read = |card: scraper::ElementRef| {
        let title = card.select(&name).map(text_of).find(|text| !text.is_empty())?;
        let href = card.select(&url).next()?.attr("href")?;
        Some(RawEntry {
            links: vec![Link {
                href: resolve_against(page.base(), href),
                rel: "alternate".into(),
                media_type: None,
                hreflang: None,
            }],
            title: Some(RawText { value: title, base: page.base().cloned(), ..RawText::default() }),
            summary: card
                .select(&summary)
                .map(text_of)
                .find(|text| !text.is_empty())
                .map(|value| RawText { value, ..RawText::default() }),
            published: card.select(&date).find_map(|date| crate::extract::page::date_of(date, rules)),
            language: page.language().map(str::to_owned),
            ..RawEntry::default()
        })
    };
    page.html().select(&entry).filter_map(read).collect()
}
