//! `countersign dev`, as a process: keys that stay, helpers of W15, one process a folder, an end without loss.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::{Server, code_at, countersign, ended, run};
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt as _;

const EMULATORS: &str = "sk_test_default";

fn printed_key(server: &Server) -> String {
    let line =
        std::iter::from_fn(|| Some(server.line(|_| true))).find(|line| line.contains("API key")).unwrap();
    line.split_whitespace().find(|word| word.starts_with("sk_test_")).unwrap().to_owned()
}

#[test]
fn w15_the_printed_key_is_the_same_on_each_start_and_the_emulators_is_taken_too() {
    let folder = tempfile::tempdir().unwrap();
    let keys: Vec<String> = (0..2)
        .map(|_| {
            let server = Server::dev(folder.path(), &[]);
            let key = printed_key(&server);
            for key in [key.as_str(), EMULATORS] {
                assert_eq!(server.call("GET", "/countersign/dev/clock", key, "").0, 200);
            }
            assert_eq!(server.call("GET", "/countersign/dev/clock", "sk_test_other", "").0, 401);
            key
        })
        .collect();
    assert_eq!(keys[0], keys[1]);
    for file in ["master.key", "api-key", "control.sock", "countersign.db"] {
        let mode = std::fs::symlink_metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
}

#[test]
fn w15_a_message_is_read_from_the_mailbox_and_its_code_is_right_also_with_other_digits_around_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &["--api-key", "sk_test_mine"]);
    let key = "sk_test_mine";
    let (_, factor) =
        server.call("POST", "/auth/factors/enroll", key, r#"{"type":"sms","phone_number":"+14155550101"}"#);
    let path = format!("/auth/factors/{}/challenge", factor["id"].as_str().unwrap());
    let body = r#"{"sms_template":"Not 123456 but {{code}}, says 654321"}"#;
    let (status, challenge) = server.call("POST", &path, key, body);
    assert_eq!(status, 201, "{challenge}");
    let (_, list) = server.call("GET", "/countersign/dev/messages?to=%2B14155550101&limit=1", key, "");
    let message = &list["data"][0];
    assert_eq!(message["to"], "+14155550101");
    assert_eq!(message["channel"], "sms");
    assert_eq!(message["authentication_challenge_id"], challenge["id"]);
    assert_eq!(message["created_at"], challenge["created_at"]);
    let code = message["code"].as_str().unwrap();
    assert_eq!(message["body"].as_str().unwrap(), format!("Not 123456 but {code}, says 654321"));
    assert!(server.verify(key, challenge["id"].as_str().unwrap(), code));

    // Sends that fail.
    for (outcome, status) in [("refused", 503), ("rejected_number", 422), ("timeout", 201)] {
        let body = format!(r#"{{"sends":1,"outcome":"{outcome}"}}"#);
        assert_eq!(server.call("POST", "/countersign/dev/failures", key, &body).0, 204);
        assert_eq!(server.call("POST", &path, key, "").0, status, "{outcome}");
    }
    // A clean slate.
    assert_eq!(server.call("POST", "/countersign/dev/reset", key, "").0, 204);
    assert_eq!(
        server.call("GET", "/countersign/dev/messages", key, "").1["data"].as_array().unwrap().len(),
        0
    );
    assert_eq!(server.call("POST", &path, key, "").0, 404);
}

#[test]
fn w15_all_of_the_servers_time_moves_with_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &[]);
    let (factor, secret) = server.enroll(EMULATORS);
    let body = r#"{"set":"2031-05-06T07:08:09.000Z","frozen":true}"#;
    let (_, clock) = server.call("POST", "/countersign/dev/clock", EMULATORS, body);
    assert_eq!(clock["frozen"], true);
    let now = clock["now"].as_str().unwrap();
    assert!(now.starts_with("2031-05-06T07:08:09."));
    let challenge = server.challenge(EMULATORS, &factor);
    assert!(!server.verify(EMULATORS, &challenge, &code_at(&secret, "2031-05-06T08:00:00.000Z")));
    assert!(server.verify(EMULATORS, &challenge, &code_at(&secret, now)));
}

