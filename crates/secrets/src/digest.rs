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
