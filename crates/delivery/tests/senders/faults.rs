//! What goes wrong on the way: before a byte of a request was written it surely was not sent, and after that nobody knows.

use crate::{
    double::{Double, Reply},
    kind, send,
};
use countersign_delivery::{
    Sender as _, Sent,
    generic::{Generic, Options},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, task::JoinSet};

/// Waits long enough for a busy machine.
fn patient(url: &str) -> Generic {
    waiting(url, Duration::from_secs(20))
}

/// Soon has waited enough.
fn sender(url: &str) -> Generic {
    waiting(url, Duration::from_millis(300))
}

fn waiting(url: &str, wait: Duration) -> Generic {
    let options = Options {
        url: format!("{url}/send"),
        headers: vec![("content-type".into(), "application/json".into())],
        body: Some(r#"{"to":"{{to}}","text":"{{text}}"}"#.into()),
        ..Options::default()
    };
    Generic::new(options, wait, None).unwrap()
}

const HEAD: &str = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n";

#[tokio::test]
async fn w11_fault_14_what_was_written_and_not_answered_is_of_unknown_outcome() {
    let replies = [
        ("no answer", Reply::Hang),
        ("cut after the request", Reply::Cut),
        ("cut in the head", Reply::Raw(b"HTTP/1.1 201 Cre".to_vec())),
        ("not HTTP", Reply::Raw(b"220 smtp.example.com ESMTP\r\n".to_vec())),
        ("an endless head", Reply::Raw([HEAD.as_bytes(), "x: y\r\n".repeat(20_000).as_bytes()].concat())),
        ("a status that is none", Reply::Raw(b"HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n".to_vec())),
        ("a redirect after a post", Reply::Raw(b"HTTP/1.1 303 See Other\r\nlocation: /x\r\n\r\n".to_vec())),
    ];
    for (story, reply) in replies {
        let double = Double::new(move |_| reply.clone()).await;
        let started = Instant::now();
        assert_eq!(kind(&send(&sender(&double.url), "+14155550101").await), "unknown", "{story}");
        assert!(started.elapsed() < Duration::from_secs(3), "{story}");
        assert_eq!(double.seen().len(), 1, "{story}: sent once");
    }
}

#[tokio::test]
async fn w11_fault_14_where_nobody_could_be_reached_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(kind(&send(&sender(&gone), "+14155550101").await), "busy");
    assert!(sender(&gone).check().await.is_err());
    let redirects =
        Double::new(|_| Reply::Raw(b"HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:1/\r\n\r\n".to_vec()));
    assert_eq!(kind(&send(&sender(&redirects.await.url), "+14155550101").await), "unusable");
}

#[tokio::test]
async fn a_body_that_is_huge_or_cut_off_is_not_read_to_its_end() {
    let huge = format!("{HEAD}content-length: 1000000000\r\n\r\n{}", "x".repeat(200_000));
    let cut = format!("{HEAD}content-length: 100\r\n\r\n{{");
    for raw in [huge, cut] {
        let double = Double::new(move |_| Reply::Raw(raw.clone().into_bytes())).await;
        // The status has said it: without a rule about the body, that is enough.
        assert_eq!(send(&patient(&double.url), "+14155550101").await, Sent::Accepted(None));
    }
}

#[tokio::test]
async fn messages_to_a_provider_that_hangs_do_not_wait_for_each_other() {
    let double = Double::new(|_| Reply::Hang).await;
    let sender = Arc::new(sender(&double.url));
    let started = Instant::now();
    let mut all = JoinSet::new();
    for _ in 0..20 {
        let sender = Arc::clone(&sender);
        all.spawn(async move { send(&*sender, "+14155550101").await });
    }
    assert!(all.join_all().await.iter().all(|sent| kind(sent) == "unknown"));
    assert!(started.elapsed() < Duration::from_secs(5), "one after the other they would take 6 s");
}

#[tokio::test]
async fn a_connection_is_used_again_and_one_that_was_closed_meanwhile_costs_nothing() {
    let double = Double::new(|_| Reply::Json(201, "{}".into())).await;
    let one = patient(&double.url);
    for _ in 0..5 {
        assert_eq!(kind(&send(&one, "+14155550101").await), "accepted");
    }
    assert_eq!((double.seen().len(), double.connections()), (5, 1));
    // Every answer is the last on its connection, but does not say so.
    let closing =
        Double::new(|_| Reply::Raw(b"HTTP/1.1 201 X\r\ncontent-length: 2\r\n\r\n{}".to_vec())).await;
    let two = patient(&closing.url);
    for _ in 0..5 {
        assert_eq!(kind(&send(&two, "+14155550101").await), "accepted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((closing.seen().len(), closing.connections()), (5, 5));
}

#[tokio::test]
async fn fault_14_a_thousand_ambiguous_outcomes_are_a_thousand_requests() {
    let count = AtomicU32::new(0);
    let double = Double::new(move |_| match count.fetch_add(1, Relaxed) % 5 {
        0 => Reply::Cut,
        1 => Reply::Json(500, "{}".into()),
        2 => Reply::Json(504, String::new()),
        3 => Reply::Raw(b"HTTP/1.1 2".to_vec()),
        _ => Reply::Json(201, "{}".into()),
    })
    .await;
    let sender = patient(&double.url);
    let mut outcomes = std::collections::BTreeMap::new();
    for _ in 0..1_000 {
        *outcomes.entry(kind(&send(&sender, "+14155550101").await)).or_insert(0) += 1;
    }
    assert_eq!(double.seen().len(), 1_000, "{outcomes:?}");
    assert_eq!(outcomes, [("accepted", 200), ("unknown", 800)].into());
}
