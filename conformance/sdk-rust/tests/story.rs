//! The whole path, as an application with this SDK walks it: W1, W3, W5, W8, W9, W12, W13 and W14 of the wire contract.

use std::time::{SystemTime, UNIX_EPOCH};

use countersign_sdk_rust::{client, client_with_key, newest_message, scan, totp, wrong_but, wrong_totp};
use futures_util::StreamExt as _;
use workos::enums::{AuthenticationFactorsCreateRequestType as Kind, PaginationOrder};
use workos::models::{
    AuthenticationChallenge, AuthenticationChallengeVerifyResponse, AuthenticationChallengesVerifyRequest,
    AuthenticationFactorEnrolled, AuthenticationFactorsCreateRequest, ChallengeAuthenticationFactor,
    EnrollUserAuthenticationFactor,
};
use workos::multi_factor_auth::{
    ChallengeFactorParams, CreateUserAuthFactorParams, EnrollFactorParams, ListUserAuthFactorsParams,
    VerifyChallengeParams,
};
use workos::{Client, Error, RequestOptions};

const IMPORTED: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

fn of_kind(kind: Kind) -> AuthenticationFactorsCreateRequest {
    AuthenticationFactorsCreateRequest {
        type_: kind,
        phone_number: None,
        totp_issuer: None,
        totp_user: None,
        user_id: None,
    }
}

async fn enroll(
    client: &Client,
    request: AuthenticationFactorsCreateRequest,
) -> AuthenticationFactorEnrolled {
    let factor =
        client.multi_factor_auth().enroll_factor(EnrollFactorParams::new(request)).await.expect("a factor");
    assert_eq!(factor.object, "authentication_factor");
    assert!(factor.id.starts_with("auth_factor_"), "{}", factor.id);
    assert_eq!(factor.created_at, factor.updated_at);
    factor
}

async fn challenge(client: &Client, id: &str, sms_template: Option<&str>) -> AuthenticationChallenge {
    let body = ChallengeAuthenticationFactor { sms_template: sms_template.map(str::to_owned) };
    let open = client
        .multi_factor_auth()
        .challenge_factor(id, ChallengeFactorParams::new(body))
        .await
        .expect("open");
    assert_eq!(open.object, "authentication_challenge");
    assert!(open.id.starts_with("auth_challenge_"), "{}", open.id);
    assert_eq!(open.authentication_factor_id, id);
    assert!(open.expires_at.as_ref().expect("expires_at") > &open.created_at);
    open
}

async fn verify(
    client: &Client,
    id: &str,
    code: &str,
) -> Result<AuthenticationChallengeVerifyResponse, Error> {
    let body = AuthenticationChallengesVerifyRequest { code: code.into() };
    client.multi_factor_auth().verify_challenge(id, VerifyChallengeParams::new(body)).await
}

fn refused<T: std::fmt::Debug>(
    result: Result<T, Error>,
    status: u16,
    code: Option<&str>,
    message: &str,
) -> Error {
    let error = result.expect_err("a refusal");
    let api = error.api().expect("an answer of the server");
    assert_eq!(api.status, status);
    assert_eq!(api.code.as_deref(), code);
    assert_eq!(api.message, message);
    assert_eq!(api.request_id.as_ref().map(String::len), Some(36));
    assert_eq!(api.retry_after, None);
    error
}

async fn wrong_then_right(
    client: &Client,
    open: &AuthenticationChallenge,
    right: &str,
    wrong: &str,
) -> AuthenticationChallengeVerifyResponse {
    let no = verify(client, &open.id, wrong).await.expect("an answer");
    assert!(!no.valid);
    assert!(no.challenge.code.is_none());
    let yes = verify(client, &open.id, right).await.expect("an answer");
    assert!(yes.valid);
    assert_eq!(yes.challenge.id, open.id);
    refused(
        verify(client, &open.id, right).await,
        422,
        Some("authentication_challenge_previously_verified"),
        &format!("The authentication challenge '{}' has already been verified.", open.id),
    );
    yes
}

async fn delete_twice(client: &Client, id: &str) {
    let mfa = client.multi_factor_auth();
    mfa.delete_factor(id).await.expect("deleted");
    let message = format!("Authentication Factor not found: '{id}'.");
    assert!(refused(mfa.get_factor(id).await, 404, Some("entity_not_found"), &message).is_not_found());
    refused(mfa.delete_factor(id).await, 404, Some("entity_not_found"), &message);
}

