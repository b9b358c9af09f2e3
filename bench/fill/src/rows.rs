//! The rows, each made from its number alone.

use domain::{id::EnvironmentId, open_challenges::OpenChallenges, user_budget::UserBudget};
use secrets::{KeyRing, SystemEntropy, TotpSeed};
use store::steps::factor_binding;

const HOUR_MS: u64 = 3_600_000;
/// Factors were enrolled over a year, until two days ago.
const ENROLLED: (u64, u64) = (367 * 24 * HOUR_MS, 48 * HOUR_MS);
/// Challenges were opened over two days, of which some hours are missing at either end: the oldest do not fall due while a
/// run with moved clocks lasts, and the latest are over.
const OPENED: (u64, u64) = (42 * HOUR_MS, 2 * HOUR_MS);

/// What to fill in.
pub(crate) struct Rows {
    pub(crate) environment: EnvironmentId,
    pub(crate) ring: KeyRing,
    pub(crate) factors: u64,
    pub(crate) challenges: u64,
    pub(crate) now_ms: u64,
}

/// A finished challenge.
pub(crate) struct Challenge {
    pub(crate) id: [u8; 16],
    pub(crate) factor: [u8; 16],
    pub(crate) expires_at: i64,
    pub(crate) verified_at: i64,
}

/// A draw that depends on its arguments alone (splitmix64).
fn draw(stream: u64, n: u64) -> u64 {
    let z = (stream << 56 ^ n).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// An id of its time, as a server mints them.
fn id(at_ms: u64, stream: u64, n: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&at_ms.to_be_bytes()[2..]);
    id[6..8].copy_from_slice(&draw(stream, n).to_be_bytes()[..2]);
    id[8..].copy_from_slice(&draw(stream + 1, n).to_be_bytes());
    id
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

impl Rows {
    /// The moment of the `n`th of `of`, between two ages. They rise with `n` strictly, as long as there is a millisecond
    /// for each; ids of one millisecond may stand in any order.
    fn at(&self, (from, to): (u64, u64), n: u64, of: u64) -> u64 {
        let through = u128::from(from - to) * u128::from(n) / u128::from(of.max(1));
        self.now_ms - from + u64::try_from(through).unwrap_or(0)
    }

    pub(crate) fn factor_id(&self, n: u64) -> [u8; 16] {
        id(self.at(ENROLLED, n, self.factors), 1, n)
    }

    pub(crate) fn user(n: u64) -> String {
        format!("user_{:016x}", draw(3, n))
    }

    pub(crate) fn seed(&self, n: u64) -> Option<TotpSeed> {
        let mut seed = [0; 20];
        for (i, chunk) in (0..).zip(seed.chunks_mut(8)) {
            chunk.copy_from_slice(draw(4 + i, n ^ self.now_ms << 24).to_be_bytes().get(..chunk.len())?);
        }
        TotpSeed::from_bytes(&seed)
    }

    /// The seed as the store keeps it.
    ///
    /// # Errors
    /// One line.
    pub(crate) fn sealed(&self, n: u64) -> Result<Vec<u8>, String> {
        let seed = self.seed(n).ok_or("a seed of 20 bytes is not one")?;
        let id = self.factor_id(n);
        let binding = factor_binding(self.environment.bytes(), &id);
        let sealed = self.ring.seal(&SystemEntropy, &binding, seed.as_bytes());
        Ok(sealed.map_err(|e| e.to_string())?.0)
    }

    pub(crate) fn verified_at(&self) -> i64 {
        signed(self.now_ms - OPENED.1)
    }

    pub(crate) fn no_challenges() -> Vec<u8> {
        OpenChallenges::default().to_bytes()
    }

    pub(crate) fn no_wrong() -> Vec<u8> {
        UserBudget::default().to_bytes()
    }

    /// The challenges of one millisecond at a time would be in the order of their ids; so they are, but for those.
    pub(crate) fn challenge(&self, n: u64) -> Challenge {
        let at = self.at(OPENED, n, self.challenges);
        let factor = self.factor_id(draw(7, n) % self.factors.max(1));
        let (expires_at, verified_at) = (signed(at + 600_000), signed(at + 5_000));
        Challenge { id: id(at, 8, n), factor, expires_at, verified_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrets::MasterKey;

    #[test]
    fn rows_are_apart_and_in_the_order_of_time_and_seeds_open() {
        let master = MasterKey::generate(&SystemEntropy).unwrap();
        let (ring, _) = KeyRing::create(&SystemEntropy, &master, 0).unwrap();
        let environment = EnvironmentId::from_bytes([7; 16]);
        let rows = Rows { environment, ring, factors: 1_000, challenges: 1_000, now_ms: 1_800_000_000_000 };
        let mut last = ([0; 16], [0; 16]);
        for n in 0..1_000 {
            let this = (rows.factor_id(n), rows.challenge(n).id);
            assert!(last.0 < this.0 && last.1 < this.1, "{n}");
            last = this;
        }
        let sealed = rows.sealed(3).unwrap();
        let id = rows.factor_id(3);
        let opened = rows.ring.open_sealed(&factor_binding(environment.bytes(), &id), &sealed).unwrap();
        assert_eq!(*opened, *rows.seed(3).unwrap().as_bytes());
    }
}
