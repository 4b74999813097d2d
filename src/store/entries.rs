//! Listing and looking up entries, alone and grouped into stories.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::driver::{Parameters, Row};
use super::packed::Unpacked;
use super::unit::{Entries, Write};
use super::values::keys_text;
use super::{Result, StoreError, millis, optional_time, time};
use crate::model::address::canonical_key;
use crate::model::digest::DigestId;
use crate::model::entry::{Alternate, Entry, Identity, Provenance};
use crate::model::event::Event;
use crate::model::feed::{Enclosure, Image, Person};
use crate::model::keys::{EntryKey, StoryKey};
use crate::model::sketch::hash64;
use crate::model::story::{Relation, StoredEntry, Story};
use crate::model::topic::TopicMatch;

/// Which entries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryFilter {
    pub source: Option<String>,
    /// First seen at or after.
    pub since: Option<Timestamp>,
    /// At most this many, the most recently stored ones.
    pub count_max: Option<u32>,
}

/// Whether the HTML of entries is read too: it is most of what is stored, and rarely needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkupScope {
    With,
    Without,
}

/// Minimum length, in characters, of an id prefix that is looked up as an id.
const ID_CHARS_MIN: usize = 6;
/// At most this many of the newest entries are considered; enough history for a reader who has seen nothing yet.
const NEW_ENTRIES_MAX: usize = 50_000;

/// The parts of an entry that no query filters by.
#[derive(Serialize, Deserialize, Default)]
struct EntryDetails {
    #[serde(default)]
    authors: Vec<Person>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    image: Option<Image>,
    #[serde(default)]
    enclosures: Vec<Enclosure>,
    #[serde(default)]
    alternates: Vec<Alternate>,
    #[serde(default)]
    provenance: Option<Provenance>,
    #[serde(default)]
    same_as: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Event>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language_confidence: Option<f32>,
}

pub(super) fn details_of(entry: &Entry) -> String {
    let details = EntryDetails {
        authors: entry.authors.clone(),
        tags: entry.tags.clone(),
        image: entry.image.clone(),
        enclosures: entry.enclosures.clone(),
        alternates: entry.alternates.clone(),
        provenance: entry.provenance.clone(),
        same_as: entry.same_as.clone(),
        event: entry.event.clone(),
        language_confidence: entry.language_confidence,
    };
    serde_json::to_string(&details).unwrap_or_default()
}

/// The addresses of the enclosures in stored details.
pub(super) fn enclosed_in(details: &str) -> Vec<String> {
    let details: EntryDetails = serde_json::from_str(details).unwrap_or_default();
    details.enclosures.into_iter().map(|enclosure| enclosure.url).collect()
}

pub(super) fn topics_of(topics: &[TopicMatch]) -> String {
    serde_json::to_string(topics).unwrap_or_else(|_| "[]".into())
}

const BEGINNING: &str = "entry.id, entry.source, source.partner, entry.identity, guid, url, title, summary";
const MARKUP: &str = "summary_html, coalesce(entry.content, content_html)";
const NO_MARKUP: &str = "NULL, NULL";
const REST: &str = "language, published, updated, first_seen, changed, fingerprint, details, topics, story.id, relation, reason, announced, entry.pk, source.position";
const TABLES: &str = "entry JOIN source ON source.id = entry.source JOIN story ON story.pk = entry.story";

