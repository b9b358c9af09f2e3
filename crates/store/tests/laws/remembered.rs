//! Remembered answers (W7).

use crate::laws::common::{House, entropy, noon};
use crate::store::{
    Failure, Step, Tx,
    columns::Param,
    remembered::{Answer, Memory, Recalled, Remembering, Rendered, SettleAnswer},
};
use domain::{environment::Scope, time::Timestamp};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

/// Counts how often it runs.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicU32>);

impl Step for Counted {
    type Out = u32;

    async fn run<T: Tx>(&self, _: &mut T) -> Result<u32, Failure> {
        Ok(self.0.fetch_add(1, Relaxed) + 1)
    }
}

fn answer(text: &str) -> Answer {
    Answer { status: 201, body: text.as_bytes().to_vec() }
}

fn memory(house: &House, scope: Scope, request: &'static [u8], now: Timestamp) -> Memory {
    let digest = Arc::new(house.ring.digest("request", &[request]));
    Memory { digest, scope, ring: house.ring.clone(), entropy: entropy(), now }
}

/// What came of it, in words.
async fn run(
    house: &House,
    counted: &Counted,
    memory: Memory,
    render: fn(&u32) -> Rendered,
) -> Result<String, Failure> {
    let step = Remembering { step: counted.clone(), render, memory: Some(memory) };
    Ok(match house.store.step(step).await? {
        Recalled::Fresh(n) => format!("fresh {n}"),
        Recalled::Again(a) => format!("again {} {}", a.status, String::from_utf8(a.body).unwrap()),
        Recalled::Pending => "pending".into(),
    })
}

fn finally(n: &u32) -> Rendered {
    Rendered::Final(answer(&format!("run {n}")))
}
fn pending(n: &u32) -> Rendered {
    Rendered::Pending(answer(&format!("run {n}")))
}
fn never(_: &u32) -> Rendered {
    Rendered::Not
}

#[tokio::test]
async fn w7_the_same_request_gets_the_same_answer_for_two_minutes_and_across_a_restart() {
    let house = House::new().await;
    let counted = Counted::default();
    let at = |house: &House, seconds: u32| memory(house, house.scope(), b"one", noon().plus_seconds(seconds));
    assert_eq!(run(&house, &counted, at(&house, 0), finally).await.unwrap(), "fresh 1");
    assert_eq!(run(&house, &counted, at(&house, 0), finally).await.unwrap(), "again 201 run 1");
    let house = house.reopened().await;
    assert_eq!(run(&house, &counted, at(&house, 119), finally).await.unwrap(), "again 201 run 1");
    assert_eq!(run(&house, &counted, at(&house, 120), finally).await.unwrap(), "fresh 2");
    assert_eq!(run(&house, &counted, at(&house, 239), finally).await.unwrap(), "again 201 run 2");
    let other = memory(&house, house.scope(), b"another", noon());
    assert_eq!(run(&house, &counted, other, finally).await.unwrap(), "fresh 3");
}

#[tokio::test]
async fn w7_what_is_not_to_be_remembered_runs_again() {
    let house = House::new().await;
    let counted = Counted::default();
    for n in 1..=3 {
        let memory = memory(&house, house.scope(), b"one", noon());
        assert_eq!(run(&house, &counted, memory, never).await.unwrap(), format!("fresh {n}"));
    }
    assert_eq!(house.count("SELECT count(*) FROM remembered_answer").await, 0);
}

#[tokio::test]
async fn i12_a_row_of_another_environment_is_never_an_answer_even_with_the_same_digest() {
    let house = House::new().await;
    let counted = Counted::default();
    let ours = || memory(&house, house.scope(), b"one", noon());
    let theirs = || memory(&house, house.foreign_scope(), b"one", noon());
    assert_eq!(run(&house, &counted, ours(), finally).await.unwrap(), "fresh 1");
    assert_eq!(run(&house, &counted, theirs(), finally).await.unwrap(), "fresh 2");
    assert_eq!(run(&house, &counted, theirs(), finally).await.unwrap(), "again 201 run 2");
    // A row whose environment was edited does not open: its seal belongs elsewhere.
    let edit = "UPDATE remembered_answer SET environment_id = $1";
    house.edit(edit, &[Param::Bytes(house.ours.id.bytes())]).await;
    assert!(matches!(run(&house, &counted, ours(), finally).await, Err(Failure::Internal(_))));
}

#[tokio::test]
async fn w11_a_pending_answer_makes_the_retry_wait_until_it_is_settled_or_forgotten() {
    let house = House::new().await;
    let counted = Counted::default();
    let of = |request| memory(&house, house.scope(), request, noon());
    for request in [b"settled".as_slice(), b"forgotten", b"orphaned"] {
        assert!(run(&house, &counted, of(request), pending).await.unwrap().starts_with("fresh"));
        assert_eq!(run(&house, &counted, of(request), pending).await.unwrap(), "pending");
    }
    // Nobody of another environment settles it.
    let foreign = memory(&house, house.foreign_scope(), b"settled", noon());
    house.store.step(SettleAnswer { memory: foreign, answer: Some(answer("forged")) }).await.unwrap();
    assert_eq!(run(&house, &counted, of(b"settled"), pending).await.unwrap(), "pending");

    house.store.step(SettleAnswer { memory: of(b"settled"), answer: Some(answer("sent")) }).await.unwrap();
    assert_eq!(run(&house, &counted, of(b"settled"), pending).await.unwrap(), "again 201 sent");
    // What is settled stays as it is.
    house.store.step(SettleAnswer { memory: of(b"settled"), answer: None }).await.unwrap();
    house.store.step(SettleAnswer { memory: of(b"settled"), answer: Some(answer("late")) }).await.unwrap();
    assert_eq!(run(&house, &counted, of(b"settled"), pending).await.unwrap(), "again 201 sent");

    house.store.step(SettleAnswer { memory: of(b"forgotten"), answer: None }).await.unwrap();
    assert_eq!(run(&house, &counted, of(b"forgotten"), finally).await.unwrap(), "fresh 4");

    // Its node has died: after a while the first answer stands.
    let later = |s| memory(&house, house.scope(), b"orphaned", noon().plus_seconds(s));
    assert_eq!(run(&house, &counted, later(44), pending).await.unwrap(), "pending");
    assert_eq!(run(&house, &counted, later(45), pending).await.unwrap(), "again 201 run 3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn w7_equal_requests_at_once_run_their_step_once() {
    let house = House::new().await;
    let counted = Counted::default();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (house, counted) = (Arc::clone(&house), counted.clone());
        running.spawn(async move {
            let memory = memory(&house, house.scope(), b"one", noon());
            run(&house, &counted, memory, finally).await.unwrap()
        });
    }
    let told = running.join_all().await;
    assert_eq!(told.iter().filter(|t| *t == "fresh 1").count(), 1);
    assert_eq!(told.iter().filter(|t| *t == "again 201 run 1").count(), 63);
    assert_eq!(counted.0.load(Relaxed), 1);
}
