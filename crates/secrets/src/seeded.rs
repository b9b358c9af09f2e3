//! Randomness that repeats, for the tests of this crate alone.

use std::sync::Mutex;

use crate::entropy::{Entropy, EntropyFailed};

/// SplitMix64 from a seed: the same bytes in every run, and even enough for the bounds asserted here.
pub(crate) struct Seeded(Mutex<u64>);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Seeded {
        Seeded(Mutex::new(seed))
    }

    pub(crate) fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    }
}

impl Entropy for Seeded {
    fn fill(&self, buf: &mut [u8]) -> Result<(), EntropyFailed> {
        let mut state = self.0.lock().unwrap();
        for chunk in buf.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// A generator that has failed (fault 20).
pub(crate) struct Failing;

impl Entropy for Failing {
    fn fill(&self, _: &mut [u8]) -> Result<(), EntropyFailed> {
        Err(EntropyFailed)
    }
}

/// A generator that gives one byte for ever.
pub(crate) struct Stuck(pub(crate) u8);

impl Entropy for Stuck {
    fn fill(&self, buf: &mut [u8]) -> Result<(), EntropyFailed> {
        buf.fill(self.0);
        Ok(())
    }
}
