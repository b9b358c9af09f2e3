//! Time as UTC milliseconds: what is written is what is read back, on every engine.

use std::fmt;

/// Length of a TOTP step in milliseconds (RFC 6238 §4.1, X = 30 s).
pub const STEP_MILLIS: i64 = 30_000;

/// A moment, in whole milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970. Moments before 1970 read as 1970: no rule here has a use for them.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(if millis < 0 { 0 } else { millis })
    }

    /// Milliseconds since 1970, never negative.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The TOTP step that this moment lies in (RFC 6238 §4.2, T0 = 0).
    #[must_use]
    pub const fn step(self) -> u64 {
        (self.0 / STEP_MILLIS).unsigned_abs()
    }

    /// The moment at which a TOTP step begins.
    #[must_use]
    pub const fn of_step(step: u64) -> Self {
        Self::from_millis((step as i64).saturating_mul(STEP_MILLIS))
    }

    /// This many seconds later.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(seconds as i64 * 1000))
    }

    /// This many seconds earlier.
    #[must_use]
    pub const fn minus_seconds(self, seconds: u32) -> Self {
        Self::from_millis(self.0.saturating_sub(seconds as i64 * 1000))
    }

    /// Whole seconds from `now` until this moment, rounded up, at least 1 (W5: `retry_after`).
    #[must_use]
    pub fn seconds_until(self, now: Self) -> u32 {
        let millis = self.0.saturating_sub(now.0).max(1);
        u32::try_from((millis + 999) / 1000).unwrap_or(u32::MAX)
    }

    /// Reads `YYYY-MM-DDTHH:MM:SS[.fff]Z` or another RFC 3339 time.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        Some(Self::from_millis(at.as_millisecond()))
    }
}

/// The one rule for lifetimes: live while `now < expires_at`.
#[must_use]
pub fn is_live(expires_at: Timestamp, now: Timestamp) -> bool {
    now < expires_at
}

impl fmt::Display for Timestamp {
    /// `YYYY-MM-DDTHH:MM:SS.mmmZ`, always three fractional digits (W3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => f.write_str("9999-12-30T22:00:00.000Z"),
        }
    }
}

/// Where the time comes from. A use case reads it once and passes it down.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        self.as_ref().now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w3_times_have_three_fractional_digits() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_774_530_250, "2026-11-27T10:15:30.250Z"),
            (1_795_774_530_000, "2026-11-27T10:15:30.000Z"),
            (2_147_483_648_001, "2038-01-19T03:14:08.001Z"),
            (4_291_747_200_000, "2106-01-01T00:00:00.000Z"),
            (253_402_207_200_000 - 1, "9999-12-30T21:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).to_string(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp::from_millis(millis)));
        }
    }

    #[test]
    fn a_lifetime_ends_at_its_instant() {
        let at = Timestamp::from_millis(1_000);
        assert!(is_live(at, Timestamp::from_millis(999)));
        assert!(!is_live(at, at));
        assert!(!is_live(at, Timestamp::from_millis(1_001)));
    }

    #[test]
    fn w5_retry_after_is_rounded_up_and_at_least_one() {
        let now = Timestamp::from_millis(10_000);
        for (until, seconds) in [(9_000, 1), (10_000, 1), (10_001, 1), (11_000, 1), (11_001, 2), (40_000, 30)]
        {
            assert_eq!(Timestamp::from_millis(until).seconds_until(now), seconds);
        }
    }

    #[test]
    fn steps_are_thirty_seconds_from_1970() {
        assert_eq!(Timestamp::from_millis(29_999).step(), 0);
        assert_eq!(Timestamp::from_millis(30_000).step(), 1);
        assert_eq!(Timestamp::from_millis(-5).step(), 0);
    }
}
