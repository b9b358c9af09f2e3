//! The writer: one thread, one connection, group commit behind a bounded queue.
//!
//! The thread takes what is waiting, runs it in one transaction and answers after the one commit. There is no timer:
//! the sync in progress is the timer, for while it runs the next batch gathers.

use super::{
    BATCH_MAX, Figures, OpenError, QUEUE_MAX,
    checkpoint::{Bounds, Checkpoints},
    queue::{Queue, Refused},
    soundness::Soundness,
    transaction::{LiteTx, at_once},
};
use crate::{
    Failure, Step,
    statements::{APPEND_EVENT, SET_TRAIL_END},
    trail::{ChainEnd, EndRow, Entry, chain_end},
};
use domain::event::Event;
use rusqlite::Connection;
use secrets::KeyRing;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};
use tokio::sync::oneshot;

/// A step that waits, with the place for its answer.
trait Job: Send {
    fn run(&mut self, tx: &mut LiteTx<'_>) -> Result<(), Failure>;
    /// Answers: with what the step came to if that is durable, else with the failure.
    fn settle(self: Box<Self>, durable: Result<(), Failure>);
}

/// What a step came to, and when it was first taken up, if that was asked for.
pub(super) type Settled<T> = (Result<T, Failure>, Option<Instant>);

struct StepJob<S: Step> {
    step: S,
    out: Option<S::Out>,
    timed: bool,
    begun: Option<Instant>,
    answer: oneshot::Sender<Settled<S::Out>>,
}

impl<S: Step> Job for StepJob<S> {
    fn run(&mut self, tx: &mut LiteTx<'_>) -> Result<(), Failure> {
        self.out = None;
        if self.timed && self.begun.is_none() {
            self.begun = Some(Instant::now());
        }
        // A panic is a fault of one step, not of the batch: it is rolled back, and its neighbours run again.
        let out = catch_unwind(AssertUnwindSafe(|| at_once(self.step.run(tx))))
            .unwrap_or_else(|_| Err(Failure::internal("a step panicked")))?;
        self.out = Some(out);
        Ok(())
    }

