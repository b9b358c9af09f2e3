//! Reading a TOTP secret that comes from elsewhere.

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

/// Characters an imported secret may have, once spaces and padding are gone (W12).
const CHARS_MIN: usize = 16;
const CHARS_MAX: usize = 64;
/// What [`CHARS_MAX`] characters decode to.
const BYTES_MAX: usize = 40;

/// The bytes that `text` spells in Base32 (RFC 4648 §6) as W12 reads it: either case, U+0020 and `=` dropped wherever
/// they stand, then 16 to 64 characters.
///
/// One seed has one spelling, because the answer echoes it in upper case and must show what was sent. Refused is
/// therefore what no encoder writes and decoders read differently: a length of 1, 3 or 6 beyond a multiple of 8, whose
/// last character holds no whole byte, and a last character with bits beyond the last byte that are not zero (RFC 4648
/// §3.5).
pub(crate) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut chars = Zeroizing::new([0_u8; CHARS_MAX]);
    let mut count = 0;
    for byte in text.bytes().filter(|byte| !matches!(byte, b' ' | b'=')) {
        *chars.get_mut(count)? = byte.to_ascii_uppercase();
        count += 1;
    }
    if count < CHARS_MIN {
        return None;
    }
    let chars = chars.get(..count)?;

    let mut bytes = Zeroizing::new(vec![0; BYTES_MAX]);
    let length = BASE32_NOPAD.decode_len(count).ok()?;
    BASE32_NOPAD.decode_mut(chars, bytes.get_mut(..length)?).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// `bytes` in Base32, upper case, without padding.
pub(crate) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    // Room for all of it at once: growing would leave a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(BASE32_NOPAD.encode_len(bytes.len())));
    BASE32_NOPAD.encode_append(bytes, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        decode(text).map(|bytes| bytes.to_vec())
    }

    const RFC_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    /// W12: case, spaces and padding do not matter.
    #[test]
    fn w12_one_secret_in_many_dresses() {
        for text in [
            RFC_SECRET,
            "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
            "GeZdGnBvGy3TqOjQgEzDgNbVgY3tQoJq",
            "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ",
            "  GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ  ",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ======",
            "=GEZDGNBVGY3TQOJQ = GEZDGNBVGY3TQOJQ",
        ] {
            assert_eq!(decoded(text).as_deref(), Some(&b"12345678901234567890"[..]), "{text:?}");
        }
    }

    /// W12: 16 to 64 characters; of these lengths, those that end where a byte ends.
    #[test]
    fn w12_length_table() {
        for length in 0..=80 {
            let text = "A".repeat(length);
            let fits = (16..=64).contains(&length) && ![1, 3, 6].contains(&(length % 8));
            let expected = fits.then(|| vec![0; length * 5 / 8]);
            assert_eq!(decoded(&text), expected, "{length}");
        }
        assert_eq!(decoded(&"A".repeat(15)), None);
        assert_eq!(decoded(&"A".repeat(16)).unwrap().len(), 10);
        assert_eq!(decoded(&"A".repeat(64)).unwrap().len(), 40);
        assert_eq!(decoded(&"A".repeat(65)), None);
        // Spaces and padding do not count towards the length, on either side.
        assert_eq!(decoded(&format!("{}    ====", "A".repeat(15))), None);
        assert_eq!(decoded(&"A ".repeat(64)).unwrap().len(), 40);
        assert_eq!(decoded(&format!("{}{}", " ".repeat(60_000), "A".repeat(16))).unwrap().len(), 10);
    }

    #[test]
    fn w12_characters_outside_the_alphabet_are_refused() {
        for stray in ['0', '1', '8', '9', '-', '_', '+', '/', '\t', '\n', '\u{a0}', 'ä', 'Ａ', 'ı', '\0'] {
            for place in [0, 7, 15, 31] {
                let mut text: Vec<char> = RFC_SECRET.chars().collect();
                text[place] = stray;
                let text: String = text.into_iter().collect();
                assert_eq!(decoded(&text), None, "{text:?}");
            }
            assert_eq!(decoded(&format!("{RFC_SECRET}{stray}")), None, "{stray:?} at the end");
        }
    }

    /// A secret whose last character has bits to spare is accepted only in the spelling that is echoed.
    #[test]
    fn w12_bits_beyond_the_last_byte_must_be_zero() {
        // 26 characters hold 16 bytes and 2 bits more.
        let stem = "A".repeat(25);
        for (last, accepted) in
            [("A", true), ("E", true), ("4", true), ("B", false), ("C", false), ("7", false)]
        {
            assert_eq!(decoded(&format!("{stem}{last}")).is_some(), accepted, "{last}");
        }
    }

    #[test]
    fn what_was_encoded_decodes_to_itself() {
        for length in 10..=40 {
            let bytes: Vec<u8> =
                (0..length).map(|place: u8| place.wrapping_mul(7).wrapping_add(129)).collect();
            let text = encode(&bytes);
            assert!(text.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte)));
            assert_eq!(decoded(&text), Some(bytes));
        }
    }
}
