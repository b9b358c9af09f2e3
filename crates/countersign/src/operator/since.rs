//! What a replaced database's trail says of the time after the backup that replaces it: read there, redone here.

use super::{Operator, Outcome, events::PAGE, line};
use domain::{
    environment::Scope,
    event::Actor,
    id::{EnvironmentId, FactorId},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::trail::ChainEnd;

/// Why the trail has an entry about something redone.
const REDONE: &str = "done after the backup, and redone when it was restored";

/// What happened after a backup.
#[derive(Default)]
pub(crate) struct Since {
    /// How often, by the name of the event.
    counts: BTreeMap<String, u64>,
    deleted: Vec<(EnvironmentId, FactorId)>,
    /// The environment, and the hint of the key.
    revoked: Vec<(EnvironmentId, String)>,
}

impl Operator {
    /// Where the trail ends, every link of it checked.
    pub(crate) async fn trail_end(&self) -> Result<ChainEnd, String> {
        match self.walk(ChainEnd::default(), drop).await? {
            (end, None) => Ok(end),
            (_, Some(at)) => Err(super::events::broken(at)),
        }
    }

    /// Whether the trail goes through this place: its number and mac.
    async fn goes_through(&self, place: ChainEnd) -> Result<bool, String> {
        let mut end = ChainEnd::default();
        while end.seq < place.seq {
            let left = u32::try_from(place.seq - end.seq).unwrap_or(u32::MAX);
            let page = self.app.read_trail(end, left.min(PAGE)).await.map_err(line)?;
            if page.end == end || page.broken_at.is_some() {
                return Ok(false);
            }
            end = page.end;
        }
        Ok(end == place)
    }

    /// What happened after `end`, which must be a place in this trail.
    pub(crate) async fn since(&self, end: ChainEnd) -> Result<Since, String> {
        if !self.goes_through(end).await? {
            return Err("the database that is replaced is not a later state of this backup".to_owned());
        }
        let mut since = Since::default();
        let (_, broken_at) = self
            .walk(end, |entry| {
                *since.counts.entry(entry.kind.clone()).or_default() += 1;
                let environment = entry.environment.map(EnvironmentId::from_bytes);
                match (entry.kind.as_str(), environment, entry.factor) {
                    ("factor.deleted" | "factor.purged", Some(environment), Some(factor)) => {
                        since.deleted.push((environment, FactorId::from_bytes(factor)));
                    }
                    ("api_key.revoked", Some(environment), _) => {
                        let detail = entry.detail.and_then(|d| serde_json::from_str::<Value>(&d).ok());
                        if let Some(hint) = detail.as_ref().and_then(|d| d["key"].as_str()) {
                            since.revoked.push((environment, hint.to_owned()));
                        }
                    }
                    _ => {}
                }
            })
            .await?;
        match broken_at {
            None => Ok(since),
            Some(at) => Err(super::events::broken(at)),
        }
    }

    /// Deletes and revokes again what is here and was deleted or revoked there. Answers that, and what else happened.
    pub(crate) async fn redo(&self, since: &Since, actor: Actor) -> Outcome {
        let (mut deleted, mut revoked) = (Vec::new(), Vec::new());
        for (environment, factor) in &since.deleted {
            // What is not here was enrolled after the backup.
            let Ok(environment) = self.app.environment(&environment.to_string()) else { continue };
            let scope = Scope::of_operator(&environment);
            let done = self.app.delete_factor(scope, actor.clone(), *factor, Some(REDONE.into())).await;
            if done.map_err(line)?.is_ok() {
                deleted.push(factor.to_string());
            }
        }
        for (environment, hint) in &since.revoked {
            let Ok(environment) = self.app.environment(&environment.to_string()) else { continue };
            for key in self.app.api_keys(&environment) {
                if key.hint == *hint && key.revoked_at.is_none() {
                    self.app.revoke_api_key(actor.clone(), &key.id.to_string()).await.map_err(line)?;
                    revoked.push(key.id.to_string());
                }
            }
        }
        Ok(
            json!({ "factors_deleted_again": deleted, "api_keys_revoked_again": revoked, "events": since.counts }),
        )
    }
}
