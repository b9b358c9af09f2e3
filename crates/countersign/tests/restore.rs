//! Restoring a backup: nothing that may have been accepted since is accepted again (fault 18).

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::{Server, ask, code_at, countersign, ended};
use std::{fs, path::Path};

const KEY: &str = "sk_test_default";

fn now(server: &Server) -> String {
    server.call("GET", "/countersign/dev/clock", KEY, "").1["now"].as_str().unwrap().to_owned()
}

fn refused(folder: &Path, args: &[&str]) -> String {
    let (code, _, error) = ended(countersign(args).arg("--data").arg(folder));
    assert_eq!(code, 1, "{args:?}: {error}");
    error
}

#[test]
fn fault_18_a_code_and_a_challenge_of_before_the_restore_are_over_and_what_is_known_is_redone() {
    let house = tempfile::tempdir().unwrap();
    let at = house.path();
    let backup = at.with_extension("backup");
    let backup = backup.to_str().unwrap();
    let mut server = Server::dev(at, &[]);
    let (factor, secret) = server.enroll(KEY);
    let (doomed, _) = server.enroll(KEY);
    let old_key = ask(at, &["api-key", "create", "--name", "old"]);
    let (first, second) = (server.challenge(KEY, &factor), server.challenge(KEY, &factor));
    ask(at, &["backup", backup]);
    // After the backup: an acceptance, a deletion, a revocation, a new factor.
    let code = code_at(&secret, &now(&server));
    assert!(server.verify(KEY, &first, &code));
    assert_eq!(server.call("DELETE", &format!("/auth/factors/{doomed}"), KEY, "").0, 204);
    ask(at, &["api-key", "revoke", old_key["id"].as_str().unwrap()]);
    let (late, _) = server.enroll(KEY);
    assert!(refused(at, &["restore", backup, "--replace"]).contains("in use"));
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.end(), Some(0));

    assert!(refused(at, &["restore", backup]).contains("--replace"));
    let report = ask(at, &["restore", backup, "--replace"]);
    assert_eq!(report["since_the_backup"]["factors_deleted_again"][0], doomed.as_str(), "{report}");
    assert_eq!(report["since_the_backup"]["api_keys_revoked_again"][0], old_key["id"]);
    assert_eq!(report["since_the_backup"]["events"]["verification.succeeded"], 1);
    assert!(Path::new(report["replaced"].as_str().unwrap()).join("countersign.db").exists());

    let server = Server::dev(at, &[]);
    for challenge in [&first, &second] {
        let (status, body) = server.call(
            "POST",
            &format!("/auth/challenges/{challenge}/verify"),
            KEY,
            &format!(r#"{{"code":"{code}"}}"#),
        );
        assert_eq!((status, &body["code"]), (422, &"authentication_challenge_expired".into()), "{body}");
    }
    let again = server.challenge(KEY, &factor);
    assert!(!server.verify(KEY, &again, &code), "the code was accepted before the restore");
    assert!(
        !server.verify(KEY, &again, &code_at(&secret, &later(&now(&server), 30))),
        "so may this one have been"
    );
    server.call("POST", "/countersign/dev/clock", KEY, r#"{"advance_seconds":90}"#);
    assert!(
        server.verify(KEY, &again, &code_at(&secret, &now(&server))),
        "a code of after the floor is right"
    );
    for gone in [&doomed, &late] {
        assert_eq!(server.call("GET", &format!("/auth/factors/{gone}"), KEY, "").0, 404);
    }
    let old_key = old_key["key"].as_str().unwrap();
    assert_eq!(server.call("GET", &format!("/auth/factors/{factor}"), old_key, "").0, 401);
    let events = ask(at, &["events", "list", "--event", "replay_floor.set"]);
    assert_eq!(events[0]["detail"]["until"], report["replay_floor"]["no_code_before"]);
    assert_eq!(ask(at, &["events", "verify"])["whole"], true);
    fs::remove_file(backup).unwrap();
}

#[test]
fn fault_18_what_is_not_a_later_state_of_the_backup_is_not_believed() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let backup = ours.path().with_extension("backup");
    let mut server = Server::dev(ours.path(), &[]);
    let (factor, _) = server.enroll(KEY);
    ask(ours.path(), &["backup", backup.to_str().unwrap()]);
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.end(), Some(0));
    // Another house with the same master key.
    fs::copy(ours.path().join("master.key"), theirs.path().join("master.key")).unwrap();
    let mut server = Server::dev(theirs.path(), &[]);
    server.enroll(KEY);
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.end(), Some(0));
    let report = ask(theirs.path(), &["restore", backup.to_str().unwrap(), "--replace"]);
    assert!(report["since_the_backup"].as_str().unwrap().starts_with("not known"), "{report}");
    let server = Server::dev(theirs.path(), &[]);
    assert_eq!(server.call("GET", &format!("/auth/factors/{factor}"), KEY, "").0, 200);
    fs::remove_file(backup).unwrap();
}

