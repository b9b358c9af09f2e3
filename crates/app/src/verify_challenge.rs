//! Verifying a challenge: routes 5 and 9. The one door (I11).

use crate::{Answer, App, Caller, Failure, Render, open_challenge::limits_of, remember::Ran};
use domain::{
    event::{Actor, EventKind, WrongReason},
    factor::FactorKind,
    id::{ChallengeId, FactorId},
    refusal::{FieldError, Refusal},
    time::Timestamp,
};
use secrets::Submitted;
use store::remembered::Memory;
use store::steps::answer_challenge::{AnswerChallenge, Told};

/// What is told of an answered challenge.
#[derive(Clone, Copy, Debug)]
pub struct Verified {
    /// The challenge.
    pub challenge: ChallengeId,
    /// Its factor.
    pub factor: FactorId,
    /// The type of that.
    pub kind: FactorKind,
    /// When the challenge ends.
    pub expires_at: Timestamp,
    /// Whether the code was right.
    pub valid: bool,
    /// For metrics: the reason if it was wrong, and whether a lock or a stop followed.
    pub wrong: Option<WrongReason>,
    /// Whether this attempt locked the factor or its user, or stopped the factor.
    pub locked: bool,
}

fn told(challenge: ChallengeId, told: &Told) -> Verified {
    let wrong = told.events.iter().find_map(|e| match e {
        EventKind::VerificationFailed(reason) => Some(*reason),
        _ => None,
    });
    let lock = |e: &EventKind| {
        matches!(e, EventKind::FactorLocked { .. } | EventKind::FactorStopped | EventKind::UserLocked { .. })
    };
    Verified {
        challenge,
        factor: told.factor,
        kind: told.kind,
        expires_at: told.expires_at,
        valid: told.valid,
        wrong,
        locked: told.events.iter().any(lock),
    }
}

impl App {
    /// Answers a challenge with a code, or with what is wrong with the request.
    ///
    /// # Errors
    /// A failure, which implies no verdict; a refusal is rendered.
    pub async fn verify_challenge(
        &self,
        caller: &Caller,
        challenge: ChallengeId,
        submitted: Result<Submitted, Vec<FieldError>>,
        memory: Option<Memory>,
        render: Render<Verified>,
    ) -> Result<Answer, Failure> {
        let now = self.now()?;
        let step = AnswerChallenge {
            scope: caller.scope(),
            actor: Actor::ApiKey(caller.key().id),
            now,
            challenge,
            submitted,
            limits: limits_of(caller.environment()),
            rules: self.rules_of(caller.environment()),
            ring: self.ring(),
        };
        let outcome = move |out: &Result<Told, Refusal>| match out {
            Ok(out) => Ok(told(challenge, out)),
            Err(refusal) => Err(refusal.clone()),
        };
        match self.run(caller, memory, step, outcome, |_| false, &render).await? {
            Ran::Again(answer) => Ok(answer),
            Ran::Fresh(result) => Ok(render(&result)),
        }
    }
}
