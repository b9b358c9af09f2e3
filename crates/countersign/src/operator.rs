//! What commands ask for, and the one function that does it: in the running server, or in the command itself.

mod challenges;
mod environments;
mod events;
mod factors;
mod guard;
mod keys;
mod request;
mod shown;
mod since;

pub(crate) use request::{Request, WantedEvents, WantedKey};
pub(crate) use since::Since;

use crate::{house::House, masters::Masters};
use app::{App, operator::OperatorError};
use domain::{environment::Environment, event::Actor};
use serde_json::Value;
use std::{path::PathBuf, sync::Arc};

/// Does what operators ask. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Operator {
    app: App,
    masters: Arc<Masters>,
    folder: PathBuf,
}

/// What there is to show, or why it was not done.
type Outcome = Result<Value, String>;

/// An error as a line.
fn line(e: impl std::fmt::Display) -> String {
    e.to_string()
}

impl Operator {
    /// The operator of an open store.
    pub(crate) fn of(house: &House) -> Self {
        Self { app: house.app.clone(), masters: Arc::clone(&house.masters), folder: house.path() }
    }

    /// Does it. Once begun, it goes on to its end, also if whoever asked goes away.
    ///
    /// # Errors
    /// A line for the operator.
    pub(crate) async fn execute(&self, request: Request, actor: Actor) -> Outcome {
        let operator = self.clone();
        let done = tokio::spawn(async move { operator.run(request, actor).await });
        done.await.unwrap_or_else(|_| Err("the command broke; its error is in the log".into()))
    }

    async fn run(self, request: Request, actor: Actor) -> Outcome {
        use Request as R;
        match request {
            R::ListEnvironments => self.list_environments(),
            R::CreateEnvironment { name, live } => self.create_environment(actor, &name, live).await,
            R::ListApiKeys { environment } => self.list_api_keys(environment.as_deref()),
            R::CreateApiKey(wanted) => self.create_api_key(actor, wanted).await,
            R::RevokeApiKey { id } => self.revoke_api_key(actor, &id).await,
            R::ListSettings { environment } => self.list_settings(environment.as_deref()),
            R::GetSetting { environment, name } => self.get_setting(environment.as_deref(), &name),
            R::SetSetting { environment, name, value } => {
                self.set_setting(actor, environment.as_deref(), &name, value.as_deref()).await
            }
            R::ShowFactor { environment, factor } => self.show_factor(environment.as_deref(), &factor).await,
            R::ShowChallenge { environment, challenge } => {
                self.show_challenge(environment.as_deref(), &challenge).await
            }
            R::ListFactors { environment, user } => self.list_factors(environment.as_deref(), &user).await,
            R::ResetFactor { environment, factor, user_too, reason } => {
                self.reset_factor(actor, environment.as_deref(), &factor, user_too, reason).await
            }
            R::DeleteFactor { environment, factor, reason } => {
                self.delete_factor(actor, environment.as_deref(), &factor, reason).await
            }
            R::ListEvents(wanted) => self.list_events(&wanted).await,
            R::VerifyEvents => self.verify_events().await,
            R::RotateKeys => self.rotate_keys(actor).await,
            R::RewrapKeys { new_key_file } => self.rewrap_keys(actor, &new_key_file).await,
            R::KeysStatus => self.keys_status().await,
            R::Backup { target } => self.backup(target).await,
            R::SetReplayFloor { reason } => self.set_replay_floor(actor, reason).await,
            R::Migrate => self.migrate(),
            R::GuardStatus { environment, rules } => {
                self.guard_status(environment.as_deref(), rules.as_deref()).await
            }
            R::RehearseGuard { environment, since_seconds, rules } => {
                self.rehearse_guard(environment.as_deref(), since_seconds, &rules).await
            }
        }
    }

    /// The environment of that name or id; without one, the only one there is.
    fn environment(&self, named: Option<&str>) -> Result<Arc<Environment>, String> {
        if let Some(named) = named {
            return self.app.environment(named).map_err(|e: OperatorError| e.to_string());
        }
        match self.app.environments().as_slice() {
            [] => {
                Err("there is no environment yet; make one with `countersign environment create NAME`".into())
            }
            [only] => Ok(Arc::clone(only)),
            several => {
                let names: Vec<_> = several.iter().take(20).map(|e| e.name.as_str()).collect();
                Err(format!("name the environment with --environment; there are: {}", names.join(", ")))
            }
        }
    }
}
