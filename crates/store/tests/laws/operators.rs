//! What operators do, step by step: settings, API keys, the master key; and the latest time the store has seen.

use crate::laws::common::{House, noon, operator};
use crate::store::{
    queries::{LatestTime, ReadDataKeys, ReadDirectory},
    steps::{
        api_keys::{CreateApiKey, RevokeApiKey, UseApiKeys},
        data_keys::RewrapDataKeys,
        environments::ChangeSetting,
    },
};
use domain::{
    environment::{ApiKey, Permissions, Scope},
    id::ApiKeyId,
    time::Timestamp,
};
use secrets::{ApiKeyText, KeyMode, KeyRing, MasterKey, SystemEntropy};

/// Kind, actor, environment and detail of the newest entry, and how many there are.
async fn newest(house: &House) -> (String, Option<[u8; 16]>, Option<String>, usize) {
    let (entries, broken_at) = house.trail().await;
    assert_eq!(broken_at, None);
    let last = entries.last().unwrap();
    assert_eq!(last.actor, "operator:ada");
    (last.kind.clone(), last.environment, last.detail.clone(), entries.len())
}

#[tokio::test]
async fn a_setting_is_changed_in_its_environment_and_goes_back_to_its_default() {
    let house = House::new().await;
    let change = |scope: Scope, value: Option<&str>| ChangeSetting {
        now: noon(),
        actor: operator(),
        scope,
        name: "factor_lock_after",
        value: value.map(str::to_owned),
    };
    let settings = async || {
        let all = house.store.query(ReadDirectory).await.unwrap().environments;
        all.iter().map(|e| e.settings.get("factor_lock_after").unwrap()).collect::<Vec<_>>()
    };
    let ours = Some(*house.ours.id.bytes());
    for (value, both, shown) in [
        (Some("5"), ["5", "10"], "5"),
        (Some("7"), ["7", "10"], "7"),
        (None, ["10", "10"], "default"),
        (None, ["10", "10"], "default"),
    ] {
        let before = newest(&house).await.3;
        house.store.step(change(house.scope(), value)).await.unwrap();
        assert_eq!(settings().await, both);
        let (kind, environment, detail, entries) = newest(&house).await;
        assert_eq!((kind.as_str(), environment, entries), ("setting.changed", ours, before + 1));
        let detail = detail.unwrap();
        assert!(detail.contains("factor_lock_after") && detail.contains(shown), "{detail}");
    }
    house.store.step(change(house.foreign_scope(), Some("8"))).await.unwrap();
    assert_eq!(settings().await, ["10", "8"]);
    assert_eq!(house.count("SELECT count(*) FROM setting").await, 1, "a default is not kept");
}

async fn made(house: &House, at: Timestamp) -> ApiKeyId {
    let key = ApiKeyText::generate(&SystemEntropy, KeyMode::Test).unwrap();
    let step = CreateApiKey {
        now: at,
        actor: operator(),
        id: ApiKeyId::from_bytes(house.mint(at)),
        environment: house.ours.id,
        name: "checkout".into(),
        hint: "sk_test_…abcd".into(),
        digest: key.digest(&house.ring),
        permissions: Permissions::FULL,
        expires_at: None,
    };
    let id = step.id;
    assert!(house.store.step(step).await.unwrap());
    id
}

async fn keys(house: &House) -> Vec<ApiKey> {
    house.store.query(ReadDirectory).await.unwrap().keys.into_iter().map(|row| row.key).collect()
}

#[tokio::test]
async fn i12_a_key_is_revoked_once_and_by_its_own_environment_only() {
    let house = House::new().await;
    let (id, other) = (made(&house, noon()).await, made(&house, noon()).await);
    let revoke = |environment, now| RevokeApiKey {
        now,
        actor: operator(),
        id,
        environment,
        hint: "sk_test_…abcd".into(),
    };
    let before = newest(&house).await.3;
    assert!(!house.store.step(revoke(house.theirs.id, noon())).await.unwrap());
    assert_eq!(newest(&house).await.3, before, "what was not done is not recorded");
    assert!(keys(&house).await.iter().all(|key| key.is_accepted(noon())));

    let later = noon().plus_seconds(1);
    assert!(house.store.step(revoke(house.ours.id, later)).await.unwrap());
    let (kind, environment, detail, entries) = newest(&house).await;
    assert_eq!((kind.as_str(), environment), ("api_key.revoked", Some(*house.ours.id.bytes())));
    assert!(detail.unwrap().contains("sk_test_…abcd"));
    assert!(!house.store.step(revoke(house.ours.id, later.plus_seconds(9))).await.unwrap(), "only once");
    assert_eq!(newest(&house).await.3, entries);
    for key in keys(&house).await {
        assert_eq!(key.revoked_at, (key.id == id).then_some(later));
        assert_eq!(key.is_accepted(later), key.id == other);
    }
}

