//! The master key: the one secret an operator keeps, from which every other key opens.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER_PERMISSIVE};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::digest::KeyedSha256;
use crate::entropy::{Entropy, EntropyFailed};

const KEY_BYTES: usize = 32;
/// Bytes of a key file that are read; a key in any spelling has at most 64.
const FILE_BYTES_MAX: u64 = 1024;
/// What may not be set in the mode of a key file: anything for group or others.
const MODE_FOR_OTHERS: u32 = 0o077;

/// 32 bytes that wrap the keys of the key ring. It does not print and is wiped when dropped.
pub struct MasterKey(Box<Zeroizing<[u8; KEY_BYTES]>>);

/// Why there is no master key. None of these repeats what was read.
#[derive(Debug, Error)]
pub enum MasterKeyError {
    /// The text is not a key.
    #[error("a master key is 32 bytes in base64, or 64 hexadecimal digits")]
    Malformed,
    /// The file does not hold a key.
    #[error("{} holds no master key: 32 bytes in base64, or 64 hexadecimal digits", path.display())]
    MalformedFile {
        /// The file.
        path: PathBuf,
    },
    /// Somebody beside the owner may read or change the file.
    #[error("{0} is open to others (mode {mode:04o}); run: chmod 600 {0}", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file could not be read.
    #[error("the master key could not be read from {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl MasterKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`EntropyFailed`] if there is no randomness; there is no key then.
    pub fn generate(entropy: &dyn Entropy) -> Result<MasterKey, EntropyFailed> {
        let mut bytes = Box::new(Zeroizing::new([0; KEY_BYTES]));
        entropy.fill(&mut bytes[..])?;
        Ok(MasterKey(bytes))
    }

    /// The key that `text` spells: 32 bytes in base64 (either alphabet of RFC 4648, padded or not) or 64 hexadecimal
    /// digits, with white space around it ignored.
    ///
    /// # Errors
    /// [`MasterKeyError::Malformed`] for anything else.
    pub fn parse(text: &str) -> Result<MasterKey, MasterKeyError> {
        let text = text.trim();
        let bare = text.strip_suffix('=').filter(|bare| bare.len() == 43).unwrap_or(text);
        // The lengths differ, so no text can be read both ways.
        [BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE]
            .iter()
            .find_map(|encoding| decode(encoding, bare.as_bytes()))
            .map(MasterKey)
            .ok_or(MasterKeyError::Malformed)
    }

