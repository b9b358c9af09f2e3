//! Group commit: what gathers while the writer is busy is one batch.

use crate::laws::{
    batches::{ENDINGS, Writes, only_what_ended_well_was_kept},
    common::House,
};
use crate::store::{Failure, Step, Tx};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_steps_of_one_batch_commit_without_the_one_that_breaks() {
    let house = House::new().await;
    let (entered, has_entered) = channel();
    let (open, opened) = channel();
    let gate = Gate { entered, open: Mutex::new(opened) };
    let store = house.store.clone();
    let gate = tokio::spawn(async move { store.step(gate).await });
    tokio::task::spawn_blocking(move || has_entered.recv().unwrap()).await.unwrap();

    let mut steps = Vec::new();
    for (n, ending) in ENDINGS.into_iter().enumerate() {
        let step = Writes { environment: *house.ours.id.bytes(), name: format!("step-{n}"), ending };
        let store = house.store.clone();
        steps.push(tokio::spawn(async move { store.step(step).await }));
        while house.store.queue_depth() <= n {
            tokio::task::yield_now().await;
        }
    }
    open.send(()).unwrap();
    gate.await.unwrap().unwrap();
    let mut told = Vec::new();
    for step in steps {
        told.push(step.await.unwrap());
    }
    assert_eq!(house.store.figures().regrouped.load(Relaxed), 1, "they were one batch");
    only_what_ended_well_was_kept(&house, told).await;
}
