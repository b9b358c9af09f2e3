//! What an operator may do, from the command line. Every act is recorded with who did it.

use crate::{App, Failure};
use domain::{
    environment::{ApiKey, Environment, Mode, Permissions, Scope},
    event::Actor,
    id::{ApiKeyId, EnvironmentId, FactorId},
    refusal::Refusal,
    settings::{SettingError, Settings},
    text::has_control,
    time::Timestamp,
};
use secrets::{ApiKeyText, KeyMode, KeyRing, KeyRingError, MasterKey, client_id};
use std::sync::{Arc, PoisonError};
use store::{
    queries::ReadDataKeys,
    steps::{
        api_keys::{CreateApiKey, RevokeApiKey},
        data_keys::{AddDataKey, Reseal, Resealed, RetireDataKeys, RewrapDataKeys},
        environments::{ChangeSetting, CreateEnvironment},
        erase_environment::EraseEnvironment,
        reset_factor::ResetFactor,
        touch::{PassAnswering, PassOpening, Touch},
    },
    trail::{ChainEnd, ReadTrail, TrailPage},
};

/// Characters of an environment's or a key's name at most.
const NAME_MAX: usize = 64;
/// Rows re-sealed in one step.
const RESEAL_BITE: u32 = 200;

/// Why an act was not done: a line for the operator, or a failure.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// What was asked cannot be done; says why and what to do.
    #[error("{0}")]
    Refused(String),
    /// The store's.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The setting's.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The key ring's.
    #[error(transparent)]
    KeyRing(#[from] KeyRingError),
}

fn refused<T>(why: impl Into<String>) -> Result<T, OperatorError> {
    Err(OperatorError::Refused(why.into()))
}

fn checked_name(what: &str, name: &str) -> Result<String, OperatorError> {
    let name = name.trim();
    let usable = !name.is_empty()
        && name.chars().count() <= NAME_MAX
        && !has_control(name)
        && name.chars().any(|c| c != ':' && !c.is_whitespace());
    if usable {
        Ok(name.to_owned())
    } else {
        refused(format!(
            "the {what}'s name must be 1 to {NAME_MAX} characters, not only colons, without control characters"
        ))
    }
}

/// How far re-sealing has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resealing {
    /// Rows looked at.
    pub seen: u64,
    /// Rows sealed anew.
    pub changed: u64,
}

impl App {
    /// All environments, in the order of their creation.
    #[must_use]
    pub fn environments(&self) -> Vec<Arc<Environment>> {
        self.index().environments.clone()
    }

    /// An environment by its name or id.
    ///
    /// # Errors
    /// When there is none; says which there are.
    pub fn environment(&self, name_or_id: &str) -> Result<Arc<Environment>, OperatorError> {
        let index = self.index();
        let id = EnvironmentId::parse(name_or_id);
        let found = index.environments.iter().find(|e| e.name == name_or_id || Some(e.id) == id);
        found.cloned().ok_or_else(|| {
            let names: Vec<_> = index.environments.iter().take(20).map(|e| e.name.as_str()).collect();
            let names = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
            OperatorError::Refused(format!("there is no environment of that name; there are: {names}"))
        })
    }

    /// Creates an environment.
    ///
    /// # Errors
    /// When the name is taken or cannot be one.
    pub async fn create_environment(
        &self,
        actor: Actor,
        name: &str,
        mode: Mode,
    ) -> Result<Arc<Environment>, OperatorError> {
        let name = checked_name("environment", name)?;
        let (id, now) = self.mint()?;
        let client_id = client_id(self.entropy().as_ref()).map_err(Failure::from)?;
        let id = EnvironmentId::from_bytes(id);
        let step = CreateEnvironment { now, actor, id, name: name.clone(), mode, client_id };
        if !self.store().step(step).await? {
            return refused(format!("there is an environment called {name} already"));
        }
        self.reload_directory().await?;
        self.environment(&name)
    }

