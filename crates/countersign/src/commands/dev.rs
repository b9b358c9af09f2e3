//! `countersign dev`: a faithful test double, with zero configuration.

use crate::{
    cli::Dev,
    data_folder::{self, MASTER_KEY, default_dev_folder},
    dev::{Helpers, Welcome, routes},
    house::{self, House},
    logs,
    masters::Masters,
    output::say,
    server::{Plan, serve},
    usage::wrong,
};
use app::{App, ClockGuard, DevClock, Guards, Options};
use delivery::{Mailbox, Routing};
use domain::{
    environment::{Environment, Mode, Permissions},
    event::Actor,
};
use edge::Limits;
use secrets::{ApiKeyText, SystemEntropy};
use std::{collections::BTreeMap, sync::Arc};

/// The environment that dev mode works in.
pub(super) const ENVIRONMENT: &str = "default";
/// The key of the official emulator (W15).
const EMULATOR_KEY: &str = "sk_test_default";

/// Runs it until stopped.
pub(super) async fn run(args: Dev) -> anyhow::Result<()> {
    if !args.listen.ip().is_loopback() && !args.allow_remote {
        return wrong(format!(
            "--listen {} can be reached by other machines, and whoever reaches dev mode reads every code; listen on \
             127.0.0.1, or add --allow-remote if that is meant",
            args.listen
        ));
    }
    let given = match args.api_key.as_deref().map(ApiKeyText::parse_lenient) {
        Some(None) => {
            return wrong(
                "--api-key must be sk_test_ and 1 to 120 visible ASCII characters, such as sk_test_mine",
            );
        }
        Some(key) => key,
        None => None,
    };
    let database = args.database.as_deref().map(crate::config::database).transpose();
    let database = database.or_else(|e| wrong(format!("--database: {e}")))?;
    let path = args.data.unwrap_or_else(default_dev_folder);
    let logs = logs::start(logs::Format::Text, "info")?;
    let folder = house::lock(&path)?;
    data_folder::ignore_in_git(&path);
    let master = data_folder::dev_master_key(&path, &SystemEntropy)?;
    let key = data_folder::dev_api_key(&path, given, &SystemEntropy)?;
    let masters = Arc::new(Masters::new(master, Some(path.join(MASTER_KEY))));
    let clock = Arc::new(DevClock::default());
    let guard = ClockGuard::movable(Box::new(Arc::clone(&clock)));
    let house = House::open(folder, database, masters, guard, Options { lenient_keys: true }).await?;
    let environment = furnish(&house.app, &key).await?;
    for setting in &args.setting {
        let Some((name, value)) = setting.split_once('=') else {
            return wrong(format!("--setting {setting}: write NAME=VALUE, such as rate_limit=0"));
        };
        let (name, value) = (name.trim(), value.trim());
        if environment.settings.get(name).as_deref() == Some(value) {
            continue;
        }
        let changed = house.app.change_setting(Actor::Server, &environment, name, Some(value)).await;
        changed.or_else(|e| wrong(format!("--setting {name}: {e}")))?;
    }

    let mailbox = Arc::new(Mailbox::default());
    let plan = Plan {
        listen: args.listen,
        metrics_listen: args.metrics_listen,
        tls: None,
        limits: Limits::default(),
        traces: None,
        guard: Guards::default(),
        receivers: BTreeMap::new(),
        dropped_lines: Some(std::sync::Arc::clone(&logs.lines)),
    };
    let welcome = |address| Welcome {
        address,
        api_key: key.reveal().to_owned(),
        client_id: environment.client_id.clone(),
    };
    let extra = |app: &App, address| {
        let (app, mailbox, welcome) = (app.clone(), Arc::clone(&mailbox), welcome(address));
        routes(Helpers { app, clock, mailbox, welcome })
    };
    let announce = |address| say(&welcome(address).text(&path.display().to_string()));
    let routing = Routing::only("mailbox", Arc::<Mailbox>::clone(&mailbox));
    serve(house, plan, routing, extra, announce).await
}

/// Makes the environment and lets the keys in, unless that was done before.
pub(super) async fn furnish(app: &App, key: &ApiKeyText) -> anyhow::Result<Arc<Environment>> {
    let environment = match app.environment(ENVIRONMENT) {
        Ok(found) => found,
        Err(_) => app.create_environment(Actor::Server, ENVIRONMENT, Mode::Test).await?,
    };
    let emulators = ApiKeyText::parse_lenient(EMULATOR_KEY);
    for (name, key) in [("dev", Some(key)), ("emulator", emulators.as_ref())] {
        if let Some(key) = key {
            app.add_api_key(Actor::Server, &environment, name, key, Permissions::FULL, None).await?;
        }
    }
    Ok(environment)
}
