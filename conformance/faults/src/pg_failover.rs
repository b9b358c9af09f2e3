//! The primary is killed and its synchronous standby promoted, under the load of two nodes whose URL names both (fault
//! 10): success comes back within ten seconds, nothing acknowledged is lost and nothing accepted twice.
use crate::{
    caller::Caller, checker::Kind, dice::Dice, history::Journal, load::Load, nodes::Nodes,
    postgres::Postgres, postgres::url, run::Run, witness::Witness,
};
use loadgen::stats::Latencies;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const CALLERS: (u64, usize) = (8, 400);
const PATIENCE: Duration = Duration::from_secs(15);
/// The first success after the kill.
const SUCCESS_WITHIN: Duration = Duration::from_secs(10);

/// Fails over `cycles` times, each with a primary and a standby of its own. If `planted`, the primary does not wait for
/// the standby, which has stopped following: what is lost then has to be found.
///
/// # Errors
/// One sentence if the run cannot go on, anything was violated, or what was planted was not found.
pub(crate) async fn run(run: &Run, cycles: u64, planted: bool) -> Result<String, String> {
    let journal = Arc::new(Journal::create(&run.folder.join("history.jsonl")).map_err(|e| e.to_string())?);
    let mut dice = Dice::new(run.seed);
    let (mut all, mut back) = (Witness::default(), Latencies::default());
    for cycle in 0..cycles {
        // Each has a database of its own, so nothing is remembered from one to the next.
        let mut witness = Witness::default();
        back.push(fail_over(run, cycle, planted, &journal, &mut dice, &mut witness).await?);
        let found = |kind| witness.violations.iter().any(|v| v.kind == kind);
        if planted {
            if !found(Kind::LostFactor) && !found(Kind::LostChallenge) {
                return Err(format!("pg-failover: what was lost on purpose was not found: {witness}"));
            }
        } else if !witness.clean(run, &format!("cycle {cycle}")) {
            return Err(format!("pg-failover: cycle {cycle}, seed {}; {witness}", run.seed));
        }
        all.add(witness);
    }
    let max = back.quantile_ms(1.0);
    let what = if planted { " with an asynchronous standby, planted and found" } else { "" };
    let line = format!(
        "pg-failover{what}: {cycles} cycles, seed {}; {all}; first success after max {max:.0} ms",
        run.seed
    );
    let in_time = max <= SUCCESS_WITHIN.as_secs_f64() * 1e3;
    if all.accepted > 0 && in_time { Ok(line) } else { Err(line) }
}

async fn fail_over(
    run: &Run,
    cycle: u64,
    planted: bool,
    journal: &Arc<Journal>,
    dice: &mut Dice,
    witness: &mut Witness,
) -> Result<Duration, String> {
    let name = |what: &str| run.folder.join(format!("{cycle}-{what}"));
    let primary = Postgres::start(&name("primary"), &[]).await?;
    primary.database("faults").await?;
    let standby = primary.standby(&name("standby")).await?;
    if !planted {
        primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'").await?;
        primary.sql("postgres", "SELECT pg_reload_conf()").await?;
        follows(&primary).await?;
    }
    let at = url(&[primary.port, standby.port], "faults", "&target_session_attrs=read-write");
    let mut nodes = Nodes::on(run, &format!("{cycle}-"), [at.clone(), at]).await?;
    let front = nodes.front()?;
    if planted {
        // It has all up to here.
        tokio::time::sleep(Duration::from_millis(500)).await;
        standby.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''").await?;
        standby.sql("postgres", "SELECT pg_reload_conf()").await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let load = Load::start(&front, journal, dice, CALLERS, PATIENCE);
    tokio::time::sleep(Duration::from_micros(300_000 + dice.below(400_000))).await;
    let begun = Instant::now();
    primary.kill().await?;
    // Whoever watches over them takes a while.
    tokio::time::sleep(Duration::from_millis(dice.below(1_000))).await;
    standby.promote().await?;
    let mut caller = Caller::new(&front, journal, PATIENCE);
    let mut first = None;
    while first.is_none() {
        if begun.elapsed() > 2 * SUCCESS_WITHIN {
            return Err(format!("no success within {} s of the kill", 2 * SUCCESS_WITHIN.as_secs()));
        }
        first = caller.enroll().await.flatten();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = begun.elapsed();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut factors = load.stop().await?;
    factors.extend(first);
    nodes.work_again(journal, PATIENCE).await?;
    witness.look(&front, journal, dice, factors).await?;
    Ok(took)
}

/// Waits until the primary waits for its standby.
async fn follows(primary: &Postgres) -> Result<(), String> {
    let begun = Instant::now();
    while primary.sql("postgres", "SELECT sync_state FROM pg_stat_replication").await? != "sync" {
        if begun.elapsed() > Duration::from_secs(10) {
            return Err("the standby does not follow".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
