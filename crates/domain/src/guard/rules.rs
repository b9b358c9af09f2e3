//! The rules of one environment, each of them enforced, only recorded, or off.

use super::{COUNTED_MAX, Country, Hit, Money, Past, Prices, TestNumber, country::COSTLY};
use crate::{phone::Prefix, settings::SmsLimits, time::Timestamp};
use std::collections::BTreeMap;

/// What a rule that says no comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The message is refused.
    Enforce,
    /// The trail and the figures say so, and the message goes out.
    Record,
    /// It is not asked.
    #[default]
    Off,
}

impl Mode {
    /// The word in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Record => "record",
            Self::Off => "off",
        }
    }

    pub(super) fn hit(self, rule: Rule, until: Option<Timestamp>) -> Option<Hit> {
        (self != Self::Off).then_some(Hit { rule, enforced: self == Self::Enforce, until })
    }
}

/// A rule, by the name that stands in the trail and in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Which countries may be sent to.
    Countries,
    /// Premium, satellite and similar ranges.
    Ranges,
    /// Texts to a number.
    NumberVelocity,
    /// Texts to a block of numbers.
    BlockVelocity,
    /// Texts to a country.
    CountryVelocity,
    /// Texts for a user.
    UserVelocity,
    /// Texts for an address that the caller names.
    AddressVelocity,
    /// Many texts to a block, few of them verified.
    Unverified,
    /// The environment's money of the day.
    EnvironmentCap,
    /// A country's money of the day.
    CountryCap,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Countries,
        Self::Ranges,
        Self::NumberVelocity,
        Self::BlockVelocity,
        Self::CountryVelocity,
        Self::UserVelocity,
        Self::AddressVelocity,
        Self::Unverified,
        Self::EnvironmentCap,
        Self::CountryCap,
    ];

    /// Its name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Countries => "countries",
            Self::Ranges => "ranges",
            Self::NumberVelocity => "velocity.number",
            Self::BlockVelocity => "velocity.block",
            Self::CountryVelocity => "velocity.country",
            Self::UserVelocity => "velocity.user",
            Self::AddressVelocity => "velocity.address",
            Self::Unverified => "unverified",
            Self::EnvironmentCap => "caps.environment",
            Self::CountryCap => "caps.country",
        }
    }
}

/// Which countries may be sent to, beside what the prefixes of the environment say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Countries {
    /// Whether it is asked.
    pub mode: Mode,
    /// Only these; any if there is none.
    pub allowed: Vec<Country>,
    /// Not these.
    pub denied: Vec<Country>,
}

impl Countries {
    /// Whether messages may go to a country.
    #[must_use]
    pub fn permit(&self, country: Country) -> bool {
        (self.allowed.is_empty() || self.allowed.contains(&country)) && !self.denied.contains(&country)
    }
}

/// Ranges that cost too much, or where nobody reads texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Whether it is asked.
    pub mode: Mode,
    /// Beside the known ones.
    pub also: Vec<Prefix>,
}

impl Ranges {
    /// Whether a number, or what is known of its beginning, lies in one.
    #[must_use]
    pub fn hold(&self, number: &str) -> bool {
        let digits = number.strip_prefix('+').unwrap_or(number);
        COSTLY.iter().any(|range| digits.starts_with(range))
            || self.also.iter().any(|range| range.digits_of(number).is_some())
    }
}

/// How many texts in which time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Velocity {
    /// Whether it is asked.
    pub mode: Mode,
    /// To one number.
    pub number: Option<SmsLimits>,
    /// To one block of a thousand numbers.
    pub block: Option<SmsLimits>,
    /// To one country.
    pub country: Option<SmsLimits>,
    /// For one user.
    pub user: Option<SmsLimits>,
    /// For one address.
    pub address: Option<SmsLimits>,
}

/// The unverified-code budget of a block: from `texts` in `window_seconds` on, fewer than `percent` of them verified
/// stop it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unverified {
    /// Whether it is asked.
    pub mode: Mode,
    /// 60 to 86,400.
    pub window_seconds: u32,
    /// 1 to [`COUNTED_MAX`].
    pub texts: u32,
    /// 1 to 100.
    pub percent: u32,
}

impl Unverified {
    /// When the first of the texts that stop it is no longer counted; `None` if they stop nothing.
    pub(super) fn until(&self, block: &[Past], now: Timestamp) -> Option<Timestamp> {
        let since = now.minus_seconds(self.window_seconds);
        let recent = || block.iter().filter(|past| past.at > since);
        let verified = recent().filter(|past| past.verified).count() as u64;
        let texts = recent().count() as u64;
        let stopped =
            texts > 0 && texts >= u64::from(self.texts) && verified * 100 < texts * u64::from(self.percent);
        let first = recent().map(|past| past.at).min().filter(|_| stopped);
        first.map(|at| at.plus_seconds(self.window_seconds))
    }
}

/// What may be spent in a day, from midnight UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// Whether they are asked.
    pub mode: Mode,
    /// By the environment.
    pub environment: Option<Money>,
    /// In each country that has no cap of its own.
    pub each_country: Option<Money>,
    /// In these countries.
    pub countries: BTreeMap<Country, Money>,
}

impl Caps {
    /// The cap of a country.
    #[must_use]
    pub fn of(&self, country: Country) -> Option<Money> {
        self.countries.get(&country).copied().or(self.each_country)
    }
}

/// All rules of an environment. The default asks nothing and counts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whether messages are counted, so that rules can be rehearsed and read.
    pub counts: bool,
    /// Countries.
    pub countries: Countries,
    /// Costly ranges.
    pub ranges: Ranges,
    /// Texts in a time.
    pub velocity: Velocity,
    /// Texts without verification.
    pub unverified: Unverified,
    /// Money of a day.
    pub caps: Caps,
    /// What a segment costs.
    pub prices: Prices,
    /// Numbers that never send.
    pub test_numbers: Vec<TestNumber>,
}

/// How many rows of a count a limit looks at.
fn most(limits: Option<&SmsLimits>) -> u32 {
    let messages = limits.into_iter().flat_map(|l| l.as_slice()).map(|l| l.messages);
    messages.max().unwrap_or(0).min(COUNTED_MAX)
}

impl Rules {
    /// How many rows to look at of each count, 0 for what nobody asks: number, block, country, user, address.
    #[must_use]
    pub fn looks_at(&self) -> [u32; 5] {
        let velocity = &self.velocity;
        let of = |limits: &Option<SmsLimits>| match velocity.mode {
            Mode::Off => 0,
            _ => most(limits.as_ref()),
        };
        let block = match self.unverified.mode {
            Mode::Off => of(&velocity.block),
            // How many of them were verified is seen only by reading them all.
            _ => COUNTED_MAX,
        };
        [of(&velocity.number), block, of(&velocity.country), of(&velocity.user), of(&velocity.address)]
    }

    /// The same with every rule that is asked enforced: what a rehearsal plays.
    #[must_use]
    pub fn enforced(&self) -> Self {
        let mut rules = self.clone();
        for mode in [
            &mut rules.countries.mode,
            &mut rules.ranges.mode,
            &mut rules.velocity.mode,
            &mut rules.unverified.mode,
            &mut rules.caps.mode,
        ] {
            if *mode == Mode::Record {
                *mode = Mode::Enforce;
            }
        }
        rules
    }
}
