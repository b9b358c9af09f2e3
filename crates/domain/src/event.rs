//! Entries of the audit trail: what happened, to what, by whom. Never a code or a secret.

use crate::{
    guard::{Country, Rule},
    id::{ApiKeyId, ChallengeId, EnvironmentId, FactorId},
    time::Timestamp,
    user_id::UserId,
};

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A calling service, by its API key.
    ApiKey(ApiKeyId),
    /// A person at the command line, by the name the operating system has for them.
    Operator(String),
    /// The server itself: purges, deliveries.
    Server,
}

/// Why an attempt was wrong. Only the trail and the timeline say it: to whoever typed the code all look alike (I13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongReason {
    /// A well-formed code that fits no step of the window, or is not the one sent.
    Mismatch,
    /// The code of a step near the window, but outside it. To callers and in figures it is a mismatch.
    Outside {
        /// By how many seconds the phone's clock is slow at least; fast if negative.
        slow_by: i16,
    },
    /// A right code whose step is not later than the last one accepted.
    Replay,
    /// Not six ASCII digits.
    Malformed,
}

impl WrongReason {
    /// The word the trail uses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mismatch | Self::Outside { .. } => "mismatch",
            Self::Replay => "replay",
            Self::Malformed => "malformed",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A factor was enrolled; the word is its type.
    FactorEnrolled(&'static str),
    /// A factor was deleted, with the operator's reason if it was one.
    FactorDeleted(Option<String>),
    /// A factor that was never verified was purged at its age.
    FactorPurged,
    /// An operator set a factor's count of wrong attempts to 0.
    FactorReset(String),
    /// A right code.
    VerificationSucceeded {
        /// Wrong attempts in a row just before it.
        after_wrong: u32,
    },
    /// A wrong attempt.
    VerificationFailed(WrongReason),
    /// A wrong attempt locked its factor.
    FactorLocked {
        /// When the lock ends.
        until: Timestamp,
        /// Wrong attempts in a row.
        wrong_in_a_row: u32,
    },
    /// The 100th wrong attempt in a row stopped its factor.
    FactorStopped,
    /// The user's budget is used up.
    UserLocked {
        /// When the oldest of its wrong attempts is 24 hours old.
        until: Timestamp,
    },
    /// An operator emptied a user's budget.
    UserReset(String),
    /// A message was handed to a sender, with the outcome in one word.
    DeliverySettled(&'static str),
    /// A rule of the guard said no to a message.
    GuardHit {
        /// Which rule.
        rule: Rule,
        /// Where the message was to go.
        country: Country,
        /// Whether it was refused; else it went out.
        enforced: bool,
    },
    /// A challenge of a test number was opened: nothing is sent for it.
    TestNumberUsed,
    /// What a test number brought about.
    OnTestNumber(Box<Self>),
    /// An environment was created.
    EnvironmentCreated(String),
    /// An API key was created; the text is its hint, never the key.
    ApiKeyCreated(String),
    /// An API key was revoked; the text is its hint.
    ApiKeyRevoked(String),
    /// A setting was changed: its name and new value.
    SettingChanged(&'static str, String),
    /// A new data key was made.
    KeyRotated(u32),
    /// The data keys were wrapped under another master key.
    KeysRewrapped,
    /// Nothing from before a moment is accepted any more: the store is restored from a backup, or may have lost acts.
    ReplayFloorSet {
        /// No code of before this is accepted.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// Everything in a dev environment was erased.
    DevReset,
}

/// One value of an event's detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DetailValue {
    /// A count.
    Number(u32),
    /// A word or an operator's text.
    Text(String),
    /// A moment.
    Time(Timestamp),
}

impl EventKind {
    /// The event's name in the trail.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::FactorEnrolled(_) => "factor.enrolled",
            Self::FactorDeleted(_) => "factor.deleted",
            Self::FactorPurged => "factor.purged",
            Self::FactorReset(_) => "factor.reset",
            Self::VerificationSucceeded { .. } => "verification.succeeded",
            Self::VerificationFailed(_) => "verification.failed",
            Self::FactorLocked { .. } => "factor.locked",
            Self::FactorStopped => "factor.stopped",
            Self::UserLocked { .. } => "user.locked",
            Self::UserReset(_) => "user.reset",
            Self::DeliverySettled(_) => "delivery.settled",
            Self::GuardHit { enforced: true, .. } => "guard.refused",
            Self::GuardHit { enforced: false, .. } => "guard.noticed",
            Self::TestNumberUsed => "test_number.used",
            Self::OnTestNumber(kind) => kind.name(),
            Self::EnvironmentCreated(_) => "environment.created",
            Self::ApiKeyCreated(_) => "api_key.created",
            Self::ApiKeyRevoked(_) => "api_key.revoked",
            Self::SettingChanged(..) => "setting.changed",
            Self::KeyRotated(_) => "keys.rotated",
            Self::KeysRewrapped => "keys.rewrapped",
            Self::ReplayFloorSet { .. } => "replay_floor.set",
            Self::DevReset => "dev.reset",
        }
    }

    /// What the name leaves open, in the order it is written.
    #[must_use]
    pub fn detail(&self) -> Vec<(&'static str, DetailValue)> {
        use DetailValue::{Number, Text, Time};
        match self {
            Self::FactorEnrolled(kind) => vec![("type", Text((*kind).into()))],
            Self::FactorDeleted(Some(reason)) | Self::FactorReset(reason) | Self::UserReset(reason) => {
                vec![("reason", Text(reason.clone()))]
            }
            Self::VerificationSucceeded { after_wrong: 0 }
            | Self::FactorDeleted(None)
            | Self::FactorPurged
            | Self::FactorStopped
            | Self::KeysRewrapped
            | Self::DevReset => vec![],
            Self::VerificationSucceeded { after_wrong } => vec![("after_wrong", Number(*after_wrong))],
            Self::VerificationFailed(why) => {
                let mut detail = vec![("reason", Text(why.word().into()))];
                if let WrongReason::Outside { slow_by } = why {
                    detail.push(("clock", Text(if *slow_by < 0 { "fast" } else { "slow" }.into())));
                    detail.push(("seconds", Number(slow_by.unsigned_abs().into())));
                }
                detail
            }
            Self::FactorLocked { until, wrong_in_a_row } => {
                vec![("until", Time(*until)), ("wrong_in_a_row", Number(*wrong_in_a_row))]
            }
            Self::ReplayFloorSet { until, reason } => {
                vec![("until", Time(*until)), ("reason", Text(reason.clone()))]
            }
            Self::UserLocked { until } => vec![("until", Time(*until))],
            Self::DeliverySettled(outcome) => vec![("outcome", Text((*outcome).into()))],
            Self::GuardHit { rule, country, .. } => {
                vec![("rule", Text(rule.word().into())), ("country", Text(country.to_string()))]
            }
            Self::TestNumberUsed => vec![("test_number", Text("yes".into()))],
            Self::OnTestNumber(kind) => {
                let mut detail = kind.detail();
                detail.push(("test_number", Text("yes".into())));
                detail
            }
            Self::EnvironmentCreated(name) => vec![("name", Text(name.clone()))],
            Self::ApiKeyCreated(hint) | Self::ApiKeyRevoked(hint) => vec![("key", Text(hint.clone()))],
            Self::SettingChanged(name, value) => {
                vec![("setting", Text((*name).into())), ("value", Text(value.clone()))]
            }
            Self::KeyRotated(id) => vec![("key", Number(*id))],
        }
    }
}

/// One entry, before the store gives it its place in the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// In which environment; `None` for acts on the server as a whole.
    pub environment: Option<EnvironmentId>,
    /// By whom.
    pub actor: Actor,
    /// What.
    pub kind: EventKind,
    /// To which factor.
    pub factor: Option<FactorId>,
    /// On which challenge.
    pub challenge: Option<ChallengeId>,
    /// For which user.
    pub user: Option<UserId>,
}
