//! The calls of a verification, and their answers by the short names of the invariants.
use crate::http::{Conn, Request, Response};
use serde::{Deserialize, Serialize};
use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};

/// Where the server is and how it is asked.
pub struct Api {
    /// A loopback address.
    pub addr: SocketAddr,
    /// The API key.
    pub key: String,
    /// What begins each fresh `Idempotency-Key`; `None` sends none.
    idempotency: Option<String>,
    calls: AtomicU64,
}

/// A factor as its enrollment showed it.
#[derive(Debug, Clone)]
pub struct Factor {
    /// `auth_factor_…`
    pub id: String,
    /// Base32.
    pub secret: String,
}

/// An answer that is not the one hoped for. All but `Busy`, `Rate` and `Other` are final for the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// 422: the challenge has already been verified.
    Verified,
    /// 422: the challenge has expired, or newer ones have displaced it.
    Expired,
    /// 400: the attempts of the challenge are used up.
    Spent,
    /// 429 with `retry_after`: the factor, or its user, is locked.
    Locked,
    /// 429 without `retry_after`: the factor is stopped.
    Stopped,
    /// 404.
    Gone,
    /// 503 with `retry-after` from 1 to 5: try again.
    Busy,
    /// 429: the API key asks too often.
    Rate,
    /// Anything else: never right in these programs.
    Other(String),
}

/// `Err`: the outcome is unknown. `Ok(Err(_))`: refused.
pub type Reply<T> = io::Result<Result<T, Refusal>>;

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
    retry_after: Option<u32>,
}

impl Refusal {
    /// Reads an answer by the table of section 5 of the wire contract.
    pub fn read(r: &Response) -> Refusal {
        let problem =
            serde_json::from_slice(&r.body).unwrap_or(Problem { code: String::new(), retry_after: None });
        match (r.status, problem.code.as_str(), problem.retry_after, r.retry_after) {
            (422, "authentication_challenge_previously_verified", ..) => Refusal::Verified,
            (422, "authentication_challenge_expired", ..) => Refusal::Expired,
            (400, "one_time_code_too_many_attempts", ..) => Refusal::Spent,
            (429, "too_many_failed_verification_attempts", Some(1..), None) => Refusal::Locked,
            (429, "too_many_failed_verification_attempts", None, None) => Refusal::Stopped,
            (404, "entity_not_found", ..) => Refusal::Gone,
            (503, "service_unavailable", Some(body), Some(header @ 1..=5)) if body == header => Refusal::Busy,
            (429, "rate_limit_exceeded", Some(_), Some(_)) => Refusal::Rate,
            _ => {
                let body: String = String::from_utf8_lossy(&r.body).chars().take(200).collect();
                Refusal::Other(format!("{} {body} (retry-after: {:?})", r.status, r.retry_after))
            }
        }
    }
}

impl Api {
    /// # Errors
    /// One sentence if the address is not a loopback one: these programs load nothing else.
    pub fn new(addr: SocketAddr, key: &str, idempotency: Option<String>) -> Result<Api, String> {
        if !addr.ip().is_loopback() {
            return Err(format!("{addr} is not a loopback address"));
        }
        Ok(Api { addr, key: key.to_owned(), idempotency, calls: AtomicU64::new(0) })
    }

    /// A connection to this server, not opened yet.
    pub fn conn(&self) -> Conn {
        Conn::new(self.addr)
    }

