//! Searching in the words of entries: FTS5 in SQLite, `tsvector` in PostgreSQL.

use rusqlite::params;

use super::Result;
use super::driver::{Db, InsertOrder};
use super::values::texts;
use crate::model::keys::EntryKey;
use crate::support::text::fold;

/// Words that an entry has to have, all of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct SearchTerms<'a> {
    pub words: &'a [&'a str],
    /// In its title.
    pub in_title: bool,
    /// Of the last one, the beginning is enough.
    pub last_is_prefix: bool,
}

/// An index of the words of entries. Nothing in them is an operator.
pub(super) trait FullText {
    /// Takes an entry up.
    fn put(&self, db: &Db, entry: EntryKey, title: &str, summary: &str) -> Result<()>;

    /// The newest entries that have the words, of those that are not older than one; the newest first.
    fn matches(
        &self,
        db: &Db,
        terms: SearchTerms,
        oldest: EntryKey,
        entries_max: usize,
    ) -> Result<Vec<EntryKey>>;
}

/// The index of a database.
pub(super) fn index_of(db: &Db) -> &'static dyn FullText {
    if db.file().is_some() { &Fts5 } else { &TsVector }
}

/// The virtual table of SQLite.
struct Fts5;

impl FullText for Fts5 {
    fn put(&self, db: &Db, entry: EntryKey, title: &str, summary: &str) -> Result<()> {
        let sql = "INSERT INTO entry_text (rowid, title, summary) VALUES (?1, ?2, ?3)";
        db.execute_later(InsertOrder::Rest, sql, params![entry, title, summary])
    }

    fn matches(
        &self,
        db: &Db,
        terms: SearchTerms,
        oldest: EntryKey,
        entries_max: usize,
    ) -> Result<Vec<EntryKey>> {
        // In quotes, nothing is an operator; SQLite ends an expression at NUL.
        let quoted: Vec<String> =
            terms.words.iter().map(|word| format!("\"{}\"", word.replace(['"', '\0'], ""))).collect();
        let all = quoted.join(" AND ");
        let expression = match (terms.in_title, terms.last_is_prefix) {
            (true, _) => format!("{{title}} : ({all})"),
            (false, true) => format!("{all}*"),
            (false, false) => all,
        };
        let sql = format!(
            "SELECT rowid FROM entry_text WHERE entry_text MATCH ?1 AND rowid >= ?2 ORDER BY rowid DESC LIMIT {entries_max}"
        );
        db.rows(&sql, params![expression, oldest], |row| row.get(0))
    }
}

/// Lists of words under an index of PostgreSQL, folded by us: they are the same whatever dictionaries a server has.
struct TsVector;

impl FullText for TsVector {
    fn put(&self, db: &Db, entry: EntryKey, title: &str, summary: &str) -> Result<()> {
        let title: Vec<String> = lexemes(title).collect();
        let all: Vec<String> = title.iter().cloned().chain(lexemes(summary)).collect();
        let sql = "INSERT INTO entry_text (rowid, title, words) VALUES (?1, array_to_tsvector(ARRAY(SELECT value FROM json_each(?2))),
                       array_to_tsvector(ARRAY(SELECT value FROM json_each(?3))))";
        db.execute_later(InsertOrder::Rest, sql, params![entry, texts(&title), texts(&all)])
    }

    fn matches(
        &self,
        db: &Db,
        terms: SearchTerms,
        oldest: EntryKey,
        entries_max: usize,
    ) -> Result<Vec<EntryKey>> {
        // Lexemes are letters and digits, so nothing in them has to be escaped.
        let mut asked: Vec<String> = Vec::new();
        for word in terms.words {
            asked.extend(lexemes(word).map(|lexeme| format!("'{lexeme}'")));
        }
        let Some(last) = asked.last_mut() else { return Ok(Vec::new()) };
        if terms.last_is_prefix {
            last.push_str(":*");
        }
        let column = if terms.in_title { "title" } else { "words" };
        let sql = format!(
            "SELECT rowid FROM entry_text WHERE words @@ CAST(?1 AS tsquery) AND {column} @@ CAST(?1 AS tsquery) AND rowid >= ?2
             ORDER BY rowid DESC LIMIT {entries_max}"
        );
        db.rows(&sql, params![asked.join(" & "), oldest], |row| row.get(0))
    }
}

/// A word that is longer is cut; PostgreSQL takes up to 2 kB.
const LEXEME_CHARS_MAX: usize = 64;

/// The words of a text, without accents and in lower case.
fn lexemes(text: &str) -> impl Iterator<Item = String> {
    let folded = fold(text);
    let words: Vec<String> = folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(LEXEME_CHARS_MAX).collect())
        .collect();
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::lexemes;

    #[test]
    fn lexemes_are_folded_letters_and_digits() {
        let words: Vec<String> = lexemes("L'été 2026 : « Œuvre » d’État — a'b\\c & !x:*").collect();
        assert_eq!(words, ["l", "ete", "2026", "œuvre", "d", "etat", "a", "b", "c", "x"]);
    }
}
