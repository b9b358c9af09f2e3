//! How much is taken on at once (F72, F73).
//!
//! A server that takes on whatever it is asked does everything late. So only so many requests are in work at once, and one
//! more is refused before anything of it is looked at, in a few milliseconds and at a fraction of the price of serving it.
//!
//! There is no line to stand in. What may be in work is already as much as is done in some 30 ms, and requests beyond that
//! wait where it costs nothing: unread, in the system's socket buffers, until the server gets to them.

use crate::Limits;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Whoever has been in work for one to two of these no longer counts. It is not working by then but waiting: for the outcome
/// of a message, for the rest of its body, for its twin, or for a disk that stands still. The first three cost
/// nothing, and the last fills the store's own queue, which refuses by itself.
const HOLD: Duration = Duration::from_millis(250);

/// The requests in work.
#[derive(Debug)]
pub struct Admission {
    at_once: usize,
    began: Instant,
    working: Mutex<Working>,
    refused: AtomicU64,
    /// In which second since the start the log last said so, counted from 1.
    told: AtomicU64,
}

/// Requests in work, by the span of [`HOLD`] in which they were let in.
#[derive(Debug, Default)]
struct Working {
    span: u64,
    now: usize,
    before: usize,
}

/// Leave to work on a request, given back when dropped.
#[derive(Debug)]
pub struct Turn {
    admission: Arc<Admission>,
    span: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut working = self.admission.working();
        let count = match working.span.saturating_sub(self.span) {
            0 => &mut working.now,
            1 => &mut working.before,
            _ => return,
        };
        *count = count.saturating_sub(1);
    }
}

/// There is more to do than can be done: answer 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is more to do than can be done")]
pub struct Overloaded;

impl Admission {
    /// Nothing in work.
    #[must_use]
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            at_once: limits.requests,
            began: Instant::now(),
            working: Mutex::default(),
            refused: AtomicU64::new(0),
            told: AtomicU64::new(0),
        })
    }

    /// Requests in work now, but for those that have been so for long.
    #[must_use]
    pub fn in_work(&self) -> usize {
        let working = self.working();
        working.now + working.before
    }

    /// Requests refused since the start.
    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    fn working(&self) -> MutexGuard<'_, Working> {
        let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        let span = u64::try_from(self.began.elapsed().as_millis() / HOLD.as_millis()).unwrap_or(u64::MAX);
        match span.saturating_sub(working.span) {
            0 => {}
            1 => *working = Working { span, now: 0, before: working.now },
            _ => *working = Working { span, now: 0, before: 0 },
        }
        working
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// [`Overloaded`], at once.
    pub fn enter(self: &Arc<Self>) -> Result<Turn, Overloaded> {
        let mut working = self.working();
        if working.now + working.before < self.at_once {
            working.now += 1;
            return Ok(Turn { admission: Arc::clone(self), span: working.span });
        }
        drop(working);
        let refused_in_all = self.refused.fetch_add(1, Relaxed) + 1;
        let second = self.began.elapsed().as_secs() + 1;
        // A line for each would cost more than the refusal.
        if self.told.swap(second, Relaxed) != second {
            tracing::warn!(refused_in_all, "overloaded: requests are refused");
        }
        Err(Overloaded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn admission(requests: usize) -> Arc<Admission> {
        Admission::new(&Limits { requests, ..Limits::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn f73_only_so_many_are_in_work_and_one_more_is_refused_until_one_is_done() {
        let admission = admission(2);
        let (first, second) = (admission.enter().unwrap(), admission.enter().unwrap());
        assert_eq!(admission.enter().unwrap_err(), Overloaded);
        assert_eq!((admission.in_work(), admission.refused_total()), (2, 1));
        drop(first);
        let third = admission.enter().unwrap();
        assert!(admission.enter().is_err());
        drop((second, third));
        assert_eq!((admission.in_work(), admission.refused_total()), (0, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn f73_whoever_waits_for_something_else_does_not_keep_others_out_for_long() {
        let admission = admission(1);
        let stuck = admission.enter().unwrap();
        advance(HOLD).await;
        assert!(admission.enter().is_err());
        advance(HOLD).await;
        let other = admission.enter().unwrap();
        assert_eq!(admission.in_work(), 1);
        drop(stuck);
        assert_eq!(admission.in_work(), 1, "it had been forgotten, and gives nothing back");
        advance(HOLD).await;
        drop(other);
        assert_eq!(admission.in_work(), 0, "but whoever still counts does");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_silence_forgets_everyone() {
        let admission = admission(1);
        let _stuck = admission.enter().unwrap();
        advance(HOLD * 1000).await;
        assert_eq!(admission.in_work(), 0);
        assert!(admission.enter().is_ok());
    }
}
