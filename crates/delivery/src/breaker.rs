//! Whether a provider is asked in its turn, or put aside for a while because it keeps failing.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A provider that fails each time it is tried again is put aside for at most so many times the first span.
const LONGEST: u32 = 16;

/// When a provider is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// After so many failures in a row.
    pub failures: u32,
    /// For so long; twice as long each time that one message, sent to see, fails too.
    pub aside: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { failures: 3, aside: Duration::from_secs(30) }
    }
}

#[derive(Default)]
struct State {
    failures: u32,
    /// Put aside until then, this many spans long.
    aside: Option<(Instant, u32)>,
    /// One message is out to see whether it works again, since then.
    trial: Option<Instant>,
}

/// A circuit breaker.
pub(crate) struct Breaker {
    patience: Patience,
    state: Mutex<State>,
}

/// How a trial that nobody reports on stops counting: its node gave the message up.
const TRIAL_WAIT: Duration = Duration::from_secs(60);

impl Breaker {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is asked in its turn. One that is not is asked only after all others.
    pub(crate) fn is_fit(&self, now: Instant) -> bool {
        let state = self.state();
        let trial = state.trial.is_some_and(|since| now < since + TRIAL_WAIT);
        state.aside.is_none_or(|(until, _)| until <= now && !trial)
    }

    /// A message goes out to it.
    pub(crate) fn begin(&self, now: Instant) {
        let mut state = self.state();
        if state.aside.is_some_and(|(until, _)| until <= now) {
            state.trial = Some(now);
        }
    }

    /// It answered as it should, whatever it said of the message. Answers whether it had been put aside.
    pub(crate) fn worked(&self) -> bool {
        std::mem::take(&mut *self.state()).aside.is_some()
    }

    /// It failed. Answers for how long it is put aside by that, if it is; at once if there is nothing to wait for.
    pub(crate) fn failed(&self, at_once: bool, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        let spans = match state.aside {
            // What was sent to it anyway says nothing new.
            Some((until, _)) if now < until => return None,
            Some((_, spans)) => spans.saturating_mul(2).min(LONGEST),
            None if at_once || state.failures >= self.patience.failures => 1,
            None => return None,
        };
        let span = self.patience.aside.saturating_mul(spans);
        state.aside = Some((now + span, spans));
        state.trial = None;
        Some(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(30);

    #[test]
    fn a_provider_is_put_aside_after_three_failures_in_a_row_and_tried_again_with_one_message() {
        let breaker = Breaker::new(Patience::default());
        let start = Instant::now();
        assert_eq!((breaker.failed(false, start), breaker.failed(false, start)), (None, None));
        assert!(!breaker.worked() && breaker.is_fit(start), "one success, and the count begins anew");
        assert_eq!((breaker.failed(false, start), breaker.failed(false, start)), (None, None));
        assert_eq!(breaker.failed(false, start), Some(SPAN));
        assert!(!breaker.is_fit(start + SPAN - Duration::from_millis(1)));
        let again = start + SPAN;
        assert!(breaker.is_fit(again));
        breaker.begin(again);
        assert!(!breaker.is_fit(again), "one message is enough to see");
        assert_eq!(breaker.failed(false, again), Some(SPAN * 2));
        let again = again + SPAN * 2;
        breaker.begin(again);
        assert!(breaker.worked() && breaker.is_fit(again));
    }

    #[test]
    fn refused_credentials_put_a_provider_aside_at_once_and_the_wait_has_an_end() {
        let breaker = Breaker::new(Patience::default());
        let mut now = Instant::now();
        assert_eq!(breaker.failed(true, now), Some(SPAN));
        assert_eq!(breaker.failed(true, now), None);
        for spans in [2, 4, 8, 16, 16, 16] {
            now += SPAN * 16;
            assert_eq!(breaker.failed(true, now), Some(SPAN * spans));
        }
        now += SPAN * 16;
        breaker.begin(now);
        assert!(breaker.is_fit(now + TRIAL_WAIT), "a trial without an end does not keep it aside for ever");
    }
}