fn fresh_user() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    format!("user_{}", now.as_nanos())
}

#[tokio::test]
async fn totp_enroll_scan_get_challenge_wrong_right_used_delete() {
    let client = client();
    let request = AuthenticationFactorsCreateRequest {
        totp_issuer: Some("Northwind".to_owned()),
        totp_user: Some("kim@example.org".to_owned()),
        ..of_kind(Kind::Totp)
    };
    let factor = enroll(&client, request).await;
    let enrolled = factor.totp.expect("totp");
    let secret = enrolled.secret.expose();
    let uri = format!("otpauth://totp/Northwind:kim@example.org?secret={secret}&issuer=Northwind");
    assert_eq!(enrolled.uri.expose(), uri);
    assert_eq!(scan(enrolled.qr_code.expose()), uri);

    let found = client.multi_factor_auth().get_factor(&factor.id).await.expect("the factor");
    assert_eq!(found.type_.as_str(), "totp");
    let found = found.totp.expect("totp");
    assert_eq!((found.issuer.as_str(), found.user.as_str()), ("Northwind", "kim@example.org"));

    let open = challenge(&client, &factor.id, None).await;
    assert!(open.code.is_none());
    wrong_then_right(&client, &open, &totp(secret), &wrong_totp(secret)).await;
    delete_twice(&client, &factor.id).await;
    refused(
        verify(&client, &open.id, "123456").await,
        404,
        Some("entity_not_found"),
        &format!("Authentication Challenge not found: '{}'.", open.id),
    );
}

#[tokio::test]
async fn sms_the_code_is_in_the_message_and_nowhere_else() {
    let client = client();
    let number = "+14155550123";
    let request =
        AuthenticationFactorsCreateRequest { phone_number: Some(number.to_owned()), ..of_kind(Kind::Sms) };
    let factor = enroll(&client, request).await;
    assert_eq!(factor.sms.expect("sms").phone_number, number);

    let open = challenge(&client, &factor.id, Some("Northwind says {{code}}.")).await;
    assert!(open.code.is_none());
    let message = newest_message(number).await;
    let code = message["code"].as_str().expect("a code");
    assert_eq!(message["authentication_challenge_id"], open.id.as_str());
    assert_eq!(message["body"], format!("Northwind says {code}."));
    let yes = wrong_then_right(&client, &open, code, &wrong_but(&[code])).await;
    assert!(yes.challenge.code.is_none());
    delete_twice(&client, &factor.id).await;
}

#[tokio::test]
async fn generic_otp_the_caller_delivers_the_code() {
    let client = client();
    let factor = enroll(&client, of_kind(Kind::GenericOtp)).await;
    assert_eq!(factor.type_.as_str(), "generic_otp");
    let open = challenge(&client, &factor.id, None).await;
    let code = open.code.as_ref().expect("a code to deliver").expose();
    let yes = wrong_then_right(&client, &open, code, &wrong_but(&[code])).await;
    assert_eq!(yes.challenge.code.expect("the code").expose(), code);
    delete_twice(&client, &factor.id).await;
}

