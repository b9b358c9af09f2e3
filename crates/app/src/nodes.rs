//! What several nodes on one database must agree on without talking to each other.

use crate::App;
use secrets::{DataKeyId, KeyRing, KeyRingError, MasterKey, Purpose};
use std::{sync::PoisonError, time::Duration};
use store::{Failure, Store, queries::ReadDataKeys};

/// A new data key seals this long after it was made: by then every node has read it and can open what it seals.
pub const KEY_SETTLES: Duration = Duration::from_millis(2_500);

/// Why the key ring could not be read anew.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] Failure),
    /// It is wrapped under another master key by now.
    #[error("the key ring does not open with this node's master key; restart it with the new one: {0}")]
    Ring(#[from] KeyRingError),
}

impl App {
    /// Whether other nodes may use the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.store(), Store::Postgres(_))
    }

    /// Reads the data keys anew: keys that another node has made open from now on, and seal once they have settled.
    ///
    /// # Errors
    /// When the store does not answer, or new keys are wrapped under another master key; then the ring stays.
    pub async fn reload_key_ring(&self, master: &MasterKey) -> Result<(), RingError> {
        let records = self.store().query(ReadDataKeys).await?;
        let ring = self.ring();
        let settled = self.now()?.millis() - i64::try_from(KEY_SETTLES.as_millis()).unwrap_or(i64::MAX);
        let seals = records.iter().filter(|r| r.purpose == Purpose::Seal);
        let active = seals
            .clone()
            .filter(|r| !r.retired && r.created_at_ms <= settled)
            .map(|r| DataKeyId(r.id))
            .max()
            .unwrap_or(ring.active_seal_key());
        let known = ring.seal_key_ids();
        let all_known = seals.clone().all(|r| known.contains(&DataKeyId(r.id)));
        let ring = match all_known {
            true if active == ring.active_seal_key() => return Ok(()),
            true => ring,
            false => KeyRing::open(master, &records)?,
        };
        if let Some(ring) = ring.sealing_with(active) {
            *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
            tracing::info!(sealing_with = active.0, "the data keys are read anew");
        }
        Ok(())
    }
}
