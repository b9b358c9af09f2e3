//! Answering a challenge: the only place that knows the order of checks (W6, steps 3 to 8).

use crate::{
    budget::Standing,
    event::{EventKind, WrongReason},
    factor::Guard,
    id::ChallengeId,
    refusal::Refusal,
    time::{Timestamp, is_live},
    user_budget::UserBudget,
    wrong_attempts::{WrongAttempt, WrongAttempts},
};
use secrets::{Digest, KeyRing, Submitted, TotpSeed, Window};

/// Attempts a challenge has (W8).
pub const ATTEMPTS_MAX: u32 = 5;
/// Lifetime of a challenge whose code is sent, in seconds (NIST SP 800-63B-4 §3.1.3.2: at most ten minutes).
pub const SENT_CODE_LIFETIME_SECONDS: u32 = 600;
/// Steps before and after the present one in which the step of a wrong code is looked for: five minutes. It opens
/// nothing; it tells why the code was wrong.
const NEAR_STEPS: u64 = 10;
/// How long a finished challenge keeps its answer, in seconds (W8).
pub const FINISHED_KEPT_SECONDS: u32 = 86_400;

/// One request for proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Its id, which says when it was opened.
    pub id: ChallengeId,
    /// The moment from which it is refused.
    pub expires_at: Timestamp,
    /// Attempts spent so far, 0 to 5.
    pub attempts_used: u32,
    /// When a right code was given.
    pub verified_at: Option<Timestamp>,
    /// Its wrong attempts so far.
    pub wrong: WrongAttempts,
}

/// What a submitted code is compared with.
pub enum Proof<'a> {
    /// The steps of a seed around now.
    Totp(&'a TotpSeed),
    /// The digest of the code that was sent for this challenge.
    Sent(&'a KeyRing, &'a Digest),
}

/// The limits of the environment that this decision needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `factor_lock_after`
    pub factor_lock_after: u32,
    /// `user_lock_after`
    pub user_lock_after: u32,
}

/// Evidence that a code was compared and found right. Nothing outside this file can make one, and recording an
/// acceptance takes one (F28).
#[derive(Debug, PartialEq, Eq)]
pub struct Accepted {
    step: Option<u64>,
}

impl Accepted {
    /// The TOTP step that is used up now; `None` for a code that was sent.
    #[must_use]
    pub const fn step(&self) -> Option<u64> {
        self.step
    }
}

/// What is concluded about one code.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Right.
    Right(Accepted),
    /// Wrong; the reason is for the trail only.
    Wrong(WrongReason),
}

/// The state after an attempt, to be written whole or not at all.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Answered {
    /// The conclusion.
    pub verdict: Verdict,
    /// The challenge, its attempt spent.
    pub challenge: Challenge,
    /// The factor's guard.
    pub guard: Guard,
    /// The user's budget, if the attempt was wrong and there is a user.
    pub user: Option<UserBudget>,
    /// For the trail.
    pub events: Vec<EventKind>,
}

/// The label under which the digest of a sent code is made; the challenge's id is part of what is digested, so a code
/// fits its own challenge only.
const SENT_CODE: &str = "challenge.code";

/// The digest at rest of a code that is sent for a challenge.
#[must_use]
pub fn sent_code_digest(ring: &KeyRing, challenge: ChallengeId, code: &secrets::Code) -> Digest {
    ring.digest(SENT_CODE, &[challenge.bytes(), code.reveal().as_bytes()])
}

/// Answers a challenge: refuses, or spends one attempt and then compares.
///
/// `user` is the budget of the factor's user, if it has one.
///
/// # Errors
/// A refusal; then nothing is spent and nothing may be written.
pub fn answer(
    challenge: &Challenge,
    guard: &Guard,
    user: Option<&UserBudget>,
    proof: &Proof<'_>,
    submitted: &Submitted,
    limits: Limits,
    now: Timestamp,
) -> Result<Answered, Refusal> {
    may_be_answered(challenge, guard, now)?;
    may_be_tried(guard, user, limits, now)?;

    // The attempt is spent here, before the code is looked at (I2). From now on the state is that of a wrong attempt,
    // and only an `Accepted` turns it into another.
    let mut challenge = Challenge { attempts_used: challenge.attempts_used + 1, ..*challenge };
    let spent = guard.budget.after_wrong(limits.factor_lock_after, now);

    match compare(&challenge, guard, proof, submitted, now) {
        Verdict::Right(accepted) => Ok(right(challenge, guard, accepted, now)),
        Verdict::Wrong(reason) => {
            challenge.wrong.push(WrongAttempt { at: now, reason });
            let mut guard = Guard { budget: spent, ..guard.clone() };
            if challenge.attempts_used >= ATTEMPTS_MAX {
                guard.open.remove(challenge.id);
            }
            let user = user.map(|budget| budget.after_wrong(now));
            let events = wrong_events(reason, &guard, user.as_ref(), limits, now);
            Ok(Answered { verdict: Verdict::Wrong(reason), challenge, guard, user, events })
        }
    }
}

