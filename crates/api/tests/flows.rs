//! Whole stories over the wire, and the shape of what is answered (W3, W9, W11, W12).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects")]

use domain::delivery::DispatchOutcome;
use serde_json::json;
use testkit::{Answered, TestServer};

const CHALLENGE: [&str; 6] =
    ["object", "id", "created_at", "updated_at", "expires_at", "authentication_factor_id"];

fn assert_invalid(answer: &Answered, sentences: &[&str]) {
    assert_eq!((answer.status, answer.code()), (422, "invalid_request_parameters"), "{}", answer.text);
    assert_eq!(answer.sentences(), sentences);
    assert_eq!(answer.text_of("message"), "Validation failed");
}

#[tokio::test]
async fn w3_a_totp_factor_from_enrollment_to_deletion() {
    let server = TestServer::start().await;
    let factor = server
        .enroll(
            r#"{"type":"totp","totp_issuer":" Northwind ","totp_user":"kim@example.org","user_id":"u-4711"}"#,
        )
        .await;
    assert_eq!(factor.keys(), ["object", "id", "created_at", "updated_at", "type", "user_id", "totp"]);
    let totp = &factor.json["totp"];
    assert_eq!(totp["issuer"], "Northwind");
    let secret = totp["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 32);
    assert_eq!(
        totp["uri"],
        format!("otpauth://totp/Northwind:kim@example.org?secret={secret}&issuer=Northwind")
    );
    assert!(totp["qr_code"].as_str().unwrap().starts_with("data:image/png;base64,"));
    assert!(factor.text.contains(r#""totp":{"issuer":"#));

    let id = factor.text_of("id");
    let read = server.call("GET", &format!("/auth/factors/{id}"), "").await;
    assert_eq!(read.status, 200);
    assert_eq!(read.json["totp"], json!({"issuer":"Northwind","user":"kim@example.org"}));
    assert_eq!(read.json["created_at"], factor.json["created_at"]);

    let challenge = server.challenge(id).await;
    assert_eq!(challenge.keys(), CHALLENGE);
    let verified = server.verify(challenge.text_of("id"), &server.totp(secret)).await;
    assert_eq!((verified.status, verified.keys()), (201, vec!["challenge".into(), "valid".into()]));
    assert_eq!(verified.json, json!({"challenge": challenge.json, "valid": true}));
    assert!(verified.text.contains(r#"{"challenge":{"object":"authentication_challenge","id":"#));

    let again = server.verify(challenge.text_of("id"), "000000").await;
    assert_eq!((again.status, again.code()), (422, "authentication_challenge_previously_verified"));
    assert!(again.text_of("message").contains(challenge.text_of("id")));

    // W9: the step is used up, for every challenge.
    let other = server.challenge(id).await;
    let replayed = server.verify(other.text_of("id"), &server.totp(secret)).await;
    assert_eq!((replayed.status, &replayed.json["valid"]), (201, &json!(false)));

    let deleted = server.call("DELETE", &format!("/auth/factors/{id}"), "not json").await;
    assert_eq!((deleted.status, deleted.text.as_str(), deleted.header("content-type")), (204, "", ""));
    for gone in [
        server.call("DELETE", &format!("/auth/factors/{id}"), "").await,
        server.call("GET", &format!("/auth/factors/{id}"), "").await,
        server.post(&format!("/auth/factors/{id}/challenge"), "").await,
    ] {
        assert_eq!((gone.status, gone.code(), gone.text_of("entity_id")), (404, "entity_not_found", id));
    }
    let gone = server.verify(other.text_of("id"), "000000").await;
    assert_eq!((gone.status, gone.text_of("entity_id")), (404, other.text_of("id")));
}

#[tokio::test]
async fn w3_a_generic_otp_factor_hands_its_code_to_the_caller() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
    assert_eq!(factor.keys(), ["object", "id", "created_at", "updated_at", "type"]);
    let challenge = server.challenge(factor.text_of("id")).await;
    assert_eq!(
        challenge.keys(),
        ["object", "id", "created_at", "updated_at", "expires_at", "code", "authentication_factor_id"]
    );
    let (id, code) = (challenge.text_of("id"), challenge.text_of("code"));
    let wrong = server.verify(id, "wrong").await;
    assert_eq!(
        (wrong.status, &wrong.json["valid"], &wrong.json["challenge"]["code"]),
        (201, &json!(false), &json!(null))
    );
    // W3.3: the normalized code comes back when it was right.
    let right = server.verify(id, &format!("{}-{}", &code[..3], &code[3..])).await;
    assert_eq!(right.json, json!({"challenge": challenge.json, "valid": true}));
    assert!(right.json.get("code").is_none());
}

#[tokio::test]
async fn w11_an_sms_factor_gets_its_code_by_message() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"sms","phone_number":"(415) 555-0100"}"#).await;
    assert_eq!(factor.keys(), ["object", "id", "created_at", "updated_at", "type", "sms"]);
    assert_eq!(factor.json["sms"], json!({"phone_number":"+14155550100"}));
    let path = format!("/auth/factors/{}/challenge", factor.text_of("id"));
    let challenge = server.post(&path, r#"{"sms_template":"Yours: {{code}}"}"#).await;
    assert_eq!((challenge.status, challenge.keys()), (201, CHALLENGE.map(String::from).to_vec()));
    let message = server.phone().messages().pop().unwrap();
    assert_eq!((message.to.as_str(), message.body), ("+14155550100", format!("Yours: {}", message.code)));
    assert!(!challenge.text.contains(&message.code));
    let right = server.verify(challenge.text_of("id"), &message.code).await;
    assert_eq!(right.json["valid"], true);
    assert!(right.json["challenge"].get("code").is_none());

    assert_invalid(
        &server.post(&path, r#"{"sms_template":"no code"}"#).await,
        &["sms_template must contain {{code}}"],
    );
    assert_invalid(&server.post(&path, r#"{"sms_template":7}"#).await, &["sms_template must be a string"]);
}

#[tokio::test]
async fn w11_what_is_known_of_the_message_decides_the_answer() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"sms","phone_number":"+14155550101"}"#).await;
    for (outcome, status, code, retry_after) in [
        (DispatchOutcome::Accepted, 201, "", ""),
        (DispatchOutcome::Unknown, 201, "", ""),
        (DispatchOutcome::RejectedNumber, 422, "invalid_phone_number", ""),
        (DispatchOutcome::NotSent, 503, "sms_delivery_failed", "1"),
    ] {
        server.phone().next_outcome(outcome);
        let answer = server.post(&format!("/auth/factors/{}/challenge", factor.text_of("id")), "").await;
        assert_eq!((answer.status, answer.code()), (status, code), "{outcome:?}");
        assert_eq!(answer.header("retry-after"), retry_after);
    }
}

#[tokio::test]
async fn w12_a_user_enrolls_and_hands_the_first_code_straight_in() {
    let server = TestServer::start().await;
    let path = "/user_management/users/u%20%C3%A9%2F%2541/auth_factors";
    let enrolled =
        server.post(path, r#"{"type":"totp","totp_secret":"jbsw y3dp ehpk 3pxp jbsw y3dp"}"#).await;
    assert_eq!(enrolled.status, 201, "{}", enrolled.text);
    assert_eq!(enrolled.keys(), ["authentication_factor", "authentication_challenge"]);
    let (factor, challenge) =
        (&enrolled.json["authentication_factor"], &enrolled.json["authentication_challenge"]);
    assert_eq!(factor["user_id"], "u é/%41", "decoded exactly once");
    assert_eq!(factor["totp"]["secret"], "JBSWY3DPEHPK3PXPJBSWY3DP");
    assert!(CHALLENGE.iter().all(|key| challenge[key].is_string()) && challenge.get("code").is_none());
    let code = server.totp("JBSWY3DPEHPK3PXPJBSWY3DP");
    let verified = server.verify(challenge["id"].as_str().unwrap(), &code).await;
    assert_eq!(verified.json["valid"], true);
    let list = server.call("GET", path, "").await;
    assert_eq!(list.json["data"].as_array().unwrap().len(), 1);
    assert_eq!(list.json["data"][0]["totp"], json!({"issuer":"test","user":"u é/%41"}));

    assert_invalid(&server.post(path, r#"{"type":"sms"}"#).await, &["type must be a valid enum value"]);
    let bad = "/user_management/users/a%00b/auth_factors";
    let sentence = "user_id must be 1 to 255 characters without control characters";
    assert_invalid(&server.post(bad, r#"{"type":"totp"}"#).await, &[sentence]);
    assert_invalid(&server.call("GET", bad, "").await, &[sentence]);
    let bad = "/user_management/users/%ff/auth_factors";
    assert_invalid(&server.call("GET", bad, "").await, &["user_id must be valid UTF-8"]);
}

#[tokio::test]
async fn w12_the_most_factors_of_a_user() {
    let server = TestServer::start().await;
    server.set("max_factors_per_user", "1").await;
    server.enroll(r#"{"type":"totp","user_id":"u"}"#).await;
    let one_more = server.post("/auth/factors/enroll", r#"{"type":"totp","user_id":"u"}"#).await;
    assert_eq!((one_more.status, one_more.code()), (422, "factor_limit_reached"));
}

#[tokio::test]
async fn w9_attempts_run_out_then_the_factor_locks_and_the_lock_has_no_header() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
    for _ in 0..2 {
        let challenge = server.challenge(factor.text_of("id")).await;
        for _ in 0..5 {
            let wrong = server.verify(challenge.text_of("id"), "1").await;
            assert_eq!((wrong.status, &wrong.json["valid"]), (201, &json!(false)));
        }
        let sixth = server.verify(challenge.text_of("id"), challenge.text_of("code")).await;
        assert_eq!((sixth.status, sixth.code()), (400, "one_time_code_too_many_attempts"));
    }
    let challenge = server.challenge(factor.text_of("id")).await;
    let locked = server.verify(challenge.text_of("id"), challenge.text_of("code")).await;
    assert_eq!((locked.status, locked.code()), (429, "too_many_failed_verification_attempts"));
    assert_eq!((&locked.json["retry_after"], locked.header("retry-after")), (&json!(30), ""));
    server.clock().advance(30_000);
    let right = server.verify(challenge.text_of("id"), challenge.text_of("code")).await;
    assert_eq!(right.json["valid"], true);
}

#[tokio::test]
async fn w8_a_challenge_ends_at_its_instant() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
    let (first, second) =
        (server.challenge(factor.text_of("id")).await, server.challenge(factor.text_of("id")).await);
    server.clock().advance(599_990);
    assert_eq!(server.verify(first.text_of("id"), first.text_of("code")).await.json["valid"], true);
    server.clock().advance(10);
    let late = server.verify(second.text_of("id"), second.text_of("code")).await;
    assert_eq!((late.status, late.code()), (422, "authentication_challenge_expired"));
}

#[tokio::test]
async fn w14_a_users_factors_page_by_page() {
    let server = TestServer::start().await;
    let path = "/user_management/users/u/auth_factors";
    let empty = server.call("GET", path, "").await;
    assert_eq!(empty.text, r#"{"object":"list","data":[],"list_metadata":{"before":null,"after":null}}"#);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(server.enroll(r#"{"type":"generic_otp","user_id":"u"}"#).await.text_of("id").to_owned());
    }
    let page = async |query: &str| {
        let list = server.call("GET", &format!("{path}?{query}"), "").await;
        assert_eq!(list.status, 200, "{}", list.text);
        let data = list.json["data"].as_array().unwrap();
        let at: Vec<usize> = data.iter().map(|f| ids.iter().position(|id| *id == f["id"]).unwrap()).collect();
        let cursor = |name: &str| list.json["list_metadata"][name].as_str().map(str::to_owned);
        (at, cursor("before"), cursor("after"))
    };
    let id = |n: usize| Some(ids[n].clone());
    assert_eq!(page("").await, (vec![4, 3, 2, 1, 0], None, None));
    assert_eq!(page("limit=2").await, (vec![4, 3], None, id(3)));
    assert_eq!(page(&format!("limit=2&after={}", ids[3])).await, (vec![2, 1], id(2), id(1)));
    assert_eq!(page(&format!("limit=2&before={}", ids[1])).await, (vec![3, 2], id(3), id(2)));
    assert_eq!(page("limit=2&order=asc&before=&after=").await, (vec![0, 1], None, id(1)));
    assert_eq!(page("order=normal&x=1").await.0, [4, 3, 2, 1, 0]);

    for (query, sentences) in [
        ("limit=0", vec!["limit must be an integer from 1 to 100"]),
        ("order=up", vec!["order must be a valid enum value"]),
        ("after=x", vec!["after must be a well-formed id"]),
        (
            "limit=x&before=y",
            vec!["limit must be an integer from 1 to 100", "before must be a well-formed id"],
        ),
        ("limit=1&limit=2", vec!["limit must not be given more than once"]),
    ] {
        assert_invalid(&server.call("GET", &format!("{path}?{query}"), "").await, &sentences);
    }
    let both = format!("{path}?after={}&before={}", ids[0], ids[1]);
    assert_invalid(&server.call("GET", &both, "").await, &["before must not be given together with after"]);
}

#[tokio::test]
async fn w14_list_verified_only_hides_what_has_never_been_verified() {
    let server = TestServer::start().await;
    let path = "/user_management/users/u/auth_factors";
    let listed = async |query: &str| {
        let list = server.call("GET", &format!("{path}?{query}"), "").await;
        assert_eq!(list.status, 200, "{}", list.text);
        let ids = list.json["data"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), list.json["list_metadata"].clone())
    };
    let mut factors = Vec::new();
    for _ in 0..5 {
        let factor = server.enroll(r#"{"type":"generic_otp","user_id":"u"}"#).await;
        factors.push(factor.text_of("id").to_owned());
    }
    let answer = async |n: usize, right: bool| {
        let challenge = server.challenge(&factors[n]).await;
        let code = if right { challenge.text_of("code").to_owned() } else { "no code".to_owned() };
        assert_eq!(server.verify(challenge.text_of("id"), &code).await.json["valid"], right);
    };
    // 0, 2 and 4 have a `valid:true`; of 4 a wrong one came after it. 1 has only been guessed at, 3 never asked.
    for (n, right) in [(0, true), (1, false), (2, true), (4, true), (4, false)] {
        answer(n, right).await;
    }
    assert_eq!(listed("").await.0.len(), 5, "it is off unless an operator switches it on");
    server.set("list_verified_only", "on").await;
    let id = |n: usize| factors[n].clone();
    assert_eq!(
        listed("").await,
        (vec![id(4), id(2), id(0)], json!({"before": null, "after": null})),
        "newest first"
    );
    // Pages and cursors count what is shown: no page is short, no cursor leads to what is hidden.
    assert_eq!(
        listed("limit=2&order=asc").await,
        (vec![id(0), id(2)], json!({"before": null, "after": id(2)}))
    );
    assert_eq!(
        listed(&format!("limit=2&order=asc&after={}", id(2))).await,
        (vec![id(4)], json!({"before": id(4), "after": null}))
    );
    // A cursor is a position, also that of a factor that is hidden.
    assert_eq!(listed(&format!("after={}", id(3))).await.0, [id(2), id(0)]);
    // From its first right code on a factor is shown; hidden ones are there under their ids all the while.
    assert_eq!(server.call("GET", &format!("/auth/factors/{}", id(1)), "").await.status, 200);
    answer(1, true).await;
    assert_eq!(listed("").await.0, [id(4), id(2), id(1), id(0)]);
}

#[tokio::test]
async fn w1_the_legacy_routes_are_other_doors_to_the_same_rooms() {
    let server = TestServer::start().await;
    let factor = server.enroll(r#"{"type":"generic_otp"}"#).await;
    let body = json!({"authentication_factor_id": factor.text_of("id")}).to_string();
    let challenge = server.post("/auth/factors/challenge", body).await;
    assert_eq!(challenge.status, 201);
    let (id, code) = (challenge.text_of("id"), challenge.text_of("code"));
    let legacy = |code: &str| {
        let body = json!({"authentication_challenge_id": id, "code": code}).to_string();
        server.post("/auth/factors/verify", body)
    };
    for n in 0..5 {
        let wrong = if n % 2 == 0 { legacy("1").await } else { server.verify(id, "1").await };
        assert_eq!(wrong.json["valid"], false);
    }
    for used_up in [legacy(code).await, server.verify(id, code).await] {
        assert_eq!(used_up.code(), "one_time_code_too_many_attempts");
    }
}
