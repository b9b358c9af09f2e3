//! What providers report, and how a challenge is told with it.

use crate::laws::common::{House, noon, number};
use crate::store::{
    columns::Param,
    queries::FindChallenge,
    steps::{
        claim_deliveries::{ClaimDeliveries, SettleAbandoned},
        delete_factor::DeleteFactor,
        note_receipt::{About, NoteReceipt, Noted},
        settle_delivery::SettleDelivery,
    },
};
use domain::{
    delivery::{Delivery, DispatchOutcome},
    dispatch::{Dispatch, Dispatches, Ended},
    event::WrongReason,
    id::{ChallengeId, DeliveryId},
    receipt::Stage,
    time::Timestamp,
    timeline::{ChallengeRecord, State},
};
use secrets::Submitted;

async fn sent(house: &House) -> (ChallengeId, Delivery) {
    let phone = house.phone(&number(1)).await;
    let (challenge, opened) = house.try_open(phone, noon()).await.unwrap();
    let step = ClaimDeliveries { now: noon(), only: opened.delivery, most: 1, ring: house.ring.clone() };
    (challenge, house.store.step(step).await.unwrap().remove(0))
}

async fn settle(house: &House, delivery: &Delivery, outcome: DispatchOutcome, message: Option<&str>) {
    let mut dispatches = Dispatches::default();
    let (provider, cause) = ("one".to_owned(), String::new());
    dispatches.push(Dispatch { at: noon(), took_ms: 20, provider, ended: Ended::Accepted, cause });
    let step = SettleDelivery {
        now: noon(),
        environment: delivery.environment,
        delivery: delivery.id,
        to: delivery.to.clone(),
        outcome,
        provider: outcome.keeps_challenge().then(|| "one".to_owned()),
        message_id: message.map(str::to_owned),
        dispatches,
        ring: house.ring.clone(),
    };
    house.store.step(step).await.unwrap();
}

async fn report(house: &House, provider: &str, about: About, stage: Stage) -> Noted {
    let step = NoteReceipt {
        now: noon().plus_seconds(4),
        provider: provider.into(),
        about,
        message_id: Some("m-reported".into()),
        stage,
        reason: "the phone is off".into(),
    };
    house.store.step(step).await.unwrap()
}

async fn found(house: &House, challenge: ChallengeId) -> Option<ChallengeRecord> {
    house.store.query(FindChallenge { scope: house.scope(), challenge }).await.unwrap()
}

#[tokio::test]
async fn a_receipt_is_noted_once_in_any_order_before_and_after_the_dispatch_is_settled() {
    let house = House::new().await;
    let (challenge, delivery) = sent(&house).await;
    let ours = || About::Ours(delivery.id);
    // Before: the provider was quicker than its own answer.
    assert_eq!(report(&house, "one", ours(), Stage::Delivered).await, Noted::New(delivery.id));
    assert_eq!(report(&house, "one", ours(), Stage::Delivered).await, Noted::Repeated);
    let early = found(&house, challenge).await.unwrap();
    assert_eq!((early.deliveries[0].state(), early.deliveries[0].outcome), ("delivered", None));
    settle(&house, &delivery, DispatchOutcome::Accepted, None).await;
    assert_eq!(report(&house, "one", ours(), Stage::Sent).await, Noted::New(delivery.id));
    assert_eq!(report(&house, "one", ours(), Stage::Sent).await, Noted::Repeated);
    let record = found(&house, challenge).await.unwrap();
    let kept = &record.deliveries[0];
    assert_eq!(kept.state(), "delivered", "what came late takes nothing back");
    assert_eq!((kept.provider.as_deref(), kept.message_id.as_deref()), (Some("one"), Some("m-reported")));
    assert_eq!(kept.outcome, Some((DispatchOutcome::Accepted, Some(noon()))));
    assert_eq!((kept.dispatches.kept().len(), kept.receipts.iter().count()), (1, 2));
    assert_eq!(record.state(noon()), State::Open);
    // It holds neither number nor code, and survives a restart.
    let house = house.reopened().await;
    assert_eq!(found(&house, challenge).await, Some(record.clone()));
    let printed = format!("{record:?}");
    assert!(
        !printed.contains(delivery.code.reveal()) && !printed.contains(delivery.to.reveal()),
        "{printed}"
    );
}

