//! The desk: the next issue of a digest as editors shape it. What they rule is kept as it was said, in its order; what holds is the
//! outcome of all that was not undone. Rulings know a story by an entry of it, so that they stay with what was read when entries are
//! grouped anew.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::address::parse_web_url;
use super::entry::{Entry, Identity};
use super::keys::{DraftKey, EntryKey, RulingKey};
use super::story::{Relation, StoredEntry, Story};
use super::topic::TopicMatch;
use crate::support::text::{is_same_language, one_line, printable};

/// Limits of what editors write, in characters.
const HEADLINE_CHARS_MAX: usize = 300;
const TEXT_CHARS_MAX: usize = 5_000;
/// The score of a topic that an editor gave to a story by hand.
const HAND_SCORE: u32 = 1;

/// The next issue of a digest. One is open at a time; it is closed when its issue is queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub key: DraftKey,
    pub digest: super::digest::DigestId,
    /// The slot that it was opened for.
    pub slot: Timestamp,
    pub opened: Timestamp,
    /// When the editors were sent it.
    pub mailed: Option<Timestamp>,
    pub closed: Option<Timestamp>,
}

/// A text that editors write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeskField {
    Headline,
    Summary,
    /// Above the stories of the issue.
    Introduction,
}

impl DeskField {
    pub const ALL: [DeskField; 3] = [DeskField::Headline, DeskField::Summary, DeskField::Introduction];

    pub fn as_str(self) -> &'static str {
        match self {
            DeskField::Headline => "headline",
            DeskField::Summary => "summary",
            DeskField::Introduction => "introduction",
        }
    }
}

/// A text by an editor, for readers of a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskText {
    pub field: DeskField,
    /// The story that it is about; of an introduction, none.
    pub story: Option<EntryKey>,
    /// BCP 47.
    pub language: String,
    /// Empty takes back what stood there.
    pub text: String,
    /// In everything that is published in that language, not only in this issue.
    pub is_everywhere: bool,
}

/// A story that an editor wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandStory {
    pub title: String,
    pub text: String,
    pub url: Option<String>,
    pub topic: Option<String>,
    /// BCP 47.
    pub language: String,
}

/// What an editor rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeskAction {
    /// The story leads.
    Pin(EntryKey),
    /// Nobody gets the story.
    Drop(EntryKey),
    /// The story waits for the issue after this one.
    Hold(EntryKey),
    /// None of these any more.
    Clear(EntryKey),
    /// The story stands right before another one, or after it.
    Move {
        story: EntryKey,
        other: EntryKey,
        is_after: bool,
    },
    /// Two stories are one, for good.
    Merge {
        story: EntryKey,
        other: EntryKey,
    },
    Write(DeskText),
    Add(HandStory),
    /// The issue may go, if it waits for that.
    Release,
    Undo(RulingKey),
}

