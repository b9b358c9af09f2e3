//! Client ids: what SDKs want to be given beside an API key.

use crate::entropy::{Entropy, EntropyFailed, uniform_below};

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A fresh client id, as SDKs expect beside an API key: `client_` and 26 characters of Crockford's Base32. Not a
/// secret. The first is at most 7, so that the 26 are a well-formed ULID (128 bits).
///
/// # Errors
/// [`EntropyFailed`] if there is no randomness.
pub fn client_id(entropy: &dyn Entropy) -> Result<String, EntropyFailed> {
    let mut id = String::from("client_");
    for place in 0..26 {
        let drawn = uniform_below(entropy, if place == 0 { 8 } else { 32 })?;
        id.push(char::from(CROCKFORD[drawn as usize % CROCKFORD.len()]));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::seeded::{Failing, Seeded};

    #[test]
    fn a_client_id_is_a_prefix_and_a_well_formed_ulid() {
        let entropy = Seeded::new(5);
        let mut seen = BTreeSet::new();
        for _ in 0..500 {
            let id = client_id(&entropy).unwrap();
            let chars = id.strip_prefix("client_").unwrap();
            assert_eq!(chars.len(), 26);
            assert!(chars.bytes().all(|byte| CROCKFORD.contains(&byte)), "{id}");
            assert!(chars.as_bytes()[0] <= b'7', "{id}");
            assert!(seen.insert(id));
        }
    }

    #[test]
    fn without_randomness_there_is_no_id() {
        assert!(client_id(&Failing).is_err());
    }
}
