//! A step or query that waits, with the place for its answer.

use super::desk::Desk;
use crate::{Failure, Query, Step};
use domain::event::Event;
use std::{
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// One run of a job: what it owes the trail, or how it broke.
pub(super) type Run<'j> = Pin<Box<dyn Future<Output = Result<Vec<Event>, Failure>> + Send + 'j>>;

/// May be run more than once; answered once.
pub(super) trait Job: Send + Sync {
    fn run(&self, desk: Desk) -> Run<'_>;
    /// Answers: with what the last run came to if that is durable, else with the failure.
    fn settle(self: Box<Self>, durable: Result<(), Failure>);
}

type Answer<T> = oneshot::Sender<Result<T, Failure>>;

/// What a job came to, and who waits for it.
struct Place<T> {
    out: Mutex<Option<T>>,
    answer: Answer<T>,
}

impl<T> Place<T> {
    fn put(&self, out: T) {
        *self.out.lock().unwrap_or_else(PoisonError::into_inner) = Some(out);
    }

    fn settle(self, durable: Result<(), Failure>) {
        let out = self.out.into_inner().unwrap_or_else(PoisonError::into_inner);
        let out = durable.and_then(|()| out.ok_or_else(|| Failure::internal("a step has no outcome")));
        // Whoever asked may be gone; the step is done all the same.
        drop(self.answer.send(out));
    }
}

struct StepJob<S: Step> {
    step: S,
    place: Place<S::Out>,
}

impl<S: Step> Job for StepJob<S> {
    fn run(&self, mut desk: Desk) -> Run<'_> {
        Box::pin(async move {
            let out = self.step.run(&mut desk).await?;
            self.place.put(out);
            Ok(desk.recorded)
        })
    }

    fn settle(self: Box<Self>, durable: Result<(), Failure>) {
        self.place.settle(durable);
    }
}

struct QueryJob<Q: Query> {
    query: Q,
    place: Place<Q::Out>,
}

impl<Q: Query> Job for QueryJob<Q> {
    fn run(&self, mut desk: Desk) -> Run<'_> {
        Box::pin(async move {
            let out = self.query.run(&mut desk).await?;
            self.place.put(out);
            Ok(Vec::new())
        })
    }

    fn settle(self: Box<Self>, durable: Result<(), Failure>) {
        self.place.settle(durable);
    }
}

/// A job, and where its answer will be.
type Waiting<T> = (Box<dyn Job>, oneshot::Receiver<Result<T, Failure>>);

pub(super) fn of_step<S: Step>(step: S) -> Waiting<S::Out> {
    let (answer, receiver) = oneshot::channel();
    (Box::new(StepJob { step, place: Place { out: Mutex::default(), answer } }), receiver)
}

pub(super) fn of_query<Q: Query>(query: Q) -> Waiting<Q::Out> {
    let (answer, receiver) = oneshot::channel();
    (Box::new(QueryJob { query, place: Place { out: Mutex::default(), answer } }), receiver)
}
