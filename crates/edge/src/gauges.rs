//! What the listener counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one listener, for the metrics page. Reading them costs nothing and needs no lock.
#[derive(Debug, Default)]
pub struct Gauges {
    open_connections: AtomicU64,
    accepted_total: AtomicU64,
    refused_total: AtomicU64,
    evicted_total: AtomicU64,
    timed_out_total: AtomicU64,
    tls_failures_total: AtomicU64,
    bad_framing_total: AtomicU64,
    accept_errors_total: AtomicU64,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident, $add:ident;)*) => {
        impl Gauges {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $field(&self) -> u64 {
                    self.$field.load(Ordering::Relaxed)
                }

                #[allow(dead_code)]
                pub(crate) fn $add(&self) {
                    self.$field.fetch_add(1, Ordering::Relaxed);
                }
            )*
        }
    };
}

counters! {
    /// Connections open now.
    open_connections, opened;
    /// Connections taken on since the start.
    accepted_total, accepted;
    /// Connections turned away at the cap.
    refused_total, refused;
    /// Connections closed at the cap to make room for others.
    evicted_total, evicted;
    /// Connections closed because a limit of time ran out.
    timed_out_total, timed_out;
    /// TLS handshakes that failed or took too long.
    tls_failures_total, tls_failed;
    /// Requests refused for their framing before they were routed; those the parser itself refuses are not counted.
    bad_framing_total, badly_framed;
    /// Errors of accepting, such as too few descriptors.
    accept_errors_total, accept_failed;
}

impl Gauges {
    pub(crate) fn closed(&self) {
        self.open_connections.fetch_sub(1, Ordering::Relaxed);
    }
}