    fn settle(self: Box<Self>, durable: Result<(), Failure>) {
        let Self { out, answer, begun, .. } = *self;
        let out = durable.and_then(|()| out.ok_or_else(|| Failure::internal("a step has no outcome")));
        // Whoever asked may be gone; the step is done all the same.
        drop(answer.send((out, begun)));
    }
}

/// What the writer needs to keep the trail.
pub(super) struct Trail {
    pub(super) ring: KeyRing,
    /// Where the chain ends; unknown until it has been read.
    pub(super) end: Option<ChainEnd>,
}

enum Message {
    Run(Box<dyn Job>),
    BeginTrail(Trail),
}

/// The way to the thread.
#[derive(Clone)]
pub(super) struct Writer {
    way: Arc<Way>,
    soundness: Soundness,
}

/// When nobody has it any more the thread ends.
struct Way {
    queue: Arc<Queue<Message>>,
    thread: std::sync::Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Drop for Way {
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl Writer {
    pub(super) fn start(
        mut connection: Connection,
        path: PathBuf,
        figures: Arc<Figures>,
        soundness: Soundness,
    ) -> Result<Self, OpenError> {
        let queue = Arc::new(Queue::new(QUEUE_MAX));
        let checkpoints = Checkpoints::start(&mut connection, &path, Bounds::USUAL, soundness.clone())?;
        let mut thread = Thread {
            connection,
            queue: Arc::clone(&queue),
            trail: None,
            figures,
            checkpoints,
            soundness: soundness.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || thread.serve())
            .map_err(|e| OpenError::Unusable(path, format!("no thread for the writer: {e}")))?;
        let thread = std::sync::Mutex::new(Some(thread));
        Ok(Self { way: Arc::new(Way { queue, thread }), soundness })
    }

    pub(super) fn submit<S: Step>(
        &self,
        step: S,
        timed: bool,
    ) -> Result<oneshot::Receiver<Settled<S::Out>>, Failure> {
        let (answer, receiver) = oneshot::channel();
        if !self.is_sound() {
            return Err(Failure::busy("the store has stopped"));
        }
        let job = StepJob { step, out: None, timed, begun: None, answer };
        match self.way.queue.push(Message::Run(Box::new(job))) {
            Ok(()) => Ok(receiver),
            Err(Refused::Full) => Err(Failure::busy("the queue is full")),
            Err(Refused::Closed) => Err(Failure::busy("the store has stopped")),
        }
    }

    pub(super) fn begin_trail(&self, trail: Trail) -> Result<(), Failure> {
        self.way.queue.push(Message::BeginTrail(trail)).map_err(|_| Failure::busy("the writer takes nothing"))
    }

    pub(super) fn depth(&self) -> usize {
        self.way.queue.len()
    }

    pub(super) fn is_sound(&self) -> bool {
        self.soundness.holds()
    }

    pub(super) fn close(&self) {
        self.way.queue.end();
        let thread = self.way.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }
}

struct Thread {
    connection: Connection,
    queue: Arc<Queue<Message>>,
    trail: Option<Trail>,
    figures: Arc<Figures>,
    checkpoints: Checkpoints,
    soundness: Soundness,
}

/// How a group ended.
enum Group {
    Committed,
    /// A step broke; everything is rolled back, and the steps may run again one by one.
    Broken(Failure),
    /// The commit itself failed: nothing is known to be durable, and nobody is told anything.
    NotCommitted(Failure),
}

impl Drop for Thread {
    /// Whoever still waits learns that the store has stopped: their answer's sender goes with the queue.
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

impl Thread {
    fn serve(&mut self) {
        let mut taken = Vec::with_capacity(BATCH_MAX);
        let mut batch: Vec<Box<dyn Job>> = Vec::with_capacity(BATCH_MAX);
        while self.soundness.holds() && self.queue.take(&mut taken, BATCH_MAX) {
            for message in taken.drain(..) {
                match message {
                    Message::Run(job) => batch.push(job),
                    // What is before it in the batch runs after it, for nothing that needs the trail can be there.
                    Message::BeginTrail(trail) => self.trail = Some(trail),
                }
            }
            if !batch.is_empty() {
                self.run_batch(&mut batch);
            }
            self.checkpoints.after_commit(&self.connection);
        }
    }

    fn run_batch(&mut self, batch: &mut Vec<Box<dyn Job>>) {
        self.figures.steps.fetch_add(batch.len() as u64, Relaxed);
        match self.run_group(batch) {
            Group::Committed => batch.drain(..).for_each(|job| job.settle(Ok(()))),
            Group::NotCommitted(e) => batch.drain(..).for_each(|job| job.settle(Err(e.clone()))),
            Group::Broken(e) if batch.len() == 1 => {
                batch.drain(..).for_each(|job| job.settle(Err(e.clone())))
            }
            Group::Broken(_) => {
                self.figures.regrouped.fetch_add(1, Relaxed);
                for mut job in batch.drain(..) {
                    let ended = self.run_group(std::slice::from_mut(&mut job));
                    job.settle(match ended {
                        Group::Committed => Ok(()),
                        Group::Broken(e) | Group::NotCommitted(e) => Err(e),
                    });
                }
            }
        }
    }

    fn run_group(&mut self, jobs: &mut [Box<dyn Job>]) -> Group {
        if !self.soundness.holds() {
            return Group::NotCommitted(Failure::busy("the store has stopped"));
        }
        if let Err(e) = self.connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut s| s.raw_execute()) {
            let e = self.soundness.judge("BEGIN", &e);
            return Group::NotCommitted(e);
        }
        match self.run_inside(jobs) {
            Ok(end) => match self.commit() {
                Ok(()) => {
                    if let Some(trail) = &mut self.trail {
                        trail.end = end;
                    }
                    Group::Committed
                }
                Err(e) => {
                    self.roll_back();
                    Group::NotCommitted(e)
                }
            },
            Err(e) => {
                self.roll_back();
                Group::Broken(e)
            }
        }
    }

    /// Runs the steps, then writes what they owe to the trail. Answers the end of the chain after that.
    fn run_inside(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Option<ChainEnd>, Failure> {
        let mut tx = LiteTx::new(&mut self.connection);
        for job in jobs {
            job.run(&mut tx)?;
        }
        let recorded = std::mem::take(&mut tx.recorded);
        match &self.trail {
            trail if recorded.is_empty() => Ok(trail.as_ref().and_then(|t| t.end)),
            Some(Trail { ring, end }) => {
                let end = match end {
                    Some(end) => *end,
                    None => at_once(chain_end(&mut tx, ring))?,
                };
                Self::append(ring, end, &mut tx, &recorded).map(Some)
            }
            // No act without its record: before the key ring is there, nothing that records one can be done.
            None => Err(Failure::internal("the trail has no key yet")),
        }
    }

    fn append(
        ring: &KeyRing,
        mut end: ChainEnd,
        tx: &mut LiteTx<'_>,
        recorded: &[Event],
    ) -> Result<ChainEnd, Failure> {
        for event in recorded {
            let entry = Entry::of(event);
            end = entry.link(ring, &end);
            tx.exec_now(&APPEND_EVENT, &entry.params(&end))?;
        }
        tx.exec_now(&SET_TRAIL_END, &EndRow::of(end, ring).params())?;
        Ok(end)
    }

    fn commit(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        let done = self.connection.prepare_cached("COMMIT").and_then(|mut s| s.raw_execute());
        self.figures.committed(begun.elapsed());
        done.map(drop).map_err(|e| {
            self.figures.failed_commits.fetch_add(1, Relaxed);
            self.soundness.judge("COMMIT", &e)
        })
    }

    fn roll_back(&self) {
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(e) = self.connection.execute_batch("ROLLBACK") {
            self.soundness.end(&format!("a rollback failed: {e}"));
        }
    }
}
