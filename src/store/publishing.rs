//! What is published where, and which files are out of date.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::params;

use super::driver::InsertOrder;
use super::entries::{MarkupScope, published};
use super::full_text::{SearchTerms, index_of};
use super::unit::{Publishing, Write};
use super::values::{keys_text, texts};
use super::{Result, StoreError, Unit, millis, optional_time, time};
use crate::model::keys::{EntryKey, Seq, StoryKey};
use crate::model::publication::PublicationKey;
use crate::model::story::Story;

/// The pseudo-path in the table of publications for what surrounds the stories of all publications.
const AROUND: &str = "#";

/// Entries looked up for each story that a search may return.
const ENTRIES_OF_STORY: usize = 4;
/// Matching entries for each story that a search may return, among which those with the words in their titles come first.
const MATCHES_OF_STORY: usize = 6;

/// A story that changed since it was last published.
#[derive(Debug, Clone, PartialEq)]
pub struct DirtyStory {
    pub key: StoryKey,
    /// `None` if it was merged into another story or has no entries left.
    pub story: Option<Story>,
}

/// A story in a publication.
#[derive(Debug, Clone, Copy)]
pub struct PlacedStory<'a> {
    pub publication: &'a PublicationKey,
    pub story: StoryKey,
    pub sort_date: Timestamp,
}

/// The day (UTC) of a date in milliseconds.
fn day_of(date: i64) -> Date {
    time(date).to_zoned_datetime(jiff::tz::TimeZone::UTC).date()
}

/// Where a story stands in a publication: its date, in milliseconds since 1970, and its number there. As text, `DATE_NUMBER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedPlace {
    date: i64,
    seq: Seq,
}

impl fmt::Display for PublishedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.date, self.seq.0)
    }
}

impl FromStr for PublishedPlace {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (date, seq) = text.split_once('_').ok_or(())?;
        let number = |text: &str| text.parse().map_err(drop);
        Ok(PublishedPlace { date: number(date)?, seq: Seq(number(seq)?) })
    }
}

