//! Looks through a history for what must never be (I1 to I3, I8). It says nothing of which it is not sure:
//! operations that ran side by side, or whose outcome is unknown, are given every benefit of doubt.
use crate::history::{Act, Op, Outcome};
use loadgen::{clock::step_at, wire::Refusal};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

/// A kind of thing gone wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// An acknowledged factor is not there.
    LostFactor,
    /// An acknowledged challenge is not there.
    LostChallenge,
    /// Two ids are the same.
    IdTwice,
    /// Two TRUE for one step of a factor.
    StepTwice,
    /// TRUE for a step before one that had been accepted.
    StepBackwards,
    /// Two TRUE for one challenge.
    ChallengeTwice,
    /// A challenge known to be verified answered as if it were not.
    ForgotVerified,
    /// TRUE for a wrong code.
    WrongAccepted,
    /// FALSE for a right code that nothing can have used up.
    RightRefused,
    /// A sixth code compared for one challenge.
    ChallengeBudget,
    /// A code compared while the factor must have been locked.
    FactorBudget,
    /// VERIFIED, but no right code was handed in.
    PhantomVerified,
    /// SPENT, but not five codes were handed in.
    PhantomSpent,
    /// LOCKED, but not ten codes were handed in.
    PhantomLock,
    /// EXPIRED, but neither time nor newer challenges explain it.
    PhantomExpired,
    /// An answer that is none of the contract's for this request.
    Unexpected,
}

/// One thing gone wrong, with what it was seen in.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) kind: Kind,
    pub(crate) factor: String,
    pub(crate) seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}: {}", self.kind, self.factor, self.seen)
    }
}

/// Codes compared for one challenge (W8).
pub(crate) const PER_CHALLENGE: usize = 5;
/// The wrong attempt in a row that locks the factor first (W9).
pub(crate) const LOCK_AFTER: usize = 10;
/// Challenges of a factor that are open at once (W8).
const OPEN_AT_ONCE: usize = 10;
/// How long a challenge lives (W8).
const CHALLENGE_MS: u64 = 600_000;

/// Everything gone wrong in a history.
pub(crate) fn check(ops: &[Op]) -> Vec<Violation> {
    let mut violations = ids_are_new(ops);
    for (factor, ops) in by_factor(ops) {
        let check = OneFactor { factor, ops, found: Vec::new() };
        violations.extend(check.run());
    }
    let strange = |op: &&Op| {
        matches!(op.outcome, Outcome::Refused(Refusal::Other(_) | Refusal::Rate | Refusal::Stopped))
    };
    violations.extend(ops.iter().filter(strange).map(|op| Violation {
        kind: Kind::Unexpected,
        factor: op.factor().unwrap_or("a new factor").to_owned(),
        seen: format!("{op:?}"),
    }));
    violations
}

/// The operations of each factor, in the order they were asked.
pub(crate) fn by_factor(ops: &[Op]) -> BTreeMap<String, Vec<&Op>> {
    let mut by_factor: BTreeMap<String, Vec<&Op>> = BTreeMap::new();
    for op in ops {
        if let Some(factor) = op.factor() {
            by_factor.entry(factor.to_owned()).or_default().push(op);
        }
    }
    by_factor.values_mut().for_each(|ops| ops.sort_by_key(|op| op.asked));
    by_factor
}

fn ids_are_new(ops: &[Op]) -> Vec<Violation> {
    let mut seen: HashMap<&str, &Op> = HashMap::new();
    let made = ops.iter().filter_map(|op| match &op.outcome {
        Outcome::Enrolled(id) | Outcome::Opened(id) => Some((id, op)),
        _ => None,
    });
    let twice = made.filter_map(|(id, op)| Some((id, seen.insert(id, op)?, op)));
    let violation = |(id, first, op): (&String, &Op, &Op)| Violation {
        kind: Kind::IdTwice,
        factor: id.clone(),
        seen: format!("{first:?} and {op:?}"),
    };
    twice.map(violation).collect()
}

struct OneFactor<'a> {
    factor: String,
    ops: Vec<&'a Op>,
    found: Vec<Violation>,
}

/// A verify, taken apart.
#[derive(Clone, Copy)]
struct Try<'a> {
    op: &'a Op,
    challenge: &'a str,
    step: Option<u64>,
}

impl Try<'_> {
    fn verdict(&self) -> Option<bool> {
        match self.op.outcome {
            Outcome::Verdict(valid) => Some(valid),
            _ => None,
        }
    }

    /// Whether it accepted a code, or may have. BUSY implies no verdict (W5): the write may have reached the disk
    /// although its sync failed.
    fn may_have_accepted(&self) -> bool {
        let open = matches!(self.op.outcome, Outcome::Unknown | Outcome::Refused(Refusal::Busy));
        self.verdict() == Some(true) || open && self.step.is_some()
    }

    /// Whether it spent an attempt, or may have: after a fault an attempt may stay spent (W5).
    fn may_have_spent(&self) -> bool {
        matches!(self.op.outcome, Outcome::Verdict(_) | Outcome::Unknown | Outcome::Refused(Refusal::Busy))
    }

    fn refused(&self, refusal: &Refusal) -> bool {
        matches!(&self.op.outcome, Outcome::Refused(r) if r == refusal)
    }
}

