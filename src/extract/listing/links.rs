//! The links of a page that may lead to entries, and how each stands.

use std::collections::HashSet;

use scraper::ElementRef;
use url::Url;

use crate::extract::page::{Page, selector, text_of};
use crate::support::text::fold;

/// Links looked at on one page.
const ANCHORS_MAX: usize = 5_000;
/// Ancestors looked at for names that tell a menu from news.
const ANCESTORS_MAX: usize = 40;

/// A link that may lead to an entry.
pub struct Anchor<'a> {
    pub element: ElementRef<'a>,
    /// The address without fragment and final slash: what the same page is told by.
    pub key: String,
    /// The address as it is to be followed.
    pub href: String,
    pub text: String,
    /// How it stands; alike for links that belong together.
    pub signature: String,
    /// In a menu, a footer, a side column or a form.
    pub is_set_aside: bool,
    pub is_same_site: bool,
}

/// Links that belong together: one entry for each distinct address, in the order of the page.
#[derive(Default)]
pub struct LinkGroup<'a> {
    pub anchors: Vec<Anchor<'a>>,
}

impl<'a> LinkGroup<'a> {
    /// All of it stands in menus, notices and the like.
    pub fn is_set_aside(&self) -> bool {
        self.anchors.iter().all(|anchor| anchor.is_set_aside)
    }

    /// The distinct addresses, in the order of the page.
    pub fn keys(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        self.anchors.iter().map(|anchor| anchor.key.as_str()).filter(|key| seen.insert(*key)).collect()
    }
}

/// What a link that goes on reading says, folded.
const CALLS: [&str; 42] = [
    "lire la suite",
    "lire plus",
    "lire l'article",
    "lire",
    "en savoir plus",
    "voir plus",
    "suite",
    "la suite",
    "plus",
    "decouvrir",
    "continuer la lecture",
    "voir",
    "read more",
    "read",
    "more",
    "learn more",
    "continue reading",
    "read the full story",
    "read full story",
    "read the article",
    "read article",
    "view",
    "view more",
    "see more",
    "details",
    "go",
    "full story",
    "read post",
    "view post",
    "find out more",
    "leer mas",
    "leer",
    "mas",
    "ver mas",
    "saber mas",
    "seguir leyendo",
    "continuar leyendo",
    "mas informacion",
    "conoce mas",
    "weiterlesen",
    "mehr",
    "mehr erfahren",
];

/// Whether a text only calls to read on, and so is never a title.
pub fn is_call(text: &str) -> bool {
    let folded = fold(text).replace('’', "'");
    let plain = folded.trim_matches(|c: char| !c.is_alphanumeric());
    plain.is_empty()
        || CALLS.contains(&plain)
        || plain.chars().all(|c| c.is_numeric() || c.is_whitespace() || c == '/' || c == '-')
        || ["continue reading", "read more", "lire la suite", "leer mas", "seguir leyendo", "ver mas"]
            .iter()
            .any(|call| plain.starts_with(call) && plain.len() < call.len() + 4)
}

/// A class name that a template means, not one that a build or a counter made.
pub fn is_stable_class(class: &str) -> bool {
    let lower = class.to_ascii_lowercase();
    let digits = class.bytes().filter(u8::is_ascii_digit).count();
    let has_hash = class.split(['-', '_']).any(|part| {
        let mixed = part.len() >= 5
            && part.bytes().any(|b| b.is_ascii_digit())
            && part.bytes().any(|b| b.is_ascii_alphabetic());
        let camel = part.len() >= 5
            && part.len() <= 10
            && part.bytes().skip(1).filter(u8::is_ascii_uppercase).count() >= 2;
        mixed || camel
    });
    let is_position =
        matches!(lower.as_str(), "first" | "last" | "odd" | "even" | "active" | "current" | "sticky" | "alt");
    let is_counted =
        ["post-", "item-", "node-", "entry-", "views-row-", "category-", "tag-", "delay-", "order-"]
            .iter()
            .any(|prefix| {
                lower.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
            });
    !class.is_empty()
        && digits <= 3
        && !has_hash
        && !is_position
        && !is_counted
        && class.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}
