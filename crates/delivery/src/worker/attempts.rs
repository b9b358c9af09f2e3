//! One message's way through the providers: who is asked, when it is tried again, and when that has an end.
//!
//! Only what surely was not sent goes on, to the next provider or to a later try. After an unknown outcome nobody is
//! asked any more: a second text is worse than a late one (W11).

use super::Inner;
use crate::{Hindrance, Provider, Sent};
use domain::{
    delivery::{Delivery, DispatchOutcome},
    dispatch::{Dispatch, Dispatches},
    time::Timestamp,
};
use secrets::uniform_below;
use std::{sync::Arc, time::Duration};
use store::steps::hold_delivery::{Held, HoldDelivery};
use tokio::time::{Instant, sleep};

/// The wait before the first retry; each later one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest. With a dispatch and a wait for a place it has to stay below the lease.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// How long a message waits for a place at a provider while there is another to ask.
const PLACE_WAIT: Duration = Duration::from_millis(500);
/// How long it waits at the last one.
const LAST_PLACE_WAIT: Duration = Duration::from_secs(10);
/// A claim that was made or renewed so recently needs no second look.
const FRESH: Duration = Duration::from_secs(1);

/// A message on its way.
struct Attempts<'a> {
    inner: &'a Inner,
    delivery: &'a Delivery,
    /// When the claim was made or renewed.
    held: Instant,
    dispatches: Dispatches,
}

/// How a message ended, with all that is kept of the way there.
pub(super) struct Outcome {
    pub(super) outcome: DispatchOutcome,
    /// Who took it, may have, or refused its number.
    pub(super) provider: Option<String>,
    pub(super) message_id: Option<String>,
    pub(super) dispatches: Dispatches,
}

/// Whether to go on with a message.
enum Next {
    /// This is how it ended, with the provider and its id for the message if one has it.
    Settle(DispatchOutcome, Option<String>, Option<String>),
    /// Somebody else has settled it, or the store cannot be asked.
    Leave,
    /// It surely was not sent.
    GoOn(Hindrance),
}

impl Inner {
    /// Dispatches a message until that has an outcome. `None` if it is not ours to settle.
    pub(super) async fn attempt(&self, delivery: &Delivery) -> Option<Outcome> {
        let started = Instant::now();
        let mut attempts =
            Attempts { inner: self, delivery, held: started, dispatches: Dispatches::default() };
        let mut pause = FIRST_PAUSE;
        // Who will not take this message, however often they are asked.
        let mut never: Vec<Arc<Provider>> = Vec::new();
        loop {
            let mut order = self.routing.order(delivery, Instant::now());
            order.retain(|provider| !never.iter().any(|gone| Arc::ptr_eq(gone, provider)));
            let last = order.len().saturating_sub(1);
            let mut later = false;
            for (n, provider) in order.iter().enumerate() {
                let wait = if n == last { LAST_PLACE_WAIT } else { PLACE_WAIT };
                match attempts.ask(provider, wait).await {
                    Next::Settle(outcome, provider, message_id) => {
                        let dispatches = attempts.dispatches;
                        return Some(Outcome { outcome, provider, message_id, dispatches });
                    }
                    Next::Leave => return None,
                    Next::GoOn(Hindrance::Busy) => later = true,
                    Next::GoOn(Hindrance::Unusable | Hindrance::Declined) => never.push(Arc::clone(provider)),
                }
            }
            let wait = self.jittered(pause);
            if !later || started.elapsed() + wait > self.routing.retry() {
                let (outcome, dispatches) = (DispatchOutcome::NotSent, attempts.dispatches);
                return Some(Outcome { outcome, provider: None, message_id: None, dispatches });
            }
            sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Between half of it and all of it, so that what failed together is not tried again together.
    fn jittered(&self, pause: Duration) -> Duration {
        let half = pause / 2;
        let millis = u32::try_from(half.as_millis()).unwrap_or(u32::MAX);
        // Without randomness the full wait is as good.
        let more = uniform_below(self.app.entropy().as_ref(), millis).unwrap_or(millis);
        half + Duration::from_millis(more.into())
    }
}

impl Attempts<'_> {
    async fn ask(&mut self, provider: &Arc<Provider>, wait: Duration) -> Next {
        let Inner { app, watch, .. } = self.inner;
        let delivery = self.delivery;
        let Some(_place) = provider.place(wait).await else {
            let full = Sent::not(Hindrance::Busy, "too many at once");
            watch.on_dispatch(provider.name(), &full, wait);
            let Ok(now) = app.now() else { return Next::Leave };
            self.keep(provider, &full, wait, now);
            return Next::GoOn(Hindrance::Busy);
        };
        if let Some(instead) = self.hold().await {
            return instead;
        }
        let Ok(now) = app.now() else { return Next::Leave };
        let left = u64::try_from(delivery.useful_until.millis().saturating_sub(now.millis())).unwrap_or(0);
        if left == 0 {
            return Next::Settle(DispatchOutcome::NotSent, None, None);
        }
        let started = Instant::now();
        let sent = provider.dispatch(delivery, Duration::from_millis(left)).await;
        let took = started.elapsed();
        watch.on_dispatch(provider.name(), &sent, took);
        // The time of its end, by the same clock that says when receipts came.
        self.keep(provider, &sent, took, app.now().unwrap_or(now));
        let (name, id) = (provider.name(), delivery.id);
        match sent {
            Sent::Accepted(message) => {
                tracing::debug!(provider = name, delivery = %id, message = message.as_deref(), "accepted");
                Next::Settle(DispatchOutcome::Accepted, Some(name.to_owned()), message)
            }
            Sent::Unknown(cause) => {
                tracing::warn!(provider = name, delivery = %id, cause, "it may or may not have been sent");
                Next::Settle(DispatchOutcome::Unknown, Some(name.to_owned()), None)
            }
            Sent::RejectedNumber(cause) => {
                tracing::info!(provider = name, delivery = %id, cause, "the number is refused for good");
                Next::Settle(DispatchOutcome::RejectedNumber, Some(name.to_owned()), None)
            }
            Sent::Not(hindrance, cause) => {
                tracing::warn!(provider = name, delivery = %id, cause, ?hindrance, "not sent");
                Next::GoOn(hindrance)
            }
        }
    }

    fn keep(&mut self, provider: &Provider, sent: &Sent, took: Duration, at: Timestamp) {
        self.dispatches.push(Dispatch {
            at,
            took_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
            provider: provider.name().to_owned(),
            ended: sent.ended(),
            cause: sent.cause().to_owned(),
        });
    }

    /// Renews the claim unless it is fresh, if the message is still of use and ours. Otherwise says what to do instead.
    async fn hold(&mut self) -> Option<Next> {
        if self.held.elapsed() < FRESH {
            return None;
        }
        let app = &self.inner.app;
        let held = async {
            let Delivery { environment, id: delivery, .. } = *self.delivery;
            let dispatches = self.dispatches.clone();
            app.store().step(HoldDelivery { now: app.now()?, environment, delivery, dispatches }).await
        };
        match held.await {
            Ok(Held::Ours) => {
                self.held = Instant::now();
                None
            }
            Ok(Held::Useless) => Some(Next::Settle(DispatchOutcome::NotSent, None, None)),
            Ok(Held::Lost) => Some(Next::Leave),
            Err(error) => {
                tracing::warn!(delivery = %self.delivery.id, %error, "a message could not be kept, so it is not sent");
                Some(Next::Leave)
            }
        }
    }
}
