//! What an operator does: each command opens the data folder, acts, and records who did it.

use crate::{Usage, open, serve};
use anyhow::{Context as _, bail};
use app::{ClockGuard, Options};
use clap::{Args, CommandFactory as _, Subcommand};
use domain::{
    environment::{Environment, Mode, Permissions, Scope},
    event::Actor,
    id::FactorId,
    time::Timestamp,
    user_id::UserId,
};
use secrets::{MasterKey, SystemEntropy};
use std::path::PathBuf;
use store::trail::ChainEnd;

/// Which store a command acts on. A server that runs on it has to be stopped first.
#[derive(Args)]
pub(crate) struct At {
    /// The data folder of a dev server.
    #[arg(long, conflicts_with = "config")]
    data: Option<PathBuf>,
    /// The configuration file of a server.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Operate {
    /// Environments: what separates one tenant from another.
    #[command(
        subcommand,
        after_help = "Example: countersign environment create acme --live --config countersign.toml"
    )]
    Environment(EnvironmentCommand),
    /// API keys of an environment: several at once, so that they can be rotated.
    #[command(
        subcommand,
        after_help = "Example: countersign api-key create --environment acme --name backend --config countersign.toml"
    )]
    ApiKey(ApiKeyCommand),
    /// Settings of an environment; `settings list` says what each one means.
    #[command(
        subcommand,
        after_help = "Example: countersign settings set --environment acme factor_lock_after 5 --config countersign.toml"
    )]
    Settings(SettingsCommand),
    /// Factors: show, list, reset, delete.
    #[command(
        subcommand,
        after_help = "Example: countersign factor reset auth_factor_01… --environment acme --reason 'caller identified at the desk' --config countersign.toml"
    )]
    Factor(FactorCommand),
    /// The key ring.
    #[command(subcommand, after_help = "Example: countersign keys rotate --config countersign.toml")]
    Keys(KeysCommand),
    /// The audit trail.
    #[command(subcommand, after_help = "Example: countersign events verify --config countersign.toml")]
    Events(EventsCommand),
    /// Copy the database to a new file.
    #[command(after_help = "Example: countersign backup /backups/today.db --config countersign.toml")]
    Backup {
        /// The new file.
        file: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Bring the database to this version's schema.
    #[command(after_help = "Example: countersign migrate --config countersign.toml")]
    Migrate {
        #[command(flatten)]
        at: At,
    },
    /// Print completions for a shell.
    #[command(after_help = "Example: countersign completions bash > /etc/bash_completion.d/countersign")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
pub(crate) enum EnvironmentCommand {
    /// Create one.
    Create {
        /// Its name.
        name: String,
        /// Hand out `sk_live_…` keys.
        #[arg(long)]
        live: bool,
        #[command(flatten)]
        at: At,
    },
    /// List them.
    List {
        #[command(flatten)]
        at: At,
    },
}

#[derive(Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Create one; it is shown this once.
    Create {
        /// Whose key.
        #[arg(long)]
        environment: String,
        /// What you call it.
        #[arg(long, default_value = "key")]
        name: String,
        /// What it may do: `all`, or enroll, read, delete, challenge, verify separated by commas.
        #[arg(long, default_value = "all")]
        allow: String,
        /// When it ends by itself, as a time (2027-01-31T00:00:00Z).
        #[arg(long)]
        expires: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// List an environment's keys.
    List {
        /// Whose keys.
        #[arg(long)]
        environment: String,
        #[command(flatten)]
        at: At,
    },
    /// Revoke one by its id, for good.
    Revoke {
        /// `key_…`
        id: String,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show one setting.
    Get {
        /// Its name.
        name: String,
        /// Of which environment.
        #[arg(long)]
        environment: String,
        #[command(flatten)]
        at: At,
    },
    /// Change one setting.
    Set {
        /// Its name.
        name: String,
        /// Its value; `default` returns it to its default.
        value: String,
        /// Of which environment.
        #[arg(long)]
        environment: String,
        #[command(flatten)]
        at: At,
    },
    /// All settings with their default, range and meaning.
    List {
        /// Of which environment.
        #[arg(long)]
        environment: String,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Subcommand)]
pub(crate) enum FactorCommand {
    /// Show one.
    Show {
        /// Its id.
        id: String,
        /// In which environment.
        #[arg(long)]
        environment: String,
        #[command(flatten)]
        at: At,
    },
    /// Set its count of wrong attempts to 0, which lifts a lock or a stop. Prefer deleting and enrolling anew.
    Reset {
        /// Its id.
        id: String,
        /// In which environment.
        #[arg(long)]
        environment: String,
        /// Why; recorded.
        #[arg(long)]
        reason: String,
        /// Empty the budget of its user too.
        #[arg(long)]
        user_too: bool,
        #[command(flatten)]
        at: At,
    },
    /// Delete it for good.
    Delete {
        /// Its id.
        id: String,
        /// In which environment.
        #[arg(long)]
        environment: String,
        /// Why; recorded.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Write a new master key to a file that only you can read.
    Generate {
        /// The new file.
        file: PathBuf,
    },
    /// Make a new data key and seal everything with it.
    Rotate {
        #[command(flatten)]
        at: At,
    },
    /// Wrap the data keys with another master key.
    Rewrap {
        /// The file of the new master key.
        #[arg(long)]
        new_master_key_file: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Show the data keys.
    Status {
        #[command(flatten)]
        at: At,
    },
}

#[derive(Subcommand)]
pub(crate) enum EventsCommand {
    /// Print the trail.
    List {
        #[command(flatten)]
        at: At,
    },
    /// Check that no entry was edited, removed or moved.
    Verify {
        #[command(flatten)]
        at: At,
    },
}

/// Who is at the keyboard, for the trail.
fn operator() -> Actor {
    Actor::Operator(
        std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "unknown".into()),
    )
}

#[allow(clippy::print_stdout, reason = "this is the command's output")]
fn say(line: impl std::fmt::Display) {
    println!("{line}");
}

impl At {
    /// The data folder, its master key and its clock.
    async fn open(&self) -> anyhow::Result<(open::Opened, MasterKey)> {
        let (data, master, clock) = if let Some(config) = &self.config {
            let config = serve::read(config)?;
            let master = open::master_key(config.master_key_file.as_deref())?;
            (config.data, master, ClockGuard::system())
        } else {
            let data = self.data.clone().unwrap_or_else(open::dev_folder);
            if !data.join("master.key").exists() {
                let why = format!(
                    "{} is no dev server's data folder; name one with --data, or a server with --config",
                    data.display()
                );
                return Err(Usage(why).into());
            }
            let master = open::dev_master_key(&data)?;
            (data, master, ClockGuard::movable(Box::new(app::SystemClock)))
        };
        Ok((open::open(&data, &master, clock, Options::default()).await?, master))
    }
}

fn factor_id(text: &str) -> anyhow::Result<FactorId> {
    FactorId::parse(text)
        .ok_or_else(|| Usage("a factor's id is auth_factor_ and 26 characters".into()).into())
}

impl Operate {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Environment(command) => command.run().await,
            Self::ApiKey(command) => command.run().await,
            Self::Settings(command) => command.run().await,
            Self::Factor(command) => command.run().await,
            Self::Keys(command) => command.run().await,
            Self::Events(command) => command.run().await,
            Self::Migrate { at } => {
                at.open().await?;
                say("the database has this version's schema");
                Ok(())
            }
            Self::Backup { file, at } => {
                let (opened, _) = at.open().await?;
                store::sqlite::backup(opened.engine.path(), &file, &mut |_, _| {})
                    .map_err(anyhow::Error::msg)?;
                say(format_args!(
                    "{} holds a checked copy; it is of no use without the master key",
                    file.display()
                ));
                Ok(())
            }
            Self::Completions { shell } => {
                clap_complete::generate(
                    shell,
                    &mut crate::Cli::command(),
                    "countersign",
                    &mut std::io::stdout(),
                );
                Ok(())
            }
        }
    }
}

impl EnvironmentCommand {
    async fn run(self) -> anyhow::Result<()> {
        let show =
            |e: &Environment| say(format_args!("{}  {}  {}  {}", e.id, e.name, e.mode.word(), e.client_id));
        match self {
            Self::Create { name, live, at } => {
                let (opened, _) = at.open().await?;
                let mode = if live { Mode::Live } else { Mode::Test };
                show(&*opened.app.create_environment(operator(), &name, mode).await?);
            }
            Self::List { at } => at.open().await?.0.app.environments().iter().for_each(|e| show(e)),
        }
        Ok(())
    }
}

impl ApiKeyCommand {
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create { environment, name, allow, expires, at } => {
                let allow = Permissions::parse(&allow).ok_or_else(|| {
                    Usage("--allow takes all, or enroll, read, delete, challenge, verify".into())
                })?;
                let expires = expires
                    .map(|t| {
                        Timestamp::parse(&t).ok_or_else(|| {
                            Usage("--expires takes a time such as 2027-01-31T00:00:00Z".into())
                        })
                    })
                    .transpose()?;
                let (opened, _) = at.open().await?;
                let environment = opened.app.environment(&environment)?;
                let (id, key) =
                    opened.app.create_api_key(operator(), &environment, &name, allow, expires).await?;
                say(format_args!("{id}  {}\nThis is the only time the key is shown.", key.reveal()));
            }
            Self::List { environment, at } => {
                let (opened, _) = at.open().await?;
                for key in opened.app.api_keys(&*opened.app.environment(&environment)?) {
                    let state = if key.revoked_at.is_some() { "revoked" } else { "in use" };
                    let used =
                        key.last_used_at.map_or_else(|| "never used".into(), |t| format!("last used {t}"));
                    say(format_args!(
                        "{}  {}  {}  {}  {state}  {used}",
                        key.id,
                        key.hint,
                        key.name,
                        key.permissions.words()
                    ));
                }
            }
            Self::Revoke { id, at } => {
                let key = at.open().await?.0.app.revoke_api_key(operator(), &id).await?;
                say(format_args!("{} is revoked", key.hint));
            }
        }
        Ok(())
    }
}

