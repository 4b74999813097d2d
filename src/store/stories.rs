//! What operators ruled about entries and stories, and long-running jobs over all of them.

use jiff::Timestamp;
use rusqlite::params;

use super::unit::{Stories, Write};
use super::{Result, Unit, millis};
use crate::model::digest::DigestId;
use crate::model::keys::{EntryKey, StoryKey};
use crate::model::story::Relation;
use crate::model::topic::{LabelledEntry, TopicMatch};

impl<A> Stories<'_, A> {
    /// All rulings: two entries, and whether they belong to one story.
    pub fn rulings(&self) -> Result<Vec<(EntryKey, EntryKey, bool)>> {
        self.db.rows("SELECT a, b, is_same FROM ruling ORDER BY a, b", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
    }

    /// All labelled entries.
    pub fn labels(&self) -> Result<Vec<LabelledEntry>> {
        let sql = "SELECT title, summary, language, label.topics FROM label JOIN entry ON entry.pk = label.entry ORDER BY label.entry";
        self.db.rows(sql, [], |row| {
            Ok(LabelledEntry {
                title: row.get(0)?,
                summary: row.get(1)?,
                language: row.get::<Option<String>>(2)?.unwrap_or_default(),
                topics: serde_json::from_str(&row.get::<String>(3)?).unwrap_or_default(),
            })
        })
    }

    /// The last entry processed by a job started with this `state`; `BEFORE_ALL` if it was not begun, or was begun with another
    /// state.
    pub fn job(&self, name: &str, state: &str) -> Result<EntryKey> {
        self.db.one(
            "SELECT coalesce((SELECT done FROM job WHERE name = ?1 AND state = ?2), 0)",
            [name, state],
            |row| row.get(0),
        )
    }
}

impl Stories<'_, Write> {
    /// Stores the last entry processed by a job.
    pub fn put_job(&self, name: &str, state: &str, done: EntryKey) -> Result<()> {
        let sql = "INSERT INTO job (name, done, state) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET done = ?2, state = ?3";
        self.db.execute(sql, params![name, done, state])?;
        Ok(())
    }

    /// Deletes a finished job.
    pub fn end_job(&self, name: &str) -> Result<()> {
        self.db.execute("DELETE FROM job WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Stores the topics that a person assigned; `None` removes them.
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

    /// Replaces the topics of an entry.
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

    /// Records a story as told by a digest without sending it: it existed when the digest last went out, but did not match it.
    pub fn mark_announced(&self, digest: &DigestId, story_id: &str) -> Result<()> {
        let sql = "INSERT INTO issue_story (digest, story, issue)
                   SELECT issue.digest, story.pk, max(issue.pk) FROM story JOIN issue ON issue.digest = ?1 WHERE story.id = ?2
                       AND issue.created >= (SELECT min(first_seen) FROM entry WHERE entry.story = story.pk) GROUP BY issue.digest, story.pk ON CONFLICT DO NOTHING";
        self.db.execute(sql, params![digest, story_id])?;
        Ok(())
    }

    /// Moves an entry into a story, which is created if it does not exist. Digests that told the old story count as having told
    /// this one; a story left empty is deleted.
    pub fn move_entry(&self, entry: EntryKey, story_id: &str) -> Result<()> {
        let unit: Unit<Write> = Unit::new(self.db, self.index);
        let to = match unit.intake().stories_named(&[story_id])?.remove(story_id) {
            Some(story) => story,
            None => unit.intake().create_story(story_id)?,
        };
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

    /// Stores how an entry relates to its story, and why.
    pub fn set_relation(&self, entry: EntryKey, relation: Relation, reason: Option<&str>) -> Result<()> {
        self.db.execute(
            "UPDATE entry SET relation = ?2, reason = ?3 WHERE pk = ?1",
            params![entry, relation.as_str(), reason],
        )?;
        Ok(())
    }

    /// Deletes the rulings between the entries of two stories.
    pub fn forget_rulings(&self, one: StoryKey, other: StoryKey) -> Result<()> {
        let sql = "DELETE FROM ruling WHERE (a IN (SELECT pk FROM entry WHERE story = ?1) AND b IN (SELECT pk FROM entry WHERE story = ?2))
                                         OR (b IN (SELECT pk FROM entry WHERE story = ?1) AND a IN (SELECT pk FROM entry WHERE story = ?2))";
        self.db.execute(sql, [one, other])?;
        Ok(())
    }

    /// Stores a ruling on two entries, replacing any earlier one.
    pub fn put_ruling(&self, one: EntryKey, other: EntryKey, is_same: bool, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO ruling (a, b, is_same, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (a, b) DO UPDATE SET is_same = ?3, at = ?4";
        self.db.execute(sql, params![one.min(other), one.max(other), is_same, millis(now)])?;
        Ok(())
    }
}