fn stored(row: &Row) -> rusqlite::Result<StoredEntry> {
    let at = |column: usize| -> rusqlite::Result<Option<Timestamp>> { Ok(optional_time(row.get(column)?)) };
    let identity: String = row.get(3)?;
    // Written by us; if the row was tampered with, these parts read as empty.
    let details: EntryDetails = serde_json::from_str(&row.get::<String>(16)?).unwrap_or_default();
    let relation: String = row.get(19)?;
    Ok(StoredEntry {
        entry: Entry {
            id: row.get(0)?,
            source: row.get(1)?,
            guid: row.get(4)?,
            identity: identity_from(&identity),
            url: row.get(5)?,
            same_as: details.same_as,
            title: row.get(6)?,
            summary: row.get(7)?,
            summary_html: row.get(8)?,
            content_html: row.get::<Unpacked>(9)?.0,
            language: row.get(10)?,
            language_confidence: details.language_confidence,
            published: at(11)?,
            updated: at(12)?,
            authors: details.authors,
            tags: details.tags,
            image: details.image,
            enclosures: details.enclosures,
            alternates: details.alternates,
            provenance: details.provenance,
            event: details.event,
            fingerprint: row.get(15)?,
        }
        .made_valid(),
        partner: row.get(2)?,
        first_seen: time(row.get(13)?),
        changed: time(row.get(14)?),
        topics: serde_json::from_str(&row.get::<String>(17)?).unwrap_or_default(),
        story: row.get(18)?,
        relation: Relation::from(relation.as_str()),
        reason: row.get(20)?,
        announced: row.get(21)?,
        order: row.get(22)?,
        source_position: row.get(23)?,
    })
}

fn identity_from(key: &str) -> Identity {
    match key.split_once(':') {
        Some(("url", value)) => Identity::Address(value.to_owned()),
        Some(("sha256", value)) => Identity::Content(value.to_owned()),
        Some((_, value)) => Identity::Guid(value.to_owned()),
        None => Identity::Guid(key.to_owned()),
    }
}

/// The columns of an entry, in the order in which `stored` reads them.
fn columns(markup: MarkupScope) -> String {
    format!("{BEGINNING}, {}, {REST}", if markup == MarkupScope::With { MARKUP } else { NO_MARKUP })
}

