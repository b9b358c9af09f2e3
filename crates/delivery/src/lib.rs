//! The outbox worker and the senders.
//!
//! A message is owed from the step that opens its challenge. The [`Worker`] claims it, asks the providers of its
//! [`Routing`] one after the other, each through its [`Sender`], and writes how that ended. Only what surely was not sent
//! is tried again; what was never finished is settled as of unknown outcome (W11).

mod breaker;
mod credential;
pub mod generic;
mod gsm;
mod http;
mod mailbox;
mod no_sender;
mod provider;
pub mod receipts;
mod routing;
mod sender;
mod template;
pub mod twilio;
pub mod vonage;
mod watch;
mod worker;

pub use breaker::Patience;
pub use credential::Credential;
pub use http::public_url;
pub use mailbox::{Mailbox, Message, ScriptedOutcome};
pub use no_sender::NoSender;
pub use provider::Provider;
pub use routing::{Route, Routing};
pub use sender::{Cause, Checking, Hindrance, Sender, Sending, Sent};
pub use watch::DispatchWatch;
pub use worker::Worker;

/// Longest id of a message that is told, in characters.
const MESSAGE_ID_MAX: usize = 128;

/// The id that a provider gave a message, fit for the log.
fn message_id(value: Option<&serde_json::Value>) -> Option<String> {
    let text = match value? {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let fit = !text.is_empty() && text.len() <= MESSAGE_ID_MAX && text.bytes().all(|b| b.is_ascii_graphic());
    fit.then_some(text)
}
