//! `countersign serve`, as a process: what it refuses to start with, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::{Server, configured, countersign, ended};
use rustix::process::Signal;
use std::{fs, path::Path};

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
        "outbox_age_seconds",
        "verdicts_total",
        "connections_open",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    assert!(page.ends_with("# EOF\n") && page.matches("# EOF").count() == 1);
}
