//! Vonage's SMS API: a POST that answers 200 whatever becomes of it, and says so with a status in the body.

use crate::{
    Checking, Credential, Hindrance, Sender, Sending, Sent,
    gsm::is_gsm,
    http::{Answer, Call, Client, Endpoint, Fault, basic, by_status},
    message_id,
};
use domain::delivery::Delivery;
use serde_json::Value;
use std::{path::Path, time::Duration};

/// Where it is unless the configuration says otherwise.
const ENDPOINT: &str = "https://rest.nexmo.com";
/// `ttl`, in milliseconds: how long delivery is tried.
const TTL: std::ops::RangeInclusive<u128> = 20_000..=604_800_000;

/// An account at Vonage.
#[derive(Clone, Debug)]
pub struct Options {
    /// Base URL, if not the usual one.
    pub endpoint: Option<String>,
    /// The API key.
    pub key: String,
    /// Its secret.
    pub secret: Credential,
    /// Who sends: a number or a name.
    pub from: String,
    /// Where receipts go, if they are wanted.
    pub callback: Option<String>,
}

/// The sender.
pub struct Vonage {
    client: Client,
    options: Options,
}

impl Vonage {
    /// A sender that waits so long for an answer.
    ///
    /// # Errors
    /// What is wrong with the endpoint or the roots.
    pub fn new(options: Options, wait: Duration, roots: Option<&Path>) -> Result<Self, String> {
        let endpoint = Endpoint::parse(options.endpoint.as_deref().unwrap_or(ENDPOINT))?;
        Ok(Self { client: Client::new(endpoint, wait, roots)?, options })
    }

    async fn post(&self, delivery: &Delivery, left: Duration) -> Sent {
        let Options { key, secret, from, callback, .. } = &self.options;
        let reference = delivery.id.to_string();
        let ttl = left.as_millis().clamp(*TTL.start(), *TTL.end()).to_string();
        let mut fields = vec![
            ("api_key", key.as_str()),
            ("api_secret", secret.reveal()),
            ("from", from),
            ("to", delivery.to.reveal().trim_start_matches('+')),
            ("text", delivery.body.reveal()),
            ("type", if is_gsm(delivery.body.reveal()) { "text" } else { "unicode" }),
            ("ttl", &ttl),
        ];
        if let Some(url) = callback {
            fields.extend([
                ("callback", url.as_str()),
                ("client-ref", &reference),
                ("status-report-req", "1"),
            ]);
        }
        let call = Call::form(self.client.endpoint().path("/sms/json"), None, &fields);
        match call.run(&self.client).await {
            Ok(answer) => outcome(&answer),
            Err(fault) => fault.into(),
        }
    }
}

fn outcome(answer: &Answer) -> Sent {
    let json = answer.json().unwrap_or_default();
    let parts = json.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let status = |part: &Value| match part.get("status") {
        Some(Value::String(text)) => text.parse::<u32>().ok(),
        Some(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
        None => None,
    };
    let statuses: Vec<Option<u32>> = parts.iter().map(status).collect();
    let Some(Some(first)) = statuses.first().copied() else {
        return match by_status(answer.status) {
            // It answers 200 to everything, so that alone says nothing.
            Sent::Unknown(_) if answer.status == 200 => Sent::unknown("an answer without a message"),
            other => other,
        };
    };
    if statuses.iter().any(|status| *status != Some(first)) {
        return Sent::unknown("parts of a message that ended differently");
    }
    let cause = format!("status {first}");
    match first {
        0 => Sent::Accepted(message_id(parts.first().and_then(|part| part.get("message-id")))),
        // Throttled, too many binds.
        1 | 10 => Sent::Not(Hindrance::Busy, cause),
        // Credentials, suspended account, no credit, wrong sort of account, signature.
        4 | 8 | 9 | 11 | 14 => Sent::Not(Hindrance::Unusable, cause),
        // Barred, de-activated.
        7 | 33 => Sent::RejectedNumber(cause),
        // Their internal error: nobody knows.
        5 => Sent::Unknown(cause),
        // Parameters, prefix, length, sender (which depends on the country), network, callback, destination.
        2 | 3 | 6 | 12 | 15 | 22 | 23 | 29 => Sent::Not(Hindrance::Declined, cause),
        _ => Sent::Unknown(cause),
    }
}

impl Sender for Vonage {
    fn send<'a>(&'a self, delivery: &'a Delivery, left: Duration) -> Sending<'a> {
        Box::pin(self.post(delivery, left))
    }

    fn check(&self) -> Checking<'_> {
        Box::pin(async {
            let Options { key, secret, .. } = &self.options;
            let path = self.client.endpoint().path("/account/get-balance");
            let answer =
                Call::get(path, Some(basic(key, secret))).run(&self.client).await.map_err(Fault::told)?;
            match answer.status {
                200 => Ok("reached, and the credentials are good".into()),
                401 => Err("reached, but the credentials are refused (HTTP 401)".into()),
                status => Err(format!("reached, but it answers HTTP {status}")),
            }
        })
    }
}
