//! Opening a challenge, with the message it owes if the factor is a phone number.

use super::{at, delivery_binding, factor_binding, guard_of, kind_of, owed_text, user_budget, user_of};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{
        COUNT_SEND, CREATE_CHALLENGE, CREATE_DELIVERY, GUARD_OF_FACTOR, LIST_OPEN_CHALLENGE, NTH_LATEST_SEND,
        RECENT_SENDS_TO_NUMBER,
    },
    step::{Company, change_one},
};
use domain::{
    challenge::{Limits, SENT_CODE_LIFETIME_SECONDS, may_be_tried, sent_code_digest},
    delivery::{Channel, LEASE_SECONDS, refused_until},
    environment::Scope,
    factor::{FactorKind, Guard},
    id::{ChallengeId, DeliveryId, EnvironmentId, FactorId},
    phone::{PhoneNumber, PrefixRules},
    refusal::{FieldError, Refusal},
    settings::SmsLimits,
    sms_template::SmsTemplate,
    text::echo_value,
    time::Timestamp,
    user_budget::{SPAN_SECONDS, UserBudget},
};
use secrets::{Code, Digest, Entropy, KeyRing};
use std::sync::Arc;

/// The environment's policy on challenges.
#[derive(Clone, Debug)]
pub struct OpenPolicy {
    /// `totp_challenge_ttl`, in seconds.
    pub totp_ttl_seconds: u32,
    /// For locks.
    pub limits: Limits,
    /// `sms_allowed_prefixes`, `sms_denied_prefixes`.
    pub prefixes: PrefixRules,
    /// `sms_per_number`.
    pub per_number: SmsLimits,
    /// `sms_daily_quota`.
    pub daily_quota: u32,
    /// `sms_default_template`.
    pub default_template: SmsTemplate,
}

/// The step.
pub struct OpenChallenge {
    /// In which environment.
    pub scope: Scope,
    /// The time of the request.
    pub now: Timestamp,
    /// Which factor.
    pub factor: FactorId,
    /// The new challenge's id.
    pub id: ChallengeId,
    /// The id of its message, should it owe one.
    pub delivery: DeliveryId,
    /// `sms_template` as read, or what is wrong with it. Looked at only if the factor is a phone number (W11).
    pub template: Result<Option<SmsTemplate>, Vec<FieldError>>,
    /// What else is wrong with the request (W4), to be told once the factor is known to exist (W6).
    pub request: Result<(), Vec<FieldError>>,
    /// The environment's policy.
    pub policy: OpenPolicy,
    /// Opens the number, seals the message, digests the code.
    pub ring: KeyRing,
    /// For the code and the nonce.
    pub entropy: Arc<dyn Entropy>,
}

/// An opened challenge.
pub struct Opened {
    /// When it ends.
    pub expires_at: Timestamp,
    /// Of which type its factor is.
    pub kind: FactorKind,
    /// The code, for generic_otp only: the caller delivers it.
    pub code: Option<Code>,
    /// The message it owes, claimed by this node.
    pub delivery: Option<DeliveryId>,
}

/// The digest by which the limits know a number.
#[must_use]
pub fn number_digest(ring: &KeyRing, environment: EnvironmentId, number: &PhoneNumber) -> Digest {
    ring.digest("sms.number", &[environment.bytes(), number.reveal().as_bytes()])
}

impl Step for OpenChallenge {
    type Out = Result<Opened, Refusal>;

    const COMPANY: Company = Company::Opening;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Out, Failure> {
        type Row =
            (Option<String>, String, Option<Vec<u8>>, u32, Option<i64>, Option<i64>, Option<i64>, Vec<u8>);
        let environment = self.scope.environment();
        let params = [Param::Bytes(self.factor.bytes()), Param::Bytes(environment.bytes())];
        let Some(row) = tx.one::<Row>(&GUARD_OF_FACTOR, &params).await? else {
            return Ok(Err(Refusal::FactorNotFound));
        };
        let (user, kind, sealed, wrong, locked_until, last_step, verified_at, open) = row;
        if let Err(problems) = &self.request {
            return Ok(Err(Refusal::Invalid(problems.clone())));
        }
        let kind = kind_of(&kind)?;
        let guard = guard_of(wrong, locked_until, last_step, verified_at, &open)?;
        let mut opened = Opened {
            expires_at: self.now.plus_seconds(match kind {
                FactorKind::Totp => self.policy.totp_ttl_seconds,
                FactorKind::Sms | FactorKind::GenericOtp => SENT_CODE_LIFETIME_SECONDS,
            }),
            kind,
            code: None,
            delivery: None,
        };
        let digest = match kind {
            FactorKind::Totp => None,
            FactorKind::GenericOtp => {
                let code = Code::draw(self.entropy.as_ref())?;
                let digest = sent_code_digest(&self.ring, self.id, &code);
                opened.code = Some(code);
                Some(digest)
            }
            FactorKind::Sms => {
                let sealed = sealed.ok_or_else(|| Failure::internal("an sms factor has no number"))?;
                let user = user_budget(tx, self.scope, user_of(user)?.as_ref()).await?;
                match self.owe_message(tx, &guard, user.as_ref(), &sealed, opened.expires_at).await? {
                    Err(refusal) => return Ok(Err(refusal)),
                    Ok(digest) => {
                        opened.delivery = Some(self.delivery);
                        Some(digest)
                    }
                }
            }
        };
        self.write(tx, guard, &opened, digest.as_ref()).await?;
        Ok(Ok(opened))
    }
}

