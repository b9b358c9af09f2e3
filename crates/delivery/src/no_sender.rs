//! A server without a provider.

use crate::{Hindrance, Sender, Sending, Sent};
use domain::delivery::Delivery;
use std::time::Duration;

/// Sends nothing, and says so: an SMS challenge is answered with 503 and leaves nothing open (W11).
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSender;

impl Sender for NoSender {
    fn send<'a>(&'a self, _: &'a Delivery, _: Duration) -> Sending<'a> {
        Box::pin(std::future::ready(Sent::not(Hindrance::Declined, "no provider is configured")))
    }
}
