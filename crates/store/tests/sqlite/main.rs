//! The store on a real file: what it promises to the rules above it, and to whoever finds the file.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use countersign_store as store;

mod batches;
mod catalogue;
mod common;
mod even;
mod guards;
mod messages;
mod opening;
mod operators;
mod races;
mod remembered;
mod rest;
mod trail;
mod upkeep;
mod walls;
