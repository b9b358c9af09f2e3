//! `[[providers]]` and `[routing]`: who sends text messages, and in which order they are asked.

use super::file::{AnswerTable, CodingWord, ProviderTable, ReceiptTable, RoutingTable};
use crate::providers::{Account, Kind, Provider, Providers, Receipts, Route, Secret};
use delivery::{Patience, Routing, generic::Rule, receipts, twilio};
use domain::phone::Prefix;
use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

const CONCURRENCY: (usize, RangeInclusive<usize>) = (16, 1..=1_000);
const TIMEOUT_MS: (u64, RangeInclusive<u64>) = (10_000, 500..=25_000);
const NAME_MAX: usize = 40;
/// What stands for "any number" among the prefixes of `[routing.sms]`.
const ANY: &str = "default";

/// What the tables come to. Reads no file and no variable: secrets are only named.
///
/// # Errors
/// The key that is wrong, and what it must be.
pub(super) fn providers(
    tables: Vec<ProviderTable>,
    routing: RoutingTable,
    public_url: Option<String>,
) -> Result<Providers, String> {
    let mut all: Vec<Provider> = Vec::new();
    for table in tables {
        let name = table.name.clone();
        let fit = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(fit) {
            return Err(format!(
                "`providers`: the name {name:?} must be 1 to {NAME_MAX} of a-z, 0-9, - and _"
            ));
        }
        if all.iter().any(|other| other.name == name) {
            return Err(format!("`providers`: there are two with the name {name}"));
        }
        all.push(
            provider(table, public_url.as_deref())
                .map_err(|problem| format!("provider {name}: {problem}"))?,
        );
    }
    let patience = Patience {
        failures: within("aside_after", routing.aside_after, Patience::default().failures, 1..=1_000)?,
        aside: Duration::from_secs(within("aside_seconds", routing.aside_seconds, 30, 1..=3_600)?),
    };
    let retry = within("retry_seconds", routing.retry_seconds, Routing::RETRY.as_secs(), 0..=600)?;
    let mut routes = Vec::new();
    for (key, names) in routing.sms {
        let key_name = format!("`routing.sms.{key}`");
        let prefix = if key == ANY {
            None
        } else {
            let wanted = |_| format!("{key_name}: a key is {ANY}, or + and 1 to 15 digits between quotes");
            Some(Prefix::parse(&key).map_err(wanted)?)
        };
        if names.is_empty() {
            return Err(format!("{key_name} must name at least one provider"));
        }
        for (n, name) in names.iter().enumerate() {
            if !all.iter().any(|provider| provider.name == *name) {
                return Err(format!("{key_name}: there is no provider {name:?} in `[[providers]]`"));
            }
            if names.iter().skip(n + 1).any(|later| later == name) {
                return Err(format!("{key_name} names {name} twice"));
            }
        }
        routes.push(Route { prefix, providers: names });
    }
    if routes.is_empty() && !all.is_empty() {
        routes.push(Route { prefix: None, providers: all.iter().map(|p| p.name.clone()).collect() });
    }
    if let Some(idle) = all.iter().find(|p| !routes.iter().any(|r| r.providers.contains(&p.name))) {
        return Err(format!(
            "provider {}: no list of `[routing.sms]` names it, so it would never send",
            idle.name
        ));
    }
    Ok(Providers { all, routes, patience, retry: Duration::from_secs(retry), public_url })
}

fn within<T: PartialOrd + std::fmt::Display>(
    key: &str,
    given: Option<T>,
    usual: T,
    range: RangeInclusive<T>,
) -> Result<T, String> {
    let value = given.unwrap_or(usual);
    if range.contains(&value) {
        return Ok(value);
    }
    Err(format!("`{key}` must be {} to {}", range.start(), range.end()))
}

/// The keys that one kind of provider has beside the common ones.
fn keys_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Twilio => &["endpoint", "account", "key", "from", "messaging_service"],
        Kind::Vonage => &["endpoint", "key", "from"],
        Kind::Http => &["method", "url", "headers", "body", "key", "from", "answer", "message_id", "receipt"],
    }
}

