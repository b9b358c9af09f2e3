//! What the binary may watch, to count it.

use app::Verified;
use axum::http::Method;
use std::sync::Arc;

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
}

/// Watches requests and verdicts. Called on the way out of a request, so it must be quick and must not block.
pub trait Watch: Send + Sync {
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
