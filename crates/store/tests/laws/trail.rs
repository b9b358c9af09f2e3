//! The audit trail: whoever edits, deletes or moves an entry is found at its number (ASVS 16.4.2).

use crate::laws::common::{House, noon};
use crate::store::{
    columns::Param,
    trail::{ChainEnd, ReadTrail},
};

/// A house whose trail has at least eight entries.
async fn busy() -> std::sync::Arc<House> {
    let house = House::new().await;
    let factor = house.totp(Some("ada")).await;
    for _ in 0..5 {
        let challenge = house.challenge(factor.id).await;
        house.told(challenge, factor.wrong(noon()), noon()).await;
    }
    house
}

#[tokio::test]
async fn asvs_16_4_2_the_chain_goes_on_over_restarts() {
    let house = busy().await.reopened().await;
    let factor = house.totp(None).await;
    let challenge = house.challenge(factor.id).await;
    assert_eq!(house.told(challenge, factor.code(noon()), noon()).await, "TRUE");
    let (entries, broken_at) = house.trail().await;
    assert_eq!(broken_at, None);
    let seqs: Vec<i64> = entries.iter().map(|e| e.seq).collect();
    assert_eq!(seqs, (1..=10).collect::<Vec<_>>());
    let last = entries.last().unwrap();
    assert_eq!((last.kind.as_str(), last.actor.as_str()), ("verification.succeeded", "operator:ada"));
    assert_eq!(last.challenge, Some(*challenge.bytes()));
    assert_eq!(last.factor, Some(*factor.id.bytes()));
    assert_eq!(last.environment, Some(*house.ours.id.bytes()));
    assert_eq!(entries[4].detail.as_deref(), Some("{\"reason\":\"mismatch\"}"));
}

