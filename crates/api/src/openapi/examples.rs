//! Examples for the document. A test sends the requests and compares the answers' keys, so they stay true.

use serde_json::{Value, json};

const FACTOR: &str = "auth_factor_01M8E81GPAM7T0V3X6Y9A1C5EF";
const CHALLENGE: &str = "auth_challenge_01M8E82GGRN8R2S6W9Z1D3F7H0";
const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const CREATED: &str = "2026-11-27T10:15:30.250Z";
const ASKED: &str = "2026-11-27T10:16:02.840Z";

fn factor(secrets: bool) -> Value {
    let mut totp = json!({ "issuer": "Northwind", "user": "kim@example.org" });
    if let (true, Some(totp)) = (secrets, totp.as_object_mut()) {
        totp.insert("secret".into(), json!(SECRET));
        totp.insert("qr_code".into(), json!("data:image/png;base64,…"));
        let uri = format!("otpauth://totp/Northwind:kim@example.org?secret={SECRET}&issuer=Northwind");
        totp.insert("uri".into(), json!(uri));
    }
    json!({
        "object": "authentication_factor", "id": FACTOR, "created_at": CREATED, "updated_at": CREATED,
        "type": "totp", "user_id": "u-4711", "totp": totp,
    })
}

fn challenge() -> Value {
    json!({
        "object": "authentication_challenge", "id": CHALLENGE, "created_at": ASKED, "updated_at": ASKED,
        "expires_at": "2026-11-27T10:26:02.840Z", "authentication_factor_id": FACTOR,
    })
}

fn timeline() -> Value {
    let line = |at: &str, event: &str, text: &str| json!({ "at": at, "event": event, "text": text });
    json!({
        "object": "challenge_timeline", "id": CHALLENGE, "created_at": ASKED,
        "expires_at": "2026-11-27T10:26:02.840Z", "authentication_factor_id": FACTOR, "type": "totp",
        "state": "open", "attempts_used": 1, "deliveries": [],
        "timeline": [
            line(ASKED, "opened", "the challenge was opened"),
            line(
                "2026-11-27T10:16:20.415Z",
                "wrong_code",
                "wrong code: its step was 70 s old: typed late, or the phone's clock is slow",
            ),
        ],
    })
}

/// What a request looks like, by its schema.
pub(super) fn request(schema: &str) -> Value {
    match schema {
        "EnrollFactorRequest" => {
            json!({ "type": "totp", "totp_issuer": "Northwind", "totp_user": "kim@example.org", "user_id": "u-4711" })
        }
        "EnrollUserFactorRequest" => {
            json!({ "type": "totp", "totp_issuer": "Northwind", "totp_user": "kim@example.org" })
        }
        "LegacyChallengeFactorRequest" => json!({ "authentication_factor_id": FACTOR }),
        "VerifyChallengeRequest" => json!({ "code": "123456" }),
        "LegacyVerifyChallengeRequest" => {
            json!({ "authentication_challenge_id": CHALLENGE, "code": "123456" })
        }
        _ => json!({}),
    }
}

/// What an answer looks like, by its operation.
pub(super) fn answer(operation: &str) -> Value {
    match operation {
        "enrollFactor" => factor(true),
        "getFactor" => factor(false),
        "enrollUserFactor" => {
            json!({ "authentication_factor": factor(true), "authentication_challenge": challenge() })
        }
        "listUserFactors" => {
            let list_metadata = json!({ "before": null, "after": null });
            json!({ "object": "list", "data": [factor(false)], "list_metadata": list_metadata })
        }
        "challengeFactor" | "challengeFactorLegacy" => challenge(),
        "getChallengeTimeline" => timeline(),
        _ => json!({ "challenge": challenge(), "valid": true }),
    }
}

/// What an error looks like.
pub(super) fn error(status: u16, code: &str) -> Value {
    crate::fault::example(status, code)
}

/// Where there is no route.
pub(super) fn no_route() -> Value {
    json!({ "message": "Cannot GET /auth/factor", "code": "route_not_found" })
}

/// Where there is one for other methods.
pub(super) fn wrong_method() -> Value {
    json!({ "message": "Method not allowed.", "code": "method_not_allowed" })
}
