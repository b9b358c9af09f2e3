//! The same refusals on every resource, in the order of W6 and in the words of W5.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects")]

use serde_json::json;
use testkit::{Answered, KEY, TestServer};

const NO_FACTOR: &str = "auth_factor_01M8E81GPAM7T0V3X6Y9A1C5EF";
const NO_CHALLENGE: &str = "auth_challenge_01M8E82GGRN8R2S6W9Z1D3F7H0";

/// Every route with a body that it takes.
fn routes() -> [(&'static str, String, String, &'static str); 10] {
    [
        ("POST", "/auth/factors/enroll".into(), json!({"type":"generic_otp"}).to_string(), "enroll"),
        ("GET", format!("/auth/factors/{NO_FACTOR}"), String::new(), "read"),
        ("DELETE", format!("/auth/factors/{NO_FACTOR}"), String::new(), "delete"),
        ("POST", format!("/auth/factors/{NO_FACTOR}/challenge"), String::new(), "challenge"),
        (
            "POST",
            format!("/auth/challenges/{NO_CHALLENGE}/verify"),
            json!({"code":"123456"}).to_string(),
            "verify",
        ),
        (
            "POST",
            "/user_management/users/u/auth_factors".into(),
            json!({"type":"totp"}).to_string(),
            "enroll",
        ),
        ("GET", "/user_management/users/u/auth_factors".into(), String::new(), "read"),
        (
            "POST",
            "/auth/factors/challenge".into(),
            json!({"authentication_factor_id": NO_FACTOR}).to_string(),
            "challenge",
        ),
        (
            "POST",
            "/auth/factors/verify".into(),
            json!({"authentication_challenge_id": NO_CHALLENGE, "code":"123456"}).to_string(),
            "verify",
        ),
        ("GET", format!("/countersign/challenges/{NO_CHALLENGE}"), String::new(), "read"),
    ]
}

fn assert_headers(answer: &Answered) {
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-request-id").len(), 36);
    let expected = if answer.status == 204 { "" } else { "application/json; charset=utf-8" };
    assert_eq!(answer.header("content-type"), expected);
    assert!(answer.status == 204 || answer.json.is_object(), "{}", answer.text);
    assert!(answer.json.get("error").is_none());
}

