//! Whole and half-finished flows against a server, then a search through everything it leaves: nothing secret is
//! readable in its files, its log, its metrics or in later answers (I10, F46, F47, F52).

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "../common/mod.rs"]
mod common;
mod forms;

use common::{Server, ask, code_at, countersign};
use forms::{Canary, search, search_folder};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};

/// Files of dev mode that hold a secret, and are there for that.
const KEPT: [&str; 2] = ["master.key", "api-key"];

struct Scene {
    server: Server,
    key: String,
    canaries: Vec<Canary>,
    requests: u32,
    /// Later answers, which may hold nothing secret either.
    answers: String,
}

impl Scene {
    fn canary(&mut self, what: &str, value: impl AsRef<[u8]>) {
        self.canaries.push(Canary::new(what, value.as_ref()));
    }

    fn post(&mut self, path: &str, body: &Value) -> Value {
        self.requests += 1;
        // Each has a key of its own, so that its answer is remembered, sealed.
        let more = format!("idempotency-key: request-{}\r\n", self.requests);
        let (status, text) = self.server.call_with("POST", path, &self.key, &more, &body.to_string());
        assert_eq!(status, 201, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    fn read(&mut self, path: &str) {
        let (status, text) = self.server.call_for_text("GET", path, &self.key, "");
        assert_eq!(status, 200, "{path}: {text}");
        self.answers += &text;
    }

    fn now(&self) -> String {
        self.server.call("GET", "/countersign/dev/clock", &self.key, "").1["now"].as_str().unwrap().to_owned()
    }

    /// A TOTP factor: its id, its first challenge, its secret.
    fn totp(&mut self, user: &str, secret: Option<&str>) -> (String, String, String) {
        let path = format!("/user_management/users/{user}/auth_factors");
        let enrolled = self.post(&path, &json!({"type": "totp", "totp_secret": secret}));
        let text = |place: &str| enrolled.pointer(place).unwrap().as_str().unwrap().to_owned();
        let secret = text("/authentication_factor/totp/secret");
        let seed = secrets::TotpSeed::import_base32(&secret).unwrap();
        self.canary("a seed", seed.as_bytes());
        self.canary("a secret as it is shown", &secret);
        self.canary("a picture", &text("/authentication_factor/totp/qr_code")[40..]);
        (text("/authentication_factor/id"), text("/authentication_challenge/id"), secret)
    }

    fn factor(&mut self, body: &Value) -> String {
        self.post("/auth/factors/enroll", body)["id"].as_str().unwrap().to_owned()
    }

    /// A challenge, and its code as the caller or the phone gets it.
    fn challenge(&mut self, factor: &str) -> (String, String) {
        let challenge = self.post(&format!("/auth/factors/{factor}/challenge"), &json!({}));
        let id = challenge["id"].as_str().unwrap().to_owned();
        let code = challenge["code"].as_str().map(str::to_owned).unwrap_or_else(|| {
            let messages = self.server.call("GET", "/countersign/dev/messages?limit=1", &self.key, "").1;
            assert_eq!(messages["data"][0]["authentication_challenge_id"], id.as_str());
            messages["data"][0]["code"].as_str().unwrap().to_owned()
        });
        self.canary("a code", &code);
        (id, code)
    }

    fn verify(&mut self, challenge: &str, code: &str, valid: bool) {
        let answer = self.post(&format!("/auth/challenges/{challenge}/verify"), &json!({"code": code}));
        assert_eq!(answer["valid"], valid);
        self.answers += &answer["challenge"].to_string().replace(code, "");
    }
}

/// Flows that come to their end, with mistakes on the way.
fn finished(scene: &mut Scene, number: &str) {
    for secret in [None, Some("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")] {
        let (factor, challenge, secret) = scene.totp("u-finished", secret);
        let right = code_at(&secret, &scene.now());
        scene.canary("a TOTP code", &right);
        scene.canary("a wrong code", "908172-canary");
        scene.verify(&challenge, "908172-canary", false);
        scene.verify(&challenge, &right, true);
        let again = scene.post(&format!("/auth/factors/{factor}/challenge"), &json!({}));
        scene.verify(again["id"].as_str().unwrap(), &right, false);
        scene.read(&format!("/auth/factors/{factor}"));
    }
    for body in [json!({"type": "generic_otp"}), json!({"type": "sms", "phone_number": number})] {
        let factor = scene.factor(&body);
        let (challenge, code) = scene.challenge(&factor);
        scene.verify(&challenge, &code, true);
        let (status, _) = scene.server.call("DELETE", &format!("/auth/factors/{factor}"), &scene.key, "");
        assert_eq!(status, 204);
    }
    scene.read("/user_management/users/u-finished/auth_factors");
}

/// Flows that somebody walks away from: enrolled and never verified, challenged and never answered.
fn abandoned(scene: &mut Scene, number: &str) {
    let (_, _, secret) = scene.totp("u-abandoned", None);
    let code = code_at(&secret, &scene.now());
    scene.canary("a TOTP code nobody handed in", &code);
    for body in [json!({"type": "generic_otp"}), json!({"type": "sms", "phone_number": number})] {
        let factor = scene.factor(&body);
        scene.challenge(&factor);
        let (challenge, _) = scene.challenge(&factor);
        scene.canary("a wrong code", "canary-563412");
        scene.verify(&challenge, "canary-563412", false);
    }
    scene.read("/user_management/users/u-abandoned/auth_factors");
}

/// Requests that are refused, with secrets where they do not belong. Their answers may hold nothing of them.
fn refused(scene: &mut Scene) {
    for (path, body, status) in [
        ("/auth/factors/enroll", r#"{"type":"totp","totp_secret":"REFUSEDSEEDCANARY""#, 400),
        ("/auth/factors/enroll", r#"{"type":"canary-type-7731","totp_secret":"REFUSEDSEEDCANARY"}"#, 422),
        ("/auth/challenges/x/verify", r#"{"code":"778899-canary","code":"778899-canary"}"#, 400),
        ("/auth/challenges/x/verify", r#"{"code":"778899-canary"}"#, 404),
        ("/auth/factors/verify", r#"{"authentication_challenge_id":["778899-canary"],"code":9}"#, 422),
        (
            "/user_management/users/u/auth_factors",
            r#"{"type":"totp","totp_secret":"REFUSEDSEEDCANARY1"}"#,
            422,
        ),
    ] {
        let (got, text) = scene.server.call_for_text("POST", path, &scene.key, body);
        assert_eq!(got, status, "{path}: {text}");
        scene.answers += &text;
    }
    for canary in ["REFUSEDSEEDCANARY", "canary-type-7731", "778899-canary"] {
        scene.canary("what was refused", canary);
    }
    let stranger = "sk_test_stranger0canary0key";
    scene.canary("a key that is none", stranger);
    let (got, text) = scene.server.call_for_text("GET", "/auth/factors/x", stranger, "");
    assert_eq!(got, 401);
    scene.answers += &text;
}

/// F46, F47, F52: everything is put in, and everything it leaves is searched, at the most talkative level.
#[test]
fn f46_whole_and_half_finished_flows_leave_nothing_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = free_address();
    let mut command = countersign(&["dev", "--listen", "127.0.0.1:0", "--metrics-listen"]);
    command.arg(metrics.to_string()).arg("--data").arg(folder.path()).env("RUST_LOG", "trace");
    let server = Server::dev_of(&mut command);
    let create = ask(folder.path(), &["api-key", "create"]);
    let key = create["key"].as_str().unwrap().to_owned();
    let mut scene = Scene { server, key, canaries: Vec::new(), requests: 0, answers: String::new() };

    let numbers = ["+14155550137", "+14155550142"];
    finished(&mut scene, numbers[0]);
    abandoned(&mut scene, numbers[1]);
    refused(&mut scene);
    // Answers show numbers; nothing else does.
    let shown = search("answers", scene.answers.as_bytes(), &scene.canaries);
    let key = scene.key.clone();
    scene.canary("an API key", &key);
    for number in numbers {
        scene.canary("a number", number.trim_start_matches('+'));
    }
    for file in KEPT {
        let secret = std::fs::read_to_string(folder.path().join(file)).unwrap();
        scene.canary(file, secret.trim());
    }
    assert!(scene.canaries.len() > 30, "{}", scene.canaries.len());

    let page = {
        let api = std::mem::replace(&mut scene.server.address, metrics);
        let page = scene.server.call_for_text("GET", "/metrics", "", "").1;
        scene.server.address = api;
        page
    };
    assert!(page.contains("verdicts_total"));
    let mut found = [shown, search("metrics", page.as_bytes(), &scene.canaries)].concat();
    let trail = ask(folder.path(), &["events", "list"]).to_string();
    assert!(trail.contains("verification"), "{trail}");
    found.extend(search("the trail", trail.as_bytes(), &scene.canaries));
    // While it runs, with the log of the database beside it, and after its end.
    let (bytes, running) = search_folder(folder.path(), &KEPT, &scene.canaries);
    assert!(bytes > 100_000, "there is a database and its log, {bytes} bytes");
    found.extend(running);
    scene.server.signal(Signal::TERM);
    assert_eq!(scene.server.end(), Some(0));
    found.extend(search_folder(folder.path(), &KEPT, &scene.canaries).1);

    let said = scene.server.said();
    assert!(said.contains("/auth/factors/enroll") && said.len() > 10_000, "it was talkative: {}", said.len());
    // Dev mode shows its own key on the first screen: that is how it is told.
    let log: Vec<&str> = said.lines().filter(|line| !shows_the_key(line)).collect();
    found.extend(search("the log", log.join("\n").as_bytes(), &scene.canaries));
    assert_eq!(found, [""; 0]);
    // What is no secret is found, or this search would find nothing at all.
    let user = [Canary::new("a user", b"u-abandoned")];
    assert!(!search_folder(folder.path(), &[], &user).1.is_empty());
}

/// A line of the first screen.
fn shows_the_key(line: &str) -> bool {
    ["  API key", "curl http", "WORKOS_API_KEY="].iter().any(|begin| line.starts_with(begin))
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