    /// The key in the file at `path`, spelled as [`MasterKey::parse`] reads it.
    ///
    /// # Errors
    /// Refuses a file that group or others may read or write, one that cannot be read, and one that holds no key.
    pub fn from_file(path: &Path) -> Result<MasterKey, MasterKeyError> {
        let unreadable = |source| MasterKeyError::Unreadable { path: path.to_owned(), source };
        // The mode is asked of the opened file, so that it is the mode of what is read.
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
        if mode & MODE_FOR_OTHERS != 0 {
            return Err(MasterKeyError::OpenToOthers { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
        if let Err(error) = file.take(FILE_BYTES_MAX).read_to_string(&mut text) {
            // Not UTF-8: it was read, and is no key.
            if error.kind() != io::ErrorKind::InvalidData {
                return Err(unreadable(error));
            }
            text.clear();
        }
        MasterKey::parse(&text).map_err(|_| MasterKeyError::MalformedFile { path: path.to_owned() })
    }

    /// The key in base64, for the operator's file.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(BASE64.encode_len(KEY_BYTES)));
        BASE64.encode_append(&self.0[..], &mut text);
        text
    }

    /// The state from which the keys that do the work are derived.
    pub(crate) fn keyed(&self) -> KeyedSha256 {
        KeyedSha256::new(&self.0)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

fn decode(encoding: &Encoding, text: &[u8]) -> Option<Box<Zeroizing<[u8; KEY_BYTES]>>> {
    if encoding.decode_len(text.len()) != Ok(KEY_BYTES) {
        return None;
    }
    let mut bytes = Box::new(Zeroizing::new([0; KEY_BYTES]));
    encoding.decode_mut(text, &mut bytes[..]).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::seeded::{Failing, Seeded};

    /// Every byte from 224 on, so that both base64 alphabets show where they differ.
    const BYTES: [u8; 32] = {
        let mut bytes = [0; 32];
        let mut place = 0;
        while place < 32 {
            bytes[place] = 0xe0 + place as u8;
            place += 1;
        }
        bytes
    };
    const STD: &str = "4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=";
    const HEX: &str = "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

    #[test]
    fn one_key_in_all_its_spellings() {
        let url = STD.replace('+', "-").replace('/', "_");
        for text in [
            STD.to_owned(),
            STD.trim_end_matches('=').to_owned(),
            url.clone(),
            url.trim_end_matches('=').to_owned(),
            HEX.to_owned(),
            HEX.to_uppercase(),
            format!("\n  {STD}\r\n"),
            format!("\t{HEX}\n"),
        ] {
            assert_eq!(**MasterKey::parse(&text).unwrap().0, BYTES, "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_refused_without_being_repeated() {
        let long = format!("{STD}{STD}");
        for text in [
            "",
            "   ",
            "changeme",
            &STD[1..],
            &long,
            &HEX[2..],
            &format!("{HEX}00"),
            &format!("0x{HEX}"),
            &format!("{HEX}="),
            &STD.replace("4OHi", "4O i"),
            &STD.replace('+', "*"),
            &STD.replace("8=", "9="),
            &format!("{STD}="),
            &HEX.replace('e', "é"),
            // A character of each alphabet.
            &STD.replacen('+', "-", 1),
        ] {
            let error = MasterKey::parse(text).unwrap_err();
            assert!(matches!(error, MasterKeyError::Malformed), "{text:?}");
            assert_eq!(error.to_string(), "a master key is 32 bytes in base64, or 64 hexadecimal digits");
        }
    }

    #[test]
    fn a_fresh_key_reads_back_from_its_text() {
        let key = MasterKey::generate(&Seeded::new(5)).unwrap();
        let text = key.to_text();
        assert_eq!(text.len(), 44);
        assert_eq!(MasterKey::parse(&text).unwrap().0, key.0);
        assert_ne!(MasterKey::generate(&Seeded::new(6)).unwrap().0, key.0);
        assert!(MasterKey::generate(&Failing).is_err());
    }

    #[test]
    fn i10_debug_shows_no_byte() {
        assert_eq!(format!("{:?}", MasterKey::parse(STD).unwrap()), "MasterKey(…)");
    }

    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_private_file_gives_its_key() {
        for mode in [0o600, 0o400, 0o700] {
            let (_folder, path) = file(format!("{STD}\n").as_bytes(), mode);
            assert_eq!(**MasterKey::from_file(&path).unwrap().0, BYTES, "{mode:o}");
        }
    }

    #[test]
    fn a_file_open_to_others_is_refused_with_the_cure() {
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666, 0o777] {
            let (_folder, path) = file(STD.as_bytes(), mode);
            let error = MasterKey::from_file(&path).unwrap_err();
            assert!(matches!(error, MasterKeyError::OpenToOthers { .. }), "{mode:o}: {error}");
            let path = path.display();
            let expected = format!("{path} is open to others (mode {mode:04o}); run: chmod 600 {path}");
            assert_eq!(error.to_string(), expected);
        }
    }

    /// I10: what was in the file is in no error, neither in its text nor in its Debug.
    #[test]
    fn i10_a_file_without_a_key_is_named_and_not_quoted() {
        let canary = "canary-4711";
        let long = [HEX.as_bytes(), &b" ".repeat(2_000)[..], canary.as_bytes()].concat();
        for content in [canary.as_bytes(), b"", b"\xff\xfe canary-4711", &b"a".repeat(5_000)] {
            let (_folder, path) = file(content, 0o600);
            let error = MasterKey::from_file(&path).unwrap_err();
            assert!(matches!(error, MasterKeyError::MalformedFile { .. }), "{error}");
            assert!(error.to_string().contains("master.key"));
            assert!(!format!("{error} {error:?}").contains(canary));
        }
        // Only so much of a file is read.
        let (_folder, path) = file(&long, 0o600);
        assert!(MasterKey::from_file(&path).is_ok());
    }

    #[test]
    fn a_missing_file_or_a_folder_is_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        for path in [folder.path().join("absent"), folder.path().to_owned()] {
            let error = MasterKey::from_file(&path).unwrap_err();
            assert!(matches!(error, MasterKeyError::Unreadable { .. }), "{error}");
            assert!(error.to_string().contains(&path.display().to_string()));
        }
    }
}
