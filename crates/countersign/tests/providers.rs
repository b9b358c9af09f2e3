//! Text messages from the real binary to providers on loopback: the code that arrives is the code that verifies.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::{Server, configured, countersign, ended};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::JoinHandle,
};

const SECRET: &str = "sesame-4711";

/// A gateway: takes `{"to":…,"text":…}` with a bearer token, and says under which id.
struct Gateway {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Value>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (got, stop) = (Arc::<Mutex<Vec<Value>>>::default(), Arc::<AtomicBool>::default());
        let (kept, stopped) = (Arc::clone(&got), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(SeqCst) {
                    return;
                }
                if let Some(message) = Self::take(&mut stream.unwrap()) {
                    kept.lock().unwrap().push(message);
                }
            }
        });
        Self { address, got, stop, thread: Some(thread) }
    }

    /// One request, one answer, one connection.
    fn take(stream: &mut TcpStream) -> Option<Value> {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).ok()? > 2 {
            head.push_str(&line.to_ascii_lowercase());
            line.clear();
        }
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: "))?.parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let good = head.contains(&format!("authorization: bearer {SECRET}\r\n"));
        let status = if good { "202 Accepted" } else { "401 Unauthorized" };
        let answer =
            format!("HTTP/1.1 {status}\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{{\"id\":\"m1\"}}");
        stream.write_all(answer.as_bytes()).ok()?;
        good.then(|| serde_json::from_slice(&body).unwrap())
    }

    /// Nobody listens there any more.
    fn kill(&mut self) {
        self.stop.store(true, SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    fn table(&self, name: &str) -> String {
        format!(
            "[[providers]]\nname = '{name}'\nkind = 'http'\nurl = 'http://{}/send'\nsecret_file = 'SECRET'\n\
             headers = {{ authorization = 'Bearer {{{{secret}}}}', content-type = 'application/json' }}\n\
             body = '{{\"to\":\"{{{{to}}}}\",\"text\":\"{{{{text}}}}\"}}'\nmessage_id = '/id'\n",
            self.address
        )
    }

    fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    /// The code in the last message, and to whom it went.
    fn last(&self) -> (String, String) {
        let got = self.got.lock().unwrap();
        let message = got.last().unwrap();
        let text = message["text"].as_str().unwrap();
        let code = text.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6).unwrap();
        (message["to"].as_str().unwrap().to_owned(), code.to_owned())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
fn w11_a_text_goes_to_the_first_provider_and_to_the_second_when_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (Gateway::start(), Gateway::start());
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let tables = format!(
        "metrics_listen = '{metrics}'\n{}{}[routing]\nretry_seconds = 0\n[routing.sms]\ndefault = ['one', 'two']\n",
        one.table("one"),
        two.table("two")
    );
    let config = configured(folder.path(), &tables.replace("SECRET", secret.to_str().unwrap()), 0o600);
    let at = ["--config", config.to_str().unwrap()];
    let told = |args: &[&str]| ended(countersign(args).args(at));

    // Before anything is served.
    let (code, out, error) = told(&["check-config"]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("one (http), two (http)") && out.contains("default: one, two"), "{out}");
    let (code, out, _) = told(&["provider", "list"]);
    assert!(code == 0 && out.contains("16 at once, 10000 ms"), "{out}");
    let (code, out, error) = told(&["provider", "test", "one"]);
    assert!(code == 0 && out.contains("reached"), "{out}{error}");
    let (code, out, error) = told(&["provider", "send-test", "two", "--to", "(415) 555-0199"]);
    assert!(code == 0 && out.contains("two accepted the message, as m1"), "{out}{error}");
    assert_eq!(two.last().0, "+14155550199");
    let (code, _, error) = told(&["provider", "test", "three"]);
    assert!(code == 2 && error.contains("there is no provider three"), "{error}");

    let (_, made, _) = told(&["environment", "create", "shop", "--live", "--json"]);
    assert!(made.contains("shop"), "{made}");
    let mut server = Server::serve(&config);
    let (_, key, _) = told(&["api-key", "create", "--json"]);
    let key = serde_json::from_str::<Value>(&key).unwrap()["key"].as_str().unwrap().to_owned();
    let challenge = |number: &str| {
        let body = format!(r#"{{"type":"sms","phone_number":"{number}"}}"#);
        let (_, factor) = server.call("POST", "/auth/factors/enroll", &key, &body);
        let path = format!("/auth/factors/{}/challenge", factor["id"].as_str().unwrap());
        server.call("POST", &path, &key, "{}")
    };
    let verified = |gateway: &Gateway, number: &str, challenge: &Value| {
        let (to, code) = gateway.last();
        assert_eq!(to, number);
        assert!(!server.said().contains(&code), "no code in the log");
        let path = format!("/auth/challenges/{}/verify", challenge["id"].as_str().unwrap());
        server.call("POST", &path, &key, &format!(r#"{{"code":"{code}"}}"#)).1["valid"].clone()
    };
    let (status, opened) = challenge("+14155550101");
    assert_eq!((status, one.count()), (201, 1));
    assert_eq!(verified(&one, "+14155550101", &opened), true);

    one.kill();
    let (status, opened) = challenge("+14155550102");
    assert_eq!((status, one.count(), two.count()), (201, 1, 2));
    assert_eq!(verified(&two, "+14155550102", &opened), true);

    two.kill();
    let (status, refused) = challenge("+14155550103");
    assert_eq!((status, &refused["code"]), (503, &"sms_delivery_failed".into()));

    let said = server.said();
    assert!(!said.contains(SECRET) && !said.contains("4155550103"), "{said}");
    server.address = metrics;
    let (_, page) = server.call_for_text("GET", "/metrics", "", "");
    for part in [
        r#"dispatches_total{provider="one",outcome="accepted"} 1"#,
        r#"dispatches_total{provider="one",outcome="busy"} 2"#,
        r#"dispatches_total{provider="two",outcome="accepted"} 1"#,
        r#"deliveries_total{outcome="accepted"} 2"#,
        r#"deliveries_total{outcome="not_sent"} 1"#,
        r#"dispatch_duration_seconds_count{provider="two"} 2"#,
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
}

#[test]
fn a_provider_that_cannot_be_used_as_configured_is_named_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let table = "[[providers]]\nname = 'vo'\nkind = 'vonage'\nkey = 'k'\nfrom = 'Us'\n";
    for (more, named) in [
        ("secret_file = '/none'", "cannot read /none"),
        ("secret_env = 'NOT_SET_ANYWHERE'", "NOT_SET_ANYWHERE is not set"),
        ("secret_env = 'PATH'\nendpoint = 'http://gateway.example.com'", "https://"),
        ("secret_env = 'PATH'\nca_file = '/none.pem'", "/none.pem"),
    ] {
        let config = configured(folder.path(), &format!("{table}{more}"), 0o600);
        for command in ["check-config", "serve"] {
            let (code, _, error) = ended(countersign(&[command, "--config"]).arg(&config));
            assert_eq!(code, 2, "{command}: {error}");
            assert!(error.contains("provider vo") && error.contains(named), "{named:?} is not in {error}");
        }
        std::fs::remove_file(folder.path().join("master.key")).unwrap();
    }
}
