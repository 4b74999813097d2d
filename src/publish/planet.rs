//! The planet: the channel as web pages without scripts. One page for each publication and each day, and the search.

use serde::Serialize;

use super::OutputFormat;
use super::formats::FORMATS;
use crate::model::publication::{Images, Publication, PublicationKind};
use crate::model::story::Story;
use crate::model::subscriber::Interests;
use crate::model::token::{IMAGE, SigningKey};
use crate::support::i18n::{Phrases, capitalized, language_of, long_date, phrases, spoken};
use crate::support::templates::{TemplateError, Templates};
use crate::view::{Catalog, StoryView, UpcomingEventView, coming_view, view_among};

/// The path of the list of days.
pub const DAYS: &str = "days/index.html";

/// The path of the page of a day (`2022-10-13`).
pub fn day_path(day: &str) -> String {
    format!("days/{day}.html")
}

/// The settings for rendering pages.
#[derive(Debug, Clone, Copy)]
pub struct SiteContext<'a> {
    pub catalog: Catalog<'a>,
    pub publications: &'a [Publication],
    pub images: Images,
    /// Signs the addresses of proxied pictures.
    pub key: &'a SigningKey,
}

#[derive(Serialize)]
struct PageContext<'a> {
    title: &'a str,
    heading: String,
    description: &'a str,
    /// Language of the interface.
    language: &'static str,
    /// Relative path to the folder of the channel: empty, or `../` repeated.
    root: String,
    /// The address of this page.
    address: String,
    /// Files of the feeds of this page; empty if it has none.
    feeds: Vec<FeedLink>,
    has_sign_up: bool,
    has_images: bool,
    navigation: Vec<PageSection>,
    /// Events that begin soon.
    coming: Vec<UpcomingEventView>,
    days: Vec<Day>,
    list: Vec<DayLink>,
    query: &'a str,
    is_search: bool,
    t: &'static Phrases,
}

