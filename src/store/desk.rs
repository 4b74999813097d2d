//! Drafts of issues, and what editors ruled on them.

use jiff::Timestamp;
use rusqlite::params;

use super::driver::{InsertOrder, Row};
use super::unit::{Desk, Write};
use super::values::keys_text;
use super::{Result, StoreError, Unit, millis, optional_time, time};
use crate::model::desk::{DeskAction, DeskField, DeskRuling, DeskText, Draft, HandStory};
use crate::model::digest::DigestId;
use crate::model::keys::{DraftKey, EntryKey, RulingKey};

const LAST_DRAFT: &str = "SELECT coalesce(max(pk), 0) FROM draft";
const LAST_RULING: &str = "SELECT coalesce(max(pk), 0) FROM desk_ruling";

const DRAFT_COLUMNS: &str = "pk, digest, slot, opened, mailed, closed";

fn draft(row: &Row) -> rusqlite::Result<Draft> {
    Ok(Draft {
        key: row.get(0)?,
        digest: row.get(1)?,
        slot: time(row.get(2)?),
        opened: time(row.get(3)?),
        mailed: optional_time(row.get(4)?),
        closed: optional_time(row.get(5)?),
    })
}

const RULING_COLUMNS: &str = "desk_ruling.pk, desk_ruling.draft, draft.closed IS NULL, desk_ruling.at, who, kind, entry, other, language, is_everywhere, text, undone";

fn ruling(row: &Row) -> rusqlite::Result<Result<DeskRuling>> {
    let kind: String = row.get(5)?;
    let (entry, other): (Option<i64>, Option<i64>) = (row.get(6)?, row.get(7)?);
    let (language, is_everywhere, text) = (row.get(8)?, row.get(9)?, row.get::<String>(10)?);
    let action = read_action(&kind, (entry, other), language, is_everywhere, text);
    let (key, draft, is_open, at, who, undone) =
        (row.get(0)?, row.get(1)?, row.get(2)?, time(row.get(3)?), row.get(4)?, row.get(11)?);
    Ok(action.map(|action| DeskRuling { key, draft, is_open, at, who, action, undone }))
}

/// The opposite of how `put` stores an action.
fn read_action(
    kind: &str,
    (entry, other): (Option<i64>, Option<i64>),
    language: String,
    is_everywhere: bool,
    text: String,
) -> Result<DeskAction> {
    let wrong = || StoreError::Corrupt(format!("a ruling of the kind \"{kind}\""));
    let story = || entry.map(EntryKey).ok_or_else(wrong);
    if let Some(field) = DeskField::ALL.into_iter().find(|field| field.as_str() == kind) {
        let story = entry.map(EntryKey);
        return Ok(DeskAction::Write(DeskText { field, story, language, text, is_everywhere }));
    }
    Ok(match kind {
        "pin" => DeskAction::Pin(story()?),
        "drop" => DeskAction::Drop(story()?),
        "hold" => DeskAction::Hold(story()?),
        "clear" => DeskAction::Clear(story()?),
        "before" | "after" => DeskAction::Move {
            story: story()?,
            other: other.map(EntryKey).ok_or_else(wrong)?,
            is_after: kind == "after",
        },
        "merge" => DeskAction::Merge { story: story()?, other: other.map(EntryKey).ok_or_else(wrong)? },
        "add" => DeskAction::Add(serde_json::from_str(&text).map_err(|_| wrong())?),
        "release" => DeskAction::Release,
        "undo" => DeskAction::Undo(other.map(RulingKey).ok_or_else(wrong)?),
        _ => return Err(wrong()),
    })
}

