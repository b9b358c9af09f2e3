//! What is told of dispatches, for metrics.

use crate::Sent;
use domain::delivery::DispatchOutcome;
use std::time::Duration;

/// Hears of dispatches.
pub trait DispatchWatch: Send + Sync {
    /// One dispatch has ended, after so long.
    fn on_dispatch(&self, provider: &str, sent: &Sent, took: Duration);

    /// A message has come to its end, and that is written.
    fn on_settled(&self, outcome: DispatchOutcome);
}

/// Hears nothing.
impl DispatchWatch for () {
    fn on_dispatch(&self, _: &str, _: &Sent, _: Duration) {}
    fn on_settled(&self, _: DispatchOutcome) {}
}
