//! Enrolling a factor: routes 1 and 6.

use crate::{Answer, App, Caller, Failure, Render, remember::Ran};
use domain::{
    environment::Environment,
    event::Actor,
    factor::{Details, Factor},
    id::{ChallengeId, FactorId},
    label::{LabelField, MAX_URI_BYTES, default_user, totp_label, uri_part},
    phone::PhoneNumber,
    refusal::{FieldError, Refusal},
    text::echo_value,
    time::Timestamp,
    user_id::UserId,
};
use otpauth::{Label, key_uri, qr_data_uri};
use secrets::{Sealed, TotpSeed};
use std::sync::Arc;
use store::remembered::Memory;
use store::steps::{
    enroll_factor::{EnrollFactor, FirstChallenge},
    factor_binding,
};
use zeroize::Zeroizing;

/// A new factor as the caller describes it, by type.
pub enum NewFactor {
    /// A code that the caller delivers itself.
    GenericOtp,
    /// A phone number, as given.
    Sms(String),
    /// An authenticator app.
    Totp {
        /// `totp_issuer`
        issuer: Option<String>,
        /// `totp_user`
        user: Option<String>,
        /// A secret to import, in Base32 as given; `None` for a fresh one.
        secret: Option<String>,
    },
}

/// A request to enroll.
pub struct EnrollRequest {
    /// What.
    pub factor: NewFactor,
    /// For whom.
    pub user: Option<UserId>,
    /// Whether a challenge is opened at once (route 6).
    pub with_challenge: bool,
}

/// An enrolled factor, with what is shown only this once.
pub struct Enrolled {
    /// The factor.
    pub factor: Factor,
    /// Its secrets, for totp.
    pub secrets: Option<TotpSecrets>,
    /// Its first challenge and when that ends, for route 6.
    pub challenge: Option<(ChallengeId, Timestamp)>,
}

/// What an authenticator app needs.
pub struct TotpSecrets {
    /// Base32.
    pub secret: Zeroizing<String>,
    /// `otpauth://…`
    pub uri: Zeroizing<String>,
    /// `data:image/png;base64,…`
    pub qr_code: Zeroizing<String>,
}

fn invalid(field: &'static str, problem: &str) -> Refusal {
    Refusal::Invalid(vec![FieldError::new(field, problem)])
}

impl App {
    /// Enrolls a factor.
    ///
    /// # Errors
    /// A failure; a refusal is rendered.
    pub async fn enroll_factor(
        &self,
        caller: &Caller,
        request: EnrollRequest,
        memory: Option<Memory>,
        render: Render<Arc<Enrolled>>,
    ) -> Result<Answer, Failure> {
        let (id, now) = self.mint()?;
        let (step, enrolled) = match self.prepare(caller, request, FactorId::from_bytes(id), now)? {
            Ok(prepared) => prepared,
            // A function of the request and the settings alone: a retry gets the same without being remembered.
            Err(refusal) => return Ok(render(&Err(refusal))),
        };
        let enrolled = Arc::new(enrolled);
        let outcome = move |out: &Result<(), Refusal>| out.clone().map(|()| Arc::clone(&enrolled));
        match self.run(caller, memory, step, outcome, |_| false, &render).await? {
            Ran::Again(answer) => Ok(answer),
            Ran::Fresh(result) => Ok(render(&result)),
        }
    }

