//! Every bound of the listener, in one place.

use std::time::Duration;

/// Every bound of the listener. All of them are checked by [`Limits::validate`], which [`serve`](crate::serve) calls.
///
/// Time limits are kept by one sweep over all connections rather than by a timer for each, so they are exact to within an eighth
/// of the shortest of them (never worse than 250 ms). Time in which the whole process stood still is not held against a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections served at once, 1 to 1,000,000; lowered to what the process may open (`RLIMIT_NOFILE`) less
    /// [`descriptor_headroom`](Self::descriptor_headroom). Default 10,000.
    ///
    /// At the cap a newcomer is not left waiting: the hundredth part of the connections that has been doing nothing for
    /// longest is closed for it, those that never finished a request first. Only if every connection has a request
    /// in flight is it told 503 (plain HTTP) or closed (TLS).
    pub connections: usize,
    /// Descriptors left to the rest of the process (store, logs, senders). Default 96.
    pub descriptor_headroom: usize,
    /// From accepting to the end of the TLS handshake. Default 10 s.
    pub tls_handshake: Duration,
    /// From the connection being ready to its first byte. Default 10 s.
    pub first_byte: Duration,
    /// From the first byte of a request to the end of its headers; on HTTP/2, to the end of the first request's headers, as
    /// later ones that never end fall under [`idle`](Self::idle). Default 10 s.
    pub head: Duration,
    /// Between two requests. Default 75 s.
    pub idle: Duration,
    /// From the end of the headers to the start of the answer, whatever the route does. Default 60 s: a last resort, as the
    /// routes have shorter limits of their own.
    pub request: Duration,
    /// How long a client may take nothing of an answer that is being written. Default 30 s.
    pub write_stall: Duration,
    /// After an answer that closes a connection from which more may come: how long to go on reading and throwing away, so
    /// that the answer is not lost to a reset (RFC 9112 §9.6). Default 1 s.
    pub linger: Duration,
    /// At most so many bytes are thrown away while lingering. Default 256 KiB.
    pub linger_bytes: usize,
    /// Requests worked on at once, 1 to 100,000; see [`Admission`](crate::Admission). Default 256.
    pub requests: usize,
    /// How long a request stands in line before it may be refused, 1 ms to 1 hour. Default 30 ms, so that a refusal is there
    /// within 50 ms.
    pub requests_wait: Duration,
    /// Size of a request's head (HTTP/1.1) and of the read buffer, 8 KiB to 1 MiB. Default 16 KiB; beyond it 431.
    /// A head that follows another on its connection and arrives in one piece may have up to twice as much.
    pub head_bytes: usize,
    /// Header fields in a request, 1 to 100 (the parser's own bound). Default 64; beyond it 431.
    pub headers: usize,
    /// HTTP/2: requests at once on one connection, 1 to 10,000. Default 128.
    pub h2_streams: u32,
    /// HTTP/2: streams reset by the client before we saw them, beyond which the connection ends. Default 20.
    pub h2_pending_resets: usize,
    /// HTTP/2: streams we had to reset for their errors, beyond which the connection ends. Default 128.
    pub h2_local_resets: usize,
    /// HTTP/2: size of a request's decoded header list. Default 16 KiB.
    pub h2_header_list_bytes: u32,
    /// HTTP/2: body bytes a stream may send before they are read. Default 64 KiB.
    pub h2_stream_window: u32,
    /// HTTP/2: the same for all streams of a connection together. Default 128 KiB.
    pub h2_connection_window: u32,
    /// HTTP/2: silence after which a ping is sent. Default 20 s.
    pub h2_ping_interval: Duration,
    /// HTTP/2: how long its answer may take. Default 10 s.
    pub h2_ping_timeout: Duration,
    /// At the cap: how long a newcomer waits for a connection that is being closed for it. Default 50 ms.
    pub refusal_wait: Duration,
    /// On stop: how long connections are still served, each answer saying `connection: close`, before idle ones are closed.
    /// It keeps a request that is already under way from meeting a closed door. 0 to `drain`, default 100 ms.
    pub lame_duck: Duration,
    /// On stop: after this long, counted from the stop, whatever is left is cut. Default 4 s, which leaves the
    /// process a second to close its store.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            descriptor_headroom: 96,
            tls_handshake: Duration::from_secs(10),
            first_byte: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            request: Duration::from_secs(60),
            write_stall: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            linger_bytes: 256 * 1024,
            requests: 256,
            requests_wait: Duration::from_millis(30),
            head_bytes: 16 * 1024,
            headers: 64,
            h2_streams: 128,
            h2_pending_resets: 20,
            h2_local_resets: 128,
            h2_header_list_bytes: 16 * 1024,
            h2_stream_window: 64 * 1024,
            h2_connection_window: 128 * 1024,
            h2_ping_interval: Duration::from_secs(20),
            h2_ping_timeout: Duration::from_secs(10),
            refusal_wait: Duration::from_millis(50),
            lame_duck: Duration::from_millis(100),
            drain: Duration::from_secs(4),
        }
    }
}

/// A limit outside its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limit `{name}` must be {range}")]
pub struct LimitError {
    /// The field of [`Limits`].
    pub name: &'static str,
    /// What it may be.
    pub range: &'static str,
}

