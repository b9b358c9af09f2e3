//! What a provider is to the worker.

use domain::delivery::{Delivery, DispatchOutcome};
use std::{future::Future, pin::Pin};

/// A dispatch in progress.
pub type Sending<'a> = Pin<Box<dyn Future<Output = DispatchOutcome> + Send + 'a>>;

/// Hands messages to a provider.
pub trait Sender: Send + Sync {
    /// Hands one over, once, and says how that ended. It never tries again by itself: whether it may be tried again is
    /// decided by the outcome, and after an unknown one nobody does (W11).
    fn send<'a>(&'a self, delivery: &'a Delivery) -> Sending<'a>;
}
