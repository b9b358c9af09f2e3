//! `[guard]`: which text messages are paid for.

mod explained;
mod tables;

pub(crate) use explained::each_rule;
pub(crate) use tables::GuardTable;

use app::Guards;
use domain::{
    guard::{
        COUNTED_MAX, Caps, Countries, Country, Mode, Money, Prices, Ranges, Rules, TestNumber, Unverified,
        Velocity,
    },
    phone::{PhoneNumber, Prefix},
    settings::SmsLimits,
    time::Timestamp,
};
use explained::explained;
use secrets::Code;
use std::{collections::BTreeMap, fmt::Display, ops::RangeInclusive, sync::Arc};
use tables::{RulesTable, TestNumberTable, Word};

/// Days for which messages are kept: a week to rehearse on, and the day that is not over.
const KEEP_DAYS: (u32, RangeInclusive<u32>) = (8, 1..=62);
/// Limits of velocity where none is given.
const BLOCK: &str = "30/1h,100/24h";
const USER: &str = "10/1h,30/24h";
const ADDRESS: &str = "10/1h,30/24h";
/// Minutes, texts and percent of the unverified-code budget.
const WINDOW_MINUTES: (u32, RangeInclusive<u32>) = (60, 1..=1_440);
const TEXTS: (u32, RangeInclusive<u32>) = (20, 1..=COUNTED_MAX);
const PERCENT: (u32, RangeInclusive<u32>) = (20, 1..=100);
/// The keys of `[guard.prices]` that are no prefixes.
const USUAL: &str = "default";
const CURRENCY: &str = "currency";

/// What the tables come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guarding {
    /// The rules.
    pub(crate) guards: Guards,
}

/// Reads `[guard]`.
///
/// # Errors
/// The key that is wrong, and what it must be.
pub(super) fn guarding(table: GuardTable) -> Result<Guarding, String> {
    let keep_days = within("guard.keep_days", table.keep_days, KEEP_DAYS)?;
    let (prices, currency) = prices(table.prices)?;
    let usual = RulesTable {
        mode: table.mode,
        countries: table.countries,
        ranges: table.ranges,
        velocity: table.velocity,
        unverified: table.unverified,
        caps: table.caps,
    };
    let usual_rules = rules(&usual, &usual, &prices, "guard")?;
    let mut by_environment = BTreeMap::new();
    for (name, own) in &table.environments {
        by_environment
            .insert(name.clone(), rules(own, &usual, &prices, &format!("guard.environments.{name}"))?);
    }
    for test in table.test_numbers {
        let (environment, number) = test_number(test)?;
        let of = by_environment.entry(environment).or_insert_with(|| usual_rules.clone());
        if of.is_for_tests(&number.number) {
            return Err("`guard.test_numbers`: a number stands there twice for one environment".into());
        }
        of.test_numbers.push(number);
    }
    let by_environment = by_environment.into_iter().map(|(name, rules)| (name, Arc::new(rules))).collect();
    Ok(Guarding { guards: Guards { usual: Arc::new(usual_rules), by_environment, currency, keep_days } })
}

/// The rules in a file: `[guard]` of a configuration, or of a file that has nothing else.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn rules_of_file(text: &str) -> Result<Guarding, String> {
    let mut file: toml::Table = toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())?;
    let Some(guard) = file.remove("guard") else { return Err("there is no `[guard]` in it".into()) };
    let table: GuardTable =
        guard.try_into().map_err(|e: toml::de::Error| e.to_string().trim_end().to_owned())?;
    guarding(table)
}

fn within<T: PartialOrd + Display>(
    key: &str,
    given: Option<T>,
    (usual, range): (T, RangeInclusive<T>),
) -> Result<T, String> {
    let value = given.unwrap_or(usual);
    if range.contains(&value) {
        return Ok(value);
    }
    Err(format!("`{key}` must be {} to {}", range.start(), range.end()))
}

fn money(key: &str, text: &str) -> Result<Money, String> {
    Money::parse(text).map_err(|problem| format!("`{key}` {problem}"))
}

fn prices(table: BTreeMap<String, String>) -> Result<(Prices, String), String> {
    let (mut prices, mut currency, mut usual) = (Prices::default(), String::new(), None);
    for (key, text) in &table {
        let name = format!("guard.prices.{key}");
        match key.as_str() {
            CURRENCY => {
                if text.len() != 3 || !text.bytes().all(|b| b.is_ascii_uppercase()) {
                    return Err(format!("`{name}` must be three capital letters, such as USD"));
                }
                currency.clone_from(text);
            }
            USUAL => usual = Some(money(&name, text)?),
            prefix => {
                let wanted =
                    |_| format!("`{name}`: a key is {CURRENCY}, {USUAL}, or + and 1 to 15 digits in quotes");
                prices.by_prefix.push((Prefix::parse(prefix).map_err(wanted)?, money(&name, text)?));
            }
        }
    }
    if !table.is_empty() && (usual.is_none() || currency.is_empty()) {
        return Err(format!(
            "`guard.prices` needs `{CURRENCY}`, and `{USUAL}` for numbers that no prefix fits: what has no price \
             cannot be capped"
        ));
    }
    prices.usual = usual.unwrap_or_default();
    Ok((prices, currency))
}

