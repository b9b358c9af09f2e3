//! `countersign copy`: a store moves between the engines with everything that decides a verification.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod common;

use common::{Server, ask, code_at, countersign, ended};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use testkit::postgres::Database;

const KEY: &str = "sk_test_default";
/// Rows in a table that a copy takes some time for.
const MANY: i64 = 60_000;

fn in_folder(folder: &Path) -> String {
    format!("sqlite:{}", folder.display())
}

fn copy(from: &str, to: &str, more: &[&str]) -> Command {
    let mut command = countersign(&["copy", "--json", "--from", from, "--to", to]);
    command.args(more);
    command
}

fn copied(command: &mut Command) -> Value {
    let (code, out, error) = ended(command);
    assert_eq!(code, 0, "{error}");
    serde_json::from_str(&out).unwrap()
}

/// Why it was not done: one line, after those about progress.
fn refused(command: &mut Command, code: i32) -> String {
    let (ended_with, out, error) = ended(command);
    assert_eq!((ended_with, out.as_str()), (code, ""), "{error}");
    let told: Vec<_> = error.lines().filter(|line| line.starts_with("countersign: ")).collect();
    assert_eq!(told.len(), 1, "{error}");
    assert!(error.ends_with(&format!("{}\n", told[0])), "{error}");
    told[0].to_owned()
}

/// A folder for `dev` on a database, with the master key of another one.
fn folder_beside(at: &Path, name: &str, key_of: &Path) -> PathBuf {
    let folder = at.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::copy(key_of.join("master.key"), folder.join("master.key")).unwrap();
    folder
}

fn stop(mut server: Server) {
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.end(), Some(0));
}

/// A store in a folder, with a factor. Its id.
fn store_in(folder: &Path) -> String {
    let server = Server::dev(folder, &[]);
    let (factor, _) = server.enroll(KEY);
    stop(server);
    factor
}

fn direct(folder: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join("countersign.db")).unwrap()
}

/// Users who never came back.
fn fill(folder: &Path) {
    direct(folder)
        .execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
            INSERT INTO user_budget SELECT (SELECT id FROM environment), char(64 + i % 60, 191 + i % 40) || i, x''
            FROM n",
            [MANY],
        )
        .unwrap();
}

fn now(server: &Server) -> String {
    server.call("GET", "/countersign/dev/clock", KEY, "").1["now"].as_str().unwrap().to_owned()
}

