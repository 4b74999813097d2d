//! What records are called by their markup and their addresses: news, or something else.

use scraper::ElementRef;
use url::Url;

use super::cards::{Card, elements_of};
use crate::extract::page::answers::is_topic_address;
use crate::extract::page::{Page, selector, text_within};
use crate::extract::words;

/// Number of elements around a record whose names are read.
const AROUND_MAX: usize = 6;
/// Number of elements within a record whose types are read.
const WITHIN_MAX: usize = 12;

/// What a record is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordKind {
    News,
    /// A service, a person, a page of the site.
    Other,
}

/// What the system that made the page calls a record, or else what its own name says that it is besides news.
pub(super) fn kind_of(card: &Card) -> Option<RecordKind> {
    let elements = card.record.descendants().filter_map(ElementRef::wrap).take(WITHIN_MAX);
    let typed = elements.filter_map(type_of).find_map(|name| {
        let parts = words::parts_of_name(&name);
        let is_of = |kind: &str| parts.iter().any(|part| words::of(kind).contains(part));
        match () {
            () if is_of("news") || is_of("markup") => Some(RecordKind::News),
            () if is_of("other") || parts == ["page"] => Some(RecordKind::Other),
            () => None,
        }
    });
    typed.or_else(|| is_named_other(card.record).then_some(RecordKind::Other))
}

/// The type of content that an element is of: `node--type-article` and `node node-article` of Drupal, `type-post` of WordPress.
fn type_of(element: ElementRef) -> Option<String> {
    let classes = || element.value().classes();
    let has = |wanted: &str| classes().any(|class| class == wanted);
    let is_counted = |class: &str| {
        class.strip_prefix("post-").is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
    };
    classes().find_map(|class| {
        if let Some(name) = class.strip_prefix("node--type-") {
            return Some(name.to_owned());
        }
        let name = class
            .strip_prefix("type-")
            .filter(|name| has(name) || has("hentry") || classes().any(is_counted));
        let older = || {
            const STATES: [&str; 8] =
                ["teaser", "promoted", "sticky", "full", "preview", "unpublished", "view", "title"];
            let name = class.strip_prefix("node-").filter(|_| has("node"))?;
            let is_state = STATES.iter().any(|state| name.starts_with(state));
            (!is_state && !name.bytes().all(|b| b.is_ascii_digit())).then_some(name)
        };
        name.or_else(older).map(str::to_owned)
    })
}

/// Whether a record, or the one element that it consists of, is named as something else than news: `service-card`, `team-member`.
fn is_named_other(record: ElementRef) -> bool {
    let mut children = record.children().filter_map(ElementRef::wrap);
    let only = children.next().filter(|_| children.next().is_none());
    std::iter::once(record).chain(only).any(|element| {
        let mut names = element.value().classes().map(words::parts_of_name);
        let is_of = |parts: &[String], kind: &str| parts.iter().any(|part| words::of(kind).contains(part));
        names.any(|parts| is_of(&parts, "other") && !words::parts_name_news(&parts))
    })
}

/// Whether an element bears such a name, or is named as a list of news as a whole.
fn is_named(element: ElementRef, fits: impl Fn(&[String]) -> bool) -> bool {
    let names = element.value().classes().chain(element.attr("id"));
    names.map(words::parts_of_name).any(|parts| fits(&parts) || words::of("list").contains(&parts.join(" ")))
}

/// Whether an element bears a name of news.
fn is_named_news(element: ElementRef) -> bool {
    is_named(element, words::parts_name_news)
}

/// Whether a record is named or typed as news.
fn is_marked(record: ElementRef) -> bool {
    let is_typed = |element: ElementRef| {
        let kind = element.attr("itemtype").unwrap_or_default();
        ["Article", "BlogPosting"].iter().any(|known| kind.ends_with(known))
    };
    let inner = record.children().filter_map(ElementRef::wrap);
    let mut own = std::iter::once(record).chain(inner);
    own.any(|own| is_typed(own) || is_named_news(own))
}

/// The nearest list around a record that is named as one of news.
pub(super) fn news_list<'a>(card: &Card<'a>) -> Option<ElementRef<'a>> {
    let around = card.record.ancestors().filter_map(ElementRef::wrap).take(AROUND_MAX);
    around
        .filter(|around| !matches!(around.value().name(), "html" | "body" | "main" | "article"))
        .find(|around| is_named_news(*around))
}

