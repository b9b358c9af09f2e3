//! The way of every request, in the order of W6: route, key, permission, rate, size and media type, JSON; then its own.

use crate::{
    body::Json,
    challenges, docs, factors, fault,
    fields::Fields,
    hooks::{self, Hooks, RequestDone, Trace},
    idempotency,
    inbound::Inbound,
    openapi, query,
    reply::Reply,
    request_id::RequestId,
    routes::{self, Endpoint, Found, Page, Route},
    timeline,
};
use app::{Answer, App, Caller, Failure, Memory, Retry, StepTimes, Verified};
use axum::{
    body::Bytes,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, Method, Uri, Version,
        header::{AUTHORIZATION, CONNECTION},
        request::Parts,
    },
    response::Response,
};
use domain::refusal::FieldError;
use edge::{Admission, Overloaded};
use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, OnceLock},
    time::Instant,
};

/// What answers requests.
pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) hooks: Hooks,
    pub(crate) admission: Arc<Admission>,
}

/// A request that got as far as its own rules.
pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    hooks: &'a Hooks,
    verdict: &'a OnceLock<Verified>,
    pub(crate) caller: &'a Caller,
    /// What stands in the place of the template's `{…}`, still percent-encoded.
    pub(crate) segment: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Why a request ends early.
pub(crate) enum Stop {
    /// With an answer.
    Reply(Reply),
    /// With a failure, which is not to be shown.
    Failure(Failure),
    /// Before it began, since there is more to do than can be done.
    Shed,
}

impl From<Overloaded> for Stop {
    fn from(_: Overloaded) -> Self {
        Self::Shed
    }
}

impl From<Reply> for Stop {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<Answer> for Stop {
    fn from(answer: Answer) -> Self {
        Self::Reply(answer.into())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl<'a> Call<'a> {
    /// The body as JSON; `[]` counts as nothing on the challenge routes.
    pub(crate) fn fields(&self, known: &[&str], array_is_nothing: bool) -> Result<Fields<'a>, Stop> {
        let json = Json::read(self.body).map_err(fault::unreadable)?;
        let mut fields = Fields::of(json, array_is_nothing);
        if self.strict() {
            fields.only(known);
            if let Some(error) = query::unknown(self.query(), false) {
                fields.complain(error.field, &error.problem);
            }
        }
        Ok(fields)
    }

    pub(crate) fn query(&self) -> Option<&'a str> {
        self.uri.query()
    }

    /// What the setting `strict_parameters` has against the query.
    pub(crate) fn query_complaint(&self, pageable: bool) -> Option<FieldError> {
        if self.strict() { query::unknown(self.query(), pageable) } else { None }
    }

    fn strict(&self) -> bool {
        self.caller.environment().settings.strict_parameters
    }

    /// Tells a verdict that is durable.
    pub(crate) fn decided(&self, verdict: &Verified) {
        self.hooks.watch().on_verdict(self.verdict.get_or_init(|| *verdict));
    }

    /// Where the answer to this request is remembered, if its key is usable (W7).
    pub(crate) fn memory(&self) -> Result<Option<Memory>, Failure> {
        let retry = idempotency::usable_key(self.headers).map(|key| {
            let (method, path) = (self.method.as_str(), self.uri.path());
            Retry { method, path, body: self.body, key }
        });
        self.app.memory(self.caller, retry)
    }
}

/// What is known of a request by its end.
#[derive(Default)]
struct Known {
    caller: Option<Caller>,
    verdict: OnceLock<Verified>,
    steps: Vec<StepTimes>,
    shed: bool,
}

/// Answers a request, whatever happens on the way.
pub(crate) async fn answer(server: Arc<Server>, request: Request) -> Response {
    let started = Instant::now();
    let request_id = RequestId::draw(server.app.entropy().as_ref());
    let (parts, body) = request.into_parts();
    let found = routes::find(&parts.method, parts.uri.path());
    let route = found.template();
    let (mut known, mut inbound) = (Known::default(), Inbound::new(body));
    let outcome = if server.hooks.watch().traces() {
        // Behind a pointer, so that whoever does not trace need not have room for it.
        let served = Box::pin(caught(serve(&server, found, &parts, &mut inbound, &mut known)));
        let (outcome, steps) = app::timed(served).await;
        known.steps = steps;
        outcome
    } else {
        caught(serve(&server, found, &parts, &mut inbound, &mut known)).await
    };
    known.shed = matches!(outcome, Some(Err(Stop::Shed)));
    let reply = match outcome {
        Some(Ok(reply) | Err(Stop::Reply(reply))) => reply,
        Some(Err(Stop::Failure(failure))) => fault::failed(&failure, request_id.as_str()),
        Some(Err(Stop::Shed)) => fault::overloaded(),
        None => {
            tracing::error!(request_id = request_id.as_str(), route, "a handler panicked");
            fault::internal()
        }
    };
    tell(&server.hooks, &parts, route, reply.status, started, &request_id, &known);
    let mut response = reply.into_response(&request_id);
    // HTTP/2 has no such field, and no need of it.
    if !inbound.finish().await && parts.version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// One line a request, and the hooks. Never the path as sent, its query, the body or a secret.
fn tell(
    hooks: &Hooks,
    parts: &Parts,
    route: &'static str,
    status: u16,
    began: Instant,
    id: &RequestId,
    known: &Known,
) {
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let (method, request_id) = (&parts.method, id.as_str());
    let caller = known.caller.as_ref().map(|c| (c.environment().id, c.key().id));
    // For what is shed a line would cost more than the refusal.
    if !known.shed {
        tracing::info!(
            target: "request",
            request_id,
            method = method.as_str(),
            route,
            status,
            micros,
            environment = caller.map(|(environment, _)| tracing::field::display(environment)),
            key = caller.map(|(_, key)| tracing::field::display(key)),
        );
    }
    let trace = hooks.watch().traces().then(|| Trace {
        began,
        context: caller.and_then(|_| hooks::context_in(&parts.headers)),
        caller,
        verdict: known.verdict.get(),
        steps: &known.steps,
    });
    hooks.watch().on_request(&RequestDone { route, method, status, micros, request_id, trace });
}

/// Runs a future to its end; `None` if it panics.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let poll = AssertUnwindSafe(|| future.as_mut().poll(context));
        match catch_unwind(poll) {
            Ok(poll) => poll.map(Some),
            Err(_) => std::task::Poll::Ready(None),
        }
    })
    .await
}

