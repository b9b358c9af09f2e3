//! Setting the replay floor, after a backup was restored or a standby promoted that may lack the last acts.

use crate::{App, operator::OperatorError};
use domain::{event::Actor, time::Timestamp};
use store::steps::replay_floor::{RaiseToFloor, SealFloor};

/// Factors in one step: short enough not to be noticed beside verification.
const BITE: u32 = 5_000;

/// What it came to.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    /// No code of before this is accepted, of no factor.
    pub until: Timestamp,
    /// How many factors there are.
    pub factors: u64,
    /// How many messages were owed, and no longer are.
    pub messages_cancelled: u64,
}

impl App {
    /// Sees to it that nothing which may have been accepted before now is accepted again: no step up to the one after
    /// the present, and no challenge opened so far. Messages that were owed are cancelled.
    ///
    /// It may be run again, and must be if it breaks off: the event comes last.
    ///
    /// # Errors
    /// The store's; or while the clock cannot be trusted.
    pub async fn set_replay_floor(
        &self,
        actor: Actor,
        reason: String,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Floor, OperatorError> {
        let now = self.now()?;
        // A phone may be a step ahead, and its code have been accepted.
        let floor = now.step() + 1;
        let (mut factors, mut after) = (0, [0; 16]);
        loop {
            let raised = self.store().step(RaiseToFloor { floor, after, most: BITE }).await?;
            factors += raised.factors;
            progress(factors);
            match raised.last {
                Some(last) => after = last,
                None => break,
            }
        }
        let until = Timestamp::of_step(floor + 1);
        let messages_cancelled = self.store().step(SealFloor { actor, now, until, reason }).await?;
        Ok(Floor { until, factors, messages_cancelled })
    }
}
