//! The commands, and the runtime that they run in.

mod check_config;
mod copy;
mod demo;
mod dev;
mod guard;
mod operate;
mod provider;
mod restore;
mod serve;

use crate::{cli::Command, output};
use clap::CommandFactory as _;
use std::{future::Future, io::stdout};

/// Runs a command to its end.
///
/// # Errors
/// Why it was not done.
pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Dev(args) => serving(dev::run(args)),
        Command::Serve(args) => serving(serve::run(args.config, args.database)),
        Command::CheckConfig(args) => check_config::run(&args.config, args.database.as_deref()),
        Command::Demo(args) => serving(demo::run(args.auto)),
        Command::Openapi => {
            output::say(&api::openapi());
            Ok(())
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut crate::cli::Cli::command(), "countersign", &mut stdout());
            Ok(())
        }
        Command::Environment(command) => brief(operate::environment(command)),
        Command::ApiKey(command) => brief(operate::api_key(command)),
        Command::Settings(command) => brief(operate::settings(command)),
        Command::Provider(command) => brief(provider::run(command)),
        Command::Guard(command) => brief(guard::run(command)),
        Command::Factor(command) => brief(operate::factor(command)),
        Command::Challenge(command) => brief(operate::challenge(command)),
        Command::Events(command) => brief(operate::events(command)),
        Command::Keys(command) => brief(operate::keys(command)),
        Command::Backup { file, at } => brief(operate::backup(file, at)),
        Command::Restore { file, replace, at } => brief(restore::run(file, replace, at)),
        Command::ReplayFloor { reason, at } => brief(operate::replay_floor(reason, at)),
        Command::Copy(args) => brief(copy::run(args)),
        Command::Migrate { at } => brief(operate::migrate(at)),
    }
}

/// Runs a server: as many threads as the process may use cores.
fn serving(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let done = runtime.block_on(command);
    // Whatever still runs has had its time; the process is about to end.
    runtime.shutdown_background();
    done
}

/// Runs a command that asks one thing.
fn brief(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}
