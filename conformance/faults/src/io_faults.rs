//! The disk fails, is full, is slow, or the process dies, at each call by which the store reaches the disk
//! (I7, I8; faults 1, 5, 6 and 7).
use crate::{
    caller::Caller,
    checker,
    dice::Dice,
    flow,
    history::{Journal, Op, Outcome},
    probe::probe,
    run::{Run, copy_files},
    server::{Plan, is_ready},
    strace::{self, CALLS, Fault},
};
use loadgen::{
    clock,
    wire::{Factor, Refusal},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;

/// How long a server may take to give up after a fault, or to be itself again.
const SETTLE: Duration = Duration::from_secs(5);

struct Bed {
    plan: Plan,
    template: PathBuf,
    folder: PathBuf,
    nth: u32,
}

#[derive(Default)]
struct Sum {
    cases: u32,
    happened: u32,
    operations: usize,
    busy: usize,
    slowest_ms: u64,
    problems: Vec<String>,
}

/// Tries each fault at each call, or at `sites` of them, evenly chosen.
///
/// # Errors
/// One sentence if the run cannot go on, or anything was violated.
pub(crate) async fn run(run: &Run, sites: u32, faults: &[Fault]) -> Result<String, String> {
    strace::available()?;
    let plan = Plan::new(&run.binary, &run.folder)?;
    let (mut server, _) = plan.start_ready().await?;
    server.terminate();
    server.exit_within(SETTLE).await.ok_or("the server does not stop on SIGTERM")?;
    let template = plan.data.clone();
    let mut bed = Bed { plan, template, folder: run.folder.clone(), nth: 0 };
    let counts = strace::counts(&bed.unharmed().await?);
    run.say(&format!("io-faults: calls of the flow: {counts:?}"));

    let mut sum = Sum::default();
    for fault in faults {
        for call in CALLS {
            let Some(&count) = counts.get(call) else { continue };
            // A slow disk is slow from the first call on, and truncating has nothing to be full of.
            let at: Vec<u32> = match fault {
                Fault::Slow if call == "fsync" || call == "fdatasync" => vec![1],
                Fault::Slow => continue,
                Fault::Enospc if call != "pwrite64" => continue,
                _ => evenly(count, sites),
            };
            for nth in at {
                let what = format!("{fault:?} at {call} {nth}");
                let problems = bed.case(*fault, call, nth, &mut sum).await.unwrap_or_else(|e| vec![e]);
                problems.iter().take(3).for_each(|p| run.say(&format!("{what}: {p}")));
                sum.problems.extend(problems.into_iter().map(|p| format!("{what}: {p}")));
            }
        }
    }
    let problems = bed.names_that_do_not_last(&mut sum).await.unwrap_or_else(|e| vec![e]);
    problems.iter().for_each(|p| run.say(&format!("the folder's sync: {p}")));
    sum.problems.extend(problems);
    let Sum { cases, happened, operations, busy, slowest_ms, problems } = sum;
    let line = format!(
        "io-faults: {cases} cases, {happened} in which the fault happened; {operations} operations, {busy} BUSY; \
         slowest answer {slowest_ms} ms; violations {}",
        problems.len()
    );
    if problems.is_empty() && happened > 0 { Ok(line) } else { Err(line) }
}

/// The numbers from 1 to `count`, or `sites` of them.
fn evenly(count: u32, sites: u32) -> Vec<u32> {
    let sites = sites.clamp(1, count.max(1));
    (0..sites).map(|n| 1 + n * count / sites).collect()
}

impl Bed {
    /// A fresh copy of the store for each case.
    fn fresh(&mut self) -> Result<(Plan, Journal, PathBuf), String> {
        self.nth += 1;
        let folder = self.folder.join(format!("case-{}", self.nth));
        let plan = Plan { data: folder.join("data"), log: folder.join("server.log"), ..self.plan.clone() };
        copy_files(&self.template, &plan.data)?;
        let journal = Journal::create(&folder.join("history.jsonl")).map_err(|e| e.to_string())?;
        Ok((plan, journal, folder))
    }

    /// The flow without a fault: what calls there are.
    async fn unharmed(&mut self) -> Result<String, String> {
        let (plan, journal, folder) = self.fresh()?;
        let trace = folder.join("trace");
        let mut server = plan.start(&strace::wrap(&trace, None))?;
        server.ready(Duration::from_secs(20)).await?;
        one_caller(&plan, &Arc::new(journal)).await?;
        server.kill();
        read(&trace)
    }

    async fn case(
        &mut self,
        fault: Fault,
        call: &str,
        nth: u32,
        sum: &mut Sum,
    ) -> Result<Vec<String>, String> {
        let (plan, journal, folder) = self.fresh()?;
        let (journal, trace) = (Arc::new(journal), folder.join("trace"));
        let mut problems = Vec::new();
        let mut server = plan.start(&strace::wrap(&trace, Some((fault, call, nth))))?;
        let started = server.ready(Duration::from_secs(20)).await.is_ok();
        let factors = match fault {
            _ if !started => Vec::new(),
            Fault::Slow => many_callers(&plan, &journal).await?,
            _ => one_caller(&plan, &journal).await?,
        };
        // What died needs a moment to be seen dead; any other fault stands in the trace.
        let died = fault == Fault::Kill && server.exit_within(Duration::from_millis(300)).await.is_some();
        let traced = read(&trace)?;
        let happened = died || strace::happened(&traced, fault);
        if happened && fault == Fault::Eio && !strace::was_the_folder(&traced, &plan.data) {
            match server.exit_within(SETTLE).await.map(|status| status.code()) {
                None => problems.push("the process goes on after its disk has failed".into()),
                Some(Some(0)) => problems.push("the process ends with exit code 0".into()),
                Some(None) => problems.push("the process was killed by a signal".into()),
                Some(Some(_)) => {}
            }
        }
        if happened && fault == Fault::Enospc && started {
            problems.extend(self.itself_again(&plan, &journal).await.err());
        }
        if !started && !happened {
            problems.push("the server did not start, although no fault happened".into());
        }
        server.kill();
        journal.flush()?;
        let ops = journal.take();
        problems.extend(after(&plan, &journal, &factors, &ops).await?);

        sum.cases += 1;
        sum.happened += u32::from(happened);
        sum.operations += ops.len();
        sum.busy += ops.iter().filter(|op| op.outcome == Outcome::Refused(Refusal::Busy)).count();
        let took = ops.iter().filter_map(|op| Some(op.ended?.ms - op.asked.ms)).max();
        sum.slowest_ms = sum.slowest_ms.max(took.unwrap_or(0));
        if problems.is_empty() {
            let _ = std::fs::remove_dir_all(&folder);
        }
        Ok(problems)
    }

    /// Every sync of the folder itself fails. SQLite does not say so; the server has to, and must not serve: its log
    /// could be gone after a power cut, with everything acknowledged.
    async fn names_that_do_not_last(&mut self, sum: &mut Sum) -> Result<Vec<String>, String> {
        let (plan, journal, folder) = self.fresh()?;
        let (journal, trace) = (Arc::new(journal), folder.join("trace"));
        let data = plan.data.canonicalize().map_err(|e| e.to_string())?;
        let mut problems = Vec::new();
        let mut server = plan.start(&strace::wrap_folder(&trace, &data))?;
        if server.ready(Duration::from_secs(20)).await.is_ok() {
            problems.push("the server serves although the names of its files are not synced".into());
        }
        if let Some(Some(0)) = server.exit_within(SETTLE).await.map(|status| status.code()) {
            problems.push("the process ends with exit code 0".into());
        }
        server.kill();
        let traced = read(&trace)?;
        if !strace::happened(&traced, Fault::Eio) || !strace::was_the_folder(&traced, &data) {
            problems.push("no sync of the folder, or another one too, has failed".into());
        }
        let log = read(&plan.log)?;
        if !(log.contains(&data.display().to_string()) && log.contains("cannot be synced")) {
            problems.push(format!("the reason is not told: {log}"));
        }
        sum.cases += 1;
        sum.happened += 1;
        problems.extend(after(&plan, &journal, &[], &[]).await?);
        Ok(problems)
    }

    /// Once there is room again, the same process has to serve again.
    async fn itself_again(&self, plan: &Plan, journal: &Arc<Journal>) -> Result<(), String> {
        let start = clock::unix_millis();
        let mut caller = Caller::new(&plan.front()?, journal, SETTLE);
        while Duration::from_millis(clock::unix_millis() - start) < SETTLE {
            if is_ready(plan.addr).await && matches!(caller.enroll().await, Some(Some(_))) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err("the server does not recover by itself from a full disk".into())
    }
}

/// Starts the server unharmed and asks about everything it had acknowledged.
async fn after(
    plan: &Plan,
    journal: &Arc<Journal>,
    factors: &[Factor],
    ops: &[Op],
) -> Result<Vec<String>, String> {
    let (_server, took) = plan.start_ready().await.map_err(|e| format!("after the fault: {e}"))?;
    let mut caller = Caller::new(&plan.front()?, journal, SETTLE);
    probe(&mut caller, factors, ops).await?;
    journal.flush()?;
    let all: Vec<Op> = ops.iter().cloned().chain(journal.take()).collect();
    let mut problems: Vec<String> = checker::check(&all).iter().map(ToString::to_string).collect();
    if took > Duration::from_secs(2) {
        problems.push(format!("the restart took {took:?}"));
    }
    Ok(problems)
}

async fn one_caller(plan: &Plan, journal: &Arc<Journal>) -> Result<Vec<Factor>, String> {
    let mut caller = Caller::new(&plan.front()?, journal, SETTLE);
    let mut dice = Dice::new(3);
    let mut factors = Vec::new();
    for shape in [1, 3, 0] {
        let (factor, went_on) = flow::one(&mut caller, &mut dice, shape).await;
        factors.extend(factor);
        if went_on.is_none() {
            break;
        }
    }
    Ok(factors)
}

async fn many_callers(plan: &Plan, journal: &Arc<Journal>) -> Result<Vec<Factor>, String> {
    let api = plan.front()?;
    let mut callers = JoinSet::new();
    for n in 0..32 {
        let mut caller = Caller::new(&api, journal, SETTLE);
        callers.spawn(async move { flow::one(&mut caller, &mut Dice::new(n), n % flow::SHAPES).await.0 });
    }
    Ok(callers.join_all().await.into_iter().flatten().collect())
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::evenly;

    #[test]
    fn sites_are_chosen_from_first_to_last() {
        assert_eq!(evenly(4, 100), [1, 2, 3, 4]);
        assert_eq!(evenly(100, 4), [1, 26, 51, 76]);
    }
}
