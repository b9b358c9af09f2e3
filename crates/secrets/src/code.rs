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