impl<A> Desk<'_, A> {
    /// The open draft of a digest.
    pub fn open_draft(&self, digest: &DigestId) -> Result<Option<Draft>> {
        let sql = format!("SELECT {DRAFT_COLUMNS} FROM draft WHERE digest = ?1 AND closed IS NULL");
        self.db.row(&sql, [digest], draft)
    }

    /// A draft, open or closed.
    pub fn draft(&self, key: DraftKey) -> Result<Option<Draft>> {
        self.db.row(&format!("SELECT {DRAFT_COLUMNS} FROM draft WHERE pk = ?1"), [key], draft)
    }

    /// The digests of which a draft is open.
    pub fn open_digests(&self) -> Result<Vec<DigestId>> {
        self.db.rows("SELECT digest FROM draft WHERE closed IS NULL ORDER BY digest", [], |row| row.get(0))
    }

    /// The last ruling of all: none was made since it was the same.
    pub fn revision(&self) -> Result<RulingKey> {
        self.db.one(LAST_RULING, [], |row| row.get(0))
    }

    /// All rulings on a draft, in their order.
    pub fn rulings_on(&self, draft: DraftKey) -> Result<Vec<DeskRuling>> {
        let sql = format!(
            "SELECT {RULING_COLUMNS} FROM desk_ruling JOIN draft ON draft.pk = desk_ruling.draft WHERE desk_ruling.draft = ?1 ORDER BY desk_ruling.pk"
        );
        self.db.rows(&sql, [draft], ruling)?.into_iter().collect()
    }

    /// The rulings about any of these entries that were not undone, in their order.
    pub fn rulings_about(&self, entries: &[EntryKey]) -> Result<Vec<DeskRuling>> {
        let sql = format!(
            "SELECT {RULING_COLUMNS} FROM json_each(?1) AS asked CROSS JOIN desk_ruling ON desk_ruling.entry = CAST(asked.value AS BIGINT)
             JOIN draft ON draft.pk = desk_ruling.draft WHERE undone IS NULL ORDER BY desk_ruling.pk"
        );
        self.db.rows(&sql, [keys_text(entries)], ruling)?.into_iter().collect()
    }

    /// What somebody ruled, and when.
    pub fn rulings_by(&self, who: &str) -> Result<Vec<(String, Timestamp)>> {
        let sql = "SELECT kind, at FROM desk_ruling WHERE who = ?1 COLLATE NOCASE ORDER BY pk";
        self.db.rows(sql, [who], |row| Ok((row.get(0)?, time(row.get(1)?))))
    }

    /// The entries whose stories were held back from the last issue of a digest.
    pub fn held_back(&self, digest: &DigestId) -> Result<Vec<EntryKey>> {
        let sql = "SELECT entry FROM desk_ruling WHERE draft = (SELECT max(pk) FROM draft WHERE digest = ?1 AND closed IS NOT NULL)
                   AND kind = 'hold' AND undone IS NULL ORDER BY pk";
        self.db.rows(sql, [digest], |row| row.get(0))
    }

    /// The introductions that were written for everybody, of issues after the entry `seen`, newest first: each with the last entry of
    /// its issue.
    pub fn introductions_since(&self, seen: EntryKey) -> Result<Vec<(EntryKey, String, String)>> {
        let sql = "SELECT draft.seen, language, text FROM draft CROSS JOIN desk_ruling ON desk_ruling.draft = draft.pk
                   WHERE draft.seen > ?1 AND kind = 'introduction' AND is_everywhere = 1 AND undone IS NULL ORDER BY desk_ruling.pk DESC";
        self.db.rows(sql, [seen], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }
}

impl Desk<'_, Write> {
    /// Opens a draft for a slot of a digest that has none.
    pub fn open(&self, digest: &DigestId, slot: Timestamp, now: Timestamp) -> Result<Draft> {
        let key = DraftKey(self.db.next_key(LAST_DRAFT)?);
        self.db.execute(
            "INSERT INTO draft (pk, digest, slot, opened) VALUES (?1, ?2, ?3, ?4)",
            params![key, digest, millis(slot), millis(now)],
        )?;
        self.draft(key)?.ok_or_else(|| StoreError::Corrupt("a draft that is not there".into()))
    }

    /// Records that the editors were sent a draft.
    pub fn set_mailed(&self, draft: DraftKey, now: Timestamp) -> Result<()> {
        self.db.execute("UPDATE draft SET mailed = ?2 WHERE pk = ?1", params![draft, millis(now)]).map(drop)
    }

    /// Closes a draft: its issue is queued, with the entries up to `seen` considered.
    pub fn close(&self, draft: DraftKey, now: Timestamp, seen: EntryKey) -> Result<()> {
        let sql = "UPDATE draft SET closed = ?2, seen = ?3 WHERE pk = ?1";
        self.db.execute(sql, params![draft, millis(now), seen]).map(drop)
    }

    /// Stores a ruling, and marks the one that it undoes.
    pub fn put(&self, draft: DraftKey, action: &DeskAction, who: &str, now: Timestamp) -> Result<RulingKey> {
        let key = RulingKey(self.db.next_key(LAST_RULING)?);
        let hand = |story: &HandStory| serde_json::to_string(story).unwrap_or_default();
        let (other, language, is_everywhere, text) = match action {
            DeskAction::Move { other, .. } | DeskAction::Merge { other, .. } => {
                (Some(other.0), "", false, String::new())
            }
            DeskAction::Undo(ruling) => (Some(ruling.0), "", false, String::new()),
            DeskAction::Write(text) => (None, text.language.as_str(), text.is_everywhere, text.text.clone()),
            DeskAction::Add(story) => (None, story.language.as_str(), false, hand(story)),
            _ => (None, "", false, String::new()),
        };
        let sql = "INSERT INTO desk_ruling (pk, draft, at, who, kind, entry, other, language, is_everywhere, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let (at, kind) = (millis(now), action.as_str());
        let parameters =
            params![key, draft, at, who, kind, action.story(), other, language, is_everywhere, text];
        self.db.execute_later(InsertOrder::Rest, sql, parameters)?;
        if let DeskAction::Undo(ruling) = action {
            self.db.execute("UPDATE desk_ruling SET undone = ?2 WHERE pk = ?1", [ruling, &key])?;
        }
        Ok(key)
    }

    /// Forgets who made the rulings of an editor.
    pub fn forget_editor(&self, who: &str) -> Result<()> {
        self.db.erase_deleted()?;
        self.db.execute("UPDATE desk_ruling SET who = '' WHERE who = ?1 COLLATE NOCASE", [who]).map(drop)
    }

    /// Has the story of an entry published again.
    pub fn mark_dirty(&self, entry: EntryKey) -> Result<()> {
        let unit: Unit<Write> = Unit::new(self.db, self.index);
        match unit.intake().story_key_of(entry)? {
            Some(story) => unit.intake().mark_dirty(story),
            None => Ok(()),
        }
    }
}
