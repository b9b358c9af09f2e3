//! What every engine promises to the rules above it. Each engine runs this with a bench of its own.

pub(crate) mod batches;
pub(crate) mod catalogue;
pub(crate) mod common;
mod counting;
mod floor;
mod guards;
mod messages;
mod operators;
mod races;
mod receipts;
mod remembered;
mod rest;
mod trail;
mod upkeep;
mod walls;
