//! What is looked at once a day outside of the installation, as it was seen last.

use rusqlite::params;

use super::driver::Row;
use super::unit::{Outside, Write};
use super::{Result, millis, optional_time, time};
use crate::model::alarm::{OutsideCheck, OutsideKind};

fn check(row: &Row) -> rusqlite::Result<OutsideCheck> {
    let fault: String = row.get(5)?;
    Ok(OutsideCheck {
        subject: row.get(0)?,
        kind: OutsideKind::from(row.get::<String>(1)?.as_str()),
        looked: time(row.get(2)?),
        span: optional_time(row.get(3)?).zip(optional_time(row.get(4)?)),
        fault: (!fault.is_empty()).then_some(fault),
    })
}

impl<A> Outside<'_, A> {
    /// All that was looked at.
    pub fn all(&self) -> Result<Vec<OutsideCheck>> {
        let sql = "SELECT subject, kind, looked, begins, ends, fault FROM outside_check ORDER BY subject";
        self.db.rows(sql, [], check)
    }
}

impl Outside<'_, Write> {
    /// Stores what was seen, in the place of what was seen before.
    pub fn put(&self, check: &OutsideCheck) -> Result<()> {
        let sql = "INSERT INTO outside_check (subject, kind, looked, begins, ends, fault) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (subject) DO UPDATE SET kind = ?2, looked = ?3, begins = ?4, ends = ?5, fault = ?6";
        let (begins, ends) = check.span.unzip();
        let parameters = params![
            check.subject,
            check.kind.as_str(),
            millis(check.looked),
            begins.map(millis),
            ends.map(millis),
            check.fault.as_deref().unwrap_or_default()
        ];
        self.db.execute(sql, parameters).map(drop)
    }

    /// Forgets what is no longer looked at.
    pub fn forget(&self, subject: &str) -> Result<()> {
        self.db.execute("DELETE FROM outside_check WHERE subject = ?1", [subject]).map(drop)
    }
}
