//! HTTP/2 with prior knowledge, and its floods (F66).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop where it likes")]

mod common;

use axum::{body::Body, http::Request};
use common::{House, LONG, SHORT, eventually};
use countersign_edge::{Limits, Report};
use http_body_util::BodyExt;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

async fn dial(house: &House) -> SendRequest<Body> {
    let stream = TcpStream::connect(house.address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn get(path: &str) -> Request<Body> {
    Request::get(format!("http://x{path}")).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let house = House::open(Limits::default());
    let mut sender = dial(&house).await;
    let answers: Vec<_> = (0..50)
        .map(|number| {
            let body = Body::from(format!("{number}"));
            tokio::spawn(sender.send_request(Request::post("http://x/echo").body(body).unwrap()))
        })
        .collect();
    for (number, answer) in answers.into_iter().enumerate() {
        let body = answer.await.unwrap().unwrap().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, number.to_string());
    }
    assert_eq!(house.gauges.accepted_total(), 1);
}

/// A body that is announced and never sent.
struct Silence;

impl hyper::body::Body for Silence {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn f65_bodies_have_the_same_bounds() {
    let house = House::open(Limits::default());
    let mut sender = dial(&house).await;
    let large = Request::post("http://x/echo").body(Body::from(vec![b'x'; 2000])).unwrap();
    assert_eq!(sender.send_request(large).await.unwrap().status(), 413);
    let slow = Request::post("http://x/echo").body(Body::new(Silence)).unwrap();
    assert_eq!(sender.send_request(slow).await.unwrap().status(), 408);
}

#[tokio::test]
async fn too_many_fields_are_refused_and_the_connection_lives_on() {
    let house = House::open(Limits::default());
    let mut sender = dial(&house).await;
    let mut many = get("/");
    for number in 0..65 {
        let name: axum::http::HeaderName = format!("x-{number}").parse().unwrap();
        many.headers_mut().insert(name, "y".parse().unwrap());
    }
    assert_eq!(sender.send_request(many).await.unwrap().status(), 431);
    assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    // Pings keep neither from being idle.
    let house = House::open(Limits { idle: SHORT, h2_ping_interval: SHORT / 8, ..Limits::default() });
    let mut sender = dial(&house).await;
    let busy = tokio::spawn(sender.send_request(get("/gate")));
    house.at_the_gate(1).await;
    tokio::time::sleep(SHORT * 2).await;
    house.gate.open.add_permits(1);
    assert_eq!(busy.await.unwrap().unwrap().status(), 200);
    eventually("closed", || house.gauges.open_connections() == 0).await;
    assert_eq!(house.gauges.timed_out_total(), 1);
}

#[tokio::test]
async fn stopping_answers_what_is_in_flight_and_takes_nothing_new() {
    // Unlike an HTTP/1.1 connection, this one need not wait for the lame duck.
    let house = House::open(Limits { lame_duck: LONG / 2, drain: LONG, ..Limits::default() });
    let start = Instant::now();
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, b"")).await.unwrap();
    let gate = [0x82, 0x86, 0x04, 5, b'/', b'g', b'a', b't', b'e', 0x41, 1, b'x'];
    stream.write_all(&frame(HEADERS, 0x4 | 0x1, 1, &gate)).await.unwrap();
    house.at_the_gate(1).await;
    house.shutdown.stop();

    let (mut answered, mut last_taken) = (false, None);
    while let Some((kind, number, payload)) = next_frame(&mut stream).await {
        match kind {
            PING => stream.write_all(&frame(PING, 1, 0, &payload)).await.unwrap(),
            GOAWAY => {
                last_taken = Some(u32::from_be_bytes(payload[..4].try_into().unwrap()));
                if last_taken == Some(1) {
                    assert!(!answered, "good-bye is said while the request is still in flight");
                    house.gate.open.add_permits(1);
                }
            }
            HEADERS => answered |= number == 1,
            _ => {}
        }
    }
    assert_eq!((answered, last_taken), (true, Some(1)));
    drop(stream);
    assert_eq!(house.report().await, Report { finished: 1, cut: 0 });
    assert!(start.elapsed() < LONG / 2);
}

