//! The outbox as it is watched.

use crate::{Failure, Query, Reads, statements::OLDEST_UNSETTLED_DELIVERY};
use domain::id::DeliveryId;

/// Finds the oldest message whose outcome is not known yet. Its id says since when it is owed.
pub struct OldestUnsettledDelivery;

impl Query for OldestUnsettledDelivery {
    type Out = Option<DeliveryId>;

    async fn run<R: Reads>(&self, reads: &mut R) -> Result<Option<DeliveryId>, Failure> {
        let row = reads.one::<([u8; 16],)>(&OLDEST_UNSETTLED_DELIVERY, &[]).await?;
        Ok(row.map(|(id,)| DeliveryId::from_bytes(id)))
    }
}
