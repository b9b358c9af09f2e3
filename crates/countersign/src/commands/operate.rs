//! Commands that have one thing done and print what came of it.

use crate::{
    cli::{
        ApiKeyCommand, ChallengeCommand, EnvironmentCommand, EventsCommand, FactorCommand, KeysCommand,
        SettingsCommand, Where,
    },
    config::Config,
    control,
    data_folder::{create_secret, default_dev_folder},
    masters::{self, Masters},
    operator::{Request, WantedEvents, WantedKey},
    output::{bold, say},
    tables::show,
    usage::wrong,
};
use anyhow::Context as _;
use secrets::{MasterKey, SystemEntropy};
use serde_json::Value;
use std::path::PathBuf;

/// Has a request done on the store that `at` names.
pub(super) async fn ask(at: &Where, request: Request) -> anyhow::Result<Value> {
    if let Some(file) = &at.config {
        let config = Config::read(file)?.with_database(at.database.as_deref())?;
        let key = || Ok(Masters::new(masters::production(config.master_key_file.as_deref())?, None));
        return control::ask(&config.data, config.database.clone(), key, request).await;
    }
    let database = at.database.as_deref().map(crate::config::database).transpose();
    let database = database.or_else(|e| wrong(format!("--database: {e}")))?;
    let folder = at.data.clone().unwrap_or_else(default_dev_folder);
    control::ask(&folder, database, || masters::of_folder(&folder), request).await
}

/// What is shown first of each kind of thing.
const SETTING: [&str; 4] = ["name", "value", "default", "allowed"];
const KEY: [&str; 3] = ["key", "id", "environment"];
const FACTOR: [&str; 5] = ["id", "type", "user_id", "state", "wrong_in_a_row"];

async fn ask_and_show(at: Where, request: Request, first: &[&str]) -> anyhow::Result<()> {
    ask_and_list(at, request, first, "").await
}

async fn ask_and_list(at: Where, request: Request, columns: &[&str], nothing: &str) -> anyhow::Result<()> {
    show(&ask(&at, request).await?, at.json, columns, nothing);
    Ok(())
}

/// `environment`
pub(super) async fn environment(command: EnvironmentCommand) -> anyhow::Result<()> {
    match command {
        EnvironmentCommand::Create { name, live, at } => {
            ask_and_show(at, Request::CreateEnvironment { name, live }, &["name", "id"]).await
        }
        EnvironmentCommand::List { at } => {
            let columns = ["name", "mode", "client_id", "id"];
            ask_and_list(at, Request::ListEnvironments, &columns, "There is no environment yet.").await
        }
    }
}

/// `api-key`
pub(super) async fn api_key(command: ApiKeyCommand) -> anyhow::Result<()> {
    match command {
        ApiKeyCommand::Create(args) => {
            let at = args.at;
            let wanted = WantedKey {
                environment: args.environment,
                name: args.name,
                allow: args.allow,
                expires: args.expires,
            };
            let made = ask(&at, Request::CreateApiKey(wanted)).await?;
            show(&made, at.json, &KEY, "");
            if !at.json {
                say(&format!("\n{}", bold("Keep the key now: it is not shown again.")));
            }
            Ok(())
        }
        ApiKeyCommand::List { environment, at } => {
            let columns =
                ["id", "environment", "name", "key", "state", "allow", "expires_at", "last_used_at"];
            ask_and_list(at, Request::ListApiKeys { environment }, &columns, "There is no API key yet.").await
        }
        ApiKeyCommand::Revoke { id, at } => {
            ask_and_show(at, Request::RevokeApiKey { id }, &["name", "id"]).await
        }
    }
}

/// `settings`
pub(super) async fn settings(command: SettingsCommand) -> anyhow::Result<()> {
    match command {
        SettingsCommand::Get { name, environment, at } => {
            ask_and_show(at, Request::GetSetting { environment, name }, &SETTING).await
        }
        SettingsCommand::Set { name, value, environment, at } => {
            let value = Some(value).filter(|value| value != "default");
            ask_and_show(at, Request::SetSetting { environment, name, value }, &SETTING).await
        }
        SettingsCommand::List { environment, at } => {
            ask_and_list(
                at,
                Request::ListSettings { environment },
                &["name", "value", "default", "allowed"],
                "",
            )
            .await
        }
    }
}

