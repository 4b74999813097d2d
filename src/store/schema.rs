//! The schema and its migrations. Each step is a transaction that also increments the version, so a killed process leaves only
//! complete steps; two processes that open a store at once wait for each other.

use postgres::Client;
use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;
use crate::model::sketch::hash64;

/// Embedded and numbered by their order; one is never edited after a release.
const STEPS: [&str; 24] = [
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
    include_str!("../../migrations/sqlite/0019_uploads.sql"),
    include_str!("../../migrations/sqlite/0020_desk.sql"),
    include_str!("../../migrations/sqlite/0021_programs.sql"),
    include_str!("../../migrations/sqlite/0022_admin.sql"),
    include_str!("../../migrations/sqlite/0023_segments.sql"),
    include_str!("../../migrations/sqlite/0024_partners.sql"),
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

/// The same for a server; the first step makes what those of SQLite had made by then.
const SERVER_STEPS: [&str; 8] = [
    include_str!("../../migrations/postgres/0001_start.sql"),
    include_str!("../../migrations/postgres/0002_uploads.sql"),
    include_str!("../../migrations/postgres/0003_keys.sql"),
    include_str!("../../migrations/postgres/0004_desk.sql"),
    include_str!("../../migrations/postgres/0005_programs.sql"),
    include_str!("../../migrations/postgres/0006_admin.sql"),
    include_str!("../../migrations/postgres/0007_segments.sql"),
    include_str!("../../migrations/postgres/0008_partners.sql"),
];

/// Brings the database of a server up to date, as [`migrate`] does a file.
///
/// # Errors
/// When the database comes from a later version or holds something else, or when the server fails; steps already applied stay.
pub(super) fn migrate_server(client: &mut Client, on_step: impl Fn(usize, usize)) -> Result<(), StoreError> {
    loop {
        let mut transaction = client.transaction()?;
        // Nobody else does the same, and nobody waits who finds nothing to do.
        if server_version(&mut transaction)? == Some(SERVER_STEPS.len()) {
            return Ok(());
        }
        transaction.batch_execute("SELECT pg_advisory_xact_lock(hashtext('courant schema'))")?;
        let at = server_version(&mut transaction)?;
        if at == Some(SERVER_STEPS.len()) {
            return Ok(());
        }
        // A new database is made at once, as a file is.
        let steps = match at {
            Some(at) => {
                let step = SERVER_STEPS.get(at).ok_or(StoreError::Later)?;
                on_step(at + 1, SERVER_STEPS.len());
                std::slice::from_ref(step)
            }
            None if has_table(&mut transaction, "")? => return Err(StoreError::Foreign),
            None => {
                transaction.batch_execute("CREATE TABLE courant_schema (version BIGINT NOT NULL); INSERT INTO courant_schema VALUES (0)")?;
                &SERVER_STEPS[..]
            }
        };
        steps.iter().try_for_each(|step| transaction.batch_execute(step))?;
        let version = at.unwrap_or(0) + steps.len();
        transaction.batch_execute(&format!("UPDATE courant_schema SET version = {version}"))?;
        transaction.commit()?;
    }
}

/// Number of steps already applied; `None` in a database that was never used.
fn server_version(transaction: &mut postgres::Transaction) -> Result<Option<usize>, StoreError> {
    // Not by its name, under which a process that waited for another would remember that there was nothing.
    if !has_table(transaction, "AND relname = 'courant_schema'")? {
        return Ok(None);
    }
    let version: i64 = transaction.query_one("SELECT version FROM courant_schema", &[])?.get(0);
    Ok(Some(usize::try_from(version).unwrap_or(usize::MAX)))
}

/// Whether the database has a table of ours or of anybody, or such a one.
fn has_table(transaction: &mut postgres::Transaction, condition: &str) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' {condition})"
    );
    Ok(transaction.query_one(&sql, &[])?.get(0))
}
