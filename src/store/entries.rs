//! Entries, their keys and their stories.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::stories::last_entry_before;
use super::{Marks, Result, Store, StoreError, Work, millis, time};
use crate::model::address::canonical_key;
use crate::model::entry::{Alternate, Entry, Identity, Known, Provenance};
use crate::model::feed::{Enclosure, Image, Person};
use crate::model::key::Key;
use crate::model::story::{Relation, StoredEntry, Story};
use crate::model::topic::TopicMatch;
use crate::text::fold;

/// Which entries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryFilter {
    pub source: Option<String>,
    /// First seen at or after.
    pub since: Option<Timestamp>,
}

/// The parts of an entry that are never searched by.
#[derive(Serialize, Deserialize, Default)]
struct Details {
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
    language_confidence: Option<f32>,
}

fn details_of(entry: &Entry) -> String {
    let details = Details {
        authors: entry.authors.clone(),
        tags: entry.tags.clone(),
        image: entry.image.clone(),
        enclosures: entry.enclosures.clone(),
        alternates: entry.alternates.clone(),
        provenance: entry.provenance.clone(),
        same_as: entry.same_as.clone(),
        language_confidence: entry.language_confidence,
    };
    serde_json::to_string(&details).unwrap_or_default()
}

fn topics_of(topics: &[TopicMatch]) -> String {
    serde_json::to_string(topics).unwrap_or_else(|_| "[]".into())
}

const COLUMNS: &str = "entry.id, entry.source, source.partner, entry.identity, guid, url, title, summary, summary_html, content_html, language, published, \
                       updated, first_seen, changed, fingerprint, details, topics, story.id, relation, reason, announced, entry.pk";
const TABLES: &str = "entry JOIN source ON source.id = entry.source JOIN story ON story.pk = entry.story";

fn stored(row: &Row) -> rusqlite::Result<StoredEntry> {
    let at = |column: usize| -> rusqlite::Result<Option<Timestamp>> { Ok(row.get::<_, Option<i64>>(column)?.map(time)) };
    let identity: String = row.get(3)?;
    // Written by us; a row that was tampered with reads with these parts empty.
    let details: Details = serde_json::from_str(&row.get::<_, String>(16)?).unwrap_or_default();
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
            content_html: row.get(9)?,
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
            fingerprint: row.get(15)?,
        },
        partner: row.get(2)?,
        first_seen: time(row.get(13)?),
        changed: time(row.get(14)?),
        topics: serde_json::from_str(&row.get::<_, String>(17)?).unwrap_or_default(),
        story: row.get(18)?,
        relation: Relation::from(relation.as_str()),
        reason: row.get(20)?,
        announced: row.get(21)?,
        order: row.get(22)?,
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