/// `factor`
pub(super) async fn factor(command: FactorCommand) -> anyhow::Result<()> {
    match command {
        FactorCommand::Show { id, environment, at } => {
            ask_and_show(at, Request::ShowFactor { environment, factor: id }, &FACTOR).await
        }
        FactorCommand::List { user, environment, at } => {
            let columns = ["id", "type", "state", "wrong_in_a_row", "created_at", "verified_at"];
            let nothing = "This user has no factor here.";
            ask_and_list(at, Request::ListFactors { environment, user }, &columns, nothing).await
        }
        FactorCommand::Reset { id, reason, user_too, environment, at } => {
            ask_and_show(
                at,
                Request::ResetFactor { environment, factor: id, user_too, reason },
                &["name", "id"],
            )
            .await
        }
        FactorCommand::Delete { id, reason, environment, at } => {
            ask_and_show(at, Request::DeleteFactor { environment, factor: id, reason }, &["name", "id"]).await
        }
    }
}

/// `challenge`
pub(super) async fn challenge(command: ChallengeCommand) -> anyhow::Result<()> {
    let ChallengeCommand::Show { id, environment, at } = command;
    let mut shown = ask(&at, Request::ShowChallenge { environment, challenge: id }).await?;
    if at.json {
        show(&shown, true, &[], "");
        return Ok(());
    }
    let mut taken =
        |name: &str| shown.as_object_mut().and_then(|fields| fields.remove(name)).unwrap_or_default();
    let (deliveries, timeline) = (taken("deliveries"), taken("timeline"));
    show(&shown, false, &["id", "state", "type"], "");
    if deliveries.as_array().is_some_and(|all| !all.is_empty()) {
        say("");
        show(&deliveries, false, &["id", "channel", "state", "provider", "message_id"], "");
    }
    say("");
    show(&timeline, false, &["at", "event", "text"], "");
    Ok(())
}

/// `events`
pub(super) async fn events(command: EventsCommand) -> anyhow::Result<()> {
    match command {
        EventsCommand::List(args) => {
            let wanted = WantedEvents {
                environment: args.environment,
                event: args.event,
                factor: args.factor,
                user: args.user,
                limit: args.limit.into(),
            };
            let columns = ["seq", "at", "event", "actor", "factor_id", "user_id", "detail"];
            ask_and_list(args.at, Request::ListEvents(wanted), &columns, "There is no such event.").await
        }
        EventsCommand::Verify { at } => ask_and_show(at, Request::VerifyEvents, &[]).await,
    }
}

/// `keys`
pub(super) async fn keys(command: KeysCommand) -> anyhow::Result<()> {
    match command {
        KeysCommand::Rotate { at } => ask_and_show(at, Request::RotateKeys, &[]).await,
        KeysCommand::Generate { file } => {
            let key = MasterKey::generate(&SystemEntropy)?.to_text();
            create_secret(&file, &format!("{}\n", *key))
                .with_context(|| format!("{} cannot be made", file.display()))?;
            say(&format!("{} holds a new master key; keep a copy where the backups are not", file.display()));
            Ok(())
        }
        KeysCommand::Rewrap { new_master_key_file, at } => {
            let new_key_file = std::path::absolute(new_master_key_file)?;
            ask_and_show(at, Request::RewrapKeys { new_key_file }, &["name", "id"]).await
        }
        KeysCommand::Status { at } => {
            ask_and_list(at, Request::KeysStatus, &["key", "purpose", "state", "created_at"], "").await
        }
    }
}

/// `backup`
pub(super) async fn backup(file: PathBuf, at: Where) -> anyhow::Result<()> {
    let target = std::path::absolute(file)?;
    ask_and_show(at, Request::Backup { target }, &["name", "id"]).await
}

/// `replay-floor`
pub(super) async fn replay_floor(reason: String, at: Where) -> anyhow::Result<()> {
    ask_and_show(at, Request::SetReplayFloor { reason }, &[]).await
}

/// `migrate`
pub(super) async fn migrate(at: Where) -> anyhow::Result<()> {
    ask_and_show(at, Request::Migrate, &[]).await
}
