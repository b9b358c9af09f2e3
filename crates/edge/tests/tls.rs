//! TLS over loopback: the handshake, ALPN, changing the certificate while serving, and clients that speak something else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop where it likes")]

mod common;

use common::{Client, GET, House, SHORT, eventually};
use countersign_edge::{Limits, TlsError, TlsFiles, TlsReloader};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use std::{fs, sync::Arc};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

struct Pair {
    folder: TempDir,
    files: TlsFiles,
}

impl Pair {
    fn new() -> (Self, CertificateDer<'static>) {
        let folder = TempDir::new().unwrap();
        let files =
            TlsFiles { certificate: folder.path().join("server.pem"), key: folder.path().join("server.key") };
        let pair = Self { folder, files };
        let certificate = pair.renew();
        (pair, certificate)
    }

    /// Writes a fresh certificate and key into the files.
    fn renew(&self) -> CertificateDer<'static> {
        let fresh = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(&self.files.certificate, fresh.cert.pem()).unwrap();
        fs::write(&self.files.key, fresh.signing_key.serialize_pem()).unwrap();
        fresh.cert.der().clone()
    }

    fn load(&self) -> TlsReloader {
        TlsReloader::load(self.files.clone()).unwrap()
    }
}

/// Connects, trusting these certificates only.
async fn connect(
    house: &House,
    trusted: &[&CertificateDer<'static>],
    protocols: &[&[u8]],
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add((*certificate).clone()).unwrap();
    }
    let mut config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = TcpStream::connect(house.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn the_client_chooses_the_protocol_by_alpn() {
    let (pair, certificate) = Pair::new();
    let house = House::open_with(Limits::default(), Some(pair.load()));
    let both: &[&[u8]] = &[b"h2", b"http/1.1"];
    for (offered, chosen) in [(both, Some(both[0])), (&both[1..], Some(both[1])), (&[], None)] {
        let stream = connect(&house, &[&certificate], offered).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen);
        if chosen == Some(b"h2") {
            let (mut sender, connection) = hyper::client::conn::http2::handshake(
                hyper_util::rt::TokioExecutor::new(),
                hyper_util::rt::TokioIo::new(stream),
            )
            .await
            .unwrap();
            tokio::spawn(connection);
            let request =
                axum::http::Request::get("https://localhost/").body(axum::body::Body::empty()).unwrap();
            assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
        } else {
            let mut client = Client::over(stream);
            assert_eq!(client.ask(GET).await.body, b"ok");
            assert_eq!(client.ask(GET).await.body, b"ok");
        }
    }
    assert_eq!(house.gauges.tls_failures_total(), 0);
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_the_open_ones_stay() {
    let (pair, first) = Pair::new();
    let reloader = pair.load();
    let house = House::open_with(Limits::default(), Some(reloader.clone()));
    let old = connect(&house, &[&first], &[]).await;
    assert_eq!(shown(&old), first);
    let mut old = Client::over(old);
    assert_eq!(old.ask(GET).await.status, 200);

    let second = pair.renew();
    assert_eq!(shown(&connect(&house, &[&first], &[]).await), first, "not before it is asked to");
    reloader.reload().unwrap();
    let fresh = connect(&house, &[&first, &second], &[]).await;
    assert_eq!(shown(&fresh), second);
    assert_eq!(Client::over(fresh).ask(GET).await.status, 200);
    assert_eq!(old.ask(GET).await.status, 200);
}

#[tokio::test]
async fn bad_files_are_named_and_the_old_certificate_stays() {
    let (pair, certificate) = Pair::new();
    let TlsFiles { certificate: chain, key } = &pair.files;
    let (good_chain, good_key) = (fs::read(chain).unwrap(), fs::read(key).unwrap());
    let reloader = pair.load();
    let house = House::open_with(Limits::default(), Some(reloader.clone()));
    let other = pair.folder.path().join("other.key");
    fs::write(&other, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let other_key = fs::read(&other).unwrap();
    let damaged = String::from_utf8(good_key.clone()).unwrap().replace("-----END", "secret-----END");

    let cases: [(&[u8], &[u8], &str); 7] = [
        (b"", &good_key, "server.pem: there is no certificate in it"),
        (&good_key, &good_key, "server.pem: there is no certificate in it"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n", &good_key, "server.pem: an END line is missing"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &good_key,
            "server.pem: the first certificate is malformed",
        ),
        (
            &good_chain,
            &good_chain,
            "server.key: there is no private key in it (an encrypted one cannot be used)",
        ),
        (&good_chain, damaged.as_bytes(), "server.key: "),
        (&good_chain, &other_key, "server.pem"),
    ];
    for (chain_now, key_now, words) in cases {
        fs::write(chain, chain_now).unwrap();
        fs::write(key, key_now).unwrap();
        let error = reloader.reload().unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(!format!("{error:?}").contains("secret"), "no error shows what is in a file");
        assert_eq!(shown(&connect(&house, &[&certificate], &[]).await), certificate);
    }
    assert!(matches!(reloader.reload().unwrap_err(), TlsError::Mismatch { .. }));

    fs::remove_file(chain).unwrap();
    let missing = reloader.reload().unwrap_err();
    assert!(matches!(&missing, TlsError::Unreadable { path, .. } if path == chain), "{missing}");
    assert!(TlsReloader::load(pair.files.clone()).is_err());
    fs::write(chain, vec![b'x'; (1 << 20) + 1]).unwrap();
    assert!(reloader.reload().unwrap_err().to_string().ends_with("it is larger than 1 MiB"));
    fs::write(chain, good_chain).unwrap();
    fs::write(key, good_key).unwrap();
    reloader.reload().unwrap();
}

#[tokio::test]
async fn garbage_on_the_tls_port_is_turned_away_and_harms_no_one() {
    let (pair, certificate) = Pair::new();
    let house = House::open_with(Limits::default(), Some(pair.load()));
    let truncated: &[u8] = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03";
    for garbage in [GET, &[0; 100], &[0xff; 5000], b"\x16\x03\x01\xff\xff", b"SSH-2.0-x\r\n\r\n", truncated] {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        let _ = stream.write_all(garbage).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "nothing but an alert");
    }
    eventually("all failed", || house.gauges.tls_failures_total() == 6).await;
    eventually("all closed", || house.gauges.open_connections() == 0).await;
    assert_eq!(Client::over(connect(&house, &[&certificate], &[]).await).ask(GET).await.status, 200);
}

#[tokio::test]
async fn a_handshake_that_does_not_move_is_cut() {
    let (pair, _) = Pair::new();
    let house = House::open_with(Limits { tls_handshake: SHORT, ..Limits::default() }, Some(pair.load()));
    let mut silent = house.client().await;
    let mut half = house.client().await;
    half.send(b"\x16\x03\x01\x02\x00\x01").await;
    assert!(silent.silence().await >= SHORT / 2);
    half.silence().await;
    eventually("counted", || house.gauges.tls_failures_total() == 2).await;
    assert_eq!(house.gauges.timed_out_total(), 2);
}
