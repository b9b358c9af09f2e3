//! `/healthz` and `/readyz`: is the process there, and would a write come through. Neither needs a key.

use api::extend;
use app::App;
use axum::{Router, response::Response, routing::get};
use edge::{Shutdown, Stage};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};

/// How long a commit may take to count as one.
const PROOF_WAIT: Duration = Duration::from_secs(1);
/// How long an answer holds: a flood of questions costs two commits a second.
const PROOF_HOLDS: Duration = Duration::from_millis(500);

struct Ready {
    app: App,
    shutdown: Shutdown,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Ready {
    async fn is_ready(&self) -> bool {
        if self.shutdown.stage() != Stage::Running {
            return false;
        }
        let mut last = self.last.lock().await;
        if let Some((at, ready)) = *last
            && at.elapsed() < PROOF_HOLDS
        {
            return ready;
        }
        let ready = match tokio::time::timeout(PROOF_WAIT, self.app.prove_commit()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready: a commit failed");
                false
            }
            Err(_) => {
                tracing::warn!("not ready: a commit took more than a second");
                false
            }
        };
        *last = Some((Instant::now(), ready));
        ready && self.shutdown.stage() == Stage::Running
    }
}

fn answer(app: &App, good: bool) -> Response {
    extend::json(
        app,
        if good { 200 } else { 503 },
        &json!({ "status": if good { "ok" } else { "unavailable" } }),
    )
}

/// The two routes.
pub(crate) fn routes(app: &App, shutdown: Shutdown) -> Router {
    let ready = Arc::new(Ready { app: app.clone(), shutdown, last: Mutex::default() });
    let alive = app.clone();
    Router::new().route("/healthz", get(move || std::future::ready(answer(&alive, true)))).route(
        "/readyz",
        get(move || {
            let ready = Arc::clone(&ready);
            async move { answer(&ready.app, ready.is_ready().await) }
        }),
    )
}
