//! Deleting a factor. Final: its challenges can no longer be answered, and its messages no longer go out.

use super::{event_of_factor, user_of};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{DELETE_FACTOR, FIND_USER_OF_FACTOR},
    step::change_one,
};
use domain::{
    environment::Scope,
    event::{Actor, EventKind},
    id::FactorId,
    refusal::Refusal,
    time::Timestamp,
};

/// The step. Challenges of the factor are found through it, so they are gone with it; their rows go with the purge.
pub struct DeleteFactor {
    /// In which environment.
    pub scope: Scope,
    /// By whom.
    pub actor: Actor,
    /// The time of the request.
    pub now: Timestamp,
    /// Which factor.
    pub factor: FactorId,
    /// Why, if an operator does it.
    pub reason: Option<String>,
}

impl Step for DeleteFactor {
    type Out = Result<(), Refusal>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Out, Failure> {
        let environment = self.scope.environment();
        let params = [Param::Bytes(self.factor.bytes()), Param::Bytes(environment.bytes())];
        let Some((user,)) = tx.one::<(Option<String>,)>(&FIND_USER_OF_FACTOR, &params).await? else {
            return Ok(Err(Refusal::FactorNotFound));
        };
        let user = user_of(user)?;
        change_one(tx, &DELETE_FACTOR, &params).await?;
        let deleted = EventKind::FactorDeleted(self.reason.clone());
        tx.record(event_of_factor(self.scope, &self.actor, self.now, self.factor, user.as_ref(), deleted));
        Ok(Ok(()))
    }
}