impl DeskAction {
    /// As it is stored, and as people say it on the command line.
    pub fn as_str(&self) -> &'static str {
        match self {
            DeskAction::Pin(_) => "pin",
            DeskAction::Drop(_) => "drop",
            DeskAction::Hold(_) => "hold",
            DeskAction::Clear(_) => "clear",
            DeskAction::Move { is_after: false, .. } => "before",
            DeskAction::Move { is_after: true, .. } => "after",
            DeskAction::Merge { .. } => "merge",
            DeskAction::Write(text) => text.field.as_str(),
            DeskAction::Add(_) => "add",
            DeskAction::Release => "release",
            DeskAction::Undo(_) => "undo",
        }
    }

    /// The story that it is about, if it is about one.
    pub fn story(&self) -> Option<EntryKey> {
        match self {
            DeskAction::Pin(story)
            | DeskAction::Drop(story)
            | DeskAction::Hold(story)
            | DeskAction::Clear(story)
            | DeskAction::Merge { story, .. }
            | DeskAction::Move { story, .. } => Some(*story),
            DeskAction::Write(text) => text.story,
            DeskAction::Add(_) | DeskAction::Release | DeskAction::Undo(_) => None,
        }
    }

    /// Another story that it is about.
    pub fn other(&self) -> Option<EntryKey> {
        match self {
            DeskAction::Move { other, .. } | DeskAction::Merge { other, .. } => Some(*other),
            _ => None,
        }
    }

    /// Whether it can be undone: stories that were merged can only be split.
    pub fn can_be_undone(&self) -> bool {
        !matches!(self, DeskAction::Undo(_) | DeskAction::Merge { .. })
    }

    /// Whether it may change what is published besides mail.
    pub fn is_public(&self) -> bool {
        match self {
            DeskAction::Pin(_) | DeskAction::Drop(_) | DeskAction::Hold(_) | DeskAction::Clear(_) => true,
            DeskAction::Write(text) => text.is_everywhere && text.story.is_some(),
            // A merge marks its stories itself.
            DeskAction::Move { .. } | DeskAction::Merge { .. } => false,
            DeskAction::Add(_) | DeskAction::Release | DeskAction::Undo(_) => false,
        }
    }
}

/// A ruling, with who made it and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskRuling {
    pub key: RulingKey,
    pub draft: DraftKey,
    /// Whether the draft is still open.
    pub is_open: bool,
    pub at: Timestamp,
    pub who: String,
    pub action: DeskAction,
    /// The ruling that undid it.
    pub undone: Option<RulingKey>,
}

impl RulingKey {
    /// The key by which rulings know the story by hand that this ruling added.
    pub fn story(self) -> EntryKey {
        EntryKey(-self.0)
    }
}

impl EntryKey {
    /// The ruling that added this story, if it was written by hand.
    pub fn hand(self) -> Option<RulingKey> {
        (self.0 < 0).then_some(RulingKey(-self.0))
    }
}

impl Story {
    /// The entry by which rulings know the story: its first.
    pub fn anchor(&self) -> EntryKey {
        self.versions.iter().map(|version| version.order).min().unwrap_or(EntryKey::BEFORE_ALL)
    }

    fn has_entry(&self, key: EntryKey) -> bool {
        self.versions.iter().any(|version| version.order == key)
    }
}

impl DeskText {
    /// A text as an editor wrote it, bounded, and a headline on one line.
    pub fn new(field: DeskField, story: Option<EntryKey>, language: &str, text: &str) -> DeskText {
        let text = match field {
            DeskField::Headline => headline(text),
            DeskField::Summary | DeskField::Introduction => prose(text),
        };
        DeskText { field, story, language: language.to_owned(), text, is_everywhere: false }
    }
}

fn headline(text: &str) -> String {
    one_line(text).chars().take(HEADLINE_CHARS_MAX).collect()
}

fn prose(text: &str) -> String {
    let text = printable(text.replace("\r\n", "\n"));
    text.trim().chars().take(TEXT_CHARS_MAX).collect::<String>()
}

impl HandStory {
    /// A story as an editor wrote it.
    ///
    /// # Errors
    /// When it has no title, or its address is none: in words.
    pub fn new(
        title: &str,
        text: &str,
        url: &str,
        topic: Option<String>,
        language: &str,
    ) -> Result<HandStory, String> {
        let (title, url) = (headline(title), url.trim());
        if title.is_empty() {
            return Err("a story needs a title".into());
        }
        let url = if url.is_empty() { None } else { Some(parse_web_url(url)?.to_string()) };
        Ok(HandStory { title, text: prose(text), url, topic, language: language.to_owned() })
    }

