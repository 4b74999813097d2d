//! A unit of work, and the views that it offers.

use std::cell::RefCell;
use std::marker::PhantomData;

use super::driver::Db;
use super::feature_index::FeatureIndex;
use super::{Result, StoreError};

/// A unit that sees one moment of the store.
#[derive(Debug, Clone, Copy)]
pub struct Read;

/// A unit that writes as well.
#[derive(Debug, Clone, Copy)]
pub struct Write;

/// A unit of work on the store. What it may do is in its type.
pub struct Unit<'a, Access> {
    pub(super) db: &'a Db,
    pub(super) index: Option<&'a RefCell<FeatureIndex>>,
    access: PhantomData<Access>,
}

/// Views of a unit, each for one need: the struct, and the method that gives it.
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
    /// Fetch states, and what sites say in their robots.txt.
    Sources, sources;
    /// What is stored, as it is listed and looked up.
    Entries, entries;
    /// New and edited entries, and whom they are placed with.
    Intake, intake;
    /// What operators say, and long jobs over all entries.
    Stories, stories;
    /// What is published where, and what is behind.
    Publishing, publishing;
    /// Issues and deliveries.
    Mailing, mailing;
    /// Subscribers, suppressions, and what came back.
    Subscribers, subscribers;
    /// Our own hub: who subscribes, and what is to be pushed.
    Hub, hub;
    /// Our subscriptions at other hubs.
    Subscriptions, subscriptions;
    /// Who has which work.
    Leases, leases;
}

impl<'a, Access> Unit<'a, Access> {
    pub(super) fn new(db: &'a Db, index: Option<&'a RefCell<FeatureIndex>>) -> Self {
        Unit { db, index, access: PhantomData }
    }
}

/// When a unit of work is: what was read in one is true in the next, if nobody wrote in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    unit: u64,
    /// SQLite's own, of what other connections wrote.
    version: i64,
}

impl Moment {
    /// Whether nothing was written between that unit and this one, by whomever.
    pub fn is_next_after(self, other: Moment) -> bool {
        self.version == other.version && self.unit == other.unit + 1
    }
}

impl Unit<'_, Write> {
    /// When this unit is.
    ///
    /// # Errors
    /// When the database fails.
    pub fn moment(&self) -> Result<Moment> {
        Ok(Moment {
            unit: self.db.begun(),
            version: self.db.one("PRAGMA data_version", [], |row| row.get(0))?,
        })
    }

    /// A part of the unit whose failure is its own: what it wrote is taken back, the rest goes on.
    ///
    /// # Errors
    /// Those of `work`, and when the database fails altogether.
    pub fn savepoint<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.db.control("SAVEPOINT part")?;
        let result = work();
        if result.is_err() {
            self.db.control("ROLLBACK TO part")?;
            // The numbers of the entries that were taken back are given again.
            self.forget_rolled_back()?;
        }
        self.db.control("RELEASE part")?;
        result
    }

    /// The index holds nothing of entries that are not there.
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
    use crate::store::{Store, StoreError};

    #[test]
    fn a_unit_is_next_after_another_unless_somebody_wrote_in_between() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let (one, other) = (Store::open(&path, "one").unwrap(), Store::open(&path, "other").unwrap());
        let moment = || one.write(|w| w.moment()).unwrap();
        let first = moment();
        assert!(moment().is_next_after(first) && !moment().is_next_after(first));
        let before = moment();
        one.write(|w| w.sources().ensure("a", "p")).unwrap();
        assert!(!moment().is_next_after(before), "the same process");
        let before = moment();
        other.write(|w| w.sources().ensure("b", "p")).unwrap();
        assert!(!moment().is_next_after(before), "another one");
        let before = moment();
        let failed: Result<(), StoreError> = one.write(|_| Err(StoreError::Busy));
        assert!(failed.is_err() && !moment().is_next_after(before), "a unit that failed");
    }
}
