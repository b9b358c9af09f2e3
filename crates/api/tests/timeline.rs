//! What happened to a challenge, over the wire (W16): by the same keys, with the same refusals, and never a code in it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects")]

use domain::{
    id::{ChallengeId, DeliveryId},
    receipt::Stage,
};
use serde_json::{Value, json};
use store::steps::note_receipt::{About, NoteReceipt};
use testkit::{Answered, KEY, TestServer};

const OTHER: &str = "sk_test_other";

async fn timeline(server: &TestServer, id: &str) -> Answered {
    server.call("GET", &format!("/countersign/challenges/{id}"), "").await
}

fn texts(answer: &Answered) -> Vec<String> {
    let lines = answer.json["timeline"].as_array().unwrap();
    lines
        .iter()
        .map(|line| format!("{}: {}", line["event"].as_str().unwrap(), line["text"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn w16_a_phone_whose_clock_is_slow_is_told_from_a_wrong_code() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"totp"}"#).await;
    let secret = factor.json["totp"]["secret"].as_str().unwrap().to_owned();
    let challenge = server.challenge(factor.text_of("id")).await;
    let id = challenge.text_of("id");
    let late = server.totp(&secret);
    server.clock().advance(90_000);
    let right = server.totp(&secret);
    let off = if right == "123456" { "654321" } else { "123456" };
    for (code, valid) in [(late.as_str(), false), ("12345", false), (off, false), (right.as_str(), true)] {
        assert_eq!(server.verify(id, code).await.json["valid"], valid, "{code}");
    }
    let told = timeline(&server, id).await;
    assert_eq!(told.status, 200, "{}", told.text);
    assert_eq!((told.text_of("state"), &told.json["attempts_used"]), ("verified", &json!(4)));
    let said = texts(&told);
    let slow =
        said[1].strip_prefix("wrong_code: wrong code: its step was ").unwrap_or_else(|| panic!("{said:?}"));
    let (seconds, rest) = slow.split_once(' ').unwrap();
    assert!((60..=90).contains(&seconds.parse::<u32>().unwrap()), "{slow}");
    assert_eq!(rest, "s old: typed late, or the phone's clock is slow");
    assert_eq!(said[0], "opened: the challenge was opened");
    assert_eq!(said[2], "wrong_code: wrong code: not six digits");
    assert_eq!(said[3], "wrong_code: wrong code");
    assert_eq!(said[4..], ["right_code: right code"]);
    for secret in [&late, &right, off, &secret] {
        assert!(!told.text.contains(secret), "{}", told.text);
    }
    // On the wire of verify nothing of it is told.
    let again = server.challenge(factor.text_of("id")).await;
    let wrong = server.verify(again.text_of("id"), &late).await;
    assert!(!wrong.text.contains("clock") && wrong.json.as_object().unwrap().len() == 2, "{}", wrong.text);
}

#[tokio::test]
async fn w16_a_text_is_told_with_its_provider_and_how_long_it_took() {
    let server = TestServer::start().await;
    let phone = server.enroll(r#"{"type":"sms","phone_number":"+14155550101"}"#).await;
    let challenge = server.challenge(phone.text_of("id")).await;
    let id = challenge.text_of("id");
    let before = timeline(&server, id).await;
    let delivery = before.json["deliveries"][0].clone();
    assert_eq!((&delivery["state"], &delivery["provider"]), (&json!("accepted"), &json!("phone")));
    server.clock().advance(4_200);
    let report = NoteReceipt {
        now: server.app().now().unwrap(),
        provider: "phone".into(),
        about: About::Ours(DeliveryId::parse(delivery["id"].as_str().unwrap()).unwrap()),
        message_id: None,
        stage: Stage::Delivered,
        reason: String::new(),
    };
    server.app().store().step(report).await.unwrap();
    let after = timeline(&server, id).await;
    assert_eq!(after.json["deliveries"][0]["state"], "delivered");
    assert_eq!(texts(&after), ["opened: the challenge was opened", "delivered: delivered after 4.2 s"]);
    let code = server.phone().latest_code();
    assert!(!after.text.contains(&code) && !after.text.contains("4155550101"), "{}", after.text);
    server.clock().advance(600_000);
    assert_eq!(timeline(&server, id).await.text_of("state"), "expired");
}

#[tokio::test]
async fn i12_a_challenge_of_another_environment_and_none_at_all_are_the_same_404() {
    let server = TestServer::start().await;
    server.environment("other", OTHER).await;
    let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
    let challenge = server.challenge(factor.text_of("id")).await;
    let (id, code) = (challenge.text_of("id").to_owned(), challenge.text_of("code").to_owned());
    assert!(
        !timeline(&server, &id).await.text.contains(&code),
        "not even the code that its caller was given"
    );
    let absent = ChallengeId::from_bytes([7; 16]).to_string();
    let path = |id: &str| format!("/countersign/challenges/{id}");
    let mut bodies = Vec::new();
    for (key, id) in [(OTHER, id.as_str()), (KEY, &absent), (KEY, "x"), (KEY, factor.text_of("id"))] {
        let answer = server.call_as(Some(key), "GET", &path(id), "").await;
        assert_eq!(
            (answer.status, answer.code(), answer.text_of("entity_id")),
            (404, "entity_not_found", id)
        );
        bodies.push(answer.text.replace(id, "ID"));
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    let nobody = server.call_as(None, "GET", &path(&id), "").await;
    assert_eq!((nobody.status, nobody.text.as_str()), (401, r#"{"message":"Unauthorized"}"#));
    server.key("sk_test_verifier", "verify").await;
    assert_eq!(server.call_as(Some("sk_test_verifier"), "GET", &path(&id), "").await.code(), "forbidden");
    assert_eq!(server.call("POST", &path(&id), "{}").await.status, 405);
    server.call("DELETE", &format!("/auth/factors/{}", factor.text_of("id")), "").await;
    assert_eq!(timeline(&server, &id).await.status, 404, "its factor is gone");
}

/// W16: never `null`, never a top-level `error` or `code`.
#[tokio::test]
async fn w16_the_timeline_is_written_as_every_other_answer() {
    let server = TestServer::start().await;
    let phone = server.enroll(r#"{"type":"sms","phone_number":"+14155550102"}"#).await;
    let challenge = server.challenge(phone.text_of("id")).await;
    let told = timeline(&server, challenge.text_of("id")).await;
    assert!(!told.text.contains("null"), "{}", told.text);
    assert!(told.json.get("error").is_none() && told.json.get("code").is_none());
    assert_eq!(told.header("content-type"), "application/json; charset=utf-8");
    let document: Value = serde_json::from_str(&countersign_api::openapi()).unwrap();
    let schemas = &document["components"]["schemas"];
    for (schema, value) in [("ChallengeTimeline", &told.json), ("Delivery", &told.json["deliveries"][0])] {
        let known = schemas[schema]["properties"].as_object().unwrap();
        assert!(value.as_object().unwrap().keys().all(|key| known.contains_key(key)), "{schema}");
        let required = schemas[schema]["required"].as_array().unwrap();
        assert!(
            required.iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
            "{schema}: {required:?}"
        );
    }
    server.set("strict_parameters", "true").await;
    let path = format!("/countersign/challenges/{}?x=1", challenge.text_of("id"));
    assert_eq!(server.call("GET", &path, "").await.code(), "invalid_request_parameters");
}
