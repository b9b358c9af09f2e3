//! The outbox worker and the senders.
//!
//! A message is owed from the step that opens its challenge. The [`Worker`] claims it, hands it to a [`Sender`] once and
//! writes how that ended; what it never finished is settled as of unknown outcome and not sent a second time (W11).

mod mailbox;
mod no_sender;
mod sender;
mod worker;

pub use mailbox::{Mailbox, Message, ScriptedOutcome};
pub use no_sender::NoSender;
pub use sender::{Sender, Sending};
pub use worker::Worker;