#[test]
fn fault_18_a_restore_that_broke_off_is_not_served_and_can_be_done_again() {
    let house = tempfile::tempdir().unwrap();
    let at = house.path();
    let backup = at.with_extension("backup");
    let backup = backup.to_str().unwrap();
    let mut server = Server::dev(at, &[]);
    server.enroll(KEY);
    ask(at, &["backup", backup]);
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.end(), Some(0));
    fs::create_dir(at.join("restore.new")).unwrap();
    fs::rename(at.join("countersign.db"), at.join("moved")).unwrap();
    let (code, _, error) = ended(countersign(&["dev", "--listen", "127.0.0.1:0", "--data"]).arg(at));
    assert_ne!(code, 0);
    assert!(error.contains("did not end"), "{error}");
    ask(at, &["restore", backup]);
    drop(Server::dev(at, &[]));
    let not_one = at.join("moved.txt");
    fs::write(&not_one, "not a database").unwrap();
    let error = refused(at, &["restore", not_one.to_str().unwrap(), "--replace"]);
    assert!(error.contains("moved.txt"), "{error}");
    fs::remove_file(backup).unwrap();
}

#[test]
fn fault_21_a_backup_with_what_a_newer_version_has_added_is_left_to_that_version() {
    let house = tempfile::tempdir().unwrap();
    let at = house.path();
    let backup = at.with_extension("backup");
    let mut server = Server::dev(at, &[]);
    let (factor, _) = server.enroll(KEY);
    ask(at, &["backup", backup.to_str().unwrap()]);
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.end(), Some(0));
    rusqlite::Connection::open(&backup)
        .unwrap()
        .execute_batch("CREATE TABLE more (a TEXT) STRICT; INSERT INTO migration VALUES (2, 'more', 1, 1, 1)")
        .unwrap();
    let error = refused(at, &["restore", backup.to_str().unwrap(), "--replace"]);
    assert!(error.contains("by a newer version (migration 2); run that version"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    // As it was.
    let server = Server::dev(at, &[]);
    assert_eq!(server.call("GET", &format!("/auth/factors/{factor}"), KEY, "").0, 200);
    fs::remove_file(backup).unwrap();
}

#[test]
fn fault_18_a_floor_can_be_set_on_a_store_that_is_being_served() {
    let house = tempfile::tempdir().unwrap();
    let server = Server::dev(house.path(), &[]);
    let (factor, secret) = server.enroll(KEY);
    let challenge = server.challenge(KEY, &factor);
    let code = code_at(&secret, &now(&server));
    let set = ask(house.path(), &["replay-floor", "--reason", "a standby was promoted"]);
    assert_eq!((&set["factors"], &set["messages_cancelled"]), (&1.into(), &0.into()));
    let (status, _) = server.call(
        "POST",
        &format!("/auth/challenges/{challenge}/verify"),
        KEY,
        &format!(r#"{{"code":"{code}"}}"#),
    );
    assert_eq!(status, 422);
    assert!(!server.verify(KEY, &server.challenge(KEY, &factor), &code));
}

/// A time some seconds later.
fn later(now: &str, seconds: i64) -> String {
    domain::time::Timestamp::parse(now).unwrap().plus_seconds(u32::try_from(seconds).unwrap()).to_string()
}
