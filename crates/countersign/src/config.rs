//! The configuration of `serve`: a TOML file, with `COUNTERSIGN_…` variables before it.

mod database;
mod file;
mod guard;
mod providers;
mod traces;
mod variables;

use crate::{logs::Format, providers::Providers, traces::Settings as Traces, usage::wrong};
pub(crate) use database::database;
use edge::{Limits, TlsFiles};
use file::{FileConfig, LimitsTable};
pub(crate) use guard::{Guarding, each_rule, rules_of_file};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use store::postgres::Options as Database;

/// What `serve` works with.
#[derive(Debug)]
pub(crate) struct Config {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// The data folder.
    pub(crate) data: PathBuf,
    /// The PostgreSQL database, if the store is not in the data folder.
    pub(crate) database: Option<Database>,
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
    /// Where traces go, if anywhere.
    pub(crate) traces: Option<Traces>,
    /// The listener's bounds.
    pub(crate) limits: Limits,
    /// Who sends text messages.
    pub(crate) providers: Providers,
    /// What is paid for.
    pub(crate) guard: Guarding,
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
            let name = name.into_string().ok().filter(|name| variables::is_read(name))?;
            Some((name, value.into_string().unwrap_or_default()))
        });
        Self::of(&text, &path.display().to_string(), ours)
    }

    /// The configuration that a text and variables are.
    pub(crate) fn of(
        text: &str,
        path: &str,
        variables: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
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
        let database = match file.database.as_deref().map(database).transpose() {
            Ok(database) => database,
            Err(problem) => return wrong(format!("{path}: `database`: {problem}")),
        };
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
        let traces = match traces::settings(file.traces) {
            Ok(traces) => traces,
            Err((name, problem)) => return wrong(format!("{path}: `{name}` {problem}")),
        };
        let public_url = match file.public_url.as_deref().map(delivery::public_url).transpose() {
            Ok(public_url) => public_url,
            Err(problem) => return wrong(format!("{path}: `public_url` {problem}")),
        };
        let providers = match providers::providers(file.providers, file.routing, public_url) {
            Ok(providers) => providers,
            Err(problem) => return wrong(format!("{path}: {problem}")),
        };
        let guard = match file.guard.map(guard::guarding).transpose() {
            Ok(guard) => guard.unwrap_or_default(),
            Err(problem) => return wrong(format!("{path}: {problem}")),
        };
        // A provider's secret may well be in a variable that begins as ours do.
        unknown_variables.retain(|name| !providers.reads(name));
        let limits = limits(&file.limits);
        if let Err(e) = limits.validate() {
            let key = LimitsTable::key_of(e.name);
            return wrong(format!("{path}: `limits.{key}` must be {}", e.range));
        }
        Ok(Self {
            listen: file.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 4000))),
            data,
            database,
            master_key_file: file.master_key_file,
            metrics_listen: file.metrics_listen,
            tls,
            log_format: file.log.format.unwrap_or_default(),
            log_level,
            traces,
            limits,
            providers,
            guard,
            unknown_variables,
        })
    }

    /// The same, with a database that was named on the command line.
    ///
    /// # Errors
    /// What is wrong with its URL.
    pub(crate) fn with_database(mut self, url: Option<&str>) -> anyhow::Result<Self> {
        match url.map(database).transpose() {
            Ok(None) => {}
            Ok(named) => self.database = named,
            Err(problem) => return wrong(format!("--database: {problem}")),
        }
        Ok(self)
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
        let (traces, ratio) =
            self.traces.as_ref().map(|t| (t.url.clone(), t.sample_ratio.to_string())).unzip();
        let (providers, routing) = self.providers.explain();
        let lines = [
            ("listen", self.listen.to_string()),
            ("data", self.data.display().to_string()),
            ("database", self.database.as_ref().map_or("in the data folder".into(), Database::name)),
            ("tls.certificate", or_off(tls)),
            ("metrics_listen", or_off(self.metrics_listen.map(|at| at.to_string()))),
            ("log", format!("{format}, {}", self.log_level)),
            ("traces.endpoint", or_off(traces)),
            ("traces.sample_ratio", or_off(ratio)),
            ("public_url", or_off(self.providers.public_url.clone())),
            ("providers", providers),
            ("routing.sms", routing),
            ("guard", self.guard.explain()),
            ("limits.connections", self.limits.connections.to_string()),
            ("limits.requests", self.limits.requests.to_string()),
            ("limits.requests_wait_ms", self.limits.requests_wait.as_millis().to_string()),
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
    if let Some(millis) = table.requests_wait_ms {
        limits.requests_wait = Duration::from_millis(millis.into());
    }
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
            ("COUNTERSIGN_LIMITS_REQUESTS_WAIT_MS", "8"),
            ("COUNTERSIGN_MASTER_KEY", "of another's business"),
            ("COUNTERSIGN_LISTNE", "x"),
            ("COUNTERSIGN_METRICS_LISTEN", ""),
        ];
        let config = of(text, &variables).unwrap();
        assert_eq!((config.listen.to_string().as_str(), config.log_level.as_str()), ("[::1]:2", "debug"));
        assert_eq!(config.limits.connections, 7);
        assert_eq!(config.limits.requests_wait, Duration::from_millis(8));
        assert_eq!(config.unknown_variables().collect::<Vec<_>>(), ["COUNTERSIGN_LISTNE"]);
    }

    #[test]
    fn traces_go_where_our_key_says_else_where_the_standard_variables_say_and_else_nowhere() {
        let of = |text: &str, variables: &[(&str, &str)]| {
            of(&format!("data = '/d'\n{text}"), variables).unwrap().traces.map(|t| (t.url, t.sample_ratio))
        };
        let standard = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://two:4318/");
        let traces_only = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://three:4318/in");
        let own = ("COUNTERSIGN_TRACES_ENDPOINT", "http://four:4318");
        let file = "[traces]\nendpoint = 'http://one:4318'\nsample_ratio = 0.25";
        assert_eq!(of("", &[]), None);
        assert_eq!(of(file, &[standard, traces_only]), Some(("http://one:4318/v1/traces".into(), 0.25)));
        assert_eq!(of(file, &[own]), Some(("http://four:4318/v1/traces".into(), 0.25)));
        assert_eq!(of("", &[standard]), Some(("http://two:4318/v1/traces".into(), 1.0)));
        assert_eq!(of("", &[traces_only, standard]), Some(("http://three:4318/in".into(), 1.0)));
        assert_eq!(
            of("[traces]\nendpoint = 'http://[::1]:1/a'", &[("COUNTERSIGN_TRACES_SAMPLE_RATIO", "0")]),
            Some(("http://[::1]:1/a/v1/traces".into(), 0.0))
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_what_would_be_right() {
        type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);
        let cases: [Case; 21] = [
            ("data = '/d'\nlisen = 'x'", &[], &["c.toml", "line 2", "lisen", "listen"]),
            ("data = '/d'\nlisten = 4100", &[], &["line 2", "listen", "integer"]),
            ("data = '/d'\nlisten = 'localhost'", &[], &["line 2", "socket address"]),
            ("listen = '127.0.0.1:1'", &[], &["data", "COUNTERSIGN_DATA"]),
            ("data = '/d", &[], &["line 1", "column"]),
            ("data = '/d'\n[tls]\ncertificate = 'c'", &[], &["tls.key"]),
            ("data = '/d'\n[tls]\nkey = 'c'", &[], &["tls.certificate"]),
            ("data = '/d'\ndatabase = 'mysql://x'", &[], &["`database`", "postgres://"]),
            ("data = '/d'", &[("COUNTERSIGN_DATABASE", "postgres://h/d?sslmode=on")], &["verify-full"]),
            ("data = '/d'\n[log]\nformat = 'xml'", &[], &["line 3", "xml", "json", "text"]),
            ("data = '/d'\n[log]\nlevel = 'info,='", &[], &["log.level", "debug"]),
            ("data = '/d'\n[limits]\nidle_seconds = 0", &[], &["limits.idle_seconds", "1 ms to 1 hour"]),
            ("data = '/d'\n[traces]\nendpiont = 'x'", &[], &["line 3", "endpiont", "endpoint"]),
            ("data = '/d'\n[traces]\nendpoint = 'localhost:4318'", &[], &["traces.endpoint", "http://127"]),
            (
                "data = '/d'\n[traces]\nendpoint = 'https://c'",
                &[],
                &["traces.endpoint", "http://", "collector"],
            ),
            ("data = '/d'\n[traces]\nsample_ratio = 0.5", &[], &["traces.endpoint", "missing"]),
            (
                "data = '/d'\n[traces]\nendpoint = 'http://c'\nsample_ratio = 2",
                &[],
                &["traces.sample_ratio", "0 to 1"],
            ),
            ("data = '/d'", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc")], &["OTEL_EXPORTER_OTLP_ENDPOINT"]),
            (
                "data = '/d'\n[limits]\nrequests_wait_ms = 0",
                &[],
                &["limits.requests_wait_ms", "1 ms to 1 hour"],
            ),
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
