//! Messages and their dispatches.

use super::Labels;
use delivery::{DispatchWatch, Sent};
use domain::delivery::DispatchOutcome;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::time::Duration;

/// Seconds, for a provider's answer.
const ANSWER: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Seconds, for a message to arrive.
const ARRIVAL: [f64; 10] = [1.0, 2.0, 4.0, 7.0, 10.0, 15.0, 30.0, 60.0, 180.0, 600.0];

/// What is counted of them. Providers are few: those of the configuration.
pub(crate) struct Deliveries {
    settled: Family<Labels, Counter>,
    dispatches: Family<Labels, Counter>,
    took: Family<Labels, Histogram>,
    receipts: Family<Labels, Counter>,
    delivered: Family<Labels, Histogram>,
}

impl Deliveries {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let settled = Family::default();
        registry.register("deliveries", "Messages whose outcome is known and written", settled.clone());
        let dispatches = Family::default();
        registry.register("dispatches", "Tries at handing a message to a provider", dispatches.clone());
        let make: fn() -> Histogram = || Histogram::new(ANSWER);
        let took: Family<Labels, Histogram> = Family::new_with_constructor(make);
        let help = "How long a provider took for its answer";
        registry.register_with_unit("dispatch_duration", help, Unit::Seconds, took.clone());
        let receipts = Family::default();
        registry.register("receipts", "Calls of providers, by what came of them", receipts.clone());
        let make: fn() -> Histogram = || Histogram::new(ARRIVAL);
        let delivered: Family<Labels, Histogram> = Family::new_with_constructor(make);
        let help = "From the opening of a challenge to the report that its message has arrived";
        registry.register_with_unit("delivered", help, Unit::Seconds, delivered.clone());
        Self { settled, dispatches, took, receipts, delivered }
    }
}

impl Deliveries {
    /// A provider has called, and this came of it. Without a name it is none of ours.
    pub(crate) fn receipt(&self, provider: &str, what: &'static str) {
        let labels = vec![("provider", provider.to_owned()), ("outcome", what.to_owned())];
        self.receipts.get_or_create(&labels).inc();
    }

    /// A message has arrived, as its provider says for the first time.
    pub(crate) fn delivered(&self, provider: &str, after: Duration) {
        let labels = vec![("provider", provider.to_owned())];
        self.delivered.get_or_create(&labels).observe(after.as_secs_f64());
    }
}

impl DispatchWatch for Deliveries {
    fn on_dispatch(&self, provider: &str, sent: &Sent, took: Duration) {
        let provider = ("provider", provider.to_owned());
        self.took.get_or_create(&vec![provider.clone()]).observe(took.as_secs_f64());
        self.dispatches.get_or_create(&vec![provider, ("outcome", sent.word().to_owned())]).inc();
    }

    fn on_settled(&self, outcome: DispatchOutcome) {
        self.settled.get_or_create(&vec![("outcome", outcome.word().to_owned())]).inc();
    }
}
