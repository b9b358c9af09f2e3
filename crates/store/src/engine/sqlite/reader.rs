//! Readers: a few threads with read-only connections, each query on one snapshot.

use super::{
    OpenError,
    connection::open_reader,
    transaction::{LiteTx, at_once, failure},
};
use crate::{Failure, Query};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rusqlite::Connection;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};
use tokio::sync::oneshot;

/// Threads that read.
const READERS: usize = 2;
/// Queries that may wait; beyond that, 503 at once.
const WAITING_MAX: usize = 1_024;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The way to the threads.
#[derive(Clone)]
pub(super) struct Readers {
    queue: Sender<Job>,
}

impl Readers {
    pub(super) fn start(path: &Path) -> Result<Self, OpenError> {
        let (queue, waiting) = bounded::<Job>(WAITING_MAX);
        for n in 0..READERS {
            let mut connection = open_reader(path)?;
            let waiting: Receiver<Job> = waiting.clone();
            std::thread::Builder::new()
                .name(format!("store-reader-{n}"))
                .spawn(move || waiting.iter().for_each(|job| job(&mut connection)))
                .map_err(|e| OpenError::Unusable(path.to_owned(), format!("no thread for a reader: {e}")))?;
        }
        Ok(Self { queue })
    }

    pub(super) fn submit<Q: Query>(
        &self,
        query: Q,
    ) -> Result<oneshot::Receiver<Result<Q::Out, Failure>>, Failure> {
        let (answer, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let out =
                catch_unwind(AssertUnwindSafe(|| on_snapshot(connection, &query))).unwrap_or_else(|_| {
                    drop(connection.execute_batch("ROLLBACK"));
                    Err(Failure::internal("a query panicked"))
                });
            drop(answer.send(out));
        });
        match self.queue.try_send(job) {
            Ok(()) => Ok(receiver),
            Err(TrySendError::Full(_)) => Err(Failure::busy("too many queries wait")),
            Err(TrySendError::Disconnected(_)) => Err(Failure::busy("the store has stopped")),
        }
    }
}

fn on_snapshot<Q: Query>(connection: &mut Connection, query: &Q) -> Result<Q::Out, Failure> {
    connection.execute_batch("BEGIN").map_err(|e| failure("a snapshot", &e))?;
    let out = at_once(query.run(&mut LiteTx::new(connection)));
    connection.execute_batch("COMMIT").map_err(|e| failure("a snapshot", &e))?;
    out
}
