//! Saying no before or beside the rules: no key, no route, an unreadable body, a fault of ours (W5).

use crate::{
    body::Unreadable,
    refusal::{self, Problem},
    reply::{Reply, TRY_AGAIN_SECONDS},
    wire,
};
use app::Failure;
use axum::body::Bytes;
use domain::text::{echo_path, echo_value};
use serde::Serialize;
use std::sync::LazyLock;
use utoipa::ToSchema;

/// The answer to a request that broke with a failure: never the cause. That goes to the log, here and only here.
pub(crate) fn failed(failure: &Failure, request_id: &str) -> Reply {
    match failure {
        Failure::Busy(_) => {
            tracing::warn!(request_id, %failure, "answered 503");
            unavailable().reply()
        }
        Failure::Internal(_) => {
            tracing::error!(request_id, %failure, "answered 500");
            internal()
        }
    }
}

/// There is more to do than can be done (F72).
pub(crate) fn overloaded() -> Reply {
    static BODY: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(wire::json(&unavailable())));
    Reply::json(503, BODY.clone())
}

fn unavailable() -> Problem<'static> {
    Problem::new(503, "service_unavailable", "The service is temporarily unavailable.")
        .after(Some(TRY_AGAIN_SECONDS))
}

fn fault() -> Problem<'static> {
    Problem::new(500, "internal_error", "Something went wrong on the server.")
}

fn not_permitted() -> Problem<'static> {
    Problem::new(403, "forbidden", "This API key does not permit this action.")
}

fn rate_exceeded(seconds: u32) -> Problem<'static> {
    Problem::new(429, "rate_limit_exceeded", "Too many requests.").after(Some(seconds))
}

fn oversized() -> Problem<'static> {
    Problem::new(413, "payload_too_large", "The request body is larger than 64 KiB.")
}

fn not_json_type() -> Problem<'static> {
    let message = "The request body must be application/json without a content encoding.";
    Problem::new(415, "unsupported_media_type", message)
}

fn late_body() -> Problem<'static> {
    Problem::new(408, "request_timeout", "The request body did not arrive in time.")
}

fn unreadable_body(why: Unreadable) -> Problem<'static> {
    let message = match why {
        Unreadable::NotJson => "The request body is not valid JSON.",
        Unreadable::DuplicateKey => "The request body has a duplicate key.",
    };
    Problem::new(400, "bad_request", message)
}

/// Those that no refusal stands behind, for the document.
fn fixed() -> [Problem<'static>; 8] {
    [
        unavailable(),
        fault(),
        not_permitted(),
        rate_exceeded(1),
        oversized(),
        not_json_type(),
        late_body(),
        unreadable_body(Unreadable::NotJson),
    ]
}

/// A fault of ours.
pub(crate) fn internal() -> Reply {
    fault().reply()
}

/// No valid API key. Exactly this body, and no difference between its reasons (W2).
pub(crate) fn unauthorized() -> Reply {
    Reply::json(401, wire::json(&UNAUTHORIZED))
}

/// The key lacks the permission.
pub(crate) fn forbidden() -> Reply {
    not_permitted().reply()
}

/// The key's request rate is used up; seconds from 1 to 5.
pub(crate) fn too_many_requests(seconds: u32) -> Reply {
    let seconds = seconds.clamp(1, 5);
    Reply { retry_after: Some(seconds), ..rate_exceeded(seconds).reply() }
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
    oversized().reply()
}

/// The body is not what this API reads.
pub(crate) fn wrong_media_type() -> Reply {
    not_json_type().reply()
}

/// The body did not arrive in time. Nothing was done.
pub(crate) fn too_slow() -> Reply {
    late_body().reply()
}

/// The body cannot be read.
pub(crate) fn unreadable(why: Unreadable) -> Reply {
    unreadable_body(why).reply()
}

/// An error as it is written, for the document: by status and code.
pub(crate) fn example(status: u16, code: &str) -> serde_json::Value {
    let is_it = |problem: &Problem<'_>| problem.is(status, code);
    let value = match refusal::examples().into_iter().chain(fixed()).find(is_it) {
        Some(problem) => serde_json::to_value(problem),
        None => serde_json::to_value(UNAUTHORIZED),
    };
    value.unwrap_or_default()
}

const UNAUTHORIZED: Unauthorized = Unauthorized { message: "Unauthorized" };

/// The body of a 401.
#[derive(Serialize, ToSchema)]
pub(crate) struct Unauthorized {
    #[schema(pattern = "^Unauthorized$")]
    message: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// W5: SDKs sleep for as long as the header says.
    #[test]
    fn w5_retry_after_is_a_header_only_on_the_request_rate_and_503() {
        assert_eq!(failed(&Failure::busy("the queue is full"), "r").retry_after, Some(1));
        assert_eq!(failed(&Failure::internal("a bug"), "r").retry_after, None);
        assert_eq!(too_many_requests(3).retry_after, Some(3));
        assert_eq!(too_many_requests(60).retry_after, Some(5));
    }

    #[test]
    fn w5_the_cause_of_a_failure_is_not_told() {
        for failure in [Failure::busy("secret"), Failure::internal("secret")] {
            assert!(!format!("{:?}", failed(&failure, "r").body).contains("secret"));
        }
    }
}
