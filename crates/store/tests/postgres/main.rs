//! The laws on PostgreSQL, and what only a server has: how it is reached, and who else writes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use countersign_store as store;

mod bench;
mod changes;
mod grouping;
#[path = "../laws/mod.rs"]
mod laws;
mod nodes;
mod opening;
mod schema;
mod unconfirmed;
mod upgrading;
