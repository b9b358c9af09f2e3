//! The engines. Today one: SQLite, embedded.

pub mod sqlite;

use crate::{Failure, Query, Step};

/// A store, whatever engine runs it.
#[derive(Clone)]
pub enum Store {
    /// The embedded one.
    Sqlite(sqlite::Sqlite),
}

impl Store {
    /// Runs a step and answers once it is durable.
    ///
    /// The step runs in the store's own thread: a caller that goes away does not cut it in half.
    ///
    /// # Errors
    /// [`Failure::Busy`] when it was not taken or is not confirmed; then nothing of it may be told.
    pub async fn step<S: Step>(&self, step: S) -> Result<S::Out, Failure> {
        match self {
            Self::Sqlite(engine) => engine.step(step).await,
        }
    }

    /// Runs a query on a snapshot that holds everything that has been answered.
    ///
    /// # Errors
    /// As for steps.
    pub async fn query<Q: Query>(&self, query: Q) -> Result<Q::Out, Failure> {
        match self {
            Self::Sqlite(engine) => engine.query(query).await,
        }
    }
}
