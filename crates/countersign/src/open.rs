//! Opening a data folder: its lock, its database, its key ring.

use anyhow::{Context as _, anyhow};
use app::{App, ClockGuard, Options};
use domain::time::Clock as _;
use secrets::{Entropy, MasterKey, SystemEntropy};
use std::{
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use store::{
    Store,
    sqlite::{DataFolder, Sqlite},
};

/// An application on a data folder that this process holds.
pub(crate) struct Opened {
    pub(crate) app: App,
    pub(crate) engine: Sqlite,
    _folder: DataFolder,
}

/// Opens it.
pub(crate) async fn open(
    data: &Path,
    master: &MasterKey,
    clock: ClockGuard,
    options: Options,
) -> anyhow::Result<Opened> {
    let folder = DataFolder::lock(data)?;
    let on_fatal = Box::new(|why: &str| {
        // The file can no longer be trusted; what is there is recovered at the next start.
        tracing::error!(why, "the store has stopped; ending");
        std::thread::spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(200));
            std::process::exit(1);
        });
    });
    let engine = Sqlite::open(&folder, app::SystemClock.now(), on_fatal)?;
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let app = App::start(Store::Sqlite(engine.clone()), master, clock, entropy, options).await?;
    Ok(Opened { app, engine, _folder: folder })
}

/// The master key from the environment, or from a file that the configuration names.
pub(crate) fn master_key(configured: Option<&Path>) -> anyhow::Result<MasterKey> {
    if let Some(path) = std::env::var_os("COUNTERSIGN_MASTER_KEY_FILE") {
        return Ok(MasterKey::from_file(Path::new(&path))?);
    }
    if let Ok(text) = std::env::var("COUNTERSIGN_MASTER_KEY") {
        return Ok(MasterKey::parse(&text)?);
    }
    let path = configured.ok_or_else(|| {
        anyhow!("there is no master key: set COUNTERSIGN_MASTER_KEY_FILE to a file of mode 0600, or `master_key_file`; make one with `countersign keys generate FILE`")
    })?;
    Ok(MasterKey::from_file(path)?)
}

/// Dev mode's own master key, kept in its data folder.
pub(crate) fn dev_master_key(data: &Path) -> anyhow::Result<MasterKey> {
    let path = data.join("master.key");
    if !path.exists() {
        let key = MasterKey::generate(&SystemEntropy)?;
        write_private(&path, key.to_text().as_bytes())?;
    }
    Ok(MasterKey::from_file(&path)?)
}

/// Writes a new file that only its owner can read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    }
    let named = || format!("{} cannot be written", path.display());
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(named)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(named)
}

/// Where dev mode keeps its data unless told otherwise.
pub(crate) fn dev_folder() -> PathBuf {
    PathBuf::from(".countersign/dev")
}
