//! Clients that take their time (I14, F66): each phase of a connection has its own limit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects")]

mod common;

use common::{GATE, GET, House, LONG, SHORT, eventually};
use countersign_edge::Limits;
use std::time::Duration;
use tokio::time::sleep;

/// All limits but the tested one are long.
fn patient() -> Limits {
    let long = Duration::from_secs(600);
    Limits { first_byte: long, head: long, idle: long, request: long, write_stall: long, ..Limits::default() }
}

#[tokio::test]
async fn a_client_that_never_sends_a_byte_is_cut() {
    let house = House::open(Limits { first_byte: SHORT, ..patient() });
    assert!(house.client().await.silence().await >= SHORT / 2);
    assert_eq!(house.gauges.timed_out_total(), 1);
    eventually("closed", || house.gauges.open_connections() == 0).await;
}

#[tokio::test]
async fn f66_a_head_that_trickles_in_is_cut_however_steadily_it_trickles() {
    let house = House::open(Limits { head: SHORT, ..patient() });
    let mut client = house.client().await;
    client.send(b"GET / HTTP/1.1\r\nhost: x\r\n").await;
    let (mut read, mut write) = client.stream.into_split();
    let trickle = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while write.write_all(b"x: y\r\n").await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    let mut answer = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer);
    // An end or a reset, as what trickled in last was not read.
    let _ = tokio::time::timeout(LONG, read).await.expect("the client was not cut");
    assert!(answer.is_empty());
    trickle.await.unwrap();
    assert_eq!(house.gauges.timed_out_total(), 1);
}

#[tokio::test]
async fn the_head_of_a_second_request_has_the_same_limit_and_idleness_another() {
    let house = House::open(Limits { head: SHORT, ..patient() });
    let mut client = house.client().await;
    assert_eq!(client.ask(GET).await.status, 200);
    sleep(SHORT * 2).await;
    assert_eq!(client.ask(GET).await.status, 200, "idle for longer than a head may take");
    client.send(b"GET / HT").await;
    client.silence().await;
    assert_eq!(house.gauges.timed_out_total(), 1);
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_politely() {
    let house = House::open(Limits { idle: SHORT, ..patient() });
    let mut client = house.client().await;
    assert_eq!(client.ask(GET).await.status, 200);
    assert!(client.silence().await >= SHORT / 2);
}

#[tokio::test]
async fn a_route_that_never_answers_is_cut_at_the_last_resort() {
    let house = House::open(Limits { request: SHORT, ..patient() });
    let mut client = house.client().await;
    client.send(GATE).await;
    house.at_the_gate(1).await;
    client.silence().await;
    assert_eq!(house.gauges.timed_out_total(), 1);
}

#[tokio::test]
async fn f65_a_body_that_does_not_arrive_is_answered_with_408() {
    let house = House::open(patient());
    let mut client = house.client().await;
    client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc").await;
    let answers = client.all().await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [408]);
}

#[tokio::test]
async fn f65_a_body_that_is_too_large_is_told_so_and_the_connection_closed() {
    let house = House::open(patient());
    for body in [2000, 2_000_000] {
        let mut client = house.client().await;
        client
            .send(format!("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: {body}\r\n\r\n").as_bytes())
            .await;
        client.send(&[b'x'; 1500]).await;
        assert_eq!(client.answer().await.unwrap().status, 413);
        assert_eq!(client.answer().await, None);
    }
    let mut endless = house.client().await;
    endless.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for _ in 0..3 {
        endless.send(&[b"190\r\n".as_slice(), &[b'x'; 400], b"\r\n"].concat()).await;
    }
    assert_eq!(endless.answer().await.unwrap().status, 413);
    assert_eq!(endless.answer().await, None);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_and_one_that_reads_slowly_is_not() {
    let house = House::open(Limits { write_stall: SHORT, idle: SHORT, head: SHORT, ..patient() });
    let big = b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut deaf = house.client().await;
    deaf.send(big).await;
    eventually("cut", || house.gauges.timed_out_total() == 1).await;
    eventually("closed", || house.gauges.open_connections() == 0).await;

    let mut slow = house.client().await;
    slow.send(big).await;
    let mut left = 32_usize << 20;
    let mut part = vec![0; 1 << 20];
    while left > 0 {
        let read = tokio::io::AsyncReadExt::read(&mut slow.stream, &mut part).await.unwrap();
        assert_ne!(read, 0, "cut with {left} bytes to go");
        left = left.saturating_sub(read);
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_refused_client_that_goes_on_sending_is_listened_to_only_for_so_long() {
    let house = House::open(Limits { linger: SHORT, ..patient() });
    let mut client = house.client().await;
    client.send(b"GET / HTTP/1.1\nhost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.unwrap().status, 400);
    // The client keeps its side open: the server waits for `linger`, and no longer.
    eventually("closed", || house.gauges.open_connections() == 0).await;
}
