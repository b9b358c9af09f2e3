//! Two clocks that have to agree: this machine's, and that of the database that all nodes share.

use crate::{App, ClockGuard, StartError};
use store::{ClockReading, Failure, Store};

/// How far they may be apart, in milliseconds: a third of a code's step, so that no two nodes are a step apart.
pub const SKEW_MAX_MILLIS: i64 = 10_000;

/// Milliseconds by which the other clock is ahead of ours for certain, negative if it is behind. It was read some time
/// between two readings of ours: within them it agrees, however long its answer took.
#[must_use]
pub(crate) fn certain_skew(reading: &ClockReading) -> i64 {
    let ClockReading { before, told, after } = reading;
    let ahead = told.millis().saturating_sub(before.max(after).millis()).max(0);
    let behind = before.min(after).millis().saturating_sub(told.millis()).max(0);
    ahead - behind
}

/// Whether clocks so far apart are too far apart.
#[must_use]
pub(crate) fn is_too_far(skew_millis: i64) -> bool {
    skew_millis.saturating_abs() > SKEW_MAX_MILLIS
}

/// By how much the store's clock is ahead, if it has one of its own and ours is not moved on purpose.
async fn skew(store: &Store, clock: &ClockGuard) -> Result<Option<i64>, Failure> {
    if clock.is_movable() {
        return Ok(None);
    }
    Ok(store.read_clock(&|| clock.unguarded()).await?.as_ref().map(certain_skew))
}

/// Refuses to start beside a database whose clock disagrees.
pub(crate) async fn agree(store: &Store, clock: &ClockGuard) -> Result<(), StartError> {
    match skew(store, clock).await? {
        Some(skew) if is_too_far(skew) => {
            let (now, way) = (clock.unguarded(), if skew > 0 { "behind" } else { "ahead of" });
            let by = skew.saturating_abs() / 1_000;
            Err(StartError::Clock(format!(
                "the clock says {now} and is {by} s {way} the database's; set both by NTP, then start again"
            )))
        }
        _ => Ok(()),
    }
}

impl App {
    /// Compares the clock with the database's. While they are too far apart nothing is decided: [`App::now`] refuses.
    /// Answers the milliseconds by which the database's is ahead, 0 if there is none of its own.
    ///
    /// # Errors
    /// The store's; then what was found the last time holds.
    pub async fn check_clock(&self) -> Result<i64, Failure> {
        let skew = skew(self.store(), &self.0.clock).await?.unwrap_or(0);
        self.0.clock.compared(skew);
        Ok(skew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::Timestamp;

    fn reading(before: i64, told: i64, after: i64) -> ClockReading {
        let [before, told, after] = [before, told, after].map(Timestamp::from_millis);
        ClockReading { before, told, after }
    }

    #[test]
    fn fault_12_a_slow_answer_is_no_skew_and_only_what_is_certain_counts() {
        for (told, skew) in [(50_000, 0), (80_000, 0), (65_000, 0), (80_001, 1), (49_000, -1_000)] {
            assert_eq!(certain_skew(&reading(50_000, told, 80_000)), skew, "{told}");
            // Set back between the two readings.
            assert_eq!(certain_skew(&reading(80_000, told, 50_000)), skew, "{told}");
        }
        assert_eq!(certain_skew(&reading(0, i64::MAX, 1)), i64::MAX - 1);
    }

    #[test]
    fn fault_12_ten_seconds_either_way_are_the_bound() {
        for near in [0, 10_000, -10_000] {
            assert!(!is_too_far(near));
        }
        for far in [10_001, -10_001, i64::MIN, i64::MAX] {
            assert!(is_too_far(far));
        }
    }
}
