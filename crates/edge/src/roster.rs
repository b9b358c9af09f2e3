//! All open connections: what sweeps, evicts, drains and cuts them.

use crate::{
    Gauges, Limits,
    member::{Member, Order, Phase, Shared},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    time::Instant,
};

#[derive(Debug)]
pub(crate) struct Roster {
    pub(crate) shared: Arc<Shared>,
    pub(crate) gauges: Arc<Gauges>,
    last_tick: Mutex<Instant>,
    members: Mutex<Members>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Members {
    /// Also the number of the last one that did.
    joined: usize,
    open: HashMap<usize, Arc<Member>>,
}

/// A connection's place in the roster, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    number: usize,
    roster: Arc<Roster>,
    pub(crate) member: Arc<Member>,
    _slot: OwnedSemaphorePermit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let left = {
            let mut members = self.roster.members();
            members.open.remove(&self.number);
            members.open.len()
        };
        self.roster.gauges.closed();
        if left == 0 {
            self.roster.emptied.notify_waiters();
        }
    }
}

impl Roster {
    pub(crate) fn new(gauges: Arc<Gauges>) -> Self {
        Self {
            shared: Arc::default(),
            gauges,
            last_tick: Mutex::new(Instant::now()),
            members: Mutex::default(),
            emptied: Notify::new(),
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the shared clock on by the time since it was last moved, but by four ticks at most: if the whole process stood
    /// still, no client is to blame, and each gets a chance to go on before it is called late.
    fn tick(&self, limits: &Limits) -> u64 {
        let passed = {
            let mut last = self.last_tick.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            now - std::mem::replace(&mut *last, now)
        };
        let step = micros(passed.min(limits.tick() * 4));
        self.shared.now.fetch_add(step, Ordering::Relaxed) + step
    }

    pub(crate) fn join(self: &Arc<Self>, phase: Phase, limits: &Limits, slot: OwnedSemaphorePermit) -> Seat {
        let member = Arc::new(Member::new(Arc::clone(&self.shared), phase, limits.head_bytes));
        let number = {
            let mut members = self.members();
            members.joined += 1;
            let number = members.joined;
            members.open.insert(number, Arc::clone(&member));
            number
        };
        self.gauges.opened();
        self.gauges.accepted();
        Seat { number, roster: Arc::clone(self), member, _slot: slot }
    }

    pub(crate) fn open(&self) -> usize {
        self.members().open.len()
    }

    /// Waits until no connection is open.
    pub(crate) async fn emptied(&self) {
        loop {
            let notified = self.emptied.notified();
            if self.open() == 0 {
                return;
            }
            notified.await;
        }
    }

    /// Closes what has outstayed a limit.
    pub(crate) fn sweep(&self, limits: &Limits) {
        let now = self.tick(limits);
        for member in self.members().open.values() {
            let Some(order) = overdue(member, now, limits) else { continue };
            if member.command(order) {
                self.gauges.timed_out();
                if order == Order::Drain {
                    // It gets as long to say good-bye as a head may take.
                    member.enter(Phase::Idle);
                }
            }
        }
    }

    /// Closes up to `count` connections that have no request in flight, and says how many: those that never had an answer
    /// first, and among equals those that have done nothing for longest.
    pub(crate) fn evict(&self, count: usize) -> usize {
        let members = self.members();
        let mut idle: Vec<_> = members
            .open
            .values()
            .filter(|member| member.phase().0 != Phase::Busy && member.order() != Order::Cut)
            .map(|member| ((member.has_been_answered(), member.phase().1), member))
            .collect();
        if idle.len() > count && count > 0 {
            idle.select_nth_unstable_by_key(count - 1, |(rank, _)| *rank);
        }
        idle.truncate(count);
        for (_, member) in &idle {
            let polite = member.phase().0 == Phase::Idle && member.order() == Order::Serve;
            member.command(if polite { Order::Drain } else { Order::Cut });
            self.gauges.evicted();
        }
        idle.len()
    }

    /// How many connections have ever joined.
    pub(crate) fn joined(&self) -> usize {
        self.members().joined
    }

    /// Says on every answer from now on that the connection ends. HTTP/2 can be told at once without losing a request.
    /// Returns how many connections are open, and how many have ever joined.
    pub(crate) fn announce_stop(&self) -> (usize, usize) {
        self.shared.draining.store(true, Ordering::Relaxed);
        let members = self.members();
        members.open.values().filter(|member| member.is_http2()).for_each(|member| {
            member.command(Order::Drain);
        });
        (members.open.len(), members.joined)
    }

    /// Tells every connection the same, and says how many there are.
    pub(crate) fn command_all(&self, order: Order) -> usize {
        let members = self.members();
        members.open.values().for_each(|member| {
            member.command(order);
        });
        members.open.len()
    }
}

fn overdue(member: &Member, now: u64, limits: &Limits) -> Option<Order> {
    let past = |since: u64, limit: Duration| now.saturating_sub(since) > micros(limit);
    if member.blocked_since().is_some_and(|since| past(since, limits.write_stall)) {
        return Some(Order::Cut);
    }
    let (phase, since) = member.phase();
    let (limit, order) = match phase {
        Phase::Handshake => (limits.tls_handshake, Order::Cut),
        Phase::FirstByte => (limits.first_byte, Order::Cut),
        Phase::Head => (limits.head, Order::Cut),
        Phase::Busy => (limits.request, Order::Cut),
        Phase::Linger => (limits.linger, Order::Cut),
        Phase::Idle if member.order() == Order::Drain => (limits.head, Order::Cut),
        Phase::Idle => (limits.idle, Order::Drain),
    };
    past(since, limit).then_some(order)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Semaphore;

    fn roster_of(phases: &[(Phase, u64)]) -> (Arc<Roster>, Vec<Seat>) {
        let roster = Arc::new(Roster::new(Arc::default()));
        let slots = Arc::new(Semaphore::new(100));
        let seats = phases
            .iter()
            .map(|(phase, since)| {
                roster.shared.now.store(*since, Ordering::Relaxed);
                let slot = Arc::clone(&slots).try_acquire_owned().unwrap();
                roster.join(*phase, &Limits::default(), slot)
            })
            .collect();
        (roster, seats)
    }

    #[test]
    fn each_phase_has_its_own_limit() {
        let limits = Limits::default();
        let phases = [
            (Phase::Handshake, limits.tls_handshake, Order::Cut),
            (Phase::FirstByte, limits.first_byte, Order::Cut),
            (Phase::Head, limits.head, Order::Cut),
            (Phase::Busy, limits.request, Order::Cut),
            (Phase::Linger, limits.linger, Order::Cut),
            (Phase::Idle, limits.idle, Order::Drain),
        ];
        for (phase, limit, order) in phases {
            let (_, seats) = roster_of(&[(phase, 1000)]);
            let member = &seats[0].member;
            assert_eq!(overdue(member, 1000 + micros(limit), &limits), None, "{phase:?}");
            assert_eq!(overdue(member, 1001 + micros(limit), &limits), Some(order), "{phase:?}");
        }
    }

    #[test]
    fn a_connection_that_was_asked_to_go_has_as_long_as_a_head_may_take() {
        let limits = Limits::default();
        let (_, seats) = roster_of(&[(Phase::Idle, 1000)]);
        let member = &seats[0].member;
        member.command(Order::Drain);
        assert_eq!(overdue(member, 1000 + micros(limits.head), &limits), None);
        assert_eq!(overdue(member, 1001 + micros(limits.head), &limits), Some(Order::Cut));
    }

    #[test]
    fn eviction_takes_the_longest_idle_and_never_one_with_a_request_in_flight() {
        let (roster, seats) = roster_of(&[
            (Phase::Busy, 1),
            (Phase::Idle, 2),
            (Phase::Head, 30),
            (Phase::FirstByte, 20),
            (Phase::Idle, 3),
        ]);
        for answered in [1, 4] {
            seats[answered].member.begin();
            seats[answered].member.end();
        }
        roster.shared.now.store(2, Ordering::Relaxed);
        seats[1].member.enter(Phase::Idle);
        let orders = || seats.iter().map(|seat| seat.member.order()).collect::<Vec<_>>();
        use Order::{Cut, Drain, Serve};
        assert_eq!(roster.evict(1), 1);
        assert_eq!(orders(), [Serve, Serve, Serve, Cut, Serve]);
        assert_eq!(roster.evict(2), 2);
        assert_eq!(orders(), [Serve, Drain, Cut, Cut, Serve]);
        assert_eq!(roster.evict(9), 2);
        assert_eq!(orders(), [Serve, Cut, Cut, Cut, Drain]);
        assert_eq!(roster.evict(9), 1);
        assert_eq!(roster.evict(9), 0);
        assert_eq!(roster.gauges.evicted_total(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_stood_still_cuts_no_one_on_waking_up() {
        let limits = Limits::default();
        let (roster, seats) = roster_of(&[(Phase::Head, 0)]);
        tokio::time::advance(limits.head * 10).await;
        roster.sweep(&limits);
        assert_eq!(seats[0].member.order(), Order::Serve);
        for _ in 0..80 {
            tokio::time::advance(limits.tick()).await;
            roster.sweep(&limits);
        }
        assert_eq!(seats[0].member.order(), Order::Cut);
    }

    #[tokio::test]
    async fn the_roster_says_when_it_is_empty() {
        let (roster, seats) = roster_of(&[(Phase::Idle, 0), (Phase::Idle, 0)]);
        assert_eq!((roster.open(), roster.gauges.open_connections()), (2, 2));
        let emptied = tokio::spawn({
            let roster = Arc::clone(&roster);
            async move { roster.emptied().await }
        });
        tokio::task::yield_now().await;
        drop(seats);
        emptied.await.unwrap();
        assert_eq!((roster.gauges.open_connections(), roster.gauges.accepted_total()), (0, 2));
    }
}
