//! The store: durable steps, the statement catalogue and the engines that run them.
//!
//! Everything that changes something is a [`Step`]: a struct with its inputs and one function over a transaction. A
//! step is written once and runs on every engine; its answer leaves only after its commit is durable. What only reads
//! is a [`Query`].

pub mod columns;
pub mod copy;
pub mod engine;
pub mod failure;
pub mod queries;
pub mod remembered;
pub mod statement;
pub mod statements;
pub mod step;
pub mod steps;
pub mod timing;
pub mod trail;

pub use engine::{ClockReading, Figures, Store, postgres, sqlite};
pub use failure::Failure;
pub use step::{Query, Reads, Step, Tx};
