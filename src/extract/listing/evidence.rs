//! Whether records that are alike are a listing of news: by what each says of itself, and, where they have no dates, by what the
//! page, its headings, its markup and its addresses call them.

use std::collections::HashSet;

use scraper::ElementRef;
use url::Url;

use super::cards::{Card, is_heading_link};
use super::headings::{self, Heading};
use super::links::is_call;
use super::unread;
use crate::extract::page::{Page, selector, text_of};
use crate::extract::words;
use crate::model::address::canonical_key;
use crate::model::feed::RawEntry;

/// With fewer records, each must say all of itself.
const RECORDS_MIN: usize = 3;
/// Bare links are not a listing, unless at least this many lead to pages below this one.
const BARE_LINKS_MIN: usize = 5;
/// Number of elements around a record whose names are read.
const AROUND_MAX: usize = 6;
/// A title that says that a page was not found is short, in characters.
const GONE_CHARS_MAX: usize = 90;
/// A link among so many more characters of its paragraph is part of the text.
const PROSE_CHARS_MIN: usize = 25;

/// A lone record with more text is an article, in characters.
const CARD_CHARS_MAX: usize = 1_200;

/// One in so many records has a date.
const DATED_SHARE: usize = 3;
const NEWEST_SHARE: usize = 6;
/// A single known address may stand anywhere.
const KNOWN_MIN: usize = 2;

/// Why records are no listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The page stands in place of another one.
    Gone,
    Few,
    Undated,
}

impl Doubt {
    /// What the records are instead, after "which are".
    pub(super) fn words(self) -> &'static str {
        match self {
            Doubt::Gone => "what a site suggests in place of a page that it does not have",
            Doubt::Few => "too few, or a menu",
            Doubt::Undated => "undated, and nothing on the page calls them news",
        }
    }
}

/// Whether similar records are a listing: at least three that say more than a menu does, and are dated or called news; if fewer,
/// or in a menu or notice, each needs a heading of its own and a date.
pub(super) fn doubt(page: &Page, cards: &[Card], entries: &[RawEntry], is_aside: bool) -> Option<Doubt> {
    if is_gone(page) {
        return Some(Doubt::Gone);
    }
    if entries.len() < RECORDS_MIN || is_aside {
        let is_full = |card: &Card| card.has_heading() && card.has_date() && !is_article_of_page(card);
        return (cards.is_empty() || !cards.iter().all(is_full)).then_some(Doubt::Few);
    }
    let words: usize =
        entries.iter().filter_map(|entry| entry.title.as_ref()).map(|title| words::count(&title.value)).sum();
    let is_rich = most(cards, says_more);
    let is_below = page.base().is_some_and(|base| cards.iter().all(|card| is_below(&card.href, base)));
    let says_enough = is_rich || words >= entries.len() * 3 || entries.len() >= BARE_LINKS_MIN && is_below;
    if !says_enough {
        return Some(Doubt::Few);
    }
    if is_dated(cards, entries, is_rich) {
        return None;
    }
    let above = headings::above(page, cards);
    let is_headed = || above.first().and_then(Option::as_ref).is_some_and(Heading::is_news);
    // Bare links under a heading of their own are what that says.
    let is_of_page = || {
        is_rich
            || !most(cards, |card| is_own_path(page, &card.href))
                && above.iter().flatten().all(|heading| heading.is_of_page() || heading.is_news())
    };
    let is_on_its_page =
        || (is_below || is_page_of_news(page) && is_of_page()) && !is_menu_again(page, cards);
    let is_called_news = is_marked_up(cards)
        || has_news_addresses(page, cards)
        || !most(cards, is_contact) && (is_headed() || is_on_its_page());
    let is_listing = is_called_news && is_in_main(page, cards);
    (!is_listing).then_some(Doubt::Undated)
}

