//! What providers call back with: whose it is, and what it says.
//!
//! A call is worth what its signature covers. So a message is looked up by an id that is signed: ours, given along with
//! the message, or else the provider's. Nothing here looks at the time of a call: what is repeated, or comes late, changes
//! nothing (a receipt of a stage is noted once), and providers try for a day.

mod generic;
mod pairs;
mod twilio;
mod vonage;

pub use generic::{Coding, Generic, Rule};
pub use twilio::Twilio;
pub use vonage::Vonage;

use domain::{id::DeliveryId, receipt::Stage};
pub use store::steps::note_receipt::About;

/// A call as it came.
pub struct Callback<'a> {
    /// Path and query, as sent.
    pub target: &'a str,
    /// The query, as sent.
    pub query: &'a str,
    /// The value of a header, if it is there once and is text.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body, which is short.
    pub body: &'a [u8],
}

/// What a call reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of which message.
    pub about: About,
    /// The provider's id for it.
    pub message_id: Option<String>,
    /// How far it has come.
    pub stage: Stage,
    /// Why, in words of ours.
    pub reason: String,
}

/// Why a call reports nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Its signature does not fit, or is missing.
    Forged,
    /// It is signed, and not what this provider reports with.
    Unreadable,
    /// It reports a status that tells nothing new, or names no message of ours.
    Idle,
}

/// Reads what one provider calls back with.
pub trait Receiver: Send + Sync {
    /// Checks the signature, then reads.
    ///
    /// # Errors
    /// Why there is nothing to note.
    fn read(&self, call: &Callback<'_>) -> Result<Report, Unread>;
}

/// A message by the id that we gave along.
fn ours(text: Option<&str>) -> Option<About> {
    text.and_then(DeliveryId::parse).map(About::Ours)
}

/// A provider's id for a message, if it is fit to be kept.
fn id_of(text: Option<&str>) -> Option<String> {
    crate::message_id(Some(&serde_json::Value::from(text?)))
}

/// What a code says, if it is known; else the code, if it is one.
fn words(table: &[(&str, &str)], code: &str) -> String {
    match table.iter().find(|(known, _)| *known == code) {
        Some((code, words)) => format!("{words} ({code})"),
        None if !code.is_empty() && code.len() <= 6 && code.bytes().all(|b| b.is_ascii_digit()) => {
            format!("code {code}")
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
