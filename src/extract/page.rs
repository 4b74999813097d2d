//! Web pages: reads the cards of a listing by CSS selectors, the feeds that a page names, and an entry's own page. Performs no
//! requests; the caller fetches further pages.

pub(super) mod agenda;
pub(super) mod answers;
pub(super) mod dates;
mod item;
mod target;
mod title;

use std::cell::OnceCell;
use std::collections::HashSet;

use jiff::Timestamp;
use scraper::{ElementRef, Html, Selector};
use url::Url;

use self::agenda::is_among_events;
use self::dates::{VisibleDates, says_hours};
pub use self::item::ItemPage;
use self::target::target_of;
pub(super) use self::target::{WIDE, own_target};
pub(super) use self::title::{is_label, is_named_title, title_text};
use super::date::parse_date;
use super::listing::is_call;
use super::prose_date::{AmbiguousDates, DateRules, find_date, shown_order};
use super::words;
use super::xml::resolve_against;
use crate::model::feed::{FEED_MEDIA_TYPES, FeedFormat, Image, Link, RawEntry, RawFeed, RawText};
use crate::model::source::{DateOrder, Select};
use crate::support::pictures::{is_lazy_class, is_picture_address, real_address, widest};
use crate::support::text::{
    LineBuffer, attribute_of, bound_markup, fold, many, one_line, shorten, truncated,
};

/// Maximum number of feeds and of calendars that a page names: the first so many.
const NAMED_MAX: usize = 1000;

/// The note of a record that leads nowhere.
pub(super) const OF_LISTING: &str = "it has no link: its address is that of the page";

/// Maximum number of cards read from a page.
const CARDS_MAX: usize = 500;

/// So many elements beside a picture, and around it, may have it for readers without scripts.
const BESIDE_DEPTH_MAX: usize = 3;

/// Of the text of an element, so much is shown to name it, in characters.
const NAMED_CHARS_MAX: usize = 60;

/// A parsed page with the base address of its links.
pub struct Page {
    html: Html,
    base: Option<Url>,
    language: OnceCell<Option<String>>,
}

/// A word of a page is compared with those of a feed if it has so many characters.
const FIT_WORD_CHARS_MIN: usize = 4;

/// Words in the titles of comment feeds, folded.
const COMMENTS: [&str; 13] = [
    "comment",
    "comentari",
    "kommentar",
    "commenti",
    "reactie",
    "комментар",
    "коментар",
    "تعليق",
    "komentar",
    "maoni",
    "评论",
    "replies",
    "reponses",
];

/// Whether a feed is one of comments, by its title and address.
fn is_of_comments(title: &str, href: &str) -> bool {
    let title = fold(&format!("{title} {href}"));
    COMMENTS.iter().any(|word| title.contains(word))
}

/// Whether the path of an address ends as those of feeds do, and hardly one of another version of a page.
fn has_feed_ending(href: &str) -> bool {
    let path = href.split(['?', '#']).next().unwrap_or(href).to_ascii_lowercase();
    [".xml", ".rss", ".atom", ".rdf"].iter().any(|end| path.ends_with(end))
}

/// How surely a link that only its type does not exclude leads to a feed: the least.
const LEAST_SURE: u8 = 5;

/// The address of a feed that an element names, and how surely: 0 for what is declared as a feed, 4 for a link of which only the
/// text says so.
fn feed_link(link: ElementRef) -> Option<(u8, String)> {
    const LAX_TYPES: [&str; 4] = ["", "text/xml", "application/xml", "application/json"];
    let href = link.attr("href").unwrap_or_default().trim();
    let kind = link.attr("type").unwrap_or_default().to_ascii_lowercase();
    let rels = link.attr("rel").unwrap_or_default().to_ascii_lowercase();
    let has_rel = |rel: &str| rels.split_ascii_whitespace().any(|known| known == rel);
    let is_typed =
        FEED_MEDIA_TYPES.iter().any(|known| kind.contains(known.trim_start_matches("application/")));
    let title = link.attr("title").unwrap_or_default();
    let rank = match link.value().name() {
        "link" if has_rel("alternate") && is_typed => 0,
        "link" if has_rel("feed") => 0,
        "link" if has_rel("alternate") && link.attr("hreflang").is_none() => {
            let has_look = has_feed_look(href) || has_feed_name(title);
            let is_lax = LAX_TYPES.contains(&kind.as_str());
            // A version for another screen is no feed, and what WordPress offers to programs is none either.
            let is_other = link.attr("media").is_some()
                || href.contains("/wp-json/")
                || kind.is_empty() && title.is_empty() && !has_feed_ending(href);
            match (is_lax, has_look) {
                (true, true) => 1,
                (true, false) if !is_other => LEAST_SURE,
                _ => return None,
            }
        }
        "a" if has_rel("feed") || is_typed => 2,
        "a" if href.starts_with("feed:") || has_feed_look(href) => 3,
        "a" if has_feed_name(&text_of(link)) || is_feed_icon(link) => 4,
        _ => return None,
    };
    // "feed://x.org/rss" is read as this page is, "feed:https://x.org/rss" as it says.
    Some((rank, href.strip_prefix("feed:").unwrap_or(href).to_owned()))
}

/// Whether a link without words says by its title or its picture that it leads to a feed.
fn is_feed_icon(link: ElementRef) -> bool {
    let is_named = |element: ElementRef| {
        let said = ["title", "aria-label", "alt"].iter().filter_map(|name| element.attr(name));
        let mut classes = element.value().classes();
        said.into_iter().any(has_feed_name)
            || classes
                .any(|class| matches!(class, "fa-rss" | "fa-square-rss" | "icon-rss" | "rss-icon" | "bi-rss"))
    };
    !text_of(link).chars().any(char::is_alphabetic)
        && (is_named(link) || link.descendants().skip(1).filter_map(ElementRef::wrap).any(is_named))
}

/// How well feeds fit the page that names several of them.
struct FeedFit {
    /// The words by which the page calls itself, folded.
    words: Vec<String>,
    is_news: bool,
    is_aside: bool,
}

