//! Routes 1, 2, 3, 6 and 7: factors.

use crate::{
    fields::{Fields, NOT_A_VALUE},
    path,
    pipeline::{Call, Stop},
    query, refusal,
    reply::Reply,
    wire::{self, FactorBody, ListBody, UserEnrollmentBody},
};
use app::{Answer, EnrollRequest, Enrolled, NewFactor, Render};
use domain::{
    event::Actor,
    factor::FactorKind,
    id::FactorId,
    refusal::{FieldError, Refusal},
    user_id::UserId,
};
use std::{borrow::Cow, sync::Arc};

/// Route 1.
pub(crate) async fn enroll(call: &Call<'_>) -> Result<Reply, Stop> {
    const KNOWN: &[&str] = &["type", "phone_number", "totp_issuer", "totp_user", "totp_secret", "user_id"];
    let import = call.caller.environment().settings.allow_secret_on_enroll;
    let known = KNOWN.iter().copied().filter(|name| import || *name != "totp_secret").collect::<Vec<_>>();
    let mut fields = call.fields(&known, false)?;
    let kind = kind(&mut fields, FactorKind::parse);
    let user = match fields.optional("user_id").as_deref().map(UserId::parse) {
        None => None,
        Some(Ok(user)) => Some(user),
        Some(Err(problem)) => {
            fields.complain("user_id", problem);
            None
        }
    };
    let factor = kind.and_then(|kind| new_factor(&mut fields, kind, import));
    run_enroll(call, fields, factor, user, false).await
}

/// Route 6.
pub(crate) async fn enroll_for_user(call: &Call<'_>) -> Result<Reply, Stop> {
    let mut fields = call.fields(&["type", "totp_issuer", "totp_user", "totp_secret"], false)?;
    let user = match user_in_path(call.segment) {
        Ok(user) => Some(user),
        Err(error) => {
            fields.complain(error.field, &error.problem);
            None
        }
    };
    let totp_only = |word: &str| FactorKind::parse(word).filter(|kind| *kind == FactorKind::Totp);
    let kind = kind(&mut fields, totp_only);
    let factor = kind.and_then(|kind| new_factor(&mut fields, kind, true));
    run_enroll(call, fields, factor, user, true).await
}

fn kind(fields: &mut Fields<'_>, read: impl Fn(&str) -> Option<FactorKind>) -> Option<FactorKind> {
    let word = fields.required("type")?;
    let kind = read(&word);
    if kind.is_none() {
        fields.complain("type", NOT_A_VALUE);
    }
    kind
}

/// What belongs to the type; nothing else is looked at (W4).
fn new_factor(fields: &mut Fields<'_>, kind: FactorKind, import: bool) -> Option<NewFactor> {
    Some(match kind {
        FactorKind::GenericOtp => NewFactor::GenericOtp,
        FactorKind::Sms => NewFactor::Sms(fields.required("phone_number")?.into_owned()),
        FactorKind::Totp => NewFactor::Totp {
            issuer: fields.optional("totp_issuer").map(Cow::into_owned),
            user: fields.optional("totp_user").map(Cow::into_owned),
            secret: if import { fields.optional("totp_secret").map(Cow::into_owned) } else { None },
        },
    })
}

async fn run_enroll(
    call: &Call<'_>,
    fields: Fields<'_>,
    factor: Option<NewFactor>,
    user: Option<UserId>,
    with_challenge: bool,
) -> Result<Reply, Stop> {
    let errors = fields.into_errors();
    let (Some(factor), true) = (factor, errors.is_empty()) else {
        return Err(refusal::refused(&Refusal::Invalid(errors), "").into());
    };
    let render: Render<Arc<Enrolled>> = Arc::new(move |result| match result {
        Ok(enrolled) if with_challenge => created(&UserEnrollmentBody::of(enrolled)),
        Ok(enrolled) => created(&FactorBody::with_secrets(enrolled)),
        Err(refused) => refusal::refused(refused, ""),
    });
    let request = EnrollRequest { factor, user, with_challenge };
    let memory = call.memory()?;
    Ok(call.app.enroll_factor(call.caller, request, memory, render).await?.into())
}

/// The answer to a POST that did what it was asked.
pub(crate) fn created(body: &impl serde::Serialize) -> Answer {
    Answer { status: 201, body: wire::json(body) }
}

fn user_in_path(segment: &str) -> Result<UserId, FieldError> {
    let text = path::text(segment).ok_or_else(|| FieldError::new("user_id", "must be valid UTF-8"))?;
    UserId::parse(&text).map_err(|problem| FieldError::new("user_id", problem))
}

/// The factor in the path; what cannot be an id is an id that does not exist.
fn factor_in_path<'a>(call: &Call<'a>) -> Result<(FactorId, Cow<'a, str>), Stop> {
    let text = path::lossy(call.segment);
    match FactorId::parse(&text) {
        Some(id) => Ok((id, text)),
        None => Err(refusal::refused(&Refusal::FactorNotFound, &text).into()),
    }
}

/// Route 2.
pub(crate) async fn find(call: &Call<'_>) -> Result<Reply, Stop> {
    let (id, text) = factor_in_path(call)?;
    let found = call.app.find_factor(call.caller.scope(), id).await?;
    let factor = found.ok_or_else(|| refusal::refused(&Refusal::FactorNotFound, &text))?;
    if let Some(error) = call.query_complaint(false) {
        return Err(refusal::refused(&Refusal::Invalid(vec![error]), "").into());
    }
    Ok(Reply::json(200, wire::json(&FactorBody::of(&factor))))
}

/// Route 3.
pub(crate) async fn delete(call: &Call<'_>) -> Result<Reply, Stop> {
    let (id, text) = factor_in_path(call)?;
    if let Some(error) = call.query_complaint(false) {
        // W6: that it does not exist is said first.
        let found = call.app.find_factor(call.caller.scope(), id).await?;
        let refused = if found.is_some() { Refusal::Invalid(vec![error]) } else { Refusal::FactorNotFound };
        return Err(refusal::refused(&refused, &text).into());
    }
    let actor = Actor::ApiKey(call.caller.key().id);
    match call.app.delete_factor(call.caller.scope(), actor, id, None).await? {
        Ok(()) => Ok(Reply::no_content()),
        Err(refused) => Err(refusal::refused(&refused, &text).into()),
    }
}

/// Route 7.
pub(crate) async fn list(call: &Call<'_>) -> Result<Reply, Stop> {
    let (user, page) = (user_in_path(call.segment), query::page(call.query()));
    let strict = call.query_complaint(true);
    let (user, page) = match (user, page, strict) {
        (Ok(user), Ok(page), None) => (user, page),
        (user, page, strict) => {
            let mut errors: Vec<FieldError> = user.err().into_iter().collect();
            errors.extend(page.err().unwrap_or_default());
            errors.extend(strict);
            return Err(refusal::refused(&Refusal::Invalid(errors), "").into());
        }
    };
    let page = call.app.list_factors(call.caller, user, page).await?;
    Ok(Reply::json(200, wire::json(&ListBody::of(&page))))
}
