//! The heart, tested: the order of checks, what a code is worth, what the budgets say, and a model to compare with.

mod budgets;
mod codes;
mod model;
mod order;

use super::*;
use crate::budget::Budget;
use secrets::{Code, MasterKey, SystemEntropy, hotp};

const LIMITS: Limits = Limits { factor_lock_after: 10, user_lock_after: 20 };

/// A moment in the middle of a step, far from 1970.
const NOON: i64 = 1_800_000_015_000;

fn noon() -> Timestamp {
    Timestamp::from_millis(NOON)
}

fn seed() -> TotpSeed {
    TotpSeed::from_bytes(b"12345678901234567890").unwrap()
}

fn ring() -> KeyRing {
    let master = MasterKey::generate(&SystemEntropy).unwrap();
    KeyRing::create(&SystemEntropy, &master, 0).unwrap().0
}

fn id(n: u8) -> ChallengeId {
    ChallengeId::from_bytes([n; 16])
}

/// The code of a step, as somebody types it.
fn code_of(step: u64) -> Submitted {
    Submitted::WellFormed(hotp(&seed(), step))
}

/// A well-formed code that is right at none of the steps around `step`.
fn wrong_at(step: u64) -> Submitted {
    let near: Vec<Code> = (step.saturating_sub(2)..=step + 2).map(|s| hotp(&seed(), s)).collect();
    let taken = |text: &str| near.iter().any(|code| code.reveal() == text);
    let text = (0..9).map(|n| format!("00000{n}")).find(|text| !taken(text)).unwrap();
    Submitted::parse(&text)
}

/// A challenge that is fresh at noon, and a guard that lists it.
fn fresh(n: u8) -> (Challenge, Guard) {
    let challenge = Challenge {
        id: id(n),
        expires_at: noon().plus_seconds(600),
        attempts_used: 0,
        verified_at: None,
        wrong: WrongAttempts::default(),
    };
    let mut guard = Guard::default();
    guard.open.admit(challenge.id, challenge.expires_at, noon());
    (challenge, guard)
}

fn totp(
    challenge: &Challenge,
    guard: &Guard,
    submitted: &Submitted,
    now: Timestamp,
) -> Result<Answered, Refusal> {
    answer(challenge, guard, None, &Proof::Totp(&seed()), submitted, LIMITS, now)
}

fn is_right(answered: &Answered) -> bool {
    matches!(answered.verdict, Verdict::Right(_))
}

/// A guard with so many wrong attempts behind it, locked until the given moment.
fn budget(wrong_in_a_row: u32, locked_until: Option<Timestamp>) -> Budget {
    Budget { wrong_in_a_row, locked_until }
}

/// A user with so many wrong attempts, all at one moment.
fn user(wrong: usize, when: Timestamp) -> UserBudget {
    (0..wrong).fold(UserBudget::default(), |budget, _| budget.after_wrong(when))
}
