//! A PostgreSQL of the run's own: started, stopped, killed, copied, promoted. None else is ever touched.
use crate::server::free_port;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The steps are those of `conformance/postgres`.
const SCRIPT: &str = include_str!("../../postgres");

/// A server and its folder. Dropping it kills the server.
pub(crate) struct Postgres {
    folder: PathBuf,
    pub(crate) port: u16,
}

impl Postgres {
    /// Makes one in the folder `folder` and starts it; `settings` in the form of `postgresql.conf`.
    ///
    /// # Errors
    /// What the script said.
    pub(crate) async fn start(folder: &Path, settings: &[&str]) -> Result<Postgres, String> {
        let server = Postgres { folder: folder.to_owned(), port: free_port()? };
        server.go_on(settings).await?;
        Ok(server)
    }

    /// A copy of this one in the folder `folder`, which follows it under the name `standby`.
    ///
    /// # Errors
    /// What the script said.
    pub(crate) async fn standby(&self, folder: &Path) -> Result<Postgres, String> {
        let standby = Postgres { folder: folder.to_owned(), port: free_port()? };
        let (own, primary) = (standby.port.to_string(), self.port.to_string());
        script(&["standby", &standby.place(), &own, &primary]).await?;
        Ok(standby)
    }

    /// Starts it after a stop.
    ///
    /// # Errors
    /// What the script said.
    pub(crate) async fn go_on(&self, settings: &[&str]) -> Result<(), String> {
        let (place, port) = (self.place(), self.port.to_string());
        let mut words = vec!["start", place.as_str(), port.as_str()];
        words.extend(settings);
        script(&words).await.map(drop)
    }

    /// Stops it as a crash would, but for the page cache.
    ///
    /// # Errors
    /// What the script said.
    pub(crate) async fn crash(&self) -> Result<(), String> {
        script(&["stop", &self.place(), "immediate"]).await.map(drop)
    }

    /// SIGKILL for all of its processes.
    ///
    /// # Errors
    /// What the script said.
    pub(crate) async fn kill(&self) -> Result<(), String> {
        script(&["kill", &self.place()]).await.map(drop)
    }

    /// Makes a primary of a standby.
    ///
    /// # Errors
    /// What the script said.
    pub(crate) async fn promote(&self) -> Result<(), String> {
        script(&["promote", &self.place()]).await.map(drop)
    }

    /// Runs a statement as superuser and returns what it printed.
    ///
    /// # Errors
    /// What the script said.
    pub(crate) async fn sql(&self, database: &str, statement: &str) -> Result<String, String> {
        script(&["sql", &self.port.to_string(), database, statement]).await
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// What the script said.
    pub(crate) async fn database(&self, name: &str) -> Result<(), String> {
        self.sql("postgres", &format!("CREATE DATABASE {name}")).await.map(drop)
    }

    fn place(&self) -> String {
        self.folder.display().to_string()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.folder.join("data/postmaster.pid").exists() {
            let _ = command(&["stop", &self.place(), "immediate"]).output();
        }
    }
}

/// The URL of a database on servers that are tried in this order.
pub(crate) fn url(ports: &[u16], database: &str, query: &str) -> String {
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!("postgres://countersign@{}/{database}?sslmode=disable{query}", hosts.join(","))
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "postgres"]).args(words);
    command
}

/// Runs the script beside whatever else goes on.
async fn script(words: &[&str]) -> Result<String, String> {
    let mut command = command(words);
    let told = words.join(" ");
    let ran = tokio::task::spawn_blocking(move || command.output()).await.map_err(|e| e.to_string())?;
    let ran = ran.map_err(|e| format!("sh: {e}"))?;
    if ran.status.success() {
        return Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned());
    }
    Err(format!("postgres {told}: {}", String::from_utf8_lossy(&ran.stderr).trim()))
}
