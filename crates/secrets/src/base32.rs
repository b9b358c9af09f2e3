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
