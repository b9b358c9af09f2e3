//! What other nodes hold in memory is announced to them by the commit that changes it.

use crate::laws::common::{House, noon, operator};
use crate::nodes::another;
use crate::store::{
    Store,
    steps::{environments::ChangeSetting, touch::Touch},
};
use domain::environment::Scope;
use std::time::Duration;
use tokio::time::timeout;

fn change(house: &House, value: &str) -> ChangeSetting {
    ChangeSetting {
        now: noon(),
        actor: operator(),
        scope: Scope::of_operator(&house.ours),
        name: "factor_lock_after",
        value: Some(value.to_owned()),
    }
}

/// Whether it is told of a change within so many milliseconds.
async fn told(node: &Store, millis: u64) -> bool {
    timeout(Duration::from_millis(millis), node.changed()).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_told_to_every_node_and_a_verification_to_none() {
    let house = House::new().await;
    let other = another(&house).await;
    for node in [&house.store, &other] {
        assert!(told(node, 5_000).await, "once it listens: something may have been missed");
        while told(node, 300).await {}
    }
    house.store.step(change(&house, "7")).await.unwrap();
    for node in [&house.store, &other] {
        assert!(told(node, 5_000).await);
        assert!(!told(node, 300).await, "once");
    }
    let factor = house.totp(None).await;
    let challenge = house.challenge(factor.id).await;
    assert_eq!(house.told(challenge, factor.code(noon()), noon()).await, "TRUE");
    house.store.step(Touch { now: noon() }).await.unwrap();
    assert!(!told(&other, 300).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_made_anew_and_what_was_missed_is_looked_for() {
    let house = House::new().await;
    let other = another(&house).await;
    assert!(told(&other, 5_000).await);
    while told(&other, 300).await {}
    let listening = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    assert_eq!(house.bench.count(&format!("SELECT count(*) {listening}")).await, 2);
    house.bench.count(&format!("SELECT count(pg_terminate_backend(pid)) {listening}")).await;
    house.store.step(change(&house, "8")).await.unwrap();
    assert!(told(&other, 5_000).await);
    while told(&other, 300).await {}
    house.store.step(change(&house, "9")).await.unwrap();
    assert!(told(&other, 5_000).await);
    for node in [house.store.clone(), other] {
        node.close();
    }
    let mut left = 2;
    for _ in 0..50 {
        left = house.bench.count(&format!("SELECT count(*) {listening}")).await;
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(left, 0, "a node that is closed listens no more");
}