impl OneFactor<'_> {
    fn run(mut self) -> Vec<Violation> {
        let ops = self.ops.clone();
        let tries: Vec<Try> = ops
            .iter()
            .filter_map(|op| match &op.act {
                Act::Verify { challenge, step, .. } => Some(Try { op, challenge, step: *step }),
                _ => None,
            })
            .collect();
        self.nothing_is_lost(&ops);
        self.accepted_once(&tries);
        self.verdicts_are_true(&tries);
        self.budgets_hold(&tries);
        self.refusals_have_reasons(&ops, &tries);
        self.found
    }

    fn found(&mut self, kind: Kind, seen: &[&Op]) {
        let seen = seen.iter().map(|op| format!("{op:?}")).collect::<Vec<_>>().join("\n    ");
        self.found.push(Violation { kind, factor: self.factor.clone(), seen });
    }

    /// I8. A challenge may only be asked for after it was told, so GONE is always a loss.
    fn nothing_is_lost(&mut self, ops: &[&Op]) {
        for op in ops.iter().filter(|op| op.outcome == Outcome::Refused(Refusal::Gone)) {
            let kind =
                if matches!(op.act, Act::Verify { .. }) { Kind::LostChallenge } else { Kind::LostFactor };
            self.found(kind, &[op]);
        }
    }

    /// I1, I5: for each step and for each challenge at most one TRUE, and steps only rise.
    fn accepted_once(&mut self, tries: &[Try]) {
        let accepted: Vec<&Try> = tries.iter().filter(|t| t.verdict() == Some(true)).collect();
        for (i, b) in accepted.iter().enumerate() {
            for a in accepted.iter().take(i) {
                if a.step == b.step && a.step.is_some() {
                    self.found(Kind::StepTwice, &[a.op, b.op]);
                }
                if a.challenge == b.challenge {
                    self.found(Kind::ChallengeTwice, &[a.op, b.op]);
                }
                let (first, later) = if a.op.before(b.op) { (a, b) } else { (b, a) };
                if first.op.before(later.op) && later.step.is_some() && later.step < first.step {
                    self.found(Kind::StepBackwards, &[first.op, later.op]);
                }
            }
        }
        for a in &accepted {
            for b in tries.iter().filter(|b| b.challenge == a.challenge && a.op.before(b.op)) {
                let remembered = matches!(
                    b.op.outcome,
                    Outcome::Unknown
                        | Outcome::Verdict(true)
                        | Outcome::Refused(
                            Refusal::Verified | Refusal::Busy | Refusal::Gone | Refusal::Other(_)
                        )
                );
                if !remembered {
                    self.found(Kind::ForgotVerified, &[a.op, b.op]);
                }
            }
        }
    }

    fn verdicts_are_true(&mut self, tries: &[Try]) {
        for t in tries {
            match (t.verdict(), t.step) {
                (Some(true), None) => self.found(Kind::WrongAccepted, &[t.op]),
                (Some(false), Some(step)) if in_window(t.op, step) => {
                    let used_up =
                        |r: &Try| r.may_have_accepted() && r.step >= t.step && r.op.may_explain(t.op);
                    if !tries.iter().any(used_up) {
                        self.found(Kind::RightRefused, &[t.op]);
                    }
                }
                _ => {}
            }
        }
    }

    /// I2, I3. What was told is counted, before and after a crash.
    fn budgets_hold(&mut self, tries: &[Try]) {
        let mut compared: HashMap<&str, Vec<&Op>> = HashMap::new();
        for t in tries.iter().filter(|t| t.verdict().is_some()) {
            compared.entry(t.challenge).or_default().push(t.op);
        }
        for ops in compared.values().filter(|ops| ops.len() > PER_CHALLENGE) {
            self.found(Kind::ChallengeBudget, ops);
        }
        if let Some(op) = crate::locks::compared_while_locked(
            tries.iter().filter(|t| t.may_have_accepted()).map(|t| t.op),
            tries.iter().filter(|t| t.verdict() == Some(false)).map(|t| t.op),
        ) {
            self.found(Kind::FactorBudget, &[op]);
        }
    }

    /// A refusal that nothing explains means that something was counted or kept that never happened.
    fn refusals_have_reasons(&mut self, ops: &[&Op], tries: &[Try]) {
        for t in tries {
            let others = || tries.iter().filter(|o| o.op.may_explain(t.op));
            let same = || others().filter(|o| o.challenge == t.challenge);
            if t.refused(&Refusal::Verified) && !same().any(Try::may_have_accepted) {
                self.found(Kind::PhantomVerified, &[t.op]);
            }
            if t.refused(&Refusal::Spent) && same().filter(|o| o.may_have_spent()).count() < PER_CHALLENGE {
                self.found(Kind::PhantomSpent, &[t.op]);
            }
            if t.refused(&Refusal::Locked) && others().filter(|o| o.may_have_spent()).count() < LOCK_AFTER {
                self.found(Kind::PhantomLock, &[t.op]);
            }
            if t.refused(&Refusal::Expired) {
                let opens = ops.iter().filter(|o| matches!(o.act, Act::Open { .. }) && o.may_explain(t.op));
                let opened =
                    opens.clone().find(|o| matches!(&o.outcome, Outcome::Opened(c) if c == t.challenge));
                let aged = opened.is_none_or(|o| {
                    let now = t.op.ended.unwrap_or(t.op.asked).ms;
                    now.saturating_sub(o.asked.ms) >= CHALLENGE_MS
                });
                if opens.count() <= OPEN_AT_ONCE && !aged {
                    self.found(Kind::PhantomExpired, &[t.op]);
                }
            }
        }
    }
}

/// Whether `step` lies in the window (W9) at each instant at which `op` can have been answered.
fn in_window(op: &Op, step: u64) -> bool {
    op.ended.is_some_and(|end| step_at(end.ms) <= step + 1 && step <= step_at(op.asked.ms) + 1)
}
