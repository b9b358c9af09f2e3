//! Sealing: XChaCha20-Poly1305 under a data key, bound to the place in the store where the value rests.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyFailed};
use crate::frame::frame;

/// The first byte of every envelope.
const VERSION: u8 = 1;
/// Version byte and key id.
const HEADER_BYTES: usize = 5;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Names one data key of the key ring. Not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataKeyId(pub u32);

/// The place a sealed value belongs to. A value moved to another place does not open (NIST SP 800-63B-4 3.1.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The environment the row belongs to.
    pub scope: &'a [u8],
    /// What identifies the row.
    pub row: &'a [u8],
}

/// A sealed value: version byte 1, key id (4 bytes, big endian), nonce (24), ciphertext and tag. Safe to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

/// Why nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    /// No randomness for the nonce.
    #[error(transparent)]
    Entropy(#[from] EntropyFailed),
    /// More than the cipher takes in, some 256 GiB.
    #[error("the value is too long to be sealed")]
    TooLong,
}

/// Why a sealed value did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenError {
    /// Too short, or of a version we do not know.
    #[error("this is not a sealed value")]
    Malformed,
    /// The key ring has no key of that id.
    #[error("the key ring has no seal key {}", .0.0)]
    UnknownKey(DataKeyId),
    /// Changed, or sealed for another place.
    #[error("the sealed value was changed, or belongs elsewhere")]
    Forged,
}

/// One data key, ready to seal with.
#[derive(Clone)]
pub(crate) struct SealKey {
    id: DataKeyId,
    cipher: XChaCha20Poly1305,
}

impl SealKey {
    pub(crate) fn new(id: DataKeyId, key: &[u8; 32]) -> SealKey {
        SealKey { id, cipher: XChaCha20Poly1305::new(key.into()) }
    }

    pub(crate) fn id(&self) -> DataKeyId {
        self.id
    }

    pub(crate) fn seal(
        &self,
        entropy: &dyn Entropy,
        bound_to: &Binding<'_>,
        plain: &[u8],
    ) -> Result<Sealed, SealError> {
        // 192 random bits: no count of seals makes a nonce repeat, nor does a copied state directory.
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce)?;
        let aad = associated_data(self.id, bound_to);
        let closed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad })
            .map_err(|_| SealError::TooLong)?;

        let mut envelope = Vec::with_capacity(HEADER_BYTES + NONCE_BYTES + closed.len());
        envelope.extend_from_slice(&header(self.id));
        envelope.extend_from_slice(&nonce);
        envelope.extend_from_slice(&closed);
        Ok(Sealed(envelope))
    }

    pub(crate) fn open(
        &self,
        bound_to: &Binding<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (id, rest) = split(sealed).ok_or(OpenError::Malformed)?;
        let (nonce, closed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Malformed)?;
        let aad = associated_data(id, bound_to);
        self.cipher
            .decrypt(&XNonce::from(*nonce), Payload { msg: closed, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| OpenError::Forged)
    }
}

/// The id of the key that an envelope names, if it is one.
pub(crate) fn key_id_of(sealed: &[u8]) -> Option<DataKeyId> {
    split(sealed).map(|(id, _)| id)
}

fn header(id: DataKeyId) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = id.0.to_be_bytes();
    [VERSION, a, b, c, d]
}

fn split(sealed: &[u8]) -> Option<(DataKeyId, &[u8])> {
    if sealed.len() < HEADER_BYTES + NONCE_BYTES + TAG_BYTES {
        return None;
    }
    let (&version, rest) = sealed.split_first()?;
    let (id, rest) = rest.split_first_chunk::<4>()?;
    (version == VERSION).then_some((DataKeyId(u32::from_be_bytes(*id)), rest))
}

