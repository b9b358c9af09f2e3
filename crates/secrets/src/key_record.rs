//! A key of the key ring as the store keeps it.

use std::fmt;

use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyFailed};
use crate::key_wrap::{Purpose, Wrapper};

/// One key as the store keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its number, never given twice, whatever the purpose.
    pub id: u32,
    /// What it is for.
    pub purpose: Purpose,
    /// The key, wrapped by the master key.
    pub wrapped: Vec<u8>,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// A retired seal key still opens what it sealed, but seals nothing more; a retired digest or audit key is not
    /// used at all.
    pub retired: bool,
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .field("created_at_ms", &self.created_at_ms)
            .field("retired", &self.retired)
            .finish_non_exhaustive()
    }
}

impl KeyRecord {
    /// A fresh key and its record.
    pub(crate) fn mint(
        entropy: &dyn Entropy,
        wrapper: &Wrapper,
        purpose: Purpose,
        id: u32,
        now_ms: i64,
    ) -> Result<(Zeroizing<[u8; 32]>, KeyRecord), EntropyFailed> {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(&mut key[..])?;
        let wrapped = wrapper.wrap(entropy, purpose, id, &key)?.0;
        Ok((key, KeyRecord { id, purpose, wrapped, created_at_ms: now_ms, retired: false }))
    }

    /// The key, if `wrapper` is the master key it was wrapped with and the record is as it was made.
    pub(crate) fn unwrap(&self, wrapper: &Wrapper) -> Option<Zeroizing<[u8; 32]>> {
        wrapper.unwrap(self.purpose, self.id, &self.wrapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master_key::MasterKey;
    use crate::seeded::Seeded;

    #[test]
    fn a_minted_key_comes_back_from_its_record() {
        let wrapper = Wrapper::new(&MasterKey::generate(&Seeded::new(1)).unwrap());
        let (key, record) = KeyRecord::mint(&Seeded::new(2), &wrapper, Purpose::Seal, 7, 5).unwrap();
        assert_eq!(
            (record.id, record.purpose, record.created_at_ms, record.retired),
            (7, Purpose::Seal, 5, false)
        );
        assert_eq!(record.unwrap(&wrapper), Some(key));
    }

    #[test]
    fn i10_debug_shows_no_byte_of_the_key() {
        let record = KeyRecord {
            id: 1,
            purpose: Purpose::Seal,
            wrapped: vec![201; 73],
            created_at_ms: 17,
            retired: false,
        };
        assert_eq!(
            format!("{record:?}"),
            "KeyRecord { id: 1, purpose: Seal, created_at_ms: 17, retired: false, .. }"
        );
    }
}
