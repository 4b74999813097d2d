//! The desk: editors rule on the next issue of a digest. Each ruling is one unit of work, so that two editors, or two processes, lose
//! nothing of each other.

pub mod reading;
pub mod view;

use std::collections::HashSet;

use jiff::Timestamp;

use crate::model::desk::{DeskAction, DeskRuling, DeskText, Draft, StoryPlace, StoryRulings, conflict};
use crate::model::digest::Digest;
use crate::model::keys::{DraftKey, EntryKey, RulingKey};
use crate::model::story::Story;
use crate::pipeline::maintenance;
use crate::store::{Store, StoreError, Unit, Write};

/// What became of a ruling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeskOutcome {
    Done(RulingKey),
    /// It held already.
    Already,
    /// The issue went out before.
    Closed,
    /// Somebody else wrote something else in the same place after its editor had looked.
    Conflict(Box<DeskRuling>),
    /// There is no such story, or nothing to undo.
    NotThere,
}

/// The draft of the next issue of a digest, which is opened if there is none.
///
/// # Errors
/// When the store fails.
pub fn open(store: &Store, digest: &Digest, now: Timestamp) -> Result<Draft, StoreError> {
    if let Some(draft) = store.read(|r| r.desk().open_draft(&digest.id))? {
        return Ok(draft);
    }
    store.write(|w| open_within(w, digest, now))
}

/// Like `open`, within a unit of work.
///
/// # Errors
/// When the store fails.
pub fn open_within(unit: &Unit<Write>, digest: &Digest, now: Timestamp) -> Result<Draft, StoreError> {
    if let Some(draft) = unit.desk().open_draft(&digest.id)? {
        return Ok(draft);
    }
    let filled = unit.mailing().last_slot(&digest.id, now)?;
    // A slot that is due and was not filled yet is the next one.
    let due = digest.schedule.last_slot(now).filter(|slot| filled.is_some_and(|filled| filled < *slot));
    let slot = due.or_else(|| digest.schedule.next_slot(now)).unwrap_or(now);
    unit.desk().open(&digest.id, slot, now)
}

/// Closes a draft whose issue is queued: what was pinned in it is public from now on.
///
/// # Errors
/// When the store fails.
pub fn close(unit: &Unit<Write>, draft: &Draft, seen: EntryKey, now: Timestamp) -> Result<(), StoreError> {
    for ruling in unit.desk().rulings_on(draft.key)? {
        match ruling.action {
            DeskAction::Pin(story) if ruling.undone.is_none() => unit.desk().mark_dirty(story)?,
            _ => {}
        }
    }
    unit.desk().close(draft.key, now, seen)
}

/// Which stories editors chose, in an issue that has gone.
///
/// # Errors
/// When the store fails.
pub fn chosen<'a, A>(
    unit: &Unit<A>,
    stories: impl Iterator<Item = &'a Story>,
) -> Result<HashSet<String>, StoreError> {
    let stories: Vec<&Story> = stories.collect();
    let rulings = rulings_on(unit, stories.iter().copied())?;
    let is_chosen = |story: &&Story| rulings.place_of(story) == StoryPlace::Pinned { is_open: false };
    Ok(stories.into_iter().filter(is_chosen).map(|story| story.id.clone()).collect())
}

/// The rulings on some stories.
fn rulings_on<'a, A>(
    unit: &Unit<A>,
    stories: impl Iterator<Item = &'a Story>,
) -> Result<StoryRulings, StoreError> {
    let entries: Vec<EntryKey> =
        stories.flat_map(|story| &story.versions).map(|version| version.order).collect();
    Ok(StoryRulings::of(&unit.desk().rulings_about(&entries)?))
}

/// Stories with the texts that editors wrote for all readers of a language.
///
/// # Errors
/// When the store fails.
pub fn edited<A>(unit: &Unit<A>, mut stories: Vec<Story>) -> Result<Vec<Story>, StoreError> {
    let rulings = rulings_on(unit, stories.iter())?;
    stories.iter_mut().for_each(|story| rulings.edit(story, None));
    Ok(stories)
}

