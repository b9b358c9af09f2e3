//! What senders have in common: making a request, and what a status says by itself.

use super::{Answer, Client, Fault};
use crate::{Credential, Hindrance, Sent};
use data_encoding::BASE64;
use http_body_util::Full;
use hyper::{
    Method, Request,
    body::Bytes,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a form (and anywhere in a URL): the unreserved characters of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes a text for a form or a URL.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// A form's body.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields.iter().map(|(k, v)| format!("{}={}", encoded(k), encoded(v))).collect();
    pairs.join("&")
}

/// The header of basic authentication. Its value is marked so that it does not print.
pub(crate) fn basic(user: &str, secret: &Credential) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{}", secret.reveal()).as_bytes()))
}

/// A request of a sender.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// With its query.
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: String,
}

impl Call<'_> {
    /// A GET.
    pub(crate) fn get(path: String, authorization: Option<String>) -> Self {
        let (method, headers, body) = (Method::GET, Vec::new(), String::new());
        Self { method, path, authorization, content_type: None, headers, body }
    }

    /// A POST of a form.
    pub(crate) fn form(path: String, authorization: Option<String>, fields: &[(&str, &str)]) -> Self {
        let (method, headers, body) = (Method::POST, Vec::new(), form(fields));
        let content_type = Some("application/x-www-form-urlencoded");
        Self { method, path, authorization, content_type, headers, body }
    }

    /// Sends it.
    pub(crate) async fn run(self, client: &Client) -> Result<Answer, Fault> {
        let unmade = |what: &str| Fault::NotTrusted(format!("a request cannot hold this {what}"));
        let mut request = Request::builder().method(self.method).uri(self.path);
        let authorization = self.authorization.as_deref().map(|value| (AUTHORIZATION, value));
        let content_type = self.content_type.map(|value| (CONTENT_TYPE, value));
        let always = [
            (HOST, client.endpoint().authority()),
            (USER_AGENT, concat!("countersign/", env!("CARGO_PKG_VERSION"))),
            (ACCEPT, "application/json"),
        ];
        let own = self.headers.iter().map(|(name, value)| (name.clone(), value.as_str()));
        let mut all: Vec<_> = own.collect();
        for (name, value) in always.into_iter().chain(authorization).chain(content_type) {
            if !all.iter().any(|(own, _)| *own == name) {
                all.push((name, value));
            }
        }
        for (name, value) in all {
            let mut value = HeaderValue::from_str(value).map_err(|_| unmade("header"))?;
            value.set_sensitive(name == AUTHORIZATION);
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(self.body))).map_err(|_| unmade("path"))?;
        client.exchange(request).await
    }
}

impl From<Fault> for Sent {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoConnection(why) => Self::Not(Hindrance::Busy, why),
            Fault::NotTrusted(why) => Self::Not(Hindrance::Unusable, why),
            Fault::NoAnswer(why) => Self::unknown(why),
        }
    }
}

impl Fault {
    /// For people.
    pub(crate) fn told(self) -> String {
        match self {
            Self::NoConnection(why) | Self::NotTrusted(why) => why,
            Self::NoAnswer(why) => why.to_owned(),
        }
    }
}

/// What a status says where nothing more is known. Of 4xx the request was not carried out; 5xx may have come after it
/// was, and 2xx is success only if the answer says so.
pub(crate) fn by_status(status: u16) -> Sent {
    let cause = format!("HTTP {status}");
    match status {
        408 => Sent::Unknown(cause),
        429 => Sent::Not(Hindrance::Busy, cause),
        301 | 307 | 308 | 401 | 402 | 403 | 404 | 405 | 407 | 410 => Sent::Not(Hindrance::Unusable, cause),
        400..=499 => Sent::Not(Hindrance::Declined, cause),
        _ => Sent::Unknown(cause),
    }
}
