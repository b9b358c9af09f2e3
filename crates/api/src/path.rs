//! Segments of a path, percent-decoded exactly once (RFC 3986 §2.4).

use std::borrow::Cow;

/// The bytes that `segment` stands for. A `%` that no two hexadecimal digits follow stands for itself.
fn decode(segment: &str) -> Cow<'_, [u8]> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment.as_bytes());
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    loop {
        rest = match rest {
            [] => return Cow::Owned(bytes),
            [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(digit(*high) << 4 | digit(*low));
                after
            }
            [byte, after @ ..] => {
                bytes.push(*byte);
                after
            }
        };
    }
}

fn digit(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        _ => (hex | 0x20).wrapping_sub(b'a').wrapping_add(10),
    }
}

/// The text of a segment; `None` if it is not UTF-8.
pub(crate) fn text(segment: &str) -> Option<Cow<'_, str>> {
    match decode(segment) {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// The text of a segment, with U+FFFD for what is not UTF-8: fit to be echoed, and no id.
pub(crate) fn lossy(segment: &str) -> Cow<'_, str> {
    match decode(segment) {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_decoded_exactly_once() {
        for (segment, plain) in [
            ("abc", Some("abc")),
            ("a%20b+c", Some("a b+c")),
            ("a%2Fb%3fc", Some("a/b?c")),
            ("%2541", Some("%41")),
            ("%C3%A9", Some("é")),
            ("100%", Some("100%")),
            ("%4", Some("%4")),
            ("%zz%41", Some("%zzA")),
            ("%ff", None),
            ("%ED%A0%80", None),
        ] {
            assert_eq!(text(segment).as_deref(), plain, "{segment}");
        }
        assert_eq!(lossy("x%ffy"), "x\u{fffd}y");
        assert_eq!(lossy("x%41"), "xA");
    }
}