    /// Creates an API key. Its text is returned this once and kept nowhere.
    ///
    /// # Errors
    /// When its name cannot be one, or it would end before now.
    pub async fn create_api_key(
        &self,
        actor: Actor,
        environment: &Environment,
        name: &str,
        permissions: Permissions,
        expires_at: Option<Timestamp>,
    ) -> Result<(ApiKeyId, ApiKeyText), OperatorError> {
        let mode = match environment.mode {
            Mode::Test => KeyMode::Test,
            Mode::Live => KeyMode::Live,
        };
        let text = ApiKeyText::generate(self.entropy().as_ref(), mode).map_err(Failure::from)?;
        let id = self.add_api_key(actor, environment, name, &text, permissions, expires_at).await?;
        match id {
            Some(id) => Ok((id, text)),
            None => refused("the generator repeated a key; try again"),
        }
    }

    /// Adds a key with a given text, as dev mode does. Answers `None` if it is there already.
    ///
    /// # Errors
    /// As for a new one.
    pub async fn add_api_key(
        &self,
        actor: Actor,
        environment: &Environment,
        name: &str,
        text: &ApiKeyText,
        permissions: Permissions,
        expires_at: Option<Timestamp>,
    ) -> Result<Option<ApiKeyId>, OperatorError> {
        let name = checked_name("key", name)?;
        let (id, now) = self.mint()?;
        if expires_at.is_some_and(|at| at <= now) {
            return refused("the key would end before it begins; give a time that lies ahead");
        }
        let id = ApiKeyId::from_bytes(id);
        let created = self
            .store()
            .step(CreateApiKey {
                now,
                actor,
                id,
                environment: environment.id,
                name,
                hint: text.hint(),
                digest: text.digest(&self.ring()),
                permissions,
                expires_at,
            })
            .await?;
        self.reload_directory().await?;
        Ok(created.then_some(id))
    }

    /// All API keys of an environment, in the order of their creation.
    #[must_use]
    pub fn api_keys(&self, environment: &Environment) -> Vec<ApiKey> {
        let index = self.index();
        let of_environment = index.by_digest.values().filter(|e| e.key.environment == environment.id);
        let mut keys: Vec<_> = of_environment.map(|e| e.key.clone()).collect();
        keys.sort_by_key(|key| key.id);
        keys
    }

    /// Revokes an API key by its id. It is refused from the next request on.
    ///
    /// # Errors
    /// When there is none, or it is revoked already.
    pub async fn revoke_api_key(&self, actor: Actor, id: &str) -> Result<ApiKey, OperatorError> {
        let parsed = ApiKeyId::parse(id);
        let index = self.index();
        let Some(entry) = index.by_digest.values().find(|e| Some(e.key.id) == parsed) else {
            return refused("there is no API key with that id; `api-key list` shows them");
        };
        let key = entry.key.clone();
        let now = self.now()?;
        let step =
            RevokeApiKey { now, actor, id: key.id, environment: key.environment, hint: key.hint.clone() };
        let revoked = self.store().step(step).await?;
        self.reload_directory().await?;
        if revoked { Ok(key) } else { refused("that API key is revoked already") }
    }

    /// Changes a setting, or returns it to its default if `value` is `None`. Answers the settings after it.
    ///
    /// # Errors
    /// When there is no such setting, or the value is not one it can have.
    pub async fn change_setting(
        &self,
        actor: Actor,
        environment: &Environment,
        name: &str,
        value: Option<&str>,
    ) -> Result<Settings, OperatorError> {
        let spec = domain::settings::catalogue().iter().find(|spec| spec.name == name);
        let mut settings = environment.settings.clone();
        settings.set(name, value.or(spec.map(|s| s.default_text)).unwrap_or_default())?;
        let Some(spec) = spec else { return refused("there is no such setting") };
        let value = value.and_then(|_| settings.get(name));
        let now = self.now()?;
        let scope = Scope::of_operator(environment);
        self.store().step(ChangeSetting { now, actor, scope, name: spec.name, value }).await?;
        self.reload_directory().await?;
        Ok(settings)
    }

