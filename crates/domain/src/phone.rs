//! Phone numbers, and which of them an environment sends messages to (W10).

use std::fmt;

/// Fewest and most digits of a number, its country code included (W10, ITU-T E.164).
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;
/// Digits after `+1` in the North American plan, and the length that is read as such without a `+`.
const NATIONAL_DIGITS: usize = 10;
/// Most digits a prefix can have: a whole number.
const MAX_PREFIX_DIGITS: usize = 15;

/// A phone number in E.164 form: `+` and 8 to 15 ASCII digits.
///
/// `Debug` shows the first four digits only and there is no `Display`, so that a number reaches logs and
/// errors by nobody's oversight; [`PhoneNumber::reveal`] hands it to the wire and to senders.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

/// The text is not a phone number we accept. It does not say which rule was broken, as the wire does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the phone number is invalid")]
pub struct InvalidPhoneNumber;

impl PhoneNumber {
    /// Reads a number as people write it.
    ///
    /// Spaces, hyphens, full stops and parentheses are dropped; what is left is an optional `+` and ASCII
    /// digits. Ten digits without `+` are a North American number, other lengths start with the country code.
    ///
    /// # Errors
    /// [`InvalidPhoneNumber`] for any other character, for fewer than 8 or more than 15 digits, and after
    /// `+1` for anything but ten digits whose first and fourth are 2 to 9.
    pub fn parse(text: &str) -> Result<Self, InvalidPhoneNumber> {
        // One more than any number has is enough to see that it is too long: hostile input costs no memory.
        let kept: String = text
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')'))
            .take(DIGITS.end() + 2)
            .collect();
        let (digits, international) = match kept.strip_prefix('+') {
            Some(digits) => (digits, true),
            None => (kept.as_str(), false),
        };
        let number = if !international && digits.len() == NATIONAL_DIGITS {
            format!("+1{digits}")
        } else {
            format!("+{digits}")
        };
        if is_e164(&number) { Ok(Self(number)) } else { Err(InvalidPhoneNumber) }
    }

    /// Takes back a number this type wrote; `None` if the text is not exactly what it would have written.
    pub fn from_e164_trusted(text: String) -> Option<Self> {
        is_e164(&text).then_some(Self(text))
    }

    /// The whole number, with its `+`.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn digits(&self) -> &str {
        self.0.strip_prefix('+').unwrap_or(&self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.0.chars().take(5).collect();
        write!(f, "{shown}…")
    }
}

fn is_e164(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    if !DIGITS.contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    digits.strip_prefix('1').is_none_or(|national| {
        let from_two = |at: usize| national.as_bytes().get(at).is_some_and(|b| (b'2'..=b'9').contains(b));
        national.len() == NATIONAL_DIGITS && from_two(0) && from_two(3)
    })
}

/// The beginning of a number: `+` and 1 to 15 digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(String);

impl Prefix {
    /// Reads `+` and 1 to 15 ASCII digits.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let digits = text.strip_prefix('+').ok_or("has a prefix that does not start with +")?;
        if digits.is_empty()
            || digits.len() > MAX_PREFIX_DIGITS
            || !digits.bytes().all(|b| b.is_ascii_digit())
        {
            return Err("has a prefix that is not + and 1 to 15 digits");
        }
        Ok(Self(digits.to_owned()))
    }

    fn matched_digits(&self, number: &PhoneNumber) -> usize {
        if number.digits().starts_with(&self.0) { self.0.len() } else { 0 }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

/// The settings `sms_allowed_prefixes` and `sms_denied_prefixes` of an environment (W10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixRules {
    /// Numbers that may be sent to.
    pub allowed: Vec<Prefix>,
    /// Exceptions to `allowed`.
    pub denied: Vec<Prefix>,
}

impl Default for PrefixRules {
    /// `+1` is allowed and nothing denied. That covers some twenty countries besides the United States.
    fn default() -> Self {
        Self { allowed: vec![Prefix("1".to_owned())], denied: Vec::new() }
    }
}

impl PrefixRules {
    /// Whether messages may go to `number`: the longest matching prefix decides; no match, or the same
    /// prefix on both lists, is a refusal.
    pub fn permits(&self, number: &PhoneNumber) -> bool {
        // Prefixes have at least one digit, so 0 stands for no match, and 0 > 0 refuses.
        let longest =
            |list: &[Prefix]| list.iter().map(|prefix| prefix.matched_digits(number)).max().unwrap_or(0);
        longest(&self.allowed) > longest(&self.denied)
    }
}
