//! The operator's commands, beside a running server and without one.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::{Server, ask, code_at, countersign, ended};
use serde_json::json;
use std::path::Path;

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
fn commands_work_beside_a_running_server_and_take_effect_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let server = Server::dev(at, &[]);
    // Keys: made, used, revoked.
    let made = ask(at, &["api-key", "create", "--name", "checkout", "--allow", "challenge,verify"]);
    let key = made["key"].as_str().unwrap();
    assert_eq!(server.call("POST", "/auth/factors/enroll", key, r#"{"type":"totp"}"#).0, 403);
    ask(at, &["api-key", "revoke", made["id"].as_str().unwrap()]);
    assert_eq!(server.call("POST", "/auth/factors/enroll", key, r#"{"type":"totp"}"#).0, 401);
    assert!(refused(at, &["api-key", "revoke", made["id"].as_str().unwrap()]).contains("revoked already"));
    let keys = ask(at, &["api-key", "list"]);
    assert!(keys.as_array().unwrap().iter().any(|k| k["id"] == made["id"] && k["state"] == "revoked"));
    assert!(!keys.to_string().contains(key));
    // Settings.
    let set = ask(at, &["settings", "set", "factor_lock_after", "5", "--environment", "default"]);
    assert_eq!((&set["value"], &set["default"]), (&json!("5"), &json!("10")));
    assert_eq!(ask(at, &["settings", "set", "factor_lock_after", "default"])["value"], "10");
    assert!(refused(at, &["settings", "set", "factor_lock_after", "4"]).contains("5 to 50"));
    assert!(refused(at, &["settings", "get", "factor_lock"]).contains("factor_lock_after"));
    assert_eq!(ask(at, &["settings", "list"]).as_array().unwrap().len(), domain::settings::catalogue().len());
    // A second environment, after which one must be named.
    ask(at, &["environment", "create", "shop", "--live"]);
    assert!(refused(at, &["settings", "list"]).contains("--environment"));
    let live = ask(at, &["api-key", "create", "--environment", "shop", "--expires", "1d"]);
    assert!(live["key"].as_str().unwrap().starts_with("sk_live_"));
}

#[test]
fn f30_a_factor_is_looked_at_reset_and_deleted_with_a_reason_in_the_trail() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let server = Server::dev(at, &[]);
    let body = r#"{"type":"totp"}"#;
    let (_, made) = server.call("POST", "/user_management/users/u-1/auth_factors", KEY, body);
    let id = made["authentication_factor"]["id"].as_str().unwrap();
    let secret = made["authentication_factor"]["totp"]["secret"].as_str().unwrap();
    server.verify(KEY, made["authentication_challenge"]["id"].as_str().unwrap(), "000000");
    let shown = ask(at, &["factor", "list", "--user", "u-1"]);
    assert_eq!((&shown[0]["id"], &shown[0]["wrong_in_a_row"]), (&json!(id), &json!(1)));
    ask(at, &["factor", "reset", id, "--reason", "ticket 7", "--user-too"]);
    let shown = ask(at, &["factor", "show", id]);
    assert_eq!(shown["wrong_in_a_row"], 0);
    assert!(!shown.to_string().contains(secret));
    assert!(refused(at, &["factor", "delete", id, "--reason", " "]).contains("--reason"));
    ask(at, &["factor", "delete", id, "--reason", "lost phone"]);
    assert_eq!(server.call("GET", &format!("/auth/factors/{id}"), KEY, "").0, 404);
    let events = ask(at, &["events", "list", "--factor", id]);
    let told: Vec<_> = events.as_array().unwrap().iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        ["factor.enrolled", "verification.failed", "factor.reset", "user.reset", "factor.deleted"]
    );
    assert_eq!(events[4]["detail"]["reason"], "lost phone");
    assert!(events[4]["actor"].as_str().unwrap().starts_with("operator:"));
    assert_eq!(
        ask(at, &["events", "list", "--event", "factor.reset", "--user", "u-1"]).as_array().unwrap().len(),
        1
    );
}

#[test]
fn i10_keys_are_rotated_and_rewrapped_while_serving_and_a_factor_still_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let server = Server::dev(at, &[]);
    let (factor, secret) = server.enroll(KEY);
    let rotated = ask(at, &["keys", "rotate"]);
    assert_eq!((&rotated["rows_seen"], &rotated["rows_resealed"]), (&json!(1), &json!(1)));
    let status = ask(at, &["keys", "status"]);
    let seals: Vec<_> = status.as_array().unwrap().iter().filter(|k| k["purpose"] == "seal").collect();
    assert_eq!((&seals[0]["state"], &seals[1]["state"]), (&json!("retired"), &json!("active")));
    // Another master key, and another rotation with it.
    let new = folder.path().join("new.key");
    assert_eq!(ended(countersign(&["keys", "generate"]).arg(&new)).0, 0);
    assert_ne!(ended(countersign(&["keys", "generate"]).arg(&new)).0, 0, "a key file is never overwritten");
    ask(at, &["keys", "rewrap", "--new-master-key-file", new.to_str().unwrap()]);
    ask(at, &["keys", "rotate"]);
    let challenge = server.challenge(KEY, &factor);
    assert!(server.verify(KEY, &challenge, &code_at(&secret, &now(&server))));
    drop(server);
    let server = Server::dev(at, &[]);
    let challenge = server.challenge(KEY, &factor);
    assert!(!server.verify(KEY, &challenge, &code_at(&secret, "2020-01-01T00:00:00Z")));
    assert_eq!(ask(at, &["events", "verify"])["whole"], true);
}

