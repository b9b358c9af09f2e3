//! The power fails (fault 3): what a server did to its files is recorded, and from the record disks are built on which
//! unsynced writes are dropped, torn or reordered. On each the server has to start, and to know everything it had
//! acknowledged before that moment (I1, I2, I8).
//!
//! Then the same with a disk that lies about syncing (fault 4), which no program can survive: there the checker has to
//! find the loss, or this whole run would prove nothing.
mod disk;
mod record;

use crate::{
    caller::Caller,
    checker,
    dice::Dice,
    flow,
    history::{Journal, Moment, Op, Outcome},
    probe::probe,
    run::Run,
    server::Plan,
    strace,
};
use disk::{Cut, Disk, Image};
use loadgen::wire::Factor;
use record::{Act, Event};
use std::{
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;

/// Images of one record. A record is followed at once by its images, while the codes it used still fit the window.
const PER_RECORD: u64 = 25;
/// Of these, so many are of a disk that lies.
const LIES: u64 = 3;
/// Callers at once, and factors of each.
const CALLERS: u64 = 4;
const FACTORS: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(20);
/// A probe comes after everything that was recorded.
const LATER: u64 = 1 << 40;

/// What one server did, and what it told.
struct Recorded {
    events: Vec<Event>,
    ops: Vec<Op>,
    factors: Vec<Factor>,
}

#[derive(Default)]
struct Sum {
    records: u64,
    images: u64,
    acknowledged: usize,
    accepted: usize,
    unsynced: usize,
    lies: u64,
    lies_found: u64,
    problems: Vec<String>,
}

/// Builds `images` disks and starts the server on each.
///
/// # Errors
/// One sentence if the run cannot go on, anything was lost, or a lie was not found.
pub(crate) async fn run(run: &Run, images: u64) -> Result<String, String> {
    strace::available()?;
    let plan = Plan::new(&run.binary, &run.folder)?;
    let mut dice = Dice::new(run.seed);
    let mut sum = Sum::default();
    while sum.images < images && sum.problems.is_empty() {
        sum.records += 1;
        let recorded = record(&plan, &mut dice, sum.records).await?;
        for _ in 0..PER_RECORD.min(images - sum.images) {
            honest(run, &plan, &recorded, &mut dice, &mut sum).await?;
        }
        for _ in 0..LIES {
            lie(&plan, &recorded, &mut dice, &mut sum).await?;
        }
    }
    sum.problems.iter().take(5).for_each(|problem| run.say(problem));
    let Sum { records, images, acknowledged, accepted, unsynced, lies, lies_found, problems } = sum;
    let line = format!(
        "power-cut: {images} images of {records} records, seed {}; of {unsynced} files something was unsynced; {acknowledged} \
         answers acknowledged before, of these TRUE {accepted}; lying disks found out {lies_found} of {lies}; violations {}",
        run.seed,
        problems.len()
    );
    let shown = problems.is_empty() && accepted > 0 && unsynced > 0 && lies_found == lies;
    if shown { Ok(line) } else { Err(line) }
}

/// Records a server from its first start to its end, with callers at work.
async fn record(plan: &Plan, dice: &mut Dice, nth: u64) -> Result<Recorded, String> {
    let folder = plan.data.with_file_name(format!("record-{nth}"));
    let plan = Plan { data: folder.join("data"), ..plan.clone() };
    std::fs::create_dir_all(&plan.data).map_err(|e| e.to_string())?;
    let data = plan.data.canonicalize().map_err(|e| e.to_string())?;
    let trace = folder.join("trace");
    let journal = Arc::new(Journal::create(&folder.join("history.jsonl")).map_err(|e| e.to_string())?);
    let mut server = plan.start(&record::wrap(&trace))?;
    server.ready(PATIENCE).await?;
    let api = plan.front()?;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (mut caller, mut dice) = (Caller::new(&api, &journal, PATIENCE), Dice::new(dice.below(u64::MAX)));
        callers.spawn(async move {
            let mut factors = Vec::new();
            for _ in 0..FACTORS {
                let shape = dice.below(flow::SHAPES);
                factors.extend(flow::one(&mut caller, &mut dice, shape).await.0);
            }
            factors
        });
    }
    let factors = callers.join_all().await.into_iter().flatten().collect();
    // Its end is part of it: what is in the log then moves into the database.
    server.terminate();
    server.exit_within(PATIENCE).await.ok_or("the server does not stop on SIGTERM")?;
    let events = record::read(&whole(&trace).await?, &data)?;
    if events.is_empty() {
        return Err("the record is empty".into());
    }
    Ok(Recorded { events, ops: journal.take(), factors })
}

