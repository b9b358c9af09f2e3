//! A calling service: one connection, and everything it asks and is told goes into the history.
use crate::history::{Act, Journal, Outcome};
use loadgen::{
    clock,
    http::Conn,
    totp,
    wire::{Api, Factor, Refusal, Reply},
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// A code to hand in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Guess {
    /// The right one for this step.
    Right(u64),
    /// The n-th wrong one.
    Wrong(u32),
}

/// One caller. Each method returns `None` if the server could not be reached, so that nothing was asked.
pub(crate) struct Caller {
    pub(crate) api: Arc<Api>,
    pub(crate) journal: Arc<Journal>,
    conn: Conn,
    patience: Duration,
}

impl Caller {
    /// A caller that takes no answer within `patience` for a fault of its own kind.
    pub(crate) fn new(api: &Arc<Api>, journal: &Arc<Journal>, patience: Duration) -> Caller {
        Caller { conn: api.conn(), api: api.clone(), journal: journal.clone(), patience }
    }

    /// Enrolls a factor; `Ok(None)` if that was refused or is unknown.
    pub(crate) async fn enroll(&mut self) -> Option<Option<Factor>> {
        let op = self.ask(Act::Enroll).await?;
        let reply = timeout(self.patience, self.api.enroll(&mut self.conn, None)).await;
        let mut factor = None;
        self.end(op, reply, |f| {
            factor = Some(f.clone());
            Outcome::Enrolled(f.id)
        });
        Some(factor)
    }

    /// Asks whether a factor is there.
    pub(crate) async fn find(&mut self, factor: &Factor) -> Option<Outcome> {
        let op = self.ask(Act::Find { factor: factor.id.clone() }).await?;
        let reply = timeout(self.patience, self.api.find(&mut self.conn, &factor.id)).await;
        Some(self.end(op, reply, |()| Outcome::Found))
    }

    /// Opens a challenge and returns its id; `Some(None)` if that was refused or is unknown.
    pub(crate) async fn open(&mut self, factor: &Factor) -> Option<Option<String>> {
        let op = self.ask(Act::Open { factor: factor.id.clone() }).await?;
        let reply = timeout(self.patience, self.api.challenge(&mut self.conn, &factor.id)).await;
        match self.end(op, reply, Outcome::Opened) {
            Outcome::Opened(challenge) => Some(Some(challenge)),
            _ => Some(None),
        }
    }

    /// Hands in a code.
    pub(crate) async fn verify(&mut self, factor: &Factor, challenge: &str, guess: Guess) -> Option<Outcome> {
        let (code, step) = match guess {
            Guess::Right(step) => (totp::code(&factor.secret, step)?, Some(step)),
            Guess::Wrong(nth) => (totp::wrong_code(&factor.secret, this_step(), nth)?, None),
        };
        let act = Act::Verify { factor: factor.id.clone(), challenge: challenge.to_owned(), step };
        let op = self.ask(act).await?;
        let reply = timeout(self.patience, self.api.verify(&mut self.conn, challenge, &code)).await;
        Some(self.end(op, reply, Outcome::Verdict))
    }

    /// Connects first: what was never sent is not part of the history.
    async fn ask(&mut self, act: Act) -> Option<usize> {
        self.conn.open().await.ok()?;
        Some(self.journal.ask(act))
    }

    fn end<T>(
        &mut self,
        op: usize,
        reply: Result<Reply<T>, tokio::time::error::Elapsed>,
        done: impl FnOnce(T) -> Outcome,
    ) -> Outcome {
        let outcome = match reply {
            Ok(Ok(Ok(value))) => done(value),
            Ok(Ok(Err(refusal))) => Outcome::Refused(refusal),
            Ok(Err(e)) if e.kind() == std::io::ErrorKind::InvalidData => {
                Outcome::Refused(Refusal::Other(format!("not HTTP: {e}")))
            }
            Ok(Err(_)) => Outcome::Unknown,
            Err(_) => {
                self.conn = self.api.conn();
                Outcome::Refused(Refusal::Other(format!("no answer within {:?}", self.patience)))
            }
        };
        self.journal.end(op, outcome.clone());
        outcome
    }
}

/// The step that a phone shows now.
pub(crate) fn this_step() -> u64 {
    clock::step_at(clock::unix_millis())
}
