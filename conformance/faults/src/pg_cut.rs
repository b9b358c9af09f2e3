//! Connections between two nodes and PostgreSQL cut, stalled and silenced, in the middle of a COMMIT too (fault 9): what
//! is not known to be durable is never told as done, nothing is accepted twice, and nobody waits for ever.
use crate::{
    dice::Dice,
    history::Journal,
    load::Load,
    nodes::Nodes,
    postgres::{Postgres, url},
    proxy::{Fault, Proxy, Way},
    run::Run,
    witness::Witness,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

const CALLERS: (u64, usize) = (8, 400);
/// Everybody is answered by then, whatever is done to the connections.
const PATIENCE: Duration = Duration::from_secs(15);
/// Faults in a cycle.
const STRIKES: usize = 6;
/// The length of a COMMIT on the wire.
const COMMIT_BYTES: usize = 12;

/// Runs `cycles` of some faults each; in the first one connections fall silent. If `planted`, a COMMIT that never
/// arrived is answered as if it had, and what is lost by that has to be found.
///
/// # Errors
/// One sentence if the run cannot go on, anything was violated, or what was planted was not found.
pub(crate) async fn run(run: &Run, cycles: u64, planted: bool) -> Result<String, String> {
    let journal = Arc::new(Journal::create(&run.folder.join("history.jsonl")).map_err(|e| e.to_string())?);
    let postgres = Postgres::start(&run.folder.join("postgres"), &[]).await?;
    postgres.database("faults").await?;
    let proxies = [Proxy::start(postgres.port).await?, Proxy::start(postgres.port).await?];
    let at = proxies.each_ref().map(|proxy| url(&[proxy.port], "faults", ""));
    let mut nodes = Nodes::on(run, "", at).await?;
    let front = nodes.front()?;
    let mut dice = Dice::new(run.seed);
    let (mut witness, mut struck) = (Witness::default(), BTreeMap::new());
    for cycle in 0..cycles {
        let load = Load::start(&front, &journal, &mut dice, CALLERS, PATIENCE);
        for strike in 0..STRIKES {
            tokio::time::sleep(Duration::from_millis(20 + dice.below(60))).await;
            let fault = match (planted, cycle, strike) {
                (true, ..) => Fault::LieOfCommit,
                (_, 0, 0) => Fault::Silence(Way::Up, some_bytes(&mut dice)),
                (_, 0, 1) => Fault::Silence(Way::Down, some_bytes(&mut dice)),
                (_, 0, _) => Fault::SilentCommit,
                _ => any(&mut dice),
            };
            // The silent ones all of one node: more than its batches at once.
            let some = proxies.get(usize::from(cycle == 0)..).unwrap_or_default();
            let Some(proxy) = dice.pick(some) else { break };
            if proxy.strike(fault, Duration::from_secs(2)).await {
                let name = format!("{fault:?}");
                let kind = name.split('(').next().unwrap_or_default().to_owned();
                *struck.entry(kind).or_insert(0) += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let factors = load.stop().await?;
        nodes.still_there()?;
        nodes.work_again(&journal, PATIENCE).await?;
        witness.look(&front, &journal, &mut dice, factors).await?;
        if planted || !witness.clean(run, &format!("cycle {cycle}")) {
            break;
        }
    }
    let found = !witness.violations.is_empty();
    let what = if planted { " with a COMMIT answered that never arrived, planted and found" } else { "" };
    let line = format!("pg-cut{what}: {cycles} cycles, seed {}; {witness}; struck {struck:?}", run.seed);
    let commits = ["InCommit", "LieOfCommit"].iter().any(|kind| struck.contains_key(*kind));
    if witness.accepted > 0 && commits && found == planted { Ok(line) } else { Err(line) }
}

fn some_bytes(dice: &mut Dice) -> usize {
    usize::try_from(dice.below(3_000)).unwrap_or(0)
}

fn any(dice: &mut Dice) -> Fault {
    let way = if dice.below(2) == 0 { Way::Up } else { Way::Down };
    let pause = Duration::from_millis(dice.below(1_500));
    match dice.below(8) {
        0 | 1 => Fault::Cut(way, some_bytes(dice)),
        2 => Fault::Stall(way, some_bytes(dice), pause),
        3 => Fault::LateCommit(pause),
        // Half of them whole, so that the server commits what the node never hears of.
        4 | 5 => Fault::InCommit(COMMIT_BYTES),
        _ => Fault::InCommit(usize::try_from(dice.below(COMMIT_BYTES as u64)).unwrap_or(0)),
    }
}
