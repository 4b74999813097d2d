//! Reads posts of the WordPress REST API (`/wp-json/wp/v2/posts`): a list of objects, read value by value.

use serde_json::Value;
use url::Url;

use super::date::parse_date;
use super::feed::ENTRIES_MAX;
use super::xml::resolve_against;
use crate::model::feed::{FeedFormat, Link, RawEntry, RawFeed, RawText};

/// Reads a list of posts; `None` if it is anything else.
pub(super) fn read_posts(text: &str, base: Option<&Url>) -> Option<RawFeed> {
    let posts: Vec<Value> = serde_json::from_str(text).ok()?;
    let entries: Vec<RawEntry> =
        posts.iter().take(ENTRIES_MAX).filter_map(|post| read_post(post, base)).collect();
    // An empty list is a site without posts; a non-empty list without a single post is something else.
    (!entries.is_empty() || posts.is_empty()).then(|| RawFeed {
        format: FeedFormat::WordPress,
        entries,
        ..RawFeed::default()
    })
}

fn read_post(post: &Value, base: Option<&Url>) -> Option<RawEntry> {
    let text =
        |key: &str| post.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let rendered = |key: &str| {
        let value = post.get(key)?.get("rendered")?.as_str()?.trim();
        (!value.is_empty()).then(|| RawText {
            value: value.to_owned(),
            is_html: true,
            base: base.cloned(),
            language: None,
        })
    };
    let link = text("link")?;
    let guid = post.get("guid").and_then(|guid| guid.get("rendered")).and_then(Value::as_str);
    Some(RawEntry {
        guid: guid.map(str::to_owned),
        links: vec![Link {
            href: resolve_against(base, link),
            rel: "alternate".into(),
            media_type: None,
            hreflang: None,
        }],
        title: rendered("title"),
        summary: rendered("excerpt"),
        content: rendered("content"),
        published: text("date_gmt").and_then(parse_date),
        updated: text("modified_gmt").and_then(parse_date),
        ..RawEntry::default()
    })
}
