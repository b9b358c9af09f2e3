//! Text messages: limits, and the one time that each is dispatched (W8, W11).

use crate::laws::common::{House, noon, number};
use crate::store::steps::{
    claim_deliveries::{ClaimDeliveries, SettleAbandoned},
    delete_factor::DeleteFactor,
    hold_delivery::{Held, HoldDelivery},
    settle_delivery::SettleDelivery,
};
use crate::store::{Failure, columns::Param};
use domain::{
    delivery::{Delivery, DispatchOutcome},
    dispatch::Dispatches,
    id::{ChallengeId, DeliveryId, FactorId},
    refusal::Refusal,
    time::Timestamp,
};
use secrets::Submitted;

async fn claim(house: &House, only: Option<DeliveryId>, now: Timestamp) -> Vec<Delivery> {
    house.store.step(ClaimDeliveries { now, only, most: 100, ring: house.ring.clone() }).await.unwrap()
}

async fn settle(house: &House, delivery: &Delivery, outcome: DispatchOutcome) {
    settle_by(house, delivery, outcome, "one", noon()).await;
}

async fn settle_by(
    house: &House,
    delivery: &Delivery,
    outcome: DispatchOutcome,
    provider: &str,
    now: Timestamp,
) {
    let step = SettleDelivery {
        now,
        environment: delivery.environment,
        delivery: delivery.id,
        to: delivery.to.clone(),
        outcome,
        provider: outcome.keeps_challenge().then(|| provider.to_owned()),
        message_id: None,
        dispatches: Dispatches::default(),
        ring: house.ring.clone(),
    };
    house.store.step(step).await.unwrap();
}

/// A challenge, and the message that this node has claimed for it.
async fn sent(house: &House, factor: FactorId, now: Timestamp) -> (ChallengeId, Delivery) {
    let (id, opened) = house.try_open(factor, now).await.unwrap();
    let mut claimed = claim(house, opened.delivery, now).await;
    assert_eq!(claimed.len(), 1);
    (id, claimed.remove(0))
}

fn code(delivery: &Delivery) -> Submitted {
    Submitted::parse(delivery.code.reveal())
}

/// How many rows a challenge leaves behind.
async fn traces(house: &House) -> [i64; 4] {
    let mut counts = [0; 4];
    for (count, what) in counts.iter_mut().zip([
        "count(*) FROM challenge",
        "count(*) FROM delivery",
        "count(*) FROM sms_send",
        "sum(length(open_challenges)) FROM factor_guard",
    ]) {
        *count = house.count(&format!("SELECT {what}")).await;
    }
    counts
}

#[tokio::test]
async fn w11_the_sixth_message_in_ten_minutes_and_the_21st_in_a_day_are_refused_and_leave_nothing() {
    let house = House::new().await;
    // Two factors with one number share its limits.
    let phones = [house.phone(&number(1)).await, house.phone(&number(1)).await];
    let mut now = noon();
    for round in 0..4 {
        for n in 0..5 {
            house.try_open(phones[n % 2], now).await.unwrap_or_else(|e| panic!("round {round}: {e:?}"));
        }
        let before = traces(&house).await;
        let refused = house.try_open(phones[0], now).await.err();
        let wait = if round < 3 { 600 } else { 86_400 - 1_800 };
        assert_eq!(refused, Some(Refusal::SmsRateLimited { retry_after: Some(wait) }), "round {round}");
        assert_eq!(traces(&house).await, before, "a refused challenge leaves nothing behind");
        now = now.plus_seconds(600);
    }
    let other = house.phone(&number(2)).await;
    house.try_open(other, now).await.unwrap();
    let day = noon().plus_seconds(86_400);
    let a_moment_before = Timestamp::from_millis(day.millis() - 1);
    let refused = house.try_open(phones[0], a_moment_before).await.err();
    assert_eq!(refused, Some(Refusal::SmsRateLimited { retry_after: Some(1) }));
    house.try_open(phones[0], day).await.unwrap();
}

