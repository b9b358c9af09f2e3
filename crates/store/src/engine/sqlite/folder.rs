//! The data folder: one process at a time, readable by its owner only.

use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

const DATABASE: &str = "countersign.db";
/// Where a restore prepares the database. While it is there, the folder is not served.
const DRAFT: &str = "restore.new";

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
    /// A restore was begun and did not end.
    #[error(
        "a restore into {0} did not end; run it again (what was there before is in a folder named replaced-…)"
    )]
    HalfRestored(PathBuf),
    /// A copy into it was begun and did not end.
    #[error("the database {0} is a copy that did not end; run `countersign copy` into it again")]
    HalfCopied(PathBuf),
    /// Made by an earlier version, and not to be changed.
    #[error("the database {0} was written by an older version; run `countersign migrate` on it first")]
    TooOld(PathBuf),
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
    /// When another process holds it, it cannot be written, or a restore into it did not end.
    pub fn lock(path: &Path) -> Result<Self, OpenError> {
        let folder = Self::lock_for_restore(path)?;
        if path.join(DRAFT).exists() { Err(OpenError::HalfRestored(path.to_owned())) } else { Ok(folder) }
    }

    /// As [`DataFolder::lock`], also if a restore did not end: to do it again.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be written.
    pub fn lock_for_restore(path: &Path) -> Result<Self, OpenError> {
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
        let path = self.path.join(DATABASE);
        if let Ok(file) = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            drop(file.set_permissions(std::fs::Permissions::from_mode(0o600)));
        }
        path
    }

    /// Whether there is a database in a folder, which is not made for that.
    #[must_use]
    pub fn holds_database(path: &Path) -> bool {
        path.join(DATABASE).exists()
    }

    /// Whether there is a database.
    #[must_use]
    pub fn has_database(&self) -> bool {
        self.path.join(DATABASE).exists()
    }

    /// An empty folder in this one, to prepare a restored database in. One that an earlier attempt left is emptied.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin_restore(&self) -> Result<Self, OpenError> {
        let draft = self.path.join(DRAFT);
        let unusable = |e: std::io::Error| OpenError::Unusable(draft.clone(), e.to_string());
        if draft.exists() {
            std::fs::remove_dir_all(&draft).map_err(unusable)?;
        }
        Self::lock_for_restore(&draft)
    }

    /// Where the prepared database belongs, as one file without a log, before [`DataFolder::finish_restore`].
    #[must_use]
    pub fn ready(&self) -> PathBuf {
        self.path.join("ready.db")
    }

    /// Puts the prepared database in its place, which nobody may have open. What was there is kept in `aside`, a
    /// folder within this one.
    ///
    /// Until the end the folder counts as half restored, so a start between two of these moves is refused.
    ///
    /// # Errors
    /// When a file cannot be moved; then it is to be done again.
    pub fn finish_restore(&self, draft: Self, aside: &str) -> Result<PathBuf, OpenError> {
        let aside = self.path.join(aside);
        let moved = || -> std::io::Result<()> {
            for ending in ["-shm", "-wal", ""] {
                let name = format!("{DATABASE}{ending}");
                let old = self.path.join(&name);
                if old.exists() {
                    DirBuilder::new().recursive(true).mode(0o700).create(&aside)?;
                    std::fs::rename(old, aside.join(name))?;
                    File::open(&aside)?.sync_all()?;
                }
            }
            std::fs::rename(draft.ready(), self.path.join(DATABASE))?;
            File::open(&self.path)?.sync_all()?;
            std::fs::remove_dir_all(&draft.path)?;
            File::open(&self.path)?.sync_all()
        };
        moved().map_err(|e| OpenError::Unusable(self.path.clone(), e.to_string()))?;
        Ok(aside)
    }
}
