//! What the fuzz targets in `fuzz/` read heads with. Only there with the feature `fuzzing`, which nothing else switches on.

use crate::framing::{BadFraming, Framing, Head};
use axum::http::{HeaderMap, HeaderValue, Version, header::HOST};

/// A head: where it ends, how long its body is, and whether that comes in chunks.
///
/// # Errors
/// What is unclear about it.
pub fn head(bytes: &[u8]) -> Result<(usize, u64, bool), BadFraming> {
    Head::read(bytes).map(|head| (head.end, head.length, head.chunked))
}

/// The verdicts on the requests of one connection whose bytes arrive in `reads`, and whether it ends where another
/// request could begin.
///
/// # Panics
/// If more is kept than `head_bytes` allow.
#[must_use]
#[allow(clippy::panic, reason = "a fuzz target ends in a panic when a property does not hold")]
pub fn connection<'a>(
    reads: impl Iterator<Item = &'a [u8]>,
    head_bytes: usize,
) -> (Vec<Result<bool, BadFraming>>, bool) {
    let host = HeaderMap::from_iter([(HOST, HeaderValue::from_static("x"))]);
    let mut framing = Framing::new(head_bytes);
    let mut verdicts = Vec::new();
    for read in reads {
        framing.take_in(read);
        assert!(framing.kept() <= 2 * head_bytes, "{} bytes are kept", framing.kept());
        // The HTTP library hands a request over as soon as its head is whole.
        while framing.has_verdict() {
            let verdict = framing.hand_over(Version::HTTP_11, &host);
            verdicts.push(verdict);
            if verdict.is_err() {
                break;
            }
        }
    }
    (verdicts, framing.at_a_boundary())
}
