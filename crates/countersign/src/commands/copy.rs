//! `copy`: a whole store into an empty one, of either engine.

mod progress;

use crate::{
    cli::Copy,
    config::{self, Config},
    data_folder::MASTER_KEY,
    masters::{self, Masters},
    output::{say, styled},
    tables::show,
    usage::wrong,
};
use app::SystemClock;
use domain::time::Clock as _;
use progress::Line;
use secrets::MasterKey;
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc};
use store::copy::{Address, Report, copy};

/// `copy`
pub(super) async fn run(args: Copy) -> anyhow::Result<()> {
    let from = address("--from", &args.from)?;
    let to = address("--to", &args.to)?;
    if from.name() == to.name() {
        return wrong(format!("--from and --to are the same: {}", from.name()));
    }
    let master = master_key(&args, &from)?;
    let (source, target) = (from.name(), to.name());
    let mut line = Line::on_stderr();
    let done = copy(from, to, &master, SystemClock.now(), args.restart, &mut |step| line.show(step)).await;
    line.end();
    let report = done?;
    let told = told(&report, &source, &target);
    if args.json {
        say(&told.to_string());
        return Ok(());
    }
    show(&told["tables"], false, &["table", "rows"], "");
    say("");
    let brief: serde_json::Map<String, Value> = told
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(k, _)| *k != "tables")
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    show(&Value::Object(brief), false, &["from", "to"], "");
    if let Some(number) = report.broken_at {
        say(&styled(
            "31",
            &format!(
                "The trail is broken at number {number}, as it is in the source: see `countersign events verify`."
            ),
        ));
    }
    Ok(())
}

/// What there is to show of a copy.
fn told(report: &Report, from: &str, to: &str) -> Value {
    let tables: Vec<Value> = report
        .tables
        .iter()
        .map(|t| json!({ "table": t.table, "rows": t.rows, "digest": t.digest }))
        .collect();
    json!({
        "from": from,
        "to": to,
        "resumed": report.resumed,
        "rows": report.tables.iter().map(|t| t.rows).sum::<u64>(),
        "rows_written_now": report.written,
        "sealed_values_opened": report.opened,
        "last_event": report.last_event,
        "trail_whole": report.broken_at.is_none(),
        "trail_broken_at": report.broken_at,
        "tables": tables,
    })
}

/// `sqlite:DIR` or a PostgreSQL URL.
fn address(option: &str, text: &str) -> anyhow::Result<Address> {
    if let Some(folder) = text.strip_prefix("sqlite:").filter(|folder| !folder.is_empty()) {
        return Ok(Address::Sqlite(std::path::absolute(PathBuf::from(folder))?));
    }
    if !store::postgres::Options::is_url(text) {
        return wrong(format!(
            "{option}: it should be sqlite:DIR, with the data folder, or postgres://user@host/database"
        ));
    }
    match config::database(text) {
        Ok(options) => Ok(Address::Postgres(Box::new(options))),
        Err(problem) => wrong(format!("{option}: {problem}")),
    }
}

/// The master key of the source: as the configuration says, else from the environment, else dev mode's own.
fn master_key(args: &Copy, from: &Address) -> anyhow::Result<Arc<MasterKey>> {
    if let Some(file) = &args.config {
        let config = Config::read(file)?;
        return Ok(Arc::new(masters::production(config.master_key_file.as_deref())?));
    }
    match from {
        Address::Sqlite(folder) if folder.join(MASTER_KEY).exists() => {
            masters::of_folder(folder).map(|masters: Masters| masters.current())
        }
        _ => Ok(Arc::new(masters::production(None)?)),
    }
}
