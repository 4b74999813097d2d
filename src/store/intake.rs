//! Storing new and edited entries: what is known of them, and their possible neighbours.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::params;
use serde::Serialize;

use super::driver::{InsertOrder, Row};
use super::entries::{details_of, enclosed_in, topics_of};
use super::feature_index::{EntryMark, FeatureIndex, PostingBuffer};
use super::packed::{Unpacked, pack};
use super::unit::{Intake, Write};
use super::values::{keys_text, texts};
use super::{Result, StoreError, millis, optional_time};
use crate::model::address::canonical_key;
use crate::model::entry::{Entry, StoredSummary};
use crate::model::key::{Key, KeyKind};
use crate::model::keys::{EntryKey, StoryKey};
use crate::model::sketch::{Part, Sketch, hash64};
use crate::model::story::{Relation, sort_date};
use crate::model::topic::TopicMatch;
use crate::support::text::fold;

/// The keys and the sketch by which an entry is found.
#[derive(Debug, Clone, Copy)]
pub struct Features<'a> {
    pub keys: &'a [Key],
    pub sketch: &'a Sketch,
}

/// The placement of a new entry, and when it was first seen.
#[derive(Debug)]
pub struct EntryPlacement<'a> {
    pub story: StoryKey,
    pub relation: Relation,
    pub reason: Option<String>,
    pub is_announced: bool,
    pub topics: &'a [TopicMatch],
    pub first_seen: Timestamp,
}

/// An entry that has a given key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolder {
    pub entry: EntryKey,
    pub story: StoryKey,
    pub source: String,
    pub language: Option<String>,
}

/// Number of a source's latest entries by which a redesigned page is recognised.
const KNOWN_ITEMS_MAX: usize = 1_000;
/// `last_seen` of an entry is updated at most once in this time: a document lists hundreds of known entries at each poll.
const SEEN_AGAIN_MILLIS: i64 = 86_400_000;

/// Read the greatest key that was used. That of a story is not used again while anything still refers to it: a deleted story may
/// still be published.
const LAST_ENTRY: &str = "SELECT coalesce(max(pk), 0) FROM entry";
const LAST_STORY: &str = "SELECT max(max(coalesce((SELECT max(pk) FROM story), 0), coalesce((SELECT max(story) FROM dirty_story), 0)),
                                     coalesce((SELECT max(story) FROM published_story), 0))";

/// The hash under which a key is stored.
fn key_hash(value: &str) -> i64 {
    hash64(value.as_bytes()) as i64
}

/// The columns of what is known of an entry, as `stored_summary` reads them.
const SUMMARY: &str = "identity, fingerprint, title, summary, url, coalesce(published, updated), (SELECT begin FROM event WHERE event.entry = entry.pk)";

/// An identity key, and what is known of its entry.
fn stored_summary(row: &Row) -> rusqlite::Result<(String, StoredSummary)> {
    let known = StoredSummary {
        fingerprint: row.get(1)?,
        title: row.get(2)?,
        summary: row.get(3)?,
        url: row.get(4)?,
        date: optional_time(row.get(5)?),
        event: optional_time(row.get(6)?),
        files: Vec::new(),
    };
    Ok((row.get(0)?, known))
}