fn provider(table: ProviderTable, public_url: Option<&str>) -> Result<Provider, String> {
    let kind = table.kind;
    let given = [
        ("endpoint", table.endpoint.is_some()),
        ("account", table.account.is_some()),
        ("key", table.key.is_some()),
        ("from", table.from.is_some()),
        ("messaging_service", table.messaging_service.is_some()),
        ("method", table.method.is_some()),
        ("url", table.url.is_some()),
        ("headers", !table.headers.is_empty()),
        ("body", table.body.is_some()),
        ("answer", table.answer.is_some()),
        ("message_id", table.message_id.is_some()),
        ("receipt", table.receipt.is_some()),
    ];
    let keys = keys_of(kind);
    if let Some((key, _)) = given.into_iter().find(|(key, given)| *given && !keys.contains(key)) {
        let keys = keys.join("`, `");
        return Err(format!("`{key}` is no key of kind {}; its own are `{keys}`", kind.word()));
    }
    let secret = secret("secret", table.secret_file, table.secret_env)?;
    let callback_secret =
        self::secret("callback_secret", table.callback_secret_file, table.callback_secret_env)?;
    let receipts =
        receipts(kind, callback_secret, secret.as_ref(), table.key.is_some(), table.receipt, public_url)?;
    if secret.is_none() && kind != Kind::Http {
        return Err("`secret_file` or `secret_env` is missing".into());
    }
    let needs = |key: &str, value: Option<String>| value.ok_or_else(|| format!("`{key}` is missing"));
    let account = match kind {
        Kind::Twilio => Account::Twilio {
            endpoint: table.endpoint,
            account: needs("account", table.account)?,
            key: table.key,
            from: match (table.from, table.messaging_service) {
                (Some(from), None) => twilio::From::Sender(from),
                (None, Some(service)) => twilio::From::Service(service),
                _ => return Err("needs one of `from` and `messaging_service`".into()),
            },
        },
        Kind::Vonage => Account::Vonage {
            endpoint: table.endpoint,
            key: needs("key", table.key)?,
            from: needs("from", table.from)?,
        },
        Kind::Http => Account::Http(Box::new(delivery::generic::Options {
            method: table.method,
            url: needs("url", table.url)?,
            headers: table.headers.into_iter().collect(),
            body: table.body,
            key: table.key,
            secret: None,
            from: table.from,
            answer: table.answer.map(rule),
            message_id: table.message_id,
            callback: None,
        })),
    };
    let timeout = within("timeout_ms", table.timeout_ms, TIMEOUT_MS.0, TIMEOUT_MS.1)?;
    Ok(Provider {
        name: table.name,
        kind,
        account,
        secret,
        concurrency: within("concurrency", table.concurrency, CONCURRENCY.0, CONCURRENCY.1)?,
        timeout: Duration::from_millis(timeout),
        ca_file: table.ca_file,
        receipts,
    })
}

