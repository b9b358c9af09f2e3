//! Dev mode's reset: everything of one environment but its keys, settings and trail.

use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{
        ERASE_ANSWERS, ERASE_CHALLENGES, ERASE_DELIVERIES, ERASE_FACTORS, ERASE_SENDS, ERASE_SPEND,
        ERASE_USER_BUDGETS,
    },
};
use domain::{
    environment::Scope,
    event::{Actor, Event, EventKind},
    time::Timestamp,
};

/// The step. Only dev mode has a way to it.
pub struct EraseEnvironment {
    /// Which.
    pub scope: Scope,
    /// By whom.
    pub actor: Actor,
    /// The present time.
    pub now: Timestamp,
}

impl Step for EraseEnvironment {
    type Out = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<(), Failure> {
        let environment = self.scope.environment();
        for statement in [
            &ERASE_FACTORS,
            &ERASE_CHALLENGES,
            &ERASE_USER_BUDGETS,
            &ERASE_SENDS,
            &ERASE_SPEND,
            &ERASE_DELIVERIES,
            &ERASE_ANSWERS,
        ] {
            tx.exec(statement, &[Param::Bytes(environment.bytes())]).await?;
        }
        tx.record(Event {
            at: self.now,
            environment: Some(environment),
            actor: self.actor.clone(),
            kind: EventKind::DevReset,
            factor: None,
            challenge: None,
            user: None,
        });
        Ok(())
    }
}
