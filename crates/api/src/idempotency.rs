//! `Idempotency-Key` (W7): which ones are remembered.

use axum::http::HeaderMap;

/// Most characters of a usable key.
const MAX_CHARS: usize = 255;
/// Hexadecimal digits behind `retry-` in a key that is not unique.
const DERIVED_DIGITS: usize = 64;

/// The request's key, if it is usable: exactly one, of 1 to 255 visible ASCII characters, and not derived from the
/// request itself, as Kotlin's are, which would make every call the repetition of the first. Anything else is as if it
/// had not been sent, and never an error.
pub(crate) fn usable_key(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all("idempotency-key").iter();
    let key = match (all.next(), all.next()) {
        (Some(only), None) => only.as_bytes(),
        _ => return None,
    };
    let visible = (1..=MAX_CHARS).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    if !visible || is_derived(key) { None } else { str::from_utf8(key).ok() }
}

fn is_derived(key: &[u8]) -> bool {
    let digits = key.split_at_checked(6).filter(|(head, _)| head.eq_ignore_ascii_case(b"retry-"));
    digits.is_some_and(|(_, d)| d.len() == DERIVED_DIGITS && d.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn used(values: &[&[u8]]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("idempotency-key", HeaderValue::from_bytes(value).unwrap());
        }
        usable_key(&headers).is_some()
    }

    #[test]
    fn w7_keys_that_are_remembered_and_keys_that_are_as_if_not_sent() {
        let digits = "0123456789abcdefABCDEF0123456789".repeat(2);
        for (key, usable) in [
            ("k".to_owned(), true),
            ("6f1c0f0e-2a8e-4d2c-9d38-0a3f6d1f2b11".into(), true),
            ("retry-6f1c0f0e-2a8e-4d2c-9d38-0a3f6d1f2b11".into(), true),
            ("k".repeat(255), true),
            ("k".repeat(256), false),
            (String::new(), false),
            ("a b".into(), false),
            ("é".into(), false),
            (format!("retry-{digits}"), false),
            (format!("RETRY-{digits}"), false),
            (format!("retry-{digits}0"), true),
            (format!("retry-{}", &digits[1..]), true),
            (format!("retry-{}g", &digits[1..]), true),
            (digits, true),
        ] {
            assert_eq!(used(&[key.as_bytes()]), usable, "{key}");
        }
        assert!(!used(&[]));
        assert!(!used(&[b"a", b"a"]));
    }
}
