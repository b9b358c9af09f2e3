//! Locks, stops and counts (W9, I2, I3, I4, I9).

use super::*;

#[test]
fn w9_the_tenth_wrong_attempt_locks_and_the_right_code_is_refused_uncounted_until_the_lock_ends() {
    let (challenge, mut guard) = fresh(1);
    guard.budget = budget(9, None);
    let told = totp(&challenge, &guard, &wrong_at(noon().step()), noon()).unwrap();
    assert_eq!(told.verdict, Verdict::Wrong(WrongReason::Mismatch));
    let until = noon().plus_seconds(30);
    let locked = EventKind::FactorLocked { until, wrong_in_a_row: 10 };
    assert_eq!(told.events, [EventKind::VerificationFailed(WrongReason::Mismatch), locked]);
    let (challenge, guard) = (told.challenge, told.guard);
    for (millis, retry_after) in [(0, 30), (1, 30), (1_000, 29), (29_999, 1)] {
        let now = Timestamp::from_millis(NOON + millis);
        // A refusal carries no state: there is nothing that could be counted.
        let told = totp(&challenge, &guard, &code_of(now.step()), now);
        assert_eq!(told.unwrap_err(), Refusal::Locked { retry_after });
    }
    assert!(is_right(&totp(&challenge, &guard, &code_of(until.step()), until).unwrap()));
}

#[test]
fn i3_the_hundredth_wrong_attempt_stops_and_no_waiting_helps() {
    let (challenge, mut guard) = fresh(1);
    guard.budget = budget(99, None);
    let told = totp(&challenge, &guard, &wrong_at(noon().step()), noon()).unwrap();
    assert_eq!(told.events.last(), Some(&EventKind::FactorStopped));
    for seconds in [0, 30, 3_600, 400_000_000] {
        let now = noon().plus_seconds(seconds);
        let challenge = Challenge { expires_at: now.plus_seconds(1), ..told.challenge };
        let refused = totp(&challenge, &told.guard, &code_of(now.step()), now);
        assert_eq!(refused.unwrap_err(), Refusal::Stopped);
    }
}

#[test]
fn i4_the_longer_of_the_two_locks_is_told() {
    let limits = LIMITS;
    let day = 86_400;
    for (factor_seconds, user_age, retry_after) in [
        (3_600, day - 10, Some(3_600)),
        (5, day - 10, Some(10)),
        (10, day - 10, Some(10)),
        (0, day - 10, Some(10)),
        (5, day, Some(5)),
        (0, day, None),
    ] {
        let (_, mut guard) = fresh(1);
        guard.budget = budget(10, Some(noon().plus_seconds(factor_seconds)));
        let user = user(20, noon().minus_seconds(user_age));
        let expected = retry_after.map_or(Ok(()), |retry_after| Err(Refusal::Locked { retry_after }));
        assert_eq!(may_be_tried(&guard, Some(&user), limits, noon()), expected);
    }
}

#[test]
fn i4_the_twentieth_wrong_attempt_of_a_user_is_told_to_the_trail_and_locks_every_factor() {
    let (challenge, guard) = fresh(1);
    let nineteen = user(19, noon().minus_seconds(100));
    let wrong = wrong_at(noon().step());
    let proof = Proof::Totp(&seed());
    let told = answer(&challenge, &guard, Some(&nineteen), &proof, &wrong, LIMITS, noon()).unwrap();
    let until = noon().plus_seconds(86_300);
    assert_eq!(told.events.last(), Some(&EventKind::UserLocked { until }));
    // Another factor of the same user, never tried.
    let (other, untouched) = fresh(2);
    let right = code_of(noon().step());
    let refused = answer(&other, &untouched, told.user.as_ref(), &proof, &right, LIMITS, noon());
    assert_eq!(refused.unwrap_err(), Refusal::Locked { retry_after: 86_300 });
}

#[test]
fn i4_true_returns_the_factors_count_to_zero_and_leaves_the_users_as_it_is() {
    let (challenge, mut guard) = fresh(1);
    guard.budget = budget(9, None);
    let nineteen = user(19, noon());
    let proof = Proof::Totp(&seed());
    let right = code_of(noon().step());
    let told = answer(&challenge, &guard, Some(&nineteen), &proof, &right, LIMITS, noon()).unwrap();
    assert!(is_right(&told));
    assert_eq!(told.guard.budget, Budget::default());
    assert_eq!(told.user, None, "nothing of the user's is written");
    assert_eq!(told.events, [EventKind::VerificationSucceeded { after_wrong: 9 }]);
    assert_eq!(told.challenge.verified_at, Some(noon()));
    assert_eq!(told.guard.verified_at, Some(noon()));
    assert!(!told.guard.open.contains(challenge.id));
}

#[test]
fn a_factor_keeps_the_time_of_its_first_verification() {
    let (challenge, mut guard) = fresh(1);
    guard.verified_at = Some(Timestamp::from_millis(1));
    let told = totp(&challenge, &guard, &code_of(noon().step()), noon()).unwrap();
    assert_eq!(told.guard.verified_at, Some(Timestamp::from_millis(1)));
}

/// F43, I9: a wrong code of any kind moves the attempt and the counts, and nothing else.
#[test]
fn f43_after_a_wrong_code_only_the_attempt_differs() {
    let (challenge, mut guard) = fresh(1);
    guard.open.admit(id(2), noon().plus_seconds(300), noon());
    guard.last_step = Some(noon().step());
    guard.verified_at = Some(Timestamp::from_millis(5));
    guard.budget = budget(3, None);
    let three = user(3, noon().minus_seconds(50));
    let proof = Proof::Totp(&seed());
    let mut after = Vec::new();
    for (submitted, reason) in [
        (wrong_at(noon().step()), WrongReason::Mismatch),
        (code_of(noon().step()), WrongReason::Replay),
        (Submitted::parse("12345"), WrongReason::Malformed),
    ] {
        let told = answer(&challenge, &guard, Some(&three), &proof, &submitted, LIMITS, noon()).unwrap();
        assert_eq!(told.verdict, Verdict::Wrong(reason));
        let mut wrong = WrongAttempts::default();
        wrong.push(WrongAttempt { at: noon(), reason });
        assert_eq!(told.challenge, Challenge { attempts_used: 1, wrong, ..challenge });
        assert_eq!(told.guard, Guard { budget: budget(4, None), ..guard.clone() });
        assert_eq!(told.user, Some(three.after_wrong(noon())));
        let nameless = Challenge { wrong: WrongAttempts::default(), ..told.challenge };
        after.push((nameless, told.guard, told.user));
    }
    // I13: the three kinds differ in their name alone, which only the trail and the timeline tell.
    assert!(after.windows(2).all(|pair| pair[0] == pair[1]));
}
