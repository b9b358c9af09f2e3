//! Repeated requests and `Idempotency-Key` (W7).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects")]

use serde_json::json;
use testkit::{Answered, TestServer};

async fn post(server: &TestServer, path: &str, body: &str, key: &str) -> Answered {
    let headers = [("authorization", "Bearer sk_test_default"), ("idempotency-key", key)];
    server.send("POST", path, &headers, body.to_owned()).await
}

#[tokio::test]
async fn w7_the_same_request_with_the_same_key_is_done_once() {
    let server = TestServer::start().await;
    let body = r#"{"type":"totp","user_id":"u"}"#;
    let first = post(&server, "/auth/factors/enroll", body, "one").await;
    let second = post(&server, "/auth/factors/enroll", body, "one").await;
    assert_eq!((first.status, &first.text), (second.status, &second.text));
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    let other_key = post(&server, "/auth/factors/enroll", body, "two").await;
    let other_body = post(&server, "/auth/factors/enroll", r#"{"type":"totp","user_id":"v"}"#, "one").await;
    assert!(
        first.text_of("id") != other_key.text_of("id") && first.text_of("id") != other_body.text_of("id")
    );
    let list = server.call("GET", "/user_management/users/u/auth_factors", "").await;
    assert_eq!(list.json["data"].as_array().unwrap().len(), 2);
    server.clock().advance(120_000);
    let later = post(&server, "/auth/factors/enroll", body, "one").await;
    assert_ne!(first.text_of("id"), later.text_of("id"));
}

#[tokio::test]
async fn w7_a_user_who_typed_once_is_charged_once() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
    let challenge = server.challenge(factor.text_of("id")).await;
    let path = format!("/auth/challenges/{}/verify", challenge.text_of("id"));
    for _ in 0..9 {
        assert_eq!(post(&server, &path, r#"{"code":"wrong"}"#, "a").await.json["valid"], false);
    }
    let right = json!({"code": challenge.text_of("code")}).to_string();
    let first = post(&server, &path, &right, "b").await;
    assert_eq!(first.json["valid"], true);
    assert_eq!(post(&server, &path, &right, "b").await.text, first.text);
    let anew = post(&server, &path, &right, "c").await;
    assert_eq!(anew.code(), "authentication_challenge_previously_verified");
}

#[tokio::test]
async fn w7_without_a_usable_key_every_attempt_counts() {
    let server = TestServer::start().await;
    let derived = format!("retry-{}", "0123456789abcdef".repeat(4));
    let unusable = [derived.clone(), "x".repeat(256), "a b".to_owned(), String::new()];
    for key in unusable {
        let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
        let challenge = server.challenge(factor.text_of("id")).await;
        let path = format!("/auth/challenges/{}/verify", challenge.text_of("id"));
        for _ in 0..5 {
            assert_eq!(post(&server, &path, r#"{"code":"wrong"}"#, &key).await.status, 201, "{key}");
        }
        assert_eq!(post(&server, &path, r#"{"code":"wrong"}"#, &key).await.status, 400, "{key}");
    }
    // Kotlin's key is the same for every "challenge this factor".
    let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
    let path = format!("/auth/factors/{}/challenge", factor.text_of("id"));
    let first = post(&server, &path, "{}", &derived).await;
    let second = post(&server, &path, "{}", &derived).await;
    assert_ne!(first.text_of("id"), second.text_of("id"));
}

#[tokio::test]
async fn w7_one_call_is_one_message() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"sms","phone_number":"+14155550103"}"#).await;
    let path = format!("/auth/factors/{}/challenge", factor.text_of("id"));
    let (first, second) = tokio::join!(post(&server, &path, "{}", "k"), post(&server, &path, "{}", "k"));
    assert_eq!((first.status, &first.text), (201, &second.text));
    assert_eq!(server.phone().messages().len(), 1);
}

#[tokio::test]
async fn w7_404_and_422_are_remembered_and_a_lock_is_not() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
    let mut challenge = server.challenge(factor.text_of("id")).await;
    let path = |challenge: &Answered| format!("/auth/challenges/{}/verify", challenge.text_of("id"));
    for n in 0..10 {
        if n == 5 {
            challenge = server.challenge(factor.text_of("id")).await;
        }
        server.verify(challenge.text_of("id"), "1").await;
    }
    challenge = server.challenge(factor.text_of("id")).await;
    let right = json!({"code": challenge.text_of("code")}).to_string();
    assert_eq!(post(&server, &path(&challenge), &right, "k").await.status, 429);
    server.clock().advance(30_000);
    assert_eq!(post(&server, &path(&challenge), &right, "k").await.json["valid"], true);
    let used = post(&server, &path(&challenge), &right, "l").await;
    assert_eq!(used.status, 422);
    server.call("DELETE", &format!("/auth/factors/{}", factor.text_of("id")), "").await;
    assert_eq!(post(&server, &path(&challenge), &right, "l").await.text, used.text);
    assert_eq!(post(&server, &path(&challenge), &right, "m").await.status, 404);
}
