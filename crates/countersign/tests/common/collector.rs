//! A collector of traces: takes what is posted to it, and reads it with OpenTelemetry's own definitions.

#![allow(dead_code, unreachable_pub, reason = "each suite uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper of tests")]

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message as _;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

/// One post.
pub struct Posted {
    pub head: String,
    pub bytes: Vec<u8>,
    pub request: ExportTraceServiceRequest,
}

pub struct Collector {
    pub address: SocketAddr,
    posts: Receiver<Posted>,
}

impl Collector {
    /// Listens on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, posts) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let tell = tell.clone();
                std::thread::spawn(move || drop(take(&stream, &tell)));
            }
        });
        Self { address, posts }
    }

    /// The next post.
    pub fn post(&self) -> Posted {
        self.posts.recv_timeout(Duration::from_secs(20)).expect("spans arrive")
    }

    /// Spans, until there are so many.
    pub fn spans(&self, count: usize) -> Vec<Span> {
        let mut spans = Vec::new();
        while spans.len() < count {
            spans.extend(spans_of(&self.post().request));
        }
        spans
    }

    /// Spans that have come by now.
    pub fn rest(&self) -> Vec<Span> {
        self.posts.try_iter().flat_map(|posted| spans_of(&posted.request)).collect()
    }
}

fn take(mut stream: &TcpStream, tell: &Sender<Posted>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
            head.push_str(&line);
        }
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes)?;
        let request = ExportTraceServiceRequest::decode(bytes.as_slice()).expect("it is what OTLP says");
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n",
        )?;
        drop(tell.send(Posted { head, bytes, request }));
    }
}

pub fn spans_of(request: &ExportTraceServiceRequest) -> Vec<Span> {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.flat_map(|scope| scope.spans.clone()).collect()
}

/// An attribute as text.
pub fn told(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|told| told.key == key)?.value.clone()?.value?;
    Some(match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(truth) => truth.to_string(),
        other => panic!("{other:?}"),
    })
}
