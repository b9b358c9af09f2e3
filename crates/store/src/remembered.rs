//! Remembered answers: the first answer to a POST, kept for retries with the same `Idempotency-Key` (W7).
//!
//! A wrapper around a step: it looks the answer up first, and writes it in the same transaction as what it reports. So
//! a retry finds it after a restart and on every node, and two requests at once cannot both be the first.

use crate::{
    Failure,
    columns::Param,
    statements::{FORGET_ANSWER, RECALL_ANSWER, REMEMBER_ANSWER, SETTLE_ANSWER},
    step::{Company, Step, Tx},
};
use domain::{environment::Scope, time::Timestamp};
use secrets::{Binding, Digest, Entropy, KeyRing, Sealed};
use std::sync::Arc;

/// How long an answer is remembered, in seconds (W7).
pub const REMEMBERED_SECONDS: u32 = 120;
/// After this many seconds an answer that is still pending counts as given: its node has died while waiting for a
/// provider, so the outcome is unknown, and for that the answer is the one written first (W11).
const PENDING_SECONDS: u32 = 45;

/// An answer as the edge gave it: status and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body, as sent. May hold enrollment secrets, so it is sealed wherever it rests.
    pub body: Vec<u8>,
}

/// Whether what the edge rendered is final.
pub enum Rendered {
    /// Never to be remembered: 401, 403, 429 and 5xx.
    Not,
    /// To be given again.
    Final(Answer),
    /// To be given again unless a later outcome replaces it: the wait for a provider is still ahead.
    Pending(Answer),
}

/// What recognizes a retry, and how answers are sealed.
#[derive(Clone)]
pub struct Memory {
    /// Over API key, method, path, body and `Idempotency-Key`.
    pub digest: Arc<Digest>,
    /// Whose.
    pub scope: Scope,
    /// Seals the answers.
    pub ring: KeyRing,
    /// For the nonces.
    pub entropy: Arc<dyn Entropy>,
    /// The time of the request.
    pub now: Timestamp,
}

impl Memory {
    fn seal(&self, answer: &Answer) -> Result<Sealed, Failure> {
        let mut plain = Vec::with_capacity(2 + answer.body.len());
        plain.extend_from_slice(&answer.status.to_be_bytes());
        plain.extend_from_slice(&answer.body);
        Ok(self.ring.seal(
            self.entropy.as_ref(),
            &answer_binding(self.scope.environment().bytes(), self.digest.as_bytes()),
            &plain,
        )?)
    }

    fn open(&self, sealed: &[u8]) -> Result<Answer, Failure> {
        let plain = self
            .ring
            .open_sealed(&answer_binding(self.scope.environment().bytes(), self.digest.as_bytes()), sealed)?;
        let (status, body) = plain
            .split_first_chunk::<2>()
            .ok_or_else(|| Failure::internal("a remembered answer is empty"))?;
        Ok(Answer { status: u16::from_be_bytes(*status), body: body.to_vec() })
    }
}

/// Where an answer's seal belongs.
pub(crate) fn answer_binding<'a>(environment: &'a [u8; 16], digest: &'a [u8; 32]) -> Binding<'a> {
    Binding { table: "remembered_answer", column: "sealed", scope: environment, row: digest }
}

/// A step with a memory.
pub struct Remembering<S, F> {
    /// The step.
    pub step: S,
    /// Turns its outcome into the answer to remember.
    pub render: F,
    /// Without one, the step runs as it is.
    pub memory: Option<Memory>,
}

/// What came of it.
pub enum Recalled<T> {
    /// The step ran.
    Fresh(T),
    /// It had run before: this was the answer.
    Again(Answer),
    /// It is running: its answer is not final yet.
    Pending,
}

impl<S, F> Step for Remembering<S, F>
where
    S: Step,
    S::Out: Sync,
    F: Fn(&S::Out) -> Rendered + Send + Sync + 'static,
{
    type Out = Recalled<S::Out>;

    const COMPANY: Company = S::COMPANY;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Out, Failure> {
        let Some(memory) = &self.memory else { return Ok(Recalled::Fresh(self.step.run(tx).await?)) };
        let digest = [Param::Bytes(memory.digest.as_bytes())];
        if let Some((environment, at, pending, sealed)) =
            tx.one::<([u8; 16], i64, i64, Vec<u8>)>(&RECALL_ANSWER, &digest).await?
        {
            let age = memory.now.millis().saturating_sub(at);
            let ours = environment == *memory.scope.environment().bytes();
            if ours && age < i64::from(REMEMBERED_SECONDS) * 1000 {
                return if pending == 1 && age < i64::from(PENDING_SECONDS) * 1000 {
                    Ok(Recalled::Pending)
                } else {
                    Ok(Recalled::Again(memory.open(&sealed)?))
                };
            }
        }
        let out = self.step.run(tx).await?;
        let (answer, pending) = match (self.render)(&out) {
            Rendered::Not => return Ok(Recalled::Fresh(out)),
            Rendered::Final(answer) => (answer, 0),
            Rendered::Pending(answer) => (answer, 1),
        };
        let sealed = memory.seal(&answer)?;
        tx.exec(
            &REMEMBER_ANSWER,
            &[
                Param::Bytes(memory.digest.as_bytes()),
                Param::Bytes(memory.scope.environment().bytes()),
                Param::Int(memory.now.millis()),
                Param::Int(pending),
                Param::Bytes(&sealed.0),
            ],
        )
        .await?;
        Ok(Recalled::Fresh(out))
    }
}

/// Ends a pending answer: with the one that was given, or with none if it is not of the kind that is remembered.
pub struct SettleAnswer {
    /// The same as of the request.
    pub memory: Memory,
    /// What was answered.
    pub answer: Option<Answer>,
}

impl Step for SettleAnswer {
    type Out = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<(), Failure> {
        let digest = Param::Bytes(self.memory.digest.as_bytes());
        let environment = self.memory.scope.environment();
        let environment = Param::Bytes(environment.bytes());
        match &self.answer {
            Some(answer) => {
                let sealed = self.memory.seal(answer)?;
                tx.exec(&SETTLE_ANSWER, &[digest, environment, Param::Bytes(&sealed.0)]).await?;
            }
            None => drop(tx.exec(&FORGET_ANSWER, &[digest, environment]).await?),
        }
        Ok(())
    }
}
