//! Secrets at rest: nothing readable in the files, and nothing that opens in another row (I10, F52).

use crate::laws::common::{House, entropy, noon, number, operator};
use crate::store::{
    Failure, Step, Tx,
    columns::Param,
    remembered::{Answer, Memory, Recalled, Remembering, Rendered},
    steps::{api_keys::CreateApiKey, claim_deliveries::ClaimDeliveries},
};
use domain::{environment::Permissions, id::ApiKeyId};
use secrets::{ApiKeyText, KeyMode, SystemEntropy};
use std::sync::Arc;

/// The sealed values of two factors change places.
async fn swap(house: &House) {
    let ids = house.bytes("SELECT id FROM factor ORDER BY id").await;
    let sealed = house.bytes("SELECT sealed FROM factor ORDER BY id DESC").await;
    for (id, sealed) in ids.iter().zip(&sealed) {
        let params = [Param::Bytes(id), Param::Bytes(sealed)];
        house.edit("UPDATE factor SET sealed = $2 WHERE id = $1", &params).await;
    }
}

#[tokio::test]
async fn nist_3_1_4_2_seeds_of_two_rows_swapped_are_a_failure_and_never_true() {
    let house = House::new().await;
    let (a, b) = (house.totp(None).await, house.totp(None).await);
    let (on_a, on_b) = (house.challenge(a.id).await, house.challenge(b.id).await);
    swap(&house).await;
    for (challenge, factor) in [(on_a, &a), (on_a, &b), (on_b, &a), (on_b, &b)] {
        assert_eq!(house.told(challenge, factor.code(noon()), noon()).await, "INTERNAL");
    }
    assert_eq!(house.count("SELECT sum(attempts_used) FROM challenge").await, 0);
    swap(&house).await;
    assert_eq!(house.told(on_a, a.code(noon()), noon()).await, "TRUE");
}

#[tokio::test]
async fn nist_3_1_4_2_a_sealed_value_that_was_edited_or_moved_to_another_environment_does_not_open() {
    let house = House::new().await;
    let factor = house.totp(None).await;
    let challenge = house.challenge(factor.id).await;
    let sealed = house.bytes("SELECT sealed FROM factor").await.remove(0);
    for at in [0, 1, 4, 5, 28, 29, sealed.len() - 1] {
        let mut edited = sealed.clone();
        edited[at] ^= 1;
        house.edit("UPDATE factor SET sealed = $1", &[Param::Bytes(&edited)]).await;
        assert_eq!(house.told(challenge, factor.code(noon()), noon()).await, "INTERNAL", "byte {at}");
    }
    house.edit("UPDATE factor SET sealed = $1", &[Param::Bytes(&sealed)]).await;
    for table in ["factor", "factor_guard", "challenge"] {
        let edit = format!("UPDATE {table} SET environment_id = $1");
        house.edit(&edit, &[Param::Bytes(house.theirs.id.bytes())]).await;
    }
    let mut moved = house.answering(challenge, factor.code(noon()), noon());
    moved.scope = house.foreign_scope();
    assert_eq!(crate::laws::common::word(&house.store.step(moved).await), "INTERNAL");
}

#[tokio::test]
async fn a_swapped_number_sends_no_code_to_somebody_else() {
    let house = House::new().await;
    let (a, b) = (house.phone(&number(1)).await, house.phone(&number(2)).await);
    swap(&house).await;
    for phone in [a, b] {
        let told = house.store.step(house.opening(house.scope(), phone, noon())).await;
        assert!(matches!(told, Err(Failure::Internal(_))));
    }
    assert_eq!(house.count("SELECT count(*) FROM delivery").await, 0);
}

struct Nothing;

impl Step for Nothing {
    type Out = ();

    async fn run<T: Tx>(&self, _: &mut T) -> Result<(), Failure> {
        Ok(())
    }
}

/// F52: everything secret is put in, then the files are searched as whoever steals them would.
#[tokio::test]
async fn f52_the_files_hold_no_seed_no_number_no_code_no_key_and_no_remembered_body() {
    let house = House::new().await;
    let mut canaries: Vec<(&str, Vec<u8>)> = Vec::new();

    let factor = house.totp(Some("user-canary")).await;
    canaries.push(("seed", factor.seed.as_bytes().to_vec()));
    canaries.push(("seed in Base32", factor.seed.to_base32().as_bytes().to_vec()));
    let challenge = house.challenge(factor.id).await;
    assert_eq!(house.told(challenge, factor.code(noon()), noon()).await, "TRUE");
    if let secrets::Submitted::WellFormed(code) = factor.code(noon()) {
        canaries.push(("TOTP code", code.reveal().as_bytes().to_vec()));
    }

    let (_, opened) = house.try_open(house.generic(noon()).await, noon()).await.unwrap();
    canaries.push(("generic code", opened.code.unwrap().reveal().as_bytes().to_vec()));

    let phone = house.phone(&number(77)).await;
    let (_, opened) = house.try_open(phone, noon()).await.unwrap();
    let claim = ClaimDeliveries { now: noon(), only: opened.delivery, most: 1, ring: house.ring.clone() };
    let delivery = house.store.step(claim).await.unwrap().remove(0);
    canaries.push(("sms code", delivery.code.reveal().as_bytes().to_vec()));
    canaries.push(("sms text", b"verification code is".to_vec()));
    canaries.push(("number", number(77).reveal().trim_start_matches("+1").as_bytes().to_vec()));

    let key = ApiKeyText::generate(&SystemEntropy, KeyMode::Test).unwrap();
    let step = CreateApiKey {
        now: noon(),
        actor: operator(),
        id: ApiKeyId::from_bytes(house.mint(noon())),
        environment: house.ours.id,
        name: "key".into(),
        hint: key.hint(),
        digest: key.digest(&house.ring),
        permissions: Permissions::FULL,
        expires_at: None,
    };
    assert!(house.store.step(step).await.unwrap());
    canaries.push(("API key", key.reveal().as_bytes().to_vec()));
    canaries.push(("master key", house.master.to_text().as_bytes().to_vec()));

    let memory = Memory {
        digest: Arc::new(house.ring.digest("request", &[b"one"])),
        scope: house.scope(),
        ring: house.ring.clone(),
        entropy: entropy(),
        now: noon(),
    };
    let render = |(): &()| Rendered::Final(Answer { status: 201, body: b"body-canary-secret".to_vec() });
    let step = Remembering { step: Nothing, render, memory: Some(memory) };
    assert!(matches!(house.store.step(step).await.unwrap(), Recalled::Fresh(())));
    canaries.push(("remembered body", b"body-canary-secret".to_vec()));

    for round in ["served", "closed"] {
        let mut seen = 0;
        for (place, bytes) in house.bench.everything().await {
            for (what, canary) in &canaries {
                let found = bytes.windows(canary.len()).any(|w| w == canary.as_slice());
                assert!(!found, "{what} is readable in {place} while {round}");
            }
            // What is no secret is found, or this search would find nothing at all.
            seen += usize::from(bytes.windows(11).any(|w| w == b"user-canary"));
        }
        assert!(seen > 0, "{round}");
        house.store.close();
    }
}
