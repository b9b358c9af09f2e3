//! Opening a challenge, with the message it owes if the factor is a phone number.

mod counting;

pub use counting::Guarded;

use super::{
    at, delivery_binding, factor_binding, guard_of, kind_of, on_challenge, owed_text, user_budget, user_of,
};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{
        CREATE_CHALLENGE, CREATE_DELIVERY, GUARD_OF_FACTOR, LIST_OPEN_CHALLENGE, NTH_LATEST_SEND,
        RECENT_SENDS_TO_NUMBER,
    },
    step::{Company, change_one},
};
use domain::{
    challenge::{Limits, SENT_CODE_LIFETIME_SECONDS, may_be_tried, sent_code_digest},
    delivery::{Channel, LEASE_SECONDS, refused_until},
    environment::Scope,
    event::EventKind,
    factor::{FactorKind, Guard},
    guard::Tested,
    id::{ChallengeId, DeliveryId, EnvironmentId, FactorId},
    phone::{PhoneNumber, PrefixRules},
    refusal::{FieldError, Refusal},
    segments::segments,
    settings::SmsLimits,
    sms_template::SmsTemplate,
    text::echo_value,
    time::Timestamp,
    user_budget::{SPAN_SECONDS, UserBudget},
    user_id::UserId,
};
use secrets::{Code, Digest, Entropy, KeyRing};
use std::sync::Arc;
use zeroize::Zeroizing;

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
    /// Its guard.
    pub guard: Guarded,
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

/// The number in a factor's sealed value.
pub(super) fn number_of(
    ring: &KeyRing,
    environment: EnvironmentId,
    factor: FactorId,
    sealed: &[u8],
) -> Result<PhoneNumber, Failure> {
    let plain = ring.open_sealed(&factor_binding(environment.bytes(), factor.bytes()), sealed)?;
    std::str::from_utf8(&plain)
        .ok()
        .and_then(|text| PhoneNumber::from_e164_trusted(text.to_owned()))
        .ok_or_else(|| Failure::internal("a stored phone number is not one"))
}

/// The phone that a message is asked for.
struct Asked<'a> {
    guard: &'a Guard,
    user: Option<&'a UserId>,
    budget: Option<&'a UserBudget>,
    sealed: &'a [u8],
}

/// What came of asking for one.
struct Owed {
    /// Of the code.
    digest: Digest,
    /// A test number is sent nothing.
    is_sent: bool,
}

impl Step for OpenChallenge {
    type Out = Result<Opened, Refusal>;

    const COMPANY: Company = Company::Opening;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Out, Failure> {
        type Row =
            (Option<String>, String, Option<Vec<u8>>, u32, Option<i64>, Option<i64>, Option<i64>, Vec<u8>);
        self.guard.begin();
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
                let user = user_of(user)?;
                let budget = user_budget(tx, self.scope, user.as_ref()).await?;
                let asked =
                    Asked { guard: &guard, user: user.as_ref(), budget: budget.as_ref(), sealed: &sealed };
                match self.owe_message(tx, &asked, opened.expires_at).await? {
                    Err(refusal) => return Ok(Err(refusal)),
                    Ok(Owed { digest, is_sent }) => {
                        opened.delivery = is_sent.then_some(self.delivery);
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

    /// Checks what a message needs (W8, W10, W11) and writes that it is owed.
    async fn owe_message<T: Tx>(
        &self,
        tx: &mut T,
        asked: &Asked<'_>,
        expires_at: Timestamp,
    ) -> Result<Result<Owed, Refusal>, Failure> {
        let template = match &self.template {
            Ok(given) => given.as_ref().unwrap_or(&self.policy.default_template),
            Err(problems) => return Ok(Err(Refusal::Invalid(problems.clone()))),
        };
        let environment = self.scope.environment();
        let number = number_of(&self.ring, environment, self.factor, asked.sealed)?;
        let invalid = || Ok(Err(Refusal::InvalidPhoneNumber(echo_value(number.reveal()).into_owned())));
        if !self.policy.prefixes.permits(&number) {
            return invalid();
        }
        let tested = self.guard.rules.tested(&number, self.guard.mode, self.now);
        match tested {
            Tested::Over => return invalid(),
            Tested::Yes(_) => {}
            Tested::No => {
                if let Some(refusal) = self.judge_number(tx, &number) {
                    return Ok(Err(refusal));
                }
            }
        }
        match may_be_tried(asked.guard, asked.budget, self.policy.limits, self.now) {
            Ok(()) => {}
            Err(Refusal::Locked { retry_after }) => {
                return Ok(Err(Refusal::SmsRateLimited { retry_after: Some(retry_after) }));
            }
            Err(_) => return Ok(Err(Refusal::SmsRateLimited { retry_after: None })),
        }
        if let Tested::Yes(code) = tested {
            let event = self.event(asked.user, EventKind::TestNumberUsed);
            tx.record(on_challenge(event, self.id));
            let digest = sent_code_digest(&self.ring, self.id, code);
            return Ok(Ok(Owed { digest, is_sent: false }));
        }
        let number_digest = number_digest(&self.ring, environment, &number);
        if let Some(refusal) = self.over_limit(tx, &number_digest).await? {
            return Ok(Err(refusal));
        }
        let code = Code::draw(self.entropy.as_ref())?;
        let body = Zeroizing::new(template.render(code.reveal()));
        let user = asked.user.map(UserId::as_str);
        let counted = self.guard.rules.counts.then(|| self.counted(&number, user, segments(&body)));
        if let Some(message) = &counted
            && let Some(refusal) = self.judge_counts(tx, &number_digest, message).await?
        {
            return Ok(Err(refusal));
        }
        let bound_to = delivery_binding(environment.bytes(), self.delivery.bytes());
        let text = owed_text(&code, &body);
        let sealed = self.ring.seal(self.entropy.as_ref(), &bound_to, text.as_bytes())?;
        self.count(tx, &number_digest, counted.as_ref()).await?;
        let owed = [
            Param::Bytes(self.delivery.bytes()),
            Param::Bytes(environment.bytes()),
            Param::Bytes(self.factor.bytes()),
            Param::Bytes(self.id.bytes()),
            Param::Text(Channel::Sms.word()),
            at(expires_at),
            at(self.now.plus_seconds(LEASE_SECONDS)),
            Param::Bytes(&sealed.0),
        ];
        change_one(tx, &CREATE_DELIVERY, &owed).await?;
        Ok(Ok(Owed { digest: sent_code_digest(&self.ring, self.id, &code), is_sent: true }))
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
