//! What PostgreSQL cannot give: an answer at the start, a free connection, a standby to wait for, room
//! on its disk (fault 9). A node refuses or
//! answers with 503, stays, and goes on when it is there again.
use crate::{
    dice::Dice,
    history::Journal,
    load::Load,
    nodes::Nodes,
    postgres::{Postgres, url},
    run::Run,
    server::{Plan, free_port},
    witness::Witness,
};
use std::{fs::File, io::Write, path::PathBuf, process::Command, sync::Arc, time::Duration};

const CALLERS: (u64, usize) = (8, 400);
const PATIENCE: Duration = Duration::from_secs(15);
/// Room for the files of a new PostgreSQL and two segments of its log, in megabytes.
const SMALL: usize = 128;

/// Runs all of them.
///
/// # Errors
/// One sentence if the run cannot go on, or anything was violated.
pub(crate) async fn run(run: &Run) -> Result<String, String> {
    nobody_there(run).await?;
    let journal = Arc::new(Journal::create(&run.folder.join("history.jsonl")).map_err(|e| e.to_string())?);
    let no_connection = no_free_connection(run, &journal).await.map_err(|e| format!("pool: {e}"))?;
    let no_standby = no_standby(run, &journal).await.map_err(|e| format!("no standby: {e}"))?;
    let small = match Small::mount(run.folder.join("small")) {
        Some(small) => format!("disk full: {}", disk_full(run, &journal, &small).await?),
        None => "disk full: not tried, as only root may mount a small file system".to_owned(),
    };
    Ok(format!(
        "pg-limits: seed {}; nobody there: refused; pool: {no_connection}; no standby: {no_standby}; {small}",
        run.seed
    ))
}

/// Without its database a node does not start, and says why in a line.
async fn nobody_there(run: &Run) -> Result<(), String> {
    let plan = Plan::new(&run.binary, &run.folder.join("alone"))?;
    let plan = plan.with_database(url(&[free_port()?], "faults", ""));
    let status = plan.start(&[])?.exit_within(PATIENCE).await;
    let said = std::fs::read_to_string(&plan.log).map_err(|e| e.to_string())?;
    let named = said.contains("127.0.0.1") && said.contains("PostgreSQL");
    match status.map(|status| status.code()) {
        Some(Some(1)) if named && said.lines().count() == 1 => Ok(()),
        other => Err(format!("nobody there: the node ended with {other:?} and said {said:?}")),
    }
}

/// Two connections of each node, which wait for a lock that somebody else holds.
async fn no_free_connection(run: &Run, journal: &Arc<Journal>) -> Result<String, String> {
    let postgres = Postgres::start(&run.folder.join("postgres"), &[]).await?;
    postgres.database("faults").await?;
    let at = url(&[postgres.port], "faults", "&pool_size=2");
    let mut nodes = Nodes::on(run, "pool-", [at.clone(), at]).await?;
    let hold = "BEGIN; LOCK TABLE factor IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(6); COMMIT";
    let hold = async || postgres.sql("faults", hold).await.map(drop);
    watched(run, journal, &mut nodes, hold, async || Ok(())).await
}

/// COMMIT waits for a standby that is not there: what a node has given up comes about when it is waited for no longer.
async fn no_standby(run: &Run, journal: &Arc<Journal>) -> Result<String, String> {
    let postgres = Postgres::start(&run.folder.join("waiting"), &[]).await?;
    postgres.database("faults").await?;
    let at = url(&[postgres.port], "faults", "");
    let mut nodes = Nodes::on(run, "standby-", [at.clone(), at]).await?;
    let wait_for = async |standby: &str| {
        postgres
            .sql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{standby}'"))
            .await?;
        postgres.sql("postgres", "SELECT pg_reload_conf()").await
    };
    let away = async || {
        wait_for("nobody").await?;
        tokio::time::sleep(Duration::from_secs(8)).await;
        Ok(())
    };
    let back = async || wait_for("").await.map(drop);
    watched(run, journal, &mut nodes, away, back).await
}

/// No byte is left where PostgreSQL writes; then there is room again.
async fn disk_full(run: &Run, journal: &Arc<Journal>, small: &Small) -> Result<String, String> {
    let settings =
        ["max_wal_size = 32MB", "min_wal_size = 32MB", "shared_buffers = 16MB", "log_min_messages = panic"];
    let postgres = Postgres::start(&small.0.join("postgres"), &settings).await?;
    postgres.database("faults").await?;
    let at = url(&[postgres.port], "faults", "");
    let mut nodes = Nodes::on(run, "disk-", [at.clone(), at]).await?;
    let filler = small.0.join("filler");
    let fill = async || {
        let mut file = File::create(&filler).map_err(|e| e.to_string())?;
        let piece = vec![1; 64 * 1024];
        while file.write_all(&piece).is_ok() {}
        // A segment of the log that is begun still has room: it has to be used up.
        tokio::time::sleep(Duration::from_secs(4)).await;
        Ok(())
    };
    let free = async || {
        std::fs::remove_file(&filler).map_err(|e| e.to_string())?;
        // A log that cannot be written ends the server, and a supervisor starts it again.
        match postgres.sql("postgres", "SELECT 1").await {
            Ok(_) => Ok(()),
            Err(_) => postgres.go_on(&[]).await,
        }
    };
    watched(run, journal, &mut nodes, fill, free).await.map_err(|e| format!("disk full: {e}"))
}

/// Load while something is taken away and given back.
async fn watched(
    run: &Run,
    journal: &Arc<Journal>,
    nodes: &mut Nodes,
    take: impl AsyncFnOnce() -> Result<(), String>,
    give: impl AsyncFnOnce() -> Result<(), String>,
) -> Result<String, String> {
    let (front, mut dice) = (nodes.front()?, Dice::new(run.seed));
    let load = Load::start(&front, journal, &mut dice, CALLERS, PATIENCE);
    tokio::time::sleep(Duration::from_millis(200)).await;
    take().await?;
    give().await?;
    nodes.work_again(journal, PATIENCE).await?;
    let factors = load.stop().await?;
    nodes.still_there()?;
    let mut witness = Witness::default();
    witness.look(&front, journal, &mut dice, factors).await?;
    let clean = witness.clean(run, "pg-limits");
    if clean && witness.accepted > 0 && witness.busy > 0 {
        Ok(witness.to_string())
    } else {
        Err(witness.to_string())
    }
}

/// A small file system in memory, for as long as it lives.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf) -> Option<Small> {
        std::fs::create_dir_all(&at).ok()?;
        let size = format!("size={SMALL}m,mode=755");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output().ok()?;
        mounted.status.success().then_some(Small(at))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}
