//! The application: what every use case needs, put together once.

use crate::{ClockGuard, Dispatcher, directory::Index};
use domain::{id::Minter, time::Timestamp};
use secrets::{Entropy, KeyRing, KeyRingError, MasterKey};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use store::{
    Failure, Store,
    queries::{LatestTime, ReadDataKeys},
    steps::data_keys::FoundKeyRing,
};

/// What differs between dev mode and production.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Whether API keys need no checksum: a test double takes the key it is given.
    pub lenient_keys: bool,
}

/// Why the application does not start: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key ring does not open.
    #[error("the key ring cannot be opened: {0}")]
    KeyRing(#[from] KeyRingError),
    /// The machine's clock is wrong.
    #[error("{0}")]
    Clock(String),
    /// The store does not answer.
    #[error("the store does not answer: {0}")]
    Store(#[from] Failure),
}

/// Every use case. Cheap to clone.
#[derive(Clone)]
pub struct App(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) clock: ClockGuard,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) minter: Minter,
    pub(crate) options: Options,
    pub(crate) ring: RwLock<KeyRing>,
    pub(crate) index: RwLock<Arc<Index>>,
    pub(crate) reloading: tokio::sync::Mutex<()>,
    pub(crate) dispatcher: OnceLock<Arc<dyn Dispatcher>>,
}

impl App {
    /// Starts on an open store: opens its key ring, or makes one if the store is new, and reads who may call.
    ///
    /// # Errors
    /// When the master key is not the store's, the clock is behind what the store has seen or too far
    /// from the database's, or the store is broken.
    pub async fn start(
        store: Store,
        master: &MasterKey,
        clock: ClockGuard,
        entropy: Arc<dyn Entropy>,
        options: Options,
    ) -> Result<Self, StartError> {
        clock.saw(store.query(LatestTime).await?).map_err(StartError::Clock)?;
        crate::skew::agree(&store, &clock).await?;
        let now = clock.now()?;
        let mut records = store.query(ReadDataKeys).await?;
        if records.is_empty() {
            let (ring, keys) = KeyRing::create(entropy.as_ref(), master, now.millis())?;
            store.step(FoundKeyRing { keys, ring }).await?;
            records = store.query(ReadDataKeys).await?;
        }
        let ring = KeyRing::open(master, &records)?;
        store.begin_trail(ring.clone())?;
        let app = Self(Arc::new(Inner {
            store,
            clock,
            entropy,
            minter: Minter::default(),
            options,
            ring: RwLock::new(ring),
            index: RwLock::default(),
            reloading: tokio::sync::Mutex::default(),
            dispatcher: OnceLock::new(),
        }));
        app.reload_directory().await?;
        Ok(app)
    }

    /// Says who dispatches messages. Until then none is sent. Only the first call counts.
    pub fn dispatch_through(&self, dispatcher: Arc<dyn Dispatcher>) {
        drop(self.0.dispatcher.set(dispatcher));
    }

    /// The present time.
    ///
    /// # Errors
    /// [`Failure::Busy`] while the clock cannot be trusted.
    pub fn now(&self) -> Result<Timestamp, Failure> {
        self.0.clock.now()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The key ring as it is now.
    #[must_use]
    pub fn ring(&self) -> KeyRing {
        self.0.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where randomness comes from.
    #[must_use]
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.0.entropy
    }

    pub(crate) fn index(&self) -> Arc<Index> {
        Arc::clone(&self.0.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new id, and the time that it says.
    pub(crate) fn mint(&self) -> Result<([u8; 16], Timestamp), Failure> {
        let now = self.now()?;
        if self.0.clock.is_movable() {
            self.0.minter.follow(now);
        }
        let id = self.0.minter.mint(now, self.0.entropy.as_ref())?;
        let [a, b, c, d, e, f, ..] = id;
        Ok((id, Timestamp::from_millis(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))))
    }
}
