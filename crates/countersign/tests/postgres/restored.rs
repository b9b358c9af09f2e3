//! A dump of a running database, loaded into a new one: what was accepted since must not be accepted again.

use crate::common::Server;
use crate::{ask, code_now, configured};
use std::{
    path::Path,
    process::{Command, Stdio},
};
use testkit::postgres::{Database, binaries};

fn tool(name: &str, url: &str, args: &[&str], file: &Path) {
    let mut command = Command::new(binaries().join(name));
    command.args(["-d", url]).args(args).arg("-f").arg(file).stdin(Stdio::null());
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// Whether a code is right for a new challenge.
fn is_right(server: &Server, key: &str, factor: &str, code: &str) -> bool {
    server.verify(key, &server.challenge(key, factor), code)
}

#[test]
fn fault_18_after_a_dump_is_loaded_and_the_floor_set_no_code_of_before_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let [database, restored, unguarded] = std::array::from_fn(|_| Database::create());
    let config = |node: &str, database: &Database| configured(folder.path(), node, &database.url(), "");
    let one = config("one", &database);
    ask(&one, &["environment", "create", "shop"]);
    let made = ask(&one, &["api-key", "create"]);
    let key = made["key"].as_str().unwrap();
    let server = Server::serve(&one);
    let (factor, secret) = server.enroll(key);
    let open = server.challenge(key, &factor);

    let dump = folder.path().join("dump.sql");
    tool("pg_dump", &database.url(), &["--no-owner"], &dump);
    let code = code_now(&secret);
    assert!(is_right(&server, key, &factor, &code));
    drop(server);

    for target in [&restored, &unguarded] {
        tool("psql", &target.url(), &["-q", "-v", "ON_ERROR_STOP=1"], &dump);
    }
    // What the floor is for: the dump does not know that the code was used.
    let server = Server::serve(&config("unguarded", &unguarded));
    assert!(is_right(&server, key, &factor, &code));
    drop(server);

    let two = config("two", &restored);
    let set = ask(&two, &["replay-floor", "--reason", "a dump was loaded"]);
    assert_eq!(set["factors"], 1, "{set}");
    let server = Server::serve(&two);
    let path = format!("/auth/challenges/{open}/verify");
    assert_eq!(server.call("POST", &path, key, &format!(r#"{{"code":"{code}"}}"#)).0, 422);
    assert!(!is_right(&server, key, &factor, &code));
    let events = ask(&two, &["events", "list", "--event", "replay_floor.set"]);
    assert_eq!(events[0]["detail"]["reason"], "a dump was loaded", "{events}");
    assert_eq!(ask(&two, &["events", "verify"])["whole"], true);
}
