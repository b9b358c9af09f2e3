//! The open model: requests arrive at a fixed rate, whether the last ones were answered or not, as they do
//! when many callers share a server. Each latency counts from the moment the request was due, so a server
//! that makes the generator wait cannot hide it.
//!
//! A calm closed loop finds the peak; then come the arrivals. That is done several times in turn, and goodput is held against
//! the peaks just before and just after it, as the machine's speed changes by the minute. At the end half the peak arrives, to
//! see how long the server takes to be itself again. Measured (F72): goodput, the time of a refusal, recovery.
//!
//! What arrives waits in the generator for a free connection, for a second at most, as it would in a caller's pool. So however
//! much arrives, no more is under way than there are connections, and no more is sent than is answered.
use crate::{
    closed::{Bench, End, Item, Op, ask, phase},
    report::Report,
};
use loadgen::{args::Args, procfs, stats::Latencies, wire::Refusal};
use serde_json::json;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{sync::Notify, task::LocalSet, time::timeout};

/// No arrival waits longer than this in the generator, and no answer is waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Recovery is looked for in steps of this.
const WINDOW: Duration = Duration::from_millis(250);
/// For how long half the peak arrives at the end: longer than the server may take to be itself again.
const CALM: Duration = Duration::from_secs(6);
/// After the overload, an answer slower than this is not yet normal.
const NORMAL_MS: f64 = 50.0;

#[derive(Default)]
struct Tally {
    /// From the moment a request was due.
    good: Latencies,
    /// The same, from the moment it was sent.
    served: Latencies,
    refused: Latencies,
    broken: u64,
    first_trouble: Option<String>,
    /// For each span of [`WINDOW`], by when they were due: how many requests, and how many of them were refused, broken or
    /// slow.
    windows: Vec<(u32, u32)>,
}

impl Tally {
    fn absorb(&mut self, mut other: Self) {
        self.good.append(&mut other.good);
        self.served.append(&mut other.served);
        self.refused.append(&mut other.refused);
        self.broken += other.broken;
        self.first_trouble = self.first_trouble.take().or(other.first_trouble);
    }

    fn saw(&mut self, due: Duration, bad: bool) {
        let nth = usize::try_from(due.as_millis() / WINDOW.as_millis()).unwrap_or(usize::MAX);
        if self.windows.len() <= nth {
            self.windows.resize(nth.min(10_000) + 1, (0, 0));
        }
        if let Some((all, bad_ones)) = self.windows.get_mut(nth) {
            *all += 1;
            *bad_ones += u32::from(bad);
        }
    }

    /// The start of the first window in which 99 of 100 requests are answered as on a calm day.
    fn normal_after(&self) -> Duration {
        let normal = self.windows.iter().position(|(all, bad)| *all > 0 && bad * 100 <= *all);
        WINDOW * u32::try_from(normal.unwrap_or(self.windows.len())).unwrap_or(u32::MAX)
    }
}

struct Load {
    bench: Rc<Bench>,
    op: Op,
    factors: Vec<Item>,
    due: RefCell<VecDeque<Instant>>,
    arrived: Notify,
    closed: Cell<bool>,
    tally: RefCell<Tally>,
    start: Instant,
}

impl Load {
    /// Drops the requests that have been due for longer than `wait`, and returns how many they were.
    fn give_up_after(&self, wait: Duration) -> u64 {
        let mut due = self.due.borrow_mut();
        let before = due.len();
        while due.front().is_some_and(|at| at.elapsed() > wait) {
            due.pop_front();
        }
        (before - due.len()) as u64
    }
}

/// One stretch of arrivals.
struct Stretch {
    offered: u64,
    sent_late: u64,
    wall_s: f64,
    tally: Tally,
}

