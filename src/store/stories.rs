//! What entries look like, who looks like them, and what operators said of that.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Result, Store, StoreError, Work, millis};
use crate::model::address::canonical_key;
use crate::model::key::{Key, KeyKind};
use crate::model::sketch::Sketch;
use crate::model::story::{Relation, StoredEntry};
use crate::model::topic::TopicMatch;

/// What an entry is found by.
#[derive(Debug, Clone, Copy)]
pub struct Marks<'a> {
    pub keys: &'a [Key],
    pub sketch: &'a Sketch,
}

/// An entry that shares something with another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelved {
    pub entry: i64,
    pub story: i64,
    pub source: String,
    pub language: Option<String>,
}

/// Where an entry stands, with all that decides it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shelf {
    pub entry: i64,
    pub story: i64,
    pub relation: Relation,
    pub reason: Option<String>,
    pub sketch: Sketch,
    pub keys: Vec<Key>,
}

/// Bearers of a trait that are looked at for their days.
const LATEST: i64 = 256;
/// The beginning of an id that is taken for one, in characters.
const ID_CHARS_MIN: usize = 6;

/// The last entry that was first seen before a time, in milliseconds since 1970; 0 where there is none.
pub(super) fn last_entry_before(connection: &rusqlite::Connection, time: i64) -> Result<i64> {
    let sql = "SELECT coalesce((SELECT pk FROM entry WHERE first_seen < ?1 ORDER BY first_seen DESC, pk DESC LIMIT 1), 0)";
    Ok(connection.prepare_cached(sql)?.query_row([time], |row| row.get(0))?)
}

fn shelved(row: &rusqlite::Row) -> rusqlite::Result<Shelved> {
    Ok(Shelved { entry: row.get(0)?, story: row.get(1)?, source: row.get(2)?, language: row.get(3)? })
}

