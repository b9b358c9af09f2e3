//! Migrations: numbered, embedded, each in its own transaction, never changed once released.

use super::{connection::named, folder::OpenError};
use domain::time::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Number, name, text.
const MIGRATIONS: &[(i64, &str, &str)] =
    &[(1, "foundation", include_str!("../../../migrations/sqlite/0001_foundation.sql"))];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (
    version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum INTEGER NOT NULL, applied_at INTEGER NOT NULL
) STRICT";

/// FNV-1a: to notice an edited migration, not an attacker, who could edit this table too.
fn checksum(text: &str) -> i64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    i64::from_be_bytes(hash.to_be_bytes())
}

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
            Some((.., text)) if checksum(text) != *sum => {
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
                (version, name, checksum(text), now.millis()),
            )?;
            tx.commit()
        };
        run(connection).map_err(|e| named(path, &e))?;
    }
    Ok(())
}
