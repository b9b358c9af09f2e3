//! The master key in use, and where it comes from.

use crate::{
    data_folder::{self, MASTER_KEY},
    usage::wrong,
};
use secrets::MasterKey;
use std::{
    env,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use zeroize::Zeroizing;

/// Names a file with the master key.
pub(crate) const KEY_FILE_VARIABLE: &str = "COUNTERSIGN_MASTER_KEY_FILE";
/// Holds the master key.
pub(crate) const KEY_VARIABLE: &str = "COUNTERSIGN_MASTER_KEY";

/// The master key in use. `keys rewrap` exchanges it while serving.
pub(crate) struct Masters {
    current: RwLock<Arc<MasterKey>>,
    /// Dev mode's own file, to be kept in step.
    file: Option<PathBuf>,
}

impl Masters {
    /// Starts with `key`; `file` is rewritten when the key is exchanged.
    pub(crate) fn new(key: MasterKey, file: Option<PathBuf>) -> Self {
        Self { current: RwLock::new(Arc::new(key)), file }
    }

    /// The key in use.
    pub(crate) fn current(&self) -> Arc<MasterKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Exchanges it. Says what the operator must do so that the next start finds the new one.
    pub(crate) fn exchange(&self, new: MasterKey, new_file: &Path) -> Result<String, String> {
        let text = new.to_text();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        match &self.file {
            None => Ok(format!("before the next start, let the master key come from {}", new_file.display())),
            Some(file) => data_folder::write_secret(file, &format!("{}\n", *text))
                .map(|()| format!("{} holds the new key", file.display()))
                .map_err(|e| {
                    format!("the keys are wrapped anew, but {}: {e}; put the new key there", file.display())
                }),
        }
    }
}

/// The master key of a production server: `COUNTERSIGN_MASTER_KEY_FILE`, `COUNTERSIGN_MASTER_KEY`, or the
/// configuration's `master_key_file`, in this order. Both variables at once are a mistake.
///
/// # Errors
/// When there is none, it cannot be read, or others can read its file.
pub(crate) fn production(configured: Option<&Path>) -> anyhow::Result<MasterKey> {
    match from_environment()? {
        Some(key) => Ok(key),
        None => match configured {
            Some(file) => read(file, "master_key_file"),
            None => wrong(format!(
                "there is no master key: set {KEY_FILE_VARIABLE} to a file with mode 0600, or `master_key_file` in the \
                 configuration\nmake one with: countersign keys generate master.key"
            )),
        },
    }
}

/// The master key for a data folder that a command opens itself: as above, else dev mode's own.
pub(crate) fn of_folder(folder: &Path) -> anyhow::Result<Masters> {
    if let Some(key) = from_environment()? {
        return Ok(Masters::new(key, None));
    }
    let file = folder.join(MASTER_KEY);
    if file.exists() {
        return Ok(Masters::new(read(&file, "the data folder")?, Some(file)));
    }
    wrong(format!(
        "no server runs on the data folder {}, and there is no master key to open it with: start `countersign dev` once, \
         name the folder with --data, or name the server's configuration with --config",
        folder.display()
    ))
}

fn from_environment() -> anyhow::Result<Option<MasterKey>> {
    let file = env::var_os(KEY_FILE_VARIABLE).filter(|v| !v.is_empty());
    let text = env::var(KEY_VARIABLE).ok().map(Zeroizing::new).filter(|v| !v.is_empty());
    match (file, text) {
        (Some(_), Some(_)) => {
            wrong(format!("{KEY_FILE_VARIABLE} and {KEY_VARIABLE} are both set; keep one of them"))
        }
        (Some(file), None) => read(Path::new(&file), KEY_FILE_VARIABLE).map(Some),
        (None, Some(text)) => match MasterKey::parse(&text) {
            Ok(key) => Ok(Some(key)),
            Err(e) => wrong(format!("{KEY_VARIABLE}: {e}")),
        },
        (None, None) => Ok(None),
    }
}

/// Reads a key file; an error names who pointed to it.
pub(crate) fn read(file: &Path, from: &str) -> anyhow::Result<MasterKey> {
    MasterKey::from_file(file).or_else(|e| {
        let cause = std::error::Error::source(&e).map(|s| format!(": {s}")).unwrap_or_default();
        wrong(format!("{from}: {e}{cause}"))
    })
}