    /// The story as issues show it; `partner` is who publishes it.
    fn story(&self, key: RulingKey, at: Timestamp, partner: &str) -> Story {
        let id = format!("desk-{key}");
        let topic = |topic: &String| TopicMatch {
            topic: topic.clone(),
            score: HAND_SCORE,
            evidence: Vec::new(),
            weights: Vec::new(),
        };
        let entry = Entry {
            id: id.clone(),
            source: String::new(),
            guid: None,
            identity: Identity::Guid(id.clone()),
            url: self.url.clone(),
            same_as: Vec::new(),
            title: self.title.clone(),
            summary: self.text.clone(),
            summary_html: None,
            content_html: None,
            language: Some(self.language.clone()),
            language_confidence: None,
            published: None,
            updated: None,
            authors: Vec::new(),
            tags: Vec::new(),
            image: None,
            enclosures: Vec::new(),
            alternates: Vec::new(),
            provenance: None,
            event: None,
            fingerprint: String::new(),
        };
        let version = StoredEntry {
            entry,
            partner: partner.to_owned(),
            first_seen: at,
            changed: at,
            topics: self.topic.iter().map(topic).collect(),
            story: id.clone(),
            relation: Relation::First,
            reason: None,
            announced: 0,
            order: key.story(),
            source_position: 0,
        };
        Story { id, versions: vec![version] }
    }
}

/// Where a story belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoryPlace {
    /// Nobody ruled.
    Free,
    /// It leads; and whether the draft on which that was ruled is still open.
    Pinned {
        is_open: bool,
    },
    Dropped,
    /// It waits until the draft is closed.
    Held {
        draft: DraftKey,
        is_open: bool,
    },
}

/// What holds of stories, whichever draft it was ruled on.
#[derive(Debug, Default)]
pub struct StoryRulings {
    places: HashMap<EntryKey, (RulingKey, StoryPlace)>,
    texts: HashMap<EntryKey, Vec<(RulingKey, DraftKey, DeskText)>>,
}

impl StoryRulings {
    /// The outcome of rulings, in the order in which they were made.
    pub fn of(rulings: &[DeskRuling]) -> StoryRulings {
        let mut all = StoryRulings::default();
        for ruling in rulings.iter().filter(|ruling| ruling.undone.is_none()) {
            let place = match &ruling.action {
                DeskAction::Pin(_) => StoryPlace::Pinned { is_open: ruling.is_open },
                DeskAction::Drop(_) => StoryPlace::Dropped,
                DeskAction::Hold(_) => StoryPlace::Held { draft: ruling.draft, is_open: ruling.is_open },
                DeskAction::Clear(_) => StoryPlace::Free,
                DeskAction::Write(text) => {
                    if let Some(story) = text.story {
                        all.texts.entry(story).or_default().push((ruling.key, ruling.draft, text.clone()));
                    }
                    continue;
                }
                _ => continue,
            };
            if let Some(story) = ruling.action.story() {
                all.places.insert(story, (ruling.key, place));
            }
        }
        all
    }

    fn last_of(&self, story: &Story) -> Option<(RulingKey, StoryPlace)> {
        let all = story.versions.iter().filter_map(|version| self.places.get(&version.order).copied());
        all.max_by_key(|(key, _)| *key)
    }

    /// Where a story belongs; where several of its entries were ruled on, as was ruled last.
    pub fn place_of(&self, story: &Story) -> StoryPlace {
        self.last_of(story).map_or(StoryPlace::Free, |(_, place)| place)
    }

    /// Whether a story is left out of the issue of a draft: a hold concerns no other digest.
    pub fn is_out_of(&self, story: &Story, draft: Option<DraftKey>) -> bool {
        match self.place_of(story) {
            StoryPlace::Dropped => true,
            StoryPlace::Held { draft: holding, is_open } => is_open && draft == Some(holding),
            StoryPlace::Free | StoryPlace::Pinned { .. } => false,
        }
    }

    /// Moves the stories that are pinned to the beginning, in the order in which they were pinned; returns how many there are.
    fn lead(&self, stories: &mut [Story]) -> usize {
        let pinned = |story: &Story| match self.last_of(story) {
            Some((key, StoryPlace::Pinned { .. })) => Some(key),
            _ => None,
        };
        stories.sort_by_cached_key(|story| pinned(story).map_or((true, RulingKey(0)), |key| (false, key)));
        stories.iter().take_while(|story| pinned(story).is_some()).count()
    }