#[tokio::test]
async fn a_receipt_of_what_is_not_known_or_of_anothers_message_changes_nothing() {
    let house = House::new().await;
    let (_, delivery) = sent(&house).await;
    let theirs = |id: &str| About::Theirs(id.to_owned());
    assert_eq!(report(&house, "one", theirs("m1"), Stage::Sent).await, Noted::Unknown, "not settled yet");
    settle(&house, &delivery, DispatchOutcome::Accepted, Some("m1")).await;
    let rows = "SELECT count(*) FROM delivery WHERE receipts IS NOT NULL";
    for (provider, about) in [
        ("one", About::Ours(DeliveryId::from_bytes([9; 16]))),
        ("one", theirs("m2")),
        ("two", theirs("m1")),
        ("two", About::Ours(delivery.id)),
    ] {
        assert_eq!(report(&house, provider, about, Stage::Delivered).await, Noted::Unknown);
        assert_eq!(house.count(rows).await, 0);
    }
    assert_eq!(report(&house, "one", theirs("m1"), Stage::Undelivered).await, Noted::New(delivery.id));
    assert_eq!(house.count("SELECT count(*) FROM delivery WHERE message_id = 'm1'").await, 1);
}

#[tokio::test]
async fn what_a_dead_node_left_is_told_as_unknown_and_a_receipt_says_who_had_it() {
    let house = House::new().await;
    let (challenge, delivery) = sent(&house).await;
    let now = noon().plus_seconds(60);
    house.store.step(SettleAbandoned { now, most: 10 }).await.unwrap();
    assert_eq!(
        report(&house, "two", About::Ours(delivery.id), Stage::Delivered).await,
        Noted::New(delivery.id)
    );
    let record = found(&house, challenge).await.unwrap();
    assert_eq!(record.deliveries[0].outcome, Some((DispatchOutcome::Unknown, Some(now))));
    assert_eq!(record.deliveries[0].provider.as_deref(), Some("two"));
}

#[tokio::test]
async fn a_withdrawn_challenge_is_told_of_by_its_message_and_one_of_a_deleted_factor_is_not() {
    let house = House::new().await;
    let (challenge, delivery) = sent(&house).await;
    settle(&house, &delivery, DispatchOutcome::NotSent, None).await;
    let record = found(&house, challenge).await.unwrap();
    assert_eq!(record.state(noon()), State::Withdrawn);
    assert_eq!(record.challenge.expires_at, noon().plus_seconds(600));
    let step = DeleteFactor {
        scope: house.scope(),
        actor: crate::laws::common::operator(),
        now: noon(),
        factor: record.factor,
        reason: None,
    };
    house.store.step(step).await.unwrap().unwrap();
    assert_eq!(found(&house, challenge).await, None);
}

#[tokio::test]
async fn i9_a_wrong_attempt_is_kept_with_its_challenge_and_a_right_code_at_once_writes_none() {
    let house = House::new().await;
    let (challenge, delivery) = sent(&house).await;
    let other = if delivery.code.reveal() == "000000" { "000001" } else { "000000" };
    for (n, (code, told)) in
        [(other, "FALSE"), ("12", "FALSE"), (delivery.code.reveal(), "TRUE")].into_iter().enumerate()
    {
        let now = noon().plus_seconds(u32::try_from(n).unwrap());
        assert_eq!(house.told(challenge, Submitted::parse(code), now).await, told);
    }
    let record = found(&house, challenge).await.unwrap();
    let wrong: Vec<_> = record.challenge.wrong.iter().map(|w| (w.at, w.reason)).collect();
    assert_eq!(wrong, [(noon(), WrongReason::Mismatch), (noon().plus_seconds(1), WrongReason::Malformed)]);
    assert_eq!(record.state(noon()), State::Verified);
    let bytes = house.count("SELECT length(wrong_attempts) FROM challenge").await;
    assert_eq!(bytes, 22, "when and why, and nothing of the code");

    let fresh = House::new().await;
    let (challenge, delivery) = sent(&fresh).await;
    let code = Submitted::parse(delivery.code.reveal());
    assert_eq!(fresh.told(challenge, code, noon()).await, "TRUE");
    assert_eq!(fresh.count("SELECT count(*) FROM challenge WHERE wrong_attempts IS NULL").await, 1);
    // What cannot be read is a failure, not a gap.
    fresh.edit("UPDATE challenge SET wrong_attempts = $1", &[Param::Bytes(&[1])]).await;
    assert!(fresh.store.query(FindChallenge { scope: fresh.scope(), challenge }).await.is_err());
}

#[tokio::test]
async fn i12_a_challenge_of_another_environment_is_not_found() {
    let house = House::new().await;
    let (challenge, _) = sent(&house).await;
    let scope = house.foreign_scope();
    assert_eq!(house.store.query(FindChallenge { scope, challenge }).await.unwrap(), None);
    let gone = Timestamp::from_millis(0);
    assert!(found(&house, challenge).await.unwrap().challenge.expires_at > gone);
}
