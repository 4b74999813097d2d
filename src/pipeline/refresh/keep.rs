//! The end of a refresh: one unit of work for many sources. Reads what is stored, asks `decide`, and writes its intents. Faults
//! of one source do not affect others: a unit with a fault is run again with a savepoint for each source.

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};

use anyhow::Context as _;
use jiff::Timestamp;

use super::decide::{self, Intent, SourceDecision, StoredSource};
use super::document::{PreparedDocument, PreparedRefresh, ReadOutcome};
use super::index::{LookupCache, StoreIndex};
use super::prepare::{Candidate, CleanedEntry, opening_of};
use super::read_error::ReadError;
use super::refresher::{Refresher, SourceOutcome, SourceReport};
use crate::dedupe::place::{NewEntry, place};
use crate::dedupe::placement::Placement;
use crate::model::entry::{Entry, Identity};
use crate::model::feed::FeedFormat;
use crate::model::keys::EntryKey;
use crate::model::source::Source;
use crate::model::story::Relation;
use crate::normalize::entry::entry_id;
use crate::store::{EntryPlacement, Features, Lease, LeasedResource, NearPair, StoreError, Unit, Write};

impl Refresher {
    /// Stores the results of several refreshes, and releases the leases that are done.
    ///
    /// # Errors
    /// When the store itself fails; a result that cannot be stored is a failure of its source.
    pub fn keep(&self, prepared: &[PreparedRefresh], done: &[Lease]) -> anyhow::Result<Vec<SourceReport>> {
        // Savepoints cost a twentieth of a first reading, and nearly all units are free of faults.
        match self.keep_unit(prepared, done, Self::keep_one) {
            Err(error) if !is_of_the_store(&error) => self.keep_unit(prepared, done, Self::keep_apart),
            result => result,
        }
    }

    fn keep_unit(
        &self,
        prepared: &[PreparedRefresh],
        done: &[Lease],
        keep: impl Fn(&Self, &Unit<Write>, &mut StoreIndex, &PreparedRefresh) -> anyhow::Result<SourceOutcome>,
    ) -> anyhow::Result<Vec<SourceReport>> {
        // Dropped unless the unit is committed.
        let before = std::mem::take(&mut *self.memory());
        let (reports, memory) = self.store.write(|unit| {
            let mut index = StoreIndex::new(unit, before)?;
            let mut reports = Vec::with_capacity(prepared.len());
            let hosts: Vec<&str> =
                prepared.iter().filter_map(|one| Some(one.lease.as_ref()?.id.as_str())).collect();
            let held = unit.leases().held(LeasedResource::Host, &hosts, self.store.worker())?;
            for one in prepared {
                // If another process took the host over meanwhile, that process stores its own result.
                let is_ours =
                    one.lease.as_ref().is_none_or(|lease| held.get(&lease.id) == Some(&lease.attempt));
                let outcome =
                    if is_ours { keep(self, unit, &mut index, one)? } else { SourceOutcome::TakenOver };
                reports.push(SourceReport { source: one.source.id.clone(), outcome });
            }
            unit.leases().settle(&done.iter().collect::<Vec<_>>(), self.store.worker())?;
            Ok::<_, anyhow::Error>((reports, index.finish()?))
        })?;
        *self.memory() = memory;
        Ok(reports)
    }

    fn memory(&self) -> MutexGuard<'_, LookupCache> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the result of one refresh; an error is a failure of that source.
    fn keep_apart(
        &self,
        unit: &Unit<Write>,
        index: &mut StoreIndex,
        prepared: &PreparedRefresh,
    ) -> anyhow::Result<SourceOutcome> {
        unit.savepoint(|| self.keep_one(unit, index, prepared)).or_else(|error| {
            index.forget();
            // Not this source's fault: the others could not be stored either.
            if is_of_the_store(&error) {
                return Err(error);
            }
            self.keep_failure(unit, prepared, &ReadError::Kept(format!("{error:#}")))
        })
    }

    fn keep_one(
        &self,
        unit: &Unit<Write>,
        index: &mut StoreIndex,
        prepared: &PreparedRefresh,
    ) -> anyhow::Result<SourceOutcome> {
        match &prepared.brought {
            ReadOutcome::NotModified(meta, crawl_delay_seconds) => {
                // Only a source with a hub can be pushed.
                let is_pushed = prepared.state.hub.is_some()
                    && unit.subscriptions().is_pushed(&prepared.source.id, prepared.now)?;
                let pace = self.poll_bounds(&prepared.source);
                let after = decide::after_not_modified(
                    &prepared.state,
                    meta,
                    *crawl_delay_seconds,
                    is_pushed,
                    pace,
                    prepared.now,
                );
                follow(unit, &prepared.source, &after, prepared.now)?;
                Ok(SourceOutcome::NotModified)
            }
            ReadOutcome::Document(document) => self.keep_document(unit, index, prepared, document),
            ReadOutcome::Failure(error) => self.keep_failure(unit, prepared, error),
        }
    }

