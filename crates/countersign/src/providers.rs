//! The providers of a configuration: what they are, and the senders made of them.

use crate::usage::wrong;
use delivery::{
    Credential, NoSender, Patience, Routing, Sender,
    generic::{self, Generic},
    receipts::{self, Receiver},
    twilio::{self, Twilio},
    vonage::{self, Vonage},
};
use domain::phone::Prefix;
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

/// The path under which a provider calls back.
pub(crate) const CALLBACKS: &str = "/countersign/callbacks/";

/// Which API a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Twilio's Messages resource.
    Twilio,
    /// Vonage's SMS API.
    Vonage,
    /// Any gateway, by one HTTP request.
    Http,
}

impl Kind {
    /// The word in the configuration.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Twilio => "twilio",
            Self::Vonage => "vonage",
            Self::Http => "http",
        }
    }
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    /// In a file.
    File(PathBuf),
    /// In a variable.
    Variable(String),
}

impl Secret {
    /// Reads it; `key` is what the configuration calls it.
    fn read(&self, key: &str) -> Result<Credential, String> {
        let (text, place) = match self {
            Self::File(path) => {
                let text = std::fs::read_to_string(path);
                (text.map_err(|e| format!("`{key}_file`: cannot read {}: {e}", path.display()))?, "file")
            }
            Self::Variable(name) => {
                let text = std::env::var(name);
                (text.map_err(|_| format!("`{key}_env`: the variable {name} is not set"))?, "env")
            }
        };
        let text = zeroize::Zeroizing::new(text);
        Credential::new(&text).map_err(|problem| format!("`{key}_{place}`: the secret {problem}"))
    }
}

/// What is known of our account at a provider, without its secret.
#[derive(Clone, Debug)]
pub(crate) enum Account {
    /// At Twilio.
    Twilio {
        /// Base URL, if not the usual one.
        endpoint: Option<String>,
        /// The account's SID.
        account: String,
        /// An API key's SID.
        key: Option<String>,
        /// Who sends.
        from: twilio::From,
    },
    /// At Vonage.
    Vonage {
        /// Base URL, if not the usual one.
        endpoint: Option<String>,
        /// The API key.
        key: String,
        /// Who sends.
        from: String,
    },
    /// At a gateway.
    Http(Box<generic::Options>),
}

/// A provider as configured.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    /// Its name here.
    pub(crate) name: String,
    /// What it speaks.
    pub(crate) kind: Kind,
    /// Our account there.
    pub(crate) account: Account,
    /// Where the account's secret is.
    pub(crate) secret: Option<Secret>,
    /// Messages at once.
    pub(crate) concurrency: usize,
    /// How long it may take.
    pub(crate) timeout: Duration,
    /// Root certificates instead of the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// How it calls back, if it does.
    pub(crate) receipts: Option<Receipts>,
}

/// How a provider calls back.
#[derive(Clone, Debug)]
pub(crate) struct Receipts {
    /// Under which URL the world reaches us.
    pub(crate) public_url: String,
    /// Where the secret is that signs.
    pub(crate) secret: Secret,
    /// What receipts look like, of a gateway.
    pub(crate) rule: Option<receipts::Rule>,
}

impl Provider {
    /// Makes its sender. Reads its secret and root certificates.
    ///
    /// # Errors
    /// What is wrong, naming the provider.
    pub(crate) fn sender(&self) -> anyhow::Result<Arc<dyn Sender>> {
        self.made().or_else(|problem| wrong(format!("provider {}: {problem}", self.name)))
    }

    fn made(&self) -> Result<Arc<dyn Sender>, String> {
        let secret = self.secret.as_ref().map(|secret| secret.read("secret")).transpose()?;
        let callback = self.callback_url();
        let needed = || secret.clone().ok_or_else(|| "`secret_file` or `secret_env` is missing".to_owned());
        let roots = self.ca_file.as_deref();
        Ok(match self.account.clone() {
            Account::Twilio { endpoint, account, key, from } => {
                let options = twilio::Options { endpoint, account, key, secret: needed()?, from, callback };
                Arc::new(Twilio::new(options, self.timeout, roots)?)
            }
            Account::Vonage { endpoint, key, from } => {
                let options = vonage::Options { endpoint, key, secret: needed()?, from, callback };
                Arc::new(Vonage::new(options, self.timeout, roots)?)
            }
            Account::Http(options) => {
                let options = generic::Options { secret, callback, ..*options };
                Arc::new(Generic::new(options, self.timeout, roots)?)
            }
        })
    }
}

