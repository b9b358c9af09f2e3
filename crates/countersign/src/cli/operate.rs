//! Commands on a store, beside a running server or without one.

use clap::{ArgGroup, Args, Subcommand};
use std::path::PathBuf;

/// Which store, and how its answer is printed.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("where").multiple(false))]
pub(crate) struct Where {
    /// The data folder [default: that of `countersign dev`]
    #[arg(long, value_name = "DIR", group = "where")]
    pub(crate) data: Option<PathBuf>,
    /// The configuration of the server whose store it is
    #[arg(long, value_name = "FILE", group = "where")]
    pub(crate) config: Option<PathBuf>,
    /// The PostgreSQL database, if it is not in the configuration
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `environment`
#[derive(Debug, Subcommand)]
pub(crate) enum EnvironmentCommand {
    /// Make an environment
    #[command(
        after_help = "Example:\n  countersign environment create shop --live --config /etc/countersign.toml"
    )]
    Create {
        /// Its name, which is also the default issuer in authenticator apps
        name: String,
        /// For real users: its keys begin with sk_live_
        #[arg(long)]
        live: bool,
        #[command(flatten)]
        at: Where,
    },
    /// List the environments
    #[command(after_help = "Example:\n  countersign environment list")]
    List {
        #[command(flatten)]
        at: Where,
    },
}

/// `api-key`
#[derive(Debug, Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Make an API key. It is shown this once
    #[command(
        after_help = "Example:\n  countersign api-key create --environment shop --name checkout --expires 90d\n  \
                      countersign api-key create --environment shop --allow challenge,verify"
    )]
    Create(CreateKey),
    /// List the API keys, of all environments or of one
    #[command(after_help = "Example:\n  countersign api-key list --environment shop")]
    List {
        /// Name or id of the environment
        #[arg(long, short, value_name = "NAME")]
        environment: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Revoke an API key: it is refused from the next request on
    #[command(after_help = "Example:\n  countersign api-key revoke key_01M8E81GPAM7T0V3X6Y9A1C5EF")]
    Revoke {
        /// The key's id, as `api-key list` shows it
        id: String,
        #[command(flatten)]
        at: Where,
    },
}

/// `api-key create`
#[derive(Debug, Args)]
pub(crate) struct CreateKey {
    /// Name or id of the environment; needed if there are several
    #[arg(long, short, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// What to call it
    #[arg(long, default_value = "key")]
    pub(crate) name: String,
    /// What it may do: all, or some of enroll,read,delete,challenge,verify
    #[arg(long, value_name = "WHAT", default_value = "all")]
    pub(crate) allow: String,
    /// When it ends: a span such as 90d or 12h, or a time such as 2027-01-31T00:00:00Z [default: never]
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<String>,
    #[command(flatten)]
    pub(crate) at: Where,
}

