//! What the binary may count, and that every door to a verdict is the one door (I11).
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use app::Verified;
use countersign_api::{Hooks, RequestDone, Watch};
use serde_json::json;
use std::sync::{Arc, Mutex};
use testkit::TestServer;

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(String, u16)>>>, Arc<Mutex<Vec<bool>>>);

impl Watch for Seen {
    fn on_request(&self, done: &RequestDone<'_>) {
        assert_eq!(done.request_id.len(), 36);
        self.0.lock().unwrap().push((format!("{} {}", done.method, done.route), done.status));
    }

    fn on_verdict(&self, verdict: &Verified) {
        self.1.lock().unwrap().push(verdict.valid);
    }
}

#[tokio::test]
async fn requests_are_told_by_template_and_never_by_path() {
    let seen = Seen::default();
    let server = TestServer::start_with(Hooks::new(seen.clone())).await;
    server.call("GET", "/auth/factors/secret?secret", "").await;
    server.call("GET", "/secret", "").await;
    server.call("PUT", "/auth/factors/secret", "").await;
    server.call_as(None, "GET", "/openapi.json", "").await;
    let expected = [
        ("GET /auth/factors/{id}", 404),
        ("GET unmatched", 404),
        ("PUT unmatched", 405),
        ("GET /openapi.json", 200),
    ];
    assert_eq!(*seen.0.lock().unwrap(), expected.map(|(route, status)| (route.to_owned(), status)));
}

/// What was told of a trace: whether there is a context and a known caller, the verdict, how many steps.
type Told = Option<(bool, bool, Option<bool>, usize)>;

/// Whether it asks for traces, and what it was told of them.
#[derive(Clone)]
struct Tracing(bool, Arc<Mutex<Vec<Told>>>);

impl Watch for Tracing {
    fn traces(&self) -> bool {
        self.0
    }

    fn on_request(&self, done: &RequestDone<'_>) {
        let told = done.trace.map(|trace| {
            assert!(trace.steps.iter().all(|step| step.asked <= step.begun.unwrap() && step.durable));
            let verdict = trace.verdict.map(|verdict| verdict.valid);
            (trace.context.is_some(), trace.caller.is_some(), verdict, trace.steps.len())
        });
        self.1.lock().unwrap().push(told);
    }
}

#[tokio::test]
async fn a_trace_is_told_to_whoever_asks_for_it_and_only_a_key_makes_a_context_count() {
    for asked in [true, false] {
        let seen = Tracing(asked, Arc::default());
        let server = TestServer::start_with(Hooks::new(seen.clone())).await;
        let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
        let challenge = server.challenge(factor.text_of("id")).await;
        let path = format!("/auth/challenges/{}/verify", challenge.text_of("id"));
        let body = json!({"code": challenge.text_of("code")}).to_string();
        seen.1.lock().unwrap().clear();
        for key in ["Bearer sk_test_default", "Bearer sk_test_unknown"] {
            let headers = [("authorization", key), ("traceparent", "00-a"), ("idempotency-key", "one")];
            server.send("POST", &path, &headers, body.clone()).await;
            server.send("POST", &path, &headers, body.clone()).await;
        }
        let (fresh, repeated) = (Some((true, true, Some(true), 1)), Some((true, true, None, 1)));
        let stranger = Some((false, false, None, 0));
        let told = if asked { vec![fresh, repeated, stranger, stranger] } else { vec![None; 4] };
        assert_eq!(*seen.1.lock().unwrap(), told);
    }
}

#[tokio::test]
async fn i11_every_route_that_gives_a_verdict_goes_through_the_one_door_and_tells_it_once() {
    let seen = Seen::default();
    let server = TestServer::start_with(Hooks::new(seen.clone())).await;
    let document: serde_json::Value = serde_json::from_str(&countersign_api::openapi()).unwrap();
    let mut doors = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        // A verdict is told by whoever answers with `valid`; the document says which routes those are.
        if !item.to_string().contains("VerifyAnswer") {
            continue;
        }
        doors += 1;
        let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
        let challenge = server.challenge(factor.text_of("id")).await;
        let id = challenge.text_of("id");
        let path = path.replace("{id}", id);
        for (code, valid) in [("wrong", false), (challenge.text_of("code"), true)] {
            let body = json!({"authentication_challenge_id": id, "code": code}).to_string();
            let headers = [("authorization", "Bearer sk_test_default"), ("idempotency-key", code)];
            for _ in 0..2 {
                let answer = server.send("POST", &path, &headers, body.clone()).await;
                assert_eq!(answer.json["valid"], valid, "{path}");
            }
        }
        assert_eq!(std::mem::take(&mut *seen.1.lock().unwrap()), [false, true], "repeats are not told again");
    }
    assert_eq!(doors, 2);
}
