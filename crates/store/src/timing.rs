//! How long the steps of a request took, for whoever asks. Where nobody asks, nothing is measured.

use std::{cell::RefCell, future::Future, pin::pin, time::Instant};

/// Steps that are noted of one request; those beyond are not.
const STEPS_MAX: usize = 8;

tokio::task_local! {
    static STEPS: RefCell<Vec<StepTimes>>;
}

/// When one step was where.
#[derive(Clone, Copy, Debug)]
pub struct StepTimes {
    /// It was asked for.
    pub asked: Instant,
    /// The engine took it up, if it got so far; before that it had waited in the queue.
    pub begun: Option<Instant>,
    /// It was durable, or had failed.
    pub ended: Instant,
    /// Whether it is durable.
    pub durable: bool,
}

/// Runs a future and notes the steps that it awaits, in order. Steps of tasks that it spawns are not its own.
pub async fn timed<F: Future>(future: F) -> (F::Output, Vec<StepTimes>) {
    let mut scope = pin!(STEPS.scope(RefCell::default(), future));
    let out = scope.as_mut().await;
    let steps = scope.take_value().map(RefCell::into_inner);
    (out, steps.unwrap_or_default())
}

/// The present moment, if somebody asks for times.
pub(crate) fn now_if_asked() -> Option<Instant> {
    STEPS.try_with(|_| Instant::now()).ok()
}

/// Notes a step.
pub(crate) fn note(asked: Instant, begun: Option<Instant>, durable: bool) {
    let step = StepTimes { asked, begun, ended: Instant::now(), durable };
    // Outside of `timed` there is nobody to tell.
    let _ = STEPS.try_with(|steps| {
        let mut steps = steps.borrow_mut();
        if steps.len() < STEPS_MAX {
            steps.push(step);
        }
    });
}
