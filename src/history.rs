//! All that is stored, looked at once more: why an entry is where it is, what an operator says to that, and what another engine or
//! other rules would say. Nothing here makes news of anything: who was told of a story stays told of all that it becomes.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use crate::classify::Classifier;
use crate::dedupe::memory::Memory;
use crate::dedupe::place::{Applicant, Opinion, place};
use crate::digest;
use crate::model::digest::Digest;
use crate::model::entry::Identity;
use crate::model::source::Source;
use crate::model::story::{Relation, StoredEntry, Story};
use crate::model::topic::TopicMatch;
use crate::normalize::entry::entry_id;
use crate::refresh::placing::{Shelves, keys_of, sketch_of};
use crate::store::{Shelf, Store};

/// Entries read, or changed in one transaction, at a time: others have their turn in between.
const BATCH: usize = 500;
const BY_HAND: &str = "by hand";
/// The job of `reclassify`, in the store.
const RECLASSIFY: &str = "reclassify";

/// What is said of an entry's place.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub story: Story,
    /// The nearest entries of other stories, with what stands between.
    pub others: Vec<(StoredEntry, Opinion)>,
    /// What would be said of the entries of its story today.
    pub own: Vec<(StoredEntry, Opinion)>,
}

/// What a look at all entries changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    pub entries: usize,
    pub changed: usize,
}

/// Makes the sketches that are missing, of entries of older versions or edited ones; answers how many.
///
/// # Errors
/// When the store fails; what was done stays.
pub fn sketch_missing(store: &mut Store) -> anyhow::Result<usize> {
    let mut count = 0;
    loop {
        let missing = store.unsketched(BATCH)?;
        if missing.is_empty() {
            return Ok(count);
        }
        let entries = missing.iter().map(|key| store.stored_entry_if_there(*key)).collect::<Result<Vec<_>, _>>()?;
        let work = store.begin()?;
        for (key, stored) in missing.iter().zip(&entries) {
            match stored {
                Some(stored) => work.put_sketch(*key, &sketch_of(&stored.entry, stored.first_seen))?,
                None => work.forget_unsketched(*key)?,
            }
        }
        work.commit()?;
        count += missing.len();
    }
}

/// Why an entry is with whom it is, and why the nearest others are not.
///
/// # Errors
/// When the store fails.
pub fn explain(store: &mut Store, entry: &StoredEntry) -> anyhow::Result<Explanation> {
    let story = store.story_of(entry.order)?;
    let (keys, sketch) = (keys_of(&entry.entry), sketch_of(&entry.entry, entry.first_seen));
    let placing = {
        // Never committed: nothing is written.
        let work = store.begin()?;
        place(Applicant { keys: &keys, sketch: &sketch }, &mut Shelves::new(&work, &entry.entry.id))?
    };
    let mut explanation = Explanation { story, others: Vec::new(), own: Vec::new() };
    for opinion in placing.opinions {
        let other = store.stored_entry(opinion.entry)?;
        let is_own = other.story == entry.story;
        if is_own { explanation.own.push((other, opinion)) } else { explanation.others.push((other, opinion)) }
    }
    Ok(explanation)
}

/// Two entries' stories become one, and stay it.
///
/// # Errors
/// When the store fails; nothing is changed then.
pub fn merge(store: &mut Store, one: &StoredEntry, other: &StoredEntry, now: Timestamp) -> anyhow::Result<()> {
    let (first, second) = if one.order <= other.order { (one, other) } else { (other, one) };
    let mut work = store.begin()?;
    let (into, from) = (work.sketched(first.order)?, work.sketched(second.order)?);
    if let (Some((into, _)), Some((from, _))) = (into, from) {
        work.forget_rulings(into, from)?;
    }
    work.put_ruling(first.order, second.order, true, now)?;
    let differs = first.entry.language.is_some() && second.entry.language.is_some() && first.entry.language != second.entry.language;
    let relation = if differs { Relation::Translation } else { Relation::Copy };
    let reason = format!("{} of \"{}\" ({}): {BY_HAND}", relation.as_str(), first.entry.title, first.entry.source);
    work.set_relation(second.order, relation, Some(&reason))?;
    work.merge_stories(&first.story, std::slice::from_ref(&second.story))?;
    Ok(work.commit()?)
}