#[tokio::test]
async fn w11_the_quota_holds_over_all_numbers_of_the_environment() {
    let house = House::new().await;
    for (quota, sent) in [(3, 3), (0, 0)] {
        for n in 0..5 {
            let phone = house.phone(&number(quota * 10 + n)).await;
            let mut step = house.opening(house.scope(), phone, noon());
            step.policy.daily_quota = quota;
            let told = house.store.step(step).await.unwrap();
            let refusal = Refusal::SmsQuotaReached { retry_after: 86_400 };
            assert_eq!(told.err(), (n >= sent).then_some(refusal), "message {n} of quota {quota}");
        }
    }
    assert_eq!(traces(&house).await[..3], [3, 3, 3]);
}

#[tokio::test]
async fn w8_a_locked_or_stopped_factor_sends_nothing() {
    let house = House::new().await;
    let phone = house.phone(&number(1)).await;
    for (wrong, retry_after) in [(10, Some(30)), (100, None)] {
        let until = noon().plus_seconds(30).millis();
        let edit = "UPDATE factor_guard SET wrong_in_a_row = $1, locked_until = $2";
        house.edit(edit, &[Param::Int(wrong), Param::Int(until)]).await;
        let refused = house.try_open(phone, noon()).await.err();
        assert_eq!(refused, Some(Refusal::SmsRateLimited { retry_after }));
        assert_eq!(traces(&house).await, [0, 0, 0, 0]);
    }
}

#[tokio::test]
async fn i8_a_message_is_claimed_once_by_its_own_node_first() {
    let house = House::new().await;
    let phone = house.phone(&number(1)).await;
    let (challenge, opened) = house.try_open(phone, noon()).await.unwrap();
    assert!(claim(&house, None, noon()).await.is_empty(), "for a minute it is for the node that opened it");
    let claimed = claim(&house, opened.delivery, noon()).await;
    assert_eq!(claimed.len(), 1);
    let delivery = &claimed[0];
    assert_eq!(delivery.to, number(1));
    assert_eq!(delivery.challenge, challenge);
    assert!(delivery.body.reveal().contains(delivery.code.reveal()));
    assert!(claim(&house, opened.delivery, noon()).await.is_empty());
    assert!(claim(&house, None, noon().plus_seconds(300)).await.is_empty(), "claimed is claimed, for ever");
    settle(&house, delivery, DispatchOutcome::Accepted).await;
    assert_eq!(
        house.count("SELECT count(*) FROM delivery WHERE sealed IS NOT NULL").await,
        0,
        "its text is erased"
    );
    assert_eq!(house.told(challenge, code(delivery), noon()).await, "TRUE");
}

#[tokio::test]
async fn i8_a_message_whose_node_died_before_the_claim_goes_out_from_another() {
    let house = House::new().await;
    let phone = house.phone(&number(1)).await;
    house.try_open(phone, noon()).await.unwrap();
    let house = house.reopened().await;
    assert!(claim(&house, None, noon().plus_seconds(59)).await.is_empty());
    assert_eq!(claim(&house, None, noon().plus_seconds(60)).await.len(), 1);
}

#[tokio::test]
async fn i8_a_message_whose_node_died_after_the_claim_ends_as_unknown_and_is_not_sent_again() {
    let house = House::new().await;
    let phone = house.phone(&number(1)).await;
    let (challenge, delivery) = sent(&house, phone, noon()).await;
    let abandoned = |now| house.store.step(SettleAbandoned { now, most: 100 });
    assert_eq!(abandoned(noon().plus_seconds(59)).await.unwrap(), 0);
    let after = noon().plus_seconds(60);
    assert_eq!(abandoned(after).await.unwrap(), 1);
    assert_eq!(abandoned(after).await.unwrap(), 0);
    assert!(claim(&house, None, after).await.is_empty());
    // Somebody who was only slow comes too late to change it.
    settle(&house, &delivery, DispatchOutcome::NotSent).await;
    assert_eq!(house.count("SELECT count(*) FROM delivery WHERE outcome = 'unknown'").await, 1);
    // The trail says whose it was.
    let (entries, _) = house.trail().await;
    let entry = entries.iter().find(|e| e.kind == "delivery.settled").unwrap();
    assert_eq!((entry.factor, entry.challenge), (Some(*phone.bytes()), Some(*challenge.bytes())));
    assert_eq!(entry.environment, Some(*house.ours.id.bytes()));
    assert_eq!(house.told(challenge, code(&delivery), after).await, "TRUE");
}

