//! Just enough HTTP for the demo to be a caller like any other: one POST a connection, to this very process.

use anyhow::{Context as _, bail};
use serde_json::Value;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Bytes of an answer at most.
const ANSWER_MAX: u64 = 1 << 20;

/// Posts JSON with an API key. Answers the status and the body.
///
/// # Errors
/// When there is no answer, or it is not one.
pub(crate) async fn post(
    at: SocketAddr,
    path: &str,
    key: &str,
    body: &Value,
) -> anyhow::Result<(u16, Value)> {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(at).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the server's answer has no end of headers")?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let Some(status) = status else { bail!("the server's answer has no status") };
    Ok((status, serde_json::from_str(body).context("the server's answer is not JSON")?))
}
