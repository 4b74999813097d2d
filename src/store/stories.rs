//! What entries look like, who looks like them, and what operators said of that.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Result, Store, Work, millis};
use crate::model::key::{Key, KeyKind};
use crate::model::sketch::Sketch;

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

impl Work<'_> {
    /// Who bears a key, the oldest first, and as what; not the entry with the id `but`.
    pub fn bearers_of_key(&self, key: &str, but: &str, bearers_max: usize) -> Result<Vec<(Shelved, KeyKind)>> {
        let mut statement = self.transaction.prepare_cached(
            "SELECT entry.pk, entry.story, entry.source, entry.language, entry_key.kind FROM entry_key JOIN entry ON entry.pk = entry_key.entry
             WHERE entry_key.key = ?1 AND entry.id <> ?2 ORDER BY entry.pk LIMIT ?3",
        )?;
        let rows = statement.query_map(params![key, but, bearers_max as i64], |row| Ok((shelved(row)?, KeyKind::from(row.get::<_, String>(4)?.as_str()))))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Who bears a trait, the latest first; not the entry with the id `but`.
    pub fn bearers(&self, one: u32, but: &str, bearers_max: usize) -> Result<Vec<Shelved>> {
        let mut statement = self.transaction.prepare_cached(
            "SELECT entry.pk, entry.story, entry.source, entry.language FROM entry_trait JOIN entry ON entry.pk = entry_trait.entry
             WHERE entry_trait.trait = ?1 AND entry.id <> ?2 ORDER BY entry_trait.entry DESC LIMIT ?3",
        )?;
        let rows = statement.query_map(params![one, but, bearers_max as i64], shelved)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The story of an entry and its sketch, if that is made.
    pub fn sketched(&self, entry: i64) -> Result<Option<(i64, Option<Sketch>)>> {
        let sql = "SELECT entry.story, sketch.sketch FROM entry LEFT JOIN sketch ON sketch.entry = entry.pk WHERE entry.pk = ?1";
        let row = self.transaction.prepare_cached(sql)?.query_row([entry], |row| Ok((row.get(0)?, row.get::<_, Option<Vec<u8>>>(1)?))).optional()?;
        Ok(row.map(|(story, bytes)| (story, bytes.and_then(|bytes| Sketch::from_bytes(&bytes)))))
    }

    /// The entries of a story, the oldest first.
    pub fn members(&self, story: i64, members_max: usize) -> Result<Vec<i64>> {
        let mut statement = self.transaction.prepare_cached("SELECT pk FROM entry WHERE story = ?1 ORDER BY pk LIMIT ?2")?;
        Ok(statement.query_map([story, members_max as i64], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
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
        let mut statement = self.transaction.prepare_cached("INSERT OR IGNORE INTO entry_trait (trait, entry) VALUES (?1, ?2)")?;
        for one in sketch.traits() {
            statement.execute(params![one, entry])?;
        }
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
