//! What happened to a challenge, from its opening on, each thing with a plain reason. Never a code, a secret or a number.

use crate::{
    challenge::{ATTEMPTS_MAX, Challenge},
    delivery::{Channel, DispatchOutcome},
    dispatch::{Dispatch, Dispatches, Ended},
    event::WrongReason,
    factor::FactorKind,
    id::{DeliveryId, FactorId},
    receipt::{Receipt, Receipts, Stage},
    time::{Timestamp, is_live},
};

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Its id, which says since when it was owed.
    pub id: DeliveryId,
    /// How it travels.
    pub channel: Channel,
    /// How its dispatch ended, and when that was written; `None` while that is open.
    pub outcome: Option<(DispatchOutcome, Option<Timestamp>)>,
    /// Who took it, or may have.
    pub provider: Option<String>,
    /// Its id there.
    pub message_id: Option<String>,
    /// The tries at handing it over.
    pub dispatches: Dispatches,
    /// What the provider reported since.
    pub receipts: Receipts,
}

impl DeliveryRecord {
    /// How far it has come, in a word: `pending`, an outcome of its dispatch, or what its provider reported last.
    #[must_use]
    pub fn state(&self) -> &'static str {
        let settled = self.outcome.map(|(outcome, _)| outcome.word());
        self.receipts.furthest().map_or(settled.unwrap_or("pending"), |receipt| receipt.stage.word())
    }
}

/// How a challenge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It can be answered.
    Open,
    /// The right code was given.
    Verified,
    /// Its time is over.
    Expired,
    /// Newer challenges of its factor have displaced it.
    Displaced,
    /// Its five attempts are used up.
    AttemptsUsedUp,
    /// Its message surely was not sent, so it is gone.
    Withdrawn,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Verified, Self::Expired, Self::Displaced, Self::AttemptsUsedUp, Self::Withdrawn];

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Verified => "verified",
            Self::Expired => "expired",
            Self::Displaced => "displaced",
            Self::AttemptsUsedUp => "attempts_used_up",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Everything that is kept of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeRecord {
    /// The challenge.
    pub challenge: Challenge,
    /// Its factor.
    pub factor: FactorId,
    /// The type of that.
    pub kind: FactorKind,
    /// Whether its factor lists it as open. `None` if it is gone, and only its message still tells of it.
    pub listed: Option<bool>,
    /// Its messages.
    pub deliveries: Vec<DeliveryRecord>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// What, in a word.
    pub what: &'static str,
    /// What, in a sentence.
    pub text: String,
    /// With which message.
    pub delivery: Option<DeliveryId>,
    /// By which provider.
    pub provider: Option<String>,
}

impl Happening {
    fn new(at: Timestamp, what: &'static str, text: impl Into<String>) -> Self {
        Self { at, what, text: text.into(), delivery: None, provider: None }
    }

    fn by(self, delivery: DeliveryId, provider: Option<&str>) -> Self {
        Self { delivery: Some(delivery), provider: provider.map(str::to_owned), ..self }
    }
}

impl ChallengeRecord {
    /// How it stands now.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        let Challenge { expires_at, attempts_used, verified_at, .. } = self.challenge;
        match self.listed {
            None => State::Withdrawn,
            Some(_) if verified_at.is_some() => State::Verified,
            Some(_) if attempts_used >= ATTEMPTS_MAX => State::AttemptsUsedUp,
            Some(_) if !is_live(expires_at, now) => State::Expired,
            Some(false) => State::Displaced,
            Some(true) => State::Open,
        }
    }

    /// What happened, in order.
    #[must_use]
    pub fn happened(&self, now: Timestamp) -> Vec<Happening> {
        let Challenge { id, expires_at, verified_at, wrong, .. } = self.challenge;
        let mut all = vec![Happening::new(id.created_at(), "opened", "the challenge was opened")];
        self.deliveries.iter().for_each(|delivery| delivery.tell(&mut all));
        for attempt in wrong.iter() {
            all.push(Happening::new(attempt.at, "wrong_code", said_of(attempt.reason)));
        }
        if let Some(at) = verified_at {
            all.push(Happening::new(at, "right_code", "right code"));
        }
        if self.state(now) == State::Expired {
            all.push(Happening::new(expires_at, "expired", "its time was over without a right code"));
        }
        // Stable: what happened in the same millisecond stays in the order above.
        all.sort_by_key(|happening| happening.at);
        all
    }
}

