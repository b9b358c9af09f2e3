//! Who is calling: API keys and their environments, held in memory and read anew after each change.

use crate::{App, rate::RateWindow};
use domain::{
    environment::{ApiKey, Environment, Permission, Scope},
    time::Timestamp,
};
use secrets::ApiKeyText;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};
use store::{Failure, queries::Directory};

/// A key with what is counted for it.
pub(crate) struct KeyEntry {
    pub(crate) key: ApiKey,
    pub(crate) environment: Arc<Environment>,
    rate: Mutex<RateWindow>,
    /// In milliseconds; 0 if not used since it was last written.
    pub(crate) used_at: AtomicI64,
}

/// Everything by which a caller is known.
#[derive(Default)]
pub(crate) struct Index {
    pub(crate) environments: Vec<Arc<Environment>>,
    pub(crate) by_digest: HashMap<[u8; 32], Arc<KeyEntry>>,
}

impl Index {
    /// The index of what has been read; counts of keys that stay are taken over.
    pub(crate) fn of(directory: Directory, before: &Self) -> Self {
        let environments: Vec<_> = directory.environments.into_iter().map(Arc::new).collect();
        let mut by_digest = HashMap::with_capacity(directory.keys.len());
        for row in directory.keys {
            let Some(environment) = environments.iter().find(|e| e.id == row.key.environment) else {
                continue;
            };
            let old = before.by_digest.get(&row.digest);
            let rate =
                old.map(|o| std::mem::take(&mut *o.rate.lock().unwrap_or_else(PoisonError::into_inner)));
            let entry = KeyEntry {
                key: row.key,
                environment: Arc::clone(environment),
                rate: Mutex::new(rate.unwrap_or_default()),
                used_at: AtomicI64::new(old.map_or(0, |o| o.used_at.load(Relaxed))),
            };
            by_digest.insert(row.digest, Arc::new(entry));
        }
        Self { environments, by_digest }
    }
}

/// Whoever makes the present request, after its API key has been accepted.
#[derive(Clone)]
pub struct Caller(pub(crate) Arc<KeyEntry>);

impl Caller {
    /// The environment it acts for.
    #[must_use]
    pub fn environment(&self) -> &Arc<Environment> {
        &self.0.environment
    }

    /// The scope that its key proves.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::of_key(&self.0.key)
    }

    /// The key's record.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.0.key
    }

    /// Whether the key may do this.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.0.key.permissions.allow(permission)
    }

    /// Counts a request against the key's rate.
    ///
    /// # Errors
    /// Seconds to wait, 1 to 5.
    pub fn admit(&self, now: Timestamp) -> Result<(), u32> {
        let limit = self.0.environment.settings.rate_limit;
        self.0.rate.lock().unwrap_or_else(PoisonError::into_inner).admit(limit, now)
    }
}

impl App {
    /// The caller that an API key proves; `None` if it is malformed, mistyped, unknown, revoked or expired, without a
    /// difference.
    #[must_use]
    pub fn authenticate(&self, key: &str, now: Timestamp) -> Option<Caller> {
        let key = if self.0.options.lenient_keys {
            ApiKeyText::parse_lenient(key)
        } else {
            ApiKeyText::parse(key)
        }?;
        let digest = key.digest(&self.ring());
        let entry = self.index().by_digest.get(digest.as_bytes()).cloned()?;
        if !entry.key.is_accepted(now) {
            return None;
        }
        entry.used_at.store(now.millis(), Relaxed);
        Some(Caller(entry))
    }

    /// Reads environments and keys anew, after a change here or on another node.
    ///
    /// # Errors
    /// The store's; then what was known stays.
    pub async fn reload_directory(&self) -> Result<(), Failure> {
        // One at a time: what was read first must not replace what was read later.
        let _turn = self.0.reloading.lock().await;
        let directory = self.0.store.query(store::queries::ReadDirectory).await?;
        let mut index = self.0.index.write().unwrap_or_else(PoisonError::into_inner);
        *index = Arc::new(Index::of(directory, &index));
        Ok(())
    }
}
