//! One connection, as the sweep and the tasks that serve it see it.

use crate::framing::Framing;
use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// Where in its life a connection is; each phase has its own limit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Handshake,
    FirstByte,
    Head,
    Busy,
    Idle,
    Linger,
}

impl Phase {
    const ALL: [Self; 6] =
        [Self::Handshake, Self::FirstByte, Self::Head, Self::Busy, Self::Idle, Self::Linger];
}

/// What a connection is told to do. It only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Go on.
    Serve,
    /// Finish the requests in flight, then close.
    Drain,
    /// Close now.
    Cut,
}

/// What all connections of a listener share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Microseconds since the start, moved on by the sweep: reading it is free, where a clock read for each step of each
    /// request would not be.
    pub(crate) now: AtomicU64,
    /// The listener is stopping.
    pub(crate) draining: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Member {
    shared: Arc<Shared>,
    /// The phase in the lowest three bits, and since when above them: read and written as one.
    phase: AtomicU64,
    /// Since when the client has taken nothing of what is being written, plus one; 0 if nothing is stuck.
    blocked: AtomicU64,
    in_flight: AtomicU32,
    /// Has had at least one answer.
    answered: AtomicBool,
    order: AtomicU8,
    waker: Mutex<Option<Waker>>,
    framing: Mutex<Framing>,
}

impl Member {
    pub(crate) fn new(shared: Arc<Shared>, phase: Phase, head_bytes: usize) -> Self {
        let member = Self {
            shared,
            phase: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            answered: AtomicBool::new(false),
            order: AtomicU8::new(Order::Serve as u8),
            waker: Mutex::default(),
            framing: Mutex::new(Framing::new(head_bytes)),
        };
        member.enter(phase);
        member
    }

    pub(crate) fn framing(&self) -> MutexGuard<'_, Framing> {
        self.framing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let now = self.shared.now.load(Ordering::Relaxed);
        self.phase.store(now << 3 | phase as u64, Ordering::Relaxed);
    }

    /// The phase, and since when (microseconds on the shared clock).
    pub(crate) fn phase(&self) -> (Phase, u64) {
        let packed = self.phase.load(Ordering::Relaxed);
        let phase = Phase::ALL.into_iter().find(|phase| *phase as u64 == packed & 7);
        (phase.unwrap_or(Phase::Idle), packed >> 3)
    }

    pub(crate) fn blocked_since(&self) -> Option<u64> {
        self.blocked.load(Ordering::Relaxed).checked_sub(1)
    }

    pub(crate) fn has_been_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.framing().is_http2()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.shared.draining.load(Ordering::Relaxed)
    }

    /// Bytes were read.
    pub(crate) fn read(&self, bytes: &[u8]) {
        let mut framing = self.framing();
        framing.take_in(bytes);
        match self.phase().0 {
            Phase::FirstByte => self.enter(Phase::Head),
            Phase::Idle if framing.has_pending() => self.enter(Phase::Head),
            _ => {}
        }
    }

    /// The client has taken this many bytes: an answer that flows is not idleness. The frames by which an HTTP/2 connection
    /// merely stays alive, 9 to 17 bytes each, do not count.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.unblocked();
        if bytes >= 512 && self.phase().0 == Phase::Idle {
            self.enter(Phase::Idle);
        }
    }

    /// Nothing is stuck on its way to the client.
    pub(crate) fn unblocked(&self) {
        self.blocked.store(0, Ordering::Relaxed);
    }

    /// The client takes nothing.
    pub(crate) fn write_blocked(&self) {
        if self.blocked.load(Ordering::Relaxed) == 0 {
            self.blocked.store(self.shared.now.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// A request was handed over.
    pub(crate) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.enter(Phase::Busy);
    }

    /// A request has its answer, or was given up.
    pub(crate) fn end(&self) {
        self.answered.store(true, Ordering::Relaxed);
        let others = self.in_flight.fetch_sub(1, Ordering::Relaxed) > 1;
        let next = match () {
            () if others => Phase::Busy,
            () if self.framing().has_pending() => Phase::Head,
            () => Phase::Idle,
        };
        self.enter(next);
    }

    /// Tells the connection what to do; `false` if it had been told that, or more, before.
    pub(crate) fn command(&self, order: Order) -> bool {
        let before = self.order.fetch_max(order as u8, Ordering::AcqRel);
        if before >= order as u8 {
            return false;
        }
        if let Some(waker) = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
        true
    }

    pub(crate) fn order(&self) -> Order {
        match self.order.load(Ordering::Acquire) {
            0 => Order::Serve,
            1 => Order::Drain,
            _ => Order::Cut,
        }
    }

    /// The order now; the task is woken when it changes.
    pub(crate) fn watch(&self, cx: &Context<'_>) -> Order {
        {
            let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *waker {
                Some(known) if known.will_wake(cx.waker()) => {}
                other => *other = Some(cx.waker().clone()),
            }
        }
        self.order()
    }

    /// Runs `work` until it is done, or until the connection is cut (`None`).
    pub(crate) async fn unless_cut<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = std::pin::pin!(work);
        poll_fn(|cx| match self.watch(cx) {
            Order::Cut => Poll::Ready(None),
            Order::Serve | Order::Drain => Pin::as_mut(&mut work).poll(cx).map(Some),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> (Arc<Shared>, Member) {
        let shared = Arc::new(Shared::default());
        (Arc::clone(&shared), Member::new(shared, Phase::FirstByte, 16 * 1024))
    }

    #[test]
    fn a_connection_goes_from_phase_to_phase_and_remembers_since_when() {
        let (shared, member) = member();
        shared.now.store(7, Ordering::Relaxed);
        member.read(b"GE");
        assert_eq!(member.phase(), (Phase::Head, 7));
        shared.now.store(9, Ordering::Relaxed);
        member.read(b"T");
        assert_eq!(member.phase(), (Phase::Head, 7), "a byte more does not prolong the head");
        member.begin();
        member.begin();
        member.end();
        assert_eq!(member.phase(), (Phase::Busy, 9));
        member.end();
        assert_eq!(member.phase().0, Phase::Head, "what was read has not been handed over");
    }

    #[test]
    fn a_stuck_write_counts_from_its_first_refusal() {
        let (shared, member) = member();
        assert_eq!(member.blocked_since(), None);
        member.write_blocked();
        shared.now.store(5, Ordering::Relaxed);
        member.write_blocked();
        assert_eq!(member.blocked_since(), Some(0));
        member.wrote(1);
        assert_eq!(member.blocked_since(), None);
    }

    #[tokio::test]
    async fn an_order_reaches_a_task_that_waits_and_is_never_taken_back() {
        let (_, member) = member();
        let member = Arc::new(member);
        let waiting = tokio::spawn({
            let member = Arc::clone(&member);
            async move { member.unless_cut(std::future::pending::<()>()).await }
        });
        tokio::task::yield_now().await;
        assert!(member.command(Order::Drain));
        assert!(member.command(Order::Cut));
        assert!(!member.command(Order::Drain));
        assert_eq!(waiting.await.unwrap(), None);
        assert_eq!(member.order(), Order::Cut);
    }
}
