//! `countersign serve`, as a process: what it refuses to start with, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::{Server, configured, countersign, ended};
use rustix::process::Signal;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

/// A key of a new environment.
fn key_in(config: &Path) -> String {
    let at = ["--config", config.to_str().unwrap()];
    assert_eq!(ended(countersign(&["environment", "create", "shop"]).args(at)).0, 0);
    let made = ended(countersign(&["api-key", "create", "--json"]).args(at)).1;
    serde_json::from_str::<serde_json::Value>(&made).unwrap()["key"].as_str().unwrap().to_owned()
}

fn refused(config: &Path) -> String {
    let mut said = Vec::new();
    for command in ["serve", "check-config"] {
        let (code, _, error) = ended(countersign(&[command, "--config"]).arg(config));
        assert_eq!(code, 2, "{command}: {error}");
        said.push(error);
    }
    assert_eq!(said[0], said[1], "check-config says what serve says");
    said.swap_remove(0)
}

#[test]
fn it_does_not_start_without_a_master_key_or_with_one_that_others_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let config = configured(folder.path(), "", 0o644);
    let error = refused(&config);
    assert!(error.contains("master.key") && error.contains("0644") && error.contains("chmod 600"), "{error}");
    fs::write(&config, format!("data = '{}'", folder.path().join("data").display())).unwrap();
    let error = refused(&config);
    assert!(error.contains("COUNTERSIGN_MASTER_KEY_FILE") && error.contains("keys generate"), "{error}");
    assert!(!folder.path().join("data").exists(), "nothing is made before that");
}

#[test]
fn a_wrong_configuration_names_key_place_and_fix_and_exits_2() {
    let folder = tempfile::tempdir().unwrap();
    let config = configured(folder.path(), "", 0o600);
    let good = fs::read_to_string(&config).unwrap();
    for (more, named) in [
        ("lisen = 1", ["line 4", "lisen", "listen"]),
        ("metrics_listen = 9", ["line 4", "metrics_listen", "integer"]),
        ("[log]\nformat = 'xml'", ["line 5", "xml", "json"]),
        ("[tls]\ncertificate = '/none.pem'\nkey = '/none.pem'", ["tls", "/none.pem", "No such file"]),
    ] {
        fs::write(&config, format!("{good}{more}")).unwrap();
        let (code, _, error) = ended(countersign(&["check-config", "--config"]).arg(&config));
        assert_eq!(code, 2, "{error}");
        assert!(named.iter().all(|part| error.contains(part)), "{named:?} is not in {error}");
    }
    let error = refused(&folder.path().join("none.toml"));
    assert!(error.contains("--config") && error.contains("none.toml"), "{error}");
    let (code, ..) = ended(&mut countersign(&["serve"]));
    assert_eq!(code, 2);
}

#[test]
fn it_serves_logs_one_json_line_a_request_and_ends_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let config = configured(folder.path(), "", 0o600);
    let (code, out, _) = ended(countersign(&["check-config", "--config"]).arg(&config));
    assert!(code == 0 && out.contains("is good"), "{out}");
    let at = ["--json", "--config", config.to_str().unwrap()];
    let ask = |args: &[&str]| {
        let (code, out, error) = ended(countersign(args).args(at));
        assert_eq!(code, 0, "{error}");
        serde_json::from_str::<serde_json::Value>(&out).unwrap()
    };
    // Before the first start: on the store itself.
    ask(&["environment", "create", "shop", "--live"]);
    let mut server = Server::serve(&config);
    let key = ask(&["api-key", "create"])["key"].as_str().unwrap().to_owned();
    let (_, secret) = server.enroll(&key);
    let line = server.line(|line| line.contains("/auth/factors/enroll"));
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&told["status"], told["request_id"].as_str().unwrap().len()), (&201.into(), 36), "{line}");
    assert!(!line.contains(&secret) && !line.contains(&key));
    // What only dev mode has is not here.
    assert_eq!(server.call("GET", "/countersign/dev/messages", &key, "").0, 404);
    assert_eq!(server.call("GET", "/", &key, "").0, 404);
    assert_eq!(server.call("GET", "/auth/factors/x", "sk_test_default", "").0, 401);
    // Nobody sends messages: an SMS challenge says so, and leaves nothing.
    let (_, sms) =
        server.call("POST", "/auth/factors/enroll", &key, r#"{"type":"sms","phone_number":"+14155550101"}"#);
    let path = format!("/auth/factors/{}/challenge", sms["id"].as_str().unwrap());
    assert_eq!(server.call("POST", &path, &key, "").1["code"], "sms_delivery_failed");
    server.signal(Signal::TERM);
    assert_eq!(server.end(), Some(0));
}

