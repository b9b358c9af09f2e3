//! The engine for many machines: PostgreSQL 15 or later. Every node runs the same steps, each under the locks that its
//! statements name (`docs/decisions/0009-many-writers.md`).

mod broken;
mod calls;
mod changes;
mod connection;
pub(crate) mod copying;
mod desk;
mod job;
mod lane;
mod migrate;
mod open_error;
mod options;
mod passfile;
#[cfg(test)]
mod plans;
mod pool;
mod rounds;
mod texts;
mod tls;
mod transact;
mod wire;

pub use lane::{BATCH_MAX, QUEUE_MAX};
pub use migrate::MIGRATIONS;
pub use open_error::OpenError;
pub use options::Options;

use super::{ClockReading, Figures, confirmed};
use crate::{Failure, Query, Step, step::Company, timing};
use domain::time::Timestamp;
use job::{Job, of_query, of_step};
use lane::{Grouping, Lane};
use secrets::KeyRing;
use std::{
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use transact::Transactions;

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Postgres(Arc<Inner>);

struct Inner {
    name: String,
    transactions: Arc<Transactions>,
    opening: Arc<Lane>,
    answering: Arc<Lane>,
    changes: changes::Changes,
    /// Steps and queries on their way alone.
    alone: Arc<AtomicUsize>,
}

impl Postgres {
    /// Connects and migrates the database if necessary. What runs later runs on the current runtime.
    ///
    /// # Errors
    /// One line for the operator: what is wrong with which server, and what to do.
    pub async fn open(options: Options, now: Timestamp) -> Result<Self, OpenError> {
        let name = options.name();
        migrate::migrate(&options, &name, now).await?;
        let changes = changes::Changes::follow(options.clone());
        let grouping = Grouping::of(&options);
        let pool = Arc::new(pool::Pool::new(options, Arc::new(Figures::default())));
        let transactions = Arc::new(Transactions { pool, ring: OnceLock::new() });
        let (opening, answering) =
            (Lane::start(&transactions, grouping), Lane::start(&transactions, grouping));
        Ok(Self(Arc::new(Inner { name, transactions, opening, answering, changes, alone: Arc::default() })))
    }

    /// Hands over the key ring, from which on events can be chained. Only the first one counts: the key of the trail
    /// never changes.
    pub fn begin_trail(&self, ring: KeyRing) {
        drop(self.0.transactions.ring.set(ring));
    }

    /// The engine's figures.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        self.0.transactions.pool.figures()
    }

    /// Steps waiting now.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        self.0.opening.depth() + self.0.answering.depth() + self.0.alone.load(Relaxed)
    }

    /// Waits until another node, or this one, has changed what nodes hold in memory. It may be told once too often; and
    /// while its connection is lost it tells nothing, so that whoever follows changes has to look now and then too.
    pub(crate) async fn changed(&self) {
        self.0.changes.next().await;
    }

    /// Hosts and database, without user and password.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) async fn step<S: Step>(&self, step: S) -> Result<S::Out, Failure> {
        let asked = timing::now_if_asked();
        let (job, answer) = of_step(step);
        let taken = match S::COMPANY {
            Company::Opening => self.0.opening.submit(job),
            Company::Answering => self.0.answering.submit(job),
            Company::Alone => {
                self.spawn(job, |transactions, job| async move { transactions.serve_alone(job).await })
            }
        };
        taken.inspect_err(|_| {
            self.figures().refused.fetch_add(1, Relaxed);
        })?;
        let settled = confirmed(answer).await.and_then(|out| out);
        if let Some(asked) = asked {
            timing::note(asked, None, settled.is_ok());
        }
        settled
    }

    pub(crate) async fn query<Q: Query>(&self, query: Q) -> Result<Q::Out, Failure> {
        let (job, answer) = of_query(query);
        self.spawn(job, |transactions, job| async move { transactions.read(job).await })?;
        confirmed(answer).await?
    }

    pub(crate) async fn read_clock(
        &self,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> Result<ClockReading, Failure> {
        self.0.transactions.read_clock(clock).await
    }

    /// Runs a job in a task of its own: who asked may go away, and nothing is cut in half.
    fn spawn<F: Future<Output = ()> + Send + 'static>(
        &self,
        job: Box<dyn Job>,
        run: impl FnOnce(Arc<Transactions>, Box<dyn Job>) -> F,
    ) -> Result<(), Failure> {
        let alone = &self.0.alone;
        if alone.fetch_add(1, Relaxed) >= QUEUE_MAX {
            alone.fetch_sub(1, Relaxed);
            return Err(Failure::busy("the queue is full"));
        }
        let running = run(Arc::clone(&self.0.transactions), job);
        let alone = Arc::clone(alone);
        tokio::spawn(async move {
            running.await;
            alone.fetch_sub(1, Relaxed);
        });
        Ok(())
    }

    /// Takes nothing more. What is on its way ends by itself.
    pub fn close(&self) {
        self.0.opening.close();
        self.0.answering.close();
        self.0.changes.close();
        self.0.transactions.pool.close();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The tasks of the lanes hold the rest.
        self.opening.close();
        self.answering.close();
    }
}
