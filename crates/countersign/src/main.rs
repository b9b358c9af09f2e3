//! Multi-factor authentication that speaks WorkOS's MFA API, in one binary.
//!
//! `main` reads the command line and turns how a command ended into an exit code: 0 done, 1 not done, 2 wrong usage or
//! configuration.

mod callbacks;
mod cli;
mod commands;
mod config;
mod control;
mod data_folder;
mod dev;
mod health;
mod house;
mod housekeeping;
mod http_client;
mod logs;
mod masters;
mod metrics;
mod operator;
mod output;
mod providers;
mod server;
mod signals;
mod tables;
mod traces;
mod usage;

use clap::Parser as _;
use std::process::ExitCode;

/// Small allocations of many threads are most of what a request does; the system's allocator keeps more of them.
/// Without huge pages, which bring no speed here and hold 10 MiB that small allocations leave unused.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("{error:#}"));
            ExitCode::from(if error.is::<usage::Wrong>() { 2 } else { 1 })
        }
    }
}
