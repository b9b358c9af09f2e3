//! Random histories against a naive model that knows the rules of W6, W8 and W9 as plain counts and lists.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What may happen. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Act {
    Open { factor: usize },
    Wait { millis: i64 },
    Submit { challenge: usize, what: Typed },
}

#[derive(Clone, Copy, Debug)]
enum Typed {
    /// The code of the step that lies so far from now.
    Right(i64),
    /// The code of the last step accepted.
    Used,
    Wrong,
    Malformed,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let typed = prop_oneof![
        2 => (-2i64..=2).prop_map(Typed::Right),
        1 => Just(Typed::Used),
        6 => Just(Typed::Wrong),
        1 => Just(Typed::Malformed),
    ];
    let act = prop_oneof![
        2 => (0usize..2).prop_map(|factor| Act::Open { factor }),
        1 => prop_oneof![
            0i64..40_000,
            Just(30_000),
            29_000i64..70_000,
            500_000i64..700_000,
            Just(3_600_000),
            Just(86_400_000)
        ].prop_map(|millis| Act::Wait { millis }),
        12 => (0usize..12, typed).prop_map(|(challenge, what)| Act::Submit { challenge, what }),
    ];
    proptest::collection::vec(act, 1..160)
}

fn seed_of(factor: usize) -> TotpSeed {
    TotpSeed::from_bytes(&[u8::try_from(factor).unwrap() + 65; 20]).unwrap()
}

/// The server's state, as the store would keep it.
struct Real {
    guards: Vec<Guard>,
    user: UserBudget,
    challenges: Vec<(usize, Challenge)>,
}

/// The naive one.
#[derive(Default)]
struct Naive {
    factors: Vec<NaiveFactor>,
    user_wrong: Vec<i64>,
    challenges: Vec<NaiveChallenge>,
}

#[derive(Default)]
struct NaiveFactor {
    in_a_row: u32,
    last_wrong: i64,
    used: BTreeSet<u64>,
}

struct NaiveChallenge {
    factor: usize,
    opened: i64,
    ended: bool,
    spent: u32,
    verified: bool,
    displaced: bool,
}

const LIFE: i64 = 600_000;

impl Naive {
    fn lock_end(&self, factor: usize) -> i64 {
        let f = &self.factors[factor];
        if f.in_a_row < 10 {
            return 0;
        }
        f.last_wrong + (30_000 * 2i64.pow((f.in_a_row - 10).min(20))).min(3_600_000)
    }

    fn user_lock_end(&self) -> i64 {
        if self.user_wrong.len() < 20 {
            return 0;
        }
        self.user_wrong[self.user_wrong.len() - 20] + 86_400_000
    }

    fn open(&mut self, factor: usize, now: i64) {
        let live =
            |c: &NaiveChallenge| c.factor == factor && !c.ended && !c.displaced && now < c.opened + LIFE;
        let mut open: Vec<_> = self.challenges.iter_mut().filter(|c| live(c)).collect();
        if open.len() >= 10 {
            open[0].displaced = true;
        }
        self.challenges.push(NaiveChallenge {
            factor,
            opened: now,
            ended: false,
            spent: 0,
            verified: false,
            displaced: false,
        });
    }

    /// What W6 says: the refusal, or whether the code is right.
    fn submit(&mut self, n: usize, steps: Option<&[u64]>, now: i64) -> Result<bool, Refusal> {
        let c = &self.challenges[n];
        let factor = c.factor;
        if c.verified {
            return Err(Refusal::AlreadyVerified);
        }
        if c.displaced || now >= c.opened + LIFE {
            return Err(Refusal::Expired);
        }
        if c.spent == 5 {
            return Err(Refusal::TooManyAttempts);
        }
        if self.factors[factor].in_a_row >= 100 {
            return Err(Refusal::Stopped);
        }
        let end = self.lock_end(factor).max(self.user_lock_end());
        if now < end {
            let retry_after = u32::try_from((end - now + 999) / 1000).unwrap();
            return Err(Refusal::Locked { retry_after });
        }
        let f = &mut self.factors[factor];
        let c = &mut self.challenges[n];
        c.spent += 1;
        // The latest step that the code fits, if all steps used up so far lie before it.
        let step = steps.and_then(|fitting| fitting.last().copied());
        let right = step.filter(|step| f.used.iter().all(|used| used < step));
        match right {
            Some(step) => {
                f.used.insert(step);
                f.in_a_row = 0;
                c.verified = true;
                c.ended = true;
                Ok(true)
            }
            None => {
                f.in_a_row += 1;
                f.last_wrong = now;
                c.ended = c.spent == 5;
                self.user_wrong.push(now);
                Ok(false)
            }
        }
    }
}

