//! Any gateway that takes a message by one HTTP request: everything about it is configuration.

use crate::{
    Checking, Credential, Hindrance, Sender, Sending, Sent,
    http::{Answer, Call, Client, Endpoint, Fault, basic, by_status},
    message_id,
    template::{Encoding, Slot, Template, Values},
};
use domain::delivery::Delivery;
use hyper::{
    Method,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING},
};
use serde_json::Value;
use std::{path::Path, time::Duration};

/// What a value in the answer says. Compared as text, so that `0` and `"0"` are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Where it is, by JSON pointer (RFC 6901).
    pub pointer: String,
    /// These say that the message was accepted.
    pub accepted: Vec<String>,
    /// These say that it surely was not sent.
    pub not_sent: Vec<String>,
    /// These say that the number is refused for good.
    pub rejected_number: Vec<String>,
}

/// A gateway. In URL, headers and body, `{{to}}`, `{{to_digits}}`, `{{text}}`, `{{code}}`, `{{from}}`, `{{secret}}`,
/// `{{id}}` and `{{callback_url}}` are filled in, each written as the place demands.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `POST` (also if none is given), `PUT` or `GET`.
    pub method: Option<String>,
    /// The whole URL. Scheme and host hold nothing to fill in.
    pub url: String,
    /// Headers; with a body, one of them is `content-type`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
    /// A user for basic authentication, with the secret.
    pub key: Option<String>,
    /// The secret.
    pub secret: Option<Credential>,
    /// Who sends.
    pub from: Option<String>,
    /// What the answer says. Without it the status alone does.
    pub answer: Option<Rule>,
    /// Where in the answer the message's id is, by JSON pointer.
    pub message_id: Option<String>,
    /// Where receipts go, if they are wanted: `{{callback_url}}`.
    pub callback: Option<String>,
}

/// The sender.
pub struct Generic {
    client: Client,
    method: Method,
    path: Template,
    headers: Vec<(HeaderName, Template)>,
    body: Option<Template>,
    options: Options,
}

