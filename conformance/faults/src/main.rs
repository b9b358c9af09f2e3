//! Faults and attacks against the real binary, over real sockets, with a history and a checker.
//!
//! ```text
//! countersign-faults crash-loop --binary P [--cycles 20]       kill -9 under load
//! countersign-faults io-faults  --binary P [--sites 12] [--faults eio,enospc,kill,slow]
//! countersign-faults power-cut  --binary P [--images 100]      unsynced writes dropped, torn, reordered
//! countersign-faults races      --binary P [--rounds 20]       codes that land in one moment
//! countersign-faults sigterm    --binary P [--cycles 10]       stops under load
//! countersign-faults timing     --binary P [--rounds 400] [--samples 200000]   whether time tells what answers do not
//! countersign-faults pg-restart --binary P [--cycles 10]       PostgreSQL crashes and comes back
//! countersign-faults pg-cut     --binary P [--cycles 20] [--planted]   connections to PostgreSQL cut, stalled, lost
//! countersign-faults pg-failover --binary P [--cycles 3] [--planted]   the primary killed, its standby promoted
//! countersign-faults pg-limits  --binary P                     PostgreSQL away, full, out of connections
//! countersign-faults planted    [--each 200]                   the checker's own examination
//! countersign-faults check      --history FILE                 a history that a run left
//! ```
//!
//! All but the last two take `--folder DIR` (empty; kept) and `--seed N`, where the order of a run is chosen; `races` and
//! `crash-loop` take `--store sqlite|postgres|both`, where `both` is everything once on each. With `--planted` a run has a
//! fault that has to be found. Exit code 0: nothing violated. 1: something was, and the last line says how much. 2: wrong
//! arguments. `mutants/run` tries these programs on servers with a bug.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool: this is its output")]
mod caller;
mod checker;
mod crash_loop;
mod dice;
mod flow;
mod front;
mod history;
mod io_faults;
mod load;
mod locks;
mod model;
mod nodes;
mod pg_cut;
mod pg_failover;
mod pg_limits;
mod pg_restart;
mod planted;
mod postgres;
mod power_cut;
mod probe;
mod proxy;
mod races;
mod run;
mod server;
mod sigterm;
mod strace;
mod timing;
mod volley;
mod witness;

use loadgen::args::Args;
use run::Run;
use std::{path::Path, process::ExitCode};
use strace::Fault;

const NAMES: &[&str] = &[
    "binary", "cycles", "rounds", "samples", "images", "sites", "faults", "each", "history", "folder",
    "seed", "store",
];

/// Those that try a binary.
const COMMANDS: &[&str] = &[
    "crash-loop",
    "io-faults",
    "power-cut",
    "races",
    "sigterm",
    "timing",
    "pg-restart",
    "pg-cut",
    "pg-failover",
    "pg-limits",
];

enum Ended {
    Clean(String),
    Violated(String),
    WrongArguments(String),
}

fn main() -> ExitCode {
    match program() {
        Ended::Clean(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Ended::Violated(line) => {
            println!("{line}");
            ExitCode::FAILURE
        }
        Ended::WrongArguments(why) => {
            eprintln!("countersign-faults: {why}");
            ExitCode::from(2)
        }
    }
}

fn program() -> Ended {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let args = match Args::read(args, NAMES, &["planted"]) {
        Ok(args) => args,
        Err(why) => return Ended::WrongArguments(why),
    };
    let ended = |result: Result<String, String>| result.map_or_else(Ended::Violated, Ended::Clean);
    match command.as_str() {
        "planted" => {
            let examined = args.get("seed", 1).and_then(|s| Ok(planted::examine(s, args.get("each", 200)?)));
            match examined {
                Err(why) => Ended::WrongArguments(why),
                Ok(examined) if examined.passed() => Ended::Clean(examined.to_string()),
                Ok(examined) => Ended::Violated(examined.to_string()),
            }
        }
        "check" => match args.text("history") {
            Some(path) => ended(crash_loop::check_file(Path::new(path))),
            None => Ended::WrongArguments("--history is needed".into()),
        },
        known if COMMANDS.contains(&known) => against_the_binary(known, &args),
        _ => Ended::WrongArguments(format!("commands: {}, planted, check", COMMANDS.join(", "))),
    }
}

fn against_the_binary(command: &str, args: &Args) -> Ended {
    let read = || {
        let faults = args.list::<String>("faults", "eio,enospc,kill,slow")?;
        let faults = faults.iter().map(|f| match f.as_str() {
            "eio" => Ok(Fault::Eio),
            "enospc" => Ok(Fault::Enospc),
            "kill" => Ok(Fault::Kill),
            "slow" => Ok(Fault::Slow),
            other => Err(format!("--faults {other}: known are eio, enospc, kill, slow")),
        });
        let cycles = match command {
            "pg-failover" => 3,
            "sigterm" | "pg-restart" => 10,
            _ => 20,
        };
        let cycles = args.get("cycles", cycles)?;
        let rounds = args.get("rounds", if command == "timing" { 400 } else { 20 })?;
        let numbers =
            (cycles, args.get("sites", 12)?, rounds, args.get("samples", 200_000)?, args.get("images", 100)?);
        Ok((Run::new(args)?, numbers, faults.collect::<Result<Vec<Fault>, String>>()?))
    };
    let (run, (cycles, sites, rounds, samples, images), faults) = match read() {
        Ok(all) => all,
        Err(why) => return Ended::WrongArguments(why),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return Ended::Violated(e.to_string()),
    };
    let result = runtime.block_on(async {
        match command {
            "crash-loop" => on_each(&run, async |run: &Run| crash_loop::run(run, cycles).await).await,
            "io-faults" => io_faults::run(&run, sites, &faults).await,
            "power-cut" => power_cut::run(&run, images).await,
            "races" => on_each(&run, async |run: &Run| races::run(run, rounds).await).await,
            "pg-restart" => pg_restart::run(&run, cycles).await,
            "pg-cut" => pg_cut::run(&run, cycles, args.has("planted")).await,
            "pg-failover" => pg_failover::run(&run, cycles, args.has("planted")).await,
            "pg-limits" => pg_limits::run(&run).await,
            "timing" => timing::run(&run, rounds, samples).await,
            _ => sigterm::run(&run, cycles).await,
        }
    });
    match result {
        Ok(line) => {
            run.clean_up();
            Ended::Clean(line)
        }
        Err(line) => Ended::Violated(format!("{line}\nfiles of this run: {}", run.folder.display())),
    }
}

/// Does it on every store of the run, and says one after another what it came to.
async fn on_each(run: &Run, it: impl AsyncFn(&Run) -> Result<String, String>) -> Result<String, String> {
    let mut lines = Vec::new();
    for one in run.by_store() {
        std::fs::create_dir_all(&one.folder).map_err(|e| format!("{}: {e}", one.folder.display()))?;
        let line = it(&one).await.map_err(|why| [lines.join("\n"), why].join("\n"))?;
        lines.push(line);
    }
    Ok(lines.join("\n"))
}
