//! When a factor must have been locked (W9): a lower bound that holds whatever the order was in which the server
//! took what ran side by side.
use crate::{
    checker::LOCK_AFTER,
    history::{Op, Outcome},
};

/// By how much the server may take requests in another order than it read the time for them.
pub(crate) const SLACK_MS: u64 = 200;

/// A wrong attempt that was compared although the factor was locked, if there is one. `resets` are the attempts
/// that set the count to 0, or may have.
pub(crate) fn compared_while_locked<'a>(
    resets: impl Iterator<Item = &'a Op>,
    wrong: impl Iterator<Item = &'a Op>,
) -> Option<&'a Op> {
    let resets: Vec<&Op> = resets.collect();
    let mut runs: Vec<Vec<&Op>> = vec![Vec::new(); resets.len() + 1];
    for op in wrong {
        // A run is what lies between two resets and beside none of them.
        if resets.iter().all(|r| surely_before(r, op) || op.before(r)) {
            let run = resets.iter().filter(|r| surely_before(r, op)).count();
            if let Some(run) = runs.get_mut(run) {
                run.push(op);
            }
        }
    }
    runs.iter().find_map(|run| too_soon(run))
}

/// One whose outcome is unknown may take effect after its end: a database goes on with what a node that is gone sent it.
fn surely_before(reset: &Op, op: &Op) -> bool {
    reset.outcome == Outcome::Verdict(true) && reset.before(op)
}

/// Of `n` attempts in a row the k-th to be compared was compared no sooner than the k-th to be asked, and no later
/// than the k-th to end. So if the k-th end is sooner than the ask before it plus the lock, a lock was broken.
fn too_soon<'a>(run: &[&'a Op]) -> Option<&'a Op> {
    let mut asked: Vec<u64> = run.iter().map(|op| op.asked.ms).collect();
    let mut ended: Vec<(u64, &Op)> = run.iter().filter_map(|op| Some((op.ended?.ms, *op))).collect();
    asked.sort_unstable();
    ended.sort_unstable_by_key(|(ms, _)| *ms);
    let pairs = asked.iter().skip(LOCK_AFTER - 1).zip(ended.iter().skip(LOCK_AFTER));
    let mut locks = pairs.zip(0u32..);
    locks
        .find(|((asked, (ended, _)), nth)| ended + SLACK_MS < *asked + lock_ms(*nth))
        .map(|((_, (_, op)), _)| *op)
}

/// The length of the `nth` lock, from 0: 30 s, doubling, at most an hour (W9).
fn lock_ms(nth: u32) -> u64 {
    (30_000u64 << nth.min(7)).min(3_600_000)
}

#[cfg(test)]
mod tests {
    use super::{Op, Outcome, compared_while_locked, lock_ms};
    use crate::history::{Act, Moment};

    fn at(seq: u64, ms: u64, valid: bool) -> Op {
        let act = Act::Verify { factor: "f".into(), challenge: "c".into(), step: None };
        let (asked, ended) = (Moment { seq, ms }, Some(Moment { seq: seq + 1, ms: ms + 10 }));
        Op { act, asked, ended, outcome: Outcome::Verdict(valid) }
    }

    #[test]
    fn locks_double_up_to_an_hour() {
        assert_eq!([0, 1, 6, 7, 90].map(lock_ms), [30_000, 60_000, 1_920_000, 3_600_000, 3_600_000]);
    }

    /// I3, W9: the eleventh in a row waits 30 s, the twelfth 60 s more; a TRUE between starts anew.
    #[test]
    fn an_attempt_compared_within_a_lock_is_seen() {
        let ten: Vec<Op> = (0..10).map(|n| at(10 + 2 * n, 100 * n, false)).collect();
        let look = |more: &[Op], reset: &[Op]| {
            let wrong: Vec<&Op> = ten.iter().chain(more).collect();
            compared_while_locked(reset.iter(), wrong.into_iter()).is_some()
        };
        assert!(!look(&[], &[]));
        assert!(look(&[at(50, 25_000, false)], &[]));
        assert!(!look(&[at(50, 31_000, false)], &[]));
        assert!(look(&[at(50, 31_000, false), at(60, 80_000, false)], &[]));
        assert!(!look(&[at(50, 25_000, false)], &[at(40, 20_000, true)]));
        // Right before all of them, it may have come about between them if its outcome is unknown.
        let early = at(2, 0, true);
        assert!(look(&[at(50, 25_000, false)], std::slice::from_ref(&early)));
        assert!(!look(&[at(50, 25_000, false)], &[Op { outcome: Outcome::Unknown, ..early }]));
    }
}
