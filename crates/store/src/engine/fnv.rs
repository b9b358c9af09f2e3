//! FNV-1a: the same sum in every version and on every node. Against mistakes, not against attackers.

/// A sum.
#[derive(Clone, Copy)]
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    }

    /// The sum.
    pub(super) fn sum(self) -> u64 {
        self.0
    }

    /// The sum of a text, as it is stored.
    pub(super) fn of(text: &str) -> i64 {
        let mut sum = Self::default();
        sum.feed(text.as_bytes());
        i64::from_be_bytes(sum.sum().to_be_bytes())
    }
}
