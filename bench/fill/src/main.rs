//! Fills a store of dev mode with factors and with challenges that are long finished, by writing its tables directly: what
//! an installation of some years has, within a minute or two. The server is stopped meanwhile and has run once before, so
//! that keys and environment are there; seeds are sealed with its own key ring.
//!
//! ```text
//! mfa-fill --data FOLDER     dev mode's data folder, with its master key
//!   --url postgres://…       the store is there                        (the data folder's SQLite)
//!   --factors 1000000        each of a user of its own
//!   --challenges 10000000    finished, opened over the last two days for factors drawn at random
//!   --known FILE             writes some of the factors there, spread over all: a line each with id and secret
//! ```
//!
//! The trail has no entries of what is filled in. No more than 2,000,000 factors and 20,000,000 challenges.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool: this is its output")]
mod keys;
mod postgres;
mod rows;
mod sqlite;

use loadgen::{args::Args, clock};
use rows::Rows;
use std::{io::Write as _, path::Path, process::ExitCode, time::Instant};

/// Factors written to the file at most: enough that each is drawn once or twice.
const KNOWN_MAX: u64 = 200_000;

fn main() -> ExitCode {
    let run = || {
        let names = ["data", "url", "factors", "challenges", "known"];
        let args = Args::read(std::env::args().skip(1), &names, &[])?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.map_err(|e| e.to_string())?.block_on(run(&args))
    };
    let Err(why): Result<(), String> = run() else { return ExitCode::SUCCESS };
    eprintln!("mfa-fill: {why}");
    ExitCode::FAILURE
}

async fn run(args: &Args) -> Result<(), String> {
    let data = Path::new(args.text("data").ok_or("--data is needed")?);
    let (factors, challenges) = (args.get("factors", 1_000_000)?, args.get("challenges", 10_000_000)?);
    if !(1..=2_000_000).contains(&factors) || challenges > 20_000_000 {
        return Err("from 1 to 2,000,000 factors and no more than 20,000,000 challenges".into());
    }
    let (environment, ring) = keys::of(data, args.text("url")).await?;
    let rows = Rows { environment, ring, factors, challenges, now_ms: clock::unix_millis() };
    let begun = Instant::now();
    match args.text("url") {
        Some(url) => postgres::fill(url, &rows).await?,
        None => sqlite::fill(&data.join("countersign.db"), &rows)?,
    }
    if let Some(file) = args.text("known") {
        known(file, &rows).map_err(|e| format!("{file}: {e}"))?;
    }
    println!("{factors} factors and {challenges} challenges in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Writes every so-manieth factor.
fn known(file: &str, rows: &Rows) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    let stride = rows.factors.div_ceil(KNOWN_MAX).max(1);
    let mut n = 0;
    while n < rows.factors {
        if let Some(seed) = rows.seed(n) {
            writeln!(out, "{} {}", domain::id::FactorId::from_bytes(rows.factor_id(n)), *seed.to_base32())?;
        }
        n += stride;
    }
    out.flush()
}
