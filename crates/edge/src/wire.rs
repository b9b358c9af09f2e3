//! The bytes of a connection, watched on their way to and from hyper.

use crate::member::{Member, Phase};
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
}

impl<S> Wire<S> {
    pub(crate) fn new(stream: S, member: Arc<Member>, linger_bytes: usize) -> Self {
        Self { stream, member, ended: false, shut: false, linger_left: linger_bytes }
    }

    fn note<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &written {
            Poll::Ready(_) => self.member.wrote(),
            Poll::Pending => self.member.write_blocked(),
        }
        written
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS keeps what it could not write, so a stuck client shows here as well.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_pending() {
            self.member.write_blocked();
        }
        flushed
    }

    /// Says that nothing more will be written; then, if the client may still be sending, reads and throws away for a while.
    /// Closing at once would reset the connection and could take the answer with it (RFC 9112 §9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            let closed = Pin::new(&mut self.stream).poll_shutdown(cx);
            ready!(self.note(closed))?;
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
