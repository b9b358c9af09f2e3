//! What tests share: a whole server in this process, a clock that stands still, a phone that receives its messages.
//!
//! Everything here panics when something does not work: it is for tests alone.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod answer;
mod phone;
mod server;

pub use answer::Answered;
pub use phone::{Message, Phone};
pub use server::{KEY, TestServer, code_now};
