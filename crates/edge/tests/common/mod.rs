//! A listener on loopback with a few routes, and a client that speaks raw bytes.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop where it likes")]

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderValue, Request, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use countersign_edge::{
    BodyError, Gauges, Limits, Listener, Report, Shutdown, TlsReloader, read_body_limited, serve,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, timeout},
};

/// Nothing a test waits for takes as long, however busy the machine is.
pub const LONG: Duration = Duration::from_secs(10);

/// Short, so that tests are; each test shortens the one limit it is about.
pub const SHORT: Duration = Duration::from_millis(150);

/// Polls until something holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What the routes share: requests that have entered `/gate` wait there for a permit.
#[derive(Clone)]
pub struct Gate {
    pub inside: Arc<Semaphore>,
    pub open: Arc<Semaphore>,
}

pub struct House {
    pub address: SocketAddr,
    pub gauges: Arc<Gauges>,
    pub shutdown: Shutdown,
    pub gate: Gate,
    pub task: JoinHandle<Report>,
}

impl House {
    pub fn open(limits: Limits) -> Self {
        Self::open_with(limits, None)
    }

    pub fn open_with(limits: Limits, tls: Option<TlsReloader>) -> Self {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), Listener::BACKLOG).unwrap();
        let listener = listener.with_request_ids(|| HeaderValue::from_static("drawn"));
        let address = listener.address();
        let gauges = Arc::new(Gauges::default());
        let shutdown = Shutdown::new();
        let gate = Gate { inside: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) };
        let served =
            serve(listener, routes(gate.clone()), tls, limits, Arc::clone(&gauges), shutdown.clone());
        let task = tokio::spawn(async move { served.await.unwrap() });
        Self { address, gauges, shutdown, gate, task }
    }

    pub async fn client(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.unwrap(), seen: Vec::new() }
    }

    /// Waits until `count` requests stand at the gate.
    pub async fn at_the_gate(&self, count: u32) {
        let waiting = Arc::clone(&self.gate.inside);
        timeout(LONG, waiting.acquire_many(count)).await.unwrap().unwrap().forget();
    }

    pub async fn report(self) -> Report {
        timeout(LONG, self.task).await.unwrap().unwrap()
    }
}

fn routes(gate: Gate) -> Router {
    Router::new()
        .route("/", get(|| async { "ok" }).post(|| async { "posted" }))
        .route("/echo", post(echo))
        .route("/big", get(|| async { vec![b'x'; 32 << 20] }))
        .route("/gate", get(pass))
        .with_state(gate)
}

async fn pass(State(gate): State<Gate>) -> &'static str {
    gate.inside.add_permits(1);
    gate.open.acquire().await.unwrap().forget();
    "passed"
}

async fn echo(request: Request<Body>) -> Response {
    match read_body_limited(request.into_body(), 1024, SHORT).await {
        Ok(body) => body.into_response(),
        Err(BodyError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(BodyError::TooSlow) => StatusCode::REQUEST_TIMEOUT.into_response(),
        Err(BodyError::Broken) => StatusCode::BAD_REQUEST.into_response(),
    }
}

pub const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
pub const GATE: &[u8] = b"GET /gate HTTP/1.1\r\nhost: x\r\n\r\n";

pub struct Client<S = TcpStream> {
    pub stream: S,
    seen: Vec<u8>,
}

/// One answer: its head as text, and its body.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn over(stream: S) -> Self {
        Self { stream, seen: Vec::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next answer; `None` once the connection is closed.
    pub async fn answer(&mut self) -> Option<Answer> {
        loop {
            if let Some(answer) = self.take() {
                return Some(answer);
            }
            let mut part = [0; 16 * 1024];
            match timeout(LONG, self.stream.read(&mut part)).await.expect("neither answer nor end") {
                Ok(0) | Err(_) => {
                    assert!(self.seen.is_empty(), "half an answer: {}", String::from_utf8_lossy(&self.seen));
                    return None;
                }
                Ok(read) => self.seen.extend_from_slice(&part[..read]),
            }
        }
    }

    fn take(&mut self) -> Option<Answer> {
        let end = self.seen.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.seen[..end].to_vec()).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |value| value.parse().unwrap());
        if self.seen.len() < end + length {
            return None;
        }
        let body = self.seen[end..end + length].to_vec();
        self.seen.drain(..end + length);
        Some(Answer { status: head[9..12].parse().unwrap(), head, body })
    }

    pub async fn ask(&mut self, request: &[u8]) -> Answer {
        self.send(request).await;
        self.answer().await.expect("the connection was closed without an answer")
    }

    /// Everything up to the end of the connection, as answers.
    pub async fn all(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some(answer) = self.answer().await {
            answers.push(answer);
        }
        answers
    }

    /// How long the connection stays open without a byte being answered.
    pub async fn silence(&mut self) -> Duration {
        let start = Instant::now();
        assert_eq!(self.answer().await, None);
        start.elapsed()
    }
}