/// Whether so many of the entries are known of the page that it was only laid out anew.
pub(super) fn are_known(entries: &[RawEntry], known: &HashSet<String>) -> bool {
    let is_known =
        |entry: &&RawEntry| entry.url().and_then(canonical_key).is_some_and(|key| known.contains(&key));
    let count = entries.iter().filter(is_known).count();
    count >= KNOWN_MIN && count * 3 >= entries.len()
}

/// Whether enough records have a date, or what looks like one in a language that we do not read.
fn is_dated(cards: &[Card], entries: &[RawEntry], is_rich: bool) -> bool {
    let is_dated =
        |entry: &&RawEntry| entry.published.is_some() || entry.event.is_some() || entry.updated.is_some();
    let dated = entries.iter().filter(is_dated).count();
    // Where each record says more than a title, it may be the newest only that have their date.
    let is_newest_dated = || is_rich && entries.first().is_some_and(|first| is_dated(&first));
    dated * DATED_SHARE >= entries.len()
        || dated * NEWEST_SHARE >= entries.len() && is_newest_dated()
        || most(cards, |card| card.has_date())
        || unread::are_dated(cards)
}

fn most(cards: &[Card], fits: impl Fn(&Card) -> bool) -> bool {
    cards.iter().filter(|card| fits(card)).count() * 2 >= cards.len()
}

fn says_more(card: &Card) -> bool {
    card.has_heading() || card.has_date() || card.has_image() || card.has_excerpt()
}

/// Whether the page says that there is no such page.
fn is_gone(page: &Page) -> bool {
    let titles = selector("title, h1");
    page.html()
        .select(&titles)
        .take(3)
        .map(text_of)
        .any(|title| title.chars().count() <= GONE_CHARS_MAX && words::has_one("gone", &title))
}

/// Whether a lone record is the article of the page itself, with a link in its text.
fn is_article_of_page(card: &Card) -> bool {
    let links = || card.anchors.iter().map(|(anchor, _)| *anchor);
    let is_in_prose = |link: ElementRef| {
        let text = text_of(link);
        let plain = words::plain(&text);
        let calls = ["call", "goes_on"].iter().any(|kind| words::after(kind, &plain).is_some());
        let paragraph =
            link.ancestors().filter_map(ElementRef::wrap).find(|around| around.value().name() == "p");
        !calls
            && !is_call(&text)
            && paragraph.is_some_and(|paragraph| {
                text_of(paragraph).chars().count() >= text.chars().count() + PROSE_CHARS_MIN
            })
    };
    let headings = selector("h1, h2, h3, h4");
    let headings: Vec<ElementRef> = card.record.select(&headings).collect();
    let is_page = headings.len() > 1
        || headings.iter().any(|heading| heading.value().name() == "h1")
        || text_of(card.record).chars().count() > CARD_CHARS_MAX;
    !links().any(is_heading_link) && (is_page || links().all(is_in_prose))
}

/// Whether the records, or the lists that they stand in, are marked up as news.
fn is_marked_up(cards: &[Card]) -> bool {
    let names = |element: ElementRef, kinds: &[&str]| {
        let names = element.value().classes().chain(element.attr("id"));
        names.map(words::parts_of_name).any(|parts| {
            kinds.iter().any(|kind| parts.iter().any(|part| words::of(kind).contains(part)))
                || words::of("list").contains(&parts.join(" "))
        })
    };
    let is_typed = |element: ElementRef| {
        let kind = element.attr("itemtype").unwrap_or_default();
        ["Article", "BlogPosting"].iter().any(|known| kind.ends_with(known))
    };
    let is_marked = |card: &Card| {
        let record = card.record;
        let inner = record.children().filter_map(ElementRef::wrap);
        let mut own = std::iter::once(record).chain(inner);
        let around = record.ancestors().filter_map(ElementRef::wrap).take(AROUND_MAX);
        let mut lists =
            around.filter(|around| !matches!(around.value().name(), "html" | "body" | "main" | "article"));
        own.any(|own| own.value().name() == "article" || is_typed(own) || names(own, &["news", "markup"]))
            || lists.any(|list| names(list, &["news"]))
    };
    most(cards, is_marked)
}