impl SettingsCommand {
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Get { name, environment, at } => {
                let (opened, _) = at.open().await?;
                let value = opened.app.environment(&environment)?.settings.get(&name);
                say(value
                    .with_context(|| format!("there is no setting {name}; `settings list` shows them"))?);
            }
            Self::Set { name, value, environment, at } => {
                let (opened, _) = at.open().await?;
                let environment = opened.app.environment(&environment)?;
                let value = Some(value.as_str()).filter(|v| *v != "default");
                let settings = opened.app.change_setting(operator(), &environment, &name, value).await;
                let settings = settings.map_err(|e| Usage(e.to_string()))?;
                say(format_args!("{name} = {}", settings.get(&name).unwrap_or_default()));
            }
            Self::List { environment, at } => {
                let (opened, _) = at.open().await?;
                let environment = opened.app.environment(&environment)?;
                for spec in domain::settings::catalogue() {
                    let value = environment.settings.get(spec.name).unwrap_or_default();
                    say(format_args!(
                        "{} = {value}\n    {} Default {}; {}.",
                        spec.name, spec.meaning, spec.default_text, spec.range_text
                    ));
                }
            }
        }
        Ok(())
    }
}

impl FactorCommand {
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Show { id, environment, at } => {
                let id = factor_id(&id)?;
                let (opened, _) = at.open().await?;
                let scope = Scope::of_operator(&*opened.app.environment(&environment)?);
                let factor = opened.app.find_factor(scope, id).await?.context("there is no such factor")?;
                say(format_args!("{}  {}", factor.id, factor.details.kind().word()));
                say(format_args!(
                    "  user                  {}",
                    factor.user.as_ref().map_or("-", UserId::as_str)
                ));
                say(format_args!(
                    "  verified              {}",
                    factor.verified_at.map_or("never".into(), |t| t.to_string())
                ));
                say(format_args!("  wrong attempts in row {}", factor.budget.wrong_in_a_row));
                say(format_args!(
                    "  locked until          {}",
                    factor.budget.locked_until.map_or("-".into(), |t| t.to_string())
                ));
            }
            Self::Reset { id, environment, reason, user_too, at } => {
                let id = factor_id(&id)?;
                let (opened, _) = at.open().await?;
                let environment = opened.app.environment(&environment)?;
                if opened.app.reset_factor(operator(), &environment, id, user_too, reason).await?.is_err() {
                    bail!("there is no such factor");
                }
                say("its count of wrong attempts is 0");
            }
            Self::Delete { id, environment, reason, at } => {
                let id = factor_id(&id)?;
                let (opened, _) = at.open().await?;
                let scope = Scope::of_operator(&*opened.app.environment(&environment)?);
                if opened.app.delete_factor(scope, operator(), id, Some(reason)).await?.is_err() {
                    bail!("there is no such factor");
                }
                say("deleted");
            }
        }
        Ok(())
    }
}

