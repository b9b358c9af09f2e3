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
