//! Identifiers: a prefix and a ULID (W3).
//!
//! A ULID carries its creation time, so an object stores no `created_at` of its own: the id is the one place that says
//! it. Ids are no secrets.

use crate::time::Timestamp;
use secrets::{Entropy, EntropyFailed};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
};
use ulid::Ulid;

/// Characters of a ULID in text.
const ULID_LEN: usize = 26;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// What stands before the ULID in text.
            pub const PREFIX: &'static str = $prefix;

            /// The id around freshly minted bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes kept in the store. They sort as the text does.
            #[must_use]
            pub const fn bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Reads the text form. Exact, case included (W3): what this id would not print is no id.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let digits = text.strip_prefix(Self::PREFIX).filter(|d| d.len() == ULID_LEN)?;
                let ulid = Ulid::from_string(digits).ok()?;
                let id = Self(ulid.to_bytes());
                let mut buf = [0; ULID_LEN];
                (ulid.array_to_str(&mut buf) == digits).then_some(id)
            }

            /// When the object was created: the time inside the ULID.
            #[must_use]
            pub fn created_at(&self) -> Timestamp {
                let [a, b, c, d, e, f, ..] = self.0;
                Timestamp::from_millis(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buf = [0; ULID_LEN];
                f.write_str(Self::PREFIX)?;
                f.write_str(Ulid::from_bytes(self.0).array_to_str(&mut buf))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id!(
    /// A factor.
    FactorId, "auth_factor_"
);
id!(
    /// A challenge.
    ChallengeId, "auth_challenge_"
);
id!(
    /// An environment.
    EnvironmentId, "env_"
);
id!(
    /// An API key (the record, not the key).
    ApiKeyId, "key_"
);
id!(
    /// A message owed to a user.
    DeliveryId, "delivery_"
);
id!(
    /// An entry of the audit trail.
    EventId, "event_"
);

/// Mints ids that rise strictly within one process, also inside a millisecond (W3).
///
/// The time is minted along with the id, so that `created_at` and the id always agree: when several threads read the
/// clock in one order and arrive here in another, the later arrival gets the later time.
#[derive(Debug, Default)]
pub struct Minter {
    last: Mutex<u128>,
}

/// A clock is taken to have been moved back on purpose when it falls by more than this, in milliseconds.
const MOVED_BACK_MILLIS: u128 = 1_000;

/// Bits of a ULID that are random; above them stand 48 bits of milliseconds.
const RANDOM_BITS: u32 = 80;

impl Minter {
    /// A new id's bytes, created at `now` or, if a later one has been minted already, just after that.
    ///
    /// # Errors
    /// When the generator fails: no other source is ever used (fault 20).
    pub fn mint(&self, now: Timestamp, entropy: &dyn Entropy) -> Result<[u8; 16], EntropyFailed> {
        let mut random = [0; 16];
        entropy.fill(&mut random[6..])?;
        let millis = u128::from(now.millis().unsigned_abs() & 0xffff_ffff_ffff);
        let fresh = (millis << RANDOM_BITS) | u128::from_be_bytes(random);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Within the same millisecond, or behind it, the successor of the last id; it may carry into the next one.
        *last = if fresh >> RANDOM_BITS > *last >> RANDOM_BITS { fresh } else { last.saturating_add(1) };
        Ok(last.to_be_bytes())
    }
}

impl Minter {
    /// Lets ids follow a clock that is moved back on purpose, as a test double's is. They rise again from there.
    pub fn follow(&self, now: Timestamp) {
        let millis = u128::from(now.millis().unsigned_abs());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if (*last >> RANDOM_BITS) > millis + MOVED_BACK_MILLIS {
            *last = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrets::SystemEntropy;

    #[test]
    fn w3_an_id_is_read_exactly_as_it_is_written() {
        let id = FactorId::from_bytes([0x01; 16]);
        let text = id.to_string();
        assert_eq!(text.len(), "auth_factor_".len() + 26);
        assert_eq!(FactorId::parse(&text), Some(id));
        for wrong in [
            text.to_lowercase(),
            text.replace("auth_factor_", "AUTH_FACTOR_"),
            text.replace("auth_factor_", "auth_challenge_"),
            format!("{text} "),
            format!("{text}0"),
            text.chars().take(37).collect(),
            "auth_factor_8ZZZZZZZZZZZZZZZZZZZZZZZZZ".into(),
            "auth_factor_O1O1O1O1O1O1O1O1O1O1O1O1O1".into(),
            "auth_factor_é1234567890123456789012345".into(),
            String::new(),
        ] {
            assert_eq!(FactorId::parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn w3_the_time_of_the_ulid_is_created_at() {
        let now = Timestamp::from_millis(1_795_774_530_250);
        let id = ChallengeId::from_bytes(Minter::default().mint(now, &SystemEntropy).unwrap());
        assert_eq!(id.created_at(), now);
    }

    #[test]
    fn w3_ids_rise_strictly_inside_a_millisecond_and_when_the_clock_falls_back() {
        let minter = Minter::default();
        let mut last = [0; 16];
        for at in [5_000, 5_000, 5_000, 4_000, 5_001, 5_001] {
            let id = minter.mint(Timestamp::from_millis(at), &SystemEntropy).unwrap();
            assert!(id > last);
            last = id;
        }
    }
}
