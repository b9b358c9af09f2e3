//! What requests hold, as schemas. By hand: a body is not read into one type, since fields that do not belong to the
//! given `type` are not looked at (W4).

use serde_json::{Map, Value, json};

/// A field that may be left out, or be `null`.
fn optional(mut schema: Value, description: &str) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("type".into(), json!(["string", "null"]));
        schema.insert("description".into(), json!(description));
    }
    schema
}

fn user_id() -> Value {
    optional(json!({ "maxLength": 255 }), "Your own id of the user; without control characters.")
}

fn label(description: &str) -> Value {
    optional(json!({ "maxLength": 255 }), description)
}

fn template() -> Value {
    let description =
        "For sms: 1 to 320 characters with `{{code}}`, without links. For other types it is not looked at.";
    json!({ "description": description, "examples": ["Your Northwind code is {{code}}."] })
}

fn address() -> Value {
    let description =
        "The user's IP address, for limits of the operator's. Ignored if it is none, or a private one.";
    json!({ "description": description, "examples": ["198.51.100.7"] })
}

fn code() -> Value {
    let description = "As the user typed it; spaces and hyphens do not matter.";
    json!({ "type": "string", "minLength": 1, "description": description })
}

fn issuer() -> Value {
    label("The name that the app shows; the environment's default if left out.")
}

fn app_user() -> Value {
    label("The account that the app shows; the user id, or the factor's id, if left out.")
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

/// The schemas of all bodies.
pub(super) fn schemas() -> Map<String, Value> {
    let phone_number = json!({
        "type": "string", "minLength": 1,
        "description": "E.164, or a North American number of ten digits; spaces, hyphens, dots and parentheses are dropped.",
    });
    let secret =
        optional(json!({}), "A secret to import: Base32 of 16 to 64 characters that is 10 to 40 bytes.");
    let id = |what: &str| json!({ "type": "string", "minLength": 1, "description": what });
    let all = [
        (
            "EnrollFactorRequest",
            json!({
                "oneOf": [
                    { "$ref": "#/components/schemas/EnrollGenericOtp" },
                    { "$ref": "#/components/schemas/EnrollSms" },
                    { "$ref": "#/components/schemas/EnrollTotp" },
                ],
            }),
        ),
        (
            "EnrollGenericOtp",
            object(&["type"], json!({ "type": { "const": "generic_otp" }, "user_id": user_id() })),
        ),
        (
            "EnrollSms",
            object(
                &["type", "phone_number"],
                json!({ "type": { "const": "sms" }, "phone_number": phone_number, "user_id": user_id() }),
            ),
        ),
        (
            "EnrollTotp",
            object(
                &["type"],
                json!({
                    "type": { "const": "totp" },
                    "totp_issuer": issuer(), "totp_user": app_user(), "user_id": user_id(),
                }),
            ),
        ),
        (
            "EnrollUserFactorRequest",
            object(
                &["type"],
                json!({
                    "type": { "const": "totp" },
                    "totp_issuer": issuer(), "totp_user": app_user(), "totp_secret": secret,
                }),
            ),
        ),
        (
            "ChallengeFactorRequest",
            json!({
                "type": ["object", "null"],
                "properties": { "sms_template": template(), "ip_address": address() },
            }),
        ),
        (
            "LegacyChallengeFactorRequest",
            object(
                &["authentication_factor_id"],
                json!({
                    "authentication_factor_id": id("The factor."),
                    "sms_template": template(), "ip_address": address(),
                }),
            ),
        ),
        ("VerifyChallengeRequest", object(&["code"], json!({ "code": code() }))),
        (
            "LegacyVerifyChallengeRequest",
            object(
                &["authentication_challenge_id", "code"],
                json!({ "authentication_challenge_id": id("The challenge."), "code": code() }),
            ),
        ),
    ];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// The parameters that several routes share.
pub(super) fn parameters() -> Value {
    let cursor = |name: &str, description: &str| {
        let pattern = "^(auth_factor_[0-7][0-9A-HJKMNP-TV-Z]{25})?$";
        json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string", "pattern": pattern } })
    };
    json!({
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header",
            "description": "1 to 255 visible ASCII characters. For two minutes the same request with the same key gets \
                the same answer, and nothing is done twice. Keys of another form are ignored.",
            "schema": { "type": "string" },
        },
        "Limit": {
            "name": "limit", "in": "query", "description": "Most factors on the page.",
            "schema": { "type": "integer", "minimum": 1, "maximum": 100, "default": 10 },
        },
        "Order": {
            "name": "order", "in": "query", "description": "By time of enrollment; `normal` means `desc`.",
            "schema": { "type": "string", "enum": ["desc", "asc", "normal"], "default": "desc" },
        },
        "After": cursor("after", "The page that follows this id."),
        "Before": cursor("before", "The page that immediately precedes this id. Not together with `after`."),
    })
}
