//! Twilio's status callbacks: a form, signed with the account's auth token over the URL and every field.

use super::{Callback, Receiver, Report, Unread, id_of, ours, pairs::Pairs, words};
use crate::{Credential, twilio::CALLBACK_DELIVERY};
use data_encoding::BASE64;
use domain::receipt::Stage;
use secrets::{MacHash, mac_fits};

/// What its error codes say of a message that did not arrive.
const CODES: [(&str, &str); 12] = [
    ("21610", "the owner of the number wants no texts from this sender"),
    ("30001", "the provider's queue was full"),
    ("30002", "our account is suspended"),
    ("30003", "the phone is off or not reachable"),
    ("30004", "the owner or the carrier blocks such texts"),
    ("30005", "the number is not in use"),
    ("30006", "a landline, or a carrier that is not reached"),
    ("30007", "the carrier took it for spam"),
    ("30008", "the carrier does not say why"),
    ("30032", "the sender's number is not verified"),
    ("30034", "the sender is not registered"),
    ("30036", "its time was over before it could be delivered"),
];

/// The receiver.
pub struct Twilio {
    /// Scheme, host and port under which the world reaches us.
    origins: Vec<String>,
    secret: Credential,
}

impl Twilio {
    /// A receiver of calls to a public URL, signed with the auth token. `public_url` is what was given along with the
    /// messages, without a path of ours.
    #[must_use]
    pub fn new(public_url: &str, secret: Credential) -> Self {
        // Twilio signs with or without the port, whatever it was given.
        let mut origins = vec![public_url.to_owned()];
        let (scheme, rest) = public_url.split_once("://").unwrap_or(("https", public_url));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let port = if scheme == "https" { ":443" } else { ":80" };
        match authority.rsplit_once(':').filter(|(_, digits)| digits.bytes().all(|b| b.is_ascii_digit())) {
            Some((host, _)) => origins.push(format!("{scheme}://{host}{path}")),
            None => origins.push(format!("{scheme}://{authority}{port}{path}")),
        }
        Self { origins, secret }
    }

    fn is_signed(&self, call: &Callback<'_>, fields: &[(String, String)]) -> bool {
        let given = (call.header)("x-twilio-signature");
        let Some(given) = given.and_then(|text| BASE64.decode(text.as_bytes()).ok()) else { return false };
        // Each value of a name once, in the order of names and then of values.
        let mut fields: Vec<&(String, String)> = fields.iter().collect();
        fields.sort();
        fields.dedup();
        let fits = |origin: &String| {
            let mut parts = vec![origin.as_bytes(), call.target.as_bytes()];
            parts.extend(fields.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
            mac_fits(MacHash::Sha1, self.secret.reveal().as_bytes(), &parts, &given)
        };
        self.origins.iter().any(fits)
    }
}

impl Receiver for Twilio {
    fn read(&self, call: &Callback<'_>) -> Result<Report, Unread> {
        let form = std::str::from_utf8(call.body).ok().and_then(Pairs::form).ok_or(Unread::Forged)?;
        if !self.is_signed(call, &form.0) {
            return Err(Unread::Forged);
        }
        let query = Pairs::form(call.query).ok_or(Unread::Unreadable)?;
        let about = ours(query.one(CALLBACK_DELIVERY)).ok_or(Unread::Idle)?;
        let status = form.one("MessageStatus").ok_or(Unread::Unreadable)?;
        let stage = match status {
            "accepted" | "scheduled" | "queued" | "sending" => Stage::Accepted,
            "sent" => Stage::Sent,
            "delivered" | "read" => Stage::Delivered,
            "undelivered" | "failed" | "canceled" => Stage::Undelivered,
            _ => return Err(Unread::Idle),
        };
        let reason = match stage {
            Stage::Undelivered => words(&CODES, form.one("ErrorCode").unwrap_or_default()),
            _ => String::new(),
        };
        Ok(Report { about, message_id: id_of(form.one("MessageSid")), stage, reason })
    }
}