/// The record, once `strace` has written all of it: it outlives what it traces by a moment.
async fn whole(trace: &Path) -> Result<String, String> {
    let mut before = None;
    loop {
        let size = std::fs::metadata(trace).map_err(|e| e.to_string())?.len();
        if before == Some(size) {
            return std::fs::read_to_string(trace).map_err(|e| format!("{}: {e}", trace.display()));
        }
        before = Some(size);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

impl Recorded {
    /// What had been told by a moment, in microseconds, and of what was asked by then. Of an answer that came later
    /// nothing is known.
    fn told_by(&self, at: u64) -> (Vec<Op>, Vec<Factor>) {
        let by = |moment: &Moment| (moment.ms + 1) * 1_000 <= at;
        let asked = self.ops.iter().filter(|op| op.asked.ms * 1_000 <= at);
        let ops: Vec<Op> = asked
            .map(|op| match op.ended {
                Some(end) if by(&end) => op.clone(),
                _ => Op { outcome: Outcome::Unknown, ..op.clone() },
            })
            .collect();
        let enrolled = |f: &&Factor| ops.iter().any(|op| op.outcome == Outcome::Enrolled(f.id.clone()));
        let factors = self.factors.iter().filter(enrolled).cloned().collect();
        (ops, factors)
    }

    /// When the event after the first `n` began; for ever if there is none.
    fn time_after(&self, n: usize) -> u64 {
        self.events.get(n).map_or(u64::MAX / 2, |event| event.at)
    }

    fn pick(&self, from: usize, to: usize, dice: &mut Dice) -> usize {
        from + usize::try_from(dice.below((to.saturating_sub(from) + 1) as u64)).unwrap_or(0)
    }

    /// Where the first file of the store is made, and where the callers have been told everything.
    fn middle(&self) -> (usize, usize) {
        let told = self.ops.iter().filter_map(|op| op.ended).map(|end| end.ms * 1_000).max().unwrap_or(0);
        let asked = self.ops.iter().map(|op| op.asked.ms * 1_000).min().unwrap_or(0);
        let at = |time| self.events.partition_point(|event| event.at < time);
        (at(asked), at(told))
    }
}

/// One disk that keeps what was synced.
async fn honest(
    run: &Run,
    plan: &Plan,
    recorded: &Recorded,
    dice: &mut Dice,
    sum: &mut Sum,
) -> Result<(), String> {
    let (begin, end) = recorded.middle();
    // One in five while the store is being made, one in five at its end, the rest under load.
    let n = match dice.below(5) {
        0 => recorded.pick(0, begin, dice),
        1 => recorded.pick(end, recorded.events.len(), dice),
        _ => recorded.pick(begin, end, dice),
    };
    let mut disk = Disk::default();
    recorded.events.iter().take(n).for_each(|event| disk.act(&event.act));
    let cut = [Cut::Dropped, Cut::Kept, Cut::Torn(512), Cut::Torn(512), Cut::Torn(4_096), Cut::Torn(4_096)];
    let cut = cut[usize::try_from(dice.below(6)).unwrap_or(0)];
    let image = disk.image(cut, dice);
    let (ops, factors) = recorded.told_by(recorded.time_after(n));
    sum.images += 1;
    sum.unsynced += disk.unsynced();
    sum.acknowledged += ops.iter().filter(|op| op.outcome != Outcome::Unknown).count();
    sum.accepted += ops.iter().filter(|op| op.outcome == Outcome::Verdict(true)).count();
    let what = format!(
        "record {}, image {}, {cut:?} after {n} of {} calls",
        sum.records,
        sum.images,
        recorded.events.len()
    );
    let folder = plan.data.with_file_name(format!("image-{}", sum.images));
    let problems = look(plan, &folder, &image, &ops, &factors, dice).await.unwrap_or_else(|why| vec![why]);
    if problems.is_empty() {
        std::fs::remove_dir_all(&folder).map_err(|e| e.to_string())?;
    } else {
        run.say(&format!("{what}: see {}", folder.display()));
    }
    sum.problems.extend(problems.into_iter().map(|problem| format!("{what}: {problem}")));
    Ok(())
}

/// One disk that says it has synced and has not, from somewhere under load on. Whatever is left has to be found wanting.
async fn lie(plan: &Plan, recorded: &Recorded, dice: &mut Dice, sum: &mut Sum) -> Result<(), String> {
    let (begin, end) = recorded.middle();
    let from = recorded.pick(begin, begin + (end - begin) / 2, dice);
    let mut disk = Disk::default();
    for (n, event) in recorded.events.iter().take(end).enumerate() {
        if n < from || !matches!(event.act, Act::Sync(_) | Act::SyncFolder) {
            disk.act(&event.act);
        }
    }
    let image = disk.image(Cut::Dropped, dice);
    let (ops, factors) = recorded.told_by(recorded.time_after(end));
    sum.lies += 1;
    let folder = plan.data.with_file_name(format!("lie-{}", sum.lies));
    let found =
        look(plan, &folder, &image, &ops, &factors, dice).await.map_or(true, |found| !found.is_empty());
    sum.lies_found += u64::from(found);
    std::fs::remove_dir_all(&folder).map_err(|e| e.to_string())
}

/// Starts the server on an image and asks about everything that was acknowledged. Returns what is wrong.
async fn look(
    plan: &Plan,
    folder: &Path,
    image: &Image,
    ops: &[Op],
    factors: &[Factor],
    dice: &mut Dice,
) -> Result<Vec<String>, String> {
    let plan = Plan { data: folder.join("data"), log: folder.join("server.log"), ..plan.clone() };
    lay_out(&plan.data, image, dice).map_err(|e| format!("{}: {e}", folder.display()))?;
    let (_server, _) = plan.start_ready().await?;
    let journal = Arc::new(Journal::create(&folder.join("history.jsonl")).map_err(|e| e.to_string())?);
    probe(&mut Caller::new(&plan.front()?, &journal, PATIENCE), factors, ops).await?;
    let later = |moment: Moment| Moment { seq: moment.seq + LATER, ..moment };
    let probed =
        journal.take().into_iter().map(|op| Op { asked: later(op.asked), ended: op.ended.map(later), ..op });
    let all: Vec<Op> = ops.iter().cloned().chain(probed).collect();
    Ok(checker::check(&all).iter().map(ToString::to_string).collect())
}

/// Writes an image as the folder of a server that its owner alone may read.
fn lay_out(data: &Path, image: &Image, dice: &mut Dice) -> std::io::Result<()> {
    std::fs::create_dir_all(data)?;
    std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700))?;
    for (name, bytes) in image {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(data.join(name))?;
        if name.ends_with("-shm") {
            // It is mapped and never synced: it may hold anything.
            let noise: Vec<u8> = (0..32_768).map(|_| u8::try_from(dice.below(256)).unwrap_or(0)).collect();
            file.write_all(&noise)?;
        } else {
            file.write_all(bytes)?;
        }
    }
    Ok(())
}