impl Store {
    /// The entries whose sketch is to be made, the oldest first.
    pub fn unsketched(&self, entries_max: usize) -> Result<Vec<i64>> {
        let mut statement = self.connection.prepare_cached("SELECT entry FROM unsketched ORDER BY entry LIMIT ?1")?;
        Ok(statement.query_map([entries_max as i64], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }
}

impl Store {
    /// Entries that somebody may mean: by our id or its beginning, by address, by guid.
    pub fn find_entries(&self, text: &str, entries_max: usize) -> Result<Vec<StoredEntry>> {
        let key = canonical_key(text);
        let is_id = text.len() >= ID_CHARS_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        let sql = "SELECT pk FROM entry WHERE id = ?1 OR (?2 AND id >= ?1 AND id < ?1 || 'g') OR pk IN (SELECT entry FROM entry_key WHERE key = ?3 AND kind = 'own') OR guid = ?1
                   ORDER BY pk LIMIT ?4";
        let mut statement = self.connection.prepare_cached(sql)?;
        let keys = statement.query_map(params![text, is_id, key, entries_max as i64], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        keys.into_iter().map(|key| self.stored_entry(key)).collect()
    }

    /// What is known of each entry's place, from the one after `after` on.
    pub fn shelf_after(&self, after: i64, entries_max: usize) -> Result<Vec<Shelf>> {
        let sql = "SELECT entry.pk, entry.story, entry.relation, entry.reason, sketch.sketch FROM entry LEFT JOIN sketch ON sketch.entry = entry.pk
                   WHERE entry.pk > ?1 ORDER BY entry.pk LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![after, entries_max as i64], |row| {
            let sketch: Option<Vec<u8>> = row.get(4)?;
            let relation: String = row.get(2)?;
            Ok(Shelf {
                entry: row.get(0)?,
                story: row.get(1)?,
                relation: Relation::from(relation.as_str()),
                reason: row.get(3)?,
                sketch: sketch.and_then(|bytes| Sketch::from_bytes(&bytes)).unwrap_or_default(),
                keys: Vec::new(),
            })
        })?;
        let mut shelves = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut keys = self.connection.prepare_cached("SELECT key, kind FROM entry_key WHERE entry = ?1")?;
        for shelf in &mut shelves {
            let rows = keys.query_map([shelf.entry], |row| Ok(Key { value: row.get(0)?, kind: row.get::<_, String>(1)?.as_str().into() }))?;
            shelf.keys = rows.collect::<rusqlite::Result<_>>()?;
        }
        Ok(shelves)
    }

    /// What operators said: two entries, and whether they are one story.
    pub fn rulings(&self) -> Result<Vec<(i64, i64, bool)>> {
        let mut statement = self.connection.prepare_cached("SELECT a, b, is_same FROM ruling ORDER BY a, b")?;
        Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<rusqlite::Result<_>>()?)
    }

    /// The labels that people gave: title and summary of each entry, and its topics.
    pub fn labels(&self) -> Result<Vec<(String, String, Vec<String>)>> {
        let mut statement =
            self.connection.prepare_cached("SELECT title, summary, label.topics FROM label JOIN entry ON entry.pk = label.entry ORDER BY label.entry")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))?;
        rows.map(|row| row.map(|(title, summary, topics)| (title, summary, serde_json::from_str(&topics).unwrap_or_default())).map_err(StoreError::from))
            .collect()
    }

    /// How many entries there are.
    pub fn entry_count(&self) -> Result<u64> {
        Ok(self.connection.query_row("SELECT count(*) FROM entry", [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// How far a job has come that was left at the state that is given; 0 for one that was not begun, or with another state.
    pub fn job(&self, name: &str, state: &str) -> Result<i64> {
        let sql = "SELECT coalesce((SELECT done FROM job WHERE name = ?1 AND state = ?2), 0)";
        Ok(self.connection.query_row(sql, [name, state], |row| row.get(0))?)
    }
}

impl Work<'_> {
    /// Keeps how far a job has come.
    pub fn put_job(&mut self, name: &str, state: &str, done: i64) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO job (name, done, state) VALUES (?1, ?2, ?3)";
        self.transaction.prepare_cached(sql)?.execute(params![name, done, state])?;
        Ok(())
    }

    /// Forgets a job that is done.
    pub fn end_job(&mut self, name: &str) -> Result<()> {
        self.transaction.execute("DELETE FROM job WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Keeps the topics that a person gave; none takes them back.
    pub fn put_label(&mut self, entry: i64, topics: Option<&[String]>, now: Timestamp) -> Result<()> {
        match topics {
            Some(topics) => {
                let topics = serde_json::to_string(topics).unwrap_or_default();
                self.transaction.execute("INSERT OR REPLACE INTO label (entry, topics, at) VALUES (?1, ?2, ?3)", params![entry, topics, millis(now)])?
            }
            None => self.transaction.execute("DELETE FROM label WHERE entry = ?1", [entry])?,
        };
        Ok(())
    }

    /// The topics that a person gave an entry.
    pub fn label(&self, entry_id: &str) -> Result<Option<Vec<String>>> {
        let sql = "SELECT label.topics FROM label JOIN entry ON entry.pk = label.entry WHERE entry.id = ?1";
        let topics: Option<String> = self.transaction.prepare_cached(sql)?.query_row([entry_id], |row| row.get(0)).optional()?;
        Ok(topics.map(|topics| serde_json::from_str(&topics).unwrap_or_default()))
    }

    /// Gives an entry other topics.
    pub fn set_topics(&mut self, entry: i64, topics: &[TopicMatch]) -> Result<()> {
        let sql = "UPDATE entry SET topics = ?2 WHERE pk = ?1 RETURNING story";
        let topics = serde_json::to_string(topics).unwrap_or_else(|_| "[]".into());
        let story = self.transaction.prepare_cached(sql)?.query_row(params![entry, topics], |row| row.get(0))?;
        self.mark_dirty(story)
    }

    /// Notes that digests told a story, without telling it: it was there, and not for them, when they last went out.
    pub fn set_told(&mut self, digest: &str, story_id: &str) -> Result<()> {
        let sql = "INSERT OR IGNORE INTO issue_story (digest, story, issue)
                   SELECT issue.digest, story.pk, max(issue.pk) FROM issue, story WHERE issue.digest = ?1 AND story.id = ?2 AND issue.created >= (SELECT min(first_seen) FROM entry WHERE entry.story = story.pk) GROUP BY issue.digest, story.pk";
        self.transaction.prepare_cached(sql)?.execute([digest, story_id])?;
        Ok(())
    }

    /// Says how an entry belongs to its story.
    pub fn set_relation(&mut self, entry: i64, relation: Relation, reason: Option<&str>) -> Result<()> {
        let sql = "UPDATE entry SET relation = ?2, reason = ?3 WHERE pk = ?1";
        self.transaction.prepare_cached(sql)?.execute(params![entry, relation.as_str(), reason])?;
        Ok(())
    }

    /// Moves an entry into a story, which is made where it is missing. Who was told of the one it leaves was told of this one; a
    /// story that is left empty is gone.
    pub fn move_entry(&mut self, entry: i64, story_id: &str) -> Result<()> {
        let to = self.story_key(story_id)?;
        let from: i64 = self.transaction.prepare_cached("SELECT story FROM entry WHERE pk = ?1")?.query_row([entry], |row| row.get(0))?;
        if from == to {
            return Ok(());
        }
        self.transaction.prepare_cached("UPDATE entry SET story = ?1 WHERE pk = ?2")?.execute([to, entry])?;
        let told = "INSERT OR IGNORE INTO issue_story (digest, story, issue) SELECT digest, ?1, issue FROM issue_story WHERE story = ?2";
        self.transaction.prepare_cached(told)?.execute([to, from])?;
        self.mark_dirty(from)?;
        self.mark_dirty(to)?;
        let is_empty = "SELECT NOT EXISTS (SELECT 1 FROM entry WHERE story = ?1)";
        if self.transaction.prepare_cached(is_empty)?.query_row([from], |row| row.get(0))? {
            self.transaction.prepare_cached("DELETE FROM issue_story WHERE story = ?1")?.execute([from])?;
            self.transaction.prepare_cached("DELETE FROM story WHERE pk = ?1")?.execute([from])?;
        }
        Ok(())
    }

    /// Takes back what was said of the entries of two stories.
    pub fn forget_rulings(&mut self, one: i64, other: i64) -> Result<()> {
        let sql = "DELETE FROM ruling WHERE (a IN (SELECT pk FROM entry WHERE story = ?1) AND b IN (SELECT pk FROM entry WHERE story = ?2))
                                         OR (b IN (SELECT pk FROM entry WHERE story = ?1) AND a IN (SELECT pk FROM entry WHERE story = ?2))";
        self.transaction.execute(sql, [one, other])?;
        Ok(())
    }

    /// The languages of all sketches that were ever made.
    pub fn sketch_languages(&self) -> Result<Vec<u32>> {
        let mut statement = self.transaction.prepare_cached("SELECT language FROM sketch_language")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }

    /// Who bears a key, the oldest first, and as what; not the entry with the id `but`.
    pub fn bearers_of_key(&self, key: &str, but: &str, bearers_max: usize) -> Result<Vec<(Shelved, KeyKind)>> {
        let sql = format!(
            "SELECT entry.pk, entry.story, entry.source, entry.language, entry_key.kind FROM entry_key JOIN entry ON entry.pk = entry_key.entry
             WHERE entry_key.key = ?1 AND entry.id <> ?2 ORDER BY entry.pk LIMIT {bearers_max}"
        );
        let mut statement = self.transaction.prepare_cached(&sql)?;
        let rows = statement.query_map([key, but], |row| Ok((shelved(row)?, KeyKind::from(row.get::<_, String>(4)?.as_str()))))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Who bears a trait, the latest first.
    pub fn bearers(&self, one: u32, bearers_max: usize) -> Result<Vec<i64>> {
        // A limit that is bound would have SQLite prepare the statement anew each time.
        let sql = format!("SELECT entry FROM entry_trait WHERE trait = ?1 ORDER BY entry DESC LIMIT {bearers_max}");
        Ok(self.transaction.prepare_cached(&sql)?.query_map([one], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }

    /// The same, of those after an entry whose day is among some days; of the latest `LATEST` only.
    pub fn bearers_of_days(&self, one: u32, after: i64, days: (i32, i32), bearers_max: usize) -> Result<Vec<i64>> {
        let sql = format!(
            "SELECT entry FROM (SELECT entry, day FROM entry_trait WHERE trait = ?1 AND entry > ?2 ORDER BY entry DESC LIMIT {LATEST})
             WHERE day BETWEEN ?3 AND ?4 LIMIT {bearers_max}"
        );
        let rows = self.transaction.prepare_cached(&sql)?.query_map(params![one, after, days.0, days.1], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(rows)
    }

    /// What is to be known of an entry to count it; `None` for the one with the id `but`, and for one that is gone.
    pub fn shelved(&self, entry: i64, but: &str) -> Result<Option<Shelved>> {
        let sql = "SELECT pk, story, source, language FROM entry WHERE pk = ?1 AND id <> ?2";
        Ok(self.transaction.prepare_cached(sql)?.query_row(params![entry, but], shelved).optional()?)
    }

    /// The last entry that was first seen before a day (since 1970).
    pub fn last_entry_before_day(&self, day: i32) -> Result<i64> {
        last_entry_before(&self.transaction, i64::from(day) * 86_400_000)
    }

    /// The story of an entry and its sketch, if that is made.
    pub fn sketched(&self, entry: i64) -> Result<Option<(i64, Option<Sketch>)>> {
        let sql = "SELECT entry.story, sketch.sketch FROM entry LEFT JOIN sketch ON sketch.entry = entry.pk WHERE entry.pk = ?1";
        let row = self.transaction.prepare_cached(sql)?.query_row([entry], |row| Ok((row.get(0)?, row.get::<_, Option<Vec<u8>>>(1)?))).optional()?;
        Ok(row.map(|(story, bytes)| (story, bytes.and_then(|bytes| Sketch::from_bytes(&bytes)))))
    }

    /// The entries of a story, the oldest first.
    pub fn members(&self, story: i64, members_max: usize) -> Result<Vec<i64>> {
        let sql = format!("SELECT pk FROM entry WHERE story = ?1 ORDER BY pk LIMIT {members_max}");
        Ok(self.transaction.prepare_cached(&sql)?.query_map([story], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }

    /// The id of a story.
    pub fn story_id(&self, story: i64) -> Result<String> {
        Ok(self.transaction.prepare_cached("SELECT id FROM story WHERE pk = ?1")?.query_row([story], |row| row.get(0))?)
    }

    /// What an entry is called where a person reads it: its title and its source.
    pub fn title_of(&self, entry: i64) -> Result<(String, String)> {
        Ok(self.transaction.prepare_cached("SELECT title, source FROM entry WHERE pk = ?1")?.query_row([entry], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// Whether an operator said that the entry is none of a story's.
    pub fn is_kept_out(&self, entry_id: &str, story: i64) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM entry JOIN ruling ON ruling.a = entry.pk JOIN entry AS other ON other.pk = ruling.b
                                  WHERE entry.id = ?1 AND is_same = 0 AND other.story = ?2
                                  UNION ALL
                                  SELECT 1 FROM entry JOIN ruling ON ruling.b = entry.pk JOIN entry AS other ON other.pk = ruling.a
                                  WHERE entry.id = ?1 AND is_same = 0 AND other.story = ?2)";
        Ok(self.transaction.prepare_cached(sql)?.query_row(params![entry_id, story], |row| row.get(0))?)
    }

    /// Whether an operator said that two stories are two.
    pub fn are_kept_apart(&self, one: i64, other: i64) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM entry AS x JOIN ruling ON ruling.a = x.pk JOIN entry AS y ON y.pk = ruling.b
                                  WHERE is_same = 0 AND x.story IN (?1, ?2) AND y.story IN (?1, ?2) AND x.story <> y.story)";
        Ok(self.transaction.prepare_cached(sql)?.query_row([one, other], |row| row.get(0))?)
    }

    /// Keeps what an operator said of two entries; it takes the place of what was said before.
    pub fn put_ruling(&mut self, one: i64, other: i64, is_same: bool, now: Timestamp) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO ruling (a, b, is_same, at) VALUES (?1, ?2, ?3, ?4)";
        self.transaction.prepare_cached(sql)?.execute(params![one.min(other), one.max(other), is_same, millis(now)])?;
        Ok(())
    }

    /// Keeps what an entry looks like, in the place of what it looked like before.
    pub(super) fn put_marks(&self, entry: i64, marks: &Marks) -> Result<()> {
        self.put_keys(entry, marks.keys)?;
        self.put_sketch(entry, marks.sketch)
    }

    /// Keeps a sketch, in the place of an older one.
    pub fn put_sketch(&self, entry: i64, sketch: &Sketch) -> Result<()> {
        let old = self.transaction.prepare_cached("SELECT sketch FROM sketch WHERE entry = ?1")?.query_row([entry], |row| row.get(0)).optional()?;
        self.forget_traits(entry, old)?;
        self.transaction.prepare_cached("INSERT OR REPLACE INTO sketch (entry, sketch) VALUES (?1, ?2)")?.execute(params![entry, sketch.to_bytes()])?;
        let mut statement = self.transaction.prepare_cached("INSERT OR IGNORE INTO entry_trait (trait, entry, day) VALUES (?1, ?2, ?3)")?;
        for one in sketch.traits() {
            statement.execute(params![one, entry, sketch.day])?;
        }
        self.transaction.prepare_cached("INSERT OR IGNORE INTO sketch_language (language) VALUES (?1)")?.execute([sketch.language])?;
        self.transaction.prepare_cached("DELETE FROM unsketched WHERE entry = ?1")?.execute([entry])?;
        Ok(())
    }

    /// An entry is gone before its sketch was made.
    pub fn forget_unsketched(&self, entry: i64) -> Result<()> {
        self.transaction.prepare_cached("DELETE FROM unsketched WHERE entry = ?1")?.execute([entry])?;
        Ok(())
    }

    fn forget_traits(&self, entry: i64, sketch: Option<Vec<u8>>) -> Result<()> {
        let Some(sketch) = sketch.and_then(|bytes| Sketch::from_bytes(&bytes)) else { return Ok(()) };
        let mut statement = self.transaction.prepare_cached("DELETE FROM entry_trait WHERE trait = ?1 AND entry = ?2")?;
        for one in sketch.traits() {
            statement.execute(params![one, entry])?;
        }
        Ok(())
    }

    /// Entries that are about to be forgotten are found no more.
    pub(super) fn forget_traits_unseen_since(&self, source: &str, limit: Timestamp) -> Result<()> {
        let sql = "SELECT entry.pk, sketch.sketch FROM entry JOIN sketch ON sketch.entry = entry.pk WHERE entry.source = ?1 AND entry.last_seen < ?2
                   AND entry.pk > (SELECT min(pk) FROM entry AS other WHERE other.story = entry.story) AND entry.pk < (SELECT max(pk) FROM entry)";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let rows = statement.query_map(params![source, millis(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for row in rows {
            let (entry, sketch) = row?;
            self.forget_traits(entry, sketch)?;
        }
        Ok(())
    }
}
