//! Keeping a message that was claimed, before it is dispatched once more or after it had to wait: only while its challenge
//! is open, and only if nobody has settled it meanwhile.

use super::{at, claim_deliveries::is_open};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{CLAIMED_DELIVERY, HOLD_DELIVERY},
};
use domain::{
    delivery::LEASE_SECONDS,
    dispatch::Dispatches,
    id::{ChallengeId, DeliveryId, EnvironmentId},
    time::Timestamp,
};

/// The step.
pub struct HoldDelivery {
    /// The present time.
    pub now: Timestamp,
    /// In which environment.
    pub environment: EnvironmentId,
    /// Which one.
    pub delivery: DeliveryId,
    /// The tries so far: known also if we die in the next one.
    pub dispatches: Dispatches,
}

/// What there is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is ours for another lease, and may be dispatched.
    Ours,
    /// Its challenge is over, answered or displaced, or its factor deleted: there is nobody to send it for.
    Useless,
    /// It was settled meanwhile, so it may not be dispatched by us.
    Lost,
}

impl Step for HoldDelivery {
    type Out = Held;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Held, Failure> {
        let id = Param::Bytes(self.delivery.bytes());
        let environment = Param::Bytes(self.environment.bytes());
        type Row = ([u8; 16], i64, Option<Vec<u8>>);
        let Some((challenge, until, open)) = tx.one::<Row>(&CLAIMED_DELIVERY, &[id, environment]).await?
        else {
            return Ok(Held::Lost);
        };
        if !is_open(ChallengeId::from_bytes(challenge), until, open.as_deref(), self.now)? {
            return Ok(Held::Useless);
        }
        let lease = at(self.now.plus_seconds(LEASE_SECONDS));
        let tries = self.dispatches.to_text();
        tx.exec(&HOLD_DELIVERY, &[id, environment, lease, Param::MaybeText(tries.as_deref())]).await?;
        Ok(Held::Ours)
    }
}
