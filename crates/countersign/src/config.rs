//! The configuration of `serve`: a TOML file, with `COUNTERSIGN_…` variables before it.

mod file;
mod variables;

use crate::{logs::Format, usage::wrong};
use edge::{Limits, TlsFiles};
use file::{FileConfig, LimitsTable};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// What `serve` works with.
#[derive(Debug)]
pub(crate) struct Config {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// The data folder.
    pub(crate) data: PathBuf,
    /// The master key's file, if not from the environment.
    pub(crate) master_key_file: Option<PathBuf>,
    /// Where metrics are shown.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// TLS, if not left to a proxy.
    pub(crate) tls: Option<TlsFiles>,
    /// How log lines look.
    pub(crate) log_format: Format,
    /// Which there are.
    pub(crate) log_level: String,
    /// The listener's bounds.
    pub(crate) limits: Limits,
    unknown_variables: Vec<String>,
}

impl Config {
    /// Reads the file, then the environment.
    ///
    /// # Errors
    /// [`Wrong`](crate::usage::Wrong), naming the key, its place and the fix.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) => return wrong(format!("--config: cannot read {}: {e}", path.display())),
        };
        let ours = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| name.starts_with(variables::PREFIX))?;
            Some((name, value.into_string().unwrap_or_default()))
        });
        Self::of(&text, &path.display().to_string(), ours)
    }

    /// The configuration that a text and variables are.
    fn of(text: &str, path: &str, variables: impl Iterator<Item = (String, String)>) -> anyhow::Result<Self> {
        let mut file: FileConfig = match toml::from_str(text) {
            Ok(file) => file,
            Err(e) => return wrong(format!("{path}: {}", e.to_string().trim_end())),
        };
        let mut unknown_variables = Vec::new();
        for (name, value) in variables.filter(|(_, value)| !value.is_empty()) {
            match variables::overlay(&mut file, &name, &value) {
                Ok(true) => {}
                Ok(false) => unknown_variables.push(name),
                Err(problem) => return wrong(format!("{name}: {problem}")),
            }
        }
        unknown_variables.sort();
        let missing = |key: &str| {
            let variable = variables::name_of(key);
            format!("{path}: `{key}` is missing; add it at the top of the file, or set {variable}")
        };
        let Some(data) = file.data else { return wrong(missing("data")) };
        let tls = match (file.tls.certificate, file.tls.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (Some(_), None) => {
                return wrong(format!("{path}: `tls.key` is missing beside `tls.certificate`"));
            }
            (None, Some(_)) => {
                return wrong(format!("{path}: `tls.certificate` is missing beside `tls.key`"));
            }
        };
        let log_level = file.log.level.unwrap_or_else(|| "info".into());
        if let Err(problem) = crate::logs::check_level(&log_level) {
            return wrong(format!("{path}: `log.level`: {problem}"));
        }
        let limits = limits(&file.limits);
        if let Err(e) = limits.validate() {
            let key = LimitsTable::key_of(e.name);
            return wrong(format!("{path}: `limits.{key}` must be {}", e.range));
        }
        Ok(Self {
            listen: file.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 4000))),
            data,
            master_key_file: file.master_key_file,
            metrics_listen: file.metrics_listen,
            tls,
            log_format: file.log.format.unwrap_or_default(),
            log_level,
            limits,
            unknown_variables,
        })
    }

    /// Variables that look like ours and are not: a typing error, or somebody else's.
    pub(crate) fn unknown_variables(&self) -> impl Iterator<Item = &str> {
        self.unknown_variables.iter().map(String::as_str)
    }

    /// What it comes to, a line each.
    pub(crate) fn explain(&self) -> String {
        let or_off = |text: Option<String>| text.unwrap_or_else(|| "off".into());
        let tls = self.tls.as_ref().map(|tls| tls.certificate.display().to_string());
        let format = match self.log_format {
            Format::Json => "json",
            Format::Text => "text",
        };
        let lines = [
            ("listen", self.listen.to_string()),
            ("data", self.data.display().to_string()),
            ("tls.certificate", or_off(tls)),
            ("metrics_listen", or_off(self.metrics_listen.map(|at| at.to_string()))),
            ("log", format!("{format}, {}", self.log_level)),
            ("limits.connections", self.limits.connections.to_string()),
            ("limits.requests", self.limits.requests.to_string()),
            ("limits.request_seconds", self.limits.request.as_secs().to_string()),
            ("limits.idle_seconds", self.limits.idle.as_secs().to_string()),
            ("limits.drain_seconds", self.limits.drain.as_secs().to_string()),
        ];
        lines.map(|(name, value)| format!("{name:24}{value}")).join("\n")
    }
}