    async fn call<T>(
        &self,
        conn: &mut Conn,
        method: &str,
        path: &str,
        body: &str,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Reply<T> {
        let key =
            self.idempotency.as_ref().map(|k| format!("{k}-{}", self.calls.fetch_add(1, Ordering::Relaxed)));
        let request = Request { method, path, key: &self.key, idempotency_key: key.as_deref(), body };
        let response = conn.call(request).await?;
        Ok(match response.status {
            200..=299 => read(&response.body).ok_or_else(|| Refusal::read(&response)),
            _ => Err(Refusal::read(&response)),
        })
    }

    /// Enrolls a TOTP factor, of `user_id` if given (no text that JSON would have to escape).
    ///
    /// # Errors
    /// As [`Reply`].
    pub async fn enroll(&self, conn: &mut Conn, user_id: Option<&str>) -> Reply<Factor> {
        let user = user_id.map(|u| format!(r#","user_id":"{u}""#)).unwrap_or_default();
        let body =
            format!(r#"{{"type":"totp","totp_issuer":"Northwind","totp_user":"kim@example.org"{user}}}"#);
        self.call(conn, "POST", "/auth/factors/enroll", &body, |body| {
            #[derive(Deserialize)]
            struct Totp {
                secret: String,
            }
            #[derive(Deserialize)]
            struct Enrolled {
                id: String,
                totp: Totp,
            }
            let enrolled: Enrolled = serde_json::from_slice(body).ok()?;
            Some(Factor { id: enrolled.id, secret: enrolled.totp.secret })
        })
        .await
    }

    /// Opens a challenge of a factor and returns its id.
    ///
    /// # Errors
    /// As [`Reply`].
    pub async fn challenge(&self, conn: &mut Conn, factor_id: &str) -> Reply<String> {
        self.call(conn, "POST", &format!("/auth/factors/{factor_id}/challenge"), "{}", |body| {
            #[derive(Deserialize)]
            struct Opened {
                id: String,
            }
            serde_json::from_slice(body).ok().map(|opened: Opened| opened.id)
        })
        .await
    }

    /// Hands in a code and returns `valid`.
    ///
    /// # Errors
    /// As [`Reply`].
    pub async fn verify(&self, conn: &mut Conn, challenge_id: &str, code: &str) -> Reply<bool> {
        let (path, body) = Self::verify_parts(challenge_id, code);
        self.call(conn, "POST", &path, &body, Self::verdict).await
    }

    /// Asks whether a factor is there.
    ///
    /// # Errors
    /// As [`Reply`].
    pub async fn find(&self, conn: &mut Conn, factor_id: &str) -> Reply<()> {
        self.call(conn, "GET", &format!("/auth/factors/{factor_id}"), "", |_| Some(())).await
    }

    /// Moves the clock of a server in dev mode.
    ///
    /// # Errors
    /// As [`Reply`].
    pub async fn advance_clock(&self, conn: &mut Conn, seconds: u64) -> Reply<()> {
        let body = format!(r#"{{"advance_seconds":{seconds}}}"#);
        self.call(conn, "POST", "/countersign/dev/clock", &body, |_| Some(())).await
    }

    /// Path and body of a verify, for a request that is sent in two pieces.
    pub fn verify_parts(challenge_id: &str, code: &str) -> (String, String) {
        (format!("/auth/challenges/{challenge_id}/verify"), format!(r#"{{"code":"{code}"}}"#))
    }

    /// `valid` of a 2xx answer to a verify.
    pub fn verdict(body: &[u8]) -> Option<bool> {
        #[derive(Deserialize)]
        struct Verdict {
            valid: bool,
        }
        serde_json::from_slice(body).ok().map(|v: Verdict| v.valid)
    }
}

#[cfg(test)]
mod tests {
    use super::{Api, Refusal, Response};

    fn read(status: u16, body: &str, retry_after: Option<u32>) -> Refusal {
        Refusal::read(&Response { status, retry_after, body: body.as_bytes().to_vec() })
    }

    /// W5: a lock has `retry_after` in the body and no header, a 503 has both and they are equal.
    #[test]
    fn a_refusal_that_breaks_the_table_in_a_detail_has_no_name() {
        let locked = r#"{"message":"","code":"too_many_failed_verification_attempts","retry_after":30}"#;
        assert_eq!(read(429, locked, None), Refusal::Locked);
        assert!(matches!(read(429, locked, Some(30)), Refusal::Other(_)));
        let busy = r#"{"message":"","code":"service_unavailable","retry_after":1}"#;
        assert_eq!(read(503, busy, Some(1)), Refusal::Busy);
        assert!(matches!(read(503, busy, None), Refusal::Other(_)));
        assert!(matches!(read(500, r#"{"code":"internal_error"}"#, None), Refusal::Other(_)));
        assert!(matches!(read(200, "not json", None), Refusal::Other(_)));
    }

    #[test]
    fn only_loopback_is_loaded() {
        assert!(Api::new("192.0.2.1:80".parse().unwrap(), "sk_test_default", None).is_err());
        assert!(Api::new("[::1]:80".parse().unwrap(), "sk_test_default", None).is_ok());
    }
}
