//! One-time codes from a counter (RFC 4226) and from the time (RFC 6238): SHA-1, six digits.

use std::fmt;
use std::ops::RangeInclusive;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroizing;

use crate::base32;
use crate::code::{CODES, Code};
use crate::entropy::{Entropy, EntropyFailed};

/// Bytes in a seed of ours (RFC 4226 §4 R6 advises 160 bits).
const SEED_BYTES: usize = 20;
/// Bytes a seed from elsewhere may have (W12).
const IMPORT_BYTES: RangeInclusive<usize> = 10..=40;
/// Bytes SHA-1 takes in at once; no seed is longer.
const BLOCK_BYTES: usize = 64;
/// Steps a window may span. Far more than any rule asks for; it bounds what one comparison can cost.
const WINDOW_STEPS_MAX: u64 = 128;

/// The secret behind a TOTP factor, 10 to 40 bytes. It does not print and is wiped when dropped.
pub struct TotpSeed(Zeroizing<Vec<u8>>);

impl TotpSeed {
    /// A fresh seed of 20 bytes.
    ///
    /// # Errors
    /// [`EntropyFailed`] if there is no randomness; there is no seed then.
    pub fn generate(entropy: &dyn Entropy) -> Result<TotpSeed, EntropyFailed> {
        let mut bytes = Zeroizing::new(vec![0; SEED_BYTES]);
        entropy.fill(&mut bytes)?;
        Ok(TotpSeed(bytes))
    }

    /// The seed that `bytes` are, if they are 10 to 40.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<TotpSeed> {
        IMPORT_BYTES.contains(&bytes.len()).then(|| TotpSeed(Zeroizing::new(bytes.to_vec())))
    }

    /// The seed that a `totp_secret` spells (W12): Base32 in either case, spaces and `=` dropped, then 16 to 64
    /// characters for 10 to 40 bytes. A spelling that no encoder writes (a length that ends within a byte, or bits
    /// beyond the last byte that are not zero) is refused, so that the seed is echoed as it came.
    #[must_use]
    pub fn import_base32(text: &str) -> Option<TotpSeed> {
        let bytes = base32::decode(text)?;
        IMPORT_BYTES.contains(&bytes.len()).then_some(TotpSeed(bytes))
    }

    /// The seed in Base32, upper case, without padding: what the user's app is given.
    #[must_use]
    pub fn to_base32(&self) -> Zeroizing<String> {
        base32::encode(&self.0)
    }

    /// The bytes, to be sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The keyed state from which every code of this seed starts.
    fn keyed(&self) -> Hmac<Sha1> {
        // A key shorter than the block is the key with zeros behind it (RFC 2104 §2), and this way nothing can fail.
        let mut block = Zeroizing::new([0_u8; BLOCK_BYTES]);
        for (place, byte) in block.iter_mut().zip(self.0.iter()) {
            *place = *byte;
        }
        Hmac::new((&*block).into())
    }
}

impl fmt::Debug for TotpSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSeed(…)")
    }
}

/// The code of `seed` for `counter` (RFC 4226 §5.3); for TOTP the counter is the step, the 30-second spans since 1970.
#[must_use]
pub fn hotp(seed: &TotpSeed, counter: u64) -> Code {
    code_of(seed.keyed(), counter)
}

fn code_of(mut keyed: Hmac<Sha1>, counter: u64) -> Code {
    keyed.update(&counter.to_be_bytes());
    let mac: Zeroizing<[u8; 20]> = Zeroizing::new(keyed.finalize().into_bytes().into());
    // Dynamic truncation: the low half of the last byte says where the four bytes start, 15 at most.
    let start = usize::from(mac[19] & 0x0f);
    let taken = u32::from_be_bytes([mac[start], mac[start + 1], mac[start + 2], mac[start + 3]]);
    Code::from_number((taken & 0x7fff_ffff) % CODES)
}

/// The steps whose codes are accepted, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The earliest step.
    pub from: u64,
    /// The latest step.
    pub to: u64,
}

/// The latest step of `window` whose code this is (W9: if a code fits several steps, the latest counts).
///
/// Every step is computed and compared, whichever fits, so that the time taken tells nothing (I13, F51). A window that
/// ends before it begins, or spans more than 128 steps, fits no code.
#[must_use]
pub fn matching_step(seed: &TotpSeed, code: &Code, window: Window) -> Option<u64> {
    if window.to.checked_sub(window.from)? >= WINDOW_STEPS_MAX {
        return None;
    }
    let keyed = seed.keyed();
    let mut found = Choice::from(0);
    let mut latest = 0;
    for step in window.from..=window.to {
        let fits = code_of(keyed.clone(), step).ct_eq(code);
        latest.conditional_assign(&step, fits);
        found |= fits;
    }
    bool::from(found).then_some(latest)
}
