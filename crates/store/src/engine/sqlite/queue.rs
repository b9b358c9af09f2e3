//! The line before the writer: bounded, and taken by the batch.
//!
//! Whoever takes sleeps until something comes. A general channel would first look again and again, which on a small
//! machine takes the core from those who have something to bring.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// Why nothing was taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    /// Nobody takes any more.
    Closed,
}

/// A bounded queue of many who bring and one who takes.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    come: Condvar,
    most: usize,
}

struct State<T> {
    waiting: VecDeque<T>,
    /// No more is taken on; what waits is still taken.
    ending: bool,
    asleep: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(most: usize) -> Self {
        let state = State { waiting: VecDeque::new(), ending: false, asleep: false };
        Self { state: Mutex::new(state), come: Condvar::new(), most }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, item: T) -> Result<(), Refused> {
        let mut state = self.state();
        if state.ending {
            return Err(Refused::Closed);
        }
        if state.waiting.len() >= self.most {
            return Err(Refused::Full);
        }
        state.waiting.push_back(item);
        if std::mem::take(&mut state.asleep) {
            drop(state);
            self.come.notify_one();
        }
        Ok(())
    }

    /// Waits for the first, and takes all that is there, `most` items at most, to the end of `batch`. Answers whether to
    /// come again: once the queue has ended and nothing waits, there is nothing more to take.
    pub(super) fn take(&self, batch: &mut Vec<T>, most: usize) -> bool {
        let mut state = self.state();
        while state.waiting.is_empty() && !state.ending {
            state.asleep = true;
            state = self.come.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let count = state.waiting.len().min(most);
        batch.extend(state.waiting.drain(..count));
        count > 0
    }

    /// No more is taken on.
    pub(super) fn end(&self) {
        self.state().ending = true;
        self.come.notify_all();
    }

    /// No more is taken on, and what waits is dropped: whoever took has stopped.
    pub(super) fn abandon(&self) {
        let dropped = {
            let mut state = self.state();
            state.ending = true;
            std::mem::take(&mut state.waiting)
        };
        drop(dropped);
    }

    pub(super) fn len(&self) -> usize {
        self.state().waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn everything_is_taken_once_in_its_order_and_no_batch_is_too_large() {
        let queue = Arc::new(Queue::new(64));
        let callers: Vec<_> = (0..4)
            .map(|caller| {
                let queue = Arc::clone(&queue);
                std::thread::spawn(move || {
                    for n in 0..2_000 {
                        while queue.push((caller, n)) == Err(Refused::Full) {
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let taker = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || {
                let (mut all, mut batch) = (Vec::new(), Vec::new());
                while queue.take(&mut batch, 16) {
                    assert!(batch.len() <= 16);
                    all.append(&mut batch);
                }
                all
            })
        };
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        queue.end();
        let all = taker.join().unwrap();
        for caller in 0..4 {
            let of_it: Vec<_> = all.iter().filter(|(who, _)| *who == caller).map(|(_, n)| *n).collect();
            assert_eq!(of_it, (0..2_000).collect::<Vec<_>>(), "caller {caller}");
        }
        assert_eq!(all.len(), 8_000);
    }

    #[test]
    fn a_full_queue_refuses_and_an_ended_one_gives_what_it_has() {
        let queue = Queue::new(2);
        assert_eq!([1, 2, 3].map(|n| queue.push(n)), [Ok(()), Ok(()), Err(Refused::Full)]);
        queue.end();
        assert_eq!(queue.push(4), Err(Refused::Closed));
        let mut batch = Vec::new();
        assert!(queue.take(&mut batch, 16));
        assert_eq!(batch, [1, 2]);
        assert!(!queue.take(&mut batch, 16));
    }

    #[test]
    fn what_waits_when_the_taker_stops_is_dropped() {
        let queue = Queue::new(2);
        let item = Arc::new(());
        queue.push(Arc::clone(&item)).unwrap();
        queue.abandon();
        assert_eq!((Arc::strong_count(&item), queue.push(item)), (1, Err(Refused::Closed)));
    }
}
