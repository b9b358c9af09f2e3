//! One function a thing that strangers send: it reads `data` as that thing, and panics if a property does not hold.
//!
//! They run under libFuzzer (`fuzz_targets/`), and on a stable compiler over a corpus and its mutations (`bin/replay.rs`).
#![forbid(unsafe_code)]

mod http;
mod operator;
mod secret;
mod values;

pub use http::{body, head, path, query};
pub use operator::config;
pub use secret::{api_key, sealed, totp_secret};
pub use values::{id, phone, text};

/// A target: its name, the function, and words worth trying for it.
pub struct Target {
    /// The name of its seeds' folder.
    pub name: &'static str,
    /// Reads, and panics if a property does not hold.
    pub run: fn(&[u8]),
    /// Pieces that a mutation puts in.
    pub words: &'static [&'static [u8]],
}

/// All of them.
pub const TARGETS: [Target; 11] = [
    Target { name: "body", run: body, words: http::BODY_WORDS },
    Target { name: "query", run: query, words: http::QUERY_WORDS },
    Target { name: "path", run: path, words: http::PATH_WORDS },
    Target { name: "head", run: head, words: http::HEAD_WORDS },
    Target { name: "totp_secret", run: totp_secret, words: secret::TOTP_WORDS },
    Target { name: "phone", run: phone, words: values::PHONE_WORDS },
    Target { name: "api_key", run: api_key, words: secret::KEY_WORDS },
    Target { name: "id", run: id, words: values::ID_WORDS },
    Target { name: "sealed", run: sealed, words: secret::SEALED_WORDS },
    Target { name: "text", run: text, words: values::TEXT_WORDS },
    Target { name: "config", run: config, words: operator::CONFIG_WORDS },
];

/// What text a stranger's bytes are; what is not UTF-8 does not get as far as the readers of text.
fn utf8(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