impl FeedFit {
    fn of(page: &Page) -> FeedFit {
        let heads = selector("title, h1");
        let shown = page.html.select(&heads).take(3).map(text_of);
        let path = page.base.as_ref().map(|base| base.path().to_owned());
        let said = shown.chain(path).collect::<Vec<_>>().join(" ");
        FeedFit {
            is_news: words::names_news(&said.replace(['-', '_', '/'], " ")),
            is_aside: is_aside_feed(&said),
            words: words_of(&said),
        }
    }

    /// The more, the better: the words of the page that a feed has in its title or address, and whether it is called news where
    /// the page is. An agenda and offers of work are what other pages list.
    fn of_feed(&self, title: &str, href: &str) -> i32 {
        const NEWS: i32 = 2;
        const ASIDE: i32 = 100;
        let path = href
            .split_once("://")
            .map_or(href, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
        let said = format!("{title} {path}");
        let own = words_of(&said);
        let shared = own.iter().filter(|word| self.words.contains(word)).count();
        let is_news = self.is_news && words::names_news(&said.replace(['-', '_', '/'], " "));
        let is_aside = !self.is_aside && is_aside_feed(&said);
        i32::try_from(shared).unwrap_or(0) + if is_news { NEWS } else { 0 } - if is_aside { ASIDE } else { 0 }
    }
}

/// The words of a text or path, each once, without the shortest.
fn words_of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = fold(text)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() >= FIT_WORD_CHARS_MIN && !matches!(*word, "feed" | "flux"))
        .map(str::to_owned)
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Whether a text or an address names an agenda or offers of work.
fn is_aside_feed(text: &str) -> bool {
    let spaced = text.replace(['-', '_', '/'], " ");
    ["agenda", "jobs"].iter().any(|kind| words::has_one(kind, &spaced))
}

/// Whether the text of a link says that it leads to a feed: "RSS", "Nos flux RSS".
fn has_feed_name(text: &str) -> bool {
    let words: Vec<String> = text.split_whitespace().map(fold).collect();
    (1..=4).contains(&words.len()) && words.iter().any(|word| matches!(word.as_str(), "rss" | "atom"))
}

/// Whether an address looks like a feed's: by the last parts of its path, or by a query parameter.
fn has_feed_look(href: &str) -> bool {
    let lower = href.to_ascii_lowercase();
    let (path, query) = lower.split_once('?').unwrap_or((&lower, ""));
    let path = path.split('#').next().unwrap_or(path).trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or(path);
    matches!(
        last,
        "rss"
            | "feed"
            | "atom"
            | "rss.xml"
            | "feed.xml"
            | "atom.xml"
            | "index.xml"
            | "feed.json"
            | "rss2"
            | "backend.php"
            | "rss.php"
            | "feed.php"
    ) || [".rss", ".atom", ".rdf"].iter().any(|end| last.ends_with(end))
        || query.split('&').any(|pair| {
            matches!(
                pair,
                "feed=rss2"
                    | "feed=atom"
                    | "format=feed"
                    | "type=rss"
                    | "type=atom"
                    | "format=rss"
                    | "page=backend"
                    | "output=rss"
                    | "format=atom"
            )
        })
}

/// With fewer links, what a page has for readers without scripts is no list.
const LINKS_WITHOUT_SCRIPTS_MIN: usize = 3;

/// A page in which what it has for readers without scripts is a part like any other, where that is a list of links.
fn without_scripts(text: &str) -> Option<String> {
    let (mut out, mut rest, mut is_any) = (String::new(), text, false);
    while let Some((before, after)) = rest.split_once("<noscript") {
        let Some((inner, behind)) = after.split_once("</noscript>") else { break };
        out.push_str(before);
        if inner.matches("<a ").count() >= LINKS_WITHOUT_SCRIPTS_MIN {
            out.push_str("<div");
            out.push_str(inner);
            out.push_str("</div>");
            is_any = true;
        }
        rest = behind;
    }
    is_any.then(|| out + rest)
}

fn ensure_slash(address: &str) -> String {
    if address.ends_with('/') { address.to_owned() } else { format!("{address}/") }
}

/// Parses one of our own selectors, which are known to be valid.
pub(super) fn selector(css: &str) -> Selector {
    Selector::parse(css).expect("a selector of our own")
}

impl Page {
    /// Parses a decoded page as readers without scripts see it, if it has a list of its own for them.
    pub(super) fn parse_without_scripts(text: &str, url: Option<&Url>) -> Option<Page> {
        without_scripts(text).map(|text| Page::parse(&text, url))
    }

    /// Parses a decoded page found at `url`; respects `<base>`.
    pub fn parse(text: &str, url: Option<&Url>) -> Page {
        let html = Html::parse_document(&bound_markup(text));
        let base_href = html.select(&selector("base[href]")).next().and_then(|base| base.attr("href"));
        let base = match (url, base_href) {
            (Some(url), Some(href)) => url.join(href).ok().or_else(|| Some(url.clone())),
            (Some(url), None) => Some(url.clone()),
            (None, href) => href.and_then(|href| Url::parse(href).ok()),
        };
        let base = base.filter(|base| matches!(base.scheme(), "http" | "https"));
        Page { html, base, language: OnceCell::new() }
    }

    pub(super) fn html(&self) -> &Html {
        &self.html
    }

    pub(super) fn base(&self) -> Option<&Url> {
        self.base.as_ref()
    }

    /// The target of a meta refresh, if its delay and the page's own text are within these limits.
    pub(super) fn refresh(&self, seconds_max: f64, chars_max: usize) -> Option<Url> {
        let metas = selector("meta[http-equiv][content]");
        let meta = self
            .html
            .select(&metas)
            .find(|meta| meta.attr("http-equiv").is_some_and(|name| name.eq_ignore_ascii_case("refresh")))?;
        let (seconds, to) = meta.attr("content")?.split_once([';', ','])?;
        let to = to.trim();
        let to = to.get(..3).filter(|start| start.eq_ignore_ascii_case("url")).map_or(to, |_| &to[3..]);
        let to = to.trim_start().trim_start_matches('=').trim().trim_matches(['\'', '"']);
        let base = self.base.as_ref()?;
        let target = base.join(to).ok().filter(|to| matches!(to.scheme(), "http" | "https") && to != base)?;
        let is_short = self.first("body").is_none_or(|body| text_of(body).chars().count() <= chars_max);
        (seconds.trim().parse::<f64>().is_ok_and(|seconds| seconds <= seconds_max) && is_short)
            .then_some(target)
    }