#[tokio::test]
async fn asvs_16_4_2_every_edit_of_an_entry_is_found_at_its_number() {
    for (edit, found_at) in [
        ("UPDATE event SET at = at + 1 WHERE seq = 5", 5),
        ("UPDATE event SET kind = 'verification.succeeded' WHERE seq = 5", 5),
        ("UPDATE event SET actor = 'server' WHERE seq = 5", 5),
        ("UPDATE event SET user_id = 'eve' WHERE seq = 5", 5),
        ("UPDATE event SET user_id = NULL WHERE seq = 5", 5),
        ("UPDATE event SET detail = NULL WHERE seq = 5", 5),
        ("UPDATE event SET factor_id = environment_id WHERE seq = 5", 5),
        ("UPDATE event SET challenge_id = factor_id, factor_id = challenge_id WHERE seq = 5", 5),
        ("UPDATE event SET environment_id = NULL WHERE seq = 5", 5),
        ("UPDATE event SET mac = (SELECT mac FROM event WHERE seq = 4) WHERE seq = 5", 5),
        ("DELETE FROM event WHERE seq = 5", 5),
        ("DELETE FROM event WHERE seq = 1", 1),
        ("DELETE FROM event WHERE seq = 5; UPDATE event SET seq = seq - 1 WHERE seq > 5", 5),
        (
            "UPDATE event SET seq = -1 WHERE seq = 5; UPDATE event SET seq = 5 WHERE seq = 6;
            UPDATE event SET seq = 6 WHERE seq = -1",
            5,
        ),
        // Cut off the end, with and without an end of the forger's own.
        ("DELETE FROM event WHERE seq = 8", 8),
        ("DELETE FROM event WHERE seq > 5", 6),
        ("DELETE FROM event", 1),
        ("DELETE FROM event; DELETE FROM trail_end", 1),
        ("DELETE FROM event WHERE seq > 5; DELETE FROM trail_end", 6),
        ("DELETE FROM event WHERE seq > 5; UPDATE trail_end SET seq = 5", 6),
        ("DELETE FROM event WHERE seq > 5;
            UPDATE trail_end SET seq = 5, mac = (SELECT mac FROM event WHERE seq = 5)", 6),
        ("DELETE FROM event WHERE seq > 5;
            UPDATE trail_end SET (seq, mac, proof) = (SELECT 5, mac, mac FROM event WHERE seq = 5)", 6),
        ("DELETE FROM trail_end", 9),
        ("UPDATE trail_end SET proof = mac", 9),
        ("INSERT INTO event SELECT 9, at, environment_id, kind, actor, factor_id, challenge_id, user_id, detail, mac
            FROM event WHERE seq = 8", 9),
    ] {
        let house = busy().await;
        for statement in edit.split(';') {
            house.edit(statement, &[]).await;
        }
        let (entries, broken_at) = house.trail().await;
        assert_eq!(broken_at, Some(found_at), "{edit}");
        assert_eq!(entries.len(), usize::try_from(found_at).unwrap() - 1, "{edit}");
    }
}

/// Puts back what the row about the end said earlier.
const KEPT: &str = "UPDATE trail_end SET seq = $1, mac = $2, proof = $3";

/// What was tampered with before a start is found after it, whatever has been added since.
#[tokio::test]
async fn asvs_16_4_2_entries_added_after_a_cut_do_not_cover_it() {
    for (edit, found_at) in [
        ("DELETE FROM event WHERE seq > 1000", None),
        ("DELETE FROM event WHERE seq > 5", Some(6)),
        ("DELETE FROM event WHERE seq > 5; DELETE FROM trail_end", Some(6)),
        ("DELETE FROM event; DELETE FROM trail_end", Some(1)),
        // An end that was true once: the entries after it are more than it says.
        (KEPT, Some(9)),
    ] {
        let house = House::new().await;
        let factor = house.totp(Some("ada")).await;
        let seq = house.count("SELECT seq FROM trail_end").await;
        let mac = house.bytes("SELECT mac FROM trail_end").await.remove(0);
        let proof = house.bytes("SELECT proof FROM trail_end").await.remove(0);
        for _ in 0..5 {
            let challenge = house.challenge(factor.id).await;
            house.told(challenge, factor.wrong(noon()), noon()).await;
        }
        let house = house.reopened().await;
        let kept = [Param::Int(seq), Param::Bytes(&mac), Param::Bytes(&proof)];
        for statement in edit.split(';') {
            house.edit(statement, if edit == KEPT { &kept } else { &[] }).await;
        }
        // Still nothing is done without its record, and the record shows the gap.
        house.totp(None).await;
        assert_eq!(house.trail().await.1, found_at, "{edit}");
        let house = house.reopened().await;
        house.totp(None).await;
        assert_eq!(house.trail().await.1, found_at, "{edit}");
    }
}

/// Pages end where they are told to, and only the last is held against the end.
#[tokio::test]
async fn the_trail_is_whole_page_by_page() {
    let house = busy().await;
    for limit in [1, 3, 4, 8, 9] {
        let (mut end, mut pages) = (ChainEnd::default(), 0);
        loop {
            let page =
                house.store.query(ReadTrail { after: end, limit, ring: house.ring.clone() }).await.unwrap();
            assert_eq!(page.broken_at, None, "limit {limit}");
            pages += 1;
            if page.end == end {
                break;
            }
            end = page.end;
        }
        assert_eq!((end.seq, pages), (8, 8u32.div_ceil(limit) + 1));
    }
}

/// What is refused was not done: no entry. What is wrong is one entry, whatever the code was.
#[tokio::test]
async fn every_attempt_is_one_entry_and_a_refusal_is_none() {
    let house = House::new().await;
    let factor = house.totp(None).await;
    let challenge = house.challenge(factor.id).await;
    let before = house.trail().await.0.len();
    for (submitted, told, entries) in [
        (factor.wrong(noon()), "FALSE", 1),
        (secrets::Submitted::parse("nonsense\n"), "FALSE", 2),
        (factor.code(noon()), "TRUE", 3),
        (factor.code(noon()), "VERIFIED", 3),
    ] {
        assert_eq!(house.told(challenge, submitted, noon()).await, told);
        assert_eq!(house.trail().await.0.len() - before, entries);
    }
}
