//! `countersign serve`: production.

use crate::{
    config::Config,
    house::{self, House},
    logs,
    masters::{self, Masters},
    server::{Plan, serve},
};
use app::{ClockGuard, Guards, Options};
use axum::Router;
use domain::environment::Mode;
use std::{path::PathBuf, sync::Arc};

/// Runs it until stopped.
pub(super) async fn run(file: PathBuf, database: Option<String>) -> anyhow::Result<()> {
    let config = Config::read(&file)?.with_database(database.as_deref())?;
    let master = masters::production(config.master_key_file.as_deref())?;
    let logs = logs::start(config.log_format, &config.log_level)?;
    for name in config.unknown_variables() {
        tracing::warn!(name, "this variable is not one of ours and is ignored");
    }
    let routing = config.providers.routing()?;
    let receivers = config.providers.receivers()?;
    let folder = house::lock(&config.data)?;
    let masters = Arc::new(Masters::new(master, None));
    let house =
        House::open(folder, config.database, masters, ClockGuard::system(), Options::default()).await?;
    if house.app.environments().is_empty() {
        tracing::warn!("there is no environment yet: make one with `countersign environment create NAME`");
    }
    warn_of_test_numbers(&house, &config.guard.guards);
    let plan = Plan {
        listen: config.listen,
        metrics_listen: config.metrics_listen,
        tls: config.tls,
        limits: config.limits,
        traces: config.traces,
        guard: config.guard.guards,
        receivers,
        dropped_lines: Some(std::sync::Arc::clone(&logs.lines)),
    };
    let announce = |address| tracing::info!(%address, "serving");
    serve(house, plan, routing, |_, _| Router::new(), announce).await
}

/// Test numbers that nobody can use are a mistake, and refused; so are environments that do not exist.
fn warn_of_test_numbers(house: &House, guards: &Guards) {
    for (name, rules) in &guards.by_environment {
        match house.app.environment(name) {
            Err(_) => tracing::warn!(%name, "[guard] names an environment that does not exist"),
            Ok(environment) if environment.mode == Mode::Live => {
                let refused = rules.test_numbers.iter().filter(|test| !test.live).count();
                let used = rules.test_numbers.len() - refused;
                if refused + used > 0 {
                    tracing::warn!(%name, used, refused, "there are test numbers for a live environment");
                }
            }
            Ok(_) => {}
        }
    }
}
