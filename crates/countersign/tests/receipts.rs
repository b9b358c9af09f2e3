//! Receipts into the real binary, from doubles on loopback that sign as their providers document it, and the timeline
//! that comes of them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

mod common;

use common::{Server, configured, countersign, ended};
use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

const SECRET: &str = "sesame-4711";
const SIGNING: &str = "callback-0815";
const PUBLIC: &str = "https://auth.example.com";

/// What was sent to a provider: the path, and the body.
type Sent = (String, String);
/// What is done before a message is answered.
type Before = Box<dyn FnOnce() + Send>;

/// A server that takes any message, as `m1`, `m2`, …
struct Provider {
    address: SocketAddr,
    got: mpsc::Receiver<Sent>,
    before: Arc<Mutex<Option<Before>>>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, got) = mpsc::channel();
        let before = Arc::<Mutex<Option<Before>>>::default();
        let held = Arc::clone(&before);
        std::thread::spawn(move || {
            for (n, stream) in (1..).zip(listener.incoming()) {
                let act = held.lock().unwrap().take();
                let Some(sent) = Self::take(&mut stream.unwrap(), n, act) else { continue };
                if tell.send(sent).is_err() {
                    return;
                }
            }
        });
        Self { address, got, before }
    }

    fn take(stream: &mut TcpStream, n: u32, act: Option<Before>) -> Option<Sent> {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).ok()? > 2 {
            head.push_str(&line);
            line.clear();
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|l| l.strip_prefix("content-length: "))?.parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        if let Some(act) = act {
            act();
        }
        let answer = format!(r#"{{"id":"m{n}","sid":"SM{n}","status":"queued"}}"#);
        let length = answer.len();
        let head = format!("HTTP/1.1 201 Created\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        stream.write_all(format!("{head}{answer}").as_bytes()).ok()?;
        let path = lower.split(' ').nth(1)?.to_owned();
        Some((path, String::from_utf8(body).unwrap()))
    }

    fn sent(&self) -> Sent {
        self.got.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

fn field(form: &str, name: &str) -> String {
    let pair = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap();
    decoded(pair)
}

/// Six digits that stand by themselves.
fn code_in(text: &str) -> String {
    text.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6).unwrap().to_owned()
}

/// A call, as the world makes it. Answers status and body.
fn post(to: SocketAddr, target: &str, header: (&str, &str), body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(to).unwrap();
    let (name, value) = header;
    let length = body.len();
    write!(
        stream,
        "POST {target} HTTP/1.1\r\nhost: elsewhere\r\n{name}: {value}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn by_gateway(to: SocketAddr, secret: &str, body: &str) -> (u16, String) {
    let mut mac = <Hmac<sha2::Sha256>>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", HEXLOWER.encode(&mac.finalize().into_bytes()));
    post(to, "/countersign/callbacks/gw", ("X-Signature", &signature), body)
}

fn by_twilio(to: SocketAddr, secret: &str, url: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let signed = sorted.iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let mut mac = <Hmac<sha1::Sha1>>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    let signature = BASE64.encode(&mac.finalize().into_bytes());
    let body = fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    post(to, url.strip_prefix(PUBLIC).unwrap(), ("X-Twilio-Signature", &signature), &body)
}

fn tables(gateway: SocketAddr, twilio: SocketAddr, metrics: SocketAddr, folder: &std::path::Path) -> String {
    for (name, text) in [("secret", SECRET), ("signing", SIGNING)] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    format!(
        "public_url = '{PUBLIC}/'\nmetrics_listen = '{metrics}'\n\
         [[providers]]\nname = 'gw'\nkind = 'http'\nurl = 'http://{gateway}/send'\n\
         callback_secret_file = 'F/signing'\nmessage_id = '/id'\n\
         headers = {{ content-type = 'application/json' }}\n\
         body = '{{\"text\":\"{{{{text}}}}\",\"ref\":\"{{{{id}}}}\",\"callback\":\"{{{{callback_url}}}}\"}}{{{{to}}}}'\n\
         receipt = {{ header = 'X-Signature', prefix = 'sha256=', reference = '/ref', id = '/id', status = '/status', \
         sent = ['2'], delivered = ['delivered'], undelivered = ['lost'] }}\n\
         [[providers]]\nname = 'tw'\nkind = 'twilio'\nendpoint = 'http://{twilio}'\naccount = 'AC1'\n\
         from = '+15005550006'\nsecret_file = 'F/secret'\n"
    )
    .replace("}{{to}}'", ",\"to\":\"{{to}}\"}'")
    .replace("F/", &format!("{}/", folder.display()))
}

#[test]
fn f69_receipts_are_signed_idempotent_and_in_any_order_and_the_timeline_tells_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, twilio) = (Provider::start(), Provider::start());
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config =
        configured(folder.path(), &tables(gateway.address, twilio.address, metrics, folder.path()), 0o600);
    let at = ["--config", config.to_str().unwrap()];
    let told = |args: &[&str]| ended(countersign(args).args(at));
    let (code, out, error) = told(&["provider", "list"]);
    assert_eq!(code, 0, "{error}");
    for name in ["gw", "tw"] {
        assert!(out.contains(&format!("receipts at {PUBLIC}/countersign/callbacks/{name}\n")), "{out}");
    }
    told(&["environment", "create", "shop", "--live"]);
    let mut server = Server::serve(&config);
    let (_, key, _) = told(&["api-key", "create", "--json"]);
    let key = serde_json::from_str::<Value>(&key).unwrap()["key"].as_str().unwrap().to_owned();
    let (_, factor) =
        server.call("POST", "/auth/factors/enroll", &key, r#"{"type":"sms","phone_number":"+14155550101"}"#);
    let path = format!("/auth/factors/{}/challenge", factor["id"].as_str().unwrap());
    let open = || {
        let (status, opened) = server.call("POST", &path, &key, "{}");
        assert_eq!(status, 201, "{opened}");
        opened["id"].as_str().unwrap().to_owned()
    };
    let timeline = |id: &str| server.call("GET", &format!("/countersign/challenges/{id}"), &key, "").1;
    let texts = |timeline: &Value| {
        let lines = timeline["timeline"].as_array().unwrap();
        lines.iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    // The gateway got our id and where to report, and reports late, early, twice.
    let first = open();
    let message: Value = serde_json::from_str(&gateway.sent().1).unwrap();
    assert_eq!(message["callback"], format!("{PUBLIC}/countersign/callbacks/gw"));
    let reference = message["ref"].as_str().unwrap();
    let delivered = format!(r#"{{"ref":"{reference}","status":"delivered","id":"m1"}}"#);
    let sent = format!(r#"{{"ref":"{reference}","status":2}}"#);
    let refused = (403, String::new());
    assert_eq!(by_gateway(server.address, "other", &delivered), refused);
    assert_eq!(post(server.address, "/countersign/callbacks/none", ("x", "y"), &delivered), refused);
    assert_eq!(post(server.address, "/countersign/callbacks/gw", ("x", "y"), &delivered), refused);
    assert_eq!(timeline(&first)["deliveries"][0]["state"], "accepted");
    for body in [&delivered, &sent, &delivered, &sent] {
        assert_eq!(by_gateway(server.address, SIGNING, body), (204, String::new()));
    }
    let unknown = reference.replace(&reference[reference.len() - 4..], "0000");
    let nobody = format!(r#"{{"ref":"{unknown}","status":"delivered"}}"#);
    assert_eq!(by_gateway(server.address, SIGNING, &nobody).0, 204);
    assert_eq!(by_gateway(server.address, SIGNING, "{").0, 400);
    assert_eq!(by_gateway(server.address, SIGNING, &"x".repeat(20_000)).0, 413);
    assert_eq!(server.call("GET", "/countersign/callbacks/gw", "", "").0, 405);
    let whole = timeline(&first);
    assert_eq!((&whole["deliveries"][0]["state"], &whole["state"]), (&"delivered".into(), &"open".into()));
    let said = texts(&whole);
    assert!(said[1].starts_with("gw accepted the message in "), "{said:?}");
    assert!(
        said[2].starts_with("delivered after ") && said[3].starts_with("handed to the carrier"),
        "{said:?}"
    );

    // A resend goes to the other one, who says with a signature over the URL why it did not arrive.
    let second = open();
    let (path_there, form) = twilio.sent();
    assert!(path_there.contains("/accounts/ac1/messages.json"), "{path_there}");
    let url = field(&form, "StatusCallback");
    let fields = [("MessageSid", "SM1"), ("MessageStatus", "undelivered"), ("ErrorCode", "30003")];
    assert_eq!(by_twilio(server.address, SIGNING, &url, &fields), refused);
    assert_eq!(by_twilio(server.address, SECRET, &url, &fields), (204, String::new()));
    let whole = timeline(&second);
    let delivery = &whole["deliveries"][0];
    assert_eq!((&delivery["state"], &delivery["provider"]), (&"undelivered".into(), &"tw".into()));
    assert!(texts(&whole)[2].ends_with(": the phone is off or not reachable (30003)"), "{whole}");

    // Before the gateway's own answer, and by its own id alone: it is waited for.
    let early = Arc::new(Mutex::new(None));
    let (to, kept) = (server.address, Arc::clone(&early));
    *gateway.before.lock().unwrap() = Some(Box::new(move || {
        let call = std::thread::spawn(move || by_gateway(to, SIGNING, r#"{"id":"m2","status":"delivered"}"#));
        *kept.lock().unwrap() = Some(call);
        std::thread::sleep(Duration::from_millis(300));
    }));
    let third = open();
    let text = gateway.sent().1;
    let call = early.lock().unwrap().take().unwrap();
    assert_eq!(call.join().unwrap(), (204, String::new()));
    assert_eq!(timeline(&third)["deliveries"][0]["state"], "delivered");

    // The code that arrived verifies, and the command line tells the same.
    let code = code_in(serde_json::from_str::<Value>(&text).unwrap()["text"].as_str().unwrap());
    let verify = format!("/auth/challenges/{third}/verify");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for (code, valid) in [(wrong, false), (code.as_str(), true)] {
        let (_, answer) = server.call("POST", &verify, &key, &format!(r#"{{"code":"{code}"}}"#));
        assert_eq!(answer["valid"], valid);
    }
    let (status, json, error) = told(&["challenge", "show", &third, "--json"]);
    assert_eq!(status, 0, "{error}");
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), timeline(&third));
    let (_, page, _) = told(&["challenge", "show", &third]);
    for part in ["verified", "gw", "delivered after", "wrong code", "right code"] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    let (status, _, error) = told(&["challenge", "show", "auth_challenge_01M8E82GGRN8R2S6W9Z1D3F7H0"]);
    assert!(status == 1 && error.contains("no such challenge"), "{status} {error}");
    for shown in [&json, &page, &server.said()] {
        for secret in [code.as_str(), "4155550101", SECRET, SIGNING] {
            assert!(!shown.contains(secret), "{secret} is in\n{shown}");
        }
    }

    server.address = metrics;
    let (_, page) = server.call_for_text("GET", "/metrics", "", "");
    for part in [
        r#"receipts_total{provider="gw",outcome="refused"} 2"#,
        r#"receipts_total{provider="",outcome="refused"} 1"#,
        r#"receipts_total{provider="gw",outcome="delivered"} 2"#,
        r#"receipts_total{provider="gw",outcome="sent"} 1"#,
        r#"receipts_total{provider="gw",outcome="repeated"} 2"#,
        r#"receipts_total{provider="gw",outcome="unknown"} 1"#,
        r#"receipts_total{provider="gw",outcome="unreadable"} 1"#,
        r#"receipts_total{provider="tw",outcome="undelivered"} 1"#,
        r#"delivered_seconds_count{provider="gw"} 2"#,
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
}

#[test]
fn what_is_missing_for_receipts_is_named_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let url = "public_url = 'https://auth.example.com'\n";
    let vonage = "[[providers]]\nname = 'vo'\nkind = 'vonage'\nkey = 'k'\nfrom = 'Us'\nsecret_env = 'PATH'\n";
    let http =
        "[[providers]]\nname = 'gw'\nkind = 'http'\nurl = 'https://h/{{to}}?t={{text}}&c={{callback_url}}'\n";
    let receipt = "receipt = { header = 'x', status = '/s', delivered = ['ok'], id = '/i' }\n";
    for (text, named) in [
        (format!("{vonage}callback_secret_env = 'PATH'"), "public_url"),
        ("public_url = 'http://auth.example.com'".into(), "https://"),
        ("public_url = 'auth'".into(), "public_url"),
        (format!("{url}{vonage}callback_secret_env = 'NOT_SET_ANYWHERE'"), "`callback_secret_env`"),
        (format!("{url}{vonage}callback_secret_env = 'A'\ncallback_secret_file = 'B'"), "one is enough"),
        (format!("{url}{vonage}{receipt}"), "`receipt` is no key of kind vonage"),
        (format!("{url}{http}callback_secret_env = 'PATH'"), "`receipt` is missing"),
        (format!("{url}{http}{receipt}"), "beside `receipt`"),
        (format!("{url}{http}"), "{{callback_url}}"),
        (
            format!("{url}{http}callback_secret_env = 'PATH'\n{}", receipt.replace(", id = '/i'", "")),
            "`reference` and `id`",
        ),
    ] {
        let config = configured(folder.path(), &text, 0o600);
        let (code, _, error) = ended(countersign(&["check-config", "--config"]).arg(&config));
        assert_eq!(code, 2, "{text}: {error}");
        assert!(error.contains(named), "{named:?} is not in {error}");
        std::fs::remove_file(folder.path().join("master.key")).unwrap();
    }
}