    /// The text that holds for a story in a language: the one that was written last for this issue or for everything.
    pub fn text_of(
        &self,
        story: &Story,
        field: DeskField,
        language: &str,
        draft: Option<DraftKey>,
    ) -> Option<&DeskText> {
        let texts = story.versions.iter().filter_map(|version| self.texts.get(&version.order)).flatten();
        let fitting = texts.filter(|(_, own, text)| {
            text.field == field
                && is_same_language(&text.language, language)
                && (text.is_everywhere || draft == Some(*own))
        });
        let last = fitting.max_by_key(|(key, ..)| *key)?;
        Some(&last.2).filter(|text| !text.text.is_empty())
    }

    /// Puts the texts of editors in place of those of the source, in the versions of their language.
    pub fn edit(&self, story: &mut Story, draft: Option<DraftKey>) {
        if story.versions.iter().all(|version| !self.texts.contains_key(&version.order)) {
            return;
        }
        for at in 0..story.versions.len() {
            let Some(language) = story.versions[at].entry.language.clone() else { continue };
            let text = |field| self.text_of(story, field, &language, draft).map(|text| text.text.clone());
            let (headline, summary) = (text(DeskField::Headline), text(DeskField::Summary));
            let entry = &mut story.versions[at].entry;
            if let Some(headline) = headline {
                entry.title = headline;
            }
            if let Some(summary) = summary {
                entry.summary = summary;
                entry.summary_html = None;
            }
        }
    }

    /// The same for an issue in one language, which may have a text of an editor where the story has no version in it.
    pub fn edit_for(&self, story: &mut Story, language: &str, draft: Option<DraftKey>) {
        let speaks = |version: &StoredEntry| {
            version.entry.language.as_deref().is_some_and(|own| is_same_language(own, language))
        };
        let headline =
            self.text_of(story, DeskField::Headline, language, draft).map(|text| text.text.clone());
        if let Some(headline) = headline.filter(|_| !story.versions.iter().any(speaks)) {
            let mut version = story.version_for(language).clone();
            let summary = self.text_of(story, DeskField::Summary, language, draft);
            version.entry.summary = summary.map_or_else(String::new, |text| text.text.clone());
            version.entry.summary_html = None;
            version.entry.title = headline;
            version.entry.id = format!("{}-{language}", version.entry.id);
            version.entry.language = Some(language.to_owned());
            story.versions.push(version);
        }
        self.edit(story, draft);
    }
}

/// What holds of the issue of one draft.
#[derive(Debug, Default)]
pub struct DraftRulings {
    draft: Option<DraftKey>,
    moves: Vec<(EntryKey, EntryKey, bool)>,
    introductions: Vec<DeskText>,
    added: Vec<(RulingKey, Timestamp, HandStory)>,
    pub is_released: bool,
    /// The last ruling of all, undone or not: the version of the draft.
    pub version: RulingKey,
}

impl DraftRulings {
    /// The outcome of the rulings of a draft, in the order in which they were made.
    pub fn of(draft: DraftKey, rulings: &[DeskRuling]) -> DraftRulings {
        let version = rulings.last().map(|ruling| ruling.key).unwrap_or_default();
        let mut all = DraftRulings { draft: Some(draft), version, ..DraftRulings::default() };
        for ruling in rulings.iter().filter(|ruling| ruling.undone.is_none()) {
            match &ruling.action {
                DeskAction::Move { story, other, is_after } => all.moves.push((*story, *other, *is_after)),
                DeskAction::Write(text) if text.field == DeskField::Introduction => {
                    all.introductions.retain(|known| !is_same_language(&known.language, &text.language));
                    all.introductions.push(text.clone());
                }
                DeskAction::Add(story) => all.added.push((ruling.key, ruling.at, story.clone())),
                DeskAction::Release => all.is_released = true,
                _ => {}
            }
        }
        all
    }

