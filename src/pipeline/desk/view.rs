//! The next issue as editors see it: its stories in their order, what is left out, what was written and who did what.

use jiff::Timestamp;
use serde::Serialize;

use super::last;
use crate::digest;
use crate::model::desk::{DeskAction, DeskField, DeskRuling, Draft, StoryPlace};
use crate::model::digest::Digest;
use crate::model::keys::EntryKey;
use crate::model::story::Story;
use crate::model::subscriber::Interests;
use crate::pipeline::mail::news::DigestNews;
use crate::store::{Store, StoreError, Unit};
use crate::support::i18n::{phrases, spoken};
use crate::view::{Catalog, StoryView, view_among};

/// The next issue of a digest.
#[derive(Debug, Serialize)]
pub struct DeskView {
    pub digest: String,
    /// The slot that it is for.
    pub slot: Timestamp,
    /// The number of the last ruling on it; 0 before the first.
    pub version: i64,
    /// Whether it waits until an editor releases it.
    pub waits: bool,
    pub is_released: bool,
    /// Of the texts and of the words around them.
    pub language: String,
    /// In that language; empty if there is none.
    pub introduction: String,
    pub is_introduction_everywhere: bool,
    pub groups: Vec<DeskGroup>,
    /// What is dropped or held.
    pub left_out: Vec<DeskStory>,
    /// What was done, the last first.
    pub log: Vec<DeskLogLine>,
}

/// The stories under one heading.
#[derive(Debug, Serialize)]
pub struct DeskGroup {
    pub label: String,
    pub stories: Vec<DeskStory>,
}

/// A story of the issue.
#[derive(Debug, Serialize)]
pub struct DeskStory {
    /// By which rulings know it.
    pub key: i64,
    /// By which the command line knows it: the id of its first entry, or `hand-` and a number.
    pub id: String,
    /// `free`, `pinned`, `dropped` or `held`.
    pub place: &'static str,
    pub is_by_hand: bool,
    /// Whether the issue has no room for it: it is counted and linked.
    pub is_beyond: bool,
    /// Its neighbours under the same heading.
    pub before: Option<i64>,
    pub after: Option<i64>,
    /// What an editor wrote for this issue or for everything; empty if the source's words stand.
    pub headline: String,
    pub own_summary: String,
    pub is_everywhere: bool,
    pub title: String,
    pub summary: String,
    pub url: Option<String>,
    pub language: String,
    pub dir: &'static str,
    pub partner: String,
    pub date: String,
}

/// A ruling as it is listed.
#[derive(Debug, Serialize)]
pub struct DeskLogLine {
    pub number: i64,
    pub at: Timestamp,
    pub who: String,
    pub what: &'static str,
    /// The title of the story, or what was written.
    pub about: String,
    pub language: String,
    /// The ruling that it undid.
    pub undid: Option<i64>,
    pub is_undone: bool,
    /// Whether it is the last one that can be undone.
    pub is_last: bool,
}

/// The name of a story on the command line.
pub fn name_of(story: &Story) -> String {
    let first = story.versions.iter().min_by_key(|version| version.order);
    match (story.anchor().hand(), first) {
        (Some(ruling), _) => format!("hand-{ruling}"),
        (None, Some(first)) => first.entry.id.clone(),
        (None, None) => String::new(),
    }
}

/// The open draft of a digest, or what would be one, as editors see it for readers of a language.
///
/// # Errors
/// When the store fails.
pub fn view(
    store: &Store,
    catalog: Catalog,
    digest: &Digest,
    language: &str,
    now: Timestamp,
) -> Result<DeskView, StoreError> {
    let (news, draft, rulings, log) = store.read(|r| {
        let news = DigestNews::of(r, digest)?;
        let draft = r.desk().open_draft(&digest.id)?;
        let rulings = draft.as_ref().map(|draft| r.desk().rulings_on(draft.key)).transpose()?;
        let rulings = rulings.unwrap_or_default();
        let log = log(r, &rulings)?;
        Ok::<_, StoreError>((news, draft, rulings, log))
    })?;
    let interests = digest::interests(digest);
    let desk = DeskReader { catalog, digest, language, interests, news: &news, draft };
    let (stories, leads) = news.stories(language, &catalog.channel.title);
    let slot = desk.draft.as_ref().map(|draft| draft.slot).or_else(|| digest.schedule.next_slot(now));
    let introduction = news.own.introduction(language);
    Ok(DeskView {
        digest: digest.id.to_string(),
        slot: slot.unwrap_or(now),
        version: rulings.last().map_or(0, |ruling| ruling.key.0),
        waits: digest.waits_for_editors(),
        is_released: news.own.is_released,
        language: language.to_owned(),
        is_introduction_everywhere: introduction.is_some_and(|text| text.is_everywhere),
        introduction: introduction.map(|text| text.text.clone()).unwrap_or_default(),
        groups: desk.groups(&stories, leads),
        left_out: desk.left_out(&stories),
        log,
    })
}

/// What stories are shown with.
struct DeskReader<'a> {
    catalog: Catalog<'a>,
    digest: &'a Digest,
    language: &'a str,
    interests: Interests,
    news: &'a DigestNews,
    draft: Option<Draft>,
}

