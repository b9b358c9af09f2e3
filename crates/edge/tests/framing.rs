//! The smuggling corpus on raw sockets (F63): never two answers to one request, and the connection closed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects")]

mod common;

use common::{GET, House};
use countersign_edge::Limits;

/// Sends a request with another one hidden behind it, and returns the statuses of all answers up to the end.
async fn statuses(house: &House, request: &[u8]) -> Vec<u16> {
    let mut client = house.client().await;
    client.send(request).await;
    client.all().await.iter().map(|answer| answer.status).collect()
}

/// A POST with these header lines and this body, and behind it the request a smuggler would like to see answered.
fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nhost: x\r\n{fields}\r\n\r\n{body}GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .into_bytes()
}

#[tokio::test]
async fn f63_heads_that_can_be_read_in_two_ways_get_one_400_and_the_end() {
    let house = House::open(Limits::default());
    let corpus: &[&[u8]] = &[
        // Two lengths of one body.
        &post("content-length: 4\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
        &post("transfer-encoding: chunked\r\ncontent-length: 4", "0\r\n\r\n"),
        &post("content-length: 0\r\ncontent-length: 5", "abcde"),
        &post("content-length: 5\r\ncontent-length: 5", "abcde"),
        &post("content-length: 5, 5", "abcde"),
        // Lengths that are none.
        &post("content-length: +5", "abcde"),
        &post("content-length: -5", "abcde"),
        &post("content-length: 0x5", "abcde"),
        &post("content-length: 5 5", "abcde"),
        &post("content-length: 5.0", "abcde"),
        &post("content-length:", "abcde"),
        &post("content-length: 99999999999999999999", "abcde"),
        // Transfer codings.
        &post("transfer-encoding: xchunked", "0\r\n\r\n"),
        &post("transfer-encoding: chunked, identity", "0\r\n\r\n"),
        &post("transfer-encoding: gzip, chunked", "0\r\n\r\n"),
        &post("transfer-encoding: chunked\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
        &post("transfer-encoding: chunked\r\ntransfer-encoding: identity", "0\r\n\r\n"),
        &post("transfer-encoding: \"chunked\"", "0\r\n\r\n"),
        &post("transfer-encoding:\x0bchunked", "0\r\n\r\n"),
        &post("transfer-encoding:", "0\r\n\r\n"),
        // Names and lines.
        &post("transfer-encoding : chunked", "0\r\n\r\n"),
        &post("content-length : 5", "abcde"),
        &post(" content-length: 5", "abcde"),
        &post("x: y\r\n folded", ""),
        &post("x: y\r\n\tfolded", ""),
        &post("x: a\0b", ""),
        &post("x\0: b", ""),
        &post("x: a\rb", ""),
        &post("x", ""),
        &post(": y", ""),
        &post("host: y", ""),
        b"GET / HTTP/1.1\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\n\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\rhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        // Request lines.
        b"GET  / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.2\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"PRI / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ];
    for request in corpus {
        assert_eq!(statuses(&house, request).await, [400], "{}", String::from_utf8_lossy(request));
    }
    assert!(house.gauges.bad_framing_total() > 10);
}

#[tokio::test]
async fn f63_a_chunked_body_that_is_not_clear_ends_the_connection() {
    let house = House::open(Limits::default());
    let hidden = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    for body in [
        "\r\n\r\n",
        "+5\r\nabcde\r\n0\r\n\r\n",
        "0x5\r\nabcde\r\n0\r\n\r\n",
        "-1\r\na\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nabc",
        "5\nabcde\r\n0\r\n\r\n",
        "5 5\r\nabcde\r\n0\r\n\r\n",
        "5;x=\ny\r\nabcde\r\n0\r\n\r\n",
        "5\r\nabcdeXX0\r\n\r\n",
        "3\r\nabcde\r\n0\r\n\r\n",
        "5\r\nabcde\n0\r\n\r\n",
        " 5\r\nabcde\r\n0\r\n\r\n",
        "5_0\r\nabcde\r\n0\r\n\r\n",
        "0\n\n",
    ] {
        let request =
            format!("POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{body}{hidden}");
        assert_eq!(statuses(&house, request.as_bytes()).await, [400], "{body:?}");
    }
}

#[tokio::test]
async fn f63_what_follows_the_last_chunk_is_swallowed_as_trailers_and_never_answered() {
    let house = House::open(Limits::default());
    for (trailers, status) in [
        ("\n", 200),
        ("a\n\n", 400),
        ("content-length: 5\r\n\r\n", 200),
        ("a b\r\n\r\n", 400),
        ("\r\n\r\n", 200),
    ] {
        let request = format!(
            "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{trailers}GET / HTTP/1.1\r\nhost: x\r\n\r\n"
        );
        assert_eq!(statuses(&house, request.as_bytes()).await, [status], "{trailers:?}");
    }
}

#[tokio::test]
async fn f63_nothing_is_read_behind_a_chunked_request() {
    let house = House::open(Limits::default());
    let request = b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5;ext\r\nabcde\r\n0\r\na: b\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut client = house.client().await;
    client.send(request).await;
    let answers = client.all().await;
    assert_eq!(answers.len(), 1);
    assert_eq!((answers[0].status, answers[0].body.as_slice()), (200, b"abcde".as_slice()));
    assert!(answers[0].head.contains("connection: close"));
}

#[tokio::test]
async fn f63_a_length_that_is_too_short_makes_the_rest_a_request_of_its_own_and_nothing_more() {
    let house = House::open(Limits::default());
    let mut client = house.client().await;
    client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabcdef\r\n\r\n").await;
    let answers = client.all().await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 400]);
}

