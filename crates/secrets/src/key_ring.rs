//! The key ring: every key that works on data, open in memory and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::digest::{Digest, KeyedSha256};
use crate::entropy::{Entropy, EntropyFailed};
use crate::key_wrap::{Purpose, Wrapper};
use crate::master_key::MasterKey;
use crate::seal::{self, Binding, DataKeyId, OpenError, SealError, SealKey, Sealed};

/// One key as the store keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its number, never given twice, whatever the purpose.
    pub id: u32,
    /// What it is for.
    pub purpose: Purpose,
    /// The key, wrapped by the master key.
    pub wrapped: Vec<u8>,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// A retired seal key still opens what it sealed, but seals nothing more; a retired digest or audit key is not
    /// used at all.
    pub retired: bool,
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .field("created_at_ms", &self.created_at_ms)
            .field("retired", &self.retired)
            .finish_non_exhaustive()
    }
}

/// Why there is no key ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyRingError {
    /// A key does not open: it was wrapped under another master key, or its record has been changed.
    #[error(
        "key {id} does not open: this is not the master key it was wrapped with, or the record was changed"
    )]
    WrongMaster {
        /// The key.
        id: u32,
    },
    /// The ring was opened with another master key than the one given now.
    #[error("this is not the master key the key ring was opened with")]
    OtherMaster,
    /// No key serves this purpose.
    #[error("the key ring has no {} key in use", .0.as_str())]
    Missing(Purpose),
    /// Two keys claim to be the only one of this purpose.
    #[error("the key ring has more than one {} key in use", .0.as_str())]
    Ambiguous(Purpose),
    /// Two records have one number.
    #[error("the key ring has two keys numbered {id}")]
    Duplicate {
        /// The number.
        id: u32,
    },
    /// All 2^32 numbers have been given.
    #[error("the key ring has no number left for a new key")]
    Full,
    /// No randomness for a new key.
    #[error(transparent)]
    Entropy(#[from] EntropyFailed),
}

/// The keys, open. A clone is the same ring.
#[derive(Clone)]
pub struct KeyRing(Arc<Keys>);

#[derive(Clone)]
struct Keys {
    seal: BTreeMap<DataKeyId, SealKey>,
    /// One of `seal`, kept beside it so that sealing cannot miss.
    active: SealKey,
    digest: KeyedSha256,
    audit: KeyedSha256,
    /// The highest number given so far.
    last_id: u32,
    /// Of the master key this ring was opened with.
    master: Digest,
}

impl KeyRing {
    /// A ring of fresh keys, one for each purpose, and their records to be stored.
    ///
    /// # Errors
    /// [`KeyRingError::Entropy`] if there is no randomness.
    pub fn create(
        entropy: &dyn Entropy,
        master: &MasterKey,
        now_ms: i64,
    ) -> Result<(KeyRing, Vec<KeyRecord>), KeyRingError> {
        let wrapper = Wrapper::new(master);
        let records = [(1, Purpose::Seal), (2, Purpose::Digest), (3, Purpose::Audit)]
            .into_iter()
            .map(|(id, purpose)| fresh(entropy, &wrapper, purpose, id, now_ms).map(|(_, record)| record))
            .collect::<Result<Vec<_>, _>>()?;
        Ok((KeyRing::open(master, &records)?, records))
    }

    /// The ring that `records` are. The seal key in use with the highest number becomes the active one.
    ///
    /// # Errors
    /// If the master key is not theirs, or they do not make a whole ring: at least one seal key, one digest key and
    /// one audit key in use, no number twice.
    pub fn open(master: &MasterKey, records: &[KeyRecord]) -> Result<KeyRing, KeyRingError> {
        let wrapper = Wrapper::new(master);
        let mut ids = BTreeSet::new();
        let mut seal = BTreeMap::new();
        let (mut active, mut digest, mut audit) = (None, None, None);

        for record in records {
            let id = record.id;
            if !ids.insert(id) {
                return Err(KeyRingError::Duplicate { id });
            }
            let key = unwrap(&wrapper, record)?;
            match record.purpose {
                Purpose::Seal => {
                    seal.insert(DataKeyId(id), SealKey::new(DataKeyId(id), &key));
                    if !record.retired {
                        active = active.max(Some(DataKeyId(id)));
                    }
                }
                Purpose::Digest => only(&mut digest, &key, record)?,
                Purpose::Audit => only(&mut audit, &key, record)?,
            }
        }

        let active =
            active.and_then(|id| seal.get(&id).cloned()).ok_or(KeyRingError::Missing(Purpose::Seal))?;
        Ok(KeyRing(Arc::new(Keys {
            seal,
            active,
            digest: digest.ok_or(KeyRingError::Missing(Purpose::Digest))?,
            audit: audit.ok_or(KeyRingError::Missing(Purpose::Audit))?,
            last_id: ids.last().copied().unwrap_or(0),
            master: wrapper.fingerprint(),
        })))
    }

