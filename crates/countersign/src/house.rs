//! An open store, with the application over it, and the data folder that goes with it.

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
    postgres::Options as Database,
    sqlite::{DataFolder, Sqlite},
};
use tokio::sync::watch;

/// Everything of one data folder. While it lives, no other process opens the folder. The store is in it, unless it is a
/// PostgreSQL database.
pub(crate) struct House {
    /// The use cases.
    pub(crate) app: App,
    /// The key that opens its keys.
    pub(crate) masters: Arc<Masters>,
    /// Why the store can no longer be trusted, if so.
    pub(crate) fatal: watch::Receiver<Option<String>>,
    folder: DataFolder,
    /// Whoever waits for `fatal` waits as long as this lives, also where nothing is ever told.
    _tell: watch::Sender<Option<String>>,
}

impl House {
    /// Opens the database, or else the store of the locked folder, migrating it, and starts the application.
    ///
    /// # Errors
    /// One line: what is wrong with which file, key or clock.
    pub(crate) async fn open(
        folder: DataFolder,
        database: Option<Database>,
        masters: Arc<Masters>,
        clock: ClockGuard,
        options: Options,
    ) -> anyhow::Result<Self> {
        let (tell, fatal) = watch::channel(None);
        let teller = tell.clone();
        let on_fatal = move |why: &str| {
            teller.send_replace(Some(why.to_owned()));
        };
        let store = match database {
            Some(database) => Store::open_postgres(database, SystemClock.now()).await?,
            None => Store::Sqlite(Sqlite::open(&folder, SystemClock.now(), Box::new(on_fatal))?),
        };
        let app = App::start(store, &masters.current(), clock, Arc::new(SystemEntropy), options).await?;
        Ok(Self { app, masters, fatal, folder, _tell: tell })
    }

    /// The data folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Lets the writer finish what waits, and frees the folder.
    pub(crate) fn close(self) {
        self.app.store().close();
    }
}

/// Locks a data folder.
///
/// # Errors
/// One line: who has it, or what is wrong with it.
pub(crate) fn lock(path: &Path) -> anyhow::Result<DataFolder> {
    Ok(DataFolder::lock(path)?)
}
