//! Clocks: the system's, guarded, and the one that dev mode can move.

use domain::time::{Clock, Timestamp};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
};
use store::Failure;

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is where time comes in")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A jump of the clock by more than this against the machine's steady one is an alarm (fault 12), in milliseconds.
const JUMP_MILLIS: i64 = 60_000;

/// A clock that never runs behind what the store has seen, and refuses when the machine's time jumps.
///
/// The steady time is that since boot, suspension included, so a laptop that slept does not look like a jump.
pub struct ClockGuard {
    clock: Box<dyn Clock>,
    steady: Option<fn() -> i64>,
    /// The system's time minus the steady one when the guard was made.
    offset: i64,
    latest: AtomicI64,
    alarmed: AtomicBool,
    /// Whether it is too far from the clock of the database.
    apart: AtomicBool,
}

/// Milliseconds since boot.
fn since_boot() -> i64 {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    at.tv_sec.saturating_mul(1000).saturating_add(at.tv_nsec / 1_000_000)
}

impl ClockGuard {
    /// Guards the system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::with(Box::new(SystemClock), Some(since_boot))
    }

    /// A clock that is moved on purpose, back as well as forward: nothing is guarded.
    #[must_use]
    pub fn movable(clock: Box<dyn Clock>) -> Self {
        Self::with(clock, None)
    }

    fn with(clock: Box<dyn Clock>, steady: Option<fn() -> i64>) -> Self {
        let offset = steady.map_or(0, |steady| clock.now().millis().saturating_sub(steady()));
        Self {
            clock,
            steady,
            offset,
            latest: AtomicI64::new(0),
            alarmed: AtomicBool::new(false),
            apart: AtomicBool::new(false),
        }
    }

    /// Takes notice of the latest time the store has seen.
    ///
    /// # Errors
    /// With a line for the operator when the machine's clock is more than a minute behind it.
    pub fn saw(&self, at: Timestamp) -> Result<(), String> {
        if self.is_movable() {
            return Ok(());
        }
        let now = self.clock.now();
        if at.millis().saturating_sub(now.millis()) > JUMP_MILLIS {
            return Err(format!(
                "the clock says {now}, but the store has seen {at}; set the clock, then start again"
            ));
        }
        self.latest.fetch_max(at.millis(), Relaxed);
        Ok(())
    }

    /// What the machine's clock says, right or wrong.
    pub(crate) fn unguarded(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes notice of the milliseconds by which the database's clock is ahead of this one.
    pub(crate) fn compared(&self, skew_millis: i64) {
        let apart = crate::skew::is_too_far(skew_millis);
        if apart != self.apart.swap(apart, Relaxed) {
            if apart {
                tracing::error!(
                    skew_millis,
                    "the clock and the database's are apart; refusing until they agree"
                );
            } else {
                tracing::warn!(skew_millis, "the clock and the database's agree again");
            }
        }
    }

    /// Whether the clock is moved on purpose.
    #[must_use]
    pub fn is_movable(&self) -> bool {
        self.steady.is_none()
    }

    /// The present time, never behind an earlier answer.
    ///
    /// # Errors
    /// [`Failure::Busy`] while the machine's clock has jumped by more than a minute, or is too far from the database's:
    /// nothing is written with a time that may be wrong. It ends when the clock is right again.
    pub fn now(&self) -> Result<Timestamp, Failure> {
        let now = self.clock.now();
        let Some(steady) = self.steady else { return Ok(now) };
        let jump = now.millis().saturating_sub(steady()).saturating_sub(self.offset);
        let jumped = jump.abs() > JUMP_MILLIS;
        if jumped != self.alarmed.swap(jumped, Relaxed) {
            if jumped {
                tracing::error!(jump_millis = jump, "the clock has jumped; refusing until it is right again");
            } else {
                tracing::warn!("the clock is right again");
            }
        }
        if jumped {
            return Err(Failure::busy("the clock has jumped"));
        }
        if self.apart.load(Relaxed) {
            return Err(Failure::busy("the clock and the database's are apart"));
        }
        Ok(Timestamp::from_millis(self.latest.fetch_max(now.millis(), Relaxed).max(now.millis())))
    }
}

