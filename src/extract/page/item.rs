//! Reads an entry's own page.

use jiff::Timestamp;
use scraper::ElementRef;

use super::dates::ShownDates;
use super::{Page, selector, text_of};
use crate::extract::date::parse_date;
use crate::extract::prose_date::{DateRules, find_date};
use crate::extract::xml::resolve_against;
use crate::model::event::Event;
use crate::model::feed::{Image, Person};

/// Metadata names for the dates of publication and change.
const PUBLISHED_NAMES: &[&str] = &[
    "article:published_time",
    "datePublished",
    "og:article:published_time",
    "DC.date.issued",
    "date",
    "pubdate",
];

const UPDATED_NAMES: &[&str] = &["article:modified_time", "dateModified", "og:updated_time"];

/// What an entry's own page says about it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ItemPage {
    /// For a card without a title.
    pub title: Option<String>,
    /// What it says of itself to search engines.
    pub description: Option<String>,
    pub published: Option<Timestamp>,
    pub updated: Option<Timestamp>,
    /// When what it tells of takes place, if it stands beside the title.
    pub event: Option<Event>,
    pub canonical: Option<String>,
    /// Pairs of language and address.
    pub alternates: Vec<(String, String)>,
    pub language: Option<String>,
    pub author: Option<Person>,
    pub image: Option<Image>,
}

impl Page {
    /// Reads an entry's own page: JSON-LD, `article:published_time`, `<time>` and visible text, in that order.
    pub fn read_item(&self, rules: DateRules) -> ItemPage {
        let linked = self.json_ld();
        let from_json =
            |key: &str| linked.iter().find_map(|object| object.get(key).and_then(|value| value.as_str()));
        let (shown, shown_update, event) = self.shown_dates(rules);
        let published = from_json("datePublished")
            .and_then(parse_date)
            .or_else(|| {
                let date = self.meta(PUBLISHED_NAMES)?;
                parse_date(&date).or_else(|| find_date(&date, rules))
            })
            .or(shown);
        let updated = from_json("dateModified")
            .and_then(parse_date)
            .or_else(|| self.meta(UPDATED_NAMES).and_then(|date| parse_date(&date)))
            .or(shown_update);
        let author = self.meta(&["author", "article:author"]).filter(|author| !author.starts_with("http"));
        let title = self
            .meta(&["og:title", "twitter:title"])
            .or_else(|| self.first("article h1, main h1, h1").map(text_of))
            .filter(|title| !title.is_empty());
        ItemPage {
            title,
            description: self.meta(&["og:description", "description"]),
            published,
            updated,
            event,
            canonical: self
                .first("link[rel~=canonical][href]")
                .and_then(|link| link.attr("href"))
                .map(|href| resolve_against(self.base.as_ref(), href)),
            alternates: self.alternates(),
            language: self.language().map(str::to_owned),
            author: author.and_then(|author| Person::parse(&author)),
            image: self.meta(&["og:image"]).map(|url| Image {
                url: resolve_against(self.base.as_ref(), &url),
                alt: self.meta(&["og:image:alt"]),
            }),
        }
    }

    /// The same page in other languages.
    fn alternates(&self) -> Vec<(String, String)> {
        let hreflang = selector("link[rel~=alternate][hreflang][href]");
        self.html
            .select(&hreflang)
            .filter_map(|link| {
                let address = resolve_against(self.base.as_ref(), link.attr("href")?);
                Some((link.attr("hreflang")?.to_owned(), address))
            })
            .filter(|(language, _)| language != "x-default")
            .take(32)
            .collect()
    }

    /// The text of the page's main element, or else of the whole page.
    pub(in crate::extract) fn main_text(&self) -> String {
        let main = ["article", "main, [role=main]", "body"].iter().find_map(|css| self.first(css));
        main.map(text_of).unwrap_or_default()
    }