#[derive(Serialize)]
struct FeedLink {
    file: &'static str,
    media_type: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct PageSection {
    label: &'static str,
    links: Vec<PageLink>,
}

#[derive(Serialize)]
struct PageLink {
    path: String,
    name: String,
    language: Option<String>,
    is_here: bool,
}

#[derive(Serialize)]
struct Day {
    day: String,
    date: String,
    stories: Vec<StoryView>,
}

#[derive(Serialize)]
struct DayLink {
    path: String,
    date: String,
    count: u64,
}

/// Renders the page of a publication, with the events that are coming up.
///
/// # Errors
/// When a template of the operator is faulty.
pub fn publication(
    setting: SiteContext,
    publication: &Publication,
    stories: &[Story],
    coming: &[&Story],
    templates: &Templates,
) -> Result<String, TemplateError> {
    let mut page = page(setting, &publication.language, publication.path.as_str());
    page.heading = match publication.kind {
        PublicationKind::Channel => String::new(),
        PublicationKind::Language => capitalized(language_of(&publication.name)),
        _ => publication.name.clone(),
    };
    page.feeds =
        FORMATS.map(|OutputFormat { file, media_type, name, .. }| FeedLink { file, media_type, name }).into();
    let (language, interests) = (&publication.language, &publication.interests);
    let view = |story: &&Story| coming_view(setting.catalog, story, language, interests);
    page.coming = coming.iter().filter_map(view).collect();
    page.days = by_day(setting, language, interests, &page.root, stories);
    for link in page.navigation.iter_mut().flat_map(|section| &mut section.links) {
        link.is_here = link.path == publication.path.as_str();
    }
    templates.render("planet/index.html", &page)
}

/// Renders the page of a day.
///
/// # Errors
/// When a template of the operator is faulty.
pub fn day(
    setting: SiteContext,
    day: &str,
    stories: &[Story],
    templates: &Templates,
) -> Result<String, TemplateError> {
    let language = &setting.catalog.channel.language;
    let mut page = page(setting, language, &day_path(day));
    page.heading = day.parse().map_or_else(|_| day.to_owned(), |date| long_date(date, language));
    page.days = by_day(setting, language, &Interests::default(), &page.root, stories);
    templates.render("planet/index.html", &page)
}

/// Renders the list of days with stories.
///
/// # Errors
/// When a template of the operator is faulty.
pub fn days(
    setting: SiteContext,
    days: &[(String, u64)],
    templates: &Templates,
) -> Result<String, TemplateError> {
    let language = &setting.catalog.channel.language;
    let mut page = page(setting, language, DAYS);
    page.heading = page.t["all_days"].to_owned();
    let link = |(day, count): &(String, u64)| DayLink {
        path: format!("{day}.html"),
        date: day.parse().map_or_else(|_| day.clone(), |date| long_date(date, language)),
        count: *count,
    };
    page.list = days.iter().map(link).collect();
    templates.render("planet/index.html", &page)
}

/// Renders search results.
///
/// # Errors
/// When a template of the operator is faulty.
pub fn search(
    setting: SiteContext,
    query: &str,
    language: &str,
    stories: &[Story],
    templates: &Templates,
) -> Result<String, TemplateError> {
    let mut page = page(setting, language, "search");
    page.heading = page.t["search"].to_owned();
    (page.query, page.is_search) = (query, true);
    let views = stories
        .iter()
        .map(|story| shown(setting, story, language, &Interests::default(), &page.root))
        .collect::<Vec<_>>();
    if !views.is_empty() {
        page.days = vec![Day { day: String::new(), date: String::new(), stories: views }];
    }
    templates.render("planet/index.html", &page)
}

/// A link to another publication; languages are named in themselves.
fn navigation_link(setting: SiteContext, publication: &Publication, language: &str) -> PageLink {
    let own = (publication.kind == PublicationKind::Language).then(|| publication.name.clone());
    PageLink {
        path: publication.path.as_str().to_owned(),
        name: match &own {
            Some(own) => capitalized(language_of(own)),
            None => named(setting.catalog, publication, language),
        },
        language: own,
        is_here: false,
    }
}

fn page<'a>(setting: SiteContext<'a>, language: &str, path: &str) -> PageContext<'a> {
    let channel = setting.catalog.channel;
    let t = phrases(spoken(language, &channel.language));
    let section = |kind: PublicationKind, label: &str| {
        let publications = setting.publications.iter().filter(|publication| publication.kind == kind);
        let links = publications.map(|publication| navigation_link(setting, publication, language)).collect();
        PageSection { label: t[label], links }
    };
    let mut navigation = vec![
        section(PublicationKind::Language, "form_languages_nav"),
        section(PublicationKind::Topic, "form_topics"),
        section(PublicationKind::Feed, "selections"),
        section(PublicationKind::Partner, "form_partners"),
    ];
    navigation.retain(|section| !section.links.is_empty());
    PageContext {
        title: &channel.title,
        heading: String::new(),
        description: &channel.description,
        language: t["lang"],
        root: "../".repeat(path.matches('/').count()),
        address: format!("{}/{path}", channel.url),
        feeds: Vec::new(),
        has_sign_up: channel.has_sign_up,
        has_images: setting.images != Images::Omit,
        navigation,
        coming: Vec::new(),
        days: Vec::new(),
        list: Vec::new(),
        query: "",
        is_search: false,
        t,
    }
}

/// The name of a publication; topics have their label in the language of the page.
fn named(catalog: Catalog, publication: &Publication, language: &str) -> String {
    let topic = publication.interests.topics.first().filter(|_| publication.kind == PublicationKind::Topic);
    let topic = topic.and_then(|id| catalog.topics.iter().find(|topic| topic.id == *id));
    topic.map_or_else(|| publication.name.clone(), |topic| topic.label(language).to_owned())
}

/// Path of proxied pictures, followed by a token.
const IMAGES: &str = "image/";

/// The view of a story, with the address of its picture as configured.
fn shown(
    setting: SiteContext,
    story: &Story,
    language: &str,
    interests: &Interests,
    root: &str,
) -> StoryView {
    let mut view = view_among(setting.catalog, story, language, interests);
    if let Some(image) = view.image.as_mut().filter(|_| setting.images == Images::Proxy) {
        image.url = format!("{root}{IMAGES}{}", setting.key.sign(IMAGE, &image.url));
    }
    view
}

fn by_day(
    setting: SiteContext,
    language: &str,
    interests: &Interests,
    root: &str,
    stories: &[Story],
) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for story in stories.iter().map(|story| shown(setting, story, language, interests, root)) {
        match days.last_mut() {
            Some(day) if day.day == story.day => day.stories.push(story),
            _ => days.push(Day { day: story.day.clone(), date: story.date.clone(), stories: vec![story] }),
        }
    }
    days
}
