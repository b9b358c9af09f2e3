//! Dev mode's own: the page at `/`, what is printed at the start, and the helpers of W15.

mod banner;
mod clock;
mod helpers;
mod page;

pub(crate) use banner::Welcome;
pub(crate) use helpers::{Helpers, routes};
