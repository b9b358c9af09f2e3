//! Connections and what is set on them.

use super::folder::OpenError;
use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};
use std::path::Path;

/// `CSgn` in the file's header: whose database it is.
const APPLICATION_ID: i32 = 0x4353_676e;
/// Prepared statements kept on each connection: more than the catalogue has.
const STATEMENTS_KEPT: usize = 128;
/// Up to this size the whole file is checked at every start; larger ones would keep the start waiting.
const CHECKED_WHOLE_BYTES: u64 = 32 << 20;
/// A reader waits this long for a checkpoint that holds a lock.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

/// The one connection that writes.
///
/// `synchronous = FULL` makes every commit durable before it returns. Checkpoints are the writer's own business, so
/// that their errors are seen. Pages are small because answers change rows here and there, and each changed row costs
/// a page of the log and later one of the database.
pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| named(path, &e))?;
    // Whose it is comes first: WAL mode is written into the file, and another program's is left as it is.
    let fresh = !belongs_to_us(&connection, path)?;
    set_up(
        &connection,
        "PRAGMA page_size = 2048; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -65536;
        PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;",
    )
    .map_err(|e| named(path, &e))?;
    if fresh {
        connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(|e| named(path, &e))?;
    }
    Ok(connection)
}

/// Whether the database is ours; it is nobody's yet if it is empty.
///
/// # Errors
/// When it is another program's.
pub(super) fn belongs_to_us(connection: &Connection, path: &Path) -> Result<bool, OpenError> {
    let owner: i32 =
        connection.query_row("PRAGMA application_id", [], |r| r.get(0)).map_err(|e| named(path, &e))?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))
        .map_err(|e| named(path, &e))?;
    match owner {
        APPLICATION_ID => Ok(true),
        0 if tables == 0 => Ok(false),
        _ => Err(OpenError::Foreign(path.to_owned())),
    }
}

/// A connection that copies the log into the database, and does nothing else.
pub(super) fn open_checkpointer(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| named(path, &e))?;
    set_up(&connection, "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -64;")
        .map_err(|e| named(path, &e))?;
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| named(path, &e))?;
    set_up(&connection, "PRAGMA query_only = ON; PRAGMA cache_size = -4096;").map_err(|e| named(path, &e))?;
    Ok(connection)
}

fn set_up(connection: &Connection, pragmas: &str) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // A plan depends on the statement alone. Otherwise SQLite compiles one anew whenever a bound value might have
    // changed the plan, which cost a quarter of all the time of a busy server.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(pragmas)
}

/// Looks for damage before anything is served: the whole file if that is quick, else what opening has read already.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let size = std::fs::metadata(path).map(|m| m.len()).unwrap_or(0);
    if size > CHECKED_WHOLE_BYTES {
        return Ok(());
    }
    let verdict: String =
        connection.query_row("PRAGMA quick_check(1)", [], |r| r.get(0)).map_err(|e| named(path, &e))?;
    if verdict == "ok" { Ok(()) } else { Err(OpenError::Corrupt(path.to_owned(), verdict)) }
}

/// An error of SQLite's as a line that names the file.
pub(super) fn named(path: &Path, e: &rusqlite::Error) -> OpenError {
    match e.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Corrupt(path.to_owned(), e.to_string())
        }
        _ => OpenError::Unusable(path.to_owned(), e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::sqlite::migrate::migrate, statements::ALL};
    use domain::time::Timestamp;
    use rusqlite::StatementStatus;

    #[test]
    fn no_statement_is_compiled_anew_for_another_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.db");
        let mut connection = open_writer(&path).unwrap();
        migrate(&mut connection, &path, Timestamp::from_millis(1)).unwrap();
        for statement in ALL {
            let mut prepared = connection.prepare(statement.numbered()).unwrap();
            for value in [1, 2, 3] {
                for i in 1..=prepared.parameter_count() {
                    prepared.raw_bind_parameter(i, value).unwrap();
                }
                // Whether it does anything with such values is not the question here.
                let _ = prepared.raw_query().next().map(|_| ());
            }
            assert_eq!(prepared.get_status(StatementStatus::RePrepare), 0, "{}", statement.name);
        }
    }
}
