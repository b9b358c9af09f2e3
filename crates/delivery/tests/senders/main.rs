//! The senders against doubles on loopback, which refuse whatever the provider's public documentation does not allow.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

mod double;
mod faults;
mod generic;
mod tls;
mod twilio;
mod vonage;

use countersign_delivery::{Hindrance, Sender, Sent};
use domain::{
    delivery::{Channel, Delivery},
    id::{ChallengeId, DeliveryId, EnvironmentId},
    phone::PhoneNumber,
    time::Timestamp,
};
use std::time::Duration;

const TEXT: &str = "Your verification code is 042042.";
const SECRET: &str = "s3cret+/=&%";

fn to(number: &str) -> Delivery {
    saying(number, TEXT)
}

fn saying(number: &str, body: &str) -> Delivery {
    Delivery {
        id: DeliveryId::from_bytes([1; 16]),
        environment: EnvironmentId::from_bytes([2; 16]),
        challenge: ChallengeId::from_bytes([3; 16]),
        useful_until: Timestamp::from_millis(600_000),
        channel: Channel::Sms,
        to: PhoneNumber::from_e164_trusted(number.into()).unwrap(),
        body: secrets::SecretText::new(body.into()),
        code: secrets::Code::parse_exact("042042").unwrap(),
        last_provider: None,
    }
}

async fn send(sender: &dyn Sender, number: &str) -> Sent {
    sender.send(&to(number), Duration::from_secs(600)).await
}

/// The outcome without the words for it.
fn kind(sent: &Sent) -> &'static str {
    sent.word()
}

fn accepted(id: &str) -> Sent {
    Sent::Accepted(Some(id.into()))
}

fn hindrance(sent: Sent) -> Hindrance {
    match sent {
        Sent::Not(hindrance, _) => hindrance,
        other => panic!("{other:?}"),
    }
}