fn said_of(reason: WrongReason) -> String {
    match reason {
        WrongReason::Mismatch => "wrong code".into(),
        WrongReason::Outside { slow_by } if slow_by < 0 => {
            let seconds = slow_by.unsigned_abs();
            format!("wrong code: its step begins {seconds} s later, so the phone's clock is fast")
        }
        WrongReason::Outside { slow_by } => {
            format!("wrong code: its step was {slow_by} s old: typed late, or the phone's clock is slow")
        }
        WrongReason::Replay => "wrong code: it, or a later one, was used before".into(),
        WrongReason::Malformed => "wrong code: not six digits".into(),
    }
}

/// Seconds with a tenth, or whole ones from ten on.
fn seconds(millis: i64) -> String {
    let tenths = millis.max(0) / 100;
    if tenths < 100 { format!("{}.{} s", tenths / 10, tenths % 10) } else { format!("{} s", tenths / 10) }
}

impl DeliveryRecord {
    fn tell(&self, all: &mut Vec<Happening>) {
        let Self { id, outcome, provider, dispatches, receipts, .. } = self;
        let half = dispatches.kept().len() / 2;
        for (n, dispatch) in dispatches.kept().iter().enumerate() {
            if n == half && dispatches.left_out() > 0 {
                let text = format!("{} more tries that ended like these", dispatches.left_out());
                all.push(Happening::new(dispatch.at, "dispatches", text).by(*id, None));
            }
            let told = Happening::new(dispatch.at, dispatch.ended.word(), told(dispatch));
            all.push(told.by(*id, Some(&dispatch.provider)));
        }
        if let Some((outcome, at)) = outcome {
            let text = match outcome {
                DispatchOutcome::Unknown if dispatches.kept().is_empty() => {
                    Some("its server ended while it was being sent: it may or may not have gone out")
                }
                DispatchOutcome::NotSent => {
                    Some("nobody took the message, or it was of no use any more: it was not sent")
                }
                _ => None,
            };
            if let Some(text) = text {
                let at = at.unwrap_or(id.created_at());
                all.push(Happening::new(at, outcome.word(), text).by(*id, None));
            }
        }
        for receipt in receipts.iter().filter(|receipt| receipt.stage != Stage::Accepted) {
            let text = self.reported(receipt);
            all.push(Happening::new(receipt.at, receipt.stage.word(), text).by(*id, provider.as_deref()));
        }
    }

    fn reported(&self, Receipt { at, stage, reason }: &Receipt) -> String {
        let after = seconds(at.millis() - self.id.created_at().millis());
        let text = match stage {
            Stage::Accepted => format!("taken by the provider after {after}"),
            Stage::Sent => format!("handed to the carrier after {after}"),
            Stage::Delivered => format!("delivered after {after}"),
            Stage::Undelivered => format!("not delivered, as was reported after {after}"),
        };
        if reason.is_empty() { text } else { format!("{text}: {reason}") }
    }
}

fn told(Dispatch { took_ms, provider, ended, cause, .. }: &Dispatch) -> String {
    let took = seconds(i64::from(*took_ms));
    match ended {
        Ended::Accepted => format!("{provider} accepted the message in {took}"),
        Ended::Unknown => {
            format!("{provider} may or may not have sent it ({cause}, {took}): nobody else was asked")
        }
        Ended::RejectedNumber => format!("{provider} refused the number for good ({cause})"),
        Ended::Busy => format!("{provider} could not take it ({cause}, {took})"),
        Ended::Unusable => format!("{provider} refused our account or request ({cause})"),
        Ended::Declined => format!("{provider} refused this message ({cause})"),
    }
}

#[cfg(test)]
mod tests;