pub(crate) async fn run(
    args: &Args,
    bench: &Rc<Bench>,
    report: &mut Report,
    sync_us: f64,
) -> Result<(), String> {
    let op = match args.text("op").unwrap_or("challenge") {
        "enroll" => Op::Enroll,
        "challenge" => Op::Challenge,
        other => return Err(format!("--op {other}: only enroll and challenge can be repeated without end")),
    };
    let seconds = Duration::from_secs(args.get("seconds", 10u64)?.clamp(1, 600));
    let sockets = args.get("sockets", 1280usize)?.clamp(1, 4096);
    let rounds = args.get("rounds", 3u32)?.clamp(1, 100);
    let (factors, _) = phase(bench, Op::Enroll, vec![Item::default(); 2000], 64, 0).await;
    let text = args.text("open").unwrap_or("5x");
    let rate_at = |peak: f64| match text.strip_suffix('x') {
        Some(times) => times.parse::<f64>().map(|t| t * peak),
        None => text.parse(),
    };
    let rate_at = |peak| rate_at(peak).map(|r| r.clamp(1.0, 1e6)).map_err(|e| format!("--open {text}: {e}"));

    let mut sum = Sum::default();
    let mut peaks = vec![peak(bench, op, &factors).await];
    let mut shares = Vec::new();
    let mut calm = None;
    for round in 1..=rounds {
        let before = peaks.last().copied().unwrap_or(1.0);
        let cpu = (procfs::usage(bench.server_pid).cpu_s, procfs::own_cpu_s());
        let over = stretch(bench, op, &factors, rate_at(before)?, seconds / rounds, sockets).await;
        sum.server_cpu_s += procfs::usage(bench.server_pid).cpu_s - cpu.0;
        sum.own_cpu_s += procfs::own_cpu_s() - cpu.1;
        if round == rounds {
            calm = Some(stretch(bench, op, &factors, before / 2.0, CALM, sockets).await);
        }
        peaks.push(peak(bench, op, &factors).await);
        let around = (before + peaks.last().copied().unwrap_or(before)) / 2.0;
        shares.push(over.tally.good.count() as f64 / over.wall_s / around);
        sum.offered += over.offered;
        sum.sent += over.offered - over.sent_late;
        sum.wall_s += over.wall_s;
        sum.tally.absorb(over.tally);
    }
    shares.sort_by(f64::total_cmp);
    let share = shares.get(shares.len() / 2).copied().unwrap_or_default();
    let mean_peak = peaks.iter().sum::<f64>() / peaks.len() as f64;
    if let Some(calm) = calm {
        sum.tell(report, op, sockets, (mean_peak, share, sync_us), calm);
    }
    Ok(())
}

/// All stretches of overload together.
#[derive(Default)]
struct Sum {
    offered: u64,
    sent: u64,
    wall_s: f64,
    server_cpu_s: f64,
    own_cpu_s: f64,
    tally: Tally,
}

impl Sum {
    fn tell(
        mut self,
        report: &mut Report,
        op: Op,
        sockets: usize,
        (peak, share, sync_us): (f64, f64, f64),
        mut calm: Stretch,
    ) {
        let per_s = |count: u64| count as f64 / self.wall_s;
        let (offered, sent) = (per_s(self.offered), per_s(self.sent));
        let good = per_s(self.tally.good.count() as u64);
        let [server, own] = [self.server_cpu_s, self.own_cpu_s].map(|s| s / self.wall_s * 100.0);
        let refused = self.tally.refused.count();
        let [refusal_p50, refusal_p99, refusal_max] =
            [0.5, 0.99, 1.0].map(|q| self.tally.refused.quantile_ms(q));
        let [served_p50, served_p99] = [0.5, 0.99].map(|q| self.tally.served.quantile_ms(q));
        let (normal_s, calm_p99) =
            (calm.tally.normal_after().as_secs_f64(), calm.tally.good.quantile_ms(0.99));
        println!(
            "{} open {} over {sockets} connections: peak {peak:.0}/s; offered {offered:.0}/s, sent {sent:.0}/s; good \
             {good:.0}/s = {share:.2} of the peak around it (served p50 {served_p50:.1} ms, p99 {served_p99:.1} ms); refused \
             {refused} (p50 {refusal_p50:.1}, p99 {refusal_p99:.1}, max {refusal_max:.1} ms); broken {}; normal again after \
             {normal_s:.2} s (p99 then {calm_p99:.1} ms); server {server:.0} %, generator {own:.0} %; sync {sync_us:.0} µs",
            report.name(),
            op.name(),
            self.tally.broken
        );
        for trouble in [self.tally.first_trouble, calm.tally.first_trouble].into_iter().flatten() {
            println!("  first trouble: {trouble}");
        }
        if own > 90.0 {
            println!("  the generator had no time left: it is part of what was measured");
        }
        report.json_line(json!({
            "name": report.name(), "op": format!("open {}", op.name()), "sockets": sockets, "peak_per_s": peak,
            "offered_per_s": offered, "sent_per_s": sent, "good_per_s": good, "good_of_peak": share,
            "served_p50_ms": served_p50, "served_p99_ms": served_p99, "refused": refused,
            "refusal_p50_ms": refusal_p50, "refusal_p99_ms": refusal_p99, "refusal_max_ms": refusal_max,
            "broken": self.tally.broken, "normal_after_s": normal_s, "calm_p99_ms": calm_p99,
            "server_cpu_pct": server, "generator_cpu_pct": own, "sync_us": sync_us,
        }));
    }
}

