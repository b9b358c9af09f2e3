//! Opening a challenge: routes 4 and 8. A message that is owed goes out after the commit, and the answer waits a little
//! for its first outcome (W11).

use crate::{Answer, App, Caller, Failure, Render, remember::Ran};
use domain::{
    challenge::Limits,
    delivery::DispatchOutcome,
    environment::Environment,
    event::Actor,
    factor::FactorKind,
    id::{ChallengeId, DeliveryId, FactorId},
    refusal::{FieldError, Refusal},
    sms_template::SmsTemplate,
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};
use store::remembered::Memory;
use store::steps::open_challenge::{Guarded, OpenChallenge, OpenPolicy, Opened};
use tokio::sync::oneshot;

/// Sends messages that are owed.
pub trait Dispatcher: Send + Sync {
    /// Dispatches one that this node has just opened. The outcome comes when it is known, and recorded; a sender that
    /// is dropped means that it is not known.
    fn dispatch(&self, delivery: DeliveryId) -> oneshot::Receiver<DispatchOutcome>;
}

/// Before there is one: nobody sends, and nobody says so.
pub(crate) struct NoDispatcher;

impl Dispatcher for NoDispatcher {
    fn dispatch(&self, _: DeliveryId) -> oneshot::Receiver<DispatchOutcome> {
        oneshot::channel().1
    }
}

/// What a request for a challenge says beside its factor.
pub struct ChallengeRequest {
    /// The template as read, or what is wrong with it: it only matters if the factor is a phone number, so it is judged
    /// in the step.
    pub template: Result<Option<SmsTemplate>, Vec<FieldError>>,
    /// Whose address the caller names, as [`domain::guard::address_of`] reads it.
    pub address: Option<Vec<u8>>,
    /// What is wrong with its fields.
    pub problems: Result<(), Vec<FieldError>>,
}

/// An opened challenge, as it is shown.
#[derive(Clone)]
pub struct OpenedChallenge {
    /// Its id.
    pub id: ChallengeId,
    /// Its factor.
    pub factor: FactorId,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The type of its factor.
    pub kind: FactorKind,
    /// The code, for generic_otp only.
    pub code: Option<String>,
    pub(crate) delivery: Option<DeliveryId>,
}

/// The environment's limits on attempts.
pub(crate) fn limits_of(environment: &Environment) -> Limits {
    let settings = &environment.settings;
    Limits { factor_lock_after: settings.factor_lock_after, user_lock_after: settings.user_lock_after }
}

fn policy_of(environment: &Environment) -> OpenPolicy {
    let settings = &environment.settings;
    OpenPolicy {
        totp_ttl_seconds: settings.totp_challenge_ttl,
        limits: limits_of(environment),
        prefixes: settings.sms_prefixes.clone(),
        per_number: settings.sms_per_number.clone(),
        daily_quota: settings.sms_daily_quota,
        default_template: settings.sms_default_template.clone(),
    }
}

impl App {
    /// Opens a challenge of a factor.
    ///
    /// # Errors
    /// A failure; a refusal is rendered.
    pub async fn open_challenge(
        &self,
        caller: &Caller,
        factor: FactorId,
        request: ChallengeRequest,
        memory: Option<Memory>,
        render: Render<OpenedChallenge>,
    ) -> Result<Answer, Failure> {
        let (id, now) = self.mint()?;
        let (delivery, _) = self.mint()?;
        let wait_ms = caller.environment().settings.sms_wait_ms;
        let id = ChallengeId::from_bytes(id);
        let guard = Guarded {
            rules: self.rules_of(caller.environment()),
            mode: caller.environment().mode,
            actor: Actor::ApiKey(caller.key().id),
            address: request.address,
            noticed: Arc::default(),
        };
        let step = OpenChallenge {
            scope: caller.scope(),
            now,
            factor,
            id,
            delivery: DeliveryId::from_bytes(delivery),
            template: request.template,
            request: request.problems,
            policy: policy_of(caller.environment()),
            guard: guard.clone(),
            ring: self.ring(),
            entropy: Arc::clone(self.entropy()),
        };
        let outcome = move |out: &Result<Opened, Refusal>| match out {
            Err(refusal) => Err(refusal.clone()),
            Ok(opened) => Ok(OpenedChallenge {
                id,
                factor,
                expires_at: opened.expires_at,
                kind: opened.kind,
                code: opened.code.as_ref().map(|c| c.reveal().to_owned()),
                delivery: opened.delivery,
            }),
        };
        let waits = wait_ms > 0;
        let pending = move |opened: &OpenedChallenge| waits && opened.delivery.is_some();
        let result = match self.run(caller, memory.clone(), step, outcome, pending, &render).await? {
            Ran::Again(answer) => return Ok(answer),
            Ran::Fresh(result) => result,
        };
        self.tell(&guard.noticed());
        let Some(delivery) = result.as_ref().ok().and_then(|opened| opened.delivery) else {
            return Ok(render(&result));
        };
        let first_outcome = self.0.dispatcher().dispatch_or_unknown(delivery, wait_ms).await;
        let result = match first_outcome {
            DispatchOutcome::Accepted | DispatchOutcome::Unknown => result,
            DispatchOutcome::NotSent => Err(Refusal::SmsNotSent),
            DispatchOutcome::RejectedNumber => {
                Err(Refusal::InvalidPhoneNumber(self.number_of(caller, factor).await?))
            }
        };
        let answer = render(&result);
        if waits {
            self.settle(memory, &answer).await?;
        }
        Ok(answer)
    }

    /// The number of a factor, to be echoed.
    async fn number_of(&self, caller: &Caller, factor: FactorId) -> Result<String, Failure> {
        let found = self.find_factor(caller.scope(), factor).await?;
        Ok(match found.map(|f| f.details) {
            Some(domain::factor::Details::Sms(number)) => number.reveal().to_owned(),
            _ => String::new(),
        })
    }
}

impl crate::start::Inner {
    fn dispatcher(&self) -> &dyn Dispatcher {
        self.dispatcher.get().map_or(&NoDispatcher as &dyn Dispatcher, AsRef::as_ref)
    }
}

impl dyn Dispatcher + '_ {
    /// The first outcome, if it comes in time; else it is unknown.
    async fn dispatch_or_unknown(&self, delivery: DeliveryId, wait_ms: u32) -> DispatchOutcome {
        let outcome = self.dispatch(delivery);
        let wait = Duration::from_millis(wait_ms.into());
        match tokio::time::timeout(wait, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => DispatchOutcome::Unknown,
        }
    }
}
