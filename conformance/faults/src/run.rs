//! What all programs here share: where a run keeps its files, its seed, and what it says.
use loadgen::{args::Args, clock};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Where the nodes keep what they know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Store::Sqlite => "SQLite",
            Store::Postgres => "PostgreSQL",
        })
    }
}

/// One run. Its folder stays if the run fails, so that what was seen can be looked at.
pub(crate) struct Run {
    pub(crate) binary: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) seed: u64,
    pub(crate) store: Store,
    both: bool,
    own_folder: bool,
}

impl Run {
    /// Reads `--binary`, `--folder`, `--seed` and `--store`.
    ///
    /// # Errors
    /// One sentence if the binary is not named, or the folder cannot be made or is not empty.
    pub(crate) fn new(args: &Args) -> Result<Run, String> {
        let binary = PathBuf::from(args.text("binary").ok_or("--binary is needed: the countersign to try")?);
        let seed = args.get("seed", clock::unix_millis())?;
        let (store, both) = match args.text("store") {
            None | Some("sqlite") => (Store::Sqlite, false),
            Some("postgres") => (Store::Postgres, false),
            Some("both") => (Store::Sqlite, true),
            Some(other) => return Err(format!("--store {other}: known are sqlite, postgres, both")),
        };
        let own = std::env::temp_dir().join(format!("countersign-faults-{}", std::process::id()));
        let folder = args.text("folder").map_or(own, PathBuf::from);
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut inside = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        if inside.next().is_some() {
            return Err(format!("{}: is not empty", folder.display()));
        }
        Ok(Run { binary, folder, seed, store, both, own_folder: !args.has("folder") })
    }

    /// This run once for each store it is to try, each with a folder of its own if there are two.
    pub(crate) fn by_store(&self) -> Vec<Run> {
        let on = |store, folder| Run {
            binary: self.binary.clone(),
            folder,
            seed: self.seed,
            store,
            both: false,
            own_folder: false,
        };
        if !self.both {
            return vec![on(self.store, self.folder.clone())];
        }
        let stores = [(Store::Sqlite, "sqlite"), (Store::Postgres, "postgresql")];
        stores.map(|(store, name)| on(store, self.folder.join(name))).into()
    }

    /// Says something in the course of a run.
    pub(crate) fn say(&self, text: &str) {
        println!("{text}");
    }

    /// Removes the folder, if it is this run's own.
    pub(crate) fn clean_up(&self) {
        if self.own_folder {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Copies the files of `from`, and of the folders in it, to `to`. Sockets stay behind.
///
/// # Errors
/// One sentence that names the file.
pub(crate) fn copy_files(from: &Path, to: &Path) -> Result<(), String> {
    let named = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    std::fs::create_dir_all(to).map_err(|e| named(to, e))?;
    for entry in std::fs::read_dir(from).map_err(|e| named(from, e))? {
        let entry = entry.map_err(|e| named(from, e))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(|e| named(&path, e))?;
        if kind.is_dir() {
            copy_files(&path, &target)?;
        } else if kind.is_file() {
            std::fs::copy(&path, &target).map_err(|e| named(&path, e))?;
        }
    }
    Ok(())
}
