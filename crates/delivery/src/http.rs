//! One small HTTP/1.1 client for all providers: no redirects, no cookies, a bound on time and on what is read.
//!
//! What it is for is the difference between "surely not sent" and "perhaps": as long as no byte of a request was written,
//! it is the former, and from then on the latter.

mod endpoint;
mod request;
mod tls;

pub(crate) use endpoint::Endpoint;
pub use endpoint::public_url;
#[cfg(test)]
pub(crate) use request::form;
pub(crate) use request::{Call, basic, by_status, encoded};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::{
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::TlsConnector;

/// For connecting and TLS; less if the whole exchange gets less.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Bytes of an answer's body that are read. Providers answer in a few hundred.
const BODY_MAX: usize = 64 * 1024;
/// Bytes of its head.
const HEAD_MAX: usize = 32 * 1024;
/// A connection that has been idle for longer may have been closed by the other side, so it is not used again.
const IDLE_MAX: Duration = Duration::from_secs(8);
/// Idle connections kept.
const IDLE_COUNT: usize = 64;

/// An idle connection is ready at once, or it is of no use.
const READY_WAIT: Duration = Duration::from_millis(100);

pub(crate) type Body = Full<Bytes>;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Empty if it was cut off, or longer than anything that is an answer.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON, if it is that.
    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Why nothing came back.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Nothing was sent: there was no connection.
    NoConnection(String),
    /// Nothing was sent: the other side could not prove to be who it should be.
    NotTrusted(String),
    /// Something was sent, and no answer came.
    NoAnswer(&'static str),
}

struct Idle {
    sender: SendRequest<Body>,
    since: Instant,
}

/// A client of one server.
pub(crate) struct Client {
    endpoint: Endpoint,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    wait: Duration,
    idle: Mutex<Vec<Idle>>,
}

impl Client {
    /// A client that waits so long for an answer. Reads root certificates: those of the file, or else the system's.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn new(endpoint: Endpoint, wait: Duration, roots: Option<&Path>) -> Result<Self, String> {
        let tls = if endpoint.is_tls() {
            let name = ServerName::try_from(endpoint.host().to_owned())
                .map_err(|_| format!("{} is not a host's name", endpoint.host()))?;
            Some((tls::connector(roots)?, name))
        } else {
            None
        };
        Ok(Self { endpoint, tls, wait, idle: Mutex::default() })
    }

    /// Where it goes.
    pub(crate) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// One request, one answer.
    pub(crate) async fn exchange(&self, mut request: Request<Body>) -> Result<Answer, Fault> {
        let deadline = Instant::now() + self.wait;
        loop {
            let (mut sender, reused) = match self.idle_connection() {
                Some(sender) => (sender, true),
                None => (self.connect().await?, false),
            };
            if reused && !matches!(timeout(READY_WAIT, sender.ready()).await, Ok(Ok(()))) {
                continue;
            }
            let sending = async {
                let answered = match sender.try_send_request(request).await {
                    Ok(answered) => answered,
                    // Handed back unwritten: the other side had closed the idle connection.
                    Err(mut error) => {
                        return Err(error.take_message().ok_or(Fault::NoAnswer("connection cut")));
                    }
                };
                let status = answered.status().as_u16();
                let (body, whole) = read(answered.into_body()).await;
                Ok((Answer { status, body }, whole))
            };
            match tokio::time::timeout_at(deadline, sending).await {
                Err(_) => return Err(Fault::NoAnswer("no answer in time")),
                Ok(Ok((answer, whole))) => {
                    if whole {
                        self.keep(sender);
                    }
                    return Ok(answer);
                }
                Ok(Err(Ok(unsent))) if reused => request = unsent,
                Ok(Err(Ok(_))) => return Err(Fault::NoConnection("connection closed".into())),
                Ok(Err(Err(fault))) => return Err(fault),
            }
        }
    }

    /// Connects, and asks nothing.
    pub(crate) async fn reach(&self) -> Result<(), Fault> {
        let sender = self.connect().await?;
        self.keep(sender);
        Ok(())
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle_connection(&self) -> Option<SendRequest<Body>> {
        let mut idle = self.idle();
        while let Some(last) = idle.pop() {
            if !last.sender.is_closed() && last.since.elapsed() < IDLE_MAX {
                return Some(last.sender);
            }
        }
        None
    }

    fn keep(&self, sender: SendRequest<Body>) {
        let mut idle = self.idle();
        idle.retain(|kept| !kept.sender.is_closed() && kept.since.elapsed() < IDLE_MAX);
        if idle.len() < IDLE_COUNT {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }

    /// A new connection. Nothing of a request is on it yet.
    async fn connect(&self) -> Result<SendRequest<Body>, Fault> {
        match timeout(CONNECT_MAX.min(self.wait), self.open()).await {
            Ok(opened) => opened,
            Err(_) => Err(Fault::NoConnection("no connection in time".into())),
        }
    }

    async fn open(&self) -> Result<SendRequest<Body>, Fault> {
        let unreached = |e: io::Error| Fault::NoConnection(e.kind().to_string());
        let stream =
            TcpStream::connect((self.endpoint.bare_host(), self.endpoint.port())).await.map_err(unreached)?;
        stream.set_nodelay(true).map_err(unreached)?;
        match &self.tls {
            None => speak(stream).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await.map_err(|e| tls::fault(&e))?;
                speak(stream).await
            }
        }
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Body>, Fault> {
    let opened = http1::Builder::new().max_buf_size(HEAD_MAX).handshake(TokioIo::new(stream)).await;
    let (sender, connection) = opened.map_err(|_| Fault::NoConnection("no HTTP".into()))?;
    // Ends with the connection; what goes wrong on it is told to whoever waits for an answer.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// The body, and whether it was read to its end.
async fn read(mut body: Incoming) -> (Vec<u8>, bool) {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return (Vec::new(), false) };
        let Some(data) = frame.data_ref() else { continue };
        if read.len() + data.len() > BODY_MAX {
            return (Vec::new(), false);
        }
        read.extend_from_slice(data);
    }
    (read, true)
}