/// The same, without those that nobody is to get by mail, now or at all.
///
/// # Errors
/// When the store fails.
pub fn mailed<A>(unit: &Unit<A>, mut stories: Vec<Story>) -> Result<Vec<Story>, StoreError> {
    let rulings = rulings_on(unit, stories.iter())?;
    stories.retain(|story| {
        !matches!(rulings.place_of(story), StoryPlace::Dropped | StoryPlace::Held { is_open: true, .. })
    });
    stories.iter_mut().for_each(|story| rulings.edit(story, None));
    Ok(stories)
}

/// Rules on a draft. `base` is the version of the draft that the editor saw; without it, a text replaces whatever stands there.
///
/// # Errors
/// When the store fails; nothing is changed then.
pub fn rule(
    store: &Store,
    draft: DraftKey,
    action: &DeskAction,
    who: &str,
    base: Option<RulingKey>,
    now: Timestamp,
) -> Result<DeskOutcome, StoreError> {
    store.write(|w| {
        match w.desk().draft(draft)? {
            Some(Draft { closed: None, .. }) => {}
            _ => return Ok(DeskOutcome::Closed),
        }
        let rulings = w.desk().rulings_on(draft)?;
        if let Some(outcome) = obstacle(w, &rulings, action, base)? {
            return Ok(outcome);
        }
        let undone = match action {
            DeskAction::Undo(key) => rulings.iter().find(|ruling| ruling.key == *key),
            _ => None,
        };
        let changed = undone.map_or(action, |ruling| &ruling.action);
        if changed.is_public()
            && let Some(story) = changed.story()
        {
            w.desk().mark_dirty(story)?;
        }
        if let DeskAction::Merge { story, other } = action
            && let Some(outcome) = merge(w, *story, *other, now)?
        {
            return Ok(outcome);
        }
        w.desk().put(draft, action, who, now).map(DeskOutcome::Done)
    })
}

/// Merges two stories; what became of it if it was not done.
fn merge(
    unit: &Unit<Write>,
    story: EntryKey,
    other: EntryKey,
    now: Timestamp,
) -> Result<Option<DeskOutcome>, StoreError> {
    let entries = (unit.entries().get_if_there(story)?, unit.entries().get_if_there(other)?);
    let (Some(one), Some(other)) = entries else { return Ok(Some(DeskOutcome::NotThere)) };
    if one.story == other.story {
        return Ok(Some(DeskOutcome::Already));
    }
    let is_done = maintenance::merge_within(unit, &one, &other, now)?;
    Ok((!is_done).then_some(DeskOutcome::NotThere))
}

/// Why a ruling is not made, if it is not.
fn obstacle(
    unit: &Unit<Write>,
    rulings: &[DeskRuling],
    action: &DeskAction,
    base: Option<RulingKey>,
) -> Result<Option<DeskOutcome>, StoreError> {
    let holds = || rulings.iter().filter(|ruling| ruling.undone.is_none());
    if let DeskAction::Undo(key) = action {
        let undone = rulings.iter().find(|ruling| ruling.key == *key);
        return Ok(match undone {
            None => Some(DeskOutcome::NotThere),
            Some(ruling) if !ruling.action.can_be_undone() => Some(DeskOutcome::NotThere),
            Some(ruling) if ruling.undone.is_some() => Some(DeskOutcome::Already),
            Some(_) => None,
        });
    }
    for story in action.story().into_iter().chain(action.other()) {
        let is_there = match story.hand() {
            // What was written for an issue cannot wait for another one, and is no story of the store.
            Some(_) if matches!(action, DeskAction::Hold(_) | DeskAction::Merge { .. }) => false,
            Some(key) => holds().any(|known| known.key == key && matches!(known.action, DeskAction::Add(_))),
            None => unit.intake().story_key_of(story)?.is_some(),
        };
        if !is_there {
            return Ok(Some(DeskOutcome::NotThere));
        }
    }
    if let (DeskAction::Write(text), Some(base)) = (action, base)
        && let Some(other) = conflict(rulings, text, base)
    {
        return Ok(Some(DeskOutcome::Conflict(Box::new(other.clone()))));
    }
    Ok(is_already(rulings, action).then_some(DeskOutcome::Already))
}