impl<A> Entries<'_, A> {
    /// Visits all matching entries in the order of their keys, one by one.
    pub fn each<E: From<StoreError>>(
        &self,
        filter: &EntryFilter,
        markup: MarkupScope,
        mut visit: impl FnMut(StoredEntry) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let columns = columns(markup);
        let read = |row: &Row| visit(stored(row).map_err(StoreError::from)?);
        let since = filter.since.map_or(i64::MIN, millis);
        // Two statements: with an OR, the planner would scan all entries to find those of one source.
        match &filter.source {
            Some(source) => {
                let last =
                    "SELECT pk FROM entry WHERE source = ?1 AND first_seen >= ?2 ORDER BY pk DESC LIMIT ?3";
                let after = self.before_last(last, params![source, since, filter.count_max.unwrap_or(0)])?;
                let sql = format!(
                    "SELECT {columns} FROM {TABLES} WHERE entry.source = ?1 AND first_seen >= ?2 AND entry.pk > ?3 ORDER BY entry.pk"
                );
                self.db.each(&sql, params![source, since, after], read)
            }
            None => {
                let start =
                    filter.since.map_or(Ok(EntryKey::BEFORE_ALL), |since| self.last_not_since(since))?;
                let last =
                    "SELECT pk FROM entry WHERE pk > ?1 AND first_seen >= ?2 ORDER BY pk DESC LIMIT ?3";
                let after = self.before_last(last, params![start, since, filter.count_max.unwrap_or(0)])?;
                let sql = format!(
                    "SELECT {columns} FROM {TABLES} WHERE entry.pk > ?1 AND first_seen >= ?2 ORDER BY entry.pk"
                );
                self.db.each(&sql, params![start.max(after), since], read)
            }
        }
    }

    /// The key just before the entries that a statement selects.
    fn before_last(&self, sql: &str, parameters: impl Parameters) -> Result<EntryKey> {
        self.db.one(&format!("SELECT coalesce(min(pk) - 1, 0) FROM ({sql}) AS last"), parameters, |row| {
            row.get(0)
        })
    }

    /// The key just before the first entry first seen at or after a time.
    fn last_not_since(&self, since: Timestamp) -> Result<EntryKey> {
        let sql = "SELECT coalesce(min(pk) - 1, 0) FROM entry WHERE first_seen >= ?1";
        self.db.one(sql, [millis(since)], |row| row.get(0))
    }

    /// The entry with this key; an error if it does not exist.
    pub fn get(&self, key: EntryKey) -> Result<StoredEntry> {
        self.get_if_there(key)?.ok_or_else(|| StoreError::Corrupt("an entry that is not there".into()))
    }

    /// Like `get`, but `None` if the entry does not exist.
    pub fn get_if_there(&self, key: EntryKey) -> Result<Option<StoredEntry>> {
        self.db.row(
            &format!("SELECT {} FROM {TABLES} WHERE entry.pk = ?1", columns(MarkupScope::With)),
            [key],
            stored,
        )
    }

    /// The entries after a key, in order.
    pub fn after(
        &self,
        after: EntryKey,
        entries_max: usize,
        markup: MarkupScope,
    ) -> Result<Vec<StoredEntry>> {
        let sql = format!(
            "SELECT {} FROM {TABLES} WHERE entry.pk > ?1 ORDER BY entry.pk LIMIT {entries_max}",
            columns(markup)
        );
        self.db.rows(&sql, [after], stored)
    }

    /// Entries that match user input: an entry id or a prefix of one, an address, or a guid.
    pub fn find(&self, text: &str, entries_max: usize) -> Result<Vec<StoredEntry>> {
        let is_id =
            text.len() >= ID_CHARS_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        let beginning =
            format!("SELECT pk FROM entry WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT {entries_max}");
        let mut keys =
            if is_id { self.db.rows(&beginning, [text], |row| row.get::<EntryKey>(0))? } else { Vec::new() };
        if let Some(key) = canonical_key(text) {
            let own = "SELECT entry FROM entry_key WHERE hash = ?1 AND is_alternate = 0";
            keys.extend(self.db.rows(own, [hash64(key.as_bytes()) as i64], |row| row.get::<EntryKey>(0))?);
        }
        keys.extend(self.db.row("SELECT pk FROM entry WHERE id = ?1", [text], |row| row.get::<EntryKey>(0))?);
        let named = "SELECT entry.pk FROM source CROSS JOIN entry ON entry.source = source.id AND entry.identity = ?1";
        keys.extend(
            self.db.rows(named, [Identity::Guid(text.to_owned()).key()], |row| row.get::<EntryKey>(0))?,
        );
        keys.sort_unstable();
        keys.dedup();
        keys.truncate(entries_max);
        keys.into_iter().map(|key| self.get(key)).collect()
    }

    /// The key of the last entry; `BEFORE_ALL` if there is none.
    pub fn last(&self) -> Result<EntryKey> {
        self.db.one("SELECT coalesce(max(pk), 0) FROM entry", [], |row| row.get(0))
    }

    /// The number of entries.
    pub fn count(&self) -> Result<u64> {
        Ok(self.db.one("SELECT count(*) FROM entry", [], |row| row.get::<i64>(0))?.unsigned_abs())
    }

    /// The last entry first seen before a time: whatever comes after it is new to a reader who had seen everything until then.
    pub fn last_before(&self, time: Timestamp) -> Result<EntryKey> {
        let sql = "SELECT coalesce((SELECT pk FROM entry WHERE first_seen < ?1 ORDER BY first_seen DESC, pk DESC LIMIT 1), 0)";
        self.db.one(sql, [millis(time)], |row| row.get(0))
    }

    /// The story that an entry belongs to.
    pub fn story_of(&self, entry: EntryKey) -> Result<Story> {
        let key: StoryKey =
            self.db.one("SELECT story FROM entry WHERE pk = ?1", [entry], |row| row.get(0))?;
        self.stories(&[key], MarkupScope::With)?
            .pop()
            .ok_or_else(|| StoreError::Corrupt("a story without an entry".into()))
    }

    /// The story with an id, or that an entry with this id belongs to, without its HTML.
    pub fn story_by_id(&self, id: &str) -> Result<Option<Story>> {
        let of_story = self.db.row("SELECT pk FROM story WHERE id = ?1", [id], |row| row.get(0))?;
        let key: Option<StoryKey> = match of_story {
            Some(key) => Some(key),
            None => self.db.row("SELECT story FROM entry WHERE id = ?1", [id], |row| row.get(0))?,
        };
        Ok(key
            .map(|key| self.stories(&[key], MarkupScope::Without))
            .transpose()?
            .and_then(|mut found| found.pop()))
    }

    /// Stories by their keys, in the given order; stories that no longer exist are left out.
    pub fn stories(&self, keys: &[StoryKey], markup: MarkupScope) -> Result<Vec<Story>> {
        let mut stories: HashMap<StoryKey, Story> = self.stories_by_key(keys, markup)?;
        Ok(keys.iter().filter_map(|key| stories.remove(key)).collect())
    }

    /// Like `stories`, but as a map by key.
    pub(super) fn stories_by_key(
        &self,
        keys: &[StoryKey],
        markup: MarkupScope,
    ) -> Result<HashMap<StoryKey, Story>> {
        let sql = format!(
            "SELECT {}, entry.story FROM json_each(?1) AS wanted CROSS JOIN entry ON entry.story = CAST(wanted.value AS BIGINT) JOIN source ON source.id = entry.source
             JOIN story ON story.pk = entry.story ORDER BY entry.story, entry.pk",
            columns(markup)
        );
        let mut stories: HashMap<StoryKey, Story> = HashMap::with_capacity(keys.len());
        self.db.each(&sql, [keys_text(keys)], |row| {
            let version = stored(row)?;
            let story = stories
                .entry(row.get(24)?)
                .or_insert_with(|| Story { id: version.story.clone(), versions: Vec::new() });
            story.versions.push(version);
            Ok::<_, StoreError>(())
        })?;
        Ok(stories)
    }

    /// Stories of which a version tells of an event that begins in `[from, to)` and that its calendar still lists, the first to begin
    /// first, and without their HTML.
    pub fn coming(&self, from: Timestamp, to: Timestamp, stories_max: usize) -> Result<Vec<Story>> {
        let sql = format!(
            "SELECT entry.story FROM event CROSS JOIN entry ON entry.pk = event.entry
             WHERE event.begin >= ?1 AND event.begin < ?2 AND event.is_off = 0 ORDER BY event.begin, event.entry LIMIT {stories_max}"
        );
        let mut keys: Vec<StoryKey> = self.db.rows(&sql, [millis(from), millis(to)], |row| row.get(0))?;
        let mut seen = HashSet::new();
        keys.retain(|key| seen.insert(*key));
        self.stories(&keys, MarkupScope::Without)
    }

    /// Stories that were announced, of which a version was first seen after the entry `seen`; the newest, the newest first, and
    /// without their HTML. With a digest, those that it told are left out.
    pub fn stories_since(
        &self,
        seen: EntryKey,
        digest: Option<&DigestId>,
        stories_max: usize,
    ) -> Result<Vec<Story>> {
        let sql = format!(
            "SELECT new.story FROM (SELECT story, sort_date FROM entry WHERE pk > ?1 ORDER BY pk DESC LIMIT {NEW_ENTRIES_MAX}) AS new
             WHERE EXISTS (SELECT 1 FROM entry AS told WHERE told.story = new.story AND told.announced > 0)
             AND NOT EXISTS (SELECT 1 FROM issue_story WHERE issue_story.digest = ?2 AND issue_story.story = new.story)
             GROUP BY new.story ORDER BY min(new.sort_date) DESC, new.story DESC LIMIT {stories_max}"
        );
        let keys: Vec<StoryKey> = self.db.rows(&sql, params![seen, digest], |row| row.get(0))?;
        self.stories(&keys, MarkupScope::Without)
    }

    /// The stories that these entries belong to, each once and without their HTML. With a digest, those that it told are left out.
    pub fn stories_of(&self, entries: &[EntryKey], digest: Option<&DigestId>) -> Result<Vec<Story>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT entry.story FROM json_each(?1) AS asked CROSS JOIN entry ON entry.pk = CAST(asked.value AS BIGINT)
                   WHERE NOT EXISTS (SELECT 1 FROM issue_story WHERE issue_story.digest = ?2 AND issue_story.story = entry.story)
                   GROUP BY entry.story ORDER BY entry.story DESC";
        let keys: Vec<StoryKey> = self.db.rows(sql, params![keys_text(entries), digest], |row| row.get(0))?;
        self.stories(&keys, MarkupScope::Without)
    }
}

