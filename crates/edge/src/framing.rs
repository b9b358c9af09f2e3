//! A second, stricter look at how HTTP/1.1 requests are framed.
//!
//! hyper reads requests as leniently as RFC 9112 allows. That is safe as long as nobody in front of the server reads them
//! differently, which a server cannot know; so what two parsers could read in two ways is refused with 400 and the
//! connection closed, before any route sees it (F63).
//!
//! | request | hyper alone | here |
//! |---|---|---|
//! | lines that end in a bare LF (RFC 9112 §2.2) | accepts | 400 |
//! | both `Content-Length` and `Transfer-Encoding` (§6.1) | drops the length, answers, closes | 400 |
//! | the same `Content-Length` twice (RFC 9110 §8.6) | accepts | 400 |
//! | `Transfer-Encoding: gzip, chunked`, or the field twice (§6.1) | accepts, hands on the inner coding undone | 400 |
//! | HTTP/1.1 without `Host`, or with two (§3.2) | accepts | 400 |
//! | a chunked request (§7.1) | keeps the connection | answered, then closed: nothing follows a length that only one side has counted |
//! | 65 to 100 header fields | accepts | 431 |
//!
//! What hyper refuses by itself stays refused by it, with 400 or 431 and the connection closed: differing or signed lengths,
//! white space before a colon, folded lines, NUL and other control characters, a bare CR, a chunk size that is
//! empty, signed, `0x…` or too large, HTTP/1.0 with `Transfer-Encoding`, and HTTP/0.9.
//!
//! What is still accepted although it is not pretty, because it cannot shift the end of a request: empty lines (CRLF) before a
//! request line, chunk extensions (up to 16 KiB a request) and trailers
//! (thrown away unread, whatever their line endings: nothing may follow them), bytes from 0x80 in field values, a
//! request target in absolute form, and HTTP/1.0.
//!
//! The parser does not show the bytes of a head, so they are kept from the moment they are read until the request
//! is handed over; where one request ends and the next begins is counted here independently. A disagreement is a refusal.

use axum::http::{HeaderMap, Version, header::HOST};

/// Why a request was refused before it was routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadFraming {
    /// A line of the head ends in LF without CR.
    #[error("a header line ends without a carriage return")]
    BareLineFeed,
    /// More than one length, or a length beside a transfer coding, or one that is no number.
    #[error("the length of the body is not clear")]
    Length,
    /// A transfer coding other than one `chunked`.
    #[error("the transfer coding is not `chunked`")]
    TransferCoding,
    /// HTTP/1.1 without exactly one `Host`.
    #[error("there is not exactly one host field")]
    Host,
    /// The head the parser saw is not where it is expected to be.
    #[error("the request is not where it should be")]
    Lost,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Speaks {
    /// Not enough bytes to tell.
    #[default]
    Unknown,
    Http1,
    /// HTTP/2 has its own framing, which its parser checks; nothing is kept.
    Http2,
    /// More was read than the parser can hold: it and we are out of step.
    Lost,
}

/// The first bytes of the HTTP/2 preface, which no HTTP/1 method in use begins with.
const PREFACE: &[u8] = b"PRI";

/// Above this the memory of an unusually large head is given back.
const KEEP: usize = 4096;

/// The bytes of one connection, from being read to being accounted for.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    speaks: Speaks,
    /// Read, and not yet part of a request that was handed over.
    pending: Vec<u8>,
    /// Bytes of the current request's body still to be read.
    body_left: u64,
    /// No request may follow the current one.
    last: bool,
    /// The most the parser holds unparsed; twice that pending means we are out of step.
    head_bytes: usize,
}

impl Framing {
    pub(crate) fn new(head_bytes: usize) -> Self {
        Self { head_bytes, ..Self::default() }
    }

    /// Bytes were read.
    pub(crate) fn take_in(&mut self, mut bytes: &[u8]) {
        if self.last || matches!(self.speaks, Speaks::Http2 | Speaks::Lost) {
            return;
        }
        if self.body_left > 0 {
            let skipped = usize::try_from(self.body_left).unwrap_or(usize::MAX).min(bytes.len());
            self.body_left -= skipped as u64;
            bytes = bytes.get(skipped..).unwrap_or_default();
        }
        self.pending.extend_from_slice(bytes);
        if self.speaks == Speaks::Unknown {
            self.recognize();
        }
        if self.pending.len() > 2 * self.head_bytes {
            self.speaks = Speaks::Lost;
            self.pending = Vec::new();
        }
    }

