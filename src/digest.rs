//! Composes an issue of a digest from stories: subject, text and HTML. Pure: sends and stores nothing.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::model::digest::{Digest, Issue, LinkPlaces, SUBJECT_CHARS_MAX, subject};
use crate::model::keys::EntryKey;
use crate::model::story::Story;
use crate::model::subscriber::Interests;
use crate::support::i18n::{Phrases, counted, long_date, phrases, spoken};
use crate::support::templates::{TemplateError, Templates};
use crate::support::text::{fitting, is_same_language, one_line, shorten, wrapped};
use crate::view::{Catalog, LinkView, StoryView, UpcomingEventView, coming_among, coming_view, view_among};

/// Minimum room, in characters, for the first story's title in a subject.
const LEAD_CHARS_MIN: usize = 16;
/// Width of the text part.
pub const TEXT_COLUMNS: usize = 76;
/// Limits in characters: mail is skimmed, and the story itself is one click away.
const SUMMARY_CHARS_MAX: usize = 320;
const TITLE_CHARS_MAX: usize = 240;
const PREVIEW_CHARS_MAX: usize = 140;
/// Maximum number of links to other versions of a story, and maximum length of a linked address.
const LINKS_MAX: usize = 6;
const URL_BYTES_MAX: usize = 1_000;
/// Gmail clips the HTML of a mail at 102 kB. Counted in quoted-printable with room for the recipient's links, so that it holds
/// however a provider counts.
const HTML_BYTES_MAX: usize = 96_000;

/// The parameters of an issue.
#[derive(Debug, Clone, Copy)]
pub struct Edition<'a> {
    pub title: &'a str,
    /// BCP 47.
    pub language: &'a str,
    pub interests: &'a Interests,
    /// The folder of its templates.
    pub templates: &'a str,
    /// Text before the stories.
    pub note: Option<&'a str>,
    /// What an editor wrote above the stories.
    pub introduction: Option<&'a str>,
    /// What somebody wrote in the place of stories.
    pub written: Option<WrittenBody<'a>>,
    /// The number of stories, of the first ones, that editors put before all others.
    pub leads: usize,
    /// What is to come, whether or not it was told before.
    pub coming: &'a [Story],
    /// Stories in one issue; the rest is counted and linked.
    pub entries_max: usize,
    /// Whether recipients can change their preferences.
    pub is_personal: bool,
    /// Name of its web version, if there is one.
    pub name: Option<&'a str>,
    /// Whether the channel's address is public, so that our own links work.
    pub is_public: bool,
    /// The controller of personal data, with a postal address.
    pub controller: Option<&'a str>,
    pub places: &'a LinkPlaces,
}

/// An issue with fewer stories needs no list of contents.
const CONTENTS_MIN: usize = 8;

/// A mail that somebody wrote.
#[derive(Debug, Clone, Copy)]
pub struct WrittenBody<'a> {
    pub subject: &'a str,
    /// Safe, and with the styles of a mail.
    pub html: &'a str,
    pub text: &'a str,
}

/// The interests of a configured digest.
pub fn interests(digest: &Digest) -> Interests {
    let (topics, languages) = (digest.topics.clone(), digest.languages.clone());
    Interests { topics, languages, ..Interests::default() }.sorted()
}

#[derive(Serialize)]
struct Data<'a> {
    title: &'a str,
    language: &'a str,
    /// `ltr` or `rtl`.
    dir: &'static str,
    channel: &'a str,
    date: String,
    /// The title of the first story, for the subject.
    lead: String,
    /// The text that mail programs show after the subject.
    preview: String,
    note: Option<&'a str>,
    /// The paragraphs of an editor's introduction.
    introduction: Vec<String>,
    /// The topics in their order, if there are many stories.
    contents: Vec<ContentsLine>,
    /// What somebody wrote in the place of stories: its subject, safe HTML, and text.
    subject: Option<&'a str>,
    content: Option<&'a str>,
    content_text: Option<&'a str>,
    groups: Vec<TopicGroup>,
    /// Events that begin soon, but for those among the stories.
    coming: Vec<UpcomingEventView>,
    /// Stories that found no room.
    more: usize,
    /// That number, in words.
    more_text: String,
    web: String,
    /// The address of the web version.
    online: Option<String>,
    /// Placeholders for each recipient's own addresses.
    unsubscribe: String,
    preferences: Option<String>,
    privacy: Option<String>,
    is_public: bool,
    controller: Option<&'a str>,
    t: &'static Phrases,
}

