//! How to connect: the URL, and what the driver's own parser does not know of it.

use super::{
    lane::BATCH_MAX,
    migrate::MIGRATIONS,
    open_error::OpenError,
    passfile,
    tls::{Tls, Trust},
};
use crate::engine::schema::Migration;
use std::{path::Path, time::Duration};
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

/// Connections of one node, unless the URL says `pool_size`.
const POOL_SIZE: u32 = 12;
/// Unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the database is and how it is reached. `Debug` and errors show no password.
#[derive(Clone)]
pub struct Options {
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// At most so many connections, 2 to 1000.
    pub(super) pool_size: u32,
    /// At most so many steps share a transaction, 1 to [`BATCH_MAX`].
    pub(super) batch: usize,
    /// What is known of the schema.
    pub(super) migrations: &'static [Migration],
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Options").field(&self.name()).finish()
    }
}

impl Options {
    /// Whether a text is a PostgreSQL URL.
    #[must_use]
    pub fn is_url(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Reads `postgres://user@host1,host2/database?…`.
    ///
    /// Besides what the driver knows (`target_session_attrs`, `connect_timeout`, `options`, `application_name`,
    /// keep-alives, …): `sslmode` up to `verify-full`, `sslrootcert=FILE` (PEM; without it the system's roots),
    /// `passfile=FILE`, `pool_size=N`; and `batch=N`, to measure and to tune: at most so many steps share a transaction,
    /// and with `batch=1` each has its own, as many at once as there are connections. Without a password in the URL it is
    /// looked up in `passfile`, else in `default_passfile`, in the format of `~/.pgpass`.
    ///
    /// # Errors
    /// What is wrong with the URL or with a file it names.
    pub fn parse(url: &str, default_passfile: Option<&Path>) -> Result<Self, OpenError> {
        let wrong = |what: &str| OpenError::Url(what.to_owned());
        if !Self::is_url(url) {
            return Err(wrong("it should begin with postgres://"));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut kept, mut sslmode, mut roots, mut pass) = (Vec::new(), None, None, None);
        let (mut pool_size, mut batch) = (POOL_SIZE, BATCH_MAX);
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "sslmode" => sslmode = Some(decoded(value)?),
                "sslrootcert" => roots = Some(decoded(value)?),
                "passfile" => pass = Some(decoded(value)?),
                "pool_size" => {
                    let read = value.parse().ok().filter(|n| (2..=1000).contains(n));
                    pool_size = read.ok_or_else(|| wrong("pool_size should be a number from 2 to 1000"))?;
                }
                "batch" => {
                    let read = value.parse().ok().filter(|n| (1..=BATCH_MAX).contains(n));
                    batch = read.ok_or_else(|| {
                        OpenError::Url(format!("batch should be a number from 1 to {BATCH_MAX}"))
                    })?;
                }
                _ => kept.push(pair),
            }
        }
        let plain = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
        // The driver's error may quote the URL, password included: only its cause is told.
        let mut config: Config = plain.parse().map_err(|e: tokio_postgres::Error| {
            wrong(
                &std::error::Error::source(&e)
                    .map_or("it is not a PostgreSQL URL".into(), ToString::to_string),
            )
        })?;
        if config.get_hosts().is_empty() {
            return Err(wrong("it names no host"));
        }
        let (mode, trust) = match sslmode.as_deref() {
            Some("disable") => (SslMode::Disable, Trust::Anybody),
            None | Some("prefer") => (SslMode::Prefer, Trust::Anybody),
            Some("require") if roots.is_none() => (SslMode::Require, Trust::Anybody),
            // As libpq has it: whoever names roots wants them used.
            Some("require" | "verify-ca") => (SslMode::Require, Trust::Roots),
            Some("verify-full") => (SslMode::Require, Trust::RootsAndName),
            Some(_) => {
                let modes = "sslmode should be disable, prefer, require, verify-ca or verify-full";
                return Err(wrong(modes));
            }
        };
        config.ssl_mode(mode);
        let tls = Tls::new(trust, roots.as_deref().map(Path::new))?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("countersign");
        }
        let options = Self { config, tls, pool_size, batch, migrations: MIGRATIONS };
        options.with_password(pass.as_deref().map(Path::new), default_passfile)
    }

    /// Looks the password up, if the URL has none.
    fn with_password(mut self, named: Option<&Path>, default: Option<&Path>) -> Result<Self, OpenError> {
        if self.config.get_password().is_some() {
            return Ok(self);
        }
        // One that was named has to be there; the usual one need not.
        let Some(file) = named.or_else(|| default.filter(|file| file.exists())) else { return Ok(self) };
        let user = self.config.get_user().unwrap_or_default().to_owned();
        let database = self.config.get_dbname().unwrap_or(&user).to_owned();
        let hosts = self.hosts();
        if let Some(password) = passfile::find(file, &hosts, &database, &user)? {
            self.config.password(password.as_bytes());
        }
        Ok(self)
    }

    /// As a version does that knows these migrations: how an upgrade is tried before there is a next version.
    #[must_use]
    pub fn knowing(mut self, migrations: &'static [Migration]) -> Self {
        self.migrations = migrations;
        self
    }

    /// How long opening a connection may take in all.
    pub(super) fn connect_limit(&self) -> Duration {
        let one = self.config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        // Each host may be tried, and has to answer.
        one.saturating_mul(2 * u32::try_from(self.config.get_hosts().len()).unwrap_or(1))
    }

    /// Hosts and ports, in their order.
    fn hosts(&self) -> Vec<(String, u16)> {
        let ports = self.config.get_ports();
        let host = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let port = |i| ports.get(i).or_else(|| ports.first()).copied().unwrap_or(5432);
        self.config.get_hosts().iter().enumerate().map(|(i, h)| (host(h), port(i))).collect()
    }

    /// Hosts and database, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        let hosts: Vec<_> = self.hosts().iter().map(|(host, port)| format!("{host}:{port}")).collect();
        let user = self.config.get_user().unwrap_or_default();
        format!("{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or(user))
    }
}

/// A value with its `%xx`.
fn decoded(value: &str) -> Result<String, OpenError> {
    let wrong =
        || OpenError::Url("a value of it has a % that is not followed by two hexadecimal digits".into());
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(b) = rest.next() {
        if b != b'%' {
            bytes.push(b);
            continue;
        }
        let (Some(high), Some(low)) = (rest.next(), rest.next()) else { return Err(wrong()) };
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok()).ok_or_else(wrong);
        bytes.push(digit(high)? << 4 | digit(low)?);
    }
    String::from_utf8(bytes).map_err(|_| OpenError::Url("a value of it is not UTF-8".into()))
}

#[cfg(test)]
mod tests;