impl Provider {
    /// Where it calls back.
    pub(crate) fn callback_url(&self) -> Option<String> {
        let receipts = self.receipts.as_ref()?;
        Some(format!("{}{}{}", receipts.public_url, CALLBACKS, self.name))
    }

    fn receiver(&self) -> Result<Option<Arc<dyn Receiver>>, String> {
        let Some(Receipts { public_url, secret, rule }) = &self.receipts else { return Ok(None) };
        // Twilio's may be the one that it is asked with.
        let own = matches!((&self.secret, secret), (Some(own), signing) if own == signing);
        let secret = secret.read(if own { "secret" } else { "callback_secret" })?;
        Ok(Some(match self.kind {
            Kind::Twilio => Arc::new(receipts::Twilio::new(public_url, secret)),
            Kind::Vonage => Arc::new(receipts::Vonage::new(secret)),
            Kind::Http => Arc::new(receipts::Generic::new(rule.clone().unwrap_or_default(), secret)),
        }))
    }
}

/// One list of providers, for numbers that begin in one way.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// How they begin; none: any.
    pub(crate) prefix: Option<Prefix>,
    /// Names, in order.
    pub(crate) providers: Vec<String>,
}

impl Route {
    fn told(&self) -> String {
        let prefix = self.prefix.as_ref().map_or_else(|| "default".to_owned(), Prefix::to_string);
        format!("{prefix}: {}", self.providers.join(", "))
    }
}

/// All of them, and their routes.
#[derive(Clone, Debug)]
pub(crate) struct Providers {
    /// In the order of the file.
    pub(crate) all: Vec<Provider>,
    /// In any order.
    pub(crate) routes: Vec<Route>,
    /// When one is put aside.
    pub(crate) patience: Patience,
    /// How long a message that nobody could take now is tried again.
    pub(crate) retry: Duration,
    /// Under which URL the world reaches us, if that is known.
    pub(crate) public_url: Option<String>,
}

impl Providers {
    /// Makes the senders and the routes of the server. Without a provider nothing is sent, and callers are told so.
    ///
    /// # Errors
    /// What is wrong, naming the provider.
    pub(crate) fn routing(&self) -> anyhow::Result<Routing> {
        if self.all.is_empty() {
            return Ok(Routing::only("none", Arc::new(NoSender)));
        }
        let mut made = Vec::new();
        for one in &self.all {
            made.push(Arc::new(delivery::Provider::new(
                &one.name,
                one.sender()?,
                one.concurrency,
                self.patience,
            )));
        }
        let named = |names: &[String]| {
            names.iter().filter_map(|name| made.iter().find(|p| p.name() == name).map(Arc::clone)).collect()
        };
        let routes = self.routes.iter().map(|route| delivery::Route {
            prefix: route.prefix.clone(),
            providers: named(&route.providers),
        });
        Ok(Routing::new(routes.collect(), self.retry))
    }

    /// Makes what reads the calls of those that call back, by their names. Reads their secrets.
    ///
    /// # Errors
    /// What is wrong, naming the provider.
    pub(crate) fn receivers(&self) -> anyhow::Result<BTreeMap<String, Arc<dyn Receiver>>> {
        let mut made = BTreeMap::new();
        for one in &self.all {
            match one.receiver() {
                Ok(Some(receiver)) => drop(made.insert(one.name.clone(), receiver)),
                Ok(None) => {}
                Err(problem) => return wrong(format!("provider {}: {problem}", one.name)),
            }
        }
        Ok(made)
    }

    /// Whether one of them has a secret in this variable.
    pub(crate) fn reads(&self, variable: &str) -> bool {
        let here = |secret: &Secret| matches!(secret, Secret::Variable(name) if name == variable);
        self.all.iter().any(|p| {
            p.secret.as_ref().is_some_and(here) || p.receipts.as_ref().is_some_and(|r| here(&r.secret))
        })
    }

    /// The one with a name.
    ///
    /// # Errors
    /// Which there are.
    pub(crate) fn named(&self, name: &str) -> anyhow::Result<&Provider> {
        match self.all.iter().find(|provider| provider.name == name) {
            Some(found) => Ok(found),
            None => wrong(format!("there is no provider {name}; there are: {}", self.explain().0)),
        }
    }

    /// What `check-config` says of them.
    pub(crate) fn explain(&self) -> (String, String) {
        let names = self.all.iter().map(|p| format!("{} ({})", p.name, p.kind.word())).collect::<Vec<_>>();
        let routes = self.routes.iter().map(Route::told).collect::<Vec<_>>();
        if names.is_empty() {
            return ("none, so no text message is sent".into(), "off".into());
        }
        (names.join(", "), routes.join("; "))
    }
}
