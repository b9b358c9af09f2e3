//! A commit for its own sake: readiness is the ability to make one.

use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{LAST_TOUCH, TOUCH},
    step::Company,
};
use domain::time::Timestamp;

/// The step: one row is rewritten, so the commit has something to sync.
pub struct Touch {
    /// The present time.
    pub now: Timestamp,
}

impl Step for Touch {
    type Out = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<(), Failure> {
        tx.exec(&TOUCH, &[Param::Int(self.now.millis())]).await.map(drop)
    }
}

/// A way through where challenges are opened. It writes nothing, for a write of many nodes to one row would hold them up.
pub struct PassOpening;

/// A way through where challenges are answered.
pub struct PassAnswering;

async fn pass<T: Tx>(tx: &mut T) -> Result<(), Failure> {
    tx.one::<(i64,)>(&LAST_TOUCH, &[]).await.map(drop)
}

impl Step for PassOpening {
    type Out = ();

    const COMPANY: Company = Company::Opening;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<(), Failure> {
        pass(tx).await
    }
}

impl Step for PassAnswering {
    type Out = ();

    const COMPANY: Company = Company::Answering;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<(), Failure> {
        pass(tx).await
    }
}
