//! The laws on SQLite, and what only a file has: how it is opened, backed up, and found damaged.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use countersign_store as store;

mod backup;
mod batches;
mod bench;
mod copied;
mod even;
#[path = "../laws/mod.rs"]
mod laws;
mod opening;
mod plans;
