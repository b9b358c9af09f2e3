//! `COUNTERSIGN_…`: each key of the file as a variable, in capitals, with `_` for the dot; and what OpenTelemetry calls
//! the address of a collector.

use super::{
    file::FileConfig,
    traces::{COLLECTOR, COLLECTOR_OF_TRACES},
};
use crate::masters::{KEY_FILE_VARIABLE, KEY_VARIABLE};
use std::str::FromStr;

/// How ours begin.
const PREFIX: &str = "COUNTERSIGN_";

/// Whether a variable is read here: ours, and two of OpenTelemetry's.
pub(super) fn is_read(name: &str) -> bool {
    name.starts_with(PREFIX) || [COLLECTOR, COLLECTOR_OF_TRACES].contains(&name)
}

/// The variable of a key.
pub(super) fn name_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "_"))
}

fn read<T: FromStr>(to: &mut Option<T>, value: &str, wanted: &str) -> Result<bool, String> {
    *to = Some(value.parse().map_err(|_| format!("must be {wanted}"))?);
    Ok(true)
}

/// Puts a variable's value in the place of the file's. `false` if it is no variable of ours.
///
/// # Errors
/// What it must be.
pub(super) fn overlay(file: &mut FileConfig, name: &str, value: &str) -> Result<bool, String> {
    const ADDRESS: &str = "an address and port such as 127.0.0.1:4100";
    const SECONDS: &str = "a whole number of seconds";
    const MILLISECONDS: &str = "a whole number of milliseconds";
    const NUMBER: &str = "a whole number";
    const PATH: &str = "a path";
    const URL: &str = "a URL";
    let FileConfig { tls, log, traces, limits, .. } = file;
    match name {
        // Read where keys are read.
        KEY_FILE_VARIABLE | KEY_VARIABLE => Ok(true),
        "COUNTERSIGN_LISTEN" => read(&mut file.listen, value, ADDRESS),
        "COUNTERSIGN_DATA" => read(&mut file.data, value, PATH),
        "COUNTERSIGN_DATABASE" => read(&mut file.database, value, "a URL"),
        "COUNTERSIGN_PUBLIC_URL" => read(&mut file.public_url, value, URL),
        "COUNTERSIGN_METRICS_LISTEN" => read(&mut file.metrics_listen, value, ADDRESS),
        "COUNTERSIGN_TLS_CERTIFICATE" => read(&mut tls.certificate, value, PATH),
        "COUNTERSIGN_TLS_KEY" => read(&mut tls.key, value, PATH),
        "COUNTERSIGN_LOG_FORMAT" => read(&mut log.format, value, "json or text"),
        "COUNTERSIGN_LOG_LEVEL" => read(&mut log.level, value, "a level"),
        "COUNTERSIGN_TRACES_ENDPOINT" => read(&mut traces.endpoint, value, URL),
        "COUNTERSIGN_TRACES_SAMPLE_RATIO" => read(&mut traces.sample_ratio, value, "a number from 0 to 1"),
        COLLECTOR => read(&mut traces.collector, value, URL),
        COLLECTOR_OF_TRACES => read(&mut traces.collector_of_traces, value, URL),
        "COUNTERSIGN_LIMITS_CONNECTIONS" => read(&mut limits.connections, value, NUMBER),
        "COUNTERSIGN_LIMITS_TLS_HANDSHAKE_SECONDS" => read(&mut limits.tls_handshake_seconds, value, SECONDS),
        "COUNTERSIGN_LIMITS_FIRST_BYTE_SECONDS" => read(&mut limits.first_byte_seconds, value, SECONDS),
        "COUNTERSIGN_LIMITS_HEAD_SECONDS" => read(&mut limits.head_seconds, value, SECONDS),
        "COUNTERSIGN_LIMITS_IDLE_SECONDS" => read(&mut limits.idle_seconds, value, SECONDS),
        "COUNTERSIGN_LIMITS_REQUEST_SECONDS" => read(&mut limits.request_seconds, value, SECONDS),
        "COUNTERSIGN_LIMITS_WRITE_STALL_SECONDS" => read(&mut limits.write_stall_seconds, value, SECONDS),
        "COUNTERSIGN_LIMITS_DRAIN_SECONDS" => read(&mut limits.drain_seconds, value, SECONDS),
        "COUNTERSIGN_LIMITS_REQUESTS" => read(&mut limits.requests, value, NUMBER),
        "COUNTERSIGN_LIMITS_REQUESTS_WAIT_MS" => read(&mut limits.requests_wait_ms, value, MILLISECONDS),
        "COUNTERSIGN_LIMITS_HEAD_BYTES" => read(&mut limits.head_bytes, value, NUMBER),
        "COUNTERSIGN_LIMITS_HEADERS" => read(&mut limits.headers, value, NUMBER),
        _ => Ok(false),
    }
}
