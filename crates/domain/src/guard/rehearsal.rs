//! Other rules over the traffic of the past: what they would have refused, what that saves, and whom it would have hit.

use super::{COUNTED_MAX, Country, Money, Past, Prices, Rule, Rules, Seen, day_of};
use crate::{
    time::{Timestamp, is_live},
    user_budget::SPAN_SECONDS,
};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// A digest that stands for a number, a block, a user or an address.
type Key = [u8; 32];

/// A message that went out. Of its number only the beginning is known.
#[derive(Clone, Debug)]
pub struct Message {
    /// When it was owed.
    pub at: Timestamp,
    /// Its number.
    pub number: Key,
    /// Its block.
    pub block: Key,
    /// How its number begins, as [`super::area_of`] cuts it.
    pub area: String,
    /// Its country.
    pub country: Country,
    /// Its user, if there is one.
    pub user: Option<Key>,
    /// The address that the caller named.
    pub address: Option<Key>,
    /// How many segments it had.
    pub segments: u32,
    /// What it cost by the prices of its time.
    pub price: Money,
    /// When its code came back.
    pub verified_at: Option<Timestamp>,
}

/// What a rehearsal has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Messages of the past, and what they cost.
    pub messages: u64,
    /// By the rehearsed prices, or else those of their time.
    pub cost: Money,
    /// Of which the rules would have refused.
    pub refused: u64,
    /// And saved.
    pub saved: Money,
    /// Messages whose code came back, that would have been refused.
    pub refused_verified: u64,
    /// People, by their numbers, whose code came back at least once.
    pub people: u64,
    /// Of whom would have been refused a message whose code came back.
    pub people_hit: u64,
    /// Refused messages by the rule that came first.
    pub by_rule: BTreeMap<Rule, u64>,
}

/// Messages of the last 24 hours, oldest first, with when they were verified.
type History = VecDeque<(Timestamp, Option<Timestamp>)>;

/// A rehearsal in progress. Every rule that is not off counts as enforced, and a message that it refuses was never
/// sent: it uses up no limit of those after it.
pub struct Rehearsal {
    rules: Rules,
    histories: [HashMap<Key, History>; 5],
    spent: (i64, BTreeMap<Country, Money>),
    verified: HashSet<Key>,
    hit: HashSet<Key>,
    report: Report,
}

impl Rehearsal {
    /// Of these rules.
    #[must_use]
    pub fn of(rules: &Rules) -> Self {
        Self {
            rules: rules.enforced(),
            histories: Default::default(),
            spent: (0, BTreeMap::new()),
            verified: HashSet::new(),
            hit: HashSet::new(),
            report: Report::default(),
        }
    }

    /// Plays one message. They must come in the order of their time.
    pub fn play(&mut self, message: &Message) {
        let price = if self.rules.prices == Prices::default() {
            message.price
        } else {
            self.rules.prices.of(&message.area).times(message.segments)
        };
        let seen = self.seen(message);
        let hits = self.rules.judge_number(&message.area).into_iter();
        let hits = hits.chain(self.rules.judge_counts(message.country, price, &seen, message.at));
        let refused_by = hits.map(|hit| hit.rule).next();
        let report = &mut self.report;
        report.messages += 1;
        report.cost = report.cost.plus(price);
        if message.verified_at.is_some() {
            self.verified.insert(message.number);
        }
        match refused_by {
            Some(rule) => {
                report.refused += 1;
                report.saved = report.saved.plus(price);
                *report.by_rule.entry(rule).or_default() += 1;
                if message.verified_at.is_some() {
                    report.refused_verified += 1;
                    self.hit.insert(message.number);
                }
            }
            None => self.send(message, price),
        }
    }

    /// What was seen.
    #[must_use]
    pub fn report(mut self) -> Report {
        self.report.people = self.verified.len() as u64;
        self.report.people_hit = self.hit.len() as u64;
        self.report
    }

    /// The keys of a message, in the order of [`Rules::looks_at`].
    fn keys(message: &Message) -> [Option<Key>; 5] {
        let mut country = [0; 32];
        for (to, from) in country.iter_mut().zip(message.country.as_str().bytes()) {
            *to = from;
        }
        [Some(message.number), Some(message.block), Some(country), message.user, message.address]
    }

    fn seen(&mut self, message: &Message) -> Seen {
        let looks_at = self.rules.looks_at();
        let day_ago = message.at.minus_seconds(SPAN_SECONDS);
        let mut lists: [Vec<Past>; 5] = Default::default();
        let all = self.histories.iter_mut().zip(Self::keys(message)).zip(looks_at).zip(&mut lists);
        for (((histories, key), most), list) in all {
            let Some(history) = key.and_then(|key| histories.get_mut(&key)) else { continue };
            while history.front().is_some_and(|(at, _)| *at <= day_ago) {
                history.pop_front();
            }
            let past = |(at, verified): &(Timestamp, Option<Timestamp>)| Past {
                at: *at,
                // Known by then: its code had come back at this moment or before.
                verified: verified.is_some_and(|v| !is_live(v, message.at)),
            };
            list.extend(history.iter().rev().take(most as usize).map(past));
        }
        let times = |list: &[Past]| list.iter().map(|past| past.at).collect();
        let [number, block, country, user, address] = lists;
        if self.spent.0 != day_of(message.at) {
            self.spent = (day_of(message.at), BTreeMap::new());
        }
        Seen {
            number: times(&number),
            block,
            country: times(&country),
            user: times(&user),
            address: times(&address),
            spent: self.spent.1.values().fold(Money::default(), |sum, money| sum.plus(*money)),
            spent_in_country: self.spent.1.get(&message.country).copied().unwrap_or_default(),
        }
    }