/// The links of a page, without those that never lead to an entry.
pub fn anchors(page: &Page) -> Vec<Anchor<'_>> {
    let own = page.base();
    let own_key = own.map(key_of).unwrap_or_default();
    let selector = selector("a[href]");
    let mut found = Vec::new();
    for element in page.html().select(&selector).take(ANCHORS_MAX) {
        let Some(href) =
            element.attr("href").map(str::trim).filter(|href| !href.is_empty() && !href.starts_with('#'))
        else {
            continue;
        };
        let resolved = match own {
            Some(own) => own.join(href),
            None => Url::parse(href),
        };
        let Ok(url) = resolved else { continue };
        if !matches!(url.scheme(), "http" | "https") {
            continue;
        }
        let key = key_of(&url);
        if key == own_key || is_no_entry(&url, own) {
            continue;
        }
        let is_same_site = own.is_none_or(|own| site_of(own) == site_of(&url));
        found.push(Anchor {
            element,
            key,
            text: text_of(element),
            href: url.to_string(),
            signature: signature(element),
            is_set_aside: is_set_aside(element),
            is_same_site,
        });
    }
    found
}

fn key_of(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    let text = url.to_string();
    text.split_once("://")
        .map_or(text.as_str(), |(_, rest)| rest)
        .trim_start_matches("www.")
        .trim_end_matches('/')
        .to_owned()
}

/// Host without `www.`, or what two hosts of one owner share: the last two labels.
fn site_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    labels[labels.len().saturating_sub(2)..].join(".")
}

/// Languages whose front pages stand at a path of their own.
const LANGUAGE_SEGMENTS: &[&str] = &[
    "fr", "en", "es", "de", "pt", "it", "nl", "ca", "ar", "ru", "zh", "ja", "ko", "fr-fr", "en-us", "en-gb",
    "es-es", "pt-br",
];

/// Parts of a path that lead to tags, authors, forms or other pages that are not entries.
const TAXONOMIES: [&str; 26] = [
    "tag",
    "tags",
    "category",
    "categories",
    "categorie",
    "categorias",
    "categoria",
    "author",
    "authors",
    "auteur",
    "autor",
    "label",
    "labels",
    "taxonomy",
    "login",
    "wp-login.php",
    "signup",
    "register",
    "search",
    "cart",
    "feed",
    "rss",
    "privacy",
    "contact",
    "wp-admin",
    "archives",
];

/// Query parameters that page or sort a listing.
const PAGING_QUERIES: [&str; 8] =
    ["page", "paged", "start", "offset", "sort", "order", "replytocom", "share"];

/// File extensions of what is not a page.
const FILE_ENDS: [&str; 14] = [
    ".jpg", ".jpeg", ".png", ".gif", ".svg", ".webp", ".xml", ".rss", ".zip", ".mp3", ".mp4", ".ics", ".css",
    ".js",
];

/// Addresses that share a page on a social network.
const SHARE_ADDRESSES: [&str; 6] = [
    "facebook.com/sharer",
    "twitter.com/intent",
    "linkedin.com/share",
    "wa.me/",
    "t.me/share",
    "x.com/intent",
];

/// Front pages, further pages, tags, authors, logins, files: what listings link beside their entries.
fn is_no_entry(url: &Url, own: Option<&Url>) -> bool {
    let path = url.path().trim_end_matches('/').to_ascii_lowercase();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let is_front =
        segments.iter().all(|segment| LANGUAGE_SEGMENTS.contains(segment)) && url.query().is_none();
    let is_taxonomy = segments.iter().rev().take(2).any(|segment| TAXONOMIES.contains(segment));
    let is_file = segments.last().is_some_and(|last| FILE_ENDS.iter().any(|end| last.ends_with(end)));
    let is_sharing = || SHARE_ADDRESSES.iter().any(|share| url.as_str().contains(share));
    // A month or a year of an archive.
    let is_archive = !segments.is_empty() && segments.iter().all(|segment| is_number(segment));
    is_front
        || own.is_some_and(|own| is_above(url, &path, own))
        || is_taxonomy
        || is_further_page(url, &segments, own)
        || is_file
        || is_archive
        || is_sharing()
}

/// Whether the page `own` lies below `url`: a way up.
fn is_above(url: &Url, path: &str, own: &Url) -> bool {
    site_of(own) == site_of(url)
        && own.path().to_ascii_lowercase().trim_end_matches('/').starts_with(&format!("{path}/"))
}

