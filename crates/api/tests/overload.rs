//! More to do than can be done (F72, F73), with a store that stands still for as long as a test wants.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use countersign_api::{Hooks, RequestDone, Watch};
use edge::Limits;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};
use store::{Failure, Step, Tx, sqlite::QUEUE_MAX};
use testkit::{Answered, TestServer};
use tokio::{task::JoinHandle, time::Instant};

/// Keeps the writer busy until its sender is dropped.
struct StandStill {
    begun: Sender<()>,
    over: Mutex<Receiver<()>>,
}

impl Step for StandStill {
    type Out = ();

    async fn run<T: Tx>(&self, _: &mut T) -> Result<(), Failure> {
        self.begun.send(()).unwrap();
        assert!(self.over.lock().unwrap().recv().is_err(), "it is dropped, and nothing sent");
        Ok(())
    }
}

/// Something for the writer to do.
struct Nothing;

impl Step for Nothing {
    type Out = ();

    async fn run<T: Tx>(&self, _: &mut T) -> Result<(), Failure> {
        Ok(())
    }
}

/// Stops the writer; it goes on once what is returned is dropped.
async fn stop_the_store(server: &TestServer) -> Sender<()> {
    let (begun, has_begun) = channel();
    let (go_on, over) = channel();
    let store = server.app().store().clone();
    tokio::spawn(async move { store.step(StandStill { begun, over: Mutex::new(over) }).await });
    tokio::task::spawn_blocking(move || has_begun.recv()).await.unwrap().unwrap();
    go_on
}

/// Counts the statuses of requests to routes.
#[derive(Clone, Default)]
struct Refused(Arc<AtomicUsize>);

impl Watch for Refused {
    fn on_request(&self, done: &RequestDone<'_>) {
        assert_eq!(done.request_id.len(), 36);
        if done.status == 503 {
            self.0.fetch_add(1, SeqCst);
        }
    }
}

fn assert_busy(answer: &Answered) {
    let body = r#"{"message":"The service is temporarily unavailable.","code":"service_unavailable","retry_after":1}"#;
    assert_eq!((answer.status, answer.text.as_str()), (503, body));
    assert_eq!((answer.header("retry-after"), answer.header("x-request-id").len()), ("1", 36));
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
}

fn enrolling(server: &Arc<TestServer>) -> JoinHandle<Answered> {
    let server = Arc::clone(server);
    tokio::spawn(async move { server.post("/auth/factors/enroll", r#"{"type":"totp"}"#).await })
}

#[tokio::test]
async fn f72_while_the_store_stands_still_a_request_beyond_the_bound_is_told_503_within_50_ms() {
    let seen = Refused::default();
    let limits = Limits { requests: 4, ..Limits::default() };
    let server = Arc::new(TestServer::start_within(Hooks::new(seen.clone()), &limits).await);
    let go_on = stop_the_store(&server).await;
    // From here on time passes only when everybody waits, so a slow machine is not measured.
    tokio::time::pause();
    let in_work: Vec<_> = (0..4).map(|_| enrolling(&server)).collect();
    tokio::task::yield_now().await;
    let began = Instant::now();
    // Nothing is looked at before a request is let in: neither its key nor its body.
    let answers = [
        server.post("/auth/factors/enroll", r#"{"type":"totp"}"#).await,
        server.call_as(None, "GET", "/auth/factors/x", "").await,
    ];
    answers.iter().for_each(assert_busy);
    assert!(began.elapsed() < Duration::from_millis(2 * 50), "{:?}", began.elapsed());
    assert_eq!(seen.0.load(SeqCst), 2, "they are counted like all others");
    // What costs nothing is answered whatever the load.
    assert_eq!(server.call("GET", "/openapi.json", "").await.status, 200);
    assert_eq!(server.call("PUT", "/auth/factors/x", "").await.status, 405);

    tokio::time::resume();
    drop(go_on);
    for request in in_work {
        assert_eq!(request.await.unwrap().status, 201);
    }
    server.enroll(r#"{"type":"totp"}"#).await;
}

#[tokio::test]
async fn f73_when_the_stores_queue_is_full_a_request_is_told_503_at_once_and_served_again_later() {
    let server = Arc::new(TestServer::start().await);
    let go_on = stop_the_store(&server).await;
    tokio::time::pause();
    let waiting: Vec<_> = (0..QUEUE_MAX)
        .map(|_| {
            let store = server.app().store().clone();
            tokio::spawn(async move { store.step(Nothing).await })
        })
        .collect();
    while server.app().store().queue_depth() < QUEUE_MAX {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    assert_busy(&server.post("/auth/factors/enroll", r#"{"type":"totp"}"#).await);
    assert_eq!(began.elapsed(), Duration::ZERO);

    tokio::time::resume();
    drop(go_on);
    for step in waiting {
        step.await.unwrap().unwrap();
    }
    server.enroll(r#"{"type":"totp"}"#).await;
}

#[tokio::test]
async fn f73_requests_that_hang_keep_nobody_else_out_for_long() {
    let limits = Limits { requests: 1, ..Limits::default() };
    let server = Arc::new(TestServer::start_within(Hooks::default(), &limits).await);
    let go_on = stop_the_store(&server).await;
    tokio::time::pause();
    let first = enrolling(&server);
    tokio::task::yield_now().await;
    assert_busy(&server.post("/auth/factors/enroll", r#"{"type":"totp"}"#).await);
    // It no longer counts: whoever waits for long does no work.
    tokio::time::advance(Duration::from_millis(500)).await;
    let second = enrolling(&server);
    tokio::task::yield_now().await;
    assert_eq!(server.app().store().queue_depth(), 2);
    tokio::time::resume();
    drop(go_on);
    assert_eq!((first.await.unwrap().status, second.await.unwrap().status), (201, 201));
}
