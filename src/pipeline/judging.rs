//! What waits for a person's judgement: entries that nearly are one story, and entries whose topic is not certain. What is judged
//! holds from then on, and the model learns from the topics.

use std::collections::HashSet;

use jiff::Timestamp;

use super::maintenance::{merge_within, split};
use crate::model::keys::EntryKey;
use crate::model::story::StoredEntry;
use crate::model::topic::TopicMatch;
use crate::store::{MarkupScope, NearPair, Store, StoreError};

/// Entries among which uncertain topics are looked for: the latest, for readers have read the others.
const ENTRIES_LOOKED_AT: i64 = 300;
/// Pairs that are looked at for each that is shown: some were joined or parted by other means since.
const PAIRS_LOOKED_AT: usize = 5;
/// A topic with fewer points stands on a word of a summary, or on a narrow lead of the model.
const SURE_SCORE: u32 = 3;

/// Two entries to be judged, as they are stored.
#[derive(Debug, Clone, PartialEq)]
pub struct PairToJudge {
    pub pair: NearPair,
    pub entry: StoredEntry,
    pub other: StoredEntry,
}

/// What somebody says of two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairVerdict {
    OneStory,
    Apart,
}

/// The latest pairs that nobody judged yet, the newest first. One that was joined or parted by other means since is none.
///
/// # Errors
/// When the store fails.
pub fn pairs(store: &Store, pairs_max: usize) -> Result<Vec<PairToJudge>, StoreError> {
    store.read(|r| {
        let mut found = Vec::new();
        for pair in r.stories().near_pairs(pairs_max * PAIRS_LOOKED_AT)? {
            if found.len() == pairs_max {
                break;
            }
            let entries = (r.entries().get_if_there(pair.entry)?, r.entries().get_if_there(pair.other)?);
            let (Some(entry), Some(other)) = entries else { continue };
            if (entry.story == other.story) == pair.is_joined {
                found.push(PairToJudge { pair, entry, other });
            }
        }
        Ok(found)
    })
}

/// Rules on two entries for good; `false` if one of them is gone.
///
/// # Errors
/// When the store fails.
pub fn judge(
    store: &Store,
    (entry, other): (EntryKey, EntryKey),
    verdict: PairVerdict,
    now: Timestamp,
) -> anyhow::Result<bool> {
    let both = store.read(|r| {
        Ok::<_, StoreError>((r.entries().get_if_there(entry)?, r.entries().get_if_there(other)?))
    })?;
    let (Some(one), Some(two)) = both else { return Ok(false) };
    if verdict == PairVerdict::Apart && one.story == two.story {
        split(store, &one, now)?;
    }
    Ok(store.write(|w| {
        let stories = (w.intake().story_key_of(entry)?, w.intake().story_key_of(other)?);
        let is_there = match (verdict, stories) {
            (_, (None, _) | (_, None)) => false,
            (PairVerdict::OneStory, (ours, theirs)) if ours != theirs => merge_within(w, &one, &two, now)?,
            _ => {
                w.stories().put_ruling(entry, other, verdict == PairVerdict::OneStory, now)?;
                true
            }
        };
        w.stories().forget_near_pair(entry, other)?;
        Ok::<_, StoreError>(is_there)
    })?)
}

/// The latest entries whose topic is not certain and was given by nobody, the newest first.
///
/// # Errors
/// When the store fails.
pub fn uncertain(store: &Store, entries_max: usize) -> Result<Vec<StoredEntry>, StoreError> {
    store.read(|r| {
        let after = EntryKey(r.entries().last()?.0.saturating_sub(ENTRIES_LOOKED_AT).max(0));
        let latest = r.entries().after(after, ENTRIES_LOOKED_AT as usize, MarkupScope::Without)?;
        let (mut found, mut stories) = (Vec::new(), HashSet::new());
        for entry in latest.into_iter().rev().filter(|entry| is_uncertain(&entry.topics)) {
            if found.len() == entries_max {
                break;
            }
            // One of a story is enough: topics are those of all its versions.
            if stories.insert(entry.story.clone()) && r.intake().label(&entry.entry.id)?.is_none() {
                found.push(entry);
            }
        }
        Ok(found)
    })
}

fn is_uncertain(topics: &[TopicMatch]) -> bool {
    topics.iter().map(|matched| matched.score).max().is_none_or(|best| best < SURE_SCORE)
}
