//! What an operator writes.

use crate::utf8;

pub(crate) const CONFIG_WORDS: &[&[u8]] = &[
    b"data = '/d'\n",
    b"listen = ",
    b"'127.0.0.1:1'",
    b"[tls]\n",
    b"[log]\n",
    b"[limits]\n",
    b"[traces]\n",
    b"endpoint = ",
    b"'http://[::1]:1'",
    b"sample_ratio = ",
    b"nan",
    b"-inf",
    b"1e400",
    b"connections = 0\n",
    b"drain_seconds = 4294967295\n",
    b"\0COUNTERSIGN_LISTEN=",
    b"\0COUNTERSIGN_LIMITS_HEADERS=",
    b"\0OTEL_EXPORTER_OTLP_ENDPOINT=http://a",
    b"\"\"\"",
    b"#",
    b"\n",
];

/// A configuration is read, or refused in words that name no more than it said. After the first NUL come variables.
pub fn config(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    let mut parts = text.split('\0');
    let file = parts.next().unwrap_or_default();
    let variables: Vec<(String, String)> = parts
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    match countersign_fuzzing::read_config(file, &variables) {
        Ok(explained) => {
            assert!(explained.starts_with("listen"));
            assert!(
                file.contains("data") || text.contains("COUNTERSIGN_DATA"),
                "nothing says where the data is"
            );
        }
        Err(said) => {
            assert!(
                !said.is_empty() && said.len() <= 8 * text.len() + 2_000,
                "{} bytes of complaint",
                said.len()
            );
        }
    }
}
