//! `countersign guard`: the guard on the money.

use super::operate::ask;
use crate::{
    cli::GuardCommand,
    config::{Config, rules_of_file},
    operator::Request,
    output::{bold, say},
    tables::show,
    usage::wrong,
};
use serde_json::Value;
use std::path::Path;

/// What is shown first of a rehearsal.
const REHEARSED: [&str; 11] = [
    "environment",
    "since",
    "messages",
    "cost",
    "currency",
    "refused",
    "saved",
    "refused_and_verified",
    "people_who_verified",
    "people_hit",
    "by_rule",
];

/// Runs one.
pub(super) async fn run(command: GuardCommand) -> anyhow::Result<()> {
    match command {
        GuardCommand::Status { environment, at } => {
            let rules = at.config.as_deref().map(rules_of_config).transpose()?.flatten();
            let status = ask(&at, Request::GuardStatus { environment, rules }).await?;
            if at.json {
                show(&status, true, &[], "")
            } else {
                show_status(&status)
            }
            Ok(())
        }
        GuardCommand::Rehearse { since, rules, environment, at } => {
            let Some(since_seconds) = span(&since) else {
                return wrong(format!("--since {since}: write a span such as 7d, 12h or 30m, up to 62d"));
            };
            let rules = rules_in(&rules)?;
            let told = ask(&at, Request::RehearseGuard { environment, since_seconds, rules }).await?;
            show(&told, at.json, &REHEARSED, "");
            Ok(())
        }
    }
}

/// Seconds, up to the 62 days for which messages can be kept.
fn span(text: &str) -> Option<u32> {
    let (unit, seconds) =
        [("d", 86_400), ("h", 3_600), ("m", 60)].into_iter().find(|(u, _)| text.ends_with(u))?;
    let number =
        text.strip_suffix(unit).filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))?;
    number.parse::<u32>().ok()?.checked_mul(seconds).filter(|s| (60..=62 * 86_400).contains(s))
}

/// The table `[guard]` of a file, by itself.
fn rules_in(file: &Path) -> anyhow::Result<String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) => return wrong(format!("--rules: cannot read {}: {e}", file.display())),
    };
    if let Err(problem) = rules_of_file(&text) {
        return wrong(format!("{}: {problem}", file.display()));
    }
    let whole: toml::Table = toml::from_str(&text)?;
    let guard = whole.into_iter().filter(|(key, _)| key == "guard");
    Ok(toml::to_string(&guard.collect::<toml::Table>())?)
}

/// The same of a configuration, which may have none.
fn rules_of_config(file: &Path) -> anyhow::Result<Option<String>> {
    if Config::read(file)?.guard.guards.usual.counts { rules_in(file).map(Some) } else { Ok(None) }
}

fn show_status(status: &Value) {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if status["counts"] == false {
        say("The guard counts nothing here: there is no [guard] in the configuration.");
        return;
    }
    let (currency, today, day) = (word(&status["currency"]), &status["today"], &status["last_24h"]);
    show(&status["rules"], false, &["rule", "mode", "asks"], "No rule is asked.");
    let cap = today["cap"].as_str().map_or_else(String::new, |cap| format!(" of {cap}"));
    let text = format!("\nToday, from midnight UTC: {}{cap} {currency}", word(&today["spent"]));
    say(&bold(text.trim_end()));
    show(&today["countries"], false, &["country", "spent", "cap"], "Nothing was spent.");
    let text = format!("\nLast 24 hours: {} texts, {} verified", day["texts"], day["verified"]);
    say(&bold(&text));
    let columns = ["begins", "country", "texts", "verified", "cost"];
    show(&day["areas"], false, &columns, "Nothing was sent.");
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        for (text, seconds) in [
            ("7d", Some(604_800)),
            ("12h", Some(43_200)),
            ("1m", Some(60)),
            ("62d", Some(62 * 86_400)),
            ("63d", None),
            ("0d", None),
            ("d", None),
            ("-1d", None),
            ("7", None),
            ("99999999999d", None),
            ("", None),
        ] {
            assert_eq!(span(text), seconds, "{text}");
        }
    }
}