fn submitted(what: Typed, seed: &TotpSeed, guard: &Guard, now: Timestamp) -> Submitted {
    let here = now.step();
    match what {
        Typed::Right(offset) => Submitted::WellFormed(hotp(seed, here.saturating_add_signed(offset))),
        Typed::Used => Submitted::WellFormed(hotp(seed, guard.last_step.unwrap_or(here + 5))),
        Typed::Wrong => {
            let near: Vec<Code> = (here - 3..=here + 3).map(|s| hotp(seed, s)).collect();
            let free = (0..9).map(|n| format!("00000{n}")).find(|t| near.iter().all(|c| c.reveal() != t));
            Submitted::parse(&free.unwrap())
        }
        Typed::Malformed => Submitted::parse("12 34 5x"),
    }
}

/// The steps around now that a code fits.
fn fitting(submitted: &Submitted, seed: &TotpSeed, now: Timestamp) -> Option<Vec<u64>> {
    let Submitted::WellFormed(code) = submitted else { return None };
    let here = now.step();
    Some((here - 1..=here + 1).filter(|s| hotp(seed, *s).reveal() == code.reveal()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// W6, W8, W9, I1 to I5 over any history of one user with two factors.
    #[test]
    fn any_history_goes_as_the_naive_model_says(acts in acts()) {
        let mut now = noon();
        let mut real = Real { guards: vec![Guard::default(); 2], user: UserBudget::default(), challenges: vec![] };
        let mut naive = Naive { factors: vec![NaiveFactor::default(), NaiveFactor::default()], ..Naive::default() };
        let mut accepted: BTreeMap<(usize, u64), u32> = BTreeMap::new();
        let mut accepted_on: BTreeMap<usize, u32> = BTreeMap::new();
        let mut compared: Vec<(usize, i64)> = Vec::new();
        for act in acts {
            match act {
                Act::Wait { millis } => now = Timestamp::from_millis(now.millis() + millis),
                Act::Open { factor } => {
                    let mut bytes = [0; 16];
                    bytes[15] = u8::try_from(real.challenges.len() + 1).unwrap();
                    let challenge = Challenge {
                        id: ChallengeId::from_bytes(bytes),
                        expires_at: now.plus_seconds(600),
                        attempts_used: 0,
                        wrong: WrongAttempts::default(),
                        verified_at: None,
                    };
                    real.guards[factor].open.admit(challenge.id, challenge.expires_at, now);
                    real.challenges.push((factor, challenge));
                    naive.open(factor, now.millis());
                }
                Act::Submit { challenge, what } => {
                    if real.challenges.is_empty() {
                        continue;
                    }
                    // Of the twelve newest.
                    let newest = real.challenges.len().min(12);
                    let n = real.challenges.len() - 1 - challenge % newest;
                    let (factor, challenge) = real.challenges[n];
                    let seed = seed_of(factor);
                    let guard = real.guards[factor].clone();
                    let code = submitted(what, &seed, &guard, now);
                    let steps = fitting(&code, &seed, now);
                    let expected = naive.submit(n, steps.as_deref(), now.millis());
                    let told =
                        answer(&challenge, &guard, Some(&real.user), &Proof::Totp(&seed), &code, LIMITS, now);
                    let told = match (told, expected) {
                        (Err(refusal), expected) => {
                            prop_assert_eq!(Err(refusal), expected);
                            continue;
                        }
                        (Ok(told), expected) => {
                            prop_assert_eq!(Ok(is_right(&told)), expected);
                            told
                        }
                    };
                    compared.push((factor, now.millis()));
                    // I2, W8: one attempt, and never more than five.
                    prop_assert_eq!(told.challenge.attempts_used, challenge.attempts_used + 1);
                    prop_assert!(told.challenge.attempts_used <= ATTEMPTS_MAX);
                    // I5: the last step never falls.
                    prop_assert!(told.guard.last_step >= guard.last_step);
                    match &told.verdict {
                        Verdict::Right(right) => {
                            *accepted.entry((factor, right.step().unwrap())).or_default() += 1;
                            *accepted_on.entry(n).or_default() += 1;
                        }
                        Verdict::Wrong(_) => {
                            // I3: no lock is ever shortened.
                            prop_assert!(told.guard.budget.locked_until >= guard.budget.locked_until);
                            let user = told.user.as_ref().unwrap();
                            prop_assert!(user.locked_until(20, now) >= real.user.locked_until(20, now));
                        }
                    }
                    real.challenges[n].1 = told.challenge;
                    real.guards[factor] = told.guard;
                    if let Some(user) = told.user {
                        real.user = user;
                    }
                }
            }
            // I1: once for each step of a factor, once for each challenge.
            prop_assert!(accepted.values().chain(accepted_on.values()).all(|n| *n == 1));
            for (f, guard) in real.guards.iter().enumerate() {
                prop_assert_eq!(guard.budget.wrong_in_a_row, naive.factors[f].in_a_row);
                prop_assert_eq!(guard.last_step, naive.factors[f].used.last().copied());
                prop_assert!(guard.open.len() <= 10);
            }
            // I4: in any 24 hours no more than 20 were wrong.
            let day_ago = now.millis() - 86_400_000;
            let wrong = naive.user_wrong.iter().filter(|at| **at > day_ago).count();
            prop_assert!(wrong <= 20);
        }
        prop_assert!(compared.len() >= accepted.len());
    }
}
