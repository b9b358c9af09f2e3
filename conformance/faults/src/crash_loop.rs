//! `kill -9` at a random moment under load, again and again over one store (I1, I2, I3, I8; fault 2). Of two nodes one
//! is killed, and the callers go on with the other.
use crate::{
    checker,
    dice::Dice,
    history::Journal,
    load::Load,
    nodes::Nodes,
    run::Run,
    server::{Plan, Server},
    witness::Witness,
};
use loadgen::stats::Latencies;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Callers at once, and factors that each of them enrolls in a cycle at most.
const CALLERS: (u64, usize) = (8, 40);
const PATIENCE: Duration = Duration::from_secs(5);
/// A start-up longer than this is a failure.
const READY_WITHIN: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Restarts {
    took: Latencies,
    killed_starting: usize,
    slow: usize,
}

/// Runs `cycles` of them.
///
/// # Errors
/// One sentence if the run cannot go on, or anything was violated.
pub(crate) async fn run(run: &Run, cycles: u64) -> Result<String, String> {
    let journal = Arc::new(Journal::create(&run.folder.join("history.jsonl")).map_err(|e| e.to_string())?);
    let mut nodes = Nodes::start(run).await?;
    let front = nodes.front()?;
    let mut dice = Dice::new(run.seed);
    let (mut witness, mut restarts) = (Witness::default(), Restarts::default());
    for cycle in 0..cycles {
        let load = Load::start(&front, &journal, &mut dice, CALLERS, PATIENCE);
        tokio::time::sleep(Duration::from_micros(5_000 + dice.below(250_000))).await;
        nodes.still_there()?;
        let count = nodes.servers.len();
        let victim = usize::try_from(dice.below(count as u64)).unwrap_or(0);
        let (Some(server), Some(plan)) = (nodes.servers.get_mut(victim), nodes.plans.get(victim)) else {
            return Err("there is no node".into());
        };
        server.kill();
        if count > 1 {
            tokio::time::sleep(Duration::from_micros(dice.below(150_000))).await;
        }
        let factors = load.stop().await?;
        *server = restart(plan, &mut dice, &mut restarts).await?;
        witness.look(&front, &journal, &mut dice, factors).await?;
        if !witness.clean(run, &format!("cycle {cycle}")) {
            break;
        }
    }
    let [p99, max] = [0.99, 1.0].map(|q| restarts.took.quantile_ms(q));
    let line = format!(
        "crash-loop on {}: {cycles} cycles, seed {}; {witness}; restarts {} (and {} killed while starting), \
         p99 {p99:.0} ms, max {max:.0} ms, over 2 s {}",
        run.store,
        run.seed,
        restarts.took.count(),
        restarts.killed_starting,
        restarts.slow
    );
    // A loop in which nothing was acknowledged has shown nothing.
    let shown = witness.accepted > 0 && witness.violations.is_empty() && restarts.slow == 0;
    if shown { Ok(line) } else { Err(line) }
}

/// Starts the server again; sometimes it is killed once more while it starts.
async fn restart(plan: &Plan, dice: &mut Dice, restarts: &mut Restarts) -> Result<Server, String> {
    if dice.below(5) == 0 {
        let mut server = plan.start(&[])?;
        tokio::time::sleep(Duration::from_micros(dice.below(60_000))).await;
        server.kill();
        restarts.killed_starting += 1;
    }
    let (server, took) = plan.start_ready().await?;
    restarts.took.push(took);
    restarts.slow += usize::from(took > READY_WITHIN);
    Ok(server)
}

/// Checks a history that an earlier run left.
///
/// # Errors
/// One sentence for each violation.
pub(crate) fn check_file(path: &std::path::Path) -> Result<String, String> {
    let start = Instant::now();
    let ops = Journal::read(path)?;
    let violations = checker::check(&ops);
    let line =
        format!("check: {} operations in {:?}, violations {}", ops.len(), start.elapsed(), violations.len());
    if violations.is_empty() {
        return Ok(line);
    }
    Err(violations.iter().map(ToString::to_string).chain([line]).collect::<Vec<_>>().join("\n"))
}
