//! `countersign check-config`: whether `serve` would start with it, without touching the store.

use crate::{config::Config, masters, output::say};
use edge::TlsReloader;
use std::path::Path;

/// Reads everything that `serve` would read before the store, and says what it comes to.
pub(super) fn run(file: &Path, database: Option<&str>) -> anyhow::Result<()> {
    let config = Config::read(file)?.with_database(database)?;
    masters::production(config.master_key_file.as_deref())?;
    if let Some(files) = &config.tls {
        TlsReloader::load(files.clone()).or_else(|e| crate::usage::wrong(format!("tls: {e}")))?;
    }
    config.providers.routing()?;
    config.providers.receivers()?;
    say(&config.explain());
    for name in config.unknown_variables() {
        say(&format!("ignored: {name} is not a variable of countersign"));
    }
    say(&format!("{} is good", file.display()));
    Ok(())
}
