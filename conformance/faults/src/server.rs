//! The real binary as a process: started, found ready, killed, stopped.
use crate::front::Front;
use loadgen::{
    http::{Conn, Request},
    wire::Api,
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

/// The key that dev mode accepts.
pub(crate) const KEY: &str = "sk_test_default";

/// How a server is started, each time alike.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) binary: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) addr: SocketAddr,
    /// The URL of its database, if that is not the embedded one.
    pub(crate) database: Option<String>,
    /// Where the server's own output goes, all starts one after another.
    pub(crate) log: PathBuf,
}

impl Plan {
    /// A server of `binary` in `folder`, on a port that is free now.
    ///
    /// # Errors
    /// One sentence if there is no such binary, the folder cannot be made or no port is free.
    pub(crate) fn new(binary: &Path, folder: &Path) -> Result<Plan, String> {
        let binary = binary.canonicalize().map_err(|e| format!("{}: {e}", binary.display()))?;
        let data = folder.join("data");
        std::fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        Ok(Plan { binary, data, addr, database: None, log: folder.join("server.log") })
    }

    /// The same server on a PostgreSQL database.
    pub(crate) fn with_database(self, url: String) -> Plan {
        Plan { database: Some(url), ..self }
    }

    /// Gives this node the master key of another, which has made one. Nodes of one database share it.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub(crate) fn share_master_key(&self, other: &Plan) -> Result<(), String> {
        let (from, to) = (other.data.join("master.key"), self.data.join("master.key"));
        std::fs::copy(&from, &to).map(drop).map_err(|e| format!("{}: {e}", from.display()))
    }

    /// This server alone, for callers.
    ///
    /// # Errors
    /// As [`Api::new`].
    pub(crate) fn front(&self) -> Result<Arc<Front>, String> {
        Ok(Front::new(self.api()?, vec![]))
    }

    /// The API of this server.
    ///
    /// # Errors
    /// As [`Api::new`].
    pub(crate) fn api(&self) -> Result<Arc<Api>, String> {
        Api::new(self.addr, KEY, None).map(Arc::new)
    }

    /// Starts the server, under the command `wrap` if there is one.
    ///
    /// # Errors
    /// One sentence if the process cannot be started.
    pub(crate) fn start(&self, wrap: &[String]) -> Result<Server, String> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(|e| format!("{}: {e}", self.log.display()))?;
        let mut command = match wrap {
            [] => Command::new(&self.binary),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.binary);
                command
            }
        };
        // These programs exceed the request rate of a key on purpose.
        command.args(["dev", "--setting", "rate_limit=0"]);
        command.args(["--listen", &self.addr.to_string(), "--data"]).arg(&self.data);
        if let Some(url) = &self.database {
            command.args(["--database", url]);
        }
        let errors = log.try_clone().map_err(|e| e.to_string())?;
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        let child = child.map_err(|e| format!("{:?}: {e}", command.get_program()))?;
        Ok(Server { child, addr: self.addr, started: Instant::now() })
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    /// One sentence if it does not start, or is not ready within ten seconds.
    pub(crate) async fn start_ready(&self) -> Result<(Server, Duration), String> {
        let mut server = self.start(&[])?;
        let took = server.ready(Duration::from_secs(10)).await?;
        Ok((server, took))
    }
}

/// A port of the loopback address that is free now.
///
/// # Errors
/// One sentence if there is none.
pub(crate) fn free_port() -> Result<u16, String> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    free.map(|addr| addr.port()).map_err(|e| format!("no port is free: {e}"))
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    addr: SocketAddr,
    started: Instant,
}

impl Server {
    /// Waits for `/readyz` to say yes, and returns the time since the start.
    ///
    /// # Errors
    /// One sentence if the process ends first, or `limit` passes.
    pub(crate) async fn ready(&mut self, limit: Duration) -> Result<Duration, String> {
        while self.started.elapsed() < limit {
            if let Some(status) = self.exited() {
                return Err(format!("the server ended before it was ready: {status}"));
            }
            if is_ready(self.addr).await {
                return Ok(self.started.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Err(format!("the server was not ready within {} s", limit.as_secs()))
    }

    /// How the process ended, if it has.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn exit_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            match self.exited() {
                None if start.elapsed() < limit => tokio::time::sleep(Duration::from_millis(2)).await,
                ended => return ended,
            }
        }
    }

    /// SIGKILL: nothing gets to clean up.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and nothing more.
    pub(crate) fn terminate(&self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether `/readyz` says 200 now.
pub(crate) async fn is_ready(addr: SocketAddr) -> bool {
    let request = Request { method: "GET", path: "/readyz", key: KEY, idempotency_key: None, body: "" };
    let mut conn = Conn::new(addr);
    let asked = tokio::time::timeout(Duration::from_secs(2), conn.call(request)).await;
    matches!(asked, Ok(Ok(response)) if response.status == 200)
}
