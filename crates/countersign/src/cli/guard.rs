//! Commands on what text messages cost.

use super::Where;
use clap::Subcommand;
use std::path::PathBuf;

/// `guard`
#[derive(Debug, Subcommand)]
pub(crate) enum GuardCommand {
    /// Show the rules, what today has cost, and where texts went in the last 24 hours
    #[command(
        after_help = "Example:\n  countersign guard status --environment shop --config /etc/countersign.toml"
    )]
    Status {
        /// Name or id of the environment; needed if there are several
        #[arg(long, short, value_name = "NAME")]
        environment: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Play other rules over the recorded messages: how many they would have refused, what that saves, and whom of
    /// those who did verify it would have hit. Changes nothing
    #[command(
        after_help = "Rules that are only recorded are played as if they were enforced.\n\nExample:\n  \
                      countersign guard rehearse --since 7d --rules strict.toml --environment shop --config /etc/countersign.toml"
    )]
    Rehearse {
        /// How far back: a span such as 7d, 12h or 30m
        #[arg(long, value_name = "SPAN", default_value = "7d")]
        since: String,
        /// The rules: a file with the table of the guard, also a whole configuration
        #[arg(long, value_name = "FILE")]
        rules: PathBuf,
        /// Name or id of the environment; needed if there are several
        #[arg(long, short, value_name = "NAME")]
        environment: Option<String>,
        #[command(flatten)]
        at: Where,
    },
}
