//! An operator's reset: a factor's count of wrong attempts returns to 0, and with it its lock or stop.

use super::{event_of_factor, user_of};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{CHARGE_USER, FIND_USER_OF_FACTOR, RESET_FACTOR},
    step::change_one,
};
use domain::{
    environment::Scope,
    event::{Actor, EventKind},
    id::FactorId,
    refusal::Refusal,
    time::Timestamp,
    user_budget::UserBudget,
};

/// The step. It touches neither the last step accepted nor any challenge: a used code stays used.
pub struct ResetFactor {
    /// In which environment.
    pub scope: Scope,
    /// By whom.
    pub actor: Actor,
    /// The time of the request.
    pub now: Timestamp,
    /// Which factor.
    pub factor: FactorId,
    /// Whether the budget of its user is emptied too.
    pub user_too: bool,
    /// Why.
    pub reason: String,
}

impl Step for ResetFactor {
    type Out = Result<(), Refusal>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Out, Failure> {
        let environment = self.scope.environment();
        let params = [Param::Bytes(self.factor.bytes()), Param::Bytes(environment.bytes())];
        let Some((user,)) = tx.one::<(Option<String>,)>(&FIND_USER_OF_FACTOR, &params).await? else {
            return Ok(Err(Refusal::FactorNotFound));
        };
        let user = user_of(user)?;
        change_one(tx, &RESET_FACTOR, &params).await?;
        let event =
            |kind| event_of_factor(self.scope, &self.actor, self.now, self.factor, user.as_ref(), kind);
        tx.record(event(EventKind::FactorReset(self.reason.clone())));
        if let (true, Some(user)) = (self.user_too, &user) {
            let none = UserBudget::default().to_bytes();
            let params = [Param::Bytes(environment.bytes()), Param::Text(user.as_str()), Param::Bytes(&none)];
            change_one(tx, &CHARGE_USER, &params).await?;
            tx.record(event(EventKind::UserReset(self.reason.clone())));
        }
        Ok(Ok(()))
    }
}
