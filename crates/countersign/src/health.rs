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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        house::{self, House},
        masters::Masters,
    };
    use app::{ClockGuard, Options};
    use secrets::{MasterKey, SystemEntropy};
    use std::sync::mpsc::{Receiver, channel};
    use store::{Failure, Step, Tx};

    /// Keeps the writer busy until the other end is dropped.
    struct StandStill(std::sync::Mutex<Receiver<()>>);

    impl Step for StandStill {
        type Out = ();

        async fn run<T: Tx>(&self, _: &mut T) -> Result<(), Failure> {
            assert!(self.0.lock().unwrap().recv().is_err());
            Ok(())
        }
    }

    #[tokio::test]
    async fn f72_readiness_ends_when_a_commit_does_not_come_through_and_when_a_stop_has_begun() {
        let folder = tempfile::tempdir().unwrap();
        let masters = Arc::new(Masters::new(MasterKey::generate(&SystemEntropy).unwrap(), None));
        let lock = house::lock(folder.path()).unwrap();
        let house = House::open(lock, None, masters, ClockGuard::system(), Options::default()).await.unwrap();
        let shutdown = Shutdown::new();
        let ready = Ready { app: house.app.clone(), shutdown: shutdown.clone(), last: Mutex::default() };
        assert!(ready.is_ready().await);

        let (go_on, over) = channel();
        let store = house.app.store().clone();
        let stuck = tokio::spawn(async move { store.step(StandStill(std::sync::Mutex::new(over))).await });
        tokio::task::yield_now().await;
        // From here on time passes only when everybody waits.
        tokio::time::pause();
        tokio::time::advance(PROOF_HOLDS).await;
        assert!(!ready.is_ready().await);
        tokio::time::resume();
        drop(go_on);
        stuck.await.unwrap().unwrap();
        *ready.last.lock().await = None;
        assert!(ready.is_ready().await);
        shutdown.stop();
        assert!(!ready.is_ready().await);
        house.close();
    }
}
