//! The feature index of a machine that shares a server with others: it follows the revisions of sketches, which the database counts.

use super::feature_index::FeatureIndex;
use super::intake::add;
use super::unit::{Intake, Write};
use super::{Result, StoreError};
use crate::model::keys::EntryKey;
use crate::model::sketch::Sketch;

/// Sketches of other machines that are read together.
const REVISIONS_TOGETHER: usize = 500;

impl Intake<'_, Write> {
    /// Continues to make the index; returns how many entries were added, 0 once it is complete.
    pub(super) fn rebuild_from_revisions(
        &self,
        features: &mut FeatureIndex,
        entries_max: usize,
    ) -> Result<usize> {
        if features.is_trusted() {
            if features.made_to() <= self.last_revision()? {
                return Ok(0);
            }
            // The database is older than the files: it was restored.
            features.clear().map_err(StoreError::Features)?;
        }
        let added = self.add_revisions(features, entries_max)?;
        if added == 0 {
            features.set_trusted().map_err(StoreError::Features)?;
        }
        Ok(added)
    }

    /// Adds to the index what other machines have written since this one last looked. To be called at the beginning of a unit.
    pub(super) fn follow_features(&self) -> Result<()> {
        let Some(index) = self.index.filter(|_| self.db.file().is_none()) else { return Ok(()) };
        let mut features = index.borrow_mut();
        while features.is_trusted() && self.add_revisions(&mut features, REVISIONS_TOGETHER)? > 0 {}
        Ok(())
    }

    /// Notes that the index has what this unit wrote. If the unit fails after all, its revisions are never used again.
    pub(super) fn note_features(&self) -> Result<()> {
        let Some(index) = self.index.filter(|_| self.db.file().is_none()) else { return Ok(()) };
        let mut features = index.borrow_mut();
        if !features.take_has_new() || !features.is_trusted() {
            return Ok(());
        }
        features.set_made_to(self.last_revision()?).map_err(StoreError::Features)
    }

    fn last_revision(&self) -> Result<i64> {
        self.db.one("SELECT last_value FROM sketch_revision", [], |row| row.get(0))
    }

    fn add_revisions(&self, features: &mut FeatureIndex, entries_max: usize) -> Result<usize> {
        let sql = format!(
            "SELECT entry, sketch, revision FROM sketch WHERE revision > ?1 ORDER BY revision LIMIT {entries_max}"
        );
        let rows = self.db.rows(&sql, [features.made_to()], |row| {
            Ok((row.get::<EntryKey>(0)?, row.get::<Vec<u8>>(1)?, row.get::<i64>(2)?))
        })?;
        for (entry, bytes, _) in &rows {
            if let Some(sketch) = Sketch::from_bytes(bytes) {
                add(features, *entry, &sketch)?;
            }
        }
        features.take_has_new();
        if let Some((.., revision)) = rows.last() {
            features.set_made_to(*revision).map_err(StoreError::Features)?;
        }
        Ok(rows.len())
    }
}