impl Store {
    /// What is known of the entries of a source, by identity key.
    pub fn known(&self, source: &str, identities: &[String]) -> Result<HashMap<String, Known>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT fingerprint, title, summary, url, coalesce(published, updated) FROM entry WHERE source = ?1 AND identity = ?2")?;
        let mut known = HashMap::new();
        for identity in identities {
            let row = statement
                .query_row([source, identity], |row| {
                    Ok(Known {
                        fingerprint: row.get(0)?,
                        title: row.get(1)?,
                        summary: row.get(2)?,
                        url: row.get(3)?,
                        date: row.get::<_, Option<i64>>(4)?.map(time),
                    })
                })
                .optional()?;
            known.extend(row.map(|row| (identity.clone(), row)));
        }
        Ok(known)
    }

    /// The addresses and titles of a source's latest entries, in the form that they are compared in.
    pub fn known_items(&self, source: &str) -> Result<(HashSet<String>, HashSet<String>)> {
        let mut statement = self.connection.prepare_cached("SELECT url, title FROM entry WHERE source = ?1 ORDER BY pk DESC LIMIT 1000")?;
        let rows = statement.query_map([source], |row| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, String>(1)?)))?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let addresses = rows.iter().filter_map(|(url, _)| canonical_key(url.as_deref()?)).collect();
        Ok((addresses, rows.iter().map(|(_, title)| fold(title)).collect()))
    }

    /// Entries in the order in which they were first seen.
    pub fn entries(&self, filter: &EntryFilter) -> Result<Vec<StoredEntry>> {
        let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE (?1 IS NULL OR entry.source = ?1) AND (?2 IS NULL OR first_seen >= ?2) ORDER BY entry.pk");
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map(params![filter.source, filter.since.map(millis)], stored)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// One entry, by its place in the order.
    pub fn stored_entry(&self, key: i64) -> Result<StoredEntry> {
        self.stored_entry_if_there(key)?.ok_or_else(|| StoreError::Corrupt("an entry that is not there".into()))
    }

    /// The same, of an entry that may be gone.
    pub fn stored_entry_if_there(&self, key: i64) -> Result<Option<StoredEntry>> {
        let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE entry.pk = ?1");
        Ok(self.connection.prepare_cached(&sql)?.query_row([key], stored).optional()?)
    }

    /// The entries after a place in the order.
    pub fn entries_after(&self, after: i64, entries_max: usize) -> Result<Vec<StoredEntry>> {
        let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE entry.pk > ?1 ORDER BY entry.pk LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![after, entries_max as i64], stored)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The story that an entry is in.
    pub fn story_of(&self, entry: i64) -> Result<Story> {
        let key = self.connection.prepare_cached("SELECT story FROM entry WHERE pk = ?1")?.query_row([entry], |row| row.get(0))?;
        self.story(key)
    }

    /// Stories that were announced and never went out in a digest, the newest first.
    pub fn unsent_stories(&self, digest: &str) -> Result<Vec<Story>> {
        let sql = "SELECT story FROM entry WHERE NOT EXISTS (SELECT 1 FROM issue_story WHERE issue_story.digest = ?1 AND issue_story.story = entry.story)
                   GROUP BY story HAVING max(announced) > 0 ORDER BY min(sort_date) DESC, story DESC";
        let mut statement = self.connection.prepare_cached(sql)?;
        let keys = statement.query_map([digest], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        keys.into_iter().map(|key| self.story(key)).collect()
    }

    /// Stories that were announced, of which a version was first seen after the entry `seen`; the newest, the newest first.
    pub fn stories_since(&self, seen: i64, stories_max: usize) -> Result<Vec<Story>> {
        let sql = "SELECT story FROM entry WHERE pk > ?1 AND EXISTS (SELECT 1 FROM entry AS told WHERE told.story = entry.story AND told.announced > 0)
                   GROUP BY story ORDER BY min(sort_date) DESC, story DESC LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let keys = statement.query_map(params![seen, stories_max as i64], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        keys.into_iter().map(|key| self.story(key)).collect()
    }

    /// The last entry that was first seen before a time: the stories after it are new to somebody who was there until then.
    pub fn last_entry_before(&self, time: Timestamp) -> Result<i64> {
        last_entry_before(&self.connection, millis(time))
    }

    /// The last entry of all.
    pub fn last_entry(&self) -> Result<i64> {
        Ok(self.connection.query_row("SELECT coalesce(max(pk), 0) FROM entry", [], |row| row.get(0))?)
    }

    fn story(&self, key: i64) -> Result<Story> {
        self.story_if_there(key)?.ok_or_else(|| StoreError::Corrupt("a story without an entry".into()))
    }

    pub(super) fn story_if_there(&self, key: i64) -> Result<Option<Story>> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE entry.story = ?1 ORDER BY entry.pk"))?;
        let versions = statement.query_map([key], stored)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let id = versions.first().map(|version| version.story.clone());
        Ok(id.map(|id| Story { id, versions }))
    }
}

/// Published stories, whole, by one query: `condition` and `order` are over the table `publication`.
pub(super) fn stories_from(connection: &rusqlite::Connection, condition: &str, order: &str, parameters: &[&dyn rusqlite::ToSql]) -> Result<Vec<Story>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM publication JOIN entry ON entry.story = publication.story JOIN source ON source.id = entry.source JOIN story ON story.pk = entry.story
         WHERE {condition} ORDER BY {order}, entry.pk"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(parameters)?;
    let mut stories: Vec<Story> = Vec::new();
    while let Some(row) = rows.next()? {
        let version = stored(row)?;
        match stories.last_mut() {
            Some(story) if story.id == version.story => story.versions.push(version),
            _ => stories.push(Story { id: version.story.clone(), versions: vec![version] }),
        }
    }
    Ok(stories)
}

