//! Keyed digests: one-way images of codes and keys, good only for comparing.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::frame::frame;

/// Bytes SHA-256 takes in at once.
const BLOCK_BYTES: usize = 64;

/// The HMAC-SHA256 of something secret, under a key of the key ring. Compared by [`Digest::ct_eq`] alone; for a map it
/// gives its bytes.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The bytes, to be stored or looked up by.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest that a stored value is, if it has the length of one.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Digest> {
        bytes.try_into().ok().map(Digest)
    }

    /// Whether the two are equal, in a time that does not depend on where they differ.
    #[must_use]
    pub fn ct_eq(&self, other: &Digest) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// HMAC-SHA256 with its key already taken in: a use clones that state and spares the two blocks of keying.
#[derive(Clone)]
pub(crate) struct KeyedSha256(Hmac<Sha256>);

impl KeyedSha256 {
    pub(crate) fn new(key: &[u8; 32]) -> KeyedSha256 {
        // A key shorter than the block is the key with zeros behind it (RFC 2104 §2), and this way nothing can fail.
        let mut block = Zeroizing::new([0_u8; BLOCK_BYTES]);
        for (place, byte) in block.iter_mut().zip(key) {
            *place = *byte;
        }
        KeyedSha256(Hmac::new((&*block).into()))
    }

    /// The image of `first` and `parts`, each framed by its length.
    pub(crate) fn of(&self, first: &[u8], parts: &[&[u8]]) -> Digest {
        let mut mac = self.0.clone();
        frame(&[first], |bytes| mac.update(bytes));
        frame(parts, |bytes| mac.update(bytes));
        Digest(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_hmac_sha256_of_the_framed_parts() {
        // Worked out with another implementation, key 0x07 × 32.
        let digest = KeyedSha256::new(&[7; 32]).of(b"sent_code", &[b"challenge", b"123456"]);
        let hex: String = digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "321b71a8b3547e43933b8be60c212b165d87bf19945f5c51c16cb35d5d3a101c");
    }

    #[test]
    fn a_keyed_state_can_be_used_again() {
        let keyed = KeyedSha256::new(&[7; 32]);
        let once = keyed.of(b"label", &[b"part"]);
        keyed.of(b"other", &[]);
        assert!(bool::from(once.ct_eq(&keyed.of(b"label", &[b"part"]))));
        assert!(!bool::from(once.ct_eq(&KeyedSha256::new(&[8; 32]).of(b"label", &[b"part"]))));
    }

    #[test]
    fn digests_that_differ_in_one_bit_differ() {
        let digest = Digest([0; 32]);
        assert!(bool::from(digest.ct_eq(&Digest([0; 32]))));
        for bit in 0..256 {
            let mut other = [0; 32];
            other[bit / 8] = 1 << (bit % 8);
            assert!(!bool::from(digest.ct_eq(&Digest(other))), "{bit}");
        }
    }

    #[test]
    fn f38_only_32_bytes_are_a_digest() {
        assert_eq!(Digest::from_slice(&[3; 32]).unwrap().as_bytes(), &[3; 32]);
        for length in [0, 1, 16, 31, 33, 64] {
            assert!(Digest::from_slice(&vec![3; length]).is_none(), "{length}");
        }
    }

    #[test]
    fn i10_debug_shows_no_byte() {
        assert_eq!(format!("{:?}", Digest([0xab; 32])), "Digest(…)");
    }
}
