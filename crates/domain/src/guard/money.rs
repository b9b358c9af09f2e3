//! What a message costs: whole millionths of a currency, so that no sum is ever rounded.

use crate::phone::Prefix;
use std::fmt;

/// An amount in millionths of the configuration's currency, up to 9 million million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(u64);

const MILLION: u64 = 1_000_000;
/// The most that is read, in whole units: so many messages of that price still fit 63 bits.
const MOST_UNITS: u64 = 1_000_000;

impl Money {
    /// From millionths.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// In millionths.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Reads an amount such as `0.0079` or `250`.
    ///
    /// # Errors
    /// Says what is wrong, without the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str =
            "is not an amount such as 0.0079 or 250, with up to 6 decimals and at most 1000000";
        let (units, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(units) || !digits(decimals) || decimals.len() > 6 {
            return Err(WANTED);
        }
        let units: u64 = units.parse().map_err(|_| WANTED)?;
        let micros: u64 = format!("{decimals:0<6}").parse().map_err(|_| WANTED)?;
        let amount = units.checked_mul(MILLION).and_then(|m| m.checked_add(micros)).ok_or(WANTED)?;
        (amount <= MOST_UNITS * MILLION).then_some(Self(amount)).ok_or(WANTED)
    }

    /// So many of it.
    #[must_use]
    pub const fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(count as u64))
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Money {
    /// At least two decimals, and no zeros after those.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:06}", self.0 % MILLION);
        let (first, rest) = decimals.split_at(2);
        write!(f, "{}.{first}{}", self.0 / MILLION, rest.trim_end_matches('0'))
    }
}

/// The price of a segment by the beginning of the number. The longest beginning decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// For numbers that no prefix fits.
    pub usual: Money,
    /// By prefix.
    pub by_prefix: Vec<(Prefix, Money)>,
}

impl Prices {
    /// The price of a segment to a number, or to what is known of its beginning.
    #[must_use]
    pub fn of(&self, number: &str) -> Money {
        let fitting = self.by_prefix.iter().filter_map(|(p, money)| Some((p.digits_of(number)?, money)));
        fitting.max_by_key(|(digits, _)| *digits).map_or(self.usual, |(_, money)| *money)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_and_printed_without_rounding() {
        for (text, micros, printed) in [
            ("0", 0, "0.00"),
            ("0.0079", 7_900, "0.0079"),
            ("0.000001", 1, "0.000001"),
            ("250", 250_000_000, "250.00"),
            ("1.5", 1_500_000, "1.50"),
            ("1000000", 1_000_000_000_000, "1000000.00"),
        ] {
            assert_eq!(Money::parse(text).map(Money::micros), Ok(micros), "{text}");
            assert_eq!(Money(micros).to_string(), printed);
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1,5",
            "0.0000001",
            "1000000.000001",
            "99999999999999999999",
            "1e3",
            "٣",
        ] {
            assert!(Money::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_longest_prefix_has_the_price() {
        let prefix = |text| Prefix::parse(text).unwrap();
        let prices = Prices {
            usual: Money(50),
            by_prefix: vec![(prefix("+44"), Money(3)), (prefix("+1"), Money(1)), (prefix("+1876"), Money(9))],
        };
        for (number, price) in
            [("+14155552671", 1), ("+18765552671", 9), ("+4479", 3), ("+4930", 50), ("+1", 1)]
        {
            assert_eq!(prices.of(number), Money(price), "{number}");
        }
        assert_eq!(Prices::default().of("+1415"), Money(0));
    }

    proptest! {
        #[test]
        fn an_amount_survives_being_printed(micros in 0..=MOST_UNITS * MILLION) {
            prop_assert_eq!(Money::parse(&Money(micros).to_string()), Ok(Money(micros)));
        }
    }
}
