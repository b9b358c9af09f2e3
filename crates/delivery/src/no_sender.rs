//! A server without a provider.

use crate::{Sender, Sending};
use domain::delivery::{Delivery, DispatchOutcome};

/// Sends nothing, and says so: an SMS challenge is answered with 503 and leaves nothing open (W11).
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSender;

impl Sender for NoSender {
    fn send<'a>(&'a self, _: &'a Delivery) -> Sending<'a> {
        Box::pin(std::future::ready(DispatchOutcome::NotSent))
    }
}
