//! Steps of one company, run together: what waits is taken whole, at most two batches at a time. There is no timer: the
//! batches on the way are the timer, for meanwhile the next one gathers.

use super::{job::Job, options::Options, transact::Transactions};
use crate::Failure;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;

/// Steps that may wait in a lane; beyond that, 503 at once.
pub const QUEUE_MAX: usize = 1_024;
/// Steps in one transaction at most, unless the URL says `batch`.
pub const BATCH_MAX: usize = 128;
/// Batches on the way at a time.
const BATCHES: usize = 2;

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Box<dyn Job>>,
    closed: bool,
}

/// How a lane groups its steps.
#[derive(Clone, Copy)]
pub(super) struct Grouping {
    /// Steps in one transaction at most.
    batch: usize,
    /// Transactions on the way at a time.
    at_once: usize,
}

impl Grouping {
    /// As the options have it. Steps that share nothing take all connections there are: what they are compared with is a
    /// server that does not batch, not one that waits for nothing.
    pub(super) fn of(options: &Options) -> Self {
        let at_once = if options.batch == 1 { options.pool_size as usize } else { BATCHES };
        Self { batch: options.batch, at_once }
    }
}

pub(super) struct Lane {
    grouping: Grouping,
    queue: Mutex<Queue>,
    come: Notify,
}

impl Lane {
    /// Starts the tasks of a lane on the current runtime.
    pub(super) fn start(transactions: &Arc<Transactions>, grouping: Grouping) -> Arc<Self> {
        let lane = Arc::new(Self { grouping, queue: Mutex::default(), come: Notify::new() });
        for _ in 0..grouping.at_once {
            tokio::spawn(Arc::clone(&lane).serve(Arc::clone(transactions)));
        }
        lane
    }

    fn with<T>(&self, f: impl FnOnce(&mut Queue) -> T) -> T {
        f(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn submit(&self, job: Box<dyn Job>) -> Result<(), Failure> {
        self.with(|queue| {
            if queue.closed {
                return Err(Failure::busy("the store has stopped"));
            }
            if queue.waiting.len() >= QUEUE_MAX {
                return Err(Failure::busy("the queue is full"));
            }
            queue.waiting.push_back(job);
            Ok(())
        })?;
        self.come.notify_one();
        Ok(())
    }

    pub(super) fn depth(&self) -> usize {
        self.with(|queue| queue.waiting.len())
    }

    pub(super) fn close(&self) {
        self.with(|queue| queue.closed = true);
        for _ in 0..self.grouping.at_once {
            self.come.notify_one();
        }
    }

    async fn serve(self: Arc<Self>, transactions: Arc<Transactions>) {
        loop {
            let come = self.come.notified();
            let (batch, left, closed) = self.with(|queue| {
                let most = queue.waiting.len().min(self.grouping.batch);
                let batch: Vec<_> = queue.waiting.drain(..most).collect();
                (batch, queue.waiting.len(), queue.closed)
            });
            if left > 0 {
                self.come.notify_one();
            }
            if batch.is_empty() {
                if closed {
                    // The other task ends too.
                    self.come.notify_one();
                    return;
                }
                come.await;
                continue;
            }
            let put_off = transactions.serve(batch).await;
            // Behind the others, who may want something that fewer want.
            self.with(|queue| queue.waiting.extend(put_off));
        }
    }
}
