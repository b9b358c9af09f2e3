//! The body of a request: read within its bounds, or seen out (W4, F65).

use crate::{body::Unreadable, fault, pipeline::Stop};
use axum::{
    body::{Body, Bytes, HttpBody as _},
    http::{
        HeaderMap, HeaderValue,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
};
use edge::{BodyError, read_body_limited};
use std::time::Duration;

/// Most bytes of a body (W4).
const MAX_BYTES: usize = 65_536;
/// How long a body may take to arrive.
const WAIT: Duration = Duration::from_secs(10);
/// How long a body that nobody asked for is waited for.
const LEFTOVER_WAIT: Duration = Duration::from_secs(1);

/// A body that is still to come, is here, or was cut off.
pub(crate) struct Inbound {
    /// What has not been read.
    body: Option<Body>,
    /// Whether part of it was left unread.
    cut: bool,
}

impl Inbound {
    pub(crate) fn new(body: Body) -> Self {
        Self { body: Some(body), cut: false }
    }

    /// The whole body, if it is of a type that is read.
    pub(crate) async fn read(&mut self, headers: &HeaderMap) -> Result<Bytes, Stop> {
        let body = self.body.take().unwrap_or_default();
        let bytes = read_body_limited(body, MAX_BYTES, WAIT).await.map_err(|e| {
            self.cut = true;
            match e {
                BodyError::TooLarge => fault::too_large(),
                BodyError::TooSlow => fault::too_slow(),
                BodyError::Broken => fault::unreadable(Unreadable::NotJson),
            }
        })?;
        let plain = headers.get_all(CONTENT_ENCODING).iter().all(is_identity);
        let json = bytes.is_empty() || headers.get_all(CONTENT_TYPE).iter().all(is_json);
        if plain && json { Ok(bytes) } else { Err(fault::wrong_media_type().into()) }
    }

    /// Takes in what nobody asked for, such as the body of a DELETE or of a request without a key. False if that does
    /// not end: then the connection must, and its client must be told, or it would send its next request into nothing.
    pub(crate) async fn finish(self) -> bool {
        match self.body {
            Some(body) if !body.is_end_stream() => {
                read_body_limited(body, MAX_BYTES, LEFTOVER_WAIT).await.is_ok()
            }
            _ => !self.cut,
        }
    }
}

/// Whether a content encoding is none: `identity`, however often.
fn is_identity(value: &HeaderValue) -> bool {
    let mut items = value.as_bytes().split(|b| *b == b',').map(<[u8]>::trim_ascii);
    items.all(|item| item.is_empty() || item.eq_ignore_ascii_case(b"identity"))
}
/// Whether a content type is JSON, with any parameters. Empty is absent.
fn is_json(value: &HeaderValue) -> bool {
    // Bytes, not text: a parameter may hold anything.
    let essence = value.as_bytes().split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    essence.is_empty() || essence.eq_ignore_ascii_case(b"application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w4_content_types() {
        for (value, json) in [
            ("application/json", true),
            ("Application/JSON;charset=latin1", true),
            ("application/json ; a=b", true),
            ("application/jsonx", false),
            ("text/plain", false),
            ("text/json", false),
            ("*/*", false),
            ("application/json, text/plain", false),
        ] {
            assert_eq!(is_json(&HeaderValue::from_static(value)), json, "{value}");
        }
    }

    #[test]
    fn w4_content_encodings() {
        for (value, plain) in
            [("identity", true), ("Identity", true), ("", true), ("gzip", false), ("identity, gzip", false)]
        {
            assert_eq!(is_identity(&HeaderValue::from_static(value)), plain, "{value}");
        }
    }
}