/// An entry leaves its story, and stays out of it. Answers from how many it was parted.
///
/// # Errors
/// When the store fails; nothing is changed then.
pub fn split(store: &mut Store, entry: &StoredEntry, now: Timestamp) -> anyhow::Result<usize> {
    let story = store.story_of(entry.order)?;
    let rest: Vec<&StoredEntry> = story.versions.iter().filter(|version| version.order != entry.order).collect();
    let Some(eldest) = rest.first() else { return Ok(0) };
    let own = story_named_after(&entry.entry.id);
    let mut work = store.begin()?;
    for other in &rest {
        work.put_ruling(entry.order, other.order, false, now)?;
    }
    if own == story.id {
        // The story bears its name: it keeps it, and the others move out together.
        let theirs = story_named_after(&eldest.entry.id);
        for other in &rest {
            work.move_entry(other.order, &theirs)?;
        }
    } else {
        work.move_entry(entry.order, &own)?;
    }
    work.set_relation(entry.order, Relation::First, Some(&format!("parted {BY_HAND}")))?;
    if eldest.order > entry.order {
        work.set_relation(eldest.order, Relation::First, None)?;
    }
    work.commit()?;
    Ok(rest.len())
}

fn story_named_after(entry_id_of_first: &str) -> String {
    entry_id("story", &Identity::Guid(entry_id_of_first.to_owned()))
}

/// Puts all entries into stories anew, in the order in which they came, and moves those that belong elsewhere. A run that is killed
/// has moved some; the next moves the rest. `on_step` hears of the entries looked at, and how many there are.
///
/// # Errors
/// When the store fails; what was moved stays moved.
pub fn recluster(store: &mut Store, is_dry: bool, mut on_step: impl FnMut(usize)) -> anyhow::Result<Changes> {
    let mut memory = Memory::default();
    let mut shelves: Vec<Shelf> = Vec::new();
    loop {
        let batch = store.shelf_after(shelves.last().map_or(0, |shelf| shelf.entry), BATCH)?;
        if batch.is_empty() {
            break;
        }
        for mut shelf in batch {
            memory.add(&std::mem::take(&mut shelf.sketch), &shelf.keys);
            shelves.push(shelf);
        }
    }
    let numbers: HashMap<i64, usize> = shelves.iter().enumerate().map(|(number, shelf)| (shelf.entry, number)).collect();
    let rulings: Vec<(usize, usize, bool)> =
        store.rulings()?.iter().filter_map(|(a, b, is_same)| Some((*numbers.get(a)?, *numbers.get(b)?, *is_same))).collect();
    for (a, b, _) in rulings.iter().filter(|(_, _, is_same)| !is_same) {
        memory.keep_apart(*a, *b);
    }
    let decisions = decide(&mut memory, &shelves, &rulings, &mut on_step);
    apply(store, &memory, &shelves, &decisions, is_dry)
}

/// How an entry belongs to an earlier one, and why; `None` for those that begin a story, or stay as they are.
type Decision = Option<(Relation, usize, String)>;

