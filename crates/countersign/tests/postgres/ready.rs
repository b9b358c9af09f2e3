//! Readiness is the ability to decide, and not only to reach the database.

use crate::common::Server;
use crate::{ask, configured};
use std::time::{Duration, Instant};
use testkit::postgres::Database;

/// Answers wait for rows that somebody holds: another connection would still get its commit.
#[test]
fn a_node_whose_answers_are_stuck_is_not_ready_until_they_go_on() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::create());
    let config = configured(folder.path(), "one", &database.url(), "");
    ask(&config, &["environment", "create", "shop"]);
    let made = ask(&config, &["api-key", "create"]);
    let key = made["key"].as_str().unwrap().to_owned();
    let server = Server::serve(&config);
    let ready = || server.call("GET", "/readyz", "", "").0;
    let challenges: Vec<String> = (0..6).map(|_| server.challenge(&key, &server.enroll(&key).0)).collect();
    assert_eq!(ready(), 200);

    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Longer than a step waits for a lock.
            database.sql("BEGIN; SELECT 1 FROM factor_guard FOR UPDATE; SELECT pg_sleep(7); COMMIT");
        });
        std::thread::sleep(Duration::from_millis(500));
        for challenge in &challenges {
            let (server, key) = (&server, &key);
            scope.spawn(move || {
                let path = format!("/auth/challenges/{challenge}/verify");
                server.call("POST", &path, key, r#"{"code":"000000"}"#)
            });
            std::thread::sleep(Duration::from_millis(30));
        }
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(ready(), 503);
    });
    let began = Instant::now();
    while ready() != 200 {
        assert!(began.elapsed() < Duration::from_secs(20), "it is not ready again");
        std::thread::sleep(Duration::from_millis(100));
    }
}
