//! Every way of saying no, as status, code and sentence (W5). The one place that decides it.

use crate::{
    reply::{Reply, TRY_AGAIN_SECONDS},
    wire,
};
use app::Answer;
use domain::{
    refusal::{FieldError, Refusal},
    text::{echo_id, echo_value},
};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// The body of an error.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct Problem<'a> {
    #[serde(skip)]
    status: u16,
    message: Cow<'a, str>,
    code: &'static str,
    /// The object that was not found, with `entity_not_found`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false, required = false)]
    entity_id: Option<Cow<'a, str>>,
    /// What is wrong with which field, with `invalid_request_parameters`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    errors: Option<Vec<FieldProblem>>,
    /// Whole seconds, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    retry_after: Option<u32>,
}

/// What is wrong with a field. `code` is the sentence itself, because some SDKs show only that.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldError)]
pub(crate) struct FieldProblem {
    field: &'static str,
    code: String,
    message: String,
}

impl<'a> Problem<'a> {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<Cow<'a, str>>) -> Self {
        Self { status, message: message.into(), code, entity_id: None, errors: None, retry_after: None }
    }

    pub(crate) fn after(mut self, seconds: Option<u32>) -> Self {
        self.retry_after = seconds;
        self
    }

    fn not_found(what: &str, id: &'a str) -> Self {
        let id = echo_id(id);
        let message = format!("{what} not found: '{id}'.");
        Self { entity_id: Some(id), ..Self::new(404, "entity_not_found", message) }
    }

    /// Whether it has this status and code.
    pub(crate) fn is(&self, status: u16, code: &str) -> bool {
        self.status == status && self.code == code
    }

    fn answer(&self) -> Answer {
        Answer { status: self.status, body: wire::json(self) }
    }

    pub(crate) fn reply(&self) -> Reply {
        self.answer().into()
    }
}

/// What a refusal says. `id` is the object that the request is about, as the caller wrote it.
fn problem<'a>(refusal: &Refusal, id: &'a str) -> Problem<'a> {
    match refusal {
        Refusal::FactorNotFound => Problem::not_found("Authentication Factor", id),
        Refusal::ChallengeNotFound => Problem::not_found("Authentication Challenge", id),
        Refusal::Invalid(errors) => invalid(errors),
        Refusal::InvalidPhoneNumber(number) => {
            let message = format!("Phone number is invalid: '{}'", echo_value(number));
            Problem::new(422, "invalid_phone_number", message)
        }
        Refusal::FactorLimitReached => Problem::new(
            422,
            "factor_limit_reached",
            "This user has the maximum number of authentication factors.",
        ),
        Refusal::AlreadyVerified => {
            let message =
                format!("The authentication challenge '{}' has already been verified.", echo_id(id));
            Problem::new(422, "authentication_challenge_previously_verified", message)
        }
        Refusal::Expired => {
            let message = format!("The authentication challenge '{}' has expired.", echo_id(id));
            Problem::new(422, "authentication_challenge_expired", message)
        }
        Refusal::TooManyAttempts => {
            Problem::new(400, "one_time_code_too_many_attempts", "Too many attempts. Create a new challenge.")
        }
        Refusal::Locked { retry_after } => Problem::new(
            429,
            "too_many_failed_verification_attempts",
            "Too many failed verification attempts.",
        )
        .after(Some(*retry_after)),
        Refusal::Stopped => Problem::new(
            429,
            "too_many_failed_verification_attempts",
            "Too many failed verification attempts. This factor must be reset.",
        ),
        Refusal::SmsRateLimited { retry_after } => {
            Problem::new(429, "sms_challenge_rate_limited", "Too many text messages to this phone number.")
                .after(*retry_after)
        }
        Refusal::SmsQuotaReached { retry_after } => Problem::new(
            429,
            "sms_challenge_quota_reached",
            "The daily quota of text messages has been reached.",
        )
        .after(Some(*retry_after)),
        Refusal::SmsNotSent => {
            Problem::new(503, "sms_delivery_failed", "The text message could not be sent.")
                .after(Some(TRY_AGAIN_SECONDS))
        }
    }
}

fn invalid<'a>(errors: &[FieldError]) -> Problem<'a> {
    let sentence = |e: &FieldError| format!("{} {}", e.field, e.problem);
    let one = |e: &FieldError| FieldProblem { field: e.field, code: sentence(e), message: sentence(e) };
    let errors = Some(errors.iter().map(one).collect());
    Problem { errors, ..Problem::new(422, "invalid_request_parameters", "Validation failed") }
}

/// The answer to a refused request about the object `id`.
pub(crate) fn refused(refusal: &Refusal, id: &str) -> Answer {
    problem(refusal, id).answer()
}