    /// The introduction in a language, if there is one.
    pub fn introduction(&self, language: &str) -> Option<&DeskText> {
        let own = self.introductions.iter().find(|text| is_same_language(&text.language, language));
        own.filter(|text| !text.text.is_empty())
    }

    /// The stories of an issue in its language, as editors want them, from those that were picked, best first; with the number of
    /// those that lead.
    pub fn arrange(
        &self,
        mut stories: Vec<Story>,
        rulings: &StoryRulings,
        language: &str,
        partner: &str,
    ) -> (Vec<Story>, usize) {
        stories.extend(self.added.iter().map(|(key, at, story)| story.story(*key, *at, partner)));
        stories.retain(|story| !rulings.is_out_of(story, self.draft));
        let leads = rulings.lead(&mut stories);
        for (story, other, is_after) in &self.moves {
            let at = |key: EntryKey| stories.iter().position(|story| story.has_entry(key));
            let (Some(from), Some(to)) = (at(*story), at(*other)) else { continue };
            // Nothing moves into the leading stories, or out of them.
            if from == to || (from < leads) != (to < leads) {
                continue;
            }
            let moved = stories.remove(from);
            let to = if to > from { to - 1 } else { to };
            stories.insert(if *is_after { to + 1 } else { to }, moved);
        }
        stories.iter_mut().for_each(|story| rulings.edit_for(story, language, self.draft));
        (stories, leads)
    }
}