    fn keep_failure(
        &self,
        unit: &Unit<Write>,
        prepared: &PreparedRefresh,
        error: &ReadError,
    ) -> anyhow::Result<SourceOutcome> {
        let after = decide::after_failure(
            &prepared.source,
            &prepared.state,
            error,
            self.poll_bounds(&prepared.source),
            prepared.now,
        );
        follow(unit, &prepared.source, &after, prepared.now)?;
        Ok(SourceOutcome::Failed(error.to_string()))
    }

    fn keep_document(
        &self,
        unit: &Unit<Write>,
        index: &mut StoreIndex,
        prepared: &PreparedRefresh,
        document: &PreparedDocument,
    ) -> anyhow::Result<SourceOutcome> {
        let (source, now) = (&*prepared.source, prepared.now);
        let stored = self.stored(unit, prepared, document)?;
        // The entries refer to their source.
        unit.sources().ensure(&source.id, &source.partner, source.position)?;
        let (mut new, mut changed, mut announced, mut joined) = (0, 0, 0, Vec::new());
        let intents = decide::intents(&stored, &document.candidates, now);
        expect(index, &intents)?;
        for (intent, candidate) in intents.iter().zip(&document.candidates) {
            match intent {
                Intent::Insert { cleaned, is_news } => {
                    let placed = insert(unit, index, cleaned, *is_news, now)
                        .with_context(|| format!("the entry {}", candidate.key))?;
                    announced += usize::from(placed.is_announced);
                    joined.extend(placed.joined);
                    new += 1;
                }
                Intent::Update(cleaned) => {
                    index.forget_sketch(self.update(unit, cleaned, now)?);
                    changed += 1;
                }
                Intent::Drop(rule) => {
                    tracing::debug!(source.id = source.id, entry.key = candidate.key, rule, "dropped");
                    new += 1;
                }
                Intent::Same | Intent::Later => {}
            }
        }
        let inserted = intents.iter().filter(|intent| matches!(intent, Intent::Insert { .. })).count();
        if inserted > 0 {
            unit.intake().count_new(&source.id, inserted)?;
            unit.overview().count_entries(&source.id, inserted, now)?;
        }
        let listed: Vec<String> = document
            .candidates
            .iter()
            .map(|candidate| candidate.key.clone())
            .filter(|key| stored.known.contains_key(key))
            .collect();
        unit.intake().touch(&source.id, &listed, now)?;
        if document.feed.format == FeedFormat::Calendar && !document.feed.is_cut {
            let all: Vec<String> = document.candidates.iter().map(|one| one.key.clone()).collect();
            unit.intake().settle_events(&source.id, &all, now)?;
        }
        let after = decide::after_document(&stored, document, announced, self.poll_bounds(source), now);
        let after = after.as_ruled(&prepared.state.page, &stored.state.page);
        follow(unit, source, &after, now)?;
        Ok(SourceOutcome::Read { new, changed, unchanged: document.candidates.len() - new - changed, joined })
    }

    /// The current stored state of the source, whatever it was when the document was requested.
    fn stored(
        &self,
        unit: &Unit<Write>,
        prepared: &PreparedRefresh,
        document: &PreparedDocument,
    ) -> Result<StoredSource, StoreError> {
        let source = &prepared.source;
        let state = unit.sources().state(&source.id)?;
        // A changed address in the configuration means another document, for which the old state is meaningless.
        let state = if state.url == source.url.as_str() { state } else { prepared.state.clone() };
        let keys: Vec<String> =
            document.candidates.iter().map(|candidate: &Candidate| candidate.key.clone()).collect();
        let known = unit.intake().known(&source.id, &keys)?;
        let is_pushed = state.hub.is_some() && unit.subscriptions().is_pushed(&source.id, prepared.now)?;
        let known_titles =
            if document.is_mended { unit.intake().known_items(&source.id)?.1 } else { HashSet::new() };
        Ok(StoredSource { state, known, is_pushed, known_titles })
    }

    fn update(
        &self,
        unit: &Unit<Write>,
        cleaned: &CleanedEntry,
        now: Timestamp,
    ) -> Result<EntryKey, StoreError> {
        let CleanedEntry { entry, topics, keys, sketch, .. } = cleaned;
        // Labels take precedence.
        let label = unit.intake().label(&entry.id)?.map(|topics| self.classifier.labelled(&topics));
        unit.intake().update(entry, label.as_ref().unwrap_or(topics), &Features { keys, sketch }, now)
    }
}

/// Whether the store as a whole failed, independently of the data.
fn is_of_the_store(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<StoreError>();
    matches!(
        error,
        Some(
            StoreError::Full
                | StoreError::Io
                | StoreError::Busy
                | StoreError::Open { .. }
                | StoreError::Features(_)
        )
    )
}

fn follow(
    unit: &Unit<Write>,
    source: &Source,
    after: &SourceDecision,
    now: Timestamp,
) -> Result<(), StoreError> {
    if after.forgets_push {
        unit.subscriptions().forget_push(&source.id)?;
    }
    for notice in &after.notices {
        unit.sources().put_notice(&source.id, notice, now)?;
    }
    unit.sources().put_state(&source.id, &source.partner, source.position, &after.state)
}

