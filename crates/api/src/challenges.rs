//! Routes 4, 5, 8 and 9: challenges. The legacy routes are other doors to the same rooms.

use crate::{
    factors::created,
    fields::Fields,
    path,
    pipeline::{Call, Stop},
    refusal,
    reply::Reply,
    wire::{ChallengeBody, VerifyBody},
};
use app::{ChallengeRequest, OpenedChallenge, Render, Verified};
use domain::{
    factor::FactorKind,
    id::{ChallengeId, FactorId},
    refusal::{FieldError, Refusal},
    sms_template::SmsTemplate,
};
use secrets::Submitted;
use std::sync::{Arc, OnceLock};
use zeroize::Zeroizing;

/// Whose address a challenge is asked for: an extension, read if it is an address and ignored otherwise (W16).
const ADDRESS: &str = "ip_address";

/// Route 4.
pub(crate) async fn open(call: &Call<'_>) -> Result<Reply, Stop> {
    let fields = call.fields(&["sms_template", ADDRESS], true)?;
    run_open(call, fields, &path::lossy(call.segment)).await
}

/// Route 8: the id stands in the body, and without one nothing else is looked at.
pub(crate) async fn open_legacy(call: &Call<'_>) -> Result<Reply, Stop> {
    let mut fields = call.fields(&["authentication_factor_id", "sms_template", ADDRESS], true)?;
    match fields.required("authentication_factor_id") {
        Some(id) => run_open(call, fields, &id).await,
        None => Err(refusal::refused(&Refusal::Invalid(fields.into_errors()), "").into()),
    }
}

async fn run_open(call: &Call<'_>, mut fields: Fields<'_>, id: &str) -> Result<Reply, Stop> {
    let Some(factor) = FactorId::parse(id) else {
        return Err(refusal::refused(&Refusal::FactorNotFound, id).into());
    };
    let template = template(&mut fields);
    let address = fields.peek(ADDRESS).ok().flatten().and_then(|text| domain::guard::address_of(&text));
    let errors = fields.into_errors();
    let problems = if errors.is_empty() { Ok(()) } else { Err(errors) };
    let request = ChallengeRequest { template, address, problems };
    let render: Render<OpenedChallenge> = Arc::new(move |result| match result {
        Ok(opened) => created(&ChallengeBody::opened(opened)),
        Err(refused) => refusal::refused(refused, &factor.to_string()),
    });
    let memory = call.memory()?;
    Ok(call.app.open_challenge(call.caller, factor, request, memory, render).await?.into())
}

/// The template, or what is wrong with it: which only matters if the factor turns out to be a phone number (W11).
fn template(fields: &mut Fields<'_>) -> Result<Option<SmsTemplate>, Vec<FieldError>> {
    const FIELD: &str = "sms_template";
    let wrong = |problem: &str| vec![FieldError::new(FIELD, problem)];
    let text = fields.peek(FIELD).map_err(wrong)?;
    text.map(|text| SmsTemplate::parse(&text).map_err(wrong)).transpose()
}

/// Route 5.
pub(crate) async fn verify(call: &Call<'_>) -> Result<Reply, Stop> {
    let fields = call.fields(&["code"], false)?;
    run_verify(call, fields, &path::lossy(call.segment)).await
}

/// Route 9: the id stands in the body, and without one nothing else is looked at (W6).
pub(crate) async fn verify_legacy(call: &Call<'_>) -> Result<Reply, Stop> {
    let mut fields = call.fields(&["authentication_challenge_id", "code"], false)?;
    match fields.required("authentication_challenge_id") {
        Some(id) => run_verify(call, fields, &id).await,
        None => Err(refusal::refused(&Refusal::Invalid(fields.into_errors()), "").into()),
    }
}

/// The one way from the wire to a verdict (I11).
async fn run_verify(call: &Call<'_>, mut fields: Fields<'_>, id: &str) -> Result<Reply, Stop> {
    let Some(challenge) = ChallengeId::parse(id) else {
        return Err(refusal::refused(&Refusal::ChallengeNotFound, id).into());
    };
    let code = fields.required("code").map(|text| Submitted::parse(&text));
    let errors = fields.into_errors();
    let (submitted, code) = match code {
        Some(code) if errors.is_empty() => {
            // A generic_otp challenge shows its code again, and only a digest of it is kept.
            let shown = match &code {
                Submitted::WellFormed(code) => Some(Zeroizing::new(code.reveal().to_owned())),
                Submitted::Malformed => None,
            };
            (Ok(code), shown)
        }
        _ => (Err(errors), None),
    };
    // Set where the verdict is rendered, told once it is durable; stays empty if an earlier answer is repeated.
    let verdict: Arc<OnceLock<Verified>> = Arc::default();
    let seen = Arc::clone(&verdict);
    let render: Render<Verified> = Arc::new(move |result| match result {
        Ok(verified) => {
            seen.get_or_init(|| *verified);
            let shows = verified.valid && verified.kind == FactorKind::GenericOtp;
            created(&VerifyBody::of(verified, code.as_ref().filter(|_| shows).map(|code| code.as_str())))
        }
        Err(refused) => refusal::refused(refused, &challenge.to_string()),
    });
    let memory = call.memory()?;
    let answer = call.app.verify_challenge(call.caller, challenge, submitted, memory, render).await?;
    if let Some(verdict) = verdict.get() {
        call.decided(verdict);
    }
    Ok(answer.into())
}