#[tokio::test]
async fn the_last_use_of_a_key_only_moves_on_and_leaves_no_entry() {
    let house = House::new().await;
    let (a, b) = (made(&house, noon()).await, made(&house, noon()).await);
    let entries = newest(&house).await.3;
    let minute = |n: u32| noon().plus_seconds(60 * n);
    for (used, told) in [
        (vec![(a, minute(2))], [Some(minute(2)), None]),
        (vec![(a, minute(1)), (b, minute(1))], [Some(minute(2)), Some(minute(1))]),
        (vec![(b, minute(3)), (b, minute(2))], [Some(minute(2)), Some(minute(3))]),
        (vec![], [Some(minute(2)), Some(minute(3))]),
    ] {
        house.store.step(UseApiKeys { used }).await.unwrap();
        let last: Vec<_> = keys(&house).await.iter().map(|key| key.last_used_at).collect();
        assert_eq!(last, told);
    }
    assert_eq!(newest(&house).await.3, entries);
}

#[tokio::test]
async fn every_data_key_is_wrapped_anew_or_none_is() {
    let house = House::new().await;
    let factor = house.totp(None).await;
    let challenge = house.challenge(factor.id).await;
    let records = house.store.query(ReadDataKeys).await.unwrap();
    let master = MasterKey::generate(&SystemEntropy).unwrap();
    let keys = KeyRing::rewrap(&records, &house.master, &master, &SystemEntropy).unwrap();

    // One that is not there: nothing of the step stays.
    let mut strange = keys.clone();
    strange.last_mut().unwrap().id = 99;
    let before = newest(&house).await.3;
    let step = |keys| RewrapDataKeys { now: noon(), actor: operator(), keys };
    house.store.step(step(strange)).await.unwrap_err();
    assert_eq!(newest(&house).await.3, before);
    assert!(KeyRing::open(&house.master, &house.store.query(ReadDataKeys).await.unwrap()).is_ok());

    house.store.step(step(keys)).await.unwrap();
    let (kind, environment, _, entries) = newest(&house).await;
    assert_eq!((kind.as_str(), environment, entries), ("keys.rewrapped", None, before + 1));
    let stored = house.store.query(ReadDataKeys).await.unwrap();
    assert_eq!(stored.len(), records.len());
    assert!(KeyRing::open(&house.master, &stored).is_err(), "the old master key opens nothing");
    // The keys are the same: what was sealed and what was digested before is read as before.
    let ring = KeyRing::open(&master, &stored).unwrap();
    let mut answering = house.answering(challenge, factor.code(noon()), noon());
    answering.ring = ring;
    assert_eq!(crate::laws::common::word(&house.store.step(answering).await), "TRUE");
}

#[tokio::test]
async fn fault_12_the_latest_time_is_that_of_the_newest_entry_factor_or_challenge() {
    let house = House::new().await;
    let latest = async || house.store.query(LatestTime).await.unwrap();
    assert_eq!(latest().await, noon(), "of the environments' entries");
    // A challenge is no entry, and counts.
    let factor = house.generic(noon()).await;
    let later = noon().plus_seconds(100);
    let (challenge, opened) = house.try_open(factor, later).await.unwrap();
    assert_eq!(latest().await, later);
    // An entry later than everything else.
    let latest_of_all = later.plus_seconds(7);
    let submitted = secrets::Submitted::WellFormed(opened.code.unwrap());
    assert_eq!(house.told(challenge, submitted, latest_of_all).await, "TRUE");
    assert_eq!(latest().await, latest_of_all);
    // A factor whose entry is gone: its id still tells.
    let enrolled = latest_of_all.plus_seconds(50);
    house.generic(enrolled).await;
    house.edit("DELETE FROM event", &[]).await;
    assert_eq!(latest().await, enrolled);
    // It outlives a restart.
    assert_eq!(house.reopened().await.store.query(LatestTime).await.unwrap(), enrolled);
}
