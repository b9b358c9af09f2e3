//! The durable steps, one a file.

pub mod answer_challenge;
pub mod api_keys;
pub mod claim_deliveries;
pub mod data_keys;
pub mod delete_factor;
pub mod enroll_factor;
pub mod environments;
pub mod erase_environment;
pub mod hold_delivery;
pub mod note_receipt;
pub mod open_challenge;
pub mod purge;
pub mod replay_floor;
pub mod reset_factor;
pub mod settle_delivery;
pub mod touch;

use crate::{
    Failure,
    columns::Param,
    engine::schema,
    statements::{FIND_USER_BUDGET, NEWEST_MIGRATION},
    step::Reads,
};
use domain::{
    budget::Budget,
    environment::Scope,
    event::{Actor, Event, EventKind},
    factor::{FactorKind, Guard},
    id::{ChallengeId, FactorId},
    open_challenges::OpenChallenges,
    receipt::Receipts,
    time::Timestamp,
    user_budget::UserBudget,
    user_id::UserId,
    wrong_attempts::WrongAttempts,
};
use secrets::{Binding, Code, SecretText};
use zeroize::Zeroizing;

/// Where a factor's sealed value belongs.
#[must_use]
pub fn factor_binding<'a>(environment: &'a [u8; 16], factor: &'a [u8; 16]) -> Binding<'a> {
    Binding { table: "factor", column: "sealed", scope: environment, row: factor }
}

/// Where a delivery's sealed text belongs.
#[must_use]
pub fn delivery_binding<'a>(environment: &'a [u8; 16], delivery: &'a [u8; 16]) -> Binding<'a> {
    Binding { table: "delivery", column: "sealed", scope: environment, row: delivery }
}

/// That this version knows the whole schema: what acts on the whole store would miss what a newer version has added.
///
/// # Errors
/// When a newer version has migrated the database.
pub(crate) async fn whole_schema_is_known<R: Reads>(reads: &mut R) -> Result<(), Failure> {
    let newest = reads.one::<(i64,)>(&NEWEST_MIGRATION, &[]).await?;
    if newest.is_some_and(|(version,)| version <= schema::NEWEST) {
        return Ok(());
    }
    Err(Failure::busy("a newer version has migrated the database; do this with that version"))
}

/// What is sealed of a message: the six digits of its code, then the text.
pub(crate) fn owed_text(code: &Code, body: &str) -> Zeroizing<String> {
    // Room for both at once: growing would leave a copy behind.
    let mut plain = Zeroizing::new(String::with_capacity(code.reveal().len() + body.len()));
    plain.push_str(code.reveal());
    plain.push_str(body);
    plain
}

/// Reads that again.
pub(crate) fn code_and_body(plain: &[u8]) -> Result<(Code, SecretText), Failure> {
    let parts = std::str::from_utf8(plain).ok().and_then(|text| text.split_at_checked(6));
    let read =
        parts.and_then(|(code, body)| Some((Code::parse_exact(code)?, SecretText::new(body.to_owned()))));
    read.ok_or_else(|| Failure::internal("a sealed message is not a code and a text"))
}

/// A moment as a parameter.
pub(crate) fn at(time: Timestamp) -> Param<'static> {
    Param::Int(time.millis())
}

pub(crate) fn maybe_at(time: Option<Timestamp>) -> Param<'static> {
    Param::MaybeInt(time.map(Timestamp::millis))
}

/// A step number as the store keeps it. Steps beyond 2^63 lie some 8.8 trillion years ahead.
pub(crate) fn step_param(step: Option<u64>) -> Param<'static> {
    Param::MaybeInt(step.map(|s| i64::try_from(s).unwrap_or(i64::MAX)))
}

/// The columns of a guard as read: wrong attempts, lock, last step, first verification, open challenges.
pub(crate) fn guard_of(
    wrong_in_a_row: u32,
    locked_until: Option<i64>,
    last_step: Option<i64>,
    verified_at: Option<i64>,
    open: &[u8],
) -> Result<Guard, Failure> {
    Ok(Guard {
        budget: Budget { wrong_in_a_row, locked_until: locked_until.map(Timestamp::from_millis) },
        last_step: last_step.map(i64::unsigned_abs),
        verified_at: verified_at.map(Timestamp::from_millis),
        open: OpenChallenges::from_bytes(open)
            .ok_or_else(|| Failure::internal("a factor's list of open challenges is unreadable"))?,
    })
}

/// A challenge's wrong attempts as read.
pub(crate) fn wrong_attempts_of(bytes: Option<&[u8]>) -> Result<WrongAttempts, Failure> {
    bytes
        .map_or(Some(WrongAttempts::default()), WrongAttempts::from_bytes)
        .ok_or_else(|| Failure::internal("a challenge's wrong attempts are unreadable"))
}

/// What a provider reported of a message, as read.
pub(crate) fn receipts_of(text: Option<&str>) -> Result<Receipts, Failure> {
    text.map_or(Some(Receipts::default()), Receipts::from_text)
        .ok_or_else(|| Failure::internal("a message's receipts are unreadable"))
}

/// A user id as read.
pub(crate) fn user_of(text: Option<String>) -> Result<Option<UserId>, Failure> {
    text.map(|t| UserId::parse(&t).map_err(|_| Failure::internal("a stored user id is not one"))).transpose()
}

/// A factor's type as read.
pub(crate) fn kind_of(word: &str) -> Result<FactorKind, Failure> {
    FactorKind::parse(word).ok_or_else(|| Failure::internal("a stored factor has an unknown type"))
}

/// The budget of a factor's user. Its row was made with the factor; one that is missing cannot be read, so it refuses.
pub(crate) async fn user_budget<R: Reads>(
    reads: &mut R,
    scope: Scope,
    user: Option<&UserId>,
) -> Result<Option<UserBudget>, Failure> {
    let Some(user) = user else { return Ok(None) };
    let environment = scope.environment();
    let params = [Param::Bytes(environment.bytes()), Param::Text(user.as_str())];
    let (wrong_at,) = reads
        .one::<(Vec<u8>,)>(&FIND_USER_BUDGET, &params)
        .await?
        .ok_or_else(|| Failure::internal("a user's budget is missing"))?;
    UserBudget::from_bytes(&wrong_at)
        .map(Some)
        .ok_or_else(|| Failure::internal("a user's budget is unreadable"))
}

/// An event of one factor.
pub(crate) fn event_of_factor(
    scope: Scope,
    actor: &Actor,
    now: Timestamp,
    factor: FactorId,
    user: Option<&UserId>,
    kind: EventKind,
) -> Event {
    Event {
        at: now,
        environment: Some(scope.environment()),
        actor: actor.clone(),
        kind,
        factor: Some(factor),
        challenge: None,
        user: user.cloned(),
    }
}

/// The same, on a challenge.
pub(crate) fn on_challenge(event: Event, challenge: ChallengeId) -> Event {
    Event { challenge: Some(challenge), ..event }
}
