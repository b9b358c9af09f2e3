//! The budget of a factor: wrong attempts in a row, locks and the stop (W9, I3).

use crate::time::{Timestamp, is_live};

/// Wrong attempts in a row at which a factor is stopped (NIST SP 800-63B-4 §3.2.2).
pub const STOP_AT: u32 = 100;
/// The first lock, in seconds; each further wrong attempt doubles it.
const FIRST_LOCK_SECONDS: u32 = 30;
/// The longest lock, in seconds.
const LONGEST_LOCK_SECONDS: u32 = 3_600;

/// The count of wrong attempts in a row on one factor, over all its challenges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Wrong attempts since the last right one or reset.
    pub wrong_in_a_row: u32,
    /// Until when the factor is locked, if a lock has ever been set since then.
    pub locked_until: Option<Timestamp>,
}

/// Whether a factor may be tried now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// An attempt may be spent.
    Free,
    /// Time lifts it.
    LockedUntil(Timestamp),
    /// Only a reset lifts it.
    Stopped,
}

impl Budget {
    /// Where the factor stands at `now`.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        match self.locked_until {
            _ if self.wrong_in_a_row >= STOP_AT => Standing::Stopped,
            Some(until) if is_live(until, now) => Standing::LockedUntil(until),
            _ => Standing::Free,
        }
    }

    /// The budget after one more wrong attempt. From the `lock_after`-th on, each one locks: 30 s, then twice as long
    /// each time, at most an hour.
    #[must_use]
    pub fn after_wrong(self, lock_after: u32, now: Timestamp) -> Self {
        let wrong_in_a_row = self.wrong_in_a_row.saturating_add(1);
        let locked_until = wrong_in_a_row.checked_sub(lock_after).map(|doublings| {
            let seconds = FIRST_LOCK_SECONDS.saturating_mul(2u32.saturating_pow(doublings));
            now.plus_seconds(seconds.min(LONGEST_LOCK_SECONDS))
        });
        Self { wrong_in_a_row, locked_until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1000)
    }

    #[test]
    fn w9_locks_double_from_thirty_seconds_to_an_hour_from_the_tenth_on() {
        let mut budget = Budget::default();
        let mut locks = Vec::new();
        for _ in 0..20 {
            budget = budget.after_wrong(10, at(0));
            locks.push(budget.locked_until.map_or(0, |t| t.millis() / 1000));
        }
        assert_eq!(
            locks,
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]
        );
    }

    #[test]
    fn w9_a_lock_holds_until_its_instant_and_no_longer() {
        let locked = (0..10).fold(Budget::default(), |b, _| b.after_wrong(10, at(100)));
        assert_eq!(locked.standing(Timestamp::from_millis(129_999)), Standing::LockedUntil(at(130)));
        assert_eq!(locked.standing(at(130)), Standing::Free);
    }

    #[test]
    fn i3_the_hundredth_wrong_attempt_stops_the_factor_and_waiting_does_not_help() {
        let mut budget = Budget::default();
        for n in 1..=100 {
            assert_ne!(budget.standing(at(1_000_000)), Standing::Stopped, "before attempt {n}");
            budget = budget.after_wrong(50, at(0));
        }
        assert_eq!(budget.standing(at(0)), Standing::Stopped);
        assert_eq!(budget.standing(at(1_000_000_000)), Standing::Stopped);
    }

    #[test]
    fn the_arithmetic_of_a_lone_factor_at_most_39_wrong_attempts_in_24_hours() {
        let (mut budget, mut now, mut tried) = (Budget::default(), at(0), 0);
        while now < at(86_400) {
            match budget.standing(now) {
                Standing::LockedUntil(until) => now = until,
                Standing::Stopped => break,
                Standing::Free => {
                    budget = budget.after_wrong(10, now);
                    tried += 1;
                }
            }
        }
        assert_eq!(tried, 39);
    }
}
