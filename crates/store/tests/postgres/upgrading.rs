//! Two versions on one database: who may migrate beside whom.

use crate::bench::Bench;
use crate::laws::common::noon;
use crate::store::{
    Failure, Store,
    engine::schema::Migration,
    postgres::{MIGRATIONS, OpenError},
    queries::LatestTime,
    steps::{data_keys::RetireDataKeys, replay_floor::RaiseToFloor},
};
use std::time::Duration;

const FIRST: Migration = MIGRATIONS[0];
/// Adds what nobody of before reads.
const ADDS: Migration = Migration {
    version: 2,
    name: "nicknames",
    text: "ALTER TABLE factor ADD COLUMN nickname TEXT; CREATE TABLE nickname (text TEXT NOT NULL PRIMARY KEY)",
    works_with: 1,
};
/// Takes away what those who know the second no longer use.
const TAKES_AWAY: Migration = Migration {
    version: 3,
    name: "one_label",
    text: "ALTER TABLE factor RENAME COLUMN label_user TO label",
    works_with: 2,
};
const TWO: &[Migration] = &[FIRST, ADDS];
const THREE: &[Migration] = &[FIRST, ADDS, TAKES_AWAY];

/// A node that is connected.
async fn node(bench: &Bench, known: &'static [Migration]) -> Result<Store, OpenError> {
    let store = Store::open_postgres(bench.options().knowing(known), noon()).await?;
    store.query(LatestTime).await.unwrap();
    Ok(store)
}

const NUMBER: &str = "SELECT max(version) FROM migration";

#[tokio::test]
async fn fault_21_each_version_is_followed_by_the_next_one_beside_it_and_not_by_the_one_after() {
    let bench = Bench::new();
    let one = node(&bench, MIGRATIONS).await.unwrap();
    let e = node(&bench, THREE).await.err().unwrap();
    assert!(matches!(e, OpenError::OlderNodes(_, 3)), "{e}");
    assert_eq!(bench.count(NUMBER).await, 1, "all or none");

    let two = node(&bench, TWO).await.unwrap();
    one.query(LatestTime).await.unwrap();
    assert!(matches!(node(&bench, THREE).await.err().unwrap(), OpenError::OlderNodes(_, 3)));
    one.close();
    drop(one);
    // Nobody is left to whom the third would matter.
    let three = node(&bench, THREE).await.unwrap();
    assert_eq!(bench.count(NUMBER).await, 3);
    two.query(LatestTime).await.unwrap();
    three.query(LatestTime).await.unwrap();

    let e = node(&bench, MIGRATIONS).await.err().unwrap();
    assert!(matches!(e, OpenError::TooNew(_, 3)), "{e}");
    node(&bench, TWO).await.unwrap();
    for store in [two, three] {
        store.close();
    }
}

/// Whatever comes after the migration in the queue for a table waits as long as it does.
#[tokio::test]
async fn a_migration_that_does_not_get_its_table_gives_up_before_the_nodes_behind_it_do() {
    let bench = Bench::new();
    let old = node(&bench, MIGRATIONS).await.unwrap();
    let holder = bench.direct().await;
    holder.batch_execute("BEGIN; SELECT 1 FROM factor").await.unwrap();
    let options = bench.options().knowing(TWO);
    let migration = tokio::spawn(async move { Store::open_postgres(options, noon()).await.err() });
    tokio::time::sleep(Duration::from_millis(500)).await;
    old.query(LatestTime).await.unwrap();
    let e = tokio::time::timeout(Duration::from_secs(20), migration).await.expect("an end").unwrap().unwrap();
    assert!(matches!(e, OpenError::Held(_, 2)), "{e}");
    assert_eq!(bench.count(NUMBER).await, 1);
    holder.batch_execute("COMMIT").await.unwrap();
    node(&bench, TWO).await.unwrap().close();
    old.close();
}

/// Two newer nodes start at once beside an older one: one of them migrates.
#[tokio::test]
async fn newer_nodes_that_start_at_once_migrate_once() {
    let bench = Bench::new();
    let _old = node(&bench, MIGRATIONS).await.unwrap();
    let starts = (0..4).map(|_| {
        let options = bench.options().knowing(TWO);
        tokio::spawn(async move { Store::open_postgres(options, noon()).await.map(|s| s.close()) })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
    assert_eq!(bench.count("SELECT count(*) FROM migration").await, 2);
}

#[tokio::test]
async fn what_acts_on_the_whole_store_is_left_to_who_knows_all_of_it() {
    let bench = Bench::new();
    let old = node(&bench, MIGRATIONS).await.unwrap();
    let floor = || RaiseToFloor { floor: 1, after: [0; 16], most: 10 };
    old.step(floor()).await.unwrap();
    let new = node(&bench, TWO).await.unwrap();
    let refused = |e: Failure| assert!(e.to_string().contains("a newer version has migrated"), "{e}");
    refused(old.step(floor()).await.unwrap_err());
    refused(old.step(RetireDataKeys { ids: vec![] }).await.unwrap_err());
    for store in [old, new] {
        store.close();
    }
}
