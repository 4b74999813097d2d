//! What operators said of entries and stories, and long jobs over all of them.

use jiff::Timestamp;
use rusqlite::params;

use super::unit::{Stories, Write};
use super::{Result, Unit, millis};
use crate::model::digest::DigestId;
use crate::model::keys::{EntryKey, StoryKey};
use crate::model::story::Relation;
use crate::model::topic::TopicMatch;

impl<A> Stories<'_, A> {
    /// What operators said: two entries, and whether they are one story.
    pub fn rulings(&self) -> Result<Vec<(EntryKey, EntryKey, bool)>> {
        self.db.rows("SELECT a, b, is_same FROM ruling ORDER BY a, b", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
    }

    /// The labels that people gave: title and summary of each entry, and its topics.
    pub fn labels(&self) -> Result<Vec<(String, String, Vec<String>)>> {
        let sql = "SELECT title, summary, label.topics FROM label JOIN entry ON entry.pk = label.entry ORDER BY label.entry";
        let rows = self.db.rows(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))?;
        Ok(rows
            .into_iter()
            .map(|(title, summary, topics)| {
                (title, summary, serde_json::from_str(&topics).unwrap_or_default())
            })
            .collect())
    }

    /// Up to which entry a job has come that was left at the state that is given; `BEFORE_ALL` for one that was not begun, or with
    /// another state.
    pub fn job(&self, name: &str, state: &str) -> Result<EntryKey> {
        self.db.one(
            "SELECT coalesce((SELECT done FROM job WHERE name = ?1 AND state = ?2), 0)",
            [name, state],
            |row| row.get(0),
        )
    }
}

impl Stories<'_, Write> {
    /// Keeps up to which entry a job has come.
    pub fn put_job(&self, name: &str, state: &str, done: EntryKey) -> Result<()> {
        let sql = "INSERT INTO job (name, done, state) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET done = ?2, state = ?3";
        self.db.execute(sql, params![name, done, state])?;
        Ok(())
    }

    /// Forgets a job that is done.
    pub fn end_job(&self, name: &str) -> Result<()> {
        self.db.execute("DELETE FROM job WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Keeps the topics that a person gave; none takes them back.
    pub fn put_label(&self, entry: EntryKey, topics: Option<&[String]>, now: Timestamp) -> Result<()> {
        match topics {
            Some(topics) => {
                let topics = serde_json::to_string(topics).unwrap_or_default();
                let sql = "INSERT INTO label (entry, topics, at) VALUES (?1, ?2, ?3) ON CONFLICT (entry) DO UPDATE SET topics = ?2, at = ?3";
                self.db.execute(sql, params![entry, topics, millis(now)])?
            }
            None => self.db.execute("DELETE FROM label WHERE entry = ?1", [entry])?,
        };
        Ok(())
    }

    /// Gives an entry other topics.
    pub fn set_topics(&self, entry: EntryKey, topics: &[TopicMatch]) -> Result<()> {
        let topics = serde_json::to_string(topics).unwrap_or_else(|_| "[]".into());
        let story: StoryKey = self.db.one(
            "UPDATE entry SET topics = ?2 WHERE pk = ?1 RETURNING story",
            params![entry, topics],
            |row| row.get(0),
        )?;
        self.mark_dirty(story)
    }

    fn mark_dirty(&self, story: StoryKey) -> Result<()> {
        let unit: Unit<Write> = Unit::new(self.db, self.index);
        unit.intake().mark_dirty(story)
    }

    /// Notes that digests told a story, without telling it: it was there, and not for them, when they last went out.
    pub fn set_told(&self, digest: &DigestId, story_id: &str) -> Result<()> {
        let sql = "INSERT INTO issue_story (digest, story, issue)
                   SELECT issue.digest, story.pk, max(issue.pk) FROM story JOIN issue ON issue.digest = ?1 WHERE story.id = ?2
                       AND issue.created >= (SELECT min(first_seen) FROM entry WHERE entry.story = story.pk) GROUP BY issue.digest, story.pk ON CONFLICT DO NOTHING";
        self.db.execute(sql, params![digest, story_id])?;
        Ok(())
    }

    /// Moves an entry into a story, which is made where it is missing. Who was told of the one it leaves was told of this one; a
    /// story that is left empty is gone.
    pub fn move_entry(&self, entry: EntryKey, story_id: &str) -> Result<()> {
        let unit: Unit<Write> = Unit::new(self.db, self.index);
        let to = unit.intake().story_key(story_id)?;
        let from: StoryKey =
            self.db.one("SELECT story FROM entry WHERE pk = ?1", [entry], |row| row.get(0))?;
        if from == to {
            return Ok(());
        }
        self.db.execute("UPDATE entry SET story = ?1 WHERE pk = ?2", params![to, entry])?;
        let told = "INSERT INTO issue_story (digest, story, issue) SELECT digest, ?1, issue FROM issue_story WHERE story = ?2 ON CONFLICT DO NOTHING";
        self.db.execute(told, [to, from])?;
        self.mark_dirty(from)?;
        self.mark_dirty(to)?;
        let is_empty: bool =
            self.db
                .one("SELECT NOT EXISTS (SELECT 1 FROM entry WHERE story = ?1)", [from], |row| row.get(0))?;
        if is_empty {
            self.db.execute("DELETE FROM issue_story WHERE story = ?1", [from])?;
            self.db.execute("DELETE FROM story WHERE pk = ?1", [from])?;
        }
        Ok(())
    }

    /// Says how an entry belongs to its story.
    pub fn set_relation(&self, entry: EntryKey, relation: Relation, reason: Option<&str>) -> Result<()> {
        self.db.execute(
            "UPDATE entry SET relation = ?2, reason = ?3 WHERE pk = ?1",
            params![entry, relation.as_str(), reason],
        )?;
        Ok(())
    }

    /// Takes back what was said of the entries of two stories.
    pub fn forget_rulings(&self, one: StoryKey, other: StoryKey) -> Result<()> {
        let sql = "DELETE FROM ruling WHERE (a IN (SELECT pk FROM entry WHERE story = ?1) AND b IN (SELECT pk FROM entry WHERE story = ?2))
                                         OR (b IN (SELECT pk FROM entry WHERE story = ?1) AND a IN (SELECT pk FROM entry WHERE story = ?2))";
        self.db.execute(sql, [one, other])?;
        Ok(())
    }

    /// Keeps what an operator said of two entries; it takes the place of what was said before.
    pub fn put_ruling(&self, one: EntryKey, other: EntryKey, is_same: bool, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO ruling (a, b, is_same, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (a, b) DO UPDATE SET is_same = ?3, at = ?4";
        self.db.execute(sql, params![one.min(other), one.max(other), is_same, millis(now)])?;
        Ok(())
    }
}
