//! Whom to believe: the names in certificates are checked, always (F60).

use super::Fault;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use std::{error::Error, io, path::Path, sync::Arc};
use tokio_rustls::TlsConnector;

/// Where systems keep their roots.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// A connector that trusts the roots of the file, or else the system's.
pub(super) fn connector(roots: Option<&Path>) -> Result<TlsConnector, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| format!("TLS cannot be set up: {e}"))?;
    let config = builder.with_root_certificates(read(roots)?).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn read(named: Option<&Path>) -> Result<RootCertStore, String> {
    let system = || SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.exists());
    let path = named
        .or_else(system)
        .ok_or("there are no root certificates on this system; name some with `ca_file`")?;
    let unusable = |what: &dyn std::fmt::Display| {
        format!("the root certificates in {} cannot be used: {what}", path.display())
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| unusable(&e))? {
        // Among a system's many roots one may be odd; among those that were named, none.
        let added = store.add(certificate.map_err(|e| unusable(&e))?);
        if named.is_some() {
            added.map_err(|e| unusable(&e))?;
        }
    }
    if store.is_empty() { Err(unusable(&"there is no certificate in it")) } else { Ok(store) }
}

/// What a handshake that failed says: somebody else answers there, or nobody does.
pub(super) fn fault(error: &io::Error) -> Fault {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => Fault::NotTrusted(format!("certificate: {why}")),
        Some(other) => {
            let why: &dyn Error = other;
            Fault::NoConnection(format!("TLS: {why}"))
        }
        None => Fault::NoConnection(format!("TLS: {}", error.kind())),
    }
}
