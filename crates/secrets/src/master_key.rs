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
        match file.take(FILE_BYTES_MAX).read_to_string(&mut text) {
            Ok(_) => MasterKey::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(MasterKeyError::Malformed),
            Err(error) => return Err(unreadable(error)),
        }
        .map_err(|_| MasterKeyError::MalformedFile { path: path.to_owned() })
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
