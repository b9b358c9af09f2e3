//! The conditions inside statements. Where one writer serves all, a rule never runs into them; where several do, they
//! decide (I5).

use crate::laws::common::{House, noon, number};
use crate::store::{
    columns::Param,
    statement::Statement,
    statements::{ACCEPT_ON_FACTOR, CLAIM_DELIVERY, SETTLE_DELIVERY, SPEND_ATTEMPT},
};

/// How many rows a statement changes.
async fn changed(house: &House, statement: &Statement, params: &[Param<'_>]) -> u64 {
    house.edit(statement.sql, params).await
}

#[tokio::test]
async fn i5_the_last_step_of_a_factor_only_rises() {
    let house = House::new().await;
    let factor = house.totp(None).await;
    let accept = |step: Option<i64>| {
        let (id, environment) = (Param::Bytes(factor.id.bytes()), Param::Bytes(house.ours.id.bytes()));
        let params = [id, environment, Param::MaybeInt(step), Param::Int(1), Param::Bytes(&[])];
        let house = &house;
        async move { changed(house, &ACCEPT_ON_FACTOR, &params).await }
    };
    for (step, rows, last) in
        [(Some(7), 1, 7), (Some(7), 0, 7), (Some(6), 0, 7), (Some(8), 1, 8), (None, 1, 8)]
    {
        assert_eq!(accept(step).await, rows, "step {step:?}");
        assert_eq!(house.count("SELECT last_step FROM factor_guard").await, last);
    }
}

#[tokio::test]
async fn i2_an_attempt_is_spent_once_and_none_after_the_right_one() {
    let house = House::new().await;
    let factor = house.totp(None).await;
    let challenge = house.challenge(factor.id).await;
    let spend = |attempts: i64, verified: Option<i64>| {
        let (id, environment) = (Param::Bytes(challenge.bytes()), Param::Bytes(house.ours.id.bytes()));
        let params =
            [id, environment, Param::Int(attempts), Param::MaybeInt(verified), Param::MaybeBytes(None)];
        let house = &house;
        async move { changed(house, &SPEND_ATTEMPT, &params).await }
    };
    assert_eq!(spend(2, None).await, 0, "no attempt is left out");
    assert_eq!(spend(1, None).await, 1);
    assert_eq!(spend(1, None).await, 0, "nor spent twice");
    assert_eq!(spend(2, Some(1)).await, 1);
    assert_eq!(spend(3, None).await, 0, "nor after the right code");
}

#[tokio::test]
async fn i8_a_message_is_claimed_and_settled_once() {
    let house = House::new().await;
    let phone = house.phone(&number(1)).await;
    let delivery = house.try_open(phone, noon()).await.unwrap().1.delivery.unwrap();
    let key = [Param::Bytes(delivery.bytes()), Param::Bytes(house.ours.id.bytes())];
    let with = |last| [key[0], key[1], last];
    let none = Param::MaybeText(None);
    let settle = |word| [key[0], key[1], Param::Text(word), Param::Int(1), none, none, none];
    let claim = with(Param::Int(1));
    assert_eq!(changed(&house, &CLAIM_DELIVERY, &claim).await, 1);
    assert_eq!(changed(&house, &CLAIM_DELIVERY, &claim).await, 0);
    assert_eq!(changed(&house, &SETTLE_DELIVERY, &settle("accepted")).await, 1);
    assert_eq!(changed(&house, &SETTLE_DELIVERY, &settle("not_sent")).await, 0);
    assert_eq!(changed(&house, &CLAIM_DELIVERY, &claim).await, 0);
}
