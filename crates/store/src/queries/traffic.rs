//! Messages of the past, as the guard counted them: for its state, and to rehearse other rules.

use crate::{
    Failure, Query, Reads,
    columns::Param,
    statements::{LIST_TRAFFIC, SPENT_IN_DAY},
    steps::at,
};
use domain::{environment::Scope, guard::Money, time::Timestamp};

/// A message of the past.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When it was owed.
    pub at: Timestamp,
    /// Its delivery.
    pub delivery: [u8; 16],
    /// The digest of its number.
    pub number: [u8; 32],
    /// What the guard knew of it; nothing if it did not count then.
    pub counted: Option<Counted>,
}

/// What the guard counted of a message.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The digest of its block.
    pub block: [u8; 32],
    /// How its number begins: at most six digits.
    pub area: String,
    /// Its country.
    pub country: String,
    /// The digest of its user, if there is one.
    pub user: Option<[u8; 32]>,
    /// The digest of the address that the caller named.
    pub address: Option<[u8; 32]>,
    /// How many segments its text had.
    pub segments: u32,
    /// What it cost.
    pub price: Money,
    /// When its code came back.
    pub verified_at: Option<Timestamp>,
}

/// A page of the messages of an environment, oldest first.
pub struct ListTraffic {
    /// Of which environment.
    pub scope: Scope,
    /// From this moment on. The next page begins at the last one's last moment, and skips what it has seen.
    pub from: Timestamp,
    /// At most how many.
    pub most: u32,
}

type Row = (
    i64,
    [u8; 16],
    [u8; 32],
    Option<[u8; 32]>,
    Option<String>,
    Option<String>,
    Option<[u8; 32]>,
    Option<[u8; 32]>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

fn sent_of(row: Row) -> Sent {
    let (at, delivery, number, block, area, country, user, address, segments, micros, verified_at) = row;
    let counted = block.zip(area).zip(country).map(|((block, area), country)| Counted {
        block,
        area,
        country,
        user,
        address,
        segments: segments.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        price: Money::from_micros(micros.unwrap_or(0).unsigned_abs()),
        verified_at: verified_at.map(Timestamp::from_millis),
    });
    Sent { at: Timestamp::from_millis(at), delivery, number, counted }
}

impl Query for ListTraffic {
    type Out = Vec<Sent>;

    async fn run<R: Reads>(&self, reads: &mut R) -> Result<Vec<Sent>, Failure> {
        let environment = self.scope.environment();
        let params = [Param::Bytes(environment.bytes()), at(self.from), Param::Int(i64::from(self.most))];
        Ok(reads.many::<Row>(&LIST_TRAFFIC, &params).await?.into_iter().map(sent_of).collect())
    }
}

/// What an environment has spent in a day, by country.
pub struct SpentInDay {
    /// Which environment.
    pub scope: Scope,
    /// Which day, as [`domain::guard::day_of`] counts them.
    pub day: i64,
}

impl Query for SpentInDay {
    type Out = Vec<(String, Money)>;

    async fn run<R: Reads>(&self, reads: &mut R) -> Result<Self::Out, Failure> {
        let environment = self.scope.environment();
        let params = [Param::Bytes(environment.bytes()), Param::Int(self.day)];
        let rows = reads.many::<(String, i64)>(&SPENT_IN_DAY, &params).await?;
        Ok(rows.into_iter().map(|(country, m)| (country, Money::from_micros(m.unsigned_abs()))).collect())
    }
}
