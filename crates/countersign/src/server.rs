//! A running server: the API and what stands beside it, until it is asked to stop.

use crate::{
    callbacks, control, health,
    house::House,
    housekeeping,
    metrics::{self, Metrics, Reporter},
    operator::Operator,
    signals::Signals,
    traces::{self, Traces},
    usage::wrong,
};
use anyhow::{Context as _, bail};
use api::Hooks;
use app::{App, Guards};
use axum::Router;
use delivery::{Routing, Worker, receipts::Receiver};
use edge::{Admission, Gauges, Limits, Listener, Shutdown, TlsFiles, TlsReloader};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How long the store may take to finish what waits for its writer, after the listener has drained.
const CLOSING_WAIT: Duration = Duration::from_millis(500);

/// How it is served.
pub(crate) struct Plan {
    /// Where.
    pub(crate) listen: SocketAddr,
    /// Where metrics are shown, if anywhere.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// TLS, if not left to a proxy.
    pub(crate) tls: Option<TlsFiles>,
    /// The listener's bounds.
    pub(crate) limits: Limits,
    /// Where traces go, if anywhere.
    pub(crate) traces: Option<traces::Settings>,
    /// Which text messages are paid for.
    pub(crate) guard: Guards,
    /// What reads the calls of providers, by their names.
    pub(crate) receivers: BTreeMap<String, Arc<dyn Receiver>>,
    /// Counts log lines dropped.
    pub(crate) dropped_lines: Option<Arc<crate::logs::Lines>>,
}

fn bind(address: SocketAddr, name: &str) -> anyhow::Result<Listener> {
    Listener::bind(address, Listener::BACKLOG)
        .with_context(|| format!("cannot listen on {address}; free it, or choose another with `{name}`"))
}

/// Serves until stopped: then readiness ends, requests in flight are answered, and the store is closed.
///
/// `extra` are routes that only this server has; `announce` is told the address once it is listened on.
///
/// # Errors
/// What keeps it from serving, or why the store can no longer be trusted; the process should end then.
pub(crate) async fn serve(
    house: House,
    plan: Plan,
    routing: Routing,
    extra: impl FnOnce(&App, SocketAddr) -> Router,
    announce: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let signals = Signals::take()?;
    let tls = plan.tls.map(TlsReloader::load).transpose()?;
    let listener = bind(plan.listen, "listen")?;
    let metrics_listener = plan.metrics_listen.map(|at| bind(at, "metrics_listen")).transpose()?;
    let address = listener.address();
    let (traces, farewell) = match plan.traces.as_ref().map(Traces::start).transpose() {
        Ok(started) => started.unzip(),
        Err(e) => return wrong(format!("traces: {e}")),
    };
    let spans = traces.as_ref().map(Traces::queue);
    let shutdown = Shutdown::new();
    let app = house.app.clone();
    let namer = app.clone();
    let listener = listener.with_request_ids(move || api::extend::request_id(&namer));
    let counted = Arc::new(Metrics::new());
    let gauges = Arc::new(Gauges::default());
    let worker = Worker::new(app.clone(), routing, counted.deliveries());
    app.dispatch_through(Arc::new(worker.clone()));
    app.guard_with(plan.guard, counted.guard());

    let admission = Admission::new(&plan.limits);
    let hooks = Hooks::new(Reporter { metrics: Arc::clone(&counted), traces });
    let router = api::router(app.clone(), hooks, Arc::clone(&admission))
        .merge(health::routes(&app, shutdown.clone()))
        .merge(callbacks::routes(&app, plan.receivers, counted.deliveries()))
        .merge(extra(&app, address));
    let mut beside = JoinSet::new();
    let control = control::listen(&house.path()).context("the control socket cannot be made")?;
    beside.spawn(control.serve(Operator::of(&house)));
    beside.spawn(housekeeping::follow_others(app.clone(), Arc::clone(&house.masters)));
    beside.spawn(housekeeping::watch_clock(app.clone(), Arc::clone(&counted)));
    beside.spawn(housekeeping::run(app, worker, Arc::clone(&counted)));
    beside.spawn(signals.obey(shutdown.clone(), tls.clone()));
    if let Some(listener) = metrics_listener {
        let dropped = plan.dropped_lines;
        let page = metrics::router(
            counted,
            house.app.store().clone(),
            Arc::clone(&gauges),
            admission,
            dropped,
            spans,
        );
        let limits = Limits { connections: 16, ..Limits::default() };
        let shown = edge::serve(listener, page, None, limits, Arc::default(), shutdown.clone());
        beside.spawn(async move { drop(shown.await) });
    }

    announce(address);
    let mut fatal = house.fatal.clone();
    let served = edge::serve(listener, router, tls, plan.limits, gauges, shutdown.clone());
    let report = tokio::select! {
        report = served => report?,
        why = fatal.wait_for(Option::is_some) => {
            let why = why.ok().and_then(|why| why.clone()).unwrap_or_default();
            tracing::error!(%why, "the store can no longer be trusted; ending, to recover at the next start");
            bail!("the store can no longer be trusted: {why}");
        }
    };
    tracing::info!(finished = report.finished, cut = report.cut, "stopped");
    beside.shutdown().await;
    if let Some(farewell) = farewell {
        farewell.say().await;
    }
    control::remove(&house.path());
    // A disk that stands still must not keep the process: what has not been answered may be lost.
    let closing = tokio::task::spawn_blocking(move || house.close());
    if tokio::time::timeout(CLOSING_WAIT, closing).await.is_err() {
        tracing::warn!("the store does not close; ending without it");
    }
    Ok(())
}
