//! The writer: one thread, one connection, group commit behind a bounded queue.
//!
//! The thread takes what is waiting, runs it in one transaction and answers after the one commit. There is no timer:
//! the sync in progress is the timer, for while it runs the next batch gathers.

use super::{
    BATCH_MAX, Figures, OnFatal, OpenError, QUEUE_MAX,
    transaction::{LiteTx, at_once, failure},
};
use crate::{
    Failure, Step,
    statements::{APPEND_EVENT, SET_TRAIL_END},
    trail::{ChainEnd, EndRow, Entry, chain_end},
};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use domain::event::Event;
use rusqlite::{Connection, ErrorCode};
use secrets::KeyRing;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};
use tokio::sync::oneshot;

/// The WAL is copied into the database beyond this size when the queue is empty, and beyond four times this in any
/// case.
const CHECKPOINT_BYTES: u64 = 8 << 20;
/// The WAL's size is looked at once in so many commits.
const CHECKPOINT_LOOK: u64 = 16;

/// A step that waits, with the place for its answer.
trait Job: Send {
    fn run(&mut self, tx: &mut LiteTx<'_>) -> Result<(), Failure>;
    /// Answers: with what the step came to if that is durable, else with the failure.
    fn settle(self: Box<Self>, durable: Result<(), Failure>);
}

struct StepJob<S: Step> {
    step: S,
    out: Option<S::Out>,
    answer: oneshot::Sender<Result<S::Out, Failure>>,
}

impl<S: Step> Job for StepJob<S> {
    fn run(&mut self, tx: &mut LiteTx<'_>) -> Result<(), Failure> {
        self.out = None;
        // A panic is a fault of one step, not of the batch: it is rolled back, and its neighbours run again.
        let out = catch_unwind(AssertUnwindSafe(|| at_once(self.step.run(tx))))
            .unwrap_or_else(|_| Err(Failure::internal("a step panicked")))?;
        self.out = Some(out);
        Ok(())
    }

    fn settle(self: Box<Self>, durable: Result<(), Failure>) {
        let Self { out, answer, .. } = *self;
        let out = durable.and_then(|()| out.ok_or_else(|| Failure::internal("a step has no outcome")));
        // Whoever asked may be gone; the step is done all the same.
        drop(answer.send(out));
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
    Close,
}

/// The way to the thread.
#[derive(Clone)]
pub(super) struct Writer {
    queue: Sender<Message>,
    sound: Arc<AtomicBool>,
    thread: Arc<std::sync::Mutex<Option<std::thread::JoinHandle<()>>>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        path: PathBuf,
        figures: Arc<Figures>,
        on_fatal: OnFatal,
    ) -> Result<Self, OpenError> {
        let (queue, waiting) = bounded(QUEUE_MAX);
        let sound = Arc::new(AtomicBool::new(true));
        let mut thread = Thread {
            connection,
            wal: wal_of(&path),
            waiting,
            trail: None,
            figures,
            sound: Arc::clone(&sound),
            on_fatal,
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || thread.serve())
            .map_err(|e| OpenError::Unusable(path, format!("no thread for the writer: {e}")))?;
        Ok(Self { queue, sound, thread: Arc::new(std::sync::Mutex::new(Some(thread))) })
    }

    pub(super) fn submit<S: Step>(
        &self,
        step: S,
    ) -> Result<oneshot::Receiver<Result<S::Out, Failure>>, Failure> {
        let (answer, receiver) = oneshot::channel();
        if !self.is_sound() {
            return Err(Failure::busy("the store has stopped"));
        }
        match self.queue.try_send(Message::Run(Box::new(StepJob { step, out: None, answer }))) {
            Ok(()) => Ok(receiver),
            Err(TrySendError::Full(_)) => Err(Failure::busy("the queue is full")),
            Err(TrySendError::Disconnected(_)) => Err(Failure::busy("the store has stopped")),
        }
    }

    pub(super) fn begin_trail(&self, trail: Trail) -> Result<(), Failure> {
        self.queue.try_send(Message::BeginTrail(trail)).map_err(|_| Failure::busy("the writer takes nothing"))
    }

