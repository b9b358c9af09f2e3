//! TLS to a provider: its name has to be in a certificate of somebody we trust.

use crate::{
    double::{Reply, serve},
    kind, send,
};
use countersign_delivery::{
    Sender as _,
    generic::{Generic, Options},
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A provider whose certificate names `name`. Answers its port, its certificate's file, and what it was sent.
async fn provider(name: &str) -> (u16, PathBuf, Arc<Mutex<Vec<crate::double::Request>>>, tempfile::TempDir) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                serve(stream, &kept, &|_: &crate::double::Request| Reply::Json(201, "{}".into())).await;
            });
        }
    });
    (port, file, seen, folder)
}

fn sender(host: &str, port: u16, roots: Option<&PathBuf>) -> Generic {
    let url = format!("https://{host}:{port}/?n={{{{to}}}}&t={{{{text}}}}");
    let options = Options { url, ..Options::default() };
    Generic::new(options, Duration::from_secs(5), roots.map(PathBuf::as_path)).unwrap()
}

#[tokio::test]
async fn f60_nothing_goes_to_a_provider_whose_certificate_is_for_another_name_or_of_a_stranger() {
    let (port, roots, seen, _folder) = provider("localhost").await;
    let good = sender("localhost", port, Some(&roots));
    assert_eq!(kind(&send(&good, "+14155550101").await), "accepted");
    assert!(good.check().await.is_ok());
    assert_eq!(seen.lock().unwrap().len(), 1);

    let (port, roots, seen, _folder) = provider("sms.example.com").await;
    let (_, strangers, _, _other) = provider("localhost").await;
    for (host, roots) in [("localhost", &roots), ("127.0.0.1", &roots), ("localhost", &strangers)] {
        let wrong = sender(host, port, Some(roots));
        let sent = send(&wrong, "+14155550101").await;
        assert_eq!(kind(&sent), "unusable", "{host}: surely not sent, and not tried again: {sent:?}");
        assert!(wrong.check().await.unwrap_err().contains("certificate"));
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_provider_that_does_not_speak_tls_gets_nothing() {
    let double = crate::double::Double::new(|_| Reply::Json(201, "{}".into())).await;
    let (_, roots, _, _folder) = provider("localhost").await;
    let port = double.url.rsplit(':').next().unwrap().parse().unwrap();
    let plain = sender("localhost", port, Some(&roots));
    assert_eq!(kind(&send(&plain, "+14155550101").await), "busy");
    assert!(double.seen().is_empty());
}
