//! The bytes of a connection, watched on their way to and from hyper.

use crate::{
    member::{Member, Phase},
    unrouted::Ids,
};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that tells its [`Member`] what passes, and lingers when it is closed with input still on its way.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    member: Arc<Member>,
    ended: bool,
    shut: bool,
    linger_left: usize,
    ids: Option<Ids>,
    /// A head that has been given headers, and is still to be written.
    dressed: Vec<u8>,
}

impl<S> Wire<S> {
    pub(crate) fn new(stream: S, member: Arc<Member>, ids: Option<Ids>, linger_bytes: usize) -> Self {
        let linger_left = linger_bytes;
        Self { stream, member, ended: false, shut: false, linger_left, ids, dressed: Vec::new() }
    }

    /// Takes a head that the parser has written by itself in the place of the stream.
    fn takes(&mut self, bytes: &[u8]) -> bool {
        match self.ids.as_ref().and_then(|ids| ids.dressed(bytes)) {
            Some(head) => self.dressed.extend_from_slice(&head),
            None => return false,
        }
        true
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(written) => self.member.wrote(*written.as_ref().unwrap_or(&0)),
            Poll::Pending => self.member.write_blocked(),
        }
        written
    }

    /// TLS keeps what it could not write, so a stuck client may show here only.
    fn note_flush(&self, flushed: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        match &flushed {
            Poll::Ready(_) => self.member.unblocked(),
            Poll::Pending => self.member.write_blocked(),
        }
        flushed
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        match buf.filled().get(before..) {
            Some(bytes) if !bytes.is_empty() => self.member.read(bytes),
            _ => self.ended = true,
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    fn write_dressed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.dressed.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(cx, &self.dressed);
            match ready!(self.note(written))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(self.dressed.drain(..written)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.write_dressed(cx))?;
        if self.takes(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.write_dressed(cx))?;
        if let Some(first) = parts.first()
            && self.takes(first)
        {
            return Poll::Ready(Ok(first.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_dressed(cx))?;
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.note_flush(flushed)
    }

    /// Says that nothing more will be written; then, if the client may still be sending, reads and throws away for a while.
    /// Closing at once would reset the connection and could take the answer with it (RFC 9112 §9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            ready!(self.write_dressed(cx))?;
            let closed = Pin::new(&mut self.stream).poll_shutdown(cx);
            ready!(self.note_flush(closed))?;
            self.shut = true;
            let complete = self.member.framing().at_a_boundary();
            self.ended |= complete;
            self.member.enter(Phase::Linger);
        }
        let mut waste = [0; 2048];
        while !self.ended && self.linger_left > 0 {
            let mut waste = ReadBuf::new(&mut waste);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut waste));
            self.ended = read.is_err() || waste.filled().is_empty();
            self.linger_left = self.linger_left.saturating_sub(waste.filled().len());
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::Shared;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    fn wire(size: usize) -> (Wire<tokio::io::DuplexStream>, tokio::io::DuplexStream, Arc<Member>) {
        let member = Arc::new(Member::new(Arc::new(Shared::default()), Phase::FirstByte, 8192));
        let (ours, theirs) = duplex(size);
        (Wire::new(ours, Arc::clone(&member), None, 100), theirs, member)
    }

    #[tokio::test]
    async fn what_passes_is_noted() {
        let (mut wire, mut client, member) = wire(8);
        client.write_all(b"GET").await.unwrap();
        wire.read_exact(&mut [0; 3]).await.unwrap();
        assert_eq!(member.phase().0, Phase::Head);
        let mut stuck = poll_once(wire.write_all(&[b'x'; 20]));
        assert!(stuck.is_pending() && member.blocked_since().is_some());
        client.read_exact(&mut [0; 8]).await.unwrap();
        stuck = poll_once(wire.write_all(&[b'x'; 8]));
        assert!(stuck.is_ready() && member.blocked_since().is_none());
        member.write_blocked();
        wire.flush().await.unwrap();
        assert_eq!(member.blocked_since(), None, "flushed is not stuck");
    }

    #[tokio::test]
    async fn w2_what_the_parser_writes_by_itself_gets_the_headers_of_every_answer_however_it_is_taken() {
        let (mut wire, mut client, _) = wire(16);
        wire.ids = Some(Ids::new(|| axum::http::HeaderValue::from_static("7")));
        let reading = tokio::spawn(async move {
            let mut text = String::new();
            client.read_to_string(&mut text).await.unwrap();
            text
        });
        wire.write_all(b"HTTP/1.1 431 Too Large\r\n\r\n").await.unwrap();
        wire.write_all(b"and more").await.unwrap();
        drop(wire);
        let expected = "HTTP/1.1 431 Too Large\r\nx-request-id: 7\r\ncache-control: no-store\r\n\
                        x-content-type-options: nosniff\r\n\r\nand more";
        assert_eq!(reading.await.unwrap(), expected);
    }

    fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
        std::pin::pin!(future).poll(&mut Context::from_waker(std::task::Waker::noop()))
    }

    #[tokio::test]
    async fn closing_in_the_middle_of_input_throws_away_a_bounded_part_of_it() {
        let (mut wire, mut client, member) = wire(4096);
        client.write_all(&[b'x'; 60]).await.unwrap();
        wire.read_exact(&mut [0; 10]).await.unwrap();
        let mut closing = std::pin::pin!(wire.shutdown());
        assert!(poll_once(closing.as_mut()).is_pending(), "more may come");
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0, "but the client sees the end");
        assert_eq!(member.phase().0, Phase::Linger);
        client.write_all(&[b'x'; 60]).await.unwrap();
        closing.await.unwrap();
    }

    #[tokio::test]
    async fn closing_between_requests_does_not_wait() {
        let (mut wire, mut client, member) = wire(4096);
        let request = b"GET / HTTP/1.0\r\n\r\n";
        client.write_all(request).await.unwrap();
        wire.read_exact(&mut [0; 18]).await.unwrap();
        member.framing().hand_over(axum::http::Version::HTTP_10, &axum::http::HeaderMap::new()).unwrap();
        wire.shutdown().await.unwrap();
    }
}
