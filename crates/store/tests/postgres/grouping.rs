//! How many steps share a transaction.

use crate::laws::common::{House, noon, word};
use crate::store::{Store, postgres::Options};
use std::sync::atomic::Ordering::Relaxed;
use tokio::task::JoinSet;

/// Answers 40 challenges of as many factors at once, and tells how many transactions that took.
async fn commits_for_40_answers(house: &House, node: &Store) -> u64 {
    let mut steps = Vec::new();
    for _ in 0..40 {
        let factor = house.totp(None).await;
        let challenge = house.challenge(factor.id).await;
        steps.push(house.answering(challenge, factor.code(noon()), noon()));
    }
    let before = node.figures().commits.load(Relaxed);
    let mut running = JoinSet::new();
    for step in steps {
        let node = node.clone();
        running.spawn(async move { word(&node.step(step).await) });
    }
    while let Some(told) = running.join_next().await {
        assert_eq!(told.unwrap(), "TRUE");
    }
    node.figures().commits.load(Relaxed) - before
}

#[tokio::test]
async fn answers_share_transactions_and_with_batch_1_each_has_its_own() {
    let house = House::new().await;
    let url = house.bench.url();
    let mark = if url.contains('?') { '&' } else { '?' };
    let options = Options::parse(&format!("{url}{mark}batch=1"), None).unwrap();
    let node = Store::open_postgres(options, noon()).await.unwrap();
    node.begin_trail(house.ring.clone()).unwrap();
    assert_eq!(commits_for_40_answers(&house, &node).await, 40);
    assert!(commits_for_40_answers(&house, &house.store).await < 20);
}
