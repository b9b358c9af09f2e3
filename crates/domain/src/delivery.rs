//! Messages owed to users, and how handing one to a sender can end.

use crate::{
    id::{ChallengeId, DeliveryId, EnvironmentId},
    phone::PhoneNumber,
    time::Timestamp,
};
use secrets::{Code, SecretText};

/// How long a dispatch may take before it counts as one of unknown outcome, in seconds.
pub const LEASE_SECONDS: u32 = 60;

/// For how long another message to the same number counts as sent again, in seconds.
pub const RESEND_SECONDS: u32 = 600;

/// The way a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Text message.
    Sms,
}

impl Channel {
    /// The word on the wire and in the store.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sms => "sms",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Sms].into_iter().find(|channel| channel.word() == word)
    }
}

/// A message that is owed: what the outbox worker claims and a sender gets. Holds a code, so it does not print.
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// In which environment.
    pub environment: EnvironmentId,
    /// For which challenge.
    pub challenge: ChallengeId,
    /// Until when it is of any use: the challenge's end.
    pub useful_until: Timestamp,
    /// How it travels.
    pub channel: Channel,
    /// To whom.
    pub to: PhoneNumber,
    /// The text, code included.
    pub body: SecretText,
    /// The code by itself, for senders that fill in a template of their own.
    pub code: Code,
    /// Who got, or may have got, the last message to this number in the last [`RESEND_SECONDS`]: somebody else is asked
    /// first now.
    pub last_provider: Option<String>,
}

/// How one dispatch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DispatchOutcome {
    /// The provider took it.
    Accepted,
    /// It may or may not have gone out: never dispatched again.
    Unknown,
    /// The number is refused for good.
    RejectedNumber,
    /// It surely was not sent and will not be.
    NotSent,
}

impl DispatchOutcome {
    /// The word in the trail and in the store.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
            Self::RejectedNumber => "rejected_number",
            Self::NotSent => "not_sent",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Accepted, Self::Unknown, Self::RejectedNumber, Self::NotSent];
        all.into_iter().find(|outcome| outcome.word() == word)
    }

    /// Whether the challenge stays open: after an accepted or an unknown outcome (W11).
    #[must_use]
    pub const fn keeps_challenge(self) -> bool {
        matches!(self, Self::Accepted | Self::Unknown)
    }
}

/// How many messages a limit lets through in a span: one pair of the setting `sms_per_number`.
///
/// `sent` are the times of earlier messages, newest first. Answers when the next one may go, or `None` if now.
#[must_use]
pub fn refused_until(
    sent: &[Timestamp],
    count: usize,
    span_seconds: u32,
    now: Timestamp,
) -> Option<Timestamp> {
    let oldest_that_counts = sent.get(count.checked_sub(1)?)?;
    Some(oldest_that_counts.plus_seconds(span_seconds)).filter(|until| now < *until)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1000)
    }

    #[test]
    fn w11_the_sixth_message_in_ten_minutes_waits_for_the_first_to_be_ten_minutes_old() {
        let sent = [at(400), at(300), at(200), at(100), at(0)];
        assert_eq!(refused_until(&sent[1..], 5, 600, at(500)), None);
        assert_eq!(refused_until(&sent, 5, 600, at(500)), Some(at(600)));
        assert_eq!(refused_until(&sent, 5, 600, Timestamp::from_millis(599_999)), Some(at(600)));
        assert_eq!(refused_until(&sent, 5, 600, at(600)), None);
    }
}
