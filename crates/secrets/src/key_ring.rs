//! The key ring: every key that works on data, open in memory and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::digest::{Digest, KeyedSha256};
use crate::entropy::{Entropy, EntropyFailed};
use crate::key_record::KeyRecord;
use crate::key_wrap::{Purpose, Wrapper};
use crate::master_key::MasterKey;
use crate::seal::{self, Binding, DataKeyId, OpenError, SealError, SealKey, Sealed};

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
            .map(|(id, purpose)| {
                KeyRecord::mint(entropy, &wrapper, purpose, id, now_ms).map(|(_, record)| record)
            })
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
            let key = record.unwrap(&wrapper).ok_or(KeyRingError::WrongMaster { id })?;
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
        let (key, record) = KeyRecord::mint(entropy, &wrapper, Purpose::Seal, id, now_ms)?;

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
                let key = record.unwrap(&old).ok_or(KeyRingError::WrongMaster { id: record.id })?;
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

    /// The same ring, sealing with another of its keys: a new key is used once all nodes can open what it seals.
    /// `None` if it has no such key.
    #[must_use]
    pub fn sealing_with(&self, id: DataKeyId) -> Option<KeyRing> {
        let active = self.0.seal.get(&id)?.clone();
        Some(KeyRing(Arc::new(Keys { active, ..Keys::clone(&self.0) })))
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

/// Puts the key into `place`, unless it is retired; there can be only one.
fn only(place: &mut Option<KeyedSha256>, key: &[u8; 32], record: &KeyRecord) -> Result<(), KeyRingError> {
    if !record.retired && place.replace(KeyedSha256::new(key)).is_some() {
        return Err(KeyRingError::Ambiguous(record.purpose));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::{Failing, Seeded};

    const PLACE: Binding<'static> =
        Binding { table: "factors", column: "totp_seed", scope: b"env_1", row: b"row_1" };

    fn master(seed: u64) -> MasterKey {
        MasterKey::generate(&Seeded::new(seed)).unwrap()
    }

    fn ring() -> (KeyRing, Vec<KeyRecord>) {
        KeyRing::create(&Seeded::new(10), &master(1), 1_700_000_000_000).unwrap()
    }

    #[test]
    fn a_new_ring_has_one_key_for_each_purpose() {
        let (ring, records) = ring();
        let made: Vec<_> = records.iter().map(|record| (record.id, record.purpose, record.retired)).collect();
        assert_eq!(
            made,
            [(1, Purpose::Seal, false), (2, Purpose::Digest, false), (3, Purpose::Audit, false)]
        );
        assert!(records.iter().all(|record| record.created_at_ms == 1_700_000_000_000));
        assert_eq!(ring.active_seal_key(), DataKeyId(1));
        assert_eq!(ring.seal_key_ids(), [DataKeyId(1)]);
    }

    #[test]
    fn a_stored_ring_opens_to_the_same_keys() {
        let (ring, records) = ring();
        let again = KeyRing::open(&master(1), &records).unwrap();
        let sealed = ring.seal(&Seeded::new(11), &PLACE, b"seed").unwrap().0;
        assert_eq!(*again.open_sealed(&PLACE, &sealed).unwrap(), b"seed");
        assert!(bool::from(ring.digest("api_key", &[b"k"]).ct_eq(&again.digest("api_key", &[b"k"]))));
        assert_eq!(ring.audit_mac(&[1; 32], &[b"event"]), again.audit_mac(&[1; 32], &[b"event"]));
        // The order in which a store returns them does not matter.
        let backwards: Vec<_> = records.iter().rev().cloned().collect();
        assert_eq!(KeyRing::open(&master(1), &backwards).unwrap().active_seal_key(), DataKeyId(1));
    }

    #[test]
    fn another_master_key_opens_nothing_and_says_so() {
        let error = KeyRing::open(&master(2), &ring().1).unwrap_err();
        assert_eq!(error, KeyRingError::WrongMaster { id: 1 });
        assert!(error.to_string().contains("not the master key"), "{error}");
    }

    #[test]
    fn i7_records_that_make_no_whole_ring_are_refused() {
        let (_, records) = ring();
        let open = |records: &[KeyRecord]| KeyRing::open(&master(1), records).map(|_| ());
        assert_eq!(open(&[]), Err(KeyRingError::Missing(Purpose::Seal)));
        for (place, purpose) in [Purpose::Seal, Purpose::Digest, Purpose::Audit].into_iter().enumerate() {
            let mut without = records.clone();
            without.remove(place);
            assert_eq!(open(&without), Err(KeyRingError::Missing(purpose)));
            let mut retired = records.clone();
            retired[place].retired = true;
            assert_eq!(open(&retired), Err(KeyRingError::Missing(purpose)));
        }
        let twice = [&records[..], &records[..1]].concat();
        assert_eq!(open(&twice), Err(KeyRingError::Duplicate { id: 1 }));

        let second =
            KeyRecord::mint(&Seeded::new(12), &Wrapper::new(&master(1)), Purpose::Digest, 4, 0).unwrap().1;
        let two = [&records[..], &[second]].concat();
        assert_eq!(open(&two), Err(KeyRingError::Ambiguous(Purpose::Digest)));
    }

    #[test]
    fn a_record_given_another_id_or_purpose_does_not_open() {
        let (_, mut records) = ring();
        records[0].id = 9;
        assert_eq!(KeyRing::open(&master(1), &records).unwrap_err(), KeyRingError::WrongMaster { id: 9 });
        let (_, mut records) = ring();
        records[1].purpose = Purpose::Audit;
        assert_eq!(KeyRing::open(&master(1), &records).unwrap_err(), KeyRingError::WrongMaster { id: 2 });
    }

    /// ASVS 13.3.4: rotation keeps what was sealed before.
    #[test]
    fn rotation_seals_with_the_new_key_and_opens_with_the_old() {
        let (ring, mut records) = ring();
        let before = ring.seal(&Seeded::new(11), &PLACE, b"before").unwrap().0;
        let (rotated, record) = ring.with_new_seal_key(&Seeded::new(12), &master(1), 5).unwrap();
        assert_eq!((record.id, record.purpose, record.created_at_ms), (4, Purpose::Seal, 5));
        assert_eq!(rotated.active_seal_key(), DataKeyId(4));
        assert_eq!(rotated.seal_key_ids(), [DataKeyId(1), DataKeyId(4)]);
        records.push(record);

        let after = rotated.seal(&Seeded::new(13), &PLACE, b"after").unwrap().0;
        assert_eq!(KeyRing::key_id_of(&after), Some(DataKeyId(4)));
        for ring in [rotated.clone(), KeyRing::open(&master(1), &records).unwrap()] {
            assert_eq!(ring.active_seal_key(), DataKeyId(4));
            assert_eq!(*ring.open_sealed(&PLACE, &before).unwrap(), b"before");
            assert_eq!(*ring.open_sealed(&PLACE, &after).unwrap(), b"after");
        }
        // Who still holds the old ring learns that its keys are out of date, not that the value is forged.
        assert_eq!(ring.active_seal_key(), DataKeyId(1));
        assert_eq!(ring.open_sealed(&PLACE, &after).unwrap_err(), OpenError::UnknownKey(DataKeyId(4)));
        // Digests do not depend on the seal keys.
        assert!(bool::from(ring.digest("l", &[]).ct_eq(&rotated.digest("l", &[]))));
        // No number is given twice.
        let (_, third) = rotated.with_new_seal_key(&Seeded::new(14), &master(1), 6).unwrap();
        assert_eq!(third.id, 5);
    }

    #[test]
    fn a_retired_seal_key_opens_and_no_longer_seals() {
        let (ring, mut records) = ring();
        let before = ring.seal(&Seeded::new(11), &PLACE, b"before").unwrap().0;
        let (_, record) = ring.with_new_seal_key(&Seeded::new(12), &master(1), 5).unwrap();
        records.push(record);
        records[0].retired = true;
        let ring = KeyRing::open(&master(1), &records).unwrap();
        assert_eq!(ring.active_seal_key(), DataKeyId(4));
        assert_eq!(*ring.open_sealed(&PLACE, &before).unwrap(), b"before");
        // Retired, the higher number does not seal either.
        records[0].retired = false;
        records[3].retired = true;
        assert_eq!(KeyRing::open(&master(1), &records).unwrap().active_seal_key(), DataKeyId(1));
        // Gone, it opens nothing.
        records[3].retired = false;
        records.remove(0);
        let ring = KeyRing::open(&master(1), &records).unwrap();
        assert_eq!(ring.open_sealed(&PLACE, &before).unwrap_err(), OpenError::UnknownKey(DataKeyId(1)));
    }

    #[test]
    fn rotation_under_another_master_key_is_refused() {
        let error = ring().0.with_new_seal_key(&Seeded::new(12), &master(2), 5).unwrap_err();
        assert_eq!(error, KeyRingError::OtherMaster);
    }

    #[test]
    fn rotation_ends_with_the_last_number() {
        let (_, mut records) = ring();
        let last = KeyRecord::mint(&Seeded::new(12), &Wrapper::new(&master(1)), Purpose::Seal, u32::MAX, 0)
            .unwrap()
            .1;
        records.push(last);
        let ring = KeyRing::open(&master(1), &records).unwrap();
        assert_eq!(ring.with_new_seal_key(&Seeded::new(13), &master(1), 5).unwrap_err(), KeyRingError::Full);
    }

    #[test]
    fn rewrapping_changes_the_master_key_and_nothing_else() {
        let (ring, records) = ring();
        let sealed = ring.seal(&Seeded::new(11), &PLACE, b"seed").unwrap().0;
        let rewrapped = KeyRing::rewrap(&records, &master(1), &master(2), &Seeded::new(12)).unwrap();
        for (old, new) in records.iter().zip(&rewrapped) {
            assert_ne!(old.wrapped, new.wrapped);
            assert_eq!(
                KeyRecord { wrapped: Vec::new(), ..old.clone() },
                KeyRecord { wrapped: Vec::new(), ..new.clone() }
            );
        }
        assert_eq!(KeyRing::open(&master(1), &rewrapped).unwrap_err(), KeyRingError::WrongMaster { id: 1 });
        let again = KeyRing::open(&master(2), &rewrapped).unwrap();
        assert_eq!(*again.open_sealed(&PLACE, &sealed).unwrap(), b"seed");
        assert!(bool::from(ring.digest("l", &[b"p"]).ct_eq(&again.digest("l", &[b"p"]))));
        assert_eq!(ring.audit_mac(&[0; 32], &[]), again.audit_mac(&[0; 32], &[]));
        let wrong = KeyRing::rewrap(&records, &master(3), &master(2), &Seeded::new(12));
        assert_eq!(wrong.unwrap_err(), KeyRingError::WrongMaster { id: 1 });
    }

    #[test]
    fn what_is_no_envelope_does_not_open() {
        let (ring, _) = ring();
        for sealed in [&b""[..], b"\x01", &[0; 64], &[2; 64]] {
            assert_eq!(ring.open_sealed(&PLACE, sealed).unwrap_err(), OpenError::Malformed);
        }
        assert_eq!(
            ring.open_sealed(&PLACE, &[1; 64]).unwrap_err(),
            OpenError::UnknownKey(DataKeyId(0x0101_0101))
        );
        // A key that only digests does not open.
        let mut claims_digest_key = ring.seal(&Seeded::new(11), &PLACE, b"seed").unwrap().0;
        claims_digest_key[4] = 2;
        assert_eq!(
            ring.open_sealed(&PLACE, &claims_digest_key).unwrap_err(),
            OpenError::UnknownKey(DataKeyId(2))
        );
    }

    #[test]
    fn two_rings_have_nothing_in_common() {
        let (one, _) = ring();
        let (other, _) = KeyRing::create(&Seeded::new(20), &master(1), 0).unwrap();
        let sealed = one.seal(&Seeded::new(11), &PLACE, b"seed").unwrap().0;
        assert_eq!(other.open_sealed(&PLACE, &sealed).unwrap_err(), OpenError::Forged);
        assert!(!bool::from(one.digest("l", &[]).ct_eq(&other.digest("l", &[]))));
        assert_ne!(one.audit_mac(&[0; 32], &[]), other.audit_mac(&[0; 32], &[]));
    }

    #[test]
    fn f38_label_and_fields_shifted_across_a_join_give_other_digests() {
        let (ring, _) = ring();
        let digests = [
            ring.digest("code", &[b"ab", b"c"]),
            ring.digest("code", &[b"a", b"bc"]),
            ring.digest("code", &[b"abc"]),
            ring.digest("code", &[b"abc", b""]),
            ring.digest("code", &[b"", b"abc"]),
            ring.digest("codea", &[b"b", b"c"]),
            ring.digest("cod", &[b"eab", b"c"]),
            ring.digest("", &[b"code", b"ab", b"c"]),
            ring.digest("other", &[b"ab", b"c"]),
        ];
        let distinct: BTreeSet<_> = digests.iter().map(Digest::as_bytes).collect();
        assert_eq!(distinct.len(), digests.len());
    }

    /// F38: lengths just around the bounds of other people's hashes; the last byte always counts.
    #[test]
    fn f38_no_length_is_cut() {
        let (ring, _) = ring();
        let mut seen = BTreeSet::new();
        for length in [63, 64, 65, 71, 72, 73, 255, 256, 100_000] {
            for last in [b'x', b'y'] {
                let mut part = vec![b'a'; length];
                part[length - 1] = last;
                assert!(seen.insert(*ring.digest("api_key", &[&part]).as_bytes()), "{length}");
            }
        }
    }

    /// ASVS 16.4: an event edited, moved or left out breaks every link behind it.
    #[test]
    fn audit_links_depend_on_what_came_before_and_on_every_field() {
        let (ring, _) = ring();
        let link = ring.audit_mac(&[0; 32], &[b"verified", b"factor_1"]);
        assert_ne!(link, ring.audit_mac(&[1; 32], &[b"verified", b"factor_1"]));
        assert_ne!(link, ring.audit_mac(&[0; 32], &[b"verified", b"factor_2"]));
        assert_ne!(link, ring.audit_mac(&[0; 32], &[b"verifiedf", b"actor_1"]));
        // Nor is one the digest of the same bytes: the key is another.
        let label = "thirty-two bytes, like any link.";
        let previous = label.as_bytes().try_into().unwrap();
        assert_ne!(ring.audit_mac(previous, &[b"event"]), *ring.digest(label, &[b"event"]).as_bytes());
        assert_eq!(link, ring.audit_mac(&[0; 32], &[b"verified", b"factor_1"]));
    }

    #[test]
    fn without_randomness_there_is_no_ring() {
        let failed = KeyRingError::Entropy(EntropyFailed);
        assert_eq!(KeyRing::create(&Failing, &master(1), 0).unwrap_err(), failed);
        let (ring, records) = ring();
        assert_eq!(ring.with_new_seal_key(&Failing, &master(1), 0).unwrap_err(), failed);
        assert_eq!(KeyRing::rewrap(&records, &master(1), &master(2), &Failing).unwrap_err(), failed);
        assert!(ring.seal(&Failing, &PLACE, b"seed").is_err());
    }

    #[test]
    fn i10_debug_shows_numbers_only() {
        let (ring, _) = ring();
        assert_eq!(format!("{ring:?}"), "KeyRing { active_seal_key: 1, seal_keys: [1], .. }");
    }
}
