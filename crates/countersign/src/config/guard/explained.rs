//! `[guard]` in words.

use domain::{
    guard::{Countries, Country, Mode, Money, Rule, Rules, Unverified},
    phone::Prefix,
    settings::SmsLimits,
};

/// The rules that are asked and have something to ask, each with its mode.
pub(crate) fn each_rule(rules: &Rules, currency: &str) -> Vec<(Rule, Mode, String)> {
    let names = |list: &[Country]| list.iter().map(Country::to_string).collect::<Vec<_>>().join(",");
    let mut all = Vec::new();
    let Countries { mode, allowed, denied } = &rules.countries;
    let text = match (allowed.is_empty(), denied.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!("only {}", names(allowed)),
        (true, false) => format!("not {}", names(denied)),
        (false, false) => format!("only {}, not {}", names(allowed), names(denied)),
    };
    all.push((Rule::Countries, *mode, text));
    let more = rules.ranges.also.iter().map(Prefix::to_string).collect::<Vec<_>>().join(",");
    let more = if more.is_empty() { more } else { format!(" and {more}") };
    all.push((Rule::Ranges, rules.ranges.mode, format!("premium, satellite{more}")));
    let velocity = &rules.velocity;
    for (rule, limits) in [
        (Rule::NumberVelocity, &velocity.number),
        (Rule::BlockVelocity, &velocity.block),
        (Rule::CountryVelocity, &velocity.country),
        (Rule::UserVelocity, &velocity.user),
        (Rule::AddressVelocity, &velocity.address),
    ] {
        all.push((rule, velocity.mode, limits.as_ref().map(SmsLimits::to_string).unwrap_or_default()));
    }
    let Unverified { mode, window_seconds, texts, percent } = &rules.unverified;
    let text = format!("from {texts} texts in {} minutes on, {percent} % of them", window_seconds / 60);
    all.push((Rule::Unverified, *mode, text));
    let caps = &rules.caps;
    let amount = |money: &Money| format!("{money} {currency}");
    all.push((Rule::EnvironmentCap, caps.mode, caps.environment.as_ref().map(amount).unwrap_or_default()));
    let mut texts: Vec<_> = caps.countries.iter().map(|(code, m)| format!("{code} {}", amount(m))).collect();
    texts.extend(caps.each_country.as_ref().map(|m| format!("each {}", amount(m))));
    all.push((Rule::CountryCap, caps.mode, texts.join(", ")));
    all.retain(|(_, mode, text)| *mode != Mode::Off && !text.is_empty());
    all
}

pub(super) fn explained(rules: &Rules, currency: &str) -> String {
    let each = each_rule(rules, currency).into_iter();
    let mut texts: Vec<_> =
        each.map(|(rule, mode, text)| format!("{} {text} ({})", rule.word(), mode.word())).collect();
    match rules.test_numbers.len() {
        0 => {}
        count => texts.push(format!("{count} test numbers")),
    }
    texts.join(", ")
}
