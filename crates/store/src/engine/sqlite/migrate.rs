//! Migrations: numbered, embedded, each in its own transaction, never changed once released.

use super::{connection::named, folder::OpenError};
use crate::{
    copy::place::MARK,
    engine::schema::{Applied, BEYOND_US, Fit, Migration, Misfit, fit, foundation},
};
use domain::time::Timestamp;
use rusqlite::{Connection, Row, TransactionBehavior};
use std::path::Path;

pub(crate) const MIGRATIONS: &[Migration] =
    &[foundation(include_str!("../../../migrations/sqlite/0001_foundation.sql"))];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (
    version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum INTEGER NOT NULL, applied_at INTEGER NOT NULL,
    works_with INTEGER NOT NULL
) STRICT";

/// Brings a database that is to be served to the newest version.
pub(super) fn migrate(connection: &mut Connection, path: &Path, now: Timestamp) -> Result<(), OpenError> {
    if has_mark(connection, path)? {
        return Err(OpenError::HalfCopied(path.to_owned()));
    }
    let found = bring(connection, path, now)?;
    if found.is_newer {
        tracing::warn!(migration = found.newest, "{BEYOND_US}");
    }
    Ok(())
}

/// Whether the database is a copy that has not ended.
pub(super) fn has_mark(connection: &Connection, path: &Path) -> Result<bool, OpenError> {
    has_table(connection, MARK).map_err(|e| named(path, &e))
}

fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    connection.query_row(sql, [name], |row| row.get::<_, i64>(0)).map(|count| count > 0)
}

/// That a database is of this very version, to be read or replaced as a whole.
///
/// # Errors
/// When it is older, or newer: also where this version could serve it, since there may be tables that it does not know.
pub(super) fn is_of_this_version(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    match found(connection, path)? {
        Some(schema) if schema.is_newer => Err(OpenError::TooNew(path.to_owned(), schema.newest)),
        Some(Fit { pending: [], .. }) => Ok(()),
        _ => Err(OpenError::TooOld(path.to_owned())),
    }
}

/// That a database holds nothing of a newer version.
///
/// # Errors
/// When it does, also where this version could serve it.
pub(super) fn is_known(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    match found(connection, path)? {
        Some(schema) if schema.is_newer => Err(OpenError::TooNew(path.to_owned(), schema.newest)),
        _ => Ok(()),
    }
}

/// As [`applied`]; `None` if it was never migrated.
fn found(connection: &Connection, path: &Path) -> Result<Option<Fit<'static>>, OpenError> {
    let is_migrated = has_table(connection, "migration").map_err(|e| named(path, &e))?;
    is_migrated.then(|| applied(connection, path)).transpose()
}

/// How the migrations that were applied fit those of this version.
fn applied(connection: &Connection, path: &Path) -> Result<Fit<'static>, OpenError> {
    let row = |r: &Row<'_>| Ok(Applied { version: r.get(0)?, checksum: r.get(1)?, works_with: r.get(2)? });
    let applied: Vec<Applied> = connection
        .prepare("SELECT version, checksum, works_with FROM migration ORDER BY version")
        .and_then(|mut s| s.query_map([], row)?.collect())
        .map_err(|e| named(path, &e))?;
    fit(MIGRATIONS, &applied).map_err(|e| match e {
        Misfit::TooNew(version) => OpenError::TooNew(path.to_owned(), version),
        Misfit::Altered(version) => OpenError::Altered(path.to_owned(), version),
    })
}

/// Brings the database to the newest version. One that was killed half-way starts again: each runs in a transaction.
/// The folder is locked, so nobody else works on it.
pub(super) fn bring(
    connection: &mut Connection,
    path: &Path,
    now: Timestamp,
) -> Result<Fit<'static>, OpenError> {
    connection.execute_batch(TABLE).map_err(|e| named(path, &e))?;
    let found = applied(connection, path)?;
    for migration in found.pending {
        let run = |connection: &mut Connection| -> rusqlite::Result<()> {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            tx.execute_batch(migration.text)?;
            tx.execute(
                "INSERT INTO migration (version, name, checksum, applied_at, works_with) VALUES (?1, ?2, ?3, ?4, ?5)",
                (migration.version, migration.name, migration.checksum(), now.millis(), migration.works_with),
            )?;
            tx.commit()
        };
        run(connection).map_err(|e| named(path, &e))?;
    }
    Ok(found)
}
