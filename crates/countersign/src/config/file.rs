//! The file as it is written. Unknown keys are errors.

use crate::logs::Format;
use serde::Deserialize;
use std::{net::SocketAddr, path::PathBuf};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileConfig {
    pub(super) listen: Option<SocketAddr>,
    pub(super) data: Option<PathBuf>,
    pub(super) master_key_file: Option<PathBuf>,
    pub(super) metrics_listen: Option<SocketAddr>,
    #[serde(default)]
    pub(super) tls: TlsTable,
    #[serde(default)]
    pub(super) log: LogTable,
    #[serde(default)]
    pub(super) limits: LimitsTable,
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
            _ => limit.to_owned(),
        }
    }
}
