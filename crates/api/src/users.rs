//! Routes 6 and 7: a user's factors.

use crate::{
    body::Body,
    factors::{self, kind_of, totp},
    refusal,
    reply::Reply,
    request::{Post, admit, fields},
    routes::{Api, subject},
    wire,
};
use app::{Caller, EnrollRequest};
use axum::{extract::Request, http::Uri};
use domain::{
    environment::Permission,
    factor::FactorKind,
    id::FactorId,
    page::{PageQuery, PageRequest},
    refusal::FieldError,
    user_id::UserId,
};
use percent_encoding::percent_decode_str;

const KNOWN: [&str; 4] = ["type", "totp_issuer", "totp_user", "totp_secret"];

/// The user that a path names.
fn user(path: &str) -> Result<UserId, FieldError> {
    let text = subject(path).map_err(|_| FieldError::new("user_id", "must be UTF-8"))?;
    UserId::parse(&text).map_err(|problem| FieldError::new("user_id", problem))
}

fn read(body: &Body<'_>, path: &str, strict: bool) -> Result<EnrollRequest, Vec<FieldError>> {
    let mut problems = body.problems(&KNOWN, strict);
    if !problems.is_empty() {
        return Err(problems);
    }
    let user = user(path).map_err(|problem| problems.push(problem)).ok();
    let kind = kind_of(body, &[FactorKind::Totp], &mut problems);
    let factor = totp(body, kind.is_some(), &mut problems);
    if problems.is_empty() { Ok(EnrollRequest { factor, user, with_challenge: true }) } else { Err(problems) }
}

pub(crate) async fn enroll(api: Api, request: Request, permission: Permission) -> Result<Reply, Reply> {
    let post = Post::read(&api.app, request, permission).await?;
    let request = asked(&post)?;
    factors::run(&api, post, request).await
}

fn asked(post: &Post) -> Result<EnrollRequest, Reply> {
    let body = fields(&post.bytes, false)?;
    read(&body, &post.path, post.strict()).map_err(|p| refusal::invalid(&p).into())
}

/// A query's parameters, percent-decoded. The first of a name counts.
fn parameters(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(n, v)| (decode(n), decode(v)))
        .collect()
}

pub(crate) async fn list(api: Api, request: Request, permission: Permission) -> Result<Reply, Reply> {
    let caller = admit(&api.app, request.headers(), permission, api.app.now()?)?;
    let (user, page) = page_asked(&caller, request.uri()).map_err(|p| refusal::invalid(&p))?;
    let page = api.app.list_factors(&caller, user, page).await?;
    Ok(wire::list(&page).into())
}

/// Whose factors, and which page of them.
fn page_asked(caller: &Caller, uri: &Uri) -> Result<(UserId, PageRequest<FactorId>), Vec<FieldError>> {
    let environment = caller.environment();
    let given = parameters(uri.query().unwrap_or_default());
    let find = |name: &str| given.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let known = ["limit", "order", "after", "before"];
    let unknown = given.iter().any(|(name, _)| !known.contains(&name.as_str()));
    let mut problems = Vec::new();
    if environment.settings.strict_parameters && unknown {
        problems.push(FieldError::new("query", "must not have unknown parameters"));
    }
    let user = user(uri.path()).map_err(|problem| problems.push(problem)).ok();
    let [limit, order, after, before] = known.map(find);
    let page = PageQuery { limit, order, after, before }
        .parse(FactorId::parse)
        .map_err(|wrong| problems.extend(wrong.into_iter().map(|(f, p)| FieldError::new(f.name(), p))));
    match (user, page) {
        (Some(user), Ok(page)) if problems.is_empty() => Ok((user, page)),
        _ => Err(problems),
    }
}
