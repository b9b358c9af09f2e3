//! Environments and their settings.

use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{CREATE_ENVIRONMENT, SET_SETTING, UNSET_SETTING},
    step::change_one,
};
use domain::{
    environment::{Mode, Scope},
    event::{Actor, Event, EventKind},
    id::EnvironmentId,
    time::Timestamp,
};

/// Creates an environment. Answers whether its name was free.
pub struct CreateEnvironment {
    /// The present time.
    pub now: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// Its id.
    pub id: EnvironmentId,
    /// Its name, checked.
    pub name: String,
    /// Test or live.
    pub mode: Mode,
    /// `client_…`
    pub client_id: String,
}

impl Step for CreateEnvironment {
    type Out = bool;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<bool, Failure> {
        let params = [
            Param::Bytes(self.id.bytes()),
            Param::Text(&self.name),
            Param::Text(self.mode.word()),
            Param::Text(&self.client_id),
        ];
        if tx.exec(&CREATE_ENVIRONMENT, &params).await? == 0 {
            return Ok(false);
        }
        tx.record(Event {
            at: self.now,
            environment: Some(self.id),
            actor: self.actor.clone(),
            kind: EventKind::EnvironmentCreated(self.name.clone()),
            factor: None,
            challenge: None,
            user: None,
        });
        Ok(true)
    }
}

/// Changes one setting, or returns it to its default.
pub struct ChangeSetting {
    /// The present time.
    pub now: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// Of which environment.
    pub scope: Scope,
    /// Its name.
    pub name: &'static str,
    /// Its new value, checked; `None` for the default.
    pub value: Option<String>,
}

impl Step for ChangeSetting {
    type Out = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<(), Failure> {
        let environment = self.scope.environment();
        let key = [Param::Bytes(environment.bytes()), Param::Text(self.name)];
        match &self.value {
            None => drop(tx.exec(&UNSET_SETTING, &key).await?),
            Some(value) => {
                let [environment, name] = key;
                change_one(tx, &SET_SETTING, &[environment, name, Param::Text(value)]).await?;
            }
        }
        let shown = self.value.clone().unwrap_or_else(|| "default".into());
        tx.record(Event {
            at: self.now,
            environment: Some(environment),
            actor: self.actor.clone(),
            kind: EventKind::SettingChanged(self.name, shown),
            factor: None,
            challenge: None,
            user: None,
        });
        Ok(())
    }
}
