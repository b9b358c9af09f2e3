//! Who is let in when there is more to do than can be done (F72, F73).
//!
//! A server that takes on whatever it is asked does everything late. So only so many requests are worked on at once; the
//! others stand in line, first come, first served.
//!
//! Whoever has stood there for [`Limits::requests_wait`] is refused, which costs the server a third to a half of what
//! serving would. While it has time to spare, that is no matter. When it has none, refusing all of them would leave little
//! time for anything else, the more so as those who are refused ask again; so then only few are refused, and the others
//! keep their place and are served in their order. Either way a refusal comes soon, or not at all.
//!
//! Nobody is refused at once, although it could be known sooner: a caller told at once asks again at once, and a short wait
//! costs nothing.

use crate::Limits;
use std::{
    collections::VecDeque,
    num::NonZero,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};

/// Requests that may stand in line; beyond that they are refused at once. It bounds memory: a few KiB each.
const LINE_MAX: usize = 16_384;
/// Whoever has been in work for one to two of these no longer counts. It is not working by then but waiting: for the outcome
/// of a message, for the rest of its body, for its twin, or for a disk that stands still. The first three cost
/// nothing, and the last fills the store's own queue, which refuses by itself.
const HOLD: Duration = Duration::from_millis(250);
/// There is no time to spare if more than three quarters of it are used, or if a clock that should have woken somebody did so
/// later than this: then others have the cores, or too many are waiting to go on.
const LATE: Duration = Duration::from_millis(3);
/// How often it is looked how much time is used.
const LOOK: Duration = Duration::from_millis(20);
/// Refusals per core and [`LOOK`] when there is none: 1,000 a second, some 2 % of a core.
const REFUSALS: u32 = 20;

/// The line, and what is counted about it.
#[derive(Debug)]
pub struct Admission {
    at_once: usize,
    wait: Duration,
    cores: u32,
    cpu_time: fn() -> Duration,
    began: Instant,
    state: Mutex<State>,
    refused: AtomicU64,
    /// In which second since the start the log last said so, counted from 1.
    told: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Requests in work, by the span of [`HOLD`] in which they were let in: of the present span and of the one before.
    working: [usize; 2],
    span: u64,
    line: VecDeque<oneshot::Sender<Turn>>,
    spare: Spare,
}

/// Leave to work on a request, given back when dropped.
#[derive(Debug)]
pub struct Turn {
    admission: Option<Arc<Admission>>,
    span: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(admission) = self.admission.take() else { return };
        let mut state = admission.state();
        state.leave(self.span);
        admission.call_in(&mut state);
    }
}

/// There is more to do than can be done: answer 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is more to do than can be done")]
pub struct Overloaded;

/// How many may still be refused.
#[derive(Debug, Default)]
struct Spare {
    looked: Option<(Instant, Duration)>,
    /// `None`: as many as have to be.
    left: Option<u32>,
}

impl Spare {
    /// Whether one more may be refused. `cpu_time` is what the process has used, of `cores` cores; `late` is how long after
    /// its time whoever asks has been woken.
    fn take(&mut self, now: Instant, late: Duration, cores: u32, cpu_time: impl Fn() -> Duration) -> bool {
        let age = self.looked.map(|(at, _)| now - at);
        if age.is_none_or(|age| age >= LOOK) {
            let used = cpu_time();
            let busy = match self.looked {
                Some((at, before)) if now - at < LOOK * 10 => {
                    used.saturating_sub(before) * 4 > (now - at) * cores * 3
                }
                // What was used long ago says nothing about now.
                _ => false,
            };
            self.left = busy.then_some(REFUSALS * cores);
            self.looked = Some((now, used));
        }
        if late > LATE {
            self.left.get_or_insert(REFUSALS * cores);
        }
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

impl State {
    fn in_work(&self) -> usize {
        self.working.iter().sum()
    }

    fn of(&mut self, span: u64) -> &mut usize {
        let [even, odd] = &mut self.working;
        if span.is_multiple_of(2) { even } else { odd }
    }

    /// Forgets those who have been in work for too long to count.
    fn move_to(&mut self, span: u64) {
        match span.saturating_sub(self.span) {
            0 => return,
            1 => *self.of(span) = 0,
            _ => self.working = [0; 2],
        }
        self.span = span;
    }

    fn leave(&mut self, span: u64) {
        if span + 1 >= self.span {
            let count = self.of(span);
            *count = count.saturating_sub(1);
        }
    }
}

impl Admission {
    /// Nobody in work, nobody in line.
    #[must_use]
    pub fn new(limits: &Limits) -> Arc<Self> {
        Self::measured_by(limits, cpu_time)
    }

    fn measured_by(limits: &Limits, cpu_time: fn() -> Duration) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Arc::new(Self {
            at_once: limits.requests.max(1),
            wait: limits.requests_wait,
            cores: u32::try_from(cores).unwrap_or(1),
            cpu_time,
            began: Instant::now(),
            state: Mutex::default(),
            refused: AtomicU64::new(0),
            told: AtomicU64::new(0),
        })
    }

    /// Requests in work now.
    #[must_use]
    pub fn in_work(&self) -> usize {
        self.state().in_work()
    }

    /// Requests in line now.
    #[must_use]
    pub fn in_line(&self) -> usize {
        self.state().line.iter().filter(|place| !place.is_closed()).count()
    }

    /// Requests refused since the start.
    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let span = self.began.elapsed().as_millis() / HOLD.as_millis();
        state.move_to(u64::try_from(span).unwrap_or(u64::MAX));
        state
    }

