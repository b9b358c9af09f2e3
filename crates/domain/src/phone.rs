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

    /// How many digits of the number it tells, if the number begins with it: the longest prefix decides.
    #[must_use]
    pub fn digits_matched(&self, number: &PhoneNumber) -> Option<usize> {
        number.digits().starts_with(&self.0).then_some(self.0.len())
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
        let longest = |list: &[Prefix]| {
            list.iter().filter_map(|prefix| prefix.digits_matched(number)).max().unwrap_or(0)
        };
        longest(&self.allowed) > longest(&self.denied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).unwrap()
    }

    fn list(texts: &[&str]) -> Vec<Prefix> {
        texts.iter().map(|text| Prefix::parse(text).unwrap()).collect()
    }

    #[test]
    fn w10_numbers_are_read_as_people_write_them() {
        for (text, e164) in [
            ("+14155552671", "+14155552671"),
            ("4155552671", "+14155552671"),
            ("14155552671", "+14155552671"),
            ("(415) 555-2671", "+14155552671"),
            ("415.555.2671", "+14155552671"),
            ("+1 (415) 555-2671", "+14155552671"),
            ("1-415-555-2671", "+14155552671"),
            ("+44 20 7946 0958", "+442079460958"),
            ("442079460958", "+442079460958"),
            ("(+44) 20 7946 0958", "+442079460958"),
            // Ten digits behind a + start with the country code, as any other length does.
            ("+4155552671", "+4155552671"),
            ("+12002000000", "+12002000000"),
            ("+19999999999", "+19999999999"),
            ("+44123456", "+44123456"),
            ("44123456", "+44123456"),
            ("+442345678901234", "+442345678901234"),
            ("442345678901234", "+442345678901234"),
        ] {
            assert_eq!(PhoneNumber::parse(text).as_ref().map(PhoneNumber::reveal), Ok(e164), "{text}");
        }
    }

    #[test]
    fn w10_everything_else_is_invalid() {
        for text in [
            "",
            " ",
            "+",
            "()",
            "+4412345",          // 7 digits
            "4412345",           // 7 digits
            "+4423456789012345", // 16 digits
            "4423456789012345",  // 16 digits
            "+1415555267",       // 9 after +1
            "+141555526712",     // 11 after +1
            "12345678",          // 8 digits, but +1 wants ten
            "+10155552671",      // first digit 0
            "+11155552671",      // first digit 1
            "+14150552671",      // fourth digit 0
            "+14151552671",      // fourth digit 1
            "0155552671",
            "1155552671",
            "4150552671",
            "4151552671",
            "++14155552671",
            "+1+4155552671",
            "14155552671+",
            "+1415555CALL",
            "+14155552671 ext 5",
            "+14155552671x5",
            "+14155552671,5",
            "tel:+14155552671",
            "+1\u{a0}4155552671",
            "+1\t4155552671",
            "+14155552671\n",
            "+1415555267\u{0661}",
            "＋14155552671",
            "\u{ff11}\u{ff14}155552671",
            "+1415555267\u{b2}",
            "415\u{2013}555\u{2013}2671",
        ] {
            assert_eq!(PhoneNumber::parse(text), Err(InvalidPhoneNumber), "{text:?}");
        }
    }

    #[test]
    fn w10_an_endless_number_is_refused() {
        for endless in ["1".repeat(65_536), "4".repeat(65_536), format!("{}4155552671", "-".repeat(65_536))] {
            let accepted = PhoneNumber::parse(&endless).is_ok();
            assert_eq!(accepted, endless.starts_with('-'));
        }
    }

    #[test]
    fn w10_by_default_only_plus_one_may_be_sent_to() {
        let rules = PrefixRules::default();
        for (text, permitted) in [
            ("(415) 555-2671", true),
            ("415.555.2671", true),
            ("+18765552671", true),
            ("+44 20 7946 0958", false),
            ("+4155552671", false),
        ] {
            assert_eq!(rules.permits(&number(text)), permitted, "{text}");
        }
    }

    #[test]
    fn w10_the_longest_prefix_decides_and_a_tie_is_a_refusal() {
        let jamaica = number("+18765552671");
        for (allowed, denied, permitted) in [
            (&[][..], &[][..], false),
            (&["+1"], &[], true),
            (&["+1"], &["+1876"], false),
            (&["+1", "+1876555"], &["+1876"], true),
            (&["+1876"], &["+1876"], false),
            (&["+1"], &["+1"], false),
            (&["+1876"], &["+1"], true),
            (&["+2"], &[], false),
            (&["+1"], &["+44"], true),
            (&[], &["+44"], false),
            (&["+18765552671"], &["+1876555267"], true),
            (&["+187655526711"], &[], false),
        ] {
            let rules = PrefixRules { allowed: list(allowed), denied: list(denied) };
            assert_eq!(rules.permits(&jamaica), permitted, "{allowed:?} {denied:?}");
        }
    }

    #[test]
    fn a_prefix_is_plus_and_one_to_fifteen_digits() {
        for (text, accepted) in [
            ("+1", true),
            ("+442", true),
            ("+123456789012345", true),
            ("+1234567890123456", false),
            ("+", false),
            ("", false),
            ("1", false),
            ("+1a", false),
            ("++1", false),
            ("+\u{0661}", false),
        ] {
            assert_eq!(Prefix::parse(text).is_ok(), accepted, "{text}");
        }
    }

    #[test]
    fn f47_a_number_does_not_print_whole() {
        assert_eq!(format!("{:?}", number("+14155552671")), "+1415…");
        assert_eq!(format!("{:?}", Some(number("+44123456"))), "Some(+4412…)");
        assert!(!InvalidPhoneNumber.to_string().contains('+'));
    }

    #[test]
    fn only_what_was_written_is_taken_back() {
        for (text, accepted) in [
            ("+14155552671", true),
            ("+442079460958", true),
            ("4155552671", false),
            ("+1 4155552671", false),
            ("+4412345", false),
            ("+10155552671", false),
            ("", false),
        ] {
            assert_eq!(PhoneNumber::from_e164_trusted(text.to_owned()).is_some(), accepted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_stays_what_it_is(text in any::<String>()) {
            if let Ok(number) = PhoneNumber::parse(&text) {
                prop_assert_eq!(PhoneNumber::parse(number.reveal()), Ok(number));
            }
        }

        #[test]
        fn whatever_looks_like_a_number_is_e164_or_refused(text in "[+]?[0-9 .()-]{0,24}") {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let Ok(number) = PhoneNumber::parse(&text) else { return Ok(()) };
            let e164 = number.reveal();
            let (as_given, national) = (format!("+{digits}"), format!("+1{digits}"));
            prop_assert!(e164 == as_given || e164 == national && digits.len() == 10);
            prop_assert!((9..=16).contains(&e164.len()));
            prop_assert_eq!(PhoneNumber::from_e164_trusted(e164.to_owned()), Some(number));
        }
    }
}
