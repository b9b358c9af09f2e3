//! TLS to PostgreSQL, by rustls.

use super::open_error::OpenError;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, InvalidDnsNameError, ServerName, UnixTime, pem::PemObject as _},
};
use std::{future::Future, io, path::Path, pin::Pin, sync::Arc, task};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

/// Where the system keeps its roots, unless the URL names others.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// Whom to believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Anybody: encryption without knowing with whom.
    Anybody,
    /// Whoever has a certificate of the roots.
    Roots,
    /// Whoever has one in the name of the host.
    RootsAndName,
}

/// Makes TLS of a connection.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Reads the roots if they are needed.
    pub(super) fn new(trust: Trust, roots: Option<&Path>) -> Result<Self, OpenError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let wrong = |e: Error| OpenError::File(format!("TLS to PostgreSQL cannot be set up: {e}"));
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(wrong)?;
        let config = match trust {
            Trust::RootsAndName => builder.with_root_certificates(read_roots(roots)?),
            Trust::Roots => {
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(read_roots(roots)?.into(), provider);
                let verifier = verifier
                    .build()
                    .map_err(|e| OpenError::File(format!("TLS to PostgreSQL cannot be set up: {e}")))?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Lenient::Name(verifier)))
            }
            Trust::Anybody => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Lenient::All(provider)))
            }
        };
        Ok(Self(Arc::new(config.with_no_client_auth())))
    }
}

/// What to do about a server whose certificate was refused, if it was.
pub(super) fn cure(e: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let inner = e.downcast_ref::<io::Error>()?.get_ref()?;
    Some(match inner.downcast_ref::<Error>()? {
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "use a host name that its certificate has, or sslmode=verify-ca",
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "renew its certificate"
        }
        Error::InvalidCertificate(_) => "name the root of its certificate with sslrootcert",
        _ => return None,
    })
}

fn read_roots(named: Option<&Path>) -> Result<RootCertStore, OpenError> {
    let system = || SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.exists());
    let path = named.or_else(system).ok_or_else(|| {
        OpenError::File("there are no root certificates on this system; name some with sslrootcert".into())
    })?;
    let unusable = |what: &dyn std::fmt::Display| {
        OpenError::File(format!("the root certificates in {} cannot be used: {what}", path.display()))
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

/// A verifier that leaves something out, as `sslmode` wants it.
#[derive(Debug)]
enum Lenient {
    /// The name.
    Name(Arc<WebPkiServerVerifier>),
    /// Everything but that the server has the key of its certificate.
    All(Arc<CryptoProvider>),
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self {
            Self::All(_) => Ok(ServerCertVerified::assertion()),
            Self::Name(verifier) => {
                match verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
                    // The name is looked at last, when everything else is well.
                    Err(Error::InvalidCertificate(
                        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                    )) => Ok(ServerCertVerified::assertion()),
                    verdict => verdict,
                }
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Self::Name(verifier) => verifier.verify_tls12_signature(message, certificate, signed),
            Self::All(provider) => rustls::crypto::verify_tls12_signature(
                message,
                certificate,
                signed,
                &provider.signature_verification_algorithms,
            ),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Self::Name(verifier) => verifier.verify_tls13_signature(message, certificate, signed),
            Self::All(provider) => rustls::crypto::verify_tls13_signature(
                message,
                certificate,
                signed,
                &provider.signature_verification_algorithms,
            ),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match self {
            Self::Name(verifier) => verifier.supported_verify_schemes(),
            Self::All(provider) => provider.signature_verification_algorithms.supported_schemes(),
        }
    }
}

/// One handshake to come.
pub(super) struct Handshake {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Encrypted<S>;
    type TlsConnect = Handshake;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, InvalidDnsNameError> {
        // A socket in the file system has no name, and no TLS.
        let host = if host.is_empty() { "localhost" } else { host };
        let name = ServerName::try_from(host.to_owned())?;
        Ok(Handshake { connector: TlsConnector::from(Arc::clone(&self.0)), name })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Handshake {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.connector.connect(self.name, stream).await.map(Encrypted) })
    }
}

/// An encrypted connection.
pub(super) struct Encrypted<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &[u8],
    ) -> task::Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
