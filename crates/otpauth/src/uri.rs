//! `otpauth://totp/…`: what an authenticator app reads.
use std::borrow::Cow;

/// Who a key belongs to, as the app shows it: already trimmed, defaulted and checked.
///
/// Colons need not be dropped: [`key_uri`] does so.
#[derive(Clone, Copy)]
pub struct Label<'a> {
    /// The service, at most 255 characters.
    pub issuer: &'a str,
    /// The account at that service, at most 255 characters.
    pub user: &'a str,
}

/// The key URI in its short form: `otpauth://totp/<issuer>:<user>?secret=<secret>&issuer=<issuer>`.
///
/// Algorithm, digits and period are left out: they are the standard ones (SHA-1, 6, 30 s), and some apps
/// stumble over them. `secret_base32` is copied as it stands: upper-case Base32 without padding.
pub fn key_uri(label: &Label<'_>, secret_base32: &str) -> String {
    const SCHEME: &str = "otpauth://totp/";
    const SECRET: &str = "?secret=";
    const ISSUER: &str = "&issuer=";
    // Room for the longest form, so that growing leaves no second copy of the secret in freed memory.
    let parts = 3 * (2 * label.issuer.len() + label.user.len()) + secret_base32.len();
    let mut uri = String::with_capacity(SCHEME.len() + 1 + SECRET.len() + ISSUER.len() + parts);
    uri.push_str(SCHEME);
    push_encoded(&mut uri, label.issuer);
    uri.push(':');
    push_encoded(&mut uri, label.user);
    uri.push_str(SECRET);
    uri.push_str(secret_base32);
    uri.push_str(ISSUER);
    push_encoded(&mut uri, label.issuer);
    uri
}

/// The text without its colons, which part issuer and user in the URI.
///
/// Nothing may be left; what then stands in is the caller's choice.
pub fn without_colons(text: &str) -> Cow<'_, str> {
    if text.contains(':') { Cow::Owned(text.replace(':', "")) } else { Cow::Borrowed(text) }
}

/// Percent-encodes UTF-8 (RFC 3986, section 2.1), drops colons, and leaves `@` bare: legal in a path and in a
/// query, and an address stays readable.
fn push_encoded(uri: &mut String, part: &str) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in part.bytes() {
        match byte {
            b':' => {}
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                uri.push(char::from(byte));
            }
            _ => uri.extend(['%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

    /// The URI of an issuer and a user that encode to the two given texts.
    fn expected(issuer: &str, user: &str) -> String {
        format!("otpauth://totp/{issuer}:{user}?secret={SECRET}&issuer={issuer}")
    }

    #[test]
    fn w12_uri_encodes_each_part_and_leaves_the_separating_colon_bare() {
        let cases = [
            // issuer, user, and how each reads in the URI
            ("Acme", "alice", "Acme", "alice"),
            ("Acme", "alice@example.com", "Acme", "alice@example.com"),
            ("AZaz09-._~@", "AZaz09-._~@", "AZaz09-._~@", "AZaz09-._~@"),
            ("Big Corp", "Alice  Liddell", "Big%20Corp", "Alice%20%20Liddell"),
            ("A:B::C", ":al:ice:", "ABC", "alice"),
            ("50% off", "a%3Ab", "50%25%20off", "a%253Ab"),
            ("a/b", "c?d&e=f#g", "a%2Fb", "c%3Fd%26e%3Df%23g"),
            (
                "a+b",
                "\"<>\\^`{|}!$'()*,;[]",
                "a%2Bb",
                "%22%3C%3E%5C%5E%60%7B%7C%7D%21%24%27%28%29%2A%2C%3B%5B%5D",
            ),
            ("Café", "Zoë", "Caf%C3%A9", "Zo%C3%AB"),
            ("🔑", "👩‍💻", "%F0%9F%94%91", "%F0%9F%91%A9%E2%80%8D%F0%9F%92%BB"),
            ("שלום", "مرحبا", "%D7%A9%D7%9C%D7%95%D7%9D", "%D9%85%D8%B1%D8%AD%D8%A8%D8%A7"),
            ("會社", "：", "%E6%9C%83%E7%A4%BE", "%EF%BC%9A"), // a full-width colon is no separator
        ];
        for (issuer, user, issuer_coded, user_coded) in cases {
            let uri = key_uri(&Label { issuer, user }, SECRET);
            assert_eq!(uri, expected(issuer_coded, user_coded), "{issuer} {user}");
            assert_eq!(uri.strip_prefix("otpauth:").unwrap().matches(':').count(), 1, "{uri}");
            assert!(uri.is_ascii());
        }
    }

    #[test]
    fn w12_names_of_255_characters_pass_whole() {
        let (ascii, emoji) = ("x".repeat(255), "🔑".repeat(255));
        let uri = key_uri(&Label { issuer: &ascii, user: &emoji }, SECRET);
        assert_eq!(uri, expected(&ascii, &"%F0%9F%94%91".repeat(255)));
    }

    #[test]
    fn w12_dropping_colons_may_leave_nothing_and_copies_only_when_it_must() {
        assert!(matches!(without_colons("Acme Inc"), Cow::Borrowed("Acme Inc")));
        assert_eq!(without_colons("a:b:"), "ab");
        assert_eq!(without_colons(":::"), "");
        assert_eq!(without_colons(""), "");
    }

    #[test]
    fn the_uri_is_built_in_one_allocation() {
        let uri = key_uri(&Label { issuer: "🔑", user: "🔑" }, SECRET);
        assert_eq!(uri.capacity(), uri.len());
    }
}