fn rules(own: &RulesTable, usual: &RulesTable, prices: &Prices, at: &str) -> Result<Rules, String> {
    let mode_of = |word: Option<Word>| word.or(own.mode).or(usual.mode).map_or(Mode::Record, Mode::from);
    let list = |key: &str, texts: &[String]| -> Result<Vec<Country>, String> {
        let read = |text: &String| Country::parse(text).map_err(|problem| format!("`{at}.{key}` {problem}"));
        texts.iter().map(read).collect()
    };
    let table = own.countries.clone().or_else(|| usual.countries.clone()).unwrap_or_default();
    let countries = Countries {
        mode: mode_of(table.mode),
        allowed: list("countries.allowed", &table.allowed)?,
        denied: list("countries.denied", &table.denied)?,
    };
    let table = own.ranges.clone().or_else(|| usual.ranges.clone()).unwrap_or_default();
    let also = table.also.iter().map(|text| Prefix::parse(text));
    let also = also.collect::<Result<_, _>>().map_err(|problem| format!("`{at}.ranges.also` {problem}"))?;
    let ranges = Ranges { mode: mode_of(table.mode), also };
    let table = own.velocity.clone().or_else(|| usual.velocity.clone()).unwrap_or_default();
    let limits =
        |key: &str, text: Option<String>, usual: Option<&str>| -> Result<Option<SmsLimits>, String> {
            let Some(text) = text.as_deref().or(usual).filter(|text| *text != "off") else { return Ok(None) };
            let read = text.parse::<SmsLimits>();
            read.map(Some).map_err(|problem| {
                format!("`{at}.velocity.{key}` {problem}; it is off, or limits such as 30/1h,100/24h")
            })
        };
    let velocity = Velocity {
        mode: mode_of(table.mode),
        number: limits("number", table.number, None)?,
        block: limits("block", table.block, Some(BLOCK))?,
        country: limits("country", table.country, None)?,
        user: limits("user", table.user, Some(USER))?,
        address: limits("address", table.address, Some(ADDRESS))?,
    };
    let table = own.unverified.clone().or_else(|| usual.unverified.clone()).unwrap_or_default();
    let key = |name: &str| format!("{at}.unverified.{name}");
    let unverified = Unverified {
        mode: mode_of(table.mode),
        window_seconds: 60 * within(&key("window_minutes"), table.window_minutes, WINDOW_MINUTES)?,
        texts: within(&key("texts"), table.texts, TEXTS)?,
        percent: within(&key("percent"), table.percent, PERCENT)?,
    };
    let table = own.caps.clone().or_else(|| usual.caps.clone()).unwrap_or_default();
    let cap = |key: &str, text: Option<String>| -> Result<Option<Money>, String> {
        text.map(|text| money(&format!("{at}.caps.{key}"), &text)).transpose()
    };
    let each = table.countries.iter().map(|(code, text)| {
        let key = format!("{at}.caps.countries.{code}");
        let country = Country::parse(code).map_err(|problem| format!("`{key}` {problem}"))?;
        Ok((country, money(&key, text)?))
    });
    let caps = Caps {
        mode: mode_of(table.mode),
        environment: cap("environment", table.environment)?,
        each_country: cap("each_country", table.each_country)?,
        countries: each.collect::<Result<_, String>>()?,
    };
    let has_caps = caps.environment.is_some() || caps.each_country.is_some() || !caps.countries.is_empty();
    if has_caps && *prices == Prices::default() {
        return Err(format!("`{at}.caps` needs `[guard.prices]`: without prices nothing is ever spent"));
    }
    let prices = prices.clone();
    Ok(Rules {
        counts: true,
        countries,
        ranges,
        velocity,
        unverified,
        caps,
        prices,
        test_numbers: Vec::new(),
    })
}

fn test_number(table: TestNumberTable) -> Result<(String, TestNumber), String> {
    let wrong = |key: &str, wanted: &str| format!("`guard.test_numbers.{key}` must be {wanted}");
    let number = PhoneNumber::parse(&table.number)
        .map_err(|_| wrong("number", "a phone number such as +14155550100"))?;
    let code = Code::parse_exact(&table.code).ok_or_else(|| wrong("code", "six digits"))?;
    let until = Timestamp::parse(&table.until)
        .ok_or_else(|| wrong("until", "a time such as 2027-01-31T00:00:00Z"))?;
    Ok((table.environment, TestNumber { number, code: Arc::new(code), until, live: table.live }))
}

impl Guarding {
    /// What it comes to, in a line.
    pub(crate) fn explain(&self) -> String {
        if !self.guards.usual.counts {
            return "off: nothing is counted".into();
        }
        let named = self.guards.by_environment.iter().map(|(name, rules)| (name.as_str(), rules));
        let all = std::iter::once(("usual", &self.guards.usual)).chain(named);
        let lines = all.map(|(name, rules)| format!("{name}: {}", explained(rules, &self.guards.currency)));
        format!("kept {} days; {}", self.guards.keep_days, lines.collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests;
