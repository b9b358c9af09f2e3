//! A node, and the next version beside it: the same code, with one migration more.

use crate::common::{Server, code_now, countersign, ended, ended_soon};
use crate::{ask, configured};
use domain::time::{Clock as _, Timestamp};
use rustix::process::Signal;
use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};
use store::{
    Store,
    engine::schema::Migration,
    postgres::{MIGRATIONS, OpenError, Options},
    queries::LatestTime,
};
use testkit::postgres::Database;

/// What a next version may add beside this one.
const ADDING: &[Migration] = &[
    MIGRATIONS[0],
    Migration {
        version: 2,
        name: "more",
        text: "ALTER TABLE factor ADD COLUMN nickname TEXT;
            ALTER TABLE factor_guard ADD COLUMN uses BIGINT NOT NULL DEFAULT 0;
            ALTER TABLE challenge ADD COLUMN asked_by BYTEA;
            ALTER TABLE event ADD COLUMN place TEXT;
            CREATE TABLE nickname (text TEXT NOT NULL PRIMARY KEY);
            CREATE INDEX factor_by_nickname ON factor (environment_id, nickname) WHERE nickname IS NOT NULL",
        works_with: 1,
    },
];
/// What this one could not work beside.
const BREAKING: &[Migration] = &[
    MIGRATIONS[0],
    Migration {
        version: 2,
        name: "other",
        text: "ALTER TABLE factor RENAME COLUMN label_user TO label",
        works_with: 2,
    },
];

/// Starts a node of a next version here, as its own process would: it migrates, and is connected.
fn next(database: &Database, known: &'static [Migration]) -> Result<Store, OpenError> {
    let options = Options::parse(&database.url(), None).unwrap().knowing(known);
    runtime().block_on(async {
        let now: Timestamp = app::SystemClock.now();
        let store = Store::open_postgres(options, now).await?;
        store.query(LatestTime).await.unwrap();
        Ok(store)
    })
}

fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: std::sync::OnceLock<tokio::runtime::Runtime> = std::sync::OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().unwrap())
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} does not come about");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Enrolls, and answers wrongly and rightly.
fn round(server: &Server, key: &str) {
    let (factor, secret) = server.enroll(key);
    let challenge = server.challenge(key, &factor);
    assert!(!server.verify(key, &challenge, "00000"));
    assert!(server.verify(key, &challenge, &code_now(&secret)));
}

#[test]
fn fault_21_a_node_serves_on_while_the_next_version_adds_to_the_schema_and_starts_again_beside_it() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::create());
    let config = configured(folder.path(), "one", &database.url(), "");
    ask(&config, &["environment", "create", "shop"]);
    let made = ask(&config, &["api-key", "create"]);
    let key = made["key"].as_str().unwrap();
    let mut server = Server::serve(&config);

    let (rounds, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    let newer = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while !is_over.load(Relaxed) {
                        // Whatever fails ends the test.
                        round(&server, key);
                        rounds.fetch_add(1, Relaxed);
                    }
                })
            })
            .collect();
        let goes_on = || {
            let before = rounds.load(Relaxed);
            until("a verification", || {
                rounds.load(Relaxed) >= before + 20 || callers.iter().any(|c| c.is_finished())
            });
        };
        goes_on();
        let newer = next(&database, ADDING);
        goes_on();
        is_over.store(true, Relaxed);
        newer.unwrap()
    });
    database.sql("SELECT nickname FROM factor");
    runtime().block_on(newer.query(LatestTime)).unwrap();

    // As after a crash of the older one while not all have been replaced.
    server.signal(Signal::TERM);
    assert_eq!(server.end(), Some(0));
    let server = Server::serve(&config);
    assert!(server.said().contains("a newer version has migrated the database"), "{}", server.said());
    round(&server, key);

    // What acts on the whole of it is left to the newer one.
    for command in [vec!["keys", "rotate"], vec!["replay-floor", "--reason", "a try"]] {
        let (code, _, error) = ended(countersign(&command).arg("--config").arg(&config));
        assert_eq!((code, error.lines().count()), (1, 1), "{command:?}: {error}");
        assert!(error.contains("do this with that version"), "{command:?}: {error}");
    }
    drop(server);
    newer.close();
    drop(newer);
    let target = folder.path().join("copy");
    let to = format!("sqlite:{}", target.display());
    let copy = ["copy", "--from", &database.url(), "--to", &to, "--config"];
    let (code, _, error) = ended(countersign(&copy).arg(&config));
    assert_eq!((code, error.lines().count()), (1, 1), "{error}");
    assert!(error.contains("by a newer version (migration 2); run that version"), "{error}");
    assert!(!target.join("countersign.db").exists());
}

#[test]
fn fault_21_a_migration_that_an_older_node_could_not_work_beside_waits_until_it_is_gone() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::create());
    let config = configured(folder.path(), "one", &database.url(), "");
    ask(&config, &["environment", "create", "shop"]);
    let made = ask(&config, &["api-key", "create"]);
    let key = made["key"].as_str().unwrap();
    let mut server = Server::serve(&config);
    round(&server, key);

    let line = next(&database, BREAKING).err().unwrap().to_string();
    assert!(line.contains("migration 2") && line.contains("stop them all") && !line.contains('\n'), "{line}");
    database.sql("SELECT label_user FROM factor");
    round(&server, key);

    server.signal(Signal::TERM);
    assert_eq!(server.end(), Some(0));
    next(&database, BREAKING).unwrap().close();
    let (code, out, error) = ended_soon(countersign(&["serve", "--config"]).arg(&config));
    assert_eq!((code, out.as_str(), error.lines().count()), (1, "", 1), "{error}");
    assert!(error.contains("by a newer version (migration 2); run that version"), "{error}");
    database.sql(
        "DO $$ BEGIN ASSERT (SELECT string_agg(version || ':' || works_with, ' ' ORDER BY version)
        FROM migration) = '1:1 2:2'; END $$",
    );
}

/// A node that has lost its connections is no obstacle, so it must look again when it is back.
#[test]
fn fault_21_a_node_that_was_cut_off_meanwhile_serves_nothing_on_a_schema_that_it_cannot_work_on() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::create());
    let config = configured(folder.path(), "one", &database.url(), "");
    ask(&config, &["environment", "create", "shop"]);
    let made = ask(&config, &["api-key", "create"]);
    let key = made["key"].as_str().unwrap();
    let server = Server::serve(&config);
    round(&server, key);

    server.signal(Signal::STOP);
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    next(&database, BREAKING).unwrap().close();
    server.signal(Signal::CONT);
    until("a refusal", || server.call("GET", "/readyz", "", "").0 == 503);
    let (status, body) = server.call("POST", "/auth/factors/enroll", key, r#"{"type":"totp"}"#);
    assert_eq!(status, 503, "{body}");
    assert_eq!(server.call("GET", "/healthz", "", "").0, 200);
    until("its reason", || {
        server.said().contains("works beside none of before migration 2; run that version")
    });
}