#[test]
fn w15_the_helpers_refuse_as_the_contract_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &[]);
    for (method, path, body, status, code) in [
        ("DELETE", "/countersign/dev/clock", "", 405, "method_not_allowed"),
        ("GET", "/countersign/dev/reset", "", 405, "method_not_allowed"),
        ("POST", "/countersign/dev/clock", "{", 400, "bad_request"),
        ("POST", "/countersign/dev/clock", "[1]", 422, "invalid_request_parameters"),
        ("POST", "/countersign/dev/clock", "{}", 422, "invalid_request_parameters"),
        (
            "POST",
            "/countersign/dev/failures",
            r#"{"sends":-1,"outcome":"lost"}"#,
            422,
            "invalid_request_parameters",
        ),
        ("GET", "/countersign/dev/messages?limit=0", "", 422, "invalid_request_parameters"),
        ("GET", "/countersign/dev/messages?to=nobody", "", 422, "invalid_request_parameters"),
        ("GET", "/countersign/dev/nothing", "", 404, "route_not_found"),
    ] {
        let (got, answer) = server.call(method, path, EMULATORS, body);
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{method} {path} {body}: {answer}");
    }
}

#[test]
fn the_page_needs_no_key_and_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::dev(folder.path(), &[]);
    let (status, page) = server.call_for_text("GET", "/", "", "");
    assert_eq!(status, 200);
    assert!(page.contains(&format!("http://{}", server.address)) && page.contains("sk_test_default"));
    for outside in ["src=", "<script", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_second_process_on_the_same_folder_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let _server = Server::dev(folder.path(), &[]);
    let mut second = countersign(&["dev", "--listen", "127.0.0.1:0", "--data"]);
    let (code, _, error) = ended(second.arg(folder.path()));
    assert_eq!(code, 1);
    assert!(error.contains("in use") && error.contains(&folder.path().display().to_string()), "{error}");
}

#[test]
fn a_wrong_command_line_is_named_and_other_machines_are_kept_out_unless_told_otherwise() {
    let (code, _, error) = run(&["dev", "--listen", "0.0.0.0:0"]);
    assert_eq!(code, 2);
    assert!(error.contains("--listen") && error.contains("--allow-remote"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    for (setting, named) in
        [("rate_limit", "NAME=VALUE"), ("rate_limt=5", "rate_limit"), ("rate_limit=x", "10000000")]
    {
        let mut command = countersign(&["dev", "--listen", "127.0.0.1:0", "--setting", setting, "--data"]);
        let (code, _, error) = ended(command.arg(folder.path()));
        assert!(code == 2 && error.contains("--setting") && error.contains(named), "{code} {error}");
    }
    let (code, _, error) = run(&["dev", "--api-key", "sk_live_x"]);
    assert_eq!(code, 2);
    assert!(error.contains("--api-key"), "{error}");
}

#[test]
fn sigterm_ends_it_with_0_and_what_was_answered_is_there_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::dev(folder.path(), &[]);
    assert_eq!(server.call("GET", "/readyz", "", "").0, 200);
    let (factor, _) = server.enroll(EMULATORS);
    server.signal(Signal::TERM);
    assert_eq!(server.end(), Some(0));
    assert!(!folder.path().join("control.sock").exists());
    let server = Server::dev(folder.path(), &[]);
    assert_eq!(server.call("GET", &format!("/auth/factors/{factor}"), EMULATORS, "").0, 200);
}

#[test]
fn a_second_signal_does_not_wait_for_requests_in_flight() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::dev(folder.path(), &[]);
    let mut slow = std::net::TcpStream::connect(server.address).unwrap();
    let head = "POST /auth/factors/enroll HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk_test_default\r\n";
    write!(slow, "{head}content-type: application/json\r\ncontent-length: 9\r\n\r\n{{").unwrap();
    // Another request is answered, so the slow one has been taken in.
    assert_eq!(server.call("GET", "/readyz", "", "").0, 200);
    let began = std::time::Instant::now();
    server.signal(Signal::TERM);
    server.line(|line| line.contains("stopping"));
    server.signal(Signal::HUP);
    server.line(|line| line.contains("SIGHUP"));
    server.signal(Signal::INT);
    assert_eq!(server.end(), Some(0));
    assert!(began.elapsed() < std::time::Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn the_demo_plays_the_phone_and_ends_in_valid_true() {
    let (code, out, error) = run(&["demo", "--auto"]);
    assert_eq!((code, out.trim_end().ends_with("valid: true")), (0, true), "{out}{error}");
    assert!(out.contains("█") && !out.contains('\x1b'));
}

#[test]
fn the_demo_says_that_a_code_is_wrong_and_asks_again() {
    use std::{io::Write as _, process::Stdio};
    let mut command = countersign(&["demo"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hello\n\nworld\n").unwrap();
    let done = child.wait_with_output().unwrap();
    let out = String::from_utf8(done.stdout).unwrap();
    assert_eq!(out.matches("valid: false").count(), 2, "{out}");
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8(done.stderr).unwrap().contains("no code was given"));
}