    fn prepare(
        &self,
        caller: &Caller,
        request: EnrollRequest,
        id: FactorId,
        now: Timestamp,
    ) -> Result<Result<(EnrollFactor, Enrolled), Refusal>, Failure> {
        let environment = caller.environment();
        let EnrollRequest { factor, user, with_challenge } = request;
        let made = match factor {
            NewFactor::GenericOtp => Ok((Details::GenericOtp, None, None)),
            NewFactor::Sms(number) => self.phone(environment, id, &number)?,
            NewFactor::Totp { issuer, user: label_user, secret } => self.totp(
                environment,
                id,
                user.as_ref(),
                (issuer.as_deref(), label_user.as_deref()),
                secret.as_deref(),
            )?,
        };
        let (details, sealed, secrets) = match made {
            Ok(made) => made,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let challenge = if with_challenge {
            let (challenge, _) = self.mint()?;
            let ttl = environment.settings.totp_challenge_ttl;
            let challenge = ChallengeId::from_bytes(challenge);
            Some((challenge, challenge.created_at().plus_seconds(ttl)))
        } else {
            None
        };
        let label = match &details {
            Details::Totp(label) => Some((label.issuer.clone(), label.user.clone())),
            Details::GenericOtp | Details::Sms(_) => None,
        };
        let for_tests = match &details {
            Details::Sms(number) => self.rules_of(environment).is_for_tests(number),
            Details::GenericOtp | Details::Totp(_) => false,
        };
        let step = EnrollFactor {
            scope: caller.scope(),
            actor: Actor::ApiKey(caller.key().id),
            now,
            id,
            kind: details.kind(),
            user: user.clone(),
            label,
            sealed,
            factors_max: environment.settings.max_factors_per_user.map(Into::into),
            for_tests,
            challenge: challenge.map(|(id, expires_at)| FirstChallenge { id, expires_at }),
        };
        let factor = Factor { id, user, details, verified_at: None, budget: Default::default() };
        Ok(Ok((step, Enrolled { factor, secrets, challenge })))
    }

    fn seal(&self, environment: &Environment, id: FactorId, plain: &[u8]) -> Result<Sealed, Failure> {
        let bound_to = factor_binding(environment.id.bytes(), id.bytes());
        Ok(self.ring().seal(self.entropy().as_ref(), &bound_to, plain)?)
    }

    fn phone(&self, environment: &Environment, id: FactorId, given: &str) -> Result<Made, Failure> {
        let refused = || Refusal::InvalidPhoneNumber(echo_value(given).into_owned());
        let number = PhoneNumber::parse(given).ok();
        let Some(number) = number.filter(|n| environment.settings.sms_prefixes.permits(n)) else {
            return Ok(Err(refused()));
        };
        let sealed = self.seal(environment, id, number.reveal().as_bytes())?;
        Ok(Ok((Details::Sms(number), Some(sealed), None)))
    }

    fn totp(
        &self,
        environment: &Environment,
        id: FactorId,
        user: Option<&UserId>,
        (issuer, label_user): (Option<&str>, Option<&str>),
        import: Option<&str>,
    ) -> Result<Made, Failure> {
        let id_text = id.to_string();
        let user_default = default_user(user, &id_text);
        let issuer_default = environment.settings.default_totp_issuer.as_deref().unwrap_or(&environment.name);
        let label = match totp_label(issuer, label_user, issuer_default, user_default) {
            Ok(label) => label,
            Err(problems) => {
                let field = |field| match field {
                    LabelField::Issuer => "totp_issuer",
                    LabelField::User => "totp_user",
                };
                let problems = problems.into_iter().map(|(f, problem)| FieldError::new(field(f), problem));
                return Ok(Err(Refusal::Invalid(problems.collect())));
            }
        };
        let seed = match import {
            None => TotpSeed::generate(self.entropy().as_ref())?,
            Some(text) => match TotpSeed::import_base32(text) {
                Some(seed) => seed,
                None => {
                    let problem = "must be Base32 of 16 to 64 characters";
                    return Ok(Err(invalid("totp_secret", problem)));
                }
            },
        };
        let secret = seed.to_base32();
        let (for_issuer, for_user) =
            (uri_part(&label.issuer, issuer_default), uri_part(&label.user, user_default));
        let uri = Zeroizing::new(key_uri(&Label { issuer: &for_issuer, user: &for_user }, &secret));
        if uri.len() > MAX_URI_BYTES {
            let longer = if label.issuer.len() > label.user.len() { "totp_issuer" } else { "totp_user" };
            return Ok(Err(invalid(longer, "is too long: the key URI would exceed 1,024 bytes")));
        }
        let qr_code = qr_data_uri(&uri).map_err(|e| Failure::internal(e.to_string()))?;
        let sealed = self.seal(environment, id, seed.as_bytes())?;
        let secrets = TotpSecrets { secret, uri, qr_code: Zeroizing::new(qr_code) };
        Ok(Ok((Details::Totp(label), Some(sealed), Some(secrets))))
    }
}

/// Of which kind a factor's type is, what is sealed of it, what is shown once; or why not.
type Made = Result<(Details, Option<Sealed>, Option<TotpSecrets>), Refusal>;
