//! The budget of a user: wrong attempts in any 24 hours over all factors that share a `user_id` (W9, I4).

use crate::time::{Timestamp, is_live};

/// The span that the budget looks at, in seconds.
pub const SPAN_SECONDS: u32 = 86_400;
/// The most wrong attempts ever remembered: the largest `user_lock_after`.
pub const REMEMBERED_MAX: usize = 200;

/// When the wrong attempts of a user were, oldest first. Nothing but time and an operator's reset takes one away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserBudget(Vec<Timestamp>);

impl UserBudget {
    /// Until when the user's factors answer as locked: until the oldest of the last `lock_after` wrong attempts is 24
    /// hours old. `None` if they may be tried.
    #[must_use]
    pub fn locked_until(&self, lock_after: usize, now: Timestamp) -> Option<Timestamp> {
        let oldest = self.0.len().checked_sub(lock_after).and_then(|i| self.0.get(i))?;
        Some(oldest.plus_seconds(SPAN_SECONDS)).filter(|until| is_live(*until, now))
    }

    /// The budget after one more wrong attempt.
    #[must_use]
    pub fn after_wrong(&self, now: Timestamp) -> Self {
        let recent = self.0.iter().copied().filter(|at| is_live(at.plus_seconds(SPAN_SECONDS), now));
        let mut times: Vec<_> = recent.chain([now]).collect();
        // The clock never runs behind the store, but a list that is not sorted would misplace "the oldest of the last".
        times.sort_unstable();
        times.drain(..times.len().saturating_sub(REMEMBERED_MAX));
        Self(times)
    }

    /// How many wrong attempts are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The form kept in the store: 8 bytes of milliseconds each.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|at| at.millis().to_be_bytes()).collect()
    }

    /// Reads the stored form; `None` if it is not one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let times = bytes.chunks_exact(8);
        if !times.remainder().is_empty() {
            return None;
        }
        let time = |t: &[u8]| Some(Timestamp::from_millis(i64::from_be_bytes(t.try_into().ok()?)));
        times.map(time).collect::<Option<Vec<_>>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1000)
    }
    fn wrong_at(times: impl IntoIterator<Item = i64>) -> UserBudget {
        times.into_iter().fold(UserBudget::default(), |b, t| b.after_wrong(at(t)))
    }

    #[test]
    fn i4_the_twentieth_wrong_attempt_locks_until_the_first_is_a_day_old() {
        let nineteen = wrong_at(0..19);
        assert_eq!(nineteen.locked_until(20, at(19)), None);
        let twenty = nineteen.after_wrong(at(19));
        assert_eq!(twenty.locked_until(20, at(20)), Some(at(86_400)));
        assert_eq!(twenty.locked_until(20, Timestamp::from_millis(86_399_999)), Some(at(86_400)));
        assert_eq!(twenty.locked_until(20, at(86_400)), None);
    }

    #[test]
    fn i4_the_window_slides_one_attempt_at_a_time() {
        let twenty = wrong_at(0..20);
        let again = twenty.after_wrong(at(86_400));
        assert_eq!(again.locked_until(20, at(86_400)), Some(at(86_401)));
    }

    #[test]
    fn a_smaller_limit_set_later_looks_at_the_last_ones() {
        let budget = wrong_at(0..15);
        assert_eq!(budget.locked_until(10, at(15)), Some(at(86_400 + 5)));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_read_back() {
        let budget = wrong_at(0..500);
        assert_eq!(budget.len(), REMEMBERED_MAX);
        assert_eq!(UserBudget::from_bytes(&budget.to_bytes()), Some(budget.clone()));
        assert_eq!(UserBudget::from_bytes(&budget.to_bytes()[1..]), None);
        assert_eq!(budget.after_wrong(at(200_000)).len(), 1);
    }
}