/// The header too: a value is then bound to the version and key it claims.
fn associated_data(id: DataKeyId, bound_to: &Binding<'_>) -> Vec<u8> {
    let mut data = Vec::with_capacity(128);
    let parts = [
        &header(id)[..],
        bound_to.table.as_bytes(),
        bound_to.column.as_bytes(),
        bound_to.scope,
        bound_to.row,
    ];
    frame(&parts, |bytes| data.extend_from_slice(bytes));
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::{Failing, Seeded};

    const PLACE: Binding<'static> =
        Binding { table: "factors", column: "totp_seed", scope: b"env_1", row: b"auth_factor_1" };

    fn key() -> SealKey {
        SealKey::new(DataKeyId(0x0102_0304), &[9; 32])
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        key().seal(&Seeded::new(3), &PLACE, plain).unwrap().0
    }

    #[test]
    fn what_was_sealed_opens_in_its_place() {
        for length in [0, 1, 20, 63, 64, 65, 1_000, 100_000] {
            let plain = vec![0x5a; length];
            let envelope = sealed(&plain);
            assert_eq!(envelope.len(), 5 + 24 + length + 16);
            assert_eq!(*key().open(&PLACE, &envelope).unwrap(), plain);
        }
    }

    #[test]
    fn the_envelope_is_version_key_id_nonce_ciphertext() {
        let envelope = sealed(b"seed");
        assert_eq!(envelope[..5], [1, 1, 2, 3, 4]);
        let mut nonce = [0; 24];
        Seeded::new(3).fill(&mut nonce).unwrap();
        assert_eq!(envelope[5..29], nonce);
        assert_eq!(key_id_of(&envelope), Some(DataKeyId(0x0102_0304)));
        assert!(!envelope.windows(4).any(|window| window == b"seed"));
    }

    /// NIST SP 800-63B-4 3.1.4.2, ASVS 11.3.3: secrets of two rows swapped do not open.
    #[test]
    fn a_value_moved_elsewhere_does_not_open() {
        let envelope = sealed(b"seed");
        let elsewhere = [
            Binding { table: "challenges", ..PLACE },
            Binding { column: "totp_seed2", ..PLACE },
            Binding { scope: b"env_2", ..PLACE },
            Binding { row: b"auth_factor_2", ..PLACE },
            Binding { row: b"", ..PLACE },
            // Bytes shifted across a join (F38).
            Binding { table: "factorstotp_", column: "seed", ..PLACE },
            Binding { scope: b"env_1a", row: b"uth_factor_1", ..PLACE },
            Binding { scope: b"auth_factor_1", row: b"env_1", ..PLACE },
        ];
        for place in elsewhere {
            assert_eq!(key().open(&place, &envelope).unwrap_err(), OpenError::Forged, "{place:?}");
        }
    }

    #[test]
    fn one_bit_flipped_anywhere_and_it_does_not_open() {
        let envelope = sealed(b"seed");
        for bit in 0..envelope.len() * 8 {
            let mut changed = envelope.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(key().open(&PLACE, &changed).is_err(), "{bit}");
        }
    }

    #[test]
    fn a_cut_or_prolonged_envelope_does_not_open() {
        let envelope = sealed(b"seed");
        for length in 0..envelope.len() {
            assert!(key().open(&PLACE, &envelope[..length]).is_err(), "{length}");
        }
        let mut longer = envelope;
        longer.push(0);
        assert_eq!(key().open(&PLACE, &longer).unwrap_err(), OpenError::Forged);
    }

    #[test]
    fn what_is_no_envelope_names_no_key() {
        assert_eq!(key_id_of(b""), None);
        assert_eq!(key_id_of(&sealed(b"")[..44]), None);
        let mut version_2 = sealed(b"seed");
        version_2[0] = 2;
        assert_eq!(key_id_of(&version_2), None);
        assert_eq!(key().open(&PLACE, &version_2).unwrap_err(), OpenError::Malformed);
    }

    #[test]
    fn the_same_value_sealed_twice_looks_different() {
        let entropy = Seeded::new(3);
        let (one, other) = (key().seal(&entropy, &PLACE, b"seed"), key().seal(&entropy, &PLACE, b"seed"));
        let (one, other) = (one.unwrap().0, other.unwrap().0);
        assert_ne!(one[5..29], other[5..29]);
        assert_ne!(one[29..], other[29..]);
    }

    #[test]
    fn without_randomness_nothing_is_sealed() {
        assert_eq!(key().seal(&Failing, &PLACE, b"seed"), Err(SealError::Entropy(EntropyFailed)));
    }

    /// What version 1 sealed has to open for ever. This one was made by another implementation of the cipher.
    #[test]
    fn an_envelope_of_version_1_still_opens() {
        const ENVELOPE: &str = concat!(
            "0101020304",
            "6465666768696a6b6c6d6e6f707172737475767778797a7b",
            "8b34ee461c23f2b3f1fcb4da03181b2b45274ca2",
            "7c9f20088350a7f4de29b3569dd9787a"
        );
        let envelope = data_encoding::HEXLOWER.decode(ENVELOPE.as_bytes()).unwrap();
        assert_eq!(*key().open(&PLACE, &envelope).unwrap(), b"12345678901234567890");
    }
}
