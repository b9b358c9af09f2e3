//! Group commit: a step that breaks does not harm its neighbours, and leaves nothing behind.

use crate::common::{House, noon, operator};
use crate::store::{
    Failure, Step, Tx,
    columns::Param,
    statements::{CHARGE_USER, OPEN_USER_BUDGET},
};
use domain::event::{Event, EventKind};
use std::sync::{
    Mutex,
    atomic::Ordering::Relaxed,
    mpsc::{Receiver, Sender, channel},
};

/// Keeps the writer busy until it is told to go on, so that what comes next gathers in one batch.
struct Gate {
    entered: Sender<()>,
    open: Mutex<Receiver<()>>,
}

impl Step for Gate {
    type Out = ();

    async fn run<T: Tx>(&self, _: &mut T) -> Result<(), Failure> {
        self.entered.send(()).unwrap();
        self.open.lock().unwrap().recv().unwrap();
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Well,
    Err,
    Panic,
    Constraint,
    Waits,
}

/// Writes a row and an event, then ends as it is told to.
struct Writes {
    environment: [u8; 16],
    name: String,
    ending: Ending,
}

impl Step for Writes {
    type Out = String;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<String, Failure> {
        let row = [Param::Bytes(&self.environment), Param::Text(&self.name), Param::Bytes(&[])];
        tx.exec(&OPEN_USER_BUDGET, &row).await?;
        let kind = EventKind::EnvironmentCreated(self.name.clone());
        let actor = operator();
        tx.record(Event {
            at: noon(),
            environment: None,
            actor,
            kind,
            factor: None,
            challenge: None,
            user: None,
        });
        match self.ending {
            Ending::Well => Ok(self.name.clone()),
            Ending::Err => Err(Failure::internal("on purpose")),
            Ending::Panic => panic!("on purpose"),
            Ending::Constraint => {
                let null = [row[0], row[1], Param::MaybeBytes(None)];
                tx.exec(&CHARGE_USER, &null).await.map(|_| self.name.clone())
            }
            Ending::Waits => {
                tokio::task::yield_now().await;
                Ok(self.name.clone())
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_a_step_that_breaks_is_rolled_back_whole_and_its_neighbours_commit() {
    let house = House::new().await;
    let (entered, has_entered) = channel();
    let (open, opened) = channel();
    let gate = Gate { entered, open: Mutex::new(opened) };
    let store = house.store.clone();
    let gate = tokio::spawn(async move { store.step(gate).await });
    tokio::task::spawn_blocking(move || has_entered.recv().unwrap()).await.unwrap();

    use Ending::{Constraint, Err, Panic, Waits, Well};
    let endings = [Well, Err, Well, Panic, Well, Constraint, Well, Waits, Well];
    let mut steps = Vec::new();
    for (n, ending) in endings.into_iter().enumerate() {
        let step = Writes { environment: *house.ours.id.bytes(), name: format!("step-{n}"), ending };
        let store = house.store.clone();
        steps.push(tokio::spawn(async move { store.step(step).await }));
        while house.engine.queue_depth() <= n {
            tokio::task::yield_now().await;
        }
    }
    open.send(()).unwrap();
    gate.await.unwrap().unwrap();
    for (n, (ending, step)) in endings.into_iter().zip(steps).enumerate() {
        match (ending, step.await.unwrap()) {
            (Well, Ok(name)) => assert_eq!(name, format!("step-{n}")),
            (Well, told) => panic!("step {n}: {told:?}"),
            (_, told) => assert!(matches!(told, Result::Err(Failure::Internal(_))), "step {n}: {told:?}"),
        }
        let kept = house.count(&format!("SELECT count(*) FROM user_budget WHERE user_id = 'step-{n}'"));
        assert_eq!(kept, i64::from(ending == Well), "step {n}");
    }
    assert_eq!(house.engine.figures().regrouped.load(Relaxed), 1, "they were one batch");
    assert!(house.engine.is_sound());
    // The trail holds the events of those that committed, in an unbroken chain.
    let (entries, broken_at) = house.trail().await;
    assert_eq!(broken_at, None);
    let names = entries.iter().filter_map(|e| e.detail.as_deref()).filter(|d| d.contains("step-"));
    let names: Vec<_> = names.map(|d| d.trim_start_matches("{\"name\":\"").trim_end_matches("\"}")).collect();
    assert_eq!(names, ["step-0", "step-2", "step-4", "step-6", "step-8"]);
}

#[tokio::test]
async fn i8_without_its_key_the_trail_takes_nothing_and_so_nothing_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let (_folder, engine) = crate::common::open(dir.path()).unwrap();
    let store = crate::store::Store::Sqlite(engine.clone());
    let step = crate::store::steps::environments::CreateEnvironment {
        now: noon(),
        actor: operator(),
        id: domain::id::EnvironmentId::from_bytes([1; 16]),
        name: "early".into(),
        mode: domain::environment::Mode::Test,
        client_id: "client_early".into(),
    };
    assert!(matches!(store.step(step).await, Err(Failure::Internal(_))));
    let directory = store.query(crate::store::queries::ReadDirectory).await.unwrap();
    assert!(directory.environments.is_empty());
    engine.close();
    let touch = crate::store::steps::touch::Touch { now: noon() };
    assert!(matches!(store.step(touch).await, Err(Failure::Busy(_))), "a closed store is busy, not broken");
}
