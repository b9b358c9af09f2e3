//! What routes beside the nine need to look like them: the same key, the same headers, the same refusals.

use crate::{fault, pipeline, refusal, reply::Reply, request_id::RequestId, timeline, wire};
use app::{App, Caller, Failure};
use axum::{
    http::{HeaderMap, HeaderValue},
    response::Response,
};
use domain::{
    refusal::{FieldError, Refusal},
    time::Timestamp,
    timeline::ChallengeRecord,
};
use serde::Serialize;

fn respond(app: &App, reply: Reply) -> Response {
    reply.into_response(&RequestId::draw(app.entropy().as_ref()))
}

/// The caller that the request's API key proves (W2).
///
/// # Errors
/// With the answer to give: 401, or 503 while the clock cannot be trusted.
#[expect(clippy::result_large_err, reason = "the error is the answer, made once and sent")]
pub fn authenticate(app: &App, headers: &HeaderMap) -> Result<Caller, Response> {
    let now = app.now().map_err(|failure| failed(app, &failure))?;
    let caller = pipeline::bearer(headers).and_then(|key| app.authenticate(key, now));
    caller.ok_or_else(|| respond(app, fault::unauthorized()))
}

/// An answer with a JSON body, which must be an object.
pub fn json(app: &App, status: u16, body: &impl Serialize) -> Response {
    respond(app, Reply::json(status, wire::json(body)))
}

/// What is kept of a challenge, as the route of W16 shows it.
#[must_use]
pub fn challenge_timeline(record: &ChallengeRecord, now: Timestamp) -> serde_json::Value {
    // Strings, numbers and lists have no way to fail.
    serde_json::to_value(timeline::TimelineBody::of(record, now)).unwrap_or_default()
}

/// 204.
#[must_use]
pub fn no_content(app: &App) -> Response {
    respond(app, Reply::no_content())
}

/// 422, naming what is wrong (W5).
#[must_use]
pub fn invalid(app: &App, errors: Vec<FieldError>) -> Response {
    respond(app, refusal::refused(&Refusal::Invalid(errors), "").into())
}

/// 400 for a body that is not JSON (W5).
#[must_use]
pub fn not_json(app: &App) -> Response {
    respond(app, fault::unreadable(crate::body::Unreadable::NotJson))
}

/// A status without a body, for those who read none.
#[must_use]
pub fn empty(app: &App, status: u16) -> Response {
    let retry_after = (status == 503).then_some(crate::reply::TRY_AGAIN_SECONDS);
    respond(app, Reply { status, retry_after, ..Reply::no_content() })
}

/// The `x-request-id` of an answer that is made elsewhere.
#[must_use]
pub fn request_id(app: &App) -> HeaderValue {
    RequestId::draw(app.entropy().as_ref()).header()
}

/// 503 or 500, the cause only in the log.
#[must_use]
pub fn failed(app: &App, failure: &Failure) -> Response {
    let id = RequestId::draw(app.entropy().as_ref());
    fault::failed(failure, id.as_str()).into_response(&id)
}