const SPAN: &str = "1 ms to 1 hour";

impl Limits {
    /// Checks every bound, and names the first that is out of range.
    pub fn validate(&self) -> Result<(), LimitError> {
        let spans = [
            ("tls_handshake", self.tls_handshake),
            ("first_byte", self.first_byte),
            ("head", self.head),
            ("idle", self.idle),
            ("request", self.request),
            ("write_stall", self.write_stall),
            ("linger", self.linger),
            ("requests_wait", self.requests_wait),
            ("h2_ping_interval", self.h2_ping_interval),
            ("h2_ping_timeout", self.h2_ping_timeout),
            ("refusal_wait", self.refusal_wait),
            ("drain", self.drain),
        ];
        for (name, span) in spans {
            within(name, SPAN, (Duration::from_millis(1)..=Duration::from_secs(3600)).contains(&span))?;
        }
        within("lame_duck", "at most `drain`", self.lame_duck <= self.drain)?;
        within("connections", "1 to 1,000,000", (1..=1_000_000).contains(&self.connections))?;
        within("requests", "1 to 100,000", (1..=100_000).contains(&self.requests))?;
        within("descriptor_headroom", "at most 100,000", self.descriptor_headroom <= 100_000)?;
        within("linger_bytes", "at most 16 MiB", self.linger_bytes <= 16 << 20)?;
        within("head_bytes", "8 KiB to 1 MiB", (8 << 10..=1 << 20).contains(&self.head_bytes))?;
        within("headers", "1 to 100", (1..=100).contains(&self.headers))?;
        within("h2_streams", "1 to 10,000", (1..=10_000).contains(&self.h2_streams))?;
        within("h2_pending_resets", "1 to 10,000", (1..=10_000).contains(&self.h2_pending_resets))?;
        within("h2_local_resets", "1 to 10,000", (1..=10_000).contains(&self.h2_local_resets))?;
        let windows = 1 << 10..=16 << 20;
        within("h2_header_list_bytes", "1 KiB to 16 MiB", windows.contains(&self.h2_header_list_bytes))?;
        within("h2_stream_window", "1 KiB to 16 MiB", windows.contains(&self.h2_stream_window))?;
        within(
            "h2_connection_window",
            "`h2_stream_window` to 16 MiB",
            (self.h2_stream_window..=16 << 20).contains(&self.h2_connection_window),
        )
    }

    /// The cap as it applies in this process: [`connections`](Self::connections), or less if fewer descriptors may be
    /// open; never below 1.
    #[must_use]
    pub fn connection_cap(&self) -> usize {
        self.cap_under(rustix::process::getrlimit(rustix::process::Resource::Nofile).current)
    }

    fn cap_under(&self, descriptors: Option<u64>) -> usize {
        let open = descriptors.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        self.connections.min(open.saturating_sub(self.descriptor_headroom)).max(1)
    }

    /// How often connections are looked at.
    pub(crate) fn tick(&self) -> Duration {
        [
            self.tls_handshake,
            self.first_byte,
            self.head,
            self.idle,
            self.request,
            self.write_stall,
            self.linger,
        ]
        .into_iter()
        .fold(Duration::from_secs(2), Duration::min)
        .checked_div(8)
        .unwrap_or_default()
        .max(Duration::from_millis(1))
    }
}

fn within(name: &'static str, range: &'static str, holds: bool) -> Result<(), LimitError> {
    if holds { Ok(()) } else { Err(LimitError { name, range }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        Limits::default().validate().unwrap();
    }

    #[test]
    fn a_limit_out_of_range_is_named() {
        let broken = [
            ("idle", Limits { idle: Duration::ZERO, ..Limits::default() }),
            ("drain", Limits { drain: Duration::from_secs(3601), ..Limits::default() }),
            ("lame_duck", Limits { lame_duck: Duration::from_secs(6), ..Limits::default() }),
            ("connections", Limits { connections: 0, ..Limits::default() }),
            ("requests", Limits { requests: 0, ..Limits::default() }),
            ("head_bytes", Limits { head_bytes: 4096, ..Limits::default() }),
            ("headers", Limits { headers: 101, ..Limits::default() }),
            ("h2_connection_window", Limits { h2_connection_window: 1024, ..Limits::default() }),
        ];
        for (name, limits) in broken {
            assert_eq!(limits.validate().unwrap_err().name, name);
        }
    }

    #[test]
    fn few_descriptors_lower_the_cap_but_not_to_nothing() {
        let limits = Limits::default();
        assert_eq!(limits.cap_under(Some(256)), 160);
        assert_eq!(limits.cap_under(Some(10)), 1);
        assert_eq!(limits.cap_under(Some(1 << 20)), 10_000);
        assert_eq!(limits.cap_under(None), 10_000);
    }

    #[test]
    fn the_sweep_follows_the_shortest_limit() {
        assert_eq!(Limits::default().tick(), Duration::from_millis(125));
        let quick = Limits { head: Duration::from_millis(40), ..Limits::default() };
        assert_eq!(quick.tick(), Duration::from_millis(5));
    }
}
