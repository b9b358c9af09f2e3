//! More connections than there is room for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects")]

mod common;

use common::{GATE, GET, House, eventually};
use countersign_edge::Limits;
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test]
async fn at_the_cap_a_newcomer_takes_the_place_of_whoever_never_asked_for_anything() {
    let house = House::open(Limits { connections: 3, ..Limits::default() });
    let mut regular = house.client().await;
    assert_eq!(regular.ask(GET).await.status, 200);
    let mut mute = house.client().await;
    let mut loris = house.client().await;
    loris.send(b"GET / HT").await;
    eventually("full", || house.gauges.open_connections() == 3).await;

    for _ in 0..2 {
        let mut newcomer = house.client().await;
        assert_eq!(newcomer.ask(GET).await.status, 200);
        std::mem::forget(newcomer);
    }
    mute.silence().await;
    loris.silence().await;
    assert_eq!(regular.ask(GET).await.status, 200, "the regular was spared");
    assert_eq!((house.gauges.evicted_total(), house.gauges.refused_total()), (2, 0));
    assert!(house.gauges.open_connections() <= 3);
}

#[tokio::test]
async fn f66_a_flood_of_silent_connections_does_not_shut_out_an_honest_client() {
    let house = House::open(Limits { connections: 20, ..Limits::default() });
    let mut flood = Vec::new();
    for round in 0..100 {
        for _ in 0..5 {
            flood.push(house.client().await);
        }
        if round % 10 == 0 {
            assert_eq!(house.client().await.ask(GET).await.status, 200);
        }
    }
    assert!(house.gauges.open_connections() <= 20);
    assert_eq!(house.gauges.refused_total(), 0);
}

#[tokio::test]
async fn if_everyone_is_being_served_a_newcomer_is_told_so_at_once() {
    let house = House::open(Limits { connections: 2, ..Limits::default() });
    let (mut one, mut two) = (house.client().await, house.client().await);
    one.send(GATE).await;
    two.send(GATE).await;
    house.at_the_gate(2).await;
    let mut third = house.client().await;
    let answer = timeout(Duration::from_secs(2), third.answer()).await.unwrap().unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: 1") && answer.head.contains("x-request-id: drawn"));
    assert_eq!(third.answer().await, None);
    assert_eq!((house.gauges.refused_total(), house.gauges.accepted_total()), (1, 2));

    house.gate.open.add_permits(2);
    assert_eq!(one.answer().await.unwrap().body, b"passed");
    assert_eq!(two.answer().await.unwrap().body, b"passed");
    assert_eq!(house.client().await.ask(GET).await.status, 200);
}

#[tokio::test]
async fn a_client_that_hangs_up_gives_its_place_back() {
    let house = House::open(Limits::default());
    for _ in 0..10 {
        let mut client = house.client().await;
        assert_eq!(client.ask(GET).await.status, 200);
    }
    let mut waiting = house.client().await;
    waiting.send(GATE).await;
    house.at_the_gate(1).await;
    drop(waiting);
    eventually("all gone", || house.gauges.open_connections() == 0).await;
    assert_eq!(house.gauges.accepted_total(), 11);
    assert_eq!(house.gauges.timed_out_total(), 0);
}