/// Whether it is another page of a listing, by its path or by its query.
fn is_further_page(url: &Url, segments: &[&str], own: Option<&Url>) -> bool {
    if let [.., before, last] = segments
        && matches!(*before, "page" | "pagina" | "p" | "seite")
        && is_number(last)
    {
        return true;
    }
    own.is_some_and(|own| own.path() == url.path())
        && url.query_pairs().any(|(name, value)| PAGING_QUERIES.contains(&name.as_ref()) && value.len() < 12)
}

fn is_number(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit())
}

/// How a link stands: the names of its ancestors with their stable classes nearby.
fn signature(element: ElementRef) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (distance, ancestor) in std::iter::once(element)
        .chain(element.ancestors().filter_map(ElementRef::wrap))
        .take(ANCESTORS_MAX)
        .enumerate()
    {
        let mut part = ancestor.value().name().to_owned();
        if distance < 2 {
            let mut classes: Vec<&str> =
                ancestor.value().classes().filter(|class| is_stable_class(class)).collect();
            classes.sort_unstable();
            part.push('.');
            part.push_str(&classes.join("."));
        }
        parts.push(part);
    }
    parts.join("<")
}

/// In a menu, a footer, a side column, a form, by element, role or name.
fn is_set_aside(element: ElementRef) -> bool {
    let mut is_in_article = false;
    for ancestor in element.ancestors().filter_map(ElementRef::wrap).take(ANCESTORS_MAX) {
        let name = ancestor.value().name();
        match name {
            "dialog" | "menu" => return true,
            "nav" | "footer" | "aside" | "form" if !(is_in_article && name == "footer") => return true,
            "header"
                if !is_in_article
                    && ancestor.parent().and_then(ElementRef::wrap).is_some_and(|parent| {
                        matches!(parent.value().name(), "body" | "div")
                            && parent.attr("id").is_none_or(|id| id != "main")
                    })
                    && !has_news_name(ancestor) =>
            {
                return ancestor.select(&selector("nav, ul")).next().is_some();
            }
            "article" | "main" => is_in_article = true,
            _ => {}
        }
        if ancestor.attr("role").is_some_and(|role| ASIDE_ROLES.contains(&role))
            || ancestor.attr("aria-modal") == Some("true")
        {
            return true;
        }
        let names = names_of(ancestor);
        if !matches!(name, "body" | "html" | "main" | "article")
            && ASIDE_NAMES.iter().any(|aside| {
                names.iter().any(|name| {
                    name == aside
                        || name.starts_with(&format!("{aside}-"))
                        || name.ends_with(&format!("-{aside}"))
                })
            })
        {
            return true;
        }
    }
    false
}

const ASIDE_ROLES: [&str; 10] = [
    "navigation",
    "contentinfo",
    "search",
    "complementary",
    "dialog",
    "alertdialog",
    "menu",
    "menubar",
    "toolbar",
    "tablist",
];

const ASIDE_NAMES: [&str; 52] = [
    "consent",
    "gdpr",
    "rgpd",
    "onetrust",
    "tarteaucitron",
    "cky",
    "cookiebar",
    "cookieconsent",
    "cookie-notice",
    "modal",
    "popup",
    "dialog",
    "overlay",
    "megamenu",
    "submenu",
    "mainmenu",
    "ariane",
    "migas",
    "skiplink",
    "skip-links",
    "backtotop",
    "back-to-top",
    "nav",
    "navbar",
    "navigation",
    "menu",
    "topbar",
    "breadcrumb",
    "breadcrumbs",
    "pagination",
    "pager",
    "paginator",
    "footer",
    "sidebar",
    "widget",
    "widgets",
    "social",
    "share",
    "sharing",
    "lang",
    "language",
    "languages",
    "cookie",
    "cookies",
    "related",
    "comments",
    "tagcloud",
    "tags",
    "skip",
    "toc",
    "dropdown",
    "offcanvas",
];

fn names_of(element: ElementRef) -> Vec<String> {
    let names = element.value().classes().chain(element.attr("id"));
    names.map(|name| name.to_ascii_lowercase().replace(['_', ':'], "-")).collect()
}

fn has_news_name(element: ElementRef) -> bool {
    names_of(element)
        .iter()
        .any(|name| ["post", "entry", "article", "card", "item"].iter().any(|news| name.contains(news)))
}
