//! A unit of work and its views.

use std::cell::RefCell;
use std::marker::PhantomData;

use super::driver::Db;
use super::feature_index::FeatureIndex;
use super::{Result, StoreError};

/// Access of a unit that reads a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Read;

/// Access of a unit that also writes.
#[derive(Debug, Clone, Copy)]
pub struct Write;

/// A unit of work on the store. Its type says what it may do.
pub struct Unit<'a, Access> {
    pub(super) db: &'a Db,
    pub(super) index: Option<&'a RefCell<FeatureIndex>>,
    access: PhantomData<Access>,
}

/// Defines the views of a unit, one for each need: the struct and the method that returns it.
macro_rules! views {
    ($($(#[$doc:meta])* $name:ident, $method:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy)]
            pub struct $name<'u, Access> {
                pub(super) db: &'u Db,
                #[allow(dead_code)]
                pub(super) index: Option<&'u RefCell<FeatureIndex>>,
                access: PhantomData<Access>,
            }
        )*
        impl<'a, Access> Unit<'a, Access> {
            $(
                $(#[$doc])*
                pub fn $method(&self) -> $name<'a, Access> {
                    $name { db: self.db, index: self.index, access: PhantomData }
                }
            )*
        }
    };
}

views! {
    /// Fetch states and robots.txt files.
    Sources, sources;
    /// Listing and looking up entries.
    Entries, entries;
    /// Storing new and edited entries, and finding their neighbours.
    Intake, intake;
    /// Rulings and labels of operators, and long-running jobs over all entries.
    Stories, stories;
    /// What is published where, and which files are out of date.
    Publishing, publishing;
    /// What was uploaded to which bucket.
    Uploads, uploads;
    /// Issues and deliveries.
    Mailing, mailing;
    /// Subscribers, suppressions and returned mail.
    Subscribers, subscribers;
    /// Mails that somebody wrote for a part of the list.
    Campaigns, campaigns;
    /// Drafts of issues, and what editors ruled on them.
    Desk, desk;
    /// What is wrong with the installation.
    Alarms, alarms;
    /// What is looked at once a day outside of the installation.
    Outside, outside;
    /// What partners see and propose.
    Partners, partners;
    /// What goes to outlets.
    Posts, posts;
    /// Tokens by which programs use the API.
    ApiTokens, api_tokens;
    /// Sessions of those who signed in under `/admin`.
    AdminSessions, admin_sessions;
    /// Numbers that an operator looks at.
    Overview, overview;
    /// Our own hub: its subscribers and pending pushes.
    Hub, hub;
    /// Our subscriptions to other hubs.
    Subscriptions, subscriptions;
    /// Which worker holds which work.
    Leases, leases;
    /// All rows of all tables, to be moved out and in.
    Tables, tables;
}

impl<'a, Access> Unit<'a, Access> {
    pub(super) fn new(db: &'a Db, index: Option<&'a RefCell<FeatureIndex>>) -> Self {
        Unit { db, index, access: PhantomData }
    }
}

/// Identifies a unit of work in time: what was read in one unit still holds in the next if nothing was written in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotVersion {
    unit: u64,
    /// Changes when other connections write.
    version: i64,
}

impl SnapshotVersion {
    /// Whether this unit directly follows the other, with no write by anyone in between.
    pub fn is_next_after(self, other: SnapshotVersion) -> bool {
        self.version == other.version && self.unit == other.unit + 1
    }
}

impl Unit<'_, Write> {
    /// The moment of this unit.
    ///
    /// # Errors
    /// When the database fails.
    pub fn moment(&self) -> Result<SnapshotVersion> {
        Ok(SnapshotVersion { unit: self.db.begun(), version: self.db.data_version()? })
    }

    /// Runs a part of the unit that may fail on its own: its writes are rolled back, the rest of the unit goes on.
    ///
    /// # Errors
    /// The errors of `work`, and when the database itself fails.
    pub fn savepoint<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.db.control("SAVEPOINT part")?;
        let result = work().and_then(|kept| {
            self.db.add_waiting()?;
            Ok(kept)
        });
        if result.is_err() {
            self.db.roll_back_to("part")?;
            // The keys of rolled-back entries are reused.
            self.forget_rolled_back()?;
        }
        self.db.control("RELEASE part")?;
        result
    }

    /// Removes entries that were rolled back from the feature index.
    pub(super) fn forget_rolled_back(&self) -> Result<()> {
        let last = self.entries().last()?;
        if let Some(index) = self.index {
            index.borrow_mut().truncate_after(last);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::model::store_url::StoreUrl;
    use crate::store::{Store, StoreError};

    #[test]
    fn a_unit_is_next_after_another_unless_somebody_wrote_in_between() {
        let folder = tempfile::tempdir().unwrap();
        let url = StoreUrl::Sqlite(folder.path().join("a.db"));
        let (one, other) = (Store::open(&url, "one").unwrap(), Store::open(&url, "other").unwrap());
        let moment = || one.write(|w| w.moment()).unwrap();
        let first = moment();
        assert!(moment().is_next_after(first) && !moment().is_next_after(first));
        let before = moment();
        one.write(|w| w.sources().ensure("a", "p", 0)).unwrap();
        assert!(!moment().is_next_after(before), "the same process");
        let before = moment();
        other.write(|w| w.sources().ensure("b", "p", 1)).unwrap();
        assert!(!moment().is_next_after(before), "another one");
        let before = moment();
        let failed: Result<(), StoreError> = one.write(|_| Err(StoreError::Busy));
        assert!(failed.is_err() && !moment().is_next_after(before), "a unit that failed");
    }
}
