use super::*;
use crate::{
    id::ChallengeId,
    wrong_attempts::{WrongAttempt, WrongAttempts},
};

const OPENED: i64 = 1_800_000_000_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(OPENED + millis)
}

fn id_bytes() -> [u8; 16] {
    let mut id = [7; 16];
    id[..6].copy_from_slice(&OPENED.to_be_bytes()[2..]);
    id
}

fn record() -> ChallengeRecord {
    let challenge = Challenge {
        id: ChallengeId::from_bytes(id_bytes()),
        expires_at: at(600_000),
        attempts_used: 0,
        verified_at: None,
        wrong: WrongAttempts::default(),
    };
    let factor = FactorId::from_bytes([1; 16]);
    ChallengeRecord { challenge, factor, kind: FactorKind::Sms, listed: Some(true), deliveries: Vec::new() }
}

fn delivery() -> DeliveryRecord {
    let mut dispatches = Dispatches::default();
    for (millis, provider, ended, cause) in
        [(10_000, "one", Ended::Busy, "no connection in time"), (10_400, "two", Ended::Accepted, "")]
    {
        let (provider, cause) = (provider.into(), cause.into());
        dispatches.push(Dispatch { at: at(millis), took_ms: 5_000, provider, ended, cause });
    }
    DeliveryRecord {
        id: DeliveryId::from_bytes(id_bytes()),
        channel: Channel::Sms,
        outcome: Some((DispatchOutcome::Accepted, Some(at(10_400)))),
        provider: Some("two".into()),
        message_id: Some("m1".into()),
        dispatches,
        receipts: Receipts::default(),
    }
}

fn told(record: &ChallengeRecord, now: i64) -> Vec<String> {
    record
        .happened(at(now))
        .iter()
        .map(|h| format!("{} {}: {}", h.at.millis() - OPENED, h.what, h.text))
        .collect()
}

#[test]
fn a_text_that_failed_over_arrived_and_was_answered_is_told_from_the_beginning() {
    let (mut record, mut delivery) = (record(), delivery());
    // The receipts came the wrong way round.
    for (millis, stage, reason) in [(14_000, Stage::Delivered, ""), (14_001, Stage::Sent, "")] {
        assert!(delivery.receipts.note(Receipt { at: at(millis), stage, reason: reason.into() }));
    }
    assert_eq!(delivery.state(), "delivered");
    record.deliveries.push(delivery);
    record.challenge.wrong.push(WrongAttempt { at: at(20_000), reason: WrongReason::Mismatch });
    record.challenge.verified_at = Some(at(30_000));
    assert_eq!(
        told(&record, 700_000),
        [
            "0 opened: the challenge was opened",
            "10000 busy: one could not take it (no connection in time, 5.0 s)",
            "10400 accepted: two accepted the message in 5.0 s",
            "14000 delivered: delivered after 14 s",
            "14001 sent: handed to the carrier after 14 s",
            "20000 wrong_code: wrong code",
            "30000 right_code: right code",
        ]
    );
    assert_eq!(record.state(at(700_000)), State::Verified);
}

#[test]
fn why_a_code_was_wrong_is_told() {
    let mut record = record();
    for (n, reason) in (1..).zip([
        WrongReason::Outside { slow_by: 70 },
        WrongReason::Outside { slow_by: -40 },
        WrongReason::Replay,
        WrongReason::Malformed,
    ]) {
        record.challenge.wrong.push(WrongAttempt { at: at(n), reason });
    }
    assert_eq!(
        told(&record, 600_000)[1..],
        [
            "1 wrong_code: wrong code: its step was 70 s old: typed late, or the phone's clock is slow",
            "2 wrong_code: wrong code: its step begins 40 s later, so the phone's clock is fast",
            "3 wrong_code: wrong code: it, or a later one, was used before",
            "4 wrong_code: wrong code: not six digits",
            "600000 expired: its time was over without a right code",
        ]
    );
}

#[test]
fn how_a_challenge_stands() {
    let mut one = record();
    assert_eq!(one.state(at(599_999)), State::Open);
    assert_eq!(one.state(at(600_000)), State::Expired);
    one.listed = Some(false);
    assert_eq!(one.state(at(0)), State::Displaced);
    one.challenge.attempts_used = 5;
    assert_eq!(one.state(at(0)), State::AttemptsUsedUp);
    one.listed = None;
    assert_eq!(one.state(at(0)), State::Withdrawn);
    let words: std::collections::HashSet<_> = State::ALL.iter().map(|state| state.word()).collect();
    assert_eq!(words.len(), State::ALL.len());
}

#[test]
fn what_was_lost_with_its_server_and_what_nobody_took_is_told() {
    let (mut record, mut lost) = (record(), delivery());
    lost.dispatches = Dispatches::default();
    lost.outcome = Some((DispatchOutcome::Unknown, Some(at(60_000))));
    let mut unsent = delivery();
    unsent.outcome = Some((DispatchOutcome::NotSent, None));
    let pending = DeliveryRecord { outcome: None, ..lost.clone() };
    assert_eq!(pending.state(), "pending");
    record.deliveries.extend([lost, unsent]);
    let told = told(&record, 0);
    assert!(told.iter().any(|line| line.starts_with("60000 unknown: its server ended")), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("0 not_sent: nobody took")), "{told:?}");
}