/// A topic in the list of contents.
#[derive(Serialize)]
struct ContentsLine {
    label: String,
    count: usize,
}

#[derive(Serialize)]
struct TopicGroup {
    id: String,
    /// The id, encoded for a query.
    query: String,
    label: String,
    stories: Vec<StoryView>,
}

/// The stories that first matched these interests after the entry `seen.start` and up to `seen.end`, or of which an entry is owed,
/// best first: by number of partners and scores of topics, then newest first. A story that was joined with an earlier one, which was
/// not owed, was told with that.
pub fn pick<'a>(
    interests: &Interests,
    seen: Range<EntryKey>,
    owed: &[EntryKey],
    stories: &'a [Story],
) -> Vec<&'a Story> {
    let is_new = |story: &&Story| {
        let is_owed = |since: EntryKey| {
            story.versions.iter().any(|version| version.order <= since && owed.contains(&version.order))
        };
        let wanted = story.wanted_since(interests).filter(|since| *since <= seen.end);
        wanted.is_some_and(|since| since > seen.start || is_owed(since))
    };
    let mut picked: Vec<&Story> = stories.iter().filter(is_new).collect();
    // A stable sort: among equals the order, newest first, is kept.
    picked.sort_by_cached_key(|story| std::cmp::Reverse(story.weight(interests)));
    picked
}

/// Renders an issue with as many of the stories picked as there is room for, best first.
///
/// # Errors
/// When a template of the operator is faulty.
pub fn render(
    catalog: Catalog,
    edition: Edition,
    stories: &[&Story],
    now: Timestamp,
    templates: &Templates,
) -> Result<Issue, TemplateError> {
    let mut room = edition.entries_max.min(stories.len());
    let of = |file: &str, data: &Data| templates.render(&format!("{}/{file}", edition.templates), data);
    loop {
        let views = stories
            .iter()
            .take(room)
            .map(|story| brief(view_among(catalog, story, edition.language, edition.interests)))
            .collect();
        let coming = coming(catalog, edition, &stories[..room]);
        let data = data(catalog, edition, views, coming, stories.len() - room, now);
        let html = of("body.html", &data)?;
        let bytes = quoted_printable_bytes(&html);
        if bytes > HTML_BYTES_MAX && room > 1 {
            // Stories are of similar size, so one step is usually enough.
            room = (room * HTML_BYTES_MAX / bytes).clamp(1, room - 1);
            continue;
        }
        return Ok(Issue {
            subject: subject(&templates.render_line(
                &format!("{}/subject.txt", edition.templates),
                &data,
                SUBJECT_CHARS_MAX,
            )?),
            text: wrapped(&of("body.txt", &data)?, TEXT_COLUMNS),
            html,
            language: data.language.to_owned(),
            name: edition.name.map(str::to_owned),
            places: edition.places.clone(),
            forwarded: None,
            partners: partners_of(&stories[..room]),
        });
    }
}

/// The partners with a version of any of these stories.
fn partners_of(stories: &[&Story]) -> Vec<String> {
    let versions = stories.iter().flat_map(|story| &story.versions);
    let partners: BTreeSet<&str> = versions.map(|version| version.partner.as_str()).collect();
    partners.into_iter().map(str::to_owned).collect()
}

/// The stories that subject and preview name: those in the language of the mail, or all if there is none.
fn leading<'a>(views: &'a [StoryView], language: &str) -> Vec<&'a StoryView> {
    let (own, others): (Vec<_>, Vec<_>) =
        views.iter().partition(|view| is_same_language(&view.language, language));
    if own.is_empty() { others } else { own }
}

/// The preview shown beside the subject. The subject names the first story; the preview continues with the next ones.
fn preview(leading: &[&StoryView]) -> Option<String> {
    let others: Vec<&str> = leading.iter().skip(1).take(3).map(|story| story.title.as_str()).collect();
    let text = if others.is_empty() { leading.first()?.summary.clone() } else { others.join(" · ") };
    (!text.is_empty()).then(|| shorten(&text, PREVIEW_CHARS_MAX))
}

