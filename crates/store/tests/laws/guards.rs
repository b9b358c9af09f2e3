//! The conditions inside statements. Where one writer serves all, a rule never runs into them; where several do, they
//! decide (I5).

use crate::common::{House, noon, number};
use crate::store::{
    statement::Statement,
    statements::{ACCEPT_ON_FACTOR, CLAIM_DELIVERY, SETTLE_DELIVERY, SPEND_ATTEMPT},
};
use rusqlite::Params;

/// How many rows a statement changes.
fn changed(house: &House, statement: &Statement, params: impl Params) -> usize {
    house.direct().execute(&statement.sql.replace('$', "?"), params).unwrap()
}

#[tokio::test]
async fn i5_the_last_step_of_a_factor_only_rises() {
    let house = House::new().await;
    let factor = house.totp(None).await;
    let accept = |step: Option<i64>| {
        let key = (factor.id.bytes(), house.ours.id.bytes());
        changed(&house, &ACCEPT_ON_FACTOR, (key.0, key.1, step, 1, [0u8; 0]))
    };
    for (step, rows, last) in
        [(Some(7), 1, 7), (Some(7), 0, 7), (Some(6), 0, 7), (Some(8), 1, 8), (None, 1, 8)]
    {
        assert_eq!(accept(step), rows, "step {step:?}");
        assert_eq!(house.count("SELECT last_step FROM factor"), last);
    }
}

#[tokio::test]
async fn i2_an_attempt_is_spent_once_and_none_after_the_right_one() {
    let house = House::new().await;
    let factor = house.totp(None).await;
    let challenge = house.challenge(factor.id).await;
    let spend = |attempts: i64, verified: Option<i64>| {
        changed(&house, &SPEND_ATTEMPT, (challenge.bytes(), house.ours.id.bytes(), attempts, verified))
    };
    assert_eq!(spend(2, None), 0, "no attempt is left out");
    assert_eq!(spend(1, None), 1);
    assert_eq!(spend(1, None), 0, "nor spent twice");
    assert_eq!(spend(2, Some(1)), 1);
    assert_eq!(spend(3, None), 0, "nor after the right code");
}

#[tokio::test]
async fn i8_a_message_is_claimed_and_settled_once() {
    let house = House::new().await;
    let phone = house.phone(&number(1)).await;
    let delivery = house.try_open(phone, noon()).await.unwrap().1.delivery.unwrap();
    let claim = || changed(&house, &CLAIM_DELIVERY, (delivery.bytes(), house.ours.id.bytes(), 1));
    let settle =
        |word: &str| changed(&house, &SETTLE_DELIVERY, (delivery.bytes(), house.ours.id.bytes(), word));
    assert_eq!((claim(), claim()), (1, 0));
    assert_eq!((settle("accepted"), settle("not_sent"), claim()), (1, 0, 0));
}
