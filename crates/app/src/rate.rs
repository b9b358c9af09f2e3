//! The request rate of a key: at most so many requests in any 60 seconds (W5), to the second.

use domain::time::Timestamp;
use std::num::NonZeroU32;

/// The span in seconds, and so the number of counters.
const SPAN: usize = 60;

/// Requests of the last 60 seconds, one counter a second. In memory: it guards the server's time, not a secret.
#[derive(Debug)]
pub(crate) struct RateWindow {
    counts: [u32; SPAN],
    total: u32,
    second: i64,
}

impl Default for RateWindow {
    fn default() -> Self {
        Self { counts: [0; SPAN], total: 0, second: 0 }
    }
}

impl RateWindow {
    /// Counts a request. When it is one too many, it is not counted, and the answer is when to try again: W5 allows 1
    /// to 5 seconds.
    pub(crate) fn admit(&mut self, limit: Option<NonZeroU32>, now: Timestamp) -> Result<(), u32> {
        self.move_to(now.millis() / 1000);
        if limit.is_some_and(|limit| self.total >= limit.get()) {
            return Err(self.seconds_until_room());
        }
        if let Some(count) = self.counts.get_mut(slot(self.second)) {
            *count = count.saturating_add(1);
            self.total = self.total.saturating_add(1);
        }
        Ok(())
    }

    fn move_to(&mut self, second: i64) {
        let passed = second.saturating_sub(self.second).clamp(0, SPAN as i64);
        for n in 1..=passed {
            if let Some(count) = self.counts.get_mut(slot(second - passed + n)) {
                self.total = self.total.saturating_sub(*count);
                *count = 0;
            }
        }
        self.second = self.second.max(second);
    }

    /// Until the oldest second that counts leaves the span.
    fn seconds_until_room(&self) -> u32 {
        (1..=5)
            .find(|n| self.counts.get(slot(self.second + i64::from(*n))).is_some_and(|c| *c > 0))
            .unwrap_or(5)
    }
}

fn slot(second: i64) -> usize {
    usize::try_from(second.rem_euclid(SPAN as i64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1000)
    }

    #[test]
    fn w5_the_request_after_the_last_allowed_one_in_60_seconds_is_refused() {
        let mut window = RateWindow::default();
        let limit = NonZeroU32::new(6_000);
        for n in 0..6_000 {
            assert_eq!(window.admit(limit, at(1_000 + n / 200)), Ok(()));
        }
        assert_eq!(window.admit(limit, at(1_030)), Err(5));
        assert_eq!(window.admit(limit, at(1_059)), Err(1));
        assert_eq!(window.admit(limit, at(1_060)), Ok(()));
    }

    #[test]
    fn a_long_silence_and_a_clock_that_falls_back_do_no_harm() {
        let mut window = RateWindow::default();
        let limit = NonZeroU32::new(1);
        assert_eq!(window.admit(limit, at(1_000)), Ok(()));
        assert!(window.admit(limit, at(990)).is_err());
        assert_eq!(window.admit(limit, at(100_000)), Ok(()));
        assert_eq!(window.admit(None, at(100_000)), Ok(()));
    }
}
