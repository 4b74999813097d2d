//! The public page of a Telegram channel (`https://t.me/s/NAME`): each post with its date, text, address and picture.

use scraper::ElementRef;
use url::Url;

use super::date::parse_date;
use super::page::{Page, background_of, selector, text_of};
use crate::model::feed::{FeedFormat, Image, Link, Origin, RawEntry, RawFeed, RawText};
use crate::support::markup::parted;
use crate::support::text::attribute_of;

/// Posts read from one page: Telegram shows twenty.
const POSTS_MAX: usize = 500;

/// A page with fewer posts and nothing of a channel around them only quotes some.
const POSTS_MIN: usize = 2;

/// Whether a page is that of a channel, or a mirror of one on another host: no other has posts of this class with this attribute,
/// and this history around them, or so many.
pub(super) fn is_channel(text: &str) -> bool {
    let has = |needle: &str| memchr::memmem::find(text.as_bytes(), needle.as_bytes()).is_some();
    let posts = || {
        let marks = memchr::memmem::find_iter(text.as_bytes(), "data-post=");
        marks.filter(|at| is_of_post(text, *at)).take(POSTS_MIN).count()
    };
    has("tgme_channel_info") && (has("tgme_channel_history") || has("tgme_widget_message"))
        || has("tgme_widget_message_text") && posts() >= POSTS_MIN
}

/// Whether the tag around a place in a text is that of a post.
fn is_of_post(text: &str, at: usize) -> bool {
    let (before, after) = text.split_at(at);
    let start = before.rfind('<').unwrap_or(0);
    let end = after.find('>').unwrap_or(after.len());
    let classes = attribute_of(&text[start..at + end], "class");
    classes
        .is_some_and(|classes| classes.split_ascii_whitespace().any(|class| class == "tgme_widget_message"))
}

/// Reads the posts of a channel, the newest first; service messages ("channel created") are skipped.
pub(super) fn read_channel(text: &str, url: Option<&Url>) -> RawFeed {
    let page = Page::parse(&parted(text), url);
    let posts = selector(".tgme_widget_message[data-post]");
    let is_post = |post: &ElementRef| !post.value().classes().any(|class| class == "service_message");
    let posts: Vec<ElementRef> = page.html().select(&posts).filter(is_post).collect();
    let newest = posts.into_iter().rev().take(POSTS_MAX);
    let entries = newest.map(|post| read_post(post, page.base())).collect();
    let plain = |value: String| RawText { value, ..RawText::default() };
    let said = |css: &str| page.html().select(&selector(css)).next().map(text_of).map(plain);
    RawFeed {
        format: FeedFormat::Telegram,
        title: said(".tgme_channel_info_header_title").or_else(|| said("title")),
        description: said(".tgme_channel_info_description"),
        links: url.map(|url| link(url.as_str())).into_iter().collect(),
        entries,
        ..RawFeed::default()
    }
}

fn link(href: &str) -> Link {
    Link { href: href.to_owned(), rel: "alternate".into(), media_type: None, hreflang: None }
}

fn read_post(post: ElementRef, base: Option<&Url>) -> RawEntry {
    let first = |css: &str| post.select(&selector(css)).next();
    let name = post.attr("data-post").unwrap_or_default();
    let date = first("a.tgme_widget_message_date");
    let own = date.and_then(|date| date.attr("href")).filter(|href| href.starts_with("http"));
    let published = first(".tgme_widget_message_date time[datetime]")
        .and_then(|time| time.attr("datetime"))
        .and_then(parse_date);
    let origin = first("a.tgme_widget_message_forwarded_from_name").map(|from| Origin {
        title: Some(RawText { value: text_of(from), ..RawText::default() }),
        url: from.attr("href").map(str::to_owned),
        ..Origin::default()
    });
    RawEntry {
        guid: Some(name.to_owned()),
        has_certain_guid: true,
        links: vec![link(own.map_or_else(|| format!("https://t.me/{name}"), str::to_owned).as_str())],
        content: content(post, base),
        published,
        origin,
        image: image(post, base),
        ..RawEntry::default()
    }
}

/// The words of a post: its text, without that of the post that it answers; else the question of its poll, the name of its file, or
/// what it links to.
fn content(post: ElementRef, base: Option<&Url>) -> Option<RawText> {
    let html = |value: String| RawText { value, is_html: true, base: base.cloned(), language: None };
    let texts = selector(".tgme_widget_message_text");
    let is_own = |text: &ElementRef| {
        let mut around = text.ancestors().filter_map(ElementRef::wrap);
        !around.any(|outer| outer.value().classes().any(|class| class == "tgme_widget_message_reply"))
    };
    let mut own = post.select(&texts).filter(is_own).map(|text| text.inner_html());
    own.find(|text| !text.trim().is_empty()).map(html).or_else(|| {
        let others = [
            ".tgme_widget_message_poll_question",
            ".tgme_widget_message_document_title",
            ".link_preview_title",
        ];
        let text =
            |css: &&str| post.select(&selector(css)).next().map(text_of).filter(|text| !text.is_empty());
        others.iter().find_map(text).map(|value| RawText { value, ..RawText::default() })
    })
}

/// The first picture of a post, except that of its author.
fn image(post: ElementRef, base: Option<&Url>) -> Option<Image> {
    let pictures = [
        ".tgme_widget_message_photo_wrap",
        ".tgme_widget_message_video_thumb",
        ".tgme_widget_message_roundvideo_thumb",
        ".link_preview_image",
        ".link_preview_right_image",
    ];
    pictures.iter().find_map(|css| background_of(post.select(&selector(css)).next()?, base))
}