/// Whether the last word on the same matter says the same: a form was sent twice, or two editors agree.
fn is_already(rulings: &[DeskRuling], action: &DeskAction) -> bool {
    let is_place = |action: &DeskAction| {
        matches!(
            action,
            DeskAction::Pin(_) | DeskAction::Drop(_) | DeskAction::Hold(_) | DeskAction::Clear(_)
        )
    };
    let is_same_place = |one: &DeskText, other: &DeskText| {
        (one.field, one.story, &one.language) == (other.field, other.story, &other.language)
    };
    let is_about_the_same = |other: &DeskAction| match (action, other) {
        (DeskAction::Write(one), DeskAction::Write(other)) => is_same_place(one, other),
        (DeskAction::Release, DeskAction::Release) => true,
        (DeskAction::Add(one), DeskAction::Add(other)) => one == other,
        (one, other) => is_place(one) && is_place(other) && one.story() == other.story(),
    };
    let mut holding = rulings.iter().rev().filter(|ruling| ruling.undone.is_none());
    holding.find(|ruling| is_about_the_same(&ruling.action)).is_some_and(|ruling| ruling.action == *action)
}

/// The last ruling on a draft that can be undone.
pub fn last(rulings: &[DeskRuling]) -> Option<&DeskRuling> {
    let can_be = |ruling: &&DeskRuling| ruling.undone.is_none() && ruling.action.can_be_undone();
    rulings.iter().rev().find(can_be)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::desk::{DeskField, HandStory};
    use crate::model::digest::{DigestId, WithoutAnswer};
    use crate::model::schedule::Schedule;
    use crate::model::store_url::StoreUrl;
    use crate::store::interleavings::interleave;
    use crate::store::samples::on_each_database;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn digest() -> Digest {
        Digest {
            id: DigestId::from("weekly"),
            title: "Weekly".into(),
            language: "en".into(),
            schedule: Schedule::parse("Mon 08:00 UTC").unwrap(),
            topics: vec![],
            languages: vec![],
            entries_max: 10,
            recipients: vec![],
            without_answer: WithoutAnswer::Send,
            review_seconds: None,
            editors: vec![],
        }
    }

    fn store(url: &StoreUrl) -> Store {
        Store::open(url, "desk").unwrap()
    }

    fn introduction(text: &str) -> DeskAction {
        let (field, story, language) = (DeskField::Introduction, None, "en".to_owned());
        DeskAction::Write(DeskText { field, story, language, text: text.into(), is_everywhere: false })
    }

    fn hand(title: &str) -> DeskAction {
        let (title, language) = (title.to_owned(), "en".to_owned());
        DeskAction::Add(HandStory { title, text: "Text".into(), url: None, topic: None, language })
    }

    #[test]
    fn two_processes_open_one_draft_for_the_slot_that_comes_next() {
        on_each_database("drafts", |url| {
            drop(store(url));
            let now = at("2022-10-20T08:00:00Z");
            let open = |w: &Unit<Write>| open_within(w, &digest(), now);
            let (one, other) = interleave(url, open, open);
            assert_eq!((one.key, one.slot), (other.key, at("2022-10-24T08:00:00Z")));
            let store = store(url);
            store.write(|w| w.desk().close(one.key, now, EntryKey::BEFORE_ALL)).unwrap();
            let next = super::open(&store, &digest(), now).unwrap();
            assert!(next.key > one.key && super::open(&store, &digest(), now).unwrap() == next);
        });
    }

    #[test]
    fn what_two_editors_do_at_once_is_all_there_in_its_order() {
        on_each_database("editors", |url| {
            let now = at("2022-10-20T08:00:00Z");
            let draft = super::open(&store(url), &digest(), now).unwrap().key;
            let put = |who: &'static str, action: DeskAction| {
                move |w: &Unit<Write>| w.desk().put(draft, &action, who, now)
            };
            let (one, other) = interleave(url, put("a", hand("One")), put("b", introduction("Hello")));
            let store = store(url);
            let (rulings, revision) = store
                .read(|r| Ok::<_, StoreError>((r.desk().rulings_on(draft)?, r.desk().revision()?)))
                .unwrap();
            let made: Vec<_> = rulings.iter().map(|ruling| (ruling.key, ruling.who.as_str())).collect();
            assert_eq!(made, [(one, "a"), (other, "b")]);
            assert_eq!(rulings[0].action, hand("One"));
            assert_eq!((rulings[1].action.clone(), revision), (introduction("Hello"), other));
        });
    }

    #[test]
    fn a_text_that_was_written_over_an_old_one_is_refused_and_nothing_is_lost() {
        on_each_database("conflicts", |url| {
            let (store, now) = (store(url), at("2022-10-20T08:00:00Z"));
            let draft = super::open(&store, &digest(), now).unwrap().key;
            let rule = |who: &str, action: &DeskAction, base: Option<RulingKey>| {
                super::rule(&store, draft, action, who, base, now).unwrap()
            };
            let seen = Some(RulingKey(0));
            let DeskOutcome::Done(first) = rule("a", &introduction("One"), seen) else { panic!() };
            let DeskOutcome::Conflict(stands) = rule("b", &introduction("Two"), seen) else { panic!() };
            assert_eq!((stands.who.as_str(), &stands.action), ("a", &introduction("One")));
            assert_eq!(rule("b", &introduction("One"), seen), DeskOutcome::Already);
            assert!(matches!(rule("b", &hand("Another field"), seen), DeskOutcome::Done(_)));
            assert!(matches!(rule("b", &introduction("Two"), Some(first)), DeskOutcome::Done(_)));
            // Without a version, as on the command line, what stands is replaced.
            assert!(matches!(rule("c", &introduction("Three"), None), DeskOutcome::Done(_)));
        });
    }

    #[test]
    fn a_ruling_is_undone_once_and_none_is_made_after_the_issue_has_gone() {
        on_each_database("undone", |url| {
            let (store, now) = (store(url), at("2022-10-20T08:00:00Z"));
            let draft = super::open(&store, &digest(), now).unwrap().key;
            let rule = |action: &DeskAction| super::rule(&store, draft, action, "a", None, now).unwrap();
            let DeskOutcome::Done(key) = rule(&hand("One")) else { panic!() };
            assert_eq!(rule(&hand("One")), DeskOutcome::Already, "a form that is sent twice");
            let story = key.story();
            assert!(matches!(rule(&DeskAction::Pin(story)), DeskOutcome::Done(_)));
            assert_eq!(rule(&DeskAction::Pin(story)), DeskOutcome::Already);
            assert_eq!(rule(&DeskAction::Hold(story)), DeskOutcome::NotThere, "it is of this issue only");
            assert!(matches!(rule(&DeskAction::Undo(key)), DeskOutcome::Done(_)));
            assert_eq!(rule(&DeskAction::Undo(key)), DeskOutcome::Already);
            assert_eq!(rule(&DeskAction::Drop(story)), DeskOutcome::NotThere);
            assert_eq!(rule(&DeskAction::Pin(EntryKey(77))), DeskOutcome::NotThere);
            assert_eq!(rule(&DeskAction::Undo(RulingKey(99))), DeskOutcome::NotThere);
            let rulings = store.read(|r| r.desk().rulings_on(draft)).unwrap();
            assert!(matches!(last(&rulings).unwrap().action, DeskAction::Pin(_)));
            store.write(|w| w.desk().close(draft, now, EntryKey::BEFORE_ALL)).unwrap();
            assert_eq!(rule(&DeskAction::Release), DeskOutcome::Closed);
            assert_eq!(store.read(|r| r.desk().rulings_on(draft)).unwrap().len(), rulings.len());
        });
    }
}
