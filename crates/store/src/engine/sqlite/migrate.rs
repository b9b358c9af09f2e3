//! Migrations: numbered, embedded, each in its own transaction, never changed once released.

use super::{connection::named, folder::OpenError};
use crate::{copy::place::MARK, engine::fnv::Fnv};
use domain::time::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Number, name, text.
const MIGRATIONS: &[(i64, &str, &str)] =
    &[(1, "foundation", include_str!("../../../migrations/sqlite/0001_foundation.sql"))];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (
    version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum INTEGER NOT NULL, applied_at INTEGER NOT NULL
) STRICT";

/// Brings a database that is to be served to the newest version.
pub(super) fn migrate(connection: &mut Connection, path: &Path, now: Timestamp) -> Result<(), OpenError> {
    if has_mark(connection, path)? {
        return Err(OpenError::HalfCopied(path.to_owned()));
    }
    bring(connection, path, now)
}

/// Whether the database is a copy that has not ended.
pub(super) fn has_mark(connection: &Connection, path: &Path) -> Result<bool, OpenError> {
    has_table(connection, MARK).map_err(|e| named(path, &e))
}

fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    connection.query_row(sql, [name], |row| row.get::<_, i64>(0)).map(|count| count > 0)
}

/// Whether the database is at the newest version.
pub(super) fn is_current(connection: &Connection, path: &Path) -> Result<bool, OpenError> {
    let is_migrated = has_table(connection, "migration").map_err(|e| named(path, &e))?;
    Ok(is_migrated && applied(connection, path)? == MIGRATIONS.len())
}

/// How many migrations were applied, all of which this version knows.
fn applied(connection: &Connection, path: &Path) -> Result<usize, OpenError> {
    let applied: Vec<(i64, i64)> = connection
        .prepare("SELECT version, checksum FROM migration ORDER BY version")
        .and_then(|mut s| s.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect())
        .map_err(|e| named(path, &e))?;
    for (version, sum) in &applied {
        match MIGRATIONS.iter().find(|(v, ..)| v == version) {
            None => return Err(OpenError::TooNew(path.to_owned(), *version)),
            Some((.., text)) if Fnv::of(text) != *sum => {
                return Err(OpenError::Altered(path.to_owned(), *version));
            }
            Some(_) => {}
        }
    }
    Ok(applied.len())
}

/// Brings the database to the newest version. One that was killed half-way starts again: each runs in a transaction.
pub(super) fn bring(connection: &mut Connection, path: &Path, now: Timestamp) -> Result<(), OpenError> {
    connection.execute_batch(TABLE).map_err(|e| named(path, &e))?;
    let applied = applied(connection, path)?;
    for (version, name, text) in MIGRATIONS.iter().skip(applied) {
        let run = |connection: &mut Connection| -> rusqlite::Result<()> {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            tx.execute_batch(text)?;
            tx.execute(
                "INSERT INTO migration (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
                (version, name, Fnv::of(text), now.millis()),
            )?;
            tx.commit()
        };
        run(connection).map_err(|e| named(path, &e))?;
    }
    Ok(())
}
