//! `restore`: a backup takes the place of the database, above a replay floor.
//!
//! Everything is prepared in a folder of its own and put in place at the end, so a restore that breaks off changes nothing
//! or is done again.

use crate::{
    cli::Where,
    config::Config,
    control::user_name,
    data_folder::{MASTER_KEY, default_dev_folder},
    house::House,
    masters::{self, Masters},
    operator::{Operator, Request, Since},
    tables::show,
};
use anyhow::{Context as _, anyhow, bail};
use app::{ClockGuard, Options, SystemClock};
use domain::{event::Actor, time::Clock as _};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use store::{
    sqlite::{self, DataFolder},
    trail::ChainEnd,
};

/// `restore`
pub(super) async fn run(file: PathBuf, replace: bool, at: Where) -> anyhow::Result<()> {
    let file = std::path::absolute(file)?;
    let (folder, masters) = store_of(&at)?;
    let masters = Arc::new(masters);
    let is_dev = folder.join(MASTER_KEY).exists();
    let locked = DataFolder::lock_for_restore(&folder)?;
    if locked.has_database() && !replace {
        bail!("{} has a database already; with --replace it is kept in a folder beside", folder.display());
    }
    sqlite::check_backup(&file)?;
    let draft = locked.begin_restore()?;
    copy(&file, draft.database()).await?;
    let restored =
        open(draft, &masters, is_dev).await.with_context(|| format!("{} does not open", file.display()))?;
    let end = Operator::of(&restored).trail_end().await.map_err(|why| anyhow!(why))?;
    let aside = format!("replaced-{}", SystemClock.now().millis());
    let since = if locked.has_database() { since(&locked, &masters, is_dev, end).await } else { None };
    let report = finish(&restored, &file, since).await?;
    let prepared = restored.path();
    restored.close();
    let draft = DataFolder::lock_for_restore(&prepared)?;
    copy(&draft.database(), draft.ready()).await?;
    let kept = locked.finish_restore(draft, &aside)?;
    let mut report = report;
    if kept.exists() {
        report["replaced"] = json!(kept.display().to_string());
    }
    show(&report, at.json, &["restored"], "");
    Ok(())
}

/// The data folder and the master key that `at` names.
fn store_of(at: &Where) -> anyhow::Result<(PathBuf, Masters)> {
    let elsewhere = "a PostgreSQL database is restored by its own tools, such as pg_restore; set the replay floor after \
                     that, with `countersign replay-floor`";
    if at.database.is_some() {
        bail!(elsewhere);
    }
    match &at.config {
        Some(file) => {
            let config = Config::read(file)?;
            if config.database.is_some() {
                bail!(elsewhere);
            }
            let key = masters::production(config.master_key_file.as_deref())?;
            Ok((config.data, Masters::new(key, None)))
        }
        None => {
            let folder = at.data.clone().unwrap_or_else(default_dev_folder);
            let masters = masters::of_folder(&folder)?;
            Ok((folder, masters))
        }
    }
}

async fn copy(from: &Path, to: PathBuf) -> anyhow::Result<()> {
    let from = from.to_owned();
    // The folder makes an empty file when asked for its database; the copy wants to make its own.
    if to.metadata().is_ok_and(|m| m.len() == 0) {
        std::fs::remove_file(&to)?;
    }
    let copied = tokio::task::spawn_blocking(move || sqlite::backup(&from, &to, &mut |_, _| {}));
    copied.await?.map_err(|why| anyhow!(why))
}

async fn open(folder: DataFolder, masters: &Arc<Masters>, is_dev: bool) -> anyhow::Result<House> {
    let clock = if is_dev { ClockGuard::movable(Box::new(SystemClock)) } else { ClockGuard::system() };
    House::open(folder, None, Arc::clone(masters), clock, Options { lenient_keys: is_dev }).await
}

/// What the replaced database's trail says of the time after the backup, or why that is not known.
async fn since(
    locked: &DataFolder,
    masters: &Arc<Masters>,
    is_dev: bool,
    end: ChainEnd,
) -> Option<Result<Since, String>> {
    let copied = locked.path().join("restore.new").join("replaced");
    let read = async {
        let folder = DataFolder::lock_for_restore(&copied)?;
        copy(&locked.path().join("countersign.db"), folder.database()).await?;
        let house = open(folder, masters, is_dev).await?;
        let since = Operator::of(&house).since(end).await;
        house.close();
        since.map_err(|why| anyhow!(why))
    };
    Some(read.await.map_err(|e: anyhow::Error| format!("{e:#}")))
}

/// Redoes what is known, sets the floor, and reports.
async fn finish(
    restored: &House,
    file: &Path,
    since: Option<Result<Since, String>>,
) -> anyhow::Result<Value> {
    let operator = Operator::of(restored);
    let actor = || Actor::Operator(user_name(rustix::process::getuid().as_raw()));
    let mut report = json!({ "restored": file.display().to_string() });
    match since {
        Some(Ok(since)) => {
            report["since_the_backup"] = operator.redo(&since, actor()).await.map_err(|why| anyhow!(why))?;
        }
        Some(Err(why)) => report["since_the_backup"] = json!(format!("not known: {why}")),
        None => report["since_the_backup"] = json!("not known: there was no database to replace"),
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let reason: String =
        format!("restored from {name}").chars().filter(|c| !c.is_control()).take(100).collect();
    let floor = operator.execute(Request::SetReplayFloor { reason }, actor()).await;
    report["replay_floor"] = floor.map_err(|why| anyhow!(why))?;
    Ok(report)
}
