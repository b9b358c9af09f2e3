//! How a ring comes to be: made, opened from its records, given a new seal key, wrapped by another master key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{KeyRing, KeyRingError, Keys};
use crate::digest::KeyedSha256;
use crate::entropy::Entropy;
use crate::key_record::KeyRecord;
use crate::key_wrap::{Purpose, Wrapper};
use crate::master_key::MasterKey;
use crate::seal::{DataKeyId, SealKey};

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
    use crate::entropy::EntropyFailed;
    use crate::key_ring::tests::{PLACE, master, ring};
    use crate::seal::OpenError;
    use crate::seeded::{Failing, Seeded};

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
    fn without_randomness_there_is_no_ring() {
        let failed = KeyRingError::Entropy(EntropyFailed);
        assert_eq!(KeyRing::create(&Failing, &master(1), 0).unwrap_err(), failed);
        let (ring, records) = ring();
        assert_eq!(ring.with_new_seal_key(&Failing, &master(1), 0).unwrap_err(), failed);
        assert_eq!(KeyRing::rewrap(&records, &master(1), &master(2), &Failing).unwrap_err(), failed);
        assert!(ring.seal(&Failing, &PLACE, b"seed").is_err());
    }
}