/// Complete published stories by one query; `condition` and `order` refer to the table `published_story`.
pub(super) fn published(
    db: &super::driver::Db,
    condition: &str,
    order: &str,
    parameters: &[&dyn rusqlite::ToSql],
) -> Result<Vec<Story>> {
    let sql = format!(
        "SELECT {} FROM published_story JOIN entry ON entry.story = published_story.story JOIN source ON source.id = entry.source JOIN story ON story.pk = entry.story
         WHERE {condition} ORDER BY {order}, entry.pk",
        columns(MarkupScope::With)
    );
    let mut stories: Vec<Story> = Vec::new();
    db.each(&sql, parameters, |row| {
        let version = stored(row)?;
        match stories.last_mut() {
            Some(story) if story.id == version.story => story.versions.push(version),
            _ => stories.push(Story { id: version.story.clone(), versions: vec![version] }),
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(stories)
}

impl<A> Entries<'_, A> {
    /// The sources that listed some entry last before a time.
    pub fn sources_unseen_since(&self, time: Timestamp) -> Result<Vec<String>> {
        let sql = "SELECT id FROM source WHERE EXISTS (SELECT 1 FROM entry WHERE entry.source = source.id AND last_seen < ?1)";
        self.db.rows(sql, [millis(time)], |row| row.get(0))
    }
}

impl Entries<'_, Write> {
    /// Deletes some entries of a source that it last listed before `limit`; returns how many. A story is deleted with its last
    /// entry. The entry with the greatest key is kept, since new keys continue from it.
    pub fn forget_unseen(&self, source: &str, limit: Timestamp, entries_max: usize) -> Result<usize> {
        let sql = format!(
            "SELECT pk, story FROM entry WHERE source = ?1 AND last_seen < ?2 AND pk < (SELECT max(pk) FROM entry) ORDER BY last_seen LIMIT {entries_max}"
        );
        let gone: Vec<(EntryKey, StoryKey)> =
            self.db.rows(&sql, params![source, millis(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (entry, story) in &gone {
            self.db.execute("DELETE FROM unindexed WHERE entry = ?1", [entry])?;
            self.db.execute("DELETE FROM unsketched WHERE entry = ?1", [entry])?;
            self.db.execute("DELETE FROM entry_text WHERE rowid = ?1", [entry])?;
            self.db.execute("DELETE FROM entry WHERE pk = ?1", [entry])?;
            self.forget_if_empty(*story)?;
        }
        self.db.execute(
            "UPDATE source SET entries = max(0, entries - ?2) WHERE id = ?1",
            params![source, gone.len() as i64],
        )?;
        if let Some(index) = self.index {
            index.borrow_mut().remove(gone.iter().map(|(entry, _)| *entry));
        }
        Ok(gone.len())
    }

    /// Deletes a story without entries. Archive documents it was published in stay: they never change.
    fn forget_if_empty(&self, story: StoryKey) -> Result<()> {
        let is_empty: bool =
            self.db
                .one("SELECT NOT EXISTS (SELECT 1 FROM entry WHERE story = ?1)", [story], |row| row.get(0))?;
        if is_empty {
            self.db.execute("DELETE FROM dirty_story WHERE story = ?1", [story])?;
            self.db.execute("DELETE FROM published_story WHERE story = ?1", [story])?;
            self.db.execute("DELETE FROM issue_story WHERE story = ?1", [story])?;
            self.db.execute("DELETE FROM story WHERE pk = ?1", [story])?;
        }
        Ok(())
    }
}
