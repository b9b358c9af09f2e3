//! The text of an API key: what a calling service shows, and what only its digest is kept of.

use std::fmt;

use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::entropy::{Entropy, EntropyFailed, uniform_below};
use crate::key_ring::KeyRing;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Random characters of a key: 190 bits.
const RANDOM_CHARS: usize = 32;
/// Characters of the checksum; 62^6 is more than 2^32.
const CHECKSUM_CHARS: usize = 6;
/// Characters a key of the test double may have behind its prefix.
const LENIENT_CHARS_MAX: usize = 120;
/// Characters that a hint shows, and how many there must be for it to show any.
const HINT_CHARS: usize = 4;
const HINT_FROM: usize = 2 * HINT_CHARS;

/// Whether a key is for trying out or for real users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyMode {
    /// `sk_test_…`
    Test,
    /// `sk_live_…`
    Live,
}

impl KeyMode {
    /// How the keys of this mode begin.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            KeyMode::Test => "sk_test_",
            KeyMode::Live => "sk_live_",
        }
    }
}

/// An API key in clear: prefix, 32 random base62 characters, 6 characters of checksum. Shown once; it does not print
/// and is wiped when dropped.
pub struct ApiKeyText {
    text: Zeroizing<String>,
    mode: KeyMode,
}

impl ApiKeyText {
    /// A fresh key.
    ///
    /// # Errors
    /// [`EntropyFailed`] if there is no randomness; there is no key then.
    pub fn generate(entropy: &dyn Entropy, mode: KeyMode) -> Result<ApiKeyText, EntropyFailed> {
        let prefix = mode.prefix();
        // Room for all of it at once: growing would leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + RANDOM_CHARS + CHECKSUM_CHARS));
        text.push_str(prefix);
        for _ in 0..RANDOM_CHARS {
            text.push(base62(uniform_below(entropy, 62)?));
        }
        let checksum = checksum(&text);
        text.extend(checksum);
        Ok(ApiKeyText { text, mode })
    }

    /// The key that `text` is, if its checksum fits: a typing error is refused without a look-up.
    #[must_use]
    pub fn parse(text: &str) -> Option<ApiKeyText> {
        let (mode, rest) = split(text)?;
        if rest.len() != RANDOM_CHARS + CHECKSUM_CHARS
            || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            return None;
        }
        let (body, given) = text.split_at_checked(text.len() - CHECKSUM_CHARS)?;
        given.chars().eq(checksum(body)).then(|| ApiKeyText::new(text, mode))
    }

    /// The key that `text` is to the test double (W15), which takes any: `sk_test_` and 1 to 120 visible ASCII
    /// characters, without a checksum. Never to be used outside dev mode.
    #[must_use]
    pub fn parse_lenient(text: &str) -> Option<ApiKeyText> {
        let (mode, rest) = split(text)?;
        let fits = mode == KeyMode::Test
            && (1..=LENIENT_CHARS_MAX).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| ApiKeyText::new(text, mode))
    }

    fn new(text: &str, mode: KeyMode) -> ApiKeyText {
        ApiKeyText { text: Zeroizing::new(text.to_owned()), mode }
    }

    /// The whole key, to be shown the one time.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The mode its prefix names.
    #[must_use]
    pub fn mode(&self) -> KeyMode {
        self.mode
    }

    /// What is kept of it, and looked up by.
    #[must_use]
    pub fn digest(&self, ring: &KeyRing) -> Digest {
        ring.digest("api_key", &[self.text.as_bytes()])
    }

    /// What an operator tells keys apart by, as in `sk_test_…wxyz`: prefix and last four characters, or the prefix
    /// alone if the rest is too short to give some of it away.
    #[must_use]
    pub fn hint(&self) -> String {
        let prefix = self.mode.prefix();
        let rest = self.text.strip_prefix(prefix).unwrap_or_default();
        let shown = rest.len().checked_sub(HINT_CHARS).filter(|_| rest.len() >= HINT_FROM);
        format!("{prefix}…{}", shown.and_then(|from| rest.get(from..)).unwrap_or_default())
    }
}

impl fmt::Debug for ApiKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeyText({}…)", self.mode.prefix())
    }
}

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

fn split(text: &str) -> Option<(KeyMode, &str)> {
    [KeyMode::Test, KeyMode::Live]
        .into_iter()
        .find_map(|mode| text.strip_prefix(mode.prefix()).map(|rest| (mode, rest)))
}

fn base62(number: u32) -> char {
    char::from(BASE62[number as usize % BASE62.len()])
}

/// The CRC-32 of `body` in six base62 characters, the most significant first.
fn checksum(body: &str) -> [char; CHECKSUM_CHARS] {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut chars = ['0'; CHECKSUM_CHARS];
    for place in chars.iter_mut().rev() {
        *place = base62(rest % 62);
        rest /= 62;
    }
    chars
}
