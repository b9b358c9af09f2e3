//! Enrolling a factor, with its first challenge if the route opens one.

use super::{at, event_of_factor};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{COUNT_FACTORS_OF_USER, CREATE_CHALLENGE, CREATE_FACTOR, CREATE_GUARD, OPEN_USER_BUDGET},
    step::change_one,
};
use domain::{
    environment::Scope,
    event::{Actor, EventKind},
    factor::FactorKind,
    id::{ChallengeId, FactorId},
    open_challenges::OpenChallenges,
    refusal::Refusal,
    time::Timestamp,
    user_budget::UserBudget,
    user_id::UserId,
};
use secrets::Sealed;

/// A challenge to open along with the factor.
#[derive(Clone, Copy, Debug)]
pub struct FirstChallenge {
    /// Its id.
    pub id: ChallengeId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The step.
pub struct EnrollFactor {
    /// In which environment.
    pub scope: Scope,
    /// By whom.
    pub actor: Actor,
    /// The time of the request.
    pub now: Timestamp,
    /// The new factor's id.
    pub id: FactorId,
    /// Its type.
    pub kind: FactorKind,
    /// Whose it is.
    pub user: Option<UserId>,
    /// What an authenticator app shows: issuer and user, for totp.
    pub label: Option<(String, String)>,
    /// Its seed or number, sealed for its row.
    pub sealed: Option<Sealed>,
    /// `max_factors_per_user`, if there is a limit.
    pub factors_max: Option<u32>,
    /// Whether its number is a test number.
    pub for_tests: bool,
    /// For route 6.
    pub challenge: Option<FirstChallenge>,
}

impl Step for EnrollFactor {
    type Out = Result<(), Refusal>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Out, Failure> {
        let environment = self.scope.environment();
        let environment = Param::Bytes(environment.bytes());
        if let (Some(user), Some(max)) = (&self.user, self.factors_max) {
            let params = [environment, Param::Text(user.as_str()), Param::Int(i64::from(max))];
            let count = tx.one::<(i64,)>(&COUNT_FACTORS_OF_USER, &params).await?;
            if count.is_none_or(|(n,)| n >= i64::from(max)) {
                return Ok(Err(Refusal::FactorLimitReached));
            }
        }
        let mut open = OpenChallenges::default();
        if let Some(first) = &self.challenge {
            open.admit(first.id, first.expires_at, self.now);
        }
        let label = self.label.as_ref();
        change_one(
            tx,
            &CREATE_FACTOR,
            &[
                Param::Bytes(self.id.bytes()),
                environment,
                Param::MaybeText(self.user.as_ref().map(UserId::as_str)),
                Param::Text(self.kind.word()),
                Param::MaybeText(label.map(|(issuer, _)| issuer.as_str())),
                Param::MaybeText(label.map(|(_, user)| user.as_str())),
                Param::MaybeBytes(self.sealed.as_ref().map(|s| s.0.as_slice())),
            ],
        )
        .await?;
        let open = open.to_bytes();
        change_one(tx, &CREATE_GUARD, &[Param::Bytes(self.id.bytes()), environment, Param::Bytes(&open)])
            .await?;
        if let Some(user) = &self.user {
            let none = UserBudget::default().to_bytes();
            let params = [environment, Param::Text(user.as_str()), Param::Bytes(&none)];
            tx.exec(&OPEN_USER_BUDGET, &params).await?;
        }
        if let Some(first) = &self.challenge {
            let params = [
                Param::Bytes(first.id.bytes()),
                environment,
                Param::Bytes(self.id.bytes()),
                at(first.expires_at),
                Param::MaybeBytes(None),
            ];
            change_one(tx, &CREATE_CHALLENGE, &params).await?;
        }
        let mut enrolled = EventKind::FactorEnrolled(self.kind.word());
        if self.for_tests {
            enrolled = EventKind::OnTestNumber(Box::new(enrolled));
        }
        tx.record(event_of_factor(self.scope, &self.actor, self.now, self.id, self.user.as_ref(), enrolled));
        Ok(Ok(()))
    }
}
