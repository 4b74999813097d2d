//! Maintenance of everything stored: explaining placements, rulings and labels by operators, reclustering and reclassification.
//! Nothing here makes news: whoever was told of a story counts as told of whatever it becomes.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::classify::Classifier;
use crate::dedupe::grams::Opening;
use crate::dedupe::memory::InMemoryIndex;
use crate::dedupe::place::{NewEntry, place};
use crate::dedupe::placement::Assessment;
use crate::digest;
use crate::model::digest::Digest;
use crate::model::entry::Identity;
use crate::model::key::Key;
use crate::model::keys::{EntryKey, StoryKey};
use crate::model::source::Source;
use crate::model::story::{Relation, StoredEntry, Story};
use crate::model::topic::TopicMatch;
use crate::normalize::entry::entry_id;
use crate::pipeline::refresh::index::StoreIndex;
use crate::pipeline::refresh::prepare::{keys_of, opening_of, sketch_of};
use crate::store::{MarkupScope, Store, StoreError, Unit, Write};

/// Entries read, or changed in one transaction, at a time, so that other writers get their turn.
const BATCH: usize = 500;
/// Sketches added to the feature index in one unit of work.
const REBUILT: usize = 2_000;
/// `last_seen` is only updated daily.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_hours(25);
const BY_HAND: &str = "by hand";
/// The name of the `reclassify` job in the store.
const RECLASSIFY: &str = "reclassify";

/// The explanation of an entry's placement.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub story: Story,
    /// The nearest entries of other stories, with why they differ.
    pub others: Vec<(StoredEntry, Assessment)>,
    /// How the entries of its own story would be assessed today.
    pub own: Vec<(StoredEntry, Assessment)>,
}

/// The result of a pass over all entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PassCounts {
    pub entries: usize,
    pub changed: usize,
}

/// Completes what finding neighbours requires: sketches of entries stored by older versions, and the feature index. `on_step` is
/// called with the number of entries of each batch; it answers whether to go on.
///
/// # Errors
/// When the store fails; what was done is kept.
pub fn make_ready(store: &Store, mut on_step: impl FnMut(usize) -> bool) -> anyhow::Result<()> {
    loop {
        let missing = store.read(|r| {
            let keys = r.intake().unsketched(BATCH)?;
            keys.into_iter()
                .map(|key| Ok((key, r.entries().get_if_there(key)?)))
                .collect::<Result<Vec<_>, StoreError>>()
        })?;
        if missing.is_empty() {
            break;
        }
        let sketches: Vec<_> = missing
            .iter()
            .map(|(key, stored)| {
                (*key, stored.as_ref().map(|stored| sketch_of(&stored.entry, stored.first_seen)))
            })
            .collect();
        store.write(|w| {
            sketches.iter().try_for_each(|(key, sketch)| match sketch {
                Some(sketch) => w.intake().put_sketch(*key, sketch, true),
                None => w.intake().forget_unsketched(*key),
            })
        })?;
        if !on_step(missing.len()) {
            return Ok(());
        }
    }
    loop {
        let added = store.write(|w| w.intake().rebuild_features(REBUILT))?;
        if added == 0 || !on_step(added) {
            return Ok(());
        }
    }
}

/// Deletes entries that their sources stopped listing longer ago than `retention`, in batches; returns how many. A source that
/// cannot be read, or has not changed, keeps its entries; one that is no longer `configured` counts as having stopped listing
/// all of them.
///
/// # Errors
/// When the store fails; what was deleted stays deleted.
pub fn forget_entries(
    store: &Store,
    configured: &[&str],
    retention: SignedDuration,
    now: Timestamp,
) -> anyhow::Result<usize> {
    let Ok(limit) = now.checked_sub(retention) else { return Ok(0) };
    let configured: HashSet<&str> = configured.iter().copied().collect();
    // Most sources have nothing to forget: neither their states are read for that, nor is a unit of work begun.
    let states = store.read(|r| {
        let unseen = r.entries().sources_unseen_since(limit)?;
        r.sources().states_of(&unseen.iter().map(String::as_str).collect::<Vec<_>>())
    })?;
    let mut gone = 0;
    for (source, state) in &states {
        let read_at = state.read_at.or(state.last_success).unwrap_or(Timestamp::MIN);
        // Entries of its last document have a `last_seen` that is precise to the day only.
        let dropped =
            if configured.contains(source.as_str()) { read_at.saturating_sub(SEEN_WITHIN)? } else { now };
        let limit = limit.min(dropped);
        loop {
            let count = store.write(|w| w.entries().forget_unseen(source, limit, BATCH))?;
            gone += count;
            if count < BATCH {
                break;
            }
        }
    }
    Ok(gone)
}

