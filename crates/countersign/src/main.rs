//! Countersign: multi-factor authentication that speaks WorkOS's MFA API, in one binary.

mod commands;
mod demo;
mod dev;
mod dev_routes;
mod http;
mod open;
mod run;
mod serve;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Multi-factor authentication that speaks WorkOS's MFA API, in one binary.
#[derive(Parser)]
#[command(name = "countersign", version, after_help = "Example: countersign dev")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a test double on this machine: no configuration, codes readable, clock movable.
    #[command(after_help = "Example: countersign dev --listen 127.0.0.1:4100 --data ./mfa-data")]
    Dev(dev::Dev),
    /// Serve in production.
    #[command(
        after_help = "Example: COUNTERSIGN_MASTER_KEY_FILE=/etc/countersign/master.key countersign serve --config /etc/countersign.toml"
    )]
    Serve(serve::Serve),
    /// Read a configuration and say what it comes to, without serving.
    #[command(after_help = "Example: countersign check-config --config /etc/countersign.toml")]
    CheckConfig(serve::CheckConfig),
    /// Enroll a factor in your terminal and verify a code from your phone.
    #[command(after_help = "Example: countersign demo --auto")]
    Demo(demo::Demo),
    /// Print the OpenAPI document.
    #[command(after_help = "Example: countersign openapi > openapi.json")]
    Openapi,
    #[command(flatten)]
    Operate(commands::Operate),
}

fn main() -> std::process::ExitCode {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let outcome = match runtime {
        Err(e) => Err(anyhow::anyhow!("no runtime: {e}")),
        Ok(runtime) => runtime.block_on(async {
            match Cli::parse().command {
                Command::Dev(dev) => dev.run().await,
                Command::Serve(serve) => serve.run().await,
                Command::CheckConfig(check) => check.run(),
                Command::Demo(demo) => demo.run().await,
                Command::Openapi => print_document(),
                Command::Operate(operate) => operate.run().await,
            }
        }),
    };
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            say_error(&e);
            std::process::ExitCode::from(if e.is::<Usage>() { 2 } else { 1 })
        }
    }
}

#[allow(
    clippy::print_stdout,
    clippy::unnecessary_wraps,
    reason = "this is the command's output, one of several"
)]
fn print_document() -> anyhow::Result<()> {
    println!("{}", api::openapi());
    Ok(())
}

#[allow(clippy::print_stderr, reason = "the last resort of a command")]
fn say_error(e: &anyhow::Error) {
    eprintln!("countersign: {e:#}");
}

/// A wrong command line or configuration: says what to mend, and exits 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
