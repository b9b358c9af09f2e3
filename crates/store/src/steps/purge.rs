//! Purges: what has had its time goes, in bites small enough not to be noticed beside verification.

use super::{at, event_of_factor, user_of};
use crate::{
    Failure, Step, Tx,
    columns::Param,
    statements::{
        END_OF_BITE, FIND_USER_OF_FACTOR, PURGE_ANSWERS, PURGE_CHALLENGES, PURGE_DELIVERIES, PURGE_SENDS,
        PURGE_UNVERIFIED_FACTOR, UNVERIFIED_FACTORS,
    },
};
use domain::{
    environment::Scope,
    event::{Actor, EventKind},
    id::FactorId,
    time::Timestamp,
};

/// The smallest id of its time: everything below it is older.
#[must_use]
pub fn first_id_at(time: Timestamp) -> [u8; 16] {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&time.millis().to_be_bytes()[2..]);
    id
}

/// Removes a bite of what is finished.
pub struct PurgeFinished {
    /// Older challenges are gone already: where the last bite ended, zeros to begin with.
    pub challenges_from: [u8; 16],
    /// Challenges opened before this are all long over: the longest lifetime and the time they keep their answer (W8)
    /// are behind them.
    pub challenges_before: Timestamp,
    /// Remembered answers given before this are forgotten (W7).
    pub answers_before: Timestamp,
    /// Settled deliveries of before this have nothing left to tell.
    pub deliveries_before: Timestamp,
    /// Rows of each kind at most.
    pub most: u32,
}

/// What went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purged {
    /// How many rows, of all kinds.
    pub rows: u64,
    /// Where the next bite of challenges begins.
    pub challenges_from: [u8; 16],
}

impl Step for PurgeFinished {
    type Out = Purged;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Purged, Failure> {
        let most = Param::Int(i64::from(self.most));
        let before = first_id_at(self.challenges_before);
        let from = Param::Bytes(&self.challenges_from);
        let end = tx.one::<([u8; 16],)>(&END_OF_BITE, &[from, Param::Bytes(&before), most]).await?;
        // Without one, less than a bite is due, and what is young enough to stay begins where this ended, or later.
        let challenges_from = end.map_or(before, |(end,)| end);
        let mut rows = tx.exec(&PURGE_CHALLENGES, &[from, Param::Bytes(&challenges_from)]).await?;
        rows += tx.exec(&PURGE_ANSWERS, &[at(self.answers_before), most]).await?;
        let deliveries = first_id_at(self.deliveries_before);
        rows += tx.exec(&PURGE_DELIVERIES, &[Param::Bytes(&deliveries), most]).await?;
        Ok(Purged { rows, challenges_from })
    }
}

/// Forgets messages that no limit of an environment looks at any more.
pub struct PurgeSends {
    /// Of which environment.
    pub scope: Scope,
    /// Sent before this.
    pub before: Timestamp,
}

impl Step for PurgeSends {
    type Out = u64;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<u64, Failure> {
        let environment = self.scope.environment();
        tx.exec(&PURGE_SENDS, &[Param::Bytes(environment.bytes()), at(self.before)]).await
    }
}

/// Removes a bite of an environment's factors that were never verified (`purge_unverified_after`).
pub struct PurgeUnverified {
    /// Of which environment.
    pub scope: Scope,
    /// The present time.
    pub now: Timestamp,
    /// Beyond this id; zeros to begin with.
    pub after: [u8; 16],
    /// Enrolled before this.
    pub before: Timestamp,
    /// How many at most.
    pub most: u32,
}

impl Step for PurgeUnverified {
    /// The last id removed, if any was.
    type Out = Option<[u8; 16]>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Out, Failure> {
        let environment = self.scope.environment();
        let environment = Param::Bytes(environment.bytes());
        let before = first_id_at(self.before);
        let params =
            [environment, Param::Bytes(&self.after), Param::Bytes(&before), Param::Int(i64::from(self.most))];
        let mut last = None;
        for (id,) in tx.many::<([u8; 16],)>(&UNVERIFIED_FACTORS, &params).await? {
            last = Some(id);
            let key = [Param::Bytes(&id), environment];
            let user = tx.one::<(Option<String>,)>(&FIND_USER_OF_FACTOR, &key).await?;
            if tx.exec(&PURGE_UNVERIFIED_FACTOR, &key).await? == 1 {
                let user = user_of(user.and_then(|(user,)| user))?;
                let factor = FactorId::from_bytes(id);
                let kind = EventKind::FactorPurged;
                tx.record(event_of_factor(self.scope, &Actor::Server, self.now, factor, user.as_ref(), kind));
            }
        }
        Ok(last)
    }
}
