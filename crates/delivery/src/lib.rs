//! The outbox worker and the senders.
//!
//! A message is owed from the step that opens its challenge. The [`Worker`] claims it, asks the providers of its
//! [`Routing`] one after the other, each through its [`Sender`], and writes how that ended. Only what surely was not sent
//! is tried again; what was never finished is settled as of unknown outcome (W11).

mod breaker;
mod mailbox;
mod no_sender;
mod provider;
mod routing;
mod sender;
mod watch;
mod worker;

pub use breaker::Patience;
pub use mailbox::{Mailbox, Message, ScriptedOutcome};
pub use no_sender::NoSender;
pub use provider::Provider;
pub use routing::{Route, Routing};
pub use sender::{Cause, Checking, Hindrance, Sender, Sending, Sent};
pub use watch::DispatchWatch;
pub use worker::Worker;