    /// The rules with the order of numeric dates that this page's own dates show.
    pub(super) fn dated_by(&self, rules: DateRules) -> DateRules {
        let order = self.shown_order().unwrap_or_else(|| {
            let is_open = rules.order == DateOrder::default();
            let is_month_first =
                is_open && AmbiguousDates::of(self.texts()).is_month_first(self.language(), rules.now);
            if is_month_first { DateOrder::Mdy } else { rules.order }
        });
        DateRules { order, ..rules }
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.html.tree.values().filter_map(|node| node.as_text()).map(|text| &text[..])
    }

    pub(super) fn shown_order(&self) -> Option<DateOrder> {
        shown_order(self.texts())
    }

    fn first(&self, css: &str) -> Option<ElementRef<'_>> {
        self.html.select(&selector(css)).next()
    }

    fn meta(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| {
            let found = self.first(&format!(
                "meta[property=\"{name}\"], meta[name=\"{name}\"], meta[itemprop=\"{name}\"]"
            ));
            found.and_then(|meta| meta.attr("content")).map(one_line).filter(|content| !content.is_empty())
        })
    }

    /// `<html lang>`.
    pub fn language(&self) -> Option<&str> {
        let read = || {
            self.html
                .root_element()
                .attr("lang")
                .map(|lang| lang.trim().replace('_', "-"))
                .filter(|lang| !lang.is_empty())
        };
        self.language.get_or_init(read).as_deref()
    }

    /// The feeds that the page names, best first: those declared as feeds, then links that look like one, comment feeds last; of
    /// those that are named in one way, what fits the page before an agenda.
    fn feed_links(&self) -> Vec<String> {
        let fit = FeedFit::of(self);
        let links = selector("link[href][rel], a[href]");
        let mut found: Vec<(u8, i32, String)> = Vec::new();
        let mut known: HashSet<String> = HashSet::new();
        for link in self.html.select(&links) {
            let Some((rank, href)) = feed_link(link) else { continue };
            let title = link.attr("title").unwrap_or_default();
            let rank = if is_of_comments(title, &href) { rank + 10 } else { rank };
            let href = resolve_against(self.base.as_ref(), &href);
            if known.insert(href.clone()) {
                let said = if link.value().name() == "a" { text_of(link) } else { String::new() };
                found.push((rank, -fit.of_feed(&format!("{title} {said}"), &href), href));
            }
            if found.len() == NAMED_MAX {
                break;
            }
        }
        found.sort_by_key(|(rank, misfit, _)| (*rank, *misfit));
        found.into_iter().map(|(.., href)| href).collect()
    }

    /// Whether the page declares a feed below its own address: one of what it lists.
    pub(super) fn has_own_feed(&self) -> bool {
        let directory = self.base.as_ref().map(|base| format!("{}/", base.path().trim_end_matches('/')));
        let Some(directory) = directory.filter(|directory| directory.len() > 1) else { return false };
        let is_own = |link: ElementRef| {
            let (rank, href) = feed_link(link)?;
            let is_listed = rank <= 1 && !is_of_comments(link.attr("title").unwrap_or_default(), &href);
            let url = self.base.as_ref()?.join(&href).ok()?;
            (is_listed && url.path().starts_with(&directory)).then_some(())
        };
        self.html.select(&selector("link[href][rel]")).find_map(is_own).is_some()
    }

    /// The calendars that the page names: what it declares, then what looks like one.
    pub fn calendar_links(&self) -> Vec<String> {
        let links = selector("link[href][type], a[href]");
        let mut found: Vec<(u8, String)> = Vec::new();
        for link in self.html.select(&links) {
            if found.len() == NAMED_MAX {
                break;
            }
            let href = link.attr("href").unwrap_or_default().trim();
            let path = href.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
            let rank = match link.attr("type").unwrap_or_default() {
                kind if kind.to_ascii_lowercase().starts_with("text/calendar") => 0,
                _ if href.starts_with("webcal:") || path.ends_with(".ics") => 1,
                _ => continue,
            };
            let href = resolve_against(self.base.as_ref(), &href.replacen("webcal:", "https:", 1));
            if !found.iter().any(|(_, known)| *known == href) {
                found.push((rank, href));
            }
        }
        found.sort_by_key(|(rank, _)| *rank);
        found.into_iter().map(|(_, href)| href).collect()
    }

    /// The documents that the page names for machines: feeds, then the posts that WordPress lists for it.
    pub fn endpoints(&self) -> Vec<String> {
        let mut endpoints = self.feed_links();
        let api = self.first("link[rel=\"https://api.w.org/\"][href]").and_then(|link| link.attr("href"));
        if let Some(api) = api {
            let fields = "per_page=20&_fields=id,guid,link,title,excerpt,content,date_gmt,modified_gmt";
            // The archive page of a category or tag names itself in the API.
            let own = self
                .first("link[rel~=alternate][type=\"application/json\"][href*=\"/wp/v2/\"]")
                .and_then(|link| link.attr("href"));
            let filter = own.and_then(|own| {
                let (kind, id) = own.trim_end_matches('/').rsplit_once("/wp/v2/")?.1.split_once('/')?;
                (matches!(kind, "categories" | "tags") && id.bytes().all(|b| b.is_ascii_digit()))
                    .then(|| format!("&{kind}={id}"))
            });
            let joint = if api.contains('?') { '&' } else { '?' };
            endpoints.push(resolve_against(
                self.base.as_ref(),
                &format!("{}wp/v2/posts{joint}{fields}{}", ensure_slash(api), filter.unwrap_or_default()),
            ));
        }
        endpoints
    }

    /// A feed with the metadata of the page, without entries.
    pub(super) fn catalog(&self) -> RawFeed {
        let title = self.meta(&["og:site_name"]).or_else(|| self.first("title").map(|title| text_of(title)));
        let plain = |value: String| RawText { value, ..RawText::default() };
        let own = self.base.as_ref().map(|base| Link {
            href: base.to_string(),
            rel: "alternate".into(),
            media_type: None,
            hreflang: None,
        });
        RawFeed {
            format: FeedFormat::Page,
            title: title.filter(|title| !title.is_empty()).map(plain),
            description: self.meta(&["og:description", "description"]).map(plain),
            links: own.into_iter().collect(),
            language: self.language().map(str::to_owned),
            ..RawFeed::default()
        }
    }

    /// Reads the cards matched by `select`. Cards without a title or a link are skipped and reported as a problem.
    pub fn read_cards(&self, select: &Select, rules: DateRules) -> RawFeed {
        let mut feed = self.catalog();
        let Ok(item) = Selector::parse(&select.item) else {
            feed.problems.push(format!("\"{}\" is not a valid CSS selector", select.item));
            return feed;
        };
        let parts = CardSelectors::new(select);
        let mut incomplete = 0;
        let is_agenda = self.is_agenda(rules.now) && self.has_days_of_events(&item, &parts, rules);
        let is_same = |known: &RawEntry, entry: &RawEntry| {
            known.url() == entry.url() && (!entry.is_of_listing || known.title == entry.title)
        };
        for card in self.html.select(&item).take(CARDS_MAX) {
            match self.read_card(card, &parts, rules, is_agenda) {
                Some(entry) if !feed.entries.iter().any(|known| is_same(known, &entry)) => {
                    feed.entries.push(entry)
                }
                Some(_) => {}
                None => incomplete += 1,
            }
        }
        if incomplete > 0 {
            feed.problems.push(format!(
                "{} passed over, without a title or a link",
                many(incomplete, "card", "cards")
            ));
        }
        if feed.entries.is_empty() {
            feed.problems.push(format!(
                "the selector \"{}\" finds no entry: the page may have been redesigned",
                select.item
            ));
        }
        feed.links.extend(self.next_link(select));
        feed
    }

    /// The link to the page that continues this one.
    fn next_link(&self, select: &Select) -> Option<Link> {
        let next = css(&select.next).and_then(|next| self.html.select(&next).next())?;
        Some(Link {
            href: resolve_against(self.base.as_ref(), next.attr("href")?),
            rel: "next".into(),
            media_type: None,
            hreflang: None,
        })
    }

    /// As for a listing that is read without selectors: whether the days of a calendar are those of events.
    fn has_days_of_events(&self, item: &Selector, parts: &CardSelectors, rules: DateRules) -> bool {
        let Some(now) = rules.now else { return true };
        let is_to_come = |card: ElementRef| {
            card.select(&parts.date).any(|date| {
                let event = VisibleDates::of_field(date, card, rules, true).event();
                event.is_some_and(|event| !event.is_over(now)) || says_hours(date)
            })
        };
        self.html.select(item).take(CARDS_MAX).any(is_to_come)
    }

    fn read_card(
        &self,
        card: ElementRef,
        parts: &CardSelectors,
        rules: DateRules,
        is_agenda: bool,
    ) -> Option<RawEntry> {
        let title_element = card.select(&parts.title).find(|title| !text_of(*title).is_empty());
        let link = parts
            .link
            .as_ref()
            .and_then(|link| card.select(link).find_map(target_of))
            .or_else(|| default_link(card, title_element));
        let title = title_element.map(title_text).or_else(|| longest_link_text(card, link?))?;
        let is_agenda = is_agenda || is_among_events(card);
        let fields = card.select(&parts.date);
        let mut fields = fields.map(|date| (VisibleDates::of_field(date, card, rules, is_agenda), date));
        let (dates, field) = fields.find(|(dates, _)| dates.is_known()).unzip();
        let dates = dates.unwrap_or_default();
        let told = field
            .zip(dates.published())
            .map(|(date, at)| VisibleDates::of_field(date, card, rules.before_all(), true).told_of(at));
        let (date_as_event, is_told_from_today) = told.unwrap_or_default();
        let summary = parts
            .summary
            .as_ref()
            .and_then(|summary| card.select(summary).map(excerpt_text).find(|text| !text.is_empty()));
        // What leads nowhere is an entry if it has a date: its address is that of the page.
        let is_dated = dates.published().is_some() || dates.event().is_some();
        let href = match link {
            Some(link) => resolve_against(self.base.as_ref(), link),
            None => self.base.as_ref().filter(|_| is_dated).map(own_address)?,
        };
        let plain = |value: String| RawText { value, base: self.base.clone(), ..RawText::default() };
        let language = card.attr("lang").or_else(|| title_element.and_then(|title| title.attr("lang")));
        Some(RawEntry {
            links: vec![Link { href, rel: "alternate".into(), media_type: None, hreflang: None }],
            is_of_listing: link.is_none(),
            title: Some(plain(title)),
            summary: summary.map(plain),
            published: dates.published(),
            updated: dates.updated,
            event: dates.event(),
            date_as_event,
            is_told_from_today,
            notes: field
                .map(|element| format!("its date comes from {}", name_of(element)))
                .into_iter()
                .chain(link.is_none().then(|| OF_LISTING.to_owned()))
                .collect(),
            image: card
                .select(&parts.image)
                .find_map(|image| image_of(image, self.base.as_ref()))
                .or_else(|| hidden_image_of(card, self.base.as_ref())),
            language: language.or(self.language()).map(str::to_owned),
            ..RawEntry::default()
        })
    }
}

