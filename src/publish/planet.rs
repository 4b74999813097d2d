//! The planet: the channel as web pages without scripts. One page for each publication and each day, and the search.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::OutputFormat;
use super::formats::FORMATS;
use crate::model::publication::{Images, Publication, PublicationKey, PublicationKind, PublicationList};
use crate::model::story::Story;
use crate::model::subscriber::Interests;
use crate::model::token::{IMAGE, SigningKey};
use crate::support::i18n::{Phrases, capitalized, language_of, long_date, phrases, spoken};
use crate::support::templates::{TemplateError, Templates};
use crate::view::{Catalog, StoryView, UpcomingEventView, coming_view, view_among};

/// The path of the list of days.
pub const DAYS: &str = "days/index.html";
/// The path of the list of partners.
pub const PARTNERS: &str = "partners/index.html";
/// More partners are only listed on a page of their own.
const PARTNERS_SHOWN: usize = 24;

/// The path of the page of a day (`2022-10-13`).
pub fn day_path(day: &str) -> String {
    format!("days/{day}.html")
}

/// The settings for rendering pages.
#[derive(Debug, Clone, Copy)]
pub struct SiteContext<'a> {
    pub catalog: Catalog<'a>,
    pub publications: &'a PublicationList,
    /// What is known of their stories; unknown where a page is made on request.
    pub filled: Option<&'a FilledPublications>,
    pub images: Images,
    /// Signs the addresses of proxied pictures.
    pub key: &'a SigningKey,
}

/// What is known of the stories in publications.
#[derive(Debug, Default)]
pub struct FilledPublications {
    /// Those with stories.
    pub begun: HashSet<PublicationKey>,
    /// How many stories they have, up to `COUNT_MAX`; for some.
    pub counts: HashMap<PublicationKey, u64>,
}

/// Stories are counted up to this number: a reader is not helped by more.
pub const COUNT_MAX: u64 = 1_000;

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
    /// Path of the list of partners, if the navigation has not all of them.
    all_partners: Option<&'static str>,
    /// The newest story, if it is shown before all others.
    lead: Option<StoryView>,
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
    /// `language`, `topic`, `feed` or `partner`.
    kind: &'static str,
    label: &'static str,
    links: Vec<PageLink>,
}

#[derive(Serialize)]
struct PageLink {
    path: String,
    name: String,
    language: Option<String>,
    is_here: bool,
    /// How many stories there are, in figures; only on the page of the channel.
    count: Option<String>,
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
    count: Option<u64>,
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
    if publication.kind == PublicationKind::Channel {
        page.lead = if page.has_images { taken_lead(&mut page.days) } else { None };
        count(setting, &mut page.navigation);
    }
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
        count: Some(*count),
    };
    page.list = days.iter().map(link).collect();
    templates.render("planet/index.html", &page)
}

/// Renders the list of partners with stories.
///
/// # Errors
/// When a template of the operator is faulty.
pub fn partners(setting: SiteContext, templates: &Templates) -> Result<String, TemplateError> {
    let mut page = page(setting, &setting.catalog.channel.language, PARTNERS);
    page.heading = page.t["form_partners"].to_owned();
    let link = |publication: &Publication| DayLink {
        path: format!("{}{}index.html", page.root, publication.path),
        date: publication.name.clone(),
        count: None,
    };
    page.list = partners_with_stories(setting).map(link).collect();
    templates.render("planet/index.html", &page)
}

fn partners_with_stories<'a>(setting: SiteContext<'a>) -> impl Iterator<Item = &'a Publication> {
    let is_begun =
        move |path: &PublicationKey| setting.filled.is_none_or(|filled| filled.begun.contains(path));
    setting.publications.iter().filter(move |one| one.kind == PublicationKind::Partner && is_begun(&one.path))
}

/// Says how many stories there are behind each link.
fn count(setting: SiteContext, navigation: &mut [PageSection]) {
    let Some(filled) = setting.filled else { return };
    for link in navigation.iter_mut().flat_map(|section| &mut section.links) {
        let count = filled.counts.get(&PublicationKey::from(link.path.as_str())).copied();
        link.count = count.map(|count| match count {
            COUNT_MAX.. => format!("{}+", COUNT_MAX - 1),
            count => count.to_string(),
        });
    }
}

/// Takes the newest story out of its day, if it has a picture.
fn taken_lead(days: &mut Vec<Day>) -> Option<StoryView> {
    let first = days.first_mut()?;
    first.stories.first()?.image.as_ref()?;
    let lead = first.stories.remove(0);
    if first.stories.is_empty() {
        days.remove(0);
    }
    Some(lead)
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
        count: None,
    }
}

fn page<'a>(setting: SiteContext<'a>, language: &str, path: &str) -> PageContext<'a> {
    let channel = setting.catalog.channel;
    let t = phrases(spoken(language, &channel.language));
    let link = |publication| navigation_link(setting, publication, language);
    let section = |kind: PublicationKind, label: &str| {
        let publications = setting.publications.iter().filter(|publication| publication.kind == kind);
        PageSection { kind: kind.as_str(), label: t[label], links: publications.map(link).collect() }
    };
    let mut partners = partners_with_stories(setting);
    let mut navigation = vec![
        section(PublicationKind::Language, "form_languages_nav"),
        section(PublicationKind::Topic, "form_topics"),
        section(PublicationKind::Feed, "selections"),
        PageSection {
            kind: PublicationKind::Partner.as_str(),
            label: t["form_partners"],
            links: partners.by_ref().take(PARTNERS_SHOWN).map(link).collect(),
        },
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
        all_partners: partners.next().map(|_| PARTNERS),
        lead: None,
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
    let page = |publication: &Publication| format!("{root}{}index.html", publication.path);
    view.partner_page = setting.publications.of_partner(&view.partner).map(page);
    for topic in &mut view.topics {
        topic.page = setting.publications.of_topic(&topic.id).map(page);
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
