//! A phone that receives every message, and a provider that fails as told.

use app::{App, Dispatcher};
use domain::{
    delivery::DispatchOutcome,
    dispatch::Dispatches,
    id::DeliveryId,
    time::{Clock, Timestamp},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use store::steps::{claim_deliveries::ClaimDeliveries, settle_delivery::SettleDelivery};
use tokio::sync::oneshot;

/// A message that was dispatched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// To whom, in E.164.
    pub to: String,
    /// The text.
    pub body: String,
    /// The code by itself.
    pub code: String,
}

/// Dispatches what is owed, at once, and keeps it.
pub struct Phone {
    app: Mutex<Option<App>>,
    clock: Arc<dyn Clock>,
    inbox: Arc<Mutex<Vec<Message>>>,
    outcomes: Mutex<VecDeque<DispatchOutcome>>,
}

impl Phone {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { app: Mutex::default(), clock, inbox: Arc::default(), outcomes: Mutex::default() }
    }

    pub(crate) fn connect(&self, app: &App) {
        *self.app.lock().expect("no test panics here") = Some(app.clone());
    }

    /// Lets go of the server, which holds this phone in turn.
    pub(crate) fn disconnect(&self) {
        self.app.lock().expect("no test panics here").take();
    }

    /// How the next dispatch ends; after those told, all are accepted.
    pub fn next_outcome(&self, outcome: DispatchOutcome) {
        self.outcomes.lock().expect("no test panics here").push_back(outcome);
    }

    /// Every message so far, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.inbox.lock().expect("no test panics here").clone()
    }

    /// The code of the latest message.
    pub fn latest_code(&self) -> String {
        self.messages().last().expect("a message has come").code.clone()
    }
}

async fn deliver(app: App, now: Timestamp, id: DeliveryId, outcome: DispatchOutcome) -> Option<Message> {
    let claim = ClaimDeliveries { now, only: Some(id), most: 1, ring: app.ring() };
    let delivery = app.store().step(claim).await.expect("claims").pop()?;
    let message = Message {
        to: delivery.to.reveal().to_owned(),
        body: delivery.body.reveal().to_owned(),
        code: delivery.code.reveal().to_owned(),
    };
    let (environment, to, ring) = (delivery.environment, delivery.to, app.ring());
    let settle = SettleDelivery {
        now,
        environment,
        delivery: id,
        to,
        outcome,
        provider: Some("phone".into()),
        message_id: None,
        dispatches: Dispatches::default(),
        ring,
    };
    app.store().step(settle).await.expect("settles");
    (outcome == DispatchOutcome::Accepted).then_some(message)
}

impl Dispatcher for Phone {
    fn dispatch(&self, delivery: DeliveryId) -> oneshot::Receiver<DispatchOutcome> {
        let (told, outcome_of) = oneshot::channel();
        let app = self.app.lock().expect("no test panics here").clone();
        let outcome = self.outcomes.lock().expect("no test panics here").pop_front();
        let (outcome, now) = (outcome.unwrap_or(DispatchOutcome::Accepted), self.clock.now());
        let inbox = Arc::clone(&self.inbox);
        tokio::spawn(async move {
            let message = deliver(app.expect("connected"), now, delivery, outcome).await;
            inbox.lock().expect("no test panics here").extend(message);
            let _unheard = told.send(outcome);
        });
        outcome_of
    }
}
