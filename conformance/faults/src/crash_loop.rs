//! `kill -9` at a random moment under load, again and again over one store (I1, I2, I3, I8; fault 2).
use crate::{
    caller::Caller,
    checker::{self, Violation},
    dice::Dice,
    flow,
    history::{Journal, Op, Outcome},
    probe::probe,
    run::Run,
    server::{Plan, Server},
};
use loadgen::{stats::Latencies, wire::Factor};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Callers at once, and factors that all of them enroll in a cycle at most.
const CALLERS: u64 = 8;
const FACTORS_PER_CALLER: u64 = 40;
/// A start-up longer than this is a failure.
const READY_WITHIN: Duration = Duration::from_secs(2);
/// Factors of earlier cycles that are asked about again after each later crash.
const REMEMBERED: usize = 16;

#[derive(Default)]
struct Sum {
    acknowledged: usize,
    accepted: usize,
    unknown: usize,
    probed: usize,
    killed_starting: usize,
    restarts: Latencies,
    slow_restarts: usize,
    violations: Vec<Violation>,
}

/// Runs `cycles` of them.
///
/// # Errors
/// One sentence if the run cannot go on, or anything was violated.
pub(crate) async fn run(run: &Run, cycles: u64) -> Result<String, String> {
    let journal = Arc::new(Journal::create(&run.folder.join("history.jsonl")).map_err(|e| e.to_string())?);
    let plan = Plan::new(&run.binary, &run.folder)?;
    let (mut server, _) = plan.start_ready().await?;
    let mut dice = Dice::new(run.seed);
    let mut sum = Sum::default();
    let mut old: Vec<(Factor, Vec<Op>)> = Vec::new();
    for cycle in 0..cycles {
        let factors = load_and_kill(&plan, &journal, &mut dice, &mut server).await?;
        journal.flush()?;
        server = restart(&plan, &mut dice, &mut sum).await?;
        look(&plan, &journal, &mut dice, factors, &mut old, &mut sum).await?;
        for violation in sum.violations.iter().take(5) {
            run.say(&format!("cycle {cycle}: {violation}"));
        }
        if !sum.violations.is_empty() {
            break;
        }
    }
    let [p99, max] = [0.99, 1.0].map(|q| sum.restarts.quantile_ms(q));
    let line = format!(
        "crash-loop: {cycles} cycles, seed {}; acknowledged {}, of these TRUE {}; unknown {}; factors probed {}; \
         violations {}; restarts {} (and {} killed while starting), p99 {p99:.0} ms, max {max:.0} ms, over 2 s {}",
        run.seed,
        sum.acknowledged,
        sum.accepted,
        sum.unknown,
        sum.probed,
        sum.violations.len(),
        sum.restarts.count(),
        sum.killed_starting,
        sum.slow_restarts
    );
    // A loop in which nothing was acknowledged has shown nothing.
    let shown = sum.accepted > 0 && sum.violations.is_empty() && sum.slow_restarts == 0;
    if shown { Ok(line) } else { Err(line) }
}

/// Lets callers work until the server dies under them, and returns the factors they were told of.
async fn load_and_kill(
    plan: &Plan,
    journal: &Arc<Journal>,
    dice: &mut Dice,
    server: &mut Server,
) -> Result<Vec<Factor>, String> {
    let api = plan.api()?;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let mut caller = Caller::new(&api, journal, Duration::from_secs(5));
        let mut dice = Dice::new(dice.below(u64::MAX));
        callers.spawn(async move {
            let mut factors = Vec::new();
            for _ in 0..FACTORS_PER_CALLER {
                let shape = dice.below(flow::SHAPES);
                let (factor, went_on) = flow::one(&mut caller, &mut dice, shape).await;
                factors.extend(factor);
                if went_on.is_none() {
                    break;
                }
            }
            factors
        });
    }
    tokio::time::sleep(Duration::from_micros(5_000 + dice.below(250_000))).await;
    if let Some(status) = server.exited() {
        return Err(format!("the server ended by itself under load: {status}"));
    }
    server.kill();
    let mut factors = Vec::new();
    while let Some(done) = callers.join_next().await {
        factors.extend(done.map_err(|e| e.to_string())?);
    }
    Ok(factors)
}

/// Starts the server again; now and then it is killed once more while it does.
async fn restart(plan: &Plan, dice: &mut Dice, sum: &mut Sum) -> Result<Server, String> {
    if dice.below(5) == 0 {
        let mut server = plan.start(&[])?;
        tokio::time::sleep(Duration::from_micros(dice.below(60_000))).await;
        server.kill();
        sum.killed_starting += 1;
    }
    let (server, took) = plan.start_ready().await?;
    sum.restarts.push(took);
    sum.slow_restarts += usize::from(took > READY_WITHIN);
    Ok(server)
}

/// Asks about the factors of this cycle and some of earlier ones, and checks all that is known of them.
async fn look(
    plan: &Plan,
    journal: &Arc<Journal>,
    dice: &mut Dice,
    factors: Vec<Factor>,
    old: &mut Vec<(Factor, Vec<Op>)>,
    sum: &mut Sum,
) -> Result<(), String> {
    let api = plan.api()?;
    let before = journal.take();
    let mut ops = before.clone();
    ops.extend(old.iter().flat_map(|(_, ops)| ops.iter().cloned()));
    let all: Vec<Factor> = factors.iter().chain(old.iter().map(|(f, _)| f)).cloned().collect();
    let ops = Arc::new(ops);
    let mut probes = JoinSet::new();
    let share = all.len().div_ceil(usize::try_from(CALLERS).unwrap_or(1)).max(1);
    for some in all.chunks(share) {
        let (some, ops) = (some.to_vec(), ops.clone());
        let mut caller = Caller::new(&api, journal, Duration::from_secs(5));
        probes.spawn(async move { probe(&mut caller, &some, &ops).await });
    }
    while let Some(done) = probes.join_next().await {
        done.map_err(|e| e.to_string())??;
    }
    let probed = journal.take();
    let everything: Vec<Op> = ops.iter().cloned().chain(probed).collect();
    sum.violations.extend(checker::check(&everything));

    sum.probed += all.len();
    sum.unknown += before.iter().filter(|op| op.outcome == Outcome::Unknown).count();
    sum.acknowledged += before.len() - before.iter().filter(|op| op.outcome == Outcome::Unknown).count();
    sum.accepted += before.iter().filter(|op| op.outcome == Outcome::Verdict(true)).count();
    // Keep a few for the next crashes. One that has been asked about often is full of attempts: let it go.
    let by_factor = checker::by_factor(&everything);
    let few = |factor: Factor| {
        let ops: Vec<Op> = by_factor.get(&factor.id)?.iter().map(|op| (*op).clone()).collect();
        (ops.len() < 60).then_some((factor, ops))
    };
    *old = all.into_iter().filter(|_| dice.below(4) == 0).filter_map(few).take(REMEMBERED).collect();
    Ok(())
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