    fn send(&mut self, message: &Message, price: Money) {
        for (histories, key) in self.histories.iter_mut().zip(Self::keys(message)) {
            let Some(key) = key else { continue };
            let history = histories.entry(key).or_default();
            history.push_back((message.at, message.verified_at));
            // No limit looks further back.
            if history.len() > COUNTED_MAX as usize {
                history.pop_front();
            }
        }
        let spent = self.spent.1.entry(message.country).or_default();
        *spent = spent.plus(price);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{Caps, Mode, Unverified, Velocity};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + seconds * 1_000)
    }

    fn key(what: u8, n: u64) -> Key {
        let mut key = [what; 32];
        key[..8].copy_from_slice(&n.to_be_bytes());
        key
    }

    fn message(seconds: i64, number: u64, block: u64, verified: Option<i64>) -> Message {
        Message {
            at: at(seconds),
            number: key(1, number),
            block: key(2, block),
            area: "+141555".into(),
            country: Country::of("+1415"),
            user: Some(key(3, number)),
            address: None,
            segments: 1,
            price: Money::from_micros(10_000),
            verified_at: verified.map(at),
        }
    }

    /// A week of people who mostly verify, 40 blocks of them, and one night in which somebody pumps three blocks.
    fn week_with_a_night_of_pumping() -> Vec<Message> {
        let mut all = Vec::new();
        for hour in 0..7 * 24 {
            for n in 0..60 {
                let (person, seconds) = (hour * 60 + n, hour * 3_600 + n * 60);
                let verified = (n % 5 != 0).then_some(seconds + 20);
                all.push(message(seconds, person as u64, n as u64 % 40, verified));
            }
        }
        let night = 3 * 86_400;
        for n in 0..3_000 {
            all.push(message(night + n * 5, 1_000_000 + n as u64, 900 + n as u64 % 3, None));
        }
        all.sort_by_key(|m| m.at);
        all
    }

    fn rehearse(rules: &Rules, all: &[Message]) -> Report {
        let mut rehearsal = Rehearsal::of(rules);
        all.iter().for_each(|m| rehearsal.play(m));
        rehearsal.report()
    }

    #[test]
    fn a_rehearsal_stops_a_pumping_night_and_leaves_a_normal_week_alone() {
        let all = week_with_a_night_of_pumping();
        let unverified = Unverified { mode: Mode::Record, window_seconds: 3_600, texts: 20, percent: 20 };
        let report = rehearse(&Rules { unverified, ..Rules::default() }, &all);
        assert_eq!((report.messages, report.cost.to_string().as_str()), (13_080, "130.80"));
        // Each of the three blocks gets its 20 texts in each hour of the four.
        assert_eq!(report.refused, 2_700);
        assert_eq!(report.saved, Money::from_micros(10_000 * report.refused));
        assert_eq!((report.refused_verified, report.people_hit, report.people), (0, 0, 8_064));
        assert_eq!(report.by_rule, BTreeMap::from([(Rule::Unverified, report.refused)]));
    }

    #[test]
    fn a_rule_that_is_too_strict_shows_whom_it_hits() {
        let all = week_with_a_night_of_pumping();
        let velocity =
            Velocity { mode: Mode::Enforce, block: Some("1/1h".parse().unwrap()), ..Velocity::default() };
        let report = rehearse(&Rules { velocity, ..Rules::default() }, &all);
        assert!(report.people_hit > 1_000 && report.people_hit == report.refused_verified, "{report:?}");
    }

    #[test]
    fn what_is_refused_uses_up_no_limit_and_a_verification_counts_only_from_its_time_on() {
        let velocity =
            Velocity { mode: Mode::Enforce, user: Some("1/1h".parse().unwrap()), ..Velocity::default() };
        let all: Vec<_> = [0, 1_800, 3_600, 5_400].map(|s| message(s, 1, 1, None)).into();
        assert_eq!(rehearse(&Rules { velocity, ..Rules::default() }, &all).refused, 2);
        let unverified = Unverified { mode: Mode::Enforce, window_seconds: 3_600, texts: 2, percent: 50 };
        let rules = Rules { unverified, ..Rules::default() };
        for (verified, refused) in [(100, 0), (101, 1)] {
            let all = [message(0, 1, 1, Some(verified)), message(1, 2, 1, None), message(100, 3, 1, None)];
            assert_eq!(rehearse(&rules, &all).refused, refused);
        }
    }

    #[test]
    fn a_cap_begins_anew_each_day_and_prices_may_be_others() {
        let caps =
            Caps { mode: Mode::Record, environment: Some(Money::from_micros(25_000)), ..Caps::default() };
        // From 8 o'clock on, every six hours: 3, 4 and 1 in a day.
        let all: Vec<_> = (0..8).map(|n| message(n * 43_200 / 2, n as u64, 1, None)).collect();
        let report = rehearse(&Rules { caps: caps.clone(), ..Rules::default() }, &all);
        assert_eq!((report.refused, report.saved.to_string().as_str()), (3, "0.03"));
        let prices = Prices { usual: Money::from_micros(25_001), by_prefix: vec![] };
        assert_eq!(rehearse(&Rules { caps, prices, ..Rules::default() }, &all).refused, 8);
    }
}
