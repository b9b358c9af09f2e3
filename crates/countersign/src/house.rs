//! A store opened in its data folder, with the application over it.

use crate::masters::Masters;
use app::{App, ClockGuard, Options, SystemClock};
use domain::time::Clock as _;
use secrets::SystemEntropy;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use store::{
    Store,
    sqlite::{DataFolder, Sqlite},
};
use tokio::sync::watch;

/// Everything of one data folder. While it lives, no other process opens the folder.
pub(crate) struct House {
    /// The use cases.
    pub(crate) app: App,
    /// The engine below them.
    pub(crate) engine: Sqlite,
    /// The key that opens its keys.
    pub(crate) masters: Arc<Masters>,
    /// Why the store can no longer be trusted, if so.
    pub(crate) fatal: watch::Receiver<Option<String>>,
    folder: DataFolder,
}

impl House {
    /// Opens the store of a locked folder, migrating it, and starts the application.
    ///
    /// # Errors
    /// One line: what is wrong with which file, key or clock.
    pub(crate) async fn open(
        folder: DataFolder,
        masters: Arc<Masters>,
        clock: ClockGuard,
        options: Options,
    ) -> anyhow::Result<Self> {
        let (tell, fatal) = watch::channel(None);
        let on_fatal = move |why: &str| {
            tell.send_replace(Some(why.to_owned()));
        };
        let engine = Sqlite::open(&folder, SystemClock.now(), Box::new(on_fatal))?;
        let store = Store::Sqlite(engine.clone());
        let app = App::start(store, &masters.current(), clock, Arc::new(SystemEntropy), options).await?;
        Ok(Self { app, engine, masters, fatal, folder })
    }

    /// The data folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Lets the writer finish what waits, and frees the folder.
    pub(crate) fn close(self) {
        self.engine.close();
    }
}

/// Locks a data folder.
///
/// # Errors
/// One line: who has it, or what is wrong with it.
pub(crate) fn lock(path: &Path) -> anyhow::Result<DataFolder> {
    Ok(DataFolder::lock(path)?)
}