/// Places all entries, one after the other.
fn decide(memory: &mut Memory, shelves: &[Shelf], rulings: &[(usize, usize, bool)], on_step: &mut impl FnMut(usize)) -> Vec<Decision> {
    let mut decisions = Vec::with_capacity(shelves.len());
    // Of stories that began too long ago to be compared, the first entry: what is not found elsewhere stays with it.
    let mut old: HashMap<i64, usize> = HashMap::new();
    for (number, shelf) in shelves.iter().enumerate() {
        memory.begin(number);
        let Some(sketch) = memory.sketch(number) else {
            memory.join(*old.entry(shelf.story).or_insert(number), number);
            decisions.push(None);
            on_step(1);
            continue;
        };
        let Ok(placing) = place(Applicant { keys: &shelf.keys, sketch: &sketch }, memory);
        if let (None, Some(first)) = (placing.decision(), old.get(&shelf.story)) {
            memory.join(*first, number);
        }
        decisions.push(placing.decision().map(|decision| (decision.relation, decision.entry as usize, decision.reason.to_string())));
        for story in placing.decision().iter().map(|decision| decision.story).chain(placing.also.iter().copied()) {
            memory.join(story as usize, number);
        }
        for (a, b, _) in rulings.iter().filter(|(_, b, is_same)| *is_same && *b == number) {
            memory.join(*a, *b);
        }
        memory.end(number, &sketch);
        on_step(1);
    }
    decisions
}

/// Moves the entries whose story changed, a batch at a time.
fn apply(store: &mut Store, memory: &Memory, shelves: &[Shelf], decisions: &[Decision], is_dry: bool) -> anyhow::Result<Changes> {
    // A story stays with the first of its entries; what else it held gets a name of its own.
    let mut heirs: HashMap<i64, usize> = HashMap::new();
    for (number, shelf) in shelves.iter().enumerate() {
        heirs.entry(shelf.story).or_insert_with(|| memory.story(number));
    }
    let mut moves: BTreeMap<usize, usize> = BTreeMap::new();
    for (number, shelf) in shelves.iter().enumerate() {
        let first = memory.story(number);
        let keeps = shelves[first].story == shelf.story && heirs.get(&shelf.story) == Some(&first);
        if !keeps {
            moves.insert(number, first);
        }
    }
    let changes = Changes { entries: shelves.len(), changed: moves.len() };
    if is_dry {
        return Ok(changes);
    }
    let moves: Vec<(usize, usize)> = moves.into_iter().collect();
    for batch in moves.chunks(BATCH) {
        let mut titles = HashMap::new();
        let mut names = HashMap::new();
        for (number, first) in batch {
            let shelf = &shelves[*first];
            if heirs.get(&shelf.story) != Some(first) && !names.contains_key(first) {
                names.insert(*first, story_named_after(&store.stored_entry(shelf.entry)?.entry.id));
            }
            if let Some((_, other, _)) = &decisions[*number] {
                let other = store.stored_entry(shelves[*other].entry)?.entry;
                titles.insert(*number, format!("\"{}\" ({})", other.title, other.source));
            }
        }
        let mut work = store.begin()?;
        for (number, first) in batch {
            let name = match names.get(first) {
                Some(name) => name.clone(),
                None => work.story_id(shelves[*first].story)?,
            };
            work.move_entry(shelves[*number].entry, &name)?;
            let (relation, reason) = match (&decisions[*number], titles.get(number)) {
                (Some((relation, _, reason)), Some(title)) if number != first => (*relation, Some(format!("{} of {title}: {reason}", relation.as_str()))),
                _ if number == first => (Relation::First, None),
                _ => (Relation::Copy, Some(format!("copy: {BY_HAND}"))),
            };
            work.set_relation(shelves[*number].entry, relation, reason.as_deref())?;
        }
        work.commit()?;
    }
    Ok(changes)
}

/// What says what entries are about.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    pub classifier: &'a Classifier,
    /// Their tags count.
    pub sources: &'a [Source],
    /// To those that went out before, a story is no news because its topics changed.
    pub digests: &'a [Digest],
}

impl Desk<'_> {
    fn topics(&self, stored: &StoredEntry) -> Vec<TopicMatch> {
        let entry = &stored.entry;
        let of_source = self.sources.iter().filter(|source| source.id == entry.source).flat_map(|source| &source.tags);
        let tags: Vec<String> = entry.tags.iter().chain(of_source).cloned().collect();
        self.classifier.classify(&entry.title, &entry.summary, &tags, entry.language.as_deref())
    }

    /// The digests that a story was not for, and is with other topics of one entry.
    fn newly_wanting(&self, story: &Story, entry: i64, topics: &[TopicMatch]) -> Vec<&Digest> {
        let mut after = story.clone();
        for version in after.versions.iter_mut().filter(|version| version.order == entry) {
            version.topics = topics.to_vec();
        }
        let wants = |digest: &Digest, story: &Story| story.wanted_since(&digest::tastes(digest)).is_some();
        self.digests.iter().filter(|digest| !wants(digest, story) && wants(digest, &after)).collect()
    }
}

