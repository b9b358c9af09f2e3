//! One keep-alive HTTP/1.1 connection. A general client costs more than the fastest server measured here,
//! and the generator has one core to itself.
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The largest answer taken, in bytes: an enrollment's QR code is a few thousand.
const MAX_ANSWER: usize = 256 * 1024;

/// What is asked. The body is JSON; an empty one is not sent.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// The API key, for `Authorization: Bearer`.
    pub key: &'a str,
    /// `Idempotency-Key`, if one is sent.
    pub idempotency_key: Option<&'a str>,
    /// The JSON text.
    pub body: &'a str,
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header `retry-after`, in seconds.
    pub retry_after: Option<u32>,
    /// The body.
    pub body: Vec<u8>,
}

/// One connection, opened on the first call and again after a failed or closed one.
pub struct Conn {
    addr: SocketAddr,
    stream: Option<TcpStream>,
    buf: Vec<u8>,
    out: Vec<u8>,
    held: Option<u8>,
}

impl Conn {
    /// A connection to `addr`, not opened yet.
    pub fn new(addr: SocketAddr) -> Conn {
        Conn {
            addr,
            stream: None,
            buf: Vec::with_capacity(16 * 1024),
            out: Vec::with_capacity(1024),
            held: None,
        }
    }

    /// Connects, if there is no connection.
    ///
    /// # Errors
    /// Those of connecting.
    pub async fn open(&mut self) -> io::Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.addr).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Sends a request and reads its answer. An error means that the outcome is unknown.
    ///
    /// # Errors
    /// Those of the socket; `UnexpectedEof` if the server closed; `InvalidData` if it did not speak HTTP.
    pub async fn call(&mut self, request: Request<'_>) -> io::Result<Response> {
        self.write_head_and_body(request);
        self.exchange(self.out.len()).await?;
        self.answer().await
    }

    /// Sends all of a request but its last byte, so that many can be let go in one moment.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn hold(&mut self, request: Request<'_>) -> io::Result<()> {
        self.write_head_and_body(request);
        self.held = self.out.last().copied();
        self.exchange(self.out.len().saturating_sub(1)).await
    }

    /// Sends the byte that [`Conn::hold`] kept back.
    ///
    /// # Errors
    /// Those of the socket; `NotConnected` if nothing is held.
    pub async fn release(&mut self) -> io::Result<()> {
        match (self.stream.as_mut(), self.held.take()) {
            (Some(stream), Some(byte)) => stream.write_all(&[byte]).await,
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Reads the answer to a request let go by [`Conn::release`].
    ///
    /// # Errors
    /// As [`Conn::call`].
    pub async fn answer(&mut self) -> io::Result<Response> {
        let read = self.read_answer().await;
        if !matches!(read, Ok((_, false))) {
            self.stream = None;
        }
        read.map(|(response, _)| response)
    }

    fn write_head_and_body(&mut self, r: Request<'_>) {
        self.out.clear();
        for part in [r.method, " ", r.path, " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ", r.key] {
            self.out.extend_from_slice(part.as_bytes());
        }
        if let Some(key) = r.idempotency_key {
            self.out.extend_from_slice(b"\r\nIdempotency-Key: ");
            self.out.extend_from_slice(key.as_bytes());
        }
        if !r.body.is_empty() {
            let head = format!("\r\nContent-Type: application/json\r\nContent-Length: {}", r.body.len());
            self.out.extend_from_slice(head.as_bytes());
        } else if r.method != "GET" {
            self.out.extend_from_slice(b"\r\nContent-Length: 0");
        }
        self.out.extend_from_slice(b"\r\n\r\n");
        self.out.extend_from_slice(r.body.as_bytes());
    }

    /// Writes the first `len` bytes of the request.
    async fn exchange(&mut self, len: usize) -> io::Result<()> {
        self.open().await?;
        self.buf.clear();
        let Some(stream) = self.stream.as_mut() else { return Err(io::ErrorKind::NotConnected.into()) };
        let wrote = stream.write_all(self.out.get(..len).unwrap_or_default()).await;
        if wrote.is_err() {
            self.stream = None;
        }
        wrote
    }

    async fn more(&mut self) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        self.buf.reserve(8192);
        match stream.read_buf(&mut self.buf).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ if self.buf.len() > MAX_ANSWER => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "answer too large"))
            }
            _ => Ok(()),
        }
    }

    /// The answer, and whether the server closes the connection after it.
    async fn read_answer(&mut self) -> io::Result<(Response, bool)> {
        let head = loop {
            match Head::read(&self.buf)? {
                Some(head) => break head,
                None => self.more().await?,
            }
        };
        let end = head.len + head.content_length;
        while self.buf.len() < end {
            self.more().await?;
        }
        let body = self.buf.get(head.len..end).unwrap_or_default().to_vec();
        Ok((Response { status: head.status, retry_after: head.retry_after, body }, head.close))
    }
}

#[derive(Debug, PartialEq)]
struct Head {
    len: usize,
    status: u16,
    content_length: usize,
    retry_after: Option<u32>,
    close: bool,
}

impl Head {
    /// `None` while the head is not complete. Chunked answers are not read: this API's have a length.
    fn read(buf: &[u8]) -> io::Result<Option<Head>> {
        let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let Some(end) = buf.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
        let text =
            std::str::from_utf8(buf.get(..end).unwrap_or_default()).map_err(|_| bad("head is not text"))?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|l| l.strip_prefix("HTTP/1.1 ")).and_then(|l| l.get(..3));
        let status = status.and_then(|s| s.parse().ok()).ok_or(bad("no HTTP/1.1 status line"))?;
        let mut head = Head { len: end + 4, status, content_length: 0, retry_after: None, close: false };
        let mut length = None;
        for (name, value) in lines.filter_map(|l| l.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.parse().map_err(|_| bad("content-length is not a number"))?);
            } else if name.eq_ignore_ascii_case("retry-after") {
                head.retry_after = value.parse().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                head.close = value.eq_ignore_ascii_case("close");
            }
        }
        head.content_length = match length {
            Some(length) if length <= MAX_ANSWER => length,
            Some(_) => return Err(bad("answer too large")),
            None if matches!(status, 204 | 304) => 0,
            None => return Err(bad("an answer without content-length")),
        };
        Ok(Some(head))
    }
}

#[cfg(test)]
mod tests {
    use super::Head;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nretry-after: 1\r\nConnection: close\r\n\r\n{}";
        assert!(Head::read(&head[..head.len() - 4]).unwrap().is_none());
        let whole =
            Head { len: head.len() - 2, status: 503, content_length: 2, retry_after: Some(1), close: true };
        assert_eq!(Head::read(head).unwrap(), Some(whole));
    }

    #[test]
    fn what_cannot_be_framed_is_an_error_and_not_an_empty_answer() {
        assert!(Head::read(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Head::read(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n").is_err());
        assert!(Head::read(b"SSH-2.0\r\n\r\n").is_err());
        assert!(Head::read(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().is_some());
    }
}