/// Whether the addresses name news, or a year.
fn has_news_addresses(page: &Page, cards: &[Card]) -> bool {
    most(cards, |card| {
        let Ok(url) = Url::parse(&card.href) else { return false };
        !is_own_path(page, &card.href) && has_news_path(&url) || has_news_query(&url)
    })
}

/// Whether an address differs from that of the page by its query only: the path says nothing of it then.
fn is_own_path(page: &Page, href: &str) -> bool {
    Url::parse(href).is_ok_and(|url| page.base().is_some_and(|own| own.path() == url.path()))
}

fn has_news_path(url: &Url) -> bool {
    let segments: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let is_year = |segment: &&str| {
        segment.len() == 4 && segment.parse().is_ok_and(|year| (1990..=2100).contains(&year))
    };
    // A year at the end is what the link is about.
    let directories = &segments[..segments.len().saturating_sub(1)];
    directories.iter().any(|segment| is_year(segment) || words::of("address").contains(*segment))
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

fn names_news(segment: &str) -> bool {
    let parts = words::parts_of_name(segment);
    // A slug of many words is a title.
    parts.len() <= 3
        && parts.iter().any(|part| words::of("news").contains(part) || words::of("markup").contains(part))
}

/// Whether the page calls itself news: in the first part of its title, in its heading, in its address. The rest of a title is the
/// name of the site.
fn is_page_of_news(page: &Page) -> bool {
    let first = |css: &str| page.html().select(&selector(css)).next().map(text_of);
    let title = first("title").unwrap_or_default();
    let title = [" - ", " – ", " — ", " | ", " · ", " « ", " : "]
        .iter()
        .filter_map(|joint| title.split_once(joint))
        .map(|(own, _)| own)
        .min_by_key(|own| own.len())
        .unwrap_or(&title);
    let address = page.base().and_then(Url::path_segments).into_iter().flatten();
    words::has_one("news", title)
        || first("h1").is_some_and(|heading| words::has_one("news", &heading))
        || address.into_iter().any(names_news)
}

/// Whether any record is in the main part of the page, if there is one.
fn is_in_main(page: &Page, cards: &[Card]) -> bool {
    let is_main =
        |element: &ElementRef| element.value().name() == "main" || element.attr("role") == Some("main");
    let in_main = |card: &Card| {
        card.record
            .ancestors()
            .chain([*card.record])
            .filter_map(ElementRef::wrap)
            .any(|around| is_main(&around))
    };
    page.html().select(&selector("main, [role=main]")).next().is_none() || cards.iter().any(in_main)
}

/// Whether the menu of the page leads to the same addresses.
fn is_menu_again(page: &Page, cards: &[Card]) -> bool {
    let links = selector("nav a[href], [role=navigation] a[href], .menu a[href], .navbar a[href]");
    let plain = |href: &str| href.split('#').next().unwrap_or(href).trim_end_matches('/').to_owned();
    let resolved = page.html().select(&links).filter_map(|link| link.attr("href")).filter_map(|href| {
        let address = match page.base() {
            Some(base) => base.join(href).ok()?,
            None => Url::parse(href).ok()?,
        };
        Some(plain(address.as_str()))
    });
    let menu: HashSet<String> = resolved.collect();
    most(cards, |card| menu.contains(&plain(&card.href)))
}

/// Whether a record says how to reach somebody.
fn is_contact(card: &Card) -> bool {
    let ways = selector("a[href^=\"tel:\"], a[href^=\"mailto:\"]");
    card.record.select(&ways).next().is_some()
}

/// Whether an address is below the directory of another one, on any host.
fn is_below(href: &str, base: &Url) -> bool {
    let directory = format!("{}/", base.path().trim_end_matches('/'));
    let path = Url::parse(href).map(|url| url.path().to_owned()).unwrap_or_default();
    directory.len() > 1 && path.len() > directory.len() && path.starts_with(&directory)
}
