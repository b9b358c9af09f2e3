//! Many at once: one acceptance, and no more comparisons than the budgets allow (I1 to I5).

use crate::laws::common::{House, Totp, noon, word};
use domain::id::ChallengeId;
use secrets::Submitted;
use std::{collections::BTreeMap, sync::Arc};
use tokio::task::JoinSet;

/// Hands in all at once, at most 200 at a time, and counts the answers by their word.
async fn all_at_once(
    house: &Arc<House>,
    answers: impl IntoIterator<Item = (ChallengeId, Submitted)>,
) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    let mut running = JoinSet::new();
    for (challenge, submitted) in answers {
        let step = house.answering(challenge, submitted, noon());
        let store = house.store.clone();
        running.spawn(async move { word(&store.step(step).await) });
        if running.len() >= 200 {
            *counts.entry(running.join_next().await.unwrap().unwrap()).or_default() += 1;
        }
    }
    while let Some(told) = running.join_next().await {
        *counts.entry(told.unwrap()).or_default() += 1;
    }
    counts
}

fn right(factor: &Totp) -> Submitted {
    factor.code(noon())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f06_64_right_answers_to_one_challenge_are_one_acceptance() {
    let house = House::new().await;
    let factor = house.totp(None).await;
    let challenge = house.challenge(factor.id).await;
    let told = all_at_once(&house, (0..64).map(|_| (challenge, right(&factor)))).await;
    assert_eq!(told, BTreeMap::from([("TRUE", 1), ("VERIFIED", 63)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f06_one_right_code_on_ten_open_challenges_is_right_once() {
    let house = House::new().await;
    let factor = house.totp(None).await;
    let mut challenges = Vec::new();
    for _ in 0..10 {
        challenges.push(house.challenge(factor.id).await);
    }
    let told = all_at_once(&house, challenges.into_iter().map(|c| (c, right(&factor)))).await;
    assert_eq!(told, BTreeMap::from([("FALSE", 9), ("TRUE", 1)]));
    assert_eq!(house.count("SELECT wrong_in_a_row FROM factor_guard").await, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f16_64_wrong_answers_to_one_challenge_are_five_attempts() {
    let house = House::new().await;
    let factor = house.totp(None).await;
    let challenge = house.challenge(factor.id).await;
    let told = all_at_once(&house, (0..64).map(|_| (challenge, factor.wrong(noon())))).await;
    assert_eq!(told, BTreeMap::from([("FALSE", 5), ("SPENT", 59)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f15_a_thousand_challenges_and_five_thousand_wrong_answers_are_ten_comparisons() {
    let house = House::new().await;
    let factor = house.totp(Some("ada")).await;
    let mut opening = JoinSet::new();
    for _ in 0..1_000 {
        let step = house.opening(house.scope(), factor.id, noon());
        let (id, store) = (step.id, house.store.clone());
        opening.spawn(async move { store.step(step).await.unwrap().map(|_| id).unwrap() });
        if opening.len() >= 200 {
            opening.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(opened) = opening.join_next().await {
        opened.unwrap();
    }
    let challenges = house.bytes("SELECT id FROM challenge").await.into_iter();
    let challenges: Vec<ChallengeId> =
        challenges.map(|id| ChallengeId::from_bytes(id.try_into().unwrap())).collect();
    assert_eq!(challenges.len(), 1_000);
    let answers = (0..5_000).map(|n| (challenges[n % 1_000], factor.wrong(noon())));
    let told = all_at_once(&house, answers).await;
    assert_eq!(told.get("FALSE"), Some(&10), "{told:?}");
    assert_eq!(told.get("TRUE"), None);
    assert_eq!(told.values().sum::<usize>(), 5_000);
    assert!(told.keys().all(|w| ["FALSE", "EXPIRED", "SPENT", "LOCKED"].contains(w)), "{told:?}");
    // The right code, on a new challenge.
    let challenge = house.challenge(factor.id).await;
    assert_eq!(house.told(challenge, right(&factor), noon()).await, "LOCKED");
    let (entries, _) = house.trail().await;
    assert_eq!(entries.iter().filter(|e| e.kind == "factor.locked").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f16_ten_factors_of_one_user_are_twenty_comparisons() {
    let house = House::new().await;
    let mut answers = Vec::new();
    let mut factors = Vec::new();
    for _ in 0..10 {
        let factor = house.totp(Some("ada")).await;
        for _ in 0..2 {
            let challenge = house.challenge(factor.id).await;
            answers.extend((0..5).map(|_| (challenge, factor.wrong(noon()))));
        }
        factors.push(factor);
    }
    let told = all_at_once(&house, answers).await;
    assert_eq!(told.get("FALSE"), Some(&20), "{told:?}");
    for factor in &factors {
        let challenge = house.challenge(factor.id).await;
        assert_eq!(house.told(challenge, right(factor), noon()).await, "LOCKED");
    }
    // Another user is not concerned.
    let other = house.totp(Some("bob")).await;
    let challenge = house.challenge(other.id).await;
    assert_eq!(house.told(challenge, right(&other), noon()).await, "TRUE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn i3_the_count_outlives_a_restart() {
    let mut house = House::new().await;
    let factor = house.totp(None).await;
    for _ in 0..10 {
        let challenge = house.challenge(factor.id).await;
        assert_eq!(house.told(challenge, factor.wrong(noon()), noon()).await, "FALSE");
        house = house.reopened().await;
    }
    let challenge = house.challenge(factor.id).await;
    assert_eq!(house.told(challenge, right(&factor), noon()).await, "LOCKED");
    let later = noon().plus_seconds(30);
    assert_eq!(house.told(challenge, factor.code(later), later).await, "TRUE");
    let again = house.challenge(factor.id).await;
    let house = house.reopened().await;
    assert_eq!(house.told(again, factor.code(later), later).await, "FALSE", "a used step stays used");
}
