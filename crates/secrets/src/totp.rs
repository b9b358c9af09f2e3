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

#[cfg(test)]
mod tests {
    use totp_rs::{Algorithm, Builder};

    use super::*;
    use crate::seeded::{Failing, Seeded};

    fn rfc_seed() -> TotpSeed {
        TotpSeed::from_bytes(b"12345678901234567890").unwrap()
    }

    /// RFC 4226 Appendix D.
    #[test]
    fn rfc4226_appendix_d() {
        let expected = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
            "520489",
        ];
        for (counter, code) in (0..).zip(expected) {
            assert_eq!(hotp(&rfc_seed(), counter).reveal(), code, "{counter}");
        }
    }

    /// RFC 6238 Appendix B, the SHA-1 rows, last six digits.
    #[test]
    fn rfc6238_appendix_b() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(hotp(&rfc_seed(), seconds / 30).reveal(), code, "{seconds}");
        }
    }

    /// RFC 4226 §5.1: the counter has 8 bytes, and none of them is lost. The codes come from another implementation.
    #[test]
    fn rfc4226_counters_of_eight_bytes() {
        for (counter, code) in [
            (0, "755224"),
            ((1 << 31) - 1, "223505"),
            (1 << 31, "197202"),
            ((1 << 31) + 1, "770377"),
            ((1 << 32) - 1, "117190"),
            (1 << 32, "999456"),
            ((1 << 63) - 1, "181742"),
            (1 << 63, "959616"),
            (u64::MAX, "094451"),
        ] {
            assert_eq!(hotp(&rfc_seed(), counter).reveal(), code, "{counter}");
            let window = Window { from: counter, to: counter };
            let code = Code::parse_exact(code).unwrap();
            assert_eq!(matching_step(&rfc_seed(), &code, window), Some(counter));
        }
    }

    #[test]
    fn another_implementation_agrees_on_random_seeds_and_steps() {
        let entropy = Seeded::new(6238);
        for round in 0..2_000_u64 {
            let mut bytes = vec![0; 10 + (round % 31) as usize];
            entropy.fill(&mut bytes).unwrap();
            // Steps of every magnitude.
            let step = entropy.number() >> (round % 64);
            let seed = TotpSeed::from_bytes(&bytes).unwrap();
            let oracle = Builder::new()
                .with_algorithm(Algorithm::SHA1)
                .with_digits(6)
                .with_step_duration(1)
                .with_secret(bytes)
                .build_noncompliant();
            assert_eq!(hotp(&seed, step).reveal(), oracle.generate(step).to_string(), "{step}");
        }
    }

    #[test]
    fn every_step_of_the_window_is_found_and_none_beside_it() {
        let seed = rfc_seed();
        let window = Window { from: 999, to: 1_001 };
        for step in 990..=1_010 {
            let found = matching_step(&seed, &hotp(&seed, step), window);
            assert_eq!(found, (999..=1_001).contains(&step).then_some(step), "{step}");
        }
    }

    /// W9: if a code fits several steps of the window, the latest counts. 153567 and 153569 share theirs.
    #[test]
    fn w9_the_latest_of_several_matching_steps_counts() {
        let code = Code::parse_exact("468457").unwrap();
        let matching = |from, to| matching_step(&rfc_seed(), &code, Window { from, to });
        assert_eq!(matching(153_567, 153_569), Some(153_569));
        assert_eq!(matching(153_567, 153_568), Some(153_567));
        assert_eq!(matching(153_568, 153_568), None);
    }

    #[test]
    fn windows_at_the_ends_of_time_neither_wrap_nor_panic() {
        let seed = rfc_seed();
        let last = hotp(&seed, u64::MAX);
        assert_eq!(matching_step(&seed, &last, Window { from: u64::MAX - 2, to: u64::MAX }), Some(u64::MAX));
        assert_eq!(matching_step(&seed, &last, Window { from: 0, to: 1 }), None);
        assert_eq!(matching_step(&seed, &hotp(&seed, 0), Window { from: 0, to: 1 }), Some(0));
    }

    /// I7: a window that makes no sense fits nothing.
    #[test]
    fn i7_reversed_and_boundless_windows_fit_no_code() {
        let seed = rfc_seed();
        let code = hotp(&seed, 5);
        assert_eq!(matching_step(&seed, &code, Window { from: 6, to: 5 }), None);
        assert_eq!(matching_step(&seed, &code, Window { from: 0, to: WINDOW_STEPS_MAX - 1 }), Some(5));
        assert_eq!(matching_step(&seed, &code, Window { from: 0, to: WINDOW_STEPS_MAX }), None);
        assert_eq!(matching_step(&seed, &code, Window { from: 0, to: u64::MAX }), None);
    }

    /// RFC 4226 §4 R6, W12: 160 bits, shown as 32 characters.
    #[test]
    fn w12_a_fresh_seed_has_twenty_bytes() {
        let entropy = Seeded::new(1);
        let (one, other) = (TotpSeed::generate(&entropy).unwrap(), TotpSeed::generate(&entropy).unwrap());
        assert_eq!(one.as_bytes().len(), 20);
        assert_eq!(one.to_base32().len(), 32);
        assert_ne!(one.as_bytes(), other.as_bytes());
        assert!(TotpSeed::generate(&Failing).is_err());
    }

    #[test]
    fn w12_seeds_have_ten_to_forty_bytes() {
        for length in 0..=64 {
            let seed = TotpSeed::from_bytes(&vec![7; length]);
            assert_eq!(seed.is_some(), (10..=40).contains(&length), "{length}");
        }
    }

    #[test]
    fn w12_an_imported_seed_is_echoed_in_upper_case_without_padding() {
        let seed = TotpSeed::import_base32("gezd gnbv gy3t qojq gezd gnbv gy3t qojq====").unwrap();
        assert_eq!(seed.as_bytes(), b"12345678901234567890");
        assert_eq!(seed.to_base32().as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(TotpSeed::import_base32(&"A".repeat(15)).is_none());
        assert!(TotpSeed::import_base32(&"A".repeat(65)).is_none());
    }

    #[test]
    fn i10_debug_shows_nothing_of_the_seed() {
        assert_eq!(format!("{:?}", rfc_seed()), "TotpSeed(…)");
    }
}