#[tokio::test]
async fn w2_without_a_valid_key_every_route_says_the_same() {
    let server = TestServer::start().await;
    for (method, path, body, _) in routes() {
        for headers in [
            vec![],
            vec![("authorization", "Bearer sk_test_unknown")],
            vec![("authorization", "Bearer sk_test_default x")],
            vec![("authorization", "Basic sk_test_default")],
            vec![("authorization", "Bearer sk_test_default"), ("authorization", "Bearer sk_test_default")],
        ] {
            let answer = server.send(method, &path, &headers, body.clone()).await;
            assert_eq!((answer.status, answer.text.as_str()), (401, r#"{"message":"Unauthorized"}"#));
            assert_headers(&answer);
        }
        let any_case = server.send(method, &path, &[("authorization", "bEARER sk_test_default")], body).await;
        assert_ne!(any_case.status, 401);
    }
}

#[tokio::test]
async fn w5_every_route_names_its_permission() {
    let server = TestServer::start().await;
    for (word, others) in [
        ("enroll", "read,delete,challenge,verify"),
        ("read", "enroll,delete,challenge,verify"),
        ("delete", "enroll,read,challenge,verify"),
        ("challenge", "enroll,read,delete,verify"),
        ("verify", "enroll,read,delete,challenge"),
    ] {
        let (with, without) = (format!("sk_test_with_{word}"), format!("sk_test_without_{word}"));
        server.key(&with, word).await;
        server.key(&without, others).await;
        for (method, path, body, needed) in routes() {
            let allowed = server.call_as(Some(&with), method, &path, body.clone()).await;
            let refused = server.call_as(Some(&without), method, &path, body).await;
            assert_eq!(allowed.status == 403, needed != word, "{method} {path}");
            assert_eq!(refused.status == 403, needed == word, "{method} {path}");
        }
    }
    let refused = server.call_as(Some("sk_test_without_read"), "GET", "/auth/factors/x", "").await;
    assert_eq!(refused.text, r#"{"message":"This API key does not permit this action.","code":"forbidden"}"#);
    assert_headers(&refused);
}

#[tokio::test]
async fn w2_an_object_of_another_environment_does_not_exist() {
    let server = TestServer::start().await;
    server.environment("other", "sk_test_other").await;
    let factor = server.enroll(r#"{"type":"generic_otp","user_id":"u"}"#).await;
    let id = factor.text_of("id").to_owned();
    let challenge = server.challenge(&id).await;
    let open = challenge.text_of("id").to_owned();
    let theirs = Some("sk_test_other");
    for (method, path, body, missing) in [
        ("GET", format!("/auth/factors/{id}"), String::new(), format!("/auth/factors/{NO_FACTOR}")),
        ("DELETE", format!("/auth/factors/{id}"), String::new(), format!("/auth/factors/{NO_FACTOR}")),
        (
            "POST",
            format!("/auth/factors/{id}/challenge"),
            String::new(),
            format!("/auth/factors/{NO_FACTOR}/challenge"),
        ),
        (
            "POST",
            format!("/auth/challenges/{open}/verify"),
            json!({"code": challenge.text_of("code")}).to_string(),
            format!("/auth/challenges/{NO_CHALLENGE}/verify"),
        ),
    ] {
        let foreign = server.call_as(theirs, method, &path, body.clone()).await;
        let unknown = server.call_as(theirs, method, &missing, body).await;
        assert_eq!(foreign.status, 404, "{method} {path}");
        let renamed = foreign.text.replace(&id, NO_FACTOR).replace(&open, NO_CHALLENGE);
        assert_eq!(renamed, unknown.text);
    }
    let list = server.call_as(theirs, "GET", "/user_management/users/u/auth_factors", "").await;
    assert_eq!(list.json["data"], json!([]));
    assert_eq!(server.verify(&open, challenge.text_of("code")).await.json["valid"], true);
}

#[tokio::test]
async fn w5_what_is_no_id_is_an_id_that_does_not_exist() {
    let server = TestServer::start().await;
    for (segment, echoed) in [
        ("nobody", "nobody"),
        ("enroll", "enroll"),
        ("a%0Ab%00c", "abc"),
        ("%ff", "\u{fffd}"),
        ("%25", "%"),
        (&"x".repeat(200), &"x".repeat(128)),
        (&NO_FACTOR.to_lowercase(), &NO_FACTOR.to_lowercase()),
        (NO_CHALLENGE, NO_CHALLENGE),
        ("%22%5C", "\"\\"),
    ] {
        for (method, path) in [
            ("GET", format!("/auth/factors/{segment}")),
            ("HEAD", format!("/auth/factors/{segment}")),
            ("DELETE", format!("/auth/factors/{segment}")),
            ("POST", format!("/auth/factors/{segment}/challenge")),
        ] {
            let answer = server.call(method, &path, "").await;
            assert_eq!(answer.status, 404, "{path}");
            if method != "HEAD" {
                let message = format!("Authentication Factor not found: '{echoed}'.");
                let expected = json!({"message": message, "code":"entity_not_found", "entity_id": echoed});
                assert_eq!(answer.json, expected);
                assert_eq!(answer.keys(), ["message", "code", "entity_id"]);
            }
        }
    }
    let answer = server.post("/auth/challenges/nothing/verify", "{}").await;
    assert_eq!(answer.text_of("message"), "Authentication Challenge not found: 'nothing'.");
}

#[tokio::test]
async fn w1_unknown_routes_and_wrong_methods_come_before_the_key() {
    let server = TestServer::start().await;
    for key in [None, Some(KEY)] {
        let answer = server.call_as(key, "POST", "/auth/factors?secret=1", "").await;
        assert_eq!(answer.text, r#"{"message":"Cannot POST /auth/factors","code":"route_not_found"}"#);
        assert_eq!(answer.status, 404);
        assert_headers(&answer);
        let long = format!("/{}", "x".repeat(300));
        let answer = server.call_as(key, "GET", &long, "").await;
        assert_eq!(answer.text_of("message"), format!("Cannot GET {}", &long[..200]));
        for (method, path, allow) in [
            ("PUT", "/auth/factors/enroll", "POST, GET, HEAD, DELETE"),
            ("OPTIONS", "/auth/factors/x", "GET, HEAD, DELETE"),
            ("GET", "/auth/challenges/x/verify", "POST"),
            ("POST", "/openapi.json", "GET, HEAD"),
        ] {
            let answer = server.call_as(key, method, path, "").await;
            assert_eq!((answer.status, answer.header("allow")), (405, allow));
            assert_eq!(answer.text, r#"{"message":"Method not allowed.","code":"method_not_allowed"}"#);
            assert_headers(&answer);
        }
    }
}

#[tokio::test]
async fn w1_head_is_answered_as_get() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"totp"}"#).await;
    let path = format!("/auth/factors/{}", factor.text_of("id"));
    let (get, head) = (server.call("GET", &path, "").await, server.call("HEAD", &path, "").await);
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(head.header("content-type"), get.header("content-type"));
    assert_eq!(head.header("content-length"), get.text.len().to_string());
}

#[tokio::test]
async fn w2_every_answer_has_its_headers_and_an_id_of_its_own() {
    let server = TestServer::start().await;
    let mut seen = std::collections::HashSet::new();
    for (method, path, body, _) in routes() {
        for body in [body, "{".into(), "{}".into(), "[1]".into(), "x".repeat(70_000)] {
            let headers = [
                ("authorization", "Bearer sk_test_default"),
                ("x-request-id", "mine"),
                ("accept", "image/png"),
            ];
            let answer = server.send(method, &path, &headers, body).await;
            assert_headers(&answer);
            assert!(seen.insert(answer.header("x-request-id").to_owned()));
        }
    }
    let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
    let deleted = server.call("DELETE", &format!("/auth/factors/{}", factor.text_of("id")), "").await;
    assert_eq!((deleted.status, deleted.header("content-length")), (204, ""));
    assert_headers(&deleted);
}

#[tokio::test]
async fn w5_the_request_rate_of_a_key() {
    let server = TestServer::start().await;
    server.key("sk_test_second", "all").await;
    server.set("rate_limit", "3").await;
    for _ in 0..3 {
        // What is refused later counts too.
        assert_eq!(server.post("/auth/factors/enroll", "{").await.status, 400);
    }
    let refused = server.post("/auth/factors/enroll", "{").await;
    assert_eq!(
        (refused.status, refused.keys()),
        (429, ["message", "code", "retry_after"].map(String::from).to_vec())
    );
    assert_eq!(refused.code(), "rate_limit_exceeded");
    assert_eq!(refused.header("retry-after"), refused.json["retry_after"].to_string());
    assert!((1..=5).contains(&refused.json["retry_after"].as_u64().unwrap()));
    assert_headers(&refused);
    assert_eq!(server.call_as(Some("sk_test_second"), "GET", "/auth/factors/x", "").await.status, 404);
    server.clock().advance(60_000);
    assert_eq!(server.post("/auth/factors/enroll", "{").await.status, 400);
}

#[tokio::test]
async fn w6_size_then_media_type_then_json_then_existence_then_fields() {
    let server = TestServer::start().await;
    let auth = ("authorization", "Bearer sk_test_default");
    let path = format!("/auth/challenges/{NO_CHALLENGE}/verify");
    let send = async |headers: &[(&str, &str)], body: String| {
        let mut all = vec![auth];
        all.extend_from_slice(headers);
        let answer = server.send("POST", &path, &all, body).await;
        (answer.status, answer.code().to_owned())
    };
    let text = ("content-type", "text/plain");
    assert_eq!(send(&[text], "x".repeat(65_537)).await, (413, "payload_too_large".into()));
    assert_eq!(send(&[text], "{".into()).await, (415, "unsupported_media_type".into()));
    assert_eq!(send(&[("content-encoding", "gzip")], "{".into()).await.0, 415);
    assert_eq!(send(&[], "{".into()).await, (400, "bad_request".into()));
    assert_eq!(send(&[], r#"{"a":1,"a":2}"#.into()).await, (400, "bad_request".into()));
    for wrong in ["{}", "[]", "7", r#"{"code":7}"#] {
        assert_eq!(send(&[], wrong.into()).await, (404, "entity_not_found".into()), "{wrong}");
    }
}

#[tokio::test]
async fn w6_fields_are_judged_before_the_state_of_the_challenge_and_cost_nothing() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
    let challenge = server.challenge(factor.text_of("id")).await;
    let path = format!("/auth/challenges/{}/verify", challenge.text_of("id"));
    let empty = "code should not be empty";
    for _ in 0..2 {
        for (body, sentence) in [
            ("", empty),
            ("null", empty),
            ("{}", empty),
            (r#"{"code":""}"#, empty),
            (r#"{"code":null}"#, empty),
            (r#"{"code":123456}"#, "code must be a string"),
            (r#"{"code":1e400}"#, "code must be a string"),
            (r#"{"code":["123456"]}"#, "code must be a string"),
            ("[]", "body must be a JSON object"),
            ("true", "body must be a JSON object"),
        ] {
            let answer = server.post(&path, body).await;
            assert_eq!((answer.status, answer.sentences()), (422, vec![sentence]), "{body}");
            let error = &answer.json["errors"][0];
            assert_eq!(
                (&error["code"], error["field"].as_str()),
                (&error["message"], sentence.split(' ').next())
            );
            assert_eq!(answer.keys(), ["message", "code", "errors"]);
        }
        // Once before and once after it has been verified.
        server.verify(challenge.text_of("id"), challenge.text_of("code")).await;
    }
    let late = server.verify(challenge.text_of("id"), challenge.text_of("code")).await;
    assert_eq!(late.code(), "authentication_challenge_previously_verified");
}

#[tokio::test]
async fn w6_on_the_legacy_routes_a_missing_id_is_said_first() {
    let server = TestServer::start().await;
    for (path, field) in [
        ("/auth/factors/challenge", "authentication_factor_id"),
        ("/auth/factors/verify", "authentication_challenge_id"),
    ] {
        for (value, problem) in
            [("null", "should not be empty"), ("\"\"", "should not be empty"), ("7", "must be a string")]
        {
            let answer = server.post(path, format!("{{\"{field}\":{value}}}")).await;
            assert_eq!(
                (answer.status, answer.sentences()),
                (422, vec![format!("{field} {problem}").as_str()])
            );
        }
        let answer = server.post(path, format!("{{\"{field}\":\"nobody\",\"code\":7}}")).await;
        assert_eq!((answer.status, answer.text_of("entity_id")), (404, "nobody"));
    }
    let answer = server.post("/auth/factors/challenge", "[]").await;
    assert_eq!(answer.sentences(), ["authentication_factor_id should not be empty"]);
}

#[tokio::test]
async fn w4_what_sdks_send_for_nothing() {
    let server = TestServer::start().await;
    let factor =
        server.enroll(r#"{"type":"generic_otp","phone_number":7,"totp_issuer":[],"user_id":""}"#).await;
    assert!(factor.json.get("user_id").is_none());
    let path = format!("/auth/factors/{}/challenge", factor.text_of("id"));
    for body in ["", "{}", "null", "[]", r#"{"sms_template":null}"#, r#"{"sms_template":7,"x":1e400}"#] {
        assert_eq!(server.post(&path, body).await.status, 201, "{body}");
    }
    assert_eq!(server.post(&path, "[1]").await.sentences(), ["body must be a JSON object"]);
    for (body, sentences) in [
        ("", vec!["type should not be empty"]),
        ("[]", vec!["body must be a JSON object"]),
        (r#"{"type":"webauthn"}"#, vec!["type must be a valid enum value"]),
        (r#"{"type":7}"#, vec!["type must be a string"]),
        (r#"{"type":"sms"}"#, vec!["phone_number should not be empty"]),
        (
            r#"{"type":"sms","phone_number":7,"user_id":[]}"#,
            vec!["user_id must be a string", "phone_number must be a string"],
        ),
        (
            r#"{"type":"totp","totp_issuer":7,"totp_user":{}}"#,
            vec!["totp_issuer must be a string", "totp_user must be a string"],
        ),
    ] {
        let answer = server.post("/auth/factors/enroll", body).await;
        assert_eq!((answer.status, answer.sentences()), (422, sentences), "{body}");
    }
}

#[tokio::test]
async fn w4_strict_parameters_refuse_what_is_unknown_without_repeating_it() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"generic_otp","unknown":1}"#).await;
    let id = factor.text_of("id");
    server.set("strict_parameters", "on").await;
    for (method, path, body) in [
        ("POST", "/auth/factors/enroll".to_owned(), r#"{"type":"totp","hunter2":1}"#),
        (
            "POST",
            "/auth/factors/enroll".to_owned(),
            r#"{"type":"totp","totp_secret":"JBSWY3DPEHPK3PXPJBSWY3DP"}"#,
        ),
        ("POST", "/auth/factors/enroll?hunter2=1".to_owned(), r#"{"type":"totp"}"#),
        ("POST", format!("/auth/factors/{id}/challenge"), r#"{"hunter2":1}"#),
        ("GET", format!("/auth/factors/{id}?hunter2"), ""),
        ("DELETE", format!("/auth/factors/{id}?hunter2"), ""),
        ("GET", "/user_management/users/u/auth_factors?limit=1&hunter2=1".to_owned(), ""),
    ] {
        let answer = server.call(method, &path, body).await;
        assert_eq!(answer.status, 422, "{method} {path} {}", answer.text);
        assert!(!answer.text.contains("hunter2"));
    }
    assert_eq!(server.call("GET", "/auth/factors/x?hunter2", "").await.status, 404);
    assert_eq!(server.call("GET", &format!("/auth/factors/{id}"), "").await.status, 200);
    server.enroll(r#"{"type":"totp","phone_number":7}"#).await;
}

#[tokio::test]
async fn w5_no_error_repeats_a_submitted_value() {
    let server = TestServer::start().await;
    let canary = "zq7canary";
    let factor = server.enroll(r#"{"type":"sms","phone_number":"+14155550102"}"#).await;
    let challenge = server.challenge(factor.text_of("id")).await;
    for (path, body) in [
        ("/auth/factors/enroll".to_owned(), json!({"type": canary})),
        ("/auth/factors/enroll".to_owned(), json!({"type":"totp","user_id": format!("{canary}\n")})),
        ("/auth/factors/enroll".to_owned(), json!({"type":"totp","totp_issuer": format!("{canary}\0x")})),
        ("/user_management/users/u/auth_factors".to_owned(), json!({"type":"totp","totp_secret": canary})),
        (format!("/auth/factors/{}/challenge", factor.text_of("id")), json!({"sms_template": canary})),
        (format!("/auth/challenges/{}/verify", challenge.text_of("id")), json!({"code": [canary]})),
        (format!("/auth/challenges/{}/verify", challenge.text_of("id")), json!([canary])),
    ] {
        let answer = server.post(&path, body.to_string()).await;
        assert_eq!(answer.status, 422, "{path} {body}");
        assert!(!answer.text.contains(canary), "{}", answer.text);
    }
    // The one value that W5 does show is cut at 32 characters.
    let body = json!({"type":"sms","phone_number": "x".repeat(99)}).to_string();
    let answer = server.post("/auth/factors/enroll", body).await;
    assert_eq!(answer.text_of("message"), format!("Phone number is invalid: '{}'", "x".repeat(32)));
    assert_eq!(answer.code(), "invalid_phone_number");
}

/// A client that is not told would send its next request into a connection that ends.
#[tokio::test]
async fn f65_a_body_that_is_left_unread_ends_the_connection_and_says_so() {
    let server = TestServer::start().await;
    let auth = [("authorization", "Bearer sk_test_default")];
    for (method, path, headers, length, closes) in [
        ("POST", "/auth/factors/enroll", &auth[..], 65_537, "close"),
        ("POST", "/auth/factors/enroll", &[], 65_537, "close"),
        ("DELETE", "/auth/factors/x", &auth[..], 65_537, "close"),
        ("POST", "/nothing", &[], 65_537, "close"),
        ("POST", "/auth/factors/enroll", &auth[..], 65_536, ""),
        ("POST", "/auth/factors/enroll", &[], 65_536, ""),
        ("DELETE", "/auth/factors/x", &auth[..], 2, ""),
        ("GET", "/auth/factors/x", &auth[..], 0, ""),
    ] {
        let answer = server.send(method, path, headers, "x".repeat(length)).await;
        assert_eq!(answer.header("connection"), closes, "{method} {path} {length}");
    }
}
