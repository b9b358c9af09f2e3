//! A commit for its own sake: readiness is the ability to make one.

use crate::{Failure, Step, Tx, columns::Param, statements::TOUCH};
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