/// Explains why an entry is in its story, and why the nearest other entries are not.
///
/// # Errors
/// When the store fails.
pub fn explain(store: &Store, entry: &StoredEntry) -> anyhow::Result<Explanation> {
    let (keys, sketch) = (keys_of(&entry.entry), sketch_of(&entry.entry, entry.first_seen));
    store.try_out(|w| {
        let story = w.entries().story_of(entry.order)?;
        let intake = place(
            NewEntry { keys: &keys, sketch: &sketch, opening: opening_of(&entry.entry) },
            &mut StoreIndex::but(w, entry.order, &entry.entry.id)?,
        )?;
        let mut explanation = Explanation { story, others: Vec::new(), own: Vec::new() };
        for opinion in intake.opinions {
            let other = w.entries().get(opinion.entry)?;
            let is_own = other.story == entry.story;
            if is_own {
                explanation.own.push((other, opinion))
            } else {
                explanation.others.push((other, opinion))
            }
        }
        Ok(explanation)
    })
}

/// Rules that two entries belong together, and merges their stories.
///
/// # Errors
/// When the store fails; nothing is changed then.
pub fn merge(store: &Store, one: &StoredEntry, other: &StoredEntry, now: Timestamp) -> anyhow::Result<()> {
    let is_done = store.write(|w| merge_within(w, one, other, now))?;
    if is_done { Ok(()) } else { Err(entry_forgotten()) }
}

/// Like `merge`, within a unit of work; `false` if one of them was forgotten.
///
/// # Errors
/// When the store fails.
pub fn merge_within(
    unit: &Unit<Write>,
    one: &StoredEntry,
    other: &StoredEntry,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (first, second) = if one.order <= other.order { (one, other) } else { (other, one) };
    let differs = first.entry.language.is_some()
        && second.entry.language.is_some()
        && first.entry.language != second.entry.language;
    let relation = if differs { Relation::Translation } else { Relation::Copy };
    let reason =
        format!("{} of \"{}\" ({}): {BY_HAND}", relation.as_str(), first.entry.title, first.entry.source);
    let (into, from) = (unit.intake().story_key_of(first.order)?, unit.intake().story_key_of(second.order)?);
    let (Some(into), Some(from)) = (into, from) else { return Ok(false) };
    unit.stories().forget_rulings(into, from)?;
    unit.stories().put_ruling(first.order, second.order, true, now)?;
    unit.stories().set_relation(second.order, relation, Some(&reason))?;
    unit.intake().merge_stories(into, &[from])?;
    Ok(true)
}

fn entry_forgotten() -> anyhow::Error {
    anyhow::anyhow!("the entry was forgotten in the meantime: try again")
}

/// Removes an entry from its story for good. Returns the number of entries it was separated from.
///
/// # Errors
/// When the store fails; nothing is changed then.
pub fn split(store: &Store, entry: &StoredEntry, now: Timestamp) -> anyhow::Result<usize> {
    let own = story_named_after(&entry.entry.id);
    store.write(|w| {
        let story = w.entries().story_of(entry.order)?;
        let rest: Vec<&StoredEntry> =
            story.versions.iter().filter(|version| version.order != entry.order).collect();
        let Some(eldest) = rest.first() else { return Ok(0) };
        for other in &rest {
            w.stories().put_ruling(entry.order, other.order, false, now)?;
        }
        if own == story.id {
            // The story is named after the entry, so it keeps the name and the others move out together.
            let theirs = story_named_after(&eldest.entry.id);
            rest.iter().try_for_each(|other| w.stories().move_entry(other.order, &theirs))?;
        } else {
            w.stories().move_entry(entry.order, &own)?;
        }
        w.stories().set_relation(entry.order, Relation::First, Some(&format!("parted {BY_HAND}")))?;
        if eldest.order > entry.order {
            w.stories().set_relation(eldest.order, Relation::First, None)?;
        }
        Ok(rest.len())
    })
}

