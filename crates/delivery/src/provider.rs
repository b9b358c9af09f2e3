//! One provider: its sender, how much it gets at once, and whether it works.

use crate::{Hindrance, Patience, Sender, Sent, breaker::Breaker};
use domain::delivery::Delivery;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};

/// A sender that takes longer leaves the outcome unknown. Well below the lease, so that nobody else settles meanwhile.
/// Senders over HTTP end by themselves before.
const SEND_MAX: Duration = Duration::from_secs(30);
/// A dispatch that takes longer counts as a failure, whatever comes of it: others are not to wait for the same.
const SLOW: Duration = Duration::from_secs(2);

/// A provider.
pub struct Provider {
    name: String,
    sender: Arc<dyn Sender>,
    slots: Semaphore,
    breaker: Breaker,
}

impl Provider {
    /// A provider by its name, which gets `concurrency` messages at once.
    #[must_use]
    pub fn new(name: &str, sender: Arc<dyn Sender>, concurrency: usize, patience: Patience) -> Self {
        let (slots, breaker) = (Semaphore::new(concurrency), Breaker::new(patience));
        Self { name: name.to_owned(), sender, slots, breaker }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What speaks to it.
    #[must_use]
    pub fn sender(&self) -> &dyn Sender {
        &*self.sender
    }

    pub(crate) fn is_fit(&self, now: Instant) -> bool {
        self.breaker.is_fit(now)
    }

    /// A place for one more message, if there is one within `wait`.
    pub(crate) async fn place(&self, wait: Duration) -> Option<tokio::sync::SemaphorePermit<'_>> {
        timeout(wait, self.slots.acquire()).await.ok()?.ok()
    }

    /// Hands a message over, and takes the outcome into account.
    pub(crate) async fn dispatch(&self, delivery: &Delivery, left: Duration) -> Sent {
        let started = Instant::now();
        self.breaker.begin(started);
        let sending = timeout(SEND_MAX, self.sender.send(delivery, left));
        tokio::pin!(sending);
        let mut slow = false;
        let ended = tokio::select! {
            biased;
            ended = &mut sending => ended,
            () = sleep(SLOW) => {
                slow = true;
                self.failed("slow", false);
                sending.await
            }
        };
        let sent = ended.unwrap_or_else(|_| Sent::unknown("no answer"));
        match &sent {
            Sent::Not(Hindrance::Unusable, _) => self.failed(sent.word(), true),
            // Counted already.
            _ if slow => {}
            Sent::Unknown(_) | Sent::Not(Hindrance::Busy, _) => self.failed(sent.word(), false),
            Sent::Accepted(_) | Sent::RejectedNumber(_) | Sent::Not(Hindrance::Declined, _) => self.worked(),
        }
        sent
    }

    fn worked(&self) {
        if self.breaker.worked() {
            tracing::info!(provider = self.name, "works again");
        }
    }

    fn failed(&self, why: &'static str, at_once: bool) {
        if let Some(span) = self.breaker.failed(at_once, Instant::now()) {
            let seconds = span.as_secs();
            tracing::warn!(provider = self.name, why, seconds, "put aside: others are asked first meanwhile");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Route, Routing, Sending};
    use domain::{
        delivery::Channel,
        id::{ChallengeId, DeliveryId, EnvironmentId},
        phone::PhoneNumber,
        time::Timestamp,
    };

    /// Never answers.
    struct Hangs;

    impl Sender for Hangs {
        fn send<'a>(&'a self, _: &'a Delivery, _: Duration) -> Sending<'a> {
            Box::pin(std::future::pending())
        }
    }

    fn delivery() -> Delivery {
        Delivery {
            id: DeliveryId::from_bytes([1; 16]),
            environment: EnvironmentId::from_bytes([2; 16]),
            challenge: ChallengeId::from_bytes([3; 16]),
            useful_until: Timestamp::from_millis(600_000),
            channel: Channel::Sms,
            to: PhoneNumber::from_e164_trusted("+14155550101".into()).unwrap(),
            body: secrets::SecretText::new("042042".into()),
            code: secrets::Code::parse_exact("042042").unwrap(),
            last_provider: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fault_14_others_are_asked_first_two_seconds_after_a_provider_began_to_hang() {
        let hangs = Arc::new(Provider::new("hangs", Arc::new(Hangs), 8, Patience::default()));
        let other = Arc::new(Provider::new("other", Arc::new(Hangs), 8, Patience::default()));
        let providers = vec![Arc::clone(&hangs), Arc::clone(&other)];
        let routing = Routing::new(vec![Route { prefix: None, providers }], Duration::ZERO);
        let message = delivery();
        let first = || routing.order(&message, Instant::now()).first().unwrap().name().to_owned();
        let started = Instant::now();
        let left = Duration::from_secs(600);
        let (one, two, three, ()) = tokio::join!(
            hangs.dispatch(&message, left),
            hangs.dispatch(&message, left),
            hangs.dispatch(&message, left),
            async {
                sleep(Duration::from_millis(1_999)).await;
                assert_eq!(first(), "hangs");
                sleep(Duration::from_millis(2)).await;
                assert_eq!(first(), "other");
            }
        );
        assert!([one, two, three].iter().all(|sent| *sent == Sent::unknown("no answer")));
        assert_eq!(started.elapsed(), SEND_MAX);
    }
}
