//! Receipts of any gateway that signs its body with a shared secret: where things stand in it is configuration.

use super::{About, Callback, Receiver, Report, Unread, ours};
use crate::Credential;
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use domain::receipt::Stage;
use secrets::{MacHash, mac_fits};
use serde_json::Value;

/// How the signature is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    /// In hexadecimal digits.
    #[default]
    Hex,
    /// In Base64.
    Base64,
}

/// What a gateway's receipts look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The header with the HMAC-SHA256 of the body.
    pub header: String,
    /// What stands before it in the header, such as `sha256=`.
    pub prefix: String,
    /// How it is written.
    pub coding: Coding,
    /// Where our `{{id}}` comes back, by JSON pointer.
    pub reference: Option<String>,
    /// Where the gateway's id of the message is, by JSON pointer: the one that `message_id` found in its answer.
    pub id: Option<String>,
    /// Where the status is, by JSON pointer.
    pub status: String,
    /// What statuses say. Those in no list say nothing.
    pub accepted: Vec<String>,
    /// Likewise.
    pub sent: Vec<String>,
    /// Likewise.
    pub delivered: Vec<String>,
    /// Likewise.
    pub undelivered: Vec<String>,
}

impl Rule {
    /// What can be seen without a receipt.
    ///
    /// # Errors
    /// The key that is wrong, and what it must be.
    pub fn soundness(&self) -> Result<(), String> {
        if self.header.parse::<hyper::header::HeaderName>().is_err() {
            return Err("`receipt.header` is not a header's name".into());
        }
        let pointers = [
            ("reference", self.reference.as_deref()),
            ("id", self.id.as_deref()),
            ("status", Some(self.status.as_str())),
        ];
        for (key, pointer) in pointers {
            if pointer.is_some_and(|text| !text.starts_with('/')) {
                return Err(format!("`receipt.{key}` must be a JSON pointer such as /status"));
            }
        }
        if self.reference.is_none() && self.id.is_none() {
            return Err("`receipt` needs one of `reference` and `id`, to know the message by".into());
        }
        if self.delivered.is_empty() {
            return Err("`receipt.delivered` must name at least one status".into());
        }
        Ok(())
    }

    fn stage(&self, status: &str) -> Option<Stage> {
        let says = |words: &[String]| words.iter().any(|word| word == status);
        let lists = [
            (&self.delivered, Stage::Delivered),
            (&self.undelivered, Stage::Undelivered),
            (&self.sent, Stage::Sent),
            (&self.accepted, Stage::Accepted),
        ];
        lists.into_iter().find(|(words, _)| says(words)).map(|(_, stage)| stage)
    }
}

/// The receiver.
pub struct Generic {
    rule: Rule,
    secret: Credential,
}

impl Generic {
    /// A receiver of calls whose bodies are signed with the secret.
    #[must_use]
    pub const fn new(rule: Rule, secret: Credential) -> Self {
        Self { rule, secret }
    }

    fn is_signed(&self, call: &Callback<'_>) -> bool {
        let header = self.rule.header.to_ascii_lowercase();
        let given = (call.header)(&header).and_then(|value| value.trim().strip_prefix(&*self.rule.prefix));
        let Some(given) = given.map(str::as_bytes) else { return false };
        let given = match self.rule.coding {
            Coding::Hex => HEXLOWER_PERMISSIVE.decode(given),
            Coding::Base64 => BASE64.decode(given),
        };
        let key = self.secret.reveal().as_bytes();
        given.is_ok_and(|given| mac_fits(MacHash::Sha256, key, &[call.body], &given))
    }
}

impl Receiver for Generic {
    fn read(&self, call: &Callback<'_>) -> Result<Report, Unread> {
        if !self.is_signed(call) {
            return Err(Unread::Forged);
        }
        let json: Value = serde_json::from_slice(call.body).map_err(|_| Unread::Unreadable)?;
        let at = |pointer: &Option<String>| pointer.as_deref().and_then(|pointer| json.pointer(pointer));
        let message_id = crate::message_id(at(&self.rule.id));
        let about = ours(at(&self.rule.reference).and_then(Value::as_str))
            .or_else(|| message_id.clone().map(About::Theirs))
            .ok_or(Unread::Idle)?;
        let status = match json.pointer(&self.rule.status) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(Unread::Unreadable),
        };
        let stage = self.rule.stage(&status).ok_or(Unread::Idle)?;
        // Only a word of the configuration's own comes this far.
        let reason = match stage {
            Stage::Undelivered => format!("its status is {status}"),
            _ => String::new(),
        };
        Ok(Report { about, message_id, stage, reason })
    }
}
