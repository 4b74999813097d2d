//! Leases: which worker does which work, and until when. A lease that has ended is free; one of a process that has died is taken
//! over at once. Leases use the machine's clock, so that processes with different `--now` share them.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

use super::unit::{Leases, Write};
use super::values::texts;
use super::{Result, millis};

/// Kinds of work in the table of leases. Deliveries and hub pushes, of which there are many, are leased in their own rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeasedResource {
    /// All sources of one origin.
    Host,
    /// The published folder.
    Publisher,
    /// What is looked at once a day outside of the installation.
    Outside,
}

impl LeasedResource {
    fn as_str(self) -> &'static str {
        match self {
            LeasedResource::Host => "host",
            LeasedResource::Publisher => "publisher",
            LeasedResource::Outside => "outside",
        }
    }
}

/// Work that belongs to this process until the lease ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    pub queue: LeasedResource,
    pub id: String,
    /// How many times it was claimed; a worker whose lease was taken over recognises that by this number.
    pub attempt: i64,
}

/// Duration of a lease. It is renewed every third of this while the process lives.
pub(super) const LEASE: SignedDuration = SignedDuration::from_mins(10);
/// A lease that ends further ahead than this was written under a wrong clock.
const LEASE_MAX: SignedDuration = SignedDuration::from_mins(30);

impl<A> Leases<'_, A> {
    /// Whether a worker holds anything in the table of leases.
    pub(super) fn has_any(&self, worker: &str) -> Result<bool> {
        self.db.one(
            "SELECT EXISTS (SELECT 1 FROM lease WHERE worker = ?1 AND lease_end > 0)",
            [worker],
            |row| row.get(0),
        )
    }

    /// The workers that hold any lease.
    pub fn workers(&self) -> Result<Vec<String>> {
        let sql = "SELECT worker FROM lease WHERE lease_end > 0 UNION SELECT worker FROM delivery WHERE worker IS NOT NULL
                   UNION SELECT worker FROM hub_push WHERE worker IS NOT NULL UNION SELECT worker FROM post WHERE worker IS NOT NULL";
        self.db.rows(sql, [], |row| row.get(0))
    }

    /// Which of these ids other workers hold, so that they cannot be claimed now.
    pub fn held_elsewhere(
        &self,
        queue: LeasedResource,
        ids: &[&str],
        worker: &str,
        now: Timestamp,
    ) -> Result<HashSet<String>> {
        let sql = "SELECT lease.id FROM json_each(?2) AS asked CROSS JOIN lease ON lease.queue = ?1 AND lease.id = asked.value
                   WHERE lease.worker <> ?3 AND lease.lease_end > ?4 AND lease.lease_end <= ?5";
        let latest = millis(now + LEASE_MAX);
        let parameters = params![queue.as_str(), texts(ids), worker, millis(now), latest];
        Ok(self.db.rows(sql, parameters, |row| row.get(0))?.into_iter().collect())
    }

    /// Which of these ids this worker still holds, with the number of claims of each.
    pub fn held(&self, queue: LeasedResource, ids: &[&str], worker: &str) -> Result<HashMap<String, i64>> {
        let sql = "SELECT lease.id, attempt FROM json_each(?2) AS asked CROSS JOIN lease ON lease.queue = ?1 AND lease.id = asked.value WHERE worker = ?3";
        let rows = self
            .db
            .rows(sql, params![queue.as_str(), texts(ids), worker], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.into_iter().collect())
    }
}

impl Leases<'_, Write> {
    /// Claims the work with these ids that no worker holds. Returns the leases obtained, in the order of `ids`.
    pub fn claim(
        &self,
        queue: LeasedResource,
        ids: &[String],
        worker: &str,
        now: Timestamp,
    ) -> Result<Vec<Lease>> {
        // "WHERE true" keeps the parser from reading "ON" as a join condition.
        let sql = "INSERT INTO lease (queue, id, worker, attempt, lease_end) SELECT ?1, value, ?3, 1, ?4 FROM json_each(?2) WHERE true
                   ON CONFLICT (queue, id) DO UPDATE SET worker = ?3, attempt = lease.attempt + 1, lease_end = ?4 WHERE lease.lease_end <= ?5 OR lease.lease_end > ?6
                   RETURNING id, attempt";
        let (end, latest) = (millis(now + LEASE), millis(now + LEASE_MAX));
        let parameters = params![queue.as_str(), texts(ids), worker, end, millis(now), latest];
        let got: HashMap<String, i64> =
            self.db.rows(sql, parameters, |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect();
        Ok(ids
            .iter()
            .filter_map(|id| Some(Lease { queue, id: id.clone(), attempt: *got.get(id)? }))
            .collect())
    }

    /// Ends leases of one queue; those that another worker has taken over are left to it. Returns how many were still held.
    pub fn settle(&self, leases: &[&Lease], worker: &str) -> Result<usize> {
        let Some(first) = leases.first() else { return Ok(0) };
        let ids: Vec<&str> = leases.iter().map(|lease| lease.id.as_str()).collect();
        let claims: Vec<String> =
            leases.iter().map(|lease| format!("{} {}", lease.attempt, lease.id)).collect();
        let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
        let sql = "UPDATE lease SET lease_end = 0 WHERE queue = ?1 AND worker = ?2 AND id IN (SELECT value FROM json_each(?3))
                   AND attempt || ' ' || id IN (SELECT value FROM json_each(?4))";
        self.db.execute(sql, params![first.queue.as_str(), worker, texts(&ids), texts(&claims)])
    }

    /// Renews all leases of a worker.
    pub fn renew(&self, worker: &str, now: Timestamp) -> Result<()> {
        let end = millis(now + LEASE);
        self.db.execute(
            "UPDATE lease SET lease_end = ?2 WHERE worker = ?1 AND lease_end > 0",
            params![worker, end],
        )?;
        self.db.execute("UPDATE delivery SET lease_end = ?2 WHERE worker = ?1", params![worker, end])?;
        self.db.execute("UPDATE hub_push SET lease_end = ?2 WHERE worker = ?1", params![worker, end])?;
        self.db.execute("UPDATE post SET lease_end = ?2 WHERE worker = ?1", params![worker, end])?;
        Ok(())
    }

    /// Releases a worker's leases in the table of leases. Those of deliveries stay, since it is unknown whether the mail left;
    /// they end by themselves.
    pub fn release(&self, worker: &str) -> Result<()> {
        self.db.execute("UPDATE lease SET lease_end = 0 WHERE worker = ?1", [worker])?;
        Ok(())
    }

    /// Stops renewing the deliveries, pushes and posts that a worker left under way when its work failed: their leases end by
    /// themselves.
    pub fn abandon(&self, worker: &str) -> Result<()> {
        self.db.execute("UPDATE delivery SET worker = NULL WHERE worker = ?1", [worker])?;
        self.db.execute("UPDATE hub_push SET worker = NULL WHERE worker = ?1", [worker])?;
        self.db.execute("UPDATE post SET worker = NULL WHERE worker = ?1", [worker])?;
        Ok(())
    }

    /// Frees everything a dead worker held; its deliveries, pushes and posts are due, as when their lease ends.
    pub fn take_over(&self, worker: &str) -> Result<()> {
        self.release(worker)?;
        self.db.execute("UPDATE delivery SET lease_end = 0, worker = NULL WHERE worker = ?1", [worker])?;
        self.db.execute("UPDATE hub_push SET lease_end = 0, worker = NULL WHERE worker = ?1", [worker])?;
        self.db.execute("UPDATE post SET lease_end = 0, worker = NULL WHERE worker = ?1", [worker])?;
        Ok(())
    }
}