    /// Sets a factor's count of wrong attempts to 0, and empties its user's budget if `user_too`.
    ///
    /// # Errors
    /// The store's.
    pub async fn reset_factor(
        &self,
        actor: Actor,
        environment: &Environment,
        factor: FactorId,
        user_too: bool,
        reason: String,
    ) -> Result<Result<(), Refusal>, Failure> {
        let (scope, now) = (Scope::of_operator(environment), self.now()?);
        self.store().step(ResetFactor { scope, actor, now, factor, user_too, reason }).await
    }

    /// Makes a new data key, which seals from now on, or on a shared database once it has settled
    /// ([`App::reload_key_ring`] sees to that). What older keys sealed still opens; [`App::reseal`] moves it.
    ///
    /// # Errors
    /// When the master key is not this ring's.
    pub async fn rotate_keys(&self, actor: Actor, master: &MasterKey) -> Result<u32, OperatorError> {
        let now = self.now()?;
        let (ring, key) = self.ring().with_new_seal_key(self.entropy().as_ref(), master, now.millis())?;
        let id = key.id;
        let was_active = self.ring().active_seal_key();
        self.store().step(AddDataKey { now, actor, key }).await?;
        let ring = if self.is_shared() { ring.sealing_with(was_active).unwrap_or(ring) } else { ring };
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(id)
    }

    /// Seals everything with the newest key, in bites, while serving; then retires the older keys.
    ///
    /// # Errors
    /// The store's. It may be run again.
    pub async fn reseal(&self, progress: &(dyn Fn(Resealing) + Send + Sync)) -> Result<Resealing, Failure> {
        let ring = self.ring();
        let mut done = Resealing::default();
        for what in [Resealed::Factors, Resealed::Deliveries] {
            let mut after = [0; 16];
            loop {
                let entropy = Arc::clone(self.entropy());
                let step = Reseal { what, after, most: RESEAL_BITE, ring: ring.clone(), entropy };
                let bite = self.store().step(step).await?;
                done.seen += u64::from(bite.seen);
                done.changed += u64::from(bite.changed);
                progress(done);
                match bite.last {
                    Some(last) => after = last,
                    None => break,
                }
            }
        }
        let ids = ring.seal_key_ids().into_iter().filter(|id| *id != ring.active_seal_key());
        self.store().step(RetireDataKeys { ids: ids.map(|id| id.0).collect() }).await?;
        Ok(done)
    }

    /// Wraps the data keys with another master key. Nothing sealed or digested changes.
    ///
    /// # Errors
    /// When `old` is not this store's master key.
    pub async fn rewrap_keys(
        &self,
        actor: Actor,
        old: &MasterKey,
        new: &MasterKey,
    ) -> Result<usize, OperatorError> {
        let records = self.store().query(ReadDataKeys).await?;
        let keys = KeyRing::rewrap(&records, old, new, self.entropy().as_ref())?;
        let (count, ring, now) = (keys.len(), KeyRing::open(new, &keys)?, self.now()?);
        self.store().step(RewrapDataKeys { now, actor, keys }).await?;
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(count)
    }

    /// The wrapped data keys, for a status.
    ///
    /// # Errors
    /// The store's.
    pub async fn data_keys(&self) -> Result<Vec<secrets::KeyRecord>, Failure> {
        self.store().query(ReadDataKeys).await
    }

    /// A page of the trail, each link checked.
    ///
    /// # Errors
    /// The store's.
    pub async fn read_trail(&self, after: ChainEnd, limit: u32) -> Result<TrailPage, Failure> {
        self.store().query(ReadTrail { after, limit, ring: self.ring() }).await
    }

    /// Makes a commit, and goes the way of challenges that are opened and answered, to see whether they come through.
    ///
    /// # Errors
    /// When it does not.
    pub async fn prove_commit(&self) -> Result<(), Failure> {
        let now = self.now()?;
        let store = self.store();
        let (touched, opening, answering) =
            tokio::join!(store.step(Touch { now }), store.step(PassOpening), store.step(PassAnswering));
        touched.and(opening).and(answering)
    }

    /// Erases what dev mode's reset erases.
    ///
    /// # Errors
    /// The store's.
    pub async fn erase(&self, scope: Scope, actor: Actor) -> Result<(), Failure> {
        let now = self.now()?;
        self.store().step(EraseEnvironment { scope, actor, now }).await
    }
}
