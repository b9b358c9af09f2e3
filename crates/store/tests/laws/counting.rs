//! The guard on the money: what it counts is written with the challenge, and what it refuses leaves nothing.

use crate::laws::common::{House, noon, number, operator};
use crate::store::{
    queries::{ListTraffic, SpentInDay},
    steps::{
        claim_deliveries::ClaimDeliveries, erase_environment::EraseEnvironment, open_challenge::Opened,
        purge::PurgeSends, settle_delivery::SettleDelivery,
    },
};
use domain::{
    delivery::{Delivery, DispatchOutcome},
    environment::{Mode as Kind, Scope},
    guard::{Caps, Countries, Country, Mode, Money, Prices, Rules, TestNumber, Unverified, Velocity, day_of},
    id::{ChallengeId, FactorId},
    phone::{PhoneNumber, Prefix},
    refusal::Refusal,
    time::Timestamp,
};
use secrets::{Code, Submitted};
use std::sync::Arc;

/// What a request says beside its factor.
#[derive(Clone)]
struct Asked {
    rules: Arc<Rules>,
    scope: Scope,
    factor: FactorId,
    now: Timestamp,
    address: Option<Vec<u8>>,
    mode: Kind,
}

fn asked(house: &House, rules: &Rules, factor: FactorId) -> Asked {
    let rules = Arc::new(Rules { counts: true, ..rules.clone() });
    Asked { rules, scope: house.scope(), factor, now: noon(), address: None, mode: Kind::Test }
}

async fn open(house: &House, asked: &Asked) -> (ChallengeId, Result<Opened, Refusal>, Vec<&'static str>) {
    let mut step = house.opening(asked.scope, asked.factor, asked.now);
    step.guard.rules = Arc::clone(&asked.rules);
    (step.guard.address, step.guard.mode) = (asked.address.clone(), asked.mode);
    let (id, guard) = (step.id, step.guard.clone());
    let result = house.store.step(step).await.unwrap();
    (id, result, guard.noticed().iter().map(|hit| hit.rule.word()).collect())
}

async fn claim(house: &House, opened: &Opened, now: Timestamp) -> Delivery {
    let claim = ClaimDeliveries { now, only: opened.delivery, most: 1, ring: house.ring.clone() };
    house.store.step(claim).await.unwrap().remove(0)
}

/// Opens a challenge and hands its code back.
async fn verify(house: &House, asked: &Asked) {
    let (id, opened, _) = open(house, asked).await;
    let delivery = claim(house, &opened.unwrap(), asked.now).await;
    let mut step = house.answering(id, Submitted::parse(delivery.code.reveal()), asked.now);
    step.rules = Arc::clone(&asked.rules);
    assert!(house.store.step(step).await.unwrap().unwrap().valid);
}

async fn spent(house: &House, scope: Scope) -> Vec<(String, u64)> {
    let rows = house.store.query(SpentInDay { scope, day: day_of(noon()) }).await.unwrap();
    rows.into_iter().map(|(country, money)| (country, money.micros())).collect()
}

async fn rows(house: &House) -> [i64; 4] {
    let mut counts = [0; 4];
    for (count, table) in counts.iter_mut().zip(["challenge", "delivery", "sms_send", "guard_spend"]) {
        *count = house.count(&format!("SELECT count(*) FROM {table}")).await;
    }
    counts
}

fn capped(mode: Mode, cap: u64) -> Rules {
    let caps = Caps { mode, environment: Some(Money::from_micros(cap)), ..Caps::default() };
    Rules { caps, prices: Prices { usual: Money::from_micros(10), by_prefix: vec![] }, ..Rules::default() }
}

