//! API keys: created, revoked, used.

use super::{at, maybe_at};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{CREATE_API_KEY, REVOKE_API_KEY, USE_API_KEY},
};
use domain::{
    environment::Permissions,
    event::{Actor, Event, EventKind},
    id::{ApiKeyId, EnvironmentId},
    time::Timestamp,
};
use secrets::Digest;

fn event(at: Timestamp, environment: EnvironmentId, actor: &Actor, kind: EventKind) -> Event {
    let environment = Some(environment);
    Event { at, environment, actor: actor.clone(), kind, factor: None, challenge: None, user: None }
}

/// Creates a key. Answers whether it was new: an equal key, or id, is left as it is.
pub struct CreateApiKey {
    /// The present time.
    pub now: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// The record's id.
    pub id: ApiKeyId,
    /// Whose key.
    pub environment: EnvironmentId,
    /// What the operator calls it.
    pub name: String,
    /// First and last characters.
    pub hint: String,
    /// What finds the record.
    pub digest: Digest,
    /// What it may do.
    pub permissions: Permissions,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

impl Step for CreateApiKey {
    type Out = bool;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<bool, Failure> {
        let permissions = self.permissions.words();
        let params = [
            Param::Bytes(self.id.bytes()),
            Param::Bytes(self.environment.bytes()),
            Param::Text(&self.name),
            Param::Text(&self.hint),
            Param::Bytes(self.digest.as_bytes()),
            Param::Text(&permissions),
            maybe_at(self.expires_at),
        ];
        let created = tx.exec(&CREATE_API_KEY, &params).await? == 1;
        if created {
            let kind = EventKind::ApiKeyCreated(self.hint.clone());
            tx.record(event(self.now, self.environment, &self.actor, kind));
        }
        Ok(created)
    }
}

/// Revokes a key. Answers whether it was not revoked before.
pub struct RevokeApiKey {
    /// The present time.
    pub now: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// Which record.
    pub id: ApiKeyId,
    /// Whose key.
    pub environment: EnvironmentId,
    /// First and last characters.
    pub hint: String,
}

impl Step for RevokeApiKey {
    type Out = bool;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<bool, Failure> {
        let params = [Param::Bytes(self.id.bytes()), Param::Bytes(self.environment.bytes()), at(self.now)];
        let revoked = tx.exec(&REVOKE_API_KEY, &params).await? == 1;
        if revoked {
            let kind = EventKind::ApiKeyRevoked(self.hint.clone());
            tx.record(event(self.now, self.environment, &self.actor, kind));
        }
        Ok(revoked)
    }
}

/// Notes when keys were last used. Gathered and written now and then: no request waits for it.
pub struct UseApiKeys {
    /// Which, and when.
    pub used: Vec<(ApiKeyId, Timestamp)>,
}

impl Step for UseApiKeys {
    type Out = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<(), Failure> {
        for (id, when) in &self.used {
            tx.exec(&USE_API_KEY, &[Param::Bytes(id.bytes()), at(*when)]).await?;
        }
        Ok(())
    }
}
