//! Every way of saying no, as status, code and sentence (W5). The one place that decides it.

use crate::{
    body::Unreadable,
    reply::{Reply, TRY_AGAIN_SECONDS},
    wire,
};
use app::{Answer, Failure};
use domain::{
    refusal::{FieldError, Refusal},
    text::{echo_id, echo_path, echo_value},
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

/// The body of a 401.
#[derive(Serialize, ToSchema)]
pub(crate) struct Unauthorized {
    #[schema(pattern = "^Unauthorized$")]
    message: &'static str,
}

impl<'a> Problem<'a> {
    fn new(status: u16, code: &'static str, message: impl Into<Cow<'a, str>>) -> Self {
        Self { status, message: message.into(), code, entity_id: None, errors: None, retry_after: None }
    }

    fn after(mut self, seconds: Option<u32>) -> Self {
        self.retry_after = seconds;
        self
    }

    fn not_found(what: &str, id: &'a str) -> Self {
        let id = echo_id(id);
        let message = format!("{what} not found: '{id}'.");
        Self { entity_id: Some(id), ..Self::new(404, "entity_not_found", message) }
    }

    fn answer(&self) -> Answer {
        Answer { status: self.status, body: wire::json(self) }
    }

    fn reply(&self) -> Reply {
        self.answer().into()
    }
}

/// What a refusal says. `id` is the object that the request is about, as the caller wrote it.
fn problem<'a>(refusal: &'a Refusal, id: &'a str) -> Problem<'a> {
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

/// The answer to a request that broke with a failure: never the cause. That goes to the log, here and only here.
pub(crate) fn failed(failure: &Failure, request_id: &str) -> Reply {
    match failure {
        Failure::Busy(_) => {
            tracing::warn!(request_id, %failure, "answered 503");
            Problem::new(503, "service_unavailable", "The service is temporarily unavailable.")
                .after(Some(TRY_AGAIN_SECONDS))
                .reply()
        }
        Failure::Internal(_) => {
            tracing::error!(request_id, %failure, "answered 500");
            internal()
        }
    }
}

/// A fault of ours.
pub(crate) fn internal() -> Reply {
    Problem::new(500, "internal_error", "Something went wrong on the server.").reply()
}

/// No valid API key. Exactly this body, and no difference between its reasons (W2).
pub(crate) fn unauthorized() -> Reply {
    Reply::json(401, wire::json(&Unauthorized { message: "Unauthorized" }))
}

/// The key lacks the permission.
pub(crate) fn forbidden() -> Reply {
    Problem::new(403, "forbidden", "This API key does not permit this action.").reply()
}

/// The key's request rate is used up; seconds from 1 to 5.
pub(crate) fn too_many_requests(seconds: u32) -> Reply {
    let seconds = seconds.clamp(1, 5);
    let problem = Problem::new(429, "rate_limit_exceeded", "Too many requests.").after(Some(seconds));
    Reply { retry_after: Some(seconds), ..problem.reply() }
}

/// No route there.
pub(crate) fn no_route(method: &str, path: &str) -> Reply {
    let message = format!("Cannot {} {}", echo_value(method), echo_path(path));
    Problem::new(404, "route_not_found", message).reply()
}

/// The path has other methods than this.
pub(crate) fn wrong_method(allow: String) -> Reply {
    let problem = Problem::new(405, "method_not_allowed", "Method not allowed.");
    Reply { allow: Some(allow), ..problem.reply() }
}

/// The body is over the limit.
pub(crate) fn too_large() -> Reply {
    Problem::new(413, "payload_too_large", "The request body is larger than 64 KiB.").reply()
}

/// The body is not what this API reads.
pub(crate) fn wrong_media_type() -> Reply {
    let message = "The request body must be application/json without a content encoding.";
    Problem::new(415, "unsupported_media_type", message).reply()
}

/// The body did not arrive in time. Nothing was done.
pub(crate) fn too_slow() -> Reply {
    Problem::new(408, "request_timeout", "The request body did not arrive in time.").reply()
}

/// The body cannot be read.
pub(crate) fn unreadable(why: Unreadable) -> Reply {
    let message = match why {
        Unreadable::NotJson => "The request body is not valid JSON.",
        Unreadable::DuplicateKey => "The request body has a duplicate key.",
    };
    Problem::new(400, "bad_request", message).reply()
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
    fn w5_retry_after_is_a_header_only_on_the_request_rate_and_503() {
        for refusal in [
            Refusal::Locked { retry_after: 30 },
            Refusal::SmsRateLimited { retry_after: Some(30) },
            Refusal::SmsQuotaReached { retry_after: 30 },
        ] {
            assert_eq!(Reply::from(refused(&refusal, "x")).retry_after, None);
        }
        assert_eq!(Reply::from(refused(&Refusal::SmsNotSent, "x")).retry_after, Some(1));
        assert_eq!(failed(&Failure::busy("the queue is full"), "r").retry_after, Some(1));
        assert_eq!(failed(&Failure::internal("a bug"), "r").retry_after, None);
        assert_eq!(too_many_requests(3).retry_after, Some(3));
        assert_eq!(too_many_requests(60).retry_after, Some(5));
    }

    use crate::fields::NOT_A_VALUE;
}
