//! Traces by OTLP, from the real binary to a collector that reads them.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "common/collector.rs"]
mod collector;
mod common;

use collector::{Collector, spans_of, told};
use common::{Server, code_now, configured, countersign, ended};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rustix::process::Signal;
use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    time::{Duration, Instant},
};

const PARENT: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
                      tracestate: vendor=state\r\n";

/// A server whose traces go somewhere, and a key for it.
fn traced(folder: &Path, to: SocketAddr, more: &str) -> (Server, String) {
    let config = configured(folder, &format!("{more}\n[traces]\nendpoint = 'http://{to}'\n"), 0o600);
    let ask = |args: &[&str]| {
        let (code, out, error) = ended(countersign(args).arg("--json").arg("--config").arg(&config));
        assert_eq!(code, 0, "{error}");
        serde_json::from_str::<serde_json::Value>(&out).unwrap()
    };
    ask(&["environment", "create", "shop", "--live"]);
    let key = ask(&["api-key", "create"])["key"].as_str().unwrap().to_owned();
    let mut serve = countersign(&["serve", "--config"]);
    // Half a second for a batch, so that no test waits the usual ten.
    (Server::serve_with(serve.arg(&config).env("OTEL_EXPORTER_OTLP_TIMEOUT", "500")), key)
}

/// A port that nobody listens on.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_request_goes_on_with_the_callers_trace_and_tells_its_verdict_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let (server, key) = traced(folder.path(), collector.address, "");
    let (factor, secret) = server.enroll(&key);
    let challenge = server.challenge(&key, &factor);
    let code = code_now(&secret);
    let path = format!("/auth/challenges/{challenge}/verify?of=query");
    let body = format!(r#"{{"code":"{code}"}}"#);
    assert_eq!(server.call_with("POST", &path, &key, PARENT, &body).0, 201);

    let mut spans = Vec::new();
    while spans.len() < 6 {
        let posted = collector.post();
        assert!(posted.head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{}", posted.head);
        assert!(posted.head.contains("content-type: application/x-protobuf"), "{}", posted.head);
        let resource = posted.request.resource_spans[0].resource.clone().unwrap();
        assert_eq!(told(&resource.attributes, "service.name").unwrap(), "countersign");
        for hidden in [&key, &secret, &code, "query", "Bearer", &key[8..]] {
            let found = posted.bytes.windows(hidden.len()).any(|part| part == hidden.as_bytes());
            assert!(!found, "{hidden} is in what was sent");
        }
        spans.extend(spans_of(&posted.request));
    }
    let verify = spans.iter().find(|span| span.name == "POST /auth/challenges/{id}/verify").unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&verify.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex(&verify.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(verify.trace_state, "vendor=state");
    assert_eq!(verify.kind, i32::from(SpanKind::Server));
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/auth/challenges/{id}/verify"),
        ("http.response.status_code", "201"),
        ("countersign.verdict", "valid"),
        ("countersign.factor", &factor),
        ("countersign.challenge", &challenge),
        ("countersign.locked", "false"),
    ] {
        assert_eq!(told(&verify.attributes, name).as_deref(), Some(value), "{name}");
    }
    let line = server.line(|line| line.contains("/verify"));
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    for (name, logged) in [("request_id", "request_id"), ("key", "key"), ("environment", "environment")] {
        let value = told(&verify.attributes, &format!("countersign.{name}")).unwrap();
        assert_eq!(line[logged], value, "the log and the trace name the same {name}");
    }

    let step = spans.iter().find(|span| span.parent_span_id == verify.span_id).unwrap();
    assert_eq!((step.name.as_str(), &step.trace_id), ("store step", &verify.trace_id));
    assert!(verify.start_time_unix_nano <= step.start_time_unix_nano);
    assert!(step.end_time_unix_nano <= verify.end_time_unix_nano);
    let took = (step.end_time_unix_nano - step.start_time_unix_nano) / 1_000;
    let micros = |name: &str| told(&step.attributes, name).unwrap().parse::<u64>().unwrap();
    let parts = micros("countersign.queue_us") + micros("countersign.commit_us");
    assert!(micros("countersign.commit_us") > 0 && parts.abs_diff(took) <= 2, "{parts} of {took} µs");

    let enroll = spans.iter().find(|span| span.name == "POST /auth/factors/enroll").unwrap();
    assert!(enroll.parent_span_id.is_empty() && enroll.trace_id != verify.trace_id);
}

#[test]
fn strangers_decide_nothing_and_a_ratio_of_0_leaves_it_to_callers() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let (mut server, key) = traced(folder.path(), collector.address, "");
    server.call_with("POST", "/auth/factors/enroll", "sk_live_x", PARENT, "{}");
    let refused = collector.spans(1).remove(0);
    assert_eq!(told(&refused.attributes, "http.response.status_code").unwrap(), "401");
    assert!(refused.parent_span_id.is_empty() && refused.trace_state.is_empty());
    server.signal(Signal::TERM);
    assert_eq!(server.end(), Some(0));

    let config = folder.path().join("countersign.toml");
    let mut command = countersign(&["serve", "--config"]);
    let server = Server::serve_with(command.arg(&config).env("COUNTERSIGN_TRACES_SAMPLE_RATIO", "0"));
    server.call("GET", "/auth/factors/x", &key, "");
    server.call_with("GET", "/auth/factors/x", "sk_live_x", PARENT, "");
    server.call_with("GET", "/auth/factors/x", &key, PARENT, "");
    let spans = collector.spans(1);
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].trace_state, "vendor=state");
}

#[test]
fn a_stop_sends_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let (mut server, key) = traced(folder.path(), collector.address, "");
    for _ in 0..3 {
        server.call_with("GET", "/auth/factors/x", &key, PARENT, "");
    }
    let before = collector.rest().len();
    server.signal(Signal::TERM);
    assert_eq!(server.end(), Some(0));
    assert_eq!(before + collector.spans(3 - before).len(), 3);
}

#[test]
fn a_collector_that_is_away_or_asleep_holds_up_nobody_and_what_is_lost_is_counted() {
    let asleep = TcpListener::bind("127.0.0.1:0").unwrap();
    for collector in [nowhere(), asleep.local_addr().unwrap()] {
        let folder = tempfile::tempdir().unwrap();
        let metrics = nowhere();
        let (mut server, key) = traced(folder.path(), collector, &format!("metrics_listen = '{metrics}'"));
        let mut slowest = Duration::ZERO;
        let address = server.address;
        for _ in 0..100 {
            let began = Instant::now();
            assert_eq!(server.call("GET", "/auth/factors/x", &key, "").0, 404);
            slowest = slowest.max(began.elapsed());
        }
        assert!(slowest < Duration::from_secs(2), "{slowest:?}");
        let began = Instant::now();
        loop {
            server.address = metrics;
            let page = server.call_for_text("GET", "/metrics", "", "").1;
            server.address = address;
            let read = |name: &str| {
                let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap();
                line.trim().parse::<u64>().unwrap()
            };
            assert_eq!(read("countersign_spans_sent_total "), 0);
            if read("countersign_spans_dropped_total ") > 0 {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "nothing is counted\n{page}");
            server.call("GET", "/auth/factors/x", &key, "");
        }
        let began = Instant::now();
        server.signal(Signal::TERM);
        assert_eq!(server.end(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(5), "a stop does not wait for it");
    }
}
