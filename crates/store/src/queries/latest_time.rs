//! The latest time the store has seen.

use crate::{
    Failure, Query, Reads,
    statements::{LATEST_CHALLENGE, LATEST_FACTOR},
    trail::last_entry,
};
use domain::{
    id::{ChallengeId, FactorId},
    time::Timestamp,
};

/// Reads it from the newest event, factor and challenge: no clock may run behind that (fault 12).
pub struct LatestTime;

impl Query for LatestTime {
    type Out = Timestamp;

    async fn run<R: Reads>(&self, reads: &mut R) -> Result<Timestamp, Failure> {
        let (_, event) = last_entry(reads).await?;
        let factor = reads.one::<([u8; 16],)>(&LATEST_FACTOR, &[]).await?;
        let challenge = reads.one::<([u8; 16],)>(&LATEST_CHALLENGE, &[]).await?;
        let factor = factor.map(|(id,)| FactorId::from_bytes(id).created_at());
        let challenge = challenge.map(|(id,)| ChallengeId::from_bytes(id).created_at());
        Ok([Some(event), factor, challenge].into_iter().flatten().max().unwrap_or_default())
    }
}
