//! The listener: connections, time limits, TLS and draining.
//!
//! [`serve`] runs an `axum::Router` behind an accept loop of its own, because the stock one has no bound on how long a
//! client may take: every phase of a connection's life has a limit here ([`Limits`]), the number of connections
//! has a cap, HTTP/1.1 framing is stricter than the parser's (see [`framing`]), and stopping drains ([`Shutdown`]).
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use countersign_edge::{Gauges, Limits, Listener, Shutdown, serve};
//! use std::sync::Arc;
//!
//! let listener = Listener::bind("127.0.0.1:4100".parse()?, Listener::BACKLOG)?;
//! let shutdown = Shutdown::new();
//! let report = serve(listener, axum::Router::new(), None, Limits::default(), Arc::new(Gauges::default()), shutdown);
//! println!("{:?}", report.await?);
//! # Ok(()) }
//! ```

mod admission;
mod body;
mod connection;
pub mod framing;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gauges;
mod limits;
mod listener;
mod member;
mod roster;
mod serve;
mod service;
mod shutdown;
mod tls;
mod unrouted;
mod wire;

pub use admission::{Admission, Overloaded, Turn};
pub use body::{BodyError, read_body_limited};
pub use gauges::Gauges;
pub use limits::{LimitError, Limits};
pub use listener::Listener;
pub use serve::{Report, serve};
pub use shutdown::{Shutdown, Stage};
pub use tls::{TlsError, TlsFiles, TlsReloader};
