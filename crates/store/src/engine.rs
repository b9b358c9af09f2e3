//! The engines: SQLite, embedded, and PostgreSQL, for many machines.

mod figures;
mod fnv;
pub mod postgres;
pub mod schema;
pub mod sqlite;

pub use figures::Figures;

use crate::{Failure, Query, Step};
use domain::time::Timestamp;
use secrets::KeyRing;
use std::time::Duration;

/// How long a request waits for its commit before it is told that the store is busy. The step goes on.
const CONFIRMATION_WAIT: Duration = Duration::from_secs(5);

/// A store, whatever engine runs it. Cheap to clone.
#[derive(Clone)]
pub enum Store {
    /// The embedded one.
    Sqlite(sqlite::Sqlite),
    /// The one that several nodes share.
    Postgres(postgres::Postgres),
}

/// A reading of the store's clock between two of another one.
#[derive(Clone, Copy, Debug)]
pub struct ClockReading {
    /// What the other one said before.
    pub before: Timestamp,
    /// What the store's said.
    pub told: Timestamp,
    /// What the other one said after.
    pub after: Timestamp,
}

impl Store {
    /// Opens a PostgreSQL database, migrating it if necessary. Its tasks run on the current runtime.
    ///
    /// # Errors
    /// One line for the operator: what is wrong with which server, and what to do.
    pub async fn open_postgres(
        options: postgres::Options,
        now: Timestamp,
    ) -> Result<Self, postgres::OpenError> {
        postgres::Postgres::open(options, now).await.map(Self::Postgres)
    }

    /// Runs a step and answers once it is durable.
    ///
    /// The step runs in the store's own thread or task: a caller that goes away does not cut it in half.
    ///
    /// # Errors
    /// [`Failure::Busy`] when it was not taken or is not confirmed; then nothing of it may be told.
    pub async fn step<S: Step>(&self, step: S) -> Result<S::Out, Failure> {
        match self {
            Self::Sqlite(engine) => engine.step(step).await,
            Self::Postgres(engine) => engine.step(step).await,
        }
    }

    /// Runs a query on a snapshot that holds everything that has been answered.
    ///
    /// # Errors
    /// As for steps.
    pub async fn query<Q: Query>(&self, query: Q) -> Result<Q::Out, Failure> {
        match self {
            Self::Sqlite(engine) => engine.query(query).await,
            Self::Postgres(engine) => engine.query(query).await,
        }
    }

    /// Reads the store's clock between two readings of `clock`. `None` if it is the machine's own.
    ///
    /// # Errors
    /// [`Failure::Busy`] when the store does not answer.
    pub async fn read_clock(
        &self,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> Result<Option<ClockReading>, Failure> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(engine) => engine.read_clock(clock).await.map(Some),
        }
    }

    /// Hands over the key ring, from which on events can be chained. Until then a step that records one fails.
    ///
    /// # Errors
    /// [`Failure::Busy`] when the store takes nothing.
    pub fn begin_trail(&self, ring: KeyRing) -> Result<(), Failure> {
        match self {
            Self::Sqlite(engine) => engine.begin_trail(ring),
            Self::Postgres(engine) => {
                engine.begin_trail(ring);
                Ok(())
            }
        }
    }

    /// The engine's figures.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        match self {
            Self::Sqlite(engine) => engine.figures(),
            Self::Postgres(engine) => engine.figures(),
        }
    }

    /// Steps waiting now.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        match self {
            Self::Sqlite(engine) => engine.queue_depth(),
            Self::Postgres(engine) => engine.queue_depth(),
        }
    }

    /// Waits until keys, settings, environments or data keys may have changed, here or on another node. Nobody but this
    /// process changes the embedded store: there it waits for ever.
    pub async fn changed(&self) {
        match self {
            Self::Sqlite(_) => std::future::pending().await,
            Self::Postgres(engine) => engine.changed().await,
        }
    }

    /// Whether the store can still be trusted.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Sqlite(engine) => engine.is_sound(),
            Self::Postgres(_) => true,
        }
    }

    /// Takes nothing more, and lets the embedded engine finish what waits.
    pub fn close(&self) {
        match self {
            Self::Sqlite(engine) => engine.close(),
            Self::Postgres(engine) => engine.close(),
        }
    }
}

/// The answer, unless it takes too long. What is not confirmed is not told (I8).
async fn confirmed<T>(answer: tokio::sync::oneshot::Receiver<T>) -> Result<T, Failure> {
    match tokio::time::timeout(CONFIRMATION_WAIT, answer).await {
        Ok(Ok(out)) => Ok(out),
        Ok(Err(_)) => Err(Failure::busy("the store has stopped")),
        Err(_) => Err(Failure::busy("not confirmed in time")),
    }
}
