//! The outbox worker: claim, dispatch, settle.

mod attempts;

use crate::{DispatchWatch, Routing};
use app::{App, Dispatcher, Failure};
use domain::{
    delivery::{Delivery, DispatchOutcome},
    id::DeliveryId,
};
use std::sync::Arc;
use store::steps::{
    claim_deliveries::{ClaimDeliveries, SettleAbandoned},
    settle_delivery::SettleDelivery,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Messages being dispatched, or waiting for it. One beyond that stays owed, for a sweep to find.
const IN_HAND_MAX: usize = 4_096;
/// Messages taken over by one sweep.
const SWEEP_MAX: u32 = 200;

struct Inner {
    app: App,
    routing: Routing,
    watch: Arc<dyn DispatchWatch>,
    in_hand: Arc<Semaphore>,
}

/// The worker. Cheap to clone. It lives as long as the application it dispatches for, and each holds the other.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

impl Worker {
    /// A worker that hands messages to the providers of `routing`.
    #[must_use]
    pub fn new(app: App, routing: Routing, watch: Arc<dyn DispatchWatch>) -> Self {
        let in_hand = Arc::new(Semaphore::new(IN_HAND_MAX));
        Self(Arc::new(Inner { app, routing, watch, in_hand }))
    }

    /// Settles what a node that has died had claimed, and takes over what is owed and nobody's. Answers how many
    /// messages it has taken over; they are sent after this returns.
    ///
    /// # Errors
    /// The store's; the next sweep finds the same again.
    pub async fn sweep(&self) -> Result<usize, Failure> {
        let Inner { app, in_hand, .. } = &*self.0;
        let now = app.now()?;
        app.store().step(SettleAbandoned { now, most: SWEEP_MAX }).await?;
        let room = u32::try_from(in_hand.available_permits()).unwrap_or(SWEEP_MAX).min(SWEEP_MAX);
        let Ok(room) = Arc::clone(in_hand).try_acquire_many_owned(room) else { return Ok(0) };
        let most = u32::try_from(room.num_permits()).unwrap_or(0);
        let claimed = app.store().step(ClaimDeliveries { now, only: None, most, ring: app.ring() }).await?;
        let (taken, mut room) = (claimed.len(), room);
        for delivery in claimed {
            let (worker, place) = (self.clone(), room.split(1));
            tokio::spawn(async move {
                let _ = worker.send_and_settle(delivery).await;
                drop(place);
            });
        }
        Ok(taken)
    }

    /// Claims a message and sends it. `None` if the outcome is not known, or not written.
    async fn deliver(&self, id: DeliveryId) -> Option<DispatchOutcome> {
        let app = &self.0.app;
        let claimed = async {
            let step = ClaimDeliveries { now: app.now()?, only: Some(id), most: 1, ring: app.ring() };
            app.store().step(step).await
        };
        match claimed.await {
            // Nothing to claim: somebody else has it, or it is of no use any more.
            Ok(claimed) => self.send_and_settle(claimed.into_iter().next()?).await,
            Err(error) => {
                tracing::warn!(delivery = %id, %error, "a message could not be claimed; it is tried again");
                None
            }
        }
    }

    /// Dispatches a message that this node has claimed. `None` if there is no outcome that is ours to tell.
    async fn send_and_settle(&self, delivery: Delivery) -> Option<DispatchOutcome> {
        let Inner { app, watch, .. } = &*self.0;
        let attempts::Outcome { outcome, provider, message_id, dispatches } =
            self.0.attempt(&delivery).await?;
        let settled = async {
            let step = SettleDelivery {
                now: app.now()?,
                environment: delivery.environment,
                delivery: delivery.id,
                to: delivery.to,
                outcome,
                provider,
                message_id,
                dispatches,
                ring: app.ring(),
            };
            app.store().step(step).await
        };
        // What is not written may not be told: the next sweep after the lease settles it as unknown.
        match settled.await {
            Ok(()) => {
                watch.on_settled(outcome);
                Some(outcome)
            }
            Err(error) => {
                tracing::error!(delivery = %delivery.id, %error, "the outcome of a message could not be written");
                None
            }
        }
    }
}

impl Dispatcher for Worker {
    fn dispatch(&self, delivery: DeliveryId) -> oneshot::Receiver<DispatchOutcome> {
        let (tell, outcome) = oneshot::channel();
        let place: Option<OwnedSemaphorePermit> = Arc::clone(&self.0.in_hand).try_acquire_owned().ok();
        if let Some(place) = place {
            let worker = self.clone();
            tokio::spawn(async move {
                if let Some(outcome) = worker.deliver(delivery).await {
                    // Whoever asked may have stopped waiting.
                    let _ = tell.send(outcome);
                }
                drop(place);
            });
        }
        outcome
    }
}
