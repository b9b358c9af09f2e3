//! What dev mode shows whoever starts it.

use crate::output::{bold, dim};
use std::net::{IpAddr, SocketAddr};

/// How to reach the server.
#[derive(Clone)]
pub(crate) struct Welcome {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The key it prints.
    pub(crate) api_key: String,
    /// For SDKs that insist on one.
    pub(crate) client_id: String,
}

impl Welcome {
    /// The host to write into a URL: a listener on every address is reached at the loopback one.
    fn host(&self) -> String {
        match self.address.ip() {
            ip if ip.is_unspecified() => "127.0.0.1".into(),
            IpAddr::V6(ip) => format!("[{ip}]"),
            IpAddr::V4(ip) => ip.to_string(),
        }
    }

    /// The base URL.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}:{}", self.host(), self.address.port())
    }

    /// Lines to paste: what they need, and the line.
    pub(crate) fn lines(&self) -> [(&'static str, String); 3] {
        let Self { api_key: key, client_id, address } = self;
        let (url, host, port) = (self.base_url(), self.host(), address.port());
        let (key_arg, id_arg) = (shell_word(key), shell_word(client_id));
        [
            (
                "curl",
                format!(
                    "curl {url}/auth/factors/enroll -H {} -H 'content-type: application/json' \
                     -d '{{\"type\":\"totp\",\"totp_issuer\":\"Acme\",\"totp_user\":\"ada@example.com\"}}'",
                    shell_word(&format!("authorization: Bearer {key}"))
                ),
            ),
            (
                "Node: npm install @workos-inc/node",
                format!(
                    "WORKOS_API_KEY={key_arg} node --input-type=module -e \
                     'import {{ WorkOS }} from \"@workos-inc/node\"; \
                     const workos = new WorkOS(process.env.WORKOS_API_KEY, \
                     {{ apiHostname: \"{host}\", port: {port}, https: false }}); \
                     console.log(await (workos.multiFactorAuth ?? workos.mfa)\
                     .enrollFactor({{ type: \"totp\", issuer: \"Acme\", user: \"ada@example.com\" }}))'"
                ),
            ),
            (
                "Python: pip install workos",
                format!(
                    "WORKOS_API_KEY={key_arg} WORKOS_CLIENT_ID={id_arg} WORKOS_BASE_URL={url} python3 -c \
                     'import workos; client = workos.WorkOSClient(); \
                     mfa = getattr(client, \"multi_factor_auth\", None) or client.mfa; \
                     print(mfa.enroll_factor(type=\"totp\", totp_issuer=\"Acme\", totp_user=\"ada@example.com\"))'"
                ),
            ),
        ]
    }

    /// All of it, for a terminal.
    pub(crate) fn text(&self, folder: &str) -> String {
        let mut out = format!(
            "\n  {}  is ready for tests.\n\n  Base URL   {}\n  API key    {}  {}\n  Client id  {}\n  Data       {}\n",
            bold("Countersign"),
            bold(&self.base_url()),
            bold(&self.api_key),
            dim("(sk_test_default works too)"),
            self.client_id,
            folder,
        );
        for (what, line) in self.lines() {
            out.push_str(&format!("\n  {}\n{line}\n", dim(what)));
        }
        out.push_str(&format!(
            "\n  {}\n",
            dim("Messages are not sent: read them at /countersign/dev/messages. Stop with Ctrl-C.")
        ));
        out
    }
}

/// A word for a POSIX shell, quoted if it must be.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_say_an_address_that_can_be_called() {
        for (listen, url) in [
            ("127.0.0.1:4100", "http://127.0.0.1:4100"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::1]:4100", "http://[::1]:4100"),
            ("[::]:4100", "http://127.0.0.1:4100"),
        ] {
            let (api_key, client_id) = ("sk_test_a".into(), "client_b".into());
            let welcome = Welcome { address: listen.parse().unwrap(), api_key, client_id };
            assert_eq!(welcome.base_url(), url);
            assert!(welcome.lines().iter().all(|(_, line)| line.contains("sk_test_a")));
        }
    }

    #[test]
    fn a_key_of_any_characters_survives_a_shell() {
        assert_eq!(shell_word("sk_test_a-b.c"), "sk_test_a-b.c");
        assert_eq!(shell_word("sk_test_$(x)"), "'sk_test_$(x)'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }
}
