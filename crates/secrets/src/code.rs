//! The code a user types: six digits, read once and never again.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::entropy::{Entropy, EntropyFailed, uniform_below};

/// Digits in a code (RFC 4226 §5.3; W8 for codes that are sent).
const DIGITS: usize = 6;
/// How many codes there are.
pub(crate) const CODES: u32 = 1_000_000;

/// Six ASCII digits, leading zeros kept. It does not print, and is compared by [`Code::ct_eq`] alone.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Code([u8; DIGITS]);

impl Code {
    /// The code that `text` is, exactly: six ASCII digits and nothing beside them.
    #[must_use]
    pub fn parse_exact(text: &str) -> Option<Code> {
        let digits: [u8; DIGITS] = text.as_bytes().try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Code(digits))
    }

    /// A fresh code, `000000` to `999999`, each as likely as the others (W8).
    ///
    /// # Errors
    /// [`EntropyFailed`] if there is no randomness; there is no code then.
    pub fn draw(entropy: &dyn Entropy) -> Result<Code, EntropyFailed> {
        uniform_below(entropy, CODES).map(Code::from_number)
    }

    /// The last six decimal digits of `number`, leading zeros kept.
    pub(crate) fn from_number(number: u32) -> Code {
        let mut rest = number;
        let mut code = Code([b'0'; DIGITS]);
        for digit in code.0.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        code
    }

    /// The digits, for the message that carries them or for a digest.
    #[must_use]
    pub fn reveal(&self) -> &str {
        // Digits are always UTF-8; an empty text, which is no code, is what a broken invariant would give.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether the two are the same code, in a time that does not depend on the digits (I13).
    #[must_use]
    pub fn ct_eq(&self, other: &Code) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// What a caller handed in as a code, after the one reading it ever gets (W9, I6).
#[derive(Debug)]
pub enum Submitted {
    /// Six ASCII digits once spaces and hyphens are gone.
    WellFormed(Code),
    /// Anything else. It counts as a wrong attempt and is compared with nothing.
    Malformed,
}

impl Submitted {
    /// Reads `text` by the rule of W9: U+0020 and U+002D are dropped wherever they stand, then there must be exactly
    /// six ASCII digits. One pass that stops at the first byte no code can have, so even 10^5 characters are quick.
    #[must_use]
    pub fn parse(text: &str) -> Submitted {
        let mut code = Code([0; DIGITS]);
        let mut places = code.0.iter_mut();
        for byte in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
            match places.next() {
                Some(place) if byte.is_ascii_digit() => *place = byte,
                _ => return Submitted::Malformed,
            }
        }
        if places.next().is_some() {
            return Submitted::Malformed;
        }
        Submitted::WellFormed(code)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;
    use crate::seeded::{Failing, Seeded, Stuck};

    fn digits(submitted: &Submitted) -> Option<&str> {
        match submitted {
            Submitted::WellFormed(code) => Some(code.reveal()),
            Submitted::Malformed => None,
        }
    }

    /// W9, F01: however a code is spaced and hyphenated, it is the one code.
    #[test]
    fn w9_every_spelling_of_one_code_is_that_code() {
        for text in [
            "123456",
            " 123456",
            "123456 ",
            "123 456",
            "123-456",
            "1-2-3-4-5-6",
            "--123456--",
            " - 12 34 - 56 - ",
            "12 3-4 56",
        ] {
            assert_eq!(digits(&Submitted::parse(text)), Some("123456"), "{text:?}");
        }
        assert_eq!(digits(&Submitted::parse("000-007")), Some("000007"));
    }

    /// W9, F01, F36, F61: nothing else is a code, whatever another reader might take it for.
    #[test]
    fn w9_whatever_else_stands_there_makes_it_malformed() {
        for text in [
            "",
            " ",
            "-",
            "- -",
            "12345",
            "1234567",
            "0123456",
            "123456 7",
            "12345a",
            "abcdef",
            // Other white space and marks that look like nothing (F01).
            "\t123456",
            "123456\n",
            "123456\r\n",
            "\u{a0}123456",
            "123456\u{200b}",
            "\u{feff}123456",
            "123\u{2009}456",
            "123456\0",
            "+123456",
            "+12345",
            "0x1234",
            "123_456",
            "123.456",
            "123,456",
            // Hyphens that are not U+002D.
            "123\u{2010}456",
            "123\u{2011}456",
            "123\u{2013}456",
            "123\u{2212}456",
            "123\u{ad}456",
            // Numbers in other dress (F36).
            "0x1E240",
            "1.23456e5",
            "123456.0",
            "1e5",
            "true",
            "[\"123456\"]",
            "123456 OR 1=1",
            // Digits that are none (F61): full-width, Arabic-Indic, Devanagari, mathematical, superscript, keycap.
            "\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}",
            "12345\u{ff16}",
            "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}",
            "\u{967}\u{968}\u{969}\u{96a}\u{96b}\u{96c}",
            "\u{1d7cf}\u{1d7d0}\u{1d7d1}\u{1d7d2}\u{1d7d3}\u{1d7d4}",
            "\u{b9}\u{b2}\u{b3}\u{2074}\u{2075}\u{2076}",
            "1\u{20e3}23456",
            "\u{2460}\u{2461}\u{2462}\u{2463}\u{2464}\u{2465}",
        ] {
            assert_eq!(digits(&Submitted::parse(text)), None, "{text:?}");
        }
    }

    /// F36: 10^4 digits under a millisecond; the same must hold for what is dropped.
    #[test]
    fn f36_long_texts_are_read_quickly() {
        let long = [
            "1".repeat(100_000),
            " ".repeat(100_000),
            "-".repeat(100_000),
            format!("{}123456", " -".repeat(50_000)),
            format!("123456{}x", " ".repeat(100_000)),
        ];
        let started = Instant::now();
        let read: Vec<_> = long.iter().map(|text| digits(&Submitted::parse(text)).is_some()).collect();
        assert!(started.elapsed() < Duration::from_millis(250), "{:?}", started.elapsed());
        assert_eq!(read, [false, false, false, true, false]);
    }

    #[test]
    fn parse_exact_takes_six_digits_and_nothing_beside_them() {
        assert_eq!(Code::parse_exact("012345").unwrap().reveal(), "012345");
        for text in
            ["", "12345", "1234567", " 123456", "123 456", "123-456", "12345a", "\u{ff11}23456", "１２"]
        {
            assert!(Code::parse_exact(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn equal_codes_are_equal_and_no_others() {
        let code = Code::parse_exact("012345").unwrap();
        assert!(bool::from(code.ct_eq(&Code::parse_exact("012345").unwrap())));
        for place in 0..6 {
            let mut other = *b"012345";
            other[place] = b'9';
            assert!(!bool::from(code.ct_eq(&Code(other))), "{place}");
        }
    }

    /// ASVS 6.5.2: 10^5 codes, uniform as a whole and in every place, leading zeros kept.
    #[test]
    fn drawn_codes_are_uniform_and_keep_their_leading_zeros() {
        const DRAWN: u32 = 100_000;
        let entropy = Seeded::new(42);
        let mut by_thousand = vec![0_u32; 1_000];
        let mut by_place = [[0_u32; 10]; DIGITS];
        for _ in 0..DRAWN {
            let code = Code::draw(&entropy).unwrap();
            let text = code.reveal();
            assert_eq!(text.len(), 6);
            by_thousand[text[..3].parse::<usize>().unwrap()] += 1;
            for (place, digit) in text.bytes().enumerate() {
                by_place[place][usize::from(digit - b'0')] += 1;
            }
        }
        // Chi-square: mean k − 1, deviation √(2(k − 1)); six deviations on either side.
        let chi_square = |counts: &[u32]| {
            let expected = f64::from(DRAWN) / counts.len() as f64;
            counts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum::<f64>()
        };
        let whole = chi_square(&by_thousand);
        assert!((730.0..1268.0).contains(&whole), "{whole}");
        for counts in &by_place {
            assert!(chi_square(counts) < 9.0 + 6.0 * 18_f64.sqrt(), "{counts:?}");
        }
        let leading_zero = by_place[0][0];
        assert!((9_400..10_600).contains(&leading_zero), "{leading_zero}");
    }

    #[test]
    fn the_lowest_draw_is_six_zeros() {
        assert_eq!(Code::draw(&Stuck(0)).unwrap().reveal(), "000000");
    }

    #[test]
    fn without_randomness_there_is_no_code() {
        assert!(Code::draw(&Failing).is_err());
    }

    #[test]
    fn i10_debug_shows_no_digit() {
        assert_eq!(format!("{:?}", Code::parse_exact("123456").unwrap()), "Code(…)");
        assert_eq!(format!("{:?}", Submitted::parse("123456")), "WellFormed(Code(…))");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        /// W9 said once more, the slow way.
        #[test]
        fn w9_parsing_is_dropping_and_then_matching(text in "[ 0-9\\-x٣]{0,12}") {
            let kept: String = text.chars().filter(|c| *c != ' ' && *c != '-').collect();
            let expected = (kept.len() == 6 && kept.chars().all(|c| c.is_ascii_digit())).then_some(kept);
            let submitted = Submitted::parse(&text);
            prop_assert_eq!(digits(&submitted), expected.as_deref());
        }
    }
}
