//! A COMMIT that PostgreSQL confirms although it is not as durable as it was told to make it.

use crate::laws::common::noon;
use crate::store::{Failure, Store, postgres::Options, steps::touch::Touch};
use std::{sync::atomic::Ordering::Relaxed, time::Duration};
use testkit::postgres::OwnServer;
use tokio_postgres::NoTls;

/// Cancelled, a COMMIT that waits for its standby is confirmed with a warning: on this machine it is, beyond it not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_a_commit_that_stopped_waiting_for_its_standby_is_not_confirmed() {
    let server = OwnServer::start(&[], &[]);
    let url = server.url("127.0.0.1", "sslmode=disable");
    let node = Store::open_postgres(Options::parse(&url, None).unwrap(), noon()).await.unwrap();
    node.step(Touch { now: noon() }).await.unwrap();
    server.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").unwrap();
    server.sql("SELECT pg_reload_conf()").unwrap();
    let (beside, wire) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(wire);

    let asked = node.clone();
    let step = tokio::spawn(async move { asked.step(Touch { now: noon().plus_seconds(1) }).await });
    let cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let mut cancelled = 0;
    while cancelled == 0 {
        assert!(!step.is_finished(), "it has to wait: {:?}", step.await);
        tokio::time::sleep(Duration::from_millis(20)).await;
        cancelled = beside.query_one(cancel, &[]).await.unwrap().get::<_, i64>(0);
    }
    let told = tokio::time::timeout(Duration::from_secs(3), step).await.expect("no waiting any more");
    let told = told.unwrap();
    assert!(matches!(&told, Err(Failure::Busy(why)) if why.contains("01000")), "{told:?}");
    assert_eq!(node.figures().failed_commits.load(Relaxed), 1);
    // It is there all the same: what has come about is read, not guessed.
    let at = beside.query_one("SELECT at FROM heartbeat", &[]).await.unwrap();
    assert_eq!(at.get::<_, i64>(0), noon().plus_seconds(1).millis());

    server.sql("ALTER SYSTEM RESET synchronous_standby_names").unwrap();
    server.sql("SELECT pg_reload_conf()").unwrap();
    let mut again = node.step(Touch { now: noon() }).await;
    for _ in 0..20 {
        if again.is_ok() {
            break;
        }
        again = node.step(Touch { now: noon() }).await;
    }
    again.unwrap();
}
