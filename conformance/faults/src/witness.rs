//! After each fault: asks about what was acknowledged, and checks all that is known of it.
use crate::{
    caller::Caller,
    checker::{self, Violation},
    dice::Dice,
    front::Front,
    history::{Journal, Op, Outcome},
    probe::probe,
    run::Run,
};
use loadgen::wire::{Factor, Refusal};
use std::{fmt, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Factors of earlier faults that are asked about again after each later one.
const REMEMBERED: usize = 16;
/// Factors of one fault that are asked about, at most: each costs some ten requests.
const ASKED_ABOUT: usize = 320;
const CALLERS: usize = 8;

/// What it has seen so far.
#[derive(Default)]
pub(crate) struct Witness {
    old: Vec<(Factor, Vec<Op>)>,
    pub(crate) acknowledged: usize,
    pub(crate) accepted: usize,
    pub(crate) unknown: usize,
    pub(crate) busy: usize,
    pub(crate) probed: usize,
    pub(crate) violations: Vec<Violation>,
}

impl Witness {
    /// Asks about the factors of this fault and some of earlier ones, and checks all that is known of them.
    ///
    /// # Errors
    /// One sentence if no node can be reached, or the history cannot be written.
    pub(crate) async fn look(
        &mut self,
        front: &Arc<Front>,
        journal: &Arc<Journal>,
        dice: &mut Dice,
        factors: Vec<Factor>,
    ) -> Result<(), String> {
        journal.flush()?;
        let before = journal.take();
        let mut ops = before.clone();
        ops.extend(self.old.iter().flat_map(|(_, ops)| ops.iter().cloned()));
        let few = factors.len().div_ceil(ASKED_ABOUT).max(1);
        let all: Vec<Factor> =
            factors.iter().step_by(few).chain(self.old.iter().map(|(f, _)| f)).cloned().collect();
        let ops = Arc::new(ops);
        let mut probes = JoinSet::new();
        for some in all.chunks(all.len().div_ceil(CALLERS).max(1)) {
            let (some, ops) = (some.to_vec(), ops.clone());
            let mut caller = Caller::new(front, journal, Duration::from_secs(15));
            probes.spawn(async move { probe(&mut caller, &some, &ops).await });
        }
        while let Some(done) = probes.join_next().await {
            done.map_err(|e| e.to_string())??;
        }
        let everything: Vec<Op> = ops.iter().cloned().chain(journal.take()).collect();
        self.violations.extend(checker::check(&everything));

        let count = |wanted: Outcome| before.iter().filter(|op| op.outcome == wanted).count();
        let (unknown, busy) = (count(Outcome::Unknown), count(Outcome::Refused(Refusal::Busy)));
        self.probed += all.len();
        self.unknown += unknown;
        self.busy += busy;
        self.acknowledged += before.len() - unknown - busy;
        self.accepted += count(Outcome::Verdict(true));
        // Keep a few for the next faults. One that has been asked about often is full of attempts: let it go.
        let by_factor = checker::by_factor(&everything);
        let few = |factor: Factor| {
            let ops: Vec<Op> = by_factor.get(&factor.id)?.iter().map(|op| (*op).clone()).collect();
            (ops.len() < 60).then_some((factor, ops))
        };
        self.old = all.into_iter().filter(|_| dice.below(4) == 0).filter_map(few).take(REMEMBERED).collect();
        Ok(())
    }

    /// Adds what another has seen.
    pub(crate) fn add(&mut self, other: Witness) {
        self.acknowledged += other.acknowledged;
        self.accepted += other.accepted;
        self.unknown += other.unknown;
        self.busy += other.busy;
        self.probed += other.probed;
        self.violations.extend(other.violations);
    }

    /// Says the first violations, and whether there are none.
    pub(crate) fn clean(&self, run: &Run, when: &str) -> bool {
        self.violations.iter().take(5).for_each(|v| run.say(&format!("{when}: {v}")));
        self.violations.is_empty()
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Witness { acknowledged, accepted, unknown, busy, probed, violations, .. } = self;
        write!(f, "acknowledged {acknowledged}, of these TRUE {accepted}; unknown {unknown}, busy {busy}; ")?;
        write!(f, "factors probed {probed}; violations {}", violations.len())
    }
}