impl Edition<'_> {
    /// The address of the web version, if there is one.
    fn web_address(&self, public: &str) -> Option<String> {
        let name = self.name.filter(|_| self.is_public)?;
        Some(format!("{public}/{}", archive_path(name)))
    }
}

fn data<'a>(
    catalog: Catalog<'a>,
    edition: Edition<'a>,
    views: Vec<StoryView>,
    coming: Vec<UpcomingEventView>,
    more: usize,
    now: Timestamp,
) -> Data<'a> {
    let public = &catalog.channel.url;
    // The interface language is that of the edition if available, or else the channel's.
    let said_in = spoken(edition.language, &catalog.channel.language);
    let t = phrases(said_in);
    let date = long_date(now.to_zoned_datetime(TimeZone::UTC).date(), said_in);
    let leading = leading(&views, edition.language);
    let written = edition.written;
    let beginning = written.map(|written| shorten(&one_line(written.text), PREVIEW_CHARS_MAX));
    let preview = beginning.or_else(|| preview(&leading));
    let preview = preview.unwrap_or_else(|| format!("{}, {date}", edition.title));
    let lead = leading.first().map(|story| lead(&story.title, edition.title, t["colon"])).unwrap_or_default();
    let groups = group(catalog, edition, views, t);
    Data {
        title: edition.title,
        language: said_in,
        dir: t["dir"],
        channel: &catalog.channel.title,
        date,
        lead,
        preview,
        note: edition.note,
        introduction: paragraphs(edition.introduction.unwrap_or_default()),
        subject: written.map(|written| written.subject),
        content: written.map(|written| written.html),
        content_text: written.map(|written| written.text),
        contents: contents(&groups),
        groups,
        coming,
        more,
        more_text: counted("more_stories", more, said_in),
        web: format!("{public}/"),
        online: edition.web_address(public),
        unsubscribe: edition.places.unsubscribe(),
        preferences: (edition.is_personal && edition.is_public).then(|| edition.places.preferences()),
        privacy: edition.is_public.then(|| format!("{public}/{}", privacy_path(said_in))),
        is_public: edition.is_public,
        controller: edition.controller,
        t,
    }
}

/// The topics of an issue with many stories, with how many each has.
fn contents(groups: &[TopicGroup]) -> Vec<ContentsLine> {
    let count: usize = groups.iter().map(|group| group.stories.len()).sum();
    if count < CONTENTS_MIN || groups.len() < 2 {
        return Vec::new();
    }
    let line = |group: &TopicGroup| ContentsLine { label: group.label.clone(), count: group.stories.len() };
    groups.iter().map(line).collect()
}

/// What is coming up beside the stories.
fn coming(catalog: Catalog, edition: Edition, stories: &[&Story]) -> Vec<UpcomingEventView> {
    let others = coming_among(edition.coming, edition.interests).into_iter();
    let others = others.filter(|story| stories.iter().all(|told| told.id != story.id));
    let short = |view: UpcomingEventView| UpcomingEventView {
        title: shorten(&view.title, TITLE_CHARS_MAX),
        event: shorten(&view.event, TITLE_CHARS_MAX),
        url: view.url.filter(|url| url.len() <= URL_BYTES_MAX),
        ..view
    };
    others
        .filter_map(|story| coming_view(catalog, story, edition.language, edition.interests))
        .map(short)
        .collect()
}

/// Whether mail programs would show only the beginning of an issue.
pub fn is_clipped(issue: &Issue) -> bool {
    quoted_printable_bytes(&issue.html) > HTML_BYTES_MAX
}

/// As much of a story's title as the subject has room for behind the title of the digest.
fn lead(story: &str, title: &str, colon: &str) -> String {
    let others = title.chars().count() + colon.chars().count() + 1;
    let room = SUBJECT_CHARS_MAX.saturating_sub(others);
    if room < LEAD_CHARS_MIN { String::new() } else { fitting(story, room) }
}

/// The path of an issue's web version below the address of the channel.
pub fn archive_path(name: &str) -> String {
    format!("issues/{name}.html")
}

/// The path of the data-protection page.
pub fn privacy_path(language: &str) -> String {
    format!("privacy/{}.html", phrases(language)["lang"])
}

