//! `x-request-id`: a fresh UUID for every answer (W2).

use axum::http::HeaderValue;
use secrets::Entropy;

/// A random UUID (RFC 9562 §5.4) in its text form.
#[derive(Clone, Copy)]
pub(crate) struct RequestId([u8; 36]);

impl RequestId {
    /// Draws one. If there is no randomness it is the nil UUID: the request still needs its answer, and will not get far.
    pub(crate) fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 16];
        if entropy.fill(&mut bytes).is_err() {
            return Self::of(&[0; 16]);
        }
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self::of(&bytes)
    }

    fn of(bytes: &[u8; 16]) -> Self {
        let mut text = [b'-'; 36];
        let places = text.iter_mut().enumerate().filter(|(at, _)| !matches!(at, 8 | 13 | 18 | 23));
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        for ((_, place), digit) in places.zip(digits) {
            *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        }
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrets::{EntropyFailed, SystemEntropy};

    #[test]
    fn w2_it_is_a_uuid_of_version_4_and_never_the_same() {
        let (a, b) = (RequestId::draw(&SystemEntropy), RequestId::draw(&SystemEntropy));
        assert_ne!(a.as_str(), b.as_str());
        let parts: Vec<usize> = a.as_str().split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&a.as_str()[14..15], "4");
        assert!("89ab".contains(&a.as_str()[19..20]));
        assert_eq!(RequestId::of(&[0x5a; 16]).as_str(), "5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a");
    }

    #[test]
    fn without_randomness_it_is_nil() {
        struct Broken;
        impl Entropy for Broken {
            fn fill(&self, _: &mut [u8]) -> Result<(), EntropyFailed> {
                Err(EntropyFailed)
            }
        }
        assert_eq!(RequestId::draw(&Broken).as_str(), "00000000-0000-0000-0000-000000000000");
    }
}
