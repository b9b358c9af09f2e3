//! TLS by rustls, with a certificate that can be changed while serving.

use rustls::{
    InconsistentKeys, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};
use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use tokio_rustls::TlsAcceptor;

/// Where the certificate and its key are, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, followed by those that lead up to the root.
    pub certificate: PathBuf,
    /// Its private key: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: PathBuf,
}

/// Why a certificate cannot be used. The text names the file, and never shows what is in it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What is wrong, in words that follow a colon.
        reason: &'static str,
    },
    /// Both are well, but not a pair.
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
    },
}

/// No certificate chain or key comes near this.
const LARGEST_FILE: u64 = 1 << 20;

/// The certificate in use. Clones share it, so that one of them can change it for all.
#[derive(Clone)]
pub struct TlsReloader {
    files: Arc<TlsFiles>,
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

impl fmt::Debug for TlsReloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsReloader").field("files", &self.files).finish_non_exhaustive()
    }
}

impl TlsReloader {
    /// Reads the files for the first time.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let current = Arc::new(RwLock::new(Arc::new(read(&files)?)));
        Ok(Self { files: Arc::new(files), current })
    }

    /// Reads the files again. New connections get the new certificate and open ones stay as they are; on an error nothing
    /// changes. The files are read on the calling thread.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = Arc::new(read(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let chain = CertificateDer::pem_slice_iter(&contents(&files.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(&files.certificate, wording(&error)))?;
    if chain.is_empty() {
        return Err(unusable(&files.certificate, "there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_slice(&contents(&files.key)?).map_err(|error| {
        unusable(
            &files.key,
            match error {
                pem::Error::NoItemsFound => "there is no private key in it (an encrypted one cannot be used)",
                other => wording(&other),
            },
        )
    })?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| unusable(&files.certificate, "no TLS version can be used with it"))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::Mismatch { certificate: files.certificate.clone(), key: files.key.clone() }
            }
            rustls::Error::InvalidCertificate(_) => {
                unusable(&files.certificate, "the first certificate is malformed")
            }
            _ => unusable(&files.key, "the private key is malformed or of an unknown kind"),
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn contents(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let mut contents = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    let size = file.take(LARGEST_FILE + 1).read_to_end(&mut contents).map_err(unreadable)?;
    if size as u64 > LARGEST_FILE {
        return Err(unusable(path, "it is larger than 1 MiB"));
    }
    Ok(contents)
}

fn unusable(path: &Path, reason: &'static str) -> TlsError {
    TlsError::Unusable { path: path.to_owned(), reason }
}

/// The library's own messages quote lines of the file, which may be the key.
fn wording(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "an END line is missing",
        pem::Error::Base64Decode(_) => "its Base64 is damaged",
        pem::Error::NoItemsFound => "nothing usable is in it",
        _ => "it is not valid PEM",
    }
}