/// The public version of an issue: links of the recipient lead to the sign-up instead.
pub fn web_version(issue: &Issue, public: &str) -> String {
    let subscribe = format!("{public}/subscribe");
    issue
        .html
        .replace(&issue.places.unsubscribe(), &subscribe)
        .replace(&issue.places.preferences(), &subscribe)
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A story shortened for mail.
fn brief(mut story: StoryView) -> StoryView {
    let links = |links: Vec<LinkView>| {
        let fits = links.into_iter().filter(|link| link.url.len() <= URL_BYTES_MAX);
        fits.take(LINKS_MAX)
            .map(|link| LinkView { label: shorten(&link.label, TITLE_CHARS_MAX), ..link })
            .collect()
    };
    story.title = shorten(&story.title, TITLE_CHARS_MAX);
    story.summary = shorten(&story.summary, SUMMARY_CHARS_MAX);
    story.event = story.event.map(|event| shorten(&event, TITLE_CHARS_MAX));
    story.url = story.url.filter(|url| url.len() <= URL_BYTES_MAX);
    story.copies = links(std::mem::take(&mut story.copies));
    story.translations = links(std::mem::take(&mut story.translations));
    story
}

/// The size of a text in quoted-printable (RFC 2045 section 6.7), including soft line breaks.
fn quoted_printable_bytes(text: &str) -> usize {
    let bytes: usize = text
        .bytes()
        .map(|byte| if byte == b'=' || !(b' '..=b'~').contains(&byte) && byte != b'\n' { 3 } else { 1 })
        .sum();
    bytes + bytes / 70 * 3
}

/// The paragraphs of a text, which empty lines separate.
fn paragraphs(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let parts = lines.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.replace('\n', " ")).collect()
}

/// Groups stories by topic in the order of the configuration, each story once, under its best topic in this edition; before them,
/// those that lead.
fn group(catalog: Catalog, edition: Edition, mut views: Vec<StoryView>, t: &Phrases) -> Vec<TopicGroup> {
    let others = views.split_off(edition.leads.min(views.len()));
    let leading = TopicGroup {
        id: String::new(),
        query: String::new(),
        label: t["editors_choice"].to_owned(),
        stories: views,
    };
    let has = |id: &str| edition.interests.has_topic(id);
    let mut groups: Vec<TopicGroup> = catalog
        .topics
        .iter()
        .filter(|topic| has(&topic.id))
        .map(|topic| TopicGroup {
            id: topic.id.clone(),
            query: encoded(&topic.id),
            label: topic.label(edition.language).to_owned(),
            stories: Vec::new(),
        })
        .collect();
    groups.push(TopicGroup {
        id: String::new(),
        query: String::new(),
        label: t["other_topics"].to_owned(),
        stories: Vec::new(),
    });
    for story in others {
        let topic = story.topics.iter().find(|topic| has(&topic.id)).map_or("", |topic| topic.id.as_str());
        let at = groups.iter().position(|group| group.id == topic).unwrap_or(groups.len() - 1);
        groups[at].stories.push(story);
    }
    groups.insert(0, leading);
    groups.retain(|group| !group.stories.is_empty());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(title: &str, language: &str) -> StoryView {
        StoryView {
            title: title.into(),
            url: None,
            summary: format!("{title}, at length."),
            language: language.into(),
            dir: "ltr",
            partner_page: None,
            partner: String::new(),
            day: String::new(),
            date: String::new(),
            image: None,
            event: None,
            topics: vec![],
            copies: vec![],
            translations: vec![],
        }
    }

    #[test]
    fn subject_and_preview_are_in_the_language_of_the_mail_if_any_story_is() {
        let views = [view("Una ley cae", "es"), view("A bridge opens", "en-GB"), view("Otra ley", "es")];
        let said = |language| {
            let leading = leading(&views, language);
            (leading[0].title.as_str(), preview(&leading).unwrap())
        };
        assert_eq!(said("en"), ("A bridge opens", "A bridge opens, at length.".into()));
        assert_eq!(said("es"), ("Una ley cae", "Otra ley".into()));
        assert_eq!(said("fr"), ("Una ley cae", "A bridge opens · Otra ley".into()));
    }
}
