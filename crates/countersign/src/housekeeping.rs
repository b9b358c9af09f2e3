//! What is done now and then while serving.

mod telling;

use crate::{masters::Masters, metrics::Metrics};
use app::{App, Failure};
use delivery::Worker;
use secrets::{KeyRecord, Purpose};
use std::{sync::Arc, time::Duration};
use store::queries::OldestUnsettledDelivery;
use telling::Telling;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// What another node has changed (API keys, settings, data keys) is obeyed here at once, and after this at the latest: it
/// also is when the connection is lost on which changes are announced.
pub(crate) const OTHERS_EVERY: Duration = Duration::from_millis(800);
const CLOCK_EVERY: Duration = Duration::from_secs(5);
const PURGE_EVERY: Duration = Duration::from_secs(10);
const NOTE_KEYS_EVERY: Duration = Duration::from_secs(60);
const ENVIRONMENTS_EVERY: Duration = Duration::from_secs(600);
/// Between two bites of a purge, so that requests come between them.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs until cancelled. A job that fails is tried again at its next turn.
pub(crate) async fn run(app: App, worker: Worker, metrics: Arc<Metrics>) {
    finish_resealing(&app).await;
    let (mut sweep, mut purge) = (every(SWEEP_EVERY), every(PURGE_EVERY));
    let (mut keys, mut environments) = (every(NOTE_KEYS_EVERY), every(ENVIRONMENTS_EVERY));
    let mut telling = Telling::default();
    let mut purged_to = [0; 16];
    loop {
        tokio::select! {
            _ = sweep.tick() => {
                telling.tell("messages owed", worker.sweep().await.map(drop));
                measure_outbox(&app, &metrics).await;
            }
            _ = purge.tick() => telling.tell("the purge", purge_finished(&app, &mut purged_to).await),
            _ = keys.tick() => telling.tell("when keys were used", app.note_used_keys().await),
            _ = environments.tick() => {
                telling.tell("the purge of environments", app.purge_environments().await);
                // From the oldest again, for what a clock that had gone astray has left there.
                purged_to = [0; 16];
            }
        }
    }
}

fn every(span: Duration) -> Interval {
    let mut ticks = interval(span);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Follows what other nodes change, until cancelled. By itself, for no other job may hold it up.
pub(crate) async fn follow_others(app: App, masters: Arc<Masters>) {
    let (mut ticks, mut telling) = (every(OTHERS_EVERY), Telling::default());
    while app.is_shared() {
        tokio::select! {
            _ = ticks.tick() => {}
            () = app.store().changed() => ticks.reset(),
        }
        telling.tell("the directory", app.reload_directory().await);
        telling.tell("the key ring", app.reload_key_ring(&masters.current()).await);
    }
}

/// Compares the clock with the database's, until cancelled.
pub(crate) async fn watch_clock(app: App, metrics: Arc<Metrics>) {
    let (mut ticks, mut telling) = (every(CLOCK_EVERY), Telling::default());
    while app.is_shared() {
        ticks.tick().await;
        telling.tell("the clock", app.check_clock().await.map(|skew| metrics.clock_skew(skew)));
    }
}

async fn purge_finished(app: &App, from: &mut [u8; 16]) -> Result<(), Failure> {
    while app.purge_finished(from).await? {
        sleep(PAUSE).await;
    }
    Ok(())
}

async fn measure_outbox(app: &App, metrics: &Metrics) {
    let (Ok(now), Ok(oldest)) = (app.now(), app.store().query(OldestUnsettledDelivery).await) else { return };
    let age = oldest.map_or(0, |id| now.millis().saturating_sub(id.created_at().millis()));
    metrics.outbox_age(age);
}

/// A rotation that a stop has cut short is taken up again.
async fn finish_resealing(app: &App) {
    let in_use =
        |keys: Vec<KeyRecord>| keys.iter().filter(|k| k.purpose == Purpose::Seal && !k.retired).count();
    if app.data_keys().await.map_or(0, in_use) < 2 {
        return;
    }
    match app.reseal(&|_| {}).await {
        Ok(done) if done.changed > 0 => {
            tracing::info!(rows = done.changed, "everything is sealed with the newest key")
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "sealing with the newest key is not finished; it goes on at the next start")
        }
    }
}