#[tokio::test]
async fn a_user_enrolls_an_imported_secret_and_is_listed_page_by_page() {
    let client = client();
    let mfa = client.multi_factor_auth();
    let user = fresh_user();
    let with_secret = |secret: Option<String>| {
        CreateUserAuthFactorParams::new(EnrollUserAuthenticationFactor {
            type_: "totp".to_owned(),
            totp_issuer: Some("Northwind".to_owned()),
            totp_user: Some("kim@example.org".to_owned()),
            totp_secret: secret.map(Into::into),
        })
    };
    let first = mfa
        .create_user_auth_factor(&user, with_secret(Some(IMPORTED.to_lowercase())))
        .await
        .expect("enrolled");
    assert_eq!(first.authentication_factor.user_id.as_ref(), Some(&user));
    let enrolled = first.authentication_factor.totp.expect("totp");
    assert_eq!(enrolled.secret.expose(), IMPORTED);
    assert_eq!(scan(enrolled.qr_code.expose()), enrolled.uri.expose());
    wrong_then_right(&client, &first.authentication_challenge, &totp(IMPORTED), &wrong_totp(IMPORTED)).await;

    let mut newest_first = vec![first.authentication_factor.id];
    for _ in 0..2 {
        let more = mfa.create_user_auth_factor(&user, with_secret(None)).await.expect("enrolled");
        newest_first.insert(0, more.authentication_factor.id);
    }
    for kind in [Kind::Sms, Kind::GenericOtp] {
        let request = AuthenticationFactorsCreateRequest {
            phone_number: Some("+14155550126".to_owned()),
            user_id: Some(user.clone()),
            ..of_kind(kind)
        };
        newest_first.insert(0, enroll(&client, request).await.id);
    }

    let page = |limit, after, before, order| {
        let params = ListUserAuthFactorsParams { limit, after, before, order };
        async { mfa.list_user_auth_factors(&user, params).await.expect("a page") }
    };
    let first = page(Some(2), None, None, None).await;
    let ids = |page: &workos::models::UserAuthenticationFactorList| {
        page.data.iter().map(|factor| factor.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), newest_first[..2]);
    assert_eq!(first.list_metadata.before, None);
    let second = page(Some(2), first.list_metadata.after, None, None).await;
    assert_eq!(ids(&second), newest_first[2..4]);
    let back = page(Some(2), None, second.list_metadata.before, None).await;
    assert_eq!(ids(&back), newest_first[..2]);
    let ascending = page(None, None, None, Some(PaginationOrder::Asc)).await;
    let oldest_first: Vec<_> = newest_first.iter().rev().cloned().collect();
    assert_eq!(ids(&ascending), oldest_first);
    let params = ListUserAuthFactorsParams { limit: Some(2), ..Default::default() };
    let all: Vec<_> = mfa
        .list_user_auth_factors_auto_paging(user.clone(), params)
        .map(|factor| factor.expect("a factor").id)
        .collect()
        .await;
    assert_eq!(all, newest_first);

    mfa.delete_factor(&newest_first[0]).await.expect("deleted");
    assert_eq!(ids(&page(None, None, None, None).await), newest_first[1..]);
}

#[tokio::test]
async fn a_key_that_does_not_exist_is_401() {
    let stranger = client_with_key("sk_test_wrong");
    let answer = stranger.multi_factor_auth().get_factor("auth_factor_01").await;
    assert!(refused(answer, 401, None, "Unauthorized").is_unauthorized());
}

#[tokio::test]
async fn fields_that_do_not_hold_are_422() {
    let client = client();
    let mfa = client.multi_factor_auth();
    let answer = mfa.enroll_factor(EnrollFactorParams::new(of_kind(Kind::Unknown("fax".to_owned())))).await;
    refused(answer, 422, Some("invalid_request_parameters"), "Validation failed");
    let short =
        AuthenticationFactorsCreateRequest { phone_number: Some("+1415".to_owned()), ..of_kind(Kind::Sms) };
    let answer = mfa.enroll_factor(EnrollFactorParams::new(short)).await;
    refused(answer, 422, Some("invalid_phone_number"), "Phone number is invalid: '+1415'");
}

#[tokio::test]
async fn too_many_attempts_are_400_and_a_locked_factor_429_without_a_header() {
    let client = client();
    let factor = enroll(&client, of_kind(Kind::GenericOtp)).await;
    for _ in 0..2 {
        let open = challenge(&client, &factor.id, None).await;
        let code = open.code.expect("a code");
        for _ in 0..5 {
            assert!(!verify(&client, &open.id, &wrong_but(&[code.expose()])).await.expect("an answer").valid);
        }
        let sixth = verify(&client, &open.id, code.expose()).await;
        let message = "Too many attempts. Create a new challenge.";
        refused(sixth, 400, Some("one_time_code_too_many_attempts"), message);
    }
    let open = challenge(&client, &factor.id, None).await;
    let locked = verify(&client, &open.id, open.code.expect("a code").expose()).await;
    let message = "Too many failed verification attempts.";
    assert!(refused(locked, 429, Some("too_many_failed_verification_attempts"), message).is_rate_limited());
}

#[tokio::test]
async fn a_call_repeated_with_its_idempotency_key_is_done_once() {
    let client = client();
    let options = RequestOptions::new().idempotency_key(fresh_user());
    let mut ids = Vec::new();
    for _ in 0..2 {
        let params = EnrollFactorParams::new(of_kind(Kind::GenericOtp));
        let factor = client.multi_factor_auth().enroll_factor_with_options(params, Some(&options)).await;
        ids.push(factor.expect("a factor").id);
    }
    assert_eq!(ids[0], ids[1]);
}
