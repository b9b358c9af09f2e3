//! The guard's part of opening a challenge: what it asks the store, and what is counted for it.
//!
//! All of it is read under the lock on the environment's quota, which the step holds by then: no other message of the
//! environment is counted between what is read here and what is written.

use super::OpenChallenge;
use crate::{
    Failure, Tx,
    columns::Param,
    statement::Statement,
    statements::{
        COUNT_SEND, RECENT_SENDS_TO_ADDRESS, RECENT_SENDS_TO_BLOCK, RECENT_SENDS_TO_COUNTRY,
        RECENT_SENDS_TO_NUMBER, RECENT_SENDS_TO_USER, SPEND, SPENT_IN_DAY,
    },
    step::change_one,
    steps::{at, event_of_factor},
};
use domain::{
    environment::Mode,
    event::{Actor, Event, EventKind},
    guard::{Country, Hit, Money, Past, Rules, Seen, area_of, block_of, day_of},
    id::EnvironmentId,
    phone::PhoneNumber,
    refusal::Refusal,
    text::echo_value,
    time::Timestamp,
    user_budget::SPAN_SECONDS,
    user_id::UserId,
};
use secrets::Digest;
use std::sync::{Arc, Mutex, PoisonError};

/// The environment's guard, and what there is to know of a request.
#[derive(Clone, Debug)]
pub struct Guarded {
    /// The rules.
    pub rules: Arc<Rules>,
    /// Whether the environment is live: not every test number is for those.
    pub mode: Mode,
    /// Who asks, for the trail.
    pub actor: Actor,
    /// Whose address the caller names.
    pub address: Option<Vec<u8>>,
    /// Which rules said no, when the step has run. A step may run more than once; the last time is what holds.
    pub noticed: Arc<Mutex<Vec<Hit>>>,
}

