//! The system clock, read in one place. These programs play callers of the server, and a caller's phone
//! and a caller's stopwatch run on real time.
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, UTC. A clock set before 1970 reads as 0.
#[expect(clippy::disallowed_methods, reason = "the caller's own clock, not the server's")]
pub fn unix_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// The 30-second step (RFC 6238 §4.1) that `unix_millis` lies in.
pub fn step_at(unix_millis: u64) -> u64 {
    unix_millis / 30_000
}

#[cfg(test)]
mod tests {
    use super::step_at;

    #[test]
    fn a_step_begins_on_the_half_minute() {
        assert_eq!((step_at(29_999), step_at(30_000), step_at(59_999)), (0, 1, 1));
    }
}
