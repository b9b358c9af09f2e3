//! A backup of the file while it is served.

use crate::bench::open;
use crate::laws::common::{House, noon};
use crate::store::{
    Store,
    queries::ReadDataKeys,
    sqlite::backup,
    trail::{ChainEnd, ReadTrail},
};
use secrets::KeyRing;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_taken_while_writes_go_on_opens_and_holds_what_was_answered_before_it() {
    let house = House::new().await;
    let factor = house.totp(Some("ada")).await;
    let challenge = house.challenge(factor.id).await;
    let used = house.challenge(factor.id).await;
    assert_eq!(house.told(used, factor.code(noon()), noon()).await, "TRUE");
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (house, stop) = (Arc::clone(&house), Arc::clone(&stop));
        async move {
            while !stop.load(Relaxed) {
                house.generic(noon()).await;
            }
        }
    });
    let count = "SELECT count(*) FROM factor";
    while house.count(count).await < 20 {
        tokio::task::yield_now().await;
    }
    let before = house.count(count).await;
    let copies = tempfile::tempdir().unwrap();
    let target = copies.path().join("countersign.db");
    let (from, to) = (house.bench.path(), target.clone());
    let run = move || backup(&from, &to, &mut |left, all| assert!(left <= all));
    tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    while house.count(count).await <= before {
        tokio::task::yield_now().await;
    }
    stop.store(true, Relaxed);
    writing.await.unwrap();
    let again = backup(&house.bench.path(), &target, &mut |_, _| {}).unwrap_err();
    assert!(again.contains("countersign.db"), "an existing file is not written over: {again}");

    let (_folder, engine) = open(copies.path()).unwrap();
    let copy = Store::Sqlite(engine.clone());
    let rows: i64 = rusqlite::Connection::open(&target).unwrap().query_row(count, [], |r| r.get(0)).unwrap();
    assert!(rows >= before, "{rows} of at least {before}");
    let keys = copy.query(ReadDataKeys).await.unwrap();
    let ring = KeyRing::open(&house.master, &keys).unwrap();
    engine.begin_trail(ring.clone()).unwrap();
    let trail = ReadTrail { after: ChainEnd::default(), limit: 100_000, ring };
    assert_eq!(copy.query(trail).await.unwrap().broken_at, None);
    // I1 over a restored backup: what was used before it stays used.
    let replay = house.answering(challenge, factor.code(noon()), noon());
    assert_eq!(crate::laws::common::word(&copy.step(replay).await), "FALSE");
    let next = noon().plus_seconds(30);
    let right = house.answering(challenge, factor.code(next), next);
    assert_eq!(crate::laws::common::word(&copy.step(right).await), "TRUE");
}
