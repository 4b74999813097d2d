//! The schema and its migrations. Each step is a transaction that also increments the version, so a killed process leaves only
//! complete steps; two processes that open a store at once wait for each other.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;
use crate::model::sketch::hash64;

/// Embedded and numbered by their order; one is never edited after a release.
const STEPS: [&str; 18] = [
    include_str!("../../migrations/sqlite/0001_start.sql"),
    include_str!("../../migrations/sqlite/0002_newsletter.sql"),
    include_str!("../../migrations/sqlite/0003_publications.sql"),
    include_str!("../../migrations/sqlite/0004_hub.sql"),
    include_str!("../../migrations/sqlite/0005_stories.sql"),
    include_str!("../../migrations/sqlite/0006_hands.sql"),
    include_str!("../../migrations/sqlite/0007_leases_and_names.sql"),
    include_str!("../../migrations/sqlite/0008_mail.sql"),
    include_str!("../../migrations/sqlite/0009_people.sql"),
    include_str!("../../migrations/sqlite/0010_welcome.sql"),
    include_str!("../../migrations/sqlite/0011_coming.sql"),
    include_str!("../../migrations/sqlite/0012_refusals.sql"),
    include_str!("../../migrations/sqlite/0013_clocks.sql"),
    include_str!("../../migrations/sqlite/0014_event.sql"),
    include_str!("../../migrations/sqlite/0015_domains.sql"),
    include_str!("../../migrations/sqlite/0016_grams.sql"),
    include_str!("../../migrations/sqlite/0017_refused.sql"),
    include_str!("../../migrations/sqlite/0018_valid.sql"),
];

/// Number of steps already applied.
fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // A negative version was not written by us.
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Applies the missing steps. `on_step` is called before each with its number and the number of steps.
///
/// # Errors
/// When the store comes from a later version or is not one of ours, or when the disk fails; steps already applied stay.
pub(super) fn migrate(connection: &mut Connection, on_step: impl Fn(usize, usize)) -> Result<(), StoreError> {
    let before = version(connection)?;
    if before == STEPS.len() {
        return Ok(());
    }
    // From the sixth step on, keys of entries are stored as hashes.
    connection.create_scalar_function(
        "hash64",
        1,
        rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC,
        |context| Ok(hash64(context.get_raw(0).as_bytes().unwrap_or_default()) as i64),
    )?;
    loop {
        // Takes the lock before reading the version: a process that waited for another finds the step applied.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let at = version(&transaction)?;
        let Some(step) = STEPS.get(at) else {
            return if at == STEPS.len() { Ok(()) } else { Err(StoreError::Later) };
        };
        let is_foreign = at == 0
            && transaction.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
        if is_foreign {
            return Err(StoreError::Foreign);
        }
        // A new store is created in one transaction: no process sees a partial one, and there is no progress to report.
        let steps = if at == 0 { &STEPS[..] } else { std::slice::from_ref(step) };
        if at > 0 {
            on_step(at + 1, STEPS.len());
        }
        steps.iter().try_for_each(|step| transaction.execute_batch(step))?;
        transaction.pragma_update(None, "user_version", (at + steps.len()) as i64)?;
        transaction.commit()?;
    }
}
