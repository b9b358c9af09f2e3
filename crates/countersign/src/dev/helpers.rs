//! What helps tests (W15). These routes exist in dev mode only, and take the same API key.

#![expect(clippy::result_large_err, reason = "the error is the answer, made once and sent")]

use super::{Welcome, clock, page};
use api::extend;
use app::{App, Caller, DevClock};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderValue, Method, header},
    response::{IntoResponse as _, Response},
    routing::{any, get},
};
use delivery::{Mailbox, Message, ScriptedOutcome};
use domain::{event::Actor, phone::PhoneNumber, refusal::FieldError};
use edge::read_body_limited;
use serde::Serialize;
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};

const BODY_MAX: usize = 64 * 1024;
const BODY_WAIT: Duration = Duration::from_secs(10);
/// Messages on a page, unless asked for otherwise, and at most.
const LISTED: usize = 100;
const LISTED_MAX: usize = 1_000;

/// What the helpers work on.
pub(crate) struct Helpers {
    /// The use cases.
    pub(crate) app: App,
    /// The clock that can be moved.
    pub(crate) clock: Arc<DevClock>,
    /// Where messages go.
    pub(crate) mailbox: Arc<Mailbox>,
    /// What the page shows.
    pub(crate) welcome: Welcome,
}

/// The routes.
pub(crate) fn routes(helpers: Helpers) -> Router {
    let helpers = Arc::new(helpers);
    let page = page::html(&helpers.welcome);
    let mut router = Router::new().route("/", get(move || std::future::ready(shown(page.clone()))));
    for (path, methods) in HELPERS {
        let helpers = Arc::clone(&helpers);
        router = router.route(
            path,
            any(move |request: Request| {
                let helpers = Arc::clone(&helpers);
                async move { helpers.answer(path, methods, request).await.unwrap_or_else(|early| early) }
            }),
        );
    }
    router
}

const MESSAGES: &str = "/countersign/dev/messages";
const CLOCK: &str = "/countersign/dev/clock";
const FAILURES: &str = "/countersign/dev/failures";
const RESET: &str = "/countersign/dev/reset";

/// Each with the methods it knows.
const HELPERS: [(&str, &str); 4] =
    [(MESSAGES, "GET, HEAD"), (CLOCK, "GET, HEAD, POST"), (FAILURES, "POST"), (RESET, "POST")];

fn shown(page: String) -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, page).into_response()
}

#[derive(Serialize)]
struct ShownMessage {
    to: String,
    channel: &'static str,
    body: String,
    code: String,
    authentication_challenge_id: String,
    created_at: String,
}

impl From<Message> for ShownMessage {
    fn from(message: Message) -> Self {
        Self {
            to: message.to,
            channel: message.channel.word(),
            body: message.body,
            code: message.code,
            authentication_challenge_id: message.challenge.to_string(),
            created_at: message.created_at.to_string(),
        }
    }
}

#[derive(Serialize)]
struct MessageList {
    object: &'static str,
    data: Vec<ShownMessage>,
    list_metadata: NoMore,
}

/// The mailbox has no pages.
#[derive(Default, Serialize)]
struct NoMore {
    before: Option<String>,
    after: Option<String>,
}

#[derive(Serialize)]
struct Problem {
    message: &'static str,
    code: &'static str,
}

/// An answer, or one that ends the request early.
type Answer = Result<Response, Response>;

impl Helpers {
    async fn answer(&self, path: &str, methods: &'static str, request: Request) -> Answer {
        let (parts, body) = request.into_parts();
        let is_post = parts.method == Method::POST;
        if !methods.split(", ").any(|known| known == parts.method.as_str()) {
            let problem = Problem { message: "Method not allowed.", code: "method_not_allowed" };
            let mut response = extend::json(&self.app, 405, &problem);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
            return Err(response);
        }
        let caller = extend::authenticate(&self.app, &parts.headers)?;
        match path {
            MESSAGES => self.messages(&caller, parts.uri.query().unwrap_or_default()),
            CLOCK if is_post => {
                let moved = clock::change(&self.clock, &self.fields(body).await?);
                moved.map(|now| extend::json(&self.app, 200, &now)).map_err(|e| self.invalid(e))
            }
            CLOCK => Ok(extend::json(&self.app, 200, &clock::standing(&self.clock))),
            FAILURES => self.fail(&caller, &self.fields(body).await?),
            _ => self.reset(&caller).await,
        }
    }

    fn invalid(&self, error: FieldError) -> Response {
        extend::invalid(&self.app, vec![error])
    }

    async fn fields(&self, body: Body) -> Result<Map<String, Value>, Response> {
        let unreadable = |_| extend::not_json(&self.app);
        let bytes: Bytes = read_body_limited(body, BODY_MAX, BODY_WAIT).await.map_err(unreadable)?;
        if bytes.is_empty() {
            return Ok(Map::new());
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Err(self.invalid(FieldError::new("body", "must be a JSON object"))),
            Err(_) => Err(extend::not_json(&self.app)),
        }
    }

    fn messages(&self, caller: &Caller, query: &str) -> Answer {
        let (mut to, mut limit) = (None, LISTED);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "to" if !value.is_empty() => {
                    // A plus sign stays one: no number has a space.
                    let number = decoded(value).and_then(|text| PhoneNumber::parse(&text).ok());
                    let number = number
                        .ok_or_else(|| self.invalid(FieldError::new("to", "must be a phone number")))?;
                    to = Some(number);
                }
                "limit" if !value.is_empty() => {
                    let wanted = value.parse().ok().filter(|n| (1..=LISTED_MAX).contains(n));
                    let problem = "must be an integer from 1 to 1000";
                    limit = wanted.ok_or_else(|| self.invalid(FieldError::new("limit", problem)))?;
                }
                _ => {}
            }
        }
        let found =
            self.mailbox.messages(caller.environment().id, to.as_ref().map(PhoneNumber::reveal), limit);
        let data = found.into_iter().map(ShownMessage::from).collect();
        let list = MessageList { object: "list", data, list_metadata: NoMore::default() };
        Ok(extend::json(&self.app, 200, &list))
    }

    fn fail(&self, caller: &Caller, body: &Map<String, Value>) -> Answer {
        let sends = body.get("sends").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        let outcome = body.get("outcome").and_then(Value::as_str).and_then(ScriptedOutcome::parse);
        let mut errors = Vec::new();
        if sends.is_none() {
            errors.push(FieldError::new("sends", "must be a whole number of messages"));
        }
        if outcome.is_none() {
            errors.push(FieldError::new("outcome", "must be a valid enum value"));
        }
        match (sends, outcome) {
            (Some(sends), Some(outcome)) => {
                self.mailbox.fail_next(caller.environment().id, sends, outcome);
                Ok(extend::no_content(&self.app))
            }
            _ => Err(extend::invalid(&self.app, errors)),
        }
    }

    async fn reset(&self, caller: &Caller) -> Answer {
        let erased = self.app.erase(caller.scope(), Actor::ApiKey(caller.key().id)).await;
        erased.map_err(|failure| extend::failed(&self.app, &failure))?;
        self.mailbox.clear(caller.environment().id);
        Ok(extend::no_content(&self.app))
    }
}

/// A query's value without its percent-encoding.
fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |b: Option<u8>| char::from(b?).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn w15_a_number_in_a_query_may_be_encoded_or_not() {
        assert_eq!(decoded("%2B14155550101").as_deref(), Some("+14155550101"));
        assert_eq!(decoded("+14155550101").as_deref(), Some("+14155550101"));
        for wrong in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }
}