/// The address of a page, without the part that it was linked by.
pub(super) fn own_address(page: &Url) -> String {
    let mut own = page.clone();
    own.set_fragment(None);
    own.into()
}

struct CardSelectors {
    title: Selector,
    link: Option<Selector>,
    summary: Option<Selector>,
    date: Selector,
    image: Selector,
}

impl CardSelectors {
    fn new(select: &Select) -> CardSelectors {
        CardSelectors {
            title: css(&select.title).unwrap_or_else(|| selector("h1, h2, h3, h4, h5, h6")),
            link: css(&select.link),
            summary: css(&select.summary),
            date: css(&select.date).unwrap_or_else(|| selector("time")),
            image: css(&select.image).unwrap_or_else(|| selector("img")),
        }
    }
}

/// A selector written by an operator, if valid.
fn css(text: &Option<String>) -> Option<Selector> {
    text.as_deref().and_then(|text| Selector::parse(text).ok())
}

/// An element as a selector names it, with its text: `span.date` ("4 May").
pub(super) fn name_of(element: ElementRef) -> String {
    let classes: String = element.value().classes().take(3).map(|class| format!(".{class}")).collect();
    let text = shorten(&text_of(element), NAMED_CHARS_MAX);
    format!("`{}{classes}` (\"{text}\")", element.value().name())
}

