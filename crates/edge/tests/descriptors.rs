//! Few descriptors (fault 16). A file of its own with one test, as the limit holds for the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects")]

mod common;

use common::{GET, House};
use countersign_edge::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;

#[tokio::test]
async fn without_descriptors_the_idle_make_room_and_the_door_stays_open() {
    let house = House::open(Limits::default());
    let mut idle = Vec::new();
    for _ in 0..5 {
        let mut client = house.client().await;
        assert_eq!(client.ask(GET).await.status, 200);
        idle.push(client);
    }
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(100), maximum: before.maximum }).unwrap();
    let mut hoard: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // One descriptor for the client's end, none for the server's.
    hoard.pop();
    let mut newcomer = house.client().await;
    assert_eq!(newcomer.ask(GET).await.status, 200);
    assert!(house.gauges.accept_errors_total() > 0);
    assert_eq!(house.gauges.evicted_total(), 5);
    for mut client in idle {
        client.silence().await;
    }
    setrlimit(Resource::Nofile, before).unwrap();
}
