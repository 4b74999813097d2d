//! What is published where, and what is behind.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::entries::stories_from;
use super::{Result, Store, Work, millis, time};
use crate::model::story::Story;

/// A story that changed since it was published.
#[derive(Debug, Clone, PartialEq)]
pub struct DirtyStory {
    pub key: i64,
    /// `None` when it went into another one.
    pub story: Option<Story>,
}

impl Store {
    /// The stories that changed since they were published, the oldest first.
    pub fn dirty_stories(&self) -> Result<Vec<i64>> {
        let keys = "SELECT dirty_story.story FROM dirty_story LEFT JOIN entry ON entry.story = dirty_story.story GROUP BY dirty_story.story ORDER BY min(sort_date), dirty_story.story";
        let mut statement = self.connection.prepare_cached(keys)?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }

    /// Stories by their keys; what went into another story is `None`.
    pub fn stories_by_key(&self, keys: &[i64]) -> Result<Vec<DirtyStory>> {
        keys.iter().map(|key| Ok(DirtyStory { key: *key, story: self.story_if_there(*key)? })).collect()
    }

    /// The outlets that are known: path, contents, archive documents.
    pub fn outlets(&self) -> Result<Vec<(String, String, i64)>> {
        let mut statement = self.connection.prepare_cached("SELECT path, contents, archived FROM outlet")?;
        Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<rusqlite::Result<_>>()?)
    }

    /// The files that are behind.
    pub fn behind(&self) -> Result<Vec<String>> {
        let mut statement = self.connection.prepare_cached("SELECT path FROM behind ORDER BY path")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }

    /// The number of the last story of an outlet; 0 while there is none.
    pub fn last_published(&self, outlet: &str) -> Result<i64> {
        Ok(self.connection.query_row("SELECT coalesce(max(seq), 0) FROM publication WHERE outlet = ?1", [outlet], |row| row.get(0))?)
    }

    /// The stories of an outlet whose numbers are from `first` to `last`, in that order.
    pub fn published_between(&self, outlet: &str, first: i64, last: i64) -> Result<Vec<Story>> {
        let condition = "publication.outlet = ?1 AND publication.seq BETWEEN ?2 AND ?3";
        stories_from(&self.connection, condition, "publication.seq", params![outlet, first, last])
    }

    /// The newest stories of an outlet and all those after the number `after`, the newest first.
    pub fn published_newest(&self, outlet: &str, stories_max: usize, after: i64) -> Result<Vec<Story>> {
        // Two questions, for one with an "or" would look at all that was ever published.
        let newest = "SELECT seq FROM publication WHERE outlet = ?1 ORDER BY sort_date DESC LIMIT ?2";
        let later = "SELECT seq FROM publication WHERE outlet = ?1 AND seq > ?2";
        let sql = format!("SELECT seq FROM ({newest}) UNION {}", later.replace("?2", "?3"));
        let numbers = {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let numbers = statement.query_map(params![outlet, stories_max as i64, after], |row| row.get::<_, i64>(0))?;
            numbers.collect::<rusqlite::Result<Vec<_>>>()?
        };
        let numbers = serde_json::to_string(&numbers).unwrap_or_default();
        let condition = "publication.outlet = ?1 AND publication.seq IN (SELECT value FROM json_each(?2))";
        stories_from(&self.connection, condition, "publication.sort_date DESC, publication.story DESC", params![outlet, numbers])
    }

    /// The stories of the channel with a date in `[from, to)`, the newest first.
    pub fn published_within(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Story>> {
        let condition = "publication.outlet = '' AND publication.sort_date >= ?1 AND publication.sort_date < ?2";
        stories_from(&self.connection, condition, "publication.sort_date DESC, publication.story DESC", params![millis(from), millis(to)])
    }

    /// The days of the channel that have stories, in UTC, and how many; the newest first.
    pub fn published_days(&self) -> Result<Vec<(String, u64)>> {
        let sql = "SELECT day, stories FROM published_day ORDER BY day DESC";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The stories that a search finds, the best first.
    pub fn search(&self, query: &str, stories_max: usize) -> Result<Vec<Story>> {
        let ranked = "SELECT story FROM (SELECT entry.story AS story, rank FROM entry_text JOIN entry ON entry.pk = entry_text.rowid WHERE entry_text MATCH ?1 ORDER BY rank LIMIT ?2 * 4) GROUP BY story ORDER BY min(rank) LIMIT ?2";
        let mut statement = self.connection.prepare_cached(ranked)?;
        let keys = statement.query_map(params![query, stories_max as i64], |row| row.get::<_, i64>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(keys.into_iter().map(|key| self.story_if_there(key)).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }
}

impl Work<'_> {
    /// Notes that the words of an entry changed.
    pub(super) fn mark_unindexed(&self, entry: i64) -> Result<()> {
        self.transaction.prepare_cached("INSERT OR IGNORE INTO unindexed (entry) VALUES (?1)")?.execute([entry])?;
        Ok(())
    }

    /// Notes that a story is to be published again.
    pub(super) fn mark_dirty(&self, story: i64) -> Result<()> {
        self.transaction.prepare_cached("INSERT OR IGNORE INTO dirty_story (story) VALUES (?1)")?.execute([story])?;
        Ok(())
    }

    /// A feed is of this from now on; what it held as something else is forgotten.
    pub fn put_outlet(&mut self, path: &str, contents: &str) -> Result<()> {
        self.transaction.execute("DELETE FROM publication WHERE outlet = ?1", [path])?;
        if path.is_empty() {
            self.transaction.execute("DELETE FROM published_day", [])?;
        }
        self.put_outlet_contents(path, contents)
    }

    /// All stories are looked at again.
    pub fn mark_all_dirty(&mut self) -> Result<()> {
        self.transaction.execute("INSERT OR IGNORE INTO dirty_story SELECT pk FROM story", [])?;
        Ok(())
    }

    /// Keeps what stands under a name that is no outlet's.
    pub fn put_outlet_contents(&mut self, name: &str, contents: &str) -> Result<()> {
        self.transaction.execute("INSERT OR REPLACE INTO outlet (path, contents, archived) VALUES (?1, ?2, 0)", [name, contents])?;
        Ok(())
    }

    /// Puts a story into an outlet, at its end if it was not there; answers the date that it was sorted by before.
    pub fn publish_story(&mut self, outlet: &str, story: i64, sort_date: Timestamp) -> Result<Option<Timestamp>> {
        let known = "SELECT sort_date FROM publication WHERE story = ?1 AND outlet = ?2";
        let known: Option<i64> = self.transaction.prepare_cached(known)?.query_row(params![story, outlet], |row| row.get(0)).optional()?;
        if outlet.is_empty() && known != Some(millis(sort_date)) {
            self.count_day(known, -1)?;
            self.count_day(Some(millis(sort_date)), 1)?;
        }
        if known.is_some_and(|known| known != millis(sort_date)) {
            let update = "UPDATE publication SET sort_date = ?3 WHERE story = ?1 AND outlet = ?2";
            self.transaction.prepare_cached(update)?.execute(params![story, outlet, millis(sort_date)])?;
        } else if known.is_none() {
            let insert = "INSERT INTO publication (outlet, seq, story, sort_date) VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM publication WHERE outlet = ?1), ?2, ?3)";
            self.transaction.prepare_cached(insert)?.execute(params![outlet, story, millis(sort_date)])?;
        }
        Ok(known.map(time))
    }

    /// Keeps how many stories a day has.
    fn count_day(&self, date: Option<i64>, step: i64) -> Result<()> {
        let Some(date) = date else { return Ok(()) };
        let count = "INSERT INTO published_day (day, stories) VALUES (date(?1 / 1000, 'unixepoch'), ?2) ON CONFLICT DO UPDATE SET stories = stories + ?2";
        self.transaction.prepare_cached(count)?.execute(params![date, step])?;
        self.transaction.prepare_cached("DELETE FROM published_day WHERE day = date(?1 / 1000, 'unixepoch') AND stories <= 0")?.execute([date])?;
        Ok(())
    }

    /// Takes a story that is no more out of all outlets; answers which those were, and the date that it was sorted by.
    pub fn withdraw_story(&mut self, story: i64) -> Result<(Vec<String>, Option<Timestamp>)> {
        let mut statement = self.transaction.prepare_cached("DELETE FROM publication WHERE story = ?1 RETURNING outlet, sort_date")?;
        let rows = statement.query_map([story], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?.collect::<rusqlite::Result<Vec<_>>>()?;
        let date = rows.iter().find(|(outlet, _)| outlet.is_empty()).map(|(_, date)| *date);
        self.count_day(date, -1)?;
        Ok((rows.into_iter().map(|(outlet, _)| outlet).collect(), date.map(time)))
    }

    /// Notes that a story is published as it is.
    pub fn set_clean(&mut self, story: i64) -> Result<()> {
        self.transaction.prepare_cached("DELETE FROM dirty_story WHERE story = ?1")?.execute([story])?;
        Ok(())
    }

    /// Notes that a file is behind.
    pub fn put_behind(&mut self, path: &str) -> Result<()> {
        self.transaction.prepare_cached("INSERT OR IGNORE INTO behind (path) VALUES (?1)")?.execute([path])?;
        Ok(())
    }

    /// Notes that files stand as they should.
    pub fn set_even(&mut self, paths: &[String]) -> Result<()> {
        let mut statement = self.transaction.prepare_cached("DELETE FROM behind WHERE path = ?1")?;
        for path in paths {
            statement.execute([path])?;
        }
        Ok(())
    }

    /// Notes how many archive documents of an outlet stand.
    pub fn set_archives(&mut self, outlet: &str, count: i64) -> Result<()> {
        self.transaction.prepare_cached("UPDATE outlet SET archived = ?2 WHERE path = ?1")?.execute(params![outlet, count])?;
        Ok(())
    }

    /// Brings the words of some entries up to date for the search; answers how many.
    pub fn index_words(&mut self, entries_max: usize) -> Result<usize> {
        let select = "SELECT unindexed.entry, entry.title, entry.summary FROM unindexed LEFT JOIN entry ON entry.pk = unindexed.entry LIMIT ?1";
        let mut select = self.transaction.prepare_cached(select)?;
        let rows =
            select.query_map([entries_max as i64], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, Option<String>>(2)?)))?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut delete = self.transaction.prepare_cached("DELETE FROM entry_text WHERE rowid = ?1")?;
        let mut insert = self.transaction.prepare_cached("INSERT INTO entry_text (rowid, title, summary) VALUES (?1, ?2, ?3)")?;
        let mut done = self.transaction.prepare_cached("DELETE FROM unindexed WHERE entry = ?1")?;
        for (key, title, summary) in &rows {
            delete.execute([key])?;
            if title.is_some() {
                insert.execute(params![key, title, summary])?;
            }
            done.execute([key])?;
        }
        Ok(rows.len())
    }
}
