//! Answering a challenge: load, let the rule decide, write what it decided.

use super::{
    at, event_of_factor, factor_binding, guard_of, kind_of, maybe_at, on_challenge,
    open_challenge::{number_digest, number_of},
    step_param, user_budget, user_of, wrong_attempts_of,
};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{
        ACCEPT_ON_FACTOR, CHALLENGE_TO_ANSWER, CHARGE_FACTOR, CHARGE_USER, MARK_VERIFIED, SPEND_ATTEMPT,
    },
    step::{Company, change_one},
};
use domain::{
    challenge::{Accepted, Answered, Challenge, Limits, Proof, Verdict, answer},
    environment::Scope,
    event::{Actor, EventKind},
    factor::FactorKind,
    guard::Rules,
    id::{ChallengeId, FactorId},
    phone::PhoneNumber,
    refusal::{FieldError, Refusal},
    time::Timestamp,
    user_id::UserId,
};
use secrets::{Digest, KeyRing, Submitted, TotpSeed};
use std::sync::Arc;

/// The step.
pub struct AnswerChallenge {
    /// In which environment.
    pub scope: Scope,
    /// By whom.
    pub actor: Actor,
    /// The time of the request.
    pub now: Timestamp,
    /// Which challenge.
    pub challenge: ChallengeId,
    /// The code as read, or what is wrong with the request, to be told once the challenge is known to exist (W6).
    pub submitted: Result<Submitted, Vec<FieldError>>,
    /// The environment's limits.
    pub limits: Limits,
    /// The environment's guard: whether a text that was verified is counted, and which numbers are for tests.
    pub rules: Arc<Rules>,
    /// Opens the seed, digests the code.
    pub ring: KeyRing,
}

/// What the caller is told, and what metrics count.
#[derive(Debug)]
pub struct Told {
    /// Whether the code was right.
    pub valid: bool,
    /// The challenge's factor.
    pub factor: FactorId,
    /// Its type.
    pub kind: FactorKind,
    /// When the challenge ends.
    pub expires_at: Timestamp,
    /// What the trail was told.
    pub events: Vec<EventKind>,
}

type Row = (
    [u8; 16],
    i64,
    u32,
    Option<i64>,
    Option<[u8; 32]>,
    Option<Vec<u8>>,
    Option<String>,
    String,
    Option<Vec<u8>>,
    u32,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Vec<u8>,
);

impl Step for AnswerChallenge {
    type Out = Result<Told, Refusal>;

    const COMPANY: Company = Company::Answering;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Out, Failure> {
        let environment = self.scope.environment();
        let params = [Param::Bytes(self.challenge.bytes()), Param::Bytes(environment.bytes())];
        let Some(row) = tx.one::<Row>(&CHALLENGE_TO_ANSWER, &params).await? else {
            return Ok(Err(Refusal::ChallengeNotFound));
        };
        let submitted = match &self.submitted {
            Ok(submitted) => submitted,
            Err(problems) => return Ok(Err(Refusal::Invalid(problems.clone()))),
        };
        let (
            factor,
            expires_at,
            attempts_used,
            verified_at,
            digest,
            wrong_before,
            user,
            kind,
            sealed,
            wrong,
            locked,
            last,
            first,
            open,
        ) = row;
        let factor = FactorId::from_bytes(factor);
        let kind = kind_of(&kind)?;
        let challenge = Challenge {
            id: self.challenge,
            expires_at: Timestamp::from_millis(expires_at),
            attempts_used,
            verified_at: verified_at.map(Timestamp::from_millis),
            wrong: wrong_attempts_of(wrong_before.as_deref())?,
        };
        let guard = guard_of(wrong, locked, last, first, &open)?;
        let user = user_of(user)?;
        let budget = user_budget(tx, self.scope, user.as_ref()).await?;

        let secret = self.secret(kind, factor, sealed.as_deref(), digest)?;
        let proof = match &secret {
            Secret::Seed(seed) => Proof::Totp(seed),
            Secret::Sent(digest) => Proof::Sent(&self.ring, digest),
        };
        match answer(&challenge, &guard, budget.as_ref(), &proof, submitted, self.limits, self.now) {
            Err(refusal) => Ok(Err(refusal)),
            Ok(answered) => {
                let number = match kind {
                    FactorKind::Sms => self.counted_number(factor, sealed.as_deref())?,
                    FactorKind::Totp | FactorKind::GenericOtp => None,
                };
                self.write(tx, factor, user.as_ref(), &answered, number.as_ref()).await?;
                Ok(Ok(Told {
                    valid: matches!(answered.verdict, Verdict::Right(_)),
                    factor,
                    kind,
                    expires_at: challenge.expires_at,
                    events: answered.events,
                }))
            }
        }
    }
}

enum Secret {
    Seed(TotpSeed),
    Sent(Digest),
}