/// The next frame's kind, stream and payload; `None` at the end.
async fn next_frame(stream: &mut TcpStream) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    timeout(LONG, stream.read_exact(&mut head)).await.expect("neither frame nor end").ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], u32::from_be_bytes(head[5..].try_into().unwrap()), payload))
}

/// Raw frames (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const DATA: u8 = 0;

/// `GET http://x/` as a header block (RFC 7541 appendix A).
const BLOCK: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'x'];

/// Opens a connection, sends `flood` for ever, and waits for the server to end it: with GOAWAY or without. Returns how many
/// bytes it took.
async fn flood(house: &House, mut flood: impl FnMut(u32) -> Vec<u8>) -> usize {
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, b"")).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let reading = tokio::spawn(async move {
        let mut seen = Vec::new();
        let _ = read.read_to_end(&mut seen).await;
        seen
    });
    let mut sent = 0;
    let ended = timeout(LONG, async {
        for number in 0.. {
            let frames = flood(number);
            if write.write_all(&frames).await.is_err() {
                break;
            }
            sent += frames.len();
            if number % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    ended.await.expect("the flood was not cut off");
    let _ = reading.await.unwrap();
    sent
}

#[tokio::test]
async fn f66_a_flood_of_resets_is_cut_off() {
    let house = House::open(Limits::default());
    flood(&house, |number| {
        let stream = number * 2 + 1;
        let mut frames = frame(HEADERS, 0x4 | 0x1, stream, BLOCK);
        frames.extend(frame(RESET, 0, stream, &8u32.to_be_bytes()));
        frames
    })
    .await;
    let mut honest = dial(&house).await;
    assert_eq!(honest.send_request(get("/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn f66_endless_continuations_are_cut_off() {
    let house = House::open(Limits::default());
    let sent = flood(&house, |number| match number {
        0 => frame(HEADERS, 0, 1, BLOCK),
        // A literal field that is not indexed: `x: yyy…`
        _ => frame(CONTINUATION, 0, 1, &[[0, 1, b'x', 100].as_slice(), &[b'y'; 100]].concat()),
    })
    .await;
    assert!(sent < 64 << 20, "taken: {sent} bytes");
    let mut honest = dial(&house).await;
    assert_eq!(honest.send_request(get("/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn f66_empty_data_frames_are_cut_off_with_the_body_that_never_comes() {
    let house = House::open(Limits { idle: SHORT, head: SHORT, ..Limits::default() });
    flood(&house, |number| match number {
        // POST /echo: the path as a literal.
        0 => frame(HEADERS, 0x4, 1, &[0x83, 0x86, 0x04, 5, b'/', b'e', b'c', b'h', b'o', 0x41, 1, b'x']),
        _ => frame(DATA, 0, 1, b""),
    })
    .await;
    let mut honest = dial(&house).await;
    assert_eq!(honest.send_request(get("/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_head_that_is_never_finished_is_cut() {
    let house = House::open(Limits { head: SHORT, ..Limits::default() });
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&[frame(SETTINGS, 0, 0, b""), frame(HEADERS, 0, 1, BLOCK)].concat()).await.unwrap();
    let mut seen = Vec::new();
    let _ = timeout(LONG, stream.read_to_end(&mut seen)).await.expect("the connection was not cut");
    assert_eq!(house.gauges.timed_out_total(), 1);
}

#[tokio::test]
async fn the_promised_limits_are_the_ones_announced() {
    let house = House::open(Limits::default());
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, b"")).await.unwrap();
    let (kind, _, settings) = next_frame(&mut stream).await.unwrap();
    assert_eq!(kind, SETTINGS);
    let value = |id: u8| {
        settings
            .chunks(6)
            .find(|setting| setting[..2] == [0, id])
            .map(|setting| u32::from_be_bytes(setting[2..].try_into().unwrap()))
    };
    assert_eq!(value(3), Some(128), "concurrent streams");
    assert_eq!(value(4), Some(64 * 1024), "a stream's window");
    assert_eq!(value(6), Some(16 * 1024), "a header list");
}