/// What a closed loop over 64 connections reaches, per second.
async fn peak(bench: &Rc<Bench>, op: Op, factors: &[Item]) -> f64 {
    let items: Vec<Item> = factors.iter().cycle().take(factors.len() * 10).cloned().collect();
    let (_, figures) = phase(bench, op, items, 64, 0).await;
    figures.latencies.count() as f64 / figures.wall_s.max(1e-9)
}

async fn stretch(
    bench: &Rc<Bench>,
    op: Op,
    factors: &[Item],
    rate: f64,
    length: Duration,
    sockets: usize,
) -> Stretch {
    let load = Rc::new(Load {
        bench: bench.clone(),
        op,
        factors: factors.to_vec(),
        due: RefCell::default(),
        arrived: Notify::new(),
        closed: Cell::new(false),
        tally: RefCell::default(),
        start: Instant::now(),
    });
    let tasks = LocalSet::new();
    for nth in 0..sockets {
        tasks.spawn_local(caller(load.clone(), nth));
    }
    let arrivals = tasks.run_until(arrive(&load, rate, length)).await;
    // Closing wakes every caller: those with nothing left to send end, the others finish first.
    load.closed.set(true);
    load.arrived.notify_waiters();
    tasks.await;
    let tally = load.tally.take();
    Stretch { offered: arrivals.0, sent_late: arrivals.1, wall_s: length.as_secs_f64(), tally }
}

/// Lets requests fall due, and returns how many did and how many were never sent.
async fn arrive(load: &Load, rate: f64, length: Duration) -> (u64, u64) {
    let (mut offered, mut dropped) = (0u64, 0u64);
    while load.start.elapsed() < length {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and bounded")]
        let by_now = (load.start.elapsed().as_secs_f64() * rate) as u64;
        while offered < by_now {
            load.due.borrow_mut().push_back(load.start + Duration::from_secs_f64(offered as f64 / rate));
            load.arrived.notify_one();
            offered += 1;
        }
        // What has waited for a free connection for a second is not sent any more: the generator's queue has
        // a bound, too, and a caller would have given up.
        dropped += load.give_up_after(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    dropped += load.due.borrow().len() as u64;
    load.due.borrow_mut().clear();
    (offered, dropped)
}

async fn caller(load: Rc<Load>, nth: usize) {
    let mut conn = load.bench.api.conn();
    let mut item_at = nth * 7;
    loop {
        let Some(due) = load.due.borrow_mut().pop_front() else {
            if load.closed.get() {
                return;
            }
            load.arrived.notified().await;
            continue;
        };
        item_at += 1;
        let mut item = load.factors.get(item_at % load.factors.len().max(1)).cloned().unwrap_or_default();
        let sent = Instant::now();
        let end = timeout(PATIENCE, ask(&load.bench.api, &mut conn, load.op, &mut item, 0)).await;
        let took = due.elapsed();
        let mut tally = load.tally.borrow_mut();
        let good = matches!(end, Ok(End::Done));
        tally.saw(due - load.start, !good || took.as_secs_f64() * 1000.0 > NORMAL_MS);
        match end {
            Ok(End::Done) => {
                tally.good.push(took);
                tally.served.push(sent.elapsed());
            }
            // How long the server took to say no; waiting for a free connection is not its doing.
            Ok(End::Refused(Refusal::Busy)) => tally.refused.push(sent.elapsed()),
            bad => {
                tally.broken += 1;
                let why = match bad {
                    Ok(End::Refused(other)) => format!("{other:?}"),
                    Ok(End::Broken(why)) => why,
                    _ => "no answer within 5 s".into(),
                };
                tally.first_trouble.get_or_insert(why);
                conn = load.bench.api.conn();
            }
        }
    }
}
