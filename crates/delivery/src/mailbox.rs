//! Dev mode's sender: messages go to a mailbox in memory, where a test reads them (W15).

use crate::{Hindrance, Sender, Sending, Sent};
use domain::{
    delivery::{Channel, Delivery},
    id::{ChallengeId, EnvironmentId},
    time::Timestamp,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Messages kept; beyond that the oldest goes.
const KEPT_MAX: usize = 1_000;

/// A message in the mailbox. It holds a code, so it does not print; codes of dev mode let nobody in anywhere else.
#[derive(Clone)]
pub struct Message {
    /// Of which environment.
    pub environment: EnvironmentId,
    /// The number, in E.164 with `+`.
    pub to: String,
    /// How it travelled.
    pub channel: Channel,
    /// The text.
    pub body: String,
    /// The code in it.
    pub code: String,
    /// The challenge it answers.
    pub challenge: ChallengeId,
    /// When its challenge was opened.
    pub created_at: Timestamp,
}

/// How the next dispatches of an environment end, if a test says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptedOutcome {
    /// `refused`: surely not sent.
    Refused,
    /// `rejected_number`: the number is refused for good.
    RejectedNumber,
    /// `timeout`: it may or may not have gone out. Here it has not.
    Timeout,
}

impl ScriptedOutcome {
    /// All of them, with the word for each (W15).
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Refused, "refused"), (Self::RejectedNumber, "rejected_number"), (Self::Timeout, "timeout")];

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| *name == word).map(|(outcome, _)| outcome)
    }

    fn outcome(self) -> Sent {
        let cause = "scripted".to_owned();
        match self {
            Self::Refused => Sent::Not(Hindrance::Declined, cause),
            Self::RejectedNumber => Sent::RejectedNumber(cause),
            Self::Timeout => Sent::Unknown(cause),
        }
    }
}

#[derive(Default)]
struct Inside {
    /// Newest first.
    messages: VecDeque<Message>,
    /// How many more dispatches fail, and how. Only environments that exist have a say, so there are few.
    failures: HashMap<EnvironmentId, (u32, ScriptedOutcome)>,
}

/// The mailbox.
#[derive(Default)]
pub struct Mailbox(Mutex<Inside>);

impl Mailbox {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An environment's messages, newest first, to one number if given.
    #[must_use]
    pub fn messages(&self, environment: EnvironmentId, to: Option<&str>, limit: usize) -> Vec<Message> {
        let inside = self.inside();
        let mine = inside.messages.iter().filter(|m| m.environment == environment);
        mine.filter(|m| to.is_none_or(|to| m.to == to)).take(limit).cloned().collect()
    }

    /// Makes the next `sends` dispatches of an environment end with `outcome`; 0 takes that back.
    pub fn fail_next(&self, environment: EnvironmentId, sends: u32, outcome: ScriptedOutcome) {
        let mut inside = self.inside();
        if sends == 0 {
            inside.failures.remove(&environment);
        } else {
            inside.failures.insert(environment, (sends, outcome));
        }
    }

    /// Empties an environment's mailbox, and forgets what was to fail.
    pub fn clear(&self, environment: EnvironmentId) {
        let mut inside = self.inside();
        inside.messages.retain(|m| m.environment != environment);
        inside.failures.remove(&environment);
    }

    fn take(&self, delivery: &Delivery) -> Sent {
        let mut inside = self.inside();
        if let Some((left, outcome)) = inside.failures.get_mut(&delivery.environment) {
            let outcome = outcome.outcome();
            *left = left.saturating_sub(1);
            if *left == 0 {
                inside.failures.remove(&delivery.environment);
            }
            return outcome;
        }
        inside.messages.truncate(KEPT_MAX - 1);
        inside.messages.push_front(Message {
            environment: delivery.environment,
            to: delivery.to.reveal().to_owned(),
            channel: delivery.channel,
            body: delivery.body.reveal().to_owned(),
            code: delivery.code.reveal().to_owned(),
            challenge: delivery.challenge,
            created_at: delivery.challenge.created_at(),
        });
        Sent::Accepted(None)
    }
}

impl Sender for Mailbox {
    fn send<'a>(&'a self, delivery: &'a Delivery, _: Duration) -> Sending<'a> {
        Box::pin(std::future::ready(self.take(delivery)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{id::DeliveryId, phone::PhoneNumber};
    use secrets::Code;

    const HERE: EnvironmentId = EnvironmentId::from_bytes([1; 16]);
    const THERE: EnvironmentId = EnvironmentId::from_bytes([2; 16]);

    fn delivery(environment: EnvironmentId, to: &str, code: &str) -> Delivery {
        Delivery {
            id: DeliveryId::from_bytes([3; 16]),
            environment,
            challenge: ChallengeId::from_bytes([4; 16]),
            useful_until: Timestamp::from_millis(600_000),
            channel: Channel::Sms,
            to: PhoneNumber::from_e164_trusted(to.into()).unwrap(),
            body: secrets::SecretText::new(format!("{code} is it, not 654321.")),
            code: Code::parse_exact(code).unwrap(),
            last_provider: None,
        }
    }

    fn codes(mailbox: &Mailbox, to: Option<&str>, limit: usize) -> Vec<String> {
        mailbox.messages(HERE, to, limit).into_iter().map(|m| m.code).collect()
    }

    #[test]
    fn w15_messages_are_listed_newest_first_by_environment_and_number() {
        let mailbox = Mailbox::default();
        for (environment, to, code) in [
            (HERE, "+14155550101", "000001"),
            (THERE, "+14155550101", "000002"),
            (HERE, "+14155550102", "000003"),
            (HERE, "+14155550101", "000004"),
        ] {
            assert_eq!(mailbox.take(&delivery(environment, to, code)), Sent::Accepted(None));
        }
        assert_eq!(codes(&mailbox, None, 10), ["000004", "000003", "000001"]);
        assert_eq!(codes(&mailbox, Some("+14155550101"), 10), ["000004", "000001"]);
        assert_eq!(codes(&mailbox, None, 1), ["000004"]);
        mailbox.clear(HERE);
        assert!(codes(&mailbox, None, 10).is_empty());
        assert_eq!(mailbox.messages(THERE, None, 10).len(), 1);
    }

    #[test]
    fn w15_the_next_dispatches_end_as_a_test_says() {
        for (scripted, outcome) in [
            (ScriptedOutcome::Refused, "declined"),
            (ScriptedOutcome::RejectedNumber, "rejected_number"),
            (ScriptedOutcome::Timeout, "unknown"),
        ] {
            let mailbox = Mailbox::default();
            mailbox.fail_next(HERE, 2, scripted);
            assert_eq!(mailbox.take(&delivery(THERE, "+14155550101", "000001")), Sent::Accepted(None));
            for _ in 0..2 {
                assert_eq!(mailbox.take(&delivery(HERE, "+14155550101", "000001")).word(), outcome);
            }
            assert!(codes(&mailbox, None, 10).is_empty());
            assert_eq!(mailbox.take(&delivery(HERE, "+14155550101", "000001")), Sent::Accepted(None));
        }
    }

    #[test]
    fn a_full_mailbox_loses_its_oldest_message() {
        let mailbox = Mailbox::default();
        for n in 0..=KEPT_MAX {
            mailbox.take(&delivery(HERE, "+14155550101", &format!("{n:06}")));
        }
        let kept = codes(&mailbox, None, usize::MAX);
        assert_eq!((kept.len(), kept.last().map(String::as_str)), (KEPT_MAX, Some("000001")));
    }
}
