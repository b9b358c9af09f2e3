//! After the server has come back: asking about everything that was acknowledged before. The answers go into the
//! same history, and the checker says whether they fit.
use crate::{
    caller::{Caller, Guess},
    checker::{PER_CHALLENGE, by_factor},
    history::{Act, Op, Outcome},
};
use loadgen::wire::Factor;
use std::collections::BTreeSet;

/// Probes each of `factors` against what `ops` say of it.
///
/// # Errors
/// One sentence if the server cannot be reached: it was ready a moment ago.
pub(crate) async fn probe(caller: &mut Caller, factors: &[Factor], ops: &[Op]) -> Result<(), String> {
    let by_factor = by_factor(ops);
    for factor in factors {
        let ops = by_factor.get(&factor.id).map(Vec::as_slice).unwrap_or_default();
        one(caller, factor, ops).await.ok_or("the server cannot be reached, though it was ready")?;
    }
    Ok(())
}

async fn one(caller: &mut Caller, factor: &Factor, ops: &[&Op]) -> Option<()> {
    caller.find(factor).await?;
    let mut right: BTreeSet<u64> = BTreeSet::new();
    for challenge in opened(ops) {
        let tries = ops.iter().filter_map(|op| match &op.act {
            Act::Verify { challenge: c, step, .. } if c == challenge => Some((*step, &op.outcome)),
            _ => None,
        });
        let steps = tries.clone().filter_map(|(step, _)| step).max();
        let told_wrong = tries.filter(|(_, outcome)| **outcome == Outcome::Verdict(false)).count();
        if let Some(step) = steps {
            // Told TRUE: still VERIFIED. Unknown: TRUE or VERIFIED, and used up from now on in either case.
            right.insert(step);
            caller.verify(factor, challenge, Guess::Right(step)).await?;
        } else if told_wrong > 0 {
            // What was told is counted: never more than five in all.
            for wrong in 0..=PER_CHALLENGE - told_wrong.min(PER_CHALLENGE) {
                caller.verify(factor, challenge, Guess::Wrong(u32::try_from(wrong).unwrap_or(0))).await?;
            }
        }
    }
    // No code that was accepted before is accepted on a new challenge.
    for step in right.into_iter().rev() {
        if let Some(challenge) = caller.open(factor).await? {
            caller.verify(factor, &challenge, Guess::Right(step)).await?;
        }
    }
    Some(())
}

/// The challenges that were told.
fn opened<'a>(ops: &[&'a Op]) -> impl Iterator<Item = &'a str> {
    let ids = ops.iter().filter_map(|op| match &op.outcome {
        Outcome::Opened(challenge) => Some(challenge.as_str()),
        _ => None,
    });
    ids.collect::<Vec<_>>().into_iter()
}
