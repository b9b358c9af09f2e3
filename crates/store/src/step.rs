//! What a step is, and what it may use.

use crate::{
    Failure,
    columns::{FromRow, Param},
    statement::Statement,
};
use domain::event::Event;
use std::{future::Future, sync::Arc};

/// One durable change, whole or not at all.
///
/// A step gets everything it needs as inputs; inside, it reads no clock and awaits nothing but its transaction. It may
/// be run more than once: when another step of its batch breaks, the batch is rolled back and its steps run again one
/// by one. A refusal is an `Ok` value: what the step has written by then stays.
pub trait Step: Send + Sync + 'static {
    /// What it comes to.
    type Out: Send + 'static;

    /// With whom it may share a transaction on an engine with several writers.
    const COMPANY: Company = Company::Alone;

    /// Runs it.
    ///
    /// # Errors
    /// A failure; then nothing of it was written.
    fn run<T: Tx>(&self, tx: &mut T) -> impl Future<Output = Result<Self::Out, Failure>> + Send;
}

/// With whom a step may share a transaction. Such steps take their locks, in the order of [`Subject`], before they write
/// anything: one that meets another's lock is put back to its beginning.
///
/// [`Subject`]: crate::statement::Subject
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// With nobody.
    Alone,
    /// With others that open a challenge.
    Opening,
    /// With others that answer one.
    Answering,
}

/// A shared step, for whoever may have to run the same one again.
impl<S: Step> Step for Arc<S> {
    type Out = S::Out;

    const COMPANY: Company = S::COMPANY;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Out, Failure> {
        self.as_ref().run(tx).await
    }
}

/// Something that only reads, on one snapshot.
pub trait Query: Send + Sync + 'static {
    /// What it comes to.
    type Out: Send + 'static;

    /// Runs it.
    ///
    /// # Errors
    /// A failure.
    fn run<R: Reads>(&self, reads: &mut R) -> impl Future<Output = Result<Self::Out, Failure>> + Send;
}

/// Reading rows.
pub trait Reads: Send {
    /// The row, if there is one. More than one is a failure of the statement, and not looked for.
    fn one<R: FromRow + Send>(
        &mut self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<Option<R>, Failure>> + Send;

    /// All rows. The statement bounds how many.
    fn many<R: FromRow + Send>(
        &mut self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<Vec<R>, Failure>> + Send;
}

/// A transaction: reads, writes, and what the trail is owed.
pub trait Tx: Reads {
    /// Runs a statement; the count of rows that it changed decides whatever depends on it.
    fn exec(
        &mut self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// Puts an entry into the trail, in the same transaction.
    fn record(&mut self, event: Event);
}

/// A statement that must change exactly one row: anything else means that what was read no longer holds.
///
/// # Errors
/// The statement's own failure, or that.
pub(crate) async fn change_one<T: Tx>(
    tx: &mut T,
    statement: &'static Statement,
    params: &[Param<'_>],
) -> Result<(), Failure> {
    match tx.exec(statement, params).await? {
        1 => Ok(()),
        n => Err(Failure::internal(format!("{} changed {n} rows", statement.name))),
    }
}