#[test]
fn metrics_have_a_listener_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = free.local_addr().unwrap();
    drop(free);
    let config = configured(folder.path(), &format!("metrics_listen = '{metrics}'"), 0o600);
    let mut server = Server::serve(&config);
    assert_eq!(server.call("GET", "/metrics", "", "").0, 404);
    server.call("POST", "/auth/factors/enroll", "sk_live_x", "{}");
    server.address = metrics;
    let (status, page) = server.call_for_text("GET", "/metrics", "", "");
    assert_eq!(status, 200);
    for part in [
        r#"http_requests_total{route="/auth/factors/enroll",method="POST",status="401"} 1"#,
        "store_commit_duration_seconds_bucket{le=\"+Inf\"}",
        "store_queue_depth ",
        "requests_in_work 0",
        "requests_in_line 0",
        "requests_shed_total 0",
        "outbox_age_seconds",
        "verdicts_total",
        "connections_open",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    assert!(page.ends_with("# EOF\n") && page.matches("# EOF").count() == 1);
}

/// The certificate that is shown to a new connection, which trusts `trusted` only.
fn shown(address: SocketAddr, trusted: &CertificateDer<'static>) -> Result<CertificateDer<'static>, String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).map_err(|e| e.to_string())?;
    }
    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    Ok(tls.peer_certificates().unwrap()[0].clone())
}

#[test]
fn sighup_makes_new_connections_see_the_certificate_as_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let renew = || {
        let fresh = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(&certificate, fresh.cert.pem()).unwrap();
        fs::write(&key, fresh.signing_key.serialize_pem()).unwrap();
        fresh.cert.der().clone()
    };
    let first = renew();
    let tls = format!("[tls]\ncertificate = '{}'\nkey = '{}'", certificate.display(), key.display());
    let config = configured(folder.path(), &tls, 0o600);
    let mut server = Server::serve(&config);
    assert_eq!(shown(server.address, &first).unwrap(), first);

    let second = renew();
    assert_eq!(shown(server.address, &first).unwrap(), first, "not before it is asked to");
    server.signal(Signal::HUP);
    server.line(|line| line.contains("SIGHUP"));
    assert_eq!(shown(server.address, &second).unwrap(), second);
    assert!(shown(server.address, &first).is_err());

    // What does not fit changes nothing.
    fs::write(&key, "no key").unwrap();
    server.signal(Signal::HUP);
    let line = server.line(|line| line.contains("SIGHUP"));
    assert!(line.contains("stays as it was") && line.contains("ERROR"), "{line}");
    assert_eq!(shown(server.address, &second).unwrap(), second);
    server.signal(Signal::TERM);
    assert_eq!(server.end(), Some(0));
}

/// An error of writing, from the system itself: no file of the process may grow any more. The signal that goes with it is
/// ignored, as it is for whoever is started so.
#[test]
fn a_store_that_can_no_longer_be_trusted_ends_the_process_with_1_and_a_line_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = configured(folder.path(), "", 0o600);
    let key = key_in(&config);
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; exec \"$0\" serve --config \"$1\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_countersign")]).arg(&config);
    let mut server = Server::serve_with(&mut command);
    let (factor, _) = server.enroll(&key);
    server.limit_files_to(0);
    // Told 503, or nothing if the end comes first; never that it was done.
    let answer = server.try_call("POST", &format!("/auth/factors/{factor}/challenge"), &key, "", "");
    assert!(answer.is_none_or(|(status, _)| status == 503));
    let line = server.line(|line| line.contains("can no longer be trusted"));
    assert!(line.contains("ERROR") && line.contains("COMMIT failed"), "{line}");
    assert_eq!(server.end(), Some(1));
    // The next start recovers, and what was answered is there.
    let server = Server::serve(&config);
    assert_eq!(server.call("GET", &format!("/auth/factors/{factor}"), &key, "").0, 200);
}

/// Fault 15, with those who would hold a stop up: clients that say nothing, that never finish a request, and that take no
/// answer. None of them costs the process its five seconds.
#[test]
fn fault_15_a_stop_ends_the_process_within_5_s_whoever_is_connected() {
    let folder = tempfile::tempdir().unwrap();
    let config = configured(folder.path(), "", 0o600);
    let key = key_in(&config);
    let mut server = Server::serve(&config);
    let client = |said: &str| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        stream
    };
    let ask = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut idle = client(ask);
    assert!(idle.read(&mut [0; 1]).unwrap() == 1, "it has been served, and is kept");
    let enroll = format!("POST /auth/factors/enroll HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n");
    let kept = [
        client(""),
        client("GET /healthz HT"),
        client(&format!("{enroll}content-type: application/json\r\ncontent-length: 90\r\n\r\n{{")),
        // It asks for far more than the buffers of both sides hold, and reads nothing.
        client(&"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(400)),
    ];
    // Behind the others in the order of acceptance: once it is answered, they are being served.
    assert_eq!(server.call("GET", "/healthz", "", "").0, 200);
    let began = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.end(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let told = server.said();
    let stopped = told.lines().find(|line| line.contains("\"stopped\"")).unwrap();
    let stopped: serde_json::Value = serde_json::from_str(stopped).unwrap();
    // Only what is under way and does not move is cut: the last two.
    assert_eq!((&stopped["finished"], &stopped["cut"]), (&3.into(), &2.into()), "{stopped}");
    drop(kept);
}