/// Whether a record has the name that blogs give to their posts, which other cards have too.
pub(super) fn is_post(card: &Card) -> bool {
    let inner = card.record.children().filter_map(ElementRef::wrap);
    std::iter::once(card.record)
        .chain(inner)
        .any(|own| is_named(own, |parts| parts.iter().any(|part| words::of("markup").contains(part))))
}

/// Whether a record calls itself news: by its type, its name, the name of its list, or its address.
pub(super) fn is_called_news(page: &Page, card: &Card) -> bool {
    // A name around the heading of the page is one of the page.
    let is_part =
        |list: &ElementRef| list.select(&selector("h1")).all(|heading| is_within(heading, card.record));
    let kind = kind_of(card);
    kind == Some(RecordKind::News)
        || is_marked(card.record)
        || kind.is_none() && news_list(card).is_some_and(|list| is_part(&list))
        || kind.is_none() && has_news_address(page, card)
}

fn is_within(element: ElementRef, record: ElementRef) -> bool {
    element.ancestors().any(|around| around.id() == record.id())
}

/// Whether the address of a record names news, or a year.
fn has_news_address(page: &Page, card: &Card) -> bool {
    let Ok(url) = Url::parse(&card.href) else { return false };
    !is_own_path(page, &card.href) && has_news_path(&url) || has_news_query(&url)
}

/// Whether the address of a record is that of a topic on a board of a forum.
pub(super) fn is_topic(card: &Card) -> bool {
    is_topic_address(&card.href)
}

/// Whether an address differs from that of the page by its query only: the path says nothing of it then.
pub(super) fn is_own_path(page: &Page, href: &str) -> bool {
    Url::parse(href).is_ok_and(|url| page.base().is_some_and(|own| own.path() == url.path()))
}

fn has_news_path(url: &Url) -> bool {
    let segments: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let is_year = |segment: &&str| {
        segment.len() == 4 && segment.parse().is_ok_and(|year| (1990..=2100).contains(&year))
    };
    // A year at the end is what the link is about.
    let directories = &segments[..segments.len().saturating_sub(1)];
    // `/p/12` may be a product or a page of a pager.
    let is_figures = |at: usize| segments[at].bytes().all(|b| b.is_ascii_digit());
    let is_address = |at: usize, segment: &str| {
        words::of("address").contains(segment) && !(segment == "p" && is_figures(at + 1))
    };
    directories.iter().enumerate().any(|(at, segment)| is_year(segment) || is_address(at, segment))
        || segments.iter().any(|segment| names_news(segment))
}

/// `?news=4`, `?article4`, `?page=actu&id=4`, `?post_type=post`.
fn has_news_query(url: &Url) -> bool {
    url.query_pairs().any(|(name, value)| {
        let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_article = words::of("markup").contains(name);
        let is_page = matches!(name, "page" | "p" | "view" | "type" | "post_type" | "section" | "rubrique");
        is_article
            || words::of("news").contains(name)
            || is_page && (words::of("news").contains(&*value) || value == "post")
            || name == "p" && !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Whether a part of a path names news, and is no title.
pub(in crate::extract) fn names_news(segment: &str) -> bool {
    let parts = words::parts_of_name(segment);
    // A slug of many words is a title.
    parts.len() <= 3
        && (words::parts_name_news(&parts) || parts.iter().any(|part| words::of("markup").contains(part)))
}

/// A price is not longer, in characters.
const PRICE_CHARS_MAX: usize = 24;

/// Whether a record shows what something costs, as offers do.
pub(super) fn is_offer(card: &Card) -> bool {
    const CURRENCIES: [&str; 6] = ["eur", "usd", "gbp", "chf", "руб", "грн"];
    const SIGNS: [char; 6] = ['€', '$', '£', '¥', '₽', '₴'];
    let is_price = |text: String| {
        let has_sign = text.contains(SIGNS);
        let lower = text.to_lowercase();
        let words: Vec<&str> =
            lower.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
        let is_named = has_sign || !words.is_empty();
        let is_alone = words.iter().all(|word| CURRENCIES.contains(word));
        is_named && is_alone && text.contains(|c: char| c.is_ascii_digit())
    };
    elements_of(card.record).filter_map(|element| text_within(element, PRICE_CHARS_MAX)).any(is_price)
}
