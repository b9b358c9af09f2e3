//! A server in thirty lines that makes no mistakes, to have histories that are clean. One factor, one caller.
use crate::{
    checker::{LOCK_AFTER, PER_CHALLENGE},
    dice::Dice,
    history::{Act, Moment, Op, Outcome},
};
use loadgen::{clock::step_at, wire::Refusal};

#[derive(Default)]
struct Model {
    last_step: u64,
    wrong_in_a_row: usize,
    locked_until_ms: u64,
    /// Attempts used, and whether it is verified, of each challenge.
    challenges: Vec<(usize, bool)>,
}

impl Model {
    fn answer(&mut self, challenge: usize, step: Option<u64>, now_ms: u64) -> Outcome {
        let Some((attempts, verified)) = self.challenges.get_mut(challenge) else {
            return Outcome::Refused(Refusal::Gone);
        };
        if *verified {
            return Outcome::Refused(Refusal::Verified);
        }
        if *attempts >= PER_CHALLENGE {
            return Outcome::Refused(Refusal::Spent);
        }
        if now_ms < self.locked_until_ms {
            return Outcome::Refused(Refusal::Locked);
        }
        *attempts += 1;
        let accepted = step.filter(|s| *s > self.last_step && s.abs_diff(step_at(now_ms)) <= 1);
        if let Some(step) = accepted {
            (self.last_step, self.wrong_in_a_row, *verified) = (step, 0, true);
            return Outcome::Verdict(true);
        }
        self.wrong_in_a_row += 1;
        if let Some(nth) = self.wrong_in_a_row.checked_sub(LOCK_AFTER) {
            self.locked_until_ms = now_ms + (30_000u64 << nth.min(7)).min(3_600_000);
        }
        Outcome::Verdict(false)
    }
}

/// A clean history of one factor: some sixty operations. With `broken` some connections break, so that outcomes
/// are unknown.
pub(crate) fn history(dice: &mut Dice, factor: &str, broken: bool) -> Vec<Op> {
    let mut model = Model::default();
    let mut ops = Vec::new();
    let (mut seq, mut ms) = (0, 1_800_000_000_000 + dice.below(100_000));
    for nth in 0..60 {
        let pause = if dice.below(8) == 0 { 20_000 } else { 300 };
        ms += 1 + dice.below(pause);
        let opened = model.challenges.len();
        let named = |c: usize| format!("{factor}-c{c}");
        let challenge = usize::try_from(dice.below(opened as u64)).unwrap_or(0);
        let (act, outcome) = match dice.below(10) {
            _ if nth == 0 => (Act::Enroll, Outcome::Enrolled(factor.to_owned())),
            0 => (Act::Find { factor: factor.to_owned() }, Outcome::Found),
            // Never more than ten, so that none is displaced.
            1 | 2 if opened < 10 => {
                model.challenges.push((0, false));
                (Act::Open { factor: factor.to_owned() }, Outcome::Opened(named(opened)))
            }
            _ if opened == 0 => continue,
            kind => {
                let step = (kind < 6).then(|| step_at(ms) + dice.below(3) - 1);
                let act = Act::Verify { factor: factor.to_owned(), challenge: named(challenge), step };
                (act, model.answer(challenge, step, ms))
            }
        };
        let told = !(broken && nth > 0 && dice.below(12) == 0);
        let asked = Moment { seq, ms };
        (seq, ms) = (seq + 2, ms + dice.below(5));
        // What was opened but never told must stay unasked, as no caller can know its id.
        if !told && matches!(act, Act::Open { .. }) {
            model.challenges.pop();
        }
        let outcome = if told { outcome } else { Outcome::Unknown };
        ops.push(Op { act, asked, ended: Some(Moment { seq: seq - 1, ms }), outcome });
    }
    ops
}

#[cfg(test)]
mod tests {
    use super::history;
    use crate::{checker::check, dice::Dice, history::Outcome};

    #[test]
    fn a_clean_history_raises_no_alarm() {
        let mut dice = Dice::new(7);
        let (mut accepted, mut unknown) = (0, 0);
        for n in 0..2000 {
            let ops = history(&mut dice, "f", n % 2 == 0);
            let found = check(&ops);
            assert!(found.is_empty(), "{}\n{ops:#?}", found[0]);
            accepted += ops.iter().filter(|op| op.outcome == Outcome::Verdict(true)).count();
            unknown += ops.iter().filter(|op| op.outcome == Outcome::Unknown).count();
        }
        assert!(accepted > 1000 && unknown > 1000, "the histories are too dull to show anything");
    }
}
