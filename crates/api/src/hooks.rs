//! What the binary may watch, to count it.

use app::{StepTimes, Verified};
use axum::http::{HeaderMap, Method};
use domain::id::{ApiKeyId, EnvironmentId};
use std::{sync::Arc, time::Instant};

/// A request that has been answered.
#[derive(Clone, Copy, Debug)]
pub struct RequestDone<'a> {
    /// The route's template, or `unmatched`: never what the caller made up, so it is fit to be a label.
    pub route: &'static str,
    /// The method.
    pub method: &'a Method,
    /// The status of the answer.
    pub status: u16,
    /// From the head of the request to the answer, in microseconds.
    pub micros: u64,
    /// The `x-request-id` of the answer.
    pub request_id: &'a str,
    /// What only a trace has use for, if the request is [traced](Watch::traces).
    pub trace: Option<Trace<'a>>,
}

/// What a trace tells of a request beyond its line in the log.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// When its head was there.
    pub began: Instant,
    /// `traceparent` and `tracestate` as sent (W3C Trace Context), if a valid API key vouches for them: strangers do
    /// not decide what is traced.
    pub context: Option<(&'a str, Option<&'a str>)>,
    /// Whose request it is, if it has a valid key.
    pub caller: Option<(EnvironmentId, ApiKeyId)>,
    /// The verdict, if the request came to one of its own.
    pub verdict: Option<&'a Verified>,
    /// The steps of the store, in order.
    pub steps: &'a [StepTimes],
}

/// The context of a caller's trace.
pub(crate) fn context_in(headers: &HeaderMap) -> Option<(&str, Option<&str>)> {
    let only = |name| {
        let mut all = headers.get_all(name).iter();
        all.next().filter(|_| all.next().is_none())?.to_str().ok()
    };
    only("traceparent").map(|parent| (parent, only("tracestate")))
}

/// Watches requests and verdicts. Called on the way out of a request, so it must be quick and must not block.
pub trait Watch: Send + Sync {
    /// Whether requests are traced. Otherwise nothing is gathered for it.
    fn traces(&self) -> bool {
        false
    }

    /// A request has been answered.
    fn on_request(&self, _done: &RequestDone<'_>) {}

    /// A code has been compared, and the verdict is durable. Not called when an answer is repeated (W7).
    fn on_verdict(&self, _verdict: &Verified) {}
}

struct Nobody;
impl Watch for Nobody {}

/// Who watches; by default nobody.
#[derive(Clone)]
pub struct Hooks(Arc<dyn Watch>);

impl Hooks {
    /// Lets `watch` see every request.
    pub fn new(watch: impl Watch + 'static) -> Self {
        Self(Arc::new(watch))
    }

    pub(crate) fn watch(&self) -> &dyn Watch {
        self.0.as_ref()
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Self::new(Nobody)
    }
}
