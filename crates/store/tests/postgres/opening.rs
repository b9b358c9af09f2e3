//! Opening: migrations, and every database that must not be opened.

use crate::bench::Bench;
use crate::laws::common::noon;
use crate::store::{
    Store,
    postgres::{OpenError, Options},
};
use std::time::Duration;

async fn attempt(bench: &Bench) -> Result<(), OpenError> {
    Store::open_postgres(bench.options(), noon()).await.map(|store| store.close())
}

async fn refused(bench: &Bench) -> OpenError {
    let e = attempt(bench).await.unwrap_err();
    let line = e.to_string();
    assert!(line.contains("/test_") && !line.contains('\n'), "{line}");
    e
}

#[tokio::test]
async fn a_fresh_database_is_migrated_once_however_many_nodes_start_at_once() {
    let bench = Bench::new();
    let starts = (0..8).map(|_| {
        let options = bench.options();
        tokio::spawn(async move { Store::open_postgres(options, noon()).await.map(|s| s.close()) })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
    let sql = "SELECT count(*) FROM migration WHERE version = 1 AND name = 'foundation'";
    assert_eq!(bench.count(sql).await, 1);
}

#[tokio::test]
async fn fault_21_an_altered_migration_and_a_newer_schema_are_refused_and_left_as_they_are() {
    let bench = Bench::new();
    attempt(&bench).await.unwrap();
    bench.edit("UPDATE migration SET checksum = checksum + 1 WHERE version = 1", &[]).await;
    assert!(matches!(refused(&bench).await, OpenError::Altered(_, 1)));
    bench.edit("UPDATE migration SET checksum = checksum - 1 WHERE version = 1", &[]).await;
    bench.edit("INSERT INTO migration VALUES (9999, 'later', 1, 1, 9999)", &[]).await;
    assert!(matches!(refused(&bench).await, OpenError::TooNew(_, 9999)));
    assert_eq!(bench.count("SELECT count(*) FROM migration").await, 2);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    for sql in ["CREATE TABLE factor (title TEXT)", "CREATE TABLE migration (title TEXT)"] {
        let bench = Bench::new();
        bench.edit(sql, &[]).await;
        assert!(matches!(refused(&bench).await, OpenError::Foreign(..)), "{sql}");
        let tables =
            "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        assert_eq!(bench.count(tables).await, 1, "{sql}");
    }
}

#[tokio::test]
async fn who_may_not_create_tables_is_told_so() {
    let bench = Bench::new();
    bench.edit("REVOKE CREATE ON SCHEMA public FROM PUBLIC", &[]).await;
    let role = format!("r{}", std::process::id());
    bench.edit(&format!("CREATE ROLE {role} LOGIN"), &[]).await;
    let options = Options::parse(&bench.url().replace("countersign@", &format!("{role}@")), None).unwrap();
    let e = Store::open_postgres(options, noon()).await.err().unwrap().to_string();
    bench.edit(&format!("DROP ROLE {role}"), &[]).await;
    assert!(e.contains("permission denied") && !e.contains('\n'), "{e}");
}

#[tokio::test]
async fn a_server_that_is_not_there_or_does_not_know_us_is_named() {
    let none = "postgres://ada:geheim@127.0.0.1:1/mfa?connect_timeout=2";
    let e = Store::open_postgres(Options::parse(none, None).unwrap(), noon()).await.err().unwrap();
    let line = e.to_string();
    assert!(line.contains("127.0.0.1:1/mfa") && !line.contains("geheim") && !line.contains('\n'), "{line}");
    let bench = Bench::new();
    let unknown = bench.url().replace("countersign@", "nobody-knows-me@");
    let e = Store::open_postgres(Options::parse(&unknown, None).unwrap(), noon()).await.err().unwrap();
    assert!(e.to_string().contains("nobody-knows-me"), "{e}");
}

/// A server that accepts and then says nothing must not keep the start waiting for ever.
#[tokio::test]
async fn a_server_that_is_silent_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://ada@{}/mfa?connect_timeout=1", silent.local_addr().unwrap());
    let opening = Store::open_postgres(Options::parse(&url, None).unwrap(), noon());
    let e = tokio::time::timeout(Duration::from_secs(20), opening).await.expect("an end").err().unwrap();
    assert!(matches!(e, OpenError::Unreachable(..)), "{e}");
}