impl<A> Intake<'_, A> {
    /// What is stored of a source's entries, by identity key.
    pub fn known(&self, source: &str, identities: &[String]) -> Result<HashMap<String, StoredSummary>> {
        let sql = format!(
            "SELECT {SUMMARY} FROM json_each(?2) AS asked
             CROSS JOIN entry ON entry.source = ?1 AND entry.identity = asked.value"
        );
        let asked = texts(identities);
        Ok(self.db.rows(&sql, [source, &asked], stored_summary)?.into_iter().collect())
    }

    /// The addresses of what entries enclose, and their markup, by identity key: read only for those that changed.
    pub fn attached(
        &self,
        source: &str,
        identities: &[String],
    ) -> Result<Vec<(String, Vec<String>, String)>> {
        let sql = "SELECT identity, details, summary_html, coalesce(entry.content, content_html) FROM json_each(?2) AS asked
             CROSS JOIN entry ON entry.source = ?1 AND entry.identity = asked.value";
        let asked = texts(identities);
        self.db.rows(sql, [source, &asked], |row| {
            let (summary, content): (Option<String>, Unpacked) = (row.get(2)?, row.get(3)?);
            let markup = summary.into_iter().chain(content.0).collect();
            Ok((row.get(0)?, enclosed_in(&row.get::<String>(1)?), markup))
        })
    }

    /// The identifiers of a source's latest entries.
    pub fn latest_guids(&self, source: &str) -> Result<HashSet<String>> {
        let sql = format!(
            "SELECT guid FROM entry WHERE source = ?1 AND guid IS NOT NULL ORDER BY last_seen DESC LIMIT {KNOWN_ITEMS_MAX}"
        );
        Ok(self.db.rows(&sql, [source], |row| row.get(0))?.into_iter().collect())
    }

    /// What is known of a source's latest entries, by identity key, the newest first.
    pub fn recent(&self, source: &str) -> Result<Vec<(String, StoredSummary)>> {
        let sql = format!(
            "SELECT identity, fingerprint, title, summary, url, coalesce(event.begin, published, updated), event.begin
             FROM entry LEFT JOIN event ON event.entry = entry.pk
             WHERE source = ?1 ORDER BY last_seen DESC, pk DESC LIMIT {KNOWN_ITEMS_MAX}"
        );
        self.db.rows(&sql, [source], stored_summary)
    }

    /// Whether any entry of a source is stored.
    pub fn has_entries(&self, source: &str) -> Result<bool> {
        self.db.one("SELECT EXISTS (SELECT 1 FROM entry WHERE source = ?1)", [source], |row| row.get(0))
    }

    /// Addresses and titles of a source's latest entries, normalized for comparison.
    pub fn known_items(&self, source: &str) -> Result<(HashSet<String>, HashSet<String>)> {
        let sql = format!(
            "SELECT url, title FROM entry WHERE source = ?1 ORDER BY last_seen DESC LIMIT {KNOWN_ITEMS_MAX}"
        );
        let rows =
            self.db.rows(&sql, [source], |row| Ok((row.get::<Option<String>>(0)?, row.get::<String>(1)?)))?;
        let addresses = rows.iter().filter_map(|(url, _)| canonical_key(url.as_deref()?)).collect();
        Ok((addresses, rows.iter().map(|(_, title)| fold(title)).collect()))
    }

    /// The topics that a person assigned to an entry.
    pub fn label(&self, entry_id: &str) -> Result<Option<Vec<String>>> {
        let sql = "SELECT label.topics FROM entry JOIN label ON label.entry = entry.pk WHERE entry.id = ?1";
        let topics: Option<String> = self.db.row(sql, [entry_id], |row| row.get(0))?;
        Ok(topics.map(|topics| serde_json::from_str(&topics).unwrap_or_default()))
    }

    /// The languages of all sketches ever made.
    pub fn sketch_languages(&self) -> Result<Vec<u32>> {
        self.db.rows("SELECT language FROM sketch_language", [], |row| row.get(0))
    }

    /// The entries that have each of these keys, oldest first, and the kind of the key there.
    pub fn holders_of_keys(
        &self,
        keys: &[&str],
        holders_max: usize,
    ) -> Result<Vec<Vec<(KeyHolder, KeyKind)>>> {
        let mut holders = vec![Vec::new(); keys.len()];
        let sql = format!(
            "SELECT asked.key, entry.pk, entry.story, entry.source, entry.language, is_alternate FROM json_each(?1) AS asked
             CROSS JOIN entry_key ON entry_key.hash = CAST(asked.value AS BIGINT) AND entry_key.entry < coalesce((SELECT entry FROM entry_key AS own
                 WHERE own.hash = CAST(asked.value AS BIGINT) ORDER BY entry LIMIT 1 OFFSET {holders_max}), {})
             JOIN entry ON entry.pk = entry_key.entry ORDER BY entry_key.entry",
            i64::MAX
        );
        let hashes: Vec<i64> = keys.iter().map(|key| key_hash(key)).collect();
        self.db.each(&sql, [texts(&hashes)], |row| {
            let holder = KeyHolder {
                entry: row.get(1)?,
                story: row.get(2)?,
                source: row.get(3)?,
                language: row.get(4)?,
            };
            let kind = if row.get(5)? { KeyKind::Alternate } else { KeyKind::Own };
            if let Some(of_key) = holders.get_mut(row.get::<i64>(0)? as usize) {
                of_key.push((holder, kind));
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(holders)
    }

    /// The stories of entries; entries that no longer exist are left out.
    pub fn stories_of(&self, entries: &[EntryKey]) -> Result<Vec<(EntryKey, StoryKey)>> {
        let sql = "SELECT pk, story FROM json_each(?1) AS asked CROSS JOIN entry ON entry.pk = CAST(asked.value AS BIGINT)";
        self.settle(entries)?;
        self.db.settled_rows(sql, [keys_text(entries)], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Adds what waits if one of these entries may be among it: what was stored before this unit is read as it is.
    fn settle(&self, entries: &[EntryKey]) -> Result<()> {
        let is_waiting = entries.iter().any(|entry| self.db.is_added(LAST_ENTRY, entry.0));
        if is_waiting { self.db.add_waiting() } else { Ok(()) }
    }

    /// The story of an entry.
    pub fn story_key_of(&self, entry: EntryKey) -> Result<Option<StoryKey>> {
        self.db.row("SELECT story FROM entry WHERE pk = ?1", [entry], |row| row.get(0))
    }

    /// The stories of entries and, if already made, their sketches; entries that no longer exist are left out.
    pub fn sketched(&self, entries: &[EntryKey]) -> Result<Vec<(EntryKey, StoryKey, Option<Sketch>)>> {
        let sql = "SELECT entry.pk, entry.story, sketch.sketch FROM json_each(?1) AS asked CROSS JOIN entry ON entry.pk = CAST(asked.value AS BIGINT)
                   LEFT JOIN sketch ON sketch.entry = entry.pk";
        self.settle(entries)?;
        self.db.settled_rows(sql, [keys_text(entries)], |row| {
            let bytes: Option<Vec<u8>> = row.get(2)?;
            Ok((row.get(0)?, row.get(1)?, bytes.and_then(|bytes| Sketch::from_bytes(&bytes))))
        })
    }

    /// The title and the summary of an entry; both are empty if it is gone.
    pub fn opening(&self, entry: EntryKey) -> Result<(String, String)> {
        let sql = "SELECT title, summary FROM entry WHERE pk = ?1";
        Ok(self.db.row(sql, [entry], |row| Ok((row.get(0)?, row.get(1)?)))?.unwrap_or_default())
    }

    /// How many texts have each group of letters, as it was put.
    pub fn gram_counts(&self) -> Result<Option<Vec<u8>>> {
        self.db.row("SELECT counts FROM gram_counts", [], |row| row.get(0))
    }

    /// The entries of a story, oldest first.
    pub fn members(&self, story: StoryKey, members_max: usize) -> Result<Vec<EntryKey>> {
        let sql = format!("SELECT pk FROM entry WHERE story = ?1 ORDER BY pk LIMIT {members_max}");
        self.db.rows(&sql, [story], |row| row.get(0))
    }

    /// Those of these stories that exist, by their ids.
    pub fn stories_named(&self, ids: &[impl Serialize]) -> Result<HashMap<String, StoryKey>> {
        let sql = "SELECT story.id, story.pk FROM json_each(?1) AS asked CROSS JOIN story ON story.id = asked.value";
        let rows = self.db.rows(sql, [texts(ids)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.into_iter().collect())
    }

    /// Title and source of an entry, for display.
    pub fn title_of(&self, entry: EntryKey) -> Result<(String, String)> {
        self.db.one("SELECT title, source FROM entry WHERE pk = ?1", [entry], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// Whether there is any ruling. Most stores have none, which saves further queries.
    pub fn has_rulings(&self) -> Result<bool> {
        self.db.one("SELECT EXISTS (SELECT 1 FROM ruling)", [], |row| row.get(0))
    }

    /// Whether an operator ruled that the entry does not belong to a story.
    pub fn is_kept_out(&self, entry_id: &str, story: StoryKey) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM entry JOIN ruling ON ruling.a = entry.pk JOIN entry AS other ON other.pk = ruling.b
                                  WHERE entry.id = ?1 AND is_same = 0 AND other.story = ?2
                                  UNION ALL
                                  SELECT 1 FROM entry JOIN ruling ON ruling.b = entry.pk JOIN entry AS other ON other.pk = ruling.a
                                  WHERE entry.id = ?1 AND is_same = 0 AND other.story = ?2)";
        self.db.one(sql, params![entry_id, story], |row| row.get(0))
    }

    /// Whether an operator ruled that two stories are distinct.
    pub fn are_kept_apart(&self, one: StoryKey, other: StoryKey) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM entry AS x JOIN ruling ON ruling.a = x.pk JOIN entry AS y ON y.pk = ruling.b
                                  WHERE is_same = 0 AND x.story IN (?1, ?2) AND y.story IN (?1, ?2) AND x.story <> y.story)";
        self.db.one(sql, [one, other], |row| row.get(0))
    }
}

impl<A> Intake<'_, A> {
    /// The entries whose sketch is still to be made, oldest first.
    pub fn unsketched(&self, entries_max: usize) -> Result<Vec<EntryKey>> {
        self.db.rows(&format!("SELECT entry FROM unsketched ORDER BY entry LIMIT {entries_max}"), [], |row| {
            row.get(0)
        })
    }
}

impl Intake<'_, Write> {
    /// Finds the entries of each feature, newest first, at most `postings_max` each; with days, only those within the range or
    /// without a day.
    pub fn postings(
        &self,
        features: &[u32],
        days: Option<(i32, i32)>,
        postings_max: usize,
        out: &mut PostingBuffer,
    ) {
        if let Some(index) = self.index {
            index.borrow().postings_of(features, days, postings_max, out);
        }
    }

    /// Stores a new entry in a story; returns its key.
    pub fn insert(&self, e: &Entry, entry: &EntryPlacement, features: &Features) -> Result<EntryKey> {
        let key = EntryKey(self.db.next_key(LAST_ENTRY)?);
        let sql = "INSERT INTO entry (id, source, identity, guid, url, title, summary, summary_html, content, language, published, updated, first_seen,
                       last_seen, changed, fingerprint, details, topics, story, relation, reason, announced, sort_date, pk)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)";
        let parameters = params![
            e.id,
            e.source,
            e.identity.key(),
            e.guid,
            e.url,
            e.title,
            e.summary,
            e.summary_html,
            e.content_html.as_deref().map(pack),
            e.language,
            e.published.map(millis),
            e.updated.map(millis),
            millis(entry.first_seen),
            millis(entry.first_seen),
            e.fingerprint,
            details_of(e),
            topics_of(entry.topics),
            entry.story,
            entry.relation.as_str(),
            entry.reason,
            entry.is_announced,
            millis(sort_date(e, entry.first_seen)),
            key,
        ];
        self.db.execute_later(InsertOrder::Entries, sql, parameters)?;
        self.mark_changed(entry.story, key)?;
        self.put_keys(key, features.keys)?;
        self.put_sketch(key, features.sketch, false)?;
        if let Some(begin) = event_begin(e) {
            self.put_event(key, begin)?;
        }
        Ok(key)
    }

    /// Stores how many texts have each group of letters.
    pub fn put_gram_counts(&self, counts: &[u8]) -> Result<()> {
        let sql = "INSERT INTO gram_counts (one, counts) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET counts = ?1";
        self.db.execute(sql, [counts])?;
        Ok(())
    }

    /// Adds to a source's count of entries.
    pub fn count_new(&self, source: &str, entries: usize) -> Result<()> {
        self.db.execute(
            "UPDATE source SET entries = entries + ?2 WHERE id = ?1",
            params![source, entries as i64],
        )?;
        Ok(())
    }

    /// Stores an edit: text and dates change; first sight, announcements and story stay. Returns the key of the entry.
    pub fn update(
        &self,
        entry: &Entry,
        topics: &[TopicMatch],
        features: &Features,
        now: Timestamp,
    ) -> Result<EntryKey> {
        let sql = "UPDATE entry SET guid = ?2, url = ?3, title = ?4, summary = ?5, summary_html = ?6, content = ?7, content_html = NULL, language = ?8,
                       published = coalesce(?9, published), updated = coalesce(?10, updated), last_seen = ?11, changed = ?11, fingerprint = ?12, details = ?13,
                       topics = ?14 WHERE id = ?1 RETURNING pk, story";
        let parameters = params![
            entry.id,
            entry.guid,
            entry.url,
            entry.title,
            entry.summary,
            entry.summary_html,
            entry.content_html.as_deref().map(pack),
            entry.language,
            entry.published.map(millis),
            entry.updated.map(millis),
            millis(now),
            entry.fingerprint,
            details_of(entry),
            topics_of(topics),
        ];
        let (key, story) = self.db.one(sql, parameters, |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.mark_changed(story, key)?;
        self.db.execute("DELETE FROM entry_key WHERE entry = ?1", [key])?;
        self.put_keys(key, features.keys)?;
        self.put_sketch(key, features.sketch, true)?;
        match event_begin(entry) {
            Some(begin) => self.put_event(key, begin)?,
            None => drop(self.db.execute("DELETE FROM event WHERE entry = ?1", [key])?),
        }
        Ok(key)
    }

    /// Stores when the event of an entry begins.
    fn put_event(&self, entry: EntryKey, begin: i64) -> Result<()> {
        let sql =
            "INSERT INTO event (entry, begin) VALUES (?1, ?2) ON CONFLICT (entry) DO UPDATE SET begin = ?2";
        self.db.execute(sql, params![entry, begin])?;
        Ok(())
    }

    /// Merges stories: all their entries, and the record of which digests told them, move to `into`.
    pub fn merge_stories(&self, into: StoryKey, others: &[StoryKey]) -> Result<()> {
        for other in others.iter().filter(|other| **other != into) {
            self.mark_dirty(into)?;
            self.mark_dirty(*other)?;
            self.db.execute("UPDATE entry SET story = ?1 WHERE story = ?2", [into, *other])?;
            self.db.execute(
                "INSERT INTO issue_story (digest, story, issue) SELECT digest, ?1, issue FROM issue_story WHERE story = ?2 ON CONFLICT DO NOTHING",
                [into, *other],
            )?;
            self.db.execute("DELETE FROM issue_story WHERE story = ?1", [other])?;
            self.db.execute("DELETE FROM story WHERE pk = ?1", [other])?;
        }
        Ok(())
    }

    /// Notes which of the events of a source that are still to come are on, of all that their calendar lists; the others were taken out
    /// of it, or cancelled.
    pub fn settle_events(&self, source: &str, listed: &[String], now: Timestamp) -> Result<()> {
        let sql = "UPDATE event SET is_off = 1 - event.is_off FROM entry WHERE event.begin >= ?3 AND entry.pk = event.entry
                       AND entry.source = ?1 AND event.is_off = iif(entry.identity IN (SELECT value FROM json_each(?2)), 1, 0)";
        self.db.execute(sql, params![source, texts(listed), millis(now) - SEEN_AGAIN_MILLIS])?;
        Ok(())
    }

    /// Notes that a source still lists these entries: to the day, for that is what retention counts in.
    pub fn touch(&self, source: &str, identities: &[String], now: Timestamp) -> Result<()> {
        let sql = "UPDATE entry SET last_seen = ?3 WHERE pk IN (SELECT pk FROM json_each(?2) AS asked
                       CROSS JOIN entry ON entry.source = ?1 AND entry.identity = asked.value WHERE last_seen <= ?4)";
        let asked = texts(identities);
        self.db.execute(sql, params![source, asked, millis(now), millis(now) - SEEN_AGAIN_MILLIS])?;
        Ok(())
    }

    /// Creates a story under an id that none has.
    pub fn create_story(&self, id: &str) -> Result<StoryKey> {
        let key = StoryKey(self.db.next_key(LAST_STORY)?);
        self.db.execute_later(
            InsertOrder::Stories,
            "INSERT INTO story (pk, id) VALUES (?1, ?2)",
            params![key, id],
        )?;
        Ok(key)
    }

    fn mark_changed(&self, story: StoryKey, entry: EntryKey) -> Result<()> {
        let sql = "INSERT INTO unindexed (entry) VALUES (?1) ON CONFLICT DO NOTHING";
        self.db.execute_later(InsertOrder::Rest, sql, [entry])?;
        self.mark_dirty(story)
    }

    /// Marks a story to be published again.
    pub(super) fn mark_dirty(&self, story: StoryKey) -> Result<()> {
        let sql = "INSERT INTO dirty_story (story) VALUES (?1) ON CONFLICT DO NOTHING";
        self.db.execute_later(InsertOrder::Rest, sql, [story])
    }

    fn put_keys(&self, entry: EntryKey, keys: &[Key]) -> Result<()> {
        let sql =
            "INSERT INTO entry_key (hash, entry, is_alternate) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        for key in keys {
            let row = params![key_hash(&key.value), entry, key.kind == KeyKind::Alternate];
            self.db.execute_later(InsertOrder::Rest, sql, row)?;
        }
        Ok(())
    }

    /// Stores a sketch and indexes the entry by its features; `is_edit` if there may be an earlier sketch.
    pub fn put_sketch(&self, entry: EntryKey, sketch: &Sketch, is_edit: bool) -> Result<()> {
        if is_edit {
            let sql = "INSERT INTO sketch (entry, sketch) VALUES (?1, ?2) ON CONFLICT (entry) DO UPDATE SET sketch = ?2";
            self.db.execute(sql, params![entry, sketch.to_bytes()])?;
            self.db.execute("DELETE FROM unsketched WHERE entry = ?1", [entry])?;
        } else {
            let sql = "INSERT INTO sketch (entry, sketch) VALUES (?1, ?2)";
            self.db.execute_later(InsertOrder::Rest, sql, params![entry, sketch.to_bytes()])?;
        }
        let sql = "INSERT INTO sketch_language (language) VALUES (?1) ON CONFLICT DO NOTHING";
        self.db.execute_later(InsertOrder::Rest, sql, [sketch.language])?;
        self.index.map_or(Ok(()), |index| add(&mut index.borrow_mut(), entry, sketch))
    }

    /// For an entry deleted before its sketch was made.
    pub fn forget_unsketched(&self, entry: EntryKey) -> Result<()> {
        self.db.execute("DELETE FROM unsketched WHERE entry = ?1", [entry])?;
        Ok(())
    }

    /// Continues rebuilding the feature index from the sketches if it is missing or cannot be trusted; returns how many entries
    /// were added, 0 once it is complete. Several processes may do this at once.
    pub fn rebuild_features(&self, entries_max: usize) -> Result<usize> {
        let Some(index) = self.index else { return Ok(0) };
        let mut features = index.borrow_mut();
        if self.db.file().is_none() {
            return self.rebuild_from_revisions(&mut features, entries_max);
        }
        if features.is_trusted() {
            let last: EntryKey =
                self.db.one("SELECT coalesce(max(entry), 0) FROM sketch", [], |row| row.get(0))?;
            if features.last_entry() >= last {
                return Ok(0);
            }
            // The files are older than the database: one of the two was copied from elsewhere.
            features.clear().map_err(StoreError::Features)?;
        }
        let sql =
            format!("SELECT entry, sketch FROM sketch WHERE entry > ?1 ORDER BY entry LIMIT {entries_max}");
        let rows = self
            .db
            .rows(&sql, [features.made_to()], |row| Ok((row.get::<EntryKey>(0)?, row.get::<Vec<u8>>(1)?)))?;
        for (entry, bytes) in &rows {
            if let Some(sketch) = Sketch::from_bytes(bytes) {
                add(&mut features, *entry, &sketch)?;
            }
        }
        match rows.last() {
            Some((entry, _)) => features.set_made_to(entry.0),
            None => features.set_trusted(),
        }
        .map_err(StoreError::Features)?;
        Ok(rows.len())
    }
}

/// What events are looked up by.
fn event_begin(entry: &Entry) -> Option<i64> {
    entry.event.as_ref().and_then(|event| event.begin.instant()).map(millis)
}

/// Makes an entry be found by its features, in the place of what it was found by before.
pub(super) fn add(index: &mut FeatureIndex, entry: EntryKey, sketch: &Sketch) -> Result<()> {
    let sample = sketch.part(Part::Sample).first().copied().unwrap_or(0);
    let mark = EntryMark {
        entry,
        day: sketch.day,
        source: sketch.source,
        language: sketch.language,
        title_hash: sketch.title_hash,
        sample,
    };
    let text: Vec<u32> = sketch.shingles().chain(sketch.title_feature()).collect();
    let anchors: Vec<u32> = sketch.own_anchors().collect();
    index.add(&mark, &text, &anchors).map_err(StoreError::Features)
}
