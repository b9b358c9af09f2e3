//! SIGTERM under load: what is in flight is answered, the process ends well, nothing acknowledged is lost
//! (fault 15).
use crate::{
    caller::Caller,
    checker,
    dice::Dice,
    flow,
    history::{Journal, Op, Outcome},
    probe::probe,
    run::Run,
    server::Plan,
};
use loadgen::{clock, stats::Latencies};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// The process has to be gone by then.
const GONE_WITHIN: Duration = Duration::from_secs(5);
const CALLERS: u64 = 16;

/// Stops a loaded server `cycles` times.
///
/// # Errors
/// One sentence if the run cannot go on, or anything was violated.
pub(crate) async fn run(run: &Run, cycles: u64) -> Result<String, String> {
    let journal = Arc::new(Journal::create(&run.folder.join("history.jsonl")).map_err(|e| e.to_string())?);
    let plan = Plan::new(&run.binary, &run.folder)?;
    let mut dice = Dice::new(run.seed);
    let (mut stops, mut problems, mut answered, mut in_flight) = (Latencies::default(), Vec::new(), 0, 0);
    for cycle in 0..cycles {
        let (mut server, _) = plan.start_ready().await?;
        let api = plan.front()?;
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let mut caller = Caller::new(&api, &journal, GONE_WITHIN);
            let mut dice = Dice::new(dice.below(u64::MAX));
            callers.spawn(async move {
                let mut factors = Vec::new();
                for _ in 0..200 {
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
        tokio::time::sleep(Duration::from_micros(20_000 + dice.below(150_000))).await;
        let (told_at, at) = (clock::unix_millis(), Instant::now());
        server.terminate();
        match server.exit_within(GONE_WITHIN).await.map(|status| status.code()) {
            Some(Some(0)) => stops.push(at.elapsed()),
            Some(code) => problems.push(format!("cycle {cycle}: the process ended with {code:?}")),
            None => problems.push(format!("cycle {cycle}: the process is still there after 5 s")),
        }
        server.kill();
        let factors: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
        journal.flush()?;
        let ops = journal.take();
        let before: Vec<&Op> = ops.iter().filter(|op| op.asked.ms < told_at).collect();
        in_flight += before.iter().filter(|op| op.ended.is_none_or(|end| end.ms >= told_at)).count();
        answered += ops.iter().filter(|op| op.outcome != Outcome::Unknown).count();
        // A request sent after the signal may meet a closed door; one sent before it may not.
        let lost = before.iter().filter(|op| op.outcome == Outcome::Unknown);
        problems.extend(lost.map(|op| format!("cycle {cycle}: not answered, signal at {told_at}: {op:?}")));

        let (_server, _) = plan.start_ready().await?;
        let mut caller = Caller::new(&api, &journal, GONE_WITHIN);
        let some: Vec<_> = factors.into_iter().take(100).collect();
        probe(&mut caller, &some, &ops).await?;
        journal.flush()?;
        let all: Vec<Op> = ops.into_iter().chain(journal.take()).collect();
        problems.extend(checker::check(&all).iter().map(|v| format!("cycle {cycle}: {v}")));
        problems.iter().take(5).for_each(|p| run.say(p));
        if !problems.is_empty() {
            break;
        }
    }
    let line = format!(
        "sigterm: {cycles} cycles, seed {}; answered {answered}, in flight at the signal {in_flight}; \
         stopped within p99 {:.0} ms, max {:.0} ms; violations {}",
        run.seed,
        stops.quantile_ms(0.99),
        stops.quantile_ms(1.0),
        problems.len()
    );
    if problems.is_empty() && answered > 0 && in_flight > 0 { Ok(line) } else { Err(line) }
}