    /// The objects in all JSON-LD blocks, including those in graphs.
    pub(in crate::extract) fn json_ld(&self) -> Vec<serde_json::Value> {
        let mut found = Vec::new();
        for script in self.html.select(&selector("script[type=\"application/ld+json\"]")).take(20) {
            let text: String = script.text().collect();
            let Ok(value) = serde_json::from_str::<serde_json::Value>(text.trim()) else { continue };
            let graph = value.get("@graph").cloned();
            for value in [Some(value), graph].into_iter().flatten() {
                match value {
                    serde_json::Value::Array(items) => found.extend(items),
                    other => found.push(other),
                }
            }
        }
        found
    }

    /// When the page shows that it was published and changed, and when its event takes place: in a place for dates of the article
    /// itself, or else beside its title.
    fn shown_dates(&self, rules: DateRules) -> (Option<Timestamp>, Option<Timestamp>, Option<Event>) {
        let heading = self.first("article h1, main h1, h1");
        let is_whole = |element: &ElementRef| {
            matches!(element.value().name(), "article" | "main" | "body")
                || element.attr("role") == Some("main")
        };
        let around =
            heading.and_then(|heading| heading.ancestors().filter_map(ElementRef::wrap).find(is_whole));
        let Some(article) = around
            .or_else(|| ["article", "main, [role=main]", "body"].iter().find_map(|css| self.first(css)))
        else {
            return (None, None, None);
        };
        let articles = article.select(&selector("article")).count();
        let is_card = |element: &ElementRef| {
            let holds_heading =
                heading.is_some_and(|h1| h1.ancestors().any(|above| above.id() == element.id()));
            articles > 1 && element.value().name() == "article" && !holds_heading
        };
        let is_own = |element: &ElementRef| {
            let above = element.ancestors().filter_map(ElementRef::wrap);
            let mut line =
                std::iter::once(*element).chain(above).take_while(|above| above.id() != article.id());
            !line.any(|above| is_set_aside(above) || is_card(&above))
        };
        let elements = article.descendants().filter_map(ElementRef::wrap).filter(is_own);
        let dates = ShownDates::of_article(article, elements, rules);
        let beside =
            heading.into_iter().flat_map(|heading| heading.next_siblings().filter_map(ElementRef::wrap));
        let beside = beside.flat_map(|sibling| sibling.descendants().filter_map(ElementRef::wrap));
        let near = ShownDates::of_article(article, beside.filter(is_own).take(BESIDE_TITLE_MAX), rules);
        (dates.named().or(near.published()), dates.updated, near.event())
    }
}

/// How many elements behind the title may hold the date of an article that has no place for it.
const BESIDE_TITLE_MAX: usize = 12;

/// Whether an element is not part of an article: what surrounds it, links to other articles, comments.
fn is_set_aside(element: ElementRef) -> bool {
    const ASIDE: [&str; 28] = [
        "related",
        "comment",
        "comments",
        "commentlist",
        "respond",
        "sidebar",
        "widget",
        "widgets",
        "footer",
        "breadcrumb",
        "breadcrumbs",
        "menu",
        "navigation",
        "pagination",
        "meteo",
        "weather",
        "wetter",
        "tiempo",
        "clima",
        "recommended",
        "recommendations",
        "popular",
        "recent",
        "latest",
        "similar",
        "newsletter",
        "cookie",
        "topbar",
    ];
    let is_aside = |name: &str| {
        let lower = name.to_ascii_lowercase();
        lower.split(['-', '_']).any(|part| ASIDE.contains(&part))
    };
    let value = element.value();
    let holds = |css: &str| element.select(&selector(css)).next().is_some();
    match value.name() {
        "aside" | "footer" | "nav" | "form" => true,
        "header" => {
            !holds("h1")
                && !element
                    .ancestors()
                    .filter_map(ElementRef::wrap)
                    .any(|above| matches!(above.value().name(), "article" | "main"))
        }
        "body" | "main" | "article" | "html" => false,
        _ => (value.classes().any(is_aside) || value.id().is_some_and(is_aside)) && !holds("h1"),
    }
}
