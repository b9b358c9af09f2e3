//! What a provider is to the worker.

use domain::{delivery::Delivery, dispatch::Ended};
use std::{future::Future, pin::Pin, time::Duration};

/// A dispatch in progress.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Sent> + Send + 'a>>;
/// A check in progress: what was found good, or what is wrong.
pub type Checking<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// Hands messages to a provider.
pub trait Sender: Send + Sync {
    /// Hands one over, once, and says how that ended. It never tries again by itself: whether it may be tried again is
    /// decided by the outcome, and after an unknown one nobody does (W11). `left` is how long the message is of use.
    fn send<'a>(&'a self, delivery: &'a Delivery, left: Duration) -> Sending<'a>;

    /// Whether the provider can be reached and takes the credentials, as far as that shows without sending anything.
    fn check(&self) -> Checking<'_> {
        Box::pin(std::future::ready(Ok("nothing to check".into())))
    }
}

/// Why, in few words: statuses and codes, never what a provider wrote, which may repeat number and text.
pub type Cause = String;

/// How one dispatch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The provider took it, under this id of its own if it gave one.
    Accepted(Option<String>),
    /// It may or may not have gone out.
    Unknown(Cause),
    /// The number is refused for good.
    RejectedNumber(Cause),
    /// It surely did not go out.
    Not(Hindrance, Cause),
}

/// What kept a message from going out, and so who may be asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// The provider cannot now: not reached, or too much at once. The next one may, and later the same.
    Busy,
    /// The provider does not take our account, our credentials or our request: somebody has to put that right.
    Unusable,
    /// The provider does not take this message, while it may take others. The next one may.
    Declined,
}

impl Sent {
    /// Surely not sent.
    pub(crate) fn not(hindrance: Hindrance, cause: impl Into<Cause>) -> Self {
        Self::Not(hindrance, cause.into())
    }

    /// Perhaps sent.
    pub(crate) fn unknown(cause: impl Into<Cause>) -> Self {
        Self::Unknown(cause.into())
    }

    /// As it is kept.
    #[must_use]
    pub const fn ended(&self) -> Ended {
        match self {
            Self::Accepted(_) => Ended::Accepted,
            Self::Unknown(_) => Ended::Unknown,
            Self::RejectedNumber(_) => Ended::RejectedNumber,
            Self::Not(Hindrance::Busy, _) => Ended::Busy,
            Self::Not(Hindrance::Unusable, _) => Ended::Unusable,
            Self::Not(Hindrance::Declined, _) => Ended::Declined,
        }
    }

    /// The word for metrics and the log.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        self.ended().word()
    }

    /// Why, unless it was accepted.
    #[must_use]
    pub fn cause(&self) -> &str {
        match self {
            Self::Accepted(_) => "",
            Self::Unknown(cause) | Self::RejectedNumber(cause) | Self::Not(_, cause) => cause,
        }
    }
}