/// The ruling that stands against a text which was written by somebody who had seen the draft up to `base`: a later one in the same
/// place that says something else.
pub fn conflict<'a>(rulings: &'a [DeskRuling], text: &DeskText, base: RulingKey) -> Option<&'a DeskRuling> {
    let last = rulings.iter().rev().find(|ruling| match &ruling.action {
        DeskAction::Write(other) => {
            ruling.undone.is_none()
                && other.field == text.field
                && other.story == text.story
                && is_same_language(&other.language, &text.language)
        }
        _ => false,
    });
    let says_the_same =
        |ruling: &DeskRuling| matches!(&ruling.action, DeskAction::Write(other) if other.text == text.text);
    last.filter(|ruling| ruling.key > base && !says_the_same(ruling))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(order: i64, language: &str) -> StoredEntry {
        let at = Timestamp::from_second(order).unwrap();
        StoredEntry {
            entry: Entry {
                title: format!("Title {order}"),
                summary: format!("Summary {order}"),
                language: Some(language.into()),
                ..Entry::bare("s", &order.to_string())
            },
            partner: "p".into(),
            first_seen: at,
            changed: at,
            topics: vec![],
            story: format!("story-{order}"),
            relation: Relation::First,
            reason: None,
            announced: 1,
            order: EntryKey(order),
            source_position: 0,
        }
    }

    fn story(orders: &[i64]) -> Story {
        let versions = orders.iter().map(|order| version(*order, "es")).collect();
        Story { id: format!("story-{}", orders[0]), versions }
    }

    /// Rulings numbered from 1, all on one open draft.
    fn rulings(actions: Vec<DeskAction>) -> Vec<DeskRuling> {
        let number = |(at, action): (usize, DeskAction)| DeskRuling {
            key: RulingKey(at as i64 + 1),
            draft: DraftKey(7),
            is_open: true,
            at: Timestamp::from_second(at as i64).unwrap(),
            who: "a@example.org".into(),
            action,
            undone: None,
        };
        actions.into_iter().enumerate().map(number).collect()
    }

    fn write(
        field: DeskField,
        story: Option<i64>,
        language: &str,
        text: &str,
        is_everywhere: bool,
    ) -> DeskText {
        let (story, language, text) = (story.map(EntryKey), language.to_owned(), text.to_owned());
        DeskText { field, story, language, text, is_everywhere }
    }

    fn arranged(actions: Vec<DeskAction>, stories: &[&[i64]]) -> (Vec<i64>, usize) {
        let all = rulings(actions);
        let (of_stories, of_draft) = (StoryRulings::of(&all), DraftRulings::of(DraftKey(7), &all));
        let stories = stories.iter().map(|orders| story(orders)).collect();
        let (stories, leads) = of_draft.arrange(stories, &of_stories, "es", "Us");
        (stories.iter().map(|story| story.anchor().0).collect(), leads)
    }

    #[test]
    fn an_issue_is_as_the_last_ruling_on_each_story_says() {
        let (one, two, three) = (EntryKey(1), EntryKey(2), EntryKey(3));
        let hand = HandStory {
            title: "By hand".into(),
            text: "x".into(),
            url: None,
            topic: None,
            language: "es".into(),
        };
        let before = |story, other| DeskAction::Move { story, other, is_after: false };
        let after = |story, other| DeskAction::Move { story, other, is_after: true };
        for (actions, want, leads) in [
            (vec![], vec![1, 2, 3], 0),
            (vec![DeskAction::Pin(three)], vec![3, 1, 2], 1),
            (vec![DeskAction::Pin(three), DeskAction::Pin(two)], vec![3, 2, 1], 2),
            (vec![DeskAction::Pin(three), DeskAction::Clear(three)], vec![1, 2, 3], 0),
            (vec![DeskAction::Drop(one), DeskAction::Hold(two)], vec![3], 0),
            (vec![DeskAction::Drop(one), DeskAction::Pin(one)], vec![1, 2, 3], 1),
            (vec![before(three, one)], vec![3, 1, 2], 0),
            (vec![after(one, three)], vec![2, 3, 1], 0),
            (vec![after(one, two), after(one, three)], vec![2, 3, 1], 0),
            (vec![before(three, three), before(three, EntryKey(9))], vec![1, 2, 3], 0),
            (vec![DeskAction::Pin(three), before(one, three)], vec![3, 1, 2], 1),
            (vec![DeskAction::Add(hand.clone())], vec![1, 2, 3, -1], 0),
            (vec![DeskAction::Add(hand.clone()), DeskAction::Pin(EntryKey(-1))], vec![-1, 1, 2, 3], 1),
            (vec![DeskAction::Add(hand), DeskAction::Drop(EntryKey(-1))], vec![1, 2, 3], 0),
        ] {
            let named = format!("{actions:?}");
            assert_eq!(arranged(actions, &[&[1], &[2], &[3]]), (want, leads), "{named}");
        }
    }

    #[test]
    fn a_ruling_follows_its_entry_into_another_story() {
        let all =
            StoryRulings::of(&rulings(vec![DeskAction::Pin(EntryKey(2)), DeskAction::Drop(EntryKey(1))]));
        assert_eq!(all.place_of(&story(&[2, 5])), StoryPlace::Pinned { is_open: true });
        assert_eq!(all.place_of(&story(&[1, 2])), StoryPlace::Dropped, "as was ruled last");
        assert_eq!(all.place_of(&story(&[5])), StoryPlace::Free);
    }

    #[test]
    fn what_was_undone_does_not_count() {
        let mut all =
            rulings(vec![DeskAction::Pin(EntryKey(1)), DeskAction::Drop(EntryKey(1)), DeskAction::Release]);
        all[1].undone = Some(RulingKey(4));
        all[2].undone = Some(RulingKey(5));
        assert_eq!(StoryRulings::of(&all).place_of(&story(&[1])), StoryPlace::Pinned { is_open: true });
        assert!(!DraftRulings::of(DraftKey(7), &all).is_released);
    }

    #[test]
    fn a_hold_concerns_its_own_digest_until_the_draft_is_closed() {
        let mut all = rulings(vec![DeskAction::Hold(EntryKey(1))]);
        let is_out = |all: &[DeskRuling], draft| StoryRulings::of(all).is_out_of(&story(&[1]), draft);
        assert!(is_out(&all, Some(DraftKey(7))));
        assert!(!is_out(&all, Some(DraftKey(8))) && !is_out(&all, None));
        all[0].is_open = false;
        assert!(!is_out(&all, Some(DraftKey(7))));
    }

    #[test]
    fn a_text_stands_in_its_language_here_or_everywhere() {
        let all = StoryRulings::of(&rulings(vec![
            DeskAction::Write(write(DeskField::Headline, Some(1), "es", "Aquí", false)),
            DeskAction::Write(write(DeskField::Summary, Some(1), "es", "En todas partes", true)),
            DeskAction::Write(write(DeskField::Headline, Some(1), "en", "Here", false)),
        ]));
        let shown = |language: &str, draft: Option<i64>| {
            let mut story = story(&[1]);
            all.edit_for(&mut story, language, draft.map(DraftKey));
            let shown = story.version_for(language).entry.clone();
            (shown.title, shown.summary, shown.language.unwrap())
        };
        let want = |title: &str, summary: &str, language: &str| {
            (title.to_owned(), summary.to_owned(), language.to_owned())
        };
        assert_eq!(shown("es", Some(7)), want("Aquí", "En todas partes", "es"));
        assert_eq!(shown("es-PE", Some(8)), want("Title 1", "En todas partes", "es"));
        assert_eq!(shown("en", Some(7)), want("Here", "", "en"), "the story has no version in English");
        assert_eq!(shown("en", None), want("Title 1", "En todas partes", "es"));
    }

    #[test]
    fn what_editors_write_is_bounded_and_fit_for_a_page() {
        let headline = DeskText::new(DeskField::Headline, None, "en", " A\n<b>\u{7}  title ");
        assert_eq!(headline.text, "A <b> title");
        let long = "x".repeat(10_000);
        assert_eq!(DeskText::new(DeskField::Headline, None, "en", &long).text.len(), HEADLINE_CHARS_MAX);
        assert_eq!(DeskText::new(DeskField::Introduction, None, "en", &long).text.len(), TEXT_CHARS_MAX);
        let text = DeskText::new(DeskField::Introduction, None, "en", "One\r\n\r\nTwo\u{0}\n").text;
        assert_eq!(text, "One\n\nTwo");
        let new = |title: &str, url: &str| HandStory::new(title, "x", url, None, "en");
        assert!(new(" ", "").is_err() && new("A", "javascript:alert(1)").is_err() && new("A", "x").is_err());
        assert_eq!(new("A", " ").unwrap().url, None);
        assert_eq!(new("A", "https://x.example").unwrap().url.unwrap(), "https://x.example/");
    }

    #[test]
    fn a_text_that_somebody_else_wrote_in_the_meantime_is_in_the_way() {
        let all = rulings(vec![
            DeskAction::Write(write(DeskField::Headline, Some(1), "es", "Uno", false)),
            DeskAction::Pin(EntryKey(1)),
            DeskAction::Write(write(DeskField::Introduction, None, "es", "Hola", false)),
        ]);
        let stands = |text: &DeskText, base| conflict(&all, text, RulingKey(base)).map(|ruling| ruling.key.0);
        let headline = write(DeskField::Headline, Some(1), "es", "Dos", false);
        assert_eq!(stands(&headline, 0), Some(1));
        assert_eq!(stands(&headline, 1), None, "its editor saw it");
        assert_eq!(stands(&DeskText { text: "Uno".into(), ..headline.clone() }, 0), None, "it says the same");
        assert_eq!(stands(&DeskText { story: Some(EntryKey(2)), ..headline.clone() }, 0), None);
        assert_eq!(stands(&DeskText { language: "fr".into(), ..headline }, 0), None);
        assert_eq!(stands(&write(DeskField::Introduction, None, "es", "Buenas", false), 2), Some(3));
    }
}