    fn recognize(&mut self) {
        let seen = self.pending.len().min(PREFACE.len());
        if self.pending.get(..seen) != PREFACE.get(..seen) {
            self.speaks = Speaks::Http1;
        } else if seen == PREFACE.len() {
            self.speaks = Speaks::Http2;
            self.pending = Vec::new();
        }
    }

    /// Bytes of a request that has not been handed over are waiting.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.speaks == Speaks::Http2
    }

    /// Everything read belongs to requests that were handed over and are complete, so closing loses nothing.
    pub(crate) fn at_a_boundary(&self) -> bool {
        match self.speaks {
            Speaks::Unknown | Speaks::Http1 => !self.last && self.pending.is_empty() && self.body_left == 0,
            Speaks::Http2 => true,
            Speaks::Lost => false,
        }
    }

    /// The parser hands over the next HTTP/1 request. `Ok(true)`: answer it, and nothing after it.
    pub(crate) fn hand_over(&mut self, version: Version, headers: &HeaderMap) -> Result<bool, BadFraming> {
        let admitted = self.check(version, headers);
        if admitted.is_err() {
            self.last = true;
        }
        if self.last {
            self.pending = Vec::new();
        }
        admitted
    }

    fn check(&mut self, version: Version, headers: &HeaderMap) -> Result<bool, BadFraming> {
        if self.last || self.speaks != Speaks::Http1 || self.body_left > 0 {
            return Err(BadFraming::Lost);
        }
        let head = Head::read(&self.pending)?;
        if version == Version::HTTP_11 && headers.get_all(HOST).iter().count() != 1 {
            return Err(BadFraming::Host);
        }
        self.last = head.chunked;
        let here = self.pending.len() - head.end;
        let of_body = usize::try_from(head.length).unwrap_or(usize::MAX).min(here);
        self.body_left = head.length - of_body as u64;
        if of_body == here {
            self.pending.clear();
            self.pending.shrink_to(KEEP);
        } else {
            self.pending.drain(..head.end + of_body);
        }
        Ok(self.last)
    }
}

#[cfg(feature = "fuzzing")]
impl Framing {
    pub(crate) fn kept(&self) -> usize {
        self.pending.len()
    }

    /// Whether the verdict on the next request is fixed by now.
    pub(crate) fn has_verdict(&self) -> bool {
        !self.last
            && self.speaks == Speaks::Http1
            && self.body_left == 0
            && Head::read(&self.pending) != Err(BadFraming::Lost)
    }
}

/// What a head says about the body that follows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Where the body begins.
    pub(crate) end: usize,
    pub(crate) length: u64,
    pub(crate) chunked: bool,
}

impl Head {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, BadFraming> {
        let (mut length, mut coding) = (None, None);
        let (mut start, mut in_fields) = (0, false);
        for feed in memchr::memchr_iter(b'\n', bytes) {
            let Some(line) = bytes.get(start..feed).and_then(|line| line.strip_suffix(b"\r")) else {
                return Err(BadFraming::BareLineFeed);
            };
            start = feed + 1;
            if line.is_empty() {
                if !in_fields {
                    continue;
                }
                return match (length, coding) {
                    (Some(_), Some(())) => Err(BadFraming::Length),
                    (length, coding) => {
                        Ok(Self { end: start, length: length.unwrap_or(0), chunked: coding.is_some() })
                    }
                };
            }
            if !in_fields {
                in_fields = true;
            } else if let Some(value) = field(line, b"content-length:") {
                let first = length.replace(number(value).ok_or(BadFraming::Length)?).is_none();
                first.then_some(()).ok_or(BadFraming::Length)?;
            } else if let Some(value) = field(line, b"transfer-encoding:") {
                let first = coding.replace(()).is_none() && value.eq_ignore_ascii_case(b"chunked");
                first.then_some(()).ok_or(BadFraming::TransferCoding)?;
            }
        }
        Err(BadFraming::Lost)
    }
}