impl AnswerChallenge {
    fn secret(
        &self,
        kind: FactorKind,
        factor: FactorId,
        sealed: Option<&[u8]>,
        digest: Option<[u8; 32]>,
    ) -> Result<Secret, Failure> {
        match kind {
            FactorKind::Totp => {
                let sealed = sealed.ok_or_else(|| Failure::internal("a totp factor has no seed"))?;
                let environment = self.scope.environment();
                let plain =
                    self.ring.open_sealed(&factor_binding(environment.bytes(), factor.bytes()), sealed)?;
                TotpSeed::from_bytes(&plain)
                    .map(Secret::Seed)
                    .ok_or_else(|| Failure::internal("a stored seed is not one"))
            }
            FactorKind::Sms | FactorKind::GenericOtp => digest
                .and_then(|d| Digest::from_slice(&d))
                .map(Secret::Sent)
                .ok_or_else(|| Failure::internal("a challenge has no digest of its code")),
        }
    }

    async fn write<T: Tx>(
        &self,
        tx: &mut T,
        factor: FactorId,
        user: Option<&UserId>,
        answered: &Answered,
        number: Option<&PhoneNumber>,
    ) -> Result<(), Failure> {
        let environment = self.scope.environment();
        let environment = Param::Bytes(environment.bytes());
        let challenge = &answered.challenge;
        let wrong = challenge.wrong.to_bytes();
        let spent = [
            Param::Bytes(challenge.id.bytes()),
            environment,
            Param::Int(i64::from(challenge.attempts_used)),
            maybe_at(challenge.verified_at),
            Param::MaybeBytes(wrong.as_deref()),
        ];
        change_one(tx, &SPEND_ATTEMPT, &spent).await?;
        match &answered.verdict {
            Verdict::Right(accepted) => {
                self.accept(tx, factor, accepted, answered).await?;
                if let Some(number) = number.filter(|_| self.rules.counts) {
                    self.count_verified(tx, number).await?;
                }
            }
            Verdict::Wrong(_) => {
                let budget = answered.guard.budget;
                let open = answered.guard.open.to_bytes();
                let charged = [
                    Param::Bytes(factor.bytes()),
                    environment,
                    Param::Int(i64::from(budget.wrong_in_a_row)),
                    maybe_at(budget.locked_until),
                    Param::Bytes(&open),
                ];
                change_one(tx, &CHARGE_FACTOR, &charged).await?;
                if let (Some(user), Some(budget)) = (user, &answered.user) {
                    let wrong_at = budget.to_bytes();
                    let params = [environment, Param::Text(user.as_str()), Param::Bytes(&wrong_at)];
                    change_one(tx, &CHARGE_USER, &params).await?;
                }
            }
        }
        let is_test = number.is_some_and(|number| self.rules.is_for_tests(number));
        for kind in &answered.events {
            let kind = if is_test { EventKind::OnTestNumber(Box::new(kind.clone())) } else { kind.clone() };
            let event = event_of_factor(self.scope, &self.actor, self.now, factor, user, kind);
            tx.record(on_challenge(event, challenge.id));
        }
        Ok(())
    }

    /// The factor's number, if anything depends on it.
    fn counted_number(
        &self,
        factor: FactorId,
        sealed: Option<&[u8]>,
    ) -> Result<Option<PhoneNumber>, Failure> {
        if !self.rules.counts && self.rules.test_numbers.is_empty() {
            return Ok(None);
        }
        let sealed = sealed.ok_or_else(|| Failure::internal("an sms factor has no number"))?;
        number_of(&self.ring, self.scope.environment(), factor, sealed).map(Some)
    }

    /// The text of this challenge was no waste. One of before the guard counted is not found.
    async fn count_verified<T: Tx>(&self, tx: &mut T, number: &PhoneNumber) -> Result<(), Failure> {
        let environment = self.scope.environment();
        let digest = number_digest(&self.ring, environment, number);
        let verified = [
            Param::Bytes(environment.bytes()),
            Param::Bytes(digest.as_bytes()),
            Param::Bytes(self.challenge.bytes()),
            at(self.now),
        ];
        tx.exec(&MARK_VERIFIED, &verified).await.map(drop)
    }

    /// Records an acceptance, for which there must be evidence. The statement's own condition keeps the last step from
    /// falling, whatever has been read before (I5).
    async fn accept<T: Tx>(
        &self,
        tx: &mut T,
        factor: FactorId,
        accepted: &Accepted,
        answered: &Answered,
    ) -> Result<(), Failure> {
        let environment = self.scope.environment();
        let open = answered.guard.open.to_bytes();
        let params = [
            Param::Bytes(factor.bytes()),
            Param::Bytes(environment.bytes()),
            step_param(accepted.step()),
            at(answered.guard.verified_at.unwrap_or(self.now)),
            Param::Bytes(&open),
        ];
        change_one(tx, &ACCEPT_ON_FACTOR, &params).await
    }
}
