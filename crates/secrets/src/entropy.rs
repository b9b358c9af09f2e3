//! Randomness, handed in from the top so that nothing mints a secret from a source nobody chose.

use thiserror::Error;

/// A source of unpredictable bytes. In production only [`SystemEntropy`]; tests hand in one that repeats.
pub trait Entropy: Send + Sync {
    /// Fills the whole of `buf`.
    ///
    /// # Errors
    /// [`EntropyFailed`] if the source has none to give. What `buf` then holds must not be used; there is never a
    /// second source to fall back on.
    fn fill(&self, buf: &mut [u8]) -> Result<(), EntropyFailed>;
}

/// The source of randomness failed; nothing may be minted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the system's random generator failed")]
pub struct EntropyFailed;

/// The operating system's generator (NIST SP 800-63B-4 3.1.6.2: an approved generator, and no other).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[allow(clippy::disallowed_methods, reason = "the one place where randomness enters the process")]
    fn fill(&self, buf: &mut [u8]) -> Result<(), EntropyFailed> {
        getrandom::fill(buf).map_err(|_| EntropyFailed)
    }
}

/// Draws in a row that may fall outside the fair range. A sound generator misses with at most 1 in 2 each time, so
/// that many misses say that it is broken.
const DRAWS_MAX: u32 = 128;

/// A number from 0 to `n` − 1, each as likely as the others; 0 if `n` is 0 or 1.
///
/// Draws that would favour the low numbers are thrown away rather than folded back.
///
/// # Errors
/// [`EntropyFailed`] if the source fails, or gives nothing but numbers to throw away.
pub fn uniform_below(entropy: &dyn Entropy, n: u32) -> Result<u32, EntropyFailed> {
    if n <= 1 {
        return Ok(0);
    }
    let fair = u32::MAX - (u32::MAX % n + 1) % n;
    for _ in 0..DRAWS_MAX {
        let mut bytes = [0; 4];
        entropy.fill(&mut bytes)?;
        let drawn = u32::from_le_bytes(bytes);
        if drawn <= fair {
            return Ok(drawn % n);
        }
    }
    Err(EntropyFailed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::{Failing, Seeded, Stuck};

    #[test]
    fn every_number_below_the_bound_is_as_likely_as_the_others() {
        let entropy = Seeded::new(1);
        for n in [2_u32, 3, 10, 62] {
            let draws = 2_000 * n;
            let mut counts = vec![0_i64; n as usize];
            for _ in 0..draws {
                counts[uniform_below(&entropy, n).unwrap() as usize] += 1;
            }
            // 2,000 each, give or take six standard deviations.
            assert!(counts.iter().all(|count| (count - 2_000).abs() < 270), "{n}: {counts:?}");
        }
    }

    #[test]
    fn draws_that_would_favour_low_numbers_are_thrown_away() {
        /// Gives the numbers in turn, then zeros.
        struct Script(std::sync::Mutex<Vec<u32>>);
        impl Entropy for Script {
            fn fill(&self, buf: &mut [u8]) -> Result<(), EntropyFailed> {
                let next = self.0.lock().unwrap().pop().unwrap_or(0);
                buf.copy_from_slice(&next.to_le_bytes());
                Ok(())
            }
        }
        let draw = |numbers: &[u32], n| {
            let script = Script(std::sync::Mutex::new(numbers.iter().rev().copied().collect()));
            uniform_below(&script, n).unwrap()
        };
        // 2^32 = 4294 * 10^6 + 967,296: what lies at 4,294,000,000 and above is surplus.
        assert_eq!(draw(&[4_293_999_999], 1_000_000), 999_999);
        assert_eq!(draw(&[4_294_000_000, 7], 1_000_000), 7);
        assert_eq!(draw(&[u32::MAX, u32::MAX, 3], 1_000_000), 3);
        // A power of two has no surplus.
        assert_eq!(draw(&[u32::MAX], 32), 31);
        assert_eq!(draw(&[u32::MAX], 1 << 31), (1 << 31) - 1);
        assert_eq!(draw(&[u32::MAX, 5], u32::MAX), 5);
    }

    #[test]
    fn one_or_no_number_needs_no_draw() {
        assert_eq!(uniform_below(&Failing, 1), Ok(0));
        assert_eq!(uniform_below(&Failing, 0), Ok(0));
    }

    #[test]
    fn a_failed_or_stuck_generator_mints_nothing() {
        assert_eq!(uniform_below(&Failing, 10), Err(EntropyFailed));
        assert_eq!(uniform_below(&Stuck(0xff), 1_000_000), Err(EntropyFailed));
    }

    #[test]
    fn the_system_gives_other_bytes_each_time() {
        let mut draws = [[0_u8; 32]; 3];
        for draw in &mut draws {
            SystemEntropy.fill(draw).unwrap();
        }
        assert!(draws[0] != draws[1] && draws[1] != draws[2] && draws[0] != draws[2]);
        assert!(draws.iter().all(|draw| draw.iter().any(|byte| *byte != 0)));
    }
}
