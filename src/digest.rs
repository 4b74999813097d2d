//! Stories to one issue of a digest: subject, text and HTML. Pure; it sends nothing and remembers nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::model::digest::{Digest, Issue, UNSUBSCRIBE_PLACE};
use crate::model::story::Story;
use crate::phrases::{long_date, phrases};
use crate::templates::{TemplateError, Templates};
use crate::text::{one_line, shorten};
use crate::view::{Frame, StoryView, view};

/// A subject longer than this is cut by most mail programs, in characters.
const LEAD_CHARS_MAX: usize = 90;

#[derive(Serialize)]
struct Data<'a> {
    title: &'a str,
    language: &'a str,
    date: String,
    /// The title of the first story, for the subject.
    lead: String,
    groups: Vec<Group>,
    /// Stories that found no room.
    more: usize,
    web: String,
    /// The place where each recipient's own address to leave by goes.
    unsubscribe: &'static str,
    t: BTreeMap<&'static str, &'static str>,
}

#[derive(Serialize)]
struct Group {
    id: String,
    label: String,
    stories: Vec<StoryView>,
}

/// The stories of a digest: those of its topics, all if it names none.
pub fn pick(digest: &Digest, stories: Vec<Story>) -> Vec<Story> {
    let is_wanted = |story: &Story| digest.topics.is_empty() || story.topics().iter().any(|matched| digest.topics.contains(&matched.topic));
    stories.into_iter().filter(is_wanted).collect()
}

/// Renders an issue over the stories picked, the newest first.
///
/// # Errors
/// When a template of the operator's is at fault.
pub fn render(frame: Frame, digest: &Digest, stories: &[Story], now: Timestamp, templates: &Templates) -> Result<Issue, TemplateError> {
    let views: Vec<StoryView> = stories.iter().take(digest.entries_max).map(|story| view(frame, story, &digest.language)).collect();
    let t = phrases(&digest.language);
    let data = Data {
        title: &digest.title,
        language: &digest.language,
        date: long_date(now.to_zoned_datetime(TimeZone::UTC).date(), &digest.language),
        lead: views.first().map(|story| shorten(&story.title, LEAD_CHARS_MAX)).unwrap_or_default(),
        groups: group(frame, digest, views, t["other_topics"]),
        more: stories.len().saturating_sub(digest.entries_max),
        web: format!("{}/", frame.channel.url),
        unsubscribe: UNSUBSCRIBE_PLACE,
        t,
    };
    Ok(Issue {
        subject: one_line(&templates.render("digest/subject.txt", &data)?),
        text: templates.render("digest/body.txt", &data)?,
        html: templates.render("digest/body.html", &data)?,
    })
}

/// Each story once, under the best of its topics that the digest has, in the order of the configuration.
fn group(frame: Frame, digest: &Digest, views: Vec<StoryView>, other: &str) -> Vec<Group> {
    let has = |id: &str| digest.topics.is_empty() || digest.topics.iter().any(|topic| topic == id);
    let mut groups: Vec<Group> = frame
        .topics
        .iter()
        .filter(|topic| has(&topic.id))
        .map(|topic| Group { id: topic.id.clone(), label: topic.label(&digest.language).to_owned(), stories: Vec::new() })
        .collect();
    groups.push(Group { id: String::new(), label: other.to_owned(), stories: Vec::new() });
    for story in views {
        let topic = story.topics.iter().find(|topic| has(&topic.id)).map_or("", |topic| topic.id.as_str());
        let at = groups.iter().position(|group| group.id == topic).unwrap_or(groups.len() - 1);
        groups[at].stories.push(story);
    }
    groups.retain(|group| !group.stories.is_empty());
    if let [only] = groups.as_mut_slice()
        && only.id.is_empty()
    {
        // With no topic at all, a heading "other topics" would say nothing.
        only.label = digest.title.clone();
    }
    groups
}