fn story_named_after(entry_id_of_first: &str) -> String {
    entry_id("story", &Identity::Guid(entry_id_of_first.to_owned()))
}

/// The current story and the keys of an entry.
#[derive(Debug, Clone, PartialEq)]
struct StoredPlacement {
    entry: EntryKey,
    story: StoryKey,
    keys: Vec<Key>,
}

/// Places all entries again, in their order, and moves those that belong elsewhere. A killed run leaves some moved; the next run
/// moves the rest. `on_step` is called with the number of entries processed.
///
/// # Errors
/// When the store fails; what was moved stays moved.
pub fn recluster(store: &Store, is_dry: bool, mut on_step: impl FnMut(usize)) -> anyhow::Result<PassCounts> {
    let mut memory = InMemoryIndex::default();
    let mut stood: Vec<StoredPlacement> = Vec::new();
    loop {
        let after = stood.last().map_or(EntryKey::BEFORE_ALL, |last| last.entry);
        let batch = store.read(|r| {
            let entries = r.entries().after(after, BATCH, MarkupScope::Without)?;
            let keys: Vec<EntryKey> = entries.iter().map(|entry| entry.order).collect();
            let sketched = r.intake().sketched(&keys)?;
            let sketched: HashMap<_, _> =
                sketched.into_iter().map(|(entry, story, sketch)| (entry, (story, sketch))).collect();
            Ok::<_, StoreError>((entries, sketched))
        })?;
        let (batch, mut sketched) = batch;
        if batch.is_empty() {
            break;
        }
        for entry in batch {
            let Some((story, sketch)) = sketched.remove(&entry.order) else { continue };
            let keys = keys_of(&entry.entry);
            memory.add(&sketch.unwrap_or_default(), &keys);
            stood.push(StoredPlacement { entry: entry.order, story, keys });
        }
    }
    let numbers: HashMap<EntryKey, usize> =
        stood.iter().enumerate().map(|(number, stood)| (stood.entry, number)).collect();
    let rulings = store.read(|r| r.stories().rulings())?;
    let rulings: Vec<(usize, usize, bool)> = rulings
        .iter()
        .filter_map(|(a, b, is_same)| Some((*numbers.get(a)?, *numbers.get(b)?, *is_same)))
        .collect();
    for (a, b, _) in rulings.iter().filter(|(_, _, is_same)| !is_same) {
        memory.keep_apart(*a, *b);
    }
    let opening = |entry| store.read(|r| r.intake().opening(entry));
    let decisions = decide(&mut memory, &stood, &rulings, opening, &mut on_step)?;
    apply(store, &memory, &stood, &decisions, is_dry)
}

/// The relation of an entry to an earlier one, and the reason; `None` if it begins a story or stays as it is.
type PlacementDecision = Option<(Relation, usize, String)>;

/// Places all entries in order.
fn decide(
    memory: &mut InMemoryIndex,
    stood: &[StoredPlacement],
    rulings: &[(usize, usize, bool)],
    opening: impl Fn(EntryKey) -> Result<(String, String), StoreError>,
    on_step: &mut impl FnMut(usize),
) -> Result<Vec<PlacementDecision>, StoreError> {
    let mut decisions = Vec::with_capacity(stood.len());
    // First entries of stories too old to be compared: entries not placed elsewhere stay with them.
    let mut old: HashMap<StoryKey, usize> = HashMap::new();
    for (number, own) in stood.iter().enumerate() {
        memory.begin(number);
        let Some(sketch) = memory.sketch(number) else {
            memory.join(*old.entry(own.story).or_insert(number), number);
            decisions.push(None);
            on_step(1);
            continue;
        };
        let (title, text) = opening(own.entry)?;
        let opening = Opening { title: &title, text: &text };
        let Ok(intake) = place(NewEntry { keys: &own.keys, sketch: &sketch, opening }, memory);
        if let (None, Some(first)) = (intake.decision(), old.get(&own.story)) {
            memory.join(*first, number);
        }
        decisions.push(
            intake
                .decision()
                .map(|decision| (decision.relation, decision.entry.0 as usize, decision.reason.to_string())),
        );
        let joined = intake.decision().map(|decision| decision.story);
        for story in joined.into_iter().chain(intake.also.iter().copied()) {
            memory.join(story.0 as usize, number);
        }
        for (a, b, _) in rulings.iter().filter(|(_, b, is_same)| *is_same && *b == number) {
            memory.join(*a, *b);
        }
        memory.end(number, &sketch, opening);
        on_step(1);
    }
    Ok(decisions)
}

