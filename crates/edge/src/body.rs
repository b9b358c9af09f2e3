//! Reading a request's body within its bounds.

use axum::body::HttpBody;
use bytes::{Buf, Bytes, BytesMut};
use std::{future::poll_fn, pin::Pin, time::Duration};

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than allowed; answer 413.
    #[error("the body is too large")]
    TooLarge,
    /// Not there in time; answer 408.
    #[error("the body took too long")]
    TooSlow,
    /// Cut off, or wrongly framed; answer 400 if anyone still listens.
    #[error("the body is broken")]
    Broken,
}

/// Reads a whole body of at most `max` bytes, which must be there `within` the given time, however fast or slowly its parts come.
///
/// A body that announces itself as longer is refused unread; one that does not is left as soon as a frame passes the
/// bound, so no more than `max` bytes and one frame are ever held (F65). A body in one frame is handed on without being copied.
pub async fn read_body_limited<B>(body: B, max: usize, within: Duration) -> Result<Bytes, BodyError>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > u64::try_from(max).unwrap_or(u64::MAX) {
        return Err(BodyError::TooLarge);
    }
    tokio::time::timeout(within, gather(body, max)).await.unwrap_or(Err(BodyError::TooSlow))
}

async fn gather<B>(mut body: B, max: usize) -> Result<Bytes, BodyError>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        // Trailers say nothing about the body, and nobody asked for them.
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if first.len() + rest.len() + data.remaining() > max {
            return Err(BodyError::TooLarge);
        }
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::body::{Frame, SizeHint};
    use std::{
        collections::VecDeque,
        io,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Poll},
    };

    /// A body of scripted frames that counts what was taken of it. `None` in the script is a client that falls silent.
    struct Script {
        frames: VecDeque<Option<io::Result<Bytes>>>,
        announced: Option<u64>,
        taken: Arc<AtomicUsize>,
    }

    impl Script {
        fn of<const N: usize>(frames: [Option<io::Result<Bytes>>; N]) -> Self {
            Self { frames: frames.into(), announced: None, taken: Arc::default() }
        }
    }

    impl HttpBody for Script {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            if matches!(self.frames.front(), Some(None)) {
                return Poll::Pending;
            }
            match self.frames.pop_front().flatten() {
                None => Poll::Ready(None),
                Some(frame) => {
                    self.taken.fetch_add(frame.as_ref().map_or(0, Bytes::len), Ordering::Relaxed);
                    Poll::Ready(Some(frame.map(Frame::data)))
                }
            }
        }

        fn size_hint(&self) -> SizeHint {
            self.announced.map_or_else(SizeHint::new, SizeHint::with_exact)
        }
    }

    fn frame(size: usize) -> Option<io::Result<Bytes>> {
        Some(Ok(Bytes::from(vec![b'x'; size])))
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_not() {
        let fits = read_body_limited(Script::of([frame(6), frame(4)]), 10, LONG).await.unwrap();
        assert_eq!(fits.len(), 10);
        assert_eq!(
            read_body_limited(Script::of([frame(6), frame(5)]), 10, LONG).await,
            Err(BodyError::TooLarge)
        );
        assert_eq!(read_body_limited(Script::of([]), 0, LONG).await, Ok(Bytes::new()));
    }

    #[tokio::test]
    async fn parts_come_together_in_order() {
        let parts = ["a", "b", "", "c"].map(|part| Some(Ok(Bytes::from(part))));
        assert_eq!(read_body_limited(Script::of(parts), 10, LONG).await, Ok(Bytes::from("abc")));
    }

    #[tokio::test]
    async fn f65_a_body_that_says_it_is_too_long_is_not_read_at_all() {
        let body = Script { announced: Some(11), ..Script::of([frame(11)]) };
        let taken = Arc::clone(&body.taken);
        assert_eq!(read_body_limited(body, 10, LONG).await, Err(BodyError::TooLarge));
        assert_eq!(taken.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn f65_an_endless_body_is_left_within_one_frame_of_the_limit() {
        let body = Script::of([4; 1000].map(frame));
        let taken = Arc::clone(&body.taken);
        assert_eq!(read_body_limited(body, 10, LONG).await, Err(BodyError::TooLarge));
        assert_eq!(taken.load(Ordering::Relaxed), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_too_slow() {
        let body = Script::of([frame(1), None]);
        assert_eq!(read_body_limited(body, 10, LONG).await, Err(BodyError::TooSlow));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_broken() {
        let body = Script::of([frame(1), Some(Err(io::ErrorKind::UnexpectedEof.into()))]);
        assert_eq!(read_body_limited(body, 10, LONG).await, Err(BodyError::Broken));
    }
}