#[tokio::test]
async fn w11_what_the_guard_refuses_leaves_nothing_but_an_entry_without_the_number() {
    let house = House::new().await;
    let phone = house.phone_of(house.scope(), "ada", &number(1)).await;
    let us = Country::parse("US").unwrap();
    let countries = |mode| Countries { mode, denied: vec![us], ..Countries::default() };
    let rules = |mode| Rules { countries: countries(mode), ..Rules::default() };

    let (_, told, noticed) = open(&house, &asked(&house, &rules(Mode::Enforce), phone)).await;
    assert_eq!(told.err(), Some(Refusal::InvalidPhoneNumber(number(1).reveal().to_owned())));
    assert_eq!((noticed, rows(&house).await), (vec!["countries"], [0; 4]));
    let (_, told, noticed) = open(&house, &asked(&house, &capped(Mode::Enforce, 9), phone)).await;
    assert!(matches!(told.err(), Some(Refusal::SmsQuotaReached { retry_after: 1..=86_400 })));
    assert_eq!((noticed, rows(&house).await), (vec!["caps.environment"], [0; 4]));

    let (_, told, noticed) = open(&house, &asked(&house, &rules(Mode::Record), phone)).await;
    assert!(told.is_ok_and(|opened| opened.delivery.is_some()), "what is only recorded goes out");
    assert_eq!((noticed, rows(&house).await), (vec!["countries"], [1, 1, 1, 0]));

    let (entries, broken_at) = house.trail().await;
    assert_eq!(broken_at, None);
    let told: Vec<_> = entries
        .iter()
        .filter(|e| e.kind.starts_with("guard."))
        .map(|e| (e.kind.as_str(), e.detail.clone().unwrap(), e.factor))
        .collect();
    let factor = Some(*phone.bytes());
    let expected = [
        ("guard.refused", "countries"),
        ("guard.refused", "caps.environment"),
        ("guard.noticed", "countries"),
    ];
    let expected = expected.map(|(k, r)| (k, format!(r#"{{"rule":"{r}","country":"US"}}"#), factor));
    assert_eq!(told, expected);
    assert!(entries.iter().all(|e| !e.detail.as_deref().unwrap_or_default().contains("1415")));
}

/// However many ask at once, on however many connections: the sum of what was let through never passes the cap.
#[tokio::test(flavor = "multi_thread")]
async fn a_cap_is_exact_under_concurrency() {
    let house = House::new().await;
    let mut opening = tokio::task::JoinSet::new();
    for n in 0..30 {
        let phone = house.phone_of(house.scope(), &format!("user {n}"), &number(n)).await;
        let (house, asked) = (Arc::clone(&house), asked(&house, &capped(Mode::Enforce, 75), phone));
        opening.spawn(async move { open(&house, &asked).await.1.is_ok() });
    }
    let opened = opening.join_all().await.into_iter().filter(|ok| *ok).count();
    assert_eq!(opened, 7);
    assert_eq!(spent(&house, house.scope()).await, [("US".to_owned(), 70)]);
    assert_eq!(rows(&house).await, [7, 7, 7, 1]);
}

#[tokio::test]
async fn what_surely_was_not_sent_has_cost_nothing_and_what_may_have_been_has() {
    let house = House::new().await;
    let phone = house.phone_of(house.scope(), "ada", &number(1)).await;
    for (outcome, micros) in
        [(DispatchOutcome::NotSent, 0), (DispatchOutcome::Unknown, 10), (DispatchOutcome::RejectedNumber, 10)]
    {
        let (_, opened, _) = open(&house, &asked(&house, &capped(Mode::Enforce, 20), phone)).await;
        let delivery = claim(&house, &opened.unwrap(), noon()).await;
        let step = SettleDelivery {
            now: noon(),
            environment: delivery.environment,
            delivery: delivery.id,
            to: delivery.to.clone(),
            outcome,
            provider: None,
            message_id: None,
            dispatches: domain::dispatch::Dispatches::default(),
            ring: house.ring.clone(),
        };
        house.store.step(step).await.unwrap();
        assert_eq!(spent(&house, house.scope()).await, [("US".to_owned(), micros)], "{outcome:?}");
    }
}

#[tokio::test]
async fn a_price_goes_by_segments_and_the_longest_prefix() {
    let house = House::new().await;
    let phone = house.phone_of(house.scope(), "ada", &number(1)).await;
    let mut rules = capped(Mode::Record, 1_000);
    rules.prices.by_prefix = vec![(Prefix::parse("+1415").unwrap(), Money::from_micros(3))];
    let long =
        domain::sms_template::SmsTemplate::parse(&format!("{{{{code}}}} {}", "a".repeat(200))).unwrap();
    let asked = asked(&house, &rules, phone);
    let mut step = house.opening(asked.scope, phone, noon());
    (step.guard.rules, step.template) = (Arc::clone(&asked.rules), Ok(Some(long)));
    house.store.step(step).await.unwrap().unwrap();
    assert_eq!(spent(&house, house.scope()).await, [("US".to_owned(), 6)]);
    let list = ListTraffic { scope: house.scope(), from: noon(), most: 10 };
    let sent = house.store.query(list).await.unwrap();
    let counted = sent[0].counted.as_ref().unwrap();
    assert_eq!((counted.area.as_str(), counted.segments, counted.price.micros()), ("+141555", 2, 6));
}

#[tokio::test]
async fn blocks_users_and_addresses_have_limits_of_their_own() {
    let house = House::new().await;
    let limits = |text: &str| Some(text.parse().unwrap());
    let velocity =
        |v: Velocity| Rules { velocity: Velocity { mode: Mode::Enforce, ..v }, ..Rules::default() };
    let any = Velocity::default;
    let cases = [
        ("velocity.number", velocity(Velocity { number: limits("1/1h"), ..any() })),
        ("velocity.block", velocity(Velocity { block: limits("1/1h"), ..any() })),
        ("velocity.country", velocity(Velocity { country: limits("1/1h"), ..any() })),
        ("velocity.user", velocity(Velocity { user: limits("1/1h"), ..any() })),
        ("velocity.address", velocity(Velocity { address: limits("1/1h"), ..any() })),
    ];
    for (rule, rules) in cases {
        house.edit("DELETE FROM sms_send", &[]).await;
        let ada = house.phone_of(house.scope(), "ada", &number(1)).await;
        let mut first = asked(&house, &rules, ada);
        first.address = Some(vec![1]);
        assert!(open(&house, &first).await.1.is_ok(), "{rule}");
        // The same again, then something that differs in each respect but the rule's own.
        let (_, told, noticed) = open(&house, &first).await;
        assert_eq!(
            (told.err(), noticed),
            (Some(Refusal::SmsRateLimited { retry_after: Some(3_600) }), vec![rule])
        );
        let elsewhere = PhoneNumber::parse("+14165559999").unwrap();
        let other = house.phone_of(house.scope(), "bob", &elsewhere).await;
        let mut other = asked(&house, &rules, other);
        other.address = Some(vec![2]);
        assert!(open(&house, &other).await.1.is_ok(), "{rule} is not about somebody else");
        first.now = noon().plus_seconds(3_600);
        assert!(open(&house, &first).await.1.is_ok(), "{rule} ends");
    }
}

#[tokio::test]
async fn a_block_whose_texts_nobody_verifies_is_stopped_and_another_is_not() {
    let house = House::new().await;
    let unverified = Unverified { mode: Mode::Enforce, window_seconds: 3_600, texts: 8, percent: 25 };
    let rules = Rules { unverified, ..Rules::default() };
    let (pumped, normal) = (|n: u32| number(1_000 + n), |n: u32| number(2_000 + n));
    for n in 0..10 {
        let phone = house.phone_of(house.scope(), &format!("bot {n}"), &pumped(n)).await;
        let (_, told, noticed) = open(&house, &asked(&house, &rules, phone)).await;
        assert_eq!(told.is_ok(), n < 8, "text {n}");
        assert_eq!(noticed.is_empty(), n < 8, "text {n}");
    }
    for n in 0..20 {
        let phone = house.phone_of(house.scope(), &format!("user {n}"), &normal(n)).await;
        let asked = asked(&house, &rules, phone);
        if n % 3 == 0 { verify(&house, &asked).await } else { assert!(open(&house, &asked).await.1.is_ok()) }
    }
}

#[tokio::test]
async fn i12_the_guard_counts_each_environment_for_itself() {
    let house = House::new().await;
    let (ours, theirs) = (house.scope(), house.foreign_scope());
    let here = house.phone_of(ours, "ada", &number(1)).await;
    let there = house.phone_of(theirs, "ada", &number(1)).await;
    let mut rules = capped(Mode::Enforce, 10);
    let once = || Some("1/1h".parse().unwrap());
    rules.velocity = Velocity {
        mode: Mode::Enforce,
        number: once(),
        block: once(),
        country: once(),
        user: once(),
        address: once(),
    };
    let mut asked = asked(&house, &rules, here);
    asked.address = Some(vec![1]);
    let (_, opened, _) = open(&house, &asked).await;
    assert!(opened.is_ok() && open(&house, &asked).await.1.is_err());
    (asked.scope, asked.factor) = (theirs, there);
    let (_, told, noticed) = open(&house, &asked).await;
    assert!(told.is_ok(), "{noticed:?}");
    assert_eq!((spent(&house, ours).await, spent(&house, theirs).await).0.len(), 1);
    // Erasing one leaves the other's.
    house.store.step(EraseEnvironment { scope: theirs, actor: operator(), now: noon() }).await.unwrap();
    assert_eq!(rows(&house).await, [1, 1, 1, 1]);
    assert_eq!(spent(&house, ours).await, [("US".to_owned(), 10)]);
}

#[tokio::test]
async fn what_the_guard_counts_is_purged_at_its_age() {
    let house = House::new().await;
    let phone = house.phone_of(house.scope(), "ada", &number(1)).await;
    let mut asked = asked(&house, &capped(Mode::Record, 1_000), phone);
    for days in [0, 1, 5] {
        asked.now = noon().plus_seconds(days * 86_400);
        assert!(open(&house, &asked).await.1.is_ok());
    }
    let purge = |scope| PurgeSends { scope, before: noon().plus_seconds(86_400) };
    house.store.step(purge(house.foreign_scope())).await.unwrap();
    assert_eq!(rows(&house).await[2..], [3, 3]);
    house.store.step(purge(house.scope())).await.unwrap();
    assert_eq!(rows(&house).await[2..], [2, 2]);
}

#[tokio::test]
async fn totp_and_caller_delivered_codes_cost_the_guard_nothing() {
    let house = House::new().await;
    let totp = house.totp(Some("ada")).await;
    let challenge = house.challenge(totp.id).await;
    let mut step = house.answering(challenge, totp.code(noon()), noon());
    step.rules = Arc::new(Rules { counts: true, ..capped(Mode::Enforce, 0) });
    assert!(house.store.step(step).await.unwrap().unwrap().valid);
    let generic = house.generic(noon()).await;
    let (_, told, noticed) = open(&house, &asked(&house, &capped(Mode::Enforce, 0), generic)).await;
    assert!(told.is_ok() && noticed.is_empty());
    assert_eq!(rows(&house).await[1..], [0, 0, 0]);
}

#[tokio::test]
async fn a_test_number_sends_nothing_takes_its_code_and_is_marked_in_every_entry() {
    let house = House::new().await;
    let phone = house.phone_of(house.scope(), "ada", &number(1)).await;
    let test = TestNumber {
        number: number(1),
        code: Arc::new(Code::parse_exact("000000").unwrap()),
        until: noon().plus_seconds(60),
        live: false,
    };
    let rules = Rules { test_numbers: vec![test], ..capped(Mode::Enforce, 0) };
    let mut asked = asked(&house, &rules, phone);
    let (id, opened, _) = open(&house, &asked).await;
    assert!(opened.is_ok_and(|o| o.delivery.is_none() && o.code.is_none()));
    assert_eq!(rows(&house).await, [1, 0, 0, 0]);
    for (code, valid) in [("000001", false), ("000000", true)] {
        let mut step = house.answering(id, Submitted::parse(code), noon());
        step.rules = Arc::clone(&asked.rules);
        assert_eq!(house.store.step(step).await.unwrap().unwrap().valid, valid);
    }
    let (entries, _) = house.trail().await;
    let of_challenge: Vec<_> = entries.iter().filter(|e| e.challenge == Some(*id.bytes())).collect();
    assert_eq!(of_challenge.len(), 3);
    assert!(of_challenge.iter().all(|e| e.detail.as_deref().unwrap().contains(r#""test_number":"yes""#)));

    // Not in a live environment, and not after its end: refused, and never sent to.
    asked.mode = Kind::Live;
    assert!(matches!(open(&house, &asked).await.1.err(), Some(Refusal::InvalidPhoneNumber(_))));
    (asked.mode, asked.now) = (Kind::Test, noon().plus_seconds(60));
    assert!(matches!(open(&house, &asked).await.1.err(), Some(Refusal::InvalidPhoneNumber(_))));
    assert_eq!(rows(&house).await, [1, 0, 0, 0]);
}
