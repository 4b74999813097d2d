//! Reads an entry's own page.

use jiff::Timestamp;
use scraper::ElementRef;

use super::{Page, date_of, selector, text_of};
use crate::extract::date::parse_date;
use crate::extract::prose_date::{DateRules, find_date};
use crate::extract::xml::resolve_against;
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
        let published = from_json("datePublished")
            .and_then(parse_date)
            .or_else(|| {
                let date = self.meta(PUBLISHED_NAMES)?;
                parse_date(&date).or_else(|| find_date(&date, rules))
            })
            .or_else(|| self.visible_date(rules));
        let updated = from_json("dateModified")
            .and_then(parse_date)
            .or_else(|| self.meta(UPDATED_NAMES).and_then(|date| parse_date(&date)));
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

    fn visible_date(&self, rules: DateRules) -> Option<Timestamp> {
        let places = [
            "article time, main time, time[itemprop], time.published, time.entry-date",
            "time",
            "[class*=date], [class*=Date], .meta, .entry-meta, .submitted, .byline, [class*=posted]",
        ];
        let in_places = places.iter().find_map(|css| {
            self.html.select(&selector(css)).take(10).find_map(|element| date_of(element, rules))
        });
        // No year is guessed here: a day without one in running text is seldom the day of publication.
        let strict = DateRules::strict(rules.order);
        in_places.or_else(|| {
            let heading = self.first("article h1, main h1, h1")?;
            let after = heading
                .next_siblings()
                .filter_map(ElementRef::wrap)
                .take(3)
                .find_map(|sibling| find_date(&text_of(sibling), strict));
            after.or_else(|| {
                heading
                    .parent()
                    .and_then(ElementRef::wrap)
                    .and_then(|parent| find_date(&text_of(parent), strict))
            })
        })
    }
}
