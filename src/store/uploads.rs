//! What was uploaded to which bucket. The rows are the truth of what is ours there: nothing else is ever deleted.

use std::collections::HashMap;

use rusqlite::params;

use super::Result;
use super::unit::{Uploads, Write};
use super::values::texts;

/// A file in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    pub path: String,
    /// Of its bytes; empty while an upload is under way, or after one that was cut off.
    pub hash: String,
    /// As the store answered the upload; empty if it gave none.
    pub etag: String,
}

impl<A> Uploads<'_, A> {
    /// All files in a bucket, but for those that are to be deleted there.
    pub fn all(&self, destination: &str) -> Result<Vec<UploadedFile>> {
        let sql = "SELECT path, hash, etag FROM uploaded_file WHERE destination = ?1 AND is_gone = 0";
        self.db.rows(sql, [destination], |row| {
            Ok(UploadedFile { path: row.get(0)?, hash: row.get(1)?, etag: row.get(2)? })
        })
    }

    /// The hashes of those of these files that are in a bucket.
    pub fn hashes(&self, destination: &str, paths: &[&str]) -> Result<HashMap<String, String>> {
        let sql = "SELECT uploaded_file.path, uploaded_file.hash FROM json_each(?2) AS asked
                   CROSS JOIN uploaded_file ON uploaded_file.destination = ?1 AND uploaded_file.path = asked.value
                   WHERE uploaded_file.is_gone = 0";
        let rows =
            self.db.rows(sql, params![destination, texts(paths)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.into_iter().collect())
    }

    /// Some files that are to be deleted in a bucket.
    pub fn gone(&self, destination: &str, files_max: usize) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT path FROM uploaded_file WHERE destination = ?1 AND is_gone = 1 LIMIT {files_max}"
        );
        self.db.rows(&sql, [destination], |row| row.get(0))
    }
}

impl Uploads<'_, Write> {
    /// Records that it is not known any more which bytes these files have in a bucket.
    pub fn put_unknown(&self, destination: &str, paths: &[&str]) -> Result<()> {
        let sql = "INSERT INTO uploaded_file (destination, path, hash, etag) VALUES (?1, ?2, '', '')
                   ON CONFLICT (destination, path) DO UPDATE SET hash = '', etag = '', is_gone = 0";
        paths.iter().try_for_each(|path| self.db.execute(sql, [destination, path]).map(drop))
    }

    /// Records an upload that succeeded.
    pub fn put(&self, destination: &str, file: &UploadedFile) -> Result<()> {
        let sql = "UPDATE uploaded_file SET hash = ?3, etag = ?4 WHERE destination = ?1 AND path = ?2 AND is_gone = 0";
        self.db.execute(sql, params![destination, file.path, file.hash, file.etag]).map(drop)
    }

    /// Marks those of these files that are in a bucket as to be deleted there.
    pub fn put_gone(&self, destination: &str, paths: &[&str]) -> Result<()> {
        let sql =
            "UPDATE uploaded_file SET hash = '', etag = '', is_gone = 1 WHERE destination = ?1 AND path = ?2";
        paths.iter().try_for_each(|path| self.db.execute(sql, [destination, path]).map(drop))
    }

    /// Forgets files that were deleted in a bucket.
    pub fn forget_gone(&self, destination: &str, paths: &[String]) -> Result<()> {
        let sql = "DELETE FROM uploaded_file WHERE destination = ?1 AND path = ?2 AND is_gone = 1";
        paths.iter().try_for_each(|path| self.db.execute(sql, [destination, path.as_str()]).map(drop))
    }
}
