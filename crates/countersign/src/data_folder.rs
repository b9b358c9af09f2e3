//! Where data lies when nobody says so, and dev mode's files in it.

use anyhow::Context as _;
use secrets::{ApiKeyText, Entropy, KeyMode, MasterKey};
use std::{
    env, fs,
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Dev mode's master key, in its data folder.
pub(crate) const MASTER_KEY: &str = "master.key";
/// The key that dev mode prints, the same on each start.
const DEV_API_KEY: &str = "api-key";

/// `$XDG_DATA_HOME/countersign/dev` if that is set, else `./.countersign/dev`.
pub(crate) fn default_dev_folder() -> PathBuf {
    match env::var_os("XDG_DATA_HOME").map(PathBuf::from) {
        Some(home) if home.is_absolute() => home.join("countersign").join("dev"),
        _ => PathBuf::from(".countersign").join("dev"),
    }
}

/// Writes a file that only its owner may read, all at once: it is there whole, or as it was.
pub(crate) fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

/// Writes a new file that only its owner may read; one that is there is left alone.
pub(crate) fn create_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Dev mode's master key: made on the first start, kept beside the data. Never done by `serve`.
pub(crate) fn dev_master_key(folder: &Path, entropy: &dyn Entropy) -> anyhow::Result<MasterKey> {
    let path = folder.join(MASTER_KEY);
    if !path.exists() {
        let text = MasterKey::generate(entropy)?.to_text();
        write_secret(&path, &format!("{}\n", *text))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(MasterKey::from_file(&path)?)
}

/// The API key that dev mode prints: the given one, else that of the last start, else a fresh one. Kept.
pub(crate) fn dev_api_key(
    folder: &Path,
    given: Option<ApiKeyText>,
    entropy: &dyn Entropy,
) -> anyhow::Result<ApiKeyText> {
    let path = folder.join(DEV_API_KEY);
    let kept = || {
        let text = Zeroizing::new(fs::read_to_string(&path).ok()?);
        ApiKeyText::parse_lenient(text.trim())
    };
    let (key, is_kept) = match (given, kept()) {
        (Some(given), Some(kept)) if given.reveal() == kept.reveal() => (given, true),
        (Some(given), _) => (given, false),
        (None, Some(kept)) => (kept, true),
        (None, None) => (ApiKeyText::generate(entropy, KeyMode::Test)?, false),
    };
    if !is_kept {
        let text = Zeroizing::new(format!("{}\n", key.reveal()));
        write_secret(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(key)
}

/// Keeps what dev mode writes out of version control, keys included.
pub(crate) fn ignore_in_git(folder: &Path) {
    let path = folder.join(".gitignore");
    if !path.exists() {
        // Of no consequence if it fails.
        drop(fs::write(path, "*\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrets::SystemEntropy;

    #[test]
    fn dev_mode_keeps_its_keys_to_its_owner_and_the_same_on_each_start() {
        let folder = tempfile::tempdir().unwrap();
        let first = dev_master_key(folder.path(), &SystemEntropy).unwrap();
        assert_eq!(dev_master_key(folder.path(), &SystemEntropy).unwrap().to_text(), first.to_text());
        let first = dev_api_key(folder.path(), None, &SystemEntropy).unwrap();
        let again = dev_api_key(folder.path(), None, &SystemEntropy).unwrap();
        assert_eq!(first.reveal(), again.reveal());
        let mine = ApiKeyText::parse_lenient("sk_test_mine").unwrap();
        assert_eq!(dev_api_key(folder.path(), Some(mine), &SystemEntropy).unwrap().reveal(), "sk_test_mine");
        assert_eq!(dev_api_key(folder.path(), None, &SystemEntropy).unwrap().reveal(), "sk_test_mine");
        for file in [MASTER_KEY, DEV_API_KEY] {
            let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }
}