/// Moves the entries whose story changed, in batches.
fn apply(
    store: &Store,
    memory: &InMemoryIndex,
    stood: &[StoredPlacement],
    decisions: &[PlacementDecision],
    is_dry: bool,
) -> anyhow::Result<PassCounts> {
    // A story stays with its first entry; other stories split from it get new ids.
    let mut heirs: HashMap<StoryKey, usize> = HashMap::new();
    for (number, own) in stood.iter().enumerate() {
        heirs.entry(own.story).or_insert_with(|| memory.story(number));
    }
    let mut moves: BTreeMap<usize, usize> = BTreeMap::new();
    for (number, own) in stood.iter().enumerate() {
        let first = memory.story(number);
        let keeps = stood[first].story == own.story && heirs.get(&own.story) == Some(&first);
        if !keeps {
            moves.insert(number, first);
        }
    }
    let changes = PassCounts { entries: stood.len(), changed: moves.len() };
    if is_dry {
        return Ok(changes);
    }
    let moves: Vec<(usize, usize)> = moves.into_iter().collect();
    for batch in moves.chunks(BATCH) {
        store.write(|w| {
            batch
                .iter()
                .try_for_each(|(number, first)| move_one(w, stood, &heirs, decisions, *number, *first))
        })?;
    }
    Ok(changes)
}

/// Moves one entry into the story of another; skipped if either was deleted in the meantime.
fn move_one(
    unit: &Unit<Write>,
    stood: &[StoredPlacement],
    heirs: &HashMap<StoryKey, usize>,
    decisions: &[PlacementDecision],
    number: usize,
    first: usize,
) -> Result<(), StoreError> {
    let (own, eldest) = (stood[number].entry, &stood[first]);
    let (Some(_), Some(head)) =
        (unit.intake().story_key_of(own)?, unit.entries().get_if_there(eldest.entry)?)
    else {
        return Ok(());
    };
    let name =
        if heirs.get(&eldest.story) == Some(&first) { head.story } else { story_named_after(&head.entry.id) };
    unit.stories().move_entry(own, &name)?;
    let other = decisions[number]
        .as_ref()
        .map(|(_, other, _)| unit.entries().get_if_there(stood[*other].entry))
        .transpose()?
        .flatten();
    let (relation, reason) = match (&decisions[number], other) {
        (Some((relation, _, reason)), Some(other)) if number != first => (
            *relation,
            Some(format!(
                "{} of \"{}\" ({}): {reason}",
                relation.as_str(),
                other.entry.title,
                other.entry.source
            )),
        ),
        _ if number == first => (Relation::First, None),
        _ => (Relation::Copy, Some(format!("copy: {BY_HAND}"))),
    };
    unit.stories().set_relation(own, relation, reason.as_deref())
}

/// Assigns topics to entries by rules, model and tags.
#[derive(Clone, Copy)]
pub struct TopicAssigner<'a> {
    pub classifier: &'a Classifier,
    /// Sources, whose tags count.
    pub sources: &'a [Source],
    /// Digests; those that already went out do not get an old story because its topics changed.
    pub digests: &'a [Digest],
}

impl TopicAssigner<'_> {
    fn topics(&self, stored: &StoredEntry) -> Vec<TopicMatch> {
        let entry = &stored.entry;
        let of_source =
            self.sources.iter().filter(|source| source.id == entry.source).flat_map(|source| &source.tags);
        let tags: Vec<String> = entry.tags.iter().chain(of_source).cloned().collect();
        self.classifier.classify(&entry.title, &entry.summary, &tags, entry.language.as_deref())
    }

    /// The digests that a story did not match, and matches with other topics of one entry.
    fn newly_matching_digests(&self, story: &Story, entry: EntryKey, topics: &[TopicMatch]) -> Vec<&Digest> {
        let mut after = story.clone();
        for version in after.versions.iter_mut().filter(|version| version.order == entry) {
            version.topics = topics.to_vec();
        }
        let wants = |digest: &Digest, story: &Story| story.wanted_since(&digest::interests(digest)).is_some();
        self.digests.iter().filter(|digest| !wants(digest, story) && wants(digest, &after)).collect()
    }
}

