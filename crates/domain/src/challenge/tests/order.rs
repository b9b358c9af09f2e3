//! The order of checks (W6, steps 3 to 8).

use super::*;

/// What can stand in the way of an answer, in the order in which it must be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Obstacle {
    Verified,
    Expired,
    Displaced,
    UsedUp,
    Stopped,
    FactorLocked,
    UserLocked,
}
use Obstacle::{Displaced, Expired, FactorLocked, Stopped, UsedUp, UserLocked, Verified};

const ALL: [Obstacle; 7] = [Verified, Expired, Displaced, UsedUp, Stopped, FactorLocked, UserLocked];

/// The refusal that a set of obstacles comes to, straight from the numbered list of W6.
fn refusal_of(there: &[Obstacle]) -> Option<Refusal> {
    let has = |o| there.contains(&o);
    if has(Verified) {
        Some(Refusal::AlreadyVerified)
    } else if has(Expired) || (has(Displaced) && !has(UsedUp)) {
        Some(Refusal::Expired)
    } else if has(UsedUp) {
        Some(Refusal::TooManyAttempts)
    } else if has(Stopped) {
        Some(Refusal::Stopped)
    } else if has(UserLocked) {
        Some(Refusal::Locked { retry_after: 86_400 })
    } else if has(FactorLocked) {
        Some(Refusal::Locked { retry_after: 30 })
    } else {
        None
    }
}

#[test]
fn w6_steps_3_to_8_every_combination_of_obstacles_is_told_in_the_order_of_the_contract() {
    for set in 0u32..1 << ALL.len() {
        let there: Vec<_> =
            ALL.into_iter().enumerate().filter(|(i, _)| set & 1 << i != 0).map(|(_, o)| o).collect();
        let has = |o| there.contains(&o);
        let (mut challenge, mut guard) = fresh(1);
        if has(Verified) {
            challenge.verified_at = Some(noon());
        }
        if has(Expired) {
            challenge.expires_at = noon();
        }
        // What is used up is no longer listed either; nor is what was verified.
        if has(Displaced) || has(UsedUp) || has(Verified) {
            guard.open.remove(challenge.id);
        }
        if has(UsedUp) {
            challenge.attempts_used = ATTEMPTS_MAX;
        }
        let lock = has(FactorLocked).then(|| noon().plus_seconds(30));
        guard.budget = budget(if has(Stopped) { 100 } else { 10 }, lock);
        let user = user(if has(UserLocked) { 20 } else { 19 }, noon());
        for submitted in [code_of(noon().step()), wrong_at(noon().step()), Submitted::parse("nonsense")] {
            let proof = Proof::Totp(&seed());
            let told = answer(&challenge, &guard, Some(&user), &proof, &submitted, LIMITS, noon());
            assert_eq!(told.err(), refusal_of(&there), "{there:?} {submitted:?}");
        }
    }
}

#[test]
fn w8_a_challenge_lives_until_its_instant_and_not_a_millisecond_longer() {
    let (challenge, guard) = fresh(1);
    let end = challenge.expires_at.millis();
    for (now, refused) in [(end - 1, false), (end, true), (end + 1, true)] {
        let now = Timestamp::from_millis(now);
        let told = totp(&challenge, &guard, &code_of(now.step()), now);
        match refused {
            false => assert!(is_right(&told.unwrap())),
            true => assert_eq!(told.unwrap_err(), Refusal::Expired),
        }
    }
}

#[test]
fn w8_five_wrong_answers_are_compared_and_the_sixth_is_refused_though_it_is_right() {
    let (mut challenge, mut guard) = fresh(1);
    for attempt in 1..=5 {
        let told = totp(&challenge, &guard, &wrong_at(noon().step()), noon()).unwrap();
        assert_eq!(told.verdict, Verdict::Wrong(WrongReason::Mismatch));
        assert_eq!(told.challenge.attempts_used, attempt);
        (challenge, guard) = (told.challenge, told.guard);
    }
    let right = code_of(noon().step());
    assert_eq!(totp(&challenge, &guard, &right, noon()).unwrap_err(), Refusal::TooManyAttempts);
    // Once its time is over too, that is what is told: step 4 comes before step 5.
    let later = challenge.expires_at;
    assert_eq!(totp(&challenge, &guard, &code_of(later.step()), later).unwrap_err(), Refusal::Expired);
    // Its place among the ten is free again.
    assert!(guard.open.is_empty());
}

#[test]
fn w8_the_fifth_attempt_may_still_be_right() {
    let (challenge, guard) = fresh(1);
    let challenge = Challenge { attempts_used: 4, ..challenge };
    let told = totp(&challenge, &guard, &code_of(noon().step()), noon()).unwrap();
    assert!(is_right(&told));
    assert_eq!(told.challenge.attempts_used, 5);
    let again = totp(&told.challenge, &told.guard, &code_of(noon().step() + 1), noon());
    assert_eq!(again.unwrap_err(), Refusal::AlreadyVerified);
}

#[test]
fn w8_displaced_reads_as_expired_and_used_up_as_used_up_though_neither_is_listed() {
    let (challenge, mut guard) = fresh(1);
    for n in 2..=11 {
        guard.open.admit(id(n), noon().plus_seconds(600), noon());
    }
    let right = code_of(noon().step());
    assert_eq!(totp(&challenge, &guard, &right, noon()).unwrap_err(), Refusal::Expired);
    let partly_used = Challenge { attempts_used: 4, ..challenge };
    assert_eq!(totp(&partly_used, &guard, &right, noon()).unwrap_err(), Refusal::Expired);
    let used_up = Challenge { attempts_used: 5, ..challenge };
    assert_eq!(totp(&used_up, &guard, &right, noon()).unwrap_err(), Refusal::TooManyAttempts);
}