/// Whether the text right in an element is that of an icon: what a drawing is called, and the name by which a font draws a sign.
pub(super) fn is_of_icon(element: ElementRef) -> bool {
    let is_drawing = |around: ElementRef| matches!(around.value().name(), "svg" | "g" | "symbol" | "defs");
    let is_font = |class: &str| {
        ["material-icons", "material-symbols"].iter().any(|font| class.starts_with(font))
            || class == "mat-icon"
    };
    match element.value().name() {
        "svg" | "mat-icon" => true,
        "title" | "desc" | "text" => element.parent().and_then(ElementRef::wrap).is_some_and(is_drawing),
        _ => element.value().classes().any(is_font),
    }
}

/// The text of an excerpt, without the sign that it is cut and the link to the rest: "[…] Read more".
pub(super) fn excerpt_text(element: ElementRef) -> String {
    let mut text = text_of(element);
    let links =
        element.descendants().filter_map(ElementRef::wrap).filter(|inner| inner.value().name() == "a");
    let call = links.map(text_of).filter(|text| !text.is_empty() && is_call(text)).last();
    if let Some(rest) = call.and_then(|call| text.strip_suffix(&call).map(str::len)) {
        text.truncate(text[..rest].trim_end().len());
    }
    for sign in ["[…]", "[...]"] {
        if let Some(rest) = text.strip_suffix(sign).map(str::len) {
            text.truncate(text[..rest].trim_end().len());
        }
    }
    text
}

/// The text of an element on one line; blocks and breaks separate words.
pub(super) fn text_of(element: ElementRef) -> String {
    text_within(element, usize::MAX).unwrap_or_default()
}

/// Whether the text of an element has more characters than these.
pub(super) fn is_longer(element: ElementRef, chars_max: usize) -> bool {
    text_within(element, chars_max).is_none()
}

/// The text of an element, unless it has more characters than these: of what is longer, no more than that is read, since each
/// element around a text has it again.
pub(super) fn text_within(element: ElementRef, chars_max: usize) -> Option<String> {
    let mut line = LineBuffer::default();
    let (mut chars, mut counted) = (0, 0);
    for node in element.descendants() {
        if let Some(words) = node.value().as_text() {
            if !node.parent().and_then(ElementRef::wrap).is_some_and(is_unread) {
                for piece in pieces(words) {
                    line.push(piece);
                    if line.text.len() > chars_max {
                        chars += line.text[counted..].chars().count();
                        counted = line.text.len();
                    }
                    if chars > chars_max {
                        return None;
                    }
                }
            }
        } else if let Some(element) = node.value().as_element()
            && matches!(
                element.name(),
                "p" | "br"
                    | "div"
                    | "li"
                    | "h1"
                    | "h2"
                    | "h3"
                    | "h4"
                    | "td"
                    | "tr"
                    | "section"
                    | "article"
                    | "img"
                    | "figure"
            )
        {
            line.push(" ");
        }
    }
    Some(line.text)
}

/// Number of bytes of a text that are read at a time.
const PIECE_BYTES: usize = 1024;

fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let piece = truncated(text, PIECE_BYTES);
        text = &text[piece.len()..];
        (!piece.is_empty()).then_some(piece)
    })
}

/// An attribute of an element. For a few that are looked for in many elements, comparing names costs less than making them known.
fn attribute<'a>(element: ElementRef<'a>, name: &str) -> Option<&'a str> {
    element.value().attrs().find(|(own, _)| *own == name).map(|(_, value)| value)
}

/// The text of an element with a space between all of its parts: "Oct", "20" and "2026" may stand side by side.
fn spaced_text_of(element: ElementRef) -> String {
    let words = element.descendants().filter_map(|node| {
        let is_read = !node.parent().and_then(ElementRef::wrap).is_some_and(is_unread);
        node.value().as_text().filter(|_| is_read).map(|words| &words[..])
    });
    one_line(&words.collect::<Vec<_>>().join(" "))
}

/// Whether nobody reads the text of an element: a script, or an icon.
fn is_unread(element: ElementRef) -> bool {
    matches!(element.value().name(), "script" | "style" | "noscript" | "template") || is_of_icon(element)
}

/// The link in or around the title, or else the card itself or the first link in it.
fn default_link<'a>(card: ElementRef<'a>, title: Option<ElementRef<'a>>) -> Option<&'a str> {
    let around = |title: ElementRef<'a>| {
        let ancestors = title.ancestors().take_while(|node| node.id() != card.id());
        ancestors.filter_map(ElementRef::wrap).find_map(own_target)
    };
    title.and_then(|title| target_of(title).or_else(|| around(title))).or_else(|| target_of(card))
}

fn longest_link_text(card: ElementRef, href: &str) -> Option<String> {
    let selector = selector("a[href]");
    let links = card.select(&selector).filter(|link| link.attr("href") == Some(href));
    links.map(text_of).filter(|text| !text.is_empty()).max_by_key(String::len)
}

