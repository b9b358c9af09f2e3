//! A bounded pool. Who waits too long for a connection is told that the store is busy.

use super::{connection::Connection, options::Options};
use crate::{Failure, engine::Figures};
use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How long somebody waits for a connection.
const WAIT_MAX: Duration = Duration::from_secs(3);

pub(super) struct Pool {
    options: Options,
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    figures: Arc<Figures>,
}

/// A connection in use. Dropped, it is closed; what was on the way is rolled back by the server.
pub(super) struct Lease {
    pub(super) connection: Connection,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(options: Options, figures: Arc<Figures>) -> Self {
        let free = Arc::new(Semaphore::new(options.pool_size as usize));
        Self { options, free, idle: Mutex::default(), figures }
    }

    /// A connection: one that is idle, or a new one.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, Failure> {
        let begun = Instant::now();
        let leased = timeout(WAIT_MAX, self.take_or_open()).await;
        let waited = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.figures.pool_asked.fetch_add(1, Relaxed);
        self.figures.pool_wait_micros.fetch_add(waited, Relaxed);
        let leased = leased.unwrap_or_else(|_| Err(Failure::busy("no connection in time")));
        leased.inspect_err(|_| {
            self.figures.pool_refused.fetch_add(1, Relaxed);
        })
    }

    async fn take_or_open(self: &Arc<Self>) -> Result<Lease, Failure> {
        let permit = Arc::clone(&self.free).acquire_owned().await;
        let permit = permit.map_err(|_| Failure::busy("the store has stopped"))?;
        let connection = match self.take_idle() {
            Some(connection) => connection,
            None => Connection::open_as_node(&self.options)
                .await
                .map_err(|e| Failure::Busy(format!("no connection: {e}")))?,
        };
        self.figures.pool_in_use.fetch_add(1, Relaxed);
        Ok(Lease { connection, pool: Arc::clone(self), _permit: permit })
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find(|connection| !connection.is_closed())
    }

    pub(super) fn put(&self, connection: Connection) {
        if !connection.is_closed() && !self.free.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }

    /// Opens no more and closes what is idle.
    pub(super) fn close(&self) {
        self.free.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }
}

impl Lease {
    /// Gives the connection back, which is in no transaction.
    pub(super) fn give_back(self) {
        let Self { connection, pool, _permit } = self;
        pool.figures.pool_in_use.fetch_sub(1, Relaxed);
        pool.put(connection);
    }

    /// Closes it.
    pub(super) fn discard(self) {
        self.pool.figures.pool_in_use.fetch_sub(1, Relaxed);
    }
}
