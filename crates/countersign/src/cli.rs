//! The command line.

mod guard;
mod operate;
mod provider;

pub(crate) use guard::GuardCommand;
pub(crate) use operate::{
    ApiKeyCommand, ChallengeCommand, EnvironmentCommand, EventsCommand, FactorCommand, KeysCommand,
    SettingsCommand, Where,
};
pub(crate) use provider::ProviderCommand;

use clap::{Args, Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};

/// Multi-factor authentication that speaks WorkOS's MFA API, in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    max_term_width = 100,
    after_help = "Begin with:\n  countersign demo\n  countersign dev"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a test double with zero configuration: real codes, a clock that moves, messages to read
    #[command(
        after_help = "Example:\n  countersign dev\n  countersign dev --listen 127.0.0.1:4200 --data /tmp/double"
    )]
    Dev(Dev),
    /// Serve in production
    #[command(after_help = "Example:\n  countersign serve --config /etc/countersign.toml")]
    Serve(Config),
    /// Say whether a configuration is good, and what it comes to
    #[command(after_help = "Example:\n  countersign check-config --config /etc/countersign.toml")]
    CheckConfig(Config),
    /// Scan a QR code with your phone, and verify its first code
    #[command(after_help = "Example:\n  countersign demo\n  countersign demo --auto")]
    Demo(Demo),
    /// Tenants: make and list environments
    #[command(subcommand)]
    Environment(EnvironmentCommand),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Read and change the settings of an environment
    #[command(subcommand)]
    Settings(SettingsCommand),
    /// Providers of text messages: list them, try them
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// The guard on the money: what it has seen, and what other rules would have done
    #[command(subcommand)]
    Guard(GuardCommand),
    /// Look at, reset and delete factors
    #[command(subcommand)]
    Factor(FactorCommand),
    /// See what happened to a challenge
    #[command(subcommand)]
    Challenge(ChallengeCommand),
    /// Read the audit trail, and check that nothing in it was changed
    #[command(subcommand)]
    Events(EventsCommand),
    /// Rotate data keys, exchange the master key
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Copy the database to a new file, also while it is served
    #[command(
        after_help = "Example:\n  countersign backup /var/backups/countersign.db --config /etc/countersign.toml"
    )]
    Backup {
        /// The file to make; it must not exist
        file: PathBuf,
        #[command(flatten)]
        at: Where,
    },
    /// Put a backup in the place of the database, so that nothing which may have been accepted since is accepted again
    #[command(
        after_help = "Example:\n  countersign restore /var/backups/countersign.db --replace --config /etc/countersign.toml"
    )]
    Restore {
        /// The backup, as `countersign backup` made it
        file: PathBuf,
        /// Keep the database that is there in a folder beside, and take over what its trail says was deleted or revoked since
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        at: Where,
    },
    /// Accept nothing that may have been accepted before now: after the database was restored by other means
    #[command(
        after_help = "Example:\n  countersign replay-floor --reason \"standby promoted\" --config /etc/countersign.toml"
    )]
    ReplayFloor {
        /// Why, for the audit trail
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        at: Where,
    },
    /// Copy a whole store into an empty one, between a data folder and a PostgreSQL database, either way
    #[command(
        after_help = "Example:\n  countersign copy --from sqlite:/var/lib/countersign --to postgres://countersign@db/mfa --config /etc/countersign.toml"
    )]
    Copy(Copy),
    /// Bring the database to this version's form (starting a server does so too)
    #[command(after_help = "Example:\n  countersign migrate --config /etc/countersign.toml")]
    Migrate {
        #[command(flatten)]
        at: Where,
    },
    /// Print the OpenAPI document
    #[command(after_help = "Example:\n  countersign openapi > openapi.json")]
    Openapi,
    /// Print completions for a shell
    #[command(after_help = "Example:\n  countersign completions bash > /etc/bash_completion.d/countersign")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// `dev`
#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Address to listen on; port 0 is any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4100")]
    pub(crate) listen: SocketAddr,
    /// Data folder, kept between runs [default: $XDG_DATA_HOME/countersign/dev if that is set, else ./.countersign/dev]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A PostgreSQL database instead of the embedded one, such as postgres://user@host/database
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// The key to accept beside sk_test_default; any text that begins with sk_test_ [default: one made on the first start]
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// A setting of the environment, kept like any other; may be given several times. `settings list` shows them
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) setting: Vec<String>,
    /// Listen on an address that other machines reach. Whoever can reach dev mode can read every code
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// Show Prometheus metrics at /metrics on this address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<SocketAddr>,
}

/// `serve`, `check-config`
#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The configuration, in TOML; COUNTERSIGN_… variables go before it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// A PostgreSQL database instead of the embedded one. Passwords belong into a password file (PGPASSFILE)
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
}

/// `copy`
#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// The store to copy, which is only read: sqlite:DIR or postgres://user@host/database. No server may run on it
    #[arg(long, value_name = "STORE")]
    pub(crate) from: String,
    /// The store to make, likewise: an empty one, or one that a copy was begun in
    #[arg(long, value_name = "STORE")]
    pub(crate) to: String,
    /// Empty what a copy that did not end has left in the target, and begin anew
    #[arg(long)]
    pub(crate) restart: bool,
    /// The configuration that names the master key [default: the environment's, else that in a folder of `dev`]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Play the phone as well
    #[arg(long)]
    pub(crate) auto: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_an_example() {
        fn leaves(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            if command.has_subcommands() {
                return command.get_subcommands().for_each(|c| leaves(c, &path));
            }
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(path.trim()), "{path} has no example of its own");
        }
        let command = Cli::command();
        command.clone().debug_assert();
        leaves(&command, "");
    }
}