async fn serve(
    server: &Server,
    found: Found<'_>,
    parts: &Parts,
    inbound: &mut Inbound,
    known: &mut Known,
) -> Result<Reply, Stop> {
    let (route, segment) = match found {
        Found::Route(route, segment) => (route, segment),
        Found::Page(_, Page::OpenApi) => return Ok(Reply::json(200, openapi::document())),
        Found::Page(_, Page::Docs) => return Ok(docs::reply()),
        Found::WrongMethod(allow) => return Err(fault::wrong_method(allow).into()),
        Found::Nothing => return Err(fault::no_route(parts.method.as_str(), parts.uri.path()).into()),
    };
    // Before anything is looked at: what is refused must cost next to nothing.
    let _turn = server.admission.enter().await?;
    // Behind a pointer: thousands may stand in line, and whoever does needs no room for what comes after it.
    Box::pin(work(server, route, segment, parts, inbound, known)).await
}

async fn work(
    server: &Server,
    route: &Route,
    segment: &str,
    parts: &Parts,
    inbound: &mut Inbound,
    known: &mut Known,
) -> Result<Reply, Stop> {
    let app = &server.app;
    let caller = &*known.caller.insert(admitted(app, route, &parts.headers)?);
    let body = if route.method == Method::POST { inbound.read(&parts.headers).await? } else { Bytes::new() };
    let call = Call {
        app,
        hooks: &server.hooks,
        verdict: &known.verdict,
        caller,
        segment,
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        body: &body,
    };
    match route.endpoint {
        Endpoint::EnrollFactor => factors::enroll(&call).await,
        Endpoint::FindFactor => factors::find(&call).await,
        Endpoint::DeleteFactor => factors::delete(&call).await,
        Endpoint::OpenChallenge => challenges::open(&call).await,
        Endpoint::VerifyChallenge => challenges::verify(&call).await,
        Endpoint::EnrollUserFactor => factors::enroll_for_user(&call).await,
        Endpoint::ListUserFactors => factors::list(&call).await,
        Endpoint::OpenChallengeLegacy => challenges::open_legacy(&call).await,
        Endpoint::VerifyChallengeLegacy => challenges::verify_legacy(&call).await,
        Endpoint::FindChallenge => timeline::find(&call).await,
    }
}

/// The caller, if it has a key, the permission, and room in its request rate.
fn admitted(app: &App, route: &Route, headers: &HeaderMap) -> Result<Caller, Stop> {
    let now = app.now()?;
    let caller = bearer(headers).and_then(|key| app.authenticate(key, now));
    let caller = caller.ok_or_else(fault::unauthorized)?;
    if !caller.may(route.permission) {
        return Err(fault::forbidden().into());
    }
    caller.admit(now).map_err(fault::too_many_requests)?;
    Ok(caller)
}

/// The one token of the one `Authorization: Bearer` (W2).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let value = match (all.next(), all.next()) {
        (Some(only), None) => only.to_str().ok()?,
        _ => return None,
    };
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    let one = !token.is_empty() && !token.contains([' ', '\t', ',']);
    (scheme.eq_ignore_ascii_case("bearer") && one).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn w2_bearer_in_any_case_and_exactly_one_token() {
        for (value, found) in [
            ("Bearer sk_test_a", Some("sk_test_a")),
            ("bearer sk_test_a", Some("sk_test_a")),
            ("BEARER   sk_test_a ", Some("sk_test_a")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer a b", None),
            ("Bearer a,b", None),
            ("Basic sk_test_a", None),
            ("sk_test_a", None),
            ("Bearersk_test_a", None),
        ] {
            assert_eq!(token(&[value]).as_deref(), found, "{value}");
        }
        assert_eq!(token(&[]), None);
        assert_eq!(token(&["Bearer a", "Bearer a"]), None);
    }

    #[test]
    fn a_panic_ends_the_request_and_not_the_connection() {
        let quiet = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(caught(async { 7 })), Some(7));
        assert_eq!(
            runtime.block_on(caught(async {
                if true {
                    panic!("oh")
                }
            })),
            None
        );
        std::panic::set_hook(quiet);
    }
}
