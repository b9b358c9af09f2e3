//! A server of a test's own, for what is set on a whole server: who waits for whom, and who is let in.

use super::{binaries, try_sql};
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// `make FOLDER BIN`, `start FOLDER BIN PORT`, `stop FOLDER BIN`. PostgreSQL refuses to run as root.
const SCRIPT: &str = r#"set -eu
command=$1 folder=$2 bin=$3 port=${4:-}
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; else "$@"; fi; }
cd /
case $command in
  make) as "$bin/initdb" -N -D "$folder/data" -U countersign -A trust -E UTF8 --locale=C ;;
  start)
    if [ "$(id -u)" = 0 ]; then chown -R postgres "$folder/data"; fi
    as "$bin/pg_ctl" -D "$folder/data" -w -t 60 -l "$folder/server.log" \
      -o "-c listen_addresses=127.0.0.1 -p $port -k ''" start ;;
  stop) as "$bin/pg_ctl" -D "$folder/data" -m immediate stop ;;
esac
"#;

/// A server on loopback, with the user `countersign` and the database `postgres`. It is stopped when this is dropped.
pub struct OwnServer {
    folder: PathBuf,
    port: u16,
}

impl OwnServer {
    /// Starts one. `settings` are lines of `postgresql.conf`; `files` are put beside it, of mode 0600.
    #[must_use]
    pub fn start(settings: &[&str], files: &[(&str, &str)]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("its number").port();
        drop(free);
        let folder = std::env::temp_dir().join(format!("countersign-own-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the server");
        let server = Self { folder, port };
        if server.is_root() {
            let owned = Command::new("chown").arg("postgres").arg(&server.folder).status();
            assert!(owned.expect("chown runs").success());
        }
        server.script("make");
        let data = server.folder.join("data");
        let conf = data.join("postgresql.conf");
        let known = fs::read_to_string(&conf).expect("the configuration is there");
        fs::write(&conf, format!("{known}\n{}\n", settings.join("\n"))).expect("it can be written");
        for (name, text) in files {
            let path = data.join(name);
            fs::write(&path, text).expect("the file can be written");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(&path, mode).expect("its mode can be set");
        }
        server.script("start");
        server
    }

    /// Where a database of it is.
    #[must_use]
    pub fn url(&self, host: &str, query: &str) -> String {
        format!("postgres://countersign@{host}:{}/postgres?{query}", self.port)
    }

    /// Runs statements, without TLS.
    ///
    /// # Errors
    /// The server's.
    pub fn sql(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        try_sql(&self.url("127.0.0.1", "sslmode=disable"), sql)
    }

    fn is_root(&self) -> bool {
        fs::metadata(&self.folder).is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
    }

    fn script(&self, command: &str) {
        let log = self.folder.join("script.log");
        let ran = shell(command, &self.folder, self.port, &log).status().expect("sh runs");
        assert!(ran.success(), "{command}: {}", fs::read_to_string(&log).unwrap_or_default());
    }
}

fn shell(command: &str, folder: &Path, port: u16, log: &Path) -> Command {
    let out = fs::File::options().create(true).append(true).open(log).expect("a log");
    let err = out.try_clone().expect("a log");
    let mut run = Command::new("sh");
    run.args(["-c", SCRIPT, "sh", command]).arg(folder).arg(binaries()).arg(port.to_string());
    run.stdin(Stdio::null()).stdout(out).stderr(err);
    run
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        drop(shell("stop", &self.folder, self.port, &self.folder.join("script.log")).status());
        drop(fs::remove_dir_all(&self.folder));
    }
}