/// The value of a header line, without white space around it, if the line has this name (given with its colon).
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn host() -> HeaderMap {
        HeaderMap::from_iter([(HOST, HeaderValue::from_static("x"))])
    }

    fn framing(bytes: &[u8]) -> Framing {
        let mut framing = Framing::new(16 * 1024);
        framing.take_in(bytes);
        framing
    }

    fn verdict(bytes: &[u8]) -> Result<bool, BadFraming> {
        framing(bytes).hand_over(Version::HTTP_11, &host())
    }

    #[test]
    fn requests_are_told_apart_wherever_the_reads_fall() {
        let stream = b"POST / HTTP/1.1\r\nhost: x\r\nContent-LENGTH: 7 \r\n\r\nabc\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n";
        for size in 1..stream.len() {
            let mut framing = Framing::new(16 * 1024);
            let mut handed_over = 0;
            for part in stream.chunks(size) {
                framing.take_in(part);
                // The parser hands a request over as soon as its head is there.
                while framing.body_left == 0 && Head::read(&framing.pending).is_ok() {
                    assert_eq!(framing.hand_over(Version::HTTP_11, &host()), Ok(false));
                    handed_over += 1;
                }
            }
            assert_eq!(handed_over, 3, "in reads of {size}");
            assert!(framing.at_a_boundary());
        }
    }

    #[test]
    fn f63_what_can_be_read_in_two_ways_is_refused() {
        let corpus: &[(&[u8], BadFraming)] = &[
            (b"GET / HTTP/1.1\nhost: x\r\n\r\n", BadFraming::BareLineFeed),
            (b"GET / HTTP/1.1\r\nhost: x\n\r\n", BadFraming::BareLineFeed),
            (b"GET / HTTP/1.1\r\nhost: x\r\n\n", BadFraming::BareLineFeed),
            (b"\nGET / HTTP/1.1\r\nhost: x\r\n\r\n", BadFraming::BareLineFeed),
            (
                b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
                BadFraming::Length,
            ),
            (
                b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
                BadFraming::Length,
            ),
            (b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n", BadFraming::Length),
            (b"POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\n", BadFraming::Length),
            (b"POST / HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\n", BadFraming::Length),
            (b"POST / HTTP/1.1\r\ncontent-length:\r\n\r\n", BadFraming::Length),
            (b"POST / HTTP/1.1\r\ncontent-length: 18446744073709551616\r\n\r\n", BadFraming::Length),
            (b"POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n", BadFraming::TransferCoding),
            (b"POST / HTTP/1.1\r\ntransfer-encoding: xchunked\r\n\r\n", BadFraming::TransferCoding),
            (
                b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
                BadFraming::TransferCoding,
            ),
            (b"GET / HTTP/1.1\r\nhost: x\r\n", BadFraming::Lost),
            (b"PRI / HTTP/1.1\r\nhost: x\r\n\r\n", BadFraming::Lost),
        ];
        for (bytes, refusal) in corpus {
            assert_eq!(verdict(bytes), Err(*refusal), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn f63_a_request_needs_exactly_one_host_unless_it_is_old() {
        let request = b"GET / HTTP/1.1\r\n\r\n";
        let none = HeaderMap::new();
        let mut two = host();
        two.append(HOST, HeaderValue::from_static("y"));
        assert_eq!(framing(request).hand_over(Version::HTTP_11, &none), Err(BadFraming::Host));
        assert_eq!(framing(request).hand_over(Version::HTTP_11, &two), Err(BadFraming::Host));
        assert_eq!(framing(request).hand_over(Version::HTTP_10, &none), Ok(false));
    }

    #[test]
    fn f63_nothing_follows_a_chunked_request_or_a_refused_one() {
        let mut chunked = framing(b"POST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n0\r\n\r\n");
        assert_eq!(chunked.hand_over(Version::HTTP_11, &host()), Ok(true));
        let mut refused = framing(b"GET / HTTP/1.1\n\n");
        assert!(refused.hand_over(Version::HTTP_11, &host()).is_err());
        for mut closed in [chunked, refused] {
            closed.take_in(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n");
            assert_eq!(closed.hand_over(Version::HTTP_11, &host()), Err(BadFraming::Lost));
            assert!(!closed.at_a_boundary());
        }
    }

    #[test]
    fn http2_is_recognized_and_not_kept() {
        let mut framing = framing(b"P");
        framing.take_in(b"RI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assert!(framing.is_http2() && !framing.has_pending() && framing.at_a_boundary());
        assert_eq!(framing.hand_over(Version::HTTP_11, &host()), Err(BadFraming::Lost));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut framing = Framing::new(8192);
        for _ in 0..100 {
            framing.take_in(&[b'x'; 1000]);
            assert!(framing.pending.len() <= 2 * 8192);
        }
        assert_eq!(framing.hand_over(Version::HTTP_11, &host()), Err(BadFraming::Lost));
    }
}
