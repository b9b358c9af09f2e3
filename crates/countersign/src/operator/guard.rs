//! The guard on the money: its state, and other rules over the messages it has counted.

use super::{Operator, Outcome, line};
use crate::config::{each_rule, rules_of_file};
use app::Guards;
use domain::{
    environment::{Environment, Scope},
    guard::{Country, Message, Money, Rehearsal, day_of},
    time::Timestamp,
    user_budget::SPAN_SECONDS,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use store::queries::{ListTraffic, Sent, SpentInDay};

/// Messages read at once.
const PAGE: u32 = 5_000;
/// Beginnings of numbers that are shown.
const AREAS_SHOWN: usize = 20;

/// A message as the rules see it; `None` of before the guard counted.
fn message(sent: &Sent) -> Option<Message> {
    let counted = sent.counted.as_ref()?;
    Some(Message {
        at: sent.at,
        number: sent.number,
        block: counted.block,
        area: counted.area.clone(),
        country: Country::parse(&counted.country).unwrap_or(Country::NONE),
        user: counted.user,
        address: counted.address,
        segments: counted.segments,
        price: counted.price,
        verified_at: counted.verified_at,
    })
}

/// Messages of the last 24 hours that begin alike.
#[derive(Default)]
struct Area {
    texts: u64,
    verified: u64,
    cost: Money,
}

impl Operator {
    /// Walks the messages of an environment from a moment on. Answers how many the guard had not counted.
    async fn walk_traffic(
        &self,
        environment: &Environment,
        mut from: Timestamp,
        mut each: impl FnMut(&Message),
    ) -> Result<u64, String> {
        let scope = Scope::of_operator(environment);
        // Those of the last moment that the next page begins with again.
        let mut seen: HashSet<[u8; 16]> = HashSet::new();
        let mut uncounted = 0;
        loop {
            let most = PAGE + u32::try_from(seen.len()).unwrap_or(u32::MAX - PAGE);
            let page = self.app.store().query(ListTraffic { scope, from, most }).await.map_err(line)?;
            let is_last = page.len() < most as usize;
            for sent in page.iter().filter(|sent| !seen.contains(&sent.delivery)) {
                match message(sent) {
                    Some(message) => each(&message),
                    None => uncounted += 1,
                }
            }
            let Some(last) = page.last().map(|sent| sent.at).filter(|_| !is_last) else {
                return Ok(uncounted);
            };
            if last != from {
                seen.clear();
            }
            seen.extend(page.iter().filter(|sent| sent.at == last).map(|sent| sent.delivery));
            from = last;
        }
    }

    /// The guards of this server; those of a file if it has none, as a command without a server.
    fn guards(&self, rules: Option<&str>) -> Result<Guards, String> {
        match (self.app.guards(), rules) {
            (Some(own), _) => Ok(own.clone()),
            (None, Some(text)) => Ok(rules_of_file(text)?.guards),
            (None, None) => Ok(Guards::default()),
        }
    }

    pub(super) async fn guard_status(&self, environment: Option<&str>, rules: Option<&str>) -> Outcome {
        let environment = self.environment(environment)?;
        let guards = self.guards(rules)?;
        let rules = guards.of(&environment);
        let now = self.app.now().map_err(line)?;
        let each = each_rule(rules, &guards.currency).into_iter();
        let each =
            each.map(|(rule, mode, asks)| json!({ "rule": rule.word(), "mode": mode.word(), "asks": asks }));
        let spent = SpentInDay { scope: Scope::of_operator(&environment), day: day_of(now) };
        let spent = self.app.store().query(spent).await.map_err(line)?;
        let total = spent.iter().fold(Money::default(), |sum, (_, money)| sum.plus(*money));
        let by_country = spent.iter().map(|(code, money)| {
            let country = Country::parse(code).unwrap_or(Country::NONE);
            let cap = rules.caps.of(country).map(|cap| cap.to_string());
            json!({ "country": code, "spent": money.to_string(), "cap": cap })
        });
        let by_country: Vec<Value> = by_country.collect();
        let mut areas: BTreeMap<String, Area> = BTreeMap::new();
        let mut day = Area::default();
        let uncounted = self
            .walk_traffic(&environment, now.minus_seconds(SPAN_SECONDS), |message| {
                for area in [&mut day, areas.entry(message.area.clone()).or_default()] {
                    area.texts += 1;
                    area.verified += u64::from(message.verified_at.is_some());
                    area.cost = area.cost.plus(message.price);
                }
            })
            .await?;
        let mut areas: Vec<_> = areas.into_iter().collect();
        areas.sort_by_key(|(_, area)| std::cmp::Reverse(area.texts - area.verified));
        let areas = areas.iter().take(AREAS_SHOWN).map(|(name, area)| {
            json!({
                "begins": name, "texts": area.texts, "verified": area.verified, "cost": area.cost.to_string(),
                "country": Country::of(name).to_string(),
            })
        });
        Ok(json!({
            "environment": environment.name,
            "counts": rules.counts,
            "rules": each.collect::<Vec<_>>(),
            "test_numbers": rules.test_numbers.len(),
            "currency": guards.currency,
            "today": {
                "spent": total.to_string(),
                "cap": rules.caps.environment.map(|cap| cap.to_string()),
                "countries": by_country,
            },
            "last_24h": {
                "texts": day.texts, "verified": day.verified, "cost": day.cost.to_string(),
                "not_counted": uncounted,
                "areas": areas.collect::<Vec<_>>(),
            },
        }))
    }

    pub(super) async fn rehearse_guard(
        &self,
        environment: Option<&str>,
        since_seconds: u32,
        rules: &str,
    ) -> Outcome {
        let environment = self.environment(environment)?;
        let guards = rules_of_file(rules)?.guards;
        let now = self.app.now().map_err(line)?;
        let mut rehearsal = Rehearsal::of(guards.of(&environment));
        let since = now.minus_seconds(since_seconds);
        let uncounted = self.walk_traffic(&environment, since, |message| rehearsal.play(message)).await?;
        let report = rehearsal.report();
        let by_rule: BTreeMap<&str, u64> =
            report.by_rule.iter().map(|(rule, count)| (rule.word(), *count)).collect();
        let own = || self.app.guards().map(|own| own.currency.clone()).unwrap_or_default();
        let currency = if guards.currency.is_empty() { own() } else { guards.currency };
        Ok(json!({
            "environment": environment.name,
            "since": since.to_string(),
            "messages": report.messages,
            "cost": report.cost.to_string(),
            "refused": report.refused,
            "saved": report.saved.to_string(),
            "currency": currency,
            "refused_and_verified": report.refused_verified,
            "people_who_verified": report.people,
            "people_hit": report.people_hit,
            "by_rule": by_rule,
            "not_counted": uncounted,
        }))
    }
}
