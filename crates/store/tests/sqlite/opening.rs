//! Opening: migrations, and every file that must not be opened.

use crate::bench::open;
use crate::laws::common::{House, noon};
use crate::store::sqlite::{DataFolder, OpenError, Sqlite, check_backup};
use rusqlite::Connection;
use std::{
    fs,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
};

/// Opens, closes, and answers the error if there was one.
fn attempt(path: &Path) -> Result<(), OpenError> {
    open(path).map(|(_, engine)| engine.close())
}

fn edit(path: &Path, sql: &str) {
    Connection::open(path.join("countersign.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_fresh_folder_is_migrated_once_and_only_its_owner_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/here");
    attempt(&path).unwrap();
    let dump = || {
        let db = Connection::open(path.join("countersign.db")).unwrap();
        let mut rows = db.prepare("SELECT version, checksum, applied_at FROM migration").unwrap();
        let rows = rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap();
        rows.collect::<Result<Vec<(i64, i64, i64)>, _>>().unwrap()
    };
    let first = dump();
    assert!(!first.is_empty());
    attempt(&path).unwrap();
    assert_eq!(dump(), first);
    let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("countersign.db")), 0o600);
}

#[test]
fn fault_21_a_store_of_the_first_version_is_brought_to_this_one_with_what_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    attempt(dir.path()).unwrap();
    // As the first version left it.
    edit(
        dir.path(),
        "DELETE FROM migration WHERE version > 1; DROP TABLE guard_spend; DROP TABLE sms_send;
        CREATE TABLE sms_send (environment_id BLOB NOT NULL, number_digest BLOB NOT NULL, at INTEGER NOT NULL,
            delivery_id BLOB NOT NULL, PRIMARY KEY (environment_id, number_digest, at, delivery_id)) STRICT, WITHOUT ROWID;
        CREATE INDEX sms_send_by_time ON sms_send (environment_id, at);
        INSERT INTO sms_send VALUES (x'01', x'02', 3, x'04');",
    );
    attempt(dir.path()).unwrap();
    let db = Connection::open(dir.path().join("countersign.db")).unwrap();
    let count = |sql: &str| db.query_row(sql, [], |r| r.get::<_, i64>(0)).unwrap();
    assert_eq!(
        count("SELECT count(*) FROM sms_send WHERE at = 3 AND micros IS NULL AND verified_at IS NULL"),
        1
    );
    assert_eq!(count("SELECT count(*) FROM guard_spend"), 0);
}

#[test]
fn an_altered_migration_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    attempt(dir.path()).unwrap();
    edit(dir.path(), "UPDATE migration SET checksum = checksum + 1 WHERE version = 1");
    let e = attempt(dir.path()).unwrap_err();
    assert!(matches!(e, OpenError::Altered(_, 1)), "{e}");
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    attempt(dir.path()).unwrap();
    edit(dir.path(), "INSERT INTO migration VALUES (9999, 'later', 1, 1, 9999)");
    let e = attempt(dir.path()).unwrap_err();
    assert!(matches!(e, OpenError::TooNew(_, 9999)), "{e}");
    assert!(e.to_string().contains("countersign.db"), "{e}");
}

#[test]
fn fault_21_what_a_newer_version_has_added_is_served_and_neither_copied_nor_restored() {
    let dir = tempfile::tempdir().unwrap();
    attempt(dir.path()).unwrap();
    edit(
        dir.path(),
        "ALTER TABLE factor ADD COLUMN nickname TEXT; INSERT INTO migration
        SELECT max(version) + 1, 'nicknames', 1, 1, 1 FROM migration",
    );
    attempt(dir.path()).unwrap();
    let file = dir.path().join("countersign.db");
    let e = check_backup(&file).unwrap_err();
    assert!(matches!(e, OpenError::TooNew(_, 3)), "{e}");
    // The next one takes something away.
    edit(
        dir.path(),
        "INSERT INTO migration SELECT max(version) + 1, 'fewer', 1, 1, max(version) FROM migration",
    );
    let e = attempt(dir.path()).unwrap_err();
    assert!(matches!(e, OpenError::TooNew(_, 4)), "{e}");
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    for sql in
        ["CREATE TABLE song (title TEXT)", "PRAGMA application_id = 77; CREATE TABLE song (title TEXT)"]
    {
        let dir = tempfile::tempdir().unwrap();
        edit(dir.path(), sql);
        let file = dir.path().join("countersign.db");
        let before = fs::read(&file).unwrap();
        let e = attempt(dir.path()).unwrap_err();
        assert!(matches!(e, OpenError::Foreign(_)), "{e}");
        assert!(fs::read(&file).unwrap() == before, "the file was changed");
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("countersign.db"), "not a database at all, ".repeat(400)).unwrap();
    let e = attempt(dir.path()).unwrap_err();
    assert!(matches!(e, OpenError::Corrupt(..)), "{e}");
    assert!(e.to_string().contains("countersign.db"), "{e}");
}

#[test]
fn one_folder_has_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let held = DataFolder::lock(dir.path()).unwrap();
    let e = DataFolder::lock(dir.path()).unwrap_err();
    assert!(matches!(e, OpenError::InUse(..)));
    let text = e.to_string();
    assert!(text.contains(&format!("pid {}", std::process::id())), "{text}");
    drop(held);
    DataFolder::lock(dir.path()).unwrap();
}

#[tokio::test]
async fn i8_a_stop_does_not_cut_the_log_which_a_power_cut_could_leave_in_part() {
    let house = House::new().await;
    house.totp(Some("ada")).await;
    let log = house.bench.path().with_extension("db-wal");
    let before = fs::metadata(&log).unwrap().len();
    house.store.close();
    assert_eq!((fs::metadata(&log).unwrap().len(), before > 0), (before, true));
}

#[tokio::test]
async fn a_damaged_page_is_found_before_anything_is_served() {
    let house = House::new().await;
    for _ in 0..40 {
        house.totp(Some("ada")).await;
    }
    house.store.close();
    house.bench.direct().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let root: u32 = house
        .bench
        .direct()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'factor'", [], |r| r.get(0))
        .unwrap();
    // A copy, since this process still holds the folder of the house.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("countersign.db");
    fs::copy(house.bench.path(), &file).unwrap();
    attempt(dir.path()).unwrap();
    let file = fs::OpenOptions::new().write(true).open(file).unwrap();
    file.write_all_at(&[0xa5; 512], u64::from(root - 1) * 4096).unwrap();
    let folder = DataFolder::lock(dir.path()).unwrap();
    let e = Sqlite::open(&folder, noon(), Box::new(|_| {})).err().unwrap();
    assert!(matches!(e, OpenError::Corrupt(..)), "{e}");
    assert!(e.to_string().contains("countersign.db"), "{e}");
}
