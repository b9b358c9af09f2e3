//! The limit: three requests of the product's shape with the least work that still keeps the promise, that a code
//! is accepted once and that this is on disk before the answer leaves. JSON in, HMAC, one group-committed write,
//! JSON out, over HTTP/1.1. What this reaches on a machine is what a server can be measured against there.
//!
//! It has no sealed secrets, no tenants, no attempts, no locks, no events, no limits, no log, and it forgets its
//! factors when it ends: what those cost is the distance between it and the product.
//!
//! ```text
//! PORT   port on 127.0.0.1   (4400)
//! DB     the SQLite file     (./limit.db)
//! KEY    the API key         (sk_test_default)
//! EXTRA  rows of 200 bytes written besides in each transaction, for each request: what a trail of events adds (0)
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool: this is its output")]
mod routes;
mod writer;

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{path::PathBuf, process::ExitCode, rc::Rc};
use tokio::{net::TcpListener, task::LocalSet};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let env = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let run = || {
        let port: u16 = env("PORT", "4400").parse().map_err(|e| format!("PORT: {e}"))?;
        let extra: usize = env("EXTRA", "0").parse().map_err(|e| format!("EXTRA: {e}"))?;
        let store =
            writer::start(PathBuf::from(env("DB", "./limit.db")), extra).map_err(|e| e.to_string())?;
        let limit = Rc::new(routes::Limit::new(&env("KEY", "sk_test_default"), store));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| e.to_string())?;
        LocalSet::new().block_on(&runtime, serve(port, limit)).map_err(|e| e.to_string())
    };
    let Err(why): Result<(), String> = run() else { return ExitCode::SUCCESS };
    eprintln!("mfa-limit: {why}");
    ExitCode::FAILURE
}

/// Serves on one thread: the other one writes.
async fn serve(port: u16, limit: Rc<routes::Limit>) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("limit on {port}");
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let limit = limit.clone();
        tokio::task::spawn_local(async move {
            let service = service_fn(move |request| routes::answer(limit.clone(), request));
            // A connection that breaks concerns nobody but its own client.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
