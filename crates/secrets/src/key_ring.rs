//! The key ring: every key that works on data, open in memory and nowhere else.

mod making;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::digest::{Digest, KeyedSha256};
use crate::entropy::{Entropy, EntropyFailed};
use crate::key_wrap::Purpose;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_record::KeyRecord;
    use crate::master_key::MasterKey;
    use crate::seeded::Seeded;
    use std::collections::BTreeSet;

    pub(super) const PLACE: Binding<'static> =
        Binding { table: "factors", column: "totp_seed", scope: b"env_1", row: b"row_1" };

    pub(super) fn master(seed: u64) -> MasterKey {
        MasterKey::generate(&Seeded::new(seed)).unwrap()
    }

    pub(super) fn ring() -> (KeyRing, Vec<KeyRecord>) {
        KeyRing::create(&Seeded::new(10), &master(1), 1_700_000_000_000).unwrap()
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
    fn i10_debug_shows_numbers_only() {
        let (ring, _) = ring();
        assert_eq!(format!("{ring:?}"), "KeyRing { active_seal_key: 1, seal_keys: [1], .. }");
    }
}