/// One of each, for the document.
pub(crate) fn examples() -> Vec<Problem<'static>> {
    const CHALLENGE: &str = "auth_challenge_01M8E82GGRN8R2S6W9Z1D3F7H0";
    let refusals = [
        Refusal::ChallengeNotFound,
        Refusal::Invalid(vec![FieldError::new("type", crate::fields::NOT_A_VALUE)]),
        Refusal::InvalidPhoneNumber("+1 23".into()),
        Refusal::FactorLimitReached,
        Refusal::AlreadyVerified,
        Refusal::Expired,
        Refusal::TooManyAttempts,
        Refusal::Locked { retry_after: 30 },
        Refusal::SmsRateLimited { retry_after: Some(600) },
        Refusal::SmsQuotaReached { retry_after: 3_600 },
        Refusal::SmsNotSent,
    ];
    refusals.iter().map(|refusal| problem(refusal, CHALLENGE)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(refusal: &Refusal) -> (u16, String) {
        let answer = refused(refusal, "auth_x\n");
        (answer.status, String::from_utf8(answer.body).unwrap())
    }

    /// W5, line by line.
    #[test]
    fn w5_every_refusal_has_its_status_code_and_sentence() {
        let error = FieldError::new("type", NOT_A_VALUE);
        for (refusal, status, text) in [
            (
                Refusal::FactorNotFound,
                404,
                r#"{"message":"Authentication Factor not found: 'auth_x'.","code":"entity_not_found","entity_id":"auth_x"}"#,
            ),
            (
                Refusal::ChallengeNotFound,
                404,
                r#"{"message":"Authentication Challenge not found: 'auth_x'.","code":"entity_not_found","entity_id":"auth_x"}"#,
            ),
            (
                Refusal::Invalid(vec![error]),
                422,
                r#"{"message":"Validation failed","code":"invalid_request_parameters","errors":[{"field":"type","code":"type must be a valid enum value","message":"type must be a valid enum value"}]}"#,
            ),
            (
                Refusal::InvalidPhoneNumber("+1\n23".into()),
                422,
                r#"{"message":"Phone number is invalid: '+123'","code":"invalid_phone_number"}"#,
            ),
            (
                Refusal::FactorLimitReached,
                422,
                r#"{"message":"This user has the maximum number of authentication factors.","code":"factor_limit_reached"}"#,
            ),
            (
                Refusal::AlreadyVerified,
                422,
                r#"{"message":"The authentication challenge 'auth_x' has already been verified.","code":"authentication_challenge_previously_verified"}"#,
            ),
            (
                Refusal::Expired,
                422,
                r#"{"message":"The authentication challenge 'auth_x' has expired.","code":"authentication_challenge_expired"}"#,
            ),
            (
                Refusal::TooManyAttempts,
                400,
                r#"{"message":"Too many attempts. Create a new challenge.","code":"one_time_code_too_many_attempts"}"#,
            ),
            (
                Refusal::Locked { retry_after: 30 },
                429,
                r#"{"message":"Too many failed verification attempts.","code":"too_many_failed_verification_attempts","retry_after":30}"#,
            ),
            (
                Refusal::Stopped,
                429,
                r#"{"message":"Too many failed verification attempts. This factor must be reset.","code":"too_many_failed_verification_attempts"}"#,
            ),
            (
                Refusal::SmsRateLimited { retry_after: Some(9) },
                429,
                r#"{"message":"Too many text messages to this phone number.","code":"sms_challenge_rate_limited","retry_after":9}"#,
            ),
            (
                Refusal::SmsRateLimited { retry_after: None },
                429,
                r#"{"message":"Too many text messages to this phone number.","code":"sms_challenge_rate_limited"}"#,
            ),
            (
                Refusal::SmsQuotaReached { retry_after: 9 },
                429,
                r#"{"message":"The daily quota of text messages has been reached.","code":"sms_challenge_quota_reached","retry_after":9}"#,
            ),
            (
                Refusal::SmsNotSent,
                503,
                r#"{"message":"The text message could not be sent.","code":"sms_delivery_failed","retry_after":1}"#,
            ),
        ] {
            assert_eq!(body(&refusal), (status, text.to_owned()));
        }
    }

    /// W5: SDKs sleep for as long as the header says.
    #[test]
    fn w5_a_lock_has_no_retry_after_header() {
        for refusal in [
            Refusal::Locked { retry_after: 30 },
            Refusal::SmsRateLimited { retry_after: Some(30) },
            Refusal::SmsQuotaReached { retry_after: 30 },
        ] {
            assert_eq!(Reply::from(refused(&refusal, "x")).retry_after, None);
        }
        assert_eq!(Reply::from(refused(&Refusal::SmsNotSent, "x")).retry_after, Some(1));
    }

    use crate::fields::NOT_A_VALUE;
}