#[tokio::test]
async fn w11_a_message_that_surely_was_not_sent_takes_its_challenge_along_and_does_not_count() {
    for outcome in [DispatchOutcome::NotSent, DispatchOutcome::RejectedNumber] {
        let house = House::new().await;
        let phone = house.phone(&number(1)).await;
        for _ in 0..7 {
            let (challenge, delivery) = sent(&house, phone, noon()).await;
            settle(&house, &delivery, outcome).await;
            assert_eq!(house.told(challenge, code(&delivery), noon()).await, "GONE");
            assert_eq!(traces(&house).await, [0, traces(&house).await[1], 0, 0]);
        }
        for _ in 0..5 {
            let (_, delivery) = sent(&house, phone, noon()).await;
            settle(&house, &delivery, DispatchOutcome::Unknown).await;
        }
        assert!(house.try_open(phone, noon()).await.is_err(), "what may have been sent counts");
    }
}

#[tokio::test]
async fn w11_nothing_goes_to_a_deleted_factor_or_for_a_challenge_that_is_over() {
    let house = House::new().await;
    let (deleted, late) = (house.phone(&number(1)).await, house.phone(&number(2)).await);
    let (_, first) = house.try_open(deleted, noon()).await.unwrap();
    let (_, second) = house.try_open(late, noon()).await.unwrap();
    let scope = house.scope();
    let actor = crate::laws::common::operator();
    let step = DeleteFactor { scope, actor, now: noon(), factor: deleted, reason: None };
    house.store.step(step).await.unwrap().unwrap();
    assert!(claim(&house, first.delivery, noon()).await.is_empty());
    assert!(claim(&house, second.delivery, noon().plus_seconds(600)).await.is_empty());
    assert_eq!(
        house.count("SELECT count(*) FROM delivery WHERE state <> 'settled' OR sealed IS NOT NULL").await,
        0
    );
}

/// A row that somebody has tampered with is an alarm, not a way to silence everybody else.
#[tokio::test]
async fn a_message_that_does_not_open_keeps_no_other_waiting_and_is_never_sent() {
    let house = House::new().await;
    let (forged, sound) = (house.phone(&number(1)).await, house.phone(&number(2)).await);
    let (_, first) = house.try_open(forged, noon()).await.unwrap();
    house.try_open(sound, noon()).await.unwrap();
    let edit = "UPDATE factor SET sealed = (SELECT sealed FROM factor WHERE id = $2) WHERE id = $1";
    house.edit(edit, &[Param::Bytes(forged.bytes()), Param::Bytes(sound.bytes())]).await;
    let due = noon().plus_seconds(60);
    let claimed = claim(&house, None, due).await;
    assert_eq!(claimed.iter().map(|d| d.to.reveal()).collect::<Vec<_>>(), [number(2).reveal()]);
    let ring = house.ring.clone();
    let own = ClaimDeliveries { now: due, only: first.delivery, most: 1, ring };
    assert!(matches!(house.store.step(own).await, Err(Failure::Internal(_))));
    assert!(claim(&house, None, noon().plus_seconds(600)).await.is_empty());
    assert_eq!(house.count("SELECT count(*) FROM delivery WHERE outcome = 'not_sent'").await, 1);
}

