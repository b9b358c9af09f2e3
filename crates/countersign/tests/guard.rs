//! The guard on the money in the real binary: a block that is pumped is stopped, people are not, and commands say why.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::{Server, configured, countersign, ended};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
};

/// A gateway that takes every text. Its thread ends with the process.
fn gateway() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let texts = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&texts);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                let lower = line.to_ascii_lowercase();
                length = lower.strip_prefix("content-length: ").map_or(length, |n| n.trim().parse().unwrap());
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            kept.lock().unwrap().push(String::from_utf8(body).unwrap());
            stream
                .write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .unwrap();
        }
    });
    (address, texts)
}

const GUARD: &str = "
[guard]
keep_days = 7
[guard.prices]
currency = 'USD'
default = '0.05'
'+1' = '0.0079'
[guard.caps]
environment = '100'
[guard.unverified]
mode = 'enforce'
texts = 5
[[guard.test_numbers]]
environment = 'shop'
number = '+14155550100'
code = '000000'
until = '2999-01-01T00:00:00Z'
";

#[test]
fn a_pumped_block_is_stopped_people_are_not_and_the_rehearsal_says_what_other_rules_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let (address, texts) = gateway();
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let more = format!(
        "metrics_listen = '{metrics}'\n[[providers]]\nname = 'gw'\nkind = 'http'\nurl = 'http://{address}/'\n\
         body = '{{{{to}}}} {{{{text}}}}'\nheaders = {{ content-type = 'text/plain' }}\n{GUARD}"
    );
    let config = configured(folder.path(), &more, 0o600);
    let at = ["--config", config.to_str().unwrap()];
    let told = |args: &[&str]| {
        let (code, out, error) = ended(countersign(args).args(at));
        assert_eq!(code, 0, "{args:?}: {error}");
        out
    };
    let json =
        |args: &[&str]| -> Value { serde_json::from_str(&told(&[args, &["--json"]].concat())).unwrap() };
    let said = told(&["check-config"]);
    assert!(
        said.contains("caps.environment 100.00 USD (record)") && said.contains("unverified from 5 texts"),
        "{said}"
    );
    told(&["environment", "create", "shop"]);
    let mut server = Server::serve(&config);
    let key = json(&["api-key", "create"])["key"].as_str().unwrap().to_owned();

    let challenge = |number: &str, body: &str| {
        let enroll = format!(r#"{{"type":"sms","phone_number":"{number}"}}"#);
        let (status, factor) = server.call("POST", "/auth/factors/enroll", &key, &enroll);
        assert_eq!(status, 201, "{factor}");
        server.call(
            "POST",
            &format!("/auth/factors/{}/challenge", factor["id"].as_str().unwrap()),
            &key,
            body,
        )
    };
    let verify = |challenge: &Value, code: &str| {
        let path = format!("/auth/challenges/{}/verify", challenge["id"].as_str().unwrap());
        server.call("POST", &path, &key, &format!(r#"{{"code":"{code}"}}"#)).1["valid"].clone()
    };
    // People: each in a block of their own, each with an address or what is none.
    for (n, address) in [r#""198.51.100.7""#, r#""nobody""#, "17"].into_iter().enumerate() {
        let (status, opened) =
            challenge(&format!("+1212555{n}001"), &format!(r#"{{"ip_address":{address}}}"#));
        assert_eq!(status, 201, "{opened}");
        let text = texts.lock().unwrap().last().unwrap().clone();
        let code = text.split(|c: char| !c.is_ascii_digit()).rfind(|word| word.len() == 6).unwrap();
        assert_eq!(verify(&opened, code), true);
    }
    // Somebody pumps a block.
    for n in 0..8 {
        let (status, answer) = challenge(&format!("+1416555{}{n:03}", 9), "{}");
        assert_eq!(status, if n < 5 { 201 } else { 429 }, "text {n}: {answer}");
        if n >= 5 {
            let mut names: Vec<_> = answer.as_object().unwrap().keys().collect();
            names.sort();
            assert_eq!(names, ["code", "message", "retry_after"], "the rule is nobody's business");
            assert_eq!(answer["code"], "sms_challenge_rate_limited");
        }
    }
    // A number for tests.
    let (status, opened) = challenge("+14155550100", "{}");
    assert_eq!((status, verify(&opened, "000000")), (201, true.into()));
    assert_eq!(texts.lock().unwrap().len(), 8);

    let status = json(&["guard", "status"]);
    let (today, day) = (&status["today"], &status["last_24h"]);
    assert_eq!((&today["spent"], &today["cap"]), (&"0.0632".into(), &"100.00".into()));
    assert_eq!((&day["texts"], &day["verified"], &day["not_counted"]), (&8.into(), &3.into(), &0.into()));
    assert_eq!(day["areas"][0]["begins"], "+141655");
    let shown = told(&["guard", "status"]);
    assert!(shown.contains("0.0632 of 100.00 USD") && shown.contains("8 texts, 3 verified"), "{shown}");
    let refused = json(&["events", "list", "--event", "guard.refused"]);
    assert_eq!(refused.as_array().unwrap().len(), 3);
    assert_eq!(refused[0]["detail"], serde_json::json!({ "rule": "unverified", "country": "CA" }));
    let tests = json(&["events", "list"]).to_string().matches("test_number\":\"yes").count();
    assert_eq!(tests, 3, "enrolled, used, verified");

    let rules = folder.path().join("rules.toml");
    let rehearse = |text: &str| {
        std::fs::write(&rules, text).unwrap();
        json(&["guard", "rehearse", "--since", "1h", "--rules", rules.to_str().unwrap()])
    };
    let strict = rehearse("[guard]\n[guard.countries]\ndenied = ['CA', 'US']");
    for (name, value) in [
        ("messages", 8),
        ("refused", 8),
        ("refused_and_verified", 3),
        ("people_who_verified", 3),
        ("people_hit", 3),
    ] {
        assert_eq!(strict[name], value, "{name} of {strict}");
    }
    let unverified = rehearse("[guard]\n[guard.unverified]\ntexts = 2");
    assert_eq!((&unverified["refused"], &unverified["people_hit"]), (&3.into(), &0.into()), "{unverified}");
    assert_eq!((&unverified["saved"], &unverified["cost"]), (&"0.0237".into(), &"0.0632".into()));
    std::fs::write(&rules, "[guard]\nmood = 'x'").unwrap();
    let wrong = ["guard", "rehearse", "--rules", rules.to_str().unwrap()];
    let (code, _, error) = ended(countersign(&wrong).args(at));
    assert!(code == 2 && error.contains("mood"), "{error}");

    assert!(!server.said().contains("416555"), "no number in the log");
    let served = server.address;
    server.address = metrics;
    let (_, page) = server.call_for_text("GET", "/metrics", "", "");
    let hits =
        |mode: &str, count: u32| format!(r#"guard_hits_total{{rule="unverified",mode="{mode}"}} {count}"#);
    assert!(page.contains(&hits("enforce", 3)) && page.contains(&hits("record", 0)), "{page}");
    server.address = served;
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.end(), Some(0));
    assert_eq!(json(&["guard", "status"]), status, "without a server, too");
}
