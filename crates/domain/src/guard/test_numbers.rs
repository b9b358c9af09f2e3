//! Test numbers: nothing is ever sent to one, and a code that is known beforehand is right.

use super::Rules;
use crate::{
    environment::Mode,
    phone::PhoneNumber,
    time::{Timestamp, is_live},
};
use secrets::Code;
use std::sync::Arc;

/// A number of the configuration that never sends.
#[derive(Clone, Debug)]
pub struct TestNumber {
    /// The number.
    pub number: PhoneNumber,
    /// The code of each of its challenges.
    pub code: Arc<Code>,
    /// Its end. From then on its challenges are refused.
    pub until: Timestamp,
    /// Whether it may be used in a live environment.
    pub live: bool,
}

impl PartialEq for TestNumber {
    fn eq(&self, other: &Self) -> bool {
        (&self.number, self.code.reveal(), self.until, self.live)
            == (&other.number, other.code.reveal(), other.until, other.live)
    }
}

impl Eq for TestNumber {}

/// What a number is to the test numbers.
#[derive(Clone, Copy, Debug)]
pub enum Tested<'a> {
    /// An ordinary number.
    No,
    /// A test number, with its code.
    Yes(&'a Code),
    /// One whose end has come, or that is not for live environments: nothing is sent to it, and no code is right.
    Over,
}

impl Rules {
    /// Whether a number is a test number, also one that is over: what it has brought about stays marked.
    #[must_use]
    pub fn is_for_tests(&self, number: &PhoneNumber) -> bool {
        self.test_numbers.iter().any(|test| test.number == *number)
    }

    /// Looks a number up.
    #[must_use]
    pub fn tested(&self, number: &PhoneNumber, mode: Mode, now: Timestamp) -> Tested<'_> {
        match self.test_numbers.iter().find(|test| test.number == *number) {
            None => Tested::No,
            Some(test) if is_live(test.until, now) && (test.live || mode == Mode::Test) => {
                Tested::Yes(&test.code)
            }
            Some(_) => Tested::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_number_ends_at_its_end_and_is_not_for_live_environments_unless_it_says_so() {
        let number = |text| PhoneNumber::parse(text).unwrap();
        let at = Timestamp::from_millis;
        let test = |text, live| TestNumber {
            number: number(text),
            code: Arc::new(Code::parse_exact("000000").unwrap()),
            until: at(1_000),
            live,
        };
        let rules = Rules {
            test_numbers: vec![test("+14155550100", false), test("+14155550101", true)],
            ..Rules::default()
        };
        for (text, mode, now, expected) in [
            ("+14155550100", Mode::Test, 999, "yes"),
            ("+14155550100", Mode::Test, 1_000, "over"),
            ("+14155550100", Mode::Live, 999, "over"),
            ("+14155550101", Mode::Live, 999, "yes"),
            ("+14155550101", Mode::Live, 1_000, "over"),
            ("+14155550102", Mode::Test, 0, "no"),
        ] {
            let found = match rules.tested(&number(text), mode, at(now)) {
                Tested::No => "no",
                Tested::Yes(code) => {
                    assert_eq!(code.reveal(), "000000");
                    "yes"
                }
                Tested::Over => "over",
            };
            assert_eq!(found, expected, "{text} {mode:?} {now}");
        }
    }
}
