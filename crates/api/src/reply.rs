//! An answer before it gets its headers.

use crate::request_id::RequestId;
use axum::{
    body::{Body, Bytes, HttpBody},
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{
            ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::Response,
};
use hyper::body::Frame;
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a body is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Json,
    /// A page that loads nothing and runs nothing.
    Page,
    Nothing,
}

/// Seconds after which a 503 may be tried again (W5: 1 to 5).
pub(crate) const TRY_AGAIN_SECONDS: u32 = 1;

/// Status, body, and the few headers that depend on them.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Body,
    pub(crate) content: Content,
    /// Only for `rate_limit_exceeded` and 503 (W5).
    pub(crate) retry_after: Option<u32>,
    /// Only for 405.
    pub(crate) allow: Option<String>,
}

impl Reply {
    /// A JSON body.
    pub(crate) fn json(status: u16, body: impl Into<Body>) -> Self {
        // SDKs sleep for as long as the header says, so it stands on nothing else but the rate limit.
        let retry_after = (status == 503).then_some(TRY_AGAIN_SECONDS);
        Self { status, body: body.into(), content: Content::Json, retry_after, allow: None }
    }

    /// A page to be read in a browser.
    pub(crate) fn page(html: &'static str) -> Self {
        Self { content: Content::Page, ..Self::json(200, html) }
    }

    /// Done, and nothing to say.
    pub(crate) fn no_content() -> Self {
        Self {
            status: 204,
            body: Body::new(NoBody),
            content: Content::Nothing,
            retry_after: None,
            allow: None,
        }
    }

    /// With the headers of W2.
    pub(crate) fn into_response(self, request_id: &RequestId) -> Response {
        let mut response = Response::new(self.body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.reserve(8);
        headers.insert(X_REQUEST_ID, request_id.header());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        match self.content {
            Content::Json => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
            }
            Content::Page => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
                let policy =
                    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
                headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
            }
            Content::Nothing => {}
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
            headers.insert(ALLOW, allow);
        }
        response
    }
}

/// Ended at once, without a length that could be announced: a 204 must not have `content-length` (RFC 9110 §8.6), and the
/// framework adds `0` to every body whose length it knows.
struct NoBody;

impl HttpBody for NoBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

impl From<app::Answer> for Reply {
    fn from(answer: app::Answer) -> Self {
        Self::json(answer.status, answer.body)
    }
}
