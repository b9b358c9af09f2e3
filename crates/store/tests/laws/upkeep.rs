//! Upkeep while the store is served: purges, rotation of the key ring.

use crate::laws::common::{House, entropy, noon, number, operator};
use crate::store::{
    queries::ReadDataKeys,
    steps::{
        claim_deliveries::ClaimDeliveries,
        data_keys::{AddDataKey, Reseal, Resealed, RetireDataKeys},
        purge::{PurgeFinished, PurgeUnverified},
    },
};
use secrets::{KeyRing, SystemEntropy};

#[tokio::test]
async fn w8_a_purge_takes_what_is_old_in_bites_and_nothing_else() {
    let house = House::new().await;
    let late = noon().plus_seconds(200_000);
    let factor = house.totp(None).await;
    for _ in 0..5 {
        house.challenge(factor.id).await;
    }
    let phone = house.phone(&number(1)).await;
    let (_, owed) = house.try_open(phone, noon()).await.unwrap();
    let young = house.try_open(factor.id, late).await.unwrap().0;
    let purge = |most, challenges_from| PurgeFinished {
        challenges_from,
        challenges_before: noon().plus_seconds(100_000),
        answers_before: noon().plus_seconds(100_000),
        deliveries_before: noon().plus_seconds(100_000),
        most,
    };
    // Each bite begins where the one before ended; one that begins at the oldest again finds nothing more.
    let mut from = [0; 16];
    for gone in [2, 2, 2, 0] {
        let purged = house.store.step(purge(2, from)).await.unwrap();
        assert_eq!(purged.rows, gone);
        assert!(purged.challenges_from >= from);
        from = purged.challenges_from;
    }
    assert!(from <= *young.bytes());
    assert_eq!(house.store.step(purge(2, [0; 16])).await.unwrap().rows, 0);
    assert_eq!(house.told(young, factor.code(late), late).await, "TRUE");

    // The message that is still owed was kept, however old.
    let claim = ClaimDeliveries { now: noon(), only: owed.delivery, most: 1, ring: house.ring.clone() };
    assert_eq!(house.store.step(claim).await.unwrap().len(), 1);
}

#[tokio::test]
async fn w8_only_old_factors_that_were_never_verified_are_purged_with_an_entry_each() {
    let house = House::new().await;
    let verified = house.totp(Some("ada")).await;
    let challenge = house.challenge(verified.id).await;
    assert_eq!(house.told(challenge, verified.code(noon()), noon()).await, "TRUE");
    for _ in 0..3 {
        house.totp(Some("ada")).await;
    }
    let young = house.generic(noon().plus_seconds(1_000)).await;
    let mut after = [0; 16];
    let mut bites = 0;
    loop {
        let step = PurgeUnverified {
            scope: house.scope(),
            now: noon().plus_seconds(2_000),
            after,
            before: noon().plus_seconds(500),
            most: 2,
        };
        let Some(last) = house.store.step(step).await.unwrap() else { break };
        (after, bites) = (last, bites + 1);
    }
    assert_eq!(bites, 2);
    let left = house.bytes("SELECT id FROM factor ORDER BY id").await;
    assert_eq!(left, [verified.id.bytes().to_vec(), young.bytes().to_vec()]);
    let (entries, broken_at) = house.trail().await;
    assert_eq!(broken_at, None);
    assert_eq!(entries.iter().filter(|e| e.kind == "factor.purged").count(), 3);
}

/// ASVS 13.3.4: after a rotation nothing needs the old key, and what it had sealed still verifies.
#[tokio::test]
async fn asvs_13_3_4_resealing_moves_every_row_to_the_new_key_and_the_old_one_can_go() {
    let house = House::new().await;
    let mut factors = Vec::new();
    for _ in 0..10 {
        factors.push(house.totp(None).await);
    }
    let phone = house.phone(&number(1)).await;
    let (sms, opened) = house.try_open(phone, noon()).await.unwrap();
    let old = house.ring.active_seal_key().0;
    let (ring, key) = house.ring.with_new_seal_key(&SystemEntropy, &house.master, noon().millis()).unwrap();
    let new = key.id;
    house.store.step(AddDataKey { now: noon(), actor: operator(), key }).await.unwrap();
    for (what, rows) in [(Resealed::Factors, 11), (Resealed::Deliveries, 1)] {
        for changed in [rows, 0] {
            let (mut after, mut total) = ([0; 16], 0);
            loop {
                let (ring, entropy) = (ring.clone(), entropy());
                let bite = house.store.step(Reseal { what, after, most: 3, ring, entropy }).await.unwrap();
                total += bite.changed;
                let Some(last) = bite.last else { break };
                after = last;
            }
            assert_eq!(total, changed, "{what:?}");
        }
    }
    for table in ["factor", "delivery"] {
        for sealed in house.bytes(&format!("SELECT sealed FROM {table} WHERE sealed IS NOT NULL")).await {
            assert_eq!(sealed[1..5], new.to_be_bytes(), "{table}");
        }
        assert!(house.count(&format!("SELECT count(sealed) FROM {table}")).await > 0, "{table}");
    }
    house.store.step(RetireDataKeys { ids: vec![old] }).await.unwrap();
    let mut keys = house.store.query(ReadDataKeys).await.unwrap();
    assert!(keys.iter().any(|k| k.id == old && k.retired));
    keys.retain(|k| k.id != old);
    let ring = KeyRing::open(&house.master, &keys).unwrap();
    for factor in &factors {
        let challenge = house.challenge(factor.id).await;
        let mut step = house.answering(challenge, factor.code(noon()), noon());
        step.ring = ring.clone();
        assert_eq!(crate::laws::common::word(&house.store.step(step).await), "TRUE");
    }
    let claim = ClaimDeliveries { now: noon(), only: opened.delivery, most: 1, ring: ring.clone() };
    let claimed = house.store.step(claim).await.unwrap();
    let submitted = secrets::Submitted::parse(claimed[0].code.reveal());
    let mut step = house.answering(sms, submitted, noon());
    step.ring = ring;
    assert_eq!(crate::laws::common::word(&house.store.step(step).await), "TRUE");
}
