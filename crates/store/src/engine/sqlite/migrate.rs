//! Migrations: numbered, embedded, each in its own transaction, never changed once released.

use super::{connection::named, folder::OpenError};
use crate::engine::fnv::Fnv;
use domain::time::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Number, name, text.
const MIGRATIONS: &[(i64, &str, &str)] =
    &[(1, "foundation", include_str!("../../../migrations/sqlite/0001_foundation.sql"))];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (
    version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum INTEGER NOT NULL, applied_at INTEGER NOT NULL
) STRICT";

/// Brings the database to the newest version. One that was killed half-way starts again: each runs in a transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path, now: Timestamp) -> Result<(), OpenError> {
    connection.execute_batch(TABLE).map_err(|e| named(path, &e))?;
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
    for (version, name, text) in MIGRATIONS.iter().skip(applied.len()) {
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
