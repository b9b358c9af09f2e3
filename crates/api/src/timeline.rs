//! What happened to a challenge, as it is written (W16). It reads and judges nothing.

use crate::{
    path,
    pipeline::{Call, Stop},
    refusal,
    reply::Reply,
    wire::{self, Shown},
};
use domain::{
    delivery::DispatchOutcome,
    dispatch::Ended,
    id::{ChallengeId, DeliveryId, FactorId},
    receipt::Stage,
    refusal::Refusal,
    time::Timestamp,
    timeline::{ChallengeRecord, DeliveryRecord, Happening},
};
use serde::Serialize;
use utoipa::ToSchema;

/// A challenge with its messages and everything that happened to it.
#[derive(Serialize, ToSchema)]
#[schema(as = ChallengeTimeline)]
pub(crate) struct TimelineBody<'a> {
    #[schema(pattern = "^challenge_timeline$")]
    object: &'static str,
    #[schema(value_type = String, pattern = "^auth_challenge_[0-9A-HJKMNP-TV-Z]{26}$")]
    id: Shown<ChallengeId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Shown<Timestamp>,
    /// The moment from which it is refused.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Shown<Timestamp>,
    #[schema(value_type = String, pattern = "^auth_factor_[0-9A-HJKMNP-TV-Z]{26}$")]
    authentication_factor_id: Shown<FactorId>,
    #[serde(rename = "type")]
    #[schema(pattern = "^(generic_otp|sms|totp)$")]
    kind: &'static str,
    #[schema(pattern = "^(open|verified|expired|displaced|attempts_used_up|withdrawn)$")]
    state: &'static str,
    #[schema(minimum = 0, maximum = 5)]
    attempts_used: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false, required = false)]
    verified_at: Option<Shown<Timestamp>>,
    deliveries: Vec<DeliveryBody<'a>>,
    /// In the order in which it happened.
    timeline: Vec<HappeningBody>,
}

/// A message and how far it has come.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryBody<'a> {
    #[schema(value_type = String, pattern = "^delivery_[0-9A-HJKMNP-TV-Z]{26}$")]
    id: Shown<DeliveryId>,
    #[schema(pattern = "^sms$")]
    channel: &'static str,
    /// `pending` until its dispatch has ended, then how that ended, or what its provider reported since.
    #[schema(pattern = "^(pending|accepted|unknown|rejected_number|not_sent|sent|delivered|undelivered)$")]
    state: &'static str,
    /// Who took it, or may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    provider: Option<&'a str>,
    /// Its id there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message_id: Option<&'a str>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Shown<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false, required = false)]
    accepted_at: Option<Shown<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false, required = false)]
    sent_at: Option<Shown<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false, required = false)]
    delivered_at: Option<Shown<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false, required = false)]
    undelivered_at: Option<Shown<Timestamp>>,
}

/// One thing that happened.
#[derive(Serialize, ToSchema)]
#[schema(as = Happening)]
pub(crate) struct HappeningBody {
    #[schema(value_type = String, format = DateTime)]
    at: Shown<Timestamp>,
    /// What, in a word. New words may come.
    event: &'static str,
    /// What and why, in a sentence for people.
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false, required = false)]
    delivery_id: Option<Shown<DeliveryId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    provider: Option<String>,
}

impl<'a> TimelineBody<'a> {
    pub(crate) fn of(record: &'a ChallengeRecord, now: Timestamp) -> Self {
        let challenge = &record.challenge;
        Self {
            object: "challenge_timeline",
            id: Shown(challenge.id),
            created_at: Shown(challenge.id.created_at()),
            expires_at: Shown(challenge.expires_at),
            authentication_factor_id: Shown(record.factor),
            kind: record.kind.word(),
            state: record.state(now).word(),
            attempts_used: challenge.attempts_used,
            verified_at: challenge.verified_at.map(Shown),
            deliveries: record.deliveries.iter().map(DeliveryBody::of).collect(),
            timeline: record.happened(now).into_iter().map(HappeningBody::of).collect(),
        }
    }
}

impl<'a> DeliveryBody<'a> {
    fn of(record: &'a DeliveryRecord) -> Self {
        let reported = |stage| record.receipts.first(stage).map(|receipt| receipt.at);
        let taken = record.dispatches.kept().iter().find(|dispatch| dispatch.ended == Ended::Accepted);
        let settled = match record.outcome {
            Some((DispatchOutcome::Accepted, at)) => at,
            _ => None,
        };
        Self {
            id: Shown(record.id),
            channel: record.channel.word(),
            state: record.state(),
            provider: record.provider.as_deref(),
            message_id: record.message_id.as_deref(),
            created_at: Shown(record.id.created_at()),
            accepted_at: taken.map(|taken| taken.at).or(settled).map(Shown),
            sent_at: reported(Stage::Sent).map(Shown),
            delivered_at: reported(Stage::Delivered).map(Shown),
            undelivered_at: reported(Stage::Undelivered).map(Shown),
        }
    }
}

impl HappeningBody {
    fn of(happening: Happening) -> Self {
        let Happening { at, what, text, delivery, provider } = happening;
        Self { at: Shown(at), event: what, text, delivery_id: delivery.map(Shown), provider }
    }
}

/// `GET /countersign/challenges/{id}`.
pub(crate) async fn find(call: &Call<'_>) -> Result<Reply, Stop> {
    let text = path::lossy(call.segment);
    let not_found = || refusal::refused(&Refusal::ChallengeNotFound, &text);
    let Some(id) = ChallengeId::parse(&text) else { return Err(not_found().into()) };
    let found = call.app.find_challenge(call.caller.scope(), id).await?;
    let record = found.ok_or_else(not_found)?;
    if let Some(error) = call.query_complaint(false) {
        return Err(refusal::refused(&Refusal::Invalid(vec![error]), "").into());
    }
    Ok(Reply::json(200, wire::json(&TimelineBody::of(&record, call.app.now()?))))
}
