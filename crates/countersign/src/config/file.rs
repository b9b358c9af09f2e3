//! The file as it is written. Unknown keys are errors.

pub(super) use super::guard::GuardTable;
use crate::{logs::Format, providers::Kind};
use serde::Deserialize;
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileConfig {
    pub(super) listen: Option<SocketAddr>,
    pub(super) data: Option<PathBuf>,
    pub(super) database: Option<String>,
    pub(super) master_key_file: Option<PathBuf>,
    pub(super) metrics_listen: Option<SocketAddr>,
    pub(super) public_url: Option<String>,
    #[serde(default)]
    pub(super) tls: TlsTable,
    #[serde(default)]
    pub(super) log: LogTable,
    #[serde(default)]
    pub(super) traces: TracesTable,
    #[serde(default)]
    pub(super) limits: LimitsTable,
    #[serde(default)]
    pub(super) providers: Vec<ProviderTable>,
    #[serde(default)]
    pub(super) routing: RoutingTable,
    pub(super) guard: Option<GuardTable>,
}

/// `[[providers]]`: the keys of all kinds; which of them a kind has is checked afterwards.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderTable {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) secret_file: Option<PathBuf>,
    pub(super) secret_env: Option<String>,
    pub(super) concurrency: Option<usize>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) endpoint: Option<String>,
    pub(super) account: Option<String>,
    pub(super) key: Option<String>,
    pub(super) from: Option<String>,
    pub(super) messaging_service: Option<String>,
    pub(super) method: Option<String>,
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<String>,
    pub(super) answer: Option<AnswerTable>,
    pub(super) message_id: Option<String>,
    pub(super) callback_secret_file: Option<PathBuf>,
    pub(super) callback_secret_env: Option<String>,
    pub(super) receipt: Option<ReceiptTable>,
}

/// `answer` of a provider of kind `http`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerTable {
    pub(super) pointer: String,
    pub(super) accepted: Vec<String>,
    #[serde(default)]
    pub(super) not_sent: Vec<String>,
    #[serde(default)]
    pub(super) rejected_number: Vec<String>,
}

/// `receipt` of a provider of kind `http`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceiptTable {
    pub(super) header: String,
    #[serde(default)]
    pub(super) prefix: String,
    pub(super) coding: Option<CodingWord>,
    pub(super) reference: Option<String>,
    pub(super) id: Option<String>,
    pub(super) status: String,
    #[serde(default)]
    pub(super) accepted: Vec<String>,
    #[serde(default)]
    pub(super) sent: Vec<String>,
    #[serde(default)]
    pub(super) delivered: Vec<String>,
    #[serde(default)]
    pub(super) undelivered: Vec<String>,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CodingWord {
    Hex,
    Base64,
}

/// `[routing]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoutingTable {
    pub(super) aside_after: Option<u32>,
    pub(super) aside_seconds: Option<u64>,
    pub(super) retry_seconds: Option<u64>,
    /// By prefix, or `default`.
    #[serde(default)]
    pub(super) sms: BTreeMap<String, Vec<String>>,
}

/// `[tls]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsTable {
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogTable {
    pub(super) format: Option<Format>,
    pub(super) level: Option<String>,
}

/// `[traces]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TracesTable {
    pub(super) endpoint: Option<String>,
    pub(super) sample_ratio: Option<f64>,
    /// From a variable only.
    #[serde(skip)]
    pub(super) collector: Option<String>,
    /// From a variable only.
    #[serde(skip)]
    pub(super) collector_of_traces: Option<String>,
}

/// `[limits]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsTable {
    pub(super) connections: Option<usize>,
    pub(super) tls_handshake_seconds: Option<u32>,
    pub(super) first_byte_seconds: Option<u32>,
    pub(super) head_seconds: Option<u32>,
    pub(super) idle_seconds: Option<u32>,
    pub(super) request_seconds: Option<u32>,
    pub(super) write_stall_seconds: Option<u32>,
    pub(super) drain_seconds: Option<u32>,
    pub(super) requests: Option<usize>,
    pub(super) requests_wait_ms: Option<u32>,
    pub(super) head_bytes: Option<usize>,
    pub(super) headers: Option<usize>,
}

impl LimitsTable {
    /// The key here of a bound there.
    pub(super) fn key_of(limit: &str) -> String {
        match limit {
            "tls_handshake" | "first_byte" | "head" | "idle" | "request" | "write_stall" | "drain" => {
                format!("{limit}_seconds")
            }
            "requests_wait" => "requests_wait_ms".into(),
            _ => limit.to_owned(),
        }
    }
}