/// Steps 3 to 5: what is final for this challenge. Waiting would not help, so it comes before the locks.
fn may_be_answered(challenge: &Challenge, guard: &Guard, now: Timestamp) -> Result<(), Refusal> {
    if challenge.verified_at.is_some() {
        return Err(Refusal::AlreadyVerified);
    }
    // A challenge without attempts left is no longer listed as open either, but it was not displaced.
    let used_up = challenge.attempts_used >= ATTEMPTS_MAX;
    let displaced = !used_up && !guard.open.contains(challenge.id);
    if displaced || !is_live(challenge.expires_at, now) {
        return Err(Refusal::Expired);
    }
    if used_up {
        return Err(Refusal::TooManyAttempts);
    }
    Ok(())
}

/// Step 6: whether the factor, and its user, may be tried at all.
///
/// # Errors
/// `Stopped`, or `Locked` for as long as the longer of the two locks.
pub fn may_be_tried(
    guard: &Guard,
    user: Option<&UserBudget>,
    limits: Limits,
    now: Timestamp,
) -> Result<(), Refusal> {
    let factor_until = match guard.budget.standing(now) {
        Standing::Stopped => return Err(Refusal::Stopped),
        Standing::LockedUntil(until) => Some(until),
        Standing::Free => None,
    };
    let user_until = user.and_then(|budget| budget.locked_until(limits.user_lock_after as usize, now));
    match factor_until.max(user_until) {
        Some(until) => Err(Refusal::Locked { retry_after: until.seconds_until(now) }),
        None => Ok(()),
    }
}

/// Step 8, the comparison.
fn compare(
    challenge: &Challenge,
    guard: &Guard,
    proof: &Proof<'_>,
    submitted: &Submitted,
    now: Timestamp,
) -> Verdict {
    let Submitted::WellFormed(code) = submitted else {
        return Verdict::Wrong(WrongReason::Malformed);
    };
    match proof {
        Proof::Totp(seed) => {
            let here = now.step();
            let window = Window { from: here.saturating_sub(1), to: here.saturating_add(1) };
            let found = secrets::matching_step(seed, code, window);
            if let Some(step) = found
                && guard.last_step.is_none_or(|last| step > last)
            {
                return Verdict::Right(Accepted { step: Some(step) });
            }
            // Looked for after a replay too, so that the time taken does not tell it from any other wrong code (I13).
            let near = Window { from: here.saturating_sub(NEAR_STEPS), to: here.saturating_add(NEAR_STEPS) };
            let near = std::hint::black_box(secrets::matching_step(seed, code, near));
            Verdict::Wrong(match found {
                Some(_) => WrongReason::Replay,
                // An old code that was used already says nothing about the phone's clock.
                None => near
                    .filter(|step| guard.last_step.is_none_or(|last| *step > last))
                    .map_or(WrongReason::Mismatch, |step| outside(step, now)),
            })
        }
        Proof::Sent(ring, digest) => {
            if sent_code_digest(ring, challenge.id, code).ct_eq(digest).into() {
                Verdict::Right(Accepted { step: None })
            } else {
                Verdict::Wrong(WrongReason::Mismatch)
            }
        }
    }
}

/// Why a code of this step, which is outside the window, is wrong.
fn outside(step: u64, now: Timestamp) -> WrongReason {
    let (begins, ended) = (Timestamp::of_step(step), Timestamp::of_step(step.saturating_add(1)));
    let off = if now < begins { begins } else { ended };
    let seconds = (now.millis() - off.millis()) / 1000;
    WrongReason::Outside { slow_by: i16::try_from(seconds).unwrap_or(0) }
}

/// The state after a right code.
fn right(challenge: Challenge, guard: &Guard, accepted: Accepted, now: Timestamp) -> Answered {
    let mut open = guard.open.clone();
    open.remove(challenge.id);
    let events = vec![EventKind::VerificationSucceeded { after_wrong: guard.budget.wrong_in_a_row }];
    Answered {
        challenge: Challenge { verified_at: Some(now), ..challenge },
        guard: Guard {
            budget: crate::budget::Budget::default(),
            last_step: accepted.step.or(guard.last_step),
            verified_at: guard.verified_at.or(Some(now)),
            open,
        },
        verdict: Verdict::Right(accepted),
        user: None,
        events,
    }
}

/// What the trail is told of a wrong attempt, and of the locks it brought about.
fn wrong_events(
    reason: WrongReason,
    guard: &Guard,
    user: Option<&UserBudget>,
    limits: Limits,
    now: Timestamp,
) -> Vec<EventKind> {
    let mut events = vec![EventKind::VerificationFailed(reason)];
    match guard.budget.standing(now) {
        Standing::Free => {}
        Standing::LockedUntil(until) => {
            events.push(EventKind::FactorLocked { until, wrong_in_a_row: guard.budget.wrong_in_a_row })
        }
        Standing::Stopped => events.push(EventKind::FactorStopped),
    }
    if let Some(until) = user.and_then(|u| u.locked_until(limits.user_lock_after as usize, now)) {
        events.push(EventKind::UserLocked { until });
    }
    events
}

#[cfg(doctest)]
mod evidence;
#[cfg(test)]
mod tests;
