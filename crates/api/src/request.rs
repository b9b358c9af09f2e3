//! What every request goes through, in the order of W6: key, permission, request rate, size and media type, body.

use crate::{
    body::{self, Body, Unreadable},
    refusal,
    reply::Reply,
};
use app::{Answer, App, Caller, Retry};
use axum::{
    body::{Body as HttpBody, Bytes},
    extract::Request,
    http::{HeaderMap, header},
};
use domain::{environment::Permission, time::Timestamp};
use edge::{BodyError, read_body_limited};
use std::time::Duration;

/// Bytes of a body that are accepted (W4).
const BODY_MAX: usize = 65_536;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// The caller of a request that may be made.
pub(crate) fn admit(
    app: &App,
    headers: &HeaderMap,
    permission: Permission,
    now: Timestamp,
) -> Result<Caller, Answer> {
    let caller =
        bearer(headers).and_then(|key| app.authenticate(key, now)).ok_or_else(refusal::unauthorized)?;
    if !caller.may(permission) {
        return Err(refusal::plain(403, "forbidden", "This API key does not permit this action."));
    }
    caller.admit(now).map_err(refusal::rate_limited)?;
    Ok(caller)
}

/// The one token of the one `Authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    let one = values.next().is_none() && !token.is_empty() && !token.contains([' ', '\t', ',']);
    (one && scheme.eq_ignore_ascii_case("bearer")).then_some(token)
}

/// The body's bytes, if they are of a kind and size that is read.
pub(crate) async fn bytes(headers: &HeaderMap, body: HttpBody) -> Result<Bytes, Answer> {
    let bytes = match read_body_limited(body, BODY_MAX, BODY_WITHIN).await {
        Ok(bytes) => bytes,
        Err(BodyError::TooLarge) => {
            return Err(refusal::plain(413, "payload_too_large", "The request body is larger than 64 KiB."));
        }
        Err(_) => return Err(refusal::plain(400, "bad_request", "The request body is not valid JSON.")),
    };
    if !bytes.is_empty() && !is_json(headers) {
        return Err(refusal::plain(
            415,
            "unsupported_media_type",
            "The request body must be application/json without a content encoding.",
        ));
    }
    Ok(bytes)
}

fn is_json(headers: &HeaderMap) -> bool {
    let plain = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(|v| v.to_str().is_ok_and(|v| v.trim().eq_ignore_ascii_case("identity") || v.trim().is_empty()));
    let json = headers.get_all(header::CONTENT_TYPE).iter().all(|v| {
        let essence = v.to_str().unwrap_or("?").split(';').next().unwrap_or_default().trim();
        essence.is_empty() || essence.eq_ignore_ascii_case("application/json")
    });
    plain && json
}

/// The body as fields.
pub(crate) fn fields(bytes: &[u8], empty_list: bool) -> Result<Body<'_>, Answer> {
    body::read(bytes, empty_list).map_err(|e| {
        let sentence = match e {
            Unreadable::NotJson => "The request body is not valid JSON.",
            Unreadable::DuplicateKey => "The request body has a duplicate key.",
        };
        refusal::plain(400, "bad_request", sentence)
    })
}

/// What makes this request a repetition of another, if it carries a key that can be used (W7).
pub(crate) fn retry<'a>(headers: &'a HeaderMap, path: &'a str, body: &'a [u8]) -> Option<Retry<'a>> {
    let mut values = headers.get_all("idempotency-key").iter();
    let key = values.next()?.to_str().ok()?;
    let usable = values.next().is_none()
        && (1..=255).contains(&key.len())
        && key.bytes().all(|b| (0x21..=0x7e).contains(&b))
        && !is_derived(key);
    usable.then_some(Retry { method: "POST", path, body, key })
}

/// `retry-` and 64 hexadecimal digits: derived from the request, so every equal call has the same one.
fn is_derived(key: &str) -> bool {
    key.strip_prefix("retry-").is_some_and(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// One request on its way, with everything read that comes before the route's own rules.
pub(crate) struct Post {
    pub(crate) caller: Caller,
    pub(crate) headers: HeaderMap,
    pub(crate) path: String,
    pub(crate) bytes: Bytes,
}

impl Post {
    pub(crate) async fn read(app: &App, request: Request, permission: Permission) -> Result<Self, Reply> {
        let now = app.now()?;
        let (parts, body) = request.into_parts();
        let caller = admit(app, &parts.headers, permission, now)?;
        let bytes = bytes(&parts.headers, body).await?;
        Ok(Self { caller, headers: parts.headers, path: parts.uri.path().to_owned(), bytes })
    }

    pub(crate) fn retry(&self) -> Option<Retry<'_>> {
        retry(&self.headers, &self.path, &self.bytes)
    }

    pub(crate) fn strict(&self) -> bool {
        self.caller.environment().settings.strict_parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn with(name: &'static str, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn w2_exactly_one_token_of_any_case_scheme() {
        assert_eq!(bearer(&with("authorization", &["Bearer k"])), Some("k"));
        assert_eq!(bearer(&with("authorization", &["bEARER k"])), Some("k"));
        for wrong in ["Bearer", "Bearer ", "Basic k", "Bearer a b", "k", "Bearer a,b"] {
            assert_eq!(bearer(&with("authorization", &[wrong])), None, "{wrong}");
        }
        assert_eq!(bearer(&with("authorization", &["Bearer k", "Bearer k"])), None);
    }

    #[test]
    fn w7_keys_derived_from_the_request_are_never_remembered() {
        let hex = "retry-0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef";
        assert!(retry(&with("idempotency-key", &[hex]), "/", b"").is_none());
        assert!(
            retry(&with("idempotency-key", &["retry-5f1c7c0e-0000-4000-8000-000000000000"]), "/", b"")
                .is_some()
        );
        assert!(retry(&with("idempotency-key", &["a b"]), "/", b"").is_none());
        assert!(retry(&with("idempotency-key", &["a", "a"]), "/", b"").is_none());
    }

    #[test]
    fn w4_json_with_any_parameters_or_no_type_at_all() {
        assert!(is_json(&with("content-type", &["application/JSON; charset=latin1"])));
        assert!(is_json(&HeaderMap::new()));
        assert!(!is_json(&with("content-type", &["text/plain"])));
        assert!(!is_json(&with("content-encoding", &["gzip"])));
        assert!(is_json(&with("content-encoding", &["identity"])));
    }
}
