//! The guard on the money: whether one more text message may be paid for, by what has been sent and verified before.
//!
//! Plain functions over what the store has counted. Serving and rehearsing call the same ones.

mod country;
mod money;
mod rehearsal;
mod rules;
mod test_numbers;

pub use country::Country;
pub use money::{Money, Prices};
pub use rehearsal::{Message, Rehearsal, Report};
pub use rules::{Caps, Countries, Mode, Ranges, Rule, Rules, Unverified, Velocity};
pub use test_numbers::{TestNumber, Tested};

use crate::{delivery::refused_until, refusal::Refusal, settings::SmsLimits, time::Timestamp};
use std::net::{IpAddr, Ipv6Addr};

/// Digits at the end of a number that tell the numbers of one block apart.
const BLOCK_DIGITS: usize = 3;
/// Most digits of a number that are kept for rehearsals, and how many of its last are never among them.
const AREA_DIGITS: (usize, usize) = (6, 4);
/// Most rows of one count that are looked at: no limit is larger.
pub const COUNTED_MAX: u32 = 1_000;
/// Milliseconds of a day of caps, which begins at midnight UTC.
const DAY_MILLIS: i64 = 86_400_000;

/// The block of a number in E.164 form: all but its last three digits.
#[must_use]
pub fn block_of(number: &str) -> &str {
    number.get(..number.len().saturating_sub(BLOCK_DIGITS)).unwrap_or_default()
}

/// As much of a number's beginning as may be kept in the clear: `+` and at most six digits, never the last four.
#[must_use]
pub fn area_of(number: &str) -> &str {
    let digits = number.len().saturating_sub(1 + AREA_DIGITS.1).min(AREA_DIGITS.0);
    number.get(..=digits).unwrap_or_default()
}

/// The day of caps that a moment lies in.
#[must_use]
pub const fn day_of(now: Timestamp) -> i64 {
    now.millis().div_euclid(DAY_MILLIS)
}

/// Whose address it is, as far as limits tell them apart: an IPv4 address, or the /64 of an IPv6 address. `None` for
/// what is no address, and for those that many share or nobody has: private, loopback, link-local, unspecified.
#[must_use]
pub fn address_of(text: &str) -> Option<Vec<u8>> {
    let v6 = |ip: Ipv6Addr| {
        let shared = ip.is_loopback() || ip.is_unspecified() || ip.is_multicast();
        let local = ip.is_unique_local() || ip.is_unicast_link_local();
        (!shared && !local).then(|| ip.octets().into_iter().take(8).collect())
    };
    match text.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V6(ip) => v6(ip),
        IpAddr::V4(ip) => {
            let shared = ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast();
            let local = ip.is_private() || ip.is_link_local();
            (!shared && !local).then(|| ip.octets().to_vec())
        }
    }
}

/// A text of the past, as the rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// When it was owed.
    pub at: Timestamp,
    /// Whether its code had come back by now.
    pub verified: bool,
}

/// What was sent before the message in question, each list newest first and at most [`COUNTED_MAX`] long, none of it
/// older than 24 hours.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// To the same number.
    pub number: Vec<Timestamp>,
    /// To the same block.
    pub block: Vec<Past>,
    /// To the same country.
    pub country: Vec<Timestamp>,
    /// For the same user; empty if there is none.
    pub user: Vec<Timestamp>,
    /// For the same address; empty if the caller names none.
    pub address: Vec<Timestamp>,
    /// What the environment has spent today.
    pub spent: Money,
    /// Of which in the same country.
    pub spent_in_country: Money,
}

/// A rule that says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which.
    pub rule: Rule,
    /// Whether it is enforced, or only recorded.
    pub enforced: bool,
    /// When it may say yes again at the earliest, if time alone helps.
    pub until: Option<Timestamp>,
}

impl Hit {
    /// What the caller is told: what the contract has for it (W5, W11), and nothing of the rule.
    #[must_use]
    pub fn refusal(&self, now: Timestamp) -> Refusal {
        let seconds = self.until.map(|until| until.seconds_until(now));
        match self.rule {
            Rule::EnvironmentCap | Rule::CountryCap => {
                Refusal::SmsQuotaReached { retry_after: seconds.unwrap_or(1) }
            }
            _ => Refusal::SmsRateLimited { retry_after: seconds },
        }
    }
}

impl Rules {
    /// What the number alone decides: its country, and whether it is in a range that costs too much. `number` may be
    /// as much of its beginning as is known.
    #[must_use]
    pub fn judge_number(&self, number: &str) -> Vec<Hit> {
        let mut hits = Vec::new();
        let mut no = |mode: Mode, rule, says_no: bool| hits.extend(mode.hit(rule, None).filter(|_| says_no));
        no(self.countries.mode, Rule::Countries, !self.countries.permit(Country::of(number)));
        no(self.ranges.mode, Rule::Ranges, self.ranges.hold(number));
        hits
    }

    /// What is decided by what went before. `price` is that of the whole message.
    #[must_use]
    pub fn judge_counts(&self, country: Country, price: Money, seen: &Seen, now: Timestamp) -> Vec<Hit> {
        let mut hits = Vec::new();
        let velocity = &self.velocity;
        let block: Vec<Timestamp> = seen.block.iter().map(|past| past.at).collect();
        for (rule, limits, sent) in [
            (Rule::NumberVelocity, &velocity.number, &seen.number),
            (Rule::BlockVelocity, &velocity.block, &block),
            (Rule::CountryVelocity, &velocity.country, &seen.country),
            (Rule::UserVelocity, &velocity.user, &seen.user),
            (Rule::AddressVelocity, &velocity.address, &seen.address),
        ] {
            let until = limits.as_ref().and_then(|limits| latest_end(limits, sent, now));
            hits.extend(until.and_then(|until| velocity.mode.hit(rule, Some(until))));
        }
        let until = self.unverified.until(&seen.block, now);
        hits.extend(until.and_then(|until| self.unverified.mode.hit(Rule::Unverified, Some(until))));
        let midnight = Timestamp::from_millis((day_of(now) + 1) * DAY_MILLIS);
        let mut over = |rule, cap: Option<Money>, spent: Money| {
            if cap.is_some_and(|cap| spent.plus(price) > cap) {
                hits.extend(self.caps.mode.hit(rule, Some(midnight)));
            }
        };
        over(Rule::EnvironmentCap, self.caps.environment, seen.spent);
        over(Rule::CountryCap, self.caps.of(country), seen.spent_in_country);
        hits
    }
}

/// When the last of the limits that are used up lets the next message through; `None` if now.
fn latest_end(limits: &SmsLimits, sent: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
    let ends = limits.as_slice().iter();
    ends.filter_map(|l| refused_until(sent, l.messages as usize, l.span_seconds, now)).max()
}

#[cfg(test)]
mod tests;