impl DeskReader<'_> {
    /// The stories under the headings of the issue.
    fn groups(&self, stories: &[Story], leads: usize) -> Vec<DeskGroup> {
        let t = phrases(spoken(self.language, &self.catalog.channel.language));
        let topics = self.catalog.topics.iter().filter(|topic| self.interests.has_topic(&topic.id));
        let headings: Vec<(&str, &str)> = [("", t["editors_choice"])]
            .into_iter()
            .chain(topics.map(|topic| (topic.id.as_str(), topic.label(self.language))))
            .chain([("", t["other_topics"])])
            .collect();
        let mut groups: Vec<DeskGroup> = headings
            .iter()
            .map(|(_, label)| DeskGroup { label: (*label).to_owned(), stories: Vec::new() })
            .collect();
        for (position, story) in stories.iter().enumerate() {
            let topics = story.topics();
            let topic = topics.iter().find(|topic| self.interests.has_topic(&topic.topic));
            let of_topic =
                topic.and_then(|topic| headings.iter().position(|(id, _)| *id == topic.topic.as_str()));
            let at = if position < leads { 0 } else { of_topic.unwrap_or(headings.len() - 1) };
            let shown = self.story(story, position >= self.digest.entries_max);
            groups[at].stories.push(shown);
        }
        groups.retain(|group| !group.stories.is_empty());
        groups.iter_mut().for_each(|group| join_neighbours(&mut group.stories));
        groups
    }

    fn left_out(&self, stories: &[Story]) -> Vec<DeskStory> {
        let is_in = |story: &Story| stories.iter().any(|other| other.id == story.id);
        let others = self.news.picked.iter().filter(|story| !is_in(story));
        others.map(|story| self.story(story, false)).collect()
    }

    fn story(&self, story: &Story, is_beyond: bool) -> DeskStory {
        let language = self.language;
        let draft = self.draft.as_ref().map(|draft| draft.key);
        let text = |field| self.news.rulings.text_of(story, field, language, draft);
        let (headline, summary) = (text(DeskField::Headline), text(DeskField::Summary));
        let place = match self.news.rulings.place_of(story) {
            StoryPlace::Pinned { .. } => "pinned",
            StoryPlace::Dropped => "dropped",
            StoryPlace::Held { draft: holding, is_open: true } if Some(holding) == draft => "held",
            StoryPlace::Held { .. } | StoryPlace::Free => "free",
        };
        let StoryView { title, summary: shown, url, language, dir, partner, date, .. } =
            view_among(self.catalog, story, language, &self.interests);
        DeskStory {
            key: story.anchor().0,
            id: name_of(story),
            place,
            is_by_hand: story.anchor().hand().is_some(),
            is_beyond,
            before: None,
            after: None,
            is_everywhere: headline.or(summary).is_some_and(|text| text.is_everywhere),
            headline: headline.map(|text| text.text.clone()).unwrap_or_default(),
            own_summary: summary.map(|text| text.text.clone()).unwrap_or_default(),
            title,
            summary: shown,
            url,
            language,
            dir,
            partner,
            date,
        }
    }
}

/// Tells each story who stands before and after it.
fn join_neighbours(stories: &mut [DeskStory]) {
    let keys: Vec<i64> = stories.iter().map(|story| story.key).collect();
    for (at, story) in stories.iter_mut().enumerate() {
        story.before = at.checked_sub(1).map(|before| keys[before]);
        story.after = keys.get(at + 1).copied();
    }
}

/// The rulings as they are listed, the last first.
fn log<A>(unit: &Unit<A>, rulings: &[DeskRuling]) -> Result<Vec<DeskLogLine>, StoreError> {
    let last = last(rulings).map(|ruling| ruling.key);
    let title = |key: EntryKey| {
        let by_hand = key.hand().and_then(|hand| rulings.iter().find(|ruling| ruling.key == hand));
        if let Some(DeskRuling { action: DeskAction::Add(story), .. }) = by_hand {
            return Ok(story.title.clone());
        }
        let entry = unit.entries().get_if_there(key)?;
        Ok::<_, StoreError>(entry.map(|entry| entry.entry.headline()).unwrap_or_default())
    };
    let line = |ruling: &DeskRuling| {
        let mut about = ruling.action.story().map(title).transpose()?.unwrap_or_default();
        let (mut language, mut undid) = (String::new(), None);
        match &ruling.action {
            DeskAction::Write(text) => {
                let divider = if about.is_empty() || text.text.is_empty() { "" } else { " → " };
                about = format!("{about}{divider}{}", text.text);
                language.clone_from(&text.language);
            }
            DeskAction::Add(story) => {
                about.clone_from(&story.title);
                language.clone_from(&story.language);
            }
            DeskAction::Undo(key) => undid = Some(key.0),
            DeskAction::Merge { other, .. } => about = format!("{about} + {}", title(*other)?),
            _ => {}
        }
        Ok(DeskLogLine {
            number: ruling.key.0,
            at: ruling.at,
            who: ruling.who.clone(),
            what: ruling.action.as_str(),
            about,
            language,
            undid,
            is_undone: ruling.undone.is_some(),
            is_last: Some(ruling.key) == last,
        })
    };
    rulings.iter().rev().map(line).collect()
}