/// The id of the story that an entry begins.
fn story_id(entry: &Entry) -> String {
    entry_id("story", &Identity::Guid(entry.id.clone()))
}

/// Looks up at once what is needed to place the entries that will be inserted.
fn expect(index: &mut StoreIndex, intents: &[Intent]) -> Result<(), StoreError> {
    let new = || {
        intents.iter().filter_map(|intent| match intent {
            Intent::Insert { cleaned, .. } => Some(cleaned),
            _ => None,
        })
    };
    let mut keys: Vec<&str> =
        new().flat_map(|cleaned| cleaned.keys.iter().map(|key| key.value.as_str())).collect();
    keys.sort_unstable();
    keys.dedup();
    index.expect(&keys, &new().map(|cleaned| story_id(&cleaned.entry)).collect::<Vec<_>>())
}

/// The result of inserting an entry.
struct Inserted {
    is_announced: bool,
    /// Why it joined an existing story; `None` if it began its own.
    joined: Option<String>,
}

fn insert(
    unit: &Unit<Write>,
    index: &mut StoreIndex,
    cleaned: &CleanedEntry,
    is_news: bool,
    now: Timestamp,
) -> Result<Inserted, StoreError> {
    let CleanedEntry { entry, topics, keys, sketch, .. } = cleaned;
    let intake = place(NewEntry { keys, sketch, opening: opening_of(entry) }, index)?;
    let (story, relation, reason) = match intake.decision() {
        None => {
            let id = story_id(entry);
            let story = match index.story_named(&id)? {
                Some(story) => story,
                None => unit.intake().create_story(&id)?,
            };
            (story, Relation::First, None)
        }
        Some(decision) => {
            let (title, source) = unit.intake().title_of(decision.entry)?;
            if !intake.also.is_empty() {
                unit.intake().merge_stories(decision.story, &intake.also)?;
                index.forget();
            }
            let reason =
                format!("{} of \"{title}\" ({source}): {}", decision.relation.as_str(), decision.reason);
            (decision.story, decision.relation, Some(reason))
        }
    };
    let is_announced = reason.is_none() && is_news;
    let joined =
        reason.as_ref().map(|reason| format!("\"{}\" ({}) is a {reason}", entry.title, entry.source));
    let placement = EntryPlacement { story, relation, reason, is_announced, topics, first_seen: now };
    let key = unit.intake().insert(entry, &placement, &Features { keys, sketch })?;
    index.note(key, story, cleaned);
    keep_doubt(unit, key, &entry.source, &intake, now)?;
    Ok(Inserted { is_announced, joined })
}

/// Keeps what a person should judge of the placement of an entry. One source may print texts that are alike each week.
fn keep_doubt(
    unit: &Unit<Write>,
    entry: EntryKey,
    source: &str,
    placement: &Placement,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(doubtful) = placement.doubtful() else { return Ok(()) };
    if unit.intake().title_of(doubtful.entry)?.1 == source {
        return Ok(());
    }
    let (other, is_joined, reason) = (doubtful.entry, doubtful.is_same, doubtful.reason.to_string());
    unit.stories().put_near_pair(&NearPair { entry, other, is_joined, reason, at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::{Key, KeyKind};
    use crate::model::sketch::Sketch;
    use crate::store::Store;
    use crate::store::interleavings::interleave;
    use crate::store::samples::on_each_database;

    /// An entry of a source; all have one address.
    fn cleaned(source: &str) -> CleanedEntry {
        CleanedEntry {
            entry: Entry {
                url: Some("https://x.example/1".into()),
                title: "Open justice advances".into(),
                ..Entry::bare(source, "1")
            },
            topics: Vec::new(),
            keys: vec![Key { value: "x.example/1".into(), kind: KeyKind::Own }],
            sketch: Sketch::default(),
            dropped_by: None,
        }
    }

    #[test]
    fn two_copies_that_two_workers_place_at_once_are_one_story() {
        on_each_database("copies", |url| {
            let store = Store::open(url, "reader").unwrap();
            let ensure = |w: &Unit<Write>| {
                w.sources().ensure("a", "p", 0)?;
                w.sources().ensure("b", "q", 1)
            };
            store.write(ensure).unwrap();
            let keep = |source: &'static str| {
                move |unit: &Unit<Write>| {
                    let mut index = StoreIndex::new(unit, LookupCache::default())?;
                    let now = "2026-11-01T00:00:00Z".parse().unwrap_or_default();
                    let inserted = insert(unit, &mut index, &cleaned(source), true, now)?;
                    index.finish()?;
                    Ok(inserted.is_announced)
                }
            };
            assert_eq!(interleave(url, keep("a"), keep("b")), (true, false), "announced once");
            let dirty = store.read(|r| r.publishing().dirty_keys()).unwrap();
            assert_eq!(dirty.len(), 1, "one story: {dirty:?}");
        });
    }
}