impl KeysCommand {
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Generate { file } => {
                let key = MasterKey::generate(&SystemEntropy)?;
                open::write_private(&file, key.to_text().as_bytes())?;
                say(format_args!(
                    "{} holds a new master key; keep a copy where the backups are not",
                    file.display()
                ));
            }
            Self::Rotate { at } => {
                let (opened, master) = at.open().await?;
                let id = opened.app.rotate_keys(operator(), &master).await?;
                let done = opened.app.reseal(&|_| {}).await?;
                say(format_args!(
                    "data key {id} seals from now on; {} of {} values were sealed anew",
                    done.changed, done.seen
                ));
            }
            Self::Rewrap { new_master_key_file, at } => {
                let new = MasterKey::from_file(&new_master_key_file)?;
                let (opened, old) = at.open().await?;
                let count = opened.app.rewrap_keys(operator(), &old, &new).await?;
                say(format_args!(
                    "{count} data keys are wrapped by the new master key; start with that one from now on"
                ));
            }
            Self::Status { at } => {
                let (opened, _) = at.open().await?;
                for key in opened.app.data_keys().await? {
                    let state = if key.retired { "retired" } else { "in use" };
                    let made = Timestamp::from_millis(key.created_at_ms);
                    say(format_args!("{}  {}  {state}  made {made}", key.id, key.purpose.as_str()));
                }
            }
        }
        Ok(())
    }
}