fn verify(server: &Server, challenge: &str, code: &str) -> (u16, Value) {
    let body = format!(r#"{{"code":"{code}"}}"#);
    server.call("POST", &format!("/auth/challenges/{challenge}/verify"), KEY, &body)
}

#[test]
fn i5_what_was_used_up_before_a_copy_is_used_up_after_it_and_so_on_the_way_back() {
    let (house, database) = (tempfile::tempdir().unwrap(), Database::create());
    let (at, url) = (house.path(), database.url());
    let (first, last) = (at.join("first"), at.join("last"));
    let server = Server::dev(&first, &["--setting", "factor_lock_after=5"]);
    let (factor, secret) = server.enroll(KEY);
    let (locked, _) = server.enroll(KEY);
    let key = ask(&first, &["api-key", "create", "--name", "kept"]);
    let gone = ask(&first, &["api-key", "create", "--name", "revoked"]);
    ask(&first, &["api-key", "revoke", gone["id"].as_str().unwrap()]);
    ask(&first, &["settings", "set", "strict_parameters", "on"]);
    let (spent, open) = (server.challenge(KEY, &factor), server.challenge(KEY, &factor));
    let code = code_at(&secret, &now(&server));
    assert!(server.verify(KEY, &spent, &code));
    let guessed = server.challenge(KEY, &locked);
    (0..5).for_each(|_| assert!(!server.verify(KEY, &guessed, "000000")));
    let once = |server: &Server, body: &str| {
        let header = "idempotency-key: the-same\r\n";
        server.call_with("POST", "/auth/factors/enroll", KEY, header, body)
    };
    let enroll = r#"{"type":"totp"}"#;
    let answered = once(&server, enroll);
    stop(server);
    // For an hour, so that the pace of this machine does not matter.
    let longer =
        "UPDATE factor_guard SET locked_until = locked_until + 3600000 WHERE locked_until IS NOT NULL";
    assert_eq!(direct(&first).execute(longer, []).unwrap(), 1);
    let shown = ask(&first, &["factor", "show", &locked]);
    let trail = ask(&first, &["events", "verify"]);

    let report = copied(&mut copy(&in_folder(&first), &url, &[]));
    assert_eq!((&report["resumed"], &report["trail_whole"]), (&false.into(), &true.into()), "{report}");
    assert!(report["sealed_values_opened"].as_u64().unwrap() >= 3, "{report}");
    assert_eq!(report["rows"], report["rows_written_now"]);
    let node = folder_beside(at, "node", &first);
    let on_database = ["--database", url.as_str()];
    let server = Server::dev(&node, &on_database);
    assert_eq!(once(&server, enroll), answered, "W7: a retry after the move has its answer");
    assert!(!server.verify(KEY, &open, &code), "used before the copy");
    let again = server.challenge(KEY, &locked);
    let (status, body) = verify(&server, &again, "000000");
    let code_of = (status, body["code"].as_str());
    assert_eq!(code_of, (429, Some("too_many_failed_verification_attempts")), "W9: still locked");
    assert_eq!(ask(&node, &["factor", "show", &locked])["locked_until"], shown["locked_until"]);
    assert_eq!(ask(&node, &["settings", "get", "strict_parameters"])["value"], "on");
    let get = |server: &Server, key: &Value| {
        server.call("GET", &format!("/auth/factors/{factor}"), key["key"].as_str().unwrap(), "").0
    };
    assert_eq!((get(&server, &key), get(&server, &gone)), (200, 401));
    server.call("POST", "/countersign/dev/clock", KEY, r#"{"advance_seconds":60}"#);
    let later = code_at(&secret, &now(&server));
    assert!(server.verify(KEY, &open, &later), "the seed is the same");
    // PostgreSQL numbers answers itself: after those that were copied.
    let other = server.call_with("POST", "/auth/factors/enroll", KEY, "idempotency-key: another\r\n", enroll);
    assert_eq!(other.0, 201, "{}", other.1);
    let error = refused(&mut copy(&url, &in_folder(&last), &["--config", "/nowhere"]), 2);
    assert!(error.contains("/nowhere"), "{error}");
    let key_file = first.join("master.key");
    let with_key = |mut command: Command| {
        command.env("COUNTERSIGN_MASTER_KEY_FILE", &key_file);
        command
    };
    let error = refused(&mut with_key(copy(&url, &in_folder(&last), &[])), 1);
    assert!(error.contains("stop them all first") && !last.exists(), "{error}");
    stop(server);

    let back = copied(&mut with_key(copy(&url, &in_folder(&last), &[])));
    assert!(back["last_event"].as_i64() > report["last_event"].as_i64(), "{back}");
    folder_beside(at, "last", &first);
    let whole = ask(&last, &["events", "verify"]);
    assert_eq!((&whole["whole"], &trail["whole"]), (&true.into(), &true.into()));
    let server = Server::dev(&last, &[]);
    server.call("POST", "/countersign/dev/clock", KEY, r#"{"advance_seconds":60}"#);
    let challenge = server.challenge(KEY, &factor);
    assert!(!server.verify(KEY, &challenge, &later), "used on PostgreSQL");
    server.call("POST", "/countersign/dev/clock", KEY, r#"{"advance_seconds":60}"#);
    assert!(server.verify(KEY, &challenge, &code_at(&secret, &now(&server))));
}

/// Kills a copy some time after it came to the table with many rows.
fn kill_in_the_middle(mut command: Command, after: Duration, meanwhile: impl FnOnce()) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let said: Vec<String> = lines.take_while(|line| !line.starts_with("copying user_budget")).collect();
    std::thread::sleep(after);
    meanwhile();
    assert_eq!(child.try_wait().unwrap(), None, "it ended too soon: {said:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_copy_that_was_killed_is_not_served_and_goes_on_where_it_was() {
    let (house, database) = (tempfile::tempdir().unwrap(), Database::create());
    let (at, url) = (house.path(), database.url());
    let (first, last) = (at.join("first"), at.join("last"));
    let factor = store_in(&first);
    fill(&first);
    let node_folder = folder_beside(at, "node", &first);
    folder_beside(at, "last", &first);
    let key_file = first.join("master.key");
    let ends = [
        (in_folder(&first), url.clone(), node_folder.clone(), vec!["--database", url.as_str()]),
        (url.clone(), in_folder(&last), last.clone(), vec![]),
    ];
    for (from, to, folder, more) in &ends {
        let run = || {
            let mut command = copy(from, to, &[]);
            command.env("COUNTERSIGN_MASTER_KEY_FILE", &key_file);
            command
        };
        for after in [0, 60, 120] {
            kill_in_the_middle(run(), Duration::from_millis(after), || {
                let node = ["environment", "list", "--database", url.as_str()];
                let (code, _, error) = ended(countersign(&node).arg("--data").arg(&node_folder));
                let why = if from == &url { "is being copied" } else { "copy that did not end" };
                assert!(code == 1 && error.contains(why), "no node beside a copy: {error}");
            });
            for served in [vec!["dev", "--listen", "127.0.0.1:0"], vec!["environment", "list"]] {
                let (code, _, error) = ended(countersign(&served).arg("--data").arg(folder).args(more));
                assert!(code == 1 && error.contains("copy that did not end"), "{code}: {error}");
            }
        }
        let report = copied(&mut run());
        assert_eq!(report["resumed"], true, "{report}");
        assert!(report["rows_written_now"].as_u64() < report["rows"].as_u64(), "{report}");
        assert!(report["rows"].as_i64().unwrap() > MANY);
        let server = Server::dev(folder, more);
        assert_eq!(server.call("GET", &format!("/auth/factors/{factor}"), KEY, "").0, 200);
        stop(server);
        let error = refused(&mut run(), 1);
        assert!(error.contains("is not empty"), "{error}");
    }
}

#[test]
fn a_half_copy_of_something_else_or_with_other_rows_is_begun_anew_only_when_asked() {
    let house = tempfile::tempdir().unwrap();
    let (first, other, target) =
        (house.path().join("first"), house.path().join("other"), house.path().join("target"));
    store_in(&first);
    store_in(&other);
    fill(&first);
    let (from, to) = (in_folder(&first), in_folder(&target));
    kill_in_the_middle(copy(&from, &to, &[]), Duration::from_millis(60), || {});
    let error = refused(&mut copy(&in_folder(&other), &to, &[]), 1);
    assert!(error.contains("another store") && error.contains("--restart"), "{error}");
    let changed = direct(&target).execute("UPDATE environment SET name = 'shop'", []).unwrap();
    assert_eq!(changed, 1);
    let error = refused(&mut copy(&from, &to, &[]), 1);
    assert!(error.contains("differs") && error.contains("table environment"), "{error}");
    let error = refused(
        countersign(&["environment", "list", "--data"])
            .arg(&target)
            .env("COUNTERSIGN_MASTER_KEY_FILE", first.join("master.key")),
        1,
    );
    assert!(error.contains("copy that did not end"), "{error}");
    let report = copied(&mut copy(&from, &to, &["--restart"]));
    assert_eq!((&report["resumed"], &report["rows_written_now"]), (&false.into(), &report["rows"]));
    folder_beside(house.path(), "target", &first);
    assert_eq!(ask(&target, &["environment", "list"]), ask(&first, &["environment", "list"]));
    // What was finished is somebody's store, and never emptied.
    let error = refused(&mut copy(&from, &to, &["--restart"]), 1);
    assert!(error.contains("is not empty"), "{error}");
}

#[test]
fn another_master_key_a_stranger_or_a_server_is_refused_before_anything_is_written() {
    let (house, database) = (tempfile::tempdir().unwrap(), Database::create());
    let (first, target) = (house.path().join("first"), house.path().join("target"));
    store_in(&first);
    let (from, to) = (in_folder(&first), in_folder(&target));
    let other_key = house.path().join("other.key");
    assert_eq!(ended(countersign(&["keys", "generate"]).arg(&other_key)).0, 0);
    for to in [&to, &database.url()] {
        let error = refused(copy(&from, to, &[]).env("COUNTERSIGN_MASTER_KEY_FILE", &other_key), 1);
        assert!(error.contains("not the master key"), "{error}");
    }
    assert!(!target.exists());
    let nothing = house.path().join("nothing");
    let error =
        refused(copy(&in_folder(&nothing), &to, &[]).env("COUNTERSIGN_MASTER_KEY_FILE", &other_key), 1);
    assert!(error.contains("holds no store") && !nothing.exists() && !target.exists(), "{error}");
    let url = database.url();
    let error = refused(copy(&url, &to, &[]).env("COUNTERSIGN_MASTER_KEY_FILE", &other_key), 1);
    assert!(error.contains("holds no store") && !target.exists(), "nothing was made in it either: {error}");
    let server = Server::dev(&first, &[]);
    let error = refused(&mut copy(&from, &to, &[]), 1);
    assert!(error.contains("in use by another") && !target.exists(), "{error}");
    stop(server);
    fs::create_dir(&target).unwrap();
    direct(&target).execute_batch("CREATE TABLE theirs (a INTEGER)").unwrap();
    let error = refused(&mut copy(&from, &to, &[]), 1);
    assert!(error.contains("another program"), "{error}");
    for (from, to, part) in [
        (from.as_str(), from.as_str(), "the same"),
        (from.as_str(), "mysql://db/mfa", "--to"),
        ("sqlite:", to.as_str(), "--from"),
        (from.as_str(), "postgres://ada:geheim@db/mfa?sslmode=maybe", "verify-full"),
    ] {
        let error = refused(&mut copy(from, to, &[]), 2);
        assert!(error.contains(part) && !error.contains("geheim"), "{error}");
    }
    let error = refused(&mut copy(&from, "postgres://ada:geheim@127.0.0.1:1/mfa", &[]), 1);
    assert!(error.contains("127.0.0.1:1/mfa") && !error.contains("geheim"), "{error}");
}

#[test]
fn a_sealed_value_that_does_not_open_keeps_the_copy_from_being_served() {
    let house = tempfile::tempdir().unwrap();
    let (first, target) = (house.path().join("first"), house.path().join("target"));
    let factor = store_in(&first);
    let cut = "UPDATE factor SET sealed = CAST(substr(sealed, 1, length(sealed) - 1) || x'00' AS BLOB)";
    assert_eq!(direct(&first).execute(cut, []).unwrap(), 1);
    let error = refused(&mut copy(&in_folder(&first), &in_folder(&target), &[]), 1);
    assert!(error.contains(&factor) && error.contains("does not open"), "{error}");
    folder_beside(house.path(), "target", &first);
    let (code, _, error) = ended(countersign(&["environment", "list", "--data"]).arg(&target));
    assert!(code == 1 && error.contains("copy that did not end"), "{error}");
}

#[test]
fn asvs_16_4_2_a_trail_that_is_broken_is_copied_and_said_to_be_broken() {
    let house = tempfile::tempdir().unwrap();
    let (first, target) = (house.path().join("first"), house.path().join("target"));
    store_in(&first);
    assert_eq!(direct(&first).execute("UPDATE event SET actor = 'nobody' WHERE seq = 1", []).unwrap(), 1);
    let report = copied(&mut copy(&in_folder(&first), &in_folder(&target), &[]));
    assert_eq!((&report["trail_whole"], &report["trail_broken_at"]), (&false.into(), &1.into()), "{report}");
}