/// Where a secret is, if it is named.
fn secret(key: &str, file: Option<PathBuf>, variable: Option<String>) -> Result<Option<Secret>, String> {
    match (file, variable) {
        (Some(file), None) => Ok(Some(Secret::File(file))),
        (None, Some(name)) => Ok(Some(Secret::Variable(name))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(format!("has both `{key}_file` and `{key}_env`; one is enough")),
    }
}

/// What is needed to be called back. Twilio signs with the account's auth token, which is the secret itself unless that
/// belongs to an API key.
fn receipts(
    kind: Kind,
    given: Option<Secret>,
    own: Option<&Secret>,
    has_key: bool,
    table: Option<ReceiptTable>,
    public_url: Option<&str>,
) -> Result<Option<Receipts>, String> {
    let wanted = given.is_some() || table.is_some();
    let Some(public_url) = public_url else {
        return if wanted {
            Err("receipts need `public_url`, at the top of the file".into())
        } else {
            Ok(None)
        };
    };
    let public_url = public_url.to_owned();
    let rule = match (kind, table) {
        (Kind::Http, None) if given.is_some() => return Err("`receipt` is missing".into()),
        (Kind::Http, Some(_)) if given.is_none() => {
            return Err("`callback_secret_file` or `callback_secret_env` is missing beside `receipt`".into());
        }
        (_, table) => table.map(receipt_rule),
    };
    if let Some(rule) = &rule {
        rule.soundness()?;
    }
    let secret = match kind {
        Kind::Twilio if !has_key => given.or_else(|| own.cloned()),
        _ => given,
    };
    Ok(secret.map(|secret| Receipts { public_url, secret, rule }))
}

fn receipt_rule(table: ReceiptTable) -> receipts::Rule {
    let ReceiptTable {
        header,
        prefix,
        coding,
        reference,
        id,
        status,
        accepted,
        sent,
        delivered,
        undelivered,
    } = table;
    let coding = match coding {
        Some(CodingWord::Base64) => receipts::Coding::Base64,
        Some(CodingWord::Hex) | None => receipts::Coding::Hex,
    };
    receipts::Rule { header, prefix, coding, reference, id, status, accepted, sent, delivered, undelivered }
}

fn rule(table: AnswerTable) -> Rule {
    let AnswerTable { pointer, accepted, not_sent, rejected_number } = table;
    Rule { pointer, accepted, not_sent, rejected_number }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn of(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Config::of(text, "c.toml", variables).map_err(|e| e.to_string())
    }

    #[test]
    fn providers_are_asked_in_the_order_of_the_file_unless_routing_says_otherwise() {
        let twilio = "[[providers]]\nname = 'tw'\nkind = 'twilio'\naccount = 'AC1'\nfrom = '+15005550006'\n\
                      secret_env = 'COUNTERSIGN_TW'\n";
        let vonage = "[[providers]]\nname = 'vo'\nkind = 'vonage'\nkey = 'k'\nfrom = 'Us'\nsecret_file = '/s'\n\
                      concurrency = 4\ntimeout_ms = 5000\n";
        let http = "[[providers]]\nname = 'gw'\nkind = 'http'\nurl = 'https://h/{{to}}?t={{text}}'\n\
                    answer = { pointer = '/s', accepted = ['ok'] }\n";
        let explained = |rest: &str| {
            let text = format!("data = '/d'\n{twilio}{vonage}{http}{rest}");
            let config = of(&text, &[("COUNTERSIGN_TW", "secret"), ("COUNTERSIGN_TV", "x")]).unwrap();
            assert_eq!(config.unknown_variables().collect::<Vec<_>>(), ["COUNTERSIGN_TV"]);
            assert!(!format!("{config:?}").contains("secret\""), "only where the secret is, is known");
            config.providers.explain()
        };
        let names = "tw (twilio), vo (vonage), gw (http)";
        assert_eq!(explained(""), (names.into(), "default: tw, vo, gw".into()));
        let routing = "[routing]\nretry_seconds = 0\n[routing.sms]\ndefault = ['gw']\n'+44' = ['vo', 'tw']";
        assert_eq!(explained(routing), (names.into(), "+44: vo, tw; default: gw".into()));
        assert!(of("data = '/d'", &[]).unwrap().explain().contains("no text message is sent"));
    }

    #[test]
    fn what_is_wrong_with_a_provider_is_named() {
        let twilio = "name = 'tw'\nkind = 'twilio'\naccount = 'AC1'\nsecret_env = 'X'\n";
        let good = format!("{twilio}from = 'Us'\n");
        let cases: [(&str, &str); 19] = [
            ("name = 'tw'\nkind = 'twillio'", "twillio"),
            ("name = 'T w'\nkind = 'vonage'", "T w"),
            ("kind = 'vonage'", "name"),
            ("name = 'vo'\nkind = 'vonage'\nsecret_env = 'X'\nfrom = 'Us'", "`key` is missing"),
            ("name = 'vo'\nkind = 'vonage'\nkey = 'k'\nfrom = 'Us'", "`secret_file` or `secret_env`"),
            ("{twilio}", "one of `from` and `messaging_service`"),
            ("{good}messaging_service = 'MG1'", "one of `from` and `messaging_service`"),
            ("{good}secret_file = '/x'", "both `secret_file` and `secret_env`"),
            ("{good}url = 'https://h'", "`url` is no key of kind twilio"),
            ("{good}froom = 'x'", "froom"),
            ("{good}concurrency = 0", "`concurrency` must be 1 to 1000"),
            ("{good}timeout_ms = 30000", "`timeout_ms` must be 500 to 25000"),
            ("{good}[[providers]]\n{good}", "two with the name tw"),
            ("{good}[routing]\nretry = 1", "retry"),
            ("{good}[routing]\naside_after = 0", "`aside_after`"),
            ("{good}[routing.sms]\ndefault = ['other']", "no provider \"other\""),
            ("{good}[routing.sms]\ndefault = []", "at least one"),
            ("{good}[routing.sms]\n44 = ['tw']", "routing.sms.44"),
            ("{good}[routing.sms]\ndefault = ['tw', 'tw']", "twice"),
        ];
        for (text, named) in cases {
            let text = text.replace("{good}", &good).replace("{twilio}", twilio);
            let said = of(&format!("data = '/d'\n[[providers]]\n{text}"), &[]).unwrap_err();
            assert!(said.contains(named), "{named:?} is not in {said:?}");
        }
    }
}
