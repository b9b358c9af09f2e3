//! `countersign demo`: the first thing a newcomer runs.

use crate::{dev, http::post, run};
use anyhow::{Context as _, bail};
use clap::Args;
use domain::time::Clock as _;
use secrets::TotpSeed;
use serde_json::json;
use std::{io::BufRead as _, net::SocketAddr};

/// Codes that may be tried: the attempts of one challenge.
const TRIES: usize = 5;

#[derive(Args)]
pub(crate) struct Demo {
    /// Play the phone as well.
    #[arg(long)]
    auto: bool,
}

impl Demo {
    #[allow(clippy::print_stdout, reason = "this is the command's output")]
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        run::logs(false, "error");
        let folder = std::env::temp_dir().join(format!("countersign-demo-{}", std::process::id()));
        let outcome = self.play(&folder).await;
        drop(std::fs::remove_dir_all(&folder));
        outcome
    }

    #[allow(clippy::print_stdout, reason = "this is the command's output")]
    async fn play(&self, folder: &std::path::Path) -> anyhow::Result<()> {
        let server = dev::start(SocketAddr::from(([127, 0, 0, 1], 0)), folder, None).await?;
        let (to, key) = (server.listener.address(), server.key.clone());
        let dev::DevServer { opened, router, worker, listener, shutdown, .. } = server;
        let stop = shutdown.clone();
        let serving = tokio::spawn(run::serve(listener, router, None, opened, worker, shutdown));

        println!("1. Enroll: POST /auth/factors/enroll");
        let enroll = json!({ "type": "totp", "totp_issuer": "Countersign demo", "totp_user": "you" });
        let (_, factor) = post(to, &key, "/auth/factors/enroll", &enroll).await?;
        let text =
            |path: &str| factor.pointer(path).and_then(|v| v.as_str()).context("the answer lacks a field");
        let (id, uri, secret) = (text("/id")?, text("/totp/uri")?, text("/totp/secret")?);
        println!("   {id}\n\n   Scan this with an authenticator app:\n");
        println!("{}", otpauth::qr_terminal(uri, otpauth::Style::Ansi)?);
        println!("   or type the secret in: {secret}\n");

        println!("2. Challenge: POST /auth/factors/{id}/challenge");
        let (_, challenge) = post(to, &key, &format!("/auth/factors/{id}/challenge"), &json!({})).await?;
        let challenge = challenge.get("id").and_then(|v| v.as_str()).context("no challenge")?.to_owned();
        println!("   {challenge}\n");

        println!("3. Verify: POST /auth/challenges/{challenge}/verify");
        let path = format!("/auth/challenges/{challenge}/verify");
        let seed = TotpSeed::import_base32(secret).context("the secret is not one")?;
        for left in (0..TRIES).rev() {
            let code = if self.auto {
                let code = secrets::hotp(&seed, app::SystemClock.now().step()).reveal().to_owned();
                println!("   the code of your phone: {code}");
                code
            } else {
                ask()?
            };
            let (status, answer) = post(to, &key, &path, &json!({ "code": code })).await?;
            if answer.get("valid").and_then(serde_json::Value::as_bool) == Some(true) {
                println!("   valid: true");
                stop.stop();
                return serving.await?;
            }
            if status == 201 {
                println!("   valid: false (that is not the code; {left} tries left)");
            } else {
                println!("   {}", answer.get("message").and_then(|m| m.as_str()).unwrap_or("refused"));
            }
        }
        bail!("no right code in {TRIES} tries; run the demo again for a new factor")
    }
}

#[allow(clippy::print_stdout, reason = "this is the command's output")]
fn ask() -> anyhow::Result<String> {
    use std::io::Write as _;
    print!("   The six digits on your phone: ");
    std::io::stdout().flush()?;
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line)? == 0 {
        bail!("no code was typed");
    }
    Ok(line.trim().to_owned())
}
