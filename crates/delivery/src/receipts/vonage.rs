//! Vonage's delivery receipts: pairs with a signature among them, or a body with a signed token beside it. Both are
//! made with the account's signature secret.

use super::{Callback, Receiver, Report, Unread, id_of, ours, pairs::Pairs, words};
use crate::Credential;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use domain::receipt::Stage;
use secrets::{MacHash, mac_fits, sha256_fits};
use serde_json::Value;

/// What its error codes say of a message that did not arrive.
const CODES: [(&str, &str); 16] = [
    ("1", "no cause is known"),
    ("2", "the phone is off or not reachable for now"),
    ("3", "the number is not in use any more"),
    ("4", "the owner of the number bars such texts"),
    ("5", "the number was moved to another carrier, and is not found there"),
    ("6", "the carrier took it for spam"),
    ("7", "the phone was busy"),
    ("8", "an error of the network"),
    ("9", "the owner of the number wants no such texts"),
    ("10", "the carrier did not take the message as it was written"),
    ("11", "there is no way to the number"),
    ("12", "there is no way to the number"),
    ("13", "the owner of the number is too young for such texts"),
    ("14", "the carrier bars such texts for this number"),
    ("15", "there is no credit on the number"),
    ("99", "an error that is not told"),
];

/// The receiver.
pub struct Vonage {
    secret: Credential,
}

impl Vonage {
    /// A receiver of calls signed with the signature secret.
    #[must_use]
    pub const fn new(secret: Credential) -> Self {
        Self { secret }
    }

    /// `sig`: over the other pairs by their names, with what separates them replaced in values.
    fn has_signed_pairs(&self, pairs: &Pairs) -> bool {
        let Some(given) = pairs.one("sig") else { return false };
        // A name that holds what separates pairs could be read as several.
        if pairs.0.iter().any(|(name, _)| name.contains(['&', '='])) {
            return false;
        }
        let given = HEXLOWER_PERMISSIVE.decode(given.as_bytes()).unwrap_or_default();
        // By length, since the account's setting is not in the call. MD5 is not taken.
        let hash = match given.len() {
            32 => MacHash::Sha256,
            64 => MacHash::Sha512,
            _ => return false,
        };
        let mut signed: Vec<_> = pairs.0.iter().filter(|(name, _)| name != "sig").collect();
        signed.sort();
        let lines: Vec<String> = signed
            .iter()
            .map(|(name, value)| format!("&{name}={}", value.replace(['&', '='], "_")))
            .collect();
        let parts: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        mac_fits(hash, self.secret.reveal().as_bytes(), &parts, &given)
    }

    /// A JSON Web Token with the digest of the body.
    fn is_signed_beside(&self, call: &Callback<'_>) -> bool {
        let token = (call.header)("authorization").and_then(|value| value.split_once(' '));
        let Some((_, token)) = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return false;
        };
        let mut parts = token.trim().split('.');
        let (Some(head), Some(claims), Some(given), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        let json = |part: &str| {
            let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).ok()?;
            serde_json::from_slice::<Value>(&bytes).ok()
        };
        let (Some(header), Ok(given)) = (json(head), BASE64URL_NOPAD.decode(given.as_bytes())) else {
            return false;
        };
        let signed = [head.as_bytes(), b".", claims.as_bytes()];
        if header.get("alg").and_then(Value::as_str) != Some("HS256")
            || !mac_fits(MacHash::Sha256, self.secret.reveal().as_bytes(), &signed, &given)
        {
            return false;
        }
        // Without the digest the token says nothing about the body.
        let digest = json(claims).and_then(|claims| {
            let text = claims.get("payload_hash")?.as_str()?;
            HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()
        });
        digest.is_some_and(|digest| sha256_fits(call.body, &digest))
    }
}

impl Receiver for Vonage {
    fn read(&self, call: &Callback<'_>) -> Result<Report, Unread> {
        let text = std::str::from_utf8(call.body).map_err(|_| Unread::Forged)?;
        let pairs =
            if text.trim_start().starts_with('{') { Pairs::json(call.body) } else { Pairs::form(text) };
        let Some(pairs) = pairs else { return Err(Unread::Forged) };
        if !self.has_signed_pairs(&pairs) && !self.is_signed_beside(call) {
            return Err(Unread::Forged);
        }
        let about = ours(pairs.one("client-ref")).ok_or(Unread::Idle)?;
        let code = pairs.one("err-code").unwrap_or_default();
        let stage = match pairs.one("status").ok_or(Unread::Unreadable)? {
            "accepted" | "buffered" => Stage::Accepted,
            "delivered" => Stage::Delivered,
            "expired" | "failed" | "rejected" | "deleted" => Stage::Undelivered,
            _ => return Err(Unread::Idle),
        };
        let reason = match stage {
            Stage::Undelivered if code != "0" => words(&CODES, code),
            _ => String::new(),
        };
        let message = pairs.one("messageId").or_else(|| pairs.one("message-id"));
        Ok(Report { about, message_id: id_of(message), stage, reason })
    }
}
