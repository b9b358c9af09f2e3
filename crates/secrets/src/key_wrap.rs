//! Wrapping: a key of the key ring, sealed under the master key, is what the store keeps.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::entropy::{Entropy, EntropyFailed};
use crate::frame::frame;
use crate::master_key::MasterKey;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;

/// What a key of the key ring is for. No key serves two purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Sealing values at rest.
    Seal,
    /// Digests of codes and API keys.
    Digest,
    /// Linking the event trail.
    Audit,
}

impl Purpose {
    /// The name it is stored under.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Seal => "seal",
            Purpose::Digest => "digest",
            Purpose::Audit => "audit",
        }
    }

    /// The purpose stored under `name`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Purpose> {
        [Purpose::Seal, Purpose::Digest, Purpose::Audit].into_iter().find(|purpose| purpose.as_str() == name)
    }
}

/// A 32-byte key sealed under the master key, bound to its purpose and id: version byte 1, nonce (24), ciphertext and
/// tag. Safe to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey(pub Vec<u8>);

/// The master key at work. It never touches data: one key derived from it wraps, another tells masters apart.
pub(crate) struct Wrapper {
    cipher: XChaCha20Poly1305,
    fingerprint: Digest,
}

impl Wrapper {
    pub(crate) fn new(master: &MasterKey) -> Wrapper {
        let keyed = master.keyed();
        let key = Zeroizing::new(*keyed.of(b"countersign wrap v1", &[]).as_bytes());
        Wrapper {
            cipher: XChaCha20Poly1305::new((&*key).into()),
            fingerprint: keyed.of(b"countersign fingerprint v1", &[]),
        }
    }

    /// Tells one master key from another, and nothing about either.
    pub(crate) fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    pub(crate) fn wrap(
        &self,
        entropy: &dyn Entropy,
        purpose: Purpose,
        id: u32,
        key: &[u8; 32],
    ) -> Result<WrappedKey, EntropyFailed> {
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce)?;
        let aad = associated_data(purpose, id);
        // The cipher refuses only what is too long, and 32 bytes are not.
        let closed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: key, aad: &aad })
            .map_err(|_| EntropyFailed)?;
        Ok(WrappedKey([&[VERSION][..], &nonce, &closed].concat()))
    }

    /// The key, or `None` if it was wrapped by another master, for another purpose or id, or has been changed.
    pub(crate) fn unwrap(&self, purpose: Purpose, id: u32, wrapped: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let (&version, rest) = wrapped.split_first()?;
        let (nonce, closed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        if version != VERSION {
            return None;
        }
        let aad = associated_data(purpose, id);
        let key = self.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: closed, aad: &aad }).ok()?;
        let key = Zeroizing::new(key);
        key.as_slice().try_into().ok().map(Zeroizing::new)
    }
}

fn associated_data(purpose: Purpose, id: u32) -> Vec<u8> {
    let mut data = Vec::new();
    frame(&[purpose.as_str().as_bytes(), &id.to_be_bytes()], |bytes| data.extend_from_slice(bytes));
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::{Failing, Seeded};

    fn wrapper(seed: u64) -> Wrapper {
        Wrapper::new(&MasterKey::generate(&Seeded::new(seed)).unwrap())
    }

    #[test]
    fn a_wrapped_key_opens_for_its_purpose_and_id_only() {
        let wrapper = wrapper(1);
        let wrapped = wrapper.wrap(&Seeded::new(2), Purpose::Seal, 7, &[5; 32]).unwrap().0;
        assert_eq!(wrapped.len(), 1 + 24 + 32 + 16);
        assert_eq!(*wrapper.unwrap(Purpose::Seal, 7, &wrapped).unwrap(), [5; 32]);
        assert!(wrapper.unwrap(Purpose::Digest, 7, &wrapped).is_none());
        assert!(wrapper.unwrap(Purpose::Audit, 7, &wrapped).is_none());
        assert!(wrapper.unwrap(Purpose::Seal, 8, &wrapped).is_none());
    }

    #[test]
    fn a_changed_cut_or_foreign_record_does_not_open() {
        let wrapper = wrapper(1);
        let wrapped = wrapper.wrap(&Seeded::new(2), Purpose::Seal, 7, &[5; 32]).unwrap().0;
        for bit in 0..wrapped.len() * 8 {
            let mut changed = wrapped.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(wrapper.unwrap(Purpose::Seal, 7, &changed).is_none(), "{bit}");
        }
        for length in 0..wrapped.len() {
            assert!(wrapper.unwrap(Purpose::Seal, 7, &wrapped[..length]).is_none(), "{length}");
        }
        assert!(self::wrapper(2).unwrap(Purpose::Seal, 7, &wrapped).is_none());
    }

    #[test]
    fn without_randomness_nothing_is_wrapped() {
        assert_eq!(wrapper(1).wrap(&Failing, Purpose::Seal, 7, &[5; 32]), Err(EntropyFailed));
    }

    #[test]
    fn purposes_read_back_from_their_names() {
        for purpose in [Purpose::Seal, Purpose::Digest, Purpose::Audit] {
            assert_eq!(Purpose::parse(purpose.as_str()), Some(purpose));
        }
        assert_eq!(Purpose::parse("Seal"), None);
        assert_eq!(Purpose::parse(""), None);
    }
}
