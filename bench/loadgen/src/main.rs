//! Whole MFA flows against one server on loopback, measured request by request.
//!
//! ```text
//! mfa-loadgen --addr 127.0.0.1:PORT --pid PID
//!   --key KEY        API key                                          (sk_test_default)
//!   --conc 1,16,64   connections, one pass for each
//!   --n 300,3000,6000  factors in each pass; each is used once, as a step is accepted once
//!   --max-s 20       a phase ends after so many seconds, whatever is left
//!   --warmup 200     flows run first and not counted
//!   --factors N      enroll N factors first, then challenge and verify n of them, drawn at random
//!   --known FILE     instead of --factors: the store has them already, a line each with id and secret
//!   --unseen R       with either: R draws before them that are not counted
//!   --rounds R       with either: R draws, between which the clock of a server in dev mode moves on
//!   --then-ahead S   with either: afterwards the clocks move on S seconds, and all is done again while the servers
//!                    purge what is due by that; each is stopped while the other is visited
//!   --beside ADDR    with either: another server, visited in turns with the first, --beside-pid PID,
//!                    --beside-factors N or --beside-known FILE, --beside-name NAME
//!   --database-pid P a PostgreSQL server whose CPU is told
//!   --open RATE      instead: arrivals at a fixed rate (per second, or 5x the peak measured first)
//!   --op challenge   what arrives: enroll or challenge
//!   --seconds 10     for how long
//!   --sockets 1280   connections at most; more than the server's queue is long, or nothing is refused
//!   --idempotency    a fresh Idempotency-Key with each POST
//!   --folder DIR     where the disk is probed: the server's data folder          (the temporary folder)
//!   --name NAME      what to call the server in the output
//!   --json FILE      add one JSON line for each phase
//! ```
//!
//! Bounded in count and time; it stops by itself. Only loopback addresses are taken.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool: this is its output")]
#![expect(clippy::cast_precision_loss, reason = "counts and rates, far below 2^52")]
mod closed;
mod draw;
mod open;
mod report;

use closed::{Bench, Item, Op, phase};
use loadgen::{args::Args, stats, wire::Api};
use report::Report;
use std::{path::PathBuf, process::ExitCode, rc::Rc, time::Duration};

const NAMES: &[&str] = &[
    "addr",
    "pid",
    "key",
    "conc",
    "n",
    "max-s",
    "warmup",
    "factors",
    "known",
    "then-ahead",
    "database-pid",
    "rounds",
    "unseen",
    "open",
    "op",
    "seconds",
    "sockets",
    "folder",
    "name",
    "json",
    "beside",
    "beside-pid",
    "beside-factors",
    "beside-known",
    "beside-name",
];

/// No more factors than this in one run: it is a bench, not a flood.
const MAX_FACTORS: usize = 1_000_000;

fn main() -> ExitCode {
    let run = || {
        let args = Args::read(std::env::args().skip(1), NAMES, &["idempotency"])?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| e.to_string())?.block_on(run(&args))
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("mfa-loadgen: {why}");
            ExitCode::from(2)
        }
    }
}

async fn run(args: &Args) -> Result<(), String> {
    let bench = bench(args, "addr", args.get("pid", 0)?)?;
    let mut report = Report::new(args.text("name").unwrap_or("server"), args.text("json"))?;
    let folder = args.text("folder").map_or_else(std::env::temp_dir, PathBuf::from);
    let probe = || stats::sync_probe_us(&folder).map_err(|e| format!("{}: {e}", folder.display()));

    let warmup = args.get("warmup", 200)?;
    flow(&bench, warmup, 8).await;
    if args.has("open") {
        return open::run(args, &bench, &mut report, probe()?).await;
    }
    let (conns, counts) = (args.list::<usize>("conc", "1,16,64")?, args.list::<usize>("n", "300,3000,6000")?);
    if conns.len() != counts.len() || conns.iter().chain(&counts).any(|n| *n == 0 || *n > MAX_FACTORS) {
        return Err("--conc and --n are lists of equal length, of numbers from 1 to 1,000,000".into());
    }
    if let Some(factors) = source(args, "factors", "known")? {
        let visits = draw::Visits {
            rounds: args.get("rounds", 1)?,
            unseen: args.get("unseen", 0)?,
            then_ahead_s: args.get("then-ahead", 0)?,
            conns,
            counts,
        };
        let mut stores = vec![draw::Store { bench, report, factors }];
        if args.has("beside") {
            let bench = self::bench(args, "beside", args.get("beside-pid", 0)?)?;
            let report = Report::new(args.text("beside-name").unwrap_or("beside"), args.text("json"))?;
            let factors = source(args, "beside-factors", "beside-known")?;
            let factors = factors.ok_or("--beside needs --beside-factors or --beside-known")?;
            flow(&bench, warmup, 8).await;
            stores.push(draw::Store { bench, report, factors });
        }
        return draw::run(&mut stores, &visits, &probe).await;
    }
    let mut seen = warmup;
    for (conns, n) in conns.into_iter().zip(counts) {
        let sync_us = probe()?;
        let mut items = vec![Item::default(); n];
        for op in Op::ALL {
            let (done, mut figures) = phase(&bench, op, items, conns, 0).await;
            report.phase(op.name(), conns, seen, sync_us, &mut figures);
            items = done;
            // Let the server write back what it put off, so that one phase does not pay for another.
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        seen += n;
    }
    Ok(())
}

/// Where the factors come from, if they are not to be enrolled for each pass.
fn source(args: &Args, enroll: &str, known: &str) -> Result<Option<draw::Source>, String> {
    if let Some(file) = args.text(known) {
        return Ok(Some(draw::Source::Known(file.to_owned())));
    }
    let n = args.get(enroll, 0)?.min(MAX_FACTORS);
    Ok((n > 0).then_some(draw::Source::Enroll(n)))
}

/// The server whose address is the argument `name`.
fn bench(args: &Args, name: &str, server_pid: u32) -> Result<Rc<Bench>, String> {
    let addr = args.text(name).ok_or_else(|| format!("--{name} is needed"))?;
    let addr = addr.parse().map_err(|e| format!("--{name}: {e}"))?;
    let tag = format!("load-{:x}", loadgen::clock::unix_millis());
    let key = args.text("key").unwrap_or("sk_test_default");
    let api = Api::new(addr, key, args.has("idempotency").then_some(tag))?;
    let database_pid = match args.get("database-pid", 0)? {
        0 => None,
        pid => Some(pid),
    };
    let max = Duration::from_secs(args.get("max-s", 20)?);
    Ok(Rc::new(Bench { api, server_pid, database_pid, max }))
}

/// `n` whole flows that are not counted.
async fn flow(bench: &Rc<Bench>, n: usize, conns: usize) {
    let mut items = vec![Item::default(); n];
    for op in Op::ALL {
        (items, _) = phase(bench, op, items, conns, 0).await;
    }
}