/// The date of an element: in its attributes, or else in its text.
pub(super) fn date_of(element: ElementRef, rules: DateRules) -> Option<Timestamp> {
    let attribute = ["datetime", "content", "data-date"].iter().find_map(|name| element.attr(name));
    attribute
        .and_then(|value| parse_date(value).or_else(|| find_date(value, rules)))
        .or_else(|| find_date(&text_of(element), rules))
}

/// The picture of an `img`, also if lazily loaded; placeholders (`data:`) are ignored, and replaced by what stands in `noscript`
/// beside them.
pub(super) fn image_of(element: ElementRef, base: Option<&Url>) -> Option<Image> {
    let element =
        if element.value().name() == "img" { element } else { element.select(&selector("img")).next()? };
    let own = || element.attr("src").filter(|src| is_picture_address(src));
    let is_lazy = || element.attr("class").is_some_and(is_lazy_class);
    let real = real_address(|name| element.attr(name)).map(str::trim);
    let is_shown = real.is_some() && real == element.attr("src").map(str::trim);
    let url = real
        .filter(|_| !(is_shown && is_lazy() && picture_beside(element).is_some()))
        .or_else(|| of_picture(element).filter(|url| is_picture_address(url)))
        .map(str::to_owned)
        .or_else(|| picture_beside(element))
        .or_else(|| own().map(str::to_owned))?;
    let alt = element.attr("alt").map(one_line).filter(|alt| !alt.is_empty());
    Some(Image { url: resolve_against(base, &url), alt })
}

/// The address of the picture that a `noscript` element has for readers without scripts.
fn picture_without_scripts(noscript: ElementRef) -> Option<String> {
    // Its content is a text, as it is to a browser with scripts.
    let inner: String = noscript.text().collect();
    let tag = &inner[inner.find("<img")?..];
    let url = real_address(|name| attribute_of(tag, name))?;
    Some(url.replace("&amp;", "&"))
}

/// The picture in a `noscript` element beside one that is loaded later.
fn picture_beside(image: ElementRef) -> Option<String> {
    let around = image.ancestors().filter_map(ElementRef::wrap).take_while(|around| {
        matches!(around.value().name(), "picture" | "a" | "span" | "figure" | "div")
            && around.select(&selector("img")).nth(1).is_none()
    });
    let noscripts = std::iter::once(image)
        .chain(around.take(BESIDE_DEPTH_MAX))
        .flat_map(|element| element.next_siblings().filter_map(ElementRef::wrap).take(BESIDE_DEPTH_MAX));
    noscripts.filter(|beside| beside.value().name() == "noscript").find_map(picture_without_scripts)
}

/// The picture of a part of a page that has it for readers without scripts only.
pub(super) fn hidden_image_of(part: ElementRef, base: Option<&Url>) -> Option<Image> {
    let url = part.select(&selector("noscript")).find_map(picture_without_scripts)?;
    Some(Image { url: resolve_against(base, &url), alt: None })
}

/// The widest source of the `picture` around an image.
fn of_picture<'a>(image: ElementRef<'a>) -> Option<&'a str> {
    let picture =
        image.parent().and_then(ElementRef::wrap).filter(|around| around.value().name() == "picture")?;
    let sources =
        picture.children().filter_map(ElementRef::wrap).filter(|child| child.value().name() == "source");
    sources.filter_map(|source| source.attr("data-srcset").or_else(|| source.attr("srcset"))).find_map(widest)
}