#[test]
fn a_backup_is_made_while_serving_and_opens_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &[]);
    let (factor, _) = server.enroll(KEY);
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("countersign.db");
    ask(folder.path(), &["backup", copy.to_str().unwrap()]);
    assert!(refused(folder.path(), &["backup", copy.to_str().unwrap()]).contains("exists"));
    drop(server);
    std::fs::copy(folder.path().join("master.key"), elsewhere.path().join("master.key")).unwrap();
    let server = Server::dev(elsewhere.path(), &[]);
    assert_eq!(server.call("GET", &format!("/auth/factors/{factor}"), KEY, "").0, 200);
}

#[test]
fn i14_an_edited_entry_of_the_trail_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    drop(Server::dev(at, &[]));
    // Without a server, on the store itself.
    assert_eq!(ask(at, &["events", "verify"])["whole"], true);
    let db = rusqlite::Connection::open(at.join("countersign.db")).unwrap();
    let edited = db.execute("UPDATE event SET actor = 'operator:nobody' WHERE seq = 2", ()).unwrap();
    assert_eq!(edited, 1);
    drop(db);
    let error = refused(at, &["events", "verify"]);
    assert!(error.contains("broken at entry 2"), "{error}");
    assert!(refused(at, &["events", "list"]).contains("broken at entry 2"));
}

/// Also when the server is started again and adds to what is left.
#[test]
fn i14_entries_cut_off_the_end_of_the_trail_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    drop(Server::dev(at, &[]));
    let entries = ask(at, &["events", "verify"])["events"].as_i64().unwrap();
    let db = rusqlite::Connection::open(at.join("countersign.db")).unwrap();
    assert_eq!(db.execute("DELETE FROM event WHERE seq = ?1", [entries]).unwrap(), 1);
    drop(db);
    let named = format!("broken at entry {entries}");
    let error = refused(at, &["events", "verify"]);
    assert!(error.contains(&named), "{error}");
    let server = Server::dev(at, &[]);
    server.enroll(KEY);
    assert!(refused(at, &["events", "verify"]).contains(&named));
}

#[test]
fn without_a_server_commands_open_the_store_and_without_either_they_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    drop(Server::dev(folder.path(), &[]));
    ask(folder.path(), &["environment", "create", "shop"]);
    assert_eq!(ask(folder.path(), &["environment", "list"]).as_array().unwrap().len(), 2);
    assert_eq!(ask(folder.path(), &["migrate"])["migrated"], true);
    let nowhere = folder.path().join("none");
    let (code, _, error) = ended(countersign(&["environment", "list", "--data"]).arg(&nowhere));
    assert_eq!(code, 2);
    assert!(error.contains("countersign dev") && error.contains("--config"), "{error}");
    assert!(!nowhere.exists());
}