/// Sets the topics of an entry by hand, or removes them, so that rules and model decide again.
///
/// # Errors
/// When the store fails; nothing is changed then.
pub fn label(
    store: &Store,
    topic_assigner: TopicAssigner,
    entry: &StoredEntry,
    topics: Option<&[String]>,
    now: Timestamp,
) -> anyhow::Result<Vec<TopicMatch>> {
    let matches = topics
        .map_or_else(|| topic_assigner.topics(entry), |topics| topic_assigner.classifier.labelled(topics));
    store.write(|w| {
        let story = w.entries().story_of(entry.order)?;
        w.stories().put_label(entry.order, topics, now)?;
        w.stories().set_topics(entry.order, &matches)?;
        let digests = topic_assigner.newly_matching_digests(&story, entry.order, &matches);
        digests.iter().try_for_each(|digest| w.stories().mark_announced(&digest.id, &story.id))
    })?;
    Ok(matches)
}

/// Classifies all entries again. A killed run is continued by the next as long as `fingerprint`, which covers rules and model,
/// is unchanged.
///
/// # Errors
/// When the store fails; what was done is kept.
pub fn reclassify(
    store: &Store,
    topic_assigner: TopicAssigner,
    fingerprint: &str,
    mut on_step: impl FnMut(usize),
) -> anyhow::Result<PassCounts> {
    let mut after = store.read(|r| r.stories().job(RECLASSIFY, fingerprint))?;
    let mut changes = PassCounts::default();
    loop {
        let entries = store.read(|r| r.entries().after(after, BATCH, MarkupScope::Without))?;
        let Some(last) = entries.last() else { break };
        after = last.order;
        let asked: Vec<(&StoredEntry, Vec<TopicMatch>)> =
            entries.iter().map(|stored| (stored, topic_assigner.topics(stored))).collect();
        changes.changed += store.write(|w| {
            let mut changed = 0;
            for (stored, topics) in asked.iter().filter(|(stored, topics)| *topics != stored.topics) {
                // Labels take precedence, and deleted entries are skipped.
                if w.intake().label(&stored.entry.id)?.is_some()
                    || w.intake().story_key_of(stored.order)?.is_none()
                {
                    continue;
                }
                changed += 1;
                let story = w.entries().story_of(stored.order)?;
                w.stories().set_topics(stored.order, topics)?;
                let digests = topic_assigner.newly_matching_digests(&story, stored.order, topics);
                digests.iter().try_for_each(|digest| w.stories().mark_announced(&digest.id, &story.id))?;
            }
            w.stories().put_job(RECLASSIFY, fingerprint, after)?;
            Ok::<_, StoreError>(changed)
        })?;
        changes.entries += entries.len();
        on_step(entries.len());
    }
    store.write(|w| w.stories().end_job(RECLASSIFY))?;
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedupe::sketch::{SketchInput, sketch};

    #[test]
    fn what_is_too_old_to_be_compared_stays_with_whom_it_was() {
        let titles = [
            "Rome opens its budget",
            "Quite another headline",
            "Dakar mends its roads",
            "Lima plants trees",
            "Oslo counts its votes",
            "A third headline",
        ];
        let stories = [1, 1, 3, 3, 5, 1];
        let mut memory = InMemoryIndex::with_generations_of(2);
        let stood: Vec<StoredPlacement> = stories
            .map(|story| StoredPlacement {
                entry: EntryKey::BEFORE_ALL,
                story: StoryKey(story),
                keys: Vec::new(),
            })
            .into();
        titles.iter().for_each(|title| {
            memory.add(&sketch(&SketchInput { source: "a", title, ..SketchInput::default() }), &[])
        });
        let mut steps = 0;
        let opening = |_| Ok((String::new(), String::new()));
        let decisions = decide(&mut memory, &stood, &[], opening, &mut |step| steps += step).unwrap();
        assert_eq!(decisions, vec![None; 6]);
        // Only the first two have left the memory: the others are told apart by text, except the one whose story began with
        // those.
        assert_eq!((0..6).map(|number| memory.story(number)).collect::<Vec<_>>(), [0, 0, 2, 3, 4, 0]);
        assert_eq!(steps, 6);
    }
}
