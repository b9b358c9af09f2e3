//! A challenge as it is shown, with its messages.

use crate::{
    Failure, Query, Reads,
    columns::Param,
    statements::{CHALLENGE_AS_KEPT, DELIVERIES_OF_CHALLENGE},
    steps::{kind_of, receipts_of, wrong_attempts_of},
};
use domain::{
    challenge::Challenge,
    delivery::{Channel, DispatchOutcome},
    dispatch::Dispatches,
    environment::Scope,
    id::{ChallengeId, DeliveryId, FactorId},
    open_challenges::OpenChallenges,
    time::Timestamp,
    timeline::{ChallengeRecord, DeliveryRecord},
    wrong_attempts::WrongAttempts,
};

/// Finds a challenge whose factor is there. One that was withdrawn is still told of by its message.
pub struct FindChallenge {
    /// In which environment.
    pub scope: Scope,
    /// Which.
    pub challenge: ChallengeId,
}

type ChallengeRow = ([u8; 16], i64, u32, Option<i64>, Option<Vec<u8>>, String, Vec<u8>);
type DeliveryRow = (
    [u8; 16],
    String,
    i64,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    [u8; 16],
    String,
);

impl Query for FindChallenge {
    type Out = Option<ChallengeRecord>;

    async fn run<R: Reads>(&self, reads: &mut R) -> Result<Self::Out, Failure> {
        let environment = self.scope.environment();
        let key = [Param::Bytes(self.challenge.bytes()), Param::Bytes(environment.bytes())];
        let kept = reads.one::<ChallengeRow>(&CHALLENGE_AS_KEPT, &key).await?;
        let rows = reads.many::<DeliveryRow>(&DELIVERIES_OF_CHALLENGE, &key).await?;
        let withdrawn = rows.first().map(|row| (row.2, row.9, row.10.clone()));
        let deliveries = rows.into_iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        let mut challenge = Challenge {
            id: self.challenge,
            expires_at: Timestamp::from_millis(0),
            attempts_used: 0,
            verified_at: None,
            wrong: WrongAttempts::default(),
        };
        let (factor, kind, listed) = match (kept, withdrawn) {
            (Some((factor, expires_at, attempts_used, verified_at, wrong, kind, open)), _) => {
                challenge.expires_at = Timestamp::from_millis(expires_at);
                challenge.attempts_used = attempts_used;
                challenge.verified_at = verified_at.map(Timestamp::from_millis);
                challenge.wrong = wrong_attempts_of(wrong.as_deref())?;
                let open = OpenChallenges::from_bytes(&open)
                    .ok_or_else(|| Failure::internal("a factor's list of open challenges is unreadable"))?;
                (factor, kind, Some(open.contains(self.challenge)))
            }
            (None, Some((until, factor, kind))) => {
                challenge.expires_at = Timestamp::from_millis(until);
                (factor, kind, None)
            }
            (None, None) => return Ok(None),
        };
        let (factor, kind) = (FactorId::from_bytes(factor), kind_of(&kind)?);
        Ok(Some(ChallengeRecord { challenge, factor, kind, listed, deliveries }))
    }
}

fn delivery(row: DeliveryRow) -> Result<DeliveryRecord, Failure> {
    let (id, channel, _, outcome, settled_at, provider, message_id, dispatches, receipts, ..) = row;
    let unreadable = || Failure::internal("a kept message is unreadable");
    // What a restored backup cancelled may have gone out before.
    let outcome = outcome.map(|word| DispatchOutcome::parse(&word).unwrap_or(DispatchOutcome::Unknown));
    Ok(DeliveryRecord {
        id: DeliveryId::from_bytes(id),
        channel: Channel::parse(&channel).ok_or_else(unreadable)?,
        outcome: outcome.map(|outcome| (outcome, settled_at.map(Timestamp::from_millis))),
        provider,
        message_id,
        dispatches: dispatches
            .map_or(Some(Dispatches::default()), |text| Dispatches::from_text(&text))
            .ok_or_else(unreadable)?,
        receipts: receipts_of(receipts.as_deref())?,
    })
}