impl Guarded {
    /// Which rules said no. Empty until the step has run.
    #[must_use]
    pub fn noticed(&self) -> Vec<Hit> {
        self.noticed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn begin(&self) {
        self.noticed.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A message as it is counted.
pub(super) struct Counted {
    pub(super) block: Digest,
    pub(super) area: String,
    pub(super) country: Country,
    pub(super) user: Option<Digest>,
    pub(super) address: Option<Digest>,
    pub(super) segments: u32,
    pub(super) price: Money,
}

impl OpenChallenge {
    pub(super) fn event(&self, user: Option<&UserId>, kind: EventKind) -> Event {
        event_of_factor(self.scope, &self.guard.actor, self.now, self.factor, user, kind)
    }

    /// What of a message is counted.
    pub(super) fn counted(&self, number: &PhoneNumber, user: Option<&str>, segments: u32) -> Counted {
        let environment = self.scope.environment();
        let digest = |what: &'static str, part: &[u8]| self.ring.digest(what, &[environment.bytes(), part]);
        let number = number.reveal();
        Counted {
            block: digest("sms.block", block_of(number).as_bytes()),
            area: area_of(number).to_owned(),
            country: Country::of(number),
            user: user.map(|user| digest("sms.user", user.as_bytes())),
            address: self.guard.address.as_ref().map(|address| digest("sms.address", address)),
            segments,
            price: self.guard.rules.prices.of(number).times(segments),
        }
    }

    /// What the guard says of a number alone.
    pub(super) fn judge_number<T: Tx>(&self, tx: &mut T, number: &PhoneNumber) -> Option<Refusal> {
        let hits = self.guard.rules.judge_number(number.reveal());
        let refused = self.notice(tx, &hits, Country::of(number.reveal()));
        refused.map(|_| Refusal::InvalidPhoneNumber(echo_value(number.reveal()).into_owned()))
    }

    /// What it says in view of what went before.
    pub(super) async fn judge_counts<T: Tx>(
        &self,
        tx: &mut T,
        number: &Digest,
        message: &Counted,
    ) -> Result<Option<Refusal>, Failure> {
        let seen = self.seen(tx, number, message).await?;
        let hits = self.guard.rules.judge_counts(message.country, message.price, &seen, self.now);
        let refused = self.notice(tx, &hits, message.country);
        Ok(refused.map(|hit| hit.refusal(self.now)))
    }

    /// Writes down what said no. Answers what refuses the message, if anything does: of several the one that lasts
    /// longest.
    fn notice<T: Tx>(&self, tx: &mut T, hits: &[Hit], country: Country) -> Option<Hit> {
        for hit in hits {
            let kind = EventKind::GuardHit { rule: hit.rule, country, enforced: hit.enforced };
            tx.record(self.event(None, kind));
        }
        self.guard.noticed.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(hits);
        hits.iter().filter(|hit| hit.enforced).max_by_key(|hit| hit.until).copied()
    }

    async fn seen<T: Tx>(&self, tx: &mut T, number: &Digest, message: &Counted) -> Result<Seen, Failure> {
        let [to_number, to_block, to_country, of_user, of_address] = self.guard.rules.looks_at();
        let mut seen = Seen {
            number: self
                .times(tx, &RECENT_SENDS_TO_NUMBER, Some(Param::Bytes(number.as_bytes())), to_number)
                .await?,
            country: self
                .times(tx, &RECENT_SENDS_TO_COUNTRY, Some(Param::Text(message.country.as_str())), to_country)
                .await?,
            ..Seen::default()
        };
        let user = message.user.as_ref().map(|d| Param::Bytes(d.as_bytes()));
        seen.user = self.times(tx, &RECENT_SENDS_TO_USER, user, of_user).await?;
        let address = message.address.as_ref().map(|d| Param::Bytes(d.as_bytes()));
        seen.address = self.times(tx, &RECENT_SENDS_TO_ADDRESS, address, of_address).await?;
        if to_block > 0 {
            let environment = self.scope.environment();
            let params = self.recent(&environment, Param::Bytes(message.block.as_bytes()), to_block);
            let rows = tx.many::<(i64, Option<i64>)>(&RECENT_SENDS_TO_BLOCK, &params).await?;
            let past = |(at, verified)| Past {
                at: Timestamp::from_millis(at),
                verified: Option::is_some(&verified),
            };
            seen.block = rows.into_iter().map(past).collect();
        }
        if self.guard.rules.caps.mode != domain::guard::Mode::Off {
            let environment = self.scope.environment();
            let params = [Param::Bytes(environment.bytes()), Param::Int(day_of(self.now))];
            for (country, micros) in tx.many::<(String, i64)>(&SPENT_IN_DAY, &params).await? {
                let spent = Money::from_micros(micros.unsigned_abs());
                seen.spent = seen.spent.plus(spent);
                if country == message.country.as_str() {
                    seen.spent_in_country = spent;
                }
            }
        }
        Ok(seen)
    }

    /// The parameters of all that look at the messages of the last 24 hours.
    fn recent<'a>(&self, environment: &'a EnvironmentId, of: Param<'a>, most: u32) -> [Param<'a>; 4] {
        let day_ago = at(self.now.minus_seconds(SPAN_SECONDS));
        [Param::Bytes(environment.bytes()), of, day_ago, Param::Int(i64::from(most))]
    }

    async fn times<T: Tx>(
        &self,
        tx: &mut T,
        statement: &'static Statement,
        of: Option<Param<'_>>,
        most: u32,
    ) -> Result<Vec<Timestamp>, Failure> {
        let Some(of) = of.filter(|_| most > 0) else { return Ok(Vec::new()) };
        let environment = self.scope.environment();
        let sent = tx.many::<(i64,)>(statement, &self.recent(&environment, of, most)).await?;
        Ok(sent.into_iter().map(|(at,)| Timestamp::from_millis(at)).collect())
    }

    /// Counts a message, against the limits of its number and for the guard.
    pub(super) async fn count<T: Tx>(
        &self,
        tx: &mut T,
        number: &Digest,
        message: Option<&Counted>,
    ) -> Result<(), Failure> {
        fn bytes(digest: Option<&Digest>) -> Param<'_> {
            Param::MaybeBytes(digest.map(|d| d.as_bytes().as_slice()))
        }
        let environment = self.scope.environment();
        let environment = Param::Bytes(environment.bytes());
        let challenge = message.map(|_| self.id.bytes().as_slice());
        let price = message.map(|m| micros(m.price));
        let send = [
            environment,
            Param::Bytes(number.as_bytes()),
            at(self.now),
            Param::Bytes(self.delivery.bytes()),
            Param::MaybeBytes(challenge),
            bytes(message.map(|m| &m.block)),
            Param::MaybeText(message.map(|m| m.area.as_str())),
            Param::MaybeText(message.map(|m| m.country.as_str())),
            bytes(message.and_then(|m| m.user.as_ref())),
            bytes(message.and_then(|m| m.address.as_ref())),
            Param::MaybeInt(message.map(|m| i64::from(m.segments))),
            Param::MaybeInt(price),
        ];
        change_one(tx, &COUNT_SEND, &send).await?;
        let Some((message, price)) = message.zip(price).filter(|(_, price)| *price > 0) else {
            return Ok(());
        };
        let country = Param::Text(message.country.as_str());
        let spent = [environment, Param::Int(day_of(self.now)), country, Param::Int(price)];
        change_one(tx, &SPEND, &spent).await
    }
}

/// An amount as the store keeps it.
fn micros(amount: Money) -> i64 {
    i64::try_from(amount.micros()).unwrap_or(i64::MAX)
}
