//! Writing how a dispatch ended. When the message surely did not and will not arrive, its challenge goes too (W11).

use super::{at, guard_of, open_challenge::number_digest};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{
        FIND_SEND, FIND_UNSETTLED_DELIVERY, FORGET_SEND, GUARD_OF_FACTOR, LIST_OPEN_CHALLENGE, REFUND,
        SETTLE_DELIVERY, WITHDRAW_CHALLENGE,
    },
};
use domain::{
    delivery::DispatchOutcome,
    dispatch::Dispatches,
    event::{Actor, Event, EventKind},
    guard::day_of,
    id::{ChallengeId, DeliveryId, EnvironmentId, FactorId},
    phone::PhoneNumber,
    time::Timestamp,
};
use secrets::KeyRing;

/// The step. The sealed text is erased with it.
pub struct SettleDelivery {
    /// The present time.
    pub now: Timestamp,
    /// In which environment. A delivery names its own; there is no caller here.
    pub environment: EnvironmentId,
    /// Which one.
    pub delivery: DeliveryId,
    /// To whom it was to go: a message that surely was not sent does not count against its number.
    pub to: PhoneNumber,
    /// How it ended.
    pub outcome: DispatchOutcome,
    /// Who took it, may have taken it, or refused its number.
    pub provider: Option<String>,
    /// Its id there.
    pub message_id: Option<String>,
    /// The tries that came to this.
    pub dispatches: Dispatches,
    /// Digests the number.
    pub ring: KeyRing,
}

impl Step for SettleDelivery {
    type Out = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<(), Failure> {
        let id = Param::Bytes(self.delivery.bytes());
        let environment = Param::Bytes(self.environment.bytes());
        let found = tx.one::<([u8; 16], [u8; 16])>(&FIND_UNSETTLED_DELIVERY, &[id, environment]).await?;
        let Some((challenge, factor)) = found else { return Ok(()) };
        let tries = self.dispatches.to_text();
        let settled = [
            id,
            environment,
            Param::Text(self.outcome.word()),
            at(self.now),
            Param::MaybeText(self.provider.as_deref()),
            Param::MaybeText(self.message_id.as_deref()),
            Param::MaybeText(tries.as_deref()),
        ];
        tx.exec(&SETTLE_DELIVERY, &settled).await?;
        if !self.outcome.keeps_challenge() {
            self.withdraw(tx, ChallengeId::from_bytes(challenge), FactorId::from_bytes(factor)).await?;
        }
        tx.record(Event {
            at: self.now,
            environment: Some(self.environment),
            actor: Actor::Server,
            kind: EventKind::DeliverySettled(self.outcome.word()),
            factor: Some(FactorId::from_bytes(factor)),
            challenge: Some(ChallengeId::from_bytes(challenge)),
            user: None,
        });
        Ok(())
    }
}

impl SettleDelivery {
    async fn withdraw<T: Tx>(
        &self,
        tx: &mut T,
        challenge: ChallengeId,
        factor: FactorId,
    ) -> Result<(), Failure> {
        type Row =
            (Option<String>, String, Option<Vec<u8>>, u32, Option<i64>, Option<i64>, Option<i64>, Vec<u8>);
        let environment = Param::Bytes(self.environment.bytes());
        let factor = Param::Bytes(factor.bytes());
        // The factor first, as whoever answers the challenge does.
        let guard = tx.one::<Row>(&GUARD_OF_FACTOR, &[factor, environment]).await?;
        tx.exec(&WITHDRAW_CHALLENGE, &[Param::Bytes(challenge.bytes()), environment]).await?;
        if let Some((.., open)) = guard {
            let mut open = guard_of(0, None, None, None, &open)?.open;
            open.remove(challenge);
            let open = open.to_bytes();
            tx.exec(&LIST_OPEN_CHALLENGE, &[factor, environment, Param::Bytes(&open)]).await?;
        }
        let number = number_digest(&self.ring, self.environment, &self.to);
        let sent = [environment, Param::Bytes(number.as_bytes()), Param::Bytes(self.delivery.bytes())];
        let counted = tx.one::<(i64, Option<String>, Option<i64>)>(&FIND_SEND, &sent).await?;
        tx.exec(&FORGET_SEND, &sent).await?;
        // What was not sent has cost nothing.
        if let Some((at, Some(country), Some(price))) = counted {
            let day = day_of(Timestamp::from_millis(at));
            let refund = [environment, Param::Int(day), Param::Text(&country), Param::Int(price)];
            tx.exec(&REFUND, &refund).await?;
        }
        Ok(())
    }
}
