//! Online backup: a consistent copy of the database while it is served.

use super::{
    connection::{belongs_to_us, open_reader},
    folder::OpenError,
    migrate::is_known,
};
use rusqlite::{Connection, backup::Backup};
use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

/// Pages copied at a time.
const PAGES: i32 = 1_024;

/// That a file is a database that this version may restore. Older ones it migrates afterwards.
///
/// # Errors
/// When it is not ours, or holds what a newer version has made: a restore acts on the whole of it.
pub fn check_backup(file: &Path) -> Result<(), OpenError> {
    let connection = open_reader(file)?;
    if belongs_to_us(&connection, file)? { is_known(&connection, file) } else { Ok(()) }
}

/// Copies the database to a new file that only its owner can read, and syncs it. `progress` is told pages left and
/// pages in all.
///
/// Verification goes on meanwhile: the copy reads one snapshot.
///
/// # Errors
/// One line: the target exists, cannot be written, or the copy does not check out.
pub fn backup(database: &Path, target: &Path, progress: &mut dyn FnMut(u32, u32)) -> Result<(), String> {
    let at_target = |e: &dyn std::fmt::Display| format!("{}: {e}", target.display());
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)
        .map_err(|e| at_target(&e))?;
    let source = open_reader(database).map_err(|e| e.to_string())?;
    // One snapshot for the whole copy; without it each step would start over when a commit has come between.
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;").map_err(|e| e.to_string())?;
    let mut copy = Connection::open(target).map_err(|e| at_target(&e))?;
    {
        let run = Backup::new(&source, &mut copy).map_err(|e| at_target(&e))?;
        loop {
            let step = run.step(PAGES).map_err(|e| at_target(&e))?;
            let left = run.progress();
            progress(left.remaining.unsigned_abs(), left.pagecount.unsigned_abs());
            match step {
                rusqlite::backup::StepResult::Done => break,
                rusqlite::backup::StepResult::More => {}
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
    let verdict: String =
        copy.query_row("PRAGMA quick_check(1)", [], |r| r.get(0)).map_err(|e| at_target(&e))?;
    if verdict != "ok" {
        return Err(at_target(&verdict));
    }
    copy.close().map_err(|(_, e)| at_target(&e))?;
    file.sync_all().map_err(|e| at_target(&e))
}
