//! The real binary as a process, and a caller for it.

#![allow(dead_code, unreachable_pub, reason = "each suite uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a helper of tests"
)]

use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(20);

/// The command, without variables of the outside.
pub fn countersign(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(args).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if ["COUNTERSIGN_", "OTEL_"].iter().any(|ours| name.to_string_lossy().starts_with(ours)) {
            command.env_remove(name);
        }
    }
    command.env_remove("RUST_LOG");
    command
}

/// What a command printed and how it ended.
pub fn run(args: &[&str]) -> (i32, String, String) {
    ended(&mut countersign(args))
}

pub fn ended(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// The same for one that is not to go on for long. Killed if it does.
pub fn ended_soon(command: &mut Command) -> (i32, String, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it goes on: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// What a command answers with `--json`, on a data folder.
pub fn ask(folder: &Path, args: &[&str]) -> Value {
    let (code, out, error) = ended(countersign(args).arg("--json").arg("--data").arg(folder));
    assert_eq!(code, 0, "{args:?}: {error}");
    serde_json::from_str(&out).unwrap()
}

/// A configuration in a folder, with a master key of a mode.
pub fn configured(folder: &Path, more: &str, mode: u32) -> PathBuf {
    let key = folder.join("master.key");
    assert_eq!(ended(countersign(&["keys", "generate"]).arg(&key)).0, 0);
    fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
    let config = folder.join("countersign.toml");
    let (data, key) = (folder.join("data"), key.display());
    let text =
        format!("listen = '127.0.0.1:0'\ndata = '{}'\nmaster_key_file = '{key}'\n{more}", data.display());
    fs::write(&config, text).unwrap();
    config
}

/// A server that runs. Killed when dropped.
pub struct Server {
    child: Child,
    lines: Mutex<Receiver<String>>,
    said: Arc<Mutex<String>>,
    pub address: SocketAddr,
    /// What it printed before it was ready.
    pub greeting: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    /// `dev` on a free port.
    pub fn dev(folder: &Path, args: &[&str]) -> Self {
        let mut command = countersign(&["dev", "--listen", "127.0.0.1:0", "--data"]);
        Self::dev_of(command.arg(folder).args(args))
    }

    /// `dev` by a command that names everything else.
    pub fn dev_of(command: &mut Command) -> Self {
        Self::start(command, |line| {
            Some(line.trim_start().strip_prefix("Base URL")?.trim().strip_prefix("http://")?.to_owned())
        })
    }

    /// `serve` with a configuration that listens on a free port.
    pub fn serve(config: &Path) -> Self {
        Self::serve_with(countersign(&["serve", "--config"]).arg(config))
    }

    /// `serve` as a command says.
    pub fn serve_with(command: &mut Command) -> Self {
        Self::start(command, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "serving").then(|| line["address"].as_str().unwrap().to_owned())
        })
    }

    fn start(command: &mut Command, address_in: impl Fn(&str) -> Option<String>) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = channel();
        let said = Arc::new(Mutex::new(String::new()));
        let (out, errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                *heard.lock().unwrap() += &format!("{line}\n");
                drop(tell.send(line));
            }
        });
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                *heard.lock().unwrap() += &format!("{line}\n");
            }
        });
        let mut greeting = String::new();
        let mut address = None;
        while address.is_none() {
            let line = lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|e| {
                panic!("the server says where it listens: {e}: {}", said.lock().unwrap())
            });
            address = address_in(&line);
            greeting.push_str(&line);
            greeting.push('\n');
        }
        Self { child, lines: Mutex::new(lines), said, address: address.unwrap().parse().unwrap(), greeting }
    }

    /// Everything it has printed so far, on either stream.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Lines printed since, until one fits.
    pub fn line(&self, fits: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.lines.lock().unwrap().recv_timeout(PATIENCE).expect("a line that fits");
            if fits(&line) {
                return line;
            }
        }
    }

    /// Lets no file of the process grow beyond a size in bytes.
    pub fn limit_files_to(&self, bytes: u64) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let limit = rustix::process::Rlimit { current: Some(bytes), maximum: None };
        rustix::process::prlimit(Some(pid), rustix::process::Resource::Fsize, limit).unwrap();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; the exit code, if it was not killed.
    pub fn end(&mut self) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the server does not end");
    }

    /// A request with a key; the status and the body, `null` if it is no JSON.
    pub fn call(&self, method: &str, path: &str, key: &str, body: &str) -> (u16, Value) {
        let (status, body) = self.call_for_text(method, path, key, body);
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// The same, with the body as text.
    pub fn call_for_text(&self, method: &str, path: &str, key: &str, body: &str) -> (u16, String) {
        self.call_with(method, path, key, "", body)
    }

    /// The same, with more headers, each ended by CR LF.
    pub fn call_with(&self, method: &str, path: &str, key: &str, more: &str, body: &str) -> (u16, String) {
        self.try_call(method, path, key, more, body).expect("an answer")
    }

    /// The same, or `None` if the connection ends without an answer.
    pub fn try_call(
        &self,
        method: &str,
        path: &str,
        key: &str,
        more: &str,
        body: &str,
    ) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let type_ = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {key}\r\n{type_}{more}\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        // A reset is an end as well.
        drop(stream.read_to_string(&mut answer));
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned()))
    }

    /// A TOTP factor: its id and secret.
    pub fn enroll(&self, key: &str) -> (String, String) {
        let (status, factor) = self.call("POST", "/auth/factors/enroll", key, r#"{"type":"totp"}"#);
        assert_eq!(status, 201, "{factor}");
        let text = |place: &str| factor.pointer(place).unwrap().as_str().unwrap().to_owned();
        (text("/id"), text("/totp/secret"))
    }

    /// Opens a challenge.
    pub fn challenge(&self, key: &str, factor: &str) -> String {
        let (status, challenge) = self.call("POST", &format!("/auth/factors/{factor}/challenge"), key, "");
        assert_eq!(status, 201, "{challenge}");
        challenge["id"].as_str().unwrap().to_owned()
    }

    /// Whether a code is right for a challenge.
    pub fn verify(&self, key: &str, challenge: &str, code: &str) -> bool {
        let body = format!(r#"{{"code":"{code}"}}"#);
        let (status, answer) = self.call("POST", &format!("/auth/challenges/{challenge}/verify"), key, &body);
        assert_eq!(status, 201, "{answer}");
        answer["valid"].as_bool().unwrap()
    }
}

/// The code that a phone with `secret` shows now.
pub fn code_now(secret: &str) -> String {
    let seed = secrets::TotpSeed::import_base32(secret).unwrap();
    let now = domain::time::Clock::now(&app::SystemClock);
    secrets::hotp(&seed, now.step()).reveal().to_owned()
}

/// The code that a phone with `secret` shows at a time of the wire.
pub fn code_at(secret: &str, now: &str) -> String {
    let at = domain::time::Timestamp::parse(now).unwrap();
    let seed = secrets::TotpSeed::import_base32(secret).unwrap();
    secrets::hotp(&seed, at.step()).reveal().to_owned()
}
