//! Reads an entry's own page.

use std::cell::RefCell;
use std::collections::HashMap;

use ego_tree::NodeId;
use jiff::Timestamp;
use scraper::ElementRef;
use serde_json::Value;
use url::Url;

use super::dates::{AHEAD, VisibleDates, is_moment_of};
use super::{Page, selector, text_of};
use crate::extract::date::parse_day;
use crate::extract::dated_address::day_in_address;
use crate::extract::prose_date::{DateContext, DateRules, StatedDates, midnight};
use crate::extract::xml::resolve_against;
use crate::model::event::Event;
use crate::model::feed::{Image, Person};
use crate::support::text::fold;

/// Names in `<meta>` for the dates of publication and change, in lower case, the best first.
const PUBLISHED_NAMES: [&str; 20] = [
    "article:published_time",
    "datepublished",
    "og:article:published_time",
    "article:published",
    "citation_publication_date",
    "citation_online_date",
    "citation_date",
    "dc.date.issued",
    "dcterms.issued",
    "dc.date.created",
    "dcterms.created",
    "dc.date",
    "dcterms.date",
    "sailthru.date",
    "parsely-pub-date",
    "publication_date",
    "publish-date",
    "publish_date",
    "pubdate",
    "date",
];

const UPDATED_NAMES: [&str; 6] = [
    "article:modified_time",
    "datemodified",
    "og:updated_time",
    "dcterms.modified",
    "dc.date.modified",
    "dc.date.updated",
];

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
        let own = self.own_objects(&linked);
        let from_json =
            |key: &str| own.iter().find_map(|object| object.get(key)?.as_str().and_then(parse_day));
        let (shown, shown_update, event) = self.shown_dates(rules);
        // A page may be dated with the moment at which it is made.
        let is_own = |at: &Timestamp| shown.is_none() || rules.now.is_none_or(|now| !is_moment_of(*at, now));
        let in_address = || {
            let day = day_in_address(self.base()?.as_str())?;
            let is_past = rules.now.is_none_or(|now| day <= now + AHEAD);
            (is_past && event.is_none() && !self.is_under_agenda(rules.now)).then_some(day)
        };
        let published = from_json("datePublished")
            .or_else(|| self.dated_meta(&PUBLISHED_NAMES, rules).filter(is_own))
            .or(shown)
            .or_else(in_address);
        let updated =
            from_json("dateModified").or_else(|| self.dated_meta(&UPDATED_NAMES, rules)).or(shown_update);
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

    /// The date in the first of these fields of `<meta>` that has one, as that of the page and not of a part of it.
    fn dated_meta(&self, names: &[&str], rules: DateRules) -> Option<Timestamp> {
        let of = |element: ElementRef| {
            let name = ["property", "name", "itemprop"].iter().find_map(|name| element.attr(name))?;
            let place = names.iter().position(|known| name.eq_ignore_ascii_case(known))?;
            let value = element.attr("content")?;
            let told =
                || StatedDates::of(value, DateRules::strict(rules.order), DateContext::Named).published;
            let date = parse_day(value).or_else(|| told().and_then(midnight))?;
            let is_of_part = element.ancestors().filter_map(ElementRef::wrap).any(is_of_other_kind);
            (!is_of_part).then_some((place, date))
        };
        let metas = selector("meta[content]");
        self.html.select(&metas).filter_map(of).min_by_key(|(place, _)| *place).map(|found| found.1)
    }

    /// What structured data says of the article itself, the best first: not of the site, of its parts, or of other articles.
    fn own_objects<'a>(&self, objects: &'a [Value]) -> Vec<&'a Value> {
        let headings = ["h1", "title"].map(|css| self.first(css).map(text_of).map(|text| fold(&text)));
        let is_headed = |object: &Value| {
            let headline = object.get("headline").and_then(Value::as_str).map(fold);
            headline.filter(|headline| !headline.trim().is_empty()).is_some_and(|headline| {
                headings.iter().flatten().any(|heading| heading.contains(headline.trim()))
            })
        };
        let rank = |object: &Value| {
            let place = self.place_of(object);
            let is_headed = is_headed(object);
            match kind_of(object) {
                ObjectKind::Other => None,
                _ if place == ObjectLocation::Elsewhere && !is_headed => None,
                ObjectKind::Article => Some(u8::from(place != ObjectLocation::Here && !is_headed)),
                ObjectKind::Unknown if place == ObjectLocation::Here => Some(2),
                ObjectKind::Unknown => None,
                ObjectKind::Page => Some(3),
            }
        };
        let all = objects.iter().flat_map(|object| std::iter::once(object).chain(object.get("mainEntity")));
        let mut own: Vec<(u8, &Value)> = all.filter_map(|object| Some((rank(object)?, object))).collect();
        own.sort_by_key(|(rank, _)| *rank);
        own.into_iter().map(|(_, object)| object).collect()
    }

    /// Where an object of structured data says that it is. The front page is named by mistake as often as not.
    fn place_of(&self, object: &Value) -> ObjectLocation {
        let Some(base) = self.base() else { return ObjectLocation::Unsaid };
        let plain = |url: &Url| url.path().trim_end_matches('/').to_ascii_lowercase();
        let canonical = self.first("link[rel~=canonical][href]").and_then(|link| link.attr("href"));
        let canonical = canonical.and_then(|href| base.join(href).ok());
        let own = [Some(plain(base)), canonical.as_ref().map(plain)];
        let addresses = ["url", "mainEntityOfPage", "@id"].iter().filter_map(|key| {
            let value = object.get(key)?;
            base.join(value.as_str().or_else(|| value.get("@id")?.as_str())?).ok()
        });
        let mut place = ObjectLocation::Unsaid;
        for address in addresses {
            let path = plain(&address);
            if own.iter().flatten().any(|own| *own == path) && address.query() == base.query() {
                return ObjectLocation::Here;
            }
            if !path.is_empty() || address.query().is_some() {
                place = ObjectLocation::Elsewhere;
            }
        }
        place
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
        // What was found of an element holds for all within it.
        let known: RefCell<HashMap<NodeId, bool>> = RefCell::new(HashMap::from([(article.id(), true)]));
        let is_own = |element: &ElementRef| {
            let mut known = known.borrow_mut();
            let above = element.ancestors().filter_map(ElementRef::wrap);
            let line = std::iter::once(*element).chain(above);
            let new: Vec<ElementRef> = line.take_while(|above| !known.contains_key(&above.id())).collect();
            for element in new.iter().rev() {
                let is_within =
                    element.parent().is_none_or(|parent| known.get(&parent.id()).copied().unwrap_or(true));
                known.insert(element.id(), is_within && !is_set_aside(*element) && !is_card(element));
            }
            known[&element.id()]
        };
        let elements = article.descendants().filter_map(ElementRef::wrap).filter(is_own);
        let is_agenda = self.is_under_agenda(rules.now);
        let dates = VisibleDates::of_article(article, elements, rules, is_agenda);
        let beside =
            heading.into_iter().flat_map(|heading| heading.next_siblings().filter_map(ElementRef::wrap));
        let beside = beside.flat_map(|sibling| sibling.descendants().filter_map(ElementRef::wrap));
        let beside = beside.filter(is_own).take(BESIDE_TITLE_MAX);
        let near = VisibleDates::of_article(article, beside, rules, is_agenda);
        (dates.named().or(near.published()), dates.updated, near.event())
    }
}

