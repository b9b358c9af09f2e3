//! PostgreSQL crashes and comes back under the load of two nodes (fault 9): they stay, they answer with 503 meanwhile, and
//! nothing acknowledged is lost.
use crate::{
    dice::Dice, history::Journal, load::Load, nodes::Nodes, postgres::Postgres, postgres::url, run::Run,
    witness::Witness,
};
use loadgen::stats::Latencies;
use std::{sync::Arc, time::Duration};

const CALLERS: (u64, usize) = (8, 400);
/// Longer than a node may take to give up on a database that does not answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Both nodes let somebody log in by then after PostgreSQL is.
const READY_WITHIN: Duration = Duration::from_secs(5);

/// Crashes it `cycles` times.
///
/// # Errors
/// One sentence if the run cannot go on, or anything was violated.
pub(crate) async fn run(run: &Run, cycles: u64) -> Result<String, String> {
    let journal = Arc::new(Journal::create(&run.folder.join("history.jsonl")).map_err(|e| e.to_string())?);
    let postgres = Postgres::start(&run.folder.join("postgres"), &[]).await?;
    postgres.database("faults").await?;
    let at = url(&[postgres.port], "faults", "");
    let mut nodes = Nodes::on(run, "", [at.clone(), at]).await?;
    let front = nodes.front()?;
    let mut dice = Dice::new(run.seed);
    let (mut witness, mut back) = (Witness::default(), Latencies::default());
    for cycle in 0..cycles {
        let load = Load::start(&front, &journal, &mut dice, CALLERS, PATIENCE);
        tokio::time::sleep(Duration::from_micros(100_000 + dice.below(300_000))).await;
        // Every second time the processes are killed, the postmaster among them.
        if cycle % 2 == 0 {
            postgres.crash().await?
        } else {
            postgres.kill().await?
        }
        tokio::time::sleep(Duration::from_micros(dice.below(500_000))).await;
        postgres.go_on(&[]).await?;
        back.push(nodes.work_again(&journal, READY_WITHIN).await?);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let factors = load.stop().await?;
        nodes.still_there()?;
        witness.look(&front, &journal, &mut dice, factors).await?;
        if !witness.clean(run, &format!("cycle {cycle}")) {
            break;
        }
    }
    let line = format!(
        "pg-restart: {cycles} cycles, seed {}; {witness}; logged in at both nodes again after max {:.0} ms",
        run.seed,
        back.quantile_ms(1.0)
    );
    // Without a 503 nothing was asked while it was away.
    let shown = witness.accepted > 0 && witness.busy > 0 && witness.violations.is_empty();
    if shown { Ok(line) } else { Err(line) }
}
