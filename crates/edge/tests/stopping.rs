//! Stopping (fault 15): what is in flight is answered, what is new is refused, and the deadline holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects")]

mod common;

use common::{GATE, GET, House, LONG};
use countersign_edge::{Limits, Report};
use std::time::Duration;
use tokio::{net::TcpStream, time::Instant};

#[tokio::test]
async fn a_request_in_flight_is_answered_and_the_idle_are_closed() {
    let house = House::open(Limits::default());
    let mut idle = house.client().await;
    assert_eq!(idle.ask(GET).await.status, 200);
    let mut silent = house.client().await;
    let mut busy = house.client().await;
    busy.send(GATE).await;
    house.at_the_gate(1).await;

    house.shutdown.stop();
    idle.silence().await;
    silent.silence().await;
    TcpStream::connect(house.address).await.expect_err("no one listens any more");
    house.gate.open.add_permits(1);
    let answer = busy.answer().await.unwrap();
    assert_eq!(answer.body, b"passed");
    assert!(answer.head.contains("connection: close"));
    assert_eq!(busy.answer().await, None);
    assert_eq!(house.report().await, Report { finished: 3, cut: 0 });
}

#[tokio::test]
async fn with_nothing_open_it_ends_at_once() {
    let house = House::open(Limits { lame_duck: LONG / 2, drain: LONG, ..Limits::default() });
    let start = Instant::now();
    house.shutdown.stop();
    assert_eq!(house.report().await, Report { finished: 0, cut: 0 });
    assert!(start.elapsed() < LONG / 2);
}

#[tokio::test]
async fn at_the_deadline_the_rest_is_cut() {
    let drain = Duration::from_millis(200);
    let house = House::open(Limits { drain, lame_duck: drain / 4, ..Limits::default() });
    let mut stuck = house.client().await;
    stuck.send(GATE).await;
    house.at_the_gate(1).await;
    let mut idle = house.client().await;
    assert_eq!(idle.ask(GET).await.status, 200);
    let start = Instant::now();
    house.shutdown.stop();
    house.shutdown.stop();
    assert_eq!(house.report().await, Report { finished: 1, cut: 1 });
    assert!(start.elapsed() >= drain);
    stuck.silence().await;
}

#[tokio::test]
async fn a_second_order_can_cut_at_once() {
    let house = House::open(Limits { drain: LONG * 3, ..Limits::default() });
    let mut stuck = house.client().await;
    stuck.send(GATE).await;
    house.at_the_gate(1).await;
    house.shutdown.stop();
    house.shutdown.cut();
    assert_eq!(house.report().await, Report { finished: 0, cut: 1 });
    stuck.silence().await;
}

#[tokio::test]
async fn a_client_at_work_is_told_and_loses_no_request() {
    let house = House::open(Limits { lame_duck: Duration::from_secs(1), ..Limits::default() });
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let connecting = TcpStream::connect(house.address);
            tokio::spawn(async move {
                let mut client = common::Client::over(connecting.await.unwrap());
                let mut answered = 0;
                loop {
                    let answer = client.ask(GET).await;
                    assert_eq!(answer.status, 200);
                    answered += 1;
                    if answer.head.contains("connection: close") {
                        return answered;
                    }
                }
            })
        })
        .collect();
    common::eventually("at work", || house.gauges.accepted_total() == 8).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    house.shutdown.stop();
    for worker in workers {
        assert!(worker.await.expect("no request was lost") > 0);
    }
    assert_eq!(house.report().await.cut, 0);
}

#[tokio::test]
async fn who_has_been_let_in_by_the_kernel_is_still_served() {
    // Nothing is accepted between these lines, as the runtime has one thread and does not yield.
    let house = House::open(Limits::default());
    let mut queued = std::net::TcpStream::connect(house.address).unwrap();
    std::io::Write::write_all(&mut queued, GET).unwrap();
    house.shutdown.stop();
    queued.set_nonblocking(true).unwrap();
    let mut client = common::Client::over(TcpStream::from_std(queued).unwrap());
    let answer = client.answer().await.expect("an answer");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("connection: close"));
    assert_eq!(house.report().await.cut, 0);
}

#[tokio::test]
async fn when_the_server_is_dropped_its_connections_are_cut() {
    let house = House::open(Limits::default());
    let mut client = house.client().await;
    assert_eq!(client.ask(GET).await.status, 200);
    house.task.abort();
    client.silence().await;
}
