//! `countersign provider`: the providers of a configuration, and whether they work.

use crate::{cli::ProviderCommand, config::Config, output::say, usage::wrong};
use anyhow::bail;
use delivery::Sent;
use domain::{
    delivery::{Channel, Delivery},
    id::{ChallengeId, DeliveryId, EnvironmentId},
    phone::{PhoneNumber, Prefix},
    time::Timestamp,
};
use secrets::{Code, Entropy as _, SecretText, SystemEntropy};
use serde_json::json;
use std::{path::Path, time::Duration};

/// How long a test message is of use.
const USEFUL: Duration = Duration::from_secs(600);

/// Runs one.
pub(super) async fn run(command: ProviderCommand) -> anyhow::Result<()> {
    match command {
        ProviderCommand::List { config, json } => list(&config, json),
        ProviderCommand::Test { name, config } => test(&config, name.as_deref()).await,
        ProviderCommand::SendTest { name, to, config } => send_test(&config, &name, &to).await,
    }
}

fn list(config: &Path, as_json: bool) -> anyhow::Result<()> {
    let providers = Config::read(config)?.providers;
    if as_json {
        let all = providers.all.iter().map(|p| {
            json!({
                "name": p.name, "kind": p.kind.word(), "concurrency": p.concurrency,
                "timeout_ms": u64::try_from(p.timeout.as_millis()).unwrap_or(u64::MAX),
                "callback_url": p.callback_url(),
            })
        });
        let routes = providers.routes.iter().map(|route| {
            let prefix = route.prefix.as_ref().map(Prefix::to_string);
            json!({ "prefix": prefix, "providers": route.providers })
        });
        let routes: Vec<_> = routes.collect();
        say(&json!({ "providers": all.collect::<Vec<_>>(), "routes": { "sms": routes } }).to_string());
        return Ok(());
    }
    for one in &providers.all {
        let (kind, wait) = (one.kind.word(), one.timeout.as_millis());
        let receipts = one.callback_url().map_or_else(String::new, |url| format!(", receipts at {url}"));
        say(&format!("{:<24}{kind:<10}{} at once, {wait} ms{receipts}", one.name, one.concurrency));
    }
    let (names, routes) = providers.explain();
    say(&if providers.all.is_empty() { names } else { format!("text messages: {routes}") });
    Ok(())
}

async fn test(config: &Path, name: Option<&str>) -> anyhow::Result<()> {
    let providers = Config::read(config)?.providers;
    let chosen = match name {
        Some(name) => vec![providers.named(name)?],
        None => providers.all.iter().collect(),
    };
    if chosen.is_empty() {
        return wrong("there is no provider in the configuration; add one with [[providers]]");
    }
    let mut failed = 0;
    for one in chosen {
        let told = match one.sender()?.check().await {
            Ok(found) => found,
            Err(problem) => {
                failed += 1;
                format!("FAILED: {problem}")
            }
        };
        say(&format!("{:<24}{told}", one.name));
    }
    if failed > 0 {
        bail!("{failed} of the providers cannot be used as configured");
    }
    Ok(())
}

async fn send_test(config: &Path, name: &str, to: &str) -> anyhow::Result<()> {
    let providers = Config::read(config)?.providers;
    let sender = providers.named(name)?.sender()?;
    let Ok(to) = PhoneNumber::parse(to) else {
        return wrong(format!("--to {to}: write + and 8 to 15 digits, such as +14155550101"));
    };
    let mut id = [0; 16];
    SystemEntropy.fill(&mut id)?;
    let code = Code::draw(&SystemEntropy)?;
    let delivery = Delivery {
        id: DeliveryId::from_bytes(id),
        environment: EnvironmentId::from_bytes([0; 16]),
        challenge: ChallengeId::from_bytes([0; 16]),
        useful_until: Timestamp::from_millis(0),
        channel: Channel::Sms,
        to,
        body: SecretText::new(format!("Test message of Countersign. {} opens nothing.", code.reveal())),
        code,
        last_provider: None,
    };
    match sender.send(&delivery, USEFUL).await {
        Sent::Accepted(message) => {
            let id = message.map_or_else(String::new, |id| format!(", as {id}"));
            say(&format!("{name} accepted the message{id}"));
            Ok(())
        }
        sent => bail!("{name}: {}: {}", sent.word(), sent.cause()),
    }
}