fn limits(table: &LimitsTable) -> Limits {
    let mut limits = Limits::default();
    let set = |to: &mut Duration, seconds: Option<u32>| {
        if let Some(seconds) = seconds {
            *to = Duration::from_secs(seconds.into());
        }
    };
    set(&mut limits.tls_handshake, table.tls_handshake_seconds);
    set(&mut limits.first_byte, table.first_byte_seconds);
    set(&mut limits.head, table.head_seconds);
    set(&mut limits.idle, table.idle_seconds);
    set(&mut limits.request, table.request_seconds);
    set(&mut limits.write_stall, table.write_stall_seconds);
    set(&mut limits.drain, table.drain_seconds);
    limits.lame_duck = limits.lame_duck.min(limits.drain);
    limits.requests = table.requests.unwrap_or(limits.requests);
    limits.connections = table.connections.unwrap_or(limits.connections);
    limits.head_bytes = table.head_bytes.unwrap_or(limits.head_bytes);
    limits.headers = table.headers.unwrap_or(limits.headers);
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Config::of(text, "c.toml", variables).map_err(|e| {
            assert!(e.is::<crate::usage::Wrong>());
            e.to_string()
        })
    }

    #[test]
    fn a_configuration_of_one_line_is_enough() {
        let config = of("data = '/d'", &[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:4000");
        assert_eq!((config.limits, config.log_format), (Limits::default(), Format::Json));
    }

    #[test]
    fn variables_go_before_the_file() {
        let text = "listen = '127.0.0.1:1'\ndata = '/d'\n[log]\nlevel = 'warn'\n[limits]\nconnections = 5";
        let variables = [
            ("COUNTERSIGN_LISTEN", "[::1]:2"),
            ("COUNTERSIGN_LOG_LEVEL", "debug"),
            ("COUNTERSIGN_LIMITS_CONNECTIONS", "7"),
            ("COUNTERSIGN_LIMITS_REQUESTS", "8"),
            ("COUNTERSIGN_MASTER_KEY", "of another's business"),
            ("COUNTERSIGN_LISTNE", "x"),
            ("COUNTERSIGN_METRICS_LISTEN", ""),
        ];
        let config = of(text, &variables).unwrap();
        assert_eq!((config.listen.to_string().as_str(), config.log_level.as_str()), ("[::1]:2", "debug"));
        assert_eq!(config.limits.connections, 7);
        assert_eq!(config.limits.requests, 8);
        assert_eq!(config.unknown_variables().collect::<Vec<_>>(), ["COUNTERSIGN_LISTNE"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_what_would_be_right() {
        type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);
        let cases: [Case; 13] = [
            ("data = '/d'\nlisen = 'x'", &[], &["c.toml", "line 2", "lisen", "listen"]),
            ("data = '/d'\nlisten = 4100", &[], &["line 2", "listen", "integer"]),
            ("data = '/d'\nlisten = 'localhost'", &[], &["line 2", "socket address"]),
            ("listen = '127.0.0.1:1'", &[], &["data", "COUNTERSIGN_DATA"]),
            ("data = '/d", &[], &["line 1", "column"]),
            ("data = '/d'\n[tls]\ncertificate = 'c'", &[], &["tls.key"]),
            ("data = '/d'\n[tls]\nkey = 'c'", &[], &["tls.certificate"]),
            ("data = '/d'\n[log]\nformat = 'xml'", &[], &["line 3", "xml", "json", "text"]),
            ("data = '/d'\n[log]\nlevel = 'info,='", &[], &["log.level", "debug"]),
            ("data = '/d'\n[limits]\nidle_seconds = 0", &[], &["limits.idle_seconds", "1 ms to 1 hour"]),
            ("data = '/d'\n[limits]\nrequests = 0", &[], &["limits.requests", "1 to 100,000"]),
            ("data = '/d'", &[("COUNTERSIGN_LISTEN", "4100")], &["COUNTERSIGN_LISTEN", "127.0.0.1:4100"]),
            ("data = '/d'", &[("COUNTERSIGN_LIMITS_HEADERS", "many")], &["COUNTERSIGN_LIMITS_HEADERS"]),
        ];
        for (text, variables, named) in cases {
            let said = of(text, variables).unwrap_err();
            for part in named {
                assert!(said.contains(part), "{part:?} is not in {said:?}");
            }
        }
    }
}
