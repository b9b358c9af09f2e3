//! What is counted, and the page that shows it. Every handle is made once; a request only adds to it.

mod deliveries;
mod guard;
mod page;
mod store;

pub(crate) use deliveries::Deliveries;
pub(crate) use page::router;

use crate::traces::Traces;
use api::{RequestDone, Watch};
use app::Verified;
use axum::http::Method;
use domain::event::WrongReason;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::sync::{
    Arc, OnceLock, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Seconds, for the latency of requests.
const LATENCY: [f64; 12] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
/// Statuses of the contract; what else there may be is counted as `other`.
const STATUSES: [u16; 15] = [200, 201, 204, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 503];

type Labels = Vec<(&'static str, String)>;

/// The handles of one route, for one method.
struct RouteHandles {
    route: &'static str,
    method: &'static str,
    latency: Histogram,
    by_status: [OnceLock<Counter>; STATUSES.len() + 1],
}

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    latency: Family<Labels, Histogram>,
    routes: RwLock<Vec<Arc<RouteHandles>>>,
    right: Counter,
    /// Wrong verdicts: mismatch, replay, malformed.
    wrong: [Counter; 3],
    locks: Counter,
    outbox_age: Gauge<f64, AtomicU64>,
    deliveries: Arc<deliveries::Deliveries>,
    guard: Arc<guard::Hits>,
    clock_skew: Gauge<f64, AtomicU64>,
}

impl Metrics {
    /// Nothing counted yet.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("countersign");
        let requests = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let make: fn() -> Histogram = || Histogram::new(LATENCY);
        let latency: Family<Labels, Histogram> = Family::new_with_constructor(make);
        let help = "From the head of a request to its answer";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, latency.clone());
        let verdicts: Family<Labels, Counter> = Family::default();
        registry.register("verdicts", "Codes compared, by verdict and reason", verdicts.clone());
        let verdict = |valid: &str, reason: &str| {
            let labels = vec![("valid", valid.to_owned()), ("reason", reason.to_owned())];
            verdicts.get_or_create(&labels).clone()
        };
        let right = verdict("true", "");
        let wrong = [WrongReason::Mismatch, WrongReason::Replay, WrongReason::Malformed]
            .map(|reason| verdict("false", reason.word()));
        let locks = Counter::default();
        let help = "Wrong attempts that locked or stopped a factor, or used up a user's budget";
        registry.register("locks", help, locks.clone());
        let outbox_age = Gauge::default();
        let help = "Age of the oldest message whose outcome is not known";
        registry.register_with_unit("outbox_age", help, Unit::Seconds, outbox_age.clone());
        let deliveries = Arc::new(deliveries::Deliveries::register(&mut registry));
        let guard = Arc::new(guard::Hits::register(&mut registry));
        let clock_skew = Gauge::default();
        let help = "By how much the database's clock is ahead of this machine's; 0 without a database";
        registry.register_with_unit("clock_skew", help, Unit::Seconds, clock_skew.clone());
        let routes = RwLock::default();
        Self {
            registry,
            requests,
            latency,
            routes,
            right,
            wrong,
            locks,
            outbox_age,
            deliveries,
            guard,
            clock_skew,
        }
    }

    /// What hears of messages.
    pub(crate) fn deliveries(&self) -> Arc<deliveries::Deliveries> {
        Arc::clone(&self.deliveries)
    }

    /// What hears of the guard.
    pub(crate) fn guard(&self) -> Arc<guard::Hits> {
        Arc::clone(&self.guard)
    }

    /// Sets by how much the database's clock is ahead, in milliseconds.
    pub(crate) fn clock_skew(&self, millis: i64) {
        #[expect(clippy::cast_precision_loss, reason = "a skew in seconds needs no 53 bits")]
        self.clock_skew.set(millis as f64 / 1000.0);
    }

    /// Sets the age of the oldest message owed, in milliseconds.
    pub(crate) fn outbox_age(&self, millis: i64) {
        #[expect(clippy::cast_precision_loss, reason = "an age in seconds needs no 53 bits")]
        self.outbox_age.set(millis.max(0) as f64 / 1000.0);
    }

    /// The handles of a route; made at its first request. Routes are few: the templates of the route table.
    fn route(&self, route: &'static str, method: &Method) -> Arc<RouteHandles> {
        let method = label_of(method);
        let known = |all: &[Arc<RouteHandles>]| {
            all.iter().find(|r| r.route == route && r.method == method).map(Arc::clone)
        };
        if let Some(found) = known(&self.routes.read().unwrap_or_else(PoisonError::into_inner)) {
            return found;
        }
        let mut all = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        known(&all).unwrap_or_else(|| {
            let labels = vec![("route", route.to_owned()), ("method", method.to_owned())];
            let latency = self.latency.get_or_create(&labels).clone();
            let handles = Arc::new(RouteHandles { route, method, latency, by_status: Default::default() });
            all.push(Arc::clone(&handles));
            handles
        })
    }

    fn count(&self, handles: &RouteHandles, status: u16) {
        let place = STATUSES.iter().position(|s| *s == status).unwrap_or(STATUSES.len());
        let Some(counter) = handles.by_status.get(place) else { return };
        let make = || {
            let status = STATUSES.get(place).map_or_else(|| "other".to_owned(), u16::to_string);
            let labels = [
                ("route", handles.route.to_owned()),
                ("method", handles.method.to_owned()),
                ("status", status),
            ];
            self.requests.get_or_create(&labels.to_vec()).clone()
        };
        counter.get_or_init(make).inc();
    }
}

/// The method as a label: a caller may invent methods, but not make labels of them.
fn label_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// Lets the API report to shared metrics, and to traces if they are configured.
pub(crate) struct Reporter {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) traces: Option<Traces>,
}

impl Watch for Reporter {
    fn traces(&self) -> bool {
        self.traces.is_some()
    }

    fn on_request(&self, done: &RequestDone<'_>) {
        let handles = self.metrics.route(done.route, done.method);
        #[expect(clippy::cast_precision_loss, reason = "a latency needs no 53 bits")]
        handles.latency.observe(done.micros as f64 / 1_000_000.0);
        self.metrics.count(&handles, done.status);
        if let Some(traces) = &self.traces {
            traces.record(done);
        }
    }

    fn on_verdict(&self, verdict: &Verified) {
        let [mismatch, replay, malformed] = &self.metrics.wrong;
        match verdict.wrong {
            _ if verdict.valid => self.metrics.right.inc(),
            Some(WrongReason::Replay) => replay.inc(),
            Some(WrongReason::Malformed) => malformed.inc(),
            Some(WrongReason::Mismatch | WrongReason::Outside { .. }) | None => mismatch.inc(),
        };
        if verdict.locked {
            self.metrics.locks.inc();
        }
    }
}

/// A counter's reading.
pub(crate) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
