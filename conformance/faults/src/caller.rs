//! A calling service: one connection to each node, asked by turns, and everything it asks and is told goes into the history.
use crate::{
    front::Front,
    history::{Act, Journal, Outcome},
};
use loadgen::{
    clock,
    http::Conn,
    totp,
    wire::{Api, Factor, Refusal, Reply},
};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::timeout;

/// A code to hand in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Guess {
    /// The right one for this step.
    Right(u64),
    /// The n-th wrong one.
    Wrong(u32),
}

/// One caller. Each method returns `None` if no node could be reached, so that nothing was asked.
pub(crate) struct Caller {
    pub(crate) front: Arc<Front>,
    pub(crate) journal: Arc<Journal>,
    /// The node that is asked next comes first.
    nodes: VecDeque<(Arc<Api>, Conn)>,
    pub(crate) patience: Duration,
}

/// An operation on its way.
struct Asked {
    op: usize,
    api: Arc<Api>,
    conn: Conn,
}

impl Caller {
    /// A caller that takes no answer within `patience` for a fault of its own kind.
    pub(crate) fn new(front: &Arc<Front>, journal: &Arc<Journal>, patience: Duration) -> Caller {
        let nodes = front.all().map(|api| (api.clone(), api.conn())).collect();
        Caller { nodes, front: front.clone(), journal: journal.clone(), patience }
    }

    /// Enrolls a factor; `Ok(None)` if that was refused or is unknown.
    pub(crate) async fn enroll(&mut self) -> Option<Option<Factor>> {
        let mut asked = self.ask(Act::Enroll).await?;
        let reply = timeout(self.patience, asked.api.enroll(&mut asked.conn, None)).await;
        let mut factor = None;
        self.end(asked, reply, |f| {
            factor = Some(f.clone());
            Outcome::Enrolled(f.id)
        });
        Some(factor)
    }

    /// Asks whether a factor is there.
    pub(crate) async fn find(&mut self, factor: &Factor) -> Option<Outcome> {
        let mut asked = self.ask(Act::Find { factor: factor.id.clone() }).await?;
        let reply = timeout(self.patience, asked.api.find(&mut asked.conn, &factor.id)).await;
        Some(self.end(asked, reply, |()| Outcome::Found))
    }

    /// Opens a challenge and returns its id; `Some(None)` if that was refused or is unknown.
    pub(crate) async fn open(&mut self, factor: &Factor) -> Option<Option<String>> {
        let mut asked = self.ask(Act::Open { factor: factor.id.clone() }).await?;
        let reply = timeout(self.patience, asked.api.challenge(&mut asked.conn, &factor.id)).await;
        match self.end(asked, reply, Outcome::Opened) {
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
        let mut asked = self.ask(act).await?;
        let reply = timeout(self.patience, asked.api.verify(&mut asked.conn, challenge, &code)).await;
        Some(self.end(asked, reply, Outcome::Verdict))
    }

    /// Connects first: what was never sent is not part of the history. A node that cannot be reached is passed over.
    async fn ask(&mut self, act: Act) -> Option<Asked> {
        for _ in 0..self.nodes.len() {
            let (api, mut conn) = self.nodes.pop_front()?;
            if conn.open().await.is_ok() {
                return Some(Asked { op: self.journal.ask(act), api, conn });
            }
            self.nodes.push_back((api, conn));
        }
        None
    }

    fn end<T>(
        &mut self,
        asked: Asked,
        reply: Result<Reply<T>, tokio::time::error::Elapsed>,
        done: impl FnOnce(T) -> Outcome,
    ) -> Outcome {
        let Asked { op, api, mut conn } = asked;
        let outcome = match reply {
            Ok(Ok(Ok(value))) => done(value),
            Ok(Ok(Err(refusal))) => Outcome::Refused(refusal),
            Ok(Err(e)) if e.kind() == std::io::ErrorKind::InvalidData => {
                Outcome::Refused(Refusal::Other(format!("not HTTP: {e}")))
            }
            Ok(Err(_)) => Outcome::Unknown,
            Err(_) => {
                conn = api.conn();
                Outcome::Refused(Refusal::Other(format!("no answer within {:?}", self.patience)))
            }
        };
        self.journal.end(op, outcome.clone());
        self.nodes.push_back((api, conn));
        outcome
    }
}

/// The step that a phone shows now.
pub(crate) fn this_step() -> u64 {
    clock::step_at(clock::unix_millis())
}
