//! An environment is a wall (I12): what belongs to another does not exist.

use crate::laws::common::{House, noon, number, operator, word};
use crate::store::{
    queries::{FindFactor, ListFactors},
    steps::{
        delete_factor::DeleteFactor,
        erase_environment::EraseEnvironment,
        purge::{PurgeSends, PurgeUnverified},
        reset_factor::ResetFactor,
    },
};
use domain::{
    page::{PageQuery, PageRequest},
    refusal::Refusal,
    user_id::UserId,
};

#[tokio::test]
async fn i12_no_step_and_no_query_sees_an_object_of_another_environment() {
    let house = House::new().await;
    let factor = house.totp(Some("ada")).await;
    let challenge = house.challenge(factor.id).await;
    let theirs = house.foreign_scope();
    let before = rows(&house).await;

    let mut answering = house.answering(challenge, factor.code(noon()), noon());
    answering.scope = theirs;
    assert_eq!(word(&house.store.step(answering).await), "GONE");
    let mut malformed = house.answering(challenge, factor.code(noon()), noon());
    malformed.scope = theirs;
    malformed.submitted = Err(vec![]);
    assert_eq!(word(&house.store.step(malformed).await), "GONE", "what is wrong with it is not even told");

    let opening = house.opening(theirs, factor.id, noon());
    assert_eq!(house.store.step(opening).await.unwrap().err(), Some(Refusal::FactorNotFound));
    let delete =
        DeleteFactor { scope: theirs, actor: operator(), now: noon(), factor: factor.id, reason: None };
    assert_eq!(house.store.step(delete).await.unwrap(), Err(Refusal::FactorNotFound));
    let reset = ResetFactor {
        scope: theirs,
        actor: operator(),
        now: noon(),
        factor: factor.id,
        user_too: true,
        reason: "because".into(),
    };
    assert_eq!(house.store.step(reset).await.unwrap(), Err(Refusal::FactorNotFound));

    let later = noon().plus_seconds(1_000_000);
    let purge = PurgeUnverified { scope: theirs, now: later, after: [0; 16], before: later, most: 100 };
    assert_eq!(house.store.step(purge).await.unwrap(), None);
    house.store.step(EraseEnvironment { scope: theirs, actor: operator(), now: noon() }).await.unwrap();

    let find = |scope| FindFactor { scope, factor: factor.id, ring: house.ring.clone() };
    assert!(house.store.query(find(theirs)).await.unwrap().is_none());
    assert!(house.store.query(find(house.scope())).await.unwrap().is_some());
    for (scope, seen) in [(theirs, 0), (house.scope(), 1)] {
        let list = ListFactors {
            scope,
            user: UserId::parse("ada").unwrap(),
            page: first_page(),
            verified_only: false,
            ring: house.ring.clone(),
        };
        assert_eq!(house.store.query(list).await.unwrap().items.len(), seen);
    }

    assert_eq!(rows(&house).await, before, "nothing was written");
    assert_eq!(house.told(challenge, factor.code(noon()), noon()).await, "TRUE");
}

fn first_page() -> PageRequest<domain::id::FactorId> {
    PageQuery::default().parse(domain::id::FactorId::parse).unwrap()
}

/// Everything about factors and challenges.
async fn rows(house: &House) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for sql in [
        "SELECT id FROM factor ORDER BY id",
        "SELECT open_challenges FROM factor_guard ORDER BY factor_id",
        "SELECT sealed FROM factor ORDER BY id",
        "SELECT id FROM challenge ORDER BY id",
        "SELECT wrong_at FROM user_budget ORDER BY user_id",
    ] {
        all.extend(house.bytes(sql).await);
    }
    for sql in [
        "SELECT sum(wrong_in_a_row) FROM factor_guard",
        "SELECT count(verified_at) + count(locked_until) + count(last_step) FROM factor_guard",
        "SELECT sum(attempts_used) + count(verified_at) FROM challenge",
    ] {
        all.push(house.count(sql).await.to_be_bytes().to_vec());
    }
    all
}

