//! The replay floor: what was accepted after a backup was made is not known to a store restored from it, so nothing
//! of that time may be accepted again.

use super::{at, step_param, whole_schema_is_known};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{CANCEL_DELIVERIES, GUARDS_AFTER, RAISE_LAST_STEPS},
};
use domain::{
    event::{Actor, Event, EventKind},
    time::Timestamp,
};

/// The outcome of a message that was owed when the floor was set.
const CANCELLED: &str = "cancelled";

/// Raises a bite of factors to the floor: no step up to it will be accepted, and no challenge opened so far can be
/// answered.
pub struct RaiseToFloor {
    /// The last step that is not accepted.
    pub floor: u64,
    /// Beyond this factor; zeros to begin with.
    pub after: [u8; 16],
    /// How many at most.
    pub most: u32,
}

/// What a bite came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised {
    /// Factors in it.
    pub factors: u64,
    /// The last of them, unless it was the end.
    pub last: Option<[u8; 16]>,
}

impl Step for RaiseToFloor {
    type Out = Raised;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Raised, Failure> {
        whole_schema_is_known(tx).await?;
        let params = [Param::Bytes(&self.after), Param::Int(i64::from(self.most))];
        let bite = tx.many::<([u8; 16],)>(&GUARDS_AFTER, &params).await?;
        let Some((last,)) = bite.last() else { return Ok(Raised { factors: 0, last: None }) };
        let params =
            [Param::Bytes(&self.after), Param::Bytes(last), step_param(Some(self.floor)), Param::Bytes(&[])];
        let factors = tx.exec(&RAISE_LAST_STEPS, &params).await?;
        Ok(Raised { factors, last: Some(*last) })
    }
}

/// Cancels every message that is still owed, and records the floor. Comes last: the event says that all is done.
pub struct SealFloor {
    /// By whom.
    pub actor: Actor,
    /// The present time.
    pub now: Timestamp,
    /// No code of before this is accepted.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

impl Step for SealFloor {
    /// How many messages were cancelled.
    type Out = u64;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<u64, Failure> {
        whole_schema_is_known(tx).await?;
        let cancelled = tx.exec(&CANCEL_DELIVERIES, &[Param::Text(CANCELLED), at(self.now)]).await?;
        tx.record(Event {
            at: self.now,
            environment: None,
            actor: self.actor.clone(),
            kind: EventKind::ReplayFloorSet { until: self.until, reason: self.reason.clone() },
            factor: None,
            challenge: None,
            user: None,
        });
        Ok(cancelled)
    }
}
