//! What ids open, what half-finished flows leave, and what answers give away (F34, F46, F50).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects")]

use serde_json::{Value, json};
use testkit::{Answered, KEY, TestServer};

const OTHER: &str = "sk_test_other";

/// Every route with these ids in the places of its own.
fn routes(factor: &str, challenge: &str, user: &str) -> Vec<(&'static str, String, String)> {
    let document: Value = serde_json::from_str(&countersign_api::openapi()).unwrap();
    let mut routes = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        let id = if template.contains("/challenges/") { challenge } else { factor };
        let path = template.replace("{id}", id).replace("{user_id}", user);
        for (name, method) in [("get", "GET"), ("post", "POST"), ("delete", "DELETE")] {
            let body = json!({
                "type": "totp", "code": "123456", "authentication_factor_id": factor,
                "authentication_challenge_id": challenge
            });
            let body = if method == "POST" { body.to_string() } else { String::new() };
            routes.extend(item.get(name).map(|_| (method, path.clone(), body)));
        }
    }
    assert_eq!(routes.len(), 10);
    // Deleting comes last, so that what it would delete is there for the others.
    routes.sort_by_key(|(method, ..)| *method == "DELETE");
    routes
}

#[tokio::test]
async fn f34_the_ids_of_a_half_finished_log_in_are_no_keys() {
    let server = TestServer::start().await;
    let (_, enrolled) = enrolled(&server).await;
    let (factor, challenge) = (
        enrolled["authentication_factor"]["id"].as_str().unwrap(),
        enrolled["authentication_challenge"]["id"].as_str().unwrap(),
    );
    let environment = server.app().environment("test").unwrap();
    let environment_id = environment.id.to_string();
    let records = server.app().api_keys(&environment);
    let record_id = records[0].id.to_string();
    let ids = [factor, challenge, "u-1", &environment_id, &environment.client_id, &record_id];
    for id in ids {
        // As it is, without what says its kind, and dressed as a key.
        let bare = id.rsplit('_').next().unwrap();
        for bearer in [id.to_owned(), bare.to_owned(), format!("sk_test_{id}"), format!("sk_test_{bare}")] {
            for (method, path, body) in routes(factor, challenge, "u-1") {
                let answer = server.call_as(Some(&bearer), method, &path, body).await;
                assert_eq!(
                    (answer.status, answer.text.as_str()),
                    (401, r#"{"message":"Unauthorized"}"#),
                    "{method} {path} with {bearer}"
                );
            }
        }
    }
    // Nothing was done meanwhile, and with a key the same requests open all of them: the routes are the right ones.
    for (method, path, body) in routes(factor, challenge, "u-1") {
        let answer = server.call_as(Some(KEY), method, &path, body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text);
    }
}

async fn enrolled(server: &TestServer) -> (Answered, Value) {
    let answer = server.post("/user_management/users/u-1/auth_factors", r#"{"type":"totp"}"#).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let json = answer.json.clone();
    (answer, json)
}

#[tokio::test]
async fn f34_an_id_in_the_place_of_another_opens_nothing() {
    let server = TestServer::start().await;
    let (_, enrolled) = enrolled(&server).await;
    let text = |place: &str| enrolled.pointer(place).unwrap().as_str().unwrap().to_owned();
    let (factor, challenge) = (text("/authentication_factor/id"), text("/authentication_challenge/id"));
    let code = server.totp(&text("/authentication_factor/totp/secret"));
    let renamed = |id: &str, to: &str| format!("{to}{}", id.rsplit('_').next().unwrap());
    // The other kind as it is, the other kind under this kind's name, and the user.
    let as_factor = [challenge.clone(), renamed(&challenge, "auth_factor_"), "u-1".into()];
    let as_challenge = [factor.clone(), renamed(&factor, "auth_challenge_"), "u-1".into()];
    for id in &as_factor {
        for (method, path) in [
            ("GET", format!("/auth/factors/{id}")),
            ("POST", format!("/auth/factors/{id}/challenge")),
            ("DELETE", format!("/auth/factors/{id}")),
        ] {
            let answer = server.call(method, &path, "").await;
            assert_eq!((answer.status, answer.code()), (404, "entity_not_found"), "{method} {path}");
        }
    }
    for id in &as_challenge {
        let answer = server.verify(id, &code).await;
        assert_eq!((answer.status, answer.code()), (404, "entity_not_found"), "{id}");
    }
    for id in [&factor, &challenge] {
        let list = server.call("GET", &format!("/user_management/users/{id}/auth_factors"), "").await;
        assert_eq!(
            (list.status, &list.json["data"]),
            (200, &json!([])),
            "a user of that name has no factors"
        );
    }
    assert_eq!(server.verify(&challenge, &code).await.json["valid"], true, "nothing was spent meanwhile");
}

/// F46: flows that nobody ends are over by themselves, at their time and for the right code too.
#[tokio::test]
async fn f46_what_was_abandoned_opens_nothing_and_is_gone_in_the_end() {
    let server = TestServer::start().await;
    server.set("purge_unverified_after", "3600").await;
    let (_, enrolled) = enrolled(&server).await;
    let text = |place: &str| enrolled.pointer(place).unwrap().as_str().unwrap().to_owned();
    let (totp, secret) = (text("/authentication_factor/id"), text("/authentication_factor/totp/secret"));
    let phone = server.enroll(r#"{"type":"sms","phone_number":"+14155550101"}"#).await;
    let generic = server.enroll(r#"{"type":"generic_otp"}"#).await;
    let sent = server.challenge(phone.text_of("id")).await;
    let given = server.challenge(generic.text_of("id")).await;
    let open = [
        (text("/authentication_challenge/id"), None),
        (sent.text_of("id").to_owned(), Some(server.phone().latest_code())),
        (given.text_of("id").to_owned(), Some(given.text_of("code").to_owned())),
    ];
    let each_says = async |status: u16, code: &str| {
        for (challenge, known) in &open {
            let right = known.clone().unwrap_or_else(|| server.totp(&secret));
            let answer = server.verify(challenge, &right).await;
            assert_eq!((answer.status, answer.code()), (status, code), "{challenge}");
        }
    };
    server.clock().advance(600_000);
    each_says(422, "authentication_challenge_expired").await;

    // The purge takes the enrollments that were never proved, and with them their challenges.
    server.clock().advance(3_000_001);
    server.app().purge_environments().await.unwrap();
    each_says(404, "entity_not_found").await;
    for factor in [totp.as_str(), phone.text_of("id"), generic.text_of("id")] {
        for (method, path) in [("GET", ""), ("POST", "/challenge"), ("DELETE", "")] {
            let answer = server.call(method, &format!("/auth/factors/{factor}{path}"), "").await;
            assert_eq!((answer.status, answer.code()), (404, "entity_not_found"), "{method} {factor}");
        }
    }
}

/// Status, names of the headers, and the body with whatever belongs to one object alone taken out.
fn form(answer: &Answered, number: &str) -> (u16, Vec<String>, String) {
    let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    let mut text = answer.text.replace(number, "<number>");
    for own in ["id", "created_at", "updated_at", "expires_at", "authentication_factor_id"] {
        if let Some(value) = answer.json[own].as_str() {
            // The same length everywhere: not even that tells.
            text = text.replace(&format!("\"{value}\""), &"x".repeat(value.len()));
        }
    }
    (answer.status, names, text)
}

/// F50: whoever may enroll learns nothing of who has a number already, in this environment or in another.
#[tokio::test]
async fn f50_a_known_and_a_new_number_are_enrolled_and_challenged_alike() {
    let server = TestServer::start().await;
    server.environment("other", OTHER).await;
    let (known, new) = ("+14155550101", "+14155550199");
    let enroll = async |key: Option<&str>, number: &str| {
        let body = json!({"type": "sms", "phone_number": number}).to_string();
        server.call_as(key, "POST", "/auth/factors/enroll", body).await
    };
    let first = enroll(Some(KEY), known).await;
    assert_eq!(first.status, 201);
    let of_first = form(&first, known);
    let mut factors = Vec::new();
    for (key, number) in [(KEY, known), (KEY, new), (OTHER, known), (OTHER, new)] {
        let answer = enroll(Some(key), number).await;
        assert_eq!(form(&answer, number), of_first, "{key} {number}");
        let id = answer.text_of("id").to_owned();
        let read = server.call_as(Some(key), "GET", &format!("/auth/factors/{id}"), "").await;
        assert_eq!((read.status, &read.json), (200, &answer.json));
        factors.push((key, number, id));
    }
    let challenge = async |key: &str, id: &str| {
        server.call_as(Some(key), "POST", &format!("/auth/factors/{id}/challenge"), "").await
    };
    let opened = challenge(factors[0].0, &factors[0].2).await;
    assert_eq!(opened.status, 201);
    for (key, number, id) in &factors[1..] {
        assert_eq!(form(&challenge(key, id).await, number), form(&opened, known), "{key} {number}");
    }

    // The limit of the known number is used up in the one environment, over two factors: there it tells, and only once
    // a challenge is asked for. In the other environment, and on enrolling, nothing tells.
    for _ in 0..4 {
        assert_eq!(challenge(KEY, first.text_of("id")).await.status, 201);
    }
    let refused = challenge(KEY, &factors[0].2).await;
    assert_eq!((refused.status, refused.code()), (429, "sms_challenge_rate_limited"));
    assert_eq!(form(&enroll(Some(KEY), known).await, known), of_first);
    assert_eq!(form(&enroll(Some(OTHER), known).await, known), of_first);
    assert_eq!(form(&challenge(OTHER, &factors[2].2).await, known), form(&opened, known));

    // Without a key, or with another environment's, not even that.
    let (without, unknown) = (enroll(None, known).await, enroll(None, new).await);
    assert_eq!((without.status, &without.text), (401, &unknown.text));
    let foreign = challenge(OTHER, &factors[0].2).await;
    let absent = challenge(OTHER, "auth_factor_01M8E81GPAM7T0V3X6Y9A1C5EF").await;
    assert_eq!((foreign.status, absent.status), (404, 404));
    let sentence = |answer: &Answered| answer.text.replace(answer.text_of("entity_id"), "<id>");
    assert_eq!(sentence(&foreign), sentence(&absent));
}
