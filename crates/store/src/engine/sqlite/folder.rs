//! The data folder: one process at a time, readable by its owner only.

use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Why a store does not open: one line for the operator, with the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has it.
    #[error(
        "the data folder {0} is in use by another countersign process{1}; stop that one first, or use another folder"
    )]
    InUse(PathBuf, String),
    /// The file is damaged.
    #[error("the database {0} is damaged ({1}); restore a backup, or move the file away to start anew")]
    Corrupt(PathBuf, String),
    /// Not ours.
    #[error("{0} is a database of another program; choose another data folder")]
    Foreign(PathBuf),
    /// Made by a later version.
    #[error(
        "the database {0} was written by a newer version (migration {1}); run that version, or restore a backup of before"
    )]
    TooNew(PathBuf, i64),
    /// A migration was changed after it ran.
    #[error("the database {0} was migrated with another text of migration {1}; run the version that made it")]
    Altered(PathBuf, i64),
    /// Anything else.
    #[error("{0} cannot be used: {1}")]
    Unusable(PathBuf, String),
}

/// A data folder that this process holds. The lock ends with the process, however it ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Opened before anything is made in it: a name that fails to reach the disk is then told here, too.
    opened: File,
    _lock: File,
}

/// Makes the name of a new folder durable.
fn sync_folder_of(made: &Path) -> std::io::Result<()> {
    let parent = made.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

impl DataFolder {
    /// Makes the folder if necessary (mode 0700) and locks it.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be written.
    pub fn lock(path: &Path) -> Result<Self, OpenError> {
        let unusable = |e: std::io::Error| OpenError::Unusable(path.to_owned(), e.to_string());
        let missing: Vec<&Path> =
            path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).collect();
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        for made in missing {
            sync_folder_of(made).map_err(unusable)?;
        }
        let opened = File::open(path).map_err(unusable)?;
        let file = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&file)
            .map_err(|e| OpenError::Unusable(file.clone(), e.to_string()))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            drop(lock.read_to_string(&mut pid));
            let pid = if pid.trim().is_empty() { String::new() } else { format!(" (pid {})", pid.trim()) };
            return Err(OpenError::InUse(path.to_owned(), pid));
        }
        let named = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| write!(lock, "{}", std::process::id()));
        named.map_err(unusable)?;
        Ok(Self { path: path.to_owned(), opened, _lock: lock })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the names of its files durable. SQLite does so too, but goes on if that fails.
    ///
    /// # Errors
    /// When the disk fails: a file that is synced could be gone after a power cut all the same.
    pub(super) fn sync(&self) -> Result<(), OpenError> {
        let why = |e| {
            OpenError::Unusable(self.path.clone(), format!("the names of its files cannot be synced: {e}"))
        };
        self.opened.sync_all().map_err(why)
    }

    /// The database in it. Created here, if it is not there, so that only its owner can read it from the first byte.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        let path = self.path.join("countersign.db");
        if let Ok(file) = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            drop(file.set_permissions(std::fs::Permissions::from_mode(0o600)));
        }
        path
    }
}
