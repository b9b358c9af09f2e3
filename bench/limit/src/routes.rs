//! Enroll, challenge, verify.
use crate::writer::{Store, Write};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use otpauth::{Label, key_uri, qr_data_uri};
use secrets::{Code, TotpSeed, Window, matching_step};
use serde::{Deserialize, Serialize};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    convert::Infallible,
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

/// The server's state. What is asked for later is kept in memory too; the file is what makes it durable.
pub(crate) struct Limit {
    authorization: String,
    store: Store,
    next_id: Cell<i64>,
    factors: RefCell<HashMap<i64, Rc<TotpSeed>>>,
    challenges: RefCell<HashMap<i64, Challenge>>,
}

#[derive(Clone, Copy)]
struct Challenge {
    factor: i64,
    expires_at: i64,
}

/// A status and a body.
type Answer = (u16, Vec<u8>);

impl Limit {
    pub(crate) fn new(key: &str, store: Store) -> Limit {
        // Ids go on from the time of the start, so that a restart hands none out again.
        let next_id = Cell::new(now_s() << 28);
        let authorization = format!("Bearer {key}");
        Limit { authorization, store, next_id, factors: RefCell::default(), challenges: RefCell::default() }
    }

    fn id(&self) -> i64 {
        self.next_id.replace(self.next_id.get() + 1)
    }
}

/// Answers one request.
pub(crate) async fn answer(
    limit: Rc<Limit>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = route(&limit, request).await.unwrap_or_else(|refused| refused);
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status.try_into().unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    Ok(response)
}

async fn route(limit: &Limit, request: Request<Incoming>) -> Result<Answer, Answer> {
    let (head, body) = request.into_parts();
    // Compared plainly: this server guards nothing.
    if head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes) != Some(limit.authorization.as_bytes()) {
        return Err(refused(401, "Unauthorized"));
    }
    let body = body.collect().await.map_err(|_| refused(400, "body"))?.to_bytes();
    let mut parts = head.uri.path().trim_start_matches('/').split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("auth"), Some("factors"), Some("enroll"), None) => enroll(limit, &body).await,
        (Some("auth"), Some("factors"), Some(id), Some("challenge")) => challenge(limit, id).await,
        (Some("auth"), Some("challenges"), Some(id), Some("verify")) => verify(limit, id, &body).await,
        _ => Err(refused(404, "no such route")),
    }
}

#[expect(clippy::disallowed_methods, reason = "the least work: no source of randomness to hand in")]
async fn enroll(limit: &Limit, body: &[u8]) -> Result<Answer, Answer> {
    #[derive(Deserialize)]
    struct Asked<'a> {
        totp_issuer: &'a str,
        totp_user: &'a str,
    }
    #[derive(Serialize)]
    struct Totp<'a> {
        issuer: &'a str,
        user: &'a str,
        secret: &'a str,
        qr_code: String,
        uri: String,
    }
    #[derive(Serialize)]
    struct Factor<'a> {
        object: &'a str,
        id: String,
        created_at: i64,
        r#type: &'a str,
        totp: Totp<'a>,
    }
    let asked: Asked = serde_json::from_slice(body).map_err(|_| refused(400, "body"))?;
    let mut secret = [0; 20];
    getrandom::fill(&mut secret).map_err(|_| refused(500, "no randomness"))?;
    let seed = TotpSeed::from_bytes(&secret).ok_or(refused(500, "seed"))?;
    let base32 = seed.to_base32();
    let label = Label { issuer: asked.totp_issuer, user: asked.totp_user };
    let uri = key_uri(&label, &base32);
    let qr_code = qr_data_uri(&uri).map_err(|_| refused(422, "too long"))?;
    let id = limit.id();
    durable(limit, Write::Factor { id, secret }).await?;
    limit.factors.borrow_mut().insert(id, Rc::new(seed));
    let totp = Totp { issuer: asked.totp_issuer, user: asked.totp_user, secret: &base32, qr_code, uri };
    let id = format!("auth_factor_{id:016x}");
    json(&Factor { object: "authentication_factor", id, created_at: now_s(), r#type: "totp", totp })
}

#[derive(Serialize)]
struct ChallengeJson {
    object: &'static str,
    id: String,
    expires_at: i64,
    authentication_factor_id: String,
}

fn challenge_json(id: i64, challenge: Challenge) -> ChallengeJson {
    ChallengeJson {
        object: "authentication_challenge",
        id: format!("auth_challenge_{id:016x}"),
        expires_at: challenge.expires_at,
        authentication_factor_id: format!("auth_factor_{:016x}", challenge.factor),
    }
}

async fn challenge(limit: &Limit, factor: &str) -> Result<Answer, Answer> {
    let factor = number(factor, "auth_factor_").filter(|f| limit.factors.borrow().contains_key(f));
    let factor = factor.ok_or(refused(404, "no such factor"))?;
    let (id, challenge) = (limit.id(), Challenge { factor, expires_at: now_s() + 600 });
    durable(limit, Write::Challenge { id, factor, expires_at: challenge.expires_at }).await?;
    limit.challenges.borrow_mut().insert(id, challenge);
    json(&challenge_json(id, challenge))
}

async fn verify(limit: &Limit, id: &str, body: &[u8]) -> Result<Answer, Answer> {
    #[derive(Deserialize)]
    struct Asked<'a> {
        code: &'a str,
    }
    #[derive(Serialize)]
    struct Verified {
        challenge: ChallengeJson,
        valid: bool,
    }
    let asked: Asked = serde_json::from_slice(body).map_err(|_| refused(400, "body"))?;
    let id = number(id, "auth_challenge_").ok_or(refused(404, "no such challenge"))?;
    let challenge = limit.challenges.borrow().get(&id).copied().ok_or(refused(404, "no such challenge"))?;
    let seed =
        limit.factors.borrow().get(&challenge.factor).cloned().ok_or(refused(404, "no such factor"))?;
    let now = now_s();
    if now >= challenge.expires_at {
        return Err(refused(422, "expired"));
    }
    let current = u64::try_from(now / 30).unwrap_or(0);
    let window = Window { from: current.saturating_sub(1), to: current + 1 };
    let step = Code::parse_exact(asked.code).and_then(|code| matching_step(&seed, &code, window));
    let mut valid = false;
    if let Some(step) = step.and_then(|step| i64::try_from(step).ok()) {
        valid = durable(limit, Write::Use { factor: challenge.factor, step, challenge: id }).await?;
    }
    if valid {
        limit.challenges.borrow_mut().remove(&id);
    }
    json(&Verified { challenge: challenge_json(id, challenge), valid })
}

async fn durable(limit: &Limit, write: Write) -> Result<bool, Answer> {
    limit.store.durable(write).await.ok_or(refused(503, "the store is gone"))
}

fn number(id: &str, prefix: &str) -> Option<i64> {
    i64::from_str_radix(id.strip_prefix(prefix)?, 16).ok()
}

fn json(body: &impl Serialize) -> Result<Answer, Answer> {
    serde_json::to_vec(body).map(|body| (201, body)).map_err(|_| refused(500, "json"))
}

fn refused(status: u16, message: &str) -> Answer {
    (status, format!(r#"{{"message":"{message}"}}"#).into_bytes())
}

#[expect(clippy::disallowed_methods, reason = "the least work: no clock to hand in")]
fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
