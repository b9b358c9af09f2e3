//! The checker's own examination: anomalies of each kind are planted into clean histories, and it has to find
//! every one. A checker that misses what was planted proves nothing by finding nothing.
use crate::{
    checker::{Kind, LOCK_AFTER, PER_CHALLENGE, check},
    dice::Dice,
    history::{Act, Op, Outcome},
    locks::SLACK_MS,
    model,
};
use loadgen::wire::Refusal;
use std::fmt;

const KINDS: [Kind; 16] = [
    Kind::LostFactor,
    Kind::LostChallenge,
    Kind::IdTwice,
    Kind::StepTwice,
    Kind::StepBackwards,
    Kind::ChallengeTwice,
    Kind::ForgotVerified,
    Kind::WrongAccepted,
    Kind::RightRefused,
    Kind::ChallengeBudget,
    Kind::FactorBudget,
    Kind::PhantomVerified,
    Kind::PhantomSpent,
    Kind::PhantomLock,
    Kind::PhantomExpired,
    Kind::Unexpected,
];

/// What the examination came to.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    pub(crate) planted: usize,
    pub(crate) found: usize,
    pub(crate) missed: Vec<Kind>,
    pub(crate) clean: usize,
    pub(crate) false_alarms: usize,
}

impl Examined {
    pub(crate) fn passed(&self) -> bool {
        self.planted > 0 && self.found == self.planted && self.false_alarms == 0 && self.missed.is_empty()
    }
}

impl fmt::Display for Examined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Examined { planted, found, missed, clean, false_alarms } = self;
        write!(f, "planted: {planted} anomalies of {} kinds, found {found}; ", KINDS.len())?;
        write!(f, "{clean} clean histories, false alarms {false_alarms}")?;
        if missed.is_empty() { Ok(()) } else { write!(f, "; missed: {missed:?}") }
    }
}

/// Plants `each` anomalies of each kind and looks through as many clean histories.
pub(crate) fn examine(seed: u64, each: usize) -> Examined {
    let mut dice = Dice::new(seed);
    let mut examined = Examined::default();
    for kind in KINDS {
        for _ in 0..each {
            let Some(ops) = with_one(&mut dice, kind) else {
                examined.missed.push(kind);
                continue;
            };
            examined.planted += 1;
            if check(&ops).iter().any(|v| v.kind == kind) {
                examined.found += 1;
            } else {
                examined.missed.push(kind);
            }
        }
    }
    for n in 0..each {
        examined.clean += 1;
        examined.false_alarms += usize::from(!check(&model::history(&mut dice, "f", n % 2 == 0)).is_empty());
    }
    examined
}

/// A history with one anomaly. Not each history has a place for each kind, so some are thrown away.
fn with_one(dice: &mut Dice, kind: Kind) -> Option<Vec<Op>> {
    (0..10_000).find_map(|_| {
        let mut ops = model::history(dice, "f", false);
        let places: Vec<(usize, Outcome, Option<u64>)> =
            (0..ops.len()).filter_map(|at| plant(&ops, at, kind)).collect();
        let (at, outcome, step) = dice.pick(&places)?.clone();
        let op = ops.get_mut(at)?;
        op.outcome = outcome;
        if let (Act::Verify { step: old, .. }, Some(new)) = (&mut op.act, step) {
            *old = Some(new);
        }
        Some(ops)
    })
}

/// How operation `at` would have to end for the history to hold an anomaly of this kind, if it can; and the step
/// its code then is right for, where that has to change.
fn plant(ops: &[Op], at: usize, kind: Kind) -> Option<(usize, Outcome, Option<u64>)> {
    let op = ops.get(at)?;
    let earlier = || ops.iter().take(at);
    let verify = |op: &Op| match &op.act {
        Act::Verify { challenge, step, .. } => Some((challenge.clone(), *step, op.outcome.clone())),
        _ => None,
    };
    let tries = || earlier().filter_map(verify);
    let accepted = || tries().filter(|(_, _, outcome)| *outcome == Outcome::Verdict(true));
    let refused = |r: Refusal| Some((at, Outcome::Refused(r), None));
    let (is_false, is) = (op.outcome == Outcome::Verdict(false), |r| op.outcome == Outcome::Refused(r));
    let here = verify(op);
    let step = here.as_ref().and_then(|(_, step, _)| *step);
    let same = |challenge: &String| here.as_ref().is_some_and(|(c, ..)| c == challenge);
    let fits = match kind {
        Kind::LostFactor => return matches!(op.act, Act::Find { .. }).then(|| refused(Refusal::Gone))?,
        Kind::LostChallenge => return here.and_then(|_| refused(Refusal::Gone)),
        Kind::IdTwice => {
            let ids = earlier().find(|o| matches!(o.outcome, Outcome::Opened(_)));
            return ids
                .filter(|_| matches!(op.outcome, Outcome::Opened(_)))
                .map(|o| (at, o.outcome.clone(), None));
        }
        Kind::Unexpected => return refused(Refusal::Other("500 {}".into())),
        Kind::StepTwice => is_false && step.is_some() && accepted().any(|(_, s, _)| s == step),
        Kind::StepBackwards => is_false && step.is_some() && accepted().any(|(_, s, _)| s > step),
        Kind::ChallengeTwice => is(Refusal::Verified),
        Kind::WrongAccepted => is_false && step.is_none(),
        Kind::ForgotVerified if is(Refusal::Verified) => return Some((at, Outcome::Verdict(false), None)),
        Kind::ChallengeBudget if is(Refusal::Spent) => return Some((at, Outcome::Verdict(false), None)),
        // Well inside the lock: at its very end the checker gives the benefit of doubt.
        Kind::FactorBudget if is(Refusal::Locked) => {
            let next = ops.get(at + 1).filter(|o| o.asked.ms > op.asked.ms + 2 * SLACK_MS)?;
            return (next.outcome == Outcome::Refused(Refusal::Locked)).then_some((
                at,
                Outcome::Verdict(false),
                None,
            ));
        }
        Kind::RightRefused if op.outcome == Outcome::Verdict(true) => {
            return Some((at, Outcome::Verdict(false), None));
        }
        Kind::PhantomVerified if is_false && !accepted().any(|(c, ..)| same(&c)) => {
            return refused(Refusal::Verified);
        }
        Kind::PhantomSpent if is_false && tries().filter(|(c, ..)| same(c)).count() < PER_CHALLENGE - 1 => {
            return refused(Refusal::Spent);
        }
        Kind::PhantomLock if is_false && tries().count() < LOCK_AFTER - 1 => return refused(Refusal::Locked),
        Kind::PhantomExpired if is_false => return refused(Refusal::Expired),
        _ => false,
    };
    // The remaining kinds are a TRUE where there must be none; of a challenge, with a code of its own.
    let later = accepted().filter_map(|(_, s, _)| s).max().map(|s| s + 1);
    let step = if kind == Kind::ChallengeTwice { later } else { None };
    fits.then_some((at, Outcome::Verdict(true), step))
}

#[cfg(test)]
mod tests {
    use super::examine;

    #[test]
    fn every_planted_anomaly_is_found_and_nothing_else() {
        let examined = examine(11, 40);
        assert!(examined.passed(), "{examined}");
    }
}