async fn hold(house: &House, delivery: &Delivery, now: Timestamp) -> Held {
    let dispatches = Dispatches::default();
    let step = HoldDelivery { now, environment: delivery.environment, delivery: delivery.id, dispatches };
    house.store.step(step).await.unwrap()
}

#[tokio::test]
async fn w11_nothing_is_sent_for_a_challenge_that_was_answered_or_displaced() {
    let house = House::new().await;
    let phone = house.phone(&number(1)).await;
    let (answered, delivery) = sent(&house, phone, noon()).await;
    assert_eq!(hold(&house, &delivery, noon()).await, Held::Ours);
    assert_eq!(house.told(answered, code(&delivery), noon()).await, "TRUE");
    assert_eq!(hold(&house, &delivery, noon()).await, Held::Useless);
    // Ten newer ones displace it; the limits on messages to one number would be in their way.
    let (_, displaced) = house.try_open(phone, noon()).await.unwrap();
    for _ in 0..10 {
        house.edit("UPDATE sms_send SET at = $1", &[Param::Int(0)]).await;
        house.try_open(phone, noon()).await.unwrap();
    }
    assert!(claim(&house, displaced.delivery, noon()).await.is_empty());
    assert_eq!(house.count("SELECT count(*) FROM delivery WHERE outcome = 'not_sent'").await, 1);
    assert_eq!(claim(&house, None, noon().plus_seconds(60)).await.len(), 10);
}

#[tokio::test]
async fn i8_a_message_that_waits_is_kept_from_others_until_somebody_has_settled_it() {
    let house = House::new().await;
    let phone = house.phone(&number(1)).await;
    let (_, delivery) = sent(&house, phone, noon()).await;
    let later = |seconds| noon().plus_seconds(seconds);
    let abandoned = |now| house.store.step(SettleAbandoned { now, most: 100 });
    assert_eq!(hold(&house, &delivery, later(50)).await, Held::Ours);
    assert_eq!(abandoned(later(109)).await.unwrap(), 0);
    assert_eq!(abandoned(later(110)).await.unwrap(), 1);
    assert_eq!(hold(&house, &delivery, later(110)).await, Held::Lost);
    let (_, delivery) = sent(&house, phone, later(200)).await;
    assert_eq!(hold(&house, &delivery, later(800)).await, Held::Useless, "its ten minutes are over");
}

#[tokio::test]
async fn w11_a_resend_knows_who_got_the_last_message_whichever_node_sent_it_and_forgets_after_ten_minutes() {
    let house = House::new().await;
    let phones = [house.phone(&number(1)).await, house.phone(&number(1)).await];
    let (_, first) = sent(&house, phones[0], noon()).await;
    assert_eq!(first.last_provider, None);
    // Nobody has it yet, and then nobody took it: nothing to swap.
    assert_eq!(sent(&house, phones[1], noon()).await.1.last_provider, None);
    settle_by(&house, &first, DispatchOutcome::NotSent, "one", noon()).await;
    let (_, second) = sent(&house, phones[0], noon()).await;
    assert_eq!(second.last_provider, None);
    settle_by(&house, &second, DispatchOutcome::Unknown, "one", noon()).await;
    // Another process, another factor with the same number; another number knows nothing of it.
    let house = house.reopened().await;
    let later = |seconds| noon().plus_seconds(seconds);
    let (_, third) = sent(&house, phones[1], later(1)).await;
    assert_eq!(third.last_provider.as_deref(), Some("one"));
    let other = house.phone(&number(2)).await;
    assert_eq!(sent(&house, other, later(1)).await.1.last_provider, None);
    settle_by(&house, &third, DispatchOutcome::Accepted, "two", later(2)).await;
    assert_eq!(sent(&house, phones[0], later(600)).await.1.last_provider.as_deref(), Some("two"));
    assert_eq!(sent(&house, phones[0], later(601)).await.1.last_provider, None);
}