/// Dev mode's clock: the system's, moved or stopped.
#[derive(Default)]
pub struct DevClock(Mutex<Moved>);

#[derive(Default)]
struct Moved {
    by_millis: i64,
    frozen_at: Option<Timestamp>,
}

impl DevClock {
    /// Moves it forward, or back.
    pub fn advance(&self, millis: i64) {
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match moved.frozen_at {
            Some(at) => moved.frozen_at = Some(Timestamp::from_millis(at.millis().saturating_add(millis))),
            None => moved.by_millis = moved.by_millis.saturating_add(millis),
        }
    }

    /// Sets it.
    pub fn set(&self, to: Timestamp) {
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match moved.frozen_at {
            Some(_) => moved.frozen_at = Some(to),
            None => moved.by_millis = to.millis().saturating_sub(SystemClock.now().millis()),
        }
    }

    /// Stops it, or lets it run on from where it stands.
    pub fn freeze(&self, frozen: bool) {
        let now = self.now();
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moved.by_millis = now.millis().saturating_sub(SystemClock.now().millis());
        moved.frozen_at = frozen.then_some(now);
    }

    /// Whether it is stopped.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).frozen_at.is_some()
    }
}

impl Clock for DevClock {
    fn now(&self) -> Timestamp {
        let moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = || Timestamp::from_millis(SystemClock.now().millis().saturating_add(moved.by_millis));
        moved.frozen_at.unwrap_or_else(running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scripted(std::sync::Arc<AtomicI64>);
    impl Clock for Scripted {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Relaxed))
        }
    }

    #[test]
    fn fault_12_time_never_runs_behind_what_the_store_has_seen() {
        let time = std::sync::Arc::new(AtomicI64::new(100_000));
        let guard = ClockGuard::with(Box::new(Scripted(time.clone())), Some(|| 50_000));
        guard.saw(Timestamp::from_millis(130_000)).unwrap();
        assert_eq!(guard.now().unwrap().millis(), 130_000);
        time.store(140_000, Relaxed);
        assert_eq!(guard.now().unwrap().millis(), 140_000);
        time.store(139_000, Relaxed);
        assert_eq!(guard.now().unwrap().millis(), 140_000);
        assert!(guard.saw(Timestamp::from_millis(139_000 + 60_001)).is_err());
    }

    #[test]
    fn fault_12_a_jump_of_more_than_a_minute_refuses_until_it_is_undone() {
        let time = std::sync::Arc::new(AtomicI64::new(1_000_000));
        let guard = ClockGuard::with(Box::new(Scripted(time.clone())), Some(|| 500_000));
        time.store(1_060_000, Relaxed);
        assert!(guard.now().is_ok());
        for jumped in [1_060_001 + 100_000, 1_000_000 - 60_001] {
            time.store(jumped, Relaxed);
            assert!(matches!(guard.now(), Err(Failure::Busy(_))));
        }
        time.store(1_000_001, Relaxed);
        assert!(guard.now().is_ok());
    }

    #[test]
    fn fault_12_nothing_is_decided_while_the_clock_and_the_databases_are_apart() {
        let guard = ClockGuard::with(Box::new(SystemClock), Some(since_boot));
        for apart in [10_001, -60_000] {
            guard.compared(apart);
            assert!(matches!(guard.now(), Err(Failure::Busy(_))));
            guard.compared(9_000);
            assert!(guard.now().is_ok());
        }
    }

    #[test]
    fn w15_the_dev_clock_moves_and_stops() {
        let clock = DevClock::default();
        clock.freeze(true);
        let at = clock.now();
        clock.advance(30_000);
        assert_eq!(clock.now().millis(), at.millis() + 30_000);
        clock.set(Timestamp::from_millis(5));
        assert_eq!(clock.now().millis(), 5);
        clock.freeze(false);
        assert!(!clock.is_frozen() && clock.now().millis() < 60_000);
    }
}
