//! What is new for a digest or a subscriber, as editors shape it.

use std::ops::Range;

use crate::digest;
use crate::model::desk::{DraftRulings, StoryPlace, StoryRulings};
use crate::model::digest::Digest;
use crate::model::keys::{EntryKey, RulingKey};
use crate::model::story::Story;
use crate::model::subscriber::Interests;
use crate::store::{StoreError, Unit};
use crate::support::text::is_same_language;

/// Maximum number of stories considered for an issue: months of a large network.
const STORIES_MAX: usize = 5_000;

/// The entries of stories.
fn entries(stories: &[Story]) -> Vec<EntryKey> {
    stories.iter().flat_map(|story| &story.versions).map(|version| version.order).collect()
}

/// Adds stories that are not among others yet.
fn add(stories: &mut Vec<Story>, others: Vec<Story>) {
    for other in others {
        if !stories.iter().any(|story| story.id == other.id) {
            stories.push(other);
        }
    }
}

/// Stories since a mark, and the rulings on them.
pub(super) struct News {
    since: EntryKey,
    owed: Vec<EntryKey>,
    stories: Vec<Story>,
    /// Texts for everybody, newest first: the last entry of their issue, language, text.
    introductions: Vec<(EntryKey, String, String)>,
    rulings: StoryRulings,
    /// The last ruling that was looked at.
    pub(super) revision: RulingKey,
}

/// The stories of a subscriber's issue, and what is not among them yet.
pub(super) struct PersonalStories {
    pub(super) stories: Vec<Story>,
    /// How many of them, the first ones, are pinned.
    pub(super) leads: usize,
    /// Entries whose stories are held back.
    pub(super) held: Vec<EntryKey>,
}

impl News {
    /// What came after the entry `seen`, and what is owed from before.
    pub(super) fn since<A>(unit: &Unit<A>, seen: EntryKey, owed: &[EntryKey]) -> Result<News, StoreError> {
        let mut stories = unit.entries().stories_since(seen, None, STORIES_MAX)?;
        add(&mut stories, unit.entries().stories_of(owed, None)?);
        let rulings = StoryRulings::of(&unit.desk().rulings_about(&entries(&stories))?);
        Ok(News {
            since: seen,
            owed: owed.to_vec(),
            stories,
            introductions: unit.desk().introductions_since(seen)?,
            rulings,
            revision: unit.desk().revision()?,
        })
    }

    /// Whether it has what `since` would have.
    pub(super) fn covers(&self, seen: EntryKey, owed: &[EntryKey]) -> bool {
        self.since <= seen && owed.iter().all(|owed| self.owed.contains(owed))
    }

    /// The newest introduction in a language, if a reader who has seen the entries up to `seen` had none since it was written.
    pub(super) fn introduction(&self, language: &str, seen: EntryKey) -> Option<&str> {
        let mut own = self.introductions.iter().filter(|(_, own, _)| is_same_language(own, language));
        own.next().filter(|(last, _, text)| *last > seen && !text.is_empty()).map(|(.., text)| text.as_str())
    }

    /// The stories for a reader of a language, with those that are pinned first.
    pub(super) fn for_reader(
        &self,
        language: &str,
        interests: &Interests,
        seen: Range<EntryKey>,
        owed: &[EntryKey],
    ) -> PersonalStories {
        let is_held =
            |story: &Story| matches!(self.rulings.place_of(story), StoryPlace::Held { is_open: true, .. });
        let picked = digest::pick(interests, seen, owed, &self.stories);
        let (held, shown): (Vec<&Story>, Vec<&Story>) = picked.into_iter().partition(|story| is_held(story));
        // The entry with which it came to match: if an earlier one joins the story, that one was told.
        let mut held: Vec<EntryKey> = held.iter().filter_map(|story| story.wanted_since(interests)).collect();
        held.sort_unstable();
        let shown = shown.into_iter().cloned().collect();
        let (stories, leads) = DraftRulings::default().arrange(shown, &self.rulings, language, "");
        PersonalStories { stories, leads, held }
    }
}

/// What the next issue of a configured digest is made of.
pub(crate) struct DigestNews {
    /// The last entry considered.
    pub(crate) last: EntryKey,
    pub(crate) own: DraftRulings,
    pub(crate) rulings: StoryRulings,
    /// The last ruling that was looked at.
    pub(crate) revision: RulingKey,
    /// The stories that match and are new, best first, before editors shaped them.
    pub(crate) picked: Vec<Story>,
}

impl DigestNews {
    /// What is new for a digest: since its mark, and what was held back from its last issue.
    pub(crate) fn of<A>(unit: &Unit<A>, digest: &Digest) -> Result<DigestNews, StoreError> {
        let seen = unit.mailing().digest_mark(&digest.id)?.unwrap_or(EntryKey::BEFORE_ALL);
        let last = unit.entries().last()?;
        let mut stories = unit.entries().stories_since(seen, Some(&digest.id), STORIES_MAX)?;
        let held = unit.desk().held_back(&digest.id)?;
        add(&mut stories, unit.entries().stories_of(&held, Some(&digest.id))?);
        let interests = digest::interests(digest);
        let picked = digest::pick(&interests, seen..last, &held, &stories).into_iter().cloned().collect();
        let draft = unit.desk().open_draft(&digest.id)?;
        let on_draft = draft.as_ref().map(|draft| unit.desk().rulings_on(draft.key)).transpose()?;
        let mut about = entries(&stories);
        let own = match (&draft, on_draft) {
            (Some(draft), Some(rulings)) => {
                // Stories by hand too.
                about.extend(rulings.iter().map(|ruling| ruling.key.story()));
                DraftRulings::of(draft.key, &rulings)
            }
            _ => DraftRulings::default(),
        };
        let rulings = StoryRulings::of(&unit.desk().rulings_about(&about)?);
        let revision = unit.desk().revision()?;
        Ok(DigestNews { last, own, rulings, revision, picked })
    }

    /// The stories of the issue in a language, as editors shaped it, with the number of those that lead.
    pub(crate) fn stories(&self, language: &str, partner: &str) -> (Vec<Story>, usize) {
        self.own.arrange(self.picked.clone(), &self.rulings, language, partner)
    }
}
