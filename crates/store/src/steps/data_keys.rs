//! The key ring at rest: wrapped data keys, rotation and re-sealing.

use super::{delivery_binding, factor_binding, whole_schema_is_known};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{
        CREATE_DATA_KEY, DELIVERIES_TO_RESEAL, FACTORS_TO_RESEAL, LIST_DATA_KEYS, RESEAL_DELIVERY,
        RESEAL_FACTOR, RETIRE_DATA_KEY, REWRAP_DATA_KEY, SET_TRAIL_END,
    },
    step::change_one,
    trail::{ChainEnd, EndRow},
};
use domain::{
    event::{Actor, Event, EventKind},
    time::Timestamp,
};
use secrets::{Entropy, KeyRecord, KeyRing};
use std::sync::Arc;

fn event(at: Timestamp, actor: &Actor, kind: EventKind) -> Event {
    Event { at, environment: None, actor: actor.clone(), kind, factor: None, challenge: None, user: None }
}

async fn create<T: Tx>(tx: &mut T, key: &KeyRecord) -> Result<(), Failure> {
    let params = [
        Param::Int(i64::from(key.id)),
        Param::Text(key.purpose.as_str()),
        Param::Bytes(&key.wrapped),
        Param::Int(key.created_at_ms),
        Param::Int(i64::from(key.retired)),
    ];
    change_one(tx, &CREATE_DATA_KEY, &params).await
}

/// Writes the first keys of a new store, and that its trail has no entry yet. Answers whether there were none before.
pub struct FoundKeyRing {
    /// The keys.
    pub keys: Vec<KeyRecord>,
    /// The same, opened.
    pub ring: KeyRing,
}

impl Step for FoundKeyRing {
    type Out = bool;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<bool, Failure> {
        if !tx.many::<(i64,)>(&LIST_DATA_KEYS, &[]).await?.is_empty() {
            return Ok(false);
        }
        for key in &self.keys {
            create(tx, key).await?;
        }
        let end = EndRow::of(ChainEnd::default(), &self.ring);
        change_one(tx, &SET_TRAIL_END, &end.params()).await?;
        Ok(true)
    }
}

/// Adds a seal key, which seals from now on.
pub struct AddDataKey {
    /// The present time.
    pub now: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// The key.
    pub key: KeyRecord,
}

impl Step for AddDataKey {
    type Out = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<(), Failure> {
        whole_schema_is_known(tx).await?;
        create(tx, &self.key).await?;
        tx.record(event(self.now, &self.actor, EventKind::KeyRotated(self.key.id)));
        Ok(())
    }
}

/// Marks seal keys that nothing is sealed with any more.
pub struct RetireDataKeys {
    /// Their numbers.
    pub ids: Vec<u32>,
}

impl Step for RetireDataKeys {
    type Out = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<(), Failure> {
        whole_schema_is_known(tx).await?;
        for id in &self.ids {
            tx.exec(&RETIRE_DATA_KEY, &[Param::Int(i64::from(*id))]).await?;
        }
        Ok(())
    }
}

/// Replaces every wrapping: the master key has changed. All or none.
pub struct RewrapDataKeys {
    /// The present time.
    pub now: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// The keys, wrapped anew.
    pub keys: Vec<KeyRecord>,
}

impl Step for RewrapDataKeys {
    type Out = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<(), Failure> {
        let stored = tx.many::<(i64,)>(&LIST_DATA_KEYS, &[]).await?;
        if stored.len() != self.keys.len() {
            return Err(Failure::internal("the key ring has changed meanwhile"));
        }
        for key in &self.keys {
            change_one(tx, &REWRAP_DATA_KEY, &[Param::Int(i64::from(key.id)), Param::Bytes(&key.wrapped)])
                .await?;
        }
        tx.record(event(self.now, &self.actor, EventKind::KeysRewrapped));
        Ok(())
    }
}

/// What is re-sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resealed {
    /// Seeds and numbers.
    Factors,
    /// Texts not yet sent.
    Deliveries,
}

/// Re-seals a bite of rows with the active key, in the order of their ids. Safe to run again at any time.
pub struct Reseal {
    /// Which rows.
    pub what: Resealed,
    /// Beyond this id; zeros to begin with.
    pub after: [u8; 16],
    /// How many rows to look at.
    pub most: u32,
    /// Opens and seals.
    pub ring: KeyRing,
    /// For the nonces.
    pub entropy: Arc<dyn Entropy>,
}

/// How far a bite came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResealedBite {
    /// The last id looked at; `None` when there are no more.
    pub last: Option<[u8; 16]>,
    /// Rows looked at.
    pub seen: u32,
    /// Rows sealed anew.
    pub changed: u32,
}

impl Step for Reseal {
    type Out = ResealedBite;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<ResealedBite, Failure> {
        whole_schema_is_known(tx).await?;
        let (list, update) = match self.what {
            Resealed::Factors => (&FACTORS_TO_RESEAL, &RESEAL_FACTOR),
            Resealed::Deliveries => (&DELIVERIES_TO_RESEAL, &RESEAL_DELIVERY),
        };
        let params = [Param::Bytes(&self.after), Param::Int(i64::from(self.most))];
        let rows = tx.many::<([u8; 16], [u8; 16], Vec<u8>)>(list, &params).await?;
        let mut bite = ResealedBite { last: None, seen: 0, changed: 0 };
        for (id, environment, sealed) in rows {
            bite.seen += 1;
            bite.last = Some(id);
            if KeyRing::key_id_of(&sealed) == Some(self.ring.active_seal_key()) {
                continue;
            }
            let bound_to = match self.what {
                Resealed::Factors => factor_binding(&environment, &id),
                Resealed::Deliveries => delivery_binding(&environment, &id),
            };
            let plain = self.ring.open_sealed(&bound_to, &sealed)?;
            let anew = self.ring.seal(self.entropy.as_ref(), &bound_to, &plain)?;
            let params =
                [Param::Bytes(&id), Param::Bytes(&environment), Param::Bytes(&anew.0), Param::Bytes(&sealed)];
            change_one(tx, update, &params).await?;
            bite.changed += 1;
        }
        Ok(bite)
    }
}