/// Gives an entry topics by hand, or takes them back: then rules and model say again what it is about.
///
/// # Errors
/// When the store fails; nothing is changed then.
pub fn label(store: &mut Store, desk: Desk, entry: &StoredEntry, topics: Option<&[String]>, now: Timestamp) -> anyhow::Result<Vec<TopicMatch>> {
    let matches = topics.map_or_else(|| desk.topics(entry), |topics| desk.classifier.labelled(topics));
    let story = store.story_of(entry.order)?;
    let mut work = store.begin()?;
    work.put_label(entry.order, topics, now)?;
    work.set_topics(entry.order, &matches)?;
    for digest in desk.newly_wanting(&story, entry.order, &matches) {
        work.set_told(&digest.id, &story.id)?;
    }
    work.commit()?;
    Ok(matches)
}

/// Asks rules and model about all entries again. A run that is killed goes on where it was, as long as `fingerprint`, of rules and
/// model, is the same.
///
/// # Errors
/// When the store fails; what was done stays.
pub fn reclassify(store: &mut Store, desk: Desk, fingerprint: &str, mut on_step: impl FnMut(usize)) -> anyhow::Result<Changes> {
    let mut after = store.job(RECLASSIFY, fingerprint)?;
    let mut changes = Changes::default();
    loop {
        let entries = store.entries_after(after, BATCH)?;
        let Some(last) = entries.last() else { break };
        after = last.order;
        let mut changed = Vec::new();
        for stored in &entries {
            let topics = desk.topics(stored);
            if topics != stored.topics {
                changed.push((stored, topics, store.story_of(stored.order)?));
            }
        }
        let mut work = store.begin()?;
        for (stored, topics, story) in &changed {
            // What a person said stands.
            if work.label(&stored.entry.id)?.is_some() {
                continue;
            }
            changes.changed += 1;
            work.set_topics(stored.order, topics)?;
            for digest in desk.newly_wanting(story, stored.order, topics) {
                work.set_told(&digest.id, &story.id)?;
            }
        }
        work.put_job(RECLASSIFY, fingerprint, after)?;
        work.commit()?;
        changes.entries += entries.len();
        on_step(entries.len());
    }
    let mut work = store.begin()?;
    work.end_job(RECLASSIFY)?;
    work.commit()?;
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedupe::sketch::{Parts, sketch};

    #[test]
    fn what_is_too_old_to_be_compared_stays_with_whom_it_was() {
        let titles =
            ["Rome opens its budget", "Quite another headline", "Dakar mends its roads", "Lima plants trees", "Oslo counts its votes", "A third headline"];
        let stories = [1, 1, 3, 3, 5, 1];
        let mut memory = Memory::with_generations_of(2);
        let shelf = |(title, story): (&&str, i64)| {
            let sketch = sketch(&Parts { source: "a", title, ..Parts::default() });
            Shelf { entry: 0, story, relation: Relation::First, reason: None, sketch, keys: Vec::new() }
        };
        let shelves: Vec<Shelf> = titles.iter().zip(stories).map(shelf).collect();
        shelves.iter().for_each(|shelf| memory.add(&shelf.sketch, &shelf.keys));
        let mut steps = 0;
        assert_eq!(decide(&mut memory, &shelves, &[], &mut |step| steps += step), vec![None; 6]);
        // Only the first two are gone: the others are told apart by what they say, but for the one whose story began with those.
        assert_eq!((0..6).map(|number| memory.story(number)).collect::<Vec<_>>(), [0, 0, 2, 3, 4, 0]);
        assert_eq!(steps, 6);
    }
}
