//! `countersign demo`: from a QR code to `valid: true`, over the real API.

mod stage;

use crate::output::{ask, bold, dim, in_colour, say, styled};
use anyhow::{Context as _, bail};
use domain::time::Clock as _;
use otpauth::{Style, qr_terminal};
use secrets::{TotpSeed, hotp};
use serde_json::{Value, json};
use stage::Stage;
use std::io::BufRead as _;
use tokio::sync::mpsc;

/// Codes that may be tried: those of one challenge.
const TRIES: usize = 5;

/// Runs it; with `auto`, without a phone.
pub(super) async fn run(auto: bool) -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    tokio::select! {
        done = play(&stage, auto) => done,
        _ = tokio::signal::ctrl_c() => {
            say("\n");
            bail!("stopped; nothing is left behind");
        }
    }
}

async fn play(stage: &Stage, auto: bool) -> anyhow::Result<()> {
    step(1, "Enroll", "/auth/factors/enroll");
    let enroll = json!({ "type": "totp", "totp_issuer": "Countersign demo", "totp_user": "you" });
    let factor = stage.post("/auth/factors/enroll", enroll).await?;
    let (id, secret) = (text(&factor, "/id")?, text(&factor, "/totp/secret")?);
    say(&format!("   {id}\n\n   Scan this with an authenticator app, any of them:\n"));
    let style = if in_colour() { Style::Ansi } else { Style::Plain };
    let picture = qr_terminal(&text(&factor, "/totp/uri")?, style)?;
    say(&picture.lines().map(|line| format!("   {line}\n")).collect::<String>());
    say(&format!("   {}\n", dim(&format!("or type the secret in: {}", grouped(&secret)))));

    let path = format!("/auth/factors/{id}/challenge");
    step(2, "Challenge", &path);
    let challenge = text(&stage.post(&path, json!({})).await?, "/id")?;
    say(&format!("   {challenge}\n"));

    let path = format!("/auth/challenges/{challenge}/verify");
    step(3, "Verify", &path);
    let mut codes = if auto { Codes::played(&secret)? } else { Codes::typed() };
    let mut left = TRIES;
    while left > 0 {
        let Some(code) = codes.next().await else { bail!("no code was given; run the demo again") };
        if code.is_empty() {
            continue;
        }
        left -= 1;
        let answer = stage.post(&path, json!({ "code": code })).await?;
        if answer.get("valid") == Some(&Value::Bool(true)) {
            say(&format!("   {}", styled("1;32", "valid: true")));
            return Ok(());
        }
        say(&format!(
            "   {}  {}",
            styled("33", "valid: false"),
            dim(&format!("not the code of this moment; {}", tries(left)))
        ));
    }
    bail!("no right code in {TRIES} tries; run the demo again for a new factor");
}

fn tries(left: usize) -> String {
    match left {
        0 => "no try is left".into(),
        1 => "one try is left".into(),
        n => format!("{n} tries are left"),
    }
}

fn step(number: u8, what: &str, path: &str) {
    say(&format!("{number}. {}: POST {path}", bold(what)));
}

/// The text at a place of an answer.
fn text(answer: &Value, place: &str) -> anyhow::Result<String> {
    let text = answer.pointer(place).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("the server's answer has no {place}"))
}

/// Four characters at a time, for whoever types them.
fn grouped(secret: &str) -> String {
    let chars: Vec<char> = secret.chars().collect();
    chars.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// Where codes come from.
enum Codes {
    Typed(mpsc::UnboundedReceiver<String>),
    Played(TotpSeed),
}

impl Codes {
    fn played(secret: &str) -> anyhow::Result<Self> {
        TotpSeed::import_base32(secret).map(Self::Played).context("the secret is not Base32")
    }

    /// Lines of the standard input. Reading it cannot be cancelled, so it is left to a thread that ends with the process.
    fn typed() -> Self {
        let (tell, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if tell.send(line.trim().to_owned()).is_err() {
                    return;
                }
            }
        });
        Self::Typed(lines)
    }

    async fn next(&mut self) -> Option<String> {
        match self {
            Self::Played(seed) => {
                let code = hotp(seed, app::SystemClock.now().step()).reveal().to_owned();
                say(&format!("   the code of your phone: {code}"));
                Some(code)
            }
            Self::Typed(lines) => {
                ask(&format!("   {} ", bold("The six digits on your phone:")));
                lines.recv().await
            }
        }
    }
}