/// Where an object of structured data says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ObjectLocation {
    Here,
    Unsaid,
    Elsewhere,
}

/// What an object of structured data describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ObjectKind {
    Article,
    /// A page, with what it is about or without.
    Page,
    Unknown,
    /// What has dates of its own: the site, a picture, a comment, an event.
    Other,
}

fn kind_of(object: &Value) -> ObjectKind {
    let kinds = match object.get("@type") {
        Some(Value::String(kind)) => vec![kind.as_str()],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is_article = |kind: &&str| {
        ["Article", "Posting", "Report", "Announcement", "CreativeWork"].iter().any(|end| kind.ends_with(end))
    };
    match () {
        () if kinds.iter().any(is_article) => ObjectKind::Article,
        () if kinds.iter().any(|kind| is_other_kind(kind)) => ObjectKind::Other,
        () if kinds.iter().any(|kind| kind.ends_with("Page")) => ObjectKind::Page,
        () => ObjectKind::Unknown,
    }
}

/// Whether a type of schema.org has dates that are none of an article.
fn is_other_kind(kind: &str) -> bool {
    const OTHERS: [&str; 10] = [
        "Comment",
        "WebSite",
        "Person",
        "Organization",
        "Object",
        "Event",
        "Review",
        "Rating",
        "List",
        "Answer",
    ];
    OTHERS.iter().any(|other| kind.ends_with(other))
}

/// Whether microdata calls an element something that has dates of its own.
fn is_of_other_kind(element: ElementRef) -> bool {
    element.attr("itemtype").is_some_and(|kind| is_other_kind(kind.trim().trim_end_matches('/')))
}

/// How many elements behind the title may hold the date of an article that has no place for it.
const BESIDE_TITLE_MAX: usize = 12;

/// Parts of the names of elements that surround an article.
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

/// Whether an element is not part of an article: what surrounds it, links to other articles, comments.
fn is_set_aside(element: ElementRef) -> bool {
    let is_aside = |name: &str| {
        let lower = name.to_ascii_lowercase();
        lower.split(['-', '_']).any(|part| ASIDE.contains(&part))
    };
    let value = element.value();
    let is_event = element.attr("itemtype").is_some_and(|kind| kind.ends_with("Event"));
    let holds = |css: &str| element.select(&selector(css)).next().is_some();
    match value.name() {
        _ if is_of_other_kind(element) && !is_event => true,
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
