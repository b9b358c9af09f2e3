//! Commands on the providers of a configuration. They need no server and no store.

use clap::Subcommand;
use std::path::PathBuf;

/// `provider`
#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// List the providers, and which numbers go to whom
    #[command(after_help = "Example:\n  countersign provider list --config /etc/countersign.toml")]
    List {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Connect to a provider and try the credentials, without sending anything
    #[command(after_help = "Example:\n  countersign provider test --config /etc/countersign.toml\n  \
                      countersign provider test twilio-main --config /etc/countersign.toml")]
    Test {
        /// Which one [default: each]
        name: Option<String>,
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Send one real text message, with a code that opens nothing. It costs what a message costs
    #[command(
        after_help = "Example:\n  countersign provider send-test twilio-main --to +14155550101 --config /etc/countersign.toml"
    )]
    SendTest {
        /// Which one
        name: String,
        /// To which number, with + and country code
        #[arg(long, value_name = "NUMBER")]
        to: String,
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}