impl Work<'_> {
    /// Keeps a new entry in a story, which is made where it is missing.
    pub fn insert_entry(&mut self, entry: &StoredEntry, marks: &Marks) -> Result<()> {
        let story = self.story_key(&entry.story)?;
        let e = &entry.entry;
        let mut statement = self.transaction.prepare_cached(
            "INSERT INTO entry (id, source, identity, guid, url, title, summary, summary_html, content_html, language, published, updated, first_seen, last_seen,
                 changed, fingerprint, details, topics, story, relation, reason, announced, sort_date)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
        )?;
        statement.execute(params![
            e.id,
            e.source,
            e.identity.key(),
            e.guid,
            e.url,
            e.title,
            e.summary,
            e.summary_html,
            e.content_html,
            e.language,
            e.published.map(millis),
            e.updated.map(millis),
            millis(entry.first_seen),
            millis(entry.changed),
            e.fingerprint,
            details_of(e),
            topics_of(&entry.topics),
            story,
            entry.relation.as_str(),
            entry.reason,
            entry.announced,
            millis(entry.sort_date()),
        ])?;
        let key = self.transaction.last_insert_rowid();
        self.mark_dirty(story)?;
        self.mark_unindexed(key)?;
        self.put_marks(key, marks)
    }

    /// Keeps an edit: text and dates change; first sight, announcements and the story stay.
    pub fn update_entry(&mut self, entry: &Entry, topics: &[TopicMatch], marks: &Marks, now: Timestamp) -> Result<()> {
        let mut statement = self.transaction.prepare_cached(
            "UPDATE entry SET guid = ?2, url = ?3, title = ?4, summary = ?5, summary_html = ?6, content_html = ?7, language = ?8, published = coalesce(?9, published),
                 updated = coalesce(?10, updated), last_seen = ?11, changed = ?11, fingerprint = ?12, details = ?13, topics = ?14 WHERE id = ?1",
        )?;
        statement.execute(params![
            entry.id,
            entry.guid,
            entry.url,
            entry.title,
            entry.summary,
            entry.summary_html,
            entry.content_html,
            entry.language,
            entry.published.map(millis),
            entry.updated.map(millis),
            millis(now),
            entry.fingerprint,
            details_of(entry),
            topics_of(topics),
        ])?;
        let find = "SELECT pk, story FROM entry WHERE id = ?1";
        let (key, story) = self.transaction.prepare_cached(find)?.query_row([&entry.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.mark_dirty(story)?;
        self.mark_unindexed(key)?;
        self.put_marks(key, marks)
    }

    /// Makes one story of several: all entries, and what was sent of them, go to `into`.
    pub fn merge_stories(&mut self, into: &str, others: &[String]) -> Result<()> {
        let into = self.story_key(into)?;
        for other in others {
            let other = self.story_key(other)?;
            if other == into {
                continue;
            }
            self.mark_dirty(into)?;
            self.mark_dirty(other)?;
            self.transaction.execute("UPDATE entry SET story = ?1 WHERE story = ?2", [into, other])?;
            self.transaction.execute("UPDATE OR IGNORE issue_story SET story = ?1 WHERE story = ?2", [into, other])?;
            self.transaction.execute("DELETE FROM issue_story WHERE story = ?1", [other])?;
            self.transaction.execute("DELETE FROM story WHERE pk = ?1", [other])?;
        }
        Ok(())
    }

    /// Forgets the entries that their source dropped before `limit`. The first one of a story stays, without its text: it is how
    /// the story is recognised should somebody list it again, and what tells who was told of it. So does the last of all, for
    /// the order of entries goes on from it.
    pub fn forget_entries_unseen_since(&mut self, source: &str, limit: Timestamp) -> Result<usize> {
        let gone = "DELETE FROM entry WHERE source = ?1 AND last_seen < ?2
                    AND pk > (SELECT min(pk) FROM entry AS other WHERE other.story = entry.story) AND pk < (SELECT max(pk) FROM entry)";
        let emptied = "UPDATE entry SET content_html = NULL, summary_html = NULL WHERE source = ?1 AND last_seen < ?2 AND (content_html IS NOT NULL OR summary_html IS NOT NULL)";
        self.forget_traits_unseen_since(source, limit)?;
        let gone = self.transaction.prepare_cached(gone)?.execute(params![source, millis(limit)])?;
        self.transaction.prepare_cached(emptied)?.execute(params![source, millis(limit)])?;
        Ok(gone)
    }

    /// Notes that a source still lists these entries.
    pub fn touch_entries(&mut self, source: &str, identities: &[String], now: Timestamp) -> Result<()> {
        let mut statement = self.transaction.prepare_cached("UPDATE entry SET last_seen = ?3 WHERE source = ?1 AND identity = ?2")?;
        for identity in identities {
            statement.execute(params![source, identity, millis(now)])?;
        }
        Ok(())
    }

    pub(super) fn story_key(&self, id: &str) -> Result<i64> {
        let mut insert = self.transaction.prepare_cached("INSERT INTO story (id) VALUES (?1) ON CONFLICT DO NOTHING")?;
        insert.execute([id])?;
        let mut select = self.transaction.prepare_cached("SELECT pk FROM story WHERE id = ?1")?;
        Ok(select.query_row([id], |row| row.get(0))?)
    }

    pub(super) fn put_keys(&self, entry: i64, keys: &[Key]) -> Result<()> {
        self.transaction.prepare_cached("DELETE FROM entry_key WHERE entry = ?1")?.execute([entry])?;
        let mut statement = self.transaction.prepare_cached("INSERT OR IGNORE INTO entry_key (key, entry, kind) VALUES (?1, ?2, ?3)")?;
        for key in keys {
            statement.execute(params![key.value, entry, key.kind.as_str()])?;
        }
        Ok(())
    }
}