#[tokio::test]
async fn w2_what_cannot_be_routed_is_answered_with_the_headers_of_every_answer() {
    let house = House::open(Limits::default());
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(64 << 10));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(90));
    let chunks = "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n";
    for (request, status) in [
        ("GET / HTTP/1.1\nhost: x\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nx\0: y\r\n\r\n", 400),
        (chunks, 400),
        (many.as_str(), 431),
        (long.as_str(), 431),
    ] {
        let mut client = house.client().await;
        client.send(GET).await;
        assert!(!client.answer().await.unwrap().head.contains("drawn"), "a route's answer is its own");
        client.send(request.as_bytes()).await;
        let answers = client.all().await;
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [status], "{request:?}");
        for field in
            ["x-request-id: drawn\r\n", "cache-control: no-store\r\n", "x-content-type-options: nosniff\r\n"]
        {
            assert_eq!(answers[0].head.matches(field).count(), 1, "{field} in {}", answers[0].head);
        }
    }
}

#[tokio::test]
async fn heads_beyond_their_bounds_are_refused() {
    let house = House::open(Limits::default());
    let fields = |count: usize| "x: y\r\n".repeat(count);
    for (count, status) in [(63, None), (64, Some(431)), (99, Some(431)), (150, Some(431))] {
        let request = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", fields(count));
        let mut client = house.client().await;
        assert_eq!(
            client.ask(request.as_bytes()).await.status,
            status.unwrap_or(200),
            "{count} and the host"
        );
        if status.is_some() {
            assert_eq!(client.answer().await, None);
        } else {
            assert_eq!(client.ask(GET).await.status, 200);
        }
    }
    for (size, status) in [(8 << 10, 200), (16 << 10, 431), (200 << 10, 431)] {
        let request =
            format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\nconnection: close\r\n\r\n", "y".repeat(size));
        assert_eq!(statuses(&house, request.as_bytes()).await, [status], "a field of {size}");
    }
    let endless = post("content-length: 18446744073709551615", "abcde");
    assert_eq!(statuses(&house, &endless).await, [431], "a length that no body can have");
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(20 << 10));
    assert_eq!(statuses(&house, long.as_bytes()).await, [431]);
}

#[tokio::test]
async fn what_is_merely_unusual_is_served() {
    let house = House::open(Limits::default());
    for (request, statuses) in [
        (b"\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n".as_slice(), [200]),
        (b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", [200]),
        (b"GET http://elsewhere/ HTTP/1.1\r\nhost: x\r\n\r\n", [200]),
        (b"POST / HTTP/1.1\r\nHOST: x\r\nContent-LENGTH:3\r\n\r\nabc", [200]),
        (b"HEAD / HTTP/1.1\r\nhost: x\r\nx: \xff\r\n\r\n", [200]),
    ] {
        let mut client = house.client().await;
        client.send(request).await;
        if request.starts_with(b"HEAD") {
            client.stream.readable().await.unwrap();
            continue;
        }
        let answer = client.answer().await.unwrap();
        assert_eq!([answer.status], statuses, "{}", String::from_utf8_lossy(request));
        assert_eq!(client.ask(GET).await.status, 200, "and the connection lives on");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let house = House::open(Limits::default());
    let mut client = house.client().await;
    let mut all = Vec::new();
    for number in 0..200 {
        let body = format!("{number}").repeat(number % 7 + 1);
        let length = body.len();
        all.extend_from_slice(
            format!("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes(),
        );
    }
    client.send(&all).await;
    for number in 0..200 {
        let answer = client.answer().await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, format!("{number}").repeat(number % 7 + 1).into_bytes());
    }
    assert_eq!(house.gauges.accepted_total(), 1);
}

#[tokio::test]
async fn an_expectation_is_met_before_the_body_and_not_after_a_refusal() {
    let house = House::open(Limits::default());
    let mut client = house.client().await;
    let head = |length: usize| {
        format!("POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n")
    };
    assert_eq!(client.ask(head(3).as_bytes()).await.status, 100);
    assert_eq!(client.ask(b"abc").await.body, b"abc");
    assert_eq!(client.ask(head(3000).as_bytes()).await.status, 413);
    assert_eq!(client.answer().await, None);
}