    pub(super) fn depth(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_sound(&self) -> bool {
        self.sound.load(Relaxed)
    }

    pub(super) fn close(&self) {
        drop(self.queue.send(Message::Close));
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }
}

fn wal_of(database: &std::path::Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

struct Thread {
    connection: Connection,
    wal: PathBuf,
    waiting: Receiver<Message>,
    trail: Option<Trail>,
    figures: Arc<Figures>,
    sound: Arc<AtomicBool>,
    on_fatal: OnFatal,
}

/// How a group ended.
enum Group {
    Committed,
    /// A step broke; everything is rolled back, and the steps may run again one by one.
    Broken(Failure),
    /// The commit itself failed: nothing is known to be durable, and nobody is told anything.
    NotCommitted(Failure),
}

impl Thread {
    fn serve(&mut self) {
        let mut batch: Vec<Box<dyn Job>> = Vec::with_capacity(BATCH_MAX);
        while let Ok(first) = self.waiting.recv() {
            let mut closing = self.take(first, &mut batch);
            while !closing && batch.len() < BATCH_MAX {
                let Ok(next) = self.waiting.try_recv() else { break };
                closing = self.take(next, &mut batch);
            }
            if !batch.is_empty() {
                self.run_batch(&mut batch);
            }
            if closing || !self.sound.load(Relaxed) {
                break;
            }
            self.checkpoint_if_due();
        }
        // Whoever still waits learns that the store has stopped: their answer's sender goes with the queue.
    }

    /// Whether to stop after this batch.
    fn take(&mut self, message: Message, batch: &mut Vec<Box<dyn Job>>) -> bool {
        match message {
            Message::Run(job) => batch.push(job),
            Message::BeginTrail(trail) => self.trail = Some(trail),
            Message::Close => return true,
        }
        false
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
        if !self.sound.load(Relaxed) {
            return Group::NotCommitted(Failure::busy("the store has stopped"));
        }
        if let Err(e) = self.connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut s| s.raw_execute()) {
            let e = self.judge("BEGIN", &e);
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
        // Before the steps: what they write is no sign of what was there.
        let end = match &self.trail {
            Some(Trail { end: None, ring }) => Some(at_once(chain_end(&mut tx, ring))?),
            Some(Trail { end, .. }) => *end,
            None => None,
        };
        for job in jobs {
            job.run(&mut tx)?;
        }
        let recorded = std::mem::take(&mut tx.recorded);
        match (&self.trail, end) {
            _ if recorded.is_empty() => Ok(end),
            (Some(trail), Some(end)) => Self::append(&trail.ring, end, &mut tx, &recorded).map(Some),
            // No act without its record: before the key ring is there, nothing that records one can be done.
            _ => Err(Failure::internal("the trail has no key yet")),
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
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.figures.commits.fetch_add(1, Relaxed);
        self.figures.commit_micros.fetch_add(micros, Relaxed);
        let bucket = [1, 4, 16, 64, 256].iter().position(|ms| micros <= ms * 1000).unwrap_or(5);
        if let Some(count) = self.figures.commit_buckets.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        done.map(drop).map_err(|e| {
            self.figures.failed_commits.fetch_add(1, Relaxed);
            self.judge("COMMIT", &e)
        })
    }

    fn roll_back(&self) {
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(e) = self.connection.execute_batch("ROLLBACK") {
            self.stop(&format!("a rollback failed: {e}"));
        }
    }

    /// Turns an error into a failure, and stops the store if the file can no longer be trusted: after a failed sync the
    /// kernel may have dropped the pages, so a second sync that succeeds proves nothing. A full disk is not of that
    /// kind: what did not fit was rolled back.
    fn judge(&self, what: &str, e: &rusqlite::Error) -> Failure {
        match e.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                self.stop(&format!("{what} failed: {e}"));
                Failure::Busy(format!("{what}: {e}"))
            }
            _ => match failure(what, e) {
                Failure::Internal(text) | Failure::Busy(text) => Failure::Busy(text),
            },
        }
    }

    fn stop(&self, why: &str) {
        if self.sound.swap(false, Relaxed) {
            (self.on_fatal)(why);
        }
    }

    fn checkpoint_if_due(&self) {
        let commits = self.figures.commits.load(Relaxed);
        if !commits.is_multiple_of(CHECKPOINT_LOOK) {
            return;
        }
        let size = std::fs::metadata(&self.wal).map(|m| m.len()).unwrap_or(0);
        let pressing = size > 4 * CHECKPOINT_BYTES;
        if !(pressing || size > CHECKPOINT_BYTES && self.waiting.is_empty()) {
            return;
        }
        let done = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(e) = done {
            drop(self.judge("a checkpoint", &e));
        }
    }
}
