//! The replay floor: what may have been accepted before it is not accepted after it.

use crate::laws::common::{House, noon, number, operator};
use crate::store::steps::replay_floor::{RaiseToFloor, Raised, SealFloor};

#[tokio::test]
async fn fault_18_a_floor_ends_what_was_open_and_refuses_every_step_up_to_it_and_none_after() {
    let house = House::new().await;
    let (used, fresh) = (house.totp(Some("ada")).await, house.totp(None).await);
    let phone = house.phone(&number(1)).await;
    let challenge = house.challenge(used.id).await;
    assert_eq!(house.told(challenge, used.code(noon()), noon()).await, "TRUE");
    let open = house.challenge(used.id).await;
    let (message, _) = house.try_open(phone, noon()).await.unwrap();
    let floor = noon().step() + 1;

    let mut bites = Vec::new();
    let mut after = [0; 16];
    loop {
        let raised = house.store.step(RaiseToFloor { floor, after, most: 2 }).await.unwrap();
        bites.push(raised.factors);
        match raised {
            Raised { last: Some(last), .. } => after = last,
            Raised { last: None, .. } => break,
        }
    }
    assert_eq!(bites, [2, 1, 0]);
    let seal =
        SealFloor { actor: operator(), now: noon(), until: noon().plus_seconds(60), reason: "drill".into() };
    assert_eq!(house.store.step(seal).await.unwrap(), 1, "the message that was owed");

    for (challenge, code) in [(open, used.code(noon())), (message, used.wrong(noon()))] {
        assert_eq!(house.told(challenge, code, noon()).await, "EXPIRED");
    }
    for factor in [&used, &fresh] {
        let (challenge, _) = house.try_open(factor.id, noon()).await.unwrap();
        for (ahead, told) in [(0, "FALSE"), (30, "FALSE"), (60, "TRUE")] {
            let now = noon().plus_seconds(ahead);
            assert_eq!(house.told(challenge, factor.code(now), now).await, told, "{ahead} s later");
        }
    }
    assert_eq!(
        house.count("SELECT count(*) FROM delivery WHERE state <> 'settled' OR sealed IS NOT NULL").await,
        0
    );
    let (entries, broken_at) = house.trail().await;
    assert_eq!(broken_at, None);
    assert_eq!(entries.iter().filter(|e| e.kind == "replay_floor.set").count(), 1);
}
