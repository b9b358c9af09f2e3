//! What runs beside the listener: health, housekeeping, signals and the end.

use app::App;
use axum::{Router, http::StatusCode, routing::get};
use delivery::Worker;
use edge::{Gauges, Limits, Listener, Shutdown, TlsReloader};
use std::{sync::Arc, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

/// Between two looks at what is finished or owed.
const EVERY: Duration = Duration::from_secs(5);
/// A commit that takes longer is none, as far as readiness goes.
const COMMIT_WITHIN: Duration = Duration::from_secs(1);
/// A proof of readiness serves this long, so that a flood of questions costs one commit.
const PROOF_FOR: Duration = Duration::from_millis(500);

/// `/healthz` and `/readyz`: neither needs a key.
pub(crate) fn health(router: Router, app: App, shutdown: Shutdown) -> Router {
    let proof: Arc<tokio::sync::Mutex<Option<(Instant, bool)>>> = Arc::default();
    let ready = move || {
        let (app, proof, stopping) =
            (app.clone(), Arc::clone(&proof), shutdown.stage() != edge::Stage::Running);
        async move {
            let mut proof = proof.lock().await;
            let fresh = proof.filter(|(at, _)| at.elapsed() < PROOF_FOR);
            let commits = match fresh {
                Some((_, commits)) => commits,
                None => matches!(timeout(COMMIT_WITHIN, app.prove_commit()).await, Ok(Ok(()))),
            };
            if fresh.is_none() {
                *proof = Some((Instant::now(), commits));
            }
            if commits && !stopping {
                (StatusCode::OK, "ready\n")
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
            }
        }
    };
    router.route("/healthz", get(|| async { "alive\n" })).route("/readyz", get(ready))
}

/// Purges and sweeps, until the process ends.
pub(crate) async fn housekeeping(app: App, worker: Worker) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 0_u64.. {
        ticks.tick().await;
        let mut more = true;
        while more {
            match app.purge_finished().await {
                Ok(left) => more = left,
                Err(e) => {
                    tracing::warn!(error = %e, "a purge was put off");
                    more = false;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if let Err(e) = worker.sweep().await {
            tracing::warn!(error = %e, "a sweep of the outbox was put off");
        }
        if tick.is_multiple_of(12)
            && let Err(e) = app.note_used_keys().await
        {
            tracing::warn!(error = %e, "the use of keys was not noted");
        }
        if tick.is_multiple_of(120)
            && let Err(e) = app.purge_environments().await
        {
            tracing::warn!(error = %e, "a purge was put off");
        }
    }
}

/// Ends on SIGTERM or SIGINT: the first drains, the second cuts. SIGHUP loads the certificate anew.
pub(crate) async fn signals(shutdown: Shutdown, tls: Option<TlsReloader>) -> anyhow::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut hup = signal(SignalKind::hangup())?;
    let mut stopping = false;
    loop {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
            _ = hup.recv() => {
                match tls.as_ref().map(TlsReloader::reload) {
                    Some(Err(e)) => tracing::error!(error = %e, "the old certificate stays"),
                    Some(Ok(())) => tracing::info!("certificate loaded"),
                    None => {}
                }
                continue;
            }
        }
        if stopping {
            shutdown.cut();
        } else {
            stopping = true;
            tracing::info!("stopping");
            shutdown.stop();
        }
    }
}

/// Serves until told to stop, then closes the store.
pub(crate) async fn serve(
    listener: Listener,
    router: Router,
    tls: Option<TlsReloader>,
    opened: crate::open::Opened,
    worker: Worker,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    tokio::spawn(housekeeping(opened.app.clone(), worker));
    tokio::spawn(signals(shutdown.clone(), tls.clone()));
    let report =
        edge::serve(listener, router, tls, Limits::default(), Arc::new(Gauges::default()), shutdown).await?;
    tracing::info!(?report, "stopped");
    drop(opened.app.note_used_keys().await);
    opened.engine.close();
    Ok(())
}

/// Logs to standard output, a line each: as JSON, or readable.
pub(crate) fn logs(json: bool, level: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("COUNTERSIGN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    if json { builder.json().flatten_event(true).init() } else { builder.compact().init() }
}
