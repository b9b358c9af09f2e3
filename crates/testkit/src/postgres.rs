//! A PostgreSQL of the tests' own, from the binaries that are installed, with a database for each test.
//!
//! One server serves all test processes that run at the time. It starts with the first that asks and stops some seconds
//! after the last, however that ended. It keeps its data durable as a real one does. `COUNTERSIGN_TEST_POSTGRES` names
//! another server to use instead: a URL whose user may create databases.

mod own;

pub use own::OwnServer;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::SystemTime,
};

/// Starts the server below `$1/run` with the binaries in `$2`. PostgreSQL refuses to run as root.
const START: &str = r#"set -eu
base=$1 bin=$2
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; else "$@"; fi; }
rm -rf "$base/run"
mkdir -m 755 "$base/run"
if [ "$(id -u)" = 0 ]; then chown postgres "$base/run"; fi
cd "$base/run"
as "$bin/initdb" -D data -U countersign -A trust -E UTF8 --locale=C
cat >>data/postgresql.conf <<'CONF'
listen_addresses = ''
max_connections = 400
shared_buffers = 128MB
max_wal_size = 2GB
log_min_messages = warning
CONF
as "$bin/pg_ctl" -D data -w -t 60 -l server.log -o "-k $base/run" start
touch ready
"#;

/// Stops the server when nobody has held `$1/users` for a while.
const WATCH: &str = r#"base=$1 bin=$2
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; else "$@"; fi; }
cd /
while sleep 20; do
  exec 8>"$base/start" 9>"$base/users"
  flock 8
  if flock -n 9; then
    as "$bin/pg_ctl" -D "$base/run/data" -m immediate stop
    rm -rf "$base/run"
    exit 0
  fi
  exec 8>&- 9>&-
done
"#;

/// An empty database. It goes when this is dropped.
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// Creates one, starting the server if necessary.
    #[must_use]
    pub fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = server().to_owned();
        let nanos = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |t| t.subsec_nanos());
        let name = format!("test_{}_{}_{nanos}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        run_sql(&server, &format!("CREATE DATABASE {name}"));
        Self { server, name }
    }

    /// Runs statements in it.
    pub fn sql(&self, sql: &str) {
        run_sql(&self.url(), sql);
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        let (base, query) = self.server.split_once('?').map_or((self.server.as_str(), ""), |(b, q)| (b, q));
        let base = base.rsplit_once('/').map_or(base, |(base, _)| base);
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{base}/{}{mark}{query}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        run_sql(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// The URL of the server's own database.
fn server() -> &'static str {
    static SERVER: OnceLock<(String, Option<File>)> = OnceLock::new();
    let (url, _users) = SERVER.get_or_init(|| match std::env::var("COUNTERSIGN_TEST_POSTGRES") {
        Ok(url) => (url, None),
        Err(_) => {
            let (url, users) = own_server();
            (url, Some(users))
        }
    });
    url
}

fn own_server() -> (String, File) {
    let bin = binaries();
    let user = Command::new("id").arg("-u").output().expect("id runs").stdout;
    let user = String::from_utf8_lossy(&user).trim().to_owned();
    let base = std::env::temp_dir().join(format!("countersign-test-postgres-{user}"));
    fs::create_dir_all(&base).expect("a folder for the server");
    let open = |name: &str| {
        let file = File::options().create(true).truncate(false).write(true).open(base.join(name));
        file.expect("a file for a lock")
    };
    let (start, users) = (open("start"), open("users"));
    start.lock().expect("the lock on starting");
    users.lock_shared().expect("the lock of those who use it");
    let folder = base.join("run").display().to_string().replace('/', "%2F");
    let url = format!("postgres://countersign@{folder}/postgres");
    if !base.join("run/ready").exists() || try_sql(&url, "SELECT 1").is_err() {
        let log = base.join("start.log");
        let ran = script(START, &base, &bin, &log).status().expect("sh runs");
        assert!(ran.success(), "PostgreSQL does not start; see {} and {}/run", log.display(), base.display());
        // In a session of its own: it outlives the tests.
        let mut watch = script(WATCH, &base, &bin, &base.join("watch.log"));
        drop(std::os::unix::process::CommandExt::process_group(&mut watch, 0).spawn().expect("sh runs"));
    }
    drop(start);
    (url, users)
}

fn script(text: &str, base: &Path, bin: &Path, log: &Path) -> Command {
    let out = File::create(log).expect("a log");
    let err = out.try_clone().expect("a log");
    let mut command = Command::new("sh");
    command.args(["-c", text, "sh"]).arg(base).arg(bin).stdin(Stdio::null()).stdout(out).stderr(err);
    command
}

/// The newest of Debian's PostgreSQL.
#[must_use]
pub fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = versions.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let bin = entry.path().join("bin");
        (version >= 15 && bin.join("initdb").exists()).then_some((version, bin))
    });
    versions.max().map(|(_, bin)| bin).expect(
        "no PostgreSQL 15 or later in /usr/lib/postgresql: run scripts/install-test-tools, or name a server in \
         COUNTERSIGN_TEST_POSTGRES",
    )
}

/// Runs one statement, in a thread of its own: whoever asks may be in a runtime.
fn try_sql(url: &str, sql: &str) -> Result<(), tokio_postgres::Error> {
    std::thread::scope(|scope| {
        let ran = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let (client, wire) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
                let wire = tokio::spawn(wire);
                client.batch_execute(sql).await?;
                drop(client);
                drop(wire.await);
                Ok(())
            })
        });
        ran.join().expect("no panic")
    })
}

fn run_sql(url: &str, sql: &str) {
    if let Err(e) = try_sql(url, sql) {
        panic!("{sql}: {e}: {:?}", e.as_db_error());
    }
}