/// `settings`
#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show one setting
    #[command(after_help = "Example:\n  countersign settings get sms_wait_ms --environment shop")]
    Get {
        /// Its name, as `settings list` shows it
        name: String,
        /// Name or id of the environment; needed if there are several
        #[arg(long, short, value_name = "NAME")]
        environment: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Change a setting, from the next request on
    #[command(after_help = "Example:\n  countersign settings set factor_lock_after 5 --environment shop\n  \
                      countersign settings set factor_lock_after default --environment shop")]
    Set {
        /// Its name, as `settings list` shows it
        name: String,
        /// The value; `default` returns it to its default
        #[arg(allow_hyphen_values = true)]
        value: String,
        /// Name or id of the environment; needed if there are several
        #[arg(long, short, value_name = "NAME")]
        environment: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Show all settings of an environment
    #[command(after_help = settings_help())]
    List {
        /// Name or id of the environment; needed if there are several
        #[arg(long, short, value_name = "NAME")]
        environment: Option<String>,
        #[command(flatten)]
        at: Where,
    },
}

/// Every setting with its default and meaning.
fn settings_help() -> String {
    let mut help = String::from("Settings, each with its default:\n");
    for spec in domain::settings::catalogue() {
        let default = if spec.default_text.is_empty() { "empty" } else { spec.default_text };
        let (name, range, meaning) = (spec.name, spec.range_text, spec.meaning);
        help.push_str(&format!("  {name} = {default}\n      {meaning} ({range})\n"));
    }
    help.push_str("\nExample:\n  countersign settings list --environment shop");
    help
}

/// `factor`
#[derive(Debug, Subcommand)]
pub(crate) enum FactorCommand {
    /// Show a factor, never its secret
    #[command(
        after_help = "Example:\n  countersign factor show auth_factor_01M8E81GPAM7T0V3X6Y9A1C5EF --environment shop"
    )]
    Show {
        /// Its id
        id: String,
        /// Name or id of the environment; needed if there are several
        #[arg(long, short, value_name = "NAME")]
        environment: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// List a user's factors
    #[command(after_help = "Example:\n  countersign factor list --user u-4711 --environment shop")]
    List {
        /// The user's id
        #[arg(long, value_name = "ID")]
        user: String,
        /// Name or id of the environment; needed if there are several
        #[arg(long, short, value_name = "NAME")]
        environment: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Set a factor's count of wrong attempts to 0, which also lifts a lock or a stop. Recorded
    #[command(
        after_help = "Example:\n  countersign factor reset auth_factor_01M8E81GPAM7T0V3X6Y9A1C5EF --reason 'ticket 311' --user-too"
    )]
    Reset {
        /// Its id
        id: String,
        /// Why: it stands in the trail
        #[arg(long)]
        reason: String,
        /// Empty the budget of its user as well
        #[arg(long)]
        user_too: bool,
        /// Name or id of the environment; needed if there are several
        #[arg(long, short, value_name = "NAME")]
        environment: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Delete a factor for good. Recorded
    #[command(
        after_help = "Example:\n  countersign factor delete auth_factor_01M8E81GPAM7T0V3X6Y9A1C5EF --reason 'lost phone'"
    )]
    Delete {
        /// Its id
        id: String,
        /// Why: it stands in the trail
        #[arg(long)]
        reason: String,
        /// Name or id of the environment; needed if there are several
        #[arg(long, short, value_name = "NAME")]
        environment: Option<String>,
        #[command(flatten)]
        at: Where,
    },
}

/// `challenge`
#[derive(Debug, Subcommand)]
pub(crate) enum ChallengeCommand {
    /// Show a challenge, its messages and everything that happened, with reasons in plain words. Never a code
    #[command(
        after_help = "Example:\n  countersign challenge show auth_challenge_01M8E82GGRN8R2S6W9Z1D3F7H0 --environment shop"
    )]
    Show {
        /// Its id
        id: String,
        /// Name or id of the environment; needed if there are several
        #[arg(long, short, value_name = "NAME")]
        environment: Option<String>,
        #[command(flatten)]
        at: Where,
    },
}

/// `events`
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Show the newest entries of the audit trail
    #[command(
        after_help = "Example:\n  countersign events list --event factor.locked --limit 20\n  countersign events list --user u-4711 --json"
    )]
    List(ListEvents),
    /// Check the whole trail, link by link: an entry that was edited, moved or removed is found
    #[command(after_help = "Example:\n  countersign events verify")]
    Verify {
        #[command(flatten)]
        at: Where,
    },
}

/// `events list`
#[derive(Debug, Args)]
pub(crate) struct ListEvents {
    /// Of this environment
    #[arg(long, short, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Of this kind, such as factor.locked
    #[arg(long, value_name = "KIND")]
    pub(crate) event: Option<String>,
    /// On this factor
    #[arg(long, value_name = "ID")]
    pub(crate) factor: Option<String>,
    /// Of this user
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<String>,
    /// How many, the newest last
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    #[command(flatten)]
    pub(crate) at: Where,
}

/// `keys`
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a new data key and seal everything with it, while serving
    #[command(after_help = "Example:\n  countersign keys rotate --config /etc/countersign.toml")]
    Rotate {
        #[command(flatten)]
        at: Where,
    },
    /// Write a new master key to a new file that only you can read
    #[command(after_help = "Example:\n  countersign keys generate /etc/countersign/master.key")]
    Generate {
        /// The file to make; it must not exist
        file: PathBuf,
    },
    /// Wrap the data keys with another master key. Nothing sealed changes
    #[command(
        after_help = "Example:\n  countersign keys generate new.key\n  countersign keys rewrap --new-master-key-file new.key --config /etc/countersign.toml"
    )]
    Rewrap {
        /// The new master key, in a file that only you can read
        #[arg(long, value_name = "FILE")]
        new_master_key_file: PathBuf,
        #[command(flatten)]
        at: Where,
    },
    /// List the data keys
    #[command(after_help = "Example:\n  countersign keys status")]
    Status {
        #[command(flatten)]
        at: Where,
    },
}