    fn let_in(self: &Arc<Self>, state: &mut State) -> Turn {
        let span = state.span;
        *state.of(span) += 1;
        Turn { admission: Some(Arc::clone(self)), span }
    }

    /// Lets in as many from the line as there is room for.
    fn call_in(self: &Arc<Self>, state: &mut State) {
        while state.in_work() < self.at_once {
            let Some(first) = state.line.pop_front() else { return };
            if let Err(mut turn) = first.send(self.let_in(state)) {
                // It has gone away. Its turn must not lock again what is locked here.
                turn.admission = None;
                state.leave(turn.span);
            }
        }
    }

    /// A turn now, or a place in line.
    fn queue(self: &Arc<Self>) -> Result<Turn, Option<oneshot::Receiver<Turn>>> {
        let mut state = self.state();
        // Whoever has gone is mostly at the front, having stood there for longest.
        while state.line.front().is_some_and(oneshot::Sender::is_closed) {
            state.line.pop_front();
        }
        // Room may have come about by forgetting, and then nobody has been called in yet.
        self.call_in(&mut state);
        if state.in_work() < self.at_once {
            return Ok(self.let_in(&mut state));
        }
        if state.line.len() >= LINE_MAX {
            return Err(None);
        }
        let (call, called) = oneshot::channel();
        state.line.push_back(call);
        Err(Some(called))
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`Overloaded`], not much later than after [`Limits::requests_wait`].
    pub async fn enter(self: &Arc<Self>) -> Result<Turn, Overloaded> {
        let mut called = match self.queue() {
            Ok(turn) => return Ok(turn),
            Err(None) => return Err(self.refuse()),
            Err(Some(called)) => called,
        };
        let due = Instant::now() + self.wait;
        if let Ok(Ok(turn)) = timeout_at(due, &mut called).await {
            return Ok(turn);
        }
        let refused = {
            let mut state = self.state();
            self.call_in(&mut state);
            let now = Instant::now();
            // The clock has a grain of one millisecond, and rounds up.
            state.spare.take(now, now - due, self.cores, self.cpu_time)
        };
        while !refused {
            match timeout(HOLD, &mut called).await {
                Ok(turn) => return turn.map_err(|_| self.refuse()),
                // Perhaps everyone in work waits for something, and nobody else has come to notice it.
                Err(_) => self.call_in(&mut self.state()),
            }
        }
        called.close();
        // It may have been called in the last moment.
        called.try_recv().map_err(|_| self.refuse())
    }

    fn refuse(&self) -> Overloaded {
        let refused_in_all = self.refused.fetch_add(1, Relaxed) + 1;
        let second = self.began.elapsed().as_secs() + 1;
        // A line for each would cost more than the refusal.
        if self.told.swap(second, Relaxed) != second {
            tracing::warn!(refused_in_all, "overloaded: requests are refused");
        }
        Overloaded
    }
}