/// The background picture of an element, in its style or in a data attribute.
pub(super) fn background_of(element: ElementRef, base: Option<&Url>) -> Option<Image> {
    let lazy = ["data-bg", "data-background", "data-background-image", "data-bgset"]
        .iter()
        .find_map(|name| element.attr(name))
        .map(|value| value.trim().trim_start_matches("url(").trim_end_matches(')'));
    let style = || {
        let (_, after) = element.attr("style")?.split_once("background")?;
        let (_, after) = after.split_once("url(")?;
        after.split(')').next()
    };
    let url = lazy.or_else(style)?.trim().trim_matches(['"', '\'']);
    let is_real = !url.is_empty() && !url.starts_with("data:") && !url.contains(char::is_whitespace);
    is_real.then(|| Image { url: resolve_against(base, url), alt: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: DateRules =
        DateRules { order: DateOrder::Dmy, now: None, year: None, is_order_known: false };

    fn page(text: &str) -> Page {
        Page::parse(text, Some(&Url::parse("https://example.org/news/").unwrap()))
    }

    fn select(item: &str) -> Select {
        Select { item: item.into(), ..Select::default() }
    }

    #[test]
    fn a_card_gives_title_link_date_and_lazy_image() {
        let text = "<html lang=fr><div class=c><img src='data:image/gif;base64,x' data-src='/a.jpg' alt=\"Une vue\"><p class=d>14/10/2022</p><h3><a href='../b'>Un\u{A0}titre</a></h3><p class=s>Extrait</p></div>";
        let select = Select { summary: Some(".s".into()), date: Some(".d".into()), ..select(".c") };
        let feed = page(text).read_cards(&select, RULES);
        let entry = &feed.entries[0];
        assert_eq!(entry.title.as_ref().unwrap().value, "Un\u{A0}titre");
        assert_eq!(entry.url(), Some("https://example.org/b"));
        assert_eq!(entry.published.unwrap().to_string(), "2022-10-14T00:00:00Z");
        assert_eq!(
            entry.image,
            Some(Image { url: "https://example.org/a.jpg".into(), alt: Some("Une vue".into()) })
        );
        assert_eq!(entry.summary.as_ref().unwrap().value, "Extrait");
        assert_eq!(entry.language.as_deref(), Some("fr"));
    }

    #[test]
    fn cards_without_a_link_are_told_and_not_invented() {
        let feed = page("<div class=c><h3>A</h3></div><div class=c><h3><a href=x>B</a></h3></div>")
            .read_cards(&select(".c"), RULES);
        assert_eq!(feed.entries.len(), 1);
        assert_eq!(feed.problems, ["1 card passed over, without a title or a link"]);
        let none = page("<p>nothing</p>").read_cards(&select(".c"), RULES);
        assert!(none.problems[0].contains("redesigned"));
    }

    #[test]
    fn the_widest_picture_of_a_set_is_taken() {
        let text = "<a class=c href=x><h2>T</h2><img srcset='a.jpg 300w, b.jpg 1200w, c.jpg 600w'></a>";
        let entry = &page(text).read_cards(&select(".c"), RULES).entries[0];
        assert_eq!(entry.image.as_ref().unwrap().url, "https://example.org/news/b.jpg");
        for (set, want) in [
            ("/a-w_300,h_200.jpg 300w,/b-w_900,h_600.jpg 900w", Some("/b-w_900,h_600.jpg")),
            ("/a.jpg, /b.jpg 2x", Some("/b.jpg")),
            ("/a.jpg", Some("/a.jpg")),
            (" , ", None),
        ] {
            assert_eq!(widest(set), want);
        }
        let text = "<a class=c href=x><h2>T</h2><picture><source srcset='/b.webp 900w'><img src='data:image/png;base64,x'></picture></a>";
        let entry = &page(text).read_cards(&select(".c"), RULES).entries[0];
        assert_eq!(entry.image.as_ref().unwrap().url, "https://example.org/b.webp");
    }

    #[test]
    fn of_several_feeds_that_which_fits_the_page_comes_first() {
        let first = |title: &str, names: &[&str]| {
            let link = |(n, name): (usize, &&str)| {
                format!("<link rel=alternate type=application/rss+xml title='{name}' href=/f{n}>")
            };
            let links: String = names.iter().enumerate().map(link).collect();
            let url = Url::parse("https://example.org/x").unwrap();
            let page = Page::parse(&format!("<title>{title}</title>{links}"), Some(&url));
            page.endpoints()[0].rsplit("/f").next().and_then(|n| n.parse::<usize>().ok())
        };
        for (title, names, want) in [
            ("Actualités", ["Agenda", "Emplois", "Actualités"], 2),
            ("Town", ["Town » Calendar", "Town » Jobs", "Town » Feed"], 2),
            ("Agenda | Ville", ["Ville » Agenda", "Ville » Emplois", "Ville » Autres"], 0),
            ("Culture | Stadt", ["Stadt Sport", "Stadt Kultur", "Stadt Culture"], 2),
            ("Town", ["Town » Feed", "Town » News", "Town » Works"], 0),
        ] {
            assert_eq!(first(title, &names), Some(want), "{title} {names:?}");
        }
    }

    #[test]
    fn a_feed_is_named_by_its_title_or_by_its_picture_too() {
        for link in [
            "<link rel=alternate type=text/xml title=RSS href=/x>",
            "<link rel=alternate title='Flux RSS' href=/x>",
            "<link rel=alternate type=application/xml href=/x>",
            "<link rel=alternate title='What is new' href=/x>",
            "<a href=/x><img src=/i.png alt=RSS></a>",
            "<a href=/x title='Flux RSS'><i class='fa fa-rss'></i></a>",
            "<a href=/x aria-label='RSS feed'><svg></svg></a>",
        ] {
            assert_eq!(page(link).endpoints(), ["https://example.org/x"], "{link}");
        }
        for link in [
            "<link rel=alternate hreflang=fr title=RSS href=/x>",
            "<link rel=alternate media='screen and (max-width: 640px)' title=Mobile href=/x>",
            "<link rel=alternate type=application/json href=/wp-json/wp/v2/pages/5>",
            "<link rel=alternate href=/x>",
            "<link rel=alternate type=text/html title=RSS href=/x>",
            "<a href=/x title=RSS>How to subscribe to all that we write</a>",
        ] {
            assert!(page(link).endpoints().is_empty(), "{link}");
        }
    }

    #[test]
    fn a_page_that_only_sends_on_is_told() {
        let to = |text: &str| page(text).refresh(10.0, 400).map(String::from);
        let meta = "<meta http-equiv=Refresh content=\"0; URL='/feed.xml'\">";
        assert_eq!(to(&format!("{meta}<p>Moved")).as_deref(), Some("https://example.org/feed.xml"));
        assert_eq!(to(&format!("{meta}<p>{}", "word ".repeat(200))), None);
        assert_eq!(to("<meta http-equiv=refresh content='300;url=/b'>"), None);
        assert_eq!(to("<meta http-equiv=refresh content='5'>"), None);
    }

    #[test]
    fn an_item_page_is_dated_by_the_best_that_it_has() {
        let json = "<script type='application/ld+json'>{\"@graph\":[{\"@type\":\"Article\",\"datePublished\":\"2022-10-14T08:00:00+00:00\"}]}</script><meta property='article:published_time' content='2021-01-01'>";
        let published = |text: &str| {
            page(text).read_item(RULES).published.map(|date| date.strftime("%Y-%m-%d").to_string())
        };
        assert_eq!(published(json).as_deref(), Some("2022-10-14"));
        assert_eq!(
            published("<meta property='article:published_time' content='2021-01-01T00:00:00Z'>").as_deref(),
            Some("2021-01-01")
        );
        assert_eq!(
            published("<article><h1>T</h1><time>5 de octubre de 2022</time></article>").as_deref(),
            Some("2022-10-05")
        );
        assert_eq!(
            published("<main><h1>T</h1><p>Publié le 14 octobre 2022</p></main>").as_deref(),
            Some("2022-10-14")
        );
        assert_eq!(published("<main><h1>T</h1><p>Sans date</p></main>"), None);
        for around in [
            "<aside><time datetime=2022-10-01>1 October 2022</time></aside>",
            "<section id=comments><p class=comment><time datetime=2022-10-02>2 October 2022</time></p></section>",
            "<div class=meteo>mercredi 5 octobre 2022 : 12 °C</div>",
            "<footer>Dernière mise à jour du site : 05/10/2022</footer>",
            "<p>Depuis le 5 octobre 2022, le tri est obligatoire.</p>",
            "<p>Modifié le 5 octobre 2022</p>",
        ] {
            assert_eq!(
                published(&format!("<main><h1>T</h1><div><p>Text</p></div>{around}</main>")),
                None,
                "{around}"
            );
            let own = format!("<main><h1>T</h1>{around}<p>Publié le 14 octobre 2022</p></main>");
            assert_eq!(published(&own).as_deref(), Some("2022-10-14"), "{around}");
        }
    }

    #[test]
    fn an_item_page_has_the_date_of_its_article_and_of_nothing_else() {
        let published = |head: &str, body: &str| {
            let text = format!(
                "<title>The bridge is open</title>{head}<main><article><h1>The bridge is open</h1><p>Text</p></article>{body}</main>"
            );
            page(&text).read_item(RULES).published.map(|date| date.strftime("%Y-%m-%d").to_string())
        };
        let data = |json: &str| published(&format!("<script type='application/ld+json'>{json}</script>"), "");
        let own = r#"{"@type":"NewsArticle","headline":"The bridge is open","datePublished":"2022-10-14"}"#;
        for other in ["WebSite", "WebPage", "ImageObject", "VideoObject", "Comment", "Person", "SocialEvent"]
        {
            let json = format!(r#"[{{"@type":"{other}","datePublished":"2015-01-01"}},{own}]"#);
            assert_eq!(data(&json).as_deref(), Some("2022-10-14"), "{other}");
            let alone = data(&format!(r#"{{"@type":"{other}","datePublished":"2015-01-01"}}"#));
            assert_eq!(alone.is_some(), other == "WebPage", "{other}");
        }
        let at = |url: &str| {
            data(&format!(
                r#"{{"@type":"Article","headline":"X","url":"{url}","datePublished":"2022-10-14"}}"#
            ))
        };
        for url in ["https://example.org/news", "http://www.example.org/news/#a", "https://example.org/"] {
            assert_eq!(at(url).as_deref(), Some("2022-10-14"), "{url}");
        }
        assert_eq!((at("https://example.org/other"), at("https://town.example/other")), (None, None));
        assert_eq!(data(r#"{"@type":"Article","datePublished":"2022"}"#), None);
        let meta = |name: &str, day: &str| published(&format!("<meta name={name} content='{day}'>"), "");
        for (name, day) in [
            ("DC.date", "2022-10-14"),
            ("citation_publication_date", "2022/10/14"),
            ("sailthru.date", "2022-10-14T08:00:00Z"),
        ] {
            assert_eq!(meta(name, day).as_deref(), Some("2022-10-14"), "{name}");
        }
        for day in ["1970-01-01T00:00:00Z", "2022", "2022-10"] {
            assert_eq!(meta("article:published_time", day), None, "{day}");
        }
        let comment =
            |inner: &str| format!("<div itemscope itemtype='https://schema.org/Comment'>{inner}</div>");
        assert_eq!(published("", &comment("<meta itemprop=datePublished content=2022-10-01>")), None);
        assert_eq!(
            published("", "<meta itemprop=datePublished content=2022-10-14>").as_deref(),
            Some("2022-10-14")
        );
    }

    #[test]
    fn an_item_page_is_dated_by_its_address_if_it_says_nothing() {
        let published = |address: &str, body: &str| {
            let rules = DateRules { now: "2022-10-20T12:00:00Z".parse().ok(), ..DateRules::default() };
            let page =
                Page::parse(&format!("<main><h1>T</h1>{body}</main>"), Some(&Url::parse(address).unwrap()));
            page.read_item(rules).published.map(|date| date.strftime("%Y-%m-%d").to_string())
        };
        let dated = "https://example.org/2022/10/14/t";
        assert_eq!(published(dated, "").as_deref(), Some("2022-10-14"));
        assert_eq!(published(dated, "<time datetime=2022-10-12></time>").as_deref(), Some("2022-10-12"));
        assert_eq!(published("https://example.org/2022/12/14/t", ""), None);
        assert_eq!(published("https://example.org/agenda/2022/10/14/t", ""), None);
        let event = Page::parse(
            "<main><h1>Calendar of the port</h1><p class=date>14/10/2022</p></main>",
            Some(&Url::parse("https://example.org/agenda/t").unwrap()),
        );
        let item = event.read_item(RULES);
        assert_eq!((item.published, item.event.unwrap().begin.to_string()), (None, "2022-10-14".into()));
        let made_now = "<meta name=date content=2022-10-20T12:00:00Z><p>Published on 4 October 2022</p>";
        assert_eq!(published(dated, made_now).as_deref(), Some("2022-10-04"));
    }

    #[test]
    fn an_item_page_names_its_translations() {
        let item = page(
            "<html lang=fr><link rel=alternate hreflang=en href='/en/a'><link rel=alternate hreflang=x-default href='/'><link rel=canonical href='/fr/a'>",
        )
        .read_item(RULES);
        assert_eq!(item.alternates, [("en".to_owned(), "https://example.org/en/a".to_owned())]);
        assert_eq!(item.canonical.as_deref(), Some("https://example.org/fr/a"));
    }

    #[test]
    fn feeds_that_a_page_names_are_found_comments_last() {
        let links = page("<link rel=alternate type='application/rss+xml' title='Comments' href='/comments/feed/'><link rel=alternate type='application/atom+xml' href='/feed'>").feed_links();
        assert_eq!(links, ["https://example.org/feed", "https://example.org/comments/feed/"]);
        let untyped =
            page("<link rel=alternate href='/real.xml'><link rel=alternate href='/mobile'>").feed_links();
        assert_eq!(untyped, ["https://example.org/real.xml"]);
        let lax = page("<a href='feed://example.org/c.rss'>RSS</a><a href='/about'>A</a><link rel=alternate type='application/rss+xml' title='Comentarios' href='/es/1/rss'><link rel=feed href='/f'><link rel=alternate type='text/xml' href='/rss.xml'><link rel=alternate hreflang=fr href='/fr/'>").feed_links();
        assert_eq!(
            lax,
            [
                "https://example.org/f",
                "https://example.org/rss.xml",
                "https://example.org/c.rss",
                "https://example.org/es/1/rss"
            ]
        );
    }
}