impl Generic {
    /// A sender that waits so long for an answer.
    ///
    /// # Errors
    /// The key that is wrong, and what it must be.
    pub fn new(options: Options, wait: Duration, roots: Option<&Path>) -> Result<Self, String> {
        let method = match options.method.as_deref() {
            None | Some("POST") => Method::POST,
            Some("PUT") => Method::PUT,
            Some("GET") => Method::GET,
            Some(_) => return Err("`method` must be POST, PUT or GET".into()),
        };
        let (base, path) = split(&options.url);
        let endpoint = Endpoint::parse(base).map_err(|problem| format!("`url` {problem}"))?;
        let path = Template::parse(path, Encoding::Url).map_err(|problem| format!("`url` {problem}"))?;
        let mut headers = Vec::new();
        let mut media_type = None;
        for (name, value) in &options.headers {
            let wrong = |problem: String| format!("`headers.{name}` {problem}");
            let header: HeaderName = name.parse().map_err(|_| wrong("is not a header's name".into()))?;
            if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&header) {
                return Err(wrong("is set by us".into()));
            }
            if header == CONTENT_TYPE {
                media_type = Some(value.as_str());
            }
            let template = Template::parse(value, Encoding::Plain).map_err(wrong)?;
            if template.has(Slot::Text) {
                return Err(wrong("cannot hold {{text}}, which may have several lines".into()));
            }
            headers.push((header, template));
        }
        let body = options.body.as_deref().map(|text| {
            let encoding = media_type.and_then(Encoding::of).ok_or(
                "`headers.content-type` must say what the body is: application/json, \
                 application/x-www-form-urlencoded, application/xml or text/plain",
            )?;
            Template::parse(text, encoding).map_err(|problem| format!("`body` {problem}"))
        });
        let body = body.transpose()?;
        let made = Self { client: Client::new(endpoint, wait, roots)?, method, path, headers, body, options };
        made.soundness()?;
        Ok(made)
    }

    /// What can be seen without sending anything.
    fn soundness(&self) -> Result<(), String> {
        let templates = || {
            let headers = self.headers.iter().map(|(_, template)| template);
            std::iter::once(&self.path).chain(headers).chain(&self.body)
        };
        let has = |slot| templates().any(|template| template.has(slot));
        if !has(Slot::To) && !has(Slot::ToDigits) {
            return Err("`url` or `body` must hold {{to}} or {{to_digits}}".into());
        }
        if !has(Slot::Text) && !has(Slot::Code) {
            return Err("`url` or `body` must hold {{text}} or {{code}}".into());
        }
        if has(Slot::From) && self.options.from.is_none() {
            return Err("`from` is missing, and {{from}} asks for it".into());
        }
        let asked = has(Slot::Secret) || self.options.key.is_some();
        if asked != self.options.secret.is_some() {
            return Err("a secret goes with {{secret}} or `key`, and these with a secret".into());
        }
        if has(Slot::CallbackUrl) && self.options.callback.is_none() {
            return Err("{{callback_url}} asks for receipts: `receipt`, its secret and `public_url`".into());
        }
        let sample = Values {
            to: "+14155550101",
            text: "A \"text\"\n",
            code: "042042",
            from: self.options.from.as_deref().unwrap_or_default(),
            secret: "secret",
            id: "delivery_0",
            callback_url: self.options.callback.as_deref().unwrap_or_default(),
        };
        for (name, template) in &self.headers {
            if HeaderValue::from_str(&template.fill(&sample)).is_err() {
                return Err(format!("`headers.{name}` is not a header's value"));
            }
        }
        if self.path.fill(&sample).parse::<hyper::Uri>().is_err() {
            return Err("`url` is not a URL once it is filled in".into());
        }
        let json = self.body.as_ref().filter(|body| body.is_json());
        if json.is_some_and(|body| serde_json::from_str::<Value>(&body.fill(&sample)).is_err()) {
            return Err("`body` is not JSON once it is filled in; texts stand between quotes".into());
        }
        let pointers = [
            ("answer.pointer", self.options.answer.as_ref().map(|rule| rule.pointer.as_str())),
            ("message_id", self.options.message_id.as_deref()),
        ];
        for (key, pointer) in pointers {
            if pointer.is_some_and(|text| !text.starts_with('/')) {
                return Err(format!("`{key}` must be a JSON pointer such as /status"));
            }
        }
        if self.options.answer.as_ref().is_some_and(|rule| rule.accepted.is_empty()) {
            return Err("`answer.accepted` must name at least one value".into());
        }
        Ok(())
    }

    async fn request(&self, delivery: &Delivery) -> Sent {
        let Options { key, secret, from, callback, .. } = &self.options;
        let callback = callback.as_deref().unwrap_or_default();
        let id = delivery.id.to_string();
        let revealed = secret.as_ref().map(Credential::reveal).unwrap_or_default();
        let values = Values::of(delivery, &id, from.as_deref().unwrap_or_default(), revealed, callback);
        let call = Call {
            method: self.method.clone(),
            path: self.path.fill(&values),
            authorization: key.as_ref().zip(secret.as_ref()).map(|(key, secret)| basic(key, secret)),
            content_type: None,
            headers: self.headers.iter().map(|(name, value)| (name.clone(), value.fill(&values))).collect(),
            body: self.body.as_ref().map(|body| body.fill(&values)).unwrap_or_default(),
        };
        match call.run(&self.client).await {
            Ok(answer) => self.outcome(&answer),
            Err(fault) => fault.into(),
        }
    }

    fn outcome(&self, answer: &Answer) -> Sent {
        let json = answer.json();
        let at = |pointer: &str| json.as_ref().and_then(|json| json.pointer(pointer));
        let accepted = || Sent::Accepted(message_id(self.options.message_id.as_deref().and_then(at)));
        let success = (200..300).contains(&answer.status);
        if let Some(rule) = &self.options.answer {
            let value = at(&rule.pointer).map(|value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            let says = |values: &[String]| value.as_ref().is_some_and(|value| values.contains(value));
            // Without what a provider wrote: it may be anything.
            let cause = || format!("HTTP {}, as its answer says", answer.status);
            if says(&rule.rejected_number) {
                return Sent::RejectedNumber(cause());
            }
            if says(&rule.not_sent) {
                return Sent::Not(Hindrance::Busy, cause());
            }
            return match (success, says(&rule.accepted)) {
                (true, true) => accepted(),
                (true, false) => Sent::unknown("an answer that says nothing known"),
                (false, true) => Sent::unknown("an answer that contradicts itself"),
                (false, false) => by_status(answer.status),
            };
        }
        if success { accepted() } else { by_status(answer.status) }
    }
}

/// Scheme and host, and the rest.
fn split(url: &str) -> (&str, &str) {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(after_scheme..).unwrap_or_default();
    match rest.find(['/', '?']) {
        Some(at) if rest.get(at..).is_some_and(|path| path.starts_with('/')) => {
            url.split_at(after_scheme + at)
        }
        _ => (url, "/"),
    }
}

impl Sender for Generic {
    fn send<'a>(&'a self, delivery: &'a Delivery, _: Duration) -> Sending<'a> {
        Box::pin(self.request(delivery))
    }

    fn check(&self) -> Checking<'_> {
        Box::pin(async {
            self.client.reach().await.map_err(Fault::told)?;
            Ok("reached; nothing was asked, for only the gateway knows what would not send".into())
        })
    }
}
