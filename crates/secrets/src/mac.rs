//! Signatures of others: what providers put on what they report, made with a secret that both sides have.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

/// The hash under an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacHash {
    /// HMAC-SHA1, where a provider has nothing better.
    Sha1,
    /// HMAC-SHA256.
    Sha256,
    /// HMAC-SHA512.
    Sha512,
}

/// Whether `given` is the whole HMAC of the parts, one after the other. Compared in constant time; one of another
/// length never fits.
#[must_use]
pub fn mac_fits(hash: MacHash, key: &[u8], parts: &[&[u8]], given: &[u8]) -> bool {
    fn fits<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], given: &[u8]) -> bool {
        let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return false };
        parts.iter().for_each(|part| mac.update(part));
        mac.verify_slice(given).is_ok()
    }
    match hash {
        MacHash::Sha1 => fits::<Hmac<Sha1>>(key, parts, given),
        MacHash::Sha256 => fits::<Hmac<Sha256>>(key, parts, given),
        MacHash::Sha512 => fits::<Hmac<Sha512>>(key, parts, given),
    }
}

/// Whether `given` is the SHA-256 of the bytes. Compared in constant time.
#[must_use]
pub fn sha256_fits(bytes: &[u8], given: &[u8]) -> bool {
    Sha256::digest(bytes).as_slice().ct_eq(given).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// RFC 2202 and RFC 4231, test case 2.
    #[test]
    fn the_vectors_of_the_standards_fit_and_nothing_shorter_or_longer() {
        let (key, parts) = (b"Jefe", [&b"what do ya want "[..], b"for nothing?"]);
        for (hash, hex) in [
            (MacHash::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (MacHash::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                MacHash::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let mut given = HEXLOWER.decode(hex.as_bytes()).unwrap();
            assert!(mac_fits(hash, key, &parts, &given));
            assert!(!mac_fits(hash, b"jefe", &parts, &given));
            assert!(!mac_fits(hash, key, &parts, &given[..given.len() - 1]));
            assert!(!mac_fits(hash, key, &parts, b""));
            given[0] ^= 1;
            assert!(!mac_fits(hash, key, &parts, &given));
        }
        let empty = HEXLOWER.decode(b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert!(sha256_fits(b"", &empty.unwrap()) && !sha256_fits(b"", b""));
    }
}
