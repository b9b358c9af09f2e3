//! Claiming messages that are owed. From the claim on a message may be on its way; whoever finds it claimed and its
//! lease over knows only that its outcome is unknown.

use super::{at, code_and_body, delivery_binding, factor_binding, open_challenge::number_digest};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{
        ABANDONED_DELIVERIES, CLAIM_DELIVERY, FIND_OWED_DELIVERY, LAST_PROVIDER_TO_NUMBER, OWED_DELIVERIES,
        SETTLE_DELIVERY,
    },
};
use domain::{
    delivery::{Channel, Delivery, DispatchOutcome, LEASE_SECONDS, RESEND_SECONDS},
    event::{Actor, Event, EventKind},
    id::{ChallengeId, DeliveryId, EnvironmentId, FactorId},
    open_challenges::OpenChallenges,
    phone::PhoneNumber,
    time::{Timestamp, is_live},
};
use secrets::KeyRing;

/// The step.
pub struct ClaimDeliveries {
    /// The present time.
    pub now: Timestamp,
    /// One that this node has just opened, or none: then what is owed and nobody's, oldest first.
    pub only: Option<DeliveryId>,
    /// How many at most.
    pub most: u32,
    /// Opens texts and numbers.
    pub ring: KeyRing,
}

type Row =
    ([u8; 16], [u8; 16], [u8; 16], i64, Option<Vec<u8>>, Option<[u8; 16]>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Whether an answer to the challenge would still be heard: its factor lists it, and its time is not over.
pub(super) fn is_open(
    challenge: ChallengeId,
    until: i64,
    listed: Option<&[u8]>,
    now: Timestamp,
) -> Result<bool, Failure> {
    let Some(listed) = listed else { return Ok(false) };
    let listed = OpenChallenges::from_bytes(listed)
        .ok_or_else(|| Failure::internal("a factor's list of open challenges is unreadable"))?;
    Ok(listed.contains(challenge) && is_live(Timestamp::from_millis(until), now))
}

impl Step for ClaimDeliveries {
    type Out = Vec<Delivery>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Out, Failure> {
        let rows = match self.only {
            Some(id) => tx.many::<Row>(&FIND_OWED_DELIVERY, &[Param::Bytes(id.bytes())]).await?,
            None => {
                tx.many::<Row>(&OWED_DELIVERIES, &[at(self.now), Param::Int(i64::from(self.most))]).await?
            }
        };
        let mut claimed = Vec::new();
        for row in rows {
            let key = [Param::Bytes(&row.0), Param::Bytes(&row.1)];
            match self.readable(&row) {
                // One that does not open is never sent, and must not keep the others waiting. It ends with its
                // challenge.
                Err(e) if self.only.is_none() => {
                    tracing::error!(delivery = %DeliveryId::from_bytes(row.0), "a message that is owed cannot be read: {e}");
                }
                Err(e) => return Err(e),
                // Its factor was deleted, or its challenge has ended or was displaced: of no use to anybody now.
                Ok(None) => {
                    let [id, environment] = key;
                    tx.exec(&SETTLE_DELIVERY, &ended(id, environment, DispatchOutcome::NotSent, self.now))
                        .await?;
                }
                Ok(Some(mut delivery)) => {
                    let [id, environment] = key;
                    delivery.last_provider = self.last_provider(tx, &delivery).await?;
                    let lease = at(self.now.plus_seconds(LEASE_SECONDS));
                    if tx.exec(&CLAIM_DELIVERY, &[id, environment, lease]).await? == 1 {
                        claimed.push(delivery);
                    }
                }
            }
        }
        Ok(claimed)
    }
}

/// The parameters of a settlement of what was not dispatched by us.
fn ended<'a>(
    id: Param<'a>,
    environment: Param<'a>,
    outcome: DispatchOutcome,
    now: Timestamp,
) -> [Param<'a>; 7] {
    let none = Param::MaybeText(None);
    [id, environment, Param::Text(outcome.word()), at(now), none, none, none]
}

impl ClaimDeliveries {
    /// Who got, or may have got, the last message to the same number, if that was not long ago. Any node may have sent it.
    async fn last_provider<T: Tx>(&self, tx: &mut T, delivery: &Delivery) -> Result<Option<String>, Failure> {
        let number = number_digest(&self.ring, delivery.environment, &delivery.to);
        let params = [
            Param::Bytes(delivery.environment.bytes()),
            Param::Bytes(number.as_bytes()),
            at(self.now.minus_seconds(RESEND_SECONDS)),
            Param::Bytes(delivery.id.bytes()),
        ];
        let last = tx.one::<(String,)>(&LAST_PROVIDER_TO_NUMBER, &params).await?;
        Ok(last.map(|(provider,)| provider))
    }

    fn readable(&self, row: &Row) -> Result<Option<Delivery>, Failure> {
        let (id, environment, challenge, until, Some(body), Some(factor), Some(number), open) = row else {
            return Ok(None);
        };
        let challenge = ChallengeId::from_bytes(*challenge);
        if !is_open(challenge, *until, open.as_deref(), self.now)? {
            return Ok(None);
        }
        let (code, body) = code_and_body(&self.ring.open_sealed(&delivery_binding(environment, id), body)?)?;
        let to = self.ring.open_sealed(&factor_binding(environment, factor), number)?;
        Ok(Some(Delivery {
            id: DeliveryId::from_bytes(*id),
            environment: EnvironmentId::from_bytes(*environment),
            challenge,
            useful_until: Timestamp::from_millis(*until),
            channel: Channel::Sms,
            to: String::from_utf8(to.to_vec())
                .ok()
                .and_then(PhoneNumber::from_e164_trusted)
                .ok_or_else(|| Failure::internal("a stored phone number is not one"))?,
            body,
            code,
            last_provider: None,
        }))
    }
}

/// Settles what was claimed by a node that has died: outcome unknown, never dispatched again.
pub struct SettleAbandoned {
    /// The present time.
    pub now: Timestamp,
    /// How many at most.
    pub most: u32,
}

impl Step for SettleAbandoned {
    type Out = u32;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<u32, Failure> {
        let params = [at(self.now), Param::Int(i64::from(self.most))];
        let mut settled = 0;
        type Row = ([u8; 16], [u8; 16], [u8; 16], [u8; 16]);
        for (id, environment, factor, challenge) in tx.many::<Row>(&ABANDONED_DELIVERIES, &params).await? {
            let unknown = DispatchOutcome::Unknown;
            let params = ended(Param::Bytes(&id), Param::Bytes(&environment), unknown, self.now);
            if tx.exec(&SETTLE_DELIVERY, &params).await? == 1 {
                settled += 1;
                tx.record(Event {
                    at: self.now,
                    environment: Some(EnvironmentId::from_bytes(environment)),
                    actor: Actor::Server,
                    kind: EventKind::DeliverySettled(unknown.word()),
                    factor: Some(FactorId::from_bytes(factor)),
                    challenge: Some(ChallengeId::from_bytes(challenge)),
                    user: None,
                });
            }
        }
        Ok(settled)
    }
}
