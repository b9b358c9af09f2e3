//! What the load generator and the fault programs share: one small HTTP client, the three calls of a
//! verification, right codes, and what the kernel says about a process.
//!
//! Nothing here retries by itself. A repeated request is a second attempt, and a program that counts
//! attempts has to know of each one it made.
pub mod args;
pub mod clock;
pub mod http;
pub mod procfs;
pub mod stats;
pub mod totp;
pub mod wire;