/// What the process has used of all cores together.
fn cpu_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.unsigned_abs(), used.tv_nsec.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{task::JoinHandle, time::advance};

    const WAIT: Duration = Duration::from_millis(30);

    fn idle() -> Duration {
        Duration::ZERO
    }

    /// As if every core had been in use since the start.
    fn flat_out() -> Duration {
        static BEGAN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        // Far more than can have passed: what counts is the rise from look to look.
        BEGAN.get_or_init(std::time::Instant::now).elapsed() * 1_000_000
    }

    fn admission(requests: usize, cpu_time: fn() -> Duration) -> Arc<Admission> {
        let limits = Limits { requests, requests_wait: WAIT, ..Limits::default() };
        Admission::measured_by(&limits, cpu_time)
    }

    async fn turn(admission: &Arc<Admission>) -> Turn {
        admission.enter().await.unwrap()
    }

    /// Stands in line in a task of its own, and has taken its place when this returns.
    async fn in_line(admission: &Arc<Admission>) -> JoinHandle<Result<Turn, Overloaded>> {
        let before = admission.in_line();
        let entering = Arc::clone(admission);
        let task = tokio::spawn(async move { entering.enter().await });
        while admission.in_line() == before {
            tokio::task::yield_now().await;
        }
        task
    }

    #[tokio::test(start_paused = true)]
    async fn f73_only_so_many_are_in_work_and_the_next_is_called_in_its_order() {
        let admission = admission(2, idle);
        let (first, second) = (turn(&admission).await, turn(&admission).await);
        let third = in_line(&admission).await;
        let fourth = in_line(&admission).await;
        assert_eq!((admission.in_work(), admission.in_line()), (2, 2));
        drop(first);
        let third = third.await.unwrap().unwrap();
        assert!(!fourth.is_finished());
        drop(second);
        let fourth = fourth.await.unwrap().unwrap();
        assert_eq!((admission.in_work(), admission.in_line()), (2, 0));
        drop((third, fourth));
        assert_eq!((admission.in_work(), admission.refused_total()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn f72_whoever_waits_too_long_is_refused_within_50_ms_and_a_place_that_frees_is_for_the_next() {
        let admission = admission(1, idle);
        let busy = turn(&admission).await;
        let began = Instant::now();
        assert_eq!(admission.enter().await.unwrap_err(), Overloaded);
        let waited = began.elapsed();
        assert!((WAIT..Duration::from_millis(50)).contains(&waited), "{waited:?}");
        let next = in_line(&admission).await;
        drop(busy);
        drop(next.await.unwrap().unwrap());
        assert_eq!((admission.in_work(), admission.in_line(), admission.refused_total()), (0, 0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn f72_without_time_to_spare_few_are_refused_and_the_others_keep_their_places() {
        let admission = admission(1, flat_out);
        let busy = turn(&admission).await;
        let few = usize::try_from(REFUSALS * admission.cores).unwrap();
        // The first look has nothing to compare with.
        assert!(admission.enter().await.is_err());
        advance(LOOK).await;
        let mut waiting = Vec::new();
        for _ in 0..few + 10 {
            waiting.push(in_line(&admission).await);
        }
        advance(WAIT).await;
        while admission.refused_total() < 1 + few as u64 {
            tokio::task::yield_now().await;
        }
        advance(Duration::from_millis(1)).await;
        assert_eq!((admission.in_line(), admission.refused_total()), (10, 1 + few as u64));
        drop(busy);
        let (mut served, mut refused) = (0, 0);
        for task in waiting {
            match task.await.unwrap() {
                Ok(_) => served += 1,
                Err(Overloaded) => refused += 1,
            }
        }
        assert_eq!((served, refused), (10, few));
    }

    #[test]
    fn f72_there_is_time_to_spare_unless_most_of_it_is_used_or_the_clock_is_late() {
        let began = Instant::now();
        let ms = Duration::from_millis;
        let free = |spare: &Spare| spare.left.is_none();
        let mut spare = Spare::default();
        assert!(spare.take(began, ms(0), 2, || ms(5_000)) && free(&spare), "nothing to compare with");
        assert!(spare.take(began + ms(20), ms(0), 2, || ms(5_030)) && free(&spare), "30 of 40 ms");
        assert!(spare.take(began + ms(40), ms(0), 2, || ms(5_061)) && !free(&spare), "31 of 40 ms");
        for _ in 1..2 * REFUSALS {
            assert!(spare.take(began + ms(59), ms(0), 2, || ms(0)));
        }
        assert!(!spare.take(began + ms(59), ms(0), 2, || ms(0)));
        assert!(spare.take(began + ms(60), ms(0), 2, || ms(5_062)) && free(&spare));
        assert!(spare.take(began + ms(61), LATE, 2, || ms(0)) && free(&spare));
        assert!(spare.take(began + ms(61), LATE + ms(1), 2, || ms(0)) && !free(&spare));
        assert!(spare.take(began + ms(300), ms(0), 2, || ms(9_999)) && free(&spare), "that was long ago");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_something_else_does_not_keep_others_out_for_long() {
        let admission = admission(1, idle);
        let stuck = turn(&admission).await;
        advance(HOLD * 2).await;
        let other = turn(&admission).await;
        assert_eq!(admission.in_work(), 1);
        drop(stuck);
        assert_eq!(admission.in_work(), 1, "it had been forgotten, and gives nothing back");
        drop(other);
        assert_eq!(admission.in_work(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_not_refused_is_called_in_even_if_nobody_else_comes_by() {
        let admission = admission(1, flat_out);
        let began = Instant::now();
        let _stuck = turn(&admission).await;
        let waiting = in_line(&admission).await;
        advance(WAIT - Duration::from_millis(1)).await;
        admission.state().spare = Spare { looked: Some((Instant::now(), flat_out())), left: Some(0) };
        drop(waiting.await.unwrap().unwrap());
        assert!(began.elapsed() <= HOLD * 2 + WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_in_line_goes_with_whoever_stood_there() {
        let admission = admission(1, idle);
        let busy = turn(&admission).await;
        let gone = in_line(&admission).await;
        let next = in_line(&admission).await;
        gone.abort();
        assert!(gone.await.is_err());
        assert_eq!(admission.in_line(), 1);
        drop(busy);
        drop(next.await.unwrap().unwrap());
        assert_eq!((admission.in_work(), admission.refused_total()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn f73_the_line_has_an_end() {
        let admission = admission(1, idle);
        let _busy = turn(&admission).await;
        let places: Vec<_> = (0..LINE_MAX).map(|_| admission.queue().unwrap_err().unwrap()).collect();
        assert!(admission.queue().unwrap_err().is_none());
        let began = Instant::now();
        assert!(admission.enter().await.is_err());
        assert_eq!(began.elapsed(), Duration::ZERO);
        drop(places);
        assert!(admission.queue().unwrap_err().is_some(), "those who have gone take no place");
    }
}
