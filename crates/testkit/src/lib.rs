//! What tests share: a whole server in this process, a clock that stands still, a phone that receives its messages;
//! and a PostgreSQL of their own.
//!
//! Everything here panics when something does not work: it is for tests alone.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

#[cfg(feature = "server")]
mod answer;
#[cfg(feature = "server")]
mod phone;
pub mod postgres;
#[cfg(feature = "server")]
mod server;

#[cfg(feature = "server")]
pub use answer::Answered;
#[cfg(feature = "server")]
pub use phone::{Message, Phone};
#[cfg(feature = "server")]
pub use server::{KEY, TestServer, code_now};
