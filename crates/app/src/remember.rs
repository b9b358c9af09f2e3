//! Running a step for a caller, with or without remembering its answer (W7).

use crate::{Answer, App, Caller, Failure};
use domain::refusal::Refusal;
use sha2::{Digest as _, Sha256};
use std::{pin::Pin, sync::Arc, time::Duration};
use store::{
    Step,
    remembered::{Memory, Recalled, Remembering, Rendered, SettleAnswer},
};

/// Turns an outcome into an answer. Called inside the step if the answer is to be remembered; pure, so it may be called
/// again.
pub type Render<T> = Arc<dyn Fn(&Result<T, Refusal>) -> Answer + Send + Sync>;

/// What makes a request the same as an earlier one.
pub struct Retry<'a> {
    /// The method.
    pub method: &'a str,
    /// The path as sent.
    pub path: &'a str,
    /// The body's bytes.
    pub body: &'a [u8],
    /// The `Idempotency-Key`, checked to be usable.
    pub key: &'a str,
}

/// How often a request that waits for its twin looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long it does so, beyond what the twin may wait for its message.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether an answer is of the kind that is remembered.
fn is_remembered(answer: &Answer) -> bool {
    matches!(answer.status, 200..=299 | 400 | 404 | 422)
}

impl App {
    /// Where the answer to this request is remembered.
    ///
    /// # Errors
    /// While the clock cannot be trusted.
    pub fn memory(&self, caller: &Caller, retry: Option<Retry<'_>>) -> Result<Option<Memory>, Failure> {
        let Some(retry) = retry else { return Ok(None) };
        let now = self.now()?;
        let ring = self.ring();
        let body = Sha256::digest(retry.body);
        let parts: [&[u8]; 5] = [
            caller.key().id.bytes(),
            retry.method.as_bytes(),
            retry.path.as_bytes(),
            body.as_slice(),
            retry.key.as_bytes(),
        ];
        let digest = Arc::new(ring.digest("remembered.answer", &parts));
        let entropy = Arc::clone(self.entropy());
        Ok(Some(Memory { digest, scope: caller.scope(), ring, entropy, now }))
    }

    /// Runs a step and answers with what it came to, or with what it came to the first time.
    ///
    /// `outcome` reads the step's result as what is rendered; `pending` says whether more is to come. The fresh result
    /// is handed back, since more may have to be done about it.
    pub(crate) async fn run<S, T>(
        &self,
        caller: &Caller,
        memory: Option<Memory>,
        step: S,
        outcome: impl Fn(&S::Out) -> Result<T, Refusal> + Send + Sync + Clone + 'static,
        pending: impl Fn(&T) -> bool + Send + Sync + Clone + 'static,
        render: &Render<T>,
    ) -> Result<Ran<T>, Failure>
    where
        S: Step,
        S::Out: Sync,
        T: 'static,
    {
        let Some(memory) = memory else {
            let out = self.durable(step).await?;
            return Ok(Ran::Fresh(outcome(&out)));
        };
        let step = Arc::new(step);
        let patience = PATIENCE + Duration::from_millis(caller.environment().settings.sms_wait_ms.into());
        let looks = patience.as_millis() / LOOK_AGAIN.as_millis();
        for _ in 0..looks {
            let (render, outcome_of, pending) = (Arc::clone(render), outcome.clone(), pending.clone());
            let remembering = Remembering {
                step: Arc::clone(&step),
                render: move |out: &S::Out| {
                    let result = outcome_of(out);
                    let answer = render(&result);
                    match &result {
                        Ok(value) if pending(value) => Rendered::Pending(answer),
                        _ if is_remembered(&answer) => Rendered::Final(answer),
                        _ => Rendered::Not,
                    }
                },
                memory: Some(memory.clone()),
            };
            match self.durable(remembering).await? {
                Recalled::Fresh(out) => return Ok(Ran::Fresh(outcome(&out))),
                Recalled::Again(answer) => return Ok(Ran::Again(answer)),
                Recalled::Pending => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
        Err(Failure::busy("the first of two equal requests is still running"))
    }

    /// One step, behind a pointer: so that whoever awaits it need not prove anew that a step made of closures may move
    /// between threads, which the compiler cannot do once it has forgotten their lifetimes.
    fn durable<S: Step>(
        &self,
        step: S,
    ) -> Pin<Box<dyn Future<Output = Result<S::Out, Failure>> + Send + '_>> {
        Box::pin(self.0.store.step(step))
    }

    /// Ends a pending answer with the one that is given now.
    pub(crate) async fn settle(&self, memory: Option<Memory>, answer: &Answer) -> Result<(), Failure> {
        let Some(memory) = memory else { return Ok(()) };
        let answer = is_remembered(answer).then(|| answer.clone());
        self.0.store.step(SettleAnswer { memory, answer }).await
    }
}

/// What came of a step.
pub(crate) enum Ran<T> {
    /// It ran now.
    Fresh(Result<T, Refusal>),
    /// It had run before; this was the answer.
    Again(Answer),
}
