//! Answers that no route gives: to a request that cannot be read, and to a connection that there is no room for (W2, W5).
//!
//! They have no body, but the headers that every answer has. Some of them the parser writes by itself, so theirs are put in
//! where they pass on their way to the client.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS},
};
use std::{fmt, sync::Arc};

const REQUEST_ID: &str = "x-request-id";

/// Draws the ids of such answers.
#[derive(Clone)]
pub(crate) struct Ids(Arc<dyn Fn() -> HeaderValue + Send + Sync>);

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

impl Ids {
    pub(crate) fn new(draw: impl Fn() -> HeaderValue + Send + Sync + 'static) -> Self {
        Self(Arc::new(draw))
    }

    /// Adds the headers of every answer.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        headers.insert(HeaderName::from_static(REQUEST_ID), (self.0)());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }

    /// A head with the headers of every answer, if it is one that the parser has written by itself: a 4xx without a
    /// body and without an id, since what comes from a route has one.
    pub(crate) fn dressed(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let whole = bytes.starts_with(b"HTTP/1.1 4") && bytes.ends_with(b"\r\n\r\n");
        if !whole || memchr::memmem::find(bytes, REQUEST_ID.as_bytes()).is_some() {
            return None;
        }
        Some(self.added(bytes))
    }

    /// A head, which must end in an empty line, with the headers of every answer.
    pub(crate) fn added(&self, head: &[u8]) -> Vec<u8> {
        let head = head.strip_suffix(b"\r\n").unwrap_or(head);
        let mut headers = HeaderMap::new();
        self.add_to(&mut headers);
        let mut dressed = head.to_vec();
        for (name, value) in &headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                dressed.extend_from_slice(part);
            }
        }
        dressed.extend_from_slice(b"\r\n");
        dressed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w2_a_head_that_the_parser_wrote_gets_the_headers_of_every_answer_and_no_other_is_touched() {
        let ids = Ids::new(|| HeaderValue::from_static("7"));
        let dressed = ids.dressed(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap();
        let expected = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-request-id: 7\r\ncache-control: no-store\r\n\
                        x-content-type-options: nosniff\r\n\r\n";
        assert_eq!(String::from_utf8(dressed).unwrap(), expected);
        for other in [
            "HTTP/1.1 404 Not Found\r\nx-request-id: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 400 Bad",
            "{}",
            "",
        ] {
            assert_eq!(ids.dressed(other.as_bytes()), None, "{other}");
        }
    }
}