impl<A> Publishing<'_, A> {
    /// The stories that changed since they were last published, oldest first.
    pub fn dirty_keys(&self) -> Result<Vec<StoryKey>> {
        let sql =
            "SELECT dirty_story.story FROM dirty_story LEFT JOIN entry ON entry.story = dirty_story.story
                   GROUP BY dirty_story.story ORDER BY coalesce(min(sort_date), 0), dirty_story.story";
        self.db.rows(sql, [], |row| row.get(0))
    }

    /// Stories by their keys, without their HTML.
    pub fn dirty_stories(&self, keys: &[StoryKey]) -> Result<Vec<DirtyStory>> {
        let unit: Unit<A> = Unit::new(self.db, self.index);
        let mut stories = unit.entries().stories_by_key(keys, MarkupScope::Without)?;
        Ok(keys.iter().map(|key| DirtyStory { key: *key, story: stories.remove(key) }).collect())
    }

    /// The known publications: key, contents, number of archive documents.
    pub fn publications(&self) -> Result<Vec<(PublicationKey, String, i64)>> {
        let sql = "SELECT path, contents, archived FROM publication WHERE path <> ?1";
        self.db.rows(sql, [AROUND], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    /// The publications that have had a story.
    pub fn begun(&self) -> Result<Vec<PublicationKey>> {
        let sql = "SELECT path FROM publication WHERE published > 0 AND path <> ?1";
        self.db.rows(sql, [AROUND], |row| row.get(0))
    }

    /// How many stories a publication has, counted up to `most`.
    pub fn count(&self, publication: &PublicationKey, most: u64) -> Result<u64> {
        let sql =
            "SELECT count(*) FROM (SELECT 1 FROM published_story WHERE publication = ?1 LIMIT ?2) AS found";
        let count = self.db.row(sql, params![publication, most as i64], |row| row.get::<i64>(0))?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    /// The number of archive documents of the publications whose documents an earlier version wrote.
    pub fn unchecked(&self) -> Result<HashMap<PublicationKey, i64>> {
        let sql = "SELECT path, archived FROM publication WHERE is_checked = 0 AND path <> ?1";
        Ok(self.db.rows(sql, [AROUND], |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect())
    }

    /// What surrounded the stories of all publications when they were last rendered.
    pub fn site_digest(&self) -> Result<Option<String>> {
        self.db.row("SELECT contents FROM publication WHERE path = ?1", [AROUND], |row| row.get(0))
    }

    /// What the pages of publications show as coming up, as it was put; those that show nothing are left out.
    pub fn coming(&self) -> Result<HashMap<PublicationKey, String>> {
        let rows =
            self.db.rows("SELECT path, events FROM coming", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.into_iter().collect())
    }

    /// The files that are behind.
    pub fn outdated_files(&self) -> Result<Vec<String>> {
        self.db.rows("SELECT path FROM behind ORDER BY path", [], |row| row.get(0))
    }

    /// The number of the last story of a publication; `BEFORE_ALL` if there is none.
    pub fn last(&self, publication: &PublicationKey) -> Result<Seq> {
        Ok(self
            .db
            .row("SELECT published FROM publication WHERE path = ?1", [publication], |row| row.get(0))?
            .unwrap_or(Seq::BEFORE_ALL))
    }

    /// The stories of a publication numbered `first` to `last`, in that order.
    pub fn between(&self, publication: &PublicationKey, first: Seq, last: Seq) -> Result<Vec<Story>> {
        let condition = "published_story.publication = ?1 AND published_story.seq BETWEEN ?2 AND ?3";
        published(self.db, condition, "published_story.seq", params![publication, first, last])
    }

    /// The newest stories of a publication, newest first; with `after`, also all those numbered higher.
    pub fn newest(
        &self,
        publication: &PublicationKey,
        stories_max: usize,
        after: Option<Seq>,
    ) -> Result<Vec<Story>> {
        // Two queries: with an OR, everything ever published would be scanned.
        let newest = format!(
            "SELECT seq FROM published_story WHERE publication = ?1 ORDER BY sort_date DESC, seq DESC LIMIT {stories_max}"
        );
        let mut numbers: Vec<Seq> = self.db.rows(&newest, [publication], |row| row.get(0))?;
        if let Some(after) = after {
            let later = "SELECT seq FROM published_story WHERE publication = ?1 AND seq > ?2";
            numbers.extend(self.db.rows(later, params![publication, after], |row| row.get::<Seq>(0))?);
        }
        numbers.sort_unstable();
        numbers.dedup();
        // The plus sign keeps the planner from walking the whole publication by date where only a few numbers are wanted.
        let condition = "published_story.publication = ?1 AND published_story.seq IN (SELECT CAST(value AS BIGINT) FROM json_each(?2))";
        published(
            self.db,
            condition,
            "+published_story.sort_date DESC, published_story.story DESC",
            params![publication, keys_text(&numbers)],
        )
    }

    /// The stories of a publication that come after a place in it, the newest first and without their HTML, with their places.
    pub fn before(
        &self,
        publication: &PublicationKey,
        place: Option<PublishedPlace>,
        stories_max: usize,
    ) -> Result<Vec<(PublishedPlace, Story)>> {
        let sql = format!(
            "SELECT sort_date, seq, story FROM published_story WHERE publication = ?1 AND (sort_date, seq) < (?2, ?3)
             ORDER BY sort_date DESC, seq DESC LIMIT {stories_max}"
        );
        let PublishedPlace { date, seq } =
            place.unwrap_or(PublishedPlace { date: i64::MAX, seq: Seq(i64::MAX) });
        let places: Vec<(PublishedPlace, StoryKey)> =
            self.db.rows(&sql, params![publication, date, seq], |row| {
                Ok((PublishedPlace { date: row.get(0)?, seq: row.get(1)? }, row.get(2)?))
            })?;
        let keys: Vec<StoryKey> = places.iter().map(|(_, story)| *story).collect();
        let unit: Unit<A> = Unit::new(self.db, self.index);
        let mut stories = unit.entries().stories_by_key(&keys, MarkupScope::Without)?;
        Ok(places.into_iter().filter_map(|(place, key)| Some((place, stories.remove(&key)?))).collect())
    }

    /// The stories of the channel dated within `[from, to)`, newest first.
    pub fn within(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Story>> {
        let condition = "published_story.publication = ?1 AND published_story.sort_date >= ?2 AND published_story.sort_date < ?3";
        published(
            self.db,
            condition,
            "published_story.sort_date DESC, published_story.story DESC",
            params![PublicationKey::Channel, millis(from), millis(to)],
        )
    }

    /// The days (UTC) on which the channel has stories, newest first, and how many.
    pub fn days(&self) -> Result<Vec<(String, u64)>> {
        let sql = "SELECT day, stories FROM published_day ORDER BY day DESC";
        self.db.rows(sql, [], |row| Ok((row.get(0)?, row.get::<i64>(1)?.unsigned_abs())))
    }

    /// The stories that match a search, without HTML: those with all words in the title, then those with all words anywhere, then,
    /// where these are few, those where the last word is a prefix; newest first within each group. Of words that many entries have,
    /// only the newest entries are looked at, so that a search costs the same whatever the size of the store.
    pub fn search(&self, words: &[&str], stories_max: usize) -> Result<Vec<Story>> {
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let anywhere = SearchTerms { words, in_title: false, last_is_prefix: false };
        let entries_max = stories_max * ENTRIES_OF_STORY;
        let index = index_of(self.db);
        let matches =
            index.matches(self.db, anywhere, EntryKey::BEFORE_ALL, stories_max * MATCHES_OF_STORY)?;
        let mut keys: Vec<StoryKey> = Vec::new();
        if let Some(oldest) = matches.last() {
            let in_title = SearchTerms { in_title: true, ..anywhere };
            let titled = index.matches(self.db, in_title, *oldest, entries_max)?;
            self.add_stories_of(&titled, &mut keys)?;
            if keys.len() < stories_max {
                self.add_stories_of(&matches[..matches.len().min(entries_max)], &mut keys)?;
            }
        }
        if keys.len() < stories_max && matches.len() < entries_max {
            let begun = SearchTerms { last_is_prefix: true, ..anywhere };
            let begun = index.matches(self.db, begun, EntryKey::BEFORE_ALL, entries_max)?;
            self.add_stories_of(&begun, &mut keys)?;
        }
        keys.truncate(stories_max);
        let unit: Unit<A> = Unit::new(self.db, self.index);
        unit.entries().stories(&keys, MarkupScope::Without)
    }

    /// Adds the stories of entries, the newest first, that are not there yet.
    fn add_stories_of(&self, entries: &[EntryKey], keys: &mut Vec<StoryKey>) -> Result<()> {
        let sql =
            "SELECT entry.story FROM json_each(?1) AS wanted CROSS JOIN entry ON entry.pk = CAST(wanted.value AS BIGINT)
                   ORDER BY entry.sort_date DESC, entry.pk DESC";
        let mut known: HashSet<StoryKey> = keys.iter().copied().collect();
        let stories: Vec<StoryKey> = self.db.rows(sql, [keys_text(entries)], |row| row.get(0))?;
        keys.extend(stories.into_iter().filter(|story| known.insert(*story)));
        Ok(())
    }
}

impl Publishing<'_, Write> {
    /// Defines what a publication contains from now on; its earlier contents are discarded.
    pub fn put_publication(&self, publication: &PublicationKey, contents: &str) -> Result<()> {
        self.db.execute("DELETE FROM published_story WHERE publication = ?1", [publication])?;
        if *publication == PublicationKey::Channel {
            self.db.execute("DELETE FROM published_day", [])?;
        }
        self.put_contents(publication.as_str(), contents)
    }

    /// Stores what surrounds the stories of all publications.
    pub fn put_around(&self, contents: &str) -> Result<()> {
        self.put_contents(AROUND, contents)
    }

    /// Marks all stories to be published again.
    pub fn mark_all_dirty(&self) -> Result<()> {
        self.db
            .execute("INSERT INTO dirty_story SELECT pk FROM story WHERE true ON CONFLICT DO NOTHING", [])?;
        Ok(())
    }

    fn put_contents(&self, path: &str, contents: &str) -> Result<()> {
        let sql = "INSERT INTO publication (path, contents, archived) VALUES (?1, ?2, 0) ON CONFLICT (path) DO UPDATE SET contents = ?2, archived = 0, published = 0";
        self.db.execute(sql, [path, contents])?;
        Ok(())
    }

    /// Puts stories into publications, at the end where they are new; returns for each the date it was sorted by there before.
    pub fn publish_stories(&self, placed: &[PlacedStory]) -> Result<Vec<Option<Timestamp>>> {
        let mut stories: Vec<StoryKey> = placed.iter().map(|one| one.story).collect();
        stories.dedup();
        let known = self.published_dates(&stories)?;
        let before = |one: &PlacedStory| known.get(&(one.story, one.publication.clone())).copied();
        let mut days: BTreeMap<Date, i64> = BTreeMap::new();
        let before_all = self.ends_of(placed)?;
        let mut ends = before_all.clone();
        for one in placed {
            let (known, date) = (before(one), millis(one.sort_date));
            if known == Some(date) {
                continue;
            }
            if *one.publication == PublicationKey::Channel {
                *days.entry(day_of(date)).or_default() += 1;
                if let Some(known) = known {
                    *days.entry(day_of(known)).or_default() -= 1;
                }
            }
            if known.is_some() {
                let sql = "UPDATE published_story SET sort_date = ?3 WHERE story = ?1 AND publication = ?2";
                self.db.execute(sql, params![one.story, one.publication, date])?;
                continue;
            }
            let seq = ends.get_mut(one.publication).ok_or_else(|| {
                StoreError::Corrupt(format!("the publication {} is not there", one.publication.as_str()))
            })?;
            seq.0 += 1;
            let sql =
                "INSERT INTO published_story (publication, seq, story, sort_date) VALUES (?1, ?2, ?3, ?4)";
            self.db.execute_later(InsertOrder::Rest, sql, params![one.publication, *seq, one.story, date])?;
        }
        for (publication, end) in
            ends.iter().filter(|(publication, end)| before_all.get(*publication) != Some(*end))
        {
            let sql = "UPDATE publication SET published = ?2 WHERE path = ?1";
            self.db.execute(sql, params![publication, end])?;
        }
        days.into_iter().try_for_each(|(day, step)| self.count_day(day, step))?;
        Ok(placed.iter().map(|one| optional_time(before(one))).collect())
    }

    /// The dates by which stories are sorted in their publications.
    fn published_dates(&self, stories: &[StoryKey]) -> Result<HashMap<(StoryKey, PublicationKey), i64>> {
        let sql = "SELECT published_story.story, publication, sort_date FROM json_each(?1) AS asked
                   CROSS JOIN published_story ON published_story.story = CAST(asked.value AS BIGINT)";
        let rows =
            self.db.rows(sql, [keys_text(stories)], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
        Ok(rows.into_iter().collect())
    }

    /// The last numbers that these publications gave to stories.
    fn ends_of(&self, placed: &[PlacedStory]) -> Result<HashMap<PublicationKey, Seq>> {
        let mut paths: Vec<&str> = placed.iter().map(|one| one.publication.as_str()).collect();
        paths.sort_unstable();
        paths.dedup();
        let sql = "SELECT publication.path, published FROM json_each(?1) AS asked CROSS JOIN publication ON publication.path = asked.value";
        let rows = self.db.rows(sql, [texts(&paths)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.into_iter().collect())
    }

    /// Adjusts the number of stories of a day.
    fn count_day(&self, day: Date, step: i64) -> Result<()> {
        if step == 0 {
            return Ok(());
        }
        let day = day.to_string();
        let count = "INSERT INTO published_day (day, stories) VALUES (?1, ?2) ON CONFLICT (day) DO UPDATE SET stories = published_day.stories + ?2";
        self.db.execute(count, params![day, step])?;
        self.db.execute("DELETE FROM published_day WHERE day = ?1 AND stories <= 0", [day])?;
        Ok(())
    }

    /// Keeps what the page of a publication shows as coming up.
    pub fn put_coming(&self, publication: &PublicationKey, events: Option<&str>) -> Result<()> {
        match events {
            Some(events) => {
                let sql = "INSERT INTO coming (path, events) VALUES (?1, ?2) ON CONFLICT (path) DO UPDATE SET events = ?2";
                self.db.execute(sql, params![publication, events])?
            }
            None => self.db.execute("DELETE FROM coming WHERE path = ?1", [publication])?,
        };
        Ok(())
    }

    /// Removes a story that no longer exists from all publications; returns which those were, and the date that it was sorted by.
    pub fn withdraw_story(&self, story: StoryKey) -> Result<(Vec<PublicationKey>, Option<Timestamp>)> {
        let sql = "DELETE FROM published_story WHERE story = ?1 RETURNING publication, sort_date";
        let rows =
            self.db.rows(sql, [story], |row| Ok((row.get::<PublicationKey>(0)?, row.get::<i64>(1)?)))?;
        let date = rows
            .iter()
            .find(|(publication, _)| *publication == PublicationKey::Channel)
            .map(|(_, date)| *date);
        date.map_or(Ok(()), |date| self.count_day(day_of(date), -1))?;
        Ok((rows.into_iter().map(|(publication, _)| publication).collect(), date.map(time)))
    }

    /// Takes a story out of one publication; `false` if it was not in it. Archive documents stay as they are.
    pub fn take_out(&self, story: StoryKey, publication: &PublicationKey) -> Result<bool> {
        let sql = "DELETE FROM published_story WHERE story = ?1 AND publication = ?2";
        Ok(self.db.execute(sql, params![story, publication])? > 0)
    }

    /// Records that stories are published in their current state.
    pub fn set_clean(&self, stories: &[StoryKey]) -> Result<()> {
        let sql = "DELETE FROM dirty_story WHERE story IN (SELECT CAST(value AS BIGINT) FROM json_each(?1))";
        self.db.execute(sql, [keys_text(stories)])?;
        Ok(())
    }

    /// Marks a file as out of date.
    pub fn put_behind(&self, path: &str) -> Result<()> {
        let sql = "INSERT INTO behind (path) VALUES (?1) ON CONFLICT DO NOTHING";
        self.db.execute_later(InsertOrder::Rest, sql, [path])
    }

    /// Records that files are up to date.
    pub fn set_even(&self, paths: &[String]) -> Result<()> {
        let sql = "DELETE FROM behind WHERE path IN (SELECT value FROM json_each(?1))";
        self.db.execute(sql, [texts(paths)])?;
        Ok(())
    }

    /// Stores the number of archive documents of a publication.
    pub fn set_archives(&self, publication: &PublicationKey, count: i64) -> Result<()> {
        self.db
            .execute("UPDATE publication SET archived = ?2 WHERE path = ?1", params![publication, count])?;
        Ok(())
    }

    /// Records that the documents of a publication are of this version.
    pub fn set_checked(&self, publication: &PublicationKey) -> Result<()> {
        self.db.execute("UPDATE publication SET is_checked = 1 WHERE path = ?1", [publication])?;
        Ok(())
    }

    /// Updates the full-text search index for some entries; returns how many.
    pub fn index_words(&self, entries_max: usize) -> Result<usize> {
        let select = format!(
            "SELECT unindexed.entry, entry.title, entry.summary FROM unindexed LEFT JOIN entry ON entry.pk = unindexed.entry LIMIT {entries_max}"
        );
        let rows = self.db.rows(&select, [], |row| {
            Ok((row.get::<EntryKey>(0)?, row.get::<Option<String>>(1)?, row.get::<Option<String>>(2)?))
        })?;
        let keys = keys_text(&rows.iter().map(|(key, ..)| *key).collect::<Vec<_>>());
        let asked = "(SELECT CAST(value AS BIGINT) FROM json_each(?1))";
        self.db.execute(&format!("DELETE FROM entry_text WHERE rowid IN {asked}"), [&keys])?;
        for (key, title, summary) in &rows {
            if let (Some(title), Some(summary)) = (title, summary) {
                index_of(self.db).put(self.db, *key, title, summary)?;
            }
        }
        self.db.execute(&format!("DELETE FROM unindexed WHERE entry IN {asked}"), [&keys])?;
        Ok(rows.len())
    }
}
