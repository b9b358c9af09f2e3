//! The objects of W3 as they are written: fields in the order of the standard, absent ones left out.

use app::{Enrolled, OpenedChallenge, Verified};
use domain::{
    factor::{Details, Factor},
    id::{ChallengeId, FactorId},
    page::Page,
    time::Timestamp,
};
use serde::{Serialize, Serializer};
use std::fmt::Display;
use utoipa::ToSchema;

/// Something that is written as it is displayed.
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The JSON of a value, to be sent.
pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    let mut body = Vec::with_capacity(512);
    // Writing strings, booleans and lists into memory has no way to fail.
    if serde_json::to_writer(&mut body, value).is_err() {
        body.clear();
        body.extend_from_slice(b"{}");
    }
    body
}

/// A factor. `secret`, `qr_code` and `uri` are shown only by the answer that enrolls it.
#[derive(Serialize, ToSchema)]
#[schema(as = AuthenticationFactor)]
pub(crate) struct FactorBody<'a> {
    #[schema(pattern = "^authentication_factor$")]
    object: &'static str,
    #[schema(value_type = String, pattern = "^auth_factor_[0-9A-HJKMNP-TV-Z]{26}$")]
    id: Shown<FactorId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Shown<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Shown<Timestamp>,
    #[serde(rename = "type")]
    #[schema(pattern = "^(generic_otp|sms|totp)$")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sms: Option<SmsBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    totp: Option<TotpBody<'a>>,
}

/// Where text messages go.
#[derive(Serialize, ToSchema)]
#[schema(as = Sms)]
pub(crate) struct SmsBody<'a> {
    /// E.164, with `+`.
    #[schema(pattern = r"^\+[0-9]{8,15}$")]
    phone_number: &'a str,
}

/// What an authenticator app shows, and once what it needs.
#[derive(Serialize, ToSchema)]
#[schema(as = Totp)]
pub(crate) struct TotpBody<'a> {
    issuer: &'a str,
    user: &'a str,
    /// Base32 without padding; shown by the answer to an enrollment, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[A-Z2-7]{16,64}$")]
    secret: Option<&'a str>,
    /// A PNG as a `data:` URI; shown with the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    qr_code: Option<&'a str>,
    /// `otpauth://totp/…`; shown with the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    uri: Option<&'a str>,
}

impl<'a> FactorBody<'a> {
    pub(crate) fn of(factor: &'a Factor) -> Self {
        let created_at = factor.id.created_at();
        let (sms, totp) = match &factor.details {
            Details::GenericOtp => (None, None),
            Details::Sms(number) => (Some(SmsBody { phone_number: number.reveal() }), None),
            Details::Totp(label) => {
                let (issuer, user) = (label.issuer.as_str(), label.user.as_str());
                (None, Some(TotpBody { issuer, user, secret: None, qr_code: None, uri: None }))
            }
        };
        Self {
            object: "authentication_factor",
            id: Shown(factor.id),
            created_at: Shown(created_at),
            updated_at: Shown(created_at),
            kind: factor.details.kind().word(),
            user_id: factor.user.as_ref().map(|user| user.as_str()),
            sms,
            totp,
        }
    }

    pub(crate) fn with_secrets(enrolled: &'a Enrolled) -> Self {
        let mut body = Self::of(&enrolled.factor);
        if let (Some(totp), Some(secrets)) = (&mut body.totp, &enrolled.secrets) {
            totp.secret = Some(&secrets.secret);
            totp.qr_code = Some(&secrets.qr_code);
            totp.uri = Some(&secrets.uri);
        }
        body
    }
}

/// A challenge, as it was created.
#[derive(Serialize, ToSchema)]
#[schema(as = AuthenticationChallenge)]
pub(crate) struct ChallengeBody<'a> {
    #[schema(pattern = "^authentication_challenge$")]
    object: &'static str,
    #[schema(value_type = String, pattern = "^auth_challenge_[0-9A-HJKMNP-TV-Z]{26}$")]
    id: Shown<ChallengeId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Shown<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Shown<Timestamp>,
    /// The moment from which it is refused.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Shown<Timestamp>,
    /// For `generic_otp` only: the code, to be delivered by the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9]{6}$")]
    code: Option<&'a str>,
    #[schema(value_type = String, pattern = "^auth_factor_[0-9A-HJKMNP-TV-Z]{26}$")]
    authentication_factor_id: Shown<FactorId>,
}

impl<'a> ChallengeBody<'a> {
    fn new(id: ChallengeId, factor: FactorId, expires_at: Timestamp, code: Option<&'a str>) -> Self {
        Self {
            object: "authentication_challenge",
            id: Shown(id),
            created_at: Shown(id.created_at()),
            updated_at: Shown(id.created_at()),
            expires_at: Shown(expires_at),
            code,
            authentication_factor_id: Shown(factor),
        }
    }

    pub(crate) fn opened(opened: &'a OpenedChallenge) -> Self {
        Self::new(opened.id, opened.factor, opened.expires_at, opened.code.as_deref())
    }
}

/// What a verification came to: right code or wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = VerifyAnswer)]
pub(crate) struct VerifyBody<'a> {
    challenge: ChallengeBody<'a>,
    valid: bool,
}

impl<'a> VerifyBody<'a> {
    /// `code` is the code of a generic_otp challenge that was answered rightly.
    pub(crate) fn of(verified: &Verified, code: Option<&'a str>) -> Self {
        let challenge = ChallengeBody::new(verified.challenge, verified.factor, verified.expires_at, code);
        Self { challenge, valid: verified.valid }
    }
}

/// A factor enrolled for a user, with its first challenge.
#[derive(Serialize, ToSchema)]
#[schema(as = UserEnrollment)]
pub(crate) struct UserEnrollmentBody<'a> {
    authentication_factor: FactorBody<'a>,
    #[schema(nullable = false, required = true)]
    authentication_challenge: Option<ChallengeBody<'a>>,
}

impl<'a> UserEnrollmentBody<'a> {
    pub(crate) fn of(enrolled: &'a Enrolled) -> Self {
        let challenge = enrolled.challenge;
        Self {
            authentication_factor: FactorBody::with_secrets(enrolled),
            authentication_challenge: challenge
                .map(|(id, expires_at)| ChallengeBody::new(id, enrolled.factor.id, expires_at, None)),
        }
    }
}

/// A page of a user's factors.
#[derive(Serialize, ToSchema)]
#[schema(as = FactorList)]
pub(crate) struct ListBody<'a> {
    #[schema(pattern = "^list$")]
    object: &'static str,
    data: Vec<FactorBody<'a>>,
    list_metadata: ListMetadata,
}

/// Cursors to the neighbouring pages; `null` where there is none.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListMetadata {
    #[schema(value_type = Option<String>, required = true)]
    before: Option<Shown<FactorId>>,
    #[schema(value_type = Option<String>, required = true)]
    after: Option<Shown<FactorId>>,
}

impl<'a> ListBody<'a> {
    pub(crate) fn of(page: &'a Page<Factor, FactorId>) -> Self {
        Self {
            object: "list",
            data: page.items.iter().map(FactorBody::of).collect(),
            list_metadata: ListMetadata { before: page.before.map(Shown), after: page.after.map(Shown) },
        }
    }
}