/// One person may be known by the same name in two environments: these are two users.
#[tokio::test]
async fn i12_the_budget_of_a_user_ends_at_the_wall() {
    let house = House::new().await;
    let theirs = house.totp_in(house.foreign_scope(), Some("ada")).await;
    let their_answer = async |submitted| {
        let opening = house.opening(house.foreign_scope(), theirs.id, noon());
        let challenge = opening.id;
        house.store.step(opening).await.unwrap().unwrap();
        let mut answering = house.answering(challenge, submitted, noon());
        answering.scope = house.foreign_scope();
        word(&house.store.step(answering).await)
    };
    // Twenty wrong attempts over three factors of ours use up our Ada's budget, and nobody else's.
    let ours = [house.totp(Some("ada")).await, house.totp(Some("ada")).await, house.totp(Some("ada")).await];
    for (factor, wrong) in ours.iter().zip([9, 9, 2]) {
        for _ in 0..wrong {
            let challenge = house.challenge(factor.id).await;
            assert_eq!(house.told(challenge, factor.wrong(noon()), noon()).await, "FALSE");
        }
    }
    for factor in &ours {
        let challenge = house.challenge(factor.id).await;
        assert_eq!(house.told(challenge, factor.code(noon()), noon()).await, "LOCKED");
    }
    let rows = "SELECT count(*) FROM user_budget WHERE user_id = 'ada'";
    assert_eq!(house.count(rows).await, 2, "one budget on either side");
    assert_eq!(their_answer(theirs.wrong(noon())).await, "FALSE");
    assert_eq!(their_answer(theirs.code(noon())).await, "TRUE");
    // A reset there lifts nothing here.
    let scope = house.foreign_scope();
    let (actor, reason) = (operator(), "because".to_owned());
    let reset = ResetFactor { scope, actor, now: noon(), factor: theirs.id, user_too: true, reason };
    assert_eq!(house.store.step(reset).await.unwrap(), Ok(()));
    let challenge = house.challenge(ours[2].id).await;
    assert_eq!(house.told(challenge, ours[2].code(noon()), noon()).await, "LOCKED");
}

#[tokio::test]
async fn i12_what_was_sent_is_forgotten_for_one_environment_at_a_time() {
    let house = House::new().await;
    let phone = house.phone(&number(1)).await;
    house.challenge(phone).await;
    let later = noon().plus_seconds(100_000);
    let purge = PurgeSends { scope: house.foreign_scope(), before: later };
    assert_eq!(house.store.step(purge).await.unwrap(), 0);
    let purge = PurgeSends { scope: house.scope(), before: later };
    assert_eq!(house.store.step(purge).await.unwrap(), 1);
}

#[tokio::test]
async fn a_deleted_factor_takes_its_challenges_along_and_leaves_the_budget_of_its_user() {
    let house = House::new().await;
    let factor = house.totp(Some("ada")).await;
    let challenge = house.challenge(factor.id).await;
    assert_eq!(house.told(challenge, factor.wrong(noon()), noon()).await, "FALSE");
    let delete = || DeleteFactor {
        scope: house.scope(),
        actor: operator(),
        now: noon(),
        factor: factor.id,
        reason: None,
    };
    assert_eq!(house.store.step(delete()).await.unwrap(), Ok(()));
    assert_eq!(house.store.step(delete()).await.unwrap(), Err(Refusal::FactorNotFound));
    assert_eq!(house.told(challenge, factor.code(noon()), noon()).await, "GONE");
    house.totp(Some("ada")).await;
    assert_eq!(
        house.count("SELECT length(wrong_at) FROM user_budget").await,
        8,
        "I4: enrolling anew does not refill it"
    );
}

#[tokio::test]
async fn an_operators_reset_lifts_a_stop_and_leaves_the_used_step_used() {
    let house = House::new().await;
    let factor = house.totp(Some("ada")).await;
    let challenge = house.challenge(factor.id).await;
    assert_eq!(house.told(challenge, factor.code(noon()), noon()).await, "TRUE");
    house.edit("UPDATE factor_guard SET wrong_in_a_row = 100", &[]).await;
    let challenge = house.challenge(factor.id).await;
    let next = noon().plus_seconds(30);
    assert_eq!(house.told(challenge, factor.code(next), next).await, "STOPPED");
    let reset = ResetFactor {
        scope: house.scope(),
        actor: operator(),
        now: noon(),
        factor: factor.id,
        user_too: true,
        reason: "identified in person".into(),
    };
    assert_eq!(house.store.step(reset).await.unwrap(), Ok(()));
    assert_eq!(house.told(challenge, factor.code(noon()), noon()).await, "FALSE");
    assert_eq!(house.told(challenge, factor.code(next), next).await, "TRUE");
}