impl EventsCommand {
    async fn run(self) -> anyhow::Result<()> {
        let (print, at) = match self {
            Self::List { at } => (true, at),
            Self::Verify { at } => (false, at),
        };
        let (opened, _) = at.open().await?;
        let (mut end, mut count) = (ChainEnd::default(), 0_usize);
        loop {
            let page = opened.app.read_trail(end, 500).await?;
            for entry in page.entries.iter().filter(|_| print) {
                let factor = entry.factor.map(|id| FactorId::from_bytes(id).to_string()).unwrap_or_default();
                let detail = entry.detail.as_deref().unwrap_or("");
                say(format_args!(
                    "{}  {}  {}  {}  {factor}  {detail}",
                    entry.seq, entry.at, entry.kind, entry.actor
                ));
            }
            count += page.entries.len();
            if let Some(seq) = page.broken_at {
                bail!(
                    "the trail is broken at entry {seq}: it was edited, removed or moved; {count} entries before it hold"
                );
            }
            if page.entries.is_empty() {
                break;
            }
            end = page.end;
        }
        if !print {
            say(format_args!("{count} entries, every link holds"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_none_is_a_usage_error() {
        assert!(factor_id("x").unwrap_err().is::<Usage>());
    }

    #[test]
    fn the_command_line_is_consistent() {
        crate::Cli::command().debug_assert();
    }
}
