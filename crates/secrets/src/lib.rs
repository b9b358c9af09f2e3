//! Codes, keys and sealing: the only crate that imports cryptography.
//!
//! Everything secret is a type of its own here. Such a type neither prints its content, nor compares with `==`, nor
//! outlives its use in memory; the way to its bytes is called `reveal` or `as_bytes`, so that one search finds every use.

mod api_key;
mod base32;
mod code;
mod digest;
mod entropy;
mod frame;
mod key_ring;
mod key_wrap;
mod master_key;
mod seal;
#[cfg(test)]
mod seeded;
mod totp;

pub use api_key::{ApiKeyText, KeyMode, client_id};
pub use code::{Code, Submitted};
pub use digest::Digest;
pub use entropy::{Entropy, EntropyFailed, SystemEntropy, uniform_below};
pub use key_ring::{KeyRecord, KeyRing, KeyRingError};
pub use key_wrap::{Purpose, WrappedKey};
pub use master_key::{MasterKey, MasterKeyError};
pub use seal::{Binding, DataKeyId, OpenError, SealError, Sealed};
pub use totp::{TotpSeed, Window, hotp, matching_step};
