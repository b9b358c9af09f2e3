//! Upkeep while the store is served: backups, purges, rotation of the key ring.

use crate::common::{House, entropy, noon, number, open, operator};
use crate::store::{
    Store,
    queries::ReadDataKeys,
    sqlite::backup,
    steps::{
        claim_deliveries::ClaimDeliveries,
        data_keys::{AddDataKey, Reseal, Resealed, RetireDataKeys},
        purge::{PurgeFinished, PurgeUnverified},
    },
    trail::{ChainEnd, ReadTrail},
};
use secrets::{KeyRing, SystemEntropy};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_taken_while_writes_go_on_opens_and_holds_what_was_answered_before_it() {
    let house = House::new().await;
    let factor = house.totp(Some("ada")).await;
    let challenge = house.challenge(factor.id).await;
    let used = house.challenge(factor.id).await;
    assert_eq!(house.told(used, factor.code(noon()), noon()).await, "TRUE");
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (house, stop) = (Arc::clone(&house), Arc::clone(&stop));
        async move {
            while !stop.load(Relaxed) {
                house.generic(noon()).await;
            }
        }
    });
    let count = "SELECT count(*) FROM factor";
    while house.count(count) < 20 {
        tokio::task::yield_now().await;
    }
    let before = house.count(count);
    let copies = tempfile::tempdir().unwrap();
    let target = copies.path().join("countersign.db");
    let (from, to) = (house.engine.path().to_owned(), target.clone());
    let run = move || backup(&from, &to, &mut |left, all| assert!(left <= all));
    tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    while house.count(count) <= before {
        tokio::task::yield_now().await;
    }
    stop.store(true, Relaxed);
    writing.await.unwrap();
    let again = backup(house.engine.path(), &target, &mut |_, _| {}).unwrap_err();
    assert!(again.contains("countersign.db"), "an existing file is not written over: {again}");

    let (_folder, engine) = open(copies.path()).unwrap();
    let copy = Store::Sqlite(engine.clone());
    let rows: i64 = rusqlite::Connection::open(&target).unwrap().query_row(count, [], |r| r.get(0)).unwrap();
    assert!(rows >= before, "{rows} of at least {before}");
    let keys = copy.query(ReadDataKeys).await.unwrap();
    let ring = KeyRing::open(&house.master, &keys).unwrap();
    engine.begin_trail(ring.clone()).unwrap();
    let trail = ReadTrail { after: ChainEnd::default(), limit: 100_000, ring };
    assert_eq!(copy.query(trail).await.unwrap().broken_at, None);
    // I1 over a restored backup: what was used before it stays used.
    let replay = house.answering(challenge, factor.code(noon()), noon());
    assert_eq!(crate::common::word(&copy.step(replay).await), "FALSE");
    let next = noon().plus_seconds(30);
    let right = house.answering(challenge, factor.code(next), next);
    assert_eq!(crate::common::word(&copy.step(right).await), "TRUE");
}

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
    let purge = |most| PurgeFinished {
        challenges_before: noon().plus_seconds(100_000),
        answers_before: noon().plus_seconds(100_000),
        deliveries_before: noon().plus_seconds(100_000),
        most,
    };
    for gone in [2, 2, 2, 0] {
        assert_eq!(house.store.step(purge(2)).await.unwrap(), gone);
    }
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
    let left: Vec<Vec<u8>> = {
        let direct = house.direct();
        let mut rows = direct.prepare("SELECT id FROM factor ORDER BY id").unwrap();
        rows.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
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
        let under = |key: u32| {
            let sql = format!("SELECT count(*) FROM {table} WHERE substr(sealed, 2, 4) = x'{key:08x}'");
            house.count(&sql)
        };
        assert_eq!(under(old), 0, "{table}");
        assert!(under(new) > 0, "{table}");
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
        assert_eq!(crate::common::word(&house.store.step(step).await), "TRUE");
    }
    let claim = ClaimDeliveries { now: noon(), only: opened.delivery, most: 1, ring: ring.clone() };
    let claimed = house.store.step(claim).await.unwrap();
    let submitted = secrets::Submitted::parse(claimed[0].code.reveal());
    let mut step = house.answering(sms, submitted, noon());
    step.ring = ring;
    assert_eq!(crate::common::word(&house.store.step(step).await), "TRUE");
}