impl OpenChallenge {
    async fn write<T: Tx>(
        &self,
        tx: &mut T,
        mut guard: Guard,
        opened: &Opened,
        digest: Option<&Digest>,
    ) -> Result<(), Failure> {
        let environment = self.scope.environment();
        let environment = Param::Bytes(environment.bytes());
        let factor = Param::Bytes(self.factor.bytes());
        let digest = Param::MaybeBytes(digest.map(|d| d.as_bytes().as_slice()));
        let challenge = [Param::Bytes(self.id.bytes()), environment, factor, at(opened.expires_at), digest];
        change_one(tx, &CREATE_CHALLENGE, &challenge).await?;
        guard.open.admit(self.id, opened.expires_at, self.now);
        let open = guard.open.to_bytes();
        change_one(tx, &LIST_OPEN_CHALLENGE, &[factor, environment, Param::Bytes(&open)]).await
    }

    /// Checks what a message needs (W8, W10, W11) and writes that it is owed. Answers the digest of its code.
    async fn owe_message<T: Tx>(
        &self,
        tx: &mut T,
        guard: &Guard,
        user: Option<&UserBudget>,
        sealed: &[u8],
        expires_at: Timestamp,
    ) -> Result<Result<Digest, Refusal>, Failure> {
        let template = match &self.template {
            Ok(given) => given.as_ref().unwrap_or(&self.policy.default_template),
            Err(problems) => return Ok(Err(Refusal::Invalid(problems.clone()))),
        };
        let environment = self.scope.environment();
        let plain =
            self.ring.open_sealed(&factor_binding(environment.bytes(), self.factor.bytes()), sealed)?;
        let number = std::str::from_utf8(&plain)
            .ok()
            .and_then(|text| PhoneNumber::from_e164_trusted(text.to_owned()))
            .ok_or_else(|| Failure::internal("a stored phone number is not one"))?;
        if !self.policy.prefixes.permits(&number) {
            return Ok(Err(Refusal::InvalidPhoneNumber(echo_value(number.reveal()).into_owned())));
        }
        match may_be_tried(guard, user, self.policy.limits, self.now) {
            Ok(()) => {}
            Err(Refusal::Locked { retry_after }) => {
                return Ok(Err(Refusal::SmsRateLimited { retry_after: Some(retry_after) }));
            }
            Err(_) => return Ok(Err(Refusal::SmsRateLimited { retry_after: None })),
        }
        let number_digest = number_digest(&self.ring, environment, &number);
        if let Some(refusal) = self.over_limit(tx, &number_digest).await? {
            return Ok(Err(refusal));
        }
        let code = Code::draw(self.entropy.as_ref())?;
        let text = owed_text(&code, &template.render(code.reveal()));
        let bound_to = delivery_binding(environment.bytes(), self.delivery.bytes());
        let sealed = self.ring.seal(self.entropy.as_ref(), &bound_to, text.as_bytes())?;
        let environment = Param::Bytes(environment.bytes());
        let delivery = Param::Bytes(self.delivery.bytes());
        let send = [environment, Param::Bytes(number_digest.as_bytes()), at(self.now), delivery];
        change_one(tx, &COUNT_SEND, &send).await?;
        let owed = [
            delivery,
            environment,
            Param::Bytes(self.factor.bytes()),
            Param::Bytes(self.id.bytes()),
            Param::Text(Channel::Sms.word()),
            at(expires_at),
            at(self.now.plus_seconds(LEASE_SECONDS)),
            Param::Bytes(&sealed.0),
        ];
        change_one(tx, &CREATE_DELIVERY, &owed).await?;
        Ok(Ok(sent_code_digest(&self.ring, self.id, &code)))
    }

    /// The limits of the number, then the quota of the environment.
    async fn over_limit<T: Tx>(&self, tx: &mut T, number: &Digest) -> Result<Option<Refusal>, Failure> {
        let environment = self.scope.environment();
        let environment = Param::Bytes(environment.bytes());
        let day_ago = at(self.now.minus_seconds(SPAN_SECONDS));
        let limits = self.policy.per_number.as_slice();
        let most = limits.iter().map(|l| l.messages).max().unwrap_or(0);
        let params = [environment, Param::Bytes(number.as_bytes()), day_ago, Param::Int(i64::from(most))];
        let sent = tx.many::<(i64,)>(&RECENT_SENDS_TO_NUMBER, &params).await?;
        let sent: Vec<_> = sent.into_iter().map(|(at,)| Timestamp::from_millis(at)).collect();
        let number_until = limits
            .iter()
            .filter_map(|l| refused_until(&sent, l.messages as usize, l.span_seconds, self.now))
            .max();
        if let Some(until) = number_until {
            return Ok(Some(Refusal::SmsRateLimited { retry_after: Some(until.seconds_until(self.now)) }));
        }
        let Some(before_last) = self.policy.daily_quota.checked_sub(1) else {
            return Ok(Some(Refusal::SmsQuotaReached { retry_after: SPAN_SECONDS }));
        };
        let params = [environment, day_ago, Param::Int(i64::from(before_last))];
        let oldest_that_counts = tx.one::<(i64,)>(&NTH_LATEST_SEND, &params).await?;
        Ok(oldest_that_counts.map(|(at,)| {
            let until = Timestamp::from_millis(at).plus_seconds(SPAN_SECONDS);
            Refusal::SmsQuotaReached { retry_after: until.seconds_until(self.now) }
        }))
    }
}