    /// This ring with a fresh seal key, which becomes the active one, and its record to be stored. Values sealed
    /// before still open.
    ///
    /// # Errors
    /// [`KeyRingError::OtherMaster`] if `master` is not the one this ring was opened with (the new record would be
    /// the only one it opens), [`KeyRingError::Entropy`], [`KeyRingError::Full`].
    pub fn with_new_seal_key(
        &self,
        entropy: &dyn Entropy,
        master: &MasterKey,
        now_ms: i64,
    ) -> Result<(KeyRing, KeyRecord), KeyRingError> {
        let wrapper = Wrapper::new(master);
        if !bool::from(wrapper.fingerprint().ct_eq(&self.0.master)) {
            return Err(KeyRingError::OtherMaster);
        }
        let id = self.0.last_id.checked_add(1).ok_or(KeyRingError::Full)?;
        let (key, record) = fresh(entropy, &wrapper, Purpose::Seal, id, now_ms)?;

        let mut keys = Keys::clone(&self.0);
        keys.active = SealKey::new(DataKeyId(id), &key);
        keys.seal.insert(DataKeyId(id), keys.active.clone());
        keys.last_id = id;
        Ok((KeyRing(Arc::new(keys)), record))
    }

    /// The same keys wrapped by another master key. Nothing that they sealed or digested changes.
    ///
    /// # Errors
    /// [`KeyRingError::WrongMaster`] if `old` is not theirs, [`KeyRingError::Entropy`]. Then none is rewrapped.
    pub fn rewrap(
        records: &[KeyRecord],
        old: &MasterKey,
        new: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<Vec<KeyRecord>, KeyRingError> {
        let (old, new) = (Wrapper::new(old), Wrapper::new(new));
        records
            .iter()
            .map(|record| {
                let key = unwrap(&old, record)?;
                let wrapped = new.wrap(entropy, record.purpose, record.id, &key)?.0;
                Ok(KeyRecord { wrapped, ..record.clone() })
            })
            .collect()
    }

    /// The key that seals from now on.
    #[must_use]
    pub fn active_seal_key(&self) -> DataKeyId {
        self.0.active.id()
    }

    /// All keys that open, in rising order.
    #[must_use]
    pub fn seal_key_ids(&self) -> Vec<DataKeyId> {
        self.0.seal.keys().copied().collect()
    }

    /// `plain`, sealed under the active key for the place `bound_to`.
    ///
    /// # Errors
    /// [`SealError`] if there is no randomness for the nonce.
    pub fn seal(
        &self,
        entropy: &dyn Entropy,
        bound_to: &Binding<'_>,
        plain: &[u8],
    ) -> Result<Sealed, SealError> {
        self.0.active.seal(entropy, bound_to, plain)
    }

    /// What was sealed, if it was sealed by a key of this ring for this very place and has not been changed.
    ///
    /// # Errors
    /// [`OpenError`] otherwise. An envelope that does not open is a fault to be told of, never a wrong code.
    pub fn open_sealed(
        &self,
        bound_to: &Binding<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let id = KeyRing::key_id_of(sealed).ok_or(OpenError::Malformed)?;
        self.0.seal.get(&id).ok_or(OpenError::UnknownKey(id))?.open(bound_to, sealed)
    }

    /// The key that an envelope says it was sealed with; `None` if it is no envelope.
    #[must_use]
    pub fn key_id_of(sealed: &[u8]) -> Option<DataKeyId> {
        seal::key_id_of(sealed)
    }

    /// The keyed image of `parts` under the digest key. Each part is framed by its length, so fields that shift across
    /// a join give another digest (F38); `label` says what is digested, so that no two kinds are ever alike.
    #[must_use]
    pub fn digest(&self, label: &'static str, parts: &[&[u8]]) -> Digest {
        self.0.digest.of(label.as_bytes(), parts)
    }

    /// The link that an event adds to the trail: the keyed image, under the audit key, of the link before it and of
    /// the event's fields.
    #[must_use]
    pub fn audit_mac(&self, previous: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
        *self.0.audit.of(previous, parts).as_bytes()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("active_seal_key", &self.active_seal_key().0)
            .field("seal_keys", &self.0.seal.keys().map(|id| id.0).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn fresh(
    entropy: &dyn Entropy,
    wrapper: &Wrapper,
    purpose: Purpose,
    id: u32,
    now_ms: i64,
) -> Result<(Zeroizing<[u8; 32]>, KeyRecord), KeyRingError> {
    let mut key = Zeroizing::new([0; 32]);
    entropy.fill(&mut key[..])?;
    let wrapped = wrapper.wrap(entropy, purpose, id, &key)?.0;
    Ok((key, KeyRecord { id, purpose, wrapped, created_at_ms: now_ms, retired: false }))
}

fn unwrap(wrapper: &Wrapper, record: &KeyRecord) -> Result<Zeroizing<[u8; 32]>, KeyRingError> {
    wrapper
        .unwrap(record.purpose, record.id, &record.wrapped)
        .ok_or(KeyRingError::WrongMaster { id: record.id })
}

/// Puts the key into `place`, unless it is retired; there can be only one.
fn only(place: &mut Option<KeyedSha256>, key: &[u8; 32], record: &KeyRecord) -> Result<(), KeyRingError> {
    if !record.retired && place.replace(KeyedSha256::new(key)).is_some() {
        return Err(KeyRingError::Ambiguous(record.purpose));
    }
    Ok(())
}
