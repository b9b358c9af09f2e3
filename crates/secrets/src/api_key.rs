//! The text of an API key: what a calling service shows, and what only its digest is kept of.

use std::fmt;

use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::entropy::{Entropy, EntropyFailed, uniform_below};
use crate::key_ring::KeyRing;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::master_key::MasterKey;
    use crate::seeded::{Failing, Seeded};

    /// A key whose checksum was worked out with another implementation of CRC-32.
    const KEY: &str = "sk_test_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0z02M7";

    #[test]
    fn a_fresh_key_reads_back_and_no_two_are_alike() {
        let entropy = Seeded::new(1);
        let mut seen = BTreeSet::new();
        for (mode, prefix) in [(KeyMode::Test, "sk_test_"), (KeyMode::Live, "sk_live_")] {
            for _ in 0..500 {
                let key = ApiKeyText::generate(&entropy, mode).unwrap();
                assert_eq!(key.reveal().len(), 46);
                assert!(key.reveal().starts_with(prefix));
                assert_eq!(key.mode(), mode);
                assert_eq!(ApiKeyText::parse(key.reveal()).unwrap().reveal(), key.reveal());
                assert_eq!(ApiKeyText::parse(key.reveal()).unwrap().mode(), mode);
                assert!(seen.insert(key.reveal()[8..40].to_owned()));
            }
        }
    }

    #[test]
    fn every_character_of_the_alphabet_occurs_in_every_place() {
        let entropy = Seeded::new(2);
        let mut seen = vec![BTreeSet::new(); RANDOM_CHARS];
        for _ in 0..2_000 {
            let key = ApiKeyText::generate(&entropy, KeyMode::Live).unwrap();
            for (place, char) in key.reveal()[8..40].chars().enumerate() {
                seen[place].insert(char);
            }
        }
        assert!(seen.iter().all(|chars| chars.len() == 62));
    }

    #[test]
    fn the_checksum_is_the_crc_32_of_what_precedes() {
        assert_eq!(ApiKeyText::parse(KEY).unwrap().reveal(), KEY);
    }

    #[test]
    fn one_character_mistyped_or_two_exchanged_and_it_is_no_key() {
        let key = ApiKeyText::generate(&Seeded::new(3), KeyMode::Test).unwrap();
        for place in 0..46 {
            for other in [b'0', b'Z', b'q', b'_', b' ', b'-'] {
                let mut typed = key.reveal().as_bytes().to_vec();
                if typed[place] == other {
                    continue;
                }
                typed[place] = other;
                assert!(ApiKeyText::parse(str::from_utf8(&typed).unwrap()).is_none(), "{place} {other}");
            }
            let mut typed = key.reveal().as_bytes().to_vec();
            if place > 0 && typed[place] != typed[place - 1] {
                typed.swap(place, place - 1);
                assert!(ApiKeyText::parse(str::from_utf8(&typed).unwrap()).is_none(), "{place} exchanged");
            }
        }
    }

    #[test]
    fn other_texts_are_no_keys() {
        let live = KEY.replace("test", "live");
        let upper = KEY.to_uppercase();
        for text in [
            "",
            "sk_test_",
            "sk_live_",
            "sk_",
            "sk_test_default",
            &KEY[..45],
            &KEY[1..],
            &format!("{KEY}0"),
            &format!(" {KEY}"),
            &format!("{KEY} "),
            &format!("{KEY}\n"),
            &live,
            &upper,
            "sk_test_ééééééééééééééééééé",
            "sk_test_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAé",
            &format!("sk_test_{}", "A".repeat(100_000)),
        ] {
            assert!(ApiKeyText::parse(text).is_none(), "{text:.60}");
        }
    }

    /// W15: the test double takes the official emulator's key, and any other that looks like one.
    #[test]
    fn w15_the_test_double_takes_any_test_key() {
        let longest = format!("sk_test_{}", "x".repeat(120));
        for text in ["sk_test_default", "sk_test_a", "sk_test_!~", KEY, &longest] {
            let key = ApiKeyText::parse_lenient(text).unwrap();
            assert_eq!((key.reveal(), key.mode()), (text, KeyMode::Test));
        }
        let live = KEY.replace("test", "live");
        let too_long = format!("{longest}x");
        for text in [
            "",
            "sk_test_",
            "sk_live_default",
            &live,
            "sk_test_a b",
            " sk_test_a",
            "sk_test_a\n",
            "sk_test_é",
            "pk_test_a",
            &too_long,
        ] {
            assert!(ApiKeyText::parse_lenient(text).is_none(), "{text:.40}");
        }
    }

    /// ASVS 13.2.3: the emulator's key is no key outside dev mode.
    #[test]
    fn asvs_13_2_3_the_default_key_has_no_checksum() {
        assert!(ApiKeyText::parse("sk_test_default").is_none());
    }

    #[test]
    fn a_hint_shows_the_last_four_of_a_key_long_enough() {
        assert_eq!(ApiKeyText::parse(KEY).unwrap().hint(), "sk_test_…02M7");
        let hint = |text| ApiKeyText::parse_lenient(text).unwrap().hint();
        assert_eq!(hint("sk_test_12345678"), "sk_test_…5678");
        assert_eq!(hint("sk_test_1234567"), "sk_test_…");
        assert_eq!(hint("sk_test_1"), "sk_test_…");
    }

    #[test]
    fn i10_debug_shows_the_prefix_only() {
        assert_eq!(format!("{:?}", ApiKeyText::parse(KEY).unwrap()), "ApiKeyText(sk_test_…)");
    }

    #[test]
    fn one_key_has_one_digest_and_another_key_another() {
        let entropy = Seeded::new(4);
        let master = MasterKey::generate(&entropy).unwrap();
        let (ring, _) = KeyRing::create(&entropy, &master, 0).unwrap();
        let key = ApiKeyText::parse(KEY).unwrap();
        let digest = key.digest(&ring);
        assert!(bool::from(digest.ct_eq(&ApiKeyText::parse_lenient(KEY).unwrap().digest(&ring))));
        assert!(!bool::from(
            digest.ct_eq(&ApiKeyText::generate(&entropy, KeyMode::Test).unwrap().digest(&ring))
        ));
    }

    #[test]
    fn without_randomness_there_is_no_key() {
        assert!(ApiKeyText::generate(&Failing, KeyMode::Test).is_err());
    }
}
