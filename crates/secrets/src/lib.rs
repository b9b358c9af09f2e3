//! Codes, keys and sealing: the only crate that imports cryptography.
//!
//! Everything secret is a type of its own here. Such a type neither prints its content, nor compares with `==`, nor
//! outlives its use in memory; the way to its bytes is called `reveal` or `as_bytes`, so that one search finds every use.

mod api_key;
mod base32;
mod client_id;
mod code;
mod digest;
mod entropy;
mod frame;
mod key_record;
mod key_ring;
mod key_wrap;
mod mac;
mod master_key;
mod seal;
mod secret_text;
#[cfg(test)]
mod seeded;
mod totp;

pub use api_key::{ApiKeyText, KeyMode};
pub use client_id::client_id;
pub use code::{Code, Submitted};
pub use digest::Digest;
pub use entropy::{Entropy, EntropyFailed, SystemEntropy, uniform_below};
pub use key_record::KeyRecord;
pub use key_ring::{KeyRing, KeyRingError};
pub use key_wrap::{Purpose, WrappedKey};
pub use mac::{MacHash, mac_fits, sha256_fits};
pub use master_key::{MasterKey, MasterKeyError};
pub use seal::{Binding, DataKeyId, OpenError, SealError, Sealed};
pub use secret_text::SecretText;
pub use totp::{TotpSeed, Window, hotp, matching_step};

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    /// I10: the keyed states that the ciphers keep are wiped too. They are only with the `zeroize` features of their
    /// crates, and without these this does not compile.
    #[test]
    fn i10_what_holds_a_key_is_wiped_when_dropped() {
        fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<crate::Code>();
        wiped::<zeroize::Zeroizing<Vec<u8>>>();
        // What a keyed HMAC consists of.
        wiped::<sha1::block_api::Sha1Core>();
        wiped::<sha2::block_api::Sha256VarCore>();
        wiped::<chacha20poly1305::XChaCha20Poly1305>();
    }
}
