//! Twilio's Programmable Messaging: one POST to the Messages resource of an account.

use crate::{
    Checking, Credential, Hindrance, Sender, Sending, Sent,
    http::{Answer, Call, Client, Endpoint, basic, by_status},
    message_id,
};
use domain::delivery::Delivery;
use std::{path::Path, time::Duration};

/// Where it is unless the configuration says otherwise.
const ENDPOINT: &str = "https://api.twilio.com";
/// `ValidityPeriod`, in seconds: how long it may wait in their queue.
const VALIDITY: std::ops::RangeInclusive<u64> = 1..=36_000;

/// What names our delivery in the URL that is called back: their signature covers it.
pub(crate) const CALLBACK_DELIVERY: &str = "delivery";

/// Who sends.
#[derive(Clone, Debug)]
pub enum From {
    /// A number, short code or alphanumeric sender.
    Sender(String),
    /// A messaging service, by its SID.
    Service(String),
}

/// An account at Twilio.
#[derive(Clone, Debug)]
pub struct Options {
    /// Base URL, if not the usual one.
    pub endpoint: Option<String>,
    /// The account's SID.
    pub account: String,
    /// The SID of an API key; none if the secret is the account's auth token.
    pub key: Option<String>,
    /// The key's secret, or the auth token.
    pub secret: Credential,
    /// Who sends.
    pub from: From,
    /// Where receipts go, if they are wanted.
    pub callback: Option<String>,
}

/// The sender.
pub struct Twilio {
    client: Client,
    options: Options,
}

impl Twilio {
    /// A sender that waits so long for an answer.
    ///
    /// # Errors
    /// What is wrong with the endpoint or the roots.
    pub fn new(options: Options, wait: Duration, roots: Option<&Path>) -> Result<Self, String> {
        let endpoint = Endpoint::parse(options.endpoint.as_deref().unwrap_or(ENDPOINT))?;
        Ok(Self { client: Client::new(endpoint, wait, roots)?, options })
    }

    fn path(&self, query: &str) -> String {
        let account = crate::http::encoded(&self.options.account);
        self.client.endpoint().path(&format!("/2010-04-01/Accounts/{account}/Messages.json{query}"))
    }

    fn authorization(&self) -> String {
        let Options { account, key, secret, .. } = &self.options;
        basic(key.as_ref().unwrap_or(account), secret)
    }

    async fn post(&self, delivery: &Delivery, left: Duration) -> Sent {
        let validity = left.as_secs().clamp(*VALIDITY.start(), *VALIDITY.end()).to_string();
        let from = match &self.options.from {
            From::Sender(sender) => ("From", sender.as_str()),
            From::Service(service) => ("MessagingServiceSid", service.as_str()),
        };
        let callback =
            self.options.callback.as_ref().map(|url| format!("{url}?{CALLBACK_DELIVERY}={}", delivery.id));
        let mut fields = vec![
            ("To", delivery.to.reveal()),
            from,
            ("Body", delivery.body.reveal()),
            ("ValidityPeriod", &validity),
        ];
        fields.extend(callback.as_deref().map(|url| ("StatusCallback", url)));
        let call = Call::form(self.path(""), Some(self.authorization()), &fields);
        match call.run(&self.client).await {
            Ok(answer) => outcome(&answer),
            Err(fault) => fault.into(),
        }
    }
}

fn outcome(answer: &Answer) -> Sent {
    let json = answer.json().unwrap_or_default();
    if (200..300).contains(&answer.status) {
        let sid = message_id(json.get("sid"));
        return match json.get("status").and_then(|status| status.as_str()) {
            _ if sid.is_none() => Sent::unknown("an answer without a message"),
            Some("failed" | "undelivered" | "canceled") => Sent::unknown("accepted and failed at once"),
            _ => Sent::Accepted(sid),
        };
    }
    let Some(code) = json.get("code").and_then(|code| code.as_u64()) else { return by_status(answer.status) };
    if !(400..500).contains(&answer.status) {
        return by_status(answer.status);
    }
    let cause = format!("HTTP {}, code {code}", answer.status);
    match code {
        // Not a number, a short code, not a mobile phone, a landline, or one whose owner wants no texts.
        21211 | 21217 | 21265 | 21610 | 21614 | 21635 => Sent::RejectedNumber(cause),
        // Too many requests, or a full queue of the sender.
        20429 | 21611 | 14107 => Sent::Not(Hindrance::Busy, cause),
        // Credentials, suspended account, a sender that is not ours.
        20003 | 20005 | 20008 | 21212 | 21603 | 21606 | 21659 | 21660 | 21701 | 21703 => {
            Sent::Not(Hindrance::Unusable, cause)
        }
        // Not to this country; not from this sender to this number.
        21408 | 21612 => Sent::Not(Hindrance::Declined, cause),
        _ => match by_status(answer.status) {
            Sent::Not(hindrance, _) => Sent::Not(hindrance, cause),
            other => other,
        },
    }
}

impl Sender for Twilio {
    fn send<'a>(&'a self, delivery: &'a Delivery, left: Duration) -> Sending<'a> {
        Box::pin(self.post(delivery, left))
    }

    fn check(&self) -> Checking<'_> {
        Box::pin(async {
            let call = Call::get(self.path("?PageSize=1"), Some(self.authorization()));
            let answer = call.run(&self.client).await.map_err(crate::http::Fault::told)?;
            match answer.status {
                200 => Ok("reached, and the credentials are good".into()),
                401 => Err("reached, but the credentials are refused (HTTP 401)".into()),
                403 => Ok("reached; the key may not list messages, so its secret is not tried".into()),
                404 => Err("reached, but there is no such account (HTTP 404)".into()),
                status => Err(format!("reached, but it answers HTTP {status}")),
            }
        })
    }
}
