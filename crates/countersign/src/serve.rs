//! `countersign serve` and `check-config`: production, from a file and the environment.

use crate::{Usage, open, run};
use anyhow::Context as _;
use app::{ClockGuard, Options};
use clap::Args;
use delivery::{NoSender, Worker};
use edge::{Listener, Shutdown, TlsFiles, TlsReloader};
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The configuration file. Unknown keys are errors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Address and port; `COUNTERSIGN_LISTEN` overrides it.
    #[serde(default = "default_listen")]
    listen: SocketAddr,
    /// The data folder; `COUNTERSIGN_DATA` overrides it.
    pub(crate) data: PathBuf,
    /// A file of mode 0600, unless the environment gives the key.
    pub(crate) master_key_file: Option<PathBuf>,
    /// Certificate and key; without them the server speaks plain HTTP, for a proxy in front.
    tls: Option<Tls>,
    /// Logs.
    #[serde(default)]
    log: Log,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Log {
    json: bool,
    level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { json: true, level: "info".into() }
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4000))
}

/// Reads a configuration; what is wrong with it says the file, the place and the key.
pub(crate) fn read(path: &Path) -> anyhow::Result<Config> {
    let usage = |why: String| anyhow::Error::from(Usage(why));
    let text = std::fs::read_to_string(path).map_err(|e| usage(format!("{}: {e}", path.display())))?;
    let mut config: Config = toml::from_str(&text).map_err(|e| usage(format!("{}: {e}", path.display())))?;
    if let Ok(listen) = std::env::var("COUNTERSIGN_LISTEN") {
        config.listen =
            listen.parse().map_err(|_| usage("COUNTERSIGN_LISTEN must be ADDRESS:PORT".into()))?;
    }
    if let Some(data) = std::env::var_os("COUNTERSIGN_DATA") {
        config.data = data.into();
    }
    Ok(config)
}

#[derive(Args)]
pub(crate) struct Serve {
    /// The configuration file (TOML).
    #[arg(long)]
    config: PathBuf,
}

impl Serve {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let config = read(&self.config)?;
        run::logs(config.log.json, &config.log.level);
        let master = open::master_key(config.master_key_file.as_deref())?;
        let tls = config.tls.map(|Tls { certificate, key }| TlsReloader::load(TlsFiles { certificate, key }));
        let tls = tls.transpose()?;
        let opened = open::open(&config.data, &master, ClockGuard::system(), Options::default()).await?;
        // Without a provider nothing can be sent, and a challenge of a phone number says so (503).
        let worker = Worker::new(opened.app.clone(), Arc::new(NoSender));
        opened.app.dispatch_through(Arc::new(worker.clone()));
        let listener = Listener::bind(config.listen, Listener::BACKLOG)
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let shutdown = Shutdown::new();
        let router = api::router(opened.app.clone(), api::Hooks::default());
        let router = run::health(router, opened.app.clone(), shutdown.clone());
        tracing::info!(address = %listener.address(), tls = tls.is_some(), "serving");
        run::serve(listener, router, tls, opened, worker, shutdown).await
    }
}

#[derive(Args)]
pub(crate) struct CheckConfig {
    /// The configuration file (TOML).
    #[arg(long)]
    config: PathBuf,
}

impl CheckConfig {
    #[allow(clippy::print_stdout, reason = "this is the command's output")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = read(&self.config)?;
        open::master_key(config.master_key_file.as_deref())?;
        println!("{} is in order:", self.config.display());
        println!("  listen  {} ({})", config.listen, if config.tls.is_some() { "TLS" } else { "plain HTTP" });
        println!("  data    {}", config.data.display());
        println!("  log     {} at {}", if config.log.json { "JSON" } else { "text" }, config.log.level);
        Ok(())
    }
}
